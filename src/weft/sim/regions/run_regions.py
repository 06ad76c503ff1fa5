"""Run regions beside events: give each instance its memory, and better code while the run goes on.

The event engine runs in one long call of compiled code, which holds no lock of Python's. So a thread can compile
meanwhile and enter an address where the scheduler finds it at the next edge: a word that is written at once.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, field
from weft.engines.cpu.jit import FULL, QUICK
from weft.engines.event.elaborate import Node
from weft.engines.event.engine import EventEngine
from weft.ir.design import Module
from weft.ir.layout import place_state
from weft.ir.program import StateArray
from weft.ir.region import (
    REGION_CHANGED,
    REGION_CHANGES,
    REGION_COMMIT,
    REGION_CONTEXT,
    REGION_DIRECT,
    REGION_EARLY,
    REGION_EDGES,
    REGION_EVALUATE,
    REGION_MEMORIES,
    REGION_OUT,
    REGION_ROOM,
    REGION_STATE,
    REGION_STEP,
    REGION_THROUGH,
)
from weft.sim.format_arguments import Value
from weft.sim.regions.mixed_design import BuiltRegion, MixedDesign
from weft.sim.regions.region_values import RegionValues
from weft.sim.tasks.dump_scopes import plain_path
from weft.sim.tasks.task_call import Writer

if TYPE_CHECKING:
    from weft.engines.cpu.jit import Tier
    from weft.engines.cpu.region_program import RegionProgram
    from weft.engines.cpu.tiers import TieredUnit

_START_SECONDS = 0.001
"""How often it is looked whether a run has begun; then it gets the code that the cache has."""

_FIRST_STEPS, _NEVER = 64, (1 << 64) - 1
"""How many time steps are run by themselves where samples are all that counts."""

_BUSY_SECONDS, _WARM_SECONDS, _LOOK_SECONDS, _SETTLED_SECONDS = 0.02, 0.3, 0.005, 0.05
"""How long a run lasts before better code is worth its compilation, quick and then full; how often new code and samples
are looked for, and how often once there is code for what the states do."""


def begin_regions(mixed: MixedDesign) -> dict[Module, RegionProgram]:
    """Begin to compile the regions of a design, by their stubs."""
    if not mixed.regions:
        return {}
    from weft.engines.cpu.region_program import RegionProgram  # what emits code is only loaded where it is needed

    return {stub: RegionProgram(built.graph, built.shape, built.key) for stub, built in mixed.regions.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Instance:
    """Be one instance of a region: where its record is, and its state."""

    built: BuiltRegion
    program: RegionProgram
    record: int
    state: StateArray
    context: NDArray[np.uint64]


@dataclass(slots=True, eq=False)
class RegionRunner:
    """Hold the instances of a design's regions while they run; `programs` are the regions' by their stubs."""

    mixed: MixedDesign
    programs: dict[Module, RegionProgram]
    engine: EventEngine
    tunes: bool = False
    """Whether this run takes samples from its begin to its end, for `tune`, and leaves better code to that."""
    _instances: list[_Instance] = field(default_factory=list[_Instance])
    _values: dict[str, RegionValues] = field(default_factory=dict[str, RegionValues])
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def begin(self) -> None:
        """Enter every instance's memory and the code that there is; the engine has not run yet."""
        code = self.engine.code
        for stub, built in self.mixed.regions.items():
            self.programs[stub].finish()
            unit = code.design.units[stub]
            for node in unit.nodes:
                self._link(built, node, node.base + code.records[unit])
        self.enter_code()

    def _link(self, built: BuiltRegion, node: Node, record: int) -> None:
        engine, program = self.engine, self.programs[built.stub]
        layout = place_state(built.graph.states)
        room = engine.arena.room(layout.size + 64)
        skip = -room.ctypes.data % 64
        state = room[skip : skip + layout.size]
        state[:] = built.state
        out = engine.arena.room(output_bytes(built))
        context = program.context()
        engine.kept.append(context)
        address = state.ctypes.data
        engine.set_word(record + REGION_STATE, address)
        engine.set_word(record + REGION_MEMORIES, address + layout.memory_offset)
        engine.set_word(record + REGION_CONTEXT, context.ctypes.data)
        engine.set_word(record + REGION_OUT, out.ctypes.data)
        engine.set_word(record + REGION_CHANGES, built.changes.ctypes.data)
        engine.set_word(record + REGION_CHANGED, built.changed.ctypes.data)
        engine.set_word(record + REGION_STEP, program.step)
        parts = (REGION_EVALUATE, REGION_EARLY, REGION_COMMIT, REGION_ROOM)
        for at, word in zip(parts, program.parts, strict=True):
            engine.set_word(record + at, word)
        self._instances.append(_Instance(built, program, record, state, context))
        self._values[plain_path(node.path)] = RegionValues(built, engine, node, state)

    def enter_code(self) -> None:
        """Enter the best code of what runs at every edge."""
        set_word = self.engine.set_word
        for each in self._instances:
            direct, through = each.program.outputs
            set_word(each.record + REGION_DIRECT, direct)
            set_word(each.record + REGION_THROUGH, through)
            for number in range(len(each.built.region.steps)):
                set_word(each.record + REGION_EDGES + 8 * number, each.program.edge(number))

    def tell(self, out: Writer) -> None:
        """Print what loading the memories inside has to say, of each instance; the run begins."""
        for each in self._instances:
            if each.built.said:
                out.write(each.built.said)

    def read(self, path: str) -> Value | None:
        """Return the value of a signal inside a region by its path, or None if there is none."""
        at = len(path)
        while (at := path.rfind(".", 0, at)) > 0:
            values = self._values.get(path[:at])
            if values is not None:
                return values.read(path[at + 1 :])
        return None

    # ------------------------------------------------------------------------------------------- better code

    def start(self) -> None:
        """Begin to look for better code, in a thread that ends with `end` or when there is nothing better."""
        if self.tunes:
            for program in self.programs.values():
                program.prepare()
            self._run_first_steps()
        if self.mixed.regions:
            if self.tunes and self.engine.time and self._as_expected():
                self.take_for_granted()
                self.enter_code()
            self._thread = threading.Thread(target=self._improve, name="weft-regions", daemon=True)
            self._thread.start()

    def _run_first_steps(self) -> None:
        """Run until the code that is prepared may be entered, which a thread would do too late for samples of all."""
        engine, following = self.engine, 0
        for _ in range(_FIRST_STEPS):
            if following == _NEVER or (engine.time and self._as_expected()):
                return
            engine.run(following)
            following = engine.call("next_time", engine.state) & _NEVER

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def tune(self) -> list[tuple[TieredUnit, Tier]]:
        """Look at the samples of a run that has ended; return what is to be compiled for later ones, at which tiers."""
        return [unit for stub, each in self.programs.items() for unit in each.tune(self._ones(stub), self.engine.time)]

    def take_for_granted(self) -> None:
        """Plan better code, for the procedures that have run in all instances."""
        for stub, program in self.programs.items():
            ones = self._ones(stub)
            program.take_for_granted(program.expected if ones.issuperset(program.expected) else ones)

    def _ones(self, stub: Module) -> set[int]:
        """Return the states of a region that say, in all its instances, that a procedure has run."""
        layout = self.programs[stub].layout
        states = [each.state for each in self._instances if each.built.stub is stub]
        once = self.mixed.regions[stub].shape.once
        return {number for number in once if all(layout.read(state, number) for state in states)}

    def _as_expected(self) -> bool:
        """Say whether all procedures have run that are expected to have run when better code begins."""
        return all(self._ones(stub).issuperset(program.expected) for stub, program in self.programs.items())

    def _improve(self) -> None:
        programs = list(self.programs.values())
        # Better code relies on it that only steps change states, as soon as procedures have begun. And it is other code
        # while some that await a change have not run: most have after a few steps.
        waited = 0.0
        while not self.engine.time or (waited < _BUSY_SECONDS and not self._as_expected()):
            if self._ended.wait(_START_SECONDS):
                return
            waited += _START_SECONDS
        if not any(program.is_better for program in programs):
            self.take_for_granted()
            self.enter_code()
        if self._ended.wait(_BUSY_SECONDS):
            return
        for program in programs:
            program.improve(QUICK)
        seconds = 0.0
        while not self._ended.wait(_SETTLED_SECONDS if all(p.settled for p in programs) else _LOOK_SECONDS):
            for program in programs:
                program.upgrade()
            self.enter_code()
            seconds += _LOOK_SECONDS
            for program in programs:
                if self.tunes:
                    program.drain()
                else:
                    program.improve(FULL if seconds > _WARM_SECONDS else QUICK)
                    program.look(self.engine.time)
        if self.tunes:
            return
        for stub, program in self.programs.items():
            program.end(self._ones(stub), self.engine.time)


def output_bytes(built: BuiltRegion) -> int:
    """Return the size of the buffer that holds a region's outputs."""
    halves = (built.region.direct, built.region.through)
    return max(sum((out.signal.width + 63) // 64 * 16 for out in half) for half in halves) + 8
