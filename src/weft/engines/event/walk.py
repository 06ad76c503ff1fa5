"""Walk statements and expressions of the design: what is read, what is written, what can suspend.

The general part is `ir.walk`.
"""

from __future__ import annotations

from collections.abc import Iterator

from weft.ir.design import (
    Assign,
    Block,
    Disable,
    DisableFork,
    Expr,
    Function,
    Statement,
    Wait,
    WaitFork,
    WaitUntil,
    operands,
)
from weft.ir.expressions import AssignExpr, Call, Concat, Element, Field, Item, Ref, Slice, SystemCall
from weft.ir.walk import calls_in, expressions_of, statements_in, subexpressions

SUSPENDING_CALLS = frozenset(
    {"mailbox.put", "mailbox.get", "mailbox.peek", "semaphore.get", "process.await", "process.suspend"}
)
"""The methods of built-in classes that can make the caller wait."""


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


def implicit_reads(statement: Statement | None) -> Iterator[Read]:
    """Yield what `@*` waits for: signals whole, of which the statement may read parts (IEEE 1800-2023 9.4.2.2)."""
    for ref, _, high in statement_reads(statement):
        yield ref, 0, max(ref.width, high)


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
