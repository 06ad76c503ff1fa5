"""slang's assertion expressions to terms (IEEE 1800-2023 16.7 to 16.12).

Named sequences and properties are already expanded by slang: an instance's body has the actual arguments in it. Each
Boolean becomes an atom: the sampled value of its condition, once for all that are written alike. An assertion has one
clock; where a part of it names another one, it is `Unsupported`.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyslang import ast
from pyslang.ast import BinaryAssertionOperator as Join
from pyslang.ast import UnaryAssertionOperator as Prefix

from weft.ir.design import Binary, Const, Event, Expr, SystemCall, Unary
from weft.ir.expressions import AssignExpr, Call, New, Randomize, Ref, operands
from weft.lang.sv.build import resize, truth
from weft.lang.sv.dispatch import layout_of, truth_of, value_of
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
    repeat,
)
from weft.lang.sv.sampling import key_of, sample
from weft.lang.sv.timing import events_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State

_SEQUENCES = frozenset({Join.And, Join.Or, Join.Intersect, Join.Within, Join.Throughout})


class PropertyConverter:
    """Convert one property; afterwards `atoms` are its Booleans, `clock` its events, `disable` what disables it."""

    def __init__(self, state: State, node: Any, strong: bool) -> None:
        self.state = state
        self.node = node
        self.strong = strong
        self.atoms: list[Expr] = []
        self.clock: tuple[Event, ...] = ()
        self.disable: Expr | None = None
        self._numbers: dict[object, int] = {}

    def convert(self, spec: ast.AssertionExpr, clocked_inside: bool = False) -> Term:
        """Convert a property specification: its clock and `disable iff`, if it names them, and what is below.

        What is `clocked_inside` is the sequence of an event control: neither the procedure nor `default disable iff`
        says anything of it.
        """
        found = spec
        while True:
            if isinstance(found, ast.ClockingAssertionExpr):
                self._set_clock(found)
                found = found.expr
            elif isinstance(found, ast.DisableIffAssertionExpr):
                self.disable = truth_of(self.state, found.condition)
                found = found.expr
            elif (inner := _instance(found)) is not None:
                self._check_locals(found, inner)
                found = inner.body
            else:
                break
        if not self.clock:
            around = () if clocked_inside else self.state.clock
            self.clock = around or self.state.context.default_clock() or self._inner_clock(found)
        if not self.clock:
            self.state.context.unsupported("a concurrent assertion without a clock", self.node)
        if self.disable is None and not clocked_inside:
            self.disable = self.state.context.default_disable(self.node)
        outer, self.state.clock = self.state.clock, self.clock
        result = self.property(found)
        self.state.clock = outer
        return result

    def _inner_clock(self, found: ast.AssertionExpr) -> tuple[Event, ...]:
        """Return the clock of the left-most part that names one, which is that of the assertion (16.16)."""
        while True:
            if isinstance(found, ast.ClockingAssertionExpr):
                return events_of(self.state, found.clocking)
            if (inner := _instance(found)) is not None:
                found = inner.body
                continue
            parts = getattr(found, "elements", None)
            following = parts[0].sequence if parts else getattr(found, "left", None) or getattr(found, "expr", None)
            following = following or getattr(found, "seq", None)
            if not isinstance(following, ast.AssertionExpr):
                return ()
            found = following

    def _set_clock(self, node: ast.ClockingAssertionExpr) -> None:
        clock = events_of(self.state, node.clocking)
        if self.clock and key_of(clock) != key_of(self.clock):
            self.state.context.unsupported("an assertion with several clocks", node.clocking)
        self.clock = clock

    def _check_locals(self, found: ast.AssertionExpr, instance: ast.AssertionInstanceExpression) -> None:
        if instance.isRecursiveProperty:
            self.state.context.unsupported("a recursive property", instance)
        if instance.localVars:
            self.state.context.unsupported("a local variable of an assertion", instance.localVars[0])

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
        return ("lit", number)

    def _refuse(self, cond: Expr, node: Any) -> None:
        work = [cond]
        while work:
            part = work.pop()
            if isinstance(part, Ref) and part.signal.automatic:
                self.state.context.unsupported("an automatic variable in a concurrent assertion", node)
            if isinstance(part, AssignExpr | New | Randomize):
                self.state.context.unsupported("a side effect in a concurrent assertion", node)
            if isinstance(part, SystemCall) and part.name in ("$random", "$urandom", "$urandom_range"):
                self.state.context.unsupported("a random value in a concurrent assertion", node)
            if isinstance(part, SystemCall) and any(
                isinstance(arg, Ref) and arg.signal in self.state.endpoints.values() for arg in part.args
            ):
                self.state.context.unsupported("the end of a sequence in a concurrent assertion", node)
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
                if node.matchItems:
                    self.state.context.unsupported("a match item of a sequence", node.matchItems[0])
                inner = self.sequence(node.seq)
                return inner if inner in (NONE, EMPTY) else ("first", inner)
            case ast.SequenceWithMatchExpr():
                if node.matchItems:
                    self.state.context.unsupported("a match item of a sequence", node.matchItems[0])
                return self._repeated(self.sequence(node.expr), node.repetition)
            case ast.ClockingAssertionExpr():
                self._set_clock(node)
                return self.sequence(node.expr)
            case _:
                return self.state.context.unsupported("this sequence", node.syntax)

    def _simple(self, node: ast.SimpleAssertionExpr) -> Term:
        inner = _instance(node)
        if inner is not None:
            self._check_locals(node, inner)
            return self._repeated(self.sequence(inner.body), node.repetition)
        return self._repeated(self.literal(node.expr), node.repetition)

    def _repeated(self, part: Term, repetition: ast.SequenceRepetition | None) -> Term:
        if repetition is None:
            return part
        low, high = repetition.range.min, repetition.range.max
        if repetition.kind == ast.SequenceRepetition.GoTo:
            return goto(part, self._opposite(part), low, high)
        if repetition.kind == ast.SequenceRepetition.Nonconsecutive:
            return nonconsecutive(part, self._opposite(part), low, high)
        return repeat(part, low, high)

    def _opposite(self, literal: Term) -> Term:
        """Return the literal of the negation, which is an atom of its own: neither holds of an unknown value."""
        if literal in (TRUE, NONE):
            return NONE if literal == TRUE else TRUE
        return self._number(Unary("lnot", self.atoms[literal[1]], 1))

    def _concatenation(self, node: ast.SequenceConcatExpr) -> Term:
        result: Term | None = None
        for element in node.elements:
            low, high = element.delay.min, element.delay.max
            part = self.sequence(element.sequence)
            if result is not None:
                result = delayed(result, low, high, part)
            else:
                result = cat(repeat(TRUE, low, high), part) if (low, high) != (0, 0) else part
        assert result is not None
        return result

    def _binary_sequence(self, node: ast.BinaryAssertionExpr) -> Term:
        if node.op == Join.Throughout:
            guard = self.sequence(node.left)
            return meet(repeat(guard, 0, None), self.sequence(node.right))
        left, right = self.sequence(node.left), self.sequence(node.right)
        match node.op:
            case Join.And:
                return both(left, right)
            case Join.Or:
                return alternatives(left, right)
            case Join.Intersect:
                return meet(left, right)
            case Join.Within:
                around = repeat(TRUE, 0, None)
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
                inner = _instance(node)
                assert inner is not None
                self._check_locals(node, inner)
                return self.property(inner.body)
            case ast.ClockingAssertionExpr():
                self._set_clock(node)
                return self.property(node.expr)
            case ast.StrongWeakAssertionExpr():
                strong = node.strength == ast.StrongWeakAssertionExpr.Strong
                return self._weak_or_strong(self.sequence(node.expr), strong)
            case ast.UnaryAssertionExpr():
                return self._unary(node)
            case ast.BinaryAssertionExpr():
                return self._binary(node)
            case ast.ConditionalAssertionExpr():
                other = self.property(node.elseExpr) if node.elseExpr is not None else T
                return _choose(self.literal(node.condition), self.property(node.ifExpr), other)
            case ast.CaseAssertionExpr():
                return self._case(node)
            case ast.AbortAssertionExpr():
                if not node.isSync:
                    word = "accept_on" if node.action == ast.AbortAssertionExpr.Accept else "reject_on"
                    self.state.context.unsupported(f"'{word}' that is not 'sync_{word}'", node.syntax)
                literal = self.literal(node.condition)
                return ("abort", literal, node.action == ast.AbortAssertionExpr.Accept, self.property(node.expr))
            case _:
                return self.state.context.unsupported("this property", node.syntax)

    def _is_sequence(self, node: ast.AssertionExpr) -> bool:
        match node:
            case ast.SimpleAssertionExpr():
                inner = _instance(node)
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
                return later(low if given is not None else 1, inner, strong)
            case _:
                kind = "always" if node.op in (Prefix.Always, Prefix.SAlways) else "event"
                ticks = None if high is None else high - low
                return later(low, (kind, ticks, inner, strong), strong)

    def _binary(self, node: ast.BinaryAssertionExpr) -> Term:
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
                return ("until", left, right, overlapped, node.op in (Join.SUntil, Join.SUntilWith))
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
        return result


def _choose(literal: Term, then: Term, other: Term) -> Term:
    if literal in (TRUE, NONE):
        return then if literal == TRUE else other
    return ("if", literal, then, other)


def _instance(node: ast.AssertionExpr) -> ast.AssertionInstanceExpression | None:
    """Return the instance of a named sequence or property that an expression is, with a repetition or without."""
    found = node.expr if isinstance(node, ast.SimpleAssertionExpr) else None
    return found if isinstance(found, ast.AssertionInstanceExpression) else None
