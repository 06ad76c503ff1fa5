"""Stimulus on its way to a GPU: blocks are sent in a stream of copies while the device runs the block before.

The driver of `tests/cuda_host` does these copies in a thread of their own and late, so a kernel that does not wait for
its block, and a block that is written over before it has left, are seen. Tests marked `device` do the same on a GPU.
"""

import gc
import threading

import numpy as np
import pytest

import weft
from cuda_host import HostGpu, use_host_gpu
from weft import UserError
from weft.engines.cuda.device import CudaDevice, find_gpu
from weft.engines.cuda.device_bytes import DeviceBytes
from weft.sim import drive_batch
from weft.sim.stimulus import planes
from weft.sim.stimulus.row_mail import RowMail

SOURCE = """
module top(input logic clk, input logic [7:0] a, input logic [12:0] b, input logic [99:0] w, input logic go,
           output logic [31:0] sum, output logic [99:0] acc);
  always_ff @(posedge clk) begin
    sum <= sum * 5 + a + b + go;
    acc <= acc * 3 + w;
  end
endmodule
"""
LANES, CYCLES = 70, 100


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def api(monkeypatch):
    """Be a GPU whose copies are late, and blocks of 16 cycles."""
    monkeypatch.setattr(drive_batch, "_DEPTHS", (16,))
    api = use_host_gpu(monkeypatch, HostGpu(), threads=32)
    api.copy_s = 0.002
    return api


def pair(lanes=LANES):
    sim = weft.compile(texts={"top.sv": SOURCE}, cache=False)
    return sim.batch(lanes, "cuda", resident=False), sim.batch(lanes, "cpu")


def stimulus(lanes=LANES, cycles=CYCLES):
    random = np.random.default_rng(1)
    wide = random.integers(0, 2**63, (cycles, lanes, 2), np.uint64)
    wide[..., 1] &= np.uint64(2**36 - 1)
    return {
        "a": random.integers(0, 256, (cycles, lanes), np.uint8),
        "b": random.integers(0, 2**13, (cycles, lanes), np.uint32),
        "w": wide,
        "go": random.integers(0, 2, cycles, np.uint8),
    }


def assert_same(one, other):
    for path in ("sum", "acc"):
        assert np.array_equal(one.peek(path), other.peek(path)), path
    assert np.array_equal(one.time_fs, other.time_fs)


def test_driven_in_blocks(api):
    one, other = pair()
    values = stimulus()
    before = one.device.times().to_device
    for batch in (one, other):
        batch.drive(values)
        batch.drive({"a": values["a"][:40]})
        batch.drive(values, until="sum[7:0] == 8'h55")
    assert_same(one, other)
    assert api.calls.count("cuStreamWaitEvent") >= 2 * CYCLES // 16
    assert one.device.times().to_device - before > sum(array.nbytes for array in values.values())
    with one.profile() as profile:
        one.drive(values)
    assert profile.copy_s > CYCLES // 16 * api.copy_s
    del one, batch, profile
    gc.collect()
    assert not api.blocks


