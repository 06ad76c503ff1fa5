"""Who holds which container: assignments, arguments, results and elements copy them (IEEE 1800-2023 7.6, 7.9.9).

A value that an operator, method or function has just made belongs to nobody yet and needs no copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.ir.design import Binary, Call, Const, Expr, Item, Iterate, Signal, SystemCall, Type
from weft.lang.sv.build import bits_of, concat, constant, unknown
from weft.lang.sv.dispatch import value_of
from weft.lang.sv.shapes import align, known_parts
from weft.lang.sv.strings import compare_strings
from weft.lang.sv.types import ARRAY, CONTAINER, PACKED, REAL, STRING, STRUCT, Layout

if TYPE_CHECKING:
    from weft.lang.sv.state import State


def own(value: Expr, layout: Layout, wanted: Type | None = None) -> Expr:
    """Return a value with every container in it copied, unless nobody else can hold it."""
    if not layout.has_container or isinstance(value, Call | Const):
        return value
    if layout.kind == CONTAINER:
        if isinstance(value, Iterate) or (isinstance(value, SystemCall) and value.name in _FRESH):
            return value
        return SystemCall("array.copy", (value,), 64, type=wanted, types=(wanted,))
    if layout.kind == STRUCT:
        parts = layout.fields.values()
        return concat([own(bits_of(value, offset, part.width), part) for offset, part in parts])
    element = layout.element
    assert element is not None
    offsets = reversed(range(0, layout.width, element.width))
    return concat([own(bits_of(value, offset, element.width), element) for offset in offsets])


_FRESH = frozenset(
    {f"array.{name}" for name in ("new", "copy", "literal", "literal_default", "join", "slice", "unpack")}
)


def assigned(state: State, node: ast.Expression, target: ast.Type) -> Expr:
    """Convert a value to be held by something of type `target`: rearranged, and with its own containers."""
    wanted, source = state.layout(target), state.layout(node.type)
    value = value_of(state, node)
    if wanted.kind == CONTAINER:
        described = state.context.describe(target)
        if source.kind == ARRAY:
            return literal(array_parts(value, source), described, wanted)
        if source.container != wanted.container or not isinstance(value, Const):
            return own(value, wanted, described)
        return value
    if wanted.kind == ARRAY and source.kind == CONTAINER:
        return own(fixed_array(value, wanted), wanted)
    if wanted.kind in (ARRAY, STRUCT) and source.kind == wanted.kind:
        return own(align(value, source, wanted), wanted)
    return value


def literal(parts: list[Expr], described: Type, layout: Layout) -> Expr:
    """Return a container of the given elements; the empty one is the constant 0."""
    element = layout.element
    if not parts or element is None:
        return constant(64, 0)
    types = (described.element,) * len(parts)
    return SystemCall(
        "array.literal", tuple(own(part, element, described.element) for part in parts), 64, type=described, types=types
    )


def fixed_array(container: Expr, result: Layout) -> Expr:
    """Return the elements of a container as a fixed array; the sizes must agree when it runs (IEEE 1800-2023 7.6)."""
    element = result.element
    assert element is not None
    items: list[Expr] = [Item(container, constant(32, i), element.width, True) for i in range(result.count)]
    parts = [known_parts(item, element) for item in items]
    return concat(parts if result.descending else parts[::-1])


def array_parts(value: Expr, layout: Layout) -> list[Expr]:
    """Return the elements of a flat array, from the left index to the right one."""
    width = layout.step
    parts = [bits_of(value, i * width, width) for i in range(layout.count)]
    return parts[::-1] if layout.descending else parts


def default_value(layout: Layout) -> Expr:
    """Return what a variable of a type holds before anything is assigned: x, 0, or nothing."""
    if layout.kind == STRUCT:
        return concat([default_value(part) for _, part in layout.fields.values()])
    if layout.kind == ARRAY and layout.has_struct and layout.element is not None:
        return concat([default_value(layout.element)] * layout.count)
    return unknown(layout.width) if layout.four_state else constant(layout.width, 0)


def vector_signal(state: State, symbol: ast.ValueSymbol, name: str) -> Signal:
    """Create an automatic variable that is one vector whatever its type: an argument, result, iterator or property."""
    layout = state.layout(symbol.type)
    if not layout.is_flat:
        state.context.unsupported(f"a variable of type '{symbol.type}'", symbol)
    described = state.context.describe(symbol.type)
    span = state.context.span(symbol)
    return Signal(name, layout.width, described, 0, layout.signed, automatic=True, local=True, span=span)


def equality(op: str, lhs: Expr, rhs: Expr, left: Layout, right: Layout) -> Expr:
    """Return whether two values are `eq` or `ceq`, part by part where they hold words (IEEE 1800-2023 11.2.2)."""
    if left.kind == STRING:
        return compare_strings("eq", lhs, rhs)
    if left.kind == REAL:
        return Binary("feq", lhs, rhs, 1)
    if left.kind == CONTAINER:
        return SystemCall("array.equal", (lhs, rhs), 1)
    if left.has_word and left.kind in (STRUCT, ARRAY):
        tests = [equality(op, *pair) for pair in _pairs(lhs, rhs, left, right)]
        result = tests[0]
        for test in tests[1:]:
            result = Binary("land", result, test, 1)
        return result
    return Binary(op, lhs, align(rhs, right, left) if left.kind == ARRAY else rhs, 1)


def _pairs(lhs: Expr, rhs: Expr, left: Layout, right: Layout) -> list[tuple[Expr, Expr, Layout, Layout]]:
    if left.kind == STRUCT:
        fields = zip(left.fields.values(), right.fields.values(), strict=True)
        return [(bits_of(lhs, i, a.width), bits_of(rhs, j, b.width), a, b) for (i, a), (j, b) in fields]
    inner, outer = left.element, right.element
    assert inner is not None and outer is not None
    return [(a, b, inner, outer) for a, b in zip(array_parts(lhs, left), array_parts(rhs, right), strict=True)]


def typed(state: State, node: ast.Expression, layout: Layout) -> Type | None:
    """Return the type of an argument that is no plain vector."""
    plain = layout.kind == PACKED and not node.type.isEnum
    return None if plain or not layout.is_flat else state.context.describe(node.type)
