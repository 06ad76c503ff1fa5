"""The reference engine against hand-computed behaviour: steps, clocks, memories, effects, hooks."""

import struct
import threading

import pytest

from weft.base.errors import InternalError
from weft.engines.reference.program import ReferenceProgram
from weft.ir.cone_graph import Domain, Effect, MemoryWrite, State, Write
from weft.ir.design import SystemTask
from weft.ir.graph_builder import GraphBuilder
from weft.ir.program import Clock, Status


def builder_with_clocks(*names: str) -> GraphBuilder:
    """Return a builder whose states are the time, then each clock and its sample."""
    builder = GraphBuilder()
    builder.states.append(State("$time", 64, kind="time", initial=0))
    for name in names:
        builder.states += [State(name, 1, kind="input"), State(f"{name}$before", 1, kind="sample")]
        add_sample(builder, len(builder.states) - 1, builder.read(len(builder.states) - 2))
    return builder


def add_sample(builder: GraphBuilder, sample: int, value: int) -> None:
    builder.writes.append(Write(sample, value, builder.const(1, 1), 0))


def add_domain(builder: GraphBuilder, name: str, trigger: int) -> int:
    builder.domains.append(Domain(name, trigger))
    return len(builder.domains) - 1


def posedge(builder: GraphBuilder, state: int) -> int:
    return builder.add("posedge", 1, builder.read(state + 1), builder.read(state))


def add_register(builder: GraphBuilder, name: str, width: int) -> int:
    builder.states.append(State(name, width))
    return len(builder.states) - 1


def increment(builder: GraphBuilder, register: int) -> int:
    width = builder.states[register].width
    return builder.add("add", width, builder.read(register), builder.const(width, 1))


