"""Clocking blocks: their variables, events and processes; drives and cycle delays."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.lang.compile_text import load, show

from weft.base.errors import Unsupported

CLOCKING = """
module t;
  logic clk, a, b; logic [3:0] d, q; int n;
  default clocking cb @(posedge clk);
    default input #1step output #2; input a; output #3 b; inout d; input #0 seen = q;
  endclocking
  clocking other @(negedge clk iff a); output b2 = b; endclocking
  initial begin
    cb.b <= 1; cb.d <= d + 1; other.b2 <= 0; ##2; ##n q = 1; @(cb); if (cb.a) q = cb.d; @(posedge cb.a);
    wait (cb.seen == 1); @(other iff b);
  end
endmodule
interface bus(input logic clk); logic valid; clocking cb @(posedge clk); input valid; endclocking endinterface
module u(bus port); logic s; initial @(port.cb) s = port.cb.valid; endmodule
module top; logic clk; bus i(clk); u inner(i); t tt(); endmodule"""


def test_clocking(golden: Callable[[str, str], None]):
    golden("clocking.txt", show(CLOCKING, "-Wnone"))


@pytest.mark.parametrize(
    ("item", "statement", "message"),
    [
        ("input posedge a;", "", "an edge as an input skew"),
        ("output negedge a;", "", "an edge as an output skew"),
    ],
)
def test_what_is_refused(item: str, statement: str, message: str):
    text = f"""module t; logic clk, a; logic [3:0] d; default clocking cb @(posedge clk); {item} endclocking
        initial begin {statement} end endmodule"""
    with pytest.raises(Unsupported, match=message):
        load(text, "-Wnone")


def test_without_assertions_it_is_left_out_and_its_names_are_refused():
    text = "module t; logic clk, a, b; clocking cb @(posedge clk); input a; endclocking USE endmodule"
    assert len(load(text.replace("USE", ""), assertions="off").modules[0].signals) == 3
    for use in ("initial @(cb) b = 1;", "initial b = cb.a;"):
        with pytest.raises(Unsupported, match="without the assertions"):
            load(text.replace("USE", use), assertions="off")
