"""Loops of words that are none of bits, true loops, and what --loops makes of them."""

import pytest
from tests.passes.fragments import Bench, Maker, flatten

from weft.base.errors import UserError
from weft.base.source import SourceMap, Span


def ripple(width: int = 8) -> Maker:
    """Return a carry chain written as words: `carry = {(a & carry_low) | b, c}`."""
    top = Maker("top")
    a, b, c = top.signal("a", width, port="input"), top.signal("b", width, port="input"), top.signal("c", port="input")
    carry = top.signal("carry", width + 1, "wire")
    low = top.builder.slice(top.read(carry), 0, width)
    top.drive(carry, top.builder.concat([top.read(c), top.op("or", top.op("and", top.read(a), low), top.read(b))]))
    return top


def ripple_value(a: int, b: int, c: int, width: int = 8) -> int:
    bits = [c]
    for k in range(width):
        bits.append(b >> k & 1 | (a >> k & 1) & bits[-1])
    return sum(bit << k for k, bit in enumerate(bits))


def test_carry_chain_of_words():
    bench = Bench(flatten(ripple()))
    for a, b, c in ((255, 0, 1), (0b11101110, 0b00010000, 1), (0x5A, 0x21, 0)):
        bench.poke(a=a, b=b, c=c)
        assert bench.peek("top.carry") == ripple_value(a, b, c)


@pytest.mark.parametrize("shape", ["shift", "extend", "arithmetic", "mux", "insert", "whole"])
def test_word_loops_of_every_shape(shape):
    """In each, bits of `x` need lower bits of `x` only."""
    top = Maker("top")
    d, s, x = top.signal("d", 8, port="input"), top.signal("s", port="input"), top.signal("x", 8, "wire")
    cut, read = top.builder.slice, top.read
    seed = top.op("and", read(d), top.const(8, 3))
    match shape:
        case "shift":  # x = seed | x << 2
            value = top.op("or", seed, top.op("shl", read(x), top.const(8, 2), width=8), width=8)
        case "extend":  # x = {sext(x[1]), d[1:0]}
            value = top.builder.concat([cut(read(d), 0, 2), top.op("sext", cut(read(x), 1, 1), width=6)])
        case "arithmetic":  # x = {x[3:0] + d[3:0], d[7:4]}
            total = top.op("add", cut(read(x), 0, 4), cut(read(d), 0, 4))
            value = top.builder.concat([cut(read(d), 4, 4), total])
        case "mux":  # x = s ? {x[3:0], d[3:0]} : {d[3:0], x[7:4]}
            one = top.builder.concat([cut(read(d), 0, 4), cut(read(x), 0, 4)])
            other = top.builder.concat([cut(read(d), 4, 4), cut(read(d), 0, 4)])
            value = top.op("mux", read(s), one, other)
        case "insert":  # low half of x says where a bit of the high half is set; insert is cut between them
            offset = top.op("zext", cut(read(x), 0, 2), width=4)
            high = top.op("insert", top.const(6, 0), offset, top.const(1, 1), width=6)
            value = top.builder.concat([cut(read(d), 0, 2), high])
        case _:  # x = {x[3:0] * 3 == 9, ..., d[3:0]}
            product = top.op("mul", cut(read(x), 0, 4), top.const(4, 3))
            equal = top.op("eq", product, top.const(4, 9), width=1)
            value = top.builder.concat([cut(read(d), 0, 4), equal, cut(product, 0, 3)])
    top.drive(x, value)
    bench = Bench(flatten(top))
    for data in (0x00, 0x5A, 0xA3, 0xFF):
        for select in (0, 1):
            bench.poke(d=data, s=select)
            assert bench.peek("top.x") == word_loop_value(shape, data, select)


def word_loop_value(shape: str, d: int, s: int) -> int:
    match shape:
        case "shift":
            return (d & 3) * 0x55
        case "extend":
            return d & 3 | (0xFC if d & 2 else 0)
        case "arithmetic":
            return d >> 4 | ((d >> 4) + d & 15) << 4
        case "mux":
            return (d & 15) * 17 if s else d >> 4 | (d & 15) << 4
        case "insert":
            return d & 3 | 4 << (d & 3)
        case _:
            product = (d & 15) * 3 & 15
            return d & 15 | (product == 9) << 4 | (product & 7) << 5


def test_word_loop_through_two_instances():
    """Each instance passes on a bit of a struct-like bus whose other bits come from the other instance."""
    child = Maker("child")
    i, o = child.signal("i", 2, port="input"), child.signal("o", 2, port="output")
    child.drive(o, child.op("not", child.read(i)))
    top = Maker("top")
    d, a, b = top.signal("d", port="input"), top.signal("a", 2, "wire"), top.signal("b", 2, "wire")
    cut, read = top.builder.slice, top.read
    top.instance("u", child, i=top.builder.concat([read(d), cut(read(b), 0, 1)]), o=top.whole(a))
    top.instance("v", child, i=top.builder.concat([cut(read(a), 0, 1), read(d)]), o=top.whole(b))
    bench = Bench(flatten(top, child))
    bench.poke(d=1)  # a = ~{b[0], 1}, b = ~{1, a[0]}
    assert (bench.peek("top.a"), bench.peek("top.b")) == (0b00, 0b01)


