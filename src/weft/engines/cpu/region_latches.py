"""Say which latches of a region something reads, and when they follow their inputs.

A latch holds what it last let through. Who reads one sees through it: its logic is `open ? data : held`, so the held
value matters only once the latch has closed, and need not be written before something that it depends on changes. The
state of a region changes in steps. So a latch that no input reaches is *late*: each step has it follow what was before
the step, as one more thing that is committed then, and shares what else the step computes. Latches that inputs reach
follow when those change, and after steps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from weft.base.dataclass import replace
from weft.ir.cone_graph import SETTLE
from weft.ir.region import RegionShape
from weft.ir.step_graph import READ, Specialiser, StepGraph, live_nodes


def edges_only(step: StepGraph, late: Collection[int]) -> StepGraph:
    """Return what edges commit, and the latches `late`."""
    return replace(step, writes=[write for write in step.writes if write.domain != SETTLE or write.state in late])


def latches_only(step: StepGraph, latches: Collection[int]) -> StepGraph:
    """Return what some latches take over."""
    kept = [write for write in step.writes if write.domain == SETTLE and write.state in latches]
    return replace(step, writes=kept, memory_writes=[], triggers=step.triggers[: SETTLE + 1])


def read_latches(step: StepGraph, shape: RegionShape, known: Mapping[int, int]) -> set[int]:
    """Return which latches something reads, where some states are known: edges, outputs, or other such latches."""
    specialiser = Specialiser(step)
    return _read_in(specialiser.run(known, {}), [specialiser.map.get(n, n) for n in (*shape.direct, *shape.through)])


def late_latches(step: StepGraph, shape: RegionShape) -> set[int]:
    """Return the latches that something reads and no input reaches, once all procedures have run."""
    once = dict.fromkeys(shape.once, 1)
    if all(state.kind != "latch" for state in step.states):
        return set()
    specialiser = Specialiser(step)
    begun = specialiser.run(once, {})
    latches = _read_in(begun, [specialiser.map.get(n, n) for n in (*shape.direct, *shape.through)])
    inputs = {number for number, state in enumerate(begun.states) if state.kind == "input"}
    reached = bytearray(len(begun.op))
    for node, sources in enumerate(begun.srcs):
        reached[node] = any(reached[s] for s in sources) or (begun.op[node] == READ and begun.param[node] in inputs)
    writes = [write for write in begun.writes if write.domain == SETTLE]
    return latches - {write.state for write in writes if reached[write.value] or reached[write.enable]}


def _read_in(step: StepGraph, outputs: list[int]) -> set[int]:
    latches = {number for number, state in enumerate(step.states) if state.kind == "latch"}
    found: set[int] = set()
    while True:
        kept = [write for write in step.writes if write.domain != SETTLE or write.state in found]
        live = live_nodes(replace(step, writes=kept, triggers=[*step.triggers, *outputs]))
        reads = {step.param[node] for node, lives in enumerate(live) if lives and step.op[node] == READ}
        more = (reads & latches) - found
        if not more:
            return found
        found |= more
