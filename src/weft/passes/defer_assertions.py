"""Let deferred assertions, and the checks of `unique` and `priority`, report when their time step has settled.

IEEE 1800-2023 16.4 and 12.4.2, 12.5.3: what such a statement has to report is put aside; if the process runs again in
the same time step, from a wait or because its `@*` has seen a change, that is forgotten, since only a glitch has made
it. Here a counter for each verdict puts it aside. The process clears its counters where it goes on after a wait, and
tells a process of the observed region, which forks the actions, so that they run in the reactive region; those of
`assert final` run in the postponed one. Arguments of the actions are evaluated with the assertion and kept (16.4.1).

Two items of a `unique case` can match together unless their labels are constants that differ; only then is it looked
for. In functions and tasks the checks of `unique` and `priority` report at once, and a deferred assertion is
`Unsupported`, since the process that it belongs to is not known. `casez` and `casex` whose labels are not constant are
not looked at for a second match.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

from weft.base.dataclass import replace
from weft.base.errors import Unsupported
from weft.base.source import Span
from weft.ir.assertion_control import FAILS_OFF, OFF, PASSES_OFF
from weft.ir.design import (
    Assertion,
    Assign,
    Binary,
    Block,
    Case,
    Const,
    Event,
    Expr,
    Function,
    If,
    Kind,
    Loop,
    Module,
    Process,
    Ref,
    RepeatTimes,
    Signal,
    Statement,
    SystemTask,
    Text,
    Trigger,
    Type,
    Wait,
    WaitFork,
    WaitUntil,
)
from weft.ir.expressions import Call, Slice, SystemCall, Unary, operands
from weft.ir.system_tasks import REPORT_STEM, is_report
from weft.passes.report_choices import SEVERAL, UNHANDLED

_COUNT = Type("bit", 32, four_state=False)
_EVENT = Type("event", 64, four_state=False)


def defer_assertions(module: Module) -> None:
    """Rewrite the deferred assertions and checks of a module's processes and functions, in place."""
    for i, process in enumerate(module.processes):
        if _is_wanted(process.body):
            module.processes[i] = _Deferral(module, process).process()
    for function in module.functions:
        if function.body is not None and _is_wanted(function.body):
            function.body = _Deferral(module, None, function).statement(function.body)


def _is_wanted(statement: Statement) -> bool:
    match statement:
        case Assertion(deferred=deferred) if deferred:
            return True
        case If(check=check) | Case(check=check) if check:
            return True
        case _:
            return any(_is_wanted(inner) for inner in _children(statement))


def _children(statement: Statement) -> tuple[Statement, ...]:
    found: list[Statement] = []

    def see(inner: Statement) -> Statement:
        found.append(inner)
        return inner

    _map(statement, see)
    return tuple(found)


def _map(statement: Statement, change: Callable[[Statement], Statement]) -> Statement:
    """Return a statement with those directly inside it changed."""

    def maybe(inner: Statement | None) -> Statement | None:
        return None if inner is None else change(inner)

    match statement:
        case Block(body):
            return replace(statement, body=tuple(change(inner) for inner in body))
        case If(_, then, other):
            return replace(statement, then=change(then), other=maybe(other))
        case Case(_, _, items, default):
            changed = tuple(replace(item, body=change(item.body)) for item in items)
            return replace(statement, items=changed, default=maybe(default))
        case Loop(_, body, step):
            return replace(statement, body=change(body), step=tuple(change(inner) for inner in step))
        case RepeatTimes(_, body) | Wait(_, body) | WaitUntil(_, body):
            return replace(statement, body=change(body))
        case Assertion(_, _, passed, failed):
            return replace(statement, passed=maybe(passed), failed=maybe(failed))
        case _:
            return statement


def _is_on(control: Expr, bit: int) -> Expr:
    return Unary("lnot", Slice(control, Const(32, bit), 1), 1)


