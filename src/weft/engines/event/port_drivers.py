"""What drives each bit of a port from outside and from inside of an instance, for `$dumpports`.

IEEE 1800-2023 21.7.4.3 counts primitives, continuous assignments and forces as drivers, each of which is in one
instance: inside if that is the port's, or below it. What comes through a switch that conducts both ways is a driver
where the switch is; it is what the nets behind it would have if they were not connected to the port. That is found by
the rule that `island_kernels` has, in Python, as ports are looked at only when they have changed. A kind of net that
drives itself, such as `tri1`, drives where it is declared. A force counts as a driver outside.
"""

from __future__ import annotations

import ctypes
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from weft.base.dataclass import dataclass, field
from weft.engines.event import net_records as at
from weft.engines.event.count_drivers import driver_byte, is_held, value_byte
from weft.engines.event.elaborate import Driver, Net, Node
from weft.engines.event.gates import TWO_WAY
from weft.engines.event.net_kinds import NetBit, joined_bits
from weft.engines.event.strengths import Table, Z, base_byte, combine_kind, combine_table, decode, pass_table
from weft.ir.design import Signal

if TYPE_CHECKING:
    from weft.engines.event.engine import EventEngine

_OUTSIDE, _INSIDE = 0, 1


@dataclass(slots=True, eq=False)
class Side:
    """Be what drives a bit from one side: a range of levels, how many drivers do, and whether there are any at all."""

    byte: int = Z
    active: int = 0
    present: bool = False

    @property
    def levels(self) -> tuple[int, int]:
        """Return the ends of the range, from -7 (supply0) to 7 (supply1)."""
        return decode(self.byte)


@dataclass(slots=True, eq=False)
class _Net:
    """Be the bit of a simulated net: its drivers, and its switches with the bits on the other side."""

    bits: list[NetBit]
    kind: str
    drivers: list[tuple[Net, Driver, int]] = field(default_factory=list[tuple[Net, Driver, int]])
    switches: list[_Switch] = field(default_factory=list["_Switch"])


@dataclass(frozen=True, slots=True, eq=False)
class _Switch:
    """Be a switch that conducts both ways, seen from one of its ends."""

    node: Node
    number: int
    family: str
    other: NetBit


