"""The command line: `weft run`, `weft sim`, `weft batch`, `weft build`, `weft archive`, `weft bench`, and so on.

Each command imports what it needs when it runs, so that `weft --help` starts in a blink. Exit status: 0 finished, 1 the
design reported an error, 2 bad input (3 a bug of Weft, 130 Ctrl-C).
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from weft.apps.archive_commands import archive_app
from weft.apps.run_words import expand_words
from weft.apps.split_words import Words, split_words
from weft.base.errors import InternalError, UserError, WeftError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click import Command

DESIGN_FAILED, BAD_INPUT, BUG, INTERRUPTED = 1, 2, 3, 130
REGRESSED = 1

_FILES = """FILES and all of slang's options (-f LIST, -I DIR, -D NAME=TEXT, -y DIR, -v FILE, -G NAME=VALUE,
--timescale 1ns/1ps, --std 1800-2017, -Wno-...) go to slang as they are; +words are plusargs of the design."""

app = typer.Typer(
    name="weft",
    help="Simulate Verilog and SystemVerilog: native code in a second, no C++ compiler.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(archive_app, name="archive")

FourState = Annotated[bool, typer.Option("--four-state", help="Simulate 0 1 x z instead of 0 1.")]
Top = Annotated[str, typer.Option(help="The top module.")]
Loops = Annotated[str, typer.Option(help="Combinational loops: error, iterate or break.")]
Assertions = Annotated[
    str, typer.Option(help="Concurrent assertions: error (only 'weft run' has them); off, as are checks of unique.")
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the cache.")]
Archive = Annotated[str, typer.Option("--pipeline-archive", help="The archive of compiled code to use.")]
Load = Annotated[
    bool | None, typer.Option("--pipeline-load/--no-pipeline-load", help="Take what is in the archive from it.")
]
Save = Annotated[
    bool | None, typer.Option("--pipeline-save/--no-pipeline-save", help="Add what was used to the archive.")
]
Background = Annotated[
    bool | None,
    typer.Option("--pipeline-async/--no-pipeline-async", help="Make better code while running (yes), or all before."),
]
Log = Annotated[bool | None, typer.Option("--pipeline-log/--no-pipeline-log", help="Say what was found and made.")]
Warnings = Annotated[bool, typer.Option("--all-warnings", help="Show all warnings, not only the first ten.")]


@app.command(help=f"Simulate a design.\n\n{_FILES}")
def sim(
    context: typer.Context,
    top: Top = "",
    cycles: Annotated[int | None, typer.Option(min=0, help="Stop after this many clock cycles.")] = None,
    until: Annotated[
        str, typer.Option(help="Stop at a time (1ms) or when an expression holds (uart_valid == 1).")
    ] = "",
    clock: Annotated[str, typer.Option(help="The clock input; several as a,b. Found by itself if there is one.")] = "",
    period: Annotated[str, typer.Option(help="The clock's period.")] = "10ns",
    reset: Annotated[
        str, typer.Option(help="The reset input and cycles, rst:10; !rst_n if active low; none. Found by itself.")
    ] = "",
    wave: Annotated[str, typer.Option(help="Write a waveform to this .fst or .vcd file.")] = "",
    wave_from: Annotated[str, typer.Option(help="Begin the waveform at this time.")] = "",
    wave_to: Annotated[str, typer.Option(help="End the waveform at this time.")] = "",
    signals: Annotated[list[str] | None, typer.Option(help="Trace signals whose path matches this glob.")] = None,
    depth: Annotated[int | None, typer.Option(help="Trace so many levels of the hierarchy.")] = None,
    memories: Annotated[bool, typer.Option("--memories", help="Trace memories too.")] = False,
    load: Annotated[str, typer.Option(help="Begin from a saved state.")] = "",
    save: Annotated[str, typer.Option(help="Save the state at the end.")] = "",
    four_state: FourState = False,
    x_initial: Annotated[str, typer.Option(help="Registers begin as 0, 1 or random:SEED (2-state).")] = "0",
    loops: Loops = "error",
    assertions: Assertions = "error",
    engine: Annotated[str, typer.Option(help="cpu, or reference (Python, slow, simple).")] = "cpu",
    no_cache: NoCache = False,
    pipeline_archive: Archive = "",
    pipeline_load: Load = None,
    pipeline_save: Save = None,
    pipeline_async: Background = None,
    pipeline_log: Log = None,
    profile: Annotated[
        bool | None, typer.Option("--profile/--no-profile", help="Show where the time goes, and write a flame graph.")
    ] = None,
    profile_output: Annotated[str, typer.Option(help="The flame graph's file; TOP.speedscope.json otherwise.")] = "",
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but errors and what the design says.")
    ] = False,
    all_warnings: Warnings = False,
) -> None:
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
        loops=loops,
        assertions=assertions,
        engine=engine,
        cache=not no_cache,
        pipeline=pipeline_options(pipeline_archive, pipeline_load, pipeline_save, pipeline_async, pipeline_log),
        profile=switch(profile, bool(profile_output), "WEFT_PROFILE"),
        profile_output=profile_output,
        quiet=quiet,
        all_warnings=all_warnings,
    )
    failed = run_simulation(plan)
    raise typer.Exit(DESIGN_FAILED if failed else 0)


@app.command(
    "run",
    help="Run a testbench, as iverilog and vvp do: events, delays, four states.\n\n"
    f"{_FILES} -I, -D, -y, -Y, -f, -c, -l and -u are as iverilog's.",
)
def run_testbench(
    context: typer.Context,
    top: Annotated[list[str] | None, typer.Option("-s", "--top", help="A top module; may be repeated.")] = None,
    generation: Annotated[
        list[str] | None, typer.Option("-g", help="The language, -g2005 or -g2012, or a feature, -gno-specify.")
    ] = None,
    parameters: Annotated[
        list[str] | None, typer.Option("-P", help="Give a top module's parameter a value: -P top.NAME=VALUE.")
    ] = None,
    delays: Annotated[str, typer.Option("-T", "--delays", help="Use min, typ, max or none of the delays.")] = "typ",
    finish_on_stop: Annotated[bool, typer.Option("-n", help="$stop ends the run with status 0.")] = False,
    fail_on_stop: Annotated[bool, typer.Option("-N", help="$stop ends the run with status 1.")] = False,
    wave: Annotated[str, typer.Option(help="Write a waveform to this .fst or .vcd file.")] = "",
    signals: Annotated[list[str] | None, typer.Option(help="Trace signals whose path matches this glob.")] = None,
    max_delta: Annotated[int, typer.Option(min=1, help="Report a loop after so many steps of one time.")] = 10_000_000,
    seed: Annotated[int, typer.Option(help="Where $random and $urandom begin.")] = 0,
    shuffle: Annotated[int | None, typer.Option(help="Shuffle what may happen in any order, by this seed.")] = None,
    engine: Annotated[
        str, typer.Option(help="event; cycle: step all but the testbench by clock edges; auto: where that gains.")
    ] = "event",
    report: Annotated[bool, typer.Option("--report", help="Say what runs as events and what by clock edges.")] = False,
    races: Annotated[bool, typer.Option("--races", help="Report processes whose order decides a value.")] = False,
    sdf: Annotated[list[str] | None, typer.Option(help="Annotate delays from FILE, or FILE:scope.")] = None,
    allow_system: Annotated[bool, typer.Option("--allow-system", help="Let $system run commands.")] = False,
    no_cache: NoCache = False,
    pipeline_archive: Archive = "",
    pipeline_load: Load = None,
    pipeline_save: Save = None,
    pipeline_log: Log = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but errors and what the design says.")
    ] = False,
    all_warnings: Warnings = False,
) -> None:
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
        sdf=sdf or (),
        allow_system=allow_system,
        cache=not no_cache,
        report=report,
        quiet=quiet,
        all_warnings=all_warnings,
    )
    pipeline = pipeline_options(pipeline_archive, pipeline_load, pipeline_save, None, pipeline_log)
    with use_pipeline(pipeline, print_note, print_note):
        status = run_plan(plan)
    raise typer.Exit(status)


@app.command(
    help="Run many instances of a design at once, each with stimulus of its own; write what became of each.\n\n"
    + _FILES
)
def batch(
    context: typer.Context,
    lanes: Annotated[int, typer.Option(min=1, help="How many instances.")],
    top: Top = "",
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: a GPU for many lanes if there is one.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Threads of the CPU; 0 takes all.")] = 0,
    cycles: Annotated[int | None, typer.Option(min=0, help="Run so many clock cycles, at most.")] = None,
    until: Annotated[str, typer.Option(help="Stop each lane where this expression holds in it.")] = "",
    clock: Annotated[str, typer.Option(help="The clock input; several as a,b. Found by itself if there is one.")] = "",
    period: Annotated[str, typer.Option(help="The clock's period.")] = "10ns",
    reset: Annotated[
        str, typer.Option(help="The reset input and cycles, rst:10; !rst_n if active low; none. Found by itself.")
    ] = "",
    set_: Annotated[list[str] | None, typer.Option("--set", help="Set an input in all lanes: a=5.")] = None,
    generate: Annotated[
        list[str] | None,
        typer.Option(help="Drive an input by an expression of lane, cycle, random and signals: a=lane+1."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Where random numbers begin.")] = 0,
    stimulus: Annotated[
        list[str] | None,
        typer.Option(help="Drive inputs from a .vcd, .fst, .npy, .npz or .parquet; repeat it for lanes."),
    ] = None,
    port: Annotated[list[str] | None, typer.Option(help="Feed an input from a signal of the file: a=tb.dut.a.")] = None,
    sample_clock: Annotated[
        str, typer.Option(help="The waveform's clock; the one named like the clock otherwise.")
    ] = "",
    sample_edge: Annotated[str, typer.Option(help="Sample a waveform before each rising or falling edge.")] = "rising",
    sample_period: Annotated[str, typer.Option(help="Sample a waveform at times so far apart.")] = "",
    unknown: Annotated[int | None, typer.Option(min=0, max=1, help="Replace x and z of a waveform.")] = None,
    out: Annotated[str, typer.Option(help="Write a row for each lane to this .npz or .parquet file.")] = "",
    signals: Annotated[list[str] | None, typer.Option(help="Write signals whose path matches this glob.")] = None,
    wave: Annotated[
        str, typer.Option(help="Run one lane again and write its waveform to this .fst or .vcd file.")
    ] = "",
    wave_lane: Annotated[int, typer.Option(min=0, help="Which lane.")] = 0,
    four_state: FourState = False,
    x_initial: Annotated[str, typer.Option(help="Registers begin as 0, 1 or random:SEED (2-state).")] = "0",
    loops: Loops = "error",
    assertions: Assertions = "error",
    no_cache: NoCache = False,
    pipeline_archive: Archive = "",
    pipeline_load: Load = None,
    pipeline_save: Save = None,
    pipeline_async: Background = None,
    pipeline_log: Log = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
    all_warnings: Warnings = False,
) -> None:
    """Run `weft batch`."""
    from weft.apps.run_batch import BatchPlan, run_batch
    from weft.sim.pipeline_options import pipeline_options
    from weft.sim.stimulus.files import FileOptions

    words: Words = context.obj
    plan = BatchPlan(
        slang=tuple(words.slang),
        lanes=lanes,
        top=top,
        plusargs=tuple(words.plusargs),
        device=device,
        threads=threads,
        cycles=cycles,
        until=until,
        clock=clock,
        period=period,
        reset=reset,
        values=tuple(set_ or ()),
        generators=tuple(generate or ()),
        seed=seed,
        stimulus=tuple(stimulus or ()),
        ports=tuple(port or ()),
        files=FileOptions(clock=sample_clock, edge=sample_edge, period=sample_period, unknown=unknown),
        out=out,
        signals=tuple(signals or ()),
        wave=wave,
        wave_lane=wave_lane,
        four_state=four_state,
        x_initial=x_initial,
        loops=loops,
        assertions=assertions,
        cache=not no_cache,
        pipeline=pipeline_options(pipeline_archive, pipeline_load, pipeline_save, pipeline_async, pipeline_log),
        quiet=quiet,
        all_warnings=all_warnings,
    )
    raise typer.Exit(DESIGN_FAILED if run_batch(plan) else 0)


@app.command(help=f"Compile a design into the cache; report sizes, and seconds for each stage.\n\n{_FILES}")
def build(
    context: typer.Context,
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


@app.command(
    help="Measure how fast a design starts and runs, and fail if it has become slower.\n\n"
    "The design is given as to 'weft sim', or by --design. The report is Markdown; --json writes what --baseline reads."
)
def bench(
    context: typer.Context,
    design: Annotated[str, typer.Option(help="A source, a file list (.f), or a name in the file of designs.")] = "",
    designs: Annotated[str, typer.Option(help="The file of designs; weft-bench.toml otherwise.")] = "",
    runs: Annotated[int, typer.Option(min=1, help="How many rounds.")] = 10,
    cycles: Annotated[int | None, typer.Option(min=1, help="Cycles that are timed.")] = None,
    warmup: Annotated[int | None, typer.Option(min=0, help="Cycles before them; a tenth as many otherwise.")] = None,
    top: Top = "",
    clock: Annotated[str, typer.Option(help="The clock input.")] = "",
    reset: Annotated[str, typer.Option(help="The reset input and cycles, rst:10; !rst_n if active low; none.")] = "",
    four_state: FourState = False,
    baseline: Annotated[str, typer.Option(help="Compare with this result of --json.")] = "",
    threshold: Annotated[str, typer.Option(help="How much slower a median may be.")] = "10%",
    json: Annotated[str, typer.Option(help="Write the result to this file.")] = "",
    markdown: Annotated[str, typer.Option(help="Write the report to this file too.")] = "",
) -> None:
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
        baseline=baseline,
        threshold=threshold,
        json=json,
        markdown=markdown,
    )
    raise typer.Exit(REGRESSED if run_bench(plan, words.slang, words.plusargs) else 0)


@app.command(
    help=f"Simulate faults, one in each lane of a batch, and report how many of them the outputs show.\n\n{_FILES}"
)
def faults(
    context: typer.Context,
    top: Top = "",
    cycles: Annotated[int, typer.Option(min=1, help="Run the good machine for so many cycles, or to its end.")] = 1000,
    sites: Annotated[
        list[str] | None, typer.Option(help="Signals and memories that have faults: a glob; one with ! leaves out.")
    ] = None,
    models: Annotated[str, typer.Option(help="Kinds of faults: stuck, sa0, sa1, flip; several as a,b.")] = "stuck",
    fault_list: Annotated[str, typer.Option("--faults", help="Take the faults from this file instead.")] = "",
    observe: Annotated[
        list[str] | None, typer.Option(help="Signals that show faults: a glob; the top's outputs otherwise.")
    ] = None,
    until: Annotated[str, typer.Option(help="The good machine ends when this expression holds.")] = "",
    timeout: Annotated[int | None, typer.Option(min=1, help="A run that takes more cycles hangs.")] = None,
    compare: Annotated[str, typer.Option(help="Compare outputs at the end of each cycle, or of the run (end).")] = (
        "cycle"
    ),
    at: Annotated[str, typer.Option(help="The cycles of flips, as 100,200; a random one for each otherwise.")] = "",
    sample: Annotated[int | None, typer.Option(min=1, help="Draw so many of all faults.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="What decides draws and the cycles of flips.")] = 0,
    collapse: Annotated[
        bool, typer.Option("--collapse/--no-collapse", help="Simulate one of the faults that no test can tell apart.")
    ] = True,
    stimulus: Annotated[
        str, typer.Option(help="random:SEED, or a file: names of inputs, then a line of hex values for each cycle.")
    ] = "",
    warmup: Annotated[int, typer.Option(min=0, help="Run so many cycles after the reset, before the campaign.")] = 0,
    load: Annotated[str, typer.Option(help="Begin from a saved state instead of a reset.")] = "",
    clock: Annotated[str, typer.Option(help="The clock input.")] = "",
    period: Annotated[str, typer.Option(help="The clock's period.")] = "10ns",
    reset: Annotated[str, typer.Option(help="The reset input and cycles, rst:10; !rst_n if active low; none.")] = "",
    device: Annotated[
        str, typer.Option(help="cpu, cuda, or auto: a GPU where there are one and many faults.")
    ] = "auto",
    lanes: Annotated[int | None, typer.Option(min=1, help="Simulate so many faults at a time.")] = None,
    threads: Annotated[int, typer.Option(min=0, help="Threads of the CPU; 0: one for each core.")] = 0,
    report: Annotated[
        list[str] | None, typer.Option(help="Write the report to this file: .md, .json, else text; may be repeated.")
    ] = None,
    no_cache: NoCache = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors and the report.")] = False,
    all_warnings: Warnings = False,
) -> None:
    """Run `weft faults`."""
    from weft.apps.fault_command import FaultPlan, read_cycles, run_faults

    words: Words = context.obj
    campaign: dict[str, Any] = {
        "sites": tuple(sites or ("*",)),
        "models": models,
        "faults": fault_list or None,
        "observe": tuple(observe) if observe else None,
        "until": until,
        "timeout": timeout,
        "compare": compare,
        "at": read_cycles(at),
        "sample": sample,
        "seed": seed,
        "collapse": collapse,
        "lanes": lanes,
        "device": device,
        "threads": threads,
    }
    plan = FaultPlan(
        slang=tuple(words.slang),
        plusargs=tuple(words.plusargs),
        top=top,
        cycles=cycles,
        campaign=campaign,
        clock=clock,
        period=period,
        reset=reset,
        warmup=warmup,
        load=load,
        stimulus=stimulus,
        reports=tuple(report or ()),
        cache=not no_cache,
        quiet=quiet,
        all_warnings=all_warnings,
    )
    run_faults(plan)


@app.command(help=f"Show the instances of a design.\n\n{_FILES}")
def hierarchy(
    context: typer.Context,
    top: Top = "",
    signals: Annotated[bool, typer.Option("--signals", help="Show the signals too.")] = False,
    depth: Annotated[int, typer.Option(help="Show so many levels; 0 shows all.")] = 0,
    loops: Loops = "error",
    assertions: Assertions = "error",
    no_cache: NoCache = False,
) -> None:
    """Run `weft hierarchy`."""
    from weft.apps.report_build import show_hierarchy

    words: Words = context.obj
    show_hierarchy(words.slang, top, signals, depth, loops, assertions, not no_cache)


@app.command(help="Say what this machine can do, and how to get what is missing.")
def doctor() -> None:
    """Run `weft doctor`."""
    from weft.apps.doctor import examine

    examine()


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Show the version if that is all that was asked for."""
    if show:
        import weft

        typer.echo(f"weft {weft.__version__}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    # NumPy's linear algebra, which Weft does not use, starts a thread for each core when it is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def _find_command(group: Any, words: Sequence[str]) -> tuple[Command | None, list[str]]:
    """Return the command that words begin with, and its words: two if it is one of a group."""
    command, path = group, list[str]()
    for word in words:
        commands = getattr(command, "commands", None)
        if commands is None or word not in commands:
            break
        command = commands[word]
        path.append(word)
    return (command, path) if path and not hasattr(command, "commands") else (None, [])


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit status."""
    group = typer.main.get_command(app)
    words = list(arguments)
    split = Words()
    command, path = _find_command(group, words)
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
    except typer.Exit as exit_:
        status = exit_.exit_code
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
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # a usage error of typer's
            print(f"weft: {error.format_message()}", file=sys.stderr)  # pyright: ignore[reportAttributeAccessIssue]
            return BAD_INPUT
        raise
    if status == INTERRUPTED:  # typer turns Ctrl-C into this status
        print("weft: interrupted", file=sys.stderr)
    return status if isinstance(status, int) else 0
