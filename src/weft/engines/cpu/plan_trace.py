"""Plan a trace: what the hook keeps of each time, and the two column programs that make changes of it.

A node is *ticking* if it depends on a clock input or its sample; everything else has one value in a row. The row
program computes the nodes that signals need and are not ticking, the tick program the others, for which the columns
that it needs of the former are expanded from rows to ticks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, field
from weft.engines.cpu import unroll_context as rec
from weft.engines.cpu.columns import PACKED, WORDS, Arena, Instruction
from weft.engines.cpu.emit_trace import RowPlan, TracedNode, TraceEmitter
from weft.engines.cpu.emitter import words
from weft.engines.cpu.plan_columns import ColumnProgram, Sinks
from weft.engines.cpu.unit_text import module_text
from weft.ir.cone_graph import ConeGraph
from weft.ir.layout import StateLayout
from weft.ir.ops import CODE
from weft.ir.step_graph import StepGraph, cone, step_graph

_CONST, _READ, _MEMREAD = CODE["const"], CODE["read"], CODE["memread"]


def plane_bytes(width: int) -> int:
    """Return the size of one remembered plane."""
    return 4 if width <= 32 else 8 * words(width)


@dataclass(frozen=True, slots=True)
class TracePlan:
    """Hold the plan of a trace.

    `planes` are the byte offsets in the unroller's context of each signal's remembered planes, `record_bytes` their
    sizes; `far` says which are not one plane of at most 64 bits, `ticking` which depend on a clock.
    """

    rows: RowPlan
    signals: tuple[TracedNode, ...]
    widths: NDArray[np.int64]
    four_state: NDArray[np.bool_]
    ticking: NDArray[np.bool_]
    planes: NDArray[np.int64]
    planes_end: int
    record_bytes: NDArray[np.int64]
    far: NDArray[np.bool_]
    loops: str
    context_bytes: int
    _arena: Arena
    _programs: tuple[list[Instruction], list[Instruction]]

    def programs(self, *, chains: bool) -> tuple[list[Instruction], list[Instruction]]:
        """Return the row and the tick program, which record changes as chains or as entries."""
        row, tick = self._programs
        return self._recording(row, chains), self._recording(tick, chains)

    def _recording(self, program: list[Instruction], chains: bool) -> list[Instruction]:
        # The planner leaves the signal's number in the third word.
        found: list[Instruction] = []
        for name, *operands in program:
            if not name.startswith("record_"):
                found.append((name, *operands))
                continue
            kind = name.removeprefix("record_")
            if chains:
                operands[2] = rec.HEADER_BYTES + rec.CHAIN_BYTES * operands[2]
            found.append((f"{'chain' if chains else 'note'}_{kind}", *operands))
        return found

    def fill(self, context: NDArray[np.uint8]) -> None:
        """Write the constants that programs use into a context."""
        self._arena.fill(context)


def plan_trace(
    graph: ConeGraph, layout: StateLayout, signals: Sequence[TracedNode], clocks: frozenset[int]
) -> TracePlan:
    """Return the plan of a trace of some nodes; `clocks` are the states of clock inputs."""
    return _Planner(graph, layout, signals, clocks).plan()


@dataclass(slots=True)
class _Planner:
    graph: ConeGraph
    layout: StateLayout
    signals: Sequence[TracedNode]
    clocks: frozenset[int]
    step: StepGraph = field(init=False)
    hot: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        self.step = step_graph(self.graph)
        samples = {index for index, state in enumerate(self.graph.states) if state.kind == "sample"}
        self.hot = self.clocks | samples

    def plan(self) -> TracePlan:
        step, signals = self.step, self.signals
        memory_reads = {node for node, op in enumerate(step.op) if op == _MEMREAD}
        targets = {node for signal in signals for node in (signal.value, signal.unknown) if node >= 0}
        needed = cone(step, targets, memory_reads)
        captured = [node for node in needed if node in memory_reads]
        reads = [node for node in needed if step.op[node] == _READ]
        rows = TraceEmitter(self.graph, step, self.layout, reads, captured, self.hot, self.clocks).emit()
        ticking = self._ticking(needed)
        hot_signals = [any(node in ticking for node in _planes(signal)) for signal in signals]
        widths = np.array([step.width[signal.value] for signal in signals], np.int64)
        four = np.array([signal.unknown >= 0 for signal in signals], np.bool_)
        sizes = np.array([plane_bytes(int(width)) for width in widths], np.int64)
        record_bytes = sizes * (1 + four)
        # Each plane lies at a multiple of 8, and reading a window of one may touch the word after it.
        begin = rec.HEADER_BYTES + rec.CHAIN_BYTES * len(signals)
        room = (record_bytes + 7) // 8 * 8
        planes = begin + np.cumsum(room) - room
        planes_end = begin + int(room.sum()) + 8
        arena = Arena(planes_end)
        row = ColumnProgram(step, self.layout, arena, rows.sources)
        border = self._border(needed, ticking)
        sinks = [self._sinks(row, planes, [i for i, hot in enumerate(hot_signals) if not hot])]
        row.build([node for node in needed if node not in ticking], border, sinks[0])
        tick = ColumnProgram(step, self.layout, arena, rows.sources)
        for node in border:
            _expand(row, tick, node)
        sinks.append(self._sinks(tick, planes, [i for i, hot in enumerate(hot_signals) if hot]))
        constants = {node for node in needed if step.op[node] == _CONST} if ticking else set[int]()
        tick.build([node for node in needed if node in ticking or node in constants], (), sinks[1])
        functions, emitters = row.functions + tick.functions, row.emitters + tick.emitters
        return TracePlan(
            rows=rows,
            signals=tuple(signals),
            widths=widths,
            four_state=four,
            ticking=np.array(hot_signals, np.bool_),
            planes=planes,
            planes_end=planes_end,
            record_bytes=record_bytes,
            far=four | (widths > 64),
            loops=module_text(functions, emitters) if functions else "",
            context_bytes=arena.end + 64,
            _arena=arena,
            _programs=(row.instructions, tick.instructions),
        )

    def _ticking(self, needed: Sequence[int]) -> set[int]:
        step = self.step
        found: set[int] = set()
        for node in needed:
            if step.op[node] == _READ:
                hot = step.param[node] in self.hot
            else:
                hot = step.op[node] != _MEMREAD and any(source in found for source in step.srcs[node])
            if hot:
                found.add(node)
        return found

    def _border(self, needed: Sequence[int], ticking: set[int]) -> list[int]:
        """Return the nodes that do not tick and that the tick program needs; it has constants of its own."""
        step = self.step
        found = {source for node in ticking if step.op[node] != _READ for source in step.srcs[node]}
        for signal in self.signals:
            if any(node in ticking for node in _planes(signal)):
                found.update(_planes(signal))
        return [node for node in needed if node in found and node not in ticking and step.op[node] != _CONST]

    def _sinks(self, program: ColumnProgram, planes: NDArray[np.int64], chosen: Sequence[int]) -> Sinks:
        """Return, by the node after which it can be recorded, what adds the recording of each chosen signal."""
        sinks: dict[int, list[tuple[tuple[int, ...], Callable[[], None]]]] = {}
        for i in chosen:
            used = _planes(self.signals[i])
            # A plane that is expanded from a row is there before everything else.
            ready = max((node for node in used if node not in program.columns), default=-1)
            at = int(planes[i])

            def add(i: int = i, at: int = at) -> None:
                _record(program, self.signals[i], i, at)

            sinks.setdefault(ready, []).append((used, add))
        return sinks


def _planes(signal: TracedNode) -> tuple[int, ...]:
    return (signal.value,) if signal.unknown < 0 else (signal.value, signal.unknown)


def _expand(row: ColumnProgram, tick: ColumnProgram, node: int) -> None:
    """Make a column of ticks from one of rows."""
    source = row.columns[node]
    target = tick.columns[node] = tick.arena.take(source.width)
    if source.kind == PACKED:
        single = tick.arena.take(8)
        tick.add("expand_b", single.at, source.at, rec.INDEX)
        tick.add("pack", target.at, single.at)
        tick.arena.give_back(single)
    elif source.kind == WORDS:
        tick.add("expand_words", target.at, source.at, rec.INDEX, source.lane_bytes)
    else:
        tick.add(f"expand_{source.kind}", target.at, source.at, rec.INDEX)


def _record(program: ColumnProgram, signal: TracedNode, number: int, planes: int) -> None:
    """Add the recording of a signal's changes; `TracePlan.programs` says in which form."""
    value = program.columns[signal.value]
    size = plane_bytes(value.width)
    if signal.unknown < 0 and value.kind != WORDS:
        name = "b" if value.kind == PACKED else str(value.kind)
        program.add(f"record_{name}", value.at, 0, number, planes, value.width, size)
        return
    wide, taken = [], []
    for node in _planes(signal):
        column = program.columns[node]
        if column.kind in (8, WORDS):
            wide.append(column.at)
            continue
        target = program.arena.take(64)
        taken.append(target)
        wide.append(target.at)
        if column.kind == PACKED:
            program.add("spread_8", target.at, column.at, 1)
        else:
            program.add(f"place_{column.kind}_8", target.at, column.at, 0)
    program.add("record_words", wide[0], wide[1] if len(wide) > 1 else 0, number, planes, value.width, size)
    for column in taken:
        program.arena.give_back(column)
