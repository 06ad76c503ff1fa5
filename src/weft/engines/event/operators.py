"""The operators of the language on 4-state values (IEEE 1800-2023 11.4), as LLVM IR.

Bitwise operators work bit by bit with x for what is not determined; arithmetic and comparisons of a value with an
unknown bit are all x. Every formula reduces to the plain operation where the unknown planes are the constant 0.
"""

from __future__ import annotations

from collections.abc import Callable

from weft.engines.event.writer import Operand, Value, Writer, all_x, carrier, ir_type, mask


def one(w: Writer, a: Value) -> Operand:
    """Return the bits that are 1."""
    if a.unknown == 0 or (a.bits, a.unknown) in w.without_z:
        return a.bits
    found = w.and_(a.width, a.bits, w.not_(a.width, a.unknown))
    w.without_z.add((found, a.unknown))
    return found


def x_only(w: Writer, width: int, bits: Operand, unknown: Operand) -> Value:
    """Return a value without z: its bits are 0 where they are unknown, so that `one` has nothing to do."""
    w.without_z.add((bits, unknown))
    return Value(width, bits, unknown)


def as_x(w: Writer, a: Value) -> Value:
    """Turn z bits into x."""
    return Value(a.width, one(w, a), a.unknown)


def any_unknown(w: Writer, *values: Value) -> Operand:
    """Return whether any bit of the values is unknown."""
    result: Operand = 0
    for a in values:
        result = w.or_(1, result, w.nonzero(a.width, a.unknown))
    return result


def if_known(w: Writer, width: int, unknown: Operand, result: Operand) -> Value:
    """Return a result, or all x where `unknown` holds."""
    if unknown == 0:
        return Value(width, result)
    return x_only(w, width, w.select(width, unknown, 0, result), w.select(width, unknown, mask(width), 0))


# ------------------------------------------------------------------------------------------- unary


def bit_not(w: Writer, a: Value) -> Value:
    """Return `~a`."""
    if a.known:
        return Value(a.width, w.not_(a.width, a.bits))
    return x_only(w, a.width, w.not_(a.width, w.or_(a.width, a.bits, a.unknown)), a.unknown)


def negate(w: Writer, a: Value) -> Value:
    """Return `-a`."""
    return if_known(w, a.width, any_unknown(w, a), w.op("sub", a.width, 0, a.bits))


def truth(w: Writer, a: Value) -> Value:
    """Return whether a value is not 0, as one 4-state bit."""
    if a.width == 1:
        return as_x(w, a)
    if a.known:
        return Value(1, w.nonzero(a.width, a.bits))
    is_one = w.nonzero(a.width, one(w, a))
    return x_only(w, 1, is_one, w.and_(1, w.nonzero(a.width, a.unknown), w.not_(1, is_one)))


def is_true(w: Writer, a: Value) -> Operand:
    """Return whether a value is certainly not 0, as one bit."""
    return w.nonzero(a.width, one(w, a))


def reduce_and(w: Writer, a: Value) -> Value:
    """Return `&a`."""
    known_one = w.compare("eq", a.width, one(w, a), mask(a.width))
    if a.known:
        return Value(1, known_one)
    some_zero = w.compare("ne", a.width, w.or_(a.width, a.bits, a.unknown), mask(a.width))
    return x_only(w, 1, known_one, w.not_(1, w.or_(1, known_one, some_zero)))


def reduce_or(w: Writer, a: Value) -> Value:
    """Return `|a`."""
    return truth(w, a)


def reduce_xor(w: Writer, a: Value) -> Value:
    """Return `^a`."""
    parity = w.and_(a.width, count_ones(w, a.width, a.bits), 1)
    return if_known(w, 1, any_unknown(w, a), w.resize(parity, a.width, 1))


def count_ones(w: Writer, width: int, bits: Operand) -> Operand:
    """Return the number of ones, in the same width (modulo 2 ** width)."""
    if isinstance(bits, int):
        return bits.bit_count() & mask(width)
    if width == 1:
        return bits
    size = carrier(width)
    w.declare(f"llvm.ctpop.i{size}", f"declare i{size} @llvm.ctpop.i{size}(i{size})")
    return w.emit(f"call i{size} @llvm.ctpop.i{size}(i{size} {bits})")


