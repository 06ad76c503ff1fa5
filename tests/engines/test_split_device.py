"""Batches on several devices: two that are this machine's processor, and GPUs without one."""

import numpy as np
import pytest

import weft
from cuda_host import HostGpu, use_host_gpu
from lane_batches import Lanes
from random_graphs import random_graph
from weft import Unsupported, UserError
from weft.engines.cpu.lane_engine import CpuDevice
from weft.engines.cuda.driver import Driver
from weft.engines.lanes.shape import Shape
from weft.engines.lanes.split_device import SplitDevice, cut_lanes

SOURCE = """
module top(input logic clk, input logic [7:0] a, input logic [99:0] w, output logic [7:0] q, output logic [99:0] acc,
           output logic [8:0] sum);
  logic [15:0] mem [0:31];
  logic [7:0] rom [0:15];
  initial for (int i = 0; i < 16; i++) rom[i] = 3 * i;
  assign sum = q + a;
  always_ff @(posedge clk) begin
    q <= q + a + rom[a[3:0]];
    acc <= acc * 3 + w;
    mem[q[4:0]] <= mem[q[3:0]] + q;
    if (q == 77) $error("77");
  end
endmodule
"""


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


def test_cuts():
    assert cut_lanes(1, 4) == [0, 1] and cut_lanes(65, 4) == [0, 64, 65]
    assert cut_lanes(1000, 3) == [0, 320, 640, 1000] and cut_lanes(256, 2) == [0, 128, 256]


@pytest.mark.parametrize("seed", range(3))
def test_random_graphs(seed):
    devices = [CpuDevice(Shape(8, 8, 32), threads=1) for _ in range(3)]
    try:
        lanes = Lanes(random_graph(seed, 40), SplitDevice(devices), 150, seed, paged=seed % 2 == 0)
    except Unsupported:
        pytest.skip("the graph has an operation that is too wide")
    assert len(lanes.data.parts) == 3
    lanes.settle()
    assert lanes.differences() == []
    lanes.run(100)
    assert lanes.differences() == []


def drive(batch):
    """Return everything that a batch says when it is used in all ways."""
    lanes, found = len(batch), []
    batch["a"][:] = np.arange(lanes) & 255
    batch["w"][:] = 1 << 80
    found.append(batch.run_cycles(10))
    batch["a"][60:70] = 5
    batch.memory("mem", lanes=slice(50, 140))[:, 3] = 7
    batch.memory("mem")[3] = np.arange(32)
    batch.memory("rom")[:, 2] = 99
    found.append(batch.run_until("q == 8'd60", max_cycles=200))
    kept, near = batch.checkpoint(), batch.checkpoint(keep="device")
    batch.run_cycles(7)
    batch.restore(near)
    batch.run_cycles(3)
    batch.restore(kept)
    batch.fork(lane=lanes - 1, into=range(0, 90, 3))
    found.append(batch.run_cycles(5))
    found += [batch.peek(path) for path in ("q", "acc", "sum")]
    found += [batch.time_fs, batch.memory("mem")[:, 1:9], batch.memory("mem", lanes=[0, 63, 64, lanes - 1])[:, :]]
    found += list(batch.messages.values())
    return [*found, *(batch.lane_state(lane) for lane in (0, 63, 64, 127, 128, lanes - 1))]


def assert_same(one, other):
    for number, (a, b) in enumerate(zip(one, other, strict=True)):
        assert np.array_equal(a, b), number


def test_a_batch_on_several_gpus(monkeypatch):
    use_host_gpu(monkeypatch, HostGpu(gpus=3), threads=32)
    sim = weft.compile(texts={"top.sv": SOURCE}, cache=False)
    alone = drive(sim.batch(200, "cpu", messages="count"))
    for devices, parts in (("all", 3), ([2, 0], 2)):
        batch = sim.batch(200, "cuda", messages="count", devices=devices)
        assert len(batch.data.parts) == parts and batch.device.name == f"{parts} x Test GPU"
        assert_same(drive(batch), alone)
        assert len(batch.kernel_report()) >= 1
    assert not hasattr(sim.batch(40, "cuda", messages="count", devices="all").data, "parts")


