"""The CUDA engine: kernels are assembled everywhere, run where there is a GPU; errors of a driver that is not there."""

from types import SimpleNamespace

import numpy as np
import pytest

import weft
from lane_batches import CLOCKS, Lanes
from random_graphs import random_graph
from weft import Unsupported, UserError
from weft.engines.cuda import driver as driver_module
from weft.engines.cuda.assemble import architecture, assemble
from weft.engines.cuda.device import CudaDevice, find_gpu
from weft.engines.cuda.driver import Driver
from weft.engines.cuda.kernel_emitter import KernelOptions, look_text, run_text, settle_text
from weft.passes.build_lane_program import build_lane_program, build_look
from weft.sim.stimulus.plan import Generator, find_port, make_plan


@pytest.mark.parametrize("options", [KernelOptions(), KernelOptions(64, 256, False, 4)], ids=["packed", "local"])
@pytest.mark.parametrize("sm", [80, 90])
def test_kernels_assemble(options, sm):
    graph = random_graph(3, 30)
    program = build_lane_program(graph, CLOCKS, count_messages=True)
    look = build_look(program, graph, [len(graph) - 1])
    for name, text in (
        ("lanes_run", run_text(program, options)),
        ("lanes_settle", settle_text(program, options)),
        ("lanes_look", look_text(program, look, options)),
    ):
        ptx = assemble(text, sm)
        assert f".visible .entry {name}(" in ptx and f".target sm_{sm}" in ptx
        assert f".maxntid {options.threads}" in ptx


def test_architectures():
    found = {capability: architecture(capability) for capability in ((7, 5), (8, 0), (8, 7), (8, 9), (9, 0), (12, 0))}
    assert found == {(7, 5): 0, (8, 0): 80, (8, 7): 86, (8, 9): 89, (9, 0): 90, (12, 0): 90}


class FakeApi:
    """Answer as a driver does that has a GPU with 1 GB, or fails in one call."""

    CUdevice_attribute = SimpleNamespace(
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR=0,
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR=1,
        CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT=2,
        CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR=3,
    )

    def __init__(self, **answers):
        self.answers = {
            "cuInit": (0,),
            "cuDeviceGetCount": (0, 1),
            "cuDriverGetVersion": (0, 13000),
            "cuDeviceGet": (0, 0),
            "cuDevicePrimaryCtxRetain": (0, 1),
            "cuCtxSetCurrent": (0,),
            "cuDeviceGetName": (0, b"Test GPU\0\0"),
            "cuGetErrorString": (0, b"something is wrong"),
            "cuMemGetInfo": (0, 10**9, 2 * 10**9),
            "cuDeviceGetAttribute": (0, 9),
            **answers,
        }

    def __getattr__(self, name):
        answer = self.answers[name]
        return lambda *given: answer


@pytest.mark.parametrize(
    ("answers", "code", "message"),
    [
        ({"cuInit": (100,)}, "no-gpu", "CUDA finds no GPU here: the GPU failed: something is wrong (CUDA error 100)"),
        ({"cuDeviceGetCount": (0, 0)}, "no-gpu", "CUDA finds no GPU here"),
        (
            {"cuDriverGetVersion": (0, 11020)},
            "no-gpu",
            "the NVIDIA driver is too old: it knows CUDA 11.2, and batches need 11.8",
        ),
        (
            {"cuDeviceGetAttribute": (0, 7)},
            "no-gpu",
            "Test GPU has compute capability 7.7, and batches need 8.0",
        ),
        ({"cuMemGetInfo": (719,)}, "gpu-failed", "the GPU failed: something is wrong (CUDA error 719)"),
    ],
)
def test_errors(answers, code, message):
    with pytest.raises(UserError) as caught:
        CudaDevice(api=FakeApi(**answers)).allocate(1)
    assert str(caught.value) == f"error: {message} [{code}]"


def test_too_little_memory():
    with pytest.raises(UserError) as caught:
        CudaDevice(api=FakeApi()).allocate(2 * 10**9, lanes=100_000, per_lane=20_000)
    assert str(caught.value) == (
        "error: Test GPU has 1,000,000,000 bytes free, and 100,000 lanes need 2,000,000,000:"
        " about 47,500 lanes would fit [no-memory]"
    )


