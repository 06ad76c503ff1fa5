"""The batch of a campaign: lanes that begin again from states of the good machine, and run by a mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weft.sim.batch import Batch


class FaultBatch(Batch):
    """Be a batch whose lanes are used for one fault after the other."""

    def start(self, state: NDArray[np.uint8]) -> None:
        """Give every lane the state of one simulation, as if the batch had just been made of it."""
        self.state.spread(state)
        self.status[:], self._end[:] = 0, 0
        self.dirty = True

    def changed(self) -> None:
        """Say that the lanes' state was written behind the batch's back, so that it must settle."""
        self.dirty = True

    def run_lanes(self, cycles: int, where: NDArray[np.bool_], condition: str = "") -> NDArray[np.uint8]:
        """Advance the lanes of a mask only, or until a condition holds in them; return why each stopped.

        A lane that does not settle has `LaneStatus.OSCILLATION`; nothing is raised.
        """
        holds = self._holds(condition) if condition else None
        return self._advance(cycles * self.clocks[0].clock.period_fs, condition, holds, ~where, raises=False)
