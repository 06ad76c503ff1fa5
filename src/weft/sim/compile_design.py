"""`weft.compile`: sources and options in, a simulation out.

Sources are parsed, lowered and flattened once; the result is cached on disk, so a second start with unchanged files
only loads it. `build_design` is that part alone, for `weft build` and `weft hierarchy`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from weft.base.collector import without_collector
from weft.base.dataclass import dataclass, field
from weft.base.errors import Unsupported, UserError
from weft.base.path_patterns import is_pattern
from weft.base.workers import Workers
from weft.engines.reference.program import ReferenceProgram
from weft.ir.program import Program
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.sim.compile_progress import CompilationCancelled, ProgressTracker
from weft.sim.compiled_design import CompiledDesign
from weft.sim.cycle_simulation import CycleSimulation, RunOptions
from weft.sim.design_cache import DesignCache, compiler_version, hash_words, list_files
from weft.sim.design_files import Output
from weft.sim.initial_state import parse_x_initial
from weft.sim.simulation import Simulation
from weft.sim.stages import Stages

_DELAYS = ("min", "typ", "max", "none")
_LOOPS = ("error", "iterate", "break")
_ENGINES = ("auto", "cycle", "cpu", "reference", "event")


@dataclass(slots=True)
class Build:
    """Hold a built design, whether it came from the cache, and the seconds of each stage."""

    design: CompiledDesign
    cached: bool
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    stored_bytes: int = 0


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """Choose how a design is elaborated."""

    front_end: FrontEndOptions = field(default_factory=FrontEndOptions)
    four_state: bool = False
    loops: str = "error"
    cache: bool = True
    forced: tuple[str, ...] = ()


def compile_design(
    *files: str | Path,
    top: str | None = None,
    include_dirs: Sequence[str | Path] = (),
    library_dirs: Sequence[str | Path] = (),
    defines: Mapping[str, str | int | None] | None = None,
    parameters: Mapping[str, str | int] | None = None,
    texts: Mapping[str, str] | None = None,
    timescale: str = "",
    assertions: str = "error",
    slang_args: Sequence[str] = (),
    four_state: bool = False,
    x_initial: str = "0",
    loops: str = "error",
    engine: str = "cpu",
    clock: str | Mapping[str, str | int] | None = None,
    period: str | int = "10ns",
    forceable: Sequence[str] = (),
    plusargs: Sequence[str] = (),
    cache: bool = True,
    background: bool = True,
    output: Output | None = None,
    progress: Callable[[str], None] | None = None,
    seed: int = 0,
    shuffle: int | None = None,
    delays: str = "typ",
    sdf: Sequence[str] = (),
    state: str | Path | None = None,
) -> Simulation:
    """Compile Verilog or SystemVerilog files and return a simulation at time 0, or in a saved state.

    `engine` says how it runs. `cycle` (or `cpu`, the same, and `reference`, in Python) runs a design by clock cycles,
    which you drive. `event` runs a testbench with delays and everything else of the language, in four states, as
    `weft run` does. `auto` is `cycle` where that can run the design and the top has inputs to drive, else `event`.

    `texts` gives sources as text, by name. `forceable` names signals that will be forced, by full paths or patterns
    (`tb.dut.*`): with cycles forcing another one later compiles the design again, with events it is refused. `clock`
    names the input that `run_cycles` toggles with `period`, or maps several to their periods; without it the one
    clock of the design is used, and with `{}` none, so that you can poke clocks yourself; these, `x_initial` and
    `loops` are for cycles only. `plusargs` are given without their plus, and `seed` begins `$random` and `$urandom`.
    For events only, `shuffle` draws an order where the standard leaves it open, `delays` is `min`, `typ`, `max` or
    `none`, and `sdf` names files of delays, as `FILE` or `FILE:scope`. `state` names a file that `save` wrote, where
    the simulation begins; a testbench does nothing of what comes before. `slang_args` are words of slang's command
    line. `output` gets what the design prints, as bytes; by default it goes to the standard output. `progress` is
    called with the name of each stage. With `background` false all code is compiled before the first cycle, where
    otherwise better code is made while the simulation runs.
    """
    parse_x_initial(x_initial)
    if engine not in _ENGINES:
        raise UserError("bad-option", f"engine is {', '.join(_ENGINES[:-1])} or {_ENGINES[-1]}, not '{engine}'")
    if delays not in _DELAYS:
        raise UserError("bad-option", f"delays is {', '.join(_DELAYS[:-1])} or {_DELAYS[-1]}, not '{delays}'")
    if engine == "event" and (clock is not None or x_initial != "0" or loops != "error"):
        raise UserError("bad-option", "clock, x_initial and loops are for designs that run by cycles")
    if engine != "event" and engine != "auto" and (shuffle is not None or delays != "typ" or sdf):
        raise UserError("bad-option", "shuffle, delays and sdf are for testbenches, engine='event'")
    front_end = FrontEndOptions(
        top=(top,) if top else (),
        include_dirs=tuple(str(folder) for folder in include_dirs),
        library_dirs=tuple(str(folder) for folder in library_dirs),
        defines=defines or {},
        parameters=parameters or {},
        timescale=timescale,
        assertions=assertions,
        arguments=tuple(slang_args),
    )
    stages = Stages(progress)
    plain = tuple(word.removeprefix("+") for word in plusargs)

    def compile_events() -> Simulation:
        from weft.sim.compile_testbench import TestbenchOptions, compile_testbench  # which cycles do without

        options = TestbenchOptions(
            plain, seed, shuffle, delays, tuple(sdf), tuple(forceable), cache, output, str(state or "")
        )
        return compile_testbench(files, front_end, texts or {}, options, stages)

    if engine == "event":
        return compile_events()
    if engine in ("cpu", "cycle", "auto"):
        prepare_engine()

    def make(forced: tuple[str, ...]) -> tuple[Build, Callable[[], None]]:
        options = BuildOptions(front_end, four_state, loops, cache, tuple(sorted(set(forced))))
        return _make_design(files, options, texts or {}, stages)

    def redesign(forced: tuple[str, ...]) -> CompiledDesign:
        build, keep = make(forced)
        keep()
        return build.design

    def build(forced: tuple[str, ...]) -> tuple[CompiledDesign, Program]:
        build, keep = make(forced)
        with stages.stage("generate code"):
            program = without_collector(lambda: make_program(build.design, engine))
        keep()  # while other threads compile
        if isinstance(progress, ProgressTracker):
            _follow_code(program, progress, stages)
        return build.design, program

    try:
        # What patterns mean is found out by forcing it.
        design, program = build(tuple(path for path in forceable if not is_pattern(path)))
    except Unsupported:
        if engine != "auto":
            raise
        return compile_events()
    if engine == "auto" and not _has_inputs(design):
        return compile_events()
    run_options = RunOptions(x_initial, plain, clock, period, output, seed)
    with stages.stage("initialise"):
        simulation = CycleSimulation(design, program, run_options, build, redesign=redesign)
        if state is not None:
            simulation.load(state)
    if not background:
        with stages.stage("compile fully"):
            compile_fully(design, program)
    simulation.build_seconds = dict(stages.seconds)
    return simulation


def _has_inputs(design: CompiledDesign) -> bool:
    """Say whether a top has something to drive."""
    tops = [scope.module for scope in design.graph.scopes if scope.parent < 0]
    return any(port.direction != "output" for module in tops for port in module.ports)


def build_design(
    files: Sequence[str | Path],
    options: BuildOptions,
    texts: Mapping[str, str] | None = None,
    stages: Stages | None = None,
) -> Build:
    """Return the compiled design of some sources, from the cache if nothing has changed."""
    build, keep = _make_design(files, options, texts or {}, stages or Stages())
    keep()
    return build


def _make_design(
    files: Sequence[str | Path], options: BuildOptions, texts: Mapping[str, str], stages: Stages
) -> tuple[Build, Callable[[], None]]:
    """Return a design, and what puts it into the cache if it did not come from there."""
    if options.loops not in _LOOPS:
        raise UserError("bad-option", f"loops is {', '.join(_LOOPS)}, not '{options.loops}'")
    store = DesignCache() if options.cache else None
    options_key = _options_key(files, options, texts)
    if store is not None:
        with stages.stage("load from cache"):
            key = store.find(options_key)
            found = without_collector(lambda: store.load(key, CompiledDesign)) if key is not None else None
        if found is not None:
            return Build(found, True, stages.seconds), lambda: None
        del stages.seconds["load from cache"]
        if isinstance(stages.progress, ProgressTracker):
            stages.progress.expect(store.last_seconds(options_key))
    from weft.sim.elaborate import elaborate, read_sources  # slang is only loaded when it is needed

    source = read_sources(files, options.front_end, texts, stages)
    # Designs of the same texts in two folders differ in the paths that messages show.
    digest = hash_words([source.digest, str(Path.cwd()), *_graph_words(options)])
    design = without_collector(
        lambda: elaborate(
            source,
            four_state=options.four_state,
            loops=options.loops,
            forced=options.forced,
            digest=digest,
            stages=stages,
        )
    )
    build = Build(design, False, stages.seconds)

    def keep() -> None:
        if store is None:
            return
        with stages.stage("store in cache"):
            words = list_files(options.front_end.arguments)
            folders = [*options.front_end.include_dirs, *options.front_end.library_dirs]
            build.stored_bytes = store.store(digest, design, design.tops)
            store.remember(options_key, digest, [*source.files, *words], folders, stages.seconds)

    return build, keep


def prepare_engine() -> None:
    """Load LLVM in another thread: what that does outside Python's lock overlaps with parsing."""

    def load() -> None:
        from weft.engines.cpu.program import compile_run_loop

        compile_run_loop()

    _loading.submit(load)


