"""`$dist_uniform` as words: the doubles of IEEE 1800-2023 annex N in integers of fixed point, roundings included.

The annex makes `m`, the 23 upper bits of the seed, a number a little above 0 and up to a little above 1; that is
exactly `(m * (2**23 + 1) + 2**23) / 2**46`. It stretches that to the range, adds the lower bound, and rounds down, by
way of `v - 1` if it is negative. All of it has at most 46 bits behind the point, so a double is an integer here, of
which each operation keeps 53 bits: to the nearest, ties to even.
"""

from __future__ import annotations

from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import mask

_POINT = 46
_KEPT = 53
_WIDTH = 84
"""A product of 80 bits, a sum, and a sign."""


def uniform_number(builder: GraphBuilder, seed: int, start: int, end: int) -> int:
    """Return what is drawn from `start` to `end`, signed, ascending, not all integers; `seed` is the one after it."""
    return _Uniform(builder).number(seed, start, end)


class _Uniform:
    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder
        self.one = builder.const(_WIDTH, 1 << _POINT)

    def number(self, seed: int, start: int, end: int) -> int:
        """Return the number; where `end` is the greatest integer, the range is moved down by 1 meanwhile."""
        add, wide = self._add, self._wide
        upper = self._zero_extended(self.builder.slice(seed, 9, 23))
        fraction = add(add(self._left(upper, 23), upper), self.builder.const(_WIDTH, 1 << 23))
        greatest = self.builder.add("eq", 1, end, self.builder.const(32, mask(31)))
        moved = self._zero_extended(greatest)
        first = self._sub(wide(start), moved)
        last = self._sub(add(wide(end), self.builder.const(_WIDTH, 1)), moved)
        stretched = self._rounded(self.builder.add("mul", _WIDTH, fraction, self._sub(last, first)))
        value = self._nearest(add(stretched, self._left(first, _POINT)))
        value = self._mux(greatest, self._nearest(add(value, self.one)), value)
        lower = self._magnitude(self._nearest(self._sub(value, self.one)))
        below = self._sub(self.builder.const(_WIDTH, 0), self._right(lower, _POINT))
        whole = self._mux(self._sign(value), below, self._right(value, _POINT))
        whole = self._mux(self.builder.add("slt", 1, whole, wide(start)), wide(start), whole)
        whole = self._mux(self.builder.add("slt", 1, wide(end), whole), wide(end), whole)
        return self.builder.slice(whole, 0, 32)

    def _nearest(self, value: int) -> int:
        """Return a signed sum as a double holds it."""
        kept = self._rounded(self._magnitude(value))
        return self._mux(self._sign(value), self._sub(self.builder.const(_WIDTH, 0), kept), kept)

    def _rounded(self, value: int) -> int:
        """Return an unsigned number with no more than 53 bits from the highest 1 on."""
        builder = self.builder
        upper = builder.slice(value, _KEPT, _WIDTH - _KEPT)
        width, step = _WIDTH - _KEPT, 1
        while step < width:
            upper = builder.add("or", width, upper, builder.add("lshr", width, upper, builder.const(8, step)))
            step *= 2
        dropped = builder.add("popcount", 8, upper)
        odd = self._zero_extended(builder.slice(self._shift("lshr", value, dropped), 0, 1))
        half = self._right(self._shift("shl", builder.const(_WIDTH, 1), dropped), 1)
        up = self._sub(self._add(self._add(value, half), odd), builder.const(_WIDTH, 1))
        kept = self._shift("shl", self._shift("lshr", up, dropped), dropped)
        return self._mux(builder.add("eq", 1, dropped, builder.const(8, 0)), value, kept)

    def _magnitude(self, value: int) -> int:
        return self._mux(self._sign(value), self._sub(self.builder.const(_WIDTH, 0), value), value)

    def _sign(self, value: int) -> int:
        return self.builder.slice(value, _WIDTH - 1, 1)

    def _wide(self, value: int) -> int:
        return self.builder.add("sext", _WIDTH, value)

    def _zero_extended(self, value: int) -> int:
        return self.builder.add("zext", _WIDTH, value)

    def _left(self, value: int, count: int) -> int:
        return self._shift("shl", value, self.builder.const(8, count))

    def _right(self, value: int, count: int) -> int:
        return self._shift("lshr", value, self.builder.const(8, count))

    def _shift(self, op: str, value: int, count: int) -> int:
        return self.builder.add(op, _WIDTH, value, count)

    def _add(self, a: int, b: int) -> int:
        return self.builder.add("add", _WIDTH, a, b)

    def _sub(self, a: int, b: int) -> int:
        return self.builder.add("sub", _WIDTH, a, b)

    def _mux(self, cond: int, then: int, other: int) -> int:
        return self.builder.add("mux", _WIDTH, cond, then, other)