def test_driven_inputs(monkeypatch):
    """Each part drives its lanes by their numbers in the whole batch, and by its part of arrays."""
    text = """module top(input clk, input [15:0] a, input [70:0] wide, input [7:0] r, output reg [15:0] q,
      output reg [70:0] w);
      initial begin q = 0; w = 0; end
      always @(posedge clk) begin q <= q * 3 + a + r; w <= w ^ wide; end
    endmodule"""
    use_host_gpu(monkeypatch, HostGpu(gpus=3), threads=32)
    sim = weft.compile(texts={"top.sv": text}, cache=False)
    lanes = 200
    batches = [sim.batch(lanes, "cuda", devices="all"), sim.batch(lanes, "cpu")]
    values = np.arange(40 * lanes, dtype=np.uint64).reshape(40, lanes) * np.uint64(2654435761) % np.uint64(65536)
    wide = np.stack([values, values % np.uint64(128)], axis=-1)
    for batch in batches:
        batch.generate("r", "random", 5)
        batch.generate("a", "lane * 7 + cycle")
        batch.run_cycles(30)
        batch.drive({"wide": wide})
        batch.generate("a", None)
        batch.drive({"a": values, "wide": wide[:, :1]}, "q[3:0] == 9")
        batch.run_cycles(3)
    many, one = batches
    assert len(many.data.parts) == 3
    for path in ("q", "w", "a", "r"):
        np.testing.assert_array_equal(many.peek(path), one.peek(path))
    np.testing.assert_array_equal(many.status, one.status)
    np.testing.assert_array_equal(many.time_fs, one.time_fs)
    assert len(set(many.time_fs.tolist())) > 5, "lanes stop at times of their own"
    assert many.lane(150).peek("q") == int(one.peek("q")[150])


def test_errors(monkeypatch):
    api = use_host_gpu(monkeypatch, HostGpu(gpus=2), threads=32)
    sim = weft.compile(texts={"top.sv": SOURCE}, cache=False)

    def bad(call):
        with pytest.raises((UserError, Unsupported)) as caught:
            call()
        return str(caught.value)

    def make(devices, **options):
        return sim.batch(200, "cuda", messages="count", devices=devices, **options)

    assert bad(lambda: make("two")) == "error: devices is all, or a list of numbers of GPUs, not 'two' [bad-option]"
    assert bad(lambda: make([])) == "error: devices needs the number of at least one GPU [bad-option]"
    assert bad(lambda: make([0, 7])) == "error: there is no GPU 7: this machine has GPU 0 to 1 [no-gpu]"
    assert bad(lambda: make("all", resident=True)) == (
        "error: resident=True, and 2 x Test GPU cannot keep a kernel [bad-option]"
    )
    batch = make("all")
    assert bad(lambda: batch["q"].array) == (
        "error: the lanes are on several devices, so no one array holds a signal of all of them [bad-lanes]"
    )
    kept = batch.checkpoint()
    api.fail["cuLaunchKernel"] = 719
    assert "CUDA error 719" in bad(lambda: batch.run_cycles(1))
    sim.batch(200, "cpu", messages="count").restore(kept)


@pytest.mark.device
def test_on_gpus():
    try:
        if Driver().count < 2:
            pytest.skip("one GPU: it needs two")
    except UserError:
        pytest.skip("no GPU: it needs two NVIDIA GPUs, their driver and pip install 'weft[cuda]'")
    sim = weft.compile(texts={"top.sv": SOURCE}, cache=False)
    one, other = (sim.batch(1000, "cuda", messages="count", devices=devices) for devices in ("all", (0,)))
    assert_same(drive(one), drive(other))
