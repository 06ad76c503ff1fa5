"""Write an array multiplier of gates with delays, and a self-checking testbench around it, as Verilog text.

The classical array: `size` squared AND gates for the partial products, and rows of full adders of two XORs, two ANDs
and an OR each, every gate a primitive with a delay of its own. A test applies a new pair of operands when the last
carry has had time to ripple; glitches on the way make most of the events.
"""

from __future__ import annotations

_TEST = """
module multiplier_test;
  reg [{high}:0] a, b;
  wire [{top}:0] p;
  integer count, i, errors;
  reg [31:0] seed;
  multiplier dut(a, b, p);
  initial begin
    if (!$value$plusargs("cycles=%d", count)) count = 100;
    errors = 0;
    seed = 32'h1badcafe;
    for (i = 0; i < count; i = i + 1) begin
      seed = seed * 32'd1664525 + 32'd1013904223;
      a = seed >> (32 - {size});
      seed = seed * 32'd1664525 + 32'd1013904223;
      b = seed >> (32 - {size});
      #{settle};
      if (p !== a * b) begin
        errors = errors + 1;
        if (errors < 10) $display("%0d * %0d gave %0d", a, b, p);
      end
    end
    if (errors == 0) $display("PASSED: %0d products", count);
    else $display("FAILED: %0d errors", errors);
    $finish;
  end
endmodule
"""


def multiplier(size: int) -> str:
    """Return the Verilog of a multiplier of two numbers of `size` bits, at most 32, and of its test."""
    lines = ["`timescale 1ns / 1ps", f"module multiplier(input [{size - 1}:0] a, b, output [{2 * size - 1}:0] p);"]
    names = 0

    def gate(kind: str, delay: int, *inputs: str) -> str:
        nonlocal names
        names += 1
        lines.append(f"  wire n{names}; {kind} #({delay}) g{names}(n{names}, {', '.join(inputs)});")
        return f"n{names}"

    def add(x: str, y: str, z: str) -> tuple[str, str]:
        if z == "":
            return gate("xor", 2, x, y), gate("and", 1, x, y)
        half = gate("xor", 2, x, y)
        carry = gate("or", 1, gate("and", 1, x, y), gate("and", 1, half, z))
        return gate("xor", 2, half, z), carry

    row = [gate("and", 1, "a[0]", f"b[{j}]") for j in range(size)]
    outputs = [row[0]]
    above = row[1:]
    for i in range(1, size):
        products = [gate("and", 1, f"a[{i}]", f"b[{j}]") for j in range(size)]
        carry = ""
        following: list[str] = []
        for j in range(size):
            upper = above[j] if j < len(above) else ""
            if upper:
                total, carry = add(upper, products[j], carry)
            elif carry:
                total, carry = add(products[j], carry, "")
            else:
                total, carry = products[j], ""
            following.append(total)
        outputs.append(following[0])
        above = following[1:] + ([carry] if carry else [])
    outputs += above
    outputs += ["1'b0"] * (2 * size - len(outputs))
    lines += [f"  assign p[{k}] = {name};" for k, name in enumerate(outputs)]
    lines.append("endmodule")
    return "\n".join(lines) + _TEST.format(high=size - 1, top=2 * size - 1, size=size, settle=12 * size)
