"""Testbenches print what the standard says; so does Icarus Verilog."""

from __future__ import annotations

import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from events.assertions import ASSERTIONS
from events.attempts import ATTEMPTS
from events.covergroups import COVERGROUPS
from events.programs import NOT_ICARUS, OBJECTS, PROGRAMS
from events.random_sequences import RANDOM_SEQUENCES
from events.run_events import run_events
from events.testbenches import TESTBENCHES
from events.words import WORDS

ALL = {**PROGRAMS, **OBJECTS, **ASSERTIONS, **TESTBENCHES, **WORDS, **RANDOM_SEQUENCES, **ATTEMPTS, **COVERGROUPS}


@pytest.mark.parametrize("name", ALL)
def test_a_testbench_prints_what_it_should(name: str) -> None:
    text, expected = ALL[name]
    assert run_events(text) == (expected, 0)


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in NOT_ICARUS])
def test_icarus_prints_the_same(name: str, tmp_path: Path) -> None:
    text, expected = PROGRAMS[name]
    source, program = tmp_path / "t.sv", tmp_path / "t.vvp"
    source.write_text(textwrap.dedent(text))
    subprocess.run(["iverilog", "-g2012", "-o", program, source], check=True, capture_output=True)
    found = subprocess.run(["vvp", "-n", program], capture_output=True, text=True, check=True)
    assert found.stdout == expected


def test_a_shuffled_order_is_reproducible() -> None:
    from weft.sim.event_simulation import EventOptions

    text = 'module t; genvar i; for (i = 0; i < 9; i = i + 1) initial $write("%0d ", i); endmodule'
    orders = {run_events(text, EventOptions(shuffle=seed))[0] for seed in (1, 1, 2, 3, 4)}
    assert run_events(text)[0] == "0 1 2 3 4 5 6 7 8 "
    assert 1 < len(orders) <= 4
