"""The simulation of a testbench by events, as users drive it from Python.

Everything has four states. It begins at the end of time 0, when all that happens there has happened; time goes on as
far as a run is asked to go, or until the testbench ends itself.
"""

from __future__ import annotations

import importlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import Unsupported, UserError
from weft.engines.event.layout import element_bytes
from weft.engines.event.writer import plane_bytes
from weft.passes.add_force_points import EventForce
from weft.sim.engine import Stop
from weft.sim.event_executor import EventExecutor
from weft.sim.event_simulation import EventSimulation
from weft.sim.event_snapshot import HostSnapshot
from weft.sim.event_state_files import begin_in, load_events, save_events
from weft.sim.event_view import view_design
from weft.sim.event_wave import EventWave
from weft.sim.handles import MemoryHandle, Value, to_planes
from weft.sim.signal_map import Found, SignalMap
from weft.sim.simulation import Simulation
from weft.sim.tasks.dump_scopes import WaveSink
from weft.sim.tasks.vcd_text import VcdSink
from weft.sim.times import looks_like_time, parse_time

if TYPE_CHECKING:
    from weft.sim.cycle_simulation import CycleSimulation

_FST = "weft.tools.waves.dump_sink"


class TestbenchSimulation(Simulation):
    """Be one running testbench. Make one with `weft.compile(..., engine="event")`."""

    __test__ = False  # pytest takes it for tests otherwise

    def __init__(self, simulation: EventSimulation, forces: Mapping[str, EventForce], begun: bool = False) -> None:
        """Take a simulation that has not run, or (`begun`) one that has been put into a state."""
        view = view_design(simulation.engine.code.design)
        super().__init__(view.design)
        self.simulation = simulation
        self._forces = dict(forces)
        self._executor = EventExecutor(simulation, view, self._forces)
        self._signals = SignalMap(view.design.graph)
        self._traces = 0
        if not begun:
            self._executor.run_until(0)

    @property
    def engine(self) -> EventExecutor:
        """Return what runs the testbench."""
        return self._executor

    @property
    def signals(self) -> SignalMap:
        """Return the signals."""
        return self._signals

    # ------------------------------------------------------------------------------------------------ signals

    def _memory(self, path: str, found: Found) -> MemoryHandle:
        return EventMemory(self, path, found)

    def force(self, path: str, value: Value | str | bool) -> None:
        """Hold a signal at a value, whatever drives it, until `release`.

        The signal must have been named in `forceable=`, by its full path or by a pattern; else it is `not-forceable`.
        """
        found = self._signal(path)
        self.engine.force(found, to_planes(path, found, value))

    # --------------------------------------------------------------------------------------------------- time

    @property
    def status(self) -> int:
        """Return the exit status as vvp has it: 0, or 1 after `$fatal`."""
        return self.simulation.host.status or 0

    def run(self) -> Stop:
        """Run until the testbench ends itself or nothing is left to do; return why it stopped."""
        return self.engine.run_all()

    def run_cycles(self, count: int) -> Stop:
        """Refuse: a testbench makes its clocks itself."""
        raise UserError("ambiguous-clock", "a testbench makes its clocks itself: use run_until")

    def run_until(self, target: str | int, max_cycles: int | None = None) -> Stop:
        """Advance to a time (`"1ms"`, or femtoseconds), or until an expression such as `count == 3` holds.

        The expression is looked at whenever something in it has changed, at the end of a time step. Returns
        `Stop.CONDITION` if it holds, else why the run stopped.
        """
        if max_cycles is not None:
            raise UserError("ambiguous-clock", "a testbench makes its clocks itself: max_cycles counts nothing")
        if isinstance(target, int) or looks_like_time(target):
            return self.engine.run_until(parse_time(target))
        condition = self.condition(target)
        return Stop.CONDITION if self.engine.holds(condition) else self.engine.run_all(condition)

    # ------------------------------------------------------------------------------------ checkpoints and files

    def _batch_source(self) -> CycleSimulation:
        raise Unsupported("a batch of an event simulation (engine='cycle' has batches)")

    def save(self, path: str | Path) -> None:
        """Write the present state to a file, for this process or another that has the same testbench.

        Raises what `checkpoint` raises, and `cannot-write`.
        """
        save_events(path, self.simulation, self.checkpoint())

    def load(self, path: str | Path) -> None:
        """Go to the state in a file that `save` wrote, for this testbench; what is watched stays so.

        Files that the design had open are opened again, those it wrote cut to the length that they had. Raises
        `no-such-file` or `bad-state-file`, `file-changed` if such a file has been changed since (by running time 0 once
        more, for instance: begin in the state with `weft.compile(..., state=path)`), and `addresses-in-use`.
        """
        checkpoint = load_events(path, self.simulation.engine.code)
        host = checkpoint.host
        assert isinstance(host, HostSnapshot)
        if host.base == self.simulation.engine.arena.base:
            self.restore(checkpoint)
            return
        if self._traces:
            raise Unsupported("loading a state of another process while a waveform is traced")
        self.engine.settle()
        old = self.simulation
        old.engine.runner.drop()
        begun = begin_in(path, old, checkpoint)
        executor = EventExecutor(begun, self._executor.view, self._forces)
        executor.adopt(self._executor)
        self.simulation, self._executor = begun, executor

    @contextmanager
    def trace(
        self, path: str | Path, signals: str | Sequence[str] = "*", depth: int | None = None, memories: bool = False
    ) -> Generator[Any]:
        """Write the waveform of some signals to a `.fst` or `.vcd` file while the context is open.

        `signals` are glob patterns over paths; `depth` 1 shows the top alone, 2 its instances too, and so on.
        """
        if memories:
            raise Unsupported("memories in the waveform of an event simulation")
        if Path(path).suffix not in (".fst", ".vcd"):
            raise UserError("bad-option", f"waveform {path}: the name must end in .fst or .vcd")
        patterns = (signals,) if isinstance(signals, str) else tuple(signals)
        self.engine.settle()
        wave = EventWave(self.simulation.host, lambda: self._open(str(path)), patterns, depth)
        wave.begin()
        self._traces += 1
        try:
            yield wave
        finally:
            self._traces -= 1
            self.engine.settle()
            wave.close(self.simulation.engine.time)

    def _open(self, path: str) -> WaveSink:
        if Path(path).suffix == ".vcd":
            return VcdSink(path, self.simulation.host.tick_fs)
        # The writer of FST is a layer above; naming the module in a string keeps imports pointing downwards.
        return importlib.import_module(_FST).open_fst_sink(path, self.simulation.host.tick_fs)

    def close(self) -> None:
        """Run the final procedures and close the files of the design; calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self.simulation.engine.runner.drop()
            self.simulation.finish()
        finally:
            self.simulation.host.state.close(self.simulation.engine.time)


class EventMemory(MemoryHandle):
    """Be an unpacked array of a testbench; those who wait for a change do not see what is written to views."""

    def __init__(self, simulation: TestbenchSimulation, path: str, found: Found) -> None:
        super().__init__(simulation, path, found)
        self._testbench = simulation
        self._place = simulation.engine.place(found)

    @property
    def _executor(self) -> EventExecutor:
        return self._testbench.engine

    @property
    def value(self) -> NDArray[np.unsignedinteger]:
        """Return all elements, as a view of the state; what is written to it is written to the memory."""
        return self._plane(0)

    @property
    def unknown(self) -> NDArray[np.unsignedinteger] | None:
        """Return the plane of unknown bits as a view, or None of a 2-state type."""
        return self._plane(1) if self._place[1].type.four_state else None

    def _plane(self, number: int) -> NDArray[np.unsignedinteger]:
        node, signal = self._place
        engine, size = self._executor.engine, plane_bytes(signal.width)
        start, step = engine.pointer_of(node, signal) + number * size, element_bytes(signal)
        if size <= 8:
            kind = np.dtype(f"<u{size}")
            return np.ndarray((signal.depth,), kind, engine.memory.data, start, (step,))
        return np.ndarray((signal.depth, size // 8), np.dtype("<u8"), engine.memory.data, start, (step, 8))

    def _settle(self) -> None:
        self._executor.settle()

    def _get(self, position: int) -> tuple[int, int]:
        return self._executor.engine.read(*self._place, position)

    def _put(self, position: int, planes: tuple[int, int]) -> None:
        self._executor.engine.write(*self._place, position, *planes)
        self._executor.dirty = True

    def _put_all(self, positions: slice, values: object) -> None:
        places = range(*positions.indices(self.depth))
        listed = np.broadcast_to(np.asarray(values, dtype=object), (len(places),)).tolist()
        for position, value in zip(places, listed, strict=True):
            self._put(position, (int(value) & (1 << self.width) - 1, 0))
