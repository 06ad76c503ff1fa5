"""Say when a batch has a kernel that stays on its device, and let it do what the batch is asked for.

A launch, and the copies around it, cost tens of microseconds; a command to a resident kernel costs a few
(`ir.lane_engine.ResidentLanes`). So runs, whole words of the state and output ports of the top module go to it where
there is one; all else, which needs the device otherwise, makes it leave for a moment, and nobody need know. With
`resident="auto"` a batch gets one when it has been run for a few cycles often, from code that is made in the
background.

The lanes are settled after pokes only where that can change anything: where a latch, a sample or a trigger depends on
what was poked. An ordinary input of a synchronous design is seen by the next clock edge as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.base.errors import UserError
from weft.ir.lane_engine import EVERY, NONE, LaneKernel, ResidentLanes
from weft.ir.lane_program import LaneStatus
from weft.ir.layout import container_bytes
from weft.ir.step_graph import StepGraph, settles_after, step_graph
from weft.sim.lane_handles import LaneValues
from weft.sim.lane_programs import lane_look

if TYPE_CHECKING:
    from weft.sim.batch import Batch

_AHEAD, _AT_ONCE = 4, 6
"""How many words come with the answer of a run because they were looked at after the last, and how many can come."""

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


class Residency:
    """Be the resident kernel of a batch, when there is one. `wanted` is `auto`, True or False."""

    def __init__(self, batch: Batch, wanted: str | bool) -> None:
        self._batch, self._wanted = batch, wanted
        shares = batch.layout.pool is not None
        self._room = batch.device.resident_lanes() if wanted is not False and not shares else 0
        if wanted is True and batch.lanes > self._room:
            why = f"{batch.device.name} can keep a kernel for at most {self._room:,} lanes"
            if shares:
                why = "memories are shared until they are written, for whose pages a kernel that stays could not stop"
            elif not self._room:
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
        self._free: dict[str, _Place | None] = {}
        self._looked_at: tuple[int, ...] = ()
        self._fresh: dict[int, int] = {}
        self._plans: dict[tuple[str, ...], tuple[list[_Place], list[int], int]] = {}

    # -------------------------------------------------------------------------------------------- when it is there

    def choose(self, condition: str, cycles: int) -> ResidentLanes | None:
        """Return the kernel for a run of so many cycles, or None if it is to be launched."""
        if self._wanted is False or self._batch.recording or self._batch.generators:
            return None
        if self._wanted == "auto" and self.lanes is None:
            self._short_runs = self._short_runs + 1 if cycles <= _SHORT_CYCLES else 0
            if self._short_runs < _OFTEN:
                return None
        lanes = self.lanes
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
        if self.lanes is not None:
            self.lanes.leave()
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
        """Return a signal's settled values, or None where that takes more than a command.

        Words that were looked at after the last run come with the answer of the next one.
        """
        lanes = self.lanes
        if lanes is None:
            return None
        place = self._places[path] if path in self._places else self._place(path)
        if place is None:
            return None
        if self._batch.dirty:
            self.settle()
        if place.word >= 0:
            found = self._fresh.get(place.word)
            if found is not None:
                return lanes.asked_row(found, place.word)
            if place.word not in self._looked_at:
                self._looked_at = (*self._looked_at[-_AHEAD + 1 :], place.word)
            return lanes.get_row(place.word)
        words = lanes.look(place.first, place.count)
        return words[0] if len(words) == 1 else np.stack([word.astype(np.uint64) for word in words], axis=-1)

    def poke(self, path: str, values: Any) -> bool:
        """Set a signal in all lanes, if that is one command; say whether it was."""
        lanes = self.lanes
        if lanes is None or self._batch.recording:
            return False
        place = self._free[path] if path in self._free else self._free_place(path)
        if place is None:
            return False
        self.forget()
        if isinstance(values, int):
            if values < 0 or values >> place.width:
                return False
            lanes.put_value(place.word, values)
        elif isinstance(values, np.ndarray):
            item = container_bytes(place.width)
            if values.shape != (self._batch.lanes,) or values.dtype != np.dtype(f"u{item}"):
                return False
            if place.width < 8 * item and int(values.max()) >= 1 << place.width:
                return False
            lanes.put_row(place.word, np.ascontiguousarray(values))
        else:
            return False
        if place.settles:
            self._batch.dirty = True
        return True

    def _free_place(self, path: str) -> _Place | None:
        """Return the place of a signal that is a word of the state and may be set, or None."""
        place = self._place(path)
        if place is not None and (place.word < 0 or not self._batch.is_free(path)):
            place = None
        self._free[path] = place
        return place

    def forget(self) -> None:
        """Say that what came with the last run's answer is no longer how things are."""
        if self._fresh:
            self._fresh.clear()

    def settle(self) -> bool:
        """Settle every lane after pokes, if there is a kernel; say whether there is."""
        lanes = self.lanes
        if lanes is None:
            return False
        if self._batch.dirty:
            self._batch.dirty = False
            self.forget()
            if lanes.settle():
                status = lanes.status.copy()
                self._batch.note_status(status, status > 0)
        return True

    # ------------------------------------------------------------------------------------------------------ runs

    def run(self, lanes: ResidentLanes, duration_fs: int, condition: str) -> NDArray[np.uint8]:
        """Run all lanes; return why each stopped."""
        batch = self._batch
        self._fresh.clear()
        if condition:
            return self._took(lanes, lanes.run(duration_fs, settle=batch.dirty, until=True)).copy()
        words = self._looked_at
        rows = lanes.ask_rows(words)
        stopped = lanes.exchange(duration_fs, batch.dirty, NONE)
        found = self._took(lanes, stopped)
        for word, row in zip(words, rows, strict=True):
            self._fresh[word] = row
        return found.copy()

    def _took(self, lanes: ResidentLanes, stopped: bool) -> NDArray[np.uint8]:
        """Note what came of a run; return why lanes stopped, which is the batch's own."""
        batch = self._batch
        batch.dirty = False
        if not stopped:
            batch.status = np.zeros(batch.lanes, np.uint8)
            return batch.status
        status = lanes.status.copy()
        bad = (status == LaneStatus.OSCILLATION) & ~batch.finished
        batch.note_status(status, status > 0)
        batch.status, self.stale = status, False  # the kernel has kept that itself
        if bad.any():
            batch.report_oscillation(int(np.nonzero(bad)[0][0]))
        return batch.status

    def step(self, lanes: ResidentLanes, duration_fs: int, outputs: tuple[str, ...]) -> tuple[LaneValues, ...] | None:
        """Run all lanes and return outputs in one command, or None where it takes more; pokes wait until then."""
        plan = self._plans.get(outputs) or self._plan(outputs)
        if plan is None:
            return None
        known, words, chosen = plan
        if self._fresh:
            self._fresh.clear()
        rows = lanes.ask_rows(words)
        self._took(lanes, lanes.exchange(duration_fs, self._batch.dirty, chosen))
        values: list[LaneValues] = []
        for place in known:
            if place.word >= 0:
                values.append(lanes.asked_row(rows.pop(0), place.word))
            else:
                words = [lanes.output(number) for number in range(place.first, place.first + place.count)]
                values.append(words[0] if len(words) == 1 else np.stack([w.astype(np.uint64) for w in words], axis=-1))
        return tuple(values)

    def _plan(self, outputs: tuple[str, ...]) -> tuple[list[_Place], list[int], int] | None:
        """Return where some outputs are, the words of the state among them, and what to compute of the look."""
        places = [self._place(path) for path in outputs]
        known = [place for place in places if place is not None]
        words = [place.word for place in known if place.word >= 0]
        if len(known) < len(places) or len(words) > _AT_ONCE:
            return None
        looked = [place for place in known if place.word < 0]
        chosen = NONE if not looked else EVERY
        if len(looked) == 1 and looked[0].count == 1:
            chosen = looked[0].first
        self._plans[outputs] = known, words, chosen
        return self._plans[outputs]

    def take_counts(self) -> list[NDArray[np.uint32]]:
        """Return how often messages ran since the last time, in kernels that stay."""
        found = [lanes.take_counts() for lanes in self._kernels.values()]
        return [counts for counts in found if counts is not None]

    def close(self) -> None:
        """End all kernels."""
        for lanes in self._kernels.values():
            lanes.close()
        self._kernels.clear()
        self.lanes = None
