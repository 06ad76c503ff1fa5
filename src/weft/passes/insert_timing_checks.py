"""Turn timing checks into processes (IEEE 1800-2023 clause 31).

A check keeps the times of its events, in ticks, in variables that no source text can name, and compares when one of
them happens. Its limits are variables too, so that a delay file can change them in any instance. A violation is told
by a call of `$weft$violation` and toggles the notifier.

With negative limits, or delayed signals in the source, a check looks at copies of its terminals. How much each of them
is delayed is the least solution of `setup + d(reference) >= d(data)` and `hold + d(data) >= d(reference)` over all
checks of the module (31.9.1), found by relaxation (Bellman and Ford); where there is none, negative limits become 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from weft.base.dataclass import dataclass, field, replace
from weft.base.errors import Unsupported
from weft.ir.design import (
    Assign,
    Binary,
    Block,
    Cond,
    Const,
    ContinuousAssign,
    Delay,
    Event,
    Expr,
    If,
    Kind,
    Module,
    Process,
    Real,
    Ref,
    Signal,
    Slice,
    Statement,
    SystemCall,
    SystemTask,
    Text,
    Type,
    Unary,
)
from weft.ir.specify import CheckEvent, TimingCheck
from weft.passes.insert_path_delays import WORD, terminal

NEVER = (1 << 64) - 1
_NOW = SystemCall("$ticks", (), 64)
_ONE = Const(1, 1)
_OPPOSITE = {"posedge": "negedge", "negedge": "posedge"}

Terminal = tuple[Signal, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class CheckLimits:
    """Be the limits of a check: one variable for each time, and what it has more than the limit in the source."""

    check: TimingCheck
    limits: tuple[Signal, ...]
    added_ticks: tuple[int, ...]


@dataclass(slots=True, eq=False)
class _Checks:
    """Hold what is made for one module."""

    module: Module
    tick_fs: int
    count: int = 0
    copies: dict[Terminal, Expr] = field(default_factory=dict[Terminal, Expr])

    def word(self, name: str, initial: int) -> Signal:
        """Return a new variable of 64 bits."""
        signal = Signal(f"$check{self.count}${name}", 64, WORD, initial=Const(64, initial & NEVER))
        self.module.signals.append(signal)
        return signal

    def bits(self, name: str, width: int, net: str = "") -> Signal:
        """Return a new 4-state variable or net."""
        signal = Signal(f"$check{self.count}${name}", width, Type("logic", width), net=net)
        self.module.signals.append(signal)
        return signal


def insert_timing_checks(module: Module, tick_fs: int) -> list[CheckLimits]:
    """Insert the processes of a module's timing checks; return their limits. The module is changed."""
    if not module.checks:
        return []
    checks = _Checks(module, tick_fs)
    delays = _solve_delays(module.checks)
    made: list[CheckLimits] = []
    for check in module.checks:
        checks.count += 1
        made.append(_insert(checks, check, delays))
    return made


# ------------------------------------------------------------------------------------------- delayed terminals


def _is_window(check: TimingCheck) -> bool:
    return check.kind in ("$setuphold", "$recrem")


def _needs_copies(check: TimingCheck) -> bool:
    return _is_window(check) and (min(check.limits_fs) < 0 or any(part is not None for part in check.delayed))


def _window(check: TimingCheck) -> tuple[int, int]:
    """Return how long before and after the reference event data must not change.

    `$recrem` has the limit after its reference event, recovery, first.
    """
    before, after = check.limits_fs if check.kind == "$setuphold" else check.limits_fs[::-1]
    if before + after < 0:
        before, after = max(before, 0), max(after, 0)
    return before, after


def _solve_delays(checks: Sequence[TimingCheck]) -> dict[Terminal, int]:
    """Return by how many femtoseconds each terminal of a check with delayed terminals is delayed."""
    delays: dict[Terminal, int] = {}
    edges: list[tuple[Terminal, Terminal, int]] = []
    for check in checks:
        if _needs_copies(check):
            first, second = (terminal(event.terminal, check.span) for event in check.events)
            before, after = _window(check)
            delays[first] = delays[second] = 0
            edges += [(first, second, -before), (second, first, -after)]
    for _ in range(len(delays) + 1):
        changed = False
        for target, source, more in edges:
            if delays[target] < delays[source] + more:
                delays[target] = delays[source] + more
                changed = True
        if not changed:
            return delays
    return dict.fromkeys(delays, 0)


