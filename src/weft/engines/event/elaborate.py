"""The instance tree of a design, and which signals of different instances are one net.

A port that is connected to a whole signal of the same shape *is* that signal: a change shows on both sides at once and
costs nothing. Every other connection becomes a continuous assignment of the module around the instance, as IEEE
1800-2023 23.3.3 has it, or joins bits of nets where strengths must pass (`port_links`). Signals are joined with
union-find (Tarjan, 1975) over (instance, signal) pairs.

Where a variable is on one side, it is joined only if nothing else drives the net: a net with several drivers is
resolved from all of them, and a variable keeps what was assigned last.

The code of a module is shared by its instances, so what its code looks like is decided for the module: a connection is
joined in all of its instances or in none, and a driver that needs a cell in one instance has one in all.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from weft.base.dataclass import dataclass, field
from weft.base.errors import Unsupported
from weft.base.source import NOWHERE, Span
from weft.base.union_find import find_root
from weft.engines.event.driver_parts import parts_of
from weft.engines.event.gates import ONE_WAY, TWO_WAY, GatePlanner, PlannedGate
from weft.engines.event.net_kinds import simulated_kind
from weft.engines.event.port_links import PortLink, link_ports, needs_strengths
from weft.ir.design import (
    Binary,
    Concat,
    Cond,
    ContinuousAssign,
    Design,
    Element,
    Expr,
    Force,
    Function,
    Instance,
    Module,
    PathDelay,
    Port,
    Ref,
    Signal,
    Slice,
    SystemTask,
    Text,
    Unary,
)
from weft.ir.expressions import Item
from weft.ir.walk import statements_in

PLAIN_NETS = frozenset({"", "wire", "tri", "uwire"})
_STRENGTH = re.compile(r"%[0-9]*[vV]")


@dataclass(slots=True, eq=False)
class Node:
    """Be one instance. `base` is where its block begins in the state, known when all code is written."""

    name: str
    unit: Unit
    parent: Node | None
    number: int
    children: dict[str, Node] = field(default_factory=dict[str, "Node"])
    base: int = 0

    @property
    def path(self) -> str:
        """Return the hierarchical path."""
        return f"{self.parent.path}.{self.name}" if self.parent is not None else self.name


@dataclass(slots=True, eq=False)
class Unit:
    """Be the code of one module, with its instances; `assigns` has the assignments that connections became too."""

    module: Module
    number: int
    nodes: list[Node] = field(default_factory=list[Node])
    assigns: list[ContinuousAssign] = field(default_factory=list[ContinuousAssign])
    joined: list[tuple[int, Signal, Ref]] = field(default_factory=list[tuple[int, Signal, Ref]])
    slotted: set[Signal] = field(default_factory=set[Signal])
    celled: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    """The drivers that keep their value in a cell, by assignment (-1 - number for gates) and part."""
    graded: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    """The drivers that keep a range of strengths for each bit."""
    planner: GatePlanner = field(init=False)
    children: dict[str, Unit] = field(default_factory=dict[str, "Unit"])

    def __post_init__(self) -> None:
        self.planner = GatePlanner(self.module.time_unit_fs, self.module.time_precision_fs)

    @property
    def fixed(self) -> bool:
        """Say whether there is one instance, so that its addresses are constants."""
        return len(self.nodes) == 1

    @property
    def gates(self) -> list[PlannedGate]:
        """Return the gates that are data."""
        return self.planner.gates

    @property
    def signals(self) -> list[Signal]:
        """Return the module's signals and those that its gates' terminals need."""
        return [*self.module.signals, *self.planner.hidden]


Key = tuple[Node, Signal]


@dataclass(frozen=True, slots=True, eq=False)
class Driver:
    """Be one driver of a net: part `number` of assignment `index`, or gate -1 - `index`, in an instance."""

    node: Node
    index: int
    number: int
    low: int
    width: int
    strength: tuple[str, str]
    gate: str = ""


@dataclass(slots=True, eq=False)
class Net:
    """Be a net, or variable, of the whole design; `key` is the signal that holds its value.

    `resolved` nets combine the values of their drivers; `graded` ones keep ranges of strengths (`net_kernels`).
    `linked` are the bits that a switch, port or alias joins with others, `observed` those whose strength matters
    elsewhere.
    """

    key: Key
    kind: str
    width: int
    members: list[Key]
    drivers: list[Driver] = field(default_factory=list[Driver])
    resolved: bool = False
    graded: bool = False
    linked: int = 0
    observed: int = 0
    span: Span = NOWHERE


@dataclass(slots=True, eq=False)
class Elaborated:
    """Hold the instance tree of a design and its nets."""

    design: Design
    tops: list[Node]
    packages: dict[str, Node]
    nodes: list[Node]
    units: dict[Module, Unit]
    functions: dict[Function, Unit]
    forced: set[Key] = field(default_factory=set[Key])
    nets: dict[Key, Net] = field(default_factory=dict[Key, Net])
    _parents: dict[Key, Key] = field(default_factory=dict[Key, Key])

    def find(self, node: Node, signal: Signal) -> Key:
        """Return the signal that holds the value of a signal."""
        key = (node, signal)
        return find_root(self._parents, key) if key in self._parents else key

    def join(self, a: Key, b: Key) -> None:
        """Make two signals one; the first one's root holds the value."""
        a, b = self.find(*a), self.find(*b)
        if a != b:
            self._parents[b] = a

    def net(self, node: Node, ref: Ref) -> Net:
        """Return the net, or variable, that a reference names in an instance."""
        return self.nets[self.find(self.reach(node, ref.path), ref.signal)]

    def reach(self, node: Node, path: tuple[str, ...]) -> Node:
        """Return the instance that a reference's path leads to."""
        if path and path[0] == "$root":
            if path[1] in self.packages:
                found, rest = self.packages[path[1]], path[2:]
            else:
                found, rest = next(top for top in self.tops if top.name == path[1]), path[2:]
        else:
            found, rest = node, path
        for name in rest:
            found = found.children[name]
        return found


