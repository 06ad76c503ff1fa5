"""Concurrent assertions as processes of the observed region (IEEE 1800-2023 16.14).

A property becomes an automaton (`property_automata`), and the assertion a process that its clock wakes and that runs in
the observed region, when the design's own processes have settled. A variable counts the attempts in each state; a tick
moves each state's count to those that the Booleans lead to, and starts one attempt more. The counts of verdicts say how
often the actions run: those are forked, and so they run in the reactive region.

* An assertion in a procedure starts an attempt at a tick for each time that control has reached it since the last one
  (16.14.6); without a clock of its own it takes that of the procedure. In a combinational procedure it is
  `Unsupported`, since an attempt that only a glitch has asked for would have to be taken back.
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

from weft.base.dataclass import dataclass
from weft.ir.design import (
    Assign,
    Binary,
    Block,
    Const,
    Element,
    Event,
    Expr,
    If,
    Kind,
    Process,
    Ref,
    RepeatTimes,
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
from weft.lang.sv.convert_properties import PropertyConverter
from weft.lang.sv.flow import statement_of
from weft.lang.sv.property_automata import Automaton, Branch, Leaf, TooLarge, Tree, build_automaton
from weft.lang.sv.property_terms import Term
from weft.lang.sv.reals import REAL_TYPE
from weft.lang.sv.sampling import EVENT_TYPE, key_of

if TYPE_CHECKING:
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
    _Assertion(state, cast("ast.ConcurrentAssertionStatement", body), label).build(None)
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
    _Assertion(state, assertion, label).build(flag)
    return Assign(Ref(flag), Binary("add", Ref(flag), _number(1), 32), True, flag.span)


def _expect(state: State, node: ast.ConcurrentAssertionStatement, flag: Signal) -> Statement:
    """Convert `expect (property) pass else fail` (16.17)."""
    span = state.context.span(node)
    done = Signal(f"{flag.name}$done", 64, EVENT_TYPE, span=span)
    verdict = Signal(f"{flag.name}$verdict", 1, _BIT, span=span)
    state.context.add_signals(done, verdict)
    assertion = _Assertion(state, node, "")
    passed, failed = assertion.actions()
    assertion.told = (verdict, done)
    assertion.since = Signal(f"{flag.name}$since", 64, REAL_TYPE, signed=True, span=span)
    state.context.add_signals(assertion.since)
    assertion.build(flag)
    now = SystemCall("$realtime", (), 64, span=span, type=REAL_TYPE)
    start = Block((Assign(Ref(flag), _number(1), True, span), Assign(Ref(assertion.since), now, True, span)))
    choice = If(Ref(verdict), passed or Block(()), failed or Block(()), span=span)
    return Block((start, Wait((Event("any", Ref(done), span=span),), choice, span)))


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    """Hold the counts of attempts: in each state, and of each verdict at this tick; `total` those of a cover."""

    now: Signal
    coming: Signal
    passed: Signal
    failed: Signal


def sequence_event(state: State, node: ast.AssertionInstanceExpression) -> Signal:
    """Return the event that an instance of a named sequence triggers at each tick where it ends (9.4.2.4, 16.13.6)."""
    converter = PropertyConverter(state, node, True)
    part = converter.convert(node.body, clocked_inside=True)
    key = key_of((part, tuple(converter.atoms), converter.clock))
    found = state.endpoints.get(key)
    if found is None:
        stem = state.fresh_label(node.symbol.name)
        found = state.endpoints[key] = Signal(f"{stem}$ended", 64, EVENT_TYPE, span=state.context.span(node))
        state.context.add_signals(found)
        _Endpoint(state, node, stem, found).follow(converter, part)
    return found


class _Assertion:
    """Convert one assertion."""

    def __init__(
        self, state: State, node: ast.ConcurrentAssertionStatement | ast.AssertionInstanceExpression, label: str
    ) -> None:
        self.state, self.context = state, state.context
        self.span: Span = self.context.span(node)
        if isinstance(node, ast.ConcurrentAssertionStatement):
            self.node = node
            self.cover = node.assertionKind in _COVERS
            self.expect = node.assertionKind == ast.AssertionKind.Expect
        self.label = label
        self.controlled = True
        self.stem = state.fresh_label(label or "assertion")
        self.clock: tuple[Event, ...] = state.clock
        self.told: tuple[Signal, Signal] | None = None
        self.since: Signal | None = None
        self.matches: Signal | None = None

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
        return passed, failed

    def _task(self, name: str, args: tuple[Expr, ...]) -> SystemTask:
        return SystemTask(name, args, tuple(False for _ in args), self.span, self.state.scope)

    def build(self, flag: Signal | None) -> None:
        """Add the assertion's variables and processes; with a `flag`, as many attempts start as that says."""
        if self.node.assertionKind == ast.AssertionKind.Restrict:
            return
        strong = self.cover or self.expect
        converter = PropertyConverter(self.state, self.node, strong)
        part = converter.convert(self.node.propertySpec)
        if self.node.assertionKind == ast.AssertionKind.CoverSequence and part[0] == "seq":
            part = ("scan", part[1])
        try:
            automaton = build_automaton(part, self.cover)
        except TooLarge:
            self.context.unsupported("an assertion of so many states", self.node)
        states = len(automaton.moves)
        self.clock = converter.clock
        counts = _Counts(
            self._signal("attempts", max(states, 1)),
            self._signal("next", max(states, 1)),
            self._signal("passed"),
            self._signal("failed"),
        )
        self._add_tick(converter, automaton, counts, flag)
        if converter.disable is not None:
            self._add_disable(converter.disable, counts, states, flag)
        if any(automaton.unfinished) and not self.cover and not self.expect:
            self._add_unfinished(automaton, counts)

    def _signal(self, name: str, depth: int = 0) -> Signal:
        made = Signal(f"{self.stem}${name}", 32, _COUNT, depth, span=self.span)
        self.context.add_signals(made)
        self.state.unsampled.add(made)
        return made

    # ------------------------------------------------------------------------------------------- a tick

    def _add_tick(
        self, converter: PropertyConverter, automaton: Automaton, counts: _Counts, flag: Signal | None
    ) -> None:
        span, states = self.span, len(automaton.moves)
        kills = self._signal("kills")
        forget = _clear(counts.now, states)
        body: list[Statement] = []
        present = SystemCall("assertion.kills", (), 32, span=span)
        killed = Binary("ne", present, Ref(kills), 1)
        if self.controlled:
            body.append(If(killed, Block((*forget, Assign(Ref(kills), present, True, span))), span=span))
        work: list[Statement] = [
            *_clear(counts.coming, states),
            Assign(Ref(counts.passed), _number(0), True, span),
            Assign(Ref(counts.failed), _number(0), True, span),
        ]
        atoms: list[Expr] = []
        for number, atom in enumerate(converter.atoms):
            made = self.context.temporary(f"{self.stem}$atom{number}", 1)
            work.append(Assign(Ref(made), atom, True, span))
            atoms.append(Ref(made))
        for number, move in enumerate(automaton.moves):
            count = _element(counts.now, number)
            step = _statement(move, count, atoms, counts, self.cover)
            work.append(If(Binary("ne", count, _number(0), 1), step, span=span))
        begun: Expr = _number(1) if flag is None else Ref(flag)
        start: Statement = _statement(automaton.start, begun, atoms, counts, self.cover)
        enabled: Expr = SystemCall("assertion.enabled", (), 1, span=span) if self.controlled else Const(1, 1)
        attempts = self._signal("total") if self.cover else None
        if attempts is not None:
            start = Block((_add(attempts, begun), start))
        if flag is not None:
            start = Block((start, Assign(Ref(flag), _number(0), True, span)))
            enabled = Binary("and", enabled, Binary("ne", Ref(flag), _number(0), 1), 1)
        if self.since is not None:
            # It begins with the next clocking event, not with one that control has waited for just before.
            now = SystemCall("$realtime", (), 64, span=span, type=REAL_TYPE)
            enabled = Binary("and", enabled, Binary("fne", now, Ref(self.since), 1), 1)
        work.append(If(enabled, start, span=span))
        work += [Assign(_element(counts.now, i), _element(counts.coming, i), True, span) for i in range(states)]
        work += self._verdicts(counts)
        if converter.disable is not None:
            body.append(If(Unary("lnot", _certain(converter.disable), 1), Block(tuple(work)), span=span))
        else:
            body += work
        self.context.add_process(
            Process(
                Kind.EVENTS, Block(tuple(body)), converter.clock, "assertion", span, self.state.scope, region="observed"
            )
        )
        if attempts is not None:
            self._add_report(attempts)

    def _verdicts(self, counts: _Counts) -> list[Statement]:
        """Return what follows from the verdicts of a tick."""
        span = self.span
        if self.told is not None:
            verdict, done = self.told
            decided = Binary("ne", Binary("or", Ref(counts.passed), Ref(counts.failed), 32), _number(0), 1)
            kept = Assign(Ref(verdict), Binary("ne", Ref(counts.passed), _number(0), 1), True, span)
            return [If(decided, Block((kept, Trigger(Ref(done), span=span))), span=span)]
        passed, failed = self.actions()
        result: list[Statement] = []
        if self.cover:
            matches = self.matches = self._signal("matches")
            result.append(_add(matches, Ref(counts.passed)))
        for count, action in ((counts.passed, passed), (counts.failed, failed)):
            if action is not None:
                each = RepeatTimes(Ref(count), Block((action,), fork="join_none"), span)
                result.append(If(Binary("ne", Ref(count), _number(0), 1), each, span=span))
        return result

    # ------------------------------------------------------------------------------------------- the rest

    def _add_disable(self, cond: Expr, counts: _Counts, states: int, flag: Signal | None) -> None:
        span = self.span
        forget = _clear(counts.now, states)
        if flag is not None:
            forget.append(Assign(Ref(flag), _number(0), True, span))
        body = If(cond, Block(tuple(forget)), span=span)
        events = (Event("any", cond, span=span),)
        self.context.add_process(Process(Kind.EVENTS, body, events, "disable", span, self.state.scope))

    def _add_unfinished(self, automaton: Automaton, counts: _Counts) -> None:
        """Report the failure of attempts that the end of the simulation cuts off."""
        cond: Expr = Const(1, 0)
        for number, failed in enumerate(automaton.unfinished):
            if failed:
                cond = Binary("or", cond, Binary("ne", _element(counts.now, number), _number(0), 1), 1)
        name = f"'{self.label}' " if self.label else ""
        report = self._task("$error", (Text(f"assertion {name}failed: the simulation has ended before it could hold"),))
        body = If(cond, report, span=self.span)
        self.context.add_process(Process(Kind.FINAL, body, (), "final", self.span, self.state.scope))

    def _add_report(self, attempts: Signal) -> None:
        assert self.matches is not None
        name = f"'{self.label}'" if self.label else "property"
        if not self.label and self.node.assertionKind == ast.AssertionKind.CoverSequence:
            name = "sequence"
        text = f"cover {name}: %0d matches in %0d attempts"
        report = self._task("$info", (Text(text), Ref(self.matches), Ref(attempts)))
        self.context.add_process(Process(Kind.FINAL, report, (), "final", self.span, self.state.scope))


