"""Every operation of the CPU engine at narrow, odd, wide and very wide widths, against the op table."""

from random import Random

import numpy as np
import pytest

from weft.engines.cpu.program import CpuProgram
from weft.engines.reference.program import ReferenceProgram
from weft.ir.cone_graph import State
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import OPS, Op, mask

WIDTHS = (1, 7, 8, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 500, 4096)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


def shapes(op: Op, width: int) -> list[tuple[int, tuple[int, ...]]]:
    """Return (result width, source widths) of some nodes of an operation at a width."""
    match op.rule:
        case "same":
            return [(width, (width,) * op.arity)]
        case "compare":
            return [(1, (width, width))]
        case "shift":
            return [(width, (width, by)) for by in (1, 4, 13, 32, 70, 300)]
        case "concat":
            return [(width, (width,)), (2 * width + 5, (width, 5, width)), (width + 1024 + 9, (3, width, 1024, 6))]
        case "slice":
            return [(width, (width + more,)) for more in (0, 3, 64, 700)]
        case "extend":
            return [(width, (width,)), (width + 1, (width,)), (width + 300, (width,))]
        case "mux":
            return [(width, (1, width, width))]
        case "insert":
            return [(width, (width, by, part)) for by in (1, 5, 14, 70, 300) for part in (1, 9, 64, 300, width)]
        case "bit":
            return [(1, (width,))]
        case "bit1":
            return [(1, (1, 1))]
        case _ if op.name == "popcount":
            return [(result, (width,)) for result in (1, 6, 32, 300)]
        case _:
            return [(result, (width, by)) for by in (1, 5, 14, 70, 300) for result in (1, 9, 64, 65, 300)]


def operands(random: Random, widths: tuple[int, ...]) -> list[int]:
    """Return a value for each source, often a special one."""
    values: list[int] = []
    for width in widths:
        small = random.getrandbits(min(width, random.choice((3, 7, 10, 13))))
        choices = (0, 1, mask(width), 1 << (width - 1), random.getrandbits(width), small, (1 << width) - 1 - small)
        values.append(random.choice(choices) & mask(width))
    return values


@pytest.mark.parametrize("op", [op for op in OPS if op.evaluate and not op.four_state_only], ids=lambda op: op.name)
def test_operation_means_what_the_op_table_says(op: Op):
    random = Random(op.code)
    limit = 500 if op.name in ("upow", "spow") else 4096
    builder = GraphBuilder()
    sources: list[tuple[int, ...]] = []
    nodes: list[int] = []
    for width in WIDTHS if op.rule != "bit1" else (1,):
        for result, widths in shapes(op, min(width, limit)):
            param = widths[0] - result if op.rule == "slice" else 0
            states = range(len(builder.states), len(builder.states) + len(widths))
            builder.states += [State(f"s{i}", w) for i, w in zip(states, widths, strict=True)]
            reads = tuple(builder.node(1, w, (), i) for i, w in zip(states, widths, strict=True))
            nodes.append(builder.node(op.code, result, reads, param))
            sources.append(tuple(states))
    graph = builder.freeze()
    program, reference = CpuProgram(graph, tier="quick"), ReferenceProgram(graph)
    state = program.layout.allocate()
    for _ in range(8):
        for group in sources:
            widths = tuple(graph.states[i].width for i in group)
            for i, value in zip(group, operands(random, widths), strict=True):
                program.layout.write(state, i, value)
        got, expected = program.evaluate(state, graph, nodes), reference.evaluate(state, graph, nodes)
        for node, group, g, e in zip(nodes, sources, got, expected, strict=True):
            values = [(graph.states[i].width, hex(program.layout.read(state, i))) for i in group]
            assert g == e, f"{op.name} to {graph.width[node]} of {values}: {g:#x}, should be {e:#x}"


@pytest.mark.parametrize("op", [op for op in OPS if op.evaluate and not op.four_state_only], ids=lambda op: op.name)
def test_operation_with_constant_operands(op: Op):
    """Amounts and offsets are often constants, which take other paths through the emitter."""
    random = Random(op.code)
    if op.arity < 2 or op.rule in ("bit1", "concat"):
        return
    builder = GraphBuilder()
    nodes: list[int] = []
    for width in (1, 8, 33, 64, 130, 300):
        for result, widths in shapes(op, width)[:12]:
            for which in range(len(widths)):
                state = len(builder.states)
                builder.states.append(State(f"s{state}", widths[which]))
                values = operands(random, widths)
                chosen = [builder.const(w, v) for w, v in zip(widths, values, strict=True)]
                chosen[which] = builder.node(1, widths[which], (), state)
                nodes.append(builder.node(op.code, result, tuple(chosen)))
    graph = builder.freeze()
    program, reference = CpuProgram(graph, tier="quick"), ReferenceProgram(graph)
    state = program.layout.allocate()
    for _ in range(4):
        for index, described in enumerate(graph.states):
            program.layout.write(state, index, operands(random, (described.width,))[0])
        got, expected = program.evaluate(state, graph, nodes), reference.evaluate(state, graph, nodes)
        wrong = [i for i in range(len(nodes)) if got[i] != expected[i]]
        assert not wrong, (graph.node(nodes[wrong[0]]), hex(got[wrong[0]]), hex(expected[wrong[0]]))


def test_memory_reads_outside_are_zero():
    builder = GraphBuilder()
    nodes: list[int] = []
    for width in (1, 32, 100, 300):
        for depth in (1, 5, 16):
            memory = len(builder.states)
            builder.states.append(State(f"m{memory}", width, depth, "memory"))
            for bits in (1, 4, 32, 70, 300):
                builder.states.append(State(f"a{bits}", bits))
                nodes.append(builder.memread(memory, builder.read(len(builder.states) - 1)))
            nodes += [builder.memread(memory, builder.const(32, index)) for index in (0, 4, 5, 100)]
    graph = builder.freeze()
    program, reference = CpuProgram(graph, tier="quick"), ReferenceProgram(graph)
    state = program.layout.allocate()
    random = Random(1)
    for _ in range(20):
        for index, described in enumerate(graph.states):
            for element in range(max(described.depth, 1)):
                value = random.getrandbits(described.width) % (20 if described.name[0] == "a" else 1 << 400)
                program.layout.write(state, index, value, element)
        assert program.evaluate(state, graph, nodes) == reference.evaluate(state, graph, nodes)
    assert np.count_nonzero(state)
