"""Resident kernels: the kernel's text and the host's side run here as they are, on a driver without a GPU.

`tests/cuda_host` compiles the kernel for this processor and runs each of its blocks in a thread of its own, so rings,
barriers between blocks, leaving, and starting again are those of a GPU. Tests marked `device` do the same on one.
"""

import os
import signal
import sys
import threading

import numpy as np
import pytest

import weft
from cuda_host import HostGpu, answer_at_once, use_host_gpu
from weft import UserError
from weft.engines.cuda import host_calls, mailbox, resident
from weft.engines.cuda.assemble import assemble
from weft.engines.cuda.device import find_gpu
from weft.engines.cuda.kernel_emitter import KernelOptions
from weft.engines.cuda.serve_emitter import serve_text
from weft.ir.lane_engine import NONE
from weft.ir.lane_program import LaneStatus
from weft.passes.build_lane_program import build_lane_program, build_look

SOURCE = """
module top(input logic clk, input logic [7:0] a, input logic [99:0] w, output logic [7:0] q,
           output logic [99:0] acc, output logic [8:0] sum, output logic [99:0] inverse);
  logic [15:0] mem [0:31];
  logic half = 0;
  logic [3:0] slow = 0;
  assign sum = q + a;
  assign inverse = ~acc;
  always_ff @(posedge clk) half <= !half;
  always_ff @(posedge half) slow <= slow + 1;
  always_ff @(posedge clk) begin
    q <= q + a;
    acc <= acc * 3 + w;
    mem[q[4:0]] <= mem[q[3:0]] + q;
    if (q[7:4] == 4'he && a[3:0] == 3) $finish;
    if (q == 8'd77) $stop;
  end
endmodule
"""
PATHS = ("q", "acc", "slow", "sum", "inverse", "a")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def gpu(monkeypatch):
    """Be a GPU; batches on it leave it at the end."""
    return use_host_gpu(monkeypatch, HostGpu())


def compiled(text: str = SOURCE, **options):
    return weft.compile(texts={"top.sv": text}, cache=False, **options)


def pair(lanes: int, **options):
    """Return a batch with a resident kernel, and the same on the CPU."""
    sim = compiled(**options)
    return sim.batch(lanes, "cuda", resident=True), sim.batch(lanes, "cpu")


def assert_same(one, other, paths=PATHS):
    for path in paths:
        assert np.array_equal(one.peek(path), other.peek(path)), path
    assert np.array_equal(one.time_fs, other.time_fs)
    assert np.array_equal(one.status, other.status)
    for lane in range(len(one)):
        assert np.array_equal(one.lane_state(lane), other.lane_state(lane)), lane


def drive(one, other):
    """Do to both what users do, and compare after each step."""
    lanes = len(one)
    for batch in (one, other):
        batch["a"][:] = np.arange(lanes, dtype=np.uint8) + 1
        batch["w"][:] = (1 << 90) + 5
        batch.run_cycles(3)
    assert_same(one, other)
    for k in range(6):
        for batch in (one, other):
            batch.poke("a", (np.arange(lanes) % 90 + 2 + k).astype(np.uint8) if k % 2 else k + 2)
            batch["q"][0] = 11 * k
        assert_same(one, other)
        assert np.array_equal(one.run_cycles(1 + k), other.run_cycles(1 + k))
        assert_same(one, other)
    found = [batch.run_until("q == 8'hf0 || slow == 9", max_cycles=60) for batch in (one, other)]
    assert np.array_equal(*found)
    kept = [batch.checkpoint() for batch in (one, other)]
    assert np.array_equal(one.run_cycles(50), other.run_cycles(50))
    assert_same(one, other)
    for batch, checkpoint in zip((one, other), kept, strict=True):
        batch.restore(checkpoint)
        batch["a"][:] = 3
        batch.memory("mem")[0, 4] = 77
    assert_same(one, other)
    # Each goes on until it stops, or finishes; then no more.
    for _ in range(3):
        assert np.array_equal(one.run_cycles(300), other.run_cycles(300))
        assert_same(one, other)
    assert one.finished.any() and np.array_equal(one.finished, other.finished)
    for batch in (one, other):
        batch.restore(kept[0] if batch is one else kept[1])
        batch.fork(0, into=range(lanes))
        batch.run_cycles(2)
    assert_same(one, other)


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_resident_batch_is_a_batch(gpu, lanes):
    one, other = pair(lanes)
    drive(one, other)
    assert one.residency.lanes is not None
    one.residency.close()
    assert not one.device.driver.residents


