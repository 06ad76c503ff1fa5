"""Make the two designs of a campaign, the good machine and the faulty one, and the numbers by which a lane has a fault.

The design is compiled again with its sites forceable (from the cache, the second time). `passes.inject_faults` turns
that into two graphs with one state table: so a state of the good machine, at any cycle, is one that lanes can begin
from, and their states can be compared with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, replace
from weft.base.errors import Unsupported, UserError
from weft.ir.program import Program, StateArray
from weft.passes.collapse_faults import FaultCollapser
from weft.passes.inject_faults import (
    ALWAYS,
    CLOCK,
    CYCLE,
    ELEMENT,
    FLIP,
    KEEP,
    PIECE,
    SITE,
    UPSET,
    Injection,
    InjectionPlan,
    inject_faults,
    pin_logic,
)
from weft.passes.insert_forces import ForcePoint, find_force_points
from weft.sim.choose_clock import ChosenClock, make_clock
from weft.sim.compile_design import make_program
from weft.sim.compiled_design import CompiledDesign
from weft.sim.cycle_engine import copy_states
from weft.sim.cycle_simulation import CycleSimulation
from weft.sim.design_cache import hash_words
from weft.sim.faults.fault_list import SA0, TRANSIENT, FaultList
from weft.sim.faults.fault_sites import FaultSite, match_paths
from weft.sim.signal_map import PART_NAME, SignalMap

COMBINATIONAL_PERIOD_FS = 10_000_000
"""The length of a cycle of a design that has no clock."""


@dataclass(slots=True)
class FaultDesign:
    """Hold both machines; `wires` gives for each site's path the one that its force point has.

    `stored` are the numbers of sites that are registers or latches, so that their transients are upsets.
    """

    good: CompiledDesign
    faulty: CompiledDesign
    injection: Injection
    program: Program
    clocks: tuple[ChosenClock, ...]
    start: StateArray
    observed: tuple[str, ...]
    wires: dict[str, str]
    upset_states: dict[int, int]
    stored: frozenset[int]
    forced: CompiledDesign
    points: dict[str, ForcePoint]
    observed_nodes: tuple[int, ...]

    def place(self, machine: CompiledDesign, name: str) -> int:
        """Return the state of a name of `passes.inject_faults`."""
        return self.injection.named[name]

    # ------------------------------------------------------------------------------------------ single faults

    def choices(self, sites: Sequence[FaultSite], faults: FaultList) -> dict[str, NDArray[np.uint32]]:
        """Return for each fault the values of the states that choose it."""
        count = len(faults)
        columns = {name: np.zeros(count, np.uint32) for name in (SITE, UPSET, KEEP, FLIP, CYCLE, ELEMENT)}
        flat = faults.flat_bits(sites)
        bits = flat.copy()
        for number in np.unique(faults.site).tolist():
            site = sites[number]
            mine = faults.site == number
            flips = mine & (faults.model == TRANSIENT)
            stuck = mine & ~flips
            if stuck.any():
                columns[SITE][stuck] = self._first_piece(site) + bits[stuck] // PIECE
            if not flips.any():
                continue
            if site.memory >= 0:
                columns[UPSET][flips] = self._upset(site.memory) + bits[flips] // PIECE
            elif number not in self.stored:
                columns[SITE][flips] = self._first_piece(site) + bits[flips] // PIECE
            else:
                for part in site.parts:
                    here = flips & (flat >= part.low) & (flat < part.low + part.width)
                    bits[here] = flat[here] - part.low + part.state_low
                    columns[UPSET][here] = self._upset(part.state) + bits[here] // PIECE
        one = np.uint32(1) << (bits % PIECE).astype(np.uint32)
        columns[KEEP][:] = np.where(faults.model == TRANSIENT, np.uint32(ALWAYS), ~one)
        columns[FLIP][:] = np.where(faults.model == SA0, np.uint32(0), one)
        columns[CYCLE][:] = np.where(faults.cycle < 0, ALWAYS, faults.cycle).astype(np.uint32)
        columns[ELEMENT][:] = np.maximum(faults.element, 0).astype(np.uint32)
        return columns

    def _first_piece(self, site: FaultSite) -> int:
        if site.memory >= 0:
            return self.injection.memories[self.upset_states[site.memory]]
        if site.pin is not None:
            return self.injection.pins[self.wires[site.pin[0]], self.wires[site.pin[1]]]
        return self.injection.wires[self.wires[site.path]]

    def _upset(self, state: int) -> int:
        return self.injection.upsets[self.upset_states[state]]

    def equivalent(self, sites: Sequence[FaultSite], faults: FaultList) -> tuple[NDArray[np.int64], dict[int, int]]:
        """Return for each fault the first one in the list that no test can tell from it; and which of those dominate.

        The latter gives, for one of those first ones, another that is detected whenever it is.
        """
        nodes = {point.node: point.driven for point in self.points.values()}
        collapser = FaultCollapser(self.forced.graph, nodes, self.observed_nodes)
        first: dict[tuple[int, ...], int] = {}
        same = np.arange(len(faults))
        flat = faults.flat_bits(sites).tolist()
        rows = zip(faults.site.tolist(), faults.element.tolist(), flat, faults.model.tolist(), strict=True)
        cycles = faults.cycle.tolist()
        for number, (site, element, bit, model) in enumerate(rows):
            path = self.wires.get(sites[site].path)
            if sites[site].pin is not None and model != TRANSIENT:
                key = self._follow_pin(collapser, sites[site], bit, model) or (-1, site, element, bit, model, -1)
                same[number] = first.setdefault(key, number)
                continue
            if path is None or (model == TRANSIENT and site in self.stored):
                key = (-1, site, element, bit, model, cycles[number])
            elif model == TRANSIENT:
                key = (-2, self.points[path].node, bit, cycles[number])
            else:
                key = collapser.follow(self.points[path].node, bit, model)
            same[number] = first.setdefault(key, number)
        dominating: dict[int, int] = {}
        for key, number in first.items():
            place = (key[0], key[1], key[2]) if len(key) == 3 else None  # a place of the collapser
            while place is not None and number not in dominating:
                place = collapser.dominating(place)
                if place is not None and place in first:
                    dominating[number] = first[place]
        return same, dominating

    def _follow_pin(self, collapser: FaultCollapser, site: FaultSite, bit: int, value: int) -> tuple[int, ...] | None:
        """Return the fault of a signal that a pin's is, if there is one."""
        assert site.pin is not None
        reader, source = (self.points[self.wires[path]] for path in site.pin)
        ends = {point.node for point in self.points.values()}
        logic = {*pin_logic(self.forced.graph, [reader.driven], ends)} - ends | {reader.node}
        return collapser.follow_branch(source.node, bit, value, logic) if not site.parts else None


