"""Untie word-level loops bit by bit; find the loops that are true.

A bus whose bit 1 is computed from its bit 0 depends on itself as a word, not as bits. Each item of such a component is
cut into the largest slices that behave alike: the cuts are the least fixed point of "a cut in a value is a cut in what
it is copied from, and the other way round", with the ends of concatenations and slices to start from. An item's cuts
are one int with a bit for each, so that a step of the fixed point is a shift and an or. Bitwise operations,
multiplexers and copies are cut freely; a slice of a sum depends on all lower bits; anything else is not cut at all.

The slices are then ordered depth first. A slice that needs itself is a true combinational loop: an error that shows
the path, or (`loops`) a state that keeps the last value. With `iterate` steps repeat until it does not change, with
`break` they do not. A loop through latches (two-phase clocks) is always cut at a latch, which holds its value anyway.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable

from weft.base.dataclass import dataclass
from weft.base.errors import Note, UserError
from weft.base.source import NOWHERE, Span
from weft.ir.cone_graph import State
from weft.passes.link_items import LinkedItems
from weft.passes.slice_rules import FREE_OPS, build_slice, copies, slice_sources

Piece = tuple[int, int]
"""An item, and the number of one of its slices."""


@dataclass(frozen=True, slots=True)
class LoopWrite:
    """Keep node `value` in state `state`, which stands for it where the loop was cut."""

    state: int
    value: int


class LoopSplitter:
    """Build the items of word-level loops. `latches` has the state of each item that is a latch's value."""

    def __init__(
        self,
        items: LinkedItems,
        loops: str,
        latches: dict[int, int],
        describe: Callable[[int, int, int], tuple[str, Span] | None],
    ) -> None:
        self.items, self.loops, self.latches, self.describe = items, loops, latches, describe
        self.looping: set[int] = set()
        self.writes: list[LoopWrite] = []

    def untie(self, component: list[int]) -> None:
        """Build every item of a component."""
        _Component(self, component).build()


