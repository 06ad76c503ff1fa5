// A UART receiver that remembers the text: what the far end of the cable would see.
//
// It waits for a falling edge, samples each bit in its middle and appends the byte to `text`; `valid` is high for one
// cycle with each byte. A frame without a stop bit is dropped and counted in `errors`.
module uart_monitor #(
    parameter DIVISOR = 8,
    parameter DEPTH   = 4096
) (
    input             clk,
    input             reset,
    input             rx,
    output reg        valid,
    output reg [ 7:0] data,
    output reg [31:0] count,
    output reg [31:0] errors
);
  reg [ 7:0] text[0:DEPTH-1];
  reg        active;
  reg [ 3:0] bits_seen;
  reg [15:0] timer;
  reg [ 7:0] shift;

  always @(posedge clk) begin
    valid <= 0;
    if (reset) begin
      active <= 0;
      count  <= 0;
      errors <= 0;
      data   <= 0;
    end else if (!active) begin
      if (!rx) begin
        active    <= 1;
        bits_seen <= 0;
        timer     <= DIVISOR + DIVISOR / 2 - 1;
      end
    end else if (timer != 0) timer <= timer - 1;
    else if (bits_seen != 8) begin
      shift     <= {rx, shift[7:1]};
      bits_seen <= bits_seen + 1;
      timer     <= DIVISOR - 1;
    end else begin
      active <= 0;
      if (rx) begin
        valid <= 1;
        data  <= shift;
        count <= count + 1;
        if (count < DEPTH) text[count] <= shift;
      end else errors <= errors + 1;
    end
  end
endmodule
