"""Rebuilding drops what nothing needs and keeps everything that names nodes valid."""

from hypothesis import given
from hypothesis import strategies as st

from random_graphs import random_graph
from weft.ir.print_graph import print_graph
from weft.ir.verify_graph import verify_graph
from weft.passes.rebuild_graph import drop_dead_nodes, needed_by_sinks, rebuild_graph
from weft.passes.simplify_nodes import simplify_two_state


@given(st.integers(0, 1 << 32), st.integers(1, 60), st.booleans())
def test_nothing_dead_is_left(seed: int, size: int, keep_names: bool):
    graph = random_graph(seed, size)
    for simplify in (None, simplify_two_state):
        rebuilt, moved = rebuild_graph(graph, simplify, keep_names)
        verify_graph(rebuilt)
        assert needed_by_sinks(rebuilt, keep_names).all()
        if simplify is None:
            assert ((moved >= 0) == needed_by_sinks(graph, keep_names)).all()
        signals = [scope.nodes.tolist() for scope in rebuilt.scopes]
        expected = [[int(moved[n]) if n >= 0 else n for n in scope.nodes.tolist()] for scope in graph.scopes]
        assert signals == expected
        assert not keep_names or all((scope.nodes >= 0).tolist()[:-2] == [True] * 10 for scope in rebuilt.scopes)


@given(st.integers(0, 1 << 32), st.integers(1, 40))
def test_a_rebuilt_graph_is_rebuilt_to_itself(seed: int, size: int):
    first, _ = rebuild_graph(random_graph(seed, size))
    again, moved = rebuild_graph(first)
    assert print_graph(first) == print_graph(again)
    assert moved.tolist() == list(range(len(first)))
    dropped, _ = drop_dead_nodes(first)
    assert print_graph(dropped) == print_graph(first)
