"""A hook that traces: it fills buffers with rows, and an unroller turns each into changes, in another thread.

While the run fills one buffer, the unroller may work on others. A full buffer stops the run with `Status.HOOK`; the
caller takes it (`take`), hands it to the unroller, and runs on.
"""

from __future__ import annotations

import ctypes
from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.engines.cpu import emit_trace as hook_words
from weft.engines.cpu import unroll_context as rec
from weft.engines.cpu.column_kernels import INSTRUCTION_WORDS, LANES, ROW_STRIDE, TICK_STRIDE, kernel_modules
from weft.engines.cpu.columns import Instruction
from weft.engines.cpu.emit_trace import TracedNode
from weft.engines.cpu.jit import FULL, QUICK, Compiler, Library
from weft.engines.cpu.plan_trace import TracePlan, plan_trace
from weft.engines.cpu.unroll_rows import record_module
from weft.ir.cone_graph import ConeGraph
from weft.ir.layout import StateLayout
from weft.ir.program import StateArray

ROW_BYTES = 4 << 20
"""The size of a buffer of rows. Each that is handed over costs the run some 50 us; new ones cost 0.2 ms a megabyte."""

TICKS = 1 << 15
ARENA_BYTES = 16 << 20
"""The size of a section at most."""

_FIRST_BYTES, _SIGNAL_BYTES = 2 << 20, 8 << 10
_SECTION_SHARE = 16
"""A section is written while the next one is recorded, but for the last one: so they begin small, with some bytes for
each signal, and grow with what has been recorded."""

LOG_BYTES = 4 << 20
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


@dataclass(slots=True)
class RowBuffer:
    """Hold rows and ticks that a hook has written, and how many there are.

    Rows are bytes. A tick has its time in femtoseconds, the number of its row, and the bytes of its clocks.
    """

    rows: NDArray[np.uint8]
    times: NDArray[np.uint64]
    numbers: NDArray[np.uint32]
    clocks: NDArray[np.uint8]
    row_count: int = 0
    tick_count: int = 0


