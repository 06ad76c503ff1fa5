"""Replace the code of a running program by optimised code.

A program starts with code that is compiled without optimisation, and so does the runtime itself on a machine that has
never run it. What is spent on better code is lost if the run ends soon, so that is begun when the run has taken about
as long as it costs (the ski rental rule: never more than twice the time of who knew before). It is compiled in other
threads; between two time steps the run then goes over to it, the scheduler by returning and being called anew.

Both are made of the same text, and no value of a process lives outside memory while it waits, so that any of them may
go on where the other has stopped. What is not found and exchanged here (a pending assignment, the frame of a forked
thread, a batch of gates) uses the old code once more, which stays where it is.
"""

from __future__ import annotations

import ctypes
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from weft.base.dataclass import dataclass, field
from weft.base.workers import Dropped
from weft.engines.cpu.jit import Library
from weft.engines.event.fill_memory import fill_slots
from weft.engines.event.machine_code import Improve, Improved, MachineCode
from weft.engines.event.records import (
    FRAME_CALLER,
    FRAME_CODE,
    FRAME_OUTER,
    NODE_CHILDREN,
    NODE_CODE,
    NODE_FRAME,
    NODE_SIBLING,
    SWITCH_CALL,
)

if TYPE_CHECKING:
    from weft.engines.event.engine import EventEngine

Words = npt.NDArray[np.uint64]

_SECONDS_PER_BYTE = 1.6e-6
"""What optimising a byte of text costs, about."""
_KERNEL_SECONDS = 0.3
"""What optimising the kernels costs, about."""
_LEAST_SECONDS = 0.2
"""Shorter runs are not worth a thread."""


class _Holder:
    """Lead from what is compiled to the engine that waits for it, as long as anybody has that."""

    __slots__ = ("__weakref__", "tier")

    def __init__(self, tier: SecondTier) -> None:
        self.tier = tier


