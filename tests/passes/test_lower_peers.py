"""Statements and expressions in source text, on the reference engine and on Icarus Verilog: every bit must agree.

The 4-state runs get x and z on their inputs; the 2-state runs get the same stimuli without them.
"""

import random
import shutil
import subprocess

import pytest

import weft

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed"),
]

INPUTS = {"clk": 1, "a": 4, "b": 4, "c": 1, "s": 2}
HEAD = "module top(input clk, input [3:0] a, b, input c, input [1:0] s, output reg [7:0] y, output reg [7:0] z);\n"

DESIGNS = {
    "if_and_conditional": """
        always @* begin
          y = 8'h0f;
          if (c) y = a; else if (s == 2) y = {a, b}; else if (s) y[3:1] = b;
          z = c ? {a & b, a} + 1 : s[0] ? {b, a} - 1 : 8'bz;
        end""",
    "case_kinds": """
        always @* begin
          case (a) 4'b0001: y = 1; 4'b001x: y = 2; 4'b1zz1: y = 3; 4'bxxxx: y = 4; b: y = 5; default: y = 6; endcase
          casez (a) 4'b1???: z = {4'd1, b}; 4'b01z?: z = {4'd2, b}; 4'b0x01: z = {4'd3, b}; b: z = 4; default: z = 5;
          endcase
        end""",
    "casex_and_case_of_true": """
        always @* begin
          casex ({a, s}) 6'b1xxx01: y = 1; 6'b01zz1x: y = 2; {b, 2'b10}: y = 3; default: y = 4; endcase
          case (1'b1) c: z = 1; s[0]: z = 2; s[1]: z = 3; a[0]: z = 4; default: z = 5; endcase
        end""",
    "full_case_and_latch": """
        always @* case (s) 0: y = a; 1: y = b; 2: y = {a, b}; 3: y = 9; endcase
        always @* if (c === 1'b1) z = {a, b};""",
    "equalities": """
        always @* begin
          y = {a == b, a != b, a === b, a !== b, a == 4'b1x01, a === 4'b1x0z, a < b, c && a};
          z = {!a, ~&a, ^b, a || b, a >= b, $signed(a) < $signed(b), |a, &b};
        end""",
    "arithmetic_and_shifts": """
        always @* begin
          y = ({4'h0, a} * b + (a / b) - (a % 3)) ^ (a << s) ^ ($signed(a) >>> s);
          z = {b - a, a ** s} + -$signed(b);
        end""",
    "selects": """
        reg [7:0] w;
        always @* begin
          w = {a, b};
          y = {w[a], w[s +: 2], w[b -: 3], a[s], 1'b0};
          w[a +: 2] = s; w[b] = c; w[s -: 2] = 2'b10;
          z = w;
        end""",
    "loops": """
        integer i;
        always @* begin
          y = 0;
          for (i = 0; i < 8; i = i + 1) if (i[0]) y[i] = a[i / 2]; else y[i] = ^(b >> (i / 2));
          z = 0; i = 0;
          while (i < 4 && !a[i]) begin z = z + b; i = i + 1; end
          repeat (3) z = {z[6:0], c};
        end""",
    "disable_blocks": """
        integer i;
        always @* begin : outer
          y = 0; z = 0;
          for (i = 0; i < 4; i = i + 1) begin : each
            if (a[i]) disable each;
            y = y + b;
            if (b[i] & c) disable outer;
            z[i] = 1;
          end
          z[7:4] = b;
        end""",
    "functions_and_tasks": """
        function [3:0] gray(input [3:0] v); gray = v ^ (v >> 1); endfunction
        function automatic [3:0] count(input [3:0] v); integer k; begin
          count = 0; for (k = 0; k < 4; k = k + 1) count = count + v[k]; end endfunction
        function automatic [7:0] power(input [3:0] v, input integer n);
          power = n == 0 ? 1 : v * power(v, n - 1); endfunction
        task swap(input [3:0] p, q, output [3:0] r, inout [3:0] t); begin r = q; t = t ^ p; end endtask
        always @* begin
          y = {gray(a), count(b)};
          z = power(a, 3);
          swap(a, b, z[3:0], z[7:4]);
        end""",
    "clocked": """
        reg [7:0] t;
        initial begin y = 0; z = 0; end
        always @(posedge clk) begin
          t = {a, b};
          if (c) begin y <= t + y; t[0] = s[1]; end
          case (s) 1: z <= t; 2: z[5:2] <= a; 3: z[a] <= c; default: ; endcase
          if (s == 3) y[7:4] <= b;
        end""",
    "asynchronous_reset": """
        initial begin y = 0; z = 0; end
        always @(posedge clk or posedge c) if (c) y <= 8'hA5; else if (s[0]) y <= {y[3:0], a};
        always @(negedge clk) z <= y ^ b;""",
    "memory": """
        reg [7:0] ram [0:15];
        integer i;
        initial begin for (i = 0; i < 16; i = i + 1) ram[i] = i * 17; y = 0; end
        always @(posedge clk) begin
          if (c) ram[a] <= {b, a};
          if (s[1]) ram[b][s[0] * 4 +: 4] <= a;
          y <= ram[b];
        end
        always @* z = ram[a];""",
    "small_array": """
        reg [3:0] bank [1:4];
        integer i;
        initial begin for (i = 1; i < 5; i = i + 1) bank[i] = i; y = 0; end
        always @(posedge clk) begin bank[a] <= b; if (c) bank[s][1 +: 2] <= s; y <= {bank[3], bank[4]}; end
        always @* z = {bank[s], bank[1] ^ bank[2]};""",
    "blocking_and_nonblocking": """
        initial begin y = 1; z = 2; end
        always @(posedge clk) begin
          y = y + a;
          if (c) y[1:0] <= s;
          z <= y;
          if (s[1]) z[3:0] = b;
        end""",
    "static_variables": """
        function [7:0] total(input [3:0] v);
          reg [7:0] sum; begin if (c === 1'b1) sum = 3; else sum = sum + v; total = sum; end endfunction
        always @(posedge clk) begin : counting
          reg [3:0] count;
          if (c === 1'b1) count = 0; else count = count + 1;
          y <= {count, s};
          z <= total(s);
        end""",
    "shared_loop_variable": """
        integer i;
        always @* begin y = 0; for (i = 0; i < 4; i = i + 1) y[2 * i] = a[i]; end
        always @(posedge clk) for (i = 0; i < 4; i = i + 1) z[i +: 4] <= b;""",
    "nested_calls_and_jumps": """
        function automatic [3:0] first(input [3:0] v); integer k; begin : body
          first = 9; for (k = 0; k < 4; k = k + 1) if (v[k]) begin first = k; disable body; end end endfunction
        function automatic [7:0] both(input [3:0] p, q); both = {first(p), first(q ^ first(p))}; endfunction
        always @* begin y = both(a, b); z = c ? first(s) : both(b, {2{s}}); end""",
    "parts_of_elements": """
        reg [7:0] bank [0:2][0:1];
        always @* begin
          bank[0][0] = 1; bank[0][1] = 2; bank[1][0] = 3; bank[1][1] = 4; bank[2][0] = 5; bank[2][1] = 6;
          bank[s][c] = {a, b};
          bank[1][s[0]][a[1:0] +: 3] = b;
          y = bank[s][c];
          z = bank[a[1:0]][b[0]] ^ bank[2][1];
        end""",
    "wide_arithmetic": """
        reg [99:0] w, v;
        always @* begin
          w = {25{a}} * {b, 60'd7, s};
          v = ({w, w} >> {a, s}) - (w << b) + {100{c}};
          y = v[a * 6 +: 8]; z = {^w, ^v, w > v, v[99 -: 3], &w, |v};
        end""",
    "sensitivity_list": """
        initial z = 0;
        always @(a or b or c) if (c) y = a + b; else y = a - b;
        always @(a) z = {z[5:0], s};""",
}


