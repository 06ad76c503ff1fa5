"""Lay out and fill the records of nets with strengths and of gates that are data (`net_records`).

They follow the instances' blocks in the state. Everything is written into one list of words; those that are addresses
are noted, and get the state's own address added when that is known. The work is linear in gates, drivers and fan-out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from weft.base.dataclass import dataclass, field
from weft.base.errors import InternalError, Unsupported
from weft.base.source import Span
from weft.engines.event import net_records as at
from weft.engines.event.elaborate import Driver, Key, Net, Node
from weft.engines.event.gates import (
    CONTROLLED,
    ONE_WAY,
    TWO_WAY,
    Bit,
    PlannedGate,
    control_table,
    primitive_rows,
    three_state_table,
)
from weft.engines.event.layout import value_bytes
from weft.engines.event.net_kinds import NetBit, joined_kinds
from weft.engines.event.records import NODE_CODE, NODE_INSTANCE, NODE_SIZE, WATCH_ANY
from weft.engines.event.sites import ThreadPlan
from weft.engines.event.strengths import (
    X,
    Z,
    base_byte,
    combine_kind,
    drive_bytes,
    encode,
    tables,
)
from weft.engines.event.writer import plane_bytes
from weft.ir.design import Const, Delay, Expr, Real, Ref

if TYPE_CHECKING:
    from weft.engines.event.code_program import ProgramCode

KERNELS = (
    "resolve",
    "refresh",
    "run_islands",
    "run_net_delay",
    "run_gate_delay",
    "run_decay",
    "run_table_gate",
    "run_switch",
    "run_control",
    "run_primitive",
)
_NEVER = (1 << 64) - 1
_NOT_SOLVED = 255
"""A byte that is no range, so that the first range is a change."""

Entry = tuple[int, int, int, int, int]


def _lists() -> Any:
    return defaultdict[int, "list[Any]"](list)


@dataclass(slots=True, eq=False)
class NetArea:
    """Hold the records of a program; all places are offsets in the state. `address` gives a kernel's address."""

    program: ProgramCode
    address: Callable[[str], int]
    nets: dict[Key, int] = field(default_factory=dict[Key, int])
    gates: list[tuple[int, Node, ThreadPlan]] = field(default_factory=list[tuple[int, Node, ThreadPlan]])
    """The nodes of the gates, which all run once at the start."""
    watches: dict[int, list[Entry]] = field(default_factory=_lists)
    """For each signal's place what the gates watch of it, with the list's place."""
    control: dict[int, int] = field(default_factory=dict[int, int])
    """Addresses for the control block."""
    code_places: list[int] = field(default_factory=list[int])
    """Where addresses of kernels are."""
    island_node: int = 0
    kinds: dict[NetBit, str] = field(default_factory=dict[NetBit, str])
    """The kind of the simulated net of each bit that is joined with others."""
    conductors: dict[tuple[Node, int], int] = field(default_factory=dict[tuple[Node, int], int])
    """The records of switches that have a control and conduct both ways, by the gate's number."""
    _words: list[int] = field(default_factory=list[int])
    _addresses: list[int] = field(default_factory=list[int])
    _start: int = 0
    _tables: dict[str, int] = field(default_factory=dict[str, int])
    _drivers: dict[tuple[Node, int, int], int] = field(default_factory=dict[tuple[Node, int, int], int])
    _known: dict[object, int] = field(default_factory=dict[object, int])
    _edges: dict[int, list[tuple[int, int]]] = field(default_factory=_lists)
    _dependents: dict[int, list[tuple[int, int]]] = field(default_factory=_lists)
    _plans: dict[Span, ThreadPlan] = field(default_factory=dict[Span, ThreadPlan])

    def __post_init__(self) -> None:
        self._start = (self.program.size + 63) // 64 * 64
        design = self.program.design
        graded = [net for net in design.nets.values() if net.graded]
        if not graded and not any(unit.gates for unit in design.units.values()):
            return
        content, places = tables()
        base = self._bytes(content.tobytes())
        self._tables = {name: base + place for name, place in places.items()}
        self.control[at.CODES_TABLE] = self._tables["codes"]
        self.island_node = self._take(NODE_SIZE)
        self._set_code(self.island_node, "run_islands")
        self.control[at.ISLAND_NODE] = self.island_node
        self.kinds = joined_kinds(design)
        for net in graded:
            self._add_net(net)
        for node in design.nodes:
            for number, gate in enumerate(node.unit.gates):
                self._add_gate(node, number, gate)
        self._add_edges()
        for net, found in self._dependents.items():
            self._list(net + at.NET_DEPENDENTS, net + at.NET_DEPENDENT_COUNT, found, (True, False))

    @property
    def used(self) -> bool:
        """Say whether there is anything here."""
        return bool(self._words)

    @property
    def end(self) -> int:
        """Return where the records end."""
        return self._start + 8 * len(self._words) if self._words else self.program.size

    def store(self, memory: npt.NDArray[np.uint8], state: int) -> None:
        """Write the records into the state, which begins at an address."""
        if not self._words:
            return
        words = np.array(self._words, dtype=np.uint64)
        words[(np.array(self._addresses, dtype=np.int64) - self._start) // 8] += np.uint64(state)
        memory[self._start : self.end] = words.view(np.uint8)
        for code in self.program.codes.values():
            for key, offset in code.driver_words.items():
                for node in code.unit.nodes:
                    self._patch(memory, node.base + offset, state + self._drivers[(node, *key)])
            for ref, offset in code.net_words.values():
                for node in code.unit.nodes:
                    key = self.program.design.net(node, ref).key
                    self._patch(memory, node.base + offset, state + self.nets[key] if key in self.nets else 0)

    def _patch(self, memory: npt.NDArray[np.uint8], place: int, word: int) -> None:
        memory[place : place + 8] = np.frombuffer(word.to_bytes(8, "little"), dtype=np.uint8)

    # ------------------------------------------------------------------------------------------- words

    def _take(self, size: int) -> int:
        place = self._start + 8 * len(self._words)
        self._words += [0] * ((size + 7) // 8)
        return place

    def _set(self, place: int, value: int) -> None:
        self._words[(place - self._start) // 8] = value

    def _set_code(self, node: int, kernel: str) -> None:
        self._set(node + NODE_CODE, self.address(kernel))
        self.code_places.append(node + NODE_CODE)

    def _point(self, place: int, target: int) -> None:
        self._words[(place - self._start) // 8] = target
        self._addresses.append(place)

    def _bytes(self, content: bytes) -> int:
        place = self._start + 8 * len(self._words)
        padded = content + bytes(-len(content) % 8)
        self._words += np.frombuffer(padded, dtype=np.uint64).tolist()
        return place

    def _list(self, place: int, count: int, entries: Sequence[tuple[int, ...]], kinds: tuple[bool, ...]) -> None:
        """Write an array of entries of words, some of which are addresses; note where it is and how long."""
        start = self._take(8 * len(kinds) * len(entries))
        here = start
        for entry in entries:
            for word, address in zip(entry, kinds, strict=True):
                (self._point if address else self._set)(here, word)
                here += 8
        self._point(place, start)
        self._set(count, len(entries))

    def _shared(self, key: object, content: Callable[[], bytes]) -> int:
        """Return the place of a table that is written once."""
        place = self._known.get(key)
        if place is None:
            place = self._known[key] = self._bytes(content())
        return place

    def _signal(self, key: Key) -> int:
        holder, held = key
        return holder.base + self.program.codes[holder.unit].place_signal(held)

    # ------------------------------------------------------------------------------------------- nets

    def _add_net(self, net: Net) -> None:
        node, signal = net.key
        bits, place = net.width, self._take(at.NET_SIZE)
        self.nets[net.key] = place
        self._point(place + at.NET_SIGNAL, self._signal(net.key))
        self._set(place + at.NET_WIDTH, signal.width)
        self._set(place + at.NET_PLANE, plane_bytes(signal.width))
        self._set(place + at.NET_BITS, bits)
        self._point(place + at.NET_TABLE, self._tables[f"combine.{combine_kind(net.kind)}"])
        self._set(place + at.NET_BASE, base_byte(net.kind))
        self._point(place + at.NET_NEW, self._bytes(bytes([_NOT_SOLVED]) * bits))
        driven = [Z] * bits
        for driver in net.drivers:
            driven[driver.low : driver.low + driver.width] = [encode(-6, 6)] * driver.width
        self._point(place + at.NET_STRENGTHS, self._bytes(bytes(driven)))
        if self.program.is_forced_signal(signal):
            self._point(place + at.NET_MASK, self._signal(net.key) + value_bytes(signal))
        self._list(
            place + at.NET_DRIVERS,
            place + at.NET_DRIVER_COUNT,
            [(self._add_driver(place, driver), driver.low, driver.low + driver.width) for driver in net.drivers],
            (True, False, False),
        )
        if net.linked:
            points = self._take(at.POINT_SIZE * bits)
            self._point(place + at.NET_POINTS, points)
            for bit in range(bits):
                point = points + bit * at.POINT_SIZE
                self._point(point + at.POINT_NET, place)
                self._set(point + at.POINT_BIT, bit)
                self._set(point + at.POINT_OWN, _NOT_SOLVED)
                self._set_kind(point, net, self.kinds.get((net, bit), net.kind))
        delay, owner = next(
            (
                (owner.unit.planner.delays[member], owner)
                for owner, member in net.members
                if member in owner.unit.planner.delays
            ),
            (None, node),
        )
        if net.kind == "trireg":
            self._add_charge(net, place, delay, owner)
        if delay is not None and not (net.kind == "trireg" and _is_prompt(delay)):
            self._point(place + at.NET_DELAY, self._add_delay(place, delay, owner, "run_net_delay"))

    def _set_kind(self, point: int, net: Net, kind: str) -> None:
        """Give a bit of a net the kind of its simulated net."""
        self._point(point + at.POINT_TABLE, self._tables[f"combine.{combine_kind(kind)}"])
        self._set(point + at.POINT_BASE, base_byte(kind if kind == net.kind else ""))
        self._set(point + at.POINT_CHARGED, int(kind == net.kind == "trireg"))

    def _add_driver(self, net: int, driver: Driver) -> int:
        place = self._take(at.DRIVER_BYTES + driver.width)
        self._point(place + at.DRIVER_NET, net)
        self._set(place + at.DRIVER_LOW, driver.low)
        unknown = drive_bytes(driver.strength) >> 8 * X & 255
        content = int.from_bytes(bytes([unknown]) * driver.width, "little")
        for i in range((driver.width + 7) // 8):
            self._set(place + at.DRIVER_BYTES + 8 * i, content >> 64 * i & _NEVER)
        self._drivers[(driver.node, driver.index, driver.number)] = place
        return place + at.DRIVER_BYTES

    def _add_charge(self, net: Net, place: int, delay: Delay | None, owner: Node) -> None:
        charge = next((signal.charge for _, signal in net.members if signal.charge), "medium")
        kinds = drive_bytes((charge, charge)) & 0xFFFFFF
        unknown = kinds >> 16
        self._set(place + at.NET_CHARGE_BYTES, kinds | unknown << 24)
        self._point(place + at.NET_CHARGE, self._bytes(bytes([unknown] * net.width)))
        if delay is None or delay.off is None:
            return
        if isinstance(delay.off, Ref):
            raise Unsupported("a decay of charge that is no constant", net.span)
        nodes = self._take(at.DECAY_SIZE * net.width)
        self._point(place + at.NET_DECAY, nodes)
        self._set(place + at.NET_DECAY_TICKS, self._ticks(delay.off, owner))
        for bit in range(net.width):
            node = nodes + bit * at.DECAY_SIZE
            self._set_code(node, "run_decay")
            self._point(node + at.DELAY_OWNER, place)
            self._set(node + at.DECAY_BIT, bit)

    def _add_delay(self, owner: int, delay: Delay, node: Node, code: str) -> int:
        place = self._take(at.DELAY_SIZE)
        self._set_code(place, code)
        self._point(place + at.DELAY_OWNER, owner)
        code_unit = self.program.codes[node.unit]
        scale = code_unit.ticks_per_precision if delay.real else code_unit.ticks_per_unit
        self._set(place + at.DELAY_SCALE, scale)
        fall = delay.fall if delay.fall is not None else delay.value
        parts = [(at.DELAY_RISE, delay.value), (at.DELAY_FALL, fall)]
        if delay.off is not None:
            parts.append((at.DELAY_OFF, delay.off))
        elif isinstance(delay.value, Ref) or isinstance(fall, Ref):
            # Of two delays the smaller one is that of a turn-off; here it is not known which that is.
            parts.append((at.DELAY_OFF, Const(64, _NEVER)))
        else:
            least = min(self._ticks(delay.value, node), self._ticks(fall, node))
            self._set(place + at.DELAY_OFF, least)
        for offset, value in parts:
            if isinstance(value, Ref):
                self._point(place + offset + at.DELAY_PLACES, self._signal(self.program.design.net(node, value).key))
            else:
                self._set(place + offset, _NEVER if value == Const(64, _NEVER) else self._ticks(value, node))
        return place

    def _ticks(self, value: Expr, node: Node) -> int:
        """Return a constant delay in ticks."""
        code = self.program.codes[node.unit]
        match value:
            case Const(value=number, unknown=unknown):
                return 0 if unknown else number * code.ticks_per_unit
            case Real(number):
                per_precision = code.ticks_per_precision
                return int(number * (code.ticks_per_unit // per_precision) + 0.5) * per_precision
            case _:
                raise InternalError(f"no constant delay: {value}")

    # ------------------------------------------------------------------------------------------- gates

    def _add_gate(self, node: Node, number: int, gate: PlannedGate) -> None:
        if gate.kind in TWO_WAY and gate.kind not in CONTROLLED:
            self._link(node, gate, self._conductor(gate.family))
            return
        place = self._take(at.GATE_SIZE)
        plan = self._plans.get(gate.span)
        if plan is None:
            # A primitive's first state is a change that procedures which wait for one see.
            order = int(gate.table is not None and gate.table.sequential)
            plan = self._plans[gate.span] = ThreadPlan(0, "", order, what=gate.kind, span=gate.span)
        self.gates.append((place, node, plan))
        self._point(place + NODE_INSTANCE, node.base)
        self._set(place + at.GATE_BYTES, drive_bytes(gate.strength))
        self._set(place + at.GATE_APPLIED, drive_bytes(gate.strength) >> 8 * X & 255)
        self._add_inputs(place, node, gate)
        if gate.delay is not None:
            self._point(place + at.GATE_DELAY, self._add_delay(place, gate.delay, node, "run_gate_delay"))
        if gate.kind in CONTROLLED:
            self.conductors[(node, number)] = place
            self._set_code(place, "run_control")
            self._point(place + at.GATE_CONTROL, self._shared(gate.kind, lambda: control_table(gate.kind)))
            self._point(place + at.GATE_TABLE, self._tables[f"pass.{gate.family}"])
            self._set(place + at.GATE_STATE, 2)
            self._set(place + at.GATE_APPLIED, encode(-6, 6))
            a, b = self._link(node, gate, place)
            self._point(place + at.GATE_POINT_A, a)
            self._point(place + at.GATE_POINT_B, b)
            return
        self._add_output(place, node, number, gate)
        if gate.kind == "udp":
            self._add_primitive(place, gate)
        elif gate.kind in ONE_WAY:
            self._set_code(place, "run_switch")
            self._point(place + at.GATE_CONTROL, self._shared(gate.kind, lambda: control_table(gate.kind)))
            self._point(place + at.GATE_TABLE, self._tables[f"pass.{gate.family}"])
        else:
            self._set_code(place, "run_table_gate")
            table = self._shared((gate.kind, gate.strength), lambda: three_state_table(gate.kind, gate.strength))
            self._point(place + at.GATE_TABLE, table)

    def _add_inputs(self, place: int, node: Node, gate: PlannedGate) -> None:
        entries: list[tuple[int, int, int]] = []
        for number, bit in enumerate(gate.inputs):
            net = self.program.design.net(node, bit.ref)
            signal = self._signal(net.key)
            entries.append(self._bit_place(net, bit))
            if number == 0 and gate.kind in ONE_WAY and net.graded:
                record = self.nets[net.key]
                strengths = self._words[(record + at.NET_STRENGTHS - self._start) // 8]
                self._point(place + at.GATE_DATA, strengths + bit.at)
                self._dependents[record].append((place, bit.at))
            else:
                self.watches[signal].append((place + at.GATE_SITE, WATCH_ANY, bit.at, bit.at + 1, 0))
        self._list(place + at.GATE_INPUTS, place + at.GATE_COUNT, entries, (True, False, False))

    def _bit_place(self, net: Net, bit: Bit) -> tuple[int, int, int]:
        """Return the byte that a bit lies in, how far behind it the unknown plane has it, and its place in the byte."""
        width = net.key[1].width
        plane = plane_bytes(width)
        index, offset = divmod(bit.at, width)
        return self._signal(net.key) + index * 2 * plane + offset // 8, plane, offset % 8

    def _add_output(self, place: int, node: Node, number: int, gate: PlannedGate) -> None:
        driver = self._drivers.get((node, -1 - number, 0))
        if driver is not None:
            self._point(place + at.GATE_DRIVER, driver)
            return
        bit = gate.outputs[0]
        net = self.program.design.net(node, bit.ref)
        byte, plane, shift = self._bit_place(net, bit)
        self._point(place + at.GATE_SIGNAL, self._signal(net.key))
        self._point(place + at.GATE_BYTE, byte)
        self._set(place + at.GATE_PLANE, plane)
        self._set(place + at.GATE_SHIFT, shift)
        self._set(place + at.GATE_BIT, bit.at)

    def _add_primitive(self, place: int, gate: PlannedGate) -> None:
        table = gate.table
        assert table is not None
        rows = primitive_rows(table)
        content = self._shared(table, lambda: np.array(rows, dtype=np.uint64).tobytes())
        self._set_code(place, "run_primitive")
        self._point(place + at.GATE_TABLE, content)
        self._set(place + at.GATE_ROWS, len(rows))
        count = len(gate.inputs)
        if count <= at.MEMO_INPUTS:
            size = 3 * count * 4 << 2 * count
            self._point(place + at.GATE_MEMO, self._shared(("memo", table), lambda: bytes([at.MEMO_EMPTY]) * size))
        self._set(place + at.GATE_HELD, sum(X << 2 * i for i in range(len(gate.inputs))))
        self._set(place + at.GATE_STATE, {"0": 0, "1": 1}.get(table.initial, X))

    # ------------------------------------------------------------------------------------------- islands

    def _conductor(self, family: str) -> int:
        """Return the record of a switch that always conducts."""
        place = self._known.get(("conductor", family))
        if place is None:
            place = self._known[("conductor", family)] = self._take(at.GATE_SIZE)
            self._point(place + at.GATE_TABLE, self._tables[f"pass.{family}"])
            self._set(place + at.GATE_STATE, 1)
        return place

    def _link(self, node: Node, gate: PlannedGate, record: int) -> tuple[int, int]:
        a, b = (self._point_of(self.program.design.net(node, bit.ref), bit.at) for bit in gate.outputs)
        if a != b:
            self._edges[a].append((b, record))
            self._edges[b].append((a, record))
        return a, b

    def _point_of(self, net: Net, bit: int) -> int:
        return self._words[(self.nets[net.key] + at.NET_POINTS - self._start) // 8] + bit * at.POINT_SIZE

    def _add_edges(self) -> None:
        for point, edges in self._edges.items():
            joins = self._known.get(("conductor", "join"))
            edges.sort(key=lambda edge: edge[1] != joins)
            self._list(point + at.POINT_EDGES, point + at.POINT_EDGE_COUNT, edges, (True, True))
            self._set(point + at.POINT_JOIN_COUNT, sum(record == joins for _, record in edges))

    # ------------------------------------------------------------------------------------------- reading

    def strengths(self, memory: npt.NDArray[np.uint8], state: int, net: Net) -> bytes | None:
        """Return the range of each bit of a net, the lowest first, or None if the net has no strengths."""
        place = self.nets.get(net.key)
        if place is None:
            return None
        begin = int(memory[place + at.NET_STRENGTHS : place + at.NET_STRENGTHS + 8].view(np.uint64)[0]) - state
        return memory[begin : begin + net.width].tobytes()

    def driver_bytes(self, memory: npt.NDArray[np.uint8], driver: Driver) -> bytes | None:
        """Return the range of each bit of a driver."""
        place = self._drivers.get((driver.node, driver.index, driver.number))
        if place is None:
            return None
        begin = place + at.DRIVER_BYTES
        return memory[begin : begin + driver.width].tobytes()


def _is_prompt(delay: Delay) -> bool:
    """Say whether a `trireg` follows its drivers at once: its third delay is that of its charge's decay."""
    parts = (delay.value, delay.fall if delay.fall is not None else delay.value)
    return all(isinstance(part, Const | Real) and not part.value for part in parts)


__all__ = ["KERNELS", "NetArea"]
