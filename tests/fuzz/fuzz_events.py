"""Compare the event engine with Icarus Verilog on random testbenches (`generate_testbenches`) by what they print."""

from __future__ import annotations

import io
import itertools
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.generate_testbenches import generate_testbench
from tests.fuzz.peers import PeerRefused
from tests.fuzz.tree import Node, dialect, prune, shrink

import weft
from weft.lang.sv.compile_sources import load_design
from weft.sim.event_simulation import EventOptions, EventSimulation

_SECONDS = 20
_SHOWN_LINES = 3


def run_vvp(text: str) -> list[str]:
    """Return what Icarus prints; raise `PeerRefused` if it cannot."""
    with tempfile.TemporaryDirectory(prefix="weft-fuzz-") as folder:
        # Icarus 11 can run `always_comb` for ever, though nothing changes; `always @*` means the same here.
        (Path(folder) / "fuzz.sv").write_text(dialect(text, modern=False))
        output = ""
        for command in (["iverilog", "-g2012", "-o", "fuzz.vvp", "fuzz.sv"], ["vvp", "-n", "fuzz.vvp"]):
            try:
                done = subprocess.run(command, cwd=folder, capture_output=True, timeout=_SECONDS, check=False)
            except subprocess.TimeoutExpired:
                raise PeerRefused(f"{command[0]} takes too long") from None
            output = done.stdout.decode("latin-1")
            if done.returncode:
                raise PeerRefused(done.stderr.decode("latin-1") + output)
    return output.splitlines()


def run_weft_events(text: str) -> list[str]:
    """Return what Weft prints."""
    out = io.BytesIO()
    design = load_design(texts={"fuzz.sv": dialect(text, modern=True)})
    EventSimulation(design, out, EventOptions(max_deltas=10_000)).run()
    return out.getvalue().decode("latin-1").splitlines()


def difference(want: list[str], got: list[str]) -> str:
    """Return the first word in which two outputs differ, or nothing."""
    for number, (wanted, line) in enumerate(itertools.zip_longest(want, got), 1):
        # Icarus takes bits beyond a value's width for zeros, so that a first digit of fewer x bits is X there.
        if wanted is None or line is None or wanted.lower() != line.lower():
            if wanted is None or line is None:
                return f"line {number}: {line!r}, not {wanted!r}"
            words = zip(wanted.split(" "), line.split(" "), strict=False)
            pair = next(((a, b) for a, b in words if a.lower() != b.lower()), (wanted, line))
            return f"line {number}: {pair[1]!r}, not {pair[0]!r}"
    return ""


@dataclass(slots=True)
class EventFuzzer:
    """Run seeds and remember what came of them."""

    folder: Path
    shrink_seconds: float = 60
    counts: Counter[str] = field(default_factory=Counter[str])
    refusals: Counter[str] = field(default_factory=Counter[str])

    def check(self, seed: int) -> None:
        """Compare Weft with Icarus on the testbench of one seed."""
        tree = generate_testbench(seed)
        text = tree.render()
        try:
            want = run_vvp(text)
        except PeerRefused as refused:
            self.counts["testbenches refused by Icarus"] += 1
            self.refusals[str(refused).splitlines()[0] if str(refused) else "no message"] += 1
            return
        what = self.outcome(text, want)
        if what == "refused":
            return
        if not what:
            self.counts["testbenches equal to Icarus"] += 1
            return
        print(f"seed {seed} (events): {what}", flush=True)
        fails = self.failing(what)
        tree = shrink(prune(tree, fails), fails, 3) if self.shrink_seconds and fails(tree) else tree
        self.write(tree.render(), seed)

    def outcome(self, text: str, want: list[str]) -> str:
        """Return what is wrong with Weft's run, `refused`, or nothing."""
        try:
            got = run_weft_events(text)
        except (weft.UserError, weft.Unsupported) as error:
            self.counts["testbenches refused by Weft"] += 1
            lines = [line for line in error.message.splitlines() if "error:" in line] or [error.message]
            self.refusals[f"{error.code}: {lines[0].partition('error: ')[2] or lines[0]}"] += 1
            return "refused"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return difference(want, got)

    def failing(self, what: str) -> Callable[[Node], bool]:
        """Return the question whether a tree still fails, by a difference or the same exception."""
        deadline = time.monotonic() + self.shrink_seconds
        crash = "" if what.startswith("line ") else what.split(":")[0]

        def fails(tree: Node) -> bool:
            if time.monotonic() > deadline:
                return False
            text = tree.render()
            try:
                if crash:
                    run_weft_events(text)
                    return False
                return bool(difference(run_vvp(text), run_weft_events(text)))
            except (PeerRefused, weft.UserError, weft.Unsupported):
                return False
            except Exception as error:
                return type(error).__name__ == crash

        return fails

    def write(self, text: str, seed: int) -> None:
        """Print and write a reproducer: the testbench in both dialects, and what each prints."""
        self.counts["DIFFERENT"] += 1
        folder = self.folder / f"{seed}-events"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "testbench.sv").write_text(dialect(text, modern=True))
        (folder / "icarus.sv").write_text(dialect(text, modern=False))
        print(dialect(text, modern=True) + f"  written to {folder}", flush=True)
        outputs: list[list[str]] = []
        for run, name in ((run_vvp, "icarus.txt"), (run_weft_events, "weft.txt")):
            try:
                outputs.append(run(text))
            except Exception as error:
                outputs.append([f"{type(error).__name__}: {error}"])
            (folder / name).write_text("\n".join(outputs[-1]) + "\n")
        print(f"  {difference(*outputs)}", flush=True)
