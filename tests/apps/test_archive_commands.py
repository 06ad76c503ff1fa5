"""`weft archive` and the `--pipeline` options, as users call them."""

import pytest

from weft.apps.cli import run
from weft.engines.cpu import jit

SOURCE = """module top(input logic clk, output logic [7:0] q);
  always_ff @(posedge clk) q <= q + 1;
endmodule
"""
BENCH = 'module test; initial $display("hello"); endmodule\n'


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "top.sv").write_text(SOURCE)
    (tmp_path / "test.v").write_text(BENCH)
    return tmp_path


def weft(capfd, *words):
    status = run(words)
    out, err = capfd.readouterr()
    assert "Traceback" not in err
    return status, out, err


def move_away(here, monkeypatch):
    """Go on with an empty cache, where nothing can be compiled."""
    monkeypatch.setenv("WEFT_CACHE_DIR", str(here / "cache2"))
    monkeypatch.setattr(jit, "compile_object", None)


def test_save_and_load(here, capfd, monkeypatch):
    status, out, _ = weft(capfd, "archive", "save", "top.weftar", "top.sv", "--top", "top", "--full")
    assert status == 0 and out.startswith("saved ") and (here / "top.weftar").exists()
    status, out, _ = weft(capfd, "archive", "list", "top.weftar")
    assert status == 0 and {"design", "index", "units", "full"} <= set(out.split()) and " no" not in out
    assert weft(capfd, "archive", "verify", "top.weftar")[:2] == (
        0,
        f"{len(out.splitlines()) - 1} entries are good, 0 are damaged\n",
    )
    move_away(here, monkeypatch)
    status, out, _ = weft(capfd, "archive", "load", "top.weftar")
    assert status == 0 and out.startswith("loaded ") and out.endswith("0 were there\n")
    status, _, err = weft(capfd, "sim", "top.sv", "--top", "top", "--cycles", "100", "--pipeline-log")
    assert status == 0 and "100 cycles" in err and ", 0 made" in err


def test_code_of_earlier_runs_goes_along(here, capfd):
    """What a long run has made for the design is found by the list of its units, though nothing has used it now."""
    assert weft(capfd, "sim", "top.sv", "--top", "top", "--cycles", "10", "--no-pipeline-async")[0] == 0
    weft(capfd, "archive", "save", "top.weftar", "top.sv", "--top", "top")
    assert weft(capfd, "archive", "list", "top.weftar")[1].split().count("full") >= 4


def test_the_whole_cache_and_adding(here, capfd):
    weft(capfd, "sim", "top.sv", "--cycles", "10")
    assert weft(capfd, "archive", "save", "all.weftar")[0] == 0
    first = weft(capfd, "archive", "list", "all.weftar")[1]
    weft(capfd, "archive", "save", "all.weftar", "top.sv", "--four-state", "--add")
    assert len(weft(capfd, "archive", "list", "all.weftar")[1].splitlines()) > len(first.splitlines())


def test_verify_and_prune_damage(here, capfd):
    weft(capfd, "archive", "save", "top.weftar", "top.sv")
    data = bytearray((here / "top.weftar").read_bytes())
    data[-20] ^= 1
    (here / "top.weftar").write_bytes(data)
    status, out, err = weft(capfd, "archive", "verify", "top.weftar")
    assert status == 1 and out.endswith("1 are damaged\n") and err.endswith("is damaged: to be compiled again\n")
    assert weft(capfd, "archive", "prune", "top.weftar")[0] == 0
    assert weft(capfd, "archive", "verify", "top.weftar")[0] == 0


def test_bad_calls(here, capfd):
    for words, message in (
        (["load"], "error: weft archive load: name the archive first, FILE.weftar [bad-option]\n"),
        (["verify", "a", "b"], "error: weft archive verify: 'b' is too much [bad-option]\n"),
        (["list", "none"], "error: cannot read the archive 'none': No such file or directory [no-such-file]\n"),
        (["save", "top.sv"], "error: 'top.sv' is no archive of Weft, and is left as it is [bad-archive]\n"),
        (["list", "top.sv"], "error: 'top.sv' is no archive of Weft [bad-archive]\n"),
    ):
        assert weft(capfd, "archive", *words) == (2, "", message)
    status, _, err = weft(capfd, "sim", "top.sv", "--cycles", "1", "--pipeline-archive", "x")
    assert (status, err) == (
        2, "error: --pipeline-archive needs --pipeline-load, --pipeline-save or both [bad-option]\n",
    )  # fmt: skip


