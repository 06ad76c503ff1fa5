"""What is legal and not handled yet is refused where it stands, each with its own words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from weft.base.errors import Unsupported
from weft.lang.sv.compile_sources import load_design

SOURCES = {
    "sampled value without a clock": "logic a, b; always @* a = $past(b);",
    "sampled string": "string s; int n; initial n = $sampled(s.len());",
    "local variable of an assertion": """
        logic clk, a; property p; int v; @(posedge clk) (a, v = a) |=> v; endproperty assert property (p);""",
    "assertion with several clocks": "logic a, b, c; assert property (@(posedge a) b ##1 @(posedge c) b);",
    "assertion without a clock": "logic a, b; assert property (a |-> b);",
    "assertion in a combinational procedure": """
        logic clk, a; default clocking @(posedge clk); endclocking always_comb if (a) assert property (a);""",
    "end of a sequence in an assertion": """
        logic clk, a; sequence s; @(posedge clk) a ##1 a; endsequence
        assert property (@(posedge clk) s.triggered |-> a);""",
    "asynchronous abort": "logic a, b, c; assert property (@(posedge a) accept_on (b) c);",
    "large assertion": "logic a, b, c; assert property (@(posedge a) b[*1:40] ##[1:40] c ##[1:40] b |-> c[*9:99]);",
    "loop variable in an assertion": """
        logic clk; logic [3:0] a;
        always @(posedge clk) for (int i = 0; i < 4; i++) assert property (a[i]);""",
    "stream with a range": "logic [7:0] a[4]; logic [31:0] b; initial b = {>>{a with [0:1]}};",
    "query of a computed dimension": "int a[3][4]; int n, d; initial n = $size(a, d);",
    "compound assignment with side effects": "int a[4], i, n; initial if ((a[i++] += 2) > 0) n = 1;",
    "output conversion in a condition": """
        function automatic bit g(output byte b); b = 1; return 1; endfunction int n; initial if (g(n)) n = 1;""",
}


def render(source: str) -> str:
    with pytest.raises(Unsupported) as caught:
        load_design(texts={"t.sv": f"module t;\n{source}\nendmodule\n"})
    return caught.value.render()


def test_every_message(golden: Callable[[str, str], None]) -> None:
    golden("unsupported.txt", "".join(f"# {name}\n{render(source)}\n\n" for name, source in SOURCES.items()))


def test_dead_branches_are_not_looked_at() -> None:
    load_design(texts={"t.sv": "module t #(bit P = 0); logic a; initial if (P) randcase 1: a = 1; endcase endmodule"})