def clog2(w: Writer, a: Value, width: int) -> Value:
    """Return `$clog2(a)`: the bits that a number of so many addresses needs."""
    size = carrier(a.width + 1)
    less = w.op("sub", size, w.resize(a.bits, a.width, size), 1)
    w.declare(f"llvm.ctlz.i{size}", f"declare i{size} @llvm.ctlz.i{size}(i{size}, i1)")
    zeros = w.emit(f"call i{size} @llvm.ctlz.i{size}(i{size} {less}, i1 false)")
    result = w.op("sub", size, size, zeros)
    result = w.select(size, w.compare("eq", a.width, a.bits, 0), 0, result)
    return if_known(w, width, any_unknown(w, a), w.resize(result, size, width))


# ------------------------------------------------------------------------------------------- bitwise


def bit_and(w: Writer, a: Value, b: Value) -> Value:
    """Return `a & b`."""
    if a.known and b.known:
        return Value(a.width, w.and_(a.width, a.bits, b.bits))
    # A bit is 0 if either operand's is 0, and 1 if both are 1.
    may_a, may_b = w.or_(a.width, a.bits, a.unknown), w.or_(b.width, b.bits, b.unknown)
    bits = w.and_(a.width, one(w, a), one(w, b))
    may = w.and_(a.width, may_a, may_b)
    return x_only(w, a.width, bits, w.op("xor", a.width, may, bits))


def bit_or(w: Writer, a: Value, b: Value) -> Value:
    """Return `a | b`."""
    bits = w.or_(a.width, one(w, a), one(w, b))
    if a.known and b.known:
        return Value(a.width, bits)
    unknown = w.and_(a.width, w.or_(a.width, a.unknown, b.unknown), w.not_(a.width, bits))
    return x_only(w, a.width, bits, unknown)


def bit_xor(w: Writer, a: Value, b: Value) -> Value:
    """Return `a ^ b`."""
    unknown = w.or_(a.width, a.unknown, b.unknown)
    bits = w.op("xor", a.width, a.bits, b.bits)
    return x_only(w, a.width, bits if unknown == 0 else w.and_(a.width, bits, w.not_(a.width, unknown)), unknown)


# ------------------------------------------------------------------------------------------- arithmetic


def arithmetic(name: str) -> Callable[[Writer, Value, Value], Value]:
    """Return an operator that LLVM has and that any unknown bit makes all x."""

    def apply(w: Writer, a: Value, b: Value) -> Value:
        return if_known(w, a.width, any_unknown(w, a, b), w.op(name, a.width, a.bits, b.bits))

    return apply


def division(name: str) -> Callable[[Writer, Value, Value], Value]:
    """Return a division or remainder: x for a zero divisor, and no trap for the smallest number by -1."""

    def apply(w: Writer, a: Value, b: Value) -> Value:
        width = a.width
        if 64 < width <= 128:
            # LLVM divides 128 bits by a routine of the compiler's library, which is not there, and wider ones inline.
            signed = name in ("sdiv", "srem")
            return resize(w, apply(w, resize(w, a, 129, signed), resize(w, b, 129, signed)), width, False)
        zero = w.compare("eq", width, b.bits, 0)
        divisor = w.select(width, zero, 1, b.bits)
        if name in ("sdiv", "srem"):
            # Dividing by -1 is negating; LLVM leaves the overflow undefined (and x86 traps).
            minus = w.compare("eq", width, divisor, mask(width))
            safe = w.select(width, minus, 1, divisor)
            result = w.op(name, width, a.bits, safe)
            special = w.op("sub", width, 0, a.bits) if name == "sdiv" else 0
            result = w.select(width, minus, special, result)
        else:
            result = w.op(name, width, a.bits, divisor)
        return if_known(w, width, w.or_(1, any_unknown(w, a, b), zero), result)

    return apply


