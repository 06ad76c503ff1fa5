"""Speculative code: which values it takes for granted, and that it is right when they change."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from weft.engines.cpu import speculation
from weft.engines.cpu.emit_speculation import speculative_phase
from weft.engines.cpu.emit_step import StepEmitter
from weft.engines.cpu.habits import Habits
from weft.engines.cpu.jit import FULL, LEAN, Compiler
from weft.engines.cpu.object_cache import ObjectCache
from weft.engines.cpu.program import CpuProgram
from weft.engines.cpu.speculation import Speculation
from weft.engines.reference.program import ReferenceProgram
from weft.ir.cone_graph import ConeGraph, Domain, State, Write
from weft.ir.graph_builder import GraphBuilder
from weft.ir.layout import place_state
from weft.ir.program import Clock, Status

CLOCK, BEFORE, MODE, COUNT, WIDE = 1, 2, 3, 4, 5
CLK = Clock(CLOCK, 10, 5, 10)
EDGES = [(CLOCK, 1), (CLOCK, 0)]


def counter_with_mode() -> ConeGraph:
    """Return a counter that goes up, or down by a wide register; its mode becomes 1 when it passes 20,000."""
    builder = GraphBuilder()
    builder.states += [
        State("$time", 64, kind="time", initial=0),
        State("clk", 1, kind="input"),
        State("clk$before", 1, kind="sample"),
        State("mode", 1),
        State("count", 16),
        State("wide", 300),
    ]
    one = builder.const(1, 1)
    builder.writes.append(Write(BEFORE, builder.read(CLOCK), one, 0))
    edge = builder.add("posedge", 1, builder.read(BEFORE), builder.read(CLOCK))
    builder.domains.append(Domain("posedge clk", edge))
    mode, count, wide = builder.read(MODE), builder.read(COUNT), builder.read(WIDE)
    up = builder.add("add", 16, count, builder.const(16, 1))
    down = builder.add("sub", 16, count, builder.slice(wide, 3, 16))
    builder.writes.append(Write(COUNT, builder.add("mux", 16, mode, down, up), one, 1))
    passed = builder.add("eq", 1, count, builder.const(16, 20_000))
    builder.writes.append(Write(MODE, one, passed, 1))
    changed = builder.add("add", 300, wide, builder.add("zext", 300, count))
    builder.writes.append(Write(WIDE, changed, passed, 1))
    return builder.freeze()


def test_code_that_takes_a_mode_for_granted_is_right_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(speculation, "FIRST_LOOK", 3)
    monkeypatch.setattr(speculation, "LONGEST", 100)
    monkeypatch.setattr("weft.engines.cpu.emit_speculation.GUARD_SHARE", 0)
    graph = counter_with_mode()
    mine, theirs = CpuProgram(graph, Compiler(ObjectCache(tmp_path)), tier="quick"), ReferenceProgram(graph)
    a, b = mine.layout.allocate(), theirs.layout.allocate()
    taken: list[Habits] = []
    make = mine.speculation.make

    def note(clock: int, level: int, habits: Habits) -> Any:
        taken.append(habits)
        return make(clock, level, habits)

    mine.speculation.make = note
    for until in (19_000_0, 21_000_0, 21_100_0):
        assert mine.run(a, [CLK], until).status == theirs.run(b, [CLK], until).status
        assert bytes(a) == bytes(b)
    assert taken[0] == Habits({MODE: 0, WIDE: 0})
    assert mine.layout.read(a, MODE) == 1 and mine.layout.read(a, WIDE) == 20_000
    # Somebody from outside changes what the code takes for granted, between two runs.
    for program, state in ((mine, a), (theirs, b)):
        program.layout.write(state, MODE, 0)
        program.layout.write(state, WIDE, 0)
    mine.run(a, [CLK], 21_200_0)
    theirs.run(b, [CLK], 21_200_0)
    for program, state in ((mine, a), (theirs, b)):
        program.layout.write(state, WIDE, 1 << 299)
        program.layout.write(state, MODE, 1)
    mine.run(a, [CLK], 21_300_0)
    theirs.run(b, [CLK], 21_300_0)
    assert bytes(a) == bytes(b)


def test_a_later_run_begins_with_the_habits_of_an_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """And with its code: nothing is emitted any more. A habit that does not hold in this run is no harm."""
    monkeypatch.setattr(speculation, "FIRST_LOOK", 3)
    monkeypatch.setattr(speculation, "LONGEST", 100)
    monkeypatch.setattr("weft.engines.cpu.emit_speculation.GUARD_SHARE", 0)
    monkeypatch.setattr("weft.engines.cpu.program._BUSY_SECONDS", 0.0)
    monkeypatch.setattr("weft.engines.cpu.program._WARM_SECONDS", 0.0)
    graph, cache = counter_with_mode(), ObjectCache(tmp_path)
    first = CpuProgram(graph, Compiler(cache), key="counter")
    state, until = first.layout.allocate(), 0
    while not all(unit.tier is FULL for unit in first.units()[1:]) or not all(
        (unit := first.speculation.unit(edge)) is not None and unit.tier is LEAN for edge in EDGES
    ):
        until += 1000
        if until % 10_000_0 == 0:  # before the mode changes
            state, until = first.layout.allocate(), 1000
        first.run(state, [CLK], until)
    assert first.speculation.habits == Habits({MODE: 0, WIDE: 0})

    def refuse(*_: object) -> None:
        raise AssertionError("a text was emitted")

    monkeypatch.setattr("weft.engines.cpu.program.StepEmitter", refuse)
    monkeypatch.setattr(speculation, "FIRST_LOOK", 10_000)
    later, theirs = CpuProgram(graph, Compiler(cache), key="counter"), ReferenceProgram(graph)
    a, b = later.layout.allocate(), theirs.layout.allocate()
    for until in (100, 19_000_0, 21_000_0):
        later.run(a, [CLK], until)
        theirs.run(b, [CLK], until)
        assert bytes(a) == bytes(b)
        assert later.speculation.habits == Habits({MODE: 0, WIDE: 0})
    assert all(later.speculation.unit(edge) is not None for edge in EDGES)


@pytest.mark.parametrize("known", [{}, {99: 0}, {1: 2}, {-1: 0}])
def test_habits_that_do_not_fit_the_design_are_not_taken_up(known: dict[int, int]):
    watched = Watched()
    assert not watched.speculation.adopt(Habits(known), EDGES)
    assert not watched.made


def test_habits_are_in_use_when_there_is_code_for_them():
    watched = Watched(ready=False)
    watched.samples(speculation.FIRST_LOOK)
    assert watched.speculation.habits == watched.made[0]
    assert watched.speculation.unit((1, 1)) is None
    assert watched.speculation.used is None
    watched.fresh.ready = True
    assert watched.speculation.unit((1, 1)) is watched.fresh
    assert watched.speculation.used == watched.made[0]


def test_registers_with_many_values_are_none_to_split_code_by():
    watched = Watched()
    for number in range(speculation.FIRST_LOOK):
        watched.layout.write(watched.state, 3, number % 8)
        watched.layout.write(watched.state, 7, number % 9)
        watched.samples(1)
    assert watched.made[0].varied.keys() == {3, 6}


def machine() -> ConeGraph:
    """Return a machine of six states, each of which does another sum with two registers of 16 bits."""
    builder = GraphBuilder()
    builder.states += [
        State("$time", 64, kind="time", initial=0),
        State("clk", 1, kind="input"),
        State("clk$before", 1, kind="sample"),
        State("state", 3),
        State("a", 16, initial=1),
        State("b", 16, initial=2),
        State("still", 2),
    ]
    one = builder.const(1, 1)
    builder.writes.append(Write(2, builder.read(1), one, 0))
    edge = builder.add("posedge", 1, builder.read(2), builder.read(1))
    builder.domains.append(Domain("posedge clk", edge))
    state, a, b, still = (builder.read(n) for n in (3, 4, 5, 6))
    new_a, new_b, following = a, b, state
    for number, name in enumerate(("add", "xor", "sub", "mul", "or", "and")):
        here = builder.add("eq", 1, state, builder.const(3, number))
        value = builder.add("add", 16, builder.add(name, 16, a, b), builder.const(16, 3 * number + 1))
        rotated = builder.add("concat", 16, builder.slice(value, 5, 11), builder.slice(value, 0, 5))
        new_a = builder.add("mux", 16, here, rotated, new_a)
        new_b = builder.add("mux", 16, here, builder.add("sub", 16, rotated, b), new_b)
        skips = builder.add("and", 1, builder.slice(value, 3, 1), builder.slice(value, 9, 1))
        after = [builder.const(3, (number + step) % 6) for step in (1, 2)]
        following = builder.add("mux", 3, here, builder.add("mux", 3, skips, after[1], after[0]), following)
    for register, value in ((3, following), (4, new_a), (5, new_b), (6, still)):
        builder.writes.append(Write(register, value, one, 1))
    return builder.freeze()


def test_a_machine_runs_right_in_versions_for_its_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(speculation, "FIRST_LOOK", 30)
    monkeypatch.setattr(speculation, "LONGEST", 9)
    monkeypatch.setattr("weft.engines.cpu.emit_speculation.GUARD_SHARE", 0)
    graph = machine()
    emitter = StepEmitter(graph, place_state(graph.states))
    habits = Habits({6: 0}, {3: dict.fromkeys(range(6), 10), 4: {1: 30, 2: 30}})
    unit = speculative_phase(emitter, CLOCK, 1, habits)
    assert [f"define i1 @step{state}(" in text for state, text in enumerate(unit.texts[1:])] == [True] * 6
    mine, theirs = CpuProgram(graph, Compiler(ObjectCache(tmp_path)), tier="quick"), ReferenceProgram(graph)
    a, b = mine.layout.allocate(), theirs.layout.allocate()
    for until in (400_000_0, 400_100_0, 400_200_0):
        assert mine.run(a, [CLK], until).status == Status.DONE
        if until == 400_000_0:
            b[:] = a
            assert mine.speculation.unit((CLOCK, 1)) is not None
        else:
            theirs.run(b, [CLK], until)
            assert bytes(a) == bytes(b)
            # A state that the machine never enters by itself has no version.
            for program, state in ((mine, a), (theirs, b)):
                program.layout.write(state, 3, 7)


STATES = [
    State("$time", 64, kind="time"),
    State("clk", 1, kind="input"),
    State("irq", 1, kind="input"),
    State("mode", 3),
    State("address", 32),
    State("unused", 32),
    State("toggles", 1),
    State("many", 4),
    State("ram", 8, kind="memory", depth=4),
]


_builder = GraphBuilder()
_builder.states += STATES
STILL = _builder.freeze()


class Watched:
    """Sample a state whose registers a test sets, and remember what was taken for granted."""

    def __init__(self, ready: bool = True) -> None:
        self.layout = place_state(STATES)
        self.state = self.layout.allocate()
        self.made: list[Habits] = []
        self.fresh = SimpleNamespace(ready=ready)
        self.speculation = Speculation(self.layout, STILL, self._make)

    def _make(self, clock: int, level: int, habits: Habits) -> Any:
        self.made.append(habits)
        self.fresh = SimpleNamespace(ready=self.fresh.ready)
        return self.fresh

    def samples(self, count: int) -> list[bool]:
        """Take samples between which two registers change."""
        found: list[bool] = []
        for _ in range(count):
            for state in (0, 6):
                self.layout.write(self.state, state, self.layout.read(self.state, state) ^ 1)
            found.append(self.speculation.sample(self.state, [(1, 1)]))
        return found


def test_what_does_not_change_and_is_narrow_or_zero_is_taken_for_granted():
    watched = Watched()
    watched.layout.write(watched.state, 3, 5)
    watched.layout.write(watched.state, 4, 1234)
    assert watched.samples(speculation.FIRST_LOOK) == [False] * (speculation.FIRST_LOOK - 1) + [True]
    assert [habits.known for habits in watched.made] == [{2: 0, 3: 5, 5: 0, 7: 0}]
    half = speculation.FIRST_LOOK // 2
    assert watched.made[0].varied == {6: {0: half, 1: half}}
    assert watched.speculation.unit((1, 1)) is watched.fresh
    # Nothing of it changes: it stays.
    assert not any(watched.samples(20 * speculation.FIRST_LOOK))


def test_what_changes_later_is_left_out_and_old_code_stays_until_there_is_new():
    watched = Watched()
    watched.samples(speculation.FIRST_LOOK)
    first = watched.speculation.unit((1, 1))
    watched.layout.write(watched.state, 3, 6)
    watched.fresh.ready = False
    assert any(watched.samples(3 * speculation.FIRST_LOOK))
    assert [habits.known for habits in watched.made[1:]] == [{2: 0, 4: 0, 5: 0, 7: 0}]
    assert watched.speculation.unit((1, 1)) is first
    assert watched.speculation.wanted() == [watched.fresh]
    watched.fresh.ready = True
    assert watched.speculation.unit((1, 1)) is watched.fresh


def test_samples_have_different_distances():
    watched = Watched()
    distances: list[int] = []
    for _ in range(100):
        distances.append(watched.speculation.distance())
        watched.samples(1)
    assert len(set(distances)) == 100
    assert min(distances) >= speculation.LONGEST and max(distances) <= 2 * speculation.LONGEST
    assert not np.any(np.array(distances) % 2), "a sample is taken at the same level of the clock"
