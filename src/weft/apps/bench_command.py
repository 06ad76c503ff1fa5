"""Do what `weft bench` asks: measure, report, write files, compare."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from weft.apps.bench_designs import find_design
from weft.apps.run_bench import find_regressions, measure_design, read_baseline, to_markdown
from weft.apps.show_progress import show_status
from weft.base.dataclass import dataclass, replace
from weft.base.errors import UserError


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """Hold the options of `weft bench`; an empty text or None means what the design says."""

    design: str = ""
    designs: str = ""
    runs: int = 10
    cycles: int | None = None
    warmup: int | None = None
    top: str = ""
    clock: str = ""
    reset: str = ""
    four_state: bool = False
    lanes: int | None = None
    device: str = ""
    baseline: str = ""
    threshold: str = "10%"
    json: str = ""
    markdown: str = ""


def run_bench(plan: BenchPlan, words: Sequence[str], plusargs: Sequence[str]) -> bool:
    """Measure, print the report, and say whether anything has become slower than the baseline allows."""
    threshold = parse_threshold(plan.threshold)
    design = find_design(plan.design, plan.designs, words)
    given: dict[str, str | int | tuple[str, ...] | None]
    given = {"top": plan.top, "clock": plan.clock, "reset": plan.reset, "device": plan.device, "lanes": plan.lanes}
    given["plusargs"] = tuple(plusargs)
    design = replace(design, **{name: value for name, value in given.items() if value})
    if plan.four_state:
        design = replace(design, four_state=True)
    if plan.cycles is not None:
        design = replace(design, cycles=plan.cycles, warmup=plan.cycles // 10)
    if plan.warmup is not None:
        design = replace(design, warmup=plan.warmup)
    if design.device and not design.lanes:
        raise UserError("bad-option", "--device is for batches: say how many lanes, --lanes N")
    baseline = read_baseline(plan.baseline, design.name) if plan.baseline else None
    said = [""]
    with show_status(lambda: said[-1]):
        result = measure_design(design, plan.runs, said.append)
    report = to_markdown(result, baseline, threshold)
    print(report, end="")
    if plan.markdown:
        _write(plan.markdown, report)
    if plan.json:
        _write(plan.json, json.dumps(result.to_json(), indent=1) + "\n")
    return baseline is not None and bool(find_regressions(result, baseline, threshold))


def parse_threshold(text: str) -> float:
    """Return a threshold such as `10%` or `0.1` as a part; raises `bad-option`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)\s*(%?)", text.strip())
    if match is None:
        raise UserError("bad-option", f"--threshold {text}: write 10% or 0.1")
    return float(match[1]) / (100 if match[2] else 1)


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text)
    except OSError as error:
        raise UserError("cannot-write", f"cannot write '{path}': {error.strerror}") from error
