"""Simulate some faults in the lanes of a batch: one run from a state of the good machine to its end, slice by slice.

A lane stops when an output differs. At the end of a slice, a transient whose state is the good machine's again is done,
and the lanes that are left move together, so that vectors and warps without a lane cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.ir.lane_program import LaneStatus
from weft.ir.layout import container_bytes
from weft.passes.inject_faults import ALWAYS, CHECK, CYCLE, ELEMENT, FLIP, GOOD, KEEP, OUTPUT, SITE, STIMULUS, UPSET
from weft.sim.faults.fault_batch import FaultBatch
from weft.sim.faults.fault_design import FaultDesign
from weft.sim.faults.good_machine import LONGEST, GoodMachine
from weft.sim.signal_map import SignalMap

Lanes = NDArray[np.int64]
Mask = NDArray[np.bool_]

_CHOICES = frozenset((SITE, UPSET, KEEP, FLIP, CYCLE, ELEMENT, CHECK, OUTPUT))
_KEPT = ("register", "latch", "memory")


class FaultClass(IntEnum):
    """Say what became of a fault."""

    WAITING = 0  # the campaign was cut short before this fault's turn
    DETECTED = 1  # an observed signal differed, or the run ended otherwise than the good machine's
    UNDETECTED = 2  # nothing is different at the end
    LATENT = 3  # no observed signal differed, but the state does at the end
    HANG = 4  # the run does not come to its end in time, or does not settle
    UNTESTABLE = 5  # the bit is a constant of the value at which it is stuck


NO_OUTPUT = -1
"""The output of a fault that was detected by how its run ended."""


@dataclass(slots=True)
class Outcomes:
    """Hold what was found of each fault: its class, and the cycle and the observed signal that showed it."""

    classes: NDArray[np.uint8]
    cycles: NDArray[np.int64]
    outputs: NDArray[np.int32]


class LaneFaults:
    """Run faults in a batch, as many at a time as it has lanes."""

    def __init__(self, made: FaultDesign, good: GoodMachine, batch: FaultBatch, outcomes: Outcomes) -> None:
        self.made, self.good, self.batch, self.outcomes = made, good, batch, outcomes
        self._place = made.injection.named
        self._program = batch.program
        graph = made.faulty.graph
        skipped = {self._place[name] for name in (*_CHOICES, "$fault_beat")}
        self._compared = [
            number
            for number, word in enumerate(self._program.words)
            if graph.states[word.state].kind in _KEPT and word.state not in skipped
        ]

    def run(
        self,
        faults: Lanes,
        choices: Mapping[str, NDArray[np.uint32]],
        first: int,
        until: str,
        timeout: int,
        checked: bool,
        report: Callable[[int], None],
    ) -> None:
        """Simulate faults (by number, at most one a lane) from slice `first` on; `choices` are theirs."""
        good, batch = self.good, self.batch
        slice_number, state = good.begin(first)
        batch.start(state)
        self._of = np.full(batch.lanes, -1)
        self._of[: len(faults)] = faults
        self.alive = self._of >= 0
        self._cycle = np.full(batch.lanes, ALWAYS, np.uint32)
        for name, values in choices.items():
            row = np.zeros(batch.lanes, np.uint32)
            row[: len(faults)] = values
            if name == CYCLE:
                self._cycle[: len(faults)] = values
            self._set(name, row)
        self._set(CHECK, np.full(batch.lanes, int(checked), np.uint8))
        self._flip_at_once(self.alive)
        self._fill(slice_number)
        batch.changed()
        if not checked:
            self._run_to_end(until, timeout)
            report(0)
            return
        start, number, count = good.ends[slice_number - 1] if slice_number else 0, slice_number, 1
        while number < len(good.ends):
            if number > slice_number and good.window < good.cycles:
                self._fill(number)
            # Slices are short where lanes can be refilled; these run through more and more of them.
            last = min(number + count, len(good.ends)) - 1
            number, count = last + 1, min(2 * count, LONGEST // good.longest)
            status = batch.run_lanes(good.ends[last] - start, self.alive)
            start = good.ends[last]
            self._take_stopped(status)
            self._drop_masked(last)
            report(int(self.alive.sum()))
            if not self.alive.any():
                return
            self._pack()
        differ = self._differing(good.last, self.alive)
        self._finish(self.alive.copy(), differ, until, timeout - good.cycles)
        report(0)

    # ------------------------------------------------------------------------------------------- the lanes' state

    def _set(self, name: str, row: NDArray[np.unsignedinteger]) -> None:
        self.batch.state.set_row(self._program.places[self._place[name]], row)

    def _row(self, name: str) -> NDArray[np.unsignedinteger]:
        return self.batch.state.word_row(self._program.places[self._place[name]])

    def _flip_at_once(self, among: Mask) -> None:
        """Flip bits of those lanes whose upset comes before the first cycle, which ends no cycle."""
        upset = self._row(UPSET).copy()
        lanes = np.nonzero(among & (upset > 0) & (self._cycle == 0))[0]
        if not len(lanes):
            return
        flips, elements = self._row(FLIP).astype(np.uint64), self._row(ELEMENT).astype(np.int64)
        for old, first in self.made.injection.upsets.items():
            state = self.made.injection.states[old]
            described = self.made.faulty.graph.states[state]
            for piece in range(-(-described.width // 32)):
                mine = lanes[upset[lanes] == first + piece]
                if not len(mine):
                    continue
                at, shift = self._program.places[state] + piece // 2, np.uint64(32 * (piece % 2))
                if described.depth:
                    for lane in mine.tolist():
                        one, place = np.array([lane]), elements[lane : lane + 1]
                        old_value = self.batch.state.plane_elements(at, one, place)
                        new = old_value.astype(np.uint64) ^ (flips[lane] << shift)
                        self.batch.state.put_plane("", at, one, place, new.astype(old_value.dtype))
                else:
                    row = self.batch.state.word_row(at).copy()
                    row[mine] ^= (flips[mine] << shift).astype(row.dtype)
                    self.batch.state.set_row(at, row)

    def _fill(self, number: int) -> None:
        """Give all lanes what the good machine shows, and their inputs, in a slice."""
        rows = {STIMULUS: self.good.stimulus_rows(number)}
        if GOOD in self._place:
            rows[GOOD] = self.good.window_rows(number)
        for name, table in rows.items():
            if table is None:
                continue
            for plane in self.batch.state.planes(self._place[name]):
                memory = self._program.memories[plane]
                column = np.ascontiguousarray(table[:, memory.word].astype(f"u{container_bytes(memory.width)}"))
                self.batch.data.write(self.batch.layout.memories[plane], column.view(np.uint8))

    def _pack(self) -> None:
        """Move the lanes that are left together, if they are few; on a GPU their memories would go through the host."""
        batch, keep = self.batch, np.nonzero(self.alive)[0]
        tile = batch.layout.tile
        # What lies behind the last lane that is left costs nothing, so the place of that one counts.
        if batch.device.kind != "cpu" or 2 * len(keep) > int(keep[-1]) + 1 - tile:
            return
        into = np.arange(len(keep))
        for number in range(len(self._program.words)):
            row = batch.state.word_row(number).copy()
            row[into] = row[keep]
            batch.state.set_row(number, row)
        moving = keep != into
        for plane, memory in enumerate(self._program.memories):
            if not memory.shared and moving.any():
                every = np.arange(memory.depth)
                elements = batch.state.plane_elements(plane, keep[moving], every)
                batch.state.put_plane("", plane, into[moving], every, elements)
        for row in self._moved():
            row[into] = row[keep]
        self.alive[:] = False
        self.alive[into] = True

    def _moved(self) -> tuple[NDArray[Any], ...]:
        """Return what there is for each lane, and moves with it."""
        return self._of, self._cycle

    # ------------------------------------------------------------------------------------------------- outcomes

    def _settle(
        self, lanes: Mask, what: FaultClass, cycles: Lanes | int = -1, outputs: Lanes | int = NO_OUTPUT
    ) -> None:
        """Note what became of the faults of some lanes, which then rest."""
        faults = self._of[lanes]
        self.outcomes.classes[faults] = what
        self.outcomes.cycles[faults] = cycles
        self.outcomes.outputs[faults] = outputs
        self.alive &= ~lanes

    def _lane_cycles(self, lanes: Mask) -> Lanes:
        """Return the cycle in which each lane stopped."""
        passed = self.batch.time_fs[lanes].astype(np.int64) - self.good.start_fs
        return (passed - 1) // self.good.period_fs

    def _take_stopped(self, status: NDArray[np.uint8]) -> None:
        output = self._row(OUTPUT).astype(np.int64)
        seen = self.alive & (output > 0)
        if seen.any():
            self._settle(seen, FaultClass.DETECTED, self._lane_cycles(seen), output[seen] - 1)
        bad = self.alive & (status == LaneStatus.OSCILLATION)
        if bad.any():
            self._settle(bad, FaultClass.HANG, self._lane_cycles(bad))
        ended = self.alive & (status != LaneStatus.TIME)
        if ended.any():
            self._settle(ended, FaultClass.DETECTED, self._lane_cycles(ended))

    def _drop_masked(self, number: int) -> None:
        """Let lanes rest whose transient is over and has left nothing."""
        after = number + 1
        state = self.good.states[after] if after < len(self.good.states) else None
        over = self.alive & (self._cycle < self.good.ends[number])
        if state is None or not over.any():
            return
        same = over & ~self._differing(state, over)
        if same.any():
            self._settle(same, FaultClass.UNDETECTED)

    def _differing(self, state: NDArray[np.uint8], lanes: Mask) -> Mask:
        """Say for some lanes whether what they remember is not what a state of the good machine has."""
        words = self.batch.words_of(state)
        different = np.zeros(self.batch.lanes, np.bool_)
        for number in self._compared:
            row = self.batch.state.word_row(number)
            different |= row != words[number].astype(row.dtype)
        different &= lanes
        self._compare_memories(state, lanes, different)
        return different

    def _compare_memories(self, state: NDArray[np.uint8], lanes: Mask, different: Mask) -> None:
        """Note in which of some lanes memories are not what a state of the good machine has."""
        batch, layout = self.batch, self.made.program.layout
        for plane, memory in enumerate(self._program.memories):
            left = np.nonzero(lanes & ~different)[0]
            if memory.shared or not len(left):
                continue
            view = layout.view(state, memory.state)
            want = view if view.ndim == 1 else view[:, memory.word]
            every = np.arange(memory.depth)
            for first in range(0, len(left), 256):
                some = left[first : first + 256]
                have = batch.state.plane_elements(plane, some, every)
                different[some] = (have != want.astype(have.dtype)).any(axis=1)

    def _finish(self, rest: Mask, differ: Mask, until: str, left: int) -> None:
        """Sort lanes that no output has betrayed: do they end as the good machine does?"""
        batch, good = self.batch, self.good
        if not good.ended:
            self._settle(rest & differ, FaultClass.LATENT)
            self._settle(rest & ~differ, FaultClass.UNDETECTED)
            return
        checked = self._row(CHECK).copy()
        checked[rest] = 0
        self._set(CHECK, checked)
        batch.changed()
        if good.ended == "until":
            status = batch.run_lanes(max(1, left), rest, until)
            ends = status == LaneStatus.CONDITION
        else:
            status = batch.run_lanes(max(1, left), rest)
            ends = np.isin(status, (LaneStatus.FINISH, LaneStatus.STOP, LaneStatus.FATAL))
            ends &= batch.time_fs == good.end_fs
        silent = np.isin(status, (LaneStatus.TIME, LaneStatus.OSCILLATION))
        self._settle(rest & silent, FaultClass.HANG)
        other = rest & ~silent & ~ends
        self._settle(other, FaultClass.DETECTED, self._lane_cycles(other))
        self._settle(rest & ends & differ, FaultClass.LATENT)
        self._settle(rest & ends & ~differ, FaultClass.UNDETECTED)

    def _run_to_end(self, until: str, timeout: int) -> None:
        """Run every lane to its end, and compare what it shows there with the good machine's end."""
        batch, good, design = self.batch, self.good, self.made.good
        rest = self.alive.copy()
        if good.ended == "until":
            status = batch.run_lanes(timeout, rest, until)
            ends = status == LaneStatus.CONDITION
        else:
            status = batch.run_lanes(timeout if good.ended else good.cycles, rest)
            stops = (LaneStatus.FINISH, LaneStatus.STOP, LaneStatus.FATAL) if good.ended else (LaneStatus.TIME,)
            ends = np.isin(status, stops)
        hangs = status == LaneStatus.OSCILLATION
        if good.ended:
            hangs |= status == LaneStatus.TIME
        self._settle(rest & hangs, FaultClass.HANG)
        other = rest & ~hangs & ~ends
        self._settle(other, FaultClass.DETECTED, self._lane_cycles(other))
        signals = SignalMap(design.graph)
        for number, path in enumerate(self.made.observed):
            (want,) = self.made.program.evaluate(good.end, design.graph, [signals.find(path).node])
            have = batch.peek(path)
            if have.ndim > 1:
                words = [want >> 64 * word & (1 << 64) - 1 for word in range(have.shape[1])]
                wrong = (have != np.array(words, np.uint64)).any(axis=1)
            else:
                wrong = have != np.array(want, np.uint64).astype(have.dtype)
            wrong &= self.alive
            if wrong.any():
                self._settle(wrong, FaultClass.DETECTED, self._lane_cycles(wrong), number)
        differ = self._differing(good.end, self.alive)
        self._settle(self.alive & differ, FaultClass.LATENT)
        self._settle(self.alive.copy(), FaultClass.UNDETECTED)
