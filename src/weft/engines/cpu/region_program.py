"""Step a region of an event simulation: single steps of a cone graph as functions that another engine calls.

`CpuProgram` drives a design; here the caller does. It sets the flags of the edges that have come (`cut_clocks`), calls
a step, and reads outputs from a buffer. All functions are `(state, memories, context, out)`.

What runs first must be compiled at once: plain code that can do everything (`emit_plain_step`). Better code comes from
a background thread, or from the cache when it is asked for: a step for each edge, in which the flags are constants, and
outputs. It takes for granted that some states are 1 which stay so once they are (`await_changes`).
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import zip_longest
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, field
from weft.base.workers import Job, Workers
from weft.engines.cpu.cone_step import cone_step
from weft.engines.cpu.context import EDGE_HABITS
from weft.engines.cpu.edge_table import MOST_EDGES, edge_table
from weft.engines.cpu.emit_carried import CarriedEmitter
from weft.engines.cpu.emit_ops import NodeEmitter
from weft.engines.cpu.emit_plain_step import PlainStepEmitter
from weft.engines.cpu.emit_step import StepEmitter
from weft.engines.cpu.emitter import Emitter
from weft.engines.cpu.jit import FULL, LEAN, QUICK, START, Compiler, Tier
from weft.engines.cpu.region_habits import EdgeHabits, RegionCode
from weft.engines.cpu.region_latches import edges_only, latches_only, late_latches, read_latches
from weft.engines.cpu.tiers import TieredUnit
from weft.engines.cpu.unit_index import UnitIndex
from weft.engines.cpu.unit_text import ARGUMENTS, SIGNATURE, Finished, Unit, function_text, module_text, unwatched
from weft.ir.cone_graph import ConeGraph
from weft.ir.layout import StateLayout, place_state
from weft.ir.region import RegionShape
from weft.ir.step_graph import Specialiser, StepGraph

TUNED_RINGS = 4
"""How much more room for samples there is in a run that tunes, in which they are all that counts."""

CONTEXT_BYTES = 1 << 20
"""What an instance's context may take; only pages that are used cost memory."""

T = TypeVar("T")

_OUT_SIGNATURE = "(ptr noalias %s, ptr noalias %m, ptr noalias %c, ptr noalias %out) nounwind"


_loading = Workers("weft-load", 1)


@dataclass(frozen=True, slots=True, eq=False)
class _Better:
    """Be code that takes for granted that `ones` are 1: that of outputs and edges, and what knows their habits."""

    ones: tuple[int, ...] = ()
    units: list[TieredUnit] = field(default_factory=list[TieredUnit])
    habits: list[EdgeHabits] = field(default_factory=list[EdgeHabits])


