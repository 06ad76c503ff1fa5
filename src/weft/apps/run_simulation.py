"""Do what `weft sim` asks: compile, reset, run, trace, say how it ended."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from weft.apps.show_progress import RunStatus, compile_progress, print_note, print_warnings
from weft.base.dataclass import dataclass, field
from weft.base.errors import UserError, WeftError
from weft.engines.cpu.program import CpuProgram
from weft.sim.choose_clock import ChosenReset, choose_reset
from weft.sim.compile_design import compile_design
from weft.sim.cycle_simulation import CycleSimulation
from weft.sim.engine import Stop
from weft.sim.pipeline_options import PipelineOptions, use_pipeline
from weft.sim.times import looks_like_time, parse_time, time_text

_FOREVER = 1 << 62


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """Hold the options of `weft sim`."""

    slang: tuple[str, ...]
    top: str = ""
    plusargs: tuple[str, ...] = ()
    cycles: int | None = None
    until: str = ""
    clock: str = ""
    period: str = "10ns"
    reset: str = ""
    wave: str = ""
    wave_from: str = ""
    wave_to: str = ""
    signals: tuple[str, ...] = ("*",)
    depth: int | None = None
    memories: bool = False
    load: str = ""
    save: str = ""
    four_state: bool = False
    x_initial: str = "0"
    seed: int = 0
    loops: str = "error"
    assertions: str = "error"
    engine: str = "cpu"
    cache: bool = True
    pipeline: PipelineOptions = field(default_factory=PipelineOptions)
    max_steps: int = 0
    profile: bool = False
    profile_output: str = ""
    quiet: bool = False
    all_warnings: bool = False


def run_simulation(plan: SimulationPlan) -> bool:
    """Run a simulation; say whether the design reported an error."""
    with use_pipeline(plan.pipeline, print_note, print_note):
        return _run_simulation(plan)


def _run_simulation(plan: SimulationPlan) -> bool:
    start = time.perf_counter()
    status = RunStatus()
    window = _window(plan)
    with compile_progress() as progress:
        simulation = compile_design(
            top=plan.top or None,
            slang_args=plan.slang,
            plusargs=plan.plusargs,
            clock=plan.clock or None,
            period=plan.period,
            four_state=plan.four_state,
            x_initial=plan.x_initial,
            seed=plan.seed,
            loops=plan.loops,
            assertions=plan.assertions,
            engine=plan.engine,
            cache=plan.cache,
            background=plan.pipeline.background,
            output=status.write,
            progress=progress,
        )
    assert isinstance(simulation, CycleSimulation)
    if plan.max_steps and isinstance(simulation.engine.program, CpuProgram):
        simulation.engine.program.longest_slice = plan.max_steps
    if not plan.quiet:
        print_warnings(simulation.design.warnings, plan.all_warnings)
        print_note(f"compiled in {time.perf_counter() - start:.2f} s")
    with simulation, _profile(simulation, plan):
        run = _Run(simulation, plan, window, status)
        try:
            run.run()
        except WeftError:
            run.why = "failed"
            raise
        finally:
            run.finish()
    return simulation.errors > 0


@contextmanager
def _profile(simulation: CycleSimulation, plan: SimulationPlan) -> Generator[None]:
    """Measure, show and save a profile of what runs inside, if the plan asks for it."""
    if not plan.profile:
        yield
        return
    from weft.apps.show_profile import save_flame_graph, show_profile

    with simulation.profile() as profile:
        yield
    show_profile(profile)
    save_flame_graph(profile, plan.profile_output or f"{simulation.design.tops[0]}.speedscope.json")


def _window(plan: SimulationPlan) -> tuple[int, int]:
    """Return the times between which to trace."""
    first = parse_time(plan.wave_from) if plan.wave_from else 0
    last = parse_time(plan.wave_to) if plan.wave_to else _FOREVER
    if (plan.wave_from or plan.wave_to) and not plan.wave:
        raise UserError("bad-option", "--wave-from and --wave-to need --wave FILE")
    if last < first:
        raise UserError("bad-option", f"--wave-to {plan.wave_to} is before --wave-from {plan.wave_from}")
    return first, last


class _Run:
    def __init__(
        self, simulation: CycleSimulation, plan: SimulationPlan, window: tuple[int, int], status: RunStatus
    ) -> None:
        self.simulation, self.plan, self.status = simulation, plan, status
        self.window = window
        self.traces = ExitStack()
        self.tracing = "no" if not plan.wave else "later"
        self.begun = time.perf_counter()
        self.first_time = 0
        self.stop: Stop | None = None
        self.why = "interrupted"

    def run(self) -> None:
        simulation, plan = self.simulation, self.plan
        if plan.load:
            simulation.load(plan.load)
        if simulation.finished:
            self.why = "finished"
            return
        clocks = simulation.clocks if plan.clock or simulation.clock_report.clocks else ()
        reset = None
        if clocks and not plan.load:
            reset = choose_reset(plan.reset, simulation.clock_report, simulation.engine.signals)
        if not plan.quiet:
            for clock in clocks:
                print_note(clock.describe())
            if reset is not None:
                print_note(reset.describe())
        self.first_time, self.begun = simulation.time_fs, time.perf_counter()
        if not clocks and not looks_like_time(plan.until):
            if plan.cycles or plan.until:
                raise UserError("ambiguous-clock", "the design has no clock; name one with --clock")
            self.advance(simulation.time_fs)
            self.why = "finished" if simulation.finished else "ended"
            return
        if plan.until and not looks_like_time(plan.until):
            simulation.condition(plan.until)  # what is wrong with it is said before anything runs
        with self.status.follow(simulation):
            if reset is not None:
                self.apply(reset)
            self.to_the_end()
        ended = {Stop.FINISH: "finished", Stop.CONDITION: f"'{plan.until}' holds", Stop.STOP: "stopped", None: "ended"}
        self.why = ended.get(self.stop, "ended")

    def apply(self, reset: ChosenReset) -> None:
        """Hold the reset for its cycles."""
        simulation = self.simulation
        simulation.poke(reset.name, 0 if reset.active_low else 1)
        self.advance(simulation.time_fs + reset.cycles * simulation.clocks[0].clock.period_fs)
        simulation.poke(reset.name, 1 if reset.active_low else 0)

    def to_the_end(self) -> None:
        """Run to the limit that the user gave, or until the design finishes."""
        simulation, plan = self.simulation, self.plan
        if simulation.finished or self.stop is Stop.STOP:
            return
        until, condition = _FOREVER, ""
        if looks_like_time(plan.until):
            until = parse_time(plan.until)
        elif plan.until:
            condition = plan.until
        if plan.cycles is not None and simulation.clocks:
            until = min(until, simulation.time_fs + plan.cycles * simulation.clocks[0].clock.period_fs)
        self.advance(until, condition)

    def advance(self, until: int, condition: str = "") -> None:
        """Run to a time or condition, opening and closing the trace on the way."""
        simulation = self.simulation
        test = simulation.condition(condition) if condition else None
        first, last = self.window
        if test is not None and simulation.engine.holds(test):
            self.stop = Stop.CONDITION
            return
        while True:
            now = simulation.time_fs
            if self.tracing == "later" and now >= first:
                plan = self.plan
                self.traces.enter_context(simulation.trace(plan.wave, plan.signals, plan.depth, memories=plan.memories))
                self.tracing = "now"
            if self.tracing == "now" and now >= last:
                self.traces.close()
                self.tracing = "no"
            edges = [at for at, stage in ((first, "later"), (last, "now")) if self.tracing == stage]
            target = min([until, *edges])
            self.stop = simulation.engine.run_until(target, test)
            if self.stop is not Stop.TIME or target == until:
                return

    def finish(self) -> None:
        """Complete the trace, save the state, and say how it ended; a trace that fails takes nothing else with it."""
        try:
            self.traces.close()
        finally:
            self._conclude()

    def _conclude(self) -> None:
        if self.plan.save:
            self.simulation.save(self.plan.save)
        if self.plan.quiet:
            return
        simulation = self.simulation
        now = simulation.time_fs
        seconds = max(time.perf_counter() - self.begun, 1e-9)
        text = f"{self.why} at {time_text(now)}"
        if simulation.engine.clocks:
            period = simulation.clocks[0].clock.period_fs
            cycles = (now - self.first_time) / period
            text += f", {now // period:,} cycles, {cycles / seconds:,.0f} cycles/s"
        if simulation.errors:
            text += f", {simulation.errors} errors"
        print_note(text)
