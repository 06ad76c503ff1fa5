"""Make signals forceable: logic that puts a given value in the place of what drives a signal (IEEE 1800-2023 10.6.2).

A force is more logic, so it works on every engine and costs only what it adds: a forced signal becomes
`mux(enable, value, driven)`, where `enable` and `value` are new input states; all readers see the mux, and a register
keeps its own state behind it. The pass works on the linked design, where signals are still apart: in the finished graph
two signals with equal values are one node, and forcing one would force the other.

To force, write `value`, then 1 to `enable`, and settle. To release, write 0 to `enable`; a variable keeps the forced
value until its next assignment, so its own states (`ForcePoint.driven` reads them) must be given that value first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from weft.base.dataclass import dataclass
from weft.base.errors import Unsupported, UserError
from weft.ir.cone_graph import ConeGraph, State
from weft.ir.ops import CODE
from weft.passes.elaborate_instances import Hierarchy
from weft.passes.link_items import LinkedItems

_MUX = CODE["mux"]
_ENABLE, _VALUE = "$force_enable ", "$force_value "


@dataclass(frozen=True, slots=True)
class ForcePoint:
    """Be a signal that can be forced: its node, its states, and the node of what drives it when it is not."""

    node: int
    enable: int
    value: int
    driven: int


def find_forced_wires(hierarchy: Hierarchy, paths: Collection[str]) -> dict[int, str]:
    """Return the canonical wires of the signals with these hierarchical names."""
    if not paths:
        return {}
    wanted, found = set(paths), dict[int, str]()
    for place in hierarchy.places:
        for index, signal in enumerate(place.plan.signals):
            path = f"{place.path}.{signal.name}"
            if path in wanted:
                wanted.discard(path)
                found[hierarchy.find(place.first_wire + index)] = path
    if wanted:
        raise UserError("unknown-signal", f"no signal is named {sorted(wanted)[0]!r}")
    return found


def refuse_memories(hierarchy: Hierarchy, forced: dict[int, str], memories: dict[int, int]) -> None:
    """Raise for a forced signal that is kept as a memory."""
    for wire, path in forced.items():
        if wire in memories:
            raise Unsupported(f"forcing the memory {path!r}", hierarchy.signal[wire].span)


def force_wire(items: LinkedItems, wire: int, path: str) -> None:
    """Put a force point between a resolved wire and its readers; nothing may read the wire yet."""
    width, states = items.width[wire], items.builder.states
    driven = items.add(items.op[wire], width, items.srcs[wire], items.param[wire])
    items.base[driven], items.built[driven] = items.base[wire], items.built[wire]
    items.built[wire] = -1
    states.append(State(_ENABLE + path, 1, kind="input", initial=0, known=True))
    enable = items.add_node(items.builder.read(len(states) - 1))
    states.append(State(_VALUE + path, width, kind="input", initial=0))
    value = items.add_node(items.builder.read(len(states) - 1))
    items.patch(wire, _MUX, (enable, value, driven))


def find_force_point(graph: ConeGraph, path: str) -> ForcePoint | None:
    """Return the force point of a signal in a finished (perhaps split) graph; None if it was not made forceable."""
    return find_force_points(graph, (path,)).get(path)


def find_force_points(graph: ConeGraph, paths: Iterable[str]) -> dict[str, ForcePoint]:
    """Return the force points that the graph has for some signals, in one pass over it."""
    named = {state.name: index for index, state in enumerate(graph.states) if state.plane != "unknown"}
    wanted: dict[tuple[int, int], str] = {}
    for path in paths:
        enable, value = named.get(_ENABLE + path), named.get(_VALUE + path)
        if enable is not None and value is not None:
            wanted[enable, value] = path
    found: dict[str, ForcePoint] = {}
    read = CODE["read"]
    for node in (graph.op == _MUX).nonzero()[0].tolist() if wanted else ():
        cond, then, driven = graph.sources(node)
        if graph.op[cond] == graph.op[then] == read:
            states = int(graph.param[cond]), int(graph.param[then])
            path = wanted.get(states)
            if path is not None:
                found[path] = ForcePoint(node, *states, driven)
    return found
