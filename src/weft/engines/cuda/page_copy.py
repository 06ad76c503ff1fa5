"""Copy pages of shared memories (`ir.lane_pages`) between a GPU's pool and the host.

Pages lie wherever lanes were given them, so a kernel brings those that are wanted side by side, 16 bytes in each
thread, and one copy takes them to the host; the other way likewise.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from weft.engines.cuda.assemble import architecture, assemble
from weft.ir.lane_engine import Bytes
from weft.ir.lane_pages import PAGE_BYTES

_THREADS, _PIECE = 128, 16
_AT_ONCE = 1 << 20
"""Pages that are copied at once, so that the place for them is limited."""

_GLOBAL = "ptr addrspace(1)"


class PageDriver(Protocol):
    """Be what is needed of `engines.cuda.driver.Driver`."""

    capability: tuple[int, int]

    def assemble(self, ptx: str) -> bytes:
        """Return machine code."""
        ...

    def load(self, code: bytes) -> Any:
        """Return a module."""
        ...

    def function(self, module: Any, name: str) -> Any:
        """Return a kernel."""
        ...

    def launch(self, function: Any, blocks: int, threads: int, arguments: list[int]) -> None:
        """Run a kernel."""
        ...

    def allocate(self, size: int) -> int:
        """Return zeroed memory."""
        ...

    def free(self, address: int) -> None:
        """Give memory back."""
        ...

    def read(self, address: int, size: int) -> Bytes:
        """Return a copy of bytes."""
        ...

    def write(self, address: int, data: Bytes) -> None:
        """Set bytes."""
        ...


def page_text() -> str:
    """Return the module of the kernel: pages of a list from the pool to a buffer or, with `%inwards`, back."""
    pieces = PAGE_BYTES // _PIECE
    return f"""declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
define ptx_kernel void @lanes_pages({_GLOBAL} %list, {_GLOBAL} %pool, {_GLOBAL} %buffer, i64 %count, i64 %inwards) {{
entry:
  %block = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %size = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %thread = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %block.w = zext i32 %block to i64
  %size.w = zext i32 %size to i64
  %thread.w = zext i32 %thread to i64
  %first = mul i64 %block.w, %size.w
  %number = add i64 %first, %thread.w
  %place = udiv i64 %number, {pieces}
  %mine = icmp ult i64 %place, %count
  br i1 %mine, label %go, label %leave
go:
  %listed.p = getelementptr i32, {_GLOBAL} %list, i64 %place
  %page = load i32, {_GLOBAL} %listed.p
  %page.w = zext i32 %page to i64
  %begin = mul i64 %page.w, {PAGE_BYTES}
  %piece = urem i64 %number, {pieces}
  %inner = mul i64 %piece, {_PIECE}
  %at = add i64 %begin, %inner
  %there = getelementptr i8, {_GLOBAL} %pool, i64 %at
  %row = mul i64 %place, {PAGE_BYTES}
  %here.o = add i64 %row, %inner
  %here = getelementptr i8, {_GLOBAL} %buffer, i64 %here.o
  %in = icmp ne i64 %inwards, 0
  %from = select i1 %in, {_GLOBAL} %here, {_GLOBAL} %there
  %to = select i1 %in, {_GLOBAL} %there, {_GLOBAL} %here
  %data = load <4 x i32>, {_GLOBAL} %from, align {_PIECE}
  store <4 x i32> %data, {_GLOBAL} %to, align {_PIECE}
  br label %leave
leave:
  ret void
}}
"""


class PageCopier:
    """Copy pages of one GPU; the kernel is made when it is first needed."""

    def __init__(self, driver: PageDriver) -> None:
        self._driver = driver
        self._function: Any = None

    def _run(self, pool: int, numbers: NDArray[np.uint32], data: Bytes, inwards: bool) -> None:
        """Copy pages from or to rows, which are as many."""
        driver = self._driver
        if self._function is None:
            code = driver.assemble(assemble(page_text(), architecture(driver.capability)))
            self._function = driver.function(driver.load(code), "lanes_pages")
        listed = -(-4 * len(numbers) // 64) * 64
        memory = driver.allocate(listed + PAGE_BYTES * len(numbers))
        try:
            driver.write(memory, numbers.view(np.uint8))
            if inwards:
                driver.write(memory + listed, data.reshape(-1))
            blocks = -(-len(numbers) * (PAGE_BYTES // _PIECE) // _THREADS)
            arguments = [memory, pool, memory + listed, len(numbers), int(inwards)]
            driver.launch(self._function, blocks, _THREADS, arguments)
            if not inwards:
                data[:] = driver.read(memory + listed, PAGE_BYTES * len(numbers)).reshape(-1, PAGE_BYTES)
        finally:
            driver.free(memory)

    def read(self, pool: int, pages: NDArray[Any]) -> Bytes:
        """Return pages of the pool at an address, a row for each."""
        numbers = np.ascontiguousarray(pages, np.uint32)
        data = np.empty((len(numbers), PAGE_BYTES), np.uint8)
        for first in range(0, len(numbers), _AT_ONCE):
            self._run(pool, numbers[first : first + _AT_ONCE], data[first : first + _AT_ONCE], inwards=False)
        return data

    def write(self, pool: int, pages: NDArray[Any], data: Bytes) -> None:
        """Set pages of the pool at an address from rows."""
        numbers, rows = np.ascontiguousarray(pages, np.uint32), np.ascontiguousarray(data)
        for first in range(0, len(numbers), _AT_ONCE):
            self._run(pool, numbers[first : first + _AT_ONCE], rows[first : first + _AT_ONCE], inwards=True)