def elaborate(design: Design) -> Elaborated:
    """Build the instance tree and join the signals that are one net."""
    apart: set[Signal] = set()
    result, mixed = _elaborate(design, apart)
    while mixed:
        apart |= mixed
        result, mixed = _elaborate(design, apart)
    return result


def _elaborate(design: Design, apart: set[Signal]) -> tuple[Elaborated, set[Signal]]:
    """Do so with some nets kept apart from variables; return also those of which this turns out to be necessary.

    A net that is a variable has no other driver. It turns out that it has where strengths come through a port.
    """
    result = _build_tree(design)
    _find_forced(result)
    driven = _Driven(result, apart)
    links: list[PortLink] = []
    for unit in result.units.values():
        _plan_gates(unit)
        for number, instance in enumerate(unit.module.instances):
            links += _connect(unit, number, instance, driven)
    for unit in result.units.values():
        unit.assigns += unit.planner.assigns
    _join(result)
    shown, drivers_shown = _shown_strengths(result)
    _find_nets(result)
    joined = link_ports(result, links, shown)
    mixed = {signal for net in joined if not net.key[1].net for _, signal in net.members if signal.net}
    if joined and not mixed:
        _find_nets(result)
    _choose_resolution(result, shown, drivers_shown)
    return result, mixed


def _build_tree(design: Design) -> Elaborated:
    units: dict[Module, Unit] = {}
    result = Elaborated(design, [], {}, [], units, {})

    count = 0

    def unit_of(module: Module) -> Unit:
        if module not in units:
            units[module] = Unit(module, len(units))
        return units[module]

    def place(name: str, module: Module, parent: Node | None) -> Node:
        unit = unit_of(module)
        nonlocal count
        node = Node(name, unit, parent, count)
        count += 1
        unit.nodes.append(node)
        for instance in module.instances:
            child = place(instance.name, instance.module, node)
            node.children[instance.name] = child
            unit.children[instance.name] = child.unit
        # Instances come before the module that they are in, so that their procedures start first.
        result.nodes.append(node)
        return node

    for name, module in design.packages:
        result.packages[name] = place(name, module, None)
    for name, module in design.tops:
        result.tops.append(place(name, module, None))
    for unit in units.values():
        for function in unit.module.functions:
            result.functions[function] = unit
    return result


def _plan_gates(unit: Unit) -> None:
    for signal in unit.module.signals:
        if signal.net and signal.delay is not None:
            unit.planner.add_net_delay(signal, signal.delay)
    for gate in unit.module.gates:
        unit.planner.add(gate)
    for assign in unit.module.assigns:
        match assign.rhs:
            case Cond(control, on_one, on_zero) if assign.gate and not isinstance(assign.delay, PathDelay):
                data = on_one if assign.gate.endswith("1") else on_zero
                assert isinstance(data, Binary | Unary)
                unit.planner.add_three_state(assign, data.lhs if isinstance(data, Binary) else data.value, control)
            case _:
                unit.assigns.append(assign)


