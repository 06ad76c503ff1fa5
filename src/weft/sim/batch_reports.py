"""What a batch can say of itself: how often messages ran, and what its kernels take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.ir.lane_engine import LaneKernel
from weft.ir.lane_program import LaneProgram
from weft.sim.compiled_design import CompiledDesign


def message_counts(
    design: CompiledDesign, program: LaneProgram, counts: NDArray[np.uint32]
) -> dict[str, NDArray[np.uint32]]:
    """Return how often each message ran in each lane, by task and place; `counts` is `[message, lane]`."""
    found: dict[str, NDArray[np.uint32]] = {}
    for number, index in enumerate(program.messages):
        task = design.graph.effects[index].task
        name = f"{task.name} at {design.sources.describe(task.span)}"
        found[name] = found.get(name, np.uint32(0)) + counts[number]
    return found


def kernel_lines(kernels: Mapping[tuple[Any, ...], tuple[LaneProgram, LaneKernel]]) -> list[str]:
    """Return what each kernel that was made takes: registers, local memory, occupancy."""
    lines: list[str] = []
    for (condition, steady, *_), (_, kernel) in kernels.items():
        if kernel.ready:
            what = f"until {condition}" if condition else "cycles"
            rest = "at rest" if steady else "in use"
            lines += [f"kernel for {what}, resets {rest}: {line}" for line in kernel.report()]
    return lines
