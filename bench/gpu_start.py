"""Measure how soon a batch runs on a GPU: `python bench/gpu_start.py --designs picorv32_soc`.

Each line is a process from its begin to the end of the first cycle of a batch: with an empty cache, with the cache that
this has filled, and with an empty cache and the archive that was harvested meanwhile; from Python, and as `weft batch`,
which runs the cycles of its reset as well and begins to initialise the GPU before anything else.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench.batch import find_design  # noqa: E402
from bench.designs import Design  # noqa: E402

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
        batch = sim.batch({lanes}, {device!r}, messages="count")
        marks.append(("batch", time.perf_counter()))
        batch.run_cycles(1)
        marks.append(("first cycle", time.perf_counter()))
text, before = [], began
for what, at in marks:
    text.append(f"{{what}} {{at - before:.2f}}")
    before = at
print(", ".join(text))
"""


def measure(what: str, command: list[str], cache: str) -> None:
    """Print how long a process takes."""
    environment = {**os.environ, "WEFT_CACHE_DIR": cache, "PYTHONPATH": str(ROOT / "src")}
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True)
    took = time.perf_counter() - began
    print(f"{what}: {took:.2f} s ({done.stdout.strip()}){done.stderr[-2000:]}", flush=True)


def child_command(name: str, lanes: int, device: str, archive: str, how: str) -> list[str]:
    """Return the command that runs a cycle of a batch from Python."""
    code = _CHILD.format(
        root=str(ROOT), source=str(ROOT / "src"), name=name, lanes=lanes, device=device, archive=archive, how=how
    )
    return ["-c", code]


def batch_command(design: Design, lanes: int, device: str) -> list[str]:
    """Return the command that runs a cycle of a batch after its reset."""
    words = [str(file) for file in design.files]
    words += [word for folder in design.include_dirs for word in ("-I", str(folder))]
    words += [word for name, value in design.defines.items() for word in ("-D", f"{name}={value}" if value else name)]
    for name, value in design.parameters.items():
        words += ["-G", f'{name}="{value}"' if isinstance(value, str) else f"{name}={value}"]
    words += ["--top", design.top, "--clock", design.clock, "--device", device, "--lanes", str(lanes)]
    return ["-m", "weft", "batch", *words, "--cycles", "1", "--quiet"]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", default="picorv32_soc")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--lanes", type=int, default=65536)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for name in options.designs.split(","):
        lanes, rounds = options.lanes, options.rounds
        with tempfile.TemporaryDirectory() as folder:
            python, shell = f"{folder}/python.weftar", f"{folder}/shell.weftar"
            code = partial(child_command, name, lanes, options.device, python)
            batch = batch_command(find_design(name), lanes, options.device)
            title = f"{name}, {lanes} lanes"
            measure(f"{title}, empty cache", code("save"), f"{folder}/first")
            for _ in range(rounds):
                measure(f"{title}, full cache", code(""), f"{folder}/first")
            for number in range(rounds):
                measure(f"{title}, archive", code("use"), f"{folder}/other{number}")
            save = ["--pipeline-archive", shell, "--pipeline-save"]
            measure(f"{title}, weft batch, empty cache", [*batch, *save], f"{folder}/second")
            for _ in range(rounds):
                measure(f"{title}, weft batch, full cache", batch, f"{folder}/second")
            for number in range(rounds):
                use = ["--pipeline-archive", shell, "--pipeline-load"]
                measure(f"{title}, weft batch, archive", [*batch, *use], f"{folder}/more{number}")


if __name__ == "__main__":
    main()
