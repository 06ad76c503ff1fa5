"""Find signals by path, and say which bits of state hold them.

`ConeGraph.scopes` give each signal a node. A signal is *stored* when that node is only wiring over state reads: its
bits then have places in the state array, and it can be written. Any other signal is *computed* from the state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from weft.base.dataclass import dataclass
from weft.base.errors import Note, UserError
from weft.ir.cone_graph import ConeGraph
from weft.ir.expressions import Signal
from weft.ir.ops import CODE

_READ, _CONCAT, _SLICE = CODE["read"], CODE["concat"], CODE["slice"]


PART_NAME = re.compile(r"(.*)\[(?:\d+:)?(\d+)\]", re.DOTALL)
"""How `passes.flatten_design` names a state that holds some bits of a variable, counted from 0: `top.q[7:4]`."""


@dataclass(frozen=True, slots=True)
class Part:
    """Say that bits `low` to `low + width - 1` of a signal are bits `state_low` and up of scalar state `state`."""

    low: int
    width: int
    state: int
    state_low: int


@dataclass(frozen=True, slots=True)
class Found:
    """Be a signal of an instance: where it is declared, its node, and the node of its unknown plane (or -1)."""

    scope: int
    index: int
    signal: Signal
    node: int
    unknown: int

    @property
    def memory(self) -> int:
        """Return the memory state that holds the signal, or -1."""
        return -2 - self.node if self.node < -1 else -1


class SignalMap:
    """Look up the signals of a graph."""

    def __init__(self, graph: ConeGraph) -> None:
        self.graph = graph
        self.scopes = {scope.path: number for number, scope in enumerate(graph.scopes)}
        self._indices: dict[int, dict[str, int]] = {}
        self._parts: dict[int, tuple[Part, ...] | None] = {}
        self._latches: dict[str, list[Part]] | None = None
        self._found: dict[str, Found] = {}

    def indices(self, scope: int) -> dict[str, int]:
        """Return the signal numbers of a scope by name; instances of one module share the table."""
        module = self.graph.scopes[scope].module
        found = self._indices.get(id(module))
        if found is None:
            found = {signal.name: number for number, signal in enumerate(module.signals)}
            self._indices[id(module)] = found
        return found

    def at(self, scope: int, index: int) -> Found:
        """Return signal number `index` of a scope."""
        place = self.graph.scopes[scope]
        unknown = int(place.unknowns[index]) if place.unknowns is not None else -1
        return Found(scope, index, place.module.signals[index], int(place.nodes[index]), unknown)

    def look_up(self, path: str) -> Found | None:
        """Return the signal of a path, or None: `top.u.q`, or without the only top's name, `u.q`."""
        for candidate in self._candidates(path):
            # A signal's own name may hold dots (generate and block scopes), so try every cut, the longest scope first.
            at = len(candidate)
            while (at := candidate.rfind(".", 0, at)) > 0:
                scope = self.scopes.get(candidate[:at])
                if scope is not None:
                    index = self.indices(scope).get(candidate[at + 1 :])
                    if index is not None:
                        return self.at(scope, index)
        return None

    def _candidates(self, path: str) -> Iterator[str]:
        yield path
        for scope in self.graph.scopes:
            if scope.parent < 0:
                yield f"{scope.path}.{path}"

    def find(self, path: str) -> Found:
        """Return the signal of a path; raises `unknown-signal` with near names."""
        found = self._found.get(path)
        if found is not None:
            return found
        found = self.look_up(path)
        if found is None:
            raise UserError("unknown-signal", f"there is no signal '{path}'", notes=self._suggestions(path))
        if found.node == -1:
            raise UserError("unknown-signal", f"'{path}' is a local variable of a procedure: it has no value to show")
        self._found[path] = found
        return found

    def paths(self) -> Iterator[tuple[str, int, int]]:
        """Yield (full path, scope, signal number) of every signal that has a value."""
        for number, scope in enumerate(self.graph.scopes):
            nodes = scope.nodes.tolist()
            for index, signal in enumerate(scope.module.signals):
                if nodes[index] != -1:
                    yield f"{scope.path}.{signal.name}", number, index

    def _suggestions(self, path: str) -> tuple[Note, ...]:
        """Return a note with near names: in the scope that was named if it exists, else anywhere."""
        import difflib

        head, _, last = path.rpartition(".")
        names: list[str] = []
        for candidate in self._candidates(head) if head else (s.path for s in self.graph.scopes if s.parent < 0):
            scope = self.scopes.get(candidate)
            if scope is not None:
                near = difflib.get_close_matches(last, self.indices(scope), 3, 0.5)
                names += [f"{head}.{name}" if head else name for name in near]
        if not names:
            by_last: dict[str, str] = {}
            for full, _, _ in self.paths():
                by_last.setdefault(full.rpartition(".")[2], full)
                if len(by_last) > 50_000:
                    break
            names = [by_last[name] for name in difflib.get_close_matches(last, by_last, 3, 0.7)]
        return (Note("did you mean " + ", ".join(f"'{name}'" for name in names) + "?"),) if names else ()

    def parts(self, node: int) -> tuple[Part, ...] | None:
        """Return where a node's bits are stored, lowest first, or None when some are computed."""
        if node not in self._parts:
            self._parts[node] = self._trace(node)
        return self._parts[node]

    def latch_parts(self, scope: int, signal: str) -> tuple[Part, ...]:
        """Return where the bits that a variable keeps as a latch are stored; what `peek` shows of it is computed."""
        if self._latches is None:
            self._latches = {}
            for number, state in enumerate(self.graph.states):
                if state.kind == "latch" and state.plane != "unknown":
                    match = PART_NAME.fullmatch(state.name)
                    path, low = (match[1], int(match[2])) if match else (state.name, 0)
                    self._latches.setdefault(path, []).append(Part(low, state.width, number, 0))
        return tuple(self._latches.get(f"{self.graph.scopes[scope].path}.{signal}", ()))

    def _trace(self, node: int) -> tuple[Part, ...] | None:
        graph = self.graph
        parts: list[Part] = []
        # (node, low bit within the node, width, low bit within the signal)
        work = [(node, 0, int(graph.width[node]), 0)]
        while work:
            current, low, width, at = work.pop()
            op = int(graph.op[current])
            if op == _READ:
                parts.append(Part(at, width, int(graph.param[current]), low))
            elif op == _SLICE:
                work.append((graph.sources(current)[0], low + int(graph.param[current]), width, at))
            elif op == _CONCAT:
                base = 0
                for source in graph.sources(current):
                    size = int(graph.width[source])
                    first, last = max(low, base), min(low + width, base + size)
                    if first < last:
                        work.append((source, first - base, last - first, at + first - low))
                    base += size
            else:
                return None
        return tuple(sorted(parts, key=lambda part: part.low))
