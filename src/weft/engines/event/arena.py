"""Reserve the arena of a simulation (`memory_kernels`), hand out room in it, copy it and put it back.

Nothing in an arena can be moved, since it is full of pointers. So that a state can go on in another process, arenas lie
where other things seldom do, each at a place drawn by lot: the addresses are then likely to be free in a process that
is to have the same arena.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import weakref
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from weft.base.dataclass import dataclass, field
from weft.base.errors import UserError
from weft.engines.event.memory_kernels import ARENA_END, ARENA_HEADER, ARENA_NEXT

_RESERVED = 1 << 36
"""Bytes of addresses: pages take memory when they are first written."""
_LEAST = 1 << 28
_FIRST_PLACE, _PLACES = 1 << 44, 1 << 10
"""Where arenas may begin, at multiples of `_RESERVED`: from 16 to 80 TiB, in the middle of 47 bits of addresses."""
_DRAWS = 4
"""How often a place is drawn before the system may choose one."""
_FAILED = (1 << 8 * ctypes.sizeof(ctypes.c_void_p)) - 1

Bytes = npt.NDArray[np.uint8]


def _reserve(wanted: int) -> Bytes:
    """Return addresses at a place, or anywhere if it is 0; raises `addresses-in-use`."""
    if wanted:
        found = _map(wanted)
        if found is None:
            gc.collect()  # a simulation that nobody has any more may be there
            found = _map(wanted)
        if found is None:
            raise UserError(
                "addresses-in-use",
                "the addresses that this state needs are in use in this process, by another simulation perhaps: "
                "load it there, or in another process",
            )
        return found
    for _ in range(_DRAWS):
        draw = int.from_bytes(os.urandom(4), "little") % _PLACES
        found = _map(_FIRST_PLACE + draw * _RESERVED)
        if found is not None:
            return found
    found = _map(0)
    assert found is not None
    return found


def _map(place: int) -> Bytes | None:
    """Return addresses that begin at a place, any if it is 0; None if they are not free. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    library.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    size = _RESERVED
    while (at := library.mmap(place, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)) == _FAILED:
        # The user may be allowed fewer addresses.
        size //= 2
        if size < _LEAST:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if place and at != place:
        library.munmap(at, size)
        return None
    room = (ctypes.c_uint8 * size).from_address(at)
    weakref.finalize(room, library.munmap, at, size).atexit = False
    return np.ctypeslib.as_array(room)


@dataclass(slots=True, eq=False)
class Arena:
    """Be the memory that a simulation changes. `malloc` is the kernel that hands out blocks of it.

    It begins at the address `base`, if that is given; raises `addresses-in-use`.
    """

    begin: Callable[[int], int]
    malloc: Callable[[int], int]
    base: int = 0
    bytes: Bytes = field(init=False)

    def __post_init__(self) -> None:
        self.bytes = _reserve(self.base)
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

    def room(self, size: int) -> Bytes:
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
        """Put back what `copy` returned, of this arena or of one that began at the same address."""
        end = int(self.bytes[ARENA_END : ARENA_END + 8].view(np.uint64)[0])
        if len(content) > len(self.bytes):
            raise MemoryError(f"the state has {len(content)} bytes, more than may be reserved")
        self.bytes[: len(content)] = np.frombuffer(content, dtype=np.uint8)
        self._set(ARENA_END, end)
