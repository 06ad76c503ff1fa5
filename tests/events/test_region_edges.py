"""What a region sees of inputs and edges that come in one time step, and at the start, is what events see of them."""

from __future__ import annotations

import pytest

from events.mixed_runs import both, regions


def test_latches_that_inputs_reach_follow_them_between_edges() -> None:
    both("""
        module dut(input clk, input g, input [3:0] d, output reg [3:0] q = 0, output reg [3:0] l);
          always @* if (!g) l = d + q;
          always @(posedge clk) q <= l;
        endmodule
        module t;
          reg clk = 0, g = 0; reg [3:0] d = 0; wire [3:0] q, l;
          dut u(clk, g, d, q, l);
          initial begin
            $monitor("%0t %b %b %d %d %d", $time, clk, g, d, l, q);
            #5 d = 3; #5 g = 1; #5 d = 4; #5 clk = 1; #5 clk = 0; #5 g = 0; #5 g = 1; #5 clk = 1; #5 clk = 0;
            #5 d = 7; #5 clk = 1; #5 g = 0; #5 $finish(0);
          end
        endmodule
        """)


def test_edges_at_time_0_and_from_x_count_as_events_have_them() -> None:
    printed, simulation = both("""
        module dut(input a, input b, output reg [3:0] up = 0, output reg [3:0] down = 0);
          always @(posedge a) up <= up + 1;
          always @(negedge b) down <= down + 1;
        endmodule
        module t;
          reg a, b = 1; wire [3:0] up, down;
          dut u(a, b, up, down);
          initial begin a = 1; b = 1'bx; #1 a = 1'bz; b = 0; #1 a = 1; #1 a = 0; b = 1; #1 a = 1'bx; b = 0;
            #1 $display("%0d %0d", up, down); end
        endmodule
        """)
    assert printed == "3 3\n"
    assert regions(simulation) == ["t.u"]


def test_two_clocks_that_rise_together_are_one_step() -> None:
    printed, _ = both("""
        module dut(input a, input b, output reg [3:0] p, output reg [3:0] q);
          initial begin p = 1; q = 2; end
          always @(posedge a) p <= q;
          always @(posedge b) q <= p;
        endmodule
        module t;
          reg a = 0, b = 0; wire [3:0] p, q;
          dut u(a, b, p, q);
          always @(p, q) $display("%0d %0d", p, q);
          initial begin #1 a = 1; b = 1; #1 a = 0; #1 a = 1; #1 a = 0; end
        endmodule
        """)
    assert printed == "1 2\n2 1\n1 1\n"


RACES = """
    module leaf(input clk, input [3:0] d, e, output reg [3:0] p, q);
      wire [3:0] w = d + 1;
      always @(posedge clk) begin p <= d; q <= w + e; end
    endmodule
    module dut(input clk, rst_n, input [3:0] d, output reg [3:0] sync, async, through, output [3:0] y, p, q);
      wire [3:0] v = d ^ 4'h5;
      assign y = through + 1;
      leaf u(clk, d, d + 4'd2, p, q);
      always @(posedge clk) sync <= rst_n ? d : 0;
      always @(posedge clk or negedge rst_n) if (!rst_n) async <= 0; else async <= d;
      always @(posedge clk) through <= v;
    endmodule
    module t;
      reg clk = 0, rst_n = 1; reg [3:0] d = 0;
      wire [3:0] sync, async, through, y, p, q;
      dut u(.*);
      always #5 clk = ~clk;
      initial begin
        $monitor("%0t %d %d %d %d %d %d", $time, sync, async, through, y, p, q);
        ACTIONS
        #21 $finish(0);
      end
    endmodule
    """


@pytest.mark.parametrize(
    "actions",
    [
        "repeat (5) @(posedge clk) d = d + 1;",
        "repeat (5) @(posedge clk) d <= d + 1;",
        "repeat (5) begin @(posedge clk); #0 d = d + 1; end",
        "repeat (5) begin #10 d = d + 1; end #5; repeat (5) begin #10 d = d + 3; end",
        "#1; repeat (4) begin #3 d = d + 1; clk = ~clk; d = d + 2; end",
        "#1; repeat (4) begin #3 d <= d + 1; clk <= ~clk; d <= d + 2; end",
        "repeat (4) begin @(posedge clk) rst_n = 0; d = d + 1; @(posedge clk) d = d + 1; rst_n = 1; end",
        "repeat (4) begin @(posedge clk) d = d + 1; rst_n <= 0; @(posedge clk) d = d + 1; rst_n <= 1; end",
    ],
)
@pytest.mark.parametrize(
    "clock", ["always #5 clk = ~clk;", "reg root = 0; always #5 root = ~root; always @(root) clk = root;"]
)
def test_inputs_that_change_at_an_edge_reach_what_events_let_them_reach(actions: str, clock: str) -> None:
    """Procedures that read an input, and logic that follows it, in the order of events."""
    _, simulation = both(RACES.replace("ACTIONS", actions).replace("always #5 clk = ~clk;", clock))
    assert regions(simulation) == ["t.u"]


