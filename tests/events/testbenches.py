"""Testbenches in the style of people: virtual interfaces, clocking blocks, classes, and what they print."""

from __future__ import annotations

TESTBENCHES: dict[str, tuple[str, str]] = {
    "virtual interfaces stand for instances": (
        """
        interface bus(input bit clk);
          logic [7:0] d; logic v = 0; int n[4]; event e; struct {int a; int b;} us; int q[$];
          clocking cb @(posedge clk); default input #1step output #1; input d; output v; endclocking
          modport m(input d, output v, clocking cb);
          task put(input int x); #1 d = x; $display("%m %0d at %0t", x, $time); endtask
          function int plus(int k); return d + k; endfunction
        endinterface
        class driver;
          virtual bus b; virtual bus.m m; virtual bus both[2];
          function new(virtual bus b); this.b = b; m = b; both[1] = b; endfunction
          task run();
            b.d = 3; b.n[2] = 7; b.us.a = 5; b.us.b++; b.d[7:6] = 2;
            @(posedge b.clk);
            b.cb.v <= 1; @(m.cb); $display("%0t v=%b", $time, b.v);
            @(m.v) $display("%0t v=%b", $time, m.v);
            b.put(9);
            $display("%0d %0d %0d %0d %0d %0d", b.plus(1), b.n[2], both[1].d, b.us.a, b.us.b, b.cb.d);
            b.q.push_back(4); b.q.push_back(5); $display("%0d of %p, %0d left", b.q.pop_front(), b.q, b.q.size());
            if (b != null) b = null;
            ->both[1].e; wait (both[1].e.triggered);
          endtask
        endclass
        module t;
          bit clk; bus x(clk); bus y(clk); driver d; virtual bus v = x;
          always #5 clk = !clk;
          always @(x.e) $display("x.e");
          always @(y.e) $display("y.e");
          initial begin
            d = new(x); d.run; d.b = y; d.b.d = 1; d.m = y.m; v.d = 3; $display("%0d %0d %0d", y.d, x.d, d.m.d);
            d = new(y); d.run; #1 $finish(0);
          end
        endmodule
        """,
        (
            "5 v=0\n"
            "6 v=1\n"
            "t.x.put 9 at 7\n"
            "10 7 9 5 1 131\n"
            "4 of '{5}, 1 left\n"
            "1 3 1\n"
            "x.e\n"
            "15 v=0\n"
            "16 v=1\n"
            "t.y.put 9 at 17\n"
            "10 7 9 5 1 131\n"
            "4 of '{5}, 1 left\n"
            "y.e\n"
        ),
    ),
    "virtual interfaces are values like others": (
        """
        package pkg;
          class driver; virtual bus.drv b; mailbox #(int) box = new;
            task run(); forever begin int x; box.get(x); @(posedge b.clk); {b.v, b.d} <= {1'b1, 8'(x)}; end endtask
          endclass
          class monitor #(type T = int); virtual bus b; T seen[$];
            task run(); forever begin @(posedge b.clk iff b.v); seen.push_back(T'(b.d)); end endtask
          endclass
        endpackage
        interface bus(input logic clk);
          logic [7:0] d; logic v = 0; modport drv(output d, v, input clk);
          int hits = 0; function automatic void hit(); hits++; endfunction
        endinterface
        module top; import pkg::*;
          logic clk = 0; always #5 clk = ~clk;
          for (genvar i = 0; i < 2; i++) begin : g bus b(clk); end
          bus pair[2](clk);
          virtual bus all[4], named[string]; driver d[4]; monitor #(byte) m[4];
          initial begin
            all = '{g[0].b, g[1].b, pair[0], pair[1]};
            foreach (all[i]) begin
              automatic int k = i;
              named[$sformatf("b%0d", k)] = all[k]; d[k] = new; d[k].b = all[k]; m[k] = new; m[k].b = all[k];
              fork d[k].run(); m[k].run(); join_none
              for (int j = 0; j <= k; j++) d[k].box.put(10 * k + j);
            end
            #60 foreach (m[i]) $display("%0d: %p", i, m[i].seen);
            all[1].hit(); named["b1"].hit(); pair[0].hit();
            $display("%0d %0d %0d", g[0].b.hits, g[1].b.hits, all[2].hits);
            if (all[0] == named["b0"] && all[0] != all[1]) $display("equal");
            $finish(0);
          end
        endmodule
        """,
        (
            "0: '{0, 0, 0, 0, 0}\n"
            "1: '{10, 11, 11, 11, 11}\n"
            "2: '{20, 21, 22, 22, 22}\n"
            "3: '{30, 31, 32, 33, 33}\n"
            "0 2 1\n"
            "equal\n"
        ),
    ),
    "clocking skews and cycle delays": (
        """
        interface bus(input bit clk);
          logic [7:0] d = 0, q = 0; logic v = 0, ready = 0;
          clocking cb @(posedge clk); default input #2 output #1; input q, ready; output d, v; endclocking
          clocking now @(posedge clk); input #0 d, v; endclocking
          modport tb(clocking cb, clocking now);
        endinterface
        module dut(bus b); always @(posedge b.clk) begin b.ready <= b.v; #3 b.q = b.q + 1; end endmodule
        program test(bus.tb b, input clk);
          default clocking tick @(posedge clk); endclocking
          function void show(); $display("%0t q=%0d d=%h v=%b ready=%b", $time, b.cb.q, b.now.d, b.now.v, b.cb.ready);
          endfunction
          initial begin
            b.cb.d <= 8'h11; b.cb.v <= 1; @(b.cb) show();
            b.cb.d[3:0] <= 4'h7; ##1 show();
            b.cb.d <= ##2 8'h55; b.cb.v <= ##1 0; ##0 $display("%0t", $time);
            repeat (3) ##1 show();
            #2 b.cb.d <= ##1 8'h66; ##0 $display("%0t", $time); ##2 show();
            $finish(0);
          end
        endprogram
        module t;
          bit clk; bus b(clk); always #5 clk = !clk;
          dut u(b); test p(b, clk);
        endmodule
        """,
        (
            "5 q=0 d=00 v=0 ready=0\n"
            "15 q=1 d=17 v=1 ready=0\n"
            "15\n"
            "25 q=2 d=17 v=1 ready=1\n"
            "35 q=3 d=17 v=0 ready=1\n"
            "45 q=4 d=55 v=0 ready=0\n"
            "55\n"
            "75 q=7 d=66 v=0 ready=0\n"
        ),
    ),
    "tasks and functions belong to their instances": (
        """
        module counter;
          int n = 0; task add(int k); #1 n += k; $display("%m %0d", n); endtask
          function int get(int k); return n + k; endfunction
        endmodule
        module t;
          counter a(), b();
          initial begin a.add(4); fork b.add(5); a.add(1); join $display("%0d %0d", a.get(1), b.get(2)); end
        endmodule
        """,
        ("t.a.add 4\nt.b.add 5\nt.a.add 5\n6 7\n"),
    ),
    "events are values": (
        """
        module t;
          event a, b, q[$], arr[3];
          task automatic fire(event e); ->e; endtask
          initial begin
            b = a;
            fork @b $display("b is a, %0t", $time); #1 ->a; join
            fork @a $display("a is b, %0t", $time); #1 ->b; join
            if (a == b) $display("same");
            q.push_back(a); fork @a $display("in a queue, %0t", $time); #1 ->q[0]; join
            arr[1] = a; fork @(arr[1]) $display("in an array, %0t", $time); #1 fire(a); join
            $display("%b", b.triggered); #1 $display("%b", b.triggered);
          end
        endmodule
        """,
        ("b is a, 1\na is b, 2\nsame\nin a queue, 3\nin an array, 4\n1\n0\n"),
    ),
    "events are merged": (
        """
        class generator;
          event next, done; int n; function new(int n); this.n = n; endfunction
          task run(); repeat (n) begin $display("next %0t", $time); @next; end ->done; endtask
        endclass
        class driver; event done; task run(); forever #3 ->done; endtask endclass
        class environment;
          generator g; driver d; event ended;
          function new(event e); g = new(3); d = new; g.next = d.done; ended = e; g.done = ended; endfunction
          task run(); fork g.run(); d.run(); join_any wait (g.done.triggered); $display("all %0t", $time); endtask
        endclass
        module t;
          event fin, a, b, c; environment e; struct {event e; int x;} s; event named[string];
          initial begin
            e = new(fin);
            fork @fin $display("end %0t", $time); e.run(); join
            named["x"] = a; s.e = b;
            fork @(s.e or named["x"]) $display("or %0t", $time); #1 ->>b; join
            fork wait_order (a, b, c) $display("in order"); begin #1 ->a; #1 ->s.e; #1 ->c; end join
            a = b; ->a; if (b.triggered) $display("merged");
            a = null; ->a; #1 ->b; if (!a.triggered && b.triggered) $display("apart");
            if (a != b && s.e == b) $display("compared");
            $finish(0);
          end
        endmodule
        """,
        ("next 0\nnext 3\nnext 6\nend 9\nall 9\nor 10\nin order\nmerged\napart\ncompared\n"),
    ),
}
