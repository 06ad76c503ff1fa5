"""Be one measured run of `weft bench`, in a process of its own: JSON in as the argument, JSON out.

The times are taken as a user has them: from the start of the process, which the parent tells, to the first cycle; then
over some cycles, after others that are not timed.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import Any


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Return what a run took: `start_s` to the first cycle, `run_s` and `run_cpu_s` for `cycles`, `peak_bytes`.

    The cycles of a batch are those of all lanes, and `device` names where it ran.
    """
    from weft.sim.begin_device import begin_device

    if request["lanes"]:
        begin_device(request["device"] or "auto", request["lanes"])
    from weft.sim.choose_clock import choose_reset
    from weft.sim.compile_design import compile_design
    from weft.sim.cycle_simulation import CycleSimulation

    simulation = compile_design(
        top=request["top"] or None,
        slang_args=request["words"],
        plusargs=request["plusargs"],
        clock=request["clock"] or None,
        four_state=request["four_state"],
        background=not request["fully"],
        output=lambda data: None,
    )
    assert isinstance(simulation, CycleSimulation)
    reset = choose_reset(request["reset"], simulation.clock_report, simulation.engine.signals)
    target: Any = simulation
    device = ""
    if request["lanes"]:
        target = simulation.batch(request["lanes"], request["device"] or "auto", messages="count")
        device = target.device.name
    if reset is not None:
        target.poke(reset.name, 0 if reset.active_low else 1)
    target.run_cycles(1)
    start = time.perf_counter() - request["began"]
    if reset is not None:
        target.run_cycles(max(0, reset.cycles - 1))
        target.poke(reset.name, 1 if reset.active_low else 0)
    target.run_cycles(request["warmup"])
    first, began, cpu = _cycles(target), time.perf_counter(), _cpu_seconds()
    target.run_cycles(request["cycles"])
    run, run_cpu = time.perf_counter() - began, _cpu_seconds() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    found = {"start_s": start, "run_s": run, "run_cpu_s": run_cpu, "peak_bytes": peak}
    return {**found, "cycles": _cycles(target) - first, "device": device}


def _cycles(target: Any) -> int:
    """Return the cycles of a simulation, or those of all lanes of a batch."""
    from weft.sim.cycle_simulation import CycleSimulation

    if isinstance(target, CycleSimulation):
        return target.cycle
    return int((target.time_fs // target.clocks[0].clock.period_fs).sum())


def _cpu_seconds() -> float:
    """Return the processor's time for this process, all threads, the system's part left out."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def main() -> None:
    """Measure, and print the result or `{"error": ...}`."""
    from weft.base.errors import WeftError

    request = json.loads(sys.argv[1])
    os.chdir(request["folder"])
    try:
        result: dict[str, Any] = dict(measure(request))
    except WeftError as error:
        result = {"error": str(error)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
