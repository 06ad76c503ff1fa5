"""The command line, as users call it: results, exit statuses, messages, bad input."""

import os
import signal
import subprocess
import sys
import time

import pytest

from weft.apps.cli import run
from weft.apps.split_words import split_words

SOURCE = """
module top(input logic clk, input logic rst_n, output logic [7:0] q);
  parameter STEP = 1;
  initial if ($test$plusargs("hello")) $display("hello");
  always_ff @(posedge clk or negedge rst_n) if (!rst_n) q <= 0; else q <= q + STEP;
  always @(posedge clk) begin
    if (q == 50) begin $display("fifty"); $finish; end
    if (q == 40 && $test$plusargs("fail")) $error("forty");
    if (q == 45 && $test$plusargs("fatal")) $fatal(1, "forty-five");
  end
endmodule
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "top.sv").write_text(SOURCE)
    return tmp_path


def weft(capfd, *words):
    status = run(words)
    out, err = capfd.readouterr()
    assert "Traceback" not in err
    return status, out, err


def test_help_is_quick():
    start = time.perf_counter()
    code = """if True:
        import sys
        from weft.apps.cli import run
        run(["--help"])
        print(sorted({"numpy", "pyslang", "llvmlite"} & set(sys.modules)))"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Simulate Verilog" in result.stdout and result.stdout.rstrip().endswith("[]")
    assert time.perf_counter() - start < 3


def test_sim_to_the_finish(here, capfd):
    status, out, err = weft(capfd, "sim", "top.sv", "+hello")
    assert (status, out.splitlines()[:2]) == (0, ["hello", "fifty"])
    assert "clock top.clk, period 10 ns" in err and "reset top.rst_n, active low, for 10 cycles" in err
    assert "finished at 605 ns" in err


def test_limits(here, capfd):
    assert "130 ns, 13 cycles" in weft(capfd, "sim", "top.sv", "--cycles", "3")[2]
    assert "'q == 5' holds at 145 ns" in weft(capfd, "sim", "top.sv", "--until", "q == 5")[2]
    assert "ended at 1 us" in weft(capfd, "sim", "top.sv", "--until", "1us", "--reset", "!rst_n:100")[2]
    assert "ended at 14 ns" in weft(capfd, "sim", "top.sv", "--cycles", "7", "--period", "2ns", "--reset", "none")[2]
    assert weft(capfd, "sim", "top.sv", "--cycles", "3", "-q")[1:] == ("", "")


def test_random_numbers_have_a_seed(here, capfd):
    (here / "die.sv").write_text('module die(input clk); always @(posedge clk) $display("%0d", $random); endmodule')
    plain, seeded = (weft(capfd, "sim", "die.sv", "--cycles", "3", "-q", *more)[1] for more in ((), ("--seed", "5")))
    assert plain.split() == ["303379748", "-1064739199", "-2071669239"] != seeded.split()


def test_design_errors_give_status_1(here, capfd):
    status, out, err = weft(capfd, "sim", "top.sv", "+fail")
    assert status == 1 and "ERROR: top.sv:8: forty" in out and "1 errors" in err
    status, out, _ = weft(capfd, "sim", "top.sv", "+fatal")
    assert status == 1 and "FATAL: top.sv:9: forty-five" in out and "fifty" not in out


def test_slang_options_pass(here, capfd):
    assert "'q == 40' holds at 145 ns" in weft(capfd, "sim", "top.sv", "-G", "STEP=8", "--until", "q == 40")[2]
    (here / "list.f").write_text("top.sv\n-GSTEP=4\n")
    assert "'q == 40' holds at 195 ns" in weft(capfd, "sim", "-f", "list.f", "--until", "q == 40")[2]
    (here / "list.f").write_text("top.sv\n-GSTEP=8\n")
    assert "'q == 40' holds at 145 ns" in weft(capfd, "sim", "-f", "list.f", "--until", "q == 40")[2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.sv"], "no-such-file"),
        ([], "no-such-file"),
        (["top.sv", "--top", "tip"], "no module is called 'tip'; did you mean top?"),
        (["bad.sv"], "source-errors"),
        (["timed.sv"], "timed.sv:1:"),
        (["top.sv", "--until", "q =="], "bad-expression"),
        (["top.sv", "--until", "p == 1"], "unknown-signal"),
        (["top.sv", "--clock", "q"], "bad-option"),
        (["top.sv", "--clock", "ckl"], "did you mean 'clk'"),
        (["top.sv", "--reset", "rst"], "did you mean 'rst_n'"),
        (["top.sv", "--x-initial", "7"], "bad-option"),
        (["top.sv", "--period", "10"], "bad-option"),
        (["top.sv", "--loops", "maybe"], "bad-option"),
        (["top.sv", "--engine", "steam"], "bad-option"),
        (["top.sv", "--cycles", "many"], "--cycles"),
        (["top.sv", "--no-such-option"], "no-such-option"),
        (["top.sv", "--wave", "no/such/folder.fst"], "cannot-write"),
        (["top.sv", "--wave", "o.txt"], "bad-option"),
        (["top.sv", "--wave-from", "1ns"], "--wave FILE"),
        (["top.sv", "--wave", "o.fst", "--wave-from", "2ns", "--wave-to", "1ns"], "before"),
        (["top.sv", "--load", "none.weft"], "no-such-file"),
        (["top.sv", "--cycles", "1", "--save", "no/folder.weft"], "cannot-write"),
        (["two.sv"], "--clock a"),
        (["resets.sv"], "--reset"),
    ],
)
def test_bad_input_gives_status_2(here, capfd, words, message):
    (here / "bad.sv").write_text("module bad(input clk; endmodule\n")
    (here / "timed.sv").write_text("module timed; initial #5 $finish; endmodule\n")
    (here / "two.sv").write_text(
        "module two(input a, b, output reg p, q);\nalways @(posedge a) p <= !p;\n"
        "always @(posedge b) q <= !q;\nendmodule\n"
    )
    (here / "resets.sv").write_text(
        "module r(input clk, rst_a, rst_b, output reg p, q);\nalways @(posedge clk or posedge rst_a) if (rst_a) p <= 0;"
        " else p <= !p;\nalways @(posedge clk or posedge rst_b) if (rst_b) q <= 0; else q <= !q;\nendmodule\n"
    )
    status, _, err = weft(capfd, "sim", *words)
    assert status == 2 and message in err, err