class _Component:
    def __init__(self, splitter: LoopSplitter, component: list[int]) -> None:
        self.splitter, self.items, self.component = splitter, splitter.items, component
        self.cuts = dict.fromkeys(component, 0)
        self._find_cuts()
        self.bounds = {item: self._bounds(item) for item in component}
        self.nodes: dict[Piece, int] = {}
        self.cut_states: dict[Piece, int] = {}

    def build(self) -> None:
        for item in self.component:
            for number in range(len(self.bounds[item]) - 1):
                self._build_piece((item, number))
        values: dict[Piece, int] = {}
        while len(values) < len(self.cut_states):  # computing a cut slice may find another loop
            for piece in list(self.cut_states):
                if piece not in values:
                    self._build_sources(piece)
                    values[piece] = self._make(piece)
        items, builder = self.items, self.items.builder
        for item in self.component:
            count = len(self.bounds[item]) - 1
            parts = [values.get((item, i), self.nodes[item, i]) for i in range(count)]
            items.built[item] = builder.concat(parts)
        self.splitter.writes += [
            LoopWrite(state, values[piece]) for piece, state in self.cut_states.items() if state >= 0
        ]

    def _find_cuts(self) -> None:
        """Compute the fixed point of the cuts."""
        items, cuts = self.items, self.cuts
        links: dict[int, list[tuple[int, int, int, int, int]]] = {item: [] for item in self.component}
        for item in self.component:
            for source, source_low, low, width in copies(items, item):
                if source in cuts:
                    link = (item, low, source, source_low, width)
                    links[item].append(link)
                    links[source].append(link)
                    cuts[source] |= 1 << source_low | 1 << source_low + width
                cuts[item] |= 1 << low | 1 << low + width
        pending = dict.fromkeys(self.component)
        while pending:
            changed, _ = pending.popitem()
            for item, low, source, source_low, width in links[changed]:
                window = (2 << width) - 1
                joint = (cuts[item] >> low | cuts[source] >> source_low) & window
                for end, shift in ((item, low), (source, source_low)):
                    if joint << shift & ~cuts[end]:
                        cuts[end] |= joint << shift
                        pending[end] = None

    def _bounds(self, item: int) -> list[int]:
        width = self.items.width[item]
        if self.items.op[item] not in FREE_OPS:
            return [0, width]
        cuts = self.cuts[item] & (1 << width) - 1 & ~1
        bounds = [0]
        while cuts:
            bit = cuts & -cuts
            bounds.append(bit.bit_length() - 1)
            cuts ^= bit
        return [*bounds, width]

    def _pieces(self, item: int, low: int, high: int) -> range:
        bounds = self.bounds[item]
        return range(bisect.bisect_right(bounds, low) - 1, bisect.bisect_left(bounds, high))

    def _sources(self, piece: Piece) -> list[Piece]:
        """Return the slices inside the component that a slice needs."""
        item, number = piece
        bounds = self.bounds[item]
        needed: list[Piece] = []
        for source, low, high in slice_sources(self.items, item, bounds[number], bounds[number + 1]):
            if source in self.bounds:
                needed += [(source, i) for i in self._pieces(source, low, high)]
        return needed

    def _fetch(self, source: int, low: int, high: int) -> int:
        """Return the node of some bits of an item, inside or outside the component."""
        builder = self.items.builder
        if source not in self.bounds:
            return builder.slice(self.items.built[source], low, high - low)
        parts: list[int] = []
        bounds = self.bounds[source]
        for number in self._pieces(source, low, high):
            start, end = max(low, bounds[number]), min(high, bounds[number + 1])
            parts.append(builder.slice(self.nodes[source, number], start - bounds[number], end - start))
        return builder.concat(parts)

    def _make(self, piece: Piece) -> int:
        item, number = piece
        low, high = self.bounds[item][number : number + 2]
        nodes = [self._fetch(*needed) for needed in slice_sources(self.items, item, low, high)]
        return build_slice(self.items, item, low, high, nodes)

    def _build_sources(self, piece: Piece) -> None:
        for source in self._sources(piece):
            self._build_piece(source)

    def _build_piece(self, root: Piece) -> None:
        """Build a slice after all that it needs."""
        nodes = self.nodes
        while root not in nodes:
            cycle = self._build_or_find_cycle(root)
            if cycle:
                self._cut(cycle)

    def _build_or_find_cycle(self, root: Piece) -> list[Piece]:
        nodes = self.nodes
        work, visited = [root], dict[Piece, None]()
        while work:
            piece = work[-1]
            if piece in nodes:
                work.pop()
            elif piece in visited:
                nodes[piece] = self._make(piece)
                visited.pop(piece)
                work.pop()
            else:
                visited[piece] = None
                for source in self._sources(piece):
                    if source in visited:
                        path = list(visited)
                        return path[path.index(source) :]
                    if source not in nodes:
                        work.append(source)
        return []

    def _cut(self, cycle: list[Piece]) -> None:
        """Stand a state in for one slice of a true loop, or report the loop."""
        splitter, builder = self.splitter, self.items.builder
        for piece in cycle:
            state = splitter.latches.get(piece[0])
            if state is not None:
                low, high = self.bounds[piece[0]][piece[1] : piece[1] + 2]
                splitter.looping.add(state)
                self.nodes[piece] = builder.slice(builder.read(state), low, high - low)
                self.cut_states[piece] = -1
                return
        if splitter.loops == "error":
            self._report(cycle)
        piece = next((piece for piece in cycle if self._named(piece)), cycle[0])
        name, span = self._named(piece) or ("loop", NOWHERE)
        low, high = self.bounds[piece[0]][piece[1] : piece[1] + 2]
        builder.states.append(State(f"{name}$loop", high - low, kind="latch", span=span))
        self.cut_states[piece] = len(builder.states) - 1
        self.nodes[piece] = builder.read(len(builder.states) - 1)

    def _named(self, piece: Piece) -> tuple[str, Span] | None:
        low, high = self.bounds[piece[0]][piece[1] : piece[1] + 2]
        return self.splitter.describe(piece[0], low, high - low)

    def _report(self, cycle: list[Piece]) -> None:
        path: list[tuple[str, Span]] = []
        for piece in cycle:
            named = self._named(piece)
            if named is not None and named not in path:
                path.append(named)
        path = path or [("a value without a name", NOWHERE)]
        names = [name for name, _ in path]
        steps = zip(path, [*names[1:], names[0]], strict=True)
        notes = tuple(Note(f"{name!r} depends on {needed!r}", span) for (name, span), needed in steps if name != needed)
        message = f"{names[0]!r} depends on itself without a register or latch between"
        raise UserError("combinational-loop", message, path[0][1], notes)
