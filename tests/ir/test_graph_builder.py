"""The builder shares equal nodes, folds constants in two and four states, and freezes to the columns."""

from weft.ir.cone_graph import State
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE
from weft.ir.verify_graph import verify_graph


def builder_of(width: int, four_state: bool = False) -> GraphBuilder:
    builder = GraphBuilder(four_state=four_state)
    builder.states.append(State("a", width, kind="input"))
    return builder


def test_equal_nodes_are_one_node():
    builder = builder_of(8)
    a = builder.read(0)
    assert builder.add("add", 8, a, builder.const(8, 1)) == builder.add("add", 8, a, builder.const(8, 1))
    assert builder.add("add", 8, a, a) != builder.add("sub", 8, a, a)
    assert builder.const(8, 1) != builder.const(9, 1)


def test_constants_fold():
    builder = builder_of(8)
    total = builder.add("add", 8, builder.const(8, 250), builder.const(8, 10))
    assert builder.value(total) == 4
    assert builder.value(builder.concat([builder.const(4, 0xA), builder.const(4, 0x5)])) == 0x5A
    assert builder.value(builder.read(0)) is None


def test_unknown_bits_are_zero_in_two_states_and_fold_by_the_table_in_four():
    two, four = builder_of(4), builder_of(4, four_state=True)
    assert two.value(two.const(4, 0b1111, 0b0110)) == 0b1001
    unknown = four.const(4, 0b0001, 0b0110)
    assert four.value(unknown) is None
    masked = four.add("and", 4, unknown, four.const(4, 0b1001))
    assert four.value(masked) == 0b0001
    total = four.add("add", 4, unknown, four.const(4, 1))
    assert four.constants[four.param[total]] == (0, 0b1111)
    quotient = four.add("udiv", 4, four.const(4, 6), four.const(4, 0))
    assert four.constants[four.param[quotient]] == (0, 0b1111)


def test_whole_slices_and_single_concats_are_their_sources():
    builder = builder_of(8)
    a = builder.read(0)
    assert builder.slice(a, 0, 8) == a
    assert builder.concat([a]) == a


def test_the_simplify_hook_sees_each_new_node_once():
    seen: list[int] = []

    def simplify(builder: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
        seen.append(op)
        return sources[0] if op == CODE["not"] else None

    builder = GraphBuilder(simplify)
    builder.states.append(State("a", 8, kind="input"))
    a = builder.read(0)
    assert builder.add("not", 8, a) == a
    assert builder.add("not", 8, a) == a
    assert seen == [CODE["read"], CODE["not"]]


def test_freezing_gives_the_columns():
    builder = builder_of(8)
    a = builder.read(0)
    node = builder.add("mux", 8, builder.slice(a, 3, 1), a, builder.const(8, 7))
    graph = builder.freeze()
    verify_graph(graph)
    assert graph.node(node).op == "mux"
    assert [graph.node(source).op for source in graph.sources(node)] == ["slice", "read", "const"]
    assert graph.constant(graph.sources(node)[2]) == (7, 0)