def test_save_and_load(here, capfd):
    assert weft(capfd, "sim", "top.sv", "--until", "q == 20", "--save", "s.weft")[0] == 0
    status, _, err = weft(capfd, "sim", "top.sv", "--load", "s.weft", "--until", "q == 30")
    assert status == 0 and "'q == 30' holds at 395 ns" in err and "reset" not in err


def test_wave_window(here, capfd):
    status, *_ = weft(
        capfd, "sim", "top.sv", "--wave", "o.vcd", "--wave-from", "150ns", "--wave-to", "200ns", "--signals", "q"
    )
    text = (here / "o.vcd").read_text()
    times = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    assert status == 0 and times[0] == 150 and times[-1] == 200 and "rst_n" not in text


def test_build_and_hierarchy(here, capfd):
    status, out, _ = weft(capfd, "build", "top.sv")
    assert status == 0 and "parse and elaborate" in out and "state bytes" in out
    status, out, _ = weft(capfd, "build", "top.sv")
    assert "load from cache" in out and "parse" not in out
    status, out, _ = weft(capfd, "hierarchy", "top.sv", "--signals")
    assert status == 0 and "top (top)" in out and "q [8]" in out


def test_profile(here, capfd, monkeypatch):
    status, out, err = weft(capfd, "sim", "top.sv", "--cycles", "30", "--profile")
    assert (status, out) == (0, "") and (here / "top.speedscope.json").exists()
    for words in (
        "parse and elaborate",
        "general step",
        "of the run",
        "Python",
        "40 cycles",
        "cache: ",
        "flame graph in top",
    ):
        assert words in err
    monkeypatch.setenv("WEFT_PROFILE", "1")
    weft(capfd, "sim", "top.sv", "--cycles", "30", "--profile-output", "other.json")
    assert (here / "other.json").exists()
    assert "flame" not in weft(capfd, "sim", "top.sv", "--cycles", "30", "--no-profile")[2]


def test_a_call_goes_no_further_than_max_steps(here, capfd, monkeypatch):
    from weft.engines.cpu import program

    fitted = []
    monkeypatch.setattr(program.CpuProgram, "_fit_slice", lambda self, seconds: fitted.append(seconds))
    assert weft(capfd, "sim", "top.sv", "--cycles", "300", "--max-steps", "5")[0] == 0
    cut = len(fitted)
    fitted.clear()
    assert weft(capfd, "sim", "top.sv", "--cycles", "300")[0] == 0
    assert cut > 5 * len(fitted), "a slice has five edges"


def test_doctor(here, capfd):
    status, out, _ = weft(capfd, "doctor")
    assert status == 0 and "LLVM" in out and "SIMD" in out and "cocotb" in out


def test_interrupt_ends_cleanly(here):
    """Ctrl-C in a run completes the waveform, says where it ended, and gives status 130."""
    (here / "top.sv").write_text(SOURCE.replace("q == 50", "0"))
    words = [sys.executable, "-m", "weft", "sim", "top.sv", "--wave", "o.vcd", "--signals", "q"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert process.stderr is not None
    for line in process.stderr:
        if "reset" in line:
            break
    while not (here / "o.vcd").exists() or (here / "o.vcd").stat().st_size < 10_000:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 130 and "interrupted at" in rest and "Traceback" not in rest
    assert (here / "o.vcd").read_text().rstrip().splitlines()[-1].startswith("#")


def test_interrupt_while_compiling(here, capfd, monkeypatch):
    monkeypatch.setattr("weft.sim.elaborate.elaborate", lambda *_, **__: signal.raise_signal(signal.SIGINT))
    assert weft(capfd, "sim", "top.sv")[0] == 130


def test_split_words():
    split = split_words(
        ["a.sv", "--top", "t", "+x=1", "+define+Y", "-Iinc", "-q", "--cycles=3", "-I", "dir"],
        {"--top": True, "-q": False, "--cycles": True},
    )
    assert split.own == ["--top", "t", "-q", "--cycles=3"]
    assert split.slang == ["a.sv", "+define+Y", "-Iinc", "-I", "dir"] and split.plusargs == ["x=1"]