class _Endpoint(_Assertion):
    """Follow a sequence for those who wait for its end; `$assertoff` does not stop it."""

    def __init__(self, state: State, node: ast.AssertionInstanceExpression, label: str, ended: Signal) -> None:
        super().__init__(state, node, label)
        self.place, self.ended = node, ended
        self.cover, self.expect, self.controlled = True, False, False

    def follow(self, converter: PropertyConverter, part: Term) -> None:
        """Add the variables and the process."""
        if part[0] != "seq":
            self.context.unsupported("an event of this sequence", self.place)
        try:
            automaton = build_automaton(("scan", part[1]), True)
        except TooLarge:
            self.context.unsupported("a sequence of so many states", self.place)
        states = max(len(automaton.moves), 1)
        counts = _Counts(
            self._signal("attempts", states),
            self._signal("next", states),
            self._signal("passed"),
            self._signal("failed"),
        )
        self._add_tick(converter, automaton, counts, None)

    def _verdicts(self, counts: _Counts) -> list[Statement]:
        ended = Trigger(Ref(self.ended), span=self.span)
        return [If(Binary("ne", Ref(counts.passed), _number(0), 1), ended, span=self.span)]

    def _add_report(self, attempts: Signal) -> None:
        """Report nothing: it covers nothing."""


