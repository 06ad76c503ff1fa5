"""Give every clocked process a domain: one for each distinct set of edges, shared by all instances.

An edge needs to know what the clock was: a `sample` state for each clock node keeps its previous value, written in
SETTLE each step. The trigger is the or of the edges, each with its `iff` condition. Triggers are ordinary nodes, so
equal ones are one node and one domain. A trigger that folds to 0 (a clock that is constant) has no domain.

A clock divider that is written with blocking assignments (`clk2 = ~clk2`) changes in the active region: what waits for
its edge runs before the nonblocking updates of the same time (IEEE 1800-2023 4.4.2), and samples old values. So a clock
that is computed from such a register is taken as it is *after* the step's blocking assignments, and so is all that the
processes waiting for it read of what other domains assign with `=`.
"""

from __future__ import annotations

from collections.abc import Callable, Container

from weft.ir.cone_graph import SETTLE, STARTED, Domain, Effect, State, Write
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE
from weft.passes.elaborate_instances import InstancePlace
from weft.passes.fragment import FragmentEffect, Trigger
from weft.passes.place_memories import MemoryEntry
from weft.passes.resolve_drivers import RegisterWrite

_READ, _MEMREAD = CODE["read"], CODE["memread"]
NEVER = -1
"""Stands for a domain whose trigger is constant 0."""


