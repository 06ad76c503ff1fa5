"""Objects on the heap, and the inner loop of the collector, as kernels.

Every object, and every container in memory (`container_kernels`), is put into one growing list when it is made. The
collector (`sim.collect_garbage`) sorts the list, and marks: every word of the memory that may hold a value is looked
at, and if it is the address of an object or the number of a handle, that one is alive, and the object's own words are
looked at in turn (conservative marking: Boehm and Weiser, Garbage collection in an uncooperative environment, 1988);
so are the elements of containers that may hold handles. Objects that are not marked are freed.
"""

from __future__ import annotations

from weft.engines.event.assoc_kernels import BLOCK_COUNT, BLOCK_ENTRIES, map_clear
from weft.engines.event.box_kernels import box_clear
from weft.engines.event.container_layout import MARK_BOX, MARK_CONTAINER, MARK_MAP, MARK_SCAN, MARK_TEXT
from weft.engines.event.kernel_language import free, kernel, malloc, memset, u8, u64
from weft.engines.event.records import (
    BOX_GIVERS,
    BOX_TAKERS,
    CELL_BYTES,
    CELL_KIND,
    CELL_VALUE,
    CONTAINER_BASE,
    CONTAINER_COUNT,
    CONTAINER_FIRST,
    CONTAINER_STEP,
    MAP_BLOCKS,
    MAP_DEFAULT,
    MAP_TOP,
    OBJECT_CLASS,
    OBJECT_SIZE,
    OBJECT_STREAM,
    PROCESS_SIZE,
    PROCESS_THREAD,
    PROCESS_WAITERS,
)
from weft.engines.event.thread_kernels import heap_register, seed_next

AREA_OBJECTS, AREA_COUNT, AREA_MARKS = 0, 8, 16
"""What marking works on: the sorted addresses (bit 0 for process objects), their number, a byte for each."""
AREA_STACK, AREA_HANDLES, AREA_HANDLE_MARKS = 24, 32, 40
"""Room for as many words as there are objects; the number of handles, and a byte for each."""
AREA_FOUND, AREA_FOUND_COUNT, AREA_ODD = 48, 56, 64
"""Room for the handles that are found, and their number; whether values may begin at any bit."""
AREA_WORDS = 9


@kernel
def object_new(size: int, number: int, node: int, state: int) -> int:
    """Return a zeroed object of a class; its random numbers are seeded from those of the thread."""
    made = malloc(size)
    memset(made, 0, size)
    u64[made + OBJECT_CLASS] = number
    u64[made + OBJECT_SIZE] = size
    u64[made + OBJECT_STREAM] = seed_next(node)
    heap_register(made, size, state)
    return made


@kernel
def heap_look(word: int, area: int) -> int:
    """Mark what a word may name; put a newly marked object on the stack; return the stack's new height."""
    height = u64[u64[area + AREA_STACK]]
    if word < u64[area + AREA_HANDLES]:
        mark = u64[area + AREA_HANDLE_MARKS] + word
        if u8[mark] == 0:
            u8[mark] = 1
            found = u64[area + AREA_FOUND_COUNT]
            u64[u64[area + AREA_FOUND] + found * 8] = word
            u64[area + AREA_FOUND_COUNT] = found + 1
        return height
    low = 0
    high = u64[area + AREA_COUNT]
    objects = u64[area + AREA_OBJECTS]
    while low < high:
        middle = (low + high) >> 1
        if (u64[objects + middle * 8] >> 1) < (word >> 1):
            low = middle + 1
        else:
            high = middle
    if low < u64[area + AREA_COUNT]:
        if (u64[objects + low * 8] & ~1) == word:
            mark = u64[area + AREA_MARKS] + low
            if u8[mark] == 0:
                u8[mark] = 1
                if (u64[objects + low * 8] & 1) == 0:
                    height = height + 1
                    u64[u64[area + AREA_STACK] + height * 8] = word
                    u64[u64[area + AREA_STACK]] = height
    return height


@kernel
def heap_scan(start: int, count: int, area: int) -> int:
    """Look at words, at every bit of them if values may begin anywhere."""
    at = 0
    while at < count:
        word = u64[start + at * 8]
        heap_look(word, area)
        if u64[area + AREA_ODD]:
            following = 0
            if at + 1 < count:
                following = u64[start + at * 8 + 8]
            shift = 1
            while shift < 64:
                heap_look((word >> shift) | (following << (64 - shift)), area)
                shift = shift + 1
        at = at + 1
    return 0


