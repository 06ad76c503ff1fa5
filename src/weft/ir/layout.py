"""The state layout: where each piece of state lives in the one flat NumPy array (ARCHITECTURE section 4).

The array is bytes, in two parts. The *scalar* part holds everything but memories, each value little-endian in the
smallest container of 1, 2, 4 or 8 bytes that fits, or in as many 8-byte words as it needs; larger containers come
first, so nothing is padded. The *memory* part begins at `memory_offset`, a multiple of 64; each memory starts at a
multiple of 64 and has one container per element. Bits above a value's width are always 0. Engines, checkpoints, state
files and every view that `peek`, `poke` and `memory` give out use this layout; it depends on the state table alone.

Parts of a design that occur several times (`find_repeats`) come last in both parts, each as a block of its own: in all
of them corresponding states lie at equal distances from the block's begin, so that code for one of them, given other
addresses of state and memories, is code for any.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.ir.cone_graph import State
from weft.ir.find_repeats import find_repeats

ALIGNMENT = 64
_WORD = 8


@dataclass(frozen=True, slots=True)
class Slot:
    """Place one state: byte `offset` in the array, container size `stride` in bytes, `depth` elements (0: a scalar)."""

    offset: int
    stride: int
    width: int
    depth: int


@dataclass(frozen=True, slots=True)
class StateLayout:
    """Place every state of a graph, in the order of its state table."""

    slots: tuple[Slot, ...]
    memory_offset: int
    size: int

    def allocate(self) -> NDArray[np.uint8]:
        """Return a new zeroed state array, aligned to 64 bytes."""
        raw = np.zeros(self.size + ALIGNMENT, np.uint8)
        skip = -raw.ctypes.data % ALIGNMENT
        return raw[skip : skip + self.size]

    def view(self, array: NDArray[np.uint8], state: int) -> NDArray[np.unsignedinteger]:
        """Return the state's containers as a NumPy view: one (or `words`) unsigned ints, or one row per element."""
        slot = self.slots[state]
        count = max(slot.depth, 1)
        data = array[slot.offset : slot.offset + slot.stride * count]
        if slot.stride <= 8:
            return data.view(f"<u{slot.stride}")
        words = data.view("<u8")
        return words.reshape(count, slot.stride // 8) if slot.depth else words

    def read(self, array: NDArray[np.uint8], state: int, index: int = 0) -> int:
        """Return a scalar's value, or one element of a memory."""
        slot = self.slots[state]
        at = slot.offset + index * slot.stride
        return int.from_bytes(array[at : at + slot.stride].tobytes(), "little")

    def write(self, array: NDArray[np.uint8], state: int, value: int, index: int = 0) -> None:
        """Set a scalar, or one element of a memory; the value must fit."""
        slot = self.slots[state]
        at = slot.offset + index * slot.stride
        array[at : at + slot.stride] = np.frombuffer(value.to_bytes(slot.stride, "little"), np.uint8)


def container_bytes(width: int) -> int:
    """Return the container size of a value of `width` bits."""
    for size in (1, 2, 4, 8):
        if width <= 8 * size:
            return size
    return (width + 63) // 64 * 8


def place_state(states: Sequence[State]) -> StateLayout:
    """Compute the layout of a state table."""
    slots: list[Slot | None] = [None] * len(states)
    blocks = [part for repeat in find_repeats(states) for part in repeat.parts]
    inside = {state for block in blocks for state in block}
    outside = [state for state in range(len(states)) if state not in inside]

    def place_scalars(numbers: Sequence[int], offset: int) -> int:
        scalars = [i for i in numbers if not states[i].depth]
        for i in sorted(scalars, key=lambda i: -min(container_bytes(states[i].width), 8)):
            stride = container_bytes(states[i].width)
            slots[i] = Slot(offset, stride, states[i].width, 0)
            offset += stride
        return offset

    def place_memories(numbers: Sequence[int], offset: int) -> int:
        for i in numbers:
            state = states[i]
            if state.depth:
                stride = container_bytes(state.width)
                slots[i] = Slot(offset, stride, state.width, state.depth)
                offset += -(-stride * state.depth // ALIGNMENT) * ALIGNMENT
        return offset

    offset = place_scalars(outside, 0)
    for block in blocks:
        offset = place_scalars(block, -(-offset // _WORD) * _WORD)
    # What compares 32 bytes of a part may look at as many behind the last one (`engines/cpu/emit_guard`).
    offset += 4 * _WORD if blocks else 0
    memory_offset = offset = -(-offset // ALIGNMENT) * ALIGNMENT
    for numbers in (outside, *blocks):
        offset = place_memories(numbers, offset)
    return StateLayout(tuple(slot for slot in slots if slot is not None), memory_offset, offset)
