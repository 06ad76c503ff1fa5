"""Find out, while the code of a plain `randomize` is written, from which numbers each variable is to be drawn.

A constraint about one variable alone (`a >= low`, `a inside {[1:9], 20}`, `a dist {0 := 3, [1:4] :/ 2}`) needs no
trying: it bounds what is drawn. Comparisons with anything that is not random become bounds that are computed when the
call runs; sets of constants become lists of ranges. Whatever is not understood here, or does not fit together with
what is known already, stays a test. Numbers are signed words of 64 bits; that is why only variables of less than 64
bits are bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from weft.base.dataclass import dataclass, field
from weft.base.number_ranges import tidy
from weft.engines.event.code_expressions import value
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.draw_targets import LARGEST_SIZE, PLAIN, USUAL_SIZE, Target
from weft.engines.event.writer import Operand, mask
from weft.ir import ops
from weft.ir.constraints import Constraint, Distribute, Implies, Require
from weft.ir.design import Expr, Signal
from weft.ir.expressions import (
    Binary,
    Const,
    Element,
    Field,
    Ref,
    Resize,
    Slice,
    Unary,
)
from weft.ir.walk import subexpressions

_ORDERS = ("ult", "ule", "slt", "sle")
_MIRRORED = {op: op[0] + "g" + op[2] for op in _ORDERS} | {op[0] + "g" + op[2]: op for op in _ORDERS}
_MIRRORED.update(eq="eq", weq="weq", ceq="ceq", ne="ne")


Pieces = list[tuple[int, int, int]]
"""Ranges of numbers, each with the weight of all of it."""

Ranges = list[tuple[Operand, Operand]]


@dataclass(slots=True, eq=False)
class Domain:
    """Be what a variable is drawn from: one range with computed bounds, or constant `pieces` with their weights.

    Bounds are numbers, or the names of signed words.
    """

    low: Operand
    high: Operand
    pieces: Pieces = field(default_factory=list[tuple[int, int, int]])
    weighted: bool = False
    """Whether the weights are a distribution's; else all numbers are equally likely."""


def plain_expression(expression: Expr) -> bool:
    """Say whether a constraint's expression is only operators on variables."""
    return all(isinstance(part, PLAIN) for part in subexpressions(expression))


def plain_items(items: Iterable[Constraint], top: bool = True) -> bool:
    """Say whether constraints can be tested in compiled code; distributions only where no condition is around them."""
    for item in items:
        match item:
            case Require(value=expression) if plain_expression(expression):
                pass
            case Implies(cond, body, other) if plain_expression(cond):
                if not plain_items(body, False) or not plain_items(other, False):
                    return False
            case Distribute(soft=False) if top and _shares(item) is not None:
                pass
            case _:
                return False
    return True


def _shares(item: Distribute) -> Pieces | None:
    """Return the pieces of a distribution of constants, each with its whole weight."""
    found: list[tuple[int, int, int]] = []
    for share in item.items:
        low, high, weight = (
            None if part is None else _constant(part) for part in (share.low, share.high, share.weight)
        )
        if low is None or weight is None or (share.high is not None and high is None):
            return None
        last = low if high is None else high
        if item.signed:
            width = share.low.width
            low, last = ops.signed(low, width), ops.signed(last, width)
        if low <= last and weight:
            found.append((low, last, weight if share.whole else weight * (last - low + 1)))
    return found if found and sum(weight for _, _, weight in found) < 1 << 63 else None


