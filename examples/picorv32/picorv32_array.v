// Many PicoRV32 computers beside one another, each with its own RAM and UART, and a hash of what all of them do.
//
// Core number i leaves its reset 3 * i cycles after the first one, so that no two do the same at the same time. The text
// is that of core 0.
module picorv32_array #(
    parameter FIRMWARE = "",
    parameter CORES    = 4
) (
    input         clk,
    input         reset,
    output        text_valid,
    output [ 7:0] text_data,
    output [31:0] text_count,
    output [63:0] hash
);
  reg [15:0] age;

  always @(posedge clk) begin
    if (reset) age <= 0;
    else if (age != 16'hffff) age <= age + 1;
  end

  wire [CORES-1:0] tx;
  wire [31:0] mixed[0:CORES];

  assign mixed[0] = 0;

  genvar i;
  generate
    for (i = 0; i < CORES; i = i + 1) begin : cores
      wire        held = reset || age < 3 * i;
      wire        valid;
      wire [31:0] address;
      wire [31:0] write_data;
      wire [ 3:0] write_strobe;

      picorv32_soc #(
          .FIRMWARE(FIRMWARE)
      ) soc (
          .clk             (clk),
          .reset           (held),
          .tx              (tx[i]),
          .trap            (),
          .bus_valid       (valid),
          .bus_fetch       (),
          .bus_address     (address),
          .bus_write_data  (write_data),
          .bus_write_strobe(write_strobe)
      );

      wire [31:0] seen = (valid ? address : 32'b0) ^ (write_strobe != 0 ? write_data : 32'b0);

      assign mixed[i+1] = {mixed[i][30:0], mixed[i][31]} ^ seen;
    end
  endgenerate

  uart_monitor monitor (
      .clk   (clk),
      .reset (reset),
      .rx    (tx[0]),
      .valid (text_valid),
      .data  (text_data),
      .count (text_count),
      .errors()
  );

  hash_outputs #(
      .WIDTH(32 + CORES)
  ) hasher (
      .clk  (clk),
      .reset(reset),
      .value({tx, mixed[CORES]}),
      .hash (hash)
  );
endmodule
