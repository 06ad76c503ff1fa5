"""The CPU program's own matters: cache, tiers, oscillation, effects, full buffers, interrupts, several clocks."""

import threading
from pathlib import Path

import pytest

from weft.base.cache_layers import Memory
from weft.base.errors import InternalError
from weft.engines.cpu import program
from weft.engines.cpu.jit import FULL, QUICK, START, Compiler
from weft.engines.cpu.object_cache import ObjectCache
from weft.engines.cpu.program import CpuProgram
from weft.engines.reference.program import ReferenceProgram
from weft.ir.cone_graph import ConeGraph, Domain, Effect, State, Write
from weft.ir.design import SystemTask
from weft.ir.graph_builder import GraphBuilder
from weft.ir.program import Clock, Status

CLOCK, BEFORE, COUNT = 1, 2, 3
CLK = Clock(CLOCK, 10, 5, 10)


def counter(task: str = "", postponed: bool = False, at: int = 0) -> ConeGraph:
    """Return an 8-bit counter; when it equals `at`, a task shows it."""
    builder = GraphBuilder()
    builder.states += [
        State("$time", 64, kind="time", initial=0),
        State("clk", 1, kind="input"),
        State("clk$before", 1, kind="sample"),
        State("count", 8),
    ]
    one = builder.const(1, 1)
    builder.writes.append(Write(BEFORE, builder.read(CLOCK), one, 0))
    edge = builder.add("posedge", 1, builder.read(BEFORE), builder.read(CLOCK))
    builder.domains.append(Domain("posedge clk", edge))
    builder.writes.append(Write(COUNT, builder.add("add", 8, builder.read(COUNT), builder.const(8, 1)), one, 1))
    if task:
        enable = builder.add("eq", 1, builder.read(COUNT), builder.const(8, at))
        builder.effects.append(Effect(SystemTask(task, ()), (builder.read(COUNT),), enable, 1, "top", (), postponed))
    return builder.freeze()


@pytest.fixture
def compiler(tmp_path: Path) -> Compiler:
    return Compiler(ObjectCache(tmp_path / "cache"))


def both(graph: ConeGraph, compiler: Compiler, until: int) -> None:
    """Run both engines to a time, as often as it takes, and compare all results; with both kinds of first code."""
    for tier in ("quick", "auto"):
        compare(CpuProgram(graph, compiler, tier), ReferenceProgram(graph), until)


def compare(mine: CpuProgram, theirs: ReferenceProgram, until: int) -> None:
    a, b = mine.layout.allocate(), theirs.layout.allocate()
    while True:
        got, expected = mine.run(a, [CLK], until), theirs.run(b, [CLK], until)
        assert got == expected
        assert bytes(a) == bytes(b)
        if got.status == Status.DONE:
            return


def test_effects_have_the_same_records_and_stops(compiler: Compiler):
    both(counter("$display"), compiler, 6000)
    both(counter("$finish", at=7), compiler, 6000)
    both(counter("$strobe", postponed=True, at=3), compiler, 6000)


def test_a_full_buffer_returns_and_continues(compiler: Compiler, monkeypatch: pytest.MonkeyPatch):
    graph = counter("$display")
    monkeypatch.setattr(program, "_BUFFER_BYTES", 64)
    mine = CpuProgram(graph, compiler, tier="quick")
    state = mine.layout.allocate()
    effects, returns = b"", 0
    while True:
        result = mine.run(state, [CLK], 10 * 256 * 200)
        effects += result.effects
        returns += 1
        if result.status == Status.DONE:
            break
        assert result.status == Status.BUFFER
    reference = ReferenceProgram(graph)
    assert effects == reference.run(reference.layout.allocate(), [CLK], 10 * 256 * 200).effects
    assert returns > 1


def test_oscillation_is_reported(compiler: Compiler):
    """A register that is clocked by its own change inverts itself for ever."""
    builder = GraphBuilder()
    builder.states += [State("$time", 64, kind="time"), State("q", 1), State("q$before", 1, kind="sample")]
    one, q = builder.const(1, 1), builder.read(1)
    builder.writes.append(Write(2, q, one, 0))
    builder.domains.append(Domain("q", builder.add("changed", 1, builder.read(2), q)))
    builder.writes.append(Write(1, builder.add("not", 1, q), one, 1))
    mine = CpuProgram(builder.freeze(), compiler, tier="quick")
    state = mine.layout.allocate()
    assert mine.settle(state).status == Status.DONE
    mine.layout.write(state, 1, 1)
    assert mine.settle(state).status == Status.OSCILLATION


def test_interrupt_from_another_thread_ends_a_run(compiler: Compiler):
    mine = CpuProgram(counter(), compiler, tier="quick")
    state = mine.layout.allocate()
    mine.run(state, [CLK], 10)  # compiles
    timer = threading.Timer(0.05, mine.interrupt)
    timer.start()
    result = mine.run(state, [CLK], 10**15)
    timer.join()
    assert result.status == Status.INTERRUPTED
    assert 10 < result.time_fs < 10**15
    assert mine.run(state, [CLK], result.time_fs + 100).status == Status.DONE


