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

KERNELS = ("run_first", "run_changes", "run_gates", "take_inputs", "begin_gates", "drop_batch")

_IDLE = {at.FAMILY_AND: 0x5555555555555555, at.FAMILY_OR: 0, at.FAMILY_XOR: 0}
"""The codes of all inputs of a gate of a family while it has none of them."""
_CODES = bytes(range(4))
"""The table of a gate with one input, which gives that."""

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


_Source = tuple[_Terminal, int, int]
"""An input that no gate of the netlist drives, its gate and its number there."""


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
    _sources: dict[int, list[_Source]] = field(default_factory=dict[int, "list[_Source]"])
    """The other inputs, for each signal's place in the order of their gates."""
    _lines: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """How many lines behind the area each gate begins, and where the last one ends."""
    _delays: dict[tuple[int, ...], int] = field(default_factory=dict[tuple[int, ...], int])
    _tables: dict[bytes, int] = field(default_factory=dict[bytes, int])
    _sides: int = 0
    _first_sources: int = 0
    """Where the records of signals that give inputs are; behind them is what they name."""
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
                    self._sources.setdefault(terminal.signal, []).append((terminal, number, i))
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
            place += 2 * at.STATES * len(table)
        counts = np.array([len(found) for found in self._readers], dtype=np.int64)
        more = np.maximum(counts - at.READERS_INLINE, 0)
        ends = np.cumsum(1 + (more + at.READERS_LINE - 1) // at.READERS_LINE)
        first = (place + at.LINE - 1) // at.LINE
        self._lines = first + np.concatenate([[0], ends])
        self._sides = int(self._lines[-1]) * at.LINE
        self._first_sources = self._sides + 16 * int(ends[-1])
        place = self._first_sources + at.SOURCES_SIZE * len(self._sources)
        take = self.address("take_inputs")
        for i, (signal, found) in enumerate(self._sources.items()):
            group = self.start + self._first_sources + at.SOURCES_SIZE * i
            self.watches[signal] = [(group, WATCH_CALL, *_range(found), take)]
            place += _source_bytes(found)
        self.end = self.start + place

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
        for table, place in (*self._tables.items(), (_CODES, at.AREA_CODES)):
            area[place : place + 2 * at.STATES * len(table)] = _steps(table).view(np.uint8)
        lines = self._lines[:-1]
        records = lines * at.LINE
        bytes_of = np.array([output.byte for output in self._outputs], dtype=np.uint64)
        families = np.array([not gate.table for _, gate in self.gates])
        named = list(zip(families.tolist(), self.gates, strict=True))
        inputs = np.array(self._inputs, dtype=np.uint64)
        first_word = np.uint64(at.IDLE | X << at.SHOWN_AT | X)
        words[(records + at.GATE_WORD) // 8] = first_word | np.where(
            families, np.uint64(0), inputs << np.uint64(at.INPUTS_AT)
        )
        tables = [0 if family else state + self.start + self._tables[gate.table] for family, (_, gate) in named]
        words[(records + at.GATE_TABLE) // 8] = np.array(tables, dtype=np.uint64)
        words[(records[families] + at.GATE_TERMS) // 8] = inputs[families]
        special = families | np.array([not gate.ticks for _, gate in self.gates])
        area[records[special] + at.SPECIAL_BYTE] = at.SPECIAL
        words[(records + at.GATE_PLACE) // 8] = bytes_of + np.uint64(state)
        columns = {
            at.GATE_KIND: [_kind(gate) for _, gate in self.gates],
            at.GATE_DELAYS: [self._delays[gate.ticks] for _, gate in self.gates],
            at.GATE_PLANE: [output.plane << 3 | output.shift for output in self._outputs],
            at.GATE_COUNT: [
                len(found) | _flags(gate, len(found)) << at.FLAGS_AT
                for (_, gate), found in zip(self.gates, self._readers, strict=True)
            ],
        }
        for offset, column in columns.items():
            halves[(records + offset) // 4] = column
        self._store_readers(halves)
        sides = self._sides + (lines - lines[0]) * 16
        words[sides // 8] = np.array([state + output.signal for output in self._outputs], dtype=np.uint64)
        words[sides // 8 + 1] = [output.bit for output in self._outputs]
        self._store_sources(words, halves, state)

    def _store_header(self, words: npt.NDArray[np.uint64], area: int) -> None:
        first, last = int(self._lines[0]), int(self._lines[-1])
        header = {
            at.AREA_FIRST + NODE_CODE: self.address("run_first"),
            at.AREA_RUN_CHANGES: self.address("run_changes"),
            at.AREA_RUN_GATES: self.address("run_gates"),
            at.AREA_SIDES: area + self._sides - 16 * first,
            at.AREA_GATES: area + first * at.LINE,
            at.AREA_GATES_END: area + last * at.LINE,
            at.AREA_SOURCES: area + self._first_sources,
            at.AREA_SOURCES_END: area + self._first_sources + at.SOURCES_SIZE * len(self._sources),
        }
        for place, word in header.items():
            words[place // 8] = word

    def _store_readers(self, halves: npt.NDArray[np.uint32]) -> None:
        lines = self._lines.tolist()
        for line, found in zip(lines, self._readers, strict=False):
            begin = (line * at.LINE + at.GATE_READERS) // 4
            halves[begin : begin + len(found)] = [self._reader(lines[number], number, i) for number, i in found]

    def _reader(self, line: int, number: int, i: int) -> int:
        """Return what names an input of a gate, given the gate's line."""
        if self.gates[number][1].table:
            return line * at.LINE | at.INPUTS_AT + 2 * i
        return line * at.LINE | 2 * i | at.READER_TERM

    def _store_sources(self, words: npt.NDArray[np.uint64], halves: npt.NDArray[np.uint32], state: int) -> None:
        lines = self._lines.tolist()
        area = state + self.start
        group, place = self._first_sources, self._first_sources + at.SOURCES_SIZE * len(self._sources)
        for signal, found in self._sources.items():
            low, high = _range(found)
            bits = place + at.SOURCE_SIZE * len(found)
            readers = bits + at.SOURCE_BIT_SIZE * (high - low + 1)
            plane = found[0][0].plane
            header = (state + signal, plane, low, high, area + bits, area + place, area + bits)
            words[group // 8 : group // 8 + len(header)] = header
            named = [(terminal.bit - low, self._reader(lines[number], number, i)) for terminal, number, i in found]
            halves[place // 4 : bits // 4] = [
                word for bit, reader in named for word in (reader, at.SOURCE_BIT_SIZE * bit)
            ]
            counts = np.bincount([bit for bit, _ in named])
            columns = halves[bits // 4 : readers // 4].reshape(-1, at.SOURCE_BIT_SIZE // 4)
            columns[:, at.SOURCE_READERS // 4] = readers + 4 * np.concatenate([[0], np.cumsum(counts)])
            for terminal, _, _ in found:
                columns[terminal.bit - low, at.SOURCE_PLACE // 4] = terminal.byte - signal << 3 | terminal.shift
            halves[readers // 4 : readers // 4 + len(named)] = [
                reader for _, reader in sorted(named, key=lambda source: source[0])
            ]
            group += at.SOURCES_SIZE
            place += _source_bytes(found)

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
        entries = np.array((ctypes.c_uint64 * ((end - first) // 8)).from_address(first))
        return [self.gates[number] for number in np.searchsorted(self._lines, entries // at.LINE).tolist()]


def _flags(gate: NetlistGate, readers: int) -> int:
    flags = at.FLAG_PART if gate.output.ref.signal.bits > 1 else 0
    return flags | at.FLAG_MANY if readers > at.READERS_INLINE else flags


def _kind(gate: NetlistGate) -> int:
    kind = 0 if gate.table else at.KIND_FAMILY | gate.family
    return kind if gate.ticks else kind | at.KIND_PROMPT


def _steps(table: bytes) -> npt.NDArray[np.uint16]:
    """Return what is added to an idle gate's word, for all codes of inputs, shown codes and codes to come."""
    wanted = np.frombuffer(table, dtype=np.uint8).astype(np.int64)[:, None, None]
    shown, coming = np.arange(4)[:, None], np.arange(4)
    generations = np.where(wanted == coming, 0, np.where(wanted == shown, 2, 1))
    return (at.IDLE + wanted - coming + (generations << at.GENERATION_AT)).astype(np.uint16).reshape(-1)


def _range(found: list[_Source]) -> tuple[int, int]:
    """Return the bits of a signal from and to which there are sources."""
    bits = [terminal.bit for terminal, _, _ in found]
    return min(bits), max(bits) + 1


def _source_bytes(found: list[_Source]) -> int:
    """Return the bytes of a signal's sources: in the order of gates, of each bit, and in the order of bits."""
    low, high = _range(found)
    size = (at.SOURCE_SIZE + 4) * len(found) + at.SOURCE_BIT_SIZE * (high - low + 1)
    return (size + 7) // 8 * 8


__all__ = ["KERNELS", "NetlistArea"]
