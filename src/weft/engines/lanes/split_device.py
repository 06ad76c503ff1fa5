"""Run one batch on several devices of a host: each has a range of the lanes, with a kernel and a thread of its own.

To the batch it is one device with one array of bytes. That array is virtual: a row of words, or a memory that lanes do
not share, is cut where the ranges of lanes meet (always between whole tiles, `ir.lane_layout.PADDING`), and each part
lies on its device as that device's own layout says; a shared memory is on all of them, and each device has a pool of
pages of its own (`ir.lane_pages`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, replace
from weft.base.errors import InternalError, UserError
from weft.base.workers import Job, Workers
from weft.ir.lane_engine import Bytes, LaneControl, LaneDevice, LaneKernel
from weft.ir.lane_layout import PADDING, LaneLayout, place_lanes
from weft.ir.lane_pages import page_count
from weft.ir.lane_program import LaneProgram, LaneStep
from weft.ir.lane_times import DeviceLimits, DeviceTimes, add_times
from weft.ir.layout import container_bytes

_workers = Workers("weft-devices", 32)


def cut_lanes(lanes: int, devices: int) -> list[int]:
    """Return where the ranges of lanes begin, and where the last ends: none is empty, so there may be fewer."""
    units = -(-lanes // PADDING)
    devices = min(devices, units)
    return [*(units * number // devices * PADDING for number in range(devices)), lanes]


@dataclass(frozen=True, slots=True)
class _Region:
    """Be a row or a memory: where it begins, in all and in each part, its bytes, those for each lane (0: shared)."""

    begin: int
    size: int
    parts: tuple[int, ...]
    per_lane: int


class SplitBytes:
    """Implement `ir.lane_engine.LaneBytes` over several devices."""

    def __init__(self, parts: Sequence[Any], layouts: Sequence[LaneLayout], regions: list[_Region]) -> None:
        self.parts, self.layouts = list(parts), list(layouts)
        self._regions, self._begins = regions, [region.begin for region in regions]
        self._cuts = np.cumsum([0, *(layout.stride for layout in layouts)]).tolist()

    def _pieces(self, offset: int, count: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield (part, offset there, first byte, end) of bytes that lie in one region that is not shared."""
        region = self._region(offset)
        first = offset - region.begin
        for part, (low, high) in enumerate(pairwise(self._cuts)):
            begin, end = max(first, low * region.per_lane), min(first + count, high * region.per_lane)
            if begin < end:
                yield part, region.parts[part] + begin - low * region.per_lane, begin - first, end - first

    def _region(self, offset: int) -> _Region:
        return self._regions[bisect_right(self._begins, offset) - 1]

    def _spans(self, offset: int, count: int) -> Iterator[tuple[_Region, int, int]]:
        """Yield (region, place, end) of all regions that some bytes reach; what lies between regions is nobody's."""
        for region in self._regions[bisect_right(self._begins, offset) - 1 :]:
            if region.begin >= offset + count:
                return
            begin, end = max(offset, region.begin), min(offset + count, region.begin + region.size)
            if begin < end:
                yield region, begin, end

    def read(self, offset: int, count: int) -> Bytes:
        """Return a copy of some bytes."""
        data = np.zeros(count, np.uint8)
        for region, at, end in self._spans(offset, count):
            mine = data[at - offset : end - offset]
            if not region.per_lane:
                mine[:] = self.parts[0].read(region.parts[0] + at - region.begin, end - at)
                continue
            for part, place, low, high in self._pieces(at, end - at):
                mine[low:high] = self.parts[part].read(place, high - low)
        return data

    def write(self, offset: int, data: Bytes) -> None:
        """Set some bytes; those of a shared memory everywhere."""
        for region, at, end in self._spans(offset, len(data)):
            mine = data[at - offset : end - offset]
            if not region.per_lane:
                for part, begin in zip(self.parts, region.parts, strict=True):
                    part.write(begin + at - region.begin, mine)
                continue
            for part, place, low, high in self._pieces(at, end - at):
                self.parts[part].write(place, mine[low:high])

    def _rows(self, offset: int, pitch: int, rows: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield (part, offset there, first row, end)."""
        region = self._region(offset)
        first = offset - region.begin
        for part, (low, high) in enumerate(pairwise(self._cuts)):
            begin = max(0, -(-(low * region.per_lane - first) // pitch))
            end = min(rows, -(-(high * region.per_lane - first) // pitch))
            if begin < end:
                yield part, region.parts[part] + first + begin * pitch - low * region.per_lane, begin, end

    def read_rows(self, offset: int, pitch: int, width: int, rows: int) -> Bytes:
        """Return `rows` rows of `width` bytes that begin `pitch` bytes apart."""
        data = np.empty((rows, width), np.uint8)
        for part, place, begin, end in self._rows(offset, pitch, rows):
            data[begin:end] = self.parts[part].read_rows(place, pitch, width, end - begin)
        return data

    def write_rows(self, offset: int, pitch: int, data: Bytes) -> None:
        """Set rows that begin `pitch` bytes apart."""
        for part, place, begin, end in self._rows(offset, pitch, len(data)):
            self.parts[part].write_rows(place, pitch, data[begin:end])

    def staging(self, size: int) -> Bytes:
        """Return memory for rows that are sent, which all devices can copy."""
        return self.parts[0].staging(size)

    def send_rows(self, offset: int, pitch: int, data: Bytes) -> None:
        """Begin to set rows, each on its device."""
        for part, place, begin, end in self._rows(offset, pitch, len(data)):
            self.parts[part].send_rows(place, pitch, data[begin:end])

    def sent(self) -> None:
        """Wait until all rows that were sent are there."""
        for part in self.parts:
            part.sent()

    def receive(self) -> None:
        """Let what the devices do from now on come after all rows that were sent."""
        for part in self.parts:
            part.receive()

    def move(self, offset: int, other: SplitBytes, place: int, size: int) -> None:
        """Set bytes of a row to those at a place in other bytes, on each device."""
        pieces = zip(self._pieces(offset, size), other._pieces(place, size), strict=True)
        for (part, mine, begin, end), (_, its, _, _) in pieces:
            self.parts[part].move(mine, other.parts[part], its, end - begin)

    def repeat(self, offset: int, size: int, count: int) -> None:
        """Copy the first `size` bytes of a memory over all of it."""
        region = self._region(offset)
        if offset != region.begin or not region.per_lane or count * size != self._cuts[-1] * region.per_lane:
            raise InternalError("only a whole memory is filled with copies")
        data = np.array(self.read(offset, size))
        for part, place, (low, high) in zip(self.parts, region.parts, pairwise(self._cuts), strict=True):
            part.write(place, data)
            part.repeat(place, size, (high - low) * region.per_lane // size)

    def take(self, offset: int, size: int, foreign: Any) -> bool:
        """Take nothing: an array is on one device, the lanes are on several."""
        return False

    def array_at(self, offset: int, count: int, kind: str) -> Any:
        """Refuse: there is no one array."""
        raise UserError("bad-lanes", "the lanes are on several devices, so no one array holds a signal of all of them")

    def copy(self, sizes: Sequence[int] = ()) -> SplitBytes:
        """Return a copy, each part on its device, of the first bytes of each if there are sizes."""
        each = [(size,) for size in sizes] or [()] * len(self.parts)
        parts = [part.copy(size) for part, size in zip(self.parts, each, strict=True)]
        return SplitBytes(parts, self.layouts, self._regions)

    def parts_of(self, layout: LaneLayout) -> list[tuple[Any, LaneLayout]]:
        """Return the bytes of each device."""
        return list(zip(self.parts, self.layouts, strict=True))

    def read_pages(self, offset: int, pages: NDArray[Any]) -> Bytes:
        """Refuse: pages are those of one part."""
        raise InternalError("pages are on one device")

    def write_pages(self, offset: int, pages: NDArray[Any], data: Bytes) -> None:
        """Refuse: pages are those of one part."""
        raise InternalError("pages are on one device")

    def assign(self, other: SplitBytes) -> None:
        """Set all bytes that a copy has to those of the copy."""
        for part, source in zip(self.parts, other.parts, strict=True):
            part.assign(source)

    def join(self, layout: LaneLayout, other: SplitBytes, more: LaneLayout) -> LaneLayout:
        """Return a layout whose last memories are those of `more`, each part's in its part of other bytes."""
        parts = zip(self.parts, self.layouts, other.parts, other.layouts, strict=True)
        joined = tuple(mine.join(place, its, added) for mine, place, its, added in parts)
        return replace(layout, memories=(*layout.memories, *more.memories), parts=joined)

    def address(self) -> int:
        """Refuse: there is no one address."""
        raise InternalError("bytes on several devices have no address")


class SplitDevice:
    """Implement `ir.lane_engine.LaneDevice` on several of one kind."""

    def __init__(self, devices: Sequence[LaneDevice]) -> None:
        self.devices = list(devices)
        self.kind, self.tile = devices[0].kind, devices[0].tile
        names = dict.fromkeys(device.name for device in devices)
        self.name = " and ".join(f"{sum(each.name == name for each in devices)} x {name}" for name in names)

    def allocate(
        self,
        size: int,
        lanes: int = 0,
        per_lane: int = 0,
        layout: LaneLayout | None = None,
        program: LaneProgram | None = None,
    ) -> SplitBytes:
        """Return zeroed bytes for the lanes of a layout; raises `no-memory`."""
        if layout is None or program is None:
            raise InternalError("bytes on several devices need a layout")
        cuts, free = cut_lanes(layout.lanes, len(self.devices)), layout.pool.free if layout.pool else 0
        layouts = [
            place_lanes(program, end - begin, self.tile, free * (-(-end // PADDING) * PADDING - begin) // layout.stride)
            for begin, end in pairwise(cuts)
        ]
        regions: list[_Region] = []
        for number, place in enumerate(layout.rows):
            item = container_bytes(program.words[number].width)
            begins = tuple(part.rows[number] for part in layouts)
            regions.append(_Region(place, item * layout.stride, begins, item))
        for number, place in enumerate(layout.memories):
            memory = program.memories[number]
            each = 4 * page_count(memory) if memory.paged else container_bytes(memory.width) * memory.depth
            begins = tuple(part.memories[number] for part in layouts)
            size = each if memory.shared else each * layout.stride
            regions.append(_Region(place, size, begins, 0 if memory.shared else each))
        parts = [
            device.allocate(part.size, part.lanes, part.size // part.stride, part, program)
            for device, part in zip(self.devices, layouts, strict=False)
        ]
        return SplitBytes(parts, layouts, sorted(regions, key=lambda region: region.begin))

    def room(self) -> int:
        """Return how many bytes lanes can have that are shared out evenly."""
        return min(device.room() for device in self.devices) * len(self.devices)

    def resident_lanes(self) -> int:
        """Return 0: a command is for one device."""
        return 0

    def kernel(self, program: LaneProgram) -> SplitKernel:
        """Return a program for all devices."""
        return SplitKernel(program, [device.kernel(program) for device in self.devices])

    def time_kernels(self, on: bool) -> None:
        """Begin to time kernels on all devices, or end it."""
        for device in self.devices:
            device.time_kernels(on)

    def times(self) -> DeviceTimes:
        """Return what they took together: the seconds of the one that took longest."""
        return add_times([device.times() for device in self.devices])

    def limits(self) -> DeviceLimits:
        """Return what all devices could reach together."""
        found = [device.limits() for device in self.devices]
        return DeviceLimits(sum(each.copy_bytes_s for each in found), sum(each.integer_ops_s for each in found))


def _say_nothing(step: str) -> None:
    """Say nothing."""


class SplitKernel:
    """Implement `ir.lane_engine.LaneKernel`: a kernel for each device, run at the same time."""

    def __init__(self, program: LaneProgram, kernels: list[LaneKernel]) -> None:
        self.program, self.kernels = program, kernels

    def begin(self, tell: Callable[[str], None] = _say_nothing) -> None:
        """Begin to compile; devices of one model find what the first has made in the cache."""
        for kernel in self.kernels:
            kernel.begin(tell)

    @property
    def ready(self) -> bool:
        """Say whether all code is there."""
        return all(kernel.ready for kernel in self.kernels)

    def compile(self) -> None:
        """Compile now."""
        for kernel in self.kernels:
            kernel.compile()

    def report(self) -> list[str]:
        """Return what the code of a run takes on each kind of GPU."""
        return list(dict.fromkeys(line for kernel in self.kernels for line in kernel.report()))

    def begin_resident(self, look: LaneStep | None, layout: LaneLayout) -> None:
        """Do nothing: see `resident`."""

    @property
    def resident_ready(self) -> bool:
        """Say that there is nothing to wait for."""
        return True

    def resident(self, look: LaneStep | None, layout: LaneLayout, data: SplitBytes) -> None:
        """Return nothing: a command is for one device."""
        return

    def run(self, layout: LaneLayout, data: SplitBytes, control: LaneControl) -> None:
        """Take every lane from its first slot to its last, or to where it stops, on all devices at once."""
        self._call([kernel.run for kernel in self.kernels], layout, data, control)

    def settle(self, layout: LaneLayout, data: SplitBytes, control: LaneControl) -> None:
        """Settle every lane at its present time."""
        self._call([kernel.settle for kernel in self.kernels], layout, data, control)

    def look(self, look: LaneStep, layout: LaneLayout, data: SplitBytes, widths: Sequence[int]) -> list[NDArray[Any]]:
        """Compute a look's outputs for every lane: rows of `stride` containers."""
        jobs = [
            _workers.submit(partial(kernel.look, look, part, bytes_, widths))
            for kernel, part, bytes_ in zip(self.kernels, data.layouts, data.parts, strict=False)
        ]
        found = [job.result() for job in jobs]
        return [
            np.concatenate([rows[number][: part.stride] for rows, part in zip(found, data.layouts, strict=True)])
            for number in range(len(widths))
        ]

    def _call(
        self, works: list[Callable[..., None]], layout: LaneLayout, data: SplitBytes, control: LaneControl
    ) -> None:
        """Do some work with each device's part of the control, in threads."""
        jobs: list[Job[None]] = []
        mine: list[LaneControl] = []
        layouts = layout.parts or data.layouts
        cuts = np.cumsum([0, *(part.stride for part in layouts)]).tolist()
        for work, part, bytes_, at in zip(works, layouts, data.parts, cuts, strict=False):
            each = LaneControl(part.stride, len(self.program.messages))
            for to, whole in zip(_rows(each), _rows(control), strict=True):
                to[:] = whole[..., at : at + part.stride]
            mine.append(each)
            jobs.append(_workers.submit(partial(work, part, bytes_, each)))
        for job in jobs:
            job.settled()
        for each, part, at in zip(mine, layouts, cuts, strict=False):
            for done, whole in zip(_rows(each)[2:], _rows(control)[2:], strict=True):
                whole[..., at : at + part.stride] = done
        for job in jobs:
            job.result()  # raises what went wrong


def _rows(control: LaneControl) -> tuple[NDArray[Any], ...]:
    """Return the arrays over lanes: two that the lanes are told, three that they answer."""
    return control.first, control.last, control.done, control.status, control.counts
