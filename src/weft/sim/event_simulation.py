"""Simulate a design's events: the engine, its system tasks, and how a run ends.

`EventSimulation` runs a design that the front end has loaded. A run ends when nothing is left to do, at `$finish`, at
the time asked for, or by an error, and then the final procedures run and all files are completed.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import BinaryIO

from weft.base.dataclass import dataclass, field
from weft.base.errors import UserError, WeftError
from weft.engines.event.elaborate import Node
from weft.engines.event.engine import EventEngine
from weft.engines.event.host_sites import HostSite
from weft.ir.design import Design
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.sim.collect_garbage import Collector
from weft.sim.cover_report import coverage_text, get_coverage
from weft.sim.design_files import DesignFiles
from weft.sim.engine import Checkpoint
from weft.sim.event_arguments import Handles, read_argument, write_result
from weft.sim.event_containers import Containers
from weft.sim.event_delays import TASK as SDF_ANNOTATE
from weft.sim.event_delays import DelayFiles
from weft.sim.event_host import EventHost
from weft.sim.event_messages import EventMessages
from weft.sim.event_objects import OBJECT_CALLS
from weft.sim.event_program import EventProgram, ProgramOptions, make_program, program_of
from weft.sim.event_prompt import EventStop
from weft.sim.event_shapes import shaped_arguments
from weft.sim.event_snapshot import HostSnapshot, restore_all
from weft.sim.event_texts import fetch_text
from weft.sim.event_wave import EventWave
from weft.sim.plain_calls import PlainCall, prepare_call
from weft.sim.race_reports import RaceReports
from weft.sim.randomize.random_calls import RANDOM_CALLS
from weft.sim.randomize.randomizer import Randomizer
from weft.sim.regions.engine_choice import EngineChoice
from weft.sim.regions.mixed_design import WORTH, MixedDesign
from weft.sim.regions.report_parts import report_text
from weft.sim.regions.run_regions import RegionRunner
from weft.sim.run_plan import OnStop, RunPlan, SdfFile
from weft.sim.stages import Stages
from weft.sim.tasks.dump_scopes import WaveFactory, WaveSink, plain_path
from weft.sim.tasks.registry import TASKS
from weft.sim.tasks.task_call import TaskCall, Writer
from weft.sim.tasks.task_state import TaskState
from weft.sim.tasks.vcd_text import VcdSink

_CALLS = {**OBJECT_CALLS, **RANDOM_CALLS, "$get_coverage": get_coverage}


@dataclass(frozen=True, slots=True)
class EventOptions:
    """Choose how events are simulated. `max_deltas` bounds a time step.

    With the engine `auto`, what is worth it runs in regions (`sim.regions`): parts of the design with at least
    `region_worth` statements and assignments. With `cycle`, whatever can does, and what cannot must be of a testbench.
    A run that is to `tune` is one for `sim.regions.tune_regions`.
    """

    plusargs: tuple[str, ...] = ()
    max_deltas: int = 1_000_000
    shuffle: int = 0
    seed: int = 0
    observe: bool = False
    run_shell: Callable[[str], int] | None = None
    open_wave: WaveFactory | None = None
    delays: str = "typ"
    sdf: tuple[SdfFile, ...] = ()
    wave: str = ""
    signals: tuple[str, ...] = ("*",)
    engine: str = "event"
    region_worth: int = WORTH
    races: bool = False
    tune: bool = False


@dataclass(slots=True, eq=False)
class EventSimulation:
    """Be a simulation of a design's events."""

    design: Design
    out: Writer
    options: EventOptions = field(default_factory=EventOptions)
    program: EventProgram | None = None
    """The design's program, if it is there already; used up."""
    state: Checkpoint | None = None
    """The state to begin in, instead of at the beginning; used up."""
    host: EventHost = field(init=False)
    messages: EventMessages = field(init=False)
    races: RaceReports = field(init=False)
    handles: Handles = field(default_factory=Handles)
    containers: Containers = field(init=False)
    delays: DelayFiles = field(init=False)
    randomizer: Randomizer = field(init=False)
    collector: Collector = field(init=False)
    mixed: MixedDesign = field(init=False)
    regions: RegionRunner = field(init=False)
    wave: EventWave | None = None
    _plain: dict[int, PlainCall | None] = field(default_factory=dict[int, "PlainCall | None"])
    """The calls that are prepared, by the identity of their sites, which live as long as the code."""
    tuned: bool = False
    _ended: bool = False

    def __post_init__(self) -> None:
        options = self.options
        shuffled, worth = bool(options.shuffle), options.region_worth
        choice = EngineChoice(options.engine, options.plusargs, shuffled, worth, races=options.races)
        observe = options.observe or bool(options.wave)
        netlists = not options.shuffle
        program = self.program or program_of(self.design, observe, options.sdf, netlists=netlists, choice=choice)
        code, self.program, self.design, self.mixed = program.code, None, program.design, program.mixed
        self.containers = Containers(self, code.containers)
        self.delays = DelayFiles(self.out, program.delays, options.sdf, options.delays)
        self.randomizer = Randomizer(self)
        for text in code.texts:
            self.handles.intern(text)
        state = TaskState(
            DesignFiles(self.out.write, getattr(self.out, "flush", None)),
            code.tick_fs,
            options.plusargs,
            options.run_shell,
            options.open_wave,
        )
        state.random_seed = options.seed
        self.host = EventHost(self.out, state, code.tick_fs)
        self.messages = EventMessages(self.host)
        machine = program.machine
        begun, self.state = self.state, None
        place = begun.host.base if begun is not None and isinstance(begun.host, HostSnapshot) else 0
        EventEngine(
            code,
            self._perform,
            options.max_deltas,
            options.shuffle,
            options.seed,
            machine,
            self.host,
            place,
            self.containers.copy,
            partial(fetch_text, self),
        )
        self.regions = RegionRunner(self.mixed, program.regions, self.engine, options.tune)
        self.regions.begin()
        if begun is None:
            self.regions.tell(self.host.out)
            self.delays.begin(self.engine)
        self.races = RaceReports(self, sys.stderr)
        self.races.begin()
        self.collector = Collector(self)
        self.collector.begin()
        if begun is not None:
            restore_all(self, begun)
        if options.wave:
            self.wave = EventWave(self.host, self._open_wave, options.signals)
            self.wave.begin_later()

    def _open_wave(self) -> WaveSink:
        """Return the writer of the waveform that the user wants."""
        path, factory = self.options.wave, self.options.open_wave
        sink = factory(path, self.host.tick_fs) if factory is not None else None
        return sink or VcdSink(path, self.host.tick_fs)

    def ask_at_stop(self, prompt: Prompt) -> None:
        """Have `$stop` ask the user, in the main thread, while the design rests at the statement."""
        stop = EventStop(self.host, self.regions.read)

        def ask() -> None:
            if not prompt(stop, stop.scope()):
                self.host.finish(0)

        self.engine.runner.on_park = ask
        self.host.on_stop = self.engine.runner.park

    @property
    def engine(self) -> EventEngine:
        """Return the engine, which the host knows from its first moment."""
        return self.host.engine

    def run(self, until: int = (1 << 64) - 1) -> int:
        """Run, finish and return the exit status: 0, or what the design has asked for."""
        try:
            self.regions.start()
            self.engine.run(until)
            return self.finish()
        except WeftError as error:
            error.sources = error.sources or self.design.sources
            raise
        finally:
            self.regions.end()
            self.host.state.close(self.engine.time)
            if self.wave is not None:
                self.wave.close(self.engine.time)

    def finish(self) -> int:
        """Run the final procedures and return the exit status."""
        if not self._ended:
            self._ended = True
            status = self.host.status
            self.engine.finish()
            self.host.status = status if status is not None else self.host.status
        return self.host.status or 0

    # ------------------------------------------------------------------------------------------- calls

    def _perform(self, site: HostSite, buffer: int, thread: int, node: Node) -> None:
        """Do a system task or function."""
        objects = _CALLS.get(site.name)
        if objects is not None:
            key = id(site)
            if key not in self._plain:
                self._plain[key] = prepare_call(site, objects, self.handles)
            plain = self._plain[key]
            if plain is not None:
                self.host.current = (thread, node)
                plain(self, buffer)
                return
        elif site.result is None and self.messages.show(site, buffer, node):
            return
        module = node.unit.module
        arguments = [read_argument(self.engine, self.handles, node, shape, buffer) for shape in site.arguments]
        self.host.current = (thread, node)
        if objects is not None:
            result, outputs = objects(self, site, arguments)
            if site.result is not None:
                write_result(self.handles, site.result, buffer, result)
        else:
            scope = plain_path(f"{node.path}.{site.scope}" if site.scope else node.path)
            handler = TASKS.get(site.name)
            if site.name == SDF_ANNOTATE:
                handler = partial(self.delays.perform, self.engine, node)
            if handler is None:
                raise UserError("no-such-task", f"there is no system task '{site.name}'", site.span)
            call = TaskCall(
                site.name,
                shaped_arguments(self, site, arguments),
                self.host,
                scope,
                site.span,
                module.time_unit_fs,
                module.time_precision_fs,
            )
            if site.name.startswith("$fmonitor"):
                self.host.file_monitors[thread] = call.int32(0) & 0xFFFFFFFF
            result = handler(call)
            outputs = dict(call.outputs)
            if site.result is not None:
                write_result(self.handles, site.result, buffer, result)
        for index, new in outputs.items():
            shape = site.arguments[index]
            if shape.output:
                write_result(self.handles, shape, buffer, new)


