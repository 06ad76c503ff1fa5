"""Run lane programs on a GPU: its memory, and kernels made by `kernel_emitter`, `assemble` and the driver.

A run uploads which slots each lane takes, launches one kernel, waits, and downloads why lanes stopped. When so many
lanes have nothing left to do that whole warps can be saved, the kernel runs over a list of the others only. Machine
code is kept in the cache under a hash of the kernel's text and all that turns it into code: LLVM, driver, GPU.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.cache_label import Label, entry_key
from weft.base.dataclass import replace
from weft.base.errors import UserError
from weft.base.workers import Job, Workers
from weft.engines.cuda.assemble import architecture, assemble
from weft.engines.cuda.device_bytes import DeviceBytes
from weft.engines.cuda.driver import Driver, FunctionFacts
from weft.engines.cuda.gpu_labels import gpu_label
from weft.engines.cuda.kernel_emitter import ROWS, TILE, KernelOptions, look_text, run_text, settle_text
from weft.engines.cuda.resident import ResidentKernel
from weft.engines.cuda.serve_emitter import serve_text
from weft.engines.lanes.kept_texts import KernelCache, find_digest, keep_digest
from weft.ir.lane_engine import LaneControl
from weft.ir.lane_layout import LaneLayout
from weft.ir.lane_program import LaneProgram, LaneStep
from weft.ir.lane_times import DeviceLimits, DeviceTimes
from weft.ir.layout import container_bytes

_workers = Workers("weft-cuda", 2)

_COPY_BYTES = 1 << 28
"""How much is copied to measure the memory: more than any cache holds."""

_INTEGER_UNITS = 64
"""32-bit integer operations that a multiprocessor does in a clock, Ampere to Hopper (CUDA C++ programming guide,
table of the throughput of arithmetic instructions)."""

_WORTH_A_LIST = 0.75
"""A list of lanes is used when it takes at most this part of the warps that lanes to run are spread over."""

_Made = tuple[Callable[[], str], bytes, bool]
"""What writes a kernel's text, its machine code, and whether that came from the cache."""

Tell = Callable[[str], None]
"""Told the name of each step of a compilation, as `sim.compile_progress` has them."""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _say_nothing(step: str) -> None:
    """Say nothing."""


def find_gpu() -> bool:
    """Say whether there is a GPU that can run batches."""
    try:
        return architecture(Driver().capability) > 0
    except UserError:
        return False


def _usable(free: int) -> int:
    """Return how many of the free bytes are not needed by the driver, for kernels and their stacks."""
    return int(free * 0.95)


