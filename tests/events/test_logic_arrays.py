"""Asynchronous logic arrays follow their inputs (IEEE 1800-2023 20.17.1), synchronous ones do not."""

from __future__ import annotations

from events.run_events import run_events


def test_async_arrays_follow_inputs_and_memory_from_the_first_call_on() -> None:
    text = """
        module m(input [1:3] a, output reg [1:2] y);
          reg [1:3] mem [1:2]; reg go = 0;
          initial begin mem[1] = 3'b110; mem[2] = 3'b011; wait (go) begin : called $async$and$array(mem, a, y); end end
        endmodule
        module t;
          reg [1:3] a = 0; wire [1:2] y, z; reg [1:2] s;
          m u(a, y); m v(a, z);
          initial begin
            #1 a = 7; #1 $write("%b ", y); u.go = 1; #1 $write("%b ", y);
            a = 3'b110; #1 $write("%b ", y); u.mem[2] = 3'b100; #1 $write("%b %b ", y, z);
            $sync$or$array(u.mem, a, s); a = 0; #1 $display("%b", s);
          end
        endmodule
        """
    assert run_events(text)[0] == "xx 11 10 11 xx 11\n"