class TraceHook:
    """Trace nodes of a graph. `hot` are the states that toggle all the time: the clocks.

    `plan` is what an `Unroller` needs to make something of the buffers.
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
        self._library = Library([compiler.object(rows.text, FULL)], ["trace"])
        self.address = self._library.addresses["trace"]
        self._memories = layout.memory_offset
        self._block = np.zeros(rows.context_bytes, np.uint8)
        self.context: int = self._block.ctypes.data
        self._words = self._block[: hook_words.CONTEXT_BYTES].view(np.uint64)
        self._call = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 3)(self.address)
        self._capacity = max(4, ROW_BYTES // rows.row_bytes)
        # There is no row before the first; its place is that of any row.
        self._before = self.buffer()
        self._words[hook_words.ROW_LAST] = self._before.rows.ctypes.data
        self._buffer = self.buffer()
        self._begin()

    def call(self, state: StateArray) -> bool:
        """Record the present values now, and say whether the buffer is full."""
        # Python may have written a memory.
        self._words[hook_words.FORCE] |= np.uint64(hook_words.READ_MEMORIES)
        at = state.ctypes.data
        return bool(self._call(at, at + self._memories, self.context))

    def buffer(self) -> RowBuffer:
        """Return a new, empty buffer."""
        rows = self.plan.rows
        # Rows that are not there yet are read, though what becomes of them is not used: they hold zeros at first.
        size = (self._capacity + LANES + 1) * rows.row_bytes + 128
        times, numbers = np.zeros(TICKS, np.uint64), np.zeros(TICKS + LANES, np.uint32)
        clocks = np.zeros((TICKS + LANES) * rows.clock_bytes, np.uint8)
        return RowBuffer(_aligned(np.zeros(size, np.uint8)), times, numbers, clocks)

    def empty(self) -> bool:
        """Say whether nothing has been traced since the last call of `take`."""
        return not self._words[hook_words.TICK_COUNT]

    def take(self, following: RowBuffer) -> RowBuffer:
        """Return the buffer with what has been traced since the last call, and go on with another, of any content."""
        full = self._buffer
        full.row_count, full.tick_count = (
            int(self._words[word]) for word in (hook_words.ROW_COUNT, hook_words.TICK_COUNT)
        )
        # The row before the next may be overwritten by then, but the first row of a buffer is there in any case.
        self._buffer = following
        self._begin()
        return full

    def _begin(self) -> None:
        buffer, words = self._buffer, self._words
        rows = buffer.rows.ctypes.data
        words[hook_words.ROW_AT] = rows
        words[hook_words.ROW_LIMIT] = rows + self._capacity * self.plan.rows.row_bytes
        words[hook_words.TIMES] = buffer.times.ctypes.data
        words[hook_words.NUMBERS] = buffer.numbers.ctypes.data
        words[hook_words.CLOCKS] = buffer.clocks.ctypes.data
        words[hook_words.TICK_LIMIT] = len(buffer.times)
        words[hook_words.ROW_COUNT] = words[hook_words.TICK_COUNT] = 0
        # Every tick has a row in its own buffer.
        words[hook_words.FORCE] = hook_words.ADD_ROW


class Unroller:
    """Turn the buffers of a hook into chains (`chains` true) or logs."""

    def __init__(self, plan: TracePlan, compiler: Compiler, *, chains: bool) -> None:
        programs = plan.programs(chains=chains)
        self._plan = plan
        objects = [compiler.submit(text, QUICK) for text in kernel_modules()]
        objects.append(compiler.submit(record_module(), FULL))
        if plan.loops:
            objects.append(compiler.submit(plan.loops, FULL))
        names = {name for program in programs for name, *_ in program}
        self._library = Library([code.result() for code in objects], sorted(names | {"unroll"}))
        self._unroll = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(self._library.addresses["unroll"])
        self._context = _aligned(np.zeros(plan.context_bytes + 64, np.uint8))
        plan.fill(self._context)
        self._words = self._context[: rec.VALID].view(np.uint64)
        self._words[ROW_STRIDE] = plan.rows.row_bytes
        self._words[TICK_STRIDE] = plan.rows.clock_bytes
        self._words[rec.LINES] = -(-LANES * plan.rows.row_bytes // (64 * max(1, len(programs[0]))))
        self._words[rec.FIRST] = 1
        self._programs = [self._assemble(program) for program in programs]
        self._words[rec.ROW_PROGRAM] = self._programs[0].ctypes.data
        self._words[rec.TICK_PROGRAM] = self._programs[1].ctypes.data if programs[1] else 0
        self._stamps = [np.empty(TICKS, np.uint64) for _ in range(2)]
        self._ticks = 0
        self._turn = 0
        if chains:
            self._prepare_chains()
        else:
            self._prepare_log()

    def chains(self, buffer: RowBuffer) -> Generator[ChainSection]:
        """Add a buffer to the section, and give each section that is full; it is valid until the one after the next."""
        # The section may have begun in an earlier buffer: ticks count on from there.
        self._words[rec.BASE] = np.int64(-self._ticks).astype(np.uint64)
        for begin, end in self._run(buffer):
            self._keep_times(buffer.times[begin:end])
            if self._words[rec.FULL]:
                yield self._section()
                self._words[rec.BASE] = end

    def finish(self) -> ChainSection | None:
        """Return the section that has begun, or None."""
        return self._section() if self._ticks else None

    def logs(self, buffer: RowBuffer) -> Generator[NDArray[np.uint32]]:
        """Give the log of a buffer, piece by piece; a piece is valid until the one after the next."""
        for _ in self._run(buffer):
            log = self._logs[self._turn]
            used = (int(self._words[rec.LOG]) - log.ctypes.data) // 4
            self._turn ^= 1
            self._begin_log()
            if used:
                yield log[:used]

    def _run(self, buffer: RowBuffer) -> Generator[tuple[int, int]]:
        words = self._words
        words[rec.CHUNK_ROWS] = buffer.rows.ctypes.data
        words[rec.CHUNK_TIMES], words[rec.TICK_COUNT] = buffer.times.ctypes.data, buffer.tick_count
        words[rec.CHUNK_NUMBERS], words[rec.CHUNK_CLOCKS] = buffer.numbers.ctypes.data, buffer.clocks.ctypes.data
        words[rec.TICK] = 0
        while (begin := int(words[rec.TICK])) < buffer.tick_count:
            self._unroll(self._context.ctypes.data)
            yield begin, int(words[rec.TICK])

    def _assemble(self, program: Sequence[Instruction]) -> NDArray[np.uint64]:
        """Return a program as the words that `unroll` reads; a zero ends it."""
        addresses = self._library.addresses
        words = np.zeros((len(program) + 1, INSTRUCTION_WORDS), np.uint64)
        for row, (name, *operands) in zip(words, program, strict=False):
            row[0] = addresses[name]
            row[1 : 1 + len(operands)] = operands
        return words

    # ------------------------------------------------------------------------------------------------- chains

    def _prepare_chains(self) -> None:
        plan = self._plan
        count = len(plan.signals)
        rows = self._context[rec.HEADER_BYTES : rec.HEADER_BYTES + rec.CHAIN_BYTES * count]
        self._rows = rows.view(np.int64).reshape(-1, rec.CHAIN_BYTES // 8)
        record = np.where(plan.four_state, plan.widths, (plan.widths + 63) // 64 * 8) + _VARINT
        self._rows[:, 4] = record * np.where(plan.ticking, rec.WINDOW, LANES)
        # Most of the room for a block's changes is never touched, and so takes no memory.
        self._room = 2 * int(self._rows[:, 4].sum()) + count + 64
        self._arenas = [np.empty(ARENA_BYTES + self._room, np.uint8) for _ in range(2)]
        self._least = min(ARENA_BYTES, max(_FIRST_BYTES, _SIGNAL_BYTES * count))
        self._recorded = 0
        self._words[rec.CHAINS] = count
        self._divide(np.zeros(count, np.int64))

    def _divide(self, used: NDArray[np.int64]) -> None:
        """Give each signal a part of the next arena, by what it used in the last section; they grow as they need."""
        arena, rows = self._arenas[self._turn], self._rows
        self._recorded += int(used.sum())
        size = min(ARENA_BYTES, max(self._least, self._recorded // _SECTION_SHARE))
        share = min(1.25, 0.75 * size / max(1, int(used.sum())))
        sizes = np.floor(used * share).astype(np.int64) + rows[:, 4] + 1
        ends = np.cumsum(sizes) + arena.ctypes.data
        rows[:, 0] = rows[:, 3] = ends - sizes
        rows[:, 1] = ends - rows[:, 4]
        rows[:, 2] = 0
        self._words[rec.ARENA] = ends[-1] if len(ends) else arena.ctypes.data
        self._words[rec.ARENA_END] = arena.ctypes.data + size + self._room - 64
        self._words[rec.FULL] = 0

    def _keep_times(self, times: NDArray[np.uint64]) -> None:
        """Append to the section's times."""
        kept, count = self._stamps[self._turn], self._ticks + len(times)
        if count > len(kept):
            self._stamps[self._turn] = np.empty(2 * count, np.uint64)
            self._stamps[self._turn][: self._ticks] = kept[: self._ticks]
        self._stamps[self._turn][self._ticks : count] = times
        self._ticks = count

    def _section(self) -> ChainSection:
        plan, arena = self._plan, self._arenas[self._turn]
        ends, starts = (self._rows[:, word] - arena.ctypes.data for word in (0, 3))
        planes = self._context[: plan.planes_end].copy()
        times = self._stamps[self._turn][: self._ticks]
        section = ChainSection(arena, starts, ends, times, planes, plan.planes)
        self._ticks = 0
        self._turn ^= 1
        self._divide(ends - starts)
        return section

    # --------------------------------------------------------------------------------------------------- logs

    def _prepare_log(self) -> None:
        plan = self._plan
        lanes = np.where(plan.ticking, rec.WINDOW, LANES)
        changes, far = int(lanes.sum()), int((lanes * plan.record_bytes * plan.far).sum())
        self._table = (plan.record_bytes | plan.far).astype(np.uint32)
        # An entry is two words; order_log sorts pointers to them right behind them.
        self._entries = np.empty(3 * changes + 8, np.uint64)
        self._heap = np.empty(far + 64, np.uint8)
        room = int((lanes * (plan.record_bytes + 4)).sum()) + 12 * rec.WINDOW
        self._logs = [np.empty((LOG_BYTES + room) // 4 + 8, np.uint32) for _ in range(2)]
        words = self._words
        words[rec.ENTRY] = words[rec.ENTRIES] = self._entries.ctypes.data
        words[rec.HEAP] = words[rec.HEAPS] = self._heap.ctypes.data
        words[rec.SIGNALS] = self._table.ctypes.data
        self._begin_log()

    def _begin_log(self) -> None:
        log = self._logs[self._turn]
        self._words[rec.LOG] = log.ctypes.data
        self._words[rec.LOG_LIMIT] = log.ctypes.data + LOG_BYTES
        self._words[rec.FULL] = 0


def _aligned(block: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a block from its first multiple of 64 bytes on."""
    return block[-block.ctypes.data % 64 :]
