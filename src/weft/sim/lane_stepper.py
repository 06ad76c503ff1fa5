"""`batch.stepper`: set inputs, run some cycles, read outputs, in one call and, with a resident kernel, one command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.base.errors import UserError
from weft.sim.lane_handles import LaneValues

if TYPE_CHECKING:
    from weft.sim.batch import Batch


class LaneStepper:
    """Step a batch: `step(3, b)` sets the first input to 3 and the second to b, runs, and returns all outputs."""

    def __init__(self, batch: Batch, inputs: tuple[str, ...], outputs: tuple[str, ...], cycles: int) -> None:
        self._batch, self.inputs, self.outputs, self.cycles = batch, inputs, outputs, cycles
        if not batch.clocks:
            raise UserError("ambiguous-clock", "the design has no clock to run cycles of; name one with clock=")
        for path in (*inputs, *outputs):
            batch.signals.find(path)

    def __call__(self, *values: Any, **named: Any) -> tuple[LaneValues, ...]:
        """Set the inputs, in order or by name (those not given stay as they are), run, return the outputs."""
        batch = self._batch
        for path, value in zip(self.inputs, values, strict=False):
            batch.poke(path, value)
        for path, value in named.items():
            batch.poke(path, value)
        found = batch.residency.step(self.cycles, self.outputs)
        if found is not None:
            return found
        batch.run_cycles(self.cycles)
        return tuple(batch.peek(path) for path in self.outputs)
