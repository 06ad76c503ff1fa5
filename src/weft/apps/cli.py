"""The command line: `weft run`, `weft sim`, `weft batch`, `weft build`, `weft archive`, `weft bench`, and so on.

Each command imports what it needs when it runs, so that `weft --help` starts in a blink. Exit status: 0 finished, 1 the
design reported an error, 2 bad input (3 a bug of Weft, 130 Ctrl-C).
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import click

from weft.apps.archive_commands import archive_group
from weft.apps.cli_options import (
    DESIGN_FAILED,
    FILES,
    Archive,
    Assertions,
    Background,
    Clock,
    FourState,
    Load,
    Log,
    Loops,
    MaxSteps,
    NoCache,
    Period,
    Profile,
    ProfileOutput,
    Reset,
    Save,
    Top,
    Warnings,
    XInitial,
)
from weft.apps.declare_options import CommandGroup, option
from weft.apps.end_process import end_process
from weft.apps.lane_commands import batch, faults
from weft.apps.run_words import expand_words
from weft.apps.split_words import Words, split_words
from weft.base.errors import InternalError, UserError, WeftError

if TYPE_CHECKING:
    from collections.abc import Sequence

BAD_INPUT, BUG, INTERRUPTED = 2, 3, 130
REGRESSED = 1


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        import weft

        click.echo(f"weft {weft.__version__}")
        context.exit()


_VERSION = click.Option(
    ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
group = CommandGroup(
    "weft", "Simulate Verilog and SystemVerilog: native code in a second, no C++ compiler.", [_VERSION]
)
group.add_command(archive_group)


@group.declare("sim", f"Simulate a design.\n\n{FILES}")
def sim(
    context: click.Context,
    top: Top = "",
    cycles: Annotated[int | None, option(min=0, help="Stop after this many clock cycles.")] = None,
    until: Annotated[str, option(help="Stop at a time (1ms) or when an expression holds (uart_valid == 1).")] = "",
    clock: Clock = "",
    period: Period = "10ns",
    reset: Reset = "",
    wave: Annotated[str, option(help="Write a waveform to this .fst or .vcd file.")] = "",
    wave_from: Annotated[str, option(help="Begin the waveform at this time.")] = "",
    wave_to: Annotated[str, option(help="End the waveform at this time.")] = "",
    signals: Annotated[list[str] | None, option(help="Trace signals whose path matches this glob.")] = None,
    depth: Annotated[int | None, option(help="Trace so many levels of the hierarchy.")] = None,
    memories: Annotated[bool, option("--memories", help="Trace memories too.")] = False,
    load: Annotated[str, option(help="Begin from a saved state.")] = "",
    save: Annotated[str, option(help="Save the state at the end.")] = "",
    four_state: FourState = False,
    x_initial: XInitial = "0",
    loops: Loops = "error",
    assertions: Assertions = "error",
    seed: Annotated[int, option(help="Where $random and $urandom begin.")] = 0,
    engine: Annotated[str, option(help="cpu, or reference (Python, slow, simple).")] = "cpu",
    no_cache: NoCache = False,
    pipeline_archive: Archive = "",
    pipeline_load: Load = None,
    pipeline_save: Save = None,
    pipeline_async: Background = None,
    pipeline_log: Log = None,
    max_steps: MaxSteps = 0,
    profile: Profile = None,
    profile_output: ProfileOutput = "",
    quiet: Annotated[bool, option("--quiet", "-q", help="Say nothing but errors and what the design says.")] = False,
    all_warnings: Warnings = False,
) -> int:
    """Run `weft sim`."""
    from weft.apps.run_simulation import SimulationPlan, run_simulation
    from weft.sim.pipeline_options import pipeline_options, switch

    words: Words = context.obj
    plan = SimulationPlan(
        slang=tuple(words.slang),
        top=top,
        plusargs=tuple(words.plusargs),
        cycles=cycles,
        until=until,
        clock=clock,
        period=period,
        reset=reset,
        wave=wave,
        wave_from=wave_from,
        wave_to=wave_to,
        signals=tuple(signals or ("*",)),
        depth=depth,
        memories=memories,
        load=load,
        save=save,
        four_state=four_state,
        x_initial=x_initial,
        seed=seed,
        loops=loops,
        assertions=assertions,
        engine=engine,
        cache=not no_cache,
        pipeline=pipeline_options(pipeline_archive, pipeline_load, pipeline_save, pipeline_async, pipeline_log),
        max_steps=max_steps,
        profile=switch(profile, bool(profile_output), "WEFT_PROFILE"),
        profile_output=profile_output,
        quiet=quiet,
        all_warnings=all_warnings,
    )
    failed = run_simulation(plan)
    return DESIGN_FAILED if failed else 0


@group.declare(
    "run",
    "Run a testbench, as iverilog and vvp do: events, delays, four states.\n\n"
    f"{FILES} -I, -D, -y, -Y, -f, -c, -l and -u are as iverilog's.",
)
def run_testbench(
    context: click.Context,
    top: Annotated[list[str] | None, option("-s", "--top", help="A top module; may be repeated.")] = None,
    generation: Annotated[
        list[str] | None, option("-g", help="The language, -g2005 or -g2012, or a feature, -gno-specify.")
    ] = None,
    parameters: Annotated[
        list[str] | None, option("-P", help="Give a top module's parameter a value: -P top.NAME=VALUE.")
    ] = None,
    delays: Annotated[str, option("-T", "--delays", help="Use min, typ, max or none of the delays.")] = "typ",
    finish_on_stop: Annotated[bool, option("-n", help="$stop ends the run with status 0.")] = False,
    fail_on_stop: Annotated[bool, option("-N", help="$stop ends the run with status 1.")] = False,
    wave: Annotated[str, option(help="Write a waveform to this .fst or .vcd file.")] = "",
    signals: Annotated[list[str] | None, option(help="Trace signals whose path matches this glob.")] = None,
    max_delta: Annotated[int, option(min=1, help="Report a loop after so many steps of one time.")] = 10_000_000,
    seed: Annotated[int, option(help="Where $random and $urandom begin.")] = 0,
    shuffle: Annotated[int | None, option(help="Shuffle what may happen in any order, by this seed.")] = None,
    engine: Annotated[
        str, option(help="event; cycle: step all but the testbench by clock edges; auto: where that gains.")
    ] = "auto",
    report: Annotated[bool, option("--report", help="Say what runs as events and what by clock edges.")] = False,
    tune: Annotated[
        bool, option("--tune", help="Compile all that this run shows to be worth it, for the next runs to begin with.")
    ] = False,
    races: Annotated[bool, option("--races", help="Report processes whose order decides a value.")] = False,
    coverage: Annotated[bool, option("--coverage", help="Show at the end what of covergroups was hit.")] = False,
    coverage_file: Annotated[str, option(help="Write that to this file.")] = "",
    sdf: Annotated[list[str] | None, option(help="Annotate delays from FILE, or FILE:scope.")] = None,
    allow_system: Annotated[bool, option("--allow-system", help="Let $system run commands.")] = False,
    no_cache: NoCache = False,
    pipeline_archive: Archive = "",
    pipeline_load: Load = None,
    pipeline_save: Save = None,
    pipeline_log: Log = None,
    quiet: Annotated[bool, option("--quiet", "-q", help="Say nothing but errors and what the design says.")] = False,
    all_warnings: Warnings = False,
) -> int:
    """Run `weft run`."""
    gc.disable()  # until the simulation begins: modules, a design and its code are a million objects and no garbage
    from weft.apps.run_events import make_plan, run_plan
    from weft.apps.show_progress import print_note
    from weft.sim.pipeline_options import pipeline_options, use_pipeline

    words: Words = context.obj
    plan = make_plan(
        words.slang,
        words.plusargs,
        top=top or (),
        generation=generation or (),
        parameters=parameters or (),
        delays=delays,
        finish_on_stop=finish_on_stop,
        fail_on_stop=fail_on_stop,
        wave=wave,
        signals=signals or (),
        max_delta=max_delta,
        seed=seed,
        shuffle=shuffle,
        engine=engine,
        races=races,
        coverage=coverage,
        coverage_file=coverage_file,
        sdf=sdf or (),
        allow_system=allow_system,
        cache=not no_cache,
        report=report,
        tune=tune,
        quiet=quiet,
        all_warnings=all_warnings,
    )
    pipeline = pipeline_options(pipeline_archive, pipeline_load, pipeline_save, None, pipeline_log)
    with use_pipeline(pipeline, print_note, print_note):
        return run_plan(plan)


@group.declare("build", f"Compile a design into the cache; report sizes, and seconds for each stage.\n\n{FILES}")
def build(
    context: click.Context,
    top: Top = "",
    four_state: FourState = False,
    loops: Loops = "error",
    assertions: Assertions = "error",
    no_cache: NoCache = False,
    pipeline_archive: Archive = "",
    pipeline_load: Load = None,
    pipeline_save: Save = None,
    pipeline_async: Background = None,
    pipeline_log: Log = None,
    all_warnings: Warnings = False,
) -> None:
    """Run `weft build`."""
    from weft.apps.report_build import report_build
    from weft.sim.pipeline_options import pipeline_options

    words: Words = context.obj
    pipeline = pipeline_options(pipeline_archive, pipeline_load, pipeline_save, pipeline_async, pipeline_log)
    report_build(words.slang, top, four_state, loops, assertions, not no_cache, all_warnings, pipeline)


@group.declare(
    "bench",
    "Measure how fast a design starts and runs, and fail if it has become slower.\n\n"
    "The design is given as to 'weft sim', or by --design. The report is Markdown; --json writes what --baseline "
    "reads.",
)
def bench(
    context: click.Context,
    design: Annotated[str, option(help="A source, a file list (.f), or a name in the file of designs.")] = "",
    designs: Annotated[str, option(help="The file of designs; weft-bench.toml otherwise.")] = "",
    runs: Annotated[int, option(min=1, help="How many rounds.")] = 10,
    cycles: Annotated[int | None, option(min=1, help="Cycles that are timed.")] = None,
    warmup: Annotated[int | None, option(min=0, help="Cycles before them; a tenth as many otherwise.")] = None,
    top: Top = "",
    clock: Annotated[str, option(help="The clock input.")] = "",
    reset: Annotated[str, option(help="The reset input and cycles, rst:10; !rst_n if active low; none.")] = "",
    four_state: FourState = False,
    lanes: Annotated[int | None, option(min=1, help="Measure a batch of so many instances.")] = None,
    device: Annotated[str, option(help="Where the batch runs: cpu, cuda, or auto (which it is otherwise).")] = "",
    baseline: Annotated[str, option(help="Compare with this result of --json.")] = "",
    threshold: Annotated[str, option(help="How much slower a median may be.")] = "10%",
    json: Annotated[str, option(help="Write the result to this file.")] = "",
    markdown: Annotated[str, option(help="Write the report to this file too.")] = "",
) -> int:
    """Run `weft bench`."""
    from weft.apps.bench_command import BenchPlan, run_bench

    words: Words = context.obj
    plan = BenchPlan(
        design=design,
        designs=designs,
        runs=runs,
        cycles=cycles,
        warmup=warmup,
        top=top,
        clock=clock,
        reset=reset,
        four_state=four_state,
        lanes=lanes,
        device=device,
        baseline=baseline,
        threshold=threshold,
        json=json,
        markdown=markdown,
    )
    return REGRESSED if run_bench(plan, words.slang, words.plusargs) else 0


@group.declare("hierarchy", f"Show the instances of a design.\n\n{FILES}")
def hierarchy(
    context: click.Context,
    top: Top = "",
    signals: Annotated[bool, option("--signals", help="Show the signals too.")] = False,
    depth: Annotated[int, option(help="Show so many levels; 0 shows all.")] = 0,
    loops: Loops = "error",
    assertions: Assertions = "error",
    no_cache: NoCache = False,
) -> None:
    """Run `weft hierarchy`."""
    from weft.apps.report_build import show_hierarchy

    words: Words = context.obj
    show_hierarchy(words.slang, top, signals, depth, loops, assertions, not no_cache)


@group.declare("doctor", "Say what this machine can do, and how to get what is missing.")
def doctor() -> None:
    """Run `weft doctor`."""
    from weft.apps.doctor import examine

    examine()


group.declare("batch", f"Run many instances of a design at once, each with its own stimulus.\n\n{FILES}")(batch)
group.declare("faults", f"Simulate faults, one in each lane of a batch; report how many the outputs show.\n\n{FILES}")(
    faults
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    # NumPy's linear algebra, which Weft does not use, starts a thread for each core when it is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    end_process(run(sys.argv[1:] if arguments is None else arguments))


def _find_command(words: Sequence[str]) -> tuple[click.Command | None, list[str]]:
    """Return the command that words begin with, and its words: two if it is one of a group."""
    found: click.Command = group
    path: list[str] = []
    for word in words:
        command = found.find(word) if isinstance(found, CommandGroup) else None
        if command is None:
            break
        found = command
        path.append(word)
    return (None, []) if isinstance(found, CommandGroup) else (found, path)


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit status."""
    words = list(arguments)
    split = Words()
    command, path = _find_command(words)
    if command is not None and command.name != "doctor":
        names = [(p, name) for p in command.params for name in (*p.opts, *p.secondary_opts)]
        options = {name: not getattr(p, "is_flag", False) for p, name in names}
        given = words[len(path) :]
        try:
            given = expand_words(given) if command.name == "run" else given
        except UserError as error:
            print(error, file=sys.stderr)
            return BAD_INPUT
        split = split_words(given, {**options, "--help": False})
        words = [*path, *split.own]
    try:
        status = group(words, prog_name="weft", standalone_mode=False, obj=split)
    except click.ClickException as error:
        print(f"weft: {error.format_message()}", file=sys.stderr)
        return BAD_INPUT
    except click.Abort:  # which click makes of Ctrl-C
        print("weft: interrupted", file=sys.stderr)
        return INTERRUPTED
    except InternalError as error:
        print(f"{error}\nThis is a bug in Weft; please report it with the design.", file=sys.stderr)
        return BUG
    except WeftError as error:
        print(error, file=sys.stderr)
        failed = isinstance(error, UserError) and error.code == "design-failed"
        return DESIGN_FAILED if failed else BAD_INPUT
    except BrokenPipeError:
        # Who read our output has gone; writing the rest at exit would only complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status if isinstance(status, int) else 0
