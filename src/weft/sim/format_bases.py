"""Write a value's digits in base 2, 8, 10 or 16, as the display tasks do.

A value's natural width in decimal is the number of digits of the largest value of its width (IEEE 1800-2023 21.2.1.3),
with one more for the sign of a signed one. An unknown digit prints as x or z when all its bits are, as X or Z when only
some are (21.2.1.4).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from weft.base.decimal_text import decimal_text
from weft.sim.format_arguments import Value, number_of


@lru_cache(maxsize=1024)
def decimal_digits(width: int, signed: bool) -> int:
    """Return the natural width of a decimal: that of the largest or smallest value; Icarus gives a signed bit 1."""
    return len(decimal_text(1 << (width - 1))) + (width > 1) if signed else len(decimal_text((1 << width) - 1))


def decimal(value: Value, width: int | None = None) -> str:
    """Return a decimal, padded to its natural width without one; one letter when bits are unknown (21.2.1.4)."""
    if value.unknown:
        ones = (1 << value.width) - 1
        strays = value.value & value.unknown
        if value.unknown == ones and strays in (0, ones):
            text = "z" if strays else "x"
        else:
            text = "Z" if strays == value.unknown else "X"
    else:
        text = decimal_text(number_of(value))
    return text.rjust(decimal_digits(value.width, value.signed)) if width is None else text


def digits(value: Value, bits: int) -> str:
    """Return the value in base two to the power of `bits`, with all its digits."""
    count = -(-value.width // bits)
    if value.unknown:
        return "".join(
            _digit(value.value >> at, value.unknown >> at, min(bits, value.width - at))
            for at in range((count - 1) * bits, -1, -bits)
        )
    return format(value.value, {1: "b", 3: "o", 4: "x"}[bits]).rjust(count, "0")


def _digit(value: int, unknown: int, width: int) -> str:
    ones = (1 << width) - 1
    value, unknown = value & ones, unknown & ones
    if not unknown:
        return "0123456789abcdef"[value]
    if unknown == ones and value in (0, ones):
        return "z" if value else "x"
    return "Z" if value & unknown == unknown else "X"


BASES: dict[str, Callable[[Value], str]] = {
    "d": decimal,
    "b": lambda value: digits(value, 1),
    "o": lambda value: digits(value, 3),
    "h": lambda value: digits(value, 4),
}
"""How a value prints that no specification takes, by the task's default base."""
