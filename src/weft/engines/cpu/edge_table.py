"""What a region's program and the code of its edges tell each other while it runs: a table with a row for each edge.

Compiled code counts, and takes samples of the state; the program enters addresses and takes the samples away. Whoever
reads a row while another thread writes it sees an old address or a new one, and both are good; counts are only hints.
All instances of a region share the table, which their contexts name.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

USUAL, LEAN, BEST, EDGES, MISSES, LOST, RING, ROOM, TAKEN, COUNTDOWN, DRAW, SHIFT = range(12)
"""The words of a row:

* `USUAL`, the step that takes no habits for granted; `LEAN`, the one for all situations together, which calls the usual
  one when the state does not keep to its habits; `BEST`, what the step that takes samples calls;
* `EDGES`, how many edges have looked for a situation; `MISSES`, how many of them found none that suited; `LOST`, how
  many did not even keep to the habits;
* `RING`, where samples go; `ROOM`, how many there is room for; `TAKEN`, how many there are;
* `COUNTDOWN`, edges until the next sample; `DRAW`, the state of what draws that number, 64 bits which are shifted right
  by `SHIFT`.
"""

FIRST_SITUATION, MOST_SITUATIONS = 16, 48
"""From which word on the steps for situations are, and the room for them."""

ROW_BYTES = 8 * (FIRST_SITUATION + MOST_SITUATIONS)

MOST_EDGES = 16
"""Regions with more edges have no such code."""


def edge_table(edges: int) -> NDArray[np.uint64]:
    """Return a new table."""
    return np.zeros((edges, ROW_BYTES // 8), np.uint64)