class _Deferral:
    """Rewrite one process, or one function, of which no report is deferred."""

    def __init__(self, module: Module, process: Process | None, function: Function | None = None) -> None:
        self.module, self.origin, self.function = module, process, function
        self.counters: list[Signal] = []
        self.loops = 0
        self.forks = 0
        self.scope = process.scope if process is not None else function.scope if function is not None else ""

    def process(self) -> Process:
        """Return the rewritten process."""
        assert self.origin is not None
        body = self._forget_after_waits(self.statement(self.origin.body))
        if self.origin.kind in (Kind.COMB, Kind.EVENTS):
            body = Block((*self._forget(), body))
        return replace(self.origin, body=body)

    def statement(self, statement: Statement) -> Statement:
        """Rewrite a statement and all inside it."""
        loop = isinstance(statement, Loop | RepeatTimes)
        fork = isinstance(statement, Block) and bool(statement.fork)
        self.loops += loop
        self.forks += fork
        result = _map(statement, self.statement)
        self.loops -= loop
        self.forks -= fork
        match result:
            case Assertion(deferred=deferred) if deferred:
                return self._assertion(result)
            case Case(check=check) if check:
                return self._case(result)
            case If(check=check) if check:
                return self._if(result)
            case _:
                return result

    # ------------------------------------------------------------------------------------------- reports

    def _signal(self, name: str, kind: Type = _COUNT) -> Signal:
        number = sum(is_report(signal) for signal in self.module.signals)
        made = Signal(f"{REPORT_STEM}{number}${name}", kind.width, kind)
        self.module.signals.append(made)
        return made

    def _forget(self) -> tuple[Statement, ...]:
        return tuple(Assign(Ref(counter), Const(32, 0), True) for counter in self.counters)

    def _forget_after_waits(self, statement: Statement) -> Statement:
        changed = _map(statement, self._forget_after_waits)
        match changed:
            case Wait(_, body) | WaitUntil(_, body):
                return replace(changed, body=Block((*self._forget(), body)))
            case WaitFork():
                return Block((changed, *self._forget()))
            case Assign(blocking=True, timing=timing) if timing is not None:
                return Block((changed, *self._forget()))
            case _:
                return changed

    def _report(self, action: Statement, region: str, span: Span) -> Statement:
        """Return what puts a report aside, and add the process that does its action later."""
        if self.forks:
            raise Unsupported("a deferred assertion inside a 'fork'", span)
        kept, captures = self._capture(action, span)
        counter, told = self._signal("count"), self._signal("told", _EVENT)
        self.counters.append(counter)
        each = kept if region == "postponed" else Block((kept,), fork="join_none")
        body = Block((RepeatTimes(Ref(counter), each, span), Assign(Ref(counter), Const(32, 0), True, span)))
        events = (Event("any", Ref(told), span=span),)
        self.module.processes.append(Process(Kind.EVENTS, body, events, "deferred", span, self.scope, region=region))
        count = Assign(Ref(counter), Binary("add", Ref(counter), Const(32, 1), 32), True, span)
        return Block((*captures, count, Trigger(Ref(told), span=span)))

    def _capture(self, action: Statement, span: Span) -> tuple[Statement, list[Statement]]:
        """Keep the arguments of an action, which is the call of a task, as they are now."""
        if not isinstance(action, SystemTask):
            return action, []
        captures: list[Statement] = []
        args: list[Expr | None] = []
        types = action.types or (None,) * len(action.args)
        for argument, kind in zip(action.args, types, strict=True):
            if argument is None or isinstance(argument, Const | Text) or _is_time(argument):
                args.append(argument)
                continue
            if kind is not None and kind.kind not in ("real", "shortreal", "enum", "struct", "union"):
                raise Unsupported("this argument of a deferred assertion's action", span)
            if self.loops:
                raise Unsupported("an argument of the action of a deferred assertion in a loop", span)
            made = self._signal("kept", kind or Type("logic", argument.width))
            captures.append(Assign(Ref(made), argument, True, span))
            args.append(Ref(made))
        return replace(action, args=tuple(args)), captures

    # ------------------------------------------------------------------------------------------- assertions, checks

    def _assertion(self, assertion: Assertion) -> Statement:
        span = assertion.span
        if self.function is not None:
            raise Unsupported("a deferred assertion in a function or task", span)
        region = "postponed" if assertion.deferred == "final" else "observed"
        failed = assertion.failed
        if failed is None and assertion.kind != "cover":
            failed = SystemTask("$error", (Text("Assertion failed."),), (False,), span, self.scope)
        parts = [Block(()) if part is None else self._report(part, region, span) for part in (assertion.passed, failed)]
        control = assertion.control
        if control is None:
            return If(assertion.cond, parts[0], parts[1], span=span)
        parts = [If(_is_on(control, bit), part) for bit, part in zip((PASSES_OFF, FAILS_OFF), parts, strict=True)]
        return If(_is_on(control, OFF), If(assertion.cond, parts[0], parts[1], span=span), span=span)

    def _warning(self, text: str, span: Span) -> Statement:
        task = SystemTask("$warning", (Text(text),), (False,), span, self.scope)
        return task if self.function is not None or self.forks else self._report(task, "observed", span)

    def _case(self, case: Case) -> Statement:
        default = case.default
        if default is None and case.check in ("unique", "priority"):
            default = self._warning(UNHANDLED % "case", case.span)
        plain = replace(case, check="", default=default)
        conditions = [] if case.check == "priority" else _item_conditions(case)
        if not conditions:
            return plain
        return Block((*self._count(conditions, "case", case.span), plain))

    def _if(self, statement: If) -> Statement:
        conditions: list[Expr] = []
        end: Statement | None = statement
        while isinstance(end, If) and (end is statement or not end.check):
            conditions.append(end.cond)
            end = end.other
        plain = replace(statement, check="")
        if end is None and statement.check in ("unique", "priority"):
            text = UNHANDLED % "if"
            plain = _with_else(plain, self._warning(text, statement.span))
        if statement.check == "priority" or len(conditions) < 2 or any(_acts(cond) for cond in conditions):
            return plain
        return Block((*self._count(conditions, "if", statement.span), plain))

    def _count(self, conditions: list[Expr], word: str, span: Span) -> list[Statement]:
        """Return statements that report if more than one of several conditions holds."""
        hits = self._signal("hits")
        one_more = Assign(Ref(hits), Binary("add", Ref(hits), Const(32, 1), 32), True, span)
        report = self._warning(SEVERAL % word, span)
        return [
            Assign(Ref(hits), Const(32, 0), True, span),
            *(If(cond, one_more, span=span) for cond in conditions),
            If(Binary("ugt", Ref(hits), Const(32, 1), 1), report, span=span),
        ]


