"""Do what `weft run` asks: make the plan, run it, return vvp's exit status.

`$stop` opens the prompt only where there is a terminal to type at; elsewhere it ends the run, as vvp's `-n` has it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from weft.apps.run_words import has_sources, read_generation, read_parameter
from weft.apps.show_progress import compile_progress, show_status
from weft.apps.stop_prompt import StoppedSimulation, StopPrompt
from weft.base.errors import UserError
from weft.sim.run_plan import OnStop, RunPlan, Simulate, read_sdf

if TYPE_CHECKING:
    from weft.sim.tasks.dump_scopes import WaveSink

_DELAYS = ("min", "typ", "max", "none")
_ENGINES = ("auto", "event", "cycle")


def make_plan(
    slang: Sequence[str],
    plusargs: Sequence[str],
    *,
    top: Sequence[str] = (),
    generation: Sequence[str] = (),
    parameters: Sequence[str] = (),
    delays: str = "typ",
    finish_on_stop: bool = False,
    fail_on_stop: bool = False,
    wave: str = "",
    signals: Sequence[str] = (),
    max_delta: int = 10_000_000,
    seed: int = 0,
    shuffle: int | None = None,
    engine: str = "auto",
    races: bool = False,
    coverage: bool = False,
    coverage_file: str = "",
    sdf: Sequence[str] = (),
    allow_system: bool = False,
    cache: bool = True,
    report: bool = False,
    tune: bool = False,
    quiet: bool = False,
    all_warnings: bool = False,
    terminal: bool | None = None,
) -> RunPlan:
    """Check the options and return the plan; `terminal` says whether there is one (None: look)."""
    if not has_sources(slang):
        raise UserError("no-such-file", "no source files: weft run FILES, or -f LIST")
    if delays not in _DELAYS:
        raise UserError("bad-option", f"-T or --delays {delays}: choose one of {', '.join(_DELAYS)}")
    if engine not in _ENGINES:
        raise UserError("bad-option", f"--engine {engine}: choose one of {', '.join(_ENGINES)}")
    if wave and Path(wave).suffix not in (".vcd", ".fst"):
        raise UserError("bad-option", f"waveform {wave}: the name must end in .fst or .vcd")
    if signals and not wave:
        raise UserError("bad-option", "--signals needs --wave FILE")
    if tune:
        _check_tuned(engine, shuffle, races, wave, sdf)
    for path in sdf:
        if not Path(read_sdf(path).path).is_file():
            raise UserError("no-such-file", f"cannot read the delays '{read_sdf(path).path}'")
    language = read_generation(generation)
    # Every language is taken as its latest version reads it, unless the user names another.
    named = bool(language.words) or any(word.startswith("--std") for word in slang)
    standard = () if named else ("--std=1800-2023",)
    has_terminal = sys.stdin.isatty() if terminal is None else terminal
    on_stop = OnStop.PROMPT if has_terminal else OnStop.FINISH
    if finish_on_stop or fail_on_stop:
        on_stop = OnStop.FAIL if fail_on_stop else OnStop.FINISH
    return RunPlan(
        front_end=(*standard, *language.words, *slang),
        tops=tuple(top),
        parameters=tuple(read_parameter(text, top) for text in parameters),
        plusargs=tuple(plusargs),
        delays=delays,
        specify=language.specify,
        assertions=language.assertions,
        on_stop=on_stop,
        wave=wave,
        signals=tuple(signals or ("*",)),
        max_delta=max_delta,
        seed=seed,
        shuffle=shuffle,
        engine=engine,
        races=races,
        coverage=coverage,
        coverage_file=coverage_file,
        sdf=tuple(map(read_sdf, sdf)),
        allow_system=allow_system,
        cache=cache,
        report=report,
        tune=tune,
        quiet=quiet,
        all_warnings=all_warnings,
    )


def _check_tuned(engine: str, shuffle: int | None, races: bool, wave: str, sdf: Sequence[str]) -> None:
    """Raise `bad-option` if a run that is to tune would run everything as events."""
    against = {"--engine=event": engine == "event", "--shuffle": bool(shuffle), "--races": races}
    against |= {"--wave": bool(wave), "--sdf": bool(sdf)}
    for option, given in against.items():
        if given:
            text = f"--tune with {option}: such a run has no parts that are stepped by clock edges"
            raise UserError("bad-option", text)


def run_plan(plan: RunPlan, simulate: Simulate | None = None) -> int:
    """Run a plan and return the exit status."""
    return (simulate or _event_simulation())(plan)


def _event_simulation() -> Simulate:
    """Return the event simulation, imported only when something is to run."""
    from weft.sim.event_simulation import run

    return lambda plan: run(plan, _open_wave, _ask, compile_progress, show_status)


def _open_wave(path: str, tick_fs: int) -> WaveSink | None:
    """Return the writer of a waveform that is no VCD file."""
    if Path(path).suffix != ".fst":
        return None
    from weft.tools.waves.dump_sink import open_fst_sink

    return open_fst_sink(path, tick_fs)


def _ask(simulation: StoppedSimulation, scope: str) -> bool:
    """Open the prompt; return whether the simulation is to go on."""
    sys.stdout.flush()
    return StopPrompt(simulation, scope, input, sys.stdout).run()
