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
from weft.ir.lane_layout import LaneLayout, place_lanes
from weft.ir.lane_program import LaneProgram
from weft.ir.layout import container_bytes
from weft.passes.drive_inputs import AT, CYCLE, LANE
from weft.sim.stimulus.plan import Port

Staged = list[NDArray[np.uint8]]
"""The bytes of the blocks' planes, a row for each tile."""

Block = Mapping[Port, NDArray[Any]]
"""Values of inputs: `[cycle, lane]`, or `[cycle, lane, word]` for more than 64 bits; one lane stands for all."""


class DrivePlanes:
    """Hold the planes of the last memories of a program, for the lanes of a batch."""

    def __init__(self, program: LaneProgram, first: int, device: LaneDevice, layout: LaneLayout, data: Any) -> None:
        self.stride, self.lanes, self._tile = layout.stride, layout.lanes, layout.tile
        self._memories = program.memories[first:]
        planes = replace(program, words=[], memories=self._memories)
        place = place_lanes(planes, self.lanes, self._tile)
        self._places = place.memories
        self.data: Any = device.allocate(place.size, self.lanes, place.size // self.stride, place, planes)
        self.layout: LaneLayout = data.join(layout, self.data, place)
        self.set_row(LANE, np.arange(self.lanes))

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

    def commit(self, staged: Staged) -> None:
        """Copy a staged block to the device, which must be at rest."""
        for place, memory, data in zip(self._places[AT + 1 :], self._memories[AT + 1 :], staged, strict=True):
            pitch = container_bytes(memory.width) * memory.depth * self._tile
            self.data.write_rows(place, pitch, data)


def stage(block: Block, ports: Sequence[Port], cycles: int, layout: LaneLayout) -> Staged:
    """Return some cycles of a block in the order of their planes: for each tile a row of bytes."""
    staged: Staged = []
    for port in ports:
        values, count = block[port], -(-port.width // 64)
        for word in range(count):
            item = container_bytes(min(64, port.width - 64 * word))
            part = values[..., word] if count > 1 else values
            staged.append(_interleave(part, cycles, item, layout))
    return staged


def _interleave(values: NDArray[Any], cycles: int, item: int, layout: LaneLayout) -> NDArray[np.uint8]:
    """Return `[cycle, lane]` as `[tile, cycle, lane in tile]`, the bytes of a tile in a row."""
    tile, lanes = layout.tile, layout.lanes
    full = np.empty((layout.stride // tile, cycles, tile), f"u{item}")
    if values.shape[1] == 1:
        full[:] = values[:cycles].reshape(1, cycles, 1)
        return full.reshape(len(full), -1).view(np.uint8)
    whole = lanes // tile
    most = values[:cycles, : whole * tile].reshape(cycles, whole, tile)
    full[:whole] = most.transpose(1, 0, 2)
    if whole * tile < lanes:
        full[whole, :, : lanes - whole * tile] = values[:cycles, whole * tile :]
    return full.reshape(len(full), -1).view(np.uint8)
