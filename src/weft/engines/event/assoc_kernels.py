"""Associative arrays in memory, as kernels: a table of blocks of entries, all in the order of their keys.

An entry is a key, as a number that compares without sign or as the handle of a string, and the value behind it. A
block holds up to `MOST` entries side by side; the table has the address of each block, and a key that is not above
any in the block nor below any in the one before. Finding is a binary search in the table and one in a block; what is
added or taken out moves at most the rest of a block. A full block is split in halves, but at the end of the array
left as it is, so that ascending keys fill their blocks; neighbours that have become small are joined. (This is a B+
tree of two levels, as the lists of sortedcontainers by Grant Jenks are.)
"""

from __future__ import annotations

from weft.engines.event.container_layout import MARK_TEXT
from weft.engines.event.kernel_language import (
    free,
    kernel,
    malloc,
    memcpy,
    memmove,
    memset,
    realloc,
    signed_less,
    u64,
)
from weft.engines.event.records import (
    CONTAINER_COUNT,
    CONTAINER_STEP,
    MAP_BLOCKS,
    MAP_BYTES,
    MAP_DEFAULT,
    MAP_NEAR,
    MAP_RANK,
    MAP_ROOM,
    MAP_TEXTS,
    MAP_TOP,
    OBJECT_CLASS,
    OBJECT_SIZE,
)
from weft.engines.event.text_kernels import text_order
from weft.engines.event.thread_kernels import heap_grow, heap_register

BLOCK_COUNT, BLOCK_ROOM, BLOCK_ENTRIES = 0, 8, 16
"""A block: the number of its entries, how many have room in it, where they begin."""

MOST = 256
LEAST = 4
"""How many entries a block has room for at most, and at first."""


@kernel
def map_make(mark: int, step: int, default: int, state: int) -> int:
    """Return a new empty associative array; `default` is where the value of all other keys is, or 0."""
    made = malloc(MAP_BYTES)
    memset(made, 0, MAP_BYTES)
    u64[made + OBJECT_CLASS] = mark
    u64[made + OBJECT_SIZE] = MAP_BYTES
    u64[made + CONTAINER_STEP] = step
    if mark & MARK_TEXT:
        u64[made + MAP_TEXTS] = state
    heap_register(made, MAP_BYTES, state)
    if default:
        copied = malloc(step - 8)
        memcpy(copied, default, step - 8)
        u64[made + MAP_DEFAULT] = copied
        heap_grow(made, step - 8, state)
    return made


@kernel
def block_make(container: int, room: int, state: int) -> int:
    """Return a new empty block."""
    size = BLOCK_ENTRIES + room * u64[container + CONTAINER_STEP]
    made = malloc(size)
    u64[made + BLOCK_COUNT] = 0
    u64[made + BLOCK_ROOM] = room
    heap_grow(container, size, state)
    return made


@kernel
def block_free(container: int, block: int, state: int) -> int:
    """Free a block."""
    heap_grow(container, -(BLOCK_ENTRIES + u64[block + BLOCK_ROOM] * u64[container + CONTAINER_STEP]), state)
    free(block)
    return 0


@kernel
def block_widen(container: int, at: int, room: int, state: int) -> int:
    """Give the block at a place of the table more room; return its new address."""
    slot = u64[container + MAP_TOP] + at * 16 + 8
    step = u64[container + CONTAINER_STEP]
    block = u64[slot]
    heap_grow(container, (room - u64[block + BLOCK_ROOM]) * step, state)
    block = realloc(block, BLOCK_ENTRIES + room * step)
    u64[block + BLOCK_ROOM] = room
    u64[slot] = block
    return block


@kernel
def table_insert(container: int, at: int, key: int, block: int, state: int) -> int:
    """Put a block into the table."""
    blocks = u64[container + MAP_BLOCKS]
    if blocks == u64[container + MAP_ROOM]:
        room = blocks * 2 + 1
        u64[container + MAP_TOP] = realloc(u64[container + MAP_TOP], room * 16)
        heap_grow(container, (room - blocks) * 16, state)
        u64[container + MAP_ROOM] = room
    entry = u64[container + MAP_TOP] + at * 16
    memmove(entry + 16, entry, (blocks - at) * 16)
    u64[entry] = key
    u64[entry + 8] = block
    u64[container + MAP_BLOCKS] = blocks + 1
    return 0


@kernel
def table_remove(container: int, at: int, state: int) -> int:
    """Take a block out of the table, and free it."""
    blocks = u64[container + MAP_BLOCKS] - 1
    entry = u64[container + MAP_TOP] + at * 16
    block_free(container, u64[entry + 8], state)
    memmove(entry, entry + 16, (blocks - at) * 16)
    u64[container + MAP_BLOCKS] = blocks
    return 0


@kernel
def map_block(container: int, key: int) -> int:
    """Return which block a key belongs to; there is at least one."""
    if u64[container + MAP_TEXTS]:
        return text_block(container, key, u64[container + MAP_TEXTS])
    top = u64[container + MAP_TOP]
    low = 0
    high = u64[container + MAP_BLOCKS] - 1
    while low < high:
        middle = (low + high + 1) >> 1
        if key < u64[top + middle * 16]:
            high = middle - 1
        else:
            low = middle
    return low


