"""Write integers of any size in decimal.

Python refuses to convert more than 4300 digits (`sys.set_int_max_str_digits`), since its own conversion takes time
quadratic in their number. That of `decimal` does not, and has no limit.
"""

from __future__ import annotations

_SHORT = 1 << 8192


def decimal_text(value: int) -> str:
    """Return an integer's decimal digits, after a minus sign if it is negative."""
    if -_SHORT < value < _SHORT:
        return str(value)
    from decimal import Decimal

    return format(Decimal(value), "f")
