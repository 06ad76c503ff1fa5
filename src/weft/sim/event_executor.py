"""Drive an event simulation by the engine protocol (`sim.engine`): values, time, conditions, watches, forces.

The event engine runs to a time and stops only where something ends it; what must be looked at on the way (watched
signals, conditions) it tells in the postponed region, when a time step has settled. A time at which nothing happens is
reached by an event that does nothing, so that delays which begin there count from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from weft.base.dataclass import dataclass
from weft.base.errors import InternalError, Unsupported, UserError, WeftError
from weft.engines.event.elaborate import Node
from weft.engines.event.engine import EventEngine
from weft.engines.event.records import NODE_CODE, NODE_LIST, NODE_SIZE, STOP
from weft.engines.reference.cone import Cone
from weft.ir.design import Signal
from weft.ir.layout import StateLayout, place_state
from weft.ir.program import StateArray
from weft.passes.add_force_points import FORCES, EventForce
from weft.sim.build_condition import Condition
from weft.sim.engine import Checkpoint, Planes, Stop
from weft.sim.event_simulation import EventSimulation
from weft.sim.event_snapshot import HostSnapshot, restore_all, take_host
from weft.sim.event_view import EventView
from weft.sim.run_effects import Outcome
from weft.sim.signal_map import Found

_NEVER = (1 << 64) - 1


@dataclass(slots=True, eq=False)
class _Watch:
    found: Found
    callback: Callable[[Planes], None]
    last: Planes


class EventExecutor:
    """Implement `weft.sim.engine.Engine` on an event simulation; its code must have been written with `observe`."""

    def __init__(self, simulation: EventSimulation, view: EventView, forces: dict[str, EventForce]) -> None:
        self.simulation, self.view = simulation, view
        self.dirty = False
        self._forces = forces
        self._watches: dict[int, _Watch] = {}
        self._next_watch = 1
        self._conditions: dict[int, tuple[Condition, Cone]] = {}
        self._condition: Condition | None = None
        self._held = self._stop = False
        self._layout: StateLayout | None = None
        self._state: StateArray = np.zeros(0, np.uint8)
        # A `$stop` rests at its statement, so that the run can go on there.
        self.engine.runner.on_park = lambda: None
        simulation.host.on_stop = self.engine.runner.park
        # At rest the node is in no list, so it need not be part of a state.
        self._wake = np.zeros(NODE_SIZE // 8, np.uint64)
        self._wake[NODE_CODE // 8] = self.engine.address("nothing")

    @property
    def engine(self) -> EventEngine:
        """Return the event engine."""
        return self.simulation.engine

    @property
    def outcome(self) -> Outcome:
        """Return what the design has said about itself."""
        host = self.simulation.host
        return Outcome(host.status is not None, host.stopped, host.errors)

    @property
    def time_fs(self) -> int:
        """Return the present time in femtoseconds."""
        return self.engine.time * self.simulation.host.tick_fs

    # ------------------------------------------------------------------------------------------------- values

    def place(self, signal: Found) -> tuple[Node, Signal]:
        """Return the instance and signal of the design."""
        return self.view.nodes[signal.scope], signal.signal

    def get(self, signal: Found) -> Planes:
        """Return a signal's settled value."""
        self.settle()
        if signal.memory >= 0:
            raise InternalError(f"{signal.signal.name} is a memory")
        return self._look(signal)

    def _look(self, signal: Found) -> Planes:
        """Return a value as it is now; a string's is its characters."""
        bits, unknown = self.engine.read(*self.place(signal))
        if signal.signal.type.kind == "string":
            bits = int.from_bytes(self.simulation.handles.text(bits).encode("latin-1"), "big")
        return bits, unknown

    def set(self, signal: Found, value: Planes) -> None:
        """Set an undriven net, such as an input of the top, or a variable; it must not be driven."""
        node, found = self.place(signal)
        design = self.engine.code.design
        holder = design.find(node, found)
        net = design.nets.get(holder)
        driven = net is not None and (net.drivers or net.graded)
        if driven or (found.net and not holder[1].net):
            path = f"{node.path}.{found.name}"
            raise UserError("read-only", f"'{path}' is driven by the design: force it instead")
        self.engine.write(node, found, 0, *self._stored(signal, value))
        self.dirty = True

    def _stored(self, signal: Found, value: Planes) -> Planes:
        """Return a value as memory has it: of a string, given as its characters, the handle."""
        bits, unknown = value
        if signal.signal.type.kind == "string":
            bits = self.simulation.handles.intern(bits.to_bytes((bits.bit_length() + 7) // 8, "big").decode("latin-1"))
        return bits, unknown

    def full_path(self, signal: Found) -> str:
        """Return a signal's path, the top's name first."""
        return f"{self.view.design.graph.scopes[signal.scope].path}.{signal.signal.name}"

    def force(self, signal: Found, value: Planes) -> None:
        """Hold a signal at a value; it must have been named when the design was compiled, or be `not-forceable`."""
        path = self.full_path(signal)
        point = self._forces.get(path)
        if point is None:
            raise UserError(
                "not-forceable",
                f"'{path}' cannot be forced: code of events is written for the signals that are forced; name it, or a "
                f"pattern such as '{path.partition('.')[0]}.*', in forceable=",
            )
        self._change(point.value, self._stored(signal, value))
        self._toggle(point.begin)

    def release(self, signal: Found) -> None:
        """End a force; a variable keeps the forced value until it is next assigned (IEEE 1800-2023 10.6.2)."""
        point = self._forces.get(self.full_path(signal))
        if point is not None:
            self._toggle(point.end)

    def _change(self, signal: Signal, value: Planes) -> None:
        self.engine.write(self.engine.code.design.packages[FORCES], signal, 0, *value)

    def _toggle(self, signal: Signal) -> None:
        node = self.engine.code.design.packages[FORCES]
        old, _ = self.engine.read(node, signal)
        self.engine.write(node, signal, 0, 1 - old, 0)
        self.dirty = True
        self.settle()

    # --------------------------------------------------------------------------------------------------- time

    def settle(self) -> None:
        """Settle after pokes, at the present time."""
        if self.dirty:
            self.dirty = False
            self._run(self.engine.time)

    def _run(self, until: int) -> None:
        engine = self.engine
        if self.outcome.finished:
            return
        engine.set_word(STOP, 0)
        try:
            engine.advance(until)
        except WeftError as error:
            error.sources = error.sources or self.simulation.design.sources
            raise

    def step(self) -> Stop:
        """Settle pokes, then advance to the next scheduled event and settle."""
        self.settle()
        following = self.engine.call("next_time", self.engine.state) & _NEVER
        return self._advance(following) if following != _NEVER else self._reason()

    def run_until(self, time_fs: int, condition: Condition | None = None) -> Stop:
        """Advance to a time, or until a condition holds at a settled time."""
        self._condition = condition
        if condition is not None:
            self._evaluator(condition)
        try:
            return self._advance(time_fs // self.simulation.host.tick_fs)
        finally:
            self._condition = None

    def run_all(self, condition: Condition | None = None) -> Stop:
        """Advance until nothing is left to do, or until the design or a condition ends it."""
        return self.run_until(_NEVER * self.simulation.host.tick_fs, condition)

    def _advance(self, ticks: int) -> Stop:
        engine = self.engine
        self._held = self._stop = False
        self.simulation.host.stopped = False
        self.dirty = False
        if self.outcome.finished:
            return Stop.FINISH
        waits = engine.time < ticks < _NEVER
        if waits:
            engine.call("put_into_wheel", self._wake.ctypes.data, ticks, engine.state)
        try:
            self._run(ticks)
        finally:
            if waits and self._wake[NODE_LIST // 8]:
                engine.call("unlink", self._wake.ctypes.data)
        if self.outcome.finished:
            engine.end_step()
        elif self._stop:
            self._run(engine.time)  # The run may have stopped inside a time step.
        return self._reason()

    def stop(self) -> None:
        """Make the run in progress return at the next settled time; may be called from a callback or a thread."""
        self._stop = True
        self.engine.request_stop()

    def _reason(self) -> Stop:
        outcome = self.outcome
        if outcome.finished:
            return Stop.FINISH
        if self._held:
            return Stop.CONDITION
        return Stop.STOP if self._stop or outcome.stopped else Stop.TIME

    # --------------------------------------------------------------------------------- conditions and watches

    def holds(self, condition: Condition) -> bool:
        """Say whether a condition holds now."""
        self.settle()
        return self._holds(condition)

    def _holds(self, condition: Condition) -> bool:
        _, cone = self._evaluator(condition)
        assert self._layout is not None
        array = self._state
        for found in condition.signals:
            self._fill(array, found)
        return bool(cone.evaluate(array)[condition.node])

    def _evaluator(self, condition: Condition) -> tuple[Condition, Cone]:
        """Return what evaluates a condition, made once; its signals are recorded from then on."""
        known = self._conditions.get(id(condition))
        if known is None:
            if self._layout is None:
                self._layout = place_state(self.view.design.graph.states)
                self._state = self._layout.allocate()
            known = condition, Cone(condition.graph, self._layout, [condition.node])
            self._conditions[id(condition)] = known

            def look(numbers: Sequence[int]) -> None:
                if self._condition is condition and self._holds(condition):
                    self._held = True
                    self.engine.request_stop()

            self._record(condition.signals, look)
        return known

    def _record(self, signals: Sequence[Found], change: Callable[[Sequence[int]], None]) -> None:
        targets: list[tuple[int, Node, Signal, int]] = []
        for number, found in enumerate(signals):
            node, signal = self.place(found)
            targets += [(number, node, signal, index) for index in range(max(signal.depth, 1))]
        self.engine.record_changes(targets, change)

    def _fill(self, array: StateArray, found: Found) -> None:
        """Copy a signal's value to where conditions read it."""
        assert self._layout is not None
        graph = self.view.design.graph
        node, signal = self.place(found)
        if found.memory >= 0:
            twin = graph.states[found.memory].twin
            for index in range(signal.depth):
                bits, unknown = self.engine.read(node, signal, index)
                self._layout.write(array, found.memory, bits, index)
                if twin >= 0:
                    self._layout.write(array, twin, unknown, index)
            return
        bits, unknown = self.engine.read(node, signal)
        for number, value in ((found.node, bits), (found.unknown, unknown)):
            if number >= 0:
                self._layout.write(array, int(graph.param[number]), value)

    def watch(self, signal: Found, callback: Callable[[Planes], None]) -> int:
        """Call `callback` each time a signal has changed at a settled time."""
        number = self._next_watch
        self._next_watch += 1
        self._begin_watch(number, signal, callback)
        return number

    def _begin_watch(self, number: int, signal: Found, callback: Callable[[Planes], None]) -> None:
        watch = self._watches[number] = _Watch(signal, callback, self.get(signal))

        def look(numbers: Sequence[int]) -> None:
            value = self._look(signal)
            if number in self._watches and value != watch.last:
                watch.last = value
                callback(value)

        self._record([signal], look)

    def unwatch(self, number: int) -> None:
        """End a watch."""
        self._watches.pop(number, None)

    # --------------------------------------------------------------------------------------------- checkpoints

    def checkpoint(self) -> Checkpoint:
        """Return a copy of everything that the design remembers; raises Unsupported while a waveform is written."""
        self.settle()
        if self.engine.runner.parked:
            raise Unsupported("a checkpoint while a process rests at its $stop (run on from there first)")
        return Checkpoint(
            self.view.design.digest, self.time_fs, self.engine.arena.copy(), self.outcome, take_host(self.simulation)
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to a checkpoint of this simulation, or to a state from a file that has the same addresses."""
        host = checkpoint.host
        if not isinstance(host, HostSnapshot) or (host.links is None and host.owner is not self.simulation):
            raise UserError("bad-state-file", "this checkpoint is of another simulation")
        restore_all(self.simulation, checkpoint)
        self.dirty = False
        for watch in self._watches.values():
            watch.last = self._look(watch.found)

    def adopt(self, other: EventExecutor) -> None:
        """Take over the watches of another executor of the same program, which is no longer used."""
        self._next_watch = other._next_watch
        for number, watch in other._watches.items():
            self._begin_watch(number, watch.found, watch.callback)
