"""FST files of `$dumpvars`, read back by an independent reader."""

import random

import pytest
import pywellen

from weft.base.errors import UserError
from weft.base.logic import digits
from weft.sim.format_arguments import Value
from weft.sim.tasks.dump_scopes import Declaration, DumpScope, DumpSignal
from weft.tools.waves import dump_sink
from weft.tools.waves.dump_sink import FstSink, open_fst_sink

WIDTHS = [1, 1, 4, 8, 9, 64, 100]


def declare():
    """Return signals, with an alias, a real and an event, and their declarations."""
    signals = [DumpSignal(f"s{i}", "reg" if i % 2 else "wire", w, 10 + i, (w - 1, 0)) for i, w in enumerate(WIDTHS)]
    real, event = DumpSignal("r", "real", 64, 3), DumpSignal("e", "event", 1, 4)
    alias = DumpSignal("alias", "wire", 8, 13, (7, 0))
    top, task = DumpScope("t", "module", "t"), DumpScope("work", "task", "t.work")
    lines = [Declaration(scope=top), *(Declaration(signal=s) for s in signals[:4])]
    lines += [Declaration(scope=task), *(Declaration(signal=s) for s in (*signals[4:], real, event, alias))]
    return signals, real, event, [*lines, Declaration(), Declaration()]


def random_value(choose, width):
    unknown = choose.getrandbits(width) if choose.random() < 0.4 else 0
    return Value(width, choose.getrandbits(width), unknown)


@pytest.mark.parametrize("section_bytes", [20, 1 << 20])
def test_wellen_reads_what_was_dumped(tmp_path, monkeypatch, section_bytes):
    monkeypatch.setattr(dump_sink, "_SECTION_BYTES", section_bytes)
    signals, real, event, lines = declare()
    choose = random.Random(5)
    expected = {signal.name: [] for signal in (*signals, real)}
    path = tmp_path / "a.fst"
    sink = FstSink(str(path), 10**4)
    time = 0
    for step in range(60):
        values = []
        for signal in signals:
            if step and choose.random() < 0.6:
                continue
            value = random_value(choose, signal.width)
            values.append((signal, value))
            text = digits(value.value, value.unknown, value.width)
            if not expected[signal.name] or expected[signal.name][-1][1] != text:
                expected[signal.name].append((time, text))
        if step % 3 == 0:
            values.append((real, step / 8))
            expected["r"].append((time, step / 8))
            values.append((event, Value(1, 0)))
        if step:
            sink.change(time, values)
        else:
            sink.begin(lines, time, values)
        time += choose.choice([1, 7, 300])
    sink.close(time)
    wave = pywellen.Waveform(str(path))
    found = {var.full_name.split(" ")[0].rpartition(".")[2]: var for var in wave.all_vars()}
    for signal in signals:
        changes = [(at, v if isinstance(v, str) else format(v, f"0{signal.width}b")) for at, v in found[signal.name].tv]
        assert changes == expected[signal.name], signal
    assert list(found["r"].tv) == expected["r"]
    assert list(found["alias"].tv) == list(found["s3"].tv)
    assert {var.full_name.split(" ")[0] for var in wave.all_vars()} >= {"t.s0", "t.work.s4", "t.work.e"}


def test_names_choose_the_format(tmp_path):
    assert open_fst_sink(str(tmp_path / "a.vcd"), 1000) is None
    with pytest.raises(UserError, match="cannot write waveform"):
        open_fst_sink(str(tmp_path / "no" / "a.fst"), 1000)
