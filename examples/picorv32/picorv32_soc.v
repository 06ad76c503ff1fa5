// PicoRV32 with 64 KiB of RAM and a UART: the smallest computer that runs C.
//
// Memory map: RAM from 0; 0x1000_0000 the UART (write: send a byte; read: bit 0 is set while it is busy). The `bus_*`
// outputs show the processor's accesses to whoever watches from outside.
module picorv32_soc #(
    parameter FIRMWARE = "",
    parameter WORDS    = 16384
) (
    input         clk,
    input         reset,
    output        tx,
    output        trap,
    output        bus_valid,
    output        bus_fetch,
    output [31:0] bus_address,
    output [31:0] bus_write_data,
    output [ 3:0] bus_write_strobe
);
  wire        mem_valid;
  wire        mem_instr;
  wire [31:0] mem_addr;
  wire [31:0] mem_wdata;
  wire [ 3:0] mem_wstrb;
  reg         mem_ready;
  reg  [31:0] mem_rdata;

  picorv32 #(
      .BARREL_SHIFTER (1),
      .ENABLE_FAST_MUL(1),
      .ENABLE_DIV     (1),
      .REGS_INIT_ZERO (1),
      .PROGADDR_RESET (32'h0000_0000),
      .STACKADDR      (4 * WORDS)
  ) cpu (
      .clk      (clk),
      .resetn   (!reset),
      .trap     (trap),
      .mem_valid(mem_valid),
      .mem_instr(mem_instr),
      .mem_ready(mem_ready),
      .mem_addr (mem_addr),
      .mem_wdata(mem_wdata),
      .mem_wstrb(mem_wstrb),
      .mem_rdata(mem_rdata),
      .pcpi_wr  (1'b0),
      .pcpi_rd  (32'b0),
      .pcpi_wait(1'b0),
      .pcpi_ready(1'b0),
      .irq      (32'b0)
  );

  reg [31:0] ram[0:WORDS-1];

  initial $readmemh(FIRMWARE, ram);

  wire start = mem_valid && !mem_ready;
  wire select_ram = mem_addr < 4 * WORDS;
  wire select_uart = mem_addr == 32'h1000_0000;
  wire uart_busy;

  always @(posedge clk) begin
    mem_ready <= start && !reset;
    if (start) begin
      if (select_ram) begin
        mem_rdata <= ram[mem_addr>>2];
        if (mem_wstrb[0]) ram[mem_addr>>2][7:0] <= mem_wdata[7:0];
        if (mem_wstrb[1]) ram[mem_addr>>2][15:8] <= mem_wdata[15:8];
        if (mem_wstrb[2]) ram[mem_addr>>2][23:16] <= mem_wdata[23:16];
        if (mem_wstrb[3]) ram[mem_addr>>2][31:24] <= mem_wdata[31:24];
      end else mem_rdata <= select_uart ? {31'b0, uart_busy} : 32'b0;
    end
  end

  uart_transmitter uart (
      .clk  (clk),
      .reset(reset),
      .write(start && select_uart && mem_wstrb[0]),
      .data (mem_wdata[7:0]),
      .busy (uart_busy),
      .tx   (tx)
  );

  assign bus_valid        = mem_valid;
  assign bus_fetch        = mem_instr;
  assign bus_address      = mem_addr;
  assign bus_write_data   = mem_wdata;
  assign bus_write_strobe = mem_wstrb;
endmodule
