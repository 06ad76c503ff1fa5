"""Instantiate the module tree: who is where, and which number each signal of each instance has.

Every signal of every instance gets a number (its *wire*); `Hierarchy.wires` resolves a fragment's uses to wires, once
per instance. What a fragment contains is scanned once per module, in a `ModulePlan`, not once per instance.

Ports that are connections rather than drivers (`inout`, `ref`) make one wire out of two: where a whole port meets a
whole signal they get one canonical wire here; a port on a part of a signal is left to `resolve_drivers`.
"""

from __future__ import annotations

from collections.abc import Mapping

from weft.base.dataclass import dataclass, field, replace
from weft.base.errors import InternalError
from weft.ir.design import Design, Module, Signal
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE
from weft.passes.find_latches import PlannedDrive, plan_drives
from weft.passes.fragment import Clocked, Connection, Fragment

_CONST, _READ, _MEMREAD = CODE["const"], CODE["read"], CODE["memread"]


@dataclass(slots=True)
class ModulePlan:
    """Hold what all instances of a module have in common.

    `reads` and `memreads` are (node, use); `constants` are (node, node in the global builder); `drives` are cut into
    latches and logic; `clocked` has adjacent entries joined: each is (entry, value nodes).
    """

    module: Module
    fragment: Fragment
    signals: list[Signal]
    index: dict[Signal, int]
    children: dict[str, int]
    reads: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    memreads: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    constants: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    drives: list[PlannedDrive] = field(default_factory=list[PlannedDrive])
    clocked: list[tuple[Clocked, tuple[int, ...]]] = field(default_factory=list[tuple[Clocked, tuple[int, ...]]])


@dataclass(slots=True)
class InstancePlace:
    """Be one instance: its wires are `first_wire + plan.index[signal]`, its fragment's items begin at `first_item`."""

    plan: ModulePlan
    path: str
    parent: int
    number: int
    first_wire: int
    children: list[int] = field(default_factory=list[int])
    uses: list[int] = field(default_factory=list[int])
    first_item: int = 0


@dataclass(slots=True)
class Hierarchy:
    """Hold the instances, parents before children, and the wires.

    `signal[w]` and `owner[w]` are the signal and instance of wire w (owner -1: the simulation itself); `canonical[w]`
    is the wire that w is joined with. `roots` are the top instances and then the packages.
    """

    design: Design
    places: list[InstancePlace] = field(default_factory=list[InstancePlace])
    signal: list[Signal] = field(default_factory=list[Signal])
    owner: list[int] = field(default_factory=list[int])
    canonical: list[int] = field(default_factory=list[int])
    roots: dict[str, int] = field(default_factory=dict[str, int])
    shared: dict[str, int] = field(default_factory=dict[str, int])
    tops: int = 0

    def add_wire(self, signal: Signal, owner: int) -> int:
        """Add a wire and return its number."""
        self.signal.append(signal)
        self.owner.append(owner)
        self.canonical.append(len(self.canonical))
        return len(self.signal) - 1

    def find(self, wire: int) -> int:
        """Return the canonical wire."""
        canonical = self.canonical
        while canonical[wire] != wire:
            wire = canonical[wire]
        return wire

    def name(self, wire: int, low: int = 0, width: int = 0) -> str:
        """Return the hierarchical name of a wire, or of some of its bits."""
        signal = self.signal[wire]
        owner = self.owner[wire]
        name = f"{self.places[owner].path}.{signal.name}" if owner >= 0 else signal.name
        if width in (0, signal.bits):
            return name
        return f"{name}[{low}]" if width == 1 else f"{name}[{low + width - 1}:{low}]"

    def wire(self, place: int, signal: Signal, path: tuple[str, ...]) -> int:
        """Return the canonical wire that a signal reached by a path from an instance has."""
        if signal.name.startswith("$"):
            return self._shared_wire(signal)
        steps = iter(path)
        if path and path[0] == "$root":
            next(steps)
            place = self.roots[next(steps)]
        for step in steps:
            here = self.places[place]
            place = here.children[here.plan.children[step]]
        here = self.places[place]
        index = here.plan.index.get(signal)
        if index is None:
            raise InternalError(f"signal {signal.name} is not one of {here.path} (path {'.'.join(path)})")
        return self.find(here.first_wire + index)

    def _shared_wire(self, signal: Signal) -> int:
        wire = self.shared.get(signal.name)
        if wire is None:
            wire = self.shared[signal.name] = self.add_wire(signal, -1)
        return wire


