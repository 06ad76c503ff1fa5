"""`weft faults`: what it prints and writes, how it begins, and what it refuses."""

import json

import pytest

from weft.apps.cli import run

SOURCE = """
module top(input logic clk, input logic rst, input logic [3:0] a, output logic [3:0] q);
  logic [3:0] r;
  always_ff @(posedge clk) if (rst) r <= 0; else r <= r + a;
  assign q = ~r;
endmodule
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "top.sv").write_text(SOURCE)
    (tmp_path / "in.txt").write_text("a  # one input\n1\nf\n3\n")
    return tmp_path


def test_reports(source, capsys):
    words = ["faults", "top.sv", "--top", "top", "--sites", "*", "--sites", "!rst", "--models", "stuck,flip"]
    words += ["--observe", "q", "--cycles", "60", "--device", "cpu", "--report", "r.md", "--report", "r.json"]
    assert run([*words, "--stimulus", "random:4", "--warmup", "5"]) == 0
    printed = capsys.readouterr()
    assert "fault coverage:" in printed.out and "faults in 3 signals" in printed.err
    data = json.loads((source / "r.json").read_text())
    assert data["complete"] and data["total"] == 3 * 4 * 3 and data["fault_coverage"] > 0.9
    assert "| `top` | 36 |" in (source / "r.md").read_text()
    assert run([*words, "--stimulus", "in.txt", "--reset", "none", "--at", "3,7", "-q"]) == 0
    assert json.loads((source / "r.json").read_text())["total"] == 3 * 4 * 4
    (source / "list.txt").write_text("sa1 top.r[2]\n")
    assert run(["faults", "top.sv", "--faults", "list.txt", "--device", "cpu", "--cycles", "9"]) == 0
    assert "detected:" in capsys.readouterr().out


def test_pins_and_dominance(source, capsys):
    words = ["faults", "top.sv", "--sites", "q", "--pins", "r", "--cycles", "60", "--stimulus", "random:4", "-q"]
    assert run([*words, "--device", "cpu", "--dominance", "--no-refill", "--report", "r.json"]) == 0
    names = {fault["name"] for fault in json.loads((source / "r.json").read_text())["faults"]}
    assert {"top.r<top.a[3]", "top.r<top.rst", "top.q[0]"} <= names
    assert run([*words, "--device", "cpu", "--dominance", "--no-collapse"]) == 2
    assert "dominance needs collapse" in capsys.readouterr().err


def test_an_interrupted_run_reports_what_it_has(source, capsys, monkeypatch):
    from weft.sim.faults import campaign as module

    def interrupt(self, number):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.LaneFaults, "_drop_masked", interrupt)
    words = ["faults", "top.sv", "--cycles", "500", "--device", "cpu", "--stimulus", "random:1", "--report", "r.json"]
    assert run(words) == 130
    assert "cut short" in capsys.readouterr().out
    assert json.loads((source / "r.json").read_text())["complete"] is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--stimulus", "random:x"], "--stimulus random:x: the seed is a number"),
        (["--stimulus", "nowhere.txt"], "cannot read 'nowhere.txt'"),
        (["--stimulus", "top.sv"], "top.sv:3"),
        (["--at", "x"], "--at x: write cycles as 100,200"),
        (["--sites", "none"], "no signal matches 'none'"),
        (["--faults", "nowhere.txt"], "cannot read 'nowhere.txt'"),
        (["--report", "no/where.md"], "cannot write 'no/where.md'"),
    ],
)
def test_bad_input(source, capsys, words, message):
    assert run(["faults", "top.sv", "--device", "cpu", "--cycles", "9", *words]) == 2
    assert message in capsys.readouterr().err
