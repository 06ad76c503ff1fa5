"""What a batch is made with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from weft.base.dataclass import dataclass, field
from weft.base.errors import UserError
from weft.ir.cone_graph import State
from weft.sim.signal_map import SignalMap


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Choose what a batch is; `Simulation.batch` explains the fields. `stages` are the seconds of its compilation."""

    lanes: int
    private: tuple[str, ...] = ()
    messages: str = "error"
    resident: str | bool = False
    max_steps: int = 0
    share_memories: str | bool = "auto"
    pool_bytes: int = 0
    stages: Mapping[str, float] = field(default_factory=dict[str, float])


def check_sharing(share_memories: str | bool, pool_bytes: int) -> None:
    """Raise `bad-option` for what does not say how memories are shared."""
    if share_memories not in ("auto", True, False):
        raise UserError("bad-option", f"share_memories is auto, True or False, not '{share_memories}'")
    if pool_bytes < 0:
        raise UserError("bad-option", f"pool_bytes is a number of bytes, or 0, not {pool_bytes}")


def private_memories(signals: SignalMap, states: Sequence[State], paths: Sequence[str]) -> Collection[int]:
    """Return the states of the memories that lanes do not share."""
    found: set[int] = set()
    for path in paths:
        signal = signals.find(path)
        if signal.memory < 0:
            raise UserError("unknown-signal", f"'{path}' is not kept as a memory, so it cannot be private")
        found |= {signal.memory, states[signal.memory].twin} - {-1}
    return found
