"""Decide which unpacked arrays are memories, and connect the nodes that read their elements.

An array is a memory where fragments use it as one (dynamic element access) and nothing but clocked processes and
initial procedures write it. Everywhere else it is a flat vector, and reading an element of it selects bits. A memory
that is also read as a whole, or written with constant indices elsewhere, has that done element by element.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.base.errors import UserError
from weft.ir.ops import CODE, mask
from weft.passes.collect_drivers import ClockedDriver, Drivers
from weft.passes.elaborate_instances import Hierarchy
from weft.passes.link_items import LinkedItems
from weft.passes.resolve_drivers import variable_state

_MEMREAD, _EXTRACT, _ZEXT, _MUL = CODE["memread"], CODE["extract"], CODE["zext"], CODE["mul"]
WHOLE_LIMIT = 4096
"""The most elements that a memory may have to be read as a whole."""


@dataclass(frozen=True, slots=True)
class MemoryEntry:
    """Write items to a memory when an instance's trigger fires; like `MemoryWrite`, before anything is built."""

    state: int
    address: int
    value: int
    enable: int
    instance: int
    trigger: int
    process: int
    mask: int = -1
    count: int = 1
    blocking: bool = False


def place_memories(hierarchy: Hierarchy, items: LinkedItems, drivers: Drivers) -> dict[int, int]:
    """Return the state of every wire that is a memory; its states are in the builder."""
    dynamic: set[int] = set()
    whole: dict[int, None] = {}
    for place in hierarchy.places:
        uses = place.plan.fragment.uses
        dynamic.update(wire for wire, use in zip(place.uses, uses, strict=True) if use.memory)
        whole.update((place.uses[use], None) for _, use in place.plan.reads if hierarchy.signal[place.uses[use]].depth)
        dynamic.update(place.uses[entry.target] for entry in place.plan.fragment.clocked_memories)
        for port in place.plan.module.ports:
            if port.signal.depth:
                whole[hierarchy.find(place.first_wire + place.plan.index[port.signal])] = None
    states = items.builder.states
    memories: dict[int, int] = {}
    for wire, signal in enumerate(hierarchy.signal):
        if not signal.depth or hierarchy.canonical[wire] != wire or wire in drivers.outer:
            continue
        if wire in drivers.driven:
            _check_not_written(hierarchy, drivers, wire)
        elif wire in dynamic or not (signal.local or signal.automatic or wire in whole or wire in drivers.clocked):
            memories[wire] = len(states)
            states.append(variable_state(signal, hierarchy.name(wire), signal.width, "memory", signal.depth))
    for wire in whole:
        if wire in memories:
            _read_whole(hierarchy, items, wire, memories[wire])
    return memories


def connect_element_reads(hierarchy: Hierarchy, items: LinkedItems, memories: dict[int, int]) -> None:
    """Point every `memread` node at its memory, or at the bits of its vector."""
    for place in hierarchy.places:
        for node, use in place.plan.memreads:
            item, wire = place.first_item + node, place.uses[use]
            address = place.first_item + items.srcs[item][0]
            state = memories.get(wire)
            if state is not None:
                items.patch(item, _MEMREAD, (address,), state)
            else:
                items.patch(item, _EXTRACT, (wire, element_offset(items, address, hierarchy.signal[wire].width)))


def element_offset(items: LinkedItems, address: int, width: int) -> int:
    """Return the item of an element's first bit, wide enough to be positive as a signed number."""
    bits = items.width[address] + width.bit_length() + 1
    wide = items.add(_ZEXT, bits, (address,))
    return items.add(_MUL, bits, (wide, items.constant(bits, width)))


def _read_whole(hierarchy: Hierarchy, items: LinkedItems, wire: int, state: int) -> None:
    signal = hierarchy.signal[wire]
    if signal.depth > WHOLE_LIMIT:
        what = f"reading all {signal.depth} elements of memory {hierarchy.name(wire)!r} at once"
        items.alias(wire, items.refuse(signal.bits, what, signal.span))
        return
    bits = max(1, (signal.depth - 1).bit_length())
    reads = [items.add(_MEMREAD, signal.width, (items.constant(bits, index),), state) for index in range(signal.depth)]
    items.alias(wire, items.concat(reads))


def _check_not_written(hierarchy: Hierarchy, drivers: Drivers, wire: int) -> None:
    """Refuse an array that clocked processes write by element while something else drives it."""
    if wire in drivers.memory_written:
        span = drivers.driven[wire][0].span
        message = f"{hierarchy.name(wire)!r} is driven here, and a clocked process writes it as well"
        raise UserError("multiple-drivers", message, span)


def memory_entries(
    hierarchy: Hierarchy, items: LinkedItems, drivers: Drivers, memories: dict[int, int]
) -> list[MemoryEntry]:
    """Return all writes of memories, in process order; those with constant indices become element writes."""
    result: list[MemoryEntry] = []
    for number, place in enumerate(hierarchy.places):
        first = place.first_item
        result += [
            MemoryEntry(
                memories[place.uses[entry.target]],
                first + entry.address,
                first + entry.value,
                first + entry.enable if entry.enable >= 0 else -1,
                number,
                entry.trigger,
                entry.process,
                first + entry.mask if entry.mask >= 0 else -1,
                entry.count,
                entry.blocking,
            )
            for entry in place.plan.fragment.clocked_memories
        ]
    for wire, state in memories.items():
        for driver in drivers.clocked.get(wire, ()):
            result += _element_entries(items, state, driver)
    result.sort(key=lambda entry: (entry.instance, entry.process))
    return result


def _element_entries(items: LinkedItems, state: int, driver: ClockedDriver) -> list[MemoryEntry]:
    """Cut a write of some bits of a whole memory into one write for each element that it touches."""
    memory = items.builder.states[state]
    bits = max(1, (memory.depth - 1).bit_length())
    result: list[MemoryEntry] = []
    for index in range(driver.low // memory.width, (driver.low + driver.width - 1) // memory.width + 1):
        start = index * memory.width
        low, high = max(start, driver.low), min(start + memory.width, driver.low + driver.width)
        value = items.slice(driver.value, driver.bit + low - driver.low, high - low)
        selected = -1
        if high - low < memory.width:
            below, above = low - start, start + memory.width - high
            zeros = [items.constant(count, 0) if count else -1 for count in (below, above)]
            value = items.concat([part for part in (zeros[0], value, zeros[1]) if part >= 0])
            selected = items.constant(memory.width, mask(high - low) << below)
        result.append(
            MemoryEntry(
                state,
                items.constant(bits, index),
                value,
                driver.enable,
                driver.instance,
                driver.trigger,
                driver.process,
                selected,
                blocking=driver.blocking,
            )
        )
    return result
