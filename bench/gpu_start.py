"""Measure how soon a batch runs on a GPU: `python bench/gpu_start.py --designs picorv32_soc`.

Each line is a process from its begin to the end of the first cycle of a batch: with an empty cache, with the cache that
this has filled, and with an empty cache and the archive that was harvested meanwhile.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_CHILD = """
import sys, time
began = time.perf_counter()
sys.path[:0] = [{root!r}, {source!r}]
import weft
from bench.batch import find_design
design = find_design({name!r})
archive, how = {archive!r}, {how!r}
from contextlib import nullcontext
context = weft.archive.use(archive, print) if how == "use" else nullcontext()
with context:
    harvest = weft.archive.harvest(archive) if how == "save" else nullcontext()
    with harvest:
        marks = [("import", time.perf_counter())]
        sim = weft.compile(*design.files, **design.compile_options(), output=lambda data: None)
        marks.append(("design", time.perf_counter()))
        batch = sim.batch({lanes}, "cuda", messages="count")
        marks.append(("batch", time.perf_counter()))
        batch.run_cycles(1)
        marks.append(("first cycle", time.perf_counter()))
text, before = [], began
for what, at in marks:
    text.append(f"{{what}} {{at - before:.2f}}")
    before = at
print(", ".join(text))
"""


def measure(what: str, name: str, lanes: int, archive: str, how: str, cache: str) -> None:
    """Print how long a process takes."""
    code = _CHILD.format(root=str(ROOT), source=str(ROOT / "src"), name=name, lanes=lanes, archive=archive, how=how)
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "WEFT_CACHE_DIR": cache}, capture_output=True, text=True
    )
    took = time.perf_counter() - began
    print(f"{name}, {lanes} lanes, {what}: {took:.2f} s ({done.stdout.strip()}){done.stderr[-2000:]}", flush=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", default="picorv32_soc")
    parser.add_argument("--lanes", type=int, default=65536)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for name in options.designs.split(","):
        with tempfile.TemporaryDirectory() as folder:
            archive = f"{folder}/gpu.weftar"
            measure("empty cache", name, options.lanes, archive, "save", f"{folder}/first")
            for _ in range(options.rounds):
                measure("full cache", name, options.lanes, archive, "", f"{folder}/first")
            for number in range(options.rounds):
                measure("archive", name, options.lanes, archive, "use", f"{folder}/other{number}")


if __name__ == "__main__":
    main()
