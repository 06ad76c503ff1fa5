"""The boundary between an engine that runs lane programs and the batch that drives it.

A *device* has memory and compiles programs; a *kernel* is a program compiled for it. The batch owns the bytes of its
lanes, laid out by `ir.lane_layout`, and gives each call a `LaneControl`. Every call returns when its work is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from weft.ir.lane_layout import LaneLayout
from weft.ir.lane_program import LaneProgram, LaneStep
from weft.ir.lane_times import DeviceLimits, DeviceTimes
from weft.ir.layout import ALIGNMENT

Bytes = NDArray[np.uint8]


class LaneControl:
    """Hold what a run of a batch is told of each lane and what it answers: rows of `stride` lanes.

    `first` and `last` are slots; `status` is a `LaneStatus`, `done` the slot at which the lane stopped; `counts` has a
    row for each message, to which a run adds.
    """

    def __init__(self, stride: int, messages: int) -> None:
        self.first, self.last = np.zeros(stride, np.uint64), np.zeros(stride, np.uint64)
        self.done = np.zeros(stride, np.uint64)
        self.status = np.zeros(stride, np.uint8)
        self.counts = aligned_bytes(4 * stride * max(1, messages)).view(np.uint32).reshape(-1, stride)


def aligned_bytes(size: int) -> Bytes:
    """Return zeroed bytes at a multiple of 64."""
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    skip = -raw.ctypes.data % ALIGNMENT
    return raw[skip : skip + size]


class LaneBytes(Protocol):
    """Be a batch's bytes, wherever they are."""

    def read(self, offset: int, count: int) -> Bytes:
        """Return some bytes: a view of them if they are in this machine's memory, else a copy."""
        ...

    def write(self, offset: int, data: Bytes) -> None:
        """Set some bytes."""
        ...

    def read_rows(self, offset: int, pitch: int, width: int, rows: int) -> Bytes:
        """Return `rows` rows of `width` bytes that begin `pitch` bytes apart."""
        ...

    def write_rows(self, offset: int, pitch: int, data: Bytes) -> None:
        """Set rows that begin `pitch` bytes apart."""
        ...

    def staging(self, size: int) -> Bytes:
        """Return memory of this machine for rows that are sent; it is there as long as these bytes."""
        ...

    def send_rows(self, offset: int, pitch: int, data: Bytes) -> None:
        """Begin to set rows from memory of `staging`, while the device works with other bytes than these.

        Any thread may do that, one at a time.
        """
        ...

    def sent(self) -> None:
        """Wait until all rows that were sent are there, so that what they came from may be written again."""
        ...

    def receive(self) -> None:
        """Let what the device does from now on come after all rows that were sent."""
        ...

    def move(self, offset: int, other: Any, place: int, size: int) -> None:
        """Set bytes of a row to those at a place in other bytes of the same device, laid out for as many lanes."""
        ...

    def repeat(self, offset: int, size: int, count: int) -> None:
        """Copy `size` bytes to the places behind them, so that there are `count` copies."""
        ...

    def take(self, offset: int, size: int, foreign: Any) -> bool:
        """Copy a foreign array of the same device that is just these bytes; say whether that was possible."""
        ...

    def array_at(self, offset: int, count: int, kind: str) -> Any:
        """Return an array of some elements of a NumPy type, without a copy."""
        ...

    def copy(self, sizes: Sequence[int] = ()) -> LaneBytes:
        """Return a copy in the same place; with `sizes` of no more bytes than that in each of `parts`."""
        ...

    def assign(self, other: LaneBytes) -> None:
        """Set all bytes that a copy has to those of the copy."""
        ...

    def parts_of(self, layout: LaneLayout) -> list[tuple[LaneBytes, LaneLayout]]:
        """Return the bytes on each device that there is, in the order of their lanes, and where lanes are in them."""
        ...

    def read_pages(self, offset: int, pages: NDArray[Any]) -> Bytes:
        """Return pages (`ir.lane_pages`) of those that begin at an offset, a row for each."""
        ...

    def write_pages(self, offset: int, pages: NDArray[Any], data: Bytes) -> None:
        """Set pages from rows."""
        ...

    def join(self, layout: LaneLayout, other: Any, more: LaneLayout) -> LaneLayout:
        """Return a layout for runs with these bytes whose last memories are those of `more`, in other bytes."""
        ...

    def address(self) -> int:
        """Return where the bytes begin, in the address space of their device."""
        ...


