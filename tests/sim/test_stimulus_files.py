"""Stimulus from files: what a batch reads equals arrays that are driven, and every bad file gets one clear message."""

import importlib

import numpy as np
import pytest

import weft
from weft import UserError
from weft.sim.stimulus import parquet_files, wave_files

SOURCE = """
module top(input logic clk, input logic [7:0] a, input logic en, input logic [69:0] w,
           output logic [15:0] total, output logic [69:0] wide);
  always_ff @(posedge clk) begin if (en) total <= total + a; wide <= wide ^ w; end
endmodule
"""
LANES, CYCLES = 5, 40


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


def compiled():
    return weft.compile(texts={"top.sv": SOURCE}, cache=False)


def arrays(seed=1):
    random = np.random.default_rng(seed)
    wide = random.integers(0, 2**62, (CYCLES, LANES, 2), np.uint64)
    wide[..., 1] &= 63
    return {
        "a": random.integers(0, 256, (CYCLES, LANES), np.uint8),
        "en": random.integers(0, 2, CYCLES).astype(np.uint8),
        "w": wide,
    }


def assert_equal(batch, given):
    """Compare a batch with one that is driven by arrays, and its lanes with their replays."""
    other = compiled().batch(LANES, "cpu")
    other.drive(given)
    for lane in range(LANES):
        assert np.array_equal(batch.lane_state(lane), other.lane_state(lane)), lane
        alone = batch.replay(lane)
        alone.run_recorded()
        assert np.array_equal(batch.lane_state(lane), np.frombuffer(alone.checkpoint().state, np.uint8))


def streamed(*arguments, **options):
    batch = compiled().batch(LANES, "cpu")
    batch.record()
    batch.stream(*arguments, **options)
    return batch


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    given = arrays()
    save(tmp_path / "all.npz", **given)
    assert_equal(streamed(tmp_path / "all.npz"), given)
    assert_equal(streamed(str(tmp_path / "all.npz"), cycles=9), {path: array[:9] for path, array in given.items()})


def test_npy(tmp_path):
    given = arrays()["a"]
    np.save(tmp_path / "bytes.npy", np.asfortranarray(given))
    assert_equal(streamed(tmp_path / "bytes.npy", {"a": "bytes"}), {"a": given})
    rows = np.zeros(7, [("en", "u1"), ("value", "<i4")])
    rows["en"], rows["value"] = 1, np.arange(7)
    np.save(tmp_path / "rows.npy", rows)
    batch = streamed(tmp_path / "rows.npy", {"a": "value", "en": "en"})
    assert batch.peek("total").tolist() == [21] * LANES


def test_one_file_for_each_lane(tmp_path):
    given = arrays()
    paths = [tmp_path / f"{lane}.npz" for lane in range(LANES)]
    for lane, path in enumerate(paths):
        np.savez(path, a=given["a"][:, lane], w=given["w"][:, lane])
    assert_equal(streamed(paths), {"a": given["a"], "w": given["w"]})


@pytest.mark.parametrize("kind", ["vcd", "fst"])
def test_waveforms(tmp_path, kind):
    """A lane's own trace, with the sample before each rising edge, is its stimulus."""
    pytest.importorskip("pywellen")
    given, paths = arrays(), []
    batch = compiled().batch(LANES, "cpu")
    batch.record()
    batch.drive(given)
    for lane in range(LANES):
        paths.append(tmp_path / f"{lane}.{kind}")
        alone = batch.replay(lane)
        with alone.trace(paths[-1]):
            alone.run_recorded()
    assert_equal(streamed(paths), given)
    first = {path: array[:, :1] if array.ndim > 1 else array for path, array in given.items()}
    assert_equal(streamed(paths[0], {"a": "top.a", "w": "w", "en": "en"}, clock="top.clk"), first)
    shifted = streamed(paths[0], cycles=CYCLES - 1, edge="falling")
    assert shifted.peek("total")[0] == streamed(paths[0], cycles=CYCLES - 1).peek("total")[0]
    assert_equal(streamed(paths[0], period="10ns", start="3ns", cycles=CYCLES), first)


