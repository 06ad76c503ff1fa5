"""Group the parts of a design that a step treats alike: those of which it writes corresponding states.

Parts of one shape (`ir.find_repeats`) may still differ in a step: where one processor is idle, code that takes that for
granted does not write what another one's does. Parts that differ so are groups of their own.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.ir.find_repeats import Repeat
from weft.ir.step_graph import StepGraph

LEAST_SINKS = 20
"""Sinks that need no code of their own because parts share it, at least."""


@dataclass(frozen=True, slots=True)
class PartGroup:
    """Be parts whose sinks correspond: the states of each, and its sinks by their places in the step's tables.

    The first part is the model: its sinks come in the order of the tables, and the others' in the same order.
    """

    parts: tuple[tuple[int, ...], ...]
    writes: tuple[tuple[int, ...], ...]
    memory_writes: tuple[tuple[int, ...], ...]


def group_parts(step: StepGraph, repeat: Repeat) -> list[PartGroup]:
    """Return the groups of two and more parts, if sharing can save anything. Linear in the sinks of the step."""
    owner = {state: (part, place) for part, states in enumerate(repeat.parts) for place, state in enumerate(states)}
    writes: list[dict[int, list[int]]] = [{} for _ in repeat.parts]
    memory_writes: list[dict[int, list[int]]] = [{} for _ in repeat.parts]
    for table, found in ((step.writes, writes), (step.memory_writes, memory_writes)):
        for number, write in enumerate(table):
            at = owner.get(write.state)
            if at is not None:
                found[at[0]].setdefault(at[1], []).append(number)
    kinds: dict[tuple[tuple[object, ...], tuple[object, ...]], list[int]] = {}
    for part in range(len(repeat.parts)):
        scalars = tuple(sorted((place, len(numbers)) for place, numbers in writes[part].items()))
        memories = tuple(
            (place, *((step.memory_writes[n].count, step.memory_writes[n].mask < 0) for n in numbers))
            for place, numbers in sorted(memory_writes[part].items())
        )
        kinds.setdefault((scalars, memories), []).append(part)
    return [
        PartGroup(
            tuple(repeat.parts[part] for part in parts),
            tuple(_in_order(writes[part], writes[parts[0]]) for part in parts),
            tuple(_in_order(memory_writes[part], memory_writes[parts[0]]) for part in parts),
        )
        for (scalars, memories), parts in kinds.items()
        if len(parts) > 1 and (len(parts) - 1) * (len(scalars) + len(memories)) >= LEAST_SINKS
    ]


def _in_order(numbers: dict[int, list[int]], model: dict[int, list[int]]) -> tuple[int, ...]:
    """Return a part's sinks in the order in which the model has those that correspond."""
    order = sorted((number, place, nth) for place, each in model.items() for nth, number in enumerate(each))
    return tuple([numbers[place][nth] for _, place, nth in order])
