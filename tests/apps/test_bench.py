"""`weft bench`: finding the design, measuring, reporting, and what counts as a regression."""

import json

import pytest

from weft.apps.bench_command import parse_threshold
from weft.apps.bench_designs import MeasuredDesign, find_design
from weft.apps.cli import run
from weft.apps.run_bench import METRICS, BenchResult, Metric, describe_machine, read_baseline, to_markdown
from weft.base.errors import UserError

SOURCE = """module top(input logic clk, input logic rst_n, output logic [7:0] q);
  always_ff @(posedge clk or negedge rst_n) if (!rst_n) q <= 0; else q <= q + `STEP;
  always @(posedge clk) if (q == 200 && `STEP == 2) $finish;
endmodule
"""
DESIGNS = """[counter]
files = ["rtl/top.sv"]
options = ["-D", "STEP=1"]
top = "top"
cycles = 3_000

[stopper]
files = ["rtl/top.sv"]
options = ["-D", "STEP=2"]
cycles = 3_000
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "top.sv").write_text(SOURCE)
    (tmp_path / "rtl" / "top.f").write_text("rtl/top.sv\n")
    (tmp_path / "weft-bench.toml").write_text(DESIGNS)
    return tmp_path


def weft(capfd, *words):
    status = run(words)
    out, err = capfd.readouterr()
    assert "Traceback" not in err
    return status, out, err


def test_measuring(here, capfd):
    words = ("bench", "--design", "counter", "--runs", "2", "--json", "a.json", "--markdown", "a.md")
    status, out, err = weft(capfd, *words)
    assert (status, err) == (0, "") and out == (here / "a.md").read_text()
    assert out.startswith("# counter\n") and "2 rounds: a cold start" in out
    assert "runs 300 cycles to warm up and 3,000 that are timed" in out and "| mean | median | min | max |" in out
    result = json.loads((here / "a.json").read_text())
    assert list(result["metrics"]) == list(METRICS) and result["runs"] == 2
    for metric in result["metrics"].values():
        assert len(metric["values"]) == 2 and metric["min"] <= metric["median"] <= metric["max"]
        assert metric["mean"] == pytest.approx(sum(metric["values"]) / 2)


def test_batches(here, capfd):
    """A cycle is one lane's; a baseline of another number of lanes is told."""
    words = ("bench", "--design", "counter", "--runs", "1", "--cycles", "400", "--json", "a.json")
    status, out, _ = weft(capfd, *words, "--lanes", "24", "--device", "cpu")
    assert status == 0 and "400 that are timed, in each of 24 lanes; one round" in out and " lane cycles/s" in out
    result = json.loads((here / "a.json").read_text())
    assert result["lanes"] == 24 and result["machine"] == describe_machine()
    base = read_baseline("a.json", "counter")
    batch = BenchResult(MeasuredDesign("d", ("d.v",), lanes=24), 1, result_of(0.1234).metrics, "Some GPU")
    assert "The baseline is of a batch" not in to_markdown(batch, base, 0.1)
    assert f"{describe_machine()}, Some GPU." in to_markdown(batch, base, 0.1)
    assert "another machine" in to_markdown(batch, base, 0.1)
    assert "The baseline is of a batch of 24 lanes." in to_markdown(result_of(1.0), base, 0.1)
    assert "The baseline is of one simulation." in to_markdown(batch, {**base, "lanes": 0}, 0.1)
    status, _, err = weft(capfd, *words, "--device", "cpu")
    assert (status, err) == (2, "error: --device is for batches: say how many lanes, --lanes N [bad-option]\n")


def test_comparing(here, capfd, monkeypatch):
    """The status is 1 if any median is worse than the baseline allows."""

    def measure(design, runs, tell):
        assert (runs, design.cycles, design.warmup, design.name) == (1, 100, 10, "counter")
        return BenchResult(design, runs, {name: Metric("s", (1.0,)) for name in METRICS})

    monkeypatch.setattr("weft.apps.bench_command.measure_design", measure)
    words = ("bench", "--design", "counter", "--runs", "1", "--cycles", "100", "--baseline", "b.json")
    for before, threshold, expected in ((0.95, "10%", 0), (0.95, "0.05", 1), (0.1, "900.1%", 0), (2.0, "0", 0)):
        baseline = result_of(before).to_json() | {"design": "counter"}
        (here / "b.json").write_text(json.dumps(baseline))
        status, out, _ = weft(capfd, *words, "--threshold", threshold)
        assert status == expected and "The baseline's runs had 100,000 cycles." in out
        assert ("Verdict: slower by more than 5 %: cold start, warm start, cycle, " in out) == bool(expected)
        assert out.endswith("Verdict: no regression.\n") == (not expected)


