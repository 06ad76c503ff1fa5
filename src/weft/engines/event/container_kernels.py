"""Dynamic arrays and queues, as kernels (`kernel_language`); `container_layout` says how elements lie.

The elements of a container lie side by side in one block, with room before and behind them. What grows at an end moves
to the middle or the beginning of the block if half of it is free, else into one of twice the size: so `push` and `pop`
at both ends take constant time on average. A kernel that makes an element returns its address, and the code that calls
it stores the value there.
"""

from __future__ import annotations

from weft.engines.event.assoc_kernels import (
    BLOCK_COUNT,
    BLOCK_ENTRIES,
    BLOCK_ROOM,
    map_clear,
    map_make,
)
from weft.engines.event.container_layout import LEAST_ADDRESS, MARK_DEEP, MARK_MAP
from weft.engines.event.kernel_language import (
    free,
    inlined,
    invoke,
    kernel,
    malloc,
    memcmp,
    memcpy,
    memmove,
    memset,
    signed_less,
    u8,
    u64,
)
from weft.engines.event.records import (
    CONTAINER_BASE,
    CONTAINER_BYTES,
    CONTAINER_COUNT,
    CONTAINER_FIRST,
    CONTAINER_LIMIT,
    CONTAINER_ROOM,
    CONTAINER_STEP,
    COPY_CALL,
    MAP_BLOCKS,
    MAP_DEFAULT,
    MAP_ROOM,
    MAP_TOP,
    OBJECT_CLASS,
    OBJECT_SIZE,
)
from weft.engines.event.thread_kernels import heap_grow, heap_register


@kernel
def sequence_make(mark: int, step: int, limit: int, state: int) -> int:
    """Return a new empty dynamic array or queue."""
    made = malloc(CONTAINER_BYTES)
    memset(made, 0, CONTAINER_BYTES)
    u64[made + OBJECT_CLASS] = mark
    u64[made + OBJECT_SIZE] = CONTAINER_BYTES
    u64[made + CONTAINER_STEP] = step
    u64[made + CONTAINER_LIMIT] = limit
    heap_register(made, CONTAINER_BYTES, state)
    return made


@kernel
def sequence_move(container: int, room: int, before: int, state: int) -> int:
    """Give a container a block for `room` elements, of which `before` are free before the present ones.

    Returns 0 if there is no memory, and changes nothing then.
    """
    step = u64[container + CONTAINER_STEP]
    base = u64[container + CONTAINER_BASE]
    made = malloc(room * step)
    if made == 0:
        return 0
    first = made + before * step
    count = u64[container + CONTAINER_COUNT]
    if count:
        memcpy(first, u64[container + CONTAINER_FIRST], count * step)
    heap_grow(container, (room - u64[container + CONTAINER_ROOM]) * step, state)
    free(base)
    u64[container + CONTAINER_BASE] = made
    u64[container + CONTAINER_FIRST] = first
    u64[container + CONTAINER_ROOM] = room
    return made


@kernel
def sequence_slide(container: int, before: int) -> int:
    """Move the elements inside their block, so that `before` are free before them."""
    step = u64[container + CONTAINER_STEP]
    first = u64[container + CONTAINER_BASE] + before * step
    memmove(first, u64[container + CONTAINER_FIRST], u64[container + CONTAINER_COUNT] * step)
    u64[container + CONTAINER_FIRST] = first
    return 0


@inlined
def room_behind(container: int, state: int) -> int:
    """See to it that one more element has room behind the others."""
    count = u64[container + CONTAINER_COUNT]
    room = u64[container + CONTAINER_ROOM]
    step = u64[container + CONTAINER_STEP]
    if u64[container + CONTAINER_FIRST] + (count + 1) * step > u64[container + CONTAINER_BASE] + room * step:
        if count * 2 < room:
            sequence_slide(container, 0)
        else:
            sequence_move(container, count * 2 + 4, 0, state)
    return 0


@kernel
def sequence_back(container: int, state: int) -> int:
    """Return the address of a new last element; 0 if the queue is full."""
    count = u64[container + CONTAINER_COUNT]
    if count == u64[container + CONTAINER_LIMIT]:
        if count:
            return 0
    room_behind(container, state)
    u64[container + CONTAINER_COUNT] = count + 1
    return u64[container + CONTAINER_FIRST] + count * u64[container + CONTAINER_STEP]


