"""Find the situations of a region (`situations`): which registers tell apart what it does, and what holds in each case.

Samples of the state are split by a register's value, the parts again, and so on: a decision tree, grown where it gains
most (Breiman, Friedman, Olshen and Stone, "Classification and Regression Trees", 1984, with a measure of its own). A
state that has one value in a part of the samples is known there, and code in which it is a constant is shorter. By how
much is priced once for each state, with the step as it is: its *power*. The worth of a part is the sum of the powers of
all that is known in it, times the samples that it has. What one state saves another may save as well, so worths say
only what to compare.

Values that few samples have share a branch; if they are few even together, they have none. Splits end when they gain
little or there are enough situations. All of this is arithmetic on columns of a few thousand samples, and some sixty
specialisations of the step: tenths of a second for a processor.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, field
from weft.engines.cpu.sample_table import SampleTable, known_values, usual_values
from weft.engines.cpu.share_code import compact
from weft.engines.cpu.sink_regions import step_price
from weft.engines.cpu.situations import OTHER, Path, Situation
from weft.ir.step_graph import READ, Specialiser, StepGraph

PRICED = 64
"""How many states have their power priced: those with the most users."""

TRIED = 24
"""How many registers a part is tried to be split by: those with the most power."""

MOST_VALUES = 8
"""A register that has more values tells no situations apart."""

MOST = 24
"""How many situations there may be; each is code of its own."""

STEADY, KEEPING = 0.99, 0.98
"""What is known in a situation: in what part of its samples it is so, and how many of them keep to all of it."""

LEAST_SHARE, LEAST_SAMPLES = 0.01, 16
"""The part of the samples, and how many of them, a situation must have: of a few many things look alike."""

LEAST_GAIN = 0.004
"""What a split must gain, as a part of all power."""


def find_situations(table: SampleTable, step: StepGraph) -> tuple[Situation, ...]:
    """Return the situations that samples show, the most frequent first; none if splits gain nothing.

    `step` is the region's step with all that is known in every situation folded in.
    """
    parts = _Tree(table, _powers(table, step)).grow() if table.count else []
    if len(parts) < 2:
        return ()
    parts.sort(key=lambda part: -len(part.samples))
    return tuple(_situation(table, part) for part in parts)


def _situation(table: SampleTable, part: _Part) -> Situation:
    on_path = {state: value for state, value in part.path if value != OTHER}
    return Situation(part.path, table.habits(part.samples, STEADY, KEEPING) | on_path)


def _powers(table: SampleTable, step: StepGraph) -> NDArray[np.float64]:
    """Return how much shorter the step is, on average, where a state of the table has the value that it mostly has."""
    step = compact(step)
    users = _users(step)
    usual, differs = usual_values(table.values)
    shares = 1 - differs.mean(axis=1)
    varies = [at for at in np.flatnonzero(differs.any(axis=1)).tolist() if int(table.states[at]) in users]
    varies.sort(key=lambda at: (-users[int(table.states[at])], at))
    whole = step_price(step)
    powers = np.zeros(len(table.states))
    for at in varies[:PRICED]:
        if not (table.wide[at] and usual[at]):
            known = Specialiser(step).run({int(table.states[at]): int(usual[at])}, {})
            powers[at] = (whole - step_price(known)) * shares[at]
    return powers


def _users(step: StepGraph) -> Mapping[int, int]:
    """Return for each state that is read how many nodes use it, or what is computed of it alone."""
    found: dict[int, int] = {}
    origin = [-1] * len(step.op)
    for node, sources in enumerate(step.srcs):
        if step.op[node] == READ:
            origin[node] = step.param[node]
            found.setdefault(step.param[node], 0)
            continue
        states = {origin[source] for source in sources if step.constant(source) is None}
        for state in states - {-1}:
            found[state] += 1
        origin[node] = states.pop() if len(states) == 1 else -1
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Be some of the samples, by their numbers, and the path to them."""

    path: Path
    samples: NDArray[np.intp]


_Split = tuple[float, list[_Part]]
"""What a split gains, and the parts that it makes."""


@dataclass(slots=True, eq=False)
class _Tree:
    """Split samples where that gains most."""

    table: SampleTable
    powers: NDArray[np.float64]
    _values: NDArray[np.uint8] = field(init=False)
    _weights: NDArray[np.float64] = field(init=False)
    _wide: NDArray[np.bool_] = field(init=False)
    _tried: list[tuple[int, NDArray[np.uint8]]] = field(init=False)

    def __post_init__(self) -> None:
        table, counts = self.table, self.powers > 0
        self._values, self._weights, self._wide = table.values[counts], self.powers[counts], table.wide[counts]
        narrow = np.flatnonzero(counts & table.registers & ~table.wide).tolist()
        splits = [at for at in narrow if len(np.unique(table.values[at])) <= MOST_VALUES]
        splits.sort(key=lambda at: (-self.powers[at], at))
        self._tried = [(int(table.states[at]), table.values[at]) for at in splits[:TRIED]]

    @property
    def _least(self) -> float:
        """Return how many samples a part must have."""
        return max(LEAST_SHARE * self.table.count, LEAST_SAMPLES)

    def grow(self) -> list[_Part]:
        """Return the parts that are not split any more."""
        least = LEAST_GAIN * float(self._weights.sum())
        leaves, queue = list[_Part](), list[tuple[float, int, _Part, list[_Part]]]()
        pending, number = [_Part((), np.arange(self.table.count))], 0
        while pending or queue:
            for part in pending:
                gain, parts = self._best_split(part)
                number += 1
                if gain > least:
                    heapq.heappush(queue, (-gain, number, part, parts))
                else:
                    leaves.append(part)
            pending = []
            if queue:
                _, _, part, parts = heapq.heappop(queue)
                if len(leaves) + len(queue) + len(parts) <= MOST:
                    pending = parts
                else:
                    leaves.append(part)
        return leaves

    def _best_split(self, part: _Part) -> _Split:
        best: _Split = (0.0, [])
        if len(part.samples) < 2 * self._least:
            return best
        worth, used = self._worth(part.samples), {state for state, _ in part.path}
        for state, values in self._tried:
            if state not in used:
                parts = self._split(part, state, values[part.samples])
                gain = sum(len(each.samples) * (self._worth(each.samples) - worth) for each in parts)
                gain /= self.table.count
                if gain > best[0]:
                    best = (gain, parts)
        return best

    def _split(self, part: _Part, state: int, values: NDArray[np.uint8]) -> list[_Part]:
        """Return parts for the values that a state has in a part."""
        least = self._least
        found, counts = np.unique(values, return_counts=True)
        often = found[counts >= least]
        parts = [_Part((*part.path, (state, int(value))), part.samples[values == value]) for value in often]
        rest = part.samples[~np.isin(values, often)]
        if parts and len(rest) >= least:
            parts.append(_Part((*part.path, (state, OTHER)), rest))
        return parts

    def _worth(self, samples: NDArray[np.intp]) -> float:
        """Return the power of all that is known in some samples."""
        usual, differs = usual_values(self._values[:, samples])
        return float(self._weights[known_values(usual, differs, self._wide, STEADY)].sum())
