"""Array methods that compare elements, against models in Python (IEEE 1800-2023 7.12)."""

from __future__ import annotations

import random

import pytest

from sim.event_runs import simulate


@pytest.mark.parametrize("count", [0, 1, 2, 12, 13, 100, 1000])
def test_sorting_is_stable(count: int):
    rng = random.Random(count)
    numbers = [rng.randrange(-(1 << 31), 1 << 31) for _ in range(count)]
    text = f"""
    module test; int q[$] = '{{{", ".join(map(str, numbers))}}}, r[$]; int first[$], last[$];
      initial begin
        r = q; r.sort(); $display("%p", r);
        r = q; r.rsort(); $display("%p", r);
        r = q; r.sort() with (item % 10); $display("%p", r);
        r = q; r.rsort() with (item[3:0]); $display("%p", r);
        r = q; r.sort() with ({{96'(item[4:0]), 4'(0)}}); $display("%p", r);
        r = q; r.rsort() with ($itor(item) / 3); $display("%p", r);
        r = q; r.sort() with ($sformatf("%0d", item)); $display("%p", r);
        r = q.unique() with (item[5:0]); $display("%p", r);
        first = q.min() with (item % 7); last = q.max() with (item % 7); $display("%p %p", first, last);
        r = q; r.reverse(); $display("%p", r);
      end
    endmodule
    """

    def modulo(n: int, base: int) -> int:
        return abs(n) % base * (1 if n >= 0 else -1)

    unique: dict[int, int] = {}
    for n in numbers:
        unique.setdefault(n & 63, n)
    want = [
        sorted(numbers),
        sorted(numbers, reverse=True),
        sorted(numbers, key=lambda n: modulo(n, 10)),
        sorted(numbers, key=lambda n: n & 15, reverse=True),
        sorted(numbers, key=lambda n: n & 31),
        sorted(numbers, reverse=True),
        sorted(numbers, key=str),
        list(unique.values()),
        numbers[::-1],
    ]
    shown = [f"'{{{', '.join(map(str, line))}}}" for line in want]
    ends = [choose(numbers, key=lambda n: modulo(n, 7), default=None) for choose in (min, max)]
    shown.insert(8, " ".join("'{}" if end is None else f"'{{{end}}}" for end in ends))
    assert simulate(text)[1] == shown


def test_every_kind_of_element_is_compared():
    text = """
    module test;
      string s[$] = '{"pear", "apple", "", "fig", "app", "fig"}, t[$];
      real x[$] = '{1.5, -2.0, 0.0, -0.0, 3.25, -7.5}, y[$];
      logic [3:0] l[$] = '{4'b1x01, 4'b0010, 4'b1001, 4'b1x01, 4'b1z01}, m[$];
      bit signed [79:0] w[$] = '{80'sd5, -80'sd1, 80'sd1 << 70, -(80'sd1 << 70), 80'sd5}, v[$];
      logic [69:0] u[$] = '{70'd5, 70'bx, 70'd5, 70'bx, 70'b0}, p[$];
      bit [7:0] f[4] = '{4, 2, 9, 1}; int map[int] = '{3: 30, 1: 50, 2: 20}, k[$];
      int n[$][$] = '{'{3, 1}, '{2}, '{}};
      initial begin
        s.sort(); $display("%p", s); s.rsort(); $display("%p", s); t = s.unique(); $display("%p", t);
        t = s.min(); $display("%p", t); t = s.max() with (item.len()); $display("%p", t);
        x.sort(); $display("%p", x); x.rsort(); $display("%p", x); y = x.unique(); $display("%p", y);
        y = x.min(); $display("%p", y);
        l.sort(); $display("%p", l); m = l.unique(); $display("%p", m);
        w.sort(); $display("%p", w); w.rsort(); $display("%p", w); v = w.unique(); $display("%0d", v.size());
        p = u.unique(); $display("%p", p); p = u.max(); $display("%p", p);
        f.sort(); $display("%p", f); f.rsort() with (item & 3); $display("%p", f);
        k = map.min(); $display("%p", k); k = map.unique_index(); $display("%p", k);
        n.sort() with (item.size()); $display("%p", n); n.sort() with (item.sum()); $display("%p", n);
      end
    endmodule
    """
    big = 1 << 70
    assert simulate(text)[1] == [
        '\'{"", "app", "apple", "fig", "fig", "pear"}',
        '\'{"pear", "fig", "fig", "apple", "app", ""}',
        '\'{"pear", "fig", "apple", "app", ""}',
        '\'{""}',
        '\'{"apple"}',
        "'{-7.5, -2, 0, -0, 1.5, 3.25}",
        "'{3.25, 1.5, 0, -0, -2, -7.5}",
        "'{3.25, 1.5, 0, -2, -7.5}",
        "'{-7.5}",
        "'{2, X, 9, X, Z}",
        "'{2, X, 9, Z}",
        f"'{{-{big}, -1, 5, 5, {big}}}",
        f"'{{{big}, 5, 5, -1, -{big}}}",
        "4",
        "'{5, x, 0}",
        "'{5}",
        "'{1, 2, 4, 9}",
        "'{2, 1, 9, 4}",
        "'{20}",
        "'{1, 2, 3}",
        "'{'{}, '{2}, '{3, 1}}",
        "'{'{}, '{2}, '{3, 1}}",
    ]


