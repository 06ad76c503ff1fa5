"""Measure interactive batches on a GPU: `python bench/resident.py --designs picorv32_soc --lanes 1,32,1024,16384`.

A round trip sets an input in all lanes, runs one cycle, and reads a register: as three calls (`poke`, `run_cycles`,
`peek`) and as one (`stepper`), with a resident kernel and with launches. Times are the wall clock's around each round
trip, from Python; the median and the 99th percentile of `--rounds` are printed. What the last round trips have read is
compared with a batch on the CPU that did the same. With `--limit 20` a median of a resident kernel that is longer ends
the program with status 1.

`--host` needs no GPU: on the tests' driver the commands are answered by the call that posts them, so what is measured
is the host's part of a round trip alone, in CPU time.
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
sys.path[:0] = [str(ROOT), str(ROOT / "src"), str(ROOT / "tests")]

import numpy as np  # noqa: E402

from bench.batch import compile_single, find_design, load, reset  # noqa: E402
from weft.engines.cuda import mailbox  # noqa: E402

REGISTERS = {"picorv32_soc": "cpu.reg_pc", "picorv32": "soc.cpu.reg_pc"}
"""What is read in each round trip."""


def measure(work: Callable[[], Any], rounds: int, clock: Callable[[], int] = time.perf_counter_ns) -> tuple[float, str]:
    """Return the median of a call in microseconds, and a text with its 99th percentile."""
    for _ in range(50):
        work()
    times = np.empty(rounds)
    for number in range(rounds):
        began = clock()
        work()
        times[number] = clock() - began
    low, high = np.percentile(times / 1000, (50, 99))
    return float(low), f"{low:.1f} us (99 %: {high:.1f})"


def round_trips(batch: Any, reset_path: str, path: str) -> dict[str, Callable[[], Any]]:
    """Return the ways to set an input, run a cycle and read a register."""
    step = batch.stepper(inputs=(reset_path,), outputs=(path,))
    row = np.zeros(batch.lanes, np.uint8)

    def calls() -> Any:
        batch.poke(reset_path, 0)
        batch.run_cycles(1)
        return batch.peek(path)

    def items() -> Any:
        batch[reset_path][:] = 0
        batch.run_cycles(1)
        return batch.peek(path)

    return {
        "poke, run, peek": calls,
        "[:] = 0, run, peek": items,
        "step": partial(step, 0),
        "step with an array": partial(step, row),
    }


def measure_lanes(name: str, lanes: int, rounds: int, device: str, share: bool) -> float:
    """Print the round trips of a batch with so many lanes; return the longest median with a resident kernel."""
    design = find_design(name)
    single = compile_single(design)
    path, reset_path = REGISTERS.get(name, "hash"), design.reset
    worst = 0.0
    for stays in (True, False):
        resident, shares = stays and device == "cuda", share and device == "cuda"
        batch = single.batch(lanes, device, messages="count", resident=resident, share_memories=shares or "auto")
        load(batch, name, lanes)
        began = time.perf_counter()
        reset(batch, design)
        first_s = time.perf_counter() - began
        works = round_trips(batch, reset_path, path)
        found = {what: measure(work, rounds if stays else rounds // 10) for what, work in works.items()}
        how = "resident kernel" if stays else "launches"
        text = ", ".join(f"{what} {text}" for what, (_, text) in found.items())
        print(f"{name}, {lanes} lanes, {how}: {text}; first runs {first_s:.2f} s", flush=True)
        if stays:
            worst = max(median for median, _ in found.values())
            check(batch, single, name, (rounds + 50) * len(works))
        if stays and device == "cuda":
            print("   commands:", ", ".join(commands(batch, rounds)), flush=True)
        batch.residency.close()
    return worst


def check(batch: Any, single: Any, name: str, cycles: int) -> None:
    """Compare a batch that has run so many cycles since its reset with one on the CPU."""
    design = find_design(name)
    other = single.batch(batch.lanes, "cpu", messages="count")
    load(other, name, batch.lanes)
    reset(other, design)
    other.run_cycles(cycles)
    path = REGISTERS.get(name, "hash")
    assert np.array_equal(batch.peek(path), other.peek(path)), "the GPU's lanes differ from the CPU's"
    assert np.array_equal(batch.time_fs, other.time_fs)
    for lane in {0, batch.lanes // 2, batch.lanes - 1}:
        assert np.array_equal(batch.lane_state(lane), other.lane_state(lane)), lane


def measure_host(name: str, lanes: int, rounds: int) -> None:
    """Print the host's part of round trips."""
    import pytest

    from cuda_host import HostGpu, answer_at_once, use_host_gpu

    with pytest.MonkeyPatch.context() as patch:
        use_host_gpu(patch, HostGpu(multiprocessors=lanes))
        design = find_design(name)
        batch = compile_single(design).batch(lanes, "cuda", messages="count", resident=True)
        batch.run_cycles(1)
        answer_at_once(batch.residency.lanes)
        works = round_trips(batch, design.reset, REGISTERS.get(name, "hash"))
        found = [f"{what} {measure(work, rounds, time.process_time_ns)[1]}" for what, work in works.items()]
        print(f"{name}, {lanes} lanes, the host's part: {', '.join(found)}", flush=True)


def commands(batch: Any, rounds: int) -> list[str]:
    """Return what single commands take, without Python's part."""
    lanes, period = batch.residency.lanes, batch.clocks[0].clock.period_fs
    found: list[str] = []

    def send(flags: int, duration: int = 0) -> None:
        lanes._words[mailbox.DURATION] = duration
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
        found.append(f"{what} {measure(partial(send, flags, duration), rounds // 4)[1]}")
    return found


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", default="picorv32_soc")
    parser.add_argument("--lanes", default="1,32,1024,16384")
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--share", action="store_true", help="memories that lanes share until they write to them")
    parser.add_argument("--limit", type=float, default=0.0, help="the longest median, in microseconds")
    parser.add_argument("--host", action="store_true", help="measure the host's part, without a GPU")
    options = parser.parse_args()
    worst = 0.0
    for name in options.designs.split(","):
        for lanes in options.lanes.split(","):
            if options.host:
                measure_host(name, int(lanes), options.rounds)
            else:
                worst = max(worst, measure_lanes(name, int(lanes), options.rounds, options.device, options.share))
    if options.limit and worst > options.limit:
        sys.exit(f"a round trip takes {worst:.1f} us, more than {options.limit}")


if __name__ == "__main__":
    main()
