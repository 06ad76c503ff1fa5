"""Report a campaign: how many faults of each class, the coverage, where in the hierarchy, and each fault.

The fault coverage is the part of all faults that were detected; the test coverage leaves out the untestable ones, which
no test can detect. Hangs are not counted as detected: whoever has a watchdog adds them. Of a sample the interval is
given in which the coverage of the whole population lies with 95 % confidence (Wilson's, for a finite population).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from weft.base.dataclass import dataclass
from weft.base.errors import UserError
from weft.sim.faults.fault_list import MODEL_NAMES, FaultList, confidence_interval
from weft.sim.faults.fault_sites import FaultSite
from weft.sim.faults.lane_faults import FaultClass, Outcomes

_COLUMNS = (
    FaultClass.DETECTED,
    FaultClass.UNDETECTED,
    FaultClass.LATENT,
    FaultClass.HANG,
    FaultClass.UNTESTABLE,
    FaultClass.WAITING,
)


@dataclass(frozen=True, slots=True)
class FaultRow:
    """Be one fault and what became of it; `cycle` is the flip's, `seen_cycle` and `output` where it was detected."""

    name: str
    model: str
    cycle: int | None
    result: str
    seen_cycle: int | None
    output: str

    def describe(self) -> str:
        """Return the fault as a line of a fault list."""
        return f"{self.model} {self.name}" + ("" if self.cycle is None else f" @ {self.cycle}")


@dataclass(frozen=True, slots=True)
class Coverage:
    """Count the faults of some part by class."""

    counts: Counter[FaultClass]

    @property
    def total(self) -> int:
        """Return the number of faults."""
        return self.counts.total()

    @property
    def detected(self) -> int:
        """Return the number of detected faults."""
        return self.counts[FaultClass.DETECTED]

    @property
    def simulated(self) -> int:
        """Return the number of faults whose class is known."""
        return self.total - self.counts[FaultClass.WAITING]

    @property
    def fault_coverage(self) -> float:
        """Return the part that was detected, of all that are decided."""
        return self.detected / self.simulated if self.simulated else 0.0

    @property
    def test_coverage(self) -> float:
        """Return the part that was detected, of all that are decided and can be."""
        testable = self.simulated - self.counts[FaultClass.UNTESTABLE]
        return self.detected / testable if testable else 0.0


