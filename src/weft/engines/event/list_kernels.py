"""Lists of what waits, as kernels (`kernel_language`); `records` says how nodes are linked.

Running takes nodes from the front by the next one alone. So what a list says of its last node, and its first node of
the one before, holds only while it is not empty, and of no use is what is before the first.
"""

from __future__ import annotations

from weft.engines.event.kernel_language import apart, inlined, kernel, u32, u64
from weft.engines.event.records import (
    ACTIVE,
    FLAG_OBSERVED,
    FLAG_REACTIVE,
    FLAG_REGION,
    LIST_TAIL,
    NODE_FLAGS,
    NODE_LIST,
    NODE_NEXT,
    NODE_PREV,
    NODE_TIME,
    OBSERVED,
    POSTPONED,
    RACE_CAUSE,
    REACTIVE,
    SHUFFLE,
    WATCH_HIGH,
    WATCH_LOW,
)

RACES = 0
"""Whether kernels are compiled for the race detector (`race_kernels`)."""


@kernel
def append(list: int, node: int) -> int:
    last = u64[list + LIST_TAIL]
    u64[node + NODE_NEXT] = 0
    u64[node + NODE_PREV] = last
    u64[node + NODE_LIST] = list
    if u64[list] == 0:
        # The next node of the list itself is its first one: both are the first word.
        last = list
    u64[last + NODE_NEXT] = node
    u64[list + LIST_TAIL] = node
    return 0


@kernel
def unlink(node: int) -> int:
    """Take a node out of the list that it is in, if it is in one."""
    list = u64[node + NODE_LIST]
    if list:
        next = u64[node + NODE_NEXT]
        prev = 0
        if u64[list] == node:
            u64[list] = next
        else:
            prev = u64[node + NODE_PREV]
            u64[prev + NODE_NEXT] = next
        if next:
            u64[next + NODE_PREV] = prev
        else:
            u64[list + LIST_TAIL] = prev
        u64[node + NODE_LIST] = 0
    return 0


@kernel
def make_ready(node: int, state: int) -> int:
    """Put a node into the active list, or into that of the region that its flags name."""
    flags = u32[node + NODE_FLAGS]
    if flags & FLAG_REGION:
        if flags & FLAG_REACTIVE:
            append(state + REACTIVE, node)
        else:
            if flags & FLAG_OBSERVED:
                append(state + OBSERVED, node)
            else:
                append(state + POSTPONED, node)
    else:
        if RACES:
            u64[node + NODE_TIME] = u64[state + RACE_CAUSE]
        append(state + ACTIVE, node)
    return 0


@kernel
def move_all(source: int, target: int) -> int:
    """Move all nodes of a list to the end of another."""
    node = u64[source]
    while node:
        next = u64[node + NODE_NEXT]
        append(target, node)
        node = next
    u64[source] = 0
    u64[source + LIST_TAIL] = 0
    return 0


@inlined
def wake_all(list: int, state: int) -> int:
    """Make every thread of a wait list ready."""
    node = u64[list]
    u64[list] = 0
    u64[list + LIST_TAIL] = 0
    while node:
        next = u64[node + NODE_NEXT]
        make_ready(node, state)
        node = next
    return 0


@kernel
def wake(list: int, state: int) -> int:
    """Do the same where it is no part of something else."""
    return wake_all(list, state)


@apart
def part_changed(entry: int, low: int, high: int, changes: int) -> int:
    """Say whether any bit that a watch looks at is among those that have changed (`notify`)."""
    at = 0
    if low < u32[entry + WATCH_LOW]:
        at = u32[entry + WATCH_LOW] - low
    end = high - low
    if u32[entry + WATCH_HIGH] < high:
        end = u32[entry + WATCH_HIGH] - low
    if high - low <= 64:
        return (changes >> at) << (64 - (end - at))
    while at < end:
        word = u64[changes + (at >> 6 << 3)] >> (at & 63)
        count = 64 - (at & 63)
        if end - at < count:
            count = end - at
        if word << (64 - count):
            return 1
        at = at + count
    return 0


@kernel
def pick(list: int, state: int) -> int:
    """Return one of the first nodes of a list, drawn at random."""
    seed = u64[state + SHUFFLE]
    seed = seed ^ (seed << 13)
    seed = seed ^ (seed >> 7)
    seed = seed ^ (seed << 17)
    u64[state + SHUFFLE] = seed
    count = 0
    node = u64[list]
    while node:
        count = count + 1
        node = u64[node + NODE_NEXT]
        if count == 64:
            break
    skip = seed % count
    node = u64[list]
    while skip:
        node = u64[node + NODE_NEXT]
        skip = skip - 1
    return node
