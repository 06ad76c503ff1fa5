"""`$dumpports` and its kin: an extended VCD file of modules' ports (IEEE 1800-2023 21.7.3, 21.7.4).

Each bit of a port is a state character and two strengths, of its drive to 0 and to 1. The character tells the
direction too: an input's are D U N Z, an output's L H X T, and of an inout, where both sides may drive, 0 1 ? F.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.base.errors import UserError
from weft.sim.format_arguments import NetValue, Value
from weft.sim.tasks.dump_scopes import DumpScope, DumpSignal, ScopeIndex
from weft.sim.tasks.task_call import Handler, Host, TaskCall
from weft.sim.tasks.vcd_text import TextFile, file_head

_STATES = {"input": "DUNZ", "output": "LHXT", "inout": "01?F"}
_LEVELS = {"Hi": 0, "Sm": 1, "Me": 2, "We": 3, "La": 4, "Pu": 5, "St": 6, "Su": 7}
_DEFAULT_PATH = "dumpports.vcd"


class PortDump:
    """Be one extended VCD file."""

    def __init__(self, host: Host, path: str) -> None:
        self._host, self.path = host, path
        self._file = TextFile(path)
        self._file.write(file_head(host.tick_fs))
        self._ports: dict[int, list[tuple[int, DumpSignal]]] = {}
        self._count = 0
        self._time = -1
        self.off = self.full = self.begun = False
        self.limit = 0

    def add(self, scope: DumpScope, around: Sequence[DumpScope]) -> None:
        """Declare the ports of a module."""
        for outer in (*around, scope):
            self._file.write(f"$scope module {outer.name} $end\n")
        for signal in scope.signals:
            if not signal.direction:
                continue
            size = "1" if signal.bounds is None and signal.width == 1 else f"[{_bounds(signal)}]"
            self._file.write(f"$var port {size} <{self._count} {signal.name} $end\n")
            self._ports.setdefault(signal.number, []).append((self._count, signal))
            self._count += 1
        self._file.write("$upscope $end\n" * (len(around) + 1))

    def begin(self) -> None:
        """End the declarations, write all values and follow the ports."""
        self.begun = True
        self._file.write("$enddefinitions $end\n")
        self.section("dumpports")
        self._host.watch(list(self._ports), self.change)

    def section(self, keyword: str) -> None:
        """Write all values; those of `dumpportsoff` are unknown."""
        if not self.begun or self.full:
            return
        self._move()
        self._file.write(f"${keyword}\n")
        self._values(list(self._ports), unknown=keyword == "dumpportsoff")
        self._file.write("$end\n")

    def change(self, signals: Sequence[int]) -> None:
        """Write the ports that have changed in this tick."""
        if self.off or self.full:
            return
        if 0 < self.limit < self._file.written:
            self.full = True
            self._file.write(f"$comment Dump file limit ({self.limit} bytes) exceeded. $end\n")
            return
        self._move()
        self._values(signals, unknown=False)

    def _move(self) -> None:
        if self._host.time != self._time:
            self._time = self._host.time
            self._file.write(f"#{self._time}\n")

    def _values(self, signals: Sequence[int], unknown: bool) -> None:
        for number in signals:
            value = self._host.read(number)
            for code, signal in self._ports[number]:
                if unknown:
                    shown: Value = Value(signal.width, 0, (1 << signal.width) - 1)
                else:
                    shown = value if isinstance(value, Value) else Value(signal.width, int(value))
                self._file.write(_port_value(signal, shown, code))

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


def _port_value(signal: DumpSignal, value: Value, code: int) -> str:
    """Return one port's line: states, strengths to 0, strengths to 1, code."""
    states = zeros = ones = ""
    strengths = value.strengths if isinstance(value, NetValue) else ()
    for place, at in enumerate(range(value.width - 1, -1, -1)):
        bit = (value.value >> at & 1) | (value.unknown >> at & 1) << 1  # 0, 1, 2 for x, 3 for z
        level = _LEVELS.get(strengths[place][:2], 6) if place < len(strengths) else 6
        states += _STATES[signal.direction][bit]
        zeros += str(level if bit in (0, 2) else 0)
        ones += str(level if bit in (1, 2) else 0)
    return f"p{states} {zeros} {ones} <{code}\n"


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
