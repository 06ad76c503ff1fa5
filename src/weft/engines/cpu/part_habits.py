"""Let the parts of a design that share code have the same habits.

What is taken for granted is folded into the code (`speculation`), and parts of which different things are taken for
granted cannot share it. A processor that runs and one that waits are better off with code of their own; of two that do
the same work, each has by chance kept some register that the other has changed. So parts with nearly the same habits
are brought together, and what does not hold for all of them is no longer taken for granted. With many parts that also
makes the guard fail less: what holds for each of 64 processors in each sample seldom fails in one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from weft.base.dataclass import dataclass
from weft.engines.cpu.part_groups import similar_parts
from weft.ir.find_repeats import Repeat

ALIKE = 0.77
"""Parts are brought together if they have this part of their habits in common."""


@dataclass(frozen=True, slots=True)
class CommonHabits:
    """Be what is taken for granted of some parts: values by the states' places in each part."""

    parts: tuple[tuple[int, ...], ...]
    values: Mapping[int, int]


def agree_on_habits(known: Mapping[int, int], repeats: Sequence[Repeat]) -> dict[int, int]:
    """Return what is taken for granted of each state, without what only some of nearly equal parts have."""
    found = dict(known)
    for repeat in repeats:
        habits = ({place: known[state] for place, state in enumerate(part) if state in known} for part in repeat.parts)
        for members, common in similar_parts(habits, ALIKE):
            for number in members:
                for place, state in enumerate(repeat.parts[number]):
                    if place not in common:
                        found.pop(state, None)
    return found


def join_values(
    varied: Mapping[int, Mapping[int, int]], repeats: Sequence[Repeat], most: int
) -> dict[int, dict[int, int]]:
    """Return how often each state had which value; in repeated parts, how often the parts had it together.

    States that have more than `most` values so are left out.
    """
    found = {state: dict(counts) for state, counts in varied.items()}
    for repeat in repeats:
        for states in zip(*repeat.parts, strict=True):
            counts: dict[int, int] = {}
            for state in states:
                for value, count in found.pop(state, {}).items():
                    counts[value] = counts.get(value, 0) + count
            if 1 < len(counts) <= most:
                found.update(dict.fromkeys(states, counts))
    return found


def common_habits(
    known: Mapping[int, int], repeats: Sequence[Repeat], least: int
) -> tuple[list[CommonHabits], dict[int, int]]:
    """Return what is taken for granted of `least` and more parts alike, and what is left."""
    rest = dict(known)
    found: list[CommonHabits] = []
    for repeat in repeats:
        groups: dict[tuple[tuple[int, int], ...], list[tuple[int, ...]]] = {}
        for part in repeat.parts:
            values = tuple((place, known[state]) for place, state in enumerate(part) if state in known)
            groups.setdefault(values, []).append(part)
        for values, parts in groups.items():
            if values and len(parts) >= least:
                found.append(CommonHabits(tuple(parts), dict(values)))
                for part in parts:
                    for place, _ in values:
                        del rest[part[place]]
    return found, rest
