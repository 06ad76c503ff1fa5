"""Split a module, with all that is below it, into a region and what is left to events.

Some parts deep inside a design cannot be in a region: a procedure that prints, a delay; or must not, as the gates and
assignments that clocks pass. Without them all the rest could be one large region. So each module becomes two, one with
the parts that the region has and one with the others, each with its share of the instances, and a signal that both use
becomes a port of both. What is left keeps the names and the order of the hierarchy, and has the region as one more
instance at its top:

    top                         top (events)
      a  (prints)        ->       a  (what prints)
      b  (gates a clock)          b  (the gate)
      c                           region$  a, b and c without these

A clock that is no input of the top must come out of events: then the step samples its inputs when the clock's own edge
comes, which is after the edge that the gate has passed on (IEEE 1800-2023 4.5). So whatever drives what procedures in
the region wait for an edge of is left to events, and so is logic that reads a clock and that events need (the latch of
a clock gate), since it would have the region follow the clock.

Sides are found by eviction, for modules and not for instances, until nothing changes: both sides must not write one
signal; what both use must be a plain vector, which a port can be; a variable that a clocked procedure assigns with `=`
must not be seen outside its side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from weft.base.dataclass import dataclass, replace
from weft.ir.design import (
    ContinuousAssign,
    Expr,
    Instance,
    Kind,
    Module,
    Port,
    Process,
    Ref,
    Signal,
)
from weft.sim.regions.carve_reports import carve_reports
from weft.sim.regions.clock_sources import region_clocks, with_fewer_clocks
from weft.sim.regions.mixed_design import Reason
from weft.sim.regions.module_parts import (
    Part,
    assign_part,
    functions_called,
    is_plain,
    part_expressions,
    process_part,
)
from weft.sim.regions.module_reasons import own_reason
from weft.sim.regions.split_plan import (
    BLOCKING,
    CLOCK,
    SplitPlan,
    ask,
    can_be_port,
    demand,
    drives_weakly,
    find_needed,
    follow_clocks,
    is_copy,
    is_logic,
    join_ports,
    keep_blocking_apart,
    link,
    note_uses,
)

REGION = "region$"
"""The name of the instance that is the region."""


@dataclass(frozen=True, slots=True)
class Split:
    """Be a module in two: what is to be a region, and the module with an instance of it that takes its place."""

    region: Module
    around: Module
    whole: frozenset[Module]
    """The modules of the design that are left to events as they are."""
    clocks: dict[Signal, tuple[Signal, bool]]
    """Clocks of the region, the inputs of the module that they follow, and whether through a gate."""
    shared: dict[Module, int]
    """The modules whose functions are called by what is left of them, and how often they are placed inside."""
    left: dict[Module, Reason]
    """The modules of the design with parts that are left to events, and why the first of them is."""


class _Refused(Exception):
    """Say that a module cannot be split."""


def split_module(module: Module, reason_of: Callable[[Module], Reason | None]) -> Split | None:
    """Return a module in two, or None if that is not possible; `reason_of` says what other modules keep it out."""
    try:
        return _Splitter(reason_of).split(module)
    except _Refused:
        return None


class _Splitter:
    def __init__(self, reason_of: Callable[[Module], Reason | None]) -> None:
        self.reason_of = reason_of
        self.safe = True
        self.plans: dict[Module, SplitPlan] = {}
        self.halves: dict[tuple[SplitPlan, int], Module] = {}

    def split(self, module: Module) -> Split:
        """Find the sides, and make the modules."""
        root = self._plan(module)
        self._find_sides(root)
        if not all(root.filled) or not self.safe:
            raise _Refused
        region = with_fewer_clocks(self.plans.values(), root, self._half(root, 0))
        find_needed(list(self.plans.values()), root, {port.signal for port in region.ports})
        around = self._half(root, 1)
        inner = [Ref(port.signal) for port in region.ports]
        place = Instance(REGION, region, tuple(inner), module.span)
        known = set(around.signals)
        around = replace(
            around,
            key=module.key,
            name=module.name,
            ports=module.ports,
            signals=[*around.signals, *(ref.signal for ref in inner if ref.signal not in known)],
            instances=[*around.instances, place],
        )
        known = set(around.signals)
        around.signals.extend(port.signal for port in module.ports if port.signal not in known)
        whole = frozenset(module for module, plan in self.plans.items() if not plan.filled[0])
        return Split(region, around, whole, region_clocks(root, region), self._shared(root), self._left())

    def _shared(self, root: SplitPlan) -> dict[Module, int]:
        counts = Counter({root: 1})
        for plan in reversed(self.plans.values()):
            for below in plan.below:
                counts[below] += counts[plan]
        found = {plan: made for (plan, side), made in self.halves.items() if side}
        return {plan.origin: counts[plan] for plan, made in found.items() if made.functions}

    def _left(self) -> dict[Module, Reason]:
        found: dict[Module, Reason] = {}
        for module, plan in self.plans.items():
            for part in plan.parts:
                if part.reason is not None and plan.is_needed(part):
                    found.setdefault(module, part.reason)
        return found

    # ------------------------------------------------------------------------------------------- plans

    def _plan(self, module: Module) -> SplitPlan:
        plan = self.plans.get(module)
        if plan is None:
            below = [self._plan(instance.module) for instance in module.instances]
            whole = join_ports(carve_reports(module))
            parts = [assign_part(assign) for assign in whole.assigns]
            parts += [process_part(process) for process in whole.processes]
            plan = self.plans[module] = SplitPlan(module, whole, parts, below, {})
            blocked = self._block(module)
            for part in parts:
                self._note_calls(plan, part)
                part.reason = blocked or self._reason(plan, part)
            if blocked is not None:
                for each in below:
                    self._leave(each, blocked)
            self.safe = keep_blocking_apart(plan) and not drives_weakly(module) and self.safe
        return plan

    def _block(self, module: Module) -> Reason | None:
        """Return why all that is in a module, and below it, is left to events, if something of itself demands that."""
        signals = [port.signal for port in module.ports]
        bare = replace(module, signals=signals, processes=[], functions=[], assigns=[])
        if module.stamps or module.covergroups or module.controls:
            return Reason("covergroups, or assertions that are turned off")
        return self.reason_of(module) or own_reason(bare)

    def _reason(self, plan: SplitPlan, part: Part) -> Reason | None:
        """Return why a part cannot be in a region, if it cannot."""
        what = part.what
        module = Module(plan.module.name, plan.module.key, span=plan.module.span)
        if isinstance(what, ContinuousAssign):
            module.assigns.append(what)
        elif isinstance(what, Process):
            module.processes.append(what)
        module.functions.extend(plan.functions.get(id(what), ()))
        special = next((signal for signal in part.reads | part.writes if not is_plain(signal)), None)
        if special is not None:
            return Reason(f"'{special.name}', which is no plain signal", special.span)
        return own_reason(module)

    def _note_calls(self, plan: SplitPlan, part: Part) -> None:
        """Note what a part calls, and that it reads and writes what that does of the module's signals."""
        called = tuple(functions_called(part_expressions(part)))
        if called:
            plan.functions[id(part.what)] = called
            known = set(plan.module.signals)
            for function in called:
                inside = process_part(Process(Kind.INITIAL, function.body)) if function.body is not None else None
                if inside is not None:
                    part.reads |= inside.reads & known
                    part.writes |= inside.writes & known

    def _leave(self, plan: SplitPlan, reason: Reason) -> None:
        """Leave all of a module, and all below it, to events."""
        for part in plan.parts:
            part.reason = part.reason or reason
        for each in plan.below:
            self._leave(each, reason)

    # ------------------------------------------------------------------------------------------- sides

    def _find_sides(self, root: SplitPlan) -> None:
        plans = list(self.plans.values())  # those inside others first
        moved = True
        while moved:
            for plan in plans:
                note_uses(plan)
            ask(plans)
            moved = False
            for plan in [*plans, *plans[::-1]]:
                moved = follow_clocks(plan) or moved
            for plan in plans:
                for part in plan.parts:
                    if not part.events:
                        part.reason = self._must_leave(plan, part)
                        moved = moved or part.events
            for plan in plans[::-1]:
                moved = demand(plan) or moved
        for plan in plans:
            for signal in plan.shared():
                if not can_be_port(signal):
                    raise _Refused
            link(plan)

    def _must_leave(self, plan: SplitPlan, part: Part) -> Reason | None:
        """Return why a part of the region must be left to events, if it must; note what it waits for."""
        if part.writes & plan.wanted:
            return CLOCK
        if part.writes & plan.writes[1]:
            return Reason("what it assigns is assigned by events too")
        if any(not can_be_port(signal) for signal in (part.reads | part.writes) & plan.used(1)):
            return Reason("events use what is no plain vector")
        what = part.what
        if part.clocked and isinstance(what, Process):
            edges = [event.value for event in what.events]
            if not all(isinstance(edge, Ref) and not edge.path for edge in edges):
                return Reason("an edge of an expression")
            plan.wanted.update(edge.signal for edge in edges if isinstance(edge, Ref))
            return Reason(BLOCKING) if part.blocking & plan.used(1) else None
        if part.writes & plan.asked and is_logic(part) and part.reads & plan.clocks:
            return Reason("it follows a clock, and events read it")
        return CLOCK if part.writes & plan.chain and is_copy(what) else None

    # ------------------------------------------------------------------------------------------- modules

    def _half(self, plan: SplitPlan, side: int) -> Module:
        """Return a side's part of a module."""
        if side and not plan.filled[0]:
            return plan.origin
        made = self.halves.get((plan, side))
        if made is not None:
            return made
        module = plan.module
        parts = [part.what for part in plan.parts if part.events == bool(side) and plan.is_needed(part)]
        functions = {function for what in parts for function in plan.functions.get(id(what), ())}
        used = plan.used(side)
        places: list[Instance] = []
        for instance, below in zip(module.instances, plan.below, strict=True):
            if below.filled[side]:
                half = self._half(below, side)
                outer = {p.signal: e for p, e in zip(instance.module.ports, instance.connections, strict=True)}
                connections: list[Expr | None] = []
                for port in half.ports:
                    if port.signal in outer:
                        connections.append(outer[port.signal])
                    else:
                        connections.append(Ref(plan.links[instance.name, port.signal]))
                places.append(replace(instance, module=half, connections=tuple(connections)))
        ports = [
            Port(port.name, "input" if port.direction == "input" or plan.owner(port.signal) != side else "output", s)
            for port in module.ports
            if (s := port.signal) in used or (plan.owner(s) == side and port.direction != "input")
        ]
        ports += [Port(s.name, "output" if owner == side else "input", s) for s, owner in plan.inner.items()]
        known = {port.signal for port in ports}
        signals = [signal for signal in module.signals if signal in used or signal in known]
        signals += plan.links.values()
        name = f"{module.name}$region" if not side else module.name
        made = self.halves[plan, side] = Module(
            name,
            f"{module.key}${'region' if not side else 'events'}",
            parameters=module.parameters,
            signals=signals,
            ports=ports,
            assigns=[what for what in parts if isinstance(what, ContinuousAssign)],
            processes=[what for what in parts if isinstance(what, Process)],
            instances=places,
            functions=[function for function in module.functions if function in functions],
            time_unit_fs=module.time_unit_fs,
            time_precision_fs=module.time_precision_fs,
            span=module.span,
        )
        return made
