"""The verifier accepts every graph that a builder makes, and names what is wrong with one that is damaged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from random_graphs import random_graph
from weft.base.dataclass import replace
from weft.base.errors import InternalError
from weft.ir.cone_graph import ConeGraph, Domain, Effect, MemoryWrite, State, Write
from weft.ir.design import SystemTask
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE
from weft.ir.verify_graph import verify_graph


@given(st.integers(0, 1 << 32), st.integers(0, 80), st.booleans())
def test_random_graphs_are_well_formed(seed: int, size: int, four_state: bool):
    verify_graph(random_graph(seed, size, four_state))


def small_graph() -> ConeGraph:
    builder = GraphBuilder()
    builder.states += [State("a", 8, kind="input"), State("ram", 4, 16, "memory"), State("q", 8)]
    a = builder.read(0)
    total = builder.add("add", 8, a, builder.read(2))
    low = builder.slice(total, 2, 4)
    builder.memread(1, low)
    builder.add("concat", 12, low, a)
    builder.add("mux", 8, builder.slice(a, 0, 1), a, total)
    builder.writes.append(Write(2, total, builder.const(1, 1), 0))
    builder.memory_writes.append(MemoryWrite(1, a, low, builder.const(1, 1), 0, low))
    builder.effects.append(Effect(SystemTask("$display", (None,)), (a,), builder.const(1, 1), 0, "top"))
    return builder.freeze()


def find(graph: ConeGraph, op: str) -> int:
    return int(np.flatnonzero(graph.op == CODE[op])[0])


def break_column(graph: ConeGraph, column: str, op: str, value: int) -> None:
    getattr(graph, column)[find(graph, op)] = value


def break_source(graph: ConeGraph, op: str, position: int, value: int) -> None:
    graph.src[graph.start[find(graph, op)] + position] = value


DAMAGES = {
    "add: widths": (lambda g: break_column(g, "width", "add", 9), "rule 'same'.*add:9"),
    "slice: beyond": (lambda g: break_column(g, "param", "slice", 5), "rule 'slice'.*slice:4"),
    "concat: total": (lambda g: break_column(g, "width", "concat", 13), "rule 'concat'"),
    "mux: condition": (lambda g: break_source(g, "mux", 0, find(g, "read")), "rule 'mux'"),
    "parameter": (lambda g: break_column(g, "param", "add", 1), "parameter where none"),
    "forward source": (lambda g: break_source(g, "add", 0, find(g, "add")), "precede.*add"),
    "no width": (lambda g: break_column(g, "width", "add", 0), "no bits"),
    "no state": (lambda g: break_column(g, "param", "read", 7), "no such state"),
    "read of memory": (lambda g: break_column(g, "param", "read", 1), "does not fit the state"),
    "unknown op": (lambda g: break_column(g, "op", "add", 200), "no such operation"),
    "4-state op": (lambda g: break_column(g, "op", "add", CODE["resolve"]), "4-state operation"),
    "arity": (lambda g: break_column(g, "op", "add", CODE["not"]), "wrong number"),
    "constant": (lambda g: g.constants.__setitem__(0, (2, 0)), "too wide"),
    "unknown bits": (lambda g: g.constants.__setitem__(0, (0, 1)), "unknown bits"),
    "domain": (lambda g: g.domains.append(Domain("odd", find(g, "add"))), "domain 1 .odd. needs 1 bits"),
    "write value": (lambda g: g.writes.append(Write(2, find(g, "slice"), 0, 0)), "write 1 of q needs 8 bits"),
    "write domain": (lambda g: g.writes.append(Write(2, find(g, "add"), 0, 4)), "domain 4"),
    "write memory": (lambda g: g.writes.append(Write(1, find(g, "slice"), 0, 0)), "wrong table"),
    "write count": (
        lambda g: g.memory_writes.__setitem__(0, replace(g.memory_writes[0], count=0)),
        "fills 0 elements",
    ),
    "effect": (lambda g: g.effects.__setitem__(0, replace(g.effects[0], args=(99,))), "%99, which does not exist"),
    "effect planes": (lambda g: g.effects.__setitem__(0, replace(g.effects[0], unknowns=(-1,))), "alone"),
    "state kind": (lambda g: g.states.append(State("odd", 1, kind="odd")), "unknown kind odd"),
    "twin": (lambda g: g.states.append(State("odd", 1, plane="value", twin=0)), "no twin"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named(name: str):
    damage, message = DAMAGES[name]
    graph = small_graph()
    verify_graph(graph)
    damage(graph)
    with pytest.raises(InternalError, match=message):
        verify_graph(graph)
