"""Concurrent assertions in the cycle engine: they say what they say in the event engine, at the same times."""

import re

import pytest

import weft
from events.run_events import run_events
from weft.base.errors import Unsupported

# Bits of a linear feedback shift register, so that everything happens soon; `reset` comes back now and then.
DESIGN = """
module top(input clk, output reg [15:0] q = 16'hace1, output reg reset = 1);
  wire a = q[0], b = q[3], c = q[5];
  wire [3:0] n = q[11:8];
  always @(posedge clk) begin
    q <= {q[14:0], q[15] ^ q[13] ^ q[12] ^ q[10]};
    reset <= q[9:6] == 3;
  end
  default clocking @(posedge clk); endclocking
  default disable iff (reset);
PROPERTY
endmodule
"""

BENCH = """
module bench;
  reg clk = 0;
  always #5 clk = ~clk;
  top dut(.clk(clk));
  initial #3000 $finish;
endmodule
"""

PROPERTIES = {
    "boolean": "assert property (a || !b);",
    "overlapping": "assert property (a |-> b);",
    "next tick": "assert property (a |=> b);",
    "a delay": "assert property (a ##2 b |-> ##1 c);",
    "a range": "assert property ($rose(a) |-> ##[1:3] c);",
    "a long wait": "assert property (a && b && !c |-> ##[1:$] (n == 9)) $display(\"%0d %t\", n, $time);",
    "repetition": "assert property (a[*2] |=> b[*1:2] ##1 c);",
    "throughout": "assert property ($fell(a) |-> !a throughout (##2 b));",
    "until": "assert property (a |-> b until c);",
    "edges": "assert property ($stable(b) |-> $past(a) || $changed(c));",
    "the past": "assert property (b |-> $past(n, 3) <= $past(n)) else $error(\"n is %0d, a %b\", n, $sampled(a));",
    "a gated past": "assert property (b |-> $past(q[11:8], 2, c) != n);",
    "the past of a net": "assert property (b |-> $past(n, 2, c) != n);",
    "a message": "named: assert property (a |-> c) else $warning(\"%0d %0t\", q, $time);",
    "passing": "assert property (a |-> b) $display(\"passed %h\", q); else $display(\"failed %h\", q);",
    "no disable": "assert property (@(negedge clk) disable iff (0) a |=> b);",
    "a present condition": "assert property (@(posedge clk) disable iff (n == 3 || reset) a |=> b);",
    "assume": "assume property (not (a ##1 b ##1 c));",
    "cover": "seen: cover property (a ##1 b ##1 c);",
    "a strong one": "assert property (@(posedge clk) disable iff (0) a && b && c |-> s_eventually (q == 0));",
    "implication of sequences": "assert property ((a ##1 b) or (c ##2 a) |=> (b ##1 c) and (##2 a));",
    "a named one": """property follows(x, y); @(posedge clk) x |=> y; endproperty
  assert property (follows(a, b)); assert property (follows(b, c)) else $error("second");""",
    "generated": "for (genvar i = 0; i < 3; i++) begin : g assert property (q[i] |=> q[i + 1]);"
    " assert property (n == i |-> ##1 n[3]); end",
    "in a procedure": "always @(posedge clk) if (b) assert property (a |=> c);",
    "in a procedure, with a loop": "always @(posedge clk) for (int i = 0; i < 3; i++)"
    " if (q[i]) assert property (@(posedge clk) disable iff (n == 3) a |-> ##2 c);",
    "sampled values in a procedure": """reg [4:0] seen = 0;
  always @(posedge clk) begin seen <= {$rose(a), $past(q[3:0], 2)}; if ($fell(b) && $time > 30)
    $display("%b", seen); end""",
    "restrict": "restrict property (a);",
}  # fmt: skip


def of_cycles(text: str, **options) -> list[str]:
    """Return the messages of the cycle engine."""
    said: list[bytes] = []
    with weft.compile(texts={"t.sv": text}, top="top", clock="clk", output=said.append, **options) as sim:
        sim.run_until(3_000_000_000)
    return messages(b"".join(said).decode())


def messages(text: str) -> list[str]:
    """Return a text's lines without what only says where the design stands."""
    return [re.sub(r"bench\.dut|\btop\b|t\.sv:\d+", "", line) for line in text.splitlines() if "$finish" not in line]


