"""Every operation on values that are carried in types of the processor, against the op table."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from random import Random

import numpy as np
import pytest

from engines.test_cpu_ops import operands, shapes
from weft.engines.cpu.carried_values import carrier
from weft.engines.cpu.cone_step import cone_step
from weft.engines.cpu.emit_carried import CarriedEmitter
from weft.engines.cpu.emitter import words
from weft.engines.cpu.jit import START, Library, compile_object
from weft.engines.cpu.unit_text import function_text, module_text
from weft.engines.reference.program import ReferenceProgram
from weft.ir.cone_graph import ConeGraph, State
from weft.ir.graph_builder import GraphBuilder
from weft.ir.layout import StateLayout, place_state
from weft.ir.ops import OPS, Op
from weft.ir.program import StateArray

WIDTHS = (1, 2, 3, 5, 8, 9, 16, 17, 31, 32, 33, 63, 64, 65, 130)
BINARY = [op for op in OPS if op.evaluate and not op.four_state_only]
_SIGNATURE = "(ptr noalias %s, ptr noalias %m, ptr noalias %c, ptr noalias %out) nounwind"


def evaluator(graph: ConeGraph, nodes: list[int]) -> Callable[[StateArray], list[int]]:
    """Return what computes nodes from a state."""
    layout: StateLayout = place_state(graph.states)
    step, places = cone_step(graph, nodes)
    e = CarriedEmitter(step, layout, 0)
    at = e.store_results(places)
    e.add("ret void")
    text = module_text([function_text("define void @values", e, _SIGNATURE)], [e])
    library = Library([compile_object(text, START)], ["values"])
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(library.addresses["values"])
    out, context = np.zeros(at + 8, np.uint8), np.zeros(e.scratch + 64, np.uint8)

    def evaluate(state: StateArray) -> list[int]:
        address = state.ctypes.data
        function(address, address + layout.memory_offset, context.ctypes.data, out.ctypes.data)
        values, at = list[int](), 0
        for node in places:
            size = 8 * words(e.width[node])
            values.append(int.from_bytes(out[at : at + size].tobytes(), "little"))
            at += size
        assert library
        return values

    return evaluate


def check(graph: ConeGraph, nodes: list[int], random: Random, rounds: int) -> None:
    """Compare nodes with the reference in some states."""
    evaluate, reference = evaluator(graph, nodes), ReferenceProgram(graph)
    layout = place_state(graph.states)
    state = layout.allocate()
    for _ in range(rounds):
        for index, described in enumerate(graph.states):
            for element in range(max(described.depth, 1)):
                (value,) = operands(random, (described.width,))
                layout.write(state, index, value, element)
        got, expected = evaluate(state), reference.evaluate(state, graph, nodes)
        wrong = [i for i in range(len(nodes)) if got[i] != expected[i]]
        assert not wrong, (graph.node(nodes[wrong[0]]), hex(got[wrong[0]]), hex(expected[wrong[0]]))


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.name)
def test_operation_means_what_the_op_table_says(op: Op) -> None:
    """Its operands variable, and all but one constant: they are extended and cut in the text then."""
    random = Random(op.code)
    builder = GraphBuilder()
    nodes: list[int] = []
    for width in WIDTHS if op.rule != "bit1" else (1,):
        for result, widths in shapes(op, width):
            param = widths[0] - result if op.rule == "slice" else 0
            reads: list[int] = []
            for each in widths:
                builder.states.append(State(f"s{len(builder.states)}", each))
                reads.append(builder.node(1, each, (), len(builder.states) - 1))
            nodes.append(builder.node(op.code, result, tuple(reads), param))
            if op.arity > 1:
                which = random.randrange(op.arity)
                chosen = [builder.const(w, v) for w, v in zip(widths, operands(random, widths), strict=True)]
                chosen[which] = reads[which]
                nodes.append(builder.node(op.code, result, tuple(chosen), param))
    check(builder.freeze(), nodes, random, 20)


def test_memories_are_read_in_range_only() -> None:
    builder, nodes = GraphBuilder(), list[int]()
    for width in (1, 5, 32, 65):
        for depth in (1, 2, 5, 16):
            memory = len(builder.states)
            builder.states.append(State(f"m{memory}", width, depth, "memory"))
            for bits in (1, 3, 4, 5, 33, 70):
                builder.states.append(State(f"a{bits}", bits))
                nodes.append(builder.memread(memory, builder.read(len(builder.states) - 1)))
            nodes += [builder.memread(memory, builder.const(32, index)) for index in (0, 4, 100)]
    check(builder.freeze(), nodes, Random(1), 30)


def test_pieces_of_wide_values_are_words() -> None:
    builder, nodes = GraphBuilder(), list[int]()
    builder.states = [State("wide", 300)]
    for low in (0, 1, 60, 63, 64, 65, 127, 200, 236):
        for width in (1, 3, 32, 63, 64):
            nodes.append(builder.slice(builder.read(0), low, width))
    check(builder.freeze(), nodes, Random(2), 10)


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.name)
def test_llvm_selects_narrow_operations_quickly(op: Op) -> None:
    """Operands are of types that the processor has, choices and comparisons of bits are logic."""
    builder, nodes = GraphBuilder(), list[int]()
    for width in (1, 2, 7, 12, 33, 64) if op.rule != "bit1" else (1,):
        for result, widths in shapes(op, width):
            if max(result, *widths) <= 64:
                param = widths[0] - result if op.rule == "slice" else 0
                builder.states += [State(f"s{i}", each) for i, each in enumerate(widths, len(builder.states))]
                first = len(builder.states) - len(widths)
                reads = tuple(builder.node(1, each, (), first + i) for i, each in enumerate(widths))
                nodes.append(builder.node(op.code, result, reads, param))
    graph = builder.freeze()
    step, places = cone_step(graph, nodes)
    e = CarriedEmitter(step, place_state(graph.states), 0)
    for node in places:
        e.use(node)
    text = "\n".join(e.lines)
    if op.name not in ("upow", "spow"):  # which are calls on words
        assert {int(word) for word in re.findall(r"\bi(\d+)\b", text)} <= {1, 8, 16, 32, 64}
    assert not re.search(r"select i1 \S+, i1 |icmp \w+ i1 ", text)


def test_carriers_are_containers() -> None:
    assert [carrier(width) for width in (1, 2, 8, 9, 16, 17, 32, 33, 64)] == [1, 8, 8, 16, 16, 32, 32, 64, 64]
