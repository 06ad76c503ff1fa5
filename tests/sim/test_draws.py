"""`randomize` in compiled code: what it can do without Python, and that it is as fair (IEEE 1800-2023 18.5, 18.7)."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest

from weft.base.errors import UserError
from weft.lang.sv.compile_sources import load_design
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.sim.event_simulation import EventOptions, EventSimulation
from weft.sim.randomize.randomizer import Randomizer


def simulate(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "test.sv"
    path.write_text(text)
    out = io.BytesIO()
    EventSimulation(load_design((path,), FrontEndOptions()), out, EventOptions()).run()
    return out.getvalue().decode().splitlines()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Count how often Python is asked to choose."""
    calls: list[object] = []
    usual = Randomizer.randomize

    def randomize(self: Randomizer, site, args, span):
        calls.append(site)
        return usual(self, site, args, span)

    monkeypatch.setattr(Randomizer, "randomize", randomize)
    return calls


def scope(tmp_path: Path, declarations: str, names: str, constraints: str, times: int = 400) -> list[tuple[int, ...]]:
    """Choose variables many times; return what was chosen each time."""
    shown = " ".join(["%0d"] * len(names.split(",")))
    text = f"""
    module test;
      {declarations}
      initial repeat ({times}) begin
        if (!std::randomize({names}) with {{ {constraints} }}) $display("none");
        else $display("{shown}", {names});
      end
    endmodule
    """
    return [tuple(map(int, line.split())) for line in simulate(tmp_path, text) if line != "none"]


def test_bounds_that_are_computed_when_the_call_runs(tmp_path: Path, asked: list[object]):
    found = scope(tmp_path, "int x, low = -3, high = 9;", "x", "x >= low; x < high;")
    assert {x for (x,) in found} == set(range(-3, 9))
    assert len(found) == 400
    assert not asked


@pytest.mark.parametrize(
    ("declaration", "constraint", "allowed"),
    [
        ("bit [7:0] x;", "x inside {[1:3], 20, [3:5]};", {1, 2, 3, 4, 5, 20}),
        ("bit [7:0] x;", "x < 3 || x > 252;", {0, 1, 2, 253, 254, 255}),
        ("bit [7:0] x;", "4 >= x; x != 2;", {0, 1, 3, 4}),
        ("logic [3:0] x;", "x[1:0] == 2;", {2, 6, 10, 14}),
        ("shortint x;", "x * x < 10;", {-3, -2, -1, 0, 1, 2, 3}),
        ("byte x;", "x > 120; x < 300;", set(range(121, 128))),
        ("byte unsigned x;", "x > 8'd250 && x <= 8'd254;", {251, 252, 253, 254}),
        ("enum {a = 1, b = 5, c = 9} x;", "x != b;", {1, 9}),
        ("enum bit [2:0] {p = 3'd7, q = 3'd2} x;", "x >= q;", {2, 7}),
        ("bit x;", "", {0, 1}),
        ("bit [62:0] x;", "x inside {[63'h7fff_ffff_ffff_fffe : 63'h7fff_ffff_ffff_ffff]};", {2**63 - 2, 2**63 - 1}),
        ("bit [7:0] x;", "x dist {3 := 1, [10:11] :/ 4}; x != 11;", {3, 10}),
        ("byte x; bit up = 1;", "if (up) x inside {[5:6]}; else x < 0;", {5, 6}),
    ],
)
def test_values_of_one_variable(
    tmp_path: Path, asked: list[object], declaration: str, constraint: str, allowed: set[int]
):
    found = scope(tmp_path, declaration, "x", constraint)
    assert {x for (x,) in found} == allowed
    assert len(found) == 400


