"""How operations on columns become instructions of `column_kernels`.

A rule adds the instructions of an operation, or returns False if it has none for these operands; it is only asked about
values of at most 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from weft.engines.cpu.columns import PACKED, Arena, Column, Instruction, Source, kind_of
from weft.ir.ops import mask
from weft.ir.step_graph import StepGraph


class ColumnBuilder:
    """Hold the instructions of a program so far, and the column of each node that has one."""

    def __init__(self, step: StepGraph, arena: Arena, sources: Mapping[int, Source]) -> None:
        self.step, self.arena, self.sources = step, arena, sources
        self.instructions: list[Instruction] = []
        self.columns: dict[int, Column] = {}

    def add(self, name: str, *operands: int) -> None:
        """Append an instruction."""
        self.instructions.append((name, *operands))

    def target(self, node: int) -> Column:
        """Make a node's column."""
        column = self.columns[node] = self.arena.take(self.step.width[node])
        return column

    def same(self, node: int, column: Column) -> bool:
        """Let a node have the column of another one that has the same bits in the same container."""
        self.columns[node] = Column(column.at, column.kind, self.step.width[node])
        return True


Rule = Callable[[ColumnBuilder, int, tuple[Column, ...]], bool]


def _bitwise(name: str, packed: str) -> Rule:
    def rule(p: ColumnBuilder, node: int, operands: tuple[Column, ...]) -> bool:
        a, b = operands
        d = p.target(node)
        if d.kind == PACKED:
            p.add(f"{packed}_b", d.at, a.at, b.at)
        else:
            p.add(f"{name}_{d.kind}", d.at, a.at, b.at, mask(d.width))
        return True

    return rule


def _not(p: ColumnBuilder, node: int, operands: tuple[Column, ...]) -> bool:
    d = p.target(node)
    if d.kind == PACKED:
        p.add("not_b", d.at, operands[0].at)
    else:
        p.add(f"not_{d.kind}", d.at, operands[0].at, mask(d.width))
    return True


def _compare(name: str, packed: str, swapped: bool = False) -> Rule:
    """Return the rule of a comparison; `swapped`: that of packed bits takes its operands the other way round."""

    def rule(p: ColumnBuilder, node: int, operands: tuple[Column, ...]) -> bool:
        a, b = operands
        d = p.target(node)
        if a.kind == PACKED:
            p.add(f"{packed}_b", d.at, *((b.at, a.at) if swapped else (a.at, b.at)))
        else:
            p.add(f"{name}_{a.kind}", d.at, a.at, b.at, 8 * a.kind - a.width)
        return True

    return rule


def _edge(swapped: bool) -> Rule:
    """Return the rule of an edge (before, now): `now` and not `before`, or the other way round."""

    def rule(p: ColumnBuilder, node: int, operands: tuple[Column, ...]) -> bool:
        before, now = operands[::-1] if swapped else operands
        p.add("ult_b", p.target(node).at, before.at, now.at)
        return True

    return rule


def _reduce(name: str) -> Rule:
    def rule(p: ColumnBuilder, node: int, operands: tuple[Column, ...]) -> bool:
        (a,) = operands
        if a.kind == PACKED:
            return p.same(node, a)
        p.add(f"{name}_{a.kind}", p.target(node).at, a.at, mask(a.width))
        return True

    return rule


def _shift(name: str) -> Rule:
    def rule(p: ColumnBuilder, node: int, operands: tuple[Column, ...]) -> bool:
        a, b = operands
        if a.kind == PACKED:
            return False
        d = p.target(node)
        amount = b
        # The amount in the value's container: a wider one would lose bits, and so goes lane by lane.
        if b.kind == PACKED:
            amount = p.arena.take(d.width)
            p.add(f"spread_{d.kind}", amount.at, b.at, 1)
        elif b.kind < d.kind:
            amount = p.arena.take(d.width)
            p.add(f"place_{b.kind}_{d.kind}", amount.at, b.at, 0)
        p.add(f"{name}_{d.kind}", d.at, a.at, amount.at, mask(d.width), 8 * d.kind - d.width)
        if amount is not b:
            p.arena.give_back(amount)
        return True

    def guarded(p: ColumnBuilder, node: int, operands: tuple[Column, ...]) -> bool:
        return operands[1].kind <= operands[0].kind and rule(p, node, operands)

    return guarded


def _slice(p: ColumnBuilder, node: int, operands: tuple[Column, ...]) -> bool:
    (a,), low = operands, p.step.param[node]
    width = p.step.width[node]
    if width == a.width:
        return p.same(node, a)
    d = p.target(node)
    if d.kind == PACKED:
        p.add(f"test_{a.kind}", d.at, a.at, 1 << low)
    else:
        p.add(f"slice_{a.kind}_{d.kind}", d.at, a.at, low, mask(width))
    return True


def _zext(p: ColumnBuilder, node: int, operands: tuple[Column, ...]) -> bool:
    (a,) = operands
    if kind_of(p.step.width[node]) == a.kind:
        return p.same(node, a)
    d = p.target(node)
    if a.kind == PACKED:
        p.add(f"spread_{d.kind}", d.at, a.at, 1)
    else:
        p.add(f"place_{a.kind}_{d.kind}", d.at, a.at, 0)
    return True


def _sext(p: ColumnBuilder, node: int, operands: tuple[Column, ...]) -> bool:
    (a,) = operands
    if p.step.width[node] == a.width:
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


def _concat(p: ColumnBuilder, node: int, operands: tuple[Column, ...]) -> bool:
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


def _mux(p: ColumnBuilder, node: int, operands: tuple[Column, ...]) -> bool:
    condition, a, b = operands
    d = p.target(node)
    p.add(f"mux_{d.kind or 'b'}", d.at, condition.at, a.at, b.at)
    return True


RULES: dict[str, Rule] = {
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
