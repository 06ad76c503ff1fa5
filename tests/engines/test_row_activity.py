"""After which edges a row may have changed: what is known of a trigger whose clock has a level."""

import pytest

import weft
from weft.engines.cpu.row_activity import RowActivity
from weft.ir.layout import place_state
from weft.ir.step_graph import step_graph

LATCHED = """module top(input clk, rst, enable, input [7:0] d, output reg [7:0] q);
  reg open;
  always_latch if (!clk) open = enable;
  wire gated = clk & open;
  always @(posedge gated or posedge rst) if (rst) q <= 0; else q <= d; endmodule"""

CASES = {
    "rising": ("always @(posedge clk) q <= d;", {1}),
    "falling": ("always @(negedge clk) q <= d;", {0}),
    "both": ("always @(posedge clk) q[3:0] <= d[3:0]; always @(negedge clk) q[7:4] <= d[7:4];", {0, 1}),
    "gated by and": ("wire g = clk & d[0] & ~d[1]; always @(posedge g) q <= d;", {1}),
    "gated by or": ("wire g = clk | d[0]; always @(negedge g) q <= d;", {0}),
    "inverted": ("wire g = ~(clk | d[0]); always @(posedge g) q <= d;", {0}),
    "gated by and, inverted": ("wire g = ~(clk & d[0]); always @(posedge g) q <= d;", {0, 1}),
    "derived": ("reg h = 0; always @(posedge clk) h <= ~h; always @(posedge h) q <= d;", {0, 1}),
    "reset": ("always @(posedge clk or negedge rst) if (!rst) q <= 0; else q <= d;", {1}),
}


def activity(text):
    graph = weft.compile(texts={"top.sv": text}, cache=False).design.graph
    clock = next(i for i, state in enumerate(graph.states) if state.name == "top.clk")
    hot = {i for i, state in enumerate(graph.states) if state.kind == "sample"} | {clock}
    clocks = frozenset({clock})
    return RowActivity(graph, step_graph(graph), place_state(graph.states), frozenset(hot), clocks), clock


@pytest.mark.parametrize(("body", "levels"), CASES.values(), ids=CASES)
def test_domains_fire_at_some_levels_of_the_clock(body, levels):
    found, clock = activity(f"module top(input clk, rst, input [7:0] d, output reg [7:0] q); {body} endmodule")
    for level in (0, 1):
        fires = any(
            all(other != clock or value == level for other, value in conditions)
            for write in found.graph.writes
            if found.graph.states[write.state].name.startswith("top.q")
            for conditions in found.firing(found.graph.domains[write.domain].trigger)
        )
        assert fires == (level in levels)


def test_a_latch_of_a_clock_gate_is_compared_with_the_last_row():
    found, _ = activity(LATCHED)
    numbers = {state.name.rpartition(".")[2]: i for i, state in enumerate(found.graph.states)}
    code, result = found.busy({numbers["q"]: 32, numbers["open"]: 40}, False)
    assert result == f"%l{numbers['open']}.o"
    assert "ptr %last, i64 40" in code
    assert "ptr %last, i64 32" not in code
