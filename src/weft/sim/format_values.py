"""Format values as `$display` and its family do (IEEE 1800-2023 21.2.1), byte for byte as Icarus Verilog prints them.

A message is a list of arguments: text, values, reals, or nothing (`$display(a,,b)` prints a space there). Any text
argument may hold format specifications, which take the arguments after it; a value that no specification takes prints
in the task's default base (`$displayh`). A value's natural width in %d is the number of digits of the largest value of
its width (21.2.1.3), with one more for the sign of a signed one; %0d drops the padding, %5d replaces it. An unknown
digit prints as x or z when all its bits are, as X or Z when only some are (21.2.1.4).

The result is bytes, since %c and %s write any byte a design sends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

from weft.base.dataclass import dataclass
from weft.base.decimal_text import decimal_text
from weft.base.errors import Unsupported
from weft.base.source import NOWHERE, Span
from weft.base.text_bytes import text_bytes

_SPECIFICATION = re.compile(r"%([-+ ]*)(0?)(\d*)(?:\.(\d*))?([a-zA-Z%])")
_TIME_UNITS = ("s", "ms", "us", "ns", "ps", "fs")


@dataclass(frozen=True, slots=True)
class Value:
    """Be an argument with its width and sign; `unknown` has a 1 for each x (value 0) or z (value 1)."""

    width: int
    value: int
    unknown: int = 0
    signed: bool = False


Argument: TypeAlias = Value | str | float | None


@dataclass(slots=True)
class FormatContext:
    """Hold what formats need besides their arguments: `%m`'s path, and how `%t` shows times (21.3.2)."""

    scope: str = ""
    time_unit_fs: int = 1_000_000
    precision_fs: int = 1_000_000
    time_digits: int = 0
    time_suffix: str = ""
    time_width: int = 20
    shown_unit_fs: int = 0

    def set_time_format(self, unit: int, digits: int, suffix: str, width: int) -> None:
        """Do `$timeformat`: `unit` is the exponent of ten seconds, -15 to 0."""
        self.shown_unit_fs = 10 ** (unit + 15)
        self.time_digits, self.time_suffix, self.time_width = digits, suffix, width

    def time_text(self, value: float) -> str:
        """Return a time, given in the module's unit, as `%t` shows it before padding."""
        shown = self.shown_unit_fs or self.precision_fs
        if isinstance(value, float):
            value = round(value * self.time_unit_fs / self.precision_fs) * self.precision_fs
        else:
            value = value * self.time_unit_fs
        scaled = (2 * value * 10**self.time_digits + shown) // (2 * shown)
        whole, fraction = divmod(scaled, 10**self.time_digits)
        text = f"{whole}.{fraction:0{self.time_digits}d}" if self.time_digits else str(whole)
        return text + self.time_suffix


def format_message(
    arguments: Sequence[Argument], context: FormatContext, base: str = "d", span: Span = NOWHERE
) -> bytes:
    """Return what a display task prints for its arguments, without the line end."""
    pieces: list[bytes] = []
    at = 0
    while at < len(arguments):
        argument = arguments[at]
        at += 1
        if argument is None:
            pieces.append(b" ")
        elif isinstance(argument, str):
            for piece in split_format(argument):
                if isinstance(piece, bytes):
                    pieces.append(piece)
                    continue
                if piece.letter in CONSTANT_SPECIFICATIONS:
                    pieces.append(CONSTANT_SPECIFICATIONS[piece.letter](context))
                    continue
                if at >= len(arguments):
                    pieces.append(f"<{piece.text}>".encode())
                    continue
                pieces.append(piece.apply(arguments[at], context, span))
                at += 1
        elif isinstance(argument, float):
            pieces.append(b"%#g" % argument)
        elif isinstance(argument, Value):
            pieces.append(_BASES[base](argument, None).encode())
    return b"".join(pieces)


# ------------------------------------------------------------------------------------------- specifications


