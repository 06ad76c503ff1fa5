"""Reserve the arena of a simulation (`memory_kernels`), hand out room in it, copy it and put it back."""

from __future__ import annotations

import mmap
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from weft.base.dataclass import dataclass, field
from weft.engines.event.memory_kernels import ARENA_END, ARENA_HEADER, ARENA_NEXT

_RESERVED = 1 << 36
"""Bytes of addresses: pages take memory when they are first written."""
_LEAST = 1 << 28


def _reserve() -> mmap.mmap:
    size = _RESERVED
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    while True:
        try:
            return mmap.mmap(-1, size, flags=flags)
        except OSError:
            # The user may be allowed fewer addresses.
            size //= 2
            if size < _LEAST:
                raise


@dataclass(slots=True, eq=False)
class Arena:
    """Be the memory that a simulation changes. `malloc` is the kernel that hands out blocks of it."""

    begin: Callable[[int], int]
    malloc: Callable[[int], int]
    bytes: npt.NDArray[np.uint8] = field(init=False)
    base: int = 0

    def __post_init__(self) -> None:
        self.bytes = np.frombuffer(_reserve(), dtype=np.uint8)
        self.base = self.bytes.ctypes.data
        self._set(ARENA_NEXT, self.base + ARENA_HEADER)
        self._set(ARENA_END, self.base + len(self.bytes))
        self.begin(self.base)

    def _set(self, offset: int, value: int) -> None:
        self.bytes[offset : offset + 8].view(np.uint64)[0] = value

    @property
    def used(self) -> int:
        """Return how many bytes from the beginning on are in use, or have been."""
        return int(self.bytes[ARENA_NEXT : ARENA_NEXT + 8].view(np.uint64)[0]) - self.base

    def room(self, size: int) -> npt.NDArray[np.uint8]:
        """Return so many bytes of zeros, at a multiple of 64."""
        start = self.malloc(size + 64) - self.base
        start += -start % 64
        return self.bytes[start : start + size]

    def words(self, count: int) -> npt.NDArray[np.uint64]:
        """Return so many words of zeros."""
        return self.room(8 * count).view(np.uint64)

    def copy(self) -> bytes:
        """Return what is in use."""
        return self.bytes[: self.used].tobytes()

    def restore(self, content: bytes) -> None:
        """Put back what `copy` returned."""
        self.bytes[: len(content)] = np.frombuffer(content, dtype=np.uint8)
