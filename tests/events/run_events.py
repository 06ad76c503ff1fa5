"""Run a testbench given as text."""

from __future__ import annotations

import io
import textwrap

from weft.lang.sv.compile_sources import load_design
from weft.sim.event_simulation import EventOptions, EventSimulation


def run_events(text: str, options: EventOptions | None = None) -> tuple[str, int]:
    """Return what the testbench prints, without the line that says where it finished, and the exit status."""
    out = io.BytesIO()
    design = load_design(texts={"t.sv": textwrap.dedent(text)})
    status = EventSimulation(design, out, options or EventOptions()).run()
    return out.getvalue().decode("latin-1"), status
