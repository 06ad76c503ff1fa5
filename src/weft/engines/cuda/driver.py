"""The CUDA driver as this engine uses it: every call checked, every error one clear message.

`cuda-bindings` is imported when a GPU is first asked for. Nothing else of CUDA is needed: the driver turns PTX into
machine code. While a resident kernel runs (`resident`), copies go beside it, in a stream that waits for nothing; what
could wait for all kernels, such as freeing memory or loading a module, makes it leave first.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from weakref import WeakSet

import numpy as np

from weft.base.dataclass import dataclass
from weft.base.errors import UserError
from weft.engines.cuda.page_copy import PageCopier
from weft.ir.lane_engine import Bytes
from weft.ir.lane_times import DeviceTimes

OLDEST_DRIVER = 11_080
"""The CUDA version, as the driver gives it, whose PTX (7.8) the kernels are written in."""

_OUT_OF_MEMORY, _TIMEOUT = 2, 702
_LOST = frozenset((46, 214, 220, 226, 700, _TIMEOUT, 714, 715, 716, 717, 718, 719, 800, 999))
"""Errors after which nothing in this process can use the GPU's memory any more: faults of a kernel, of the device, and
the operating system's watchdog."""

_NON_BLOCKING, _PORTABLE_AND_MAPPED = 1, 3


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """Say what a kernel takes: registers, bytes of local memory (stack and spills) for each thread, and how many of
    its blocks a multiprocessor holds at once."""

    registers: int
    local_bytes: int
    blocks: int


class Resident(Protocol):
    """Be a kernel that stays on the GPU."""

    def drain(self) -> None:
        """Wait until it has done all commands."""
        ...

    def leave(self) -> None:
        """Make it leave the GPU."""
        ...


