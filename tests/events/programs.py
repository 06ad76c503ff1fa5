"""Testbenches that print, and what they print; Icarus Verilog prints the same but for those of `NOT_ICARUS`."""

from __future__ import annotations

PROGRAMS: dict[str, tuple[str, str]] = {
    "delays and edges": (
        """
        `timescale 1ns/1ps
        module sub(input clk, input [7:0] d, output reg [7:0] q); always @(posedge clk) q <= d; endmodule
        module t;
          reg clk = 0; reg [7:0] d; wire [7:0] q, p; integer i;
          sub s1(clk, d, q); sub s2(clk, q, p);
          always #5 clk = ~clk;
          wire [7:0] sum = q + p;
          initial begin
            d = 3;
            for (i = 0; i < 3; i = i + 1) begin
              @(posedge clk); #1 d = d + 1; $display("%0d q=%d p=%d sum=%d", $time, q, p, sum);
            end
            $finish(0);
          end
        endmodule
        """,
        "6 q=  3 p=  x sum=  x\n16 q=  4 p=  3 sum=  7\n26 q=  5 p=  4 sum=  9\n",
    ),
    "nonblocking assignments swap": (
        """
        module t; reg [3:0] a = 1, b = 2; initial begin a <= b; b <= a; #1 $display("%d %d", a, b);
          a[1:0] <= 3; a[3] <= #2 1; #1 $display("%b", a); #2 $display("%b", a); end endmodule
        """,
        " 2  1\n0011\n1011\n",
    ),
    "inactive events come before nonblocking ones": (
        """
        module t; integer a = 0; initial begin a <= 1; #0 $display("%0d", a); #1 $display("%0d", a); end endmodule
        """,
        "0\n1\n",
    ),
    "fork joins": (
        """
        module t;
          initial begin
            fork #3 $display("a %0d", $time); #1 $display("b %0d", $time); join
            $display("join %0d", $time);
            fork #5 $display("late %0d", $time); #1 $display("early %0d", $time); join_any
            $display("any %0d", $time);
            fork begin #2 $display("child %0d", $time); end join_none
            $display("none %0d", $time); wait fork; $display("all %0d", $time);
          end
        endmodule
        """,
        "b 1\na 3\njoin 3\nearly 4\nany 4\nnone 4\nchild 6\nlate 8\nall 8\n",
    ),
    "disable ends blocks, tasks and forks": (
        """
        module t;
          task work; begin #10 $display("never"); end endtask
          initial begin : outer
            fork : f #5 $display("never"); #2 disable f; join
            $display("out %0d", $time);
            forever begin : b #1; if ($time == 4) disable outer; end
          end
          initial begin fork work; #3 disable work; join $display("task %0d", $time); end
          initial begin : named #100 $display("never"); end
          initial #7 disable named;
        endmodule
        """,
        "out 2\ntask 3\n",
    ),
    "named events": (
        """
        module t; event e, f; integer n = 0;
          always @(e or f) begin n = n + 1; $display("%0d at %0d", n, $time); end
          initial begin #1 ->e; #1 ->f; #1 ->>e; #1; end
        endmodule
        """,
        "1 at 1\n2 at 2\n3 at 3\n",
    ),
    "wait looks again when its condition may have changed": (
        """
        module t; reg [3:0] n = 0; initial repeat (6) #1 n = n + 1;
          initial begin wait (n[2]) $display("%0d", $time); wait (n > 5) $display("%0d", $time); end endmodule
        """,
        "4\n6\n",
    ),
    "edges of expressions": (
        """
        module t; reg [3:0] v = 0; reg a = 0, b = 0; integer i = 2;
          always @(posedge v[i]) $display("v %0d", $time);
          always @(a ^ b) $display("xor %0d", $time);
          always @(posedge a iff b) $display("iff %0d", $time);
          initial begin #1 v = 4; #1 v = 5; #1 v = 0; #1 a = 1; #1 begin a = 0; b = 1; end #1 a = 1; end
        endmodule
        """,
        "v 1\nxor 4\nxor 5\nxor 6\niff 6\n",
    ),
    "intra-assignment delays and events": (
        """
        module t; reg clk = 0; always #5 clk = ~clk; integer a, b, c = 1;
          initial begin a = #3 c; $display("%0d %0d", a, $time); b = repeat (2) @(posedge clk) c;
            $display("%0d %0d", b, $time); a <= @(negedge clk) 7; c = 9; @(negedge clk) #1 $display("%0d", a);
            $finish(0); end endmodule
        """,
        "1 3\n1 15\n7\n",
    ),
    "inertial delays lose short pulses": (
        """
        module t; reg a = 0; wire #3 w = a; wire #(2, 4) r = a;
          initial begin $monitor("%0d %b %b", $time, w, r); #10 a = 1; #2 a = 0; #5 a = 1; #10 a = 0; #9 $finish(0); end
        endmodule
        """,
        "0 x x\n3 0 x\n4 0 0\n12 0 1\n16 0 0\n19 0 1\n20 1 1\n30 0 1\n31 0 0\n",
    ),
    "several drivers": (
        """
        module t; reg a, b; wire w; wand n; wor o; tri1 p;
          assign w = a, w = b, n = a, n = b, o = a, o = b; assign p = a ? 1'bz : 1'b0;
          initial begin
            a = 0; b = 0; #1 $display("%b%b%b%b", w, n, o, p); b = 1; #1 $display("%b%b%b%b", w, n, o, p);
            a = 1'bz; #1 $display("%b%b%b", w, n, o); a = 1; #1 $display("%b%b%b%b", w, n, o, p);
          end
        endmodule
        """,
        "0000\nx010\n111\n1111\n",
    ),
    "force and release": (
        """
        module t; reg [3:0] r = 1; wire [3:0] w = r; reg a = 0;
          initial begin
            force w = 4'ha; #1 $display("%h", w); r = 5; #1 $display("%h", w); release w; #1 $display("%h", w);
            force r = {3'b0, a}; a = 1; #1 $display("%h %h", r, w); release r; #1 $display("%h", r);
            assign r = 7; r = 2; #1 $display("%h", r); deassign r; r = 2; #1 $display("%h", r);
          end
        endmodule
        """,
        "a\na\n5\n1 1\n1\n7\n2\n",
    ),
    "automatic tasks and recursion": (
        """
        module t;
          function automatic integer fact(input integer n); fact = n < 2 ? 1 : n * fact(n - 1); endfunction
          task automatic count(input integer n, output integer last);
            integer k;
            begin k = n; if (n > 0) begin #1 count(n - 1, last); last = last + k; end else last = 0; end
          endtask
          integer a, b;
          initial begin $display("%0d", fact(6)); fork count(3, a); count(4, b); join $display("%0d %0d %0d", a, b, $time);
          end
        endmodule
        """,
        "720\n6 10 4\n",
    ),
    "strobe and monitor see settled values": (
        """
        module t; reg [3:0] a = 0; initial begin $monitor("m %0d", a); $strobe("s %0d", a); a = 1; a <= 2; #1 a = 3;
          #1 $monitoroff; a = 4; #1 $monitoron; #1 $finish(0); end endmodule
        """,
        "m 2\ns 2\nm 3\nm 4\n",
    ),
    "unknown and high impedance values": (
        """
        module t; reg [3:0] a = 4'b01xz; reg x;
          initial begin
            $display("%b %b %b %b", ~a, a & 4'b0011, a | 4'b0011, a ^ 4'b1111);
            $display("%b %b %b", a == 4'b01xz, a === 4'b01xz, a != 4'b1000);
            $display("%b %b %b", a + 1, x ? 4'b1100 : 4'b1010, a[x]);
            casez (a) 4'b1???: $display("no"); 4'b01?z: $display("casez"); endcase
            casex (a) 4'b1111: $display("no"); 4'b0100: $display("casex"); endcase
            if (x) $display("no"); else $display("else");
          end
        endmodule
        """,
        "10xx 00xx 0111 10xx\nx 1 1\n" + "x" * 32 + " 1xx0 x\ncasez\ncasex\nelse\n",
    ),
    "reals": (
        """
        module t; real r; integer i; reg signed [70:0] w;
          initial begin r = 2.5; i = r; $display("%0d %g", i, r / 2); i = -r; $display("%0d %f", i, r ** 2.0);
            w = 71'sd1 <<< 66; r = w; $display("%g %b", r, r > 1e19); w = -r; $display("%0d", w); #1.6 $display("%g", $realtime);
            end endmodule
        """,
        "3 1.25\n-3 6.250000\n7.3787e+19 1\n-73786976294838206464\n2\n",
    ),
    "wide arithmetic": (
        """
        module t; reg [255:0] a; reg [99:0] b, c; initial begin a = 256'h1 << 200; a = a / 3; $display("%h", a);
          b = 100'd1000000000000000000000; c = b / 7; $display("%0d %0d", c, b % 100'd1000007); end endmodule
        """,
        "00000000000000" + "55" * 25 + "\n142857142857142857142 657007\n",
    ),
    "memories": (
        """
        module t; reg [7:0] m [0:3]; integer i; wire [7:0] w = m[2];
          initial begin for (i = 0; i < 4; i = i + 1) m[i] = i * 3; #1 $display("%0d %h", w, m[5]); m[2] <= 99; m[7] = 1;
          #1 $display("%0d %b", w, m[1][0]); end endmodule
        """,
        "6 xx\n99 1\n",
    ),
    "hierarchical names both ways": (
        """
        module leaf; integer n = 4; initial #1 t.total = t.total + n; endmodule
        module t; integer total = 1; leaf a(); leaf b(); initial begin b.n = 10; #2 $display("%0d %0d", total, a.n); end
        endmodule
        """,
        "15 4\n",
    ),
    "names of instances without a state of their own": (
        """
        module leaf #(parameter N = 1) (); initial #N $display("%m %0d", N); endmodule
        module middle; leaf #(1) a(); leaf #(2) b(); endmodule
        module t; middle m(); endmodule
        """,
        "t.m.a 1\nt.m.b 2\n",
    ),
    "final procedures": ('module t; initial #3 $finish(0); final $display("end %0d", $time); endmodule', "end 3\n"),
}
"""A name, the source and the output of each program."""

