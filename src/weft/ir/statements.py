"""Statements of the design: control flow and time as the user wrote them; `ir.design` tells how they fit together."""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.base.source import NOWHERE, Span
from weft.ir.expressions import Expr, Ref, Signal, Type


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Run statements in order. `disable` can leave a `label`; `fork` is empty or `join`, `join_any`, `join_none`.

    `scope` is the path below the instance of a block that a `Disable` from elsewhere names. `locals` are the automatic
    variables that come into being on entry; they are listed for a block that a `fork` or a suspension can outlive.
    """

    body: tuple[Statement, ...]
    label: str = ""
    fork: str = ""
    scope: str = ""
    locals: tuple[Signal, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Assign:
    """Assign in a procedure, blocking (`=`) or not (`<=`); `timing` is an intra-assignment delay or event."""

    lhs: Expr
    rhs: Expr
    blocking: bool
    span: Span = NOWHERE
    timing: Timing | None = None


@dataclass(frozen=True, slots=True, eq=False)
class If:
    """Choose a branch; an unknown condition is false. `check` is empty or `unique`, `unique0`, `priority`."""

    cond: Expr
    then: Statement
    other: Statement | None = None
    check: str = ""
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class CaseItem:
    """List a case item's labels. A label is an expression, or for `inside` possibly a (low, high) pair."""

    labels: tuple[Expr | tuple[Expr, Expr], ...]
    body: Statement


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Choose the first item whose label matches; `kind` is `case`, `casez`, `casex` or `inside`."""

    kind: str
    subject: Expr
    items: tuple[CaseItem, ...]
    default: Statement | None = None
    check: str = ""
    span: Span = NOWHERE
    signed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """Repeat `body` then `step` while `cond` holds; `test_last` runs the body first (do while). No `cond`: forever."""

    cond: Expr | None
    body: Statement
    step: tuple[Statement, ...] = ()
    test_last: bool = False
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class RepeatTimes:
    """Run `body` a number of times that is computed once, on entry."""

    count: Expr
    body: Statement
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class Jump:
    """Leave or continue: `kind` is `break`, `continue`, `return` or `disable` (of the block or task `label`)."""

    kind: str
    label: str = ""
    value: Expr | None = None
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class Evaluate:
    """Evaluate an expression for what it does: a call of a task or void function, `i++`."""

    value: Expr
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class SystemTask:
    """Call a system task (`$display`, `$finish`, `$readmemh`, ...). `scope` is the `%m` path below the instance.

    An argument is an expression, or None where it is left out (`$display(a,,b)`). `signed[i]` says whether argument
    `i` is signed, which `%d` needs; `types[i]` is its type if it is no plain vector, else None, and may be empty.
    """

    name: str
    args: tuple[Expr | None, ...]
    signed: tuple[bool, ...] = ()
    span: Span = NOWHERE
    scope: str = ""
    types: tuple[Type | None, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Assertion:
    """Check a condition now; `kind` is `assert`, `assume` or `cover`; `deferred` is empty, `observed` or `final`.

    `control` is the word by which `$assertoff` and its like turn it off, if the design calls them.
    """

    kind: str
    cond: Expr
    passed: Statement | None = None
    failed: Statement | None = None
    deferred: str = ""
    label: str = ""
    span: Span = NOWHERE
    control: Ref | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """Wait for an edge (`posedge`, `negedge`, `edge`) or any change (`any`) of a value, if `condition` holds (iff)."""

    edge: str
    value: Expr
    condition: Expr | None = None
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class Delay:
    """Wait a time given in units of the module's timescale, as a number or (`real`) as a real.

    On a gate, net or continuous assignment `value` is the delay of a rise, `fall` and `off` those of a fall and of a
    change to z where they are given (IEEE 1800-2023 28.16).
    """

    value: Expr
    fall: Expr | None = None
    off: Expr | None = None
    real: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Repeated:
    """Wait for the events `count` times: `repeat (count) @(events)` inside an assignment."""

    count: Expr
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Implicit:
    """Wait for a change of anything that the statement behind it reads: `@*` inside a procedure."""


Timing = Delay | Repeated | Implicit | tuple[Event, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Wait:
    """Wait for a delay or for one of several events, then run `body`."""

    timing: Timing
    body: Statement
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class WaitUntil:
    """Wait until a condition is true, then run `body`."""

    cond: Expr
    body: Statement
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class Force:
    """Override a variable or net by an expression that keeps driving it; `kind` is `force` or `assign` (10.6)."""

    lhs: Expr
    rhs: Expr
    kind: str
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class Release:
    """End a force (`release`) or a procedural continuous assignment (`deassign`)."""

    lhs: Expr
    kind: str
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class Trigger:
    """Trigger a named event, now (`->`) or in the NBA region (`->>`), then after a delay or event."""

    event: Expr
    blocking: bool = True
    timing: Timing | None = None
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class Disable:
    """End every activity of a block or task that is not around the statement.

    `scope` is the path of the block or task below the instance that `path` leads to, as a `Ref`'s path does.
    """

    scope: str
    path: tuple[str, ...] = ()
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class WaitFork:
    """Wait until the processes that this one has forked, and theirs not, are done."""

    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class DisableFork:
    """End the processes that this one has forked, and all of theirs."""

    span: Span = NOWHERE


Statement = (
    Block
    | Assign
    | If
    | Case
    | Loop
    | RepeatTimes
    | Jump
    | Evaluate
    | SystemTask
    | Assertion
    | Wait
    | WaitUntil
    | Force
    | Release
    | Trigger
    | Disable
    | WaitFork
    | DisableFork
)
