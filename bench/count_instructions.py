"""Count the instructions that compiled functions take in a cycle: `python bench/count_instructions.py --cycles 20000`.

On a machine that does other work, times say little and counts still say what a change has saved. A testbench of
`bench/events.py` is run some times, so that the cache has the code that long use of a design leaves there, and once
more in `valgrind --tool=callgrind`, ended after some cycles. Valgrind does not know all instructions of new processors,
so code is made for `x86-64-v3`. It is slow: a start alone takes a minute.

Printed are, for each function, instructions and calls a cycle; `else` is what lies outside of the functions whose
places are known: Python, LLVM, code that is compiled while the run lasts and not exported.
"""

from __future__ import annotations

import argparse
import bisect
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench.events import Runner, testbenches  # noqa: E402

os.environ["WEFT_CPU"] = "x86-64-v3"


def count_addresses(lines: Iterable[str]) -> Counter[int]:
    """Return the instructions at each address in a file of callgrind's; those in callees are not counted again."""
    counts = Counter[int]()
    at, call = 0, False
    for line in lines:
        if line.startswith("calls="):
            call = True
        elif line[:1] in "0123456789+-*" and line[:1].strip():
            place, *_, count = line.split()
            match place[0]:
                case "*":
                    pass
                case "+" | "-":
                    at += int(place[0] + place[1:].removeprefix("0x"), 16)
                case _:
                    at = int(place, 16)
            if not call:
                counts[at] += int(count)
            call = False
    return counts


def by_function(counts: Counter[int], places: Iterable[str]) -> tuple[Counter[str], Counter[str]]:
    """Return the instructions and the calls of each function, given the lines of `note_functions`."""
    known = {int(address, 16): (int(size), name) for address, size, name in (line.split() for line in places)}
    starts = sorted(known)
    instructions, calls = Counter[str](), Counter[str]()
    for address, count in counts.items():
        index = bisect.bisect_right(starts, address) - 1
        size, name = known[starts[index]] if index >= 0 else (0, "")
        if index < 0 or address >= starts[index] + size:
            name = "else"
        elif address == starts[index]:
            calls[name] += count
        instructions[name] += count
    return instructions, calls


def main() -> None:
    """Warm the cache, count, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--design", default="picorv32", help="a testbench of bench/events.py")
    parser.add_argument("--cycles", type=int, default=20_000)
    parser.add_argument("--warming", type=int, default=8, help="runs before the one that is counted")
    parser.add_argument("--least", type=float, default=1.0, help="leave out functions of fewer instructions a cycle")
    parser.add_argument("--riscv", default="riscv64-unknown-elf-", help="prefix of the RISC-V tools")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="weft-count-") as name:
        folder = Path(name)
        bench = testbenches(folder, [options.design], options.riscv)[0]
        work = folder / options.design
        runner = Runner(bench, work, ())
        for _ in range(options.warming):
            runner.run("weft", bench.cycles["weft"])
        command = runner.command("weft", options.cycles)
        words = command[command.index("run") :]
        tool = ["valgrind", "--tool=callgrind", "--dump-instr=yes", "--smc-check=all-non-file"]
        tool += [f"--callgrind-out-file={work / 'counts'}", sys.executable, str(ROOT / "bench" / "note_functions.py")]
        environment = os.environ | {"WEFT_CACHE_DIR": str(runner.cache), "FUNCTIONS": str(work / "functions")}
        subprocess.run([*tool, *words], cwd=work, env=environment, check=True, capture_output=True)
        with (work / "counts").open() as lines, (work / "functions").open() as places:
            instructions, calls = by_function(count_addresses(lines), places)
    print("| instructions a cycle | calls | function |\n|---|---|---|")
    for function, count in instructions.most_common():
        if count >= options.least * options.cycles:
            called = f"{calls[function] / options.cycles:.2f}"
            print(f"| {count / options.cycles:,.1f} | {called} | `{function}` |")


if __name__ == "__main__":
    main()
