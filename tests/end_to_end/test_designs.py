"""Real processors from other people running real firmware: every output of every cycle as Verilator has it.

The golden files say what Verilator computed (`bench/record_goldens.py`): a hash of all outputs in all cycles, and the
text that the firmware wrote on the console.
"""

import json
from pathlib import Path

import pytest
from bench.designs import DESIGNS, MissingPackage
from bench.peers import icarus
from bench.peers.process import PeerFailed

import weft
from weft.engines.cpu import speculation
from weft.engines.cpu.program import CpuProgram

GOLDEN = Path(__file__).parent / "golden"
FOUR_STATE = ("picorv32", "serv", "vexriscv_min")
"""The designs that Icarus runs without an unknown output; their hash must be the same in 4-state."""
SLOW = ("cva6", "rocket")
GENERATED = ("litex",)
"""Made by a toolchain whose version changes the firmware: the golden file holds for one version."""
LARGE = ("picorv32_x16", "picorv32_x64")
"""For benchmarks; four processors test the same."""
RECORDED = [name for name in DESIGNS if name not in (*GENERATED, *LARGE)]
ALL = [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in RECORDED]


def _run(name, cycles, **options):
    try:
        design = DESIGNS[name]()
    except MissingPackage as error:
        pytest.skip(str(error))
    printed = []
    with weft.compile(*design.files, **design.compile_options(), output=printed.append, **options) as sim:
        sim.poke(design.reset, 1)
        sim.run_cycles(design.reset_cycles)
        sim.poke(design.reset, 0)
        sim.run_cycles(cycles)
        count = int(sim.peek("text_count"))
        text = bytes(int(element) for element in sim.memory(design.text_memory)[0:count]).decode()
        return f"{int(sim.peek('hash')):016x}", text


def _golden(name):
    return json.loads((GOLDEN / f"{name}.json").read_text())


@pytest.mark.parametrize("name", ALL)
def test_outputs_equal_verilators(name):
    golden = _golden(name)
    outputs, text = _run(name, golden["cycles"])
    assert text == golden["text"]
    assert outputs == golden["hash"]


@pytest.mark.parametrize("name", FOUR_STATE)
def test_four_state_is_the_same(name):
    golden = _golden(name)
    outputs, text = _run(name, golden["cycles"], four_state=True)
    assert text == golden["text"]
    assert outputs == golden["hash"]


@pytest.mark.parametrize(
    ("name", "four_state"),
    [
        ("picorv32", False),
        ("picorv32", True),
        ("picorv32_x4", False),
        ("serv", False),
        ("vexriscv_linux", False),
        ("ibex", False),
    ],
)
def test_speculative_code_is_the_same(name, four_state, monkeypatch):
    """Code that is made early takes more for granted than is so later: it is used, and misses, thousands of times."""
    monkeypatch.setattr(speculation, "FIRST_LOOK", 30)
    monkeypatch.setattr(speculation, "LONGEST", 600)
    programs = []

    def quick(*arguments, **options):
        programs.append(CpuProgram(*arguments, tier="quick", **options))
        return programs[-1]

    monkeypatch.setattr("weft.engines.cpu.program.CpuProgram", quick)
    golden = _golden(name)
    outputs, text = _run(name, golden["cycles"], four_state=four_state)
    (clock,) = {clock for clock, level in programs[0].speculation.edges if level}
    assert programs[0].speculation.unit((clock, 1)) is not None
    assert text == golden["text"]
    assert outputs == golden["hash"]


def test_reference_engine_agrees():
    short = 300
    assert _run("picorv32", short, engine="reference") == _run("picorv32", short)


@pytest.mark.parametrize("name", RECORDED)
def test_golden_says_where_it_comes_from(name):
    golden = _golden(name)
    assert golden["tool"].startswith("Verilator ") and golden["cycles"] >= 100_000 and golden["reset_cycles"] == 10
    assert golden["text"].startswith("weft\n")


@pytest.mark.slow
def test_litex_boots_its_bios():
    outputs, text = _run("litex", 500_000)
    assert "BIOS CRC passed" in text and "VexRiscv @ 1MHz" in text and "Initialization" in text
    again, same = _run("litex", 500_000, four_state=True)
    assert (again, same) == (outputs, text)


@pytest.mark.peer
@pytest.mark.parametrize("name", ["picorv32", "serv"])
def test_icarus_agrees(name):
    try:
        icarus.version()
    except PeerFailed as error:
        pytest.skip(str(error))
    try:
        design = DESIGNS[name]()
    except MissingPackage as error:
        pytest.skip(str(error))
    result = icarus.run(design, icarus.build(design), 3000)
    assert _run(name, 3000, four_state=True) == (result.hash, result.text)
