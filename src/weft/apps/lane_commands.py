"""The commands that run many instances of a design in the lanes of a batch: `weft batch` and `weft faults`."""

from __future__ import annotations

from typing import Annotated, Any

import click

from weft.apps.cli_options import (
    DESIGN_FAILED,
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
from weft.apps.declare_options import option
from weft.apps.split_words import Words
from weft.base.errors import UserError


def batch(
    context: click.Context,
    lanes: Annotated[int, option(min=1, help="How many instances.")],
    top: Top = "",
    device: Annotated[str, option(help="cpu, cuda, or auto: a GPU for many lanes if there is one.")] = "auto",
    threads: Annotated[int, option(min=0, help="Threads of the CPU; 0 takes all.")] = 0,
    cycles: Annotated[int | None, option(min=0, help="Run so many clock cycles, at most.")] = None,
    until: Annotated[str, option(help="Stop each lane where this expression holds in it.")] = "",
    clock: Clock = "",
    period: Period = "10ns",
    reset: Reset = "",
    set_: Annotated[list[str] | None, option("--set", help="Set an input in all lanes: a=5.")] = None,
    generate: Annotated[
        list[str] | None,
        option(help="Drive an input by an expression of lane, cycle, random and signals: a=lane+1."),
    ] = None,
    seed: Annotated[int, option(help="Where random numbers begin.")] = 0,
    stimulus: Annotated[
        list[str] | None,
        option(help="Drive inputs from a .vcd, .fst, .npy, .npz or .parquet; repeat it for lanes."),
    ] = None,
    port: Annotated[list[str] | None, option(help="Feed an input from a signal of the file: a=tb.dut.a.")] = None,
    sample_clock: Annotated[str, option(help="The waveform's clock; the one named like the clock otherwise.")] = "",
    sample_edge: Annotated[str, option(help="Sample a waveform before each rising or falling edge.")] = "rising",
    sample_period: Annotated[str, option(help="Sample a waveform at times so far apart.")] = "",
    unknown: Annotated[int | None, option(min=0, max=1, help="Replace x and z of a waveform.")] = None,
    out: Annotated[str, option(help="Write a row for each lane to this .npz or .parquet file.")] = "",
    signals: Annotated[list[str] | None, option(help="Write signals whose path matches this glob.")] = None,
    wave: Annotated[str, option(help="Run one lane again and write its waveform to this .fst or .vcd file.")] = "",
    wave_lane: Annotated[int, option(min=0, help="Which lane.")] = 0,
    four_state: FourState = False,
    x_initial: XInitial = "0",
    loops: Loops = "error",
    assertions: Assertions = "error",
    no_cache: NoCache = False,
    pipeline_archive: Archive = "",
    pipeline_load: Load = None,
    pipeline_save: Save = None,
    pipeline_async: Background = None,
    pipeline_log: Log = None,
    devices: Annotated[str, option(help="Which GPUs, as 0,1, or all: each has a range of the lanes.")] = "0",
    max_steps: MaxSteps = 0,
    profile: Profile = None,
    profile_output: ProfileOutput = "",
    quiet: Annotated[bool, option("--quiet", "-q", help="Say nothing but errors.")] = False,
    all_warnings: Warnings = False,
) -> int:
    """Run `weft batch`."""
    from weft.sim.begin_device import begin_device

    gpus = read_devices(devices)
    begin_device(device, lanes, gpus)
    from weft.apps.run_batch import BatchPlan, run_batch
    from weft.sim.pipeline_options import pipeline_options, switch
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
        devices=gpus,
        max_steps=max_steps,
        profile=switch(profile, bool(profile_output), "WEFT_PROFILE"),
        profile_output=profile_output,
        quiet=quiet,
        all_warnings=all_warnings,
    )
    return DESIGN_FAILED if run_batch(plan) else 0


