"""Take samples of a region's state at one of its edges, spread evenly over a run however long it becomes.

Compiled code copies the state into a ring, once in a few edges (`emit_situations`). Whenever the ring is full a thread
takes its samples away, forgets every other one of all that it has, and has those that come be twice as far apart. So
after any time there are between one and two rings of samples, at equal distances but for chance. (Vitter, "Random
sampling with a reservoir", 1985, treats the problem; halving keeps the order, and compiled code has nothing to do.)

Samples of earlier runs are kept in the code cache; those of a run that is too short to show much add to them.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from weft.engines.cpu import edge_table as words
from weft.engines.cpu.object_cache import ObjectCache

RING_ROWS, RING_BYTES = 2048, 1 << 23
"""What a ring has room for, and what it may take: of large states there are fewer samples."""

NEAREST, FARTHEST = 60, 48
"""Shifts of 64 random bits: at first 8 edges lie between two samples on average, in the end 32,768."""


class EdgeSampler:
    """Hold the samples of one edge; `size` is that of a state's scalars, `row` the edge's row of the table.

    `key` is what earlier samples have in the cache, or empty; `room` how many samples the ring has room for.
    """

    def __init__(self, size: int, row: NDArray[np.uint64], cache: ObjectCache, key: str) -> None:
        self._size, self._row, self._cache, self._key = size, row, cache, key
        self.room = max(16, min(RING_ROWS, RING_BYTES // max(size, 1)))
        self._rows = self.room
        self._ring: NDArray[np.uint8] | None = None
        self._earlier = np.zeros((0, size), np.uint8)
        self._taken = np.zeros((0, size), np.uint8)

    def begin(self, rings: int = 1) -> None:
        """Have samples taken from now on; those of earlier runs count as well.

        With room for several `rings`, the thread that takes samples away may be late without missing much.
        """
        if self._ring is None or self._rows != rings * self.room:
            # Compiled code copies whole blocks of 32 bytes, of which the last may be longer than the state.
            self._rows = rings * self.room
            self._ring = np.zeros(self._rows * self._size + 64, np.uint8)
            self._row[words.RING], self._row[words.ROOM] = self._ring.ctypes.data, self._rows
        self._row[words.SHIFT], self._row[words.TAKEN] = NEAREST, 0
        self.recall()

    def recall(self) -> None:
        """Count the samples that are kept, and no others."""
        self._taken = np.zeros((0, self._size), np.uint8)
        self._earlier = self._load()

    def drain(self) -> bool:
        """Take the samples of a full ring away; say whether it was full."""
        if self._row[words.TAKEN] < self._rows:
            return False
        self.finish()
        self._taken = self._taken[::2]
        self._row[words.SHIFT] = max(FARTHEST, int(self._row[words.SHIFT]) - 1)
        return True

    def finish(self) -> None:
        """Take the samples of the ring away, as many as there are."""
        taken = int(self._row[words.TAKEN])
        if self._ring is not None and taken:
            ring = self._ring[: taken * self._size].reshape(taken, self._size)
            self._taken = np.concatenate((self._taken, ring))
        self._row[words.TAKEN] = 0

    @property
    def edges(self) -> int:
        """Return about how many edges the samples of this run are spread over."""
        return len(self._taken) << max(0, 63 - int(self._row[words.SHIFT]))

    def samples(self) -> NDArray[np.uint8]:
        """Return all samples, a row each."""
        return np.concatenate((self._earlier, self._taken))

    def keep(self) -> None:
        """Keep samples for later runs, as many as a run takes."""
        rows = self.samples()
        if self._key and len(rows):
            chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), 2 * self.room)).astype(np.intp)]
            self._cache.store(self._key, zlib.compress(chosen.tobytes(), 1))

    def _load(self) -> NDArray[np.uint8]:
        """Return the samples of earlier runs; none if they are damaged."""
        data = self._cache.load(self._key) if self._key else None
        if data is not None and self._size:
            try:
                rows = np.frombuffer(zlib.decompress(data), np.uint8)
            except zlib.error:
                return np.zeros((0, self._size), np.uint8)
            if not len(rows) % self._size:
                return rows.reshape(-1, self._size)
        return np.zeros((0, self._size), np.uint8)