def test_blocks_of_several_threads(monkeypatch):
    """A warp fetches a command together, and a second block has it from the first."""
    use_host_gpu(monkeypatch, HostGpu(), threads=33)
    one, other = pair(40)
    for batch in (one, other):
        for k in range(4):
            batch.poke("a", k + 1)
            for path in PATHS:  # more transfers than the first pieces of a command hold
                batch.peek(path)
            batch.poke("q", np.arange(40, dtype=np.uint8))
            for value in range(9):
                batch.poke("a", value)
            batch.run_cycles(1 + k)
        batch.run_until("q == 8'hf0 || slow == 9", max_cycles=9)
    assert_same(one, other)
    one.residency.close()


def test_four_state(gpu):
    one, other = pair(2, four_state=True)
    for batch in (one, other):
        batch.run_cycles(2)
        batch.poke("a", 5)
        batch["q"][:] = 1
        batch.run_cycles(3)
    assert_same(one, other)
    assert np.array_equal(one["acc"].unknown, other["acc"].unknown)
    one.residency.close()


def test_long_runs_come_in_parts(gpu, monkeypatch):
    monkeypatch.setattr(resident, "PART_NS", 1)
    one, other = pair(2)
    for batch in (one, other):
        batch["a"][:] = np.array([1, 2])
    assert np.array_equal(one.run_cycles(3000), other.run_cycles(3000))
    assert_same(one, other)
    assert np.array_equal(
        one.run_until("q == 5 && slow == 3", max_cycles=9000), other.run_until("q == 5 && slow == 3", max_cycles=9000)
    )
    assert_same(one, other)
    one.residency.close()


def test_it_leaves_when_idle_and_comes_back(gpu, monkeypatch):
    one, other = pair(2)
    one.run_cycles(1), other.run_cycles(1)
    one.residency.lanes.leave()
    one.residency.lanes._idle = 1
    for batch in (one, other):
        for _ in range(30):
            batch.poke("a", 3)
            batch.run_cycles(1)
    assert_same(one, other)
    assert one.residency.lanes._words[mailbox.GENERATION] > 3
    one.residency.close()


def test_more_commands_than_the_ring_has_entries(gpu):
    one, _ = pair(1)
    one.run_cycles(1)
    for value in range(5 * mailbox.RING * mailbox.MOST_TRANSFERS):
        one.poke("a", value & 255)
    assert one.peek("a")[0] == (5 * mailbox.RING * mailbox.MOST_TRANSFERS - 1) & 255
    for value in range(50):
        one.poke("a", np.array([value], np.uint8))
    assert one.peek("a")[0] == 49
    one.residency.close()


def test_steps(gpu):
    one, other = pair(3)
    for batch in (one, other):
        step = batch.stepper(inputs=("a", "w"), outputs=("q", "sum", "inverse", "acc"), cycles=2)
        wide = batch.stepper(inputs=(), outputs=("q",))
        batch.found = [step(5, 7), step(np.array([1, 2, 3], np.uint8), 1 << 80), step(a=4, w=0), wide()]
    for a, b in zip(one.found, other.found, strict=True):
        assert all(np.array_equal(x, y) and x.dtype == y.dtype for x, y in zip(a, b, strict=True))
    assert_same(one, other)
    one.residency.close()


def commands(batch, work):
    """Return how many commands some work takes."""
    words = batch.residency.lanes._words
    before = words[mailbox.NUMBER]
    work()
    return words[mailbox.NUMBER] - before


def test_a_round_trip_is_one_command(gpu):
    one, other = pair(3)
    row = np.array([3, 1, 2], np.uint8)

    def trip(batch, value, path):
        batch["a"][:] = value
        return batch.run_cycles(1), batch.peek(path)

    for batch in (one, other):
        trip(batch, 1, "q")
        trip(batch, 2, "sum")
        trip(batch, 2, "inverse")
    for value in (5, -1, True, np.uint8(7), row, row.astype(np.int64), row.tolist(), np.array([9])):
        for path in ("q", "sum", "inverse", "a"):
            found = []
            taken = commands(one, lambda value=value, path=path, found=found: found.extend(trip(one, value, path)))
            assert taken == 1 or path == "a"
            for got, wanted in zip(found, trip(other, value, path), strict=True):
                assert np.array_equal(got, wanted) and got.dtype == wanted.dtype
    step = one.stepper(inputs=("a",), outputs=("q", "sum", "acc", "inverse"))
    step(1)
    assert commands(one, lambda: step(row)) == 1
    trip(other, 1, "q"), trip(other, row, "q")
    assert_same(one, other)
    one.residency.close()


