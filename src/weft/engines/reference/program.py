"""Run a cone graph in plain Python: the steps of `ir.cone_graph` and the run loop of `ir.program`, word for word.

Nothing here is clever, so that it can be read as the definition. Each step evaluates every trigger, enable, value and
argument from the present state, reports effects, then commits. Speed is about a million nodes a second.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from weft.base.errors import InternalError
from weft.engines.reference.cone import Cone
from weft.ir.cone_graph import SETTLE, STEP_LIMIT, ConeGraph
from weft.ir.layout import StateLayout, container_bytes, place_state
from weft.ir.ops import mask
from weft.ir.program import STOPPING_TASKS, Clock, Hook, RunResult, StateArray, Status

_HOOK_TYPE = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


class ReferenceHook:
    """Be a hook whose C function is a Python callback, so that any engine's run loop can call it."""

    def __init__(self, holds: Callable[[StateArray], bool], size: int) -> None:
        def call(state: int, memories: int, context: int) -> int:
            return int(holds(np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(state))))

        self._callback = _HOOK_TYPE(call)

    @property
    def address(self) -> int:
        """Return the C address of the callback; it lives as long as this object."""
        return ctypes.cast(self._callback, ctypes.c_void_p).value or 0

    @property
    def context(self) -> int:
        """Return 0: the callback knows all it needs."""
        return 0


