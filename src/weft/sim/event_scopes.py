"""The scopes and signals of a running event simulation, as waveforms and the prompt show them."""

from __future__ import annotations

from weft.base.dataclass import dataclass, field
from weft.engines.event.elaborate import Elaborated, Node
from weft.ir.design import Signal
from weft.sim.tasks.dump_scopes import DumpScope, DumpSignal

_TYPE_KINDS = {
    "integer": "integer",
    "int": "integer",
    "time": "time",
    "real": "real",
    "shortreal": "real",
    "event": "event",
}
_SHOWN = frozenset({"queue", "dynamic", "assoc", "class", "string", "chandle", "mailbox", "semaphore", "process"})
"""Kinds of variable that waveforms cannot show."""


@dataclass(slots=True, eq=False)
class ScopeTree:
    """Hold the scopes; `signals` gives, for each signal's number, its instance, the signal and the element."""

    design: Elaborated
    tops: list[DumpScope] = field(default_factory=list[DumpScope])
    signals: list[tuple[Node, Signal, int]] = field(default_factory=list[tuple[Node, Signal, int]])
    _numbers: dict[tuple[Node, Signal, int], int] = field(default_factory=dict[tuple[Node, Signal, int], int])
    _nodes: dict[str, Node] = field(default_factory=dict[str, Node])

    def __post_init__(self) -> None:
        for top in self.design.tops:
            self.tops.append(self._scope(top))

    def node(self, path: str) -> Node:
        """Return the instance at a path, or around it; KeyError if there is none."""
        while path not in self._nodes:
            path, dot, _ = path.rpartition(".")
            if not dot:
                raise KeyError(path)
        return self._nodes[path]

    def find(self, path: str) -> tuple[Node, Signal] | None:
        """Return the signal at a path, or None."""
        parts = path.split(".")
        for count in range(len(parts) - 1, 0, -1):
            node = self._nodes.get(".".join(parts[:count]))
            if node is not None:
                name = ".".join(parts[count:])
                found = next((s for s in node.unit.module.signals if s.name == name), None)
                return None if found is None else (node, found)
        return None

    def bit(self, path: str) -> tuple[Node, Signal, int]:
        """Return the net and bit that a path names."""
        base, bracket, index = path.rpartition("[")
        found = self.find(path) or (self.find(base) if bracket else None)
        if found is None:
            raise KeyError(path)
        node, signal = found
        ranges = signal.type.ranges
        number = int(index.rstrip("]")) if bracket and found is not self.find(path) else 0
        if ranges:
            left, right = ranges[0]
            number = number - right if left >= right else right - number
        return node, signal, max(number, 0)

    def _number(self, node: Node, signal: Signal, index: int = 0) -> int:
        holder, held = self.design.find(node, signal)
        key = (holder, held, index)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.signals)
            self.signals.append(key)
        return number

    def _scope(self, node: Node) -> DumpScope:
        module = node.unit.module
        top = DumpScope(node.name, "module", node.path)
        self._nodes[node.path] = node
        scopes: dict[str, DumpScope] = {"": top}
        directions = {port.signal: port.direction for port in module.ports}

        def inner(path: str) -> DumpScope:
            scope = scopes.get(path)
            if scope is None:
                outer, _, name = path.rpartition(".")
                kind = "generate" if path.split(".")[0] == path and self._is_generate(node, path) else "begin"
                scope = scopes[path] = DumpScope(name, kind, f"{node.path}.{path}")
                inner(outer).scopes.append(scope)
            return scope

        for function in module.functions:
            if function.scope:
                scope = inner(function.scope)
                scope.kind = "task" if function.task else "function"
        for signal in module.signals:
            if signal.automatic or signal.type.kind in _SHOWN or not signal.width or signal.name.startswith("$"):
                continue
            path, _, name = signal.name.rpartition(".")
            scope = inner(path)
            if signal.depth:
                self._array(scope, node, signal, name)
            else:
                scope.signals.append(self._signal(node, signal, name, directions.get(signal, "")))
        for child in node.children.values():
            path, _, _ = child.name.rpartition(".")
            found = self._scope(child)
            inner(path).scopes.append(found)
        return top

    def _is_generate(self, node: Node, path: str) -> bool:
        return any(name.startswith(f"{path}.") for name in node.children)

    def _signal(self, node: Node, signal: Signal, name: str, direction: str, index: int = 0) -> DumpSignal:
        kind = _TYPE_KINDS.get(signal.type.kind) or (signal.net or "reg")
        bounds = signal.type.ranges[0] if len(signal.type.ranges) == 1 else None
        if bounds is None and signal.width > 1 and kind in ("reg", *("wire",)):
            bounds = (signal.width - 1, 0)
        return DumpSignal(name, kind, signal.width, self._number(node, signal, index), bounds, direction)

    def _array(self, scope: DumpScope, node: Node, signal: Signal, name: str) -> None:
        """Let elements of an array be found; a dump names them one by one."""
        outer = scope.elements

        def element(asked: str, index: int) -> DumpSignal | None:
            if asked != name:
                return outer(asked, index) if outer is not None else None
            ranges = signal.type.unpacked
            low = min(ranges[0]) if len(ranges) == 1 else 0
            if not 0 <= index - low < signal.depth:
                return None
            return self._signal(node, signal, f"{name}[{index}]", "", index - low)

        scope.elements = element
