"""Covergroups, and what they count (IEEE 1800-2023 clause 19)."""

from __future__ import annotations

COVERGROUPS: dict[str, tuple[str, str]] = {
    "bins are made by conditions and select combinations": (
        """
        module t;
          bit [3:0] a; bit [3:0] b;
          covergroup g;
            pa: coverpoint a {
              bins w[] = {[0:15]} with (item % 4 == 0); bins odd = pa with (item % 2 == 1 && item < 8);
              ignore_bins no = {[0:15]} with (item == 4);
            }
            pb: coverpoint b { bins lo = {[0:7]}; bins hi[2] = {[8:15]}; }
            c: cross pa, pb {
              bins one = binsof(pa) intersect {[1:3]} && binsof(pb.lo);
              ignore_bins two = binsof(pa.w) intersect {8} && !binsof(pb.lo);
              illegal_bins bad = binsof(pa.w) && binsof(pb.hi) with (pa + pb > 26);
            }
          endgroup
          g cg = new;
          task show;
            $write("%0d %0d: %.2f ", a, b, cg.pa.get_inst_coverage());
            $display("%.2f %.2f", cg.c.get_inst_coverage(), cg.get_coverage());
          endtask
          initial begin
            a = 1; b = 2; cg.sample(); show();
            a = 0; b = 2; cg.sample(); show();
            a = 8; b = 12; cg.sample(); show();
            a = 12; b = 15; cg.sample(); show();
            a = 4; b = 9; cg.sample(); show();
            a = 3; b = 9; cg.sample(); show();
          end
        endmodule
        """,
        "1 2: 25.00 11.11 23.15\n"
        "0 2: 50.00 22.22 35.19\n"
        "8 12: 75.00 22.22 54.63\n"
        "ERROR: t.sv:10: the illegal bin 'bad' of 'c' has been hit\n"
        "       Time: 0  Scope: t.g::sample\n"
        "12 15: 100.00 22.22 62.96\n"
        "4 9: 100.00 22.22 74.07\n"
        "3 9: 100.00 33.33 77.78\n",
    ),
    "options are set and read, and weigh what is covered": (
        """
        module t; bit [1:0] a; bit b;
         covergroup cg(int w, string s); option.weight = w; option.name = s; option.goal = 90;
          option.at_least = 2; type_option.weight = 5; type_option.comment = "all";
          pa: coverpoint a { option.weight = w + 1; type_option.goal = 80; }
          pb: coverpoint b { option.at_least = 1; }
          x: cross pa, pb { option.comment = "both"; }
         endgroup
         cg c = new(3, "first"), d = new(1, "second");
         class K; covergroup in; option.per_instance = 1; cp: coverpoint a; endgroup
           function new; in = new; in.option.weight = 2; in.cp.option.weight = 7; endfunction endclass
         K k;
         initial begin
          k = new;
          $display("%0d %s %0d %0d %0d %0d %0d", c.option.weight,
            c.option.name, c.option.goal, c.pa.option.weight,
            c.pa.option.at_least, c.pb.option.at_least, c.pa.option.auto_bin_max);
          $display("%0d %s %0d %s",
            cg::type_option.weight, c.type_option.comment, cg::pa::type_option.goal, c.x.option.comment);
          a = 1; c.sample; c.sample; a = 2; c.sample; d.sample; k.in.sample;
          $display("%.2f %.2f %.2f %.2f",
            c.get_inst_coverage(), d.get_inst_coverage(), c.get_coverage(), k.in.get_coverage());
          c.pa.option.at_least = 1; c.pb.option.weight = 0; d.option.weight = 7;
          cg::type_option.weight = 0; c.set_inst_name("third");
          $display("%.2f %.2f %.2f %s %0d",
            c.get_inst_coverage(), d.get_inst_coverage(), c.get_coverage(), c.option.name, cg::type_option.weight);
          $display("%.3f", $get_coverage); k.in.option.weight++;
          $display("%0d %0d", k.in.option.weight, k.in.cp.option.weight);
         end
        endmodule
        """,
        """\
3 first 90 4 2 1 64
5 all 80 both
27.08 12.50 23.44 25.00
42.50 12.50 21.50 third 0
25.000
3 7
""",
    ),
    "a cross counts tuples that match often enough": (
        """
        module t;
          bit [1:0] a, b; bit on = 1;
          covergroup g;
            a: coverpoint a; pair: coverpoint b { bins low = {0, 1}; bins high = {2, 3}; }
            x: cross a, pair {
              bins equal = x with (a == pair);
              bins all_less = binsof(a) with (a < pair) matches $;
              bins guarded = binsof(a) intersect {3} && binsof(pair.low) iff (on);
              ignore_bins rest = !binsof(pair.low) && binsof(a) intersect {[2:3]} with (a + pair > 4);
            }
          endgroup
          g cg = new;
          initial begin
            $display("%.3f", cg.x.get_inst_coverage());
            for (int i = 0; i < 16; i++) begin
              {a, b} = i; on = i != 12 && i != 13; cg.sample();
              $display("%0d %0d %.3f", a, b, cg.x.get_inst_coverage());
            end
          end
        endmodule
        """,
        "0.000\n"
        "0 0 25.000\n"
        "0 1 25.000\n"
        "0 2 50.000\n"
        "0 3 50.000\n"
        "1 0 50.000\n"
        "1 1 50.000\n"
        "1 2 50.000\n"
        "1 3 50.000\n"
        "2 0 75.000\n"
        "2 1 75.000\n"
        "2 2 75.000\n"
        "2 3 75.000\n"
        "3 0 75.000\n"
        "3 1 75.000\n"
        "3 2 75.000\n"
        "3 3 75.000\n",
    ),
    "references are numbers among the variables of a module": (
        """
        module u #(int K = 0)(input bit clk);
          bit [1:0] a, b; bit [3:0] m[2]; struct { bit [1:0] f; } s;
          covergroup g(ref bit [1:0] x, input int k, ref bit [3:0] y) @(posedge clk);
            p: coverpoint x; q: coverpoint y { bins low = {[0:k]}; bins high = default; }
          endgroup
          g one = new(a, 7, m[0]), two = new(b, 3, m[1]), three = new(s.f, 3, m[1]);
          int n; always @(negedge clk) begin n++; a <= n; b <= K; m[0] <= n; m[1] <= 15; s.f <= n / 2; end
          final begin
            $write("%0d: %.2f %.2f ", K, one.p.get_inst_coverage(), two.p.get_inst_coverage());
            $write("%.2f ", three.p.get_inst_coverage());
            $display("%.2f %.2f", one.q.get_inst_coverage(), two.q.get_inst_coverage());
          end
        endmodule
        module t;
          bit clk; always #5 clk = ~clk;
          initial #62 $finish(0);
          u #(1) i1(clk); u #(2) i2(clk); u #(2) i3(clk);
        endmodule
        """,
        "1: 100.00 50.00 75.00 100.00 100.00\n"
        "2: 100.00 50.00 75.00 100.00 100.00\n"
        "2: 100.00 50.00 75.00 100.00 100.00\n",
    ),
    "types of covergroups have a coverage": (
        """
        package p; bit [1:0] v; covergroup pg; coverpoint v; endgroup endpackage
        module t;
          bit [1:0] a;
          covergroup g; pp: coverpoint a; endgroup
          g c, d; p::pg e;
          initial begin
            $display("%.1f", g::get_coverage());
            c = new; d = new; c.sample(); a = 3; c.sample();
            $display("%.1f %.1f %.1f", g::get_coverage(), g::pp::get_coverage(), p::pg::get_coverage());
            e = new; e.sample(); $display("%.1f", p::pg::get_coverage());
          end
        endmodule
        """,
        "0.0\n25.0 25.0 0.0\n25.0\n",
    ),
}
