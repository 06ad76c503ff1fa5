"""Assertions, sampled values and checks, and what a simulation says of them."""

from __future__ import annotations

_TESTBENCH = """
module t; bit clk; always #5 clk = ~clk;
  logic a, b, c; int n = -1; string as = "{a}", bs = "{b}", cs = "{c}";
  initial {{a, b, c}} = {{as[0] == "1", bs[0] == "1", cs[0] == "1"}};
  always @(posedge clk) begin
    n++;
    if (n == as.len() - 1) #1 $finish(0);
    a <= as[n + 1] == "1"; b <= bs[n + 1] == "1"; c <= cs[n + 1] == "1";
  end
  default clocking cb @(posedge clk); endclocking
{items}
endmodule
"""
"""Gives three signals the characters of three strings: tick n samples character n."""


def watch(properties: list[str], a: str, b: str, c: str = "") -> str:
    """Return a testbench that prints for each property at which ticks an attempt passes (+) and fails (-)."""
    items: list[str] = []
    for i, text in enumerate(properties):
        note = f's{i} = {{s{i}, $sformatf(" %s%0d", "SIGN", n)}};'
        items.append(
            f"  string s{i}; assert property ({text}) {note.replace('SIGN', '+')} else {note.replace('SIGN', '-')}"
        )
        items.append(f'  final $display("%s:%s", "{text}", s{i});')
    return _TESTBENCH.format(items="\n".join(items), a=a, b=b, c=c or "0" * len(a))


