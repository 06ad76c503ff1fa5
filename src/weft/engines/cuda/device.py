"""Run lane programs on a GPU: its memory, and kernels made by `kernel_emitter`, `assemble` and the driver.

A run uploads which slots each lane takes, launches one kernel for all lanes, waits, and downloads why they stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import UserError
from weft.base.workers import Job, Workers
from weft.engines.cuda.assemble import architecture, assemble
from weft.engines.cuda.driver import Driver
from weft.engines.cuda.kernel_emitter import TILE, KernelOptions, look_text, run_text, settle_text
from weft.ir.lane_engine import Bytes, LaneControl
from weft.ir.lane_layout import LaneLayout
from weft.ir.lane_program import LaneProgram, LaneStep
from weft.ir.layout import container_bytes

_workers = Workers("weft-cuda", 2)


def find_gpu() -> bool:
    """Say whether there is a GPU that can run batches."""
    try:
        return architecture(Driver().capability) > 0
    except UserError:
        return False


class DeviceArray:
    """Be an array in the GPU's memory, for CuPy, PyTorch and others: it has no methods of its own."""

    def __init__(self, owner: DeviceBytes, address: int, count: int, kind: str) -> None:
        self._owner = owner
        self.__cuda_array_interface__ = {
            "shape": (count,),
            "typestr": np.dtype(kind).str,
            "data": (address, False),
            "strides": None,
            "version": 3,
        }


class DeviceBytes:
    """Implement `ir.lane_engine.LaneBytes` in a GPU's memory."""

    def __init__(self, driver: Driver, size: int) -> None:
        self._driver, self._size = driver, size
        self._address = driver.allocate(size)

    def __del__(self) -> None:
        address = getattr(self, "_address", 0)
        if address:
            self._driver.free(address)

    def address(self) -> int:
        """Return where the bytes begin."""
        return self._address

    def read(self, offset: int, count: int) -> Bytes:
        """Return a copy of some bytes."""
        return self._driver.read(self._address + offset, count)

    def write(self, offset: int, data: Bytes) -> None:
        """Set some bytes."""
        self._driver.write(self._address + offset, data)

    def read_rows(self, offset: int, pitch: int, width: int, rows: int) -> Bytes:
        """Return `rows` rows of `width` bytes that begin `pitch` bytes apart."""
        data = np.empty((rows, width), np.uint8)
        self._driver.copy_rows(self._address + offset, pitch, data, inwards=False)
        return data

    def write_rows(self, offset: int, pitch: int, data: Bytes) -> None:
        """Set rows that begin `pitch` bytes apart."""
        self._driver.copy_rows(self._address + offset, pitch, np.ascontiguousarray(data), inwards=True)

    def repeat(self, offset: int, size: int, count: int) -> None:
        """Copy `size` bytes to the places behind them, so that there are `count` copies."""
        done = 1
        while done < count:
            more = min(done, count - done)
            self._driver.copy(self._address + offset + done * size, self._address + offset, more * size)
            done += more

    def take(self, offset: int, size: int, foreign: Any) -> bool:
        """Copy a foreign array of this GPU that is just these bytes; say whether that was possible."""
        interface = foreign.__cuda_array_interface__
        count = int(np.prod(interface["shape"])) * np.dtype(interface["typestr"]).itemsize
        if count != size or interface.get("strides") is not None or np.dtype(interface["typestr"]).kind not in "ui":
            return False
        self._driver.copy(self._address + offset, int(interface["data"][0]), size)
        return True

    def array_at(self, offset: int, count: int, kind: str) -> DeviceArray:
        """Return an array of some elements, without a copy."""
        return DeviceArray(self, self._address + offset, count, kind)

    def copy(self) -> DeviceBytes:
        """Return a copy on the GPU."""
        other = DeviceBytes(self._driver, self._size)
        other.assign(self)
        return other

    def assign(self, other: DeviceBytes) -> None:
        """Set all bytes to those of a copy."""
        self._driver.copy(self._address, other.address(), self._size)


class CudaDevice:
    """Implement `ir.lane_engine.LaneDevice` on the first GPU."""

    kind = "cuda"
    tile = TILE

    def __init__(self, options: KernelOptions | None = None, api: Any = None) -> None:
        self.driver = Driver(api)
        self.name = self.driver.name
        self.options = options or KernelOptions()
        self.architecture = architecture(self.driver.capability)
        if not self.architecture:
            major, minor = self.driver.capability
            raise UserError("no-gpu", f"{self.name} has compute capability {major}.{minor}, and batches need 8.0")

    def allocate(self, size: int, lanes: int = 0, per_lane: int = 0) -> DeviceBytes:
        """Return zeroed bytes; raises `no-memory`, and says how many lanes would fit."""
        free, _ = self.driver.memory()
        # The driver needs some for kernels and their stacks.
        usable = int(free * 0.95)
        if size > usable:
            fits = f": about {max(0, usable // per_lane):,} lanes would fit" if per_lane else ""
            raise UserError(
                "no-memory", f"{self.name} has {free:,} bytes free, and {lanes:,} lanes need {size:,}{fits}"
            )
        return DeviceBytes(self.driver, size)

    def kernel(self, program: LaneProgram) -> CudaLanes:
        """Return a program for this device."""
        return CudaLanes(self, program)


