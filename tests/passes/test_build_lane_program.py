"""The text of a small design's lane program, and what batches refuse."""

import pytest

import weft
from weft import Unsupported
from weft.ir.print_lane_program import print_lane_program
from weft.ir.program import Clock
from weft.passes.build_lane_program import build_lane_program

SOURCE = """
module top(input logic clk, input logic rst, input logic [7:0] step, output logic [7:0] count);
  logic [7:0] seen [0:15];
  logic [7:0] table_ [0:63];
  initial for (int i = 0; i < 64; i++) table_[i] = i;
  always_ff @(posedge clk)
    if (rst) count <= 0;
    else begin
      count <= count + step + table_[step[5:0]];
      seen[count[3:0]] <= step;
    end
endmodule
"""

MESSAGE = """module top(input logic clk, output logic [1:0] n);
  always @(posedge clk) begin
    n <= n + 1;
    if (n == 3) $display("full");
  end
endmodule
"""


def compiled(text, **options):
    return weft.compile(texts={"top.sv": text}, cache=False, **options)


def test_text(golden):
    sim = compiled(SOURCE)
    clocks = [chosen.clock for chosen in sim.clocks]
    program = build_lane_program(sim.design.graph, clocks)
    golden("counter.lanes", print_lane_program(program))
    assert [(memory.depth, memory.shared) for memory in program.memories[:2]] == [(16, False), (64, True)]
    steady = {reset.state: 0 for reset in sim.clock_report.resets}
    usual = build_lane_program(sim.design.graph, clocks, steady=steady, private=[program.memories[1].state])
    assert not usual.memories[1].shared
    assert "top.rst" not in print_lane_program(usual).partition("step after")[0].partition("step ")[2]


def test_four_state_goes_the_same_way():
    sim = compiled(SOURCE, four_state=True)
    program = build_lane_program(sim.design.graph, [chosen.clock for chosen in sim.clocks])
    assert {program.states[word.state].plane for word in program.words} >= {"value", "unknown"}


def test_messages_are_refused_or_counted():
    sim = compiled(MESSAGE)
    clocks = [chosen.clock for chosen in sim.clocks]
    with pytest.raises(Unsupported) as caught:
        build_lane_program(sim.design.graph, clocks)
    assert caught.value.render(sim.design.sources) == (
        "top.sv:4:17: error: $display in a batch is not supported yet [unsupported]\n"
        '    if (n == 3) $display("full");\n'
        "                ^~~~~~~~~~~~~~~~\n"
        'note: with messages="count" a batch counts, lane by lane, how often each statement ran'
    )
    assert build_lane_program(sim.design.graph, clocks, count_messages=True).messages == [0]


def test_edges_of_clocks_that_hardly_ever_coincide_are_refused():
    sim = compiled(SOURCE)
    clocks = [Clock(0, 1000, 500, 1000), Clock(1, 1001, 500, 1001)]
    with pytest.raises(Unsupported, match="a batch with clocks that have 4002 edges in their common period"):
        build_lane_program(sim.design.graph, clocks)
