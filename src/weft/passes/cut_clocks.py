"""Cut the clocks of a region out of its graph: what tells of an edge is a flag that the caller sets.

In a cone graph a clock edge is logic over a clock and a sample of its previous value. In a region that the event engine
steps, the scheduler has seen the edge already, by its own rule (x to 1 is one, and so is a pulse without a width), so
each edge of an input becomes the read of an input state of one bit: the *flag*. Nothing is left of the samples then,
and a step with one flag set is what that edge does.

A clock that is computed inside (a gate, a divider) has no such flag: `Unsupported` says so.
"""

from __future__ import annotations

import numpy as np

from weft.base.dataclass import dataclass, replace
from weft.base.errors import Unsupported
from weft.base.source import Span
from weft.ir.cone_graph import ConeGraph, State
from weft.ir.graph_builder import GraphBuilder, Simplify
from weft.ir.ops import CODE
from weft.passes.rebuild_graph import move_sinks, needed_by_sinks

_READ, _CONST, _NOT = CODE["read"], CODE["const"], CODE["not"]
_EDGES = {CODE["posedge"]: "posedge", CODE["negedge"]: "negedge"}
_OPPOSITE = {"posedge": "negedge", "negedge": "posedge"}


@dataclass(frozen=True, slots=True)
class CutEdge:
    """Be an edge of an input state, and the state of its flag."""

    clock: int
    edge: str
    flag: int


@dataclass(frozen=True, slots=True)
class CutGraph:
    """Hold the graph without samples, and its edges."""

    graph: ConeGraph
    edges: tuple[CutEdge, ...]


def cut_clocks(graph: ConeGraph, span: Span, simplify: Simplify | None = None) -> CutGraph:
    """Return the graph with flags for the edges of its inputs; `span` is of the module, for `Unsupported`."""
    builder = GraphBuilder(simplify, graph.four_state)
    builder.states = list(graph.states)
    samples = {number for number, state in enumerate(graph.states) if state.kind == "sample"}
    kept = _without_samples(graph, samples)
    needed = needed_by_sinks(kept)
    edges: dict[tuple[int, str], CutEdge] = {}
    moved = [-1] * len(graph)
    for number, node in enumerate(graph.nodes()):
        if not needed[number]:
            continue
        op = CODE[node.op]
        found = _edge_of(graph, number, samples) if op in _EDGES else None
        if found is not None:
            edge = edges.get(found)
            if edge is None:
                name = f"{graph.states[found[0]].name}${found[1]}"
                edge = edges[found] = CutEdge(*found, len(builder.states))
                builder.states.append(State(name, 1, kind="input", initial=0, known=True))
            moved[number] = builder.read(edge.flag)
        elif op == _CONST:
            moved[number] = builder.const(node.width, *graph.constant(number))
        elif op == _READ and node.param in samples:
            moved[number] = -2
        else:
            sources = tuple(moved[source] for source in node.sources)
            if -2 in sources:
                raise Unsupported("a clock that is computed inside", span)
            moved[number] = builder.node(op, node.width, sources, node.param)
    move_sinks(kept, builder, np.array(moved, np.int32))
    return CutGraph(builder.freeze(), tuple(edges.values()))


def _without_samples(graph: ConeGraph, samples: set[int]) -> ConeGraph:
    """Return the graph, its nodes the same, without the writes of samples."""
    return replace(graph, writes=[write for write in graph.writes if write.state not in samples])


def _edge_of(graph: ConeGraph, number: int, samples: set[int]) -> tuple[int, str] | None:
    """Return the input and edge that an edge node means, if it is one of an input."""
    before, now = graph.sources(number)
    if graph.op[before] != _READ or int(graph.param[before]) not in samples:
        return None
    edge = _EDGES[int(graph.op[number])]
    while graph.op[now] == _NOT:
        edge, now = _OPPOSITE[edge], graph.sources(now)[0]
    state = int(graph.param[now])
    if graph.op[now] == _READ and graph.states[state].kind == "input" and graph.width[now] == 1:
        return state, edge
    return None
