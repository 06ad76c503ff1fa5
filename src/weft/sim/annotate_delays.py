"""Change the delays and limits of a running design as delay files say (`$sdf_annotate`, IEEE 1800-2023 clause 32).

An entry is matched as Icarus Verilog does it: an IOPATH without an edge means paths of any edge, one without a
condition paths of any condition. What matches nothing is said once for each entry, in Icarus's words. Delays of
interconnections are those of the port that they lead to, so that of several sources the last one counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from weft.base.dataclass import dataclass, field
from weft.base.errors import UserError
from weft.engines.event.elaborate import Node
from weft.engines.event.engine import EventEngine
from weft.ir.design import Design, Expr, Instance, Module, Ref, Signal, Slice
from weft.ir.specify import CheckEvent, TimingCheck, expand_delays
from weft.passes.insert_path_delays import PathTable
from weft.sim.design_timing import DesignTiming
from weft.sim.sdf_file import CHECKS, SdfCell, SdfEntry, SdfFile, SdfPort, Triple, name_parts
from weft.sim.tasks.task_call import Writer

CHOICES = {"min": 0, "typ": 1, "max": 2}
_BITS = re.compile(r"(.*?)\[\s*(\d+)\s*(?::\s*(\d+)\s*)?\]", re.DOTALL)
_FROM_NAMES = {
    "SETUP": ("$setup", "$setuphold"),
    "HOLD": ("$hold", "$setuphold"),
    "RECOVERY": ("$recovery", "$recrem"),
    "REMOVAL": ("$removal", "$recrem"),
}
"""The checks that an entry means besides the one of its own name."""

_DATA_FIRST = frozenset({"SETUP", "HOLD", "SETUPHOLD"})
"""The entries whose first port is that of the data; the second one is the reference."""


@dataclass(slots=True)
class DelayAnnotator:
    """Write the delays of files into a design's memory.

    `choice` is `min`, `typ` or `max`: what `scale` has for it is multiplied with value number `source` of three.
    """

    engine: EventEngine
    timing: DesignTiming
    out: Writer
    choice: str = "typ"
    scale: tuple[Fraction, ...] = (Fraction(1), Fraction(1), Fraction(1))
    source: int = -1
    _file: SdfFile = field(init=False)

    def __post_init__(self) -> None:
        if self.source < 0:
            self.source = CHOICES[self.choice]

    def annotate(self, file: SdfFile, scope: Node) -> None:
        """Apply a whole file from a scope on."""
        self._file = file
        for line, what in file.skipped:
            self._say("WARNING", line, f"{what} not supported.")
        for cell in file.cells:
            for node in self._nodes(cell, scope):
                for entry in cell.entries:
                    self._apply(entry, node)

    def _say(self, kind: str, line: int, text: str) -> None:
        self.out.write(f"SDF {kind}: {self._file.path}:{line}: {text}\n".encode("utf-8", "surrogateescape"))

    def _nodes(self, cell: SdfCell, scope: Node) -> list[Node]:
        if cell.instance == "*":
            found = [node for node in _below(scope) if node.unit.module.name == cell.kind]
            if not found:
                self._say("ERROR", cell.line, f"Unable to find an instance of {cell.kind} in scope {scope.path}.")
            return found
        node = find_instance(scope, name_parts(cell.instance, self._file.divider))
        if node is None:
            self._say("ERROR", cell.line, f"Unable to find {cell.instance} in scope {scope.path}.")
            return []
        if cell.kind and node.unit.module.name != cell.kind:
            where = f"Module {cell.instance} in {scope.path} is not a {cell.kind}"
            self._say("ERROR", cell.line, f"{where}; it is a {node.unit.module.name}")
        return [node]

    # ------------------------------------------------------------------------------------------- values

    def _ticks(self, value: Triple, node: Node) -> int | None:
        """Return the chosen one of three values in ticks, rounded to the precision of the instance's module."""
        number = value[self.source]
        if number is None:
            return None
        precision = node.unit.module.time_precision_fs
        steps = number * self.scale[CHOICES[self.choice]] * self._file.scale_fs / precision
        whole = int(abs(steps) + Fraction(1, 2))
        tick = self.engine.code.tick_fs
        return (whole if steps >= 0 else -whole) * (precision // tick)

    def _set_delays(self, node: Node, table: Signal, entry: SdfEntry) -> None:
        """Write a table of delays; what a file leaves empty stays as it is."""
        old = [self.engine.read(node, table, i)[0] for i in range(12)]
        given: list[int] = []
        for i, value in enumerate(entry.values):
            ticks = self._ticks(value, node)
            if ticks is None:
                given.append(old[i])
            else:
                given.append(max(0, ticks + old[i] if entry.increment else ticks))
        for i, ticks in enumerate(expand_delays(tuple(given))):
            self.engine.write(node, table, i, ticks, 0)

    # ------------------------------------------------------------------------------------------- entries

    def _apply(self, entry: SdfEntry, node: Node) -> None:
        if entry.kind in CHECKS:
            self._apply_check(entry, node)
        elif entry.kind in ("INTERCONNECT", "PORT"):
            self._apply_port(entry, node)
        elif entry.kind == "NETDELAY":
            self._say("WARNING", entry.line, "NETDELAY not supported.")
        else:
            self._apply_path(entry, node)

    def _apply_path(self, entry: SdfEntry, node: Node) -> None:
        found = [table for table in self.timing.tables.get(node.unit.module, []) if self._is_path(table, entry)]
        for table in found:
            self._set_delays(node, table.table, entry)
        if found:
            return
        names = " -> ".join(f"{_edge_text(port)}{port.name}" for port in entry.ports)
        self._say("ERROR", entry.line, f"Unable to match ModPath {names} in {node.path}")

    def _is_path(self, table: PathTable, entry: SdfEntry) -> bool:
        path = table.path
        if entry.kind == "DEVICE":
            return not entry.ports or _covers(entry.ports[0], Ref(table.destination), table.bit)
        source, destination = entry.ports
        if source.edge in ("posedge", "negedge") and source.edge != path.edge:
            return False
        if entry.condition and entry.condition != _plain(path.text):
            return False
        if entry.otherwise and not path.ifnone:
            return False
        return _covers(source, table.source) and _covers(destination, Ref(table.destination), table.bit)

    def _apply_port(self, entry: SdfEntry, node: Node) -> None:
        port = entry.ports[-1]
        target, name = find_port(node, port.name, self._file.divider)
        base, low, high = _split_bits(name)
        tables = self.timing.ports.get(target.unit.module, []) if target is not None else []
        found = [table for table in tables if _same_name(table.port, base)]
        if low is not None and target is not None:
            signal = next((p.signal for p in target.unit.module.ports if _same_name(p.name, base)), None)
            bits = _bit_range(_declared(target.unit.module, signal, base), low, high)
            found = [table for table in found if table.bit in bits]
        for table in found:
            assert target is not None
            self._set_delays(target, table.table, entry)
        if not found:
            what = f"{entry.kind} to {port.name}" if entry.kind == "INTERCONNECT" else f"PORT {port.name}"
            self._say("ERROR", entry.line, f"Unable to match {what} in {node.path}")

    # ------------------------------------------------------------------------------------------- checks

    def _apply_check(self, entry: SdfEntry, node: Node) -> None:
        own = f"${entry.kind.lower()}"
        names = _FROM_NAMES.get(entry.kind, (own,))
        ports = entry.ports[::-1] if entry.kind in _DATA_FIRST else entry.ports
        matched = False
        for limits in self.timing.limits.get(node.unit.module, []):
            check = limits.check
            if check.kind not in names or not _matches_check(check, ports):
                continue
            matched = True
            for index, value in _limit_values(check, entry):
                ticks = self._ticks(value, node)
                if ticks is None:
                    continue
                if entry.increment:
                    ticks += self.engine.read(node, limits.limits[index])[0] - limits.added_ticks[index]
                new = max(0, ticks + limits.added_ticks[index])
                self.engine.write(node, limits.limits[index], 0, new, 0)
        if not matched:
            names_text = " ".join(f"{_edge_text(port)}{port.name}" for port in entry.ports)
            self._say("ERROR", entry.line, f"Unable to match {entry.kind} {names_text} in {node.path}")


def _limit_values(check: TimingCheck, entry: SdfEntry) -> Iterator[tuple[int, Triple]]:
    """Yield which limits of a check an entry gives, and their values.

    The limits of a check with a window are those before and after the reference event.
    """
    window = check.kind in ("$setuphold", "$recrem")
    if entry.kind in ("HOLD", "RECOVERY") and window:
        yield 1, entry.values[0]
    elif entry.kind == "RECREM":
        yield 1, entry.values[0]
        if len(entry.values) > 1:
            yield 0, entry.values[1]
    else:
        yield 0, entry.values[0]
        if len(entry.values) > 1 and len(check.limits_fs) > 1:
            yield 1, entry.values[1]


def _matches_check(check: TimingCheck, ports: tuple[SdfPort, ...]) -> bool:
    """Say whether an entry's ports are those of a check; the reference comes first in both, except in `$setup`."""
    events = check.events[::-1] if check.kind == "$setup" else check.events
    return len(events) == len(ports) and all(_matches_event(e, p) for e, p in zip(events, ports, strict=True))


def _matches_event(event: CheckEvent, port: SdfPort) -> bool:
    if port.edge in ("posedge", "negedge") and event.edge != port.edge:
        return False
    if port.condition:
        _, _, written = event.text.partition("&&&")
        if _plain(written) != port.condition.strip("()"):
            return False
    return _covers(port, event.terminal)


def _covers(port: SdfPort, terminal: Expr, bit: int | None = None) -> bool:
    """Say whether a port of a file means a terminal, or one bit of it."""
    base, low, high = _split_bits(port.name)
    offset, width = 0, terminal.width
    while isinstance(terminal, Slice):
        assert isinstance(terminal.offset, int)
        offset += terminal.offset
        terminal = terminal.value
    if not isinstance(terminal, Ref) or not _same_name(terminal.signal.name, base):
        return False
    if low is None:
        return True
    bits = _bit_range(terminal.signal, low, high)
    mine = range(offset, offset + width) if bit is None else (bit,)
    return any(number in bits for number in mine)


def _split_bits(name: str) -> tuple[str, int | None, int]:
    found = _BITS.fullmatch(name)
    if found is None:
        return name, None, 0
    first = int(found[2])
    return found[1], first, int(found[3]) if found[3] else first


def _bit_range(signal: Signal | None, first: int, last: int) -> frozenset[int]:
    """Return the bits, from 0, that declared indices mean."""
    ranges = signal.type.ranges if signal is not None else ()
    left, right = ranges[0] if ranges else (0, 0)
    places = [abs(index - right) for index in (first, last) if min(left, right) <= index <= max(left, right)]
    return frozenset(range(min(places), max(places) + 1)) if places else frozenset()


def _declared(module: Module, signal: Signal | None, name: str) -> Signal | None:
    """Return the signal of that name in the source, where a hidden one stands behind the port."""
    return next((found for found in module.signals if _same_name(found.name, name)), signal)


def _same_name(own: str, written: str) -> bool:
    return own.strip().removeprefix("\\") == re.sub(r"\\(.)", r"\1", written)


def _plain(condition: str) -> str:
    """Return a condition without spaces and without parentheses around it."""
    text = "".join(condition.split())
    while text.startswith("(") and text.endswith(")") and _closes_at_end(text):
        text = text[1:-1]
    return text


def _closes_at_end(text: str) -> bool:
    depth = 0
    for i, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return i == len(text) - 1
    return False


def _edge_text(port: SdfPort) -> str:
    return f"{port.edge} " if port.edge else ""


# ------------------------------------------------------------------------------------------- the hierarchy


def find_instance(scope: Node, parts: list[str]) -> Node | None:
    """Return the instance that a path leads to; names of generate blocks belong to an instance's name."""
    if not parts:
        return scope
    for count in range(1, len(parts) + 1):
        name = ".".join(parts[:count])
        child = next((node for own, node in scope.children.items() if _same_name(own, name)), None)
        if child is not None:
            found = find_instance(child, parts[count:])
            if found is not None:
                return found
    return None


def find_port(node: Node, path: str, divider: str) -> tuple[Node | None, str]:
    """Return the instance that has a port, and the port's name."""
    parts = name_parts(path, divider)
    return find_instance(node, parts[:-1]), parts[-1] if parts else ""


def _below(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children.values():
        yield from _below(child)


def annotated_ports(design: Design, file: SdfFile, start: Module) -> Iterator[tuple[Module, str]]:
    """Yield the ports that a file, applied from an instance of a module on, gives delays of interconnections."""
    for cell in file.cells:
        entries = [entry for entry in cell.entries if entry.kind in ("INTERCONNECT", "PORT")]
        if not entries:
            continue
        if cell.instance == "*":
            modules = [module for module in design.modules if module.name == cell.kind]
        else:
            modules = [reach_module(start, name_parts(cell.instance, file.divider))]
        for module in modules:
            for entry in entries if module is not None else ():
                parts = name_parts(entry.ports[-1].name, file.divider)
                target = reach_module(module, parts[:-1])
                if target is not None:
                    yield target, _split_bits(parts[-1])[0]


def reach_module(module: Module | None, parts: list[str]) -> Module | None:
    """Return the module of the instance that a path leads to."""
    if not parts or module is None:
        return module
    for count in range(1, len(parts) + 1):
        name = ".".join(parts[:count])
        found: Instance | None = next((i for i in module.instances if _same_name(i.name, name)), None)
        if found is not None:
            reached = reach_module(found.module, parts[count:])
            if reached is not None:
                return reached
    return None


def no_scope(path: str, scope: str) -> UserError:
    """Return the error for a scope of `--sdf` that does not exist."""
    return UserError("bad-option", f"--sdf {path}:{scope}: the design has no instance '{scope}'")
