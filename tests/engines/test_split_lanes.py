"""Long lane programs: split into functions that steps share, they do what they did, and grow as their logic does."""

import pytest
from bench.netlists import sequential

import weft
from lane_batches import Lanes
from random_graphs import random_graph
from weft import Unsupported
from weft.engines.cpu import split_lanes
from weft.engines.cpu.lane_engine import CpuDevice, CpuLanes
from weft.engines.cpu.lane_modules import module_texts
from weft.engines.cpu.split_lanes import split_steps
from weft.engines.lanes.shape import Shape
from weft.ir.lane_program import LaneAction, LaneBranch, LaneProgram, LaneStep
from weft.ir.step_graph import READ
from weft.passes.build_lane_program import build_lane_program
from weft.passes.simplify_nodes import simplify_two_state


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.mark.parametrize("seed", range(8))
def test_random_graphs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut into functions of a few nodes, a program does what the reference engine does."""
    monkeypatch.setattr(split_lanes, "WORTH_SPLITTING", 0)
    monkeypatch.setattr(split_lanes, "FUNCTION_NODES", 3 + 4 * (seed % 3))
    graph = random_graph(seed, 30, simplify=simplify_two_state if seed % 2 else None)
    shape = Shape(8, 8, 32) if seed % 4 == 1 else Shape(32, 16, 8)
    try:
        lanes = Lanes(graph, CpuDevice(shape, threads=1), 20, seed, paged=seed % 3 == 0)
    except Unsupported:
        pytest.skip("the graph has an operation that is too wide")
    lanes.settle()
    assert lanes.differences() == []
    lanes.run(100)
    assert lanes.differences() == []


def campaign_program(gates: int) -> LaneProgram:
    """Return the lane program of a fault campaign on a random netlist."""
    sim = weft.compile(texts={"top.v": sequential(gates, gates // 30, 4, 6)}, top="top", cache=False)
    campaign = sim.faults(16, random={"i": 1}, device="cpu")
    made = campaign.design
    return build_lane_program(made.faulty.graph, [each.clock for each in made.clocks], count_messages=True)


def named_steps(program: LaneProgram) -> dict[str, LaneStep]:
    return {"general": program.general, "rise": program.events[0].step, "fall": program.events[1].step}


def test_steps_share_their_logic(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of a campaign is little longer than its longest step, and is in functions of bounded length."""
    lengths: list[int] = []
    monkeypatch.setattr(split_lanes, "WORTH_SPLITTING", 0)
    for gates in (200, 800):
        program = campaign_program(gates)
        split = split_steps(program, named_steps(program))
        assert split is not None
        assert all(len(each.step.nodes) < 2 * split_lanes.FUNCTION_NODES for each in split.functions)
        lengths.append(sum(len(each.step.nodes) for each in split.functions))
        assert lengths[-1] < 1.5 * len(program.general.nodes)
        for calls in split.calls.values():
            assert len(calls) == len(set(calls))
    assert lengths[1] < 4.4 * lengths[0]


def test_temporaries_are_written_before_they_are_read() -> None:
    program = campaign_program(300)
    split = split_steps(program, named_steps(program))
    assert split is not None
    first = len(program.words)
    steps = {each.name: each.step for each in split.functions}
    for calls in split.calls.values():
        written: set[int] = set()
        for step in (steps[name] for name in calls):
            for item in step.sequence:
                if isinstance(item, LaneAction):
                    written.update([item.target] if item.kind == "store" else [])
                elif not isinstance(item, LaneBranch) and step.op[item] == READ and step.param[item] >= first:
                    assert step.param[item] in written
    # Places are used again: there are fewer than values that cross.
    stores = sum(a.kind == "store" and a.target >= first for s in steps.values() for a in s.actions)
    assert 0 < len(split.program.words) - first < stores


def test_modules_are_kept_one_by_one() -> None:
    """A second kernel finds all the modules of a split program, and writes none."""
    program = campaign_program(300)
    program.key = "a program that is split"
    device = CpuDevice(Shape(32, 16, 8), threads=1)
    assert len(module_texts(program, device.shape)) > 1
    for built in range(2):
        stages: list[str] = []
        kernel = CpuLanes(program, device.shape, 1)
        kernel.begin(stages.append)
        kernel.compile()
        assert bool(stages) == (built == 0)


def test_short_programs_are_one_module() -> None:
    program = campaign_program(30)
    assert len(module_texts(program, Shape(8, 8, 32))) == 1
