"""The CUDA engine: kernels are assembled everywhere, run where there is a GPU; errors of a driver that is not there."""

import gc
from types import SimpleNamespace

import numpy as np
import pytest

import weft
from cuda_host import HostGpu, use_host_gpu
from lane_batches import CLOCKS, Lanes
from random_graphs import random_graph
from weft import Unsupported, UserError
from weft.engines.cuda import dlpack
from weft.engines.cuda import driver as driver_module
from weft.engines.cuda.assemble import architecture, assemble
from weft.engines.cuda.device import CudaDevice, find_gpu
from weft.engines.cuda.dlpack import foreign_array, make_capsule
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


KEPT = "what its lanes held is lost; a checkpoint that the host keeps can go on in a new batch"


def failing(**answers):
    """Return a driver that answers some calls in its own way."""
    api = HostGpu(memory=10**9)
    for name, answer in answers.items():
        setattr(api, name, lambda *given, answer=answer: answer)
    return api


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
        ({"cuMemGetInfo": (1,)}, "gpu-failed", "the GPU failed: something is wrong (CUDA error 1)"),
        (
            {"cuMemGetInfo": (719,)},
            "gpu-failed",
            f"the GPU failed: something is wrong (CUDA error 719): {KEPT}",
        ),
        (
            {"cuMemAlloc": (702,)},
            "gpu-failed",
            f"the GPU failed: a kernel ran longer than the watchdog of the display allows (CUDA error 702): {KEPT}",
        ),
        (
            {"cuMemAlloc": (2,)},
            "no-memory",
            "the GPU has too little memory: something is wrong (CUDA error 2)",
        ),
    ],
)
def test_errors(answers, code, message):
    with pytest.raises(UserError) as caught:
        CudaDevice(api=failing(**answers)).allocate(1)
    assert str(caught.value) == f"error: {message} [{code}]"


def test_too_little_memory():
    with pytest.raises(UserError) as caught:
        CudaDevice(api=failing()).allocate(2 * 10**9, lanes=100_000, per_lane=20_000)
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

    def absent(flags):
        raise RuntimeError("no library")

    api = HostGpu()
    api.cuInit = absent
    with pytest.raises(UserError) as caught:
        Driver(api)
    assert str(caught.value) == "error: CUDA finds no GPU here: the NVIDIA driver is not installed [no-gpu]"


@pytest.mark.parametrize("seed", range(6))
def test_random_graphs_without_a_gpu(seed, monkeypatch):
    """The kernels' text, on this processor."""
    use_host_gpu(monkeypatch, HostGpu())
    run_random_graph(seed)


@pytest.mark.device
@pytest.mark.parametrize("seed", range(6))
def test_random_graphs(seed):
    if not find_gpu():
        pytest.skip("no GPU: it needs an NVIDIA GPU, its driver and pip install 'weft[cuda]'")
    run_random_graph(seed)


def run_random_graph(seed):
    graph = random_graph(seed, 40)
    options = KernelOptions(local_bytes=64 * (seed % 3), pack_bits=seed % 2 == 0)
    try:
        lanes = Lanes(graph, CudaDevice(options), 40, seed, paged=seed % 3 == 0)
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


def test_a_batch_without_a_gpu(monkeypatch):
    use_host_gpu(monkeypatch, HostGpu(), threads=32)
    compare_devices()


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
    compare_devices()


def test_finished_lanes_are_left_out(monkeypatch):
    """What still runs is put together when that saves warps."""
    use_host_gpu(monkeypatch, HostGpu(), threads=32)
    sim = weft.compile(texts={"top.sv": SOURCE}, cache=False)
    gpu, cpu = (sim.batch(300, device, resident=False) for device in ("cuda", "cpu"))
    launched = []
    real = HostGpu.cuLaunchKernel
    monkeypatch.setattr(HostGpu, "cuLaunchKernel", lambda s, f, n, *more: launched.append(n) or real(s, f, n, *more))
    for batch in (gpu, cpu):
        batch["a"][:] = np.where(np.arange(300) % 25, 1, 0)
        batch.run_until("q == 4", max_cycles=30)
        batch.run_until("q == 4 || slow == 13", max_cycles=60)
    assert launched[-1] == 1 and 10 in launched
    assert np.array_equal(gpu.time_fs, cpu.time_fs) and np.array_equal(gpu.status, cpu.status)
    for lane in range(0, 300, 7):
        assert np.array_equal(gpu.lane_state(lane), cpu.lane_state(lane))


