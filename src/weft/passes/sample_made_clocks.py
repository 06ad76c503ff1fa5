"""Let assertions whose clock is made by a register sample what was there when the time began (IEEE 1800-2023 16.5.1).

The edge of such a clock comes a step after the edge of the clock that the register waits for, when others have changed
as well (`clock_assertions`). So a latch follows what is sampled, open while no process runs: it keeps the values that
had settled before the first edge of the time. In the step of the late edge the assertion's variables take those.

A clock gate with a latch is no such clock: the latch is closed while the clock is high, and the gate while it is low.
"""

from __future__ import annotations

import numpy as np

from weft.base.dataclass import replace
from weft.base.errors import Unsupported
from weft.ir.cone_graph import SETTLE, ConeGraph, State, Write
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE
from weft.ir.step_graph import Specialiser, StepGraph, cone, step_graph
from weft.passes.clock_assertions import is_read_tick, is_sampled, is_tick
from weft.passes.rebuild_graph import move_sinks

_CONST, _READ, _MEMREAD = CODE["const"], CODE["read"], CODE["memread"]


def sample_made_clocks(graph: ConeGraph) -> ConeGraph:
    """Return the graph with values of before for assertions whose clock has edges when registers change.

    Raises `Unsupported` where a procedure with such a clock reads sampled values, or whole memories are sampled.
    """
    names = [state.name for state in graph.states]
    ticks = [write for write in graph.writes if is_tick(names[write.state]) and write.domain != SETTLE]
    step = step_graph(graph) if ticks else None
    made = {write.domain for write in ticks if step is not None and _follows_registers(graph, step, write.domain)}
    if not made:
        return graph
    for write in ticks:
        if write.domain in made and is_read_tick(names[write.state]):
            what = "a sampled value in a procedure whose clock is made by a register (it needs the event engine)"
            raise Unsupported(what, graph.states[write.state].span)
    for write in graph.memory_writes:
        if write.domain in made and is_sampled(names[write.state]):
            what = "a sampled memory at a clock that is made by a register (it needs the event engine)"
            raise Unsupported(what, graph.states[write.state].span)
    return _keep_before(graph, made)


def _follows_registers(graph: ConeGraph, step: StepGraph, domain: int) -> bool:
    """Say whether a trigger may depend on registers while the input that is its clock keeps its level."""
    made = {write.state for write in graph.writes if write.domain != SETTLE}
    reads = _reads(step, domain)
    if not reads & made:
        return False
    inputs = [state for state in reads if graph.states[state].kind == "input" and graph.states[state].width == 1]
    return not any(
        all(not _reads(Specialiser(step).run({clock: level}, {}), domain) & made for level in (0, 1))
        for clock in inputs
    )


def _reads(step: StepGraph, domain: int) -> set[int]:
    """Return the states that a trigger looks at."""
    needed = cone(step, [step.triggers[domain]], set())
    return {step.param[node] for node in needed if step.op[node] in (_READ, _MEMREAD)}


def _keep_before(graph: ConeGraph, made: set[int]) -> ConeGraph:
    """Add the latches, and let what is sampled in these domains come from them."""
    builder = GraphBuilder(None, graph.four_state)
    builder.states = [*graph.states]
    moved: list[int] = []
    for node, (op, width, param) in enumerate(
        zip(graph.op.tolist(), graph.width.tolist(), graph.param.tolist(), strict=True)
    ):
        if op == _CONST:
            moved.append(builder.const(width, *graph.constants[param]))
        else:
            moved.append(builder.node(op, width, tuple(moved[source] for source in graph.sources(node)), param))
    move_sinks(graph, builder, np.array(moved, np.int32))
    runs = builder.const(1, 0)
    for number, domain in enumerate(builder.domains):
        if number != SETTLE:
            runs = builder.add("or", 1, runs, domain.trigger)
    settled, always = builder.add("not", 1, runs), builder.const(1, 1)
    latches: dict[int, int] = {}
    for at, write in enumerate(builder.writes):
        sampled = builder.states[write.state]
        if write.domain not in made or not is_sampled(sampled.name):
            continue
        latch = latches.get(write.value)
        if latch is None:
            latch = latches[write.value] = len(builder.states)
            builder.states.append(
                State(f"{sampled.name}$before", sampled.width, 0, "latch", sampled.initial, known=sampled.known)
            )
        builder.writes[at] = replace(write, value=builder.read(latch))
    for value, latch in latches.items():
        follow = builder.add("mux", builder.width[value], settled, value, builder.read(latch))
        builder.writes.append(Write(latch, follow, always, SETTLE))
    return builder.freeze()
