"""Programs about nets with strengths, switches and primitives, run by the event engine."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from weft.base.errors import Unsupported
from weft.lang.sv.compile_sources import load_design
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.sim.event_simulation import EventSimulation

PROGRAMS = Path(__file__).parent / "event_nets"
needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")


def run(*sources: Path) -> list[str]:
    """Return the lines that a program prints."""
    out = io.BytesIO()
    EventSimulation(load_design([str(source) for source in sources], FrontEndOptions()), out).run()
    return out.getvalue().decode().splitlines()


def run_text(tmp_path: Path, text: str) -> list[str]:
    """Return the lines that a program given as text prints."""
    source = tmp_path / "t.sv"
    source.write_text(text)
    return run(source)


def run_icarus(source: Path, tmp_path: Path) -> list[str]:
    """Return the lines that Icarus Verilog prints for a program."""
    program = tmp_path / "program"
    subprocess.run(["iverilog", "-g2012", "-o", program, source], check=True)
    return subprocess.run(["vvp", "-n", program], check=True, capture_output=True, text=True).stdout.splitlines()


@needs_icarus
@pytest.mark.parametrize("name", ["strengths", "joined", "gates", "hierarchy"])
def test_programs_print_what_icarus_prints(name: str, tmp_path: Path) -> None:
    """Sweep drivers, controls and force over kinds of nets and gates, and print values and strengths."""
    source = PROGRAMS / f"{name}.v"
    assert run(source) == run_icarus(source, tmp_path)


def test_aliases_join_as_switches_do(tmp_path: Path) -> None:
    """Give a program with aliases in the place of switches, which Icarus Verilog cannot run, the same result."""
    text = (PROGRAMS / "joined.v").read_text()
    aliased = text.replace("tran ax[7:0] (x, {hi, lo});", "alias x = {hi, lo};")
    aliased = aliased.replace("tran ay(hi[0], lo[3]);", "alias hi[0] = lo[3];")
    aliased = aliased.replace("tran az(a, a2);", "alias a = a2;")
    assert aliased.count("alias") == 3
    assert run_text(tmp_path, aliased) == run(PROGRAMS / "joined.v")


def test_net_delays_and_charge_follow_the_standard() -> None:
    """Delay nets, keep charge, share it, and lose it (IEEE 1364-2005 4.4, 7.14, 7.15), which Icarus does not do."""
    assert run(PROGRAMS / "delays.v") == EXPECTED_DELAYS


EXPECTED_DELAYS = [
    "1 cap=St1 c2=SmX dl=StX dv=xxxx m=St1 dw=x",
    "2 cap=St1 c2=SmX dl=St1 dv=1111 m=St1 dw=x",
    "11 cap=St1 c2=St1 dl=St1 dv=1111 m=St1 dw=0",
    "16 cap=La1 c2=La1 dl=St1 dv=1111 m=Me1 dw=1",
    "18 cap=La1 c2=La1 dl=St1 dv=1111 m=Me1 dw=1",
    "19 cap=La1 c2=La1 dl=HiZ dv=1111 m=Me1 dw=1",
    "34 cap=La1 c2=La1 dl=HiZ dv=1111 m=Me1 dw=1",
    "35 cap=LaX c2=LaX dl=HiZ dv=1111 m=Me1 dw=1",
    "46 cap=St0 c2=SmX dl=HiZ dv=1111 m=St0 dw=1",
    "48 cap=St0 c2=SmX dl=St0 dv=0000 m=St0 dw=1",
    "59 cap=La0 c2=La0 dl=St0 dv=0000 m=Me0 dw=0",
    "60 cap=La0 c2=La0 dl=St0 dv=0000 m=Me0 dw=1",
    "62 cap=La0 c2=La0 dl=HiZ dv=0000 m=Me0 dw=1",
    "74 cap=St0 c2=St0 dl=St0 dv=0000 m=St0 dw=1",
]


def test_resistive_switches_reduce_strength(tmp_path: Path) -> None:
    """Reduce supply and strong to pull, pull to weak, and so on (IEEE 1800-2023 28.14)."""
    levels = ("supply", "strong", "pull", "weak")
    drivers = "".join(
        f"wire s{i}, r{i}, p{i}; assign ({level}0, {level}1) s{i} = 1; rnmos (r{i}, s{i}, c); nmos (p{i}, s{i}, c);"
        for i, level in enumerate(levels)
    )
    shown = ", ".join(f"r{i}, p{i}" for i in range(4))
    text = f'module t; reg c = 1; {drivers} initial begin #1 $display("{"%v %v " * 4}", {shown}); c = 1\'bx; #1'
    text += f' $display("{"%v %v " * 4}", {shown}); end endmodule'
    assert run_text(tmp_path, text) == [
        "Pu1 St1 Pu1 St1 We1 Pu1 Me1 We1 ",
        "PuH StH PuH StH WeH PuH MeH WeH ",
    ]


def test_rings_of_switches_lose_what_drove_them(tmp_path: Path) -> None:
    """Keep no value in a ring of switches that nothing drives any more."""
    text = """module t; wire a, b, c; reg on = 1, d = 1; tran (a, b); tran (b, c); tranif1 (c, a, 1'b1);
      assign a = on ? d : 1'bz;
      initial begin #1 $display("%v %v %v", a, b, c); on = 0; #1 $display("%v %v %v", a, b, c);
      d = 0; on = 1; #1 $display("%v %v %v", a, b, c); end endmodule"""
    assert run_text(tmp_path, text) == ["St1 St1 St1", "HiZ HiZ HiZ", "St0 St0 St0"]


def test_many_gates_compute_what_few_do(tmp_path: Path) -> None:
    """Give a netlist that is run from tables the values that compiled expressions have."""
    ops = ("and", "or", "xor", "nand", "nor", "xnor")
    gates = "".join(f"{ops[i % 6]} g{i} (n[{i}], i[{i % 5}], i[{i * 7 % 6}], i[{i * 3 % 4}]);" for i in range(300))
    names = {"and": "&", "or": "|", "xor": "^", "nand": "&", "nor": "|", "xnor": "^"}
    checks = "".join(
        f"if (n[{i}] !== ({'~' if ops[i % 6] in ('nand', 'nor', 'xnor') else ''}(i[{i % 5}] {names[ops[i % 6]]} "
        f"i[{i * 7 % 6}] {names[ops[i % 6]]} i[{i * 3 % 4}]))) bad = bad + 1;"
        for i in range(300)
    )
    text = f"""module t; reg [5:0] i; wire [299:0] n; integer k, j, bad = 0; {gates}
      initial begin for (k = 0; k < 200; k = k + 1) begin
        for (j = 0; j < 6; j = j + 1) case ($random & 3)
          0: i[j] = 0; 1: i[j] = 1; 2: i[j] = 1'bx; 3: i[j] = 1'bz; endcase
        #1 {checks} end $display("%0d bad", bad); end endmodule"""
    assert run_text(tmp_path, text) == ["0 bad"]


def test_countdrivers_counts_drivers_of_a_bit(tmp_path: Path) -> None:
    """Count drivers that drive 0, 1 and x, not those that are off."""
    text = """module t; wire v, w; assign w = 1'b0; assign (pull0, pull1) w = 1'bx; assign w = 1'bz;
      assign (weak0, weak1) w = 1; assign v = 1; integer f, d, z, o, x, m;
      task show; $display("%0d %0d %0d %0d %0d %0d", m, f, d, z, o, x); endtask
      initial begin #1 m = $countdrivers(w, f, d, z, o, x); show; m = $countdrivers(v, f, d, z, o, x); show;
      force w = 0; m = $countdrivers(w, f, d, z, o, x); show; end endmodule"""
    assert run_text(tmp_path, text) == ["1 0 3 1 1 1", "0 0 1 0 1 0", "1 1 3 1 1 1"]


def test_arrays_of_primitives_of_several_dimensions_are_refused(tmp_path: Path) -> None:
    """Refuse what the front end's library connects wrongly."""
    with pytest.raises(Unsupported, match="several dimensions"):
        run_text(tmp_path, "module t; wire [7:0] o; reg [7:0] a, b; and g[1:0][0:3] (o, a, b); endmodule")
