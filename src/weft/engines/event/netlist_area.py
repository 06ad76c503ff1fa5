"""Lay out and fill the records of a netlist's gates (`netlist_records`), behind all other parts of the state.

Every instance of a module has its gates. A gate's inputs that other gates of the netlist drive are entries of those
gates' lists of readers; the others are watched as signals are. The work is linear in gates and their inputs, and all
gates are written at once, column by column.
"""

from __future__ import annotations

import ctypes
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from weft.base.dataclass import dataclass, field
from weft.engines.event import netlist_records as at
from weft.engines.event.elaborate import Node
from weft.engines.event.gates import Bit
from weft.engines.event.netlist_gates import NetlistGate
from weft.engines.event.records import DROP_BATCH, DUE_TABLE, NODE_CODE, WATCH_CALL
from weft.engines.event.strengths import X
from weft.engines.event.writer import plane_bytes

if TYPE_CHECKING:
    from weft.engines.event.code_program import ProgramCode

KERNELS = ("run_first", "run_changes", "run_gates", "take_input", "begin_gates", "drop_batch")

_IDLE = {at.FAMILY_AND: 0x5555555555555555, at.FAMILY_OR: 0, at.FAMILY_XOR: 0}
"""The codes of all inputs of a gate of a family while it has none of them."""

Entry = tuple[int, int, int, int, int]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Terminal:
    """Be a bit of the state: its signal's offset, the bit, its byte, how far behind the unknown bit is, its shift."""

    signal: int
    bit: int
    byte: int
    plane: int
    shift: int


