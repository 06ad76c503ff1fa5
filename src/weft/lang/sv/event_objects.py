"""Named events as values: assigned, merged, passed and kept (IEEE 1800-2023 15.5.5).

In a design that treats events as values, or that has classes, whose events people hand around, an event variable is a
handle of an object with one property, the event's counter (`ir.expressions`). The object is made when the variable is
first used; 0 stands for one that has not been, 1 for null. So two variables are one event when they hold one object.
Who waits for null, or triggers it, does so with a new object that nobody else knows: triggering null has no effect, and
what waiting for it means is open. In all other designs an event variable is the counter itself.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pyslang import ast

from weft.ir.design import AssignExpr, Binary, Class, Cond, Expr, Field, New, Signal, Type
from weft.lang.sv.build import constant
from weft.lang.sv.dispatch import lvalue_of

if TYPE_CHECKING:
    from weft.lang.sv.source_index import SourceIndex
    from weft.lang.sv.state import State

EVENT = re.compile(r"\bevent\b")
EVENT_CLASS = "event"
"""The name of the class of events, which no user's class can have."""

NULL = 1
"""The handle of the null event, which no object has; for others that is 0."""

_CLASS = re.compile(r"\bclass\b")
_COUNTER = Type("event", 64, four_state=False)


def passes_events(compilation: ast.Compilation, index: SourceIndex) -> bool:
    """Say whether a design, which declares events, treats some as values, or may."""
    if index.mentions("class", _CLASS):
        return True
    found: list[object] = []

    def look(node: ast.Expression) -> None:
        if isinstance(node.type.canonicalType, ast.EventType):
            found.append(node)

    def look_inside(node: ast.BinaryExpression) -> None:
        look(node.left)

    def look_at(symbol: ast.VariableSymbol) -> None:
        kind = symbol.type.canonicalType
        element = kind.arrayElementType if kind.isArray else None
        if element is not None and not isinstance(kind, ast.FixedSizeUnpackedArrayType):
            if isinstance(element.canonicalType, ast.EventType):
                found.append(symbol)
        elif isinstance(kind, ast.EventType):
            if isinstance(symbol, ast.FormalArgumentSymbol) or symbol.initializer is not None:
                found.append(symbol)

    table = {
        ast.ExpressionKind.Assignment: look,
        ast.ExpressionKind.BinaryOp: look_inside,
        ast.SymbolKind.FormalArgument: look_at,
        ast.SymbolKind.Variable: look_at,
    }
    for scope in (compilation.getRoot(), *compilation.getPackages()):
        scope.visit(lookup_table=table)
    return bool(found)


def is_event_object(state: State, slang_type: ast.Type) -> bool:
    """Say whether values of a type are handles of events."""
    return state.layout.events_are_objects and isinstance(slang_type.canonicalType, ast.EventType)


def event_value(state: State, node: ast.Expression) -> Expr:
    """Return the object that an event variable holds, made if it has none yet."""
    target = lvalue_of(state, node)
    made = AssignExpr(target, New(_event_class(state), (), state.context.span(node)), 64)
    return Cond(Binary("ne", target, constant(64, 0), 1), target, made, 64)


def null_event(state: State, node: ast.Expression) -> Expr | None:
    """Return what stands for null where an event is wanted; None if the expression is anything else."""
    if isinstance(node, ast.ConversionExpression) and isinstance(node.operand, ast.NullLiteral):
        return constant(64, NULL) if is_event_object(state, node.type) else None
    return None


def counter_of(state: State, node: ast.Expression, value: Expr) -> Expr:
    """Return the counter of an event: a change of it is what waiting for the event means."""
    if not is_event_object(state, node.type):
        return value
    match value:
        case Cond(Binary("ne", target), held, made) if held is target:
            value = Cond(Binary("ugt", target, constant(64, NULL), 1), target, made, 64)
        case _:
            pass
    return Field(value, _event_class(state).fields[0], state.context.span(node))


def _event_class(state: State) -> Class:
    table = state.context.objects
    if table.event is None:
        table.event = Class(EVENT_CLASS, EVENT_CLASS, fields=[Signal("counter", 64, _COUNTER)])
        state.context.add_class(table.event)
    return table.event
