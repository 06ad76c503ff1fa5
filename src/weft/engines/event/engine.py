"""Run a design's events: link the code, lay out its memory, start its threads, call the scheduler.

The memory is one array of bytes: the control block, then the instances' blocks. Threads and records that come into
being later are on the C heap. The scheduler runs in a Python thread of its own, with a stack for deep recursion,
while the main thread waits, so that Ctrl-C is seen at once: it asks the run to stop, and the scheduler returns when
the present process has suspended itself.
"""

from __future__ import annotations

import ctypes
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from weft.base.dataclass import dataclass, field
from weft.base.errors import UserError
from weft.engines.cpu.jit import FULL, QUICK, Compiler, Library, Tier
from weft.engines.event import net_area, net_kernels, scheduler
from weft.engines.event.code_program import ProgramCode
from weft.engines.event.elaborate import Node
from weft.engines.event.host_sites import HostSite
from weft.engines.event.kernel_language import compile_kernels
from weft.engines.event.layout import element_bytes, value_bytes
from weft.engines.event.net_area import NetArea
from weft.engines.event.records import (
    ACTIVE,
    BUDGET,
    CHANGED_BUFFER,
    CHANGED_LENGTH,
    DONE,
    EVENTS,
    FLAG_REACTIVE,
    FRAME_HEADER,
    HOST_CALL,
    MAX_DELTAS,
    NODE_BASE,
    NODE_CODE,
    NODE_FLAGS,
    NODE_FRAME,
    NODE_INSTANCE,
    NODE_LIST,
    NODE_NEXT,
    NODE_PREV,
    NODE_PROCESS,
    NODE_SHORT,
    NODE_SIZE,
    OSCILLATES,
    PAUSED,
    REACTIVE,
    SHUFFLE,
    SIGNAL_WATCHES,
    STACK_LIMIT,
    STEP_CALL,
    STOP,
    TIME,
    UNTIL,
    WATCH_ANY,
    WATCH_ENTRIES,
    WATCH_NEGEDGE,
    WATCH_POSEDGE,
    WATCH_RECORD,
    WATCH_SIZE,
)
from weft.engines.event.sites import ThreadPlan
from weft.engines.event.strengths import decode, strength_text
from weft.engines.event.value_types import WORDS
from weft.engines.event.writer import mask, plane_bytes
from weft.ir.design import Signal

_STACK_BYTES = 256 << 20
_BUDGET = 1 << 62

HostCall = Callable[[HostSite, int, int, Node], None]
"""Called for each system task: the site, the buffer's address, the thread's address, the instance."""

Entry = tuple[int, int, int, int, int]
"""A watch: the list, the kind, the bits from and to, the code."""

_KERNELS = (
    "run",
    "append",
    "settle",
    "postpone",
    "unlink",
    "make_ready",
    "notify",
    "wake",
    "process_object",
    "process_kill",
)


class Owner(Protocol):
    """Be what holds an engine."""

    engine: EventEngine


