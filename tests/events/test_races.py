"""The race detector (`weft run --races`) names both processes, and nothing that the standard orders."""

import io
import textwrap

import pytest

from weft.apps.cli import run
from weft.lang.sv.compile_sources import load_design
from weft.sim.event_simulation import EventOptions, EventSimulation
from weft.sim.race_reports import RaceReports


def races(text):
    """Return what is reported of a testbench."""
    design = load_design(texts={"t.sv": textwrap.dedent(text)})
    simulation = EventSimulation(design, io.BytesIO(), EventOptions(races=True))
    simulation.races = RaceReports(simulation, io.StringIO())
    simulation.races.begin()
    simulation.run()
    return simulation.races.out.getvalue()


GOLDEN = {
    "a write and a read at one edge": (
        """
        module tb;
          reg clk = 0; reg [7:0] a = 0, b = 0;
          always #5 clk = ~clk;
          always @(posedge clk) a = a + 1;
          always @(posedge clk) b = a;
          initial #40 $finish(0);
        endmodule
        """,
        """
        race: a write and a read of 'tb.a' at 5 ns in no order
          t.sv:5:25: always of tb (t.sv:5:10) writes it
          t.sv:6:25: always of tb (t.sv:6:10) reads it
        """,
    ),
    "two writes, in two instances": (
        """
        module part(input clk, output reg done); always @(posedge clk) tb.shared = done; endmodule
        module tb;
          reg clk = 0, shared; wire x, y;
          part p(clk, x), q(clk, y);
          initial #1 clk = 1;
        endmodule
        """,
        """
        race: a write and a write of 'tb.shared' at 1 ns in no order
          t.sv:2:64: always of tb.p (t.sv:2:49) writes it
          t.sv:2:64: always of tb.q (t.sv:2:49) writes it
        """,
    ),
    "a net that a sibling's write changes": (
        """
        module tb;
          reg clk = 0; reg [3:0] a = 0, n; wire [3:0] w = a + 1;
          always @(posedge clk) a = 5;
          always @(posedge clk) n = w;
          initial #1 clk = 1;
        endmodule
        """,
        """
        race: a read and a write of 'tb.w' at 1 ns in no order
          t.sv:5:25: always of tb (t.sv:5:10) reads it
          t.sv:3:47: assign of tb (t.sv:3:47) writes it
        """,
    ),
    "two initial procedures, and a message": (
        """
        module tb;
          reg ready;
          initial ready = 1;
          initial $display("%b", ready);
        endmodule
        """,
        """
        race: a write and a read of 'tb.ready' at 0 s in no order
          t.sv:4:11: initial of tb (t.sv:4:11) writes it
          t.sv:5:11: initial of tb (t.sv:5:11) reads it
        """,
    ),
    "branches of a fork, and a function": (
        """
        module tb;
          int n = 0;
          function int next(); return n + 1; endfunction
          initial fork #3 n = 2; #3 $display(next()); join
        endmodule
        """,
        """
        race: a write and a read of 'tb.n' at 3 ns in no order
          t.sv:5:19: initial of tb (t.sv:5:11) writes it
          t.sv:4:24: initial of tb (t.sv:5:11) reads it
        """,
    ),
    "a reset that ends at an edge": (
        """
        module tb;
          reg clk = 0, rst = 1; reg [3:0] q; reg [3:0] m [0:3];
          always #5 clk = ~clk;
          always @(posedge clk or posedge rst) if (rst) q <= 0; else q <= q + 1;
          always @(posedge clk) m[2] = q;
          always @(posedge clk) if (m[2] == 1 && m[1] === 4'bx) q <= 3;
          initial begin #15 rst = 0; #20 $finish(0); end
        endmodule
        """,
        """
        race: a write and a read of 'tb.m' at 5 ns in no order
          t.sv:6:25: always of tb (t.sv:6:10) writes it
          t.sv:7:25: always of tb (t.sv:7:10) reads it
        race: a write and a read of 'tb.rst' at 15 ns in no order
          t.sv:8:21: initial of tb (t.sv:8:11) writes it
          t.sv:5:40: always of tb (t.sv:5:10) reads it
        """,
    ),
}