def test_the_next_block_leaves_while_the_device_runs(api, monkeypatch):
    """Each launch of a block but the last waits until the copies of the next have been asked for."""
    one, other = pair()
    values = {"a": stimulus()["a"]}
    asked = threading.Semaphore(0)
    launch, copy = HostGpu.cuLaunchKernel, HostGpu.cuMemcpyHtoDAsync
    waited = []

    def slow(self, function, *more):
        if len(waited) < CYCLES // 16 - 1:
            waited.append(asked.acquire(timeout=20))
        return launch(self, function, *more)

    def ask(self, *given):
        asked.release()
        return copy(self, *given)

    one.drive({"a": values["a"][:3]}), other.drive({"a": values["a"][:3]})  # its code is there now
    one.run_cycles(1), other.run_cycles(1)
    monkeypatch.setattr(HostGpu, "cuMemcpyHtoDAsync", ask)
    first = one.checkpoint()
    one.drive(values)
    one.restore(first)
    while asked.acquire(blocking=False):
        pass
    monkeypatch.setattr(HostGpu, "cuLaunchKernel", slow)
    real = drive_batch.DrivenBatch.run_block

    def run_block(self, *given):
        if not waited:
            asked.acquire(timeout=20)  # that of the first block itself
        return real(self, *given)

    monkeypatch.setattr(drive_batch.DrivenBatch, "run_block", run_block)
    one.drive(values), other.drive(values)
    assert waited == [True] * (CYCLES // 16 - 1)
    assert_same(one, other)


async def bench(lanes):
    random = np.random.default_rng(2)
    for cycle in range(CYCLES):
        lanes["a"] = random.integers(0, 256, len(lanes), np.uint8)
        if cycle >= 40:
            lanes["w"] = int(random.integers(0, 2**62)) << 30
        if cycle % 50 == 7:
            lanes["b"] = cycle
        await lanes.cycles(1)


@pytest.mark.parametrize("sync", ["strict", "pipelined"])
def test_benches(api, sync):
    one, other = pair()
    for batch in (one, other):
        batch.record()
        batch.run_bench(bench, sync=sync, block=16)
        batch.run_cycles(2)
    assert_same(one, other)
    alone = one.replay(5)
    alone.run_recorded()
    assert alone.peek("sum") == one.peek("sum")[5]


def test_a_bench_sends_a_block_while_the_device_runs(api, monkeypatch):
    one, other = pair()
    running, sent = [], []
    real_run, real_send = drive_batch.DrivenBatch.run_block, planes.DrivePlanes.send

    def run_block(self, *given):
        running.append(1)
        for _ in range(1000):  # until the test bench has written the next block
            if len(sent) > len(running) or len(running) >= CYCLES // 16:
                break
            threading.Event().wait(0.01)
        try:
            return real_run(self, *given)
        finally:
            assert len(sent) > len(running) or len(running) >= CYCLES // 16

    def send(self, *given):
        sent.append(1)
        return real_send(self, *given)

    async def steady(lanes):
        for cycle in range(CYCLES):
            lanes["a"] = np.arange(len(lanes)) + cycle & 255
            await lanes.cycles(1)

    other.run_bench(steady, ports=("a",), block=16)
    monkeypatch.setattr(drive_batch.DrivenBatch, "run_block", run_block)
    monkeypatch.setattr(planes.DrivePlanes, "send", send)
    one.run_bench(steady, ports=("a",), block=16)
    assert len(running) == -(-CYCLES // 16)
    assert_same(one, other)


@pytest.mark.parametrize("gpus", [1, 2])
@pytest.mark.parametrize("resident", [False, True])
def test_rows_of_an_async_test_bench(monkeypatch, gpus, resident):
    if resident and gpus > 1:
        pytest.skip("resident kernels are for one GPU")
    api = use_host_gpu(monkeypatch, HostGpu(gpus, multiprocessors=4), threads=1 if resident else 32)
    api.copy_s = 0.002
    sim = weft.compile(texts={"top.sv": SOURCE}, cache=False)
    lanes = 4 if resident else LANES
    devices = "all" if gpus > 1 else (0,)
    batch = sim.batch(lanes, "cuda", resident=resident, devices=devices)
    other = sim.batch(lanes, "cpu")
    random = np.random.default_rng(3)
    rows = [random.integers(0, 256, lanes, np.uint8) for _ in range(6)]
    moved, real = [], DeviceBytes.move

    def move(self, *given):
        moved.append(given)
        return real(self, *given)

    monkeypatch.setattr(DeviceBytes, "move", move)
    mail = RowMail(batch)
    port, go, wide = (batch.find_ports({path: None}).popitem()[0] for path in ("a", "go", "w"))
    for number, row in enumerate(rows):
        mail.send(port, rows[number - 1])
        mail.send(port, row)
        if number % 2:
            mail.send(go, row & 1)
            mail.send(wide, np.stack([row, row], axis=-1).astype(np.uint64))
            other["go"], other["w"] = row & 1, np.stack([row, row], axis=-1).astype(np.uint64)
        other["a"] = row
        mail.deliver()
        for each in (batch, other):
            each.run_cycles(3)
        assert_same(batch, other)
    # An input is sent ahead from the second time on; what is wide, or goes with a command, is not.
    assert len(moved) == (0 if resident else gpus * (len(rows) - 1 + len(rows) // 2 - 1))
    batch.residency.close()

    async def steady(given):
        given["a"] = 7
        await given.cycles(1)
        for row in rows:
            given["a"] = row
            await given.cycles(40)
        while not (given.peek("echo") == rows[-1]).all():
            await given.cycles(8)

    if not resident:
        text = SOURCE.replace("output logic [31:0] sum", "output logic [7:0] echo, output logic [31:0] sum")
        text = text.replace("acc <= acc", "echo <= a; acc <= acc")
        sim = weft.compile(texts={"top.sv": text}, cache=False)
        sim.batch(lanes, "cuda", resident=False, devices=devices).run_bench(steady, sync="async", block=8)


def test_where_there_is_room_for_one_side_only(api, monkeypatch):
    one, other = pair()
    values, real, asked = stimulus(), CudaDevice.allocate, []

    def allocate(self, size, *given):
        asked.append(size)
        if len(asked) == 2:
            raise UserError("no-memory", "no")
        return real(self, size, *given)

    monkeypatch.setattr(CudaDevice, "allocate", allocate)
    one.drive(values), other.drive(values)
    assert len(asked) == 2 and len(one._planes[True][1]._sides) == 1
    assert_same(one, other)


def test_where_page_locked_memory_runs_out(api):
    one, other = pair()
    values = stimulus()
    api.fail["cuMemHostAlloc"] = 2
    one.drive(values), other.drive(values)
    assert_same(one, other)


def test_large_blocks_are_staged_in_several_threads(api, monkeypatch):
    monkeypatch.setattr(planes, "_HELPERS", 3)
    monkeypatch.setattr(planes, "_LARGE_BYTES", 1)
    one, other = pair()
    values = stimulus()
    one.drive(values), other.drive(values)
    assert_same(one, other)


@pytest.mark.parametrize("name", ["cuMemcpyHtoDAsync", "cuEventSynchronize", "cuStreamWaitEvent"])
def test_a_gpu_that_is_lost_on_the_way(api, name):
    one, _ = pair()
    api.fail[name] = 700
    with pytest.raises(UserError) as caught:
        one.drive(stimulus())
    assert str(caught.value) == (
        "error: the GPU failed: something is wrong (CUDA error 700): what its lanes held is lost; "
        "a checkpoint that the host keeps can go on in a new batch [gpu-failed]"
    )


@pytest.mark.device
@pytest.mark.parametrize("lanes", [300, 20_000])
def test_on_a_gpu(lanes, monkeypatch):
    if not find_gpu():
        pytest.skip("no GPU: it needs an NVIDIA GPU, its driver and pip install 'weft[cuda]'")
    monkeypatch.setattr(drive_batch, "_DEPTHS", (16, 128))
    one, other = pair(lanes)
    values = stimulus(lanes, 300)
    for batch in (one, other):
        batch.drive(values)
        batch.drive({"a": values["a"][:40]})
        batch.run_bench(bench, block=16)
        batch.drive(values, until="sum[7:0] == 8'h55")
    assert_same(one, other)
    assert np.array_equal(one.status, other.status)
    mail, port = RowMail(one), one.find_ports({"a": None}).popitem()[0]
    for row in values["a"][:5]:
        mail.send(port, row)
        mail.deliver()
        other["a"] = row
        one.run_cycles(40), other.run_cycles(40)
        assert_same(one, other)
