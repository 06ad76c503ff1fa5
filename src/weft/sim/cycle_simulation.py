"""The simulation of a design by clock cycles: clocks, forces that compile again, traces, state files.

It begins at time 0, after the initial procedures; calls into compiled code release the GIL.
"""

from __future__ import annotations

import atexit
import importlib
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.base.dataclass import dataclass
from weft.base.errors import Unsupported, UserError
from weft.base.source import Span
from weft.ir.program import Program
from weft.passes.trace_clocks import ClockReport
from weft.sim.choose_clock import ChosenClock, choose_clocks
from weft.sim.compiled_design import CompiledDesign
from weft.sim.cycle_engine import CycleEngine
from weft.sim.design_files import Output
from weft.sim.dump_waves import plan_dump
from weft.sim.engine import Checkpoint, Stop
from weft.sim.handles import CycleMemory, MemoryHandle, Value, to_planes
from weft.sim.initial_state import allocate_state, settle_samples
from weft.sim.interpret_initial import Interpreter, World
from weft.sim.run_effects import EffectRunner, write_stdout
from weft.sim.signal_map import Found, SignalMap
from weft.sim.simulation import Simulation
from weft.sim.state_files import load_state, save_state
from weft.sim.times import looks_like_time, parse_time

if TYPE_CHECKING:
    from weft.sim.profile import Profile

