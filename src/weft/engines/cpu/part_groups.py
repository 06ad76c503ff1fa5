"""Group the parts of a design that a step treats alike: those of which it writes corresponding states.

Parts of one shape (`ir.find_repeats`) may still differ in a step: where one processor is idle, code that takes that for
granted does not write what another one's does. Parts that differ much are groups of their own; of those that differ
little, the sinks that only some have are left to what lies outside the parts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from weft.base.dataclass import dataclass
from weft.ir.find_repeats import Repeat
from weft.ir.step_graph import StepGraph

LEAST_SINKS = 20
"""Sinks that need no code of their own because parts share it, at least."""

_T = TypeVar("_T")

ALIKE = 0.9
"""Parts are brought together if they have this part of their sinks in common."""


@dataclass(frozen=True, slots=True)
class PartGroup:
    """Be parts whose sinks correspond: the states of each, and its sinks by their places in the step's tables.

    The first part is the model: its sinks come in the order of the tables, and the others' in the same order.
    """

    parts: tuple[tuple[int, ...], ...]
    writes: tuple[tuple[int, ...], ...]
    memory_writes: tuple[tuple[int, ...], ...]


def group_parts(step: StepGraph, repeat: Repeat) -> list[PartGroup]:
    """Return the groups of two and more parts, if sharing can save anything.

    Linear in the sinks of the step, times the number of groups.
    """
    owner = {state: (part, place) for part, states in enumerate(repeat.parts) for place, state in enumerate(states)}
    writes: list[dict[int, list[int]]] = [{} for _ in repeat.parts]
    memory_writes: list[dict[int, list[int]]] = [{} for _ in repeat.parts]
    for table, places in ((step.writes, writes), (step.memory_writes, memory_writes)):
        for number, write in enumerate(table):
            at = owner.get(write.state)
            if at is not None:
                places[at[0]].setdefault(at[1], []).append(number)
    found = list[PartGroup]()
    for parts, sinks in similar_parts((_sinks(step, *each) for each in zip(writes, memory_writes, strict=True)), ALIKE):
        if len(parts) > 1 and (len(parts) - 1) * len(sinks) >= LEAST_SINKS:
            found.append(
                PartGroup(
                    tuple(repeat.parts[part] for part in parts),
                    tuple(_in_order(writes[part], writes[parts[0]], sinks) for part in parts),
                    tuple(_in_order(memory_writes[part], memory_writes[parts[0]], sinks) for part in parts),
                )
            )
    return found


def split_group(group: PartGroup, odd: Collection[int]) -> list[PartGroup]:
    """Return a group's parts without the odd ones, and those; groups of one part are none."""
    sides = [[part for part in range(len(group.parts)) if (part in odd) is which] for which in (False, True)]
    return [
        PartGroup(
            *(tuple(column[part] for part in side) for column in (group.parts, group.writes, group.memory_writes))
        )
        for side in sides
        if len(side) > 1
    ]


def _sinks(
    step: StepGraph, writes: dict[int, list[int]], memory_writes: dict[int, list[int]]
) -> dict[int, tuple[object, ...]]:
    """Say of each state of a part that is written, by its place, what kinds of sinks do that."""
    found: dict[int, tuple[object, ...]] = {place: (len(numbers),) for place, numbers in writes.items()}
    for place, numbers in memory_writes.items():
        kinds = [(step.memory_writes[number].count, step.memory_writes[number].mask < 0) for number in numbers]
        found[place] = tuple(kinds)
    return found


def similar_parts(traits: Iterable[Mapping[int, _T]], alike: float) -> list[tuple[list[int], dict[int, _T]]]:
    """Bring parts together that have the part `alike` of their traits in common, and say which these are.

    A part goes to the first group that it is like enough, so the order of parts counts.
    """
    groups: list[tuple[list[int], dict[int, _T]]] = []
    for part, mine in enumerate(traits):
        for parts, common in groups:
            both = {place: kind for place, kind in mine.items() if common.get(place) == kind}
            if len(both) >= alike * max(len(mine), len(common)):
                parts.append(part)
                common.clear()
                common.update(both)
                break
        else:
            groups.append(([part], dict(mine)))
    return groups


def _in_order(numbers: dict[int, list[int]], model: dict[int, list[int]], sinks: Collection[int]) -> tuple[int, ...]:
    """Return a part's sinks in the order in which the model has those that correspond."""
    order = [(number, place, nth) for place, each in model.items() if place in sinks for nth, number in enumerate(each)]
    return tuple([numbers[place][nth] for _, place, nth in sorted(order)])
