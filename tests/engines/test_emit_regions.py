"""Regions that are left and entered again: modules that the fuzzer found, on the CPU engine and on the reference."""

from random import Random

import weft

RE_ENTERED_ARM = """
module top (input clk, input [255:0] data, output logic [12:0] q);
  logic signed i;
  logic [62:0] r3;
  logic [2:0] r4;
  logic [16:0] r6;
  logic [64:0] r8;
  logic mem [0:1];
  logic [27:0] p;
  logic [6:0] w19;
  logic signed [65:0] w16;
  logic signed [64:0] w17;
  logic [12:0] c;
  assign i = data[227], r3 = data[0], r4 = data >> 1, r6 = data >> 4, r8 = data >> 30;
  assign p = data >> 40, mem[0] = data[10], mem[1] = data[11];
  assign w19 = p[6:0], w17 = i ~^ r3, w16 = 0;
  always @* begin
    c = 1'b0;
    if (r3) ;
    else case (w19 ? r4 : r8)
      3'b110: c[mem[1'b0] + 0 -: 1] = 1'b0;
      3'b001: c = |(r6 ? w16 : w17);
      default: c[11:10] = 1'b1;
    endcase
  end
  always @(posedge clk) if (c) q <= 1'b0; else q <= p;
endmodule
"""


def outputs(engine: str, source: str) -> list[object]:
    """Return `q` after each of some random inputs, some bits of which are unknown."""
    random = Random(1)
    found: list[object] = []
    with weft.compile(texts={"top.sv": source}, top="top", engine=engine, four_state=True, cache=False) as sim:
        for step in range(100):
            sim.poke("data", "".join(random.choice(random.choice(("0", "01", "001x"))) for _ in range(256)))
            sim.poke("clk", step & 1)
            found.append(str(sim.peek("q")))
    return found


def test_an_arm_entered_twice_knows_what_left_branches_inside_it():
    found = outputs("cpu", RE_ENTERED_ARM)
    assert found == outputs("reference", RE_ENTERED_ARM)
    assert len(set(found)) > 3
