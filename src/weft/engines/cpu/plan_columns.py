"""Plan a column program: which kernels compute some nodes of a graph for many times at once.

Nodes become instructions in the order of their ids, by the rules of `column_rules`. What has no rule (values of more
than 64 bits, divisions, selects at variable positions) is compiled as a loop over the lanes around the ordinary code of
the node, so every operation is there and means the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from weft.engines.cpu.column_kernels import LANES, PAD
from weft.engines.cpu.column_rules import RULES, ColumnBuilder
from weft.engines.cpu.columns import PACKED, WORDS, Arena, Column, Source, kind_of
from weft.engines.cpu.emit_ops import NodeEmitter
from weft.engines.cpu.emitter import WIDE
from weft.engines.cpu.unit_text import function_text
from weft.ir.layout import StateLayout
from weft.ir.ops import OPS, mask
from weft.ir.step_graph import CONST, StepGraph

_WINDOW = 32  # bytes of a row that one kernel takes apart

Sinks = Mapping[int, list[tuple[tuple[int, ...], Callable[[], None]]]]
"""What is to be done when a node is there: the nodes whose columns that uses, and what adds the instructions."""


class ColumnProgram(ColumnBuilder):
    """Build the instructions that compute nodes; the values of those in `sources` come from rows or ticks."""

    def __init__(self, step: StepGraph, layout: StateLayout, arena: Arena, sources: Mapping[int, Source]) -> None:
        super().__init__(step, arena, sources)
        self.emitters: list[NodeEmitter] = []
        self.functions: list[str] = []
        self._layout = layout
        self._users: dict[int, int] = {}
        self._kept: set[int] = set()
        self._places: dict[str, int] = {}

    def build(self, nodes: Iterable[int], kept: Iterable[int], sinks: Sinks) -> None:
        """Add what computes `nodes`, ids ascending, and after each its sinks.

        The columns of `kept` nodes, of sources, and those that were there before, are never used again for others.
        """
        self._kept.update(column.at for column in self.columns.values())
        order = list(nodes)
        kept_nodes = set(kept)
        inside = set(order)
        remaining: dict[int, int] = {}
        for node in order:
            for source in self._operands(node):
                remaining[source] = remaining.get(source, 0) + 1
        for found in sinks.values():
            for used, _ in found:
                for node in used:
                    remaining[node] = remaining.get(node, 0) + 1
        self._gather_all(node for node in order if node in self.sources)
        for node in order:
            if node not in self.columns:
                self._emit(node)
            column = self.columns[node]
            self._users[column.at] = self._users.get(column.at, 0) + remaining.get(node, 0)
            if node in kept_nodes or node in self.sources or self.step.op[node] == CONST:
                self._kept.add(column.at)
            for source in self._operands(node):
                self._release(source, inside)
            for used, add in sinks.get(node, ()):
                add()
                for user in used:
                    self._release(user, inside)
            if not remaining.get(node):
                self._release(node, inside, 0)

    def _operands(self, node: int) -> tuple[int, ...]:
        return () if node in self.sources else self.step.srcs[node]

    def _release(self, node: int, inside: set[int], count: int = 1) -> None:
        if node not in inside:
            return
        column = self.columns[node]
        left = self._users[column.at] = self._users[column.at] - count
        if left == 0 and column.at not in self._kept:
            self.arena.give_back(column)
            del self._users[column.at]

    # ------------------------------------------------------------------------------------------------ sources

    def _gather_all(self, nodes: Iterable[int]) -> None:
        """Make columns of sources: 32 bytes of the rows at a time where several sources are neighbours."""
        groups: dict[tuple[int, int], dict[int, list[int]]] = {}
        for node in nodes:
            source, width = self.sources[node], self.step.width[node]
            kind = kind_of(width)
            if kind == WORDS:
                column = self.columns[node] = self.arena.take(width)
                self.add("gather_words", column.at, source.base, source.offset, column.lane_bytes)
                continue
            group = groups.setdefault((source.base, kind), {})
            group.setdefault(source.offset, []).append(node)
        for (base, kind), places in groups.items():
            pending = sorted(places)
            while pending:
                inside = [offset for offset in pending if offset + max(kind, 1) <= pending[0] + _WINDOW]
                pending = pending[len(inside) :]
                self._gather_window(base, kind, {offset: places[offset] for offset in inside})

    def _gather_window(self, base: int, kind: int, places: dict[int, list[int]]) -> None:
        first = min(places)
        if kind == PACKED and len(places) < 3:
            single = self._scratch("bytes", LANES)
            for offset, nodes in places.items():
                column = self.arena.take(1)
                self.add("gather_1", single, base, offset)
                self.add("pack", column.at, single)
                self._share(nodes, column.at, PACKED)
            return
        if kind == PACKED:
            block = self._scratch("bits", 4 * LANES)
            self.add("gather_bits", block, base, first)
            for eight in sorted({(offset - first) // 8 for offset in places}):
                # Eight packed columns side by side; those of the bytes between are written and not used.
                packed = self.arena.reserve(LANES)
                self.add("scatter_bits", packed, block + LANES * eight)
                for bit in range(8):
                    self._share(places.get(first + 8 * eight + bit, ()), packed + bit * LANES // 8, PACKED)
            return
        if len(places) < 3:
            for offset, nodes in places.items():
                column = self.arena.take(8 * kind)
                self.add(f"gather_{kind}", column.at, base, offset)
                self._share(nodes, column.at, kind)
            return
        size = max(kind, 4)
        stride = LANES * size + PAD
        length = _WINDOW // size * stride + PAD
        block = (self.arena.reserve(length) if kind == size else self._scratch("window", length)) + PAD
        self.add(f"transpose_{size}", block, base, first)
        for offset, nodes in places.items():
            at = block + (offset - first) // size * stride
            if kind < size:
                column = self.arena.take(8 * kind)
                low = 8 * ((offset - first) % size)
                self.add(f"slice_{size}_{kind}", column.at, at, low, mask(8 * kind))
                at = column.at
            self._share(nodes, at, kind)

    def _share(self, nodes: Iterable[int], at: int, kind: int) -> None:
        for node in nodes:
            self.columns[node] = Column(at, kind, self.step.width[node])

    def _scratch(self, name: str, size: int) -> int:
        """Return bytes that are used from one instruction to the next."""
        if name not in self._places:
            self._places[name] = self.arena.reserve(size)
        return self._places[name]

    # -------------------------------------------------------------------------------------------- operations

    def _emit(self, node: int) -> None:
        step = self.step
        width, sources = step.width[node], step.srcs[node]
        if step.op[node] == CONST:
            self.columns[node] = self.arena.constant(width, step.constants[step.param[node]][0])
            return
        rule = RULES.get(OPS[step.op[node]].name)
        operands = tuple(self.columns[source] for source in sources)
        if rule is None or any(column.kind == WORDS for column in operands) or kind_of(width) == WORDS:
            self._loop(node)
            return
        if not rule(self, node, operands):
            self._loop(node)

    def _loop(self, node: int) -> None:
        """Compute a node lane by lane, with the code that the engine has for it."""
        step, name = self.step, f"loop{len(self.functions)}_{node}"
        packed = kind_of(step.width[node]) == PACKED
        column = self.arena.take(8) if packed else self.target(node)
        # What the code needs for itself lies behind all columns that there are.
        e = NodeEmitter(step, self._layout, self.arena.end + 63 & ~63)
        e.add("br label %loop")
        e.add("loop:")
        e.add("%lane = phi i64 [0, %entry], [%lane1, %next]")
        for source in dict.fromkeys(step.srcs[node]):
            if step.op[source] != CONST:
                e.names[source] = self._load_lane(e, self.columns[source])
        value, width = e.use(node), step.width[node]
        at = e.put(f"mul i64 %lane, {column.lane_bytes}")
        at = e.put(f"getelementptr i8, ptr {e.put(f'getelementptr i8, ptr %c, i64 {column.at}')}, i64 {at}")
        e.store(at, value, width, column.lane_bytes)
        e.add("br label %next")
        e.add("next:")
        e.add("%lane1 = add nuw i64 %lane, 1")
        e.add(f"%more = icmp ult i64 %lane1, {LANES}")
        e.add("br i1 %more, label %loop, label %done")
        e.add("done:")
        e.add("ret void")
        self.arena.end = max(self.arena.end, e.scratch)
        self.functions.append(function_text(f"define void @{name}", e, "(ptr %i, ptr noalias %c) nounwind"))
        self.emitters.append(e)
        self.add(name)
        if packed:
            self.add("pack", self.target(node).at, column.at)
            self.arena.give_back(column)

    @staticmethod
    def _load_lane(e: NodeEmitter, column: Column) -> str:
        base = e.put(f"getelementptr i8, ptr %c, i64 {column.at}")
        if column.kind == PACKED:
            byte = e.put(f"getelementptr i8, ptr {base}, i64 {e.put('lshr i64 %lane, 3')}")
            bit = e.put(f"trunc i64 {e.put('and i64 %lane, 7')} to i8")
            several = e.put(f"load i8, ptr {byte}")
            return e.put(f"trunc i8 {e.put(f'lshr i8 {several}, {bit}')} to i1")
        offset = e.put(f"mul i64 %lane, {column.lane_bytes}")
        at = e.put(f"getelementptr i8, ptr {base}, i64 {offset}")
        if column.kind != WORDS:
            return e.container(at, column.width, column.kind)
        return at if column.width > WIDE else e.fill(at, column.width)
