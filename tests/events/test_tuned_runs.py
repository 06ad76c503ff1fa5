"""`weft run --tune`: the next process finds all code; Ctrl-C, and designs that have nothing to tune."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from events.mixed_runs import MACHINE
from weft.apps.cli import run
from weft.engines.cpu import region_habits
from weft.engines.cpu.tiers import TieredUnit

RUN = [sys.executable, "-c", "import sys; from weft.apps.cli import run; sys.exit(run(sys.argv[1:]))", "run"]

TESTBENCH = """
    module t;
      reg clk = 0;
      wire [15:0] sum;
      machine m(clk, sum);
      always #5 clk = ~clk;
      initial begin #(%s) $display("%%h", sum); $fflush; %s end
    endmodule
    """


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def source(text: str) -> None:
    Path("t.sv").write_text(textwrap.dedent(text))


LATER = """
import sys
from weft.apps.cli import run
from weft.sim.event_simulation import EventSimulation

def look(simulation):
    (program,) = simulation.regions.programs.values()
    program.take_for_granted(program.expected)
    print(program.situations, int(program.settled))
    return 0

EventSimulation.run = look
sys.exit(run(["run", "--engine=cycle", "t.sv"]))
"""


def left_code() -> tuple[int, bool]:
    """Return how many situations another process finds code for, and whether it finds all code that it wants."""
    found = subprocess.run([sys.executable, "-c", LATER], capture_output=True, text=True, check=True).stdout
    situations, settled = map(int, found.split())
    return situations, bool(settled)


def weft_run(*words: str) -> int:
    return run(["run", "--engine=cycle", *words, "t.sv"])


def test_the_next_process_finds_all_code() -> None:
    source(MACHINE + TESTBENCH % (2_000_000, "$finish(0);"))
    printed: list[str] = []
    for words in (("--engine=cycle", "--tune"), ("--engine=cycle",), ("--engine=event",)):
        done = subprocess.run([*RUN, *words, "t.sv"], capture_output=True, text=True, check=True)
        printed.append(done.stdout)
        assert ("weft: tuned in " in done.stderr) == ("--tune" in words)
        assert left_code()[0] > 1 and left_code()[1]
    assert len(set(printed)) == 1


def test_a_second_tuning_keeps_what_suits(capfd: pytest.CaptureFixture[str]) -> None:
    source(MACHINE + TESTBENCH % (200_000, "$finish(0);"))
    for compiles in (True, False):
        names: list[str] = []
        original = TieredUnit.begin

        def begin(unit: TieredUnit, tier: object, names: list[str] = names, original: object = original) -> None:
            names.append(unit.name)
            original(unit, tier)  # pyright: ignore

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TieredUnit, "begin", begin)
            assert weft_run("--tune") == 0
        assert any(" situation " in name for name in names) == compiles
    assert capfd.readouterr().err.count("weft: tuned in") == 2


def test_ctrl_c_ends_the_run_and_tunes_for_what_it_has_shown() -> None:
    source(MACHINE + TESTBENCH % (20_000_000, ""))
    process = subprocess.Popen(
        [*RUN, "--engine=cycle", "--tune", "t.sv"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline()  # it has run for some time, and has no end
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert (process.returncode, "Traceback" in err, "weft: tuned in" in err) == (130, False, True)
    assert left_code()[0] > 1 and left_code()[1]


def test_ctrl_c_while_it_tunes_keeps_what_is_done(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    source(MACHINE + TESTBENCH % (200_000, "$finish(0);"))
    finish, finished = TieredUnit.finish, list[TieredUnit]()

    def interrupted(unit: TieredUnit) -> None:
        if " situation " in unit.name and finished:
            raise KeyboardInterrupt
        finish(unit)
        finished.extend([unit] * (" situation " in unit.name))

    monkeypatch.setattr(TieredUnit, "finish", interrupted)
    assert weft_run("--tune") == 130
    assert "weft: tuning was interrupted; " in capfd.readouterr().err
    situations, _ = left_code()
    assert situations >= 1 and finished


def test_a_run_that_is_too_short_tunes_for_no_situations(capfd: pytest.CaptureFixture[str]) -> None:
    source(MACHINE + TESTBENCH % (200, "$finish(0);"))
    assert weft_run("--tune") == 0
    assert "for all situations together: the run has shown no others" in capfd.readouterr().err
    assert left_code()[0] == 0
    assert region_habits.FEWEST_TO_TUNE > 20


def test_a_design_without_parts_to_tune_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    source('module t; initial #1 $display("events"); endmodule')
    assert weft_run("--tune") == 0
    printed, noted = capfd.readouterr()
    assert (printed, noted) == (
        "events\n",
        "weft: --tune has found no part that is stepped by clock edges; --report says why\n",
    )
    assert weft_run("--tune", "--quiet") == 0
    assert capfd.readouterr().err == ""
