"""Take the cone of a few nodes out of a graph, for small functions such as the one that computes a value to look at.

A large graph's columns take longer to copy than such a function takes to compile; its cone is found by walking back
from the nodes.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.ir.cone_graph import ConeGraph
from weft.ir.step_graph import StepGraph


def cone_step(graph: ConeGraph, nodes: Sequence[int]) -> tuple[StepGraph, list[int]]:
    """Return a step without sinks that computes some nodes, and their numbers in it. Linear in the size of the cone."""
    start, src = graph.start, graph.src
    sources: dict[int, list[int]] = {}
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if node not in sources:
            sources[node] = src[start[node] : start[node + 1]].tolist()
            stack.extend(sources[node])
    order = sorted(sources)
    place = {node: number for number, node in enumerate(order)}
    step = StepGraph(
        op=graph.op[order].tolist(),
        width=graph.width[order].tolist(),
        param=graph.param[order].tolist(),
        srcs=[tuple([place[source] for source in sources[node]]) for node in order],
        constants=graph.constants,
        states=graph.states,
        triggers=[],
        writes=[],
        memory_writes=[],
        effects=[],
    )
    return step, [place[node] for node in nodes]
