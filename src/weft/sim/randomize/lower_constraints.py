"""Turn the constraints of the design into terms, at the values that everything has which is not random.

What an expression names is looked up in this order: what the constraint itself binds (`this`, the index of a
`foreach`, the item of a reduction), the random variables, the local variables whose values the call has handed over,
the design's signals. Values with x or z bits are illegal in constraints (IEEE 1800-2023 18.3) and end the run with an
error, unless a condition that is false keeps them out (18.5.12).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from weft.base.dataclass import dataclass, field, replace
from weft.base.errors import Unsupported, UserError
from weft.base.source import NOWHERE, Span
from weft.ir.constraints import (
    Constraint,
    DisableSoft,
    Distribute,
    ForEach,
    Implies,
    Require,
    Share,
    SolveBefore,
    Unique,
)
from weft.ir.design import Expr, Signal
from weft.ir.expressions import (
    Binary,
    Call,
    Concat,
    Cond,
    Const,
    Element,
    Field,
    Item,
    Iterate,
    Ref,
    Repeat,
    Resize,
    Slice,
    SystemCall,
    Text,
    Unary,
)
from weft.sim.randomize.problem import Distribution, Piece
from weft.sim.randomize.terms import (
    FALSE,
    TRUE,
    Term,
    both,
    choose,
    constant,
    either,
    extract,
    is_true,
    join,
    make,
    negate,
    ones,
    resize,
    signed,
    variables_of,
)


class Place(Protocol):
    """Be something that can be randomised: a vector, an array, or a container."""

    container: bool
    size: Term

    @property
    def elements(self) -> list[Term]:
        """Return a term for each element, the first one first; of a container, those that it will have."""
        ...


class Design(Protocol):
    """Tell the values of what is not random."""

    def place(self, owner: object, member: Signal) -> Place | None:
        """Return what is random at a property of an object (a handle) or a signal of an instance, or None."""
        ...

    def signal(self, ref: Ref | Element) -> object:
        """Return the instance that a signal is in; None for a local variable."""
        ...

    def read(self, owner: object, member: Signal, index: int | None) -> tuple[int, int]:
        """Return bits and unknowns of a property, a signal, or one of their elements."""
        ...

    def items(self, handle: int, width: int) -> list[tuple[int, int]]:
        """Return the elements of a container."""
        ...

    def item(self, handle: int, index: Expr, key: Any, width: int) -> tuple[int, int]:
        """Return an element of a container."""
        ...

    def call(self, expression: Call | SystemCall) -> int:
        """Return the number under which a call is evaluated."""
        ...

    def evaluate(self, number: int, arguments: tuple[int, ...]) -> int:
        """Return the value of a call; the receiver is the first argument if there is one."""
        ...


@dataclass(slots=True, eq=False)
class Lowering:
    """Collect the terms of constraints."""

    design: Design
    bound: dict[Signal, Term] = field(default_factory=dict[Signal, Term])
    hard: list[Term] = field(default_factory=list[Term])
    soft: list[Term] = field(default_factory=list[Term])
    distributions: list[Distribution] = field(default_factory=list[Distribution])
    orders: list[tuple[tuple[int, ...], tuple[int, ...]]] = field(
        default_factory=list[tuple[tuple[int, ...], tuple[int, ...]]]
    )
    span: Span = NOWHERE
    _known: dict[Term, frozenset[int]] = field(default_factory=dict[Term, frozenset[int]])

    # ------------------------------------------------------------------------------------------- constraints

    def add(self, items: tuple[Constraint, ...], guard: Term = TRUE) -> None:
        """Add constraints that hold where a guard does."""
        for item in items:
            self.span = item.span if item.span != NOWHERE else self.span
            match item:
                case Require(value, soft):
                    term = either(negate(guard), is_true(self.value(value)))
                    (self.soft if soft else self.hard).append(term)
                case Distribute():
                    self._distribute(item, guard)
                case Implies(cond, body, other):
                    test = is_true(self.value(cond))
                    for part, holds in ((body, test), (other, negate(test))):
                        inner = both(guard, holds)
                        if part and inner != FALSE:
                            self.add(part, inner)
                case Unique(values, widths):
                    self._unique(values, widths, guard)
                case ForEach():
                    self._for_each(item, guard)
                case SolveBefore(first, then):
                    self.orders.append((self._numbers(first), self._numbers(then)))
                case DisableSoft(target):
                    dropped = set(self._numbers((target,)))
                    self.soft = [term for term in self.soft if not variables_of(term, self._known) & dropped]

    def _numbers(self, values: tuple[Expr, ...]) -> tuple[int, ...]:
        found: set[int] = set()
        for value in values:
            terms = self.elements(value)
            for term in [self.value(value)] if terms is None else terms:
                found |= variables_of(term, self._known)
        return tuple(sorted(found))

    def _distribute(self, item: Distribute, guard: Term) -> None:
        value = self.value(item.value)
        pieces = [piece for share in item.items if (piece := self._piece(share, item.signed)) is not None]
        spread = Distribution(guard, value, tuple(pieces), item.signed)
        required = spread.required()
        (self.soft if item.soft else self.hard).append(required)
        # The weights of a soft distribution count where it is kept.
        self.distributions.append(replace(spread, guard=both(guard, required)) if item.soft else spread)

    def _piece(self, share: Share, sign: bool) -> Piece | None:
        low = self._fixed(share.low, "a bound of a distribution")
        high = low if share.high is None else self._fixed(share.high, "a bound of a distribution")
        weight: float = self._fixed(share.weight, "a weight")
        width = share.low.width
        first, last = (signed(low, width), signed(high, width)) if sign else (low, high)
        if last < first or not weight:
            return None
        return Piece(low, high, weight / (last - first + 1) if share.whole else weight)

    def _fixed(self, expression: Expr, what: str) -> int:
        term = self.value(expression)
        if term[0] != "c":
            raise Unsupported(f"{what} that depends on random variables", self.span)
        return term[2]

    def _unique(self, values: tuple[Expr, ...], widths: tuple[int, ...], guard: Term) -> None:
        terms: list[Term] = []
        for value, width in zip(values, widths, strict=True):
            found = self.elements(value)
            if found is None:
                whole = self.value(value)
                step = width or whole[1]
                found = [extract(whole, at, step) for at in range(0, whole[1], step)]
            terms += found
        for i, one in enumerate(terms):
            for other in terms[:i]:
                width = max(one[1], other[1])
                same = make("eq", 1, resize(one, width), resize(other, width))
                self.hard.append(either(negate(guard), negate(same)))

    def _for_each(self, item: ForEach, guard: Term) -> None:
        if item.bounds is not None:
            first, last = item.bounds
            indices = list(range(first, last + 1)) if first <= last else list(range(first, last - 1, -1))
        else:
            found = self.elements(item.array)
            indices = list(range(len(found or ())))
        for index in indices:
            self.bound[item.index] = constant(item.index.width, index)
            self.add(item.body, guard)
        self.bound.pop(item.index, None)

    # ------------------------------------------------------------------------------------------- values

    def elements(self, expression: Expr) -> list[Term] | None:
        """Return the elements of an array or container; None for anything else."""
        match expression:
            case Field() | Ref():
                owner, member = self._owner(expression)
                place = self.design.place(owner, member)
                if place is not None and (place.container or len(place.elements) > 1):
                    return place.elements
                if member.depth and not self._is_bound(expression):
                    return [self._read(owner, member, i) for i in range(member.depth)]
                if member.type.element is not None:
                    handle = self.value(expression)
                    width = member.type.element.width
                    return [self._known_bits(width, *bits) for bits in self.design.items(handle[2], width)]
            case _:
                pass
        return None

    def _is_bound(self, expression: Expr) -> bool:
        return isinstance(expression, Ref) and expression.signal in self.bound

    def _owner(self, expression: Field | Ref | Element) -> tuple[object, Signal]:
        if isinstance(expression, Field):
            return self.handle(expression.object), expression.member
        return self.design.signal(expression), expression.signal

    def handle(self, expression: Expr) -> int:
        """Return the object that an expression gives."""
        found = self.value(expression)
        if found[0] != "c":
            raise Unsupported("an object chosen by a random variable", self.span)
        if not found[2]:
            raise UserError("null-handle", "a null handle is used in a constraint", self.span)
        return found[2]

    def _read(self, owner: object, member: Signal, index: int | None) -> Term:
        bits, unknown = self.design.read(owner, member, index)
        return self._known_bits(member.width if index is not None else member.bits, bits, unknown, member.name)

    def _known_bits(self, width: int, bits: int, unknown: int, name: str = "a value") -> Term:
        if unknown:
            raise UserError("bad-constraint", f"{name} has x or z bits in a constraint", self.span)
        return constant(width, bits)

    def value(self, expression: Expr) -> Term:
        """Return the term of an expression."""
        match expression:
            case Const(width, value, unknown):
                return self._known_bits(width, value, unknown)
            case Ref(signal) if signal in self.bound:
                return self.bound[signal]
            case Ref() | Field():
                return self._whole(expression)
            case Element(_, index):
                return self._element(expression, self.value(index))
            case Slice(value, offset, width):
                return self._slice(self.value(value), offset, width)
            case Resize(value, width, sign):
                return resize(self.value(value), width, sign)
            case Unary(op, value, width):
                return self._unary(op, self.value(value), width)
            case Binary(op, lhs, rhs, width):
                return self._binary(op, lhs, rhs, width)
            case Cond(cond, then, other, width):
                test = is_true(self.value(cond))
                if test[0] == "c":
                    return self.value(then if test[2] else other)
                return choose(width, test, self.value(then), self.value(other))
            case Concat(parts):
                return join([self.value(part) for part in parts])
            case Repeat(count, value):
                return join([self.value(value)] * count)
            case Item():
                return self._item(expression)
            case Iterate():
                return self._reduce(expression)
            case SystemCall(name, args) if name in ("array.size", "array.num"):
                return self._size(args[0], expression.width)
            case Call() | SystemCall():
                return self._call(expression)
            case _:
                raise Unsupported("this expression in a constraint", self.span)

    def _whole(self, expression: Ref | Field) -> Term:
        owner, member = self._owner(expression)
        place = self.design.place(owner, member)
        if place is not None and not place.container:
            return join(place.elements[::-1])
        return self._read(owner, member, None)

    def _element(self, expression: Element, index: Term) -> Term:
        owner, member = self._owner(expression)
        place = self.design.place(owner, member)
        if place is not None:
            return self._pick(place.elements, index, False)
        if index[0] == "c":
            if index[2] >= member.depth:
                return self._known_bits(member.width, 0, 1, f"an element of '{member.name}' that is not there")
            return self._read(owner, member, index[2])
        return self._pick([self._read(owner, member, i) for i in range(member.depth)], index, False)

    def _pick(self, elements: list[Term], index: Term, sign: bool) -> Term:
        if index[0] == "c":
            at = signed(index[2], index[1]) if sign else index[2]
            if not 0 <= at < len(elements):
                raise UserError("bad-constraint", f"a constraint uses element {at}, which is not there", self.span)
            return elements[at]
        inside = make(
            "ult", 1, resize(index, index[1] + 1), constant(index[1] + 1, min(len(elements), ones(index[1]) + 1))
        )
        self.hard.append(inside)
        found = elements[-1] if elements else constant(1, 0)
        for i, element in enumerate(elements[:-1]):
            if i <= ones(index[1]):
                found = choose(element[1], make("eq", 1, index, constant(index[1], i)), element, found)
        return found

    def _slice(self, value: Term, offset: Expr | int, width: int) -> Term:
        if not isinstance(offset, int):
            term = self.value(offset)
            if term[0] != "c":
                moved = resize(value, max(value[1], width))
                return extract(make("lshr", moved[1], moved, term), 0, width)
            offset = signed(term[2], term[1])
        if offset < 0 or offset + width > value[1]:
            raise UserError("bad-constraint", "a constraint selects bits that are not there", self.span)
        return extract(value, offset, width)

    def _item(self, item: Item) -> Term:
        index = self.value(item.index) if not isinstance(item.index, Text) else None
        elements = self.elements(item.container)
        kind = item.type
        if elements is not None and index is not None and (kind is None or kind.kind != "assoc"):
            return self._pick(elements, index, item.signed)
        handle = self.value(item.container)
        key = item.index.value if isinstance(item.index, Text) else index[2] if index is not None else 0
        return self._known_bits(item.width, *self.design.item(handle[2], item.index, key, item.width))

    def _size(self, array: Expr, width: int) -> Term:
        if isinstance(array, Field | Ref):
            owner, member = self._owner(array)
            place = self.design.place(owner, member)
            if place is not None:
                return resize(place.size, width)
        elements = self.elements(array)
        if elements is not None:
            return constant(width, len(elements))
        return constant(width, len(self.design.items(self.value(array)[2], 0)))

    def _reduce(self, node: Iterate) -> Term:
        step = node.item.bits
        found = self.elements(node.array)
        if found is None:
            whole = self.value(node.array)
            found = [extract(whole, at, step) for at in range(0, whole[1], step)]
        ops = {"sum": "add", "product": "mul", "and": "and", "or": "or", "xor": "xor"}
        if node.name not in ops:
            raise Unsupported(f"the array method '{node.name}' in a constraint", self.span)
        terms: list[Term] = []
        for i, element in enumerate(found):
            self.bound[node.item] = element
            self.bound[node.index] = constant(node.index.width, i)
            body = element if node.body is None else self.value(node.body)
            terms.append(resize(body, node.width, node.signed))
        self.bound.pop(node.item, None)
        self.bound.pop(node.index, None)
        if not terms:
            return constant(node.width, {"product": 1, "and": ones(node.width)}.get(node.name, 0))
        return _balance(ops[node.name], node.width, terms)

    def _call(self, expression: Call | SystemCall) -> Term:
        number = self.design.call(expression)
        parts: list[Term] = []
        if isinstance(expression, Call) and expression.receiver is not None:
            parts.append(constant(64, self.handle(expression.receiver)))
        parts += [self.value(argument) for argument in expression.args if not isinstance(argument, Text)]
        if all(part[0] == "c" for part in parts):
            return constant(expression.width, self.design.evaluate(number, tuple(part[2] for part in parts)))
        return ("call", expression.width, number, *parts)

    # ------------------------------------------------------------------------------------------- operators

    def _unary(self, op: str, a: Term, width: int) -> Term:
        match op:
            case "not" | "neg":
                return make(op, width, a)
            case "lnot":
                return resize(negate(is_true(a)), width)
            case "redor":
                return resize(is_true(a), width)
            case "redand":
                return resize(make("eq", 1, a, constant(a[1], ones(a[1]))), width)
            case "redxor":
                return resize(_balance("xor", 1, [extract(a, i, 1) for i in range(a[1])]), width)
            case "isunknown":
                return constant(width, 0)
            case "known":
                return a
            case "countones" | "onehot" | "onehot0":
                size = a[1].bit_length() + 1
                count = _balance("add", size, [resize(extract(a, i, 1), size) for i in range(a[1])])
                if op == "countones":
                    return resize(count, width)
                limit = make("eq" if op == "onehot" else "ule", 1, count, constant(size, 1))
                return resize(limit, width)
            case "clog2":
                found = constant(width, 0)
                for i in range(a[1]):
                    found = choose(width, make("ult", 1, constant(a[1], 1 << i), a), constant(width, i + 1), found)
                return found
            case _:
                raise Unsupported("a real number in a constraint", self.span)

    def _binary(self, op: str, lhs: Expr, rhs: Expr, width: int) -> Term:
        if op in ("land", "lor"):
            first = is_true(self.value(lhs))
            if first == (FALSE if op == "land" else TRUE):
                return first
            return (both if op == "land" else either)(first, is_true(self.value(rhs)))
        if op in ("weq", "wne") and isinstance(rhs, Const):
            care = constant(rhs.width, ~rhs.unknown)
            same = make(
                "eq", 1, make("and", rhs.width, self.value(lhs), care), constant(rhs.width, rhs.value & ~rhs.unknown)
            )
            return same if op == "weq" else negate(same)
        a, b = self.value(lhs), self.value(rhs)
        simple = _BINARY.get(op)
        if simple is not None:
            return simple(width, a, b)
        return make(op, width, a, b)


def _spow(width: int, a: Term, b: Term) -> Term:
    if b[0] == "c" and not b[2] >> (b[1] - 1):
        return make("pow", width, a, b)
    if a[0] == b[0] == "c":
        base = signed(a[2], a[1])
        odd = b[2] & 1
        return constant(width, 1 if base == 1 or (base == -1 and not odd) else -1 if base == -1 else 0)
    raise Unsupported("a power with a random signed exponent in a constraint")


_BINARY: dict[str, Callable[[int, Term, Term], Term]] = {
    "xnor": lambda width, a, b: make("not", width, make("xor", width, a, b)),
    "upow": lambda width, a, b: make("pow", width, a, b),
    "spow": _spow,
    "ne": lambda width, a, b: negate(make("eq", 1, a, b)),
    "ceq": lambda width, a, b: make("eq", 1, a, b),
    "cne": lambda width, a, b: negate(make("eq", 1, a, b)),
    "weq": lambda width, a, b: make("eq", 1, a, b),
    "wne": lambda width, a, b: negate(make("eq", 1, a, b)),
    "ugt": lambda width, a, b: make("ult", 1, b, a),
    "uge": lambda width, a, b: make("ule", 1, b, a),
    "sgt": lambda width, a, b: make("slt", 1, b, a),
    "sge": lambda width, a, b: make("sle", 1, b, a),
}


def _balance(op: str, width: int, terms: list[Term]) -> Term:
    """Return all terms joined by an operator, as a tree of little depth."""
    while len(terms) > 1:
        pairs = [make(op, width, a, b) for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms = pairs + (terms[-1:] if len(terms) % 2 else [])
    return terms[0]
