"""Check that a cone graph is well formed; every pass may rely on what is checked here.

Widths follow the rule that the op table names; ids ascend; sinks, domains, effects and scopes name nodes and states
that exist, of the right widths; a 2-state graph has no unknown constants and no 4-state operations. The node checks
are NumPy sweeps, so that debug builds can afford them between passes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import InternalError
from weft.ir.cone_graph import SETTLE, ConeGraph
from weft.ir.ops import BY_NAME, CODE, OPS

_PARAM_OPS = ("const", "read", "memread", "slice")
_KINDS = frozenset({"input", "register", "latch", "memory", "sample", "time", "constant"})


def verify_graph(graph: ConeGraph) -> None:
    """Raise `InternalError` naming the first node, sink or state that is malformed."""
    _check_columns(graph)
    _check_states(graph)
    _check_operations(graph)
    _check_widths(graph)
    _check_sinks(graph)
    _check_effects(graph)
    _check_scopes(graph)


def describe_node(graph: ConeGraph, node: int) -> str:
    """Return a node as text with its sources' widths, for messages."""
    op = int(graph.op[node])
    name = OPS[op].name if op < len(OPS) else f"op{op}"
    count = len(graph)
    sources = [f"%{s}:{graph.width[s]}" if 0 <= s < count else f"%{s}" for s in graph.sources(node)]
    return f"%{node} = {name}:{graph.width[node]} {' '.join(sources)} [{graph.param[node]}]"


def _fail(graph: ConeGraph, bad: NDArray[np.bool_], what: str) -> None:
    """Raise for the first node marked in `bad`."""
    if bad.any():
        node = int(np.argmax(bad))
        raise InternalError(f"malformed graph: {what}: {describe_node(graph, node)}")


def _check_columns(graph: ConeGraph) -> None:
    count = len(graph.op)
    lengths = len(graph.width), len(graph.param), len(graph.start) - 1
    if lengths != (count, count, count):
        raise InternalError(f"malformed graph: columns of {count} and {lengths} nodes")
    starts = graph.start
    if count and (starts[0] != 0 or starts[-1] != len(graph.src) or (np.diff(starts) < 0).any()):
        raise InternalError("malformed graph: the source index is not ascending")
    owner = np.repeat(np.arange(count), np.diff(starts))
    wrong = (graph.src < 0) | (graph.src >= owner)
    bad = np.zeros(count, np.bool_)
    bad[owner[wrong]] = True
    _fail(graph, bad, "a source does not precede its user")


def _check_states(graph: ConeGraph) -> None:
    for index, state in enumerate(graph.states):
        problem = ""
        if state.width <= 0 or state.depth < 0:
            problem = "has no bits"
        elif state.kind not in _KINDS:
            problem = f"has the unknown kind {state.kind}"
        elif (state.kind == "memory") != (state.depth > 0):
            problem = "is a memory without depth, or no memory with one"
        elif state.kind == "time" and state.width != 64:
            problem = "is a time that is not 64 bits wide"
        elif state.plane:
            twin = graph.states[state.twin] if 0 <= state.twin < len(graph.states) else None
            if twin is None or twin.twin != index or {state.plane, twin.plane} != {"value", "unknown"}:
                problem = "has no twin that has it"
        if problem:
            raise InternalError(f"malformed graph: state @{index} {state.name} {problem}")


def _check_operations(graph: ConeGraph) -> None:
    _fail(graph, graph.op >= len(OPS), "no such operation")
    _fail(graph, graph.width <= 0, "no bits")
    arity = np.array([op.arity for op in OPS])[graph.op]
    found = np.diff(graph.start)
    _fail(graph, (arity >= 0) & (found != arity), "wrong number of sources")
    _fail(graph, (arity < 0) & (found < 1), "no sources")
    if not graph.four_state:
        _fail(graph, np.array([op.four_state_only for op in OPS])[graph.op], "a 4-state operation in a 2-state graph")
    has_param = np.isin(graph.op, [CODE[name] for name in _PARAM_OPS])
    _fail(graph, ~has_param & (graph.param != 0), "a parameter where none is meant")
    _check_constants(graph)
    for name, memory in (("read", False), ("memread", True)):
        chosen = graph.op == CODE[name]
        _fail(graph, chosen & ((graph.param < 0) | (graph.param >= len(graph.states))), "no such state")
        if chosen.any():
            widths = np.array([state.width for state in graph.states])
            memories = np.array([state.depth > 0 for state in graph.states])
            states = graph.param[chosen]
            bad = np.zeros(len(graph), np.bool_)
            bad[chosen] = (widths[states] != graph.width[chosen]) | (memories[states] != memory)
            _fail(graph, bad, "does not fit the state")


def _check_constants(graph: ConeGraph) -> None:
    chosen = graph.op == CODE["const"]
    _fail(graph, chosen & ((graph.param < 0) | (graph.param >= len(graph.constants))), "no such constant")
    for node in np.flatnonzero(chosen).tolist():
        value, unknown = graph.constants[graph.param[node]]
        if value < 0 or unknown < 0 or (value | unknown) >> int(graph.width[node]):
            raise InternalError(f"malformed graph: constant too wide: {describe_node(graph, node)}")
        if unknown and not graph.four_state:
            raise InternalError(f"malformed graph: unknown bits in a 2-state graph: {describe_node(graph, node)}")


Widths = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]

