"""What a batch is made with."""

from __future__ import annotations

from weft.base.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Choose what a batch is; `Simulation.batch` explains the fields."""

    lanes: int
    private: tuple[str, ...] = ()
    messages: str = "error"
    resident: str | bool = False