def elaborate_instances(design: Design, fragments: Mapping[Module, Fragment], builder: GraphBuilder) -> Hierarchy:
    """Build the tree of instances, number the wires, join inout ports, and resolve every use."""
    hierarchy = Hierarchy(design)
    plans: dict[Module, ModulePlan] = {}
    for name, module in [*design.tops, *design.packages]:
        hierarchy.roots[name] = _add_tree(hierarchy, plans, fragments, builder, name, module)
    hierarchy.tops = len(design.tops)
    for number, place in enumerate(hierarchy.places):
        for connection in place.plan.fragment.connections:
            _join(hierarchy, number, place, connection)
    for number, place in enumerate(hierarchy.places):
        place.uses = [hierarchy.wire(number, use.signal, use.path) for use in place.plan.fragment.uses]
    return hierarchy


def child_port(hierarchy: Hierarchy, place: InstancePlace, connection: Connection) -> tuple[int, str]:
    """Return the (not canonical) wire and the direction of the port at the other end of a connection."""
    child = hierarchy.places[place.children[connection.instance]]
    port = child.plan.module.ports[connection.port]
    return child.first_wire + child.plan.index[port.signal], port.direction


def _add_tree(
    hierarchy: Hierarchy,
    plans: dict[Module, ModulePlan],
    fragments: Mapping[Module, Fragment],
    builder: GraphBuilder,
    name: str,
    module: Module,
) -> int:
    first = len(hierarchy.places)
    pending = [(name, module, -1, 0)]
    while pending:
        path, module, parent, number = pending.pop()
        plan = plans.get(module)
        if plan is None:
            plan = plans[module] = plan_module(module, fragments[module], builder)
        me = len(hierarchy.places)
        hierarchy.places.append(InstancePlace(plan, path, parent, number, len(hierarchy.signal)))
        hierarchy.places[me].children = [-1] * len(module.instances)
        if parent >= 0:
            hierarchy.places[parent].children[number] = me
        for signal in plan.signals:
            hierarchy.add_wire(signal, me)
        instances = module.instances
        pending += [
            (f"{path}.{instances[i].name}", instances[i].module, me, i) for i in reversed(range(len(instances)))
        ]
    return first


def plan_module(module: Module, fragment: Fragment, builder: GraphBuilder) -> ModulePlan:
    """Scan a fragment for what instantiation needs; its constants go to the global builder at once."""
    index = {signal: i for i, signal in enumerate(module.signals)}
    for use in fragment.uses:
        if not use.path and use.signal not in index and not use.signal.name.startswith("$"):
            index[use.signal] = len(index)
    children = {instance.name: i for i, instance in enumerate(module.instances)}
    plan = ModulePlan(module, fragment, list(index), index, children)
    local = fragment.builder
    params, widths = local.param, local.width
    for node, op in enumerate(local.op):
        if op == _CONST:
            plan.constants.append((node, builder.const(widths[node], *local.constants[params[node]])))
        elif op == _READ:
            plan.reads.append((node, params[node]))
        elif op == _MEMREAD:
            plan.memreads.append((node, params[node]))
    plan.drives = plan_drives(fragment)
    plan.clocked = _join_clocked(fragment)
    return plan


def _join_clocked(fragment: Fragment) -> list[tuple[Clocked, tuple[int, ...]]]:
    """Join entries of one process on neighbouring bits with the same enable, so that they become one state."""
    groups: dict[tuple[int, int, int, int], list[Clocked]] = {}
    for entry in fragment.clocked:
        groups.setdefault((entry.target, entry.process, entry.trigger, entry.enable), []).append(entry)
    result: list[tuple[Clocked, tuple[int, ...]]] = []
    for entries in groups.values():
        entries.sort(key=lambda entry: entry.low)
        for entry in entries:
            if result:
                last, values = result[-1]
                same = (last.target, last.process, last.trigger, last.enable) == (
                    entry.target,
                    entry.process,
                    entry.trigger,
                    entry.enable,
                )
                if same and last.low + last.width == entry.low:
                    joined = replace(last, width=last.width + entry.width, value=-1)
                    result[-1] = joined, (*values, entry.value)
                    continue
            result.append((entry, (entry.value,)))
    result.sort(key=lambda pair: pair[0].process)
    return result


def _join(hierarchy: Hierarchy, number: int, place: InstancePlace, connection: Connection) -> None:
    """Join a whole inout or ref port with the whole signal that it is connected to."""
    if len(connection.targets) != 1:
        return
    wire, direction = child_port(hierarchy, place, connection)
    if direction not in ("inout", "ref"):
        return
    use, low, width, bit = connection.targets[0]
    target = place.plan.fragment.uses[use]
    if low == 0 and bit == 0 and width == target.signal.bits == hierarchy.signal[wire].bits:
        parent = hierarchy.wire(number, target.signal, target.path)
        if hierarchy.find(wire) != parent:
            hierarchy.canonical[hierarchy.find(wire)] = parent