class RegionProgram:
    """Hold the code of a region's graph, shared by all its instances; `key` stands for the graph in the cache."""

    def __init__(self, graph: ConeGraph, shape: RegionShape, key: str) -> None:
        self.graph, self.shape = graph, shape
        self.layout: StateLayout = place_state(graph.states)
        self._compiler = Compiler()
        self._emitter: StepEmitter | None = None
        self._emitting = threading.Lock()
        self._replaced: list[object] = []
        self._index = UnitIndex(self._compiler.cache, key)
        self._late: set[int] | None = None
        self._step = self._unit("region step", self._plain_step)
        self._outputs = self._output_units({})
        self._better = _Better()
        self._key = key
        self._table = edge_table(len(shape.steps))
        self._earlier = self._remembered()
        self._tuned = False
        with self._index.together():
            for unit in (self._step, *self._outputs):
                if not unit.load(START):
                    unit.begin(START)
        # An earlier run's better code is loaded while the rest of the design is made ready.
        ahead = self._earlier
        self._ahead = None if ahead is None else (ahead, _loading.submit(lambda: self._plan(ahead)))

    def _unit(self, name: str, emit: Callable[[StepEmitter], Unit]) -> TieredUnit:
        def work(finished: Finished) -> Unit:
            return self._with_emitter(emit, finished)

        return TieredUnit(name, work, self._compiler, self._index)

    def _with_emitter(self, use: Callable[[StepEmitter], T], finished: Finished = unwatched) -> T:
        """Use the emitter, which only one thread may; it gives what is `finished` away."""
        with self._emitting:
            if self._emitter is None:
                self._emitter = StepEmitter(self.graph, self.layout)
            self._emitter.finished = finished
            return use(self._emitter)

    def _output_units(self, known: Mapping[int, int]) -> list[TieredUnit]:
        shape, name = self.shape, _describe(known)
        return [
            self._unit(f"region direct {name}", lambda emitter: _outputs(emitter, known, shape.direct, ())),
            self._unit(f"region through {name}", lambda emitter: self._through(emitter, known)),
        ]

    def _late_latches(self, emitter: StepEmitter) -> set[int]:
        """Return the latches that follow in steps."""
        if self._late is None:
            self._late = late_latches(emitter.step, self.shape)
        return self._late

    def _through(self, emitter: StepEmitter, known: Mapping[int, int]) -> Unit:
        latches = read_latches(emitter.step, self.shape, known)
        # As long as the run begins, states change without a step: then all latches follow here.
        if known:
            latches -= self._late_latches(emitter)
        return _outputs(emitter, known, self.shape.through, latches)

    # ------------------------------------------------------------------------------------------- first code

    def finish(self) -> None:
        """Wait for the code that must be there before anything runs."""
        for unit in (self._step, *self._outputs):
            unit.finish()

    @property
    def step(self) -> int:
        """Return the address of the step that looks at all flags."""
        return self._step.addresses["region_step"]

    @property
    def parts(self) -> tuple[int, int, int, int]:
        """Return the addresses of what computes, commits early and commits that step, and their bytes of context."""
        names = ("region_evaluate", "region_early", "region_commit")
        evaluate, early, commit = (self._step.addresses[name] for name in names)
        return evaluate, early, commit, self._step.scratch

    @property
    def outputs(self) -> tuple[int, int]:
        """Return the addresses of the functions for outputs, the direct ones first."""
        units = [
            better if _usable(better) else unit for better, unit in zip(self._better.units, self._outputs, strict=False)
        ]
        direct, through = (unit.addresses["region_outputs"] for unit in units or self._outputs)
        return direct, through

    def edge(self, number: int) -> int:
        """Return the address of the best step of an edge, or 0 if there is none but the one for all flags."""
        usual = self.usual_edge(number)
        habits = self._better.habits
        return habits[number].enter(usual, _usable) if usual and habits else usual

    def usual_edge(self, number: int) -> int:
        """Return the address of an edge's own step, which takes no habits for granted, or 0."""
        unit = self._better.units[2 + number] if self._better.units else None
        return unit.addresses["region_step"] if unit is not None and _usable(unit) else 0

    # ------------------------------------------------------------------------------------------- better code

    @property
    def expected(self) -> tuple[int, ...]:
        """Return the states that better code is expected to take for granted: an earlier run's, or all that it can."""
        return tuple(sorted(self.shape.once)) if self._earlier is None else self._earlier

    @property
    def is_better(self) -> bool:
        """Say whether better code is planned."""
        return bool(self._better.units)

    def take_for_granted(self, ones: Collection[int]) -> None:
        """Plan better code, in which some states are 1; take what the cache has of it."""
        chosen = tuple(sorted(ones))
        ahead = self._ahead
        better = ahead[1].result() if ahead is not None and chosen == ahead[0] else self._plan(chosen)
        self._replaced.append(self._better)  # whoever runs now may be in its code
        self._better = better
        if self._tuned:
            for habits in better.habits:
                habits.begin_sampling(TUNED_RINGS)

    def _plan(self, ones: tuple[int, ...]) -> _Better:
        """Return better code, as far as the cache has it."""
        known, shape = dict.fromkeys(ones, 1), self.shape
        units = self._output_units(known)
        for number, fired in enumerate(shape.steps):
            emit = self._edge(known, fired)
            units.append(self._unit(f"region edge {number} {_describe(known)}", emit))
        for unit in units:
            unit.load(FULL, QUICK)
        if len(shape.steps) > MOST_EDGES:
            return _Better(ones, units)
        code = RegionCode(
            self.graph,
            self.layout,
            shape.flags,
            shape.steps,
            known,
            self._late_latches,
            self._unit,
            self._with_emitter,
            self._compiler.cache,
            self._key,
        )
        return _Better(ones, units, [EdgeHabits(code, number, row) for number, row in enumerate(self._table)])

    def _cache_key(self) -> str:
        return hashlib.sha256(f"ones|1|{self._key}".encode()).hexdigest()

    def _remembered(self) -> tuple[int, ...] | None:
        """Return the states that were 1 at the end of an earlier run."""
        data = self._compiler.cache.load(self._cache_key()) if self._key else None
        if data is None:
            return None
        try:
            found = {int(state) for state in json.loads(data)}
        except (ValueError, TypeError):
            return None
        return tuple(sorted(found)) if found <= set(self.shape.once) else None

    def compile(self, tier: Tier) -> None:
        """Compile the better code now."""
        for unit in self._better.units:
            unit.begin(tier)
        for unit in self._better.units:
            unit.finish()

    def compile_habits(self) -> None:
        """Compile the code that takes habits for granted, if there is any, now."""
        for habits in self._better.habits:
            habits.look_back()
        for unit in self._habit_units():
            unit.begin(LEAN)
            unit.finish()

    @property
    def situations(self) -> int:
        """Return how many situations have code."""
        units = [unit for habits in self._better.habits for unit in habits.situations]
        return sum(unit.library is not None for unit in units)

    def _habit_units(self) -> list[TieredUnit]:
        return [unit for habits in self._better.habits for unit in habits.units]

    def improve(self, tier: Tier) -> None:
        """Ask for better code at a tier; `upgrade` takes it."""
        for unit in self._wanted(tier):
            unit.improve(tier)

    def _wanted(self, tier: Tier) -> list[TieredUnit]:
        """Return the units that are worth a tier: the best is for what no habits take over."""
        outputs, edges, habits = self._better.units[:2], self._better.units[2:], self._better.habits
        if tier is not FULL or not habits:
            return [*outputs, *edges]
        return [*outputs, *(unit for unit, each in zip(edges, habits, strict=True) if each.usual_matters)]

    def look(self, now: int) -> None:
        """Look at what the states do, at a time, and ask for code that takes for granted what they have long done."""
        for habits in self._better.habits:
            habits.look(now)
        # Edges in turn: of each those first that gain most.
        for turn in zip_longest(*(habits.wanted for habits in self._better.habits)):
            for unit, tier in filter(None, turn):
                unit.improve(tier)

    # ------------------------------------------------------------------------------------------- tuning

    def prepare(self) -> None:
        """Have the code that the run is expected to want before it begins, and samples taken to its end."""
        self._tuned = True
        if self._ahead is None:
            self._ahead = self.expected, Job.done(self._plan(self.expected))
        units = [unit for unit in self._ahead[1].result().units if unit.library is None]
        for unit in units:
            unit.begin(QUICK)
        for unit in units:
            unit.finish()

    def drain(self) -> None:
        """Take samples away where there is no room for more."""
        for habits in self._better.habits:
            habits.drain()

    def tune(self, ones: Collection[int], now: int = 0) -> list[tuple[TieredUnit, Tier]]:
        """Look at the samples of a run that has ended at a time; return what is to be compiled for later runs."""
        self.end(ones, now)
        for habits in self._better.habits:
            habits.tune()
        if not self._better.units or self._better.ones != self.expected:
            self._tuned = False
            self.take_for_granted(self.expected)
        wanted = [*((unit, FULL) for unit in self._better.units), *((unit, LEAN) for unit in self._habit_units())]
        return [(unit, tier) for unit, tier in wanted if unit.tier is not tier and not unit.load(tier)]

    @property
    def settled(self) -> bool:
        """Say whether there is code for what the states do: then nobody waits for a look at them."""
        return all(habits.settled for habits in self._better.habits)

    def end(self, ones: Collection[int], now: int = 0) -> None:
        """Note that the run has ended at a time, with some states that are 1."""
        for habits in self._better.habits:
            habits.end(now)
        chosen = tuple(sorted(ones))
        if self._key and (self._earlier is None or set(chosen) > set(self._earlier)):
            self._earlier = chosen
            self._compiler.cache.store(self._cache_key(), json.dumps(chosen).encode())

    def upgrade(self) -> None:
        """Take better code that is ready."""
        units = [*self._better.units, *self._habit_units()]
        for unit in units:
            # Whoever runs now may be in the code that is replaced.
            before = unit.library
            if unit.upgrade():
                self._replaced.append(before)

    # ------------------------------------------------------------------------------------------- steps

    def _plain_step(self, emitter: StepEmitter) -> Unit:
        """Return the step that compiles fast and looks at all flags."""
        emitter.reset_scratch()
        step = edges_only(emitter.step, self._late_latches(emitter))
        plain = PlainStepEmitter(step, emitter.layout, emitter.scratch, self.shape.early)
        texts = plain.modules(emitter.finished)
        early, late = plain.committing
        calls = [f"  call void @piece{number}{ARGUMENTS}\n" for number in range(len(texts))]
        functions = {
            "region_step": calls,
            "region_evaluate": calls[:early],
            "region_early": calls[early:late],
            "region_commit": calls[late:],
        }
        heads = [
            f"define i1 @{name}{SIGNATURE} {{\nentry:\n{''.join(body)}  ret i1 true\n}}"
            for name, body in functions.items()
        ]
        declared = [f"declare void @piece{number}(ptr, ptr, ptr) nounwind" for number in range(len(texts))]
        return Unit((module_text([*heads, *declared], []), *texts), tuple(functions), plain.scratch)

    def _edge(self, known: Mapping[int, int], fired: Collection[int]) -> Callable[[StepEmitter], Unit]:
        """Return what emits the step of one edge."""

        def emit(emitter: StepEmitter) -> Unit:
            emitter.reset_scratch()
            flags = {state: int(state in fired) for state in self.shape.flags}
            step = edges_only(Specialiser(emitter.step).run({**known, **flags}, {}), self._late_latches(emitter))
            functions, emitters, texts = emitter.emit_step(step, "region_step")
            return Unit((module_text(functions, emitters), *texts), ("region_step",), emitter.scratch)

        return emit

    def context(self) -> NDArray[np.uint64]:
        """Return a new context block for an instance, in words."""
        block = np.zeros(CONTEXT_BYTES // 8, np.uint64)
        block[EDGE_HABITS] = self._table.ctypes.data
        return block


def _describe(known: Mapping[int, int]) -> str:
    return hashlib.sha256(repr(sorted(known)).encode()).hexdigest()[:16] if known else ""


def _usable(unit: TieredUnit) -> bool:
    return unit.library is not None and unit.scratch <= CONTEXT_BYTES


def _outputs(emitter: StepEmitter, known: Mapping[int, int], nodes: Sequence[int], latches: Collection[int]) -> Unit:
    """Return the function for some outputs, which has some latches follow their inputs first."""
    emitter.reset_scratch()
    functions, emitters, texts, calls, scratch = list[str](), list[Emitter](), list[str](), "", emitter.scratch
    if latches:
        follow = latches_only(Specialiser(emitter.step).run(known, {}), latches)
        if known:
            functions, emitters, texts = emitter.emit_step(follow, "region_latch")
            scratch = emitter.scratch
        else:
            functions, emitters, scratch = _plain_latches(follow, emitter)
        calls = f"  call i1 @region_latch{ARGUMENTS}\n"
    cone, places = cone_step(emitter.graph, nodes)
    specialiser = Specialiser(cone)
    # What knows nothing runs first, and is compiled without optimisation.
    e = (NodeEmitter if known else CarriedEmitter)(specialiser.run(known, {}), emitter.layout, scratch)
    e.store_results(specialiser.map.get(place, place) for place in places)
    e.add("ret void")
    values = function_text("define internal void @region_values", e, _OUT_SIGNATURE)
    both = f"define void @region_outputs{_OUT_SIGNATURE} {{\nentry:\n{calls}"
    both += "  call void @region_values(ptr %s, ptr %m, ptr %c, ptr %out)\n  ret void\n}"
    return Unit((module_text([*functions, values, both], [*emitters, e]), *texts), ("region_outputs",), e.scratch)


def _plain_latches(follow: StepGraph, emitter: StepEmitter) -> tuple[list[str], list[Emitter], int]:
    """Return the function that has latches follow, as plain code, its emitters and the scratch it needs."""
    plain = PlainStepEmitter(follow, emitter.layout, emitter.scratch)
    pieces = list(plain.pieces())
    functions = [function_text(f"define internal void @latch{number}", piece) for number, piece in enumerate(pieces)]
    calls = "".join(f"  call void @latch{number}{ARGUMENTS}\n" for number in range(len(pieces)))
    functions.append(f"define internal i1 @region_latch{SIGNATURE} {{\nentry:\n{calls}  ret i1 true\n}}\n")
    return functions, [*pieces], plain.scratch
