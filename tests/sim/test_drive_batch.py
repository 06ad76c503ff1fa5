"""Stimulus made on the device: every lane equals a plain simulation that is poked in every cycle, bit for bit."""

import numpy as np
import pytest

import weft
from weft import UserError
from weft.ir.lane_program import LaneStatus
from weft.passes.insert_random import random_words

SOURCE = """
module top(input logic clk, input logic rst_n, input logic [7:0] a, input logic [99:0] w, input logic en,
           output logic [7:0] q, output logic done, output logic [99:0] acc, output logic [7:0] falls);
  logic [15:0] mem [16:47];
  logic half = 0, hold;
  logic [3:0] slow = 0, edges = 0;
  always_ff @(posedge clk) half <= !half;
  always_ff @(posedge half) slow <= slow + a[3:0];
  always_ff @(negedge clk) falls <= falls + a;
  always_ff @(posedge en) edges <= edges + 1;
  always_latch if (en) hold = a[0];
  always_ff @(posedge clk or negedge rst_n)
    if (!rst_n) begin q <= 0; acc <= 0; end
    else begin
      q <= q + a + hold;
      acc <= acc * 3 + w;
      mem[16 + q[4:0]] <= mem[16 + q[3:0]] + q;
      if (q[7:4] == 4'he && a[3:0] == 3) $finish;
      if (q[7:4] == 4'h7 && a[3:0] == 5) $stop;
    end
  assign done = q[7:1] == 7'd30;
endmodule
"""
NO_CLOCK = "module top(input logic [3:0] a, output logic [3:0] q); assign q = a + 1; endmodule"
LANES = 21
PERIOD = 10**7


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


def compiled(text: str = SOURCE, **options):
    clock = {} if text == NO_CLOCK else {"clock": "clk"}
    return weft.compile(texts={"top.sv": text}, cache=False, **{**clock, **options})


def assert_equal(batch, singles):
    for lane, single in enumerate(singles):
        assert batch.time_fs[lane] == single.time_fs, lane
        assert np.array_equal(batch.lane_state(lane), np.frombuffer(single.checkpoint().state, np.uint8)), lane


def assert_replayed(batch):
    for lane in range(batch.lanes):
        alone = batch.replay(lane)
        alone.run_recorded()
        assert batch.time_fs[lane] == alone.time_fs, lane
        assert np.array_equal(batch.lane_state(lane), np.frombuffer(alone.checkpoint().state, np.uint8)), lane
        assert alone.finished == batch.finished[lane]


def arrays(cycles, seed=1):
    random = np.random.default_rng(seed)
    wide = random.integers(0, 2**63, (cycles, LANES, 2), np.uint64)
    wide[..., 1] &= 2**36 - 1
    return {
        "rst_n": (random.integers(0, 40, (cycles, LANES)) > 0).astype(np.uint8),
        "a": random.integers(0, 256, (cycles, LANES), np.uint8),
        "en": random.integers(0, 2, cycles).astype(bool),
        "w": wide,
    }


def value(array, cycle, lane):
    """Return what an array gives a lane in a cycle, as an int."""
    row = array[cycle] if array.ndim == 1 else array[cycle, lane]
    return sum(int(word) << 64 * place for place, word in enumerate(np.atleast_1d(row)))


