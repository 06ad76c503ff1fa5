"""The table of converters, and the two functions that all of them call for their operands.

The table is keyed by the Python class of the slang node: its look-up costs a tenth of what the node's `kind`, an enum
whose hash is Python code, would. `expressions` fills it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from pyslang import ast

from weft.ir.design import Binary, Real
from weft.lang.sv.build import constant, truth
from weft.lang.sv.types import OTHER, REAL, STRING, UNION

if TYPE_CHECKING:
    from weft.ir.design import Expr
    from weft.lang.sv.state import State
    from weft.lang.sv.types import Layout

Converter = Callable[["State", ast.Expression], "Expr"]

VALUES: dict[type[ast.Expression], Converter] = {}
"""What converts each class of expression to its value."""

LVALUES: dict[type[ast.Expression], Converter] = {}
"""What converts each class of expression that may be assigned."""


def value_of(state: State, node: ast.Expression) -> Expr:
    """Convert an expression to its value in flat form."""
    converter = VALUES.get(type(node))
    if converter is None:
        state.context.unsupported(describe(node), node)
    return converter(state, node)


def truth_of(state: State, node: ast.Expression) -> Expr:
    """Convert an expression that is used as a condition to one bit."""
    value = value_of(state, node)
    if state.layout(node.type).kind == REAL:
        return Binary("fne", value, Real(0.0), 1)
    if state.layout.events_are_objects and isinstance(node.type.canonicalType, ast.EventType):
        return Binary("ugt", value, constant(64, 1), 1)  # null is 1 among events
    return truth(value)


def lvalue_of(state: State, node: ast.Expression) -> Expr:
    """Convert the target of an assignment."""
    converter = LVALUES.get(type(node))
    if converter is None:
        state.context.unsupported(f"{describe(node)} as the target of an assignment", node)
    return converter(state, node)


def layout_of(state: State, node: ast.Expression) -> Layout:
    """Return the layout of an expression's type; raise `Unsupported` if its values are not vectors."""
    layout = state.layout(node.type)
    if not layout.is_flat:
        refuse_type(state, node, layout)
    return layout


def refuse_type(state: State, node: ast.Expression, layout: Layout) -> NoReturn:
    """Raise `Unsupported` for an expression whose type has no flat form."""
    what = {STRING: "a string", UNION: "an unpacked union"}.get(layout.kind)
    if what is None and layout.kind == OTHER:
        what = _OTHER_TYPES.get(type(node.type.canonicalType), f"a value of type '{node.type}'")
    state.context.unsupported(f"{what or 'a value without a type'} that is computed at run time", node)


_OTHER_TYPES: dict[type[ast.Type], str] = {
    ast.QueueType: "a queue",
    ast.DynamicArrayType: "a dynamic array",
    ast.AssociativeArrayType: "an associative array",
    ast.ClassType: "a class object",
    ast.CHandleType: "a chandle",
}

_KINDS: dict[type[ast.Expression], str] = {
    ast.TaggedUnionExpression: "a tagged union",
    ast.NewClassExpression: "a class object",
    ast.NewArrayExpression: "a dynamic array",
    ast.CopyClassExpression: "a class object",
    ast.DistExpression: "a distribution",
    ast.AssertionInstanceExpression: "an instance of a sequence or property",
    ast.ClockingEventExpression: "a clocking event",
    ast.StreamingConcatenationExpression: "a streaming concatenation here",
}


def describe(node: ast.Expression) -> str:
    """Return what a person calls this class of expression."""
    return _KINDS.get(type(node)) or f"this expression ({node.kind.name})"
