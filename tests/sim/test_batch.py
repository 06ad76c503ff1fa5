"""Batches as users drive them, on the CPU: every lane agrees with a plain simulation of the same stimulus."""

import itertools
import re

import numpy as np
import pytest

import weft
from weft import Unsupported, UserError
from weft.ir.lane_program import LaneStatus

SOURCE = """
module top(input logic clk, input logic rst, input logic [7:0] a, input logic [99:0] w,
           output logic [7:0] q, output logic done, output logic [99:0] acc);
  logic [15:0] mem [16:47];
  logic [7:0] rom [0:63];
  logic half = 0;
  logic [3:0] slow = 0;
  initial for (int i = 0; i < 64; i++) rom[i] = 3 * i;
  always_ff @(posedge clk) half <= !half;
  always_ff @(posedge half) slow <= slow + 1;
  always_ff @(posedge clk)
    if (rst) begin q <= 0; acc <= 0; end
    else begin
      q <= q + a + rom[a[5:0]];
      acc <= acc * 3 + w;
      mem[16 + q[4:0]] <= mem[16 + q[3:0]] + q;
      if (q[7:4] == 4'he && a[3:0] == 3) $finish;
    end
  assign done = q == 8'd60;
endmodule
"""
LANES = 21


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


def compiled(text: str = SOURCE, **options):
    return weft.compile(texts={"top.sv": text}, cache=False, **options)


def started(**options):
    """Return a batch after its reset, with different inputs, and a plain simulation for each lane."""
    sim = compiled(**options)
    batch = sim.batch(LANES, "cpu")
    singles = [compiled(**options) for _ in range(LANES)]
    wide = [(lane << 90) + 7 * lane for lane in range(LANES)]
    batch["rst"][:] = 1
    batch.run_cycles(2)
    batch["rst"][:] = 0
    batch["a"][:] = np.arange(LANES)
    batch["w"][:] = np.array([[value & 2**64 - 1, value >> 64] for value in wide], np.uint64)
    for lane, single in enumerate(singles):
        single.poke("rst", 1)
        single.run_cycles(2)
        single.poke("rst", 0)
        single.poke("a", lane)
        single.poke("w", wide[lane])
    return batch, singles


def assert_equal(batch, singles):
    for lane, single in enumerate(singles):
        assert np.array_equal(batch.lane_state(lane), np.frombuffer(single.checkpoint().state, np.uint8)), lane
        assert batch.time_fs[lane] == single.time_fs


@pytest.mark.parametrize("four_state", [False, True])
def test_lanes_agree_with_simulations(four_state):
    batch, singles = started(four_state=four_state)
    statuses = batch.run_cycles(37)
    for single in singles:
        single.run_cycles(37)
    assert_equal(batch, singles)
    assert statuses.max() <= LaneStatus.FINISH
    statuses = batch.run_until("done || q == 8'hf0", max_cycles=200)
    stops = [single.run_until("done || q == 8'hf0", max_cycles=200).value for single in singles]
    assert [LaneStatus(status).name.lower() for status in statuses] == stops
    assert {"condition", "time"} <= set(stops)
    assert_equal(batch, singles)
    # Lanes now have different times; each goes on from its own.
    for count in (3, 1, 40):
        batch.run_cycles(count)
        for single in singles:
            single.run_cycles(count)
        assert_equal(batch, singles)
    assert list(batch.finished) == [single.finished for single in singles] and any(batch.finished)


def test_values():
    batch, singles = started()
    batch.run_cycles(5)
    for single in singles:
        single.run_cycles(5)
    assert batch["q"].width == 8 and len(batch["q"]) == LANES
    for path in ("q", "done", "slow", "a"):
        assert batch.peek(path).tolist() == [int(single.peek(path)) for single in singles]
    wide = [int(low) | int(high) << 64 for low, high in batch.peek("acc")]
    assert wide == [int(single.peek("acc")) for single in singles]
    assert np.asarray(batch["q"])[3] == batch["q"][3] == singles[3].peek("q")
    rows = batch.memory("mem", lanes=slice(4, 8))
    assert rows.shape == (4, 32) and rows[1, 20] == singles[5].memory("mem")[20]
    assert np.array_equal(rows[:], [single.memory("mem")[16:48] for single in singles[4:8]])
    rows[:, 17] = np.arange(4)
    assert batch.memory("mem")[5, 17] == 1 and batch.memory("mem", lanes=[7, 4])[:, 17:18].tolist() == [[3], [0]]
    batch.memory("rom")[:, 5] = 9
    assert batch.memory("rom")[20, 5] == 9
    batch["q"][2:4] = 7
    batch["q"][0] = -1
    assert batch.peek("q")[:4].tolist() == [255, int(singles[1].peek("q")), 7, 7]
    batch["a"].array[5] = 200
    assert batch.peek("a")[5] == 200 and np.from_dlpack(batch["a"])[5] == 200


