"""What is known of a module while sides are found for its parts (`split_modules`), and the rules by which they move.

Side 0 is the region, side 1 events. What a module demands of its instances, or they of it, goes through ports that are
joined to whole signals; all other connections have become assignments, as the event engine makes them (IEEE 1800-2023
23.3.3). Every rule only adds to sets, so that it ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from weft.base.dataclass import dataclass, field, replace
from weft.engines.event.elaborate import roots_of
from weft.engines.event.port_links import STRONG
from weft.ir.design import (
    Const,
    ContinuousAssign,
    Expr,
    Function,
    Instance,
    Kind,
    Module,
    Port,
    Process,
    Ref,
    Signal,
    joins,
)
from weft.sim.regions.mixed_design import Reason
from weft.sim.regions.module_parts import (
    Part,
    is_plain,
)

BLOCKING = "it assigns with '=' at a clock edge, and others see that"

CLOCK = Reason("a clock or an asynchronous reset is made or passed on by it")


@dataclass(slots=True, eq=False)
class SplitPlan:
    """Be a module with its parts, each on a side, and what the sides read and write, instances included."""

    origin: Module
    module: Module
    parts: list[Part]
    below: list[SplitPlan]
    functions: dict[int, tuple[Function, ...]]
    """What the parts call, by their ids."""
    wanted: set[Signal] = field(default_factory=set[Signal])
    """Signals that must come out of events: clocks."""
    clocks: set[Signal] = field(default_factory=set[Signal])
    """What follows clocks at once."""
    asked: set[Signal] = field(default_factory=set[Signal])
    """Signals that events read, here or around."""
    chain: set[Signal] = field(default_factory=set[Signal])
    """Those of them of which clocks and asynchronous resets are made."""
    reads: tuple[set[Signal], set[Signal]] = field(default_factory=lambda: (set[Signal](), set[Signal]()))
    writes: tuple[set[Signal], set[Signal]] = field(default_factory=lambda: (set[Signal](), set[Signal]()))
    """What the region, and what events read and write."""
    filled: tuple[bool, bool] = (False, False)
    """Whether the region, and events, have any part of it or below."""
    links: dict[tuple[str, Signal], Signal] = field(default_factory=dict[tuple[str, Signal], Signal])
    """What joins a signal that both sides of an instance share, by the instance's name and that signal."""
    inner: dict[Signal, int] = field(default_factory=dict[Signal, int])
    """The signals that become ports of both sides, links among them, and the side that each comes from."""
    needed: set[Signal] = field(default_factory=set[Signal])
    """What of the signals that events drive somebody reads."""
    _drivers: dict[Signal, list[object]] = field(default_factory=dict[Signal, list[object]])

    def is_needed(self, part: Part) -> bool:
        """Say whether somebody can see what a part does."""
        return not (part.events and isinstance(part.what, ContinuousAssign)) or bool(part.writes & self.needed)

    def owner(self, signal: Signal) -> int:
        """Return the side that a signal gets its value from: 1 is that of events."""
        return int(signal in self.writes[1] or (signal not in self.writes[0] and not self.filled[0]))

    def joints(self) -> Iterator[tuple[Port, Signal, Signal, SplitPlan]]:
        """Yield the ports of instances that are joined to signals: the port, its signal, the one around, the plan."""
        for instance, below in zip(self.module.instances, self.below, strict=True):
            for port, outer in zip(instance.module.ports, instance.connections, strict=True):
                if isinstance(outer, Ref):
                    yield port, port.signal, outer.signal, below

    def drivers(self) -> dict[Signal, list[object]]:
        """Return what drives each signal: assignments, procedures, or the name and port of an instance."""
        if not self._drivers:
            for part in self.parts:
                for signal in part.writes:
                    self._drivers.setdefault(signal, []).append(part.what)
            for instance in self.module.instances:
                for port, outer in zip(instance.module.ports, instance.connections, strict=True):
                    if isinstance(outer, Ref) and port.direction != "input":
                        self._drivers.setdefault(outer.signal, []).append((instance.name, port.signal))
        return self._drivers

    def used(self, side: int) -> set[Signal]:
        """Return the signals that a side uses."""
        return self.reads[side] | self.writes[side]

    def shared(self) -> list[Signal]:
        """Return the signals that both sides use, in the order of the module."""
        both = self.used(0) & self.used(1)
        return [signal for signal in self.module.signals if signal in both]