_RULES: dict[str, Callable[[Widths], NDArray[np.bool_]]] = {
    # Each gets (width, param, width of source 0, of source 1, of source 2; a missing source has width -1).
    "any": lambda w: w[0] > 0,
    "same": lambda w: (w[2] == w[0]) & ((w[3] == w[0]) | (w[3] == -1)),
    "compare": lambda w: (w[0] == 1) & (w[2] == w[3]),
    "shift": lambda w: w[2] == w[0],
    "slice": lambda w: (w[1] >= 0) & (w[1] + w[0] <= w[2]),
    "extend": lambda w: w[2] <= w[0],
    "mux": lambda w: (w[2] == 1) & (w[3] == w[0]) & (w[4] == w[0]),
    "insert": lambda w: w[2] == w[0],
    "bit": lambda w: w[0] == 1,
    "bit1": lambda w: (w[0] == 1) & (w[2] == 1) & (w[3] == 1),
}


def _check_widths(graph: ConeGraph) -> None:
    count = len(graph)
    found = np.diff(graph.start)
    source_widths = np.append(graph.width[graph.src], -1).astype(np.int64)
    columns = [graph.width.astype(np.int64), graph.param.astype(np.int64)]
    for position in range(3):
        at = np.where(found > position, graph.start[:-1] + position, len(graph.src))
        columns.append(source_widths[at])
    width, param, first, second, third = columns
    for rule, holds in _RULES.items():
        codes = [op.code for op in OPS if op.rule == rule]
        chosen = np.isin(graph.op, codes)
        _fail(graph, chosen & ~holds((width, param, first, second, third)), f"widths break the rule '{rule}'")
    total = np.zeros(count, np.int64)
    np.add.at(total, np.repeat(np.arange(count), found), source_widths[:-1])
    _fail(graph, (graph.op == BY_NAME["concat"].code) & (total != width), "widths break the rule 'concat'")


def _check_node(graph: ConeGraph, node: int, width: int, where: str) -> None:
    """Check that a sink's node exists and has `width` bits (0: any)."""
    if not 0 <= node < len(graph):
        raise InternalError(f"malformed graph: {where} names node %{node}, which does not exist")
    if width and graph.width[node] != width:
        raise InternalError(f"malformed graph: {where} needs {width} bits: {describe_node(graph, node)}")


def _check_sinks(graph: ConeGraph) -> None:
    if not graph.domains or graph.constants[graph.param[graph.domains[SETTLE].trigger]] != (1, 0):
        raise InternalError("malformed graph: domain 0 does not always fire")
    for index, domain in enumerate(graph.domains):
        _check_node(graph, domain.trigger, 1, f"domain {index} ({domain.name})")
    for index, write in enumerate((*graph.writes, *graph.memory_writes)):
        where = f"write {index}"
        if not 0 <= write.state < len(graph.states):
            raise InternalError(f"malformed graph: {where} names state @{write.state}, which does not exist")
        state = graph.states[write.state]
        where = f"write {index} of {state.name}"
        if not 0 <= write.domain < len(graph.domains):
            raise InternalError(f"malformed graph: {where} names domain {write.domain}, which does not exist")
        if (state.depth > 0) != (index >= len(graph.writes)):
            raise InternalError(f"malformed graph: {where} is in the wrong table")
        _check_node(graph, write.value, state.width, where)
        _check_node(graph, write.enable, 1, where)
    for index, write in enumerate(graph.memory_writes):
        where = f"memory write {index}"
        _check_node(graph, write.address, 0, where)
        if write.mask != -1:
            _check_node(graph, write.mask, graph.states[write.state].width, where)
        if write.count < 1:
            raise InternalError(f"malformed graph: {where} fills {write.count} elements")


def _check_effects(graph: ConeGraph) -> None:
    for index, effect in enumerate(graph.effects):
        where = f"effect {index} ({effect.task.name})"
        _check_node(graph, effect.enable, 1, where)
        if not 0 <= effect.domain < len(graph.domains):
            raise InternalError(f"malformed graph: {where} names domain {effect.domain}, which does not exist")
        for node in effect.args:
            if node != -1:
                _check_node(graph, node, 0, where)
        if effect.unknowns:
            _check_twins(graph, effect.args, effect.unknowns, where)


def _check_scopes(graph: ConeGraph) -> None:
    for index, scope in enumerate(graph.scopes):
        where = f"scope {index} ({scope.path})"
        if not -1 <= scope.parent < index:
            raise InternalError(f"malformed graph: {where} has the parent {scope.parent}")
        if len(scope.nodes) != len(scope.module.signals):
            raise InternalError(f"malformed graph: {where} has {len(scope.nodes)} nodes for its signals")
        for signal, node in zip(scope.module.signals, scope.nodes.tolist(), strict=True):
            if node >= 0:
                _check_node(graph, node, signal.bits, f"{where}, signal {signal.name}")
            elif node < -1 and not (-2 - node < len(graph.states) and graph.states[-2 - node].depth):
                raise InternalError(f"malformed graph: {where}, signal {signal.name} names no memory")
        if scope.unknowns is not None:
            nodes, unknowns = scope.nodes.tolist(), scope.unknowns.tolist()
            _check_twins(graph, [n if n >= 0 else -1 for n in nodes], [n if n >= 0 else -1 for n in unknowns], where)


def _check_twins(graph: ConeGraph, values: Sequence[int], unknowns: Sequence[int], where: str) -> None:
    """Check that unknown planes pair with values of the same widths."""
    if len(values) != len(unknowns):
        raise InternalError(f"malformed graph: {where} has {len(values)} values and {len(unknowns)} unknown planes")
    for value, unknown in zip(values, unknowns, strict=True):
        if (value < 0) != (unknown < 0):
            raise InternalError(f"malformed graph: {where} has a value or an unknown plane alone")
        if value >= 0:
            _check_node(graph, unknown, int(graph.width[value]), where)
