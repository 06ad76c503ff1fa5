// An AXI4 slave with 64 data bits: a memory, and the registers of a UART in one word of it.
//
// It serves one read and one write at a time, one beat for each cycle, in bursts of type INCR and WRAP (AMBA AXI
// specification, A3.4.1). A write to `UART_ADDRESS` sends its lowest byte, a read there shows in bit 0 of either half
// whether the transmitter is busy. Other addresses are folded onto the memory.
module axi_memory #(
    parameter              FIRMWARE     = "",
    parameter int          WORDS        = 8192,
    parameter int          ID_WIDTH     = 4,
    parameter logic [31:0] UART_ADDRESS = 32'h1000_0000
) (
    input  logic                clk,
    input  logic                reset,
    input  logic                aw_valid,
    output logic                aw_ready,
    input  logic [ID_WIDTH-1:0] aw_id,
    input  logic [        31:0] aw_addr,
    input  logic [         7:0] aw_len,
    input  logic [         2:0] aw_size,
    input  logic [         1:0] aw_burst,
    input  logic                w_valid,
    output logic                w_ready,
    input  logic [        63:0] w_data,
    input  logic [         7:0] w_strb,
    input  logic                w_last,
    output logic                b_valid,
    input  logic                b_ready,
    output logic [ID_WIDTH-1:0] b_id,
    input  logic                ar_valid,
    output logic                ar_ready,
    input  logic [ID_WIDTH-1:0] ar_id,
    input  logic [        31:0] ar_addr,
    input  logic [         7:0] ar_len,
    input  logic [         2:0] ar_size,
    input  logic [         1:0] ar_burst,
    output logic                r_valid,
    input  logic                r_ready,
    output logic [ID_WIDTH-1:0] r_id,
    output logic [        63:0] r_data,
    output logic                r_last,
    input  logic                uart_busy,
    output logic                uart_write,
    output logic [         7:0] uart_data
);
  localparam int BITS = $clog2(WORDS);

  typedef struct packed {
    logic        active;
    logic [31:0] addr;
    logic [7:0]  len;
    logic [7:0]  left;
    logic [2:0]  size;
    logic        wrap;
  } burst_t;

  logic [63:0] memory[WORDS];
  burst_t read, write;

  initial if (FIRMWARE != "") $readmemh(FIRMWARE, memory);

  // The address after a beat: aligned to its size, and at the end of a wrapping burst back at its start.
  function automatic logic [31:0] next_address(burst_t burst);
    logic [31:0] step, span, next;
    step = 32'd1 << burst.size;
    span = ({24'b0, burst.len} + 1) << burst.size;
    next = (burst.addr & ~(step - 1)) + step;
    if (burst.wrap) next = (burst.addr & ~(span - 1)) | (next & (span - 1));
    return next;
  endfunction

  function automatic logic is_uart(logic [31:0] addr);
    return addr[31:3] == UART_ADDRESS[31:3];
  endfunction

  assign ar_ready = !read.active;
  assign aw_ready = !write.active && !b_valid;
  assign w_ready  = write.active;
  wire read_beat = read.active && (!r_valid || r_ready);
  wire write_beat = w_valid && w_ready;

  always_ff @(posedge clk) begin
    uart_write <= 1'b0;
    if (r_valid && r_ready) r_valid <= 1'b0;
    if (b_valid && b_ready) b_valid <= 1'b0;

    if (ar_valid && ar_ready) begin
      read <= '{
          active: 1'b1,
          addr: ar_addr,
          len: ar_len,
          left: ar_len,
          size: ar_size,
          wrap: ar_burst == 2'b10
      };
      r_id <= ar_id;
    end
    if (read_beat) begin
      r_valid   <= 1'b1;
      r_last    <= read.left == 0;
      r_data    <= is_uart(read.addr) ? {2{31'b0, uart_busy}} : memory[read.addr[3+:BITS]];
      read.addr <= next_address(read);
      read.left <= read.left - 1'b1;
      if (read.left == 0) read.active <= 1'b0;
    end

    if (aw_valid && aw_ready) begin
      write <= '{
          active: 1'b1,
          addr: aw_addr,
          len: aw_len,
          left: aw_len,
          size: aw_size,
          wrap: aw_burst == 2'b10
      };
      b_id <= aw_id;
    end
    if (write_beat) begin
      if (is_uart(write.addr)) begin
        uart_write <= w_strb[0];
        uart_data  <= w_data[7:0];
      end else begin
        for (int lane = 0; lane < 8; lane++)
          if (w_strb[lane]) memory[write.addr[3+:BITS]][8*lane+:8] <= w_data[8*lane+:8];
      end
      write.addr <= next_address(write);
      if (w_last) begin
        write.active <= 1'b0;
        b_valid      <= 1'b1;
      end
    end

    if (reset) begin
      r_valid      <= 1'b0;
      b_valid      <= 1'b0;
      read.active  <= 1'b0;
      write.active <= 1'b0;
    end
  end
endmodule