def stimuli(seed: int, four_state: bool) -> list[dict[str, str]]:
    """Return vectors of bits; the clock changes alone."""
    draw = random.Random(seed)
    now = {name: "0" * width for name, width in INPUTS.items()}
    vectors = [dict(now)]
    for _ in range(60):
        for name, width in INPUTS.items():
            if name != "clk" and draw.random() < 0.7:
                digits = "01xz" if four_state and draw.random() < 0.3 else "01"
                now[name] = "".join(draw.choice(digits) for _ in range(width))
        vectors.append(dict(now))
        now["clk"] = "1" if now["clk"] == "0" else "0"
        vectors.append(dict(now))
    return vectors


def icarus(text: str, vectors: list[dict[str, str]], folder) -> list[str]:
    lines = ["module bench;"]
    lines += [f"reg [{width - 1}:0] {name};" for name, width in INPUTS.items()]
    lines += ["wire [7:0] y, z;", "top dut(.*);", "initial begin"]
    for vector in vectors:
        for name, digits in vector.items():
            lines.append(f"{name} = {len(digits)}'b{digits};")
        lines.append('#1 $display("%b %b", y, z);')
    lines += ["$finish(0);", "end", "endmodule"]
    (folder / "top.sv").write_text(text + "\n".join(lines))
    subprocess.run(["iverilog", "-g2012", "-o", folder / "sim", folder / "top.sv"], check=True, timeout=60)
    done = subprocess.run([folder / "sim"], check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.splitlines()


def ours(text: str, vectors: list[dict[str, str]], four_state: bool) -> list[str]:
    lines: list[str] = []
    with weft.compile(texts={"top.sv": text}, top="top", four_state=four_state, engine="reference", cache=False) as sim:
        last: dict[str, str] = {}
        for vector in vectors:
            for name, digits in vector.items():
                if last.get(name) != digits:
                    sim.poke(name, digits if four_state else int(digits, 2))
            last = vector
            shown = [sim.peek(name) for name in ("y", "z")]
            lines.append(" ".join(str(value) if four_state else f"{value:08b}" for value in shown))
    return lines


@pytest.mark.parametrize("four_state", [False, True], ids=["two_state", "four_state"])
@pytest.mark.parametrize("name", DESIGNS)
def test_agrees_with_icarus(name, four_state, tmp_path):
    text = f"{HEAD}{DESIGNS[name]}\nendmodule\n"
    vectors = stimuli(len(name), four_state)
    theirs, mine = icarus(text, vectors, tmp_path), ours(text, vectors, four_state)
    for number, (wanted, got) in enumerate(zip(theirs, mine, strict=True)):
        if not four_state:
            got = "".join(w if w in "xz" else g for w, g in zip(wanted, got, strict=True))
        assert got == wanted, (number, vectors[number])
