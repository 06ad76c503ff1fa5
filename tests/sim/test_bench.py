"""Test benches of batches: what they write and see in each way to synchronise, and that every lane can be replayed."""

import asyncio

import numpy as np
import pytest

import weft
from weft import UserError

SOURCE = """
module top(input logic clk, input logic rst, input logic [7:0] a, input logic valid, input logic [69:0] w,
           output logic [15:0] total, output logic [7:0] twice, output logic [69:0] wide);
  always_ff @(posedge clk)
    if (rst) begin total <= 0; wide <= 0; end
    else begin
      if (valid) total <= total + a;
      wide <= wide ^ w;
      if (total == 16'hffff) $finish;
    end
  assign twice = 2 * a;
endmodule
"""
LANES = 19


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


def make_batch(**options):
    batch = weft.compile(texts={"top.sv": SOURCE}, cache=False, **options).batch(LANES, "cpu")
    batch.record()
    return batch


def assert_replayed(batch):
    for lane in range(LANES):
        alone = batch.replay(lane)
        alone.run_recorded()
        assert batch.time_fs[lane] == alone.time_fs, lane
        assert np.array_equal(batch.lane_state(lane), np.frombuffer(alone.checkpoint().state, np.uint8)), lane


def values(cycle):
    return (np.arange(LANES) * 7 + 13 * cycle) & 255


async def feed(lanes):
    """Reset for two cycles, then add a value in each of 50, of which every fifth is not valid."""
    lanes["rst"] = 1
    lanes["valid"] = 0
    await lanes.cycles(2)
    lanes["rst"] = 0
    for cycle in range(50):
        lanes["a"] = values(cycle)
        lanes["valid"] = int(cycle % 5 != 0)
        if cycle % 9 == 0:
            lanes["w"] = np.stack(
                [values(cycle).astype(np.uint64) << np.uint64(50), values(cycle).astype(np.uint64) & np.uint64(63)],
                axis=-1,
            )
        await lanes.cycles()


def expected():
    total = np.zeros(LANES, int)
    for cycle in range(50):
        total += values(cycle) if cycle % 5 else 0
    return total & 0xFFFF


@pytest.mark.parametrize("four_state", [False, True])
@pytest.mark.parametrize(
    ("sync", "block"), [("strict", 1), ("strict", 16), ("pipelined", 1), ("pipelined", 7), ("pipelined", 64)]
)
def test_what_is_written(sync, block, four_state):
    batch = make_batch(four_state=four_state)
    status = batch.run_bench(feed, sync=sync, block=block)
    assert batch.peek("total").tolist() == expected().tolist() and (status == 0).all()
    assert (batch.time_fs == 52 * 10**7).all()
    assert_replayed(batch)
    wide = np.zeros((LANES, 2), np.uint64)
    for cycle in range(50):
        at = cycle - cycle % 9
        wide ^= np.stack([values(at).astype(np.uint64) << np.uint64(50), (values(at) & 63).astype(np.uint64)], axis=-1)
    assert np.array_equal(batch.peek("wide"), wide)


def test_ports_can_be_declared():
    batch = make_batch()
    batch.run_bench(feed, block=16, ports=["rst", "valid", "a", "w"])
    assert batch.peek("total").tolist() == expected().tolist()
    keys = {key[3][1] for key in batch.kernels if key[3] is not None}
    assert keys == {("top.a", "top.rst", "top.valid", "top.w")}
    assert_replayed(batch)


def test_strict_sees_the_present():
    batch, seen = make_batch(), []

    async def bench(lanes):
        lanes["rst"] = 1
        await lanes.cycles()
        lanes["rst"], lanes["valid"] = 0, 1
        total = np.zeros(LANES, int)
        for cycle in range(20):
            lanes["a"] = values(cycle)
            assert lanes["twice"].tolist() == (2 * values(cycle) & 255).tolist()
            total += values(cycle)
            await lanes.cycles()
            seen.append(lanes.peek("total").tolist() == total.tolist() and lanes.seen_cycle == cycle + 2)

    batch.run_bench(bench, sync="strict")
    assert seen == [True] * 20
    assert_replayed(batch)


