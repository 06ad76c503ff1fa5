"""The characters of strings in compiled memory, as kernels (IEEE 1800-2023 6.16).

A string is a handle that Python has given out, and equal strings have one handle: whether two strings are equal is a
comparison of words. What needs the characters (the order of strings, their length, a character) looks them up in a
table by the handle. The table is filled as strings are asked for: Python is entered once for each string that is ever
looked into. Entries go with their handles, when the collector takes those back (`sim.collect_garbage`).
"""

from __future__ import annotations

from weft.engines.event.kernel_language import apart, free, invoke, kernel, memcmp, memset, realloc, u8, u64
from weft.engines.event.records import TEXT_CALL, TEXT_NONE, TEXT_ROOM, TEXT_TABLE

TEXT_LENGTH, TEXT_BYTES = 0, 8
"""A string: the number of its characters, and where they begin, a byte each."""


@kernel
def text_at(handle: int, state: int) -> int:
    """Return the address of a string's length and characters."""
    if handle < u64[state + TEXT_ROOM]:
        found = u64[u64[state + TEXT_TABLE] + handle * 8]
        if found:
            return found
    return text_fetch(handle, state)


@apart
def text_fetch(handle: int, state: int) -> int:
    """Have Python put a string into the table; if that fails, the run ends soon."""
    found = invoke(u64[state + TEXT_CALL], handle)
    if found == 0:
        return state + TEXT_NONE
    return found


@kernel
def text_keep(handle: int, block: int, state: int) -> int:
    """Put the characters of a string into the table; return their address."""
    room = u64[state + TEXT_ROOM]
    if handle >= room:
        more = handle * 2 + 64
        table = realloc(u64[state + TEXT_TABLE], more * 8)
        memset(table + room * 8, 0, (more - room) * 8)
        u64[state + TEXT_TABLE] = table
        u64[state + TEXT_ROOM] = more
    u64[u64[state + TEXT_TABLE] + handle * 8] = block
    return block


@kernel
def text_release(start: int, count: int, state: int) -> int:
    """Forget the strings whose handles are the words at an address."""
    at = 0
    while at < count:
        handle = u64[start + at * 8]
        if handle < u64[state + TEXT_ROOM]:
            slot = u64[state + TEXT_TABLE] + handle * 8
            free(u64[slot])
            u64[slot] = 0
        at = at + 1
    return 0


@kernel
def text_order(a: int, b: int, state: int) -> int:
    """Return 0 if two strings are equal, 1 if the first one comes later, else -1 (6.16.8)."""
    if a == b:
        return 0
    left = text_at(a, state)
    right = text_at(b, state)
    length = u64[left + TEXT_LENGTH]
    result = -1
    if u64[right + TEXT_LENGTH] < length:
        length = u64[right + TEXT_LENGTH]
        result = 1
    order = memcmp(left + TEXT_BYTES, right + TEXT_BYTES, length)
    if order == 0:
        return result
    return 1 - (order >> 63) * 2


@kernel
def text_length(handle: int, state: int) -> int:
    """Return the number of characters of a string."""
    return u64[text_at(handle, state) + TEXT_LENGTH]


@kernel
def text_character(handle: int, index: int, state: int) -> int:
    """Return a character of a string, 0 if there is none at the index."""
    found = text_at(handle, state)
    if index < u64[found + TEXT_LENGTH]:
        return u8[found + TEXT_BYTES + index]
    return 0
