"""Rows of inputs on their way to a batch that runs block after block and waits for nobody: what a test bench sets then.

What is set last counts, and takes effect where the next block begins. To a GPU a row is sent when it is set, while the
device runs, to one of two places for it there (as blocks are, `sim.stimulus.planes`); where a block begins it only has
to be moved within the GPU. An input gets these places when it has been set for the first time, for only between blocks
may the device be asked for memory. Where a resident kernel runs the blocks, a row goes with its command.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, replace
from weft.base.errors import UserError
from weft.ir.lane_engine import Bytes
from weft.ir.lane_layout import place_lanes
from weft.ir.lane_program import LaneMemory
from weft.ir.layout import container_bytes
from weft.sim.stimulus.plan import Port

if TYPE_CHECKING:
    from weft.sim.batch import Batch


@dataclass(frozen=True, slots=True)
class _Slot:
    """Be the places of an input's row: on each side bytes on the device and memory from which they are sent; the row
    begins at `place` there and at `offset` in the batch's bytes."""

    sides: tuple[tuple[Any, Bytes], ...]
    place: int
    offset: int


class RowMail:
    """Bring rows to a batch. `send` is for the thread of the test bench, `deliver` for that of the device."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._lock = threading.Lock()
        self._rows: dict[Port, NDArray[Any]] = {}
        self._sent: set[Port] = set()
        self._side = 0
        self._slots: dict[Port, _Slot | None] = {}

    def send(self, port: Port, row: NDArray[Any]) -> None:
        """Set an input to a row of good values, from where the next block begins."""
        with self._lock:
            self._rows[port] = row
            slot = self._slots.get(port)
            if slot is None or self._batch.recording or self._batch.residency.lanes is not None:
                self._sent.discard(port)
                return
            data, room = slot.sides[self._side]
            data.sent()
            room[: row.nbytes] = row.view(np.uint8)
            width = self._batch.layout.tile * row.itemsize
            data.send_rows(slot.place, width, room.reshape(-1, width))
            self._sent.add(port)

    def deliver(self) -> None:
        """Set all inputs that rows were sent for; the batch does not run."""
        with self._lock:
            rows, self._rows = self._rows, {}
            sent, self._sent = self._sent, set()
            side, self._side = self._side, 1 - self._side
        batch = self._batch
        for port, row in rows.items():
            slot = self._slots.get(port)
            if slot is not None and port in sent:
                data, _ = slot.sides[side]
                data.receive()
                batch.data.move(slot.offset, data, slot.place, batch.layout.stride * row.itemsize)
                batch.residency.forget()
                batch.dirty = True
            elif not batch.residency.poke(port.path, row):
                batch.put(port.path, port.found, slice(None), row)
                if port not in self._slots:
                    slot = self._make_slot(port)
                    with self._lock:
                        self._slots[port] = slot

    def _make_slot(self, port: Port) -> _Slot | None:
        """Return the places of an input, or None where rows are set without."""
        batch = self._batch
        state = batch.design.graph.states[port.state]
        if batch.device.kind == "cpu" or port.width > 64 or state.twin >= 0:
            return None
        item = container_bytes(port.width)
        program = replace(batch.program, words=[], memories=[LaneMemory(port.state, 0, port.width, 1, shared=False)])
        layout = place_lanes(program, batch.lanes, batch.layout.tile)
        sides: list[tuple[Any, Bytes]] = []
        try:
            for _ in range(2):
                data = batch.device.allocate(layout.size, batch.lanes, item, layout, program)
                sides.append((data, data.staging(item * layout.stride)))
        except UserError as error:
            if error.code != "no-memory":
                raise
            return None
        for _, room in sides:
            room[:] = 0  # of lanes that a row is padded with
        return _Slot(tuple(sides), layout.memories[0], batch.layout.rows[batch.program.places[port.state]])
