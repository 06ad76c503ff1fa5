"""Faults of single pins: equal to netlists and sources in which that one input of a gate or register is a constant."""

import random
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
from bench.netlists import controller, nand_pair, sequential

import weft
from weft import UserError


def faulty_copies(text, pins, cycles, stimulus):
    """Return what each copy of a netlist shows, cycle by cycle: in copy k a gate has a constant for an input."""
    modules, wires = [text.replace("module top(", "module copy0(")], ["copy0"]
    for number, (target, source, value) in enumerate(pins, 1):
        # A gate that has the signal at two inputs has the fault at both.
        gate = re.search(rf"\({re.escape(target)}, ([^()]*)\)", text)
        terms = [f"1'b{value}" if term == source else term for term in gate[1].split(", ")]
        changed = text[: gate.start(1)] + ", ".join(terms) + text[gate.end(1) :]
        modules.append(re.sub(r"module dff.*?endmodule", "", changed, flags=re.DOTALL).replace(
            "module top(", f"module copy{number}("))  # fmt: skip
        wires.append(f"copy{number}")
    sim = weft.compile(texts={"top.v": text}, top="top", cache=False)
    ports = [(p.signal.name, p.direction, p.signal.bits) for p in sim.design.graph.scopes[0].module.ports]
    ins = [(name, bits) for name, direction, bits in ports if direction == "input"]
    outs = [(name, bits) for name, direction, bits in ports if direction == "output"]
    head = ", ".join(f"input [{bits - 1}:0] {name}" for name, bits in ins)
    shown = [f"output [{bits - 1}:0] {copy}_{name}" for copy in wires for name, bits in outs]
    body = "".join(
        f"{copy} u_{copy}({', '.join([f'.{n}({n})' for n, _ in ins] + [f'.{n}({copy}_{n})' for n, _ in outs])});\n"
        for copy in wires
    )
    whole = "\n".join([*modules, f"module all({head}, {', '.join(shown)});\n{body}endmodule"])
    sim = weft.compile(texts={"all.v": whole}, top="all", cache=False, engine="reference")
    rows = []
    for cycle in range(cycles):
        for name, values in stimulus.items():
            sim.poke(name, values[cycle])
        # What a campaign sees is what had settled before the clock falls.
        rows.append({copy: [] for copy in wires})
        if any(name == "clk" for name, _ in ins):
            sim.run_cycles(1)
        for copy in wires:
            rows[-1][copy] = [int(sim.peek(f"{copy}_{name}")) for name, _ in outs]
    if shutil.which("iverilog"):
        assert rows == icarus_rows(whole, ins, outs, wires, cycles, stimulus)
    return rows


def icarus_rows(whole, ins, outs, wires, cycles, stimulus):
    """Return the same as Icarus Verilog has it."""
    names = [f"{copy}_{name}" for copy in wires for name, _ in outs]
    lines = [f"reg [{bits - 1}:0] {name} = 0;" for name, bits in ins]
    lines += [f"wire [{bits - 1}:0] {copy}_{name};" for copy in wires for name, bits in outs]
    lines.append(f"all dut({', '.join(f'.{name}({name})' for name in [*(name for name, _ in ins), *names])});")
    lines.append("initial begin")
    for cycle in range(cycles):
        lines += [f"{name} = {values[cycle]};" for name, values in stimulus.items()]
        lines.append("#1;" + (" clk = 1; #1;" if ("clk", 1) in ins else ""))
        lines += [f'$display("%0d", {name});' for name in names]
        lines.append("#1; clk = 0; #1;" if ("clk", 1) in ins else "")
    lines.append("$finish; end")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.v"
        path.write_text(whole + "\nmodule bench;\n" + "\n".join(lines) + "\nendmodule\n")
        subprocess.run(["iverilog", "-g2012", "-s", "bench", "-o", "bench.vvp", "bench.v"], cwd=folder, check=True)
        done = subprocess.run(["vvp", "-n", "bench.vvp"], cwd=folder, check=True, capture_output=True, text=True)
    values = iter(int(line) for line in done.stdout.split())
    return [{copy: [next(values) for _ in outs] for copy in wires} for _ in range(cycles)]


