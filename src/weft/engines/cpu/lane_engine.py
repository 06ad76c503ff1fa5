"""Run a lane program on the CPU: tiles of lanes in vectors, tiles in threads.

The engine compiles one function for each event and the loop around them, and calls it with a range of tiles in each
thread, without Python's lock. A `Shape` is chosen for the host's vectors.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import UserError
from weft.base.workers import Job, Workers
from weft.engines.cpu import lane_context as ctx
from weft.engines.cpu.jit import BRIEF, Compiler, Library, Tier, host, text_digest
from weft.engines.cpu.lane_emitter import place_buffer
from weft.engines.cpu.lane_modules import look_text, module_texts
from weft.engines.lanes.kept_texts import find_digest, keep_digest
from weft.engines.lanes.shape import Shape
from weft.ir.lane_engine import Bytes, LaneControl, aligned_bytes
from weft.ir.lane_layout import LaneLayout, join_layouts
from weft.ir.lane_pages import PAGE_BYTES
from weft.ir.lane_program import LaneProgram, LaneStep
from weft.ir.lane_times import DeviceLimits, DeviceTimes
from weft.ir.layout import container_bytes

LANES, BETTER, LONG = Tier("lanes", 0, 1), Tier("lanes-better", 1, 1), Tier("lanes-long", BRIEF, 1)
"""How code is compiled that is wanted at once, code that is made while other code runs, which is 5 to 10 % faster, and
long code, for which all the passes take too long.

Where a word is several vectors, all code is made with passes: it is up to a tenth faster, and the code generator, which
takes a third longer without them, wins back most of their time.
"""

_LONG_TEXT = 1 << 21
"""The characters of text from which code is long: PicoRV32 has half as many, VexRiscv with Linux more."""

_workers = Workers("weft-lanes", os.cpu_count() or 1)


def host_shape() -> Shape:
    """Return the shape for this machine: a tile is one vector of 32-bit words, with AVX-512 two.

    Two halve what is done once for a tile (logic on bits, branches, addresses); AVX2 has too few registers for it.
    """
    return Shape(32, 16, 8) if "+avx512bw" in host()[1] else Shape(8, 8, 32)


class HostBytes:
    """Implement `ir.lane_engine.LaneBytes` in this machine's memory."""

    def __init__(self, array: Bytes) -> None:
        self.array = array

    def read(self, offset: int, count: int) -> Bytes:
        """Return a view of some bytes."""
        return self.array[offset : offset + count]

    def write(self, offset: int, data: Bytes) -> None:
        """Set some bytes."""
        self.array[offset : offset + len(data)] = data

    def read_rows(self, offset: int, pitch: int, width: int, rows: int) -> Bytes:
        """Return `rows` rows of `width` bytes that begin `pitch` bytes apart, as a view."""
        return np.lib.stride_tricks.as_strided(self.array[offset:], (rows, width), (pitch, 1))

    def write_rows(self, offset: int, pitch: int, data: Bytes) -> None:
        """Set rows that begin `pitch` bytes apart."""
        self.read_rows(offset, pitch, data.shape[1], data.shape[0])[:] = data

    def staging(self, size: int) -> Bytes:
        """Return memory for rows that are sent."""
        return aligned_bytes(size)

    def send_rows(self, offset: int, pitch: int, data: Bytes) -> None:
        """Set rows: the thread that sends them copies them."""
        self.write_rows(offset, pitch, data)

    def sent(self) -> None:
        """Wait for nothing: what was sent is there."""

    def receive(self) -> None:
        """Wait for nothing: what was sent is there."""

    def move(self, offset: int, other: HostBytes, place: int, size: int) -> None:
        """Set bytes to those at a place in other bytes."""
        self.array[offset : offset + size] = other.array[place : place + size]

    def repeat(self, offset: int, size: int, count: int) -> None:
        """Copy `size` bytes to the places behind them, so that there are `count` copies."""
        self.read_rows(offset, size, size, count)[1:] = self.array[offset : offset + size]

    def take(self, offset: int, size: int, foreign: Any) -> bool:
        """Take nothing: a foreign array of a GPU is not in this memory."""
        return False

    def array_at(self, offset: int, count: int, kind: str) -> NDArray[Any]:
        """Return a view of some elements."""
        return self.array[offset : offset + count * np.dtype(kind).itemsize].view(kind)

    def copy(self, sizes: Sequence[int] = ()) -> HostBytes:
        """Return a copy, of the first bytes if there is a size."""
        size = sizes[0] if sizes else len(self.array)
        array = aligned_bytes(size)
        array[:] = self.array[:size]
        return HostBytes(array)

    def assign(self, other: HostBytes) -> None:
        """Set the bytes that a copy has."""
        self.array[: len(other.array)] = other.array

    def parts_of(self, layout: LaneLayout) -> list[tuple[HostBytes, LaneLayout]]:
        """Return these bytes, which are all there are."""
        return [(self, layout)]

    def _pages(self, offset: int) -> Bytes:
        whole = (len(self.array) - offset) // PAGE_BYTES
        return self.array[offset : offset + whole * PAGE_BYTES].reshape(whole, PAGE_BYTES)

    def read_pages(self, offset: int, pages: NDArray[Any]) -> Bytes:
        """Return copies of pages."""
        return self._pages(offset)[pages]

    def write_pages(self, offset: int, pages: NDArray[Any], data: Bytes) -> None:
        """Set pages."""
        self._pages(offset)[pages] = data

    def join(self, layout: LaneLayout, other: HostBytes, more: LaneLayout) -> LaneLayout:
        """Return a layout whose last memories are those of `more`, in other bytes."""
        return join_layouts(layout, more, other.address() - self.address())

    def address(self) -> int:
        """Return where the bytes begin."""
        return self.array.ctypes.data


