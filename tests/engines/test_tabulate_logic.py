"""Look-up tables: each operation on arrays is the operation, and a tabulated graph is the graph, for every input."""

from random import Random

import numpy as np
import pytest

from step_machines import evaluate_step
from weft.engines.cpu.tabulate_logic import TABULATED, evaluate_all, tabulate_logic
from weft.ir.cone_graph import Domain, State, Write
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import OPS, mask
from weft.ir.step_graph import SLICE, StepGraph, live_nodes, step_graph

_COMPARES, _REDUCES = ("eq", "ult", "slt"), ("redand", "redor", "redxor")


def shapes(name: str, random: Random) -> tuple[list[int], int, int]:
    """Return source widths, width and param of a random node of an operation."""
    wide, narrow = random.randint(1, 32), random.randint(1, 16)
    if name == "slice":
        width = random.randint(1, 32)
        return [width + random.randint(0, 32)], width, 0
    if name in _COMPARES:
        return [wide, wide], 1, 0
    if name in _REDUCES:
        return [wide], 1, 0
    if name in ("zext", "sext"):
        return [narrow], narrow + random.randint(0, 16), 0
    if name == "concat":
        return [narrow, 16 - narrow // 2, 1], narrow + 17 - narrow // 2, 0
    if name == "mux":
        return [1, wide, wide], wide, 0
    return [wide] * (1 if name == "not" else 2), wide, 0


@pytest.mark.parametrize("op", TABULATED, ids=[OPS[op].name for op in TABULATED])
def test_operations_on_arrays_are_the_operations(op: int):
    random = Random(op)
    evaluate = OPS[op].evaluate
    assert evaluate is not None
    for _ in range(40):
        widths, width, param = shapes(OPS[op].name, random)
        if op == SLICE:
            param = random.randint(0, widths[0] - width)
        edges = [[0, 1, mask(w), mask(w) >> 1, 1 << (w - 1)] for w in widths]
        rows = [[random.choice([random.getrandbits(w), random.choice(e)]) for w, e in zip(widths, edges, strict=True)]
                for _ in range(50)]  # fmt: skip
        columns = [np.array(column, np.uint64) for column in zip(*rows, strict=True)]
        got = evaluate_all(op, columns, widths, width, param).tolist()
        assert got == [evaluate(row, widths, width, param) for row in rows], (widths, width, param)


def decoder(seed: int) -> StepGraph:
    """Return a step that decodes 11 bits of an instruction into 12 signals, and mixes some with another register."""
    random, builder = Random(seed), GraphBuilder()
    builder.states += [State("instruction", 32), State("busy", 1), *(State(f"r{n}", 1) for n in range(12))]
    one = builder.const(1, 1)
    builder.domains.append(Domain("posedge clk", one))
    word, busy = builder.read(0), builder.read(1)
    opcode, code, sign = builder.slice(word, 0, 7), builder.slice(word, 12, 3), builder.slice(word, 30, 1)
    signals = [sign]
    for _ in range(80):
        kind = random.randrange(6)
        a, b = random.choice(signals), random.choice(signals)
        signals.append(
            builder.add("eq", 1, opcode, builder.const(7, random.getrandbits(7))) if kind == 0
            else builder.add("eq", 1, code, builder.const(3, random.getrandbits(3))) if kind == 1
            else builder.add("ult", 1, opcode, builder.const(7, random.getrandbits(7))) if kind == 2
            else builder.add("mux", 1, a, b, random.choice(signals)) if kind == 3
            else builder.add(random.choice(["and", "or", "xor"]), 1, a, b)
        )  # fmt: skip
    for n in range(12):
        value = signals[-1 - n]
        builder.writes.append(Write(2 + n, value if n % 2 else builder.add("and", 1, value, busy), one, 1))
    return step_graph(builder.freeze())


@pytest.mark.parametrize("seed", range(4))
def test_a_tabulated_decoder_is_the_decoder_for_all_inputs(seed: int):
    step = decoder(seed)
    tabulated = tabulate_logic(step)
    (table,) = tabulated.tables
    assert table.bits.bit_count() <= 11 and len(table.entries) == 1 << table.bits.bit_count()
    before, after = (sum(map(bool, live_nodes(each))) for each in (step, tabulated))
    assert after < before - 10
    for index in range(1 << 12):
        word = index & 0x7F | (index >> 7 & 7) << 12 | (index >> 10 & 1) << 30 | 0x8F8F << 15 & 0x3FF00000
        reads = {0: word, 1: index >> 11}
        expected, got = evaluate_step(step, reads), evaluate_step(tabulated, reads)
        for old, new in zip(step.writes, tabulated.writes, strict=True):
            assert got[new.value] == expected[old.value]


def test_logic_of_several_values_is_left_alone():
    builder = GraphBuilder()
    builder.states += [State(f"r{n}", 1) for n in range(12)]
    one = builder.const(1, 1)
    builder.domains.append(Domain("posedge clk", one))
    value = builder.read(0)
    for n in range(1, 12):
        value = builder.add(("and", "or", "xor")[n % 3], 1, value, builder.read(n))
        builder.writes.append(Write(n, value, one, 1))
    step = step_graph(builder.freeze())
    assert tabulate_logic(step) is step
