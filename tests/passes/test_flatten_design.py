"""Flattening of hand-made fragments: hierarchy, wires, registers, memories, latches, names."""

import pytest
from tests.passes.fragments import Bench, Maker, flatten

from weft.base.dataclass import replace
from weft.base.errors import Unsupported, UserError
from weft.base.source import SourceMap, Span
from weft.engines.reference.program import ReferenceProgram
from weft.ir.design import SystemTask
from weft.passes.fragment import FragmentEffect


def counter(name: str = "counter", width: int = 8) -> Maker:
    """Return a module that counts up at each positive edge while `go` is 1."""
    make = Maker(name)
    clk, go = make.signal("clk", port="input", net="wire"), make.signal("go", port="input", net="wire")
    q = make.signal("q", width, port="output")
    trigger = make.trigger(("posedge", make.read(clk)))
    make.clocked(q, make.op("add", make.read(q), make.const(width, 1)), trigger, make.read(go))
    return make


def two_counters() -> Maker:
    child, top = counter(), Maker("top")
    clk, go = top.signal("clk", port="input"), top.signal("go", port="input")
    total, a, b = top.signal("total", 8, port="output"), top.signal("a", 8, "wire"), top.signal("b", 8, "wire")
    top.instance("u0", child, clk=top.read(clk), go=top.read(go), q=top.whole(a))
    top.instance("u1", child, clk=top.read(clk), go=top.op("not", top.read(go)), q=top.whole(b))
    top.drive(total, top.op("add", top.read(a), top.read(b)))
    return top, child


def test_instances_count_each_for_itself():
    bench = Bench(flatten(*two_counters()))
    bench.poke(go=1)
    bench.cycle(times=3)
    bench.poke(go=0)
    bench.cycle(times=4)
    assert [bench.peek(path) for path in ("top.u0.q", "top.u1.q", "top.a", "top.total")] == [3, 4, 3, 7]


def test_instances_on_one_clock_share_domain_and_sample():
    graph = flatten(*two_counters())
    assert [domain.name for domain in graph.domains] == ["settle", "posedge top.clk"]
    assert [state.name for state in graph.states if state.kind == "sample"] == ["top.clk$before"]
    assert [scope.path for scope in graph.scopes] == ["top", "top.u0", "top.u1"]
    assert [(state.name, state.kind) for state in graph.states if state.kind in ("input", "register")] == [
        ("top.clk", "input"),
        ("top.go", "input"),
        ("top.u0.q", "register"),
        ("top.u1.q", "register"),
    ]


def test_a_part_of_a_bus_goes_straight_to_its_driver():
    """`assign bus[k+1] = bus[k] ^ in[k]` is a loop of words only."""
    top = Maker("top")
    value, bus = top.signal("value", 4, port="input"), top.signal("bus", 5, "wire")
    cut = top.builder.slice
    top.drive(bus, top.const(1, 1))
    for k in range(4):
        top.drive(bus, top.op("xor", cut(top.read(bus), k, 1), cut(top.read(value), k, 1)), low=k + 1)
    bench = Bench(flatten(top))
    bench.poke(value=0b0101)
    expected = [1]
    for k in range(4):
        expected.append(expected[-1] ^ (0b0101 >> k & 1))
    assert bench.peek("top.bus") == sum(bit << i for i, bit in enumerate(expected))


def test_registers_split_by_process():
    top = Maker("top")
    clk, d, q = top.signal("clk", port="input"), top.signal("d", 8, port="input"), top.signal("q", 8)
    up, down = top.trigger(("posedge", top.read(clk))), top.trigger(("negedge", top.read(clk)))
    top.clocked(q, top.builder.slice(top.read(d), 0, 4), up)
    top.clocked(q, top.builder.slice(top.read(d), 4, 4), down, low=4)
    graph = flatten(top)
    assert [s.name for s in graph.states if s.kind == "register"] == ["top.q[3:0]", "top.q[7:4]"]
    bench = Bench(graph)
    bench.poke(d=0xAB)
    bench.poke(clk=1)
    assert bench.peek("top.q") == 0x0B
    bench.poke(d=0xCD)
    bench.poke(clk=0)
    assert bench.peek("top.q") == 0xCB


def test_one_process_writing_neighbouring_bits_makes_one_state():
    top = Maker("top")
    clk, d, q = top.signal("clk", port="input"), top.signal("d", 8, port="input"), top.signal("q", 8)
    trigger = top.trigger(("posedge", top.read(clk)))
    process = top.process()
    top.clocked(q, top.builder.slice(top.read(d), 4, 4), trigger, process=process)
    top.clocked(q, top.builder.slice(top.read(d), 0, 4), trigger, low=4, process=process)
    graph = flatten(top)
    assert [s.name for s in graph.states if s.kind == "register"] == ["top.q"]
    bench = Bench(graph)
    bench.poke(d=0xAB)
    bench.cycle()
    assert bench.peek("top.q") == 0xBA


