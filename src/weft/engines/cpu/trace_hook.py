"""A hook that traces: compiled change detection, and the buffers that it fills in turn.

While the run fills one buffer, a writer may work on the other. A full buffer stops the run with `Status.HOOK`; the
caller takes the section (`take`) and runs on. Chains share an arena that is divided among the signals by what each of
them needed in the section before, so that the section ends when the arena is well used, whatever the signals do.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.engines.cpu import trace_records as rec
from weft.engines.cpu.emit_trace import TracedNode, TraceEmitter, plane_bytes
from weft.engines.cpu.jit import FULL, Compiler, Library
from weft.ir.cone_graph import ConeGraph
from weft.ir.layout import StateLayout
from weft.ir.program import StateArray

ARENA_BYTES = 8 << 20
LOG_BYTES = 16 << 20
TIMES = 1 << 18
_VARINT = 10


@dataclass(frozen=True, slots=True)
class ChainSection:
    """Hold one section's chains: signal i's bytes are `arena[starts[i]:ends[i]]`; `times` are in femtoseconds.

    `planes` is a copy of all signals' values at the section's end; signal i's begin at byte `offsets[i]`.
    """

    arena: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    times: NDArray[np.uint64]
    planes: NDArray[np.uint8]
    offsets: NDArray[np.int64]


class TraceHook:
    """Trace nodes of a graph into chains or a log. `hot` are the states that toggle all the time: the clocks."""

    def __init__(
        self,
        graph: ConeGraph,
        layout: StateLayout,
        signals: Sequence[TracedNode],
        compiler: Compiler,
        *,
        hot: frozenset[int] = frozenset(),
        chains: bool = True,
    ) -> None:
        emitted = TraceEmitter(graph, layout, signals, hot, chains).emit()
        self._library = Library([compiler.object(emitted.text, FULL)], ["trace"])
        self.address = self._library.addresses["trace"]
        self._memories = layout.memory_offset
        self._block = np.zeros(emitted.size + 64, np.uint8)
        self.context: int = self._block.ctypes.data
        self._words = self._block[: rec.HEADER_BYTES].view(np.uint64)
        rows = self._block[rec.HEADER_BYTES : rec.HEADER_BYTES + rec.ROW_BYTES * len(signals)]
        self._rows = rows.view(np.int64).reshape(-1, rec.ROW_BYTES // 8)
        self._plane_end = emitted.shadow
        self._offsets = np.array(emitted.planes, np.int64)
        widths = graph.width[[signal.value for signal in signals]].astype(np.int64)
        strange = np.array([signal.unknown >= 0 for signal in signals], np.bool_)
        self._record = np.where(strange, widths, (widths + 63) // 64 * 8) + _VARINT + 8
        self._log_record = 16 + sum(
            4 + plane_bytes(int(graph.width[s.value])) * (1 if s.unknown < 0 else 2) for s in signals
        )
        self._words[rec.FIRST] = 1
        self._turn = 0
        if chains:
            size = max(ARENA_BYTES, int(2 * self._record.sum()))
            self._arenas = [np.empty(size, np.uint8) for _ in range(2)]
            self._times = [np.empty(TIMES + 1, np.uint64) for _ in range(2)]
            self._starts = np.zeros(len(signals), np.int64)
            self._divide(np.ones(len(signals), np.int64))
        else:
            self._logs = [np.empty((LOG_BYTES + self._log_record) // 4 + 8, np.uint32) for _ in range(2)]
            self._begin_log()

    def call(self, state: StateArray) -> None:
        """Record the present values now: the first call records them all."""
        # Bit 0 records everything; a larger number looks at everything, for memories that Python may have written.
        self._words[rec.FIRST] |= np.uint64(2)
        at = state.ctypes.data
        ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 3)(self.address)(at, at + self._memories, self.context)

    def take_chains(self) -> ChainSection | None:
        """Return what has been traced since the last call, valid until the call after the next, or None."""
        count = int(self._words[rec.NOW])
        if not count:
            return None
        arena, times = self._arenas[self._turn], self._times[self._turn]
        ends = self._rows[:, 0] - arena.ctypes.data
        section = ChainSection(
            arena, self._starts, ends, times[:count], self._block[: self._plane_end].copy(), self._offsets
        )
        self._turn ^= 1
        self._divide(ends - self._starts)
        return section

    def take_log(self) -> NDArray[np.uint32]:
        """Return the log since the last call, valid until the call after the next."""
        log = self._logs[self._turn]
        used = (int(self._words[rec.LOG]) - log.ctypes.data) // 4
        self._turn ^= 1
        self._begin_log()
        return log[:used]

    def _begin_log(self) -> None:
        log = self._logs[self._turn]
        self._words[rec.LOG] = log.ctypes.data
        self._words[rec.LOG_LIMIT] = log.ctypes.data + LOG_BYTES

    def _divide(self, used: NDArray[np.int64]) -> None:
        """Give each signal a part of the next arena, by what it used in the last section."""
        arena = self._arenas[self._turn]
        spare = len(arena) - int(2 * self._record.sum())
        weights = used + used.mean() / 8 + 1
        sizes = 2 * self._record + np.floor(weights * (spare / weights.sum())).astype(np.int64)
        starts = np.zeros(len(sizes), np.int64)
        np.cumsum(sizes[:-1], out=starts[1:])
        self._starts = starts
        base = arena.ctypes.data
        self._rows[:, 0] = starts + base
        self._rows[:, 1] = starts + sizes - self._record + base
        self._rows[:, 2] = 0
        self._words[rec.FULL] = 0
        self._words[rec.NOW] = 0
        self._words[rec.TIMES] = self._times[self._turn].ctypes.data
        self._words[rec.TIMES_LIMIT] = TIMES
