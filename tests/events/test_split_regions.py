"""Modules that are split: clocks that pass gates, what prints and what reports are events, all else is one region."""

from __future__ import annotations

import io
from collections import Counter

import pytest

from weft.lang.sv.compile_sources import load_design
from weft.sim.event_program import EventProgram, program_of
from weft.sim.event_simulation import EventOptions, EventSimulation
from weft.sim.regions.engine_choice import EngineChoice

_WORK = """
  reg [7:0] f0, f1, f2, f3, f4, f5;
  wire [7:0] g0 = f0 + f1, g1 = f1 ^ f2, g2 = f3 - f4, g3 = f5 & g0, g4 = g1 | g2, g5 = g3 + g4;
  always @(posedge clk) begin f0 <= g5 + 1; f1 <= f0; f2 <= g1; f3 <= g2 ^ f0; f4 <= g3; f5 <= g4; end
  initial begin f0 = 1; f1 = 2; f2 = 3; f3 = 4; f4 = 5; f5 = 6; end
"""
"""What makes a module large enough to be split for."""

_GATED = """
module gate(input clk, input en, output out);
  reg q;
  always @* if (!clk) q = en;
  assign out = clk & q;
endmodule
module core(input clk, input rst_n, input [7:0] a, output reg [7:0] n);
  always @(posedge clk or negedge rst_n) if (!rst_n) n <= 3; else n <= n + a;
  always @(posedge clk) if (n[0]) $display("%m %0t n=%h a=%h", $time, n, a);
endmodule
module dut(input clk, input reset, input [7:0] a, output [7:0] n, output [7:0] k);
  wire slow;
  gate gate(clk, f0[0] | f1[1], slow);
  core core(.clk(slow), .rst_n(!reset), .a(a ^ f2), .n(n));
  assign k = f0 ^ f5;
  {work}
endmodule
""".replace("{work}", _WORK)

_REPORTS = """
module dut(input clk, input reset, input [7:0] a, output reg [7:0] n, output reg [7:0] k);
  reg [7:0] q, r, s;
  always_comb unique case (1'b1) a[0]: q = f0; f1[1]: q = {a[7:4], f2[3:0]}; a[3]: q = 3; endcase
  always_comb begin s = 0; unique if (f3[1:0] == 2) s = 1; else if (a[2]) s = 2; end
  always @* begin r = 0; unique case (f4[1:0]) 0: r = a; 1: r = 2; 2: r = 7; endcase end
  always_comb assert #0 (a[1] || f5[0]) else $error("a %h, f5 %h", a, f5);
  always_ff @(posedge clk) unique case (f0[2:0]) 0: n <= r; 1, 2: n <= q; 3: n <= r + q; 4: n <= s; endcase
  always_ff @(posedge clk) begin k <= k + 1; assert (n != 3) else $error("n is %h at %0d, %m", n, k); end
  initial k = 0;
  {work}
endmodule
""".replace("{work}", _WORK)

_ALIASES = """
module leaf(input clk, input [7:0] a, output reg [7:0] n);
  wire inner; assign inner = clk;
  always @(posedge inner) n <= n + a;
  initial n = 0;
endmodule
module dut(input clk, input reset, input [7:0] a, output [7:0] n, output [7:0] k);
  wire c0, c1, c2; assign c0 = clk; assign c1 = clk; assign c2 = c1;
  leaf leaf0(c0, a, n), leaf1(c1, n, k), leaf2(c2, k, m);
  wire [7:0] m;
  {work}
endmodule
""".replace("{work}", _WORK)

_TESTBENCH = """
module tb;
  reg clk = 0, reset = 1; reg [7:0] a = 0; wire [7:0] n, k;
  dut dut(clk, reset, a, n, k);
  always #5 clk = ~clk;
  initial begin
    #2 reset = 0; #1 reset = 1; #9 reset = 0;
    repeat (60) begin @(posedge clk); $display("%0t n=%h k=%h", $time, n, k); a <= $urandom; #3 if (a[5]) a = a ^ 7; end
    reset = 1; #1 $display("%0t n=%h k=%h", $time, n, k);
    $finish(0);
  end
endmodule
"""


def _program(text: str, engine: str = "auto", whole: bool = False) -> EventProgram:
    return program_of(load_design(texts={"t.sv": text}), choice=EngineChoice(engine, worth=0, whole=whole))


def _run(text: str, engine: str) -> tuple[list[str], EventSimulation]:
    out = io.BytesIO()
    program = _program(text, engine)
    simulation = EventSimulation(program.design, out, EventOptions(engine=engine), program)
    simulation.run()
    return out.getvalue().decode().splitlines(), simulation


def _clocks(text: str) -> list[str]:
    (built,) = _program(text).mixed.regions.values()
    return sorted({f"{edge} {signal.name}" for each in built.region.triggers for signal, edge in each.edges})


