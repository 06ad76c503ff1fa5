"""Whole designs from source text, on the reference engine and on Icarus Verilog: every known output bit must agree."""

import random
import shutil
import subprocess

import pytest
from tests.passes.fragments import Bench

from weft.lang.sv.compile_sources import load_design
from weft.passes.flatten_design import flatten_design
from weft.passes.lower_module import lower_module
from weft.passes.simplify_nodes import simplify_two_state

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed"),
]

DESIGNS = {
    "gated_clock": """
        module gate(input clk, input en, output gclk);
          reg held;
          always @* if (!clk) held = en;
          assign gclk = clk & held;
        endmodule
        module top(input clk, input rst, input en, input [7:0] d, output [7:0] q, output [7:0] r, output [7:0] s);
          wire gclk;
          reg [7:0] a, b, c;
          gate g(clk, en | rst, gclk);
          always @(posedge gclk) a <= rst ? 0 : a + d;
          always @(posedge clk) b <= rst ? 0 : b ^ a;
          always @(negedge gclk) c <= rst ? 0 : b;
          assign q = a, r = b, s = c;
        endmodule""",
    "divided_clock": """
        module top(input clk, input rst, input [7:0] d, output reg [7:0] q, output reg [7:0] r, output reg [1:0] n);
          wire slow = n[1];
          always @(posedge clk or posedge rst) if (rst) n <= 0; else n <= n + 1;
          always @(posedge slow or posedge rst) if (rst) q <= 0; else q <= d + r;
          always @(posedge clk or posedge rst) if (rst) r <= 0; else r <= q ^ d;
        endmodule""",
    "a_divider_with_blocking_assignments": """
        module top(input clk, input rst, input [7:0] d, output reg [7:0] q, output reg [7:0] r, output reg [7:0] s,
                   output reg [7:0] t);
          reg half, quarter;
          reg [7:0] x, y;
          always @(posedge clk) if (rst) begin half = 0; x = 0; end else begin half = ~half; x = x + d; end
          always @(posedge half or posedge rst) if (rst) quarter = 0; else quarter = ~quarter;
          always @(posedge clk) if (rst) q <= 0; else q <= q + d;
          always @(posedge half) if (rst) r <= 0; else r <= q;
          always @(negedge quarter or posedge rst) if (rst) s <= 0; else s <= q ^ r;
          always @(posedge half or posedge rst)
            if (rst) begin y <= 0; t <= 0; end else begin y <= y ^ x; t <= y + q + x; end
        endmodule""",
    "a_memory_and_a_clock_assigned_together": """
        module top(input clk, input rst, input [7:0] d, output reg [7:0] q, output reg [7:0] r, output reg [7:0] s);
          reg half;
          reg [7:0] m [0:15], late [0:15];
          integer i;
          always @(posedge clk)
            if (rst) begin half = 0; for (i = 0; i < 16; i = i + 1) begin m[i] = 85; late[i] <= 204; end end
            else begin m[d[3:0]] = d; m[d[5:2]][5:2] = d[3:0]; late[d[3:0]] <= d; half = ~half; end
          always @(posedge half or posedge rst) if (rst) q <= 0; else q <= m[d[7:4]] ^ late[d[3:0]];
          always @(posedge half or posedge rst) if (rst) r <= 0; else r <= m[d[3:0]] + m[d[5:2]];
          always @(negedge half or posedge rst) if (rst) s <= 0; else s <= m[d[3:0]];
        endmodule""",
    "a_divider_with_nonblocking_assignments": """
        module top(input clk, input rst, input [7:0] d, output reg [7:0] q, output reg [7:0] r, output reg [7:0] s);
          reg half, quarter;
          always @(posedge clk) if (rst) half <= 0; else half <= ~half;
          always @(posedge half or posedge rst) if (rst) quarter <= 0; else quarter <= ~quarter;
          always @(posedge clk) if (rst) q <= 0; else q <= q + d;
          always @(posedge half or posedge rst) if (rst) r <= 0; else r <= q;
          always @(negedge quarter or posedge rst) if (rst) s <= 0; else s <= q ^ r;
        endmodule""",
    "asynchronous_set_and_reset": """
        module top(input clk, input rst, input set_n, input [3:0] d, output reg [3:0] q, output reg [3:0] r);
          always @(posedge clk or posedge rst or negedge set_n)
            if (rst) q <= 0; else if (!set_n) q <= 15; else q <= d + q;
          always @(negedge clk or negedge set_n) if (!set_n) r <= 5; else r <= q;
        endmodule""",
    "two_phase_latches": """
        module top(input clk, input rst, input [3:0] d, output [3:0] q, output [3:0] p);
          reg [3:0] m, s;
          always @* if (clk) s = m;
          always @* if (!clk) m = rst ? 0 : s + d;
          assign q = s, p = m;
        endmodule""",
    "tristate_bus": """
        module driver(input [3:0] d, input e, inout [3:0] bus);
          assign bus = e ? d : 4'bz;
        endmodule
        module top(input clk, input rst, input [3:0] a, input [3:0] b, input [1:0] e, output [3:0] q,
                   output [3:0] r, output [3:0] s);
          tri1 [3:0] bus;
          wand [3:0] w;
          wor [3:0] o;
          driver x(a, e[0], bus);
          driver y(b, e[1] & ~e[0], bus);
          assign q = bus;
          assign w = a, w = b, o = a, o = b;
          assign r = w, s = o;
        endmodule""",
    "words_without_loops_of_bits": """
        module top(input clk, input rst, input [15:0] a, input [15:0] b, output [16:0] sum, output [7:0] p,
                   output [3:0] g);
          wire [16:0] c;
          assign c = {(a & b) | ((a ^ b) & c[15:0]), 1'b0};
          assign sum = {c[16], a ^ b ^ c[15:0]};
          reg [7:0] x;
          integer i;
          always @* begin
            x[0] = a[0];
            for (i = 1; i < 8; i = i + 1) x[i] = x[i-1] ^ a[i];
          end
          assign p = x;
          wire [3:0] grant, higher;
          assign higher = {higher[2:0] | a[2:0], 1'b0};
          assign grant = a[3:0] & ~higher;
          assign g = grant;
        endmodule""",
    "memories_and_hierarchical_names": """
        module store(input clk, input we, input [3:0] wa, input [3:0] ra, input [7:0] d, output [7:0] q);
          reg [7:0] words [0:15];
          always @(posedge clk) if (we) words[wa] <= d;
          assign q = words[ra];
        endmodule
        module top(input clk, input rst, input we, input [3:0] wa, input [3:0] ra, input [7:0] d, output [7:0] q,
                   output [7:0] first, output reg [7:0] last);
          genvar i;
          wire [7:0] outs [0:1];
          generate for (i = 0; i < 2; i = i + 1) begin : bank
            store s(clk, we & (wa[0] == i), wa, ra, d, outs[i]);
          end endgenerate
          assign q = outs[ra[0]];
          assign first = bank[0].s.words[2];
          always @(posedge clk) if (rst) last <= 0; else last <= bank[1].s.q;
        endmodule""",
    "parts_of_a_register_by_two_processes": """
        module top(input clk, input rst, input [7:0] d, output [7:0] o);
          reg [7:0] q;
          always @(posedge clk) if (rst) q[3:0] <= 0; else q[3:0] <= d[3:0] + q[7:4];
          always @(negedge clk) if (rst) q[7:4] <= 0; else q[7:4] <= d[7:4] ^ q[3:0];
          assign o = q;
        endmodule""",
    "a_register_clocked_by_two_clocks": """
        module top(input clk, input rst, input other, input [7:0] d, output reg [7:0] q, output reg [7:0] c);
          always @(posedge clk or posedge other) if (rst) q <= 0; else q <= q + d;
          always @(posedge other) if (rst) c <= 0; else c <= q;
        endmodule""",
}


