"""Nets with strengths, switches, primitives and table gates, as kernels (IEEE 1800-2023 clauses 6.6, 28 and 29).

A *driver* of a net with strengths has a range of levels for each of its bits (`strengths`). When one changes, the bits
that it drives are folded anew from all drivers; the value planes of the signal follow, at once or after the net's
delay.

Nets that are joined by bidirectional switches, ports or aliases are solved together, bit by bit. A bit is a *point*;
the points that are reached from a changed one through switches that are not open begin with what their own drivers
give. What each has is passed through its switches and combined with what is there, until nothing changes. Combination
is commutative, associative and idempotent, so that what a point has only goes up in a semilattice of 120 ranges: this
ends, and its result does not depend on the order. A change only notes its point, and all are solved when the active
list comes to the solver, so that a burst of changes costs one solution.

Gates and primitives are data, not code: a node with its inputs' places and a table.
"""

from __future__ import annotations

from weft.engines.event.kernel_language import kernel, u8, u64
from weft.engines.event.list_kernels import append, unlink
from weft.engines.event.net_records import (
    CODES_TABLE,
    DECAY_BIT,
    DECAY_SIZE,
    DELAY_FALL,
    DELAY_OFF,
    DELAY_OWNER,
    DELAY_PLACES,
    DELAY_RISE,
    DELAY_SCALE,
    DEPENDENT_BIT,
    DEPENDENT_NODE,
    DEPENDENT_SIZE,
    DIRTY_POINTS,
    DRIVER_BYTES,
    DRIVER_LOW,
    DRIVER_NET,
    EDGE_CODES,
    ENTRY_CELL,
    ENTRY_HIGH,
    ENTRY_LOW,
    ENTRY_SIZE,
    GATE_APPLIED,
    GATE_BIT,
    GATE_BYTE,
    GATE_DELAY,
    GATE_DRIVER,
    GATE_MASK,
    GATE_NEXT,
    GATE_PLANE,
    GATE_POINT_A,
    GATE_POINT_B,
    GATE_SHIFT,
    GATE_SIGNAL,
    GATE_STATE,
    ISLAND_NODE,
    NET_BASE,
    NET_BITS,
    NET_CHARGE,
    NET_CHARGE_BYTES,
    NET_DECAY,
    NET_DECAY_TICKS,
    NET_DELAY,
    NET_DEPENDENT_COUNT,
    NET_DEPENDENTS,
    NET_DRIVER_COUNT,
    NET_DRIVERS,
    NET_MASK,
    NET_NEW,
    NET_PLANE,
    NET_POINTS,
    NET_RECORD_COUNT,
    NET_RECORDS,
    NET_SIGNAL,
    NET_STRENGTHS,
    NET_TABLE,
    NET_WIDTH,
    POINT_BASE,
    POINT_DIRTY,
    POINT_OWN,
    POINT_SIZE,
    POINT_TABLE,
)
from weft.engines.event.records import ACTIVE, NODE_LIST, SIGNAL_WATCHES, WATCH_ANY
from weft.engines.event.scheduler import notify, record_change
from weft.engines.event.wheel_kernels import delay

# pyright: reportUnusedFunction=false


NEVER = 0xFFFFFFFFFFFFFFFF
"""A turn-off that is as long as the smaller of rise and fall."""
STRONG_BYTES = 0x77D1DD11
"""The ranges of a strong 0, 1, x and z, the first the lowest."""


# ------------------------------------------------------------------------------------------- drivers


@kernel
def drive(driver: int, bits: int, unknown: int, width: int, ranges: int, state: int) -> int:
    """Give a driver of several bits the ranges of a value, whose planes are in memory."""
    at = 0
    first = width
    last = 0
    while at < width:
        code = (u8[bits + (at >> 3)] >> (at & 7)) & 1 | ((u8[unknown + (at >> 3)] >> (at & 7)) & 1) << 1
        byte = (ranges >> (code << 3)) & 255
        cell = driver + DRIVER_BYTES + at
        if u8[cell] != byte:
            u8[cell] = byte
            if at < first:
                first = at
            last = at + 1
        at = at + 1
    if first < last:
        low = u64[driver + DRIVER_LOW]
        resolve(u64[driver + DRIVER_NET], low + first, low + last, state)
    return 0


