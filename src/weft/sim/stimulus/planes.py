"""The memory of a drive plan: the planes of `passes.drive_inputs` on a batch's device, and blocks on their way there.

A block is an array `[cycle, lane]` for each input. On the device a plane is interleaved as every memory is
(`ir.lane_layout`), so a block is brought into that order here, in memory from which the device copies (*staging*).

There are two *sides*: each has planes on the device and staging. Block n + 1 is staged and sent to one side, by another
thread than the one that runs blocks, while the device runs block n from the other side. It follows block n - 1 on its
side, which the device has left behind when somebody asks for block n + 1. Where the device has room for one side only,
blocks are staged ahead and sent when the device is at rest.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, replace
from weft.base.errors import UserError
from weft.base.workers import Workers
from weft.ir.lane_engine import Bytes, LaneDevice
from weft.ir.lane_layout import LaneLayout, place_lanes
from weft.ir.lane_program import LaneProgram
from weft.ir.layout import container_bytes
from weft.passes.drive_inputs import AT, CYCLE, LANE
from weft.sim.stimulus.plan import Port

Block = Mapping[Port, NDArray[Any]]
"""Values of inputs: `[cycle, lane]`, or `[cycle, lane, word]` for more than 64 bits; one lane stands for all."""

_HELPERS = min(8, (os.cpu_count() or 1) // 2)
"""Threads that stage large blocks; one core does not keep up with a GPU."""

_LARGE_BYTES = 1 << 20
"""A block of less is staged by the thread that has it."""

_helpers = Workers("weft-stage", max(1, _HELPERS))


@dataclass(frozen=True, slots=True)
class Sent:
    """Be a block on its way: the number of its side, how many cycles it has, and whether it was sent already."""

    number: int
    cycles: int
    ahead: bool


@dataclass(frozen=True, slots=True)
class _Side:
    """Be a place for blocks: planes on the device, the layout of runs with them, and staging for each block's plane."""

    data: Any
    layout: LaneLayout
    rooms: tuple[Bytes, ...]


class DrivePlanes:
    """Hold the planes of the last memories of a program, for the lanes of a batch."""

    def __init__(self, program: LaneProgram, first: int, device: LaneDevice, layout: LaneLayout, data: Any) -> None:
        self.stride, self.lanes, self._tile = layout.stride, layout.lanes, layout.tile
        self._memories = program.memories[first:]
        self._blocks = self._memories[AT + 1 :]
        planes = replace(program, words=[], memories=self._memories)
        place = place_lanes(planes, self.lanes, self._tile)
        self._places = place.memories
        self._current = self._next = 0

        def side() -> _Side:
            mine = device.allocate(place.size, self.lanes, place.size // self.stride, place, planes)
            rooms = tuple(mine.staging(container_bytes(each.width) * each.depth * self.stride) for each in self._blocks)
            return _Side(mine, data.join(layout, mine, place), rooms)

        self._sides = [side()]
        if self._blocks:
            try:
                self._sides.append(side())
            except UserError as error:
                if error.code != "no-memory":
                    raise
        self._rooms = [each.rooms for each in self._sides]
        if self._blocks and len(self._sides) == 1:
            self._rooms.append(tuple(np.empty(len(room), np.uint8) for room in self._rooms[0]))
        for each in self._sides:
            self._set_row(each, LANE, np.arange(self.lanes))

    @property
    def layout(self) -> LaneLayout:
        """Return the layout of a run with the block that was taken last."""
        return self._sides[self._current].layout

    def set_row(self, plane: int, values: NDArray[Any]) -> None:
        """Set a plane of one row: `LANE`, `CYCLE` or `AT`."""
        self._set_row(self._sides[self._current], plane, values)

    def _set_row(self, side: _Side, plane: int, values: NDArray[Any]) -> None:
        item = container_bytes(self._memories[plane].width)
        row = np.zeros(self.stride, f"u{item}")
        row[: self.lanes] = values
        side.data.write(self._places[plane], row.view(np.uint8))

    def row(self, plane: int) -> NDArray[Any]:
        """Return a plane of one row."""
        item = container_bytes(self._memories[plane].width)
        data = self._sides[self._current].data
        return np.array(data.read(self._places[plane], item * self.lanes).view(f"u{item}"))

    def begin(self, cycles: NDArray[np.uint64]) -> None:
        """Begin a run: set the cycle at which each lane is and the first row of the block, which must be there."""
        self.set_row(CYCLE, cycles)
        self.set_row(AT, np.zeros(self.lanes, np.uint32))
        self._sides[self._current].data.receive()

    def send(self, block: Block, ports: Sequence[Port], cycles: int) -> Sent:
        """Stage some cycles of a block and send them, in any thread, while the device runs the block before."""
        number = self._next
        self._next = 1 - number
        self._sides[number % len(self._sides)].data.sent()
        rooms = iter(self._rooms[number])
        for port in ports:
            values, count = block[port], -(-port.width // 64)
            for word in range(count):
                item = container_bytes(min(64, port.width - 64 * word))
                part = values[..., word] if count > 1 else values
                size = self.stride * cycles * item
                target = next(rooms)[:size].view(f"u{item}").reshape(self.stride // self._tile, cycles, self._tile)
                _interleave(part[:cycles], target, self.lanes)
        ahead = len(self._sides) > 1
        if ahead:
            self._send(number, cycles)
        return Sent(number, cycles, ahead)

    def take(self, sent: Sent) -> None:
        """Let the next run have a block."""
        if not sent.ahead:
            self._send(sent.number, sent.cycles)
        self._current = sent.number % len(self._sides)

    def _send(self, number: int, cycles: int) -> None:
        data = self._sides[number % len(self._sides)].data
        for place, memory, room in zip(self._places[AT + 1 :], self._blocks, self._rooms[number], strict=True):
            width = container_bytes(memory.width) * cycles * self._tile
            rows = room[: width * (self.stride // self._tile)].reshape(-1, width)
            data.send_rows(place, container_bytes(memory.width) * memory.depth * self._tile, rows)


def _interleave(values: NDArray[Any], target: NDArray[Any], lanes: int) -> None:
    """Write `[cycle, lane]` as `[tile, cycle, lane in tile]`, large blocks in several threads."""
    if values.shape[1] == 1:
        target[:] = values.reshape(1, -1, 1)
        return
    cycles, tile = target.shape[1:]
    whole = lanes // tile
    if whole * tile < lanes:
        target[whole, :, : lanes - whole * tile] = values[:, whole * tile :]

    def fill(first: int, last: int) -> None:
        part = values[:, first * tile : last * tile].reshape(cycles, last - first, tile)
        target[first:last] = part.transpose(1, 0, 2)

    if _HELPERS < 2 or target.nbytes < _LARGE_BYTES:
        fill(0, whole)
        return
    cuts = [whole * number // _HELPERS for number in range(_HELPERS + 1)]
    jobs = [_helpers.submit(partial(fill, first, last)) for first, last in pairwise(cuts)]
    for job in jobs:
        job.result()
