"""The context block of a batch: what its compiled code and the engine share, in 64-bit words.

Behind a tile's buffer lie masks of lanes (`MASKS` and up): `FIRE`, `HOLDS` (what a guard says), and `STOPS + status`
for each status that stops a lane. They are numbered here as if they were in the context, and reached as
`index - MASKS`.
"""

from __future__ import annotations

STATE = 0  # address of the batch's array
STRIDE = 1  # lanes in a row
FIRST = 2  # row of the slots at which lanes begin
LAST = 3  # row of the slots at which they end
STATUS = 4  # row of bytes: a lane's `LaneStatus`
DONE = 5  # row of the slots at which lanes stopped
COUNTS = 6  # rows of the messages' counters
POOL = 7  # address of the pages of paged memories
PAGES = 8  # address of their header
WORDS = 10
"""From here on: the addresses of the memory planes, then of the rows that a look writes."""

MASKS = 1 << 20
FIRE = MASKS
STOPS = MASKS + 1
"""Plus a `LaneStatus`; `STOPS + 0` is not used."""

HOLDS = MASKS + 8

MASK_WORDS = 9
"""How many masks there are room for."""
