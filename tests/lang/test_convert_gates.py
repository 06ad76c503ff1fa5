from lang.compile_text import show

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
