"""Find loops that only fill a memory with one value, as reset loops do, so that they are not unrolled.

    for (i = 0; i < 1024; i = i + 1) ram[i] <= 0;

The index must be the loop variable, which starts at a constant, counts up by one and ends at a constant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from weft.ir.design import Assign, Block, Evaluate, Loop, Statement
from weft.ir.expressions import AssignExpr, Binary, Const, Element, Expr, Ref, Resize, Signal
from weft.ir.ops import signed

if TYPE_CHECKING:
    from weft.passes.execute_statements import Executor

SMALLEST = 4
"""Shorter loops are unrolled."""


def find_fill(executor: Executor, loop: Loop) -> Callable[[], None] | None:
    """Return what runs the loop at once, or None if it is not such a loop."""
    body: Statement = loop.body
    while isinstance(body, Block) and len(body.body) == 1:
        body = body.body[0]
    if not isinstance(body, Assign) or body.timing is not None or loop.test_last or len(loop.step) != 1:
        return None
    lhs, counter = body.lhs, _counter(loop.step[0])
    if counter is None or not isinstance(lhs, Element) or lhs.path:
        return None
    constant = executor.constant(body.rhs)
    if constant is None or not executor.variable(lhs.signal, ()).memory or _plain(lhs.index) is not counter:
        return None
    variable = executor.variable(counter, ())
    start = executor.builder.value(executor.environment.read(variable, 0, variable.width))
    stop = _stop(executor, loop.cond, counter)
    if start is None or stop is None or stop - start < SMALLEST or stop > lhs.signal.depth:
        return None
    if not isinstance(lhs.index, Ref) and stop >> lhs.index.width:
        return None

    def fill() -> None:
        executor.span = body.span
        value = executor.evaluate(constant)
        executor.fill_range(lhs.signal, start, stop - start, value, not body.blocking)
        executor.assign(Ref(counter), executor.builder.const(variable.width, stop))

    return fill


def _counter(step: Statement) -> Signal | None:
    """Return the variable that a loop's step increments."""
    match step:
        case Assign(Ref(signal, ()), rhs):
            pass
        case Evaluate(AssignExpr(Ref(signal, ()), rhs)):
            pass
        case _:
            return None
    rhs = _strip(rhs)
    if isinstance(rhs, Binary) and rhs.op == "add":
        for value, one in ((rhs.lhs, rhs.rhs), (rhs.rhs, rhs.lhs)):
            if _plain(value) is signal and isinstance(one, Const) and one.value == 1 and not one.unknown:
                return signal
    return None


def _strip(expression: Expr) -> Expr:
    while isinstance(expression, Resize):
        expression = expression.value
    return expression


def _plain(expression: Expr) -> Signal | None:
    expression = _strip(expression)
    return expression.signal if isinstance(expression, Ref) and not expression.path else None


def _stop(executor: Executor, cond: Expr | None, counter: Signal) -> int | None:
    """Return the first value of the counter for which the loop's condition fails."""
    if not isinstance(cond, Binary) or cond.op not in ("slt", "ult", "sle", "ule") or _plain(cond.lhs) is not counter:
        return None
    constant = executor.constant(cond.rhs)
    if constant is None or constant.unknown:
        return None
    value = signed(constant.value, constant.width) if cond.op[0] == "s" else constant.value
    stop = value + (cond.op[1:] == "le")
    return stop if 0 <= stop < 1 << counter.width - 1 else None