def test_simulations_fill_an_archive_and_start_from_it(here, capfd, monkeypatch):
    words = ("sim", "top.sv", "--cycles", "100", "--pipeline-archive", "top.weftar", "--pipeline-log")
    status, _, err = weft(capfd, *words, "--pipeline-load", "--pipeline-save", "--no-pipeline-async")
    assert status == 0 and "weft: no archive 'top.weftar'\n" in err
    assert " entries saved in 'top.weftar', 0.0" in err
    move_away(here, monkeypatch)
    status, _, err = weft(capfd, *words, "--pipeline-load")
    assert status == 0 and ", 0 made; " in err and " came from 'top.weftar'\n" in err


def test_the_environment_does_the_same(here, capfd, monkeypatch):
    monkeypatch.setenv("WEFT_PIPELINE_HARVEST", "1")
    assert weft(capfd, "build", "top.sv")[0] == 0
    assert (here / "cache" / "pipelines.weftar").exists(), "the default place"
    monkeypatch.setenv("WEFT_PIPELINE_ARCHIVE", "other.weftar")
    assert weft(capfd, "build", "top.sv")[0] == 0 and (here / "other.weftar").exists()
    monkeypatch.delenv("WEFT_PIPELINE_HARVEST")
    monkeypatch.setenv("WEFT_PIPELINE_LOAD", "on")
    monkeypatch.setenv("WEFT_PIPELINE_LOG", "1")
    move_away(here, monkeypatch)
    status, _, err = weft(capfd, "build", "top.sv")
    assert status == 0 and ", 0 made; " in err
    status, _, err = weft(capfd, "build", "top.sv", "--no-pipeline-log")
    assert status == 0 and "made" not in err, "what is given wins"
    monkeypatch.setenv("WEFT_PIPELINE_LOAD", "maybe")
    assert weft(capfd, "build", "top.sv")[2] == "error: WEFT_PIPELINE_LOAD=maybe: write 1 or 0 [bad-option]\n"


def test_a_damaged_archive_stops_nobody(here, capfd):
    (here / "bad.weftar").write_bytes(b"WEFTARCHIVE 1\nnonsense\n")
    words = ("sim", "top.sv", "--cycles", "10", "--pipeline-archive", "bad.weftar")
    status, _, err = weft(capfd, *words, "--pipeline-load")
    assert status == 0
    assert "weft: 'bad.weftar' is damaged: its second line cannot be read: all is compiled again\n" in err
    status, _, err = weft(capfd, *words, "--pipeline-save")
    assert status == 0 and weft(capfd, "archive", "verify", "bad.weftar")[0] == 0, "it is replaced"
    status, _, err = weft(capfd, *words[:-1], "no/x.weftar", "--pipeline-save")
    assert (status, err.splitlines()[-1]) == (
        2, "error: cannot write the archive 'no/x.weftar': No such file or directory [cannot-write]",
    )  # fmt: skip


def test_testbenches_use_archives_too(here, capfd, monkeypatch):
    words = ("run", "test.v", "--pipeline-archive", "test.weftar", "--pipeline-log")
    assert weft(capfd, *words, "--pipeline-save")[:2] == (0, "hello\n")
    move_away(here, monkeypatch)
    status, out, err = weft(capfd, *words, "--pipeline-load")
    assert (status, out) == (0, "hello\n") and ", 0 made; " in err
    (here / "elsewhere").mkdir()
    (here / "elsewhere" / "test.v").write_text(BENCH)
    monkeypatch.chdir(here / "elsewhere")
    monkeypatch.setenv("WEFT_CACHE_DIR", str(here / "cache3"))
    status, out, err = weft(capfd, *words[:3], "../test.weftar", "--pipeline-load", "--pipeline-log")
    assert (status, out) == (0, "hello\n") and ", 0 made; " in err