def _find_forced(design: Elaborated) -> None:
    for node in design.nodes:
        module = node.unit.module
        for body in (*module.processes, *module.functions):
            for statement in statements_in(body.body):
                if isinstance(statement, Force):
                    for ref in roots_of(statement.lhs):
                        design.forced.add((design.reach(node, ref.path), ref.signal))


def roots_of(lhs: Expr) -> list[Ref]:
    """Return the signals that an lvalue writes."""
    match lhs:
        case Ref():
            return [lhs]
        case Element(signal, _, path):
            return [Ref(signal, path)]
        case Slice(value):
            return roots_of(value)
        case Concat(parts):
            return [ref for part in parts for ref in roots_of(part)]
        case Item(container):
            return roots_of(container)
        case _:
            return []


class _Driven:
    """Tell which signals of a module are driven inside it: by assignments, gates or instances."""

    def __init__(self, design: Elaborated, apart: set[Signal]) -> None:
        self.apart = apart
        self.counts: dict[Signal, int] = defaultdict(int)
        self.remote: set[Signal] = {signal for _, signal in design.forced}
        for unit in design.units.values():
            module = unit.module
            targets = [assign.lhs for assign in module.assigns]
            targets += [output for gate in module.gates for output in gate.outputs]
            for instance in module.instances:
                for port, expression in zip(instance.module.ports, instance.connections, strict=True):
                    if expression is not None and port.direction != "input":
                        targets.append(expression)
            for target in targets:
                for ref in roots_of(target):
                    self.counts[ref.signal] += 1
                    if ref.path:
                        self.remote.add(ref.signal)
            for body in (*module.processes, *module.functions):
                for statement in statements_in(body.body):
                    lhs = getattr(statement, "lhs", None)
                    if lhs is not None:
                        for ref in roots_of(lhs):
                            if ref.path:
                                self.remote.add(ref.signal)


def _connect(unit: Unit, number: int, instance: Instance, driven: _Driven) -> list[PortLink]:
    """Connect the ports of an instance; return those connections through which strengths may have to pass."""
    links: list[PortLink] = []
    for port, actual in zip(instance.module.ports, instance.connections, strict=True):
        if actual is None:
            continue
        if _can_join(port, actual, driven):
            assert isinstance(actual, Ref)
            unit.joined.append((number, port.signal, actual))
            continue
        inner = Ref(port.signal, (instance.name,))
        if port.direction in ("input", "output"):
            inward = port.direction == "input"
            sink, source = (inner, actual) if inward else (actual, inner)
            assign = ContinuousAssign(sink, source, instance.span)
            unit.assigns.append(assign)
            if port.signal.net:
                links.append(PortLink(unit, inner, actual, inward, assign))
        elif port.direction != "inout" or not unit.planner.join(inner, actual, instance.span):
            raise Unsupported(f"this connection of the {port.direction} port '{port.name}'", instance.span)
    return links


def _can_join(port: Port, actual: Expr, driven: _Driven) -> bool:
    if not isinstance(actual, Ref):
        return False
    inner, outer = port.signal, actual.signal
    if (
        inner.width != outer.width
        or inner.depth != outer.depth
        or (inner.type.kind != outer.type.kind and ("real" in inner.type.kind or "real" in outer.type.kind))
    ):
        return False
    if port.direction == "ref":
        return True
    if inner.type.four_state != outer.type.four_state:
        return False
    if not (inner.net and outer.net) and not driven.apart.isdisjoint((inner, outer)):
        return False
    if port.direction == "inout":
        return bool(inner.net and outer.net)
    if inner in driven.remote or outer in driven.remote:
        return bool(inner.net and outer.net) and inner.net in PLAIN_NETS and outer.net in PLAIN_NETS
    if inner.net and outer.net:
        return inner.delay is None and outer.delay is None
    if port.direction == "input":
        return not driven.counts[inner] and inner.delay is None
    return driven.counts[outer] == 1 and outer.net in PLAIN_NETS and outer.delay is None and inner.delay is None


