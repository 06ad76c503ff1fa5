"""Run a testbench given as text."""

from __future__ import annotations

import io
import tempfile
import textwrap
from pathlib import Path

from weft.lang.sv.compile_sources import load_design
from weft.sim.design_cache import DesignCache
from weft.sim.event_program import EventProgram, StoredProgram, program_of, restore_program
from weft.sim.event_simulation import EventOptions, EventSimulation
from weft.sim.regions.engine_choice import EngineChoice


def run_events(text: str, options: EventOptions | None = None) -> tuple[str, int]:
    """Return what the testbench prints, without the line that says where it finished, and the exit status.

    The program goes through the design cache on its way.
    """
    out, options = io.BytesIO(), options or EventOptions()
    design = load_design(texts={"t.sv": textwrap.dedent(text)})
    choice = EngineChoice(options.engine, options.plusargs, bool(options.shuffle), options.region_worth)
    observe = options.observe or bool(options.wave)
    program = _keep_and_load(program_of(design, observe, options.sdf, netlists=not options.shuffle, choice=choice))
    status = EventSimulation(program.design, out, options, program).run()
    return out.getvalue().decode("latin-1"), status


def _keep_and_load(program: EventProgram) -> EventProgram:
    for module in program.machine.modules:
        module.result()
    program.code.forget_text()
    with tempfile.TemporaryDirectory() as folder:
        cache = DesignCache(Path(folder))
        cache.store("program", StoredProgram(program.code, program.delays, program.mixed, program.tests))
        stored = cache.load("program", StoredProgram)
    assert stored is not None
    restored = restore_program(stored)
    assert restored is not None
    return restored