def test_no_driver(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(driver_module.importlib, "import_module", missing)
    with pytest.raises(UserError) as caught:
        Driver()
    assert str(caught.value) == (
        "error: batches on a GPU need the packages of the extra 'cuda': pip install 'weft[cuda]' [no-gpu]"
    )

    class Absent(FakeApi):
        @staticmethod
        def cuInit(flags):  # noqa: N802
            raise RuntimeError("no library")

    with pytest.raises(UserError) as caught:
        Driver(Absent())
    assert str(caught.value) == "error: CUDA finds no GPU here: the NVIDIA driver is not installed [no-gpu]"


@pytest.mark.device
@pytest.mark.parametrize("seed", range(6))
def test_random_graphs(seed):
    if not find_gpu():
        pytest.skip("no GPU: it needs an NVIDIA GPU, its driver and pip install 'weft[cuda]'")
    graph = random_graph(seed, 40)
    options = KernelOptions(local_bytes=64 * (seed % 3), pack_bits=seed % 2 == 0)
    try:
        lanes = Lanes(graph, CudaDevice(options), 40, seed)
    except Unsupported:
        pytest.skip("the graph has an operation that is too wide")
    lanes.settle()
    assert lanes.differences() == []
    lanes.run(100)
    assert lanes.differences() == []


SOURCE = """
module top(input logic clk, input logic [7:0] a, input logic [99:0] w, output logic [7:0] q, output logic [99:0] acc);
  logic [15:0] mem [0:31];
  logic half = 0;
  logic [3:0] slow = 0;
  always_ff @(posedge clk) half <= !half;
  always_ff @(posedge half) slow <= slow + 1;
  always_ff @(posedge clk) begin
    q <= q + a;
    acc <= acc * 3 + w;
    mem[q[4:0]] <= mem[q[3:0]] + q;
    if (q[7:4] == 4'he && a[3:0] == 3) $finish;
  end
endmodule
"""


def test_driven_kernels_assemble():
    sim = weft.compile(texts={"top.sv": SOURCE}, cache=False)
    batch = sim.batch(3, "cpu")
    clock = batch.clocks[0].clock
    ports = [find_port(path, batch.signals, batch.clocks) for path in ("a", "w")]
    generators = [Generator(ports[1], "random * lane + cycle", 5)]
    plan = make_plan(generators, ports[:1], 128, batch.signals, clock.period_fs)
    program = build_lane_program(sim.design.graph, [clock], drive=plan)
    assert [event.drive for event in program.events] == [True, False, False]
    text = run_text(program, KernelOptions())
    assert f"ptr addrspace(1) noalias %m{len(program.memories) - 1}" in text
    assert ".visible .entry lanes_run(" in assemble(text, 90)


@pytest.mark.device
def test_stimulus_is_the_same_on_both_devices():
    if not find_gpu():
        pytest.skip("no GPU: it needs an NVIDIA GPU, its driver and pip install 'weft[cuda]'")
    sim = weft.compile(texts={"top.sv": SOURCE}, cache=False)
    gpu, cpu = (sim.batch(300, device) for device in ("cuda", "cpu"))
    values = np.random.default_rng(1).integers(0, 256, (200, 300), np.uint8)
    for batch in (gpu, cpu):
        batch.record()
        batch.generate("w", "random ^ {q, cycle}", seed=3)
        batch.drive({"a": values})
        batch.generate("a", "random % 9 + lane", seed=4)
        batch.run_until("q == 8'hf0 || slow == 9", max_cycles=60)
        batch.fork(lane=4, into=range(8, 20))
        batch.run_cycles(30)
    assert np.array_equal(gpu.status, cpu.status) and np.array_equal(gpu.time_fs, cpu.time_fs)
    for lane in (0, 9, 170, 299):
        assert np.array_equal(gpu.lane_state(lane), cpu.lane_state(lane))
        alone = gpu.replay(lane)
        alone.run_recorded()
        assert np.array_equal(gpu.lane_state(lane), np.frombuffer(alone.checkpoint().state, np.uint8))


@pytest.mark.device
def test_a_batch_is_the_same_on_both_devices():
    if not find_gpu():
        pytest.skip("no GPU: it needs an NVIDIA GPU, its driver and pip install 'weft[cuda]'")
    sim = weft.compile(texts={"top.sv": SOURCE}, cache=False)
    gpu, cpu = (sim.batch(300, device, random={"w": 3}) for device in ("cuda", "cpu"))
    statuses = []
    for batch in (gpu, cpu):
        batch["a"][:] = np.arange(300) & 255
        statuses.append(batch.run_cycles(40))
        statuses.append(batch.run_until("q == 8'hf0 || slow == 9", max_cycles=60))
        kept = batch.checkpoint()
        batch.run_cycles(7)
        batch.restore(kept)
        batch.fork(lane=4, into=range(8, 20))
        batch.memory("mem", lanes=slice(5, 60))[:, 3] = 77
        statuses.append(batch.run_cycles(3))
    assert all(np.array_equal(a, b) for a, b in zip(statuses[:3], statuses[3:], strict=True))
    assert len(set(statuses[1].tolist())) >= 2
    assert np.array_equal(gpu.peek("acc"), cpu.peek("acc")) and np.array_equal(gpu.time_fs, cpu.time_fs)
    for lane in (0, 9, 299):
        assert np.array_equal(gpu.lane_state(lane), cpu.lane_state(lane))
    interface = gpu["q"].__cuda_array_interface__
    assert interface["shape"] == (300,) and interface["typestr"] == "|u1"
