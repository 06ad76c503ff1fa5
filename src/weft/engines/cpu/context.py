"""The context block: what compiled code and the program share besides the state, one per program.

The block begins with 64-bit words at the indices below; one byte for each effect follows at `PENDING` (a postponed
effect that has fired), then the scratch area, in which kernels keep wide values and values that cross kernels.
"""

from __future__ import annotations

EFFECT_AT = 0  # where the next effect record goes
EFFECT_NEAR = 1  # beyond this the buffer counts as full
STOP = 2  # a $finish, $stop or $fatal ran
INTERRUPT = 3  # `interrupt` was called
HOOKS = 4  # number of hooks
HOOK_TABLE = 5  # pairs (function, context)
HOOK_STOPPED = 6  # index of the first hook that asked to stop, or -1
EDGES = 7  # number of entries of the edge table
EDGE_TABLE = 8  # rows of EDGE_WORDS words
POSTPONED = 9  # a postponed effect has fired
SETTLE = 10  # the general function that settles the design
POSTPONED_FUNCTION = 11  # writes the records of the postponed effects that have fired, or 0
TIME_OFFSET = 12  # byte offset of the time state
BUDGET = 13  # edge times until a slice ends; after a call, how many of them are left
FIRED = 14  # whether the present step fired a domain
EDGE_HABITS = 15  # of a region's instance: the table of its edges (`edge_table`)

PENDING = 256
"""Byte offset of the pending flags."""

EDGE_NEXT, EDGE_PERIOD, EDGE_STATE, EDGE_LEVEL, EDGE_FUNCTION, EDGE_USUAL, EDGE_WORDS = range(7)
"""An edge: next time, period, byte offset of the clock, new level, phase function, and the one to call if that misses.
"""


def scratch_offset(effects: int) -> int:
    """Return the byte offset of the scratch area."""
    return (PENDING + effects + 63) & ~63
