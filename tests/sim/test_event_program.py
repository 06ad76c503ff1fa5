"""Programs of events in the design cache: they run the same, and every change and all damage is noticed."""

import io
import os
import shutil
import subprocess
import sys

import pytest

import weft
from weft.engines.event.machine_code import begin_kernels
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.sim.event_program import ProgramOptions, make_program
from weft.sim.event_simulation import EventOptions, EventSimulation
from weft.sim.run_plan import SdfFile

BENCH = """`include "step.vh"
`timescale 1ns/1ps
class Packet;
  rand bit [7:0] length;
  constraint few { length inside {[3:5]}; }
endclass
module cell_(output y, input a); buf b(y, a); specify (a => y) = 2; endspecify endmodule
module bench;
  reg clk = 0; integer n = 0; wire y; string name = "bench"; int q[$];
  cell_ c(y, clk);
  always #5 clk = ~clk;
  always @(y) n = n + `STEP;
  initial begin
    Packet p; p = new; void'(p.randomize());
    q.push_back(n);
    fork #13 q.push_back(n); begin #20 if (p.length >= 3 && p.length <= 5) $display("fits"); end join
    $display("%s %0d %0d %0t", name, q[0], q[1], $time);
    $finish(0);
  end
endmodule
"""
SDF = '(DELAYFILE (SDFVERSION "3.0") (TIMESCALE 1ns) (CELL (CELLTYPE "cell_") (INSTANCE c)\n'
SDF += "(DELAY (ABSOLUTE (IOPATH a y ({}))))))\n"


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """Return a cache that has the runtime, which takes longer to compile than all of this."""
    folder = tmp_path_factory.mktemp("kernels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEFT_CACHE_DIR", str(folder))
        begin_kernels().result()
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch, kernels):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(kernels, tmp_path / "cache")
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "step.vh").write_text("`define STEP 1\n")
    (tmp_path / "bench.sv").write_text(BENCH)
    (tmp_path / "late.sdf").write_text(SDF.format(4))
    return tmp_path


def make(sdf=(), **options):
    front_end = FrontEndOptions(include_dirs=("inc",), specify=True)
    program = make_program(["bench.sv"], ProgramOptions(front_end, sdf=sdf, **options))
    for module in program.machine.modules:
        module.result()  # so that all of it is in the cache
    return program


def run(sdf=(), **options):
    program, out = make(sdf, **options), io.BytesIO()
    EventSimulation(program.design, out, EventOptions(sdf=sdf), program).run()
    return program.cached, out.getvalue().decode()


def test_a_second_start_is_the_same(here):
    assert run() == (False, "fits\nbench 0 3 20000\n")
    assert run() == (True, "fits\nbench 0 3 20000\n")


def test_changes_are_noticed(here):
    assert not make().cached and make().cached
    (here / "inc" / "step.vh").write_text("`define STEP 9\n")
    assert run() == (False, "fits\nbench 0 27 20000\n") and make().cached
    os.utime(here / "bench.sv")
    assert make().cached, "only touched"
    assert not make(observe=True).cached and not make(delays=False).cached
    (here / "bench.sv").write_text(BENCH.replace("push_back(n); begin", "push_back(7); begin"))
    assert run() == (False, "fits\nbench 0 7 20000\n")


def test_delay_files_count(here):
    late = (SdfFile("late.sdf"),)
    assert run(late) == (False, "fits\nbench 0 2 20000\n") and run(late) == (True, "fits\nbench 0 2 20000\n")
    (here / "late.sdf").write_text(SDF.format(1))
    assert run(late) == (False, "fits\nbench 0 3 20000\n")
    assert not make().cached


@pytest.mark.parametrize("kind", ["designs/*/*.index", "designs/*/*.design", "objects/*/*"])
@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_damage_is_noticed(here, kind, damage):
    expected = run()[1]
    for entry in (here / "cache").glob(kind):
        data = bytearray(entry.read_bytes())
        data[len(data) // 2] ^= 0x40
        entry.write_bytes(bytes(data) if damage is None else damage)
    assert run() == (False, expected) and make().cached


def test_without_the_cache(here):
    assert not make(cache=False).cached and not make().cached and not make(cache=False).cached


def test_an_error_is_found_again(here):
    (here / "bench.sv").write_text("module t; initial nothing; endmodule\n")
    for _ in range(2):
        with pytest.raises(weft.UserError, match="source-errors"):
            make()


def test_a_warm_start_needs_no_slang(here):
    code = (
        "import sys; from weft.apps.cli import run\nstatus = run(['run', '-I', 'inc', 'bench.sv'])\n"
        "print(status, 'pyslang' in sys.modules)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
        for _ in range(2)
    ]
    assert runs[0][:2] == runs[1][:2] == ["fits", "bench 0 3 20000"]
    assert runs[0][2] == "0 True" and runs[1][2] == "0 False"
