"""Say what every wire is: an input, registers, latches, a memory, or logic; and refuse bits with two drivers.

A wire is cut into segments at the ends of its drivers; within a segment every bit has the same drivers. Most wires have
one driver for all their bits and take the short way. A variable's segment that no logic drives is a register, written
by whichever clocked processes drive it or by none (initial values and pokes live there). Several clocked processes may
write the same bits, as plain `always` allows: the last in process order wins when both fire.

Two processes that drive the same bits of a variable are an error, unless nothing reads the variable: then it is a loop
counter that several `always` blocks share, and shows the last one's value (IEEE 1800-2023 6.5 forbids it only for
`always_comb`, `always_ff` and continuous assignments).
"""

from __future__ import annotations

import itertools
from typing import NoReturn

from weft.base.dataclass import dataclass, field
from weft.base.errors import Note, UserError
from weft.ir.cone_graph import State
from weft.ir.design import Signal
from weft.ir.ops import mask
from weft.ir.random_streams import stream_of
from weft.passes.collect_drivers import ClockedDriver, Driver, Drivers, OuterBits
from weft.passes.elaborate_instances import Hierarchy
from weft.passes.insert_forces import force_wire
from weft.passes.link_items import LinkedItems
from weft.passes.resolve_tristate import SPECIAL, NetDriver, resolve_net, undriven

_KINDS = {"$time": "time", "$random": "register"}
"""What the signals of the simulation are that are no constants."""


@dataclass(frozen=True, slots=True)
class RegisterWrite:
    """Write item `value` to a register when the driver's trigger fires and item `enable` holds."""

    state: int
    value: int
    enable: int
    driver: ClockedDriver


@dataclass(frozen=True, slots=True)
class LatchWrite:
    """Keep item `value` in a latch."""

    state: int
    value: int


@dataclass(slots=True)
class Segment:
    """Be a range of bits of a wire with the same drivers; `item` is its value once resolved, `held` what it held."""

    low: int
    width: int
    driven: list[Driver] = field(default_factory=list[Driver])
    clocked: list[ClockedDriver] = field(default_factory=list[ClockedDriver])
    outer: list[OuterBits] = field(default_factory=list[OuterBits])


