"""The design cache: it is used, it notices every change and all damage, and what it returns runs the same."""

import os
import pickle
import subprocess
import sys

import pytest

import weft
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.sim.compile_design import BuildOptions, build_design
from weft.sim.compiled_design import CompiledDesign
from weft.sim.design_cache import DesignCache, _Reader, compiler_version

TOP = """`include "step.vh"
module top(input clk, output reg [7:0] q = 0);
  reg [7:0] m [0:3];
  initial begin $readmemh("m.hex", m); $display("%m %0d", m[1]); end
  always @(posedge clk) begin q <= q + `STEP; if (q == 9) $display("nine %0d", m[q[1:0]]); end
endmodule
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "step.vh").write_text("`define STEP 3\n")
    (tmp_path / "top.v").write_text(TOP)
    (tmp_path / "m.hex").write_text("1 2 3 4\n")
    return tmp_path


def build(**options):
    front_end = FrontEndOptions(include_dirs=("inc",), **options)
    return build_design(["top.v"], BuildOptions(front_end))


def simulate(**options):
    printed = []
    sim = weft.compile("top.v", include_dirs=["inc"], output=printed.append, **options)
    sim.run_cycles(6)
    return b"".join(printed).decode(), sim.peek("q")


@pytest.mark.parametrize("four_state", [False, True])
def test_a_second_start_is_the_same(here, four_state):
    first = simulate(four_state=four_state)
    sim = weft.compile("top.v", include_dirs=["inc"], four_state=four_state, output=lambda data: None)
    assert "load from cache" in sim.build_seconds and "parse and elaborate" not in sim.build_seconds
    assert simulate(four_state=four_state) == first == ("top 2\nnine 2\n", 18)
    assert sim.drivers("q")[0].where.startswith("top.v:5:") and sim.clocks[0].name == "top.clk"
    (here / "m.hex").write_text("1 7 3 4\n")
    assert simulate(four_state=four_state)[0] == "top 7\nnine 7\n"


def test_changes_are_noticed(here):
    assert not build().cached and build().cached
    (here / "inc" / "step.vh").write_text("`define STEP 9\n")
    assert not build().cached and build().cached
    assert simulate() == ("top 2\nnine 2\n", 54)
    os.utime(here / "top.v")
    assert build().cached, "only touched"
    (here / "top.v").write_text(TOP.replace("q + ", "q - "))
    assert not build().cached
    assert not build(defines={"X": "1"}).cached
    (here / "inc" / "new.vh").write_text("")
    assert not build().cached, "a new file in a searched folder may be found first"
    (here / "inc" / "step.vh").unlink()
    with pytest.raises(weft.UserError, match="source-errors"):
        build()


@pytest.mark.parametrize("ending", ["index", "design"])
@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_damage_is_noticed(here, ending, damage):
    expected = simulate()
    (entry,) = (here / "cache").rglob(f"*.{ending}")
    data = bytearray(entry.read_bytes())
    data[len(data) // 2] ^= 0x40
    entry.write_bytes(bytes(data) if damage is None else damage)
    assert not build().cached
    assert simulate() == expected and build().cached


def test_an_unwritable_cache_stays_in_memory(here, monkeypatch):
    (here / "file").write_text("")
    monkeypatch.setenv("WEFT_CACHE_DIR", str(here / "file" / "cache"))
    assert not build().cached and build().cached


def test_the_compilers_version_is_that_of_its_content(here, monkeypatch):
    """It is the same on a machine where its files have other times, and is found without reading them again."""
    compiler_version.cache_clear()
    first = compiler_version()
    compiler_version.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr("weft.sim.design_cache._distribution", None)
        assert compiler_version() == first, "found"
    monkeypatch.setenv("WEFT_CACHE_DIR", str(here / "elsewhere"))
    compiler_version.cache_clear()
    assert compiler_version() == first, "computed anew"
    monkeypatch.setattr("weft.sim.design_cache._distribution", lambda name: [f"{name}-99.dist-info"])
    monkeypatch.setenv("WEFT_CACHE_DIR", str(here / "newer"))
    compiler_version.cache_clear()
    assert compiler_version() != first
    compiler_version.cache_clear()


def test_entries_make_only_our_classes(here):
    evil = pickle.dumps(subprocess.Popen)
    store = DesignCache(here / "cache")
    store._store.store("x.design", evil)
    assert store.load("x", CompiledDesign) is None
    with pytest.raises(pickle.UnpicklingError, match="does not belong"):
        import io

        _Reader(io.BytesIO(evil)).load()


def test_another_process_uses_it(here):
    code = (
        "import sys, weft\ns = weft.compile('top.v', include_dirs=['inc'])\ns.run_cycles(5)\n"
        "print(sorted(s.build_seconds), s.peek('q'), 'pyslang' in sys.modules)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert "parse and elaborate" in runs[0] and "load from cache" in runs[1]
    assert [run.split("]")[1] for run in runs] == [" 15 True\n", " 15 False\n"], "a warm start needs no slang"


def test_deep_expressions_are_stored(here):
    """A long chain nests deeply; storing it must not exhaust the stack."""
    terms = " + ".join(f"a[{i % 32}]" for i in range(3000))
    (here / "top.v").write_text(f"module top; reg [31:0] a = 5; integer s; initial s = {terms}; endmodule\n")
    assert not build().cached and build().cached
    assert weft.compile("top.v", include_dirs=["inc"]).peek("s") == 188
