"""The state of a batch's lanes, wherever its device keeps it: rows of words, memories, single lanes.

`ir.lane_layout` says where everything is. Here values go between those bytes and NumPy arrays over lanes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import UserError
from weft.ir.cone_graph import State
from weft.ir.lane_engine import LaneDevice
from weft.ir.lane_layout import LaneLayout, place_lanes
from weft.ir.lane_program import LaneProgram
from weft.ir.layout import StateLayout, container_bytes
from weft.sim.lane_handles import LaneValues
from weft.sim.signal_map import Part

_FEW = 4
"""Up to this part of a memory's elements are read and set one by one, for all lanes at once."""


class LaneState:
    """Hold the bytes of all lanes of a program; `single` is the layout of one simulation's state."""

    def __init__(self, program: LaneProgram, single: StateLayout, device: LaneDevice, lanes: int) -> None:
        self.program, self.single, self.lanes = program, single, lanes
        self.states: list[State] = program.states
        self.layout: LaneLayout = place_lanes(program, lanes, device.tile)
        per_lane = self.layout.size // self.layout.stride
        self.data: Any = device.allocate(self.layout.size, lanes, per_lane, self.layout, program)

    # ------------------------------------------------------------------------------------------- single lanes

    def spread(self, state: NDArray[np.uint8]) -> None:
        """Give every lane the state of one simulation."""
        for number, word in enumerate(self.program.words):
            value = self.single.read(state, word.state) >> 64 * word.word & (1 << word.width) - 1
            self.set_row(number, np.full(self.lanes, value, f"u{container_bytes(word.width)}"))
        for plane, memory in enumerate(self.program.memories):
            view = self.single.view(state, memory.state)
            elements = view if view.ndim == 1 else view[:, memory.word]
            elements = elements.astype(f"u{container_bytes(memory.width)}", copy=False)  # a last word may be narrower
            if memory.shared:
                self.data.write(self.layout.memories[plane], np.ascontiguousarray(elements).view(np.uint8))
                continue
            tile = np.repeat(elements, self.layout.tile).view(np.uint8)
            self.data.write(self.layout.memories[plane], tile)
            self.data.repeat(self.layout.memories[plane], len(tile), self.layout.stride // self.layout.tile)

    def extract(self, lane: int) -> NDArray[np.uint8]:
        """Return the state of one lane as a simulation keeps it."""
        array, chosen = self.single.allocate(), np.array([lane])
        for number, word in enumerate(self.program.words):
            view = self.single.view(array, word.state)
            view[word.word if len(view) > 1 else 0] = self.word_row(number)[lane]
        for plane, memory in enumerate(self.program.memories):
            view = self.single.view(array, memory.state)
            elements = self.plane_elements(plane, chosen, np.arange(memory.depth))[0]
            if view.ndim == 1:
                view[:] = elements
            else:
                view[:, memory.word] = elements
        return array

    def copy_lane(self, lane: int, into: NDArray[np.int64]) -> None:
        """Copy the state of one lane into others."""
        for number in range(len(self.program.words)):
            row = self.word_row(number).copy()
            row[into] = row[lane]
            self.set_row(number, row)
        for plane, memory in enumerate(self.program.memories):
            if not memory.shared:
                every = np.arange(memory.depth)
                elements = self.plane_elements(plane, np.array([lane]), every)
                self.put_plane("", plane, into, every, np.broadcast_to(elements, (len(into), memory.depth)))

    # --------------------------------------------------------------------------------------------------- words

    def word_row(self, word: int) -> LaneValues:
        """Return a word of the state in all lanes; a view on the CPU."""
        item = container_bytes(self.program.words[word].width)
        return self.data.read(self.layout.rows[word], item * self.lanes).view(f"u{item}")

    def set_row(self, word: int, values: NDArray[Any]) -> None:
        """Set a word in all lanes."""
        item = container_bytes(self.program.words[word].width)
        data = np.ascontiguousarray(values.astype(f"u{item}", copy=False)).view(np.uint8)
        self.data.write(self.layout.rows[word], data)

    def put_part(self, part: Part, chosen: NDArray[np.int64], data: NDArray[Any], wide: bool) -> None:
        """Set the bits of one state, word by word."""
        first, twin = self.program.places[part.state], self.states[part.state].twin
        width, done = self.states[part.state].width, 0
        while done < part.width:
            at = part.state_low + done
            word, low = divmod(at, 64)
            take = min(part.width - done, 64 - low, 64 - (part.low + done) % 64)
            source = data[..., (part.low + done) // 64] if wide else data
            bits = source.astype(np.uint64) >> np.uint64((part.low + done) % 64) & np.uint64((1 << take) - 1)
            row = self.word_row(first + word).copy()
            if take == min(64, width - 64 * word):
                row[chosen] = bits.astype(row.dtype)
            else:
                hole = np.uint64((1 << 64) - 1 - (((1 << take) - 1) << low))
                row[chosen] = (row[chosen].astype(np.uint64) & hole | bits << np.uint64(low)).astype(row.dtype)
            self.set_row(first + word, row)
            if twin >= 0:
                unknown = self.word_row(self.program.places[twin] + word).copy()
                unknown[chosen] &= np.array(~(((1 << take) - 1) << low) & (1 << 64) - 1, np.uint64).astype(row.dtype)
                self.set_row(self.program.places[twin] + word, unknown)
            done += take

    # ------------------------------------------------------------------------------------------------ memories

    def planes(self, state: int) -> list[int]:
        """Return the planes of a memory."""
        first = self.program.places[state]
        return list(range(first, first + -(-self.states[state].width // 64)))

    def plane_elements(self, plane: int, lanes: NDArray[np.int64], elements: NDArray[np.int64]) -> LaneValues:
        """Return `[lane, element]` of one plane of a memory."""
        memory, tile = self.program.memories[plane], self.layout.tile
        item = container_bytes(memory.width)
        at = self.layout.memories[plane]
        if memory.shared:
            data = self.data.read(at, item * memory.depth).view(f"u{item}")[elements]
            return np.broadcast_to(data, (len(lanes), len(elements))).copy()
        size = item * memory.depth * tile
        result = np.empty((len(lanes), len(elements)), f"u{item}")
        if _FEW * len(elements) <= memory.depth and len(lanes):
            first, count = int(lanes.min()) // tile, int(lanes.max()) // tile - int(lanes.min()) // tile + 1
            for number, element in enumerate(elements.tolist()):
                place = at + first * size + element * tile * item
                row = self.data.read_rows(place, size, tile * item, count)
                result[:, number] = np.ascontiguousarray(row).view(f"u{item}").reshape(-1)[lanes - first * tile]
            return result
        for number in np.unique(lanes // tile).tolist():
            mine = np.nonzero(lanes // tile == number)[0]
            block = self.data.read(at + number * size, size).view(f"u{item}").reshape(memory.depth, tile)
            result[mine] = block[np.ix_(elements, lanes[mine] % tile)].T
        return result

    def put_plane(
        self, path: str, plane: int, lanes: NDArray[np.int64], elements: NDArray[np.int64], data: NDArray[Any]
    ) -> None:
        """Set `[lane, element]` of one plane of a memory."""
        memory, tile, at = self.program.memories[plane], self.layout.tile, self.layout.memories[plane]
        item = container_bytes(memory.width)
        if memory.shared:
            if len(lanes) < self.lanes or (data != data[:1]).any():
                raise UserError(
                    "bad-lanes",
                    f"the design never writes '{path}', so all lanes share it: set the same in all of them,"
                    f" or make the batch with private=('{path}',)",
                )
            block = self.data.read(at, item * memory.depth).view(f"u{item}").copy()
            block[elements] = data[0]
            self.data.write(at, block.view(np.uint8))
            return
        size = item * memory.depth * tile
        if _FEW * len(elements) <= memory.depth and len(lanes):
            first, count = int(lanes.min()) // tile, int(lanes.max()) // tile - int(lanes.min()) // tile + 1
            for number, element in enumerate(elements.tolist()):
                place = at + first * size + element * tile * item
                row = np.array(self.data.read_rows(place, size, tile * item, count))
                row.view(f"u{item}").reshape(-1)[lanes - first * tile] = data[:, number]
                self.data.write_rows(place, size, row)
            return
        for number in np.unique(lanes // tile).tolist():
            mine = np.nonzero(lanes // tile == number)[0]
            block = self.data.read(at + number * size, size).view(f"u{item}").reshape(memory.depth, tile).copy()
            block[np.ix_(elements, lanes[mine] % tile)] = data[mine].T
            self.data.write(at + number * size, block.reshape(-1).view(np.uint8))