def _constant(expression: Expr) -> int | None:
    match expression:
        case Const(_, number, 0):
            return number
        case Unary("neg", Const(width, number, 0)):
            return -number & mask(width)
        case Resize(inner, width, signed):
            found = _constant(inner)
            if found is not None and signed and width > inner.width and found >> (inner.width - 1):
                found |= mask(width) ^ mask(inner.width)
            return None if found is None else found & mask(width)
        case _:
            return None


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Find what is drawn by the expressions that name it."""

    all: Sequence[Target]
    signals: set[Signal] = field(default_factory=set[Signal])
    _found: dict[tuple[Signal, int, int], Target] = field(default_factory=dict[tuple[Signal, int, int], Target])

    def __post_init__(self) -> None:
        for target in self.all:
            self.signals.add(target.signal)
            self._found[(target.signal, target.low, target.width)] = target

    def has(self, part: Expr) -> bool:
        """Say whether an expression is a variable or property that is drawn, or has pieces that are."""
        return (isinstance(part, Ref | Element) and part.signal in self.signals) or (
            isinstance(part, Field) and part.member in self.signals
        )

    def of(self, expression: Expr) -> set[Target]:
        """Return what an expression may look at."""
        named = {
            part.member if isinstance(part, Field) else part.signal
            for part in subexpressions(expression)
            if isinstance(part, Ref | Element | Field)
        }
        return {target for target in self.all if target.signal in named}

    def named(self, expression: Expr) -> Target | None:
        """Return what an expression is."""
        low, width = 0, expression.width
        if isinstance(expression, Unary) and expression.op == "known":
            expression = expression.value
        if isinstance(expression, Slice):
            if not isinstance(expression.offset, int):
                return None
            low, expression = expression.offset, expression.value
        match expression:
            case Ref(signal, ()):
                found = self._found.get((signal, low, width))
            case Field(_, signal):
                found = self._found.get((signal, low, width))
            case _:
                return None
        return found if found is not None and found.member == isinstance(expression, Field) else None


def _match(targets: Targets, expression: Expr, signed: bool) -> Target | None:
    """Return the variable that an operand is, if it is compared as the number that it is."""
    found = targets.named(expression.value if isinstance(expression, Resize) else expression)
    if found is None or found.width > 63:
        return None
    if isinstance(expression, Resize):
        if expression.width <= found.width or expression.signed != found.signed:
            return None
        return found if signed or not found.signed else None
    return found if signed == found.signed else None


def distribution(targets: Targets, item: Distribute) -> tuple[Target, Pieces] | None:
    """Return the variable that a distribution is about and its pieces, if all are constant and it can have them all."""
    found = _match(targets, item.value, item.signed)
    shares = _shares(item)
    if found is None or shares is None or found.enum_values is not None or found.cyclic:
        return None
    least, most = found.whole
    kept = [share for share in shares if share[0] <= most and share[1] >= least]
    return (found, kept) if kept and all(least <= low and high <= most for low, high, _ in kept) else None


@dataclass(frozen=True, slots=True, eq=False)
class _Finder:
    """Read the constraints of one call."""

    f: FunctionCode
    targets: Targets
    failed: str

    def free(self, expression: Expr) -> bool:
        """Say whether an expression has nothing random in it, and is not too wide to be a bound."""
        return expression.width < 64 and not any(self.targets.has(part) for part in subexpressions(expression))

    def bounds(self, expression: Expr) -> tuple[Target, Ranges] | None:
        """Return the variable that a condition is about, and the ranges that it leaves; None if it is no such."""
        if not isinstance(expression, Binary):
            return None
        if expression.op in ("lor", "or") and expression.width == 1:
            left, right = self.bounds(expression.lhs), self.bounds(expression.rhs)
            if left is None or right is None or left[0] is not right[0]:
                return None
            return left[0], left[1] + right[1]
        if expression.op in ("land", "and") and expression.width == 1:
            left, right = self.bounds(expression.lhs), self.bounds(expression.rhs)
            if left is None or right is None or left[0] is not right[0] or len(left[1]) != 1 or len(right[1]) != 1:
                return None
            (a, b), (c, d) = left[1][0], right[1][0]
            return left[0], [(self.most(a, c), self.least(b, d))]
        return self._comparison(expression)

    def _comparison(self, expression: Binary) -> tuple[Target, Ranges] | None:
        op, side, other = expression.op, expression.lhs, expression.rhs
        if op not in _MIRRORED:
            return None
        equal = op in ("eq", "weq", "ceq", "ne")
        signed = op[0] == "s"
        found = _match(self.targets, side, signed) or (_match(self.targets, side, True) if equal else None)
        if found is None:
            op, side, other = _MIRRORED[op], other, side
            found = _match(self.targets, side, signed) or (_match(self.targets, side, True) if equal else None)
        if found is None or (op == "weq" and not isinstance(expression.rhs, Const)) or not self.free(other):
            return None
        if equal and isinstance(side, Resize):
            signed = side.signed
        elif equal:
            signed = found.signed
        bound = self.number(other, signed)
        if bound is None:
            return None
        least, most = found.whole
        if op == "ne":
            # Only a known hole leaves ranges.
            return (found, [(least, bound - 1), (bound + 1, most)]) if isinstance(bound, int) else None
        if equal:
            return found, [(bound, bound)]
        if op.endswith("lt"):
            return found, [(least, self.plus(bound, -1))]
        if op.endswith("le"):
            return found, [(least, bound)]
        return found, [(self.plus(bound, 1) if op.endswith("gt") else bound, most)]

    def conditional(self, item: Implies) -> list[tuple[Constraint, Target, Ranges]] | None:
        """Return the ranges that a condition on what is not random leaves variables, if each is one range."""
        if not self.free(item.cond):
            return None
        found: list[tuple[Constraint, Target, Ranges]] = []
        parts: list[tuple[Require, bool, Target, Ranges]] = []
        for way, items in ((True, item.body), (False, item.other)):
            for inner in items:
                if not isinstance(inner, Require) or inner.soft:
                    return None
                for part in _conjuncts(inner):
                    known = self.bounds(part.value)
                    if known is None or len(known[1]) != 1:
                        return None
                    parts.append((part, way, *known))
        holds = self.number(item.cond, False)
        if holds is None:
            return None
        for part, way, target, ((low, high),) in parts:
            alone = Implies(item.cond, (part,) if way else (), () if way else (part,), item.span)
            found.append((alone, target, [self._where(holds, way, target, low, high)]))
        return found

    def _where(self, holds: Operand, way: bool, target: Target, low: Operand, high: Operand) -> tuple[Operand, Operand]:
        """Return a range where a condition holds, or (not `way`) does not, and all numbers elsewhere."""
        least, most = target.whole
        if isinstance(holds, int):
            return (low, high) if bool(holds) == way else (least, most)
        test = self.f.w.emit(f"icmp {'ne' if way else 'eq'} i64 {holds}, 0")
        low = self.f.w.emit(f"select i1 {test}, i64 {low}, i64 {least}")
        return low, self.f.w.emit(f"select i1 {test}, i64 {high}, i64 {most}")

    # ------------------------------------------------------------------------------------------- numbers

    def number(self, expression: Expr, extend: bool) -> Operand | None:
        """Write a bound as a signed word, its sign extended or not; None if it never is known.

        Where it has unknown bits the choice fails.
        """
        w = self.f.w
        found = value(self.f, expression)
        if isinstance(found.unknown, int) and found.unknown:
            return None
        if found.unknown != 0:
            known = w.fresh("known")
            w.branch(w.nonzero(found.width, found.unknown), self.failed, known)
            w.label(known)
        if isinstance(found.bits, int):
            return ops.signed(found.bits, found.width) if extend else found.bits
        return w.resize(found.bits, found.width, 64, extend)

    def plus(self, number: Operand, step: int) -> Operand:
        """Add a constant to a number."""
        return number + step if isinstance(number, int) else self.f.w.emit(f"add i64 {number}, {step}")

    def most(self, a: Operand, b: Operand) -> Operand:
        """Return the greater of two numbers."""
        return self._choose(a, b, "sgt")

    def least(self, a: Operand, b: Operand) -> Operand:
        """Return the lesser of two numbers."""
        return self._choose(a, b, "slt")

    def _choose(self, a: Operand, b: Operand, how: str) -> Operand:
        if isinstance(a, int) and isinstance(b, int):
            return max(a, b) if how == "sgt" else min(a, b)
        w = self.f.w
        return w.emit(f"select i1 {w.emit(f'icmp {how} i64 {a}, {b}')}, i64 {a}, i64 {b}")


def find_domains(
    f: FunctionCode, targets: Sequence[Target], items: Iterable[Constraint], failed: str
) -> tuple[dict[Target, Domain], list[Constraint]]:
    """Write the bounds of all variables; return what each is drawn from, and the constraints that must be tested.

    Control goes to block `failed` where a bound is unknown or a variable has no value left.
    """
    finder = _Finder(f, Targets(targets), failed)
    domains = {target: _natural(target) for target in targets}
    tests: list[Constraint] = []
    later: list[tuple[Constraint, Target, Ranges]] = []
    soft: list[Require] = []
    for item in items:
        if isinstance(item, Distribute):
            spread = distribution(finder.targets, item)
            assert spread is not None, "a plain choice"
            domains[spread[0]].pieces, domains[spread[0]].weighted = spread[1], True
        elif isinstance(item, Require) and item.soft:
            soft.append(item)
        elif isinstance(item, Require):
            for part in _conjuncts(item):
                known = finder.bounds(part.value)
                if known is None:
                    tests.append(part)
                else:
                    later.append((part, *known))
        else:
            conditional = finder.conditional(item) if isinstance(item, Implies) else None
            if conditional is None:
                tests.append(item)
            else:
                later += conditional
    # What only leaves a value out comes last: it makes pieces, which bounds that are computed do not go together with.
    later.sort(key=lambda found: len(found[2]) == 2 and _is_hole(found[0]))
    for part, target, ranges in later:
        if not _narrow(finder, domains[target], ranges):
            tests.append(part)
    # Of soft constraints the last ones count most; one that leaves nothing gives way (18.5.13.1). Together with tests
    # they may leave nothing, too: then trying fails.
    for item in reversed(soft):
        known = finder.bounds(item.value)
        if known is None or not _soften(finder, domains[known[0]], known[1]):
            tests.append(item)
    for target, domain in domains.items():
        if target.most and not domain.pieces and domain.high == target.most:
            domain.high = _usual_size(finder, domain.low)
        if not domain.pieces:
            _check_empty(f, domain, failed)
    return domains, tests


def _is_hole(item: Constraint) -> bool:
    return isinstance(item, Require) and isinstance(item.value, Binary) and item.value.op == "ne"


def _usual_size(finder: _Finder, low: Operand) -> Operand:
    """Return the greatest size of a container that constraints do not bound from above."""
    if isinstance(low, int):
        return min(max(USUAL_SIZE, 2 * low), LARGEST_SIZE)
    twice = finder.f.w.emit(f"shl i64 {low}, 1")
    return finder.least(finder.most(twice, USUAL_SIZE), LARGEST_SIZE)


def definitions(targets: Targets, tests: Sequence[Constraint]) -> dict[Target, tuple[Expr, bool, Constraint]]:
    """Return variables that equations give from the others: the expression, if its sign is extended, the equation.

    Each solution for the others then has one value of such a variable, so that it need not be drawn.
    """
    found: dict[Target, tuple[Expr, bool, Constraint]] = {}
    needed: set[Target] = set()
    for test in tests:
        if not isinstance(test, Require) or not isinstance(test.value, Binary) or test.value.op not in ("eq", "ceq"):
            continue
        for side, other in ((test.value.lhs, test.value.rhs), (test.value.rhs, test.value.lhs)):
            target = _match(targets, side, False) or _match(targets, side, True)
            uses = targets.of(other)
            if target is None or target.cyclic or target in found or target in needed or other.width > 63:
                continue
            if target not in uses and not uses & set(found):
                found[target] = other, side.signed if isinstance(side, Resize) else target.signed, test
                needed |= uses
                break
    return found


def _natural(target: Target) -> Domain:
    low, high = target.whole
    numbers = target.enum_values
    return Domain(low, high, [] if numbers is None else _pieces([(number, number) for number in numbers]))


def _soften(finder: _Finder, domain: Domain, ranges: Ranges) -> bool:
    """Take the ranges of a soft constraint into a domain unless nothing would be left; return if that is settled."""
    if domain.weighted:
        return False
    low, high = domain.low, domain.high
    before = domain.pieces or ([(low, high, 1)] if isinstance(low, int) and isinstance(high, int) else [])
    if domain.pieces or len(ranges) > 1:
        constant = [(low, high) for low, high in ranges if isinstance(low, int) and isinstance(high, int)]
        kept = _meet(before, constant)
        if not before or len(constant) < len(ranges) or sum(count for _, _, count in kept) >= 1 << 63:
            return False
        domain.pieces = kept or domain.pieces
        return True
    first, last = finder.most(low, ranges[0][0]), finder.least(high, ranges[0][1])
    if isinstance(first, int) and isinstance(last, int):
        if first <= last:
            domain.low, domain.high = first, last
        return True
    w = finder.f.w
    some = w.emit(f"icmp sle i64 {first}, {last}")
    domain.low = w.emit(f"select i1 {some}, i64 {first}, i64 {low}")
    domain.high = w.emit(f"select i1 {some}, i64 {last}, i64 {high}")
    return True


def _conjuncts(item: Require) -> list[Require]:
    """Return the parts of a conjunction, each as a constraint."""
    found: list[Require] = []
    pending: list[Expr] = [item.value]
    while pending:
        part = pending.pop()
        if isinstance(part, Binary) and part.op in ("land", "and") and part.width == 1:
            pending += [part.rhs, part.lhs]
        else:
            found.append(Require(part, span=item.span))
    return found


def _narrow(finder: _Finder, domain: Domain, ranges: Ranges) -> bool:
    """Take ranges into a domain if they go together."""
    constant = [(low, high) for low, high in ranges if isinstance(low, int) and isinstance(high, int)]
    if len(constant) < len(ranges) and len(ranges) > 1:
        return False
    if domain.pieces and not domain.weighted:
        kept = _meet(domain.pieces, constant) if len(constant) == len(ranges) else []
        domain.pieces = kept or domain.pieces
        return bool(kept)
    if domain.pieces:
        # The pieces of a distribution may meet and have weights of their own: only what leaves them whole goes.
        return len(constant) == len(ranges) and all(
            any(low <= first and last <= high for low, high in constant) for first, last, _ in domain.pieces
        )
    if len(ranges) == 1:
        domain.low = finder.most(domain.low, ranges[0][0])
        domain.high = finder.least(domain.high, ranges[0][1])
        return True
    low, high = domain.low, domain.high
    if not isinstance(low, int) or not isinstance(high, int):
        return False
    kept = _meet([(low, high, 1)], constant)
    if not kept or sum(count for _, _, count in kept) >= 1 << 63:
        return False
    domain.pieces = kept
    return True


def _meet(pieces: Sequence[tuple[int, int, int]], ranges: Sequence[tuple[int, int]]) -> Pieces:
    """Return what pieces and ranges have in common."""
    return _pieces([(max(low, first), min(high, last)) for low, high, _ in pieces for first, last in ranges])


def _pieces(ranges: list[tuple[int, int]]) -> Pieces:
    """Return ranges in order and apart, each with as much weight as it has numbers."""
    return [(low, high, high - low + 1) for low, high in tidy(ranges)]


def _check_empty(f: FunctionCode, domain: Domain, failed: str) -> None:
    w = f.w
    if isinstance(domain.low, int) and isinstance(domain.high, int) and domain.low <= domain.high:
        return
    some = w.fresh("some")
    w.branch(w.emit(f"icmp sgt i64 {domain.low}, {domain.high}"), failed, some)
    w.label(some)
