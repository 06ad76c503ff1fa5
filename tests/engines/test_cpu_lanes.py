"""The SIMD engine against the reference engine: random graphs, each lane from a state of its own."""

import pytest

from lane_batches import Lanes
from random_graphs import random_graph
from weft import Unsupported
from weft.engines.cpu import lane_engine
from weft.engines.cpu.lane_engine import CpuDevice, host_shape
from weft.engines.lanes.shape import Shape
from weft.passes.simplify_nodes import simplify_two_state


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.mark.parametrize(
    ("seed", "shape"),
    [
        *((seed, None) for seed in range(6)),
        (6, Shape(8, 8, 32)),
        (1, Shape(32, 16)),  # a memory of bits, whose masks are made in the block of a write
        (8, Shape(32, 16)),
        (9, Shape(16, 4, 32)),
        (10, Shape(64, 8)),
    ],
    ids=str,
)
def test_random_graphs(seed, shape):
    graph = random_graph(seed, 30, simplify=simplify_two_state if seed % 2 else None)
    try:
        lanes = Lanes(graph, CpuDevice(shape, threads=1 + seed % 2), 20, seed, paged=seed % 3 == 0)
    except Unsupported:
        pytest.skip("the graph has an operation that is too wide")
    lanes.settle()
    assert lanes.differences() == []
    lanes.run(100)
    assert lanes.differences() == []


def test_a_tile_divides_the_padding():
    assert 64 % host_shape().lanes == 0


@pytest.mark.parametrize("seed", [3, 4])
def test_long_code(seed, monkeypatch):
    monkeypatch.setattr(lane_engine, "_LONG_TEXT", 0)
    lanes = Lanes(random_graph(seed, 40), CpuDevice(Shape(32, 16, 8), threads=1), 40, seed)
    lanes.settle()
    lanes.run(100)
    assert lanes.differences() == []
