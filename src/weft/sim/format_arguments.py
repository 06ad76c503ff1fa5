"""What display tasks are given: values with their width and sign, and what formats need besides them.

Most arguments are a `Value`, a text or a real. Some formats show more than a value has: `%v` the strength of a net
(`NetValue`), `%p` the members of a struct or the elements of an array (`Shaped`); and a call of `$realtime` prints with
the digits of the module's precision (`RealTime`), which Icarus Verilog does and a plain real does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from weft.base.decimal_text import decimal_text
from weft.base.source import NOWHERE, Span
from weft.base.text_bytes import text_bytes
from weft.ir.expressions import Type


@dataclass(frozen=True, slots=True)
class Value:
    """Be an argument with its width and sign; `unknown` has a 1 for each x (value 0) or z (value 1)."""

    width: int
    value: int
    unknown: int = 0
    signed: bool = False


@dataclass(frozen=True, slots=True)
class NetValue(Value):
    """Be the value of a net; `strengths` has what `%v` shows for each bit, the most significant first."""

    strengths: tuple[str, ...] = ()


class RealTime(float):
    """Be the result of a call of `$realtime` that is itself the argument."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Shaped:
    """Be a value with its type, which `%p` shows (IEEE 1800-2023 21.2.1.7).

    `value` of a container is its elements as (index or key, element) pairs, whose elements are `Shaped` where their
    type has a shape of its own. Unpacked arrays and structs of fixed size are one flat `Value`, in which strings and
    containers are words that `look_up` knows.
    """

    type: Type
    value: Value | str | float | tuple[tuple[Argument, Argument], ...]
    look_up: Callable[[Type, int], Argument] | None = None


Argument: TypeAlias = Value | str | float | Shaped | None


@dataclass(slots=True)
class FormatContext:
    """Hold what formats need besides their arguments: `%m`'s path, and how `%t` shows times (21.3.2).

    `precision_fs` is the design's finest; `module_precision_fs` that of the module, for `$realtime` (0: the finest).
    `task` is the name that a warning about a format gives, and `warn` shows one; without it there are none.
    `shapes` says that an argument comes `Shaped` where its type matters; without it `%p` is refused, at `span`.
    """

    scope: str = ""
    time_unit_fs: int = 1_000_000
    precision_fs: int = 1_000_000
    time_digits: int = 0
    time_suffix: str = ""
    time_width: int = 20
    shown_unit_fs: int = 0
    module_precision_fs: int = 0
    task: str = ""
    warn: Callable[[str], None] | None = None
    shapes: bool = False
    span: Span = NOWHERE

    def set_time_format(self, unit: int, digits: int, suffix: str, width: int) -> None:
        """Do `$timeformat`: `unit` is the exponent of ten seconds, -15 to 0 (2 for Icarus Verilog)."""
        self.shown_unit_fs = 10 ** (unit + 15)
        self.time_digits, self.time_suffix, self.time_width = digits, suffix, width

    def reset_time_format(self) -> None:
        """Do `$timeformat` without arguments."""
        self.shown_unit_fs, self.time_digits, self.time_suffix, self.time_width = 0, 0, "", 20

    def time_text(self, value: float | str, digits: int | None = None) -> str:
        """Return a time, given in the module's unit, as `%t` shows it before padding.

        Integers are cut off after the last digit shown, reals are rounded, as Icarus Verilog has it; x is a digit.
        """
        shown = self.shown_unit_fs or self.precision_fs
        count = self.time_digits if digits is None else digits
        if isinstance(value, float):
            unit = self.time_unit_fs
            scaled = value * (unit // shown) if unit >= shown else value / (shown // unit)
            return f"{scaled:.{count}f}{self.time_suffix}"
        text = (value if isinstance(value, str) else decimal_text(value)).lstrip("0") or "0"
        if text != "0" or self.time_unit_fs < shown:
            text = _shifted(text, _exponent(self.time_unit_fs) - _exponent(shown), count)
        elif count:
            text += "." + "0" * count
        return text + self.time_suffix


def _exponent(size: int) -> int:
    return len(str(size)) - 1


def _shifted(text: str, shift: int, digits: int) -> str:
    """Return a decimal number multiplied by ten to the power of `shift`, with `digits` digits after the point."""
    if shift >= 0:
        whole, fraction = text + "0" * shift, ""
    else:
        whole, fraction = text[:shift] or "0", text.rjust(-shift, "0")[shift:]
    return f"{whole}.{fraction[:digits].ljust(digits, '0')}" if digits else whole


def as_value(argument: Argument) -> Value:
    """Return any argument as bits: a string's characters, a real rounded."""
    match argument:
        case Value():
            return argument
        case str():
            data = text_bytes(argument)
            return Value(8 * len(data) or 8, int.from_bytes(data, "big"))
        case float():
            return Value(64, rounded(argument) & (1 << 64) - 1, 0, True)
        case Shaped(_, value):
            return as_value(value) if not isinstance(value, tuple) else Value(32, 0)
        case _:
            return Value(8, 0x20)


def rounded(number: float) -> int:
    """Return a real as the integer next to it, halves away from zero (IEEE 1800-2023 6.12.1); 0 if it is none."""
    if number != number or number in (float("inf"), float("-inf")):
        return 0
    whole = int(number)
    part = number - whole
    return whole + (part >= 0.5) - (part <= -0.5)


def number_of(value: Value) -> int:
    """Return a value as an integer; unknown bits count as 0."""
    known = value.value & ~value.unknown
    return known - (1 << value.width) if value.signed and known >> (value.width - 1) else known