@kernel
def text_block(container: int, key: int, state: int) -> int:
    """Do the same for a key that is a string."""
    top = u64[container + MAP_TOP]
    low = 0
    high = u64[container + MAP_BLOCKS] - 1
    while low < high:
        middle = (low + high + 1) >> 1
        if signed_less(text_order(key, u64[top + middle * 16], state), 0):
            high = middle - 1
        else:
            low = middle
    return low


@kernel
def block_place(block: int, key: int, step: int, texts: int) -> int:
    """Return how many keys of a block are less than a key; `texts` is the array's word of that name."""
    if texts:
        return text_place(block, key, step, texts)
    first = block + BLOCK_ENTRIES
    low = 0
    high = u64[block + BLOCK_COUNT]
    while low < high:
        middle = (low + high) >> 1
        if u64[first + middle * step] < key:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def text_place(block: int, key: int, step: int, state: int) -> int:
    """Do the same for keys that are strings."""
    first = block + BLOCK_ENTRIES
    low = 0
    high = u64[block + BLOCK_COUNT]
    while low < high:
        middle = (low + high) >> 1
        order = text_order(u64[first + middle * step], key, state)
        if order == 0:
            return middle
        if signed_less(order, 0):
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def map_find(container: int, key: int) -> int:
    """Return the address of the value of a key, or 0."""
    if container == 0:
        return 0
    if u64[container + MAP_BLOCKS] == 0:
        return 0
    step = u64[container + CONTAINER_STEP]
    block = u64[u64[container + MAP_TOP] + map_block(container, key) * 16 + 8]
    place = block_place(block, key, step, u64[container + MAP_TEXTS])
    if place == u64[block + BLOCK_COUNT]:
        return 0
    entry = block + BLOCK_ENTRIES + place * step
    if u64[entry] == key:
        return entry + 8
    return 0


@kernel
def map_read(container: int, key: int) -> int:
    """Return the address of the value of a key, or of that of all other keys, or 0."""
    found = map_find(container, key)
    if found == 0:
        if container:
            return u64[container + MAP_DEFAULT]
    return found


@kernel
def map_put(container: int, key: int, state: int) -> int:
    """Return the address of the value of a key; of a new entry it is then to be stored."""
    if u64[container + MAP_BLOCKS] == 0:
        table_insert(container, 0, 0, block_make(container, LEAST, state), state)
    step = u64[container + CONTAINER_STEP]
    at = map_block(container, key)
    block = u64[u64[container + MAP_TOP] + at * 16 + 8]
    count = u64[block + BLOCK_COUNT]
    place = block_place(block, key, step, u64[container + MAP_TEXTS])
    if place < count:
        entry = block + BLOCK_ENTRIES + place * step
        if u64[entry] == key:
            return entry + 8
    if count == MOST:
        map_split(container, at, key, place, state)
        return map_put(container, key, state)
    if count == u64[block + BLOCK_ROOM]:
        block = block_widen(container, at, count * 2, state)
    entry = block + BLOCK_ENTRIES + place * step
    memmove(entry + step, entry, (count - place) * step)
    u64[entry] = key
    u64[block + BLOCK_COUNT] = count + 1
    u64[container + CONTAINER_COUNT] = u64[container + CONTAINER_COUNT] + 1
    u64[container + MAP_NEAR] = 0
    u64[container + MAP_RANK] = 0
    return entry + 8


@kernel
def map_split(container: int, at: int, key: int, place: int, state: int) -> int:
    """Make room for a key in a full block: split it, or begin another one behind the last."""
    step = u64[container + CONTAINER_STEP]
    block = u64[u64[container + MAP_TOP] + at * 16 + 8]
    if place == MOST:
        if at + 1 == u64[container + MAP_BLOCKS]:
            return table_insert(container, at + 1, key, block_make(container, LEAST, state), state)
    half = MOST // 2
    other = block_make(container, MOST, state)
    memcpy(other + BLOCK_ENTRIES, block + BLOCK_ENTRIES + half * step, (MOST - half) * step)
    u64[other + BLOCK_COUNT] = MOST - half
    u64[block + BLOCK_COUNT] = half
    return table_insert(container, at + 1, u64[other + BLOCK_ENTRIES], other, state)


