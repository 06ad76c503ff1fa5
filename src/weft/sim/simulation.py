"""A simulation as users drive it: signals by path, time, conditions, watches, checkpoints, traces.

Everything here is about names, values and errors; what runs is an `Engine` (`sim.engine`), and calls into compiled
code release the GIL. A simulation is made by `weft.compile` and begins at time 0, after the initial procedures.
"""

from __future__ import annotations

import atexit
import importlib
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from weft.base.dataclass import dataclass, field
from weft.base.errors import Unsupported, UserError
from weft.base.source import Span
from weft.ir.program import Program
from weft.passes.trace_clocks import ClockReport
from weft.sim.build_condition import Condition, build_condition
from weft.sim.choose_clock import ChosenClock, choose_clocks
from weft.sim.compiled_design import CompiledDesign
from weft.sim.cycle_engine import CycleEngine
from weft.sim.design_files import Output
from weft.sim.dump_waves import plan_dump
from weft.sim.engine import Checkpoint, Stop
from weft.sim.handles import MemoryHandle, SignalHandle, Value, to_planes, to_value
from weft.sim.hierarchy import Driver, HierarchyNode, build_hierarchy, find_drivers
from weft.sim.initial_state import allocate_state, settle_samples
from weft.sim.interpret_initial import Interpreter, World
from weft.sim.run_effects import EffectRunner, write_stdout
from weft.sim.signal_map import Found
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


@dataclass(slots=True)
class _Cache:
    conditions: dict[str, Condition] = field(default_factory=dict[str, Condition])
    handles: dict[str, SignalHandle | MemoryHandle] = field(default_factory=dict[str, "SignalHandle | MemoryHandle"])


class Simulation:
    """Be one running design. Make one with `weft.compile`."""

    def __init__(
        self,
        design: CompiledDesign,
        program: Program,
        options: RunOptions | None = None,
        rebuild: Callable[[tuple[str, ...]], tuple[CompiledDesign, Program]] | None = None,
    ) -> None:
        options = options or RunOptions()
        self._rebuild, self._forced = rebuild, design.forced
        self.design, self.options = design, options
        self.build_seconds: dict[str, float] = {}
        self._cache = _Cache()
        self._clocks: tuple[ChosenClock, ...] | None = None
        self._closed = False
        self._dump = ExitStack()
        effects = EffectRunner(design.graph, design.sources, design.precision_fs, options.output or write_stdout)
        effects.host.state.plusargs = options.plusargs
        state = allocate_state(design, program, options.x_initial, options.plusargs)
        self.engine = CycleEngine(design, program, state, effects)
        self._world = World(
            graph=design.graph,
            layout=program.layout,
            state=state,
            evaluate=self.engine.evaluate,
            effects=effects,
            sources=design.sources,
            four_state=design.four_state,
            warn=self._warn,
        )
        if options.clock is not None:
            self._choose_clocks()
        self._begin()

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

    def __getitem__(self, path: str) -> SignalHandle | MemoryHandle:
        """Return the signal or memory of a path, such as `cpu.pc`; the top's own name may be left out."""
        handle = self._cache.handles.get(path)
        if handle is None:
            found = self.engine.signals.find(path)
            kind = MemoryHandle if found.memory >= 0 else SignalHandle
            handle = self._cache.handles[path] = kind(self, path, found)
        return handle

    def __contains__(self, path: str) -> bool:
        found = self.engine.signals.look_up(path)
        return found is not None and found.node != -1

    def _signal(self, path: str) -> Found:
        found = self.engine.signals.find(path)
        if found.memory >= 0:
            raise UserError("unknown-signal", f"'{path}' is a memory: use memory('{path}')")
        return found

    def peek(self, path: str) -> Value:
        """Return a signal's settled value: an int, or in 4-state a Logic or LogicArray."""
        found = self._signal(path)
        return to_value(found, self.engine.get(found), self.design.four_state)

    get = peek

    def poke(self, path: str, value: Value | str | bool) -> None:
        """Set an input or a register; what follows from it is seen by the next `peek`, `step` or run."""
        found = self._signal(path)
        self.engine.set(found, to_planes(path, found, value))

    set = poke

    def memory(self, path: str) -> MemoryHandle:
        """Return a memory; `memory("ram")[0:64]` is a NumPy view of its elements."""
        handle = self[path]
        if not isinstance(handle, MemoryHandle):
            raise UserError("unknown-signal", f"'{path}' is not kept as a memory: use peek('{path}')")
        return handle

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
        self._cache = _Cache()
        self.engine.replace(self.design, program)
        self._choose_clocks()
        world = self._world
        world.graph, world.layout, world.state = self.design.graph, program.layout, self.engine.state
        world.evaluate = self.engine.evaluate

    def release(self, path: str) -> None:
        """End a force; a variable keeps the forced value until it is next assigned (IEEE 1800-2023 10.6.2)."""
        self.engine.release(self._signal(path))

    def watch(self, path: str, callback: Callable[[Value], None]) -> int:
        """Call `callback(value)` each time a signal has changed at a settled time; return a number for `unwatch`."""
        found = self._signal(path)
        four = self.design.four_state
        return self.engine.watch(found, lambda value: callback(to_value(found, value, four)))

    def unwatch(self, number: int) -> None:
        """End a watch."""
        self.engine.unwatch(number)

    def drivers(self, path: str) -> list[Driver]:
        """Return what drives a signal: assignments, procedures and instances, with their places in the source."""
        return find_drivers(self.design, self.engine.signals.find(path))

    def hierarchy(self) -> list[HierarchyNode]:
        """Return the instances of the design, the tops first, with their signals."""
        return build_hierarchy(self.design)

    # --------------------------------------------------------------------------------------------------- time

    @property
    def time_fs(self) -> int:
        """Return the present time in femtoseconds."""
        return self.engine.time_fs

    @property
    def cycle(self) -> int:
        """Return how many periods of the first clock have passed."""
        clocks = self.clocks
        return self.time_fs // clocks[0].clock.period_fs if clocks else 0

    @property
    def finished(self) -> bool:
        """Say whether the design has called `$finish` or `$fatal`."""
        return self.engine.outcome.finished

    @property
    def errors(self) -> int:
        """Return how many errors the design has reported (`$error`, `$fatal`, failed assertions)."""
        return self.engine.outcome.errors

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

    def condition(self, text: str) -> Condition:
        """Return an expression in the form that engines run; raises `bad-expression` or `unknown-signal`."""
        found = self._cache.conditions.get(text)
        if found is None:
            found = self._cache.conditions[text] = build_condition(text, self.engine.signals)
        return found

    def stop(self) -> None:
        """Make the run in progress return; for callbacks and other threads."""
        self.engine.stop()

    # ------------------------------------------------------------------------------------ checkpoints and files

    def checkpoint(self) -> Checkpoint:
        """Return a copy of everything that the design remembers, for `restore`."""
        return self.engine.checkpoint()

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to a checkpoint."""
        self.engine.restore(checkpoint)

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

    def __enter__(self) -> Simulation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
