"""Do what a design tells the outside world: print, write files, finish, fail (IEEE 1800-2023 clauses 20 and 21).

Engines report effects as byte records (`ir.program` has the layout); `EffectRunner.run` decodes them in order and does
each. The interpreter of initial procedures calls `perform` directly, so both sides print through the same code.
Messages look as Icarus Verilog prints them, since people compare logs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from struct import Struct

from weft.base.dataclass import dataclass, field
from weft.base.errors import InternalError, Unsupported
from weft.base.source import SourceMap, Span
from weft.base.text_bytes import text_bytes
from weft.ir.assertion_control import AssertionControl
from weft.ir.cone_graph import ConeGraph
from weft.ir.design import SystemTask
from weft.ir.expressions import Text
from weft.ir.layout import container_bytes
from weft.ir.system_tasks import MONITOR_TASKS, POSTPONED_TASKS
from weft.sim.compile_message import CompiledMessage, compile_message
from weft.sim.design_files import DesignFiles, Output
from weft.sim.format_arguments import Argument, Value
from weft.sim.tasks.dump_scopes import DumpScope, DumpSignal
from weft.sim.tasks.port_states import Drive
from weft.sim.tasks.registry import TASKS
from weft.sim.tasks.task_call import TaskCall
from weft.sim.tasks.task_state import TaskState

_PRINTED = (
    f"${file}{task}{base}" for file in ("", "f") for task in ("display", "write") for base in ("", "b", "o", "h")
)
_PERFORMED = frozenset((
    *_PRINTED, *POSTPONED_TASKS, "$finish", "$stop", "$exit", "$info", "$warning", "$error", "$fatal", "$timeformat",
    "$printtimescale", "$fclose", "$fflush", "$monitoron", "$monitoroff",
))  # fmt: skip
_DUMPS = ("$dumpfile", "$dumpvars", "$dumpon", "$dumpoff", "$dumpall", "$dumpflush", "$dumplimit")
_HEAD = Struct("<IIQ")
"""A record's head: the effect, the bytes of the record, the time."""


def write_stdout(data: bytes) -> None:
    """Write to Python's standard output: bytes where it takes them, else text."""
    raw = getattr(sys.stdout, "buffer", None)
    if raw is None:
        sys.stdout.write(data.decode("utf-8", "replace"))
    else:
        sys.stdout.flush()
        raw.write(data)


def flush_stdout() -> None:
    """Bring what was written to Python's standard output to where it goes."""
    getattr(sys.stdout, "buffer", sys.stdout).flush()


@dataclass(slots=True)
class Outcome:
    """Hold what the design has said about itself so far."""

    finished: bool = False
    stopped: bool = False
    errors: int = 0
    finish_time_fs: int = 0


@dataclass(slots=True)
class _Layout:
    """Say where an effect's arguments lie in its record: (argument, offset, size, offset of the unknown plane)."""

    places: list[tuple[int, int, int, int]] = field(default_factory=list[tuple[int, int, int, int]])


@dataclass(frozen=True, slots=True)
class DumpRequest:
    """Be a call of `$dumpfile`, `$dumpvars` or their kin at time 0."""

    task: SystemTask
    values: tuple[Argument, ...]


