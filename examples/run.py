"""Run one of the example computers: compile it, run its firmware, show what it writes on its console.

    python examples/run.py picorv32 --cycles 2000000 --wave out.fst

The processors come from PyPI (`pip install 'weft[designs]'`). The list of designs, with their files and options, is in
`bench/designs.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.designs import DESIGNS, Design, MissingPackage

import weft


def main() -> int:
    """Run the design that the command line names."""
    parser = argparse.ArgumentParser(description="Run an example computer and show its console.")
    parser.add_argument("design", choices=sorted(DESIGNS))
    parser.add_argument("--cycles", type=int, default=1_000_000)
    parser.add_argument("--wave", help="write all signals to this .fst or .vcd file")
    arguments = parser.parse_args()
    try:
        run(DESIGNS[arguments.design](), arguments.cycles, arguments.wave)
    except (MissingPackage, weft.WeftError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def run(design: Design, cycles: int, wave: str | None) -> None:
    """Reset the design and run it, printing its console as it goes and its speed at the end."""
    begin = time.perf_counter()
    sim = weft.compile(
        *design.files,
        top=design.top,
        include_dirs=design.include_dirs,
        defines=design.defines,
        parameters=design.parameters,
    )
    sim.poke(design.reset, 1)
    sim.run_cycles(design.reset_cycles)
    sim.poke(design.reset, 0)
    ready = time.perf_counter()
    text, shown = sim.memory(design.text_memory), 0
    with sim.trace(wave) if wave else contextlib.nullcontext():
        for start in range(0, cycles, slice_cycles := max(cycles // 20, 1)):
            sim.run_cycles(min(slice_cycles, cycles - start))
            count = int(sim.peek("text_count"))
            sys.stdout.write(bytes(text[shown:count].tolist()).decode("latin-1"))
            sys.stdout.flush()
            shown = count
    seconds = time.perf_counter() - ready
    print(
        f"{design.name}: {cycles:,} cycles in {seconds:.2f} s ({cycles / seconds / 1e6:.2f} M cycles/s), "
        f"{ready - begin:.2f} s from source to the end of reset, hash {int(sim.peek('hash')):016x}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    sys.exit(main())
