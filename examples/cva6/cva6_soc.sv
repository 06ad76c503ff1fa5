// CVA6, configured as a 32-bit application core (RV32IMAC, Sv32), with 64 KiB of RAM and a UART on its AXI bus.
//
// Memory map: RAM from 0x8000_0000, where it boots; 0x1000_0000 the UART (write: send a byte; read: bit 0 is set while
// it is busy).
module cva6_soc #(
    parameter FIRMWARE = ""
) (
    input  logic                 clk,
    input  logic                 reset,
    output logic                 tx,
    output ariane_axi::req_t     request,
    output ariane_axi::resp_t    response
);
  logic uart_busy, uart_write;
  logic [7:0] uart_data;

  cva6 #(
      .ArianeCfg(ariane_pkg::ArianeDefaultConfig)
  ) cpu (
      .clk_i       (clk),
      .rst_ni      (!reset),
      .boot_addr_i (32'h8000_0000),
      .hart_id_i   (32'b0),
      .irq_i       (2'b0),
      .ipi_i       (1'b0),
      .time_irq_i  (1'b0),
      .debug_req_i (1'b0),
      .cvxif_req_o (),
      .cvxif_resp_i('0),
      .axi_req_o   (request),
      .axi_resp_i  (response)
  );

  logic b_valid, r_valid, r_last, aw_ready, w_ready, ar_ready;
  logic [3:0] b_id, r_id;
  logic [63:0] r_data;

  axi_memory #(
      .FIRMWARE(FIRMWARE)
  ) memory (
      .clk,
      .reset,
      .aw_valid(request.aw_valid),
      .aw_ready,
      .aw_id   (request.aw.id),
      .aw_addr (request.aw.addr[31:0]),
      .aw_len  (request.aw.len),
      .aw_size (request.aw.size),
      .aw_burst(request.aw.burst),
      .w_valid (request.w_valid),
      .w_ready,
      .w_data  (request.w.data),
      .w_strb  (request.w.strb),
      .w_last  (request.w.last),
      .b_valid,
      .b_ready (request.b_ready),
      .b_id,
      .ar_valid(request.ar_valid),
      .ar_ready,
      .ar_id   (request.ar.id),
      .ar_addr (request.ar.addr[31:0]),
      .ar_len  (request.ar.len),
      .ar_size (request.ar.size),
      .ar_burst(request.ar.burst),
      .r_valid,
      .r_ready (request.r_ready),
      .r_id,
      .r_data,
      .r_last,
      .uart_busy,
      .uart_write,
      .uart_data
  );

  always_comb begin
    response          = '0;
    response.aw_ready = aw_ready;
    response.ar_ready = ar_ready;
    response.w_ready  = w_ready;
    response.b_valid  = b_valid;
    response.b.id     = b_id;
    response.r_valid  = r_valid;
    response.r.id     = r_id;
    response.r.data   = r_data;
    response.r.last   = r_last;
  end

  uart_transmitter uart (
      .clk,
      .reset,
      .write(uart_write),
      .data (uart_data),
      .busy (uart_busy),
      .tx
  );
endmodule
