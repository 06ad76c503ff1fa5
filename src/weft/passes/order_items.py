"""Build the linked design's items as nodes of the global graph, each once, dependencies first.

This is Tarjan's algorithm for strongly connected components (SIAM J. Computing 1, 1972) in Pearce's form (one index per
item), with an explicit stack: components come out in dependency order, so a component of one item is built the moment
it is found, and one of several items is a word-level loop, which `split_loops` unties bit by bit. Only what is asked
for is visited. `built[item]` is the node; -1: not visited; below that, minus the visit index minus 1.

Cost: about 4 microseconds an item, the builder's own cost included.
"""

from __future__ import annotations

from collections.abc import Callable

from weft.base.errors import InternalError, Unsupported
from weft.ir.ops import CODE
from weft.passes.link_items import ALIAS, REFUSED, LinkedItems

_SLICE, _READ = CODE["slice"], CODE["read"]

Untie = Callable[[list[int]], None]
"""Build all items of a word-level loop, whose other sources are built."""


class ItemOrder:
    """Build items on demand."""

    def __init__(self, items: LinkedItems, untie: Untie) -> None:
        self.items, self.untie = items, untie
        self._visits = 1
        self._open: list[int] = []

    def build(self, item: int) -> int:
        """Return the node of an item, after building all that it needs."""
        built = self.items.built
        if built[item] < 0:
            self._visit(item)
        return built[item]

    def _visit(self, root: int) -> None:
        items = self.items
        built, srcs, bases, ops = items.built, items.srcs, items.base, items.op
        work = [root]
        waiting = self._open
        finished: set[int] = set()
        while work:
            item = work[-1]
            index = built[item]
            if index >= 0 or item in finished:
                work.pop()
                continue
            base = bases[item]
            if index == -1:
                if ops[item] == _SLICE:
                    base = self._shorten(item)
                self._visits += 1
                built[item] = index = -self._visits
                pushed = len(work)
                ready = True
                for source in srcs[item]:
                    known = built[base + source]
                    if known < 0:
                        ready = False
                        if known == -1:
                            work.append(base + source)
                if ready:
                    work.pop()
                    self._build_one(item)
                    continue
                if len(work) > pushed:
                    continue
            work.pop()
            low = ready = index
            for source in srcs[item]:
                known = built[base + source]
                if known < 0:
                    ready = 0
                    if known > low:
                        low = known
            if ready:
                self._build_one(item)
            elif low != index:
                built[item] = low
                finished.add(item)
                waiting.append(item)
            else:
                self._close(item, index, finished)

    def _close(self, item: int, index: int, finished: set[int]) -> None:
        """Build the component whose first visited item this is."""
        waiting, built, items = self._open, self.items.built, self.items
        component = [item]
        while waiting and built[waiting[-1]] <= index:
            component.append(waiting.pop())
        finished.difference_update(component)
        base = items.base[item]
        if len(component) > 1 or item in [base + source for source in items.srcs[item]]:
            self.untie(component)
        else:
            self._build_one(item)

    def _shorten(self, item: int) -> int:
        """Read a slice from where its bits come from; return its base."""
        items = self.items
        source = items.base[item] + items.srcs[item][0]
        at, low = items.select(source, items.param[item], items.width[item])
        if at != source:
            whole = low == 0 and items.width[at] == items.width[item]
            items.patch(item, ALIAS if whole else _SLICE, (at,), low)
        return items.base[item]

    def _build_one(self, item: int) -> None:
        items = self.items
        op, built = items.op[item], items.built
        if op < ALIAS:
            base = items.base[item]
            sources = tuple([built[base + source] for source in items.srcs[item]])
            if op == _READ:
                raise InternalError(f"item {item} reads a signal that was not linked")
            built[item] = items.builder.node(op, items.width[item], sources, items.param[item])
        elif op == REFUSED:
            what, span = items.refusals[item]
            raise Unsupported(what, span)
        elif not items.srcs[item]:
            raise InternalError(f"item {item} was not linked")
        else:
            built[item] = built[items.base[item] + items.srcs[item][0]]