@kernel
def drive_bit(driver: int, byte: int, state: int) -> int:
    """Give a driver of one bit its range."""
    if u8[driver + DRIVER_BYTES] != byte:
        u8[driver + DRIVER_BYTES] = byte
        low = u64[driver + DRIVER_LOW]
        resolve(u64[driver + DRIVER_NET], low, low + 1, state)
    return 0


@kernel
def resolve(net: int, low: int, high: int, state: int) -> int:
    """Fold the drivers of some bits of a net, and let the net, or its island, have what comes out."""
    if u64[net + NET_RECORDS]:
        tell_followers(net, state)
    table = u64[net + NET_TABLE]
    base = u64[net + NET_BASE]
    points = u64[net + NET_POINTS]
    charge = u64[net + NET_CHARGE]
    end = u64[net + NET_DRIVERS] + u64[net + NET_DRIVER_COUNT] * ENTRY_SIZE
    first = high
    last = low
    at = low
    while at < high:
        if points:
            table = u64[points + at * POINT_SIZE + POINT_TABLE]
            base = u64[points + at * POINT_SIZE + POINT_BASE]
        byte = base
        entry = u64[net + NET_DRIVERS]
        while entry != end:
            if u64[entry + ENTRY_LOW] <= at:
                if at < u64[entry + ENTRY_HIGH]:
                    byte = u8[table + (byte << 8) + u8[u64[entry + ENTRY_CELL] + at - u64[entry + ENTRY_LOW]]]
            entry = entry + ENTRY_SIZE
        if points:
            point = points + at * POINT_SIZE
            if u64[point + POINT_OWN] != byte:
                u64[point + POINT_OWN] = byte
                touch(point, state)
        else:
            if charge:
                byte = u8[table + (byte << 8) + u8[charge + at]]
            if u8[u64[net + NET_NEW] + at] != byte:
                u8[u64[net + NET_NEW] + at] = byte
                if at < first:
                    first = at
                last = at + 1
        at = at + 1
    if first < last:
        settle_net(net, first, last, state)
    return 0


@kernel
def tell_followers(net: int, state: int) -> int:
    """Tell those who follow the drivers of a net, not only its value, that some may have changed."""
    at = u64[net + NET_RECORDS]
    end = at + (u64[net + NET_RECORD_COUNT] << 3)
    while at != end:
        record_change(u64[at], state)
        at = at + 8
    return 0


@kernel
def settle_net(net: int, low: int, high: int, state: int) -> int:
    """Show what the drivers of some bits of a net give, after its delay."""
    node = u64[net + NET_DELAY]
    if node == 0:
        publish(net, low, high, state)
        return 0
    unlink(node)
    at = 0
    differs = 0
    zeros = 1
    free = 1
    code = 0
    while at < u64[net + NET_BITS]:
        byte = u8[u64[net + NET_NEW] + at]
        if byte != u8[u64[net + NET_STRENGTHS] + at]:
            differs = 1
        code = u8[u64[state + CODES_TABLE] + byte]
        if code != 0:
            zeros = 0
        if code != 3:
            free = 0
        at = at + 1
    if differs:
        if u64[net + NET_BITS] != 1:
            code = 1
        if zeros:
            code = 0
        if free:
            code = 3
        delay(node, delay_of(node, code), state)
    return 0


@kernel
def ticks_of(node: int, kind: int) -> int:
    """Return one of the ticks of a delay; those of an unknown one are 0."""
    place = u64[node + kind + DELAY_PLACES]
    if place == 0:
        return u64[node + kind]
    if u64[place + 8]:
        return 0
    return u64[place] * u64[node + DELAY_SCALE]


