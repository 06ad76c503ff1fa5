"""Trace a running program into a waveform file.

The compiled hook fills one buffer with rows while a thread turns others into changes, and a second thread those into
the file; so the run waits only for a stage that cannot keep up. The buffer that was done last is filled next, since it
is still in the cache; the others are there for threads that have to wait for a processor. An error of the writer (a
full disk) reaches the caller at the next hand-over, at a settled time, so the simulation can go on without the trace.
"""

from __future__ import annotations

import queue
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import UserError
from weft.engines.cpu.jit import Compiler
from weft.engines.cpu.trace_hook import ChainSection, RowBuffer, TraceHook, Unroller
from weft.ir.cone_graph import ConeGraph
from weft.ir.layout import StateLayout
from weft.ir.program import StateArray
from weft.tools.waves.fst_writer import FstWriter
from weft.tools.waves.select_signals import select_signals
from weft.tools.waves.stage import Stage
from weft.tools.waves.vcd_writer import VcdWriter

BUFFERS = 8
"""Buffers of rows that a trace may have."""

_FORMATS = {".fst": FstWriter, ".vcd": VcdWriter}


class Trace:
    """Write the waveform of chosen signals. Pass `hook` to the runs, call `drain` when one returns, `close` at the end.

    `patterns` and `depth` choose the signals (see `select_signals`); `exponent` is the file's time unit as a power of
    ten of a second; `hot` are the clocks' input states, which toggle whatever happens.
    """

    def __init__(
        self,
        graph: ConeGraph,
        layout: StateLayout,
        path: str | Path,
        *,
        patterns: Sequence[str] = ("*",),
        depth: int | None = None,
        memories: bool = False,
        exponent: int | None = None,
        hot: frozenset[int] = frozenset(),
        compiler: Compiler | None = None,
    ) -> None:
        suffix = Path(path).suffix
        if suffix not in _FORMATS:
            raise UserError("bad-option", f"waveform {path}: the name must end in .fst or .vcd")
        selection = select_signals(graph, patterns, depth, memories=memories)
        self._file: FstWriter | VcdWriter = _FORMATS[suffix](
            path, selection.scopes, selection.logged, time_exponent(graph) if exponent is None else exponent
        )
        compiler = compiler or Compiler()
        self.hook = TraceHook(selection.graph, layout, selection.nodes, compiler, hot=hot)
        self._unroller = Unroller(self.hook.plan, compiler, chains=suffix == ".fst")
        self.count = len(selection.nodes)
        self._free: queue.LifoQueue[RowBuffer] = queue.LifoQueue()
        self._buffers = 1
        self._writer = Stage("weft-wave-writer", self._write)
        self._changes = Stage("weft-wave-changes", self._unroll, self._free.put, BUFFERS)
        self._closed = False

    def begin(self, state: StateArray) -> None:
        """Record all signals' values at the present, settled time."""
        if self.hook.call(state):
            self.drain()

    def drain(self) -> None:
        """Hand what has been traced to the other threads."""
        if self.hook.empty():
            return
        buffer = self.hook.take(self._next_buffer())
        try:
            self._changes.hand(buffer)
        except BaseException:
            self._free.put(buffer)
            raise

    def _next_buffer(self) -> RowBuffer:
        """Return a buffer that is free, or make one, or wait."""
        if self._free.empty() and self._buffers < BUFFERS:
            self._buffers += 1
            return self.hook.buffer()
        return self._free.get()

    def close(self, end_fs: int | None = None) -> None:
        """Write what is left and complete the file; end everything also after an error, and raise the first one.

        Calling it again does nothing.
        """
        if self._closed:
            return
        self._closed = True
        failures: list[BaseException] = []

        def complete() -> None:
            self._file.close(None if failures else end_fs)

        for step in (self.drain, self._changes.finish, self._finish_section, self._writer.finish, complete):
            try:
                step()
            except BaseException as error:  # The first one is raised when every thread has ended.
                failures.append(error)
        if failures:
            raise failures[0]

    def _unroll(self, buffer: RowBuffer) -> None:
        sections = self._unroller.chains(buffer) if isinstance(self._file, FstWriter) else self._unroller.logs(buffer)
        for section in sections:
            self._writer.hand(section)

    def _finish_section(self) -> None:
        section = self._unroller.finish()
        if section is not None:
            self._writer.hand(section)

    def _write(self, section: ChainSection | NDArray[np.uint32]) -> None:
        match self._file, section:
            case FstWriter() as fst, ChainSection():
                fst.write_chains(section)
            case VcdWriter() as vcd, np.ndarray():
                vcd.write_log(section)
            case _:
                raise AssertionError("chains go to FST files, logs to VCD files")


def time_exponent(graph: ConeGraph) -> int:
    """Return the finest time precision of the design's modules as a power of ten of a second."""
    precision_fs = min((scope.module.time_precision_fs for scope in graph.scopes), default=1_000_000)
    return len(str(precision_fs)) - 1 - 15
