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
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

import lz4.block
import numpy as np
from numpy.typing import NDArray

from weft.base.errors import UserError
from weft.engines.cpu.trace_hook import ChainSection
from weft.tools.waves.change_log import LoggedSignal, signal_table
from weft.tools.waves.encode_changes import kernel
from weft.tools.waves.wave_tree import WaveScope, WaveVariable

_HEADER, _GEOMETRY, _HIERARCHY, _CHANGES, _SKIP = 0, 3, 4, 8, 255
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
_STORED_BELOW = 33  # shorter chains are not worth compressing
_TAIL = 64  # chains of one length with so many equal bytes at the end are compared


def varint(value: int) -> bytes:
    """Return an unsigned variable-length integer."""
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed_varint(value: int) -> bytes:
    """Return a signed variable-length integer (LEB128)."""
    out = bytearray()
    while True:
        byte = value & 127
        value >>= 7
        if (value == 0 and not byte & 64) or (value == -1 and byte & 64):
            out.append(byte)
            return bytes(out)
        out.append(byte | 128)


def varints(values: NDArray[np.uint64]) -> bytes:
    """Return many unsigned variable-length integers, vectorised."""
    if not len(values):
        return b""
    count = int(max(1, -(-int(values.max()).bit_length() // 7)))
    shifts = np.arange(count, dtype=np.uint64) * np.uint64(7)
    groups = (values[:, None] >> shifts) & np.uint64(127)
    lengths = np.maximum(1, (groups != 0).cumsum(axis=1).argmax(axis=1) + 1)
    columns = np.arange(count)
    groups |= np.where(columns < (lengths - 1)[:, None], np.uint64(128), np.uint64(0))
    return groups[columns < lengths[:, None]].astype(np.uint8).tobytes()


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
        self._header()
        self._block(_GEOMETRY, [self._geometry()])
        self._block(_HIERARCHY, [struct.pack(">Q", len(hierarchy)), gzip.compress(hierarchy, 4, mtime=0)])

    def write_chains(self, section: ChainSection) -> None:
        """Append one section."""
        times = section.times
        raw_times = np.empty(10 * len(times), np.uint8)
        size = kernel("encode_times")(times.ctypes.data, len(times), self._unit_fs, raw_times.ctypes.data)
        begin, end = (int(times[at]) // self._unit_fs for at in (0, -1))
        self._section(section, begin, end, raw_times[:size].tobytes())
        self._count_section(begin, end)
        # Signals without a change keep what the frame has of them.
        offsets = np.where(section.ends > section.starts, section.offsets, 0)
        kernel("update_frame")(
            section.planes.ctypes.data, len(self._signals), self._table.ctypes.data, offsets.ctypes.data,
            self._positions.ctypes.data, self._frame.ctypes.data,
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
        raw_times = varints(np.diff(stamps, prepend=np.uint64(0)))
        self._section(section, times[0], times[-1], raw_times)
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
        count = len(self._signals)
        chains, index, memory = _pack_chains(section)
        self._block(_CHANGES, [
            struct.pack(">QQQ", begin, end, memory),
            varint(len(frame)), varint(len(packed_frame)), varint(count), packed_frame,
            varint(count), b"4", *chains,
            index, struct.pack(">Q", len(index)),
            packed_times, struct.pack(">QQQ", len(raw_times), len(packed_times), len(section.times)),
        ])  # fmt: skip

    def _block(self, kind: int, parts: Sequence[bytes]) -> None:
        """Append a block; if that fails, the file is as it was before."""
        begin = self._size
        length = sum(map(len, parts)) + 8
        self._put(begin, b"".join([struct.pack(">BQ", _SKIP, length), *parts]))
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

    def _put(self, at: int, data: bytes) -> None:
        try:
            self._file.seek(at)
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
            raise UserError("cannot-write", f"cannot write waveform {self._path}: {error.strerror}") from error

    # --------------------------------------------------------------------------------------- declarations

    def _geometry(self) -> bytes:
        # A real has no width: that is how readers know it.
        raw = varints(np.array([0 if signal.real else signal.width for signal in self._signals], np.uint64))
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


def _pack_chains(section: ChainSection) -> tuple[list[bytes], bytes, int]:
    """Return the chains as stored, their index, and the bytes a reader needs to hold them; equal chains are shared."""
    chains: list[bytes] = []
    index = bytearray()
    seen: dict[tuple[int, bytes], list[int]] = {}
    position, previous, alias, memory, zeros = 1, 0, 0, 0, 0
    data = section.arena.data
    begins: list[int] = section.starts.tolist()
    stops: list[int] = section.ends.tolist()
    for i, (begin, stop) in enumerate(zip(begins, stops, strict=True)):
        if stop == begin:
            zeros += 1
            continue
        if zeros:
            index += varint(zeros << 1)
            zeros = 0
        size = stop - begin
        memory += size
        # Chains that end alike are compared, which costs less than packing them.
        alike = seen.setdefault((size, bytes(data[max(begin, stop - _TAIL) : stop])), [])
        chain = data[begin:stop]
        whole = bytes(chain) if alike else b""
        twin = next((other for other in alike if bytes(data[begins[other] : stops[other]]) == whole), -1)
        if twin >= 0:
            # A repeat of the alias before it is written as 0; else the negated handle of the signal that has the chain.
            handle = -(twin + 1)
            index += signed_varint(1 if handle == alias else (handle << 1) | 1)
            alias = handle
            continue
        alike.append(i)
        index += signed_varint(((position - previous) << 1) | 1)
        previous = position
        pieces = _pack_chain(chain, size)
        position += sum(map(len, pieces))
        chains += pieces
    if zeros:
        index += varint(zeros << 1)
    return chains, bytes(index), memory


def _pack_chain(chain: memoryview, size: int) -> tuple[bytes, bytes]:
    """Return a chain as stored: its size and its compressed bytes, or 0 and its bytes."""
    if size >= _STORED_BELOW:
        packed = lz4.block.compress(chain, store_size=False)
        if len(packed) < size:
            return varint(size), packed
    return b"\0", bytes(chain)
