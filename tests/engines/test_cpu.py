"""The CPU engine's steps, run loop, cache and effects, against the reference engine on random whole graphs."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from random_graphs import FIRST_CLOCK, random_graph, random_state
from weft.engines.cpu.jit import START, Compiler
from weft.engines.cpu.object_cache import ObjectCache
from weft.engines.cpu.program import CpuProgram
from weft.engines.reference.program import ReferenceProgram
from weft.ir.cone_graph import ConeGraph
from weft.ir.program import Clock


def compare(graph: ConeGraph, seed: int, program: CpuProgram, clocks: list[Clock], times: range) -> None:
    """Run both engines from the same random states, poking between runs, and compare everything."""
    random = Random(seed)
    reference = ReferenceProgram(graph)
    mine, theirs = program.layout.allocate(), program.layout.allocate()
    for until in times:
        for index, elements in random_state(graph, random).items():
            if until == times[0] or graph.states[index].kind == "input":
                for element, value in enumerate(elements):
                    program.layout.write(mine, index, value, element)
                    program.layout.write(theirs, index, value, element)
        assert program.settle(mine) == reference.settle(theirs)
        assert bytes(mine) == bytes(theirs)
        assert program.run(mine, clocks, until) == reference.run(theirs, clocks, until)
        assert bytes(mine) == bytes(theirs), f"at {until}: {differences(graph, program, mine, theirs)}"


def differences(graph: ConeGraph, program: CpuProgram, mine, theirs) -> list[tuple[str, int, int, int]]:
    """Return (state, element, got, expected) of each difference."""
    return [
        (state.name, element, got, expected)
        for index, state in enumerate(graph.states)
        for element in range(state.depth or 1)
        if (got := program.layout.read(mine, index, element))
        != (expected := program.layout.read(theirs, index, element))
    ]


@pytest.fixture(scope="module")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Compiler:
    return Compiler(ObjectCache(tmp_path_factory.mktemp("cache")))


@given(seed=st.integers(0, 10**6), size=st.integers(0, 60))
@hypothesis_settings(max_examples=40)
def test_random_graphs_run_as_the_reference_says(compiler: Compiler, seed: int, size: int):
    graph = random_graph(seed, size)
    clocks = [Clock(FIRST_CLOCK, 10, 5, 10), Clock(FIRST_CLOCK + 2, 14, 7, 14)]
    compare(graph, seed, CpuProgram(graph, compiler, tier="quick"), clocks, range(40, 200, 40))


@given(seed=st.integers(0, 10**6), size=st.integers(0, 60), piece=st.sampled_from([1, 7, 700]))
@hypothesis_settings(max_examples=40)
def test_the_first_tier_runs_as_the_reference_says(compiler: Compiler, seed: int, size: int, piece: int):
    graph = random_graph(seed, size)
    clocks = [Clock(FIRST_CLOCK, 10, 5, 10), Clock(FIRST_CLOCK + 2, 14, 7, 14)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weft.engines.cpu.emit_plain_step.PIECE_NODES", piece)
        patch.setattr("weft.engines.cpu.emit_plain_step.PIECE_SINKS", piece)
        patch.setattr("weft.engines.cpu.program._BUSY_SECONDS", 1e9)
        program = CpuProgram(graph, compiler)
        compare(graph, seed, program, clocks, range(40, 200, 40))
    assert [unit.tier for unit in program.units()[:2]] == [START, None]


@given(seed=st.integers(0, 10**6), size=st.integers(0, 60))
@hypothesis_settings(max_examples=20)
def test_phases_compiled_for_steady_inputs_hand_over_when_they_move(compiler: Compiler, seed: int, size: int):
    graph = random_graph(seed, size)
    inputs = [i for i, state in enumerate(graph.states) if state.kind == "input" and i > FIRST_CLOCK + 2]
    narrow = [i for i in inputs if graph.states[i].width <= 64]
    # Pokes between runs draw other values for most of them, so both ways are taken.
    steady = {i: Random(seed + i).getrandbits(graph.states[i].width) for i in narrow[:2]}
    clocks = [Clock(FIRST_CLOCK, 10, 5, 10), Clock(FIRST_CLOCK + 2, 14, 7, 14)]
    program = CpuProgram(graph, compiler, tier="quick", steady=steady)
    compare(graph, seed, program, clocks, range(40, 360, 40))


@given(seed=st.integers(0, 10**6), size=st.integers(0, 60))
@hypothesis_settings(max_examples=30)
def test_random_graphs_run_right_on_speculative_code(compiler: Compiler, seed: int, size: int):
    graph = random_graph(seed, size)
    clocks = [Clock(FIRST_CLOCK, 10, 5, 10), Clock(FIRST_CLOCK + 2, 14, 7, 14)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weft.engines.cpu.speculation.FIRST_LOOK", 2)
        patch.setattr("weft.engines.cpu.speculation.LONGEST", 2)
        patch.setattr("weft.engines.cpu.emit_speculation.GUARD_SHARE", 0)
        patch.setattr("weft.engines.cpu.tabulate_logic.LEAST_GAIN", -20)
        patch.setattr("weft.engines.cpu.tabulate_logic.MOST_BITS", 7)
        patch.setattr("weft.engines.cpu.choose_pivot.LEAST_GAIN", -10)
        compare(graph, seed, CpuProgram(graph, compiler, tier="quick"), clocks, range(80, 480, 80))


@given(seed=st.integers(0, 10**6), size=st.integers(0, 150))
@hypothesis_settings(max_examples=15)
def test_random_graphs_with_many_branches_cut_into_many_functions(compiler: Compiler, seed: int, size: int):
    graph = random_graph(seed, size)
    clocks = [Clock(FIRST_CLOCK, 10, 5, 10), Clock(FIRST_CLOCK + 2, 14, 7, 14)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weft.engines.cpu.emit_regions.PIECE_LINES", 40)
        patch.setattr("weft.engines.cpu.emit_step.FLAT_NODES", 30)
        patch.setattr("weft.engines.cpu.sink_regions.BRANCH_COST", 1)
        patch.setattr("weft.engines.cpu.sink_regions.SINK_COST", 2)
        program = CpuProgram(graph, compiler, tier="quick")
        compare(graph, seed, program, clocks, range(40, 120, 40))
