"""The values that a `randc` property has had in its cycle, as a set in the object (`engines.event.draw_kernels`)."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, MutableSet

from weft.engines.event.draw_kernels import CYCLE_BYTES


class CycleSet(MutableSet[int]):
    """Be the set at an address."""

    def __init__(self, address: int) -> None:
        self._bits = (ctypes.c_uint8 * CYCLE_BYTES).from_address(address)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and bool(self._bits[value >> 3] >> (value & 7) & 1)

    def __iter__(self) -> Iterator[int]:
        return iter([value for value in range(8 * CYCLE_BYTES) if value in self])

    def __len__(self) -> int:
        return sum(bits.bit_count() for bits in self._bits)

    def add(self, value: int) -> None:
        """Note a value."""
        self._bits[value >> 3] |= 1 << (value & 7)

    def discard(self, value: int) -> None:
        """Forget a value."""
        self._bits[value >> 3] &= ~(1 << (value & 7))

    def clear(self) -> None:
        """Begin a new cycle."""
        ctypes.memset(self._bits, 0, CYCLE_BYTES)
