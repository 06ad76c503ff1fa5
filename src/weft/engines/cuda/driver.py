"""The CUDA driver as this engine uses it: every call checked, every error one clear message.

`cuda-bindings` is imported when a GPU is first asked for. Nothing else of CUDA is needed: the driver turns PTX into
machine code.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from weft.base.dataclass import dataclass
from weft.base.errors import UserError
from weft.ir.lane_engine import Bytes

OLDEST_DRIVER = 11_080
"""The CUDA version, as the driver gives it, whose PTX (7.8) the kernels are written in."""


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """Say what a kernel takes: registers and bytes of local memory (stack and spills) for each thread, and how many of
    its blocks a multiprocessor holds at once."""

    registers: int
    local_bytes: int
    blocks: int


class Driver:
    """Be the first GPU of this machine, in its primary context."""

    def __init__(self, api: Any = None) -> None:
        self.api = api or _bindings()
        try:
            self._check(self.api.cuInit(0))
            (count,) = self._check(self.api.cuDeviceGetCount())
        except (UserError, RuntimeError) as error:  # the bindings raise the latter when there is no driver
            what = error.message if isinstance(error, UserError) else "the NVIDIA driver is not installed"
            raise UserError("no-gpu", f"CUDA finds no GPU here: {what}") from None
        if not count:
            raise UserError("no-gpu", "CUDA finds no GPU here")
        (version,) = self._check(self.api.cuDriverGetVersion())
        if version < OLDEST_DRIVER:
            have, need = _version_text(version), _version_text(OLDEST_DRIVER)
            raise UserError("no-gpu", f"the NVIDIA driver is too old: it knows CUDA {have}, and batches need {need}")
        (self.device,) = self._check(self.api.cuDeviceGet(0))
        (context,) = self._check(self.api.cuDevicePrimaryCtxRetain(self.device))
        self._context = context
        self.use()
        (name,) = self._check(self.api.cuDeviceGetName(128, self.device))
        self.name = name.split(b"\0")[0].decode()
        kinds = self.api.CUdevice_attribute
        self.capability = (
            self._attribute(kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
            self._attribute(kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
        )
        self.multiprocessors = self._attribute(kinds.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
        self.threads = self._attribute(kinds.CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR)

    def use(self) -> None:
        """Make the context that of the calling thread."""
        self._check(self.api.cuCtxSetCurrent(self._context))

    def _attribute(self, kind: Any) -> int:
        return int(self._check(self.api.cuDeviceGetAttribute(kind, self.device))[0])

    def _check(self, result: Any) -> tuple[Any, ...]:
        """Return a call's results behind its error code, or raise what went wrong."""
        error, *values = result
        if int(error):
            _, text = self.api.cuGetErrorString(error)
            what = text.decode() if isinstance(text, bytes) else str(error)
            raise UserError("gpu-failed", f"the GPU failed: {what} (CUDA error {int(error)})")
        return tuple(values)

    # ------------------------------------------------------------------------------------------------ memory

    def memory(self) -> tuple[int, int]:
        """Return the free and all bytes of the GPU."""
        free, total = self._check(self.api.cuMemGetInfo())
        return int(free), int(total)

    def allocate(self, size: int) -> int:
        """Return the address of zeroed memory."""
        (pointer,) = self._check(self.api.cuMemAlloc(size))
        self._check(self.api.cuMemsetD8(pointer, 0, size))
        return int(pointer)

    def free(self, address: int) -> None:
        """Give memory back."""
        self._check(self.api.cuMemFree(address))

    def read(self, address: int, size: int) -> Bytes:
        """Return a copy of some bytes."""
        data = np.empty(size, np.uint8)
        if size:
            self._check(self.api.cuMemcpyDtoH(data.ctypes.data, address, size))
        return data

    def write(self, address: int, data: Bytes) -> None:
        """Set some bytes."""
        data = np.ascontiguousarray(data)
        if data.nbytes:
            self._check(self.api.cuMemcpyHtoD(address, data.ctypes.data, data.nbytes))

    def copy(self, target: int, source: int, size: int) -> None:
        """Copy bytes within the GPU."""
        self._check(self.api.cuMemcpyDtoD(target, source, size))

    def copy_rows(self, address: int, pitch: int, data: Bytes, inwards: bool) -> None:
        """Copy the rows of a two-dimensional array of bytes to (or from) places that are `pitch` bytes apart."""
        host, device = self.api.CUmemorytype.CU_MEMORYTYPE_HOST, self.api.CUmemorytype.CU_MEMORYTYPE_DEVICE
        order = self.api.CUDA_MEMCPY2D()
        order.Height, order.WidthInBytes = data.shape
        if inwards:
            order.srcMemoryType, order.srcHost, order.srcPitch = host, data.ctypes.data, data.shape[1]
            order.dstMemoryType, order.dstDevice, order.dstPitch = device, self.api.CUdeviceptr(address), pitch
        else:
            order.srcMemoryType, order.srcDevice, order.srcPitch = device, self.api.CUdeviceptr(address), pitch
            order.dstMemoryType, order.dstHost, order.dstPitch = host, data.ctypes.data, data.shape[1]
        self._check(self.api.cuMemcpy2DUnaligned(order))

    # ----------------------------------------------------------------------------------------------- kernels

    def load(self, ptx: str) -> Any:
        """Return the module of a PTX text."""
        (module,) = self._check(self.api.cuModuleLoadData(ptx.encode() + b"\0"))
        return module

    def function(self, module: Any, name: str) -> Any:
        """Return a kernel of a module."""
        (function,) = self._check(self.api.cuModuleGetFunction(module, name.encode()))
        return function

    def facts(self, function: Any, threads: int) -> FunctionFacts:
        """Return what a kernel takes in blocks of `threads`."""
        kinds = self.api.CUfunction_attribute
        (registers,) = self._check(self.api.cuFuncGetAttribute(kinds.CU_FUNC_ATTRIBUTE_NUM_REGS, function))
        (local,) = self._check(self.api.cuFuncGetAttribute(kinds.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, function))
        (blocks,) = self._check(self.api.cuOccupancyMaxActiveBlocksPerMultiprocessor(function, threads, 0))
        return FunctionFacts(int(registers), int(local), int(blocks))

    def launch(self, function: Any, blocks: int, threads: int, arguments: Sequence[int]) -> None:
        """Run a kernel, whose arguments all have 64 bits, and wait for it."""
        values = (tuple(arguments), (ctypes.c_uint64,) * len(arguments))
        self._check(self.api.cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, 0, 0, values, 0))
        self._check(self.api.cuCtxSynchronize())


def _bindings() -> Any:
    """Return the bindings of the driver's API."""
    try:
        return importlib.import_module("cuda.bindings.driver")
    except ImportError:
        message = "batches on a GPU need the packages of the extra 'cuda': pip install 'weft[cuda]'"
        raise UserError("no-gpu", message) from None


def _version_text(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"
