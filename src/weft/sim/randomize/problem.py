"""What is to be solved, free of all that is not random, so that equal problems share what was found out about them."""

from __future__ import annotations

from typing import NamedTuple

from weft.base.dataclass import dataclass
from weft.base.number_ranges import Ranges
from weft.sim.randomize.domains import signed_range
from weft.sim.randomize.terms import FALSE, Term, both, constant, either, make, negate


class Variable(NamedTuple):
    """Be a random variable. `values` are those of an enum; a `cyclic` one is `randc`."""

    width: int
    values: tuple[int, ...] | None = None
    cyclic: bool = False


class Piece(NamedTuple):
    """Be an item of a distribution: bounds as unsigned bits, and the weight of each of the values."""

    low: int
    high: int
    weight: float


@dataclass(frozen=True, slots=True)
class Distribution:
    """Give the values of a term weights where a guard holds (IEEE 1800-2023 18.5.3)."""

    guard: Term
    value: Term
    pieces: tuple[Piece, ...]
    signed: bool

    def ranges(self, piece: Piece) -> Ranges:
        """Return the unsigned values of an item."""
        width = self.value[1]
        if not self.signed:
            return [(piece.low, piece.high)] if piece.low <= piece.high else []
        top = 1 << (width - 1)
        return signed_range((piece.low ^ top) - top, (piece.high ^ top) - top, width)

    def inside(self, piece: Piece) -> Term:
        """Return the bit that says that the value is in an item."""
        width = self.value[1]
        low, high = constant(width, piece.low), constant(width, piece.high)
        if piece.low == piece.high:
            return make("eq", 1, self.value, low)
        op = "sle" if self.signed else "ule"
        return both(make(op, 1, low, self.value), make(op, 1, self.value, high))

    def required(self) -> Term:
        """Return the bit that says that the value is in some item, or the guard does not hold."""
        found: Term = FALSE
        for piece in self.pieces:
            if piece.weight > 0:
                found = either(found, self.inside(piece))
        return either(negate(self.guard), found)

    def weight(self, value: int) -> float:
        """Return the weight of a value."""
        total = 0.0
        for piece in self.pieces:
            if any(low <= value <= high for low, high in self.ranges(piece)):
                total += piece.weight
        return total


class Problem(NamedTuple):
    """Be constraints on random variables, which terms name by their position.

    `soft` is in ascending priority; `orders` are pairs of variables of which the first are chosen before the second.
    """

    variables: tuple[Variable, ...]
    hard: tuple[Term, ...] = ()
    soft: tuple[Term, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    orders: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = ()
