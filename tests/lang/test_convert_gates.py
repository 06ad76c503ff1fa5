import pytest

from lang.compile_text import load, show
from weft.base.errors import Unsupported

GATES = """
module top(input a, b, c, input [3:0] v, output [3:0] w, output y0, y1, y2, y3, y4, y5, y6, y7, inout z);
  and (y0, a, b, c);
  nand #2 g1(y1, a, b);
  or (y2, a, b);
  nor (y3, a);
  xor (y4, a, b, c);
  xnor (y5, a, b);
  buf (y6, y7, a);
  bufif0 (z, a, b);
  notif1 (z, a, b);
  pullup (z);
  not n[3:0](w, v);
endmodule
"""


def test_gates_become_assignments(golden):
    golden("gates.txt", show(GATES, "-Wnone"))


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ("nmos (y, a, b);", "the switch primitive 'nmos' is not supported yet"),
        ("tran (y, a);", "the switch primitive 'tran' is not supported yet"),
        ("mux u(y, a, b);", "the user-defined primitive 'mux' is not supported yet"),
    ],
)
def test_what_is_not_supported_says_so(gate: str, message: str):
    udp = "primitive mux(o, a, b); output o; input a, b; table 0 0 : 1; 1 ? : 0; 0 1 : 1; endtable endprimitive\n"
    with pytest.raises(Unsupported, match=message):
        load(f"{udp}module top(input a, b, inout y);\n  {gate}\nendmodule", "-Wnone")
