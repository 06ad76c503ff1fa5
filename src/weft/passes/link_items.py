"""The linked design: all instances' fragments side by side, as one word-level graph that may have cycles.

A row is an *item*: the first items are the wires (`Hierarchy.signal`), the next the nodes of every instance's fragment,
the last glue between them. Columns are plain lists, so that adding an instance extends each by a slice of the
fragment's own column; an item's sources are relative to `base[item]`, which is 0 for wires and glue. `built[item]` is
the item's node in the global builder, or negative while there is none.

`order_items` then visits the items that something needs and builds each once.
"""

from __future__ import annotations

import bisect
import itertools

from weft.base.source import NOWHERE, Span
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE, OPS

ALIAS = len(OPS)
"""An item that equals its one source."""
REFUSED = len(OPS) + 1
"""An item that no node can stand for; needing it is an error, which `LinkedItems.refusals` describes."""

_CONCAT, _SLICE, _ZEXT, _SEXT = CODE["concat"], CODE["slice"], CODE["zext"], CODE["sext"]
_HOPS = 1000


class LinkedItems:
    """Hold the items' columns."""

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder
        self.op: list[int] = []
        self.width: list[int] = []
        self.param: list[int] = []
        self.srcs: list[tuple[int, ...]] = []
        self.base: list[int] = []
        self.built: list[int] = []
        self._ends: dict[int, list[int]] = {}
        self.refusals: dict[int, tuple[str, Span]] = {}

    def __len__(self) -> int:
        return len(self.op)

    def add_fragment(self, fragment: GraphBuilder) -> int:
        """Append a fragment's nodes as items and return the first; reads must be patched afterwards."""
        first, count = len(self.op), len(fragment.op)
        self.op += fragment.op
        self.width += fragment.width
        self.param += fragment.param
        self.srcs += fragment.srcs
        self.base += [first] * count
        self.built += [-1] * count
        return first

    def add(self, op: int, width: int, sources: tuple[int, ...], param: int = 0) -> int:
        """Append an item of glue; its sources are items."""
        self.op.append(op)
        self.width.append(width)
        self.param.append(param)
        self.srcs.append(sources)
        self.base.append(0)
        self.built.append(-1)
        return len(self.op) - 1

    def add_node(self, node: int) -> int:
        """Append an item that is built already."""
        item = self.add(ALIAS, self.builder.width[node], ())
        self.built[item] = node
        return item

    def refuse(self, width: int, what: str, span: Span = NOWHERE) -> int:
        """Append an item whose use is not supported."""
        item = self.add(REFUSED, width, ())
        self.refusals[item] = (what, span)
        return item

    def constant(self, width: int, value: int, unknown: int = 0) -> int:
        """Return an item of a constant."""
        return self.add_node(self.builder.const(width, value, unknown))

    def patch(self, item: int, op: int, sources: tuple[int, ...], param: int = 0) -> None:
        """Turn an item into another operation of the same width on items."""
        self.op[item] = op
        self.srcs[item] = sources
        self.param[item] = param
        self.base[item] = 0

    def alias(self, item: int, target: int) -> None:
        """Make an item equal to another of its width."""
        built = self.built[target]
        if built >= 0:
            self.built[item] = built
        self.patch(item, ALIAS, (target,))

    def slice(self, item: int, low: int, width: int) -> int:
        """Return an item for some bits of an item, read as near to their source as possible."""
        item, low = self.select(item, low, width)
        if low == 0 and width == self.width[item]:
            return item
        return self.add(_SLICE, width, (item,), low)

    def concat(self, parts: list[int]) -> int:
        """Return an item for parts side by side, the least significant first."""
        if len(parts) == 1:
            return parts[0]
        return self.add(_CONCAT, sum(self.width[part] for part in parts), tuple(parts))

    def select(self, item: int, low: int, width: int) -> tuple[int, int]:
        """Follow bits through wires, concatenations, slices and extensions, to where they come from."""
        ops, built, start = self.op, self.built, (item, low)
        for _ in range(_HOPS):
            if built[item] >= 0:
                break
            op = ops[item]
            if op == _CONCAT:
                source, offset = self._part(item, low)
                if low + width > offset + self.width[source]:
                    break
                item, low = source, low - offset
            elif op in (ALIAS, _SLICE) and self.srcs[item]:
                low += self.param[item] if op == _SLICE else 0
                item = self.base[item] + self.srcs[item][0]
            elif op in (_ZEXT, _SEXT):
                source = self.base[item] + self.srcs[item][0]
                if low + width > self.width[source]:
                    break
                item = source
            else:
                break
        else:
            return start  # the bits go round in a circle of copies: a loop, reported when it is built
        return item, low

    def _part(self, item: int, bit: int) -> tuple[int, int]:
        """Return the source of a concatenation that holds a bit, and where that source begins."""
        base, srcs = self.base[item], self.srcs[item]
        ends = self._ends.get(item)
        if ends is None:
            widths = self.width
            ends = self._ends[item] = list(itertools.accumulate([widths[base + source] for source in srcs]))
        index = bisect.bisect_right(ends, bit)
        return base + srcs[index], ends[index - 1] if index else 0
