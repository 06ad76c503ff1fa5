"""Gates of a bit with constant delays, as kernels (`kernel_language`, `netlist_records`).

A gate has all that changes of it in one word: its inputs' codes, two bits each, the codes that its output shows and is
going to have, a count. When an output changes, the gate's own list of readers says where the new code goes, so that a
reader is never asked to look: its word is corrected by an exclusive or, and it is put into the *batch* of gates that
have been woken. When that batch comes to run, each of its gates looks up once, however many of its inputs have changed,
what this makes of its word: one sum says what is coming, whether a change begins and whether one is taken away.

A changed output with a delay is an entry in the batch of all changes that are due at that time: the wheel has one node
for them all. An inertial delay needs at most one change on its way for each gate (IEEE 1800-2023 28.16), so a change is
taken away by counting the gate's generation up, and the entry finds that out when it is due.

`batch_kernels` keeps batches in the order that single nodes would have.
"""

from __future__ import annotations

from weft.engines.event.batch_kernels import (
    batch_free,
    batch_grow,
    batch_new,
    count_events,
    due_batch,
    is_due,
    woken_batch,
)
from weft.engines.event.kernel_language import inlined, kernel, u8, u16, u32, u64
from weft.engines.event.net_records import EDGE_CODES
from weft.engines.event.netlist_records import (
    AREA_CODES,
    AREA_DUE,
    AREA_GATES,
    AREA_GATES_END,
    AREA_SIDES,
    AREA_SOURCES,
    AREA_SOURCES_END,
    BATCH_END,
    BATCH_ENTRIES,
    BATCH_LIMIT,
    COUNT_MASK,
    FAMILY_AND,
    FAMILY_INVERTED,
    FAMILY_OR,
    FLAG_MANY,
    FLAG_PART,
    FLAG_WATCHED,
    FLAGS_AT,
    GATE_COUNT,
    GATE_DELAYS,
    GATE_KIND,
    GATE_MASK,
    GATE_PLACE,
    GATE_PLANE,
    GATE_READERS,
    GATE_TABLE,
    GATE_TERMS,
    GENERATION_AT,
    IDLE,
    INPUT_MASK,
    INPUTS_AT,
    KIND_FAMILY,
    KIND_PROMPT,
    LINE,
    NETLIST,
    READER_TERM,
    READERS_INLINE,
    READERS_LINE,
    SHOWN_AT,
    SOURCE_BIT_SIZE,
    SOURCE_DIFFERENCE,
    SOURCE_PLACE,
    SOURCE_READERS,
    SOURCE_SIZE,
    SOURCES_ALL,
    SOURCES_BITS,
    SOURCES_END,
    SOURCES_HIGH,
    SOURCES_LOW,
    SOURCES_PLACE,
    SOURCES_PLANE,
    SOURCES_SIZE,
    SPECIAL,
    SPECIAL_BYTE,
    STEP_MASK,
    WOKEN,
)
from weft.engines.event.records import (
    DUE_BATCH,
    DUE_BITS,
    DUE_HASH,
    DUE_SIZE,
    DUE_TIME,
    SIGNAL_WATCHES,
    TIME,
    WATCH_ANY,
)
from weft.engines.event.scheduler import notify

# pyright: reportUnusedFunction=false

LOW_BITS = 0x5555555555555555
IDLE_ENTRY, BEGINS_NOTE = 9, 9
"""How far down the bits `IDLE` and `BEGINS` are the size of an entry, 8 bytes, and of a note of a change, 16."""


# ------------------------------------------------------------------------------------------- changes


