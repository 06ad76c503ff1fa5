"""Keep samples of a region's states, and say what the states do in nearly all of them.

A program's phases differ, so few states keep a value for good: a divider's planes are x until the first division, an
interrupt is pending now and then. A state belongs to the habits if it had the same value in nearly all samples; then
those that most often deviate are left out, one after the other, until most samples keep to all that is left. When there
are too many samples every other one goes, and later ones are taken half as often: those that are left are spread evenly
over the run.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, field
from weft.engines.cpu.habits import Habits
from weft.ir.cone_graph import ConeGraph
from weft.ir.layout import StateLayout
from weft.ir.program import StateArray

MOST_SAMPLES = 512

MOST_VALUES = 8
"""A register that had more values is none to split code by."""

STEADY = 0.97
"""In what part of the samples a state must have one value to be known."""

KEEPING = 0.93
"""What part of the samples shall keep to all habits."""


@dataclass(slots=True, eq=False)
class StateSamples:
    """Hold samples of the scalar part of a state array."""

    graph: ConeGraph
    layout: StateLayout
    taken: int = 0
    _stride: int = 1
    _rows: list[NDArray[np.uint8]] = field(default_factory=list[NDArray[np.uint8]])

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, state: StateArray) -> None:
        """Take a sample, if it is time for one."""
        self.taken += 1
        if self.taken % self._stride == 0:
            self._rows.append(state[: self.layout.memory_offset].copy())
            if len(self._rows) > MOST_SAMPLES:
                del self._rows[::2]
                self._stride *= 2

    def keeping(self, habits: Habits) -> float:
        """Return the part of the samples that keep to some habits."""
        rows = np.array(self._rows)
        keeps = np.ones(len(rows), np.bool_)
        for state, value in habits.known.items():
            keeps &= self._equal(rows, state, value)
        return float(keeps.mean()) if len(rows) else 0.0

    def habits(self) -> Habits:
        """Return what the states do."""
        rows = np.array(self._rows)
        known: dict[int, int] = {}
        varied: dict[int, dict[int, int]] = {}
        odd: dict[int, NDArray[np.bool_]] = {}
        for index, (state, slot) in enumerate(zip(self.graph.states, self.layout.slots, strict=True)):
            if slot.depth or state.kind not in ("register", "input"):
                continue
            value = 0
            if slot.stride == 1:
                values, counts = np.unique(rows[:, slot.offset], return_counts=True)
                value = int(values[counts.argmax()])
                if state.kind == "register" and 1 < len(values) <= MOST_VALUES:
                    varied[index] = dict(zip(values.tolist(), counts.tolist(), strict=True))
            differs = ~self._equal(rows, index, value)
            if differs.mean() <= 1 - STEADY:
                known[index] = value
                if differs.any():
                    odd[index] = differs
        while odd:
            counts_of = {index: int(differs.sum()) for index, differs in odd.items()}
            if np.logical_or.reduce(list(odd.values())).mean() <= 1 - KEEPING:
                break
            worst = max(counts_of, key=lambda index: (counts_of[index], index))
            del known[worst], odd[worst]
        return Habits(known, varied)

    def _equal(self, rows: NDArray[np.uint8], state: int, value: int) -> NDArray[np.bool_]:
        slot = self.layout.slots[state]
        expected = np.frombuffer(value.to_bytes(slot.stride, "little"), np.uint8)
        return (rows[:, slot.offset : slot.offset + slot.stride] == expected).all(axis=1)