def faults(
    context: click.Context,
    top: Top = "",
    cycles: Annotated[int, option(min=1, help="Run the good machine for so many cycles, or to its end.")] = 1000,
    sites: Annotated[
        list[str] | None, option(help="Signals and memories that have faults: a glob; one with ! leaves out.")
    ] = None,
    models: Annotated[str, option(help="Kinds of faults: stuck, sa0, sa1, flip; several as a,b.")] = "stuck",
    fault_list: Annotated[str, option("--faults", help="Take the faults from this file instead.")] = "",
    observe: Annotated[
        list[str] | None, option(help="Signals that show faults: a glob; the top's outputs otherwise.")
    ] = None,
    until: Annotated[str, option(help="The good machine ends when this expression holds.")] = "",
    timeout: Annotated[int | None, option(min=1, help="A run that takes more cycles hangs.")] = None,
    compare: Annotated[str, option(help="Compare outputs at the end of each cycle, or of the run (end).")] = ("cycle"),
    at: Annotated[str, option(help="The cycles of flips, as 100,200; a random one for each otherwise.")] = "",
    pins: Annotated[
        list[str] | None, option(help="Signals (globs) whose inputs have faults of their own; may be repeated.")
    ] = None,
    sample: Annotated[int | None, option(min=1, help="Draw so many of all faults.")] = None,
    seed: Annotated[int, option(min=0, help="What decides draws and the cycles of flips.")] = 0,
    collapse: Annotated[
        bool, option("--collapse/--no-collapse", help="Simulate one of the faults that no test can tell apart.")
    ] = True,
    dominance: Annotated[
        bool, option("--dominance", help="Infer that a fault is detected from another that it dominates.")
    ] = False,
    refill: Annotated[
        bool, option("--refill/--no-refill", help="Let a lane whose fault is decided take up the next one.")
    ] = True,
    stimulus: Annotated[
        str, option(help="random:SEED, or a file: names of inputs, then a line of hex values for each cycle.")
    ] = "",
    warmup: Annotated[int, option(min=0, help="Run so many cycles after the reset, before the campaign.")] = 0,
    load: Annotated[str, option(help="Begin from a saved state instead of a reset.")] = "",
    clock: Annotated[str, option(help="The clock input.")] = "",
    period: Period = "10ns",
    reset: Annotated[str, option(help="The reset input and cycles, rst:10; !rst_n if active low; none.")] = "",
    device: Annotated[str, option(help="cpu, cuda, or auto: a GPU where there are one and many faults.")] = "auto",
    lanes: Annotated[int | None, option(min=1, help="Simulate so many faults at a time.")] = None,
    threads: Annotated[int, option(min=0, help="Threads of the CPU; 0: one for each core.")] = 0,
    report: Annotated[
        list[str] | None, option(help="Write the report to this file: .md, .json, else text; may be repeated.")
    ] = None,
    no_cache: NoCache = False,
    quiet: Annotated[bool, option("--quiet", "-q", help="Print nothing but errors and the report.")] = False,
    all_warnings: Warnings = False,
) -> None:
    """Run `weft faults`."""
    from weft.apps.fault_command import FaultPlan, read_cycles, run_faults

    words: Words = context.obj
    campaign: dict[str, Any] = {
        "sites": tuple(sites or ("*",)),
        "models": models,
        "pins": tuple(pins or ()),
        "faults": fault_list or None,
        "observe": tuple(observe) if observe else None,
        "until": until,
        "timeout": timeout,
        "compare": compare,
        "at": read_cycles(at),
        "sample": sample,
        "seed": seed,
        "collapse": collapse,
        "dominance": dominance,
        "refill": refill,
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


def read_devices(text: str) -> str | list[int]:
    """Return the GPUs of `--devices`: `all`, or their numbers."""
    try:
        return text if text == "all" else [int(each) for each in text.split(",")]
    except ValueError:
        raise UserError("bad-option", f"--devices takes all or numbers of GPUs such as 0,1, not '{text}'") from None
