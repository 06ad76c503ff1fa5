"""The engine protocol: what a simulation asks of whatever executes the design (ARCHITECTURE section 1).

`CycleEngine` implements it for cone graphs; the event engine and the GPU engines implement the same, so that
`Simulation`, checkpoints, traces and the command line work with each. Values cross this boundary as two ints, the
value and the unknown plane (`base.logic`).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from weft.base.dataclass import dataclass
from weft.sim.build_condition import Condition
from weft.sim.run_effects import Outcome
from weft.sim.signal_map import Found

Planes = tuple[int, int]


class Stop(Enum):
    """Say why time stopped advancing."""

    TIME = "time"  # the asked time was reached
    CONDITION = "condition"  # the condition holds
    FINISH = "finish"  # the design called $finish or $fatal
    STOP = "stop"  # the design called $stop, or someone called `stop`


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Hold everything that a design remembers at a settled time.

    `state` is in the layout of `ir.layout`; of an event simulation it is a copy of its arena, and `host` has what is
    remembered in Python.
    """

    design: str
    time_fs: int
    state: bytes
    outcome: Outcome
    host: object = None


class Engine(Protocol):
    """Execute a design."""

    @property
    def time_fs(self) -> int:
        """Return the present time in femtoseconds."""
        ...

    @property
    def outcome(self) -> Outcome:
        """Return what the design has said about itself: finished, errors."""
        ...

    def get(self, signal: Found) -> Planes:
        """Return a signal's settled value."""
        ...

    def set(self, signal: Found, value: Planes) -> None:
        """Set an input or variable; its effects are seen at the next `get`, `step` or run."""
        ...

    def force(self, signal: Found, value: Planes) -> None:
        """Hold a signal at a value, whatever drives it."""
        ...

    def release(self, signal: Found) -> None:
        """End a force; a variable keeps the forced value until it is next assigned (IEEE 1800-2023 10.6.2)."""
        ...

    def step(self) -> Stop:
        """Advance to the next scheduled event and settle."""
        ...

    def run_until(self, time_fs: int, condition: Condition | None = None) -> Stop:
        """Advance to a time, or until a condition holds at a settled time."""
        ...

    def watch(self, signal: Found, callback: Callable[[Planes], None]) -> int:
        """Call `callback` each time a signal has changed at a settled time; return a number for `unwatch`."""
        ...

    def unwatch(self, number: int) -> None:
        """End a watch."""
        ...

    def stop(self) -> None:
        """Make the run in progress return at the next settled time; may be called from a callback or a thread."""
        ...

    def checkpoint(self) -> Checkpoint:
        """Return a copy of everything that the design remembers."""
        ...

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to a checkpoint of the same design."""
        ...
