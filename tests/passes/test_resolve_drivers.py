"""What becomes state: registers and latches, not the scratch of procedures."""

import pytest

import weft

TEXT = """
module t(input clk, input [7:0] d, output reg [7:0] q, r, output reg [3:0] n);
  always @(posedge clk) begin : block
    integer i; reg [7:0] turned, kept; reg [7:0] all [0:31];
    for (i = 0; i < 8; i = i + 1) turned[i] = d[7 - i];
    for (i = 0; i < 32; i = i + 1) all[i] = turned + i;
    q <= all[3]; r <= kept; kept = d;
  end
  always_comb begin automatic int k; n = 0; for (k = 0; k < 8; k++) n += d[k]; end
  initial begin : start
    integer i; reg [7:0] m [0:99];
    for (i = 0; i < 100; i = i + 1) m[i] = i;
    q = m[55];
  end
endmodule
"""


@pytest.mark.parametrize("four_state", [False, True])
def test_variables_of_blocks_are_state_only_if_they_keep_something(four_state):
    sim = weft.compile(texts={"t.sv": TEXT}, four_state=four_state, engine="reference", cache=False)
    states = {state.name for state in sim.design.graph.states if state.plane != "unknown"}
    assert {name for name in states if name.startswith("t.")} == {
        *("t.clk", "t.d", "t.q", "t.r", "t.block.kept", "t.clk$before")
    }
    assert sim.peek("q") == 55
    sim.poke("d", 0b00110001)
    sim.run_cycles(2)
    assert [int(sim.peek(name)) for name in "qrn"] == [0b10001100 + 3, 0b00110001, 3]
