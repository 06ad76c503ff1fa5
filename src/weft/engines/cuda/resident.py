"""The host's side of a resident kernel: start it, give it commands, wait for its answers, let it leave.

A command is gathered in the *frame* (transfers, then what to do) and posted by one call of machine code (`host_calls`);
what need not be waited for is posted and forgotten, up to the length of the ring. The first transfers are those of the
words that are subscribed to: they stay, so every answer has these words as they are then, in arrays that stay too, and
a round trip is a few stores into the frame and one call. The kernel leaves by itself when it has nothing to do for a
while, or when something else needs the GPU; the next wait, or command, starts it again where it was. A run is cut by
the kernel's clock into parts of `PART_NS`, between which Ctrl-C gets through; a kernel that does not answer within
`WATCHDOG_S` beyond that is taken for dead.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import UserError
from weft.engines.cuda import host_calls
from weft.engines.cuda import mailbox as at
from weft.engines.cuda.serve_emitter import output_bytes
from weft.ir.lane_engine import EVERY, NONE, Bytes, aligned_bytes
from weft.ir.lane_layout import LaneLayout
from weft.ir.lane_program import LaneProgram, LaneStep
from weft.ir.layout import container_bytes

if TYPE_CHECKING:
    from weft.engines.cuda.driver import Driver

PART_NS = 50_000_000
"""The longest part of a run, after which the host looks whether it is still wanted."""

IDLE_NS = 100_000_000
"""A kernel that has had no command for so long leaves the GPU to others."""

WATCHDOG_S = 10.0
"""How long the host waits for an answer that is late."""

_LOOKS = 200_000
"""Looks at the answer before Python looks around: a few milliseconds."""


class ResidentKernel:
    """Implement `ir.lane_engine.ResidentLanes`: one kernel that stays on a GPU and serves one batch."""

    def __init__(
        self,
        driver: Driver,
        function: Any,
        program: LaneProgram,
        look: LaneStep | None,
        layout: LaneLayout,
        data_address: int,
        threads: int,
        idle_ns: int = IDLE_NS,
    ) -> None:
        self._driver, self._function, self._program = driver, function, program
        self.layout, self._threads = layout, threads
        self._part, self._idle = (time_ns * driver.clock_khz // 1_000_000 for time_ns in (PART_NS, idle_ns))
        self._data = data_address
        self._blocks = -(-layout.lanes // threads)
        self._sizes = output_bytes(look)
        self.mail = at.place_mail(layout.stride, self._sizes)
        self._mail, self._seen_mail = driver.allocate_mail(self.mail.size)
        counts = 4 * layout.stride * max(1, len(program.messages))
        self._counts_bytes = counts if program.messages else 0
        # On the GPU: the board, then the rows `ended`, `until` and `counts`.
        board = 8 * at.BOARD_WORDS
        self._places = [0, _aligned(board)]
        self._places.append(self._places[1] + layout.stride)
        self._places.append(self._places[2] + 8 * layout.stride)
        self._memory = driver.allocate(self._places[3] + counts)
        self._stream = driver.new_stream()
        self._post, self._wait = host_calls.host_calls()
        self._array = np.ctypeslib.as_array((ctypes.c_uint8 * self.mail.size).from_address(self._mail))
        self._answer: Any = memoryview(self._array[:8].view(np.uint64).data)
        self.status = self._array[self.mail.status : self.mail.status + layout.lanes]
        frame = aligned_bytes(8 * at.FRAME_WORDS).view(np.uint64)
        self._frame_at = frame.ctypes.data
        self._words: Any = memoryview(frame.data)  # four times as fast as NumPy for single words
        self._words[at.MAIL], self._words[at.LOOKS] = self._mail, _LOOKS
        self._limit = self._part << at.LIMIT_BIT
        self._times = driver.times
        self.note_short: Callable[[bool], None] = lambda goes_on: None
        self._items = [container_bytes(word.width) for word in program.words]
        self._codes = [row << 8 | item.bit_length() - 1 for row, item in zip(layout.rows, self._items, strict=True)]
        self._kept = self._transfers = 0  # those of words that are subscribed to; those of the next command
        self._running = False
        self._next_row = 0
        self._row_uses = [0] * at.ROWS_IN
        places = [self.mail.rows_in + 8 * layout.stride * number for number in range(at.ROWS_IN)]
        self._rows_in = [(place, {item: self._row(place, item) for item in (1, 2, 4, 8)}) for place in places]
        driver.residents.add(self)

    def __del__(self) -> None:
        if getattr(self, "_mail", 0) and not sys.is_finalizing():
            self.close()

    def close(self) -> None:
        """Leave the GPU and give all memory back; what the kernel has counted is lost."""
        if self._mail:
            if not self._driver.lost:
                self.leave()
            self._driver.residents.discard(self)
            self._driver.free(self._memory)
            self._driver.free_mail(self._mail)
            self._mail = 0

    # ---------------------------------------------------------------------------------------------- transfers

    def put_value(self, word: int, value: int) -> None:
        """Set a word of the state in all lanes, with the next command."""
        number = self._transfers
        if number == at.MOST_TRANSFERS:
            number = self._post_ahead()
        first = at.TRANSFERS + at.TRANSFER_WORDS * number
        words = self._words
        words[first], words[first + 1] = self._codes[word] | at.IN_VALUE, value
        self._transfers = number + 1

    def put_row(self, word: int, values: NDArray[Any]) -> None:
        """Set a word of the state from an array of its containers over all lanes, with the next command."""
        number = self._next_row
        self._next_row = (number + 1) % at.ROWS_IN
        if self._row_uses[number] > self._answer[0] >> at.SUMMARY_BITS:
            self._await(self._row_uses[number])
        place, rows = self._rows_in[number]
        rows[self._items[word]][:] = values
        self._transfer(self._codes[word] | at.IN_ROW, place)
        self._row_uses[number] = self._words[at.NUMBER] + 1

    def get_row(self, word: int) -> NDArray[Any]:
        """Return a word of the state in all lanes, after all that was asked for before."""
        place = self.mail.rows_out + 8 * self.layout.stride * at.MOST_TRANSFERS
        self._transfer(self._codes[word] | at.OUT_ROW, place)
        self._send(0, wait=True)
        return self._row(place, self._items[word]).copy()

    def subscribe(self, words: Sequence[int]) -> list[NDArray[Any]]:
        """Let each command from now on answer with some words; return the arrays in which they will be.

        Other words that were subscribed to no longer come. The arrays are there until `close`.
        """
        if len(words) + self._transfers - self._kept > at.MOST_TRANSFERS:
            self._send(0, wait=False)
        first = at.TRANSFERS + at.TRANSFER_WORDS * self._kept
        waiting = self._words[first : first + at.TRANSFER_WORDS * (self._transfers - self._kept)].tolist()
        self._transfers = 0
        rows: list[NDArray[Any]] = []
        for number, word in enumerate(words):
            place = self.mail.rows_out + 8 * self.layout.stride * number
            rows.append(self._row(place, self._items[word]))
            self._transfer(self._codes[word] | at.OUT_ROW, place)
        self._kept = self._transfers
        for code, value in zip(waiting[::2], waiting[1::2], strict=True):
            self._transfer(code, value)
        return rows

    def _row(self, place: int, item: int) -> NDArray[Any]:
        return self._array[place : place + item * self.layout.lanes].view(f"u{item}")

    def _transfer(self, code: int, value: int) -> None:
        number = self._transfers
        if number == at.MOST_TRANSFERS:
            number = self._post_ahead()
        first = at.TRANSFERS + at.TRANSFER_WORDS * number
        self._words[first], self._words[first + 1] = code, value
        self._transfers = number + 1

    def _post_ahead(self) -> int:
        """Post the transfers that were gathered; return how many of the next command are there."""
        self._send(0, wait=False)
        return self._transfers

    # ----------------------------------------------------------------------------------------------- commands

    def settle(self) -> bool:
        """Settle every lane; say whether some have stopped (`status`)."""
        self.drain()
        self.status[:] = 0  # lanes that do not stop leave theirs alone
        summary = self._send(at.SETTLE, wait=True)
        if summary & at.SOME_SHORT:
            self.note_short(False)
        return bool(summary & at.SOME_STOPPED)

    def run(self, duration_fs: int, *, settle: bool, until: bool) -> bool:
        """Run every lane that has not ended for a time, or until the condition; say whether some have stopped."""
        flags = at.RUN | (at.SETTLE if settle else 0) | (at.UNTIL if until else 0)
        self._words[at.DURATION] = duration_fs
        stopped = self._send(flags, wait=True)
        return self._go_on(stopped, flags & at.UNTIL) if stopped else False

    def exchange(self, duration_fs: int, settle: bool, outputs: int) -> bool:
        """Do the transfers, run, and compute a look's output (`EVERY` of them, `NONE`): one command for a step.

        This is the round trip of interactive work, so it does for itself what `_send` does in the common case.
        """
        looks = 0 if outputs == NONE else at.LOOK
        words = self._words
        flags = (at.RUN | at.SETTLE if settle else at.RUN) | looks
        words[at.DURATION], words[at.CHOSEN] = duration_fs, outputs
        if self._running and not self._times.timed:
            words[at.HEAD] = flags | self._transfers << at.COUNT_BIT | self._limit
            self._transfers = self._kept
            stopped = self._post(self._frame_at)
            if not stopped:
                return False
            if stopped > host_calls.SUMMARY:
                stopped = self._await(words[at.NUMBER])
        else:
            stopped = self._send(flags, wait=True)
        return self._go_on(stopped, looks) if stopped else False

    def _go_on(self, stopped: int, flags: int) -> bool:
        """Continue a run while some lanes have only paused; say whether some have stopped."""
        found = stopped & at.SOME_STOPPED
        while stopped & (at.SOME_PAUSED | at.SOME_SHORT):
            paused = bool(stopped & at.SOME_PAUSED)
            if stopped & at.SOME_SHORT:
                try:
                    self.note_short(paused)
                except UserError:
                    self.status[self.status == at.PAUSED] = 0
                    raise
            if not paused:
                break
            stopped = self._send(at.RUN | at.CONTINUE | flags, wait=True)
            found |= stopped & at.SOME_STOPPED
        return bool(found)

    def look(self, first: int, count: int) -> list[NDArray[Any]]:
        """Return words of the look in all lanes."""
        self._words[at.CHOSEN] = first if count == 1 else EVERY
        self._send(at.LOOK, wait=True)
        return [self.output(number).copy() for number in range(first, first + count)]

    def output(self, number: int) -> NDArray[Any]:
        """Return the array where commands leave a word of the look, if they compute it; it is there until `close`."""
        return self._row(self.mail.outputs[number], self._sizes[number])

    def set_ended(self, ended: Bytes) -> None:
        """Say which lanes do not go on, and why."""
        self._driver.write(self._memory + self._places[1], ended)

    def take_counts(self) -> NDArray[np.uint32] | None:
        """Return how often each message ran in each lane since the last time, or None if nothing is counted."""
        if not self._counts_bytes:
            return None
        place = self._memory + self._places[3]
        found = self._driver.read(place, self._counts_bytes).view(np.uint32).reshape(-1, self.layout.stride)
        self._driver.write(place, np.zeros(self._counts_bytes, np.uint8))
        return found

    def drain(self) -> None:
        """Wait until everything that was asked for is done."""
        if self._transfers > self._kept:
            self._send(0, wait=True)
        elif self._running:
            self._await(self._words[at.NUMBER])

    def leave(self) -> None:
        """Do what was asked for, and leave the GPU."""
        self.drain()
        if self._running:
            self._transfers = 0  # it answers that it leaves, and does nothing else
            self._send(at.QUIT, wait=True)
            self._driver.wait(self._stream)
            self._running = False

    # ------------------------------------------------------------------------------------------------ the mail

    def _send(self, flags: int, wait: bool) -> int:
        """Post the command that was gathered, and time it by the host's clock if that is wanted; return its summary."""
        if not self._times.timed:
            return self._post_command(flags, wait)
        began = time.perf_counter()
        summary = self._post_command(flags, wait)
        self._times.kernel("commands of the resident kernel").add(time.perf_counter() - began)
        return summary

    def _post_command(self, flags: int, wait: bool) -> int:
        if not self._running:
            self._start()
        words = self._words
        words[at.HEAD] = flags | self._transfers << at.COUNT_BIT | self._limit
        words[at.LOOKS] = _LOOKS if wait else 0
        self._transfers = self._kept
        number = words[at.NUMBER] + 1
        if number >= at.RING and not wait:
            self._await(number - at.RING + 1)  # the entry is free when its last command is done
        code = self._post(self._frame_at)
        words[at.LOOKS] = _LOOKS
        if not wait:
            return 0
        return code if code <= host_calls.SUMMARY else self._await(number)

    def _await(self, number: int) -> int:
        """Wait until a command is done, and return the summary of the last one that is.

        It starts the kernel again if it has left, and gives up if it does not answer.
        """
        limit = time.monotonic() + WATCHDOG_S + PART_NS / 1e9
        generation = self._words[at.GENERATION]
        while True:
            code = self._wait(self._mail, number, generation, _LOOKS)
            if code <= host_calls.SUMMARY:
                return int(code)
            if code == host_calls.LEFT:
                self._driver.wait(self._stream)
                generation = self._start()
            elif self._driver.is_over(self._stream):
                if self._wait(self._mail, number, generation, 1) == host_calls.WAITING:
                    raise UserError("gpu-failed", "the GPU failed: its resident kernel has ended without an answer")
            elif time.monotonic() > limit:
                self._driver.lost = True
                message = f"the GPU failed: its resident kernel has not answered for {WATCHDOG_S:.0f} s"
                raise UserError("gpu-failed", message)

    def _start(self) -> int:
        """Put the kernel on the GPU, to go on behind the last command that was answered; return which start it is."""
        answered = self._answer[0] >> at.SUMMARY_BITS
        generation = self._words[at.GENERATION] + 1
        self._words[at.GENERATION] = generation
        board = np.zeros(at.BOARD_WORDS, np.uint64)
        # This kernel is not there, so there is nothing to wait for before its board is written.
        self._driver.write_now(self._memory, board.view(np.uint8))
        ended, until, counts = (self._memory + place for place in self._places[1:])
        planes = [self._data + place for place in self.layout.memories]
        if self.layout.pool is not None:
            planes += [self._data + self.layout.pool.header, self._data + self.layout.pool.pages]
        layout, mail, memory = self.layout, self._seen_mail, self._memory
        pointers = [self._data, mail, memory, ended, until, counts]
        numbers = [generation, answered, self._idle, self._blocks]
        arguments = [layout.lanes, layout.stride, *pointers, *numbers, *planes]
        self._driver.begin(self._function, self._blocks, self._threads, arguments, self._stream)
        self._running = True
        return generation


def _aligned(size: int) -> int:
    return -(-size // 64) * 64
