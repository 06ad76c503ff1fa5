"""Steps of regions that have been computed and wait to be committed, as kernels (`code_regions`).

Each is a block of memory: the address of the next one, then the context in which its values are. They are committed in
the order of their edges.
"""

from __future__ import annotations

from weft.engines.event.kernel_language import kernel, malloc, u64
from weft.ir.region import REGION_HELD, REGION_ROOM

HELD_CONTEXT = 16
"""Where a block's context begins."""


@kernel
def region_hold(record: int) -> int:
    """Add a block to a region's list; return it."""
    made = malloc(HELD_CONTEXT + u64[record + REGION_ROOM])
    u64[made] = 0
    last = record + REGION_HELD
    while u64[last] != 0:
        last = u64[last]
    u64[last] = made
    return made


@kernel
def region_take(record: int) -> int:
    """Take the first block off a region's list; return it, or 0 if there is none."""
    first = u64[record + REGION_HELD]
    if first != 0:
        u64[record + REGION_HELD] = u64[first]
    return first
