"""Take out of procedures what they print or report, so that the rest can be in a region.

Most procedures that print do so seldom: they report what should never be. Each of them becomes two. One has all that
the first one did but to print; the other one, which is left to events, has what prints, under the conditions under
which it does, and what it needs to know of these: variables that the procedure assigns itself are copied for it.

A clocked procedure prints when its edge comes, and reads what is before it; so does what is left of it to events. The
reports of `unique`, of `priority` and of deferred assertions in combinational procedures are made when values have
settled (`passes.defer_assertions`, IEEE 1800-2023 12.5.3, 16.4), once whenever the procedure has run. So the region
computes whether there is a report, and only while there is one, it shows what the procedure reads: its other half then
sees these change, and reports as often as the procedure would have run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from weft.base.dataclass import fields, replace
from weft.engines.event.elaborate import roots_of
from weft.ir.design import (
    Assign,
    Block,
    Case,
    Cond,
    Const,
    ContinuousAssign,
    Evaluate,
    Expr,
    If,
    Jump,
    Kind,
    Loop,
    Module,
    Process,
    Ref,
    RepeatTimes,
    Signal,
    Statement,
    SystemTask,
    Trigger,
    Type,
)
from weft.ir.expressions import AssignExpr, Binary, Call, Concat, Element, Slice, SystemCall
from weft.ir.reads import process_reads, statement_reads
from weft.ir.system_tasks import is_report
from weft.ir.walk import calls_in, children, expressions_of, statements_in, subexpressions
from weft.sim.regions.module_reasons import LOADS, has_edge, own_reason

SOME = "$some"
"""What the names of signals end with that say whether there is a report."""

_MOST_BITS = 4096
"""How many bits a signal may have that a region shows."""

_BIT = Type("bit", 1, four_state=False)


def carve_reports(module: Module) -> Module:
    """Return a module in which what prints, or reports, is in procedures of its own where that can be."""
    signals, assigns, processes = list(module.signals), list(module.assigns), list[Process]()
    empty = Module(module.name, module.key, span=module.span)
    for number, process in enumerate(module.processes):
        carved = None
        if own_reason(replace(empty, processes=[process])) is not None and not (process.region or process.reactive):
            carved = _Carving(process, number).carve()
        if carved is None or own_reason(replace(empty, processes=[carved.kept])) is not None:
            processes.append(process)
        else:
            signals += carved.signals
            assigns += carved.assigns
            processes += [carved.kept, carved.reports]
    return replace(module, signals=signals, assigns=assigns, processes=processes)


class _Carving:
    """Carve one procedure."""

    kept: Process
    reports: Process

    def __init__(self, process: Process, number: int) -> None:
        self.process, self.number = process, number
        self.signals: list[Signal] = []
        self.assigns: list[ContinuousAssign] = []

    def carve(self) -> _Carving | None:
        """Make both halves; None if they cannot be told apart."""
        process = self.process
        if process.kind not in (Kind.COMB, Kind.EVENTS, Kind.INITIAL):
            return None
        logic = process.kind == Kind.COMB
        if process.kind == Kind.EVENTS and not has_edge(process):
            return None
        body = _without(process.body, _is_output) or Block(())
        reports, needed = self._slice()
        if reports is None or not any(_is_output(each) for each in statements_in(reports)):
            return None
        if logic and any(isinstance(each, SystemTask) for each in statements_in(reports)):
            return None
        own = {s for s in needed if s in _written(process.body) and not is_report(s)}
        if not _assigns_first(reports, own) or any(s.depth for s in own):
            return None
        copies = {signal: self._copy(signal, "report") for signal in own}
        if not logic:
            self.kept = replace(process, body=body)
            self.reports = replace(process, body=_renamed(reports, copies))
            return self
        return self if self._guard(body, reports, own, copies) else None

    def _guard(
        self, body: Statement, reports: Statement, own: Collection[Signal], copies: Mapping[Signal, Signal]
    ) -> bool:
        """Have the region say whether there is a report, and show what the procedure reads while there is one."""
        process = self.process
        counters = [s for s in _written(reports) if is_report(s) and s.name.endswith("$count")]
        inside = _without(reports, lambda each: isinstance(each, Trigger))
        if inside is None or not counters:
            return False
        noted = {s: self._copy(s, "inside") for s in [*own, *(s for s in _written(reports) if is_report(s))]}
        some = Signal(f"report.{self.number}{SOME}", 1, _BIT, initial=Const(1, 0))
        total: Expr = Const(1, 0)
        for counter in counters:
            total = Binary("or", total, Binary("ne", Ref(noted[counter]), Const(32, 0), 1), 1)
        say = Assign(Ref(some), total, True, process.span)
        self.kept = replace(process, body=Block((body, _renamed(inside, noted), say)))
        written = set(_written(process.body))
        parts = [
            (signal, low, high)
            for ref, low, high in process_reads(process)
            if not ((signal := ref.signal) in written or signal.automatic or signal.local)
        ]
        read = list(dict.fromkeys(signal for signal, _, _ in parts))
        within = {ref.signal for ref, _, _ in statement_reads(reports)}
        if any(s.bits > _MOST_BITS or (s.depth and s in within) for s in read):
            return False
        # One signal shows them all, so that a region has little to do as long as there is no report.
        width = max(sum(signal.bits for signal in read), 1)
        shown = Signal(f"report.{self.number}$shown", width, Type("logic", width), net="wire")
        places: dict[Signal, Expr] = {}
        for signal in read:
            at = sum(each.width for each in places.values())
            places[signal] = Slice(Ref(shown), at, signal.bits)
        given = Concat(tuple(Ref(signal) for signal in reversed(read)), width) if read else Const(1, 0)
        self.assigns.append(ContinuousAssign(Ref(shown), Cond(Ref(some), given, Const(width, 0), width), process.span))
        # The procedure runs when anything changes that it reads, which what is left of it may not all read.
        views = [_part(places[signal], low, high - low) for signal, low, high in dict.fromkeys(parts)]
        seen = Concat(tuple(views), sum(each.width for each in views))
        wake = Signal(f"report.{self.number}$wake", max(seen.width, 1), Type("logic", max(seen.width, 1)))
        look = [Assign(Ref(wake), seen, True, process.span)] if views else []
        then = Block((*look, _renamed(reports, {**places, **copies})))
        forget = [Assign(Ref(counter), Const(32, 0), True, process.span) for counter in counters]
        self.reports = replace(process, body=Block((*forget, If(Ref(some), then, None, span=process.span))))
        self.signals += [some, wake, shown]
        return True

    def _copy(self, signal: Signal, what: str) -> Signal:
        made = replace(signal, name=f"report.{self.number}${signal.name}${what}", net="")
        self.signals.append(made)
        return made

    def _slice(self) -> tuple[Statement | None, set[Signal]]:
        """Return what prints or reports, with what it needs, and the signals that it needs."""
        needed: set[Signal] = set()
        while True:
            kept = _only(self.process.body, needed)
            found = {ref.signal for ref, _, _ in statement_reads(kept)} if kept is not None else set[Signal]()
            if found <= needed:
                return kept, needed
            needed |= found


def _is_output(statement: Statement) -> bool:
    """Say whether a statement prints, or puts a report aside."""
    match statement:
        case SystemTask(name):
            return name not in LOADS
        case Trigger(event):
            return isinstance(event, Ref) and is_report(event.signal)
        case Assign(lhs):
            return all(is_report(ref.signal) for ref in roots_of(lhs))
        case _:
            return False


def _acts(expressions: Iterable[Expr]) -> bool:
    return any(
        isinstance(part, Call | SystemCall | AssignExpr) for each in expressions for part in subexpressions(each)
    )


def _without(statement: Statement, out: Callable[[Statement], bool]) -> Statement | None:
    """Return a statement without some of those in it; None if nothing is left."""
    if out(statement):
        return None
    match statement:
        case Block(body):
            left = tuple(new for each in body if (new := _without(each, out)) is not None)
            return replace(statement, body=left) if left else None
        case If(cond, then, other):
            first = _without(then, out)
            second = _without(other, out) if other is not None else None
            if first is None and second is None and not _acts((cond,)):
                return None
            return replace(statement, then=first or Block(()), other=second)
        case Case(items=items, default=default):
            bodies = [_without(item.body, out) for item in items]
            last = _without(default, out) if default is not None else None
            if last is None and not any(bodies) and not _acts(expressions_of(statement)[0]):
                return None
            new = tuple(replace(i, body=b or Block(())) for i, b in zip(items, bodies, strict=True))
            return replace(statement, items=new, default=last)
        case Loop(body=body) | RepeatTimes(body=body):
            inner = _without(body, out)
            return replace(statement, body=inner or Block(())) if inner is not None or _is_loop(statement) else None
        case _:
            return statement


def _is_loop(statement: Statement) -> bool:
    """Say whether a loop does something by itself: what it counts with may be read behind it."""
    return isinstance(statement, Loop)


def _only(statement: Statement, needed: Collection[Signal]) -> Statement | None:
    """Return of a statement what prints or reports, and what assigns some signals, under its conditions."""

    def out(each: Statement) -> bool:
        match each:
            case Assign(lhs):
                roots = {ref.signal for ref in roots_of(lhs)}
                return not (_is_output(each) or roots & set(needed))
            case Evaluate(AssignExpr(lhs=lhs)):
                return not {ref.signal for ref in roots_of(lhs)} & set(needed)
            case Jump():
                return False
            case _:
                return not children(each) and not _is_output(each) and not isinstance(each, Block)

    return _without(statement, out)


def _written(body: Statement | None) -> list[Signal]:
    """Return the signals that a statement assigns, by calls too."""
    found: dict[Signal, None] = {}
    for statement in statements_in(body):
        reads, writes = expressions_of(statement)
        targets = [] if isinstance(statement, Trigger) else list(writes)
        for expression in reads:
            targets += [part.lhs for part in subexpressions(expression) if isinstance(part, AssignExpr)]
        for target in targets:
            found.update((ref.signal, None) for ref in roots_of(target))
    for call in calls_in(body):
        if isinstance(call, Call):
            for (direction, _), argument in zip(call.function.args, call.args, strict=True):
                if direction != "input":
                    found.update((ref.signal, None) for ref in roots_of(argument))
    return list(found)


def _assigns_first(body: Statement, own: Collection[Signal]) -> bool:
    """Say whether some signals are assigned as a whole, with `=`, before they are read."""
    assigned: set[Signal] = set()

    def look(statement: Statement, known: set[Signal]) -> set[Signal] | None:
        """Return what is assigned behind a statement, or None if something is read before."""
        reads, writes = expressions_of(statement)
        for expression in (*reads, *writes):
            for part in subexpressions(expression):
                named = isinstance(part, Ref | Element) and part.signal in own and part.signal not in known
                if named and not (part in writes and isinstance(part, Ref)):
                    return None
        match statement:
            case Assign(Ref(signal), blocking=True):
                return known | {signal}
            case Block(inside):
                for each in inside:
                    after = look(each, known)
                    if after is None:
                        return None
                    known = after
                return known
            case If(_, then, other):
                ends = [look(then, known), look(other, known) if other is not None else known]
                return None if None in ends else set[Signal].intersection(*(e for e in ends if e is not None))
            case _:
                ends = [look(each, known) for each in children(statement)]
                return None if None in ends else known

    return look(body, assigned) is not None


def _part(value: Expr, low: int, width: int) -> Expr:
    """Return bits of an expression; those of a part of a signal are a part of it too."""
    if isinstance(value, Slice) and isinstance(value.offset, int) and 0 <= low <= value.width - width:
        return Slice(value.value, value.offset + low, width)
    return Slice(value, low, width)


def _renamed(thing: Any, names: Mapping[Signal, Signal | Expr]) -> Any:
    """Return a statement or expression with other signals, or parts of signals, in it."""
    if isinstance(thing, tuple):
        return tuple(_renamed(each, names) for each in thing)
    if isinstance(thing, Signal):
        found = names.get(thing, thing)
        return found if isinstance(found, Signal) else thing
    if isinstance(thing, Ref):
        found = names.get(thing.signal, thing.signal)
        return replace(thing, signal=found) if isinstance(found, Signal) else found
    if isinstance(thing, Slice) and isinstance(thing.value, Ref) and isinstance(thing.offset, int):
        return _part(_renamed(thing.value, names), thing.offset, thing.width)
    if isinstance(thing, Type) or not hasattr(thing, "__match_args__"):
        return thing
    changed: dict[str, Any] = {}
    for name in fields(thing):
        part = getattr(thing, name)
        if name in _OWN or part is None or isinstance(part, str | int):
            continue
        new = _renamed(part, names)
        if new is not part:
            changed[name] = new
    return replace(thing, **changed) if changed else thing


_OWN = frozenset({"span", "function", "type", "types", "member"})
"""Fields that name no signal of the module."""
