"""`parse(print(graph)) == graph`, and malformed text has one clear error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from random_graphs import random_graph
from weft.base.dataclass import fields, replace
from weft.base.errors import UserError
from weft.base.source import Span
from weft.ir.cone_graph import ConeGraph
from weft.ir.parse_graph import parse_graph
from weft.ir.print_graph import print_graph


def assert_equal(found: ConeGraph, expected: ConeGraph) -> None:
    for name in ("op", "width", "start", "src"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    for node in range(len(expected)):
        if expected.node(node).op == "const":
            assert found.constant(node) == expected.constant(node)
        else:
            assert found.param[node] == expected.param[node]
    for name in ("states", "domains", "writes", "memory_writes", "four_state"):
        assert getattr(found, name) == getattr(expected, name), name
    for one, other in zip(found.effects, expected.effects, strict=True):
        for name in fields(one):
            if name != "task":
                assert getattr(one, name) == getattr(other, name)
        assert (one.task.name, one.task.args, one.task.span) == (other.task.name, other.task.args, other.task.span)
    for one, other in zip(found.scopes, expected.scopes, strict=True):
        assert (one.path, one.parent, one.module.name) == (other.path, other.parent, other.module.name)
        assert one.nodes.tolist() == other.nodes.tolist()
        shape = [(s.name, s.width, s.depth) for s in other.module.signals]
        assert [(s.name, s.width, s.depth) for s in one.module.signals] == shape


@given(st.integers(0, 1 << 32), st.integers(0, 60), st.booleans(), st.booleans())
def test_parse_of_print_is_the_graph(seed: int, size: int, four_state: bool, names: bool):
    graph = random_graph(seed, size, four_state)
    text = print_graph(graph, names)
    parsed = parse_graph(text)
    assert_equal(parsed, graph)
    assert print_graph(parsed, names) == text


def test_planes_spans_and_odd_names_survive():
    graph = random_graph(1, 5)
    width = graph.states[5].width
    graph.states[5] = replace(graph.states[5], plane="value", twin=6, name='odd "name";\\ %1 ü')
    graph.states[6] = replace(graph.states[6], plane="unknown", twin=5, width=width, span=Span(2, 10, 30))
    text = print_graph(graph)
    text = text.replace(f"= read:{graph.width[int(np.flatnonzero(graph.param == 6)[0])]} @6", f"= read:{width} @6")
    assert "value of @6" in text and "at 2:10:30" in text and "ü" in text
    states = [line for line in text.splitlines() if line.startswith(("graph", "state"))]
    domain = ["%0 = const:1 1", 'domain 0 "settle" %0']
    assert parse_graph("\n".join(states + domain)).states == graph.states


def test_split_effects_and_scopes_survive():
    text = """graph two_state
state 0 memory "ram" 8x4
state 1 memory "ram$x" 8x4
%0 = const:1 1
%1 = const:1 0                          ; top.a
domain 0 "settle" %0
effect "$display" (%0/%1 signed, "a;b\\"c", _) if %0 on 0 scope "top" unit 1000 postponed block "b"
scope 0 "top" parent -1 module "top" "top#(1)"
  signal "a" 1 = %1/%0
  signal "ram" 8x4 = @0/@1
  signal "i" 32 = _/_
"""
    graph = parse_graph(text)
    assert graph.effects[0].unknowns == (1, -1, -1)
    assert graph.effects[0].task.signed == (True, False, False)
    assert print_graph(graph) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("graph two_state\n%0 = plus:1 %0", "line 2 .* expected an operation, found plus"),
        ("%1 = const:1 0", "expected %0, found %1"),
        ("%0 = const:1 0 0", "expected the end of the line, found 0"),
        ("state 0 input a 1", "expected a string, found a"),
        ("write @0 %0", "expected '=', found %0"),
        ('signal "a" 1 = %0', "a scope before its signals"),
        ("hello", "expected a kind of line, found hello"),
    ],
)
def test_malformed_text_is_an_error_that_names_the_line(text: str, message: str):
    with pytest.raises(UserError, match=message):
        parse_graph(text)
