"""The automaton of a property: its states are terms, its moves decision trees over the property's Booleans.

Starting from the property, each term's derivative is taken with no Boolean known; where it asks for one, the tree
branches and both values are tried. What comes out is a verdict or another term, which is a state if it has not been
seen. Each attempt is in exactly one state, so attempts in the same state can be counted together: the memory that an
assertion needs is one counter for each state, however many attempts overlap.
"""

from __future__ import annotations

from typing import Any

from weft.base.dataclass import dataclass, field
from weft.lang.sv.property_terms import Ask, F, Known, Progression, T, Term, V, at_end, derive, nullable

MOST_STATES = 600
"""How many states are tried before an assertion is refused."""
MOST_BRANCHES = 30_000


class TooLarge(Exception):
    """Say that an automaton has too many states or branches."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """End a tick: `verdict` is `pass`, `vacuous`, `fail` or empty; `target` the attempt's next state, or -1.

    For an attempt with data (`property_threads`), `moves` says which token each slot of its next record holds, and
    `calls` which match items call something.
    """

    verdict: str
    target: int = -1
    moves: tuple[tuple[tuple[Any, ...], tuple[Any, ...]], ...] = ()
    calls: tuple[tuple[int, tuple[Any, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Branch:
    """Look at a Boolean: a number, or `("local", number, environment)` where it reads local variables."""

    atom: Any
    then: Tree
    other: Tree


Tree = Leaf | Branch


@dataclass(slots=True)
class Automaton:
    """Hold the first move of an attempt, and the move and unfinished verdict of each state."""

    start: Tree = field(default_factory=lambda: Leaf("pass"))
    moves: list[Tree] = field(default_factory=list[Tree])
    unfinished: list[bool] = field(default_factory=list[bool])
    """For each state, whether an attempt that is in it at the end of the simulation has failed."""


def build_automaton(part: Term, vacuity: bool) -> Automaton:
    """Return the automaton of a property; raise `TooLarge` if it has more than `MOST_STATES` states.

    `vacuity` says that vacuous successes have to be told from others.
    """
    builder = _Builder(Progression(vacuity))
    builder.result.start = builder.explore(part, {})
    while len(builder.result.moves) < len(builder.terms):
        builder.result.moves.append(builder.explore(builder.terms[len(builder.result.moves)], {}))
    builder.result.unfinished = [not at_end(found) for found in builder.terms]
    return builder.result


class _Builder:
    def __init__(self, progression: Progression) -> None:
        self.progression = progression
        self.result = Automaton()
        self.terms: list[Term] = []
        self._numbers: dict[Term, int] = {}
        self._branches = 0

    def explore(self, part: Term, known: Known) -> Tree:
        try:
            left = self.progression.advance(part, known)
            matched = part[0] == "scan" and nullable(derive(part[1], known))
        except Ask as question:
            self._branches += 1
            if self._branches > MOST_BRANCHES:
                raise TooLarge from None
            atom = question.atom
        else:
            return self._leaf(left, matched)
        then = self.explore(part, {**known, atom: True})
        other = self.explore(part, {**known, atom: False})
        return then if then == other else Branch(atom, then, other)

    def _leaf(self, left: Term, matched: bool) -> Leaf:
        if left == T:
            return Leaf("pass")
        if left == V:
            return Leaf("pass" if matched else "vacuous")
        if left == F:
            return Leaf("fail")
        number = self._numbers.get(left)
        if number is None:
            number = self._numbers[left] = len(self.terms)
            self.terms.append(left)
            if number >= MOST_STATES:
                raise TooLarge
        return Leaf("pass" if matched else "", number)
