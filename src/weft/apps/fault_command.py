"""Do what `weft faults` asks: compile, reset, simulate the faults, report, also when it is cut short."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weft.apps.show_progress import compile_progress, print_note, print_warnings, show_status
from weft.base.dataclass import dataclass
from weft.base.errors import UserError
from weft.sim.choose_clock import choose_reset
from weft.sim.compile_design import compile_design
from weft.sim.cycle_simulation import CycleSimulation
from weft.sim.faults.campaign import FaultProgress

_HINT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Hold the options of `weft faults`."""

    slang: tuple[str, ...]
    plusargs: tuple[str, ...]
    top: str
    cycles: int
    campaign: dict[str, Any]
    clock: str = ""
    period: str = "10ns"
    reset: str = ""
    warmup: int = 0
    load: str = ""
    stimulus: str = ""
    reports: tuple[str, ...] = ()
    cache: bool = True
    quiet: bool = False
    all_warnings: bool = False


def run_faults(plan: FaultPlan) -> None:
    """Run a campaign; print its report and write the files that were asked for, if it is cut short what there is."""
    with compile_progress() as progress:
        simulation = compile_design(
            top=plan.top or None,
            slang_args=plan.slang,
            plusargs=plan.plusargs,
            clock=plan.clock or None,
            period=plan.period,
            cache=plan.cache,
            output=lambda data: None,
            progress=progress,
        )
    assert isinstance(simulation, CycleSimulation)
    if not plan.quiet:
        print_warnings(simulation.design.warnings, plan.all_warnings)
    _bring_up(simulation, plan)
    stimulus, random = _read_stimulus(simulation, plan.stimulus)
    said = ["listing the faults"]
    with show_status(lambda: said[-1]):
        campaign = simulation.faults(plan.cycles, stimulus=stimulus, random=random, **plan.campaign)
        if not plan.quiet:
            print_note(f"{len(campaign.faults):,} faults in {len(campaign.sites):,} signals and memories")

        def tell(progress: FaultProgress) -> None:
            said.append(_describe(progress))

        try:
            campaign.run(tell)
        finally:
            # Ctrl-C, or whatever else went wrong: what was found is worth keeping.
            report = campaign.report()
            if report.coverage.simulated:
                print(report.text(), end="")
                for path in plan.reports:
                    report.save(path)


def read_cycles(text: str) -> tuple[int, ...] | None:
    """Return the cycles of `--at`, or None for none; raises `bad-option`."""
    if not text:
        return None
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise UserError("bad-option", f"--at {text}: write cycles as 100,200")
    return tuple(int(part) for part in parts)


def _describe(progress: FaultProgress) -> str:
    done = progress.done / progress.total if progress.total else 1.0
    text = f"{progress.done:,} of {progress.total:,} faults ({done:.0%}), {progress.detected:,} detected"
    if progress.seconds > _HINT_SECONDS and 0 < done < 1:
        text += f", {progress.seconds / done - progress.seconds:,.0f} s left"
    return text


def _bring_up(simulation: CycleSimulation, plan: FaultPlan) -> None:
    """Bring the good machine to where the campaign begins: a saved state, or reset and warmed up."""
    if plan.load:
        simulation.load(plan.load)
    elif simulation.clocks:
        reset = choose_reset(plan.reset or None, simulation.clock_report, simulation.signals)
        if reset is not None:
            if not plan.quiet:
                print_note(reset.describe())
            simulation.poke(reset.name, 0 if reset.active_low else 1)
            simulation.run_cycles(reset.cycles)
            simulation.poke(reset.name, 1 if reset.active_low else 0)
    if plan.warmup:
        began = time.perf_counter()
        simulation.run_cycles(plan.warmup)
        if not plan.quiet:
            print_note(f"{plan.warmup:,} cycles before the campaign in {time.perf_counter() - began:.2f} s")


def _read_stimulus(simulation: CycleSimulation, text: str) -> tuple[dict[str, list[int]], dict[str, int]]:
    """Return the stimulus of `random:SEED` (all inputs but clocks and resets) or of a file, whose first line has names.

    Each further line of a file has a value for each of them, in hexadecimal.
    """
    if not text:
        return {}, {}
    if text.startswith("random:"):
        seed = text.removeprefix("random:")
        if not seed.isdecimal():
            raise UserError("bad-option", f"--stimulus {text}: the seed is a number")
        return {}, dict.fromkeys(_free_inputs(simulation), int(seed))
    try:
        lines = [line.partition("#")[0].split() for line in Path(text).read_text().splitlines()]
    except OSError as error:
        raise UserError("no-such-file", f"cannot read '{text}': {error.strerror}") from None
    rows = [(number, words) for number, words in enumerate(lines, 1) if words]
    if len(rows) < 2:
        raise UserError("bad-option", f"{text}: a line of names, then a line of values for each cycle")
    names = rows[0][1]
    columns: dict[str, list[int]] = {name: [] for name in names}
    for number, words in rows[1:]:
        if len(words) != len(names):
            raise UserError("bad-option", f"{text}:{number}: {len(words)} values for {len(names)} inputs")
        for name, word in zip(names, words, strict=True):
            try:
                columns[name].append(int(word, 16))
            except ValueError:
                raise UserError("bad-option", f"{text}:{number}: '{word}' is no hexadecimal number") from None
    return columns, {}


def _free_inputs(simulation: CycleSimulation) -> Sequence[str]:
    """Return the inputs of the tops that are neither clock nor reset."""
    design = simulation.design
    taken = {clock.clock.state for clock in simulation.clocks} | {reset.state for reset in design.clocks.resets}
    found: list[str] = []
    for scope in design.graph.scopes:
        for port in scope.module.ports if scope.parent < 0 else ():
            if port.direction == "input":
                path = f"{scope.path}.{port.signal.name}"
                parts = simulation.signals.parts(simulation.signals.find(path).node) or ()
                if len(parts) == 1 and parts[0].state not in taken:
                    found.append(path)
    return found