def test_shuffle_draws_from_the_thread():
    # The same seed gives the same order, and each is possible.
    text = """
    module test; int q[$], seen[string], again[$]; process me;
      initial begin
        me = process::self();
        repeat (600) begin
          q = '{1, 2, 3}; q.shuffle(); seen[$sformatf("%p", q)]++;
        end
        foreach (seen[s]) if (seen[s] < 60) $display("%s %0d", s, seen[s]);
        me.srandom(5); q = '{1, 2, 3, 4, 5, 6, 7, 8}; again = q; q.shuffle();
        me.srandom(5); again.shuffle(); $display("%0d %p %0d", seen.num(), q, q == again);
      end
    endmodule
    """
    assert simulate(text)[1] == ["6 '{3, 7, 6, 4, 5, 2, 1, 8} 1"]


def test_fixed_arrays_are_reversed():
    text = """
    module test;
      typedef struct { int x; string y; } pair_t;
      class holder; int k[3] = '{7, 8, 9}; function void turn(); k.reverse; endfunction endclass
      int a[5] = '{1, 2, 3, 4, 5}, m[2][3] = '{'{1, 2, 3}, '{4, 5, 6}}, changes; logic [3:0] b[7:4] = '{1, 2, 'x, 4};
      string s[3] = '{"a", "b", "c"}; real r[2:1] = '{1.5, 2.5}; logic [70:0] w[3] = '{1, 2, 3};
      pair_t u[2] = '{'{1, "p"}, '{2, "q"}}; holder h;
      always @(a[0]) changes++;
      function automatic void show(); byte l[4] = '{1, 2, 3, 4}; l.reverse; $display("%p", l); endfunction
      initial begin
        #1 a.reverse; b.reverse(); s.reverse; r.reverse; w.reverse; u.reverse; m.reverse; m[1].reverse;
        h = new; h.turn(); show();
        #1 $display("%p %p %p %p %p %p %p %p %0d", a, b, s, r, w, u, m, h.k, changes);
      end
    endmodule
    """
    expected = (
        '\'{5, 4, 3, 2, 1} \'{4, x, 2, 1} \'{"c", "b", "a"} \'{2.5, 1.5} \'{3, 2, 1} '
        "'{'{x:2, y:\"q\"}, '{x:1, y:\"p\"}} '{'{4, 5, 6}, '{3, 2, 1}} '{9, 8, 7} 1"
    )
    assert simulate(text)[1] == ["'{4, 3, 2, 1}", expected]


def test_fixed_arrays_are_shuffled():
    # Each order is possible.
    text = """
    module test; int a[3:1], seen[string], bad;
      initial begin
        repeat (600) begin a = '{1, 2, 3}; a.shuffle(); seen[$sformatf("%p", a)]++; end
        foreach (seen[s]) if (seen[s] < 60) bad++;
        $display("%0d %0d %0d", seen.num(), bad, a[1] + a[2] + a[3]);
      end
    endmodule
    """
    assert simulate(text)[1] == ["6 0 6"]


def test_arrays_that_python_keeps():
    text = """
    module test; int m[bit [99:0]], k[$]; bit [99:0] w[$];
      initial begin
        for (int i = 0; i < 20; i++) m[(100'(i * 7 % 20)) << 70] = i % 6;
        k = m.unique(); $display("%p", k); k = m.min(); $display("%p", k); k = m.max() with (-item); $display("%p", k);
        w = m.unique_index(); foreach (w[i]) $write("%0d ", w[i] >> 70);
        w = m.find_index with (item == 3); foreach (w[i]) $write("/ %0d ", w[i] >> 70);
        m.delete(100'd7 << 70); foreach (m[i]) $write("%0d", m[i]); $display(" %0d", m.sum());
      end
    endmodule
    """
    lines = simulate(text)[1]
    assert lines[:3] == ["'{0, 3, 1, 4, 2, 5}", "'{0}", "'{0}"]
    assert lines[3:] == ["0 1 7 8 14 15 / 1 / 3 / 5 0303030414141252525 45"]