@kernel
def run_changes(due: int, state: int) -> int:
    """Let outputs have what they were to have by now, except where a gate has thought better of it."""
    area = u64[state + NETLIST]
    entry = u64[due + BATCH_ENTRIES]
    end = u64[due + BATCH_END]
    count_events((end - entry) // 8, state)
    # The batch that gates are woken into: nothing else is put into the active list before somebody is told.
    batch = 0
    at = 0
    while entry != end:
        gate = area + u32[entry]
        word = u64[gate]
        if is_due(entry, word):
            fields = u32[gate + GATE_COUNT]
            if fields & (FLAG_WATCHED | FLAG_MANY) << FLAGS_AT:
                if batch:
                    u64[batch + BATCH_END] = at
                    batch = 0
                change_output(gate, word, area, state)
            else:
                difference = (word ^ word >> SHOWN_AT) & 3
                u64[gate] = word ^ difference << SHOWN_AT
                write_output(gate, word, difference, fields)
                if fields & 255:
                    if batch == 0:
                        # There is room for the readers of all that are left, if each has so few.
                        batch = woken_batch((end - entry) * READERS_INLINE, state)
                        at = u64[batch + BATCH_END]
                    at = wake_readers(gate, fields & 255, difference, area, at)
        entry = entry + 8
    if batch:
        u64[batch + BATCH_END] = at
    batch_free(due, state)
    return 0


@kernel
def change_output(gate: int, word: int, area: int, state: int) -> int:
    """Have a gate's output show what was to come, given its word, and wake all that watch it."""
    difference = (word ^ word >> SHOWN_AT) & 3
    u64[gate] = word ^ difference << SHOWN_AT
    fields = u32[gate + GATE_COUNT]
    write_output(gate, word, difference, fields)
    count = fields & COUNT_MASK
    if count:
        batch = woken_batch(count * 8, state)
        u64[batch + BATCH_END] = wake_readers(gate, count, difference, area, u64[batch + BATCH_END])
    if fields & FLAG_WATCHED << FLAGS_AT:
        tell(gate, word, area, state)
    return 0


@inlined
def write_output(gate: int, word: int, difference: int, fields: int) -> int:
    """Write a gate's output, given its word and what stands at `GATE_COUNT`."""
    place = u64[gate + GATE_PLACE]
    if fields & FLAG_PART << FLAGS_AT:
        plane = u32[gate + GATE_PLANE]
        shift = plane & 7
        plane = plane >> 3
        u8[place] = u8[place] ^ (difference & 1) << shift
        u8[place + plane] = u8[place + plane] ^ (difference >> 1) << shift
    else:
        u16[place] = (word | word << 7) & 0x101
    return 0


@inlined
def wake_readers(gate: int, count: int, difference: int, area: int, end: int) -> int:
    """Give readers their new input, and put those at `end` that are in no batch; return the new end."""
    reader = gate + GATE_READERS
    last = reader + count * 4
    while reader != last:
        end = wake_reader(u32[reader], difference, area, end)
        reader = reader + 4
    return end


@inlined
def wake_reader(reader: int, difference: int, area: int, end: int) -> int:
    """Give a reader its new input, and put it at `end` if it is in no batch; return the new end."""
    gate = area + (reader & GATE_MASK)
    word = u64[gate]
    moved = difference << (reader & INPUT_MASK)
    if reader & READER_TERM:
        u64[gate + GATE_TERMS] = u64[gate + GATE_TERMS] ^ moved
        moved = 0
    u64[gate] = (word ^ moved) & ~IDLE
    # The entry is written in any case, and kept if the gate was in no batch: that is a toss-up.
    u64[end] = reader & GATE_MASK
    return end + (word >> IDLE_ENTRY & 8)


@kernel
def tell(gate: int, word: int, area: int, state: int) -> int:
    """Tell a change of a gate's output to those who watch its signal, given its word before."""
    side = u64[area + AREA_SIDES] + (gate - area) // LINE * 16
    signal = u64[side]
    bit = u64[side + 8]
    if u64[signal - SIGNAL_WATCHES]:
        edges = WATCH_ANY
        if bit == 0:
            # The codes that it shows and is going to have follow one another as those before and after an edge do.
            edges = (EDGE_CODES >> ((word & 15) << 1)) & 3 | WATCH_ANY
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
    size = u64[woken + BATCH_END] - u64[woken + BATCH_ENTRIES]
    count_events(size // 8, state)
    if u64[woken + BATCH_LIMIT] < u64[woken + BATCH_END] + size * 2:
        batch_grow(woken, size * 2)
    entry = u64[woken + BATCH_ENTRIES]
    end = u64[woken + BATCH_END]
    # Whether a change begins is a toss-up, so a gate is noted behind the entries in any case, and kept if one does.
    kept = end
    while entry != end:
        number = u64[entry]
        entry = entry + 8
        gate = area + number
        if u8[gate + SPECIAL_BYTE] & SPECIAL:
            step = special_step(gate, area, state)
            word = u64[gate]
        else:
            word = u64[gate] & ~IDLE
            step = u16[u64[gate + GATE_TABLE] + (word & STEP_MASK) * 2]
            word = word + step
            u64[gate] = word
        u64[kept] = number
        u64[kept + 8] = time + u64[area + u32[gate + GATE_DELAYS] + ((word & 3) << 3)]
        kept = kept + (step >> BEGINS_NOTE & 16)
    while entry != kept:
        number = u64[entry]
        due = u64[entry + 8]
        entry = entry + 16
        known = area + AREA_DUE + (due * DUE_HASH >> (64 - DUE_BITS)) * DUE_SIZE
        batch = u64[known + DUE_BATCH]
        if u64[known + DUE_TIME] != due:
            batch = due_batch(known, due, state)
        at = u64[batch + BATCH_END]
        if at == u64[batch + BATCH_LIMIT]:
            at = batch_grow(batch, 8)
        u32[at] = number
        u32[at + 4] = u64[area + number] >> GENERATION_AT
        u64[batch + BATCH_END] = at + 8
    batch_free(woken, state)
    return 0


@kernel
def special_step(gate: int, area: int, state: int) -> int:
    """Bring forward the word of a gate with a family, or without a delay, and return by what.

    A gate without a delay has its code at once, and begins no change.
    """
    word = u64[gate] & ~IDLE
    kind = u32[gate + GATE_KIND]
    if kind & KIND_FAMILY:
        code = family_code(kind, u64[gate + GATE_TERMS])
        step = u16[area + AREA_CODES + (code << INPUTS_AT | word & 15) * 2]
    else:
        step = u16[u64[gate + GATE_TABLE] + (word & STEP_MASK) * 2]
    word = word + step
    u64[gate] = word
    if kind & KIND_PROMPT == 0:
        return step
    if step != IDLE:
        change_output(gate, word, area, state)
    return 0


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


# ------------------------------------------------------------------------------------------- sources


@inlined
def source_difference(bit: int, sources: int, area: int) -> int:
    """Return which bits of an input's code are new, given what there is for it, and some reader."""
    place = u64[sources + SOURCES_PLACE] + (u32[bit + SOURCE_PLACE] >> 3)
    shift = u32[bit + SOURCE_PLACE] & 7
    code = u8[place] >> shift & 1
    plane = u64[sources + SOURCES_PLANE]
    if plane:
        code = code | (u8[place + plane] >> shift & 1) << 1
    reader = u32[area + u32[bit + SOURCE_READERS]]
    known = area + (reader & GATE_MASK)
    if reader & READER_TERM:
        known = known + GATE_TERMS
    return (u64[known] >> (reader & INPUT_MASK) ^ code) & 3


@kernel
def take_inputs(sources: int, low: int, high: int, state: int) -> int:
    """Give gates the present codes of inputs of a signal, of which bits `low` to `high` may have changed.

    The gates are woken in their order; if one bit has changed, its readers alone are looked at.
    """
    area = u64[state + NETLIST]
    if low < u64[sources + SOURCES_LOW]:
        low = u64[sources + SOURCES_LOW]
    if u64[sources + SOURCES_HIGH] < high:
        high = u64[sources + SOURCES_HIGH]
    bits = u64[sources + SOURCES_BITS]
    first = bits + (low - u64[sources + SOURCES_LOW]) * SOURCE_BIT_SIZE
    last = bits + (high - u64[sources + SOURCES_LOW]) * SOURCE_BIT_SIZE
    count = 0
    only = 0
    bit = first
    while bit != last:
        if u32[bit + SOURCE_READERS] != u32[bit + SOURCE_BIT_SIZE + SOURCE_READERS]:
            difference = source_difference(bit, sources, area)
            if difference:
                u32[bit + SOURCE_DIFFERENCE] = difference
                only = bit
                count = count + 1
        bit = bit + SOURCE_BIT_SIZE
    if count == 0:
        return 0
    if count == 1:
        reader = area + u32[only + SOURCE_READERS]
        end = area + u32[only + SOURCE_BIT_SIZE + SOURCE_READERS]
        batch = woken_batch((end - reader) * 2, state)
        at = u64[batch + BATCH_END]
        while reader != end:
            at = wake_reader(u32[reader], u32[only + SOURCE_DIFFERENCE], area, at)
            reader = reader + 4
    else:
        source = u64[sources + SOURCES_ALL]
        end = u64[sources + SOURCES_END]
        # An entry of a batch is as long as a source.
        batch = woken_batch(end - source, state)
        at = u64[batch + BATCH_END]
        while source != end:
            difference = u32[bits + u32[source + 4] + SOURCE_DIFFERENCE]
            if difference:
                at = wake_reader(u32[source], difference, area, at)
            source = source + SOURCE_SIZE
    u64[batch + BATCH_END] = at
    while first != last:
        u32[first + SOURCE_DIFFERENCE] = 0
        first = first + SOURCE_BIT_SIZE
    return 0


@kernel
def begin_gates(state: int) -> int:
    """Give the gates their first inputs, once all variables have their first values; who these have woken waits."""
    area = u64[state + NETLIST]
    sources = u64[area + AREA_SOURCES]
    while sources != u64[area + AREA_SOURCES_END]:
        bit = u64[sources + SOURCES_BITS]
        count = u64[sources + SOURCES_HIGH] - u64[sources + SOURCES_LOW]
        while count:
            reader = area + u32[bit + SOURCE_READERS]
            end = area + u32[bit + SOURCE_BIT_SIZE + SOURCE_READERS]
            if reader != end:
                begin_readers(reader, end, source_difference(bit, sources, area), area)
            bit = bit + SOURCE_BIT_SIZE
            count = count - 1
        sources = sources + SOURCES_SIZE
    u64[state + WOKEN] = 0
    return 0


@kernel
def begin_readers(reader: int, end: int, difference: int, area: int) -> int:
    """Give readers their first input."""
    while reader != end:
        named = u32[reader]
        place = area + (named & GATE_MASK)
        if named & READER_TERM:
            place = place + GATE_TERMS
        u64[place] = u64[place] ^ difference << (named & INPUT_MASK)
        reader = reader + 4
    return 0


@kernel
def run_first(node: int, state: int) -> int:
    """Do all gates for the first time, whether they have been woken or not."""
    area = u64[state + NETLIST]
    batch = batch_new(0, state)
    gate = u64[area + AREA_GATES]
    while gate != u64[area + AREA_GATES_END]:
        end = u64[batch + BATCH_END]
        if u64[batch + BATCH_LIMIT] < end + 8:
            end = batch_grow(batch, 8)
        u64[gate] = u64[gate] & ~IDLE
        u64[end] = gate - area
        u64[batch + BATCH_END] = end + 8
        count = u32[gate + GATE_COUNT] & COUNT_MASK
        gate = gate + LINE
        if count > READERS_INLINE:
            gate = gate + (count - READERS_INLINE + READERS_LINE - 1) // READERS_LINE * LINE
    run_gates(batch, state)
    return 0
