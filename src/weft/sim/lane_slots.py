"""Translate between a lane's time and its place in the pattern of clock events (`ir.lane_program`).

A slot counts events from the beginning of the period in which the lane is now, so lanes of different times that are in
the same part of a period have the same slots. All functions work on arrays over lanes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.ir.lane_program import LaneProgram

Times = NDArray[np.uint64]

FIRST_SLICE, _LONGEST_SLICE = 4096, 1 << 16
"""Slots of the first slice of a run on a GPU, and of the longest."""

_SLICE_S = (0.05, 0.25)
"""How long slices of a run on a GPU should take: a display's watchdog, Ctrl-C and finished lanes wait for their end."""


def fit_slice(slots: int, seconds: float) -> int:
    """Return the length of the next slice after one of so many slots took so long."""
    if seconds < _SLICE_S[0]:
        return min(2 * slots, _LONGEST_SLICE)
    return max(slots // 2, 64) if seconds > _SLICE_S[1] else slots


_SLICE_SLOTS = 1 << 16
"""The slots of a slice on the CPU, so that Ctrl-C gets through; with more than 64 lanes fewer."""


def slice_slots(device: str, stride: int, fitted: int, most: int) -> int:
    """Return the slots of the next slice on a kind of device: on a GPU what was fitted, and no more than `most`."""
    slots = max(64, _SLICE_SLOTS * 64 // stride) if device == "cpu" else fitted
    return max(2, min(slots, most or slots))


@dataclass(frozen=True, slots=True)
class SlotClock:
    """Hold the pattern: the times of a period's events after its beginning, and its length.

    With `drive_fs` the last event of each multiple of it drives the inputs of the cycle that begins there. It belongs
    to the run that goes on from there: a run that begins at that time begins with it, one that ends there ends before.
    """

    offsets: NDArray[np.uint64]
    period_fs: int
    drive_fs: int = 0

    def first(self, now: Times) -> Times:
        """Return the slot of each lane's next event."""
        if _alike(now):
            return np.full(len(now), self.first(now[:1])[0])
        return self._after(now % np.uint64(self.period_fs))

    def _after(self, offset: Times) -> Times:
        slots = np.searchsorted(self.offsets, offset, side="right").astype(np.uint64)
        return slots - (offset % np.uint64(self.drive_fs) == 0) if self.drive_fs else slots

    def last(self, now: Times, until: Times) -> Times:
        """Return the slot that follows the last event at or before `until`."""
        if _alike(now) and _alike(until):
            return np.full(len(now), self.last(now[:1], until[:1])[0])
        period = np.uint64(self.period_fs)
        whole = (until // period - now // period) * np.uint64(len(self.offsets))
        return whole + self._after(until % period)

    def times(self, now: Times, done: Times) -> Times:
        """Return the time of the last event before slot `done`, for lanes whose period `now` is in."""
        period, count = np.uint64(self.period_fs), np.uint64(len(self.offsets))
        before = done - np.uint64(1)
        start = now // period * period
        return start + before // count * period + self.offsets[(before % count).astype(np.int64)]


def _alike(times: Times) -> bool:
    """Say whether several lanes have one time, as most have most of the time: then one is computed, not 262,144."""
    return len(times) > 1 and bool((times == times[0]).all())


def slot_clock(program: LaneProgram) -> SlotClock:
    """Return the pattern of a program."""
    offsets = np.array([event.offset_fs for event in program.events], np.uint64)
    drives = sum(event.drive for event in program.events)
    return SlotClock(offsets, program.period_fs, program.period_fs // drives if drives else 0)
