"""Future events, as kernels (`kernel_language`): a timing wheel, and the few nodes that come before all in it.

The *wheel* is hierarchical (Varghese and Lauck, 1987): eleven levels of 64 slots. A node whose time first differs in
base-64 digit L from the time at which the wheel was last looked at stands on level L in the slot of that digit, so
putting one in is a shift and a count of zeros, and the next time is found from one bitmap a level. When time enters a
slot of a level above 0, those of its nodes whose time has not come move down. Nodes of equal time keep their order:
those of a higher slot were put in earlier and come down first.

Most time steps of a testbench have one node: that of a clock's generator, or the changes of a netlist's gates. Nodes
that come before all others are not in the wheel but in the list `EARLIEST`, in the order of their times, and a step of
one of them looks at no slot. `WHEEL_FROM` is a bound that no time in the wheel is below, or 0 while none is known: what
comes before it may stand in the list. That is a list for few nodes: as soon as one would have to go before `FEW`
others, all of them go into the wheel. Each node does so once at most.
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

FEW = 4


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
    """Suspend a node until a time, in the wheel or before it."""
    u64[node + NODE_TIME] = time
    if u64[state + WHEEL_FROM] == 0:
        u64[state + WHEEL_FROM] = next_bound(state)
    if u64[state + WHEEL_FROM] <= time:
        return put_into_slot(node, time, state)
    list = state + EARLIEST
    first = u64[list]
    before = 0
    following = 0
    if first:
        before = u64[list + LIST_TAIL]
    skipped = 0
    while before != 0 and time < u64[before + NODE_TIME]:
        skipped = skipped + 1
        if skipped == FEW:
            put_all_into_slots(state)
            return put_into_wheel(node, time, state)
        following = before
        before = u64[before + NODE_PREV]
        # What stands before the first one is of no use (`list_kernels`).
        if following == first:
            before = 0
    u64[node + NODE_NEXT] = following
    u64[node + NODE_PREV] = before
    u64[node + NODE_LIST] = list
    if following:
        u64[following + NODE_PREV] = node
    else:
        u64[list + LIST_TAIL] = node
    if before == 0:
        before = list
    u64[before + NODE_NEXT] = node
    return 0


@apart
def put_all_into_slots(state: int) -> int:
    """Put all nodes that come before those of the wheel into it, too."""
    node = u64[state + EARLIEST]
    u64[state + EARLIEST] = 0
    u64[state + WHEEL_FROM] = u64[node + NODE_TIME]
    while node:
        next = u64[node + NODE_NEXT]
        put_into_slot(node, u64[node + NODE_TIME], state)
        node = next
    return 0


@kernel
def is_dropped(node: int, state: int) -> int:
    """Drop a future node if it is a batch of changes that have all been taken away; return whether it was so."""
    if u32[node + NODE_FLAGS] & FLAG_BATCH == 0:
        return 0
    return invoke(u64[state + DROP_BATCH], node, state)


@kernel
def take_equal(time: int, state: int) -> int:
    """Make the nodes of a time active that are the earliest of all."""
    node = u64[state + EARLIEST]
    while node != 0 and u64[node + NODE_TIME] == time:
        if is_dropped(node, state) == 0:
            unlink(node)
            make_ready(node, state)
        node = u64[state + EARLIEST]
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
    node = u64[state + EARLIEST]
    while node:
        if is_dropped(node, state) == 0:
            return u64[node + NODE_TIME]
        node = u64[state + EARLIEST]
    time = ~0
    while time == ~0:
        list = next_slot(state)
        if list == 0:
            return ~0
        u64[state + NEXT_LIST] = list
        node = u64[list]
        while node:
            next = u64[node + NODE_NEXT]
            if is_dropped(node, state) == 0:
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
