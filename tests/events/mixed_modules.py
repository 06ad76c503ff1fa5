"""Random modules in testbenches that drive them as testbenches do: what both ways of running must agree on.

The modules are the fuzzer's, which have no races. The testbench changes one group of inputs at a time, or a clock
together with data that a nonblocking assignment brings, which every procedure at that edge sees only afterwards. It
shows all outputs some time after each change, and whenever they have changed at the end of a time step.
"""

from __future__ import annotations

import random

from tests.fuzz.generate_modules import DATA_WIDTH, Module, generate_module, generate_stimulus
from tests.fuzz.tree import dialect

_CLOCKS = ("clk0", "clk1")


def module_testbench(seed: int, steps: int = 60, two_state: bool = False) -> str:
    """Return a random module with its testbench, as SystemVerilog."""
    module = generate_module(seed, two_state)
    return dialect(module.text(), modern=True) + "`default_nettype wire\n" + _testbench(module, seed, steps, two_state)


def _testbench(module: Module, seed: int, steps: int, two_state: bool) -> str:
    source = random.Random(f"mixed-{seed}")
    rows = generate_stimulus(seed, steps, two_state)
    lines: list[str] = []
    before: dict[str, str] = {}
    for row in rows:
        changed = [name for name, value in row.items() if before.get(name) != value]
        # At the start all inputs change; the clocks' first edges come when logic has settled.
        first = "#1 " if len(changed) > 1 else ""
        ordered = sorted(changed, key=lambda name: name in _CLOCKS)
        lines += [f"{first}{name} = {len(row[name])}'b{row[name]};" for name in ordered]
        if source.random() < 0.4 and any(name in _CLOCKS for name in changed):
            bits = "".join(source.choice("01") for _ in range(DATA_WIDTH))
            row["data"] = bits
            lines.append(f"data <= {DATA_WIDTH}'b{bits};")
        lines.append('#5 $display("%b", out); #5;')
        before = dict(row)
    body = "\n      ".join(lines)
    return f"""
`timescale 1ns/1ns
module tb;
  reg clk0, clk1, rst_n, en0, en1;
  reg [{DATA_WIDTH - 1}:0] data;
  wire [{module.out_width - 1}:0] out;
  {module.name} dut(.*);
  initial $monitor("%0t: %h", $time, out);
  initial begin
      {body}
      $finish(0);
  end
endmodule
"""
