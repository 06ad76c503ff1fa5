"""The words by which `$assertoff` and its like control assertions (IEEE 1800-2023 20.11).

The front end makes a word for each assertion, compiled code looks at it, and the system tasks change it. Its lowest
bits say that the assertion is off, that it does no pass or no fail actions, and that its state is locked; the bits from
`KILLS` on count how often its attempts have been killed.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.ir.expressions import Signal

OFF, PASSES_OFF, FAILS_OFF, LOCKED = range(4)
KILLS = 8

CONCURRENT, SIMPLE, DEFERRED, FINAL, EXPECT = (1 << n for n in range(5))
VIOLATIONS = 0xE0
"""The bits of the types of assertion in table 20-6; the last are those of `unique`, `unique0` and `priority`."""

DIRECTIVES = {"assert": 1, "cover": 2, "assume": 4}

_STEM = "$control$"


@dataclass(frozen=True, slots=True, eq=False)
class AssertionControl:
    """Be the word of one assertion: its path below the instance, its bits of table 20-6 and 20-7, and its variable."""

    scope: str
    kind: int
    directive: int
    signal: Signal


def control_name(name: str) -> str:
    """Return how the name of a control's variable begins."""
    return f"{_STEM}{name}"


def is_control(signal: Signal) -> bool:
    """Say whether a signal is such a word, so that `@*` does not look at it."""
    return signal.name.startswith(_STEM)
