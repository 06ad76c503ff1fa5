"""Simulate many faults in few lanes: a lane whose fault is decided takes up the next one at once.

Most faults are seen early and a few never, so lanes that begin together are soon nearly empty. Here each lane is at a
cycle of its own. That takes memories of the good machine's outputs and of the inputs that hold the whole run, for all
lanes share them. Lanes run in rounds, which are short when some have just taken up faults, as these are the ones that
are soon seen, and then grow. When there are no more to take up, the lanes that are left move together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.passes.inject_faults import ALWAYS, CHECK, CYCLE
from weft.sim.faults.lane_faults import FaultClass, LaneFaults, Lanes

_SHORTEST, _LONGEST = 16, 1024
_WORTH = 4
"""Lanes should run for so many times the time that the host takes between two rounds."""

_REFILL = 8
"""Lanes take up faults when an eighth of them is free: a round begins with some work of the host for all lanes."""


class RefilledLanes(LaneFaults):
    """Run faults in a batch, any number of them; the good machine's run fits the window."""

    def run_all(
        self,
        faults: Lanes,
        choices: Mapping[str, NDArray[np.uint32]],
        until: str,
        timeout: int,
        report: Callable[[int], None],
    ) -> None:
        """Simulate faults (by number, ordered by their cycles); `choices` are theirs."""
        good, batch = self.good, self.batch
        batch.start(good.begin(0)[1])
        self._of = np.full(batch.lanes, -1)
        self.alive = self._of >= 0
        self._cycle = np.full(batch.lanes, ALWAYS, np.uint32)
        self._passed = np.zeros(batch.lanes, np.int64)
        self._ends = np.array(good.ends)
        self._words: dict[int, NDArray[np.uint64]] = {}
        self._fill(0)
        taken, shortest = 0, _SHORTEST
        # A lane that has come to its end waits for the end of the round.
        length, most = shortest, min(max(good.cycles // 16, _SHORTEST), _LONGEST)
        while True:
            began = time.perf_counter()
            free = np.nonzero(~self.alive)[0][: len(faults) - taken]
            if len(free) and (_REFILL * len(free) >= batch.lanes or not self.alive.any()):
                self._take(free, faults[taken : taken + len(free)], choices, taken)
                taken += len(free)
                length = shortest
            taking = time.perf_counter() - began
            if not self.alive.any():
                return
            if taken == len(faults):
                self._pack()
            began = time.perf_counter()
            running = self._round(length, until, timeout)
            report(int(self.alive.sum()))
            host = time.perf_counter() - began - running + taking
            if length == shortest and _WORTH * host > running:
                shortest = min(2 * shortest, most)
            length = min(2 * length, most if taken < len(faults) else _LONGEST)

    def _take(self, lanes: Lanes, faults: Lanes, choices: Mapping[str, NDArray[np.uint32]], first: int) -> None:
        """Give lanes new faults, each from the good machine's state before it comes."""
        good, batch = self.good, self.batch
        self._of[lanes], self.alive[lanes] = faults, True
        cycles = choices[CYCLE][first : first + len(faults)]
        self._cycle[lanes] = cycles
        begins = np.where(cycles == ALWAYS, 0, cycles)
        slices = np.array([good.begin(begin)[0] for begin in begins.tolist()])
        batch.renew_words(lanes, self._words_at(slices))
        for number in np.unique(slices).tolist():
            state = good.states[number]
            assert state is not None
            batch.renew_memories(lanes[slices == number], state)
        self._passed[lanes] = np.concatenate([[0], self._ends])[slices]
        for name, values in choices.items():
            row = self._row(name).copy()
            row[lanes] = values[first : first + len(faults)]
            self._set(name, row)
        checked = self._row(CHECK).copy()
        checked[lanes] = 1
        self._set(CHECK, checked)
        fresh = np.zeros(batch.lanes, np.bool_)
        fresh[lanes] = True
        self._flip_at_once(fresh)
        batch.changed()

    def _words_at(self, slices: Lanes) -> NDArray[np.uint64]:
        """Return the good machine's words at the beginning of each of some slices, a row for each."""
        distinct, which = np.unique(slices, return_inverse=True)
        for number in distinct.tolist():
            state = self.good.states[number]
            if number not in self._words and state is not None:
                self._words[number] = self.batch.words_of(state)
        return np.stack([self._words[number] for number in distinct.tolist()])[which]

    def _round(self, length: int, until: str, timeout: int) -> float:
        """Run every lane to the end of a slice, about `length` cycles further, and see what has become of its fault.

        Return how many seconds the lanes ran.
        """
        good, alive = self.good, self.alive.copy()
        last = np.searchsorted(self._ends, self._passed + length, side="right") - 1
        following = np.searchsorted(self._ends, self._passed, side="right")
        target = self._ends[np.minimum(np.maximum(last, following), len(self._ends) - 1)]
        began = time.perf_counter()
        status = self.batch.run_lanes(np.where(alive, target - self._passed, 0), alive)
        seconds = time.perf_counter() - began
        self._passed[alive] = target[alive]
        self._take_stopped(status)
        self._drop_over()
        ended = self.alive & (self._passed == good.cycles)
        if ended.any():
            self._finish(ended, self._differing(good.last, ended), until, timeout - good.cycles)
        return seconds

    def _drop_over(self) -> None:
        """Let lanes rest whose transient is over and has left nothing."""
        good = self.good
        over = np.nonzero(self.alive & (self._cycle < self._passed))[0]
        slices = np.searchsorted(self._ends, self._passed[over]) + 1
        known = np.array([number < len(good.states) and good.states[number] is not None for number in slices.tolist()])
        over, slices = over[known.astype(np.bool_)], slices[known.astype(np.bool_)]
        if not len(over):
            return
        words = self._words_at(slices)
        same = np.ones(len(over), np.bool_)
        for number in self._compared:
            row = self.batch.state.word_row(number)[over]
            same &= row == words[:, number].astype(row.dtype)
        lanes = np.zeros(self.batch.lanes, np.bool_)
        for number in np.unique(slices[same]).tolist():
            here, different = lanes.copy(), lanes.copy()
            here[over[same & (slices == number)]] = True
            state = good.states[number]
            assert state is not None
            self._compare_memories(state, here, different)
            self._settle(here & ~different, FaultClass.UNDETECTED)

    def _moved(self) -> tuple[NDArray[Any], ...]:
        return (*super()._moved(), self._passed)