ASSERTIONS: dict[str, tuple[str, str]] = {
    "values are sampled before the time step": (
        """
        module t; bit clk; logic [3:0] a = 0, w; wire [3:0] n = a + 1; always #5 clk = ~clk;
          always @(posedge clk) begin
            a = a + 1;
            $display("%0d %0d %0d | %0d %0d | %b %b %b", a, $sampled(a), $sampled(n), $past(a), $past(a, 2),
              $rose(a[0]), $fell(a[0]), $stable(a[1]));
          end
          always @(posedge clk) if ($changed(a[2])) $display("bit 2 %b", $past(a[3:2], 1, a[0]));
          initial #60 $finish(0);
        endmodule
        """,
        "1 0 1 | 0 0 | 0 0 1\n2 1 2 | 0 0 | 1 0 1\n3 2 3 | 1 0 | 0 1 0\n4 3 4 | 2 1 | 1 0 1\n"
        "5 4 5 | 3 2 | 0 1 0\nbit 2 00\n6 5 6 | 4 3 | 1 0 1\n",
    ),
    "clocking blocks sample and drive": (
        """
        module t; bit clk; logic [3:0] d = 0, q; always #5 clk = ~clk;
          clocking cb @(posedge clk); default input #1step output #2; input d; output q; endclocking
          always @(posedge clk) d = d + 1;
          always @(q) $display("%0d q=%0d", $time, q);
          initial begin repeat (3) begin @(cb); $display("%0d d=%0d cb.d=%0d", $time, d, cb.d); cb.q <= cb.d; end
            #5 $finish(0); end
        endmodule
        """,
        "5 d=1 cb.d=0\n7 q=0\n15 d=2 cb.d=1\n17 q=1\n25 d=3 cb.d=2\n27 q=2\n",
    ),
    "implications, repetitions and temporal operators": (
        watch(
            [
                "a |-> b",
                "a |=> b",
                "a |-> ##[1:2] c",
                "a ##1 b",
                "a |-> b[*2]",
                "a[->2] |-> b",
                "a[=1] ##1 c",
                "not (a ##1 b)",
                "a until b",
                "a until_with b",
                "s_eventually c",
                "always (!c)",
                "nexttime[2] b",
                "a #-# ##1 b",
                "if (a) b else ##1 c",
            ],
            "0110100000",
            "0101010000",
            "0000010000",
        ),
        """\
a |-> b: +0 +1 -2 +3 -4 +5 +6 +7 +8 +9
a |=> b: +0 -2 +3 +3 +5 +5 +6 +7 +8 +9
a |-> ##[1:2] c: +0 +3 -3 -4 +5 +5 +6 +7 +8 +9
a ##1 b: -0 -2 +3 -3 +5 -5 -6 -7 -8 -9
a |-> b[*2]: +0 -2 -2 +3 -4 +5 +6 +7 +8 +9
a[->2] |-> b: -2 -2 -4
a[=1] ##1 c: -2 -2 -4 +5 +5
not (a ##1 b): +0 +2 +3 -3 +5 -5 +6 +7 +8 +9
a until b: -0 +1 +3 +3 +5 +5 -6 -7 -8 -9
a until_with b: -0 +1 -3 -3 -5 -5 -6 -7 -8 -9
ERROR: t.sv:31: assertion failed: the simulation has ended before it could hold
       Time: 96  Scope: t
s_eventually c: +5 +5 +5 +5 +5 +5
always (!c): -5 -5 -5 -5 -5 -5
nexttime[2] b: -2 +3 -4 +5 -6 -7 -8 -9
a #-# ##1 b: -0 -2 +3 -3 +5 -5 -6 -7 -8 -9
if (a) b else ##1 c: +1 -1 -2 -4 -4 -6 -7 -8 -9
""",
    ),
    "sequences of sequences": (
        watch(
            [
                "a ##1 b and c ##2 b",
                "(a[*2] or b) ##1 c",
                "a[*1:3] intersect b ##1 1",
                "c within a[*3]",
                "a throughout b[->1]",
                "first_match(a ##[1:2] b) |-> c",
                "a ##0 b[+] ##1 c",
                "b |-> a[*0:1] ##1 c",
                "case ({a, b}) 2'b10: ##1 b; 2'b11, 2'b01: c; default: 1; endcase",
                "sync_reject_on (c) a |-> ##2 b",
                "strong(##[0:$] c)",
                "a implies b",
                "a iff b",
                "always [1:2] a",
                "s_eventually [1:2] b",
            ],
            "0111010011",
            "0101100110",
            "0010110010",
        ),
        """\
a ##1 b and c ##2 b: -0 -1 -3 +4 -4 -6 -6 -7 -9 -9
(a[*2] or b) ##1 c: -0 +2 +4 +4 +5 -6 -6 +8
a[*1:3] intersect b ##1 1: -0 +2 -2 -4 -4 -5 -6 -7 +9 -9
c within a[*3]: -0 +3 -4 -4 -4 -6 -6 -7
a throughout b[->1]: -0 +1 +3 +3 -4 -6 -6 -7 +8
first_match(a ##[1:2] b) |-> c: +0 -3 -3 +4 +4 +6 +7 -7
a ##0 b[+] ##1 c: -0 +2 -2 +4 -4 -5 -6 -7 -9 -9
b |-> a[*0:1] ##1 c: +0 +2 +2 +4 +4 +5 +6 -7 +8 +9
case ({a, b}) 2'b10: ##1 b; 2'b11, 2'b01: c; default: 1; endcase: +0 -1 +3 -3 +4 +6 -6 -7 +8
sync_reject_on (c) a |-> ##2 b: +0 -2 -2 -4 -4 -5 +6 +7 -8
ERROR: t.sv:31: assertion failed: the simulation has ended before it could hold
       Time: 96  Scope: t
strong(##[0:$] c): +2 +2 +2 +4 +4 +5 +8 +8 +8
a implies b: +0 +1 -2 +3 +4 -5 +6 +7 +8 -9
a iff b: +0 +1 -2 +3 -4 -5 +6 -7 +8 -9
always [1:2] a: +2 +3 -4 -4 -6 -6 -7 +9
ERROR: t.sv:39: assertion failed: the simulation has ended before it could hold
       Time: 96  Scope: t
s_eventually [1:2] b: +1 +3 +3 +4 -6 +7 +7 +8
""",
    ),
    "assertions are disabled, chosen, turned off and counted": (
        """
        module t; bit clk; always #5 clk = ~clk; bit rst; logic a = 0, b = 0; int n = -1;
          always @(posedge clk) begin n++; a <= n % 3 == 0; b <= n % 3 == 1; if (n == 11) $finish(0); end
          default clocking @(posedge clk); endclocking
          default disable iff rst;
          p: assert property (a |=> b && n < 6) else $display("%0d p", n);
          q: assert property (disable iff (1'b0) a |=> !b) else $error("q of %0d", $sampled(n));
          r: assume property (a |-> b);
          cover property (a ##1 b);
          all: cover sequence (b ##[1:3] a);
          always @(posedge clk) if (n == 4 || n == 5)
            chosen: assert property (##1 a) $display("%0d chosen", n); else $display("%0d not", n);
          initial begin
            $assertoff; #22 $asserton; @(posedge clk) expect (##[0:4] b) $display("%0d b", n); else $display("none");
            #27 rst = 1; #14 rst = 0; #15 $assertkill;
          end
        endmodule
        """,
        """\
ERROR: t.sv:8: assumption 'r' failed
       Time: 45  Scope: t.r
5 b
ERROR: t.sv:7: q of 4
       Time: 55  Scope: t.q
5 not
6 not
ERROR: t.sv:8: assumption 'r' failed
       Time: 75  Scope: t.r
ERROR: t.sv:7: q of 7
       Time: 85  Scope: t.q
ERROR: t.sv:8: assumption 'r' failed
       Time: 105  Scope: t.r
INFO: t.sv:9: cover property: 1 matches in 7 attempts
      Time: 115  Scope: t
INFO: t.sv:10: cover 'all': 2 matches in 7 attempts
      Time: 115  Scope: t.all
""",
    ),
    "assertions are turned off by name, scope, level and type": (
        """
        module sub(input clk, input a);
          p1: assert property (@(posedge clk) a) else $display("%m p1 fails at %0t", $time);
         always @(posedge clk) begin
            q1: assert (a) $display("pass"); else $display("%m fails at %0t", $time); end endmodule
        module t; bit clk, a; sub s(clk,a); sub s2(clk,a);
         always #5 clk = ~clk;
         if (1) begin : g  p2: assert property (@(posedge clk) a ##3 a) else $display("g.p2 fails at %0t", $time); end
         task tt; i1: assert (a) else $display("i1"); endtask
         always_comb begin r4: assert #0 (a) else $display("r4 %0t", $time); end
         initial begin : blk
          #12 $display("off s"); $assertoff(0, s);
          #10 $display("on s.p1"); $asserton(0, s.p1);
          #10 $display("lock p1, off all"); $assertcontrol(1, 15, 7, 0, t.s.p1); $assertoff; tt; a = 1; #1 a = 0;
          #9 $display("unlock p1; on q1 of s2 and tt"); $assertcontrol(2); $asserton(1, s2.q1, tt, r4); tt;
            a = 1; #1 a = 0;
          #9 $display("off, on, fails off of s2"); $assertoff; $asserton; $assertfailoff(0, s2);
          #10 $display("kill g"); $assertkill(0, g); #10 a = 1; $assertpassoff(1, t.s2); #10;
          $finish(0);
         end
        endmodule
        """,
        """\
r4 0
t.s.q1 fails at 5
t.s2.q1 fails at 5
g.p2 fails at 5
t.s.p1 p1 fails at 5
t.s2.p1 p1 fails at 5
off s
t.s2.q1 fails at 15
g.p2 fails at 15
t.s2.p1 p1 fails at 15
on s.p1
t.s2.q1 fails at 25
g.p2 fails at 25
t.s.p1 p1 fails at 25
t.s2.p1 p1 fails at 25
lock p1, off all
t.s.p1 p1 fails at 35
unlock p1; on q1 of s2 and tt
i1
r4 43
t.s2.q1 fails at 45
t.s.p1 p1 fails at 45
off, on, fails off of s2
t.s.q1 fails at 55
g.p2 fails at 55
t.s.p1 p1 fails at 55
kill g
t.s.q1 fails at 65
t.s.p1 p1 fails at 65
pass
""",
    ),
    "deferred assertions report when the step has settled": (
        """
        module t; logic [1:0] a = 0, b = 0; logic x, y; int n;
          always @(a) b <= a;
          always_comb begin assert (a == b) else $display("%0d at once", a); end
          always_comb begin assert #0 (a == b) else $error("deferred %0d", a); end
          always_comb assert final (a != 2) else $display("final a=%0d now %0d", a, n);
          always @* begin x = 0; assert #0 (a < 2) $display("ok %0d", a); else $display("big %0d", a); end
          initial begin #1 a = 1; #1 a = 2; n = 4; #1 n = 0; a = 1; #1
            for (int i = 0; i < 4; i++) assert #0 (i < 2) else $display("loop");
          end
        endmodule
        """,
        """\
1 at once
ok 1
2 at once
big 2
final a=2 now 4
1 at once
ok 1
loop
loop
""",
    ),
    "violations of unique and priority are reported": (
        """
        module t; logic [1:0] a = 1; logic x, y;
          always_comb unique case (a) 1: y = 1; 2: y = 0; endcase
          initial begin
            priority if (a == 1) x = 1; else if (a == 2) x = 0;
            unique0 case (a) 0: x = 1; endcase
            unique casez (a) 2'b?1: x = 1; 2'b?0: x = 0; endcase
            #1 unique if (a == 1) x = 1; else if (a[0]) x = 0;
            unique case (a) 1: x = 1; 1: x = 0; endcase
            unique casez (a) 2'b?1: x = 1; 2'b0?: x = 0; endcase
            unique case (a) inside [0:1]: x = 1; [1:2]: x = 0; endcase
            #1 priority if (a == 3) x = 1; else if (a == 2) x = 0;
            #1 a = 3; a = 2; #1 a = 3; #1 $finish(0);
          end
        endmodule
        """,
        """\
WARNING: t.sv:8: value matches more than one item of a unique if statement
         Time: 1  Scope: t
WARNING: t.sv:9: value matches more than one item of a unique case statement
         Time: 1  Scope: t
WARNING: t.sv:10: value matches more than one item of a unique case statement
         Time: 1  Scope: t
WARNING: t.sv:11: value matches more than one item of a unique case statement
         Time: 1  Scope: t
WARNING: t.sv:12: value is unhandled for priority or unique if statement
         Time: 2  Scope: t
WARNING: t.sv:3: value is unhandled for priority or unique case statement
         Time: 4  Scope: t
""",
    ),
    "assertions in interfaces, generate blocks, several instances and bound modules": (
        """
        interface bus(input logic clk); logic v, r;
          chk: assert property (@(posedge clk) v |-> r) else $display("%0t %m bus", $time);
        endinterface
        module sub(input logic clk, input logic [3:0] d, bus b);
          genvar i;
          for (i=0;i<2;i++) begin : g
            never: assert property (@(posedge clk) !(d[i] && d[i+2])) else $display("%0t %m d=%b", $time, $sampled(d));
            always @(posedge clk) if (d[i]) nxt: assert property (##1 !d[i]) else $display("%0t %m nxt", $time);
          end
          a1: assert property (@(posedge clk) b.v |=> b.v) else $display("%0t %m b.v", $time);
        endmodule
        module checks(input logic clk, input logic [3:0] d);
          ck: assert property (@(posedge clk) $stable(d) || $past(d) < 9) else
            $display("%0t %m past=%0d", $time, $past(d));
        endmodule
        bind sub checks cc(.*);
        module t; bit clk; always #5 clk = ~clk; logic [3:0] d=0, e=0; bus b1(clk), b2(clk);
        sub s1(clk,d,b1), s2(clk,e,b2);
        initial begin b1.v=0; b1.r=0; b2.v=1; b2.r=0; end
        always @(posedge clk) begin d <= d+1; e <= e+3; b1.v <= ~b1.v; end
        initial #52 $finish(0);
        endmodule
        """,
        """\
5 t.b2.chk bus
5 t.s1.cc.ck past=x
5 t.s2.cc.ck past=x
15 t.b1.chk bus
15 t.b2.chk bus
25 t.b2.chk bus
25 t.s1.a1 b.v
25 t.s2.g[1].nxt nxt
35 t.b1.chk bus
35 t.b2.chk bus
35 t.s1.g[1].nxt nxt
45 t.b2.chk bus
45 t.s1.a1 b.v
45 t.s2.cc.ck past=9
""",
    ),
    "the clock of a procedure with a reset, and sampled arrays": (
        """
        module t; bit clk, rst_n = 1; logic a = 0; logic [3:0] m[2] = '{1, 2}; always #5 clk = ~clk;
          always @(posedge clk or negedge rst_n)
            if (!rst_n) a <= 0;
            else begin a <= ~a; m[a] <= m[a] + 1; on: assert property (a) else $display("%0d %m", $time); end
          array: assert property (@(posedge clk) m[1] == $past(m[1]) || a) else
            $display("%0d m=%0d was %0d", $time, $sampled(m[1]), $past(m[1]));
          always @(posedge clk) if ($time == 15) repeat (3) thrice: assert property (a ##1 a) else $display("thrice");
          initial #38 rst_n = 0;
          initial #50 $finish(0);
        endmodule
        """,
        """\
5 t.on
25 t.on
25 m=3 was 2
thrice
thrice
thrice
45 m=4 was 3
""",
    ),
    "sequences as events": (
        """
        module t; bit clk; always #5 clk = ~clk; logic a = 0, b = 0; int n = 0;
          always @(posedge clk) begin n++; a <= n % 3 == 0; b <= n % 3 == 1; end
          sequence ab(x); @(posedge clk) x ##1 b; endsequence
          initial begin
            $assertoff; repeat (2) begin @(ab(a)); $display("%0d ends at %0d", $time, n); end
            wait (ab(a).triggered) $display("%0d triggered", $time);
            @(ab(1) iff n > 9) $display("%0d", $time); $finish(0);
          end
        endmodule
        """,
        "45 ends at 5\n75 ends at 8\n75 triggered\n105\n",
    ),
    "a checker checks each of its instances": (
        """
        checker req_ack(input logic req, ack, event clock = $inferred_clock, logic reset = 0, int n = 3,
                        output int count = 0);
          default clocking @clock; endclocking
          default disable iff reset;
          let busy = req && !ack;
          property p; req |-> ##[1:n] ack; endproperty
          sequence s; req ##1 ack; endsequence
          logic seen;
          int own = 0, grow;
          assign grow = own + 1;
          a: assert property (p) else $display("%0t %m no ack in %0d", $time, n);
          c: cover property (s) $display("%0t %m acked", $time);
          always_ff @clock begin if (busy) own <= grow; count <= count + busy; seen <= req; end
          always_comb assert final (!(ack && !seen && !req) || 1);
          initial assert (n > 0);
          if (n > 2) begin : big  b: assert property (ack |-> seen) else $display("%0t %m unseen", $time); end
        endchecker
        module t; bit clk = 0; always #5 clk = ~clk; logic rst = 0; logic [1:0] r = 0, k = 0; int n0, n1;
         default clocking cb @(posedge clk); endclocking
         req_ack x(r[0], k[0], , rst, , n0);
         req_ack y(.req(r[1]), .ack(k[1]), .n(1), .clock(negedge clk), .count(n1));
         initial begin #12 r = 3; #10 k = 3; r = 1; #10 k = 2; #10 k = 0; r = 0;
          #40 $display("%0d %0d", n0, n1); $finish(0); end
        endmodule
        """,
        """\
25 t.x.c acked
30 t.y.c acked
55 t.x.a no ack in 3
65 t.x.a no ack in 3
2 1
INFO: t.sv:13: cover 'c': 1 matches in 8 attempts
      Time: 82  Scope: t.x.c
INFO: t.sv:13: cover 'c': 1 matches in 8 attempts
      Time: 82  Scope: t.y.c
""",
    ),
    "checkers in modules, and in checkers": (
        """
        checker in(a, clk); int n = 0; always_ff @(posedge clk) if (a) n <= n + 1; final $display("%m %0d", n);
          endchecker
        checker out_(a, clk, output int total = 5); in x(a, clk); in y(!a, clk);
          always_ff @(posedge clk) total <= total + 2; endchecker
        module sub(input clk, input a); int total; out_ o(a, clk, total); endmodule
        module t; bit clk = 0; logic a = 1; always #5 clk = ~clk; sub s(clk, a), u(clk, !a);
          initial begin #1 @(posedge clk) a = 0; #20 $display("%0d %0d", s.total, u.total); $finish(0);
          end endmodule
        """,
        """\
9 9
t.s.o.x 1
t.s.o.y 1
t.u.o.x 1
t.u.o.y 1
""",
    ),
    "a checker has what the module that declares it says for all": (
        """
        module t; bit clk = 0; always #5 clk = ~clk; logic a = 0, b = 0, off = 0;
          default clocking cb @(posedge clk); endclocking default disable iff off;
         checker follow(x, y); assert property (x |=> y) else $display("%0t %m no y", $time); endchecker
         follow f(a, b); follow g(b, a);
         if (1) begin : blk follow h(a && !b, 1'b0); end
         initial begin #12 a = 1; #20 b = 1; off = 1; #20 $finish(0); end
        endmodule
        """,
        """\
25 t.f no y
25 t.blk.h no y
""",
    ),
    "an output of a checker": (
        """
        checker mutex(logic [31:0] sig, event clock, output bit failure = 0);
          default clocking @(clock); endclocking
          a1: assert property ($onehot0(sig)) failure = 0; else begin failure = 1;
          $display("%0t mutex %b", $time, sig[3:0]); end
        endchecker
        module t; bit clk = 0; always #5 clk = ~clk; logic [3:0] s = 1; bit f;
         mutex m(s, posedge clk, f);
         initial begin #12 s = 3; #10 s = 4; #20 $display("%b", f); $finish(0); end
        endmodule
        """,
        """\
15 mutex 0011
0
""",
    ),
    "the global clock of the nearest instance around": (
        """
        module leaf(input a, input b);
         assert property (@($global_clock) a |=> b) else $display("%0t %m bad", $time);
         always @($global_clock) if (a && $rose_gclk(b)) $display("%0t %m b", $time); endmodule
        module mid(input a, input b); bit own = 0; always #7 own = ~own; global clocking m @(posedge own); endclocking
         leaf l(a, b); endmodule
        module t; bit clk = 0; always #5 clk = ~clk; logic a = 0, b = 0;
         global clocking g @(posedge clk); endclocking
         leaf l(a, b); mid m(a, b); for (genvar i = 0; i < 2; i++) begin : gen leaf l(a, b); end
         initial begin #12 a = 1; #20 b = 1; #20 $finish(0); end
        endmodule
        """,
        """\
25 t.l bad
25 t.gen[0].l bad
25 t.gen[1].l bad
35 t.m.l b
35 t.l b
35 t.gen[0].l b
35 t.gen[1].l b
""",
    ),
}