def power(signed: bool) -> Callable[[Writer, Value, Value], Value]:
    """Return `a ** b` by repeated squaring (IEEE 1800-2023 11.4.3, table 11-4 for a negative exponent)."""

    def apply(w: Writer, a: Value, b: Value) -> Value:
        width, steps = a.width, b.width
        result, base, left = w.slot(width), w.slot(width), w.slot(steps)
        kind, count_kind = ir_type(width), ir_type(steps)
        w.do(f"store {kind} 1, ptr {result}")
        w.do(f"store {kind} {a.bits}, ptr {base}")
        negative: Operand = w.compare("slt", steps, b.bits, 0) if signed else 0
        w.do(f"store {count_kind} {w.select(steps, negative, 0, b.bits)}, ptr {left}")
        head, body, done = w.fresh("power"), w.fresh("square"), w.fresh("powered")
        w.label(head)
        count = w.emit(f"load {count_kind}, ptr {left}")
        w.branch(w.compare("eq", steps, count, 0), done, body)
        w.label(body)
        square = w.emit(f"load {kind}, ptr {base}")
        product = w.emit(f"load {kind}, ptr {result}")
        multiplied = w.op("mul", width, product, square)
        odd = w.resize(count, steps, 1)
        w.do(f"store {kind} {w.select(width, odd, multiplied, product)}, ptr {result}")
        w.do(f"store {kind} {w.op('mul', width, square, square)}, ptr {base}")
        w.do(f"store {count_kind} {w.op('lshr', steps, count, 1)}, ptr {left}")
        w.jump(head)
        w.label(done)
        total: Operand = w.emit(f"load {kind}, ptr {result}")
        unknown = any_unknown(w, a, b)
        if negative != 0:
            is_one = w.compare("eq", width, a.bits, 1)
            minus = w.compare("eq", width, a.bits, mask(width))
            odd = w.resize(b.bits, steps, 1)
            special = w.select(width, minus, w.select(width, odd, mask(width), 1), w.select(width, is_one, 1, 0))
            total = w.select(width, negative, special, total)
            unknown = w.or_(1, unknown, w.and_(1, negative, w.compare("eq", width, a.bits, 0)))
        return if_known(w, width, unknown, total)

    return apply


def shift(name: str) -> Callable[[Writer, Value, Value], Value]:
    """Return a shift by an unsigned amount of any width; `ashr` fills with the sign bit, unknown or not."""

    def apply(w: Writer, a: Value, b: Value) -> Value:
        width = a.width
        if isinstance(b.bits, int) and b.unknown == 0:
            amount: Operand = min(b.bits, width)
            over: Operand = int(b.bits >= width)
        else:
            size = max(width.bit_length() + 1, b.width)
            wide = w.resize(b.bits, b.width, size)
            over = w.compare("uge", size, wide, width)
            amount = w.resize(w.select(size, over, 0, wide), size, width)
        if over == 1:
            amount = width - 1 if name == "ashr" else 0
        planes: list[Operand] = []
        for plane in (a.bits, a.unknown):
            if isinstance(plane, int) and plane == 0:
                planes.append(0)
                continue
            if name == "ashr":
                last = w.select(width, over, width - 1, amount) if not isinstance(over, int) else amount
                planes.append(_shifted(w, name, width, plane, last))
            else:
                moved = _shifted(w, name, width, plane, amount) if over != 1 else 0
                planes.append(w.select(width, over, 0, moved))
        result = Value(width, planes[0], planes[1])
        unknown = any_unknown(w, b)
        return result if unknown == 0 else choose(w, unknown, all_x(width), result)

    return apply


def _shifted(w: Writer, name: str, width: int, a: Operand, amount: Operand) -> Operand:
    if isinstance(a, int) and isinstance(amount, int):
        if name == "shl":
            return (a << amount) & mask(width)
        if name == "ashr" and a >> (width - 1) & 1:
            return ((a | ~mask(width)) >> amount) & mask(width)
        return a >> amount
    return w.op(name, width, a, amount)


# ------------------------------------------------------------------------------------------- comparison, choice


def equal(w: Writer, a: Value, b: Value) -> Value:
    """Return `a == b`: 0 if known bits differ, else x if any bit is unknown."""
    if a.known and b.known:
        return Value(1, w.compare("eq", a.width, a.bits, b.bits))
    unknown = w.or_(a.width, a.unknown, b.unknown)
    differ = w.and_(a.width, w.op("xor", a.width, a.bits, b.bits), w.not_(a.width, unknown))
    same = w.compare("eq", a.width, differ, 0)
    some = w.nonzero(a.width, unknown)
    return x_only(w, 1, w.and_(1, same, w.not_(1, some)), w.and_(1, same, some))