Prompt = Callable[[EventStop, str], bool]
"""Ask the user what to do, where the design has stopped in a scope; return whether to go on."""

Progress = Callable[[], AbstractContextManager[Callable[[str], None] | None]]
"""Give, for as long as a compilation takes, what is told the name of each stage."""


Status = Callable[[Callable[[], str]], AbstractContextManager[None]]
"""Show, for as long as something takes, what a function says of it."""


def _no_status(describe: Callable[[], str]) -> AbstractContextManager[None]:
    return nullcontext()


def run(
    plan: RunPlan,
    open_wave: WaveFactory | None = None,
    prompt: Prompt | None = None,
    progress: Progress = nullcontext,
    status: Status | None = None,
) -> int:
    """Run a plan and return the exit status, as vvp has it; `open_wave` makes waveforms that are no VCD files."""
    out = sys.stdout.buffer
    gc.disable()  # A design and its code are a million objects and no garbage.
    try:
        with progress() as tell:
            asks = prompt is not None and plan.on_stop == OnStop.PROMPT
            simulation = _build(plan, out, open_wave, Stages(tell), asks)
        if plan.report:
            print(report_text(simulation.mixed), end="", file=sys.stderr)
        gc.freeze()  # nor will they ever be
    finally:
        gc.enable()
    if prompt is not None and plan.on_stop == OnStop.PROMPT:
        simulation.ask_at_stop(prompt)
    try:
        code = simulation.run()
        _report_coverage(simulation, plan, out)
        if plan.tune:
            _tune(simulation, plan, out, status)
        if simulation.host.stopped and plan.on_stop == OnStop.FAIL:
            return code or 1
        return code
    except KeyboardInterrupt:
        if plan.tune and not simulation.tuned:  # the run was interrupted, and what it has shown is as good
            _tune(simulation, plan, out, status)
        raise
    finally:
        gc.unfreeze()  # slang's objects report it when they are not collected
        out.flush()


