"""Clocks and resets are found by what they do."""

from tests.passes.fragments import Maker, flatten

from weft.passes.trace_clocks import find_clocks


def register(top: Maker, name: str, trigger: int, reset: int | None = None, active_low: bool = False) -> None:
    q = top.signal(name, 4)
    value = top.op("add", top.read(q), top.const(4, 1))
    if reset is not None:
        zero = top.const(4, 0)
        value = top.op("mux", reset, value, zero) if active_low else top.op("mux", reset, zero, value)
    top.clocked(q, value, trigger)


def test_one_clock_and_an_asynchronous_reset():
    top = Maker("top")
    rst_n, clk = top.signal("rst_n", port="input"), top.signal("clk", port="input")
    trigger = top.trigger(("negedge", top.read(rst_n)), ("posedge", top.read(clk)))
    for i in range(3):
        register(top, f"q{i}", trigger, top.read(rst_n), active_low=True)
    assert find_clocks(flatten(top)).describe() == (
        "clock top.clk: posedge, 3 sinks\nreset top.rst_n: asynchronous, active low"
    )


def test_an_asynchronous_reset_needs_no_name():
    top = Maker("top")
    a, b = top.signal("a", port="input"), top.signal("b", port="input")
    register(top, "q", top.trigger(("posedge", top.read(a)), ("posedge", top.read(b))), top.read(a))
    report = find_clocks(flatten(top))
    assert [clock.name for clock in report.clocks] == ["top.b"]
    assert [(reset.name, reset.active_low, reset.asynchronous) for reset in report.resets] == [("top.a", False, True)]


def test_two_clocks_by_number_of_sinks_and_edges():
    top = Maker("top")
    slow, fast = top.signal("slow", port="input"), top.signal("fast", port="input")
    up, down = top.trigger(("posedge", top.read(fast))), top.trigger(("negedge", top.read(fast)))
    register(top, "a", top.trigger(("posedge", top.read(slow))))
    register(top, "b", up)
    register(top, "c", down)
    assert find_clocks(flatten(top)).describe() == (
        "clock top.fast: posedge and negedge, 2 sinks\nclock top.slow: posedge, 1 sink"
    )


def test_a_gated_clock_leads_to_its_input():
    top = Maker("top")
    clk, enable, test = top.signal("clk", port="input"), top.signal("en", port="input"), top.signal("te", port="input")
    latch, gated = top.signal("latch"), top.signal("gated", 1, "wire")
    wanted = top.op("or", top.read(enable), top.read(test))
    top.drive(latch, top.op("mux", top.read(clk), top.read(latch, hold=True), wanted))
    top.drive(gated, top.op("and", top.read(clk), top.read(latch)))
    register(top, "q", top.trigger(("posedge", top.read(gated))))
    register(top, "r", top.trigger(("posedge", top.read(gated))))
    register(top, "s", top.trigger(("posedge", top.read(clk))))
    assert find_clocks(flatten(top)).describe() == "clock top.clk: posedge, 3 sinks, 2 of them through gates"


def test_a_derived_clock_is_no_input():
    top = Maker("top")
    clk, half = top.signal("clk", port="input"), top.signal("half")
    top.clocked(half, top.op("not", top.read(half)), top.trigger(("posedge", top.read(clk))))
    register(top, "q", top.trigger(("posedge", top.read(half))))
    report = find_clocks(flatten(top))
    assert [clock.name for clock in report.clocks] == ["top.clk"]
    assert [clock.name for clock in report.derived] == ["top.half"]


def test_a_synchronous_reset_is_named_and_chooses_a_constant():
    top = Maker("top")
    clk, reset = top.signal("clk", port="input"), top.signal("reset", port="input")
    first = top.signal("first", port="input")
    trigger = top.trigger(("posedge", top.read(clk)))
    register(top, "q", trigger, top.read(reset))
    register(top, "r", trigger, top.op("or", top.read(reset), top.read(first)))
    assert find_clocks(flatten(top)).describe() == (
        "clock top.clk: posedge, 2 sinks\nreset top.reset: synchronous, active high"
    )


def test_the_inverse_of_a_clock_is_its_other_edge():
    top = Maker("top")
    clk = top.signal("clk", port="input")
    register(top, "q", top.trigger(("posedge", top.op("not", top.read(clk)))))
    assert find_clocks(flatten(top)).describe() == "clock top.clk: negedge, 1 sink"


def test_no_clock():
    top = Maker("top")
    a, q = top.signal("a", port="input"), top.signal("q", 1, "wire")
    top.drive(q, top.op("not", top.read(a)))
    assert find_clocks(flatten(top)).describe() == "no clocks: the design is combinational"
