"""Write a value change dump (IEEE 1364-2005 18.2, 1800-2023 21.7.2), in the shape that Icarus Verilog gives it.

Parameters come first, under a comment, then the time and all values. The values of one time are written in the reverse
order of their changes, as Icarus Verilog does; readers do not mind, and files can be compared.
"""

from __future__ import annotations

import re
import time as clock
from collections.abc import Callable, Sequence
from io import BufferedWriter
from pathlib import Path

from weft.base.errors import UserError
from weft.sim.format_arguments import Value
from weft.sim.format_bases import digits
from weft.sim.tasks.dump_scopes import Declaration, DumpSignal, Shown
from weft.sim.times import unit_text

_SIMPLE = re.compile(r"[A-Za-z_][\w$]*")


def identifier_code(number: int) -> str:
    """Return the code of the nth variable: a number to base 94, its least significant digit first."""
    code = ""
    while True:
        number, digit = divmod(number, 94)
        code += chr(33 + digit)
        if not number:
            return code


def vector_digits(value: Value) -> str:
    """Return a vector's bits without those that the reader fills in: leading zeros, or repeats of x or z (18.2.1.1)."""
    text = digits(value, 1)
    first = text[0]
    if first == "1":
        return text
    rest = text.lstrip(first)
    return rest if first == "0" and rest.startswith("1") else first + rest


class TextFile:
    """Be a file of text that counts what it is given and says what is wrong with the disk."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._file: BufferedWriter = Path(path).open("wb")  # noqa: SIM115
        except OSError as error:
            raise UserError("cannot-write", f"cannot write waveform {path}: {error.strerror}") from error
        self.written = 0

    def write(self, text: str) -> None:
        """Append text."""
        data = text.encode("utf-8", "surrogateescape")
        self.written += len(data)
        self._call(lambda: self._file.write(data))

    def flush(self) -> None:
        """Bring everything to the file."""
        self._call(self._file.flush)

    def close(self) -> None:
        """Close the file."""
        self._call(self._file.close)

    def _call(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            raise UserError("cannot-write", f"cannot write waveform {self.path}: {error.strerror}") from error


def declare_scope_end(declaration: Declaration) -> str | None:
    """Return the line of a scope's beginning or end, or None for a signal."""
    if declaration.scope is not None:
        kind = "begin" if declaration.scope.kind == "generate" else declaration.scope.kind
        return f"$scope {kind} {declaration.scope.name} $end\n"
    return "$upscope $end\n" if declaration.signal is None else None


def file_head(tick_fs: int) -> str:
    """Return date, version and time scale."""
    return f"$date\n\t{clock.asctime()}\n$end\n$version\n\tWeft\n$end\n$timescale\n\t{unit_text(tick_fs)}\n$end\n"


class VcdSink:
    """Write one VCD file."""

    title = "VCD"

    def __init__(self, path: str, tick_fs: int) -> None:
        self._file = TextFile(path)
        self._codes: dict[int, str] = {}
        self._time = -1
        self._file.write(file_head(tick_fs))

    def begin(self, declarations: Sequence[Declaration], time: int, values: Sequence[tuple[DumpSignal, Shown]]) -> None:
        """Write the declarations and first values."""
        for declaration in declarations:
            self._file.write(declare_scope_end(declaration) or self._variable(declaration.signal))
        self._file.write("$enddefinitions $end\n$comment Show the parameter values. $end\n$dumpall\n")
        self._values([pair for pair in values if pair[0].constant])
        self._file.write(f"$end\n#{time}\n$dumpvars\n")
        self._values([pair for pair in values if not pair[0].constant])
        self._file.write("$end\n")
        self._time = time

    def _variable(self, signal: DumpSignal | None) -> str:
        assert signal is not None
        code = self._codes.setdefault(signal.number, identifier_code(len(self._codes)))
        kind = "real" if signal.kind == "real_parameter" else signal.kind
        width = 1 if kind in ("real", "event") else signal.width
        name = signal.name if _SIMPLE.fullmatch(signal.name) else "\\" + signal.name
        bounds = signal.bounds or ((width - 1, 0) if width > 1 else (0, 0))
        ranged = (width > 1 or bounds[0] != 0) and not signal.constant
        return f"$var {kind} {width} {code} {name}{f' [{bounds[0]}:{bounds[1]}]' if ranged else ''} $end\n"

    def change(self, time: int, values: Sequence[tuple[DumpSignal, Shown]]) -> None:
        """Write new values."""
        self._move(time)
        self._values(values)

    def section(self, keyword: str, time: int, values: Sequence[tuple[DumpSignal, Shown | None]]) -> None:
        """Write a section of values, all x where there are none."""
        self._move(time)
        self._file.write(f"${keyword}\n")
        self._values(values)
        self._file.write("$end\n")

    def _move(self, time: int) -> None:
        if time != self._time:
            self._file.write(f"#{time}\n")
            self._time = time

    def _values(self, values: Sequence[tuple[DumpSignal, Shown | None]]) -> None:
        self._file.write("".join(self._value(signal, value) for signal, value in reversed(values)))

    def _value(self, signal: DumpSignal, value: Shown | None) -> str:
        code = self._codes[signal.number]
        if signal.kind == "event":
            return "" if value is None else f"1{code}\n"
        if signal.kind in ("real", "real_parameter"):
            return f"rNaN {code}\n" if value is None else f"r{_real(value):.16g} {code}\n"
        if value is None:
            return f"x{code}\n" if signal.width == 1 else f"bx {code}\n"
        assert isinstance(value, Value)
        if signal.width == 1:
            return f"{digits(value, 1)}{code}\n"
        return f"b{vector_digits(value)} {code}\n"

    def comment(self, text: str) -> None:
        """Write a comment."""
        self._file.write(f"$comment {text} $end\n")

    def size(self) -> int:
        """Return the bytes written so far."""
        return self._file.written

    def flush(self) -> None:
        """Bring everything to the file."""
        self._file.flush()

    def close(self, time: int | None) -> None:
        """Close the file after its last time."""
        if time is not None and time != self._time:
            self._file.write(f"#{time}\n")
        self._file.close()


def _real(value: Shown) -> float:
    return float(value.value) if isinstance(value, Value) else float(value)
