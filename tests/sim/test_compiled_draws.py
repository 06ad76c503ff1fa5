"""`randc`, arrays, containers, soft constraints and hooks in compiled choice: what is chosen, without Python."""

from __future__ import annotations

import pytest

from sim.event_runs import simulate, totals
from weft.sim.randomize.randomizer import Randomizer


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return a list that grows with each call that Python has to answer."""
    calls: list[object] = []
    before = Randomizer.randomize

    def randomize(self: Randomizer, *args: object) -> object:
        calls.append(args)
        return before(self, *args)  # pyright: ignore

    monkeypatch.setattr(Randomizer, "randomize", randomize)
    return calls


COLOR = "typedef enum bit [2:0] {RED = 1, GREEN = 3, BLUE = 6} color;\n"


def test_cycles(asked: list[object]):
    text = """
    class All; randc bit [3:0] c; endclass
    class Some; randc bit [7:0] c; rand bit [7:0] d; constraint k { d < 100; c inside {[3:9], 20}; } endclass
    class Enum; randc color c; rand bit b; endclass
    class Below; randc bit [6:0] c; int low, lim; constraint k { c >= low; c < lim; } endclass
    module test; All a = new, copy; Some s = new; Enum e = new; Below b = new; bit [255:0] seen;
      task automatic show(int count); $display("%0d %0h", count, seen); seen = 0; endtask
      initial begin
        repeat (3) begin repeat (16) begin void'(a.randomize()); seen[a.c] = 1; end show($countones(seen)); end
        repeat (7) void'(a.randomize()); copy = new a;
        repeat (9) begin void'(copy.randomize()); seen[copy.c] = 1; end show($countones(seen));
        seen = 0; repeat (9) begin void'(a.randomize()); seen[a.c] = 1; end show($countones(seen));
        repeat (3) begin
          repeat (8) begin if (!s.randomize() || s.d >= 100) $display("bad"); seen[s.c] = 1; end
          show($countones(seen));
        end
        repeat (2) begin repeat (3) begin void'(e.randomize()); seen[e.c] = 1; end show($countones(seen)); end
        b.low = 60; b.lim = 70;
        repeat (2) begin repeat (10) begin void'(b.randomize()); seen[b.c] = 1; end show($countones(seen)); end
        b.low = 3; b.lim = 4; void'(b.randomize()); b.lim = 6;
        repeat (2) begin void'(b.randomize()); seen[b.c] = 1; end show($countones(seen));
      end
    endmodule
    """
    lines = simulate(COLOR + text)[1]
    few = lines[3:5]
    assert lines[:3] == ["16 ffff"] * 3 and all(line.startswith("9 ") for line in few)
    assert lines[5:8] == ["8 1003f8"] * 3
    assert lines[8:10] == ["3 4a"] * 2
    assert lines[10:12] == [f"10 {sum(1 << i for i in range(60, 70)):x}"] * 2
    assert lines[12:] == ["2 30"]
    assert not asked


def test_cycles_with_constraints_on_others_are_python_s(asked: list[object]):
    # The values that a cycle has had are in the object, whoever chooses.
    text = """
    class Joint; randc bit [2:0] c; rand bit [2:0] d; constraint k { c != d; d < 2; } endclass
    module test; Joint j = new; bit [7:0] seen;
      initial repeat (3) begin
        seen = 0; repeat (3) void'(j.randomize() with { d == 0; }); seen[j.c] = 1;
        repeat (5) begin if (!j.randomize() || j.c == j.d) $display("bad"); seen[j.c] = 1; end
        $display("%0d", $countones(seen));
      end
    endmodule
    """
    assert simulate(text)[1] == ["6"] * 3
    assert len(asked) == 24


def test_arrays_of_fixed_size(asked: list[object]):
    text = """
    typedef struct packed { bit [3:0] x; bit [3:0] y; } pair;
    class Free;
      rand bit [7:0] a[8]; rand bit [2:0] b[5]; rand logic [99:0] w; rand color e[4]; rand bit big[300];
    endclass
    class Bound;
      rand bit [7:0] a[8]; rand bit [2:0] b[5]; rand int s[3]; rand color e[3:1]; rand pair p; int lim = 5;
      constraint k {
        foreach (a[i]) a[i] inside {[10:100]}; a[3] == 50; a[4] dist {20 := 1, 30 := 3};
        foreach (b[i]) if (i > 0) b[i] != b[i-1]; else b[i] < 3;
        foreach (s[j]) { s[j] > -lim; s[j] <= j; }
        foreach (e[i]) e[i] != GREEN;
        p.x > p.y;
      }
    endclass
    module test; Free f = new; Bound o = new; int ones, all, kinds[int], twenty, big;
      initial begin
        repeat (200) begin
          void'(f.randomize()); if (^f.w === 1'bx) $display("x");
          foreach (f.a[i]) begin ones += $countones(f.a[i]); all += 8; end
          foreach (f.e[i]) if (!(f.e[i] inside {RED, GREEN, BLUE})) $display("bad e");
          kinds[f.b[4]]++; foreach (f.big[i]) big += f.big[i];
        end
        $display("%0d %0d %0d", kinds.num(), ones * 100 / all inside {[45:55]}, big / 200 inside {[140:160]});
        repeat (400) begin
          if (!o.randomize()) $display("failed");
          foreach (o.a[i]) if (!(o.a[i] inside {[10:100]})) $display("bad a");
          for (int i = 1; i < 5; i++) if (o.b[i] == o.b[i-1]) $display("bad b");
          foreach (o.s[i]) if (o.s[i] <= -5 || o.s[i] > i) $display("bad s %0d", o.s[i]);
          foreach (o.e[i]) if (!(o.e[i] inside {RED, BLUE})) $display("bad e");
          if (o.a[3] != 50 || !(o.a[4] inside {20, 30}) || o.b[0] > 2 || o.p.x <= o.p.y) $display("bad");
          twenty += o.a[4] == 20;
        end
        $display("%0d", twenty inside {[70:130]});
      end
    endmodule
    """
    assert simulate(COLOR + text)[1] == ["8 1 1", "1"]
    assert not asked


def test_dynamic_arrays_and_queues(asked: list[object]):
    text = """
    class Free; rand bit [7:0] d[]; rand logic [3:0] q[$]; rand bit [15:0] none[]; endclass
    class Sized;
      rand bit [7:0] d[]; rand int q[$]; int lim = 50;
      constraint k {
        d.size() inside {[2:9]}; foreach (d[i]) d[i] < lim + i;
        q.size() == 4; foreach (q[j]) { q[j] > j; soft q[j] < 100; q[j] % 2 == 0; if (j == 2) q[j] == 42; }
      }
    endclass
    class Packet;
      rand bit [7:0] len; rand byte data[]; rand bit [8:0] total;
      constraint k { len inside {[1:20]}; data.size() == len; total == len + 4; }
    endclass
    class Text extends Packet;
      constraint k2 { foreach (data[i]) data[i] inside {[8'h20:8'h7e]}; len > 10; }
    endclass
    class Open; rand bit [7:0] d[]; constraint k { d.size() > 3; } endclass
    module test; Free f = new; Sized s = new; Packet p = new; Text t = new; Open o = new; int ones, n, sizes[int];
      initial begin
        f.d = new[8]; f.q = '{1, 2, 3};
        repeat (200) begin
          void'(f.randomize()); foreach (f.d[i]) begin ones += $countones(f.d[i]); n += 8; end
          foreach (f.q[i]) if (^f.q[i] === 1'bx) $display("x");
          if (f.d.size() != 8 || f.q.size() != 3 || f.none.size() != 0) $display("size");
        end
        $display("%0d", ones * 100 / n inside {[45:55]});
        repeat (200) begin
          if (!s.randomize()) $display("failed");
          sizes[s.d.size()]++; foreach (s.d[i]) if (s.d[i] >= 50 + i) $display("bad d");
          foreach (s.q[j]) if (!(s.q[j] inside {[j+1:99]}) || s.q[j] % 2) $display("bad q %p", s.q);
          if (s.q.size() != 4 || s.q[2] != 42) $display("bad %p", s.q);
        end
        $display("%0d", sizes.num()); sizes.delete();
        repeat (300) begin
          if (!p.randomize()) $display("failed");
          sizes[p.len]++; if (p.data.size() != p.len || p.total != p.len + 4) $display("bad %p", p);
        end
        $display("%0d", sizes.num());
        repeat (50) begin
          if (!t.randomize() || t.len <= 10 || t.data.size() != t.len) $display("bad %p", t);
          foreach (t.data[i]) if (!(t.data[i] inside {[8'h20:8'h7e]})) $display("bad %h", t.data[i]);
        end
        repeat (20) if (!o.randomize() || !(o.d.size() inside {[4:1024]})) $display("bad %0d", o.d.size());
      end
    endmodule
    """
    assert simulate(text)[1] == ["1", "8", "20"]
    assert not asked


def test_elements_that_cannot_be_chosen_leave_all_as_it_was(asked: list[object]):
    text = """
    class Odd;
      rand bit [7:0] d[], e[]; rand bit [7:0] s; int limit = 3;
      constraint k { e.size() == 2; d.size() == 3; foreach (d[i]) d[i] < i + 4 - limit; s < 5; }
    endclass
    class Mixed;
      rand bit [7:0] d[], s; constraint k { d.size() == 3; d[1] == s; d.sum() with (int'(item)) == 60; }
    endclass
    module test; Odd o = new; Mixed m = new; bit [7:0] d[], e[], s;
      initial begin
        if (!o.randomize() || o.d.size() != 3 || o.e.size() != 2 || o.d[0] != 0) $display("bad %p", o);
        d = o.d; e = o.e; s = o.s; o.limit = 4;
        if (o.randomize() || o.d != d || o.e != e || o.s != s) $display("bad %p", o);
        if (!m.randomize() || m.d[1] != m.s || 32'(m.d[0]) + m.d[1] + m.d[2] != 60) $display("bad %p", m);
        if (!o.randomize() with { limit == 4; d.size() == 0; }) $display("in vain");
      end
    endmodule
    """
    assert simulate(text)[1] == ["in vain"]
    assert len(asked) == 3


def test_soft_constraints_give_way_from_the_first_to_the_last(asked: list[object]):
    text = """
    class Soft;
      rand bit [7:0] a, b; rand bit [3:0] c; rand color e; int n = 3;
      constraint k { soft a == 3; b > 4; soft b < n; soft b < 10; soft c inside {[2:3], 9}; soft e == GREEN; }
    endclass
    class More extends Soft; constraint k2 { soft a == 9; c != 2; a > 5; e != GREEN; soft a + b == 14; } endclass
    module test; Soft s = new; More m = new;
      initial repeat (30) begin
        if (!s.randomize() || s.a != 3 || !(s.b inside {[5:9]}) || !(s.c inside {2, 3, 9}) || s.e != GREEN)
          $display("bad %p", s);
        if (!m.randomize() || m.a != 9 || m.b != 5 || !(m.c inside {3, 9}) || m.e == GREEN) $display("bad %p", m);
        if (!s.randomize() with { a > 7; soft a < 10; } || !(s.a inside {8, 9})) $display("bad %p", s);
        s.n = s.n == 3 ? 7 : 3; if (!s.randomize() || (s.n == 7 && s.b > 6)) $display("bad %p", s);
      end
    endmodule
    """
    assert simulate(COLOR + text)[1] == []
    assert not asked


def test_hooks(asked: list[object]):
    text = """
    class Base;
      rand bit [7:0] a, b; int pre, post, limit; constraint k { a < limit; b != a; }
      function void pre_randomize; pre++; limit = 50; endfunction
      function void post_randomize; post++; if (a >= 50) $display("bad"); endfunction
    endclass
    class Derived extends Base;
      rand bit [3:0] z;
      function void post_randomize; super.post_randomize(); post += 100; endfunction
    endclass
    class Hard extends Base; rand bit [15:0] c, d; constraint h { c * d == 16'd7919; c < d; } endclass
    module test; Base o = new, d; Derived e = new; Hard h = new;
      initial begin
        d = e;
        repeat (30) if (!o.randomize() || !d.randomize()) $display("failed");
        $display("%0d %0d %0d %0d", o.pre, o.post, d.pre, d.post);
        repeat (3) if (!h.randomize() || 16'(h.c * h.d) != 7919) $display("failed");
        $display("%0d %0d", h.pre, h.post);
        o.b.rand_mode(0); repeat (5) void'(o.randomize()); $display("%0d %0d", o.pre, o.post);
        if (o.randomize() with { a > 60; }) $display("bad"); $display("%0d %0d", o.pre, o.post);
      end
    endmodule
    """
    assert simulate(text)[1] == ["30 30 30 3030", "3 3", "35 35", "36 35"]
    assert len(asked) == 3 + 5 + 1


def test_a_checkpoint_has_the_cycles():
    text = """
    class All; randc bit [3:0] c; rand bit [7:0] a[4]; endclass
    module test; All a = new; int total;
      always #1 begin void'(a.randomize()); total = total * 31 + a.c + a.a[2]; end
    endmodule
    """
    first, second = totals(text, "5ns", "30ns")
    assert first == second != 0
