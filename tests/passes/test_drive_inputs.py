"""Drive events on random graphs: each lane equals the reference engine, poked at the beginning of every cycle."""

from random import Random

import numpy as np
import pytest

from lane_batches import CLOCKS, Lanes
from random_graphs import FIRST_CLOCK, random_graph
from weft import Unsupported
from weft.base.dataclass import replace
from weft.engines.cpu.lane_engine import CpuDevice
from weft.ir.lane_engine import LaneControl
from weft.ir.print_lane_program import print_lane_program
from weft.passes.build_lane_program import build_lane_program
from weft.passes.drive_inputs import DriveBuilder
from weft.passes.simplify_nodes import simplify_two_state
from weft.sim.lane_slots import slot_clock
from weft.sim.stimulus.planes import DrivePlanes

CYCLES, LANES = 9, 20


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


class Input:
    """Stand for a port: planes only ask for its width."""

    def __init__(self, width: int) -> None:
        self.width = width


@pytest.mark.parametrize("seed", range(8))
def test_random_graphs(seed):
    graph = random_graph(seed, 40, simplify=simplify_two_state if seed % 2 else None)
    clocks = CLOCKS if seed % 3 else CLOCKS[:1]
    try:
        lanes = Lanes(graph, CpuDevice(threads=1), LANES, seed, clocks)
    except Unsupported:
        pytest.skip("the graph has an operation that is too wide")
    driven = [
        n for n, state in enumerate(graph.states) if state.kind == "input" and n not in (FIRST_CLOCK, FIRST_CLOCK + 2)
    ]
    plan = DriveBuilder(graph, clocks[0].period_fs, tuple(driven), 16).plan()
    program = build_lane_program(graph, clocks, count_messages=True, drive=plan)
    assert "drive" in print_lane_program(program)
    planes = DrivePlanes(program, len(lanes.program.memories), CpuDevice(), lanes.layout, lanes.data)
    random = Random(seed)
    values = [
        [[random.getrandbits(graph.states[n].width) for n in driven] for _ in range(LANES)] for _ in range(CYCLES)
    ]
    ports = [Input(graph.states[n].width) for n in driven]
    block = {
        port: np.array(
            [
                [[row[i] >> 64 * w & 2**64 - 1 for w in range(-(-port.width // 64))] for row in cycle]
                for cycle in values
            ],
            np.uint64,
        )
        for i, port in enumerate(ports)
    }
    block = {port: array if port.width > 64 else array[..., 0] for port, array in block.items()}
    planes.take(planes.send(block, ports, CYCLES))
    planes.begin(np.zeros(LANES, np.uint64))
    lanes.settle()
    assert lanes.differences() == []
    period = clocks[0].period_fs
    for lane, state in enumerate(lanes.states):
        for cycle in range(CYCLES):
            for number, value in zip(driven, values[cycle][lane], strict=True):
                lanes.reference.layout.write(state, number, value)
            lanes.reference.settle(state)
            lanes.reference.run(state, clocks, (cycle + 1) * period)
    now, end = np.zeros(LANES, np.uint64), np.full(LANES, CYCLES * period, np.uint64)
    control, clock = LaneControl(lanes.layout.stride, len(program.messages)), slot_clock(program)
    control.first[:LANES], control.last[:LANES] = clock.first(now), clock.last(now, end)
    CpuDevice(threads=1).kernel(program).run(planes.layout, lanes.data, control)
    stopped = np.nonzero(control.status[:LANES])[0]
    found = [text for text in lanes.differences() if not any(f"lane {lane}" in text for lane in stopped)]
    assert found == [] and len(stopped) < LANES


def test_slots_begin_with_the_drive():
    graph = random_graph(1, 10)
    plan = DriveBuilder(graph, 10, ()).plan()
    clock = slot_clock(build_lane_program(graph, CLOCKS, count_messages=True, drive=plan))
    assert clock.drive_fs == 10 and clock.offsets.tolist() == [0, 5, 10, 10, 15, 20, 20, 25, 30]
    now = np.array([0, 5, 10, 12, 20, 30], np.uint64)
    assert clock.first(now).tolist() == [0, 2, 3, 4, 6, 0]
    assert clock.last(now, now + np.uint64(10)).tolist() == [3, 5, 6, 7, 9, 3]
    assert clock.times(now[:3], np.array([1, 3, 4], np.uint64)).tolist() == [0, 10, 10]
    assert replace(clock, drive_fs=0).first(now[:1]).tolist() == [1]
