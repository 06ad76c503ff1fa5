"""Say what a region's states do in nearly all of some samples.

A program's phases differ, so few states keep a value for good: a divider's planes are x until the first division, an
interrupt is pending now and then. A state belongs to the habits if it had the same value in nearly all samples; then
those that most often deviate are left out, one after the other, until most samples keep to all that is left.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.ir.cone_graph import ConeGraph
from weft.ir.layout import StateLayout

STEADY = 0.99
"""In what part of the samples a state must have one value to be known."""

KEEPING = 0.97
"""What part of the samples shall keep to all habits."""


@dataclass(frozen=True, slots=True, eq=False)
class SampleTable:
    """Be what samples have of each state: in `values[k]` the values of `states[k]`, a byte for each sample.

    Of a state that is `wide`, more than a byte, it is only whether the value is not 0.
    """

    states: NDArray[np.intp]
    values: NDArray[np.uint8]
    wide: NDArray[np.bool_]
    registers: NDArray[np.bool_]

    @classmethod
    def of(cls, graph: ConeGraph, layout: StateLayout, rows: NDArray[np.uint8]) -> SampleTable:
        """Return the table of some samples, a row each."""
        states, values, wide = list[int](), list[NDArray[np.uint8]](), list[bool]()
        for index, (state, slot) in enumerate(zip(graph.states, layout.slots, strict=True)):
            if not slot.depth and state.kind in ("register", "input"):
                states.append(index)
                wide.append(slot.stride > 1)
                block = rows[:, slot.offset : slot.offset + slot.stride]
                values.append(block.max(axis=1, initial=0))
        registers = [graph.states[index].kind == "register" for index in states]
        shape = (len(states), len(rows))
        held = np.array(values, np.uint8).reshape(shape)
        held[wide] = held[wide] != 0
        return cls(
            np.array(states, np.intp),
            held,
            np.array(wide, np.bool_),
            np.array(registers, np.bool_),
        )

    @property
    def count(self) -> int:
        """Return how many samples there are."""
        return self.values.shape[1]

    def habits(
        self, samples: NDArray[np.intp] | None = None, steady: float = STEADY, keeping: float = KEEPING
    ) -> dict[int, int]:
        """Return which states have which value, in nearly all of these samples or of all."""
        values = self.values if samples is None else self.values[:, samples]
        if not values.size:
            return {}
        usual, differs = usual_values(values)
        kept = np.flatnonzero(known_values(usual, differs, self.wide, steady))
        odd = kept[differs[kept].any(axis=1)]
        while differs[odd].any(axis=0).mean() > 1 - keeping:
            odd = np.delete(odd, differs[odd].sum(axis=1).argmax())
        always = kept[~differs[kept].any(axis=1)]
        return {int(self.states[at]): int(usual[at]) for at in sorted([*always.tolist(), *odd.tolist()])}

    def column(self, state: int) -> NDArray[np.uint8]:
        """Return the values of a state, by its index in the graph."""
        return self.values[np.searchsorted(self.states, state)]

    def keeps(self, known: Mapping[int, int]) -> NDArray[np.bool_]:
        """Return for each sample whether states have these values in it."""
        keeps = np.ones(self.count, np.bool_)
        for state, value in known.items():
            keeps &= self.column(state) == value
        return keeps


def usual_values(values: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the middle of each row's values, the most frequent one if more than half are it, and what differs."""
    middle = values.shape[1] // 2
    usual = np.partition(values, middle, axis=1)[:, middle]
    return usual, values != usual[:, None]


def known_values(
    usual: NDArray[np.uint8], differs: NDArray[np.bool_], wide: NDArray[np.bool_], steady: float
) -> NDArray[np.bool_]:
    """Say which rows count as known: nearly all samples have the usual value, which is 0 for wide states."""
    return (differs.mean(axis=1) <= 1 - steady) & ~(wide & (usual != 0))
