"""Compile clock edges for what has long not changed: modes, idle units, pending flags, unknown planes that are all 0.

A processor's registers are of two kinds: those that work, and those that have kept one value for a million cycles. Code
in which the latter are constants is up to twice as short: whole units fold away. It begins by comparing all that it
takes for granted with the state, 32 bytes at a time; when anything differs it returns `MISS` and has done nothing, and
the run loop calls the usual function. So it is right at any time, whoever changes the state, and nothing has to be
watched while it runs. (Speculation with a guard, as in compilers of dynamic languages: Hölzle, Chambers and Ungar,
"Debugging optimized code with dynamic deoptimization", PLDI 1992; here nothing is ever half done when a guard fails.)

Which registers those are is seen in samples of the state, one after each few thousand cycles. They are taken after
fixed numbers of edges, not after some time, so that the same run speculates on the same values again and finds its code
in the cache. Their distances differ, lest a counter look constant. When many samples differ from what is taken for
granted, the next look leaves out what has changed since. A later run begins with the habits of an earlier one
(`past_runs`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, field
from weft.engines.cpu.habits import Habits
from weft.engines.cpu.part_habits import agree_on_habits, join_values
from weft.engines.cpu.tiers import TieredUnit
from weft.ir.cone_graph import ConeGraph
from weft.ir.find_repeats import find_repeats
from weft.ir.layout import StateLayout
from weft.ir.program import StateArray

FIRST_LOOK = 128
"""Samples before the first look at what is steady; later looks come after twice as many each, farther apart."""

LONGEST = 8000
"""Clock cycles between two samples, at most; in designs of more than 2000 nodes, which are slower, it is fewer."""

REMEMBERED = 128
"""Samples that are kept to see which registers have few values."""

MOST_VALUES = 8
"""A register that had more values is none to split code by."""

TOLERATED_MISSES = 1 / 10
"""Code whose guard would have failed in more than this part of the samples since the last look is replaced."""


@dataclass(slots=True)
class Speculation:
    """Decide what the code of one program's clock edges takes for granted, and keep that code.

    `make` returns the unit for an edge `(clock, level)` of a design that has these habits. `habits` is what was found
    last, `used` that of which there is code.
    """

    layout: StateLayout
    graph: ConeGraph
    make: Callable[[int, int, Habits], TieredUnit]
    habits: Habits | None = None
    used: Habits | None = None
    _units: dict[tuple[int, int], TieredUnit] = field(default_factory=dict[tuple[int, int], TieredUnit])
    _coming: dict[tuple[int, int], TieredUnit] = field(default_factory=dict[tuple[int, int], TieredUnit])
    _known: dict[int, int] = field(default_factory=dict[int, int])
    _samples: int = 0
    _misses: int = 0
    _last_look: int = 0
    _last: NDArray[np.uint8] | None = None
    _changed: NDArray[np.bool_] | None = None
    _narrow: int = field(init=False)
    _guarded: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    _expected: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    _rows: deque[NDArray[np.uint8]] = field(default_factory=lambda: deque[NDArray[np.uint8]](maxlen=REMEMBERED))

    def __post_init__(self) -> None:
        # The layout has containers of one byte last.
        offsets = (slot.offset for slot in self.layout.slots if slot.stride == 1 and not slot.depth)
        self._narrow = min(offsets, default=self.layout.memory_offset)

    @property
    def edges(self) -> list[tuple[int, int]]:
        """Return the edges that have, or will have, speculative code."""
        return list(self._coming or self._units)

    def distance(self) -> int:
        """Return after how many edges of a single clock the next sample wants to be taken."""
        longest = LONGEST * 2000 // max(2000, len(self.graph))
        if self._last_look:  # the next look is four times as far away: so is the next sample
            longest *= 4
        return 2 * (longest - self._samples * 1237 % (longest // 2 + 1))

    def wanted(self) -> list[TieredUnit]:
        """Return the units that should be compiled."""
        return list((self._coming or self._units).values())

    def unit(self, edge: tuple[int, int]) -> TieredUnit | None:
        """Return the unit to use for an edge now; new ones are used when all of them have code."""
        if self._coming and all(unit.ready for unit in self._coming.values()):
            self._units, self._coming = self._coming, {}
            self.used = self.habits
        return self._units.get(edge)

    def adopt(self, habits: Habits, edges: Collection[tuple[int, int]]) -> bool:
        """Take habits for granted, at some edges, and make code for that; say whether they fit this design."""
        slots = self.layout.slots
        for index, value in habits.known.items():
            if not 0 <= index < len(slots) or slots[index].depth or value >> slots[index].width:
                return False
        if not habits.known or not all(0 <= index < len(slots) for index in habits.varied):
            return False
        self.habits, self._known = habits, dict(habits.known)
        places = [np.arange(slots[index].offset, slots[index].offset + slots[index].stride) for index in self._known]
        values = [value.to_bytes(slots[index].stride, "little") for index, value in self._known.items()]
        self._guarded, self._expected = np.concatenate(places), np.frombuffer(b"".join(values), np.uint8)
        self._coming = {edge: self.make(*edge, habits) for edge in edges}
        return True

    def sample(self, state: StateArray, edges: Collection[tuple[int, int]]) -> bool:
        """Look at the state between two slices; say whether there are new units. `edges` are those of this run."""
        scalars = state[: self.layout.memory_offset]
        if self._last is None or self._changed is None:
            self._changed = np.zeros(len(scalars), np.bool_)
        else:
            self._changed |= scalars != self._last
        self._last = scalars.copy()
        self._rows.append(self._last[self._narrow :])
        self._samples += 1
        self._misses += bool((scalars[self._guarded] != self._expected).any())
        if self._samples < max(FIRST_LOOK, 2 * self._last_look):
            return False
        misses, since = self._misses, self._samples - self._last_look
        self._misses, self._last_look = 0, self._samples
        if self._known and misses <= since * TOLERATED_MISSES:
            return False
        repeats = find_repeats(self.graph.states)
        known = agree_on_habits(self._steady({clock for clock, _ in edges}), repeats)
        if not known or known == self._known:
            return False
        return self.adopt(Habits(known, join_values(self._varied(), repeats, MOST_VALUES)), edges)

    def _varied(self) -> dict[int, dict[int, int]]:
        """Return the narrow registers that had between two and `MOST_VALUES` values, and how often each."""
        rows, first = np.array(self._rows), self._narrow
        found: dict[int, dict[int, int]] = {}
        for index, (state, slot) in enumerate(zip(self.graph.states, self.layout.slots, strict=True)):
            if state.kind == "register" and slot.stride == 1 and not slot.depth:
                values, counts = np.unique(rows[:, slot.offset - first], return_counts=True)
                if 1 < len(values) <= MOST_VALUES:
                    found[index] = dict(zip(values.tolist(), counts.tolist(), strict=True))
        return found

    def _steady(self, clocks: set[int]) -> dict[int, int]:
        """Return the states that have not changed and whose value is worth knowing: wide ones only if they are 0."""
        assert self._last is not None and self._changed is not None
        known: dict[int, int] = {}
        for index, (state, slot) in enumerate(zip(self.graph.states, self.layout.slots, strict=True)):
            if slot.depth or index in clocks or state.kind not in ("register", "input"):
                continue
            if not self._changed[slot.offset : slot.offset + slot.stride].any():
                value = self.layout.read(self._last, index)
                if slot.stride == 1 or not value:
                    known[index] = value
        return known
