"""Draw from the values that a `randc` property has not yet had (IEEE 1800-2023 18.4.2), and elements, as kernels.

A `randc` property of up to 8 bits has a set in its object: a bit for each value that its present cycle has had. What
may be drawn is a set of the same form. When nothing of it is left a new cycle begins. The set is changed only when
all other values have been found (`cycle_take`).
"""

from __future__ import annotations

from weft.engines.event.container_kernels import sequence_resize
from weft.engines.event.kernel_language import ctz, free, inlined, kernel, malloc, memcpy, u64
from weft.engines.event.records import CONTAINER_COUNT, CONTAINER_FIRST, CONTAINER_STEP
from weft.engines.event.thread_kernels import random_below, seed_next

CYCLE_BYTES = 32
"""The bytes of a set of values of 8 bits."""


@inlined
def count_ones(word: int) -> int:
    """Return the number of ones in a word (Knuth, The Art of Computer Programming, volume 4A, 7.1.3)."""
    word = word - ((word >> 1) & 0x5555555555555555)
    word = (word & 0x3333333333333333) + ((word >> 2) & 0x3333333333333333)
    word = (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0F
    return (word * 0x0101010101010101) >> 56


@kernel
def cycle_left(used: int, allowed: int) -> int:
    """Return how many values of a set the present cycle has not had."""
    left = 0
    at = 0
    while at < CYCLE_BYTES:
        left = left + count_ones(u64[allowed + at] & ~u64[used + at])
        at = at + 8
    return left


@kernel
def cycle_clear(used: int) -> int:
    """Make a set empty."""
    at = 0
    while at < CYCLE_BYTES:
        u64[used + at] = 0
        at = at + 8
    return 0


@inlined
def ones_from(first: int, base: int) -> int:
    """Return the word of a set, the values from `base` on, that has all values from `first` on."""
    if first <= base:
        return -1
    if base + 63 < first:
        return 0
    return -1 << (first - base)


@kernel
def cycle_allow(allowed: int, low: int, high: int) -> int:
    """Make a set of the values from `low` to `high`."""
    at = 0
    while at < 4:
        # The bits of this word from `low` on, less those above `high`.
        u64[allowed + at * 8] = ones_from(low, at * 64) & ~ones_from(high + 1, at * 64)
        at = at + 1
    return 0


@kernel
def cycle_draw(used: int, allowed: int, node: int) -> int:
    """Draw a value of a set that is not empty, one that the present cycle has not had if there is any left."""
    left = cycle_left(used, allowed)
    again = 0
    if left == 0:
        again = -1
        left = count_ones(u64[allowed]) + count_ones(u64[allowed + 8])
        left = left + count_ones(u64[allowed + 16]) + count_ones(u64[allowed + 24])
    rank = random_below(node, left)
    at = 0
    word = u64[allowed] & (~u64[used] | again)
    while count_ones(word) <= rank:
        rank = rank - count_ones(word)
        at = at + 8
        word = u64[allowed + at] & (~u64[used + at] | again)
    while rank:
        word = word & (word - 1)
        rank = rank - 1
    return at * 8 + ctz(word)


@kernel
def cycle_take(used: int, allowed: int, value: int) -> int:
    """Note that a value has been chosen."""
    if cycle_left(used, allowed) == 0:
        cycle_clear(used)
    place = used + (value >> 6) * 8
    u64[place] = u64[place] | (1 << (value & 63))
    return 0


@kernel
def elements_make(count: int, step: int) -> int:
    """Return room for elements, of whole words."""
    return malloc(count * step + 8)


@kernel
def elements_draw(place: int, size: int, node: int) -> int:
    """Fill so many bytes, and up to seven more, with random bits."""
    at = 0
    while at < size:
        u64[place + at] = seed_next(node)
        at = at + 8
    return 0


@kernel
def elements_take(container: int, elements: int, count: int, state: int) -> int:
    """Make elements that have been drawn those of a container."""
    if u64[container + CONTAINER_COUNT] != count:
        sequence_resize(container, count, state)
    memcpy(u64[container + CONTAINER_FIRST], elements, count * u64[container + CONTAINER_STEP])
    free(elements)
    return 0
