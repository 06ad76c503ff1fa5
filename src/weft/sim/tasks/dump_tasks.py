"""`$dumpfile`, `$dumpvars`, `$dumpoff`, `$dumpon`, `$dumpall`, `$dumplimit`, `$dumpflush` (IEEE 1800-2023 21.7.1).

The calls of one time choose what is dumped; the file begins in the postponed region of that time. A scope is named by
its path, and so are signals and elements of arrays. What Icarus Verilog says about a dump is said in its words.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.base.errors import UserError
from weft.sim.tasks.dump_scopes import Declaration, DumpScope, DumpSignal, ScopeIndex, Shown, WaveSink
from weft.sim.tasks.task_call import Handler, Host, TaskCall
from weft.sim.tasks.vcd_text import VcdSink

_ALL_LEVELS = 10_000
_SCOPE_ORDER = {"function": 0, "generate": 1, "module": 2, "begin": 3, "fork": 4, "task": 5}


class Dump:
    """Be the one waveform that the design asks for."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.path = ""
        self.sink: WaveSink | None = None
        self.begun_at: int | None = None
        self.off = self.full = self.scheduled = False
        self.limit = 0
        self._index: ScopeIndex | None = None
        self._declarations: list[Declaration] = []
        self._signals: dict[int, DumpSignal] = {}
        self._scanned: set[str] = set()
        self._chosen: set[str] = set()

    @property
    def index(self) -> ScopeIndex:
        """Return the design's scopes, asked for once."""
        if self._index is None:
            self._index = ScopeIndex(self._host.dump_scopes())
        return self._index

    # ---------------------------------------------------------------------------------------- what is dumped

    def open(self) -> None:
        """Open the file, and say so."""
        host = self._host
        path = self.path or "dump.vcd"
        factory = host.state.open_wave
        self.sink = (factory(path, host.tick_fs) if factory is not None else None) or VcdSink(path, host.tick_fs)
        host.out.write(f"{self.sink.title} info: dumpfile {path} opened for output.\n".encode())

    def add(self, levels: int, paths: Sequence[str], say: TaskCall) -> None:
        """Choose scopes with so many levels, signals and elements; nothing chosen means the whole design."""
        for path in paths or [top.path for top in self.index.tops]:
            scope, found = self.index.scope(path), None
            if scope is None:
                found = self.index.signal(path)
                if found is None:
                    say.fail(f"{say.name}: there is no scope or signal {path}.")
                    return
                if path in self._chosen or (found[0].path in self._scanned and "[" not in path):
                    self._say(f"VCD warning: skipping signal {path}, it was previously included.")
                    continue
            around = self.index.around(path)
            self._declarations += [Declaration(scope=outer) for outer in around]
            if scope is not None:
                self._add_scope(scope, levels)
            elif found is not None:
                self._add_signal(found[1], path)
            self._declarations += [Declaration()] * len(around)

    def _add_scope(self, scope: DumpScope, levels: int) -> None:
        if levels <= 0:
            return
        skip = scope.path in self._scanned
        if skip:
            self._say(f"VCD warning: ignoring signals in previously scanned scope {scope.path}.")
        self._scanned.add(scope.path)
        self._declarations.append(Declaration(scope=scope))
        for signal in sorted(scope.signals, key=lambda signal: signal.rank):
            path = f"{scope.path}.{signal.name}"
            if not skip and path not in self._chosen:
                self._add_signal(signal, "")
        for inner in sorted(scope.scopes, key=lambda scope: _SCOPE_ORDER.get(scope.kind, 2)):
            self._add_scope(inner, levels - 1)
        self._declarations.append(Declaration())

    def _add_signal(self, signal: DumpSignal, path: str) -> None:
        self._declarations.append(Declaration(signal=signal))
        self._signals.setdefault(signal.number, signal)
        if path:
            self._chosen.add(path)

    def _say(self, text: str) -> None:
        self._host.out.write(f"{text}\n".encode("utf-8", "surrogateescape"))

    # -------------------------------------------------------------------------------------------- the dumping

    def begin(self) -> None:
        """Write the beginning of the file, and follow the signals from now on."""
        assert self.sink is not None
        host = self._host
        self.begun_at = host.time
        self.sink.begin(self._declarations, host.time, self._values())
        if self.off:
            self.sink.section("dumpoff", host.time, [(signal, None) for signal in self._changing()])
        host.watch([signal.number for signal in self._changing()], self.change)

    def _changing(self) -> list[DumpSignal]:
        return [signal for signal in self._signals.values() if not signal.constant]

    def _values(self, constants: bool = True) -> list[tuple[DumpSignal, Shown]]:
        return [
            (signal, self._host.read(signal.number))
            for signal in self._signals.values()
            if constants or not signal.constant
        ]

    def change(self, signals: Sequence[int]) -> None:
        """Write the signals that have changed in this tick."""
        if self.off or self.full or self.sink is None or not signals:
            return
        if 0 < self.limit < self.sink.size():
            self.full = True
            text = f"Dump file limit ({self.limit} bytes) exceeded."
            self._say(f"WARNING: {text}")
            self.sink.comment(text)
            return
        values = [(self._signals[number], self._host.read(number)) for number in signals]
        self.sink.change(self._host.time, values)

    def switch(self, off: bool) -> None:
        """Do `$dumpoff` or `$dumpon`."""
        if self.off == off:
            return
        self.off = off
        if self.sink is None or self.begun_at is None:
            return
        if off:
            self.sink.section("dumpoff", self._host.time, [(signal, None) for signal in self._changing()])
        else:
            self.sink.section("dumpon", self._host.time, self._values(constants=False))

    def show_all(self) -> None:
        """Do `$dumpall`."""
        if self.sink is not None and self.begun_at is not None and not self.off:
            self.sink.section("dumpall", self._host.time, self._values(constants=False))

    def close(self, time: int) -> None:
        """Complete the file; a dump that never began has its declarations at least."""
        if self.sink is None:
            return
        if self.begun_at is None:
            self.begin()
        self.sink.close(None if self.off or self.full else time)
        self.sink = None