def clock_of(state: int, period: int) -> Clock:
    return Clock(state, period, period // 2, period)


def test_two_registers_swap_in_one_step():
    builder = builder_with_clocks("clk")
    domain = add_domain(builder, "posedge clk", posedge(builder, 1))
    a, b, one = add_register(builder, "a", 8), add_register(builder, "b", 8), builder.const(1, 1)
    builder.writes += [Write(a, builder.read(b), one, domain), Write(b, builder.read(a), one, domain)]
    program = ReferenceProgram(builder.freeze())
    state = program.layout.allocate()
    program.layout.write(state, a, 3)
    program.layout.write(state, b, 5)
    result = program.run(state, [clock_of(1, 10)], 10)
    assert (result.status, result.time_fs) == (Status.DONE, 10)
    assert (program.layout.read(state, a), program.layout.read(state, b)) == (5, 3)


def test_divided_clock_samples_after_the_register_that_makes_it():
    """A register clocked by another register's output sees values after that register's step (NBA, then active)."""
    builder = builder_with_clocks("clk")
    fast = add_domain(builder, "posedge clk", posedge(builder, 1))
    one = builder.const(1, 1)
    count, divided = add_register(builder, "count", 8), add_register(builder, "divided", 1)
    builder.states.append(State("divided$before", 1, kind="sample"))
    add_sample(builder, divided + 1, builder.read(divided))
    slow = add_domain(builder, "posedge divided", posedge(builder, divided))
    seen = add_register(builder, "seen", 8)
    builder.writes += [
        Write(count, increment(builder, count), one, fast),
        Write(divided, builder.add("not", 1, builder.read(divided)), one, fast),
        Write(seen, builder.read(count), one, slow),
    ]
    program = ReferenceProgram(builder.freeze())
    state = program.layout.allocate()
    shown = []
    for cycle in range(1, 6):
        program.run(state, [clock_of(1, 10)], 10 * cycle)
        shown.append((program.layout.read(state, count), program.layout.read(state, seen)))
    assert shown == [(1, 1), (2, 1), (3, 3), (4, 3), (5, 5)]


def test_gated_clock_fires_together_with_its_source():
    builder = builder_with_clocks("clk")
    fast = add_domain(builder, "posedge clk", posedge(builder, 1))
    builder.states += [State("enable", 1, kind="input"), State("gated$before", 1, kind="sample")]
    one, enable, sample = builder.const(1, 1), 3, 4
    gated = builder.add("and", 1, builder.read(1), builder.read(enable))
    add_sample(builder, sample, gated)
    slow = add_domain(builder, "posedge gated", builder.add("posedge", 1, builder.read(sample), gated))
    count, seen = add_register(builder, "count", 8), add_register(builder, "seen", 8)
    builder.writes += [
        Write(count, increment(builder, count), one, fast),
        Write(seen, builder.read(count), one, slow),
    ]
    program = ReferenceProgram(builder.freeze())
    state = program.layout.allocate()
    program.layout.write(state, enable, 1)
    program.run(state, [clock_of(1, 10)], 30)
    assert (program.layout.read(state, count), program.layout.read(state, seen)) == (3, 2)
    program.layout.write(state, enable, 0)
    program.run(state, [clock_of(1, 10)], 50)
    assert (program.layout.read(state, count), program.layout.read(state, seen)) == (5, 2)


def counters(periods: list[int]):
    builder = builder_with_clocks(*(f"clk{period}" for period in periods))
    registers = []
    for index in range(len(periods)):
        domain = add_domain(builder, f"posedge {index}", posedge(builder, 1 + 2 * index))
        register = add_register(builder, f"count{index}", 16)
        builder.writes.append(Write(register, increment(builder, register), builder.const(1, 1), domain))
        registers.append(register)
    clocks = [clock_of(1 + 2 * index, period) for index, period in enumerate(periods)]
    return ReferenceProgram(builder.freeze()), clocks, registers


def test_clocks_of_different_periods_and_a_run_in_pieces():
    program, clocks, registers = counters([10, 14, 6])
    whole, pieces = program.layout.allocate(), program.layout.allocate()
    program.run(whole, clocks, 100)
    for until in (3, 5, 5, 29, 70, 100):
        assert program.run(pieces, clocks, until).time_fs == until
    assert bytes(whole) == bytes(pieces)
    # Rising edges at 5, 15 .. 95; at 7, 21 .. 91; at 3, 9 .. 99.
    assert [program.layout.read(whole, r) for r in registers] == [10, 7, 17]
    assert program.layout.read(whole, 0) == 100


def test_coincident_edges_sample_the_same_values():
    builder = builder_with_clocks("a", "b")
    one = builder.const(1, 1)
    first, second = add_register(builder, "first", 4), add_register(builder, "second", 4)
    for state, target, source in ((1, first, second), (3, second, first)):
        domain = add_domain(builder, f"posedge {state}", posedge(builder, state))
        builder.writes.append(Write(target, builder.read(source), one, domain))
    program = ReferenceProgram(builder.freeze())
    state = program.layout.allocate()
    program.layout.write(state, first, 9)
    program.layout.write(state, second, 6)
    program.run(state, [clock_of(1, 10), clock_of(3, 10)], 5)
    assert (program.layout.read(state, first), program.layout.read(state, second)) == (6, 9)


def test_memory_writes_commit_in_order_under_their_masks():
    builder = builder_with_clocks("clk")
    domain = add_domain(builder, "posedge clk", posedge(builder, 1))
    builder.states.append(State("ram", 8, depth=5, kind="memory"))
    ram = len(builder.states) - 1

    def write(address: int, value: int, mask: int = -1, count: int = 1, enable: int = 1) -> None:
        nodes = [builder.const(8, address), builder.const(8, value), builder.const(1, enable)]
        mask_node = -1 if mask < 0 else builder.const(8, mask)
        builder.memory_writes.append(MemoryWrite(ram, *nodes, domain, mask_node, count))

    write(0, 0x11, count=200)  # ends at the end of the memory
    write(1, 0xFF, mask=0xF0)
    write(1, 0x23, mask=0x0F)
    write(2, 0x44)
    write(2, 0x55)
    write(3, 0x66, enable=0)
    write(5, 0x77)  # out of range
    inside = builder.memread(ram, builder.const(3, 2))
    outside = builder.memread(ram, builder.const(3, 5))
    program = ReferenceProgram(builder.freeze())
    state = program.layout.allocate()
    program.run(state, [clock_of(1, 10)], 10)
    assert program.layout.view(state, ram).tolist() == [0x11, 0xF3, 0x55, 0x11, 0x11]
    assert program.evaluate(state, program.graph, [inside, outside]) == [0x55, 0]


def test_oscillation_is_reported():
    """`always @(q) q <= ~q` never settles once q has changed."""
    builder = builder_with_clocks()
    builder.states += [State("q", 1), State("q$before", 1, kind="sample")]
    add_sample(builder, 2, builder.read(1))
    domain = add_domain(builder, "any q", builder.add("changed", 1, builder.read(2), builder.read(1)))
    builder.writes.append(Write(1, builder.add("not", 1, builder.read(1)), builder.const(1, 1), domain))
    program = ReferenceProgram(builder.freeze())
    state = program.layout.allocate()
    assert program.settle(state).status == Status.DONE
    program.layout.write(state, 1, 1)
    assert program.settle(state).status == Status.OSCILLATION


def effect_program():
    builder = builder_with_clocks("clk")
    domain = add_domain(builder, "posedge clk", posedge(builder, 1))
    count, one = add_register(builder, "count", 12), builder.const(1, 1)
    builder.writes.append(Write(count, increment(builder, count), one, domain))
    shown = builder.read(count)
    at_two = builder.add("eq", 1, shown, builder.const(12, 2))
    wide = builder.add("concat", 84, shown, builder.const(72, 5))
    builder.effects += [
        Effect(SystemTask("$strobe", (None,)), (shown,), one, domain, "top", postponed=True),
        Effect(SystemTask("$display", (None, None, None)), (shown, -1, wide), one, domain, "top"),
        Effect(SystemTask("$finish", ()), (), at_two, domain, "top"),
    ]
    return ReferenceProgram(builder.freeze())


def records(data: bytes) -> list[tuple[int, int, bytes]]:
    found, at = [], 0
    while at < len(data):
        index, size, time_fs = struct.unpack_from("<IIQ", data, at)
        assert size % 8 == 0
        found.append((index, time_fs, data[at + 16 : at + size]))
        at += size
    return found


def test_effect_records_show_values_before_commit_and_strobes_after():
    program = effect_program()
    state = program.layout.allocate()
    result = program.run(state, [clock_of(1, 10)], 10)
    assert result.status == Status.DONE
    display, strobe = records(result.effects)
    assert display == (1, 5, bytes(2) + (5 << 12).to_bytes(16, "little") + bytes(6))
    assert strobe == (0, 5, (1).to_bytes(8, "little"))


def test_unknown_planes_follow_their_values_in_a_record():
    builder = builder_with_clocks()
    one, value, unknown = builder.const(1, 1), builder.const(12, 0xABC), builder.const(12, 0x123)
    task = SystemTask("$finish", (None, None, None))
    builder.effects.append(Effect(task, (value, -1, one), one, 0, "top", (unknown, -1, one)))
    program = ReferenceProgram(builder.freeze())
    result = program.settle(program.layout.allocate())
    assert result.status == Status.EFFECT
    assert records(result.effects) == [(0, 0, bytes.fromhex("bc0a 2301 01 01 0000"))]


def test_finish_ends_the_run_after_its_time_has_settled_and_it_can_go_on():
    program = effect_program()
    state = program.layout.allocate()
    result = program.run(state, [clock_of(1, 10)], 100)
    assert (result.status, result.time_fs) == (Status.EFFECT, 25)
    assert [index for index, _, _ in records(result.effects)] == [1, 0, 1, 0, 1, 2, 0]
    assert program.layout.read(state, 3) == 3
    again = program.run(state, [clock_of(1, 10)], 40)
    assert (again.status, program.layout.read(state, 3)) == (Status.DONE, 4)


def test_condition_hooks_stop_at_the_settled_time():
    program, clocks, registers = counters([10])
    other = GraphBuilder()
    other.states = program.graph.states
    four = other.add("eq", 1, other.read(registers[0]), other.const(16, 4))
    never = other.add("eq", 1, other.read(registers[0]), other.const(16, 60000))
    graph = other.freeze()
    hooks = [program.condition_hook(graph, never), program.condition_hook(graph, four)]
    state = program.layout.allocate()
    result = program.run(state, clocks, 10_000, hooks)
    assert (result.status, result.hook, result.time_fs) == (Status.HOOK, 1, 35)
    assert program.evaluate(state, graph, [four, never]) == [1, 0]


def test_interrupt_from_another_thread():
    program, clocks, _ = counters([10])
    timer = threading.Timer(0.05, program.interrupt)
    timer.start()
    state = program.layout.allocate()
    result = program.run(state, clocks, 1 << 62)
    timer.join()
    assert result.status == Status.INTERRUPTED
    assert program.run(state, clocks, result.time_fs + 100).status == Status.DONE


def test_a_four_state_graph_is_refused():
    with pytest.raises(InternalError):
        ReferenceProgram(GraphBuilder(four_state=True).freeze())


def test_a_graph_without_time_settles_but_does_not_run():
    program = ReferenceProgram(GraphBuilder().freeze())
    state = program.layout.allocate()
    assert program.settle(state).status == Status.DONE
    with pytest.raises(InternalError):
        program.run(state, [], 10)
