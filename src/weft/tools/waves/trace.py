"""Trace a running program into a waveform file.

The compiled hook fills the segments of a ring with rows while a thread turns others into changes, and a second thread
those into the file; so the run waits only for a stage that cannot keep up. Python has part in it only when there is no
free segment, when the first thread has found nothing to do for a while and sleeps, and when a section of the file is
full. An error of the writer (a full disk) reaches the caller when the segments are used up, at a settled time, so the
simulation can go on without the trace.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import UserError
from weft.engines.cpu.jit import Compiler
from weft.engines.cpu.trace_hook import TraceHook
from weft.engines.cpu.unroller import ChainSection, Unroller
from weft.ir.cone_graph import ConeGraph
from weft.ir.layout import StateLayout
from weft.ir.program import StateArray
from weft.tools.waves.fst_writer import FstWriter
from weft.tools.waves.select_signals import select_signals
from weft.tools.waves.stage import Stage
from weft.tools.waves.vcd_writer import VcdWriter

_WAIT_SECONDS = 5e-4
"""How long to wait before looking again for free segments."""

_LOOK = "look"
"""What the thread of changes is told: look at the ring."""

_FORMATS = {".fst": FstWriter, ".vcd": VcdWriter}


class Trace:
    """Write the waveform of chosen signals. Call `drain` before each run, pass `hook` to it, and `close` at the end.

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
        self._unroller = Unroller(self.hook.plan, self.hook.ring, compiler, chains=suffix == ".fst")
        self.count = len(selection.nodes)
        self._writer = Stage("weft-wave-writer", self._write)
        self._changes = Stage("weft-wave-changes", self._unroll, room=1)
        self.hook.ring.parked = True
        self._closed = False

    def begin(self, state: StateArray) -> None:
        """Record all signals' values at the present, settled time."""
        self.drain()
        self.hook.call(state)

    def drain(self) -> None:
        """Prepare for a run: call the other thread if it sleeps, and wait for a segment if the hook has none."""
        waited = False
        while True:
            try:
                self._changes.check()
            except BaseException:
                self.hook.discard()
                raise
            self._wake()
            # A run that waits had better do so seldom, for several segments.
            if (not waited or 2 * self.hook.ring.free >= self.hook.ring.count - 1) and self.hook.resume():
                return
            waited = True
            time.sleep(_WAIT_SECONDS)

    def _wake(self) -> None:
        """Make the thread of changes look at the ring, if it does not."""
        if self.hook.ring.parked:
            self.hook.ring.parked = False
            self._changes.hand(_LOOK)

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

        def hand_rest() -> None:
            self._unroller.hurry()
            self.hook.seal()
            self._changes.hand(_LOOK)

        for step in (hand_rest, self._changes.finish, self._finish_section, self._writer.finish, complete):
            try:
                step()
            except BaseException as error:  # The first one is raised when every thread has ended.
                failures.append(error)
        if failures:
            raise failures[0]

    def _unroll(self, _: str) -> None:
        sections = self._unroller.chains() if isinstance(self._file, FstWriter) else self._unroller.logs()
        for section in sections:
            self._writer.hand(section)
        # What is published before the other side has seen this is taken when the next segment is.
        self.hook.ring.parked = True

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
