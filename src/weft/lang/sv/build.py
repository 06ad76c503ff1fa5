"""Constructors of design expressions that fold what is known and skip what does nothing.

They keep the design small: slang writes every implicit conversion of IEEE 1800-2023 11.8 as a node of its own, often
several around one literal, and selects nest once for each dimension.
"""

from __future__ import annotations

from functools import lru_cache

from weft.ir.design import Binary, Concat, Cond, Const, Expr, Real, Repeat, Resize, Slice, Unary

constant = lru_cache(maxsize=1 << 16)(Const)
"""Return a constant; equal ones are shared."""


def ones(width: int) -> int:
    """Return `width` one bits."""
    return (1 << width) - 1


def unknown(width: int) -> Const:
    """Return a constant of x bits."""
    return constant(width, 0, ones(width))


def signed_value(value: Const) -> int:
    """Return the two's complement meaning of a known constant."""
    return value.value - (1 << value.width) if value.width and value.value >> (value.width - 1) else value.value


def resize(value: Expr, width: int, signed: bool) -> Expr:
    """Truncate, or extend with zeros or with the sign bit."""
    have = value.width
    if have == width:
        return value
    kind = type(value)
    if kind is Const:
        return _resize_constant(value, width, signed)  # pyright: ignore[reportArgumentType]
    if kind is Resize:
        inner: Resize = value  # pyright: ignore[reportAssignmentType]
        source = inner.value.width
        if width <= min(have, source):
            return resize(inner.value, width, False)
        if have > source and (width < have or inner.signed == signed or not inner.signed):
            return Resize(inner.value, width, inner.signed)
    return Resize(value, width, signed)


def _resize_constant(value: Const, width: int, signed: bool) -> Const:
    bits, unknowns, have = value.value, value.unknown, value.width
    if width < have:
        return constant(width, bits & ones(width), unknowns & ones(width))
    if signed and have:
        fill = ones(width) ^ ones(have)
        if bits >> (have - 1):
            bits |= fill
        if unknowns >> (have - 1):
            unknowns |= fill
    return constant(width, bits, unknowns)


def known(value: Expr) -> Expr:
    """Turn x and z bits into 0, as an assignment to a 2-state type does (IEEE 1800-2023 6.3.1)."""
    if isinstance(value, Const):
        return constant(value.width, value.value & ~value.unknown) if value.unknown else value
    if isinstance(value, Real) or (isinstance(value, Unary) and value.op in ("known", "ceq", "isunknown")):
        return value
    return Unary("known", value, value.width)


def truth(value: Expr) -> Expr:
    """Return the value as one bit: 1 if some bit is 1, x if that is not known (IEEE 1800-2023 11.4.7)."""
    if value.width == 1:
        return value
    if isinstance(value, Const):
        return constant(1, 1) if value.value & ~value.unknown else constant(1, 0, int(value.unknown != 0))
    return Unary("redor", value, 1)


def invert(value: Expr) -> Expr:
    """Return the complement of one bit."""
    if isinstance(value, Const) and not value.unknown:
        return constant(1, value.value ^ 1)
    return Unary("lnot", value, 1)


def concat(parts: list[Expr]) -> Expr:
    """Join values, the most significant first; parts of width 0 vanish (IEEE 1800-2023 11.4.12.1)."""
    kept = [part for part in parts if part.width]
    if len(kept) == 1:
        return kept[0]
    width = sum(part.width for part in kept)
    if all(type(part) is Const for part in kept):
        bits = unknowns = 0
        for part in kept:
            assert isinstance(part, Const)
            bits, unknowns = bits << part.width | part.value, unknowns << part.width | part.unknown
        return constant(width, bits, unknowns)
    return Concat(tuple(kept), width)


def repeat(count: int, value: Expr) -> Expr:
    """Repeat a value."""
    if count == 1:
        return value
    if isinstance(value, Const) or count == 0:
        return concat([value] * count) if count else constant(0, 0)
    return Repeat(count, value, count * value.width)


def bits_of(value: Expr, offset: Expr | int, width: int) -> Expr:
    """Return `width` bits of a value from bit `offset` (signed) up; bits outside are x."""
    if isinstance(offset, Const):
        if offset.unknown:
            return Slice(value, offset, width)
        offset = signed_value(offset)
    if not isinstance(offset, int):
        return Slice(value, offset, width)
    if offset == 0 and width == value.width:
        return value
    inside = offset >= 0 and offset + width <= value.width
    if inside and isinstance(value, Const):
        return constant(width, value.value >> offset & ones(width), value.unknown >> offset & ones(width))
    if inside and isinstance(value, Slice) and isinstance(value.offset, int):
        if value.offset >= 0 and value.offset + value.width <= value.value.width:
            return Slice(value.value, value.offset + offset, width)
    if inside and isinstance(value, Concat):
        return concat(_cut(value, offset, width))
    return Slice(value, offset, width)


def _cut(value: Concat, offset: int, width: int) -> list[Expr]:
    """Return the parts of a concatenation that bits `offset` to `offset + width - 1` are made of."""
    found: list[Expr] = []
    low = 0
    for part in reversed(value.parts):
        high = low + part.width
        first, last = max(offset, low), min(offset + width, high)
        if first < last:
            found.append(bits_of(part, first - low, last - first))
        low = high
    return found[::-1]


def choose(cond: Expr, then: Expr, other: Expr) -> Expr:
    """Return `cond ? then : other` for a condition of one bit."""
    if isinstance(cond, Const) and not cond.unknown:
        return then if cond.value else other
    return Cond(cond, then, other, then.width)


def signed_width(low: int, high: int) -> int:
    """Return the bits that a two's complement number from `low` to `high` needs."""
    return max(high.bit_length(), (low + 1).bit_length() if low < 0 else 0) + 1


def affine(value: Expr, signed: bool, sign: int, addend: int, factor: int) -> Expr:
    """Return `(sign * value + addend) * factor` as a signed number of enough bits for any value.

    `sign` is 1 or -1, `factor` at least 1. It turns an index into a bit offset, so an index that is out of range must
    come out as an offset that is out of range and must not wrap.
    """
    if isinstance(value, Const) and not value.unknown:
        exact = (sign * (signed_value(value) if signed else value.value) + addend) * factor
        width = signed_width(exact, exact)
        return constant(width, exact & ones(width))
    span = 1 << value.width
    low, high = (-(span >> 1), (span >> 1) - 1) if signed else (0, span - 1)
    width = signed_width(low, high)
    bounds = sorted((sign * low + addend, sign * high + addend))
    if sign < 0 or addend:
        width = max(width, signed_width(*bounds), signed_width(min(addend, 0), max(addend, 0)))
    result = resize(value, width, signed)
    if sign < 0:
        result = Binary("sub", constant(width, addend & ones(width)), result, width)
    elif addend > 0:
        result = Binary("add", result, constant(width, addend), width)
    elif addend:
        result = Binary("sub", result, constant(width, -addend), width)
    if factor == 1:
        return result
    if factor & (factor - 1) == 0:
        return concat([result, constant(factor.bit_length() - 1, 0)])
    wide = signed_width(bounds[0] * factor, bounds[1] * factor)
    return Binary("mul", resize(result, wide, True), constant(wide, factor), wide)
