"""Emit the hook of a trace: when what traced values depend on has changed, copy it; another thread makes values of it.

Everything combinational follows from the scalar state and from elements of memories, so a settled time is remembered as
a *row*: the 32-byte blocks of the state in which traced values have a register or an input, and the memory elements
that they read, whose addresses are computed here because memories change. Rows are compared with the one before under a
mask of the bytes that matter; a row that does not differ is overwritten by the next. So a traced run does little more
than an untraced one: a few vector loads and stores for each edge. `plan_trace` says what becomes of the rows.

Clocks toggle all the time, so they are not part of rows; if something traced depends on a clock, every call adds a
*tick* with its value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from weft.base.dataclass import dataclass
from weft.engines.cpu import unroll_context as rec
from weft.engines.cpu.column_kernels import ROWS, TICKS
from weft.engines.cpu.columns import Source
from weft.engines.cpu.emit_ops import NodeEmitter
from weft.engines.cpu.emit_step import function_text, module_text
from weft.engines.cpu.emitter import WIDE, words
from weft.engines.cpu.step_graph import StepGraph
from weft.ir.cone_graph import SETTLE, ConeGraph, Node
from weft.ir.layout import StateLayout, container_bytes
from weft.ir.ops import CODE

FORCE, ROW_AT, ROW_LAST, ROW_LIMIT, ROW_COUNT, TICK_AT, TICK_LIMIT, TICK_COUNT = range(8)
"""Words of the hook's context: what to do though nothing has changed (`ADD_ROW`, `READ_MEMORIES`), the place of the
next row, the row before, where the buffer is full, how many rows there are; the same of the ticks."""

ADD_ROW, READ_MEMORIES = 1, 2
CONTEXT_BYTES = 64
CAPTURES = 500
"""Memory elements that one function reads at most."""

UNROLLED = 64
"""Blocks that are copied without a loop."""

_BLOCK = 32
_READ, _MEMREAD = CODE["read"], CODE["memread"]
_SIGNATURE = "(ptr noalias %s, ptr noalias %m, ptr noalias %c, ptr noalias %row, ptr noalias %last) nounwind"


@dataclass(frozen=True, slots=True)
class TracedNode:
    """Trace the value of a node, and of the node of its unknown plane if that is not -1."""

    value: int
    unknown: int = -1


@dataclass(frozen=True, slots=True)
class RowPlan:
    """Say what is in a row and a tick, and hold the module of the hook (function `trace`)."""

    text: str
    context_bytes: int
    row_bytes: int
    tick_bytes: int
    sources: dict[int, Source]


def cone(step: StepGraph, targets: Iterable[int], ends: set[int]) -> list[int]:
    """Return the nodes that targets need, in order, not going beyond `ends`."""
    found: set[int] = set()
    pending = list(targets)
    while pending:
        node = pending.pop()
        if node not in found:
            found.add(node)
            if node not in ends:
                pending.extend(source for source in step.srcs[node] if source not in found)
    return sorted(found)


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
        self._graph, self._step, self._layout, self._clocks = graph, step, layout, clocks
        self._captured, self._hot = sorted(captured), hot
        self._ticking = sorted(node for node in reads if step.param[node] in hot)
        # An address that changes makes another row, so what it depends on is part of it.
        addresses = {node for node in cone(step, self._captured, set()) if step.op[node] == _READ}
        self._hot_address = any(step.param[node] in hot for node in addresses)
        self._states = sorted(node for node in addresses | set(reads) if step.param[node] not in hot)
        self._scratch = CONTEXT_BYTES
        self._sources: dict[int, Source] = {}
        self._mask = bytearray(layout.memory_offset)

    def emit(self) -> RowPlan:
        """Return the plan."""
        at = 8
        for node in self._captured:
            stride = container_bytes(self._step.width[node])
            align = min(stride, 8) - 1
            at = (at + align) & ~align
            self._sources[node] = Source(ROWS, at, stride)
            at += stride
        first = -(-at // _BLOCK) * _BLOCK
        blocks = self._place_states(first)
        row_bytes = first + _BLOCK * len(blocks)
        tick_bytes = rec.TICK_BYTES
        for node in self._ticking:
            stride = self._layout.slots[self._step.param[node]].stride
            self._sources[node] = Source(TICKS, tick_bytes, stride)
            tick_bytes += -(-stride // 8) * 8
        functions, emitters, calls = self._captures()
        functions.append(self._main(blocks, first, row_bytes, tick_bytes, calls))
        text = module_text(functions, emitters)
        return RowPlan(text, self._scratch + 64, row_bytes, tick_bytes, self._sources)

    def _place_states(self, first: int) -> list[int]:
        """Choose the blocks of the state that rows hold; return their offsets."""
        chosen: set[int] = set()
        for node in self._states:
            slot = self._layout.slots[self._step.param[node]]
            chosen.update(range(slot.offset // _BLOCK, (slot.offset + slot.stride - 1) // _BLOCK + 1))
            self._mask[slot.offset : slot.offset + slot.stride] = bytes([255]) * slot.stride
        blocks = sorted(chosen)
        place = {block: number for number, block in enumerate(blocks)}
        for node in self._states:
            slot = self._layout.slots[self._step.param[node]]
            at = first + _BLOCK * place[slot.offset // _BLOCK] + slot.offset % _BLOCK
            self._sources[node] = Source(ROWS, at, slot.stride)
        return [_BLOCK * block for block in blocks]

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

    def _edges(self, trigger: int) -> set[tuple[int, int]] | None:
        """Return the (clock, level after it) of the edges at which a domain may fire in a run, or None if unknown."""
        graph = self._graph
        match graph.node(trigger):
            case Node("or", _, (a, b), _):
                found = self._edges(a), self._edges(b)
                return None if found[0] is None or found[1] is None else found[0] | found[1]
            case Node("posedge" | "negedge" as op, _, (_, now), _) if graph.op[now] == _READ:
                state = int(graph.param[now])
                if state in self._clocks:
                    return {(state, int(op == "posedge"))}
                # An input that is no clock changes between runs, and then everything is looked at.
                return set() if graph.states[state].kind == "input" else None
            case _:
                return None

    def _may_change(self, prefix: str, domains: set[int]) -> tuple[str, str]:
        """Return code and operand that say whether one of these domains may have fired in a run since the last call."""
        edges: set[tuple[int, int]] = set()
        for domain in sorted(domains):
            found = self._edges(self._graph.domains[domain].trigger)
            if found is None:
                return "", "true"
            edges |= found
        text, result = "", "false"
        for clock, level in sorted(edges):
            name = f"{prefix}{clock}.{level}"
            text += f"""  %{name}.p = getelementptr i8, ptr %s, i64 {self._layout.slots[clock].offset}
  %{name}.v = load i8, ptr %{name}.p
  %{name}.t = icmp eq i8 %{name}.v, {level}
  %{name}.o = or i1 {result}, %{name}.t
