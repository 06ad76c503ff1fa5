"""From sources to a testbench that Python drives: `weft.compile` with events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from weft.base.dataclass import dataclass, replace
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.sim.design_files import Output
from weft.sim.event_program import ProgramOptions, make_program
from weft.sim.event_simulation import EventOptions, EventSimulation
from weft.sim.event_state_files import begin, load_events
from weft.sim.run_effects import write_stdout
from weft.sim.run_plan import read_sdf
from weft.sim.stages import Stages
from weft.sim.testbench_simulation import TestbenchSimulation


@dataclass(frozen=True, slots=True)
class TestbenchOptions:
    """Choose how a testbench is run; `weft.compile` explains the fields."""

    plusargs: tuple[str, ...] = ()
    seed: int = 0
    shuffle: int | None = None
    delays: str = "typ"
    sdf: tuple[str, ...] = ()
    forceable: tuple[str, ...] = ()
    cache: bool = True
    output: Output | None = None
    state: str = ""


def compile_testbench(
    files: Sequence[str | Path],
    front_end: FrontEndOptions,
    texts: Mapping[str, str],
    options: TestbenchOptions,
    stages: Stages,
) -> TestbenchSimulation:
    """Return the simulation of a testbench at the end of time 0, or in a saved state; every signal tells its changes.

    Raises what the front end raises, Unsupported, and for a state what `TestbenchSimulation.load` raises.
    """
    has_delays = options.delays != "none"
    front_end = replace(front_end, specify=has_delays, delays=options.delays if has_delays else "typ")
    sdf = tuple(read_sdf(text) for text in options.sdf) if has_delays else ()
    wanted = ProgramOptions(front_end, True, has_delays, sdf, options.forceable, options.cache, not options.shuffle)
    program = make_program(files, wanted, texts, stages)
    with stages.stage("initialise"):
        event_options = EventOptions(
            plusargs=options.plusargs,
            shuffle=options.shuffle or 0,
            seed=options.seed,
            observe=True,
            delays=front_end.delays,
            sdf=sdf,
        )
        out, begun = _Writer(options.output), bool(options.state)
        if begun:
            checkpoint = load_events(options.state, program.code)
            simulation = begin(options.state, program, out, event_options, checkpoint)
        else:
            simulation = EventSimulation(program.design, out, event_options, program)
        testbench = TestbenchSimulation(simulation, program.forces, begun)
    testbench.build_seconds = dict(stages.seconds)
    return testbench


class _Writer:
    """Hand what a design prints to a function, or to the standard output."""

    def __init__(self, output: Output | None) -> None:
        self._output = output

    def write(self, data: bytes) -> object:
        """Write some bytes."""
        return (self._output or write_stdout)(data)
