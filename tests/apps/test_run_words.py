"""`weft run`: iverilog's and vvp's words, the plan they make, and bad ones."""

import pytest
import pywellen

from weft.apps import run_events
from weft.apps.cli import run
from weft.apps.run_events import make_plan
from weft.apps.run_words import expand_words, has_sources, read_generation
from weft.base.errors import UserError
from weft.sim.run_plan import OnStop, ParameterOverride, RunPlan, SdfFile, read_sdf


@pytest.fixture
def planned(monkeypatch):
    """Catch the plan instead of running it; return a function that gives plan and exit status for words."""
    plans: list[RunPlan] = []

    def simulate(plan):
        plans.append(plan)
        return 5

    monkeypatch.setattr(run_events, "_event_simulation", lambda: simulate)

    def call(*words):
        plans.clear()
        status = run(["run", *words])
        return (plans[0] if plans else None), status

    return call


def test_a_users_line(planned, tmp_path):
    sdf = tmp_path / "d.sdf"
    sdf.write_text("")
    plan, status = planned(
        "-stb", "-g2005", "-gno-specify", "-Ptb.N=3", "-P", 'tb.NAME="x"', "-DX=1", "-Iinc", "-y", "lib", "-Y", ".v",
        "-Tmin", "-c", "list.f", "-l", "cells.v", "tb.v", "dut.v", "+go=1", "+define+Y", "--wave", "a.fst",
        "--signals=tb.*", "--max-delta", "50", "--seed=7", "--shuffle", "3", "--engine", "event",
        f"--sdf={sdf}:tb.dut", "--allow-system", "-q", "-N",
    )  # fmt: skip
    assert status == 5
    assert plan == RunPlan(
        front_end=(
            "--std=1364-2005", "--single-unit", "-DX=1", "-Iinc", "-y", "lib", "-Y", ".v", "-f", "list.f", "-v",
            "cells.v", "tb.v", "dut.v", "+define+Y",
        ),
        tops=("tb",),
        parameters=(ParameterOverride("tb", "N", "3"), ParameterOverride("tb", "NAME", '"x"')),
        plusargs=("go=1",),
        delays="min",
        specify=False,
        on_stop=OnStop.FAIL,
        wave="a.fst",
        signals=("tb.*",),
        max_delta=50,
        seed=7,
        shuffle=3,
        engine="event",
        sdf=(SdfFile(str(sdf), "tb.dut"),),
        allow_system=True,
        quiet=True,
    )  # fmt: skip


def test_defaults(planned):
    plan, _ = planned("tb.v")
    assert plan == RunPlan(front_end=("--std=1800-2023", "--single-unit", "tb.v"), on_stop=OnStop.FINISH)
    assert planned("-u", "tb.v", "-n")[0] == RunPlan(front_end=("--std=1800-2023", "tb.v"), on_stop=OnStop.FINISH)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no source files"),
        (("-DX", "-I", "dir", "+arg"), "no source files"),
        (("tb.v", "-T", "fast"), "choose one of min, typ, max, none"),
        (("tb.v", "--engine", "gpu"), "choose one of auto, event, cycle"),
        (("tb.v", "-P", "N=3"), "-P top.NAME=VALUE"),
        (("tb.v", "-P", "a.b.N=3"), "-P top.NAME=VALUE"),
        (("tb.v", "-s", "tb", "-P", "dut.N=3"), "'dut' is not among the top modules (tb)"),
        (("tb.v", "-g2525"), "no such language"),
        (("tb.v", "-o", "a.out"), "there is no output file"),
        (("tb.v", "-oa.out"), "there is no output file"),
        (("tb.v", "-tvvp"), "only one target"),
        (("tb.v", "--wave", "a.lxt"), "must end in .fst or .vcd"),
        (("tb.v", "--signals", "x"), "--signals needs --wave"),
        (("tb.v", "--tune", "--engine=event"), "--tune with --engine=event: such a run has no parts"),
        (("tb.v", "--tune", "--shuffle", "1"), "--tune with --shuffle: such a run has no parts"),
        (("tb.v", "--tune", "--wave", "a.fst"), "--tune with --wave: such a run has no parts"),
        (("tb.v", "--sdf", "nowhere.sdf:tb"), "cannot read the delays 'nowhere.sdf'"),
        (("tb.v", "--max-delta", "0"), "max-delta"),
        (("tb.v", "--shuffle", "x"), "shuffle"),
    ],
)
def test_bad_words(planned, capsys, words, message):
    plan, status = planned(*words)
    assert (plan, status) == (None, 2)
    assert message in capsys.readouterr().err