@pytest.mark.parametrize(
    "actions",
    [
        # The register without a reset has been assigned when the reset comes, in the same time step.
        "@(posedge clk); rst_n = 0; d = 9; #3 rst_n = 1;",
        "@(posedge clk); #0 rst_n = 0; #0 d = 7; #3 rst_n = 1;",
        # The reset comes and goes between two looks of the procedures: they run, and see none.
        "@(posedge clk); #0 rst_n = 0; d = 3; rst_n = 1;",
        # It comes when they are ready already: they run once.
        "#5 clk = 1; rst_n = 0; d = 3; #0 d = 8; rst_n = 1;",
        "#5 clk = 1; #0 d = 4; clk = 0; clk = 1; #0 d = 2; clk = 0; #0 clk = 1;",
        "#5 clk = 1; #0 d = 4; other = 1; #0 d = 6; #0 rst_n = 0; d = 1;",
    ],
)
@pytest.mark.parametrize("at", [4, 5])
def test_edges_of_one_time_step_have_inputs_of_their_own(actions: str, at: int) -> None:
    """Each edge starts procedures that read what is there then; the last one's assignment stays."""
    _, simulation = both(f"""
        module dut(input clk, other, rst_n, input [3:0] d, output reg [3:0] p, q, r, s, t);
          reg [3:0] memory[0:3];
          wire [3:0] w = d ^ 3;
          always @(posedge clk or negedge rst_n)
            if (!rst_n) p <= 0; else begin p <= p + d; q <= w; r[1:0] <= w; if (d[0]) r[3:2] <= q; end
          always @(posedge clk) begin s <= q + w; memory[d] <= q; end
          always @(posedge other) t <= memory[w] + p;
        endmodule
        module tb;
          reg clk = 0, other = 0, rst_n = 1; reg [3:0] d = 1;
          wire [3:0] p, q, r, s, t;
          dut u(.*);
          initial begin #{at} rst_n = 0; #1 rst_n = 1; repeat (6) #5 clk = ~clk; end
          always @(posedge clk) other = ~other;
          initial $monitor("%0t %h %h %h %h %h", $time, p, q, r, s, t);
          initial begin repeat (3) begin {actions} end #40 $finish(0); end
        endmodule
        """)
    assert regions(simulation) == ["tb.u"]


def test_logic_follows_each_input_by_itself() -> None:
    """One changes before the edge and another one after it, in a process that does not wait in between."""
    printed, simulation = both("""
        module dut(input clk, input [3:0] b, c, output reg [3:0] p, q);
          wire [3:0] x = b + 1, y = c + 1;
          always @(posedge clk) begin p <= x; q <= y; end
        endmodule
        module t;
          reg clk = 0; reg [3:0] b = 1, c = 2; wire [3:0] p, q;
          dut u(clk, b, c, p, q);
          initial begin
            #5 b = 7; clk = 1; c = 9; #1 $display("%0d %0d", p, q);
            #4 clk = 0; #5 clk = 1; #1 $display("%0d %0d", p, q);
          end
        endmodule
        """)
    assert regions(simulation) == ["t.u"]
    assert printed == "8 3\n8 10\n"


def test_logic_of_two_inputs_runs_when_the_first_one_has_changed() -> None:
    """It finds the second one changed too, if that comes before its turn; what reads that one alone comes later."""
    printed, simulation = both("""
        module dut(input clk, input [3:0] b, c, output reg [3:0] p, q);
          wire [3:0] x = b + c, y = c + 1;
          always @(posedge clk) begin p <= x; q <= y; end
        endmodule
        module t;
          reg root = 0; wire clk = root; reg [3:0] b = 1, c = 2; wire [3:0] p, q;
          dut u(clk, b, c, p, q);
          initial begin #5 root = 1; #1 $display("%0d %0d", p, q); #4 root = 0; end
          always @(posedge root) c = 9;
          initial begin #5 b = 7; end
        endmodule
        """)
    assert regions(simulation) == ["t.u"]
    assert printed == "0 3\n"


def test_logic_waits_for_no_more_bits_than_it_reads() -> None:
    """But `@*` waits for whole signals (IEEE 1800-2023 9.4.2.2)."""
    _, simulation = both("""
        module dut(input clk, input [3:0] b, c, output [3:0] y, output reg [3:0] k, l, q);
          assign y = b[0] ? c : 7;
          always @(b[1] or c) if (b[1]) k = c + 1;
          always @* if (b[2]) l = c + 2;
          always @(posedge clk) q <= y + k + l;
        endmodule
        module t;
          reg clk = 0; wire other = clk; reg [3:0] b = 15, c = 2; wire [3:0] y, k, l, q;
          dut u(clk, b, c, y, k, l, q);
          always #5 clk = ~clk;
          always @(posedge clk) c = c + 1;
          always @(posedge other) $display("%0t %h %h %h %h", $time, y, k, l, q);
          initial begin
            $monitor("%0t %h %h %h %h", $time, y, k, l, q);
            #15 b = 7; #10 b = 8; #10 b = 9; #10 b = 11; #10 b = 15; #10 $finish(0);
          end
        endmodule
        """)
    assert regions(simulation) == ["t.u"]


