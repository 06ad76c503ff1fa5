// The CVA6 SoC with what tests and benchmarks look at: the text on its UART and a hash of its bus.
module cva6_bench #(
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
  ariane_axi::req_t  request;
  ariane_axi::resp_t response;

  cva6_soc #(.FIRMWARE(FIRMWARE)) soc (.*);

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
      .WIDTH(278)
  ) hasher (
      .clk,
      .reset,
      .value({
        tx,
        request.aw_valid,
        request.w_valid,
        request.ar_valid,
        request.b_ready,
        request.r_ready,
        request.aw_valid ? {request.aw.addr, request.aw.len} : 72'b0,
        request.ar_valid ? {request.ar.addr, request.ar.len} : 72'b0,
        request.w_valid ? {request.w.data, request.w.strb} : 72'b0,
        response.b_valid,
        response.r_valid ? response.r.data[53:0] : 54'b0,
        response.r_valid
      }),
      .hash
  );
endmodule
