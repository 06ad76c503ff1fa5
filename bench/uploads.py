"""Measure stimulus that goes to a GPU while it runs: `python bench/uploads.py --lanes 65536 --cycles 1024`.

Every lane has a 32-bit input that is given for every cycle: as an array (`Batch.drive`), by a test bench that writes
whole rows (`run_bench`, `strict` and `pipelined`), and for comparison by an expression, which takes nothing from the
host. Wall clock of the whole call, the median of `--rounds`; the seconds of kernels and of copies are the GPU's own
(`Batch.profile`), in a run of their own. If copies go beside kernels, a run takes less than kernels, copies and staging
together. At the end the registers of all lanes are compared with NumPy.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src")]

import numpy as np  # noqa: E402

import weft  # noqa: E402

SOURCE = """
module top(input logic clk, input logic [31:0] a, output logic [31:0] sum, output logic [31:0] mix);
  logic [31:0] chain [0:15];
  always_ff @(posedge clk) begin
    sum <= sum * 32'd5 + a;
    for (int i = 1; i < 16; i++) chain[i] <= (chain[i - 1] ^ (chain[i] >> i)) * 32'd2654435761 + sum;
    chain[0] <= chain[15] + a;
    mix <= mix + chain[15];
  end
endmodule
"""


def model(values: Any, sums: Any) -> Any:
    """Return what `sum` becomes."""
    for row in values:
        sums = sums * np.uint32(5) + row
    return sums


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lanes", type=int, default=65_536)
    parser.add_argument("--cycles", type=int, default=1024)
    parser.add_argument("--block", type=int, default=64, help="cycles of a test bench's block")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    options = parser.parse_args()
    lanes, cycles = options.lanes, options.cycles
    batch = weft.compile(texts={"top.sv": SOURCE}, clock="clk").batch(lanes, options.device, resident=False)
    values = np.random.default_rng(1).integers(0, 2**32, (cycles, lanes), np.uint32)
    sums = np.zeros(lanes, np.uint32)

    async def bench(given: Any) -> None:
        for row in values:
            given["a"] = row
            await given.cycles(1)

    def generated() -> None:
        batch.generate("a", "lane + cycle")
        batch.run_cycles(cycles)
        batch.generate("a", None)

    def benched(sync: str) -> Callable[[], Any]:
        return lambda: batch.run_bench(bench, sync=sync, block=options.block, ports=("a",))

    works: dict[str, Callable[[], Any]] = {
        "an expression": generated,
        "an array": lambda: batch.drive({"a": values}),
        "a strict test bench": benched("strict"),
        "a pipelined test bench": benched("pipelined"),
    }
    print(f"{lanes:,} lanes, {cycles:,} cycles, {values.nbytes / 1e6:,.0f} MB of stimulus, {batch.device.name}")
    for what, work in works.items():
        work()  # its code is there now
        batch.poke("sum", sums)
        times: list[float] = []
        for _ in range(options.rounds):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
        if what != "an expression":
            expected = sums
            for _ in range(options.rounds):
                expected = model(values, expected)
            assert np.array_equal(batch.peek("sum"), expected), f"{what}: lanes differ from NumPy"
        with batch.profile() as profile:
            work()
        median = statistics.median(times)
        kernels = sum(each.seconds for each in profile.kernels.values())
        rate = f", {values.nbytes / median / 1e9:.2f} GB/s of stimulus" if what != "an expression" else ""
        print(
            f"{what}: {median * 1000:.1f} ms ({min(times) * 1000:.1f} to {max(times) * 1000:.1f}),"
            f" {lanes * cycles / median / 1e9:.2f} G instance-cycles/s, kernels {kernels * 1000:.1f} ms,"
            f" copies {profile.copy_s * 1000:.1f} ms of {profile.to_device / 1e6:,.0f} MB{rate}",
            flush=True,
        )


if __name__ == "__main__":
    main()