@dataclass(slots=True, eq=False)
class NetlistArea:
    """Hold the gates of a program; all places are offsets in the state. `address` gives a kernel's address."""

    program: ProgramCode
    start: int
    """From where on the state is free."""
    address: Callable[[str], int]
    watches: dict[int, list[Entry]] = field(default_factory=dict[int, "list[Entry]"])
    """For each signal's place what the gates watch of it, with the source's place."""
    end: int = 0
    gates: list[tuple[Node, NetlistGate]] = field(default_factory=list[tuple[Node, NetlistGate]])
    _outputs: list[_Terminal] = field(default_factory=list[_Terminal])
    _inputs: list[int] = field(default_factory=list[int])
    _readers: list[list[tuple[int, int]]] = field(default_factory=list["list[tuple[int, int]]"])
    """For each gate the readers of its output, and the numbers of their inputs."""
    _sources: list[tuple[_Terminal, int, int]] = field(default_factory=list[tuple[_Terminal, int, int]])
    """The other inputs, each with its gate and its number there."""
    _lines: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """How many lines behind the area each gate begins, and where the last one ends."""
    _delays: dict[tuple[int, ...], int] = field(default_factory=dict[tuple[int, ...], int])
    _tables: dict[bytes, int] = field(default_factory=dict[bytes, int])
    _sides: int = 0
    _first_source: int = 0
    _drives: dict[int, list[int]] | None = None

    def __post_init__(self) -> None:
        self.start = self.end = (self.start + at.LINE - 1) // at.LINE * at.LINE
        for node in self.program.design.nodes:
            self.gates += [(node, gate) for gate in self.program.codes[node.unit].netlist.values()]
        if self.gates:
            self._connect()
            self._place()

    # ------------------------------------------------------------------------------------------- connections

    def _connect(self) -> None:
        """Find what each gate reads and drives."""
        find = self._terminal
        self._outputs = [find(node, gate.output) for node, gate in self.gates]
        drivers = {(output.signal, output.bit): number for number, output in enumerate(self._outputs)}
        self._readers = [[] for _ in self.gates]
        for number, (node, gate) in enumerate(self.gates):
            word = 0 if gate.table else _IDLE[gate.family & 3]
            for i, bit in enumerate(gate.inputs):
                word &= ~(3 << 2 * i)
                terminal = find(node, bit)
                driver = drivers.get((terminal.signal, terminal.bit))
                if driver is None:
                    self._sources.append((terminal, number, i))
                else:
                    # What a gate drives begins as x.
                    word |= X << 2 * i
                    self._readers[driver].append((number, i))
            self._inputs.append(word)

    def _terminal(self, node: Node, bit: Bit) -> _Terminal:
        holder, held = self.program.design.net(node, bit.ref).key
        signal = holder.base + self.program.codes[holder.unit].place_signal(held)
        index, offset = divmod(bit.at, held.width)
        plane = plane_bytes(held.width)
        byte = signal + index * 2 * plane + offset // 8
        return _Terminal(signal, bit.at, byte, plane if held.type.four_state else 0, offset % 8)

    # ------------------------------------------------------------------------------------------- places

    def _place(self) -> None:
        """Say where everything lies: the header, delays, tables, gates, their signals, sources."""
        delays = sorted({gate.ticks for _, gate in self.gates})
        tables = sorted({gate.table for _, gate in self.gates})
        self._delays = {ticks: at.AREA_CONTENTS + 32 * i for i, ticks in enumerate(delays)}
        place = at.AREA_CONTENTS + 32 * len(delays)
        for table in tables:
            self._tables[table] = place
            place += (len(table) + 7) // 8 * 8
        counts = np.array([len(found) for found in self._readers], dtype=np.int64)
        more = np.maximum(counts - at.READERS_INLINE, 0)
        ends = np.cumsum(1 + (more + at.READERS_LINE - 1) // at.READERS_LINE)
        first = (place + at.LINE - 1) // at.LINE
        self._lines = first + np.concatenate([[0], ends])
        self._sides = int(self._lines[-1]) * at.LINE
        self._first_source = self._sides + 16 * int(ends[-1])
        self.end = self.start + self._first_source + at.SOURCE_SIZE * len(self._sources)
        take = self.address("take_input")
        watches: defaultdict[int, list[Entry]] = defaultdict(list)
        for i, (terminal, _, _) in enumerate(self._sources):
            source = self.start + self._first_source + at.SOURCE_SIZE * i
            watches[terminal.signal].append((source, WATCH_CALL, terminal.bit, terminal.bit + 1, take))
        self.watches = dict(watches)

    @property
    def code_places(self) -> list[int]:
        """Return where addresses of kernels are, but for those of batches."""
        if not self.gates:
            return []
        header = (at.AREA_FIRST + NODE_CODE, at.AREA_RUN_CHANGES, at.AREA_RUN_GATES)
        return [DROP_BATCH, *(self.start + place for place in header)]

    def control(self, state: int) -> dict[int, int]:
        """Return words of the control block for a state at an address."""
        if not self.gates:
            return {}
        area = state + self.start
        return {at.NETLIST: area, DUE_TABLE: area + at.AREA_DUE, DROP_BATCH: self.address("drop_batch")}

    def store(self, memory: npt.NDArray[np.uint8], state: int) -> None:
        """Write everything into the state, which begins at an address."""
        if not self.gates:
            return
        area = memory[self.start : self.end]
        words, halves = area.view(np.uint64), area.view(np.uint32)
        self._store_header(words, state + self.start)
        for ticks, place in self._delays.items():
            words[place // 8 : place // 8 + len(ticks)] = ticks
        for table, place in self._tables.items():
            area[place : place + len(table)] = np.frombuffer(table, dtype=np.uint8)
        lines = self._lines[:-1]
        records = lines * at.LINE
        bytes_of = np.array([output.byte for output in self._outputs], dtype=np.uint64)
        words[(records + at.GATE_INPUTS) // 8] = np.array(self._inputs, dtype=np.uint64)
        words[(records + at.GATE_PLACE) // 8] = bytes_of + np.uint64(state)
        area[records + at.GATE_SHOWN] = area[records + at.GATE_COMING] = X
        area[records + at.GATE_FLAGS] = [_flags(gate) for _, gate in self.gates]
        columns = {
            at.GATE_TABLE: [self._tables[gate.table] if gate.table else gate.family for _, gate in self.gates],
            at.GATE_DELAYS: [self._delays[gate.ticks] for _, gate in self.gates],
            at.GATE_PLANE: [output.plane << 3 | output.shift for output in self._outputs],
            at.GATE_COUNT: [len(found) for found in self._readers],
        }
        for offset, column in columns.items():
            halves[(records + offset) // 4] = column
        self._store_readers(halves)
        sides = self._sides + (lines - lines[0]) * 16
        words[sides // 8] = np.array([state + output.signal for output in self._outputs], dtype=np.uint64)
        words[sides // 8 + 1] = [output.bit for output in self._outputs]
        self._store_sources(words, state)

    def _store_header(self, words: npt.NDArray[np.uint64], area: int) -> None:
        first, last = int(self._lines[0]), int(self._lines[-1])
        header = {
            at.AREA_FIRST + NODE_CODE: self.address("run_first"),
            at.AREA_RUN_CHANGES: self.address("run_changes"),
            at.AREA_RUN_GATES: self.address("run_gates"),
            at.AREA_SIDES: area + self._sides - 16 * first,
            at.AREA_GATES: area + first * at.LINE,
            at.AREA_GATES_END: area + last * at.LINE,
            at.AREA_SOURCES: area + self._first_source,
            at.AREA_SOURCES_END: area + self._first_source + at.SOURCE_SIZE * len(self._sources),
        }
        for place, word in header.items():
            words[place // 8] = word

    def _store_readers(self, halves: npt.NDArray[np.uint32]) -> None:
        lines = self._lines.tolist()
        for line, found in zip(lines, self._readers, strict=False):
            begin = (line * at.LINE + at.GATE_READERS) // 4
            halves[begin : begin + len(found)] = [lines[number] * at.LINE | 2 * i for number, i in found]

    def _store_sources(self, words: npt.NDArray[np.uint64], state: int) -> None:
        begin = self._first_source // 8
        columns = {
            at.SOURCE_PLACE: [state + terminal.byte for terminal, _, _ in self._sources],
            at.SOURCE_PLANE: [terminal.plane for terminal, _, _ in self._sources],
            at.SOURCE_SHIFT: [terminal.shift for terminal, _, _ in self._sources],
            at.SOURCE_GATE: [state + self.start + int(self._lines[number]) * at.LINE for _, number, _ in self._sources],
            at.SOURCE_AT: [2 * i for _, _, i in self._sources],
        }
        step = at.SOURCE_SIZE // 8
        for offset, column in columns.items():
            words[begin + offset // 8 : begin + step * len(column) : step] = np.array(column, dtype=np.uint64)

    # ------------------------------------------------------------------------------------------- looking

    def mark_watched(self, memory: npt.NDArray[np.uint8], signals: Iterable[int]) -> None:
        """Have the gates that drive some signals, given by their places, tell changes to who watches them."""
        if self._drives is None:
            self._drives = defaultdict(list)
            for line, output in zip(self._lines.tolist(), self._outputs, strict=False):
                self._drives[output.signal].append(self.start + line * at.LINE + at.GATE_FLAGS)
        for signal in signals:
            for place in self._drives.get(signal, ()):
                memory[place] |= at.FLAG_WATCHED

    def gates_of(self, batch: int, run_gates: set[int]) -> list[tuple[Node, NetlistGate]]:
        """Return the gates of a batch at an address, each with its instance; none if it is a batch of changes.

        `run_gates` are the addresses of the kernel that runs batches of gates.
        """
        words = (ctypes.c_uint64 * (at.BATCH_SIZE // 8)).from_address(batch)
        if words[NODE_CODE // 8] not in run_gates:
            return []
        first, end = words[at.BATCH_ENTRIES // 8], words[at.BATCH_END // 8]
        entries = np.array((ctypes.c_uint32 * ((end - first) // 4)).from_address(first)) & at.GATE_MASK
        return [self.gates[number] for number in np.searchsorted(self._lines, entries // at.LINE).tolist()]


def _flags(gate: NetlistGate) -> int:
    flags = 0 if gate.table else at.FLAG_WIDE
    if gate.output.ref.signal.bits > 1:
        flags |= at.FLAG_PART
    return flags if gate.ticks else flags | at.FLAG_PROMPT


__all__ = ["KERNELS", "NetlistArea"]
