"""Make the steps of a region's edges for what its states are seen to do, and remember that (`situations`).

At first, the step of an edge takes samples (`edge_sampler`). What they show is looked at after some time, or when the
run ends: what is so in nearly all of them, the *habits*, and which situations there are (`find_situations`). If that is
worth new code, it is made, a situation at a time, and samples are taken no more. They are again, in this run or a later
one, when too many edges find no code that suits them.

What a run has shown is kept in the code cache, so that a later run of the same design begins with it; then code that
takes samples is not even made.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, field, replace
from weft.engines.cpu import edge_table as words
from weft.engines.cpu.edge_sampler import EdgeSampler
from weft.engines.cpu.emit_situations import choosing_step, lean_step, sampling_step, situation_step
from weft.engines.cpu.emit_speculation import without_repeats
from weft.engines.cpu.emit_step import StepEmitter
from weft.engines.cpu.find_situations import find_situations
from weft.engines.cpu.habits import Habits
from weft.engines.cpu.jit import LEAN, START
from weft.engines.cpu.object_cache import ObjectCache
from weft.engines.cpu.region_latches import edges_only
from weft.engines.cpu.sample_table import SampleTable
from weft.engines.cpu.situations import Situation, share_of, situations_from_words, situations_to_words
from weft.engines.cpu.tabulate_logic import tabulate_logic
from weft.engines.cpu.tiers import TieredUnit
from weft.engines.cpu.unit_text import Unit, module_text
from weft.ir.cone_graph import ConeGraph
from weft.ir.layout import StateLayout
from weft.ir.step_graph import Specialiser, StepGraph

FEWEST = 1024
"""How many samples are worth a look, or fewer if a ring has no room for as many."""

LOOK_SECONDS = 0.25
"""How long samples are taken before a first look at them, in CPU seconds; later looks come after four times as long."""

ENOUGH = 0.85
"""No other habits are wanted as long as this part of the edges keeps to those that there are."""

GAIN = 0.04
"""How much larger the part of the samples must be that keeps to new habits."""

LEAST_EDGES, MANY_EDGES = 100_000, 2_000_000
"""How many edges are counted before it is judged what they find: when a run ends, so that the next one is sampled from
its beginning on, and while it goes on."""

MOST_LOOKS = 8
"""How often the habits of a design are looked at again: if they do not suit it then, none do."""

MakeUnit = Callable[[str, Callable[[StepEmitter], Unit]], TieredUnit]


@dataclass(frozen=True, slots=True, eq=False)
class RegionCode:
    """Be what the habits of all edges of a region share; `key` stands for the region in the cache.

    `edges` has for each edge those of the `flags` that it sets. The states `ones` are 1 for good; `late` gives the
    latches that follow in steps; `step` the step of an edge, by its number, in which some more states are known.
    """

    graph: ConeGraph
    layout: StateLayout
    flags: tuple[int, ...]
    edges: tuple[frozenset[int], ...]
    ones: Mapping[int, int]
    late: Callable[[StepEmitter], Collection[int]]
    make_unit: MakeUnit
    with_emitter: Callable[[Callable[[StepEmitter], None]], None]
    cache: ObjectCache
    key: str

    def step(self, emitter: StepEmitter, edge: int, known: Mapping[int, int]) -> StepGraph:
        """Return the step of an edge where some states are known."""
        fixed = {**self.ones, **{state: int(state in self.edges[edge]) for state in self.flags}}
        return edges_only(Specialiser(emitter.step).run({**known, **fixed}, {}), self.late(emitter))


@dataclass(slots=True, eq=False)
class EdgeHabits:
    """Keep the code of the edge `number`; `row` is its row of the table."""

    code: RegionCode
    number: int
    row: NDArray[np.uint64]
    habits: Habits | None = None
    lean: TieredUnit | None = None
    situations: list[TieredUnit] = field(default_factory=list[TieredUnit])
    choice: TieredUnit | None = None
    _sampling: TieredUnit | None = None
    _retired: list[TieredUnit] = field(default_factory=list[TieredUnit])
    _sampler: EdgeSampler = field(init=False)
    _looks: int = 0
    _since: float = 0.0
    _patience: float = LOOK_SECONDS
    _judged: int = MANY_EDGES

    def __post_init__(self) -> None:
        code = self.code
        self._sampler = EdgeSampler(code.layout.memory_offset, self.row, code.cache, self._cache_key("samples"))
        wants = self._remembered()
        for unit in self.units:
            unit.load(LEAN)
        if wants:
            self._begin_sampling()

    @property
    def units(self) -> list[TieredUnit]:
        """Return the units that take habits for granted, in the order in which they are wanted."""
        return [unit for unit in (self.lean, self.choice, *self.situations) if unit is not None]

    @property
    def settled(self) -> bool:
        """Say whether there is all code that is wanted, and nobody waits for samples."""
        return self._sampling is None and all(unit.library is not None for unit in self.units)

    def enter(self, usual: int, fits: Callable[[TieredUnit], bool]) -> int:
        """Enter the best code in the row; return the step of the edge, `usual` if there is nothing better."""
        row = self.row
        row[words.USUAL] = usual

        def address(unit: TieredUnit | None, name: str, otherwise: int) -> int:
            return unit.addresses[name] if unit is not None and fits(unit) else otherwise

        lean = address(self.lean, "lean", usual)
        row[words.LEAN] = lean
        for at, unit in enumerate(self.situations):
            row[words.FIRST_SITUATION + at] = address(unit, "situation", lean)
        best = address(self.choice, "region_step", usual) if lean != usual else usual
        row[words.BEST] = best
        return address(self._sampling, "region_sample", best)

    # ------------------------------------------------------------------------------------------- samples

    def _begin_sampling(self) -> None:
        """Have samples of the state taken from now on."""
        text = module_text([sampling_step(self.code.layout, self.number)], [])
        unit = self.code.make_unit(f"region samples {self.number}", lambda _: Unit((text,), ("region_sample",), 0))
        if not unit.load(START):
            unit.begin(START)
            unit.finish()
        self._sampler.begin()
        self._sampling, self._since = unit, time.process_time()

    def look(self) -> None:
        """Look at new samples, or at how many edges found code that suits them; units may change."""
        if self._sampling is not None:
            if self._sampler.drain() and time.process_time() - self._since > self._patience:
                self._patience *= 4
                self._decide()
        elif self.row[words.EDGES] >= self._judged:
            self._judged = 4 * int(self.row[words.EDGES])
            if self._unsuited():
                self._begin_sampling()

    def end(self) -> None:
        """Remember for a later run what this one has shown."""
        if self._sampling is not None:
            self._sampler.finish()
            self._sampler.keep()
            if len(self._sampler.samples()) >= min(FEWEST, self._sampler.room):
                self._decide()
        elif self.row[words.EDGES] >= LEAST_EDGES and self._unsuited():
            self._remember(wants=True)

    def _unsuited(self) -> bool:
        """Say whether too many edges do not keep to the habits, or not to a situation, once there is code for all."""
        misses = int(self.row[words.MISSES if self.settled and self.situations else words.LOST])
        return misses > (1 - ENOUGH) * int(self.row[words.EDGES]) and self._looks < MOST_LOOKS

    def _decide(self) -> None:
        """Make new code if samples show that it would suit more of them than what there is."""
        table = SampleTable.of(self.code.graph, self.code.layout, self._sampler.samples())
        kept = share_of(table, self.habits) if self.habits is not None else 0.0
        if kept < ENOUGH:
            found = self._find(table)
            if found.known and (self.habits is None or share_of(table, found) >= kept + GAIN):
                self._adopt(found)
        if self.habits is not None:
            self._looks += 1
            self._remember(wants=False)
            if self._sampling is not None:
                self._retired.append(self._sampling)  # whoever runs now may be in its code
                self._sampling = None

    def _find(self, table: SampleTable) -> Habits:
        known = self._without_flags(table.habits())
        situations: list[Situation] = []

        def find(emitter: StepEmitter) -> None:
            step = self.code.step(emitter, self.number, known)
            found = find_situations(table, step)[: words.MOST_SITUATIONS]
            situations.extend(replace(each, known=self._without_flags(each.known)) for each in found)

        if known:
            self.code.with_emitter(find)
        return Habits(known, situations=tuple(situations))

    def _without_flags(self, known: Mapping[int, int]) -> dict[int, int]:
        """Return what is known but for flags of edges, which a step for one edge neither reads nor clears."""
        return {state: value for state, value in known.items() if state not in self.code.flags}

    # ------------------------------------------------------------------------------------------- code

    def _adopt(self, habits: Habits) -> None:
        self._retired += self.units
        self.habits = habits
        self.row[words.LEAN] = self.row[words.BEST] = self.row[words.USUAL]
        self.lean = self._unit(f"lean {habits.describe()}", lambda e: self._lean(e, habits.known))
        paths = [each.path for each in habits.situations]
        text = module_text([choosing_step(self.code.layout, self.number, paths)], [])
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.choice = self._unit(f"choice {name}", lambda _: Unit((text,), ("region_step",), 0))
        self.situations = [self._situation(each.describe(), each.known) for each in habits.situations]

    def _situation(self, name: str, known: Mapping[int, int]) -> TieredUnit:
        return self._unit(
            f"situation {name}", lambda emitter: self._known_step(emitter, known, situation_step, "situation")
        )

    def _unit(self, name: str, emit: Callable[[StepEmitter], Unit]) -> TieredUnit:
        return self.code.make_unit(f"region edge {self.number} {sorted(self.code.ones)} {name}", emit)

    def _lean(self, emitter: StepEmitter, known: Mapping[int, int]) -> Unit:
        return self._known_step(emitter, known, lean_step, "lean")

    def _known_step(
        self,
        emitter: StepEmitter,
        known: Mapping[int, int],
        around: Callable[[StateLayout, int, Mapping[int, int]], str],
        name: str,
    ) -> Unit:
        """Return the unit of a step in which some states are known, and what makes sure that they are."""
        emitter.reset_scratch()
        step = without_repeats(self.code.step(emitter, self.number, known), known)
        functions, emitters, texts = emitter.emit_step(tabulate_logic(step), "known")
        guard = module_text([around(emitter.layout, self.number, known)], [])
        return Unit((guard, module_text(functions, emitters), *texts), (name,), emitter.scratch)

    # ------------------------------------------------------------------------------------------- between runs

    def _cache_key(self, what: str) -> str:
        key = self.code.key
        return hashlib.sha256(f"{what}|2|{self.number}|{key}".encode()).hexdigest() if key else ""

    def _remember(self, wants: bool) -> None:
        """Keep the habits, and whether a later run is wanted to take samples."""
        key, habits = self._cache_key("habits"), self.habits
        if key and habits is not None:
            known, situations = list(habits.known.items()), situations_to_words(habits.situations)
            data = {"known": known, "situations": situations, "looks": self._looks, "wants": wants}
            self.code.cache.store(key, json.dumps(data).encode())

    def _remembered(self) -> bool:
        """Adopt the habits of an earlier run; say whether samples are wanted."""
        key = self._cache_key("habits")
        data = self.code.cache.load(key) if key else None
        if data is None:
            return True
        try:
            found = json.loads(data)
            known = {int(state): int(value) for state, value in found["known"]}
            habits = Habits(known, situations=situations_from_words(found["situations"]))
            looks, wants = int(found["looks"]), bool(found["wants"])
        except (ValueError, KeyError, TypeError):
            return True
        self._looks = looks
        self._adopt(habits)
        return wants
