"""Give what reads an input of a region directly a sample of it, as old as the reader's last run.

A process that waits for an edge reads its inputs when that edge comes; logic reads an input when it runs because that
input or another one has changed, before or after that edge (IEEE 1800-2023 4.5). All read the same state in a cone
graph. Where somebody else drives the graph at single edges (`ir.region`), they must not. So each pair of an input and a
set of edges, if processes that wait for these edges read the input, becomes an input state of its own, which that
somebody fills when such an edge comes. And each pair of an input and a set of bits of inputs, if there are assignments
or procedures that wait for this set, is one that is filled when these run: all do when any of these has changed.

A port of an instance inside is the input itself if it is connected to the whole of it, as in the event engine; behind
an expression there is logic. In the same sense an output *is* a register, which changes when the register does, or it
is logic that follows registers.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.base.dataclass import dataclass, field
from weft.base.source import Span
from weft.ir.design import Signal, joins
from weft.ir.ops import CODE
from weft.passes.assign_domains import DomainTable
from weft.passes.collect_drivers import Driver, Drivers
from weft.passes.elaborate_instances import Hierarchy, InstancePlace
from weft.passes.link_items import LinkedItems
from weft.passes.place_memories import MemoryEntry
from weft.passes.resolve_drivers import RegisterWrite, variable_state

_READ = CODE["read"]


@dataclass(slots=True)
class InputSample:
    """Be an input state that holds `port`, an input of the top, as processes of `domain` read it (-1: none do).

    Or `group` is not -1: it is as logic of that group reads it, which waits for the bits of `ranges` and of others.
    """

    state: int
    port: Signal
    place: int
    trigger: int
    domain: int = -1
    group: int = -1
    ranges: frozenset[tuple[int, int]] = frozenset()


@dataclass(slots=True, eq=False)
class SampledInputs:
    """Collect the samples of a graph, and the outputs of its top that are registers.

    `distant` is where an edge is waited for of something else than an input: events see it later than the input's edge.
    `ranks` says of each register and memory when its first process runs among those that wait for the same edge; those
    that are assigned with `=` are `early`, since they change then.
    """

    samples: list[InputSample] = field(default_factory=list[InputSample])
    registers: set[Signal] = field(default_factory=set[Signal])
    distant: Span | None = None
    ranks: dict[int, tuple[int, int, int]] = field(default_factory=dict[int, tuple[int, int, int]])
    early: set[int] = field(default_factory=set[int])


_Awaited = frozenset[tuple[int, frozenset[tuple[int, int]]]]
"""Inputs, by their wires, and the ranges of bits of them that logic waits for."""


class InputSampler:
    """Find what the inputs of the one top are inside."""

    def __init__(self, hierarchy: Hierarchy, items: LinkedItems, drivers: Drivers, found: SampledInputs) -> None:
        self.hierarchy, self.items, self.drivers, self.found = hierarchy, items, drivers, found
        top = hierarchy.places[0]
        ports = top.plan.module.ports
        self._inputs = {
            hierarchy.find(top.first_wire + top.plan.index[port.signal]) for port in ports if port.direction == "input"
        }
        self._known: dict[tuple[object, ...], int] = {}
        self._groups: dict[_Awaited, int] = {}
        self._awaited: dict[tuple[int, int], _Awaited] = {}
        found.registers = {
            port.signal
            for port in ports
            if port.direction == "output" and self._is_register(top.first_wire + top.plan.index[port.signal])
        }

    def sample(self, place: int, use: int) -> int:
        """Return the item that is read for a use that is told apart, or -1 where that is no input of the top."""
        here = self.hierarchy.places[place]
        wire = self._source(here.uses[use])
        if wire not in self._inputs:
            return -1
        reader = here.plan.fragment.uses[use]
        awaited = self._awaits(place, reader.logic) if reader.logic >= 0 else frozenset()
        group = self._groups.setdefault(awaited, len(self._groups)) if awaited else -1
        key = (wire, group) if group >= 0 else (wire, *self._edges(place, reader.trigger))
        item = self._known.get(key)
        if item is None:
            signal, builder = self.hierarchy.signal[wire], self.items.builder
            name = f"{self.hierarchy.name(wire)}$sample{len(self._known)}"
            state = len(builder.states)
            builder.states.append(variable_state(signal, name, signal.bits, "input"))
            ranges = dict(awaited).get(wire, frozenset())
            self.found.samples.append(InputSample(state, signal, place, reader.trigger, group=group, ranges=ranges))
            item = self._known[key] = self.items.add_node(builder.read(state))
        return item

    def _awaits(self, place: int, logic: int) -> _Awaited:
        """Return the bits of inputs that an assignment, procedure or connection waits for."""
        found = self._awaited.get((place, logic))
        if found is None:
            here = self.hierarchy.places[place]
            joined: dict[int, frozenset[tuple[int, int]]] = {}
            for signal, ranges in here.plan.fragment.waits.get(logic, {}).items():
                wire = self._source(here.first_wire + here.plan.index[signal])
                if wire in self._inputs:
                    joined[wire] = joined.get(wire, frozenset()) | ranges
            found = self._awaited[place, logic] = frozenset(joined.items())
        return found

    def find_domains(self, domains: DomainTable) -> None:
        """Note which domain each sample is for, and edges of what is no input."""
        for sample in self.found.samples:
            if sample.trigger >= 0:
                sample.domain = domains.domain(self.hierarchy.places[sample.place], sample.trigger)
        for number, place in enumerate(self.hierarchy.places):
            for trigger, waits in enumerate(place.plan.fragment.triggers):
                edges = self._edges(number, trigger)
                direct = all(isinstance(edge, tuple) and edge[1] in self._inputs for edge in edges)
                if any(edge != "any" for edge, _, _ in waits.edges) and not direct:
                    self.found.distant = self.found.distant or waits.span

    def rank_states(self, writes: Sequence[RegisterWrite], entries: Sequence[MemoryEntry]) -> None:
        """Note the order of what processes assign: as who waits for an edge is woken, by modules and then instances."""
        places = self.hierarchy.places
        modules = {module: number for number, module in enumerate(dict.fromkeys(p.plan.module for p in places))}
        found = [(write.state, write.driver.instance, write.driver.process) for write in writes]
        found += [(entry.state, entry.instance, entry.process) for entry in entries]
        self.found.early.update(write.state for write in writes if write.driver.blocking)
        self.found.early.update(entry.state for entry in entries if entry.blocking)
        ranks = self.found.ranks
        for state, instance, process in found:
            rank = (modules[places[instance].plan.module], process, instance)
            ranks[state] = min(rank, ranks.get(state, rank))

    def _edges(self, place: int, trigger: int) -> tuple[object, ...]:
        """Return what stands for the edges of a trigger: those of inputs of the top are the same everywhere."""
        here = self.hierarchy.places[place]
        fragment = here.plan.fragment
        edges: set[tuple[str, int]] = set()
        for edge, node, _ in fragment.triggers[trigger].edges:
            if fragment.builder.op[node] != _READ:
                return (f"{place}", trigger)
            edges.add((edge, self._source(here.uses[fragment.builder.param[node]])))
        return tuple(sorted(edges))

    def _source(self, wire: int) -> int:
        """Return the outermost wire that is the same signal as a wire."""
        hierarchy = self.hierarchy
        while (wire := hierarchy.find(wire)) not in self._inputs:
            driver = self._connection(wire)
            outside = hierarchy.places[hierarchy.owner[wire]].parent
            if driver is None or driver.process[0] != outside:
                return wire
            parent = hierarchy.places[outside]
            use = _whole_read(parent, driver.value)
            if use < 0 or not self._same(parent.uses[use], wire):
                return wire
            wire = parent.uses[use]
        return wire

    def _is_register(self, wire: int) -> bool:
        """Say whether clocked processes assign a wire, here or in an instance of whose whole port it is the net."""
        hierarchy, drivers = self.hierarchy, self.drivers
        while (wire := hierarchy.find(wire)) not in drivers.clocked:
            driver = self._connection(wire)
            if driver is None or driver.value >= len(hierarchy.signal) or not self._same(driver.value, wire):
                return False
            wire = driver.value
        return wire not in drivers.driven

    def _connection(self, wire: int) -> Driver | None:
        """Return the connection that drives the whole of a wire, if that is all that does."""
        driven = self.drivers.driven.get(wire, [])
        alone = len(driven) == 1 and wire not in self.drivers.clocked and wire not in self.drivers.outer
        if not alone or driven[0].process[1] >= 0 or driven[0].low or driven[0].bit:
            return None
        return driven[0] if driven[0].width == self.hierarchy.signal[wire].bits else None

    def _same(self, a: int, b: int) -> bool:
        return joins(self.hierarchy.signal[a], self.hierarchy.signal[b])


def _whole_read(place: InstancePlace, item: int) -> int:
    """Return the use that an item of an instance reads as a whole, or -1."""
    builder, node = place.plan.fragment.builder, item - place.first_item
    return builder.param[node] if builder.op[node] == _READ else -1
