"""The bins of a coverpoint (IEEE 1800-2023 19.5).

A bin is what values it counts, as ranges, and the property of the covergroup that counts. Values of `ignore_bins` and
`illegal_bins` are taken out of all others (19.5.5, 19.5.6). Values with x or z are in no bin.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pyslang
from pyslang import ast

from weft.base.dataclass import dataclass, field
from weft.ir.design import Binary, Const, Expr
from weft.lang.sv.build import constant, resize
from weft.lang.sv.constants import index_value
from weft.lang.sv.cover_transitions import find_transitions, is_transition
from weft.lang.sv.dispatch import layout_of, truth_of, value_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State
    from weft.lang.sv.types import Layout

_MOST = 4096
"""How many bins a coverpoint or cross may have."""
_MOST_VALUES = 1 << 16
"""How many values a condition of bins is tried for."""

Range = tuple[Expr, Expr | None]
"""The least and the greatest value; with None the first is a pattern whose unknown bits match any."""


@dataclass(slots=True, eq=False)
class Bin:
    """Be a bin: its name, the ranges of its values, and what else must hold.

    A bin of transitions has for each sequence the ranges of each step instead.
    """

    name: str
    ranges: list[Range]
    guard: Expr | None = None
    sequences: list[list[list[Range]]] = field(default_factory=list["list[list[Range]]"])


@dataclass(slots=True, eq=False)
class Bins:
    """Hold the bins of a coverpoint that count, and those that must not be hit."""

    counted: list[Bin] = field(default_factory=list[Bin])
    illegal: list[Bin] = field(default_factory=list[Bin])


def find_bins(state: State, point: ast.CoverpointSymbol, layout: Layout, most: int) -> Bins:
    """Return the bins of a coverpoint whose value has a layout; `most` is its `auto_bin_max`."""
    found = Bins()
    removed: list[Range] = []
    declared = [member for member in point if isinstance(member, ast.CoverageBinSymbol)]
    for member in declared:
        kind = member.binsKind
        if kind == ast.CoverageBinSymbol.BinKind.Bins:
            continue
        ranges = _ranges(state, member, layout)
        removed += ranges
        if kind == ast.CoverageBinSymbol.BinKind.IllegalBins:
            found.illegal.append(Bin(member.name, ranges, _guard(state, member)))
    own = [member for member in declared if member.binsKind == ast.CoverageBinSymbol.BinKind.Bins]
    for member in own:
        if not member.isDefault:
            found.counted += _declared(state, member, layout)
    if not own:
        found.counted = _automatic(state, point, layout, most)
    taken = _constants(state, removed, layout, point)
    if taken:
        for made in found.counted:
            made.ranges = _without(state, made.ranges, taken, layout, point)
        found.counted = [made for made in found.counted if made.ranges or made.sequences]
    if len(found.counted) > _MOST:
        state.context.unsupported(f"a coverpoint with more than {_MOST} bins", point)
    return found


def matches(value: Expr, made: Bin, signed: bool) -> Expr:
    """Return whether a value is in a bin, as one bit, which is x for a value with unknown bits."""
    result = in_ranges(value, made.ranges, signed)
    return result if made.guard is None else Binary("land", result, made.guard, 1)


def in_ranges(value: Expr, ranges: list[Range], signed: bool) -> Expr:
    """Return whether a value is in one of some ranges."""
    result: Expr = constant(1, 0)
    for low, high in ranges:
        if high is None:
            inside: Expr = Binary("weq", value, low, 1)
        elif low is high or low == high:
            inside = Binary("eq", value, low, 1)
        else:
            order = "s" if signed else "u"
            inside = Binary("land", Binary(f"{order}ge", value, low, 1), Binary(f"{order}le", value, high, 1), 1)
        result = inside if isinstance(result, Const) else Binary("lor", result, inside, 1)
    return result


def _guard(state: State, member: ast.CoverageBinSymbol) -> Expr | None:
    return truth_of(state, member.iffExpr) if member.iffExpr is not None else None


def _declared(state: State, member: ast.CoverageBinSymbol, layout: Layout) -> list[Bin]:
    """Return the bins of a declaration: one, one for each value, or a number of them."""
    if is_transition(member):
        return _transitions(state, member, layout)
    ranges, guard = _ranges(state, member, layout), _guard(state, member)
    if not member.isArray:
        return [Bin(member.name, ranges, guard)]
    spans = _constants(state, ranges, layout, member)
    count = sum(high - low + 1 for low, high in spans)
    wanted = count
    if member.numberOfBinsExpr is not None:
        wanted = index_value(member.numberOfBinsExpr) or 0
    if not 0 < wanted <= _MOST:
        state.context.unsupported(f"{wanted} bins in an array", member)
    # Each bin of a fixed number gets as many values as the others, the last one what is left over (19.5.1).
    size = max(count // wanted, 1)
    values = _Values(spans)
    made: list[Bin] = []
    for i in range(min(wanted, count)):
        last = i == wanted - 1
        taken = values.take(values.left if last else size)
        parts: list[Range] = [(_number(low, layout), _number(high, layout)) for low, high in taken]
        made.append(Bin(f"{member.name}[{i}]", parts, guard))
    return made


def _transitions(state: State, member: ast.CoverageBinSymbol, layout: Layout) -> list[Bin]:
    def ranges(spans: list[tuple[int, int]]) -> list[Range]:
        return [(_number(low, layout), _number(high, layout)) for low, high in spans]

    made: list[Bin] = []
    for i, sequences in enumerate(find_transitions(state, member)):
        name = f"{member.name}[{i}]" if member.isArray else member.name
        steps = [[ranges(spans) for spans in sequence] for sequence in sequences]
        made.append(Bin(name, [], _guard(state, member), steps))
    return made


@dataclass(slots=True, eq=False)
class _Values:
    """Be the values of some ranges that have not been taken yet."""

    spans: list[tuple[int, int]]

    @property
    def left(self) -> int:
        return sum(high - low + 1 for low, high in self.spans)

    def take(self, count: int) -> list[tuple[int, int]]:
        taken: list[tuple[int, int]] = []
        while count and self.spans:
            low, high = self.spans.pop(0)
            end = min(high, low + count - 1)
            taken.append((low, end))
            count -= end - low + 1
            if end < high:
                self.spans.insert(0, (end + 1, high))
        return taken


def _automatic(state: State, point: ast.CoverpointSymbol, layout: Layout, most: int) -> list[Bin]:
    """Return the bins of a coverpoint that declares none: one for each enum member, or equal parts of all values."""
    source = point.coverageExpr
    while isinstance(source, ast.ConversionExpression):
        source = source.operand
    if source.type.isEnum:
        members = state.context.describe(source.type).enum_values
        pairs = ((name, _number(value, layout)) for name, value in members)
        return [Bin(f"auto[{name}]", [(number, number)]) for name, number in pairs]
    least, largest = _extremes(layout)
    total = largest - least + 1
    count = min(total, most)
    size = total // count
    made: list[Bin] = []
    for i in range(count):
        low = least + i * size
        high = largest if i == count - 1 else low + size - 1
        made.append(Bin(f"auto[{i}]", [(_number(low, layout), _number(high, layout))]))
    return made


def _ranges(state: State, member: ast.CoverageBinSymbol, layout: Layout) -> list[Range]:
    if member.setCoverageExpr is not None:
        state.context.unsupported("bins made by an expression", member)
    if is_transition(member):
        state.context.unsupported("transitions that are ignored or illegal", member)
    found = _listed(state, member, layout)
    if member.withExpr is None:
        return found
    spans = _constants(state, found, layout, member) if member.values else [_extremes(layout)]
    kept = _chosen(state, member, spans)
    return [(_number(low, layout), _number(high, layout)) for low, high in kept]


def _chosen(state: State, member: ast.CoverageBinSymbol, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the values of some ranges for which the condition of a declaration holds (19.5.1.1)."""
    if sum(high - low + 1 for low, high in spans) > _MOST_VALUES:
        state.context.unsupported(f"a condition for more than {_MOST_VALUES} values", member)
    condition = member.withExpr
    variables = iterators(condition)
    kept: list[tuple[int, int]] = []
    for low, high in spans:
        for value in range(low, high + 1):
            if not condition_holds(state, member, condition, dict.fromkeys(variables.values(), value)):
                continue
            if kept and kept[-1][1] == value - 1:
                kept[-1] = kept[-1][0], value
            else:
                kept.append((value, value))
    return kept