def _dump(call: TaskCall) -> Dump:
    state = call.host.state
    if state.dump is None:
        state.dump = Dump(call.host)
    return state.dump


def _dump_file(call: TaskCall) -> None:
    dump = _dump(call)
    path = call.path(0)
    if dump.scheduled:
        head = f"VCD warning: {call.host.place(call.span)}:"
        text = (
            f"{head} {call.name} called after $dumpvars started,\n{'':{len(head)}} using existing file ({dump.path}).\n"
        )
        call.host.out.write(text.encode("utf-8", "surrogateescape"))
        return
    if not path:
        call.warn(f"{call.name}'s file name argument is not a valid string.")
        return
    if "." not in path.rpartition("/")[2]:
        path += ".vcd"
    if dump.path:
        place = call.host.place(call.span)
        text = f"VCD warning: {place}: Overriding dump file {dump.path} with {path}.\n"
        call.host.out.write(text.encode("utf-8", "surrogateescape"))
    dump.path = path


def _dump_variables(call: TaskCall) -> None:
    dump = _dump(call)
    if dump.begun_at is not None:
        text = f"VCD warning: $dumpvars ignored, previously called at simtime {dump.begun_at}\n"
        call.host.out.write(text.encode())
        return
    if dump.sink is None:
        try:
            dump.open()
        except UserError:
            path = dump.path or "dump.vcd"
            text = f"VCD Error: {call.host.place(call.span)}: Unable to open {path} for output.\n"
            call.host.out.write(text.encode("utf-8", "surrogateescape"))
            call.host.finish(1)
            return
    names = [argument for argument in call.args if isinstance(argument, str)]
    levels = call.int32(0) if call.args and not isinstance(call.args[0], str) else 0
    dump.add(levels or _ALL_LEVELS, names, call)
    if not dump.scheduled:
        dump.scheduled = True
        call.host.at_end_of_tick(dump.begin)


def _dump_limit(call: TaskCall) -> None:
    _dump(call).limit = call.int32(0)


def _dump_flush(call: TaskCall) -> None:
    sink = _dump(call).sink
    if sink is not None:
        sink.flush()


TASKS: dict[str, Handler] = {
    "$dumpfile": _dump_file,
    "$dumpvars": _dump_variables,
    "$dumpoff": lambda call: _dump(call).switch(off=True),
    "$dumpon": lambda call: _dump(call).switch(off=False),
    "$dumpall": lambda call: _dump(call).show_all(),
    "$dumplimit": _dump_limit,
    "$dumpflush": _dump_flush,
}
