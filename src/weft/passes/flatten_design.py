"""Flatten a design: instantiate every module's fragment, connect the pieces, and yield the whole cone graph.

1. `elaborate_instances` numbers the wires (one for each signal of each instance) and resolves names to them.
2. `collect_drivers` finds what drives each wire; `place_memories` and `resolve_drivers` decide what each is: an input,
   a register, a latch, a memory, or logic. That yields the linked design, a word-level graph that may have cycles.
3. `order_items` builds its nodes in dependency order, and `split_loops` unties word-level loops bit by bit.
4. `assign_domains` turns triggers into domains; the sinks follow here.

Every signal that has a name stays, so that it can be looked at; dropping what nothing reads is a later pass's choice.
Nothing here recurses over the design, and each node of each instance is visited once: about 5 microseconds and 300
bytes for each (Rocket with four harts: 400,000 of them, 125,000 when equal ones are shared).
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Mapping

import numpy as np

from weft.base.errors import WeftError
from weft.ir.cone_graph import SETTLE, ConeGraph, MemoryWrite, Scope, State, Write
from weft.ir.design import Design, Module
from weft.ir.graph_builder import GraphBuilder, Simplify
from weft.passes.assign_domains import NEVER, DomainTable
from weft.passes.collect_drivers import collect_drivers
from weft.passes.connect_draws import connect_draws
from weft.passes.elaborate_instances import Hierarchy, elaborate_instances
from weft.passes.fragment import Fragment
from weft.passes.insert_forces import find_forced_wires, refuse_memories
from weft.passes.link_items import ALIAS, LinkedItems
from weft.passes.name_signals import SignalNames
from weft.passes.order_items import ItemOrder
from weft.passes.place_memories import MemoryEntry, connect_element_reads, memory_entries, place_memories
from weft.passes.resolve_drivers import WireResolver
from weft.passes.sample_inputs import InputSampler, SampledInputs
from weft.passes.split_loops import LoopSplitter


def flatten_design(
    design: Design,
    fragments: Mapping[Module, Fragment],
    *,
    four_state: bool = False,
    loops: str = "error",
    simplify: Simplify | None = None,
    forced: Collection[str] = (),
    sampled: SampledInputs | None = None,
) -> ConeGraph:
    """Return the cone graph of a whole design; the signals named in `forced` can be forced (`insert_forces`).

    With `sampled`, clocked processes read samples of the inputs (`sample_inputs`), which are noted there.
    `loops` says what a true combinational loop is: `error`, or a value that is kept from step to step, `iterate` until
    it no longer changes or `break` as it comes.
    """
    collecting = gc.isenabled()
    gc.disable()  # a million tuples and no garbage: the collector would only walk them again and again
    try:
        return _Flattener(design, fragments, four_state, loops, simplify, forced).run(sampled)
    except WeftError as error:
        error.sources = error.sources or design.sources
        raise
    finally:
        if collecting:
            gc.enable()


class _Flattener:
    def __init__(
        self,
        design: Design,
        fragments: Mapping[Module, Fragment],
        four_state: bool,
        loops: str,
        simplify: Simplify | None,
        forced: Collection[str],
    ) -> None:
        self.builder = GraphBuilder(simplify, four_state)
        self.builder.states.append(State("$time", 64, kind="time", initial=0))
        self.loops, self.four_state = loops, four_state
        self.hierarchy = elaborate_instances(design, fragments, self.builder)
        self.items = _link(self.hierarchy, self.builder)
        self.drivers = collect_drivers(self.hierarchy, self.items)
        self.memories = place_memories(self.hierarchy, self.items, self.drivers)
        self.forced = find_forced_wires(self.hierarchy, forced)
        refuse_memories(self.hierarchy, self.forced, self.memories)

    def run(self, sampled: SampledInputs | None) -> ConeGraph:
        hierarchy, items = self.hierarchy, self.items
        sampler = InputSampler(hierarchy, items, self.drivers, sampled) if sampled is not None else None
        resolver = WireResolver(hierarchy, items, self.drivers, self.four_state)
        resolver.resolve(self.memories, self.forced)
        _connect_reads(hierarchy, items, resolver, sampler)
        connect_element_reads(hierarchy, items, self.memories)
        latches = {write.value: write.state for write in resolver.latch_writes}
        names = SignalNames(hierarchy, items, self.drivers)
        splitter = LoopSplitter(items, self.loops, latches, names.describe)
        order = ItemOrder(items, splitter.untie)
        self._build_scopes(order)
        entries = memory_entries(hierarchy, items, self.drivers, self.memories)
        written = (resolver.register_writes, entries)
        domains = DomainTable(self.builder, order.build, self._node_names(), hierarchy.places, *written)
        draws = connect_draws(hierarchy, items, order.build, domains)
        self._write_registers(resolver, order, domains)
        self._write_memories(order, domains, entries)
        self.builder.writes += draws
        self._write_latches(resolver, order, domains, splitter)
        if sampler is not None:
            sampler.find_domains(domains)
            sampler.rank_states(resolver.register_writes, entries)
        for place in hierarchy.places:
            for effect in place.plan.fragment.effects:
                domains.add_effect(place, effect)
        return self.builder.freeze()

    def _build_scopes(self, order: ItemOrder) -> None:
        """Build every signal of every instance, and the table that finds them."""
        built, canonical, memories = self.items.built, self.hierarchy.canonical, self.memories
        for place in self.hierarchy.places:
            nodes: list[int] = []
            for wire, signal in enumerate(place.plan.module.signals, place.first_wire):
                joined = wire if canonical[wire] == wire else self.hierarchy.find(wire)
                if signal.depth and joined in memories:
                    nodes.append(-2 - memories[joined])
                elif (signal.local or signal.automatic) and joined not in self.drivers.driven:
                    nodes.append(-1)
                else:
                    nodes.append(built[joined] if built[joined] >= 0 else order.build(joined))
            self.builder.scopes.append(Scope(place.path, place.parent, place.plan.module, np.array(nodes, np.int32)))

    def _node_names(self) -> dict[int, str]:
        """Return the outermost name of every node that has one."""
        names: dict[int, str] = {}
        for place, scope in zip(self.hierarchy.places, self.builder.scopes, strict=True):
            for i, node in enumerate(scope.nodes.tolist()):
                if node >= 0 and node not in names:
                    names[node] = f"{place.path}.{place.plan.module.signals[i].name}"
        return names

    def _write_registers(self, resolver: WireResolver, order: ItemOrder, domains: DomainTable) -> None:
        """Add the clocked writes; those of one domain to one register become one, the last process first."""
        builder, places = self.builder, self.hierarchy.places
        last: dict[int, int] = {}
        for write in resolver.register_writes:
            driver = write.driver
            domain = domains.domain(places[driver.instance], driver.trigger)
            enable = order.build(write.enable) if write.enable >= 0 else builder.const(1, 1)
            if domain == NEVER or builder.value(enable) == 0:
                continue
            value, enable = domains.at(domain, order.build(write.value)), domains.at(domain, enable)
            earlier = last.get(write.state)
            if earlier is not None and builder.writes[earlier].domain == domain:
                before = builder.writes[earlier]
                value = builder.add("mux", builder.width[value], enable, value, before.value)
                enable = builder.add("or", 1, enable, before.enable)
                builder.writes[earlier] = Write(write.state, value, enable, domain)
                continue
            last[write.state] = len(builder.writes)
            builder.writes.append(Write(write.state, value, enable, domain))

    def _write_memories(self, order: ItemOrder, domains: DomainTable, entries: list[MemoryEntry]) -> None:
        builder, places = self.builder, self.hierarchy.places
        for entry in entries:
            domain = domains.domain(places[entry.instance], entry.trigger)
            enable = order.build(entry.enable) if entry.enable >= 0 else builder.const(1, 1)
            if domain == NEVER or builder.value(enable) == 0:
                continue
            address, value = (domains.at(domain, order.build(item)) for item in (entry.address, entry.value))
            mask = domains.at(domain, order.build(entry.mask)) if entry.mask >= 0 else -1
            enable = domains.at(domain, enable)
            builder.memory_writes.append(MemoryWrite(entry.state, address, value, enable, domain, mask, entry.count))

    def _write_latches(
        self, resolver: WireResolver, order: ItemOrder, domains: DomainTable, splitter: LoopSplitter
    ) -> None:
        """Keep each latch's value; one where a loop was cut makes steps repeat until it no longer changes."""
        builder = self.builder
        one = builder.const(1, 1)
        for write in resolver.latch_writes:
            value, domain = order.build(write.value), SETTLE
            if write.state in splitter.looping:
                domain = domains.add_change(f"{builder.states[write.state].name} changes", write.state, value)
            builder.writes.append(Write(write.state, value, one, domain))
        for loop in splitter.writes:
            domain = SETTLE
            if self.loops == "iterate":
                domain = domains.add_change(f"{builder.states[loop.state].name} changes", loop.state, loop.value)
            builder.writes.append(Write(loop.state, loop.value, one, domain))


def _link(hierarchy: Hierarchy, builder: GraphBuilder) -> LinkedItems:
    """Lay the wires and every instance's fragment out as items; constants are built at once."""
    items = LinkedItems(builder)
    for signal in hierarchy.signal:
        items.add(ALIAS, signal.bits, ())
    for place in hierarchy.places:
        place.first_item = first = items.add_fragment(place.plan.fragment.builder)
        built = items.built
        for node, constant in place.plan.constants:
            built[first + node] = constant
    return items


def _connect_reads(
    hierarchy: Hierarchy, items: LinkedItems, resolver: WireResolver, sampler: InputSampler | None
) -> None:
    """Point every node that reads a signal at its wire, or at the sample of an input."""
    for number, place in enumerate(hierarchy.places):
        uses = place.plan.fragment.uses
        for node, use in place.plan.reads:
            wire = place.uses[use]
            if sampler is not None and max(uses[use].trigger, uses[use].logic) >= 0:
                sample = sampler.sample(number, use)
                if sample >= 0:
                    items.alias(place.first_item + node, sample)
                    continue
            items.alias(place.first_item + node, resolver.held.get(wire, wire) if uses[use].hold else wire)