class CudaLanes:
    """Implement `ir.lane_engine.LaneKernel`: a lane program as kernels of a GPU."""

    def __init__(self, device: CudaDevice, program: LaneProgram) -> None:
        self.device, self.program = device, program
        self._job: Job[str] | None = None
        self._functions: dict[str, Any] = {}
        self._modules: list[Any] = []
        self._looks: dict[int, tuple[LaneStep, Any]] = {}
        self._control: tuple[LaneLayout, DeviceBytes] | None = None

    def begin(self) -> None:
        """Begin to compile the kernel of a run, in another thread."""
        if self._job is None and "lanes_run" not in self._functions:
            device = self.device
            text = run_text(self.program, device.options)
            self._job = _workers.submit(lambda: assemble(text, device.architecture))

    @property
    def ready(self) -> bool:
        """Say whether the kernel of a run is there, or only has to be loaded."""
        return "lanes_run" in self._functions or (self._job is not None and self._job.is_done)

    def compile(self) -> None:
        """Compile the kernel of a run now; the first run does it otherwise."""
        if "lanes_run" not in self._functions:
            self.begin()
            assert self._job is not None
            self._functions["lanes_run"] = self._load(self._job.result(), "lanes_run")
            self._job = None

    def report(self) -> list[str]:
        """Return what the kernel of a run takes."""
        self.compile()
        driver, threads = self.device.driver, self.device.options.threads
        facts = driver.facts(self._functions["lanes_run"], threads)
        warps, most = facts.blocks * threads // 32, driver.threads // 32
        memory = f"{facts.local_bytes} bytes of local memory"
        return [f"{facts.registers} registers, {memory}, {warps} of {most} warps a multiprocessor"]

    def _load(self, ptx: str, name: str) -> Any:
        module = self.device.driver.load(ptx)
        self._modules.append(module)
        return self.device.driver.function(module, name)

    def run(self, layout: LaneLayout, data: DeviceBytes, control: LaneControl) -> None:
        """Take every lane from its first slot to its last, or to where it stops."""
        self.compile()
        self._launch(self._functions["lanes_run"], layout, data, control)

    def settle(self, layout: LaneLayout, data: DeviceBytes, control: LaneControl) -> None:
        """Settle every lane at its present time."""
        if "lanes_settle" not in self._functions:
            ptx = assemble(settle_text(self.program, self.device.options), self.device.architecture)
            self._functions["lanes_settle"] = self._load(ptx, "lanes_settle")
        self._launch(self._functions["lanes_settle"], layout, data, control)

    def look(self, look: LaneStep, layout: LaneLayout, data: DeviceBytes, widths: Sequence[int]) -> list[NDArray[Any]]:
        """Compute a look's outputs for every lane: rows of `stride` containers."""
        if id(look) not in self._looks:
            ptx = assemble(look_text(self.program, look, self.device.options), self.device.architecture)
            self._looks[id(look)] = look, self._load(ptx, "lanes_look")
        sizes = [container_bytes(width) for width in widths]
        places = np.cumsum([0, *(size * layout.stride for size in sizes)]).tolist()
        rows = DeviceBytes(self.device.driver, places[-1])
        outputs = [rows.address() + place for place in places[:-1]]
        self._call(self._looks[id(look)][1], layout, data, [0] * 5, outputs)
        return [
            rows.read(place, size * layout.stride).view(f"u{size}")
            for place, size in zip(places[:-1], sizes, strict=True)
        ]

    def _launch(self, function: Any, layout: LaneLayout, data: DeviceBytes, control: LaneControl) -> None:
        """Run a kernel between an upload and a download of what the lanes are told and answer."""
        rows = (control.first, control.last, control.done, control.counts.reshape(-1), control.status)
        places = np.cumsum([0, *(row.nbytes for row in rows)]).tolist()
        if self._control is None or self._control[0] is not layout:
            self._control = layout, DeviceBytes(self.device.driver, places[-1])
        memory = self._control[1]
        counting = bool(self.program.messages)
        for row, place in zip(rows, places, strict=False):
            if counting or row is not rows[3]:
                memory.write(place, row.view(np.uint8))
        first, last, done, counts, status = (memory.address() + place for place in places[:-1])
        self._call(function, layout, data, [first, last, status, done, counts], ())
        for number in (2, 3, 4) if counting else (2, 4):
            rows[number].view(np.uint8)[:] = memory.read(places[number], rows[number].nbytes)

    def _call(
        self, function: Any, layout: LaneLayout, data: DeviceBytes, rows: Sequence[int], outputs: Sequence[int]
    ) -> None:
        threads, at = self.device.options.threads, data.address()
        planes = [at + place for place in layout.memories]
        arguments = [layout.lanes, layout.stride, at, *rows, *planes, *outputs]
        self.device.driver.launch(function, -(-layout.lanes // threads), threads, arguments)