def _join(design: Elaborated) -> None:
    for node in design.nodes:
        for number, inner, actual in node.unit.joined:
            child = node.children[node.unit.module.instances[number].name]
            outer = (design.reach(node, actual.path), actual.signal)
            # What holds a joined net is a variable if there is one, since procedures write it.
            if design.find(*outer)[1].net and not design.find(child, inner)[1].net:
                design.join((child, inner), outer)
            else:
                design.join(outer, (child, inner))
    for node in design.nodes:
        for signal in node.unit.module.signals:
            if design.find(node, signal) != (node, signal):
                node.unit.slotted.add(signal)


def _find_nets(design: Elaborated) -> None:
    design.nets.clear()
    members: dict[Key, list[Key]] = defaultdict(list)
    for node in design.nodes:
        for signal in node.unit.signals:
            if not signal.automatic:
                members[design.find(node, signal)].append((node, signal))
    for key, joined in members.items():
        plain = all(signal.net in PLAIN_NETS for _, signal in joined)
        kind = key[1].net if plain else simulated_kind(joined)
        design.nets[key] = Net(key, kind, key[1].bits, joined, span=key[1].span)
    for node in design.nodes:
        unit = node.unit
        for index, assign in enumerate(unit.assigns):
            for number, part in enumerate(parts_of(assign.lhs, assign.span)):
                driver = Driver(node, index, number, part.low, part.width, assign.strength)
                design.net(node, part.ref).drivers.append(driver)
        for number, gate in enumerate(unit.gates):
            _add_gate(design, node, number, gate)


def _choose_resolution(design: Elaborated, shown: bool, drivers_shown: bool) -> None:
    forced = {design.find(*key) for key in design.forced}
    for key, net in design.nets.items():
        net.graded = needs_strengths(net, shown)
        net.resolved = not net.graded and _needs_resolution(net, key in forced)
        if net.resolved and (drivers_shown or net.key[1].depth or any(driver.gate for driver in net.drivers)):
            net.graded, net.resolved = True, False
    _spread(design)


def _add_gate(design: Elaborated, node: Node, number: int, gate: PlannedGate) -> None:
    for bit in gate.outputs:
        net = design.net(node, bit.ref)
        if gate.kind in TWO_WAY:
            net.linked |= 1 << bit.at
        else:
            net.drivers.append(Driver(node, -1 - number, 0, bit.at, 1, gate.strength, gate.kind))
    if gate.kind in ONE_WAY:
        design.net(node, gate.inputs[0].ref).observed |= 1 << gate.inputs[0].at


def _shown_strengths(design: Elaborated) -> tuple[bool, bool]:
    """Say whether something shows strengths, so that those of three-state gates must be known, and each driver's."""
    strengths = drivers = False
    for unit in design.units.values():
        for body in (*unit.module.processes, *unit.module.functions):
            for statement in statements_in(body.body):
                if isinstance(statement, SystemTask):
                    drivers |= statement.name == "$dumpports"
                    strengths |= shows_strength(statement.args)
    return strengths or drivers, drivers


def shows_strength(args: Iterable[Expr | None]) -> bool:
    """Say whether the arguments of a display task have a `%v` among them."""
    return any(isinstance(argument, Text) and _STRENGTH.search(argument.value) for argument in args)


def _spread(design: Elaborated) -> None:
    """Have each driver work the same way in all instances of its module, with strengths if one of its nets has them."""
    ranks = {id(net): 2 if net.graded else int(net.resolved) for net in design.nets.values()}
    needs: dict[tuple[Unit, int, int], int] = defaultdict(int)
    changed = True
    while changed:
        changed = False
        for net in design.nets.values():
            rank = ranks[id(net)]
            for driver in net.drivers:
                key = (driver.node.unit, driver.index, driver.number)
                rank = max(rank, needs[key])
            if rank == 1 and any(driver.gate for driver in net.drivers):
                rank = 2
            for driver in net.drivers:
                key = (driver.node.unit, driver.index, driver.number)
                if needs[key] < rank:
                    needs[key], changed = rank, True
            ranks[id(net)] = rank
    for net in design.nets.values():
        net.graded, net.resolved = ranks[id(net)] == 2, ranks[id(net)] == 1
    for (unit, index, number), rank in needs.items():
        if rank:
            (unit.graded if rank == 2 else unit.celled).add((index, number))


def _needs_resolution(net: Net, forced: bool) -> bool:
    if forced and net.drivers:
        return True
    covered = 0
    for driver in net.drivers:
        bits = ((1 << driver.width) - 1) << driver.low
        if covered & bits:
            return True
        covered |= bits
    return False
