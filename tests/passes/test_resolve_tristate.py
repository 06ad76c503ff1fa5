"""Nets with several drivers, drivers that let go, pulls, and inout ports."""

import itertools

import pytest
from tests.passes.fragments import Bench, Maker, flatten

from weft.base.errors import UserError


def bus(net: str, drivers: int = 2, width: int = 4) -> Bench:
    """Return a net with tri-state drivers d<i>, enabled by e<i>."""
    top = Maker("top")
    y = top.signal("y", width, net)
    for i in range(drivers):
        d, e = top.signal(f"d{i}", width, port="input"), top.signal(f"e{i}", port="input")
        top.drive(y, top.read(d), enable=top.op("sext", top.read(e), width=width))
    return Bench(flatten(top))


@pytest.mark.parametrize(("net", "released"), [("wire", 0), ("tri", 0), ("tri0", 0), ("tri1", 15), ("wand", 0)])
def test_released_drivers(net: str, released: int):
    bench = bus(net)
    for e0, e1 in ((0, 0), (0, 1), (1, 0)):
        bench.poke(d0=0b0110, d1=0b1010, e0=e0, e1=e1)
        assert bench.peek("top.y") == (0b0110 if e0 else 0b1010 if e1 else released)


@pytest.mark.parametrize(("net", "both"), [("wand", 0b0010), ("wor", 0b1110), ("triand", 0b0010), ("trior", 0b1110)])
def test_wired_logic(net: str, both: int):
    bench = bus(net)
    bench.poke(d0=0b0110, d1=0b1010, e0=1, e1=1)
    assert bench.peek("top.y") == both


def test_a_pull_counts_only_where_nobody_drives():
    top = Maker("top")
    y, d, e = top.signal("y", 4, "wire"), top.signal("d", 4, port="input"), top.signal("e", 4, port="input")
    top.drive(y, top.read(d), enable=top.read(e))
    top.drive(y, top.const(4, 0b1100), weak=True)
    bench = Bench(flatten(top))
    for d, e in itertools.product((0b1010, 0b0101), (0b0000, 0b0110, 0b1111)):
        bench.poke(d=d, e=e)
        assert bench.peek("top.y") == (d & e | 0b1100 & ~e)


def test_drivers_of_parts_resolve_part_by_part():
    top = Maker("top")
    y, a, b = top.signal("y", 6, "wor"), top.signal("a", 4, port="input"), top.signal("b", 4, port="input")
    top.drive(y, top.read(a))
    top.drive(y, top.read(b), low=2)
    bench = Bench(flatten(top))
    bench.poke(a=0b0101, b=0b1010)
    assert bench.peek("top.y") == 0b0101 | 0b101000


def pad() -> Maker:
    """Return a pad cell: drives `io` with `o` while `oe`, always shows it at `i`."""
    cell = Maker("pad")
    io, o, oe = cell.signal("io", 1, "wire", port="inout"), *(cell.signal(n, port="input") for n in ("o", "oe"))
    i = cell.signal("i", 1, "wire", port="output")
    cell.drive(io, cell.read(o), enable=cell.read(oe))
    cell.drive(i, cell.read(io))
    return cell


def test_inout_ports_join_their_nets():
    """Two pads on one net, each on one bit of a bus: what one drives the other sees."""
    cell, top = pad(), Maker("top")
    wire, seen = top.signal("w", 2, "wire"), top.signal("seen", 2, "wire")
    o, oe = top.signal("o", 3, port="input"), top.signal("oe", 3, port="input")
    cut = top.builder.slice
    for k, bit in enumerate((0, 0, 1)):
        targets = ((top.use(wire), bit, 1, 0),)
        more = {"i": ((top.use(seen), bit, 1, 0),)} if k else {}
        top.instance(f"p{k}", cell, io=targets, o=cut(top.read(o), k, 1), oe=cut(top.read(oe), k, 1), **more)
    bench = Bench(flatten(top, cell))
    for o, oe in ((0b001, 0b001), (0b010, 0b010), (0b011, 0b100), (0b111, 0b101)):
        bench.poke(o=o, oe=oe)
        low = (o & oe & 3) != 0
        high = (o & oe) >> 2
        assert bench.peek("top.w") == bench.peek("top.seen") == high * 2 + low
        assert bench.peek("top.p0.io") == bench.peek("top.p1.io") == low


def test_a_whole_inout_port_is_the_same_net():
    cell, top = pad(), Maker("top")
    wire, o, oe = top.signal("w", 1, "tri1"), top.signal("o", port="input"), top.signal("oe", port="input")
    top.instance("p", cell, io=top.whole(wire), o=top.read(o), oe=top.read(oe))
    graph = flatten(top, cell)
    bench = Bench(graph)
    assert bench.node("top.p.io") == bench.node("top.w")
    assert bench.peek("top.p.io") == 1
    bench.poke(o=0, oe=1)
    assert bench.peek("top.p.i") == 0


def test_an_inout_of_the_top_shows_the_outside_where_the_design_lets_go():
    bench = Bench(flatten(renamed(pad())))
    seen = []
    for outside, o, oe in ((1, 0, 0), (1, 0, 1), (0, 1, 1), (0, 1, 0)):
        bench.poke(io=outside, o=o, oe=oe)
        seen.append(bench.peek("top.i"))
    assert seen == [1, 0, 1, 0]


def renamed(make: Maker) -> Maker:
    make.module.name = "top"
    return make


def test_an_input_of_the_top_that_is_driven_is_an_error():
    top = Maker("top")
    a = top.signal("a", port="input")
    top.drive(a, top.const(1, 1))
    with pytest.raises(UserError, match="input of the top"):
        flatten(top)


def test_four_state_nets_keep_z_and_resolve():
    top = Maker("top", four_state=True)
    y, t = top.signal("y", 2, "wire"), top.signal("t", 2, "tri1")
    for signal in (y, t):
        for i in range(2):
            top.drive(signal, top.read(top.signal(f"{signal.name}{i}", 2, port="input")))
    graph = flatten(top, four_state=True)
    assert graph.node(int(graph.scopes[0].nodes[0])).op == "resolve"
    assert graph.node(int(graph.scopes[0].nodes[1])).op == "or"
    assert "isz" in {node.op for node in graph.nodes()}