class CpuDevice:
    """Implement `ir.lane_engine.LaneDevice` on this machine's processor. `threads` 0 means one for each core."""

    kind = name = "cpu"

    def __init__(self, shape: Shape | None = None, threads: int = 0) -> None:
        self.shape = shape or host_shape()
        self.tile = self.shape.lanes
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.threads = threads or usable
        self._times = DeviceTimes()

    def room(self) -> int:
        """Return half of this machine's memory, a part of which is used for other things."""
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2

    def resident_lanes(self) -> int:
        """Return 0: calls of compiled code need no kernel that stays."""
        return 0

    def allocate(
        self,
        size: int,
        lanes: int = 0,
        per_lane: int = 0,
        layout: LaneLayout | None = None,
        program: LaneProgram | None = None,
    ) -> HostBytes:
        """Return zeroed bytes; raises `no-memory` when there are too few."""
        try:
            return HostBytes(aligned_bytes(size))
        except MemoryError:
            raise UserError("no-memory", f"{lanes:,} lanes need {size:,} bytes, which there are not") from None

    def kernel(self, program: LaneProgram) -> CpuLanes:
        """Return a program for this device."""
        return CpuLanes(program, self.shape, self.threads, times=self._times)

    def time_kernels(self, on: bool) -> None:
        """Begin to time calls of compiled code, or end it."""
        self._times.timed = on

    def times(self) -> DeviceTimes:
        """Return what was taken so far."""
        return self._times

    def limits(self) -> DeviceLimits:
        """Say nothing: what a processor could reach depends on more than a number."""
        return DeviceLimits()


