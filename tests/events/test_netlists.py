"""Gates that are data: netlists do what they do as code, event by event, and what Icarus Verilog makes of them."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from events.run_events import run_events
from weft.base.errors import UserError
from weft.engines.event import code_program
from weft.lang.sv.compile_sources import load_design
from weft.sim.event_simulation import EventOptions

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")

_LOGIC = ("and", "nand", "or", "nor", "xor", "xnor")
_SINGLE = ("buf", "not")
_THREE_STATE = ("bufif0", "bufif1", "notif0", "notif1")
_EXPRESSIONS = (
    "{0} ? {1} : {2}", "~({0} & {1} | {2})", "{0} ? 1'bz : {1}", "!{0} && ({1} || {2})", "{0} ~^ {1}", "1'b1"
)  # fmt: skip


def netlist(seed: int, gates: int, inputs: int = 5, exact: bool = True) -> str:
    """Return a module with random gates, some in loops, whose inputs change at random, also for less than a delay.

    It prints every event; or, if it need not be `exact`, what there is between the times at which something happens.
    """
    draw = random.Random(seed)
    lines: list[str] = []
    for i in range(gates):
        delay = draw.choice(["#1", "#2", "#(1,3)", "#(4,2)", "#(3,1,2)", "#(5,6,1)", ""])
        # What has no delay reads only what comes before it, so that nothing oscillates in no time.
        if not delay and not exact:
            delay = "#3"
        last = gates if delay else i
        names = [f"r[{j}]" for j in range(inputs)] + [f"w[{j}]" for j in range(last)]
        read = [draw.choice(names) for _ in range(draw.choice([2, 2, 3, 4, 7, 12]))]
        kind = draw.choice([*_LOGIC, *_LOGIC, *_SINGLE, *_THREE_STATE, "assign"])
        if kind == "assign":
            text = draw.choice(_EXPRESSIONS).format(*read, *read)
            if delay.count(",") == 2:
                delay = "#(2,1)"
            lines.append(f"  assign {delay} w[{i}] = {text};")
            continue
        if kind in _LOGIC + _SINGLE and delay.count(",") == 2:
            delay = "#(2,1)"
        read = read[:1] if kind in _SINGLE else read[:2] if kind in _THREE_STATE else read
        lines.append(f"  {kind} {delay} (w[{i}], {', '.join(read)});")
    lines += ["  initial begin"]
    for _ in range(60):
        # An assignment to the whole vector makes code look also where no bit has changed, which may change the order.
        target = f"r[{draw.randrange(inputs)}]" if exact or draw.random() < 0.5 else "r"
        width = 1 if target != "r" else inputs
        value = "".join(draw.choice("0011xz" if draw.random() < 0.3 else "01") for _ in range(width))
        lines.append(f"    {target} = {width}'b{value}; #{draw.choice([0, 1, 1, 2, 3, 7])};")
    lines += ['    #20 $display("%b", w); $finish(0);', "  end"]
    if exact:
        lines.append('  always @(w) $display("%0t %b", $time, w);')
    else:
        lines.append('  initial begin #0.5; forever #1 $display("%0t %b", $time, w); end')
    body = "\n".join(lines)
    return (
        f"`timescale 1ns / 100ps\nmodule t;\n  reg [{inputs - 1}:0] r;\n  wire [{gates - 1}:0] w;\n{body}\nendmodule\n"
    )


def without_netlists(monkeypatch: pytest.MonkeyPatch, text: str) -> tuple[str, int]:
    """Run with every gate as code."""
    with monkeypatch.context() as patch:
        patch.setattr(code_program, "choose_netlists", _no_gate)
        return run_events(text)


def _no_gate(_: object) -> None:
    pass


@pytest.mark.parametrize("seed", range(30))
def test_random_netlists_have_the_same_events_as_data_and_as_code(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    text = netlist(seed, gates=3 + seed, exact=seed % 3 != 0)
    assert run_events(text) == without_netlists(monkeypatch, text)


def icarus(tmp_path: Path, text: str) -> list[str]:
    """Return what Icarus Verilog prints."""
    source, output = tmp_path / "t.v", tmp_path / "t.vvp"
    source.write_text(text)
    subprocess.run(["iverilog", "-g2012", "-o", str(output), str(source)], check=True)
    return subprocess.run(["vvp", "-n", str(output)], check=True, capture_output=True, text=True).stdout.splitlines()


@needs_icarus
@pytest.mark.parametrize("seed", range(100, 110))
def test_random_netlists_agree_with_icarus(tmp_path: Path, seed: int) -> None:
    # Within one time the tools may differ; what is there between two times may not.
    text = netlist(seed, gates=12, exact=False)
    assert run_events(text)[0].splitlines() == icarus(tmp_path, text)


# --------------------------------------------------------------------------------------------- one thing at a time

WORDS = """
module t;
  reg [3:0] r;
  wire [15:0] y;
  integer i;
  and (y[0], r[1:0] === 2'bxz ? 1'b1 : r[0], r[1]);
  nand (y[1], r[0], r[1], r[2]);
  or (y[2], r[0], r[1], r[2], r[3]);
  nor (y[3], r[0], r[1]);
  xor (y[4], r[0], r[1], r[2]);
  xnor (y[5], r[0], r[1]);
  buf (y[6], r[0]);
  not (y[7], r[1]);
  assign y[8] = r[0] ? r[1] : r[2];
  assign y[9] = r[3] ? 1'bz : r[0] & !r[1];
  assign y[10] = (r[0] || r[1]) && ~(r[2] ^ r[3]);
  nand (y[11], r[0], r[1], r[2], r[3], r[1], r[0], 1'b1);
  or (y[12], r[0], r[1], r[2], r[3], r[0], r[2]);
  xnor (y[13], r[0], r[1], r[2], r[3], r[0], r[0]);
  assign y[14] = r[0] ^ r[1] ^ r[2] ^ r[3] ^ r[0];
  assign y[15] = r[2] ? r[0] : r[0];
  function [0:0] code(input [1:0] which);
    case (which) 0: code = 0; 1: code = 1; 2: code = 1'bx; default: code = 1'bz; endcase
  endfunction
  initial for (i = 0; i < 256; i = i + 1) begin
    r = {code(i[7:6]), code(i[5:4]), code(i[3:2]), code(i[1:0])};
    #1 $display("%b %b", r, y);
  end
endmodule
"""


def test_all_words_of_inputs_give_the_same_output_as_data_and_as_code(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run_events(WORDS)
    assert found[0].count("\n") == 256
    assert found == without_netlists(monkeypatch, WORDS)


@needs_icarus
def test_all_words_of_inputs_give_what_icarus_gives(tmp_path: Path) -> None:
    assert run_events(WORDS)[0].splitlines() == icarus(tmp_path, WORDS)


def test_many_inputs_and_many_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    readers = "\n".join(f"  not #{1 + i % 3} (y[{i}], n);" for i in range(50))
    wide = ", ".join(f"r[{i}]" for i in range(40))
    most = ", ".join(f"r[{i}]" for i in range(32))
    text = f"""
module t;
  reg [39:0] r;
  wire n, o, p, q;
  wire [49:0] y;
  and #1 (n, r[0], r[1]);
  or #1 (o, {wide});
  and #1 (p, {most});
  xor #1 (q, {most});
{readers}
  always @(y) $display("%0t %b", $time, y);
  initial begin
    $monitor("%0t %b%b%b", $time, o, p, q);
    r = 0; #10 r = ~40'b0; #10 r[31] = 0; #10 r[30] = 1'bx; #10 r = 40'bz; #10 r = 40'h8000000000; #10 r = 1;
  end
endmodule
"""
    found = run_events(text)
    assert found == without_netlists(monkeypatch, text)
    assert "60 001" in found[0] or "61 101" in found[0]


def test_gates_in_instances_arrays_and_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
module full(input a, b, c, output s, output d);
  wire h, i, j;
  xor #2 (h, a, b); xor #2 (s, h, c); and #1 (i, a, b); and #1 (j, h, c); or #1 (d, i, j);
endmodule
module t;
  reg [7:0] a = 0, b = 0;
  wire s[0:7];
  wire [8:0] c;
  genvar g;
  assign c[0] = 1'b0;
  for (g = 0; g < 8; g = g + 1) begin : bits full f(a[g], b[g], c[g], s[g], c[g + 1]); end
  reg [15:0] draw = 1;
  initial repeat (20) begin
    draw = draw * 75 + 74; a = draw[15:8]; b = draw; #40;
    $display("%0d %0d %0d", a, b, {c[8], s[7], s[6], s[5], s[4], s[3], s[2], s[1], s[0]});
    if (a + b !== {c[8], s[7], s[6], s[5], s[4], s[3], s[2], s[1], s[0]}) $display("wrong");
  end
  always @(bits[3].f.h, s[4]) $display("%0t %b%b", $time, bits[3].f.h, s[4]);
endmodule
"""
    found = run_events(text)
    assert "wrong" not in found[0]
    assert found == without_netlists(monkeypatch, text)


def test_a_forced_net_is_left_to_the_general_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
module t;
  reg a = 0; wire n, y;
  not #1 (n, a);
  not #1 (y, n);
  initial begin
    $monitor("%0t %b%b", $time, n, y);
    #5 a = 1; #5 force n = 1'bx; #5 a = 0; #5 force n = 0; #5 a = 1; #5 release n; #5 a = 0; #5;
  end
endmodule
"""
    found = run_events(text)
    assert found == without_netlists(monkeypatch, text)
    assert "21 01" in found[0]


def test_waveforms_have_the_changes_of_gates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = netlist(7, gates=30).replace("  initial begin", '  initial begin $dumpfile("{file}"); $dumpvars;', 1)
    run_events(text.replace("{file}", str(tmp_path / "data.vcd")))
    without_netlists(monkeypatch, text.replace("{file}", str(tmp_path / "code.vcd")))
    data, code = ((tmp_path / name).read_text().partition("$enddefinitions")[2] for name in ("data.vcd", "code.vcd"))
    assert data.count("\n") > 100
    assert data == code


def test_changes_that_are_taken_away_leave_no_time_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
module t;
  reg a = 0; wire y, z;
  buf #100 (y, a);
  buf #5000 (z, a);
  initial begin #6000 a = 1; #7 a = 0; #3 a = 1'bx; #1 a = 0; end
  final $display("%0t %b%b", $time, y, z);
endmodule
"""
    assert run_events(text) == without_netlists(monkeypatch, text) == ("6011 00\n", 0)


def test_a_change_past_all_times_never_comes() -> None:
    text = """
module t;
  reg a = 0; wire y, z;
  buf #(64'h4000000000000000) (y, a);
  buf #1 (z, a);
  initial begin #(64'hf000000000000000) a = 1; #5 $display("%b%b", y, z); a = 0; #5 $display("%b%b", y, z); end
endmodule
"""
    assert run_events(text) == ("01\n00\n", 0)


def test_a_loop_without_delay_names_its_gates() -> None:
    gates = "\n".join(f"assign w[{i + 1}] = w[{i}];" for i in range(8))
    text = f"module t; wire [8:0] w; reg s = 0;\nassign w[0] = s & ~w[8];\n{gates}\ninitial #3 s = 1; endmodule"
    with pytest.raises(UserError) as error:
        run_events(text, EventOptions(max_deltas=1000))
    assert "assign in t (t.sv:2:8)" in error.value.message or "assign in t (t.sv:3:8)" in error.value.message


def test_a_lone_gate_without_a_delay_is_code() -> None:
    text = """
module t;
  wire a, b, c, d; reg r, s;
  assign a = r & s;
  assign b = r | s;
  assign c = ~b;
  assign #1 d = c ^ r;
endmodule
"""
    program = code_program.write_program(load_design(texts={"t.sv": text}))
    assert [sorted(code.netlist) for code in program.codes.values()] == [[1, 2, 3]]


def test_a_netlist_needs_no_code() -> None:
    gates = "\n".join(f"  nand #{1 + i % 2} (w[{i + 1}], w[{i}], r);" for i in range(100))
    design = load_design(texts={"t.sv": f"module t; reg r; wire [100:0] w;\n  assign w[0] = r;\n{gates}\nendmodule"})
    program = code_program.write_program(design)
    assert len(next(code for code in program.codes.values()).netlist) == 101
    assert not program.shapes
    assert not any(plan.what == "assign" for code in program.codes.values() for plan in code.threads)
