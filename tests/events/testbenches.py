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
    "the end of all programs is the end": (
        """
        program automatic test(input bit clk);
          initial begin repeat (2) @(posedge clk); $display("first %0t", $time); end
          initial begin fork #99 $display("never"); join_none repeat (4) @(posedge clk); $display("second %0t", $time);
          end
          final $display("program");
        endprogram
        module top;
          bit clk; always #5 clk = !clk;
          test a(clk), b(!clk);
          final $display("module %0t", $time);
        endmodule
        """,
        ("first 15\nfirst 20\nsecond 35\nsecond 40\nprogram\nprogram\nmodule 40\n"),
    ),
    "virtual tasks that wait are those of the object": (
        """
        class part;
          string name; static part all[string];
          function new(string name); this.name = name; all[name] = this; endfunction
          virtual task run(); endtask
          virtual task get(output int x); #1 x = 1; endtask
        endclass
        class slow extends part;
          function new(string name); super.new(name); endfunction
          virtual task run(); #5 $display("%s at %0t", name, $time); endtask
          virtual task get(output int x); x = 2; endtask
        endclass
        module t;
          int found, x; part p;
          function automatic part find(string name); found++; return part::all[name]; endfunction
          initial begin
            slow s = new("a"); p = new("b"); s = new("c");
            foreach (part::all[k]) begin automatic part q = part::all[k]; fork q.run(); join_none end
            wait fork;
            find("c").run(); find("b").get(x); $display("%0d found, x=%0d at %0t", found, x, $time);
            find("c").get(x); $display("x=%0d at %0t", x, $time);
          end
        endmodule
        """,
        ("a at 5\nc at 5\nc at 10\n2 found, x=1 at 11\nx=2 at 11\n"),
    ),
    "words inside structs, and processes": (
        """
        module t;
          typedef struct { int x; string n; real r; int q[$]; } record;
          record list[$], one = '{1, "one", 2.5, '{7}}, pair[2]; record named[string]; int lists[string][$];
          initial begin
            list.push_back(one); list.push_back('{3, "three", 0.5, '{}}); pair[1] = one; named["k"] = one;
            $display("%p", one); $display("%p", list); $display("%0p", pair); $display("%p", named);
            $display("%s %g %0d", list[1].n, list[1].r, list[0].q[0]);
            $display("%s", $sformatf("%s/%s", list[0].n, named["k"].n));
            list.sort(e) with (e.r); $display("%s %s", list[0].n, list[1].n);
            lists["a"].push_back(1); lists["a"].push_back(2); $display("%p", lists);
          end
          process p[2]; int n; bit clk; always #5 clk = !clk;
          initial begin p[0] = process::self(); forever begin @(posedge clk); n++; if (n == 4) p[0].suspend(); end end
          initial begin
            #12 p[0].suspend(); #20 $display("%s, n=%0d", p[0].status().name(), n);
            p[0].resume(); #25 $display("%s, n=%0d", p[0].status().name(), n);
            p[0].resume(); #20 p[0].kill(); $display("%s, n=%0d", p[0].status().name(), n);
            n = $urandom(5); $finish(0);
          end
        endmodule
        """,
        (
            "'{x:1, n:\"one\", r:2.5, q:'{7}}\n"
            "'{'{x:1, n:\"one\", r:2.5, q:'{7}}, '{x:3, n:\"three\", r:0.5, q:'{}}}\n"
            "'{'{x:0,n:\"\",r:0,q:'{}},'{x:1,n:\"one\",r:2.5,q:'{7}}}\n"
            '\'{"k":\'{x:1, n:"one", r:2.5, q:\'{7}}}\n'
            "three 0.5 7\n"
            "one/one\n"
            "three one\n"
            "'{\"a\":'{1, 2}}\n"
            "SUSPENDED, n=1\n"
            "SUSPENDED, n=4\n"
            "KILLED, n=6\n"
        ),
    ),
    "parts of structs in containers": (
        """
        module t;
          typedef struct { string n; } named;
          typedef struct { int x; string n; int q[$]; int at[string]; int d[]; } record;
          named names[$]; record list[$], one, by[string]; string s;
          class holder; record r; record list[$]; endclass
          holder h = new;
          initial begin
            names.push_back('{"abc"}); $display("%c %c", names[0].n[1], names[0].n.getc(2));
            names[0].n[1] = "X"; names[0].n.putc(0, "Y"); s = names[0].n; $display("%s %s", s, {2{names[0].n}});
            names[0].n.itoa(5); $display("%s %0d", names[0].n, names[0].n.atoi());
            list.push_back(one); list[0].q.push_back(5); list[0].q.push_back(6); list[0].at["z"] = 3;
            list[0].d = new[2]; list[0].d[1] = 9; list[0].q[0]++; list[0].n = "abc";
            foreach (list[0].q[i]) $write("%0d ", list[0].q[i]);
            $display("%0d %0d %s", list[0].q.pop_front(), list[0].q.size(), list[0].n.substr(1, 2));
            if (list[0].n == "abc" && list[0].n < "b") $display("%p", list);
            h.r.q.push_back(1); h.r.n = "h"; h.list.push_back(h.r);
            h.list[0].n = {h.list[0].n, "!"}; h.list[0].q.push_back(2);
            $display("%p %p", h.r, h.list); by["a"] = one; by["a"].q.push_back(8); $display("%p", by);
          end
        endmodule
        """,
        (
            "b c\n"
            "YXc YXcYXc\n"
            "5 5\n"
            "6 6 6 1 bc\n"
            "'{'{x:0, n:\"abc\", q:'{6}, at:'{\"z\":3}, d:'{0, 9}}}\n"
            "'{x:0, n:\"h\", q:'{1}, at:'{}, d:'{}} '{'{x:0, n:\"h!\", q:'{1, 2}, at:'{}, d:'{}}}\n"
            "'{\"a\":'{x:0, n:\"\", q:'{8}, at:'{}, d:'{}}}\n"
        ),
    ),
    "arguments by reference, null and short circuits": (
        """
        module t;
          logic line = 1; byte seen[$], again[$]; int n; struct {int a; int b;} s;
          task automatic watch(ref byte q[$], input int id);
            byte b; repeat (2) begin @(negedge line); #3 b = id; q.push_back(b); end
          endtask
          task automatic until_three(ref int k); wait (k == 3) $display("three at %0t", $time); k = 10; endtask
          class node;
            int v; node next; function bit low(); return next != null && next.v < 3; endfunction
          endclass
          function automatic void swap(ref int a, ref int b); int c = a; a = b; b = c; endfunction
          node x = new;
          initial begin
            fork watch(seen, 1); watch(again, 2); until_three(n); join_none
            repeat (2) begin #10 line = 0; #10 line = 1; n++; $display("%p %p %0d", seen, again, n); end
            n++; #1 $display("%0d", n);
            $display("%b %0d", x.low(), x.next != null ? x.next.v : -1);
            s.a = 4; swap(s.a, n); $display("%0d %0d", s.a, n);
          end
        endmodule
        """,
        ("'{1} '{2} 1\n'{1, 1} '{2, 2} 2\nthree at 40\n10\n0 -1\n10 4\n"),
    ),
    "covergroups count bins": (
        """
        module t;
          bit clk; bit [3:0] a; bit b; typedef enum {X, Y, Z} kind; kind e;
          covergroup group @(posedge clk);
            option.per_instance = 1;
            value: coverpoint a {
              bins low = {[0:3]}; bins each[] = {4, 5}; bins two[2] = {[8:11]}; ignore_bins no = {5};
              illegal_bins bad = {13}; bins rest = default;
            }
            bit_b: coverpoint b iff (a > 2) { option.at_least = 2; }
            kinds: coverpoint e;
            pairs: cross value, bit_b;
          endgroup
          covergroup sampled(int top) with function sample(int v, bit w);
            coverpoint v { bins lower = {[1:top]}; bins upper = {[top + 1:$]}; } coverpoint w;
          endgroup
          class state;
            bit [1:0] st; covergroup states; coverpoint st; endgroup
            function new(); states = new; endfunction function void set(int k); st = k; states.sample(); endfunction
          endclass
          group g = new; sampled s = new(9), s2 = new(3); state k = new;
          always #5 clk = !clk;
          initial begin
            for (int i = 0; i < 14; i++) begin a = i; b = i[0]; e = kind'(i % 2); @(negedge clk); end
            $display("%.2f %.2f", g.value.get_inst_coverage(), g.bit_b.get_coverage());
            $display("%.2f %.2f %.2f", g.kinds.get_coverage(), g.pairs.get_coverage(), g.get_coverage());
            s.sample(3, 1); $display("%.2f %.2f %.2f", s.get_inst_coverage(), s2.get_inst_coverage(), s.get_coverage());
            s.sample(100, 0); s.stop(); s.sample(0, 0); s2.sample(4, 1);
            $display("%.2f %.2f %.2f", s.get_inst_coverage(), s2.get_inst_coverage(), s.v.get_inst_coverage());
            for (int i = 0; i < 3; i++) begin k.set(i); $display("%.1f", k.states.get_coverage()); end
            $finish(0);
          end
        endmodule
        """,
        (
            "ERROR: t.sv:6: the illegal bin 'bad' of 'value' has been hit\n"
            "       Time: 135  Scope: t.group::sample\n"
            "100.00 100.00\n"
            "66.67 75.00 85.42\n"
            "50.00 0.00 25.00\n"
            "100.00 50.00 100.00\n"
            "25.0\n"
            "50.0\n"
            "75.0\n"
        ),
    ),
    "covergroups count transitions": (
        """
        module t;
          parameter P = 3; typedef enum {IDLE, RUN, DONE} state_e; state_e st; bit [3:0] a;
          covergroup g;
            v: coverpoint a {
              bins up = (1 => 2), (P => 4 => [5:6]); bins pairs[] = (7, 8 => 9); bins thrice = (2 [*3]);
              wildcard bins even = {4'b???0};
            }
            s: coverpoint st { bins run = (IDLE => RUN => DONE); bins back = (DONE => IDLE); }
          endgroup
          g c = new;
          task feed(int values[]);
            foreach (values[i]) begin a = values[i]; c.sample(); end
            $display("%.2f", c.v.get_coverage());
          endtask
          initial begin
            feed('{1, 3, 1, 3}); feed('{4, 5}); feed('{7, 9, 8}); feed('{9, 2, 2}); feed('{2});
            st = RUN; c.sample(); st = DONE; c.sample(); $display("%.2f", c.s.get_coverage());
            st = IDLE; c.sample(); $display("%.2f", c.s.get_coverage());
          end
        endmodule
        """,
        ("0.00\n40.00\n60.00\n80.00\n100.00\n50.00\n100.00\n"),
    ),
    "strings and streams": (
        """
        module t;
          byte b[] = {"w", "e", "f", "t"}; string s, r; logic [15:0] v = "ok";
          function automatic string replace(string text, string old, string by);
            string made = ""; int i = 0;
            while (i < text.len())
              if (text.substr(i, i + old.len() - 1) == old) begin made = {made, by}; i += old.len(); end
              else made = {made, text[i++]};
            return made;
          endfunction
          initial begin
            s = {>>{b}}; r = {<<8{b}}; $display("%s %s %s", s, r, string'({>>{v}}));
            $display("%s", replace("the cat and the dog", "the", "a"));
            {>>{b}} = "abcd"; s = string'({>>{b}}); $display("%s %p", s, b);
          end
        endmodule
        """,
        ("weft tfew ok\na cat and a dog\nabcd '{97, 98, 99, 100}\n"),
    ),
    "processes end themselves": (
        """
        module t;
          process main, kids[2];
          task automatic quit(); process p = process::self(); $display("quit"); p.kill(); $display("never"); endtask
          initial begin
            main = process::self();
            fork #5 $display("never"); begin #3 main.kill(); $display("never"); end join_none
            #100 $display("never");
          end
          initial begin
            fork begin kids[0] = process::self(); #1 quit(); $display("never"); end begin #2 $display("kept"); end join
            $display("joined at %0t, %s", $time, kids[0].status().name());
            #2 $display("%s", main.status().name());
          end
        endmodule
        """,
        ("quit\nkept\njoined at 2, KILLED\nKILLED\n"),
    ),
    "edges as skews of a clocking block": (
        """
        module t; bit clk = 0; always #5 clk = ~clk; int d = 0; always #1 d++; int q, r, s, u;
         clocking up @(posedge clk); default input negedge output negedge;
          input d; output q; output posedge r; output negedge #2 s; input posedge same = d; input edge both = d;
         endclocking
         clocking any @(clk); input negedge fell = d; input posedge rose = d; output posedge u; endclocking
         default clocking up;
         initial begin ##1 up.q <= 7; up.r <= 8; up.s <= 9; ##1; @(negedge clk) #2 up.q <= 1; up.r <= 2; #16; end
         initial begin @(any) any.u <= 1; @(any); @(any) #1 any.u <= 3; @(any) any.u <= 4; @(any); end
         always @(up) $display("%0t up %0d %0d %0d", $time, up.d, up.same, up.both);
         always @(any) $display("%0t any %0d %0d", $time, any.fell, any.rose);
         always @(q) $display("%0t q=%0d", $time, q); always @(r) $display("%0t r=%0d", $time, r);
         always @(s) $display("%0t s=%0d", $time, s);
         always @(u) $display("%0t u=%0d", $time, u);
         initial #48 $finish(0);
        endmodule
        """,
        """\
5 up 0 4 4
5 any 0 4
5 r=8
5 u=1
10 q=7
10 any 9 4
12 s=9
15 up 9 14 14
15 any 9 14
20 any 19 14
25 r=2
25 u=4
25 up 19 24 24
25 any 19 24
30 q=1
30 any 29 24
35 up 29 34 34
35 any 29 34
40 any 39 34
45 up 39 44 44
45 any 39 44
""",
    ),
}
