"""slang's assertion expressions to terms (IEEE 1800-2023 16.7 to 16.12).

Named sequences and properties are already expanded by slang: an instance's body has the actual arguments in it. Each
Boolean becomes an atom: the sampled value of its condition, once for all that are written alike.

Most assertions have one clock, which says when there is a tick. One with several, or whose `accept_on` looks at every
time step, is converted once more with `several` set: then each Boolean and each operator that counts ticks stands under
the literal that its clock has fired. A clock holds for what is inside the expression that names it; where it would have
to flow on to what comes after (16.13.3), it is `Unsupported`.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pyslang import ast
from pyslang.ast import BinaryAssertionOperator as Join
from pyslang.ast import UnaryAssertionOperator as Prefix

from weft.ir.design import Binary, Const, Event, Expr, Signal, SystemCall, Type, Unary
from weft.ir.expressions import AssignExpr, Call, New, Randomize, Ref, operands
from weft.lang.sv.attempt_data import AttemptData, passes_its_arguments
from weft.lang.sv.build import resize, truth
from weft.lang.sv.dispatch import layout_of, truth_of, value_of
from weft.lang.sv.property_clocks import inner_clock, instance_of, leftmost, names_clock
from weft.lang.sv.property_terms import (
    EMPTY,
    NONE,
    TRUE,
    F,
    T,
    Term,
    after,
    alternatives,
    both,
    cat,
    conjunction,
    delayed,
    disjunction,
    goto,
    later,
    meet,
    negation,
    nonconsecutive,
    nullable,
    repeat,
)
from weft.lang.sv.sampling import key_of, sample
from weft.lang.sv.timing import events_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State

_IMPLICATIONS = frozenset(
    {
        Join.OverlappedImplication,
        Join.NonOverlappedImplication,
        Join.OverlappedFollowedBy,
        Join.NonOverlappedFollowedBy,
    }
)
_SEQUENCES = frozenset({Join.And, Join.Or, Join.Intersect, Join.Within, Join.Throughout})


class PropertyConverter:
    """Convert one property; afterwards `atoms` are its Booleans, `clock` its events, `disable` what disables it."""

    def __init__(self, state: State, node: Any, strong: bool) -> None:
        self.state = state
        self.node = node
        self.strong = strong
        self.atoms: list[Expr] = []
        self.clock: tuple[Event, ...] = ()
        self.clocks: list[tuple[Event, ...]] = []
        self.fired: list[Signal] = []
        self.disable: Expr | None = None
        self.locals = AttemptData(state)
        self.endpoints: list[Signal] = []
        self.leading = 0
        self._several = False
        self._now = 0
        self._numbers: dict[object, int] = {}
        self._around: list[tuple[object, int]] = []
        self._bodies: dict[int, Term] = {}

    @property
    def has_data(self) -> bool:
        """Say whether an attempt is more than which term it is (`property_threads`)."""
        return self._several or self.locals.used

    def convert(self, spec: ast.AssertionExpr, event: ast.AssertionInstanceExpression | None = None) -> Term:
        """Convert a property specification: its clock and `disable iff`, if it names them, and what is below.

        The body of the sequence of an `event` control is clocked inside: neither the procedure nor
        `default disable iff` says anything of it.
        """
        found = spec
        around = [] if event is None else [event]
        while True:
            if isinstance(found, ast.ClockingAssertionExpr):
                self.clock = events_of(self.state, found.clocking)
                found = found.expr
            elif isinstance(found, ast.DisableIffAssertionExpr):
                self.disable = truth_of(self.state, found.condition)
                found = found.expr
            elif (inner := instance_of(found)) is not None and getattr(found, "repetition", None) is None:
                around.append(inner)
                found = inner.body
            else:
                break
        if not self.clock:
            outside = () if event is not None else self.state.clock
            self.clock = outside or self.state.context.default_clock() or inner_clock(self.state, found)
        if not self.clock:
            self.state.context.unsupported("a concurrent assertion without a clock", self.node)
        if self.disable is None and event is None:
            self.disable = self.state.context.default_disable(self.node)
        result = self._convert_body(found, around)
        leading = inner_clock(self.state, found)
        self.leading = self._clock_number(leading) if leading else 0
        if len(self.clocks) > 1:
            result = self._convert_again(found, around)
        return result

    def _convert_body(self, found: ast.AssertionExpr, around: list[ast.AssertionInstanceExpression]) -> Term:
        outer, self.state.clock = self.state.clock, self.clock
        self._now, self.clocks = 0, self.clocks or [self.clock]
        enter = [self.locals.enter(self, instance) for instance in around]
        self._around = [(instance.symbol, -1) for instance in around]
        result = self.property(found)
        for number, instance in enumerate(around):
            result = self._close_recursion(instance, result, number)
        self._around = []
        for items in reversed(enter):
            result = ("pbegin", items, result) if items else result
        self.state.clock = outer
        return result

    def _convert_again(self, found: ast.AssertionExpr, around: list[ast.AssertionInstanceExpression]) -> Term:
        """Convert a property with several clocks, now that they are known."""
        self._several = True
        self.atoms, self._numbers, self.locals = [], {}, AttemptData(self.state)
        for number in range(len(self.clocks)):
            name = f"{self.state.fresh_label('clock')}$fired{number}"
            self.fired.append(
                Signal(name, 1, Type("bit", 1, four_state=False), span=self.state.context.span(self.node))
            )
            self._number(Ref(self.fired[-1]))
        self.state.context.add_signals(*self.fired)
        self.state.unsampled.update(self.fired)
        return self._convert_body(found, around)

    def _under(self, node: ast.ClockingAssertionExpr, convert: Callable[[ast.AssertionExpr], Term]) -> Term:
        """Convert what is under a clock of its own."""
        clock = events_of(self.state, node.clocking)
        kept = self._now, self.state.clock
        self._now = self._clock_number(clock)
        self.state.clock = clock
        result = convert(node.expr)
        self._now, self.state.clock = kept
        return result

    def _clock_number(self, clock: tuple[Event, ...]) -> int:
        keys = [key_of(one) for one in self.clocks]
        if key_of(clock) not in keys:
            self.clocks.append(clock)
            return len(keys)
        return keys.index(key_of(clock))

    def _clocked(self, part: Term) -> Term:
        """Return a Boolean of a sequence that looks at ticks of the present clock."""
        return ("clk", ("lit", self._now), part) if self._several and part != NONE else part

    def _counted(self, part: Term) -> Term:
        """Return a property that counts ticks of the present clock."""
        return ("pclk", ("lit", self._now), part) if self._several and part not in (T, F) else part

    def _check_flow(self, before: ast.AssertionExpr, after: ast.AssertionExpr) -> None:
        """Refuse a clock that would have to flow on from a part to the next."""
        if names_clock(before) and not isinstance(leftmost(after), ast.ClockingAssertionExpr):
            named = leftmost(before)
            if not (isinstance(named, ast.ClockingAssertionExpr) and self._is_now(named)):
                self.state.context.unsupported("a clock that flows on to the next part of an assertion", after.syntax)

    def _is_now(self, node: ast.ClockingAssertionExpr) -> bool:
        same = key_of(events_of(self.state, node.clocking)) == key_of(self.clocks[self._now])
        return same and not names_clock(node.expr)

    def _expand(self, instance: ast.AssertionInstanceExpression, convert: Callable[[ast.AssertionExpr], Term]) -> Term:
        """Convert the body of a named sequence or property, with its local variables."""
        number = next((i for i, (symbol, _) in enumerate(self._around) if symbol is instance.symbol), -1)
        if number >= 0 or instance.isRecursiveProperty:
            return self._recursion(instance, number)
        items = self.locals.enter(self, instance)
        self._around.append((instance.symbol, -1))
        result = self._close_recursion(instance, convert(instance.body), len(self._around) - 1)
        self._around.pop()
        if not items:
            return result
        return ("begin" if instance.type.isSequenceType else "pbegin", items, result)

    def _recursion(self, instance: ast.AssertionInstanceExpression, number: int) -> Term:
        """Return what stands for a property inside itself: its arguments must be those that it has got (16.12.17)."""
        if number < 0 or not passes_its_arguments(instance):
            self.state.context.unsupported("a recursive property with other arguments", instance)
        symbol, known = self._around[number]
        if known < 0:
            known = len(self.locals.data.bodies)
            self.locals.data.bodies.append(F)
            self._around[number] = symbol, known
            self.locals.used = True
        return ("rec", known)

    def _close_recursion(self, instance: ast.AssertionInstanceExpression, body: Term, number: int) -> Term:
        known = self._around[number][1]
        if known < 0:
            return body
        self.locals.data.bodies[known] = body
        return ("rec", known)

    # ------------------------------------------------------------------------------------------- Booleans

    def literal(self, node: ast.Expression) -> Term:
        """Return the literal of a condition."""
        return self._literal_of(truth_of(self.state, node), node)

    def _literal_of(self, cond: Expr, node: Any) -> Term:
        if isinstance(cond, Const):
            return TRUE if cond.value & ~cond.unknown else NONE
        self._refuse(cond, node)
        return self._number(sample(self.state, cond, node))

    def _number(self, sampled: Expr) -> Term:
        key = key_of(sampled)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.atoms)
            self.atoms.append(sampled)
            self.locals.note_reads(number, sampled)
        return ("lit", number)

    def _refuse(self, cond: Expr, node: Any) -> None:
        work = [cond]
        while work:
            part = work.pop()
            if isinstance(part, Ref) and part.signal.automatic and part.signal not in self.locals.signals:
                self.state.context.unsupported("an automatic variable in a concurrent assertion", node)
            if isinstance(part, AssignExpr | New | Randomize):
                self.state.context.unsupported("a side effect in a concurrent assertion", node)
            if isinstance(part, SystemCall) and part.name in ("$random", "$urandom", "$urandom_range"):
                self.state.context.unsupported("a random value in a concurrent assertion", node)
            if isinstance(part, SystemCall):
                ended = [arg.signal for arg in part.args if isinstance(arg, Ref)]
                self.endpoints += [signal for signal in ended if signal in self.state.levels]
                if any(signal in self.state.reactive_ends for signal in ended):
                    self.state.context.unsupported("the end of a sequence with data in an assertion", node)
            if isinstance(part, Call) and part.receiver is not None:
                self.state.context.unsupported("a class method in a concurrent assertion", node)
            work += operands(part)

    # ------------------------------------------------------------------------------------------- sequences

    def sequence(self, node: ast.AssertionExpr) -> Term:
        """Convert a sequence."""
        match node:
            case ast.SimpleAssertionExpr():
                return self._simple(node)
            case ast.SequenceConcatExpr():
                return self._concatenation(node)
            case ast.BinaryAssertionExpr():
                return self._binary_sequence(node)
            case ast.FirstMatchAssertionExpr():
                inner = self._matching(self.sequence(node.seq), node.matchItems)
                return inner if inner in (NONE, EMPTY) else ("first", inner)
            case ast.SequenceWithMatchExpr():
                inner = self._matching(self.sequence(node.expr), node.matchItems)
                return self._repeated(inner, node.repetition)
            case ast.ClockingAssertionExpr():
                return self._under(node, self.sequence)
            case _:
                return self.state.context.unsupported("this sequence", node.syntax)

    def _simple(self, node: ast.SimpleAssertionExpr) -> Term:
        inner = instance_of(node)
        if inner is not None:
            return self._repeated(self._expand(inner, self.sequence), node.repetition)
        literal = self.literal(node.expr)
        if node.repetition is not None and node.repetition.kind != ast.SequenceRepetition.Consecutive:
            return self._going(literal, node.repetition)
        return self._repeated(self._clocked(literal), node.repetition)

    def _matching(self, part: Term, items: Sequence[ast.Expression]) -> Term:
        """Return a sequence with what happens when it matches (16.10, 16.11)."""
        if not items:
            return part
        if nullable(part):
            self.state.context.unsupported("a match item of a sequence that can be empty", items[0])
        return part if part == NONE else ("do", part, self.locals.items(self, items))

    def _repeated(self, part: Term, repetition: ast.SequenceRepetition | None) -> Term:
        if repetition is None:
            return part
        if repetition.kind != ast.SequenceRepetition.Consecutive:
            # A Boolean that is a name of one: the sequence's only tick has it.
            literal = part[2] if part[0] == "clk" else part
            if literal[0] not in ("lit", "true", "none"):
                self.state.context.unsupported("this repetition of a sequence", self.node)
            return self._going(literal, repetition)
        return repeat(part, repetition.range.min, repetition.range.max)

    def _going(self, literal: Term, repetition: ast.SequenceRepetition) -> Term:
        make = goto if repetition.kind == ast.SequenceRepetition.GoTo else nonconsecutive
        opposite = self._clocked(self._opposite(literal))
        return make(self._clocked(literal), opposite, repetition.range.min, repetition.range.max)

    def _opposite(self, literal: Term) -> Term:
        """Return the literal of the negation, which is an atom of its own: neither holds of an unknown value."""
        if literal in (TRUE, NONE):
            return NONE if literal == TRUE else TRUE
        return self._number(Unary("lnot", self.atoms[literal[1]], 1))

    def _concatenation(self, node: ast.SequenceConcatExpr) -> Term:
        result: Term | None = None
        before: ast.AssertionExpr | None = None
        for element in node.elements:
            low, high = element.delay.min, element.delay.max
            if before is not None:
                self._check_flow(before, element.sequence)
                other = names_clock(element.sequence) or names_clock(before)
                if self._several and other and (low, high) not in ((0, 0), (1, 1)):
                    self.state.context.unsupported("this delay between two clocks", element.sequence.syntax)
            part, before = self.sequence(element.sequence), element.sequence
            if result is not None:
                result = delayed(result, low, high, part, self._clocked(TRUE))
            else:
                result = cat(repeat(self._clocked(TRUE), low, high), part) if (low, high) != (0, 0) else part
        assert result is not None
        return result

    def _binary_sequence(self, node: ast.BinaryAssertionExpr) -> Term:
        if node.op == Join.Throughout:
            guard = self.sequence(node.left)
            return meet(repeat(guard, 0, None), self.sequence(node.right))
        left, right = self.sequence(node.left), self.sequence(node.right)
        if node.op != Join.Or and self.locals.conflict(left, right):
            self.state.context.unsupported(
                "a local variable that one side of this operator assigns and the other one uses", node.syntax
            )
        match node.op:
            case Join.And:
                return both(left, right)
            case Join.Or:
                return alternatives(left, right)
            case Join.Intersect:
                return meet(left, right)
            case Join.Within:
                around = repeat(self._clocked(TRUE), 0, None)
                return meet(cat(around, cat(left, around)), right)
            case _:
                return self.state.context.unsupported("this operator in a sequence", node.syntax)

    # ------------------------------------------------------------------------------------------- properties

    def property(self, node: ast.AssertionExpr) -> Term:
        """Convert a property."""
        if self._is_sequence(node):
            return self._weak_or_strong(self.sequence(node), self.strong)
        match node:
            case ast.SimpleAssertionExpr():
                inner = instance_of(node)
                assert inner is not None
                return self._expand(inner, self.property)
            case ast.ClockingAssertionExpr():
                return self._under(node, self.property)
            case ast.StrongWeakAssertionExpr():
                strong = node.strength == ast.StrongWeakAssertionExpr.Strong
                return self._weak_or_strong(self.sequence(node.expr), strong)
            case ast.UnaryAssertionExpr():
                return self._unary(node)
            case ast.BinaryAssertionExpr():
                return self._binary(node)
            case ast.ConditionalAssertionExpr():
                other = self.property(node.elseExpr) if node.elseExpr is not None else T
                return self._counted(_choose(self.literal(node.condition), self.property(node.ifExpr), other))
            case ast.CaseAssertionExpr():
                return self._case(node)
            case ast.AbortAssertionExpr():
                literal = self._abort_condition(node)
                return ("abort", literal, node.action == ast.AbortAssertionExpr.Accept, self.property(node.expr))
            case _:
                return self.state.context.unsupported("this property", node.syntax)

    def _abort_condition(self, node: ast.AbortAssertionExpr) -> Term:
        """Return when a property is aborted: at ticks of its clock, or whenever the sampled condition is true.

        Sampled values change between time steps, so their changes are one more clock (16.12.14).
        """
        literal = self.literal(node.condition)
        if literal in (TRUE, NONE):
            return literal
        sampled = self.atoms[literal[1]]
        if not node.isSync:
            self._clock_number((Event("any", sampled, span=self.state.context.span(node.condition)),))
            return literal
        if self._several:
            return self._number(Binary("and", Ref(self.fired[self._now]), Unary("known", sampled, 1), 1))
        return literal

    def _is_sequence(self, node: ast.AssertionExpr) -> bool:
        match node:
            case ast.SimpleAssertionExpr():
                inner = instance_of(node)
                return inner is None or (inner.type.isSequenceType or self._is_sequence(inner.body))
            case ast.SequenceConcatExpr() | ast.FirstMatchAssertionExpr() | ast.SequenceWithMatchExpr():
                return True
            case ast.BinaryAssertionExpr():
                return node.op in _SEQUENCES and self._is_sequence(node.left) and self._is_sequence(node.right)
            case ast.ClockingAssertionExpr():
                return self._is_sequence(node.expr)
            case _:
                return False

    def _weak_or_strong(self, sequence: Term, strong: bool) -> Term:
        return F if sequence in (NONE, EMPTY) else ("seq", sequence, strong)

    def _unary(self, node: ast.UnaryAssertionExpr) -> Term:
        inner = self.property(node.expr)
        given = node.range
        low, high = (given.min, given.max) if given is not None else (0, None)
        strong = node.op in (Prefix.SAlways, Prefix.SNextTime, Prefix.SEventually)
        match node.op:
            case Prefix.Not:
                return negation(inner)
            case Prefix.NextTime | Prefix.SNextTime:
                return self._counted(later(low if given is not None else 1, inner, strong))
            case _:
                kind = "always" if node.op in (Prefix.Always, Prefix.SAlways) else "event"
                ticks = None if high is None else high - low
                return self._counted(later(low, self._counted((kind, ticks, inner, strong)), strong))

    def _binary(self, node: ast.BinaryAssertionExpr) -> Term:
        if node.op in _IMPLICATIONS:
            self._check_flow(node.left, node.right)
        match node.op:
            case Join.OverlappedImplication | Join.NonOverlappedImplication:
                overlapped = node.op == Join.OverlappedImplication
                return after(self.sequence(node.left), self.property(node.right), overlapped)
            case Join.OverlappedFollowedBy | Join.NonOverlappedFollowedBy:
                overlapped = node.op == Join.OverlappedFollowedBy
                return negation(after(self.sequence(node.left), negation(self.property(node.right)), overlapped))
            case _:
                pass
        left, right = self.property(node.left), self.property(node.right)
        match node.op:
            case Join.And:
                return conjunction(left, right)
            case Join.Or:
                return disjunction(left, right)
            case Join.Implies:
                return disjunction(negation(left), right)
            case Join.Iff:
                both_hold, neither = conjunction(left, right), conjunction(negation(left), negation(right))
                return disjunction(both_hold, neither)
            case Join.Until | Join.SUntil | Join.UntilWith | Join.SUntilWith:
                overlapped = node.op in (Join.UntilWith, Join.SUntilWith)
                return self._counted(("until", left, right, overlapped, node.op in (Join.SUntil, Join.SUntilWith)))
            case _:
                return self.state.context.unsupported("this operator in a property", node.syntax)

    def _case(self, node: ast.CaseAssertionExpr) -> Term:
        """Convert a `case` of properties: the first item whose label is identical to the subject (16.12.16)."""
        layout = layout_of(self.state, node.expr)
        subject = value_of(self.state, node.expr)
        result = self.property(node.defaultCase) if node.defaultCase is not None else T
        for item in reversed(list(node.items)):
            body = self.property(item.body)
            for label in item.expressions:
                own = layout_of(self.state, label)
                width = max(layout.width, own.width)
                signed = layout.signed and own.signed
                equal = Binary(
                    "ceq", resize(subject, width, signed), resize(value_of(self.state, label), width, signed), 1
                )
                result = _choose(self._literal_of(truth(equal), label), body, result)
        return self._counted(result)


def _choose(literal: Term, then: Term, other: Term) -> Term:
    if literal in (TRUE, NONE):
        return then if literal == TRUE else other
    return ("if", literal, then, other)
