"""Memories that lanes share until they write to them: as private ones, but for what they cost."""

from pathlib import Path

import numpy as np
import pytest

import weft
from cuda_host import HostGpu, use_host_gpu
from weft import UserError
from weft.engines.cpu.lane_engine import CpuDevice
from weft.engines.cuda.device import find_gpu
from weft.engines.lanes.shape import Shape
from weft.engines.lanes.split_device import SplitDevice
from weft.ir.lane_pages import PAGE_BYTES

SOURCE = """
module top(input logic clk, input logic rst, input logic [31:0] seed, input logic [2:0] mode,
           output logic [31:0] acc, output logic [99:0] wide);
  logic [31:0] ram [0:1023];
  logic [7:0] bytes [16:2063];
  logic [99:0] big [0:299];
  logic [15:0] window [0:2047];
  logic [15:0] little [0:15];
  logic [31:0] x;
  always_ff @(posedge clk)
    if (rst) begin x <= seed; acc <= 0; wide <= 0; end
    else begin
      x <= {x[30:0], x[31] ^ x[21] ^ x[1] ^ x[0]};
      if (mode[0] && x[0]) ram[x[13:4]][15:0] <= x + acc;
      if (mode[0] && x[3]) ram[x[13:4]][31:16] <= acc;
      if (mode[1] && x[1]) bytes[16 + x[14:4]] <= x[7:0];
      if (mode[1] && x[2]) big[x[12:4]] <= {x, x, acc, x[3:0]};
      if (mode[2] && x[4:0] == 3) for (int i = 8; i < 1900; i++) window[i] <= 16'h1234;
      little[x[3:0]] <= x;
      acc <= acc + ram[x[11:2]] + bytes[16 + x[12:2]] + window[x[14:4]] + little[x[7:4]] + window[3];
      wide <= big[x[10:2]] + wide;
    end
endmodule
"""
LANES = 70
MEMORIES = ("ram", "bytes", "big", "window", "little")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(params=["cpu", "avx2", "avx512", "gpu", "cpus", "gpus", "cuda"])
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let batches be on a device, and return its name for `Simulation.batch`."""
    from weft.sim import make_batch

    shapes = {"avx2": Shape(8, 8, 32), "avx512": Shape(32, 16, 8)}
    if request.param in shapes:
        monkeypatch.setattr(make_batch, "choose_device", lambda *given: CpuDevice(shapes[request.param], 2))
    elif request.param == "cpus":
        devices = [CpuDevice(Shape(8, 8, 32), threads=1) for _ in range(2)]
        monkeypatch.setattr(make_batch, "choose_device", lambda *given: SplitDevice(devices))
    elif request.param == "cuda":
        if not find_gpu():
            pytest.skip("there is no GPU")
        return "cuda"
    elif request.param != "cpu":
        use_host_gpu(monkeypatch, HostGpu(2 if request.param == "gpus" else 1), threads=32)
        return "cuda"
    return "cpu"


def compiled(text: str = SOURCE, **options):
    sim = weft.compile(texts={"top.sv": text}, cache=False, **options)
    sim.memory("ram")[0:1024] = np.arange(1024, dtype=np.uint32) * 3
    sim.memory("bytes")[16:2064] = np.arange(2048).astype(np.uint8)
    return sim


def begin(sim, device, **options):
    batch = sim.batch(LANES, device, devices="all", **options)
    batch["seed"] = np.arange(LANES) * 77 + 1
    batch["mode"] = 7
    batch["rst"] = 1
    batch.run_cycles(2)
    batch["rst"] = 0
    return batch


def values(batch):
    """Return everything that can be seen of a batch."""
    found = {name: np.asarray(batch.memory(name)) for name in MEMORIES}
    return {**found, "acc": batch.peek("acc"), "wide": batch.peek("wide"), "time": batch.time_fs}


def assert_alike(batch, other):
    mine, yours = values(batch), values(other)
    for name, value in mine.items():
        assert np.array_equal(value, yours[name]), name


def pair(device, **options):
    """Return a batch whose memories are shared and a plain one of the same simulation."""
    sim = compiled(**options)
    return begin(sim, device, share_memories=True), begin(sim, "cpu", share_memories=False)


def test_lanes_agree(device):
    paged, plain = pair(device)
    kinds = {paged.program.states[m.state].name.removeprefix("top."): m.paged for m in paged.program.memories}
    assert kinds["ram"] and kinds["bytes"] and kinds["big"] and kinds["window"] and not kinds["little"]
    assert not any(memory.paged for memory in plain.program.memories)
    for cycles in (1, 40, 300):
        for batch in (paged, plain):
            batch.run_cycles(cycles)
        assert_alike(paged, plain)
    assert paged.state.pages.used() > 0


def test_four_state_lanes_agree(device):
    paged, plain = pair(device, four_state=True)
    for batch in (paged, plain):
        batch.run_cycles(60)
    assert_alike(paged, plain)


def test_memories_are_set(device):
    paged, plain = pair(device)
    for batch in (paged, plain):
        batch.run_cycles(20)
    used = paged.state.pages.used()
    for batch in (paged, plain):
        batch.memory("ram")[:, 100:300] = np.arange(200)  # alike: whatever pages lanes have take it
        batch.memory("bytes")[:] = 9
    assert paged.state.pages.used() == used
    for batch in (paged, plain):
        batch.memory("ram", lanes=[3, 69, 5])[:, [7, 700]] = np.array([[1, 2], [3, 4], [5, 6]])
        batch.memory("big")[:, 5] = np.stack([np.arange(LANES), np.arange(LANES)], axis=-1).astype(np.uint64)
        batch.memory("window")[11] = np.arange(2048)
    assert paged.state.pages.used() > used
    assert_alike(paged, plain)
    for batch in (paged, plain):
        batch.run_cycles(50)
    assert_alike(paged, plain)


def test_forks_and_lanes(device):
    paged, plain = pair(device)
    for batch in (paged, plain):
        batch.run_cycles(150)
        batch.fork(66, [0, 1, 30, 66, 69])
        batch.fork(1, range(10, 20))
    assert_alike(paged, plain)
    for batch in (paged, plain):
        batch["seed"] = np.arange(LANES)
        batch["mode"] = np.arange(LANES) % 8
        batch.run_cycles(150)
    assert_alike(paged, plain)
    for lane in (0, 69):
        one, other = paged.lane(lane), plain.lane(lane)
        assert one.checkpoint().state == other.checkpoint().state
        one.run_cycles(20)
        other.run_cycles(20)
        assert one.checkpoint().state == other.checkpoint().state


def test_checkpoints(device, tmp_path):
    paged, plain = pair(device)
    paged.run_cycles(60)
    kept = [paged.checkpoint("device"), paged.checkpoint()]
    before = values(paged)
    kept[1].save(tmp_path / "lanes.npz")
    for back in (*kept, tmp_path / "lanes.npz"):
        paged.run_cycles(70)
        (paged.load if isinstance(back, Path) else paged.restore)(back)
        assert all(np.array_equal(value, before[name]) for name, value in values(paged).items())
    other = begin(compiled(), "cpu", share_memories=True)
    other.load(tmp_path / "lanes.npz")
    plain.run_cycles(60)
    for batch in (paged, plain, other):
        batch.run_cycles(100)
    assert_alike(paged, plain)
    assert_alike(other, plain)
    with pytest.raises(UserError, match="other private or shared memories"):
        plain.restore(kept[1])


def test_records(device):
    paged, plain = pair(device)
    paged.run_cycles(30)
    paged.record()
    paged.memory("ram")[4, 9] = 77
    paged.run_cycles(40)
    paged.fork(4, [2])
    paged.run_cycles(10)
    lane = paged.replay(2)
    lane.run_recorded()
    assert lane.checkpoint().state == paged.lane(2).checkpoint().state
    assert plain.time_fs[0] == 20_000_000 or lane.time_fs == paged.time_fs[2]


def test_stimulus(device):
    paged, plain = pair(device)
    for batch in (paged, plain):
        batch.generate("mode", "random[2:0]", seed=3)
        batch.drive({"seed": np.arange(40)})
        batch.run_cycles(30)
        batch.run_until("acc[3:0] == 5", max_cycles=40)
    assert_alike(paged, plain)
    assert np.array_equal(paged.status, plain.status)


def test_pages_of_lanes_that_were_overwritten_are_used_again(device):
    # Lanes write to pages until there are none; each fork gives those of all lanes but one back.
    sim = compiled()
    pool = 128 * (PAGE_BYTES + 4) * 60
    paged, plain = begin(sim, device, share_memories=True, pool_bytes=pool), begin(sim, "cpu", share_memories=False)
    for round_ in range(12):
        for batch in (paged, plain):
            batch.run_cycles(25)
            batch.fork(round_, range(LANES))
            batch.poke("mode", 3)
    given = sum(int(part.pool.free) for part in paged.state.pages.parts)
    assert given <= pool // PAGE_BYTES
    assert_alike(paged, plain)


def test_too_few_pages(device):
    sim = compiled()
    paged = begin(sim, device, share_memories=True, pool_bytes=128 * (PAGE_BYTES + 4) * 40)
    plain = begin(sim, "cpu", share_memories=False)
    for batch in (paged, plain):
        batch["mode"] = 3
    kept = paged.checkpoint()
    with pytest.raises(
        UserError, match=r"pages of shared memories are used up: .* about \d+ lanes would fit"
    ) as raised:
        paged.run_cycles(10_000)
    assert raised.value.code == "no-memory"
    # Each lane is where it would have been had it been told to run only so far, and can be looked at.
    cycles = paged.time_fs // np.uint64(10_000_000)
    assert (paged.time_fs % np.uint64(5_000_000) == 0).all() and int(cycles.min()) < 10_000
    for lane in (0, 33, 69):
        alone = plain.lane(lane)
        alone.run_until(int(paged.time_fs[lane]))
        assert alone.checkpoint().state == paged.lane(lane).checkpoint().state
    with pytest.raises(UserError, match="are used up"):
        paged.run_cycles(10_000)
    paged.restore(kept)
    for batch in (paged, plain):
        batch.run_cycles(4)
    assert_alike(paged, plain)


def test_auto(monkeypatch):
    sim = compiled()
    assert sim.batch(LANES, "cpu").layout.pool is None
    monkeypatch.setattr(CpuDevice, "room", lambda self: 1_500_000)
    batch = sim.batch(LANES, "cpu")
    assert batch.layout.pool is not None and batch.layout.size < 1_500_000
    assert not any(memory.paged for memory in sim.batch(4, "cpu").program.memories)
    named = sim.batch(LANES, "cpu", share_memories=True, private=("ram",))
    assert [m.paged for m in named.program.memories if named.program.states[m.state].name == "top.ram"] == [False]
    with pytest.raises(UserError, match=r"about [\d,]+ lanes would fit"):
        sim.batch(50_000, "cpu")


def test_errors():
    sim = compiled()
    for options, text in (
        ({"share_memories": "some"}, "share_memories is auto, True or False, not 'some'"),
        ({"pool_bytes": -1}, "pool_bytes is a number of bytes, or 0, not -1"),
    ):
        with pytest.raises(UserError) as raised:
            sim.batch(4, "cpu", **options)
        assert raised.value.message == text
    with pytest.raises(UserError, match="lanes would fit"):
        sim.batch(LANES, "cpu", share_memories=True, pool_bytes=4000)
