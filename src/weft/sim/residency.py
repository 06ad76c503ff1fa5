"""Say when a batch has a kernel that stays on its device, and let it do what the batch is asked for.

A launch, and the copies around it, cost tens of microseconds; a command to a resident kernel costs a few
(`ir.lane_engine.ResidentLanes`). So runs, whole words of the state and output ports of the top module go to it where
there is one; all else, which needs the device otherwise, makes it leave for a moment, and nobody need know. With
`resident="auto"` a batch gets one when it has been run for a few cycles often, from code that is made in the
background.

The lanes are settled after pokes only where that can change anything: where a latch, a sample or a trigger depends on
what was poked. An ordinary input of a synchronous design is seen by the next clock edge as it is.

What is looked at after one run comes with the answer of the next (a *plan*), so looking at it again is no command. And
for each signal that is set or looked at often there is one function in a table that knows all that can be known before:
Python's part of a round trip was as long as the GPU's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.base.errors import UserError
from weft.ir.lane_engine import EVERY, NONE, LaneKernel, ResidentLanes
from weft.ir.lane_program import LaneStatus
from weft.ir.layout import container_bytes
from weft.ir.step_graph import StepGraph, settles_after, step_graph
from weft.sim.lane_arrays import is_on_gpu
from weft.sim.lane_handles import LaneValues, check_values
from weft.sim.lane_programs import lane_look

if TYPE_CHECKING:
    from weft.sim.batch import Batch

_AHEAD, _AT_ONCE = 6, 8
"""How many signals come with the answer of a run because they were looked at after the last, and how many can come."""

_UNUSED = 16
"""After so many runs whose computed signals nobody looked at, they no longer come."""

_PLANS = 64
"""How many plans are kept."""

_SHORT_CYCLES, _OFTEN = 64, 16
"""A batch that was run for so few cycles so often in a row is used interactively."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Say where a signal's value is: in a word of the state, or in words of the look (`first` of `count`).

    `settles` says whether the lanes must be settled when it has changed.
    """

    word: int = -1
    width: int = 0
    settles: bool = True
    first: int = -1
    count: int = 0


@dataclass(frozen=True, slots=True)
class _Plan:
    """Say what comes with the answer of a run.

    `words` are those of the state, `chosen` what is computed of the look; `takes` has a function for each path that
    returns a copy of what came.
    """

    words: tuple[int, ...]
    chosen: int
    takes: dict[str, Callable[[], LaneValues]]


_NOTHING: Mapping[str, Callable[[], LaneValues]] = {}


class Residency:
    """Be the resident kernel of a batch, when there is one. `wanted` is `auto`, True or False."""

    def __init__(self, batch: Batch, wanted: str | bool) -> None:
        self._batch, self._wanted = batch, wanted
        self._shares = batch.layout.pool is not None
        self._may_lack = self._shares  # pages may have been taken since there was room for every lane's writes
        self._room = batch.device.resident_lanes() if wanted is not False else 0
        if wanted is True and batch.lanes > self._room:
            why = f"{batch.device.name} can keep a kernel for at most {self._room:,} lanes"
            if not self._room:
                why = f"{batch.device.name} cannot keep a kernel"
            raise UserError("bad-option", f"resident=True, and {why}")
        if batch.lanes > self._room:
            self._wanted = False
        self.lanes: ResidentLanes | None = None
        self.stale = True  # the kernel does not know which lanes have ended
        self._condition = ""
        self._kernels: dict[str, ResidentLanes] = {}
        self._tried: dict[str, LaneKernel] = {}
        self._short_runs = 0
        self._look: dict[int, _Place] = {}
        self._graph: StepGraph | None = None
        self._places: dict[str, _Place | None] = {}
        self._period_fs = batch.clocks[0].clock.period_fs if batch.clocks else 0
        self._no_status = np.zeros(batch.lanes, np.uint8)
        self._looked_at: tuple[str, ...] = ()
        self._unused = 0
        self._forget_kernel()

    def _forget_kernel(self) -> None:
        """Have nothing that knows the kernel: what was looked at, plans, and functions that set signals."""
        self._fresh = _NOTHING  # what the last answer has that is still so
        self._pokes: dict[str, Callable[[Any], bool]] = {}
        self._plans: dict[tuple[str, ...], _Plan] = {}
        self._plan: _Plan | None = None  # the one that is subscribed to
        self._next: _Plan | None = None  # that of the next run, if nothing else is looked at until then

    # -------------------------------------------------------------------------------------------- when it is there

    def choose(self, condition: str, cycles: int) -> ResidentLanes | None:
        """Return the kernel for a run of so many cycles, or None if it is to be launched."""
        lanes = self.lanes
        if not self._batch.plain_runs or self._wanted is False:
            return None
        if lanes is not None and not self.stale and (not condition or condition == self._condition):
            return lanes
        if self._wanted == "auto" and self.lanes is None:
            self._short_runs = self._short_runs + 1 if cycles <= _SHORT_CYCLES else 0
            if self._short_runs < _OFTEN:
                return None
        if lanes is None or (condition and condition != self._condition):
            lanes = self._switch(condition)
        if lanes is not None and self.stale:
            lanes.set_ended(self._batch.ended_row())
            self.stale = False
        return lanes

    def _switch(self, condition: str) -> ResidentLanes | None:
        """Return the kernel that knows a condition; None while it is made, or where it has no room."""
        if condition not in self._kernels:
            program, kernel = self._batch.build(condition)
            nodes = tuple(self._look) or self._list_outputs()
            look = lane_look(program, self._batch.design.graph, nodes) if nodes else None
            if condition not in self._tried:
                kernel.begin_resident(look, self._batch.layout)
                self._tried[condition] = kernel
            if self._wanted == "auto" and not kernel.resident_ready:
                return None
            lanes = kernel.resident(look, self._batch.layout, self._batch.data)
            if lanes is None:
                if self._wanted is True:
                    raise UserError("bad-option", "resident=True, and the kernel needs too many registers for this")
                self._wanted = False
                return None
            self._kernels[condition] = lanes
            lanes.note_short = self._note_short
        if self.lanes is not None:
            self.lanes.leave()
        self._forget_kernel()
        self.lanes, self._condition, self.stale = self._kernels[condition], condition, True
        return self.lanes

    def _list_outputs(self) -> tuple[int, ...]:
        """Return the top module's outputs that are not words of the state, and note their places in the look."""
        batch, graph = self._batch, self._batch.design.graph
        at = 0
        for number, scope in enumerate(graph.scopes):
            for port in scope.module.ports if scope.parent < 0 else ():
                index = batch.signals.indices(number).get(port.signal.name)
                if port.direction == "input" or index is None:
                    continue
                node = batch.signals.at(number, index).node
                if node >= 0 and node not in self._look and self._word(node) < 0:
                    count = -(-int(graph.width[node]) // 64)
                    self._look[node] = _Place(first=at, count=count)
                    at += count
        return tuple(self._look)

    @property
    def _step(self) -> StepGraph:
        if self._graph is None:
            self._graph = step_graph(self._batch.design.graph)
        return self._graph

    def _word(self, node: int) -> int:
        """Return the word of the state that a node is, or -1."""
        parts = self._batch.signals.parts(node) or ()
        states = self._batch.design.graph.states
        if len(parts) != 1 or parts[0].width != states[parts[0].state].width or parts[0].width > 64:
            return -1
        return self._batch.program.places[parts[0].state]

    # ---------------------------------------------------------------------------------------------------- values

    def _place(self, path: str) -> _Place | None:
        """Return where a signal's value can be had by a command, or None."""
        if path not in self._places:
            found = self._batch.signals.find(path)
            word = self._word(found.node) if found.node >= 0 else -1
            width = found.signal.bits
            if word < 0:
                self._places[path] = self._look.get(found.node)
            else:
                parts = self._batch.signals.parts(found.node) or ()
                settles = any(settles_after(self._step, part.state) for part in parts)
                self._places[path] = _Place(word, width, settles)
        return self._places[path]

    def peek(self, path: str) -> LaneValues | None:
        """Return a signal's settled values, or None where that takes more than a command."""
        take = self._fresh.get(path)
        if take is not None:
            return take()
        lanes = self.lanes
        place = self._place(path) if lanes is not None else None
        if lanes is None or place is None:
            return None
        if self._batch.dirty:
            self.settle()
        if path not in self._looked_at:
            self._looked_at, self._next = (*self._looked_at[-_AHEAD + 1 :], path), None
        if place.word >= 0:
            return lanes.get_row(place.word)
        return _joined(lanes.look(place.first, place.count))

    def poke(self, path: str, values: Any) -> bool:
        """Set a signal in all lanes, if that is one command; say whether it was."""
        put = self._pokes.get(path)
        if put is None:
            if self.lanes is None or not self._batch.plain_runs:
                return False
            put = self._pokes[path] = self._setter(self.lanes, path)
        return put(values)

    def _setter(self, lanes: ResidentLanes, path: str) -> Callable[[Any], bool]:
        """Return what sets a signal in all lanes with the next command, and says whether it could."""
        place = self._place(path)
        if place is None or place.word < 0 or not self._batch.is_free(path):
            return lambda values: False
        batch, word, width = self._batch, place.word, place.width
        most, least, shape = (1 << width) - 1, -(1 << width >> 1), (batch.lanes,)
        kind = np.dtype(f"u{container_bytes(width)}")
        whole = width == 8 * kind.itemsize
        settles, put_value, put_row, greatest = place.settles, lanes.put_value, lanes.put_row, np.maximum.reduce

        def put(values: Any) -> bool:
            if not batch.plain_runs:
                return False
            if isinstance(values, int):
                if not least <= values <= most:
                    return False
                put_value(word, values & most)
            elif (
                isinstance(values, np.ndarray)
                and values.dtype == kind
                and values.shape == shape
                and (whole or greatest(values) <= most)
            ):
                put_row(word, values)
            elif is_on_gpu(values):
                return False
            else:
                put_row(word, check_values(path, values, width, shape, batch.device.kind))
            self._fresh = _NOTHING
            if settles:
                batch.dirty = True
            return True

        return put

    def forget(self) -> None:
        """Say that what came with the last run's answer is no longer how things are."""
        self._fresh, self._may_lack = _NOTHING, self._shares

    def _note_short(self, goes_on: bool) -> None:
        """Note that lanes have passed the limit of pages; make room if the run is to go on. Raises `no-memory`."""
        self._may_lack = True
        self._batch.state.check_pages()
        if goes_on:
            self._make_room()

    def _make_room(self) -> None:
        """Make room for what lanes write in a slot to memories that they share; raise `no-memory` if there is none."""
        problem = self._batch.state.lack_of_pages(self._batch.program)
        self._may_lack = problem is not None
        if problem is not None:
            raise problem

    def settle(self) -> bool:
        """Settle every lane after pokes, if there is a kernel; say whether there is."""
        lanes = self.lanes
        if lanes is None:
            return False
        if self._batch.dirty:
            if self._may_lack:  # lanes that may not run can still be looked at
                state = self._batch.state
                self._may_lack = state.lack_of_pages(self._batch.program) is not None
                state.check_pages()
            self._batch.dirty, self._fresh = False, _NOTHING
            if lanes.settle():
                status = lanes.status.copy()
                self._batch.note_status(status, status > 0)
        return True

    # ------------------------------------------------------------------------------------------------------ runs

    def run_cycles(self, count: int) -> NDArray[np.uint8] | None:
        """Run all lanes for some cycles and return why each stopped, or None if the kernel is to be launched."""
        lanes = self.choose("", count)
        if lanes is None:
            return None
        plan = self._next
        if plan is None or self._unused > _UNUSED:
            plan = self._plan_ahead()
        if plan.chosen != NONE:
            self._unused += 1
        return self._exchange(lanes, count, plan).copy()

    def run_until(self, lanes: ResidentLanes, most: int) -> NDArray[np.uint8]:
        """Run all lanes until the condition holds, at most for some cycles; return why each stopped."""
        self._fresh = _NOTHING
        if self._may_lack:
            self._make_room()
        try:
            stopped = lanes.run(most * self._period_fs, settle=self._batch.dirty, until=True)
        except UserError:
            self._stopped_short(lanes)
            raise
        return self._took(lanes, stopped).copy()

    def _exchange(self, lanes: ResidentLanes, count: int, plan: _Plan) -> NDArray[np.uint8]:
        """Run, and have what a plan says; return why each lane stopped, which is the batch's own."""
        self._fresh = _NOTHING
        if self._may_lack:
            self._make_room()
        if plan is not self._plan:
            lanes.subscribe(plan.words)
            self._plan = plan
        try:
            stopped = lanes.exchange(count * self._period_fs, self._batch.dirty, plan.chosen)
        except UserError:
            self._stopped_short(lanes)
            raise
        status = self._took(lanes, stopped)
        self._fresh = plan.takes
        return status

    def _stopped_short(self, lanes: ResidentLanes) -> None:
        """Note what a run has led to that lack of pages has ended; where the device is lost there is nothing."""
        if self._may_lack:
            self._took(lanes, stopped=True)

    def _took(self, lanes: ResidentLanes, stopped: bool) -> NDArray[np.uint8]:
        """Note what came of a run; return why lanes stopped, which is the batch's own."""
        batch = self._batch
        batch.dirty = False
        if not stopped:
            batch.status = status = self._no_status.copy()
            return status
        status = lanes.status.copy()
        bad = (status == LaneStatus.OSCILLATION) & ~batch.finished
        batch.note_status(status, status > 0)
        batch.status, self.stale = status, False  # the kernel has kept that itself
        if bad.any():
            batch.report_oscillation(int(np.nonzero(bad)[0][0]))
        return batch.status

    def step(self, count: int, outputs: tuple[str, ...]) -> tuple[LaneValues, ...] | None:
        """Run all lanes for some cycles and return outputs in one command, or None where it takes more."""
        lanes = self.choose("", count)
        plan = self._plans.get(outputs) or self._make_plan(outputs) if lanes is not None else None
        if lanes is None or plan is None:
            return None
        self._exchange(lanes, count, plan)
        takes = plan.takes
        return tuple([takes[path]() for path in outputs])

    def _plan_ahead(self) -> _Plan:
        """Return the plan of a run whose answer has what was looked at after the last."""
        if self._unused > _UNUSED:
            self._looked_at = tuple(path for path in self._looked_at if (self._place(path) or _Place(0)).word >= 0)
        self._unused = 0
        paths = self._looked_at
        plan = self._plans.get(paths) or self._make_plan(paths)
        assert plan is not None
        self._next = plan
        return plan

    def _make_plan(self, paths: tuple[str, ...]) -> _Plan | None:
        """Return the plan that brings some signals, or None where a command cannot do that."""
        lanes = self.lanes
        places = {path: self._place(path) for path in paths}
        known = {path: place for path, place in places.items() if place is not None}
        words = tuple(dict.fromkeys(place.word for place in known.values() if place.word >= 0))
        if lanes is None or len(known) < len(places) or len(words) > _AT_ONCE:
            return None
        if len(self._plans) >= _PLANS:
            self._plans.clear()
        rows = dict(zip(words, lanes.subscribe(words), strict=True))
        takes: dict[str, Callable[[], LaneValues]] = {}
        looked: set[int] = set()
        for path, place in known.items():
            if place.word >= 0:
                takes[path] = rows[place.word].copy
            else:
                takes[path] = self._taker(lanes, place)
                looked |= set(range(place.first, place.first + place.count))
        chosen = NONE if not looked else looked.pop() if len(looked) == 1 else EVERY
        self._plan = self._plans[paths] = _Plan(words, chosen, takes)
        return self._plan

    def _taker(self, lanes: ResidentLanes, place: _Place) -> Callable[[], LaneValues]:
        """Return what takes a signal of the look out of an answer, and notes that it was wanted."""
        rows = [lanes.output(number) for number in range(place.first, place.first + place.count)]

        def take() -> LaneValues:
            self._unused = 0
            return rows[0].copy() if len(rows) == 1 else _joined(rows)

        return take

    def take_counts(self) -> list[NDArray[np.uint32]]:
        """Return how often messages ran since the last time, in kernels that stay."""
        found = [lanes.take_counts() for lanes in self._kernels.values()]
        return [counts for counts in found if counts is not None]

    def close(self) -> None:
        """End all kernels."""
        for lanes in self._kernels.values():
            lanes.close()
        self._kernels.clear()
        self._forget_kernel()
        self.lanes = None


def _joined(words: list[LaneValues]) -> LaneValues:
    """Return a signal of 64-bit words, or the only word as it is."""
    return words[0] if len(words) == 1 else np.stack([word.astype(np.uint64) for word in words], axis=-1)
