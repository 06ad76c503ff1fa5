"""Make the steps of a region's edges for what its states are seen to do (`speculation`), and remember that.

A cycle simulation samples the state after fixed numbers of edges. Nobody counts the edges of a region: a thread looks
at the state now and then, perhaps in the middle of a step, which is as good, for what is taken for granted is compared
with the state at each edge. So that a later run of the same design finds its code at once, what was seen is kept in
the code cache; where it no longer suits, the states are looked at anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray

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
from weft.engines.cpu.speculation import Speculation
from weft.engines.cpu.tabulate_logic import tabulate_logic
from weft.engines.cpu.tiers import TieredUnit
from weft.engines.cpu.unit_text import ARGUMENTS, SIGNATURE, Unit, module_text
from weft.ir.cone_graph import ConeGraph
from weft.ir.layout import StateLayout
from weft.ir.program import StateArray
from weft.ir.step_graph import Specialiser

TRIED, TOLERATED = 128, 64
"""How often what an earlier run has seen is compared with the state, and how often it may differ."""

BEGINNING = 64
"""How many looks are not counted: at first registers get known values, one after the other."""

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
    _fresh: Speculation = field(init=False)
    _judged: int = -1
    _looks: int = 0
    _misses: int = 0
    _guarded: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    _expected: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))

    def __post_init__(self) -> None:
        self._fresh = Speculation(self.layout, self.graph, self._make)
        self.key = hashlib.sha256(f"habits|{self.key}".encode()).hexdigest() if self.key else ""
        habits = self._remembered() if len(self.flags) <= MOST_EDGES else None
        if habits is not None:
            self._units = {flag: self._unit(flag, habits) for flag in self.flags}
            for unit in self._units.values():
                unit.load(LEAN)
            self._guard(habits)

    def unit(self, flag: int) -> TieredUnit | None:
        """Return the unit of an edge, by its flag, if it has code."""
        unit = self._units.get(flag)
        return unit if unit is not None and unit.library is not None else None

    def wanted(self) -> list[TieredUnit]:
        """Return the units that should be compiled, or may be."""
        return list(self._units.values())

    def look(self, state: StateArray) -> None:
        """Look at the state of an instance; this may change which units there are."""
        if len(self.flags) > MOST_EDGES:
            return
        if self._looks < BEGINNING:
            self._looks += 1
        elif 0 <= self._judged < TRIED:
            self._judge(state)
        elif self._judged < 0 and self._fresh.sample(state, [(flag, 1) for flag in self.flags]):
            self._units = {flag: unit for (flag, _), unit in zip(self._fresh.edges, self._fresh.wanted(), strict=True)}

    def _judge(self, state: StateArray) -> None:
        """Compare the state with what an earlier run has seen; forget that if it is too often otherwise."""
        self._judged += 1
        self._misses += bool((state[self._guarded] != self._expected).any())
        if self._judged == TRIED and self._misses > TOLERATED:
            self._judged, self._units = -1, {}

    def _guard(self, habits: Habits) -> None:
        slots = [(self.layout.slots[state], value) for state, value in habits.known.items()]
        places = [np.arange(slot.offset, slot.offset + slot.stride) for slot, _ in slots]
        self._guarded = np.concatenate(places) if places else self._guarded
        data = b"".join(value.to_bytes(slot.stride, "little") for slot, value in slots)
        self._expected = np.frombuffer(data, np.uint8)
        self._judged = 0

    def _make(self, flag: int, level: int, habits: Habits) -> TieredUnit:
        habits = replace(
            habits, known={state: value for state, value in habits.known.items() if state not in self.flags}
        )
        self._remember(habits)
        return self._unit(flag, habits)

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
