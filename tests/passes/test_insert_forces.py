"""Forced signals show the forced value to all readers, and only they; registers keep their own state behind it."""

import pytest
from tests.passes.fragments import Bench, Maker, flatten

from weft.base.errors import Unsupported, UserError
from weft.ir.cone_graph import ConeGraph
from weft.ir.verify_graph import verify_graph
from weft.passes.insert_forces import find_force_point
from weft.passes.rebuild_graph import rebuild_graph
from weft.passes.simplify_nodes import simplify_two_state
from weft.passes.split_planes import split_planes


def counter() -> Maker:
    """Return a counter `q` with `twin` and `other` equal to it, and `next` one more; `ram` is a memory."""
    top = Maker("top")
    clk, q = top.signal("clk", port="input"), top.signal("q", 8)
    twin, other, following = (top.signal(name, 8, "wire") for name in ("twin", "other", "next"))
    ram = top.signal("ram", 8, depth=16)
    trigger = top.trigger(("posedge", top.read(clk)))
    top.drive(twin, top.read(q))
    top.drive(other, top.read(q))
    top.drive(following, top.op("add", top.read(twin), top.const(8, 1)))
    top.clocked(q, top.read(following), trigger)
    top.write(ram, top.builder.slice(top.read(q), 0, 4), top.read(following), trigger)
    return top


def force(bench: Bench, path: str, value: int) -> None:
    point = find_force_point(bench.graph, path)
    assert point is not None
    bench.program.layout.write(bench.state, point.value, value)
    bench.program.layout.write(bench.state, point.enable, 1)
    bench.program.settle(bench.state)


def release(bench: Bench, path: str) -> None:
    point = find_force_point(bench.graph, path)
    assert point is not None
    bench.program.layout.write(bench.state, point.enable, 0)
    bench.program.settle(bench.state)


def values(bench: Bench) -> list[int]:
    return [bench.peek(f"top.{name}") for name in ("q", "twin", "other", "next")]


def benches(forced: list[str]) -> list[Bench]:
    graph: ConeGraph = flatten(counter(), forced=forced)
    verify_graph(graph)
    simplified, _ = rebuild_graph(graph, simplify_two_state)
    return [Bench(graph), Bench(simplified), Bench(flatten(counter(), forced=forced, simplify=simplify_two_state))]


@pytest.mark.parametrize("variant", range(3))
def test_a_forced_net_leaves_equal_nets_alone(variant: int):
    bench = benches(["top.twin"])[variant]
    bench.cycle(times=3)
    assert values(bench) == [3, 3, 3, 4]
    force(bench, "top.twin", 100)
    assert values(bench) == [3, 100, 3, 101]
    bench.cycle()
    assert values(bench) == [101, 100, 101, 101]
    release(bench, "top.twin")
    assert values(bench) == [101, 101, 101, 102]


@pytest.mark.parametrize("variant", range(3))
def test_a_forced_register_keeps_its_own_state(variant: int):
    bench = benches(["top.q"])[variant]
    force(bench, "top.q", 7)
    assert values(bench) == [7, 7, 7, 8]
    bench.cycle(times=2)
    assert values(bench) == [7, 7, 7, 8]
    point = find_force_point(bench.graph, "top.q")
    assert point is not None
    assert bench.program.evaluate(bench.state, bench.graph, [point.driven]) == [8]
    release(bench, "top.q")
    assert values(bench) == [8, 8, 8, 9]


def test_a_forced_clock_makes_edges():
    bench = benches(["top.clk"])[0]
    for _ in range(3):
        force(bench, "top.clk", 1)
        force(bench, "top.clk", 0)
    assert bench.peek("top.q") == 3
    bench.poke(clk=1)
    assert bench.peek("top.q") == 3


def test_a_split_graph_can_force_x():
    top = Maker("top", four_state=True)
    a, b = top.signal("a", 4, port="input"), top.signal("b", 4, "wire")
    top.drive(b, top.op("not", top.read(a)))
    split = split_planes(flatten(top, four_state=True, forced=["top.b"]))
    graph = split.graph
    point = find_force_point(graph, "top.b")
    assert point is not None
    assert graph.states[point.enable].twin == -1
    bench = Bench(graph)
    bench.program.layout.write(bench.state, point.value, 0b0011)
    bench.program.layout.write(bench.state, graph.states[point.value].twin, 0b0101)
    bench.program.layout.write(bench.state, point.enable, 1)
    scope = graph.scopes[0]
    assert scope.unknowns is not None
    nodes = [int(scope.nodes[1]), int(scope.unknowns[1])]
    assert bench.program.evaluate(bench.state, graph, nodes) == [0b0011, 0b0101]


def test_unforced_signals_have_no_force_point():
    assert find_force_point(benches(["top.q"])[0].graph, "top.twin") is None


def test_what_cannot_be_forced_is_an_error():
    with pytest.raises(UserError, match=r"no signal is named 'top\.nothing'"):
        flatten(counter(), forced=["top.nothing"])
    with pytest.raises(Unsupported, match="forcing the memory"):
        flatten(counter(), forced=["top.ram"])
