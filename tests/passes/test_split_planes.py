"""The split planes compute what `ir.four_state` says: values, commits and effects of random 4-state graphs."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from random_graphs import FIRST_CLOCK, random_graph, random_state
from weft.base.dataclass import replace
from weft.engines.reference.program import ReferenceProgram
from weft.ir.cone_graph import STEP_LIMIT, ConeGraph, State
from weft.ir.four_state import EVALUATE4, Pair
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE, mask
from weft.ir.program import Status
from weft.ir.verify_graph import verify_graph
from weft.passes.split_planes import SplitGraph, split_planes

Contents = dict[int, list[Pair]]


def evaluate(graph: ConeGraph, contents: Contents) -> list[Pair]:
    """Return every node's planes by the 4-state table."""
    pairs: list[Pair] = []
    for index, node in enumerate(graph.nodes()):
        if node.op == "const":
            pairs.append(graph.constants[node.param])
        elif node.op == "read":
            pairs.append(contents[node.param][0])
        elif node.op == "memread":
            address, unknown = pairs[node.sources[0]]
            state = graph.states[node.param]
            outside = (0, 0) if state.known else (0, mask(state.width))
            inside = not unknown and address < state.depth
            pairs.append(contents[node.param][address] if inside else outside)
        else:
            widths = [int(graph.width[source]) for source in node.sources]
            function = EVALUATE4[CODE[node.op]]
            assert function is not None
            pairs.append(function([pairs[source] for source in node.sources], widths, node.width, node.param))
        assert max(pairs[-1]) <= mask(node.width), index
    return pairs


def settle(graph: ConeGraph, contents: Contents) -> bool:
    """Run steps on pairs; return whether they settled."""
    for _ in range(STEP_LIMIT):
        pairs = evaluate(graph, contents)
        fired = [pairs[domain.trigger] == (1, 0) for domain in graph.domains]
        for write in graph.writes:
            if fired[write.domain] and pairs[write.enable] == (1, 0):
                contents[write.state] = [store(graph, write.state, pairs[write.value])]
        for write in graph.memory_writes:
            address, unknown = pairs[write.address]
            state = graph.states[write.state]
            if fired[write.domain] and pairs[write.enable] == (1, 0) and not unknown:
                bits, ignored = pairs[write.mask] if write.mask >= 0 else (mask(state.width), 0)
                assert not ignored
                value = store(graph, write.state, pairs[write.value])
                for index in range(address, min(address + write.count, state.depth)):
                    old = contents[write.state][index]
                    contents[write.state][index] = tuple(
                        (o & ~bits) | (v & bits) for o, v in zip(old, value, strict=True)
                    )
        if not any(fired[1:]):
            return True
    return False


def store(graph: ConeGraph, state: int, pair: Pair) -> Pair:
    return (pair[0] & ~pair[1], 0) if graph.states[state].known else pair


def load(split: SplitGraph, program: ReferenceProgram, contents: Contents):
    array = program.layout.allocate()
    for state, elements in contents.items():
        for index, (value, unknown) in enumerate(elements):
            program.layout.write(array, state, value, index)
            if split.graph.states[state].twin >= 0:
                program.layout.write(array, split.graph.states[state].twin, unknown, index)
    return array


def contents_of(graph: ConeGraph, random: Random) -> Contents:
    values, unknowns = random_state(graph, random), random_state(graph, random)
    contents: Contents = {}
    for state, elements in values.items():
        known = graph.states[state].known or random.random() < 0.5
        contents[state] = [(value, 0 if known else x) for value, x in zip(elements, unknowns[state], strict=True)]
    contents[0] = [(0, 0)]
    return contents


@given(st.integers(0, 1 << 32), st.integers(1, 60))
def test_the_planes_of_random_graphs(seed: int, size: int):
    graph = random_graph(seed, size, four_state=True)
    random = Random(seed)
    for state in range(FIRST_CLOCK, len(graph.states)):
        if random.random() < 0.2:
            graph.states[state] = replace(graph.states[state], known=True)
    split = split_planes(graph)
    verify_graph(split.graph)
    program = ReferenceProgram(split.graph)
    for _ in range(3):
        contents = contents_of(graph, random)
        array = load(split, program, contents)
        found = program.evaluate(array, split.graph, [*split.values.tolist(), *split.unknowns.tolist()])
        pairs = list(zip(found[: len(graph)], found[len(graph) :], strict=True))
        assert pairs == evaluate(graph, contents)
        settled = settle(graph, contents)
        assert (program.settle(array).status == Status.DONE) == settled
        assert bytes(array) == bytes(load(split, program, contents))


def test_states_scopes_and_effects_get_their_planes():
    split = split_planes(random_graph(3, 30, four_state=True))
    graph = split.graph
    for index, state in enumerate(graph.states):
        if state.plane == "value":
            twin = graph.states[state.twin]
            assert (twin.plane, twin.twin, twin.width, twin.depth) == ("unknown", index, state.width, state.depth)
    by_name = {state.name: state for state in graph.states if state.plane == "value"}
    unwritten = next(state for state in by_name.values() if state.kind == "input" and state.name.startswith("in"))
    assert (unwritten.initial, graph.states[unwritten.twin].initial) == (0, mask(unwritten.width))
    assert graph.states[by_name["clk0"].twin].initial == 0
    effect = next(effect for effect in graph.effects if len(effect.args) > 1)
    assert len(effect.unknowns) == len(effect.args)
    assert effect.unknowns[0] == -1
    scope = graph.scopes[0]
    assert scope.unknowns is not None
    assert scope.unknowns[-1] == -1
    assert graph.states[-2 - scope.unknowns[-2]].plane == "unknown"


def test_known_logic_costs_nothing():
    """Logic on variables of 2-state types has no unknown planes at all."""
    builder = GraphBuilder(four_state=True)
    builder.states += [State("a", 8, kind="input", known=True), State("b", 8, kind="input", known=True)]
    a, b = builder.read(0), builder.read(1)
    total = builder.add("add", 8, a, b)
    builder.add("mux", 8, builder.add("eq", 1, a, total), builder.add("xor", 8, b, total), a)
    graph = builder.freeze()
    split = split_planes(graph)
    zeros = 2  # the constant 0 of 8 bits and of 1 bit
    assert len(split.graph) == len(graph) + zeros


@pytest.mark.parametrize("op", ["posedge", "negedge"])
def test_edges_of_known_clocks_stay_edges(op: str):
    builder = GraphBuilder(four_state=True)
    builder.states += [State("clk", 1, kind="input", known=True), State("before", 1, kind="sample", known=True)]
    edge = builder.add(op, 1, builder.read(1), builder.read(0))
    split = split_planes(builder.freeze())
    assert split.graph.node(int(split.values[edge])).op == op