class EffectHost:
    """Be the host of the system tasks that cycle engines perform; others ask it for what such an engine has not."""

    def __init__(self, runner: EffectRunner, tick_fs: int) -> None:
        self._runner = runner
        self.time, self.tick_fs = 0, tick_fs
        self.monitoring = True
        self.state = TaskState(runner.files, tick_fs)
        self.state.formats.shapes = False  # arguments come as bits

    @property
    def out(self) -> EffectHost:
        """Return what takes output: itself, as the runner's output may change."""
        return self

    def write(self, data: bytes, /) -> None:
        """Write to the simulation's output."""
        self._runner.output(data)

    def place(self, span: Span) -> str:
        """Return `path:line` of a statement."""
        sources = self._runner.sources
        if span.file < 0:
            return "<nowhere>"
        source = sources.files[span.file]
        return f"{source.path}:{source.position(span.start)[0]}"

    def finish(self, code: int) -> None:
        """Remember that the design has finished, and when."""
        outcome = self._runner.outcome
        outcome.finished, outcome.finish_time_fs = True, self.time * self.tick_fs

    def stop(self) -> None:
        """Remember that the design has stopped."""
        self._runner.outcome.stopped = True

    def report_error(self) -> None:
        """Count an error."""
        self._runner.outcome.errors += 1

    def enable_monitor(self, enabled: bool) -> None:
        """Do `$monitoron` and `$monitoroff`."""
        self.monitoring = enabled

    def cancel_monitors(self, matches: Callable[[int], bool]) -> None:
        """Do nothing: a monitor of a file that is closed writes nowhere."""

    def dump_scopes(self) -> Sequence[DumpScope]:
        """Refuse: waveforms of cycle engines are traced, not dumped."""
        raise InternalError("a cycle engine has no dump scopes")

    def read(self, signal: int) -> Value | float:
        """Refuse, as `dump_scopes` does."""
        raise InternalError(f"a cycle engine has no dump signal {signal}")

    def watch(self, signals: Sequence[int], change: Callable[[Sequence[int]], None]) -> None:
        """Refuse, as `dump_scopes` does."""
        raise InternalError("a cycle engine watches no dump signals")

    def follow_ports(
        self, ports: Sequence[tuple[str, DumpSignal]], change: Callable[[Sequence[int]], None]
    ) -> Callable[[int], Sequence[tuple[Drive, Drive]]]:
        """Refuse, as `dump_scopes` does."""
        raise InternalError("a cycle engine follows no ports")

    def at_end_of_tick(self, action: Callable[[], None]) -> None:
        """Refuse, as `dump_scopes` does."""
        raise InternalError("a cycle engine has no postponed actions")

    def time_scale(self, path: str) -> tuple[int, int]:
        """Refuse: the effect of `$printtimescale` has the scale of its own module."""
        raise Unsupported(f"$printtimescale of {path}")

    def control_assertions(self, change: Callable[[str, AssertionControl, int], int]) -> None:
        """Refuse: such assertions are checked without asking."""
        raise InternalError("a cycle engine controls no assertions")

    def driver_counts(self, path: str) -> tuple[int, int, int, bool]:
        """Refuse: nets have no drivers any more."""
        raise InternalError("a cycle engine counts no drivers")