class ReferenceProgram:
    """Implement `weft.ir.program.Program` in Python."""

    def __init__(self, graph: ConeGraph) -> None:
        if graph.four_state:
            raise InternalError("the reference engine runs 2-state graphs: split the planes first")
        self.graph = graph
        self.layout: StateLayout = place_state(graph.states)
        self._time_state = next((i for i, state in enumerate(graph.states) if state.kind == "time"), -1)
        self._interrupted = threading.Event()

    @cached_property
    def _cone(self) -> Cone:
        """Return all that a step computes; who only evaluates some nodes does without it."""
        graph = self.graph
        targets = [domain.trigger for domain in graph.domains]
        targets += [node for write in graph.writes for node in (write.value, write.enable)]
        for write in graph.memory_writes:
            targets += [write.address, write.value, write.enable, write.mask]
        shown = [node for effect in graph.effects for node in (*effect.args, *effect.unknowns)]
        targets += [effect.enable for effect in graph.effects] + shown
        return Cone(graph, self.layout, targets)

    def settle(self, state: StateArray) -> RunResult:
        """Run steps at the present time until the design has settled."""
        effects = bytearray()
        status = self._settle(state, effects)
        return RunResult(status, self._time(state), bytes(effects))

    def run(self, state: StateArray, clocks: Sequence[Clock], until_fs: int, hooks: Sequence[Hook] = ()) -> RunResult:
        """Advance time to `until_fs`, toggling clocks on the way."""
        if self._time_state < 0:
            raise InternalError("a graph without a time state cannot run")
        functions = [(_HOOK_TYPE(hook.address), hook.context) for hook in hooks]
        effects = bytearray()
        while True:
            if self._interrupted.is_set():
                self._interrupted.clear()
                return RunResult(Status.INTERRUPTED, self._time(state), bytes(effects))
            now = self._time(state)
            edges = [edge for clock in clocks for edge in _next_edges(clock, now)]
            at = min((when for when, _, _ in edges), default=until_fs + 1)
            if at > until_fs:
                self.layout.write(state, self._time_state, max(now, until_fs))
                return RunResult(Status.DONE, max(now, until_fs), bytes(effects))
            self.layout.write(state, self._time_state, at)
            for when, clock_state, level in edges:
                if when == at:
                    self.layout.write(state, clock_state, level)
            status = self._settle(state, effects)
            stopped = _call_hooks(functions, state, self.layout.memory_offset)
            if status != Status.DONE or stopped >= 0:
                status = Status.HOOK if status == Status.DONE else status
                return RunResult(status, at, bytes(effects), stopped)

    def condition_hook(self, graph: ConeGraph, node: int) -> ReferenceHook:
        """Return a hook that stops when `node` of `graph` is 1."""
        cone = Cone(graph, self.layout, [node])
        return ReferenceHook(lambda state: cone.evaluate(state)[node] == 1, self.layout.size)

    def evaluate(self, state: StateArray, graph: ConeGraph, nodes: Sequence[int]) -> list[int]:
        """Compute combinational values at the present state."""
        values = Cone(graph, self.layout, nodes).evaluate(state)
        return [values[node] for node in nodes]

    def interrupt(self) -> None:
        """Make the run in another thread, or the next one, return INTERRUPTED."""
        self._interrupted.set()

    def _time(self, state: StateArray) -> int:
        return self.layout.read(state, self._time_state) if self._time_state >= 0 else 0

    def _settle(self, state: StateArray, effects: bytearray) -> Status:
        postponed: set[int] = set()
        stop = False
        for _ in range(STEP_LIMIT):
            values = self._cone.evaluate(state)
            fired = [values[domain.trigger] == 1 for domain in self.graph.domains]
            for index, effect in enumerate(self.graph.effects):
                if fired[effect.domain] and values[effect.enable]:
                    stop = stop or effect.task.name in STOPPING_TASKS
                    if effect.postponed:
                        postponed.add(index)
                    else:
                        effects += self._record(index, values, self._time(state))
            self._commit(state, values, fired)
            if not any(fired[SETTLE + 1 :]):
                if postponed:
                    values = self._cone.evaluate(state)
                for index in sorted(postponed):
                    effects += self._record(index, values, self._time(state))
                return Status.EFFECT if stop else Status.DONE
        return Status.OSCILLATION

    def _commit(self, state: StateArray, values: list[int], fired: list[bool]) -> None:
        layout = self.layout
        for write in self.graph.writes:
            if fired[write.domain] and values[write.enable]:
                layout.write(state, write.state, values[write.value])
        for write in self.graph.memory_writes:
            if not (fired[write.domain] and values[write.enable]):
                continue
            first, depth = values[write.address], self.graph.states[write.state].depth
            chosen = values[write.mask] if write.mask >= 0 else mask(self.graph.states[write.state].width)
            for index in range(first, min(first + write.count, depth)):
                kept = layout.read(state, write.state, index) & ~chosen
                layout.write(state, write.state, kept | (values[write.value] & chosen), index)

    def _record(self, index: int, values: list[int], time_fs: int) -> bytes:
        effect = self.graph.effects[index]
        body = bytearray()
        for position, node in enumerate(effect.args):
            if node < 0:
                continue
            size = container_bytes(int(self.graph.width[node]))
            body += values[node].to_bytes(size, "little")
            if effect.unknowns:
                body += values[effect.unknowns[position]].to_bytes(size, "little")
        body += bytes(-len(body) % 8)
        head = (index, 4), (16 + len(body), 4), (time_fs, 8)
        return b"".join(value.to_bytes(size, "little") for value, size in head) + bytes(body)


def _next_edges(clock: Clock, now: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return the first (time, state, level) after `now` of a clock's rising and falling edges."""
    rise = clock.rise_fs + max(0, (now - clock.rise_fs) // clock.period_fs + 1) * clock.period_fs
    fall = clock.fall_fs + max(0, (now - clock.fall_fs) // clock.period_fs + 1) * clock.period_fs
    return (rise, clock.state, 1), (fall, clock.state, 0)


def _call_hooks(
    functions: Sequence[tuple[Callable[[int, int, int], int], int]], state: StateArray, memory_offset: int
) -> int:
    """Call every hook at a settled state; return the first that asks to stop, or -1."""
    stopped = -1
    at = state.ctypes.data
    for index, (function, context) in enumerate(functions):
        if function(at, at + memory_offset, context) and stopped < 0:
            stopped = index
    return stopped
