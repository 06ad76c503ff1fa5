"""Sets of edges of inputs become flags; clocks that are computed inside are refused."""

import pytest
from tests.passes.fragments import Maker, flatten

from weft.base.errors import Unsupported
from weft.base.source import NOWHERE
from weft.ir.verify_graph import verify_graph
from weft.passes.cut_clocks import cut_clocks


def register(top: Maker, name: str, trigger: int) -> None:
    q = top.signal(name, 4)
    top.clocked(q, top.op("add", top.read(q), top.const(4, 1)), trigger)


def test_each_set_of_edges_of_inputs_has_one_flag():
    top = Maker("top")
    clk, rst = top.signal("clk", port="input"), top.signal("rst", port="input")
    register(top, "a", top.trigger(("posedge", top.read(clk)), ("negedge", top.read(rst))))
    register(top, "b", top.trigger(("posedge", top.read(clk))))
    register(top, "c", top.trigger(("posedge", top.read(clk))))
    cut = cut_clocks(flatten(top), NOWHERE)
    verify_graph(cut.graph)
    states = cut.graph.states
    names = [{(states[clock].name, edge) for clock, edge in trigger.edges} for trigger in cut.triggers]
    assert names == [{("top.clk", "posedge"), ("top.rst", "negedge")}, {("top.clk", "posedge")}]
    assert all(states[trigger.flag].kind == "input" for trigger in cut.triggers)
    samples = {number for number, state in enumerate(cut.graph.states) if state.kind == "sample"}
    assert not any(write.state in samples for write in cut.graph.writes)
    assert not any(node.op == "read" and node.param in samples for node in cut.graph.nodes())


def test_an_edge_of_an_inverted_input_is_the_opposite_edge():
    top = Maker("top")
    clk = top.signal("clk", port="input")
    register(top, "a", top.trigger(("posedge", top.op("not", top.read(clk)))))
    (trigger,) = cut_clocks(flatten(top), NOWHERE).triggers
    assert [edge for _, edge in trigger.edges] == ["negedge"]


def test_a_gated_clock_is_refused():
    top = Maker("top")
    clk, enable = top.signal("clk", port="input"), top.signal("enable", port="input")
    register(top, "a", top.trigger(("posedge", top.op("and", top.read(clk), top.read(enable)))))
    with pytest.raises(Unsupported, match="a clock that is computed inside"):
        cut_clocks(flatten(top), NOWHERE)
