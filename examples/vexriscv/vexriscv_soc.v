// VexRiscv, any variant with Wishbone buses (caches or none), with 64 KiB of RAM, a timer and a UART.
//
// Memory map: RAM from 0; 0xF000_0000 the UART (write: send a byte; read: bit 0 is set while it is busy). The RAM has a
// port for each bus and answers an access one cycle after it starts, every beat of a burst likewise.
module vexriscv_soc #(
    parameter FIRMWARE = "",
    parameter WORDS    = 16384
) (
    input         clk,
    input         reset,
    output        tx,
    output        fetch_valid,
    output [31:0] fetch_address,
    output        bus_valid,
    output        bus_write,
    output [31:0] bus_address,
    output [31:0] bus_write_data,
    output [ 3:0] bus_write_strobe
);
  localparam BITS = $clog2(WORDS);

  wire        i_cyc, i_stb, d_cyc, d_stb, d_we;
  reg         i_ack, d_ack;
  wire [29:0] i_adr, d_adr;
  reg  [31:0] i_data, d_data;
  wire [31:0] d_write_data;
  wire [ 3:0] d_sel;

  VexRiscv cpu (
      .clk                   (clk),
      .reset                 (reset),
      .externalResetVector   (32'h0000_0000),
      .timerInterrupt        (1'b0),
      .softwareInterrupt     (1'b0),
      .externalInterruptArray(32'b0),
      .iBusWishbone_CYC      (i_cyc),
      .iBusWishbone_STB      (i_stb),
      .iBusWishbone_ACK      (i_ack),
      .iBusWishbone_WE       (),
      .iBusWishbone_ADR      (i_adr),
      .iBusWishbone_DAT_MISO (i_data),
      .iBusWishbone_DAT_MOSI (),
      .iBusWishbone_SEL      (),
      .iBusWishbone_ERR      (1'b0),
      .iBusWishbone_CTI      (),
      .iBusWishbone_BTE      (),
      .dBusWishbone_CYC      (d_cyc),
      .dBusWishbone_STB      (d_stb),
      .dBusWishbone_ACK      (d_ack),
      .dBusWishbone_WE       (d_we),
      .dBusWishbone_ADR      (d_adr),
      .dBusWishbone_DAT_MISO (d_data),
      .dBusWishbone_DAT_MOSI (d_write_data),
      .dBusWishbone_SEL      (d_sel),
      .dBusWishbone_ERR      (1'b0),
      .dBusWishbone_CTI      (),
      .dBusWishbone_BTE      ()
  );

  reg [31:0] ram[0:WORDS-1];

  initial $readmemh(FIRMWARE, ram);

  wire            i_start = i_cyc && i_stb && !i_ack;
  wire            d_start = d_cyc && d_stb && !d_ack;
  wire            d_is_ram = !d_adr[29];
  wire            d_is_uart = d_adr == 30'h3C00_0000;
  wire [BITS-1:0] i_index = i_adr[BITS-1:0];
  wire [BITS-1:0] d_index = d_adr[BITS-1:0];
  wire            uart_busy;
  integer         lane;

  always @(posedge clk) begin
    i_ack <= i_start && !reset;
    d_ack <= d_start && !reset;
    if (i_start) i_data <= ram[i_index];
    if (d_start) begin
      d_data <= d_is_ram ? ram[d_index] : {31'b0, uart_busy && d_is_uart};
      for (lane = 0; lane < 4; lane = lane + 1) begin
        if (d_we && d_is_ram && d_sel[lane]) ram[d_index][8*lane+:8] <= d_write_data[8*lane+:8];
      end
    end
  end

  uart_transmitter uart (
      .clk  (clk),
      .reset(reset),
      .write(d_start && d_we && d_is_uart && d_sel[0]),
      .data (d_write_data[7:0]),
      .busy (uart_busy),
      .tx   (tx)
  );

  assign fetch_valid      = i_cyc && i_stb;
  assign fetch_address    = {i_adr, 2'b00};
  assign bus_valid        = d_cyc && d_stb;
  assign bus_write        = d_we;
  assign bus_address      = {d_adr, 2'b00};
  assign bus_write_data   = d_write_data;
  assign bus_write_strobe = d_sel;
endmodule
