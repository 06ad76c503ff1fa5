"""FST and VCD files of random changes, read back by independent readers."""

import random
import re

import numpy as np
import pylibfst
import pytest
import pywellen

from weft.base.errors import UserError
from weft.base.logic import digits
from weft.engines.cpu.unroller import ChainSection
from weft.tools.waves.change_log import TIME, LoggedSignal
from weft.tools.waves.fst_writer import FstWriter, varint
from weft.tools.waves.vcd_writer import VcdWriter, identifier_code, time_unit
from weft.tools.waves.wave_tree import WaveScope, WaveVariable

WIDTHS = [1, 1, 2, 7, 8, 9, 31, 32, 33, 57, 63, 64, 65, 100, 127, 128, 129, 200, 1000]


def random_run(seed, sections=3, steps=40):
    """Return signals, scopes, sections of (time in fs, changes), each signal's changes as (time, text), and the end."""
    rng = random.Random(seed)
    signals = [LoggedSignal(width, bool(rng.randrange(2))) for width in WIDTHS]
    inner = WaveScope("core", "module", "core_type")
    top = WaveScope("top", scopes=[inner])
    for i, signal in enumerate(signals):
        bounds = (signal.width - 1, 0) if signal.width > 1 else None
        (top if i < 5 else inner).variables.append(WaveVariable(f"s{i}", i, signal.width, "reg", "", bounds))
    inner.variables.append(WaveVariable("alias", 4, signals[4].width, "wire", "", (signals[4].width - 1, 0)))
    expected = [[] for _ in signals]
    found, time_fs = [], 0
    for section in range(sections):
        found.append([])
        for step in range(steps):
            time_fs += rng.choice([1, 10, 1000, 10**9]) * 1000
            changes = []
            for i, signal in enumerate(signals):
                if section + step == 0 or rng.random() < 0.3:
                    value = rng.getrandbits(rng.randint(1, signal.width))
                    unknown = rng.getrandbits(signal.width) if signal.four_state and rng.random() < 0.4 else 0
                    text = digits(value, unknown, signal.width)
                    if not expected[i] or expected[i][-1][1] != text:
                        expected[i].append((time_fs // 1000, text))
                        changes.append((i, value, unknown))
            found[-1].append((time_fs, changes))
    return signals, [top], found, expected, time_fs


def pack_change(index, signal, value, unknown=0):
    """Return one change record of a log."""
    size = 4 * signal.plane_words
    record = index.to_bytes(4, "little") + value.to_bytes(size, "little")
    return record + unknown.to_bytes(size, "little") if signal.four_state else record


def pack_time(time_fs):
    """Return one time record of a log."""
    return TIME.to_bytes(4, "little") + time_fs.to_bytes(8, "little")


def write_section(writer, signals, steps, values):
    """Write a section with either writer; `values` has the last (value, unknown) of each signal."""
    if isinstance(writer, VcdWriter):
        log = bytearray()
        for time_fs, changes in steps:
            log += pack_time(time_fs) + b"".join(pack_change(i, signals[i], v, u) for i, v, u in changes)
        writer.write_log(np.frombuffer(bytes(log) + bytes(16), np.uint32)[:-4])
        return
    chains, last = [bytearray() for _ in signals], [0] * len(signals)
    for now, (_, changes) in enumerate(steps):
        for i, value, unknown in changes:
            chains[i] += chain_record(signals[i].width, now - last[i], value, unknown)
            last[i], values[i] = now, (value, unknown)
    planes, offsets = bytearray(8), []
    for signal, (value, unknown) in zip(signals, values, strict=True):
        offsets.append(len(planes))
        planes += pack_change(0, LoggedSignal(signal.width, True), value, unknown)[4:] + bytes(8)
    ends = np.cumsum([len(chain) for chain in chains])
    writer.write_chains(
        ChainSection(
            arena=np.frombuffer(b"".join(chains), np.uint8),
            starts=ends - [len(chain) for chain in chains],
            ends=ends,
            times=np.array([time_fs for time_fs, _ in steps], np.uint64),
            planes=np.frombuffer(bytes(planes), np.uint8),
            offsets=np.array(offsets),
        )
    )


def chain_record(width, delta, value, unknown):
    """Return one change as FST has it: the delta with the value of a bit, or before that of a vector."""
    text = digits(value, unknown, width)
    if width == 1:
        return varint(delta << 4 | value << 1 | 1 if unknown else delta << 2 | value << 1)
    if unknown:
        return varint(delta << 1 | 1) + text.encode()
    return varint(delta << 1) + int(text.ljust(-(-width // 8) * 8, "0"), 2).to_bytes(-(-width // 8), "big")


def read_with_wellen(path, signals):
    """Return each signal's changes as (time, value), and those of the alias."""
    wave = pywellen.Waveform(str(path))
    found, aliases = [None] * len(signals), []
    for var in wave.all_vars():
        changes = list(var.tv)
        name = var.full_name.split(" ")[0]
        if name.endswith("alias"):
            aliases = changes
        else:
            found[int(name.rsplit(".s", 1)[1])] = changes
    return found, aliases


def as_text(value, width):
    return format(value, f"0{width}b") if isinstance(value, int) else str(value)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", [FstWriter, VcdWriter])
def test_wellen_reads_what_was_logged(tmp_path, kind, seed):
    signals, scopes, sections, expected, end = random_run(seed)
    path = tmp_path / ("out.fst" if kind is FstWriter else "out.vcd")
    writer = kind(path, scopes, signals)
    values = [(0, 0)] * len(signals)
    for steps in sections:
        write_section(writer, signals, steps, values)
    writer.close(end)
    found, aliases = read_with_wellen(path, signals)
    for i, signal in enumerate(signals):
        changes = [(time, as_text(value, signal.width)) for time, value in found[i]]
        assert changes == expected[i], f"signal {i} of {signal.width} bits"
    assert aliases == found[4]


@pytest.mark.parametrize("seed", range(2))
def test_libfst_reads_what_was_logged(tmp_path, seed):
    signals, scopes, sections, expected, end = random_run(seed)
    path = tmp_path / "out.fst"
    writer = FstWriter(path, scopes, signals)
    values = [(0, 0)] * len(signals)
    for steps in sections:
        write_section(writer, signals, steps, values)
    writer.close(end)
    lib, ffi = pylibfst.lib, pylibfst.ffi
    context = lib.fstReaderOpen(str(path).encode())
    assert context != ffi.NULL
    lib.fstReaderSetFacProcessMaskAll(context)
    found = [[] for _ in signals]

    def change(_, time, handle, value):
        text = ffi.string(value).decode()
        series = found[handle - 1]
        if not series or series[-1][1] != text:
            series.append((time, text))

    pylibfst.fstReaderIterBlocks(context, change)
    assert lib.fstReaderGetEndTime(context) == end // 1000
    lib.fstReaderClose(context)
    # The reader also replays the frame (all x) at the first time, which the first change then replaces.
    for i, series in enumerate(found):
        assert [c for c in series if "x" * signals[i].width != c[1] or c in expected[i]] == expected[i]


def test_a_file_is_readable_before_it_is_closed(tmp_path):
    signals, scopes, sections, expected, _ = random_run(7)
    writer = FstWriter(tmp_path / "out.fst", scopes, signals)
    write_section(writer, signals, sections[0], [(0, 0)] * len(signals))
    found, _ = read_with_wellen(tmp_path / "out.fst", signals)
    last = max(time for series in found for time, _ in series)
    assert [as_text(v, 1) for _, v in found[0]] == [text for time, text in expected[0] if time <= last]
    writer.close()


def test_an_unwritable_path_is_one_clear_error(tmp_path):
    for kind in (FstWriter, VcdWriter):
        with pytest.raises(UserError, match=r"cannot write waveform .*No such file or directory"):
            kind(tmp_path / "missing" / "out", [], [])


def test_varints():
    assert [varint(v) for v in (0, 1, 127, 128, 300)] == [b"\0", b"\x01", b"\x7f", b"\x80\x01", b"\xac\x02"]


def test_codes_and_units():
    codes = [identifier_code(i) for i in range(20000)]
    assert len(set(codes)) == 20000
    assert all(re.fullmatch(r"[!-~]{1,3}", code) for code in codes)
    assert [time_unit(e) for e in (-15, -12, -11, -10, -9, 0)] == ["1 fs", "1 ps", "10 ps", "100 ps", "1 ns", "1 s"]