def iterators(condition: ast.Expression) -> dict[str, ast.ValueSymbol]:
    """Return the variables that stand for the values of bins in a condition: `item`, or coverpoints of a cross."""
    found: dict[str, ast.ValueSymbol] = {}

    def look(node: ast.NamedValueExpression) -> None:
        if isinstance(node.symbol, ast.IteratorSymbol):
            found[node.symbol.name] = node.symbol

    condition.visit(lookup_table={ast.ExpressionKind.NamedValue: look})
    return found


def condition_holds(
    state: State, member: ast.CoverageBinSymbol, condition: ast.Expression, values: dict[ast.ValueSymbol, int]
) -> bool:
    """Return what a constant condition says of values of its variables."""
    context = ast.EvalContext(member)
    context.pushEmptyFrame()
    for symbol, value in values.items():
        width = symbol.type.bitWidth
        number = pyslang.SVInt(width, value & (1 << width) - 1, symbol.type.isSigned)
        context.createLocal(symbol, pyslang.ConstantValue(number))
    result = condition.eval(context)
    if not result:
        state.context.unsupported("a condition of bins that is no constant", condition)
    return result.isTrue()


def spans_of(state: State, made: Bin, layout: Layout, node: ast.Symbol) -> list[tuple[int, int]]:
    """Return the ranges of a bin's values, which must be constants."""
    if made.sequences:
        state.context.unsupported("a selection of bins of transitions by values", node)
    return _constants(state, made.ranges, layout, node)


