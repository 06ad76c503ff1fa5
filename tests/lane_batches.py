"""Run a cone graph in lanes, each from a random state of its own, and alone, for tests of lane engines."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np

from random_graphs import FIRST_CLOCK, random_state
from weft.engines.reference.program import ReferenceProgram
from weft.ir.cone_graph import ConeGraph
from weft.ir.lane_engine import LaneControl, LaneDevice
from weft.ir.lane_layout import LaneLayout, place_lanes
from weft.ir.lane_program import LaneProgram
from weft.ir.layout import StateLayout, container_bytes
from weft.ir.program import Clock
from weft.passes.build_lane_program import build_lane_program
from weft.sim.lane_pages import LanePages
from weft.sim.lane_slots import slot_clock

CLOCKS = (Clock(FIRST_CLOCK, 10, 5, 10), Clock(FIRST_CLOCK + 2, 30, 15, 30))
"""Two clocks, some of whose edges coincide."""


class Lanes:
    """Be lanes of a graph with random states, and those states; `paged` memories are shared until written."""

    def __init__(
        self, graph: ConeGraph, device: LaneDevice, lanes: int, seed: int, clocks=CLOCKS, paged: bool = False
    ) -> None:
        random = Random(seed)
        self.graph, self.lanes, self.clocks = graph, lanes, clocks
        shared = [number for number, state in enumerate(graph.states) if state.depth and paged]
        self.program: LaneProgram = build_lane_program(graph, clocks, count_messages=True, paged=shared)
        self.layout: LaneLayout = place_lanes(self.program, lanes, device.tile, 64 * lanes)
        self.data: Any = device.allocate(self.layout.size, layout=self.layout, program=self.program)
        self.kernel = device.kernel(self.program)
        self.control = LaneControl(self.layout.stride, len(self.program.messages))
        self.reference = ReferenceProgram(graph)
        self.states = []
        values = [random_state(graph, random) for _ in range(lanes)]
        for memory in self.program.memories:
            for each in values[1:]:
                if memory.shared:
                    each[memory.state] = values[0][memory.state]
        for each in values:
            array = self.reference.layout.allocate()
            for number, elements in each.items():
                for index, value in enumerate(elements):
                    self.reference.layout.write(array, number, value, index)
            for clock in CLOCKS:
                self.reference.layout.write(array, clock.state, 0)
            self.states.append(array)
        fill(self.program, self.layout, self.data, self.reference.layout, self.states)

    def differences(self) -> list[str]:
        """Return where lanes and states differ."""
        return compare(self.program, self.layout, self.data, self.reference.layout, self.states)

    def settle(self) -> None:
        """Settle all."""
        for state in self.states:
            self.reference.settle(state)
        self.kernel.settle(self.layout, self.data, self.control)

    def run(self, until_fs: int) -> None:
        """Run all from time 0 to a time that is no longer than one run."""
        for state in self.states:
            self.reference.run(state, self.clocks, until_fs)
        clock, now = slot_clock(self.program), np.zeros(self.lanes, np.uint64)
        self.control.first[: self.lanes] = clock.first(now)
        self.control.last[: self.lanes] = clock.last(now, np.full(self.lanes, until_fs, np.uint64))
        self.kernel.run(self.layout, self.data, self.control)


def words_of(value: int, count: int) -> list[int]:
    """Return the 64-bit words of a value."""
    return [value >> 64 * word & (1 << 64) - 1 for word in range(count)]


def fill(program: LaneProgram, layout: LaneLayout, data: Any, single: StateLayout, states: list[Any]) -> None:
    """Give each lane a state."""
    if layout.pool is not None:
        LanePages(program, layout, data).reset()
    for number, word in enumerate(program.words):
        item = container_bytes(word.width)
        values = [single.read(state, word.state) >> 64 * word.word & (1 << word.width) - 1 for state in states]
        row = np.zeros(layout.stride, f"u{item}")
        row[: len(states)] = np.array(values, np.uint64)
        data.write(layout.rows[number], row.view(np.uint8))
    for plane, memory in enumerate(program.memories):
        item = container_bytes(memory.width)
        each = [
            [single.read(s, memory.state, i) >> 64 * memory.word & (1 << memory.width) - 1 for i in range(memory.depth)]
            for s in states
        ]
        values = np.array(each, np.uint64).astype(f"u{item}")
        if memory.shared:
            data.write(layout.memories[plane], np.ascontiguousarray(values[0]).view(np.uint8))
            continue
        if memory.paged:
            LanePages(program, layout, data).start(plane, values[0])
            continue
        full = np.zeros((layout.stride, memory.depth), f"u{item}")
        full[: len(states)] = values
        tiled = full.reshape(-1, layout.tile, memory.depth).transpose(0, 2, 1)
        data.write(layout.memories[plane], np.ascontiguousarray(tiled).reshape(-1).view(np.uint8))
    for plane, memory in enumerate(program.memories):
        if memory.paged:  # what differs from the first lane's is written
            pages, every = LanePages(program, layout, data), np.arange(len(states))
            mask = (1 << memory.width) - 1
            each = [
                [single.read(s, memory.state, i) >> 64 * memory.word & mask for i in range(memory.depth)]
                for s in states
            ]
            pages.write(plane, every, np.arange(memory.depth), np.array(each, np.uint64))


def compare(program: LaneProgram, layout: LaneLayout, data: Any, single: StateLayout, states: list[Any]) -> list[str]:
    """Return the names of states in which lanes differ; the time is not compared."""
    found: list[str] = []
    for number, word in enumerate(program.words):
        if program.states[word.state].kind == "time":
            continue
        item = container_bytes(word.width)
        row = data.read(layout.rows[number], item * layout.stride).view(f"u{item}")
        for lane, state in enumerate(states):
            want = single.read(state, word.state) >> 64 * word.word & (1 << word.width) - 1
            if int(row[lane]) != want:
                found.append(f"{program.states[word.state].name}.{word.word} lane {lane}: {int(row[lane]):x} {want:x}")
    for plane, memory in enumerate(program.memories):
        item = container_bytes(memory.width)
        if memory.paged:
            block = LanePages(program, layout, data).read(plane, np.arange(len(states)), np.arange(memory.depth))
        else:
            count = item * memory.depth * (1 if memory.shared else layout.stride)
            block = data.read(layout.memories[plane], count).view(f"u{item}")
        if memory.private:
            block = block.reshape(-1, memory.depth, layout.tile).transpose(0, 2, 1).reshape(-1, memory.depth)
        for lane, state in enumerate(states):
            got = block if memory.shared else block[lane]
            for index in range(memory.depth):
                want = single.read(state, memory.state, index) >> 64 * memory.word & (1 << memory.width) - 1
                if int(got[index]) != want:
                    found.append(f"{program.states[memory.state].name}[{index}] lane {lane}")
    return found
