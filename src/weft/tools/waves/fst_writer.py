"""Write FST, GTKWave's compressed waveform format.

Why not the format's own C library: it takes one call and one string of characters for each change, which is where
Verilator spends nine tenths of a traced run. Here compiled code makes the file's per-signal chains itself, and Python
only sees whole sections.

The format (from the block description that comes with libfst): a header; the geometry (widths); the hierarchy; then
value-change sections. A section begins with a frame (the value of every signal as characters), then a chain for each
signal that changed (time index deltas joined with values, compressed with LZ4 or stored), an index of the chains,
and the table of times. Geometry and hierarchy are written first, a section is marked as one to be skipped until it is
complete, and the header is brought up to date after each: so the file is readable at any moment, also after a crash or
on a full disk.
"""

from __future__ import annotations

import contextlib
import gzip
import struct
import time
import zlib
from collections.abc import Generator, Iterable, Sequence
from io import FileIO
from pathlib import Path

import numpy as np

from weft.base.errors import UserError
from weft.engines.cpu.unroller import ChainSection
from weft.tools.waves import value_kernels
from weft.tools.waves.change_log import LoggedSignal, signal_table
from weft.tools.waves.compiled_kernels import CompiledKernels
from weft.tools.waves.pack_chains import ChainPacker
from weft.tools.waves.wave_tree import WaveScope, WaveVariable

_HEADER, _GEOMETRY, _HIERARCHY, _CHANGES, _SKIP = 0, 3, 4, 8, 255
_LARGE = 1 << 16
_SCOPES = {
    "module": 0, "task": 1, "function": 2, "begin": 3, "fork": 4, "generate": 5, "struct": 6, "interface": 9,
    "package": 10,
}  # fmt: skip
_KINDS = {
    "event": 0, "integer": 1, "parameter": 2, "real": 3, "real_parameter": 4, "reg": 5, "supply0": 6, "supply1": 7,
    "time": 8, "tri": 9, "triand": 10, "trior": 11, "trireg": 12, "tri0": 13, "tri1": 14, "wand": 15, "wire": 16,
    "wor": 17, "bit": 22, "logic": 23, "int": 24,
}  # fmt: skip
_DIRECTIONS = {"": 0, "input": 1, "output": 2, "inout": 3}
_SCOPE, _UPSCOPE, _ATTRIBUTE, _ENUM_TABLE = 254, 255, 252, 7


def varint(value: int) -> bytes:
    """Return an unsigned variable-length integer."""
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


