"""Measure how soon a batch runs on a GPU: `python bench/gpu_start.py --designs picorv32_soc`.

Each line is a process, with the seconds from its begin to its end and, in brackets, what its first cycle took in
milliseconds (`bench/first_cycle.py` says what each word means): with an empty cache, with the cache that this has
filled, and with an empty cache and the archive that was harvested meanwhile; from Python, with and without
`weft.begin_device` in the first line; and as `weft batch`, which runs the cycles of its reset as well and begins to
initialise the GPU before anything else.

Python keeps its bytecode, as it does for an installed Weft, whatever the environment says; the first process of a kind
may have to write it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench.batch import find_design  # noqa: E402
from bench.designs import Design  # noqa: E402


def measure(what: str, command: Callable[[], list[str]], cache: str) -> None:
    """Print how long a process takes."""
    path = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "WEFT_CACHE_DIR": cache, "PYTHONPATH": path}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *command()], env=environment, capture_output=True, text=True)
    took = time.perf_counter() - began
    print(f"{what}: {took:.2f} s ({done.stdout.strip()}){done.stderr[-2000:]}", flush=True)


def child_command(
    design: Design, lanes: int, device: str, archive: str, how: str = "", early: bool = True
) -> Callable[[], list[str]]:
    """Return what makes the command that runs a cycle of a batch from Python, beginning now."""
    request = {
        "files": [str(file) for file in design.files],
        "options": design.compile_options(),
        "lanes": lanes,
        "device": device,
        "archive": archive,
        "how": how,
        "early": early,
    }

    def command() -> list[str]:
        return [str(ROOT / "bench" / "first_cycle.py"), json.dumps({**request, "began": time.time()}, default=str)]

    return command


def batch_command(design: Design, lanes: int, device: str) -> list[str]:
    """Return the command that runs a cycle of a batch after its reset."""
    words = [str(file) for file in design.files]
    words += [word for folder in design.include_dirs for word in ("-I", str(folder))]
    words += [word for name, value in design.defines.items() for word in ("-D", f"{name}={value}" if value else name)]
    for name, value in design.parameters.items():
        words += ["-G", f'{name}="{value}"' if isinstance(value, str) else f"{name}={value}"]
    words += ["--top", design.top, "--clock", design.clock, "--device", device, "--lanes", str(lanes)]
    return ["-m", "weft", "batch", *words, "--cycles", "1", "--quiet"]


def measure_all(name: str, device: str, lanes: int, rounds: int, folder: str) -> None:
    """Measure one design."""
    design, title = find_design(name), f"{name}, {lanes} lanes"
    python, shell = f"{folder}/python.weftar", f"{folder}/shell.weftar"

    def child(how: str = "", early: bool = True) -> Callable[[], list[str]]:
        return child_command(design, lanes, device, python, how, early)

    measure(f"{title}, empty cache", child("save"), f"{folder}/first")
    for _ in range(rounds):
        measure(f"{title}, full cache", child(), f"{folder}/first")
    for number in range(rounds):
        measure(f"{title}, archive", child("use"), f"{folder}/other{number}")
        measure(f"{title}, archive, without begin_device", child("use", False), f"{folder}/late{number}")
    batch = batch_command(design, lanes, device)
    save = [*batch, "--pipeline-archive", shell, "--pipeline-save"]
    measure(f"{title}, weft batch, empty cache", lambda: save, f"{folder}/second")
    for _ in range(rounds):
        measure(f"{title}, weft batch, full cache", lambda: batch, f"{folder}/second")
    use = [*batch, "--pipeline-archive", shell, "--pipeline-load"]
    for number in range(rounds):
        measure(f"{title}, weft batch, archive", lambda: use, f"{folder}/more{number}")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", default="picorv32_soc")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--lanes", type=int, default=65536)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for name in options.designs.split(","):
        with tempfile.TemporaryDirectory() as folder:
            measure_all(name, options.device, options.lanes, options.rounds, folder)


if __name__ == "__main__":
    main()
