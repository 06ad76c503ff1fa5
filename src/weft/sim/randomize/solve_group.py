"""Draw values of many variables with the help of a solver.

The solver only says whether something is possible; randomness comes from what it is asked. Variable by variable, in
the order of the stages and within them at random, some values are drawn as the constraints on the variable alone allow
and the first possible one is taken. If none is, a value is approached bit by bit: a random half of its bits is asked
for together, and where they cannot be had they are halved again, so that few bits are the solver's own choice.
"""

from __future__ import annotations

from collections.abc import MutableSet
from typing import TYPE_CHECKING

from weft.sim.randomize import domains
from weft.sim.randomize.problem import Distribution
from weft.sim.randomize.random_stream import RandomStream
from weft.sim.randomize.term_solver import TermSolver, bit_is, equals
from weft.sim.randomize.terms import Term, either, negate

if TYPE_CHECKING:
    from weft.sim.randomize.choose_values import Group, Used

_CANDIDATES = 8
_STAGE_CANDIDATES = 32


def draw_with_solver(group: Group, stream: RandomStream, used: Used) -> dict[int, int] | None:
    """Return random values of a group's variables, or None if there are none."""
    solver = group.solver()
    if not solver.check():
        return None
    solver.push()
    try:
        staged: set[int] = set()
        for stage in group.stages:
            for number in _shuffled(stage, stream):
                _fix(group, solver, number, stream, used, _STAGE_CANDIDATES)
                staged.add(number)
        for one in group.others:
            _fix_share(solver, one, stream)
        left = [number for number in group.variables if number not in staged]
        ordered = _shuffled([n for n in left if n in group.weighted], stream)
        ordered += _shuffled([n for n in left if n not in group.weighted], stream)
        for number in ordered:
            wide = _STAGE_CANDIDATES if number in group.weighted else _CANDIDATES
            _fix(group, solver, number, stream, used, wide)
        solver.check()
        return {number: solver.value(number) for number in group.variables}
    finally:
        solver.pop()


def _shuffled(numbers: list[int], stream: RandomStream) -> list[int]:
    found = list(numbers)
    stream.shuffle(found)  # pyright: ignore[reportArgumentType]
    return found


def _fix_share(solver: TermSolver, one: Distribution, stream: RandomStream) -> None:
    """Require one item of a distribution, drawn by the weights among those that are possible."""
    from weft.sim.randomize.choose_values import choose_weighted

    left = [piece for piece in one.pieces if piece.weight > 0]
    while left:
        weights = [p.weight * domains.size(one.ranges(p)) for p in left]
        piece = left.pop(choose_weighted(weights, stream))
        wanted = either(negate(one.guard), one.inside(piece))
        if solver.check(wanted):
            solver.require(wanted)
            return


def _fix(group: Group, solver: TermSolver, number: int, stream: RandomStream, used: Used, candidates: int) -> None:
    """Require a random possible value of a variable."""
    variable = group.variables[number]
    had: MutableSet[int] = set()
    if variable.cyclic:
        had = used.setdefault(number, set())
        solver.push()
        for value in had:
            solver.require(negate(equals(number, variable.width, value)))
        if not solver.check():
            had.clear()
        solver.pop()
        for value in had:
            solver.require(negate(equals(number, variable.width, value)))
    for attempt in range(candidates):
        if attempt == 1 and _settled(solver, number, variable.width):
            return
        value = group.draw(number, stream)
        if value in had:
            continue
        wanted = equals(number, variable.width, value)
        if solver.check(wanted):
            solver.require(wanted)
            return
    _approach(solver, number, variable.width, group.draw(number, stream), stream)


def _settled(solver: TermSolver, number: int, width: int) -> bool:
    """Require the only possible value of a variable if there is but one."""
    solver.check()
    only = equals(number, width, solver.value(number))
    if solver.check(negate(only)):
        return False
    solver.require(only)
    return True


def _approach(solver: TermSolver, number: int, width: int, target: int, stream: RandomStream) -> None:
    """Require a possible value whose bits are those of another as far as a random order of asking allows."""
    pending = [_shuffled(list(range(width)), stream)]
    while pending:
        bits = pending.pop()
        wanted: list[Term] = [bit_is(number, width, at, target >> at & 1) for at in bits]
        if solver.check(*wanted):
            for term in wanted:
                solver.require(term)
        elif len(bits) == 1:
            solver.require(negate(wanted[0]))
        else:
            half = len(bits) // 2
            pending += [bits[half:], bits[:half]]
