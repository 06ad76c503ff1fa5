"""Evaluate a cone: the nodes that some targets need, in id order, each by its row of the op table.

A cone is planned once (which nodes, their functions, sources and widths) and then evaluated at any state. Reading goes
through `StateLayout` slots, so the reference engine sees the very bytes that compiled engines see.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from weft.ir.cone_graph import ConeGraph
from weft.ir.layout import Slot, StateLayout
from weft.ir.ops import CODE, OPS, Evaluate

_CONST, _READ, _MEMREAD = CODE["const"], CODE["read"], CODE["memread"]


def needed_nodes(graph: ConeGraph, targets: Iterable[int]) -> list[int]:
    """Return the nodes that `targets` depend on, themselves included, ascending."""
    wanted = np.zeros(len(graph), np.bool_)
    stack = [target for target in targets if target >= 0]
    wanted[stack] = True
    starts, srcs = graph.start.tolist(), graph.src.tolist()
    while stack:
        node = stack.pop()
        for source in srcs[starts[node] : starts[node + 1]]:
            if not wanted[source]:
                wanted[source] = True
                stack.append(source)
    return np.flatnonzero(wanted).tolist()


class Cone:
    """Compute the values of some nodes of a 2-state graph at a given state."""

    def __init__(self, graph: ConeGraph, layout: StateLayout, targets: Iterable[int]) -> None:
        self._values = [0] * len(graph)
        self._reads: list[tuple[int, Slot]] = []
        self._steps: list[tuple[int, Evaluate | None, list[int], list[int], int, int, Slot | None]] = []
        ops, widths_of, params = graph.op.tolist(), graph.width.tolist(), graph.param.tolist()
        starts, sources_of = graph.start.tolist(), graph.src.tolist()
        for node in needed_nodes(graph, targets):
            op, width, param = ops[node], widths_of[node], params[node]
            if op == _CONST:
                self._values[node] = graph.constants[param][0]
            elif op == _READ:
                self._reads.append((node, layout.slots[param]))
            else:
                sources = sources_of[starts[node] : starts[node + 1]]
                slot = layout.slots[param] if op == _MEMREAD else None
                widths = [widths_of[source] for source in sources]
                self._steps.append((node, OPS[op].evaluate, sources, widths, width, param, slot))

    def evaluate(self, state: NDArray[np.uint8]) -> list[int]:
        """Return the values by node id; those outside the cone are meaningless, and the next call overwrites them."""
        values, data = self._values, state.data
        for node, slot in self._reads:
            values[node] = int.from_bytes(data[slot.offset : slot.offset + slot.stride], "little")
        for node, function, sources, widths, width, param, slot in self._steps:
            arguments = [values[source] for source in sources]
            if slot is not None:
                values[node] = _read_element(data, slot, arguments[0])
            else:
                assert function is not None
                values[node] = function(arguments, widths, width, param)
        return values


def _read_element(data: memoryview, slot: Slot, index: int) -> int:
    if index >= slot.depth:
        return 0
    at = slot.offset + index * slot.stride
    return int.from_bytes(data[at : at + slot.stride], "little")
