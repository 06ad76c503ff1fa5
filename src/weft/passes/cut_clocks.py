"""Cut the clocks of a region out of its graph: what starts a domain is a flag that the caller sets.

In a cone graph a clock edge is logic over a clock and a sample of its previous value. In a region that the event engine
steps, the scheduler has seen the edge already, by its own rule (x to 1 is one, and so is a pulse without a width). It
also knows who waits: a procedure that has been made ready by one edge does not see another one before it has run. So
each set of edges of inputs that procedures wait for becomes the read of an input state of one bit: the *flag*. Nothing
is left of the samples then, and a step with some flags set is what the procedures do that wait for these edges.

A clock that is computed inside (a gate, a divider) has no such flag: `Unsupported` says so.
"""

from __future__ import annotations

import numpy as np

from weft.base.dataclass import dataclass, replace
from weft.base.errors import Unsupported
from weft.base.source import Span
from weft.ir.cone_graph import SETTLE, ConeGraph, State
from weft.ir.graph_builder import GraphBuilder, Simplify
from weft.ir.ops import CODE
from weft.passes.rebuild_graph import move_sinks, needed_by_sinks, sink_nodes

_READ, _CONST, _NOT, _OR = CODE["read"], CODE["const"], CODE["not"], CODE["or"]
_CUT = -2
"""Stands for a node that depends on a sample."""
_EDGES = {CODE["posedge"]: "posedge", CODE["negedge"]: "negedge"}
_OPPOSITE = {"posedge": "negedge", "negedge": "posedge"}


@dataclass(frozen=True, slots=True)
class CutTrigger:
    """Be what starts procedures: edges of input states, as pairs of a state and `posedge` or `negedge`, and a flag."""

    edges: tuple[tuple[int, str], ...]
    flag: int


@dataclass(frozen=True, slots=True)
class CutGraph:
    """Hold the graph without samples, and what starts its procedures."""

    graph: ConeGraph
    triggers: tuple[CutTrigger, ...]


def cut_clocks(graph: ConeGraph, span: Span, simplify: Simplify | None = None) -> CutGraph:
    """Return the graph with flags for the edges of its inputs; `span` is of the module, for `Unsupported`."""
    builder = GraphBuilder(simplify, graph.four_state)
    builder.states = list(graph.states)
    samples = {number for number, state in enumerate(graph.states) if state.kind == "sample"}
    kept = _without_samples(graph, samples)
    needed = needed_by_sinks(kept)
    triggers: dict[tuple[tuple[int, str], ...], CutTrigger] = {}
    starts: dict[int, CutTrigger] = {}
    for domain in graph.domains[SETTLE + 1 :]:
        edges = _edges_of(graph, domain.trigger, samples)
        if edges is None:
            raise Unsupported("a clock that is computed inside", span)
        if edges not in triggers:
            name = " or ".join(f"{graph.states[clock].name}${edge}" for clock, edge in edges)
            triggers[edges] = CutTrigger(edges, len(builder.states))
            builder.states.append(State(name, 1, kind="input", initial=0, known=True))
        starts[domain.trigger] = triggers[edges]
    moved = [-1] * len(graph)
    for number, node in enumerate(graph.nodes()):
        if not needed[number]:
            continue
        op = CODE[node.op]
        if number in starts:
            moved[number] = builder.read(starts[number].flag)
        elif op == _CONST:
            moved[number] = builder.const(node.width, *graph.constant(number))
        elif op in _EDGES or (op == _READ and node.param in samples):
            moved[number] = _CUT
        else:
            sources = tuple(moved[source] for source in node.sources)
            # What only joins edges to a trigger goes with them; nothing else may look at a sample.
            moved[number] = _CUT if _CUT in sources else builder.node(op, node.width, sources, node.param)
    if any(moved[root] == _CUT for root in sink_nodes(kept)):
        raise Unsupported("a clock that is computed inside", span)
    move_sinks(kept, builder, np.array(moved, np.int32))
    return CutGraph(builder.freeze(), tuple(triggers.values()))


def _edges_of(graph: ConeGraph, trigger: int, samples: set[int]) -> tuple[tuple[int, str], ...] | None:
    """Return the edges of inputs that a trigger is the `or` of, or None if it is anything else."""
    found: set[tuple[int, str]] = set()
    pending = [trigger]
    while pending:
        node = pending.pop()
        op = int(graph.op[node])
        edge = _edge_of(graph, node, samples) if op in _EDGES else None
        if edge is not None:
            found.add(edge)
        elif op == _OR:
            pending.extend(graph.sources(node))
        else:
            return None
    return tuple(sorted(found))


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
