"""Run Weft and its peers side by side and print a Markdown table: `python bench/run.py --designs picorv32,serv`.

The peers take turns, run by run, so that a machine that grows slow or fast treats them alike; the table has medians.
Every simulator runs in a process of its own. Each computes the hash of the design's outputs by itself, and the table
says whether all agreed. `docs/benchmarks.md` explains the columns.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench.designs import DESIGNS, Design, MissingPackage  # noqa: E402
from bench.peers import cxxrtl, icarus, verilator, weft  # noqa: E402
from bench.peers.process import Build, PeerFailed, Run  # noqa: E402

PEERS: dict[str, ModuleType] = {"weft": weft, "verilator": verilator, "icarus": icarus, "cxxrtl": cxxrtl}
SLOWER = {"icarus": 200}
"""Peers that run this many times fewer cycles, so that a session ends; their rate is what is compared."""


@dataclass(slots=True)
class Measured:
    """Hold what was measured of one peer on one design."""

    cold: float = 0.0
    cold_cpu: float = 0.0
    build_peak: int = 0
    warm: list[float] = field(default_factory=list[float])
    runs: list[Run] = field(default_factory=list[Run])
    traced: dict[str, list[Run]] = field(default_factory=dict[str, list[Run]])
    agreed: bool = True
    failed: str = ""

    @property
    def rate(self) -> float:
        return statistics.median(run.rate for run in self.runs) if self.runs else 0.0

    def traced_rate(self, kind: str) -> float:
        runs = self.traced.get(kind, [])
        return statistics.median(run.rate for run in runs) if runs else 0.0


def measure(
    design: Design, peers: list[str], cycles: int, runs: int, waves: bool, keep: bool = False
) -> dict[str, Measured]:
    """Build a design with each peer (not what is built already, if `keep`), then run them in turn."""
    found = {peer: Measured() for peer in peers}
    built: dict[str, Build] = {}
    for peer in peers:
        try:
            if peer in design.unable:
                raise PeerFailed(design.unable[peer])
            build = PEERS[peer].build(design, again=not keep)
            built[peer] = build
            first = PEERS[peer].run(design, build, 1)
            # Weft's build already ends with the first cycle; the others' programs still have to start.
            found[peer].cold = build.seconds + (0.0 if peer == "weft" else first.start_seconds)
            found[peer].cold_cpu, found[peer].build_peak = build.cpu_seconds, build.peak_bytes
        except PeerFailed as error:
            _report_failure(design, peer, found[peer], error)
            built.pop(peer, None)
    for peer, build in list(built.items()):
        # Weft makes its better code while it runs; what is measured is a start that finds it.
        try:
            PEERS[peer].run(design, build, max(2, cycles // SLOWER.get(peer, 1)))
        except PeerFailed as error:
            _report_failure(design, peer, found[peer], error)
            del built[peer]
    for _ in range(runs):
        for peer, build in built.items():
            run = PEERS[peer].run(design, build, max(2, cycles // SLOWER.get(peer, 1)))
            found[peer].runs.append(run)
            found[peer].warm.append(run.start_seconds)
    _compare_hashes(design, built, found)
    if waves:
        _measure_waves(design, built, found, max(2, cycles // 10), runs)
    return found


def _report_failure(design: Design, peer: str, measured: Measured, error: PeerFailed) -> None:
    """Leave a peer that cannot build or run a design out of the comparison, and say why."""
    measured.failed = str(error).splitlines()[0][:200]
    print(f"{design.name}: {peer}: {error}", file=sys.stderr)


def _compare_hashes(design: Design, built: dict[str, Build], found: dict[str, Measured]) -> None:
    """Say for each peer whether its outputs were the first one's; slow peers ran fewer cycles."""
    for peer, measured in found.items():
        if not measured.runs:
            continue
        last = measured.runs[-1]
        judge = next(other for other in built if other != peer or len(built) == 1)
        same = next((run for run in found[judge].runs if run.cycles == last.cycles), None)
        same = same or PEERS[judge].run(design, built[judge], last.cycles)
        # The monitor in the design keeps the beginning of a long text; only that is compared.
        kept = min(len(same.text), len(last.text))
        measured.agreed = (same.hash, same.text[:kept]) == (last.hash, last.text[:kept])


