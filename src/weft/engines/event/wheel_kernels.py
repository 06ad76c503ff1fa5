"""Future events, as kernels (`kernel_language`): a timing wheel, and the one node that comes before all in it.

The *wheel* is hierarchical (Varghese and Lauck, 1987): eleven levels of 64 slots. A node whose time first differs in
base-64 digit L from the time at which the wheel was last looked at stands on level L in the slot of that digit, so
putting one in is a shift and a count of zeros, and the next time is found from one bitmap a level. When time enters a
slot of a level above 0, those of its nodes whose time has not come move down. Nodes of equal time keep their order:
those of a higher slot were put in earlier and come down first.

Most time steps of a testbench have one node: that of a clock's generator. A node that comes before all others is not in
the wheel but alone in the list `EARLIEST`, and its step looks at no slot. `WHEEL_FROM` is a bound that no time in the
wheel is below, or 0 while none is known: what comes before it may wait alone. As soon as another node comes at the same
time or before, the lonely one goes into the wheel, before the other one.
"""

from __future__ import annotations

from weft.engines.event.kernel_language import apart, clz, ctz, invoke, kernel, u32, u64
from weft.engines.event.list_kernels import RACES, append, make_ready, unlink
from weft.engines.event.records import (
    DROP_BATCH,
    DUE_BITS,
    DUE_HASH,
    DUE_SIZE,
    DUE_TABLE,
    DUE_TIME,
    EARLIEST,
    FLAG_BATCH,
    FLAG_REACTIVE,
    INACTIVE,
    LIST_TAIL,
    NEXT_LIST,
    NODE_FLAGS,
    NODE_LIST,
    NODE_NEXT,
    NODE_PREV,
    NODE_TIME,
    RE_INACTIVE,
    TIME,
    WHEEL_BITS,
    WHEEL_FROM,
    WHEEL_LEVELS,
    WHEEL_NOW,
    WHEEL_SLOTS,
)


@kernel
def delay(node: int, ticks: int, state: int) -> int:
    """Suspend a node for a number of ticks; for 0, until the inactive region."""
    if ticks == 0:
        return to_inactive(node, state)
    time = u64[state + TIME] + ticks
    if time < ticks:
        return 0
    if u64[state + DUE_TABLE]:
        known = u64[state + DUE_TABLE] + (time * DUE_HASH >> (64 - DUE_BITS)) * DUE_SIZE
        if u64[known + DUE_TIME] == time:
            u64[known + DUE_TIME] = 0
    if time < u64[state + WHEEL_FROM]:
        if u64[state + EARLIEST] == 0:
            u64[state + EARLIEST] = node
            u64[state + EARLIEST + LIST_TAIL] = node
            u64[node + NODE_NEXT] = 0
            u64[node + NODE_PREV] = 0
            u64[node + NODE_LIST] = state + EARLIEST
            u64[node + NODE_TIME] = time
            return 0
    return put_into_wheel(node, time, state)


@apart
def to_inactive(node: int, state: int) -> int:
    """Suspend a node until the inactive region."""
    if RACES:
        u64[node + NODE_TIME] = 0
    if u32[node + NODE_FLAGS] & FLAG_REACTIVE:
        append(state + RE_INACTIVE, node)
    else:
        append(state + INACTIVE, node)
    return 0


@kernel
def put_into_wheel(node: int, time: int, state: int) -> int:
    """Suspend a node until a time; alone, if it comes before all others and is no batch, which may be dropped."""
    first = u64[state + EARLIEST]
    if first:
        known = u64[first + NODE_TIME]
        if time <= known:
            unlink(first)
            put_into_slot(first, known, state)
            u64[state + WHEEL_FROM] = known
    u64[node + NODE_TIME] = time
    if u32[node + NODE_FLAGS] & FLAG_BATCH == 0:
        if u64[state + WHEEL_FROM] == 0:
            u64[state + WHEEL_FROM] = next_bound(state)
        if time < u64[state + WHEEL_FROM] and u64[state + EARLIEST] == 0:
            append(state + EARLIEST, node)
            return 0
    if time < u64[state + WHEEL_FROM]:
        u64[state + WHEEL_FROM] = time
    put_into_slot(node, time, state)
    return 0


@kernel
def put_into_slot(node: int, time: int, state: int) -> int:
    """Put a node into the wheel."""
    differs = time ^ u64[state + WHEEL_NOW]
    level = (63 - clz(differs | 1)) // 6
    slot = (time >> (level * 6)) & 63
    bits = state + WHEEL_BITS + level * 8
    u64[bits] = u64[bits] | (1 << slot)
    append(state + WHEEL_SLOTS + (level * 64 + slot) * 16, node)
    return 0


@kernel
def nothing(node: int, state: int) -> int:
    """Be the code of a node that only makes time pass."""
    return 0


@kernel
def next_slot(state: int) -> int:
    """Return the list of the wheel's earliest nodes, or 0; nodes that were disabled leave empty slots behind."""
    level = 0
    while level < WHEEL_LEVELS:
        bits = state + WHEEL_BITS + level * 8
        while u64[bits]:
            slot = ctz(u64[bits])
            list = state + WHEEL_SLOTS + (level * 64 + slot) * 16
            if u64[list]:
                return list
            u64[bits] = u64[bits] & ~(1 << slot)
        level = level + 1
    return 0


@kernel
def next_time(state: int) -> int:
    """Return the time of the earliest future event, or all ones; batches of changes taken away are dropped."""
    if u64[state + EARLIEST]:
        return u64[u64[state + EARLIEST] + NODE_TIME]
    time = ~0
    while time == ~0:
        list = next_slot(state)
        if list == 0:
            return ~0
        u64[state + NEXT_LIST] = list
        node = u64[list]
        while node:
            next = u64[node + NODE_NEXT]
            if (u32[node + NODE_FLAGS] & FLAG_BATCH) == 0 or invoke(u64[state + DROP_BATCH], node, state) == 0:
                if u64[node + NODE_TIME] < time:
                    time = u64[node + NODE_TIME]
                if list < state + WHEEL_SLOTS + 1024:
                    return time
            node = next
    return time


@kernel
def advance(time: int, state: int) -> int:
    """Go to the time of the wheel's earliest nodes, which `next_time` has found in a slot, and make them active.

    Nodes of the slot that come later are put into the wheel anew as seen from that time.
    """
    list = u64[state + NEXT_LIST]
    number = (list - (state + WHEEL_SLOTS)) // 16
    bits = state + WHEEL_BITS + (number >> 6) * 8
    u64[bits] = u64[bits] & ~(1 << (number & 63))
    u64[state + TIME] = time
    u64[state + WHEEL_NOW] = time
    node = u64[list]
    u64[list] = 0
    u64[list + LIST_TAIL] = 0
    while node:
        next = u64[node + NODE_NEXT]
        if u64[node + NODE_TIME] == time:
            make_ready(node, state)
        else:
            put_into_slot(node, u64[node + NODE_TIME], state)
        node = next
    u64[state + WHEEL_FROM] = 0
    return 0


@kernel
def next_bound(state: int) -> int:
    """Return a time that none in the wheel is below: exact on level 0 and for a node that is alone in its slot."""
    list = next_slot(state)
    if list == 0:
        return ~0
    node = u64[list]
    if node == u64[list + LIST_TAIL] or list < state + WHEEL_SLOTS + 1024:
        return u64[node + NODE_TIME]
    level = (list - (state + WHEEL_SLOTS)) // 1024
    return u64[node + NODE_TIME] >> (level * 6) << (level * 6)
