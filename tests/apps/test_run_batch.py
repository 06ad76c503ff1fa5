"""`weft batch`: results, stimulus, messages, exit statuses, Ctrl-C."""

import os
import signal
import threading

import numpy as np
import pytest

from cuda_host import HostGpu, use_host_gpu
from weft.apps.cli import run
from weft.base.errors import UserError

SOURCE = """
module top(input logic clk, input logic rst, input logic [7:0] a, output logic [15:0] total, output logic done);
  logic [99:0] wide = 0;
  always_ff @(posedge clk)
    if (rst) total <= 0;
    else begin
      total <= total + a;
      wide <= {wide[89:0], a, 2'b11};
      if (total == 16'hfff0) $error("too much");
      if (total == 16'hfff1) $fatal(1, "far too much");
      if (total == 16'hfff2) $finish;
    end
  assign done = total >= 100;
endmodule
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "top.sv").write_text(SOURCE)


def batch(*words):
    return run(["batch", "top.sv", "--top", "top", "--device", "cpu", *words])


def test_results(tmp_path, capsys):
    words = ["--lanes", "10", "--generate", "a=lane", "--cycles", "20", "--until", "done", "--out", "r.npz"]
    assert batch(*words) == 0
    text = capsys.readouterr().err
    assert "weft: 10 lanes on cpu\n" in text and "weft: reset top.rst, active high, for 10 cycles\n" in text
    assert "5 ran to the end, 5 stopped where 'done' holds; " in text and "weft: results in r.npz\n" in text
    with np.load("r.npz") as found:
        assert found["lane"].tolist() == list(range(10))
        assert found["status"].tolist() == ["time"] * 5 + ["condition"] * 5
        assert found["total"].tolist() == [0, 20, 40, 60, 80, 100, 102, 105, 104, 108]
        assert found["time_fs"][0] == 30 * 10**7 and found["done"].tolist() == [0] * 5 + [1] * 5


def test_stimulus_and_waveforms(capsys):
    np.savez("s.npz", x=np.arange(60).reshape(20, 3))
    words = ["--lanes", "3", "--stimulus", "s.npz", "--port", "a=x", "--out", "r.npz", "--signals", "w*", "-q"]
    assert batch(*words, "--wave", "lane.vcd", "--wave-lane", "2", "--set", "rst=0", "--reset", "none") == 0
    assert capsys.readouterr().err == ""
    with np.load("r.npz") as found:
        assert sorted(found) == ["lane", "status", "time_fs", "wide"] and found["wide"].shape == (3, 2)
    # The waveform is stimulus again.
    assert batch("--lanes", "2", "--stimulus", "lane.vcd", "--out", "s.npz", "--reset", "none") == 0
    assert "2 ran to the end; 40 lane cycles" in capsys.readouterr().err
    with np.load("s.npz") as found:
        assert found["total"].tolist() == [sum(range(2, 60, 3))] * 2


def test_tables():
    parquet = pytest.importorskip("pyarrow.parquet")
    words = [
        "--lanes",
        "3",
        "--cycles",
        "5",
        "--set",
        "a=0x7",
        "--out",
        "r.parquet",
        "--signals",
        "top.*",
        "--four-state",
    ]
    assert batch(*words, "-q") == 0
    table = parquet.read_table("r.parquet").to_pydict()
    assert table["total"] == [35] * 3 and table["total.unknown"] == [0] * 3 and len(table["wide"][0]) == 2


@pytest.mark.parametrize(
    ("first", "status", "said"), [(0xFFF0, 1, "$error"), (0xFFF1, 1, "1 failed"), (0xFFF2, 0, "finished")]
)
def test_exit_statuses(capsys, first, status, said):
    high = 255
    count = first // high
    np.savez("s.npz", a=np.array([high] * count + [first - count * high, 0, 0], np.uint8))
    assert batch("--lanes", "1", "--stimulus", "s.npz", "--reset", "rst:3") == status
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--lanes", "2"], "error: say how long to run: --cycles N, or --stimulus FILE [bad-option]"),
        (
            ["--lanes", "2", "--cycles", "1", "--out", "r.csv"],
            "error: --out writes .npz or .parquet, not 'r.csv' [bad-option]",
        ),
        (["--lanes", "2", "--cycles", "1", "--set", "a"], "error: --set is NAME=..., not 'a' [bad-option]"),
        (["--lanes", "2", "--cycles", "1", "--set", "a=x"], "error: --set a takes an integer, not 'x' [bad-option]"),
        (["--lanes", "2", "--cycles", "1", "--port", "a=x"], "error: --port needs --stimulus FILE [bad-option]"),
        (["--lanes", "2", "--cycles", "1", "--signals", "q*"], "error: no signal matches q* [unknown-signal]"),
        (
            ["--lanes", "2", "--cycles", "1", "--wave", "x.vcd", "--wave-lane", "2"],
            "error: there is no lane 2: the batch has lanes 0 to 1 [bad-lanes]",
        ),
        (["--lanes", "2", "--stimulus", "n.npz"], "error: cannot read 'n.npz': there is no such file [no-such-file]"),
        (["--cycles", "2"], "weft: Missing option '--lanes'."),
    ],
)
def test_bad_options(capsys, words, message):
    assert batch(*words) == 2
    assert message in capsys.readouterr().err


def test_an_output_that_cannot_be_written(capsys):
    assert batch("--lanes", "2", "--cycles", "1", "--out", "none/r.npz") == 2
    assert "error: cannot write 'none/r.npz': No such file or directory [cannot-write]" in capsys.readouterr().err


def test_interrupts(capsys, monkeypatch):
    """Ctrl-C ends the run after a piece; the results are written."""
    from weft.engines.cpu.lane_engine import CpuLanes

    original, calls = CpuLanes.run, []

    def pressed(self, *arguments):
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        original(self, *arguments)

    monkeypatch.setattr(CpuLanes, "run", pressed)
    assert threading.current_thread() is threading.main_thread()
    assert batch("--lanes", "3", "--cycles", "100000000", "--generate", "a=lane", "--out", "r.npz") == 130
    text = capsys.readouterr().err
    assert "weft: not complete; " in text and "weft: interrupted" in text
    with np.load("r.npz") as found:
        cycles = int(found["time_fs"][0]) // 10**7 - 10
        assert cycles > 0 and found["total"].tolist() == [lane * cycles & 0xFFFF for lane in range(3)]


def test_profile(tmp_path, capsys, monkeypatch):
    assert batch("--lanes", "40", "--cycles", "300", "--max-steps", "20", "--profile-output", "p.json") == 0
    text = capsys.readouterr().err
    for words in ("generate kernels", "launches", "run ", "host", "12,400 lane cycles on cpu", "flame graph in p.json"):
        assert words in text
    assert (tmp_path / "p.json").exists()
    monkeypatch.setenv("WEFT_PROFILE", "1")
    batch("--lanes", "2", "--cycles", "3")
    assert (tmp_path / "top.speedscope.json").exists() and "flame graph in top" in capsys.readouterr().err
    batch("--lanes", "2", "--cycles", "3", "--no-profile")
    assert "flame" not in capsys.readouterr().err


def test_gpus_and_their_times(capsys, monkeypatch):
    use_host_gpu(monkeypatch, HostGpu(2), threads=32)
    words = [
        "batch",
        "top.sv",
        "--top",
        "top",
        "--lanes",
        "128",
        "--cycles",
        "9",
        "--device",
        "cuda",
        "--devices",
        "all",
    ]
    assert run(words) == 0 and "by the GPU's clock" not in capsys.readouterr().err
    monkeypatch.setenv("WEFT_GPU_TIMESTAMPS", "1")
    assert run(words) == 0
    text = capsys.readouterr().err
    assert "128 lanes on 2 x Test GPU" in text and "kernel run: " in text and "s by the GPU's clock" in text
    assert run([*words, "--profile"]) == 0
    text = capsys.readouterr().err
    assert "% of the" in text and "that its integer units allow, by" in text and "of a copy there" in text
    assert "registers" in text and "bytes to the device" in text
    assert run([*words, "--devices", "x"]) == 2
    assert "--devices takes all or numbers of GPUs such as 0,1, not 'x'" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "begun"), [(("--device", "cuda", "--devices", "1"), [1]), (("--device", "cpu"), [])])
def test_a_gpu_is_initialised_beside_the_design(monkeypatch, words, begun):
    """What goes wrong in the thread is told where the batch is made."""
    from weft.engines.cuda import begin_driver, driver
    from weft.sim import begin_device

    made = []

    def note(ordinal):
        made.append((threading.current_thread() is threading.main_thread(), ordinal))

    def missing():
        raise UserError("no-gpu", "no bindings")

    monkeypatch.setattr(begin_driver, "begin_driver", note)
    monkeypatch.setattr(driver, "_bindings", missing)
    assert batch("--lanes", "2", "--cycles", "1", *words) == (2 if begun else 0)
    begin_device._workers.submit(lambda: None).settled()
    assert made == [(False, number) for number in begun]
