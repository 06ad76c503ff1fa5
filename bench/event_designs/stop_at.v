// Beside a testbench in one top module: `+stop=N` ends the simulation after N nanoseconds, for shares of a run.
`timescale 1ns / 1ps
module stop_at;
  reg [63:0] stop;
  initial if ($value$plusargs("stop=%d", stop)) #(stop) $finish;
endmodule