def test_what_nobody_looks_at_no_longer_comes(gpu):
    one, other = pair(2)
    for batch in (one, other):
        batch.poke("a", 1)
        batch.run_cycles(1)
        batch.peek("q"), batch.peek("sum")
        batch.run_cycles(1)
    assert one.residency._plan.chosen != NONE
    for batch in (one, other):
        for _ in range(20):
            batch.run_cycles(1)
            batch.peek("q")
    assert one.residency._plan.chosen == NONE and one.residency._plan.words
    for path in ("q", "slow", "a", "half", "sum", "inverse", "acc", "w"):
        assert np.array_equal(one.peek(path), other.peek(path))
        one.run_cycles(1), other.run_cycles(1)
    assert_same(one, other)
    one.residency.close()


def test_what_came_is_not_kept_when_it_has_changed(gpu):
    one, other = pair(2)
    for batch in (one, other):
        batch.poke("a", 1)
        for _ in range(3):
            batch.run_cycles(1)
            batch.peek("q"), batch.peek("sum")

    def same():
        assert np.array_equal(one.peek("q"), other.peek("q"))
        assert np.array_equal(one.peek("sum"), other.peek("sum"))
        one.run_cycles(1), other.run_cycles(1)

    kept = [batch.checkpoint() for batch in (one, other)]
    for change in (
        lambda batch: batch.poke("a", 9),
        lambda batch: batch.poke("q", 9),
        lambda batch: batch["q"].__setitem__(1, 50),
        lambda batch: batch.run_until("q == 100", 3),
        lambda batch: batch.drive({"a": np.arange(5)}),
        lambda batch: batch.fork(0, into=[1]),
        lambda batch: batch.restore(kept[batch is other]),
        lambda batch: (batch.generate("a", "lane + cycle"), batch.run_cycles(2)),
        lambda batch: (batch.generate("a", None), batch.run_cycles(2)),
        lambda batch: (batch.record(), batch.poke("a", 3), batch.run_cycles(2), batch.poke("a", 4)),
        lambda batch: (batch.end_record(), batch.poke("a", 3), batch.run_cycles(2), batch.poke("a", 4)),
    ):
        change(one), change(other)
        same()
    assert_same(one, other)
    one.residency.close()


def test_the_host_part_is_short(gpu):
    """Each Python function that a round trip calls costs 50 to 100 ns of the few microseconds that there are."""
    one, _ = pair(1)
    one.run_cycles(1), one.peek("q"), one.poke("a", 1), one.run_cycles(1)
    answer_at_once(one.residency.lanes)
    called = []

    def note(frame, event, argument):
        if event == "call":
            called.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        one.poke("a", 1)
        one.run_cycles(1)
        one.peek("q")
    finally:
        sys.setprofile(None)
    assert called == [
        *("poke", "poke", "put", "put_value"),
        *("run_cycles", "run_cycles", "choose", "_exchange", "exchange", "_took"),
        *("peek", "peek"),
    ]


def test_a_long_run_can_be_interrupted(gpu, monkeypatch):
    monkeypatch.setattr(resident, "PART_NS", 1_000_000)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever started the tests ignores
    one, _ = pair(1)
    one["q"][:] = 1
    one.run_cycles(1)
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        one.run_cycles(2_000_000_000)
    timer.join()
    signal.signal(signal.SIGINT, before)
    after = one.time_fs[0]
    assert one.run_cycles(1)[0] == 0
    assert 0 < one.time_fs[0] - after <= 2 * one.clocks[0].clock.period_fs
    one.residency.close()


def test_a_batch_that_is_run_often_becomes_resident(gpu):
    sim = compiled()
    batch, other = sim.batch(2, "cuda"), sim.batch(2, "cpu")
    assert batch.residency.lanes is None
    for each in (batch, other):
        each.poke("a", 1)
        for _ in range(40):
            each.run_cycles(1)
    for kernel in batch.residency._tried.values():
        kernel._serve.result()
    batch.run_cycles(1), other.run_cycles(1)
    assert batch.residency.lanes is not None
    assert_same(batch, other)
    batch.residency.close()


