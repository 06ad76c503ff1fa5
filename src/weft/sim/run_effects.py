"""Do what a design tells the outside world: print, write files, finish, fail (IEEE 1800-2023 clauses 20 and 21).

Engines report effects as byte records (`ir.program` has the layout); `EffectRunner.run` decodes them in order and does
each. The interpreter of initial procedures calls `perform` directly, so both sides print through the same code.
Messages look as Icarus Verilog prints them, since people compare logs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from struct import Struct
from typing import IO

from weft.base.dataclass import dataclass, field
from weft.base.errors import Unsupported, UserError
from weft.base.source import SourceMap, Span
from weft.ir.cone_graph import ConeGraph
from weft.ir.design import SystemTask
from weft.ir.expressions import Text
from weft.ir.layout import container_bytes
from weft.sim.compile_message import CompiledMessage, compile_message
from weft.sim.format_values import Argument, FormatContext, Value, format_message

_SEVERITIES = {"$info": "INFO", "$warning": "WARNING", "$error": "ERROR", "$fatal": "FATAL"}
_DUMPS = ("$dumpfile", "$dumpvars", "$dumpon", "$dumpoff", "$dumpall", "$dumpflush", "$dumplimit")
_FIRST_DESCRIPTOR = 0x8000_0003
_HEAD = Struct("<IIQ")
"""A record's head: the effect, the bytes of the record, the time."""

Output = Callable[[bytes], None]


def write_stdout(data: bytes) -> None:
    """Write to Python's standard output: bytes where it takes them, else text."""
    raw = getattr(sys.stdout, "buffer", None)
    if raw is None:
        sys.stdout.write(data.decode("utf-8", "replace"))
    else:
        sys.stdout.flush()
        raw.write(data)


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