def test_all_solutions_are_equally_likely(tmp_path: Path, asked: list[object]):
    found = Counter(scope(tmp_path, "bit [1:0] a, b; bit c;", "a, b, c", "a < b; c -> b == 3;", times=3000))
    assert not asked
    assert set(found) == {(a, b, c) for a in range(4) for b in range(a + 1, 4) for c in range(2) if not c or b == 3}
    expected = 3000 / len(found)
    # Six standard deviations of a binomial count: a fair choice is outside once in 10^8 runs.
    assert all(abs(count - expected) < 6 * expected**0.5 for count in found.values())


def test_weights(tmp_path: Path, asked: list[object]):
    found = Counter(scope(tmp_path, "bit [7:0] x;", "x", "x dist {0 := 6, [4:7] :/ 2, [8:9] := 1};", times=4000))
    assert not asked
    for value, share in {0: 0.6, **dict.fromkeys(range(4, 8), 0.05), 8: 0.1, 9: 0.1}.items():
        assert abs(found[(value,)] / 4000 - share) < 6 * (share / 4000) ** 0.5
    assert set(found) == {(n,) for n in (0, 4, 5, 6, 7, 8, 9)}


def test_what_has_few_solutions_is_left_to_python(tmp_path: Path, asked: list[object]):
    found = scope(tmp_path, "int unsigned a, b;", "a, b", "a * 3 == b + 7; a > 32'h4000_0000;", times=3)
    assert all((a * 3 - b - 7) % 2**32 == 0 and a > 0x40000000 for a, b in found)
    assert len(found) == len(asked) == 3


def test_an_equation_gives_a_variable(tmp_path: Path, asked: list[object]):
    found = scope(
        tmp_path, "int unsigned a, b; byte c, d;", "a, b, c, d", "a * 3 == b; a > 32'h4000_0000; c == d - 100;"
    )
    assert all((a * 3 - b) % 2**32 == 0 and a > 0x40000000 and c == d - 100 for a, b, c, d in found)
    assert len(found) == 400 and not asked
    assert len({d for *_, d in found}) > 80


def test_conditions_on_what_is_not_random_bound_variables(tmp_path: Path, asked: list[object]):
    constraint = "if (mode == 2) { x == 77; y > 32'hffff_fff0; } else { x < 5; } (mode > 1) -> z inside {[3:4]};"
    for mode in (0, 2):
        found = scope(tmp_path, f"int x, z; int unsigned y; int mode = {mode};", "x, y, z", constraint, times=30)
        assert all((x == 77 and y > 0xFFFFFFF0 and z in (3, 4)) if mode else x < 5 for x, y, z in found)
    assert not asked


@pytest.mark.parametrize(
    ("declaration", "constraint"),
    [
        ("int x = 42; int low = 9, high = 3;", "x >= low; x <= high;"),
        ("bit [3:0] x = 10;", "x > 20;"),
    ],
)
def test_failure_leaves_a_variable_as_it_was(tmp_path: Path, asked: list[object], declaration: str, constraint: str):
    text = f"""
    module test;
      {declaration}
      initial begin
        automatic int done = std::randomize(x) with {{ {constraint} }};
        $display("%0d %0d", done, x);
      end
    endmodule
    """
    was = 10 if "[3:0] x" in declaration else 42
    assert simulate(tmp_path, text) == [f"0 {was}"]
    assert asked


@pytest.mark.parametrize("constraint", ["x[3:0] >= low;", "x >= low;", "x != 3; x + 1 > low;"])
def test_unknown_bits_in_a_constraint_are_an_error(tmp_path: Path, constraint: str):
    with pytest.raises(UserError, match="low has x or z bits in a constraint"):
        scope(tmp_path, "int x; logic [3:0] low = 4'b1x00;", "x", constraint, times=1)


def test_a_thread_that_waits_for_the_variable_is_woken_once(tmp_path: Path, asked: list[object]):
    text = """
    module test;
      bit [3:0] x; int seen;
      always @(x) seen++;
      initial begin
        repeat (50) begin
          x = 0;
          #1 void'(std::randomize(x) with { x > 3; x[0] == 1; x != 5; });
          #1;
        end
        $display("%0d", seen);
      end
    endmodule
    """
    assert simulate(tmp_path, text) == ["99"]  # the first `x = 0` changes nothing
    assert not asked


