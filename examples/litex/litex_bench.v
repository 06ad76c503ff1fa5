// LiteX's generated `sim` with what tests and benchmarks look at: the text on its console and a hash of its outputs.
//
// The console is a stream of bytes; `monitor` takes one whenever there is one, and remembers the text.
module litex_bench (
    input         clk,
    input         reset,
    output        text_valid,
    output [ 7:0] text_data,
    output [31:0] text_count,
    output [63:0] hash
);
  wire ready;

  sim computer (
      .sys_clk            (clk),
      .sys_rst            (reset),
      .sim_trace          (1'b0),
      .serial_sink_data   (8'b0),
      .serial_sink_valid  (1'b0),
      .serial_sink_ready  (ready),
      .serial_source_data (text_data),
      .serial_source_valid(text_valid),
      .serial_source_ready(1'b1)
  );

  stream_monitor monitor (
      .clk  (clk),
      .reset(reset),
      .valid(text_valid),
      .data (text_data),
      .count(text_count)
  );

  hash_outputs #(
      .WIDTH(42)
  ) hasher (
      .clk  (clk),
      .reset(reset),
      .value({ready, text_valid, text_valid ? text_data : 8'b0, text_count}),
      .hash (hash)
  );
endmodule

// Remember the bytes of a stream.
module stream_monitor #(
    parameter DEPTH = 4096
) (
    input             clk,
    input             reset,
    input             valid,
    input      [ 7:0] data,
    output reg [31:0] count
);
  reg [7:0] text[0:DEPTH-1];

  always @(posedge clk) begin
    if (reset) count <= 0;
    else if (valid) begin
      count <= count + 1;
      if (count < DEPTH) text[count] <= data;
    end
  end
endmodule