def listed_spans(
    state: State, values: Iterable[ast.Expression], layout: Layout, node: ast.Symbol
) -> list[tuple[int, int]]:
    """Return constant values and ranges as ranges."""
    return _constants(state, [_span(state, value, layout) for value in values], layout, node)


def _span(state: State, value: ast.Expression, layout: Layout) -> Range:
    if isinstance(value, ast.ValueRangeExpression):
        least, largest = _extremes(layout)
        return _bound(state, value.left, layout, least), _bound(state, value.right, layout, largest)
    number = _bound(state, value, layout, 0)
    return number, number


def _listed(state: State, member: ast.CoverageBinSymbol, layout: Layout) -> list[Range]:
    """Return the ranges that a declaration lists."""
    found: list[Range] = []
    for value in member.values:
        ranged = isinstance(value, ast.ValueRangeExpression)
        if member.isWildcard and ranged:
            state.context.unsupported("a range in wildcard bins", member)
        if member.isWildcard:
            found.append((resize(value_of(state, value), layout.width, layout.signed), None))
        else:
            found.append(_span(state, value, layout))
    return found


def _bound(state: State, node: ast.Expression, layout: Layout, end: int) -> Expr:
    """Return a bound; one that the coverpoint cannot reach counts as the last that it can (19.5.7)."""
    if isinstance(node, ast.UnboundedLiteral):
        return _number(end, layout)
    known = index_value(node)
    if known is not None:
        least, largest = _extremes(layout)
        return _number(min(max(known, least), largest), layout)
    own = layout_of(state, node)
    if own.width > layout.width:
        state.context.unsupported("a bound of bins that is no constant and wider than the coverpoint", node)
    value = value_of(state, node)

    return resize(value, layout.width, own.signed)


def _constants(state: State, ranges: list[Range], layout: Layout, node: ast.Symbol) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for low, high in ranges:
        if not isinstance(low, Const) or not isinstance(high, Const):
            state.context.unsupported("bins here whose bounds are no constants", node)
        first, last = _signed(low.value, layout), _signed(high.value, layout)
        if first <= last:
            found.append((first, last))
    return found


def _without(
    state: State, ranges: list[Range], taken: list[tuple[int, int]], layout: Layout, node: ast.Symbol
) -> list[Range]:
    left = _constants(state, ranges, layout, node)
    for low, high in taken:
        parts: list[tuple[int, int]] = []
        for first, last in left:
            if first < low:
                parts.append((first, min(last, low - 1)))
            if last > high:
                parts.append((max(first, high + 1), last))
        left = [(first, last) for first, last in parts if first <= last]
    return [(_number(first, layout), _number(last, layout)) for first, last in left]


def _number(value: int, layout: Layout) -> Const:
    return Const(layout.width, value & (1 << layout.width) - 1)


def _signed(value: int, layout: Layout) -> int:
    return value - (1 << layout.width) if layout.signed and value >> (layout.width - 1) else value


def _extremes(layout: Layout) -> tuple[int, int]:
    if layout.signed:
        return -(1 << (layout.width - 1)), (1 << (layout.width - 1)) - 1
    return 0, (1 << layout.width) - 1
