// Ibex with 64 KiB of RAM, a UART and a timer interrupt, on its real clock gate: the core stops its clock while it
// waits for an interrupt.
//
// Memory map: RAM from 0; 0x1000_0000 the UART (write: send a byte; read: bit 0 is set while it is busy). The timer
// interrupt is raised for 16 of every 1024 cycles. Every access is granted at once and answered one cycle later.
module ibex_soc #(
    parameter     FIRMWARE = "",
    parameter int WORDS    = 16384
) (
    input  logic        clk,
    input  logic        reset,
    output logic        tx,
    output logic        sleeping,
    output logic        fetch_valid,
    output logic [31:0] fetch_address,
    output logic        bus_valid,
    output logic        bus_write,
    output logic [31:0] bus_address,
    output logic [31:0] bus_write_data,
    output logic [ 3:0] bus_write_strobe
);
  localparam int BITS = $clog2(WORDS);

  logic        fetch_answered, bus_answered, uart_busy;
  logic [31:0] fetch_data, bus_data;
  logic [ 9:0] timer;

  ibex_top #(
      .RV32M         (ibex_pkg::RV32MFast),
      .BranchTargetALU(1'b1),
      .WritebackStage(1'b1)
  ) cpu (
      .clk_i                 (clk),
      .rst_ni                (!reset),
      .test_en_i             (1'b0),
      .ram_cfg_i             ('0),
      .hart_id_i             (32'b0),
      .boot_addr_i           (32'b0),
      .instr_req_o           (fetch_valid),
      .instr_gnt_i           (fetch_valid),
      .instr_rvalid_i        (fetch_answered),
      .instr_addr_o          (fetch_address),
      .instr_rdata_i         (fetch_data),
      .instr_rdata_intg_i    (7'b0),
      .instr_err_i           (1'b0),
      .data_req_o            (bus_valid),
      .data_gnt_i            (bus_valid),
      .data_rvalid_i         (bus_answered),
      .data_we_o             (bus_write),
      .data_be_o             (bus_write_strobe),
      .data_addr_o           (bus_address),
      .data_wdata_o          (bus_write_data),
      .data_wdata_intg_o     (),
      .data_rdata_i          (bus_data),
      .data_rdata_intg_i     (7'b0),
      .data_err_i            (1'b0),
      .irq_software_i        (1'b0),
      .irq_timer_i           (timer < 16),
      .irq_external_i        (1'b0),
      .irq_fast_i            (15'b0),
      .irq_nm_i              (1'b0),
      .scramble_key_valid_i  (1'b0),
      .scramble_key_i        ('0),
      .scramble_nonce_i      ('0),
      .scramble_req_o        (),
      .debug_req_i           (1'b0),
      .crash_dump_o          (),
      .double_fault_seen_o   (),
      .fetch_enable_i        (ibex_pkg::IbexMuBiOn),
      .alert_minor_o         (),
      .alert_major_internal_o(),
      .alert_major_bus_o     (),
      .core_sleep_o          (sleeping),
      .scan_rst_ni           (1'b1)
  );

  logic [31:0] ram[WORDS];

  initial $readmemh(FIRMWARE, ram);

  wire is_uart = bus_address[31:2] == 30'h0400_0000;
  wire is_ram = bus_address < 4 * WORDS;

  always_ff @(posedge clk) begin
    fetch_answered <= fetch_valid && !reset;
    bus_answered   <= bus_valid && !reset;
    timer          <= reset ? '0 : timer + 1'b1;
    if (fetch_valid) fetch_data <= ram[fetch_address[2+:BITS]];
    if (bus_valid) begin
      bus_data <= is_ram ? ram[bus_address[2+:BITS]] : {31'b0, is_uart && uart_busy};
      for (int lane = 0; lane < 4; lane++)
        if (bus_write && is_ram && bus_write_strobe[lane])
          ram[bus_address[2+:BITS]][8*lane+:8] <= bus_write_data[8*lane+:8];
    end
  end

  uart_transmitter uart (
      .clk,
      .reset,
      .write(bus_valid && bus_write && is_uart && bus_write_strobe[0]),
      .data (bus_write_data[7:0]),
      .busy (uart_busy),
      .tx
  );
endmodule
