"""Islands of nets that switches join, as kernels (`kernel_language`): all are solved together (IEEE 1800-2023 28.8).

What ports and aliases join is one net, whose drivers are combined before anything passes through switches: on a wired
net a driver may be without effect that would be seen behind a switch.
"""

from __future__ import annotations

from weft.engines.event.kernel_language import kernel, u8, u64
from weft.engines.event.net_kernels import publish, settle_net, tell_followers, touch
from weft.engines.event.net_records import (
    DIRTY_POINTS,
    EDGE_GATE,
    EDGE_POINT,
    EDGE_SIZE,
    EPOCH,
    GATE_STATE,
    GATE_TABLE,
    NET_BITS,
    NET_CHAIN,
    NET_CHARGE,
    NET_HIGH,
    NET_LOW,
    NET_MASK,
    NET_NEW,
    NET_POINTS,
    NET_RECORDS,
    NET_STRENGTHS,
    POINT_BIT,
    POINT_CHARGED,
    POINT_DIRTY,
    POINT_EDGE_COUNT,
    POINT_EDGES,
    POINT_EPOCH,
    POINT_JOIN_COUNT,
    POINT_NET,
    POINT_NEXT,
    POINT_OWN,
    POINT_QUEUED,
    POINT_SIZE,
    POINT_TABLE,
    POINT_VALUE,
)

# pyright: reportUnusedFunction=false


@kernel
def is_held(net: int, bit: int) -> int:
    """Return whether a bit of a net is forced."""
    mask = u64[net + NET_MASK]
    if mask:
        return (u8[mask + (bit >> 3)] >> (bit & 7)) & 1
    return 0


@kernel
def collect(point: int, found: int, epoch: int) -> int:
    """Put a point at the head of the list of those that are being solved, with its own range; return the head."""
    if u64[point + POINT_EPOCH] == epoch:
        return found
    u64[point + POINT_EPOCH] = epoch
    net = u64[point + POINT_NET]
    bit = u64[point + POINT_BIT]
    if is_held(net, bit):
        u64[point + POINT_VALUE] = u8[u64[net + NET_STRENGTHS] + bit]
    else:
        byte = u64[point + POINT_OWN]
        if u64[point + POINT_CHARGED]:
            byte = u8[u64[point + POINT_TABLE] + (byte << 8) + u8[u64[net + NET_CHARGE] + bit]]
        u64[point + POINT_VALUE] = byte
    u64[point + POINT_NEXT] = found
    return point


@kernel
def run_islands(node: int, state: int) -> int:
    """Solve the islands of all points that have been touched."""
    epoch = u64[state + EPOCH] + 1
    u64[state + EPOCH] = epoch
    point = u64[state + DIRTY_POINTS]
    u64[state + DIRTY_POINTS] = 0
    found = 0
    while point > 1:
        following = u64[point + POINT_DIRTY]
        u64[point + POINT_DIRTY] = 0
        found = collect(point, found, epoch)
        point = following
    # What is reached is put before the head; `seen` is the first of what has been looked at already.
    seen = 0
    while found != seen:
        head = found
        point = head
        while point != seen:
            found = reach(point, found, epoch)
            point = u64[point + POINT_NEXT]
        seen = head
    relax(found, POINT_JOIN_COUNT)
    relax(found, POINT_EDGE_COUNT)
    show_points(found, state)
    return 0


@kernel
def reach(point: int, found: int, epoch: int) -> int:
    """Put the points next to one into the list of those that are being solved; return the head."""
    edge = u64[point + POINT_EDGES]
    end = edge + u64[point + POINT_EDGE_COUNT] * EDGE_SIZE
    while edge != end:
        if u64[u64[edge + EDGE_GATE] + GATE_STATE]:
            found = collect(u64[edge + EDGE_POINT], found, epoch)
        edge = edge + EDGE_SIZE
    return found


@kernel
def relax(found: int, count: int) -> int:
    """Pass what each point has to its neighbours until nothing changes; `count` is the field that says to how many."""
    queue = 1
    point = found
    while point:
        u64[point + POINT_QUEUED] = queue
        queue = point
        point = u64[point + POINT_NEXT]
    while queue != 1:
        point = queue
        queue = u64[point + POINT_QUEUED]
        u64[point + POINT_QUEUED] = 0
        byte = u64[point + POINT_VALUE]
        edge = u64[point + POINT_EDGES]
        end = edge + u64[point + count] * EDGE_SIZE
        while edge != end:
            gate = u64[edge + EDGE_GATE]
            conducts = u64[gate + GATE_STATE]
            if conducts:
                other = u64[edge + EDGE_POINT]
                passed = u8[u64[gate + GATE_TABLE] + ((conducts - 1) << 8) + byte]
                net = u64[other + POINT_NET]
                new = u8[u64[other + POINT_TABLE] + (u64[other + POINT_VALUE] << 8) + passed]
                if new != u64[other + POINT_VALUE]:
                    if is_held(net, u64[other + POINT_BIT]) == 0:
                        u64[other + POINT_VALUE] = new
                        if u64[other + POINT_QUEUED] == 0:
                            u64[other + POINT_QUEUED] = queue
                            queue = other
            edge = edge + EDGE_SIZE
    return 0


@kernel
def show_points(found: int, state: int) -> int:
    """Let the nets have what their points have, each net once."""
    chain = 1
    while found:
        net = u64[found + POINT_NET]
        bit = u64[found + POINT_BIT]
        if u64[net + NET_RECORDS]:
            tell_followers(net, state)
        if u8[u64[net + NET_NEW] + bit] != u64[found + POINT_VALUE]:
            u8[u64[net + NET_NEW] + bit] = u64[found + POINT_VALUE]
            if u64[net + NET_CHAIN] == 0:
                u64[net + NET_CHAIN] = chain
                chain = net
                u64[net + NET_LOW] = bit
                u64[net + NET_HIGH] = bit + 1
            if bit < u64[net + NET_LOW]:
                u64[net + NET_LOW] = bit
            if u64[net + NET_HIGH] <= bit:
                u64[net + NET_HIGH] = bit + 1
        found = u64[found + POINT_NEXT]
    while chain != 1:
        net = chain
        chain = u64[net + NET_CHAIN]
        u64[net + NET_CHAIN] = 0
        settle_net(net, u64[net + NET_LOW], u64[net + NET_HIGH], state)
    return 0


@kernel
def refresh(net: int, state: int) -> int:
    """Do a net anew after a force or release of it."""
    bits = u64[net + NET_BITS]
    points = u64[net + NET_POINTS]
    publish(net, 0, bits, state)
    at = 0
    while at < bits:
        if points:
            touch(points + at * POINT_SIZE, state)
        at = at + 1
    return 0
