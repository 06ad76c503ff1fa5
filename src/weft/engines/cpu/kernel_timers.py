"""Measure where compiled code spends its time: a small function with a clock around each kernel, only if asked for.

A *thunk* has the signature of what it calls, reads the processor's counter before and after, and adds what has passed
and one call to its row of a table; what a thunk inside it took is not counted twice. A program that is being profiled
enters the thunks' addresses where it would enter the kernels', so one that is not pays nothing, and the code measured
is the code that runs. The price is two reads of the counter, about 20 ns for each clock edge.

The counter is `rdtsc` on x86-64 and `cntvct_el0` on AArch64: both run at a fixed rate, which `seconds` learns from the
clock of the system. Sampling would cost less, but needs signals and registers of each system, and knows no calls.
"""

from __future__ import annotations

import ctypes
import platform
import time

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.engines.cpu.jit import START, Compiler, Library

ROWS = 32
"""Kernels that one library of thunks can measure; more get another one."""

_WORDS = 3  # of a row: the kernel's address, ticks, calls


def _counter() -> str:
    """Return the text of a function that reads the counter."""
    if platform.machine() in ("arm64", "aarch64"):
        read = 'call i64 asm sideeffect "mrs $0, cntvct_el0", "=r"()'
        return f"define internal i64 @counter() alwaysinline nounwind {{\n  %t = {read}\n  ret i64 %t\n}}\n"
    return (
        "declare i64 @llvm.readcyclecounter()\n"
        "define internal i64 @counter() alwaysinline nounwind {\n"
        "  %t = call i64 @llvm.readcyclecounter()\n  ret i64 %t\n}\n"
    )


def thunk_text() -> str:
    """Return the module: `ROWS` thunks, which use a table and the ticks that inner thunks took, both imported."""
    thunks = [
        f"""
define i32 @thunk{row}(ptr %s, ptr %m, ptr %c) nounwind {{
  %row = getelementptr [{_WORDS} x i64], ptr @table, i64 {row}
  %before = load i64, ptr @inside
  store i64 0, ptr @inside
  %f = load ptr, ptr %row
  %t0 = call i64 @counter()
  %r = call i32 %f(ptr %s, ptr %m, ptr %c)
  %t1 = call i64 @counter()
  %all = sub i64 %t1, %t0
  %inner = load i64, ptr @inside
  %own = sub i64 %all, %inner
  %outer = add i64 %before, %all
  store i64 %outer, ptr @inside
  %ticks.p = getelementptr i64, ptr %row, i64 1
  %ticks = load i64, ptr %ticks.p
  %ticks1 = add i64 %ticks, %own
  store i64 %ticks1, ptr %ticks.p
  %calls.p = getelementptr i64, ptr %row, i64 2
  %calls = load i64, ptr %calls.p
  %calls1 = add i64 %calls, 1
  store i64 %calls1, ptr %calls.p
  ret i32 %r
}}
"""
        for row in range(ROWS)
    ]
    words = "@table = external global i64\n@inside = external global i64\n"
    read = "define i64 @read_counter() nounwind {\n  %t = call i64 @counter()\n  ret i64 %t\n}\n"
    return words + _counter() + read + "".join(thunks)


@dataclass(frozen=True, slots=True)
class KernelTime:
    """Say how long a kernel ran, without the kernels that it called, and how often."""

    name: str
    seconds: float
    calls: int


class KernelTimers:
    """Give thunks for kernels, and the times that they have measured."""

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler
        self._libraries: list[tuple[Library, NDArray[np.uint64]]] = []
        self._inside = np.zeros(1, np.uint64)
        self._thunks: dict[tuple[str, int], int] = {}
        self._names: list[str] = []
        self._add_library()
        self._began = (time.perf_counter(), self._ticks())

    def _add_library(self) -> None:
        table = np.zeros(ROWS * _WORDS, np.uint64)
        exports = [*(f"thunk{row}" for row in range(ROWS)), "read_counter"]
        imports = {"table": table.ctypes.data, "inside": self._inside.ctypes.data}
        library = Library([self._compiler.object(thunk_text(), START)], exports, imports)
        self._libraries.append((library, table))
        self._read = ctypes.CFUNCTYPE(ctypes.c_uint64)(library.addresses["read_counter"])

    def _ticks(self) -> int:
        return int(self._read())

    def wrap(self, name: str, address: int) -> int:
        """Return the address to call instead of a kernel's; the same one for the same kernel."""
        found = self._thunks.get((name, address))
        if found is None:
            number, row = divmod(len(self._names), ROWS)
            if number == len(self._libraries):
                self._add_library()
            library, words = self._libraries[number]
            words[row * _WORDS] = address
            self._names.append(name)
            found = self._thunks[name, address] = library.addresses[f"thunk{row}"]
        return found

    def times(self) -> list[KernelTime]:
        """Return what each kernel took, by name; those that have the same name are one."""
        seconds, ticks = time.perf_counter() - self._began[0], self._ticks() - self._began[1]
        second = seconds / ticks if ticks else 0.0
        found: dict[str, KernelTime] = {}
        for number, name in enumerate(self._names):
            words, row = self._libraries[number // ROWS][1], number % ROWS
            own, calls = int(words[row * _WORDS + 1]), int(words[row * _WORDS + 2])
            before = found.get(name, KernelTime(name, 0.0, 0))
            found[name] = KernelTime(name, before.seconds + own * second, before.calls + calls)
        return list(found.values())
