"""`wait_order`: events in a given order (IEEE 1800-2023 15.5.4).

The counters of the events are noted first. For each event in turn the process waits, unless the event has come, until
it or a later one comes; if it has not come then, a later one was too early. Events of one moment count as in order.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyslang import ast

from weft.ir.design import Assign, Binary, Block, Event, Expr, If, Jump, Ref, Statement, SystemTask, Text, Wait
from weft.lang.sv.dispatch import value_of
from weft.lang.sv.event_objects import counter_of
from weft.lang.sv.flow import statement_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State


def convert_wait_order(state: State, node: ast.Statement) -> Statement:
    """Convert `wait_order`."""
    order = cast("ast.WaitOrderStatement", node)
    span = state.context.span(node)
    done, label = state.fresh_label("wait_order"), state.fresh_label("order_failed")
    events = [counter_of(state, event, value_of(state, event)) for event in order.events]
    marks: list[Expr] = [Ref(state.context.temporary("mark", 64)) for _ in events]
    steps: list[Statement] = [Assign(mark, event, True, span) for mark, event in zip(marks, events, strict=True)]
    for i, (event, mark) in enumerate(zip(events, marks, strict=True)):
        missing = Binary("eq", event, mark, 1)
        awaited = tuple(Event("any", later, span=span) for later in events[i:])
        steps.append(If(missing, Wait(awaited, Block(()), span), span=span))
        steps.append(If(missing, Jump("disable", label, span=span), span=span))
    if order.ifTrue is not None:
        steps.append(statement_of(state, order.ifTrue))
    steps.append(Jump("disable", done, span=span))
    if order.ifFalse is not None:
        failure = statement_of(state, order.ifFalse)
    else:
        failure = SystemTask("$error", (Text("wait_order: events out of order"),), (False,), span, state.scope)
    return Block((Block(tuple(steps), label), failure), done)
