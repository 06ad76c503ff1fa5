"""Four-valued logic as Weft stores it: a value plane and an unknown plane (IEEE 1800-2023 6.3).

0 is (0, 0), 1 is (1, 0), x is (0, 1), z is (1, 1). Operations compute with `value & ~unknown` known ones and treat z
as x; only copies (mux, concat, slice, registers, wires) keep z apart.
"""

from __future__ import annotations

X = (0, 1)
Z = (1, 1)


def digits(value: int, unknown: int, width: int) -> str:
    """Return the bits as text, most significant first: `01xz`."""
    if not unknown:
        return format(value, f"0{width}b") if width else ""
    return "".join("01xz"[(value >> i & 1) + 2 * (unknown >> i & 1)] for i in reversed(range(width)))