def test_parquet(tmp_path):
    pa, parquet = (pytest.importorskip(name) for name in ("pyarrow", "pyarrow.parquet"))
    given = arrays()
    del given["w"]
    path = tmp_path / "rows.parquet"
    parquet.write_table(pa.table({"a": list(given["a"]), "en": given["en"]}), path, row_group_size=7)
    assert_equal(streamed(path), given)
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(given["a"].reshape(-1)), LANES)
    parquet.write_table(pa.table({"values": fixed, "en": given["en"].astype(bool)}), path)
    assert_equal(streamed(path, {"a": "values", "en": "en"}), given)
    lane, cycle = np.meshgrid(np.arange(LANES), np.arange(CYCLES))
    order = np.random.default_rng(2).permutation(LANES * CYCLES)
    columns = {
        "lane": lane.reshape(-1)[order],
        "cycle": cycle.reshape(-1)[order],
        "a": given["a"].reshape(-1)[order],
        "en": np.repeat(given["en"], LANES)[order],
    }
    parquet.write_table(pa.table(columns), path)
    assert_equal(streamed(path), given)
    renamed = {"l": lane.T.reshape(-1), "a": given["a"].T.reshape(-1), "en": np.tile(given["en"], LANES)}
    parquet.write_table(pa.table(renamed), path)
    assert_equal(streamed(path, lane_column="l"), given)


def bad(*arguments, **options):
    with pytest.raises(UserError) as caught:
        compiled().batch(LANES, "cpu").stream(*arguments, **options)
    return str(caught.value)


def test_bad_arrays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert bad("none.npz") == "error: cannot read 'none.npz': there is no such file [no-such-file]"
    (tmp_path / "x.txt").write_text("1")
    assert bad("x.txt") == (
        "error: 'x.txt' is no stimulus: the suffix is .vcd, .fst, .npy, .npz or .parquet [bad-stimulus]"
    )
    (tmp_path / "x.npz").write_text("1")
    assert bad("x.npz") == "error: cannot read 'x.npz': File is not a zip file [bad-stimulus]"
    np.savez("y.npz", ena=np.zeros(3, int), a=np.zeros(3), b=3)
    assert bad("y.npz", {"en": "en"}) == ("error: 'y.npz' has no signal 'en' [bad-stimulus]\nnote: did you mean 'ena'?")
    assert bad("y.npz") == "error: 'y.npz': 'a' is of type float64; an input takes integers [bad-stimulus]"
    assert bad("y.npz", {"a": "b"}) == (
        "error: 'y.npz': 'b' is one number; an input takes one for each cycle [bad-stimulus]"
    )
    assert bad("y.npz", {"en": "ena"}, cycles=4) == ("error: 'y.npz' has 3 cycles for 'top.en', not 4 [bad-stimulus]")
    np.savez("z.npz", ena=np.zeros(4, int))
    assert bad("z.npz") == (
        "error: 'z.npz' has no signal with the name of an input ('top.a', 'top.en', 'top.w') but 'ena';"
        " name them in ports= [bad-stimulus]"
    )
    assert bad(["y.npz", "z.npz"], {"en": "ena"}) == (
        "error: 2 files for 5 lanes: give one for all, or one for each [bad-stimulus]"
    )
    assert bad([]) == "error: there are no files [bad-stimulus]"
    assert bad(["y.npz"] * 4 + ["z.npz"], {"en": "ena"}) == (
        "error: 'z.npz' has 4 cycles for 'top.en', not 3, which 'y.npz' has; say how many with cycles= [bad-stimulus]"
    )
    np.savez("w.npz", a=np.full(3, 256), en=np.zeros(4, int))
    assert bad("w.npz") == (
        "error: 'w.npz': columns of different numbers of cycles: top.a has 3, top.en has 4 [bad-stimulus]"
    )
    assert bad("w.npz", {"a": "a"}) == "error: 256 does not fit 'top.a', which has 8 bits [value-range]"
    assert bad("w.npz", {"total": "a"}) == (
        "error: 'total' is no input of the top module, so it cannot be driven [read-only]"
    )


WAVE = """$timescale 1ns $end
$scope module tb $end
$var wire 1 ! clk $end
$var wire 8 " a [7:0] $end
$var wire 4 % en [3:0] $end
$scope module dut $end
$var wire 8 # a [7:0] $end
$upscope $end $upscope $end
$enddefinitions $end
#0
0!
b101 "
b101 #
b1 %
#5
1!
#10
0!
bx1 "
#15
1!
"""


