"""Run a design's events: link the code, lay out its memory, start its threads, call the scheduler.

The memory is one array of bytes: the control block, then the instances' blocks. It lies in the simulation's arena, with
all threads and records that come into being later.
"""

from __future__ import annotations

import ctypes
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from weft.base.dataclass import dataclass, field
from weft.base.errors import UserError
from weft.engines.cpu.jit import Library
from weft.engines.event.arena import Arena
from weft.engines.event.code_program import ProgramCode
from weft.engines.event.count_drivers import driver_counts
from weft.engines.event.describe_loop import describe_loop
from weft.engines.event.elaborate import Net, Node
from weft.engines.event.fill_memory import fill_flags, fill_signals, fill_slots
from weft.engines.event.host_sites import HostSite
from weft.engines.event.layout import element_bytes
from weft.engines.event.machine_code import MachineCode, begin_code
from weft.engines.event.net_area import NetArea
from weft.engines.event.netlist_area import NetlistArea
from weft.engines.event.port_drivers import follow_drivers
from weft.engines.event.records import (
    CHANGED_BUFFER,
    CHANGED_LENGTH,
    COPY_CALL,
    EVENTS_LEFT,
    HOST_CALL,
    LAST_EVENT,
    MAX_DELTAS,
    NODE_PROCESS,
    OSCILLATES,
    PAUSED,
    RACE_CALL,
    RANDOM_SEED,
    SHUFFLE,
    SIGNAL_WATCHES,
    STACK_LIMIT,
    STEP_CALL,
    STOP,
    STOPPED,
    SWITCHED,
    TEXT_CALL,
    TIME,
    UNTIL,
    WATCH_PART,
    WATCH_RECORD,
    WATCH_WHOLE,
)
from weft.engines.event.runner import STACK_BYTES, Runner
from weft.engines.event.second_tier import SecondTier
from weft.engines.event.sites import ThreadPlan
from weft.engines.event.start_threads import start_threads
from weft.engines.event.strengths import strength_text
from weft.engines.event.watch_tables import Entry, lay_out_watches
from weft.engines.event.write_signals import signal_writer
from weft.engines.event.writer import plane_bytes
from weft.ir.design import Signal

_NO_END, _WORD = 1 << 62, (1 << 64) - 1