@pytest.mark.parametrize("four_state", [False, True])
@pytest.mark.parametrize("name", PROPERTIES)
def test_both_engines_say_the_same(name, four_state):
    text = DESIGN.replace("PROPERTY", PROPERTIES[name])
    expected, _ = run_events("`timescale 1ns/1ns\n" + text + BENCH)
    wanted = messages(expected)
    if name == "the past of a net" and not four_state:
        pytest.skip("it begins with x")
    assert of_cycles("`timescale 1ns/1ns\n" + text, four_state=four_state) == wanted
    assert wanted or name == "restrict"


MADE_CLOCKS = {
    "divided": "reg made = 0; always @(posedge clk) made <= ~made;",
    "divided twice": "reg half = 0, made = 0; always @(posedge clk) half <= ~half;"
    " always @(posedge half) made <= ~made;",
    "divided at once": "reg made = 0; always @(posedge clk) made = ~made;",
    "counted": "reg [1:0] count = 0; always @(posedge clk) count <= count + (q[2] ? 1 : 3);"
    " wire made = count[1] & clk;",
    "chosen": "reg half = 0, slow = 0; always @(posedge clk) half <= ~half; always @(negedge clk) slow <= q[4] & q[7];"
    " wire made = slow ? half : clk;",
}  # fmt: skip
FROM_X = ("the past", "the past of a net", "a gated past")
"""What begins with x, and is still x when the reset is over if the clock is slow."""
AT_EDGES = [name for name in PROPERTIES if "procedure" not in name and name not in ("no disable", "a strong one")]


@pytest.mark.parametrize("four_state", [False, True])
@pytest.mark.parametrize("clock", MADE_CLOCKS)
def test_clocks_that_registers_make(clock, four_state):
    said: list[str] = []
    for name in AT_EDGES[list(MADE_CLOCKS).index(clock) % 3 :: 3]:
        if name in FROM_X and not four_state:
            continue
        property_text = PROPERTIES[name].replace("posedge clk", "posedge made")
        text = DESIGN.replace("@(posedge clk); endclocking", "@(posedge made); endclocking")
        text = "`timescale 1ns/1ns\n" + text.replace(
            "  default clocking", f"  {MADE_CLOCKS[clock]}\n  default clocking"
        )
        text = text.replace("PROPERTY", property_text)
        expected, _ = run_events(text + BENCH)
        wanted = messages(expected)
        assert of_cycles(text, four_state=four_state) == wanted, name
        said += wanted
    assert len(said) > 20


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "reg half = 0; always @(posedge clk) half <= ~half; always @(posedge half) if ($rose(a)) $display;",
            "a sampled value in a procedure whose clock is made by a register",
        ),
        ("sequence s; @(posedge clk) q[0] ##1 q[1]; endsequence always @(s) $display;", "a named event"),
        ("wire w = $sampled(q[0]);", "a sampled value"),
        ("property p; bit [3:0] x; @(posedge clk) (a, x = n) |=> n == x; endproperty assert property (p);", "an? "),
    ],
)
def test_what_cycles_cannot_check_is_refused(text, what):
    with pytest.raises(Unsupported, match=what) as caught:
        of_cycles(DESIGN.replace("PROPERTY", text))
    assert "^" in caught.value.render()


def test_a_gated_clock_is_no_made_clock():
    gate = """reg open; always_latch if (!clk) open = q[2];
  wire gated = clk & open;
  assert property (@(posedge gated) disable iff (0) a |=> b);"""
    text = "`timescale 1ns/1ns\n" + DESIGN.replace("PROPERTY", gate)
    expected, _ = run_events(text + BENCH)
    assert of_cycles(text) == messages(expected) != []


def test_clocks_and_resets_are_found_as_without_assertions():
    text = """module top(input clk, rst_n, d, output reg q);
      always @(posedge clk) if (!rst_n) q <= 0; else q <= d;
      assert property (@(posedge clk) disable iff (!rst_n) d |=> q); endmodule"""
    with weft.compile(texts={"t.sv": text}) as sim:
        report = sim.clock_report.describe()
    assert "reset top.rst_n: synchronous, active low" in report and "derived" not in report
