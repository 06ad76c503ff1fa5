"""Emit the hook of a trace: when what traced values depend on has changed, copy it; another thread makes values of it.

Everything combinational follows from the scalar state and from elements of memories, so a settled time is remembered as
a *row*: the pieces of the state in which traced values have a register or an input (`row_pieces`), and the memory
elements that they read, whose addresses are computed here because memories change. Rows are compared with the one
before under a mask of the bytes that matter; a row that does not differ is overwritten by the next. After one that did,
some more are taken without a look, since a design at work changes all the time. So a traced run does little more than
an untraced one: a few vector loads and stores for each edge. `plan_trace` says what becomes of the rows.

Clocks toggle all the time, so they are not part of rows; if something traced depends on a clock, every call adds a
*tick* with its value.

Another core has had the memory that a row goes to, and every cache miss in the order of the stores would be waited for:
so lines are asked for some rows ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from weft.base.dataclass import dataclass
from weft.engines.cpu.column_kernels import ROWS, TICKS
from weft.engines.cpu.columns import Source
from weft.engines.cpu.emit_ops import NodeEmitter
from weft.engines.cpu.emitter import WIDE, words
from weft.engines.cpu.fill_segments import (
    CLOCKS,
    CONTEXT_BYTES,
    NUMBERS,
    ROW_AT,
    ROW_COUNT,
    ROW_LAST,
    ROW_LIMIT,
    SEGMENT_CODE,
    TICK_COUNT,
    TICK_LIMIT,
    TIMES,
    TRUST,
)
from weft.engines.cpu.row_activity import RowActivity
from weft.engines.cpu.row_pieces import BLOCK, Piece, choose_pieces
from weft.engines.cpu.unit_text import function_text, module_text
from weft.ir.cone_graph import ConeGraph
from weft.ir.layout import StateLayout, container_bytes
from weft.ir.ops import CODE
from weft.ir.step_graph import StepGraph, cone

CAPTURES = 500
"""Memory elements that one function reads at most."""

UNROLLED = 64
"""Blocks of 32 bytes that are copied without a loop."""

AHEAD = 1024
"""Bytes between a row's place and what is asked for while it is written."""

AHEAD_TICKS = 64
TRUSTED = 15
"""Rows that are taken without a look after one that differed."""

_LINE = 64
_READ, _MEMREAD = CODE["read"], CODE["memread"]
_SIGNATURE = "(ptr noalias %s, ptr noalias %m, ptr noalias %c, ptr noalias %row, ptr noalias %last) nounwind"


@dataclass(frozen=True, slots=True)
class TracedNode:
    """Trace the value of a node, and of the node of its unknown plane if that is not -1."""

    value: int
    unknown: int = -1


@dataclass(frozen=True, slots=True)
class RowPlan:
    """Say what is in a row and the clocks of a tick, and hold the module of the hook (function `trace`)."""

    text: str
    context_bytes: int
    row_bytes: int
    clock_bytes: int
    sources: dict[int, Source]