@dataclass(slots=True, eq=False)
class EventEngine:
    """Be a running simulation of events. `max_deltas` bounds the delta cycles of one time step."""

    code: ProgramCode
    host: HostCall
    max_deltas: int = 1_000_000
    shuffle: int = 0
    owner: Owner | None = None
    """What gets to know the engine before any of the design's code runs."""
    memory: npt.NDArray[np.uint8] = field(init=False)
    area: NetArea = field(init=False)
    threads: list[tuple[Node, ThreadPlan]] = field(default_factory=list[tuple[Node, ThreadPlan]])
    error: BaseException | None = None
    _library: Library = field(init=False)
    _state: int = 0
    _keep: list[object] = field(default_factory=list[object])
    _blocks: dict[int, Node] = field(default_factory=dict[int, Node])
    _words: npt.NDArray[np.uint64] = field(init=False)
    _watches: dict[int, list[Entry]] = field(default_factory=dict[int, "list[Entry]"])
    _recorders: list[Callable[[Sequence[int]], None]] = field(default_factory=list[Callable[[Sequence[int]], None]])
    _recorded: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def __post_init__(self) -> None:
        if self.owner is not None:
            self.owner.engine = self
        self._link(QUICK)
        self._allocate()
        self._fill_signals()
        self._fill_slots()
        self._fill_watches()
        self._fill_threads()

    # ------------------------------------------------------------------------------------------- code

    def _link(self, tier: Tier) -> None:
        compiler = Compiler()
        names = [plan.symbol for code in self.code.codes.values() for plan in code.threads]
        names += [watch.code for code in self.code.codes.values() for site in code.sites for watch in site.watches]
        names += self.code.resolvers.values()
        names += self.code.initializers.values()
        exports = [*dict.fromkeys(name for name in names if name), *_KERNELS, "weft_stack"]
        kernels = [scheduler]
        if any(net.graded for net in self.code.design.nets.values()) or any(
            unit.gates for unit in self.code.design.units.values()
        ):
            kernels.append(net_kernels)
            exports += net_area.KERNELS
        objects = [compiler.object(compile_kernels(*kernels) + _STACK_TEXT, FULL)]
        objects.append(compiler.object(self.code.text(), tier))
        self._library = Library(objects, exports)

    def address(self, symbol: str) -> int:
        """Return the address of compiled code."""
        return self._library.addresses[symbol]

    def call(self, symbol: str, *arguments: int) -> int:
        """Call compiled code with 64-bit words."""
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(arguments))
        return kind(self.address(symbol))(*arguments)

    # ------------------------------------------------------------------------------------------- memory

    def _allocate(self) -> None:
        self.area = NetArea(self.code, self.address)
        size = self.area.end
        room = np.zeros(size + 4096, dtype=np.uint8)
        skip = -room.ctypes.data % 64
        self._keep.append(room)
        self.memory = room[skip : skip + (size + 71) // 8 * 8]
        self._words = self.memory[: len(self.memory) // 8 * 8].view(np.uint64)
        self._state = self.memory.ctypes.data
        callback = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 4)(self._host_call)
        self._keep.append(callback)
        self.set_word(HOST_CALL, ctypes.cast(callback, ctypes.c_void_p).value or 0)
        self.set_word(MAX_DELTAS, self.max_deltas)
        self.set_word(SHUFFLE, self.shuffle)
        self._blocks = {node.base: node for node in self.code.design.nodes}
        self.area.store(self.memory, self._state)
        for offset, place in self.area.control.items():
            self.set_word(offset, self._state + place)

    def word(self, offset: int) -> int:
        """Return a word of the memory."""
        return int(self._words[offset // 8])

    def set_word(self, offset: int, value: int) -> None:
        """Set a word of the memory."""
        self._words[offset // 8] = value & 0xFFFFFFFFFFFFFFFF

    def _fill_signals(self) -> None:
        """Give variables x, nets z and everything of two states 0."""
        patterns: dict[tuple[int, int, int], npt.NDArray[np.uint8]] = {}
        for code in self.code.codes.values():
            for signal, offset in code.layout.signals.items():
                if not signal.type.four_state or signal.type.kind in WORDS:
                    continue
                for node in code.unit.nodes:
                    key = (signal.width, self._undriven(node, signal), max(signal.depth, 1))
                    pattern = patterns.get(key)
                    if pattern is None:
                        size = plane_bytes(signal.width)
                        planes = [bits.to_bytes(size, "little") for bits in (key[1], mask(signal.width))]
                        pattern = patterns[key] = np.frombuffer(b"".join(planes) * key[2], dtype=np.uint8)
                    start = node.base + offset
                    self.memory[start : start + len(pattern)] = pattern

    def _undriven(self, node: Node, signal: Signal) -> int:
        """Return the bits of a signal that are z at the start: those of a net that nothing drives."""
        if not signal.net or signal.net == "trireg" or signal.depth:
            return 0 if not signal.net or signal.net == "trireg" else mask(signal.width)
        net = self.code.design.nets.get(self.code.design.find(node, signal))
        free = mask(signal.width)
        for driver in net.drivers if net is not None else ():
            free &= ~(mask(driver.width) << driver.low)
        return free

    def _fill_slots(self) -> None:
        design = self.code.design
        for code in self.code.codes.values():
            for signal, slot in code.layout.slots.items():
                for node in code.unit.nodes:
                    holder, held = design.find(node, signal)
                    offset = self.code.codes[holder.unit].place_signal(held)
                    self.set_word(node.base + slot, holder.base + offset)
        for net in design.nets.values():
            symbol = self.code.resolvers.get(net.key)
            if symbol is not None:
                for driver in net.drivers:
                    slot = self.code.codes[driver.node.unit].cells[(driver.index, driver.number)][2]
                    self.set_word(driver.node.base + slot, self.address(symbol))

    def _fill_watches(self) -> None:
        """Write, for each signal that somebody watches, the array of its watches."""
        design = self.code.design
        entries: dict[int, list[Entry]] = defaultdict(list)
        for code in self.code.codes.values():
            for site in code.sites:
                for watch in site.watches:
                    function = self.address(watch.code) if watch.code else 0
                    for node in code.unit.nodes:
                        at = self.pointer_of(design.reach(node, watch.ref.path), watch.ref.signal)
                        site_address = self._state + node.base + site.offset
                        entries[at].append((site_address, watch.kind, watch.low, watch.high, function))
        for at, found in self.area.watches.items():
            entries[at] += [(self._state + place, *rest) for place, *rest in found]  # pyright: ignore[reportArgumentType]
        self._watches = dict(entries)
        self._write_watches(self._watches)

    def _write_watches(self, entries: dict[int, list[Entry]]) -> None:
        size = sum(WATCH_ENTRIES + WATCH_SIZE * len(found) for found in entries.values())
        table = np.zeros(size // 8 + 1, dtype=np.uint64)
        self._keep.append(table)
        base, at = table.ctypes.data, 0
        for signal, found in entries.items():
            self.set_word(signal - SIGNAL_WATCHES, base + 8 * at)
            table[at] = len(found)
            at += 1
            for site_address, kind, low, high, function in found:
                table[at : at + 4] = (site_address, kind, low | min(high, 0xFFFFFFFF) << 32, function)
                at += 4

    # ------------------------------------------------------------------------------------------- recording

    def record_changes(
        self, signals: Sequence[tuple[int, Node, Signal, int]], change: Callable[[Sequence[int]], None]
    ) -> None:
        """Call `change` in the postponed region with the numbers of the signals that have changed, in order.

        `signals` are (number, instance, signal, element); the code must have been written with `observe`.
        """
        if not self._recorders:
            callback = ctypes.CFUNCTYPE(ctypes.c_int64)(self._step_call)
            self._keep.append(callback)
            self.set_word(STEP_CALL, ctypes.cast(callback, ctypes.c_void_p).value or 0)
        recorder = len(self._recorders)
        self._recorders.append(change)
        flags = np.zeros(len(signals), dtype=np.uint64)
        self._keep.append(flags)
        changed: dict[int, list[Entry]] = {}
        for i, (number, node, signal, index) in enumerate(signals):
            at = self.pointer_of(node, signal)
            flags[i] = 2 * len(self._recorded) + 1
            self._recorded.append((recorder, number))
            low = index * signal.width
            high = low + signal.width
            entries = self._watches.setdefault(at, [])
            entries.append((flags.ctypes.data + 8 * i, WATCH_RECORD, low, high, 0))
            changed[at] = entries
        self._write_watches(changed)

    def _step_call(self) -> int:
        try:
            length, buffer = self.word(CHANGED_LENGTH), self.word(CHANGED_BUFFER)
            flags = (ctypes.c_uint64 * length).from_address(buffer)
            lists: dict[int, list[int]] = {}
            for address in flags:
                flag = ctypes.c_uint64.from_address(address)
                flag.value -= 1
                recorder, number = self._recorded[flag.value // 2]
                lists.setdefault(recorder, []).append(number)
            for recorder, numbers in lists.items():
                self._recorders[recorder](numbers)
        except BaseException as error:
            self.error = self.error or error
            self.request_stop()
        return 0

    # ------------------------------------------------------------------------------------------- threads

    def _fill_threads(self) -> None:
        design = self.code.design
        frames = 0
        plans: list[tuple[int, Node, ThreadPlan]] = []
        for node in design.nodes:
            for plan in self.code.codes[node.unit].threads:
                plans.append((plan.order, node, plan))
                if plan.frame is not None:
                    frames += (plan.frame.size + 15) // 8 * 8
        room = np.zeros(frames // 8 + 1, dtype=np.uint64)
        self._keep.append(room)
        at = room.ctypes.data
        plans.sort(key=lambda entry: entry[0])
        started: dict[int, list[tuple[int, int]]] = {ACTIVE: [], REACTIVE: []}
        for order, node, plan in plans:
            offset = node.base + plan.offset
            self.set_word(offset + NODE_CODE, self.address(plan.symbol))
            self.set_word(offset + NODE_INSTANCE, self._state + node.base)
            self.set_word(offset + NODE_PROCESS, len(self.threads))
            self.threads.append((node, plan))
            self.memory[offset + NODE_FLAGS] = FLAG_REACTIVE if plan.reactive else 0
            for i, (ref, number) in enumerate(plan.words):
                base = self._state + self.pointer_of(design.reach(node, ref.path), ref.signal) if ref is not None else 0
                self.set_word(offset + NODE_SHORT + 8 * i, base + number)
            if plan.frame is not None:
                self.set_word(offset + NODE_FRAME, at)
                self.set_word(offset + NODE_BASE, at)
                room[(at - room.ctypes.data) // 8] = 1 << 20
                at += (plan.frame.size + 15) // 8 * 8
            if plan.started:
                started[REACTIVE if plan.reactive else ACTIVE].append((order, offset))
        started[ACTIVE] += self._number_gates()
        self._initialize()
        for list_offset, entries in started.items():
            nodes = [offset for _, offset in sorted(entries, key=lambda entry: entry[0])]
            for previous, offset, following in zip([0, *nodes], nodes, [*nodes[1:], 0], strict=False):
                self.set_word(offset + NODE_LIST, self._state + list_offset)
                self.set_word(offset + NODE_PREV, self._state + previous if previous else 0)
                self.set_word(offset + NODE_NEXT, self._state + following if following else 0)
            if nodes:
                self.set_word(list_offset, self._state + nodes[0])
                self.set_word(list_offset + 8, self._state + nodes[-1])
        self._resolve_nets()

    def _number_gates(self) -> list[tuple[int, int]]:
        """Give the nodes of gates that are data the numbers of their processes; return when they first run, and them."""
        numbers: dict[int, int] = {}
        for offset, node, plan in self.area.gates:
            number = numbers.get(id(plan))
            if number is None:
                number = numbers[id(plan)] = len(self.threads)
                self.threads.append((node, plan))
            self.set_word(offset + NODE_PROCESS, number)
        return [(plan.order, offset) for offset, _, plan in self.area.gates]

    def _resolve_nets(self) -> None:
        """Give nets with strengths what they have before anything runs."""
        for key, place in self.area.nets.items():
            self.call("resolve", self._state + place, 0, self.code.design.nets[key].width, self._state)
        if self.area.island_node:
            node = self._state + self.area.island_node
            self.call("unlink", node)
            self.call("run_islands", node, self._state)

    def _initialize(self) -> None:
        """Give variables their declared values, packages' first (IEEE 1800-2023 6.8)."""
        design = self.code.design
        pseudo = np.zeros(NODE_SIZE // 8, dtype=np.uint64)
        frame = np.zeros(1 << 13, dtype=np.uint64)
        self._keep += [pseudo, frame]
        pseudo[NODE_FRAME // 8] = frame.ctypes.data + FRAME_HEADER
        for node in design.nodes:
            symbol = self.code.initializers.get(node.unit)
            if symbol is not None:
                pseudo[NODE_INSTANCE // 8] = self._state + node.base
                self.call(symbol, pseudo.ctypes.data, self._state)
                self._raise()

    # ------------------------------------------------------------------------------------------- running

    @property
    def time(self) -> int:
        """Return the present time in ticks."""
        return self.word(TIME)

    @property
    def events(self) -> int:
        """Return how many events have been run."""
        return self.word(EVENTS)

    def append(self, list_offset: int, node: int) -> None:
        """Put a node at the end of one of the control block's lists."""
        self.call("append", self._state + list_offset, node)

    def allocate(self, size: int) -> int:
        """Return the address of new memory for an object."""
        return _allocator()(size)

    def wake(self, list_address: int) -> None:
        """Make every thread of a wait list ready."""
        self.call("wake", list_address, self._state)

    def process_object(self, thread: int) -> int:
        """Return the process object of a thread."""
        return self.call("process_object", thread)

    def kill(self, process: int) -> bool:
        """End a process; return whether the present thread is in it."""
        return bool(self.call("process_kill", process, self._state))

    def request_stop(self) -> None:
        """Ask the run to return as soon as the present process has suspended itself."""
        self.set_word(STOP, 1)

    def run(self, until: int = (1 << 64) - 1) -> int:
        """Run until the time is over or nothing is left; return the reason (`records`)."""
        self.set_word(UNTIL, until)
        self.set_word(BUDGET, _BUDGET)
        result: list[int] = []

        def work() -> None:
            here = self.call("weft_stack")
            self.set_word(STACK_LIMIT, here - _STACK_BYTES + (8 << 20))
            result.append(self.call("run", self._state))

        old = threading.stack_size(_STACK_BYTES)
        worker = threading.Thread(target=work, name="weft-events")
        worker.start()
        threading.stack_size(old)
        try:
            worker.join()
        except KeyboardInterrupt:
            self.request_stop()
            worker.join()
            raise
        self._raise()
        reason = result[0]
        if reason == OSCILLATES:
            raise UserError("no-convergence", self._describe_oscillation())
        return reason

    def finish(self) -> None:
        """Do the postponed region of the last time, then run the final procedures."""
        self.set_word(STOP, 0)
        self.call("postpone", self._state)
        self._raise()
        for node, plan in self.threads:
            if plan.what == "final":
                offset = self._state + node.base + plan.offset
                while self.call(plan.symbol, offset, self._state):
                    continue
                self._raise()

    def process_of(self, thread: int) -> tuple[Node, ThreadPlan]:
        """Return the process that a thread belongs to."""
        number = ctypes.c_uint64.from_address(thread + NODE_PROCESS).value
        return self.threads[number]

    def _describe_oscillation(self) -> str:
        names: list[str] = []
        node = self.word(ACTIVE)
        while node and len(names) < 8:
            found, plan = self.process_of(node)
            place = self.code.design.design.sources.describe(plan.span)
            names.append(f"{plan.what} in {found.path} ({place})")
            node = ctypes.c_uint64.from_address(node + NODE_NEXT).value
        listed = "; ".join(dict.fromkeys(names))
        return f"the design did not settle after {self.max_deltas} delta cycles at time {self.time}: {listed}"

    def _raise(self) -> None:
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    def _host_call(self, site: int, arguments: int, node: int, instance: int) -> int:
        try:
            self.host(self.code.sites[site], arguments, node, self._blocks[instance - self._state])
        except BaseException as error:
            # An exception cannot pass through compiled code; the run stops and raises it.
            self.error = self.error or error
            self.request_stop()
        return 0

    # ------------------------------------------------------------------------------------------- values

    def pointer_of(self, node: Node, signal: Signal) -> int:
        """Return the offset in the memory of a signal's value."""
        holder, held = self.code.design.find(node, signal)
        return holder.base + self.code.codes[holder.unit].place_signal(held)

    def read(self, node: Node, signal: Signal, index: int = 0) -> tuple[int, int]:
        """Return bits and unknowns of a signal, or of an element of an array."""
        at = self.pointer_of(node, signal) + index * element_bytes(signal)
        size = plane_bytes(signal.width)
        data = self.memory[at : at + 2 * size].tobytes()
        unknown = int.from_bytes(data[size:], "little") if signal.type.four_state else 0
        return int.from_bytes(data[:size], "little"), unknown

    def write(self, node: Node, signal: Signal, index: int, bits: int, unknown: int) -> None:
        """Write a signal, or an element of an array, and tell its watchers if it changes."""
        start = self.pointer_of(node, signal)
        at = start + index * element_bytes(signal)
        size = plane_bytes(signal.width)
        old_bits, old_unknown = self.read(node, signal, index)
        if not signal.type.four_state:
            bits, unknown = bits & ~unknown, 0
        if (old_bits, old_unknown) == (bits, unknown):
            return
        data = bits.to_bytes(size, "little") + unknown.to_bytes(size, "little")
        self.memory[at : at + 2 * size] = np.frombuffer(data, dtype=np.uint8)
        if self.word(start - SIGNAL_WATCHES):
            edges = WATCH_ANY | _edges(old_bits & 1, old_unknown & 1, bits & 1, unknown & 1)
            low = index * signal.width
            self.call("notify", self._state + start, edges, low, low + signal.width, self._state)

    def driver_counts(self, node: Node, signal: Signal, bit: int) -> tuple[int, int, int, bool]:
        """Return how many drivers drive a bit of a net to 0, 1 and x, and whether it is forced."""
        net = self.code.design.nets[self.code.design.find(node, signal)]
        counts = [0, 0, 0]
        for driver in net.drivers:
            if not driver.low <= bit < driver.low + driver.width:
                continue
            ranges = self.area.driver_bytes(self.memory, driver)
            if ranges is not None:
                low, high = decode(ranges[bit - driver.low])
                if low or high:
                    counts[0 if high < 0 else 1 if low > 0 else 2] += 1
                continue
            cell = self.code.codes[driver.node.unit].cells.get((driver.index, driver.number))
            if cell is None:
                bits, unknown = self.read(node, signal)
                at = bit
            else:
                bits, unknown = self._planes(driver.node.base + cell[1], cell[0])
                at = bit - driver.low
            value = (bits >> at & 1, unknown >> at & 1)
            if value != (1, 1):
                counts[2 if value[1] else value[0]] += 1
        return counts[0], counts[1], counts[2], self._is_held(*net.key, bit)

    def _is_held(self, node: Node, signal: Signal, bit: int) -> bool:
        """Say whether a bit of a signal is forced."""
        if not self.code.is_forced_signal(signal):
            return False
        place = self.pointer_of(node, signal) + value_bytes(signal) + bit // 8
        return bool(self.memory[place] >> bit % 8 & 1)

    def strengths(self, node: Node, signal: Signal) -> tuple[str, ...] | None:
        """Return what `%v` shows of each bit of a net, the lowest first; None if the net is strong where it is driven."""
        net = self.code.design.nets.get(self.code.design.find(node, signal))
        found = None if net is None else self.area.strengths(self.memory, self._state, net)
        return None if found is None else tuple(strength_text(byte) for byte in found)

    def _planes(self, at: int, signal: Signal) -> tuple[int, int]:
        size = plane_bytes(signal.width)
        data = self.memory[at : at + 2 * size].tobytes()
        return int.from_bytes(data[:size], "little"), int.from_bytes(data[size:], "little")


def _allocator() -> Callable[[int], int]:
    function = ctypes.CDLL(None).malloc
    function.restype, function.argtypes = ctypes.c_size_t, [ctypes.c_size_t]
    return function


def _edges(old: int, old_unknown: int, new: int, new_unknown: int) -> int:
    """Return the edges of a bit's change (IEEE 1800-2023 table 9-2)."""
    before = 2 if old_unknown else old
    after = 2 if new_unknown else new
    rising = (before == 0 and after != 0) or (before == 2 and after == 1)
    falling = (before == 1 and after != 1) or (before == 2 and after == 0)
    return WATCH_POSEDGE * rising + WATCH_NEGEDGE * falling


_STACK_TEXT = """
declare ptr @llvm.frameaddress.p0(i32)
define i64 @weft_stack() nounwind {
  %p = call ptr @llvm.frameaddress.p0(i32 0)
  %w = ptrtoint ptr %p to i64
  ret i64 %w
}
"""

__all__ = ["DONE", "PAUSED", "EventEngine"]