@pytest.mark.parametrize("name", DESIGNS)
def test_design_equals_icarus(name, tmp_path):
    design = load_design(texts={f"{name}.sv": DESIGNS[name]})
    fragments = {
        module: lower_module(module, four_state=False, simplify=simplify_two_state) for module in design.modules
    }
    graph = flatten_design(design, fragments, simplify=simplify_two_state)
    ports = design.tops[0][1].ports
    inputs = {port.name: port.signal.bits for port in ports if port.direction == "input"}
    outputs = [port.name for port in ports if port.direction == "output"]
    stimulus = vectors(inputs)
    expected = run_icarus(DESIGNS[name], inputs, outputs, stimulus, tmp_path)
    bench, known = Bench(graph), 0
    for step, (vector, values) in enumerate(zip(stimulus, expected, strict=True)):
        bench.poke(**vector)
        for output, value in zip(outputs, values, strict=True):
            mask = int("".join("1" if bit in "01" else "0" for bit in value), 2)
            bits = int("".join(bit if bit in "01" else "0" for bit in value), 2)
            assert bench.peek(f"top.{output}") & mask == bits, (step, vector, output, value)
            known += mask.bit_count()
    assert known > 100, "nearly everything was x"


def vectors(inputs: dict[str, int]) -> list[dict[str, int]]:
    """Return 400 input vectors: the clock toggles, the reset holds at first, data change while the clock is low."""
    source = random.Random(1)
    result: list[dict[str, int]] = []
    now = dict.fromkeys(inputs, 0)
    for step in range(400):
        now = {**now, "clk": step % 2, "rst": int(step < 9 or step == 200)}
        if step % 2 == 0:
            now.update((k, source.getrandbits(w)) for k, w in inputs.items() if k not in ("clk", "rst"))
            if step < 9:
                now.update((k, 0) for k in ("set_n",) if k in inputs)
        result.append(now)
    return result


def run_icarus(text: str, inputs: dict[str, int], outputs: list[str], stimulus: list[dict[str, int]], folder) -> list:
    """Return each output's bits after each vector."""
    lines = ["module bench;"]
    lines += [f"  reg [{width - 1}:0] {name} = 0;" for name, width in inputs.items()]
    lines += [f"  wire [1023:0] {name};" for name in outputs]
    lines += [f"  top dut({', '.join(f'.{n}({n})' for n in [*inputs, *outputs])});", "  initial begin"]
    for vector in stimulus:
        changes = " ".join(f"{name} = {value};" for name, value in vector.items())
        shown = ", ".join(f"dut.{name}" for name in outputs)
        lines.append(f'    {changes} #1; $display("{" ".join("%b" for _ in outputs)}", {shown});')
    lines += ["  end", "endmodule"]
    (folder / "design.sv").write_text(text)
    (folder / "bench.sv").write_text("\n".join(lines))
    files = [str(folder / "design.sv"), str(folder / "bench.sv")]
    build = ["iverilog", "-g2012", "-s", "bench", "-o", str(folder / "run"), *files]
    subprocess.run(build, check=True, timeout=60, capture_output=True)
    run = subprocess.run(["vvp", str(folder / "run")], check=True, timeout=60, capture_output=True, text=True)
    return [line.split() for line in run.stdout.splitlines() if line and line[0] in "01xz"]
