"""Drive a cone-graph program: time, clocks, effects, conditions, watches, forces, checkpoints.

The program runs many cycles per call and returns only when something must be looked at (`ir.program.Status`). Pokes
are lazy: they mark the state dirty, and the next look or run settles it. Ctrl-C sets the program's interrupt flag, so
that a run ends at a settled time and the state stays usable.
"""

from __future__ import annotations

import signal as signals_module
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from weft.base.dataclass import dataclass, replace
from weft.base.errors import InternalError, Unsupported, UserError
from weft.ir.program import Clock, Hook, Program, RunResult, StateArray, Status
from weft.passes.insert_forces import ForcePoint, find_force_point
from weft.sim.build_condition import Condition, build_change
from weft.sim.compiled_design import CompiledDesign
from weft.sim.engine import Checkpoint, Planes, Stop
from weft.sim.initial_storage import read_parts, write_parts
from weft.sim.run_effects import EffectRunner, Outcome
from weft.sim.signal_map import Found, SignalMap
from weft.sim.unknown_values import bits, planes

WATCH_WORDS = 1024
"""How many 64-bit words of watched values a simulation can remember."""


@dataclass(slots=True)
class _Watch:
    found: Found
    callback: Callable[[Planes], None]
    hook: Hook
    first: int
    words: int
    last: Planes


