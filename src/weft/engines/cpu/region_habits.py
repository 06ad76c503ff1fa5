"""Make the steps of a region's edges for what its states are seen to do, and remember that (`situations`).

At first, the step of an edge takes samples (`edge_sampler`). What they show is looked at after some time: what is so in
nearly all of them, the *habits*, and which situations there are (`find_situations`). If that is worth new code, it is
made, a situation at a time, those first that gain most (`rank_situations`). Samples are taken again, in this run or a
later one, when too many edges find no code that suits them.

What a run has shown is kept in the code cache, so that a later run of the same design begins with it; then code that
takes samples is not even made. Programs have phases, and what holds in some of them misleads. So samples are taken to
the end of a run, unless it is long, and the next one begins with a look at them, for which nobody waits. While a run
goes on, the habits of the first half of its samples must hold in the second half before they are believed. They do not
count if a large part of the run was over before there was code that takes samples, as it is with an empty cache. A run
that is to tune (`tune`) looks at its samples when it has ended.
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
from weft.engines.cpu.jit import LEAN, QUICK, START, Tier
from weft.engines.cpu.object_cache import ObjectCache
from weft.engines.cpu.rank_situations import Candidate, rank_situations
from weft.engines.cpu.region_latches import edges_only
from weft.engines.cpu.sample_table import SampleTable
from weft.engines.cpu.share_code import compact
from weft.engines.cpu.sink_regions import step_price
from weft.engines.cpu.situations import samples_of, share_of, situations_from_words, situations_to_words
from weft.engines.cpu.tabulate_logic import tabulate_logic
from weft.engines.cpu.tiers import TieredUnit
from weft.engines.cpu.unit_text import Unit, module_text
from weft.ir.cone_graph import ConeGraph
from weft.ir.layout import StateLayout
from weft.ir.step_graph import Specialiser, StepGraph

FEWEST, FEWEST_TO_TUNE = 1024, 128
"""How many samples are worth a look, or fewer if a ring has no room for as many; and how many if the user asks."""

LOOK_SECONDS, PATIENCE = 0.25, 1.5
"""How long samples are taken before a first look at them, in CPU seconds; each later look comes after so many times as
long."""

CLEAR, LONG_SECONDS = 0.95, 4.0
"""The part of the second half of all samples that must keep to the habits of the first half, while a run goes on; from
how many CPU seconds on a run is long, and they are believed in any case."""

ENOUGH = 0.85
"""No other habits are wanted as long as this part of the edges keeps to those that there are."""

GAIN = 0.04
"""How much larger the part of the samples must be that keeps to new habits."""

LEAST_EDGES, MANY_EDGES = 100_000, 2_000_000
"""How many edges are counted before it is judged what they find: when a run ends, so that the next one is sampled from
its beginning on, and while it goes on. Samples of fewer are not believed either as long as there may be more."""

MOST_LOOKS = 8
"""How often the habits of a design are looked at again: if they do not suit it then, none do."""

COVERED = 0.9
"""The part of a run's time that must have been sampled."""

NOTHING, SAMPLES, LOOK = "nothing", "samples", "look"
"""What a later run is to do: take samples, or look at those that there are."""

