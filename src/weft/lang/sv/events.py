"""Named events: triggers, and whether one has been triggered in this time step (IEEE 1800-2023 15.5).

An event is a counter (`ir.expressions`): whoever waits for it waits for a change of its value.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyslang import ast

from weft.ir.design import Expr, Ref, Statement, SystemCall, Trigger
from weft.lang.sv import timing
from weft.lang.sv.dispatch import layout_of, lvalue_of, value_of
from weft.lang.sv.event_objects import counter_of, is_event_object
from weft.lang.sv.types import EVENT
from weft.lang.sv.virtual_interfaces import free_root, statement_through, value_through

if TYPE_CHECKING:
    from weft.lang.sv.state import State


def convert_trigger(state: State, node: ast.Statement) -> Statement:
    """Convert `-> event` or `->> timing event`."""
    trigger = cast("ast.EventTriggerStatement", node)
    return statement_through(state, trigger.target, [trigger.target], lambda: _trigger(state, trigger))


def _trigger(state: State, trigger: ast.EventTriggerStatement) -> Statement:
    pause = None if trigger.timing is None else timing.timing_of(state, trigger.timing)
    target = trigger.target
    event = counter_of(state, target, value_of(state, target)) if is_event_object(state, target.type) else None
    return Trigger(event or lvalue_of(state, target), not trigger.isNonBlocking, pause, state.context.span(trigger))


def convert_triggered(state: State, node: ast.CallExpression, arguments: list[ast.Expression]) -> Expr:
    """Convert `event.triggered`."""
    if isinstance(sequence := arguments[0], ast.AssertionInstanceExpression):
        from weft.lang.sv.sequence_ends import sequence_event

        ended = Ref(sequence_event(state, sequence))
        return SystemCall("event.triggered", (ended,), 1, span=state.context.span(node))
    root = free_root(state, arguments[0])
    if root is not None:
        return value_through(state, root, node, lambda: convert_triggered(state, node, arguments))
    if is_event_object(state, arguments[0].type):
        event = counter_of(state, arguments[0], value_of(state, arguments[0]))
    elif layout_of(state, arguments[0]).kind == EVENT:
        event = lvalue_of(state, arguments[0])
    else:
        state.context.unsupported("the method 'triggered' here", node)
    return SystemCall("event.triggered", (event,), 1, span=state.context.span(node))
