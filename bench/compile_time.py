"""Measure how compiling grows with the design: `python bench/compile_time.py --designs serv,ibex,cva6,rocket`.

Each design is started in a process of its own, on an empty cache and then on a warm one, and runs one cycle. CPU
seconds of all threads are counted, since a machine that does other work stretches wall-clock time; the median of some
starts is shown, with the nodes of the cone graph and the peak memory.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench.designs import DESIGNS, MissingPackage  # noqa: E402
from bench.peers import weft  # noqa: E402

HEAD = """| design | nodes | states | cold start | per node | peak memory | warm start | peak memory |
|---|---|---|---|---|---|---|---|"""


def row(name: str, starts: int) -> str:
    """Return the table's line for one design."""
    design = DESIGNS[name]()
    cold, cold_peak, warm, warm_peak = list[float](), 0, list[float](), 0
    report = {}
    for _ in range(starts):
        cost, report = weft.start(design, again=True)
        cold.append(cost.cpu_seconds)
        cold_peak = max(cold_peak, cost.peak_bytes)
        cost, _ = weft.start(design)
        warm.append(cost.cpu_seconds)
        warm_peak = max(warm_peak, cost.peak_bytes)
    seconds, nodes = statistics.median(cold), report["nodes"]
    cells = [
        name,
        f"{nodes:,}",
        f"{report['states']:,}",
        f"{seconds:.2f} s",
        f"{seconds / nodes * 1e6:.0f} us",
        f"{cold_peak / 2**20:.0f} MiB",
        f"{statistics.median(warm):.2f} s",
        f"{warm_peak / 2**20:.0f} MiB",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", default="serv,picorv32,ibex,cva6,rocket")
    parser.add_argument("--starts", type=int, default=3)
    options = parser.parse_args()
    print(HEAD, flush=True)
    for name in options.designs.split(","):
        try:
            print(row(name, options.starts), flush=True)
        except MissingPackage as error:
            print(f"{name}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
