"""What lowering refuses: one clear message with a caret for each construct, never a wrong answer."""

import pytest

from weft.base.errors import Unsupported
from weft.lang.sv.compile_sources import load_design
from weft.passes.lower_module import lower_module

HEAD = "module top(input clk, input [7:0] a, input [3:0] n, output reg [7:0] y);"

UNCLOCKED = "in combinational logic, where no clock says how often it draws (it needs the event engine, weft run)"

REFUSED = {
    "always @(posedge clk) begin @(posedge clk); y <= a; end": (
        "a delay or event control inside a process (it needs the event engine)",
        "posedge clk",
    ),
    "always @(posedge clk) begin wait (a); y <= a; end": (
        "a delay or event control inside a process (it needs the event engine)",
        "wait (a);",
    ),
    "always @(posedge clk) y <= #1 a;": (
        "a delay or event inside an assignment (it needs the event engine)",
        "y <= #1 a",
    ),
    "always #5 y = ~y;": ("an always procedure that starts with a delay (it needs the event engine)", "#5 y = ~y;"),
    "assign #2 y = a;": ("a delay in a continuous assignment (it needs the event engine)", "y = a"),
    "always @(posedge clk) fork y <= a; y <= 0; join": (
        "a fork ... join in a synthesizable process (it needs the event engine)",
        "",
    ),
    "integer i; always @* begin i = a; while (i != 1) i = i[0] ? 3 * i + 1 : i >> 1; y = i; end": (
        "a loop whose number of rounds depends on data without a small bound",
        "while (i != 1) i = i[0] ? 3 * i + 1 : i >> 1;",
    ),
    "always @(posedge clk) forever y <= a;": ("a loop that does not end", "forever y <= a;"),
    "function automatic [7:0] f(input [7:0] v); f = v == 0 ? 0 : f(v - 1); endfunction always @* y = f(a);": (
        "recursion of 'f' deeper than 256 calls",
        "f(v - 1)",
    ),
    "assign y = $random;": (f"$random {UNCLOCKED}", "$random"),
    "always @* y = a + $urandom_range(3);": (f"$urandom_range {UNCLOCKED}", "$urandom_range(3)"),
    "function [7:0] f(input [7:0] v); f = v ^ $urandom; endfunction always @* y = f(a);": (
        f"$urandom {UNCLOCKED}",
        "$urandom",
    ),
    "always @(posedge clk iff $random) y <= a;": (f"$random {UNCLOCKED}", "$random"),
    'always @(posedge clk) begin y <= a; $strobe("%d", y + $random); end': (
        "$random among the arguments of $strobe, which are evaluated later (it needs the event engine)",
        "$random",
    ),
    "integer s; always @(posedge clk) y <= $dist_normal(s, 5, 2);": (
        "$dist_normal outside an initial procedure",
        "$dist_normal(s, 5, 2)",
    ),
    'reg [7:0] m [0:99]; always @(posedge clk) $readmemh("x.hex", m);': (
        "$readmemh outside an initial procedure",
        '$readmemh("x.hex", m);',
    ),
    "function [7:0] f(input [7:0] v); reg k; begin if (v[0]) k = v; f = k; end endfunction assign y = f(a);": (
        "the static variable 'f.k', which keeps its value between calls,",
        "",
    ),
    "always @(posedge clk) begin y[n] <= a[0]; y = a; end": (
        "blocking and nonblocking assignments to 'y' at variable positions",
        "y",
    ),
    "wire w; assign (strong0, weak1) w = a[0];": ("the drive strength (strong, weak)", ""),
}


@pytest.mark.parametrize("source", REFUSED)
def test_refuses(source):
    what, shown = REFUSED[source]
    head = HEAD.replace("output reg", "output") if "assign" in source and " y = " in source else HEAD
    design = load_design(texts={"t.sv": f"{head}\n{source}\nendmodule\n"})
    with pytest.raises(Unsupported) as error:
        lower_module(design.tops[0][1], four_state=False)
    lines = error.value.render(design.sources).splitlines()
    assert lines[0].endswith(f"error: {what} is not supported yet [unsupported]")
    if shown:
        start = lines[2].index("^")
        assert shown.startswith(lines[1][start : start + len(lines[2].strip())]), lines