def test_a_lost_gpu_leaves_the_last_checkpoint(monkeypatch, tmp_path):
    api = use_host_gpu(monkeypatch, HostGpu(), threads=32)
    sim = weft.compile(texts={"top.sv": SOURCE}, cache=False)
    batch, other = sim.batch(70, "cuda", resident=False), sim.batch(70, "cpu")
    for each in (batch, other):
        each["a"][:] = np.arange(70) + 1
        each.run_cycles(9)
    kept, near = batch.checkpoint(), batch.checkpoint(keep="device")
    api.fail["cuStreamSynchronize"] = 700
    with pytest.raises(UserError) as caught:
        batch.run_cycles(9)
    assert str(caught.value) == f"error: the GPU failed: something is wrong (CUDA error 700): {KEPT} [gpu-failed]"
    kept.save(tmp_path / "kept.npz")
    rescued = [sim.batch(70, device) for device in ("cpu", "cuda")]
    rescued[0].restore(kept)
    rescued[1].load(tmp_path / "kept.npz")
    other.run_cycles(9)
    for each in rescued:
        each.run_cycles(9)
        assert np.array_equal(each.time_fs, other.time_fs)
        for lane in (0, 15, 16, 40, 69):
            assert np.array_equal(each.lane_state(lane), other.lane_state(lane))
    for call, message in (
        (lambda: rescued[0].restore(near), "a checkpoint that the device keeps is for batches on that device"),
        (lambda: sim.batch(71, "cpu").restore(kept), "the checkpoint belongs to another design or number of lanes"),
    ):
        with pytest.raises(UserError) as caught:
            call()
        assert str(caught.value) == f"error: {message} [bad-state-file]"
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    with pytest.raises(UserError, match="is no state of a batch, or damaged"):
        rescued[0].load(tmp_path / "bad.npz")
    with pytest.raises(UserError, match="cannot read the state"):
        rescued[0].load(tmp_path / "none.npz")


def test_arrays_for_others(monkeypatch):
    """DLPack capsules are well formed: NumPy takes one, with this machine's memory as the GPU's."""
    use_host_gpu(monkeypatch, HostGpu(), threads=32)
    batch = weft.compile(texts={"top.sv": SOURCE}, cache=False).batch(64, "cuda", resident=False)
    batch["a"][:] = np.arange(64)
    array = batch["a"].array
    assert array.__dlpack_device__() == (2, 0) and array.__cuda_array_interface__["shape"] == (64,)

    class Here:
        def __dlpack__(self, **options):
            return make_capsule(array._owner, array._address, array._count, array._kind, (1, 0))

        def __dlpack_device__(self):
            return 1, 0

    assert np.from_dlpack(Here()).tolist() == list(range(64))
    gc.collect()
    assert not dlpack._alive
    address, shape, kind, _ = foreign_array(SimpleNamespace(__dlpack__=array.__dlpack__))
    assert (address, shape, kind) == (array._address, (64,), "u1")
    # An array of a GPU goes in without the host, if it fits; else with a clear message.
    batch["q"][:] = array
    assert batch.peek("q").tolist() == list(range(64))
    short = SimpleNamespace(__cuda_array_interface__={**array.__cuda_array_interface__, "shape": (5,)})
    with pytest.raises(UserError) as caught:
        batch["q"][:] = short
    assert str(caught.value) == "error: 'q': SimpleNamespace is on a GPU and cannot be copied from it [bad-lanes]"


def test_kernels_are_kept(monkeypatch, tmp_path):
    """A second batch loads the machine code of the first; what the driver does not take is made again."""
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path))
    api = use_host_gpu(monkeypatch, HostGpu(), threads=32)

    def run():
        batch = weft.compile(texts={"top.sv": SOURCE}, cache=False).batch(40, "cuda", resident=False)
        batch["a"][:] = 3
        batch.run_cycles(5)
        return batch.peek("q").tolist(), api.linked

    first, made = run()
    assert made >= 2 and run() == (first, made)
    archive = tmp_path / "gpu.weftar"
    assert weft.archive.save(archive).taken >= made
    labels = [entry.label for entry in weft.archive.entries(archive) if entry.label.kind == "cubin"]
    assert len(labels) == made and {label.device for label in labels} == {"nvidia sm_90"}
    assert all("cuda driver 13.0" in label.compiler and label.note.startswith("lanes_") for label in labels)
    # An entry that is whole, and no code.
    monkeypatch.setattr(HostGpu, "cuModuleLoadData", refuse_once(HostGpu.cuModuleLoadData))
    assert run() == (first, made + 1)
    # Another driver takes nothing of this.
    api.version = 12080
    assert run() == (first, 2 * made + 1)


def refuse_once(real):
    refused = []

    def load(self, code):
        if not refused:
            refused.append(code)
            return 200, None
        return real(self, code)

    return load


def compare_devices():
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
