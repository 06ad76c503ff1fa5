"""Choose the signals of a trace and lay out the file's scopes.

A signal is chosen by glob patterns over its path, with or without the top's name (`*` also crosses dots, as in
GTKWave's search), and by depth (1: the top alone, as in `$dumpvars`). Signals that are one node of the graph, such as a
port and the wire connected to it, share one entry of the file. Elements of arrays are traced one by one: small arrays
always, memories when asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from weft.base.dataclass import dataclass, field, replace
from weft.base.errors import UserError
from weft.base.path_patterns import PathPattern
from weft.engines.cpu.emit_trace import TracedNode
from weft.ir.cone_graph import ConeGraph, Scope
from weft.ir.design import Module, Signal
from weft.ir.ops import CODE
from weft.tools.waves.change_log import LoggedSignal
from weft.tools.waves.wave_tree import WaveScope, WaveVariable

SMALL_ARRAY = 64
"""Arrays of at most so many elements are traced without being asked for, unless they are memories."""

_KINDS = {"integer": "integer", "int": "int", "bit": "bit"}


@dataclass(slots=True)
class Selection:
    """Hold what a trace shows: the nodes of `graph` (the design's, with element reads appended) and the scopes."""

    graph: ConeGraph
    nodes: list[TracedNode] = field(default_factory=list[TracedNode])
    logged: list[LoggedSignal] = field(default_factory=list[LoggedSignal])
    scopes: list[WaveScope] = field(default_factory=list[WaveScope])


def select_signals(
    graph: ConeGraph, patterns: Sequence[str] = ("*",), depth: int | None = None, *, memories: bool = False
) -> Selection:
    """Return the selection; raise `UserError` where a pattern matches nothing."""
    return _Selector(graph, patterns, depth, memories).select()


class _Selector:
    def __init__(self, graph: ConeGraph, patterns: Sequence[str], depth: int | None, memories: bool) -> None:
        self._graph, self._depth, self._memories = graph, depth, memories
        self._patterns = [PathPattern(pattern) for pattern in patterns]
        self._all = "*" in patterns
        self._used: set[str] = set()
        self._extra = _Appender(graph)
        self._selection = Selection(graph)
        self._index: dict[tuple[int, int], int] = {}

    def select(self) -> Selection:
        tree: list[tuple[WaveScope, list[tuple[WaveScope, str, Signal, Scope, int]]]] = []
        roots: list[WaveScope] = []
        made: list[WaveScope] = []
        levels: list[int] = []
        for scope in self._graph.scopes:
            name = scope.path if scope.parent < 0 else scope.path[len(self._graph.scopes[scope.parent].path) + 1 :]
            level = 1 if scope.parent < 0 else levels[scope.parent] + 1
            levels.append(level)
            siblings = roots if scope.parent < 0 else made[scope.parent].scopes
            folder, _, last = name.rpartition(".")
            parent = _inner(siblings, folder)
            wave = WaveScope(last, "module", scope.module.name)
            parent.append(wave)
            made.append(wave)
            tree.append((wave, self._chosen(scope, wave) if self._depth is None or level <= self._depth else []))
        for pattern in self._patterns:
            if pattern.text not in self._used:
                raise UserError("unknown-signal", f"no signal matches '{pattern.text}'")
        contents = {id(wave): signals for wave, signals in tree}
        self._declare(roots, contents)
        _drop_empty(roots)
        self._selection.scopes = roots
        self._selection.graph = self._extra.graph()
        return self._selection

    def _chosen(self, scope: Scope, wave: WaveScope) -> list[tuple[WaveScope, str, Signal, Scope, int]]:
        """Return (scope to show it in, name, signal, its scope, its number) for the chosen signals of an instance."""
        found: list[tuple[WaveScope, str, Signal, Scope, int]] = []
        nodes = scope.nodes.tolist()
        for number, signal in enumerate(scope.module.signals):
            if nodes[number] == -1 or not self._matches(f"{scope.path}.{signal.name}"):
                continue
            folder, _, last = signal.name.rpartition(".")
            target = wave
            for part in folder.split(".") if folder else ():
                target = _child(target.scopes, part)
            found.append((target, last, signal, scope, number))
        return found

    def _matches(self, path: str) -> bool:
        if self._all:
            self._used.add("*")
            if len(self._patterns) == 1:
                return True
        hits = [pattern.text for pattern in self._patterns if pattern.matches(path)]
        self._used.update(hits)
        return bool(hits)

    # Numbers must ascend in the order in which the file declares its variables, so they are given in that order.
    def _declare(
        self, roots: list[WaveScope], contents: dict[int, list[tuple[WaveScope, str, Signal, Scope, int]]]
    ) -> None:
        by_target: dict[int, list[tuple[str, Signal, Scope, int]]] = {}
        for signals in contents.values():
            for target, name, signal, scope, number in signals:
                by_target.setdefault(id(target), []).append((name, signal, scope, number))
        directions: dict[int, dict[int, str]] = {}
        pending = list(reversed(roots))
        while pending:
            wave = pending.pop()
            for name, signal, scope, number in by_target.get(id(wave), ()):
                known = directions.setdefault(id(scope.module), _directions(scope.module))
                self._variables(wave, name, signal, scope, number, known.get(id(signal), ""))
            pending.extend(reversed(wave.scopes))

    def _variables(self, wave: WaveScope, name: str, signal: Signal, scope: Scope, number: int, direction: str) -> None:
        node = int(scope.nodes[number])
        unknown = int(scope.unknowns[number]) if scope.unknowns is not None else -1
        kind = "wire" if signal.net else _KINDS.get(signal.type.kind, "reg")
        enum = signal.type.enum_values
        pattern = WaveVariable(name, 0, signal.width, kind, direction, _bounds(signal), enum, signal.type.name)
        if not signal.depth:
            wave.variables.append(replace(pattern, index=self._number(node, unknown)))
            return
        if node <= -2 and not self._memories:
            return
        if signal.depth > SMALL_ARRAY and not self._memories:
            return
        for element, label in enumerate(_element_labels(signal)):
            value = self._extra.element(node, element, signal.width)
            other = self._extra.element(unknown, element, signal.width) if unknown != -1 else -1
            wave.variables.append(replace(pattern, name=name + label, index=self._number(value, other)))

    def _number(self, value: int, unknown: int) -> int:
        graph = self._graph
        if 0 <= unknown < len(graph) and graph.op[unknown] == CODE["const"] and graph.constant(unknown)[0] == 0:
            unknown = -1  # a 2-state variable in a 4-state design
        key = (value, unknown)
        found = self._index.get(key)
        if found is None:
            found = self._index[key] = len(self._selection.nodes)
            self._selection.nodes.append(TracedNode(value, unknown))
            self._selection.logged.append(LoggedSignal(self._extra.width(value), unknown >= 0))
        return found


class _Appender:
    """Append reads of single array elements to a graph's columns; the graph itself stays as it is."""

    def __init__(self, graph: ConeGraph) -> None:
        self._graph = graph
        self._op: list[int] = []
        self._width: list[int] = []
        self._param: list[int] = []
        self._sources: list[tuple[int, ...]] = []
        self._constants: list[tuple[int, int]] = []

    def _add(self, name: str, width: int, sources: tuple[int, ...], param: int) -> int:
        self._op.append(CODE[name])
        self._width.append(width)
        self._sources.append(sources)
        self._param.append(param)
        return len(self._graph) + len(self._op) - 1

    def element(self, node: int, element: int, width: int) -> int:
        """Return a node for one element of a memory (`-2 - state`) or of a flat vector."""
        if node >= 0:
            return self._add("slice", width, (node,), element * width)
        self._constants.append((element, 0))
        address = self._add("const", 32, (), len(self._graph.constants) + len(self._constants) - 1)
        return self._add("memread", width, (address,), -2 - node)

    def width(self, node: int) -> int:
        """Return a node's width."""
        size = len(self._graph)
        return int(self._graph.width[node]) if node < size else self._width[node - size]

    def graph(self) -> ConeGraph:
        """Return the extended graph."""
        graph = self._graph
        if not self._op:
            return graph
        counts = np.cumsum([len(s) for s in self._sources], dtype=np.int32) + graph.start[-1]
        flat = [s for sources in self._sources for s in sources]
        return replace(
            graph,
            op=np.concatenate([graph.op, np.array(self._op, np.uint8)]),
            width=np.concatenate([graph.width, np.array(self._width, np.int32)]),
            param=np.concatenate([graph.param, np.array(self._param, np.int32)]),
            start=np.concatenate([graph.start, counts.astype(np.int32)]),
            src=np.concatenate([graph.src, np.array(flat, np.int32)]),
            constants=graph.constants + self._constants,
        )


def _child(scopes: list[WaveScope], name: str) -> WaveScope:
    for scope in scopes:
        if scope.name == name:
            return scope
    scopes.append(WaveScope(name, "generate"))
    return scopes[-1]


def _inner(scopes: list[WaveScope], folder: str) -> list[WaveScope]:
    """Return the scopes inside the generate blocks named by a dotted path, made where they are missing."""
    for part in folder.split(".") if folder else ():
        scopes = _child(scopes, part).scopes
    return scopes


def _drop_empty(scopes: list[WaveScope]) -> None:
    """Remove scopes that show nothing."""
    for scope in scopes:
        _drop_empty(scope.scopes)
    scopes[:] = [scope for scope in scopes if scope.variables or scope.scopes]


def _directions(module: Module) -> dict[int, str]:
    names = {"ref": "inout"}
    return {id(port.signal): names.get(port.direction, port.direction) for port in module.ports}


def _bounds(signal: Signal) -> tuple[int, int] | None:
    if len(signal.type.ranges) == 1:
        return signal.type.ranges[0]
    return (signal.width - 1, 0) if signal.width > 1 else None


def _element_labels(signal: Signal) -> list[str]:
    """Return `[i][j]` for each element in the order of the flattened array (see `ir.design`)."""
    labels = [""]
    for left, right in signal.type.unpacked or ((0, signal.depth - 1),):
        low, high = min(left, right), max(left, right)
        labels = [f"{label}[{i}]" for label in labels for i in range(low, high + 1)]
    return labels
