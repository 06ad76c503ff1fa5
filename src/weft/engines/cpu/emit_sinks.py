"""Emit the sinks of a step in place, in an order that keeps old values readable.

State is written where the new value is computed, without a shadow copy. That is right as long as every read of the old
value comes first: sinks are ordered so that readers precede writers where possible (`order_items`), and where a cycle
makes it impossible the old value is loaded early, into the scope that encloses both.
"""

from __future__ import annotations

from collections.abc import Iterable

from weft.base.errors import InternalError
from weft.engines.cpu.emit_commit import emit_memory_write
from weft.engines.cpu.emit_regions import RegionEmitter
from weft.engines.cpu.emitter import WIDE
from weft.ir.order_sinks import Item, order_items
from weft.ir.step_graph import READ


class SinkEmitter(RegionEmitter):
    """Emit a step: its nodes by region, its sinks by order."""

    def emit_sinks(self) -> None:
        """Emit every sink, in place."""
        self._emit_level(tuple(range(len(self.regions.sinks))))

    def _emit_level(self, sinks: tuple[int, ...]) -> None:
        """Emit sinks that are in the current region or below: scalars in a good order, then memories in theirs."""
        here, tree = self.scopes[-1].region, self.tree
        groups: dict[int, list[int]] = {}
        items: list[Item] = []
        memories: list[tuple[int, int]] = []
        for number in sinks:
            place = self.regions.sink_region[number]
            while tree.depth[place] > tree.depth[here] + 1:
                place = tree.parent[place]
            if self.regions.sinks[number].kind == "memory":
                memories.append((place, number))
            elif place == here or self._written(number) in self.ordered:
                items.append(self._item(place, (number,)))
            else:
                groups.setdefault(place, []).append(number)
        items += [self._item(place, tuple(numbers)) for place, numbers in groups.items()]
        for item in order_items(items, self.ordered):
            self._emit_item(item.region, item.sinks)
            self._cut_if_long()
        for _, number in memories:
            self._demand_all((*self.regions.sinks[number].payload, self.deciding_node(number)))
        for place, number in memories:
            self._emit_item(place, (number,))
            self._cut_if_long()

    def _cut_if_long(self) -> None:
        if len(self.scopes) == 1 and len(self.lines) > self.longest:
            self.cut()

    def _demand_all(self, nodes: Iterable[int]) -> None:
        for node in self.outer_needs(list(nodes)):
            self.demand(node, may_cut=True)

    def _emit_item(self, place: int, sinks: tuple[int, ...]) -> None:
        here, regions = self.scopes[-1].region, self.regions
        if place == here:
            for number in sinks:
                self._emit_sink(number)
            return
        roots = [node for number in sinks for node in regions.sinks[number].payload]
        roots += [self.deciding_node(number) for number in sinks]
        self._demand_all(roots)
        for number in sinks:
            self._read_memory_first(number)
        condition = self.tree.condition[place]
        self.demand_here(condition)
        test = self.use(condition)
        if not self.tree.polarity[place]:
            test = self.put(f"xor i1 {test}, true")

        def body() -> list[str]:
            self._emit_level(sinks)
            return []

        self.branch(test, [(place, body)], [])

    def _read_memory_first(self, number: int) -> None:
        """Emit the reads of a memory, of this region, that must precede a write to it."""
        sink, here = self.regions.sinks[number], self.scopes[-1].region
        if sink.kind != "memory":
            return
        for node in self.memory_readers.get(self._written(number), ()):
            if not self.emitted[node]:
                where = self.regions.region[node]
                if where == here:
                    self.demand(node)
                elif not self.tree.contains(here, where):
                    raise InternalError(f"memory read {node} comes after the write")

    def _emit_sink(self, number: int) -> None:
        sink, step = self.regions.sinks[number], self.step
        self._read_memory_first(number)
        for node in sink.payload:
            self.demand_here(node)
        if sink.kind == "memory":
            self._finish(number)
            emit_memory_write(self, step.memory_writes[sink.index])
            return
        state = self._written(number)
        self.done_sinks[number] = 1
        self._keep_old(state)
        self.stored.add(state)
        slot, address, value = self.layout.slots[state], self.state_address(state), self.use(sink.payload[0])
        if self.regions.selected[number]:
            fire = self.use(sink.enable)
            if slot.width > WIDE:
                address = self.put(f"select i1 {fire}, ptr {address}, ptr {self.allocate(slot.width)}")
            else:
                old = self.container(address, slot.width, slot.stride)
                value = self.put(f"select i1 {fire}, i{slot.width} {value}, i{slot.width} {old}")
        self._finish(number)
        self.store(address, value, slot.width, slot.stride)

    def _finish(self, number: int) -> None:
        sink = self.regions.sinks[number]
        self.done_sinks[number] = 1
        for node in (*sink.payload, self.deciding_node(number)):
            self.uses[node] -= 1

    def _keep_old(self, state: int) -> None:
        """Before a store: load the old value where everybody who still needs it can see it."""
        tree, regions = self.tree, self.regions
        here = self.scopes[-1].region
        places = [regions.region[node] for node in self.readers.get(state, ()) if not self.emitted[node]]
        late = (number for number in self.sink_readers.get(state, ()) if not self.done_sinks[number])
        places.extend(regions.sink_region[number] for number in late)
        if not places:
            return
        level = min(tree.depth[tree.common(place, here)] for place in places)
        for node in self.read_nodes.get(state, ()):
            if node in self.foreign or (node in self.names and self.level[node] <= level and not self.is_alias(node)):
                continue
            outside = level < len(self.scopes) - 1
            kept, self.lines = self.lines, [] if outside else self.lines
            name = self.table[READ](self, node, self.width[node])
            if self.width[node] > WIDE:
                name = self.copy(name, self.width[node])
            if outside:
                kept[self.scopes[level].gap] += "\n".join(self.lines) + "\n"
                self.lines = kept
                self.homes[name] = (kept, self.scopes[level].gap + 1)
            else:
                self.homes[name] = (kept, len(kept))
            self.names[node] = name
            self.level[node] = level
            self.scopes[level].added.append(node)

    def _item(self, place: int, sinks: tuple[int, ...]) -> Item:
        """Describe an item; its reads are those of the cones that nobody else needs."""
        here, regions, op = self.scopes[-1].region, self.regions, self.op
        reads: set[int] = set()
        stack = [node for number in sinks for node in regions.sinks[number].payload]
        seen = set(stack)
        while stack:
            node = stack.pop()
            if op[node] == READ:
                reads.add(self.param[node])
            if node in self.names or op[node] <= READ:
                continue
            if regions.region[node] == here and self.uses[node] > 1:
                continue
            for source in regions.uses(node):
                if source not in seen:
                    seen.add(source)
                    stack.append(source)
        return Item(place, sinks, frozenset(reads), frozenset(self._written(number) for number in sinks))

    def _written(self, number: int) -> int:
        sink = self.regions.sinks[number]
        table = self.step.writes if sink.kind == "write" else self.step.memory_writes
        return table[sink.index].state