@kernel
def delay_of(node: int, code: int) -> int:
    """Return the ticks of a change to a value: rise, fall, turn-off, or the least of them to x (28.16)."""
    rise = ticks_of(node, DELAY_RISE)
    fall = ticks_of(node, DELAY_FALL)
    off = ticks_of(node, DELAY_OFF)
    if code == 1:
        return rise
    if code == 0:
        return fall
    if code == 3:
        if off != NEVER:
            return off
    if fall < rise:
        rise = fall
    if off < rise:
        rise = off
    return rise


@kernel
def run_net_delay(node: int, state: int) -> int:
    """Show what a net's drivers have given it a delay ago."""
    net = u64[node + DELAY_OWNER]
    publish(net, 0, u64[net + NET_BITS], state)
    return 0


@kernel
def tell_bits(signal: int, edges: int, first: int, last: int, changes: int, state: int) -> int:
    """Tell those who watch a net which bits of it have changed, if any has."""
    if first < last:
        if u64[signal - SIGNAL_WATCHES]:
            notify(signal, edges | WATCH_ANY, first, last, changes, state)
    return 0


@kernel
def publish(net: int, low: int, high: int, state: int) -> int:
    """Write the value of some bits of a net, and tell those who watch it or depend on its strength."""
    signal = u64[net + NET_SIGNAL]
    width = u64[net + NET_WIDTH]
    plane = u64[net + NET_PLANE]
    codes = u64[state + CODES_TABLE]
    mask = u64[net + NET_MASK]
    edges = 0
    first = high
    last = low
    changes = 0
    stronger = 0
    at = low
    while at < high:
        if first + 64 <= at:
            # More bits than fit into a word are told in turns.
            tell_bits(signal, edges, first, last, changes, state)
            edges = 0
            first = high
            changes = 0
        index = at // width
        bit = at - index * width
        place = signal + index * plane * 2 + (bit >> 3)
        shift = bit & 7
        old = (u8[place] >> shift) & 1 | ((u8[place + plane] >> shift) & 1) << 1
        byte = u8[u64[net + NET_NEW] + at]
        if mask:
            if (u8[mask + (at >> 3)] >> (at & 7)) & 1:
                byte = (STRONG_BYTES >> (old << 3)) & 255
        new = u8[codes + byte]
        if new != old:
            u8[place] = u8[place] & ~(1 << shift) | (new & 1) << shift
            u8[place + plane] = u8[place + plane] & ~(1 << shift) | (new >> 1) << shift
            if at == 0:
                edges = (EDGE_CODES >> ((old << 2 | new) << 1)) & 3
            if at < first:
                first = at
            last = at + 1
            changes = changes | 1 << (at - first)
        if u8[u64[net + NET_STRENGTHS] + at] != byte:
            u8[u64[net + NET_STRENGTHS] + at] = byte
            stronger = 1
        if u64[net + NET_CHARGE]:
            keep_charge(net, at, byte, new, state)
        at = at + 1
    tell_bits(signal, edges, first, last, changes, state)
    if stronger:
        dependent = u64[net + NET_DEPENDENTS]
        end = dependent + u64[net + NET_DEPENDENT_COUNT] * DEPENDENT_SIZE
        while dependent != end:
            if low <= u64[dependent + DEPENDENT_BIT]:
                if u64[dependent + DEPENDENT_BIT] < high:
                    node = u64[dependent + DEPENDENT_NODE]
                    if u64[node + NODE_LIST] != state + ACTIVE:
                        unlink(node)
                        append(state + ACTIVE, node)
            dependent = dependent + DEPENDENT_SIZE
    return 0


