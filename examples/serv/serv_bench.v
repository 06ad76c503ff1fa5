// SERV's own `servant_sim` with what tests and benchmarks look at: the text on its pin and a hash of the pin.
//
// The pin is servant's only output. The firmware shifts its text and checksums out of it by software, so the exact time
// of every edge depends on every instruction before it. DIVISOR is the length of that software's loop in clock cycles.
module serv_bench #(
    parameter FIRMWARE = "",
    parameter DIVISOR  = 245
) (
    input         clk,
    input         reset,
    output        tx,
    output        text_valid,
    output [ 7:0] text_data,
    output [31:0] text_count,
    output [63:0] hash
);
  servant_sim #(
      .memfile(FIRMWARE),
      .memsize(8192)
  ) servant (
      .wb_clk(clk),
      .wb_rst(reset),
      .q     (tx)
  );

  // The pin has no reset: it is unknown until the firmware drives it, and the line idles at one.
  reg        driven;
  reg [15:0] ones;

  always @(posedge clk) begin
    if (reset) begin
      driven <= 0;
      ones   <= 0;
    end else if (!driven) begin
      ones   <= tx === 1'b1 ? ones + 1 : 0;
      driven <= ones == 4 * DIVISOR;
    end
  end

  wire line = driven ? tx : 1'b1;

  uart_monitor #(
      .DIVISOR(DIVISOR)
  ) monitor (
      .clk   (clk),
      .reset (reset),
      .rx    (line),
      .valid (text_valid),
      .data  (text_data),
      .count (text_count),
      .errors()
  );

  hash_outputs #(
      .WIDTH(33)
  ) hasher (
      .clk  (clk),
      .reset(reset),
      .value({line, text_count}),
      .hash (hash)
  );
endmodule
