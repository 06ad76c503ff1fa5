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


NO_EDGE = "an edge as a skew where the clocking event is no edge of one signal"


@pytest.mark.parametrize(
    ("event", "item", "message"),
    [
        ("posedge clk", "input posedge #1 a;", "an edge with a delay as an input skew"),
        (
            "posedge clk or a",
            "output negedge a;",
            NO_EDGE,
        ),
        ("d", "input negedge a;", NO_EDGE),
    ],
)
def test_what_is_refused(event: str, item: str, message: str):
    text = f"""module t; logic clk, a; logic [3:0] d; default clocking cb @({event}); {item} endclocking
        endmodule"""
    with pytest.raises(Unsupported, match=message) as caught:
        load(text, "-Wnone")
    assert "^" in str(caught.value)


def test_without_assertions_it_is_left_out_and_its_names_are_refused():
    text = "module t; logic clk, a, b; clocking cb @(posedge clk); input a; endclocking USE endmodule"
    assert len(load(text.replace("USE", ""), assertions="off").modules[0].signals) == 3
    for use in ("initial @(cb) b = 1;", "initial b = cb.a;"):
        with pytest.raises(Unsupported, match="without the assertions"):
            load(text.replace("USE", use), assertions="off")