class PortDrivers:
    """Read the drivers of ports of one running design."""

    def __init__(self, engine: EventEngine) -> None:
        self._engine = engine
        design = engine.code.design
        self._groups = {bit: bits for bits in joined_bits(design) for bit in bits}
        self._nets: dict[NetBit, _Net] = {}
        self._switches: dict[NetBit, list[_Switch]] = defaultdict(list)
        for node in design.nodes:
            for number, gate in enumerate(node.unit.gates):
                if gate.kind in TWO_WAY and gate.kind != "join":
                    a, b = ((design.net(node, bit.ref), bit.at) for bit in gate.outputs)
                    self._switches[a].append(_Switch(node, number, gate.family, b))
                    self._switches[b].append(_Switch(node, number, gate.family, a))

    def nets_of(self, node: Node, signal: Signal) -> set[Net]:
        """Return the nets of which a change of a driver may change what drives a port."""
        return {net for at in range(signal.bits) for net, _ in self._net(self._bit(node, signal, at)).bits}

    def read(self, node: Node, signal: Signal) -> list[tuple[Side, Side]]:
        """Return what drives each bit of a port of an instance from outside and inside, the lowest bit first."""
        output = any(port.signal is signal and port.direction == "output" for port in node.unit.module.ports)
        return [self._sides(node, self._bit(node, signal, at), output) for at in range(signal.bits)]

    def _bit(self, node: Node, signal: Signal, at: int) -> NetBit:
        design = self._engine.code.design
        return design.nets[design.find(node, signal)], at

    def _net(self, bit: NetBit) -> _Net:
        found = self._nets.get(bit)
        if found is None:
            bits = self._groups.get(bit, [bit])
            found = _Net(bits, self._engine.area.kinds.get(bit, bit[0].kind))
            for net, place in bits:
                for driver in net.drivers:
                    if driver.low <= place < driver.low + driver.width:
                        found.drivers.append((net, driver, place))
                found.switches += self._switches[(net, place)]
                self._nets[(net, place)] = found
        return found

    # ------------------------------------------------------------------------------------------- sides

    def _sides(self, node: Node, bit: NetBit, output: bool) -> tuple[Side, Side]:
        """Return what drives a bit of a port; of an output a variable is inside, of an input outside."""
        found = self._net(bit)
        sides = Side(), Side()
        table = combine_table(combine_kind(found.kind))
        for net, place in found.bits:
            if is_held(self._engine, *net.key, place):
                _add(sides[_OUTSIDE], value_byte(self._engine, net, place), table)
                return sides
        for owner, byte in self._contributions(found):
            inside = output if owner is None else _is_below(owner, node)
            _add(sides[_INSIDE if inside else _OUTSIDE], byte, table)
        for switch in found.switches:
            byte = self._passed(switch, self._settle(self._net(switch.other), found))
            _add(sides[_INSIDE if _is_below(switch.node, node) else _OUTSIDE], Z if byte is None else byte, table)
        return sides

    def _contributions(self, found: _Net) -> Iterator[tuple[Node | None, int]]:
        """Yield what each driver of a bit gives, and its instance, or None for a variable that holds the net."""
        for net, driver, place in found.drivers:
            yield driver.node, driver_byte(self._engine, net, driver, place)
        for net, place in found.bits:
            if not net.key[1].net:
                yield None, value_byte(self._engine, net, place)
            for node, signal in net.members:
                if base_byte(signal.net) != Z and signal.net == found.kind:
                    yield node, base_byte(found.kind)

    def _passed(self, switch: _Switch, byte: int) -> int | None:
        """Return what passes through a switch that conducts, or may conduct."""
        conducts = 1
        place = self._engine.area.conductors.get((switch.node, switch.number))
        if place is not None:
            conducts = self._engine.word(place + at.GATE_STATE)
        return int(pass_table(switch.family, conducts == 1)[byte]) if conducts else None

    def _settle(self, begin: _Net, without: _Net) -> int:
        """Return the range of a net when switches to one other net are open."""
        values: dict[int, int] = {}
        waiting, island = [begin], list[_Net]()
        while waiting:
            net = waiting.pop()
            if net is not without and id(net) not in values:
                values[id(net)] = self._own(net)
                island.append(net)
                waiting += [self._net(switch.other) for switch in net.switches if self._passed(switch, Z) is not None]
        changed = True
        while changed:
            changed = False
            for net in island:
                table, value = combine_table(combine_kind(net.kind)), values[id(net)]
                for switch in net.switches:
                    other = values.get(id(self._net(switch.other)))
                    passed = self._passed(switch, other) if other is not None else None
                    if passed is not None:
                        value = int(table[value << 8 | passed])
                if value != values[id(net)]:
                    values[id(net)], changed = value, True
        return values.get(id(begin), Z)

    def _own(self, net: _Net) -> int:
        table, total = combine_table(combine_kind(net.kind)), Z
        for held, place in net.bits:
            if is_held(self._engine, *held.key, place):
                return value_byte(self._engine, held, place)
        for _, byte in self._contributions(net):
            total = int(table[total << 8 | byte])
        return total


def _add(side: Side, byte: int, table: Table) -> None:
    """Add a driver to a side."""
    side.byte = int(table[side.byte << 8 | byte])
    side.active += byte != Z
    side.present = True


def _is_below(node: Node, instance: Node) -> bool:
    """Say whether an instance is another one, or inside it."""
    found: Node | None = node
    while found is not None and found is not instance:
        found = found.parent
    return found is not None


def follow_drivers(engine: EventEngine, net: Net, flag: int) -> None:
    """Have a net set a flag (`EventEngine.record_changes`) when a driver of it may have changed."""
    place = engine.area.nets.get(net.key)
    if place is not None:
        count = engine.word(place + at.NET_RECORD_COUNT)
        known = (ctypes.c_uint64 * count).from_address(engine.word(place + at.NET_RECORDS)) if count else ()
        flags = np.array([*known, flag], dtype=np.uint64)
        engine.kept.append(flags)
        engine.set_word(place + at.NET_RECORDS, flags.ctypes.data)
        engine.set_word(place + at.NET_RECORD_COUNT, count + 1)
