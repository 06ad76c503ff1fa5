"""Run testbenches with `weft run`, Icarus and Verilator in turn, and print a Markdown table: `python bench/events.py`.

The testbenches are bound by simulation: PicoRV32's own `testbench.v` with its own firmware, which needs a RISC-V
compiler (`--riscv PREFIX`, as `riscv64-unknown-elf-`); a stress of LFSRs, a CRC and a FIFO; array multipliers of gates
with delays. Each prints a line that says that it passed; a run without it is no result.

Every peer gets the same sources: the testbench, unchanged, and a second top module that can end the run at a time; for
Verilator, which wants one top, an instance of each in a module. Each is run to its end, ended in its first time step
(*start*), and run for a part of its length (*part*); times of these three make two rates of cycles (for multipliers,
products):

* *whole*: cycles of the whole run by its CPU time without that of the start. What is done once in each run counts:
  reading memory files, making and loading better code, getting used to the design;
* *steady*: the cycles that the whole run has more than the part, by the CPU time that it takes more.

Weft learns from run to run, so a second table has whole runs of it by what was in its cache: the first and the second
run with an empty one, a first run with `--tune`, the runs after that, and those after many (which the first table
has). Their rates are cycles of the whole run by its CPU time without that of a warm start: what a first run compiles
counts against it.

CPU time is what is compared, since it bears other work on the machine better than the clock on the wall.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench.event_designs.multiplier import multiplier  # noqa: E402
from bench.peers import verilator  # noqa: E402
from bench.peers.process import Cost, PeerFailed, execute  # noqa: E402

DESIGNS = ROOT / "bench" / "event_designs"
WEFT = "import sys; from weft.apps.cli import main; sys.argv[0] = 'weft'; sys.exit(main())"
PEERS: tuple[str, ...] = ("weft", "icarus", "verilator")
WARMING = 24
"""Runs of Weft before those that are measured: its cache then has the code that long use of a design leaves there."""
STAGES = {
    "first": "first, empty cache",
    "second": "second",
    "tune": "first, with `--tune`",
    "tuned": "after one with `--tune`",
    "used": f"after {WARMING}",
}
"""Whole runs of Weft by what was in the cache."""


@dataclass(frozen=True, slots=True)
class Testbench:
    """Be a testbench: its files and top module, the line of a pass, and how many cycles each peer runs."""

    name: str
    files: tuple[str, ...]
    top: str
    passed: str
    cycles: dict[str, int]
    part: dict[str, int]
    """How many of them a run for the steady rate leaves out."""
    period_ns: int = 0
    """The time of a cycle if the testbench always runs as long as it runs, else 0: it takes `+cycles=N`."""
    defines: tuple[str, ...] = ()
    undefine: tuple[str, ...] = ()


@dataclass(slots=True)
class Measured:
    """Hold what was measured of one peer on one testbench."""

    cold: Cost | None = None
    starts: list[Cost] = field(default_factory=list[Cost])
    parts: list[Cost] = field(default_factory=list[Cost])
    runs: list[Cost] = field(default_factory=list[Cost])
    stages: dict[str, list[Cost]] = field(default_factory=dict[str, list[Cost]])
    """Weft's whole runs, by the keys of `STAGES`."""
    failed: str = ""

    def whole(self, cycles: int, stage: str = "") -> float:
        """Return cycles per second of CPU time of the whole run, perhaps that of a stage, without a warm start."""
        return cycles / max(1e-6, _cpu(self.stages[stage] if stage else self.runs) - _cpu(self.starts))

    def steady(self, cycles: int, part: int) -> float:
        """Return cycles per second of CPU time of the rest of the run after a part of it."""
        return (cycles - part) / max(1e-6, _cpu(self.runs) - _cpu(self.parts))


def _cpu(costs: Sequence[Cost]) -> float:
    return statistics.median(cost.cpu_seconds for cost in costs)


def _wall(costs: Sequence[Cost]) -> float:
    return statistics.median(cost.seconds for cost in costs)


