"""Record what Verilator says about the designs: `python -m bench.record_goldens [NAMES]`.

The end-to-end tests compare Weft with these files, so that they need no C++ compiler. Each states the tool's version,
the cycles, the hash of the outputs and the text on the console.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.designs import DESIGNS  # noqa: E402
from bench.peers import verilator  # noqa: E402

GOLDEN = ROOT / "tests" / "end_to_end" / "golden"


def record(name: str) -> None:
    """Run one design on Verilator and write its golden file."""
    design = DESIGNS[name]()
    result = verilator.run(design, verilator.build(design), design.golden_cycles)
    golden = {
        "tool": verilator.version(),
        "reset_cycles": design.reset_cycles,
        "cycles": result.cycles,
        "hash": result.hash,
        "text": result.text,
    }
    GOLDEN.mkdir(exist_ok=True)
    (GOLDEN / f"{name}.json").write_text(json.dumps(golden, indent=2) + "\n")
    print(f"{name}: {result.hash} after {result.cycles} cycles")


def main() -> None:
    """Record the named designs, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    names: list[str] = parser.parse_args().names
    # LiteX's firmware is built on the spot and differs with its compiler: no golden file can hold for it.
    for name in names or [name for name in DESIGNS if name != "litex"]:
        record(name)


if __name__ == "__main__":
    main()
