"""Nets with strengths, switches, primitives and table gates, as kernels (IEEE 1800-2023 clauses 6.6, 28 and 29).

A *driver* of a net with strengths has a range of levels for each of its bits (`strengths`). When one changes, the
bits that it drives are folded anew from all drivers; the value planes of the signal follow, at once or after the
net's delay.

Nets that are joined by bidirectional switches, ports or aliases are solved together, bit by bit. A bit is a *point*;
the points that are reached from a changed one through switches that are not open begin with what their own drivers
give, and what each has is passed through its switches and combined with what is there until nothing changes.
Combination is commutative, associative and idempotent, so that what a point has only goes up in a semilattice of 120
ranges: this ends, and its result does not depend on the order. A change only notes its point, and all are solved when
the active list comes to the solver, so that a burst of changes costs one solution.

Gates and primitives are data, not code: a node with its inputs' places and a table.
"""

from __future__ import annotations

from weft.engines.event.kernel_language import kernel, u8, u64
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
    EDGE_GATE,
    EDGE_POINT,
    EDGE_SIZE,
    ENTRY_CELL,
    ENTRY_HIGH,
    ENTRY_LOW,
    ENTRY_SIZE,
    EPOCH,
    GATE_APPLIED,
    GATE_BIT,
    GATE_BYTE,
    GATE_BYTES,
    GATE_CONTROL,
    GATE_COUNT,
    GATE_DATA,
    GATE_DELAY,
    GATE_DRIVER,
    GATE_HELD,
    GATE_INPUTS,
    GATE_MASK,
    GATE_NEXT,
    GATE_PLANE,
    GATE_POINT_A,
    GATE_POINT_B,
    GATE_ROWS,
    GATE_SHIFT,
    GATE_SIGNAL,
    GATE_SITE,
    GATE_STATE,
    GATE_TABLE,
    INPUT_BYTE,
    INPUT_PLANE,
    INPUT_SHIFT,
    INPUT_SIZE,
    ISLAND_NODE,
    NET_BASE,
    NET_BITS,
    NET_CHAIN,
    NET_CHARGE,
    NET_CHARGE_BYTES,
    NET_DECAY,
    NET_DECAY_TICKS,
    NET_DELAY,
    NET_DEPENDENT_COUNT,
    NET_DEPENDENTS,
    NET_DRIVER_COUNT,
    NET_DRIVERS,
    NET_HIGH,
    NET_LOW,
    NET_MASK,
    NET_NEW,
    NET_PLANE,
    NET_POINTS,
    NET_SIGNAL,
    NET_STRENGTHS,
    NET_TABLE,
    NET_WIDTH,
    POINT_BIT,
    POINT_DIRTY,
    POINT_EDGE_COUNT,
    POINT_EDGES,
    POINT_EPOCH,
    POINT_NET,
    POINT_NEXT,
    POINT_OWN,
    POINT_QUEUED,
    POINT_SIZE,
    POINT_VALUE,
    ROW_BEFORE,
    ROW_EDGE,
    ROW_ONE,
    ROW_RESULT,
    ROW_SIZE,
    ROW_X,
    ROW_ZERO,
)
from weft.engines.event.records import ACTIVE, NODE_LIST, SIGNAL_WATCHES, WATCH_ANY, WATCH_NEGEDGE, WATCH_POSEDGE
from weft.engines.event.scheduler import append, delay, notify, unlink

# pyright: reportUnusedFunction=false


def _edge_codes() -> int:
    """Return two bits for each pair of codes, old * 4 + new: the edges of that change (IEEE 1800-2023 table 9-2)."""
    packed = 0
    for old in range(4):
        for new in range(4):
            rises = (old == 0 and new != 0) or (old >= 2 and new == 1)
            falls = (old == 1 and new != 1) or (old >= 2 and new == 0)
            packed |= (WATCH_POSEDGE * rises | WATCH_NEGEDGE * falls) << 2 * (4 * old + new)
    return packed


EDGE_CODES = _edge_codes()
Z_BYTE = 0x77
NEVER = 0xFFFFFFFFFFFFFFFF
"""A turn-off that is as long as the smaller of rise and fall."""
STRONG_BYTES = 0x77D1DD11
"""The ranges of a strong 0, 1, x and z, the first the lowest."""


# ------------------------------------------------------------------------------------------- drivers