class CycleEngine:
    """Implement `weft.sim.engine.Engine` on a cone-graph program."""

    def __init__(self, design: CompiledDesign, program: Program, state: StateArray, effects: EffectRunner) -> None:
        self.design, self.program, self.state, self.effects = design, program, state, effects
        self.signals = SignalMap(design.graph)
        self.clocks: tuple[Clock, ...] = ()
        self.dirty = False
        self._twins = [s.twin if s.plane == "value" else -1 for s in design.graph.states]
        self._time = next(i for i, s in enumerate(design.graph.states) if s.kind == "time")
        self._watches: dict[int, _Watch] = {}
        self._next_watch = 1
        self._force_points: dict[str, ForcePoint] = {}
        self._conditions: dict[int, tuple[Condition, Hook]] = {}
        self._traces: dict[int, tuple[Hook, Callable[[], None], Callable[[], None]]] = {}
        self._interrupted = self._stop = False

    @property
    def outcome(self) -> Outcome:
        """Return what the design has said about itself."""
        return self.effects.outcome

    @property
    def time_fs(self) -> int:
        """Return the present time in femtoseconds."""
        return self.program.layout.read(self.state, self._time)

    # ------------------------------------------------------------------------------------------------- values

    def get(self, signal: Found) -> Planes:
        """Return a signal's settled value; an array's is the vector of its elements."""
        self.settle()
        if signal.memory >= 0:
            raise InternalError(f"{signal.signal.name} is a memory")
        parts = self.signals.parts(signal.node)
        if parts is not None:
            twins = tuple(self._twins[part.state] for part in parts)
            return planes(read_parts(self.program.layout, self.state, parts, twins))
        nodes = [signal.node] if signal.unknown < 0 else [signal.node, signal.unknown]
        values = self.evaluate(nodes)
        return (values[0], values[1]) if len(values) > 1 else (values[0], 0)

    def set(self, signal: Found, value: Planes) -> None:
        """Set an input or variable."""
        parts = self.signals.parts(signal.node) if signal.node >= 0 else None
        if parts is None or not self.settable(signal):
            raise UserError("read-only", f"'{self.full_path(signal)}' is driven by the design: force it instead")
        twins = tuple(self._twins[part.state] for part in parts)
        write_parts(self.program.layout, self.state, parts, twins, bits(*value))
        self.dirty = True

    def settable(self, signal: Found) -> bool:
        """Say whether `set` may write a signal: inputs of the top, and variables that are registers or latches."""
        scope = self.design.graph.scopes[signal.scope]
        is_input = any(port.signal is signal.signal and port.direction != "output" for port in scope.module.ports)
        if is_input:
            return scope.parent < 0
        return not signal.signal.net and self.signals.parts(signal.node) is not None

    def force(self, signal: Found, value: Planes) -> None:
        """Hold a signal at a value; the design must have been compiled with this signal forceable."""
        point = self._force_point(signal)
        self._write_state(point.value, value)
        self._write_state(point.enable, (1, 0))
        self.dirty = True
        self.settle()

    def release(self, signal: Found) -> None:
        """End a force; a variable keeps the forced value until its next assignment (IEEE 1800-2023 10.6.2)."""
        if not self.forceable(signal):
            return
        point = self._force_point(signal)
        if not self.program.layout.read(self.state, point.enable):
            return
        parts = self.signals.parts(point.driven)
        if parts is not None and not signal.signal.net:
            twins = tuple(self._twins[part.state] for part in parts)
            write_parts(self.program.layout, self.state, parts, twins, bits(*self.get(signal)))
        self._write_state(point.enable, (0, 0))
        self.dirty = True
        self.settle()

    def forceable(self, signal: Found) -> bool:
        """Say whether the design was compiled so that `force` can hold this signal."""
        return self.full_path(signal) in self.design.forced

    def full_path(self, signal: Found) -> str:
        """Return a signal's path, the top's name first."""
        return f"{self.design.graph.scopes[signal.scope].path}.{signal.signal.name}"

    def _force_point(self, signal: Found) -> ForcePoint:
        path = self.full_path(signal)
        if path not in self._force_points:
            point = find_force_point(self.design.graph, path)
            if point is None:
                raise InternalError(f"'{path}' was made forceable and has no force point")
            self._force_points[path] = point
        return self._force_points[path]

    def _write_state(self, number: int, value: Planes) -> None:
        """Set a whole scalar state."""
        self.program.layout.write(self.state, number, value[0] if self._twins[number] >= 0 else value[0] & ~value[1])
        if self._twins[number] >= 0:
            self.program.layout.write(self.state, self._twins[number], value[1])

    def replace(self, design: CompiledDesign, program: Program) -> None:
        """Go on with the same design compiled anew (with more signals forceable), from the present state."""
        if self._traces:
            raise Unsupported("making a signal forceable while a trace is open (name it in forceable=)")
        self.settle()
        watched = [(watch, self.full_path(watch.found)) for watch in self._watches.values()]
        state = copy_states(self.design, self.program, self.state, design, program)
        self.design, self.program, self.state = design, program, state
        self.signals = SignalMap(design.graph)
        self._twins = [s.twin if s.plane == "value" else -1 for s in design.graph.states]
        self._time = next(i for i, s in enumerate(design.graph.states) if s.kind == "time")
        self._force_points, self._conditions = {}, {}
        self.effects.use_graph(design.graph)
        for watch, path in watched:
            watch.found = self.signals.find(path)
            watch.hook = self._change_hook(watch.found, watch.first)
            self._remember(watch, watch.last)

    def evaluate(self, nodes: Sequence[int]) -> list[int]:
        """Compute nodes of the design's graph at the present state."""
        return self.program.evaluate(self.state, self.design.graph, nodes)

    # --------------------------------------------------------------------------------------------------- time

    def settle(self) -> None:
        """Settle after pokes, at the present time."""
        if not self.dirty:
            return
        self.dirty = False
        result = self.program.settle(self.state)
        self._look(result)
        for _, _, sample in self._traces.values():
            sample()
        self._call_watches()

    def step(self) -> Stop:
        """Settle pokes, then advance to the next clock edge, if there are clocks, and settle."""
        self.settle()
        edges = [edge for clock in self.clocks for edge in _next_edges(clock, self.time_fs)]
        return self.run_until(min(edges)) if edges else self._reason(False)

    def run_until(self, time_fs: int, condition: Condition | None = None) -> Stop:
        """Advance to a time, or until a condition holds at a settled time."""
        self._stop = False
        self.outcome.stopped = False
        self.settle()
        if self.outcome.finished:
            return Stop.FINISH
        stop_hooks = [self._condition_hook(condition)] if condition is not None else []
        with self._interruptible():
            while True:
                traces = list(self._traces.values())
                hooks = [hook for hook, _, _ in traces] + stop_hooks
                hooks += [watch.hook for watch in self._watches.values()]
                for _, drain, _ in traces:
                    drain()
                result = self.program.run(self.state, self.clocks, time_fs, hooks)
                self._look(result)
                held = bool(stop_hooks) and result.hook == len(traces)
                if 0 <= result.hook < len(traces):
                    # Only the first hook that stopped is told; the condition may have held too.
                    held = condition is not None and self.holds(condition)
                if self._watches:
                    self._call_watches()
                self.settle()
                if self._interrupted or held or self._stop or self.outcome.finished or self.outcome.stopped:
                    return self._reason(held)
                if result.status == Status.DONE:
                    return Stop.TIME

    def stop(self) -> None:
        """Make the run in progress return at the next settled time."""
        self._stop = True
        self.program.interrupt()

    def _reason(self, held: bool) -> Stop:
        if self.outcome.finished:
            return Stop.FINISH
        if held:
            return Stop.CONDITION
        return Stop.STOP if self._stop or self.outcome.stopped else Stop.TIME

    def _look(self, result: RunResult) -> None:
        """Perform a result's effects, and raise what went wrong."""
        if result.effects:
            self.effects.run(result.effects)
        if result.status == Status.OSCILLATION:
            at = f"{result.time_fs} fs"
            raise UserError("no-convergence", f"the design does not settle at {at}: a zero-delay oscillation")

    @contextmanager
    def _interruptible(self) -> Generator[None]:
        """Turn Ctrl-C into an interrupt of the program, and raise KeyboardInterrupt when the run has ended."""
        self._interrupted = False
        main = threading.current_thread() is threading.main_thread()
        if not main or signals_module.getsignal(signals_module.SIGINT) is not signals_module.default_int_handler:
            yield
            return

        def interrupt(number: int, frame: FrameType | None) -> None:
            self._interrupted = True
            self.program.interrupt()

        before: Any = signals_module.signal(signals_module.SIGINT, interrupt)
        try:
            yield
        finally:
            signals_module.signal(signals_module.SIGINT, before)
        if self._interrupted:
            raise KeyboardInterrupt

    # --------------------------------------------------------------------------------- conditions and watches

    def _condition_hook(self, condition: Condition) -> Hook:
        """Return the compiled form of a condition, made once."""
        found = self._conditions.get(id(condition))
        if found is None:
            found = (condition, self.program.condition_hook(condition.graph, condition.node))
            self._conditions[id(condition)] = found
        return found[1]

    def holds(self, condition: Condition) -> bool:
        """Say whether a condition holds now."""
        self.settle()
        return bool(self.program.evaluate(self.state, condition.graph, [condition.node])[0])

    def add_trace(self, hook: Hook, drain: Callable[[], None], sample: Callable[[], None]) -> int:
        """Run a trace's hook at each settled time, `drain` before each run, `sample` when pokes have settled.

        When the hook stops a run, the trace wants `drain` to be called before it goes on.
        """
        number = self._next_watch
        self._next_watch += 1
        self._traces[number] = (hook, drain, sample)
        return number

    def remove_trace(self, number: int) -> None:
        """End `add_trace`."""
        self._traces.pop(number, None)

    def watch(self, signal: Found, callback: Callable[[Planes], None]) -> int:
        """Call `callback` each time a signal has changed at a settled time."""
        planes_count = 1 if signal.unknown < 0 else 2
        words = planes_count * -(-signal.signal.bits // 64)
        first = self._free_words(words)
        last = self.get(signal)
        hook = self._change_hook(signal, first)
        number = self._next_watch
        self._next_watch += 1
        self._watches[number] = watch = _Watch(signal, callback, hook, first, words, last)
        self._remember(watch, last)
        return number

    def _change_hook(self, signal: Found, first: int) -> Hook:
        """Compile the test whether a signal differs from what is remembered of it."""
        condition = build_change(signal, self.signals, self.design.watch_memory, first)
        return self.program.condition_hook(condition.graph, condition.node)

    def unwatch(self, number: int) -> None:
        """End a watch."""
        self._watches.pop(number, None)

    def _free_words(self, words: int) -> int:
        at = 0
        for watch in sorted(self._watches.values(), key=lambda watch: watch.first):
            if watch.first - at >= words:
                return at
            at = watch.first + watch.words
        if at + words > WATCH_WORDS:
            raise Unsupported(f"watching more than {64 * WATCH_WORDS} bits at once")
        return at

    def _remember(self, watch: _Watch, value: Planes) -> None:
        """Store the value that the compiled change detector compares with."""
        watch.last = value
        view = self.program.layout.view(self.state, self.design.watch_memory)
        per_plane = -(-watch.found.signal.bits // 64)
        for plane in range(watch.words // per_plane):
            for word in range(per_plane):
                view[watch.first + plane * per_plane + word] = value[plane] >> 64 * word & (1 << 64) - 1

    def _call_watches(self) -> None:
        """Call back every watch whose signal has changed."""
        for watch in list(self._watches.values()):
            value = self.get(watch.found)
            if value != watch.last:
                self._remember(watch, value)
                watch.callback(value)

    # -------------------------------------------------------------------------------------------- checkpoints

    def checkpoint(self) -> Checkpoint:
        """Return a copy of everything that the design remembers."""
        self.settle()
        return Checkpoint(self.design.digest, self.time_fs, self.state.tobytes(), replace(self.outcome))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to a checkpoint of the same design."""
        if len(checkpoint.state) != len(self.state) or checkpoint.design != self.design.digest:
            raise UserError("bad-state-file", "the checkpoint belongs to another design")
        self.state.data.cast("B")[:] = checkpoint.state
        self.effects.outcome = replace(checkpoint.outcome)
        self.dirty = False
        for watch in self._watches.values():
            self._remember(watch, self.get(watch.found))


def copy_states(
    old: CompiledDesign, old_program: Program, old_array: StateArray, new: CompiledDesign, new_program: Program
) -> StateArray:
    """Return a state array for a design that has the states of another one and more, which begin as 0."""
    array = new_program.layout.allocate()
    source = {(s.name, s.plane, s.width, s.depth): old_program.layout.slots[i] for i, s in enumerate(old.graph.states)}
    for slot, state in zip(new_program.layout.slots, new.graph.states, strict=True):
        before = source.get((state.name, state.plane, state.width, state.depth))
        if before is not None:
            size = slot.stride * max(slot.depth, 1)
            array[slot.offset : slot.offset + size] = old_array[before.offset : before.offset + size]
    return array


def _next_edges(clock: Clock, now: int) -> Sequence[int]:
    """Return the first times after `now` at which a clock rises and falls."""
    return [
        first + max(0, (now - first) // clock.period_fs + 1) * clock.period_fs
        for first in (clock.rise_fs, clock.fall_fs)
    ]
