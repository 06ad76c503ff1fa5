"""What a region is doing: situations, told apart by the values of a few narrow registers.

A processor that waits for its memory does next to nothing, one that decodes does something else, and in each case most
of its other registers have one value. Such a case is a *situation*. The registers' values lead to it as the branches of
a decision tree lead to a leaf: a *path* of pairs of a state and its value, or `OTHER` for all values that have no
branch of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass

if TYPE_CHECKING:
    from weft.engines.cpu.habits import Habits
    from weft.engines.cpu.sample_table import SampleTable

OTHER = -1
"""In a path: any value that no other branch has."""

Path = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Situation:
    """Say what leads to a situation, and which states have which value in nearly all of it, the path's included."""

    path: Path
    known: Mapping[int, int]

    def describe(self) -> str:
        """Return what names code that is made for this situation, however one comes to it."""
        return hashlib.sha256(repr(sorted(self.known.items())).encode()).hexdigest()[:16]


def situations_to_words(situations: Sequence[Situation]) -> list[Any]:
    """Return what a JSON entry has of situations."""
    return [[[list(pair) for pair in each.path], list(each.known.items())] for each in situations]


def situations_from_words(words: Any) -> tuple[Situation, ...]:
    """Return the situations of a JSON entry; raises ValueError, TypeError or KeyError if they are none."""
    return tuple(
        Situation(
            tuple((int(state), int(value)) for state, value in path),
            {int(state): int(value) for state, value in known},
        )
        for path, known in words
    )


def samples_of(table: SampleTable, situations: Sequence[Situation]) -> list[NDArray[np.bool_]]:
    """Return for each situation which samples it leads to that keep to all that is known there."""
    branches: dict[tuple[Path, int], set[int]] = {}
    for each in situations:
        for at, (state, value) in enumerate(each.path):
            branches.setdefault((each.path[:at], state), set()).add(value)
    found: list[NDArray[np.bool_]] = []
    for each in situations:
        here = table.keeps(each.known)
        for at, (state, value) in enumerate(each.path):
            if value == OTHER:
                here &= ~np.isin(table.column(state), list(branches[each.path[:at], state] - {OTHER}))
        found.append(here)
    return found


def share_of(table: SampleTable, habits: Habits) -> float:
    """Return the part of samples that keep to habits, and to what is known in the situation that they are in."""
    if not table.count:
        return 0.0
    keeps = [table.keeps(habits.known)] if not habits.situations else samples_of(table, habits.situations)
    return float(np.logical_or.reduce(keeps).mean())
