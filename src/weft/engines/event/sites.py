"""What a unit asks of the memory of its instances: wait sites with their watches, and threads that run from the
start.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass, field
from weft.base.source import NOWHERE, Span
from weft.engines.event.layout import FrameLayout
from weft.engines.event.records import WATCH_ANY
from weft.ir.expressions import Ref, Signal


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """Look at bits `low` to `high` of a signal; `code` names the function that decides, for `WATCH_EVALUATE`."""

    ref: Ref
    kind: int
    low: int
    high: int
    code: str = ""

    @property
    def is_part(self) -> bool:
        """Say whether it looks for any change of bits that are not all of the signal's."""
        return bool(self.kind & WATCH_ANY) and (self.low > 0 or self.high < self.ref.signal.bits)


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """Be a wait site: its list's offset in the block, and its watches."""

    offset: int
    watches: tuple[Watch, ...]


@dataclass(slots=True, eq=False)
class ThreadPlan:
    """Be a thread that each instance has from the start.

    `order` says when it first runs: -2 what waits to sample or to check, -1 always procedures that wait for changes of
    levels, 0 continuous assignments, 1 what others start, 2 other procedures, 3 `always_comb`; `flags` are those of its
    node; `site` is where it waits instead, if it does. One that is not `started` is run by others.
    """

    offset: int
    symbol: str
    order: int
    frame: FrameLayout | None = None
    site: int | None = None
    started: bool = True
    flags: int = 0
    what: str = ""
    span: Span = NOWHERE
    scope: str = ""
    words: tuple[tuple[Ref | None, int], ...] = ()
    """What lies behind a short node: addresses so many bytes behind a signal, or plain numbers."""
    extra: list[int] = field(default_factory=list[int])
    rereads: frozenset[Signal] | None = field(default_factory=frozenset[Signal])
    """The signals whose changes start the process again (`code_races`); None: all that it reads."""
    whole: bool = False
    """Whether the node is of full size, so that it can draw random numbers."""
    seed: str = ""
    """What tells its first random state from those of the module's other threads."""