def make_fault_design(
    simulation: CycleSimulation,
    sites: Sequence[FaultSite],
    faults: FaultList,
    observe: Sequence[str] | None,
    stimulus: Sequence[str],
    window: int,
    between: Sequence[str] = (),
) -> FaultDesign:
    """Return the machines for the faults of a list, in the state that the simulation is in.

    `between` are more signals to make forceable: all, where there are pins, which are the logic between signals.
    """
    used = np.unique(faults.site)
    flipping = set(np.unique(faults.site[faults.model == TRANSIENT]).tolist())
    sticking = set(np.unique(faults.site[faults.model != TRANSIENT]).tolist())
    wired = {number for number in flipping if sites[number].pin is None}
    owners = {number: _owners(simulation, sites[number]) if number in wired else set[str]() for number in flipping}
    stored = {number for number, paths in owners.items() if paths == {sites[number].path}}
    wires = [
        sites[number].path
        for number in used.tolist()
        if sites[number].memory < 0 and sites[number].pin is None and (number in sticking or number not in stored)
    ]
    wires += between
    # A signal that only shows a register is the register if both are one wire, as a port and its net are.
    doubtful = {path for number in flipping - stored for path in owners[number]}
    forced = simulation.with_forces((*wires, *doubtful))
    signals = SignalMap(forced.graph)
    points = find_force_points(forced.graph, [*wires, *doubtful])
    at_node = {point.node: path for path, point in points.items()}
    names = {path: at_node[signals.find(path).node] for path in (*wires, *doubtful)}
    for number in flipping - stored:
        paths = owners[number]
        if paths and all(names[path] == names[sites[number].path] for path in paths):
            stored.add(number)
    stored |= {number for number in flipping if sites[number].memory >= 0}
    here = {(state.name, state.plane): number for number, state in enumerate(forced.graph.states)}
    old = simulation.design.graph.states

    def moved(state: int) -> int:
        return here[old[state].name, old[state].plane]

    states = {sites[number].memory for number in used.tolist()} - {-1}
    upset = {sites[number].memory for number in flipping} - {-1}
    upset |= {part.state for number in flipping & stored for part in sites[number].parts}
    numbers = {state: moved(state) for state in states | upset}
    observed = _observed(signals, observe)
    nodes = tuple(signals.find(path).node for path in observed)
    clocks = simulation.clocks if simulation.clock_report.clocks or simulation.options.clock else ()
    stuck_memories = {sites[number].memory for number in sticking} - {-1}
    plan = InjectionPlan(
        clock=moved(clocks[0].clock.state) if clocks else -1,
        wires=tuple(sorted(set(names.values()))),
        memories=tuple(sorted(numbers[state] for state in stuck_memories)),
        upsets=tuple(sorted(numbers[state] for state in upset)),
        observed=nodes,
        stimulus=tuple(moved(_input_state(simulation, path)) for path in stimulus),
        window=window,
        pins=tuple(sorted({pin for number in used.tolist() if (pin := _pin(sites[number], names, moved))})),
    )
    good = _injected(forced, inject_faults(forced.graph, plan, record=True), plan, "good")
    injection = inject_faults(forced.graph, plan)
    faulty = _injected(forced, injection, plan, "faulty")
    program = make_program(good, "cpu")
    start = copy_states(simulation.design, simulation.engine.program, simulation.engine.state, good, program)
    if clocks:
        chosen = tuple(
            replace(each, clock=replace(each.clock, state=injection.states[moved(each.clock.state)])) for each in clocks
        )
    else:
        chosen = (ChosenClock(CLOCK, make_clock(injection.clock, COMBINATIONAL_PERIOD_FS)),)
    return FaultDesign(
        good,
        faulty,
        injection,
        program,
        chosen,
        start,
        observed,
        names,
        numbers,
        frozenset(stored),
        forced,
        points,
        nodes,
    )