def test_a_run_that_fails(here, capfd):
    status, _, err = weft(capfd, "bench", "--design", "stopper", "--runs", "1")
    assert (status, err) == (2, "error: the design finished within the 300 cycles of warm-up [bench-failed]\n")
    status, _, err = weft(capfd, "bench", "rtl/top.sv", "--runs", "1")
    assert status == 2 and err.startswith("error: a run failed\n") and "STEP" in err and "[source-errors]" in err


def test_finding_designs(here):
    design = find_design("counter", "", ())
    assert (design.words, design.folder, design.cycles, design.warmup) == (
        ("rtl/top.sv", "-D", "STEP=1"), ".", 3000, 300,
    )  # fmt: skip
    assert find_design("counter", str(here / "weft-bench.toml"), ()).folder == str(here)
    assert find_design("rtl/top.f", "", ("-DX",)).words == ("-f", "rtl/top.f", "-DX")
    assert find_design("rtl/top.sv", "", ()).words == ("rtl/top.sv",)
    assert find_design("", "", ("-Iinc", "rtl/top.sv")).name == "top"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("", "", ()), "no design: weft bench --design NAME, or files as for weft sim"),
        (("x", "", ()), "--design x: neither a file nor a known design; there are counter, stopper"),
        (("counter", "", ("y.sv",)), "'y.sv' is too much: 'counter' is a design of its own"),
        (("x", "none.toml", ()), "cannot read the designs 'none.toml': No such file or directory"),
        (("x", "rtl/top.sv", ()), "'rtl/top.sv' is no TOML: "),
        (("x", "key.toml", ()), "'key.toml': [x] has 'file'; known are files, options, "),
        (("x", "kind.toml", ()), "'kind.toml': cycles of [x] must be a number"),
        (("x", "list.toml", ()), "'list.toml': files of [x] must be a list of texts"),
        (("x", "flat.toml", ()), "'flat.toml': 'x' is no table of a design"),
    ],
)
def test_bad_designs(here, words, message):
    (here / "key.toml").write_text('[x]\nfile = "a"\n')
    (here / "kind.toml").write_text("[x]\ncycles = true\n")
    (here / "list.toml").write_text("[x]\nfiles = [1]\n")
    (here / "flat.toml").write_text("x = 1\n")
    with pytest.raises(UserError) as error:
        find_design(*words)
    assert error.value.message.startswith(message)


def result_of(*values):
    return BenchResult(MeasuredDesign("d", ("d.v",)), len(values), {name: Metric("s", values) for name in METRICS})


def test_bad_baselines(here):
    for text in ("", "[]", '{"format": 2}', '{"format": 1, "metrics": []}'):
        (here / "b.json").write_text(text)
        with pytest.raises(UserError, match=r"'b.json' is no result of weft bench --json \[bad-option\]"):
            read_baseline("b.json", "d")
    (here / "b.json").write_text(json.dumps(result_of(1.0).to_json()))
    assert read_baseline("b.json", "d")["medians"]["cycle"] == 1.0
    with pytest.raises(UserError, match=r"the baseline 'b\.json' is of 'd', not of 'e'"):
        read_baseline("b.json", "e")
    with pytest.raises(UserError, match=r"cannot read the baseline 'none': No such file"):
        read_baseline("none", "d")


def test_the_report(here):
    base = {"medians": {"cycle": 1.0}, "machine": "an abacus", "cycles": 100_000}
    text = to_markdown(result_of(1.0, 1.3, 1.05), base, 0.1)
    assert "| cycle, s | 1.1 | 1.1 | 1.0 | 1.3 | 1.0 | +5.0 % |" in text
    assert "The machine is noisy: values differ by more than 10 % of the median (cold start 29 %, " in text
    assert "The baseline is of another machine: an abacus." in text and "Verdict: no regression." in text
    text = to_markdown(result_of(1.2, 1.2), {**base, "machine": describe_machine()}, 0.1)
    assert "**+20.0 %**" in text and "Verdict: slower by more than 10 %: cycle." in text
    assert "noisy" not in text and "another machine" not in text


def test_thresholds():
    assert [parse_threshold(text) for text in ("10%", "0.1", "2.5 %", ".5")] == [0.1, 0.1, 0.025, 0.5]
    for text in ("", "ten", "-1%", "1%%"):
        with pytest.raises(UserError, match=r"--threshold .*: write 10% or 0.1 \[bad-option\]"):
            parse_threshold(text)
