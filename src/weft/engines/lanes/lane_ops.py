"""How the operations of a lane program are emitted, on words and on bits; the same for every shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from weft.engines.lanes.shape import element
from weft.ir.ops import mask

if TYPE_CHECKING:
    from weft.engines.lanes.emitter import LaneEmitter

WordOp = Callable[["LaneEmitter", int, int, int, tuple[int, ...]], tuple[str, ...]]
BitOp = Callable[["LaneEmitter", tuple[int, ...]], str]

# ------------------------------------------------------------------------------------------- operations on words


def _logic(name: str) -> WordOp:
    def emit(e: LaneEmitter, node: int, size: int, width: int, sources: tuple[int, ...]) -> tuple[str, ...]:
        return e.binary(name, size, e.words(sources[0]), e.words(sources[1]))

    return emit


def _arithmetic(name: str) -> WordOp:
    def emit(e: LaneEmitter, node: int, size: int, width: int, sources: tuple[int, ...]) -> tuple[str, ...]:
        return e.trim(e.binary(name, size, e.words(sources[0]), e.words(sources[1])), size, width)

    return emit


def _not(e: LaneEmitter, node: int, size: int, width: int, sources: tuple[int, ...]) -> tuple[str, ...]:
    return e.binary("xor", size, e.words(sources[0]), e.constants(size, mask(width)))


def _division(name: str) -> WordOp:
    """A division by zero is 0, and the one that overflows (-2**31 / -1) a negation."""

    def emit(e: LaneEmitter, node: int, size: int, width: int, sources: tuple[int, ...]) -> tuple[str, ...]:
        signed = name[0] == "s"
        x, y = (_extended(e, source, size, width) if signed else e.words(source) for source in sources)
        zero, one = e.constants(size, 0), e.constants(size, 1)
        none = e.compare("eq", size, y, zero)
        safe = e.choose(size, none, one, y)
        result: tuple[str, ...]
        if signed:
            minus = e.compare("eq", size, y, e.constants(size, -1))
            safe = e.choose(size, minus, one, safe)
            result = e.binary(name, size, x, safe)
            if name == "sdiv":
                result = e.choose(size, minus, e.binary("sub", size, zero, x), result)
            else:
                result = e.choose(size, minus, zero, result)
        else:
            result = e.binary(name, size, x, safe)
        return e.trim(e.choose(size, none, zero, result), size, width)

    return emit


def _extended(e: LaneEmitter, source: int, size: int, width: int) -> tuple[str, ...]:
    """Return a value of `width` bits with its sign in all the bits above."""
    chunks = e.words(source, size)
    if width == size:
        return chunks
    up = e.constants(size, size - width)
    return e.binary("ashr", size, e.binary("shl", size, chunks, up), up)


def _shift(name: str) -> WordOp:
    def emit(e: LaneEmitter, node: int, size: int, width: int, sources: tuple[int, ...]) -> tuple[str, ...]:
        source, amount = sources
        chunks = _extended(e, source, size, width) if name == "ashr" else e.words(source)
        known, bits = e.step.constant(amount), e.width(amount)
        if known is not None:
            if known >= size and name != "ashr":
                return e.constants(size, 0)
            return e.trim(e.binary(name, size, chunks, e.constants(size, min(known, size - 1))), size, width)
        most = size - 1 if name == "ashr" else size
        if bits == 1 or element(bits) <= size:
            by = e.words(amount, size)
            large = bits > 1 and mask(bits) >= size
            beyond = e.compare("ugt", size, by, e.constants(size, size - 1)) if large else ()
        else:
            wide = e.words(amount)
            large = True
            beyond = e.compare("ugt", 64, wide, e.constants(64, size - 1))
            by = e.convert(wide, 64, size)
        if large and name == "ashr":
            by = e.choose(size, beyond, e.constants(size, most), by)
        elif large:
            by = e.binary("and", size, by, e.constants(size, size - 1))
        result = e.binary(name, size, chunks, by)
        if large and name != "ashr":
            result = e.choose(size, beyond, e.constants(size, 0), result)
        return e.trim(result, size, width) if name != "lshr" else result

    return emit


def _concat(e: LaneEmitter, node: int, size: int, width: int, sources: tuple[int, ...]) -> tuple[str, ...]:
    result: tuple[str, ...] = ()
    low = fixed = 0
    for source in sources:
        value, bits = e.value(source), e.width(source)
        part: tuple[str, ...] = ()
        if isinstance(value, int):
            fixed |= value << low
        elif isinstance(value, str):
            part = e.choose(size, e.masks(source), e.constants(size, 1 << low), e.constants(size, 0))
        else:
            part = e.words(source, size)
            if low:
                part = e.binary("shl", size, part, e.constants(size, low))
        low += bits
        if part:
            result = e.binary("or disjoint", size, result, part) if result else part
    if fixed:
        constant = e.constants(size, fixed)
        result = e.binary("or disjoint", size, result, constant) if result else constant
    return result or e.constants(size, 0)


def _slice(e: LaneEmitter, node: int, size: int, width: int, sources: tuple[int, ...]) -> tuple[str, ...]:
    (source,), low = sources, e.step.param[node]
    total = e.width(source)
    have, chunks = element(total), e.words(source)
    if low:
        chunks = e.binary("lshr", have, chunks, e.constants(have, low))
    chunks = e.convert(chunks, have, size)
    return chunks if low + width == total else e.trim(chunks, size, width)


def _zext(e: LaneEmitter, node: int, size: int, width: int, sources: tuple[int, ...]) -> tuple[str, ...]:
    return e.words(sources[0], size)


def _sext(e: LaneEmitter, node: int, size: int, width: int, sources: tuple[int, ...]) -> tuple[str, ...]:
    (source,) = sources
    if e.width(source) == 1:
        return e.choose(size, e.masks(source), e.constants(size, mask(width)), e.constants(size, 0))
    return e.trim(_extended(e, source, size, e.width(source)), size, width)


def _mux(e: LaneEmitter, node: int, size: int, width: int, sources: tuple[int, ...]) -> tuple[str, ...]:
    cond, then, other = sources
    return e.choose(size, e.masks(cond), e.words(then), e.words(other))


def _popcount(e: LaneEmitter, node: int, size: int, width: int, sources: tuple[int, ...]) -> tuple[str, ...]:
    (source,) = sources
    if e.width(source) == 1:
        return e.words(source, size)
    have = element(e.width(source))
    count = e.convert(e.population(e.words(source), have), have, size)
    return count if width > 6 else e.trim(count, size, width)


WORD_OPS: dict[str, WordOp] = {
    "and": _logic("and"),
    "or": _logic("or"),
    "xor": _logic("xor"),
    "not": _not,
    "add": _arithmetic("add"),
    "sub": _arithmetic("sub"),
    "mul": _arithmetic("mul"),
    "udiv": _division("udiv"),
    "umod": _division("urem"),
    "sdiv": _division("sdiv"),
    "smod": _division("srem"),
    "shl": _shift("shl"),
    "lshr": _shift("lshr"),
    "ashr": _shift("ashr"),
    "concat": _concat,
    "slice": _slice,
    "zext": _zext,
    "sext": _sext,
    "mux": _mux,
    "popcount": _popcount,
}

"""How each operation on words is emitted: given (emitter, node, size of its integers, width, sources)."""

# -------------------------------------------------------------------------------------------- operations on bits


def _bits(name: str) -> BitOp:
    return lambda e, sources: e.bits(name, e.bit(sources[0]), e.bit(sources[1]))


def _not_bit(e: LaneEmitter, sources: tuple[int, ...]) -> str:
    return e.invert(e.bit(sources[0]))


def _equal_bits(e: LaneEmitter, sources: tuple[int, ...]) -> str:
    return e.invert(e.bits("xor", e.bit(sources[0]), e.bit(sources[1])))


def _less(low: int, high: int) -> BitOp:
    """Return 1 where the bit at place `low` is 0 and the one at `high` is 1; a signed bit that is set is -1."""
    return lambda e, sources: e.bits("and", e.invert(e.bit(sources[low])), e.bit(sources[high]))


def _shift_bit(e: LaneEmitter, sources: tuple[int, ...]) -> str:
    """Shift a bit: it stays where the amount is 0."""
    source, amount = sources
    bits = e.width(amount)
    if bits == 1:
        return e.bits("and", e.bit(source), e.invert(e.bit(amount)))
    size = element(bits)
    none = e.pack(e.compare("eq", size, e.words(amount), e.constants(size, 0)))
    return e.bits("and", e.bit(source), none)


def _same(e: LaneEmitter, sources: tuple[int, ...]) -> str:
    return e.bits("or", e.bit(sources[0]), e.shape.bit_literal(0))


def _no_bit(e: LaneEmitter, sources: tuple[int, ...]) -> str:
    return e.bits("and", e.bit(sources[0]), e.shape.bit_literal(0))


BIT_OPS: dict[str, BitOp] = {
    "and": _bits("and"),
    "or": _bits("or"),
    "xor": _bits("xor"),
    "not": _not_bit,
    "add": _bits("xor"),
    "sub": _bits("xor"),
    "mul": _bits("and"),
    "udiv": _bits("and"),
    "sdiv": _bits("and"),
    "umod": _no_bit,
    "smod": _no_bit,
    "eq": _equal_bits,
    "ult": _less(0, 1),
    "slt": _less(1, 0),
    "shl": _shift_bit,
    "lshr": _shift_bit,
    **dict.fromkeys(
        ("ashr", "concat", "slice", "zext", "sext", "redor", "redand", "redxor", "popcount"),
        _same,
    ),
}
"""How each operation on bits alone is emitted: given (emitter, sources)."""
