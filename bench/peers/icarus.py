"""Icarus Verilog: the 4-state, event-driven peer. A generated testbench toggles the clock and prints the results."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from bench.designs import Design
from bench.peers.process import Build, PeerFailed, Run, execute, parse_report

WAVES = ("none", "vcd", "fst")

_TESTBENCH = """
`timescale 1ns/1ns
module weft_testbench;
  reg clk = 0;
  reg reset = 0;
  wire text_valid;
  wire [7:0] text_data;
  wire [63:0] hash;
  integer cycles;
  integer i;
  reg [8191:0] wave;

  %(top)s%(parameters)s dut (
    .%(clock)s(clk),
    .%(reset)s(reset),
    .text_valid(text_valid),
    .text_data(text_data),
    .hash(hash)
  );

  always @(negedge clk) if (text_valid === 1'b1) $display("text %%02x", text_data);

  initial begin
    if (!$value$plusargs("cycles=%%d", cycles)) cycles = 0;
    if ($value$plusargs("wave=%%s", wave)) begin
      $dumpfile(wave);
      $dumpvars(0, dut);
    end
    #1 reset = 1;
    for (i = 0; i < %(reset_cycles)d; i = i + 1) begin
      #5 clk = 1;
      #5 clk = 0;
    end
    reset = 0;
    for (i = 0; i < cycles; i = i + 1) begin
      #5 clk = 1;
      #5 clk = 0;
    end
    #1 $display("{\\"hash\\": \\"%%x\\"}", hash);
    $finish;
  end
endmodule
"""


@cache
def version() -> str:
    """Return the first line of `iverilog -V`; raise `PeerFailed` if it is not installed."""
    if not shutil.which("iverilog") or not shutil.which("vvp"):
        raise PeerFailed("Icarus Verilog is not installed: apt install iverilog")
    return execute(["iverilog", "-V"], Path.cwd()).output.splitlines()[0]


def build(design: Design, waves: str = "none", again: bool = False) -> Build:
    """Compile a design for `vvp`. It takes a second or two, so nothing is kept."""
    version()
    folder = Path(tempfile.mkdtemp(prefix=f"weft-icarus-{design.name}-"))
    parameters = ", ".join(
        f".{name}({json.dumps(value) if isinstance(value, str) else value})"
        for name, value in design.parameters.items()
    )
    values = {
        "top": design.top,
        "parameters": f" #({parameters})" if parameters else "",
        "clock": design.clock,
        "reset": design.reset,
        "reset_cycles": design.reset_cycles,
    }
    (folder / "testbench.v").write_text(_TESTBENCH % values)
    command = [
        "iverilog",
        "-g2012",
        "-s",
        "weft_testbench",
        "-o",
        "design.vvp",
        *(f"-I{path}" for path in design.include_dirs),
        *(f"-D{name}={value}" if value else f"-D{name}" for name, value in design.defines.items()),
        *map(str, design.files),
        "testbench.v",
    ]
    cost = execute(command, folder)
    return Build(
        ("vvp", "-n", str(folder / "design.vvp")),
        {"iverilog": cost.seconds},
        cost.cpu_seconds,
        cost.peak_bytes,
    )


def run(design: Design, built: Build, cycles: int, wave: Path | None = None) -> Run:
    """Run a built design; the loop's time is that of the whole run less that of a run of no cycles."""
    folder = Path(built.command[2]).parent
    plus = [*(["-fst"] if wave and wave.suffix == ".fst" else []), *([f"+wave={wave}"] if wave else [])]
    empty = execute([*built.command, "+cycles=0"], folder)
    cost = execute([*built.command, f"+cycles={cycles}", *plus], folder)
    report = parse_report(cost.output)
    text = "".join(chr(int(line[5:], 16)) for line in cost.output.splitlines() if line.startswith("text "))
    return Run(cycles, cost.seconds - empty.seconds, empty.seconds, cost.peak_bytes, report["hash"], text)


def main() -> None:
    """Build and run one design: `python -m bench.peers.icarus DESIGN [CYCLES]`."""
    from bench.designs import DESIGNS

    design = DESIGNS[sys.argv[1]]()
    built = build(design)
    result = run(design, built, int(sys.argv[2]))
    print(json.dumps({"build": built.stages, "rate": result.rate, "hash": result.hash}))
    print(result.text)


if __name__ == "__main__":
    main()
