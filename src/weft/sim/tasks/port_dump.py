"""`$dumpports` and its kin: an extended VCD file of modules' ports (IEEE 1800-2023 21.7.3, 21.7.4).

Each bit of a port is a state character and two strengths, of its drive to 0 and to 1 (`port_states`). A port is written
when its line differs from the last one: also if what drives it has changed and its value has not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weft.base.errors import UserError
from weft.sim.tasks.dump_scopes import DumpScope, DumpSignal, ScopeIndex
from weft.sim.tasks.port_states import Drive, port_state
from weft.sim.tasks.task_call import Handler, Host, TaskCall
from weft.sim.tasks.vcd_text import TextFile, file_head

_UNKNOWN = {"input": "N", "output": "X", "inout": "?"}
_STRONG = "6"
_DEFAULT_PATH = "dumpports.vcd"


class PortDump:
    """Be one extended VCD file."""

    def __init__(self, host: Host, path: str) -> None:
        self._host, self.path = host, path
        self._file = TextFile(path)
        self._file.write(file_head(host.tick_fs))
        self._ports: list[tuple[str, DumpSignal]] = []
        self._written: list[str] = []
        self._read: Callable[[int], Sequence[tuple[Drive, Drive]]] | None = None
        self._time = -1
        self.off = self.full = self.begun = False
        self.limit = 0

    def add(self, scope: DumpScope, around: Sequence[DumpScope]) -> None:
        """Declare the ports of a module; the format has no states for those that are reals."""
        for outer in (*around, scope):
            self._file.write(f"$scope module {outer.name} $end\n")
        for signal in scope.signals:
            if not signal.direction or signal.kind == "real":
                continue
            count = len(self._ports)
            size = "1" if signal.bounds is None and signal.width == 1 else f"[{_bounds(signal)}]"
            self._file.write(f"$var port {size} <{count} {signal.name} $end\n")
            self._ports.append((scope.path, signal))
        self._file.write("$upscope $end\n" * (len(around) + 1))

    def begin(self) -> None:
        """End the declarations, write all values and follow the ports."""
        self.begun = True
        self._file.write("$enddefinitions $end\n")
        self._written = [""] * len(self._ports)
        self._read = self._host.follow_ports(self._ports, self.change)
        self.section("dumpports")

    def section(self, keyword: str) -> None:
        """Write all values; those of `dumpportsoff` are unknown."""
        if not self.begun or self.full:
            return
        self._move()
        self._file.write(f"${keyword}\n")
        for number, (_, signal) in enumerate(self._ports):
            off = keyword == "dumpportsoff"
            self._written[number] = _unknown_text(signal) if off else self._text(number)
            self._file.write(f"{self._written[number]} <{number}\n")
        self._file.write("$end\n")

    def change(self, ports: Sequence[int]) -> None:
        """Write the ports that have changed in this tick."""
        if self.off or self.full:
            return
        texts = {number: self._text(number) for number in ports}
        texts = {number: text for number, text in texts.items() if text != self._written[number]}
        if not texts:
            return
        if 0 < self.limit < self._file.written:
            self.full = True
            self._file.write(f"$comment Dump file limit ({self.limit} bytes) exceeded. $end\n")
            return
        self._move()
        for number, text in texts.items():
            self._written[number] = text
            self._file.write(f"{text} <{number}\n")

    def _move(self) -> None:
        if self._host.time != self._time:
            self._time = self._host.time
            self._file.write(f"#{self._time}\n")

    def _text(self, number: int) -> str:
        """Return a port's states, strengths of 0 and strengths of 1."""
        assert self._read is not None
        states, zeros, ones = zip(*(port_state(*drives) for drives in self._read(number)), strict=True)
        return f"p{''.join(states)} {''.join(map(str, zeros))} {''.join(map(str, ones))}"

    def flush(self) -> None:
        """Bring everything to the file."""
        self._file.flush()

    def close(self, time: int) -> None:
        """Complete the file."""
        if not self.begun:
            self.begin()
        self._file.write(f"$vcdclose #{time} $end\n")
        self._file.close()


def _bounds(signal: DumpSignal) -> str:
    left, right = signal.bounds or (signal.width - 1, 0)
    return f"{left}:{right}"


def _unknown_text(signal: DumpSignal) -> str:
    """Return what a port is written as while dumping is off."""
    return f"p{_UNKNOWN[signal.direction] * signal.width} {_STRONG * signal.width} {_STRONG * signal.width}"


def _dump_ports(call: TaskCall) -> None:
    """Do `$dumpports([scopes...] [, file])`; without scopes it is the calling module's ports."""
    host = call.host
    names = [argument for argument in call.args if isinstance(argument, str)]
    index = ScopeIndex(host.dump_scopes())
    path = _DEFAULT_PATH
    if call.args and (not names or index.scope(call.text(len(call.args) - 1)) is None):
        path = call.path(len(call.args) - 1)
        names = [name for name in names if index.scope(name) is not None]
    if path in host.state.port_dumps:
        call.warn(f"{call.name} ignored, {path} is being written already.")
        return
    try:
        dump = PortDump(host, path)
    except UserError:
        call.fail(f"{call.name}: Unable to open {path} for output.")
        return
    for name in names or [_module_path(index, call.scope)]:
        scope = index.scope(name)
        if scope is None or scope.kind != "module":
            call.fail(f"{call.name}: {name} is no module.")
            return
        dump.add(scope, index.around(name))
    host.state.port_dumps[path] = dump
    host.at_end_of_tick(dump.begin)


def _module_path(index: ScopeIndex, path: str) -> str:
    """Return the path of the module that a scope is in."""
    while path:
        scope = index.scope(path)
        if scope is not None and scope.kind == "module":
            return path
        path = path.rpartition(".")[0]
    return path


def _chosen(call: TaskCall, position: int) -> list[PortDump]:
    """Return the files that a task means: the one named, or all."""
    dumps = call.host.state.port_dumps
    if len(call.args) <= position:
        return list(dumps.values())
    found = dumps.get(call.path(position))
    return [] if found is None else [found]


def _switch(call: TaskCall) -> None:
    off = call.name == "$dumpportsoff"
    for dump in _chosen(call, 0):
        if dump.off != off:
            dump.off = off
            dump.section(call.name[1:])


def _all(call: TaskCall) -> None:
    for dump in _chosen(call, 0):
        if not dump.off:
            dump.section("dumpportsall")


def _limit(call: TaskCall) -> None:
    for dump in _chosen(call, 1):
        dump.limit = call.int32(0)


def _flush(call: TaskCall) -> None:
    for dump in _chosen(call, 0):
        dump.flush()


TASKS: dict[str, Handler] = {
    "$dumpports": _dump_ports,
    "$dumpportsoff": _switch,
    "$dumpportson": _switch,
    "$dumpportsall": _all,
    "$dumpportslimit": _limit,
    "$dumpportsflush": _flush,
}
