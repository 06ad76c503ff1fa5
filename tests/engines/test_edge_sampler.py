"""Samples of a region's state: taken by compiled code, spread evenly, kept for later runs."""

from __future__ import annotations

import ctypes
import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from weft.engines.cpu import edge_table as words
from weft.engines.cpu.context import EDGE_HABITS
from weft.engines.cpu.edge_sampler import FARTHEST, NEAREST, EdgeSampler
from weft.engines.cpu.emit_situations import sampling_step
from weft.engines.cpu.jit import START, Compiler, Library
from weft.engines.cpu.object_cache import ObjectCache
from weft.engines.cpu.unit_text import SIGNATURE, module_text
from weft.ir.cone_graph import State
from weft.ir.layout import StateLayout, place_state

COUNTER = 0
COUNTING = f"""define i1 @counting{SIGNATURE} {{
  %old = load i64, ptr %s
  %new = add i64 %old, 1
  store i64 %new, ptr %s
  ret i1 true
}}
"""


@pytest.fixture(autouse=True)
def small_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weft.engines.cpu.edge_sampler.RING_ROWS", 64)


def layout() -> StateLayout:
    return place_state([State("counter", 64, 0, "register", 0), State("rest", 300, 0, "register", 0)])


def row_of(samples: NDArray[np.uint8]) -> list[int]:
    """Return the counter's values in some samples."""
    slot = layout().slots[COUNTER]
    return [int.from_bytes(sample[slot.offset : slot.offset + 8].tobytes(), "little") for sample in samples]


class Edges:
    """Step a state that counts, through the code that takes samples."""

    def __init__(self, number: int = 1) -> None:
        texts = [module_text([sampling_step(layout(), number)], []), COUNTING]
        compiler = Compiler()
        self._library = Library([compiler.object(text, START) for text in texts], ["region_sample", "counting"])
        address = self._library.addresses
        self._call = ctypes.CFUNCTYPE(ctypes.c_bool, *(3 * [ctypes.c_void_p]))(address["region_sample"])
        self.table = words.edge_table(number + 1)
        self.row = self.table[number]
        self.row[words.BEST] = address["counting"]
        self._context = np.zeros(64, np.uint64)
        self._context[EDGE_HABITS] = self.table.ctypes.data
        self.state = np.zeros(layout().size + 64, np.uint8)

    def step(self, count: int, sampler: EdgeSampler) -> None:
        """Step so many times; take samples away as a thread would, but at once."""
        for _ in range(count):
            assert self._call(self.state.ctypes.data, 0, self._context.ctypes.data)
            sampler.drain()


def sampler_of(edges: Edges, folder: Path, key: str = "") -> EdgeSampler:
    return EdgeSampler(layout().memory_offset, edges.row, ObjectCache(folder), key)


def test_samples_are_spread_evenly_over_a_run(tmp_path: Path) -> None:
    edges = Edges()
    sampler = sampler_of(edges, tmp_path)
    sampler.begin()
    edges.step(20_000, sampler)
    sampler.finish()
    seen = row_of(sampler.samples())
    assert 64 <= len(seen) <= 128 and seen == sorted(seen)
    quarters = np.histogram(seen, 4, (0, 20_000))[0]
    assert quarters.min() > 0.5 * quarters.max()
    assert FARTHEST < edges.row[words.SHIFT] < NEAREST
    assert 10_000 < sampler.edges < 40_000
    assert len({b - a for a, b in itertools.pairwise(seen)}) > 20  # distances are drawn


def test_a_full_ring_takes_no_more(tmp_path: Path) -> None:
    edges = Edges()
    sampler = sampler_of(edges, tmp_path)
    sampler.begin()
    edges.row[words.ROOM] = 10
    edges.step(5_000, sampler)
    assert edges.row[words.TAKEN] == 10
    sampler.finish()
    assert len(sampler.samples()) == 10 and max(row_of(sampler.samples())) < 500


def test_samples_of_short_runs_add_up(tmp_path: Path) -> None:
    for run in range(3):
        edges = Edges()
        sampler = sampler_of(edges, tmp_path, "key")
        sampler.begin()
        assert len(sampler.samples()) == 5 * run
        while edges.row[words.TAKEN] < 5:
            edges.step(1, sampler)
        sampler.finish()
        sampler.keep()


def test_damaged_samples_are_not_used(tmp_path: Path) -> None:
    edges = Edges()
    ObjectCache(tmp_path).store("key", b"no samples")
    sampler = sampler_of(edges, tmp_path, "key")
    sampler.begin()
    assert not len(sampler.samples())
