"""Emit nodes as `carried_values` has them: the operations on values of up to 64 bits; `emit_ops` has all others.

Every function here takes (emitter, node, width) and returns the operand text of the node's value.
"""

from __future__ import annotations

from collections.abc import Callable

from weft.engines.cpu.carried_values import CarriedValues, carrier
from weft.engines.cpu.emit_ops import NodeEmitter
from weft.engines.cpu.emit_shifts import emit_insert, never_negative
from weft.ir.ops import CODE, mask

_Emit = Callable[[CarriedValues, int, int], str]


# ---------------------------------------------------------------------------------------- bitwise and arithmetic


def _sext(e: CarriedValues, node: int, width: int) -> str:
    (source,) = e.sources(node)
    narrow = e.width[source]
    if width == narrow:
        return e.use(source)
    return e.trimmed(e.signed(e.use(source), narrow, width), width)


def _concat(e: CarriedValues, node: int, width: int) -> str:
    kind, result, low = e.ir_type(width), "", 0
    for part in e.sources(node):
        size = e.width[part]
        value = e.use(part)
        if value != "0":
            value = e.resize(value, size, width)
            if low:
                value = str(int(value) << low) if value[0] != "%" else e.put(f"shl {kind} {value}, {low}")
            result = e.put(f"or {kind} {result}, {value}") if result else value
        low += size
    return result or "0"


def _not(e: CarriedValues, node: int, width: int) -> str:
    return e.put(f"xor {e.ir_type(width)} {e.use(e.sources(node)[0])}, {mask(width)}")


def _bitwise(name: str) -> _Emit:
    def emit(e: CarriedValues, node: int, width: int) -> str:
        a, b = e.sources(node)
        return e.put(f"{name} {e.ir_type(width)} {e.use(a)}, {e.use(b)}")

    return emit


def _sum(name: str) -> _Emit:
    def emit(e: CarriedValues, node: int, width: int) -> str:
        a, b = e.sources(node)
        if width == 1:
            return e.put(f"xor i1 {e.use(a)}, {e.use(b)}")
        return e.trimmed(e.put(f"{name} {e.ir_type(width)} {e.use(a)}, {e.use(b)}"), width)

    return emit


def _mul(e: CarriedValues, node: int, width: int) -> str:
    a, b = e.sources(node)
    size = max(width, 32)  # the processor multiplies no bytes
    product = e.put(f"mul {e.ir_type(size)} {e.resize(e.use(a), width, size)}, {e.resize(e.use(b), width, size)}")
    return e.resize(product, carrier(size), width)


def _unsigned_division(name: str) -> _Emit:
    def emit(e: CarriedValues, node: int, width: int) -> str:
        size = max(carrier(width), 8)
        x, y = (e.resize(e.use(source), width, size) for source in e.sources(node))
        none = e.put(f"icmp eq i{size} {y}, 0")
        result = e.put(f"{name} i{size} {x}, {e.select(none, '1', y, size)}")
        return e.resize(e.select(none, "0", result, size), size, width)

    return emit


def _signed_division(name: str) -> _Emit:
    def emit(e: CarriedValues, node: int, width: int) -> str:
        size = max(carrier(width), 8)
        x, y = (e.signed(e.use(source), width, size) for source in e.sources(node))
        none = e.put(f"icmp eq i{size} {y}, 0")
        minus = e.put(f"icmp eq i{size} {y}, {mask(size)}")
        special = e.put(f"or i1 {none}, {minus}")
        result = e.put(f"{name} i{size} {x}, {e.select(special, '1', y, size)}")
        if name == "sdiv":
            result = e.select(minus, e.put(f"sub i{size} 0, {x}"), result, size)
        return e.resize(e.select(none, "0", result, size), size, width)

    return emit


# ----------------------------------------------------------------------------------------- comparison, reduction


def _equal(same: bool) -> _Emit:
    def emit(e: CarriedValues, node: int, width: int) -> str:
        a, b = e.sources(node)
        size = e.width[a]
        if size > 1:
            return e.put(f"icmp {'eq' if same else 'ne'} {e.ir_type(size)} {e.use(a)}, {e.use(b)}")
        differ = e.put(f"xor i1 {e.use(a)}, {e.use(b)}")
        return e.inverse(differ) if same else differ

    return emit


def _less(e: CarriedValues, node: int, width: int) -> str:
    a, b = e.sources(node)
    size = e.width[a]
    if size == 1:
        return e.put(f"and i1 {e.inverse(e.use(a))}, {e.use(b)}")
    return e.put(f"icmp ult {e.ir_type(size)} {e.use(a)}, {e.use(b)}")


def _signed_less(e: CarriedValues, node: int, width: int) -> str:
    a, b = e.sources(node)
    size = e.width[a]
    if size == 1:
        return e.put(f"and i1 {e.use(a)}, {e.inverse(e.use(b))}")
    return e.put(f"icmp slt {e.ir_type(size)} {e.signed(e.use(a), size, size)}, {e.signed(e.use(b), size, size)}")


def _redand(e: CarriedValues, node: int, width: int) -> str:
    (a,) = e.sources(node)
    size = e.width[a]
    return e.use(a) if size == 1 else e.put(f"icmp eq {e.ir_type(size)} {e.use(a)}, {mask(size)}")


def _redor(e: CarriedValues, node: int, width: int) -> str:
    (a,) = e.sources(node)
    size = e.width[a]
    return e.use(a) if size == 1 else e.put(f"icmp ne {e.ir_type(size)} {e.use(a)}, 0")


# ------------------------------------------------------------------------------------------------------- shifts


