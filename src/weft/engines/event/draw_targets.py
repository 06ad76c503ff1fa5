"""Say what a plain `randomize` draws, piece by piece, and unroll constraints on the elements of arrays (18.5.7).

A vector of up to 64 bits is one piece. An array of fixed size that is a property is one flat vector, as a long vector
is: if constraints name it, each element is a piece of its own; else its bits are drawn 64 at a time, since bits that
nothing constrains are the same however they are grouped. A `foreach` over such an array becomes a copy of its body for
each index, in which offsets and conditions that only hang on the index are folded, so that an element is a slice at a
known place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from weft.base.dataclass import dataclass, replace
from weft.engines.event.value_types import WORDS
from weft.engines.event.writer import mask
from weft.ir import ops
from weft.ir.constraints import Constraint, Distribute, ForEach, Implies, Require, Share
from weft.ir.design import Expr, Signal, Type
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

PLAIN = Binary | Concat | Cond | Const | Element | Field | Ref | Repeat | Resize | Slice | Unary
"""The expressions that constraints may be made of."""

LARGEST_SIZE, USUAL_SIZE = 1 << 24, 1024
"""How many elements a container may be given; how many it is given at most if nothing bounds them from above."""
MOST_PIECES = 64
"""How many pieces an array may have."""
CYCLE_BITS = 8
"""How wide the `randc` properties are whose cycles are in their objects (`draw_kernels`)."""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Be a random variable, or a random property of the object that one of `holders` has the handle of; or a piece."""

    signal: Signal
    member: bool = False
    cyclic: bool = False
    """Whether it is `randc`."""
    low: int = 0
    piece: int = 0
    """The width of a piece, which begins at bit `low`; 0 for all of the variable."""
    element: bool = False
    """Whether the piece is an element of an array, which has its signedness and values."""
    most: int = 0
    """Of the size of a container: the greatest that it may be given."""

    @property
    def width(self) -> int:
        """Return how many bits it has."""
        return self.piece or self.signal.width

    @property
    def signed(self) -> bool:
        """Say whether its values are signed numbers."""
        return self.signal.type.signed if self.element else self.signal.signed and not self.piece

    @property
    def whole(self) -> tuple[int, int]:
        """Return the least and the greatest number that it can be."""
        half = 1 << (self.width - 1)
        if self.most:
            return 0, self.most
        return (-half, half - 1) if self.signed else (0, mask(self.width))

    @property
    def enum_values(self) -> set[int] | None:
        """Return the numbers that an enum has, or None."""
        kind = self.signal.type
        if kind.kind != "enum" or (self.piece and not self.element):
            return None
        numbers = {number & mask(self.width) for _, number in kind.enum_values}
        return {ops.signed(number, self.width) for number in numbers} if self.signed else numbers


def plain_target(signal: Signal) -> bool:
    """Say whether a variable can be drawn as one piece in compiled code."""
    kind = signal.type
    if signal.depth or kind.kind in WORDS or kind.members or kind.unpacked or kind.element is not None:
        return False
    if kind.kind == "enum":
        return bool(kind.enum_values) and kind.width == signal.width and signal.width < 64
    return 0 < signal.width <= 64


def keeps_cycle(member: Signal) -> bool:
    """Say whether a `randc` property has its cycle in the object."""
    return plain_target(member) and member.width <= CYCLE_BITS and not member.signed


def property_targets(member: Signal, cyclic: bool, named: bool) -> list[Target] | None:
    """Return the pieces of a random property, `named` in constraints or not; None if Python has to draw it."""
    if cyclic:
        return [Target(member, True, True)] if keeps_cycle(member) else None
    if plain_target(member):
        return [Target(member, True)]
    kind = member.type
    if member.depth or kind.kind in WORDS or kind.element is not None or not member.width or has_words(kind):
        return None
    elements = _elements(member)
    enum = kind.kind == "enum"
    if elements and (named or enum):
        width = member.width // elements
        if elements > MOST_PIECES or width > 64 or (enum and (width > 63 or not kind.enum_values)):
            return None
        return [Target(member, True, low=i * width, piece=width, element=True) for i in range(elements)]
    if enum or member.width > 64 * MOST_PIECES:
        return None
    if member.width <= 64:
        return [Target(member, True, piece=member.width)]
    starts = range(0, member.width, 64)
    return [Target(member, True, low=low, piece=min(64, member.width - low)) for low in starts]


def has_words(kind: Type) -> bool:
    """Say whether reals or handles are in a struct."""
    return any(part.kind in WORDS or has_words(part) for _, _, part in kind.members)


def _elements(member: Signal) -> int:
    """Return how many elements an array has, 0 for what is none."""
    count = 1
    for left, right in member.type.unpacked:
        count *= abs(left - right) + 1
    return count if member.type.unpacked and member.type.width * count == member.width else 0


