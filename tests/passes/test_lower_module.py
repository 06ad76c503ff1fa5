"""Lowering of hand-made modules, checked by running the flattened result."""

from random import Random

from tests.passes.modules import Design1, bit, blocking, const, element, eq, later, op, part, seq, when, wide

from weft.ir.design import Case, CaseItem, Jump, Loop
from weft.ir.expressions import Concat, Cond, Const, Ref
from weft.ir.ops import OPS


def counting_loop(i: Ref, stop: int, *body):
    """Return `for (i = 0; i < stop; i = i + 1) body`."""
    step = blocking(i, op("add", i, const(32, 1)))
    return seq(blocking(i, const(32, 0)), Loop(op("slt", i, const(32, stop), 1), seq(*body), (step,)))


def test_assigns_and_operators():
    d = Design1()
    a, b, y, z = d.input("a", 8), d.input("b", 8), d.signal("y", 8), d.signal("z", 12)
    d.assign(y, Cond(op("ult", a, b, 1), op("sub", b, a), op("sub", a, b), 8))
    d.assign(z, Concat((part(a, 6, 4), y), 12))
    bench = d.bench()
    bench.poke(a=0xC3, b=0x12)
    assert (bench.peek("top.y"), bench.peek("top.z")) == (0xB1, 0x3B1)


def test_digits_that_are_not_compared_leave_no_trace_in_constants():
    d = Design1()
    a, y = d.input("a", 7), d.signal("y")
    d.assign(y, op("weq", a, Const(7, 0b1111111, 0b1110011), 1))
    bench = d.bench()
    for value in range(128):
        bench.poke(a=value)
        assert bench.peek("top.y") == (value & 0b1100 == 0b1100)


def test_registers_have_precise_enables():
    d = Design1()
    clk, rst, go, x = d.input("clk"), d.input("rst"), d.input("go"), d.input("x", 8)
    q, r, s = d.signal("q", 8), d.signal("r", 8), d.signal("s", 8)
    d.at(
        clk,
        when(
            rst,
            seq(later(q, const(8, 1)), later(r, const(8, 2))),
            when(go, seq(later(q, x), when(eq(x, 3), later(s, x)))),
        ),
    )
    fragment = d.lower()
    enables = {fragment.uses[c.target].signal.name: c.enable for c in fragment.clocked}
    names = {use.signal.name: k for k, use in enumerate(fragment.uses)}
    assert enables["r"] == fragment.builder.read(names["rst"])
    assert len(fragment.clocked) == 3 and len(set(enables.values())) == 3
    bench = d.bench()
    bench.poke(rst=1)
    bench.cycle()
    assert [bench.peek(f"top.{n}") for n in "qrs"] == [1, 2, 0]
    bench.poke(rst=0, x=3)
    bench.cycle()
    assert [bench.peek(f"top.{n}") for n in "qrs"] == [1, 2, 0]
    bench.poke(go=1)
    bench.cycle()
    assert [bench.peek(f"top.{n}") for n in "qrs"] == [3, 2, 3]
    bench.poke(x=9)
    bench.cycle()
    assert [bench.peek(f"top.{n}") for n in "qrs"] == [9, 2, 3]


def test_blocking_variables_are_seen_at_once_and_nonblocking_ones_later():
    d = Design1()
    clk, x = d.input("clk"), d.input("x", 8)
    t, q, r = d.signal("t", 8), d.signal("q", 8), d.signal("r", 8)
    d.at(clk, blocking(t, op("add", x, const(8, 1))), later(q, t), later(r, q), blocking(t, const(8, 7)))
    bench = d.bench()
    bench.poke(x=4)
    bench.cycle()
    assert [bench.peek(f"top.{n}") for n in "tqr"] == [7, 5, 0]
    bench.cycle()
    assert [bench.peek(f"top.{n}") for n in "tqr"] == [7, 5, 5]


def test_case_chooses_and_a_full_case_is_no_latch():
    d = Design1()
    s, y, z = d.input("s", 2), d.signal("y", 8), d.signal("z", 8)
    items = tuple(CaseItem((const(2, k),), blocking(y, const(8, 10 * k))) for k in range(4))
    d.comb(Case("case", s, items))
    wild = (
        CaseItem((const(2, 0b11, 0b10),), blocking(z, const(8, 1))),
        CaseItem((const(2, 0b10),), blocking(z, const(8, 2))),
    )
    d.comb(Case("casez", s, wild, blocking(z, const(8, 3))))
    assert not any(use.hold for use in d.lower().uses)
    bench = d.bench()
    seen = []
    for k in range(4):
        bench.poke(s=k)
        seen.append((bench.peek("top.y"), bench.peek("top.z")))
    assert seen == [(0, 3), (10, 1), (20, 2), (30, 1)]


