"""Find out, while the code of a plain `randomize` is written, from which numbers each variable is to be drawn.

A constraint about one variable alone (`a >= low`, `a inside {[1:9], 20}`, `a dist {0 := 3, [1:4] :/ 2}`) needs no
trying: it bounds what is drawn. Comparisons with anything that is not random become bounds that are computed when the
call runs; sets of constants become lists of ranges. Whatever is not understood here, or does not fit together with
what is known already, stays a test. Numbers are signed words of 64 bits; that is why only variables of less than 64
bits are bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from weft.base.dataclass import dataclass, field
from weft.base.number_ranges import tidy
from weft.engines.event.code_expressions import value
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.value_types import WORDS
from weft.engines.event.writer import Operand, mask
from weft.ir import ops
from weft.ir.constraints import Constraint, Distribute, Implies, Require
from weft.ir.design import Expr, Signal
from weft.ir.expressions import (
    Binary,
    Concat,
    Cond,
    Const,
    Element,
    Field,
    Ref,
    Repeat,
    Resize,
    Slice,
    Unary,
)
from weft.ir.walk import subexpressions

_PLAIN = Binary | Concat | Cond | Const | Element | Field | Ref | Repeat | Resize | Slice | Unary
_ORDERS = ("ult", "ule", "slt", "sle")
_MIRRORED = {op: op[0] + "g" + op[2] for op in _ORDERS} | {op[0] + "g" + op[2]: op for op in _ORDERS}
_MIRRORED.update(eq="eq", weq="weq", ceq="ceq")


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Be a random variable, or a random property of the object that one of `holders` has the handle of."""

    signal: Signal
    member: bool = False

    @property
    def width(self) -> int:
        """Return how many bits it has."""
        return self.signal.width

    @property
    def whole(self) -> tuple[int, int]:
        """Return the least and the greatest number that it can be."""
        half = 1 << (self.width - 1)
        return (-half, half - 1) if self.signal.signed else (0, mask(self.width))


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


def plain_target(signal: Signal) -> bool:
    """Say whether a variable can be drawn in compiled code."""
    kind = signal.type
    if signal.depth or kind.kind in WORDS or kind.members or kind.unpacked or kind.element is not None:
        return False
    if kind.kind == "enum":
        return bool(kind.enum_values) and kind.width == signal.width and signal.width < 64
    return 0 < signal.width <= 64


def plain_expression(expression: Expr) -> bool:
    """Say whether a constraint's expression is only operators on variables."""
    return all(isinstance(part, _PLAIN) for part in subexpressions(expression))


def plain_items(items: Iterable[Constraint], top: bool = True) -> bool:
    """Say whether constraints can be tested in compiled code; distributions only where no condition is around them."""
    for item in items:
        match item:
            case Require(value=expression, soft=False) if plain_expression(expression):
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


def _match(targets: Mapping[Signal, Target], expression: Expr, signed: bool) -> Target | None:
    """Return the variable that an operand is, if it is compared as the number that it is."""
    inner = expression.value if isinstance(expression, Resize) else expression
    found: Target | None = None
    if isinstance(inner, Ref) and not inner.path:
        found = targets.get(inner.signal)
    elif isinstance(inner, Field):
        found = targets.get(inner.member)
    if found is None or found.member != isinstance(inner, Field) or found.width > 63:
        return None
    if isinstance(expression, Resize):
        if expression.width <= found.width or expression.signed != found.signal.signed:
            return None
        return found if signed or not found.signal.signed else None
    return found if signed == found.signal.signed else None


def distribution(targets: Mapping[Signal, Target], item: Distribute) -> tuple[Target, Pieces] | None:
    """Return the variable that a distribution is about and its pieces, if all are constant and it can have them all."""
    found = _match(targets, item.value, item.signed)
    shares = _shares(item)
    if found is None or shares is None or found.signal.type.kind == "enum":
        return None
    least, most = found.whole
    kept = [share for share in shares if share[0] <= most and share[1] >= least]
    return (found, kept) if kept and all(least <= low and high <= most for low, high, _ in kept) else None


@dataclass(frozen=True, slots=True, eq=False)
class _Finder:
    """Read the constraints of one call."""

    f: FunctionCode
    targets: dict[Signal, Target]
    failed: str

    def free(self, expression: Expr) -> bool:
        """Say whether an expression has nothing random in it, and is not too wide to be a bound."""
        return expression.width < 64 and not any(
            (isinstance(part, Ref | Element) and part.signal in self.targets)
            or (isinstance(part, Field) and part.member in self.targets)
            for part in subexpressions(expression)
        )

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
        equal = op in ("eq", "weq", "ceq")
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
            signed = found.signal.signed
        bound = self.number(other, signed)
        if bound is None:
            return None
        least, most = found.whole
        if equal:
            return found, [(bound, bound)]
        if op.endswith("lt"):
            return found, [(least, self.plus(bound, -1))]
        if op.endswith("le"):
            return found, [(least, bound)]
        return found, [(self.plus(bound, 1) if op.endswith("gt") else bound, most)]

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
) -> tuple[dict[Signal, Domain], list[Constraint]]:
    """Write the bounds of all variables; return what each is drawn from, and the constraints that must be tested.

    Control goes to block `failed` where a bound is unknown or a variable has no value left.
    """
    finder = _Finder(f, {target.signal: target for target in targets}, failed)
    domains = {target.signal: _natural(target) for target in targets}
    tests: list[Constraint] = []
    later: list[tuple[Require, Target, Ranges]] = []
    for item in items:
        if isinstance(item, Distribute):
            spread = distribution(finder.targets, item)
            assert spread is not None, "a plain choice"
            domains[spread[0].signal].pieces = spread[1]
        elif isinstance(item, Require):
            for part in _conjuncts(item):
                known = finder.bounds(part.value)
                if known is None:
                    tests.append(part)
                else:
                    later.append((part, *known))
        else:
            tests.append(item)
    for part, target, ranges in later:
        if not _narrow(finder, domains[target.signal], ranges):
            tests.append(part)
    for domain in domains.values():
        if not domain.pieces:
            _check_empty(f, domain, failed)
    return domains, tests


def _natural(target: Target) -> Domain:
    kind = target.signal.type
    low, high = target.whole
    if kind.kind != "enum":
        return Domain(low, high)
    numbers = {number & mask(target.width) for _, number in kind.enum_values}
    if target.signal.signed:
        numbers = {ops.signed(number, target.width) for number in numbers}
    return Domain(low, high, _pieces([(number, number) for number in numbers]))


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
    clipped = [(max(first, low), min(last, high)) for first, last in constant]
    kept = _pieces(clipped)
    if not kept or sum(count for _, _, count in kept) >= 1 << 63:
        return False
    domain.pieces = kept
    return True


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