SOURCE = "module top(input e, output q);\n  wire a;\n  assign a = e & ~b;\n  assign b = a;\nendmodule\n"


def oscillator() -> tuple[Maker, SourceMap]:
    sources = SourceMap()
    sources.add("top.sv", SOURCE)
    top = Maker("top")
    e, a, b = top.signal("e", port="input"), top.signal("a", 1, "wire"), top.signal("b", 1, "wire")
    for signal, text, value in (
        (a, "a = e & ~b", top.op("and", top.read(e), top.op("not", top.read(b)))),
        (b, "b = a", top.read(a)),
    ):
        start = SOURCE.index(text)
        top.drive(signal, value, span=Span(0, start, start + len(text)))
    return top, sources


def test_a_true_loop_is_an_error_that_shows_its_path():
    top, sources = oscillator()
    with pytest.raises(UserError) as caught:
        flatten(top, sources=sources)
    assert caught.value.code == "combinational-loop"
    assert caught.value.render() == (
        "top.sv:3:10: error: 'top.a' depends on itself without a register or latch between [combinational-loop]\n"
        "  assign a = e & ~b;\n"
        "         ^~~~~~~~~~\n"
        "top.sv:3:10: note: 'top.a' depends on 'top.b'\n"
        "  assign a = e & ~b;\n"
        "         ^~~~~~~~~~\n"
        "top.sv:4:10: note: 'top.b' depends on 'top.a'\n"
        "  assign b = a;\n"
        "         ^~~~~"
    )


def test_a_true_loop_of_some_bits_of_a_word_is_named_by_them():
    top = Maker("top")
    d, x = top.signal("d", 4, port="input"), top.signal("x", 4, "wire")
    rotated = top.builder.concat([top.builder.slice(top.read(d), 0, 1), top.builder.slice(top.read(x), 1, 3)])
    top.drive(x, top.op("xor", top.read(d), rotated))
    with pytest.raises(UserError) as caught:
        flatten(top)
    assert caught.value.render() == (
        "error: 'top.x[3:1]' depends on itself without a register or latch between [combinational-loop]"
    )


def test_iterate_settles_a_stable_loop():
    """A set-reset latch out of two gates."""
    top = Maker("top")
    s, r = top.signal("s", port="input"), top.signal("r", port="input")
    q, n = top.signal("q", 1, "wire"), top.signal("n", 1, "wire")
    top.drive(q, top.op("not", top.op("or", top.read(r), top.read(n))))
    top.drive(n, top.op("not", top.op("or", top.read(s), top.read(q))))
    bench = Bench(flatten(top, loops="iterate"))
    seen = []
    for s, r in ((1, 0), (0, 0), (0, 1), (0, 0), (1, 0), (0, 0)):
        bench.poke(s=s, r=r)
        seen.append((bench.peek("top.q"), bench.peek("top.n")))
    assert seen == [(1, 0), (1, 0), (0, 1), (0, 1), (1, 0), (1, 0)]


def test_iterate_reports_an_oscillation_and_break_does_not():
    top, sources = oscillator()
    bench = Bench(flatten(top, sources=sources, loops="iterate"))
    bench.program.layout.write(bench.state, bench.number("top.e"), 1)
    assert bench.program.settle(bench.state).status.name == "OSCILLATION"
    bench = Bench(flatten(oscillator()[0], loops="break"))
    bench.program.layout.write(bench.state, bench.number("top.e"), 1)
    assert bench.program.settle(bench.state).status.name == "DONE"


def test_a_loop_through_two_latches_is_none():
    """A two-phase ring: the latches are never open at once, so the word graph's cycle is cut at a latch."""
    top = Maker("top")
    clk = top.signal("clk", port="input")
    master, slave = top.signal("m", 4), top.signal("s", 4)
    high = top.read(clk)
    following = top.op("add", top.read(slave), top.const(4, 1))
    top.drive(master, top.op("mux", high, top.read(master, hold=True), following))
    top.drive(slave, top.op("mux", high, top.read(master), top.read(slave, hold=True)))
    bench = Bench(flatten(top))
    before = bench.peek("top.s")
    bench.cycle(times=5)
    assert bench.peek("top.s") == (before + 5) % 16


def test_a_long_carry_chain_is_fast():
    import time

    top = ripple(2048)
    start = time.perf_counter()
    graph = flatten(top)
    assert time.perf_counter() - start < 2
    bench = Bench(graph)
    bench.poke(a=2**2048 - 1, b=0, c=1)
    assert bench.peek("top.carry") == 2**2049 - 1
