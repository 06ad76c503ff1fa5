"""`weft bench`: measure a design again and again, and compare with an earlier measurement.

Each round has two processes that take turns: a cold start, with an empty cache, to the first cycle; and a warm start,
which then runs. One round before them is not counted: it fills the cache, with all code that a run of this length
makes. So what is compared is what users have, and a machine that grows slow or fast treats both kinds alike.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import weft
from weft.apps.bench_designs import MeasuredDesign
from weft.base.dataclass import asdict, dataclass
from weft.base.errors import UserError

METRICS = {
    # name: (unit, digits shown); less is better for all of them
    "cold start": ("s", 3),
    "warm start": ("s", 3),
    "cycle": ("ns", 1),
    "cycle, CPU": ("ns", 1),
    "peak memory": ("MiB", 0),
}
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Metric:
    """Be what all rounds gave for one quantity."""

    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the median."""
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """Return the distance of the extremes, as a part of the median."""
        return (max(self.values) - min(self.values)) / self.median if self.median else 0.0

    def summary(self) -> dict[str, Any]:
        """Return what the JSON file has of it."""
        values = {"mean": statistics.fmean(self.values), "median": self.median}
        return {"unit": self.unit, **values, "min": min(self.values), "max": max(self.values), "values": self.values}


@dataclass(frozen=True, slots=True)
class BenchResult:
    """Hold the measurement of one design."""

    design: MeasuredDesign
    runs: int
    metrics: dict[str, Metric]
    device: str = ""

    @property
    def machine(self) -> str:
        """Return what the figures depend on: this machine, and what a batch ran on if that is something else."""
        return describe_machine() + (f", {self.device}" if self.device not in ("", "cpu") else "")

    def to_json(self) -> dict[str, Any]:
        """Return the content of the JSON file, which can be a baseline."""
        return {
            "format": _FORMAT,
            "weft": weft.__version__,
            "design": self.design.name,
            "cycles": self.design.cycles,
            "warmup": self.design.warmup,
            "lanes": self.design.lanes,
            "runs": self.runs,
            "machine": self.machine,
            "metrics": {name: metric.summary() for name, metric in self.metrics.items()},
        }


def describe_machine() -> str:
    """Return what the figures depend on: the processor and the system, without the machine's name."""
    names: list[str] = []
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} CPUs, {platform.system()}, Python {platform.python_version()}"


def measure_design(design: MeasuredDesign, runs: int, tell: Callable[[str], None] | None = None) -> BenchResult:
    """Measure a design; `tell` hears of each round. Raises `bench-failed`."""
    found: dict[str, list[float]] = {name: [] for name in METRICS}
    device = ""
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        warm = Path(folder) / "warm"
        for number in range(runs + 1):
            if tell is not None:
                tell(f"round {number} of {runs}" if number else "filling the cache")
            with tempfile.TemporaryDirectory(dir=folder) as empty:
                cold = _run(design, empty, cycles=0, warmup=0)
            result = _run(design, str(warm), fully=not number)
            if not number:
                # The second run finds the code that the first has made, and makes what a run makes late.
                _run(design, str(warm))
                continue
            cycles, device = max(1, result["cycles"]), result.get("device", "")
            values = (cold["start_s"], result["start_s"], 1e9 * result["run_s"] / cycles)
            values += (1e9 * result["run_cpu_s"] / cycles, result["peak_bytes"] / 2**20)
            for name, value in zip(METRICS, values, strict=True):
                found[name].append(value)
    metrics = {name: Metric(METRICS[name][0], tuple(each)) for name, each in found.items()}
    return BenchResult(design, runs, metrics, device)