@kernel
def keep_charge(net: int, bit: int, byte: int, code: int, state: int) -> int:
    """Charge a bit of a `trireg` with its value; begin its decay when only the charge is left (28.15)."""
    place = u64[net + NET_CHARGE] + bit
    charge = (u64[net + NET_CHARGE_BYTES] >> (code << 3)) & 255
    u8[place] = charge
    nodes = u64[net + NET_DECAY]
    if nodes:
        node = nodes + bit * DECAY_SIZE
        if byte == charge:
            if code < 2:
                if u64[node + NODE_LIST] == 0:
                    delay(node, u64[net + NET_DECAY_TICKS], state)
        else:
            unlink(node)
    return 0


@kernel
def run_decay(node: int, state: int) -> int:
    """Make the charge of a bit unknown."""
    net = u64[node + DELAY_OWNER]
    bit = u64[node + DECAY_BIT]
    u8[u64[net + NET_CHARGE] + bit] = (u64[net + NET_CHARGE_BYTES] >> 16) & 255
    if u64[net + NET_POINTS]:
        touch(u64[net + NET_POINTS] + bit * POINT_SIZE, state)
    else:
        resolve(net, bit, bit + 1, state)
    return 0


# ------------------------------------------------------------------------------------------- outputs of gates


@kernel
def emit(gate: int, byte: int, state: int) -> int:
    """Let a gate's output have a range, after its delay: a change that does not last as long is lost."""
    node = u64[gate + GATE_DELAY]
    if node == 0:
        put_out(gate, byte, state)
        return 0
    present = u64[gate + GATE_APPLIED]
    if u64[node + NODE_LIST]:
        present = u64[gate + GATE_NEXT]
    if present != byte:
        unlink(node)
        if u64[gate + GATE_APPLIED] != byte:
            u64[gate + GATE_NEXT] = byte
            delay(node, delay_of(node, u8[u64[state + CODES_TABLE] + byte]), state)
    return 0


@kernel
def run_gate_delay(node: int, state: int) -> int:
    """Write a gate's output whose delay is over."""
    gate = u64[node + DELAY_OWNER]
    put_out(gate, u64[gate + GATE_NEXT], state)
    return 0


@kernel
def put_out(gate: int, byte: int, state: int) -> int:
    """Write a gate's output now: a driver's range, a switch's state, or the bit of a signal."""
    u64[gate + GATE_APPLIED] = byte
    driver = u64[gate + GATE_DRIVER]
    if driver:
        drive_bit(driver, byte, state)
        return 0
    new = u8[u64[state + CODES_TABLE] + byte]
    point = u64[gate + GATE_POINT_A]
    if point:
        if u64[gate + GATE_STATE] != new:
            u64[gate + GATE_STATE] = new
            touch(point, state)
            touch(u64[gate + GATE_POINT_B], state)
        return 0
    place = u64[gate + GATE_BYTE]
    plane = u64[gate + GATE_PLANE]
    shift = u64[gate + GATE_SHIFT]
    mask = u64[gate + GATE_MASK]
    if mask:
        if (u8[mask] >> shift) & 1:
            return 0
    old = (u8[place] >> shift) & 1 | ((u8[place + plane] >> shift) & 1) << 1
    if new != old:
        u8[place] = u8[place] & ~(1 << shift) | (new & 1) << shift
        u8[place + plane] = u8[place + plane] & ~(1 << shift) | (new >> 1) << shift
        signal = u64[gate + GATE_SIGNAL]
        if u64[signal - SIGNAL_WATCHES]:
            bit = u64[gate + GATE_BIT]
            edges = WATCH_ANY
            if bit == 0:
                edges = (EDGE_CODES >> ((old << 2 | new) << 1)) & 3 | WATCH_ANY
            notify(signal, edges, bit, bit + 1, 0, state)
    return 0


@kernel
def touch(point: int, state: int) -> int:
    """Have a point solved."""
    if u64[point + POINT_DIRTY] == 0:
        following = u64[state + DIRTY_POINTS]
        if following == 0:
            following = 1
        u64[point + POINT_DIRTY] = following
        u64[state + DIRTY_POINTS] = point
        node = u64[state + ISLAND_NODE]
        if u64[node + NODE_LIST] == 0:
            append(state + ACTIVE, node)
    return 0
