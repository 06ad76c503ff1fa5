"""Refuse what only events can mean: reals, handles, forks, forces, triggers, switches and the like.

The cone graph has bit vectors and clock edges. A front end gives the whole language; this check, which runs before a
design is lowered, says with a caret what of it the cycle engines cannot run. Delays, waits and procedures without a
sensitivity list are refused where they are lowered or interpreted, because there some of them have a meaning.

Every statement and expression is looked at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from weft.base.errors import Unsupported
from weft.base.source import Span
from weft.ir.design import (
    Assertion,
    Assign,
    Block,
    Case,
    Delay,
    Design,
    Disable,
    DisableFork,
    Evaluate,
    Event,
    Force,
    Function,
    If,
    Implicit,
    Jump,
    Loop,
    Module,
    Process,
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
)
from weft.ir.expressions import (
    WORD_KINDS,
    Binary,
    Call,
    Const,
    Expr,
    Field,
    Item,
    Iterate,
    New,
    Randomize,
    Real,
    Ref,
    Signal,
    SystemCall,
    Text,
    Unary,
    operands,
)

_REAL_OPERATORS = frozenset(
    {"fadd", "fsub", "fmul", "fdiv", "fpow", "feq", "fne", "flt", "fle", "fgt", "fge"}
    | {"fneg", "itof", "utof", "ftoi", "fround"}
)

_KINDS = {
    "real": "a real number",
    "shortreal": "a real number",
    "string": "a string variable",
    "event": "a named event",
    "chandle": "a chandle",
    "class": "a class object",
    "queue": "a queue",
    "dynamic": "a dynamic array",
    "assoc": "an associative array",
}


def check_cycle_support(design: Design) -> None:
    """Raise `Unsupported` for the first thing in a design that the cycle engines cannot run."""
    for found in design.classes:
        raise _refusal("a class object", found.span)
    for module in dict.fromkeys([*(module for _, module in design.packages), *design.modules]):
        check_module(module)


def check_module(module: Module) -> None:
    """Raise `Unsupported` for the first thing in a module that the cycle engines cannot run."""
    for signal in module.signals:
        _check_signal(signal)
    for gate in module.gates:
        what = f"the switch primitive '{gate.kind}'" if gate.table is None else f"the primitive '{gate.table.name}'"
        what = "a net alias" if gate.kind == "alias" else what
        raise _refusal(what, gate.span)
    for function in module.functions:
        _check_function(function)
    for assign in module.assigns:
        _check_expressions((assign.lhs, assign.rhs), assign.span)
    for process in sorted(module.processes, key=lambda process: process.keyword in _MADE):
        _check_process(process)
    for instance in module.instances:
        _check_expressions(instance.connections, instance.span)


def _check_signal(signal: Signal) -> None:
    if signal.type.kind in WORD_KINDS:
        raise _refusal(_KINDS[signal.type.kind], signal.span)
    if signal.delay is not None:
        raise _refusal("a delay of a net", signal.span)
    _check_expressions((signal.initial,), signal.span)


def _check_function(function: Function) -> None:
    if function.this is not None:
        raise _refusal("a class method", function.span)
    for signal in function.variables:
        _check_signal(signal)
    _check_statements((function.body,), function.span)


_MADE = {"sample": "a sampled value", "past": "a function of sampled values", "deferred": "a deferred assertion"}
"""What processes of the observed and postponed regions stand for, by keyword, other than concurrent assertions."""


def _check_process(process: Process) -> None:
    if process.reactive:
        raise _refusal("a program", process.span)
    if process.region:
        raise _refusal(_MADE.get(process.keyword, "a concurrent assertion"), process.span)
    _check_events(process.events)
    _check_statements((process.body,), process.span)


def _check_statements(roots: Iterable[Statement | None], span: Span) -> None:
    work: list[tuple[Statement | None, Span]] = [(root, span) for root in roots]
    while work:
        statement, span = work.pop()
        span = _own_span(statement, span)
        match statement:
            case None:
                pass
            case Block(body, locals=variables):
                for signal in variables:
                    _check_signal(signal)
                work += [(inner, span) for inner in reversed(body)]
            case Assign(lhs, rhs, timing=timing):
                _check_timing(timing, span)
                _check_expressions((lhs, rhs), span)
            case If(cond, then, other):
                _check_expressions((cond,), span)
                work += [(other, span), (then, span)]
            case Case():
                _check_case(statement, span)
                work += [(statement.default, span), *((item.body, span) for item in reversed(statement.items))]
            case Loop(cond, body, step):
                _check_expressions((cond,), span)
                work += [*((inner, span) for inner in step), (body, span)]
            case RepeatTimes(cond, body) | WaitUntil(cond, body):
                _check_expressions((cond,), span)
                work.append((body, span))
            case Jump(_, _, value) | Evaluate(value):
                _check_expressions((value,), span)
            case SystemTask(_, args):
                _check_expressions([arg for arg in args if not _is_real_time(arg)], span)
            case Assertion(_, cond, passed, failed):
                _check_expressions((cond,), span)
                work += [(failed, span), (passed, span)]
            case Wait(timing, body):
                _check_timing(timing, span)
                work.append((body, span))
            case Force(kind=kind):
                raise _refusal("'force'" if kind == "force" else "a procedural continuous assignment", span)
            case Release(kind=kind):
                raise _refusal(f"'{kind}'", span)
            case Trigger():
                raise _refusal("an event trigger", span)
            case Disable():
                raise _refusal("'disable' of a block or task that is not around the statement", span)
            case WaitFork():
                raise _refusal("'wait fork'", span)
            case DisableFork():
                raise _refusal("'disable fork'", span)


def _check_case(case: Case, span: Span) -> None:
    _check_expressions((case.subject,), span)
    for item in case.items:
        for label in item.labels:
            _check_expressions(label if isinstance(label, tuple) else (label,), span)


def _check_timing(timing: Timing | None, span: Span) -> None:
    match timing:
        case None:
            pass
        case Delay():
            if timing.real:
                raise _refusal("a delay that is not a whole number of time units", span)
            _check_expressions((timing.value, timing.fall, timing.off), span)
        case Repeated():
            raise _refusal("a repeated event control", span)
        case Implicit():
            raise _refusal("'@*' inside a procedure", span)
        case _:
            _check_events(timing)


def _check_events(events: tuple[Event, ...]) -> None:
    for event in events:
        _check_expressions((event.value, event.condition), event.span)


def _check_expressions(roots: Iterable[Expr | None], span: Span) -> None:
    work = [(root, span) for root in roots if root is not None]
    while work:
        expression, span = work.pop()
        kind = type(expression)
        if kind in _SUSPECTS:
            span = _own_span(expression, span)
            _check_expression(expression, span)
        if kind not in _LEAVES:
            work += [(inner, span) for inner in reversed(operands(expression))]


_SUSPECTS = frozenset({Real, Unary, Binary, Item, Iterate, Field, New, Randomize, Call, SystemCall})
_LEAVES = frozenset({Const, Text, Real, Ref})


def _check_expression(expression: Expr, span: Span) -> None:
    match expression:
        case Real():
            raise _refusal("a real number", span)
        case Unary(op) | Binary(op) if op in _REAL_OPERATORS:
            raise _refusal("a real number", span)
        case Item() | Iterate():
            raise _refusal("a dynamic array, queue or associative array", span)
        case Field() | New() | Randomize():
            raise _refusal("a class object", span)
        case Call(receiver=receiver) if receiver is not None:
            raise _refusal("a class method", span)
        case Call(path=path) if path:
            raise _refusal("a call of another instance's task", span)
        case SystemCall():
            _refuse_call(expression, span)
        case _:
            pass


def _refuse_call(call: SystemCall, span: Span) -> None:
    """Refuse a system call whose result, or an argument of which, is no bit vector."""
    stem = call.name.partition(".")[0]
    if call.type is not None and call.type.kind in ("real", "shortreal"):
        raise _refusal("a real number", span)
    if call.type is not None and call.type.kind in WORD_KINDS - {"string"}:
        raise _refusal(_KINDS[call.type.kind], span)
    if stem in ("string", "array", "event") and "." in call.name:
        raise _refusal({"string": "a string", "array": "a container", "event": "a named event"}[stem], span)


def _is_real_time(argument: Expr | None) -> bool:
    """Say whether an argument of a system task is the time, which the tasks of cycle simulations print."""
    return isinstance(argument, SystemCall) and argument.name == "$realtime"


def _own_span(node: Expr | Statement | None, outer: Span) -> Span:
    found: Span = getattr(node, "span", outer)
    return found if found.file >= 0 else outer


def _refusal(what: str, span: Span) -> Unsupported:
    return Unsupported(f"{what} (it needs the event engine)", span)
