"""Rebuild a graph through a builder: simplify, share again, drop what nothing needs; say where each node went.

Everything that names nodes (sinks, domains, effects, scopes) is carried over, and states keep their numbers, so that
layouts, hooks and waveforms of the old graph fit the new one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import replace
from weft.ir.cone_graph import ConeGraph, Domain, Effect, MemoryWrite, Scope, Write
from weft.ir.graph_builder import GraphBuilder, Simplify
from weft.ir.ops import CODE

_CONST = CODE["const"]


def rebuild_graph(
    graph: ConeGraph, simplify: Simplify | None = None, keep_names: bool = True
) -> tuple[ConeGraph, NDArray[np.int32]]:
    """Return the graph rebuilt, and for each old node its new id, or -1 if it is gone.

    Without `keep_names`, logic that only named signals show is dropped, and those signals get no node.
    """
    builder = GraphBuilder(simplify, graph.four_state)
    builder.states = graph.states
    needed = needed_by_sinks(graph, keep_names)
    moved = _move_nodes(graph, builder, needed)
    move_sinks(graph, builder, moved)
    rebuilt = builder.freeze()
    if simplify is None:
        return rebuilt, moved
    compact, places = drop_dead_nodes(rebuilt, keep_names)
    return compact, np.where(moved >= 0, places[moved], -1).astype(np.int32)


def sink_nodes(graph: ConeGraph, keep_names: bool = True) -> list[int]:
    """Return the nodes that the sinks use and, if they are to be kept, those of named signals."""
    roots = [domain.trigger for domain in graph.domains]
    for write in graph.writes:
        roots += (write.value, write.enable)
    for write in graph.memory_writes:
        roots += (write.address, write.value, write.enable, write.mask)
    for effect in graph.effects:
        roots += (effect.enable, *effect.args, *effect.unknowns)
    if keep_names:
        for scope in graph.scopes:
            roots += scope.nodes.tolist()
            roots += scope.unknowns.tolist() if scope.unknowns is not None else []
    return [root for root in roots if root >= 0]


def needed_by_sinks(graph: ConeGraph, keep_names: bool = True) -> NDArray[np.bool_]:
    """Return which nodes the sinks (and the named signals) depend on."""
    wanted = bytearray(len(graph))
    for root in sink_nodes(graph, keep_names):
        wanted[root] = 1
    starts, srcs = graph.start.tolist(), graph.src.tolist()
    for node in range(len(graph) - 1, -1, -1):
        if wanted[node]:
            for source in srcs[starts[node] : starts[node + 1]]:
                wanted[source] = 1
    return np.frombuffer(wanted, np.bool_)


def _move_nodes(graph: ConeGraph, builder: GraphBuilder, needed: NDArray[np.bool_]) -> NDArray[np.int32]:
    moved = [-1] * len(graph)
    starts, srcs = graph.start.tolist(), graph.src.tolist()
    rows = zip(needed.tolist(), graph.op.tolist(), graph.width.tolist(), graph.param.tolist(), strict=True)
    for node, (wanted, op, width, param) in enumerate(rows):
        if not wanted:
            continue
        if op == _CONST:
            moved[node] = builder.const(width, *graph.constants[param])
        else:
            sources = tuple([moved[source] for source in srcs[starts[node] : starts[node + 1]]])
            moved[node] = builder.node(op, width, sources, param)
    return np.array(moved, np.int32)


def move_sinks(graph: ConeGraph, into: GraphBuilder | ConeGraph, moved: NDArray[np.int32]) -> None:
    """Set the tables of `into` to those of `graph`, with the nodes renumbered."""
    at: list[int] = [*moved.tolist(), -1]
    into.domains = [Domain(domain.name, at[domain.trigger]) for domain in graph.domains]
    into.writes = [Write(w.state, at[w.value], at[w.enable], w.domain) for w in graph.writes]
    into.memory_writes = [
        MemoryWrite(w.state, at[w.address], at[w.value], at[w.enable], w.domain, at[w.mask], w.count)
        for w in graph.memory_writes
    ]
    into.effects = [_move_effect(effect, at) for effect in graph.effects]
    into.scopes = [_move_scope(scope, moved) for scope in graph.scopes]


def _move_effect(effect: Effect, at: list[int]) -> Effect:
    arguments = tuple(at[node] for node in effect.args)
    unknowns = tuple(at[node] for node in effect.unknowns)
    return replace(effect, args=arguments, unknowns=unknowns, enable=at[effect.enable])


def _move_scope(scope: Scope, moved: NDArray[np.int32]) -> Scope:
    def move(nodes: NDArray[np.int32]) -> NDArray[np.int32]:
        return np.where(nodes >= 0, moved[np.maximum(nodes, 0)], nodes).astype(np.int32)

    unknowns = None if scope.unknowns is None else move(scope.unknowns)
    return replace(scope, nodes=move(scope.nodes), unknowns=unknowns)


def drop_dead_nodes(graph: ConeGraph, keep_names: bool = True) -> tuple[ConeGraph, NDArray[np.int32]]:
    """Return the graph without the nodes that nothing needs, and each old node's new id or -1."""
    needed = needed_by_sinks(graph, keep_names)
    moved = np.where(needed, np.cumsum(needed) - 1, -1).astype(np.int32)
    counts = np.diff(graph.start)
    starts = np.zeros(int(needed.sum()) + 1, np.int32)
    np.cumsum(counts[needed], out=starts[1:])
    op, param = graph.op[needed], graph.param[needed].copy()
    used = param[op == _CONST]
    param[op == _CONST] = np.arange(len(used))
    compact = ConeGraph(
        op=op,
        width=graph.width[needed],
        param=param,
        start=starts,
        src=moved[graph.src[np.repeat(needed, counts)]],
        constants=[graph.constants[index] for index in used.tolist()],
        states=graph.states,
        domains=[],
        writes=[],
        memory_writes=[],
        effects=[],
        four_state=graph.four_state,
    )
    move_sinks(graph, compact, moved)
    return compact, moved
