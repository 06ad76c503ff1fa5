"""What makes a section of an FST file out of chains, as kernels (`engines.event.kernel_language`).

Chains that are equal are stored once: a hash of their last bytes leads to earlier chains of the same length, which are
compared. Others are compressed as LZ4 blocks, in the format's own greedy way (Collet, "LZ4 Block Format Description"):
a table remembers where each hash of five bytes was seen last, and steps grow longer while nothing is found. The table
holds offsets from the arena's beginning and is never cleared; what it has of other chains is out of the present one's
bounds. So the cost of a chain is that of its bytes, and nothing of it is Python.
"""

from __future__ import annotations

from weft.engines.event.kernel_language import clz, ctz, kernel, memcmp, memcpy, u8, u16, u32, u64

# pyright: reportUnusedFunction=false

HASH_BITS = 12
TABLE_BYTES = 4 << HASH_BITS
HASH_DOWN = 64 - HASH_BITS
HASH_UP = 24  # five bytes remain
HASH_FACTOR = 889523592379
MIX_FACTOR = 0x9E3779B97F4A7C15
SKIP = 6  # after so many failures as a power of two, a step is one byte longer
FARTHEST = 65535
SHORTEST = 4  # bytes of a match
LAST_LITERALS = 5  # bytes at a block's end that no match may cover
LAST_MATCH = 12  # a match begins at least so many bytes before a block's end
STORED_BELOW = 33  # shorter chains are not worth compressing
TAIL = 64  # bytes at a chain's end that its hash is made of
SLACK = 32  # bytes after a chain, and after what is written, that may be touched

CHAIN_DATA, INDEX_BYTES, MEMORY = 0, 8, 16
"""Offsets of what `pack_chains` finds: bytes of chains, of the index, and those that a reader needs for all chains."""


@kernel
def put_varint(at: int, value: int) -> int:
    """Write an unsigned variable-length integer; return the place after it."""
    while value >= 128:
        u8[at] = value | 128
        value = value >> 7
        at = at + 1
    u8[at] = value
    return at + 1


@kernel
def put_signed_varint(at: int, value: int) -> int:
    """Write a signed variable-length integer (LEB128); return the place after it."""
    size = 64 - clz(value ^ -(value >> 63)) + 1
    count = (size + 6) // 7
    while count > 1:
        u8[at] = value | 128
        # An arithmetic shift.
        value = value >> 7 | -(value >> 63) << 57
        at = at + 1
        count = count - 1
    u8[at] = value & 127
    return at + 1


@kernel
def hash_place(at: int, table: int) -> int:
    """Return the place in the table for the five bytes at an address."""
    return table + ((u64[at] << HASH_UP) * HASH_FACTOR >> HASH_DOWN << 2)


@kernel
def put_length(at: int, rest: int) -> int:
    """Write what is left of a length that does not fit into its half of a token."""
    while rest >= 255:
        u8[at] = 255
        rest = rest - 255
        at = at + 1
    u8[at] = rest
    return at + 1


@kernel
def put_literals(at: int, source: int, count: int) -> int:
    """Copy literals, 16 bytes at a time, at least once; return the place after them."""
    end = at + count
    u64[at] = u64[source]
    u64[at + 8] = u64[source + 8]
    while at + 16 < end:
        at = at + 16
        source = source + 16
        u64[at] = u64[source]
        u64[at + 8] = u64[source + 8]
    return end


@kernel
def match_end(at: int, candidate: int, stop: int) -> int:
    """Return where two runs of bytes begin to differ, the first of them before `stop`."""
    while at + 8 <= stop:
        unlike = u64[at] ^ u64[candidate]
        if unlike != 0:
            return at + (ctz(unlike) >> 3)
        at = at + 8
        candidate = candidate + 8
    while at < stop and u8[at] == u8[candidate]:
        at = at + 1
        candidate = candidate + 1
    return at