@dataclass(frozen=True, slots=True)
class Specification:
    """Be one parsed specification. `field` is None without a width, 0 for `%0d`."""

    text: str
    letter: str
    left: bool
    zeros: bool
    field: int | None
    precision: int | None

    def apply(self, argument: Argument, context: FormatContext, span: Span) -> bytes:
        """Return an argument formatted."""
        letter = self.letter
        if letter in "uzp" or letter not in _KNOWN:
            raise Unsupported(f"the format %{letter}", span)
        if letter in "efg":
            return self._pad(self._real(argument)).encode()
        if letter == "s":
            return self._string(argument)
        value = _as_value(argument)
        if letter == "c":
            return self._pad_bytes(bytes([_number(value) & 0xFF]))
        if letter == "t":
            return self._time(argument, value, context).encode()
        if letter == "v":
            return self._pad_bytes(_strength(value).encode())
        if isinstance(argument, float) and letter == "d":
            return self._pad(decimal_text(_number(value))).encode()
        text = _BASES[letter](value, self.field)
        if self.left and self.field is None:
            text = text.lstrip().ljust(len(text))
        return self._pad(text).encode()

    def _pad(self, text: str) -> str:
        width = self.field or 0
        if self.left:
            return text.ljust(width)
        if self.zeros and width > len(text):
            sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
            return sign + digits.rjust(width - len(sign), "0")
        return text.rjust(width)

    def _real(self, argument: Argument) -> str:
        value = argument if isinstance(argument, float) else float(_number(_as_value(argument)))
        precision = "" if self.precision is None else f".{self.precision}"
        return f"%{precision}{self.letter}" % value

    def _string(self, argument: Argument) -> bytes:
        """Return an argument's characters: leading zero bytes are none, others print as spaces."""
        if isinstance(argument, str):
            text = text_bytes(argument)
        else:
            value = _as_value(argument)
            known = value.value & ~value.unknown
            text = known.to_bytes((value.width + 7) // 8, "big")
        return self._pad_bytes(text.lstrip(b"\0").replace(b"\0", b" "), len(text))

    def _pad_bytes(self, text: bytes, natural: int = 0) -> bytes:
        width = natural if self.field is None else self.field
        fill = b"0" if self.zeros and self.letter == "c" else b" "
        return text.ljust(width) if self.left else text.rjust(width, fill)

    def _time(self, argument: Argument, value: Value, context: FormatContext) -> str:
        if value.unknown:
            text = _decimal(value, 0)
        else:
            text = context.time_text(argument if isinstance(argument, float) else _number(value))
        if self.field is None:
            return text.ljust(context.time_width) if self.left else text.rjust(context.time_width)
        if self.zeros and not self.left:
            return text.rjust(self.field, "0")
        return self._pad(text)


_KNOWN = "bodhxsctvefgmlpuz"
CONSTANT_SPECIFICATIONS: dict[str, Callable[[FormatContext], bytes]] = {
    "%": lambda context: b"%",
    "m": lambda context: context.scope.encode(),
    "l": lambda context: f"work.{context.scope.partition('.')[0]}".encode(),
}


@lru_cache(maxsize=4096)
def split_format(text: str) -> tuple[bytes | Specification, ...]:
    """Cut a format string into literal bytes and specifications."""
    pieces: list[bytes | Specification] = []
    end = 0
    for match in _SPECIFICATION.finditer(text):
        if match.start() > end:
            pieces.append(text_bytes(text[end : match.start()]))
        flags, zero, width, precision, letter = match.groups()
        size = int(width) if width else (0 if zero else None)
        pieces.append(
            Specification(
                text=match[0],
                letter="h" if letter in "xX" else letter.lower(),
                left="-" in flags,
                zeros=bool(zero),
                field=size,
                precision=int(precision or 0) if precision is not None else None,
            )
        )
        end = match.end()
    if end < len(text):
        pieces.append(text_bytes(text[end:]))
    return tuple(pieces)


def _as_value(argument: Argument) -> Value:
    """Return any argument as bits: a string's characters, a real rounded."""
    match argument:
        case Value():
            return argument
        case str():
            data = text_bytes(argument)
            return Value(8 * len(data) or 1, int.from_bytes(data, "big"))
        case float():
            rounded = int(argument + 0.5) if argument >= 0 else -int(0.5 - argument)
            return Value(64, rounded & (1 << 64) - 1, 0, True)
        case _:
            return Value(8, 0x20)


def _number(value: Value) -> int:
    known = value.value & ~value.unknown
    return known - (1 << value.width) if value.signed and known >> (value.width - 1) else known


# ---------------------------------------------------------------------------------------------------- bases


@lru_cache(maxsize=1024)
def decimal_digits(width: int, signed: bool) -> int:
    """Return the natural width of a decimal: that of the largest or smallest value; Icarus gives a signed bit 1."""
    return len(decimal_text(1 << (width - 1))) + (width > 1) if signed else len(decimal_text((1 << width) - 1))


def _decimal(value: Value, width: int | None) -> str:
    """Return a decimal; one letter when bits are unknown (21.2.1.4)."""
    if value.unknown:
        ones = (1 << value.width) - 1
        strays = value.value & value.unknown
        if value.unknown == ones and strays in (0, ones):
            text = "z" if strays else "x"
        else:
            text = "Z" if strays == value.unknown else "X"
    else:
        text = decimal_text(_number(value))
    return text.rjust(decimal_digits(value.width, value.signed)) if width is None else text


def _by_digits(value: Value, width: int | None, bits: int) -> str:
    """Return the value in base 2, 8 or 16."""
    count = -(-value.width // bits)
    if value.unknown:
        text = "".join(
            _digit(value.value >> at, value.unknown >> at, min(bits, value.width - at))
            for at in range((count - 1) * bits, -1, -bits)
        )
    else:
        text = format(value.value, {1: "b", 3: "o", 4: "x"}[bits]).rjust(count, "0")
    return (text.lstrip("0") or "0") if width == 0 else text


def _digit(value: int, unknown: int, width: int) -> str:
    ones = (1 << width) - 1
    value, unknown = value & ones, unknown & ones
    if not unknown:
        return "0123456789abcdef"[value]
    if unknown == ones and value in (0, ones):
        return "z" if value else "x"
    return "Z" if value & unknown == unknown else "X"


def _strength(value: Value) -> str:
    """Return `%v` of a bit; cycle engines know no drive strengths but strong and none."""
    bit = value.value & 1, value.unknown & 1
    return {(0, 0): "St0", (1, 0): "St1", (0, 1): "StX", (1, 1): "HiZ"}[bit]


_BASES: dict[str, Callable[[Value, int | None], str]] = {
    "d": _decimal,
    "b": lambda value, width: _by_digits(value, width, 1),
    "o": lambda value, width: _by_digits(value, width, 3),
    "h": lambda value, width: _by_digits(value, width, 4),
}
