"""Concurrent assertions as processes of the observed region (IEEE 1800-2023 16.14).

A property becomes an automaton (`property_automata`), and the assertion a process that its clock wakes and that runs in
the observed region, when the design's own processes have settled. A variable counts the attempts in each state; a tick
moves each state's count to those that the Booleans lead to, and starts one attempt more. The counts of verdicts say how
often the actions run: those are forked, and so they run in the reactive region.

* An assertion in a procedure starts an attempt at a tick for each time that control has reached it since the last one
  (16.14.6); without a clock of its own it takes that of the procedure. In a combinational procedure it is
  `Unsupported`, since an attempt that only a glitch has asked for would have to be taken back.
* An attempt with data (local variables, several clocks) is a thread of its own (`attempt_threads`).
* An assertion that asks for the end of a sequence looks after the process that finds it: it waits for an event that its
  clock triggers in the observed region, so that it is woken after what the clock wakes.
* `expect` starts one attempt, and waits for the event that tells of its verdict.
* `disable iff` looks at present values: a process of its own forgets all attempts as soon as the condition holds.
* What a strong property has not seen at the end of the simulation is a failure, which a `final` procedure reports, as
  another does the counts of a `cover`.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyslang import ast

from weft.ir.design import (
    Assign,
    Binary,
    Block,
    Const,
    Event,
    Expr,
    If,
    Kind,
    Process,
    Ref,
    RepeatTimes,
    Resize,
    Signal,
    Statement,
    SystemCall,
    SystemTask,
    Text,
    Trigger,
    Type,
    Unary,
    Wait,
)
from weft.lang.sv.assertion_controls import concurrent_kind, guard_actions, is_on, kills_of, make_control
from weft.lang.sv.attempt_counts import Counts, add_count, clear_counts, element, move_counts, word
from weft.lang.sv.attempt_threads import AttemptThreads
from weft.lang.sv.convert_properties import PropertyConverter
from weft.lang.sv.flow import statement_of
from weft.lang.sv.property_automata import Automaton, TooLarge, build_automaton
from weft.lang.sv.property_terms import Term
from weft.lang.sv.property_threads import build_data_automaton
from weft.lang.sv.reals import REAL_TYPE
from weft.lang.sv.sampling import EVENT_TYPE, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weft.base.source import Span
    from weft.lang.sv.context import ModuleContext
    from weft.lang.sv.state import State

_COUNT = Type("bit", 32, four_state=False)
_BIT = Type("bit", 1, four_state=False)
_COVERS = frozenset({ast.AssertionKind.CoverProperty, ast.AssertionKind.CoverSequence})


def is_assertion_item(body: ast.Statement) -> bool:
    """Say whether the body of a procedure is really a concurrent assertion that is an item of a module."""
    parent = body.syntax.parent if body.syntax is not None else None
    member = type(parent).__name__ == "ConcurrentAssertionMemberSyntax"
    return member or isinstance(body, ast.ConcurrentAssertionStatement)


def convert_assertion_item(context: ModuleContext, body: ast.Statement, scope: str) -> None:
    """Convert an assertion that is an item of a module: an attempt starts at every tick."""
    label, state = "", context.state
    if isinstance(body, ast.BlockStatement):
        label = body.blockSymbol.name if body.blockSymbol is not None else ""
        body = body.body
    while isinstance(body, ast.StatementList):
        body = body.list[0]
    outer, state.scope = state.scope, ".".join(part for part in (scope, label) if part)
    AssertionProcess(state, cast("ast.ConcurrentAssertionStatement", body), label).build(None)
    state.scope = outer


def convert_procedural_assertion(state: State, node: ast.Statement) -> Statement:
    """Convert an assertion in a procedure, or an `expect` statement."""
    assertion = cast("ast.ConcurrentAssertionStatement", node)
    if state.context.ignore_assertions:
        if assertion.assertionKind == ast.AssertionKind.Expect:
            state.context.unsupported("an 'expect' statement without the assertions", node)
        return Block(())
    if state.subroutine is not None or state.this is not None:
        state.context.unsupported("a concurrent assertion in a function or task", node)
    if state.combinational:
        state.context.unsupported("a concurrent assertion in a combinational procedure", node)
    started = state.fresh_label("started")
    flag = Signal(started, 32, _COUNT, span=state.context.span(node))
    state.context.add_signals(flag)
    if assertion.assertionKind == ast.AssertionKind.Expect:
        return _expect(state, assertion, flag)
    label = state.scope.rpartition(".")[2]
    AssertionProcess(state, assertion, label).build(flag)
    return Assign(Ref(flag), Binary("add", Ref(flag), word(1), 32), True, flag.span)


def _expect(state: State, node: ast.ConcurrentAssertionStatement, flag: Signal) -> Statement:
    """Convert `expect (property) pass else fail` (16.17)."""
    span = state.context.span(node)
    done = Signal(f"{flag.name}$done", 64, EVENT_TYPE, span=span)
    verdict = Signal(f"{flag.name}$verdict", 1, _BIT, span=span)
    state.context.add_signals(done, verdict)
    assertion = AssertionProcess(state, node, "")
    passed, failed = assertion.actions()
    assertion.told = (verdict, done)
    assertion.since = Signal(f"{flag.name}$since", 64, REAL_TYPE, signed=True, span=span)
    state.context.add_signals(assertion.since)
    assertion.build(flag)
    now = SystemCall("$realtime", (), 64, span=span, type=REAL_TYPE)
    start = Block((Assign(Ref(flag), word(1), True, span), Assign(Ref(assertion.since), now, True, span)))
    choice = If(Ref(verdict), passed or Block(()), failed or Block(()), span=span)
    return Block((start, Wait((Event("any", Ref(done), span=span),), choice, span)))


class AssertionProcess:
    """Convert one assertion."""

    def __init__(
        self, state: State, node: ast.ConcurrentAssertionStatement | ast.AssertionInstanceExpression, label: str
    ) -> None:
        self.state, self.context = state, state.context
        self.span: Span = self.context.span(node)
        self.control: Ref | None = None
        if isinstance(node, ast.ConcurrentAssertionStatement):
            self.node = node
            self.cover = node.assertionKind in _COVERS
            self.expect = node.assertionKind == ast.AssertionKind.Expect
            self.control = make_control(state, *concurrent_kind(node), self.span)
        self.label = label
        self.stem = state.fresh_label(label or "assertion")
        self.clock: tuple[Event, ...] = state.clock
        self.told: tuple[Signal, Signal] | None = None
        self.since: Signal | None = None
        self.matches: Signal | None = None
        self.total: Signal | None = None
        self.level = 0

    def actions(self) -> tuple[Statement | None, Statement | None]:
        """Convert the action block; without an `else` a failure is an error."""
        outer, self.state.clock = self.state.clock, self.clock
        passed, failed = _action(self.state, self.node.ifTrue), _action(self.state, self.node.ifFalse)
        self.state.clock = outer
        if failed is None and self.node.ifFalse is None and not self.cover:
            name = f"'{self.label}' " if self.label else ""
            word = "assumption" if self.node.assertionKind == ast.AssertionKind.Assume else "assertion"
            text = "'expect' failed" if self.expect else f"{word} {name}failed"
            failed = self._task("$error", (Text(text),))
        return guard_actions(self.control, passed, failed)

    def _task(self, name: str, args: tuple[Expr, ...]) -> SystemTask:
        return SystemTask(name, args, tuple(False for _ in args), self.span, self.state.scope)

    def build(self, flag: Signal | None) -> None:
        """Add the assertion's variables and processes; with a `flag`, as many attempts start as that says."""
        if self.node.assertionKind == ast.AssertionKind.Restrict:
            return
        strong = self.cover or self.expect
        converter = PropertyConverter(self.state, self.node, strong)
        part = converter.convert(self.node.propertySpec)
        self.clock = converter.clock
        if self.node.assertionKind == ast.AssertionKind.CoverSequence:
            part = _scanned(part)
        try:
            if converter.has_data:
                self.follow_threads(converter, build_data_automaton(part, converter.locals.data, self.cover), flag)
                return
            automaton = build_automaton(part, self.cover)
        except TooLarge:
            self.context.unsupported("an assertion of so many states", self.node)
        states = len(automaton.moves)
        counts = Counts(
            self.signal("attempts", max(states, 1)),
            self.signal("next", max(states, 1)),
            self.signal("passed"),
            self.signal("failed"),
        )
        self.add_tick(converter, automaton, counts, flag)
        if converter.disable is not None:
            forget = clear_counts(counts.now, states)
            if flag is not None:
                forget.append(Assign(Ref(flag), word(0), True, self.span))
            self._add_disable(converter.disable, tuple(forget))
        if any(automaton.unfinished) and not self.cover and not self.expect:
            cond: Expr = Const(1, 0)
            for number, failed in enumerate(automaton.unfinished):
                if failed:
                    cond = Binary("or", cond, Binary("ne", element(counts.now, number), word(0), 1), 1)
            self._add_unfinished(cond)

    def signal(self, name: str, depth: int = 0) -> Signal:
        """Make a variable of the assertion."""
        made = Signal(f"{self.stem}${name}", 32, _COUNT, depth, span=self.span)
        self.context.add_signals(made)
        self.state.unsampled.add(made)
        return made

    # ------------------------------------------------------------------------------------------- a tick

    def add_tick(self, converter: PropertyConverter, automaton: Automaton, counts: Counts, flag: Signal | None) -> None:
        """Add the process that runs at each tick; attempts are counts."""
        span, states = self.span, len(automaton.moves)
        body = self._forget_killed(clear_counts(counts.now, states))
        work: list[Statement] = [
            *clear_counts(counts.coming, states),
            Assign(Ref(counts.passed), word(0), True, span),
            Assign(Ref(counts.failed), word(0), True, span),
        ]
        atoms: list[Expr] = []
        for number, atom in enumerate(converter.atoms):
            made = self.context.temporary(f"{self.stem}$atom{number}", 1)
            work.append(Assign(Ref(made), atom, True, span))
            atoms.append(Ref(made))
        for number, move in enumerate(automaton.moves):
            count = element(counts.now, number)
            step = move_counts(move, count, atoms, counts, self.cover)
            work.append(If(Binary("ne", count, word(0), 1), step, span=span))
        begun: Expr = word(1) if flag is None else Ref(flag)
        self.prepare_report()
        work.append(self._start(move_counts(automaton.start, begun, atoms, counts, self.cover), flag, Const(1, 1)))
        work += [Assign(element(counts.now, i), element(counts.coming, i), True, span) for i in range(states)]
        work += self.verdicts(counts)
        body += self._unless_disabled(converter, work)
        self._add_process(converter, body, converter.clock)

    def _forget_killed(self, forget: Iterable[Statement]) -> list[Statement]:
        """Return what forgets the attempts that have been killed since the last tick."""
        if self.control is None:
            return []
        present = kills_of(self.control)
        kills = self.signal("kills")
        seen = Assign(Ref(kills), Resize(present, 32, False), True, self.span)
        killed = Binary("ne", Resize(present, 32, False), Ref(kills), 1)
        return [If(killed, Block((*forget, seen)), span=self.span)]

    def prepare_report(self) -> None:
        """Make the counts of a `cover`, and what reports them."""
        if self.cover:
            self.total, self.matches = self.signal("total"), self.signal("matches")
            self._add_report(self.total, self.matches)

    def _start(self, start: Statement, flag: Signal | None, enabled: Expr) -> Statement:
        """Return the statement that starts the attempts of a tick, if assertions are on and `enabled` says so."""
        span = self.span
        begun: Expr = word(1) if flag is None else Ref(flag)
        if self.control is not None:
            enabled = Binary("and", enabled, is_on(self.control), 1)
        if self.total is not None:
            start = Block((add_count(self.total, begun), start))
        if flag is not None:
            start = Block((start, Assign(Ref(flag), word(0), True, span)))
            enabled = Binary("and", enabled, Binary("ne", Ref(flag), word(0), 1), 1)
        if self.since is not None:
            # It begins with the next clocking event, not with one that control has waited for just before.
            now = SystemCall("$realtime", (), 64, span=span, type=REAL_TYPE)
            enabled = Binary("and", enabled, Binary("fne", now, Ref(self.since), 1), 1)
        return If(enabled, start, span=span)

    def _unless_disabled(self, converter: PropertyConverter, work: list[Statement]) -> list[Statement]:
        if converter.disable is None:
            return work
        return [If(Unary("lnot", _certain(converter.disable), 1), Block(tuple(work)), span=self.span)]

    def _add_process(self, converter: PropertyConverter, body: list[Statement], events: tuple[Event, ...]) -> None:
        """Add the process of a tick; it comes after those that find the ends of the sequences that it asks for."""
        levels = self.state.levels
        self.level = max((levels[ended] + 1 for ended in converter.endpoints), default=0)
        for level in range(self.level):
            events = (Event("any", Ref(self._late(events, level)), span=self.span),)
        process = Block(tuple(body))
        self.context.add_process(
            Process(Kind.EVENTS, process, events, "assertion", self.span, self.state.scope, region="observed")
        )

    def _late(self, events: tuple[Event, ...], level: int) -> Signal:
        """Return an event that comes after what `events` have woken."""
        key = key_of((events, level))
        found = self.state.late.get(key)
        if found is None:
            found = self.state.late[key] = Signal(f"{self.stem}$late{level}", 64, EVENT_TYPE, span=self.span)
            self.context.add_signals(found)
            body = Trigger(Ref(found), span=self.span)
            self.context.add_process(Process(Kind.EVENTS, body, events, "assertion", self.span, region="observed"))
        return found

    def follow_threads(self, converter: PropertyConverter, automaton: Automaton, flag: Signal | None) -> None:
        """Follow attempts with data: each is a thread."""
        span = self.span
        threads = AttemptThreads(self.state, converter, automaton, self.stem, span)
        body = self._forget_killed(threads.forget())
        begun: Expr = word(1) if flag is None else Ref(flag)
        self.prepare_report()
        passed, failed = self.thread_verdicts()
        begin = RepeatTimes(begun, threads.begin(passed, failed, self.cover), span)
        work = [*threads.look(), self._start(begin, flag, threads.leads())]
        body += [*threads.before(), *self._unless_disabled(converter, work), *threads.after()]
        self._add_process(converter, body, threads.events())
        if converter.disable is not None:
            forget = (*threads.forget(), *(() if flag is None else (Assign(Ref(flag), word(0), True, span),)))
            self._add_disable(converter.disable, forget)
        if any(automaton.unfinished) and not self.cover and not self.expect:
            self._add_unfinished(Binary("ne", Ref(threads.open), word(0), 1))

    def thread_verdicts(self) -> tuple[list[Statement], list[Statement]]:
        """Return what a thread does when its attempt has passed, or failed."""
        span = self.span
        passed: list[Statement] = []
        failed: list[Statement] = []
        if self.told is not None:
            verdict, done = self.told
            told = Trigger(Ref(done), span=span)
            return (
                [Assign(Ref(verdict), Const(1, 1), True, span), told],
                [Assign(Ref(verdict), Const(1, 0), True, span), told],
            )
        if self.cover and self.matches is not None:
            passed.append(add_count(self.matches, word(1)))
        for result, action in zip((passed, failed), self.actions(), strict=True):
            if action is not None:
                result.append(Block((action,), fork="join_none"))
        return passed, failed

    def verdicts(self, counts: Counts) -> list[Statement]:
        """Return what follows from the verdicts of a tick."""
        span = self.span
        if self.told is not None:
            verdict, done = self.told
            decided = Binary("ne", Binary("or", Ref(counts.passed), Ref(counts.failed), 32), word(0), 1)
            kept = Assign(Ref(verdict), Binary("ne", Ref(counts.passed), word(0), 1), True, span)
            return [If(decided, Block((kept, Trigger(Ref(done), span=span))), span=span)]
        passed, failed = self.actions()
        result: list[Statement] = []
        if self.cover and self.matches is not None:
            result.append(add_count(self.matches, Ref(counts.passed)))
        for count, action in ((counts.passed, passed), (counts.failed, failed)):
            if action is not None:
                each = RepeatTimes(Ref(count), Block((action,), fork="join_none"), span)
                result.append(If(Binary("ne", Ref(count), word(0), 1), each, span=span))
        return result

    # ------------------------------------------------------------------------------------------- the rest

    def _add_disable(self, cond: Expr, forget: tuple[Statement, ...]) -> None:
        span = self.span
        body = If(cond, Block(forget), span=span)
        events = (Event("any", cond, span=span),)
        self.context.add_process(Process(Kind.EVENTS, body, events, "disable", span, self.state.scope))

    def _add_unfinished(self, cond: Expr) -> None:
        """Report the failure of attempts that the end of the simulation cuts off."""
        name = f"'{self.label}' " if self.label else ""
        report = self._task("$error", (Text(f"assertion {name}failed: the simulation has ended before it could hold"),))
        body = If(cond, report, span=self.span)
        self.context.add_process(Process(Kind.FINAL, body, (), "final", self.span, self.state.scope))

    def _add_report(self, attempts: Signal, matches: Signal) -> None:
        name = f"'{self.label}'" if self.label else "property"
        if not self.label and self.node.assertionKind == ast.AssertionKind.CoverSequence:
            name = "sequence"
        text = f"cover {name}: %0d matches in %0d attempts"
        report = self._task("$info", (Text(text), Ref(matches), Ref(attempts)))
        self.context.add_process(Process(Kind.FINAL, report, (), "final", self.span, self.state.scope))


def _scanned(part: Term) -> Term:
    """Return a sequence each of whose matches counts."""
    if part[0] == "pbegin":
        return ("pbegin", part[1], _scanned(part[2]))
    return ("scan", part[1]) if part[0] == "seq" else part


def _action(state: State, node: ast.Statement | None) -> Statement | None:
    return statement_of(state, node) if node is not None and type(node) is not ast.EmptyStatement else None


def _certain(cond: Expr) -> Expr:
    """Return a condition that is false where it is unknown."""
    return Unary("known", cond, 1)