def test_the_last_of_two_processes_wins():
    top = Maker("top")
    clk, a, b = (top.signal(name, port="input") for name in ("clk", "a", "b"))
    q = top.signal("q", 2)
    trigger = top.trigger(("posedge", top.read(clk)))
    top.clocked(q, top.const(2, 1), trigger, top.read(a))
    top.clocked(q, top.const(2, 2), trigger, top.read(b))
    graph = flatten(top)
    assert sum(graph.states[write.state].name == "top.q" for write in graph.writes) == 1
    bench = Bench(graph)
    seen = []
    for pair in ((1, 0), (0, 0), (0, 1), (1, 1)):
        bench.poke(a=pair[0], b=pair[1])
        bench.cycle()
        seen.append(bench.peek("top.q"))
    assert seen == [1, 1, 2, 2]


def test_memory_written_and_read():
    top = Maker("top")
    clk, a, d = (top.signal(n, w, port="input") for n, w in (("clk", 1), ("a", 2), ("d", 8)))
    memory, q = top.signal("memory", 8, depth=4), top.signal("q", 8, "wire")
    trigger = top.trigger(("posedge", top.read(clk)))
    top.write(memory, top.read(a), top.read(d), trigger)
    top.drive(q, top.element(memory, top.read(a)))
    bench = Bench(flatten(top))
    for address in range(4):
        bench.poke(a=address, d=10 + address)
        bench.cycle()
    bench.poke(a=2)
    assert bench.peek("top.q") == 12
    assert bench.node("top.memory") == -2 - bench.number("top.memory")


def test_memory_also_written_by_constant_index_and_read_whole():
    top = Maker("top")
    clk, a, d = (top.signal(n, w, port="input") for n, w in (("clk", 1), ("a", 1), ("d", 4)))
    memory, q, other = top.signal("memory", 4, depth=2), top.signal("q", 8, "wire"), top.signal("other", 4, "wire")
    trigger = top.trigger(("posedge", top.read(clk)))
    top.clocked(memory, top.builder.slice(top.read(d), 0, 2), trigger, low=6)
    top.drive(other, top.element(memory, top.read(a)))
    top.drive(q, top.read(memory))
    bench = Bench(flatten(top))
    bench.poke(d=3, a=1)
    bench.cycle()
    assert (bench.peek("top.q"), bench.peek("top.other"), bench.element("top.memory", 1)) == (0xC0, 0xC, 0xC)


def test_dynamic_read_of_a_wire_array_selects_bits():
    top = Maker("top")
    a, d = top.signal("a", 2, port="input"), top.signal("d", 12, port="input")
    array, q = top.signal("array", 3, "wire", depth=4), top.signal("q", 3, "wire")
    top.drive(array, top.read(d))
    top.drive(q, top.element(array, top.read(a)))
    bench = Bench(flatten(top))
    seen = []
    for address in range(4):
        bench.poke(a=address, d=0o7531)
        seen.append(bench.peek("top.q"))
    assert seen == [1, 3, 5, 7]


def test_latch_is_transparent_and_holds():
    top = Maker("top")
    en, d, q = top.signal("en", port="input"), top.signal("d", 4, port="input"), top.signal("q", 4)
    top.drive(q, top.op("mux", top.read(en), top.read(d), top.read(q, hold=True)))
    graph = flatten(top)
    assert [(s.name, s.kind) for s in graph.states if s.kind == "latch"] == [("top.q", "latch")]
    bench = Bench(graph)
    bench.poke(en=1, d=5)
    assert bench.peek("top.q") == 5
    bench.poke(en=0)
    bench.poke(d=9)
    assert bench.peek("top.q") == 5


def test_only_the_bits_that_hold_become_a_latch():
    top = Maker("top")
    en, d, q = top.signal("en", port="input"), top.signal("d", 4, port="input"), top.signal("q", 8)
    held = top.builder.slice(top.read(q, hold=True), 4, 4)
    top.drive(q, top.builder.concat([top.read(d), top.op("mux", top.read(en), top.read(d), held)]))
    graph = flatten(top)
    assert [s.name for s in graph.states if s.kind == "latch"] == ["top.q[7:4]"]
    bench = Bench(graph)
    bench.poke(en=1, d=5)
    bench.poke(en=0)
    bench.poke(d=9)
    assert bench.peek("top.q") == 0x59