class WireResolver:
    """Resolve all wires; the wires' items are complete afterwards, and states are in the builder."""

    def __init__(self, hierarchy: Hierarchy, items: LinkedItems, drivers: Drivers, four_state: bool) -> None:
        self.hierarchy, self.items, self.drivers, self.four_state = hierarchy, items, drivers, four_state
        self.states = items.builder.states
        self.register_writes: list[RegisterWrite] = []
        self.latch_writes: list[LatchWrite] = []
        self.held: dict[int, int] = {}
        self._ports = _top_ports(hierarchy)
        self._read, self._held_wires = _uses_read(hierarchy)

    def resolve(self, memories: dict[int, int], forced: dict[int, str]) -> None:
        """Give every wire that is not a memory its value, behind a force point if it is to be forced."""
        items, hierarchy = self.items, self.hierarchy
        for wire, canonical in enumerate(hierarchy.canonical):
            if canonical == wire and wire not in memories:
                self._resolve_wire(wire)
                if wire in forced:
                    force_wire(items, wire, forced[wire])
        for wire, canonical in enumerate(hierarchy.canonical):
            if canonical != wire:
                items.alias(wire, hierarchy.find(wire))

    def _resolve_wire(self, wire: int) -> None:
        drivers = self.drivers
        driven, clocked, outer = drivers.driven.get(wire), drivers.clocked.get(wire), drivers.outer.get(wire)
        signal = self.hierarchy.signal[wire]
        if wire in self._ports:
            self._resolve_port(wire, driven or [], clocked or [])
            return
        if (signal.local or signal.automatic) and not (driven or clocked or outer or wire in self._read):
            # Scratch of a procedure, which is assigned before it is read: no state, nothing to look at.
            self.items.alias(wire, self.items.constant(signal.bits, 0, mask(signal.bits)))
            return
        if self.hierarchy.owner[wire] < 0:
            kind = _KINDS.get(signal.name, "constant")
            state = State(signal.name, signal.bits, kind=kind, initial=0, span=signal.span, known=True)
            self._alias_state(wire, state)
            return
        if driven and len(driven) == 1 and not (clocked or outer) and wire not in self._held_wires:
            driver = driven[0]
            if driver.width == signal.bits and not driver.holds and driver.enable < 0 and signal.net not in SPECIAL:
                self.items.alias(wire, self.items.slice(driver.value, driver.bit, driver.width))
                return
        parts: list[int] = []
        held: list[int] = []
        for segment in _segments(signal.bits, driven or [], clocked or [], outer or []):
            item, before = self._resolve_segment(wire, segment)
            parts.append(item)
            held.append(before)
        self.items.alias(wire, self.items.concat(parts))
        if wire in self._held_wires:
            self.held[wire] = self.items.concat(
                [before if before >= 0 else self._refuse_held(wire, parts[i]) for i, before in enumerate(held)]
            )

    def _refuse_held(self, wire: int, item: int) -> int:
        name, span = self.hierarchy.name(wire), self.hierarchy.signal[wire].span
        return self.items.refuse(self.items.width[item], f"reading {name!r} before its process has assigned it", span)

    def _resolve_port(self, wire: int, driven: list[Driver], clocked: list[ClockedDriver]) -> None:
        """Make an input of a top a state; an inout's is one more driver, where the design lets go."""
        signal, items = self.hierarchy.signal[wire], self.items
        state = self._add_state(variable_state(signal, self.hierarchy.name(wire), signal.bits, "input"))
        outside = items.add_node(items.builder.read(state))
        if self._ports[wire] == "input":
            for driver in [*driven, *clocked]:
                message = f"{self.hierarchy.name(wire)!r} is an input of the top module, and is driven inside"
                raise UserError("multiple-drivers", message, driver.span)
            items.alias(wire, outside)
            return
        parts: list[int] = []
        for segment in _segments(signal.bits, driven, [], []):
            cut = items.slice(outside, segment.low, segment.width)
            nets = [NetDriver(cut, weak=True), *(self._net_driver(segment, d) for d in segment.driven)]
            parts.append(resolve_net(items, signal.net, segment.width, nets, self.four_state))
        items.alias(wire, items.concat(parts))

    def _net_driver(self, segment: Segment, driver: Driver) -> NetDriver:
        bit, width = driver.bit + segment.low - driver.low, segment.width
        enable = self.items.slice(driver.enable, bit, width) if driver.enable >= 0 else -1
        return NetDriver(self.items.slice(driver.value, bit, width), enable, driver.weak)

    def _resolve_segment(self, wire: int, segment: Segment) -> tuple[int, int]:
        """Return the items of a segment's value, and of what a process finds in it before it assigns it, or -1."""
        items, signal = self.items, self.hierarchy.signal[wire]
        width = segment.width
        if segment.outer:
            part = segment.outer[0]
            return items.slice(part.outer, part.outer_low + segment.low - part.low, width), -1
        if signal.net:
            nets = [self._net_driver(segment, driver) for driver in segment.driven]
            if signal.net == "uwire" and len(nets) > 1:
                self._refuse_drivers(wire, segment)
            if nets:
                return resolve_net(items, signal.net, width, nets, self.four_state), -1
            return undriven(items, signal.net, width, self.four_state), -1
        if len(segment.driven) + bool(segment.clocked) > 1:
            self._check_drivers(wire, segment)
        if segment.driven and not segment.clocked:
            driver = segment.driven[-1]
            value = items.slice(driver.value, driver.bit + segment.low - driver.low, width)
            if not driver.holds:
                return value, -1
            state = self._add_segment_state(wire, segment, "latch")
            self.latch_writes.append(LatchWrite(state, value))
            return value, items.add_node(items.builder.read(state))
        state = self._add_segment_state(wire, segment, "register")
        for clocked in segment.clocked:
            value = items.slice(clocked.value, clocked.bit + segment.low - clocked.low, width)
            self.register_writes.append(RegisterWrite(state, value, clocked.enable, clocked))
        item = items.add_node(items.builder.read(state))
        return item, item

    def _check_drivers(self, wire: int, segment: Segment) -> None:
        ports = any(driver.process[1] < 0 for driver in segment.driven)
        if wire in self._read or ports:
            self._refuse_drivers(wire, segment)

    def _refuse_drivers(self, wire: int, segment: Segment) -> NoReturn:
        drivers: list[Driver | ClockedDriver] = [*segment.driven, *segment.clocked[:1]]
        name = self.hierarchy.name(wire, segment.low, segment.width)
        raise UserError(
            "multiple-drivers",
            f"{name!r} has {'two' if len(drivers) == 2 else len(drivers)} drivers",
            drivers[0].span,
            tuple(Note("the other one is here", driver.span) for driver in drivers[1:]),
        )

    def _add_segment_state(self, wire: int, segment: Segment, kind: str) -> int:
        name, signal = self.hierarchy.name(wire, segment.low, segment.width), self.hierarchy.signal[wire]
        return self._add_state(variable_state(signal, name, segment.width, kind))

    def _add_state(self, state: State) -> int:
        self.states.append(state)
        return len(self.states) - 1

    def _alias_state(self, wire: int, state: State) -> None:
        same = (i for i, known in enumerate(self.states) if (known.kind, known.name) == (state.kind, state.name))
        number = next(same, -1)
        number = self._add_state(state) if number < 0 else number
        self.items.alias(wire, self.items.add_node(self.items.builder.read(number)))


