// Four Rocket cores with their caches (`ExampleRocketSystem`, LiteX's "Linux4" configuration), RAM and a UART.
//
// Memory map: RAM from 0x8000_0000 on the memory bus; on the peripheral bus a ROM at 0x1000_0000, where the cores' own
// boot ROM jumps and which jumps to the RAM, and the UART at 0x6000_0000 (write: send a byte; read: bit 0 is set while
// it is busy).
module rocket_soc #(
    parameter FIRMWARE = "",
    parameter BOOT_ROM = ""
) (
    input  logic        clk,
    input  logic        reset,
    output logic        tx,
    output logic [43:0] memory_write,
    output logic [43:0] memory_read,
    output logic [72:0] memory_data,
    output logic [43:0] peripheral_write,
    output logic [43:0] peripheral_read,
    output logic [72:0] peripheral_data
);
  logic uart_busy, uart_write;
  logic [7:0] uart_data;

  logic memory_aw_valid, memory_aw_ready, memory_w_valid, memory_w_ready;
  logic memory_w_last, memory_b_valid, memory_b_ready, memory_ar_valid;
  logic memory_ar_ready, memory_r_valid, memory_r_ready, memory_r_last;
  logic [1:0] memory_aw_burst, memory_ar_burst;
  logic [2:0] memory_aw_size, memory_ar_size;
  logic [3:0] memory_aw_id, memory_b_id, memory_ar_id, memory_r_id;
  logic [7:0] memory_aw_len, memory_w_strb, memory_ar_len;
  logic [31:0] memory_aw_addr, memory_ar_addr;
  logic [63:0] memory_w_data, memory_r_data;
  logic peripheral_aw_valid, peripheral_aw_ready, peripheral_w_valid, peripheral_w_ready;
  logic peripheral_w_last, peripheral_b_valid, peripheral_b_ready, peripheral_ar_valid;
  logic peripheral_ar_ready, peripheral_r_valid, peripheral_r_ready, peripheral_r_last;
  logic [1:0] peripheral_aw_burst, peripheral_ar_burst;
  logic [2:0] peripheral_aw_size, peripheral_ar_size;
  logic [3:0] peripheral_aw_id, peripheral_b_id, peripheral_ar_id, peripheral_r_id;
  logic [7:0] peripheral_aw_len, peripheral_w_strb, peripheral_ar_len;
  logic [30:0] peripheral_aw_addr, peripheral_ar_addr;
  logic [63:0] peripheral_w_data, peripheral_r_data;

  ExampleRocketSystem cpu (
      .clock(clk),
      .reset(reset),
      .mem_axi4_0_aw_valid(memory_aw_valid),
      .mem_axi4_0_aw_ready(memory_aw_ready),
      .mem_axi4_0_aw_bits_id(memory_aw_id),
      .mem_axi4_0_aw_bits_addr(memory_aw_addr),
      .mem_axi4_0_aw_bits_len(memory_aw_len),
      .mem_axi4_0_aw_bits_size(memory_aw_size),
      .mem_axi4_0_aw_bits_burst(memory_aw_burst),
      .mem_axi4_0_w_valid(memory_w_valid),
      .mem_axi4_0_w_ready(memory_w_ready),
      .mem_axi4_0_w_bits_data(memory_w_data),
      .mem_axi4_0_w_bits_strb(memory_w_strb),
      .mem_axi4_0_w_bits_last(memory_w_last),
      .mem_axi4_0_b_valid(memory_b_valid),
      .mem_axi4_0_b_ready(memory_b_ready),
      .mem_axi4_0_b_bits_id(memory_b_id),
      .mem_axi4_0_b_bits_resp(2'b0),
      .mem_axi4_0_ar_valid(memory_ar_valid),
      .mem_axi4_0_ar_ready(memory_ar_ready),
      .mem_axi4_0_ar_bits_id(memory_ar_id),
      .mem_axi4_0_ar_bits_addr(memory_ar_addr),
      .mem_axi4_0_ar_bits_len(memory_ar_len),
      .mem_axi4_0_ar_bits_size(memory_ar_size),
      .mem_axi4_0_ar_bits_burst(memory_ar_burst),
      .mem_axi4_0_r_valid(memory_r_valid),
      .mem_axi4_0_r_ready(memory_r_ready),
      .mem_axi4_0_r_bits_id(memory_r_id),
      .mem_axi4_0_r_bits_data(memory_r_data),
      .mem_axi4_0_r_bits_last(memory_r_last),
      .mem_axi4_0_r_bits_resp(2'b0),
      .mmio_axi4_0_aw_valid(peripheral_aw_valid),
      .mmio_axi4_0_aw_ready(peripheral_aw_ready),
      .mmio_axi4_0_aw_bits_id(peripheral_aw_id),
      .mmio_axi4_0_aw_bits_addr(peripheral_aw_addr),
      .mmio_axi4_0_aw_bits_len(peripheral_aw_len),
      .mmio_axi4_0_aw_bits_size(peripheral_aw_size),
      .mmio_axi4_0_aw_bits_burst(peripheral_aw_burst),
      .mmio_axi4_0_w_valid(peripheral_w_valid),
      .mmio_axi4_0_w_ready(peripheral_w_ready),
      .mmio_axi4_0_w_bits_data(peripheral_w_data),
      .mmio_axi4_0_w_bits_strb(peripheral_w_strb),
      .mmio_axi4_0_w_bits_last(peripheral_w_last),
      .mmio_axi4_0_b_valid(peripheral_b_valid),
      .mmio_axi4_0_b_ready(peripheral_b_ready),
      .mmio_axi4_0_b_bits_id(peripheral_b_id),
      .mmio_axi4_0_b_bits_resp(2'b0),
      .mmio_axi4_0_ar_valid(peripheral_ar_valid),
      .mmio_axi4_0_ar_ready(peripheral_ar_ready),
      .mmio_axi4_0_ar_bits_id(peripheral_ar_id),
      .mmio_axi4_0_ar_bits_addr(peripheral_ar_addr),
      .mmio_axi4_0_ar_bits_len(peripheral_ar_len),
      .mmio_axi4_0_ar_bits_size(peripheral_ar_size),
      .mmio_axi4_0_ar_bits_burst(peripheral_ar_burst),
      .mmio_axi4_0_r_valid(peripheral_r_valid),
      .mmio_axi4_0_r_ready(peripheral_r_ready),
      .mmio_axi4_0_r_bits_id(peripheral_r_id),
      .mmio_axi4_0_r_bits_data(peripheral_r_data),
      .mmio_axi4_0_r_bits_last(peripheral_r_last),
      .mmio_axi4_0_r_bits_resp(2'b0),
      .l2_frontend_bus_axi4_0_aw_valid(1'b0),
      .l2_frontend_bus_axi4_0_aw_bits_id(8'b0),
      .l2_frontend_bus_axi4_0_aw_bits_addr(32'b0),
      .l2_frontend_bus_axi4_0_aw_bits_len(8'b0),
      .l2_frontend_bus_axi4_0_aw_bits_size(3'b0),
      .l2_frontend_bus_axi4_0_aw_bits_burst(2'b0),
      .l2_frontend_bus_axi4_0_aw_bits_lock(1'b0),
      .l2_frontend_bus_axi4_0_aw_bits_cache(4'b0),
      .l2_frontend_bus_axi4_0_aw_bits_prot(3'b0),
      .l2_frontend_bus_axi4_0_aw_bits_qos(4'b0),
      .l2_frontend_bus_axi4_0_w_valid(1'b0),
      .l2_frontend_bus_axi4_0_w_bits_data(64'b0),
      .l2_frontend_bus_axi4_0_w_bits_strb(8'b0),
      .l2_frontend_bus_axi4_0_w_bits_last(1'b0),
      .l2_frontend_bus_axi4_0_b_ready(1'b1),
      .l2_frontend_bus_axi4_0_ar_valid(1'b0),
      .l2_frontend_bus_axi4_0_ar_bits_id(8'b0),
      .l2_frontend_bus_axi4_0_ar_bits_addr(32'b0),
      .l2_frontend_bus_axi4_0_ar_bits_len(8'b0),
      .l2_frontend_bus_axi4_0_ar_bits_size(3'b0),
      .l2_frontend_bus_axi4_0_ar_bits_burst(2'b0),
      .l2_frontend_bus_axi4_0_ar_bits_lock(1'b0),
      .l2_frontend_bus_axi4_0_ar_bits_cache(4'b0),
      .l2_frontend_bus_axi4_0_ar_bits_prot(3'b0),
      .l2_frontend_bus_axi4_0_ar_bits_qos(4'b0),
      .l2_frontend_bus_axi4_0_r_ready(1'b1),
      .resetctrl_hartIsInReset_0(reset),
      .resetctrl_hartIsInReset_1(reset),
      .resetctrl_hartIsInReset_2(reset),
      .resetctrl_hartIsInReset_3(reset),
      .debug_clock(clk),
      .debug_reset(reset),
      .debug_clockeddmi_dmi_req_valid(1'b0),
      .debug_clockeddmi_dmi_req_bits_addr(7'b0),
      .debug_clockeddmi_dmi_req_bits_data(32'b0),
      .debug_clockeddmi_dmi_req_bits_op(2'b0),
      .debug_clockeddmi_dmi_resp_ready(1'b1),
      .debug_clockeddmi_dmiClock(clk),
      .debug_clockeddmi_dmiReset(reset),
      .debug_dmactiveAck(1'b0),
      .interrupts(8'b0)
  );

  axi_memory #(
      .FIRMWARE(FIRMWARE),
      .UART_ADDRESS(32'hffff_fff8)
  ) memory (
      .clk,
      .reset,
      .aw_valid(memory_aw_valid),
      .aw_ready(memory_aw_ready),
      .aw_id(memory_aw_id),
      .aw_addr(memory_aw_addr),
      .aw_len(memory_aw_len),
      .aw_size(memory_aw_size),
      .aw_burst(memory_aw_burst),
      .w_valid(memory_w_valid),
      .w_ready(memory_w_ready),
      .w_data(memory_w_data),
      .w_strb(memory_w_strb),
      .w_last(memory_w_last),
      .b_valid(memory_b_valid),
      .b_ready(memory_b_ready),
      .b_id(memory_b_id),
      .ar_valid(memory_ar_valid),
      .ar_ready(memory_ar_ready),
      .ar_id(memory_ar_id),
      .ar_addr(memory_ar_addr),
      .ar_len(memory_ar_len),
      .ar_size(memory_ar_size),
      .ar_burst(memory_ar_burst),
      .r_valid(memory_r_valid),
      .r_ready(memory_r_ready),
      .r_id(memory_r_id),
      .r_data(memory_r_data),
      .r_last(memory_r_last),
      .uart_busy(1'b0),
      .uart_write(),
      .uart_data()
  );

  axi_memory #(
      .FIRMWARE(BOOT_ROM),
      .WORDS(16),
      .UART_ADDRESS(32'h6000_0000)
  ) peripheral (
      .clk,
      .reset,
      .aw_valid(peripheral_aw_valid),
      .aw_ready(peripheral_aw_ready),
      .aw_id(peripheral_aw_id),
      .aw_addr({1'b0, peripheral_aw_addr}),
      .aw_len(peripheral_aw_len),
      .aw_size(peripheral_aw_size),
      .aw_burst(peripheral_aw_burst),
      .w_valid(peripheral_w_valid),
      .w_ready(peripheral_w_ready),
      .w_data(peripheral_w_data),
      .w_strb(peripheral_w_strb),
      .w_last(peripheral_w_last),
      .b_valid(peripheral_b_valid),
      .b_ready(peripheral_b_ready),
      .b_id(peripheral_b_id),
      .ar_valid(peripheral_ar_valid),
      .ar_ready(peripheral_ar_ready),
      .ar_id(peripheral_ar_id),
      .ar_addr({1'b0, peripheral_ar_addr}),
      .ar_len(peripheral_ar_len),
      .ar_size(peripheral_ar_size),
      .ar_burst(peripheral_ar_burst),
      .r_valid(peripheral_r_valid),
      .r_ready(peripheral_r_ready),
      .r_id(peripheral_r_id),
      .r_data(peripheral_r_data),
      .r_last(peripheral_r_last),
      .uart_busy,
      .uart_write,
      .uart_data
  );

  uart_transmitter uart (
      .clk,
      .reset,
      .write(uart_write),
      .data (uart_data),
      .busy (uart_busy),
      .tx
  );

  // What passes over the buses, for whoever watches from outside; 0 when nothing does.
  assign memory_write = memory_aw_valid ? {memory_aw_addr, memory_aw_len, memory_aw_id} : '0;
  assign memory_read = memory_ar_valid ? {memory_ar_addr, memory_ar_len, memory_ar_id} : '0;
  assign memory_data = memory_w_valid ? {memory_w_last, memory_w_strb, memory_w_data} : '0;
  assign peripheral_write = peripheral_aw_valid ? {1'b0, peripheral_aw_addr, peripheral_aw_len, peripheral_aw_id} : '0;
  assign peripheral_read = peripheral_ar_valid ? {1'b0, peripheral_ar_addr, peripheral_ar_len, peripheral_ar_id} : '0;
  assign peripheral_data = peripheral_w_valid ? {peripheral_w_last, peripheral_w_strb, peripheral_w_data} : '0;
endmodule
