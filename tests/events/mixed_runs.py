"""Run testbenches for tests with regions of every size, beside events alone."""

from __future__ import annotations

import io
import textwrap

from weft.lang.sv.compile_sources import load_design
from weft.sim.event_simulation import EventOptions, EventSimulation

MIXED = EventOptions(engine="auto", region_worth=0)


def simulate(text: str, options: EventOptions) -> tuple[str, EventSimulation]:
    out = io.BytesIO()
    simulation = EventSimulation(load_design(texts={"t.sv": textwrap.dedent(text)}), out, options)
    assert simulation.run() == 0
    return out.getvalue().decode("latin-1"), simulation


def both(text: str) -> tuple[str, EventSimulation]:
    """Return what a testbench prints with regions, after a look that it prints the same without."""
    printed, simulation = simulate(text, MIXED)
    assert printed == simulate(text, EventOptions())[0]
    return printed, simulation


def regions(simulation: EventSimulation) -> list[str]:
    return [part.path for part in simulation.mixed.parts if part.engine == "cycle"]
