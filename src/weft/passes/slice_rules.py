"""How each operation can be computed for some of its bits only: what a slice of its result needs, and how to build it.

`copies` lists the ranges that an operation moves bit for bit (or combines bit by bit) from its sources, for finding
cuts; `slice_sources` the ranges that bits `low` to `high - 1` of the result need; `build_slice` makes these bits out of
the nodes of those ranges, in the same order.
"""

from __future__ import annotations

from weft.ir.ops import CODE
from weft.passes.link_items import ALIAS, LinkedItems

_MUX, _CONCAT, _SLICE, _ZEXT, _SEXT = (CODE[name] for name in ("mux", "concat", "slice", "zext", "sext"))
_SHL, _LSHR, _SUB, _INSERT = (CODE[name] for name in ("shl", "lshr", "sub", "insert"))
_BITWISE = frozenset(CODE[name] for name in ("not", "and", "or", "xor", "known", "isz", "resolve")) | {ALIAS}
_CARRY = frozenset(CODE[name] for name in ("add", "sub", "mul"))
_SHIFTS = frozenset((_SHL, _LSHR))
FREE_OPS = _BITWISE | _CARRY | {_MUX, _CONCAT, _SLICE, _ZEXT, _SEXT, _INSERT} | _SHIFTS
"""The operations that can be cut (shifts only if the distance is constant, else they are rebuilt whole)."""

Range = tuple[int, int, int]
"""A source item, its first bit, and the bit after its last."""


def copies(items: LinkedItems, item: int) -> list[tuple[int, int, int, int]]:
    """Return (source item, its first bit, first bit here, width) of each range that is moved or combined by bits."""
    op, width = items.op[item], items.width[item]
    base = items.base[item]
    sources = [base + source for source in items.srcs[item]]
    if op in _BITWISE or op in _CARRY:
        return [(source, 0, 0, width) for source in sources]
    if op == _MUX:
        return [(source, 0, 0, width) for source in sources[1:]]
    if op == _CONCAT:
        result: list[tuple[int, int, int, int]] = []
        at = 0
        for source in sources:
            result.append((source, 0, at, items.width[source]))
            at += items.width[source]
        return result
    if op == _SLICE:
        return [(sources[0], items.param[item], 0, width)]
    if op == _ZEXT:
        return [(sources[0], 0, 0, items.width[sources[0]])]
    if op == _SEXT:
        top = items.width[sources[0]] - 1
        return [(sources[0], top, top, 1), *([(sources[0], 0, 0, top)] if top else [])]
    if op == _INSERT:
        return [(sources[0], 0, 0, width)]
    if op in _SHIFTS:
        distance = _distance(items, sources[1])
        if distance is not None and distance < width:
            up = op == _SHL
            return [(sources[0], 0 if up else distance, distance if up else 0, width - distance)]
    return []


def slice_sources(items: LinkedItems, item: int, low: int, high: int) -> list[Range]:
    """Return what bits `low` to `high - 1` of an item need."""
    op = items.op[item]
    base = items.base[item]
    sources = [base + source for source in items.srcs[item]]
    if op in _BITWISE:
        return [(source, low, high) for source in sources]
    if op == _MUX:
        return [(sources[0], 0, 1), (sources[1], low, high), (sources[2], low, high)]
    if op == _CONCAT:
        return _concat_sources(items, sources, low, high)
    if op == _SLICE:
        return [(sources[0], low + items.param[item], high + items.param[item])]
    if op in (_ZEXT, _SEXT):
        width = items.width[sources[0]]
        if low < width:
            return [(sources[0], low, min(high, width))]
        return [(sources[0], width - 1, width)] if op == _SEXT else []
    if op in _CARRY:
        return [(source, 0, high) for source in sources]
    if op in _SHIFTS:
        distance = _distance(items, sources[1])
        if distance is not None:
            start, end = _shifted(op, low, high, distance, items.width[item])
            return [(sources[0], start, end)] if start < end else []
    if op == _INSERT:
        return [(sources[0], low, high), *((source, 0, items.width[source]) for source in sources[1:])]
    return [(source, 0, items.width[source]) for source in sources]


def build_slice(items: LinkedItems, item: int, low: int, high: int, nodes: list[int]) -> int:
    """Return the node of bits `low` to `high - 1` of an item, given those of `slice_sources`."""
    builder, op, width = items.builder, items.op[item], high - low
    if op in (ALIAS, _SLICE):
        return nodes[0]
    if op in _BITWISE or op == _MUX:
        return builder.node(op, width, tuple(nodes))
    if op == _CONCAT:
        return builder.concat(nodes)
    if op in (_ZEXT, _SEXT):
        if not nodes:
            return builder.const(width, 0)
        return nodes[0] if builder.width[nodes[0]] == width else builder.node(op, width, (nodes[0],))
    if op in _CARRY:
        return builder.slice(builder.node(op, high, tuple(nodes)), low, width)
    if op in _SHIFTS:
        distance = _distance(items, items.base[item] + items.srcs[item][1])
        if distance is not None:
            return _build_shift(items, item, low, high, nodes, distance)
    if op == _INSERT:
        bits = max(builder.width[nodes[1]], items.width[item].bit_length()) + 2
        offset = nodes[1] if builder.width[nodes[1]] == bits else builder.node(_SEXT, bits, (nodes[1],))
        offset = builder.node(_SUB, bits, (offset, builder.const(bits, low)))
        return builder.node(_INSERT, width, (nodes[0], offset, nodes[2]))
    whole = builder.node(op, items.width[item], tuple(nodes), items.param[item])
    return builder.slice(whole, low, width)


def _distance(items: LinkedItems, source: int) -> int | None:
    """Return the constant that an item is, if it is one."""
    node = items.built[source]
    return items.builder.value(node) if node >= 0 else None


def _shifted(op: int, low: int, high: int, distance: int, width: int) -> tuple[int, int]:
    """Return the range of the shifted value's bits; empty if only zeros come in."""
    if op == _SHL:
        return max(low - distance, 0), max(high - distance, 0)
    return min(low + distance, width), min(high + distance, width)


def _build_shift(items: LinkedItems, item: int, low: int, high: int, nodes: list[int], distance: int) -> int:
    """Return a slice of a value shifted by a constant: zeros at one side of what is left."""
    builder = items.builder
    if not nodes:
        return builder.const(high - low, 0)
    missing = high - low - builder.width[nodes[0]]
    if not missing:
        return nodes[0]
    zeros = builder.const(missing, 0)
    return builder.concat([zeros, nodes[0]] if items.op[item] == _SHL else [nodes[0], zeros])


def _concat_sources(items: LinkedItems, sources: list[int], low: int, high: int) -> list[Range]:
    result: list[Range] = []
    at = 0
    for source in sources:
        width = items.width[source]
        start, end = max(low, at), min(high, at + width)
        if start < end:
            result.append((source, start - at, end - at))
        at += width
    return result