def join_ports(module: Module) -> Module:
    """Return a module whose instances are connected to whole signals: every other connection is an assignment."""
    drivers = Counter(ref.signal for assign in module.assigns for ref in roots_of(assign.lhs))
    for instance in module.instances:
        for port, outer in zip(instance.module.ports, instance.connections, strict=True):
            if port.direction == "output" and outer is not None:
                drivers.update(ref.signal for ref in roots_of(outer))
    signals, assigns, instances = list(module.signals), list[ContinuousAssign](), list[Instance]()
    for instance in module.instances:
        connections: list[Expr | None] = []
        for port, outer in zip(instance.module.ports, instance.connections, strict=True):
            inner = port.signal
            if (
                port.direction not in ("input", "output")
                or (outer is None and port.direction == "input")
                or (
                    isinstance(outer, Ref)
                    and not outer.path
                    and joins(inner, outer.signal)
                    and (port.direction == "input" or drivers[outer.signal] == 1)
                )
            ):
                connections.append(outer)
            else:
                net = "wire" if inner.type.four_state else ""
                between = replace(inner, name=f"{instance.name}.{port.name}", net=net, initial=None)
                signals.append(between)
                connections.append(Ref(between))
                if port.direction == "input" and outer is not None:
                    assigns.append(ContinuousAssign(Ref(between), outer, instance.span))
                elif outer is not None:
                    assigns.append(ContinuousAssign(outer, Ref(between), instance.span))
        instances.append(replace(instance, connections=tuple(connections)))
    return replace(module, signals=signals, assigns=[*assigns, *module.assigns], instances=instances)


def note_uses(plan: SplitPlan) -> None:
    """Note what the sides of a module read and write; those of its instances are known."""
    reads, writes = (set[Signal](), set[Signal]()), (set[Signal](), set[Signal]())
    filled = [False, False]
    for part in plan.parts:
        side = int(part.events)
        filled[side] = True
        reads[side].update(part.reads)
        writes[side].update(part.writes)
    for instance, below in zip(plan.module.instances, plan.below, strict=True):
        for side in (0, 1):
            filled[side] = filled[side] or below.filled[side]
        for port, outer in zip(instance.module.ports, instance.connections, strict=True):
            if isinstance(outer, Ref):
                inner = port.signal
                if port.direction == "input":
                    for side in (0, 1):
                        if inner in below.reads[side]:
                            reads[side].add(outer.signal)
                else:
                    owner = below.owner(inner)
                    writes[owner].add(outer.signal)
                    if inner in below.used(1 - owner):
                        reads[1 - owner].add(outer.signal)
    if not any(filled):
        filled[0] = True
    plan.reads, plan.writes, plan.filled = reads, writes, (filled[0], filled[1])


def ask(plans: Iterable[SplitPlan]) -> None:
    """Note what events ask for: of those inside others, then the other way round."""
    found = list(plans)
    for plan in [*found, *found[::-1]]:
        plan.asked |= plan.reads[1]
        for part in plan.parts:
            if part.reason is CLOCK:
                plan.chain |= part.reads
        for port, inner, outer, below in plan.joints():
            if port.direction == "output":
                below.asked.update({inner} if outer in plan.asked else ())
                below.chain.update({inner} if outer in plan.chain else ())
            elif inner in below.chain:
                plan.chain.add(outer)


def follow_clocks(plan: SplitPlan) -> bool:
    """Note what follows clocks in a module, in its instances and around them; say whether anything is new."""
    before = len(plan.clocks)
    new = False
    for part in plan.parts:
        if isinstance(part.what, Process) and part.clocked:
            edges = {event.value.signal for event in part.what.events if isinstance(event.value, Ref)}
            plan.clocks |= edges if len(edges) == 1 else edges - part.levels
        elif is_logic(part) and part.reads & plan.clocks:
            plan.clocks |= part.writes
    for port, inner, outer, below in plan.joints():
        if port.direction == "output" and inner in below.clocks:
            plan.clocks.add(outer)
        elif port.direction == "input" and outer in plan.clocks and inner not in below.clocks:
            below.clocks.add(inner)
            new = True
    return new or len(plan.clocks) > before