@kernel
def sequence_front(container: int, state: int) -> int:
    """Return the address of a new first element; a full queue loses its last one (IEEE 1800-2023 7.10.5)."""
    count = u64[container + CONTAINER_COUNT]
    if count == u64[container + CONTAINER_LIMIT]:
        if count:
            count = count - 1
            u64[container + CONTAINER_COUNT] = count
    step = u64[container + CONTAINER_STEP]
    if u64[container + CONTAINER_FIRST] == u64[container + CONTAINER_BASE]:
        room = u64[container + CONTAINER_ROOM]
        if count * 2 < room:
            sequence_slide(container, (room - count + 1) // 2)
        else:
            sequence_move(container, count * 2 + 4, count + 4, state)
    first = u64[container + CONTAINER_FIRST] - step
    u64[container + CONTAINER_FIRST] = first
    u64[container + CONTAINER_COUNT] = count + 1
    return first


@kernel
def sequence_insert(container: int, index: int, state: int) -> int:
    """Return the address of a new element at an index; 0 if there is no such place, or none in a full queue."""
    count = u64[container + CONTAINER_COUNT]
    if count < index:
        return 0
    if count == u64[container + CONTAINER_LIMIT]:
        if count:
            if index == count:
                return 0
            count = count - 1
            u64[container + CONTAINER_COUNT] = count
    room_behind(container, state)
    step = u64[container + CONTAINER_STEP]
    place = u64[container + CONTAINER_FIRST] + index * step
    memmove(place + step, place, (count - index) * step)
    u64[container + CONTAINER_COUNT] = count + 1
    return place


@kernel
def sequence_extend(container: int, index: int, state: int) -> int:
    """Return the address of the element behind the last one of a queue if that is meant, else 0 (7.10.1)."""
    if index == u64[container + CONTAINER_COUNT]:
        return sequence_back(container, state)
    return 0


@kernel
def sequence_pop_front(container: int) -> int:
    """Take the first element out; return its address, where it stays until something is added, or 0."""
    if container == 0:
        return 0
    count = u64[container + CONTAINER_COUNT]
    if count == 0:
        return 0
    first = u64[container + CONTAINER_FIRST]
    u64[container + CONTAINER_FIRST] = first + u64[container + CONTAINER_STEP]
    u64[container + CONTAINER_COUNT] = count - 1
    return first


@kernel
def sequence_pop_back(container: int) -> int:
    """Do the same with the last element."""
    if container == 0:
        return 0
    count = u64[container + CONTAINER_COUNT]
    if count == 0:
        return 0
    u64[container + CONTAINER_COUNT] = count - 1
    return u64[container + CONTAINER_FIRST] + (count - 1) * u64[container + CONTAINER_STEP]


@kernel
def sequence_delete(container: int, index: int) -> int:
    """Take an element out, if there is one at the index."""
    if container == 0:
        return 0
    count = u64[container + CONTAINER_COUNT]
    if count <= index:
        return 0
    step = u64[container + CONTAINER_STEP]
    if index == 0:
        u64[container + CONTAINER_FIRST] = u64[container + CONTAINER_FIRST] + step
    else:
        place = u64[container + CONTAINER_FIRST] + index * step
        memmove(place, place + step, (count - index - 1) * step)
    u64[container + CONTAINER_COUNT] = count - 1
    return 0


@kernel
def container_clear(container: int, state: int) -> int:
    """Take all elements out, and free their memory."""
    if container == 0:
        return 0
    if u64[container + OBJECT_CLASS] & MARK_MAP:
        return map_clear(container, state)
    heap_grow(container, -(u64[container + CONTAINER_ROOM] * u64[container + CONTAINER_STEP]), state)
    free(u64[container + CONTAINER_BASE])
    u64[container + CONTAINER_BASE] = 0
    u64[container + CONTAINER_FIRST] = 0
    u64[container + CONTAINER_ROOM] = 0
    u64[container + CONTAINER_COUNT] = 0
    return 0


@kernel
def sequence_resize(container: int, count: int, state: int) -> int:
    """Give a container so many elements, whose values are then to be stored; return the first one's address."""
    container_clear(container, state)
    if count:
        if sequence_move(container, count, 0, state) == 0:
            return 0
    u64[container + CONTAINER_COUNT] = count
    return u64[container + CONTAINER_FIRST]


@kernel
def fill_elements(place: int, count: int, step: int, default: int) -> int:
    """Store the value at `default`, or zeros if that is 0, into elements side by side."""
    if count == 0:
        return 0
    if default == 0:
        memset(place, 0, count * step)
        return 0
    memcpy(place, default, step)
    done = 1
    while done < count:
        more = done
        if count - done < more:
            more = count - done
        memcpy(place + done * step, place, more * step)
        done = done + more
    return 0


@kernel
def sequence_new(made: int, size: int, source: int, default: int, state: int) -> int:
    """Fill a new array with `size` elements: those of `source`, then the default value; return 0 without memory."""
    if signed_less(size, 1):
        return 1
    step = u64[made + CONTAINER_STEP]
    # Sizes whose bytes do not fit into a word are no memory either.
    if size > 1 << 40:
        return 0
    if sequence_move(made, size, 0, state) == 0:
        return 0
    first = u64[made + CONTAINER_FIRST]
    kept = 0
    if source:
        kept = u64[source + CONTAINER_COUNT]
        if size < kept:
            kept = size
        memcpy(first, u64[source + CONTAINER_FIRST], kept * step)
    fill_elements(first + kept * step, size - kept, step, default)
    u64[made + CONTAINER_COUNT] = size
    copy_inner(made, 0, kept, state)
    return 1


@kernel
def copy_inner(container: int, start: int, end: int, state: int) -> int:
    """Replace containers that are elements by copies of their own."""
    if (u64[container + OBJECT_CLASS] & MARK_DEEP) == 0:
        return 0
    place = u64[container + CONTAINER_FIRST] + start * 8
    while start < end:
        u64[place] = copy_one(u64[place], state)
        place = place + 8
        start = start + 1
    return 0


@kernel
def sequence_append(made: int, source: int, low: int, high: int, state: int) -> int:
    """Put elements `low` up to but not `high` of another container behind the others; a bounded queue is cut."""
    count = u64[made + CONTAINER_COUNT]
    more = high - low
    limit = u64[made + CONTAINER_LIMIT]
    if limit:
        if limit < count + more:
            more = limit - count
    if more == 0:
        return 0
    if u64[made + CONTAINER_ROOM] < count + more:
        sequence_move(made, count + more, 0, state)
    step = u64[made + CONTAINER_STEP]
    memcpy(u64[made + CONTAINER_FIRST] + count * step, u64[source + CONTAINER_FIRST] + low * step, more * step)
    u64[made + CONTAINER_COUNT] = count + more
    return copy_inner(made, count, count + more, state)


@kernel
def sequence_join(made: int, source: int, state: int) -> int:
    """Put all elements of another container, or of none, behind the others."""
    if source:
        sequence_append(made, source, 0, u64[source + CONTAINER_COUNT], state)
    return 0


@kernel
def sequence_slice(made: int, source: int, low: int, high: int, state: int) -> int:
    """Put the elements from `low` to `high`, both signed and as far as they are there, into a new container."""
    if source == 0:
        return 0
    count = u64[source + CONTAINER_COUNT]
    if signed_less(low, 0):
        low = 0
    end = count
    if signed_less(high, count):
        end = high + 1
    if signed_less(low, end):
        sequence_append(made, source, low, end, state)
    return 0


@kernel
def sequence_equal(a: int, b: int, plane: int) -> int:
    """Return whether two containers have equal elements: 0, 1, or 2 if unknown bits leave it open.

    `plane` is the bytes of a plane of an element with four states, else 0.
    """
    count = 0
    if a:
        count = u64[a + CONTAINER_COUNT]
    other = 0
    if b:
        other = u64[b + CONTAINER_COUNT]
    if count != other:
        return 0
    if count == 0:
        return 1
    size = count * u64[a + CONTAINER_STEP]
    left = u64[a + CONTAINER_FIRST]
    right = u64[b + CONTAINER_FIRST]
    if plane == 0:
        if memcmp(left, right, size):
            return 0
        return 1
    result = 1
    end = left + size
    while left < end:
        last = left + plane
        while left < last:
            either = u8[left + plane] | u8[right + plane]
            if (u8[left] ^ u8[right]) & ~either & 255:
                return 0
            if either:
                result = 2
            left = left + 1
            right = right + 1
        left = left + plane
        right = right + plane
    return result


@kernel
def container_copy(container: int, mark: int, limit: int, state: int) -> int:
    """Return a copy of a container, for a variable of the type that the mark says; 0 for an empty one."""
    if container == 0:
        return 0
    if u64[container + OBJECT_CLASS] & MARK_MAP:
        return map_copy(container, mark, state)
    if u64[container + CONTAINER_COUNT] == 0:
        return 0
    made = sequence_make(mark, u64[container + CONTAINER_STEP], limit, state)
    sequence_join(made, container, state)
    return made


@kernel
def map_copy(container: int, mark: int, state: int) -> int:
    """Return a copy of an associative array, of its containers inside too."""
    step = u64[container + CONTAINER_STEP]
    made = map_make(mark, step, u64[container + MAP_DEFAULT], state)
    blocks = u64[container + MAP_BLOCKS]
    u64[made + CONTAINER_COUNT] = u64[container + CONTAINER_COUNT]
    if blocks == 0:
        return made
    top = malloc(blocks * 16)
    u64[made + MAP_TOP] = top
    u64[made + MAP_BLOCKS] = blocks
    u64[made + MAP_ROOM] = blocks
    size = blocks * 16
    at = 0
    while at < blocks:
        old = u64[u64[container + MAP_TOP] + at * 16 + 8]
        count = u64[old + BLOCK_COUNT]
        block = malloc(BLOCK_ENTRIES + count * step)
        memcpy(block, old, BLOCK_ENTRIES + count * step)
        u64[block + BLOCK_ROOM] = count
        size = size + BLOCK_ENTRIES + count * step
        u64[top + at * 16] = u64[u64[container + MAP_TOP] + at * 16]
        u64[top + at * 16 + 8] = block
        if mark & MARK_DEEP:
            place = block + BLOCK_ENTRIES + 8
            while count:
                u64[place] = copy_one(u64[place], state)
                place = place + step
                count = count - 1
        at = at + 1
    heap_grow(made, size, state)
    return made


@kernel
def copy_one(container: int, state: int) -> int:
    """Return a copy of a container, of the same type; Python copies one that it keeps."""
    if container < LEAST_ADDRESS:
        if container:
            return invoke(u64[state + COPY_CALL], container)
        return 0
    return container_copy(container, u64[container + OBJECT_CLASS], u64[container + CONTAINER_LIMIT], state)