@pytest.mark.parametrize("four_state", [False, True])
def test_arrays_are_pokes(four_state):
    """A lane that stops misses the rest of the arrays; in the middle of a cycle it first ends that."""
    batch = compiled(four_state=four_state).batch(LANES, "cpu")
    singles = [compiled(four_state=four_state) for _ in range(LANES)]
    batch.record()
    for cycles, seed in ((5, 1), (40, 2), (9, 3)):
        given = arrays(cycles, seed)
        statuses = batch.drive(given)
        for lane, single in enumerate(singles):
            if single.finished:
                continue
            single.run_until(-(-single.time_fs // PERIOD) * PERIOD)
            for cycle in range(cycles):
                for path, array in given.items():
                    single.poke(path, value(array, cycle, lane))
                stop = single.run_cycles(1).value
                if stop in ("stop", "finish"):
                    break
            assert LaneStatus(statuses[lane]).name.lower() == stop
        assert_equal(batch, singles)
        assert_replayed(batch)
    assert {"STOP", "FINISH"} & {LaneStatus(status).name for status in statuses}


@pytest.mark.parametrize("four_state", [False, True])
def test_whole_runs_of_arrays(four_state):
    """Without `$stop` and `$finish` all lanes take all cycles, in several blocks."""
    text = SOURCE.replace("$finish", "q <= 1").replace("$stop", "q <= 2")
    batch = compiled(text, four_state=four_state).batch(LANES, "cpu")
    singles = [compiled(text, four_state=four_state) for _ in range(LANES)]
    batch.record()
    given = arrays(300)
    batch.run_cycles(2)
    batch.drive(given)
    for lane, single in enumerate(singles):
        single.run_cycles(2)
        for cycle in range(300):
            for path, array in given.items():
                single.poke(path, value(array, cycle, lane))
            single.run_cycles(1)
    assert_equal(batch, singles)
    batch["a"][:] = 7
    batch.run_cycles(3)
    for single in singles:
        single.poke("a", 7)
        single.run_cycles(3)
    assert_equal(batch, singles)
    assert_replayed(batch)


def test_generators():
    text = SOURCE.replace("$finish", "q <= 1").replace("$stop", "q <= 2")
    batch = compiled(text).batch(LANES, "cpu")
    singles = [compiled(text) for _ in range(LANES)]
    batch.record()
    batch["rst_n"] = 1
    batch.generate("a", "lane * 3 + cycle")
    batch.generate("w", "random ^ {q, cycle}", seed=9)
    batch.generate("en", "random[3:0] == 0 || cycle % 7 == lane[2:0]", seed=4)
    batch.run_cycles(50)
    assert batch.generators["top.a"] == "lane * 3 + cycle"
    for lane, single in enumerate(singles):
        single.poke("rst_n", 1)
        for cycle in range(50):
            noise = random_words(4, "top.en", 32, np.array([lane]), np.array([cycle]))[0]
            seeds = [random_words(9, "top.w", 64, np.array([lane]), np.array([cycle]))[0]]
            low = int(seeds[0]) ^ cycle
            q = int(single.peek("q"))
            single.poke("a", (lane * 3 + cycle) & 255)
            single.poke("en", int(noise & 15 == 0 or cycle % 7 == lane & 7))
            wide = batch.lane(lane)  # the upper bits come from the record's own evaluation below
            del wide, low, q
            single.run_cycles(1)
    assert batch.peek("a").tolist() == [int(single.peek("a")) for single in singles]
    assert batch.peek("en").tolist() == [int(single.peek("en")) for single in singles]
    assert batch.peek("slow").tolist() == [int(single.peek("slow")) for single in singles]
    assert batch.peek("falls").tolist() == [int(single.peek("falls")) for single in singles]
    assert_replayed(batch)
    # A lane alone goes on as in the batch.
    alone = batch.lane(5)
    batch.run_cycles(10)
    alone.run_cycles(4)
    alone.run_cycles(6)
    assert np.array_equal(batch.lane_state(5), np.frombuffer(alone.checkpoint().state, np.uint8))
    batch.generate("a", None)
    batch["a"] = 3
    batch.run_cycles(4)
    assert (batch.peek("a") == 3).all()
    assert_replayed(batch)


@pytest.mark.parametrize("four_state", [False, True])
def test_conditions_stops_forks_and_restores(four_state):
    batch = compiled(four_state=four_state).batch(LANES, "cpu")
    batch.record()
    batch["rst_n"] = 0
    batch.run_cycles(2)
    batch["rst_n"] = 1
    batch["w"] = 5
    batch.generate("a", "random % 9 + lane[1:0]", seed=1)
    batch.generate("en", "a[0] ^ q[1]")
    statuses = batch.run_until("done || en && q == 3", max_cycles=40)
    assert four_state or {LaneStatus.CONDITION} < {LaneStatus(s) for s in statuses}
    assert_replayed(batch)
    for count in (1, 7, 30):
        batch.run_cycles(count)
        assert_replayed(batch)
    batch.fork(lane=3, into=range(7, 12))
    batch.run_cycles(3)
    given = {"w": np.arange(40).reshape(20, 2), "rst_n": np.arange(20) % 9 > 0}
    batch.drive(given, until="acc[7:0] == 8'h11 || q == 20")
    assert_replayed(batch)
    assert (batch.peek("a")[7:12] != batch.peek("a")[3]).any()
    kept = batch.checkpoint()
    batch.run_cycles(5)
    before = batch.peek("acc")
    batch.restore(kept)
    batch.run_cycles(5)
    assert np.array_equal(before, batch.peek("acc"))
    batch["a"].array[3] = 200
    batch.memory("mem")[2:5, 20] = 9
    batch["q"].array[4:7] = 11
    batch.run_cycles(2)
    assert_replayed(batch)


def test_several_clocks():
    text = """
module top(input logic c1, input logic c2, input logic [7:0] a, output logic [7:0] p, output logic [7:0] q);
  always_ff @(posedge c1) p <= p + a;
  always_ff @(negedge c2) q <= q + a;
endmodule
"""
    options = {"clock": {"c1": "10ns", "c2": "30ns"}}
    batch, single = compiled(text, **options).batch(3, "cpu"), compiled(text, **options)
    batch.record()
    batch.drive({"a": np.arange(50)})
    for number in range(50):
        single.poke("a", number)
        single.run_cycles(1)
    assert batch.peek("p")[1] == single.peek("p") and batch.peek("q")[2] == single.peek("q")
    assert_replayed(batch)


def test_a_lane_is_traced(tmp_path):
    batch = compiled().batch(LANES, "cpu")
    batch.record()
    batch["rst_n"] = 1
    batch.generate("a", "cycle + lane")
    batch.run_cycles(30)
    lane = batch.replay(4)
    with lane.trace(tmp_path / "lane.vcd", signals="a"):
        lane.run_recorded()
    changes = [line.split()[0] for line in (tmp_path / "lane.vcd").read_text().splitlines() if line.startswith("b")]
    assert [int(change[1:], 2) for change in changes][:6] == [0, 4, 5, 6, 7, 8]
    lane = batch.replay(4)
    assert lane.run_until("a == 9", max_cycles=20).value == "condition" and lane.time_fs == 5 * PERIOD
    lane.step()
    assert lane.time_fs == 5 * PERIOD + PERIOD // 2
    lane.run_until("200ns")
    assert lane.peek("a") == 23


def bad(call):
    with pytest.raises(UserError) as caught:
        call()
    return str(caught.value)


def test_errors():
    batch = compiled().batch(4, "cpu")
    assert bad(lambda: batch.replay(1)) == (
        "error: nothing was recorded: call record() before the run that is to be replayed [no-record]"
    )
    assert bad(lambda: batch.generate("clk", "1")) == "error: 'clk' is a clock, so it cannot be driven [bad-option]"
    assert bad(lambda: batch.generate("q", "1")) == (
        "error: 'q' is no input of the top module, so it cannot be driven [read-only]"
    )
    assert bad(lambda: batch.generate("a", "lane +")) == (
        "error: an operand is missing\n    lane +\n          ^ [bad-expression]"
    )
    assert "there is no signal 'lanes'" in bad(lambda: batch.generate("a", "lanes + 1"))
    batch.generate("a", "lane")
    assert bad(lambda: batch.drive({"a": np.zeros(3)})) == ("error: 'a' is driven by the expression 'lane' [read-only]")
    assert bad(lambda: batch.drive({})) == "error: drive needs the values of at least one input [bad-option]"
    assert bad(lambda: batch.drive({"en": np.zeros((3, 5), int)})) == (
        "error: 'en' takes an array of cycles by 4 lanes, not one of shape (3, 5) [bad-lanes]"
    )
    assert bad(lambda: batch.drive({"w": np.zeros((3, 4), int)})) == (
        "error: 'w' takes an array of cycles by 4 lanes, 2 words, not one of shape (3, 4) [bad-lanes]"
    )
    assert bad(lambda: batch.drive({"en": [1, 0], "rst_n": [1]})) == (
        "error: drive needs arrays of the same number of cycles: top.en has 2, top.rst_n has 1 [bad-lanes]"
    )
    assert bad(lambda: batch.drive({"en": [1, 0, 2]})) == (
        "error: 2 does not fit 'top.en', which has 1 bits [value-range]"
    )
    assert bad(lambda: batch.drive({"w": np.full((3, 2), 2**40)})) == (
        "error: a value does not fit 'top.w', which has 100 bits [value-range]"
    )
    assert bad(lambda: batch.drive({"en": [1.5]})) == "error: 'top.en' takes integers, not float64 [bad-lanes]"
    assert bad(lambda: compiled(NO_CLOCK).batch(4, "cpu").generate("a", "lane")) == (
        "error: stimulus changes with a clock, and the design has none; name one with clock= [ambiguous-clock]"
    )
