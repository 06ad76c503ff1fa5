"""Measure what stimulus costs: `python bench/stimulus.py --device cpu --lanes 64,1024,16384 --blocks 1,16,256`.

The design is a hash of its input in four rounds, some hundred operations a cycle. Every way to give it a new input in
each cycle is timed beside cycles with a constant input: an expression, random numbers, an array, and a test bench that
sets the input in each cycle and looks at the output once a block, `strict`, `pipelined` and `async`. Rates are lane
cycles for each second of the wall clock and of the process, medians of rounds that take turns; the CPU has one thread
for the lanes, so that a pipelined host has another.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import numpy as np  # noqa: E402

import weft  # noqa: E402

SOURCE = """
module hash(input logic clk, input logic [31:0] data, output logic [31:0] q);
  logic [31:0] s [0:3];
  function automatic logic [31:0] mix(logic [31:0] x);
    logic [31:0] y;
    y = x ^ (x << 13); y = y ^ (y >> 17); y = y ^ (y << 5);
    return y * 32'd2654435761 + {x[15:0], x[31:16]};
  endfunction
  always_ff @(posedge clk) begin
    s[0] <= mix(data ^ s[3]);
    s[1] <= mix(s[0] + data);
    s[2] <= mix(s[1]) ^ mix(s[0] + 1);
    s[3] <= mix(s[2] ^ {s[1][7:0], s[0][23:0]});
    q <= s[3] + mix(s[2]);
  end
endmodule
"""


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def bench_of(rows: Any, cycles: int, block: int) -> Callable[[Any], Any]:
    """Return a test bench that sets the input in each cycle and looks at the output once a block."""

    async def bench(lanes: Any) -> None:
        for cycle in range(cycles):
            lanes["data"] = rows[cycle % len(rows)]
            if cycle % block == 0:
                lanes.peek("q")
            await lanes.cycles()

    return bench


def measure(device: str, lanes: int, blocks: list[int], cycles: int, rounds: int) -> None:
    """Print a table for a number of lanes."""
    sim = weft.compile(texts={"hash.sv": SOURCE}, top="hash")
    rows = np.random.default_rng(1).integers(0, 2**32, (64, lanes), np.uint32)
    whole = rows[np.arange(cycles) % 64]
    ways: dict[str, tuple[Any, Callable[[], Any]]] = {}

    def add(name: str, run: Callable[[Any], Any], prepare: Callable[[Any], Any] = lambda batch: None) -> None:
        batch = sim.batch(lanes, device, threads=1)
        prepare(batch)
        run(batch)  # compiles
        ways[name] = batch, lambda: run(batch)

    add("constant", lambda batch: batch.run_cycles(cycles))
    add("expression", lambda batch: batch.run_cycles(cycles), lambda batch: batch.generate("data", "lane * 3 + cycle"))
    add("random", lambda batch: batch.run_cycles(cycles), lambda batch: batch.generate("data", "random"))
    add("array", lambda batch: batch.drive({"data": whole}))
    for block in blocks:
        for sync in ("strict", "pipelined", "async"):
            bench = bench_of(rows, cycles, block)

            def run(batch: Any, bench: Any = bench, sync: str = sync, block: int = block) -> None:
                batch.run_bench(bench, sync=sync, block=block, cycles=cycles, ports=["data"])

            add(f"{sync} {block}", run)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (_, run_again) in ways.items():
            wall, cpu = time.perf_counter(), cpu_seconds()
            run_again()
            found[name].append((time.perf_counter() - wall, cpu_seconds() - cpu))
    print(f"\n{lanes:,} lanes, {cycles:,} cycles\n")
    print("| stimulus | M lane cycles/s | per CPU second | microseconds a cycle |")
    print("|---|---:|---:|---:|")
    for name, times in found.items():
        wall, cpu = (statistics.median(each[n] for each in times) for n in (0, 1))
        done = lanes * cycles / 1e6
        print(f"| {name} | {done / wall:.1f} | {done / cpu:.1f} | {wall / cycles * 1e6:.1f} |", flush=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--lanes", default="64,1024,16384")
    parser.add_argument("--blocks", default="1,16,256")
    parser.add_argument("--cycles", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    blocks = [int(block) for block in options.blocks.split(",")]
    for lanes in options.lanes.split(","):
        measure(options.device, int(lanes), blocks, options.cycles, options.rounds)


if __name__ == "__main__":
    main()