def variable_state(signal: Signal, name: str, width: int, kind: str, depth: int = 0) -> State:
    """Return a state for (bits of) a signal; one of a 2-state type is always known and begins as 0 (table 6-7).

    One that holds a process's stream of random numbers begins as its place in the hierarchy decides.
    """
    known = not signal.type.four_state
    initial = stream_of(name) or 0 if known else None
    return State(name, width, depth, kind, initial, signal.span, known=known)


def _top_ports(hierarchy: Hierarchy) -> dict[int, str]:
    """Return the direction of each wire that is an input or inout of a top."""
    result: dict[int, str] = {}
    for root in list(hierarchy.roots.values())[: hierarchy.tops]:
        place = hierarchy.places[root]
        for port in place.plan.module.ports:
            if port.direction in ("input", "inout", "ref"):
                result[hierarchy.find(place.first_wire + place.plan.index[port.signal])] = port.direction
    return result


def _uses_read(hierarchy: Hierarchy) -> tuple[set[int], set[int]]:
    """Return the wires whose present value something reads, and those whose held value something reads."""
    read: set[int] = set()
    held: set[int] = set()
    for place in hierarchy.places:
        uses = place.plan.fragment.uses
        for _, use in (*place.plan.reads, *place.plan.memreads):
            (held if uses[use].hold else read).add(place.uses[use])
        for port in place.plan.module.ports:
            if port.direction != "input":
                read.add(hierarchy.find(place.first_wire + place.plan.index[port.signal]))
    return read, held


def _segments(bits: int, driven: list[Driver], clocked: list[ClockedDriver], outer: list[OuterBits]) -> list[Segment]:
    """Cut a wire at the ends of its drivers."""
    ends = {0, bits}
    for driver in (*driven, *clocked, *outer):
        ends.add(driver.low)
        ends.add(driver.low + driver.width)
    cuts = sorted(ends)
    number = {cut: i for i, cut in enumerate(cuts)}
    result = [Segment(low, high - low) for low, high in itertools.pairwise(cuts)]
    for driver in driven:
        for segment in result[number[driver.low] : number[driver.low + driver.width]]:
            segment.driven.append(driver)
    for driver in clocked:
        for segment in result[number[driver.low] : number[driver.low + driver.width]]:
            segment.clocked.append(driver)
    for driver in outer:
        for segment in result[number[driver.low] : number[driver.low + driver.width]]:
            segment.outer.append(driver)
    return result
