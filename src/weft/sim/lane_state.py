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
from weft.sim.lane_pages import LanePages, choose_pool
from weft.sim.lane_tiles import Tiles
from weft.sim.signal_map import Part


class LaneState:
    """Hold the bytes of all lanes of a program; `single` is the layout of one simulation's state.

    The pages of shared memories have `pool_bytes`, or if that is 0 what there is room for.
    """

    def __init__(
        self, program: LaneProgram, single: StateLayout, device: LaneDevice, lanes: int, pool_bytes: int = 0
    ) -> None:
        self.program, self.single, self.lanes = program, single, lanes
        self.states: list[State] = program.states
        self.layout: LaneLayout = place_lanes(program, lanes, device.tile)
        if self.layout.pool is not None:
            free = choose_pool(program, self.layout, device.room(), pool_bytes)
            self.layout = place_lanes(program, lanes, device.tile, free)
        per_lane = self.layout.size // self.layout.stride
        self.data: Any = device.allocate(self.layout.size, lanes, per_lane, self.layout, program)

    @property
    def pages(self) -> LanePages | None:
        """Return the memories that lanes share until they are written, if there are some."""
        return None if self.layout.pool is None else LanePages(self.program, self.layout, self.data)

    def lack_of_pages(self, program: LaneProgram) -> UserError | None:
        """Make room for what lanes write in a slot to memories that they share; return why there is none."""
        pages = self.pages
        return None if pages is None else pages.lack(program)

    def check_pages(self) -> None:
        """Raise `no-memory` where pages have run out in the middle of a slot."""
        pages = self.pages
        if pages is not None:
            pages.check()

    def copy_bytes(self) -> Any:
        """Return a copy of the bytes in the same place, without pages that are not in use."""
        pages = self.pages
        return self.data.copy() if pages is None else self.data.copy(pages.sizes())

    # ------------------------------------------------------------------------------------------- single lanes

    def spread(self, state: NDArray[np.uint8]) -> None:
        """Give every lane the state of one simulation."""
        for number, word in enumerate(self.program.words):
            value = self.single.read(state, word.state) >> 64 * word.word & (1 << word.width) - 1
            self.set_row(number, np.full(self.lanes, value, f"u{container_bytes(word.width)}"))
        pages = self.pages
        if pages is not None:
            pages.reset()
        for plane, memory in enumerate(self.program.memories):
            view = self.single.view(state, memory.state)
            elements = view if view.ndim == 1 else view[:, memory.word]
            elements = elements.astype(f"u{container_bytes(memory.width)}", copy=False)  # a last word may be narrower
            if memory.shared:
                self.data.write(self.layout.memories[plane], np.ascontiguousarray(elements).view(np.uint8))
                continue
            if memory.paged and pages is not None:
                pages.start(plane, elements)
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
            if memory.private:
                every = np.arange(memory.depth)
                elements = self.plane_elements(plane, np.array([lane]), every)
                self.put_plane("", plane, into, every, np.broadcast_to(elements, (len(into), memory.depth)))
        pages = self.pages
        if pages is not None:
            pages.share(lane, into)

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
        memory, pages = self.program.memories[plane], self.pages
        if memory.paged and pages is not None:
            return pages.read(plane, lanes, elements)
        if not memory.shared:
            return self._tiles(plane).read(lanes, elements)
        item = container_bytes(memory.width)
        data = self.data.read(self.layout.memories[plane], item * memory.depth).view(f"u{item}")[elements]
        return np.broadcast_to(data, (len(lanes), len(elements))).copy()

    def _tiles(self, plane: int) -> Tiles:
        memory = self.program.memories[plane]
        item = container_bytes(memory.width)
        return Tiles(self.data, self.layout.memories[plane], item, memory.depth, self.layout.tile)

    def put_plane(
        self, path: str, plane: int, lanes: NDArray[np.int64], elements: NDArray[np.int64], data: NDArray[Any]
    ) -> None:
        """Set `[lane, element]` of one plane of a memory."""
        memory, pages = self.program.memories[plane], self.pages
        if memory.paged and pages is not None:
            pages.write(plane, lanes, elements, data)
            return
        if not memory.shared:
            self._tiles(plane).write(lanes, elements, data)
            return
        if len(lanes) < self.lanes or (data != data[:1]).any():
            raise UserError(
                "bad-lanes",
                f"the design never writes '{path}', so all lanes share it: set the same in all of them,"
                f" or make the batch with private=('{path}',)",
            )
        item, at = container_bytes(memory.width), self.layout.memories[plane]
        block = self.data.read(at, item * memory.depth).view(f"u{item}").copy()
        block[elements] = data[0]
        self.data.write(at, block.view(np.uint8))