class TraceEmitter:
    """Emit the hook for the sources of a trace: `reads` of states and `captured` reads of memories.

    `hot` are the states that toggle all the time, and `clocks` those of them that are inputs.
    """

    def __init__(
        self,
        graph: ConeGraph,
        step: StepGraph,
        layout: StateLayout,
        reads: Iterable[int],
        captured: Iterable[int],
        hot: frozenset[int],
        clocks: frozenset[int],
    ) -> None:
        self._graph, self._step, self._layout = graph, step, layout
        self._activity = RowActivity(graph, step, layout, hot, clocks)
        self._captured, self._hot = sorted(captured), hot
        self._ticking = sorted(node for node in reads if step.param[node] in hot)
        # An address that changes makes another row, so what it depends on is part of it.
        addresses = {node for node in cone(step, self._captured, set()) if step.op[node] == _READ}
        self._hot_address = any(step.param[node] in hot for node in addresses)
        self._states = sorted(node for node in addresses | set(reads) if step.param[node] not in hot)
        self._scratch = CONTEXT_BYTES
        self._sources: dict[int, Source] = {}
        self._pieces: list[Piece] = []
        self._mask = bytearray()

    def emit(self) -> RowPlan:
        """Return the plan."""
        at = 0
        for node in self._captured:
            stride = container_bytes(self._step.width[node])
            align = min(stride, 8) - 1
            at = (at + align) & ~align
            self._sources[node] = Source(ROWS, at, stride)
            at += stride
        first = -(-at // BLOCK) * BLOCK
        self._place_states(first)
        row_bytes = max(BLOCK, first + len(self._mask))
        clock_bytes = 0
        for node in self._ticking:
            stride = self._layout.slots[self._step.param[node]].stride
            self._sources[node] = Source(TICKS, clock_bytes, stride)
            clock_bytes += stride
        functions, emitters, calls = self._captures()
        functions.append(self._main(first, row_bytes, clock_bytes, calls))
        text = module_text(functions, emitters)
        return RowPlan(text, self._scratch + 64, row_bytes, clock_bytes, self._sources)

    def _place_states(self, first: int) -> None:
        """Choose what of the state rows hold, from byte `first` on, and which bytes of it matter."""
        slots = {node: self._layout.slots[self._step.param[node]] for node in self._states}
        self._pieces = choose_pieces(slots.values(), first, UNROLLED)
        places = {piece.offset + n: piece.place + n for piece in self._pieces for n in range(0, piece.size, 8)}
        end = max((piece.place + piece.size for piece in self._pieces), default=first)
        self._mask = bytearray(-(-(end - first) // BLOCK) * BLOCK)
        for node, slot in slots.items():
            at = places[slot.offset & ~7] + (slot.offset & 7)
            self._sources[node] = Source(ROWS, at, slot.stride)
            self._mask[at - first : at - first + slot.stride] = bytes([255]) * slot.stride

    # ----------------------------------------------------------------------------------------------- memories

    def _captures(self) -> tuple[list[str], list[NodeEmitter], str]:
        """Return functions that put memory elements into the row and say whether one has changed, and their calls."""
        functions: list[str] = []
        emitters: list[NodeEmitter] = []
        calls, result = "", "false"
        for first in range(0, len(self._captured), CAPTURES):
            number = len(functions)
            e = NodeEmitter(self._step, self._layout, self._scratch)
            differs = "false"
            for node in self._captured[first : first + CAPTURES]:
                differs = e.put(f"or i1 {differs}, {self._capture(e, node)}")
            e.add(f"ret i1 {differs}")
            self._scratch = e.scratch
            functions.append(function_text(f"define internal i1 @captures{number}", e, _SIGNATURE))
            emitters.append(e)
            calls += f"  %k{number} = call i1 @captures{number}(ptr %s, ptr %m, ptr %c, ptr %row, ptr %last)\n"
            calls += f"  %kk{number} = or i1 {result}, %k{number}\n"
            result = f"%kk{number}"
        return functions, emitters, calls + f"  %captured = or i1 {result}, false\n"

    def _capture(self, e: NodeEmitter, node: int) -> str:
        source, width, value = self._sources[node], e.width[node], e.use(node)
        new, old = (e.put(f"getelementptr i8, ptr {row}, i64 {source.offset}") for row in ("%row", "%last"))
        e.store(new, value, width, source.stride)
        if width > WIDE:
            same = e.call("w_eq", f"ptr {new}, ptr {old}, i64 {words(width)}", "i1")
            return e.put(f"xor i1 {same}, true")
        kind = f"i{8 * source.stride}"
        before = e.put(f"load {kind}, ptr {old}, align {min(source.stride, 8)}")
        return e.put(f"icmp ne {kind} {before}, {e.resize(value, width, 8 * source.stride)}")

    def _memory_test(self) -> tuple[str, str]:
        """Return code and operand that say whether a memory may have been written since the last call."""
        if not self._captured:
            return "", "false"
        if self._hot_address:
            return "", "true"
        return self._activity.may_change("m", {write.domain for write in self._graph.memory_writes})

    # -------------------------------------------------------------------------------------------------- states

    def _sweep(self, first: int) -> tuple[str, str]:
        """Return constants, and code that copies the pieces and sets `%differs`; it enters block `swept`."""
        size = len(self._mask)
        if not size:
            return "", "  br label %swept\nswept:\n  %differs = or i1 false, false\n"
        if sum(piece.size for piece in self._pieces) > BLOCK * UNROLLED:
            copies = self._copy_loops(self._pieces)
        else:
            copies = "".join(
                _COPY.format(n=n, offset=piece.offset, words=piece.size // 8, place=piece.place, align=piece.size)
                for n, piece in enumerate(self._pieces)
            )
            copies += "".join(_ASK.format(n=n, at=AHEAD + n) for n in range(0, first + size, _LINE))
        words = np.frombuffer(bytes(self._mask), np.uint64).tolist()
        table = ", ".join(f"i64 {word}" for word in words)
        masks = f"@masks = private unnamed_addr constant [{len(words)} x i64] [{table}], align 32\n"
        return masks, copies + _COMPARE.format(first=first, size=size, trust=TRUST, trusted=TRUSTED)

    @staticmethod
    def _copy_loops(pieces: Sequence[Piece]) -> str:
        """Return code that copies pieces, with a loop for each run of neighbours."""
        runs: list[Piece] = []
        for piece in pieces:
            if runs and piece.offset == runs[-1].offset + runs[-1].size:
                piece = Piece(runs[-1].offset, runs[-1].size + piece.size, runs[-1].place)
                runs.pop()
            runs.append(piece)
        text, before = "", "sweep"
        for k, run in enumerate(runs):
            text += _COPY_RUN.format(k=k, before=before, offset=run.offset, place=run.place, size=run.size, ahead=AHEAD)
            before = f"copied{k}"
        return text

    # -------------------------------------------------------------------------------------------------- main

    def _main(self, first: int, row_bytes: int, clock_bytes: int, captures: str) -> str:
        time = next(i for i, state in enumerate(self._graph.states) if state.kind == "time")
        constants, sweep = self._sweep(first)
        memory_code, memory_test = self._memory_test()
        busy_code, busy_test = "", "true"
        if not self._hot_address:
            places = {self._step.param[node]: self._sources[node].offset for node in self._states}
            busy_code, busy_test = self._activity.busy(places, bool(self._captured))
        clocks = ""
        for n, node in enumerate(self._ticking):
            slot = self._layout.slots[self._step.param[node]]
            clocks += f"""  %cs{n} = getelementptr i8, ptr %s, i64 {slot.offset}
  %cd{n} = getelementptr i8, ptr %clocks, i64 {self._sources[node].offset}
  call void @llvm.memcpy.p0.p0.i64(ptr %cd{n}, ptr %cs{n}, i64 {slot.stride}, i1 0)
"""
        soon = "".join(
            f"  %soon.{name} = getelementptr i8, ptr %{place}, i64 {AHEAD_TICKS * size}\n"
            f"  call void @llvm.prefetch.p0(ptr %soon.{name}, i32 1, i32 3, i32 1)\n"
            for name, place, size in (("time", "tick", 8), ("number", "which.p", 4), ("clock", "clocks", clock_bytes))
        )
        idle = "add" if self._ticking else "leave"
        return (
            constants
            + f"""
define i32 @trace(ptr noalias %s, ptr noalias %m, ptr noalias %c) nounwind {{
entry:
  %force = load i64, ptr %c
  %forced = icmp ne i64 %force, 0
  %last.p = getelementptr i64, ptr %c, i64 {ROW_LAST}
  %last = load ptr, ptr %last.p
{busy_code}  %busy = or i1 {busy_test}, %forced
  br i1 %busy, label %sweep, label %{idle}
sweep:
  %row.p = getelementptr i64, ptr %c, i64 {ROW_AT}
  %row = load ptr, ptr %row.p
{sweep}{memory_code}  %written = or i1 {memory_test}, %forced
  %look = or i1 %differs, %written
  br i1 %look, label %read, label %{idle}
read:
  store i64 0, ptr %c
{captures}  %row.bit = trunc i64 %force to i1
  %other = or i1 %captured, %row.bit
  %changed = or i1 %differs, %other
  br i1 %changed, label %commit, label %{idle}
commit:
  store ptr %row, ptr %last.p
  %next = getelementptr i8, ptr %row, i64 {row_bytes}
  store ptr %next, ptr %row.p
  %rows.p0 = getelementptr i64, ptr %c, i64 {ROW_COUNT}
  %rows0 = load i64, ptr %rows.p0
  %rows1 = add i64 %rows0, 1
  store i64 %rows1, ptr %rows.p0
  br label %add
add:
  %time.p = getelementptr i8, ptr %s, i64 {self._layout.slots[time].offset}
  %time = load i64, ptr %time.p
  %ticks.p = getelementptr i64, ptr %c, i64 {TICK_COUNT}
  %ticks = load i64, ptr %ticks.p
  %times.p = getelementptr i64, ptr %c, i64 {TIMES}
  %times = load ptr, ptr %times.p
  %tick = getelementptr i64, ptr %times, i64 %ticks
  store i64 %time, ptr %tick
  %rows.p = getelementptr i64, ptr %c, i64 {ROW_COUNT}
  %rows = load i64, ptr %rows.p
  %rows32 = trunc i64 %rows to i32
  %which = sub i32 %rows32, 1
  %numbers.p = getelementptr i64, ptr %c, i64 {NUMBERS}
  %numbers = load ptr, ptr %numbers.p
  %which.p = getelementptr i32, ptr %numbers, i64 %ticks
  store i32 %which, ptr %which.p
  %clocks.p = getelementptr i64, ptr %c, i64 {CLOCKS}
  %clocks.0 = load ptr, ptr %clocks.p
  %clocks.o = mul i64 %ticks, {clock_bytes}
  %clocks = getelementptr i8, ptr %clocks.0, i64 %clocks.o
{clocks}{soon}  %ticks1 = add i64 %ticks, 1
  store i64 %ticks1, ptr %ticks.p
  %tick.limit.p = getelementptr i64, ptr %c, i64 {TICK_LIMIT}
  %tick.limit = load i64, ptr %tick.limit.p
  %late = icmp uge i64 %ticks1, %tick.limit
  %row.limit.p = getelementptr i64, ptr %c, i64 {ROW_LIMIT}
  %row.limit = load ptr, ptr %row.limit.p
  %row.now.p = getelementptr i64, ptr %c, i64 {ROW_AT}
  %row.now = load ptr, ptr %row.now.p
  %over = icmp uge ptr %row.now, %row.limit
  %full = or i1 %late, %over
  br i1 %full, label %turn, label %leave
turn:
  %stop = call i32 @turn_segment(ptr %c)
  ret i32 %stop
leave:
  ret i32 0
}}
"""
            + SEGMENT_CODE
        )


_COPY = """  %s{n} = getelementptr i8, ptr %s, i64 {offset}
  %d{n} = getelementptr i8, ptr %row, i64 {place}
  %v{n} = load <{words} x i64>, ptr %s{n}, align 8
  store <{words} x i64> %v{n}, ptr %d{n}, align {align}
"""

_ASK = """  %ask{n} = getelementptr i8, ptr %row, i64 {at}
  call void @llvm.prefetch.p0(ptr %ask{n}, i32 1, i32 3, i32 1)
"""

_COPY_RUN = """  br label %copy{k}
copy{k}:
  %i{k} = phi i64 [0, %{before}], [%j{k}, %copy{k}]
  %s{k} = getelementptr i8, ptr %s, i64 {offset}
  %sp{k} = getelementptr i8, ptr %s{k}, i64 %i{k}
  %d{k} = getelementptr i8, ptr %row, i64 {place}
  %dp{k} = getelementptr i8, ptr %d{k}, i64 %i{k}
  %v{k} = load <4 x i64>, ptr %sp{k}, align 8
  store <4 x i64> %v{k}, ptr %dp{k}, align 32
  %ask{k} = getelementptr i8, ptr %dp{k}, i64 {ahead}
  call void @llvm.prefetch.p0(ptr %ask{k}, i32 1, i32 3, i32 1)
  %j{k} = add i64 %i{k}, 32
  %more{k} = icmp ult i64 %j{k}, {size}
  br i1 %more{k}, label %copy{k}, label %copied{k}
copied{k}:
"""

_COMPARE = """  %new = getelementptr i8, ptr %row, i64 {first}
  %old = getelementptr i8, ptr %last, i64 {first}
  %trust.p = getelementptr i64, ptr %c, i64 {trust}
  %trust = load i64, ptr %trust.p
  %trusting = icmp ne i64 %trust, 0
  br i1 %trusting, label %trusted, label %look.at
trusted:
  %trust1 = sub i64 %trust, 1
  store i64 %trust1, ptr %trust.p
  br label %swept
look.at:
  br label %compare
compare:
  %at = phi i64 [0, %look.at], [%at1, %alike]
  %new.p = getelementptr i8, ptr %new, i64 %at
  %old.p = getelementptr i8, ptr %old, i64 %at
  %mask.p = getelementptr i8, ptr @masks, i64 %at
  %new.v = load <4 x i64>, ptr %new.p, align 32
  %old.v = load <4 x i64>, ptr %old.p, align 32
  %mask.v = load <4 x i64>, ptr %mask.p, align 32
  %xor = xor <4 x i64> %new.v, %old.v
  %that.matters = and <4 x i64> %xor, %mask.v
  %unlike = icmp ne <4 x i64> %that.matters, zeroinitializer
  %unlike.4 = bitcast <4 x i1> %unlike to i4
  %other.block = icmp ne i4 %unlike.4, 0
  br i1 %other.block, label %trust.next, label %alike
alike:
  %at1 = add i64 %at, 32
  %blocks = icmp ult i64 %at1, {size}
  br i1 %blocks, label %compare, label %swept
trust.next:
  store i64 {trusted}, ptr %trust.p
  br label %swept
swept:
  %differs = phi i1 [true, %trusted], [true, %trust.next], [false, %alike]
"""
"""Compare the row with the one before, block by block; in a design at work the first one has nearly always changed."""