def test_bad_waveforms(tmp_path, monkeypatch):
    pytest.importorskip("pywellen")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.vcd").write_text(WAVE)
    assert bad("w.vcd", {"a": "tb.a"}) == (
        "error: 'w.vcd': 'tb.a' is xxxxxxx1 in cycle 1; unknown=0 or unknown=1 replaces x and z [bad-stimulus]"
    )
    batch = streamed("w.vcd", {"a": "tb.a"}, unknown=1)
    assert batch["a"][0] == 255
    assert bad("w.vcd", {"a": "a"}) == (
        "error: 'w.vcd' has several signals 'a': 'tb.a', 'tb.dut.a'; name one in ports= [bad-stimulus]"
    )
    assert bad("w.vcd", {"en": "tb.en"}) == ("error: 'w.vcd': 'tb.en' has 4 bits, and 'top.en' has 1 [bad-stimulus]")
    assert bad("w.vcd", {"a": "tb.dut.b"}) == (
        "error: 'w.vcd' has no signal 'tb.dut.b' [bad-stimulus]\nnote: did you mean 'tb.dut.a', 'tb.a'?"
    )
    assert bad("w.vcd", {"a": "tb.dut.a"}, cycles=3) == (
        "error: 'w.vcd' has 2 cycles for 'top.a', not 3 [bad-stimulus]"
    )
    assert bad("w.vcd", {"a": "tb.dut.a"}, clock="ck") == (
        "error: 'w.vcd' has no signal 'ck' to sample by; give clock= or period= [bad-stimulus]"
    )
    assert bad("w.vcd", {"a": "tb.dut.a"}, clock="tb.en") == (
        "error: 'w.vcd': 'tb.en' has no rising edge to sample by [bad-stimulus]"
    )
    assert bad("w.vcd", {"a": "tb.dut.a"}, edge="both") == ("error: edge is rising or falling, not 'both' [bad-option]")
    assert bad("w.vcd", {"a": "tb.dut.a"}, period="1500ps") == (
        "error: 'w.vcd' counts time in 1000000 fs: period and start are multiples of it [bad-stimulus]"
    )
    (tmp_path / "bad.fst").write_text("no wave")
    assert bad("bad.fst").startswith("error: cannot read 'bad.fst': ")


def test_bad_tables(tmp_path, monkeypatch):
    pa, parquet = (pytest.importorskip(name) for name in ("pyarrow", "pyarrow.parquet"))
    monkeypatch.chdir(tmp_path)

    def table(**columns):
        parquet.write_table(pa.table(columns), "t.parquet")
        return bad("t.parquet")

    assert table(a=[1, None]) == "error: 't.parquet': 'a' has no value in 1 rows [bad-stimulus]"
    assert table(a=["x"]) == "error: 't.parquet': 'a' is of type object; an input takes integers [bad-stimulus]"
    assert table(a=[[1, 2], [3]]) == ("error: 't.parquet': the lists of 'a' are of different lengths [bad-stimulus]")
    assert table(a=[[1, 2]]) == (
        "error: 'top.a' takes an array of cycles by 5 lanes, not one of shape (1, 2) [bad-lanes]"
    )
    assert table(lane=[0, 5], a=[1, 2]) == ("error: 't.parquet' has lane 5; the batch has lanes 0 to 4 [bad-stimulus]")
    assert table(lane=[0, 1, 2, 3, 4, 0], a=[0] * 6) == (
        "error: 't.parquet' has no row for cycle 1 of lane 1 [bad-stimulus]"
    )
    assert table(lane=[0, 0], cycle=[0, 0], a=[0] * 2) == (
        "error: 't.parquet' has 2 rows for cycle 0 of lane 0 [bad-stimulus]"
    )
    assert table(lane=[0], cycle=[-1], a=[0]) == "error: 't.parquet' has cycle -1 [bad-stimulus]"
    (tmp_path / "t.parquet").write_text("no table")
    assert bad("t.parquet").startswith("error: cannot read 't.parquet': ")


@pytest.mark.parametrize(
    ("name", "module", "extra"), [("x.vcd", wave_files, "waves"), ("x.parquet", parquet_files, "parquet")]
)
def test_missing_packages(tmp_path, monkeypatch, name, module, extra):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("")

    def missing(package):
        raise ImportError(package)

    monkeypatch.setattr(importlib, "import_module", missing)
    from weft.sim.stimulus.files import FileOptions, open_file

    with pytest.raises(UserError) as caught:
        open_file(name, FileOptions(), LANES, "clk")
    assert str(caught.value) == f"error: '{name}' needs a package: pip install 'weft[{extra}]' [no-package]"
    assert module.importlib is importlib