_loading = Workers("weft-load", 1)

_POLL_SECONDS = 0.01

_STEADY_RESETS = 4
"""Resets that clock edges are compiled without; each costs a comparison an edge."""


def make_program(design: CompiledDesign, engine: str) -> Program:
    """Return a program that runs a design's graph."""
    if engine == "reference":
        return ReferenceProgram(design.graph)
    from weft.engines.cpu.program import CpuProgram  # llvmlite is only loaded when it is needed

    steady: dict[int, int] = {}
    for reset in design.clocks.resets[:_STEADY_RESETS]:
        steady[reset.state] = int(reset.active_low)
        twin = design.graph.states[reset.state].twin
        if twin >= 0:
            steady[twin] = 0
    return CpuProgram(design.graph, steady=steady, key=design.digest)


def _follow_code(program: Program, tracker: ProgressTracker, stages: Stages) -> None:
    """Show how much of the first cycles' code there is; wait for it if somebody may want to cancel meanwhile."""
    from weft.engines.cpu.program import CpuProgram

    if not isinstance(program, CpuProgram):
        return
    tracker.pieces = program.pieces
    if not tracker.cancellable:
        return
    try:
        with stages.stage("assemble"):
            while program.pieces()[0] < program.pieces()[1]:
                tracker.check()
                time.sleep(_POLL_SECONDS)
    except CompilationCancelled:
        program.abandon()
        raise


def compile_fully(design: CompiledDesign, program: Program) -> None:
    """Compile all code that a run will use, as far as the engine compiles."""
    from weft.engines.cpu.program import CpuProgram

    if isinstance(program, CpuProgram):
        program.compile_fully([clock.state for clock in design.clocks.clocks])


def _graph_words(options: BuildOptions) -> list[str]:
    return [compiler_version(), str(options.four_state), options.loops, *options.forced]


def _options_key(files: Sequence[str | Path], options: BuildOptions, texts: Mapping[str, str]) -> str:
    words = [*(str(file) for file in files), "--options", options.front_end.assertions]
    words += [*options.front_end.words(), "--graph", *_graph_words(options)]
    words += [part for name, text in texts.items() for part in (name, text)]
    return hash_words(words)