class FstWriter:
    """Write one FST file from sections of chains.

    `exponent` gives the file's time unit as a power of ten of a second (-12: picoseconds). Memory: a few bytes for each
    byte of the section being written.
    """

    def __init__(
        self, path: str | Path, scopes: Sequence[WaveScope], signals: Sequence[LoggedSignal], exponent: int = -12
    ) -> None:
        self._signals = list(signals)
        self._table = signal_table(signals)
        self._unit_fs = 10 ** (15 + exponent)
        self._exponent = exponent
        widths = self._table[:, 0].astype(np.int64)
        self._positions = np.zeros(len(signals), np.int64)
        np.cumsum(widths[:-1], out=self._positions[1:])
        self._frame = np.full(int(widths.sum()) + 8, ord("x"), np.uint8)
        self._start, self._end, self._sections = -1, 0, 0
        self._scope_count = self._variable_count = 0
        hierarchy = self._hierarchy(scopes)
        try:
            self._file: FileIO = Path(path).open("wb", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise UserError("cannot-write", f"cannot write waveform {path}: {error.strerror}") from error
        self._path, self._size = path, 0
        self._packer = ChainPacker()
        self._kernels = CompiledKernels(value_kernels)
        self._header()
        self._block(_GEOMETRY, [self._geometry()])
        self._block(_HIERARCHY, [struct.pack(">Q", len(hierarchy)), gzip.compress(hierarchy, 4, mtime=0)])

    def write_chains(self, section: ChainSection) -> None:
        """Append one section."""
        times = section.times
        begin, end = (int(times[at]) // self._unit_fs for at in (0, -1))
        self._section(section, begin, end, self._packer.encode_times(times, self._unit_fs))
        self._count_section(begin, end)
        # Signals without a change keep what the frame has of them.
        offsets = np.where(section.ends > section.starts, section.offsets, 0)
        self._kernels.call(
            "update_frame", section.planes.ctypes.data, len(self._signals), self._table.ctypes.data,
            offsets.ctypes.data, self._positions.ctypes.data, self._frame.ctypes.data,
        )  # fmt: skip

    def write_section(self, chains: Sequence[bytes], times: Sequence[int], frame: bytes) -> None:
        """Append one section made elsewhere: a chain for each signal, the times in file units, the values before."""
        arena = np.frombuffer(b"".join(chains) + bytes(16), np.uint8)
        sizes = np.array([len(chain) for chain in chains], np.int64)
        ends = np.cumsum(sizes)
        stamps = np.array(times, np.uint64)
        nothing = np.zeros(0, np.uint8)
        section = ChainSection(arena, ends - sizes, ends, stamps, nothing, np.zeros(0, np.int64))
        self._frame = np.frombuffer(frame + bytes(8), np.uint8)
        self._section(section, times[0], times[-1], self._packer.encode_times(stamps, 1))
        self._count_section(times[0], times[-1])

    def _count_section(self, begin: int, end: int) -> None:
        self._start, self._end = begin if self._start < 0 else self._start, end
        self._sections += 1
        self._header()

    def close(self, end_fs: int | None = None) -> None:
        """Complete the header and close the file; `end_fs` extends the shown time beyond the last change."""
        if self._file.closed:
            return
        if end_fs is not None:
            self._end = max(self._end, end_fs // self._unit_fs)
        try:
            self._header()
        finally:
            self._file.close()

    # ------------------------------------------------------------------------------------------ sections

    def _section(self, section: ChainSection, begin: int, end: int, raw_times: bytes) -> None:
        frame = self._frame[:-8].tobytes()
        packed_frame = _smaller(frame, zlib.compress(frame, 1))
        packed_times = _smaller(raw_times, zlib.compress(raw_times, 1))
        count, packed = len(self._signals), self._packer.pack(section)
        self._block(_CHANGES, [
            struct.pack(">QQQ", begin, end, packed.memory),
            varint(len(frame)), varint(len(packed_frame)), varint(count), packed_frame,
            varint(count), b"4", packed.data,
            packed.index, struct.pack(">Q", len(packed.index)),
            packed_times, struct.pack(">QQQ", len(raw_times), len(packed_times), len(section.times)),
        ])  # fmt: skip

    def _block(self, kind: int, parts: Sequence[bytes | memoryview]) -> None:
        """Append a block; if that fails, the file is as it was before."""
        begin = self._size
        length = sum(map(len, parts)) + 8
        self._put(begin, struct.pack(">BQ", _SKIP, length), *parts)
        self._size = begin + 1 + length
        self._put(begin, bytes([kind]))

    def _header(self) -> None:
        body = struct.pack(
            ">QQdQQQQQb128s119sBq", max(self._start, 0), self._end, 0.0, 1 << 20, self._scope_count,
            self._variable_count, len(self._signals), self._sections, self._exponent, b"Weft",
            time.asctime().encode(), 0, 0,
        )  # fmt: skip
        # The endian test is a double in the writer's own byte order, little-endian here.
        body = body[:16] + struct.pack("<d", 2.7182818284590452354) + body[24:]
        block = struct.pack(">BQ", _HEADER, len(body) + 8) + body
        self._put(0, block)
        self._size = max(self._size, len(block))

    def _put(self, at: int, *parts: bytes | memoryview) -> None:
        try:
            self._file.seek(at)
            for part in _joined(parts):
                rest = memoryview(part)
                while rest:
                    rest = rest[self._file.write(rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
            raise UserError("cannot-write", f"cannot write waveform {self._path}: {error.strerror}") from error

    # --------------------------------------------------------------------------------------- declarations

    def _geometry(self) -> bytes:
        # A real has no width: that is how readers know it.
        raw = b"".join(varint(0 if signal.real else signal.width) for signal in self._signals)
        return struct.pack(">QQ", len(raw), len(self._signals)) + _smaller(raw, zlib.compress(raw, 9))

    def _hierarchy(self, scopes: Sequence[WaveScope]) -> bytes:
        out = bytearray()
        enums: dict[tuple[str, tuple[tuple[str, int], ...]], int] = {}
        declared: set[int] = set()
        order = _declaration_order(scopes)
        pending: list[WaveScope | None] = list(reversed(scopes))
        while pending:
            scope = pending.pop()
            if scope is None:
                out.append(_UPSCOPE)
                continue
            self._scope_count += 1
            out += bytes([_SCOPE, _SCOPES[scope.kind]]) + scope.name.encode() + b"\0" + scope.component.encode() + b"\0"
            for variable in scope.variables:
                self._variable(out, variable, enums, declared)
            pending.append(None)
            pending.extend(reversed(scope.scopes))
        assert order == sorted(order), "signals must be numbered in the order of their first declaration"
        return bytes(out)

    def _variable(
        self,
        out: bytearray,
        variable: WaveVariable,
        enums: dict[tuple[str, tuple[tuple[str, int], ...]], int],
        declared: set[int],
    ) -> None:
        self._variable_count += 1
        if variable.enum:
            key = (variable.enum_name, variable.enum)
            number = enums.get(key)
            table = b""
            if number is None:
                number = enums[key] = len(enums) + 1
                labels = " ".join(label for label, _ in variable.enum)
                values = " ".join(format(value, f"0{variable.width}b") for _, value in variable.enum)
                table = f"{variable.enum_name or 'enum'} {len(variable.enum)} {labels} {values}".encode()
                out += bytes([_ATTRIBUTE, 0, _ENUM_TABLE]) + table + b"\0" + varint(number)
            out += bytes([_ATTRIBUTE, 0, _ENUM_TABLE]) + b"\0" + varint(number)
        alias = variable.index + 1 if variable.index in declared else 0
        declared.add(variable.index)
        out += bytes([_KINDS[variable.kind], _DIRECTIONS[variable.direction]])
        out += variable.label.encode() + b"\0" + varint(variable.width) + varint(alias)


def _smaller(raw: bytes, packed: bytes) -> bytes:
    """Return the shorter form; a reader knows by the two sizes which it is."""
    return packed if len(packed) < len(raw) else raw


def _declaration_order(scopes: Sequence[WaveScope]) -> list[int]:
    """Return signal numbers in the order of their first declaration; FST numbers its handles that way."""
    seen: dict[int, None] = {}
    pending = list(reversed(scopes))
    while pending:
        scope = pending.pop()
        for variable in scope.variables:
            seen.setdefault(variable.index)
        pending.extend(reversed(scope.scopes))
    return list(seen)


def _joined(parts: Iterable[bytes | memoryview]) -> Generator[bytes | memoryview]:
    """Put small parts together and leave large ones as they are, which may have many megabytes."""
    small: list[bytes | memoryview] = []
    for part in parts:
        if len(part) < _LARGE:
            small.append(part)
            continue
        yield b"".join(small)
        yield part
        small.clear()
    yield b"".join(small)
