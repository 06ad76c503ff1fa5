// A UART transmitter: 8 data bits, no parity, one stop bit, `DIVISOR` clock cycles for each bit.
module uart_transmitter #(
    parameter DIVISOR = 8
) (
    input        clk,
    input        reset,
    input        write,
    input  [7:0] data,
    output       busy,
    output       tx
);
  reg [ 9:0] shift;
  reg [ 3:0] bits_left;
  reg [15:0] count;

  assign busy = bits_left != 0;
  assign tx   = shift[0];

  always @(posedge clk) begin
    if (reset) begin
      shift     <= 10'h3ff;
      bits_left <= 0;
      count     <= 0;
    end else if (busy) begin
      if (count == DIVISOR - 1) begin
        count     <= 0;
        shift     <= {1'b1, shift[9:1]};
        bits_left <= bits_left - 1;
      end else count <= count + 1;
    end else if (write) begin
      shift     <= {1'b1, data, 1'b0};
      bits_left <= 10;
      count     <= 0;
    end
  end
endmodule
