"""Mailboxes and semaphores, as kernels (IEEE 1800-2023 15.3, 15.4).

A mailbox is a queue (`container_kernels`) of cells with two wait lists behind it: of threads that take, and of those
that give. A cell holds the kind of a message, and its value: two planes of one word each, or the address of a block
with two planes of more words. Who takes or gives wakes all that wait for it, and they try again in their order. A
semaphore has its keys where a mailbox has the number of messages, and one list.
"""

from __future__ import annotations

from weft.engines.event.container_kernels import sequence_back, sequence_pop_front
from weft.engines.event.container_layout import MARK_BOX, MARK_CONTAINER
from weft.engines.event.kernel_language import free, kernel, malloc, memcpy, memset, signed_less, u64
from weft.engines.event.list_kernels import wake
from weft.engines.event.records import (
    BOX_BYTES,
    BOX_GIVERS,
    BOX_TAKERS,
    CELL_BYTES,
    CELL_KIND,
    CELL_UNKNOWN,
    CELL_VALUE,
    CONTAINER_COUNT,
    CONTAINER_FIRST,
    CONTAINER_LIMIT,
    CONTAINER_STEP,
    OBJECT_CLASS,
    OBJECT_SIZE,
)
from weft.engines.event.thread_kernels import heap_grow, heap_register


@kernel
def box_make(bound: int, state: int) -> int:
    """Return a new mailbox for so many messages, or any number if that is not above 0; or a semaphore without keys."""
    made = malloc(BOX_BYTES)
    memset(made, 0, BOX_BYTES)
    u64[made + OBJECT_CLASS] = MARK_CONTAINER | MARK_BOX
    u64[made + OBJECT_SIZE] = BOX_BYTES
    u64[made + CONTAINER_STEP] = CELL_BYTES
    if signed_less(0, bound):
        u64[made + CONTAINER_LIMIT] = bound
    heap_register(made, BOX_BYTES, state)
    return made


@kernel
def box_put(box: int, kind: int, words: int, value: int, state: int) -> int:
    """Put a message of so many words a plane, which begin at `value`, into a mailbox; return 0 if it is full."""
    cell = sequence_back(box, state)
    if cell == 0:
        return 0
    u64[cell + CELL_KIND] = kind | words << 8
    if words == 1:
        memcpy(cell + CELL_VALUE, value, 16)
    else:
        block = malloc(words * 16)
        memcpy(block, value, words * 16)
        heap_grow(box, words * 16, state)
        u64[cell + CELL_VALUE] = block
        u64[cell + CELL_UNKNOWN] = 0
    wake(box + BOX_TAKERS, state)
    return 1


@kernel
def box_take(box: int, kind: int, words: int, value: int, remove: int, state: int) -> int:
    """Store the first message at `value`, as so many words a plane, and perhaps take it out.

    Return 1 if that is done, 0 if there is no message, 2 if it is of another kind.
    """
    if u64[box + CONTAINER_COUNT] == 0:
        return 0
    cell = u64[box + CONTAINER_FIRST]
    there = u64[cell + CELL_KIND] >> 8
    if u64[cell + CELL_KIND] & 255 != kind:
        return 2
    source = cell + CELL_VALUE
    if there > 1:
        source = u64[cell + CELL_VALUE]
    memset(value, 0, words * 16)
    copied = words
    if there < words:
        copied = there
    memcpy(value, source, copied * 8)
    memcpy(value + words * 8, source + there * 8, copied * 8)
    if remove:
        if there > 1:
            heap_grow(box, -(there * 16), state)
            free(source)
        sequence_pop_front(box)
        wake(box + BOX_GIVERS, state)
    return 1


@kernel
def box_clear(box: int) -> int:
    """Free the blocks of the messages in a mailbox that is to be freed."""
    cell = u64[box + CONTAINER_FIRST]
    # A semaphore has no cells, whatever its number of keys.
    count = u64[box + CONTAINER_COUNT]
    while count and cell:
        if u64[cell + CELL_KIND] >> 8 > 1:
            free(u64[cell + CELL_VALUE])
        cell = cell + CELL_BYTES
        count = count - 1
    return 0


@kernel
def keys_put(semaphore: int, keys: int, state: int) -> int:
    """Give keys to a semaphore."""
    u64[semaphore + CONTAINER_COUNT] = u64[semaphore + CONTAINER_COUNT] + keys
    wake(semaphore + BOX_TAKERS, state)
    return 0


@kernel
def keys_take(semaphore: int, keys: int) -> int:
    """Take keys out of a semaphore; return 0 if there are too few."""
    if signed_less(u64[semaphore + CONTAINER_COUNT], keys):
        return 0
    u64[semaphore + CONTAINER_COUNT] = u64[semaphore + CONTAINER_COUNT] - keys
    return 1
