"""Random processes: what is lowered, flattened and run gives what a naive interpreter of the statements gives."""

import os
from random import Random

from tests.passes.interpret import Interpreter
from tests.passes.modules import Design1
from tests.passes.random_processes import Drawer

from weft.ir.design import Assign, Block, Kind
from weft.ir.expressions import Const, Ref


def run_clocked(seed: int) -> None:
    random, d = Random(seed), Design1()
    clk = d.input("clk")
    inputs = [d.input(f"x{k}", width) for k, width in enumerate((1, 3, 6))]
    registers = [d.signal(f"r{k}", width) for k, width in enumerate((1, 4, 7, 4))]
    if random.random() < 0.6:
        registers.append(d.signal("bank", 5, random.choice((3, 4))))
    if random.random() < 0.6:
        registers.append(d.signal("ram", 9, 13))
    signals = [r.signal for r in registers]
    drawer = Drawer(random, [x.signal for x in inputs] + signals, signals, clocked=True)
    drawer.scratch = [d.signal(f"s{k}", 4).signal for k in range(2)]
    drawer.readable += drawer.scratch
    for _ in range(random.randint(0, 2)):
        drawer.function()
    body = Block(tuple(drawer.statement(3) for _ in range(random.randint(1, 5))))
    d.at(clk, body)
    bench, meaning = d.bench(), Interpreter()
    for cycle in range(12):
        pokes = {x.signal.name: random.getrandbits(x.width) for x in inputs}
        bench.poke(**pokes)
        meaning.values |= {x.signal: pokes[x.signal.name] for x in inputs}
        meaning.activate(body)
        bench.cycle()
        check(bench, meaning, [*signals, *drawer.scratch], (seed, cycle))


def run_combinational(seed: int) -> None:
    random, d = Random(seed), Design1()
    inputs = [d.input(f"x{k}", width) for k, width in enumerate((1, 3, 6))]
    plain = [d.signal(f"y{k}", width).signal for k, width in enumerate((1, 4, 7, 4))] + [d.signal("bank", 5, 4).signal]
    latches = [d.signal(f"l{k}", width).signal for k, width in enumerate((3, 5))]
    drawer = Drawer(random, [x.signal for x in inputs] + plain, plain + latches, clocked=False)
    drawer.scratch = plain[1:2] + plain[3:4]
    for _ in range(random.randint(0, 2)):
        drawer.function()
    first = tuple(Assign(Ref(s), Const(s.bits, random.getrandbits(s.bits)), True) for s in plain)
    body = Block((*first, *(drawer.statement(3) for _ in range(random.randint(1, 5)))))
    d.comb(body)
    assert d.module.processes[0].kind is Kind.COMB
    bench, meaning = d.bench(), Interpreter()
    meaning.activate(body)
    for cycle in range(12):
        pokes = {x.signal.name: random.getrandbits(x.width) for x in inputs}
        for name, value in pokes.items():
            bench.poke(**{name: value})
            meaning.values[next(x.signal for x in inputs if x.signal.name == name)] = value
            meaning.activate(body)
        check(bench, meaning, plain + latches, (seed, cycle))


def check(bench, meaning, signals, where) -> None:
    for signal in signals:
        wanted = meaning.values.get(signal, 0)
        node = bench.node(f"top.{signal.name}")
        if node <= -2:
            width = signal.width
            got = sum(bench.element(f"top.{signal.name}", k) << k * width for k in range(signal.depth))
        else:
            got = bench.peek(f"top.{signal.name}") if node >= 0 else 0
            wanted = wanted if node >= 0 else 0
        assert got == wanted, (where, signal.name, hex(got), hex(wanted))


SEEDS = range(2000 if os.environ.get("WEFT_HYPOTHESIS") == "explore" else 20)


def test_clocked_processes():
    for seed in SEEDS:
        run_clocked(seed)


def test_combinational_processes():
    for seed in SEEDS:
        run_combinational(seed)
