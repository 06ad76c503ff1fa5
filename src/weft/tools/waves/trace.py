"""Trace a running program into a waveform file.

The compiled hook fills one buffer while a thread turns the other into changes and file data, so the run waits only for a
writer that cannot keep up. An error of the writer (a full disk) reaches the caller at the next hand-over.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from weft.base.errors import UserError
from weft.engines.cpu.jit import Compiler
from weft.engines.cpu.trace_hook import RowBuffer, TraceHook, Unroller
from weft.ir.cone_graph import ConeGraph
from weft.ir.layout import StateLayout
from weft.ir.program import StateArray
from weft.tools.waves.fst_writer import FstWriter
from weft.tools.waves.select_signals import select_signals
from weft.tools.waves.vcd_writer import VcdWriter

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
        self._buffers: queue.Queue[RowBuffer | None] = queue.Queue(maxsize=1)
        self._failure: UserError | None = None
        self._thread = threading.Thread(target=self._write, name="weft-wave-writer", daemon=True)
        self._thread.start()

    def begin(self, state: StateArray) -> None:
        """Record all signals' values at the present, settled time."""
        if self.hook.call(state):
            self.drain()

    def drain(self) -> None:
        """Hand what has been traced to the writer thread, once it is done with the buffer before."""
        self._buffers.join()
        self._raise()
        buffer = self.hook.take()
        if buffer is not None:
            self._buffers.put(buffer)

    def close(self, end_fs: int | None = None) -> None:
        """Write what is left and complete the file; calling it again does nothing."""
        if not self._thread.is_alive():
            return
        if self._failure is None:
            self.drain()
        self._buffers.put(None)
        self._thread.join()
        self._file.close(end_fs if self._failure is None else None)
        self._raise()

    def _write(self) -> None:
        while (buffer := self._buffers.get()) is not None:
            self._attempt(lambda buffer=buffer: self._write_buffer(buffer))
            self._buffers.task_done()
        self._attempt(self._write_rest)
        self._buffers.task_done()

    def _attempt(self, action: Callable[[], None]) -> None:
        """Do something unless it or something before has failed."""
        if self._failure is None:
            try:
                action()
            except UserError as error:
                self._failure = error

    def _write_buffer(self, buffer: RowBuffer) -> None:
        match self._file:
            case FstWriter() as fst:
                for section in self._unroller.chains(buffer):
                    fst.write_chains(section)
            case VcdWriter() as vcd:
                for log in self._unroller.logs(buffer):
                    vcd.write_log(log)

    def _write_rest(self) -> None:
        if isinstance(self._file, FstWriter) and (section := self._unroller.finish()) is not None:
            self._file.write_chains(section)

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure


def time_exponent(graph: ConeGraph) -> int:
    """Return the finest time precision of the design's modules as a power of ten of a second."""
    precision_fs = min((scope.module.time_precision_fs for scope in graph.scopes), default=1_000_000)
    return len(str(precision_fs)) - 1 - 15
