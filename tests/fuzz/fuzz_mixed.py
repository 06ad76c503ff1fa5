"""Compare mixed execution with events alone on random designs with racing testbenches (`generate_mixed`)."""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from tests.fuzz.fuzz_events import difference
from tests.fuzz.generate_mixed import generate_mixed
from tests.fuzz.tree import Node, prune, shrink

import weft
from weft.engines.cpu import edge_sampler, find_situations, region_habits
from weft.engines.cpu.jit import QUICK
from weft.lang.sv.compile_sources import load_design
from weft.sim.event_program import program_of
from weft.sim.event_simulation import EventOptions, EventSimulation
from weft.sim.regions import run_regions
from weft.sim.regions.engine_choice import EngineChoice


def run_mixed(text: str, engine: str, whole: bool = True) -> tuple[list[str], int]:
    """Return what a testbench prints with an engine, and how many parts are in regions.

    If regions need not be `whole`, clocked parts of the testbench's own modules become regions too.
    """
    out = io.BytesIO()
    design = load_design(texts={"fuzz.sv": text})
    program = program_of(design, choice=EngineChoice(engine, worth=0, whole=whole))
    simulation = EventSimulation(program.design, out, EventOptions(max_deltas=10_000, engine=engine), program)
    simulation.run()
    regions = sum(part.engine == "cycle" for part in simulation.mixed.parts)
    return settled(out.getvalue().decode("latin-1").splitlines()), regions


def run_with_habits(text: str) -> tuple[list[str], int]:
    """Return what mixed execution prints once it has code for what regions do, and how many situations there are.

    The first run takes samples at nearly all edges, and the second begins with what they have shown.
    """
    design = load_design(texts={"fuzz.sv": text})
    out, situations = io.BytesIO(), 0
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict(os.environ, {"WEFT_CACHE_DIR": folder}),
        patch.object(region_habits, "FEWEST", 12),
        patch.object(edge_sampler, "NEAREST", 63),
        patch.object(find_situations, "LEAST_SHARE", 0.1),
        patch.object(find_situations, "LEAST_SAMPLES", 2),
        patch.object(run_regions, "_START_SECONDS", 1000.0),  # nothing but what is here makes better code
    ):
        for _ in range(2):
            out = io.BytesIO()
            program = program_of(design, choice=EngineChoice("auto", worth=0, whole=False))
            simulation = EventSimulation(program.design, out, EventOptions(max_deltas=10_000), program)
            runner = simulation.regions
            runner.take_for_granted()
            situations = 0
            for each in runner.programs.values():
                each.compile(QUICK)
                each.compile_habits()
                situations += each.situations
            runner.enter_code()
            simulation.run()
            for each in runner.programs.values():
                each.end(())
    return settled(out.getvalue().decode("latin-1").splitlines()), situations


def settled(lines: list[str]) -> list[str]:
    """Return lines, which begin with the time and a name, without what the order of events decides.

    Of outputs that change in the same step it is open which one changes first, and logic may take values on its way.
    """
    last = {(int(time), name): line for line in lines for time, name in [line.split()[:2]]}
    return [last[key] for key in sorted(last)]


def mixed_difference(text: str) -> tuple[str, Counter[str]]:
    """Return the first word in which ways of running differ, or nothing, and counts of regions and situations."""
    want, _ = run_mixed(text, "event")
    counts = Counter[str]()
    for whole in (True, False):
        got, regions = run_mixed(text, "auto", whole)
        counts["regions"] += regions
        what = difference(want, got)
        if what:
            return what, counts
    if counts["regions"]:
        got, situations = run_with_habits(text)
        counts["situations"] += situations
        what = difference(want, got)
    return what and f"with habits: {what}", counts


@dataclass(slots=True)
class MixedFuzzer:
    """Run seeds and remember what came of them."""

    folder: Path
    shrink_seconds: float = 60
    counts: Counter[str] = field(default_factory=Counter[str])

    def check(self, seed: int) -> None:
        """Compare both ways of running on the design of one seed."""
        tree = generate_mixed(seed)
        try:
            what, counts = mixed_difference(tree.render())
        except Exception as error:
            what, counts = f"{type(error).__name__}: {error}", Counter[str]()
        if not what:
            self.counts["mixed equal to events"] += 1
            self.counts += counts
            return
        self.counts["DIFFERENT"] += 1
        print(f"seed {seed} (mixed): {what}", flush=True)
        fails = self.failing(what)
        if self.shrink_seconds and fails(tree):
            tree = shrink(prune(tree, fails), fails, 3)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{seed}-mixed.sv").write_text(tree.render())
        print(tree.render() + f"  written to {self.folder / f'{seed}-mixed.sv'}", flush=True)

    def failing(self, what: str) -> Callable[[Node], bool]:
        """Return the question whether a tree still fails, by a difference or the same exception."""
        deadline = time.monotonic() + self.shrink_seconds
        crash = "" if what.startswith(("line ", "with habits")) else what.split(":")[0]

        def fails(tree: Node) -> bool:
            if time.monotonic() > deadline:
                return False
            try:
                return bool(mixed_difference(tree.render())[0]) and not crash
            except (weft.UserError, weft.Unsupported):
                return False
            except Exception as error:
                return type(error).__name__ == crash

        return fails