def demand(plan: SplitPlan) -> bool:
    """Have what a module wants out of events come out of events in its instances; say whether anything is new."""
    new = False
    for port, inner, outer, below in plan.joints():
        if port.direction == "input" and inner in below.wanted and outer not in plan.wanted:
            plan.wanted.add(outer)
            new = True
        if port.direction == "output" and inner not in below.wanted:
            both = outer in plan.writes[0] and outer in plan.writes[1]
            if outer in plan.wanted or (both and not below.owner(inner)):
                below.wanted.add(inner)
                new = True
    return new


def find_needed(plans: list[SplitPlan], root: SplitPlan, given: set[Signal]) -> None:
    """Note what is read of the signals that events drive; the region has those that are `given`."""
    root.needed |= given | {port.signal for port in root.module.ports if port.direction != "input"}
    new = True
    while new:
        new = False
        for plan in plans[::-1]:
            before = len(plan.needed)
            for part in plan.parts:
                if part.events and plan.is_needed(part):
                    plan.needed |= part.reads
            for port, inner, outer, below in plan.joints():
                whole = not below.filled[0]
                if port.direction != "input" and outer in plan.needed and inner not in below.needed:
                    below.needed.add(inner)
                    new = True
                elif port.direction == "input" and (whole or inner in below.needed):
                    plan.needed.add(outer)
            for instance, below in zip(plan.module.instances, plan.below, strict=True):
                for inner in below.inner:
                    if plan.links.get((instance.name, inner)) in plan.needed and inner not in below.needed:
                        below.needed.add(inner)
                        new = True
            new = new or len(plan.needed) > before


def link(plan: SplitPlan) -> None:
    """Note what becomes a port of both sides of a module; what that is of its instances is known."""
    ports = {port.signal for port in plan.module.ports}
    plan.inner = {signal: plan.owner(signal) for signal in plan.shared() if signal not in ports}
    for instance, below in zip(plan.module.instances, plan.below, strict=True):
        for inner, owner in below.inner.items() if all(below.filled) else ():
            made = replace(inner, name=f"{instance.name}.{inner.name}", initial=None)
            plan.links[instance.name, inner] = made
            plan.inner[made] = owner


def drives_weakly(module: Module) -> bool:
    """Say whether a module drives anything with a strength that ports pass on, and assignments do not (23.3.3)."""
    weak = any(each.strength != STRONG for each in (*module.assigns, *module.gates))
    return weak or any(assign.gate for assign in module.assigns) or any(gate.kind != "udp" for gate in module.gates)


def is_logic(part: Part) -> bool:
    """Say whether a part is an assignment or a combinational procedure."""
    what = part.what
    return isinstance(what, ContinuousAssign) or (isinstance(what, Process) and what.kind == Kind.COMB)


def is_copy(assign: object) -> bool:
    """Say whether something is an assignment that changes a plain signal when another one changes, and as much."""
    if not isinstance(assign, ContinuousAssign):
        return False
    lhs, rhs = assign.lhs, assign.rhs
    if assign.delay is not None or assign.strength != STRONG or not (isinstance(lhs, Ref) and isinstance(rhs, Ref)):
        return False
    return joins(lhs.signal, rhs.signal) and is_plain(lhs.signal) and is_plain(rhs.signal)


def can_be_port(signal: Signal) -> bool:
    """Say whether both sides may use a signal: a port is a plain vector, and has no value that is computed at first."""
    constant = signal.initial is None or isinstance(signal.initial, Const)
    return constant and is_plain(signal) and not (signal.depth or signal.automatic or signal.local)


def keep_blocking_apart(plan: SplitPlan) -> bool:
    """Leave to events what assigns with `=` at a clock edge what something else sees; say whether that is enough.

    Procedures that read such a variable at an edge run before or after (IEEE 1800-2023 4.8), so they are left with it.
    What reads it in another module is not known.
    """
    ports = {port.signal for port in plan.module.ports}
    outer = {e.signal for instance in plan.module.instances for e in instance.connections if isinstance(e, Ref)}
    for part in plan.parts:
        if part.blocking:
            others = [each for each in plan.parts if each is not part and part.blocking & (each.reads | each.writes)]
            if part.blocking & (ports | outer):
                return False
            if any(not _is_initial(each) for each in others):
                for each in (part, *(each for each in others if each.clocked)):
                    each.reason = each.reason or Reason(BLOCKING)
    return True


def _is_initial(part: Part) -> bool:
    return isinstance(part.what, Process) and part.what.kind == Kind.INITIAL