CLASSES = """
class Base;
  rand bit [7:0] a;
  rand logic signed [5:0] b;
  int limit = 20;
  constraint little { a < limit; }
  constraint both { a[0] -> b < 0; }
endclass
class Middle extends Base;
  rand bit c;
  constraint little { a inside {[30:33]}; }
endclass
class Other extends Base;
  rand int list[];
  constraint sized { list.size() == 2; list.sum() == 4; }
endclass
"""


def test_objects_of_derived_classes(tmp_path: Path, asked: list[object]):
    text = (
        CLASSES
        + """
    module test;
      initial begin
        Base base; Middle middle; Other other;
        int ok;
        base = new; middle = new; other = new;
        repeat (200) begin
          ok += base.randomize() && base.a < 20 && (!base.a[0] || base.b < 0);
          base.limit = base.limit == 20 ? 7 : 20;
          ok += base.randomize() && base.a < base.limit;
        end
        base = middle;
        repeat (200) ok += base.randomize() with { a != 31; } && base.a inside {30, 32, 33};
        $display("%0d", ok);
        base = other;
        ok = base.randomize();
        $display("%0d %0d", ok, other.list.size());
      end
    endmodule
    """
    )
    assert simulate(tmp_path, text) == ["600", "1 2"]
    assert len(asked) == 1  # only the object with an array


def test_failure_leaves_an_object_as_it_was(tmp_path: Path):
    text = (
        CLASSES
        + """
    module test;
      initial begin
        Base base; int done;
        base = new;
        base.a = 77; base.b = 6'b01x0z1;
        done = base.randomize() with { a == 3; b == 4; };
        $display("%0d %0d %b", done, base.a, base.b);
      end
    endmodule
    """
    )
    assert simulate(tmp_path, text) == ["0 77 01x0z1"]


def test_modes_are_left_to_python(tmp_path: Path, asked: list[object]):
    text = (
        CLASSES
        + """
    module test;
      initial begin
        Base base; int ok;
        base = new;
        ok = base.randomize();
        base.little.constraint_mode(0);
        base.a.rand_mode(0);
        base.a = 201;
        repeat (20) ok += base.randomize() && base.a == 201 && base.b < 0;
        $display("%0d", ok);
      end
    endmodule
    """
    )
    assert simulate(tmp_path, text) == ["21"]
    assert len(asked) == 20


def test_an_object_has_its_own_stream(tmp_path: Path):
    """What one object draws does not depend on what others and the thread draw (18.14)."""
    body = 'repeat (5) begin {} void\'(p.randomize()); $display("%0d %0d", p.a, p.b); end'
    texts = [
        CLASSES + "module test; initial begin Base p, q; p = new; q = new; " + body.format(extra) + " end endmodule"
        for extra in ("", "void'(q.randomize()); void'(q.randomize() with { a > 2; });")
    ]
    first, second = (simulate(tmp_path, text) for text in texts)
    assert first == second
    assert len(set(first)) > 1


def test_functions_and_tasks_with_automatic_variables(tmp_path: Path, asked: list[object]):
    text = """
    module test;
      function automatic int pick(int low, int high);
        int x;
        if (!std::randomize(x) with { x inside {[low:high]}; }) return -1;
        return x;
      endfunction
      task automatic slow(input int n, output int sum);
        int y;
        repeat (n) begin
          void'(std::randomize(y) with { y > 0; y <= n; });
          #1 sum += y;
        end
      endtask
      initial begin
        automatic int ok, sum;
        for (int i = 1; i < 50; i++) ok += pick(i, 2 * i) inside {[i : 2 * i]};
        slow(10, sum);
        $display("%0d %0d", ok, sum >= 10 && sum <= 100);
      end
    endmodule
    """
    assert simulate(tmp_path, text) == ["49 1"]
    assert not asked