def test_checkpoints_forks_and_lanes():
    batch, _ = started()
    batch.run_cycles(9)
    kept, before, times = batch.checkpoint(), batch.peek("acc"), batch.time_fs
    batch.run_cycles(4)
    alone = batch.lane(6)
    batch.restore(kept)
    assert np.array_equal(batch.peek("acc"), before) and np.array_equal(batch.time_fs, times)
    batch.run_cycles(4)
    assert np.array_equal(batch.lane_state(6), np.frombuffer(alone.checkpoint().state, np.uint8))
    assert alone.cycle == 15 and not alone.finished
    alone.run_cycles(1)
    batch.fork(lane=6, into=range(10))
    batch.run_cycles(1)
    for lane, path in itertools.product((0, 6, 9), ("q", "slow")):
        assert batch.peek(path)[lane] == alone.peek(path)
    assert np.array_equal(batch.lane_state(0), batch.lane_state(6))


def test_traces_of_a_lane(tmp_path):
    batch, _ = started()
    batch.run_cycles(3)
    lane = batch.lane(4)
    with lane.trace(tmp_path / "lane.vcd"):
        lane.run_cycles(5)
    assert "acc" in (tmp_path / "lane.vcd").read_text()


def test_messages_are_counted():
    text = SOURCE.replace("$finish;", '$display("q"); else if (q == 5) $error("five");')
    batch = compiled(text).batch(3, "cpu", messages="count")
    batch["a"][:] = np.array([1, 0, 0])
    batch["q"][:] = np.array([0, 5, 5])
    batch.run_cycles(4)
    assert [(name.split(" at ")[0], counts.tolist()) for name, counts in batch.messages.items()] == [
        ("$display", [0, 0, 0]),
        ("$error", [0, 4, 4]),
    ]
    with pytest.raises(Unsupported, match=r"\$display in a batch is not supported yet"):
        compiled(text).batch(3, "cpu")


def test_long_runs_use_the_habits_of_their_lanes(monkeypatch):
    monkeypatch.setattr("weft.sim.lane_habits.SAMPLES", 2)
    monkeypatch.setattr("weft.sim.lane_slots._SLICE_SLOTS", 64)
    batch, singles = started()
    for _ in range(3):
        batch.run_cycles(500)
        for kernel in [kernel for _, kernel in batch.kernels.values()]:
            kernel.compile()
    assert any(program.events[0].usual is not None for program, _ in batch.kernels.values())
    for single in singles:
        single.run_cycles(1500)
    assert_equal(batch, singles)


def bad(call):
    with pytest.raises(UserError) as caught:
        call()
    return str(caught.value)


def test_errors():
    batch = compiled().batch(4, "cpu")
    assert bad(lambda: compiled().batch(0)) == "error: a batch has at least one lane, not 0 [bad-lanes]"
    assert bad(lambda: compiled().batch(4, "tpu")) == "error: device is cpu, cuda or auto, not 'tpu' [bad-option]"
    assert bad(lambda: compiled().batch(4, "cpu", messages="print")) == (
        "error: messages is error or count, not 'print' [bad-option]"
    )
    assert bad(lambda: compiled().batch(4, "cpu", private=["q"])) == (
        "error: 'q' is not kept as a memory, so it cannot be private [unknown-signal]"
    )
    assert bad(lambda: batch["a"].__setitem__(slice(None), np.zeros(5, np.uint8))) == (
        "error: 'a' takes an array of shape (4,), not (5,) [bad-lanes]"
    )
    assert bad(lambda: batch.poke("a", np.zeros(4))) == "error: 'a' takes integers, not float64 [bad-lanes]"
    assert bad(lambda: batch.poke("a", 256)) == "error: 256 does not fit 'a', which has 8 bits [value-range]"
    assert bad(lambda: batch.poke("a", np.array([1, 2, 300, 4]))) == (
        "error: 300 does not fit 'a', which has 8 bits [value-range]"
    )
    assert bad(lambda: batch.poke("a", np.array([1, 2, -300, 4]))) == (
        "error: -300 does not fit 'a', which has 8 bits [value-range]"
    )
    assert bad(lambda: batch["a"].__setitem__(9, 1)) == (
        "error: 'a': index 9 is out of bounds for axis 0 with size 4 [bad-lanes]"
    )
    assert (
        bad(lambda: batch.poke("done", 1)) == "error: 'done' is driven by the design, so it cannot be set [read-only]"
    )
    assert bad(lambda: batch["mem"]) == "error: 'mem' is a memory: use memory('mem') [unknown-signal]"
    assert bad(lambda: batch.memory("q")) == "error: 'q' is not kept as a memory: use peek('q') [unknown-signal]"
    assert bad(lambda: batch["done"].array) == (
        "error: 'done' is not one word of the state: read it with batch['done'][:] [bad-lanes]"
    )
    assert bad(lambda: batch.memory("rom").__setitem__((2, 5), 1)) == (
        "error: the design never writes 'rom', so all lanes share it: set the same in all of them,"
        " or make the batch with private=('rom',) [bad-lanes]"
    )
    assert bad(lambda: batch.memory("rom")[0, 0, 0]) == "error: 'rom' has two axes, lanes and elements [bad-lanes]"
    assert bad(lambda: batch.memory("rom", lanes=7)) == (
        "error: memory 'rom': index 7 is out of bounds for axis 0 with size 4 [bad-lanes]"
    )
    assert bad(lambda: batch.memory("rom")[0, 99]) == (
        "error: 'rom': index 99 is out of bounds for axis 0 with size 64 [bad-lanes]"
    )
    assert bad(lambda: batch.poke("a", object())) == "error: 'a' takes integers, not object [bad-lanes]"
    assert bad(lambda: batch.lane(4)) == "error: there is no lane 4: the batch has lanes 0 to 3 [bad-lanes]"
    assert bad(lambda: batch.fork(0, into=[9])) == (
        "error: fork: index 9 is out of bounds for axis 0 with size 4 [bad-lanes]"
    )
    assert bad(lambda: compiled().batch(5, "cpu").restore(batch.checkpoint())) == (
        "error: the checkpoint belongs to another design or number of lanes [bad-state-file]"
    )
    assert compiled().batch(4, "cpu", private=["rom"]).memory("rom")[0, 1] == 3