class CudaDevice:
    """Implement `ir.lane_engine.LaneDevice` on one GPU."""

    kind = "cuda"
    tile = TILE

    def __init__(
        self,
        options: KernelOptions | None = None,
        api: Any = None,
        ordinal: int = 0,
        cache: KernelCache | None = None,
    ) -> None:
        self.driver = Driver(api, ordinal)
        self.name = self.driver.name
        self.options = options or KernelOptions()
        self.cache = cache
        self.architecture = architecture(self.driver.capability)
        if not self.architecture:
            major, minor = self.driver.capability
            raise UserError("no-gpu", f"{self.name} has compute capability {major}.{minor}, and batches need 8.0")
        self.driver.times.timed = os.environ.get("WEFT_GPU_TIMESTAMPS", "0") == "1"

    def allocate(
        self,
        size: int,
        lanes: int = 0,
        per_lane: int = 0,
        layout: LaneLayout | None = None,
        program: LaneProgram | None = None,
    ) -> DeviceBytes:
        """Return zeroed bytes; raises `no-memory`, and says how many lanes would fit."""
        self.driver.clear()
        free, _ = self.driver.memory()
        usable = _usable(free)
        if size > usable:
            fits = f": about {max(0, usable // per_lane):,} lanes would fit" if per_lane else ""
            raise UserError(
                "no-memory", f"{self.name} has {free:,} bytes free, and {lanes:,} lanes need {size:,}{fits}"
            )
        return DeviceBytes(self.driver, size)

    def room(self) -> int:
        """Return how many bytes lanes can have."""
        self.driver.clear()
        return _usable(self.driver.memory()[0])

    def kernel(self, program: LaneProgram) -> CudaLanes:
        """Return a program for this device."""
        return CudaLanes(self, program)

    def time_kernels(self, on: bool) -> None:
        """Begin to time kernels by events of the GPU, or end it."""
        self.driver.times.timed = on

    def times(self) -> DeviceTimes:
        """Return what the GPU took so far."""
        return self.driver.times

    def limits(self) -> DeviceLimits:
        """Measure a copy within the GPU; the integer operations are those of its units at its highest clock."""
        free, _ = self.driver.memory()
        size = min(_COPY_BYTES, free // 4)
        source, target = DeviceBytes(self.driver, size), DeviceBytes(self.driver, size)
        seconds = min(self.driver.time_copy(target.address(), source.address(), size) for _ in range(4))
        operations = _INTEGER_UNITS * self.driver.multiprocessors * 1000.0 * self.driver.clock_khz
        return DeviceLimits(2 * size / max(seconds, 1e-9), operations)

    def resident_lanes(self) -> int:
        """Return how many lanes a resident kernel may have: blocks must all run at once; 0 if none can stay.

        Where a display's watchdog ends kernels that take long, none can.
        """
        if self.driver.has_watchdog or not self.driver.maps_host_memory:
            return 0
        return self.driver.multiprocessors * self.options.threads

    def code(self, name: str, text: str, tell: Tell) -> tuple[bytes, bool]:
        """Return the machine code of a kernel's text, and whether it came from the cache."""
        found = self.find_code(_digest(text), tell)
        return (found, True) if found is not None else (self.make_code(name, text, tell), False)

    def find_code(self, digest: str, tell: Tell) -> bytes | None:
        """Return the machine code of the text with a digest, if the cache has it."""
        if self.cache is None or not digest:
            return None
        tell("load from cache")
        with self.times().stage("find kernels in the cache"):
            return self.cache.load(self._entry(digest)[1])

    def _entry(self, digest: str) -> tuple[Label, str]:
        """Return the label and the key of a kernel's machine code."""
        label = gpu_label(self.driver.version, self.driver.capability)
        return label, entry_key(label, f"sm_{self.architecture}", digest)

    def make_code(self, name: str, text: str, tell: Tell) -> bytes:
        """Make the machine code of a kernel's text, and keep it in the cache."""
        label, key = self._entry(_digest(text))
        tell("write code")
        with self.times().stage("write kernels"):
            ptx = assemble(text, self.architecture)
        tell("assemble")
        with self.times().stage("assemble kernels"):
            code = self.driver.assemble(ptx)
        if self.cache is not None:
            self.cache.store(key, code, replace(label, note=name))
        return code


class CudaLanes:
    """Implement `ir.lane_engine.LaneKernel`: a lane program as kernels of a GPU."""

    def __init__(self, device: CudaDevice, program: LaneProgram) -> None:
        self.device, self.program = device, program
        self._job: Job[_Made] | None = None
        self._serve: Job[_Made] | None = None
        self._functions: dict[str, Any] = {}
        self._modules: list[Any] = []
        self._looks: dict[int, tuple[LaneStep, Any]] = {}
        self._control: tuple[LaneLayout, DeviceBytes] | None = None

    # -------------------------------------------------------------------------------------------- compilation

    def begin(self, tell: Tell = _say_nothing) -> None:
        """Begin to compile the kernel of a run, in another thread."""
        if self._job is None and "lanes_run" not in self._functions:
            self._job = _workers.submit(
                lambda: self._make("lanes_run", lambda: run_text(self.program, self.device.options), tell, known=True)
            )

    @property
    def ready(self) -> bool:
        """Say whether the kernel of a run is there, or only has to be loaded."""
        return "lanes_run" in self._functions or (self._job is not None and self._job.is_done)

    def compile(self) -> None:
        """Compile the kernel of a run now; the first run does it otherwise."""
        if "lanes_run" not in self._functions:
            self.begin()
            assert self._job is not None
            job, self._job = self._job, None
            self._functions["lanes_run"] = self._load("lanes_run", *job.result())

    def _make(self, name: str, write: Callable[[], str], tell: Tell, known: bool = False) -> _Made:
        """Return a kernel's machine code; its text is written if its digest is not `known` by the program's key."""
        device = self.device
        words = (name, device.options)
        found = device.find_code(find_digest(device.cache, self.program, *words), tell) if known else None
        if found is not None:
            return write, found, True
        tell("generate code")
        with device.times().stage("generate kernels"):
            text = write()
        if known:
            keep_digest(device.cache, self.program, _digest(text), *words)
        return (lambda: text, *device.code(name, text, tell))

    def _load(self, name: str, write: Callable[[], str], code: bytes, cached: bool) -> Any:
        """Load machine code; make it again if it was kept and the driver does not take it."""
        driver = self.device.driver
        try:
            with self.device.times().stage("load kernels"):
                module = driver.load(code)
        except UserError:
            if not cached or driver.lost:
                raise
            module = driver.load(self.device.make_code(name, write(), _say_nothing))
        self._modules.append(module)
        return driver.function(module, name)

    def _function(self, name: str, write: Callable[[], str], known: bool = False) -> Any:
        return self._load(name, *self._make(name, write, _say_nothing, known))

    def facts(self) -> FunctionFacts:
        """Return what the kernel of a run takes."""
        self.compile()
        return self.device.driver.facts(self._functions["lanes_run"], self.device.options.threads)

    def report(self) -> list[str]:
        """Return what the kernel of a run takes, as a line."""
        driver, facts = self.device.driver, self.facts()
        warps, most = facts.blocks * self.device.options.threads // 32, driver.threads // 32
        memory = f"{facts.local_bytes} bytes of local memory"
        return [f"{facts.registers} registers, {memory}, {warps} of {most} warps a multiprocessor"]

    def begin_resident(self, look: LaneStep | None, layout: LaneLayout) -> None:
        """Begin to compile the resident kernel, which knows a look's outputs, in another thread."""
        if self._serve is None:
            options, stride = self.device.options, layout.stride
            self._serve = _workers.submit(
                lambda: self._make("lanes_serve", lambda: serve_text(self.program, look, options, stride), _say_nothing)
            )

    @property
    def resident_ready(self) -> bool:
        """Say whether its code is there."""
        return self._serve is not None and self._serve.is_done

    def resident(self, look: LaneStep | None, layout: LaneLayout, data: DeviceBytes) -> ResidentKernel | None:
        """Return a kernel that stays on the GPU and knows a look's outputs, or None if its blocks have no room."""
        driver, threads = self.device.driver, self.device.options.threads
        self.begin_resident(look, layout)
        assert self._serve is not None
        function = self._load("lanes_serve", *self._serve.result())
        if -(-layout.lanes // threads) > driver.facts(function, threads).blocks * driver.multiprocessors:
            return None
        return ResidentKernel(driver, function, self.program, look, layout, data.address(), threads)

    # ------------------------------------------------------------------------------------------------- launches

    def run(self, layout: LaneLayout, data: DeviceBytes, control: LaneControl) -> None:
        """Take every lane from its first slot to its last, or to where it stops."""
        self.compile()
        self._launch("lanes_run", layout, data, control, choose_lanes(layout, control))

    def settle(self, layout: LaneLayout, data: DeviceBytes, control: LaneControl) -> None:
        """Settle every lane at its present time."""
        name = "lanes_settle"
        if name not in self._functions:
            self._functions[name] = self._function(
                name, lambda: settle_text(self.program, self.device.options), known=True
            )
        self._launch(name, layout, data, control, None)

    def look(self, look: LaneStep, layout: LaneLayout, data: DeviceBytes, widths: Sequence[int]) -> list[NDArray[Any]]:
        """Compute a look's outputs for every lane: rows of `stride` containers."""
        if id(look) not in self._looks:
            function = self._function("lanes_look", lambda: look_text(self.program, look, self.device.options))
            self._looks[id(look)] = look, function
        sizes = [container_bytes(width) for width in widths]
        places = np.cumsum([0, *(size * layout.stride for size in sizes)]).tolist()
        rows = DeviceBytes(self.device.driver, places[-1])
        outputs = [rows.address() + place for place in places[:-1]]
        self._call("look", self._looks[id(look)][1], layout.lanes, layout, data, [0] * (len(ROWS) - 1), outputs)
        return [
            rows.read(place, size * layout.stride).view(f"u{size}")
            for place, size in zip(places[:-1], sizes, strict=True)
        ]

    def _launch(
        self, name: str, layout: LaneLayout, data: DeviceBytes, control: LaneControl, chosen: NDArray[np.uint32] | None
    ) -> None:
        """Run a kernel between an upload and a download of what the lanes are told and answer."""
        rows = (control.first, control.last, control.done, control.counts.reshape(-1), control.status)
        room = np.empty(0, np.uint32) if chosen is None else chosen
        places = np.cumsum([0, *(row.nbytes for row in rows), 4 * layout.stride]).tolist()
        if self._control is None or self._control[0].stride != layout.stride:
            self._control = layout, DeviceBytes(self.device.driver, places[-1])
        memory = self._control[1]
        counting = bool(self.program.messages)
        for row, place in zip((*rows, room), places, strict=False):
            if (counting or row is not rows[3]) and row is not rows[2] and row.nbytes:
                memory.write(place, row.view(np.uint8))
        first, last, done, counts, status, listed = (memory.address() + place for place in places[:-1])
        count = layout.lanes if chosen is None else len(chosen)
        pointers = [0 if chosen is None else listed, first, last, status, done, counts]
        timed = self.device.times().timed and name == "lanes_run"
        slots = int((control.last - control.first).sum()) if timed else 0
        self._call(name.removeprefix("lanes_"), self._functions[name], count, layout, data, pointers, (), slots)
        for number in (2, 3, 4) if counting else (2, 4):
            rows[number].view(np.uint8)[:] = memory.read(places[number], rows[number].nbytes)

    def _call(
        self,
        what: str,
        function: Any,
        count: int,
        layout: LaneLayout,
        data: DeviceBytes,
        rows: Sequence[int],
        outputs: Sequence[int],
        slots: int = 0,
    ) -> None:
        assert len(layout.memories) == len(self.program.memories)
        threads, at, driver = self.device.options.threads, data.address(), self.device.driver
        planes = [at + place for place in layout.memories]
        if layout.pool is not None:
            planes += [at + layout.pool.header, at + layout.pool.pages]
        arguments = [count, layout.stride, at, *rows, *planes, *outputs]
        blocks = -(-count // threads)
        if not driver.times.timed:
            driver.launch(function, blocks, threads, arguments)
            return
        seconds = driver.time_launch(function, blocks, threads, arguments)
        lane_bytes = sum(container_bytes(word.width) for word in self.program.words)
        driver.times.kernel(what).add(seconds, slots, (1 if outputs else 2) * lane_bytes * count)


def choose_lanes(layout: LaneLayout, control: LaneControl) -> NDArray[np.uint32] | None:
    """Return the lanes that have something to do, or None where a list of them would not save many warps."""
    goes = control.first < control.last
    lanes = int(goes.sum())
    if lanes >= _WORTH_A_LIST * layout.lanes:
        return None
    warps = int(goes.reshape(-1, TILE).any(axis=1).sum())
    if -(-lanes // TILE) > _WORTH_A_LIST * warps or not lanes:
        return None
    return np.nonzero(goes)[0].astype(np.uint32)
