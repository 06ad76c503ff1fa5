"""A machine with a few states, as the step of a cone graph, and what a step commits."""

from __future__ import annotations

from weft.ir.cone_graph import Domain, State, Write
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import OPS
from weft.ir.step_graph import CONST, LOOKUP, READ, StepGraph, live_nodes, step_graph

STATE, FLAG, VALUES = 0, 1, (1, 2, 4, 8)


def machine() -> StepGraph:
    """Return a machine with four states, each of which adds to some of eight registers; a flag decides one bit."""
    builder = GraphBuilder()
    builder.states += [State("state", 4), State("flag", 1), *(State(f"r{n}", 8) for n in range(8))]
    one = builder.const(1, 1)
    builder.domains.append(Domain("posedge clk", one))
    state, flag = builder.read(STATE), builder.read(FLAG)
    here = [builder.add("eq", 1, state, builder.const(4, value)) for value in VALUES]
    for n in range(8):
        old = builder.read(2 + n)
        second = here[(n + 1) % 4]
        used = [here[n % 4], second if n else builder.add("and", 1, second, flag)]
        values = [builder.add("add", 8, builder.add("mul", 8, old, old), builder.read(2 + (n + k) % 8)) for k in (1, 2)]
        value = builder.add("mux", 8, used[0], values[0], builder.add("mux", 8, used[1], values[1], old))
        builder.writes.append(Write(2 + n, value, builder.add("or", 1, *used), 1))
    following = builder.add("concat", 4, builder.slice(state, 3, 1), builder.slice(state, 0, 3))
    builder.writes.append(Write(STATE, following, one, 1))
    return step_graph(builder.freeze())


def evaluate_step(step: StepGraph, reads: dict[int, int]) -> list[int]:
    """Evaluate the live nodes of a step."""
    values = [0] * len(step.op)
    for node, lives in enumerate(live_nodes(step)):
        if not lives:
            continue
        op, sources = step.op[node], step.srcs[node]
        if op == CONST:
            values[node] = step.constants[step.param[node]][0]
        elif op == READ:
            values[node] = reads[step.param[node]]
        elif op == LOOKUP:
            table, value = step.tables[step.param[node]], values[sources[0]]
            index = place = 0
            for bit in range(64):
                if table.bits >> bit & 1:
                    index |= (value >> bit & 1) << place
                    place += 1
            values[node] = table.entries[index]
        else:
            evaluate = OPS[op].evaluate
            assert evaluate is not None
            widths = [step.width[source] for source in sources]
            values[node] = evaluate([values[s] for s in sources], widths, step.width[node], step.param[node])
    return values


def commit(step: StepGraph, reads: dict[int, int]) -> dict[int, int]:
    """Return the states after a step."""
    values = evaluate_step(step, reads)
    return reads | {write.state: values[write.value] for write in step.writes if values[write.enable]}
