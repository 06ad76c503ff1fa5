"""`$urandom_range` takes unsigned bounds, in either order, of which one may be left out."""

from __future__ import annotations

import weft


def test_bounds_are_unsigned() -> None:
    source = """module t; int unsigned a; initial begin
        repeat (40) begin a = $urandom_range(32'hffff_ffff, 32'hc000_0000); if (a < 32'hc000_0000) $display("low"); end
        repeat (40) begin a = $urandom_range(32'h4000_0000, 32'hc000_0000);
          if (a < 32'h4000_0000 || a > 32'hc000_0000) $display("out"); end
        repeat (40) begin a = $urandom_range(3); if (a > 3) $display("high"); end
        $display("end"); end endmodule"""
    printed: list[bytes] = []
    with weft.compile(texts={"t.sv": source}, output=printed.append):
        pass
    assert b"".join(printed) == b"end\n"
