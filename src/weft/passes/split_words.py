"""Split values of any width into words of up to 64 bits, and operations into a few that every lane engine has.

An engine that runs one instance in each lane keeps a value in as many registers as it has words, the least significant
first. So wide operations become logic over words here, once for all engines: sums carry, products are schoolbook
products of 32-bit limbs, quotients restoring division, shifts by a variable amount barrels (first whole words, then
bits). What is left are the operations of `WORD_OPS` on up to 64 bits; hash-consing and the simplifier keep what nobody
needs from existing twice, and nodes that no sink needs are never looked at. Very wide products and quotients alone stay
what they are, between a `concat` of words and slices: engines have loops for them (`engines/lanes/wide_ops`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weft.base.errors import Unsupported
from weft.ir.cone_graph import State
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE, OPS, mask
from weft.ir.step_graph import StepGraph
from weft.passes.simplify_nodes import simplify_two_state

WORD = 64
_LIMB = 32

WORD_OPS = frozenset((
    "const", "read", "memread", "not", "and", "or", "xor", "add", "sub", "mul", "udiv", "umod", "sdiv", "smod", "eq",
    "ult", "slt", "shl", "lshr", "ashr", "concat", "slice", "zext", "sext", "mux", "popcount",
))  # fmt: skip
"""The operations of what this pass returns."""

_WIDEST_PRODUCT, _WIDEST_QUOTIENT = 1024, 128
"""Wider products and quotients are loops over limbs; those up to here have a line for each pair of limbs or bit."""

_WIDEST = 1 << 16
"""A value of a loop lies on the stack, so there is an end: SystemVerilog demands no more (IEEE 1800-2023 6.9.1)."""

Words = tuple[int, ...]
"""The nodes of a value, the least significant first: all but the last have 64 bits."""


def word_count(width: int) -> int:
    """Return how many words a value has."""
    return -(-width // WORD)


def word_width(width: int, word: int) -> int:
    """Return the width of one word of a value."""
    return min(WORD, width - WORD * word)


class WordSplitter:
    """Split the nodes of a step on demand.

    `places` gives the number of each state's first word in the tables of the result: scalars and memories (whose
    elements are split alike, a plane for each word) are counted apart.
    """

    def __init__(self, step: StepGraph, places: Sequence[int], states: Sequence[State]) -> None:
        self.step, self.places = step, places
        self.builder = GraphBuilder(simplify_two_state)
        self.builder.states = list(states)
        self._words: dict[int, Words] = {}

    # -------------------------------------------------------------------------------------------- the interface

    def words(self, node: int) -> Words:
        """Return the words of a node of the step."""
        found, step = self._words, self.step
        stack = [node]
        while stack:
            top = stack[-1]
            if top in found:
                stack.pop()
                continue
            missing = [source for source in step.srcs[top] if source not in found]
            if missing:
                stack.extend(missing)
            else:
                stack.pop()
                found[top] = self._split(top)
        return found[node]

    def word(self, node: int) -> int:
        """Return the only word of a narrow node."""
        (word,) = self.words(node)
        return word

    def index(self, node: int) -> int:
        """Return an unsigned number in one word, saturated: an address or an amount of any width."""
        low, *high = self.words(node)
        for word in high:
            low = self._add("mux", WORD, self.nonzero((word,)), self._const(WORD, mask(WORD)), low)
        return low

    # ------------------------------------------------------------------------------------------------ small tools

    def _add(self, name: str, width: int, *sources: int, param: int = 0) -> int:
        return self.builder.add(name, width, *sources, param=param)

    def _const(self, width: int, value: int) -> int:
        return self.builder.const(width, value & mask(width))

    def _constant(self, width: int, value: int) -> Words:
        return tuple(self._const(word_width(width, word), value >> WORD * word) for word in range(word_count(width)))

    def _width(self, words: Words) -> int:
        return sum(self.builder.width[word] for word in words)

    def _resize(self, node: int, width: int, signed: bool = False) -> int:
        have = self.builder.width[node]
        if have == width:
            return node
        if have > width:
            return self.builder.slice(node, 0, width)
        return self._add("sext" if signed else "zext", width, node)

    def _not(self, node: int) -> int:
        return self._add("not", self.builder.width[node], node)

    def zero(self, words: Words) -> int:
        """Return 1 if a value is 0."""
        width = self.builder.width
        result = -1
        for word in words:
            none = self._not(word) if width[word] == 1 else self._add("eq", 1, word, self._const(width[word], 0))
            result = none if result < 0 else self._add("and", 1, result, none)
        return result

    def nonzero(self, words: Words) -> int:
        """Return 1 if a value is not 0."""
        return words[0] if self._width(words) == 1 else self._not(self.zero(words))

    def assemble(self, parts: Sequence[int], width: int) -> Words:
        """Return nodes side by side (the least significant first) as words, cut off or filled with zeros."""
        result: list[int] = []
        pending: list[int] = []
        room = word_width(width, 0)
        for part in (*parts, self._const(WORD, 0)):
            low, size = 0, self.builder.width[part]
            while low < size and len(result) < word_count(width):
                take = min(room, size - low)
                pending.append(self.builder.slice(part, low, take))
                low, room = low + take, room - take
                if not room:
                    result.append(self.builder.concat(pending))
                    pending = []
                    room = word_width(width, len(result))
        while len(result) < word_count(width):
            rest = self._const(room, 0)
            result.append(self.builder.concat([*pending, rest]))
            pending = []
            room = word_width(width, len(result))
        return tuple(result)

    def bits(self, words: Words, low: int, width: int) -> Words:
        """Return some bits of a value; they must exist."""
        parts: list[int] = []
        for number in range(low // WORD, -(-(low + width) // WORD)):
            first = max(low - WORD * number, 0)
            last = min(low + width - WORD * number, WORD)
            parts.append(self.builder.slice(words[number], first, last - first))
        return self.assemble(parts, width)

    def extend(self, words: Words, width: int, signed: bool) -> Words:
        """Return a value with more bits."""
        if not signed:
            return self.assemble(words, width)
        top = self.builder.width[words[-1]]
        last = self._resize(words[-1], word_width(width, len(words) - 1), signed=True)
        sign = self._add("sext", WORD, self.builder.slice(words[-1], top - 1, 1))
        more = [self._resize(sign, word_width(width, word)) for word in range(len(words), word_count(width))]
        return (*words[:-1], last, *more)

    def _choose(self, cond: int, then: Words, other: Words) -> Words:
        width = self.builder.width
        return tuple(self._add("mux", width[a], cond, a, b) for a, b in zip(then, other, strict=True))

    def each(self, name: str, *values: Words) -> Words:
        """Apply an operation word by word."""
        width = self.builder.width
        return tuple(self._add(name, width[group[0]], *group) for group in zip(*values, strict=True))

    # ------------------------------------------------------------------------------------------------- dispatch

    def _split(self, node: int) -> Words:
        step = self.step
        name, width, param = OPS[step.op[node]].name, step.width[node], step.param[node]
        values = [self._words[source] for source in step.srcs[node]]
        if name == "const":
            return self._constant(width, step.constants[param][0])
        if name == "read":
            first = self.places[param]
            return tuple(self.builder.node(step.op[node], word_width(width, w), (), first + w)
                         for w in range(word_count(width)))  # fmt: skip
        if name == "memread":
            address, first = self.index(step.srcs[node][0]), self.places[param]
            return tuple(self.builder.node(step.op[node], word_width(width, w), (address,), first + w)
                         for w in range(word_count(width)))  # fmt: skip
        split = _SPLITTERS.get(name)
        if split is not None:
            return split(self, width, values, step.srcs[node])
        if name in ("slice",):
            return self.bits(values[0], param, width)
        if name == "mux":
            return self._choose(values[0][0], values[1], values[2])
        return self.each(name, *values)  # not, and, or, xor

    # ----------------------------------------------------------------------------------------------- arithmetic

    def sum(self, width: int, a: Words, b: Words) -> Words:
        """Add with carries."""
        result: list[int] = []
        carry = -1
        for x, y in zip(a, b, strict=True):
            size = self.builder.width[x]
            total = self._add("add", size, x, y)
            over = self._add("ult", 1, total, x)
            if carry >= 0:
                more = self._add("add", size, total, self._resize(carry, size))
                over = self._add("or", 1, over, self._add("ult", 1, more, total))
                total = more
            carry = over
            result.append(total)
        return tuple(result)

    def difference(self, width: int, a: Words, b: Words) -> Words:
        """Subtract with borrows."""
        result: list[int] = []
        borrow = -1
        for x, y in zip(a, b, strict=True):
            size = self.builder.width[x]
            rest = self._add("sub", size, x, y)
            under = self._add("ult", 1, x, y)
            if borrow >= 0:
                one = self._resize(borrow, size)
                under = self._add("or", 1, under, self._add("ult", 1, rest, one))
                rest = self._add("sub", size, rest, one)
            borrow = under
            result.append(rest)
        return tuple(result)

    def product(self, width: int, a: Words, b: Words) -> Words:
        """Multiply 32-bit limbs; a column's sum fits 64 bits."""
        if width <= WORD:
            return (self._add("mul", width, a[0], b[0]),)
        if width > _WIDEST_PRODUCT:
            return self._loop("mul", width, a, b)
        count = -(-width // _LIMB)
        x, y = self._limbs(a, count), self._limbs(b, count)
        columns: list[list[int]] = [[] for _ in range(count + 1)]
        for i, left in enumerate(x):
            for j, right in enumerate(y[: count - i]):
                part = self._add("mul", WORD, left, right)
                columns[i + j].append(self._resize(self.builder.slice(part, 0, _LIMB), WORD))
                columns[i + j + 1].append(self._resize(self.builder.slice(part, _LIMB, _LIMB), WORD))
        limbs: list[int] = []
        carry = self._const(WORD, 0)
        for column in columns[:count]:
            for part in column:
                carry = self._add("add", WORD, carry, part)
            limbs.append(self.builder.slice(carry, 0, _LIMB))
            carry = self._resize(self.builder.slice(carry, _LIMB, _LIMB), WORD)
        return self.assemble(limbs, width)

    def _loop(self, name: str, width: int, a: Words, b: Words) -> Words:
        """Leave an operation to a loop of the engine: it has values of many words in memory.

        No rule of the simplifier sees them, so what is wide stays a `concat` of words, the operation, and its slices.
        """
        if width > _WIDEST:
            raise Unsupported(f"a product or quotient of {width} bits in a batch")
        keep = self.builder.keep
        whole = tuple(keep(CODE["concat"], width, words) for words in (a, b))
        result = keep(CODE[name], width, whole)
        return tuple(
            keep(CODE["slice"], word_width(width, word), (result,), WORD * word) for word in range(word_count(width))
        )

    def _limbs(self, words: Words, count: int) -> list[int]:
        """Return 32-bit limbs, each in 64 bits."""
        padded = self.assemble(words, count * _LIMB)
        pieces = [(word, low) for word in padded for low in range(0, self.builder.width[word], _LIMB)]
        return [self._resize(self.builder.slice(word, low, _LIMB), WORD) for word, low in pieces]

    def quotient(self, width: int, a: Words, b: Words, remainder: bool) -> Words:
        """Divide unsigned; a quotient or remainder by zero is 0."""
        if width <= WORD:
            return (self._add("umod" if remainder else "udiv", width, a[0], b[0]),)
        if width > _WIDEST_QUOTIENT:
            result = self._loop("umod" if remainder else "udiv", width, a, b)
            return self._choose(self.zero(b), self._constant(width, 0), result)
        rest, bits, divisor = self._constant(width + 1, 0), list[int](), self.extend(b, width + 1, False)
        for bit in reversed(range(width)):
            (next_bit,) = self.bits(a, bit, 1)
            rest = self.assemble((next_bit, *self.bits(rest, 0, width)), width + 1)
            fits = self._not(self.less(rest, divisor, signed=False))
            rest = self._choose(fits, self.difference(width + 1, rest, divisor), rest)
            bits.append(fits)
        result = self.bits(rest, 0, width) if remainder else self.assemble(bits[::-1], width)
        return self._choose(self.zero(b), self._constant(width, 0), result)

    def signed_quotient(self, width: int, a: Words, b: Words, remainder: bool) -> Words:
        """Divide towards zero; a remainder has the sign of the dividend."""
        if width <= WORD:
            return (self._add("smod" if remainder else "sdiv", width, a[0], b[0]),)
        signs = [self.bits(value, width - 1, 1)[0] for value in (a, b)]
        zero = self._constant(width, 0)
        x, y = (
            self._choose(sign, self.difference(width, zero, value), value)
            for sign, value in zip(signs, (a, b), strict=True)
        )
        result = self.quotient(width, x, y, remainder)
        negative = signs[0] if remainder else self._add("xor", 1, *signs)
        return self._choose(negative, self.difference(width, zero, result), result)

    def power(self, width: int, base: Words, exponent: Words, signed: bool) -> Words:
        """Multiply by squares; a negative exponent leaves 1, -1 or 0 (IEEE 1800-2023 table 11-4)."""
        result, square = self._constant(width, 1), base
        size = self._width(exponent)
        for bit in range(size - signed):
            (used,) = self.bits(exponent, bit, 1)
            result = self._choose(used, self.product(width, result, square), result)
            if bit + 1 < size - signed:
                square = self.product(width, square, square)
        if not signed:
            return result
        one, ones = self._constant(width, 1), self._constant(width, mask(width))
        odd, negative = self.bits(exponent, 0, 1)[0], self.bits(exponent, size - 1, 1)[0]
        minus = self._choose(odd, ones, one)
        inverse = self._choose(self.equal(base, ones), minus, self._constant(width, 0))
        inverse = self._choose(self.equal(base, one), one, inverse)
        return self._choose(negative, inverse, result)

    # --------------------------------------------------------------------------------------- comparison, reduction

    def equal(self, a: Words, b: Words) -> int:
        """Return 1 if two values are equal."""
        result = -1
        for x, y in zip(a, b, strict=True):
            same = self._add("eq", 1, x, y)
            result = same if result < 0 else self._add("and", 1, result, same)
        return result

    def less(self, a: Words, b: Words, signed: bool) -> int:
        """Return 1 if the first value is less."""
        result = -1
        for number, (x, y) in enumerate(zip(a, b, strict=True)):
            below = self._add("slt" if signed and number + 1 == len(a) else "ult", 1, x, y)
            if result >= 0:
                same = self._add("eq", 1, x, y)
                below = self._add("or", 1, below, self._add("and", 1, same, result))
            result = below
        return result

    def ones(self, width: int, a: Words) -> Words:
        """Count ones, modulo 2**width."""
        total = -1
        for word in a:
            count = self._add("popcount", 32, word)
            total = count if total < 0 else self._add("add", 32, total, count)
        return self.assemble((total,), width)

    # ---------------------------------------------------------------------------------------------------- shifts

    def shift(self, name: str, width: int, a: Words, amount: int) -> Words:
        """Shift by a number in one word."""
        if width <= WORD:
            return (self._add(name, width, a[0], amount),)
        count, left = word_count(width), name == "shl"
        sign = self._const(WORD, 0)
        if name == "ashr":
            sign = self._add("sext", WORD, *self.bits(a, width - 1, 1))
        words = list(self.extend(a, WORD * count, name == "ashr"))
        amount = self._resize(amount, WORD) if self.builder.width[amount] < WORD else amount
        # Whole words first: the amount's bits from 64 up.
        for stage in range((count - 1).bit_length()):
            (moved,) = self.bits((amount,), 6 + stage, 1)
            distance = -(1 << stage) if left else 1 << stage
            words = [
                self._add("mux", WORD, moved, words[at + distance] if 0 <= at + distance < count else sign, words[at])
                for at in range(count)
            ]
        bits = self._resize(self.builder.slice(amount, 0, 6), WORD)
        rest = self._add("sub", WORD, self._const(WORD, 63), bits)
        one = self._const(WORD, 1)
        result: list[int] = []
        for at in range(count):
            here = words[at]
            other = at - 1 if left else at + 1
            there = words[other] if 0 <= other < count else sign
            main, back = ("shl", "lshr") if left else ("lshr", "shl")
            spilled = self._add(back, WORD, self._add(back, WORD, there, one), rest)
            result.append(self._add("or", WORD, self._add(main, WORD, here, bits), spilled))
        large = self._not(self._add("ult", 1, amount, self._const(WORD, WORD * count)))
        result = [self._add("mux", WORD, large, sign, word) for word in result]
        return self.bits(tuple(result), 0, width)

    def extract(self, width: int, a: Words, offset: Words, source: int) -> Words:
        """Return bits from a signed offset up; those outside are 0."""
        if self._never_negative(source):
            size = max(width, self._width(a))
            return self.bits(self.shift("lshr", size, self.assemble(a, size), self.index(source)), 0, width)
        # Put `width` zeros below, so that the offset counts from there.
        above, far = self._shifted_offset(offset, width)
        size = width + self._width(a)
        wide = self.assemble((*self.assemble((), width), *a), size)
        found = self.bits(self.shift("lshr", size, wide, above), 0, width)
        return self._choose(far, self._constant(width, 0), found)

    def insert(self, width: int, a: Words, offset: Words, field: Words, source: int) -> Words:
        """Write a field from a signed offset up; bits outside are dropped."""
        count = self._width(field)
        if self._never_negative(source):
            low, amount, far = 0, self.index(source), -1
        else:
            low = count
            amount, far = self._shifted_offset(offset, count)
        size = width + low
        holes = self.shift("shl", size, self._constant(size, mask(min(count, size))), amount)
        value = self.shift("shl", size, self.assemble(field, size), amount)
        holes, value = self.bits(holes, low, width), self.bits(value, low, width)
        result = self.each("or", self.each("and", a, self.each("not", holes)), value)
        return result if far < 0 else self._choose(far, a, result)

    def _shifted_offset(self, offset: Words, by: int) -> tuple[int, int]:
        """Return a signed offset plus `by` in one word, and 1 if that is negative (out of range below)."""
        size = max(self._width(offset), by.bit_length() + 1) + 1
        moved = self.sum(size, self.extend(offset, size, True), self._constant(size, by))
        (negative,) = self.bits(moved, size - 1, 1)
        low, *high = moved
        for word in high:
            low = self._add("mux", WORD, self.nonzero((word,)), self._const(WORD, mask(WORD)), low)
        return low, negative

    def _never_negative(self, node: int) -> bool:
        """Say whether a signed number's top bit is known to be 0."""
        step = self.step
        name = OPS[step.op[node]].name
        if name == "zext":
            return step.width[step.srcs[node][0]] < step.width[node]
        if name == "concat":
            return self._never_negative(step.srcs[node][-1])
        return name == "const" and not step.constants[step.param[node]][0] >> (step.width[node] - 1)


_Splitter = Callable[[WordSplitter, int, list[Words], tuple[int, ...]], Words]


def _edge(rising: bool) -> _Splitter:
    def split(s: WordSplitter, n: int, v: list[Words], _: tuple[int, ...]) -> Words:
        before, now = v[0][0], v[1][0]
        low, high = (before, now) if rising else (now, before)
        return (s.builder.add("and", 1, s.builder.add("not", 1, low), high),)

    return split


def _shift(name: str) -> _Splitter:
    return lambda s, n, v, sources: s.shift(name, n, v[0], s.index(sources[1]))


_SPLITTERS: dict[str, _Splitter] = {
    "add": lambda s, n, v, _: s.sum(n, v[0], v[1]),
    "sub": lambda s, n, v, _: s.difference(n, v[0], v[1]),
    "mul": lambda s, n, v, _: s.product(n, v[0], v[1]),
    "udiv": lambda s, n, v, _: s.quotient(n, v[0], v[1], remainder=False),
    "umod": lambda s, n, v, _: s.quotient(n, v[0], v[1], remainder=True),
    "sdiv": lambda s, n, v, _: s.signed_quotient(n, v[0], v[1], remainder=False),
    "smod": lambda s, n, v, _: s.signed_quotient(n, v[0], v[1], remainder=True),
    "upow": lambda s, n, v, _: s.power(n, v[0], v[1], signed=False),
    "spow": lambda s, n, v, _: s.power(n, v[0], v[1], signed=True),
    "eq": lambda s, n, v, _: (s.equal(v[0], v[1]),),
    "changed": lambda s, n, v, _: (s.builder.add("not", 1, s.equal(v[0], v[1])),),
    "ult": lambda s, n, v, _: (s.less(v[0], v[1], signed=False),),
    "slt": lambda s, n, v, _: (s.less(v[0], v[1], signed=True),),
    "shl": _shift("shl"),
    "lshr": _shift("lshr"),
    "ashr": _shift("ashr"),
    "concat": lambda s, n, v, _: s.assemble([word for value in v for word in value], n),
    "zext": lambda s, n, v, _: s.extend(v[0], n, signed=False),
    "sext": lambda s, n, v, _: s.extend(v[0], n, signed=True),
    "extract": lambda s, n, v, sources: s.extract(n, v[0], v[1], sources[1]),
    "insert": lambda s, n, v, sources: s.insert(n, v[0], v[1], v[2], sources[1]),
    "redand": lambda s, n, v, _: (s.zero(s.each("not", v[0])),),
    "redor": lambda s, n, v, _: (s.nonzero(v[0]),),
    "redxor": lambda s, n, v, _: s.bits(s.ones(32, v[0]), 0, 1),
    "popcount": lambda s, n, v, _: s.ones(n, v[0]),
    "posedge": _edge(rising=True),
    "negedge": _edge(rising=False),
}
