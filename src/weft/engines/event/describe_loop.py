"""Say which processes run in a design that does not settle."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from weft.base.source import Span
from weft.engines.event.elaborate import Node
from weft.engines.event.records import ACTIVE, CURRENT, FLAG_BATCH, FLAG_HEAP, NODE_FLAGS, NODE_NEXT

if TYPE_CHECKING:
    from weft.engines.event.engine import EventEngine

_MOST = 8
"""So many processes are named: a loop of more is not found sooner by a longer list."""


def describe_loop(engine: EventEngine) -> str:
    """Return what to tell the user: the present time, and the processes that are ready in it."""
    names: list[str] = []
    known = {engine.state + node.base + plan.offset for node, plan in engine.threads}
    place, following = engine.word(CURRENT), engine.word(ACTIVE)
    while place and len(names) < _MOST:
        flags = ctypes.c_uint32.from_address(place + NODE_FLAGS).value
        found: list[tuple[Node, str, Span]] = []
        if flags & FLAG_BATCH:
            gates = engine.netlist.gates_of(place, engine.addresses("run_gates"))
            found = [(node, "assign", gate.span) for node, gate in gates]
        elif place in known or flags & FLAG_HEAP:
            node, plan = engine.process_of(place)
            found = [(node, plan.what, plan.span)]
        for node, what, span in found[:_MOST]:
            names.append(f"{what} in {node.path} ({engine.code.design.design.sources.describe(span)})")
        place, following = following, following and ctypes.c_uint64.from_address(following + NODE_NEXT).value
    listed = "; ".join(dict.fromkeys(names))
    return f"the design did not settle after {engine.max_deltas} delta cycles at time {engine.time}: {listed}"
