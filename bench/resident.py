"""Measure interactive batches on a GPU: `python bench/resident.py --designs picorv32_soc --lanes 1,32,1024,16384`.

A round trip sets an input in all lanes, runs one cycle, and reads a register: as three calls (`poke`, `run_cycles`,
`peek`) and as one (`stepper`), with a resident kernel and with launches. Times are the wall clock's around each round
trip, from Python; the median and the 99th percentile of `--rounds` are printed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import numpy as np  # noqa: E402

from bench.batch import compile_single, find_design, load, reset  # noqa: E402
from weft.engines.cuda import mailbox  # noqa: E402

REGISTERS = {"picorv32_soc": "cpu.reg_pc", "picorv32": "soc.cpu.reg_pc"}
"""What is read in each round trip."""


def measure(work: Callable[[], Any], rounds: int) -> str:
    """Return the median and the 99th percentile of a call, in microseconds."""
    for _ in range(50):
        work()
    times = np.empty(rounds)
    for number in range(rounds):
        began = time.perf_counter_ns()
        work()
        times[number] = time.perf_counter_ns() - began
    low, high = np.percentile(times / 1000, (50, 99))
    return f"{low:.1f} us (99 %: {high:.1f})"


def measure_lanes(name: str, lanes: int, rounds: int, device: str) -> None:
    """Print the round trips of a batch with so many lanes."""
    design = find_design(name)
    single = compile_single(design)
    path, reset_path = REGISTERS.get(name, "hash"), design.reset
    for stays in (True, False):
        batch = single.batch(lanes, device, messages="count", resident=stays and device == "cuda")
        load(batch, name, lanes)
        began = time.perf_counter()
        reset(batch, design)
        first_s = time.perf_counter() - began

        step = batch.stepper(inputs=(reset_path,), outputs=(path,))
        row = np.zeros(lanes, np.uint8)

        def calls(batch: Any = batch) -> None:
            batch.poke(reset_path, 0)
            batch.run_cycles(1)
            batch.peek(path)

        works: dict[str, Callable[[], Any]] = {
            "poke, run, peek": calls,
            "step": partial(step, 0),
            "step with an array": partial(step, row),
        }
        texts = [f"{what} {measure(work, rounds)}" for what, work in works.items()]
        times = batch.time_fs
        assert (times == times[0]).all() and int(times[0]) > 0
        how = "resident kernel" if stays else "launches"
        print(f"{name}, {lanes} lanes, {how}: {', '.join(texts)}; first runs {first_s:.2f} s", flush=True)
        if stays and device == "cuda":
            print("   commands:", ", ".join(commands(batch, rounds)), flush=True)
        batch.residency.close()


def commands(batch: Any, rounds: int) -> list[str]:
    """Return what single commands take, without Python's part."""
    lanes, period = batch.residency.lanes, batch.clocks[0].clock.period_fs
    found: list[str] = []

    def send(flags: int, duration: int = 0) -> None:
        lanes._words[mailbox.DURATION], lanes._words[mailbox.LIMIT] = duration, lanes._part
        lanes._send(flags, wait=True)

    for what, flags, duration in (
        ("none", 0, 0),
        ("settle", mailbox.SETTLE, 0),
        ("run 0", mailbox.RUN, 0),
        ("run 1", mailbox.RUN, period),
        ("run 2", mailbox.RUN, 2 * period),
        ("run 10", mailbox.RUN, 10 * period),
        ("look", mailbox.LOOK, 0),
    ):
        found.append(f"{what} {measure(partial(send, flags, duration), rounds // 4)}")
    return found


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", default="picorv32_soc")
    parser.add_argument("--lanes", default="1,32,1024,16384")
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    options = parser.parse_args()
    for name in options.designs.split(","):
        for lanes in options.lanes.split(","):
            measure_lanes(name, int(lanes), options.rounds, options.device)


if __name__ == "__main__":
    main()