class EffectRunner:
    """Perform system tasks, and remember what they said in `outcome`."""

    def __init__(self, graph: ConeGraph, sources: SourceMap, precision_fs: int, output: Output = write_stdout) -> None:
        self.graph, self.sources, self.output = graph, sources, output
        self.files = DesignFiles(output, flush_stdout if output is write_stdout else None)
        self.outcome = Outcome()
        self.host = EffectHost(self, precision_fs)
        self.dumps: list[DumpRequest] | None = []
        self._layouts: list[_Layout | None] = [None] * len(graph.effects)
        self._widths = graph.width
        self._messages: dict[int, CompiledMessage | None] = {}

    def use_graph(self, graph: ConeGraph) -> None:
        """Go on with the same design's graph, compiled anew."""
        self.graph = graph
        self._layouts = [None] * len(graph.effects)
        self._widths = graph.width
        self._messages.clear()

    def run(self, records: bytes) -> None:
        """Perform every effect of an engine's buffer, in order; what goes to one place goes there in one piece."""
        at, end, messages = 0, len(records), self._messages
        target, texts = 1, list[bytes]()
        while at < end:
            index, size, time_fs = _HEAD.unpack_from(records, at)
            if index not in messages:
                messages[index] = self._compile(index)
            effect, message = self.graph.effects[index], messages[index]
            if message is not None:
                self._enter(effect.scope, effect.time_unit_fs)
                line = message.text(records, at + 16)
                # The task itself says what it has to say of a descriptor that is not open.
                if line is not None and (line[0] == target or self.files.is_open(line[0])):
                    if line[0] != target:
                        self._write(target, texts)
                        target, texts = line[0], []
                    texts.append(line[1])
                    at += size
                    continue
            self._write(target, texts)
            target, texts = 1, []  # what it writes to may be open no longer
            values = self._decode(index, records, at + 16)
            self.perform(effect.task, values, effect.scope, time_fs, effect.time_unit_fs)
            at += size
        self._write(target, texts)

    def _compile(self, index: int) -> CompiledMessage | None:
        effect = self.graph.effects[index]
        widths = [int(self._widths[node]) if node >= 0 else 0 for node in effect.args]
        return compile_message(effect, widths, self.host.state.formats)

    def _enter(self, scope: str, time_unit_fs: int) -> None:
        """Set what formats look at to a place in the design."""
        context = self.host.state.formats
        context.scope, context.time_unit_fs = scope, time_unit_fs

    def _write(self, descriptor: int, texts: list[bytes]) -> None:
        if texts:
            self.files.write(descriptor, b"".join(texts))

    def _decode(self, index: int, records: bytes, at: int) -> list[Argument]:
        """Return an effect's arguments: literals from its statement, values from the record."""
        effect = self.graph.effects[index]
        layout = self._layouts[index]
        if layout is None:
            layout = self._layouts[index] = self._place(index)
        task = effect.task
        values: list[Argument] = [a.value if isinstance(a, Text) else None for a in task.args]
        values += [None] * (len(effect.args) - len(values))
        for position, offset, size, unknown_at in layout.places:
            start = at + offset
            value = int.from_bytes(records[start : start + size], "little")
            unknown = int.from_bytes(records[at + unknown_at : at + unknown_at + size], "little") if unknown_at else 0
            width = int(self._widths[effect.args[position]])
            signed = position < len(task.signed) and task.signed[position]
            values[position] = Value(width, value, unknown, signed)
        return values

    def _place(self, index: int) -> _Layout:
        effect = self.graph.effects[index]
        layout, offset = _Layout(), 0
        for position, node in enumerate(effect.args):
            if node < 0:
                continue
            size = container_bytes(int(self._widths[node]))
            layout.places.append((position, offset, size, offset + size if effect.unknowns else 0))
            offset += 2 * size if effect.unknowns else size
        return layout

    def call(
        self, task: SystemTask, values: Sequence[Argument], scope: str, time_fs: int, time_unit_fs: int
    ) -> TaskCall:
        """Return a call of a task at a time; its strings are the bytes of the text that the design has."""
        host = self.host
        host.time = time_fs // host.tick_fs
        args = [value if not isinstance(value, str) or value.isascii() else _bytes_as_text(value) for value in values]
        return TaskCall(task.name, [*args], host, scope, task.span, time_unit_fs, host.tick_fs)

    def perform(
        self, task: SystemTask, values: Sequence[Argument], scope: str, time_fs: int, time_unit_fs: int
    ) -> None:
        """Perform one system task now."""
        name = task.name
        if name in _DUMPS:
            if self.dumps is None:
                if name == "$dumpflush":
                    return
                raise Unsupported(f"{name} after time 0", task.span, sources=self.sources)
            self.dumps.append(DumpRequest(task, tuple(values)))
            return
        if name in ("$finish", "$stop", "$exit") and self.outcome.finished:
            return
        if name in MONITOR_TASKS and not self.host.monitoring:
            return
        if name not in _PERFORMED:
            raise Unsupported(f"the system task {name}", task.span, sources=self.sources)
        TASKS[name](self.call(task, values, scope, time_fs, time_unit_fs))


def _bytes_as_text(text: str) -> str:
    """Return the bytes of a text as one character each."""
    return text_bytes(text).decode("latin-1")