def not_equal(w: Writer, a: Value, b: Value) -> Value:
    """Return `a != b`."""
    return bit_not(w, equal(w, a, b))


def identical(w: Writer, a: Value, b: Value) -> Operand:
    """Return `a === b` as one bit."""
    same = w.compare("eq", a.width, a.bits, b.bits)
    if a.known and b.known:
        return same
    return w.and_(1, same, w.compare("eq", a.width, a.unknown, b.unknown))


def wildcard_equal(w: Writer, a: Value, b: Value) -> Value:
    """Return `a ==? b`: unknown bits of `b` match anything (IEEE 1800-2023 11.4.6)."""
    cared = w.not_(a.width, b.unknown)
    unknown = w.and_(a.width, a.unknown, cared)
    differ = w.and_(a.width, w.op("xor", a.width, a.bits, b.bits), w.and_(a.width, cared, w.not_(a.width, a.unknown)))
    same = w.compare("eq", a.width, differ, 0)
    some = w.nonzero(a.width, unknown)
    return x_only(w, 1, w.and_(1, same, w.not_(1, some)), w.and_(1, same, some))


def relation(name: str) -> Callable[[Writer, Value, Value], Value]:
    """Return `<` or its like, signed or not."""

    def apply(w: Writer, a: Value, b: Value) -> Value:
        return if_known(w, 1, any_unknown(w, a, b), w.compare(name, a.width, a.bits, b.bits))

    return apply


def logical_and(w: Writer, a: Value, b: Value) -> Value:
    """Return `a && b` of single bits."""
    return bit_and(w, a, b)


def logical_or(w: Writer, a: Value, b: Value) -> Value:
    """Return `a || b` of single bits."""
    return bit_or(w, a, b)


def choose(w: Writer, condition: Operand, a: Value, b: Value) -> Value:
    """Return `a` if a known bit is 1, else `b`."""
    width = a.width
    return Value(width, w.select(width, condition, a.bits, b.bits), w.select(width, condition, a.unknown, b.unknown))


def merge(w: Writer, a: Value, b: Value) -> Value:
    """Return the bits that two values agree in, and x elsewhere (IEEE 1800-2023 11.4.11)."""
    width = a.width
    differ = w.or_(width, w.op("xor", width, a.bits, b.bits), w.or_(width, w.op("xor", width, a.unknown, b.unknown), 0))
    unknown = w.or_(width, w.or_(width, a.unknown, b.unknown), differ)
    bits = w.and_(width, a.bits, w.not_(width, differ))
    return Value(width, bits, unknown)


def conditional(w: Writer, condition: Value, a: Value, b: Value) -> Value:
    """Return `condition ? a : b` for a condition of one bit."""
    chosen = choose(w, one(w, condition), a, b)
    if condition.unknown == 0:
        return chosen
    return choose(w, condition.unknown, merge(w, a, b), chosen)


# ------------------------------------------------------------------------------------------- shape


def resize(w: Writer, a: Value, width: int, signed: bool) -> Value:
    """Truncate or extend."""
    return Value(width, w.resize(a.bits, a.width, width, signed), w.resize(a.unknown, a.width, width, signed))


def concat(w: Writer, parts: list[Value]) -> Value:
    """Join values, the most significant first."""
    width = sum(part.width for part in parts)
    bits: Operand = 0
    unknown: Operand = 0
    at = width
    for part in parts:
        at -= part.width
        bits = w.or_(width, bits, _shifted(w, "shl", width, w.resize(part.bits, part.width, width), at))
        if part.unknown != 0:
            unknown = w.or_(width, unknown, _shifted(w, "shl", width, w.resize(part.unknown, part.width, width), at))
    return Value(width, bits, unknown)