def test_messages_are_counted(gpu):
    text = SOURCE.replace("$stop;", '$display("77");')
    sim = compiled(text)
    batch = sim.batch(2, "cuda", resident=True, messages="count")
    other = sim.batch(2, "cpu", messages="count")
    counted = []
    for cycles in (200, 256):
        for each in (batch, other):
            each.poke("a", 7)
            each.run_cycles(cycles)
            counted.append([counts.tolist() for counts in each.messages.values()])
    assert counted == [[[1, 1]], [[1, 1]], [[2, 2]], [[2, 2]]]
    batch.residency.close()


def test_an_oscillation_is_told(gpu):
    text = """
module top(input logic clk, input logic go, output logic a);
  logic d = 0, e = 0;
  always_ff @(posedge clk) a <= go;
  always @(posedge a or posedge e or negedge e) d <= !d;
  always @(posedge d or negedge d) e <= !e;
endmodule
"""
    batch = compiled(text).batch(2, "cuda", resident=True)
    batch["go"][:] = np.array([0, 1])
    with pytest.raises(UserError) as caught:
        batch.run_cycles(3)
    assert str(caught.value) == (
        "error: lane 1 does not settle at 5000000 fs: a zero-delay oscillation [no-convergence]"
    )
    assert batch.run_cycles(1).tolist() == [0, LaneStatus.OSCILLATION]
    batch.residency.close()


def bad(call):
    with pytest.raises(UserError) as caught:
        call()
    return str(caught.value)


def test_errors(gpu, monkeypatch):
    sim = compiled()
    assert bad(lambda: sim.batch(2, "cpu", resident=True)) == (
        "error: resident=True, and cpu cannot keep a kernel [bad-option]"
    )
    assert bad(lambda: sim.batch(5, "cuda", resident=True)) == (
        "error: resident=True, and Test GPU can keep a kernel for at most 4 lanes [bad-option]"
    )
    assert bad(lambda: sim.batch(2, "cuda", resident="no")) == (
        "error: resident is auto, True or False, not 'no' [bad-option]"
    )
    gpu.attributes["watchdog"] = 1
    assert bad(lambda: sim.batch(2, "cuda", resident=True)) == (
        "error: resident=True, and Test GPU cannot keep a kernel [bad-option]"
    )
    gpu.attributes["watchdog"] = 0
    batch = sim.batch(2, "cuda", resident=True)
    batch.run_cycles(1)
    assert bad(lambda: batch.poke("a", 256)) == "error: 256 does not fit 'a', which has 8 bits [value-range]"
    assert bad(lambda: batch.poke("sum", 1)) == (
        "error: 'sum' is driven by the design, so it cannot be set [read-only]"
    )
    assert bad(lambda: batch.poke("a", np.array([1, 2, 3], np.uint8))) == (
        "error: 'a' takes an array of shape (2,), not (3,) [bad-lanes]"
    )
    # A kernel that does not answer.
    monkeypatch.setattr(resident, "WATCHDOG_S", -1.0)
    batch.residency.lanes._wait = lambda *given: host_calls.WAITING
    batch.residency.lanes._post = lambda *given: host_calls.WAITING
    assert bad(lambda: batch.run_cycles(1)) == (
        "error: the GPU failed: its resident kernel has not answered for -1 s [gpu-failed]"
    )


@pytest.mark.parametrize("sm", [80, 90])
def test_the_kernel_assembles(sm):
    sim = compiled()
    graph = sim.design.graph
    program = build_lane_program(graph, [each.clock for each in sim.clocks])
    look = build_look(program, graph, [sim.engine.signals.find("sum").node])
    ptx = assemble(serve_text(program, look, KernelOptions(), 128), sm)
    for part in (
        "ld.acquire.sys",
        "st.relaxed.sys",
        "ld.acquire.gpu",
        "st.release.gpu",
        "fence.acq_rel.sys",
        "vote.sync.all.pred",
        "barrier.red.or.pred",
    ):
        assert part in ptx, part
    assert ptx.count("barrier.sync 0") == 1 and "%clock64" in ptx and "nanosleep" in ptx


@pytest.mark.device
@pytest.mark.parametrize("lanes", [1, 300, 5000])
def test_on_a_gpu(lanes):
    if not find_gpu():
        pytest.skip("no GPU: it needs an NVIDIA GPU, its driver and pip install 'weft[cuda]'")
    one, other = pair(lanes)
    drive(one, other)
    one.residency.close()
