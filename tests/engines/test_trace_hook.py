"""Traces of random graphs: the files' values against those that the reference engine computes at each time."""

from random import Random

import pytest

from random_graphs import FIRST_CLOCK, random_graph, random_state
from weft.engines.cpu.emit_trace import TracedNode
from weft.engines.cpu.jit import Compiler
from weft.engines.cpu.object_cache import ObjectCache
from weft.engines.cpu.program import CpuProgram
from weft.engines.cpu.trace_hook import TraceHook
from weft.engines.cpu.unroller import Unroller
from weft.engines.reference.program import ReferenceProgram
from weft.ir.program import Clock, Status
from weft.tools.waves.change_log import LoggedSignal
from weft.tools.waves.fst_writer import FstWriter
from weft.tools.waves.vcd_writer import VcdWriter
from weft.tools.waves.wave_tree import WaveScope, WaveVariable

pywellen = pytest.importorskip("pywellen", reason="reads the waveforms back; pip install 'weft[dev]'")


@pytest.fixture(scope="module")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Compiler:
    return Compiler(ObjectCache(tmp_path_factory.mktemp("cache")))


def traced_nodes(graph, random):
    """Choose nodes: most as they are, some with a second node as their unknown plane."""
    chosen = [TracedNode(node) for node in range(len(graph)) if random.random() < 0.7]
    by_width = {}
    for node in range(len(graph)):
        by_width.setdefault(int(graph.width[node]), []).append(node)
    chosen += [TracedNode(random.choice(nodes), random.choice(nodes)) for nodes in by_width.values()]
    return chosen


def expected_changes(graph, state, signals, clocks, until):
    """Return each signal's changes as (time, text), from the reference engine stepped from edge to edge."""
    program = ReferenceProgram(graph)
    wanted = [node for signal in signals for node in (signal.value, signal.unknown) if node >= 0]
    changes = [[] for _ in signals]
    edges = {0} | {
        t for clock in clocks for f in (clock.rise_fs, clock.fall_fs) for t in range(f, until + 1, clock.period_fs)
    }
    program.settle(state)
    for time in sorted(edges):
        program.run(state, clocks, time)
        values = dict(zip(wanted, program.evaluate(state, graph, wanted), strict=True))
        for i, signal in enumerate(signals):
            width = int(graph.width[signal.value])
            value = values[signal.value]
            unknown = values[signal.unknown] if signal.unknown >= 0 else 0
            text = "".join("01xz"[(value >> b & 1) + 2 * (unknown >> b & 1)] for b in reversed(range(width)))
            if not changes[i] or changes[i][-1][1] != text:
                changes[i].append((time, text))
    return changes


@pytest.mark.parametrize("chains", [True, False])
@pytest.mark.parametrize("seed", range(8))
def test_a_trace_shows_every_change(compiler, tmp_path, monkeypatch, seed, chains):
    """Small buffers: many of each thing, and sections that begin in one buffer and end in another."""
    monkeypatch.setattr("weft.engines.cpu.unroller.ARENA_BYTES", 1 << 12)
    monkeypatch.setattr("weft.engines.cpu.unroller.LOG_BYTES", 1 << 12)
    monkeypatch.setattr("weft.engines.cpu.row_ring.TICKS", 9)
    monkeypatch.setattr("weft.engines.cpu.row_ring.SEGMENT_BYTES", 1 << 12)
    monkeypatch.setattr("weft.engines.cpu.row_ring.LEAST_ROWS", 4)
    monkeypatch.setattr("weft.engines.cpu.emit_trace.CAPTURES", 2)
    check_trace(compiler, tmp_path, seed, chains, 300)


@pytest.mark.parametrize(("seed", "chains", "rows"), [(1, True, 1 << 22), (2, False, 1 << 22), (3, True, 1 << 14)])
def test_blocks_of_many_rows_and_ticks(compiler, tmp_path, monkeypatch, seed, chains, rows):
    """Whole blocks of lanes, several for each buffer; rows are swept by loops instead of straight code."""
    monkeypatch.setattr("weft.engines.cpu.unroller.ARENA_BYTES", 1 << 16)
    monkeypatch.setattr("weft.engines.cpu.row_ring.SEGMENT_BYTES", rows)
    monkeypatch.setattr("weft.engines.cpu.emit_trace.UNROLLED", 0)
    check_trace(compiler, tmp_path, seed, chains, 7000)


def check_trace(compiler, tmp_path, seed, chains, until):
    """Trace a random graph, and compare every value of the file with those of the reference engine."""
    random = Random(seed)
    graph = random_graph(seed, 50)
    signals = traced_nodes(graph, random)
    clocks = [Clock(FIRST_CLOCK, 10, 5, 10), Clock(FIRST_CLOCK + 2, 14, 7, 14)]
    program = CpuProgram(graph, compiler, tier="quick")
    state = program.layout.allocate()
    for index, elements in random_state(graph, random).items():
        for element, value in enumerate(elements):
            program.layout.write(state, index, value, element)
    program.layout.write(state, 0, 0)
    expected = expected_changes(graph, state.copy(), signals, clocks, until)

    logged = [LoggedSignal(int(graph.width[s.value]), s.unknown >= 0) for s in signals]
    variables = [
        WaveVariable(f"s{i}", i, s.width, "reg", "", (s.width - 1, 0) if s.width > 1 else None)
        for i, s in enumerate(logged)
    ]
    path = tmp_path / ("out.fst" if chains else "out.vcd")
    writer = (FstWriter if chains else VcdWriter)(path, [WaveScope("top", variables=variables)], logged, -15)
    hot = frozenset(clock.state for clock in clocks)
    hook = TraceHook(graph, program.layout, signals, compiler, hot=hot)
    unroller = Unroller(hook.plan, hook.ring, compiler, chains=chains)
    unroller.hurry()

    def drain():
        if chains:
            for section in unroller.chains():
                writer.write_chains(section)
        else:
            for log in unroller.logs():
                writer.write_log(log)
        assert hook.resume()

    program.settle(state)
    hook.call(state)
    status = Status.HOOK
    while status != Status.DONE:
        status = program.run(state, clocks, until, [hook]).status
        assert status in (Status.DONE, Status.HOOK, Status.BUFFER, Status.EFFECT)
        drain()
    hook.seal()
    drain()
    if (section := unroller.finish()) is not None:
        writer.write_chains(section)
    writer.close()
    for var in pywellen.Waveform(str(path)).all_vars():
        i = int(var.full_name.split(" ")[0].rsplit(".s", 1)[1])
        width = logged[i].width
        found = [(time, format(v, f"0{width}b") if isinstance(v, int) else v) for time, v in var.tv]
        assert found == expected[i], f"signal {i} of {width} bits"
