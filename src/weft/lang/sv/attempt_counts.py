"""Attempts of an assertion as counts: how many are in each state of its automaton (IEEE 1800-2023 16.14).

Attempts that are the same term (`property_terms`) cannot be told apart, so a number stands for all of them.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.ir.design import Assign, Binary, Block, Const, Element, Expr, If, Ref, Signal, Statement
from weft.lang.sv.property_automata import Branch, Leaf, Tree


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Hold the counts of attempts: in each state, and of each verdict at this tick; `total` those of a cover."""

    now: Signal
    coming: Signal
    passed: Signal
    failed: Signal


def word(value: int) -> Const:
    """Return a constant of 32 bits."""
    return Const(32, value)


def element(counts: Signal, number: int) -> Element:
    """Return the count of a state."""
    return Element(counts, Const(32, number))


def clear_counts(counts: Signal, states: int) -> list[Statement]:
    """Return what clears the counts of all states."""
    return [Assign(element(counts, i), word(0), True, counts.span) for i in range(states)]


def add_count(target: Signal | Element, count: Expr) -> Statement:
    """Return what adds to a count."""
    place = Ref(target) if isinstance(target, Signal) else target
    return Assign(place, Binary("add", place, count, 32), True)


def move_counts(tree: Tree, count: Expr, atoms: list[Expr], counts: Counts, cover: bool) -> Statement:
    """Return what moves `count` attempts along a tree."""
    if isinstance(tree, Branch):
        then = move_counts(tree.then, count, atoms, counts, cover)
        return If(atoms[tree.atom], then, move_counts(tree.other, count, atoms, counts, cover))
    parts: list[Statement] = []
    verdict = _target(tree, counts, cover)
    if verdict is not None:
        parts.append(add_count(verdict, count))
    if tree.target >= 0:
        parts.append(add_count(element(counts.coming, tree.target), count))
    return Block(tuple(parts))


def _target(leaf: Leaf, counts: Counts, cover: bool) -> Signal | None:
    match leaf.verdict:
        case "pass":
            return counts.passed
        case "vacuous":
            return None if cover else counts.passed
        case "fail":
            return counts.failed
        case _:
            return None
