// The VexRiscv SoC with what tests and benchmarks look at: the text on its UART and a hash of its outputs.
module vexriscv_bench #(
    parameter FIRMWARE = ""
) (
    input         clk,
    input         reset,
    output        tx,
    output        text_valid,
    output [ 7:0] text_data,
    output [31:0] text_count,
    output [63:0] hash
);
  wire        fetch_valid, bus_valid, bus_write;
  wire [31:0] fetch_address, bus_address, bus_write_data;
  wire [ 3:0] bus_write_strobe;

  vexriscv_soc #(
      .FIRMWARE(FIRMWARE)
  ) soc (
      .clk             (clk),
      .reset           (reset),
      .tx              (tx),
      .fetch_valid     (fetch_valid),
      .fetch_address   (fetch_address),
      .bus_valid       (bus_valid),
      .bus_write       (bus_write),
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

  // Lanes that a store does not select carry whatever the processor holds: they do not count.
  wire [31:0] lanes = {
    {8{bus_write_strobe[3]}}, {8{bus_write_strobe[2]}}, {8{bus_write_strobe[1]}}, {8{bus_write_strobe[0]}}
  };
  wire write = bus_valid && bus_write;

  hash_outputs #(
      .WIDTH(103)
  ) hasher (
      .clk  (clk),
      .reset(reset),
      .value({
        tx,
        fetch_valid,
        bus_valid,
        fetch_valid ? fetch_address : 32'b0,
        bus_valid ? bus_address : 32'b0,
        write ? bus_write_strobe : 4'b0,
        write ? bus_write_data & lanes : 32'b0
      }),
      .hash (hash)
  );
endmodule
