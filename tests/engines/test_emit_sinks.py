"""Sinks are committed in place: values from before the edge must survive the stores that other sinks still need."""

from random import Random

import pytest

import weft

WIDE_MEMORY_WRITE = """
module top (input clk, input [1:0] sel, input [455:0] data, output logic [455:0] q, output y);
  logic [455:0] r = 5;
  logic [7:0] mem [0:4];
  always @(posedge clk) begin
    r <= data;
    r[412:242] <= r;
    mem[sel ** (r & 3)] <= data[7:0];
  end
  assign q = {mem[0], mem[1], mem[2], mem[3], mem[4], r[300:0]}, y = ^r;
endmodule
"""

WIDE_CHOICE = """
module top (input clk, input [1:0] sel, input [455:0] data, output logic [455:0] q, output y);
  logic [455:0] a = 1, b = 2, c = 3, d = 4;
  logic [455:0] chosen;
  always_comb
    if (sel[0]) chosen = a;
    else begin
      chosen = (b * c) ^ (b - c) ^ (data * b);
      if (data[3]) chosen = chosen * a + c;
    end
  always @(posedge clk) begin
    a <= data + d;
    b <= a;
    c <= b ^ data;
    if (sel[1]) d <= chosen;
    q <= chosen ^ a;
  end
  assign y = ^d;
endmodule
"""


@pytest.mark.parametrize("four_state", [False, True])
@pytest.mark.parametrize("source", [WIDE_MEMORY_WRITE, WIDE_CHOICE])
def test_wide_values_are_those_from_before_the_edge(source: str, four_state: bool):
    found: list[list[str]] = []
    for engine in ("cpu", "reference"):
        random = Random(3)
        values: list[str] = []
        with weft.compile(
            texts={"top.sv": source}, top="top", engine=engine, four_state=four_state, cache=False
        ) as sim:
            for _ in range(40):
                sim.poke("data", random.getrandbits(456))
                sim.poke("sel", random.getrandbits(2))
                sim.poke("clk", 1)
                values.append(f"{sim.peek('q')} {sim.peek('y')}")
                sim.poke("clk", 0)
                sim.peek("y")
        found.append(values)
    assert found[0] == found[1]
    assert len(set(found[0])) > 20