def picorv32(folder: Path, prefix: str) -> Testbench:
    """Build PicoRV32's firmware as its Makefile does, and return its testbench."""
    spec = importlib.util.find_spec("pythondata_cpu_picorv32")
    if spec is None or not spec.submodule_search_locations:
        raise PeerFailed("pip install pythondata-cpu-picorv32")
    if shutil.which(f"{prefix}gcc") is None:
        raise PeerFailed(f"no {prefix}gcc: say --riscv PREFIX")
    source = Path(spec.submodule_search_locations[0]) / "verilog"
    for name in ("firmware", "tests"):
        shutil.copytree(source / name, folder / name, dirs_exist_ok=True)
    bare = ["-mabi=ilp32", "-ffreestanding", "-nostdlib"]
    objects: list[str] = []

    def build(text: Path, isa: str, *words: str) -> None:
        objects.append(f"{text.with_suffix('.o')}")
        execute([f"{prefix}gcc", "-c", *bare, f"-march={isa}", *words, "-o", objects[-1], str(text)], folder)

    build(folder / "firmware" / "start.S", "rv32imc_zicsr")
    for name in ("irq", "print", "hello", "sieve", "multest", "stats"):
        build(folder / "firmware" / f"{name}.c", "rv32ic_zicsr", "-Os", "--std=c99")
    for test in sorted((folder / "tests").glob("*.S")):
        names = [f"-DTEST_FUNC_NAME={test.stem}", f'-DTEST_FUNC_TXT="{test.stem}"', f"-DTEST_FUNC_RET={test.stem}_ret"]
        build(test, "rv32im_zicsr", *names)
    linker = "-Wl,-melf32lriscv,--build-id=none,-Bstatic,-T,firmware/sections.lds,--strip-debug"
    image = folder / "firmware" / "firmware"
    link = [f"{prefix}gcc", "-Os", *bare, "-march=rv32im", linker, "-o", f"{image}.elf", *objects, "-lgcc"]
    execute(link, folder)
    execute([f"{prefix}objcopy", "-O", "binary", f"{image}.elf", f"{image}.bin"], folder)
    words = execute([sys.executable, "firmware/makehex.py", f"{image}.bin", "32768"], folder).output
    image.with_suffix(".hex").write_text(words)
    files = (str(source / "testbench.v"), str(source / "picorv32.v"))
    cycles, part = dict.fromkeys(PEERS, 461_479), dict.fromkeys(PEERS, 230_000)
    passed, defines = "ALL TESTS PASSED.", ("COMPRESSED_ISA",)
    return Testbench("PicoRV32", files, "testbench", passed, cycles, part, 10, defines, ("VERILATOR",))