@pytest.mark.parametrize("block", [1, 4])
def test_pipelined_sees_the_block_before_the_last(block):
    """It sees the end of block n - 1 while it writes block n + 1."""
    batch, seen = make_batch(), []

    async def bench(lanes):
        lanes["rst"], lanes["a"], lanes["valid"] = 0, 1, 1
        for _ in range(6 * block):
            seen.append((lanes.cycle, int(lanes.peek("total")[3]), lanes.seen_cycle))
            await lanes.cycles()

    batch.run_bench(bench, sync="pipelined", block=block)
    late = [max(0, (cycle // block - 1) * block) for cycle in range(6 * block)]
    assert seen == [(cycle, at, at) for cycle, at in enumerate(late)]
    assert (batch.peek("total") == 6 * block).all()


def test_async_runs_on():
    batch, seen = make_batch(), []

    async def bench(lanes):
        lanes["a"], lanes["valid"] = 1, 1
        last = 0
        for step in range(5):
            await lanes.cycles(10)
            assert lanes.cycle >= last + 10
            last = lanes.cycle
            lanes["a"] = step + 2
            seen.append(int(lanes.peek("total")[0]))

    batch.run_bench(bench, sync="async", block=8)
    assert seen == sorted(seen) and int(batch.time_fs[0]) % (8 * 10**7) == 0
    assert_replayed(batch)

    async def endless(lanes):
        while True:
            lanes["a"] = 3
            await lanes.cycles(5)

    before = int(batch.time_fs[0])
    batch.run_bench(endless, sync="async", block=8, cycles=100)
    assert int(batch.time_fs[0]) == before + 100 * 10**7
    assert_replayed(batch)


@pytest.mark.parametrize("sync", ["strict", "pipelined"])
def test_several_coroutines(sync):
    batch, checks = make_batch(), []

    async def pulse(lanes, path, first, count):
        await lanes.cycles(first)
        for _ in range(count):
            lanes[path] = 1
            await lanes.cycles()
            lanes[path] = 0
            await lanes.cycles()
        return count

    async def driver(lanes):
        lanes["a"] = 5
        lanes["rst"] = 0
        lanes["valid"] = 0
        one = lanes.start(pulse(lanes, "valid", 3, 4))
        assert await one == 4
        two = lanes.start(pulse(lanes, "valid", 1, 2))
        await two
        await asyncio.sleep(0)

    async def watcher(lanes):
        while True:
            await lanes.cycles(2)
            checks.append(lanes.cycle)

    batch.run_bench(driver, watcher, sync=sync, block=4, cycles=30)
    assert batch.peek("total").tolist() == [30] * LANES and checks == list(range(2, 30, 2))
    assert (batch.time_fs == 30 * 10**7).all()
    assert_replayed(batch)


@pytest.mark.parametrize("sync", ["strict", "pipelined", "async"])
def test_it_ends_when_every_lane_has(sync):
    batch = make_batch()
    batch["total"] = 0xFFF0

    async def bench(lanes):
        lanes["a"] = 1
        lanes["valid"] = 1
        while not lanes.finished.all():
            await lanes.cycles(10)

    batch.run_bench(bench, sync=sync, block=8)
    assert batch.finished.all() and (batch.status == 2).all()
    assert_replayed(batch)


def bad(batch, *benches, **options):
    with pytest.raises(UserError) as caught:
        batch.run_bench(*benches, **options)
    return str(caught.value)


def test_errors():
    batch = make_batch()
    assert bad(batch, feed, sync="loose") == "error: sync is strict, pipelined or async, not 'loose' [bad-option]"
    assert bad(batch, feed, block=0) == "error: a block has at least one cycle, not 0 [bad-option]"

    async def looks(lanes):
        lanes.peek("a")

    assert bad(batch, looks) == (
        "error: a test bench that is not strict sees what is sampled for it, 'total', 'twice', 'wide':"
        " name 'a' in watch= [unknown-signal]"
    )
    batch.run_bench(looks, watch=["a"])

    async def sets(lanes):
        lanes["total"] = 1

    assert bad(batch, sets) == "error: 'total' is no input of the top module, so it cannot be driven [read-only]"

    async def stranger(lanes):
        await asyncio.gather(lanes.cycles(), lanes.cycles())

    assert bad(batch, stranger) == (
        "error: only coroutines that the test bench knows can wait: begin this one with start() [bad-option]"
    )

    async def fails(lanes):
        await lanes.cycles(3)
        raise ValueError("wrong")

    async def waits(lanes):
        await lanes.cycles(100)

    with pytest.raises(ValueError, match="wrong"):
        batch.run_bench(fails, waits)

    async def large(lanes):
        lanes["a"] = np.full(LANES, 256)

    assert bad(batch, large) == "error: 256 does not fit 'a', which has 8 bits [value-range]"
    batch.generate("a", "lane")
    assert bad(batch, large) == "error: 'a' is driven by the expression 'lane' [read-only]"
