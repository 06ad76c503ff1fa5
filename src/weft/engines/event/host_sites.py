"""The places in the code that call Python, and how their arguments lie in the buffer that they pass.

An argument takes the words of its bits and, for a 4-state vector, as many of its unknowns; a word value (a real, a
handle) takes one; a memory is passed as the address of its first element. A function's result comes last. Output
arguments and the result are written by Python into the same places.
"""

from __future__ import annotations

from typing import Any

from weft.base.dataclass import dataclass
from weft.base.source import NOWHERE, Span
from weft.ir.design import Signal, Type


@dataclass(frozen=True, slots=True)
class Shape:
    """Describe an argument or result: `kind` is `bits`, `real`, `string`, `handle`, `text`, `memory`, `net` or `none`."""

    kind: str
    width: int = 0
    signed: bool = False
    offset: int = 0
    """Where it begins in the buffer, in words."""
    output: bool = False
    text: str = ""
    signal: Signal | None = None
    path: tuple[str, ...] = ()
    type: Type | None = None
    low: int = -1
    """For bits of `signal` whose strengths may be shown: which is the lowest."""

    @property
    def words(self) -> int:
        """Return the words of one plane."""
        return (self.width + 63) // 64


@dataclass(slots=True)
class HostSite:
    """Be one call of a system task or function. `extra` is what the site's handler wants to remember."""

    name: str
    arguments: list[Shape]
    result: Shape | None
    unit: int
    scope: str = ""
    span: Span = NOWHERE
    process: bool = False
    extra: Any = None
