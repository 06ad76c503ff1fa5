"""What samples of a region's states show."""

from __future__ import annotations

import numpy as np

from weft.engines.cpu.habits import Habits
from weft.engines.cpu.sample_table import SampleTable
from weft.engines.cpu.situations import OTHER, Situation, share_of
from weft.ir.cone_graph import Domain, State
from weft.ir.graph_builder import GraphBuilder
from weft.ir.layout import place_state

MODE, PHASE, WIDE, COUNTER, MEMORY, SELDOM = range(6)
NAMES = ("mode", "phase", "wide", "counter", "memory", "seldom")


def _table(rows: list[dict[str, int]]) -> SampleTable:
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
    layout = place_state(builder.states)
    states = np.zeros((len(rows), layout.size), np.uint8)
    for state, row in zip(states, rows, strict=True):
        for name, value in row.items():
            layout.write(state, NAMES.index(name), value)
    return SampleTable.of(builder.freeze(), layout, states[:, : layout.memory_offset])


def test_habits_are_what_nearly_all_samples_have() -> None:
    table = _table(
        [{"mode": 9, "phase": n % 3, "counter": n, "seldom": int(n in (50, 60))} for n in range(200)],
    )
    assert table.habits() == {MODE: 9, WIDE: 0, SELDOM: 0}
    assert table.keeps(table.habits()).mean() == 0.99
    assert not table.keeps({MODE: 8}).any()


def test_habits_of_some_samples() -> None:
    table = _table([{"mode": 9, "phase": n % 2, "counter": n, "seldom": n % 2} for n in range(200)])
    odd = table.habits(np.arange(1, 200, 2), steady=0.99, keeping=0.98)
    assert odd == {MODE: 9, PHASE: 1, WIDE: 0, SELDOM: 1}
    assert table.habits(np.arange(0)) == {} == _table([]).habits()


def test_those_that_deviate_most_are_left_out_until_most_samples_keep_to_the_rest() -> None:
    rows = [{"mode": 9 if n > 1 else 0, "wide": int(n in (10, 20, 30)), "seldom": int(n == 40)} for n in range(100)]
    table = _table(rows)
    assert table.keeps({MODE: 9, WIDE: 0, SELDOM: 0}).mean() == 0.94
    habits = table.habits(steady=0.97, keeping=0.96)
    assert habits.keys() == {MODE, PHASE, COUNTER, SELDOM}
    assert table.keeps(habits).mean() == 0.97


def test_the_share_of_samples_that_situations_suit() -> None:
    table = _table([{"phase": n % 4, "mode": n % 4 + (n == 1), "seldom": int(n == 2)} for n in range(100)])
    both = Habits({WIDE: 0}, situations=(Situation(((PHASE, 0),), {PHASE: 0, MODE: 0}),))
    assert share_of(table, both) == 0.25
    more = (*both.situations, Situation(((PHASE, 1),), {PHASE: 1, MODE: 1}), Situation(((PHASE, OTHER),), {SELDOM: 0}))
    assert share_of(table, Habits({WIDE: 0}, situations=more)) == 0.98
    assert share_of(table, Habits({SELDOM: 0})) == 0.99