@kernel
def drive(driver: int, bits: int, unknown: int, width: int, bytes: int, state: int) -> int:
    """Give a driver of several bits the ranges of a value, whose planes are in memory."""
    at = 0
    first = width
    last = 0
    while at < width:
        code = (u8[bits + (at >> 3)] >> (at & 7)) & 1 | ((u8[unknown + (at >> 3)] >> (at & 7)) & 1) << 1
        byte = (bytes >> (code << 3)) & 255
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
    table = u64[net + NET_TABLE]
    points = u64[net + NET_POINTS]
    charge = u64[net + NET_CHARGE]
    end = u64[net + NET_DRIVERS] + u64[net + NET_DRIVER_COUNT] * ENTRY_SIZE
    first = high
    last = low
    at = low
    while at < high:
        byte = u64[net + NET_BASE]
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
    net = u64[node + DELAY_OWNER]
    publish(net, 0, u64[net + NET_BITS], state)
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
    stronger = 0
    at = low
    while at < high:
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
        if u8[u64[net + NET_STRENGTHS] + at] != byte:
            u8[u64[net + NET_STRENGTHS] + at] = byte
            stronger = 1
        if u64[net + NET_CHARGE]:
            keep_charge(net, at, byte, new, state)
        at = at + 1
    if first < last:
        if u64[signal - SIGNAL_WATCHES]:
            notify(signal, edges | WATCH_ANY, first, last, state)
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


# ------------------------------------------------------------------------------------------- islands


@kernel
def touch(point: int, state: int) -> int:
    """Have a point solved."""
    if u64[point + POINT_DIRTY] == 0:
        next = u64[state + DIRTY_POINTS]
        if next == 0:
            next = 1
        u64[point + POINT_DIRTY] = next
        u64[state + DIRTY_POINTS] = point
        node = u64[state + ISLAND_NODE]
        if u64[node + NODE_LIST] == 0:
            append(state + ACTIVE, node)
    return 0


@kernel
def is_held(net: int, bit: int) -> int:
    """Return whether a bit of a net is forced."""
    mask = u64[net + NET_MASK]
    if mask:
        return (u8[mask + (bit >> 3)] >> (bit & 7)) & 1
    return 0


@kernel
def collect(point: int, list: int, epoch: int) -> int:
    """Put a point at the head of the list of those that are being solved, with its own range; return the head."""
    if u64[point + POINT_EPOCH] == epoch:
        return list
    u64[point + POINT_EPOCH] = epoch
    net = u64[point + POINT_NET]
    bit = u64[point + POINT_BIT]
    if is_held(net, bit):
        u64[point + POINT_VALUE] = u8[u64[net + NET_STRENGTHS] + bit]
    else:
        byte = u64[point + POINT_OWN]
        if u64[net + NET_CHARGE]:
            byte = u8[u64[net + NET_TABLE] + (byte << 8) + u8[u64[net + NET_CHARGE] + bit]]
        u64[point + POINT_VALUE] = byte
    u64[point + POINT_NEXT] = list
    return point


@kernel
def run_islands(node: int, state: int) -> int:
    """Solve the islands of all points that have been touched."""
    epoch = u64[state + EPOCH] + 1
    u64[state + EPOCH] = epoch
    point = u64[state + DIRTY_POINTS]
    u64[state + DIRTY_POINTS] = 0
    list = 0
    while point > 1:
        next = u64[point + POINT_DIRTY]
        u64[point + POINT_DIRTY] = 0
        list = collect(point, list, epoch)
        point = next
    # What is reached is put before the head; `seen` is the first of what has been looked at already.
    seen = 0
    while list != seen:
        head = list
        point = head
        while point != seen:
            list = reach(point, list, epoch)
            point = u64[point + POINT_NEXT]
        seen = head
    relax(list)
    show_points(list, state)
    return 0


@kernel
def reach(point: int, list: int, epoch: int) -> int:
    edge = u64[point + POINT_EDGES]
    end = edge + u64[point + POINT_EDGE_COUNT] * EDGE_SIZE
    while edge != end:
        if u64[u64[edge + EDGE_GATE] + GATE_STATE]:
            list = collect(u64[edge + EDGE_POINT], list, epoch)
        edge = edge + EDGE_SIZE
    return list


@kernel
def relax(list: int) -> int:
    """Pass what each point has to its neighbours until nothing changes."""
    queue = 1
    point = list
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
        end = edge + u64[point + POINT_EDGE_COUNT] * EDGE_SIZE
        while edge != end:
            gate = u64[edge + EDGE_GATE]
            conducts = u64[gate + GATE_STATE]
            if conducts:
                other = u64[edge + EDGE_POINT]
                passed = u8[u64[gate + GATE_TABLE] + ((conducts - 1) << 8) + byte]
                net = u64[other + POINT_NET]
                new = u8[u64[net + NET_TABLE] + (u64[other + POINT_VALUE] << 8) + passed]
                if new != u64[other + POINT_VALUE]:
                    if is_held(net, u64[other + POINT_BIT]) == 0:
                        u64[other + POINT_VALUE] = new
                        if u64[other + POINT_QUEUED] == 0:
                            u64[other + POINT_QUEUED] = queue
                            queue = other
            edge = edge + EDGE_SIZE
    return 0