@kernel
def map_delete(container: int, key: int, state: int) -> int:
    """Take out the entry of a key, if there is one."""
    if map_find(container, key) == 0:
        return 0
    step = u64[container + CONTAINER_STEP]
    at = map_block(container, key)
    block = u64[u64[container + MAP_TOP] + at * 16 + 8]
    entry = block + BLOCK_ENTRIES + block_place(block, key, step, u64[container + MAP_TEXTS]) * step
    count = u64[block + BLOCK_COUNT] - 1
    memmove(entry, entry + step, block + BLOCK_ENTRIES + count * step - entry)
    u64[block + BLOCK_COUNT] = count
    u64[container + CONTAINER_COUNT] = u64[container + CONTAINER_COUNT] - 1
    u64[container + MAP_NEAR] = 0
    u64[container + MAP_RANK] = 0
    if count == 0:
        table_remove(container, at, state)
        return 0
    if at + 1 < u64[container + MAP_BLOCKS]:
        other = u64[u64[container + MAP_TOP] + at * 16 + 24]
        more = u64[other + BLOCK_COUNT]
        if count + more <= MOST // 4:
            if u64[block + BLOCK_ROOM] < count + more:
                block = block_widen(container, at, count + more, state)
            memcpy(block + BLOCK_ENTRIES + count * step, other + BLOCK_ENTRIES, more * step)
            u64[block + BLOCK_COUNT] = count + more
            table_remove(container, at + 1, state)
    return 0


@kernel
def map_clear(container: int, state: int) -> int:
    """Take out all entries, and free their memory; the value of all other keys stays."""
    at = 0
    while at < u64[container + MAP_BLOCKS]:
        block_free(container, u64[u64[container + MAP_TOP] + at * 16 + 8], state)
        at = at + 1
    heap_grow(container, -(u64[container + MAP_ROOM] * 16), state)
    free(u64[container + MAP_TOP])
    u64[container + MAP_TOP] = 0
    u64[container + MAP_BLOCKS] = 0
    u64[container + MAP_ROOM] = 0
    u64[container + CONTAINER_COUNT] = 0
    u64[container + MAP_NEAR] = 0
    u64[container + MAP_RANK] = 0
    return 0


@kernel
def map_first(container: int) -> int:
    """Return the address of the first entry, or 0."""
    if container == 0:
        return 0
    if u64[container + MAP_BLOCKS] == 0:
        return 0
    return u64[u64[container + MAP_TOP] + 8] + BLOCK_ENTRIES


@kernel
def map_last(container: int) -> int:
    """Return the address of the last entry, or 0."""
    if container == 0:
        return 0
    blocks = u64[container + MAP_BLOCKS]
    if blocks == 0:
        return 0
    block = u64[u64[container + MAP_TOP] + blocks * 16 - 8]
    return block + BLOCK_ENTRIES + (u64[block + BLOCK_COUNT] - 1) * u64[container + CONTAINER_STEP]


@kernel
def map_next(container: int, key: int) -> int:
    """Return the address of the entry with the least key above a key, or 0."""
    if container == 0:
        return 0
    if u64[container + MAP_BLOCKS] == 0:
        return 0
    step = u64[container + CONTAINER_STEP]
    at = map_block(container, key)
    entry = u64[container + MAP_TOP] + at * 16
    block = u64[entry + 8]
    place = block_place(block, key, step, u64[container + MAP_TEXTS])
    count = u64[block + BLOCK_COUNT]
    if place < count:
        if u64[block + BLOCK_ENTRIES + place * step] == key:
            place = place + 1
    if place < count:
        return block + BLOCK_ENTRIES + place * step
    if at + 1 < u64[container + MAP_BLOCKS]:
        return u64[entry + 24] + BLOCK_ENTRIES
    return 0


@kernel
def map_prev(container: int, key: int) -> int:
    """Return the address of the entry with the greatest key below a key, or 0."""
    if container == 0:
        return 0
    if u64[container + MAP_BLOCKS] == 0:
        return 0
    step = u64[container + CONTAINER_STEP]
    at = map_block(container, key)
    entry = u64[container + MAP_TOP] + at * 16
    block = u64[entry + 8]
    place = block_place(block, key, step, u64[container + MAP_TEXTS])
    if place:
        return block + BLOCK_ENTRIES + (place - 1) * step
    if at:
        block = u64[entry - 8]
        return block + BLOCK_ENTRIES + (u64[block + BLOCK_COUNT] - 1) * step
    return 0


@kernel
def map_entry(container: int, rank: int) -> int:
    """Return the address of an entry by its number in the order of keys, or 0."""
    if container == 0:
        return 0
    if u64[container + CONTAINER_COUNT] <= rank:
        return 0
    top = u64[container + MAP_TOP]
    at = u64[container + MAP_NEAR]
    passed = u64[container + MAP_RANK]
    if rank < passed:
        at = 0
        passed = 0
    count = u64[u64[top + at * 16 + 8] + BLOCK_COUNT]
    while passed + count <= rank:
        passed = passed + count
        at = at + 1
        count = u64[u64[top + at * 16 + 8] + BLOCK_COUNT]
    u64[container + MAP_NEAR] = at
    u64[container + MAP_RANK] = passed
    return u64[top + at * 16 + 8] + BLOCK_ENTRIES + (rank - passed) * u64[container + CONTAINER_STEP]


@kernel
def map_other(container: int) -> int:
    """Return the address of the value of keys that are not there, or 0."""
    if container == 0:
        return 0
    return u64[container + MAP_DEFAULT]
