// A self-checking testbench of what testbenches are full of: LFSRs, a CRC, a FIFO with its scoreboard, tasks and delays.
//
// Each cycle pushes and pops a FIFO by random enables, runs a CRC-32 over what comes out, bit by bit in a function and
// byte by byte through a table, and compares the two; a reference queue in plain Verilog checks the order of the data.
// `+cycles=N` sets how long it runs; it ends with PASSED and the CRC, or with FAILED.
`timescale 1ns / 1ps

module lfsr #(
    parameter SEED = 32'h1
) (
    input             clk,
    input             reset,
    input             enable,
    output reg [31:0] state
);
  wire feedback = state[31] ^ state[21] ^ state[1] ^ state[0];
  always @(posedge clk)
    if (reset) state <= SEED;
    else if (enable) state <= {state[30:0], feedback};
endmodule

module fifo #(
    parameter WIDTH = 32,
    parameter BITS = 4
) (
    input                  clk,
    input                  reset,
    input                  push,
    input                  pop,
    input      [WIDTH-1:0] data_in,
    output     [WIDTH-1:0] data_out,
    output                 full,
    output                 empty,
    output     [BITS:0]    count
);
  reg [WIDTH-1:0] memory[0:(1<<BITS)-1];
  reg [BITS:0] head, tail;
  assign count = tail - head;
  assign empty = count == 0;
  assign full = count[BITS];
  assign data_out = memory[head[BITS-1:0]];
  always @(posedge clk)
    if (reset) begin
      head <= 0;
      tail <= 0;
    end else begin
      if (push && !full) begin
        memory[tail[BITS-1:0]] <= data_in;
        tail <= tail + 1;
      end
      if (pop && !empty) head <= head + 1;
    end
endmodule

module crc32_bytes (
    input             clk,
    input             reset,
    input             valid,
    input      [31:0] data,
    output reg [31:0] crc
);
  reg [31:0] table_[0:255];
  reg [31:0] next;
  integer i, j;
  initial
    for (i = 0; i < 256; i = i + 1) begin
      next = i;
      for (j = 0; j < 8; j = j + 1) next = next[0] ? (next >> 1) ^ 32'hedb88320 : next >> 1;
      table_[i] = next;
    end
  reg [31:0] step;
  integer k;
  always @* begin
    step = crc;
    for (k = 0; k < 4; k = k + 1) step = (step >> 8) ^ table_[step[7:0] ^ data[8*k+:8]];
  end
  always @(posedge clk)
    if (reset) crc <= 32'hffffffff;
    else if (valid) crc <= step;
endmodule

module stress;
  reg clk = 0, reset = 1;
  integer cycles, errors = 0, popped = 0;
  wire [31:0] noise, data, out, crc;
  wire full, empty;
  wire [4:0] count;
  always #5 clk = ~clk;

  wire push = noise[0] | noise[3];
  wire pop = noise[7] & ~empty;
  lfsr #(.SEED(32'hdeadbeef)) choose (clk, reset, 1'b1, noise);
  lfsr #(.SEED(32'h12345678)) values (clk, reset, push & ~full, data);
  fifo #(.WIDTH(32), .BITS(4)) queue (clk, reset, push, pop, data, out, full, empty, count);
  crc32_bytes checksum (clk, reset, pop, out, crc);

  // The scoreboard: the values again, from an LFSR of its own, as the order of pops demands.
  reg [31:0] expected = 32'h12345678, slow = 32'hffffffff;
  function [31:0] crc_bitwise(input [31:0] seed, input [31:0] word);
    integer n;
    begin
      crc_bitwise = seed;
      for (n = 0; n < 32; n = n + 1)
        crc_bitwise = (crc_bitwise[0] ^ word[n]) ? (crc_bitwise >> 1) ^ 32'hedb88320 : crc_bitwise >> 1;
    end
  endfunction

  task check(input [31:0] word);
    begin
      if (word !== expected) begin
        errors = errors + 1;
        if (errors < 10) $display("%0t: popped %h, expected %h", $time, word, expected);
      end
      expected = {expected[30:0], expected[31] ^ expected[21] ^ expected[1] ^ expected[0]};
      popped = popped + 1;
    end
  endtask

  always @(posedge clk)
    if (!reset) begin
      if (crc !== slow) begin
        errors = errors + 1;
        if (errors < 10) $display("%0t: CRC %h, expected %h", $time, crc, slow);
      end
      if (pop) begin
        check(out);
        slow = crc_bitwise(slow, out);
      end
    end

  initial begin
    if (!$value$plusargs("cycles=%d", cycles)) cycles = 100000;
    repeat (4) @(posedge clk);
    #1 reset = 0;
    repeat (cycles) @(posedge clk);
    #1;
    if (errors == 0 && popped > cycles / 4) $display("PASSED: %0d words, CRC %h", popped, ~crc);
    else $display("FAILED: %0d errors, %0d words", errors, popped);
    $finish;
  end
endmodule
