"""Compare mixed execution with events alone on random designs with racing testbenches (`generate_mixed`)."""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.fuzz_events import difference
from tests.fuzz.generate_mixed import generate_mixed
from tests.fuzz.tree import Node, prune, shrink

import weft
from weft.lang.sv.compile_sources import load_design
from weft.sim.event_program import program_of
from weft.sim.event_simulation import EventOptions, EventSimulation
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


def settled(lines: list[str]) -> list[str]:
    """Return lines, which begin with the time and a name, without what the order of events decides.

    Of outputs that change in the same step it is open which one changes first, and logic may take values on its way.
    """
    last = {(int(time), name): line for line in lines for time, name in [line.split()[:2]]}
    return [last[key] for key in sorted(last)]


def mixed_difference(text: str) -> tuple[str, int]:
    """Return the first word in which ways of running differ, or nothing, and how many parts were in regions."""
    want, _ = run_mixed(text, "event")
    count = 0
    for whole in (True, False):
        got, regions = run_mixed(text, "auto", whole)
        what = difference(want, got)
        if what:
            return what, regions
        count += regions
    return "", count


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
            what, regions = mixed_difference(tree.render())
        except Exception as error:
            what, regions = f"{type(error).__name__}: {error}", 0
        if not what:
            self.counts["mixed equal to events"] += 1
            self.counts["regions"] += regions
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
        crash = "" if what.startswith("line ") else what.split(":")[0]

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
