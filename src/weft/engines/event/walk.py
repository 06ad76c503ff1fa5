"""Walk statements and expressions of the design: what is read, what is written, what can suspend.

The general part is `ir.walk`.
"""

from __future__ import annotations

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
)
from weft.ir.expressions import AssignExpr, Call, Concat, Element, Ref, Slice, SystemCall
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
