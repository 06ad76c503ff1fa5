"""Measure what tracing some signals costs a run: `python bench/chosen_signals.py --designs picorv32,ibex`.

Three choices of fifty: those that `bench/run.py` takes (the first of a glob, as in a listing), fifty registers drawn at
random, and the fifty signals with the most changes. An untraced and the traced runs alternate in one process. Besides
the wall clock, which means something on an idle machine only, it reports the processor time of the thread that runs the
design and of all others (the changes and the file), in nanoseconds a cycle: with two free cores the larger one counts.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import pywellen  # noqa: E402

import weft  # noqa: E402
from bench.designs import DESIGNS, Design  # noqa: E402
from bench.peers.weft import CHOSEN, chosen_signals  # noqa: E402
from bench.run import describe_machine  # noqa: E402
from weft.sim.cycle_simulation import CycleSimulation  # noqa: E402

CHOICES = ("chosen", "registers", "busiest", "all")
LOOK_CYCLES = 20_000
"""Cycles in which changes are counted, after those that warm up."""

WARM_CYCLES = 1_000_000
HEAD = """| design | signals | untraced, ns | run, ns | ratio | other threads, ns | wall, ratio | bytes a cycle |
|---|---|---|---|---|---|---|---|"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Hold what a run took: seconds of its thread, of all others, and of the wall clock; bytes that it wrote."""

    run: float
    others: float
    wall: float
    bytes: int = 0


def registers(sim: CycleSimulation, seed: int) -> list[str]:
    """Return fifty signals that are registers and nothing else, drawn at random."""
    graph, found = sim.design.graph, list[str]()
    kinds = {number for number, state in enumerate(graph.states) if state.kind == "register"}
    for path, scope, index in sim.engine.signals.paths():
        node = sim.engine.signals.at(scope, index).node
        if node >= 0 and graph.node(node).op == "read" and int(graph.param[node]) in kinds:
            found.append(path.partition(".")[2])
    return random.Random(seed).sample(found, min(CHOSEN, len(found)))


def busiest(sim: CycleSimulation) -> list[str]:
    """Return the fifty signals with the most changes in some cycles."""
    with tempfile.TemporaryDirectory(prefix="weft-waves-") as folder:
        path = Path(folder) / "look.fst"
        with sim.trace(path):
            sim.run_cycles(LOOK_CYCLES)
        counts = {
            var.full_name.split(" ")[0].partition(".")[2]: len(list(var.tv))
            for var in pywellen.Waveform(str(path)).all_vars()
        }
    known = {name.partition(".")[2] for name, _, _ in sim.engine.signals.paths()}
    names = sorted((name for name in counts if name in known), key=lambda name: -counts[name])
    return names[:CHOSEN]


def measure(sim: CycleSimulation, cycles: int, signals: list[str] | None) -> Cost:
    """Run some cycles, traced if there are signals; what completes the file belongs to the others."""
    with tempfile.TemporaryDirectory(prefix="weft-waves-") as folder:
        path = Path(folder) / "out.fst"
        trace = ExitStack()
        if signals is not None:
            trace.enter_context(sim.trace(path, signals=signals))
        wall, process, thread = time.perf_counter(), time.process_time(), time.thread_time()
        sim.run_cycles(cycles)
        run = time.thread_time() - thread
        trace.close()
        process, wall = time.process_time() - process, time.perf_counter() - wall
        size = path.stat().st_size if signals is not None else 0
    return Cost(run, process - run if signals is not None else 0.0, wall, size)


def rows(design: Design, choices: list[str], cycles: int, runs: int, seed: int) -> list[str]:
    """Return the table's lines for a design."""
    options = design.compile_options() | {"assertions": "off"}
    with weft.compile(*design.files, **options, output=lambda text: None) as sim:
        assert isinstance(sim, CycleSimulation)
        sim.poke(design.reset, 1)
        sim.run_cycles(design.reset_cycles)
        sim.poke(design.reset, 0)
        sim.run_cycles(WARM_CYCLES)
        everything = {
            "chosen": lambda: chosen_signals(sim, design.chosen),
            "registers": lambda: registers(sim, seed),
            "busiest": lambda: busiest(sim),
            "all": lambda: ["*"],
        }
        signals = {choice: everything[choice]() for choice in choices}
        plain: list[Cost] = []
        traced: dict[str, list[Cost]] = {choice: [] for choice in choices}
        for _ in range(runs):
            plain.append(measure(sim, cycles, None))
            for choice in choices:
                traced[choice].append(measure(sim, cycles if choice != "all" else cycles // 10, signals[choice]))
    lines: list[str] = []
    base, base_wall = (min(values) for values in ([c.run for c in plain], [c.wall for c in plain]))
    for choice, costs in traced.items():
        length = cycles if choice != "all" else cycles // 10
        scale = 1e9 / length
        run, others = min(c.run for c in costs), min(c.others for c in costs)
        wall = min(c.wall for c in costs) / length
        cells = [
            design.name,
            choice,
            f"{base * 1e9 / cycles:.1f}",
            f"{run * scale:.1f}",
            f"{run / length * cycles / base:.2f}",
            f"{others * scale:.1f}",
            f"{wall * cycles / base_wall:.2f}",
            f"{statistics.median(c.bytes for c in costs) / length:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", default="picorv32,vexriscv_linux,ibex")
    parser.add_argument("--choices", default=",".join(CHOICES))
    parser.add_argument("--cycles", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1, help="draws the registers")
    options = parser.parse_args()
    print(HEAD, flush=True)
    for name in options.designs.split(","):
        found = rows(DESIGNS[name](), options.choices.split(","), options.cycles, options.runs, options.seed)
        print("\n".join(found), flush=True)
    print(f"\n{describe_machine()}; Weft {weft.__version__}; least of {options.runs} alternating runs.")


if __name__ == "__main__":
    main()