def test_a_gated_clock_is_a_clock_of_the_same_region() -> None:
    """The gate and what prints are events; the region waits for what they make of the clock."""
    text = _GATED + _TESTBENCH
    want, _ = _run(text, "event")
    got, simulation = _run(text, "auto")
    assert got == want
    assert any("dut.core" in line for line in got)
    parts = {(part.path, part.engine): part.reason.text for part in simulation.mixed.parts}
    assert "posedge slow" in parts["tb.dut", "cycle"]
    assert parts["tb.dut.core", "event"] == "a call of $display"
    assert _clocks(text) == ["negedge core.rst_n", "posedge clk", "posedge slow"]


def test_clocks_that_come_together_have_a_step_together() -> None:
    """Both clocks, or the one that is not gated; the reset alone."""
    (built,) = _program(_GATED + _TESTBENCH).mixed.regions.values()
    numbers = {trigger.edges: number for number, trigger in enumerate(built.region.triggers)}
    names = {frozenset(signal.name for signal, _ in edges): 1 << number for edges, number in numbers.items()}
    clk, core = names[frozenset({"clk"})], names[frozenset({"slow", "core.rst_n"})]
    assert set(built.region.steps) == {clk | core, clk, core}


@pytest.mark.parametrize("better", [False, True])
def test_reports_come_as_often_as_from_events(better: bool) -> None:
    """Which of two reports of one time step comes first is open, but not how many there are, or when."""
    text = _REPORTS + _TESTBENCH
    want, _ = _run(text, "event")
    out = io.BytesIO()
    program = _program(text)
    simulation = EventSimulation(program.design, out, EventOptions(), program)
    if better:
        from weft.engines.cpu.jit import QUICK

        simulation.regions.take_for_granted()
        for each in simulation.regions.programs.values():
            each.compile(QUICK)
        simulation.regions.enter_code()
    simulation.run()
    assert [part.engine for part in simulation.mixed.parts if part.path == "tb.dut"] == ["cycle", "event"]
    assert Counter(out.getvalue().decode().splitlines()) == Counter(want)
    assert sum("unique" in line for line in want) > 20


def test_clocks_that_equally_many_assignments_pass_on_are_one() -> None:
    """Those with more assignments between come later, so they are clocks of their own."""
    text = _ALIASES + _TESTBENCH
    assert _run(text, "auto")[0] == _run(text, "event")[0]
    assert len(_clocks(text)) == 3


def test_what_others_may_see_too_early_is_not_split() -> None:
    """A variable that is assigned with `=` at an edge, behind a port, races with what reads it at that edge."""
    text = _GATED.replace("n <= n + a;", "n = n + a;").replace("n <= 3", "n = 3") + _TESTBENCH
    assert not any(part.path == "tb.dut" and part.engine == "cycle" for part in _program(text).mixed.parts)
    assert _run(text, "auto")[0] == _run(text, "event")[0]


def test_what_drives_weakly_is_not_split() -> None:
    """A pull-up passes a port to where something else drives the same bit."""
    pads = "wire [1:0] pads; pull pull(pads[1]); assign pads[1] = f0[2] ? 1'b0 : 1'bz; assign pads[0] = f0[3];"
    text = _GATED.replace("assign k = f0 ^ f5;", f"{pads} assign k = f0 ^ f5 ^ pads;") + _TESTBENCH
    text += "module pull(output pad); assign (pull1, pull0) pad = 1; endmodule"
    got, simulation = _run(text, "auto")
    assert got == _run(text, "event")[0]
    engines = {part.path: part.engine for part in simulation.mixed.parts}
    assert engines["tb.dut"] == engines["tb.dut.pull"] == "event"


def test_where_people_look_nothing_is_split() -> None:
    """The names inside a split module would be those of two."""
    parts = _program(_GATED + _TESTBENCH, whole=True).mixed.parts
    assert not any(part.path == "tb.dut" and part.engine == "cycle" for part in parts)


def test_a_function_that_prints_is_left_to_events_with_who_calls_it() -> None:
    """Its module is placed twice, of which one is in no region."""
    shout = 'function void shout(input [7:0] x); if (x[0]) $display("%0t %h", $time, x); endfunction'
    call = f"{shout}\n  always @(posedge clk) shout(n);\n  always @(posedge clk) if (n[0])"
    text = _GATED.replace("always @(posedge clk) if (n[0])", call)
    assert "shout" in text
    outside = _TESTBENCH.replace("always #5", "wire [7:0] m; core other(clk, !reset, a, m);\n  always #5")
    for bench in (_TESTBENCH, outside):
        assert _run(text + bench, "auto")[0] == _run(text + bench, "event")[0]