@kernel
def show_points(list: int, state: int) -> int:
    """Let the nets have what their points have, each net once."""
    chain = 1
    while list:
        net = u64[list + POINT_NET]
        bit = u64[list + POINT_BIT]
        if u8[u64[net + NET_NEW] + bit] != u64[list + POINT_VALUE]:
            u8[u64[net + NET_NEW] + bit] = u64[list + POINT_VALUE]
            if u64[net + NET_CHAIN] == 0:
                u64[net + NET_CHAIN] = chain
                chain = net
                u64[net + NET_LOW] = bit
                u64[net + NET_HIGH] = bit + 1
            if bit < u64[net + NET_LOW]:
                u64[net + NET_LOW] = bit
            if u64[net + NET_HIGH] <= bit:
                u64[net + NET_HIGH] = bit + 1
        list = u64[list + POINT_NEXT]
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
            notify(signal, edges, bit, bit + 1, state)
    return 0


# ------------------------------------------------------------------------------------------- gates


@kernel
def input_code(entry: int) -> int:
    """Return the code of a gate's input."""
    place = u64[entry + INPUT_BYTE]
    shift = u64[entry + INPUT_SHIFT]
    return (u8[place] >> shift) & 1 | ((u8[place + u64[entry + INPUT_PLANE]] >> shift) & 1) << 1


@kernel
def input_codes(gate: int) -> int:
    """Return the codes of all inputs of a gate, two bits each, the first the lowest."""
    entry = u64[gate + GATE_INPUTS]
    count = u64[gate + GATE_COUNT]
    codes = 0
    at = 0
    while at < count:
        codes = codes | input_code(entry) << (at << 1)
        entry = entry + INPUT_SIZE
        at = at + 1
    return codes


@kernel
def run_table_gate(gate: int, state: int) -> int:
    """Do a gate whose table has a range for each combination of its inputs' codes."""
    append(gate + GATE_SITE, gate)
    emit(gate, u8[u64[gate + GATE_TABLE] + input_codes(gate)], state)
    return 0


@kernel
def run_switch(gate: int, state: int) -> int:
    """Do a switch that conducts one way; its data is its first input, its controls the others."""
    append(gate + GATE_SITE, gate)
    codes = input_codes(gate)
    conducts = u8[u64[gate + GATE_CONTROL] + (codes >> 2)]
    byte = Z_BYTE
    if conducts:
        byte = (STRONG_BYTES >> ((codes & 3) << 3)) & 255
        if u64[gate + GATE_DATA]:
            byte = u8[u64[gate + GATE_DATA]]
        byte = u8[u64[gate + GATE_TABLE] + ((conducts - 1) << 8) + byte]
    emit(gate, byte, state)
    return 0


@kernel
def run_control(gate: int, state: int) -> int:
    """Do the control of a switch that conducts both ways."""
    append(gate + GATE_SITE, gate)
    conducts = u8[u64[gate + GATE_CONTROL] + input_codes(gate)]
    emit(gate, (STRONG_BYTES >> (conducts << 3)) & 255, state)
    return 0


@kernel
def run_primitive(gate: int, state: int) -> int:
    """Do a user-defined primitive: its inputs' changes one after the other, the first first."""
    append(gate + GATE_SITE, gate)
    held = u64[gate + GATE_HELD]
    entry = u64[gate + GATE_INPUTS]
    count = u64[gate + GATE_COUNT]
    at = 0
    while at < count:
        code = input_code(entry)
        if code > 2:
            code = 2
        before = (held >> (at << 1)) & 3
        if before != code:
            held = held & ~(3 << (at << 1)) | code << (at << 1)
            u64[gate + GATE_STATE] = look_up(gate, held, at + 1, before)
        entry = entry + INPUT_SIZE
        at = at + 1
    u64[gate + GATE_HELD] = held
    emit(gate, (u64[gate + GATE_BYTES] >> (u64[gate + GATE_STATE] << 3)) & 255, state)
    return 0


@kernel
def look_up(gate: int, held: int, changed: int, before: int) -> int:
    """Return the next state of a primitive: rows of levels come before rows of edges (IEEE 1800-2023 29.9)."""
    count = u64[gate + GATE_COUNT]
    zeros = 0
    ones = 0
    unknowns = 0
    at = 0
    while at < count:
        code = (held >> (at << 1)) & 3
        if code == 0:
            zeros = zeros | 1 << at
        if code == 1:
            ones = ones | 1 << at
        if code == 2:
            unknowns = unknowns | 1 << at
        at = at + 1
    code = u64[gate + GATE_STATE]
    if code == 0:
        zeros = zeros | 1 << 31
    if code == 1:
        ones = ones | 1 << 31
    if code == 2:
        unknowns = unknowns | 1 << 31
    row = u64[gate + GATE_TABLE]
    end = row + u64[gate + GATE_ROWS] * ROW_SIZE
    while row != end:
        if (zeros & ~u64[row + ROW_ZERO] | ones & ~u64[row + ROW_ONE] | unknowns & ~u64[row + ROW_X]) == 0:
            edge = u64[row + ROW_EDGE]
            if edge == 0 or (edge == changed and (u64[row + ROW_BEFORE] >> before) & 1):
                result = u64[row + ROW_RESULT]
                if result == 4:
                    return code
                return result
        row = row + ROW_SIZE
    return 2
