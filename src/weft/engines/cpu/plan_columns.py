"""Plan a column program: which kernels compute some nodes of a graph for many times at once, and where columns lie.

Nodes become instructions in the order of their ids. What `column_kernels` has no kernel for (values of more than 64 bits,
divisions, selects at variable positions) is compiled as a loop over the lanes around the ordinary code of the node, so
every operation is there and means the same. A column is given back when its last user has run, so that what a program
works on stays small (linear scan: Poletto, Sarkar, "Linear Scan Register Allocation", TOPLAS 21(5), 1999).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from weft.engines.cpu.column_kernels import LANES, PAD, SIZES
from weft.engines.cpu.emit_ops import NodeEmitter
from weft.engines.cpu.emit_step import function_text, module_text
from weft.engines.cpu.emitter import WIDE, words
from weft.engines.cpu.step_graph import StepGraph
from weft.ir.layout import StateLayout
from weft.ir.ops import OPS, mask

_WINDOW = 32  # bytes of a row that one kernel takes apart

PACKED, WORDS = 0, 16
"""Kinds of columns besides the container sizes: one bit a lane, and 64-bit words lane by lane."""

Instruction = tuple[str, *tuple[int, ...]]
"""A kernel's name and the words that follow its address."""


def kind_of(width: int) -> int:
    """Return the kind of a column: its container size in bytes, `PACKED` or `WORDS`."""
    if width == 1:
        return PACKED
    return next((size for size in SIZES if width <= 8 * size), WORDS)


@dataclass(frozen=True, slots=True)
class Column:
    """Place a column at a byte offset of the context."""

    at: int
    kind: int
    width: int

    @property
    def lane_bytes(self) -> int:
        """Return the size of a lane, of a column that is not packed."""
        return 8 * words(self.width) if self.kind == WORDS else self.kind


@dataclass(frozen=True, slots=True)
class Source:
    """Say where a node's values come from: word `base` of the context points to rows, `offset` is inside a row."""

    base: int
    offset: int
    stride: int


