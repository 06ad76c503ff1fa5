"""Emit shifts by variable amounts, and selects and inserts at variable bit positions.

LLVM's shifts are poison when the amount is not less than the width, so amounts are checked first, and only as far as
their own width and known sign leave it open.
"""

from __future__ import annotations

from collections.abc import Callable

from weft.engines.cpu.emitter import Emitter, words
from weft.ir.ops import OPS


def emit_shift(name: str) -> Callable[[Emitter, int, int], str]:
    """Return the emitter of `shl`, `lshr` or `ashr`."""

    def emit(e: Emitter, node: int, width: int) -> str:
        a, b = e.sources(node)
        if width > e.wide or e.width[b] > e.wide:
            return _shift_words(e, name, a, b, width)
        x, y, size = e.use(a), e.use(b), e.width[b]
        inside = "" if width >> size else e.put(f"icmp ult i{size} {y}, {width}")
        by = e.resize(y, size, width)
        if name == "ashr":
            if inside:
                by = e.put(f"select i1 {inside}, i{width} {by}, i{width} {width - 1}")
            return e.put(f"ashr i{width} {x}, {by}")
        if inside:  # select the amount, not the result: a shift too far is poison
            by = e.put(f"select i1 {inside}, i{width} {by}, i{width} 0")
        shifted = e.put(f"{name} i{width} {x}, {by}")
        return e.put(f"select i1 {inside}, i{width} {shifted}, i{width} 0") if inside else shifted

    return emit


def _shift_words(e: Emitter, name: str, a: int, b: int, width: int) -> str:
    by = e.amount(b)
    at, count = e.allocate(width), words(width)
    if name == "ashr":
        source = e.extended(a)
        fill = e.put(f"sext i1 {e.call('w_bit', f'ptr {source}, i64 {width - 1}', 'i1')} to i64")
    else:
        source, fill = e.pointer(a), "0"
    if name == "shl":
        by = e.put(f"sub i64 0, {by}")
    e.call("w_extract", f"ptr {at}, i64 {count}, ptr {source}, i64 {count}, i64 {by}, i64 {fill}")
    e.trim(at, width)
    return e.unbox(at, width)


def never_negative(e: Emitter, node: int) -> bool:
    """Say whether an offset's sign bit is known to be 0."""
    if e.constant(node) is not None:
        return not e.constants[e.param[node]][0] >> (e.width[node] - 1)
    name = OPS[e.op[node]].name
    if name == "zext":
        return e.width[e.sources(node)[0]] < e.width[node]
    return name == "concat" and e.constant(e.sources(node)[-1]) == 0


def emit_extract(e: Emitter, node: int, width: int) -> str:
    """Emit a select from a variable, possibly negative bit position."""
    source, offset = e.sources(node)
    total, size = e.width[source], e.width[offset]
    if total <= e.wide and width <= e.wide and size <= e.wide:
        return _extract_narrow(e, source, offset, width)
    if width <= 64:
        arguments = f"ptr {e.pointer(source)}, i64 {words(total)}, i64 {e.offset(offset)}, i64 0"
        return e.resize(e.call("w_bits", arguments, "i64"), 64, width)
    at = e.allocate(width)
    e.extract_words(at, width, source, e.offset(offset))
    return e.unbox(at, width)


def _extract_narrow(e: Emitter, source: int, offset: int, width: int) -> str:
    total, size = e.width[source], e.width[offset]
    at, calc = e.use(offset), max(total, width)
    value = e.resize(e.use(source), total, calc)
    inside = _inside(e, offset, total)
    by = e.resize(at, size, calc)
    if inside:
        by = e.put(f"select i1 {inside}, i{calc} {by}, i{calc} 0")
    result = e.put(f"lshr i{calc} {value}, {by}")
    if inside:
        result = e.put(f"select i1 {inside}, i{calc} {result}, i{calc} 0")
    result = e.resize(result, calc, width)
    if never_negative(e, offset):
        return result
    back, fits = _backwards(e, at, size, width)
    left = e.put(f"shl i{width} {e.resize(e.use(source), total, width)}, {back}")
    return e.put(f"select i1 {fits}, i{width} {left}, i{width} {result}")


def _inside(e: Emitter, offset: int, limit: int) -> str:
    """Return the i1 that says 0 <= offset < limit, or nothing when it always holds."""
    size, at = e.width[offset], e.use(offset)
    if limit < 1 << (size - 1):
        return e.put(f"icmp ult i{size} {at}, {limit}")
    return "" if never_negative(e, offset) else e.put(f"icmp sge i{size} {at}, 0")


def _backwards(e: Emitter, at: str, size: int, limit: int) -> tuple[str, str]:
    """Return (-at as an i{limit} amount, 0 when not usable; whether at is negative and above -limit)."""
    negative = e.put(f"icmp slt i{size} {at}, 0")
    minus = e.put(f"sub i{size} 0, {at}")
    near = e.put(f"icmp ult i{size} {minus}, {limit}") if limit < 1 << size else "true"
    fits = e.put(f"and i1 {negative}, {near}")
    return e.put(f"select i1 {fits}, i{limit} {e.resize(minus, size, limit)}, i{limit} 0"), fits


def emit_insert(e: Emitter, node: int, width: int) -> str:
    """Emit a write at a variable, possibly negative bit position."""
    base, offset, field = e.sources(node)
    size, part = e.width[offset], e.width[field]
    if width > e.wide or part > width or size > e.wide:
        at = e.allocate(width)
        if width <= e.wide:
            e.store_words(at, e.use(base), width)
        else:
            e.add(f"call void @llvm.memcpy.p0.p0.i64(ptr {at}, ptr {e.use(base)}, i64 {8 * words(width)}, i1 0)")
        arguments = f"ptr {e.pointer(field)}, i64 {words(part)}, i64 {part}, i64 {e.offset(offset)}"
        e.call("w_insert", f"ptr {at}, i64 {width}, {arguments}")
        return e.unbox(at, width)
    value, at, new = e.use(base), e.use(offset), e.resize(e.use(field), part, width)
    ones = (1 << part) - 1
    inside, by = _inside(e, offset, width), e.resize(at, size, width)
    if inside:
        by = e.put(f"select i1 {inside}, i{width} {by}, i{width} 0")
    place = e.put(f"shl i{width} {ones}, {by}")
    if inside:
        place = e.put(f"select i1 {inside}, i{width} {place}, i{width} 0")
    moved = e.put(f"shl i{width} {new}, {by}")
    if not never_negative(e, offset):
        back, fits = _backwards(e, at, size, width)
        place = e.put(f"select i1 {fits}, i{width} {e.put(f'lshr i{width} {ones}, {back}')}, i{width} {place}")
        moved = e.put(f"select i1 {fits}, i{width} {e.put(f'lshr i{width} {new}, {back}')}, i{width} {moved}")
    kept = e.put(f"and i{width} {value}, {e.put(f'xor i{width} {place}, -1')}")
    return e.put(f"or i{width} {kept}, {e.put(f'and i{width} {moved}, {place}')}")
