"""What a covergroup counts, for those who report it (IEEE 1800-2023 clause 19).

A covergroup is a class, whose instances a queue lists; its bins are properties that count. This says which property is
which, so that coverage can be computed from the objects while or after a simulation runs.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.ir.expressions import Signal


@dataclass(frozen=True, slots=True, eq=False)
class CoverPart:
    """Be a coverpoint or cross: its bins by name, and its options as properties of the object."""

    name: str
    kind: str
    bins: tuple[tuple[str, Signal], ...]
    options: dict[str, Signal]


@dataclass(frozen=True, slots=True, eq=False)
class CoverGroup:
    """Be a covergroup: its path below the module, the queue of its instances, its options and those of its type."""

    name: str
    instances: Signal
    parts: tuple[CoverPart, ...]
    options: dict[str, Signal]
    type_options: dict[str, Signal]