class DomainTable:
    """Make domains and samples on demand. `names` gives a clock node's name; `build` an item's node."""

    def __init__(
        self,
        builder: GraphBuilder,
        build: Callable[[int], int],
        names: dict[int, str],
        places: list[InstancePlace],
        register_writes: list[RegisterWrite],
        memory_writes: list[MemoryEntry],
    ) -> None:
        self.builder, self.build, self.names, self.places = builder, build, names, places
        self._blocking: dict[int, list[RegisterWrite]] = {}
        for write in register_writes:
            if write.driver.blocking:
                self._blocking.setdefault(write.state, []).append(write)
        self._blocking_memories: dict[int, list[MemoryEntry]] = {}
        for entry in memory_writes:
            if entry.blocking:
                self._blocking_memories.setdefault(entry.state, []).append(entry)
        self._advanced: dict[int, int] = {}
        self._late: dict[int, dict[int, int]] = {}
        self._kept: dict[int, int] = {}
        self._depths: dict[tuple[int, int], int] = {}
        self._advancing: set[int] = set()
        self._samples: dict[int, int] = {}
        self._domains: dict[int, int] = {}
        self._known: dict[tuple[int, int], int] = {}
        self._started = -1

    def domain(self, place: InstancePlace, number: int) -> int:
        """Return the domain of a trigger of an instance, or NEVER."""
        key = (place.first_item, number)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._trigger_domain(place, place.plan.fragment.triggers[number])
        return found

    def add_change(self, name: str, state: int, value: int) -> int:
        """Return a domain that fires when `value` differs from `state`."""
        return self._add(name, self.builder.add("changed", 1, self.builder.read(state), value))

    def add_effect(self, place: InstancePlace, effect: FragmentEffect) -> None:
        """Add an instance's effect; one without a trigger fires when its enable or an argument changes."""
        build, first, builder = self.build, place.first_item, self.builder
        enable = build(first + effect.enable) if effect.enable >= 0 else builder.const(1, 1)
        if builder.value(enable) == 0:
            return
        args = tuple([build(first + arg) if arg >= 0 else -1 for arg in effect.args])
        if effect.trigger >= 0:
            domain = self.domain(place, effect.trigger)
        else:
            watched = dict.fromkeys([enable, *(arg for arg in args if arg >= 0)])
            changes = [builder.add("changed", 1, self.sample(node), node) for node in watched]
            domain = self._add(f"{effect.task.name} in {place.path}", self._either([self._not_started(), *changes]))
        if domain == NEVER:
            return
        enable, args = self.at(domain, enable), tuple([self.at(domain, arg) if arg >= 0 else -1 for arg in args])
        scope = f"{place.path}.{effect.task.scope}" if effect.task.scope else place.path
        unit = place.plan.module.time_unit_fs
        builder.effects.append(
            Effect(effect.task, args, enable, domain, scope, postponed=effect.postponed, time_unit_fs=unit)
        )

    def sample(self, node: int) -> int:
        """Return the node that reads what a node was before the present step."""
        builder = self.builder
        state = self._samples.get(node)
        if state is None:
            state = self._samples[node] = len(builder.states)
            builder.states.append(State(f"{self._name(node)}$before", builder.width[node], kind="sample"))
            builder.writes.append(Write(state, node, builder.const(1, 1), SETTLE))
        return builder.read(state)

    def _trigger_domain(self, place: InstancePlace, trigger: Trigger) -> int:
        first, builder = place.first_item, self.builder
        terms: list[int] = []
        labels: list[str] = []
        late = False
        for edge, node, condition in trigger.edges:
            clock = self.build(first + node)
            if edge != "any":
                clock = builder.slice(clock, 0, 1)  # an edge is one of the lowest bit (IEEE 1800-2023 9.4.2)
            guard = self.build(first + condition) if condition >= 0 else -1
            labels.append(f"{'' if edge == 'any' else edge + ' '}{self._name(clock)}{' iff ...' if guard >= 0 else ''}")
            after = self._after_blocking(clock, NEVER, self._advanced) if self._blocking else clock
            late = late or after != clock
            term = self._edge(edge, after)
            terms.append(term if guard < 0 else builder.add("and", 1, term, guard))
        domain = self._add(" or ".join(dict.fromkeys(labels)), self._either(terms))
        if late and domain != NEVER:
            self._late.setdefault(domain, dict(self._kept))
        return domain

    def at(self, domain: int, node: int) -> int:
        """Return what a node is for a domain's processes: after the blocking assignments that raised its clock."""
        late = self._late.get(domain)
        return node if late is None else self._after_blocking(node, domain, late)

    def keep(self, node: int) -> None:
        """Let a node be the same for all domains, whatever is assigned in the step."""
        for known in (self._kept, self._advanced, *self._late.values()):
            known[node] = node

    def depth(self, place: InstancePlace, number: int) -> int:
        """Return how many processes, one after the other, make the clock of a trigger with `=` in the same step."""
        key = (place.first_item, number)
        found = self._depths.get(key)
        if found is not None:
            return found
        self._depths[key] = 0  # for clocks that make themselves
        builder, depth = self.builder, 0
        clocks = [self.build(place.first_item + node) for _, node, _ in place.plan.fragment.triggers[number].edges]
        for node in (node for clock in clocks for node in _cone(builder, clock, ())):
            state = builder.param[node] if builder.op[node] in (_READ, _MEMREAD) else -1
            makers = [(write.driver.instance, write.driver.trigger) for write in self._blocking.get(state, ())]
            makers += [(entry.instance, entry.trigger) for entry in self._blocking_memories.get(state, ())]
            for instance, trigger in makers:
                depth = max(depth, 1 + self.depth(self.places[instance], trigger))
        self._depths[key] = depth
        return depth

    def _after_blocking(self, root: int, domain: int, new: dict[int, int]) -> int:
        """Return a node with the registers that other domains assign with `=` as they are after this step."""
        builder = self.builder
        for node in _cone(builder, root, new):
            state = builder.param[node] if builder.op[node] in (_READ, _MEMREAD) else -1
            sources = builder.srcs[node]
            if state in self._blocking:
                new[node] = self._next_value(state, node, domain)
            elif state in self._blocking_memories:
                new[node] = self._next_element(state, new[sources[0]], domain)
            elif any(new[source] != source for source in sources):
                moved = tuple([new[source] for source in sources])
                new[node] = builder.node(builder.op[node], builder.width[node], moved, builder.param[node])
            else:
                new[node] = node
        return new[root]

    def _next_value(self, state: int, node: int, domain: int) -> int:
        """Return what a register is after this step's blocking assignments to it, if another domain makes them."""
        if state in self._advancing:
            return node  # a register that takes part in its own clock
        self._advancing.add(state)
        builder, before = self.builder, node
        for write in self._blocking[state]:
            writer = self.domain(self.places[write.driver.instance], write.driver.trigger)
            if writer == domain:
                node = before
                break
            if writer != NEVER:
                enable = self.at(writer, self.build(write.enable)) if write.enable >= 0 else builder.const(1, 1)
                fires = builder.add("and", 1, builder.domains[writer].trigger, enable)
                value = self.at(writer, self.build(write.value))
                node = builder.add("mux", builder.width[node], fires, value, node)
        self._advancing.discard(state)
        return node

    def _next_element(self, state: int, address: int, domain: int) -> int:
        """Return what an element of a memory is after this step's blocking assignments, if other domains make them."""
        builder = self.builder
        value = before = builder.memread(state, address)
        if state in self._advancing:
            return before
        self._advancing.add(state)
        for entry in self._blocking_memories[state]:
            writer = self.domain(self.places[entry.instance], entry.trigger)
            if writer == domain:
                value = before
                break
            if writer != NEVER:
                value = self._forward(entry, writer, address, value)
        self._advancing.discard(state)
        return value

    def _forward(self, entry: MemoryEntry, writer: int, address: int, value: int) -> int:
        """Return an element of a memory, `value` before, as it is after one write."""
        builder, width = self.builder, self.builder.width[value]
        enable = self.at(writer, self.build(entry.enable)) if entry.enable >= 0 else builder.const(1, 1)
        there, new = self.at(writer, self.build(entry.address)), self.at(writer, self.build(entry.value))
        size = max(builder.width[address], builder.width[there], entry.count.bit_length()) + 1
        offset = builder.add("sub", size, builder.add("zext", size, address), builder.add("zext", size, there))
        hit = builder.add("ult", 1, offset, builder.const(size, entry.count))
        if builder.four_state:
            hit = builder.add("true", 1, hit)
        if entry.mask >= 0:
            chosen = self.at(writer, self.build(entry.mask))
            kept = builder.add("and", width, value, builder.add("not", width, chosen))
            new = builder.add("or", width, kept, builder.add("and", width, new, chosen))
        fires = builder.add("and", 1, builder.add("and", 1, builder.domains[writer].trigger, enable), hit)
        return builder.add("mux", width, fires, new, value)

    def _edge(self, edge: str, clock: int) -> int:
        builder = self.builder
        if builder.value(clock) is not None and not builder.four_state:
            return builder.const(1, 0)
        before = self.sample(clock)
        if edge == "any" or (edge == "edge" and not builder.four_state):
            return builder.add("changed", 1, before, clock)
        if edge == "edge":
            either = (builder.add("posedge", 1, before, clock), builder.add("negedge", 1, before, clock))
            return builder.add("or", 1, *either)
        return builder.add(edge, 1, before, clock)

    def _not_started(self) -> int:
        """Return a node that is 1 in the first step only: combinational effects happen at time 0 as well."""
        builder = self.builder
        if self._started < 0:
            self._started = len(builder.states)
            builder.states.append(State(STARTED, 1, kind="sample", initial=0))
            one = builder.const(1, 1)
            builder.writes.append(Write(self._started, one, one, SETTLE))
        return builder.add("not", 1, builder.read(self._started))

    def _either(self, terms: list[int]) -> int:
        result = self.builder.const(1, 0)
        for term in dict.fromkeys(terms):
            result = term if self.builder.value(result) == 0 else self.builder.add("or", 1, result, term)
        return result

    def _add(self, name: str, trigger: int) -> int:
        if self.builder.value(trigger) == 0:
            return NEVER
        found = self._domains.get(trigger)
        if found is None:
            found = self._domains[trigger] = len(self.builder.domains)
            self.builder.domains.append(Domain(name, trigger))
        return found

    def _name(self, node: int) -> str:
        return self.names.get(node, f"node{node}")


def _cone(builder: GraphBuilder, root: int, known: Container[int]) -> list[int]:
    """Return the nodes that a node depends on, itself included, in evaluation order, down to those known already."""
    seen = set[int]() if root in known else {root}
    pending = list(seen)
    while pending:
        for source in builder.srcs[pending.pop()]:
            if source not in seen and source not in known:
                seen.add(source)
                pending.append(source)
    return sorted(seen)