HostCall = Callable[[HostSite, int, int, Node], None]
"""Called for each system task: the site, the buffer's address, the thread's address, the instance."""


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
    seed: int = 0
    machine: MachineCode | None = None
    """The code as machine code, if that has been begun."""
    owner: Owner | None = None
    """What gets to know the engine before any of the design's code runs."""
    place: int = 0
    """The address at which the arena must begin, or 0. With one nothing is started: a state is to be put there."""
    copy_kept: Callable[[int], int] | None = None
    """Called to copy a container that Python keeps, and is inside one that is copied in compiled memory."""
    fetch_text: Callable[[int], int] | None = None
    """Called for the characters of a string that compiled code has not yet looked at."""
    memory: npt.NDArray[np.uint8] = field(init=False)
    arena: Arena = field(init=False)
    area: NetArea = field(init=False)
    netlist: NetlistArea = field(init=False)
    threads: list[tuple[Node, ThreadPlan]] = field(default_factory=list[tuple[Node, ThreadPlan]])
    error: BaseException | None = None
    runner: Runner = field(init=False)
    second_tier: SecondTier = field(init=False)
    watch_tables: list[npt.NDArray[np.uint64]] = field(default_factory=list[npt.NDArray[np.uint64]])
    on_race: Callable[[int, int, int, int], None] | None = None
    """Called for two accesses that race: the place and the thread of each, the earlier one first."""
    _library: Library = field(init=False)
    _former: list[Library] = field(default_factory=list[Library])
    _state: int = 0
    kept: list[object] = field(default_factory=list[object])
    _blocks: dict[int, Node] = field(default_factory=dict[int, Node])
    _words: npt.NDArray[np.uint64] = field(init=False)
    _bytes: memoryview = field(init=False)
    _watches: dict[int, list[Entry]] = field(default_factory=dict[int, "list[Entry]"])
    watch_places: dict[int, int] = field(default_factory=dict[int, int])
    """For each signal that somebody watches, by its place, the address of its watches."""
    _recorders: list[Callable[[Sequence[int]], None]] = field(default_factory=list[Callable[[Sequence[int]], None]])
    _step: int = 0
    _flags: list[npt.NDArray[np.uint64]] = field(default_factory=list[npt.NDArray[np.uint64]])
    _recorded: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def __post_init__(self) -> None:
        self.runner = Runner(self._work, self.request_stop)
        if self.owner is not None:
            self.owner.engine = self
        machine = self.machine or begin_code(self.code)
        self._library = machine.link()
        self.second_tier = SecondTier(self, machine)
        self._allocate()
        fill_signals(self)
        fill_flags(self)
        fill_slots(self)
        self._fill_watches()
        start_threads(self)

    # ------------------------------------------------------------------------------------------- code

    def address(self, symbol: str) -> int:
        """Return the address of compiled code."""
        return self._library.addresses[symbol]

    def addresses(self, symbol: str) -> set[int]:
        """Return the addresses of compiled code, those of former code as well, which waiting records may hold."""
        return {library.addresses[symbol] for library in self.libraries}

    def replace_library(self, library: Library) -> None:
        """Use other code of the same program from now on; the present code is kept."""
        if library is not self._library:
            self._former.append(self._library)
            self._library = library

    @property
    def moves(self) -> dict[int, int]:
        """Return the present address of all former code, by its address."""
        known = self._library.addresses
        return {at: known[name] for library in self._former for name, at in library.addresses.items()}

    @property
    def libraries(self) -> list[Library]:
        """Return all code whose addresses may be in memory, the present one last."""
        return [*self._former, self._library]

    def entry(self, symbol: str) -> Callable[[int, int, int, int], int]:
        """Return compiled code that is called with a thread, the state, an instance and a buffer."""
        return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 4)(self.address(symbol))

    @property
    def state(self) -> int:
        """Return the address of the state."""
        return self._state

    def call(self, symbol: str, *arguments: int) -> int:
        """Call compiled code with 64-bit words."""
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(arguments))
        return kind(self.address(symbol))(*arguments)

    # ------------------------------------------------------------------------------------------- memory

    def _allocate(self) -> None:
        self.area = NetArea(self.code, self.address)
        self.netlist = NetlistArea(self.code, self.area.end, self.address)
        self.arena = Arena(partial(self.call, "weft_arena_begin"), partial(self.call, "weft_malloc"), self.place)
        self.memory = self.arena.room((self.netlist.end + 71) // 8 * 8)
        self._words = self.memory[: len(self.memory) // 8 * 8].view(np.uint64)
        self._bytes = memoryview(self.memory)  # pyright: ignore[reportArgumentType] - NumPy arrays are buffers
        self._state = self.memory.ctypes.data
        callback = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 4)(self._host_call)
        self.kept.append(callback)
        self.set_word(HOST_CALL, ctypes.cast(callback, ctypes.c_void_p).value or 0)
        self.set_word(MAX_DELTAS, self.max_deltas)
        self.set_word(SHUFFLE, self.shuffle)
        self.set_word(RANDOM_SEED, self.seed & 0xFFFFFFFF)
        for offset, ask in ((COPY_CALL, self._copy_call), (TEXT_CALL, self._text_call)):
            asked = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(ask)
            self.kept.append(asked)
            self.set_word(offset, ctypes.cast(asked, ctypes.c_void_p).value or 0)
        if self.code.races is not None:
            told = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 4)(self._race_call)
            self.kept.append(told)
            self.set_word(RACE_CALL, ctypes.cast(told, ctypes.c_void_p).value or 0)
        self._blocks = {node.base: node for node in self.code.design.nodes}
        self.area.store(self.memory, self._state)
        self.netlist.store(self.memory, self._state)
        for offset, word in self.netlist.control(self._state).items():
            self.set_word(offset, word)
        for offset, place in self.area.control.items():
            self.set_word(offset, self._state + place)

    def word(self, offset: int) -> int:
        """Return a word of the memory."""
        return int(self._words[offset // 8])

    def set_word(self, offset: int, value: int) -> None:
        """Set a word of the memory."""
        self._words[offset // 8] = value & 0xFFFFFFFFFFFFFFFF

    def _fill_watches(self) -> None:
        """Write, for each signal that somebody watches, the array of its watches."""
        design = self.code.design
        entries: dict[int, list[Entry]] = defaultdict(list)
        for at, found in self.netlist.watches.items():
            entries[at] += [(self._state + place, *rest) for place, *rest in found]  # pyright: ignore[reportArgumentType]
        for code in self.code.codes.values():
            for site in code.sites:
                for watch in site.watches:
                    function = self.address(watch.code) if watch.code else 0
                    for node in code.unit.nodes:
                        at = self.pointer_of(design.reach(node, watch.ref.path), watch.ref.signal)
                        site_address = self._state + node.base + site.offset
                        kind = watch.kind | (WATCH_PART if watch.is_part else WATCH_WHOLE)
                        entries[at].append((site_address, kind, watch.low, watch.high, function))
        for at, found in self.area.watches.items():
            entries[at] += [(self._state + place, *rest) for place, *rest in found]  # pyright: ignore[reportArgumentType]
        self._watches = dict(entries)
        self._write_watches(self._watches)

    def _write_watches(self, entries: dict[int, list[Entry]]) -> None:
        table, places = lay_out_watches(entries)
        self.watch_tables.append(table)
        self.watch_places |= places
        self.enter_watches(places)

    def enter_watches(self, places: dict[int, int]) -> None:
        """Write into memory where the watches of some signals are."""
        self.netlist.mark_watched(self.memory, places)
        for signal, place in places.items():
            self.set_word(signal - SIGNAL_WATCHES, place)

    # ------------------------------------------------------------------------------------------- recording

    def record_changes(
        self,
        signals: Sequence[tuple[int, Node, Signal, int]],
        change: Callable[[Sequence[int]], None],
        drivers: Sequence[Iterable[Net]] = (),
    ) -> None:
        """Call `change` in the postponed region with the numbers of the signals that have changed, in order.

        `signals` are (number, instance, signal, element); the code must have been written with `observe`. `drivers` has
        for each signal nets of which a change of any driver counts.
        """
        recorder = len(self._recorders)
        self._recorders.append(change)
        self.begin_recording()
        flags = np.zeros(len(signals), dtype=np.uint64)
        self._flags.append(flags)
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
        for i, nets in enumerate(drivers):
            for net in nets:
                follow_drivers(self, net, flags.ctypes.data + 8 * i)

    def begin_recording(self) -> None:
        """Have the scheduler tell which recorded signals have changed, if there are any."""
        if self._recorders:
            if not self._step:
                callback = ctypes.CFUNCTYPE(ctypes.c_int64)(self._step_call)
                self.kept.append(callback)
                self._step = ctypes.cast(callback, ctypes.c_void_p).value or 0
            self.set_word(STEP_CALL, self._step)

    def forget_changes(self) -> None:
        """Take no recorded signal for changed in this time step."""
        self.set_word(CHANGED_LENGTH, 0)
        for flags in self._flags:
            flags[flags % 2 == 0] -= 1

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

    # ------------------------------------------------------------------------------------------- running

    @property
    def time(self) -> int:
        """Return the present time in ticks."""
        return self.word(TIME)

    @property
    def events(self) -> int:
        """Return how many events have been run."""
        return self.word(LAST_EVENT) - self.word(EVENTS_LEFT) & _WORD

    def _allow(self, events: int) -> None:
        """Let the run pause after so many more events."""
        self.set_word(LAST_EVENT, self.events + events)
        self.set_word(EVENTS_LEFT, events)

    def append(self, list_offset: int, node: int) -> None:
        """Put a node at the end of one of the control block's lists."""
        self.call("append", self._state + list_offset, node)

    def allocate(self, size: int) -> int:
        """Return the address of new memory for an object."""
        made = self.call("weft_malloc", size)
        self.call("heap_register", made, size, self._state)
        return made

    def keeps(self) -> list[npt.NDArray[np.uint64]]:
        """Return the memory besides the state in which processes keep values: the frames that they begin with."""
        return [room for room in self.kept if isinstance(room, np.ndarray) and room.dtype == np.uint64]

    def wake(self, list_address: int) -> None:
        """Make every thread of a wait list ready."""
        self.call("wake", list_address, self._state)

    def process_object(self, thread: int) -> int:
        """Return the process object of a thread."""
        return self.call("process_object", thread, self._state)

    def kill(self, process: int) -> bool:
        """End a process; return whether the present thread is in it."""
        return bool(self.call("process_kill", process, self._state))

    def suspend(self, process: int) -> None:
        """Suspend a process that is not the present one."""
        self.call("process_suspend", process, self.address("process_hold"))

    def resume(self, process: int) -> None:
        """Let a suspended process go on."""
        self.call("process_resume", process, self._state)

    def request_stop(self) -> None:
        """Ask the run to return as soon as the present process has suspended itself."""
        self.set_word(STOP, 1)

    def run(self, until: int = (1 << 64) - 1) -> int:
        """Run until the time is over or nothing is left; return the reason (`records`)."""
        self.set_word(UNTIL, until)
        self._allow(_NO_END)
        self.second_tier.watch()
        try:
            return self._ended(self.runner.run())
        finally:
            self.second_tier.rest()

    def advance(self, until: int) -> int | None:
        """Run until the time is over or nothing is left; return the reason, or None where the design has parked.

        A parked run goes on where it is.
        """
        self.set_word(UNTIL, until)
        self._allow(_NO_END)
        self.second_tier.watch()
        try:
            reason = self.runner.go_on()
        finally:
            self.second_tier.rest()
        return self._ended(reason) if reason is not None else None

    def step(self, events: int) -> bool:
        """Run so many events, from a parked run or after another step; return whether there may be more."""
        self._allow(events)
        reason = self.runner.go_on()
        self._allow(_NO_END)
        self.raise_error()
        return reason in (None, PAUSED)

    def _work(self) -> int:
        if self.word(STOP):
            return STOPPED
        here = self.call("weft_stack")
        self.set_word(STACK_LIMIT, here - STACK_BYTES + (8 << 20))
        reason = SWITCHED
        while reason == SWITCHED:
            reason = self.call("run", self._state)
        return reason

    def _ended(self, reason: int) -> int:
        self.raise_error()
        if reason == OSCILLATES:
            raise UserError("no-convergence", describe_loop(self))
        return reason

    def end_step(self) -> None:
        """Do the postponed region of the time at which the design has ended the run."""
        self.call("postpone", self._state)
        self.raise_error()

    def finish(self) -> None:
        """Do the postponed region of the last time, then run the final procedures."""
        self.set_word(STOP, 0)
        self.end_step()
        for node, plan in self.threads:
            if plan.what == "final":
                offset = self._state + node.base + plan.offset
                while self.call(plan.symbol, offset, self._state):
                    continue
                self.raise_error()

    def process_of(self, thread: int) -> tuple[Node, ThreadPlan]:
        """Return the process that a thread belongs to."""
        number = ctypes.c_uint64.from_address(thread + NODE_PROCESS).value
        return self.threads[number]

    def raise_error(self) -> None:
        """Raise what a call of Python has left to be raised."""
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    def _race_call(self, first: int, first_thread: int, second: int, second_thread: int) -> int:
        try:
            if self.on_race is not None:
                self.on_race(first, first_thread, second, second_thread)
        except BaseException as error:
            self.error = self.error or error
            self.request_stop()
        return 0

    def _copy_call(self, handle: int) -> int:
        return self._answer(self.copy_kept, handle)

    def _text_call(self, handle: int) -> int:
        return self._answer(self.fetch_text, handle)

    def _answer(self, asked: Callable[[int], int] | None, handle: int) -> int:
        try:
            assert asked is not None
            return asked(handle)
        except BaseException as error:
            self.error = self.error or error
            self.request_stop()
        return 0

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
        self.writer(node, signal)(index, bits, unknown)

    def writer(self, node: Node, signal: Signal) -> Callable[[int, int, int], None]:
        """Return what writes bits and unknowns to an element of a signal, by its index; keep it for many elements."""
        return signal_writer(self, self._bytes, node, signal)

    def driver_counts(self, node: Node, signal: Signal, bit: int) -> tuple[int, int, int, bool]:
        """Return how many drivers drive a bit of a net to 0, 1 and x, and whether it is forced."""
        return driver_counts(self, node, signal, bit)

    def strengths(self, node: Node, signal: Signal) -> tuple[str, ...] | None:
        """Return what `%v` shows of each bit of a net, the lowest first; None if it keeps no strengths."""
        net = self.code.design.nets.get(self.code.design.find(node, signal))
        found = None if net is None else self.area.strengths(self.memory, self._state, net)
        return None if found is None else tuple(strength_text(byte) for byte in found)
