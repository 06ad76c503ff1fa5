"""Write what `$dumpvars` asks for as FST: the writer behind `sim.tasks.dump_tasks` for files that end in `.fst`.

An event engine reports changes one by one, so the chains are made here and not by a kernel: for each signal, the
distance to its last change in the table of times, joined with the value. One bit is `distance << 2 | bit << 1`, or
`distance << 4 | code << 1 | 1` for x (0) and z (1); a vector of known bits is `distance << 1` and its bits from the
left; any other, and a real, `distance << 1 | 1` and its characters, or its eight bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from weft.base.errors import UserError
from weft.sim.format_arguments import Value
from weft.sim.format_bases import digits
from weft.sim.tasks.dump_scopes import Declaration, DumpScope, DumpSignal, Shown
from weft.tools.waves.change_log import LoggedSignal
from weft.tools.waves.fst_writer import FstWriter, varint
from weft.tools.waves.wave_tree import WaveScope, WaveVariable

_SECTION_BYTES = 4 << 20
_REALS = ("real", "real_parameter")


def open_fst_sink(path: str, tick_fs: int) -> FstSink | None:
    """Return the sink for a file that ends in `.fst`, None for any other."""
    return FstSink(path, tick_fs) if Path(path).suffix == ".fst" else None


class FstSink:
    """Write one FST file; memory is bounded by a section's size and one value for each signal."""

    title = "FST"

    def __init__(self, path: str, tick_fs: int) -> None:
        try:
            Path(path).write_bytes(b"")  # say at once if that cannot be
        except OSError as error:
            raise UserError("cannot-write", f"cannot write waveform {path}: {error.strerror}") from error
        self._path, self._tick_fs = path, tick_fs
        self._writer: FstWriter | None = None
        self._numbers: dict[int, int] = {}
        self._signals: list[DumpSignal] = []
        self._chains: list[bytearray] = []
        self._last: list[int] = []
        self._values: list[bytes] = []
        self._frame = b""
        self._times: list[int] = []
        self._held = self._written = 0

    def begin(self, declarations: Sequence[Declaration], time: int, values: Sequence[tuple[DumpSignal, Shown]]) -> None:
        """Write the declarations, and begin with the first values."""
        roots: list[WaveScope] = []
        open_scopes: list[WaveScope] = []
        for declaration in declarations:
            if declaration.scope is not None:
                scope = _wave_scope(declaration.scope)
                (open_scopes[-1].scopes if open_scopes else roots).append(scope)
                open_scopes.append(scope)
            elif declaration.signal is not None:
                open_scopes[-1].variables.append(self._declare(declaration.signal))
            else:
                open_scopes.pop()
        logged = [
            LoggedSignal(64, real=True) if signal.kind in _REALS else LoggedSignal(signal.width, four_state=True)
            for signal in self._signals
        ]
        self._writer = FstWriter(self._path, roots, logged, len(str(self._tick_fs)) - 1 - 15)
        self._chains = [bytearray() for _ in self._signals]
        self._last = [0] * len(self._signals)
        self._values = [bytes(8) if signal.real else b"x" * signal.width for signal in logged]
        self._frame = b"".join(self._values)
        self.change(time, values)

    def _declare(self, signal: DumpSignal) -> WaveVariable:
        number = self._numbers.get(signal.number)
        if number is None:
            number = self._numbers[signal.number] = len(self._signals)
            self._signals.append(signal)
        width = 8 if signal.kind in _REALS else signal.width
        bounds = signal.bounds if signal.width > 1 and signal.kind not in _REALS else None
        return WaveVariable(signal.name, number, width, signal.kind, signal.direction, bounds)

    def change(self, time: int, values: Sequence[tuple[DumpSignal, Shown | None]]) -> None:
        """Append new values; no value is x."""
        if not self._times or self._times[-1] != time:
            if self._held > _SECTION_BYTES:
                self.flush()
            self._times.append(time)
        now = len(self._times) - 1
        for signal, value in values:
            number = self._numbers[signal.number]
            delta, self._last[number] = now - self._last[number], now
            record, self._values[number] = _encode(self._signals[number], delta, value)
            self._chains[number] += record
            self._held += len(record)

    def section(self, keyword: str, time: int, values: Sequence[tuple[DumpSignal, Shown | None]]) -> None:
        """Append values as changes; the format has no sections of its own."""
        self.change(time, values)

    def comment(self, text: str) -> None:
        """Do nothing: the format has no comments among changes."""

    def size(self) -> int:
        """Return the bytes of changes so far, before compression."""
        return self._written + self._held

    def flush(self) -> None:
        """Write what is held as a section."""
        if self._writer is None or not self._times:
            return
        self._writer.write_section([bytes(chain) for chain in self._chains], self._times, self._frame)
        self._frame = b"".join(self._values)
        for chain in self._chains:
            chain.clear()
        self._last = [0] * len(self._signals)
        self._times = []
        self._written, self._held = self._written + self._held, 0

    def close(self, time: int | None) -> None:
        """Complete the file."""
        self.flush()
        if self._writer is not None:
            self._writer.close(None if time is None else time * self._tick_fs)


def _wave_scope(scope: DumpScope) -> WaveScope:
    return WaveScope(scope.name, scope.kind, scope.name if scope.kind == "module" else "")


def _encode(signal: DumpSignal, delta: int, value: Shown | None) -> tuple[bytes, bytes]:
    """Return a change's record, and the value as a frame holds it."""
    if signal.kind in _REALS:
        number = float("nan") if value is None else float(value.value) if isinstance(value, Value) else float(value)
        data = struct.pack("<d", number)
        return varint(delta << 1 | 1) + data, data
    shown = value if isinstance(value, Value) else Value(signal.width, 0, (1 << signal.width) - 1)
    if signal.kind == "event":
        shown = Value(1, 1)
    text = digits(shown, 1).encode()
    if shown.width == 1:
        if shown.unknown:
            return varint(delta << 4 | (shown.value & 1) << 1 | 1), text
        return varint(delta << 2 | (shown.value & 1) << 1), text
    if shown.unknown:
        return varint(delta << 1 | 1) + text, text
    size = (shown.width + 7) // 8
    return varint(delta << 1) + (shown.value << 8 * size - shown.width).to_bytes(size, "big"), text
