"""Find pins: the branches of signals that go to what drives a signal, or to the next value of a register.

`top.f<top.a` is signal `a` as the logic of `f` alone sees it: the input of a gate, where gates are what drives signals;
of an expression, the operand. Logic lies between signals, so pins are found where all signals are forceable, by going
back from what drives one to the signals before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from weft.base.dataclass import replace
from weft.passes.inject_faults import pin_roots, pin_sources
from weft.passes.insert_forces import find_force_points
from weft.sim.cycle_simulation import CycleSimulation
from weft.sim.faults.fault_sites import FaultSite, match_paths
from weft.sim.signal_map import PART_NAME, SignalMap


def find_pins(simulation: CycleSimulation, every: Sequence[FaultSite], patterns: Sequence[str]) -> list[FaultSite]:
    """Return the pins of the signals that globs name; `every` are the sites that all signals of the design have."""
    scalars = {site.path: site for site in every if site.memory < 0 and not site.depth}
    forced = simulation.with_forces(tuple(scalars))
    graph, signals = forced.graph, SignalMap(forced.graph)
    points = find_force_points(graph, scalars)
    at_node: dict[int, str] = {}
    for path in scalars:
        at_node.setdefault(signals.find(path).node, path)
    states = {state.name: number for number, state in enumerate(graph.states) if state.plane != "unknown"}
    found: list[FaultSite] = []
    for path in match_paths(scalars, patterns):
        if path not in points:
            continue
        names = {part: simulation.design.graph.states[part.state].name for part in scalars[path].parts}
        parts = tuple(part for part, name in names.items() if _variable(name, scalars) == path)
        roots = pin_roots(graph, points[path].driven, [states[names[part]] for part in parts])
        for node in pin_sources(graph, roots, set(at_node)):
            source = scalars[at_node[node]]
            name = f"{path}<{source.path}"
            found.append(replace(source, path=name, parts=parts, constants=(), pin=(path, source.path)))
    return found


def _variable(name: str, scalars: Mapping[str, FaultSite]) -> str:
    """Return the path of the variable that a state keeps, or some bits of."""
    match = PART_NAME.fullmatch(name)
    return match[1] if match is not None and name not in scalars else name
