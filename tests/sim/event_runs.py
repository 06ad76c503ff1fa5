"""Run testbenches from text for tests: whole, or again from a checkpoint."""

from __future__ import annotations

import io

import weft
from weft.lang.sv.compile_sources import load_design
from weft.sim.event_simulation import EventSimulation


def simulate(text: str) -> tuple[EventSimulation, list[str]]:
    """Run a testbench; return the simulation and what it has displayed."""
    out = io.BytesIO()
    simulation = EventSimulation(load_design(texts={"t.sv": text}), out)
    simulation.run()
    return simulation, out.getvalue().decode().splitlines()


def totals(text: str, taken: str, end: str) -> tuple[int, int]:
    """Return a testbench's `total` at a time, and what it is there again from a checkpoint taken before."""
    simulation = weft.compile(texts={"t.sv": text}, engine="event")
    simulation.run_until(taken)
    before = simulation.checkpoint()
    simulation.run_until(end)
    first = int(simulation.peek("total"))
    simulation.restore(before)
    simulation.run_until(end)
    second = int(simulation.peek("total"))
    simulation.close()
    return first, second