@kernel
def heap_scan_container(container: int, mark: int, area: int) -> int:
    """Look at the elements of a container, and at the keys and the default value of an associative array."""
    step = u64[container + CONTAINER_STEP]
    if (mark & MARK_MAP) == 0:
        heap_scan(u64[container + CONTAINER_FIRST], (u64[container + CONTAINER_COUNT] * step) >> 3, area)
        return 0
    if u64[container + MAP_DEFAULT]:
        heap_scan(u64[container + MAP_DEFAULT], (step - 8) >> 3, area)
    if mark & MARK_TEXT:
        # The table names keys that may have been taken out, by which blocks are found nevertheless.
        heap_scan(u64[container + MAP_TOP], u64[container + MAP_BLOCKS] * 2, area)
    at = 0
    while at < u64[container + MAP_BLOCKS]:
        block = u64[u64[container + MAP_TOP] + at * 16 + 8]
        heap_scan(block + BLOCK_ENTRIES, (u64[block + BLOCK_COUNT] * step) >> 3, area)
        at = at + 1
    return 0


@kernel
def heap_scan_box(box: int, area: int) -> int:
    """Look at the messages in a mailbox."""
    cell = u64[box + CONTAINER_FIRST]
    count = u64[box + CONTAINER_COUNT]
    while count and cell:
        words = u64[cell + CELL_KIND] >> 8
        if words == 1:
            heap_scan(cell + CELL_VALUE, 1, area)
        else:
            heap_scan(u64[cell + CELL_VALUE], words, area)
        cell = cell + CELL_BYTES
        count = count - 1
    return 0


@kernel
def heap_mark(start: int, count: int, area: int) -> int:
    """Mark all that is reached from some words; return how many handles have been found so far."""
    heap_scan(start, count, area)
    stack = u64[area + AREA_STACK]
    while u64[stack]:
        height = u64[stack]
        found = u64[stack + height * 8]
        u64[stack] = height - 1
        mark = u64[found + OBJECT_CLASS]
        if mark & MARK_CONTAINER:
            if mark & MARK_BOX:
                heap_scan_box(found, area)
            if mark & MARK_SCAN:
                heap_scan_container(found, mark, area)
        else:
            heap_scan(found + 32, (u64[found + OBJECT_SIZE] - 32) >> 3, area)
    return u64[area + AREA_FOUND_COUNT]


@kernel
def heap_free(start: int, count: int, state: int) -> int:
    """Free objects, and what containers own."""
    at = 0
    while at < count:
        found = u64[start + at * 8]
        if (found & 1) == 0:
            mark = u64[found + OBJECT_CLASS]
            if mark & MARK_CONTAINER:
                if mark & MARK_MAP:
                    map_clear(found, state)
                    free(u64[found + MAP_DEFAULT])
                else:
                    if mark & MARK_BOX:
                        box_clear(found)
                    free(u64[found + CONTAINER_BASE])
        free(found & ~1)
        at = at + 1
    return 0


@kernel
def heap_total(start: int, count: int) -> int:
    """Return the bytes of objects."""
    total = 0
    at = 0
    while at < count:
        found = u64[start + at * 8]
        size = PROCESS_SIZE
        if (found & 1) == 0:
            size = u64[found + OBJECT_SIZE]
        total = total + size
        at = at + 1
    return total


@kernel
def heap_awaited(start: int, count: int, used: int) -> int:
    """Put the objects that are in use though nothing may name them at `used`; return how many there are.

    These are the objects of threads that run, and whatever somebody waits for.
    """
    length = 0
    at = 0
    while at < count:
        found = u64[start + at * 8]
        if found & 1:
            awaited = u64[found - 1 + PROCESS_THREAD] | u64[found - 1 + PROCESS_WAITERS]
        else:
            awaited = 0
            if u64[found + OBJECT_CLASS] & MARK_BOX:
                awaited = u64[found + BOX_TAKERS] | u64[found + BOX_GIVERS]
        if awaited:
            u64[used + length * 8] = found & ~1
            length = length + 1
        at = at + 1
    return length
