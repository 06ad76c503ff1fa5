"""Compare Weft with other simulators on random sources: `python tests/fuzz/run_fuzz.py --seconds 60 --seed 1`.

A part of the time goes to testbenches, which the event engine and Icarus run (`fuzz_events`), one to designs whose
testbenches race with them, which mixed execution must run as events alone do (`fuzz_mixed`), one to programs on queues
and arrays, which a model in Python runs too (`fuzz_containers`), the rest to modules.

Each seed gives a 2-state module, which Weft's engines and Icarus Verilog run, and a 4-state one, whose x and z must be
Icarus's too. Three instances of each run with code that they share; what those display in one step has no order, so
their outputs are compared. With `--verilator`, batches of 2-state modules also go through Verilator, which is slow to
build but judges where Icarus 11 is known to be wrong. A module on which they differ is made smaller while they still
do, printed, and written to a folder with everything that is needed to run it again: `run_fuzz.py --replay FOLDER`. The
exit status is 1 if any was found. The same first seed gives the same modules on every machine.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.fuzz.fuzz_containers import ContainerFuzzer  # noqa: E402
from tests.fuzz.fuzz_events import EventFuzzer  # noqa: E402
from tests.fuzz.fuzz_mixed import MixedFuzzer  # noqa: E402
from tests.fuzz.generate_modules import Module, generate_module, generate_stimulus, repeat_module  # noqa: E402
from tests.fuzz.peers import PeerRefused, Stimulus, has_icarus, run_icarus, run_verilator, verilator_accepts  # noqa: E402
from tests.fuzz.tree import Node, dialect, shrink  # noqa: E402

import weft  # noqa: E402
from weft.base.logic import digits  # noqa: E402

STEPS = 50
FIRST = 1  # The first row is there to let every process see a change; outputs count from the second.
BATCH = 24
SHARED, COPIES = "shared", 3


class Refused(Exception):
    """Say that Weft refuses a module as illegal or unsupported, which is no difference in behaviour."""


def _is_error(line: str) -> bool:
    """Say whether a line of slang's output is an error's first line; it comes without its position."""
    return "error:" in line


@dataclass(frozen=True, slots=True)
class Run:
    """Be what a simulator makes of a module: `out` after each step, as binary digits, and what was displayed."""

    outs: list[str]
    shown: list[str] | None = None  # not known of Verilator

    def known(self) -> bool:
        """Say whether no output has an unknown bit."""
        return not any("x" in out or "z" in out for out in self.outs[FIRST:])


@contextmanager
def share_everything() -> Iterator[None]:
    """Let parts of a design share code however little that saves."""
    with (
        patch("weft.ir.find_repeats.LEAST_SAVED", 1),
        patch("weft.engines.cpu.part_groups.LEAST_SINKS", 0),
        patch.multiple("weft.engines.cpu.share_code", LEAST_SAVED=0, LEAST_SHARE=0, OUTPUT_COST=0),
    ):
        yield


def run_weft(source: str, name: str, stimulus: Stimulus, engine: str, four_state: bool) -> Run:
    """Run a module, whose source may still have both dialects; `shared` is the engine `cpu` with little kernels."""
    if engine == SHARED:
        with share_everything():
            return run_weft(source, name, stimulus, "cpu", four_state)
    printed: list[bytes] = []
    try:
        simulation = weft.compile(
            texts={"design.sv": dialect(source, modern=True)},
            top=name,
            engine=engine,
            four_state=four_state,
            cache=False,
            output=printed.append,
        )
    except (weft.UserError, weft.Unsupported) as error:
        raise Refused(f"{error.code}: {next(filter(_is_error, error.message.splitlines()), '')}") from error
    outs: list[str] = []
    before: dict[str, str] = {}
    with simulation as sim:
        out = sim.engine.signals.find("out")
        width = out.signal.bits
        for row in stimulus:
            for port, value in row.items():
                if before.get(port) != value:
                    sim.poke(port, value if four_state and len(value) > 1 else int(value, 2))
            before = row
            outs.append(digits(*sim.engine.get(out), width))
    return Run(outs, [line for line in b"".join(printed).decode("latin-1").splitlines() if line.startswith("show ")])


def comparable(want: Run, engine: str) -> Run:
    """Return what an engine must agree with: instances that share code display in any order."""
    return Run(want.outs) if engine == SHARED else want


def first_difference(want: Run, got: Run) -> str:
    """Return a line on the first difference of two runs, or nothing."""
    for step in range(FIRST, min(len(want.outs), len(got.outs))):
        if want.outs[step] != got.outs[step]:
            pairs = list(zip(reversed(want.outs[step]), reversed(got.outs[step]), strict=True))
            bit = next(at for at, (wanted, mine) in enumerate(pairs) if wanted != mine)
            return f"step {step}: out[{bit}] is {pairs[bit][1]}, not {pairs[bit][0]}"
    for wanted, line in itertools.zip_longest(want.shown or (), got.shown or () if want.shown is not None else ()):
        # Icarus takes bits beyond a value's width for zeros, so that a first digit of fewer x bits is X there.
        if wanted is None or line is None or wanted.lower() != line.lower():
            return f"{line!r} is displayed, not {wanted!r}"
    return ""


@dataclass(slots=True)
class Fuzzer:
    """Run seeds and remember what came of them."""

    engines: tuple[str, ...]
    folder: Path
    shrink_seconds: float = 60
    counts: Counter[str] = field(default_factory=Counter[str])
    refusals: Counter[str] = field(default_factory=Counter[str])

    def check(self, seed: int, two_state: bool) -> None:
        """Compare every engine with Icarus on the module of one seed, and one that shares code on copies of it."""
        module = generate_module(seed, two_state)
        self.check_module(module, seed, two_state, self.engines)
        # Icarus wakes instances in an order of its own, so their draws from a common seed cannot be compared.
        if "cpu" in self.engines and not module.draws_common:
            self.check_module(repeat_module(module, COPIES), seed, two_state, (SHARED,))

    def check_module(self, module: Module, seed: int, two_state: bool, engines: Sequence[str]) -> None:
        """Compare some engines with Icarus on a module."""
        stimulus = generate_stimulus(seed, STEPS, two_state)
        text = module.text()
        try:
            want = Run(*run_icarus(text, module.name, module.out_width, stimulus, two_state))
        except PeerRefused:
            self.counts["refused by Icarus"] += 1
            want = None
        if two_state and want and not want.known():
            self.counts["not 2-state in Icarus"] += 1
            want = None
        for engine in engines:
            what = self.outcome(text, module.name, stimulus, engine, not two_state, want)
            if what == "refused":
                continue
            if what:
                self.report(module, stimulus, seed, two_state, engine, what)
                return
            kind = " with shared code" if engine == SHARED else ""
            self.counts[("equal to Icarus" if want else "run alone") + kind] += 1

    def outcome(self, text: str, name: str, stimulus: Stimulus, engine: str, four_state: bool, want: Run | None) -> str:
        """Return what is wrong with a run of Weft, `refused`, or nothing; without a run to compare, only crashes."""
        try:
            got = run_weft(text, name, stimulus, engine, four_state)
        except Refused as refused:
            self.counts["refused by Weft"] += 1
            self.refusals[str(refused)] += 1
            return "refused"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return first_difference(comparable(want, engine), got) if want else ""

    def check_batch(self, seeds: Sequence[int]) -> None:
        """Compare Weft with Verilator on the 2-state modules of some seeds, built into one program."""
        made = [(seed, generate_module(seed, True, f"fuzz{seed}")) for seed in seeds]
        # Verilator draws by an algorithm of its own.
        made = [(seed, m) for seed, m in made if not (m.draws_common or m.draws_seeded)]
        taken = [(seed, m) for seed, m in made if verilator_accepts(dialect(m.text(), modern=True), m.name)]
        self.counts["refused by Verilator"] += len(made) - len(taken)
        modules = [module for _, module in taken]
        stimulus = generate_stimulus(seeds[0], STEPS, True)
        triples = [(dialect(module.text(), modern=True), module.name, module.out_width) for module in modules]
        try:
            wants = run_verilator(triples, stimulus)
        except PeerRefused as refused:
            self.counts["batches refused by Verilator"] += 1
            print(f"Verilator refused a batch: {str(refused)[:3000]}", file=sys.stderr)
            return
        for (seed, module), outs in zip(taken, wants, strict=True):
            for engine in self.engines:
                what = self.outcome(module.text(), module.name, stimulus, engine, False, Run(outs))
                if what and what != "refused" and self.icarus_agrees(module, stimulus, engine):
                    self.counts["equal to Icarus, not to Verilator"] += 1
                elif what and what != "refused":
                    self.write(module.tree, stimulus, seed, True, engine, f"{what} (in Verilator)")
                elif not what:
                    self.counts["equal to Verilator"] += 1

    def icarus_agrees(self, module: Module, stimulus: Stimulus, engine: str) -> bool:
        """Return whether Icarus sides with Weft on a 2-state module that Verilator runs differently."""
        try:
            want = Run(*run_icarus(module.text(), module.name, module.out_width, stimulus, True))
        except PeerRefused:
            return False
        return want.known() and not self.outcome(module.text(), module.name, stimulus, engine, False, want)

    def report(self, module: Module, stimulus: Stimulus, seed: int, two_state: bool, engine: str, what: str) -> None:
        """Shrink a module that Weft and Icarus disagree on, and write what is left."""
        print(f"seed {seed} ({'2' if two_state else '4'}-state, {engine}): {what}", flush=True)
        fails = self.difference(module, stimulus, two_state, engine, what)
        tree = shrink(module.tree, fails, 3) if self.shrink_seconds and fails(module.tree) else module.tree
        self.write(tree, stimulus, seed, two_state, engine, what)

    def difference(
        self, module: Module, stimulus: Stimulus, two_state: bool, engine: str, what: str
    ) -> Callable[[Node], bool]:
        """Return the question whether a tree still shows the failure: a difference, or the same exception."""
        deadline = time.monotonic() + self.shrink_seconds
        crash = "" if what.startswith(("step", "'show")) else what.split(":")[0]

        def fails(tree: Node) -> bool:
            if time.monotonic() > deadline:
                return False
            text = tree.render()
            try:
                if crash:
                    run_weft(text, module.name, stimulus, engine, not two_state)
                    return False
                want = Run(*run_icarus(text, module.name, module.out_width, stimulus, two_state))
                if two_state and not want.known():
                    return False
                got = run_weft(text, module.name, stimulus, engine, not two_state)
                return bool(first_difference(comparable(want, engine), got))
            except (PeerRefused, Refused):
                return False
            except Exception as error:
                return type(error).__name__ == crash

        return fails

    def write(self, tree: Node, stimulus: Stimulus, seed: int, two_state: bool, engine: str, what: str) -> None:
        """Print and write a reproducer: the module, the inputs of each step, and what differs."""
        self.counts["DIFFERENT"] += 1
        folder = self.folder / f"{seed}-{'two' if two_state else 'four'}-{engine}"
        folder.mkdir(parents=True, exist_ok=True)
        text = tree.render()
        (folder / "design.sv").write_text(dialect(text, modern=True))
        (folder / "icarus.sv").write_text(dialect(text, modern=False))
        (folder / "stimulus.json").write_text(json.dumps(stimulus, indent=0))
        (folder / "difference.txt").write_text(
            f"seed {seed}, {engine} engine, {'2' if two_state else '4'}-state: {what}\n"
        )
        print(dialect(text, modern=True) + f"  written to {folder}", flush=True)

    def replay(self, folder: Path) -> None:
        """Run a reproducer again, on all engines."""
        texts = [(folder / name).read_text() for name in ("design.sv", "icarus.sv")]
        stimulus: Stimulus = json.loads((folder / "stimulus.json").read_text())
        two_state = "2-state" in (folder / "difference.txt").read_text()
        found = re.findall(r"module (\w+) \(input wire clk0.* output wire \[(\d+):0\] out\)", texts[0])
        name, width = found[-1][0], int(found[-1][1]) + 1
        want = Run(*run_icarus(texts[1], name, width, stimulus, two_state))
        for engine in self.engines:
            what = self.outcome(texts[0], name, stimulus, engine, not two_state, want)
            self.counts["DIFFERENT" if what else "equal to Icarus"] += 1
            print(f"{engine}: {what or 'equal'}")


def fuzz_testbenches(fuzzer: EventFuzzer | MixedFuzzer | ContainerFuzzer, seed: int, seconds: float) -> None:
    """Check testbenches for some seconds."""
    deadline = time.monotonic() + seconds
    first = seed
    while time.monotonic() < deadline:
        fuzzer.check(seed)
        seed += 1
    print(f"testbenches of seeds {first} to {seed - 1}")


def main() -> int:
    """Run for some seconds from a seed on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engines", default="cpu,reference", help="for modules")
    parser.add_argument("--kinds", default="modules,testbenches,mixed,containers")
    parser.add_argument("--verilator", action="store_true", help="also compare batches with Verilator")
    parser.add_argument("--out", type=Path, default=Path("fuzz-failures"))
    parser.add_argument("--shrink-seconds", type=float, default=60, help="time to make each failing module smaller")
    parser.add_argument("--replay", type=Path, metavar="FOLDER", help="run one reproducer again")
    options = parser.parse_args()
    if not has_icarus():
        print("Icarus Verilog is not installed: apt install iverilog", file=sys.stderr)
        return 2
    fuzzer = Fuzzer(tuple(options.engines.split(",")), options.out, options.shrink_seconds)
    if options.replay:
        fuzzer.replay(options.replay)
        return 1 if fuzzer.counts["DIFFERENT"] else 0
    kinds = options.kinds.split(",")
    events = EventFuzzer(options.out, options.shrink_seconds, fuzzer.counts, fuzzer.refusals)
    if "testbenches" in kinds:
        fuzz_testbenches(events, options.seed, options.seconds / len(kinds))
    if "mixed" in kinds:
        mixed = MixedFuzzer(options.out, options.shrink_seconds, fuzzer.counts)
        fuzz_testbenches(mixed, options.seed, options.seconds / len(kinds))
    if "containers" in kinds:
        fuzz_testbenches(ContainerFuzzer(options.out, fuzzer.counts), options.seed, options.seconds / len(kinds))
    deadline = time.monotonic() + options.seconds / len(kinds)
    seed = options.seed
    while "modules" in kinds and time.monotonic() < deadline:
        if options.verilator and (seed - options.seed) % BATCH == 0:
            fuzzer.check_batch(range(seed, seed + BATCH))
        fuzzer.check(seed, True)
        fuzzer.check(seed, False)
        seed += 1
    for refusal, count in fuzzer.refusals.most_common(10):
        print(f"{count} refused: {refusal}")
    print(f"seeds {options.seed} to {seed - 1}: " + ", ".join(f"{n} {what}" for what, n in fuzzer.counts.items()))
    return 1 if fuzzer.counts["DIFFERENT"] else 0


if __name__ == "__main__":
    sys.exit(main())
