"""Memories that lanes share until they write to them, with a kernel that stays: it stops lanes where pages run short.

The kernel runs on the driver of `tests/cuda_host`, a block in each thread; the test marked `device` runs on a GPU.
"""

from itertools import pairwise

import numpy as np
import pytest

import weft
from cuda_host import HostGpu, use_host_gpu
from weft import UserError
from weft.engines.cuda.assemble import assemble
from weft.engines.cuda.device import find_gpu
from weft.engines.cuda.kernel_emitter import KernelOptions
from weft.engines.cuda.mailbox import NUMBER
from weft.engines.cuda.serve_emitter import serve_text
from weft.ir.lane_pages import FREE, LOST, PAGE_BYTES, TAKEN

SOURCE = """
module top(input logic clk, input logic rst, input logic [31:0] seed, input logic [1:0] mode,
           output logic [31:0] acc, output logic [7:0] last);
  logic [31:0] ram [0:1023];
  logic [7:0] bytes [16:2063];
  logic [31:0] x;
  assign last = acc[7:0] + mode;
  always_ff @(posedge clk)
    if (rst) begin x <= seed; acc <= 0; end
    else begin
      x <= {x[30:0], x[31] ^ x[21] ^ x[1] ^ x[0]};
      if (mode[0] && x[0]) ram[x[13:4]][15:0] <= x + acc;
      if (mode[1] && x[1]) bytes[16 + x[14:4]] <= x[7:0];
      acc <= acc + ram[x[11:2]] + bytes[16 + x[12:2]];
    end
endmodule
"""
LANES, LATCHES = (
    4,
    """
  logic gate = 0;
  logic [9:0] at = 0;
  always_ff @(posedge clk) gate <= x[3];
  always_ff @(posedge gate) begin ram[at] <= x; at <= at + 37; end
""",
)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def gpu(monkeypatch):
    """Be a GPU."""
    return use_host_gpu(monkeypatch, HostGpu())


def begin(sim, device, lanes=LANES, **options):
    batch = sim.batch(lanes, device, **options)
    batch["seed"] = np.arange(lanes) * 77 + 1
    batch["mode"] = 3
    batch["rst"] = 1
    batch.run_cycles(2)
    batch["rst"] = 0
    return batch


def pair(text=SOURCE, lanes=LANES, **options):
    """Return a batch with a kernel that stays and shared memories, and a plain one on the CPU."""
    sim = weft.compile(texts={"top.sv": text}, cache=False)
    sim.memory("ram")[0:1024] = np.arange(1024, dtype=np.uint32) * 3
    resident = begin(sim, "cuda", lanes, share_memories=True, resident=True, **options)
    assert resident.residency.lanes is not None and any(memory.paged for memory in resident.program.memories)
    return resident, begin(sim, "cpu", lanes, share_memories=False)


def assert_alike(one, other):
    for name in ("acc", "last"):
        assert np.array_equal(one.peek(name), other.peek(name)), name
    for name in ("ram", "bytes"):
        assert np.array_equal(np.asarray(one.memory(name)), np.asarray(other.memory(name))), name
    assert np.array_equal(one.time_fs, other.time_fs) and np.array_equal(one.status, other.status)


def pool(pages, lanes=64):
    """Return the bytes of a pool with so many pages for each lane that there is room for."""
    return lanes * (PAGE_BYTES + 4) * pages


def work(one, other, lanes):
    for cycles in (1, 40, 300):
        for batch in (one, other):
            batch.run_cycles(cycles)
        assert_alike(one, other)
    assert one.state.pages.used() > 0
    for batch in (one, other):
        batch.memory("ram")[:, 5:9] = np.arange(4)
        batch.memory("ram")[1, 700] = 12
        batch.run_cycles(7)
        batch.run_until("acc[3:0] == 5", max_cycles=40)
        batch.fork(1, range(lanes))
        batch.poke("mode", np.arange(lanes, dtype=np.uint8) % 4)
        batch.run_cycles(20)
    assert_alike(one, other)
    kept = [batch.checkpoint() for batch in (one, other)]
    for batch in (one, other):
        batch.run_cycles(30)
        batch.restore(kept[batch is other])
        batch.drive({"mode": np.arange(10) % 4})
        batch.run_cycles(3)
    assert_alike(one, other)
    assert one.residency.lanes is not None


def test_lanes_agree(gpu):
    one, other = pair()
    work(one, other, LANES)
    one.residency.close()


def test_a_round_trip_is_one_command(gpu):
    one, _ = pair()
    words = one.residency.lanes._words
    for _ in range(4):
        before = words[NUMBER]
        one.poke("mode", 1)
        one.run_cycles(1)
        one.peek("acc"), one.peek("last")
    assert words[NUMBER] == before + 1
    one.residency.close()