@pytest.mark.parametrize("shape", ["count", "toggle", "shift", "choose"])
def test_a_latch_that_is_no_latch_is_refused(shape):
    """Each would depend on how often it is evaluated."""
    top = Maker("top")
    en, d, q = top.signal("en", port="input"), top.signal("d", 4, port="input"), top.signal("q", 4)
    held = top.read(q, hold=True)
    value = {
        "count": lambda: top.op("add", held, top.const(4, 1)),
        "toggle": lambda: top.op("not", held),
        "shift": lambda: top.builder.concat([top.read(en), top.builder.slice(held, 0, 3)]),
        "choose": lambda: top.op("mux", top.builder.slice(held, 0, 1), top.read(d), held),
    }[shape]()
    top.drive(q, top.op("mux", top.read(en), value, held))
    with pytest.raises(Unsupported, match="computing 'q' from its own old value without a clock"):
        flatten(top)


def test_latches_that_replace_some_bits_in_place():
    top = Maker("top")
    en, d, q = top.signal("en", port="input"), top.signal("d", 4, port="input"), top.signal("q", 4)
    held = top.read(q, hold=True)
    offset = top.op("zext", top.builder.slice(top.read(d), 0, 2), width=4)
    chosen = top.op("insert", held, offset, top.builder.slice(top.read(d), 3, 1), width=4)
    top.drive(q, top.op("mux", top.read(en), chosen, held))
    bench = Bench(flatten(top))
    bench.poke(en=1, d=0b1000)
    bench.poke(d=0b1010)
    bench.poke(en=0)
    bench.poke(d=0b1001)
    assert bench.peek("top.q") == 0b0101


def test_a_variable_that_is_read_before_it_is_assigned_is_refused():
    """`always @* begin y = x; x = d; end`: y would be one evaluation late."""
    top = Maker("top")
    d, x, y = top.signal("d", 4, port="input"), top.signal("x", 4), top.signal("y", 4)
    top.drive(y, top.read(x, hold=True))
    top.drive(x, top.read(d))
    with pytest.raises(Unsupported, match=r"reading 'top\.x' before its process has assigned it"):
        flatten(top)


def test_never_driven():
    top = Maker("top")
    top.signal("variable", 3)
    for net in ("wire", "tri0", "tri1", "supply0", "supply1"):
        top.signal(net, 3, net)
    graph = flatten(top)
    assert [(s.name, s.kind) for s in graph.states[1:]] == [("top.variable", "register")]
    bench = Bench(graph)
    bench.poke(variable=5)
    names = ("variable", "wire", "tri0", "tri1", "supply0", "supply1")
    assert [bench.peek(f"top.{name}") for name in names] == [5, 0, 0, 7, 0, 7]


def test_never_driven_in_four_state():
    top = Maker("top", four_state=True)
    top.signal("net", 3, "wire")
    graph = flatten(top, four_state=True)
    assert graph.constant(int(graph.scopes[0].nodes[0])) == (7, 7)


def test_hierarchical_reads_and_package_variables():
    package = Maker("pack")
    limit = package.signal("limit", 8)
    child, top = counter(), Maker("top")
    clk, seen = top.signal("clk", port="input"), top.signal("seen", 8, port="output")
    q = child.module.signals[2]
    top.instance("u", child, clk=top.read(clk), go=top.const(1, 1))
    total = top.op("add", top.read(q, ("u",)), top.read(limit, ("$root", "pack")))
    top.drive(seen, total)
    bench = Bench(flatten(top, child, packages=[package]))
    bench.program.layout.write(bench.state, bench.number("pack.limit"), 100)
    bench.cycle(times=2)
    assert bench.peek("top.seen") == 102


def test_hierarchical_drive():
    child, top = Maker("child"), Maker("top")
    inner = child.signal("inner", 4, "wire")
    d = top.signal("d", 4, port="input")
    top.instance("u", child)
    top.drive(inner, top.read(d), path=("u",))
    bench = Bench(flatten(top, child))
    bench.poke(d=6)
    assert bench.peek("top.u.inner") == 6


def test_simulation_signals_are_shared_by_name():
    from weft.ir.design import Signal, Type

    top = Maker("top")
    now, seed = top.signal("now", 64, "wire"), top.signal("flag", 1, "wire")
    top.drive(now, top.read(Signal("$time", 64, Type("time", 64))))
    top.drive(seed, top.read(Signal("$test$plusargs(x)", 1, Type("bit", 1))))
    graph = flatten(top)
    assert [(s.name, s.kind) for s in graph.states] == [("$time", "time"), ("$test$plusargs(x)", "constant")]


SOURCE = "module top; logic q; assign q = a; assign q = b; endmodule\n"