@pytest.mark.parametrize(
    "text",
    [nand_pair(), controller(6, 3), sequential(24, 4, 4, 3, seed=3)],
    ids=["nand_pair", "controller", "sequential"],
)
def test_pins_equal_netlists_with_constants(text):
    """Each stuck pin of a gate, against a copy of the netlist that has a constant there, in two simulators."""
    sim = weft.compile(texts={"top.v": text}, top="top", cache=False)
    ports = {p.signal.name: (p.direction, p.signal.bits) for p in sim.design.graph.scopes[0].module.ports}
    draw = random.Random(4)
    stimulus = {
        name: [draw.randrange(1 << bits) for _ in range(16)]
        for name, (direction, bits) in ports.items()
        if direction == "input" and name != "clk"
    }
    report = sim.faults(16, sites="*", pins="*", stimulus=stimulus, device="cpu").run()
    rows, pins = [], []
    for row in report.rows():
        if "<" in row.name:
            target, source = (part.removeprefix("top.") for part in row.name.split("<"))
            if re.search(rf"\({re.escape(target)}, [^()]*?{re.escape(source)}[,)]", text):
                rows.append(row)
                pins.append((target, source, int(row.model == "sa1")))
    assert len(rows) > 20
    shown = faulty_copies(text, pins, 16, stimulus)
    for number, row in enumerate(rows, 1):
        found = next((cycle for cycle, each in enumerate(shown) if each[f"copy{number}"] != each["copy0"]), None)
        assert (row.seen_cycle if row.result == "detected" else None) == found, row


def test_pins_of_the_smallest_netlist_collapse():
    """Of six NANDs 22 faults can be told apart, as is known; pins that do not branch count here as well."""
    sim = weft.compile(texts={"top.v": nand_pair()}, top="top", cache=False)
    report = sim.faults(32, device="cpu", pins="*", random=dict.fromkeys("abcde", 1)).run()
    assert len(report) == 46 and report.simulated == 22
    alone = sim.faults(32, device="cpu", pins="*", random=dict.fromkeys("abcde", 1), collapse=False).run()
    assert alone.simulated == 46
    np.testing.assert_array_equal(report.outcomes.cycles, alone.outcomes.cycles)


REGISTER = """
module top(input logic clk, input logic [3:0] a, input logic [3:0] b, output logic [3:0] q, output logic [3:0] w);
  always_ff @(posedge clk) if (a[0]) q <= a & b;
  assign w = a;
endmodule
"""


def test_pins_of_registers_and_words():
    """`q<a` is `a` in the next value of `q` and in its enable; `w` still sees the right one. Flips last a cycle."""
    sim = weft.compile(texts={"top.sv": REGISTER}, top="top", cache=False)
    draw = random.Random(2)
    stimulus = {name: [draw.randrange(16) for _ in range(24)] for name in "ab"}
    lines = [f"{model} top.q<top.a[{bit}]" for model in ("sa0", "sa1") for bit in range(4)]
    lines += [f"flip top.q<top.a[{bit}] @ 9" for bit in range(4)]
    report = sim.faults(24, pins="q", faults=lines, stimulus=stimulus, device="cpu").run()
    assert [row.describe() for row in report.rows()] == lines
    for row in report.rows():
        bit = 1 << int(row.name[-2])
        good, bad, found = 0, 0, None
        for cycle, (a, b) in enumerate(zip(stimulus["a"], stimulus["b"], strict=True)):
            seen = {"sa0": a & ~bit, "sa1": a | bit, "flip": a ^ bit if cycle == 9 else a}[row.model]
            good = a & b if a & 1 else good
            bad = seen & b if seen & 1 else bad
            if good != bad and found is None:
                found = cycle
        assert (row.seen_cycle if row.result == "detected" else None) == found, row
        assert found is None or row.output == "top.q"


def test_pins_that_are_not():
    sim = weft.compile(texts={"top.sv": REGISTER}, top="top", cache=False)
    with pytest.raises(UserError, match="no signal matches 'nobody'"):
        sim.faults(4, pins="nobody", device="cpu")
    with pytest.raises(UserError, match="no signal matches"):
        sim.faults(4, pins="w", faults=["sa0 top.w<top.b[0]"], device="cpu")
