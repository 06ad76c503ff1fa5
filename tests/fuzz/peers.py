"""Run one generated module on Icarus Verilog, or many at once on Verilator, and return its `out` after every step."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.fuzz.generate_modules import DATA_WIDTH
from tests.fuzz.tree import dialect

Stimulus = list[dict[str, str]]
_ORDER = ("clk0", "clk1", "rst_n", "en0", "en1", "data")
INPUT_BITS = 5 + DATA_WIDTH


class PeerRefused(Exception):
    """Say that a peer does not accept a module (or crashed on it), so that nothing can be compared."""


_TESTBENCH = """
module fuzz_testbench;
  reg [{high}:0] rows [0:{last}];
  reg [{high}:0] row{initial};
  wire [{out}:0] out;
  integer at;
  {name} dut (.clk0(row[{high}]), .clk1(row[{high}-1]), .rst_n(row[{high}-2]), .en0(row[{high}-3]),
              .en1(row[{high}-4]), .data(row[{data}:0]), .out(out));
  initial begin
    $readmemb("rows.txt", rows);
    for (at = 0; at <= {last}; at = at + 1) begin
      #1 row = rows[at];
      #1 $display("out %b", out);
    end
    $finish;
  end
endmodule
"""


def write_rows(stimulus: Stimulus, path: Path) -> None:
    """Write the inputs of each step on a line."""
    path.write_text("\n".join("".join(row[name] for name in _ORDER) for row in stimulus) + "\n")


def run_icarus(
    source: str, name: str, out_width: int, stimulus: Stimulus, two_state: bool
) -> tuple[list[str], list[str]]:
    """Return `out` after each step, as binary digits, and what the module displays; raise `PeerRefused` if it cannot.

    The source still has both dialects.
    """
    with tempfile.TemporaryDirectory(prefix="weft-fuzz-") as temporary:
        folder = Path(temporary)
        # Icarus 11 can run `always_comb` for ever, though nothing changes; `always @*` means the same here.
        (folder / "design.sv").write_text(dialect(source, modern=False).replace("always_comb", "always @*"))
        (folder / "testbench.v").write_text(
            _TESTBENCH.format(
                high=INPUT_BITS - 1,
                last=len(stimulus) - 1,
                # Weft's clocks begin at 0, its other inputs unknown in 4-state.
                initial=" = 0" if two_state else f" = {{2'b00, {{{INPUT_BITS - 2}{{1'bx}}}}}}",
                out=out_width - 1,
                data=DATA_WIDTH - 1,
                name=name,
            )
        )
        write_rows(stimulus, folder / "rows.txt")
        command = ["iverilog", "-g2012", "-s", "fuzz_testbench", "-o", "out.vvp", "design.sv", "testbench.v"]
        _execute(command, folder)
        lines = _execute(["vvp", "-n", "out.vvp"], folder).splitlines()
    outs = [line[4:] for line in lines if line.startswith("out ")]
    if len(outs) != len(stimulus):
        raise PeerRefused(f"Icarus printed {len(outs)} of {len(stimulus)} steps")
    return outs, [line for line in lines if line.startswith("show ")]


def _execute(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired as error:
        raise PeerRefused(f"{command[0]} took more than a minute") from error
    if done.returncode:
        raise PeerRefused(f"{command[0]}: {done.stderr[-1500:]}{done.stdout[-500:]}")
    return done.stdout


_MAIN = """
#include "Vtop.h"
#include "verilated.h"
#include <fstream>
#include <iostream>
#include <string>
int main(int argc, char** argv) {
    VerilatedContext context;
    Vtop top{&context};
    std::ifstream rows("rows.txt");
    std::string row;
    top.eval();
    while (std::getline(rows, row)) {
        top.clk0 = row[0] - '0'; top.clk1 = row[1] - '0'; top.rst_n = row[2] - '0';
        top.en0 = row[3] - '0'; top.en1 = row[4] - '0';
        for (int word = 0; word < 8; ++word) {
            unsigned value = 0;
            for (int bit = 31; bit >= 0; --bit) value = value * 2 + (row[5 + 255 - (32 * word + bit)] - '0');
            top.data[word] = value;
        }
        top.eval();
%s
    }
}
"""


_FLAGS = ["--cc", "--exe", "--x-assign", "fast", "--x-initial", "fast", "--no-timing", "-Wno-fatal", "-Wno-lint"]
_FLAGS += ["-Wno-style", "--noassert"]


def verilator_accepts(source: str, name: str) -> bool:
    """Return whether Verilator translates a module; it refuses a few, and crashes on a few."""
    from bench.peers import process, verilator

    with tempfile.TemporaryDirectory(prefix="weft-fuzz-") as temporary:
        folder = Path(temporary)
        (folder / "design.sv").write_text(source)
        arguments = [*_FLAGS, "--top-module", name, "design.sv"]
        program = str(verilator.root() / "bin" / "verilator_bin")
        try:
            process.execute([program, *arguments], folder, {"VERILATOR_ROOT": str(verilator.root())})
        except process.PeerFailed:
            return False
    return True


def run_verilator(modules: list[tuple[str, str, int]], stimulus: Stimulus) -> list[list[str]]:
    """Return `out` after each step for each (source, name, out width); all run in one program."""
    from bench.peers import process, verilator

    ports = ["clk0", "clk1", "rst_n", "en0", "en1", "data"]
    # A width above 64 makes Verilator give every output as an array of words.
    widths = [max(width, 65) for _, _, width in modules]
    top = [
        "module top (input clk0, input clk1, input rst_n, input en0, input en1, input [255:0] data",
        *(f", output [{width - 1}:0] out{i}" for i, width in enumerate(widths)),
        ");",
        *(
            f"{name} dut{i} ({', '.join(f'.{port}({port})' for port in ports)}, .out(out{i}));"
            for i, (_, name, _) in enumerate(modules)
        ),
        "endmodule",
    ]
    show = [
        f'        std::cout << "out ";\n'
        f"        for (int word = {(width + 31) // 32 - 1}; word >= 0; --word) "
        f'{{ char text[9]; std::snprintf(text, 9, "%08x", top.out{i}[word]); std::cout << text; }}\n'
        f"        std::cout << (char)10;"
        for i, width in enumerate(widths)
    ]
    with tempfile.TemporaryDirectory(prefix="weft-fuzz-") as temporary:
        folder = Path(temporary)
        (folder / "design.sv").write_text("\n".join(source for source, _, _ in modules) + "\n".join(top))
        (folder / "main.cpp").write_text(_MAIN % "\n".join(show))
        write_rows(stimulus, folder / "rows.txt")
        names = ["--prefix", "Vtop", "--Mdir", ".", "--top-module", "top", "design.sv", "main.cpp"]
        try:
            built = verilator.verilate([*_FLAGS, *names], folder, optimise="-O0")
            text = process.execute(built.command, folder).output
        except process.PeerFailed as error:
            raise PeerRefused(str(error)) from error
    lines = [line[4:] for line in text.splitlines() if line.startswith("out ")]
    count = len(modules)
    return [
        [format(int(line, 16), f"0{width}b")[-modules[i][2] :] for line in lines[i::count]]
        for i, width in enumerate(widths)
    ]


def has_icarus() -> bool:
    """Return whether Icarus Verilog is installed."""
    return bool(shutil.which("iverilog") and shutil.which("vvp"))