def _quarter(cycles: dict[str, int]) -> dict[str, int]:
    return {peer: count // 4 for peer, count in cycles.items()}


def testbenches(folder: Path, chosen: Sequence[str], prefix: str) -> list[Testbench]:
    """Return the testbenches that are chosen; print why one cannot be run."""
    found: list[Testbench] = []
    for name in chosen:
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        if name == "picorv32":
            try:
                found.append(picorv32(place, prefix))
            except PeerFailed as error:
                print(f"picorv32: {error}", file=sys.stderr)
        elif name == "stress":
            cycles = {"weft": 8_000_000, "icarus": 50_000, "verilator": 8_000_000}
            found.append(Testbench(name, (str(DESIGNS / "stress.v"),), name, "PASSED:", cycles, _quarter(cycles)))
        elif name.startswith("multiplier"):
            size = int(name.removeprefix("multiplier"))
            path = place / f"{name}.v"
            path.write_text(multiplier(size))
            products = 400_000 // size**2
            cycles = {"weft": 10 * products, "icarus": products, "verilator": 10 * products}
            found.append(Testbench(name, (str(path),), "multiplier_test", "PASSED:", cycles, _quarter(cycles)))
        else:
            raise SystemExit(f"no testbench {name}")
    return found


class Runner:
    """Run one testbench with each peer."""

    def __init__(self, bench: Testbench, folder: Path, words: Sequence[str]) -> None:
        self.bench, self.folder, self.words = bench, folder, words
        self.cache = folder / "cache"
        self.files = (*bench.files, str(DESIGNS / "stop_at.v"))
        self.tops = ("-s", bench.top, "-s", "stop_at")

    def command(self, peer: str, cycles: int, tune: bool = False) -> list[str]:
        """Return the command that runs the testbench for some cycles; 0: its start."""
        bench = self.bench
        plusargs = [f"+cycles={cycles}"]
        if not cycles or bench.period_ns:
            plusargs = [f"+stop={cycles * bench.period_ns}"] if cycles < bench.cycles[peer] else []
        if peer == "weft":
            defines = [f"-D{name}" for name in bench.defines]
            words = [*(["--tune"] if tune else []), *self.words]
            return [sys.executable, "-c", WEFT, "run", *words, *defines, *self.tops, *self.files, *plusargs]
        if peer == "icarus":
            return ["vvp", "-n", str(self.folder / "run.vvp"), *plusargs]
        return [str(self.folder / "verilator" / "Vtop"), *plusargs]

    def build(self, peer: str) -> None:
        """Compile with a peer that compiles beforehand."""
        bench = self.bench
        defines = [f"-D{name}" for name in bench.defines]
        if peer == "icarus":
            output = str(self.folder / "run.vvp")
            execute(["iverilog", "-g2012", *defines, *self.tops, "-o", output, *self.files], self.folder)
        elif peer == "verilator":
            place = self.folder / "verilator"
            place.mkdir(exist_ok=True)
            top = place / "bench_top.v"
            instances = f"{bench.top} {bench.top}();\n  stop_at stop_at();"
            top.write_text(f"`timescale 1ns / 1ps\nmodule bench_top;\n  {instances}\nendmodule\n")
            words = ["--main", "--exe", "--cc", "--timing", "-O3", "-Wno-fatal", "-Wno-lint", "-Wno-style"]
            words += [*defines, *(f"-U{name}" for name in bench.undefine), "--top-module", "bench_top"]
            verilator.verilate([*words, "--prefix", "Vtop", "--Mdir", ".", *self.files, str(top)], place)

    def run(self, peer: str, cycles: int, cache: str = "cache", tune: bool = False) -> Cost:
        """Run for some cycles, 0 for the start; raise `PeerFailed` if a testbench that ends by itself does not pass.

        Weft uses the `cache` of this name.
        """
        path = os.environ.get("PYTHONPATH", str(ROOT / "src"))
        # An installed Weft has its bytecode, and Python collects what it prints; whoever runs this may have told Python
        # otherwise.
        environment = {"WEFT_CACHE_DIR": str(self.folder / cache), "PYTHONPATH": path}
        environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONUNBUFFERED": ""}
        command = self.command(peer, cycles, tune)
        cost = execute(command, self.folder, environment)
        if not any(word.startswith("+stop=") for word in command) and self.bench.passed not in cost.output:
            raise PeerFailed(f"no line '{self.bench.passed}': {cost.output.strip()[-100:]}")
        return cost

    def forget(self, cache: str) -> None:
        """Empty a cache."""
        shutil.rmtree(self.folder / cache, ignore_errors=True)

    def run_stages(self, measured: Measured, tunes: bool) -> None:
        """Run Weft as it is in the first runs of a design, and in those after one that tunes."""
        cycles, found = self.bench.cycles["weft"], measured.stages
        self.forget("new")
        for stage in ("first", "second"):
            found.setdefault(stage, []).append(self.run("weft", cycles, "new"))
        if tunes and "tune" not in found:
            found["tune"] = [self.run("weft", cycles, "tuned", tune=True)]
        if tunes:
            found.setdefault("tuned", []).append(self.run("weft", cycles, "tuned"))


def measure(
    bench: Testbench, peers: Sequence[str], folder: Path, runs: int, words: Sequence[str]
) -> dict[str, Measured]:
    """Build with each peer, then run them in turn."""
    runner = Runner(bench, folder, words)
    found = {peer: Measured() for peer in peers}
    for peer in peers:
        try:
            runner.build(peer)
            if peer == "weft":
                runner.forget("cache")
                found[peer].cold = runner.run(peer, 0)
                for _ in range(WARMING):
                    runner.run(peer, bench.cycles[peer])
        except PeerFailed as error:
            found[peer].failed = _short(error)
    for _ in range(runs):
        for peer, measured in found.items():
            if measured.failed:
                continue
            try:
                measured.starts.append(runner.run(peer, 0))
                measured.parts.append(runner.run(peer, bench.part[peer]))
                measured.runs.append(runner.run(peer, bench.cycles[peer]))
                if peer == "weft":
                    runner.run_stages(measured, "--engine=event" not in words)
            except PeerFailed as error:
                measured.failed = _short(error)
    return found


def _short(error: PeerFailed) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1][:120] if lines else "failed"


