"""Run the good machine: what it shows at the end of each cycle, and its state at the end of each slice.

The lanes compare with its outputs, begin at its states (a transient changes nothing before its cycle), and a transient
that has left no difference from its state has left none for ever.

Slices grow from 16 cycles to `longest`, because most faults are seen early, and lanes can be packed between slices.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import UserError
from weft.ir.program import Hook, Status
from weft.passes.inject_faults import BEAT, GOOD, STIMULUS
from weft.sim.build_condition import Condition, build_condition
from weft.sim.faults.fault_design import FaultDesign
from weft.sim.signal_map import SignalMap

_FIRST_SLICE = 16
LONGEST = 1024
"""The cycles of a slice at most."""

_STATE_BYTES = 1 << 28
"""Keep states of slices while they take no more memory than this."""

Rows = NDArray[np.uint64]


class GoodMachine:
    """Hold the run of the good machine; `ended` says whether it was cut short: `finish`, `until`, or empty.

    `ends` are the cycles at which slices end, `states` the states then (None where they would take too much memory);
    `last` is the state at the end of the last whole cycle, `end` that in which it ended, at `end_fs`.
    """

    def __init__(
        self, made: FaultDesign, cycles: int, stimulus: Rows | None, window: int, until: str, longest: int = LONGEST
    ) -> None:
        self._made, self.window, self._stimulus, self.longest = made, window, stimulus, longest
        self._layout, self._program = made.program.layout, made.program
        self._state = made.start
        self.period_fs = made.clocks[0].clock.period_fs
        self._time = next(number for number, state in enumerate(made.good.graph.states) if state.kind == "time")
        self.start_fs = self._layout.read(self._state, self._time)
        self.condition: Condition | None = build_condition(until, SignalMap(made.good.graph)) if until else None
        self.ended = ""
        self.end_fs, self.end = 0, self._state
        self.ends: list[int] = []
        self.rows: list[Rows] = []
        self._fill(0)
        self._program.settle(self._state)
        self.states: list[NDArray[np.uint8] | None] = [self._state.copy()]
        self.cycles = 0
        self._run(cycles)
        self.last = self._state
        if not self.ended:
            self.end_fs, self.end = self._layout.read(self._state, self._time), self._state

    def begin(self, cycle: int) -> tuple[int, NDArray[np.uint8]]:
        """Return the last slice that begins before a cycle, or with the run, and the state at its beginning."""
        starts = [0, *self.ends]
        at = 0
        for number, start in enumerate(starts[: len(self.states)]):
            if start < cycle and self.states[number] is not None:
                at = number
        state = self.states[at]
        assert state is not None
        return at, state

    def window_rows(self, number: int) -> Rows:
        """Return what memory `$good` holds during a slice."""
        return self._windowed(number, np.concatenate(self.rows) if len(self.rows) != 1 else self.rows[0])

    def stimulus_rows(self, number: int) -> Rows | None:
        """Return what memory `$stimulus` holds during a slice."""
        return None if self._stimulus is None else self._windowed(number, self._stimulus)

    def _windowed(self, number: int, rows: Rows) -> Rows:
        first = self.ends[number - 1] if number else 0
        found = np.zeros((self.window, rows.shape[1]), np.uint64)
        # The inputs of the cycle after the last are those of the last.
        cycles = np.arange(first, first + self.window)
        found[cycles % self.window] = rows[np.minimum(cycles, len(rows) - 1)]
        return found

    def _fill(self, first: int) -> None:
        """Write the stimulus of the cycles from `first` on into the window."""
        if self._stimulus is None:
            return
        place = self._made.injection.named[STIMULUS]
        cycles = np.arange(first, first + self.window)
        rows = self._stimulus[np.minimum(cycles, len(self._stimulus) - 1)]
        view = self._layout.view(self._state, place)
        view[cycles % self.window] = rows[:, 0] if view.ndim == 1 else rows

    def _run(self, cycles: int) -> None:
        layout, state = self._layout, self._state
        hooks: list[Hook] = []
        if self.condition is not None:
            hooks = [self._program.condition_hook(self.condition.graph, self.condition.node)]
        kept = self.states[0].nbytes if self.states[0] is not None else 0
        done, size = 0, _FIRST_SLICE
        beat = self._made.injection.named[BEAT]
        while done < cycles and not self.ended:
            upto = min(cycles, done + size)
            before = state.copy()
            self._fill(done)
            status = self._advance(upto, hooks)
            if status in (Status.EFFECT, Status.HOOK):
                # It ended within a cycle: go back to the end of the one before.
                self.ended = "finish" if status == Status.EFFECT else "until"
                self.end_fs, self.end = layout.read(state, self._time), state.copy()
                upto = layout.read(state, beat)
                state[:] = before
                self._fill(done)
                self._advance(upto, [])
            if upto > done:
                self._keep(done, upto)
                kept += state.nbytes
                self.states.append(state.copy() if kept <= _STATE_BYTES else None)
                self.ends.append(upto)
            done = upto
            size = min(2 * size, self.longest)
        self.cycles = done

    def _advance(self, upto: int, hooks: list[Hook]) -> Status:
        """Run to the end of a cycle."""
        clocks = tuple(each.clock for each in self._made.clocks)
        while True:
            result = self._program.run(self._state, clocks, self.start_fs + upto * self.period_fs, hooks)
            if result.status == Status.OSCILLATION:
                raise UserError("no-convergence", "the good machine does not settle: a zero-delay oscillation")
            if result.status == Status.INTERRUPTED:
                raise KeyboardInterrupt
            if result.status != Status.BUFFER:
                return result.status

    def _keep(self, first: int, last: int) -> None:
        place = self._made.injection.named.get(GOOD)
        if place is None:
            return
        view = self._layout.view(self._state, place)
        rows = view[np.arange(first, last) % self.window].astype(np.uint64)
        self.rows.append(rows.reshape(last - first, -1))


def stimulus_table(widths: Mapping[str, int], values: Mapping[str, NDArray[np.object_]]) -> Rows:
    """Pack the values of inputs, one for each cycle, into rows of words."""
    cycles = max(len(column) for column in values.values())
    total = sum(widths.values())
    table = np.zeros((cycles, -(-total // 64)), np.uint64)
    low = 0
    for name, width in widths.items():
        column = values[name]
        for cycle in range(cycles):
            value = int(column[min(cycle, len(column) - 1)])
            if not -(1 << width >> 1) <= value < 1 << width:
                raise UserError("value-range", f"{value} does not fit '{name}', which has {width} bits")
            bits = (value & (1 << width) - 1) << low % 64
            at = low // 64
            while bits:
                table[cycle, at] |= np.uint64(bits & (1 << 64) - 1)
                bits >>= 64
                at += 1
        low += width
    return table
