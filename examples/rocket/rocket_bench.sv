// The Rocket SoC with what tests and benchmarks look at: the text on its UART and a hash of its buses.
module rocket_bench #(
    parameter FIRMWARE = "",
    parameter BOOT_ROM = ""
) (
    input  logic        clk,
    input  logic        reset,
    output logic        tx,
    output logic        text_valid,
    output logic [ 7:0] text_data,
    output logic [31:0] text_count,
    output logic [63:0] hash
);
  logic [43:0] memory_write, memory_read, peripheral_write, peripheral_read;
  logic [72:0] memory_data, peripheral_data;

  rocket_soc #(
      .FIRMWARE(FIRMWARE),
      .BOOT_ROM(BOOT_ROM)
  ) soc (.*);

  uart_monitor monitor (
      .clk,
      .reset,
      .rx    (tx),
      .valid (text_valid),
      .data  (text_data),
      .count (text_count),
      .errors()
  );

  hash_outputs #(
      .WIDTH(323)
  ) hasher (
      .clk,
      .reset,
      .value({
        tx, memory_write, memory_read, memory_data, peripheral_write, peripheral_read, peripheral_data
      }),
      .hash
  );
endmodule
