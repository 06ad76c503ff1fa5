"""Assertions whose attempts have data, and what a simulation says of them (IEEE 1800-2023 16.10 to 16.13)."""

from __future__ import annotations

ATTEMPTS: dict[str, tuple[str, str]] = {
    "each attempt has local variables of its own": (
        """
        module t; bit clk; always #5 clk = ~clk;
          int n = -1; logic a, b, rst; logic [7:0] d, q;
          string as = "1101000000", bs = "0001101010", ds = "abcdefghij", qs = "___ab_d___", rs = "0000000000";
          initial {a, b, d, q, rst} = {as[0] == "1", bs[0] == "1", ds[0], qs[0], rs[0] == "1"};
          always @(posedge clk) begin
            n++;
            if (n == as.len() - 1) #1 $finish(0);
            a <= as[n + 1] == "1"; b <= bs[n + 1] == "1"; d <= ds[n + 1]; q <= qs[n + 1]; rst <= rs[n + 1] == "1";
          end

          default clocking @(posedge clk); endclocking
          property later; logic [7:0] x; (a, x = d) |-> ##[1:4] (b && q == x); endproperty
          later_: assert property (later) else $display("later %0d -", n);
          later_c: cover property (later) $display("later %0d +", n);

        endmodule
        """,
        "later 3 +\n"
        "later 4 +\n"
        "later 6 +\n"
        "INFO: t.sv:15: cover 'later_c': 3 matches in 10 attempts\n"
        "      Time: 96  Scope: t.later_c\n",
    ),
    "local variables are computed, declared, passed and forgotten": (
        """
        module t; bit clk; always #5 clk = ~clk;
          int n = -1; logic a, b, rst; logic [7:0] d, q;
          string as = "1110110000", bs = "0001001000", ds = "abcdefghij", qs = "__________", rs = "0000000010";
          initial {a, b, d, q, rst} = {as[0] == "1", bs[0] == "1", ds[0], qs[0], rs[0] == "1"};
          always @(posedge clk) begin
            n++;
            if (n == as.len() - 1) #1 $finish(0);
            a <= as[n + 1] == "1"; b <= bs[n + 1] == "1"; d <= ds[n + 1]; q <= qs[n + 1]; rst <= rs[n + 1] == "1";
          end

          default clocking @(posedge clk); endclocking
          sequence sum(x); (a, x = x + d)[*1:$] ##1 b; endsequence
          property total;
            int x = 1000, last = 7;
            ($past(a) !== 1 && a) ##0 (1, last = 5, last++) ##0 sum(x)
              |-> (x > 1290, $display("%0d: %0d %0d", n, x, last));
          endproperty
          total_: assert property (total) else $display("total %0d -", n);
          property strong_one; int k; disable iff (rst)
            (a, k = n) |=> strong(##[0:$] (b && k > 2, $display("seen %0d", k)));
          endproperty
          strong_: assert property (strong_one) else $display("strong %0d -", n);

        endmodule
        """,
        "2: 1294 6\nseen 3\nseen 4\ntotal 6 -\n",
    ),
    "match items call functions and tasks with sampled values": (
        """
        module t; bit clk; always #5 clk = ~clk;
          int n = -1; logic a, b, rst; logic [7:0] d, q;
          string as = "1100000000", bs = "0110000000", ds = "abcdefghij", qs = "__________", rs = "0000000000";
          initial {a, b, d, q, rst} = {as[0] == "1", bs[0] == "1", ds[0], qs[0], rs[0] == "1"};
          always @(posedge clk) begin
            n++;
            if (n == as.len() - 1) #1 $finish(0);
            a <= as[n + 1] == "1"; b <= bs[n + 1] == "1"; d <= ds[n + 1]; q <= qs[n + 1]; rst <= rs[n + 1] == "1";
          end

          function void note(string what, int value); $display("%0d note %s %0d", n, what, value); endfunction
          sequence s; int x;
            @(posedge clk) (a, x = d, note("a", x)) ##1 (b, note("b", x + 1), $display("q %s %0d", q, x));
          endsequence
          c1: cover property (@(posedge clk) first_match(s, $display("first")));
          always @(s) $display("ended %0d", n);
          initial begin expect (@(posedge clk) s) $display("expected"); else $display("not expected"); end

        endmodule
        """,
        "0 note a 97\n"
        "0 note a 97\n"
        "0 note a 97\n"
        "1 note b 98\n"
        "q _ 97\n"
        "first\n"
        "1 note a 98\n"
        "1 note b 98\n"
        "q _ 97\n"
        "1 note a 98\n"
        "1 note b 98\n"
        "q _ 97\n"
        "ended 1\n"
        "expected\n"
        "2 note b 99\n"
        "q _ 98\n"
        "first\n"
        "2 note b 99\n"
        "q _ 98\n"
        "ended 2\n"
        "INFO: t.sv:16: cover 'c1': 2 matches in 10 attempts\n"
        "      Time: 96  Scope: t.c1\n",
    ),
    "sequences and properties have several clocks": (
        """
        module t; bit c0, c1; logic a, b, c; int n;
          // c0 rises at 5, 15, 25 ..., c1 at 8, 18, 28 ...
          always #5 c0 = ~c0;
          initial begin #3; forever #5 c1 = ~c1; end
          string as = "1100100000", bs = "0110011000", cs = "0000100100";
          initial for (n = 0; n < 10; n++) begin
            a = as[n] == "1"; b = bs[n] == "1"; c = cs[n] == "1"; #10; if (n == 9) $finish(0);
          end
          m1: assert property (@(posedge c0) a |=> @(posedge c1) b) else $display("m1 %0t -", $time);
          m2: cover property (@(posedge c0) a |-> @(posedge c1) b) $display("m2 %0t +", $time);
          m3: cover property (@(posedge c0) a ##1 @(posedge c1) b) $display("m3 %0t +", $time);
          m4: cover property (@(posedge c0) a ##1 b |=> @(posedge c1) nexttime c) $display("m4 %0t +", $time);
          m5: cover property (@(posedge c0) a ##0 @(posedge c0) !b) $display("m5 %0t +", $time);
          property keep; int x;
            @(posedge c0) (a, x = n) |=> @(posedge c1) (b, $display("x = %0d at %0t", x, $time));
          endproperty
          m6: assert property (keep) else $display("m6 %0t -", $time);
        endmodule
        """,
        "m5 5 +\n"
        "m1 8 -\n"
        "m6 8 -\n"
        "x = 1 at 18\n"
        "m2 18 +\n"
        "m3 18 +\n"
        "m5 45 +\n"
        "m1 48 -\n"
        "m6 48 -\n"
        "INFO: t.sv:11: cover 'm2': 1 matches in 10 attempts\n"
        "      Time: 100  Scope: t.m2\n"
        "INFO: t.sv:12: cover 'm3': 1 matches in 10 attempts\n"
        "      Time: 100  Scope: t.m3\n"
        "INFO: t.sv:13: cover 'm4': 0 matches in 10 attempts\n"
        "      Time: 100  Scope: t.m4\n"
        "INFO: t.sv:14: cover 'm5': 2 matches in 10 attempts\n"
        "      Time: 100  Scope: t.m5\n",
    ),
    "assertions ask for the ends of sequences": (
        """
        module t; bit c0, c1; logic a, b, c; int n;
          always #5 c0 = ~c0;
          initial begin #3; forever #5 c1 = ~c1; end
          string as = "1100100000", bs = "0110011000", cs = "0000100100";
          initial for (n = 0; n < 10; n++) begin
            a = as[n] == "1"; b = bs[n] == "1"; c = cs[n] == "1"; #10; if (n == 9) $finish(0);
          end
          m1: assert property (@(posedge c0) e.triggered |-> c) else $display("m1 %0t -", $time);
          sequence e; @(posedge c0) a ##1 b; endsequence
          sequence f; @(posedge c0) e.triggered ##1 b; endsequence
          m2: cover property (@(posedge c0) f.triggered) $display("m2 %0t +", $time);
          m3: assert property (@(posedge c1) e.matched |-> c) else $display("m3 %0t -", $time);
          m4: cover property (@(posedge c0) e.matched ##1 1) $display("m4 %0t +", $time);
        endmodule
        """,
        "m1 15 -\n"
        "m3 18 -\n"
        "m1 25 -\n"
        "m2 25 +\n"
        "m3 28 -\n"
        "m4 35 +\n"
        "m4 45 +\n"
        "m1 55 -\n"
        "m3 58 -\n"
        "m2 65 +\n"
        "m4 75 +\n"
        "INFO: t.sv:12: cover 'm2': 2 matches in 10 attempts\n"
        "      Time: 100  Scope: t.m2\n"
        "INFO: t.sv:14: cover 'm4': 3 matches in 10 attempts\n"
        "      Time: 100  Scope: t.m4\n",
    ),
    "properties call themselves, and are aborted between ticks": (
        """
        module t; bit c0, c1; logic a, b, c; int n;
          always #5 c0 = ~c0;
          initial begin #3; forever #5 c1 = ~c1; end
          string as = "1100100000", bs = "0110011000", cs = "0000100100";
          initial for (n = 0; n < 10; n++) begin
            a = as[n] == "1"; b = bs[n] == "1"; c = cs[n] == "1"; #10; if (n == 9) $finish(0);
          end
          property eventual(v); v or (1'b1 |=> eventual(v)); endproperty
          m1: cover property (@(posedge c0) b |-> eventual(a)) $display("m1 %0t +", $time);
          m2: cover property (@(posedge c0) a |-> accept_on(c) ##4 b) $display("m2 %0t +", $time);
          m3: assert property (@(posedge c0) a |-> reject_on(c) ##4 1) else $display("m3 %0t -", $time);
          m4: assert property (@(posedge c0) a |-> sync_reject_on(c) ##3 1) else $display("m4 %0t -", $time);
        endmodule
        """,
        "m1 15 +\n"
        "m2 43 +\n"
        "m2 43 +\n"
        "m3 43 -\n"
        "m3 43 -\n"
        "m4 45 -\n"
        "m4 45 -\n"
        "m1 45 +\n"
        "m2 45 +\n"
        "m3 45 -\n"
        "INFO: t.sv:10: cover 'm1': 2 matches in 10 attempts\n"
        "      Time: 100  Scope: t.m1\n"
        "INFO: t.sv:11: cover 'm2': 3 matches in 10 attempts\n"
        "      Time: 100  Scope: t.m2\n",
    ),
    "the global clock is what its module declares": (
        """
        module t;
          bit clk, a; always #5 clk = ~clk;
          global clocking gc @(posedge clk); endclocking
          string as = "0110100"; int n = -1;
          always @(posedge clk) begin n++; if (n == 6) #1 $finish(0); a <= as[n] == "1"; end
          always @($global_clock)
            $display("%0d: %b %b %b", n, $rose_gclk(a), $fell_gclk(a), $stable_gclk(a));
          assert property (@($global_clock) $rose_gclk(a) |=> a) else $display("%0d failed", n);
          always @(negedge clk) $display("   %b %b %b", $sampled(a), $past_gclk(a), $changed_gclk(a));
        endmodule
        """,
        "0: 0 0 1\n"
        "   0 0 0\n"
        "1: 0 0 1\n"
        "   1 0 1\n"
        "2: 1 0 0\n"
        "   1 1 0\n"
        "3: 0 0 1\n"
        "   0 1 1\n"
        "4: 0 1 0\n"
        "   1 0 1\n"
        "5: 1 0 0\n"
        "   0 1 1\n"
        "6: 0 1 0\n"
        "6 failed\n",
    ),
    "local arguments": (
        """
        module t; bit clk = 0; always #5 clk = ~clk; logic a = 0; logic [3:0] d = 0; logic [7:0] arr = 8'b1010_0110;
         always @(posedge clk) d <= d + 1;
         typedef struct packed {logic [3:0] x; logic y;} pair; pair pr; assign pr = {d, a};
         sequence later(n, local input logic [3:0] x = d, y = 1, local input pair q = pr); logic [3:0] z;
          (1, z = x) ##n (d == z + n && y == 1 && q.x == x && arr[x[1:0]] == arr[q.x[1:0]]);
          endsequence
         assert property (@(posedge clk) a |-> later(2)) else $display("%0t bad 1", $time);
         assert property (@(posedge clk) a |-> later(.n(1), .x(d))) else $display("%0t bad 2", $time);
         assert property (@(posedge clk) a |-> later(.n(1), .y(2))) else $display("%0t bad 3", $time);
         assert property (@(posedge clk) a |-> later(.n(1), .x(d + 1))) else $display("%0t bad 4", $time);
         sequence count(local inout int c, local output logic [3:0] o); (a, c++, o = d)[*2]; endsequence
         property two; int k; logic [3:0] seen; (a, k = 5) |-> count(k, seen) ##1 (k == 7 && seen + 1 == d); endproperty
         assert property (@(posedge clk) two) $display("%0t two", $time); else $display("%0t not two", $time);
         property p(local input int lim, q); disable iff (arr[0]) (a, lim--) |-> ##1 (lim == q - 1); endproperty
         assert property (@(posedge clk) p(3, 3)) else $display("%0t bad 5", $time);
         assert property (@(posedge clk) p(.q(5), .lim(4))) else $display("%0t bad 6", $time);
         initial begin #12 a = 1; #30 $finish(0); end
        endmodule
        """,
        """\
5 two
25 bad 3
25 bad 4
25 bad 6
35 bad 3
35 bad 4
35 two
35 bad 6
""",
    ),
}
