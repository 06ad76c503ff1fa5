"""A cheap upper bound of a node's value: enough to see that `for (i = 0; i < count; i++)` ends.

The bound follows extensions, concatenations with zeros, masks and constants, a few levels deep.
"""

from __future__ import annotations

from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import OPS, mask

_DEPTH = 8
_PARTS = 16


def upper_bound(builder: GraphBuilder, node: int, depth: int = _DEPTH) -> int:
    """Return a number that the node's value never exceeds."""
    known, width = builder.value(node), builder.width[node]
    if known is not None:
        return known
    sources = builder.srcs[node]
    if depth:
        match OPS[builder.op[node]].name:
            case "zext" | "known":
                return upper_bound(builder, sources[0], depth - 1)
            case "and":
                return min(upper_bound(builder, source, depth - 1) for source in sources)
            case "mux":
                return max(upper_bound(builder, source, depth - 1) for source in sources[1:])
            case "concat" if len(sources) <= _PARTS:
                bound, at = 0, 0
                for source in sources:
                    bound |= upper_bound(builder, source, depth - 1) << at
                    at += builder.width[source]
                return bound
            case _:
                pass
    return mask(width)


def never_true(builder: GraphBuilder, cond: int) -> bool:
    """Return whether a comparison `constant < value` (or its complement) cannot hold by the value's range."""
    name = OPS[builder.op[cond]].name
    if name in ("true", "redor", "and"):
        return any(never_true(builder, source) for source in builder.srcs[cond])
    complemented = name == "not"
    if complemented:
        cond = builder.srcs[cond][0]
        name = OPS[builder.op[cond]].name
    if name not in ("ult", "slt"):
        return False
    lhs, rhs = builder.srcs[cond]
    limit = 1 << builder.width[lhs] - 1
    if complemented:
        low = builder.value(rhs)
        if low is None or (name == "slt" and (low >= limit or upper_bound(builder, lhs) >= limit)):
            return False
        return low > upper_bound(builder, lhs)
    low, high = builder.value(lhs), upper_bound(builder, rhs)
    if low is None or (name == "slt" and (low >= limit or high >= limit)):
        return False
    return low >= high
