"""Times as people write them: `10ns`, `1.5us`, or an int of femtoseconds."""

from __future__ import annotations

import re

from weft.base.errors import UserError

UNITS = {"fs": 1, "ps": 10**3, "ns": 10**6, "us": 10**9, "ms": 10**12, "s": 10**15}
_TIME = re.compile(r"\s*(\d[\d_]*(?:\.\d+)?)\s*(fs|ps|ns|us|ms|s)\s*")


def looks_like_time(text: str) -> bool:
    """Say whether a text is a time and not an expression."""
    return _TIME.fullmatch(text) is not None


def parse_time(time: str | int) -> int:
    """Return a time in femtoseconds."""
    if isinstance(time, int):
        if time < 0:
            raise UserError("bad-option", f"{time} is no time: it is negative")
        return time
    match = _TIME.fullmatch(time)
    if match is None:
        raise UserError("bad-option", f"'{time}' is no time: write a number and a unit, such as 10ns")
    from decimal import Decimal

    femtoseconds = Decimal(match[1].replace("_", "")) * UNITS[match[2]]
    if femtoseconds != int(femtoseconds):
        raise UserError("bad-option", f"'{time}' is finer than a femtosecond")
    return int(femtoseconds)


def time_text(time_fs: int) -> str:
    """Return a time in its largest unit that makes it a whole number."""
    for unit, size in reversed(UNITS.items()):
        if time_fs and time_fs % size == 0:
            return f"{time_fs // size} {unit}"
    return "0 s"


def unit_text(time_fs: int) -> str:
    """Return a power of ten of femtoseconds as a time scale is written: `10ns`."""
    return next((f"{time_fs // size}{unit}" for unit, size in reversed(UNITS.items()) if time_fs >= size), "0fs")