def _measure_waves(design: Design, built: dict[str, Build], found: dict[str, Measured], cycles: int, runs: int) -> None:
    """Measure all signals to FST with every peer that can, and with Weft the fifty chosen ones."""
    with tempfile.TemporaryDirectory(prefix="weft-waves-") as folder:
        for _ in range(runs):
            for peer in built:
                if "fst" not in PEERS[peer].WAVES:
                    continue
                measured = found[peer]
                path = Path(folder) / f"{peer}.fst"
                try:
                    build = PEERS[peer].build(design, "fst")
                except PeerFailed as error:
                    print(f"{design.name}: {peer} with FST: {error}", file=sys.stderr)
                    continue
                count = max(2, cycles // SLOWER.get(peer, 1))
                measured.traced.setdefault("all", []).append(PEERS[peer].run(design, build, count, path))
                if peer == "weft" and design.chosen:
                    # What it is compared with runs beside it, for as many cycles: a machine's mood changes in minutes.
                    untraced = weft.run(design, build, 10 * count)
                    chosen = weft.run(design, build, 10 * count, path, design.chosen)
                    measured.traced.setdefault("untraced", []).append(untraced)
                    measured.traced.setdefault("chosen", []).append(chosen)
                path.unlink(missing_ok=True)


def _number(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:.2f} M"
    return f"{value / 1e3:.1f} k" if value >= 1e3 else f"{value:.1f}"


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 20 else f"{value:.0f} s"


def rows(design: Design, found: dict[str, Measured]) -> list[str]:
    """Return the table's lines for one design."""
    base = found.get("verilator", Measured()).rate
    traced_base = found.get("verilator", Measured()).traced_rate("all")
    lines: list[str] = []
    for peer, measured in found.items():
        if measured.failed:
            lines.append(f"| {design.name} | {peer} | {measured.failed.replace('|', ' ')} | | | | | | | | |")
            continue
        warm = statistics.median(measured.warm)
        peak = max(run.peak_bytes for run in measured.runs)
        traced, chosen, untraced = (measured.traced_rate(kind) for kind in ("all", "chosen", "untraced"))
        cells = [
            design.name,
            peer,
            f"{_seconds(measured.cold)} ({measured.cold_cpu:.1f} CPU s)",
            _seconds(warm),
            _number(measured.rate),
            f"{measured.rate / base:.2f}" if base else "",
            f"{max(peak, measured.build_peak) / 2**20:.0f} / {peak / 2**20:.0f} MiB",
            _number(traced) if traced else "",
            f"{traced / traced_base:.2f}" if traced and traced_base else "",
            f"{_number(chosen)} ({untraced / chosen:.2f}x slower)" if chosen else "",
            "yes" if measured.agreed else "**NO**",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


HEAD = """| design | simulator | source to first cycle, cold | warm | cycles/s | to Verilator \
| peak memory, build / run | cycles/s, FST of all signals | to Verilator | cycles/s, chosen signals | outputs equal |
|---|---|---|---|---|---|---|---|---|---|---|"""


def describe_machine() -> str:
    """Return the machine's processor and system, without its name."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        processor = f"{names[0]}, {len(names)} logical CPUs" if names else processor
    return f"{processor}; {platform.system()} {platform.machine()}; Python {platform.python_version()}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", default=",".join(DESIGNS))
    parser.add_argument("--peers", default="weft,verilator,icarus")
    parser.add_argument("--cycles", type=int, default=0, help="cycles of a run; each design has its own number")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--keep", action="store_true", help="use what was built before; build times mean nothing then")
    parser.add_argument("--waves", action="store_true", help="also measure with waveforms")
    parser.add_argument("--save", metavar="WHAT", help="write bench/results/DATE-WHAT.md")
    options = parser.parse_args()
    peers: list[str] = options.peers.split(",")
    versions: list[str] = []
    for peer in peers:
        try:
            versions.append(PEERS[peer].version())
        except PeerFailed as error:
            sys.exit(str(error))
    lines = [HEAD]
    print(HEAD, flush=True)
    for name in options.designs.split(","):
        try:
            design = DESIGNS[name]()
        except MissingPackage as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        cycles = options.cycles or design.cycles
        found = measure(design, peers, cycles, options.runs, options.waves, options.keep)
        new = rows(design, found)
        lines += new
        print("\n".join(new), flush=True)
    note = f"\n{describe_machine()}; {', '.join(versions)}; medians of {options.runs} alternating runs.\n"
    print(note)
    if options.save:
        today = datetime.date.today().isoformat()
        path = ROOT / "bench" / "results" / f"{today}-{options.save}.md"
        path.parent.mkdir(exist_ok=True)
        command = " ".join(["python bench/run.py", *sys.argv[1:]])
        path.write_text(f"# {today}: {options.save}\n\n`{command}`\n\n" + "\n".join(lines) + "\n" + note)


if __name__ == "__main__":
    main()
