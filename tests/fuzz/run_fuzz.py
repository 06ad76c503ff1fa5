"""Compare Weft with other simulators on random modules: `python tests/fuzz/run_fuzz.py --seconds 60 --seed 1`.

Each seed gives a 2-state module, which Weft's engines and Icarus Verilog run, and a 4-state one, whose x and z must be
Icarus's too. With `--verilator`, batches of 2-state modules also go through Verilator, which is slow to build but
judges where Icarus 11 is known to be wrong. A module on which they differ is made smaller while they still do, and
written to a folder with everything that is needed to run it again. The exit status is 1 if any was found.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.fuzz.generate_modules import Module, generate_module, generate_stimulus  # noqa: E402
from tests.fuzz.peers import PeerRefused, Stimulus, has_icarus, run_icarus, run_verilator  # noqa: E402
from tests.fuzz.tree import Node, shrink  # noqa: E402

import weft  # noqa: E402
from weft.base.logic import digits  # noqa: E402

STEPS = 50
FIRST = 1  # The first row is there to let every process see a change; outputs count from the second.
BATCH = 24


class Refused(Exception):
    """Say that Weft refuses a module as illegal or unsupported, which is no difference in behaviour."""


def run_weft(source: str, name: str, width: int, stimulus: Stimulus, engine: str, four_state: bool) -> list[str]:
    """Return `out` after each step, as binary digits."""
    try:
        simulation = weft.compile(
            texts={"design.sv": source},
            top=name,
            engine=engine,
            four_state=four_state,
            cache=False,
            output=lambda text: None,
        )
    except (weft.UserError, weft.Unsupported) as error:
        raise Refused(f"{error.code}: {error.message.splitlines()[-1]}") from error
    outs: list[str] = []
    before: dict[str, str] = {}
    with simulation as sim:
        out = sim.engine.signals.find("out")
        for row in stimulus:
            for port, value in row.items():
                if before.get(port) != value:
                    sim.poke(port, value if four_state and len(value) > 1 else int(value, 2))
            before = row
            outs.append(digits(*sim.engine.get(out), width))
    return outs


def first_difference(want: Sequence[str], got: Sequence[str]) -> int:
    """Return the first step at which two runs differ, or -1."""
    for step in range(FIRST, min(len(want), len(got))):
        if want[step] != got[step]:
            return step
    return -1


@dataclass(slots=True)
class Fuzzer:
    """Run seeds and remember what came of them."""

    engines: tuple[str, ...]
    folder: Path
    counts: Counter[str] = field(default_factory=Counter[str])

    def check(self, seed: int, two_state: bool) -> None:
        """Compare every engine with Icarus on the module of one seed."""
        module = generate_module(seed, two_state)
        stimulus = generate_stimulus(seed, STEPS, two_state)
        try:
            want = run_icarus(module.text(), module.name, module.out_width, stimulus, two_state)
        except PeerRefused:
            self.counts["refused by Icarus"] += 1
            return
        if two_state and any("x" in out or "z" in out for out in want[FIRST:]):
            self.counts["not 2-state in Icarus"] += 1
            return
        for engine in self.engines:
            try:
                got = run_weft(module.text(), module.name, module.out_width, stimulus, engine, not two_state)
            except Refused as refused:
                self.counts[f"refused by Weft ({str(refused).split(':', 1)[0]})"] += 1
                continue
            except Exception as error:
                self.report(module, stimulus, seed, two_state, engine, f"{type(error).__name__}: {error}")
                return
            if first_difference(want, got) >= 0:
                self.report(module, stimulus, seed, two_state, engine, "different")
                return
            self.counts["equal"] += 1

    def check_batch(self, seeds: Sequence[int]) -> None:
        """Compare Weft with Verilator on the 2-state modules of some seeds, built into one program."""
        modules = [generate_module(seed, True, f"fuzz{seed}") for seed in seeds]
        stimulus = generate_stimulus(seeds[0], STEPS, True)
        triples = [(module.text(), module.name, module.out_width) for module in modules]
        try:
            wants = run_verilator(triples, stimulus)
        except PeerRefused as refused:
            self.counts["batches refused by Verilator"] += 1
            print(f"Verilator refused a batch: {str(refused)[-600:]}", file=sys.stderr)
            return
        for seed, module, want in zip(seeds, modules, wants, strict=True):
            for engine in self.engines:
                try:
                    got = run_weft(module.text(), module.name, module.out_width, stimulus, engine, False)
                except Refused as refused:
                    self.counts[f"refused by Weft ({str(refused).split(':', 1)[0]})"] += 1
                    continue
                if (step := first_difference(want, got)) >= 0:
                    self.write(module.tree, module, stimulus, seed, True, engine, "Verilator", want[step], got[step])
                else:
                    self.counts["equal to Verilator"] += 1

    def report(self, module: Module, stimulus: Stimulus, seed: int, two_state: bool, engine: str, what: str) -> None:
        """Shrink a module that Weft and Icarus disagree on, and write what is left."""
        print(f"seed {seed} ({'2' if two_state else '4'}-state, {engine}): {what}", flush=True)
        fails = self.difference(module, stimulus, two_state, engine, crash=what != "different")
        tree = shrink(module.tree, fails, 3) if fails(module.tree) else module.tree
        self.write(tree, module, stimulus, seed, two_state, engine, "Icarus", "", what)

    def difference(
        self, module: Module, stimulus: Stimulus, two_state: bool, engine: str, crash: bool
    ) -> Callable[[Node], bool]:
        """Return the question whether a tree still shows the failure."""
        deadline = time.monotonic() + 90

        def fails(tree: Node) -> bool:
            if time.monotonic() > deadline:
                return False
            text = tree.render()
            try:
                want = run_icarus(text, module.name, module.out_width, stimulus, two_state)
                if two_state and any("x" in out or "z" in out for out in want[FIRST:]):
                    return False
                got = run_weft(text, module.name, module.out_width, stimulus, engine, not two_state)
            except (PeerRefused, Refused):
                return False
            except Exception:
                return crash
            return not crash and first_difference(want, got) >= 0

        return fails

    def write(
        self,
        tree: Node,
        module: Module,
        stimulus: Stimulus,
        seed: int,
        two_state: bool,
        engine: str,
        peer: str,
        want: str,
        got: str,
    ) -> None:
        """Write a reproducer: the module, the inputs of each step, and what differs."""
        self.counts["DIFFERENT"] += 1
        folder = self.folder / f"{seed}-{'two' if two_state else 'four'}-{engine}-{peer.lower()}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "design.sv").write_text(tree.render())
        (folder / "stimulus.json").write_text(json.dumps(stimulus, indent=0))
        lines = [f"seed {seed}, {engine} engine, four_state={not two_state}, against {peer}", f"Weft: {got}"]
        if want:
            lines.append(f"{peer}: {want}")
        (folder / "difference.txt").write_text("\n".join(lines) + "\n")
        print(f"  written to {folder}", flush=True)


def main() -> int:
    """Run for some seconds from a seed on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engines", default="cpu,reference")
    parser.add_argument("--verilator", action="store_true", help="also compare batches with Verilator")
    parser.add_argument("--out", type=Path, default=Path("fuzz-failures"))
    options = parser.parse_args()
    if not has_icarus():
        print("Icarus Verilog is not installed: apt install iverilog", file=sys.stderr)
        return 2
    fuzzer = Fuzzer(tuple(options.engines.split(",")), options.out)
    deadline = time.monotonic() + options.seconds
    seed = options.seed
    while time.monotonic() < deadline:
        if options.verilator and (seed - options.seed) % BATCH == 0:
            fuzzer.check_batch(range(seed, seed + BATCH))
        fuzzer.check(seed, True)
        fuzzer.check(seed, False)
        seed += 1
    print(f"seeds {options.seed} to {seed - 1}: " + ", ".join(f"{n} {what}" for what, n in fuzzer.counts.items()))
    return 1 if fuzzer.counts["DIFFERENT"] else 0


if __name__ == "__main__":
    sys.exit(main())
