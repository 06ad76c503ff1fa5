"""Nonblocking assignments that change nothing are left out only where that cannot be seen."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from weft.lang.sv.compile_sources import load_design
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.sim.event_simulation import EventSimulation


def simulate(tmp_path: Path, text: str) -> tuple[EventSimulation, list[str]]:
    """Run a testbench; return the simulation and what it has displayed."""
    path = tmp_path / "test.sv"
    path.write_text(text)
    out = io.BytesIO()
    simulation = EventSimulation(load_design((path,), FrontEndOptions()), out)
    simulation.run()
    return simulation, out.getvalue().decode().splitlines()


def test_the_last_of_several_assignments_counts(tmp_path: Path) -> None:
    text = """
module test;
  reg [7:0] a = 1, b = 1;
  always @(a or b) $display("%0t %0d %0d", $time, a, b);
  initial begin
    #1 a <= 0; a <= 1;
    #1 b <= 1; b <= 2; b <= 1;
    #1 a <= 1; a <= 5;
    #1 b <= 8'bx; b <= b;
    #1 $display("%0d %0d", a, b);
  end
endmodule
"""
    simulation, lines = simulate(tmp_path, text)
    # The value passes through what is assigned first, in the same time step.
    assert [line for line in lines if not line.startswith("0 ")][-2:] == ["4 5 1", "5 1"]
    module = simulation.design.tops[0][1]
    assert all(
        simulation.engine.code.only_nonblocking(simulation.engine.code.design.units[module], signal, ())
        for signal in module.signals
        if signal.name in ("a", "b")
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "initial #1 a = 5;"),
        ("initial #1 a[0] <= 0;", ""),
        ("initial #1 {a[7:4], b} <= 12'h500;", ""),
        ("", "task t(output [7:0] x); x = 5; endtask initial #1 t(a);"),
        ("", 'integer n; initial #1 n = $sscanf("5", "%d", a);'),
        ("", "initial begin #1 b = 1; a++; end"),
        ("initial a <= #1 5;", ""),
        ("", "initial #1 if (!std::randomize(a) with { a == 5; }) $finish;"),
    ],
)
def test_no_other_write_in_the_same_step_remains(tmp_path: Path, before: str, after: str) -> None:
    text = f"""
module test;
  reg [7:0] a = 3, b = 0;
  {before}
  initial #1 a <= 3;
  {after}
  initial #2 $display("%0d", a);
endmodule
"""
    assert simulate(tmp_path, text)[1] == ["3"]


def test_a_blocking_write_between_assignment_and_update_is_overwritten(tmp_path: Path) -> None:
    text = """
module test;
  reg [7:0] a = 3;
  initial #1 a <= 3;
  initial begin #1 #0 a = 7; end
  initial #2 $display("%0d", a);
endmodule
"""
    assert simulate(tmp_path, text)[1] == ["3"]


def test_an_argument_of_a_static_task_is_mixed(tmp_path: Path) -> None:
    text = """
module test;
  task show(input [7:0] x, input first);
    begin if (first) x <= 3; #1 $display("%0d", x); end
  endtask
  initial show(3, 1);
  initial show(7, 0);
endmodule
"""
    assert simulate(tmp_path, text)[1] == ["3", "3"]


def test_registers_of_several_instances_and_two_states(tmp_path: Path) -> None:
    text = """
module counter #(parameter STEP = 1) (input clk, output reg [3:0] q, output bit [40:0] wide);
  initial q = 0;
  always @(posedge clk) begin q <= q + STEP; wide <= {wide[39:0], q[0]}; wide <= {wide[39:0], 1'bx}; end
endmodule
module test;
  reg clk = 0;
  wire [3:0] q[0:2];
  wire [40:0] w[0:2];
  counter #(0) a(clk, q[0], w[0]);
  counter #(1) b(clk, q[1], w[1]);
  counter #(1) c(clk, q[2], w[2]);
  initial begin repeat (10) #1 clk = ~clk; #1 $display("%0d %0d %0d %b", q[0], q[1], q[2], w[1][3:0]); end
endmodule
"""
    assert simulate(tmp_path, text)[1] == ["0 5 5 0000"]


@pytest.mark.parametrize(
    "first",
    [
        "initial begin a <= 3; end initial a = 5;",
        "initial a = 5; initial #0 a <= 3;",
        "task t; a = 7; endtask initial begin a = 3; a = 5; end initial a <= 3; initial t;",
        "initial a[0] = 0; initial a <= 3;",
    ],
)
def test_what_initial_procedures_write_at_the_start_is_not_left_out_there(tmp_path: Path, first: str) -> None:
    text = f"module test; reg [7:0] a = 3; {first} initial #1 $display(a); endmodule"
    assert simulate(tmp_path, text)[1] == ["  3"]


def test_what_only_initial_procedures_without_waits_write_is_mixed_at_the_start_alone(tmp_path: Path) -> None:
    text = """
module test;
  reg clk = 0;
  reg [3:0] a, b, c, d, e, g;
  initial begin a = 1; if (!$value$plusargs("b=%d", b)) b = 2; end
  initial begin c = 0; #1 c = 1; end
  initial begin d = 0; fork e = 0; join_none end
  initial force g = 1;
  task set; d <= d + 1; endtask
  always @(posedge clk) begin a <= 0; a <= a + 1; b <= b; c <= c; e <= e; g <= g; set; end
  initial begin repeat (8) #1 clk = ~clk; $display(a, b, c, d, e, g); end
endmodule
"""
    simulation, lines = simulate(tmp_path, text)
    assert lines == [" 5 2 1 4 0 1"]
    code = simulation.engine.code
    assert sorted(signal.name for _, signal in code.begun) == ["a", "b"]
