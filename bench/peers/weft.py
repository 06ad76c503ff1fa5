"""Weft, in a process of its own like every peer: from Python's start to the first cycle, then the cycle loop."""

from __future__ import annotations

import compileall
import json
import shutil
import sys
import time
from contextlib import ExitStack
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.designs import CACHE, DESIGNS, Design
from bench.peers.process import Build, Cost, Run, execute, parse_report

if TYPE_CHECKING:
    from weft.sim.simulation import Simulation

ROOT = Path(__file__).resolve().parents[2]
WAVES = ("none", "vcd", "fst")
CHOSEN = 50
_CACHE = CACHE / "weft"


def version() -> str:
    """Return the version."""
    import weft

    return f"Weft {weft.__version__}"


def _environment() -> dict[str, str]:
    return {"WEFT_CACHE_DIR": str(_CACHE), "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PYTHONDONTWRITEBYTECODE": ""}


def build(design: Design, waves: str = "none", again: bool = False) -> Build:
    """Compile a design and run its first cycle, on an empty cache if `again`, and return what that took.

    Time counts from the start of Python to the end of the first cycle. Python's own bytecode is there, as it is where
    pip has installed Weft.
    """
    cost, report = start(design, again)
    return Build(_command(design), {"weft": report["first_cycle"]}, cost.cpu_seconds, cost.peak_bytes)


def start(design: Design, again: bool = False) -> tuple[Cost, dict[str, Any]]:
    """Start a design and run its first cycle; return what that took, and the report with `first_cycle` in seconds."""
    if again:
        shutil.rmtree(_CACHE, ignore_errors=True)
        compileall.compile_dir(ROOT / "src" / "weft", quiet=1)
        compileall.compile_dir(ROOT / "bench", quiet=1)
    started = time.monotonic()
    cost = execute([*_command(design), "1"], ROOT, _environment())
    report = parse_report(cost.output)
    report["first_cycle"] -= started
    return cost, report


def _command(design: Design) -> tuple[str, ...]:
    return sys.executable, "-m", "bench.peers.weft", design.name


def run(design: Design, built: Build, cycles: int, wave: Path | None = None, signals: str = "") -> Run:
    """Run a design for some cycles after its reset; `signals` limits the trace to some globs."""
    command = [*built.command, str(cycles), *([str(wave), signals] if wave else [])]
    cost = execute(command, ROOT, _environment())
    report = parse_report(cost.output)
    return Run(cycles, report["seconds"], report["start"], cost.peak_bytes, report["hash"], report["text"])


def chosen_signals(sim: Simulation, pattern: str) -> list[str]:
    """Return the first fifty signals that a glob matches, below the top."""
    paths = (path.partition(".")[2] for path, _, _ in sim.engine.signals.paths())
    return list(islice((path for path in paths if fnmatchcase(path, pattern)), CHOSEN))


def main() -> None:
    """Run one design: `python -m bench.peers.weft DESIGN CYCLES [WAVE [SIGNALS]]`."""
    started = time.perf_counter()
    import weft

    design, cycles = DESIGNS[sys.argv[1]](), int(sys.argv[2])
    wave, signals = [*sys.argv[3:], "", ""][:2]
    with ExitStack() as stack:
        options = design.compile_options() | {"assertions": "off"}  # as Verilator's --noassert
        sim = stack.enter_context(weft.compile(*design.files, **options, output=lambda text: None))
        sim.poke(design.reset, 1)
        sim.run_cycles(design.reset_cycles)
        sim.poke(design.reset, 0)
        start = time.perf_counter() - started
        trace = ExitStack()
        if wave:
            trace.enter_context(sim.trace(wave, signals=chosen_signals(sim, signals) if signals else "*"))
        first = time.perf_counter()
        sim.run_cycles(cycles)
        first_cycle = time.monotonic()
        trace.close()
        seconds = time.perf_counter() - first
        text = bytes(int(element) for element in list(sim.memory(design.text_memory)[:])[: int(sim.peek("text_count"))])
        report = {
            "start": start,
            "first_cycle": first_cycle,
            "seconds": seconds,
            "hash": f"{int(sim.peek('hash')):016x}",
            "text": text.decode(),
            "stages": sim.build_seconds,
            "nodes": len(sim.design.graph),
            "states": len(sim.design.graph.states),
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