@dataclass(slots=True)
class Arena:
    """Hand out columns of a context that begins with `end` bytes of other things."""

    end: int
    constants: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    _free: dict[tuple[int, int], list[int]] = field(default_factory=dict[tuple[int, int], list[int]])

    def take(self, width: int) -> Column:
        """Return a free column for values of a width."""
        key = self._shape(width)
        free = self._free.get(key)
        if free:
            return Column(free.pop(), kind_of(width), width)
        return Column(self._fresh(key), kind_of(width), width)

    def _fresh(self, shape: tuple[int, int]) -> int:
        pad, size = shape
        return self.reserve(pad + size) + pad

    def reserve(self, size: int) -> int:
        """Return the offset of some bytes that are never given back."""
        at = (self.end + 31) & ~31
        self.end = at + size
        return at

    def constant(self, width: int, value: int) -> Column:
        """Return the column that has a value in every lane."""
        kind = kind_of(width)
        size = {PACKED: 0, WORDS: 8 * words(width)}.get(kind, kind)
        at = self.constants.get((size, value))
        if at is None:
            # It is written once for all runs, so nothing may have had the place before.
            at = self.constants[size, value] = self._fresh(self._shape(width))
        return Column(at, kind, width)

    def fill(self, context: NDArray[np.uint8]) -> None:
        """Write the constants."""
        for (size, value), at in self.constants.items():
            if not size:
                context[at : at + LANES // 8] = 255 if value else 0
                continue
            lanes = context[at : at + LANES * size].reshape(LANES, size)
            lanes[:] = np.frombuffer(value.to_bytes(size, "little"), np.uint8)

    def give_back(self, column: Column) -> None:
        """Let a column be used again."""
        self._free.setdefault(self._shape(column.width), []).append(column.at)

    @staticmethod
    def _shape(width: int) -> tuple[int, int]:
        kind = kind_of(width)
        if kind == PACKED:
            return 0, LANES // 8
        lane = 8 * words(width) if kind == WORDS else kind
        # Kernels that collect bits store whole words beyond the last lane of a narrow column.
        return (max(PAD, lane) + 31) & ~31, (LANES * lane + 31) & ~31


class ColumnProgram:
    """Build the instructions that compute nodes: `sources` are given, columns in `known` are there already."""

    def __init__(
        self,
        step: StepGraph,
        layout: StateLayout,
        arena: Arena,
        sources: Mapping[int, Source],
        known: Mapping[int, Column] | None = None,
    ) -> None:
        self.instructions: list[Instruction] = []
        self.columns: dict[int, Column] = dict(known or {})
        self.emitters: list[NodeEmitter] = []
        self.functions: list[str] = []
        self._step, self._layout, self._arena, self._sources = step, layout, arena, sources
        self._users: dict[int, int] = {}
        self._kept = {column.at for column in self.columns.values()}
        self._places: dict[str, int] = {}

    def build(
        self, nodes: Iterable[int], kept: Iterable[int], sinks: Mapping[int, list[tuple[tuple[int, ...], Callable[[], None]]]]
    ) -> None:
        """Add what computes `nodes`, ids ascending. After a node come its `sinks`: (nodes that it uses, what adds it).

        The columns of `kept` nodes, and those of the sources, are never used again for others.
        """
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
        self._gather_all(node for node in order if node in self._sources)
        for node in order:
            if node not in self.columns:
                self._emit(node)
            column = self.columns[node]
            self._users[column.at] = self._users.get(column.at, 0) + remaining.get(node, 0)
            if node in kept_nodes or node in self._sources or self._step.op[node] == _CONST:
                self._kept.add(column.at)
            for source in self._operands(node):
                self._release(source, inside)
            for used, add in sinks.get(node, ()):
                add()
                for user in used:
                    self._release(user, inside)
            if not remaining.get(node):
                self._release(node, inside, 0)

    def take(self, width: int) -> Column:
        """Return a column for the caller's own use, for ever."""
        return self._arena.take(width)

    def give_back(self, column: Column) -> None:
        """Let a column that was taken be used by what comes next."""
        self._arena.give_back(column)

    def add(self, name: str, *operands: int) -> None:
        """Append an instruction."""
        self.instructions.append((name, *operands))

    def module(self) -> str:
        """Return the module of the loops for what has no kernel, or an empty text."""
        return module_text(self.functions, self.emitters) if self.functions else ""

    def _operands(self, node: int) -> tuple[int, ...]:
        return () if node in self._sources else self._step.srcs[node]

    def _release(self, node: int, inside: set[int], count: int = 1) -> None:
        if node not in inside:
            return
        column = self.columns[node]
        left = self._users[column.at] = self._users[column.at] - count
        if left == 0 and column.at not in self._kept:
            self._arena.give_back(column)
            del self._users[column.at]

    # ------------------------------------------------------------------------------------------------ sources

    def _gather_all(self, nodes: Iterable[int]) -> None:
        """Make columns of sources: 32 bytes of the rows at a time where several sources are neighbours."""
        groups: dict[tuple[int, int], dict[int, list[int]]] = {}
        for node in nodes:
            source, width = self._sources[node], self._step.width[node]
            kind = kind_of(width)
            if kind == WORDS:
                column = self.columns[node] = self._arena.take(width)
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
        if kind == PACKED:
            block = self._scratch("bits", 4 * LANES)
            self.add("gather_bits", block, base, first)
            for eight in sorted({(offset - first) // 8 for offset in places}):
                # Eight packed columns side by side; those of the bytes between are written and not used.
                packed = self._arena.reserve(LANES)
                self.add("scatter_bits", packed, block + LANES * eight)
                for offset in range(first + 8 * eight, first + 8 * eight + 8):
                    for node in places.get(offset, ()):
                        self.columns[node] = Column(packed + (offset - first) % 8 * LANES // 8, PACKED, 1)
            return
        if len(places) < 3:
            for offset, nodes in places.items():
                column = self._arena.take(8 * kind)
                self.add(f"gather_{kind}", column.at, base, offset)
                self._share(nodes, column.at, kind)
            return
        size = max(kind, 4)
        stride = LANES * size + PAD
        length = _WINDOW // size * stride + PAD
        block = (self._arena.reserve(length) if kind == size else self._scratch("window", length)) + PAD
        self.add(f"transpose_{size}", block, base, first)
        for offset, nodes in places.items():
            at = block + (offset - first) // size * stride
            if kind < size:
                column = self._arena.take(8 * kind)
                low = 8 * ((offset - first) % size)
                self.add(f"slice_{size}_{kind}", column.at, at, low, mask(8 * kind))
                at = column.at
            self._share(nodes, at, kind)

    def _share(self, nodes: Iterable[int], at: int, kind: int) -> None:
        for node in nodes:
            self.columns[node] = Column(at, kind, self._step.width[node])

    def _scratch(self, name: str, size: int) -> int:
        """Return bytes that are used from one instruction to the next."""
        if name not in self._places:
            self._places[name] = self._arena.reserve(size)
        return self._places[name]

    # -------------------------------------------------------------------------------------------- operations

    def _emit(self, node: int) -> None:
        step = self._step
        width, sources = step.width[node], step.srcs[node]
        if step.op[node] == _CONST:
            self.columns[node] = self._arena.constant(width, step.constants[step.param[node]][0])
            return
        rule = _RULES.get(OPS[step.op[node]].name)
        operands = tuple(self.columns[source] for source in sources)
        if rule is None or any(column.kind == WORDS for column in operands) or kind_of(width) == WORDS:
            self._loop(node)
            return
        if not rule(self, node, operands):
            self._loop(node)

    def _target(self, node: int) -> Column:
        column = self.columns[node] = self._arena.take(self._step.width[node])
        return column

    def _loop(self, node: int) -> None:
        """Compute a node lane by lane, with the code that the engine has for it."""
        step, name = self._step, f"loop{len(self.functions)}_{node}"
        packed = kind_of(step.width[node]) == PACKED
        column = self._arena.take(8) if packed else self._target(node)
        # What the code needs for itself lies behind all columns that there are.
        e = NodeEmitter(step, self._layout, self._arena.end + 63 & ~63)
        e.add("br label %loop")
        e.add("loop:")
        e.add("%lane = phi i64 [0, %entry], [%lane1, %next]")
        for source in dict.fromkeys(step.srcs[node]):
            if step.op[source] != _CONST:
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
        self._arena.end = max(self._arena.end, e.scratch)
        self.functions.append(function_text(f"define void @{name}", e, "(ptr %i, ptr noalias %c) nounwind"))
        self.emitters.append(e)
        self.add(name)
        if packed:
            self.add("pack", self._target(node).at, column.at)
            self._arena.give_back(column)

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

    def same(self, node: int, column: Column) -> bool:
        """Let a node have the column of another one that has the same bits in the same container."""
        self.columns[node] = Column(column.at, column.kind, self.width(node))
        return True

    def width(self, node: int) -> int:
        """Return a node's width."""
        return self._step.width[node]

    def param(self, node: int) -> int:
        """Return a node's parameter."""
        return self._step.param[node]

    def target(self, node: int) -> Column:
        """Make a node's column."""
        return self._target(node)


# ------------------------------------------------------------------------------------------------------- rules
# A rule adds the instructions of an operation, or returns False if it has none for these operands, of 64 bits at most.

_CONST = next(op.code for op in OPS if op.name == "const")
_Rule = Callable[[ColumnProgram, int, tuple[Column, ...]], bool]


def _bitwise(name: str, packed: str) -> _Rule:
    def rule(p: ColumnProgram, node: int, operands: tuple[Column, ...]) -> bool:
        a, b = operands
        d = p.target(node)
        if d.kind == PACKED:
            p.add(f"{packed}_b", d.at, a.at, b.at)
        else:
            p.add(f"{name}_{d.kind}", d.at, a.at, b.at, mask(d.width))
        return True

    return rule


def _not(p: ColumnProgram, node: int, operands: tuple[Column, ...]) -> bool:
    d = p.target(node)
    if d.kind == PACKED:
        p.add("not_b", d.at, operands[0].at)
    else:
        p.add(f"not_{d.kind}", d.at, operands[0].at, mask(d.width))
    return True


def _compare(name: str, packed: str, swapped: bool = False) -> _Rule:
    """Return the rule of a comparison; `swapped`: that of packed bits takes its operands the other way round."""

    def rule(p: ColumnProgram, node: int, operands: tuple[Column, ...]) -> bool:
        a, b = operands
        d = p.target(node)
        if a.kind == PACKED:
            p.add(f"{packed}_b", d.at, *((b.at, a.at) if swapped else (a.at, b.at)))
        else:
            p.add(f"{name}_{a.kind}", d.at, a.at, b.at, 8 * a.kind - a.width)
        return True

    return rule


def _edge(swapped: bool) -> _Rule:
    """Return the rule of an edge (before, now): `now` and not `before`, or the other way round."""

    def rule(p: ColumnProgram, node: int, operands: tuple[Column, ...]) -> bool:
        before, now = operands[::-1] if swapped else operands
        p.add("ult_b", p.target(node).at, before.at, now.at)
        return True

    return rule


def _reduce(name: str) -> _Rule:
    def rule(p: ColumnProgram, node: int, operands: tuple[Column, ...]) -> bool:
        (a,) = operands
        if a.kind == PACKED:
            return p.same(node, a)
        p.add(f"{name}_{a.kind}", p.target(node).at, a.at, mask(a.width))
        return True

    return rule


def _shift(name: str) -> _Rule:
    def rule(p: ColumnProgram, node: int, operands: tuple[Column, ...]) -> bool:
        a, b = operands
        if a.kind == PACKED:
            return False
        d = p.target(node)
        amount = b
        # The amount in the value's container: a wider one would lose bits, and so goes lane by lane.
        if b.kind == PACKED:
            amount = p.take(d.width)
            p.add(f"spread_{d.kind}", amount.at, b.at, 1)
        elif b.kind < d.kind:
            amount = p.take(d.width)
            p.add(f"place_{b.kind}_{d.kind}", amount.at, b.at, 0)
        p.add(f"{name}_{d.kind}", d.at, a.at, amount.at, mask(d.width), 8 * d.kind - d.width)
        if amount is not b:
            p.give_back(amount)
        return True

    def guarded(p: ColumnProgram, node: int, operands: tuple[Column, ...]) -> bool:
        return operands[1].kind <= operands[0].kind and rule(p, node, operands)

    return guarded


def _slice(p: ColumnProgram, node: int, operands: tuple[Column, ...]) -> bool:
    (a,), low = operands, p.param(node)
    width = p.width(node)
    if width == a.width:
        return p.same(node, a)
    d = p.target(node)
    if d.kind == PACKED:
        p.add(f"test_{a.kind}", d.at, a.at, 1 << low)
    else:
        p.add(f"slice_{a.kind}_{d.kind}", d.at, a.at, low, mask(width))
    return True


def _zext(p: ColumnProgram, node: int, operands: tuple[Column, ...]) -> bool:
    (a,) = operands
    if kind_of(p.width(node)) == a.kind:
        return p.same(node, a)
    d = p.target(node)
    if a.kind == PACKED:
        p.add(f"spread_{d.kind}", d.at, a.at, 1)
    else:
        p.add(f"place_{a.kind}_{d.kind}", d.at, a.at, 0)
    return True


def _sext(p: ColumnProgram, node: int, operands: tuple[Column, ...]) -> bool:
    (a,) = operands
    if p.width(node) == a.width:
        return p.same(node, a)
    d = p.target(node)
    if a.kind == PACKED:
        p.add(f"spread_{d.kind}", d.at, a.at, mask(d.width))
        return True
    wide = a.at
    if a.kind != d.kind:
        p.add(f"place_{a.kind}_{d.kind}", d.at, a.at, 0)
        wide = d.at
    p.add(f"sign_{d.kind}", d.at, wide, 1 << (a.width - 1), mask(d.width))
    return True


def _concat(p: ColumnProgram, node: int, operands: tuple[Column, ...]) -> bool:
    if len(operands) == 1:
        return p.same(node, operands[0])
    d, low = p.target(node), 0
    for part in operands:
        if part.kind == PACKED:
            if low:
                p.add(f"merge_b_{d.kind}", d.at, part.at, d.at, 1 << low)
            else:
                p.add(f"spread_{d.kind}", d.at, part.at, 1)
        elif low:
            p.add(f"merge_{part.kind}_{d.kind}", d.at, part.at, d.at, low)
        else:
            p.add(f"place_{part.kind}_{d.kind}", d.at, part.at, 0)
        low += part.width
    return True


def _mux(p: ColumnProgram, node: int, operands: tuple[Column, ...]) -> bool:
    condition, a, b = operands
    d = p.target(node)
    p.add(f"mux_{d.kind or 'b'}", d.at, condition.at, a.at, b.at)
    return True


_RULES: dict[str, _Rule] = {
    "and": _bitwise("and", "and"),
    "or": _bitwise("or", "or"),
    "xor": _bitwise("xor", "xor"),
    "add": _bitwise("add", "xor"),
    "sub": _bitwise("sub", "xor"),
    "mul": _bitwise("mul", "and"),
    "not": _not,
    "eq": _compare("eq", "eq"),
    "changed": _compare("ne", "xor"),
    "ult": _compare("ult", "ult"),
    # As a signed number a bit is 0 or -1.
    "slt": _compare("slt", "ult", swapped=True),
    "posedge": _edge(swapped=False),
    "negedge": _edge(swapped=True),
    "redor": _reduce("test"),
    "redand": _reduce("full"),
    "shl": _shift("shl"),
    "lshr": _shift("lshr"),
    "ashr": _shift("ashr"),
    "slice": _slice,
    "zext": _zext,
    "sext": _sext,
    "concat": _concat,
    "mux": _mux,
}