@dataclass(frozen=True, slots=True)
class FaultReport:
    """Hold the results of a campaign; `simulated` faults stand for all others, which are equivalent to one of them.

    `inferred` are detected because one that they dominate is: they are seen no later than that.

    `left_out` are signals that globs name and that have no faults: a process reads what it has just assigned.
    """

    design: str
    sites: Sequence[FaultSite]
    faults: FaultList
    outcomes: Outcomes
    observed: tuple[str, ...]
    simulated: int
    cycles: int
    sampled: bool
    seed: int
    seconds: float
    device: str
    scopes: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    inferred: int = 0

    @property
    def coverage(self) -> Coverage:
        """Return the counts of all faults."""
        return Coverage(_count(self.outcomes.classes))

    @property
    def complete(self) -> bool:
        """Say whether every fault is decided."""
        return not (self.outcomes.classes == FaultClass.WAITING).any()

    @property
    def interval(self) -> tuple[float, float]:
        """Return the interval of the fault coverage of all faults of which these are a sample."""
        total = self.coverage
        return confidence_interval(total.detected, total.simulated, self.faults.population)

    def __len__(self) -> int:
        return len(self.faults)

    def __getitem__(self, number: int) -> FaultRow:
        """Return one fault and what became of it."""
        faults, outcomes = self.faults, self.outcomes
        site = self.sites[int(faults.site[number])]
        output, seen = int(outcomes.outputs[number]), int(outcomes.cycles[number])
        found = FaultClass(int(outcomes.classes[number]))
        shown = self.observed[output] if output >= 0 else "the end of the run" if found == FaultClass.DETECTED else ""
        cycle = int(faults.cycle[number])
        return FaultRow(
            site.bit_name(int(faults.bit[number]), int(faults.element[number])),
            MODEL_NAMES[int(faults.model[number])],
            cycle if cycle >= 0 else None,
            _name(found),
            seen if seen >= 0 else None,
            shown,
        )

    def rows(self) -> Iterator[FaultRow]:
        """Yield every fault, in the order of the list."""
        for number in range(len(self)):
            yield self[number]

    def hierarchy(self) -> dict[str, Coverage]:
        """Return the counts of each instance, those of the instances in it included, by path."""
        scopes = set(self.scopes)
        of_site = [_scope_of(site.path, scopes) for site in self.sites]
        found: dict[str, Counter[FaultClass]] = {}
        for number in np.unique(self.faults.site).tolist():
            counts = _count(self.outcomes.classes[self.faults.site == number])
            path = of_site[number]
            while path:
                found.setdefault(path, Counter()).update(counts)
                path = path.rpartition(".")[0]
        return {path: Coverage(found[path]) for path in sorted(found) if path in scopes}

    # ------------------------------------------------------------------------------------------------- documents

    def summary(self) -> list[tuple[str, str]]:
        """Return what the report begins with, as pairs of a title and a text."""
        total = self.coverage
        counted = "were simulated" if self.inferred else "can be told apart"
        lines = [
            ("design", self.design),
            ("faults", f"{total.total:,}, of which {self.simulated:,} {counted}"),
            ("cycles", f"{self.cycles:,}"),
            ("observed", ", ".join(self.observed[:8]) + (" ..." if len(self.observed) > 8 else "")),
        ]
        if self.inferred:
            lines.append(("dominance", f"{self.inferred:,} are detected as one that they dominate is, then or before"))
        if self.left_out:
            shown = ", ".join(self.left_out[:4]) + (" ..." if len(self.left_out) > 4 else "")
            lines.append(("left out", f"{len(self.left_out)} signals that their own process reads: {shown}"))
        if not self.complete:
            lines.append(("incomplete", f"cut short: {total.counts[FaultClass.WAITING]:,} faults were not simulated"))
        lines += [
            ("fault coverage", f"{total.fault_coverage:.2%}"),
            ("test coverage", f"{total.test_coverage:.2%} (without the untestable)"),
        ]
        if self.sampled:
            low, high = self.interval
            lines.append(
                (
                    "sample",
                    f"{total.total:,} of {self.faults.population:,} faults, seed {self.seed}: the fault coverage of all"
                    f" is {low:.2%} to {high:.2%} with 95 % confidence",
                )
            )
        if self.seconds:
            rate = total.simulated / self.seconds
            lines.append(("time", f"{self.seconds:.2f} s on {self.device}, {rate:,.0f} faults/s"))
        return lines

    def text(self) -> str:
        """Return the report for a terminal."""
        lines = [f"{title + ':':<16}{text}" for title, text in self.summary()]
        lines.append("")
        total = self.coverage
        lines += [f"{_name(each) + ':':<16}{total.counts[each]:>10,}" for each in _COLUMNS if total.counts[each]]
        table = self.hierarchy()
        if len(table) > 1:
            wide = max(len(path) for path in table)
            lines += ["", f"{'instance':<{wide}} {'faults':>10} {'detected':>10} {'latent':>8} {'coverage':>9}"]
            lines += [
                f"{path:<{wide}} {part.total:>10,} {part.detected:>10,} {part.counts[FaultClass.LATENT]:>8,}"
                f" {part.fault_coverage:>9.2%}"
                for path, part in table.items()
            ]
        return "\n".join(lines) + "\n"

    def markdown(self, faults: bool = True) -> str:
        """Return the report in Markdown; with `faults` every fault that was not detected is listed."""
        total = self.coverage
        lines = [f"# Fault campaign of {self.design}", ""]
        lines += [f"- {title}: {text}" for title, text in self.summary()]
        lines += ["", "| class | faults | part |", "|---|---:|---:|"]
        lines += [
            f"| {_name(each)} | {total.counts[each]:,} | {total.counts[each] / total.total:.2%} |"
            for each in _COLUMNS
            if total.counts[each]
        ]
        names = [_name(each) for each in _COLUMNS]
        lines += ["", "| instance | faults | " + " | ".join(names) + " | fault coverage | test coverage |"]
        lines.append("|---|" + "---:|" * (len(names) + 3))
        for path, part in self.hierarchy().items():
            counts = " | ".join(f"{part.counts[each]:,}" for each in _COLUMNS)
            coverage = f"{part.fault_coverage:.2%} | {part.test_coverage:.2%}"
            lines.append(f"| `{path}` | {part.total:,} | {counts} | {coverage} |")
        if faults:
            missed = [row for row in self.rows() if row.result != _name(FaultClass.DETECTED)]
            if missed:
                lines += ["", "## Faults that were not detected", "", "| fault | class |", "|---|---|"]
                lines += [f"| `{row.describe()}` | {row.result} |" for row in missed]
        return "\n".join(lines) + "\n"

    def to_json(self) -> dict[str, Any]:
        """Return the report as what JSON can hold, every fault included."""
        total = self.coverage
        low, high = self.interval
        return {
            "design": self.design,
            "complete": self.complete,
            "cycles": self.cycles,
            "observed": list(self.observed),
            "population": self.faults.population,
            "seed": self.seed if self.sampled else None,
            "total": total.total,
            "simulated": self.simulated,
            "inferred": self.inferred,
            "classes": {_name(each): total.counts[each] for each in _COLUMNS},
            "fault_coverage": total.fault_coverage,
            "test_coverage": total.test_coverage,
            "interval": [low, high],
            "seconds": self.seconds,
            "device": self.device,
            "left_out": list(self.left_out),
            "hierarchy": {
                path: {_name(each): part.counts[each] for each in _COLUMNS} for path, part in self.hierarchy().items()
            },
            "faults": [
                {
                    "name": row.name,
                    "model": row.model,
                    "cycle": row.cycle,
                    "class": row.result,
                    "detected_at": row.seen_cycle,
                    "output": row.output,
                }
                for row in self.rows()
            ],
        }

    def save(self, path: str | Path) -> None:
        """Write the report to a file: Markdown (`.md`), JSON (`.json`), else text."""
        suffix = Path(path).suffix.lower()
        if suffix == ".json":
            text = json.dumps(self.to_json(), indent=1) + "\n"
        else:
            text = self.markdown() if suffix == ".md" else self.text()
        try:
            Path(path).write_text(text)
        except OSError as error:
            raise UserError("cannot-write", f"cannot write '{path}': {error.strerror}") from error


def _name(found: FaultClass) -> str:
    return "not simulated" if found == FaultClass.WAITING else found.name.lower()


def _count(classes: Any) -> Counter[FaultClass]:
    numbers = np.bincount(classes, minlength=len(FaultClass)).tolist()
    return Counter({FaultClass(number): count for number, count in enumerate(numbers)})


def _scope_of(path: str, scopes: set[str]) -> str:
    """Return the instance that a signal is in; names of signals can have dots of their own."""
    path = path.rpartition(".")[0]
    while path and path not in scopes:
        path = path.rpartition(".")[0]
    return path