def _rows(bench: Testbench, found: dict[str, Measured]) -> list[str]:
    rows: list[str] = []
    own: tuple[float, float] | None = None
    for peer, measured in found.items():
        if measured.failed or not measured.runs:
            rows.append(f"| {bench.name} | {peer} | {measured.failed} | | | | | | |")
            continue
        cycles = bench.cycles[peer]
        whole, steady = measured.whole(cycles), measured.steady(cycles, bench.part[peer])
        own = (whole, steady) if peer == "weft" else own
        cold = f"{measured.cold.seconds:.2f} s ({measured.cold.cpu_seconds:.2f})" if measured.cold is not None else ""
        times = [f"{_wall(costs):.2f} s ({_cpu(costs):.2f})" for costs in (measured.starts, measured.runs)]
        peak = max(cost.peak_bytes for cost in measured.runs) >> 20
        ratio = f"{own[0] / whole:.2f}x, {own[1] / steady:.2f}x" if own and peer != "weft" else ""
        rates = f"{whole:,.0f} | {steady:,.0f} | {ratio}"
        rows.append(f"| {bench.name} | {peer} | {cold} | {times[0]} | {cycles:,}: {times[1]} | {rates} | {peak} MiB |")
    return rows


def _stage_rows(bench: Testbench, found: dict[str, Measured]) -> list[str]:
    """Return the rows of the table of Weft's first runs."""
    own = found.get("weft")
    if own is None or own.failed or not own.runs:
        return []
    cycles = bench.cycles["weft"]
    own.stages["used"] = own.runs
    rows: list[str] = []
    for stage in (stage for stage in STAGES if stage in own.stages):
        costs, rate = own.stages[stage], own.whole(cycles, stage)
        others = [
            f"{rate / each.whole(bench.cycles[peer]):.2f}x {peer}"
            for peer, each in found.items()
            if peer != "weft" and not each.failed and each.runs
        ]
        time = f"{_wall(costs):.2f} s ({_cpu(costs):.2f})"
        rows.append(f"| {bench.name} | {STAGES[stage]} | {time} | {rate:,.0f} | {', '.join(others)} |")
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", default="picorv32,stress,multiplier16,multiplier32")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--options", default="", help="words for weft run, as --options=--engine=event")
    parser.add_argument("--riscv", default="riscv64-unknown-elf-", help="prefix of the RISC-V tools")
    parser.add_argument("--save", help="write the table to bench/results/DATE-NAME.md")
    options = parser.parse_args()
    lines = [
        f"`python bench/events.py --designs {options.designs} --peers {options.peers} --runs {options.runs}"
        + (f" --options={options.options}`" if options.options else "`"),
        "",
        "| testbench | simulator | start, cold: wall (CPU) | start, warm | whole run | cycles per CPU second: whole "
        "| steady | weft to it: whole, steady | peak memory |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    words, stages = options.options.split(), list[str]()
    with tempfile.TemporaryDirectory(prefix="weft-events-") as name:
        for bench in testbenches(Path(name), options.designs.split(","), options.riscv):
            folder = Path(name) / bench.name.lower()
            found = measure(bench, options.peers.split(","), folder, options.runs, words)
            rows, more = _rows(bench, found), _stage_rows(bench, found)
            lines += rows
            stages += more
            print("\n".join([*rows, *more]), flush=True)
    if stages:
        lines += ["", "| testbench | run of weft | wall (CPU) | cycles per CPU second: whole | to peers |"]
        lines += ["|---|---|---|---|---|", *stages]
    lines += [
        "",
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} logical CPUs, load "
        f"{os.getloadavg()[1]:.0f}; Python {platform.python_version()}; medians of {options.runs} alternating runs, "
        f"Weft's after {WARMING} that fill its cache.",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.save:
        date = datetime.date.today().isoformat()
        path = ROOT / "bench" / "results" / f"{date}-{options.save}.md"
        path.write_text(f"# {date}: {options.save}\n\n{text}")


if __name__ == "__main__":
    main()