@kernel
def compress_lz4(base: int, begin: int, end: int, out: int, table: int) -> int:
    """Write bytes as an LZ4 block; return the place after it. `base` is what the table's offsets count from."""
    at = begin
    literals = begin
    stop = end - LAST_LITERALS
    last = end - LAST_MATCH
    tries = 1 << SKIP
    while at <= last:
        place = hash_place(at, table)
        candidate = base + u32[place]
        u32[place] = at - base
        # A distance of 0, or a negative one, is a large number when 1 is taken away.
        if at - candidate - 1 >= FARTHEST or candidate < begin or u32[candidate] != u32[at]:
            at = at + (tries >> SKIP)
            tries = tries + 1
            continue
        while at > literals and candidate > begin and u8[at - 1] == u8[candidate - 1]:
            at = at - 1
            candidate = candidate - 1
        count = at - literals
        token = out
        out = out + 1
        high = 15
        if count < 15:
            high = count
        else:
            out = put_length(out, count - 15)
        out = put_literals(out, literals, count)
        u16[out] = at - candidate
        out = out + 2
        literals = match_end(at + SHORTEST, candidate + SHORTEST, stop)
        length = literals - at - SHORTEST
        low = 15
        if length < 15:
            low = length
        else:
            out = put_length(out, length - 15)
        u8[token] = high << 4 | low
        at = literals
        u32[hash_place(at - 2, table)] = at - 2 - base
        tries = 1 << SKIP
    count = end - literals
    if count < 15:
        u8[out] = count << 4
        out = out + 1
    else:
        u8[out] = 15 << 4
        out = put_length(out + 1, count - 15)
    return put_literals(out, literals, count)


@kernel
def hash_chain(begin: int, end: int) -> int:
    """Return a hash of a chain's length and its last bytes."""
    found = (end - begin) * MIX_FACTOR
    at = begin
    if end - begin > TAIL:
        at = end - TAIL
    while at + 8 <= end:
        found = (found ^ u64[at]) * MIX_FACTOR
        found = found ^ found >> 29
        at = at + 8
    while at < end:
        found = (found ^ u8[at]) * MIX_FACTOR
        found = found ^ found >> 29
        at = at + 1
    return found


@kernel
def find_twin(starts: int, ends: int, number: int, seen: int, mask: int) -> int:
    """Return 1 plus the number of an earlier chain that is equal, or 0 after having entered this one into `seen`."""
    begin = u64[starts + (number << 3)]
    size = u64[ends + (number << 3)] - begin
    slot = hash_chain(begin, begin + size) & mask
    while u32[seen + (slot << 2)] != 0:
        other = u32[seen + (slot << 2)] - 1
        start = u64[starts + (other << 3)]
        if u64[ends + (other << 3)] - start == size and memcmp(start, begin, size) == 0:
            return other + 1
        slot = (slot + 1) & mask
    u32[seen + (slot << 2)] = number + 1
    return 0


@kernel
def pack_chain(base: int, begin: int, end: int, out: int, table: int) -> int:
    """Write a chain as it is stored: its size and its compressed bytes, or 0 and its bytes."""
    size = end - begin
    if size >= STORED_BELOW:
        body = put_varint(out, size)
        after = compress_lz4(base, begin, end, body, table)
        if after - body < size:
            return after
    u8[out] = 0
    memcpy(out + 1, begin, size)
    return out + 1 + size


@kernel
def pack_chains(
    base: int, starts: int, ends: int, count: int, out: int, index: int, table: int, seen: int, mask: int, result: int
) -> int:
    """Write chains, whose addresses are in two arrays, and their index.

    `seen` has `mask` + 1 words of 32 bits, all 0, more than there are chains.
    """
    position = out
    previous = out - 1
    entry = index
    alias = 0
    memory = 0
    silent = 0
    number = 0
    while number < count:
        begin = u64[starts + (number << 3)]
        end = u64[ends + (number << 3)]
        if begin == end:
            silent = silent + 1
            number = number + 1
            continue
        if silent != 0:
            entry = put_varint(entry, silent << 1)
            silent = 0
        memory = memory + end - begin
        twin = find_twin(starts, ends, number, seen, mask)
        if twin == 0:
            entry = put_signed_varint(entry, position - previous << 1 | 1)
            previous = position
            position = pack_chain(base, begin, end, position, table)
        else:
            # A repeat of the alias before it is written as 0; else the negated handle of the signal that has the chain.
            shown = -twin << 1 | 1
            if twin == alias:
                shown = 1
            entry = put_signed_varint(entry, shown)
            alias = twin
        number = number + 1
    if silent != 0:
        entry = put_varint(entry, silent << 1)
    u64[result + CHAIN_DATA] = position - out
    u64[result + INDEX_BYTES] = entry - index
    u64[result + MEMORY] = memory
    return 0


@kernel
def encode_times(times: int, count: int, divisor: int, out: int) -> int:
    """Write the table of times: from each to the next, in units of `divisor` femtoseconds; return its bytes."""
    begin = out
    end = times + (count << 3)
    before = 0
    shown = 0
    usual = 0
    units = 0
    whole = 1
    while times < end:
        now = u64[times]
        passed = now - before
        if passed != usual:
            usual = passed
            units = passed // divisor
            whole = units * divisor == passed
        # Most steps are as long as the one before, and nothing has to be divided.
        step = units
        if whole == 0:
            step = now // divisor - shown
        shown = shown + step
        before = now
        out = put_varint(out, step)
        times = times + 8
    return out - begin