def _action(state: State, node: ast.Statement | None) -> Statement | None:
    return statement_of(state, node) if node is not None and type(node) is not ast.EmptyStatement else None


def _number(value: int) -> Const:
    return Const(32, value)


def _element(counts: Signal, number: int) -> Element:
    return Element(counts, Const(32, number))


def _clear(counts: Signal, states: int) -> list[Statement]:
    return [Assign(_element(counts, i), _number(0), True, counts.span) for i in range(states)]


def _add(target: Signal | Element, count: Expr) -> Statement:
    place = Ref(target) if isinstance(target, Signal) else target
    return Assign(place, Binary("add", place, count, 32), True)


def _certain(cond: Expr) -> Expr:
    """Return a condition that is false where it is unknown."""
    return Unary("known", cond, 1)


def _statement(tree: Tree, count: Expr, atoms: list[Expr], counts: _Counts, cover: bool) -> Statement:
    """Return what moves `count` attempts along a tree."""
    if isinstance(tree, Branch):
        then = _statement(tree.then, count, atoms, counts, cover)
        return If(atoms[tree.atom], then, _statement(tree.other, count, atoms, counts, cover))
    parts: list[Statement] = []
    verdict = _target(tree, counts, cover)
    if verdict is not None:
        parts.append(_add(verdict, count))
    if tree.target >= 0:
        parts.append(_add(_element(counts.coming, tree.target), count))
    return Block(tuple(parts))


def _target(leaf: Leaf, counts: _Counts, cover: bool) -> Signal | None:
    match leaf.verdict:
        case "pass":
            return counts.passed
        case "vacuous":
            return None if cover else counts.passed
        case "fail":
            return counts.failed
        case _:
            return None
