"""Where a batch keeps the state of its lanes: one flat array of bytes, the same on every engine.

Scalars come first: a *row* for each word, one container (of 1, 2, 4 or 8 bytes) for each lane side by side, so that a
row is an ordinary array over lanes. Memories follow. A shared plane is held once. A private one is interleaved in
*tiles*: element e of lane l lies at `((l // tile) * depth + e) * tile + l % tile`, so that neighbouring lanes that read
the same address read neighbouring containers, and one tile's memory lies together. Then come the tables of paged
planes, interleaved likewise with entries of 4 bytes in place of elements, and at the end their pool (`ir.lane_pages`).
Rows are padded to a multiple of `PADDING` lanes, and each row and memory begins at a multiple of 64 bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, replace
from weft.ir.lane_pages import FREE_LIST, PAGE_BYTES, PoolLayout, all_pages, is_paged, page_count
from weft.ir.lane_program import LaneMemory, LaneProgram
from weft.ir.layout import ALIGNMENT, container_bytes

PADDING = 64

LaneArray = NDArray[np.unsignedinteger]


@dataclass(frozen=True, slots=True)
class LaneLayout:
    """Place the words and memories of a program for a number of lanes.

    `rows[w]` is the byte offset of word w, `memories[m]` that of memory plane m or its table; `stride` is the number of
    lanes that there is room for, `size` the number of bytes of all, `pool` that of paged planes. Where the lanes are on
    several devices, `parts` may say where each has its own.
    """

    lanes: int
    tile: int
    stride: int
    rows: tuple[int, ...]
    memories: tuple[int, ...]
    size: int
    parts: tuple[LaneLayout, ...] = ()
    pool: PoolLayout | None = None

    def row(self, program: LaneProgram, array: Any, word: int) -> Any:
        """Return a word's row as a view of the array of bytes: one container for each lane."""
        item = container_bytes(program.words[word].width)
        at = self.rows[word]
        return array[at : at + item * self.stride].view(f"u{item}")[: self.lanes]

    def memory(self, program: LaneProgram, array: Any, plane: int) -> Any:
        """Return a memory plane as a view: `[element]` if it is shared, else `[tile, element, lane in tile]`."""
        memory = program.memories[plane]
        item, at = container_bytes(memory.width), self.memories[plane]
        if memory.shared:
            return array[at : at + item * memory.depth].view(f"u{item}")
        data = array[at : at + item * memory.depth * self.stride].view(f"u{item}")
        return data.reshape(self.stride // self.tile, memory.depth, self.tile)


def join_layouts(layout: LaneLayout, more: LaneLayout, away: int) -> LaneLayout:
    """Return a layout with the memories of another behind its own; their bytes begin `away` from those of the first."""
    return replace(layout, memories=(*layout.memories, *(away + place for place in more.memories)))


def place_lanes(program: LaneProgram, lanes: int, tile: int, free_pages: int = 0) -> LaneLayout:
    """Return the layout of a batch; `tile` divides `PADDING`, and lanes can be given so many pages."""
    stride = -(-lanes // PADDING) * PADDING
    at = 0
    rows: list[int] = []
    for word in program.words:
        rows.append(at)
        at += container_bytes(word.width) * stride
    memories = [-1] * len(program.memories)

    def place(chosen: list[int], bytes_of: Callable[[LaneMemory], int]) -> int:
        end = at
        for number in chosen:
            memories[number] = end
            end += _aligned(bytes_of(program.memories[number]))
        return end

    flat = [number for number, memory in enumerate(program.memories) if not memory.paged]
    paged = [number for number, memory in enumerate(program.memories) if memory.paged]
    at = place(flat, lambda each: container_bytes(each.width) * each.depth * (1 if each.shared else stride))
    if not is_paged(program):
        # A gather reads whole 32-bit words, also of the last byte.
        return LaneLayout(lanes, tile, stride, tuple(rows), tuple(memories), at + ALIGNMENT)
    tables = at
    at = place(paged, lambda each: 4 * page_count(each) * stride)
    image, first = all_pages(program), 0
    images = [-1] * len(program.memories)
    for number in paged:
        images[number] = first
        first += page_count(program.memories[number])
    pages = -(-(at + FREE_LIST + 4 * (image + free_pages + 1)) // PAGE_BYTES) * PAGE_BYTES
    pool = PoolLayout(tables, at, pages, image, free_pages, tuple(images))
    size = pages + PAGE_BYTES * (image + free_pages + 1) + ALIGNMENT
    return LaneLayout(lanes, tile, stride, tuple(rows), tuple(memories), size, pool=pool)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
