"""Sets of whole numbers as ranges, in order and apart."""

from __future__ import annotations

Ranges = list[tuple[int, int]]
"""Inclusive bounds, ascending."""


def tidy(ranges: Ranges) -> Ranges:
    """Return ranges in order, with those that meet made one."""
    result: Ranges = []
    for low, high in sorted(ranges):
        if low > high:
            continue
        if result and low <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(result[-1][1], high))
        else:
            result.append((low, high))
    return result
