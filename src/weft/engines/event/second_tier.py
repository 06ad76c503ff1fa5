"""Replace the code of a running program by optimised code.

A program starts with code that is compiled without optimisation. What is spent on better code is lost if the run ends
soon, so that is begun when the run has taken about as long as it costs (the ski rental rule: never more than twice the
time of who knew before). It is compiled in other threads; between two time steps the run then goes over to it.

Both are made of the same text, and no value of a process lives outside memory while it waits, so that any of them may
go on where the other has stopped. What is not found and exchanged here (a pending assignment, the frame of a forked
thread) uses the old code once more, which stays where it is.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from weft.base.dataclass import dataclass, field
from weft.base.workers import Dropped
from weft.engines.cpu.jit import Library
from weft.engines.event.fill_memory import fill_slots
from weft.engines.event.machine_code import MachineCode
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
_LEAST_SECONDS = 0.2
"""Shorter runs are not worth a thread."""


@dataclass(slots=True, eq=False)
class SecondTier:
    """Improve the code of an engine, once. `seconds` is how long a run takes before that begins."""

    engine: EventEngine
    machine: MachineCode
    seconds: float = field(init=False)
    library: Library | None = None
    _begun: bool = False
    _timer: threading.Timer | None = None
    _callback: object = None

    def __post_init__(self) -> None:
        self.seconds = max(_LEAST_SECONDS, _SECONDS_PER_BYTE * self.machine.text_bytes)

    def watch(self) -> None:
        """Note that a run begins."""
        if self.machine.improve is not None and not self._begun:
            self._timer = threading.Timer(self.seconds, self._begin)
            self._timer.daemon = True
            self._timer.start()

    def rest(self) -> None:
        """Note that the run has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        assert self.machine.improve is not None
        self._begun = True
        self.machine.improve(self.link)

    def link(self, objects: Callable[[], list[bytes]]) -> bytes:
        """Wait for the optimised objects, link them and ask the run to go over to them; return nothing.

        Python may be about to end, or the cache may have lost a text: the run then keeps the code that it has.
        """
        try:
            found = objects()
        except (Dropped, LookupError):
            return b""
        library = Library([self.machine.kernels.result(), *found], self.machine.exports)
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
        kind(library.addresses["weft_arena_begin"])(self.engine.arena.base)
        self.library = library
        callback = ctypes.CFUNCTYPE(ctypes.c_int64)(self.switch)
        self._callback = callback
        self.engine.set_word(SWITCH_CALL, ctypes.cast(callback, ctypes.c_void_p).value or 0)
        return b""

    # ------------------------------------------------------------------------------------------- the change

    def switch(self) -> int:
        """Exchange the code; this is called in the run's thread, between two time steps."""
        engine, library = self.engine, self.library
        assert library is not None
        engine.set_word(SWITCH_CALL, 0)
        old = engine.replace_library(library)
        moves = {address: library.addresses[name] for name, address in old.addresses.items()}
        threads = [node.base + plan.offset for node, plan in engine.threads if plan.symbol]
        words = engine.memory.view(np.uint64)
        places = (np.array(threads, dtype=np.int64) + NODE_CODE) // 8
        words[places] = _moved(words[places], moves)
        for table in engine.watch_tables:
            table[:] = _moved(table, moves)
        fill_slots(engine)
        for node, plan in engine.threads:
            if plan.whole:
                _move_thread(engine.state + node.base + plan.offset, moves)
        return 0


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
