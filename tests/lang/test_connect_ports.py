import pytest

from lang.compile_text import load, module, show
from weft.base.errors import Unsupported
from weft.ir.design import Concat, Const, Port, Ref

KINDS = """
module ansi(input [3:0] a, input [1:0] d = 2'b10, output reg [3:0] y, inout [1:0] z);
  always_comb y = a;
endmodule
module listed(a, .b(q[2:1]), {c, e}, y, , .o({q[0], q[3]}));
  input a, c;
  output [3:0] q;
  input [1:0] e;
  output y;
  assign q = {4{a}}, y = c ^ ^e;
endmodule
module top(input clk, input [7:0] a, input [3:0] y, input [1:0] d);
  wire [7:0] wide;
  bit signed [2:0] narrow;
  wire [1:0] two;
  wire [3:0] high, low;
  wire [1:0] o;
  ansi positional(a, , low, two);
  ansi named(.a(a), .y(wide), .z(two));
  ansi short(.a(), .y(narrow), .d(1));
  ansi array[1:0](.a(a), .y({high, low}), .z(two));
  listed l(a[0], wide[1:0], 3'b101, wide[7], , o);
  ansi star(.a(y), .*, .y(), .z());
endmodule
"""

STRUCTS = """
package p; typedef struct { logic [3:0] a; struct { int b; logic c[2]; } d[3]; } st; endpackage
module inner(input p::st x, output p::st y); assign y = x; endmodule
module top(input p::st i);
  p::st s, t[2];
  inner one(i, s);
  inner many[2](t, );
  p::st start = '{4'd3, '{'{1, '{0, 1}}, '{2, '{1, 0}}, '{3, '{1, 1}}}};
endmodule
"""

TURNED = """
module inner(input logic [7:0] i[4], output logic [7:0] o[4]); assign o = i; endmodule
module top(input logic [7:0] a[3:0], output logic [7:0] b[3:0]); inner u(a, b); endmodule
"""


def test_every_kind_of_port_and_connection(golden):
    golden("ports.txt", show(KINDS, "-Wnone"))


def test_ports_of_unpacked_struct_type(golden):
    golden("struct_ports.txt", show(STRUCTS, "-Wnone"))


def test_arrays_correspond_from_left_to_right(golden):
    """IEEE 1800-2023 7.6: i[0] is a[3], for the left element of both."""
    golden("turned_ports.txt", show(TURNED, "-Wnone"))


def test_converted_output_drives_a_signal_of_its_own_width():
    design = load("module u(output logic signed [3:0] y); endmodule module top(output [7:0] w); u u1(w); endmodule")
    top = module(design, "top")
    (connection,) = top.instances[0].connections
    assert isinstance(connection, Ref)
    assert connection.signal.name == "u1$y" and connection.width == 4
    assert top.assigns[0].lhs.width == top.assigns[0].rhs.width == 8


@pytest.mark.parametrize(("directive", "value"), [("pull0", 0), ("pull1", 7)])
def test_unconnected_drive(directive: str, value: int):
    text = f"""`unconnected_drive {directive}
module u(input [2:0] a); endmodule
`nounconnected_drive
module top; u u1(); endmodule"""
    (connection,) = module(load(text, "-Wnone"), "top").instances[0].connections
    assert connection.value == value


def test_unconnected_ports_have_no_connection():
    design = load("module u(input a, output b, inout c); endmodule module top; u u1(); endmodule", "-Wnone")
    assert module(design, "top").instances[0].connections == (None, None, None)


def test_concatenated_output_is_an_lvalue():
    design = load("module u(output [1:0] y); endmodule module top; wire a, b; u u1({a, b}); endmodule")
    (connection,) = module(design, "top").instances[0].connections
    assert isinstance(connection, Concat)


def test_ports_share_their_signals():
    top = load("module top(input [3:0] a, output logic q); endmodule").tops[0][1]
    assert [(port.name, port.direction) for port in top.ports] == [("a", "input"), ("q", "output")]
    assert all(isinstance(port, Port) and port.signal in top.signals for port in top.ports)


def test_inout_port_of_another_width_is_not_supported():
    text = "module u(inout [3:0] z); endmodule\nmodule top;\n  wire [1:0] w;\n  u u1(w);\nendmodule"
    with pytest.raises(Unsupported, match="a connection of another width or type to an inout port"):
        load(text, "-Wnone")


def test_output_variables_have_initial_values():
    """IEEE 1800-2023 23.2.2.2: the value of an output's declaration is the variable's, not a connection's."""
    text = "module top(output reg [3:0] q = 5, output logic r); endmodule module old(s); output s; reg s = 1; endmodule"
    design = load(text, top=("top", "old"))
    values = {signal.name: signal.initial for found in design.modules for signal in found.signals}
    assert values == {"q": Const(4, 5), "r": None, "s": Const(1, 1)}


def test_output_to_an_equal_type_of_another_name_needs_no_signal():
    text = """module u(output logic [1:0] y); assign y = 1; endmodule
    module top; typedef enum logic [1:0] {A, B} e; e x; u u1(x); endmodule"""
    top = module(load(text), "top")
    assert [signal.name for signal in top.signals] == ["x"]
    assert isinstance(top.instances[0].connections[0], Ref)
