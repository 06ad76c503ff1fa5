"""Copy the cones of some nodes into another builder, so that a hook or an expression can stand on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from weft.ir.cone_graph import ConeGraph
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE

_CONST, _READ, _MEMREAD = CODE["const"], CODE["read"], CODE["memread"]


def cone_of(graph: ConeGraph, targets: Iterable[int]) -> list[int]:
    """Return the nodes that the targets depend on, themselves included, in evaluation order."""
    start, src = graph.start, graph.src
    seen = set(targets)
    stack = list(seen)
    while stack:
        node = stack.pop()
        for source in src[start[node] : start[node + 1]].tolist():
            if source not in seen:
                seen.add(source)
                stack.append(source)
    return sorted(seen)


def copy_cones(
    graph: ConeGraph,
    targets: Iterable[int],
    builder: GraphBuilder,
    replace: Mapping[int, int] | None = None,
    renumber: Callable[[int], int] = lambda state: state,
) -> dict[int, int]:
    """Add the targets' cones to a builder and return old ids to new ones.

    `replace` gives the new node for reads of a scalar state; `renumber` the new number of other states.
    """
    replace = replace or {}
    ids: dict[int, int] = {}
    for node in cone_of(graph, targets):
        op, width, param = int(graph.op[node]), int(graph.width[node]), int(graph.param[node])
        if op == _CONST:
            ids[node] = builder.const(width, *graph.constants[param])
        elif op == _READ and param in replace:
            ids[node] = replace[param]
        else:
            if op in (_READ, _MEMREAD):
                param = renumber(param)
            ids[node] = builder.node(op, width, tuple(ids[source] for source in graph.sources(node)), param)
    return ids


def hook_builder(graph: ConeGraph) -> GraphBuilder:
    """Return a builder for a graph that an engine accepts beside `graph`: it has the same state table."""
    builder = GraphBuilder()
    builder.states = graph.states
    return builder
