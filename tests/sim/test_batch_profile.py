"""Profiles of batches: the parts add up on a CPU, on GPUs (which are a CPU here), and with a resident kernel."""

import json

import numpy as np
import pytest

import weft
from cuda_host import HostGpu, use_host_gpu
from weft.ir.lane_times import DeviceLimits, DeviceTimes, add_times
from weft.sim.batch_profile import BatchProfile
from weft.sim.compile_progress import ProgressTracker

TOP = """module top(input clk, input [7:0] step, output reg [39:0] q, output [39:0] next);
  assign next = q + step;
  always @(posedge clk) q <= next;
endmodule"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path / "cache"))


def make(lanes, device, **options):
    return weft.compile(texts={"top.v": TOP}).batch(lanes, device, **options)


def add_up(profile):
    assert profile.run_s == pytest.approx(profile.kernel_s + profile.copy_s + profile.host_s)
    (sampled,) = profile.speedscope()["profiles"]
    assert sampled["endValue"] == pytest.approx(sum(profile.stages.values()) + profile.run_s)


def test_cpu(tmp_path):
    batch = make(40, "cpu", threads=2)
    batch.run_cycles(5)
    with batch.profile() as profile:
        batch.poke("step", np.arange(40))
        batch.run_cycles(100)
        batch.peek("next")
    assert profile.lane_cycles == 4000 and profile.rate == pytest.approx(4000 / profile.run_s)
    assert {"run", "settle", "look"} == set(profile.kernels)
    run = profile.kernels["run"]
    assert run.launches == 1 and run.lane_slots == 8000 and run.seconds > 0
    assert {"parse and elaborate", "generate kernels", "assemble kernels", "load kernels"} <= set(profile.stages)
    assert not profile.copy_s and not profile.facts and profile.limit == 0
    add_up(profile)
    batch.run_cycles(5)
    assert run.launches == 1, "it has ended"
    assert not batch.device.times().timed
    profile.save(tmp_path / "p.json")
    assert "run" in {frame["name"] for frame in json.loads((tmp_path / "p.json").read_text())["shared"]["frames"]}
    with pytest.raises(weft.UserError, match="cannot write the profile"):
        profile.save(tmp_path / "none" / "p.json")


@pytest.mark.parametrize("gpus", [1, 2])
def test_gpus(monkeypatch, gpus):
    use_host_gpu(monkeypatch, HostGpu(gpus), threads=32)
    batch = make(64 * gpus, "cuda", devices=range(gpus), resident=False)
    with batch.profile() as profile:
        batch.poke("step", np.arange(64 * gpus))
        batch.run_cycles(50)
        batch.run_cycles(50)
    run = profile.kernels["run"]
    assert run.launches == 2 * gpus and run.lane_slots == 200 * 64 * gpus
    words = batch.program.words
    assert run.state_bytes == 2 * 2 * 64 * gpus * sum({8: 1, 40: 8, 64: 8, 1: 1}[word.width] for word in words)
    assert profile.to_device >= 64 * gpus and profile.from_device and profile.copy_s > 0
    assert profile.lane_cycles == 100 * 64 * gpus
    # An adder of 40 bits, twice for 32; whatever else the edge takes.
    assert profile.operations >= 2
    assert profile.limits.integer_ops_s == gpus * 64 * 4 * 1e9
    assert profile.limit == profile.limits.integer_ops_s / profile.operations
    assert profile.state_bytes_s > 0 and profile.limits.copy_bytes_s > 0
    assert {"generate kernels", "write kernels", "assemble kernels", "load kernels"} <= set(profile.stages)
    assert profile.facts and "registers" in profile.facts[0]
    add_up(profile)


def test_resident_commands(monkeypatch):
    use_host_gpu(monkeypatch, HostGpu())
    batch = make(2, "cuda", resident=True)
    batch.run_cycles(1)
    with batch.profile() as profile:
        for value in range(5):
            batch.poke("step", value)
            batch.run_cycles(1)
            batch.peek("q")
    commands = profile.kernels["commands of the resident kernel"]
    assert commands.launches >= 5 and commands.seconds > 0
    assert profile.lane_cycles == 10
    batch.residency.lanes.close()


def test_the_environment_asks_for_times(monkeypatch):
    use_host_gpu(monkeypatch, HostGpu(), threads=32)
    monkeypatch.setenv("WEFT_GPU_TIMESTAMPS", "1")
    batch = make(32, "cuda", resident=False)
    batch.run_cycles(10)
    assert batch.device.times().kernels["run"].launches == 1
    with batch.profile() as profile:
        batch.run_cycles(10)
    assert profile.kernels["run"].launches == 1 and batch.device.times().timed


def test_devices_that_work_at_once_take_the_longest_time():
    parts = [DeviceTimes(), DeviceTimes()]
    parts[0].kernel("run").add(2.0, 10, 100)
    parts[1].kernel("run").add(3.0, 10, 100)
    parts[1].to_device = 7
    whole = add_times(parts)
    assert (whole.kernel("run").seconds, whole.kernel("run").launches, whole.to_device) == (3.0, 2, 7)


def test_an_empty_profile_has_no_rates():
    profile = BatchProfile("top", "cpu", 1, limits=DeviceLimits(1.0, 1.0))
    assert profile.rate == profile.limit == profile.state_bytes_s == profile.host_s == 0


def test_no_launch_goes_further_than_max_steps():
    batch, other = make(40, "cpu", max_steps=10), make(40, "cpu")
    for each in (batch, other):
        each.poke("step", np.arange(40))
    with batch.profile() as profile:
        batch.run_cycles(100)
    other.run_cycles(100)
    assert profile.kernels["run"].launches == 20
    assert (batch.peek("q") == other.peek("q")).all() and (batch.time_fs == other.time_fs).all()
    with pytest.raises(weft.UserError, match="max_steps"):
        make(40, "cpu", max_steps=-1)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_steps_of_kernels(monkeypatch, device):
    use_host_gpu(monkeypatch, HostGpu(), threads=32)
    batch, steps, stages = make(32, device), [], []
    tracker = ProgressTracker.of_kernels()

    def tell(step):
        steps.append(step)
        tracker(step)
        stages.append(tracker.snapshot())

    batch.compile(tell)
    more = ["load from cache", "write code"] if device == "cuda" else []
    assert steps == ["generate code", *more, "assemble", "initialise"]
    assert [each.stage for each in stages][-2:] == ["assemble", "load"]
    fractions = [each.fraction for each in stages]
    assert fractions == sorted(fractions) and 0 < fractions[-1] < 1
    assert batch.build("")[1].ready
    batch.run_cycles(3)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_cancelling_kernels(monkeypatch, device):
    """What was cancelled is compiled when it is needed after all."""
    use_host_gpu(monkeypatch, HostGpu(), threads=32)
    batch, tracker = make(32, device), ProgressTracker.of_kernels()
    tracker.cancelled = True
    with pytest.raises(weft.CompilationCancelled):
        batch.compile(tracker)
    batch.poke("step", 2)
    batch.run_cycles(3)
    assert (batch.peek("q") == 6).all()


def test_the_kernel_for_resets_at_rest_is_made_ahead():
    text = (
        "module top(input clk, input rst, output reg q); always @(posedge clk) if (rst) q <= 0; else q <= !q; endmodule"
    )
    for active, ahead, expected in ((1, True, {False, True}), (1, False, {False}), (0, True, {True})):
        batch = weft.compile(texts={"top.v": text}).batch(20, "cpu")
        batch.poke("rst", active)
        batch.compile(ahead=ahead)
        begun = {steady for (_, steady, *_), (_, kernel) in batch.kernels.items() if kernel._jobs}
        assert begun == expected
        batch.run_cycles(3)
        assert (batch.peek("q") == (0 if active else 1)).all()