@dataclass(slots=True, eq=False)
class SecondTier:
    """Improve the code of an engine, the kernels and the modules once each.

    `seconds` says how long the engine must have run before the modules are worth it, in one run or in many.
    """

    engine: EventEngine
    machine: MachineCode
    seconds: float = field(init=False)
    library: Library | None = None
    _kernels: bytes = b""
    _modules: list[bytes] = field(default_factory=list[bytes])
    steps: list[tuple[float, Improve]] = field(default_factory=list[tuple[float, Improve]])
    """What is still to be begun, and when."""
    timer: threading.Timer | None = None
    """What looks next, while a run lasts."""
    _begun: list[threading.Event] = field(default_factory=list[threading.Event])
    """For each step that has begun, what is set when it is over."""
    _spent: float = 0.0
    """The seconds of all runs that have ended."""
    _since: float | None = None
    """When the present run has begun."""
    _watching: threading.RLock = field(default_factory=threading.RLock)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _callback: object = None
    _address: int = 0
    _holder: _Holder = field(init=False)

    def __post_init__(self) -> None:
        self._holder = _Holder(self)
        self.seconds = max(_LEAST_SECONDS, _SECONDS_PER_BYTE * self.machine.text_bytes)
        kernels = self.machine.kernels.result()
        self._kernels = kernels.code
        self._modules = [module.result() for module in self.machine.modules]
        callback = ctypes.CFUNCTYPE(ctypes.c_int64)(self.switch)
        self._callback = callback
        self._address = ctypes.cast(callback, ctypes.c_void_p).value or 0
        wanted = ((_KERNEL_SECONDS, kernels.improve), (self.seconds, self.machine.improve))
        self.steps = [(seconds, improve) for seconds, improve in wanted if improve is not None]

    def watch(self) -> None:
        """Note that a run begins."""
        if self.steps:
            with self._watching:
                self._since = time.monotonic()
                self._look()

    def rest(self) -> None:
        """Note that the run has ended."""
        with self._watching:
            if self._since is not None:
                # What it takes to watch counts too, so that a thousand short runs get to better code, which ends it.
                self._spent += time.monotonic() - self._since
                self._since = None
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None

    def _look(self) -> None:
        """Begin what the runs so far are worth, and look again when the present one has become worth more."""
        with self._watching:
            if self._since is None:
                return
            spent = self._spent + time.monotonic() - self._since
            for step in [step for step in self.steps if step[0] <= spent]:
                self._begin(step)
            if self.steps:
                self.timer = threading.Timer(min(seconds for seconds, _ in self.steps) - spent, self._look)
                self.timer.daemon = True
                self.timer.start()

    def _begin(self, step: tuple[float, Improve]) -> None:
        self.steps.remove(step)
        over = threading.Event()
        self._begun.append(over)
        step[1](_linker(weakref.ref(self._holder), over))

    def complete(self) -> None:
        """Have all that is not optimised yet compiled for later runs, and wait for it; this run has ended."""
        with self._watching:
            for step in list(self.steps):
                self._begin(step)
        for over in self._begun:
            over.wait()

    def link(self, improved: Callable[[], Improved]) -> bytes:
        """Link optimised objects and ask the run to go over to them; return nothing."""
        kernels, modules = improved()
        with self._lock:
            self._kernels, self._modules = kernels or self._kernels, modules or self._modules
            library = Library([self._kernels, *self._modules], self.machine.exports)
            kind = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
            kind(library.addresses["weft_arena_begin"])(self.engine.arena.base)
            self.library = library
            self.engine.set_word(SWITCH_CALL, self._address)
        return b""

    # ------------------------------------------------------------------------------------------- the change

    def switch(self) -> int:
        """Exchange the code; this is called in the run's thread, between two time steps. Return whether it is new."""
        engine, library = self.engine, self.library
        assert library is not None
        engine.set_word(SWITCH_CALL, 0)
        engine.replace_library(library)
        self.move()
        return 1

    def restored(self) -> None:
        """Note that memory is again as it was at an earlier time, perhaps with the addresses of code of then."""
        if self.library is not None:
            self.engine.set_word(SWITCH_CALL, self._address)
            self.move()

    def move(self) -> None:
        """Exchange all addresses of former code that are found in memory."""
        engine, moves = self.engine, self.engine.moves
        if not moves:
            return
        threads = [node.base + plan.offset for node, plan in engine.threads if plan.symbol]
        words = engine.memory[: len(engine.memory) // 8 * 8].view(np.uint64)
        at = [place + NODE_CODE for place in threads] + engine.area.code_places + engine.netlist.code_places
        places = np.array(at, dtype=np.int64) // 8
        words[places] = _moved(words[places], moves)
        for table in engine.watch_tables:
            table[:] = _moved(table, moves)
        fill_slots(engine)
        for node, plan in engine.threads:
            if plan.whole:
                _move_thread(engine.state + node.base + plan.offset, moves)


def _linker(found: weakref.ref[_Holder], over: threading.Event) -> Callable[[Callable[[], Improved]], bytes]:
    """Return what links better code when it is there, without keeping a simulation that nobody has any more.

    In the end `over` is set. Python may be about to end, or the cache may have lost a text: the run then keeps the code
    that it has.
    """

    def link(improved: Callable[[], Improved]) -> bytes:
        try:
            ready = improved()
            holder = found()
            return holder.tier.link(lambda: ready) if holder is not None else b""
        except (Dropped, LookupError):
            return b""
        finally:
            over.set()

    return link


def _moved(words: Words, moves: dict[int, int]) -> Words:
    """Return words in which old addresses of code are new ones."""
    known = np.array(sorted(moves), dtype=np.uint64)
    new = np.array([moves[address] for address in sorted(moves)], dtype=np.uint64)
    at = np.minimum(np.searchsorted(known, words), len(known) - 1)
    return np.where(known[at] == words, new[at], words)


def _move_thread(thread: int, moves: dict[int, int]) -> None:
    """Exchange the code that a thread and those that it has forked return to when they leave a task."""
    _move_word(thread + NODE_CODE, moves)
    frame = _word(thread + NODE_FRAME)
    while frame:
        _move_word(frame + FRAME_CODE, moves)
        frame = _word(frame + (FRAME_CALLER if _word(frame + FRAME_CODE) else FRAME_OUTER))
    child = _word(thread + NODE_CHILDREN)
    while child:
        _move_thread(child, moves)
        child = _word(child + NODE_SIBLING)


def _word(place: int) -> int:
    return ctypes.c_uint64.from_address(place).value


def _move_word(place: int, moves: dict[int, int]) -> None:
    word = ctypes.c_uint64.from_address(place)
    word.value = moves.get(word.value, word.value)