ODD_EDGES = 0.05
"""From which part of the edges on, that keep to no habits, their step is worth the compiler's best."""

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
    _wants: str = NOTHING
    _now: int = 0
    _began: int | None = None
    """The simulated time, and what it was when code that takes samples was entered."""
    _base: tuple[Mapping[int, int], StepGraph] | None = None
    """What is known in all situations, and the step where it is."""

    def __post_init__(self) -> None:
        code = self.code
        self._sampler = EdgeSampler(code.layout.memory_offset, self.row, code.cache, self._cache_key("samples"))
        self._wants = self._remembered()
        for unit in self.units:
            unit.load(LEAN, QUICK)
        if self._wants == SAMPLES:
            self.begin_sampling()

    @property
    def units(self) -> list[TieredUnit]:
        """Return the units that take habits for granted, in the order in which they are worth their compilation."""
        at = self.habits.lean_at if self.habits is not None else 0
        found = (self.choice, *self.situations[:at], self.lean, *self.situations[at:])
        return [unit for unit in found if unit is not None]

    @property
    def wanted(self) -> list[tuple[TieredUnit, Tier]]:
        """Return them with the tiers that they are worth now.

        The step for all situations is long, and seldom runs once they have code: the best for it is left to long runs.
        """
        found = [(unit, QUICK if unit is self.lean and self.situations else LEAN) for unit in self.units]
        if self.lean is not None and self._complete and time.process_time() > LONG_SECONDS:
            found.append((self.lean, LEAN))
        return found

    @property
    def settled(self) -> bool:
        """Say whether there is all code that is wanted, and nobody waits for samples."""
        return self._wants == NOTHING and self._sampling is None and self._complete

    @property
    def _complete(self) -> bool:
        return all(unit.library is not None for unit in self.units)

    @property
    def usual_matters(self) -> bool:
        """Say whether so many edges keep to no habits that the usual step is worth more than what was made at once."""
        if self.habits is None:
            return self._looks > 0
        return self._complete and int(self.row[words.LOST]) > ODD_EDGES * int(self.row[words.EDGES])

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
        helps = lean != usual or any(fits(unit) for unit in self.situations)
        best = address(self.choice, "region_step", usual) if helps else usual
        row[words.BEST] = best
        if self._sampling is not None and self._began is None:
            self._began = self._now
        return address(self._sampling, "region_sample", best)

    # ------------------------------------------------------------------------------------------- samples

    def begin_sampling(self, rings: int = 1) -> None:
        """Have samples of the state taken from now on; more `rings` are for a run that has not begun and misses few."""
        if self._sampling is not None:
            if rings > 1:
                self._sampler.begin(rings)
            return
        text = module_text([sampling_step(self.code.layout, self.number)], [])
        unit = self.code.make_unit(f"region samples {self.number}", lambda _: Unit((text,), ("region_sample",), 0))
        if not unit.load(START):
            unit.begin(START)
            unit.finish()
        self._sampler.begin(rings)
        self._sampling, self._since, self._wants = unit, time.process_time(), SAMPLES

    def drain(self) -> bool:
        """Take samples away if there is no room for more; say whether that was so."""
        return self._sampling is not None and self._sampler.drain()

    def look(self, now: int) -> None:
        """Look at samples, or at how many edges found code that suits them; units may change.

        `now` is the simulated time.
        """
        self._now = now
        if self._wants == LOOK:
            self.look_back()
        elif self._sampling is not None:
            seconds = time.process_time() - self._since
            if self.drain() and seconds > self._patience:
                self._patience *= PATIENCE
                if seconds > LONG_SECONDS or (self._covers and self._clear()):
                    self._decide()
                if seconds > LONG_SECONDS and self.habits is not None:
                    self._sampler.keep()
                    self._end_sampling()
        elif self.row[words.EDGES] >= self._judged:
            self._judged = 4 * int(self.row[words.EDGES])
            if self._unsuited():
                self.begin_sampling()

    def look_back(self) -> None:
        """Look at the samples of earlier runs, if nobody has."""
        if self._wants == LOOK:
            self._sampler.recall()
            self._decide()

    @property
    def _covers(self) -> bool:
        """Say whether samples were taken in nearly all of the run."""
        return self._began is not None and self._now - self._began >= COVERED * self._now

    def end(self, now: int) -> None:
        """Remember for a later run what this one, which has ended at a time, has shown."""
        self._now = now
        if self._sampling is not None:
            self._sampler.finish()
            if self._covers:
                self._sampler.keep()
                if len(self._sampler.samples()) >= min(FEWEST, self._sampler.room):
                    self._wants = LOOK
                self._remember()
        elif self._wants == NOTHING and self.row[words.EDGES] >= LEAST_EDGES and self._unsuited():
            self._wants = SAMPLES
            self._remember()

    def tune(self) -> None:
        """Look at all samples, however well the present code suits them; the run has ended."""
        self._sampler.recall()
        if len(self._sampler.samples()) >= min(FEWEST_TO_TUNE, self._sampler.room):
            self._sampling = None
            self._decide(enough=1.0)

    def _unsuited(self) -> bool:
        """Say whether too many edges do not keep to a situation, or to habits if there are no situations.

        While some situations have no code yet, too few are counted.
        """
        misses = int(self.row[words.MISSES if self.situations else words.LOST])
        return misses > (1 - ENOUGH) * int(self.row[words.EDGES]) and self._looks < MOST_LOOKS

    def _clear(self) -> bool:
        """Say whether what the first half of the samples shows holds in the second half: if not, more is to come."""
        if self._sampler.edges < LEAST_EDGES:
            return False
        rows = self._sampler.samples()
        first, second = (SampleTable.of(self.code.graph, self.code.layout, half) for half in np.array_split(rows, 2))
        return bool(second.keeps(self._without_flags(first.habits())).mean() >= CLEAR)

    def _decide(self, enough: float = ENOUGH) -> None:
        """Make new code if samples show that it would suit more of them than what there is, unless that is `enough`."""
        table = SampleTable.of(self.code.graph, self.code.layout, self._sampler.samples())
        kept = share_of(table, self.habits) if self.habits is not None else 0.0
        if kept < enough:
            self._looks += 1
            found = self._find(table)
            if found.known and (self.habits is None or share_of(table, found) >= kept + GAIN):
                self._adopt(found)
        if self._sampling is None:
            self._wants = SAMPLES if self.habits is None and self._looks < MOST_LOOKS else NOTHING
        self._remember()

    def _end_sampling(self) -> None:
        assert self._sampling is not None
        self._retired.append(self._sampling)  # whoever runs now may be in its code
        self._sampling, self._wants = None, NOTHING
        self._remember()

    def _find(self, table: SampleTable) -> Habits:
        known = self._without_flags(table.habits())
        if not known:
            return Habits({})
        found: list[Habits] = []
        self.code.with_emitter(lambda emitter: found.append(self._find_situations(table, known, emitter)))
        return found[0]

    def _find_situations(self, table: SampleTable, known: Mapping[int, int], emitter: StepEmitter) -> Habits:
        step = compact(self.code.step(emitter, self.number, known))
        found = find_situations(table, step)[: words.MOST_SITUATIONS]
        situations = [replace(each, known=self._without_flags(each.known)) for each in found]
        prices = [step_price(Specialiser(step).run(each.known, {})) for each in situations]
        shares = [float(here.mean()) for here in samples_of(table, situations)]
        usual = step_price(self.code.step(emitter, self.number, {}))
        order, lean_at = rank_situations(list(map(Candidate, shares, prices)), step_price(step), usual)
        return Habits(known, situations=tuple(situations[at] for at in order), lean_at=lean_at)

    def _without_flags(self, known: Mapping[int, int]) -> dict[int, int]:
        """Return what is known but for flags of edges, which a step for one edge neither reads nor clears."""
        return {state: value for state, value in known.items() if state not in self.code.flags}

    # ------------------------------------------------------------------------------------------- code

    def _adopt(self, habits: Habits) -> None:
        self._retired += self.units
        self.habits, self._base = habits, None
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

    def _step(self, emitter: StepEmitter, known: Mapping[int, int]) -> StepGraph:
        """Return the step where some states are known, made of the one where what all situations have in common is."""
        if self._base is None:
            assert self.habits is not None
            every = [self.habits.known.items(), *(each.known.items() for each in self.habits.situations)]
            common = dict(set[tuple[int, int]].intersection(*map(set, every)))
            self._base = common, compact(self.code.step(emitter, self.number, common))
        common, step = self._base
        return Specialiser(step).run({s: v for s, v in known.items() if s not in common}, {})

    def _known_step(
        self,
        emitter: StepEmitter,
        known: Mapping[int, int],
        around: Callable[[StateLayout, int, Mapping[int, int]], str],
        name: str,
    ) -> Unit:
        """Return the unit of a step in which some states are known, and what makes sure that they are."""
        emitter.reset_scratch()
        step = without_repeats(self._step(emitter, known), known)
        functions, emitters, texts = emitter.emit_step(tabulate_logic(step), "known")
        guard = module_text([around(emitter.layout, self.number, known)], [])
        return Unit((guard, module_text(functions, emitters), *texts), (name,), emitter.scratch)

    # ------------------------------------------------------------------------------------------- between runs

    def _cache_key(self, what: str) -> str:
        key = self.code.key
        return hashlib.sha256(f"{what}|3|{self.number}|{key}".encode()).hexdigest() if key else ""

    def _remember(self) -> None:
        """Keep the habits, and what a later run is wanted to do."""
        key, habits = self._cache_key("habits"), self.habits or Habits({})
        if key:
            known, situations = list(habits.known.items()), situations_to_words(habits.situations)
            data = {"known": known, "situations": situations, "lean_at": habits.lean_at}
            data |= {"looks": self._looks, "wants": self._wants}
            self.code.cache.store(key, json.dumps(data).encode())

    def _remembered(self) -> str:
        """Adopt the habits of an earlier run; return what it wants this one to do."""
        key = self._cache_key("habits")
        data = self.code.cache.load(key) if key else None
        if data is None:
            return SAMPLES
        try:
            found = json.loads(data)
            known = {int(state): int(value) for state, value in found["known"]}
            situations = situations_from_words(found["situations"])
            habits = Habits(known, situations=situations, lean_at=int(found["lean_at"]))
            looks, wants = int(found["looks"]), str(found["wants"])
        except (ValueError, KeyError, TypeError):
            return SAMPLES
        self._looks = looks
        if known:
            self._adopt(habits)
        return wants
