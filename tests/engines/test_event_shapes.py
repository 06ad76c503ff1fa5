"""Continuous assignments that share their code by shape: the same values, one function for many."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from weft.lang.sv.compile_sources import load_design
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.sim.event_simulation import EventOptions, EventSimulation


def simulate(tmp_path: Path, text: str, options: EventOptions | None = None) -> tuple[EventSimulation, list[str]]:
    """Run a testbench; return the simulation and what it has displayed."""
    path = tmp_path / "test.sv"
    path.write_text(text)
    out = io.BytesIO()
    simulation = EventSimulation(load_design((path,), FrontEndOptions()), out, options or EventOptions())
    simulation.run()
    return simulation, out.getvalue().decode().splitlines()


CHAIN = """
module test;
  reg [{top}:0] a, b;
  wire [{top}:0] y;
  {gates}
  initial begin
    a = 0; b = 0; #10;
    $display("%b", y);
    a = 'h2c; b = 'h65; #1 $display("%b", y);
    #2 $display("%b", y);
    a[3] = 1'bx; b[2] = 1'bz; #5 $display("%b", y);
  end
endmodule
"""


def test_gates_of_one_shape_share_one_function(tmp_path: Path) -> None:
    gates = "\n".join(f"assign #2 y[{i}] = a[{i}] & ~b[{i}];" for i in range(8))
    separate = CHAIN.format(top=7, gates=gates)
    wires = "\n".join(f"wire n{i}; assign #2 n{i} = a[{i}] & ~b[{i}];" for i in range(8))
    shared = CHAIN.format(top=7, gates=wires + "assign y = {n7, n6, n5, n4, n3, n2, n1, n0};")
    expected = ["00000000", "00000000", "00001000", "0000xx00"]
    # In a random order of events gates are code as everything else is.
    options = EventOptions(shuffle=1)
    assert simulate(tmp_path, separate, options)[1] == expected
    simulation, lines = simulate(tmp_path, shared, options)
    assert lines == expected
    assert len(simulation.engine.code.shapes) == 2


def test_a_pulse_shorter_than_the_delay_is_lost(tmp_path: Path) -> None:
    text = """
module test;
  reg a = 0;
  wire y, z;
  assign #5 y = a;
  assign #(2, 7) z = a;
  initial begin
    #10 a = 1; #3 a = 0; #10 $display("%b%b", y, z);
    a = 1; #6 $display("%b%b", y, z); a = 0; #6 $display("%b%b", y, z); #2 $display("%b%b", y, z);
  end
  always @(y) $display("y %b %0t", y, $time);
  always @(z) $display("z %b %0t", z, $time);
endmodule
"""
    _, lines = simulate(tmp_path, text)
    assert lines == [
        "y 0 5", "z 0 7", "z 1 12", "z 0 20", "00", "z 1 25", "y 1 28", "11", "y 0 34", "01", "z 0 36", "00"
    ]  # fmt: skip


@pytest.mark.parametrize("instances", [1, 3])
def test_shapes_work_in_several_instances(tmp_path: Path, instances: int) -> None:
    adders = "\n".join(f"inner #({i}) u{i}(a, s[{i}]);" for i in range(instances))
    text = f"""
module inner #(parameter P = 0) (input [15:0] a, output [15:0] s);
  wire [15:0] kept[0:1];
  assign kept[1] = a + P;
  assign kept[0] = {{kept[1][7:0], kept[1][15:8]}};
  assign s = a[3] ? kept[0] : kept[1];
endmodule
module test;
  reg [15:0] a;
  wire [15:0] s[0:{instances - 1}];
  integer i;
  {adders}
  initial begin
    a = 16'h1230; #1 for (i = 0; i < {instances}; i = i + 1) $display("%h", s[i]);
    a = 16'h1238; #1 for (i = 0; i < {instances}; i = i + 1) $display("%h", s[i]);
  end
endmodule
"""
    _, lines = simulate(tmp_path, text)
    first = [f"{0x1230 + i:04x}" for i in range(instances)]
    second = [f"{(0x38 + i):02x}12" for i in range(instances)]
    assert lines == first + second


def test_an_assignment_that_feeds_itself_settles(tmp_path: Path) -> None:
    text = """
module test;
  reg set = 1;
  wire [3:0] count;
  assign count = set ? 4'd0 : count == 4'd9 ? count : count + 4'd1;
  initial begin #1 set = 0; #1 $display("%0d", count); end
endmodule
"""
    assert simulate(tmp_path, text)[1] == ["9"]


def test_a_shape_is_the_same_with_all_signals_observed(tmp_path: Path) -> None:
    text = CHAIN.format(top=7, gates="assign #2 y = a ^ b;")
    plain = simulate(tmp_path, text)[1]
    assert plain == simulate(tmp_path, text, EventOptions(observe=True))[1]
    assert plain[1:3] == ["00000000", "01001001"]