"""
            result = f"%{name}.o"
        return text, result

    def _memory_test(self) -> tuple[str, str]:
        """Return code and operand that say whether a memory may have been written since the last call."""
        if not self._captured:
            return "", "false"
        if self._hot_address:
            return "", "true"
        return self._may_change("m", {write.domain for write in self._graph.memory_writes})

    def _busy_test(self) -> tuple[str, str]:
        """Return code and operand that say whether anything in a row may have changed; most falling edges are idle."""
        graph = self._graph
        states = self._followed()
        if self._hot_address or states is None:
            return "", "true"
        domains = {write.domain for write in graph.writes if write.state in states and write.domain != SETTLE}
        reads_memory = self._captured or any(graph.states[state].depth for state in states)
        domains |= {write.domain for write in graph.memory_writes} if reads_memory else set()
        return self._may_change("b", domains)

    def _followed(self) -> set[int] | None:
        """Return a row's states and those that latches among them follow, or None if one follows a clock or time."""
        graph, step = self._graph, self._step
        latches = {write.state: (write.value, write.enable) for write in graph.writes if write.domain == SETTLE}
        found: set[int] = set()
        pending = [step.param[node] for node in self._states]
        while pending:
            state = pending.pop()
            if state in found:
                continue
            if state in self._hot or graph.states[state].kind == "time":
                return None
            found.add(state)
            needed = cone(step, latches.get(state, ()), set())
            pending += [step.param[node] for node in needed if step.op[node] in (_READ, _MEMREAD)]
        return found

    # -------------------------------------------------------------------------------------------------- states

    def _sweep(self, blocks: Sequence[int], first: int) -> tuple[str, str]:
        """Return constants, and code that copies the blocks and sets `%differs`."""
        if len(blocks) > UNROLLED:
            return self._sweep_loops(blocks, first)
        lines: list[str] = []
        so_far = ""
        for n, block in enumerate(blocks):
            mask = ", ".join(f"i64 {self._mask_word(block + 8 * word)}" for word in range(_BLOCK // 8))
            lines.append(_COPY.format(n=n, block=block, to=first + _BLOCK * n, mask=f"<{mask}>"))
            if so_far:
                lines.append(f"  %acc{n} = or <4 x i64> {so_far}, %x{n}\n")
            so_far = f"%acc{n}" if so_far else f"%x{n}"
        return "", "".join(lines) + _differs(so_far or "zeroinitializer")

    def _mask_word(self, at: int) -> int:
        return int.from_bytes(self._mask[at : at + 8], "little")

    def _sweep_loops(self, blocks: Sequence[int], first: int) -> tuple[str, str]:
        """Return the same with a loop for each run of neighbouring blocks."""
        table = ", ".join(f"i64 {self._mask_word(block + 8 * word)}" for block in blocks for word in range(4))
        constants = f"@masks = private unnamed_addr constant [{4 * len(blocks)} x i64] [{table}], align 32\n"
        runs: list[tuple[int, int, int]] = []
        for n, block in enumerate(blocks):
            if runs and block == runs[-1][1] + _BLOCK * (n - runs[-1][0]):
                runs[-1] = (*runs[-1][:2], runs[-1][2] + 1)
            else:
                runs.append((n, block, 1))
        text, so_far, before = "", "zeroinitializer", "sweep"
        for k, (n, block, count) in enumerate(runs):
            text += _COPY_RUN.format(
                k=k,
                before=before,
                acc=so_far,
                block=block,
                to=first + _BLOCK * n,
                masks=_BLOCK * n,
                size=_BLOCK * count,
            )
            so_far, before = f"%sum{k}", f"copied{k}"
        return constants, text + _differs(so_far)

    # -------------------------------------------------------------------------------------------------- main

    def _main(self, blocks: Sequence[int], first: int, row_bytes: int, tick_bytes: int, captures: str) -> str:
        time = next(i for i, state in enumerate(self._graph.states) if state.kind == "time")
        constants, sweep = self._sweep(blocks, first)
        memory_code, memory_test = self._memory_test()
        busy_code, busy_test = self._busy_test()
        clocks = ""
        for n, node in enumerate(self._ticking):
            slot = self._layout.slots[self._step.param[node]]
            clocks += f"""  %cs{n} = getelementptr i8, ptr %s, i64 {slot.offset}
  %cd{n} = getelementptr i8, ptr %tick, i64 {self._sources[node].offset}
  call void @llvm.memcpy.p0.p0.i64(ptr %cd{n}, ptr %cs{n}, i64 {slot.stride}, i1 0)
"""
        idle = "add" if self._ticking else "leave"
        return (
            constants
            + f"""
define i32 @trace(ptr noalias %s, ptr noalias %m, ptr noalias %c) nounwind {{
entry:
  %force = load i64, ptr %c
  %forced = icmp ne i64 %force, 0
{busy_code}  %busy = or i1 {busy_test}, %forced
  br i1 %busy, label %sweep, label %{idle}
sweep:
  %row.p = getelementptr i64, ptr %c, i64 {ROW_AT}
  %row = load ptr, ptr %row.p
  %last.p = getelementptr i64, ptr %c, i64 {ROW_LAST}
  %last = load ptr, ptr %last.p
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
  %ticks.p0 = getelementptr i64, ptr %c, i64 {TICK_COUNT}
  %number = load i64, ptr %ticks.p0
  store i64 %number, ptr %row
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
  %tick.p = getelementptr i64, ptr %c, i64 {TICK_AT}
  %tick = load ptr, ptr %tick.p
  store i64 %time, ptr %tick
  %rows.p = getelementptr i64, ptr %c, i64 {ROW_COUNT}
  %rows = load i64, ptr %rows.p
  %which = sub i64 %rows, 1
  %which.p = getelementptr i64, ptr %tick, i64 1
  store i64 %which, ptr %which.p
{clocks}  %tick1 = getelementptr i8, ptr %tick, i64 {tick_bytes}
  store ptr %tick1, ptr %tick.p
  %ticks.p = getelementptr i64, ptr %c, i64 {TICK_COUNT}
  %ticks = load i64, ptr %ticks.p
  %ticks1 = add i64 %ticks, 1
  store i64 %ticks1, ptr %ticks.p
  %tick.limit.p = getelementptr i64, ptr %c, i64 {TICK_LIMIT}
  %tick.limit = load ptr, ptr %tick.limit.p
  %late = icmp uge ptr %tick1, %tick.limit
  %row.limit.p = getelementptr i64, ptr %c, i64 {ROW_LIMIT}
  %row.limit = load ptr, ptr %row.limit.p
  %row.now.p = getelementptr i64, ptr %c, i64 {ROW_AT}
  %row.now = load ptr, ptr %row.now.p
  %over = icmp uge ptr %row.now, %row.limit
  %full = or i1 %late, %over
  %stop = zext i1 %full to i32
  ret i32 %stop
leave:
  ret i32 0
}}
"""
        )


def _differs(value: str) -> str:
    return f"  %wide = bitcast <4 x i64> {value} to i256\n  %differs = icmp ne i256 %wide, 0\n"


_COPY = """  %s{n} = getelementptr i8, ptr %s, i64 {block}
  %d{n} = getelementptr i8, ptr %row, i64 {to}
  %o{n} = getelementptr i8, ptr %last, i64 {to}
  %v{n} = load <4 x i64>, ptr %s{n}, align 8
  %w{n} = load <4 x i64>, ptr %o{n}, align 32
  store <4 x i64> %v{n}, ptr %d{n}, align 32
  %y{n} = xor <4 x i64> %v{n}, %w{n}
  %x{n} = and <4 x i64> %y{n}, {mask}
"""

_COPY_RUN = """  br label %copy{k}
copy{k}:
  %i{k} = phi i64 [0, %{before}], [%j{k}, %copy{k}]
  %acc{k} = phi <4 x i64> [{acc}, %{before}], [%sum{k}, %copy{k}]
  %s{k} = getelementptr i8, ptr %s, i64 {block}
  %sp{k} = getelementptr i8, ptr %s{k}, i64 %i{k}
  %d{k} = getelementptr i8, ptr %row, i64 {to}
  %dp{k} = getelementptr i8, ptr %d{k}, i64 %i{k}
  %o{k} = getelementptr i8, ptr %last, i64 {to}
  %op{k} = getelementptr i8, ptr %o{k}, i64 %i{k}
  %m{k} = getelementptr i8, ptr @masks, i64 {masks}
  %mp{k} = getelementptr i8, ptr %m{k}, i64 %i{k}
  %v{k} = load <4 x i64>, ptr %sp{k}, align 8
  %w{k} = load <4 x i64>, ptr %op{k}, align 32
  %mask{k} = load <4 x i64>, ptr %mp{k}, align 32
  store <4 x i64> %v{k}, ptr %dp{k}, align 32
  %y{k} = xor <4 x i64> %v{k}, %w{k}
  %x{k} = and <4 x i64> %y{k}, %mask{k}
  %sum{k} = or <4 x i64> %acc{k}, %x{k}
  %j{k} = add i64 %i{k}, 32
  %more{k} = icmp ult i64 %j{k}, {size}
  br i1 %more{k}, label %copy{k}, label %copied{k}
copied{k}:
"""
