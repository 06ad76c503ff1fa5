"""Constraints of random variables, as a solver wants them (IEEE 1800-2023 clause 18).

The constraints of a class and those of a `randomize() with` call are trees over the design's expressions: a random
variable is what the expression that names it says, a `Field` of the object being randomised or a variable. A solver
takes the values of all that is not random as they are when `randomize` is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from weft.base.dataclass import dataclass
from weft.base.source import NOWHERE, Span

if TYPE_CHECKING:
    from weft.ir.expressions import Expr, Signal


@dataclass(frozen=True, slots=True, eq=False)
class Require:
    """Want an expression of one bit to be true; a `soft` one gives way to others (18.5.13)."""

    value: Expr
    soft: bool = False
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """Be an item of a distribution: a value, or a range up to `high`.

    The weight is that of each value, or (`whole`) that of the whole range (18.5.3).
    """

    low: Expr
    high: Expr | None
    weight: Expr
    whole: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Distribute:
    """Want a value to be one of the items', with probabilities as their weights; bounds are read as `signed` says."""

    value: Expr
    items: tuple[Share, ...]
    signed: bool = False
    soft: bool = False
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class Implies:
    """Want `body` where a condition of one bit holds, else `other` (18.5.5, 18.5.6)."""

    cond: Expr
    body: tuple[Constraint, ...]
    other: tuple[Constraint, ...] = ()
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class Unique:
    """Want all values, and all elements of the arrays and containers among them, to differ (18.5.4).

    `widths[i]` is the width of the elements of value `i`, 0 where it is a container.
    """

    values: tuple[Expr, ...]
    widths: tuple[int, ...]
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class ForEach:
    """Want `body` for each index of an array: from `bounds[0]` to `bounds[1]`, or all those of a container (18.5.7).

    `index` is the variable that holds it. The size of a dynamic array is settled before, by the other constraints.
    """

    index: Signal
    array: Expr
    bounds: tuple[int, int] | None
    body: tuple[Constraint, ...]
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class SolveBefore:
    """Choose the values of some variables before those of others, which only changes probabilities (18.5.9)."""

    first: tuple[Expr, ...]
    then: tuple[Expr, ...]
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class DisableSoft:
    """Forget the soft constraints on a variable that come before this one (18.5.13.2)."""

    target: Expr
    span: Span = NOWHERE


Constraint = Require | Distribute | Implies | Unique | ForEach | SolveBefore | DisableSoft


@dataclass(frozen=True, slots=True, eq=False)
class ConstraintBlock:
    """Be a named constraint of a class; `this` is the variable that holds the object in it.

    One of the same name in a derived class takes its place. A `static` one is on or off for all objects together.
    """

    name: str
    this: Signal
    items: tuple[Constraint, ...]
    static: bool = False
    span: Span = NOWHERE


def constraint_expressions(items: tuple[Constraint, ...]) -> Iterator[Expr]:
    """Return every expression directly inside some constraints."""
    for item in items:
        match item:
            case Require(value) | DisableSoft(value):
                yield value
            case Distribute(value, shares):
                yield value
                for share in shares:
                    yield from (part for part in (share.low, share.high, share.weight) if part is not None)
            case Implies(cond, body, other):
                yield cond
                yield from constraint_expressions(body + other)
            case Unique(values):
                yield from values
            case ForEach(_, array, _, body):
                yield array
                yield from constraint_expressions(body)
            case SolveBefore(first, then):
                yield from first + then
