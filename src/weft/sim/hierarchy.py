"""The hierarchy as people see it: instances, signals, and what drives a signal."""

from __future__ import annotations

from collections.abc import Iterator

from weft.base.dataclass import dataclass, field
from weft.base.source import Span
from weft.sim.compiled_design import CompiledDesign
from weft.sim.signal_map import Found


@dataclass(frozen=True, slots=True)
class Driver:
    """Say what drives a signal, where (`file:line:column`), and that line of the source."""

    what: str
    where: str
    text: str
    span: Span

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: {self.text}"


@dataclass(slots=True)
class HierarchyNode:
    """Be an instance: its path, its module, its signals as (name, width, depth), and the instances in it."""

    path: str
    module: str
    signals: list[tuple[str, int, int]] = field(default_factory=list[tuple[str, int, int]])
    children: list[HierarchyNode] = field(default_factory=list["HierarchyNode"])

    @property
    def name(self) -> str:
        """Return the instance's own name."""
        return self.path.rpartition(".")[2]

    def walk(self) -> Iterator[tuple[int, HierarchyNode]]:
        """Yield (depth, node) of this instance and all below it."""
        work = [(0, self)]
        while work:
            depth, node = work.pop()
            yield depth, node
            work += [(depth + 1, child) for child in reversed(node.children)]


def build_hierarchy(design: CompiledDesign) -> list[HierarchyNode]:
    """Return the top instances, with everything below them."""
    nodes: list[HierarchyNode] = []
    tops: list[HierarchyNode] = []
    for scope in design.graph.scopes:
        shown = [
            (signal.name, signal.width, signal.depth)
            for signal, node in zip(scope.module.signals, scope.nodes.tolist(), strict=True)
            if node != -1
        ]
        node = HierarchyNode(scope.path, scope.module.name, shown)
        nodes.append(node)
        (tops if scope.parent < 0 else nodes[scope.parent].children).append(node)
    return tops


def find_drivers(design: CompiledDesign, found: Found) -> list[Driver]:
    """Return what drives a signal: in its own module, from instances above by path, and for a port its connection."""
    graph = design.graph
    scope = graph.scopes[found.scope]
    notes = list(design.drivers.get(scope.module, {}).get(found.signal.name, ()))
    path, number = found.signal.name, found.scope
    while (parent := graph.scopes[number].parent) >= 0:
        own = graph.scopes[number].path.removeprefix(graph.scopes[parent].path + ".")
        path, number = f"{own}.{path}", parent
        notes += design.drivers.get(graph.scopes[number].module, {}).get(path, ())
    drivers: list[Driver] = []
    for note in notes:
        text = ""
        if note.span.file >= 0:
            source = design.sources.files[note.span.file]
            text = source.line(source.position(note.span.start)[0]).strip()
        drivers.append(Driver(note.what, design.sources.describe(note.span), text, note.span))
    direction = next((p.direction for p in scope.module.ports if p.signal is found.signal), "")
    if direction in ("input", "ref", "inout"):
        outside = "a port of the top module" if scope.parent < 0 else f"connected where '{scope.path}' is instantiated"
        drivers.append(
            Driver(f"{direction}: {outside}", design.sources.describe(found.signal.span), "", found.signal.span)
        )
    return drivers