def test_two_drivers_of_a_variable_are_an_error():
    sources = SourceMap()
    sources.add("top.sv", SOURCE)
    top = Maker("top")
    a, b, q, r = (top.signal(n, port=p) for n, p in (("a", "input"), ("b", "input"), ("q", ""), ("r", "output")))
    first, second = SOURCE.index("q = a"), SOURCE.index("q = b")
    top.drive(q, top.read(a), span=Span(0, first, first + 1))
    top.drive(q, top.read(b), span=Span(0, second, second + 1))
    top.drive(r, top.read(q))
    with pytest.raises(UserError) as caught:
        flatten(top, sources=sources)
    assert caught.value.render() == (
        "top.sv:1:29: error: 'top.q' has two drivers [multiple-drivers]\n"
        f"{SOURCE.rstrip()}\n{' ' * 28}^\n"
        "top.sv:1:43: note: the other one is here\n"
        f"{SOURCE.rstrip()}\n{' ' * 42}^"
    )


def test_a_shared_loop_counter_is_no_error():
    top = Maker("top")
    i = top.signal("i", 32)
    top.drive(i, top.const(32, 4))
    top.drive(i, top.const(32, 8))
    assert Bench(flatten(top)).peek("top.i") == 8


def test_variables_of_two_state_types_are_known_and_begin_as_zero():
    top = Maker("top", four_state=True)
    clk, d = top.signal("clk", port="input"), top.signal("d", 8, port="input")
    count, ram, unsure = top.signal("count", 8), top.signal("ram", 8, depth=4), top.signal("unsure", 8)
    for signal in (count, ram):
        signal.type = replace(signal.type, kind="byte", four_state=False)
    trigger = top.trigger(("posedge", top.read(clk)))
    top.clocked(count, top.read(d), trigger)
    top.clocked(unsure, top.read(d), trigger)
    top.write(ram, top.builder.slice(top.read(d), 0, 2), top.read(d), trigger)
    states = {state.name: state for state in flatten(top, four_state=True).states}
    for name in ("top.count", "top.ram"):
        assert (states[name].known, states[name].initial) == (True, 0)
    assert (states["top.unsure"].known, states["top.unsure"].initial) == (False, None)


def test_a_uwire_has_one_driver():
    top = Maker("top")
    q = top.signal("q", 1, "uwire")
    top.drive(q, top.const(1, 0))
    top.drive(q, top.const(1, 1))
    with pytest.raises(UserError, match="has two drivers"):
        flatten(top)


def test_effects_know_their_scope_and_domain():
    """A clocked message, one of combinational logic, one that never happens; in two instances."""
    child, top = Maker("child"), Maker("top")
    clk, d = child.signal("clk", port="input"), child.signal("d", 4, port="input")
    clocked = child.trigger(("posedge", child.read(clk)))
    value, one = child.read(d), child.const(1, 1)
    for task, trigger, enable in (
        (SystemTask("$display", (None,), scope="loop[1]"), clocked, one),
        (SystemTask("$write", (None,)), -1, child.op("redor", value, width=1)),
        (SystemTask("$error", (None,)), clocked, child.const(1, 0)),
    ):
        child.fragment.effects.append(FragmentEffect(task, (value,), enable, trigger))
    top_clk, data = top.signal("clk", port="input"), top.signal("d", 4, port="input")
    top.instance("a", child, clk=top.read(top_clk), d=top.read(data))
    top.instance("b", child, clk=top.read(top_clk), d=top.op("not", top.read(data)))
    graph = flatten(top, child)
    assert [(effect.task.name, effect.scope, graph.domains[effect.domain].name) for effect in graph.effects] == [
        ("$display", "top.a.loop[1]", "posedge top.clk"),
        ("$write", "top.a", "$write in top.a"),
        ("$display", "top.b.loop[1]", "posedge top.clk"),
        ("$write", "top.b", "$write in top.b"),
    ]


def test_a_combinational_effect_happens_at_once_and_at_each_change():
    top = Maker("top")
    d = top.signal("d", 4, port="input")
    top.signal("other", port="input")
    shown = top.op("and", top.read(d), top.const(4, 3))
    top.fragment.effects.append(FragmentEffect(SystemTask("$display", (None,)), (shown,), top.const(1, 1), -1))
    graph = flatten(top)
    program = ReferenceProgram(graph)
    state = program.layout.allocate()
    number = {s.name: i for i, s in enumerate(graph.states)}
    counts = [len(program.settle(state).effects)]
    for name, value in (("top.d", 1), ("top.other", 1), ("top.d", 5), ("top.d", 6)):
        program.layout.write(state, number[name], value)
        counts.append(len(program.settle(state).effects))
    assert [count > 0 for count in counts] == [True, True, False, False, True]
