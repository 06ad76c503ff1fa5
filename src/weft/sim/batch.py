"""Many instances of one design: `simulation.batch(lanes=65_536, device="cuda")`.

Every lane begins as a copy of the simulation that the batch is made of. Ports are arrays over lanes; a run takes all
lanes forward, each by its own clock, until it is over or the lane stops. The same lane program runs on the CPU, in SIMD
lanes and threads, and on a GPU; this module is what both have in common: names, values, time, checkpoints, errors.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import UserError, WeftError
from weft.ir.lane_engine import LaneControl, LaneDevice, LaneKernel
from weft.ir.lane_program import LaneProgram, LaneStatus, LaneStep
from weft.ir.layout import StateLayout, container_bytes
from weft.passes.insert_random import LANE
from weft.sim.batch_checkpoint import BatchCheckpoint, put_back, read_checkpoint, take_checkpoint
from weft.sim.batch_options import BatchOptions, private_memories
from weft.sim.batch_profile import profile_batch
from weft.sim.batch_reports import kernel_lines, message_counts
from weft.sim.build_condition import Condition, build_condition
from weft.sim.choose_clock import ChosenClock
from weft.sim.compile_kernels import compile_kernels
from weft.sim.compiled_design import CompiledDesign
from weft.sim.drive_batch import DrivenBatch
from weft.sim.interrupts import Interrupt, defer_interrupt
from weft.sim.lane_arrays import take_array
from weft.sim.lane_habits import LaneHabits
from weft.sim.lane_handles import LaneMemory, LaneSignal, LaneValues, check_values, pick_lanes
from weft.sim.lane_pages import paged_states
from weft.sim.lane_programs import lane_look, lane_program
from weft.sim.lane_slots import FIRST_SLICE, fit_slice, slice_slots, slot_clock
from weft.sim.lane_state import LaneState
from weft.sim.lane_stepper import LaneStepper
from weft.sim.residency import Residency
from weft.sim.signal_map import Found, Part, SignalMap
from weft.sim.stimulus.lane_simulation import LaneSimulation

_ENDED = (LaneStatus.FINISH, LaneStatus.FATAL, LaneStatus.OSCILLATION)
_Built = tuple[LaneProgram, LaneKernel]


class Batch(DrivenBatch):
    """Be many instances of a design. Make one with `Simulation.batch`."""

    def __init__(
        self,
        design: CompiledDesign,
        layout: StateLayout,
        state: NDArray[np.uint8],
        clocks: Sequence[ChosenClock],
        device: LaneDevice,
        options: BatchOptions,
        replay: Callable[[bytes, bool], LaneSimulation],
    ) -> None:
        self.design, self.lanes, self.device, self.options = design, options.lanes, device, options
        self.clocks = tuple(clocks)
        self.signals = SignalMap(design.graph)
        self._replay = replay
        self._private = private_memories(self.signals, self.design.graph.states, options.private)
        self.kernels: dict[tuple[str, bool, bool, Any], tuple[LaneProgram, LaneKernel]] = {}
        self._begin_driving()
        self._habits = LaneHabits()
        self._slots = FIRST_SLICE
        self._conditions: dict[str, Condition] = {}
        self._looks: dict[tuple[int, tuple[int, ...]], LaneStep] = {}
        self._paged: frozenset[int] = frozenset()
        self.program = self._build("", False)[0]
        self._paged = paged_states(self.program, options.share_memories, self._private, self.lanes, device)
        if self._paged:
            self.kernels.clear()
            self.program = self._build("", False)[0]
        self.state = LaneState(self.program, layout, device, self.lanes, options.pool_bytes)
        self.layout, self.data = self.state.layout, self.state.data
        self._control = LaneControl(self.layout.stride, len(self.program.messages))
        self._end = np.zeros(self.lanes, np.uint8)  # the status of lanes that have ended for good
        self.status: NDArray[np.uint8] = np.zeros(self.lanes, np.uint8)
        self._time = next(i for i, s in enumerate(design.graph.states) if s.kind == "time")
        self.dirty = False  # something was set since the lanes were settled
        self.state.spread(state)
        self.residency = Residency(self, options.resident)

    def __len__(self) -> int:
        return self.lanes

    def __repr__(self) -> str:
        return f"<batch of {self.lanes} lanes of {self.design.tops[0]} on {self.device.kind}>"

    # ---------------------------------------------------------------------------------------------- programs

    def _choose(self, condition: str, steady: bool) -> tuple[LaneProgram, LaneKernel]:
        """Return the best program and kernel for a run that there are."""
        if self._habits.found and (steady or not self._steady_resets()):
            better = self._build(condition, steady, True)
            better[1].begin()
            if better[1].ready:
                return better
        return self._build(condition, steady)

    def _build(self, condition: str, steady: bool, habits: bool = False, still: bool = False) -> _Built:
        """Return the program and kernel of a run: with a condition, for inactive resets, not driven if `still`."""
        key = (condition, steady, habits, None if still else self._key)
        if key not in self.kernels:
            try:
                program = lane_program(
                    self.design,
                    [chosen.clock for chosen in self.clocks],
                    steady=self._steady_resets() if steady else None,
                    until=condition,
                    condition=self._conditions.get(condition),
                    private=self._private,
                    count_messages=self.options.messages == "count",
                    habits=self._habits.found if habits else None,
                    drive=None if still else self._plan,
                    paged=self._paged,
                )
            except WeftError as error:
                error.sources = error.sources or self.design.sources
                raise
            self.kernels[key] = program, self.device.kernel(program)
        return self.kernels[key]

    def _steady_resets(self) -> dict[int, int]:
        """Return the value of each reset (and its unknown plane) while it is not active, but for those driven."""
        steady: dict[int, int] = {}
        driven = self._driven
        for reset in self.design.clocks.resets:
            if reset.state in driven:
                continue
            steady[reset.state] = int(reset.active_low)
            twin = self.design.graph.states[reset.state].twin
            if twin >= 0:
                steady[twin] = 0
        return steady

    def _resets_rest(self) -> bool:
        """Say whether every reset is inactive in every lane, so that the code without resets will do."""
        steady = self._steady_resets()
        if not steady:
            return False
        places = self.program.places
        return all(bool((self.state.word_row(places[state]) == value).all()) for state, value in steady.items())

    # ------------------------------------------------------------------------------------------------- state

    def number_lanes(self) -> None:
        """Tell each lane its number, if `passes.insert_random` makes values of it."""
        state = next((number for number, each in enumerate(self.design.graph.states) if each.name == LANE), -1)
        if state >= 0:
            self.state.set_row(self.program.places[state], np.arange(self.lanes))
            self.dirty = True

    def settle(self) -> None:
        """Settle every lane after pokes, at its present time."""
        if not self.dirty or self.residency.settle():
            return
        self.dirty = False
        self._control.status[:] = 0
        self._build("", False, still=True)[1].settle(self.layout, self.data, self._control)
        self.state.check_pages()
        self._control.status[self._control.status == LaneStatus.PAGES] = 0
        self._take_status(self._control.status[: self.lanes] > 0)

    def get(self, found: Found, unknown: bool = False) -> LaneValues:
        """Return a signal's settled values in all lanes, or its plane of unknown bits."""
        self.settle()
        if found.memory >= 0:
            raise UserError("unknown-signal", f"'{found.signal.name}' is a memory: use memory('{found.signal.name}')")
        node = found.unknown if unknown else found.node
        words = self._look(self.design.graph, (node,))
        width = int(self.design.graph.width[node])
        return words[0] if width <= 64 else np.stack([word.astype(np.uint64) for word in words], axis=-1)

    def _look(self, graph: Any, nodes: tuple[int, ...]) -> list[LaneValues]:
        """Return the words of some nodes in all lanes; nodes that are whole words of the state are copied."""
        key = (id(graph), nodes)
        step = self._looks.get(key)
        if step is None:
            step = self._looks[key] = lane_look(self.program, graph, nodes)
        outputs = [action.nodes[0] for action in step.actions]
        if all(step.op[node] == 1 for node in outputs):
            return [self.state.word_row(step.param[node]).copy() for node in outputs]
        _, kernel = self._build("", False, still=True)
        rows = kernel.look(step, self.layout, self.data, [step.width[node] for node in outputs])
        return [row[: self.lanes] for row in rows]

    def put(self, path: str, found: Found, lanes: Any, values: Any) -> None:
        """Set an input or variable in some lanes."""
        self.residency.forget()
        parts = self._parts(path, found)
        if self._record is None and lanes == slice(None) and take_array(self, found, values):
            self.dirty = True
            return
        chosen = pick_lanes(self.lanes, lanes, f"'{path}'")
        data = check_values(path, values, found.signal.bits, chosen.shape, self.device.kind)
        self._note_poke(found, chosen, data)
        for part in parts:
            self.state.put_part(part, chosen, data, found.signal.bits > 64)
        self.dirty = True

    def is_free(self, path: str) -> bool:
        """Say whether a signal is one word of the state that may be set, and known if it is."""
        found = self._signal(path)
        (part,) = self._parts(path, found)
        return self.design.graph.states[part.state].twin < 0

    def _parts(self, path: str, found: Found) -> tuple[Part, ...]:
        parts = self.signals.parts(found.node) if found.node >= 0 else None
        scope = self.design.graph.scopes[found.scope]
        is_input = any(port.signal is found.signal and port.direction != "output" for port in scope.module.ports)
        if parts is None or not (scope.parent < 0 if is_input else not found.signal.net):
            raise UserError("read-only", f"'{path}' is driven by the design, so it cannot be set")
        return parts

    def row(self, path: str, found: Found) -> Any:
        """Return the row of a signal that is one whole word of the state, without a copy."""
        parts = self.signals.parts(found.node) if found.node >= 0 else None
        states = self.design.graph.states
        if parts is None or len(parts) != 1 or parts[0].width != states[parts[0].state].width or parts[0].width > 64:
            raise UserError("bad-lanes", f"'{path}' is not one word of the state: read it with batch['{path}'][:]")
        self.settle()
        self._note_shared(path, found)
        self.dirty = True
        self.residency.forget()
        word = self.program.places[parts[0].state]
        item = container_bytes(self.program.words[word].width)
        return self.data.array_at(self.layout.rows[word], self.lanes, f"u{item}")

    # ----------------------------------------------------------------------------------------------- signals

    def __getitem__(self, path: str) -> LaneSignal:
        """Return a signal in all lanes."""
        return LaneSignal(self, path, self._signal(path))

    def __setitem__(self, path: str, values: Any) -> None:
        """Set a signal in all lanes."""
        self.poke(path, values)

    def _signal(self, path: str) -> Found:
        found = self.signals.find(path)
        if found.memory >= 0:
            raise UserError("unknown-signal", f"'{path}' is a memory: use memory('{path}')")
        return found

    def peek(self, path: str) -> LaneValues:
        """Return a signal's settled values, one for each lane."""
        values = self.residency.peek(path)
        return values if values is not None else self.get(self._signal(path))

    def poke(self, path: str, values: Any) -> None:
        """Set an input or a register in all lanes: an int, or an array over lanes."""
        if not self.residency.poke(path, values):
            self.put(path, self._signal(path), slice(None), values)

    def memory(self, path: str, lanes: Any = None) -> LaneMemory:
        """Return a memory in some lanes (all by default), as an array `[lane, element]`."""
        found = self.signals.find(path)
        if found.memory < 0:
            raise UserError("unknown-signal", f"'{path}' is not kept as a memory: use peek('{path}')")
        every = slice(None) if lanes is None else lanes
        return LaneMemory(self, path, found, pick_lanes(self.lanes, every, f"memory '{path}'"))

    def get_elements(self, found: Found, lanes: NDArray[np.int64], elements: NDArray[np.int64]) -> LaneValues:
        """Return `[lane, element]` of a memory; elements of more than 64 bits have a third axis of words."""
        self.settle()
        planes = self.state.planes(found.memory)
        values = [self.state.plane_elements(plane, lanes, elements) for plane in planes]
        return values[0] if len(values) == 1 else np.stack([value.astype(np.uint64) for value in values], axis=-1)

    def put_elements(
        self, path: str, found: Found, lanes: NDArray[np.int64], elements: NDArray[np.int64], values: NDArray[Any]
    ) -> None:
        """Set `[lane, element]` of a memory."""
        width = self.design.graph.states[found.memory].width
        data = check_values(path, values, width, (len(lanes), len(elements)), self.device.kind)
        self._note_poke(found, lanes, data, elements)
        self.residency.forget()
        twin = self.design.graph.states[found.memory].twin
        for word, plane in enumerate(self.state.planes(found.memory)):
            self.state.put_plane(path, plane, lanes, elements, data[..., word] if width > 64 else data)
            if twin >= 0:
                zeros = np.zeros((len(lanes), len(elements)), data.dtype)
                self.state.put_plane(path, self.program.places[twin] + word, lanes, elements, zeros)
        self.dirty = True

    # -------------------------------------------------------------------------------------------------- time

    @property
    def time_fs(self) -> NDArray[np.uint64]:
        """Return each lane's time in femtoseconds."""
        return self.state.word_row(self.program.places[self._time]).astype(np.uint64)

    @property
    def finished(self) -> NDArray[np.bool_]:
        """Say for each lane whether it has ended for good: `$finish`, `$fatal`, or an oscillation."""
        return self._end > 0

    @property
    def messages(self) -> dict[str, NDArray[np.uint32]]:
        """Return how often each message ran in each lane, by task and place; only with `messages="count"`."""
        for counts in self.residency.take_counts():
            self._control.counts += counts
        return message_counts(self.design, self.program, self._control.counts[:, : self.lanes])

    def run_cycles(self, count: int) -> NDArray[np.uint8]:
        """Advance every lane by clock cycles; return why each stopped (`LaneStatus`)."""
        if not self.clocks:
            raise UserError("ambiguous-clock", "the design has no clock to run cycles of; name one with clock=")
        status = self.residency.run_cycles(count)
        return self._run(count * self.clocks[0].clock.period_fs) if status is None else status

    def stepper(self, inputs: Sequence[str], outputs: Sequence[str], cycles: int = 1) -> LaneStepper:
        """Return a function that sets inputs, runs some cycles and returns outputs, in one call."""
        return LaneStepper(self, tuple(inputs), tuple(outputs), cycles)

    def run_until(self, condition: str, max_cycles: int) -> NDArray[np.uint8]:
        """Advance every lane until an expression holds in it, at most `max_cycles`; return why each stopped.

        A lane in which it holds already does not move. Lanes that have stopped cost nothing more.
        """
        if not self.clocks:
            raise UserError("ambiguous-clock", "the design has no clock, so nothing will change; name one with clock=")
        self._find_condition(condition)
        resident = self.residency.choose(condition, max_cycles)
        if resident is not None:
            return self.residency.run_until(resident, max_cycles)
        return self._run(max_cycles * self.clocks[0].clock.period_fs, condition, self._holds(condition))

    def _find_condition(self, condition: str) -> Condition:
        if condition not in self._conditions:
            self._conditions[condition] = build_condition(condition, self.signals)
        return self._conditions[condition]

    def _holds(self, condition: str) -> NDArray[np.bool_]:
        """Say in which lanes a condition holds."""
        found = self._find_condition(condition)
        self.settle()
        (holds,) = self._look(found.graph, (found.node,))
        return holds.astype(np.bool_)

    def _advance(
        self,
        duration_fs: Any,
        condition: str,
        holds: NDArray[np.bool_] | None = None,
        keep: NDArray[np.bool_] | None = None,
        raises: bool = True,
    ) -> NDArray[np.uint8]:
        """Run the lanes that have not ended, in slices, and note their times; the status of those in `keep` stays.

        Ctrl-C ends it after a slice.
        """
        self.settle()
        self.residency.forget()
        with defer_interrupt() as interrupt:
            return self._slice(duration_fs, condition, holds, keep, raises, interrupt)

    def _slice(
        self,
        duration_fs: Any,
        condition: str,
        holds: NDArray[np.bool_] | None,
        keep: NDArray[np.bool_] | None,
        raises: bool,
        interrupt: Interrupt,
    ) -> NDArray[np.uint8]:
        steady = self._resets_rest()
        program, kernel = self._choose(condition, steady)
        clock, control, lanes = slot_clock(program), self._control, self.lanes
        now = self.time_fs
        until = now + np.asarray(duration_fs, np.uint64)
        goes = self._end == 0 if holds is None else (self._end == 0) & ~holds
        kept = self.status
        if keep is not None:
            goes = goes & ~keep
        last = np.where(goes, clock.last(now, until), np.uint64(0))
        first = np.where(goes, clock.first(now), np.uint64(0))
        self.status = self._end.copy()
        if holds is not None:
            self.status[holds] = LaneStatus.CONDITION
        if keep is not None:
            self.status[keep] = kept[keep]
        done, begin = last.copy(), first
        at, end = int(first[goes].min()) if goes.any() else 0, int(last.max())
        slots = slice_slots(self.device.kind, self.layout.stride, self._slots, self.options.max_steps)
        problem: UserError | None = None
        while at < end and not interrupt.pending:
            problem = self.state.lack_of_pages(program)
            if problem is not None:
                break
            at = min(at + slots, end)
            control.first[:lanes], control.last[:lanes] = first, np.minimum(last, np.uint64(at))
            control.first[:lanes] = np.minimum(control.first[:lanes], control.last[:lanes])
            control.status[:] = 0
            if at >= slots and (steady or not self._steady_resets()):
                self._habits.notice(self)
                program, kernel = self._choose(condition, steady)
            began = time.perf_counter()
            kernel.run(self._run_layout, self.data, control)
            self._slots = fit_slice(self._slots, time.perf_counter() - began)
            slots = slice_slots(self.device.kind, self.layout.stride, self._slots, self.options.max_steps)
            short = control.status[:lanes] == LaneStatus.PAGES
            control.status[:lanes][short] = 0
            stopped = control.status[:lanes] > 0
            done[stopped] = control.done[:lanes][stopped]
            self._take_status(stopped)
            last[stopped] = 0
            reached = np.where(short, control.done[:lanes], np.minimum(last, np.uint64(at)))
            first = np.maximum(first, reached)
            at = min([at, *first[short & (first < last)].tolist()])
            end = min(end, int(last.max()))
        self.state.check_pages()
        done = np.where(goes & (self.status == 0) & (last > first), first, done)
        early = goes & ((self.status > 0) | (last > first))
        times = np.where(goes & (self.status == 0), until, now)
        times[early] = np.where(begin < done, clock.times(now, done), now)[early]
        self.state.set_row(self.program.places[self._time], times)
        if problem is not None:
            raise problem
        if raises and (self.status[goes] == LaneStatus.OSCILLATION).any():
            self.report_oscillation(int(np.nonzero(goes & (self.status == LaneStatus.OSCILLATION))[0][0]))
        return self.status.copy()

    def report_oscillation(self, lane: int) -> None:
        """Raise that a lane does not settle."""
        at_fs = int(self.time_fs[lane])
        raise UserError("no-convergence", f"lane {lane} does not settle at {at_fs} fs: a zero-delay oscillation")

    def _take_status(self, stopped: NDArray[np.bool_]) -> None:
        """Note the status of lanes that have stopped."""
        if stopped.any():
            self.note_status(self._control.status[: self.lanes], stopped)

    def note_status(self, status: NDArray[np.uint8], stopped: NDArray[np.bool_]) -> None:
        """Note the status of lanes that have stopped, for good or not."""
        self.status[stopped] = status[stopped]
        ended = stopped & np.isin(self.status, _ENDED)
        if ended.any():
            self._end[ended] = self.status[ended]
            self.residency.stale = True

    def ended_row(self) -> NDArray[np.uint8]:
        """Return why lanes have ended for good, with room for those that a row is padded with."""
        row = np.zeros(self.layout.stride, np.uint8)
        row[: self.lanes] = self._end
        return row

    def build(self, condition: str, steady: bool | None = False) -> tuple[LaneProgram, LaneKernel]:
        """Return the program and kernel of a run with a condition: for any resets, at rest, or (None) as they are."""
        return self._build(condition, self._resets_rest() if steady is None else steady)

    def kernel_report(self) -> list[str]:
        """Return what each GPU kernel of a run that was made takes: registers, local memory, occupancy."""
        return kernel_lines(self.kernels)

    profile = profile_batch
    compile = compile_kernels

    # ------------------------------------------------------------------------------ single lanes, checkpoints

    def lane_state(self, lane: int) -> NDArray[np.uint8]:
        """Return the state of one lane as a simulation keeps it."""
        self._check_lane(lane)
        self.settle()
        return self.state.extract(lane)

    def lane(self, lane: int) -> LaneSimulation:
        """Return a `Simulation` that goes on from the state of one lane, to look at it, trace it or run it.

        Inputs that generators drive are driven in it as in the batch.
        """
        return self._alone(lane, self.lane_state(lane))

    def _replay_lane(self, state: NDArray[np.uint8], finished: bool) -> LaneSimulation:
        return self._replay(state.tobytes(), finished)

    def _check_lane(self, lane: int) -> None:
        if not 0 <= lane < self.lanes:
            raise UserError("bad-lanes", f"there is no lane {lane}: the batch has lanes 0 to {self.lanes - 1}")

    def checkpoint(self, keep: str = "host") -> BatchCheckpoint:
        """Return a copy of everything that the lanes remember, for `restore`.

        The host keeps it, so that it outlives a GPU that fails; with `keep="device"` it stays there, which is faster.
        """
        return take_checkpoint(self, keep)

    def restore(self, checkpoint: BatchCheckpoint) -> None:
        """Go back to a checkpoint of this batch, or on from one of another batch of the same design and lanes."""
        self.residency.forget()
        put_back(self, checkpoint)
        self.status, self._end = checkpoint.status.copy(), checkpoint.end.copy()
        self.dirty, self.residency.stale = False, True
        if self.recording:
            self.record()

    def load(self, path: str | Path) -> None:
        """Go on from a checkpoint that `BatchCheckpoint.save` has written."""
        self.restore(read_checkpoint(path))

    def fork(self, lane: int, into: Any) -> None:
        """Copy the state of one lane into others: a lane, a range, a slice or an array of them.

        Each keeps its number: its random inputs.
        """
        self._check_lane(lane)
        self.settle()
        chosen = pick_lanes(self.lanes, into, "fork")
        self._note_fork(lane, chosen)
        self.state.copy_lane(lane, chosen)
        self.number_lanes()
        self.residency.forget()
        self.status[chosen], self._end[chosen] = self.status[lane], self._end[lane]
        self.residency.stale = True