def test_latches_hold():
    d = Design1()
    en, x, q = d.input("en"), d.input("x", 4), d.signal("q", 4)
    d.comb(when(en, blocking(q, x)))
    bench = d.bench()
    bench.poke(en=1, x=5)
    bench.poke(en=0)
    bench.poke(x=9)
    assert bench.peek("top.q") == 5
    bench.poke(en=1)
    assert bench.peek("top.q") == 9


def test_loops_unroll_and_bits_stay_independent():
    d = Design1()
    x, y, i = d.input("x", 8), d.signal("y", 9), d.signal("i", 32)
    xor = op("xor", bit(y, i), bit(x, i))
    d.comb(blocking(bit(y, 0), const(1, 1)), counting_loop(i, 8, blocking(bit(y, op("add", i, const(32, 1))), xor)))
    bench = d.bench()
    bench.poke(x=0b1011)
    assert bench.peek("top.y") == 0b000001101


def test_break_finds_the_first_bit():
    d = Design1()
    x, y, i = d.input("x", 8), d.signal("y", 8), d.signal("i", 32)
    hit = when(bit(x, i), seq(blocking(y, wide(i, 8)), Jump("break")))
    d.comb(blocking(y, const(8, 0xFF)), counting_loop(i, 8, hit))
    bench = d.bench()
    for value in (0, 1, 0x80, 0x50, 0xFF):
        bench.poke(x=value)
        assert bench.peek("top.y") == ((value & -value).bit_length() - 1) & 0xFF


def test_memories_read_write_and_fill():
    d = Design1()
    clk, rst, we = d.input("clk"), d.input("rst"), d.input("we")
    a, x, y = d.input("a", 5), d.input("x", 8), d.signal("y", 8)
    ram, i = d.signal("ram", 8, 32), d.signal("i", 32)
    d.at(
        clk,
        when(
            rst,
            counting_loop(i, 32, later(element(ram, i), const(8, 0x55))),
            when(we, later(part(element(ram, a), 4, 4), part(x, 0, 4))),
        ),
    )
    d.assign(y, element(ram, a))
    fragment = d.lower()
    assert [write.count for write in fragment.clocked_memories] == [32, 1]
    bench = d.bench()
    bench.poke(rst=1)
    bench.cycle()
    bench.poke(rst=0, we=1, a=3, x=0xA)
    bench.cycle()
    assert bench.peek("top.y") == 0xA5
    bench.poke(a=31)
    assert bench.peek("top.y") == 0x55


def test_small_arrays_are_written_element_by_element():
    d = Design1()
    clk, a, x = d.input("clk"), d.input("a", 2), d.input("x", 4)
    bank, y = d.signal("bank", 4, 4), d.signal("y", 4)
    d.at(clk, later(element(bank, a), x))
    d.assign(y, element(bank, a))
    assert len(d.lower().clocked) == 4
    bench = d.bench()
    for k in range(4):
        bench.poke(a=k, x=k + 9)
        bench.cycle()
    assert bench.peek("top.bank") == 0xCBA9
    bench.poke(a=1)
    assert bench.peek("top.y") == 10


def test_tables_are_trees_over_the_subject():
    d, draw = Design1(), Random(1)
    s, y, z = d.input("s", 7), d.signal("y", 8), d.signal("z", 8)
    table = {k: draw.randrange(256) for k in draw.sample(range(128), 90)}
    chosen = tuple(CaseItem((const(7, k),), blocking(y, const(8, v))) for k, v in table.items())
    d.comb(Case("case", s, chosen, blocking(y, const(8, 77))))
    full = tuple(CaseItem((const(7, k),), blocking(z, const(8, k * 37 & 255))) for k in range(128))
    d.comb(Case("case", s, full))
    fragment = d.lower()
    names = [OPS[code].name for code in fragment.builder.op]
    assert not any(use.hold for use in fragment.uses) and names.count("mux") < 260
    bench = d.bench()
    for k in range(128):
        bench.poke(s=k)
        assert (bench.peek("top.y"), bench.peek("top.z")) == (table.get(k, 77), k * 37 & 255)