def _shift(name: str) -> _Emit:
    def emit(e: CarriedValues, node: int, width: int) -> str:
        a, b = e.sources(node)
        x, y, size = e.use(a), e.use(b), e.width[b]
        inside = e.below(y, size, width)
        if width == 1:
            return x if name == "ashr" else e.put(f"and i1 {inside}, {x}")
        kind, by = e.ir_type(width), e.resize(y, size, width)
        if name == "ashr":
            by = e.select(inside, by, str(width - 1), width) if inside else by
            return e.trimmed(e.put(f"ashr {kind} {e.signed(x, width, width)}, {by}"), width)
        by = e.select(inside, by, "0", width) if inside else by  # a shift too far is poison
        shifted = e.put(f"{name} {kind} {x}, {by}")
        shifted = e.trimmed(shifted, width) if name == "shl" else shifted
        return e.select(inside, shifted, "0", width) if inside else shifted

    return emit


def _inside(e: CarriedValues, offset: int, limit: int) -> str:
    """Return the i1 that says 0 <= offset < limit, or nothing when it always holds."""
    size, at = e.width[offset], e.use(offset)
    if limit < 1 << (size - 1):
        return e.below(at, size, limit)
    return "" if never_negative(e, offset) else e.below(at, size, 1 << (size - 1))


def _backwards(e: CarriedValues, offset: int, limit: int) -> tuple[str, str]:
    """Return (-offset as an amount for `limit` bits, 0 when not usable; whether it is negative and above -limit)."""
    at, size = e.use(offset), e.width[offset]
    if size == 1:
        minus = at
        fits = at if limit > 1 else "false"
    else:
        minus = e.trimmed(e.put(f"sub {e.ir_type(size)} 0, {at}"), size)
        near = e.below(minus, size, limit)
        negative = e.inverse(e.below(at, size, 1 << (size - 1)))
        fits = e.put(f"and i1 {negative}, {near}") if near else negative
    return e.select(fits, e.resize(minus, size, limit), "0", limit), fits


def _extract(e: CarriedValues, node: int, width: int) -> str:
    source, offset = e.sources(node)
    total, size = e.width[source], e.width[offset]
    calc = max(total, width, 2)
    kind = e.ir_type(calc)
    value = e.resize(e.use(source), total, calc)
    inside, by = _inside(e, offset, total), e.resize(e.use(offset), size, calc)
    by = e.select(inside, by, "0", calc) if inside else by
    result = e.put(f"lshr {kind} {value}, {by}")
    result = e.select(inside, result, "0", calc) if inside else result
    result = e.resize(result, calc, width)
    if never_negative(e, offset):
        return result
    calc = max(width, 2)
    back, fits = _backwards(e, offset, calc)
    left = e.put(f"shl {e.ir_type(calc)} {e.resize(e.use(source), total, calc)}, {back}")
    return e.select(fits, e.resize(left, carrier(calc), width), result, width)


def _insert(e: CarriedValues, node: int, width: int) -> str:
    base, offset, field = e.sources(node)
    size, part, calc = e.width[offset], e.width[field], max(width, 2)
    if part > width:
        return emit_insert(e, node, width)
    kind = e.ir_type(calc)
    value, new = e.resize(e.use(base), width, calc), e.resize(e.use(field), part, calc)
    inside, by = _inside(e, offset, width), e.resize(e.use(offset), size, calc)
    by = e.select(inside, by, "0", calc) if inside else by
    place = e.put(f"shl {kind} {mask(part)}, {by}")
    place = e.select(inside, place, "0", calc) if inside else place
    moved = e.put(f"shl {kind} {new}, {by}")
    if not never_negative(e, offset):
        back, fits = _backwards(e, offset, calc)
        place = e.select(fits, e.put(f"lshr {kind} {mask(part)}, {back}"), place, calc)
        moved = e.select(fits, e.put(f"lshr {kind} {new}, {back}"), moved, calc)
    kept = e.put(f"and {kind} {value}, {e.put(f'xor {kind} {place}, -1')}")
    changed = e.put(f"or {kind} {kept}, {e.put(f'and {kind} {moved}, {place}')}")
    return e.resize(changed, carrier(calc), width)


_TABLE: dict[str, _Emit] = {
    "not": _not,
    "and": _bitwise("and"),
    "or": _bitwise("or"),
    "xor": _bitwise("xor"),
    "add": _sum("add"),
    "sub": _sum("sub"),
    "mul": _mul,
    "udiv": _unsigned_division("udiv"),
    "umod": _unsigned_division("urem"),
    "sdiv": _signed_division("sdiv"),
    "smod": _signed_division("srem"),
    "eq": _equal(same=True),
    "ult": _less,
    "slt": _signed_less,
    "shl": _shift("shl"),
    "lshr": _shift("lshr"),
    "ashr": _shift("ashr"),
    "concat": _concat,
    "sext": _sext,
    "extract": _extract,
    "insert": _insert,
    "redand": _redand,
    "redor": _redor,
    "changed": _equal(same=False),
}


def _narrow(name: str) -> _Emit:
    """Return what emits an operation, whichever way the widths of its operands want it."""
    narrow, general = _TABLE[name], NodeEmitter.table[CODE[name]]

    def emit(e: CarriedValues, node: int, width: int) -> str:
        fits = width <= 64 and all(e.width[source] <= 64 for source in e.srcs[node])
        return (narrow if fits else general)(e, node, width)

    return emit


class CarriedEmitter(CarriedValues, NodeEmitter):
    """Be an emitter of carried values that knows every operation."""

    table = list(NodeEmitter.table)


for _name in _TABLE:
    CarriedEmitter.table[CODE[_name]] = _narrow(_name)
