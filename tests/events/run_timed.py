"""Run a testbench whose specify blocks count."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path

from weft.lang.sv.compile_sources import load_design
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.sim.event_simulation import EventOptions, EventSimulation
from weft.sim.run_plan import SdfFile


def run_timed(text: str, *sdf: SdfFile, delays: str = "typ") -> list[str]:
    """Return the lines that the testbench prints."""
    out = io.BytesIO()
    front = FrontEndOptions(delays=delays, specify=True, timescale="1ns/1ps")
    design = load_design(texts={"t.sv": textwrap.dedent(text)}, options=front)
    EventSimulation(design, out, EventOptions(delays=delays, sdf=sdf)).run()
    return out.getvalue().decode("latin-1").splitlines()


def write_sdf(folder: Path, cells: str, head: str = '(SDFVERSION "3.0") (DIVIDER .) (TIMESCALE 1ns)') -> str:
    """Write a delay file with the given cells; return its path."""
    path = folder / "d.sdf"
    path.write_text(f"(DELAYFILE {head}\n{textwrap.dedent(cells)})\n")
    return str(path)
