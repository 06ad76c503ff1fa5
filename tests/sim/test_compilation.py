"""Compiling in the background: progress, results, errors, cancelling; nothing is left running."""

import asyncio
import os
import subprocess
import sys
import threading
from itertools import pairwise

import pytest

import weft
from weft.sim import compile_progress
from weft.sim.compile_progress import CompilationCancelled, Progress, ProgressTracker

TOP = "module top(input clk, output reg [7:0] q = 0); always @(posedge clk) q <= q + 1; endmodule"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path))


def begin(**options):
    return weft.compile_async(texts={"top.v": TOP}, **options)


@pytest.fixture
def gate(monkeypatch):
    """Hold compilations where lowering would begin: `entered` tells that one is there, `go` lets it go on."""
    from weft.sim import elaborate as module

    class Gate:
        entered, go = threading.Event(), threading.Event()

    original = module.elaborate

    def wait(*args, **options):
        Gate.entered.set()
        assert Gate.go.wait(20)
        return original(*args, **options)

    monkeypatch.setattr(module, "elaborate", wait)
    yield Gate
    Gate.go.set()


def test_a_result(gate):
    compilation = begin()
    assert gate.entered.wait(20) and not compilation.done
    progress = compilation.progress
    assert (progress.stage, progress.step) == ("elaborate", "parse and elaborate") and 0 < progress.fraction < 1
    with pytest.raises(TimeoutError, match=r"not done after 0.01 s: elaborate \(parse and elaborate\) \d+ %"):
        compilation.result(timeout_s=0.01)
    gate.go.set()
    sim = compilation.result()
    sim.run_cycles(5)
    assert sim.peek("q") == 5 and compilation.done and not compilation.cancel()
    assert (compilation.progress.stage, compilation.progress.fraction) == ("done", 1.0)


def test_awaiting():
    async def work():
        first, second = begin(), begin(four_state=True)
        return [(await each).design.four_state for each in (second, first)] + [await first is await first]

    assert asyncio.run(work()) == [True, False, True]


def test_errors_are_raised_where_one_waits():
    compilation = weft.compile_async(texts={"top.v": "module top(; endmodule"})
    with pytest.raises(weft.UserError, match="source-errors"):
        compilation.result()

    async def work():
        await compilation

    with pytest.raises(weft.UserError, match="source-errors"):
        asyncio.run(work())


def test_cancelling(gate):
    running, waiting = begin(), begin()
    assert gate.entered.wait(20)
    assert running.cancel() and waiting.cancel()
    gate.go.set()
    for compilation in (running, waiting):
        with pytest.raises(CompilationCancelled, match="the compilation was cancelled"):
            compilation.result(timeout_s=20)
    begin().result().run_cycles(1)


def test_cancelling_a_task_cancels_the_compilation(gate):
    async def work():
        compilation = begin()
        task = asyncio.ensure_future(compilation._wait())
        while not gate.entered.is_set():
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.go.set()  # only now: the task hears of its cancellation when it next runs
        return compilation

    compilation = asyncio.run(work())
    with pytest.raises(CompilationCancelled):
        compilation.result(timeout_s=20)


def test_cancelling_while_llvm_works_drops_what_has_not_begun(monkeypatch):
    from weft.engines.cpu import jit

    entered, go, compiled = threading.Event(), threading.Event(), []
    original = jit.compile_object

    def slow(text, tier):
        compiled.append(tier)
        entered.set()
        assert go.wait(20)
        return original(text, tier)

    weft.compile(texts={"top.v": TOP})  # slang and the run loop are there
    monkeypatch.setattr(jit, "compile_object", slow)
    compilation = weft.compile_async(texts={"top.v": TOP.replace("q + 1", "q + 3")})
    assert entered.wait(20)
    compilation.cancel()
    with pytest.raises(CompilationCancelled):
        compilation.result(timeout_s=20)
    go.set()


def test_stages_and_estimates(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(compile_progress.time, "perf_counter", lambda: now[0])
    tracker = ProgressTracker()
    assert tracker.snapshot().describe() == "load (load from cache) 0 %, 0.0 s"
    tracker.expect({"parse and elaborate": 3.0, "lower modules": 1.0, "flatten": 1.5})
    assert tracker.snapshot().remaining_s == pytest.approx(10)
    seen = []
    for step, seconds in (
        ("load from cache", 0.2),
        ("parse and elaborate", 3.0),
        ("lower modules", 1.0),
        ("flatten", 1.5),
    ):
        tracker(step)
        now[0] += seconds / 2
        seen.append(tracker.snapshot())
        now[0] += seconds / 2
    assert [each.stage for each in seen] == ["load", "elaborate", "optimise", "optimise"]
    assert all(a.fraction < b.fraction for a, b in pairwise(seen))
    assert seen[2].elapsed_s == pytest.approx(3.7) and seen[2].remaining_s == pytest.approx(10 - 3.7, rel=0.05)
    assert seen[2].describe() == "optimise (lower modules) 37 %, 3.7 s, about 6.3 s left"
    tracker("initialise")
    tracker.pieces = lambda: (3, 4)
    assert tracker.snapshot().stage == "assemble" and tracker.snapshot().step == "3 of 4 objects"
    tracker.pieces = lambda: (4, 4)
    now[0] += 100
    assert tracker.snapshot().stage == "load" and tracker.snapshot().fraction < 1
    tracker("an unknown step")
    assert tracker.snapshot().describe() == "an unknown step, 105.7 s"
    assert Progress("a", "b", 0.5, 1.0, 1.0) == Progress("a", "b", 0.5, 1.0, 1.0)


def test_the_next_time_is_known(tmp_path, monkeypatch):
    expected = []
    original = ProgressTracker.expect
    monkeypatch.setattr(
        ProgressTracker, "expect", lambda self, seconds: expected.append(seconds) or original(self, seconds)
    )
    path = tmp_path / "top.v"
    for step in (1, 2):
        path.write_text(TOP.replace("+ 1", f"+ {step}"))
        weft.compile_async(path).result()
    assert expected[0] == {} and {"parse and elaborate", "flatten"} <= set(expected[1])


def test_python_ends_while_one_compiles():
    code = f"import weft\nweft.compile_async(texts={{'top.v': {TOP!r}}})\nprint('end')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, "end\n", "")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs terminals")
def test_a_terminal_shows_progress(tmp_path):
    (tmp_path / "top.v").write_text(TOP)
    code = f"""if True:
        import sys
        from weft.apps import show_progress
        from weft.sim import elaborate as module
        import threading
        show_progress._DELAY = 0
        original = module.elaborate
        module.elaborate = lambda *a, **o: threading.Event().wait(0.5) or original(*a, **o)
        from weft.apps.cli import run
        sys.exit(run(["build", {str(tmp_path / "top.v")!r}]))"""
    master, slave = os.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    shown = b""
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        shown += data
    assert process.wait(30) == 0
    os.close(master)
    assert process.stdout is not None and b"seconds" in process.stdout.read()
    process.stdout.close()
    assert b"elaborate (parse and elaborate)" in shown and b" s left" in shown