def _copy(checks: _Checks, event: CheckEvent, place: Terminal, delay_fs: int) -> Expr:
    """Return a copy of a terminal that follows it after a delay, whatever happens meanwhile."""
    if delay_fs == 0:
        return event.terminal
    known = checks.copies.get(place)
    if known is None:
        width = place[2]
        known = checks.copies[place] = Ref(checks.bits("delayed", width))
        delay = Delay(Real(delay_fs / checks.module.time_unit_fs), real=True)
        later = Assign(known, event.terminal, False, timing=delay)
        checks.module.processes.append(Process(Kind.COMB, later, keyword="always_comb"))
    return known


# ------------------------------------------------------------------------------------------- checks


def _insert(checks: _Checks, check: TimingCheck, delays: dict[Terminal, int]) -> CheckLimits:
    limits_fs, added = list(check.limits_fs), [0] * len(check.limits_fs)
    events = list(check.events)
    if _is_window(check):
        limits_fs = list(_window(check))
        if _needs_copies(check):
            places = [terminal(event.terminal, check.span) for event in events]
            first, second = (delays[place] for place in places)
            added = [first - second, second - first]
            for i, (event, place) in enumerate(zip(events, places, strict=True)):
                copy = _copy(checks, event, place, delays[place])
                target = check.delayed[i]
                if target is not None:
                    checks.module.assigns.append(ContinuousAssign(target, copy, check.span))
                events[i] = replace(event, terminal=copy)
    if min(limits_fs, default=0) < 0 and not _is_window(check):
        raise Unsupported(f"a negative limit of {check.kind}", check.span)
    ticks = [max(0, limit + more) // checks.tick_fs for limit, more in zip(limits_fs, added, strict=True)]
    limits = tuple(checks.word(f"limit{i}", limit) for i, limit in enumerate(ticks))
    writer = _CheckWriter(checks, check, tuple(events), limits)
    match check.kind:
        case "$setup":
            writer.before(check.events[0], check.events[1], 0)
        case "$removal":
            writer.before(check.events[1], check.events[0], 0)
        case "$hold" | "$recovery":
            writer.after(check.events[0], check.events[1], 0)
        case "$setuphold" | "$recrem":
            writer.window(*events)
        case "$skew":
            writer.skew(check.events[0], check.events[1])
        case "$timeskew":
            writer.time_skew(check.events[0], check.events[1], 0)
        case "$fullskew":
            writer.time_skew(check.events[0], check.events[1], 0)
            writer.time_skew(check.events[1], check.events[0], 1)
        case "$period":
            writer.period(check.events[0])
        case "$width":
            writer.width(check.events[0])
        case _:
            writer.no_change(check.events[0], check.events[1])
    return CheckLimits(check, limits, tuple(more // checks.tick_fs for more in added))


@dataclass(slots=True, eq=False)
class _CheckWriter:
    """Write the processes of one check."""

    checks: _Checks
    check: TimingCheck
    events: tuple[CheckEvent, ...]
    limits: tuple[Signal, ...]

    # -------------------------------------------------------------------------------------- kinds

    def before(self, data: CheckEvent, reference: CheckEvent, limit: int) -> None:
        """Check that data has not changed for some time before the reference event ($setup, $removal)."""
        stamp = self._stamp("data")
        self._on(data, _note(stamp))
        near = _and(_within(stamp, self.limits[limit]), _differs(stamp))
        self._on(reference, If(near, self._violation(data, Ref(stamp), reference, _NOW, limit)))

    def after(self, reference: CheckEvent, data: CheckEvent, limit: int) -> None:
        """Check that data does not change for some time from the reference event on ($hold, $recovery)."""
        first, second = self._stamp("reference"), self._stamp("data")
        near = _within(first, self.limits[limit])
        told = self._violation(reference, Ref(first), data, _NOW, limit)
        self._on(data, Block((_note(second), If(near, told))))
        together = _and(_same(second), _positive(self.limits[limit]))
        told = self._violation(reference, _NOW, data, Ref(second), limit)
        self._on(reference, Block((_note(first), If(together, told))))

    def window(self, reference: CheckEvent, data: CheckEvent) -> None:
        """Check that data does not change around the reference event ($setuphold, $recrem)."""
        first, second = self._stamp("reference"), self._stamp("data")
        before, after = 0, 1
        stamped, checked = self.check.conditions
        late = self._violation(reference, Ref(first), data, _NOW, after)
        early = self._violation(data, Ref(second), reference, _NOW, before)
        together = _and(_same(second), _positive(self.limits[after]))
        near = _and(_within(second, self.limits[before]), _differs(second))
        held = self._violation(reference, _NOW, data, Ref(second), after)
        if_held = If(_all(checked, _within(first, self.limits[after])), late)
        if_set = If(_all(checked, near), early, If(_all(checked, together), held))
        self._on(data, Block((if_held, _guarded(stamped, _note(second)))))
        self._on(reference, Block((if_set, _guarded(stamped, _note(first)))))

    def skew(self, reference: CheckEvent, data: CheckEvent) -> None:
        """Check that data does not change later than some time after the reference event."""
        first = self._stamp("reference")
        late = _and(_known(first), Binary("ult", Ref(self.limits[0]), _since(first), 1))
        self._on(reference, _note(first))
        self._on(data, If(late, self._violation(reference, Ref(first), data, _NOW, 0)))

    def time_skew(self, reference: CheckEvent, data: CheckEvent, limit: int) -> None:
        """Check that data changes within some time after the reference event, by events or by a timer."""
        first = self._stamp(f"reference{limit}")
        sleep = _set(first, Const(64, NEVER))
        late = _and(_known(first), Binary("ult", Ref(self.limits[limit]), _since(first), 1))
        told = self._violation(reference, Ref(first), data, _NOW, limit)
        if self.check.event_based:
            told = told if self.check.remain_active else Block((told, sleep))
            self._on(data, If(late, told))
            self._on(reference, _note(first), None if self.check.remain_active else sleep)
            return
        # The timer is a copy of the reference event's time that arrives a tick after the limit.
        timer = self._stamp(f"timer{limit}")
        module = self.checks.module
        tick = self.checks.tick_fs / module.time_unit_fs
        wait = Binary("fadd", Real(0.0), Binary("fmul", Unary("utof", Ref(self.limits[limit]), 64), Real(tick), 64), 64)
        wait = Binary("fadd", wait, Real(tick), 64)
        start = Assign(Ref(timer), Ref(first), False, timing=Delay(wait, real=True))
        self._on(data, sleep)
        self._on(reference, Block((_note(first), start)), None if self.check.remain_active else sleep)
        expired = _and(Binary("eq", Ref(timer), Ref(first), 1), _known(first))
        self._process(Event("any", Ref(timer)), If(expired, Block((told, sleep))))

    def period(self, reference: CheckEvent) -> None:
        """Check that an event does not follow itself too soon."""
        first = self._stamp("reference")
        near = _within(first, self.limits[0])
        told = self._violation(reference, Ref(first), reference, _NOW, 0)
        self._on(reference, Block((If(near, told), _note(first))))

    def width(self, reference: CheckEvent) -> None:
        """Check that a pulse is not too short, unless it is no longer than the threshold."""
        first = self._stamp("reference")
        if reference.edge not in _OPPOSITE:
            raise Unsupported("a $width check of this edge", self.check.span)
        end = CheckEvent(reference.terminal, _OPPOSITE[reference.edge], text=_opposite_text(reference))
        end = replace(end, condition=reference.condition)
        longer = Binary("ult", Ref(self.limits[1]), _since(first), 1)
        near = _and(_within(first, self.limits[0]), longer)
        self._on(reference, _note(first))
        self._on(end, If(near, self._violation(reference, Ref(first), end, _NOW, 0)))

    def no_change(self, reference: CheckEvent, data: CheckEvent) -> None:
        """Check that data does not change while a level holds, nor for some time before and after."""
        if reference.edge not in _OPPOSITE:
            raise Unsupported("a $nochange check of this edge", self.check.span)
        lead, trail, change = self._stamp("lead"), self._stamp("trail"), self._stamp("data")
        end = CheckEvent(reference.terminal, _OPPOSITE[reference.edge], text=_opposite_text(reference))
        told = self._violation(reference, Ref(lead), data, _NOW, 0)
        inside = _or(_and(_known(lead), _differs(lead)), _and(_within(trail, self.limits[1]), _differs(trail)))
        self._on(data, Block((_note(change), If(inside, told))))
        near = _and(_within(change, self.limits[0]), _differs(change))
        early = self._violation(reference, _NOW, data, Ref(change), 0)
        self._on(reference, Block((If(near, early), _note(lead))))
        self._on(end, Block((_note(trail), _set(lead, Const(64, NEVER)))))

    # -------------------------------------------------------------------------------------- parts

    def _stamp(self, name: str) -> Signal:
        return self.checks.word(name, NEVER)

    def _process(self, event: Event, body: Statement) -> None:
        self.checks.module.processes.append(Process(Kind.EVENTS, body, (event,), "always", self.check.span))

    def _on(self, event: CheckEvent, body: Statement, otherwise: Statement | None = None) -> None:
        """Do something at an event whose condition holds, and something else where it does not."""
        position = next((i for i, found in enumerate(self.check.events) if found is event), None)
        if position is not None:
            event = self.events[position]
        value = event.terminal
        if event.condition is not None:
            body = If(event.condition, body, otherwise)
        if not event.transitions:
            if event.edge and value.width > 1:
                value = Slice(value, 0, 1)
            self._process(Event(event.edge or "any", value, span=self.check.span), body)
            return
        if value.width > 1:
            value = Slice(value, 0, 1)
        old = self.checks.bits(f"old{len(self.checks.module.signals)}", 1)
        hit = self.checks.bits(f"hit{len(self.checks.module.signals)}", 1)
        pairs = [_and(_is(Ref(old), pair[0]), _is(value, pair[1])) for pair in event.transitions]
        steps = (_set(hit, reduce(_or, pairs)), _set(old, value), If(Ref(hit), body))
        self._process(Event("any", value, span=self.check.span), Block(steps))

    def _violation(self, first: CheckEvent, at: Expr, second: CheckEvent, now: Expr, limit: int) -> Statement:
        """Return the report of a violation, with the times of both events in ticks."""
        check = self.check
        texts = (Text(check.kind), Text(first.text), at, Text(second.text), now, Ref(self.limits[limit]))
        report = SystemTask("$weft$violation", texts, (False,) * len(texts), check.span)
        notifier = check.notifier
        if notifier is None:
            return report
        if notifier.width > 1:
            notifier = Slice(notifier, 0, 1)
        stays_z = Binary("ceq", notifier, Const(1, 1, 1), 1)
        toggled = Cond(Binary("ceq", notifier, Const(1, 0), 1), _ONE, Const(1, 0), 1)
        new = Cond(stays_z, notifier, toggled, 1)
        return Block((report, Assign(notifier, new, True, check.span)))


def _note(stamp: Signal) -> Statement:
    return _set(stamp, _NOW)


def _set(target: Signal, value: Expr) -> Statement:
    return Assign(Ref(target), value, True)


def _guarded(condition: Expr | None, body: Statement) -> Statement:
    return body if condition is None else If(condition, body)


def _and(a: Expr, b: Expr) -> Expr:
    return Binary("land", a, b, 1)


def _or(a: Expr, b: Expr) -> Expr:
    return Binary("lor", a, b, 1)


def _all(condition: Expr | None, other: Expr) -> Expr:
    return other if condition is None else _and(condition, other)


def _since(stamp: Signal) -> Expr:
    return Binary("sub", _NOW, Ref(stamp), 64)


def _known(stamp: Signal) -> Expr:
    return Binary("ne", Ref(stamp), Const(64, NEVER), 1)


def _within(stamp: Signal, limit: Signal) -> Expr:
    return _and(_known(stamp), Binary("ult", _since(stamp), Ref(limit), 1))


def _same(stamp: Signal) -> Expr:
    return Binary("eq", Ref(stamp), _NOW, 1)


def _differs(stamp: Signal) -> Expr:
    return Binary("ne", Ref(stamp), _NOW, 1)


def _positive(limit: Signal) -> Expr:
    return Binary("ne", Ref(limit), Const(64, 0), 1)


def _is(value: Expr, state: str) -> Expr:
    """Return whether a bit is 0, 1 or, for `x` and `z`, unknown: a check takes z for x (31.5)."""
    if state in "01":
        return Binary("ceq", value, Const(1, int(state)), 1)
    return Unary("isunknown", value, 1)


def _opposite_text(event: CheckEvent) -> str:
    return event.text.replace(event.edge, _OPPOSITE[event.edge], 1)
