// The Ibex SoC with what tests and benchmarks look at: the text on its UART and a hash of its outputs.
module ibex_bench #(
    parameter FIRMWARE = ""
) (
    input  logic        clk,
    input  logic        reset,
    output logic        tx,
    output logic        text_valid,
    output logic [ 7:0] text_data,
    output logic [31:0] text_count,
    output logic [63:0] hash
);
  logic sleeping, fetch_valid, bus_valid, bus_write;
  logic [31:0] fetch_address, bus_address, bus_write_data;
  logic [3:0] bus_write_strobe;

  ibex_soc #(.FIRMWARE(FIRMWARE)) soc (.*);

  uart_monitor monitor (
      .clk,
      .reset,
      .rx    (tx),
      .valid (text_valid),
      .data  (text_data),
      .count (text_count),
      .errors()
  );

  wire write = bus_valid && bus_write;

  hash_outputs #(
      .WIDTH(104)
  ) hasher (
      .clk,
      .reset,
      .value({
        tx,
        sleeping,
        fetch_valid,
        bus_valid,
        fetch_valid ? fetch_address : 32'b0,
        bus_valid ? bus_address : 32'b0,
        write ? bus_write_strobe : 4'b0,
        write ? bus_write_data : 32'b0
      }),
      .hash
  );
endmodule
