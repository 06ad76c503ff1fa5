"""What samples of a region's states show."""

from __future__ import annotations

import numpy as np

from weft.engines.cpu.habits import Habits
from weft.engines.cpu.state_samples import MOST_SAMPLES, StateSamples
from weft.ir.cone_graph import Domain, State
from weft.ir.graph_builder import GraphBuilder
from weft.ir.layout import place_state

MODE, PHASE, WIDE, COUNTER, MEMORY, SELDOM = range(6)


def _samples() -> StateSamples:
    builder = GraphBuilder()
    builder.domains = [Domain("settle", builder.const(1, 1))]
    builder.states = [
        State("mode", 4, 0, "register", 0),
        State("phase", 2, 0, "register", 0),
        State("wide", 100, 0, "register", 0),
        State("counter", 32, 0, "register", 0),
        State("memory", 8, 16, "memory", 0),
        State("seldom", 1, 0, "input", 0),
    ]
    return StateSamples(builder.freeze(), place_state(builder.states))


def _take(samples: StateSamples, **values: int) -> None:
    state = np.zeros(samples.layout.size, np.uint8)
    for name, value in values.items():
        samples.layout.write(state, [s.name for s in samples.graph.states].index(name), value)
    samples.take(state)


def test_habits_are_what_nearly_all_samples_have() -> None:
    samples = _samples()
    for number in range(200):
        _take(samples, mode=9, phase=number % 3, counter=number, seldom=number in (50, 60))
    habits = samples.habits()
    assert habits.known == {MODE: 9, WIDE: 0, SELDOM: 0}
    assert habits.varied == {PHASE: {0: 67, 1: 67, 2: 66}}
    assert samples.keeping(habits) == 0.99
    assert samples.keeping(Habits({MODE: 8})) == 0.0


def test_those_that_deviate_most_are_left_out_until_most_samples_keep_to_the_rest() -> None:
    samples = _samples()
    for number in range(100):
        _take(samples, mode=9 if number > 2 else 0, wide=number in (10, 20, 30), seldom=number in (40, 41))
    assert samples.keeping(Habits({MODE: 9, WIDE: 0, SELDOM: 0})) == 0.92
    habits = samples.habits()
    assert habits.known.keys() == {MODE, PHASE, COUNTER, SELDOM}
    assert samples.keeping(habits) == 0.95


def test_many_samples_are_thinned_out_evenly() -> None:
    samples = _samples()
    for number in range(10 * MOST_SAMPLES):
        _take(samples, mode=number * 16 // (10 * MOST_SAMPLES))
    assert MOST_SAMPLES // 2 <= len(samples) <= MOST_SAMPLES
    counts = samples.habits().varied
    assert counts == {}  # sixteen values are too many
    assert samples.keeping(Habits({MODE: 0})) == samples.keeping(Habits({MODE: 15}))