_TRACER = "weft.tools.waves.trace"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Choose how a design is run; `weft.compile` explains the fields."""

    x_initial: str = "0"
    plusargs: tuple[str, ...] = ()
    clock: str | Mapping[str, str | int] | None = None
    period: str | int = "10ns"
    output: Output | None = None
    seed: int = 0


class CycleSimulation(Simulation):
    """Be one running design. Make one with `weft.compile`."""

    def __init__(
        self,
        design: CompiledDesign,
        program: Program,
        options: RunOptions | None = None,
        rebuild: Callable[[tuple[str, ...]], tuple[CompiledDesign, Program]] | None = None,
        start: Checkpoint | None = None,
        redesign: Callable[[tuple[str, ...]], CompiledDesign] | None = None,
    ) -> None:
        options = options or RunOptions()
        self._rebuild, self._redesign, self._forced = rebuild, redesign, design.forced
        super().__init__(design)
        self.options = options
        self._clocks: tuple[ChosenClock, ...] | None = None
        self._dump = ExitStack()
        effects = EffectRunner(design.graph, design.sources, design.precision_fs, options.output or write_stdout)
        effects.host.state.plusargs = options.plusargs
        effects.host.state.random_seed = options.seed
        state = allocate_state(design, program, options.x_initial, options.plusargs, options.seed)
        self._engine = CycleEngine(design, program, state, effects)
        self._world = World(
            graph=design.graph,
            layout=program.layout,
            state=state,
            evaluate=self.engine.evaluate,
            effects=effects,
            sources=design.sources,
            four_state=design.four_state,
            warn=self._warn,
            seed=options.seed,
        )
        if options.clock is not None:
            self._choose_clocks()
        if start is None:
            self._begin()
        else:
            self.engine.restore(start)

    def _begin(self) -> None:
        """Run time 0: initial procedures, then everything that follows from them."""
        world, engine = self._world, self.engine
        interpreter = Interpreter(world, engine.signals)
        interpreter.run_initial()
        for clock in self._possible_clocks():
            engine.program.layout.write(engine.state, clock, 0)
            twin = self.design.graph.states[clock].twin
            if twin >= 0:
                engine.program.layout.write(engine.state, twin, 0)
        settle_samples(engine.program, engine.state)
        if engine.outcome.finished:
            return
        engine.dirty = True
        engine.settle()
        self._start_dump()
        for task, arguments, system in world.strobes:
            interpreter.reload()
            engine.effects.perform(task, arguments(), system.scope(task), 0, system.unit)
        if world.monitor is not None:
            self._start_monitor(interpreter)

    def _start_dump(self) -> None:
        """Open the waveform that `$dumpvars` asked for at time 0; `close`, or the end of Python, completes it."""
        effects = self.engine.effects
        requests, effects.dumps = effects.dumps or (), None
        plan = plan_dump(requests, self.design.graph, self.design.sources)
        if plan is not None:
            self._dump.enter_context(self.trace(plan.path, plan.patterns, plan.depth))
            atexit.register(self._dump.close)

    def _possible_clocks(self) -> list[int]:
        """Return the states of the inputs that runs may toggle; a clock begins at 0."""
        if self._clocks is not None:
            return [chosen.clock.state for chosen in self._clocks]
        return [found.state for found in self.clock_report.clocks]

    def _start_monitor(self, interpreter: Interpreter) -> None:
        """Print `$monitor`'s line now, and whenever a signal that it shows has changed (IEEE 1800-2023 21.2.3)."""
        assert self._world.monitor is not None
        task, arguments, system = self._world.monitor

        def show(_: object = None) -> None:
            interpreter.reload()
            self._world.time_fs = self.time_fs
            self.engine.effects.perform(task, arguments(), system.scope(task), self.time_fs, system.unit)

        show()
        for found in interpreter.read_by(task, system):
            self.engine.watch(found, show)

    def _warn(self, message: str, span: Span) -> None:
        print(f"{self.design.sources.describe(span)}: warning: {message}", file=sys.stderr)

    # ------------------------------------------------------------------------------------------------ signals

    def _memory(self, path: str, found: Found) -> MemoryHandle:
        return CycleMemory(self, path, found)

    def force(self, path: str, value: Value | str | bool) -> None:
        """Hold a signal at a value, whatever drives it, until `release`.

        A force is logic, so the first force of a signal that was not named in `forceable` compiles the design again;
        NumPy views of memories that were taken before then show the old state.
        """
        found = self._signal(path)
        if not self.engine.forceable(found):
            self._make_forceable(self.engine.full_path(found))
            found = self._signal(path)
        self.engine.force(found, to_planes(path, found, value))

    def _make_forceable(self, path: str) -> None:
        """Compile the design again with a signal forceable, and go on from the present state."""
        if self._rebuild is None:
            raise Unsupported(f"forcing '{path}' in a simulation that was not made by weft.compile")
        self._forced = (*self._forced, path)
        self.design, program = self._rebuild(self._forced)
        self._forget()
        self.engine.replace(self.design, program)
        self._choose_clocks()
        world = self._world
        world.graph, world.layout, world.state = self.design.graph, program.layout, self.engine.state
        world.evaluate = self.engine.evaluate

    def with_forces(self, paths: tuple[str, ...]) -> CompiledDesign:
        """Return the design compiled again with these signals forceable; this simulation stays as it is."""
        if not paths:
            return self.design
        if self._redesign is None:
            raise Unsupported("faults in a simulation that was not made by weft.compile")
        return self._redesign((*self._forced, *paths))

    @property
    def engine(self) -> CycleEngine:
        """Return what runs the design."""
        return self._engine

    @property
    def signals(self) -> SignalMap:
        """Return the signals; a force that compiles the design again makes others."""
        return self.engine.signals

    # --------------------------------------------------------------------------------------------------- time

    @property
    def cycle(self) -> int:
        """Return how many periods of the first clock have passed."""
        clocks = self.clocks
        return self.time_fs // clocks[0].clock.period_fs if clocks else 0

    @property
    def clock_report(self) -> ClockReport:
        """Return the clocks and resets that the design has."""
        return self.design.clocks

    @property
    def clocks(self) -> tuple[ChosenClock, ...]:
        """Return the clocks that runs toggle; raises `ambiguous-clock` when that must be chosen first."""
        if self._clocks is None:
            self._choose_clocks()
        assert self._clocks is not None
        return self._clocks

    def _choose_clocks(self) -> None:
        wish, period = self.options.clock, self.options.period
        # After a force the design is another one, and its clocks other states.
        self._clocks = choose_clocks(wish, period, self.clock_report, self.engine.signals)
        self.engine.clocks = tuple(chosen.clock for chosen in self._clocks)

    def step(self) -> Stop:
        """Settle what was poked, then advance to the next clock edge, if the design has a clock, and settle."""
        if self._clocks is None and len(self.clock_report.clocks) <= 1:
            self._choose_clocks()
        return self.engine.step()

    def run_cycles(self, count: int) -> Stop:
        """Advance by a number of clock cycles; return why it stopped."""
        if not self.clocks:
            raise UserError("ambiguous-clock", "the design has no clock to run cycles of; name one with clock=")
        return self.engine.run_until(self.time_fs + count * self.clocks[0].clock.period_fs)

    def run_until(self, target: str | int, max_cycles: int | None = None) -> Stop:
        """Advance to a time (`"1ms"`, or femtoseconds), or until an expression such as `uart_valid == 1` holds.

        The expression is compiled into the run and checked whenever the design has settled; at most `max_cycles` clock
        cycles pass. Returns `Stop.CONDITION` if it holds, else why the run stopped.
        """
        if isinstance(target, int) or looks_like_time(target):
            until, clocks = parse_time(target), self.clocks
            if max_cycles is not None and clocks:
                until = min(until, self.time_fs + max_cycles * clocks[0].clock.period_fs)
            return self.engine.run_until(until)
        condition = self.condition(target)
        if self.engine.holds(condition):
            return Stop.CONDITION
        if not self.clocks:
            raise UserError("ambiguous-clock", "the design has no clock, so nothing will change; name one with clock=")
        if max_cycles is None:
            return self.engine.run_until((1 << 64) - 1 - self.clocks[0].clock.period_fs, condition)
        return self.engine.run_until(self.time_fs + max_cycles * self.clocks[0].clock.period_fs, condition)

    # ------------------------------------------------------------------------------------ checkpoints and files

    def _batch_source(self) -> CycleSimulation:
        return self

    def save(self, path: str | Path) -> None:
        """Write the present state to a file."""
        save_state(path, self.checkpoint(), self.design.state_digest())

    def load(self, path: str | Path) -> None:
        """Go to the state in a file that `save` wrote, for this design."""
        self.restore(load_state(path, self.design.digest, self.design.state_digest()))

    @contextmanager
    def trace(
        self, path: str | Path, signals: str | Sequence[str] = "*", depth: int | None = None, memories: bool = False
    ) -> Generator[Any]:
        """Write the waveform of some signals to a `.fst` or `.vcd` file while the context is open.

        `signals` are glob patterns over paths; `depth` 1 shows the top alone, 2 its instances too, and so on.
        """
        # Traces are a layer above; naming the module in a string keeps imports pointing downwards.
        tracer = importlib.import_module(_TRACER)
        engine = self.engine
        patterns = (signals,) if isinstance(signals, str) else tuple(signals)
        hot = frozenset(chosen.clock.state for chosen in self._clocks or ())
        engine.settle()
        trace = tracer.Trace(
            self.design.graph,
            engine.program.layout,
            path,
            patterns=patterns,
            depth=depth,
            memories=memories,
            hot=hot,
        )
        try:
            trace.begin(engine.state)
            number = engine.add_trace(trace.hook, trace.drain, lambda: trace.begin(engine.state))
            try:
                yield trace
            finally:
                engine.remove_trace(number)
        finally:
            trace.close(self.time_fs)

    @contextmanager
    def profile(self) -> Generator[Profile]:
        """Measure where the time goes inside; the profile is complete at the end, and can be shown or saved.

        It costs about 20 ns for each clock edge. Kernels are measured until a force compiles the design again.
        """
        from weft.sim.profile import Profiler  # few runs are profiled

        profiler = Profiler(" ".join(self.design.tops), self.engine.program, self.build_seconds)
        first = self.time_fs
        profiler.begin()
        try:
            yield profiler.profile
        finally:
            clocks = self.engine.clocks
            profiler.end((self.time_fs - first) // clocks[0].period_fs if clocks else 0)

    def close(self) -> None:
        """Run the final procedures and close the files of the design; calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        self._dump.close()
        atexit.unregister(self._dump.close)
        self._world.time_fs = self.time_fs
        Interpreter(self._world, self.engine.signals).run_final()
        self.engine.effects.files.close_all()