def _with_else(statement: If, end: Statement) -> If:
    other = statement.other
    return replace(statement, other=_with_else(other, end) if isinstance(other, If) else end)


def _is_time(argument: Expr) -> bool:
    return isinstance(argument, SystemCall) and argument.name in ("$time", "$stime", "$realtime")


def _acts(expression: Expr) -> bool:
    if isinstance(expression, Call | SystemCall):
        return True
    return any(_acts(inner) for inner in operands(expression))


def _item_conditions(case: Case) -> list[Expr]:
    """Return a condition for each item, or nothing if no two items can match together, or nobody can tell."""
    labels = [label for item in case.items for label in item.labels]
    if all(isinstance(label, Const) for label in labels):
        patterns = [
            [_pattern(case.kind, label) for label in item.labels if isinstance(label, Const)] for item in case.items
        ]
        if not any(
            (first[0] ^ second[0]) & first[1] & second[1] == 0
            for one, other in combinations(patterns, 2)
            for first in one
            for second in other
        ):
            return []
    elif case.kind in ("casez", "casex"):
        return []
    if _acts(case.subject) or any(_acts(part) for label in labels for part in _parts(label)):
        return []
    result: list[Expr] = []
    for item in case.items:
        cond: Expr = Const(1, 0)
        for label in item.labels:
            cond = Binary("or", cond, _matches(case, label), 1)
        result.append(cond)
    return result


def _parts(label: Expr | tuple[Expr, Expr]) -> tuple[Expr, ...]:
    return label if isinstance(label, tuple) else (label,)


def _pattern(kind: str, label: Const) -> tuple[int, int]:
    """Return the value and the bits that count of a constant label."""
    everything = (1 << label.width) - 1
    free = {"case": 0, "casez": label.unknown & label.value}.get(kind, label.unknown)
    # A label's x and z differ from each other and from 0 and 1; they are compared as a second plane.
    care = everything & ~free
    return (label.value & care) | (label.unknown & care) << label.width, care | care << label.width


def _matches(case: Case, label: Expr | tuple[Expr, Expr]) -> Expr:
    """Return whether a label matches, without the unknown bits of the subject that `casez` and `casex` leave out."""
    if isinstance(label, tuple):
        order = "s" if case.signed else "u"
        low, high = label
        above = Binary(f"{order}ge", case.subject, low, 1)
        return Binary("and", above, Binary(f"{order}le", case.subject, high, 1), 1)
    if case.kind == "case":
        return Binary("ceq", case.subject, label, 1)
    if case.kind != "inside" and isinstance(label, Const):
        free = label.unknown & label.value if case.kind == "casez" else label.unknown
        care = Const(label.width, ((1 << label.width) - 1) & ~free)
        wanted = Const(label.width, label.value & care.value, label.unknown & care.value)
        return Binary("ceq", Binary("and", case.subject, care, label.width), wanted, 1)
    return Binary("weq", case.subject, label, 1)