class Driver:
    """Be one GPU of this machine, in its primary context."""

    def __init__(self, api: Any = None, ordinal: int = 0) -> None:
        self.api = api or _bindings()
        self.ordinal = ordinal
        self.lost = False
        self.residents: WeakSet[Resident] = WeakSet()  # they go with their batches
        self.times = DeviceTimes()
        self.pages = PageCopier(self)
        self._context: Any = None
        self._copies: Any = None
        self.count = count = self._count()
        if not 0 <= ordinal < count:
            has = f"GPU 0 to {count - 1}" if count > 1 else "only GPU 0"
            raise UserError("no-gpu", f"there is no GPU {ordinal}: this machine has {has}")
        (self.version,) = self._check(self.api.cuDriverGetVersion())
        if self.version < OLDEST_DRIVER:
            have, need = version_text(self.version), version_text(OLDEST_DRIVER)
            raise UserError("no-gpu", f"the NVIDIA driver is too old: it knows CUDA {have}, and batches need {need}")
        (self.device,) = self._check(self.api.cuDeviceGet(ordinal))
        (context,) = self._check(self.api.cuDevicePrimaryCtxRetain(self.device))
        self._context = context
        self.use()
        (name,) = self._check(self.api.cuDeviceGetName(128, self.device))
        self.name = name.split(b"\0")[0].decode()
        kinds = self.api.CUdevice_attribute
        self.capability = self._capability()
        self.multiprocessors = self._attribute(kinds.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
        self.threads = self._attribute(kinds.CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR)
        self.has_watchdog = bool(self._attribute(kinds.CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT))
        self.maps_host_memory = bool(self._attribute(kinds.CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY))
        self.clock_khz = self._attribute(kinds.CU_DEVICE_ATTRIBUTE_CLOCK_RATE)

    def _count(self) -> int:
        try:
            self._check(self.api.cuInit(0))
            (count,) = self._check(self.api.cuDeviceGetCount())
        except (UserError, RuntimeError) as error:  # the bindings raise the latter when there is no driver
            what = error.message if isinstance(error, UserError) else "the NVIDIA driver is not installed"
            raise UserError("no-gpu", f"CUDA finds no GPU here: {what}") from None
        if not count:
            raise UserError("no-gpu", "CUDA finds no GPU here")
        return int(count)

    def use(self) -> None:
        """Make the context that of the calling thread; others in it, such as PyTorch, may have set their own."""
        self._check(self.api.cuCtxSetCurrent(self._context))

    def _capability(self) -> tuple[int, int]:
        kinds = self.api.CUdevice_attribute
        return (
            self._attribute(kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
            self._attribute(kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
        )

    @classmethod
    def capabilities(cls, api: Any = None) -> tuple[int, list[tuple[int, int]]]:
        """Return the driver's version and the capability of each GPU, without making a context on any."""
        self = cls.__new__(cls)
        self.api, self.lost = api or _bindings(), False
        count = self._count()
        (version,) = self._check(self.api.cuDriverGetVersion())
        found: list[tuple[int, int]] = []
        for ordinal in range(count):
            (self.device,) = self._check(self.api.cuDeviceGet(ordinal))
            found.append(self._capability())
        return int(version), found

    def _attribute(self, kind: Any) -> int:
        return int(self._check(self.api.cuDeviceGetAttribute(kind, self.device))[0])

    def _check(self, result: Any) -> tuple[Any, ...]:
        """Return a call's results behind its error code, or raise what went wrong."""
        error, *values = result
        code = int(error)
        if not code:
            return tuple(values)
        _, text = self.api.cuGetErrorString(error)
        what = text.decode() if isinstance(text, bytes) else str(error)
        if code == _OUT_OF_MEMORY:
            raise UserError("no-memory", f"the GPU has too little memory: {what} (CUDA error {code})")
        if code not in _LOST:
            raise UserError("gpu-failed", f"the GPU failed: {what} (CUDA error {code})")
        self.lost = True
        if code == _TIMEOUT:
            what = "a kernel ran longer than the watchdog of the display allows"
        kept = "what its lanes held is lost; a checkpoint that the host keeps can go on in a new batch"
        raise UserError("gpu-failed", f"the GPU failed: {what} (CUDA error {code}): {kept}")

    def _quiet(self) -> None:
        """Let resident kernels finish what they do, before their memory is looked at."""
        for resident in tuple(self.residents):
            resident.drain()
        self.use()

    def _settle(self) -> None:
        """Wait for the end of a copy, which other kernels do by themselves, and resident ones cannot."""
        if self.residents:
            self._check(self.api.cuStreamSynchronize(0))

    def clear(self) -> None:
        """Let resident kernels leave, before something that would wait for them."""
        for resident in tuple(self.residents):
            resident.leave()
        self.use()

    def synchronise(self) -> None:
        """Wait for everything that the GPU does in this process, other packages' work too."""
        self.clear()
        self._check(self.api.cuCtxSynchronize())

    # ------------------------------------------------------------------------------------------------ memory

    def memory(self) -> tuple[int, int]:
        """Return the free and all bytes of the GPU."""
        self.use()
        free, total = self._check(self.api.cuMemGetInfo())
        return int(free), int(total)

    def allocate(self, size: int) -> int:
        """Return the address of zeroed memory."""
        self.clear()
        (pointer,) = self._check(self.api.cuMemAlloc(size))
        self._check(self.api.cuMemsetD8(pointer, 0, size))
        return int(pointer)

    def free(self, address: int) -> None:
        """Give memory back; where the GPU is lost, it is gone already."""
        if not self.lost and not sys.is_finalizing():
            self.clear()
            self._check(self.api.cuMemFree(address))

    def allocate_mail(self, size: int) -> tuple[int, int]:
        """Return the addresses, for the host and for the GPU, of zeroed host memory that both see."""
        self.clear()
        (pointer,) = self._check(self.api.cuMemHostAlloc(size, _PORTABLE_AND_MAPPED))
        ctypes.memset(int(pointer), 0, size)
        (seen,) = self._check(self.api.cuMemHostGetDevicePointer(int(pointer), 0))
        return int(pointer), int(seen)

    def free_mail(self, address: int) -> None:
        """Give host memory back."""
        if not self.lost and not sys.is_finalizing():
            self.clear()
            self._check(self.api.cuMemFreeHost(address))

    def read(self, address: int, size: int) -> Bytes:
        """Return a copy of some bytes."""
        data = np.empty(size, np.uint8)
        if size:
            self._quiet()
            began = time.perf_counter()
            self._check(self.api.cuMemcpyDtoH(data.ctypes.data, address, size))
            self.times.copied(began, 0, size)
        return data

    def write(self, address: int, data: Bytes) -> None:
        """Set some bytes."""
        data = np.ascontiguousarray(data)
        if data.nbytes:
            self._quiet()
            began = time.perf_counter()
            self._check(self.api.cuMemcpyHtoD(address, data.ctypes.data, data.nbytes))
            self._settle()
            self.times.copied(began, data.nbytes)

    def write_now(self, address: int, data: Bytes) -> None:
        """Set some bytes that no kernel uses at present."""
        self.use()
        self._check(self.api.cuMemcpyHtoD(address, data.ctypes.data, data.nbytes))

    def copy(self, target: int, source: int, size: int) -> None:
        """Copy bytes within the GPU."""
        self._quiet()
        self._check(self.api.cuMemcpyDtoD(target, source, size))
        self._settle()

    def copy_rows(self, address: int, pitch: int, data: Bytes, inwards: bool) -> None:
        """Copy the rows of a two-dimensional array of bytes to (or from) places that are `pitch` bytes apart."""
        self._quiet()
        host, device = self.api.CUmemorytype.CU_MEMORYTYPE_HOST, self.api.CUmemorytype.CU_MEMORYTYPE_DEVICE
        order = self.api.CUDA_MEMCPY2D()
        order.Height, order.WidthInBytes = data.shape
        if inwards:
            order.srcMemoryType, order.srcHost, order.srcPitch = host, data.ctypes.data, data.shape[1]
            order.dstMemoryType, order.dstDevice, order.dstPitch = device, self.api.CUdeviceptr(address), pitch
        else:
            order.srcMemoryType, order.srcDevice, order.srcPitch = device, self.api.CUdeviceptr(address), pitch
            order.dstMemoryType, order.dstHost, order.dstPitch = host, data.ctypes.data, data.shape[1]
        began = time.perf_counter()
        self._check(self.api.cuMemcpy2DUnaligned(order))
        self._settle()
        self.times.copied(began, data.nbytes if inwards else 0, 0 if inwards else data.nbytes)

    # ----------------------------------------------------------------------------------------------- kernels

    def assemble(self, ptx: str) -> bytes:
        """Return the machine code of a PTX text for this GPU; takes the driver's assembler a second or so."""
        self.use()
        data = ptx.encode() + b"\0"
        (link,) = self._check(self.api.cuLinkCreate(0, [], []))
        try:
            kind = self.api.CUjitInputType.CU_JIT_INPUT_PTX
            self._check(self.api.cuLinkAddData(link, kind, data, len(data), b"weft", 0, [], []))
            address, size = self._check(self.api.cuLinkComplete(link))
            return ctypes.string_at(int(address), int(size))
        finally:
            self._check(self.api.cuLinkDestroy(link))

    def load(self, code: bytes) -> Any:
        """Return the module of some machine code."""
        self.clear()
        (module,) = self._check(self.api.cuModuleLoadData(code))
        return module

    def function(self, module: Any, name: str) -> Any:
        """Return a kernel of a module."""
        (function,) = self._check(self.api.cuModuleGetFunction(module, name.encode()))
        return function

    def facts(self, function: Any, threads: int) -> FunctionFacts:
        """Return what a kernel takes in blocks of `threads`."""
        self.use()
        kinds = self.api.CUfunction_attribute
        (registers,) = self._check(self.api.cuFuncGetAttribute(kinds.CU_FUNC_ATTRIBUTE_NUM_REGS, function))
        (local,) = self._check(self.api.cuFuncGetAttribute(kinds.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, function))
        (blocks,) = self._check(self.api.cuOccupancyMaxActiveBlocksPerMultiprocessor(function, threads, 0))
        return FunctionFacts(int(registers), int(local), int(blocks))

    def launch(self, function: Any, blocks: int, threads: int, arguments: Sequence[int]) -> None:
        """Run a kernel, whose arguments all have 64 bits, and wait for it."""
        self.clear()
        self._launch(function, blocks, threads, arguments, 0)
        self._check(self.api.cuStreamSynchronize(0))  # and not for rows that are sent beside it

    def _launch(self, function: Any, blocks: int, threads: int, arguments: Sequence[int], stream: Any) -> None:
        values = (tuple(arguments), (ctypes.c_uint64,) * len(arguments))
        self._check(self.api.cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, 0, stream, values, 0))

    def new_stream(self) -> Any:
        """Return a stream whose kernels nothing waits for that does not name it."""
        self.use()
        (stream,) = self._check(self.api.cuStreamCreate(_NON_BLOCKING))
        return stream

    def copies(self) -> Any:
        """Return the stream of copies that go beside kernels."""
        if self._copies is None:
            self._copies = self.new_stream()
        return self._copies

    def call(self, name: str, *arguments: Any) -> tuple[Any, ...]:
        """Call a function of the API that waits for no kernel, in any thread; return what is behind its error code."""
        self.use()
        return self._check(getattr(self.api, name)(*arguments))

    def begin(self, function: Any, blocks: int, threads: int, arguments: Sequence[int], stream: Any) -> None:
        """Start a kernel in a stream, after all copies."""
        self.use()
        self._check(self.api.cuStreamSynchronize(0))
        self._launch(function, blocks, threads, arguments, stream)

    def wait(self, stream: Any) -> None:
        """Wait until a stream's kernels are over."""
        self.use()
        self._check(self.api.cuStreamSynchronize(stream))

    def is_over(self, stream: Any) -> bool:
        """Say whether a stream's kernels are over; raises what has gone wrong with them."""
        self.use()
        not_ready = 600
        result = self.api.cuStreamQuery(stream)
        if int(result[0]) == not_ready:
            return False
        self._check(result)
        return True

    # ------------------------------------------------------------------------------------------------- times

    def time_launch(self, function: Any, blocks: int, threads: int, arguments: Sequence[int]) -> float:
        """Run a kernel, wait for it, and return the seconds between two events of the GPU around it."""
        self.clear()
        return self._time(lambda: self._launch(function, blocks, threads, arguments, 0))

    def time_copy(self, target: int, source: int, size: int) -> float:
        """Copy bytes within the GPU and return the seconds that it took."""
        self.clear()
        return self._time(lambda: self._check(self.api.cuMemcpyDtoDAsync(target, source, size, 0)))

    def _time(self, work: Callable[[], Any]) -> float:
        with contextlib.ExitStack() as stack:
            events: list[Any] = []
            for _ in range(2):
                (event,) = self._check(self.api.cuEventCreate(0))
                stack.callback(self.api.cuEventDestroy, event)
                events.append(event)
            self._check(self.api.cuEventRecord(events[0], 0))
            work()
            self._check(self.api.cuEventRecord(events[1], 0))
            self._check(self.api.cuEventSynchronize(events[1]))
            (milliseconds,) = self._check(self.api.cuEventElapsedTime(events[0], events[1]))
        return float(milliseconds) / 1000


def _bindings() -> Any:
    """Return the bindings of the driver's API."""
    try:
        return importlib.import_module("cuda.bindings.driver")
    except ImportError:
        message = "batches on a GPU need the packages of the extra 'cuda': pip install 'weft[cuda]'"
        raise UserError("no-gpu", message) from None


def version_text(version: int) -> str:
    """Return a CUDA version as people write it."""
    return f"{version // 1000}.{version % 1000 // 10}"