class ResidentLanes(Protocol):
    """Be a kernel that stays on its device and does commands, which cost microseconds and no launch.

    What is put happens with the next command, in order. `status` is what `run` and `settle` have answered, for lanes
    that have stopped: a `LaneStatus`. Each lane's time is kept in its state.
    """

    status: Bytes
    note_short: Callable[[bool], None]
    """Called when lanes have passed the limit of pages, with whether the run is to go on, for which there must be room;
    what it raises ends the run, and every lane is then at the end of a slot."""

    def put_value(self, word: int, value: int) -> None:
        """Set a word in all lanes."""
        ...

    def put_row(self, word: int, values: NDArray[Any]) -> None:
        """Set a word from an array of its containers over all lanes."""
        ...

    def get_row(self, word: int) -> NDArray[Any]:
        """Return a word in all lanes."""
        ...

    def subscribe(self, words: Sequence[int]) -> list[NDArray[Any]]:
        """Let each command from now on answer with a few words; return the arrays in which they will be, until `close`.

        Other words that were subscribed to no longer come.
        """
        ...

    def settle(self) -> bool:
        """Settle every lane; say whether some have stopped."""
        ...

    def run(self, duration_fs: int, *, settle: bool, until: bool) -> bool:
        """Run the lanes that have not ended; say whether some have stopped."""
        ...

    def exchange(self, duration_fs: int, settle: bool, outputs: int) -> bool:
        """Run, and compute one output of the look or all of them (`EVERY`) or `NONE`, in one command."""
        ...

    def look(self, first: int, count: int) -> list[NDArray[Any]]:
        """Return words of the look in all lanes."""
        ...

    def output(self, number: int) -> NDArray[Any]:
        """Return the array where commands leave a word of the look, if they compute it; it is there until `close`."""
        ...

    def set_ended(self, ended: Bytes) -> None:
        """Say which lanes do not go on, and why."""
        ...

    def take_counts(self) -> NDArray[np.uint32] | None:
        """Return how often each message ran in each lane since the last time, or None if nothing is counted."""
        ...

    def leave(self) -> None:
        """Leave the device to others until the next command."""
        ...

    def close(self) -> None:
        """End for good."""
        ...


EVERY, NONE = (1 << 64) - 1, (1 << 64) - 2
"""As an output of `ResidentLanes.exchange`: all of them, none of them."""


class LaneKernel(Protocol):
    """Be a lane program compiled for a device."""

    def begin(self, tell: Callable[[str], None] = ...) -> None:
        """Begin to compile, in another thread if that can be; `tell` is told the steps."""
        ...

    @property
    def ready(self) -> bool:
        """Say whether the code is there."""
        ...

    def compile(self) -> None:
        """Compile now; the first call does it otherwise."""
        ...

    def report(self) -> list[str]:
        """Return what the code of a run takes of a GPU: registers, local memory, occupancy; nothing on a CPU."""
        ...

    def begin_resident(self, look: LaneStep | None, layout: LaneLayout) -> None:
        """Begin to compile a kernel that stays on the device, in another thread."""
        ...

    @property
    def resident_ready(self) -> bool:
        """Say whether its code is there."""
        ...

    def resident(self, look: LaneStep | None, layout: LaneLayout, data: Any) -> ResidentLanes | None:
        """Return a kernel that stays on the device and knows a look's outputs; None if it cannot."""
        ...

    def run(self, layout: LaneLayout, data: Any, control: LaneControl) -> None:
        """Take every lane from its first slot to its last, or to where it stops."""
        ...

    def settle(self, layout: LaneLayout, data: Any, control: LaneControl) -> None:
        """Settle every lane at its present time."""
        ...

    def look(self, look: LaneStep, layout: LaneLayout, data: Any, widths: Sequence[int]) -> list[NDArray[Any]]:
        """Compute a look's outputs (of these widths) for every lane: rows of `stride` containers."""
        ...


class LaneDevice(Protocol):
    """Be where a batch runs: `tile` lanes interleave their memories, `kind` is `cpu` or `cuda`."""

    kind: str
    name: str
    tile: int

    def allocate(
        self,
        size: int,
        lanes: int = 0,
        per_lane: int = 0,
        layout: LaneLayout | None = None,
        program: LaneProgram | None = None,
    ) -> Any:
        """Return zeroed `LaneBytes`; raises `no-memory` with what `lanes` of `per_lane` bytes need and have.

        With a `layout` they are for the lanes of a program that it places, which a device of several parts must know.
        """
        ...

    def room(self) -> int:
        """Return how many bytes the lanes of a batch can have."""
        ...

    def resident_lanes(self) -> int:
        """Return how many lanes a kernel that stays on the device may have; 0 if none can."""
        ...

    def kernel(self, program: LaneProgram) -> LaneKernel:
        """Return a program for this device; it is compiled when it is first needed."""
        ...

    def time_kernels(self, on: bool) -> None:
        """Begin to time kernels, or end it."""
        ...

    def times(self) -> DeviceTimes:
        """Return what the device took so far."""
        ...

    def limits(self) -> DeviceLimits:
        """Return what the device could reach; measures for some milliseconds."""
        ...
