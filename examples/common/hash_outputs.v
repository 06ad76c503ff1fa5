// A running 64-bit hash of a bundle of signals, one step for each rising clock edge.
//
// Every simulator computes it by itself, so two runs agree exactly when the hashed outputs agreed in every cycle. A step
// takes the values just before the edge, when they have settled; `reset` holds the hash, so that what happens before the
// design is reset (where 2-state and 4-state simulators may differ) does not count. The mix is FNV-1a (Fowler, Noll, Vo)
// over 64-bit words, with a rotation added so that differences in high bits reach the low ones.
module hash_outputs #(
    parameter WIDTH = 64
) (
    input                  clk,
    input                  reset,
    input      [WIDTH-1:0] value,
    output reg [     63:0] hash
);
  localparam WORDS = (WIDTH + 63) / 64;

  wire [64*WORDS-1:0] padded = value;

  reg  [        63:0] next;
  integer             i;

  always @* begin
    next = hash;
    for (i = 0; i < WORDS; i = i + 1) begin
      next = ({next[40:0], next[63:41]} ^ padded[64*i+:64]) * 64'h0000_0100_0000_01b3;
    end
  end

  always @(posedge clk) begin
    if (reset) hash <= 64'hcbf2_9ce4_8422_2325;
    else hash <= next;
  end
endmodule
