"""Send rows to a GPU's memory while its kernels run: from page-locked memory, in a stream of copies.

A copy from ordinary memory waits for the driver to bring it into page-locked memory piece by piece, and one in the
stream of the kernels waits for them. So blocks of stimulus are written to page-locked memory, and copied in a stream
that waits for nothing (CUDA C++ programming guide, asynchronous concurrent execution). An event behind the last copy
holds back the kernels that need it, and the host before it writes to that memory again. The kernels that may still read
what is copied over are the sender's concern: it uses two pieces of memory in turns (`sim.stimulus.planes`).
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any, Protocol

import numpy as np

from weft.base.errors import UserError
from weft.ir.lane_engine import Bytes, aligned_bytes
from weft.ir.lane_times import DeviceTimes

_PORTABLE = 1


class UploadDriver(Protocol):
    """Be what uploads need of `engines.cuda.driver.Driver`."""

    api: Any
    lost: bool
    times: DeviceTimes

    def clear(self) -> None:
        """Let resident kernels leave."""
        ...

    def copies(self) -> Any:
        """Return the stream of copies."""
        ...

    def call(self, name: str, *arguments: Any) -> tuple[Any, ...]:
        """Call a function of the API."""
        ...


class Uploads:
    """Send rows to one piece of a GPU's memory."""

    def __init__(self, driver: UploadDriver) -> None:
        self._driver = driver
        self._stream = driver.copies()
        (self._begin,), (self._end,) = (driver.call("cuEventCreate", 0) for _ in range(2))
        self._staged: list[int] = []
        self._sending = 0  # bytes whose copies have begun since `receive`
        self._is_sent = True

    def staging(self, size: int) -> Bytes:
        """Return page-locked memory, or ordinary memory where that has run out."""
        self._driver.clear()
        try:
            (pointer,) = self._driver.call("cuMemHostAlloc", size, _PORTABLE)
        except UserError as error:
            if error.code != "no-memory":
                raise
            return aligned_bytes(size)
        self._staged.append(int(pointer))
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(int(pointer)))

    def send(self, address: int, pitch: int, data: Bytes) -> None:
        """Begin to copy rows to places that are `pitch` bytes apart."""
        driver, stream = self._driver, self._stream
        if not self._sending:
            driver.call("cuEventRecord", self._begin, stream)
        height, width = data.shape
        if width == pitch:
            driver.call("cuMemcpyHtoDAsync", address, data.ctypes.data, data.nbytes, stream)
        else:
            api = driver.api
            order = api.CUDA_MEMCPY2D()
            order.Height, order.WidthInBytes = height, width
            order.srcMemoryType, order.srcHost = api.CUmemorytype.CU_MEMORYTYPE_HOST, data.ctypes.data
            order.dstMemoryType, order.dstDevice = api.CUmemorytype.CU_MEMORYTYPE_DEVICE, api.CUdeviceptr(address)
            order.srcPitch, order.dstPitch = width, pitch
            driver.call("cuMemcpy2DAsync", order, stream)
        driver.call("cuEventRecord", self._end, stream)
        self._sending += data.nbytes
        self._is_sent = False

    def sent(self) -> None:
        """Wait until everything is there."""
        if not self._is_sent:
            self._driver.call("cuEventSynchronize", self._end)
            self._is_sent = True

    def receive(self) -> None:
        """Let kernels wait for everything; how long copies took is counted where kernels are timed too."""
        if not self._sending:
            return
        driver = self._driver
        driver.call("cuStreamWaitEvent", 0, self._end, 0)
        driver.times.to_device += self._sending
        self._sending = 0
        if driver.times.timed:
            self.sent()
            (milliseconds,) = driver.call("cuEventElapsedTime", self._begin, self._end)
            driver.times.copy_s += float(milliseconds) / 1000

    def close(self) -> None:
        """Give everything back."""
        if self._driver.lost or sys.is_finalizing():
            return
        self.sent()
        self._driver.clear()
        for pointer in self._staged:
            self._driver.call("cuMemFreeHost", pointer)
        for event in (self._begin, self._end):
            self._driver.call("cuEventDestroy", event)
        self._staged.clear()
