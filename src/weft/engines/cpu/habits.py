"""What has been seen of a design's states while it ran: what speculative code is made for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from weft.base.dataclass import dataclass, field
from weft.engines.cpu.situations import Situation


@dataclass(frozen=True, slots=True)
class Habits:
    """Say what states do: `known` have one value, `varied` few, each with the number of samples that had it.

    More is known in each of the `situations`, which stand in the order in which code for them is worth its compilation;
    `lean_at` says how many of them come before the code for all of them together.
    """

    known: Mapping[int, int]
    varied: Mapping[int, Mapping[int, int]] = field(default_factory=dict[int, dict[int, int]])
    situations: tuple[Situation, ...] = ()
    lean_at: int = 0

    def describe(self) -> str:
        """Return what names code that is made for these habits."""
        varied = [(state, sorted(counts.items())) for state, counts in sorted(self.varied.items())]
        return hashlib.sha256(repr((sorted(self.known.items()), varied)).encode()).hexdigest()[:16]
