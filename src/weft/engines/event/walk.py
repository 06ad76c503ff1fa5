"""Walk statements and expressions of the design: what is read, what is written, what can suspend."""

from __future__ import annotations

from collections.abc import Iterator

from weft.ir.design import (
    Assertion,
    Assign,
    Block,
    Case,
    Delay,
    Disable,
    DisableFork,
    Evaluate,
    Expr,
    Force,
    Function,
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
    WaitFork,
    WaitUntil,
    operands,
)
from weft.ir.expressions import AssignExpr, Call, Concat, Element, Field, Item, New, Randomize, Ref, Slice, SystemCall

SUSPENDING_CALLS = frozenset(
    {"mailbox.put", "mailbox.get", "mailbox.peek", "semaphore.get", "process.await", "process.suspend"}
)
"""The methods of built-in classes that can make the caller wait."""


def children(statement: Statement) -> tuple[Statement, ...]:
    """Return the statements directly inside one."""
    match statement:
        case Block(body):
            return body
        case If(_, then, other):
            return (then,) if other is None else (then, other)
        case Case(_, _, items, default):
            bodies = tuple(item.body for item in items)
            return bodies if default is None else (*bodies, default)
        case Loop(_, body, step):
            return (body, *step)
        case RepeatTimes(_, body) | Wait(_, body) | WaitUntil(_, body):
            return (body,)
        case Assertion(_, _, passed, failed):
            return tuple(part for part in (passed, failed) if part is not None)
        case _:
            return ()


def statements_in(statement: Statement | None) -> Iterator[Statement]:
    """Yield a statement and all inside it."""
    if statement is None:
        return
    stack = [statement]
    while stack:
        found = stack.pop()
        yield found
        stack.extend(reversed(children(found)))


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


def subexpressions(expression: Expr) -> Iterator[Expr]:
    """Yield an expression and all inside it."""
    stack = [expression]
    while stack:
        found = stack.pop()
        yield found
        stack.extend(operands(found))


def calls_in(statement: Statement | None) -> Iterator[Call | SystemCall | New]:
    """Yield the calls in a statement and all inside it."""
    for inner in statements_in(statement):
        reads, writes = expressions_of(inner)
        for expression in (*reads, *writes):
            for part in subexpressions(expression):
                if isinstance(part, Call | SystemCall | New):
                    yield part


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


class Suspensions:
    """Tell which functions and tasks can suspend the thread that calls them."""

    def __init__(self) -> None:
        self._known: dict[Function, bool] = {}

    def function(self, function: Function) -> bool:
        """Say whether a call can suspend."""
        known = self._known.get(function)
        if known is None:
            # A recursive call suspends only if something else does.
            self._known[function] = False
            known = self._known[function] = self.statement(function.body, function.task)
        return known

    def statement(self, statement: Statement | None, kills: bool = True) -> bool:
        """Say whether a statement can suspend; to kill the process itself counts where `kills` says so."""
        for inner in statements_in(statement):
            match inner:
                case Wait() | WaitUntil() | WaitFork() | Disable() | DisableFork():
                    return True
                case Block(fork=fork, scope=scope) if fork or scope:
                    return True
                case Assign(timing=timing) if timing is not None and inner.blocking:
                    return True
                case _:
                    pass
        for call in calls_in(statement):
            if isinstance(call, Call) and (self.function(call.function) or (call.virtual and call.function.task)):
                return True
            if isinstance(call, SystemCall) and (
                call.name in SUSPENDING_CALLS or (kills and call.name == "process.kill")
            ):
                return True
        return False


# ------------------------------------------------------------------------------------------- what is read


Read = tuple[Ref, int, int]
"""A signal and the bits of it that are read: low end, and high end exclusive."""


def reads_of(expression: Expr) -> Iterator[Read]:
    """Yield the parts of signals whose change can change an expression."""
    match expression:
        case Ref():
            yield expression, 0, expression.width
        case Element(signal, index, path):
            yield Ref(signal, path), 0, signal.bits
            yield from reads_of(index)
        case Slice(value, offset):
            if isinstance(value, Ref) and isinstance(offset, int):
                yield value, max(offset, 0), min(offset + expression.width, value.width)
            else:
                yield from reads_of(value)
                if not isinstance(offset, int):
                    yield from reads_of(offset)
        case _:
            for part in operands(expression):
                yield from reads_of(part)


def index_reads(lhs: Expr) -> Iterator[Read]:
    """Yield what the indices of an lvalue read."""
    match lhs:
        case Element(_, index):
            yield from reads_of(index)
        case Slice(value, offset):
            yield from index_reads(value)
            if not isinstance(offset, int):
                yield from reads_of(offset)
        case Concat(parts):
            for part in parts:
                yield from index_reads(part)
        case Item(container, index):
            yield from index_reads(container)
            yield from reads_of(index)
        case Field(value):
            yield from reads_of(value)
        case _:
            return


def statement_reads(statement: Statement | None, functions: bool = False) -> Iterator[Read]:
    """Yield what a statement reads; of the functions that it calls too, if asked (IEEE 1800-2023 9.2.2.2.1)."""
    seen: set[Function] = set()
    pending: list[Statement | None] = [statement]
    while pending:
        for inner in statements_in(pending.pop()):
            reads, writes = expressions_of(inner)
            for expression in reads:
                yield from reads_of(expression)
            for expression in writes:
                yield from index_reads(expression)
        if functions:
            for call in calls_in(statement):
                if isinstance(call, Call) and call.function not in seen:
                    seen.add(call.function)
                    pending.append(call.function.body)


def written_signals(statement: Statement | None) -> set[Ref]:
    """Return the signals that a statement assigns."""
    found: set[Ref] = set()

    def add(lhs: Expr) -> None:
        match lhs:
            case Ref():
                found.add(lhs)
            case Element(signal, _, path):
                found.add(Ref(signal, path))
            case Slice(value):
                add(value)
            case Concat(parts):
                for part in parts:
                    add(part)
            case _:
                return

    for inner in statements_in(statement):
        reads, writes = expressions_of(inner)
        for lhs in writes:
            add(lhs)
        for expression in reads:
            for part in subexpressions(expression):
                if isinstance(part, AssignExpr):
                    add(part.lhs)
    return found
