"""Gates of a bit with constant delays, as kernels (`kernel_language`, `netlist_records`).

A gate has its inputs' codes in one word, two bits each, and a table with its output for each such word. When an output
changes, the gate's own list of readers says where the new code goes, so that a reader is never asked to look: its word
is corrected by an exclusive or, and it is put into the *batch* of gates that have been woken. When that batch comes to
run, each of its gates looks its output up once, however many of its inputs have changed.

A changed output with a delay is an entry in the batch of all changes that are due at that time: the wheel has one node
for them all. An inertial delay needs at most one change on its way for each gate (IEEE 1800-2023 28.16), so a change is
taken away by counting the gate's generation up, and the entry finds that out when it is due.

Batches keep the order of the general path: an entry is added to a batch only while nothing else has been put behind
that batch, into the active list or at any time into the wheel. Else a new batch is begun. So everything runs in the
order in which it would run if each gate and change were a node.
"""

from __future__ import annotations

from weft.engines.event.kernel_language import apart, inlined, kernel, malloc, memset, realloc, u8, u16, u32, u64
from weft.engines.event.list_kernels import append, unlink
from weft.engines.event.net_records import EDGE_CODES
from weft.engines.event.netlist_records import (
    AREA_DUE,
    AREA_GATES,
    AREA_GATES_END,
    AREA_RUN_CHANGES,
    AREA_RUN_GATES,
    AREA_SIDES,
    AREA_SOURCES,
    AREA_SOURCES_END,
    BATCH_END,
    BATCH_ENTRIES,
    BATCH_LIMIT,
    BATCH_SIZE,
    BATCHES_FREE,
    FAMILY_AND,
    FAMILY_INVERTED,
    FAMILY_OR,
    FLAG_PART,
    FLAG_PROMPT,
    FLAG_SPECIAL,
    FLAG_WATCHED,
    FLAG_WIDE,
    GATE_COMING,
    GATE_COUNT,
    GATE_DELAYS,
    GATE_FLAGS,
    GATE_GENERATION,
    GATE_INPUTS,
    GATE_MASK,
    GATE_PLACE,
    GATE_PLANE,
    GATE_QUEUED,
    GATE_READERS,
    GATE_SHOWN,
    GATE_TABLE,
    INPUT_MASK,
    LINE,
    NETLIST,
    READERS_INLINE,
    READERS_LINE,
    SOURCE_AT,
    SOURCE_GATE,
    SOURCE_PLACE,
    SOURCE_PLANE,
    SOURCE_SHIFT,
    SOURCE_SIZE,
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
    SIGNAL_WATCHES,
    TIME,
    WATCH_ANY,
)
from weft.engines.event.scheduler import notify
from weft.engines.event.wheel_kernels import put_into_wheel

# pyright: reportUnusedFunction=false

LOW_BITS = 0x5555555555555555
COMING_BYTE, QUEUED_BYTE = 0xFF00, 0xFF0000
"""In the four bytes from `GATE_SHOWN` on: the code to come, and whether the gate is in a batch."""
ROOM = 448
"""The bytes for the first entries of a batch; what follows is twice as much each time."""
AHEAD = 32
"""How many bytes ahead in a batch the gates are fetched into the cache; the room ends so much before its end."""


# ------------------------------------------------------------------------------------------- batches


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


@kernel
def drop_batch(batch: int, state: int) -> int:
    """Take a batch out of the wheel if all its changes have been taken away; return whether it was so."""
    area = u64[state + NETLIST]
    entry = u64[batch + BATCH_ENTRIES]
    end = u64[batch + BATCH_END]
    while entry != end:
        change = u64[entry]
        gate = area + (change & GATE_MASK)
        if u32[gate + GATE_GENERATION] == change >> 32:
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


# ------------------------------------------------------------------------------------------- changes


