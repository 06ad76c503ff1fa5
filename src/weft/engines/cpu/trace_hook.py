"""A hook that traces: it fills the segments of a ring with rows, and an unroller makes changes of them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from weft.engines.cpu import fill_segments as words
from weft.engines.cpu.emit_trace import TracedNode
from weft.engines.cpu.jit import FULL, Compiler, Library
from weft.engines.cpu.plan_trace import plan_trace
from weft.engines.cpu.row_ring import RowRing, aligned
from weft.ir.cone_graph import ConeGraph
from weft.ir.layout import StateLayout
from weft.ir.program import StateArray


class TraceHook:
    """Trace nodes of a graph. `hot` are the states that toggle all the time: the clocks.

    `plan` and `ring` are what an `Unroller` needs to make something of the rows. The hook stops a run when no segment
    is free, or when the unroller sleeps; then call `resume` until there is one again.
    """

    def __init__(
        self,
        graph: ConeGraph,
        layout: StateLayout,
        signals: Sequence[TracedNode],
        compiler: Compiler,
        *,
        hot: frozenset[int] = frozenset(),
    ) -> None:
        self.plan = plan_trace(graph, layout, signals, hot)
        rows = self.plan.rows
        self.ring = RowRing(rows.row_bytes, rows.clock_bytes)
        self._library = Library([compiler.object(rows.text, FULL)], ["trace", "take_segment", "turn_segment"])
        addresses = self._library.addresses
        self.address = addresses["trace"]
        self._memories = layout.memory_offset
        self._block = aligned(np.zeros(rows.context_bytes + 64, np.uint8))
        self.context: int = self._block.ctypes.data
        self._words = self._block[: words.CONTEXT_BYTES].view(np.uint64)
        self._call = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 3)(self.address)
        function = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)
        self._take, self._turn = (function(addresses[name]) for name in ("take_segment", "turn_segment"))
        # There is no row before the first; its place is that of any row.
        self._before = aligned(np.zeros(rows.row_bytes + 64, np.uint8))
        self._words[words.ROW_LAST] = self._before.ctypes.data
        self._words[words.RING] = self.ring.address
        self._words[words.ROW_ROOM] = self.ring.row_capacity * rows.row_bytes
        self._words[words.TICK_LIMIT] = self.ring.tick_capacity
        self._take(self.context)

    def call(self, state: StateArray) -> bool:
        """Record the present values now, and say whether the run would be stopped."""
        # Python may have written a memory.
        self._words[words.FORCE] |= np.uint64(words.READ_MEMORIES)
        at = state.ctypes.data
        return bool(self._call(at, at + self._memories, self.context))

    def seal(self) -> None:
        """Publish what has been traced since the last segment."""
        if self._words[words.SEGMENT] and self._words[words.TICK_COUNT]:
            self._turn(self.context)

    def resume(self) -> bool:
        """Say whether there is a segment to go on with, and take it."""
        return bool(self._words[words.SEGMENT]) or not self._take(self.context)

    def discard(self) -> None:
        """Drop what is traced from now on, until `resume`."""
        block = self._words
        rows, times, numbers, clocks = self.ring.segment(self.ring.count)[:4]
        block[words.ROW_AT], block[words.ROW_LIMIT] = rows, rows + block[words.ROW_ROOM]
        block[words.TIMES], block[words.NUMBERS], block[words.CLOCKS] = times, numbers, clocks
        block[words.SEGMENT] = block[words.ROW_COUNT] = block[words.TICK_COUNT] = 0
        block[words.FORCE] = words.ADD_ROW
