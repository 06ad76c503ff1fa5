"""Which latches of a region follow in its steps, and that equal constants are one node when a step is specialised."""

from __future__ import annotations

from weft.engines.cpu.region_latches import edges_only, late_latches, read_latches
from weft.ir.cone_graph import Domain, State, Write
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE
from weft.ir.region import RegionShape
from weft.ir.step_graph import Specialiser, step_graph

GATE, INPUT, STATE, NEAR, FAR, UNREAD, RAN = range(7)


def _builder() -> GraphBuilder:
    builder = GraphBuilder()
    kinds = ("register", "input", "register", "latch", "latch", "latch", "latch")
    builder.states = [State(kind, 1, 0, kind, 0) for kind in kinds]
    one = builder.const(1, 1)
    builder.domains = [Domain("settle", one), Domain("clk", one)]
    return builder


def test_late_latches_are_those_that_no_input_reaches_once_procedures_have_run() -> None:
    builder = _builder()
    gate, given, state, near, far, ran = (builder.read(n) for n in (GATE, INPUT, STATE, NEAR, FAR, RAN))

    def mux(condition: int, then: int, other: int) -> int:
        return builder.node(CODE["mux"], 1, (condition, then, other))

    # Until `RAN` is 1, the input decides what `NEAR` takes over.
    near_value = mux(gate, mux(ran, state, given), near)
    far_value = mux(gate, given, far)
    one = builder.const(1, 1)
    builder.writes = [
        Write(NEAR, near_value, one, 0),
        Write(FAR, far_value, one, 0),
        Write(UNREAD, state, one, 0),
        Write(RAN, one, given, 0),
        Write(STATE, builder.node(CODE["xor"], 1, (near_value, far_value)), one, 1),
    ]
    step = step_graph(builder.freeze())
    shape = RegionShape((), (), (), (), (RAN,))
    assert read_latches(step, shape, {RAN: 1}) == {NEAR, FAR}
    assert read_latches(step, shape, {}) == {NEAR, FAR, RAN}
    assert late_latches(step, shape) == {NEAR}
    assert [write.state for write in edges_only(step, {NEAR}).writes] == [NEAR, STATE]


def test_equal_constants_are_one_node() -> None:
    builder = _builder()
    one = builder.const(1, 1)
    chosen = builder.node(CODE["mux"], 1, (builder.read(GATE), one, builder.read(RAN)))
    builder.writes = [Write(STATE, chosen, one, 1)]
    step = Specialiser(step_graph(builder.freeze())).run({RAN: 1}, {})
    assert step.constant(step.writes[0].value) == 1