class CpuLanes:
    """Implement `ir.lane_engine.LaneKernel`: a lane program compiled for this machine."""

    def __init__(
        self,
        program: LaneProgram,
        shape: Shape,
        threads: int,
        compiler: Compiler | None = None,
        times: DeviceTimes | None = None,
    ) -> None:
        self.program, self.shape, self.threads = program, shape, threads
        self._times = times or DeviceTimes()
        self._compiler = compiler or Compiler()
        self._room = (
            place_buffer(program, self.shape).size + 8 * ctx.MASK_WORDS
        )  # of a tile's buffer; what runs may need more
        habits = any(event.usual is not None for event in program.events)
        self._tier = BETTER if habits or shape.chunks > 1 else LANES
        self._jobs: list[Job[bytes]] = []
        self._looks: dict[int, tuple[LaneStep, Library]] = {}
        self._library: Library | None = None
        self._run: Any = None
        self._settle: Any = None

    def begin(self, tell: Callable[[str], None] = lambda step: None) -> None:
        """Begin to compile in another thread."""
        if self._jobs:
            return
        cache = self._compiler.cache
        known = find_digest(cache, self.program, self.shape).split()
        for tier in (BETTER, LONG) if self._tier is BETTER else (self._tier,):
            codes = [code for digest in known if (code := self._compiler.find(digest, tier)) is not None]
            if known and len(codes) == len(known):
                self._jobs = [Job.done(code) for code in codes]
                return
        tell("generate code")
        with self._times.stage("generate kernels"):
            texts = module_texts(self.program, self.shape)
        keep_digest(cache, self.program, " ".join(map(text_digest, texts)), self.shape)
        tell("assemble")
        long = self._tier is BETTER and sum(map(len, texts)) > _LONG_TEXT
        self._jobs = [self._compiler.submit(text, LONG if long else self._tier) for text in texts]

    @property
    def ready(self) -> bool:
        """Say whether the code is there."""
        return bool(self._jobs) and all(job.is_done for job in self._jobs)

    def compile(self) -> None:
        """Compile now; the first call does it otherwise."""
        if self._library is None:
            self.begin()
            with self._times.stage("assemble kernels"):
                codes = [job.result() for job in self._jobs]
            with self._times.stage("load kernels"):
                self._library = Library(codes, ["lanes_run", "lanes_settle", "lanes_room"])
            self._room = ctypes.CFUNCTYPE(ctypes.c_uint64)(self._library.addresses["lanes_room"])()
            self._run = _entry(self._library.addresses["lanes_run"])
            self._settle = _entry(self._library.addresses["lanes_settle"])

    def report(self) -> list[str]:
        """Return nothing: registers and occupancy are matters of GPUs."""
        return []

    def begin_resident(self, look: LaneStep | None, layout: LaneLayout) -> None:
        """Do nothing: see `resident`."""

    @property
    def resident_ready(self) -> bool:
        """Say that there is nothing to wait for."""
        return True

    def resident(self, look: LaneStep | None, layout: LaneLayout, data: HostBytes) -> None:
        """Return nothing: there is no kernel to launch, so none to keep."""
        return

    def run(self, layout: LaneLayout, data: HostBytes, control: LaneControl) -> None:
        """Take every lane from its first slot to its last, or to where it stops."""
        self.compile()
        slots = int((control.last - control.first).sum()) if self._times.timed else 0
        self._timed("run", self._run, layout, data, control, (), slots)

    def settle(self, layout: LaneLayout, data: HostBytes, control: LaneControl) -> None:
        """Settle every lane at its present time."""
        self.compile()
        self._timed("settle", self._settle, layout, data, control, ())

    def look(self, look: LaneStep, layout: LaneLayout, data: HostBytes, widths: Sequence[int]) -> list[NDArray[Any]]:
        """Compute a look's outputs for every lane: rows of `stride` containers."""
        if id(look) not in self._looks:
            code = self._compiler.object(look_text(self.program, look, self.shape), LANES)
            self._looks[id(look)] = look, Library([code], ["lanes_look"])
        library = self._looks[id(look)][1]
        sizes = [container_bytes(width) for width in widths]
        rows = [aligned_bytes(layout.stride * size).view(f"u{size}") for size in sizes]
        self._timed("look", _entry(library.addresses["lanes_look"]), layout, data, None, rows)
        return rows

    def _timed(
        self,
        what: str,
        function: Any,
        layout: LaneLayout,
        data: HostBytes,
        control: LaneControl | None,
        outputs: Sequence[NDArray[Any]],
        slots: int = 0,
    ) -> None:
        """Call a function for all tiles, and time that if it is wanted."""
        began = time.perf_counter()
        self._call(function, layout, data, control, outputs)
        if self._times.timed:
            self._times.kernel(what).add(time.perf_counter() - began, slots)

    def _call(
        self,
        function: Any,
        layout: LaneLayout,
        data: HostBytes,
        control: LaneControl | None,
        outputs: Sequence[NDArray[Any]],
    ) -> None:
        """Call a function for all tiles, a range in each thread."""
        assert len(layout.memories) == len(self.program.memories)
        at = data.address()
        rows = [control.first, control.last, control.status, control.done, control.counts] if control else []
        words = [at, layout.stride, *(row.ctypes.data for row in rows)]
        words += [0] * (ctx.WORDS - len(words))
        if layout.pool is not None:
            words[ctx.POOL], words[ctx.PAGES] = at + layout.pool.pages, at + layout.pool.header
        words += [at + place for place in layout.memories] + [output.ctypes.data for output in outputs]
        context = np.array(words, np.uint64)
        tiles = -(-layout.lanes // self.shape.lanes)
        count = min(tiles, self.threads)
        bounds = [tiles * number // count for number in range(count + 1)]

        def work(begin: int, end: int) -> None:
            buffer = aligned_bytes(self._room)
            function(context.ctypes.data, begin, end, buffer.ctypes.data)

        if count == 1:
            work(0, tiles)
            return
        jobs = [_workers.submit(lambda a=a, b=b: work(a, b)) for a, b in pairwise(bounds)]
        for job in jobs:
            job.settled()
        for job in jobs:
            job.result()


def _entry(address: int) -> Any:
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_void_p)(address)