@kernel
def run_changes(due: int, state: int) -> int:
    """Let outputs have what they were to have by now, except where a gate has thought better of it."""
    area = u64[state + NETLIST]
    entry = u64[due + BATCH_ENTRIES]
    end = u64[due + BATCH_END]
    count_events((end - entry) // 8, state)
    # What is left is moved together first: a short loop that brings many gates into the cache at a time.
    kept = entry
    while entry != end:
        change = u64[entry]
        u64[kept] = change
        kept = kept + ((u32[area + (change & GATE_MASK) + GATE_GENERATION] == change >> 32) << 3)
        entry = entry + 8
    # The batch that gates are woken into: nothing else is put into the active list before somebody is told.
    batch = 0
    room = 0
    at = 0
    entry = u64[due + BATCH_ENTRIES]
    while entry != kept:
        gate = area + (u32[entry] & GATE_MASK)
        entry = entry + 8
        old = u8[gate + GATE_SHOWN]
        code = u8[gate + GATE_COMING]
        write_output(gate, code, old ^ code)
        more = u32[gate + GATE_COUNT] << 2
        if room < at + more:
            if batch:
                u64[batch + BATCH_END] = at
            batch = woken_batch(more, state)
            at = u64[batch + BATCH_END]
            room = u64[batch + BATCH_LIMIT]
        at = wake_readers(gate, more, old ^ code, area, at)
        if u8[gate + GATE_FLAGS] & FLAG_WATCHED:
            if batch:
                u64[batch + BATCH_END] = at
            batch = 0
            room = 0
            at = 0
            tell(gate, old, code, area, state)
    if batch:
        u64[batch + BATCH_END] = at
    batch_free(due, state)
    return 0


@kernel
def show(gate: int, code: int, area: int, state: int) -> int:
    """Write the output of a gate without a delay, and wake all that watch it."""
    old = u8[gate + GATE_SHOWN]
    write_output(gate, code, old ^ code)
    more = u32[gate + GATE_COUNT] << 2
    if more:
        batch = woken_batch(more, state)
        u64[batch + BATCH_END] = wake_readers(gate, more, old ^ code, area, u64[batch + BATCH_END])
    if u8[gate + GATE_FLAGS] & FLAG_WATCHED:
        tell(gate, old, code, area, state)
    return 0


@inlined
def write_output(gate: int, code: int, difference: int) -> int:
    """Write a gate's output."""
    u8[gate + GATE_SHOWN] = code
    place = u64[gate + GATE_PLACE]
    if u8[gate + GATE_FLAGS] & FLAG_PART:
        plane = u32[gate + GATE_PLANE]
        shift = plane & 7
        plane = plane >> 3
        u8[place] = u8[place] ^ (difference & 1) << shift
        u8[place + plane] = u8[place + plane] ^ (difference >> 1) << shift
    else:
        u16[place] = code & 1 | code >> 1 << 8
    return 0


@inlined
def wake_readers(gate: int, size: int, difference: int, area: int, end: int) -> int:
    """Give `size` bytes of readers their new input, and put those at `end` that are in no batch; return the new end."""
    reader = gate + GATE_READERS
    last = reader + size
    while reader != last:
        word = u32[reader]
        target = area + (word & GATE_MASK)
        u64[target + GATE_INPUTS] = u64[target + GATE_INPUTS] ^ difference << (word & INPUT_MASK)
        # The entry is written in any case, and kept if the gate was in no batch: that is a toss-up.
        u32[end] = word
        end = end + 4 - u8[target + GATE_QUEUED]
        u8[target + GATE_QUEUED] = 4
        reader = reader + 4
    return end


@kernel
def tell(gate: int, old: int, code: int, area: int, state: int) -> int:
    """Tell a change of a gate's output to those who watch its signal."""
    side = u64[area + AREA_SIDES] + (gate - area) // LINE * 16
    signal = u64[side]
    bit = u64[side + 8]
    if u64[signal - SIGNAL_WATCHES]:
        edges = WATCH_ANY
        if bit == 0:
            edges = (EDGE_CODES >> ((old << 2 | code) << 1)) & 3 | WATCH_ANY
        notify(signal, edges, bit, bit + 1, 0, state)
    return 0


# ------------------------------------------------------------------------------------------- gates


@kernel
def run_gates(woken: int, state: int) -> int:
    """Look up what woken gates want, and begin the changes that this makes."""
    if u64[state + WOKEN] == woken:
        u64[state + WOKEN] = 0
    area = u64[state + NETLIST]
    time = u64[state + TIME]
    entry = u64[woken + BATCH_ENTRIES]
    end = u64[woken + BATCH_END]
    count_events((end - entry) // 4, state)
    wanted = batch_new(0, state)
    if u64[wanted + BATCH_LIMIT] - u64[wanted + BATCH_ENTRIES] < (end - entry) * 2:
        batch_grow(wanted, (end - entry) * 2)
    kept = u64[wanted + BATCH_ENTRIES]
    while entry != end:
        number = u32[entry] & GATE_MASK
        gate = area + number
        entry = entry + 4
        # Codes, flags and whether it is in a batch are read and written as one: byte by byte takes a quarter longer.
        fields = u32[gate + GATE_SHOWN] & ~QUEUED_BYTE
        if fields & FLAG_SPECIAL << 24:
            u8[gate + GATE_QUEUED] = 0
            code = special_code(gate, area, state)
            fields = u32[gate + GATE_SHOWN]
        else:
            code = u8[area + u32[gate + GATE_TABLE] + u64[gate + GATE_INPUTS]]
        # Whether a change begins is a toss-up, so the entry is written in any case, and kept if there is one.
        changes = code != ((fields >> 8) & 255)
        generation = u32[gate + GATE_GENERATION] + changes
        u32[gate + GATE_GENERATION] = generation
        u32[gate + GATE_SHOWN] = fields & ~COMING_BYTE | code << 8
        u64[kept] = number | generation << 32
        kept = kept + ((changes & (code != (fields & 255))) << 3)
    batch_free(woken, state)
    entry = u64[wanted + BATCH_ENTRIES]
    while entry != kept:
        change = u64[entry]
        gate = area + (change & GATE_MASK)
        due = time + u64[area + u32[gate + GATE_DELAYS] + (u8[gate + GATE_COMING] << 3)]
        known = area + AREA_DUE + (due * DUE_HASH >> (64 - DUE_BITS)) * DUE_SIZE
        batch = u64[known + DUE_BATCH]
        if u64[known + DUE_TIME] != due:
            batch = due_batch(known, due, state)
        at = u64[batch + BATCH_END]
        if at == u64[batch + BATCH_LIMIT]:
            at = batch_grow(batch, 8)
        u64[at] = change
        u64[batch + BATCH_END] = at + 8
        entry = entry + 8
    batch_free(wanted, state)
    return 0


@apart
def special_code(gate: int, area: int, state: int) -> int:
    """Return what a gate with a family, or without a delay, wants; one without a delay has it at once."""
    flags = u8[gate + GATE_FLAGS]
    if flags & FLAG_WIDE:
        code = family_code(u32[gate + GATE_TABLE], u64[gate + GATE_INPUTS])
    else:
        code = u8[area + u32[gate + GATE_TABLE] + u64[gate + GATE_INPUTS]]
    if flags & FLAG_PROMPT:
        if code != u8[gate + GATE_COMING]:
            u8[gate + GATE_COMING] = code
            show(gate, code, area, state)
    return code


@kernel
def family_code(family: int, inputs: int) -> int:
    """Return the output of a gate of any number of inputs (IEEE 1800-2023 28.4)."""
    unknown = (inputs >> 1) & LOW_BITS
    ones = inputs & LOW_BITS & ~unknown
    kind = family & 3
    code = 0
    if kind == FAMILY_AND:
        if ones == LOW_BITS:
            code = 1
        if unknown:
            code = 2
        if LOW_BITS & ~(ones | unknown):
            code = 0
    else:
        if unknown:
            code = 2
        if kind == FAMILY_OR:
            if ones:
                code = 1
        else:
            if unknown == 0:
                ones = ones ^ ones >> 32
                ones = ones ^ ones >> 16
                ones = ones ^ ones >> 8
                ones = ones ^ ones >> 4
                code = (ones ^ ones >> 2) & 1
    if family & FAMILY_INVERTED:
        if code != 2:
            code = code ^ 1
    return code


@kernel
def wake_gate(gate: int, area: int, state: int) -> int:
    """Put a gate into a batch, unless it is in one."""
    if u8[gate + GATE_QUEUED] == 0:
        u8[gate + GATE_QUEUED] = 4
        batch = woken_batch(4, state)
        end = u64[batch + BATCH_END]
        u32[end] = gate - area
        u64[batch + BATCH_END] = end + 4
    return 0


# ------------------------------------------------------------------------------------------- sources


@kernel
def source_code(source: int) -> int:
    """Return the code of an input in memory."""
    place = u64[source + SOURCE_PLACE]
    plane = u64[source + SOURCE_PLANE]
    shift = u64[source + SOURCE_SHIFT]
    code = (u8[place] >> shift) & 1
    if plane:
        code = code | ((u8[place + plane] >> shift) & 1) << 1
    return code


@kernel
def take_input(source: int, state: int) -> int:
    """Give a gate the present code of one of its inputs."""
    code = source_code(source)
    gate = u64[source + SOURCE_GATE]
    at = u64[source + SOURCE_AT]
    inputs = u64[gate + GATE_INPUTS]
    difference = (inputs >> at) & 3 ^ code
    if difference:
        u64[gate + GATE_INPUTS] = inputs ^ difference << at
        wake_gate(gate, u64[state + NETLIST], state)
    return 0


@kernel
def begin_gates(state: int) -> int:
    """Give the gates their first inputs, once all variables have their first values; who these have woken waits."""
    area = u64[state + NETLIST]
    source = u64[area + AREA_SOURCES]
    while source != u64[area + AREA_SOURCES_END]:
        place = u64[source + SOURCE_GATE] + GATE_INPUTS
        at = u64[source + SOURCE_AT]
        u64[place] = u64[place] & ~(3 << at) | source_code(source) << at
        source = source + SOURCE_SIZE
    u64[state + WOKEN] = 0
    return 0


@kernel
def run_first(node: int, state: int) -> int:
    """Do all gates for the first time, whether they have been woken or not."""
    area = u64[state + NETLIST]
    batch = batch_new(0, state)
    gate = u64[area + AREA_GATES]
    while gate != u64[area + AREA_GATES_END]:
        end = u64[batch + BATCH_END]
        if u64[batch + BATCH_LIMIT] < end + 4:
            end = batch_grow(batch, 4)
        u8[gate + GATE_QUEUED] = 4
        u32[end] = gate - area
        u64[batch + BATCH_END] = end + 4
        count = u32[gate + GATE_COUNT]
        gate = gate + LINE
        if count > READERS_INLINE:
            gate = gate + (count - READERS_INLINE + READERS_LINE - 1) // READERS_LINE * LINE
    run_gates(batch, state)
    return 0
