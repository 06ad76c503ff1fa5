"""Collect what drives each wire: assignments and processes, ports from both sides, clocked processes, memories.

Each driver covers a range of bits. A port of the kind `inout` or `ref` on a part of a signal is an alias, not a driver:
what drives it inside drives the outer signal, which `_redirect` does range by range.
"""

from __future__ import annotations

from collections.abc import Iterator

from weft.base.dataclass import dataclass, field
from weft.base.source import NOWHERE, Span
from weft.passes.elaborate_instances import Hierarchy, InstancePlace, child_port
from weft.passes.fragment import Connection
from weft.passes.link_items import LinkedItems


@dataclass(frozen=True, slots=True)
class Driver:
    """Drive bits `low` to `low + width - 1` of a wire with bits `bit` up of item `value`.

    `enable` is an item as wide as `value`, or -1. `process` is (instance, number) of what drives; (instance, -1) is a
    port. `holds` says that the value depends on what the wire held before: a latch.
    """

    low: int
    width: int
    value: int
    bit: int = 0
    enable: int = -1
    process: tuple[int, int] = (-1, -1)
    span: Span = NOWHERE
    weak: bool = False
    holds: bool = False


@dataclass(frozen=True, slots=True)
class ClockedDriver:
    """Set bits of a wire from bit `bit` up of item `value` when trigger number `trigger` of `instance` fires."""

    low: int
    width: int
    value: int
    bit: int
    enable: int
    instance: int
    trigger: int
    process: int
    span: Span
    blocking: bool


@dataclass(frozen=True, slots=True)
class OuterBits:
    """Say that bits `low` up of a port's wire are bits `outer_low` up of wire `outer` (an inout port on a part)."""

    low: int
    width: int
    outer: int
    outer_low: int


@dataclass(slots=True)
class Drivers:
    """Hold all drivers by wire."""

    driven: dict[int, list[Driver]] = field(default_factory=dict[int, list[Driver]])
    clocked: dict[int, list[ClockedDriver]] = field(default_factory=dict[int, list[ClockedDriver]])
    outer: dict[int, list[OuterBits]] = field(default_factory=dict[int, list[OuterBits]])
    memory_written: set[int] = field(default_factory=set[int])

    def redirect(self, wire: int, low: int, width: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield (wire, low, width, offset) of the outermost bits that a range of bits stands for."""
        pending = [(wire, low, width, 0)]
        while pending:
            wire, low, width, offset = pending.pop()
            at = low
            for part in self.outer.get(wire, ()):
                start, end = max(low, part.low), min(low + width, part.low + part.width)
                if start < end:
                    if at < start:
                        yield wire, at, start - at, offset + at - low
                    pending.append((part.outer, part.outer_low + start - part.low, end - start, offset + start - low))
                    at = end
            if at < low + width:
                yield wire, at, low + width - at, offset + at - low


def collect_drivers(hierarchy: Hierarchy, items: LinkedItems) -> Drivers:
    """Return the drivers of every wire."""
    drivers = Drivers()
    for number, place in enumerate(hierarchy.places):
        for connection in place.plan.fragment.connections:
            _connect_outer(hierarchy, drivers, number, place, connection)
    for parts in drivers.outer.values():
        parts.sort(key=lambda part: part.low)
    for number, place in enumerate(hierarchy.places):
        _collect_fragment(drivers, number, place, items)
        for connection in place.plan.fragment.connections:
            _collect_connection(hierarchy, drivers, number, place, connection, items)
    return drivers


def _connect_outer(
    hierarchy: Hierarchy, drivers: Drivers, number: int, place: InstancePlace, connection: Connection
) -> None:
    if not connection.targets:
        return
    wire, direction = child_port(hierarchy, place, connection)
    if direction in ("inout", "ref") and hierarchy.canonical[wire] == wire:
        for use, low, width, bit in connection.targets:
            if place.uses[use] != wire:
                drivers.outer.setdefault(wire, []).append(OuterBits(bit, width, place.uses[use], low))


def _collect_fragment(drivers: Drivers, number: int, place: InstancePlace, items: LinkedItems) -> None:
    first, uses, driven = place.first_item, place.uses, drivers.driven
    for planned in place.plan.drives:
        drive = planned.drive
        enable = drive.enable + first if drive.enable >= 0 else -1
        for at, start, size, offset in drivers.redirect(uses[drive.target], planned.low, planned.width):
            driver = Driver(
                start,
                size,
                first + drive.value,
                planned.bit + offset,
                enable,
                (number, drive.process),
                drive.span,
                drive.weak,
                planned.holds,
            )
            driven.setdefault(at, []).append(driver)
    drivers.memory_written.update(uses[entry.target] for entry in place.plan.fragment.clocked_memories)
    for entry, values in place.plan.clocked:
        value = items.concat([first + value for value in values])
        for at, start, size, offset in drivers.redirect(uses[entry.target], entry.low, entry.width):
            drivers.clocked.setdefault(at, []).append(
                ClockedDriver(
                    start,
                    size,
                    value,
                    offset,
                    first + entry.enable if entry.enable >= 0 else -1,
                    number,
                    entry.trigger,
                    entry.process,
                    entry.span,
                    entry.blocking,
                )
            )


def _collect_connection(
    hierarchy: Hierarchy,
    drivers: Drivers,
    number: int,
    place: InstancePlace,
    connection: Connection,
    items: LinkedItems,
) -> None:
    wire, direction = child_port(hierarchy, place, connection)
    span = place.plan.module.instances[connection.instance].span
    if direction == "input":
        if connection.value >= 0:
            width = hierarchy.signal[wire].bits
            driver = Driver(0, width, place.first_item + connection.value, process=(number, -1), span=span)
            drivers.driven.setdefault(wire, []).append(driver)
    elif direction == "output":
        for use, low, width, bit in connection.targets:
            for at, start, size, offset in drivers.redirect(place.uses[use], low, width):
                driver = Driver(start, size, hierarchy.find(wire), bit + offset, process=(number, -1), span=span)
                drivers.driven.setdefault(at, []).append(driver)
