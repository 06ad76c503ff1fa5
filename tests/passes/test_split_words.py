"""Every operation, split into words, means what the op table says; what is too wide is refused."""

from random import Random

import pytest

from lane_steps import StepRun
from weft import Unsupported
from weft.ir.cone_graph import State
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import BY_NAME, OPS, Op, mask
from weft.passes.build_lane_program import build_lane_program, build_look
from weft.passes.split_words import WORD_OPS

WIDTHS = (1, 2, 31, 32, 33, 64, 65, 100, 128, 130)
OTHERS = (1, 5, 33, 64, 70, 130)


def shapes(op: Op, width: int) -> list[tuple[int, tuple[int, ...]]]:
    """Return (result width, source widths) of some nodes of an operation at a width."""
    match op.rule:
        case "same":
            return [(width, (width,) * op.arity)]
        case "compare":
            return [(1, (width, width))]
        case "shift":
            return [(width, (width, by)) for by in (1, 4, 7, 70)]
        case "concat":
            return [(width + 40, (width, 3, 37)), (3 * width, (width,) * 3)]
        case "slice":
            return [(width, (width + more,)) for more in (0, 3, 64, 90)]
        case "extend":
            return [(width + more, (width,)) for more in (0, 1, 64, 100)]
        case "mux":
            return [(width, (1, width, width))]
        case "insert":
            return [(width, (width, by, part)) for by in (1, 5, 9, 70) for part in (1, 9, 64, 70)]
        case "bit":
            return [(1, (width,))]
        case "bit1":
            return [(1, (1, 1))]
        case _ if op.name == "popcount":
            return [(result, (width,)) for result in (1, 6, 32, 70)]
        case _:
            return [(result, (width, by)) for by in (1, 5, 9, 70) for result in OTHERS]


def value(random: Random, width: int) -> int:
    small = random.getrandbits(min(width, random.choice((3, 7))))
    return random.choice(
        (0, 1, mask(width), 1 << (width - 1), random.getrandbits(width), small, mask(width) - small)
    ) & mask(width)


@pytest.mark.parametrize("op", [op for op in OPS if op.evaluate and not op.four_state_only], ids=lambda op: op.name)
def test_operation_means_what_the_op_table_says(op: Op):
    random = Random(op.code)
    narrow = {"upow": 66, "spow": 66, "udiv": 128, "umod": 128, "sdiv": 128, "smod": 128}
    for width in WIDTHS:
        if width > narrow.get(op.name, 130):
            continue
        for result, widths in shapes(op, width):
            if op.name in ("upow", "spow") and (widths[1] > 8 or width > 66):
                continue
            param = widths[0] - result if op.rule == "slice" else 0
            builder = GraphBuilder()
            builder.states = [State(f"s{i}", w, kind="input", initial=0) for i, w in enumerate(widths)]
            node = builder.node(op.code, result, tuple(builder.read(i) for i in range(len(widths))), param)
            graph = builder.freeze()
            program = build_lane_program(graph)
            look = build_look(program, graph, [node])
            names = {OPS[look.op[each]].name for each in look.nodes}
            assert names <= WORD_OPS | {"redor", "redand", "redxor"}
            for _ in range(6):
                values = [value(random, w) for w in widths]
                words = [values[word.state] >> 64 * word.word & mask(word.width) for word in program.words]
                outputs = StepRun(look, words, []).outputs
                got = sum(part << 64 * number for number, part in outputs.items())
                assert op.evaluate is not None
                assert got == op.evaluate(values, list(widths), result, param), (op.name, result, widths, values)


@pytest.mark.parametrize("width", [129, 192, 1030, 1100])
@pytest.mark.parametrize("name", ["mul", "udiv", "umod", "sdiv", "smod"])
def test_very_wide_operations_stay_whole(name, width):
    random, op = Random(width), BY_NAME[name]
    builder = GraphBuilder()
    builder.states = [State(each, width, kind="input", initial=0) for each in "ab"]
    graph_node = builder.add(name, width, builder.read(0), builder.read(1))
    graph = builder.freeze()
    program = build_lane_program(graph)
    look = build_look(program, graph, [graph_node])
    whole = [OPS[look.op[each]].name for each in look.nodes if look.width[each] > 64]
    assert whole == [] if width < 1024 and name == "mul" else sorted(set(whole))[0] == "concat" and len(whole) == 3
    for _ in range(8):
        values = [value(random, width), value(random, random.choice((width, 40)))]
        words = [values[word.state] >> 64 * word.word & mask(word.width) for word in program.words]
        outputs = StepRun(look, words, []).outputs
        got = sum(part << 64 * number for number, part in outputs.items())
        assert op.evaluate is not None
        assert got == op.evaluate(values, [width, width], width, 0), values


@pytest.mark.parametrize("op", ["mul", "udiv"])
def test_what_is_too_wide_is_refused(op):
    width = 70_000
    builder = GraphBuilder()
    builder.states = [State(name, width, kind="input", initial=0) for name in "ab"]
    graph_node = builder.add(op, width, builder.read(0), builder.read(1))
    graph = builder.freeze()
    program = build_lane_program(graph)
    with pytest.raises(Unsupported, match="a product or quotient of 70000 bits in a batch is not supported yet"):
        build_look(program, graph, [graph_node])