@pytest.mark.parametrize(
    "actions",
    [
        "clk = 1; other = 1;",
        "clk = 1; #0 other = 1;",
        "clk = 1; a = 3; #0 other = 1; a = 2;",
        "clk = 1; #0 clk = 0; #0 clk = 1;",
        "clk = 1; #0 clk = 0; b = 1; #0 clk = 1; #0 other = 1;",
        "clk = 1; #0 rst_n = 0;",
        "other = 1; rst_n = 0; #0 rst_n = 1; clk = 1;",
    ],
)
@pytest.mark.parametrize("ports", ["clk, other", "clk, clk"])
def test_variables_that_are_assigned_at_once_count_every_run(actions: str, ports: str) -> None:
    """A procedure that runs twice in a time step finds them as its first run has left them (IEEE 1800-2023 10.4.1)."""
    _, simulation = both(f"""
        module dut(input clk, clk2, rst_n, input [3:0] a, b, output reg [3:0] q, r, s);
          reg [3:0] t = 0, u = 0, memory[0:3]; integer i;
          always @(posedge clk or posedge clk2) begin t = t + a; q <= t; end
          always @(posedge clk or negedge rst_n) if (!rst_n) u = 0; else begin u = u + 1; r <= u + b; end
          always @(posedge clk) begin memory[a[1:0]] = memory[a[1:0]] + b; s <= memory[b[1:0]]; end
          initial for (i = 0; i < 4; i = i + 1) memory[i] = i;
        endmodule
        module tb;
          reg clk = 0, other = 0, rst_n = 1; reg [3:0] a = 1, b = 2; wire [3:0] q, r, s;
          dut u({ports}, rst_n, a, b, q, r, s);
          initial $monitor("%0t %h %h %h", $time, q, r, s);
          initial repeat (4) begin #5 {actions} #5 clk = 0; other = 0; rst_n = 1; end
        endmodule
        """)
    assert regions(simulation) == ["tb.u"]


def test_procedures_wait_for_their_first_change() -> None:
    """Also where that never comes; `always_comb` does not wait (IEEE 1800-2023 9.2.2.2.2)."""
    printed, simulation = both("""
        module dut(input clk, input [3:0] a, input en, output reg [3:0] q, w, c, k, l);
          reg [3:0] r = 5;
          wire [3:0] s = r + 1;
          always @* w = s & 3;
          always @(a) k = a | 8;
          always_comb c = s;
          always @* if (en) l = k;
          always @(posedge clk) begin q <= w; r <= a; end
        endmodule
        module t;
          reg clk = 0, en = 1; reg [3:0] a = 2; wire [3:0] q, w, c, k, l;
          dut u(.*);
          always #5 clk = ~clk;
          initial begin
            #1 $display("%d %d %d %d %d", q, w, c, k, l);
            #9 $display("%d %d %d %d %d", q, w, c, k, l);
            a = 3; #5 $display("%d %d %d %d %d", q, w, c, k, l);
            en = 0; a = 1; #20 $display("%d %d %d %d %d", q, w, c, k, l);
            $finish(0);
          end
        endmodule
        """)
    assert regions(simulation) == ["t.u"]
    assert printed.splitlines()[0].split() == ["x", "2", "6", "x", "x"]


def test_a_net_changes_when_it_gets_its_first_value() -> None:
    """Procedures wait before that, so that those of constants run; what a variable is declared with is no change."""
    printed, simulation = both("""
        module leaf(input [3:0] p, v, e, n, u, output reg [3:0] y, z);
          always @* y = p;
          always @(n or e) z = n + e;
        endmodule
        module dut(input clk, input [3:0] p, v, e, n, u, output reg [3:0] a, b, c, d, f, q, output [3:0] y, z);
          reg [3:0] r = 4; wire [3:0] w = 2;
          leaf l(p, r, r + 4'd1, w, u, y, z);
          always @* a = p;
          always @* b = v;
          always @* c = e;
          always @(n) d = n;
          always @* f = u;
          always @(posedge clk) q <= y + z;
        endmodule
        module t;
          reg clk = 0; reg [3:0] r = 5; wire [3:0] n = 3, u, a, b, c, d, f, q, y, z;
          dut i(clk, 4'd7, r, r + 4'd1, n, u, a, b, c, d, f, q, y, z);
          initial begin
            #1 clk = 1; #1 $display("%h %h %h %h %h %h %h %h", a, b, c, d, f, q, y, z);
            r = 8; #1 $display("%h %h", b, c);
          end
        endmodule
        """)
    assert regions(simulation) == ["t.i"]
    assert printed == "7 x 6 3 x e 7 7\n8 9\n"