def test_the_prompt_needs_a_terminal():
    assert make_plan(["tb.v"], [], terminal=True).on_stop is OnStop.PROMPT
    assert make_plan(["tb.v"], [], terminal=False).on_stop is OnStop.FINISH
    assert make_plan(["tb.v"], [], terminal=True, finish_on_stop=True).on_stop is OnStop.FINISH


def test_generations():
    assert read_generation(["2005", "2012", "xtypes", "assertions"]).words == ["--std=1800-2017"]
    assert not read_generation(["no-assertions"]).assertions
    assert read_generation(["no-specify", "specify"]).specify
    with pytest.raises(UserError):
        read_generation(["specific"])


def test_values_stay_with_their_options():
    assert expand_words(["-D", "-oX", "-y", "-s", "a.v"])[1:] == ["-D", "-oX", "-y", "-s", "a.v"]
    assert has_sources(["-f", "list"]) and has_sources(["a.v"])
    assert not has_sources(["-y", "a.v", "-D", "b.v", "+libext+.v", "--std", "1800-2017"])


def test_sdf_scopes():
    assert read_sdf("a.sdf:tb.u[3].v") == SdfFile("a.sdf", "tb.u[3].v")
    assert read_sdf("a.sdf") == SdfFile("a.sdf")
    assert read_sdf("C:\\dir\\a.sdf") == SdfFile("C:\\dir\\a.sdf")


def test_a_run_with_files_and_waves(tmp_path, monkeypatch, capfd):
    """What a testbench writes by descriptor 1 and to files, and an FST file because its name says so."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tb.v").write_text("""module tb; integer f, n; reg [15:0] r; reg a = 0; initial begin
        $dumpfile("a.fst"); $dumpvars;
        f = $fopen("out.txt", "w"); $fdisplay(f | 0, "file"); $fdisplay(1, "both %0d", $random); $fclose(f);
        n = $value$plusargs("r=%h", r); #5 a = 1; $display("%0d %h", n, r); #1 $finish(0); end endmodule""")
    assert run(["run", "tb.v", "+r=1x", "--seed", "1"]) == 0
    assert capfd.readouterr().out.splitlines() == [
        "FST info: dumpfile a.fst opened for output.", "both -2147414528", "1 001x",
    ]  # fmt: skip
    assert (tmp_path / "out.txt").read_text() == "file\n"
    changes = next(list(var.tv) for var in pywellen.Waveform("a.fst").all_vars() if var.full_name.endswith("tb.a"))
    assert [(time, int(value)) for time, value in changes] == [(0, 0), (5, 1)]


def test_coverage_is_shown_and_written(tmp_path, capfd):
    text = """
    module t; bit [1:0] a; covergroup g; option.goal = 90; cp: coverpoint a { bins low = {[0:1]}; bins high = {3}; }
      x: cross cp, a; endgroup
      g c = new, d = new; initial begin c.set_inst_name("first"); c.sample(); a = 3; c.sample(); end endmodule
    """
    (tmp_path / "t.sv").write_text(text)
    written = tmp_path / "coverage.txt"
    assert run(["run", "-q", "--coverage", "--coverage-file", str(written), str(tmp_path / "t.sv")]) == 0
    table = """\
covergroup         bins        coverage
t.g                6/28         29.17 %
  instance first         58.33 % < goal
    coverpoint cp   2/2        100.00 %
    coverpoint a    2/4         50.00 %
      not hit: auto[1], auto[2]
"""
    shown = capfd.readouterr().out
    assert shown == written.read_text()
    assert shown.startswith(table)
