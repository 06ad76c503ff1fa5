"""Sort, choose and permute the elements of containers, as kernels (IEEE 1800-2023 7.12.1, 7.12.2).

What is compared of each element, the element itself or what its `with` expression is, has been computed by the design's
code (`code_orders`) into an array of *pairs*: a word to compare, and the number of the element. The `kind` says what
the word is: `KEY_WORD` a number without sign; `KEY_TEXT` a string; a greater kind is the number of words of a long
number whose address the word is. `KEY_DOWN` turns the order of those two round; words to be sorted downwards are
complemented instead.

Sorting is stable and takes n log n comparisons: short runs by insertion, then merges from the bottom up.
"""

from __future__ import annotations

from weft.engines.event.kernel_language import (
    free,
    inlined,
    kernel,
    malloc,
    memcpy,
    memset,
    signed_less,
    u8,
    u16,
    u32,
    u64,
)
from weft.engines.event.records import CONTAINER_COUNT, CONTAINER_FIRST, CONTAINER_STEP
from weft.engines.event.text_kernels import text_order
from weft.engines.event.thread_kernels import random_below

PAIR_KEY, PAIR_PLACE, PAIR_BYTES = 0, 8, 16
"""A pair: the word to compare, and the number of the element."""

KEY_WORD, KEY_TEXT = 0, 1
KEY_DOWN = 1 << 32

RUN = 12
"""How many elements are sorted by insertion."""


@inlined
def key_less(a: int, b: int, kind: int, state: int) -> int:
    """Say whether a key comes before another one."""
    if kind == KEY_WORD:
        return a < b
    return far_less(a, b, kind, state)


@kernel
def far_less(a: int, b: int, kind: int, state: int) -> int:
    """Say whether a key that is no single word comes before another one."""
    if kind & KEY_DOWN:
        return far_less(b, a, kind & ~KEY_DOWN, state)
    if kind == KEY_TEXT:
        return signed_less(text_order(a, b, state), 0)
    while kind:
        kind = kind - 1
        left = u64[a + kind * 8]
        right = u64[b + kind * 8]
        if left != right:
            return left < right
    return 0


@kernel
def sort_runs(pairs: int, count: int, kind: int, state: int) -> int:
    """Sort each `RUN` pairs by insertion."""
    start = 0
    while start < count:
        end = start + RUN
        if count < end:
            end = count
        at = start + 1
        while at < end:
            key = u64[pairs + at * PAIR_BYTES]
            place = u64[pairs + at * PAIR_BYTES + PAIR_PLACE]
            hole = pairs + at * PAIR_BYTES
            while pairs + start * PAIR_BYTES < hole:
                if key_less(key, u64[hole - PAIR_BYTES], kind, state) == 0:
                    break
                u64[hole] = u64[hole - PAIR_BYTES]
                u64[hole + PAIR_PLACE] = u64[hole - PAIR_BYTES + PAIR_PLACE]
                hole = hole - PAIR_BYTES
            u64[hole] = key
            u64[hole + PAIR_PLACE] = place
            at = at + 1
        start = end
    return 0


@kernel
def merge_runs(left: int, right: int, end: int, target: int, kind: int, state: int) -> int:
    """Merge the pairs from `left` to `right` with those from `right` to `end`."""
    middle = right
    while left < middle and right < end:
        if key_less(u64[right], u64[left], kind, state):
            u64[target] = u64[right]
            u64[target + PAIR_PLACE] = u64[right + PAIR_PLACE]
            right = right + PAIR_BYTES
        else:
            u64[target] = u64[left]
            u64[target + PAIR_PLACE] = u64[left + PAIR_PLACE]
            left = left + PAIR_BYTES
        target = target + PAIR_BYTES
    memcpy(target, left, middle - left)
    memcpy(target + middle - left, right, end - right)
    return 0


@kernel
def order_sort(pairs: int, count: int, kind: int, state: int) -> int:
    """Sort pairs; those with equal keys stay in their order."""
    sort_runs(pairs, count, kind, state)
    if count <= RUN:
        return 0
    size = count * PAIR_BYTES
    other = malloc(size)
    source = pairs
    target = other
    width = RUN * PAIR_BYTES
    while width < size:
        low = 0
        while low < size:
            middle = low + width
            if size < middle:
                middle = size
            end = middle + width
            if size < end:
                end = size
            merge_runs(source + low, source + middle, source + end, target + low, kind, state)
            low = end
        source = target
        target = pairs + other - source
        width = width * 2
    if source == other:
        memcpy(pairs, other, size)
    free(other)
    return 0


