"""Choose which edges of a region have code together: those of clocks that follow one clock come in one time step.

A clock that plain assignments pass on has its edges whenever the first one has, one that is gated has them or not.
There is a step for all of them, and one for each choice of gated clocks if these are few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import combinations
from operator import or_

from weft.ir.design import Signal
from weft.ir.region import RegionTrigger

_MOST_GATED = 2
"""How many gated clocks have steps for each choice among them."""

_MOST_ALONE = 8
"""How many edges have steps for themselves alone."""


def steps_together(triggers: Sequence[RegionTrigger], clocks: Mapping[Signal, tuple[Signal, bool]]) -> tuple[int, ...]:
    """Return masks of triggers that fire together; `clocks` says what a clock follows, and whether through a gate."""
    fired: dict[tuple[Signal, str], int] = {}
    for number, trigger in enumerate(triggers):
        for edge in trigger.edges:
            fired[edge] = fired.get(edge, 0) | 1 << number
    groups: dict[tuple[Signal, str], tuple[list[int], list[int]]] = {}
    alone: list[int] = []
    for (signal, edge), mask in fired.items():
        source, gated = clocks.get(signal, (signal, False))
        groups.setdefault((source, edge), ([], []))[gated].append(mask)
    steps: dict[int, None] = {}
    for always, gated in groups.values():
        if len(always) + len(gated) == 1:
            alone += [*always, *gated]
            continue
        fewest = 0 if len(gated) <= _MOST_GATED else len(gated)
        choices = [each for size in range(len(gated), fewest - 1, -1) for each in combinations(gated, size)]
        for choice in [*choices, ()]:
            # A trigger of edges of several clocks fires with each of them.
            steps[reduce(or_, (*always, *choice), 0)] = None
    steps.update(dict.fromkeys(alone if len(alone) <= _MOST_ALONE else ()))
    return tuple(step for step in steps if step)
