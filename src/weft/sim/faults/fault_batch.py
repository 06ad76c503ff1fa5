"""The batch of a campaign: lanes that begin again from states of the good machine, and run by a mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weft.ir.layout import container_bytes
from weft.sim.batch import Batch


class FaultBatch(Batch):
    """Be a batch whose lanes are used for one fault after the other."""

    def start(self, state: NDArray[np.uint8]) -> None:
        """Give every lane the state of one simulation, as if the batch had just been made of it."""
        self.state.spread(state)
        self.status[:], self._end[:] = 0, 0
        self.dirty = True

    def words_of(self, state: NDArray[np.uint8]) -> NDArray[np.uint64]:
        """Return the words of one simulation's state."""
        read = self.state.single.read
        return np.array(
            [read(state, word.state) >> 64 * word.word & (1 << word.width) - 1 for word in self.program.words],
            np.uint64,
        )

    def renew_words(self, chosen: NDArray[np.int64], words: NDArray[np.uint64]) -> None:
        """Give some lanes words: `words` has a row for each of them; what they ended with is forgotten."""
        for number in range(len(self.program.words)):
            row = self.state.word_row(number).copy()
            row[chosen] = words[:, number]
            self.state.set_row(number, row)
        self.status[chosen], self._end[chosen] = 0, 0

    def renew_memories(self, chosen: NDArray[np.int64], state: NDArray[np.uint8]) -> None:
        """Give some lanes the memories of one simulation."""
        for plane, memory in enumerate(self.program.memories):
            if memory.shared:
                continue
            view = self.state.single.view(state, memory.state)
            elements = view if view.ndim == 1 else view[:, memory.word]
            elements = elements.astype(f"u{container_bytes(memory.width)}")
            every = np.arange(memory.depth)
            self.state.put_plane("", plane, chosen, every, np.broadcast_to(elements, (len(chosen), memory.depth)))

    def changed(self) -> None:
        """Say that the lanes' state was written behind the batch's back, so that it must settle."""
        self.dirty = True

    def run_lanes(
        self, cycles: int | NDArray[np.int64], where: NDArray[np.bool_], condition: str = ""
    ) -> NDArray[np.uint8]:
        """Advance the lanes of a mask only, by some cycles or until a condition holds; return why each stopped.

        A lane that does not settle has `LaneStatus.OSCILLATION`; nothing is raised.
        """
        holds = self._holds(condition) if condition else None
        return self._advance(cycles * self.clocks[0].clock.period_fs, condition, holds, ~where, raises=False)
