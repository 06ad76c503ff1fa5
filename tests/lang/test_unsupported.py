"""What is legal and not handled yet is refused where it stands, each with its own words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from weft.base.errors import Unsupported
from weft.lang.sv.compile_sources import load_design

SOURCES = {
    "sampled value without a clock": "logic a, b; always @* a = $past(b);",
    "sampled string": "string s; int n; initial n = $sampled(s.len());",
    "local argument": """
        logic clk, a; sequence s(local input string v); a ##1 v == "a"; endsequence
        assert property (@(posedge clk) s("b"));""",
    "local variable on both sides": """
        logic clk, a; property p; int v; @(posedge clk) ((a, v = 1) ##1 a) intersect (a ##1 v == 1) |-> a; endproperty
        assert property (p);""",
    "call of a task by a match item": """
        logic clk, a; task show; #1 $display; endtask assert property (@(posedge clk) (a, show()) ##1 a);""",
    "values without end": """
        logic clk, a; int n; property p; int v; @(posedge clk) ##[0:$] (a, v = n) ##[1:$] v == n |-> a; endproperty
        assert property (p);""",
    "clock that flows on": "logic a, b, c; assert property (@(posedge a) (b ##1 @(posedge c) b) |-> b);",
    "delay between two clocks": "logic a, b, c; assert property (@(posedge a) b ##2 @(posedge c) b);",
    "recursive property": """
        logic clk, a, b; property p(x); x and (1 |=> p(b)); endproperty assert property (@(posedge clk) p(a));""",
    "assertion without a clock": "logic a, b; assert property (a |-> b);",
    "assertion in a combinational procedure": """
        logic clk, a; default clocking @(posedge clk); endclocking always_comb if (a) assert property (a);""",
    "end of a sequence with data in an assertion": """
        logic clk, a; sequence s; int v; @(posedge clk) (a, v = 1) ##1 a == v; endsequence
        assert property (@(posedge clk) s.triggered |-> a);""",
    "large assertion": "logic a, b, c; assert property (@(posedge a) b[*1:40] ##[1:40] c ##[1:40] b |-> c[*9:99]);",
    "loop variable in an assertion": """
        logic clk; logic [3:0] a;
        always @(posedge clk) for (int i = 0; i < 4; i++) assert property (a[i]);""",
    "control of the reports of 'unique'": """
        logic a, b; always_comb unique if (a) b = 1; else b = 0; initial $assertcontrol(4);""",
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
