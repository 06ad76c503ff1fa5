// The PicoRV32 SoC with what tests and benchmarks look at: the text on its UART and a hash of its outputs.
module picorv32_bench #(
    parameter FIRMWARE = ""
) (
    input         clk,
    input         reset,
    output        tx,
    output        trap,
    output        text_valid,
    output [ 7:0] text_data,
    output [31:0] text_count,
    output [63:0] hash
);
  wire        bus_valid;
  wire        bus_fetch;
  wire [31:0] bus_address;
  wire [31:0] bus_write_data;
  wire [ 3:0] bus_write_strobe;

  picorv32_soc #(
      .FIRMWARE(FIRMWARE)
  ) soc (
      .clk             (clk),
      .reset           (reset),
      .tx              (tx),
      .trap            (trap),
      .bus_valid       (bus_valid),
      .bus_fetch       (bus_fetch),
      .bus_address     (bus_address),
      .bus_write_data  (bus_write_data),
      .bus_write_strobe(bus_write_strobe)
  );

  uart_monitor monitor (
      .clk   (clk),
      .reset (reset),
      .rx    (tx),
      .valid (text_valid),
      .data  (text_data),
      .count (text_count),
      .errors()
  );

  wire write = bus_valid && bus_write_strobe != 0;

  hash_outputs #(
      .WIDTH(72)
  ) hasher (
      .clk  (clk),
      .reset(reset),
      .value({
        tx,
        trap,
        bus_valid,
        bus_fetch && bus_valid,
        bus_valid ? bus_write_strobe : 4'b0,
        bus_valid ? bus_address : 32'b0,
        write ? bus_write_data : 32'b0
      }),
      .hash (hash)
  );
endmodule
