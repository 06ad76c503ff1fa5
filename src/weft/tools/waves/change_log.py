"""The change log: what compiled change detection writes and the wave writers read.

The log is a run of 32-bit little-endian words. A record is either

* `TIME, low, high`: simulation time moves to this many femtoseconds, or
* `index, value...[, unknown...]`: signal number `index` has a new value, in one word if it has at most 32 bits, else in
  as many 64-bit words as it needs; a 4-state signal's unknown plane follows in the same size.

Nothing is ever formatted per change in Python: the writers turn whole logs into file text with the kernels of
`value_kernels`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass

TIME = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class LoggedSignal:
    """Describe one signal of a log: its width in bits and whether an unknown plane follows its value.

    A `real` is in no log; it has 64 bits, those of a double, and only FST sections that are made elsewhere hold it.
    """

    width: int
    four_state: bool = False
    real: bool = False

    @property
    def plane_words(self) -> int:
        """Return the size of one plane in 32-bit words."""
        return 1 if self.width <= 32 else (self.width + 63) // 64 * 2

    @property
    def record_words(self) -> int:
        """Return the size of a change record in 32-bit words, its index included."""
        return 1 + self.plane_words * (2 if self.four_state else 1)


def signal_table(signals: Sequence[LoggedSignal]) -> NDArray[np.uint32]:
    """Return the kernels' table: a row of (width, plane words, record words, four state) for each signal."""
    rows = [(s.width, s.plane_words, s.record_words, int(s.four_state)) for s in signals]
    return np.array(rows, np.uint32).reshape(-1, 4)
