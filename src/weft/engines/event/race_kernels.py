"""The race detector's part of the runtime: who has touched what in this epoch, and what made whom run.

An *epoch* is what runs between two changes of region: everything in the active list, and what that makes ready there.
An *activation* is one run of a process to where it waits. An activation that another one has made ready, by a change
or an event, is ordered after it; all others of an epoch may run in any order (IEEE 1800-2023 4.7). So two accesses to
the same bits by different threads race if one writes and neither activation is an ancestor of the other. Since the one
that runs later cannot be an ancestor, one walk up from it decides.

These kernels, and the branches for `RACES` in others, are compiled in only for programs that are written for it.
"""

from __future__ import annotations

from weft.engines.event.kernel_language import invoke, kernel, malloc, memset, realloc, u32, u64
from weft.engines.event.records import (
    NODE_TIME,
    RACE_BASE,
    RACE_CALL,
    RACE_CAUSE,
    RACE_EPOCH,
    RACE_LAST,
    RACE_PARENTS,
    RACE_ROOM,
    RACE_TABLE,
)

BUCKETS = 4096
PLACE_ADDRESS, PLACE_NEXT, PLACE_EPOCH, PLACE_COUNT, PLACE_ENTRIES = 0, 8, 16, 24, 32
ENTRY_THREAD, ENTRY_ACTIVATION, ENTRY_LOW, ENTRY_HIGH, ENTRY_SITE, ENTRY_SIZE = 0, 8, 16, 20, 24, 32
ENTRIES = 64
"""How many accesses of an epoch are remembered of one place."""
PLACE_SIZE = 2080

# pyright: reportUnusedFunction=false


@kernel
def race_epoch(state: int) -> int:
    """Begin an epoch."""
    u64[state + RACE_EPOCH] = u64[state + RACE_EPOCH] + 1
    u64[state + RACE_BASE] = u64[state + RACE_LAST] + 1
    u64[state + RACE_CAUSE] = 0
    return 0


@kernel
def race_begin(node: int, state: int) -> int:
    """Begin an activation; what made it ready stands where its time was."""
    activation = u64[state + RACE_LAST] + 1
    u64[state + RACE_LAST] = activation
    index = activation - u64[state + RACE_BASE]
    if u64[state + RACE_ROOM] <= index:
        room = index * 2 + 1024
        u64[state + RACE_PARENTS] = realloc(u64[state + RACE_PARENTS], room * 8)
        u64[state + RACE_ROOM] = room
    cause = u64[node + NODE_TIME]
    if cause < u64[state + RACE_BASE] or activation <= cause:
        cause = 0
    u64[u64[state + RACE_PARENTS] + index * 8] = cause
    u64[state + RACE_CAUSE] = activation
    return 0


@kernel
def race_ordered(first: int, last: int, state: int) -> int:
    """Say whether an activation is an ancestor of a later one, or the same."""
    while first < last:
        last = u64[u64[state + RACE_PARENTS] + (last - u64[state + RACE_BASE]) * 8]
    return first == last


@kernel
def race_place(address: int, state: int) -> int:
    """Return the record of a place, emptied if it is of an older epoch."""
    if u64[state + RACE_TABLE] == 0:
        u64[state + RACE_TABLE] = malloc(BUCKETS * 8)
        memset(u64[state + RACE_TABLE], 0, BUCKETS * 8)
    bucket = u64[state + RACE_TABLE] + ((address >> 3) & (BUCKETS - 1)) * 8
    place = u64[bucket]
    while place:
        if u64[place + PLACE_ADDRESS] == address:
            break
        place = u64[place + PLACE_NEXT]
    if place == 0:
        place = malloc(PLACE_SIZE)
        u64[place + PLACE_ADDRESS] = address
        u64[place + PLACE_NEXT] = u64[bucket]
        u64[place + PLACE_EPOCH] = 0
        u64[bucket] = place
    if u64[place + PLACE_EPOCH] != u64[state + RACE_EPOCH]:
        u64[place + PLACE_EPOCH] = u64[state + RACE_EPOCH]
        u64[place + PLACE_COUNT] = 0
    return place


@kernel
def race_access(address: int, low: int, high: int, site: int, node: int, state: int) -> int:
    """Note an access to bits of a signal, and tell of those in this epoch that race with it; odd sites write."""
    activation = u64[state + RACE_CAUSE]
    if activation == 0:
        return 0
    place = race_place(address, state)
    count = u64[place + PLACE_COUNT]
    entry = place + PLACE_ENTRIES
    end = entry + count * ENTRY_SIZE
    while entry != end:
        thread = u64[entry + ENTRY_THREAD]
        if thread != node:
            if (u64[entry + ENTRY_SITE] | site) & 1:
                if u32[entry + ENTRY_LOW] < high and low < u32[entry + ENTRY_HIGH]:
                    if race_ordered(u64[entry + ENTRY_ACTIVATION], activation, state) == 0:
                        invoke(u64[state + RACE_CALL], u64[entry + ENTRY_SITE], thread, site, node)
        else:
            if u64[entry + ENTRY_SITE] == site and u64[entry + ENTRY_ACTIVATION] == activation:
                return 0
        entry = entry + ENTRY_SIZE
    if count < ENTRIES - 1:
        u64[end + ENTRY_THREAD] = node
        u64[end + ENTRY_ACTIVATION] = activation
        u32[end + ENTRY_LOW] = low
        u32[end + ENTRY_HIGH] = high
        u64[end + ENTRY_SITE] = site
        u64[place + PLACE_COUNT] = count + 1
    return 0
