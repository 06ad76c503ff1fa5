"""`randomize` and random stability in running designs (IEEE 1800-2023 clause 18)."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from weft.base.errors import UserError
from weft.lang.sv.compile_sources import load_design
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.sim.event_simulation import EventOptions, EventSimulation


def simulate(tmp_path: Path, text: str, options: EventOptions | None = None) -> list[str]:
    """Run a testbench and return what it has displayed."""
    path = tmp_path / "test.sv"
    path.write_text(text)
    out = io.BytesIO()
    EventSimulation(load_design((path,), FrontEndOptions()), out, options or EventOptions()).run()
    return out.getvalue().decode().splitlines()


def checked(tmp_path: Path, declarations: str, body: str, repeat: int = 20) -> list[str]:
    """Run statements some times; `ok` counts what holds, and everything has to hold each time."""
    text = f"""
    {declarations}
    module test;
      int bad;
      function automatic void ok(bit holds, int line);
        if (!holds) begin bad++; $display("line %0d does not hold", line); end
      endfunction
      `define OK(e) ok(e, `__LINE__)
      initial begin
        repeat ({repeat}) begin
          {body}
        end
        $display("bad %0d", bad);
      end
    endmodule
    """
    found = simulate(tmp_path, text)
    assert found[-1] == "bad 0", found
    return found[:-1]


BASE = """
class Base;
  rand bit [7:0] a, b;
  int limit = 10;
  constraint range { a < limit; }
  constraint hint { soft b == 3; }
  virtual function int twice(int n); return 2 * n; endfunction
endclass
class Derived extends Base;
  rand bit [7:0] c;
  constraint range { a inside {[100:110]}; }
  static constraint shared { b != 77; }
  constraint call { c == twice(limit); }
  constraint later { soft b == 9; }
  virtual function int twice(int n); return 2 * n + 1; endfunction
