"""Streams of the elements of containers, as kernels (IEEE 1800-2023 11.4.14).

A stream is a row of bits in words, the lowest first, with two words more than it needs; the first element of a
container is at its top. Each plane of the elements is a stream of its own. The blocks that `<<` reverses are counted
from the bottom; reversing one block as long as the stream copies it.
"""

from __future__ import annotations

from weft.engines.event.kernel_language import free, inlined, kernel, malloc, memset, u8, u16, u32, u64
from weft.engines.event.records import CONTAINER_COUNT, CONTAINER_FIRST, CONTAINER_STEP


@kernel
def stream_make(bits: int) -> int:
    """Return a stream of zeros."""
    size = ((bits >> 6) + 2) * 8
    made = malloc(size)
    memset(made, 0, size)
    return made


@inlined
def stream_get(stream: int, at: int, count: int) -> int:
    """Return up to 64 bits of a stream."""
    place = stream + (at >> 6) * 8
    shift = at & 63
    word = u64[place] >> shift
    if shift:
        word = word | (u64[place + 8] << (64 - shift))
    if count < 64:
        word = word & ((1 << count) - 1)
    return word


@inlined
def stream_put(stream: int, at: int, word: int) -> int:
    """Put bits where a stream has zeros."""
    place = stream + (at >> 6) * 8
    shift = at & 63
    u64[place] = u64[place] | (word << shift)
    if shift:
        u64[place + 8] = u64[place + 8] | (word >> (64 - shift))
    return 0


@inlined
def load_part(place: int, size: int) -> int:
    """Return a plane of so many bytes, or its next word."""
    if size == 1:
        return u8[place]
    if size == 2:
        return u16[place]
    if size == 4:
        return u32[place]
    return u64[place]


@inlined
def store_part(place: int, size: int, word: int) -> int:
    """Store a plane of so many bytes, or its next word."""
    if size == 1:
        u8[place] = word
    elif size == 2:
        u16[place] = word
    elif size == 4:
        u32[place] = word
    else:
        u64[place] = word
    return 0


@kernel
def stream_move(source: int, from_at: int, target: int, to_at: int, count: int) -> int:
    """Copy bits to where a stream has zeros."""
    while count > 64:
        stream_put(target, to_at, stream_get(source, from_at, 64))
        from_at = from_at + 64
        to_at = to_at + 64
        count = count - 64
    if count:
        stream_put(target, to_at, stream_get(source, from_at, count))
    return 0


@kernel
def stream_turn(source: int, total: int, block: int, offset: int) -> int:
    """Return a new stream with the blocks of another one in opposite order, `offset` zeros below them."""
    made = stream_make(total + offset)
    if block == 0:
        block = total
    at = 0
    while at < total:
        here = total - at
        if block < here:
            here = block
        stream_move(source, at, made, total - at - here + offset, here)
        at = at + here
    return made


@kernel
def stream_of(container: int, width: int, size: int, plane: int) -> int:
    """Return the stream of a plane of the elements, which begins `plane` bytes behind each and has `size` bytes."""
    count = 0
    if container:
        count = u64[container + CONTAINER_COUNT]
    made = stream_make(count * width)
    at = count * width
    place = plane
    step = 0
    if container:
        place = place + u64[container + CONTAINER_FIRST]
        step = u64[container + CONTAINER_STEP]
    while at:
        at = at - width
        done = 0
        while done < width:
            stream_put(made, at + done, load_part(place + (done >> 3), size))
            done = done + 64
        place = place + step
    return made


@kernel
def stream_fill(container: int, stream: int, width: int, size: int, plane: int) -> int:
    """Store a stream into a plane of the elements."""
    at = u64[container + CONTAINER_COUNT] * width
    place = u64[container + CONTAINER_FIRST] + plane
    while at:
        at = at - width
        done = 0
        while done < width:
            here = width - done
            if here > 64:
                here = 64
            store_part(place + (done >> 3), size, stream_get(stream, at + done, here))
            done = done + 64
        place = place + u64[container + CONTAINER_STEP]
    return 0


@kernel
def stream_know(stream: int, unknown: int, bits: int) -> int:
    """Make unknown bits of a stream 0."""
    at = 0
    while at < bits:
        place = stream + (at >> 6) * 8
        u64[place] = u64[place] & ~u64[unknown + (at >> 6) * 8]
        at = at + 64
    return 0


@kernel
def stream_read(stream: int, at: int, words: int, target: int) -> int:
    """Copy words of a stream from a bit on, and free it."""
    done = 0
    while done < words:
        u64[target + done * 8] = stream_get(stream, at + done * 64, 64)
        done = done + 1
    free(stream)
    return 0
