"""Random variables and constraints, and choices by weight."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.lang.compile_text import load, show

from weft.base.errors import Unsupported
from weft.ir.constraints import Require
from weft.ir.design import Field, Randomize, operands

RANDOM = """
module t;
  class item;
    rand bit [3:0] a, b; randc bit [2:0] cyclic; rand int list[]; rand int fixed[4]; int x; rand enum {P, Q} e;
    constraint main {
      a > 3; soft b < 10; a inside {[1:10]}; (a == 4) -> b == 3; if (a > 5) b > 2; else { b < 2; b != 1; }
      a dist {1 := 2, [3:5] :/ 7, x}; list.size() < 5; foreach (list[i]) list[i] < i; foreach (fixed[i]) fixed[i] > i;
      unique {a, b}; solve a before b; disable soft b; half(a) == 2; this.a != 9;
    }
    static constraint shared { x == 3; }
    extern constraint outside;
    function bit [3:0] half(bit [3:0] v); return v / 2; endfunction
    function void pre_randomize(); x = 1; endfunction
    function void modes();
      void'(randomize()); void'(this.randomize() with {a == 3;}); a.rand_mode(0); rand_mode(0);
      main.constraint_mode(0); x = a.rand_mode(); constraint_mode(1);
    endfunction
  endclass
  constraint item::outside { a < 9; }
  class derived extends item; rand int c; constraint main { c == a; } endclass
  class other; int a; item held; function void f(); void'(held.randomize() with {a == local::a; b == a + n;});
    endfunction endclass
  item o; derived d; other oo; int n, m;
  initial begin
    n = o.randomize(); n = o.randomize() with {a < n; x == 2;}; n = o.randomize(a, b); n = o.randomize(null);
    n = std::randomize(n, m) with {n > m; m inside {1, 2};}; o.main.constraint_mode(0); o.rand_mode(0); oo.f();
    o.constraint_mode(1); o.fixed.rand_mode(1); n = d.randomize(); n = $urandom(n); n = $urandom_range(1, 5);
    randcase 1: n = 1; m: n = 2; endcase
  end
endmodule"""


def test_random(golden: Callable[[str, str], None]):
    golden("randomize.txt", show(RANDOM, "-Wnone"))


@pytest.mark.parametrize(("name", "owner"), [("a", "object"), ("local::a", "this"), ("c", "this")])
def test_names_in_a_call_mean_the_object_first(name: str, owner: str):
    text = f"""module t; class i; rand int a; endclass class o; int a, c; i held; bit b;
        function void f(); b = held.randomize() with {{ {name} == 1; }}; endfunction endclass
        o x; initial x.f(); endmodule"""
    outer = next(found for found in load(text, "-Wnone").classes if found.name == "o")
    (call,) = [one for one in _inside(outer.methods["f"].body.body[-1].rhs) if isinstance(one, Randomize)]
    (requirement,) = call.constraints
    assert isinstance(requirement, Require)
    (field,) = [one for one in _inside(requirement.value) if isinstance(one, Field)]
    assert field.object.signal.name.partition("$")[0] == owner


def _inside(expression):
    yield expression
    for inner in operands(expression):
        yield from _inside(inner)


def test_what_is_refused():
    text = """module t; class c; rand int q[2][2]; constraint k { foreach (q[i, j]) q[i][j] > 1; } endclass
        c o = new; endmodule"""
    with pytest.raises(Unsupported, match="a 'foreach' constraint of several dimensions"):
        load(text)
