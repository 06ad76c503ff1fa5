"""Compare what the event engine makes of containers with a model in Python (`generate_containers`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from tests.fuzz.fuzz_events import difference, run_weft_events
from tests.fuzz.generate_containers import OPERATIONS, Program


def failure(seed: int, operations: int = OPERATIONS) -> str:
    """Return how a program prints something else than its model, or nothing; the collector runs often."""
    program = Program(seed, operations)
    with patch.multiple("weft.sim.collect_garbage", LEAST_BYTES=4000, LEAST_HANDLES=20):
        try:
            return difference(program.printed, run_weft_events(program.text()))
        except Exception as error:
            return f"{type(error).__name__}: {error}"


@dataclass(slots=True)
class ContainerFuzzer:
    """Run seeds and remember what came of them."""

    folder: Path
    counts: Counter[str] = field(default_factory=Counter[str])

    def check(self, seed: int) -> None:
        """Run the program of one seed; write the shortest beginning of it that fails."""
        if not failure(seed):
            self.counts["equal to the model"] += 1
            return
        self.counts["DIFFERENT"] += 1
        least = next(count for count in range(1, OPERATIONS + 1) if failure(seed, count))
        folder = self.folder / f"{seed}-containers"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "design.sv").write_text(Program(seed, least).text())
        what = failure(seed, least)
        (folder / "difference.txt").write_text(f"seed {seed}, {least} operations: {what}\n")
        print(f"seed {seed}, {least} operations: {what}\n  written to {folder}", flush=True)