endclass
"""


def test_inheritance_overriding_and_soft(tmp_path: Path):
    checked(
        tmp_path,
        BASE,
        """
        automatic Base o = new;
        automatic Derived d = new;
        `OK(o.randomize() == 1); `OK(o.a < 10 && o.b == 3);
        o.limit = 2; `OK(o.randomize() == 1); `OK(o.a < 2);
        o = d;
        `OK(o.randomize() == 1);
        `OK(d.a inside {[100:110]}); `OK(d.b == 9); `OK(d.c == 21);
        `OK(d.randomize() with { b > 50; } == 1); `OK(d.b > 50 && d.b != 77);
        `OK(d.randomize() with { disable soft b; b < 200; } == 1); `OK(d.b < 200 && d.b != 77);
        """,
    )


def test_failure_changes_nothing(tmp_path: Path):
    checked(
        tmp_path,
        BASE + "class Hooked extends Base; int after; function void post_randomize(); after++; endfunction endclass",
        """
        automatic Hooked h = new;
        automatic int x = 5, y = 6;
        `OK(h.randomize() == 1); `OK(h.after == 1);
        h.a = 4; h.b = 44;
        `OK(h.randomize() with { a > 20; } == 0);
        `OK(h.a == 4 && h.b == 44 && h.after == 1);
        `OK(std::randomize(x, y) with { x < y; y < x; } == 0);
        `OK(x == 5 && y == 6);
        """,
        repeat=3,
    )


def test_modes_as_functions_and_tasks(tmp_path: Path):
    checked(
        tmp_path,
        BASE,
        """
        automatic Derived d = new, e = new;
        d.a.rand_mode(0); d.a = 105;
        `OK(d.a.rand_mode() == 0 && d.b.rand_mode() == 1);
        `OK(d.randomize() == 1); `OK(d.a == 105);
        d.a = 5; `OK(d.randomize() == 0);
        d.range.constraint_mode(0); `OK(d.range.constraint_mode() == 0 && e.range.constraint_mode() == 1);
        `OK(d.randomize() == 1); `OK(d.a == 5);
        d.constraint_mode(0); d.rand_mode(0); d.b = 77; d.c = 1;
        `OK(d.randomize() == 1); `OK(d.b == 77 && d.c == 1);
        d.rand_mode(1); d.constraint_mode(1); `OK(d.randomize() == 1); `OK(d.a >= 100 && d.c == 21);
        e.shared.constraint_mode(0); `OK(d.shared.constraint_mode() == 0);
        `OK(d.randomize() with { b == 77; } == 1);
        e.shared.constraint_mode(1); `OK(d.randomize() with { b == 77; } == 0);
        """,
        repeat=3,
    )


def test_targets_and_checks_only(tmp_path: Path):
    checked(
        tmp_path,
        BASE + "class Plain; rand int r; int s = 7, t = 8; constraint c { s > r; t == 8; } endclass",
        """
        automatic Plain p = new;
        p.r = 3;
        `OK(p.randomize(s) == 1); `OK(p.r == 3 && p.s > 3 && p.t == 8);
        `OK(p.randomize(null) == 1);
        p.t = 9; `OK(p.randomize(null) == 0); `OK(p.randomize() == 0); `OK(p.t == 9);
        """,
    )


def test_arrays_queues_and_sizes(tmp_path: Path):
    checked(
        tmp_path,
        """
        class Arrays;
          rand bit [7:0] q[$]; rand int d[]; rand bit [3:0] f[4]; rand bit [7:0] m[2][3]; rand byte kept[];
          constraint sizes { q.size() == 4; d.size() inside {[3:6]}; }
          constraint rising { foreach (q[i]) if (i > 0) q[i] > q[i - 1]; }
          constraint total { d.sum() == 100; foreach (d[k]) d[k] inside {[0:60]}; }
          constraint each { foreach (f[i]) f[i] inside {[i : i + 2]}; unique {f}; }
          constraint nested { foreach (m[i]) foreach (m[i][j]) m[i][j] == i * 10 + j; }
          function new(); kept = new[5]; endfunction
        endclass
        """,
        """
        automatic Arrays a = new;
        automatic int sum = 0;
        `OK(a.randomize() == 1);
        `OK(a.q.size() == 4 && a.q[0] < a.q[1] && a.q[1] < a.q[2] && a.q[2] < a.q[3]);
        `OK(a.d.size() inside {[3:6]});
        foreach (a.d[i]) begin sum += a.d[i]; `OK(a.d[i] inside {[0:60]}); end
        `OK(sum == 100);
        foreach (a.f[i]) begin
          `OK(a.f[i] inside {[i : i + 2]});
          for (int j = 0; j < i; j++) `OK(a.f[i] != a.f[j]);
        end
        `OK(a.m[1][2] == 12 && a.m[0][1] == 1 && a.kept.size() == 5);
        """,
        repeat=5,
    )


def test_objects_inside_objects(tmp_path: Path):
    lines = checked(
        tmp_path,
        """
        class Leaf; rand bit [7:0] v; static int pre, post;
          constraint c { v < 20; }
          function void pre_randomize(); pre++; endfunction
          function void post_randomize(); post += v < 20; endfunction
        endclass
        class Tree; rand Leaf l = new; rand Leaf pair[2]; rand Leaf q[$]; rand Leaf none; Leaf other = new; rand int s;
          constraint c { s == l.v + 1; pair[0].v < pair[1].v; foreach (q[i]) q[i].v == i; other.v == 0 -> s > 0; }
          constraint guard { if (none != null) none.v == s; }
          function new(); foreach (pair[i]) pair[i] = new; repeat (3) add(); endfunction
          function void add(); Leaf n = new; q.push_back(n); endfunction
        endclass
        """,
        """
        automatic Tree t = new;
        `OK(t.randomize() == 1);
        `OK(t.s == t.l.v + 1 && t.l.v < 20); `OK(t.pair[0].v < t.pair[1].v && t.pair[1].v < 20);
        `OK(t.q[0].v == 0 && t.q[1].v == 1 && t.q[2].v == 2); `OK(t.other.v == 0 && t.none == null);
        $display("%0d %0d", Leaf::pre, Leaf::post);
        """,
        repeat=2,
    )
    assert lines == ["6 6", "12 12"]


def test_conditions_distributions_and_order(tmp_path: Path):
    lines = checked(
        tmp_path,
        """
        class Cond; rand bit [3:0] m; rand bit [15:0] v; rand bit s; rand bit [7:0] z;
          constraint c { if (m == 1) v < 10; else if (m == 2) { v > 1000; v < 1010; } else v == 5; }
          constraint i { s -> z == 0; solve s before z; m inside {[0:2]}; }
        endclass
        class Dist; rand bit [7:0] v; int w = 10; constraint d { v dist { 1 := w, [2:5] := 5, 100 :/ 70 }; } endclass
        """,
        """
        automatic Cond c = new;
        automatic Dist d = new;
        automatic int ones = 0, hundreds = 0;
        repeat (400) begin
          `OK(c.randomize() == 1);
          `OK(c.m == 1 ? c.v < 10 : c.m == 2 ? c.v inside {[1001:1009]} : c.m == 0 && c.v == 5);
          `OK(!c.s || c.z == 0);
          ones += c.s;
          `OK(d.randomize() == 1); `OK(d.v inside {[1:5], 100});
          hundreds += d.v == 100;
        end
        $display("%0d %0d", ones, hundreds);
        """,
        repeat=1,
    )
    ones, hundreds = map(int, lines[0].split())
    assert 150 < ones < 250 and 240 < hundreds < 320


def test_functions_of_random_variables(tmp_path: Path):
    checked(
        tmp_path,
        """
        package tools; int bias = 3; function automatic int plus(int n); return n + bias; endfunction endpackage
        class Calls; rand bit [7:0] x, y; function bit [7:0] next(bit [7:0] v); return v + 1; endfunction
          constraint c { y == next(x); x < tools::plus(2); }
        endclass
        """,
        "automatic Calls c = new; `OK(c.randomize() == 1); `OK(c.y == c.x + 1 && c.x < 5);",
        repeat=10,
    )


def test_scope_randomize_of_everything(tmp_path: Path):
    text = """
    module test;
      int u, v, arr[4]; int q[$]; logic [3:0] four; struct packed { bit [3:0] p, q; } s;
      task automatic go(int limit);
        bit [7:0] loc; int d[];
        if (!std::randomize(loc, d) with {
              loc > limit; loc < limit + 3; d.size() == loc - limit; foreach (d[i]) d[i] == i; })
          $display("failed");
        #1 $display("%0d %0d %0d", loc - limit inside {1, 2}, d.size() == loc - limit, d[0]);
      endtask
      always @(u) $display("u changes");
      initial begin
        #1;
        void'(std::randomize(u, v) with { u + v == 100; u inside {[1:100]}; });
        #1 $display("%0d", u + v);
        void'(std::randomize(arr[2], s.p, four) with { arr[2] == 5; s.p == 7; four[1:0] == 2; four < 4; });
        $display("%p %p %b", arr, s, four);
        void'(std::randomize(q) with { q.size() == 3; foreach (q[i]) q[i] inside {[1:9]}; q[0] + q[1] == 10; });
        $display("%0d %0d", q.size(), q[0] + q[1]);
        go(10); go(20);
        fork go(30); go(40); join
      end
    endmodule
    """
    expected = ["u changes", "100", "'{0, 0, 5, 0} '{p:7, q:0} 0010", "3 10", *["1 1 0"] * 4]
    assert simulate(tmp_path, text) == expected


def test_enums_cycles_and_odd_widths(tmp_path: Path):
    checked(
        tmp_path,
        """
        typedef enum bit [3:0] { RED = 1, GREEN = 4, BLUE = 9 } color_t;
        class Odd; rand color_t c; rand color_t cs[3]; randc bit [1:0] r; randc bit [1:0] rs[2]; rand logic [70:0] w;
          constraint k { w > 71'h3f_ffff_ffff_ffff_fff0; r != 2; }
        endclass
        """,
        """
        automatic Odd o = new;
        automatic bit [3:0] seen = 0, first = 0;
        repeat (3) begin
          `OK(o.randomize() == 1); `OK(o.c inside {RED, GREEN, BLUE});
          foreach (o.cs[i]) `OK(o.cs[i] inside {RED, GREEN, BLUE});
          `OK(o.w > 71'h3f_ffff_ffff_ffff_fff0 && ^o.w !== 1'bx);
          seen[o.r] = 1; first[o.rs[0]] = 1;
        end
        `OK(seen == 4'b1011); `OK($countones(first) == 3);
        `OK(o.randomize() == 1); first[o.rs[0]] = 1; `OK(first == 4'b1111);
        """,
        repeat=5,
    )


def test_streams_are_stable(tmp_path: Path):
    checked(
        tmp_path,
        "class Any; rand int a; rand bit [90:0] b; endclass",
        """
        automatic Any p = new, q = new, r;
        automatic string state;
        automatic process me = process::self();
        automatic int x, y;
        p.srandom(3); void'(p.randomize()); q.srandom(3); void'(q.randomize()); `OK(p.a == q.a && p.b == q.b);
        q.srandom(4); void'(q.randomize()); void'(p.randomize()); `OK(p.a != q.a);
        state = p.get_randstate(); void'(p.randomize()); x = p.a; p.set_randstate(state); void'(p.randomize());
        `OK(x == p.a);
        r = new p; void'(p.randomize()); void'(r.randomize()); `OK(r.a == p.a && r.b == p.b);
        me.srandom(5); x = $urandom; y = $urandom_range(1000000); me.srandom(5); `OK(x == $urandom);
        `OK(y == $urandom_range(1000000));
        state = me.get_randstate(); x = $urandom; me.set_randstate(state); `OK(x == $urandom);
        me.srandom(6); p = new; void'(p.randomize()); me.srandom(6); q = new; void'(q.randomize()); `OK(p.a == q.a);
        """,
        repeat=3,
    )


def test_threads_do_not_disturb_each_other(tmp_path: Path):
    text = """
    module test;
      int x;
      initial begin #1 $display("%0d %0d", $urandom, $urandom_range(10, 1000)); end
      initial begin EXTRA #1 ; end
      initial fork begin #2 $display("%0d", $urandom); end begin EXTRA #2 $display("%0d", $urandom); end join
    endmodule
    """
    few = simulate(tmp_path, text.replace("EXTRA", ""))
    many = simulate(tmp_path, text.replace("EXTRA", "repeat (7) x = $urandom;"))
    assert few[:2] == many[:2] and few[2] != many[2]
    assert len(set(few)) == 3
    assert simulate(tmp_path, text.replace("EXTRA", ""), EventOptions(seed=9)) != few


def test_seed_repeats_a_run(tmp_path: Path):
    text = (
        BASE
        + """
    module test; Derived d = new; int n;
      initial repeat (20) begin
        n = d.randomize() with { b * c == 8'd42 * 8'd21; a + b > 100; };
        $display("%0d %0d %0d", n, d.a, d.b);
      end
    endmodule
    """
    )
    assert simulate(tmp_path, text) == simulate(tmp_path, text)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("o = null; void'(o.randomize());", "null-handle", "null"),
        ("void'(o.randomize() with { r == unknown; });", "bad-constraint", "unknown"),
        ("void'(o.randomize() with { peer.r == 1; });", "null-handle", "null handle"),
        ("void'(o.randomize() with { list[9] == 1; });", "bad-constraint", "element 9"),
        ('o.set_randstate("none");', "bad-random-call", "no state"),
    ],
)
def test_bad_input(tmp_path: Path, body: str, code: str, message: str):
    text = f"""
    class Plain; rand int r; Plain peer; rand int list[$]; endclass
    module test; Plain o = new; logic [31:0] unknown; initial begin {body} end endmodule
    """
    with pytest.raises(UserError) as raised:
        simulate(tmp_path, text)
    assert raised.value.code == code and message in str(raised.value)


def test_unconstrained_objects_do_not_load_the_solver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from weft.sim.randomize import choose_values

    def refuse(*arguments: object) -> None:
        raise AssertionError("a solver for this?")

    monkeypatch.setattr(choose_values, "TermSolver", refuse)
    text = """
    class Easy; rand int a; rand bit [3:0] b; rand bit [7:0] d[4];
      constraint c { b inside {[2:9]}; a > 5; a != 9; }
    endclass
    module test; Easy e = new; int bad;
      initial begin
        repeat (200) if (!e.randomize() || e.a <= 5 || e.a == 9 || !(e.b inside {[2:9]})) bad++;
        $display("%0d", bad);
      end
    endmodule
    """
    assert simulate(tmp_path, text) == ["0"]
