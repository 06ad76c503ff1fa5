import pytest

from lang.compile_text import load, module, show
from weft.base.errors import Unsupported
from weft.ir.design import Ref

BUSES = """
interface bus #(parameter W = 4)(input clk);
  logic valid, ready;
  logic [W-1:0] data;
  bit seen;
  modport source(output valid, data, input ready, import send);
  modport sink(input valid, data, output ready);
  modport part(output .low(data[1:0]), input .go(valid));
  function automatic logic send(logic x); valid = x; return x & ready; endfunction
  always_ff @(posedge clk) seen <= valid;
endinterface
module producer(bus.source b, input c, output logic sent);
  assign b.data = c ? 1 : 2;
  always_comb sent = b.send(c);
endmodule
module consumer(bus.sink b); assign b.ready = b.valid & b.data[0]; endmodule
module forward(bus one, bus many[2]);
  consumer c(one);
  consumer c0(many[0]);
  consumer c1(many[1].sink);
  wire tap = many[1].valid;
endmodule
module generic_(interface i); assign i.data = '1; endmodule
module partly(bus.part b); assign b.low = {2{b.go}}; endmodule
module top(input clk, c);
  bus b(clk);
  bus pair[2](clk);
  bus #(8) wide(clk);
  bus lone(clk);
  producer p(b, c, ), p0(pair[0], ~c, );
  forward f(b, pair);
  generic_ g(wide);
  partly q(lone);
  wire seen = b.seen | f.c0.b.valid | p0.b.data[1];
endmodule
"""

NESTED = """
interface inner; logic v; endinterface
interface outer; inner i(); logic w; endinterface
module leaf(outer o); assign o.i.v = o.w; endmodule
module pass(outer o); leaf l(o); endmodule
module top; outer o(); outer o2(); pass p(o); leaf l(o2); endmodule
"""

PACKAGES = """
package p;
  int counter = 3;
  logic [3:0] table_[2] = '{1, 2};
  function automatic int next(int q);
    int kept; kept = q; counter = counter + 1; return kept + counter;
  endfunction
endpackage
int unit = 7;
function int twice(int z); return z + unit; endfunction
module inner; int x; initial x = p::next(1) + $root.top.y; endmodule
module top; int y; inner i(); import p::*; initial y = twice(unit) + next(3) + table_[1]; endmodule
"""

UPWARDS = """
module c(input a); logic k; assign k = p.x & p.c1.a; endmodule
module p(input y); logic x; c c1(y); c c2(x); assign x = y; endmodule
module top(input y); p p1(y), p2(y); wire w = p2.c1.k; endmodule
"""

DOWNWARDS = """
module low(input y); logic v; assign v = y; endmodule
module high(input y); low z(y); endmodule
module top(input y); high a(y), b(y); high many[2:1](y); wire w = b.z.v & many[1].z.v; endmodule
"""

OUTER_PARAMETERS = """
module leaf(output [7:0] v); assign v = holder.WIDTH; endmodule
module middle(output [7:0] v); leaf l(v); endmodule
module holder #(parameter WIDTH = 3)(output [7:0] v); middle m(v); endmodule
module top(output [7:0] v, w); holder #(3) h3(v); holder #(4) h4(w); endmodule
"""


def test_interfaces_become_ports(golden):
    golden("interfaces.txt", show(BUSES, "-Wnone"))


def test_interfaces_inside_interfaces(golden):
    golden("nested_interfaces.txt", show(NESTED, "-Wnone"))


def test_packages_and_the_compilation_unit(golden):
    golden("packages.txt", show(PACKAGES, "-Wnone"))


def test_upward_references_are_not_shared(golden):
    golden("upwards.txt", show(UPWARDS, "-Wnone"))


def test_downward_references_reach_shared_modules():
    design = load(DOWNWARDS, "-Wnone")
    assert sorted(found.key for found in design.modules) == ["high", "low", "top"]
    value = module(design, "top").assigns[0].rhs
    (shared,) = [signal for signal in module(design, "low").signals if signal.name == "v"]
    assert [(side.signal, side.path) for side in (value.lhs, value.rhs)] == [
        (shared, ("b", "z")),
        (shared, ("many[1]", "z")),
    ]


def test_constants_of_outer_modules_keep_modules_apart():
    values = [found.assigns[0].rhs.value for found in load(OUTER_PARAMETERS, "-Wnone").modules if found.name == "leaf"]
    assert sorted(values) == [3, 4]


def test_equal_parameters_share_a_module():
    text = """module u #(parameter W = 1)(input [W-1:0] a); endmodule
    module top(input [7:0] a); u #(2) x(a[1:0]), y(a[3:2]); u #(3) z(a[2:0]); endmodule"""
    x, y, z = load(text).tops[0][1].instances
    assert x.module is y.module is not z.module


def test_functions_of_packages_are_converted_once():
    text = """package a; function int f(int x); return b::g(x) + 1; endfunction endpackage
    package b; function int g(int x); return x * 2; endfunction endpackage
    module top(output int y, z); assign y = a::f(3), z = b::g(4); endmodule"""
    found = {name: package.functions for name, package in load(text).packages}
    assert {name: [function.name for function in functions] for name, functions in found.items()} == {
        "a": ["f"],
        "b": ["g"],
    }


def test_functions_see_the_module_that_calls_them():
    text = """module u(input a, output b); logic seen; function logic f(logic x); seen = x; return ~x; endfunction
    assign b = f(a); endmodule module top(input a, output b); u u1(a, b); endmodule"""
    u = module(load(text, "-Wnone"), "u")
    (function,) = u.functions
    (seen,) = [signal for signal in u.signals if signal.name == "seen"]
    assert isinstance(function.body.body[0].lhs, Ref) and function.body.body[0].lhs.signal is seen


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('import "DPI-C" function int f(int x); int y; initial y = f(3);', "a call of an imported DPI function"),
    ],
)
def test_what_is_not_supported_says_so(text: str, message: str):
    with pytest.raises(Unsupported, match=message):
        load(f"module top;\n  {text}\nendmodule", "-Wnone")
