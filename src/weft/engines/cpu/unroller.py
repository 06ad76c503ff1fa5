"""Turn the rows that a hook has written into chains, which FST files consist of, or into logs, in the order of time."""

from __future__ import annotations

import ctypes
from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.engines.cpu import take_segments
from weft.engines.cpu import unroll_context as rec
from weft.engines.cpu.column_kernels import INSTRUCTION_WORDS, LANES, ROW_STRIDE, TICK_STRIDE, kernel_modules
from weft.engines.cpu.columns import Instruction
from weft.engines.cpu.jit import FULL, QUICK, Compiler, Library
from weft.engines.cpu.plan_trace import TracePlan
from weft.engines.cpu.row_ring import RowRing, aligned
from weft.engines.cpu.unroll_rows import record_module

ARENA_BYTES = 16 << 20
"""The size of a section at most."""

FIRST_BYTES, SIGNAL_BYTES, SIGNAL_MOST = 2 << 20, 8 << 10, 64 << 10
"""The size of a first section, and what each signal adds to it; for each signal so much is enough: that is how far LZ4
sees, and memory that a run has not touched yet costs it more than smaller sections would."""

SECTION_SHARE = 16
"""A section is written while the next one is recorded, but for the last one: so they begin small, with some bytes for
each signal, and grow with what has been recorded."""

STAMPS = 1 << 16
"""Times that a section has room for at first."""

PATIENCE = 100
"""Naps before the unroller goes to sleep until it is called."""

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


class Unroller:
    """Turn the segments of a hook's ring into chains (`chains` true) or logs.

    One thread at a time may use it. Until `hurry` is called it waits a moment for further segments.
    """

    def __init__(self, plan: TracePlan, ring: RowRing, compiler: Compiler, *, chains: bool) -> None:
        programs = plan.programs(chains=chains)
        self._plan = plan
        objects = [compiler.submit(text, QUICK) for text in kernel_modules()]
        objects.append(compiler.submit(record_module(), FULL))
        if plan.loops:
            objects.append(compiler.submit(plan.loops, FULL))
        names = {name for program in programs for name, *_ in program}
        self._library = Library([code.result() for code in objects], sorted(names | {"unroll_ring"}))
        function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
        self._unroll = function(self._library.addresses["unroll_ring"])
        self._context = aligned(np.zeros(plan.context_bytes + 64, np.uint8))
        plan.fill(self._context)
        self._words = self._context[: rec.VALID].view(np.uint64)
        self._words[ROW_STRIDE] = plan.rows.row_bytes
        self._words[TICK_STRIDE] = plan.rows.clock_bytes
        self._words[rec.LINES] = -(-LANES * plan.rows.row_bytes // (64 * max(1, len(programs[0]))))
        self._words[rec.FIRST] = 1
        self._programs = [self._assemble(program) for program in programs]
        self._words[rec.ROW_PROGRAM] = self._programs[0].ctypes.data
        self._words[rec.TICK_PROGRAM] = self._programs[1].ctypes.data if programs[1] else 0
        self._ring = ring
        self._words[rec.RING] = ring.address
        self._words[rec.PATIENCE] = PATIENCE
        self._turn = 0
        if chains:
            self._prepare_chains()
        else:
            self._prepare_log()

    def chains(self) -> Generator[ChainSection]:
        """Take segments until none comes and give each full section; it is valid until the one after the next."""
        while status := self._unroll(self._context.ctypes.data):
            if status == take_segments.FULL:
                yield self._section()
            else:
                self._grow_stamps()

    def finish(self) -> ChainSection | None:
        """Return the section that has begun, or None."""
        return self._section() if self._words[rec.SECTION_TICKS] else None

    def logs(self) -> Generator[NDArray[np.uint32]]:
        """Take segments until none comes and give the log in pieces; each is valid until the one after the next."""
        status = take_segments.FULL
        while status != take_segments.IDLE:
            status = self._unroll(self._context.ctypes.data)
            log = self._logs[self._turn]
            used = (int(self._words[rec.LOG]) - log.ctypes.data) // 4
            if used:
                self._turn ^= 1
                self._begin_log()
                yield log[:used]

    def hurry(self) -> None:
        """No longer wait for segments. Any thread may say so."""
        self._words[rec.PATIENCE] = 0

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
        self._least, self._most = (
            min(ARENA_BYTES, max(FIRST_BYTES, each * count)) for each in (SIGNAL_BYTES, SIGNAL_MOST)
        )
        self._arenas = [np.empty(self._most + self._room, np.uint8) for _ in range(2)]
        self._stamps = [np.empty(STAMPS, np.uint64) for _ in range(2)]
        self._use_stamps()
        self._recorded = 0
        self._words[rec.CHAINS] = count
        self._divide(np.zeros(count, np.int64))

    def _divide(self, used: NDArray[np.int64]) -> None:
        """Give each signal a part of the next arena, by what it used in the last section; they grow as they need."""
        arena, rows = self._arenas[self._turn], self._rows
        self._recorded += int(used.sum())
        size = min(self._most, max(self._least, self._recorded // SECTION_SHARE))
        share = min(1.25, 0.75 * size / max(1, int(used.sum())))
        sizes = np.floor(used * share).astype(np.int64) + rows[:, 4] + 1
        ends = np.cumsum(sizes) + arena.ctypes.data
        rows[:, 0] = rows[:, 3] = ends - sizes
        rows[:, 1] = ends - rows[:, 4]
        rows[:, 2] = 0
        self._words[rec.ARENA] = ends[-1] if len(ends) else arena.ctypes.data
        self._words[rec.ARENA_END] = arena.ctypes.data + size + self._room - 64
        self._words[rec.FULL] = 0

    def _grow_stamps(self) -> None:
        """Make room for the times of another segment, and for as many as there are."""
        kept, count = self._stamps[self._turn], int(self._words[rec.SECTION_TICKS])
        self._stamps[self._turn] = np.empty(2 * count + self._ring.tick_capacity, np.uint64)
        self._stamps[self._turn][:count] = kept[:count]
        self._use_stamps()

    def _use_stamps(self) -> None:
        stamps = self._stamps[self._turn]
        self._words[rec.STAMPS], self._words[rec.STAMP_ROOM] = stamps.ctypes.data, len(stamps)

    def _section(self) -> ChainSection:
        plan, arena = self._plan, self._arenas[self._turn]
        ends, starts = (self._rows[:, word] - arena.ctypes.data for word in (0, 3))
        planes = self._context[: plan.planes_end].copy()
        times = self._stamps[self._turn][: int(self._words[rec.SECTION_TICKS])]
        section = ChainSection(arena, starts, ends, times, planes, plan.planes)
        self._words[rec.SECTION_TICKS] = 0
        self._turn ^= 1
        self._use_stamps()
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