class DesignFiles:
    """Hold the files that a design opens: multichannel descriptors and file descriptors (IEEE 1800-2023 21.3.1)."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._channels: dict[int, IO[bytes]] = {}
        self._descriptors: dict[int, IO[bytes]] = {}

    def open(self, path: str, mode: str | None) -> int:
        """Return a new descriptor, or 0 when the file cannot be opened, as the standard has it."""
        try:
            stream: IO[bytes] = Path(path).open((mode or "w").replace("b", "") + "b")  # noqa: SIM115
        except OSError:
            return 0
        if mode is not None:
            number = next(n for n in range(_FIRST_DESCRIPTOR, 1 << 32) if n not in self._descriptors)
            self._descriptors[number] = stream
            return number
        free = next((bit for bit in range(1, 31) if 1 << bit not in self._channels), None)
        if free is None:
            stream.close()
            return 0
        self._channels[1 << free] = stream
        return 1 << free

    def write(self, descriptor: int, data: bytes) -> None:
        """Write to every channel of a descriptor; unknown ones are ignored."""
        descriptor &= 0xFFFF_FFFF
        if descriptor & 0x8000_0000:
            if descriptor == 0x8000_0001:
                self._output(data)
            elif descriptor == 0x8000_0002:
                sys.stderr.write(data.decode("utf-8", "replace"))
            elif descriptor in self._descriptors:
                _write_all(self._descriptors[descriptor], data)
            return
        if descriptor & 1:
            self._output(data)
        for channel, stream in self._channels.items():
            if descriptor & channel:
                _write_all(stream, data)

    def flush(self) -> None:
        """Bring everything that was written to the files."""
        for stream in (*self._channels.values(), *self._descriptors.values()):
            stream.flush()

    def close(self, descriptor: int) -> None:
        """Close a file, or every file of a multichannel descriptor."""
        descriptor &= 0xFFFF_FFFF
        if descriptor & 0x8000_0000:
            stream = self._descriptors.pop(descriptor, None)
            if stream is not None:
                stream.close()
            return
        for channel in [channel for channel in self._channels if descriptor & channel]:
            self._channels.pop(channel).close()

    def close_all(self) -> None:
        """Close every file."""
        for descriptor in list(self._descriptors):
            self.close(descriptor)
        self.close(0x7FFF_FFFE)


def _write_all(stream: IO[bytes], data: bytes) -> None:
    try:
        stream.write(data)
    except OSError as error:
        raise UserError("cannot-write", f"cannot write '{stream.name}': {error.strerror}") from error


class EffectRunner:
    """Perform system tasks, and remember what they said in `outcome`."""

    def __init__(self, graph: ConeGraph, sources: SourceMap, precision_fs: int, output: Output = write_stdout) -> None:
        self.graph, self.sources, self.output = graph, sources, output
        self.files = DesignFiles(output)
        self.outcome = Outcome()
        self.context = FormatContext(precision_fs=precision_fs)
        self.monitoring = True
        self.dumps: list[DumpRequest] | None = []
        self._layouts: list[_Layout | None] = [None] * len(graph.effects)
        self._messages: dict[int, CompiledMessage | None] = {}
        self._widths = graph.width

    def use_graph(self, graph: ConeGraph) -> None:
        """Go on with the same design's graph, compiled anew."""
        self.graph = graph
        self._layouts = [None] * len(graph.effects)
        self._messages.clear()
        self._widths = graph.width

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
                if line is not None:
                    if line[0] != target:
                        self._write(target, texts)
                        target, texts = line[0], []
                    texts.append(line[1])
                    at += size
                    continue
            self._write(target, texts)
            texts = []
            values = self._decode(index, records, at + 16)
            self.perform(effect.task, values, effect.scope, time_fs, effect.time_unit_fs)
            at += size
        self._write(target, texts)

    def _compile(self, index: int) -> CompiledMessage | None:
        effect = self.graph.effects[index]
        widths = [int(self._widths[node]) if node >= 0 else 0 for node in effect.args]
        return compile_message(effect, widths, self.context)

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

    def perform(
        self, task: SystemTask, values: Sequence[Argument], scope: str, time_fs: int, time_unit_fs: int
    ) -> None:
        """Perform one system task now."""
        name = task.name
        self._enter(scope, time_unit_fs)
        if name in ("$finish", "$stop", "$exit"):
            self._stop(task, values, time_fs)
        elif name in _SEVERITIES:
            self._report(task, values, scope, time_fs)
        elif name in _DUMPS:
            if self.dumps is None:
                if name == "$dumpflush":
                    return
                raise Unsupported(f"{name} after time 0", task.span, sources=self.sources)
            self.dumps.append(DumpRequest(task, tuple(values)))
        elif name == "$timeformat":
            self._set_time_format(values, task.span)
        elif name == "$fclose":
            self.files.close(_integer(values[0]))
        elif name == "$fflush":
            self.files.flush()
        elif name in ("$monitoron", "$monitoroff"):
            self.monitoring = name == "$monitoron"
        elif name == "$printtimescale":
            self._print_timescale(scope, time_unit_fs)
        else:
            self._print(task, values)

    def _enter(self, scope: str, time_unit_fs: int) -> None:
        """Set what formats look at to a place in the design."""
        self.context.scope, self.context.time_unit_fs = scope, time_unit_fs

    def _print(self, task: SystemTask, values: Sequence[Argument]) -> None:
        name = task.name.removeprefix("$")
        to_file = name.startswith("f")
        stem = name.removeprefix("f") if to_file else name
        base = "d"
        if stem not in ("display", "write", "strobe", "monitor"):
            stem, base = stem[:-1], stem[-1]
            if stem not in ("display", "write", "strobe", "monitor") or base not in "boh":
                raise Unsupported(f"the system task {task.name}", task.span, sources=self.sources)
        if stem == "monitor" and not self.monitoring:
            return
        text = format_message(values[1:] if to_file else values, self.context, base, task.span)
        if stem != "write":
            text += b"\n"
        if to_file:
            self.files.write(_integer(values[0]), text)
        else:
            self.output(text)

    def _stop(self, task: SystemTask, values: Sequence[Argument], time_fs: int) -> None:
        if self.outcome.finished:
            return
        level = _integer(values[0]) if values else 1
        if level:
            precision = self.context.precision_fs
            where = _place(self.sources, task.span)
            at = time_fs // precision
            self.output(f"{where}: {task.name} called at {at} ({_unit_text(precision)})\n".encode())
        if task.name != "$stop":
            self.outcome.finished, self.outcome.finish_time_fs = True, time_fs
        else:
            self.outcome.stopped = True

    def _report(self, task: SystemTask, values: Sequence[Argument], scope: str, time_fs: int) -> None:
        """Print a severity message (IEEE 1800-2023 20.10); `$fatal`'s first argument is its finish number."""
        label = _SEVERITIES[task.name]
        if task.name == "$fatal" and values and isinstance(values[0], Value):
            values = values[1:]
        text = format_message(values, self.context, span=task.span)
        place = _place(self.sources, task.span)
        ticks = time_fs // self.context.precision_fs
        head = f"{label}: {place}: ".encode() + text
        self.output(head + f"\n{'':{len(label) + 2}}Time: {ticks} Scope: {scope}\n".encode())
        if label in ("ERROR", "FATAL"):
            self.outcome.errors += 1
        if label == "FATAL":
            self.outcome.finished, self.outcome.finish_time_fs = True, time_fs

    def _set_time_format(self, values: Sequence[Argument], span: Span) -> None:
        if not values:
            self.context.shown_unit_fs = 0
            self.context.time_digits, self.context.time_suffix, self.context.time_width = 0, "", 20
            return
        if len(values) < 4:
            raise UserError("bad-option", "$timeformat takes no arguments or four", span, sources=self.sources)
        unit, digits, suffix, width = values[:4]
        text = suffix if isinstance(suffix, str) else _text(suffix)
        exponent = _integer(unit)
        if not -15 <= exponent <= 0:
            raise UserError("bad-option", f"$timeformat: unit {exponent} is not -15 to 0", span, sources=self.sources)
        self.context.set_time_format(exponent, _integer(digits), text, _integer(width))

    def _print_timescale(self, scope: str, time_unit_fs: int) -> None:
        precision = _unit_text(self.context.precision_fs)
        self.output(f"Time scale of ({scope}) is {_unit_text(time_unit_fs)} / {precision}\n".encode())


def _integer(value: Argument) -> int:
    """Return an argument's number; unknown bits count as 0."""
    if not isinstance(value, Value):
        return int(value) if isinstance(value, float) else 0
    known = value.value & ~value.unknown
    return known - (1 << value.width) if value.signed and known >> (value.width - 1) else known


def _text(value: Argument) -> str:
    if not isinstance(value, Value):
        return ""
    return value.value.to_bytes((value.width + 7) // 8, "big").replace(b"\0", b"").decode("utf-8", "replace")


def _unit_text(time_fs: int) -> str:
    """Return a power of ten of femtoseconds as `1ns`."""
    for unit, size in (("s", 10**15), ("ms", 10**12), ("us", 10**9), ("ns", 10**6), ("ps", 10**3)):
        if time_fs >= size:
            return f"{time_fs // size}{unit}"
    return f"{time_fs}fs"


def _place(sources: SourceMap, span: Span) -> str:
    """Return `path:line` of a statement."""
    if span.file < 0:
        return "<nowhere>"
    source = sources.files[span.file]
    return f"{source.path}:{source.position(span.start)[0]}"
