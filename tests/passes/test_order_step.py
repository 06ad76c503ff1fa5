"""Branches only leave out what does not matter, and stores come when their old values have been read."""

from random import Random

import pytest

from lane_steps import StepRun
from random_graphs import random_graph, random_state
from weft import Unsupported
from weft.ir.lane_program import LaneBranch
from weft.ir.ops import mask
from weft.passes.build_lane_program import build_lane_program
from weft.passes.simplify_nodes import simplify_two_state


def run(graph, random_seed, branch_cost):
    """Run the general step of a graph's program on random states; return words, memories and events."""
    program = build_lane_program(graph, count_messages=True, branch_cost=branch_cost)
    found = []
    random = Random(random_seed)
    for _ in range(12):
        state = random_state(graph, random)
        state.update({n: [0] for n, each in enumerate(graph.states) if each.kind == "time"})
        words = [state[w.state][0] >> 64 * w.word & mask(w.width) for w in program.words]
        memories = [[each >> 64 * m.word & mask(m.width) for each in state[m.state]] for m in program.memories]
        done = StepRun(program.general, words, memories)
        found.append((words, memories, done.events))
    return found, program.general


@pytest.mark.parametrize("seed", range(12))
def test_branches_change_nothing(seed):
    graph = random_graph(seed, 50, simplify=simplify_two_state)
    try:
        results = [run(graph, seed, cost) for cost in (1, 10**9)]
    except Unsupported:
        pytest.skip("the graph has an operation that is too wide")
    (with_branches, step), (without, plain) = results
    assert with_branches == without
    assert not any(isinstance(item, LaneBranch) for item in plain.sequence)
    assert len(step.nodes) == len(plain.nodes)
