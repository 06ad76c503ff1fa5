"""The memory of a drive plan: the planes of `passes.drive_inputs` on a batch's device, and blocks on their way there.

A block is an array `[cycle, lane]` for each input. On the device a plane is interleaved as every memory is
(`ir.lane_layout`), so a block is brought into that order here (*staged*), which is work that may happen while the
device runs, and then copied to its plane at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import replace
from weft.ir.lane_engine import LaneDevice
from weft.ir.lane_layout import LaneLayout
from weft.ir.lane_program import LaneProgram
from weft.ir.layout import ALIGNMENT, container_bytes
from weft.passes.drive_inputs import AT, CYCLE, LANE
from weft.sim.stimulus.plan import Port

Staged = list[tuple[int, NDArray[np.uint8]]]
"""Bytes for places in the planes' memory."""

Block = Mapping[Port, NDArray[Any]]
"""Values of inputs: `[cycle, lane]`, or `[cycle, lane, word]` for more than 64 bits; one lane stands for all."""


class DrivePlanes:
    """Hold the planes of the last memories of a program, for the lanes of a batch."""

    def __init__(self, program: LaneProgram, first: int, device: LaneDevice, layout: LaneLayout, data: Any) -> None:
        self.tile, self.stride, self.lanes = layout.tile, layout.stride, layout.lanes
        self._memories = program.memories[first:]
        self._places: list[int] = []
        at = 0
        for memory in self._memories:
            self._places.append(at)
            at += -(-container_bytes(memory.width) * memory.depth * self.stride // ALIGNMENT) * ALIGNMENT
        # A gather reads whole 32-bit words, also of the last byte.
        self.data: Any = device.allocate(at + ALIGNMENT, self.lanes, at // self.stride)
        away = self.data.address() - data.address()
        self.layout: LaneLayout = replace(layout, memories=(*layout.memories, *(away + at for at in self._places)))
        self.set_row(LANE, np.arange(self.lanes))

    @property
    def depth(self) -> int:
        """Return how many cycles a block has at most."""
        return self._memories[-1].depth

    def set_row(self, plane: int, values: NDArray[Any]) -> None:
        """Set a plane of one row: `LANE`, `CYCLE` or `AT`."""
        item = container_bytes(self._memories[plane].width)
        row = np.zeros(self.stride, f"u{item}")
        row[: self.lanes] = values
        self.data.write(self._places[plane], row.view(np.uint8))

    def row(self, plane: int) -> NDArray[Any]:
        """Return a plane of one row."""
        item = container_bytes(self._memories[plane].width)
        return np.array(self.data.read(self._places[plane], item * self.lanes).view(f"u{item}"))

    def begin(self, cycles: NDArray[np.uint64]) -> None:
        """Set what counts: the cycle at which each lane is, and the first row of the block."""
        self.set_row(CYCLE, cycles)
        self.set_row(AT, np.zeros(self.lanes, np.uint32))

    def stage(self, block: Block, ports: Sequence[Port], cycles: int) -> Staged:
        """Return a block of some cycles as the bytes of the planes."""
        staged: Staged = []
        plane = AT + 1
        for port in ports:
            values = block[port]
            words = -(-port.width // 64)
            for word in range(words):
                staged.append(
                    (self._places[plane], self._interleave(plane, values[..., word] if words > 1 else values, cycles))
                )
                plane += 1
        return staged

    def _interleave(self, plane: int, values: NDArray[Any], cycles: int) -> NDArray[np.uint8]:
        memory = self._memories[plane]
        full = np.zeros((self.stride // self.tile, memory.depth, self.tile), f"u{container_bytes(memory.width)}")
        whole = self.lanes // self.tile
        if values.shape[1] == 1:
            full[:, :cycles] = values.reshape(1, cycles, 1)
        else:
            most = values[:, : whole * self.tile].reshape(cycles, whole, self.tile)
            full[:whole, :cycles] = most.transpose(1, 0, 2)
            if whole * self.tile < self.lanes:
                full[whole, :cycles, : self.lanes - whole * self.tile] = values[:, whole * self.tile :]
        return full.reshape(-1).view(np.uint8)

    def commit(self, staged: Staged) -> None:
        """Copy a staged block to the device, which must be at rest."""
        for place, data in staged:
            self.data.write(place, data)
