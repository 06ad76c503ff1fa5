"""The segments into which a trace's hook writes rows and ticks, and that another thread takes, without Python or locks.

A segment is free or in use. The hook (one thread) takes a free one, the one with the least number, so that those which
are in a cache are used again; when it is full it says so in a queue of segments' numbers and counts what it has
*published*. The unroller (one other thread) takes segments in that order, and frees them. Each word has one writer
(but for the state of a segment, which one side takes and the other frees), and what was written before is seen with it:
the counter and the states are stored with release and loaded with acquire order, as in a ring for one producer and
one consumer (Lamport, "Proving the Correctness of Multiprocess Programs", IEEE Trans. Software Eng. SE-3(2), 1977).

Whoever writes rows at the rate of a run fills the caches that the run itself needs: memory that has not been touched
for a while costs more than the rows. So segments are small, and there are only as many as bridge what a scheduler
does to the other threads.

A run is stopped, and Python asked, only when no segment is free or when the unroller has gone to sleep (*parked*).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weft.engines.cpu.column_kernels import LANES
from weft.engines.cpu.unroll_context import WINDOW

SEGMENT_BYTES = 512 << 10
"""The size of a segment's rows."""

RING_BYTES = 8 << 20
TICKS = 1 << 13
"""Ticks of a segment at most."""

LEAST_ROWS = LANES
"""Blocks of lanes are computed whole, so a segment has at least one, and no more than it fills."""

_MOST, _LEAST = 16, 3
_LINE = 64
_WORDS = _LINE // 8

PUBLISHED, PARKED, COUNT, ORDER = 0, _WORDS, 2 * _WORDS, 3 * _WORDS
"""Words of the ring: how many segments have been published, whether the unroller sleeps, how many there are, and the
queue of their numbers. Each of the first three has a line of its own."""

SEGMENTS = ORDER + _MOST
ROWS, TIMES, NUMBERS, CLOCKS, TICK_COUNT, STATE = range(6)
"""Words of a segment, which has a line: where its rows and the columns of its ticks are, its ticks, and 1 in use."""


class RowRing:
    """Own the segments of a trace whose rows and clocks have so many bytes.

    There is one more than `count`, for what nobody is going to see.
    """

    def __init__(self, row_bytes: int, clock_bytes: int) -> None:
        rows = SEGMENT_BYTES // row_bytes
        self.row_capacity = max(LEAST_ROWS, rows - (rows % LANES if rows > LANES else 0))
        self.count = max(_LEAST, min(_MOST, RING_BYTES // (self.row_capacity * row_bytes)))
        size = (self.row_capacity + LANES + 1) * row_bytes
        # So many ticks fill as many blocks as the rows do; a few more would make another block.
        self.tick_capacity = min(TICKS, self.row_capacity * WINDOW // LANES)
        self._block = aligned(np.zeros((SEGMENTS + _WORDS * (_MOST + 1)) * 8 + _LINE, np.uint8))
        self.words = self._block[: (SEGMENTS + _WORDS * (_MOST + 1)) * 8].view(np.uint64)
        self.words[COUNT] = self.count
        # Rows that are not there yet are read, though what becomes of them is not used: they hold zeros at first.
        ticks = self.tick_capacity + LANES
        self._memory: list[NDArray[np.uint8]] = []
        for number in range(self.count + 1):
            sizes = (size, 8 * ticks, 4 * ticks, clock_bytes * ticks)
            parts = [aligned(np.zeros(bytes_ + 2 * _LINE, np.uint8)) for bytes_ in sizes]
            self._memory += parts
            self.segment(number)[ROWS : CLOCKS + 1] = [part.ctypes.data for part in parts]

    @property
    def address(self) -> int:
        """Return where the ring's words are."""
        return self.words.ctypes.data

    @property
    def parked(self) -> bool:
        """Say whether the unroller sleeps until somebody calls it."""
        return bool(self.words[PARKED])

    @parked.setter
    def parked(self, value: bool) -> None:
        self.words[PARKED] = value

    @property
    def free(self) -> int:
        """Return how many segments are free."""
        states = self.words[SEGMENTS + STATE :: _WORDS][: self.count]
        return self.count - int(np.count_nonzero(states))

    def segment(self, number: int) -> NDArray[np.uint64]:
        """Return a segment's words."""
        at = SEGMENTS + _WORDS * number
        return self.words[at : at + _WORDS]


def aligned(block: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a block from its first multiple of 64 bytes on."""
    return block[-block.ctypes.data % _LINE :]


def load_word(base: str, name: str, index: int) -> str:
    """Return code that loads a word at a pointer as `%name`."""
    return f"  %{name}.p = getelementptr i64, ptr %{base}, i64 {index}\n  %{name} = load i64, ptr %{name}.p\n"


def segment_text(number: str) -> str:
    """Return code that sets `%segment` to the segment of `%ring` with a number."""
    return f"""  %segment.o = mul i64 {number}, {_WORDS}
  %segment.w = add i64 %segment.o, {SEGMENTS}
  %segment = getelementptr i64, ptr %ring, i64 %segment.w
"""