@pytest.mark.parametrize("pages", [4, 20])
def test_pages_of_lanes_that_were_overwritten_are_used_again(gpu, pages):
    one, other = pair(pool_bytes=pool(pages))
    collected = []
    part = one.state.pages.parts[0]
    for round_ in range(12):
        for batch in (one, other):
            batch.run_cycles(6)
            batch.fork(round_ % LANES, range(LANES))
        collected.append(int(part.numbers()[TAKEN]))
        assert_alike(one, other)
    assert int(part.numbers()[FREE]) > 0 and not part.numbers()[LOST]
    assert pages == 20 or any(more < before for before, more in pairwise(collected))
    one.residency.close()


def test_too_few_pages(gpu):
    one, other = pair(pool_bytes=pool(2) + 25 * PAGE_BYTES)
    kept = one.checkpoint()
    with pytest.raises(
        UserError, match=r"pages of shared memories are used up: .* about \d+ lanes would fit"
    ) as raised:
        one.run_cycles(10_000)
    assert raised.value.code == "no-memory" and not one.status.any()
    # Each lane is where it would have been had it been told to run only so far, and can be looked at.
    cycles = one.time_fs // np.uint64(10_000_000)
    assert (one.time_fs % np.uint64(5_000_000) == 0).all() and int(cycles.min()) < 10_000
    for lane in range(LANES):
        alone = other.lane(lane)
        alone.run_until(int(one.time_fs[lane]))
        assert alone.checkpoint().state == one.lane(lane).checkpoint().state
    for run in (lambda: one.run_cycles(10_000), lambda: one.run_until("acc == 1", 10)):
        with pytest.raises(UserError, match="are used up"):
            run()
    one.poke("mode", 1)
    assert np.array_equal(one.peek("last"), (one.peek("acc") + 1 & 255).astype(np.uint8))
    one.restore(kept)
    for batch in (one, other):
        batch.run_cycles(4)
    assert_alike(one, other)
    one.residency.close()


def test_lanes_that_finish_when_pages_run_short(gpu):
    text = SOURCE.replace("acc <= acc + ram", "if (x == 78) $finish; acc <= acc + ram")
    one, other = pair(text, pool_bytes=pool(2) + 25 * PAGE_BYTES)
    with pytest.raises(UserError, match="are used up"):
        one.run_cycles(10_000)
    other.run_cycles(10_000)
    assert one.finished.tolist() == other.finished.tolist() == [False, True, False, False]
    assert one.time_fs[1] == other.time_fs[1]
    one.residency.close()


def test_writes_while_the_design_settles(gpu):
    one, other = pair(SOURCE.replace("endmodule", LATCHES + "endmodule"), pool_bytes=pool(60))
    for batch in (one, other):
        for cycle in range(40):
            batch.poke("mode", cycle % 4)
            batch.run_cycles(1 + cycle % 3)
            batch["x"][2] = cycle * 0x1234567
            batch.peek("acc")
    assert_alike(one, other)
    one.residency.close()


def test_pages_that_are_lost(gpu, monkeypatch):
    one, _ = pair(pool_bytes=pool(2) + 25 * PAGE_BYTES)
    part = one.state.pages.parts[0]
    # As if lanes had taken all that there is in one slot.
    numbers = part.numbers()
    numbers[TAKEN] = numbers[FREE]
    one.data.write(part.pool.header, numbers.view(np.uint8))
    monkeypatch.setattr(one.residency, "_may_lack", False)
    with pytest.raises(UserError, match="what they hold is lost") as raised:
        one.run_cycles(40)
    assert raised.value.code == "no-memory"
    one.residency.close()


@pytest.mark.parametrize("sm", [80, 90])
def test_the_kernel_assembles(gpu, sm):
    one, _ = pair()
    ptx = assemble(serve_text(one.program, None, KernelOptions(), 128), sm)
    assert "lanes_serve" in ptx and "atom.global.add.u32" in ptx
    one.residency.close()


@pytest.mark.device
@pytest.mark.parametrize("lanes", [4, 300, 5000])
def test_on_a_gpu(lanes):
    if not find_gpu():
        pytest.skip("no GPU: it needs an NVIDIA GPU, its driver and pip install 'weft[cuda]'")
    one, other = pair(lanes=lanes)
    work(one, other, lanes)
    one.residency.close()
    one, other = pair(lanes=lanes, pool_bytes=pool(9, -(-lanes // 64) * 64))
    for round_ in range(8):
        for batch in (one, other):
            batch.run_cycles(6)
            batch.fork(round_, range(lanes)) if round_ < 4 else batch.poke("mode", 0)
        assert_alike(one, other)
    one.residency.close()
