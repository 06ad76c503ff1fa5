"""The boundary between an engine that runs lane programs and the batch that drives it.

A *device* has memory and compiles programs; a *kernel* is a program compiled for it. The batch owns the bytes of its
lanes, laid out by `ir.lane_layout`, and gives each call a `LaneControl`. Every call returns when its work is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from weft.ir.lane_layout import LaneLayout
from weft.ir.lane_program import LaneProgram, LaneStep
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

    def repeat(self, offset: int, size: int, count: int) -> None:
        """Copy `size` bytes to the places behind them, so that there are `count` copies."""
        ...

    def take(self, offset: int, size: int, foreign: Any) -> bool:
        """Copy a foreign array of the same device that is just these bytes; say whether that was possible."""
        ...

    def array_at(self, offset: int, count: int, kind: str) -> Any:
        """Return an array of some elements of a NumPy type, without a copy."""
        ...

    def copy(self) -> LaneBytes:
        """Return a copy in the same place."""
        ...

    def assign(self, other: LaneBytes) -> None:
        """Set all bytes to those of a copy."""
        ...

    def address(self) -> int:
        """Return where the bytes begin, in the address space of their device."""
        ...


class LaneKernel(Protocol):
    """Be a lane program compiled for a device."""

    def begin(self) -> None:
        """Begin to compile, in another thread if that can be."""
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

    def allocate(self, size: int, lanes: int = 0, per_lane: int = 0) -> Any:
        """Return zeroed `LaneBytes`; raises `no-memory` with what `lanes` of `per_lane` bytes need and have."""
        ...

    def kernel(self, program: LaneProgram) -> LaneKernel:
        """Return a program for this device; it is compiled when it is first needed."""
        ...
