"""Walk statements and expressions of the design: what is inside them, what they read and write, what they call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

from weft.ir.design import (
    Assertion,
    Assign,
    Block,
    Case,
    Delay,
    Evaluate,
    Expr,
    Force,
    If,
    Implicit,
    Jump,
    Loop,
    Release,
    Repeated,
    RepeatTimes,
    Statement,
    SystemTask,
    Timing,
    Trigger,
    Wait,
    WaitUntil,
)
from weft.ir.expressions import LEAVES, OPERANDS, Call, New, Randomize, SystemCall


def children(statement: Statement) -> tuple[Statement, ...]:
    """Return the statements directly inside one."""
    inside = _CHILDREN.get(type(statement))
    return () if inside is None else inside(statement)


def _if(statement: If) -> tuple[Statement, ...]:
    return (statement.then,) if statement.other is None else (statement.then, statement.other)


def _case(statement: Case) -> tuple[Statement, ...]:
    bodies = tuple([item.body for item in statement.items])
    return bodies if statement.default is None else (*bodies, statement.default)


def _body(statement: RepeatTimes | Wait | WaitUntil) -> tuple[Statement, ...]:
    return (statement.body,)


def _assertion(statement: Assertion) -> tuple[Statement, ...]:
    return tuple(part for part in (statement.passed, statement.failed) if part is not None)


_CHILDREN: dict[type, Callable[[Any], tuple[Statement, ...]]] = {
    Block: attrgetter("body"),
    If: _if,
    Case: _case,
    Loop: lambda statement: (statement.body, *statement.step),
    **dict.fromkeys((RepeatTimes, Wait, WaitUntil), _body),
    Assertion: _assertion,
}
"""What is inside statements, by kind; the others have none inside."""


def statements_in(statement: Statement | None) -> Iterator[Statement]:
    """Yield a statement and all inside it."""
    if statement is None:
        return
    stack = [statement]
    while stack:
        found = stack.pop()
        yield found
        inside = _CHILDREN.get(type(found))
        if inside is not None:
            stack.extend(reversed(inside(found)))


def timing_expressions(timing: Timing | None) -> tuple[Expr, ...]:
    """Return the expressions in a delay or event control."""
    match timing:
        case Delay(value, fall, off):
            return tuple(part for part in (value, fall, off) if part is not None)
        case Repeated(count, events):
            return (count, *timing_expressions(events))
        case None | Implicit():
            return ()
        case _:
            found: list[Expr] = []
            for event in timing:
                found.append(event.value)
                if event.condition is not None:
                    found.append(event.condition)
            return tuple(found)


def expressions_of(statement: Statement) -> tuple[tuple[Expr, ...], tuple[Expr, ...]]:
    """Return the expressions directly in a statement: those that are read, and those that are written."""
    match statement:
        case Assign(lhs, rhs, timing=timing):
            return (rhs, *timing_expressions(timing)), (lhs,)
        case If(cond) | WaitUntil(cond) | Assertion(_, cond):
            return (cond,), ()
        case Case(_, subject, items):
            labels: list[Expr] = []
            for item in items:
                for label in item.labels:
                    labels.extend(label if isinstance(label, tuple) else (label,))
            return (subject, *labels), ()
        case Loop(cond):
            return (() if cond is None else (cond,)), ()
        case RepeatTimes(count):
            return (count,), ()
        case Jump(_, _, value):
            return (() if value is None else (value,)), ()
        case Evaluate(value):
            return (value,), ()
        case SystemTask(_, args):
            return tuple(argument for argument in args if argument is not None), ()
        case Wait(timing):
            return timing_expressions(timing), ()
        case Force(lhs, rhs):
            return (rhs,), (lhs,)
        case Release(lhs):
            return (), (lhs,)
        case Trigger(event, _, timing):
            return timing_expressions(timing), (event,)
        case _:
            return (), ()


def written_arguments(call: Call) -> tuple[Expr, ...]:
    """Return the arguments that a call of a routine may assign."""
    formals = zip(call.function.args, call.args, strict=False)
    return tuple(argument for (direction, _), argument in formals if direction != "input")


def subexpressions(expression: Expr) -> Iterator[Expr]:
    """Yield an expression and all inside it."""
    stack = [expression]
    while stack:
        found = stack.pop()
        yield found
        kind = type(found)
        if kind not in LEAVES:
            stack.extend(OPERANDS[kind](found))


def calls_in(statement: Statement | None) -> Iterator[Call | SystemCall | New]:
    """Yield the calls in a statement and all inside it."""
    for inner in statements_in(statement):
        reads, writes = expressions_of(inner)
        for expression in (*reads, *writes):
            stack = [expression]
            while stack:
                part = stack.pop()
                kind = type(part)
                if kind not in LEAVES:
                    if kind in _CALLS and isinstance(part, Call | SystemCall | New):
                        yield part
                    stack.extend(OPERANDS[kind](part))


_CALLS = frozenset({Call, SystemCall, New})


def may_draw(*expressions: Expr) -> bool:
    """Say whether something in expressions may draw random numbers: a call, a new object, a random choice."""
    return any(
        isinstance(part, Call | SystemCall | New | Randomize)
        for expression in expressions
        for part in subexpressions(expression)
    )


def may_draw_in(statement: Statement | None) -> bool:
    """Say whether something in a statement may draw random numbers."""
    return any(
        isinstance(inner, SystemTask) or may_draw(*reads, *writes)
        for inner in statements_in(statement)
        for reads, writes in (expressions_of(inner),)
    )