def _run(design: MeasuredDesign, cache: str, *, fully: bool = False, **changes: int) -> dict[str, Any]:
    """Run the design in a process of its own; `changes` are other numbers of cycles."""
    request = {**asdict(design), **changes, "fully": fully, "began": time.perf_counter()}
    words = [sys.executable, "-m", "weft.apps.measure_once", json.dumps(request)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_PIPELINE")}
    process = subprocess.run(words, env={**clean, "WEFT_CACHE_DIR": cache}, capture_output=True, text=True, check=False)
    try:
        result: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        raise UserError("bench-failed", f"a run ended with status {process.returncode}\n{process.stderr}") from None
    if "error" in result:
        raise UserError("bench-failed", f"a run failed\n{result['error']}")
    if request["cycles"] and not result["cycles"]:
        raise UserError("bench-failed", f"the design finished within the {request['warmup']} cycles of warm-up")
    return result


def read_baseline(path: str, design: str) -> dict[str, Any]:
    """Return an earlier measurement of this design; raises `no-such-file` and `bad-option`."""
    try:
        data = json.loads(Path(path).read_text())
    except OSError as error:
        raise UserError("no-such-file", f"cannot read the baseline '{path}': {error.strerror}") from error
    except ValueError:
        data = None
    try:
        assert isinstance(data, dict) and data["format"] == _FORMAT
        medians = {str(name): float(metric["median"]) for name, metric in data["metrics"].items()}
        numbers = {"cycles": int(data["cycles"]), "lanes": int(data.get("lanes", 0))}
        baseline = {**data, "medians": medians, "machine": str(data["machine"]), **numbers}
        name = str(data["design"])
    except (AssertionError, KeyError, TypeError, ValueError, AttributeError):
        raise UserError("bad-option", f"'{path}' is no result of weft bench --json") from None
    if name != design:
        raise UserError("bad-option", f"the baseline '{path}' is of '{name}', not of '{design}'")
    return baseline


def find_regressions(result: BenchResult, baseline: Mapping[str, Any], threshold: float) -> list[str]:
    """Return the metrics whose median is worse than the baseline's by more than a part of it."""
    medians = baseline["medians"]
    return [
        name
        for name, metric in result.metrics.items()
        if name in medians and metric.median > medians[name] * (1 + threshold)
    ]


def make_notes(result: BenchResult, baseline: Mapping[str, Any] | None, threshold: float) -> list[str]:
    """Return what a reader must know before believing the table."""
    noisy = [f"{name} {100 * m.spread:.0f} %" for name, m in result.metrics.items() if m.spread > threshold]
    notes: list[str] = []
    if noisy:
        limit = f"{100 * threshold:g} % of the median"
        notes.append(f"The machine is noisy: values differ by more than {limit} ({', '.join(noisy)}).")
    if baseline is not None and baseline["machine"] != result.machine:
        notes.append(f"The baseline is of another machine: {baseline['machine']}.")
    if baseline is not None and baseline["cycles"] != result.design.cycles:
        notes.append(f"The baseline's runs had {baseline['cycles']:,} cycles.")
    if baseline is not None and baseline.get("lanes", 0) != result.design.lanes:
        lanes = baseline.get("lanes", 0)
        notes.append(f"The baseline is of {f'a batch of {lanes:,} lanes' if lanes else 'one simulation'}.")
    return notes


def to_markdown(result: BenchResult, baseline: Mapping[str, Any] | None, threshold: float) -> str:
    """Return the report."""
    design = result.design
    rate = 1e9 / result.metrics["cycle"].median
    lanes = f", in each of {design.lanes:,} lanes" if design.lanes else ""
    lines = [
        f"# {design.name}",
        "",
        f"Weft {weft.__version__}; {result.machine}.",
        "",
        f"{result.runs} rounds: a cold start on an empty cache, then a warm one that runs {design.warmup:,} cycles to "
        f"warm up and {design.cycles:,} that are timed{lanes}; one round before them is not counted. Median rate: "
        f"{rate:,.0f} {'lane ' if lanes else ''}cycles/s.",
        "",
        "| | mean | median | min | max |" + (" baseline | change |" if baseline is not None else ""),
        "|---|---|---|---|---|" + ("---|---|" if baseline is not None else ""),
    ]
    worse = find_regressions(result, baseline, threshold) if baseline is not None else []
    for name, metric in result.metrics.items():
        digits = METRICS[name][1] + (3 if design.lanes and metric.unit == "ns" else 0)
        values = (statistics.fmean(metric.values), metric.median, min(metric.values), max(metric.values))
        cells = [f"{name}, {metric.unit}", *(f"{value:,.{digits}f}" for value in values)]
        if baseline is not None:
            before = baseline["medians"].get(name)
            change = f"{100 * (metric.median / before - 1):+.1f} %" if before else ""
            cells += [f"{before:,.{digits}f}" if before else "", f"**{change}**" if name in worse else change]
        lines.append(f"| {' | '.join(cells)} |")
    notes = make_notes(result, baseline, threshold)
    lines += ["", *notes] if notes else []
    if baseline is not None:
        verdict = f"slower by more than {100 * threshold:g} %: {', '.join(worse)}" if worse else "no regression"
        lines += ["", f"Verdict: {verdict}."]
    return "\n".join(lines) + "\n"