NOT_ICARUS = frozenset({"edges of expressions", "named events", "force and release", "fork joins"})
"""Programs that Icarus Verilog 11 refuses or, by its own word, does not run as the standard has it."""

OBJECTS: dict[str, tuple[str, str]] = {
    "a static variable begins anew in each constant call": (
        """
        module t;
        function integer accumulate(input integer value);
          static integer total = 1, calls = 0;
          integer unused;
          begin total = total + value; calls = calls + 1; accumulate = total * 10 + calls; end
        endfunction
        localparam first = accumulate(2);
        localparam second = accumulate(3);
        initial begin $display("%0d %0d", first, second); $display("%0d", accumulate(2)); $display("%0d", accumulate(3)); end
        endmodule
        """,
        """\
31 41
31
62
""",
    ),
    "arguments by reference are elements and members": (
        """
        module t;
         typedef struct {int a; string s; int b[2];} record;
         int list[4]; record pair, several[2]; int grid[2][3];
         task automatic watch(ref int value, input string name);
          repeat (2) begin @(value); $display("%s is %0d at %0t", name, value, $time); end
          value = 100; #1 value++;
         endtask
         task automatic through(ref int row[3], input int j);
          watch(row[j], $sformatf("row[%0d]", j));
         endtask
         task automatic fields(ref record r, input string name);
          fork watch(r.b[1], {name, ".b[1]"});
           begin @(r.a) $display("%s.a is %0d at %0t", name, r.a, $time); r.s = "seen"; end join
         endtask
         initial begin
          watch(list[0], "none");
         end
         initial begin
          fork
           watch(list[2], "list[2]");
           watch(pair.a, "pair.a");
           for (int i = 0; i < 2; i++) fork automatic int j = i; through(grid[j], j + 1); join_none
           fields(several[1], "several[1]");
          join_none
          #1 list[2] = 5; #1 pair.a = 6; #1 grid[0][1] = 7; #1 grid[1][2] = 8; several[0].a = 1; several[1].b[1] = 3;
          #1 list[2] = 15; #1 pair.a = 16; #1 grid[0][1] = 17; #1 grid[1][2] = 18; several[1].a = 4; several[1].b[1] = 5; #10;
          $display("%p %p %p %p", list, pair, grid, several[1]);
         end
        endmodule
        """,
        """\
list[2] is 5 at 1
pair.a is 6 at 2
row[1] is 7 at 3
row[2] is 8 at 4
several[1].b[1] is 3 at 4
list[2] is 15 at 5
pair.a is 16 at 6
row[1] is 17 at 7
row[2] is 18 at 8
several[1].a is 4 at 8
several[1].b[1] is 5 at 8
'{0, 0, 101, 0} '{a:101, s:"", b:'{0, 0}} '{'{0, 101, 0}, '{0, 0, 101}} '{a:4, s:"seen", b:'{0, 101}}
""",
    ),
    "disable ends what a called task has forked": (
        """
        module t;
         task automatic spawn(string name); fork begin #3 $display("%s at %0t", name, $time); end join_none endtask
         task automatic outer(string name); spawn(name); endtask
         class K; task run(string name); outer(name); endtask endclass
         K k = new;
         initial begin
          begin : b  outer("never"); #1; disable b; $display("no"); end
          #5;
          begin : c  k.run("never either"); #1; disable c; end
          #5 outer("once");
          begin : d  #1 disable d; end
          work; #5 $display("end");
         end
         task work; outer("not this"); #1 disable work; endtask
        endmodule
        """,
        """\
once at 15
end
""",
    ),
    "disable ends what a block has forked, even when it has been left": (
        """
        module t;
          task automatic spawn(int n); fork begin #n $display("never"); end join_none #1; endtask
          task work; fork : kids #3 $display("kid at %0d", $time); begin #9 $display("never"); end join_any endtask
          initial begin : b
            fork #2 $display("outside at %0d", $time); join_none
            begin : inner
              spawn(5);
              fork begin fork #3 $display("never"); join end #1; join_any
            end
            disable inner;
            $display("inner %0d", $time);
            begin : loop
              forever begin fork #4 $display("never"); join_none #1; if ($time > 3) disable loop; end
            end
            $display("loop %0d", $time);
            wait fork; work; disable work; #20 $display("end");
          end
          initial begin : left fork #30 $display("never"); join_none end
          initial #20 disable left;
        endmodule
        """,
        "outside at 2\ninner 2\nloop 4\nkid at 7\nend\n",
    ),
    "strings": (
        """
        module t; string s = "abc"; initial begin s = {s, "-", "d"}; s[0] = "X";
          $display("%s %0d %s %s", s, s.len(), s.substr(0, 1), s.toupper()); if (s > "A") $display("more"); end endmodule
        """,
        "Xbc-d 5 Xb XBC-D\nmore\n",
    ),
    "queues and arrays": (
        """
        module t; int q[$] = '{3, 1, 2}; int d[]; int a[string]; int r[$];
          initial begin
            q.push_back(7); q.sort(); foreach (q[i]) $write("%0d ", q[i]); $display("%0d", q.sum());
            d = new[3]; d[1] = 5; $display("%0d %0d", d.size(), d[1]); a["x"] = 1; a["b"] = 2;
            foreach (a[k]) $write("%s=%0d ", k, a[k]); $display("%0d", a.exists("x"));
            r = q.find(x) with (x > 1); $display("%0d %0d", r.size(), r[$]); void'(q.pop_front()); $display("%p", q);
          end endmodule
        """,
        "1 2 3 7 13\n3 5\nb=2 x=1 1\n3 7\n'{2, 3, 7}\n",
    ),
    "classes": (
        """
        module t;
          class A; int x; function new(int k = 1); x = k; endfunction virtual function int f(); return x; endfunction
            static int made = 0; endclass
          class B extends A; function new(); super.new(5); made++; endfunction
            virtual function int f(); return 10 * x; endfunction endclass
          A a, c; B b;
          initial begin b = new; a = b; $display("%0d %0d %0d", a.f(), a.x, A::made); a = new; $display("%0d", a.f());
            c = new a; c.x = 9; $display("%0d %0d", a.x, c.x); if ($cast(b, a)) $display("no"); else $display("other"); end
        endmodule
        """,
        "50 5 1\n1\n1 9\nother\n",
    ),
    "mailboxes and semaphores": (
        """
        module t; mailbox #(int) m = new(1); semaphore s = new(1); int v;
          initial fork
            begin m.put(1); m.put(2); $display("put %0d", $time); end
            begin #4 m.get(v); m.get(v); $display("got %0d", v); end
            begin s.get(1); #6 s.put(1); end
            begin #1 s.get(1); $display("key %0d", $time); end
          join endmodule
        """,
        "put 4\ngot 2\nkey 6\n",
    ),
    "each thread has its own variables": (
        """
        module t; initial begin for (int i = 0; i < 3; i++) begin automatic int k = i; fork #(3 - k) $display("%0d", k);
          join_none end wait fork; $display("done"); end endmodule
        """,
        "2\n1\n0\ndone\n",
    ),
    "a change of other bits wakes nobody but @*": (
        """
        module t; reg [7:0] v = 0; reg [99:0] wide = 0; integer a=0,b=0,c,d=0,e,g,h=0,k=0,l=0,n=0; reg k2;
        always_comb begin a = a + 1; k2 = v[3]; end
        always @* if (v[3]) b = b + 1; else b = b + 1;
        function automatic bit f(input bit x); h = h + 1; return x; endfunction
        wire x = f(v[3]);
        always @(wide[70]) d = d + 1;
        always @* begin e = wide[70] + wide[5]; k = k + 1; end
        always_comb begin l = l + 1; g = wide[71:66] + v[7:6]; end
        wire [79:0] r; assign (strong0, pull1) r = wide[79:0]; always @* begin n = n + 1; c = r[70] + r[3]; end
        initial begin
         #1 v = 1; #1 v = 2; #1 v = 8; #1 v = 9; #1 v = 16+8; #1 wide = 1; #1 wide[70] = 1; #1 wide = 3; #1 wide=0;
         #1 wide[68:4] = '1; #1 wide = 1 << 5; #1 wide[75 -: 5] = 21; #1 wide = 0; #1 wide = 100'h1 << 71 | 1; #1 wide = 8;
         #1 v=8'h81; #1 v = 8'h41; #1 v = 8'h42;
         #1 $display("%0d %0d %0d %0d %0d %0d %0d", a, b, d, h, k, l, n);
        end endmodule
        """,
        """\
3 8 2 3 10 11 11
""",
    ),
    "iff sees all that one assignment writes": (
        """
        module t; reg clk=0, en=0; reg [3:0] v=0; reg [79:0] w = 0; integer a=0,b=0,c=0,d=0;
        always @(posedge clk iff en) a++;
        always @(v iff en) b++;
        always @(w[3] iff v[0]) c++;
        wire wc, we; assign {wc, we} = {clk, en};
        always @(posedge wc iff we) d++;
        initial begin
         #1 {clk, en} = 2'b11; #1 $display("%0d %0d %0d %0d",a,b,c,d);
         #1 {clk, en} = 2'b00; #1 {en, clk} = 2'b11; #1 $display("%0d %0d %0d %0d",a,b,c,d);
         #1 {clk, en} = 2'b00; #1 {v, en} = 5'b00111;  #1 $display("%0d %0d %0d %0d",a,b,c,d);
         #1 {w[5:0], v} = 10'b1000_0001;  #1 $display("%0d %0d %0d %0d",a,b,c,d);
         #1 {w[5:0], v} = 10'b0000_0000;  #1 $display("%0d %0d %0d %0d",a,b,c,d);
         #1 {clk, en} = 2'b01; #1 {clk, en} = 2'b10;  #1 $display("%0d %0d %0d %0d",a,b,c,d);
        end endmodule
        """,
        """\
1 0 0 1
2 0 0 2
2 1 0 2
2 2 1 2
2 3 1 2
2 3 1 2
""",
    ),
    "a concatenation of parts is written at once": (
        """
        module t; reg [99:0] w=0; reg [7:0] m [0:3]; integer i=0; reg a=0; reg [3:0] v=0; struct packed {logic [3:0] x; logic y;} s = 0; class K; int p; endclass K k = new; int n=0;
        always @(w or a or v or s) n++;
        always @(posedge a iff w[95]) $display("%0t a", $time);
        always @(posedge s.y iff v[2]) $display("%0t y", $time);
        initial begin
         #1 {a, w[96:95], m[i+1][3:0], s.x} = 11'b1_11_1010_0101; $display("%b %b %b %b", a, w[96:95], m[1], s);
         #1 {s.y, v} = 5'b10100; {k.p, v[i+:2]} = 34'h5_0000_0003; $display("%b %b %0d", s, v, k.p);
         #1 {v[i ? 1 : 3], w[i+90 +: 8], a} = {1'b1, 8'h5a, 1'b0}; $display("%b %h %b", v, w, a);
         #1 {i, a} = {32'd2, 1'b1}; {m[i], w[99:98]} = 10'h3ff; $display("%b %h %0d", m[2], w, n);
        end endmodule
        """,
        """\
1 11 xxxx1010 01010
1 a
01011 0111 1073741824
2 y
1111 1680000000000000000000000 0
11111111 d680000000000000000000000 3
""",
    ),
}
"""Programs with objects of SystemVerilog, which Icarus Verilog 11 does not all run."""
