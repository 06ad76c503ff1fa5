"""Lane programs of a design, kept in the design cache.

Building one takes ten times as long as reading it back, and was a third of a batch's start from an archive. Its key has
the design's digest, which stands for its graph, the version of this compiler, and all else that decides the program.
Programs for habits, and for inputs that a plan drives, are not kept: what they depend on is as large as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from weft.ir.cone_graph import ConeGraph
from weft.ir.lane_program import LaneProgram, LaneStep
from weft.ir.program import Clock
from weft.passes.drive_inputs import DrivePlan
from weft.sim.build_condition import Condition
from weft.sim.compiled_design import CompiledDesign
from weft.sim.design_cache import DesignCache, compiler_version, hash_words


def lane_program(
    design: CompiledDesign,
    clocks: Sequence[Clock],
    *,
    steady: Mapping[int, int] | None,
    until: str,
    condition: Condition | None,
    private: Collection[int],
    count_messages: bool,
    habits: Mapping[int, int] | None,
    drive: DrivePlan | None,
    paged: Collection[int] = (),
) -> LaneProgram:
    """Return the program of a design; `until` is the text of the condition. See `passes.build_lane_program`."""

    def build() -> LaneProgram:
        from weft.passes.build_lane_program import build_lane_program  # a start from the cache does without it

        return build_lane_program(
            design.graph,
            clocks,
            steady=steady,
            condition=(condition.graph, condition.node) if condition is not None else None,
            private=private,
            count_messages=count_messages,
            habits=habits,
            drive=drive,
            paged=paged,
        )

    if not design.digest or habits is not None or drive is not None:
        return build()
    resets = sorted(steady.items()) if steady is not None else None
    parts = (tuple(clocks), resets, sorted(private), count_messages, sorted(paged))
    key = hash_words(["lane program", compiler_version(), design.digest, until, repr(parts)])
    store = DesignCache()
    program = store.load(key, LaneProgram)
    if program is None:
        program = build()
        program.key = key
        store.store(key, program, design.tops, kind="program")
    return program


def lane_look(program: LaneProgram, graph: ConeGraph, nodes: Sequence[int]) -> LaneStep:
    """Return a step that outputs the words of some nodes of a graph with the program's state table, in order."""
    from weft.passes.build_lane_program import build_look

    return build_look(program, graph, nodes)
