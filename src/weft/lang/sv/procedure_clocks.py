"""The clock that a procedure gives to the assertions in it (IEEE 1800-2023 16.14.6).

It is the one edge in the procedure's event control of something that the procedure does not look at otherwise, which
tells a clock from a reset.
"""

from __future__ import annotations

from pyslang import ast

from weft.ir.design import Event


def clock_of_procedure(body: ast.Statement, events: tuple[Event, ...]) -> tuple[Event, ...]:
    """Return the event that is the clock of a procedure with these events at its head; nothing if none or several are.

    `events` are those of the event control that `body` begins with, in order.
    """
    if not isinstance(body, ast.TimedStatement) or not events:
        return ()
    control = body.timing
    controls = list(control.events) if isinstance(control, ast.EventListControl) else [control]
    if len(controls) != len(events):
        return ()
    used: set[ast.Symbol] = set()

    def look(node: ast.ValueExpressionBase) -> None:
        used.add(node.symbol)

    body.stmt.visit(lookup_table={ast.ExpressionKind.NamedValue: look, ast.ExpressionKind.HierarchicalValue: look})
    found = [
        event
        for event, part in zip(events, controls, strict=True)
        if event.edge != "any"
        and isinstance(part, ast.SignalEventControl)
        and not (isinstance(part.expr, ast.ValueExpressionBase) and part.expr.symbol in used)
    ]
    return tuple(found) if len(found) == 1 else ()
