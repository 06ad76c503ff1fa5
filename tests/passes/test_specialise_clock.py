"""Phases of a clock: what fires, what is left out, what wakes; and that they compute what the whole graph does."""

from tests.passes.fragments import Bench, Maker, flatten

from weft.engines.reference.program import ReferenceProgram
from weft.ir.cone_graph import ConeGraph
from weft.ir.design import SystemTask
from weft.passes.fragment import FragmentEffect
from weft.passes.specialise_clock import drop_unread, find_woken_domains, specialise_phase


def divider() -> ConeGraph:
    """Return a clock divider by a register, a register on each edge, one with asynchronous reset, and a message."""
    top = Maker("top")
    clk, rst = top.signal("clk", port="input"), top.signal("rst", port="input")
    half, fast, slow, fall = (top.signal(name, width) for name, width in (("half", 1), ("f", 8), ("s", 8), ("d", 8)))
    one = top.const(8, 1)
    rise = top.trigger(("posedge", top.read(clk)), ("posedge", top.read(rst)))
    divided, falling = top.trigger(("posedge", top.read(half))), top.trigger(("negedge", top.read(clk)))
    top.clocked(half, top.op("mux", top.read(rst), top.const(1, 0), top.op("not", top.read(half))), rise)
    top.clocked(fast, top.op("add", top.read(fast), one), rise)
    top.clocked(slow, top.op("add", top.read(slow), one), divided)
    top.clocked(fall, top.op("add", top.read(fall), one), falling)
    task = SystemTask("$display", (None,))
    top.fragment.effects.append(FragmentEffect(task, (top.read(slow),), top.const(1, 1), falling))
    top.fragment.effects.append(FragmentEffect(task, (top.read(fast),), top.const(1, 1), rise))
    return flatten(top)


def phases(graph: ConeGraph) -> dict[str, ConeGraph]:
    number = {state.name: i for i, state in enumerate(graph.states)}
    clk, before = number["top.clk"], number["top.clk$before"]
    rst, rst_before = number["top.rst"], number["top.rst$before"]
    quiet = {rst: 0, rst_before: 0}
    return {
        "rises": specialise_phase(graph, {clk: 1, before: 0, **quiet}),
        "high": specialise_phase(graph, {clk: 1, before: 1, **quiet}),
        "falls": specialise_phase(graph, {clk: 0, before: 1, **quiet}),
        "low": specialise_phase(graph, {clk: 0, before: 0, **quiet}),
    }


def triggers(graph: ConeGraph) -> dict[str, int | None]:
    constants = {i: graph.constant(i)[0] for i in range(len(graph)) if graph.node(i).op == "const"}
    return {domain.name: constants.get(domain.trigger) for domain in graph.domains}


def test_each_phase_fires_its_domains():
    graph = divider()
    found = {name: triggers(phase) for name, phase in phases(graph).items()}
    rise, divided, fall = "posedge top.clk or posedge top.rst", "posedge top.half", "negedge top.clk"
    assert found["rises"] == {"settle": 1, rise: 1, divided: None, fall: 0}
    assert found["falls"] == {"settle": 1, rise: 0, divided: None, fall: 1}
    assert found["high"] == {"settle": 1, rise: 0, divided: None, fall: 0}


def test_dead_domains_have_no_sinks_and_effects_keep_their_numbers():
    graph = divider()
    rises = phases(graph)["rises"]
    names = [rises.states[write.state].name for write in rises.writes if rises.states[write.state].kind == "register"]
    assert names == ["top.half", "top.f", "top.s"]
    assert [rises.node(effect.enable).op for effect in rises.effects] == ["const", "const"]
    assert [rises.constant(effect.enable)[0] for effect in rises.effects] == [0, 1]


def test_woken_domains():
    graph = divider()
    found = phases(graph)
    names = [domain.name for domain in graph.domains]
    assert [names[i] for i in find_woken_domains(found["rises"], found["high"])] == ["posedge top.half"]
    assert find_woken_domains(found["falls"], found["low"]) == []


def test_phases_compute_what_the_whole_graph_does():
    graph = divider()
    bench, found = Bench(graph), phases(graph)
    programs = {name: ReferenceProgram(phase) for name, phase in found.items()}
    state = bench.state.copy()
    for _ in range(5):
        bench.cycle()
        for level, phase in ((1, "rises"), (0, "falls")):
            bench.program.layout.write(state, bench.number("top.clk"), level)
            values = programs[phase]
            fired = [bool(v) for v in values.evaluate(state, values.graph, [d.trigger for d in values.graph.domains])]
            values._commit(state, values._cone.evaluate(state), fired)
            bench.program.settle(state)
        assert bytes(state) == bytes(bench.state)


def test_drop_unread_keeps_what_effects_and_triggers_need():
    graph = divider()
    smaller = drop_unread(graph)
    assert {smaller.states[write.state].name for write in smaller.writes if write.domain} == {
        "top.half",
        "top.f",
        "top.s",
    }
    assert len(smaller) < len(graph)