def take(w: Writer, a: Value, offset: int, width: int) -> Value:
    """Return `width` bits from a constant offset up; bits outside are x."""
    low, high = max(offset, 0), min(offset + width, a.width)
    if low >= high:
        return all_x(width)
    planes = [w.resize(_shifted(w, "lshr", a.width, plane, low), a.width, high - low) for plane in (a.bits, a.unknown)]
    part = Value(high - low, planes[0], planes[1])
    if high - low == width:
        return part
    above, below = offset + width - high, low - offset
    return concat(w, [*([all_x(above)] if above else []), part, *([all_x(below)] if below else [])])


def take_at(w: Writer, a: Value, offset: Value, width: int) -> Value:
    """Return `width` bits from a signed offset up; bits outside are x, all are where the offset is unknown."""
    if isinstance(offset.bits, int) and offset.unknown == 0:
        signed = offset.bits - (1 << offset.width) if offset.bits >> (offset.width - 1) & 1 else offset.bits
        return take(w, a, signed, width)
    size = max(a.width, width)
    # The offset in a width that holds it and both limits.
    span = max(offset.width, size.bit_length() + 2)
    place = w.resize(offset.bits, offset.width, span, True)
    negative = w.compare("slt", span, place, 0)
    right = w.select(span, negative, 0, place)
    left = w.select(span, negative, w.op("sub", span, 0, place), 0)
    outside = w.or_(1, w.compare("uge", span, right, size), w.compare("uge", span, left, size))
    outside = w.or_(1, outside, any_unknown(w, offset))
    right = w.resize(w.select(span, outside, 0, right), span, size) if span >= size else w.resize(right, span, size)
    left = w.resize(w.select(span, outside, 0, left), span, size) if span >= size else w.resize(left, span, size)
    # Shifted in from either side come ones of the inverted unknown plane's zeros, that is x bits.
    definite = w.and_(size, w.not_(size, w.resize(a.unknown, a.width, size)), mask(a.width))
    bits = w.op("shl", size, w.op("lshr", size, w.resize(a.bits, a.width, size), right), left)
    definite = w.op("shl", size, w.op("lshr", size, definite, right), left)
    # A z bit is not definite, and keeps its 1 in the bits.
    part = Value(width, w.resize(bits, size, width), w.not_(width, w.resize(definite, size, width)))
    return choose(w, outside, all_x(width), part)


def known_only(w: Writer, a: Value) -> Value:
    """Turn x and z bits into 0."""
    return Value(a.width, one(w, a))


def insert(w: Writer, old: Value, offset: Value | int, new: Value) -> Value:
    """Return a value with some bits replaced; those that would lie outside are dropped."""
    total, width = old.width, new.width
    size = max(total, width)
    if isinstance(offset, int):
        low, high = max(offset, 0), min(offset + width, total)
        if low >= high:
            return old
        part = take(w, new, low - offset, high - low)
        pieces = [
            *([take(w, old, high, total - high)] if high < total else []),
            part,
            *([take(w, old, 0, low)] if low else []),
        ]
        return concat(w, pieces)
    # Work in a width that holds both; shift the new bits and a mask to their place from either side.
    span = max(offset.width, size.bit_length() + 2)
    place = w.resize(offset.bits, offset.width, span, True)
    negative = w.compare("slt", span, place, 0)
    left = w.select(span, negative, 0, place)
    right = w.select(span, negative, w.op("sub", span, 0, place), 0)
    outside = w.or_(1, w.compare("uge", span, left, size), w.compare("uge", span, right, size))
    outside = w.or_(1, outside, any_unknown(w, offset))
    left = w.resize(w.select(span, outside, 0, left), span, size)
    right = w.resize(w.select(span, outside, 0, right), span, size)

    def move(plane: Operand) -> Operand:
        wide = w.resize(plane, width, size)
        moved = w.op("lshr", size, w.op("shl", size, wide, left), right) if wide != 0 else 0
        return w.resize(moved, size, total)

    ones = w.select(total, outside, 0, move(mask(width)))
    rest = w.not_(total, ones)

    def mix(old_plane: Operand, new_plane: Operand) -> Operand:
        return w.or_(total, w.and_(total, old_plane, rest), w.and_(total, move(new_plane), ones))

    return Value(
        total, mix(old.bits, new.bits), mix(old.unknown, new.unknown) if old.unknown != 0 or new.unknown != 0 else 0
    )
