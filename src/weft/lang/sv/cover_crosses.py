"""Bins of a cross: which combinations of the coverpoints' bins each of them selects (IEEE 1800-2023 19.6.1).

A selection is decided when the design is built, so it asks for constants. A combination that is in no declared bin has
one for itself; what `ignore_bins` select has none, and what `illegal_bins` select is an error.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from pyslang import ast

from weft.base.dataclass import dataclass, field
from weft.lang.sv.constants import index_value
from weft.lang.sv.cover_bins import Bin, condition_holds, iterators, listed_spans, spans_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State
    from weft.lang.sv.types import Layout

_MOST_TUPLES = 1 << 14

Combination = tuple[Bin, ...]


@dataclass(slots=True, eq=False)
class CrossBins:
    """Hold the declared bins of a cross; for each combination, by position: those that count it, and what it is."""

    own: list[ast.CoverageBinSymbol] = field(default_factory=list[ast.CoverageBinSymbol])
    counted: dict[tuple[int, ...], list[int]] = field(default_factory=dict[tuple[int, ...], "list[int]"])
    ignored: set[tuple[int, ...]] = field(default_factory=set[tuple[int, ...]])
    illegal: dict[tuple[int, ...], str] = field(default_factory=dict[tuple[int, ...], str])


def find_cross_bins(
    state: State, cross: ast.CoverCrossSymbol, points: list[tuple[ast.CoverpointSymbol, list[Bin]]]
) -> CrossBins:
    """Return what the bins of a cross select of the combinations of its coverpoints' bins."""
    found = CrossBins()
    bodies = [body for body in cross if isinstance(body, ast.CoverCrossBodySymbol)]
    for member in (one for body in bodies for one in body if isinstance(one, ast.CoverageBinSymbol)):
        selection = _Selection(state, member, [point for point, _ in points])
        kind = member.binsKind
        if kind == ast.CoverageBinSymbol.BinKind.Bins:
            found.own.append(member)
        for place in product(*(range(len(bins)) for _, bins in points)):
            combination = tuple(bins[i] for i, (_, bins) in zip(place, points, strict=True))
            if not selection.has(member.crossSelectExpr, combination):
                continue
            if kind == ast.CoverageBinSymbol.BinKind.Bins:
                found.counted.setdefault(place, []).append(len(found.own) - 1)
            elif kind == ast.CoverageBinSymbol.BinKind.IgnoreBins:
                found.ignored.add(place)
            else:
                found.illegal[place] = member.name
    return found


class _Selection:
    """Decide which combinations a bin selects."""

    def __init__(self, state: State, member: ast.CoverageBinSymbol, points: list[ast.CoverpointSymbol]) -> None:
        self.state, self.member, self.points = state, member, points

    def has(self, node: ast.BinsSelectExpr, combination: Combination) -> bool:
        """Say whether a combination is selected."""
        match node:
            case ast.ConditionBinsSelectExpr():
                return self._condition(node, combination)
            case ast.UnaryBinsSelectExpr():
                return not self.has(node.expr, combination)
            case ast.BinaryBinsSelectExpr():
                if node.op == ast.BinaryBinsSelectExpr.And:
                    return self.has(node.left, combination) and self.has(node.right, combination)
                return self.has(node.left, combination) or self.has(node.right, combination)
            case ast.CrossIdBinsSelectExpr():
                return True
            case ast.BinSelectWithFilterExpr():
                return self.has(node.expr, combination) and self._passes(node, combination)
            case _:
                return self.state.context.unsupported("bins of a cross made by an expression", self.member)

    def _condition(self, node: ast.ConditionBinsSelectExpr, combination: Combination) -> bool:
        """Decide `binsof(target) intersect {values}`."""
        target = node.target
        number = next((i for i, one in enumerate(self.points) if target == one or target in list(one)), None)
        if number is None:
            return self.state.context.unsupported("'binsof' of this", self.member)
        made = combination[number]
        if isinstance(target, ast.CoverageBinSymbol) and made.name.partition("[")[0] != target.name:
            return False
        if not node.intersects:
            return True
        layout = self._layout(number)
        wanted = listed_spans(self.state, node.intersects, layout, self.member)
        spans = spans_of(self.state, made, layout, self.member)
        return any(low <= last and first <= high for low, high in spans for first, last in wanted)

    def _layout(self, number: int) -> Layout:
        return self.state.layout(self.points[number].coverageExpr.type)

    def _passes(self, node: ast.BinSelectWithFilterExpr, combination: Combination) -> bool:
        """Decide `with (condition) matches number`: the condition must hold for so many tuples of values (19.6.1.2)."""
        names = iterators(node.filter)
        used = [i for i, point in enumerate(self.points) if point.name in names]
        values: list[list[int]] = []
        total = 1
        for i, made in enumerate(combination):
            spans = spans_of(self.state, made, self._layout(i), self.member)
            values.append([value for low, high in spans for value in range(low, high + 1)])
            total *= len(values[-1])
        if total > _MOST_TUPLES:
            self.state.context.unsupported(f"a condition for more than {_MOST_TUPLES} tuples of values", self.member)
        rest = total
        for i in used:
            rest //= max(len(values[i]), 1)
        wanted = 1
        if node.matchesExpr is not None:
            unbounded = isinstance(node.matchesExpr, ast.UnboundedLiteral)
            wanted = total if unbounded else index_value(node.matchesExpr) or 0
        holds = 0
        for chosen in product(*(values[i] for i in used)):
            known = {names[self.points[i].name]: value for i, value in zip(used, chosen, strict=True)}
            if condition_holds(self.state, self.member, node.filter, known):
                holds += rest
        return holds >= wanted