def _pin(
    site: FaultSite, names: Mapping[str, str], moved: Callable[[int], int]
) -> tuple[str, tuple[int, ...], str] | None:
    """Return a pin as the plan has it: the reader, its states, and what it reads."""
    if site.pin is None:
        return None
    reader, source = site.pin
    return names[reader], tuple(sorted(moved(part.state) for part in site.parts)), names[source]


def _owners(simulation: CycleSimulation, site: FaultSite) -> set[str]:
    """Return the paths of the variables whose states a signal shows; a state can be some bits of one."""
    states = simulation.design.graph.states
    found: set[str] = set()
    for part in site.parts:
        name = states[part.state].name
        match = PART_NAME.fullmatch(name)
        whole = simulation.signals.look_up(name)
        found.add(match[1] if match is not None and whole is None else name)
    return found


def _injected(forced: CompiledDesign, injection: Injection, plan: InjectionPlan, what: str) -> CompiledDesign:
    """Return a design with another graph; what it knows of states is renumbered."""
    states, report = injection.states, forced.clocks
    words = [forced.digest, "faults", what, repr(plan)]
    clocks = replace(
        report,
        clocks=tuple(replace(each, state=states[each.state]) for each in report.clocks),
        derived=tuple(replace(each, state=states[each.state]) for each in report.derived),
        resets=tuple(replace(each, state=states[each.state]) for each in report.resets),
    )
    return replace(
        forced,
        graph=injection.graph,
        digest=hash_words(words),
        watch_memory=states[forced.watch_memory],
        clocks=clocks,
    )


def _observed(signals: SignalMap, observe: Sequence[str] | None) -> tuple[str, ...]:
    """Return the paths of the observed signals: those that globs name, or all outputs of the tops."""
    graph = signals.graph
    if observe is None:
        found = [
            f"{scope.path}.{port.signal.name}"
            for scope in graph.scopes
            if scope.parent < 0
            for port in scope.module.ports
            if port.direction == "output"
        ]
        if not found:
            raise UserError("bad-option", "the top has no outputs: name signals to observe")
        return tuple(found)
    paths = match_paths([path for path, _, _ in signals.paths()], tuple(observe))
    for path in paths:
        if signals.find(path).memory >= 0:
            raise Unsupported(f"observing the memory '{path}' (observe the signals of its ports)")
    return tuple(paths)


def _input_state(simulation: CycleSimulation, path: str) -> int:
    """Return the state of an input of the top."""
    signals = simulation.signals
    found = signals.find(path)
    parts = signals.parts(found.node) if found.node >= 0 else None
    states = simulation.design.graph.states
    if parts is None or len(parts) != 1 or states[parts[0].state].kind != "input":
        raise UserError("read-only", f"'{path}' is no input of the top module, so it has no stimulus")
    if parts[0].state in {clock.clock.state for clock in simulation.clocks}:
        raise UserError("bad-option", f"'{path}' is the clock, so it has no stimulus")
    return parts[0].state


def input_widths(simulation: CycleSimulation, names: Sequence[str]) -> Mapping[str, int]:
    """Return the widths of inputs; raises for what is none."""
    return {name: simulation.design.graph.states[_input_state(simulation, name)].width for name in names}