@kernel
def order_best(pairs: int, count: int, kind: int, state: int) -> int:
    """Put the first of the pairs that come before all others to the front; return how many that is: 1, or 0 of none."""
    if count == 0:
        return 0
    best = pairs
    at = pairs + PAIR_BYTES
    while at < pairs + count * PAIR_BYTES:
        if key_less(u64[at], u64[best], kind, state):
            best = at
        at = at + PAIR_BYTES
    u64[pairs + PAIR_PLACE] = u64[best + PAIR_PLACE]
    return 1


@kernel
def key_hash(key: int, kind: int) -> int:
    """Return a number that equal keys have in common."""
    if kind <= KEY_TEXT:
        return key * 0x9E3779B97F4A7C15
    mixed = 0
    while kind:
        kind = kind - 1
        mixed = (mixed ^ u64[key + kind * 8]) * 0x9E3779B97F4A7C15
        mixed = mixed ^ (mixed >> 29)
    return mixed * 0x9E3779B97F4A7C15


@kernel
def key_same(a: int, b: int, kind: int) -> int:
    """Say whether two keys are equal."""
    if kind <= KEY_TEXT:
        return a == b
    while kind:
        kind = kind - 1
        if u64[a + kind * 8] != u64[b + kind * 8]:
            return 0
    return 1


@kernel
def order_unique(pairs: int, count: int, kind: int) -> int:
    """Move the first pair with each key to the front, in the order they have; return how many these are."""
    bits = 1
    while 1 << bits < count * 2:
        bits = bits + 1
    table = malloc(8 << bits)
    memset(table, 0, 8 << bits)
    kept = 0
    at = 0
    while at < count:
        key = u64[pairs + at * PAIR_BYTES]
        slot = key_hash(key, kind) >> (64 - bits)
        while u64[table + slot * 8]:
            if key_same(u64[pairs + (u64[table + slot * 8] - 1) * PAIR_BYTES], key, kind):
                break
            slot = (slot + 1) & ((1 << bits) - 1)
        if u64[table + slot * 8] == 0:
            u64[pairs + kept * PAIR_BYTES] = key
            u64[pairs + kept * PAIR_BYTES + PAIR_PLACE] = u64[pairs + at * PAIR_BYTES + PAIR_PLACE]
            kept = kept + 1
            u64[table + slot * 8] = kept
        at = at + 1
    free(table)
    return kept


@inlined
def move_element(target: int, source: int, step: int) -> int:
    """Copy an element."""
    if step == 8:
        u64[target] = u64[source]
    elif step == 4:
        u32[target] = u32[source]
    elif step == 2:
        u16[target] = u16[source]
    elif step == 1:
        u8[target] = u8[source]
    else:
        memcpy(target, source, step)
    return 0


@kernel
def order_apply(container: int, pairs: int, count: int) -> int:
    """Put the elements of a dynamic array or queue into the order of pairs, unless their number has changed since."""
    if container == 0:
        return 0
    if u64[container + CONTAINER_COUNT] != count:
        return 0
    step = u64[container + CONTAINER_STEP]
    first = u64[container + CONTAINER_FIRST]
    copy = malloc(count * step)
    memcpy(copy, first, count * step)
    at = 0
    while at < count:
        move_element(first + at * step, copy + u64[pairs + at * PAIR_BYTES + PAIR_PLACE] * step, step)
        at = at + 1
    free(copy)
    return 0


@kernel
def swap_elements(a: int, b: int, room: int, step: int) -> int:
    """Exchange two elements, with room for a third one."""
    move_element(room, a, step)
    move_element(a, b, step)
    move_element(b, room, step)
    return 0


@kernel
def sequence_reverse(container: int) -> int:
    """Turn the order of the elements round."""
    if container == 0:
        return 0
    count = u64[container + CONTAINER_COUNT]
    if count < 2:
        return 0
    step = u64[container + CONTAINER_STEP]
    low = u64[container + CONTAINER_FIRST]
    high = low + (count - 1) * step
    room = malloc(step)
    while low < high:
        swap_elements(low, high, room, step)
        low = low + step
        high = high - step
    free(room)
    return 0


@kernel
def sequence_shuffle(container: int, node: int) -> int:
    """Put the elements into a random order, drawn from a thread's random numbers (Fisher and Yates)."""
    if container == 0:
        return 0
    left = u64[container + CONTAINER_COUNT]
    if left < 2:
        return 0
    step = u64[container + CONTAINER_STEP]
    first = u64[container + CONTAINER_FIRST]
    room = malloc(step)
    while left > 1:
        chosen = random_below(node, left)
        left = left - 1
        if chosen != left:
            swap_elements(first + chosen * step, first + left * step, room, step)
    free(room)
    return 0
