"""The boundary between an engine that runs a cone graph and the simulation that drives it.

An engine turns a 2-state `ConeGraph` into a `Program`. The program owns no state: each call gets the state array. The
present time is the graph's one state of kind `time`; a graph without one can settle but not run.

`run` goes from one clock edge to the next: it sets the time, sets every clock that has an edge then (coincident edges
together, before anything reacts), and runs steps until the design has settled. The first edges considered are those
*after* the present time, so that a run can be continued; the state must be settled when it begins (`settle` after
pokes). At the end only the time state changes. A clock starts at 0, rises at `rise_fs` and every `period_fs` after, and
falls at `fall_fs` and every `period_fs` after. With the defaults (rise at half a period, fall at a whole one) cycle k
ends with the falling edge at time (k + 1) * period.

Every early return happens at a settled time (OSCILLATION apart), so calling again continues: a step with `$finish`,
`$stop` or `$fatal` does not cut its time short. Hooks run at each settled time, all of them, also at one that returns
for another reason; `RunResult.hook` is the first that asked to stop, whatever the status. If several reasons coincide,
the status is OSCILLATION, else EFFECT, else HOOK, else BUFFER.

Hooks are small compiled functions that the run loop calls each time the design has settled: a condition (stop when it
holds), a change detector for traces. They are compiled alone and called through a pointer, so adding one does not
recompile the design. Any engine's run loop can call any engine's hooks.

Effects go to a buffer of bytes that the run loop returns with: a full buffer makes `run` return `Status.BUFFER`, the
caller drains and calls again. An effect record is `u32 effect index, u32 bytes of the whole record, u64 time_fs` and
then, for each argument that is a node, in order, its value in `container_bytes(width)` bytes and, if the effect has
`unknowns`, its unknown plane likewise; nothing is padded but the whole record, with zeros, to 8 bytes. Little-endian.
Immediate effects come in the order of their steps, within one in table order; `postponed` ones that fired in any step
come once, in table order, with the settled values.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.ir.cone_graph import ConeGraph
from weft.ir.layout import StateLayout

StateArray = NDArray[np.uint8]

STOPPING_TASKS = frozenset({"$finish", "$stop", "$fatal"})
"""The system tasks that make `run` and `settle` return `Status.EFFECT`."""


class Status(IntEnum):
    """Say why a run returned."""

    DONE = 0  # the time or cycle limit was reached
    HOOK = 1  # a hook asked to stop; `RunResult.hook` says which
    EFFECT = 2  # a $finish, $stop or $fatal ran; the buffer holds it
    BUFFER = 3  # the effect buffer is nearly full: drain it and call again
    OSCILLATION = 4  # more than STEP_LIMIT steps without settling
    INTERRUPTED = 5  # `interrupt` was called (Ctrl-C)


@dataclass(frozen=True, slots=True)
class Clock:
    """Toggle input state `state` for ever."""

    state: int
    period_fs: int
    rise_fs: int
    fall_fs: int


@dataclass(frozen=True, slots=True)
class RunResult:
    """Say how a run ended, when (`time_fs`), and what the effect buffer now holds."""

    status: Status
    time_fs: int
    effects: bytes = b""
    hook: int = -1


class Hook(Protocol):
    """Be a compiled function that a run calls when the design has settled."""

    @property
    def address(self) -> int:
        """Return the C address: `int32 (state, memories, context)`; non-zero stops the run."""
        ...

    @property
    def context(self) -> int:
        """Return the pointer to pass as `context`; 0 if it needs none."""
        ...


class Program(Protocol):
    """Run a design. Every engine for cone graphs implements this."""

    graph: ConeGraph
    layout: StateLayout

    def settle(self, state: StateArray) -> RunResult:
        """Run steps at the present time until the design has settled (after pokes)."""
        ...

    def run(self, state: StateArray, clocks: Sequence[Clock], until_fs: int, hooks: Sequence[Hook] = ()) -> RunResult:
        """Advance time to `until_fs`, toggling clocks on the way; edges at `until_fs` itself are included."""
        ...

    def condition_hook(self, graph: ConeGraph, node: int) -> Hook:
        """Compile a hook that stops when `node` of `graph` is 1; `graph` has this program's state table."""
        ...

    def evaluate(self, state: StateArray, graph: ConeGraph, nodes: Sequence[int]) -> list[int]:
        """Compute combinational values at the present state; `graph` has this program's state table."""
        ...

    def interrupt(self) -> None:
        """Make a run in another thread return soon with INTERRUPTED."""
        ...
