"""Make the steps of a region's edges for what its states are seen to do (`speculation`), and remember that.

A cycle simulation samples the state after fixed numbers of edges. Nobody counts the edges of a region: a thread looks
at the state now and then, perhaps in the middle of a step, which is as good, for what is taken for granted is compared
with the state at each edge. What the samples show is looked at after so many of them, twice as many and so on, and when
the run ends. If that is worth new code, it is made, and so that a later run of the same design finds it at once, the
habits are kept in the code cache.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping

from weft.base.dataclass import dataclass, field, replace
from weft.engines.cpu.choose_pivot import choose_pivot
from weft.engines.cpu.context import FIRST_USUAL, MOST_EDGES
from weft.engines.cpu.emit_guard import guard_text
from weft.engines.cpu.emit_speculation import choice_text, without_repeats
from weft.engines.cpu.emit_step import StepEmitter
from weft.engines.cpu.habits import Habits
from weft.engines.cpu.jit import LEAN
from weft.engines.cpu.object_cache import ObjectCache
from weft.engines.cpu.region_latches import edges_only
from weft.engines.cpu.state_samples import StateSamples
from weft.engines.cpu.tabulate_logic import tabulate_logic
from weft.engines.cpu.tiers import TieredUnit
from weft.engines.cpu.unit_text import ARGUMENTS, SIGNATURE, Unit, module_text
from weft.ir.cone_graph import ConeGraph
from weft.ir.layout import StateLayout
from weft.ir.program import StateArray
from weft.ir.step_graph import Specialiser

BEGINNING = 4
"""How many looks are not counted: at first registers get known values, one after the other."""

FIRST_LOOK = 128
"""After how many samples what they show is looked at first."""

FEWEST = 32
"""How many samples of a run make habits that are worth remembering."""

ENOUGH = 0.85
"""No other habits are wanted as long as this part of the samples keeps to those that there are."""

GAIN = 0.05
"""How much larger the part of the samples must be that keeps to new habits."""

MANY_MORE = 1.25
"""How many times as many habits there must be to begin with new ones."""

MakeUnit = Callable[[str, Callable[[StepEmitter], Unit]], TieredUnit]


@dataclass(slots=True, eq=False)
class RegionHabits:
    """Keep the speculative steps of a region; `key` stands for it in the cache.

    The states `ones` are 1 for good; `late` gives the latches that follow in steps.
    """

    graph: ConeGraph
    layout: StateLayout
    flags: tuple[int, ...]
    ones: Mapping[int, int]
    late: Callable[[StepEmitter], Collection[int]]
    make_unit: MakeUnit
    cache: ObjectCache
    key: str
    _units: dict[int, TieredUnit] = field(default_factory=dict[int, TieredUnit])
    _coming: dict[int, TieredUnit] = field(default_factory=dict[int, TieredUnit])
    _habits: Habits | None = None
    _samples: StateSamples = field(init=False)
    _looks: int = 0
    _next: int = 0

    def __post_init__(self) -> None:
        self._samples = StateSamples(self.graph, self.layout)
        self._next = FIRST_LOOK
        self.key = hashlib.sha256(f"habits|{self.key}".encode()).hexdigest() if self.key else ""
        habits = self._remembered() if len(self.flags) <= MOST_EDGES else None
        if habits is not None:
            self._adopt(habits)
            for unit in self._coming.values():
                unit.load(LEAN)

    def unit(self, flag: int) -> TieredUnit | None:
        """Return the unit of an edge, by its flag, if it has code; new ones are used when all of them have code."""
        if self._coming and all(unit.library is not None for unit in self._coming.values()):
            self._units, self._coming = self._coming, {}
        unit = self._units.get(flag)
        return unit if unit is not None and unit.library is not None else None

    def wanted(self) -> list[TieredUnit]:
        """Return the units that should be compiled, or may be."""
        return list((self._coming or self._units).values())

    def look(self, state: StateArray) -> None:
        """Look at the state of an instance; this may change which units there are."""
        self._looks += 1
        if self._looks <= BEGINNING or len(self.flags) > MOST_EDGES:
            return
        self._samples.take(state)
        if self._samples.taken >= self._next:
            self._next *= 2
            habits = self._better()
            if habits is not None:
                self._remember(habits)
                self._adopt(habits)

    def end(self) -> None:
        """Remember for a later run what this one has shown, unless it has kept to what was known."""
        if len(self._samples) < FEWEST or (self._habits is not None and self._keeps(self._habits)):
            return
        habits = self._better()
        if habits is not None:
            self._remember(habits)

    @property
    def settled(self) -> bool:
        """Say whether there is code for habits, so that the state need not be looked at as often."""
        return bool(self._units) and not self._coming

    def _keeps(self, habits: Habits) -> bool:
        """Say whether enough samples keep to some habits."""
        return self._samples.keeping(habits) >= ENOUGH

    def _better(self) -> Habits | None:
        """Return what the samples show if it is worth new code.

        Runs differ by chance. So that habits settle, new ones are old ones of which some are left out, unless there
        are many more.
        """
        found = self._samples.habits()
        known = {state: value for state, value in found.known.items() if state not in self.flags}
        found, old = replace(found, known=known), self._habits
        if old is not None and len(known) < MANY_MORE * len(old.known):
            both = {state: value for state, value in old.known.items() if known.get(state) == value}
            found = replace(found, known=both)
            keeping = self._samples.keeping(old)
            if keeping >= ENOUGH or self._samples.keeping(found) < keeping + GAIN:
                return None
        return found if found.known else None

    def _adopt(self, habits: Habits) -> None:
        self._habits = habits
        self._coming = {flag: self._unit(flag, habits) for flag in self.flags}

    def _unit(self, flag: int, habits: Habits) -> TieredUnit:
        name = f"region edge {self.flags.index(flag)} {sorted(self.ones)} {habits.describe()}"
        return self.make_unit(name, lambda emitter: self._step(emitter, flag, habits))

    def _remember(self, habits: Habits) -> None:
        if self.key:
            data = {
                "known": list(habits.known.items()),
                "varied": [(s, list(c.items())) for s, c in habits.varied.items()],
            }
            self.cache.store(self.key, json.dumps(data).encode())

    def _remembered(self) -> Habits | None:
        data = self.cache.load(self.key) if self.key else None
        if data is None:
            return None
        try:
            found = json.loads(data)
            return Habits(dict(found["known"]), {state: dict(counts) for state, counts in found["varied"]})
        except (ValueError, KeyError, TypeError):
            return None

    def _step(self, emitter: StepEmitter, flag: int, habits: Habits) -> Unit:
        """Return the step of an edge of a region that keeps to its habits; otherwise it calls the usual one."""
        emitter.reset_scratch()
        known = {**habits.known, **self.ones, **{state: int(state == flag) for state in self.flags}}
        step = edges_only(Specialiser(emitter.step).run(known, {}), self.late(emitter))
        pivot, versions = choose_pivot(step, habits.varied) or (-1, {0: step})
        texts: list[str] = []
        for value, version in versions.items():
            lean = tabulate_logic(without_repeats(version, {**known, pivot: value}))
            functions, emitters, pieces = emitter.emit_step(lean, f"step{value}")
            texts += [module_text(functions, emitters), *pieces]
        declared = [f"declare i1 @step{value}(ptr, ptr, ptr) nounwind" for value in versions]
        offset = emitter.layout.slots[pivot].offset if pivot >= 0 else -1
        usual = 8 * (FIRST_USUAL + self.flags.index(flag))
        body = f"""define i1 @region_step{SIGNATURE} {{
entry:
{guard_text(emitter.layout, habits.known)}  br i1 %odd, label %other, label %keeps
other:
  %word = getelementptr i8, ptr %c, i64 {usual}
  %step = load ptr, ptr %word
  %result = call i1 %step{ARGUMENTS}
  ret i1 %result
keeps:
{choice_text(offset, sorted(versions))}stepped:
  ret i1 %fired
}}
"""
        return Unit((module_text([*declared, body], []), *texts), ("region_step",), emitter.scratch)
