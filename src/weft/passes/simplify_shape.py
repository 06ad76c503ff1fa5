"""Rewrite rules for operations that only move bits: slice, concat, extensions, constant shifts, extract, insert.

Normal form: selections go inwards until they meet logic, extensions outwards; a replicated bit is a sign extension;
neighbouring slices of one node are one slice. All of these are exact.
"""

from __future__ import annotations

from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE, mask, signed
from weft.passes.rewrite_rules import RuleSet

SHAPE = RuleSet()

_CONST, _CONCAT, _SLICE, _ZEXT, _SEXT = (CODE[name] for name in ("const", "concat", "slice", "zext", "sext"))
_MUX, _AND, _OR = (CODE[name] for name in ("mux", "and", "or"))
_BUILT = frozenset({_CONST, _CONCAT, _ZEXT, _SEXT})
_ENDS = _BUILT | {_SLICE, CODE["read"]}


@SHAPE.add("slice of moved bits", "slice", True, 0, "slice concat zext sext")
def select_inwards(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Follow a selection through operations that move bits, down to the node that has them."""
    start = node = sources[0]
    low = param
    while True:
        moves = b.op[node]
        if moves == _SLICE:
            low += b.param[node]
            node = b.srcs[node][0]
        elif moves == _CONCAT:
            part, offset = _part_at(b, node, low)
            if low + width > offset + b.width[part]:
                return _slice_of_parts(b, node, low, width)
            node, low = part, low - offset
        elif moves in (_ZEXT, _SEXT):
            inner = b.srcs[node][0]
            inside = b.width[inner]
            if low >= inside and moves == _ZEXT:
                return b.const(width, 0)
            if low + width > inside:
                from_bit = min(low, inside - 1)
                return b.node(moves, width, (b.slice(inner, from_bit, inside - from_bit),))
            node = inner
        else:
            break
    return b.slice(node, low, width) if node != start else None


def _part_at(b: GraphBuilder, node: int, low: int) -> tuple[int, int]:
    """Return the part of a concat that has bit `low`, and the part's first bit."""
    offset = 0
    for part in b.srcs[node]:
        if low < offset + b.width[part]:
            return part, offset
        offset += b.width[part]
    raise AssertionError("a slice beyond its source")


def _slice_of_parts(b: GraphBuilder, node: int, low: int, width: int) -> int:
    """Select from several parts of a concat."""
    parts: list[int] = []
    offset = 0
    for part in b.srcs[node]:
        first, last = max(low - offset, 0), min(low + width - offset, b.width[part])
        if first < last:
            parts.append(b.slice(part, first, last - first))
        offset += b.width[part]
    return b.concat(parts)


@SHAPE.add("slice of a choice", "slice", True, 0, "mux")
def slice_of_choice(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`mux(c, x, y)[i]` is `mux(c, x[i], y[i])`, if that spares putting together at least one arm.

    Not through chains of choices: each slice would copy the whole chain.
    """
    cond, then, other = b.srcs[sources[0]]
    then_op, other_op = b.op[then], b.op[other]
    if then_op not in _ENDS or other_op not in _ENDS or not (then_op in _BUILT or other_op in _BUILT):
        return None
    return b.node(_MUX, width, (cond, b.slice(then, param, width), b.slice(other, param, width)))


@SHAPE.add("slice of a masked value", "slice", True, 0, "and or")
def slice_of_masked(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`(x & K)[i]` is 0 where K is 0, `(x | K)[i]` is 1 where K is 1."""
    node = sources[0]
    constant = b.value(b.srcs[node][1])
    if constant is None:
        return None
    bits = constant >> param & mask(width)
    if b.op[node] == _AND and bits == 0:
        return b.const(width, 0)
    if b.op[node] == _OR and bits == mask(width):
        return b.const(width, bits)
    return None


@SHAPE.add("whole slice", "slice", True)
def whole_slice(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """A slice of all bits is its source."""
    return sources[0] if b.width[sources[0]] == width else None


@SHAPE.add("concat in normal form", "concat", True)
def tidy_concat(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Flatten, join neighbours, and turn zeros and repeated bits at the top into extensions."""
    if len(sources) == 1:
        return sources[0]
    parts: list[int] = []
    for source in sources:
        for part in b.srcs[source] if b.op[source] == _CONCAT else (source,):
            joined = _join(b, parts[-1], part) if parts else None
            if joined is None:
                parts.append(part)
            else:
                parts[-1] = joined
    if len(parts) > 1:
        if b.op[parts[-1]] == _ZEXT:
            parts[-1] = b.srcs[parts[-1]][0]
            return b.node(_ZEXT, width, (b.concat(parts),))
        if b.value(parts[-1]) == 0:
            return b.node(_ZEXT, width, (b.concat(parts[:-1]),))
    return b.concat(parts) if len(parts) != len(sources) else None


def _join(b: GraphBuilder, low: int, high: int) -> int | None:
    """Return one node for two neighbouring parts of a concat, or None."""
    low_op, high_op = b.op[low], b.op[high]
    width = b.width[low] + b.width[high]
    if low_op == _CONST and high_op == _CONST:
        (a, ax), (c, cx) = b.constants[b.param[low]], b.constants[b.param[high]]
        return b.const(width, a | c << b.width[low], ax | cx << b.width[low])
    if low_op == _SLICE and high_op == _SLICE and b.srcs[low] == b.srcs[high]:
        if b.param[low] + b.width[low] == b.param[high]:
            return b.slice(b.srcs[low][0], b.param[low], width)
    return b.node(_SEXT, width, (low,)) if _repeats_top(b, low, high) else None


def _repeats_top(b: GraphBuilder, low: int, high: int) -> bool:
    """Say whether `high` is nothing but copies of the top bit of `low`."""
    bit = b.srcs[high][0] if b.op[high] == _SEXT else high
    if b.width[bit] != 1:
        return False
    while b.op[low] == _SEXT:
        low = b.srcs[low][0]
    if bit == low:
        return True
    if b.op[bit] != _SLICE:
        return False
    source, at = b.srcs[bit][0], b.param[bit]
    if source == low:
        return at == b.width[low] - 1
    return b.op[low] == _SLICE and b.srcs[low][0] == source and at == b.param[low] + b.width[low] - 1


@SHAPE.add("extension by nothing", "zext sext", True)
def no_extension(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """An extension to the same width is its source."""
    return sources[0] if b.width[sources[0]] == width else None


@SHAPE.add("zext of zext", "zext", True, 0, "zext")
def zext_of_zext(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Extend once."""
    return b.node(_ZEXT, width, b.srcs[sources[0]])


@SHAPE.add("sext of an extension", "sext", True, 0, "zext sext")
def sext_of_extension(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """The top bit of a zero extension is 0; sign extensions add up."""
    inner = b.srcs[sources[0]]
    return b.node(b.op[sources[0]], width, inner) if b.width[inner[0]] < b.width[sources[0]] else None


def _amount(b: GraphBuilder, node: int, width: int) -> int | None:
    """Return a constant shift amount, at most `width`; None if it has unknown bits."""
    amount = b.value(node)
    return None if amount is None else min(amount, width)


@SHAPE.add("shift by an unknown amount", "shl lshr ashr", True, 1, "const")
def unknown_shift(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """An unknown amount makes all bits x."""
    return b.const(width, 0, mask(width)) if b.value(sources[1]) is None else None


@SHAPE.add("left shift by a constant", "shl", True, 1, "const")
def shift_left(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Put zeros below."""
    amount = _amount(b, sources[1], width)
    if amount is None or amount == width:
        return None if amount is None else b.const(width, 0)
    return b.concat([b.const(amount, 0), b.slice(sources[0], 0, width - amount)]) if amount else sources[0]


@SHAPE.add("right shift by a constant", "lshr", True, 1, "const")
def shift_right(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Drop the low bits and extend."""
    amount = _amount(b, sources[1], width)
    if amount is None or amount == width:
        return None if amount is None else b.const(width, 0)
    return b.node(_ZEXT, width, (b.slice(sources[0], amount, width - amount),)) if amount else sources[0]


@SHAPE.add("arithmetic right shift by a constant", "ashr", True, 1, "const")
def shift_right_signed(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Drop the low bits and extend the sign."""
    amount = _amount(b, sources[1], width - 1)
    if amount is None:
        return None
    return b.node(_SEXT, width, (b.slice(sources[0], amount, width - amount),)) if amount else sources[0]


@SHAPE.add("shift by a narrow amount", "shl lshr ashr", True, 1, "zext")
def narrow_amount(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Shift by the amount without its leading zeros."""
    return b.node(op, width, (sources[0], b.srcs[sources[1]][0]))


@SHAPE.add("shift of nothing", "shl lshr ashr", False, 0, "const")
def shift_of_zero(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Zeros stay zeros."""
    return sources[0] if b.value(sources[0]) == 0 else None


@SHAPE.add("extract at a constant", "extract", True, 1, "const")
def constant_extract(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Select with a slice; bits outside are x (0 in 2-state)."""
    offset = b.value(sources[1])
    if offset is None:
        return b.const(width, 0, mask(width))
    low = signed(offset, b.width[sources[1]])
    have = b.width[sources[0]]
    first, last = max(low, 0), min(low + width, have)
    if first >= last:
        return b.const(width, 0, mask(width))
    parts = [b.slice(sources[0], first, last - first)]
    below, above = first - low, low + width - last
    if below:
        parts.insert(0, b.const(below, 0, mask(below)))
    if above:
        parts.append(b.const(above, 0, mask(above)))
    return b.concat(parts)


@SHAPE.add("insert at a constant", "insert", True, 1, "const")
def constant_insert(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Write with a concat; an unknown offset writes nothing."""
    whole, offset_node, field = sources
    offset = b.value(offset_node)
    if offset is None:
        return whole
    low = signed(offset, b.width[offset_node])
    first, last = max(low, 0), min(low + b.width[field], width)
    if first >= last:
        return whole
    parts = [b.slice(field, first - low, last - first)]
    if first:
        parts.insert(0, b.slice(whole, 0, first))
    if last < width:
        parts.append(b.slice(whole, last, width - last))
    return b.concat(parts)


@SHAPE.add("extract of a narrow value", "extract", False, 0, "zext")
def narrow_extract(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Leading zeros need not be there to be selected: outside bits are 0 too."""
    return b.node(CODE["extract"], width, (b.srcs[sources[0]][0], sources[1]))


@SHAPE.add("count of a narrow value", "popcount", True, 0, "zext")
def narrow_count(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Leading zeros do not count."""
    return b.node(CODE["popcount"], width, b.srcs[sources[0]])