def test_errors_without_a_clock():
    text = "module top(input logic [3:0] a, output logic [3:0] q); assign q = a + 1; endmodule"
    batch = compiled(text).batch(4, "cpu")
    batch["a"][:] = np.arange(4)
    assert batch.peek("q").tolist() == [1, 2, 3, 4]
    assert bad(lambda: batch.run_cycles(1)) == (
        "error: the design has no clock to run cycles of; name one with clock= [ambiguous-clock]"
    )
    assert bad(lambda: batch.run_until("q == 0", max_cycles=5)) == (
        "error: the design has no clock, so nothing will change; name one with clock= [ambiguous-clock]"
    )
    assert bad(lambda: compiled(text).batch(4, "cpu", random={"a": 1})) == (
        "error: random stimulus changes with a clock, and the design has none [ambiguous-clock]"
    )


def test_too_little_memory(monkeypatch):
    def refuse(size):
        raise MemoryError

    monkeypatch.setattr("weft.engines.cpu.lane_engine.aligned_bytes", refuse)
    message = bad(lambda: compiled().batch(4000, "cpu"))
    assert re.fullmatch(r"error: 4,000 lanes need [\d,]+ bytes, which there are not \[no-memory\]", message)


class OnGpu:
    """Look like an array on a GPU."""

    __cuda_array_interface__ = {}


def test_an_array_in_the_wrong_place():
    batch = compiled().batch(4, "cpu")
    assert bad(lambda: batch.poke("a", OnGpu())) == (
        "error: 'a': the array is on a GPU and the batch on the CPU; copy it first [bad-lanes]"
    )


def test_an_oscillation_names_its_lane():
    text = """
module top(input logic clk, input logic go, output logic a);
  logic d = 0, e = 0;
  always_ff @(posedge clk) a <= go;
  always @(posedge a or posedge e or negedge e) d <= !d;
  always @(posedge d or negedge d) e <= !e;
endmodule
"""
    batch = compiled(text).batch(3, "cpu")
    batch["go"][:] = np.array([0, 0, 1])
    assert bad(lambda: batch.run_cycles(3)) == (
        "error: lane 2 does not settle at 5000000 fs: a zero-delay oscillation [no-convergence]"
    )
    assert list(batch.finished) == [False, False, True]


def test_memories_whose_last_word_is_narrow_begin_as_they_are():
    """An element of 72 bits is two words of different sizes, in a memory of each lane and in one that all share."""
    source = """
    module top(input logic clk, input logic [2:0] at, output logic [71:0] q, output logic [71:0] r);
      logic [71:0] rom [0:7]; logic [71:0] ram [0:7]; logic [7:0] after [0:7];
      initial for (int i = 0; i < 8; i++) begin
        rom[i] = {8'(i + 1), 64'(i)}; ram[i] = {8'(i + 9), 64'(i)}; after[i] = 8'(i + 70);
      end
      always_ff @(posedge clk) begin ram[at] <= ram[at]; after[at] <= after[at]; end
      assign q = rom[at], r = ram[at] ^ after[at];
    endmodule
    """
    sim = weft.compile(texts={"top.sv": source}, top="top", cache=False)
    batch = sim.batch(40, "cpu")
    batch["at"][:] = np.arange(40) % 8
    batch.run_cycles(2)
    q, r = batch.peek("q"), batch.peek("r")
    for lane in range(40):
        sim.poke("at", lane % 8)
        for row, name in ((q, "q"), (r, "r")):
            assert int(row[lane][0]) | int(row[lane][1]) << 64 == int(sim.peek(name)), (lane, name)
