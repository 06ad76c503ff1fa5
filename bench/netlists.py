"""Gate-level netlists for fault campaigns, made here: Verilog of primitives, in the sizes of the classic benchmarks.

`nand_pair` has the structure of the smallest of them (six NANDs), `multiplier` is an array multiplier (16 bits are some
2,400 gates), `controller` a priority controller of some 200 gates, `sequential` a random machine of gates and
flip-flops. Each returns the text of a module `top`, whose flip-flops are instances of `dff`, where there are some.
"""

from __future__ import annotations

import random

DFF = "module dff(input clk, input d, output reg q);\n  initial q = 0;\n  always @(posedge clk) q <= d;\nendmodule\n"


def nand_pair() -> str:
    """Return six NANDs: five inputs, two outputs, three stems that fan out."""
    return """module top(input a, input b, input c, input d, input e, output y, output z);
  wire f, g, h, i;
  nand n0(f, a, c), n1(g, c, d), n2(h, b, g), n3(i, g, e), n4(y, f, h), n5(z, h, i);
endmodule
"""


def multiplier(bits: int) -> str:
    """Return a multiplier: rows of full adders that pass their carries to the next row."""
    lines: list[str] = []
    wires: list[str] = []

    def wire(name: str) -> str:
        wires.append(name)
        return name

    def gate(kind: str, *names: str) -> None:
        lines.append(f"  {kind} g{len(lines)}({', '.join(names)});")

    def half(a: str, b: str, name: str) -> tuple[str, str]:
        total, carry = wire(f"s_{name}"), wire(f"c_{name}")
        gate("xor", total, a, b)
        gate("and", carry, a, b)
        return total, carry

    def full(a: str, b: str, c: str, name: str) -> tuple[str, str]:
        first, one = half(a, b, f"{name}a")
        total, two = half(first, c, f"{name}b")
        carry = wire(f"o_{name}")
        gate("or", carry, one, two)
        return total, carry

    def product(i: int, j: int) -> str:
        name = wire(f"p_{i}_{j}")
        gate("and", name, f"a[{i}]", f"b[{j}]")
        return name

    outputs: list[str] = []
    row = [product(i, 0) for i in range(bits)]
    top = ""
    for j in range(1, bits):
        outputs.append(row[0])
        above, carry, following = [*row[1:], top], "", list[str]()
        for i in range(bits):
            terms = [term for term in (above[i], product(i, j), carry) if term]
            name = f"{i}_{j}"
            total, carry = full(*terms, name) if len(terms) == 3 else half(*terms, name)
            following.append(total)
        row, top = following, carry
    outputs += [*row, top]
    lines += [f"  buf o{number}(y[{number}], {name});" for number, name in enumerate(outputs)]
    head = f"module top(input [{bits - 1}:0] a, input [{bits - 1}:0] b, output [{2 * bits - 1}:0] y);\n"
    return head + "".join(f"  wire {name};\n" for name in wires) + "\n".join(lines) + "\nendmodule\n"


def controller(channels: int = 27, groups: int = 3) -> str:
    """Return a priority controller: of the channels that ask and are enabled, the first of the first group wins."""
    lines, wires, outputs = list[str](), list[str](), list[str]()
    size = channels // groups

    def gate(kind: str, name: str, *sources: str) -> str:
        wires.append(name)
        lines.append(f"  {kind} u_{name}({', '.join((name, *sources))});")
        return name

    busy: list[str] = []
    for group in range(groups):
        asking = [gate("and", f"r{group}_{k}", f"ask[{group * size + k}]", f"enable[{k}]") for k in range(size)]
        some = asking[0]
        grants = [asking[0]]
        for k in range(1, size):
            none = gate("not", f"n{group}_{k}", some)
            grants.append(gate("and", f"w{group}_{k}", asking[k], none))
            some = gate("or", f"s{group}_{k}", some, asking[k])
        free = ""
        for number, other in enumerate(busy):
            quiet = gate("not", f"q{group}_{number}", other)
            free = quiet if not free else gate("and", f"f{group}_{number}", free, quiet)
        for k, grant in enumerate(grants):
            outputs.append(gate("and", f"g{group}_{k}", grant, free) if free else gate("buf", f"g{group}_{k}", grant))
        busy.append(some)
    head = (
        f"module top(input [{channels - 1}:0] ask, input [{size - 1}:0] enable, output [{len(outputs) - 1}:0] grant);\n"
    )
    ends = [f"  buf b{number}(grant[{number}], {name});" for number, name in enumerate(outputs)]
    return head + "".join(f"  wire {name};\n" for name in wires) + "\n".join([*lines, *ends]) + "\nendmodule\n"


def sequential(gates: int, flops: int, inputs: int = 4, outputs: int = 4, seed: int = 1) -> str:
    """Return a random machine: NAND, NOR, NOT, AND, OR, XOR gates over inputs and flip-flops."""
    draw = random.Random(seed)
    names = [f"i[{k}]" for k in range(inputs)] + [f"q{k}" for k in range(flops)]
    lines = [f"  wire q{k}, d{k};" for k in range(flops)]
    fresh = list(names)
    for number in range(gates):
        kind = draw.choice(("nand", "nor", "not", "and", "or", "xor", "nand", "nor"))
        count = 1 if kind == "not" else draw.choice((2, 2, 3))
        # What nothing reads yet comes first, so that little is redundant.
        sources = [fresh.pop(draw.randrange(len(fresh))) if fresh else draw.choice(names) for _ in range(count)]
        lines.append(f"  wire w{number};\n  {kind} u{number}({', '.join((f'w{number}', *sources))});")
        names.append(f"w{number}")
        fresh.append(f"w{number}")
    ends = [fresh.pop(0) if fresh else f"w{gates - 1 - k}" for k in range(flops)]
    lines += [f"  xor x{k}(d{k}, {ends[k]}, i[{k % inputs}]);\n  dff f{k}(clk, d{k}, q{k});" for k in range(flops)]
    for k in range(outputs):
        shown = fresh[k::outputs] or [f"w{gates - 1 - k}"]
        lines.append(f"  {'xor' if len(shown) > 1 else 'buf'} o{k}({', '.join((f'y[{k}]', *shown))});")
    head = f"module top(input clk, input [{inputs - 1}:0] i, output [{outputs - 1}:0] y);\n"
    return DFF + head + "\n".join(lines) + "\nendmodule\n"
