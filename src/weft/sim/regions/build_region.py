"""Compile one module, with all that is below it, as a region: its graph, its program, its first state, its stub.

The pipeline is that of cycle simulation in four states (`sim.elaborate`), with the clocks cut out
(`passes.cut_clocks`). Declarations and initial procedures are interpreted when the region is built; what they leave is
copied for each instance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, field, replace
from weft.base.errors import Unsupported
from weft.ir.cone_graph import SETTLE, ConeGraph
from weft.ir.design import Design, Kind, Module, Port, Signal
from weft.ir.layout import StateLayout, place_state
from weft.ir.ops import CODE, mask
from weft.ir.program import StateArray
from weft.ir.region import (
    FOLLOWS_STEP,
    Region,
    RegionGroup,
    RegionInput,
    RegionOutput,
    RegionShape,
    RegionTrigger,
    group_bit,
)
from weft.passes.cut_clocks import CutGraph, cut_clocks
from weft.passes.flatten_design import flatten_design
from weft.passes.fragment import Fragment
from weft.passes.lower_module import lower_module
from weft.passes.rebuild_graph import drop_dead_nodes, needed_by_sinks
from weft.passes.sample_inputs import InputSample, SampledInputs
from weft.passes.simplify_nodes import simplify_exact, simplify_two_state
from weft.passes.split_planes import split_planes
from weft.sim.design_cache import compiler_version, hash_words
from weft.sim.regions.await_changes import BEGUN, RAN, STARTED, await_changes, late_ports, late_signals
from weft.sim.regions.first_state import MemoryImages, first_state
from weft.sim.regions.mixed_design import BuiltRegion

_MOST_TRIGGERS = 64
"""A word says which have fired (`code_regions`)."""

_READ, _MEMREAD = CODE["read"], CODE["memread"]


@dataclass(slots=True, eq=False)
class RegionBuilder:
    """Build regions of one design; what modules they share is lowered once."""

    design: Design
    whole: bool = True
    """Whether the state that no output depends on is kept, for people who look at it."""
    _modules: dict[tuple[Module, frozenset[str]], Module] = field(
        default_factory=dict[tuple[Module, frozenset[str]], Module]
    )
    _fragments: dict[Module, Fragment] = field(default_factory=dict[Module, Fragment])

    def build(self, module: Module) -> BuiltRegion:
        """Return a module as a region; raise `Unsupported` if it cannot be one."""
        module = self._awaiting(module, frozenset())
        modules = modules_below(module)
        for each in modules:
            if each not in self._fragments:
                self._fragments[each] = lower_module(each, four_state=True, simplify=simplify_exact, sampled=True)
        part = Design(self.design.sources, [(module.name, module)], modules)
        fragments = {each: self._fragments[each] for each in modules}
        sampled = SampledInputs()
        graph = flatten_design(
            part, fragments, four_state=True, loops="error", simplify=simplify_exact, sampled=sampled
        )
        graph, _ = drop_dead_nodes(graph)
        cut = cut_clocks(graph, module.span, simplify_exact)
        if not cut.triggers:
            raise Unsupported("a module without a clock", module.span)
        if len(cut.triggers) > _MOST_TRIGGERS:
            raise Unsupported(f"a module that waits for more than {_MOST_TRIGGERS} sets of edges", module.span)
        if sampled.distant is not None:
            raise Unsupported("a clock that an assignment inside passes on", sampled.distant)
        return self._finish(
            module, cut, sampled, any(p.kind == Kind.INITIAL for each in modules for p in each.processes)
        )

    def _awaiting(self, module: Module, late: frozenset[str]) -> Module:
        """Return a module whose `always @*` await changes, some input ports of which assignments give first values."""
        new = self._modules.get((module, late))
        if new is None:
            signals = late_signals(module, late)
            instances = [
                replace(each, module=self._awaiting(each.module, late_ports(each, signals)))
                for each in module.instances
            ]
            new = self._modules[module, late] = await_changes(replace(module, instances=instances), signals)
        return new

    def _finish(self, module: Module, cut: CutGraph, sampled: SampledInputs, initial: bool) -> BuiltRegion:
        inputs = _input_states(cut.graph, module)
        graph = split_planes(cut.graph, simplify_two_state).graph
        outputs, early = _split_outputs(graph, module, sampled)
        if not self.whole:
            graph = _without_unseen(graph, [node for half in outputs for _, nodes in half for node in nodes])
        orders = [[node for _, nodes in half for node in nodes] for half in outputs]
        key = (
            hash_words([compiler_version(), self.design.digest, module.key, f"region {self.whole}"])
            if self.design.digest
            else ""
        )
        latches = [node for write in graph.writes if write.domain == SETTLE for node in (write.value, write.enable)]
        passing = _inputs_below(graph, [*orders[1], *latches])
        layout = place_state(graph.states)
        blocking = frozenset(sampled.early)
        blocking |= {graph.states[state].twin for state in blocking} - {-1}
        again = _counting(graph, blocking)
        begun, started = (_plusarg_state(graph, name) for name in (BEGUN, STARTED))
        ran = [n for n, state in enumerate(graph.states) if state.name.endswith(RAN) and state.plane != "unknown"]
        once = tuple(state for state in (begun, started, *ran) if state >= 0)
        flags = tuple(trigger.flag for trigger in cut.triggers)
        steps = _steps(cut)
        fired = [frozenset(flag for number, flag in enumerate(flags) if step >> number & 1) for step in steps]
        shape = RegionShape(flags, tuple(fired), tuple(orders[0]), tuple(orders[1]), once, blocking)
        signals = {state: port.signal for port, state in inputs}
        slots = layout.slots
        ports = {port: _stub_signal(port) for port in module.ports}
        followed = _region_groups(graph, layout, inputs, sampled, passing)
        below = _groups_below(graph, [states for _, states in followed])
        groups, through = _reached(graph, followed, below, outputs[1], _places(graph, outputs[1], ports))
        region = Region(
            ports=tuple(_place_input(graph, layout, port.signal, state) for port, state in inputs),
            samples=_region_samples(graph, layout, cut, sampled),
            groups=groups,
            triggers=tuple(
                RegionTrigger(
                    tuple((signals[clock], edge) for clock, edge in trigger.edges),
                    slots[trigger.flag].offset,
                    trigger.flag in again,
                )
                for trigger in cut.triggers
            ),
            steps=steps,
            direct=_places(graph, outputs[0], ports),
            through=through,
            early=early,
            initial=initial,
            settles=bool(latches) or bool(orders[1]),
            latches=_latch_places(graph, layout, below),
            begun=slots[begun].offset if begun >= 0 else -1,
            started=slots[started].offset if started >= 0 else -1,
            span=module.span,
        )
        stub = replace(
            module,
            signals=list(ports.values()),
            ports=[replace(port, signal=signal) for port, signal in ports.items()],
            assigns=[],
            processes=[],
            instances=[],
            functions=[],
        )
        sources = self.design.sources
        state = first_state(graph, layout, sources)
        images = MemoryImages(graph, sources)
        changed = first_state(graph, layout, sources, images) if initial else state
        changes = _changes(graph, layout, state, changed)
        _forget_bodies(graph)
        return BuiltRegion(
            stub, region, graph, shape, key, state, changes, changed, tuple(images.paths), bytes(images.said)
        )


def modules_below(module: Module) -> list[Module]:
    """Return a module and all below it, those inside others first."""
    found: dict[Module, None] = {}

    def visit(each: Module) -> None:
        if each not in found:
            for instance in each.instances:
                visit(instance.module)
            found[each] = None

    visit(module)
    return list(found)


def _input_states(graph: ConeGraph, module: Module) -> list[tuple[Port, int]]:
    """Return the state behind each input port."""
    top = graph.scopes[0]
    at = {signal: number for number, signal in enumerate(top.module.signals)}
    found: list[tuple[Port, int]] = []
    for port in module.ports:
        if port.direction == "input":
            node = int(top.nodes[at[port.signal]])
            state = int(graph.param[node]) if node >= 0 and graph.op[node] == _READ else -1
            if state < 0 or graph.states[state].kind != "input":
                raise Unsupported(f"the input port '{port.name}' of this kind", port.signal.span)
            found.append((port, state))
    return found


_Half = list[tuple[Port, tuple[int, ...]]]


def _region_groups(
    graph: ConeGraph,
    layout: StateLayout,
    inputs: list[tuple[Port, int]],
    sampled: SampledInputs,
    passing: set[int],
) -> list[tuple[RegionGroup, set[int]]]:
    """Return the inputs that logic follows, by what it follows, and the states that hold them.

    Outputs or latches read those of `passing`.
    """
    reads = (graph.op == _READ) & needed_by_sinks(graph, keep_names=False)
    live = set(graph.param[reads].tolist()) | passing
    groups: dict[int, list[InputSample]] = {}
    for sample in sampled.samples:
        if sample.group >= 0:
            groups.setdefault(sample.group, []).append(sample)
    for port, state in inputs:
        whole = frozenset({(0, port.signal.width)})
        groups[-1 - state] = [InputSample(state, port.signal, 0, -1, ranges=whole)]
    found: list[tuple[RegionGroup, set[int]]] = []
    for group in groups.values():
        planes = [{each.state, graph.states[each.state].twin} for each in group]
        if any(each & live for each in planes):
            places = [_place_input(graph, layout, each.port, each.state) for each in group]
            ranges = [tuple(sorted(each.ranges)) for each in group]
            inputs_ = tuple(replace(place, ranges=some) for place, some in zip(places, ranges, strict=True))
            states = {state for each in planes for state in each if state >= 0}
            found.append((RegionGroup(inputs_), states))
    return found


def _region_samples(
    graph: ConeGraph, layout: StateLayout, cut: CutGraph, sampled: SampledInputs
) -> tuple[RegionInput, ...]:
    """Return the places of inputs that clocked procedures read."""
    numbers = {trigger.flag: number for number, trigger in enumerate(cut.triggers)}
    found: list[RegionInput] = []
    for sample in sampled.samples:
        if sample.domain >= 0:
            (flag,) = _inputs_below(graph, [graph.domains[sample.domain].trigger])
            place = _place_input(graph, layout, sample.port, sample.state)
            found.append(replace(place, trigger=numbers[flag]))
    return tuple(found)


def _place_input(graph: ConeGraph, layout: StateLayout, port: Signal, state: int) -> RegionInput:
    twin = graph.states[state].twin
    slot = layout.slots[state]
    return RegionInput(port, slot.offset, layout.slots[twin].offset if twin >= 0 else -1, slot.stride)


def _latch_places(graph: ConeGraph, layout: StateLayout, below: list[int]) -> tuple[tuple[int, int], ...]:
    """Return where latches that inputs reach lie in the state, as offsets and sizes, neighbours joined."""
    latches = [write for write in graph.writes if write.domain == SETTLE]
    inputs = mask(FOLLOWS_STEP)
    reached = {write.state for write in latches if (below[write.value] | below[write.enable]) & inputs}
    found: list[tuple[int, int]] = []
    for number, slot in enumerate(layout.slots):
        if number in reached:
            size = slot.stride * max(slot.depth, 1)
            if found and sum(found[-1]) == slot.offset:
                found[-1] = (found[-1][0], found[-1][1] + size)
            else:
                found.append((slot.offset, size))
    return tuple(found)


def _split_outputs(graph: ConeGraph, module: Module, sampled: SampledInputs) -> tuple[tuple[_Half, _Half], int]:
    """Return the output ports that are registers, and those that logic computes, each with its planes' nodes.

    They are in the order in which the processes that assign registers make them change; so many registers come before
    the first logic.
    """
    top = graph.scopes[0]
    assert top.unknowns is not None
    at = {signal: number for number, signal in enumerate(top.module.signals)}
    halves: tuple[_Half, _Half] = [], []
    for port in module.ports:
        if port.direction == "output":
            value, unknown = int(top.nodes[at[port.signal]]), int(top.unknowns[at[port.signal]])
            if value < 0 or port.signal.depth:
                raise Unsupported(f"the output port '{port.name}' of this kind", port.signal.span)
            nodes = (value, unknown) if port.signal.type.four_state else (value,)
            halves[port.signal not in sampled.registers].append((port, nodes))
    last = (len(graph.scopes), 0, 0)
    ranks = {
        port: min((sampled.ranks.get(state, last) for state in _states_below(graph, nodes)), default=last)
        for half in halves
        for port, nodes in half
    }
    for half in halves:
        half.sort(key=lambda output: ranks[output[0]])
    first = min((ranks[port] for port, _ in halves[1]), default=last)
    return halves, sum(ranks[port] <= first for port, _ in halves[0])


def _steps(cut: CutGraph) -> tuple[int, ...]:
    """Return which triggers each edge fires, as masks, each once."""
    masks: dict[tuple[int, str], int] = {}
    for number, trigger in enumerate(cut.triggers):
        for edge in trigger.edges:
            masks[edge] = masks.get(edge, 0) | 1 << number
    return tuple(dict.fromkeys(masks.values()))


def _counting(graph: ConeGraph, blocking: frozenset[int]) -> set[int]:
    """Return the flags of triggers whose procedures read what they have assigned with `=` in an earlier run."""
    reads = ((graph.op == _READ) | (graph.op == _MEMREAD)) & needed_by_sinks(graph, keep_names=False)
    kept = blocking & set(graph.param[reads].tolist())
    writes = [write for write in (*graph.writes, *graph.memory_writes) if write.state in kept]
    return _inputs_below(graph, [graph.domains[write.domain].trigger for write in writes])


def _inputs_below(graph: ConeGraph, nodes: list[int] | tuple[int, ...]) -> set[int]:
    """Return the input states that some nodes depend on."""
    return {state for state in _states_below(graph, nodes) if graph.states[state].kind == "input"}


def _states_below(graph: ConeGraph, nodes: list[int] | tuple[int, ...]) -> set[int]:
    """Return the states that some nodes depend on."""
    seen, stack, found = set(nodes), list(nodes), set[int]()
    while stack:
        node = stack.pop()
        if graph.op[node] in (_READ, _MEMREAD):
            found.add(int(graph.param[node]))
        for source in graph.sources(node):
            if source not in seen:
                seen.add(source)
                stack.append(source)
    return found


def _without_unseen(graph: ConeGraph, nodes: list[int]) -> ConeGraph:
    """Return the graph without the writes of states that these nodes do not depend on, through other states either."""
    sinks: dict[int, set[int]] = {}
    for write in graph.writes:
        sinks.setdefault(write.state, set()).update((write.value, write.enable, graph.domains[write.domain].trigger))
    for each in graph.memory_writes:
        used = {each.address, each.value, each.enable, graph.domains[each.domain].trigger}
        sinks.setdefault(each.state, set()).update(used if each.mask < 0 else {*used, each.mask})
    seen, stack, states = set(nodes), list(nodes), set[int]()
    while stack:
        node = stack.pop()
        found = set(graph.sources(node))
        if graph.op[node] in (_READ, _MEMREAD) and int(graph.param[node]) not in states:
            states.add(int(graph.param[node]))
            found |= sinks.get(int(graph.param[node]), set())
        stack += found - seen
        seen |= found
    return replace(
        graph,
        writes=[write for write in graph.writes if write.state in states],
        memory_writes=[write for write in graph.memory_writes if write.state in states],
    )


def _stub_signal(port: Port) -> Signal:
    """Return the stub's signal of a port: outputs become variables, which the region's step assigns."""
    if port.direction == "input":
        return port.signal
    return replace(port.signal, net="", initial=None)


def _places(graph: ConeGraph, half: _Half, ports: dict[Port, Signal]) -> tuple[RegionOutput, ...]:
    """Lay out outputs in the buffer, plane after plane, as the functions that fill it do."""
    found: list[RegionOutput] = []
    at = 0
    for port, nodes in half:
        places: list[int] = []
        for node in nodes:
            places.append(at)
            at += (int(graph.width[node]) + 63) // 64 * 8
        found.append(RegionOutput(ports[port], places[0], places[1] if len(places) > 1 else -1))
    return tuple(found)


def _reached(
    graph: ConeGraph,
    followed: list[tuple[RegionGroup, set[int]]],
    below: list[int],
    half: _Half,
    outputs: tuple[RegionOutput, ...],
) -> tuple[tuple[RegionGroup, ...], tuple[RegionOutput, ...]]:
    """Return groups of inputs and outputs of logic with what they have to do with each other."""
    found: list[RegionOutput] = []
    joined = apart = 0
    for (_, nodes), output in zip(half, outputs, strict=True):
        marks = 0
        for node in nodes:
            marks |= below[node]
        # A constant output is stored at the start, as one that depends on states is.
        found.append(replace(output, groups=marks or 1 << FOLLOWS_STEP))
        joined |= marks if marks >> FOLLOWS_STEP else 0
        apart |= 0 if marks >> FOLLOWS_STEP else marks
    for write in graph.writes:
        if write.domain == SETTLE:
            joined |= below[write.value] | below[write.enable]
    groups = tuple(
        replace(group, joins=bool(joined >> group_bit(number) & 1), parts=bool(apart >> group_bit(number) & 1))
        for number, (group, _) in enumerate(followed)
    )
    return groups, tuple(found)


def _groups_below(graph: ConeGraph, groups: list[set[int]]) -> list[int]:
    """Return for each node what it depends on: a bit for each group of inputs, by their states, and `FOLLOWS_STEP`."""
    of_state = [0 if state.kind == "input" else 1 << FOLLOWS_STEP for state in graph.states]
    for number, states in enumerate(groups):
        for state in states:
            of_state[state] = 1 << group_bit(number)
    starts, srcs = graph.start.tolist(), graph.src.tolist()
    below: list[int] = []
    for node, (op, state) in enumerate(zip(graph.op.tolist(), graph.param.tolist(), strict=True)):
        marks = of_state[state] if op in (_READ, _MEMREAD) else 0
        for source in srcs[starts[node] : starts[node + 1]]:
            marks |= below[source]
        below.append(marks)
    return below


def _plusarg_state(graph: ConeGraph, name: str) -> int:
    """Return the state that stands for a plusarg, or -1."""
    return next((n for n, state in enumerate(graph.states) if state.name == f"$test$plusargs({name})"), -1)


def _changes(graph: ConeGraph, layout: StateLayout, before: StateArray, after: StateArray) -> NDArray[np.uint64]:
    """Return where two states differ, as a table of offsets and sizes; latches follow by themselves."""
    differs = before != after
    for state, slot in zip(graph.states, layout.slots, strict=True):
        if state.kind == "latch":
            differs[slot.offset : slot.offset + slot.stride * max(slot.depth, 1)] = False
    bounds = np.flatnonzero(np.diff(np.concatenate(([0], differs.astype(np.int8), [0])))).reshape(-1, 2)
    table = [word for begin, end in bounds.tolist() for word in (begin, end - begin)]
    return np.array([*table, 0, 0], np.uint64)


def _forget_bodies(graph: ConeGraph) -> None:
    """Keep of the modules inside only what names signals."""
    short: dict[Module, Module] = {}
    for scope in graph.scopes:
        module = scope.module
        scope.module = short.setdefault(module, Module(module.name, module.key, signals=module.signals))