# ------------------------------------------------------------------------------------------- unrolling


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Be what is put into expressions: the values of indices, and other expressions that `swap` returns for some."""

    values: Mapping[Signal, int]
    swap: Callable[[Expr], Expr | None] | None = None

    def __bool__(self) -> bool:
        return bool(self.values) or self.swap is not None


def unroll(items: Iterable[Constraint], known: Known) -> list[Constraint] | None:
    """Return constraints without `foreach`, with what is known in them; None if they are not plain."""
    found: list[Constraint] = []
    for item in items:
        match item:
            case ForEach(index, _, (left, right), body):
                step = 1 if left <= right else -1
                if abs(left - right) >= MOST_PIECES:
                    return None
                for at in range(left, right + step, step):
                    inner = unroll(body, replace(known, values={**known.values, index: at}))
                    if inner is None:
                        return None
                    found += inner
            case ForEach():
                return None
            case _ if not known:
                found.append(item)
            case Implies(cond, body, other):
                test = fold(cond, known)
                parts = [unroll(way, known) for way in (body, other)]
                if test is None or parts[0] is None or parts[1] is None:
                    return None
                if isinstance(test, Const) and not test.unknown:
                    found += parts[0] if test.value else parts[1]
                else:
                    found.append(replace(item, cond=test, body=tuple(parts[0]), other=tuple(parts[1])))
            case Require(value):
                folded = fold(value, known)
                if folded is None:
                    return None
                found.append(replace(item, value=folded))
            case Distribute(value, shares):
                folded = fold(value, known)
                kept = [_fold_share(share, known) for share in shares]
                if folded is None or None in kept:
                    return None
                found.append(replace(item, value=folded, items=tuple(share for share in kept if share is not None)))
            case _:
                return None
    return found


def _fold_share(share: Share, known: Known) -> Share | None:
    parts = [None if part is None else fold(part, known) for part in (share.low, share.high, share.weight)]
    low, high, weight = parts
    if low is None or weight is None or (high is None) != (share.high is None):
        return None
    return replace(share, low=low, high=high, weight=weight)


def fold(expression: Expr, known: Known) -> Expr | None:
    """Return an expression with what is known in it, and what is then constant folded; None if it is not plain."""
    other = known.swap(expression) if known.swap is not None else None
    if other is not None:
        return other
    match expression:
        case Ref(signal) if signal in known.values:
            return Const(signal.width, known.values[signal] & mask(signal.width))
        case Const() | Ref():
            return expression
        case Field(holder):
            inner = fold(holder, known)
            return None if inner is None else replace(expression, object=inner)
        case Resize(inner) | Unary(_, inner) | Repeat(_, inner):
            folded = fold(inner, known)
            return None if folded is None else _constant_of(replace(expression, value=folded))
        case Binary(_, lhs, rhs):
            left, right = fold(lhs, known), fold(rhs, known)
            return None if left is None or right is None else _constant_of(replace(expression, lhs=left, rhs=right))
        case Cond(cond, then, other):
            test, yes, no = fold(cond, known), fold(then, known), fold(other, known)
            if test is None or yes is None or no is None:
                return None
            return replace(expression, cond=test, then=yes, other=no)
        case Concat(parts):
            found = [fold(part, known) for part in parts]
            if None in found:
                return None
            return _constant_of(replace(expression, parts=tuple(part for part in found if part is not None)))
        case Slice(inner, offset):
            folded = fold(inner, known)
            place = offset if isinstance(offset, int) else fold(offset, known)
            if folded is None or place is None:
                return None
            if isinstance(place, Const) and not place.unknown and place.value + expression.width <= inner.width:
                place = place.value
            return replace(expression, value=folded, offset=place)
        case Element(_, index):
            at = fold(index, known)
            return None if at is None else replace(expression, index=at)
        case _:
            return None


_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "land": lambda a, b: int(bool(a) and bool(b)),
    "lor": lambda a, b: int(bool(a) or bool(b)),
}
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


def _constant_of(expression: Expr) -> Expr:
    """Return a constant for an expression of constants, as far as indices need it."""
    match expression:
        case Unary("known", Const(_, _, 0) as inner):
            return inner
        case Resize(Const(width, number, 0), wide, signed):
            value = ops.signed(number, width) if signed else number
            return Const(wide, value & mask(wide))
        case Concat(parts):
            value = 0
            for part in parts:
                if not isinstance(part, Const) or part.unknown:
                    return expression
                value = value << part.width | part.value
            return Const(expression.width, value)
        case Binary(op, Const(width, a, 0), Const(_, b, 0)):
            if op in _ARITHMETIC:
                return Const(expression.width, _ARITHMETIC[op](a, b) & mask(expression.width))
            signed = op[0] == "s"
            compare = _COMPARISONS.get(op if op in ("eq", "ne") else op[1:])
            if compare is None or (op[0] not in "su" and op not in ("eq", "ne")):
                return expression
            a, b = (ops.signed(a, width), ops.signed(b, width)) if signed else (a, b)
            return Const(1, int(compare(a, b)))
        case _:
            return expression