def _tune(simulation: EventSimulation, plan: RunPlan, out: BinaryIO, status: Status | None) -> None:
    """Compile all that later runs want, and say how it went."""
    from weft.sim.regions.tune_regions import Tuning

    simulation.tuned = True
    out.flush()
    tuning = Tuning(simulation.regions)
    try:
        with (status or _no_status)(tuning.describe):
            tuning.run()
    finally:
        if not plan.quiet:
            print(f"weft: {tuning.summary()}", file=sys.stderr)


def _report_coverage(simulation: EventSimulation, plan: RunPlan, out: BinaryIO) -> None:
    """Print what has been covered, or write it to a file, as the user asked."""
    if not plan.coverage and not plan.coverage_file:
        return
    text = coverage_text(simulation)
    if plan.coverage:
        out.write(text.encode())
    if plan.coverage_file:
        try:
            Path(plan.coverage_file).write_text(text, encoding="utf-8")
        except OSError as error:
            raise UserError("cannot-write", f"cannot write the coverage '{plan.coverage_file}': {error}") from None


def _build(plan: RunPlan, out: BinaryIO, open_wave: WaveFactory | None, stages: Stages, asks: bool) -> EventSimulation:
    has_delays = plan.delays != "none"
    front_end = FrontEndOptions(
        top=plan.tops,
        parameters={parameter.name: parameter.value for parameter in plan.parameters},
        assertions="error" if plan.assertions else "off",
        delays=plan.delays if has_delays else "typ",
        specify=plan.specify and has_delays,
        arguments=plan.front_end,
    )
    sdf = plan.sdf if has_delays else ()
    choice = EngineChoice(plan.engine, plan.plusargs, bool(plan.shuffle), whole=asks, races=plan.races)
    program_options = ProgramOptions(
        front_end, bool(plan.wave), has_delays, sdf, cache=plan.cache, netlists=not plan.shuffle, choice=choice
    )
    program = make_program(options=program_options, stages=stages)
    if plan.all_warnings and not plan.quiet:
        print("".join(program.design.warnings), file=sys.stderr, end="")
    event_options = EventOptions(
        plan.plusargs,
        plan.max_delta,
        plan.shuffle or 0,
        plan.seed,
        run_shell=_shell if plan.allow_system else None,
        open_wave=open_wave,
        delays=plan.delays if has_delays else "typ",
        sdf=sdf,
        wave=plan.wave,
        signals=plan.signals,
        engine=plan.engine,
        tune=plan.tune,
    )
    return EventSimulation(program.design, out, event_options, program)


def _shell(command: str) -> int:
    """Run a command; return what C's system() does: the exit status in the second byte, or the signal that ended it."""
    status = subprocess.run(command, shell=True, check=False).returncode
    return status << 8 if status >= 0 else -status
