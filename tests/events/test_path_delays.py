"""Delays of module paths (IEEE 1800-2023 30.4 to 30.7)."""

from __future__ import annotations

import shutil
import subprocess
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest

from events.run_timed import run_timed
from weft.base.errors import Unsupported
from weft.lang.sv.compile_sources import load_design
from weft.lang.sv.front_end_options import FrontEndOptions

TRANSITIONS = """
    module m(input a, b, output y, output reg z);
      assign y = a;
      always @* z = b;
      specify (a => y) = (1, 2, 3, 4, 5, 6); (b => z) = (1, 2, 3, 4, 5, 6); endspecify
    endmodule
    module t;
      reg a, b; wire y, z;
      m u(a, b, y, z);
      initial begin
        $monitor($time,, a, b,, y, z);
        a = 0; b = 0; #20 a = 1; #20 a = 0; #20 a = 1'bz; #20 a = 1; #20 a = 1'bx; #20 a = 0; #20 a = 1'bx; #20 a = 1;
        #20 b = 1; #20 b = 0; #20 b = 1'bx; #20 b = 1; #20 b = 1'bx; #20 b = 0; #20 a = 1'bz; #20 a = 0;
      end
    endmodule
    """

BUFFER = """
    module tbuf(input a, en, output z);
      bufif1 (z, a, en);
      specify (a => z) = (0.1, 0.2); (en => z) = (0.3, 0.4, 0.5); endspecify
    endmodule
    module dff(input clk, d, output reg q);
      always @(posedge clk) q <= d;
      specify (posedge clk => (q +: d)) = (2, 3); endspecify
    endmodule
    module t;
      reg a = 0, en = 0, clk = 0; wire z, q; integer i;
      tbuf u(a, en, z);
      dff f(clk, a, q);
      initial begin
        $monitor("%0t %b %b %b %b %b %b", $time, a, en, z, clk, q, f.q);
        for (i = 0; i < 40; i = i + 1) begin
          #4 clk = i[0];
          if (i % 3 == 0) a = ~a; else if (i % 5 == 0) en = ~en;
        end
      end
    endmodule
    """

CONDITIONS = """
    module m(input a, b, s, output y);
      assign y = a ^ b;
      specify
        if (s) (a => y) = 2;
        if (s == 1'b0) (a => y) = 5;
        (b => y) = (3:4:7);
      endspecify
    endmodule
    module t;
      reg a = 0, b = 0, s = 0; wire y;
      m u(a, b, s, y);
      initial begin
        $monitor($time,, y);
        #10 a = 1; #10 s = 1; #10 a = 0; #10 b = 1; #10 s = 1'b0; #10 a = 1;
        // A pulse that is shorter than the delay is lost.
        #10 a = 0; #4 a = 1; #10 b = 0; #3 b = 1; #20 b = 0; #4 b = 1;
      end
    endmodule
    """

PROGRAMS = {"transitions": TRANSITIONS, "buffer": BUFFER, "conditions": CONDITIONS}


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
@pytest.mark.parametrize("name", PROGRAMS)
def test_icarus_prints_the_same(name: str, tmp_path: Path) -> None:
    source, program = tmp_path / "t.sv", tmp_path / "t.vvp"
    source.write_text("`timescale 1ns/1ps\n" + textwrap.dedent(PROGRAMS[name]))
    subprocess.run(["iverilog", "-g2012", "-gspecify", "-o", program, source], check=True, capture_output=True)
    found = subprocess.run(["vvp", "-n", program], capture_output=True, text=True, check=True)
    assert run_timed(PROGRAMS[name]) == found.stdout.splitlines()


def test_each_transition_has_its_delay() -> None:
    """0->1, 1->0, 0->z, z->1, 1->x, x->0, 0->x, x->1 by tables 30-3 and 30-4."""
    changes = [line.split() for line in run_timed(TRANSITIONS)]
    times = [int(now[0]) for before, now in pairwise(changes) if before[-1][0] != now[-1][0]]
    assert times == [6, 21, 42, 63, 84, 102, 126, 141, 164, 305, 326]


def test_every_bit_of_a_parallel_path_has_its_own_delay() -> None:
    text = """
        module m(input [1:0] i, output [1:0] o);
          assign o = i;
          specify specparam rise = 1, fall = 2.5; (i => o) = (rise, fall); endspecify
        endmodule
        module t;
          reg [1:0] i = 1; wire [1:0] o;
          m u(i, o);
          initial begin $monitor("%0t %b", $realtime, o); #10 i = 2; end
        endmodule
        """
    assert run_timed(text) == ["0 xx", "1000 x1", "2500 01", "11000 11", "12500 10"]


def test_ifnone_applies_where_no_condition_holds() -> None:
    text = """
        module m(input a, s, output y);
          assign y = a;
          specify if (s) (a => y) = 2; ifnone (a => y) = 7; endspecify
        endmodule
        module t;
          reg a = 0, s = 0; wire y;
          m u(a, s, y);
          initial begin $monitor($time,, y); #10 a = 1; #10 s = 1; a = 0; end
        endmodule
        """
    assert [line.split() for line in run_timed(text)] == [["0", "x"], ["7", "0"], ["17", "1"], ["22", "0"]]


def test_the_greater_of_path_and_distributed_delay_holds() -> None:
    text = """
        module m(input a, output y, z);
          assign #3 y = a;
          assign #9 z = a;
          specify (a => y) = 5; (a => z) = 5; endspecify
        endmodule
        module t;
          reg a = 0; wire y, z;
          m u(a, y, z);
          initial begin #20 $monitor($time,, y, z); #20 a = 1; end
        endmodule
        """
    assert [line.split() for line in run_timed(text)] == [["20", "00"], ["45", "10"], ["49", "11"]]


@pytest.mark.parametrize(("choice", "time"), [("min", 11), ("typ", 12), ("max", 13)])
def test_the_chosen_delay_counts(choice: str, time: int) -> None:
    text = """
        module m(input a, output y); assign y = a; specify (a => y) = 1:2:3; endspecify endmodule
        module t; reg a = 0; wire y; m u(a, y);
          initial begin #10 a = 1; @(y) $display("%0d", $time); end
        endmodule
        """
    assert run_timed(text, delays=choice) == [str(time)]


def test_instances_keep_their_own_times() -> None:
    text = """
        module m(input a, b, output y); assign y = a & b; specify (a => y) = 2; (b => y) = 6; endspecify endmodule
        module t; reg a = 0, b = 0; wire y, z; m u(a, b, y); m v(b, a, z);
          initial begin #10 $monitor($time,, y, z); a = 1; #10 b = 1; end
        endmodule
        """
    assert [line.split() for line in run_timed(text)] == [["10", "00"], ["22", "01"], ["26", "11"]]


@pytest.mark.parametrize("item", ["specparam PATHPULSE$ = (1, 2);", "pulsestyle_ondetect y;", "showcancelled y;"])
def test_pulse_control_is_refused_only_where_specify_blocks_count(item: str) -> None:
    text = f"module m(input a, output y); assign y = a; specify {item} (a => y) = 3; endspecify endmodule"
    load_design(texts={"t.sv": text})
    with pytest.raises(Unsupported) as error:
        load_design(texts={"t.sv": text}, options=FrontEndOptions(specify=True))
    assert "^" in error.value.render()
