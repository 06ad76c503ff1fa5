"""Batches of gates and of their changes, as kernels (`kernel_language`, `netlist_records`): what is due at once.

Batches keep the order of the general path: an entry is added to a batch only while nothing else has been put behind
that batch, into the active list or at any time into the wheel. Else a new batch is begun. So everything runs in the
order in which it would run if each gate and change were a node. Batches that have been done are kept for later.
"""

from __future__ import annotations

from weft.engines.event.kernel_language import apart, inlined, kernel, malloc, memset, realloc, u32, u64
from weft.engines.event.list_kernels import append, unlink
from weft.engines.event.netlist_records import (
    AREA_DUE,
    AREA_RUN_CHANGES,
    AREA_RUN_GATES,
    BATCH_END,
    BATCH_ENTRIES,
    BATCH_LIMIT,
    BATCH_SIZE,
    BATCHES_FREE,
    GENERATION_AT,
    NETLIST,
    WOKEN,
)
from weft.engines.event.records import (
    ACTIVE,
    DUE_BATCH,
    DUE_BITS,
    DUE_HASH,
    DUE_SIZE,
    DUE_TIME,
    EVENTS_LEFT,
    FLAG_BATCH,
    LAST_EVENT,
    LIST_TAIL,
    NODE_CODE,
    NODE_FLAGS,
    NODE_NEXT,
    NODE_TIME,
    TIME,
)
from weft.engines.event.wheel_kernels import put_into_wheel

# pyright: reportUnusedFunction=false

ROOM = 448
"""The bytes for the first entries of a batch; what follows is twice as much each time."""
AHEAD = 8
"""How many bytes the room of a batch ends before its end: an entry is written before it is known whether it is kept."""


@kernel
def batch_new(code: int, state: int) -> int:
    """Return an empty batch."""
    batch = u64[state + BATCHES_FREE]
    if batch:
        u64[state + BATCHES_FREE] = u64[batch + NODE_NEXT]
    else:
        batch = malloc(BATCH_SIZE)
        memset(batch, 0, BATCH_SIZE)
        room = malloc(ROOM)
        u64[batch + BATCH_ENTRIES] = room
        u64[batch + BATCH_LIMIT] = room + ROOM - AHEAD
        memset(room, 0, ROOM)
    u64[batch + NODE_CODE] = code
    u32[batch + NODE_FLAGS] = FLAG_BATCH
    u64[batch + BATCH_END] = u64[batch + BATCH_ENTRIES]
    return batch


@kernel
def batch_free(batch: int, state: int) -> int:
    """Keep a batch that has been done for later."""
    u64[batch + NODE_NEXT] = u64[state + BATCHES_FREE]
    u64[state + BATCHES_FREE] = batch
    return 0


@apart
def batch_grow(batch: int, more: int) -> int:
    """Make room for so many bytes of entries; return where the next entry goes."""
    start = u64[batch + BATCH_ENTRIES]
    length = u64[batch + BATCH_END] - start
    room = (length + more) * 2 + AHEAD
    grown = realloc(start, room)
    memset(grown + length, 0, room - length)
    u64[batch + BATCH_ENTRIES] = grown
    u64[batch + BATCH_END] = grown + length
    u64[batch + BATCH_LIMIT] = grown + room - AHEAD
    return grown + length


@apart
def due_batch(known: int, due: int, state: int) -> int:
    """Begin a batch of changes that are due at a time, which is noted at `known`; a time past all never comes."""
    batch = batch_new(u64[u64[state + NETLIST] + AREA_RUN_CHANGES], state)
    if u64[state + TIME] < due:
        u64[known + DUE_TIME] = due
        u64[known + DUE_BATCH] = batch
        put_into_wheel(batch, due, state)
    return batch


@inlined
def is_due(entry: int, word: int) -> int:
    """Say whether the change of an entry has not been taken away, given the word of its gate."""
    return (word >> GENERATION_AT) & 0xFFFFFFFF == u32[entry + 4]


@kernel
def drop_batch(batch: int, state: int) -> int:
    """Take a batch out of the wheel if all its changes have been taken away; return whether it was so."""
    area = u64[state + NETLIST]
    entry = u64[batch + BATCH_ENTRIES]
    end = u64[batch + BATCH_END]
    while entry != end:
        if is_due(entry, u64[area + u32[entry]]):
            return 0
        entry = entry + 8
    known = area + AREA_DUE + (u64[batch + NODE_TIME] * DUE_HASH >> (64 - DUE_BITS)) * DUE_SIZE
    if u64[known + DUE_BATCH] == batch:
        u64[known + DUE_TIME] = 0
    unlink(batch)
    batch_free(batch, state)
    return 1


@inlined
def count_events(count: int, state: int) -> int:
    """Count the events of a batch but for one, which the scheduler counts; at the latest the run pauses behind it."""
    left = u64[state + EVENTS_LEFT]
    if left < count:
        u64[state + LAST_EVENT] = u64[state + LAST_EVENT] + count - left
        left = count
    u64[state + EVENTS_LEFT] = left - count + 1
    return 0


@kernel
def woken_batch(more: int, state: int) -> int:
    """Return a batch of gates that is the last in the active list and has room for so many bytes of entries."""
    batch = u64[state + WOKEN]
    if batch == 0 or u64[state + ACTIVE] == 0 or u64[state + ACTIVE + LIST_TAIL] != batch:
        batch = batch_new(u64[u64[state + NETLIST] + AREA_RUN_GATES], state)
        u64[state + WOKEN] = batch
        append(state + ACTIVE, batch)
    if u64[batch + BATCH_LIMIT] < u64[batch + BATCH_END] + more:
        batch_grow(batch, more)
    return batch