ORDERED = {
    "nonblocking assignments": """
        module tb; reg clk = 0; reg [3:0] a = 0, b = 1;
          always @(posedge clk) a <= b; always @(posedge clk) b <= a; always #5 clk = ~clk; initial #40 $finish(0);
        endmodule""",
    "a read that the write has caused": """
        module tb; reg clk = 0, x = 0, y = 0, z = 0; event go;
          initial #1 clk = 1;
          always @(posedge clk) begin x = 1; -> go; end
          always @(x) y = x;
          always @(go) z = x & clk;
          initial begin wait (y); if (x && y) $display; end
        endmodule""",
    "processes that look again": """
        module tb; reg clk = 0; reg [3:0] a = 0, b = 0, c, d, e; wire [3:0] w = a + b, v = w + a; reg [3:0] f;
          initial #1 clk = 1;
          always @(posedge clk) a <= a + 1; always @(posedge clk) b <= b + 1;
          always @* c = a + b + w; always_comb d = c + v; always @(a or b or c) e = a + b + c;
          function [3:0] twice(input [3:0] n); twice = n + a; endfunction
          always_comb f = twice(b);
        endmodule""",
    "other bits and other elements": """
        module tb; reg clk = 0; reg [3:0] v = 0; int m [4]; wire [1:0] w; assign w[0] = v[0]; assign w[1] = v[1];
          initial #1 clk = 1;
          always @(posedge clk) begin v[0] = 1; m[0] = 1; end
          always @(posedge clk) begin v[1] = 1; m[1] = m[1] + 1; end
          always @(posedge clk) begin v[3:2] = 2; m[2] = v[3:2]; end
        endmodule""",
    "other regions and times": """
        module tb; reg a = 0, b; int n = 0;
          initial a = 1; initial #0 b = a; initial begin #1 b = a; #1 a = 0; end initial #3 n = b;
          initial $strobe("%b", a); initial $monitor("%0d", n);
        endmodule""",
    "joined processes and tasks": """
        module tb; int n = 0, m = 0;
          task automatic add(input int by); int k; k = n + by; #1 n = k; endtask
          initial begin fork #1 n = 1; #2 m = 1; join n = n + m; add(2); fork n = 3; join_none #1 m = n; end
        endmodule""",
    "two drivers of a net": """
        module tb; reg a = 0, b = 0; wire w; assign w = a; assign w = b;
          initial begin #1 a = 1; b = 1; end
        endmodule""",
}


@pytest.mark.parametrize("name", GOLDEN)
def test_races_are_reported(name):
    text, wanted = GOLDEN[name]
    assert races(text) == textwrap.dedent(wanted).lstrip("\n")


@pytest.mark.parametrize("name", ORDERED)
def test_what_is_ordered_is_not(name):
    assert races(ORDERED[name]) == ""


def test_the_command_line(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.sv").write_text("module tb; reg a; initial a = 1; initial if (a) $display(1); endmodule\n")
    assert run(["run", "t.sv"]) == 0 and capfd.readouterr().err == ""
    for _ in range(2):  # the second time from the cache
        assert run(["run", "--races", "t.sv"]) == 0
        out, err = capfd.readouterr()
        assert out.split() == ["1"] and err.startswith(
            "race: a write and a read of 'tb.a' at 0 s in no order\n  t.sv:1:"
        )


def test_code_without_the_detector_has_no_notes():
    simulation = EventSimulation(load_design(texts={"t.sv": "module t; reg a; initial a = 1; endmodule"}), io.BytesIO())
    texts = [text for code in simulation.engine.code.codes.values() for text in code.functions]
    assert simulation.engine.code.races is None and texts and not any("race_" in text for text in texts)
