"""Elements of memories, or entries of tables, that are interleaved by tiles of lanes (`ir.lane_layout`).

A few elements are read and set one by one, for all lanes at once; of many, whole tiles are moved.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.sim.lane_handles import LaneValues

_FEW = 4
"""Up to this part of a memory's elements are read and set one by one, for all lanes at once."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """Be `depth` elements of `item` bytes for each lane, from an offset of a batch's bytes on."""

    data: Any
    at: int
    item: int
    depth: int
    tile: int

    @property
    def size(self) -> int:
        """Return the bytes of a tile."""
        return self.item * self.depth * self.tile

    def read(self, lanes: NDArray[np.int64], elements: NDArray[np.int64]) -> LaneValues:
        """Return `[lane, element]`."""
        tile, item, size = self.tile, self.item, self.size
        result = np.empty((len(lanes), len(elements)), f"u{item}")
        if _FEW * len(elements) <= self.depth and len(lanes):
            first, count = int(lanes.min()) // tile, int(lanes.max()) // tile - int(lanes.min()) // tile + 1
            for number, element in enumerate(elements.tolist()):
                place = self.at + first * size + element * tile * item
                row = self.data.read_rows(place, size, tile * item, count)
                result[:, number] = np.ascontiguousarray(row).view(f"u{item}").reshape(-1)[lanes - first * tile]
            return result
        for number in np.unique(lanes // tile).tolist():
            mine = np.nonzero(lanes // tile == number)[0]
            block = self.data.read(self.at + number * size, size).view(f"u{item}").reshape(self.depth, tile)
            result[mine] = block[np.ix_(elements, lanes[mine] % tile)].T
        return result

    def write(self, lanes: NDArray[np.int64], elements: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Set `[lane, element]`."""
        tile, item, size = self.tile, self.item, self.size
        if _FEW * len(elements) <= self.depth and len(lanes):
            first, count = int(lanes.min()) // tile, int(lanes.max()) // tile - int(lanes.min()) // tile + 1
            for number, element in enumerate(elements.tolist()):
                place = self.at + first * size + element * tile * item
                row = np.array(self.data.read_rows(place, size, tile * item, count))
                row.view(f"u{item}").reshape(-1)[lanes - first * tile] = values[:, number]
                self.data.write_rows(place, size, row)
            return
        for number in np.unique(lanes // tile).tolist():
            mine = np.nonzero(lanes // tile == number)[0]
            block = self.data.read(self.at + number * size, size).view(f"u{item}").reshape(self.depth, tile).copy()
            block[np.ix_(elements, lanes[mine] % tile)] = values[mine].T
            self.data.write(self.at + number * size, block.reshape(-1).view(np.uint8))

    def every(self, stride: int) -> LaneValues:
        """Return `[lane, element]` of all lanes that there is room for, at once."""
        block = self.data.read(self.at, self.item * self.depth * stride).view(f"u{self.item}")
        return block.reshape(stride // self.tile, self.depth, self.tile).transpose(0, 2, 1).reshape(stride, self.depth)

    def set_every(self, values: NDArray[Any], stride: int) -> None:
        """Set `[lane, element]` of all lanes that there is room for, at once."""
        block = values.reshape(stride // self.tile, self.tile, self.depth).transpose(0, 2, 1)
        self.data.write(self.at, np.ascontiguousarray(block).reshape(-1).view(np.uint8))