def test_the_full_tier_takes_over_while_running(compiler: Compiler, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(program, "_WARM_SECONDS", 0.0)
    mine = CpuProgram(counter(), compiler)
    state = mine.layout.allocate()
    until = 0
    while not all(unit.tier is FULL for unit in mine.units()[1:]):
        until += 10_000_000
        assert mine.run(state, [CLK], until).status == Status.DONE
    assert mine.layout.read(state, COUNT) == until // 10 % 256
    assert [unit.name for unit in mine.units()] == ["first", "general", "phase 1 1 ", "phase 1 0 "]


def test_first_cycles_run_on_the_general_function(compiler: Compiler, monkeypatch: pytest.MonkeyPatch):
    """Code for the edges is compiled when a run has lasted for a while, and gives the same values."""
    mine = CpuProgram(counter(), compiler)
    state = mine.layout.allocate()
    assert mine.run(state, [CLK], 1000).status == Status.DONE
    assert [unit.tier for unit in mine.units()] == [START, None, None, None]
    assert mine.layout.read(state, COUNT) == 100
    monkeypatch.setattr(program, "_BUSY_SECONDS", 0.0)
    until = 1000
    while not all(unit.tier is QUICK for unit in mine.units()[1:]):
        until += 1000
        assert mine.run(state, [CLK], until).status == Status.DONE
        assert mine.layout.read(state, COUNT) == until // 10 % 256


def test_edges_can_be_compiled_before_a_run(compiler: Compiler):
    """As `weft build` does; the next start finds that code."""
    CpuProgram(counter(), compiler, key="built").compile_edges([CLOCK])
    mine = CpuProgram(counter(), compiler, key="built")
    state = mine.layout.allocate()
    assert mine.run(state, [CLK], 1000).status == Status.DONE
    assert [unit.tier for unit in mine.units()] == [START, None, QUICK, QUICK]
    assert mine.layout.read(state, COUNT) == 100


def test_a_later_start_emits_nothing(compiler: Compiler, monkeypatch: pytest.MonkeyPatch):
    """With a key, objects are found without the texts that they were made of."""

    def run_once(key: str) -> CpuProgram:
        mine = CpuProgram(counter(), compiler, steady={}, key=key)
        state = mine.layout.allocate()
        assert mine.run(state, [CLK], 1000).status == Status.DONE
        assert mine.layout.read(state, COUNT) == 100
        return mine

    monkeypatch.setattr(program, "_BUSY_SECONDS", 0.0)
    first = run_once("design")
    state, until = first.layout.allocate(), 1000
    while not all(unit.tier is QUICK for unit in first.units()[1:]):
        until += 1000
        first.run(state, [CLK], until)

    def refuse(*_: object) -> None:
        raise AssertionError("a text was emitted")

    monkeypatch.setattr(program, "StepEmitter", refuse)
    assert all(unit.tier is QUICK for unit in run_once("design").units()[1:])
    with pytest.raises(AssertionError, match="emitted"):
        run_once("another design")
    for path in compiler.cache.folder.glob("*/*"):
        path.unlink()
    with pytest.raises(AssertionError, match="emitted"):
        run_once("design")


def test_an_error_in_the_background_reaches_the_user(compiler: Compiler, monkeypatch: pytest.MonkeyPatch):
    mine = CpuProgram(counter(), compiler)
    state = mine.layout.allocate()
    mine.run(state, [CLK], 1000)

    def fail(*_: object) -> None:
        raise InternalError("no code for this edge")

    monkeypatch.setattr(program, "_BUSY_SECONDS", 0.0)
    monkeypatch.setattr(program.StepEmitter, "phase", fail)
    with pytest.raises(InternalError, match="no code for this edge"):
        for until in range(2000, 10**9, 1000):
            mine.run(state, [CLK], until)


def test_damaged_cache_entries_are_compiled_again(compiler: Compiler):
    both(counter(), compiler, 1000)
    entries = [path for path in compiler.cache.folder.glob("*/*") if path.is_file()]
    assert entries
    for number, path in enumerate(entries):
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if number % 2 else data[:-1] + bytes([data[-1] ^ 1]))
    both(counter(), compiler, 1000)
    assert all(compiler.cache.load(path.parent.name + path.name) for path in entries)


def test_the_cache_is_bounded(tmp_path: Path):
    cache = ObjectCache(tmp_path, limit=1000)
    for number in range(10):
        cache.store(f"{number:064}", bytes(300))
    cache.sweep()
    assert 0 < sum(path.stat().st_size for path in tmp_path.glob("*/*")) <= 1000


def test_memory_stands_in_for_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr("weft.engines.cpu.object_cache.memory", Memory(limit=200))
    cache = ObjectCache(tmp_path / "file")
    cache.store("0" * 64, b"code")
    assert cache.load("0" * 64) == b"code" == ObjectCache(tmp_path / "file").load("0" * 64)
    for number in range(1, 4):
        cache.store(f"{number:064}", bytes(50))
    assert cache.load("0" * 64) is None and cache.load(f"{3:064}") == bytes(50), "the oldest goes"


def test_values_beyond_4096_bits_compile_and_run(compiler: Compiler):
    builder = GraphBuilder()
    width = 20_000
    builder.states += [State("$time", 64, kind="time"), State("a", width), State("b", width)]
    a, b = builder.read(1), builder.read(2)
    nodes = [builder.add(name, width, a, b) for name in ("add", "sub", "mul", "xor", "umod", "shl")]
    nodes += [builder.add("redxor", 1, a), builder.slice(a, 9_999, 7_001), builder.add("ult", 1, a, b)]
    graph = builder.freeze()
    mine, theirs = CpuProgram(graph, compiler, tier="quick"), ReferenceProgram(graph)
    state = mine.layout.allocate()
    mine.layout.write(state, 1, 3**12_000)
    mine.layout.write(state, 2, 7**1_000)
    assert mine.evaluate(state, graph, nodes) == theirs.evaluate(state, graph, nodes)
