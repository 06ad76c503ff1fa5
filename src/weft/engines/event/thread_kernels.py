"""Frames, threads, `fork` and `disable`, as kernels (`kernel_language`): IEEE 1800-2023 9.3, 9.6, 9.7.

A frame holds the variables of one activation of a process, task or block and is counted: by the thread in it, the
frames of blocks inside and the threads forked there. A forked thread is a node of its parent's; it is kept until it
and all its children have ended.
"""

from __future__ import annotations

from weft.engines.event.kernel_language import (
    clz,
    free,
    kernel,
    malloc,
    memset,
    realloc,
    u32,
    u64,
)

# pyright: reportUnusedFunction=false
from weft.engines.event.list_kernels import append, make_ready, unlink, wake
from weft.engines.event.records import (
    CURRENT,
    FLAG_ENDED,
    FLAG_HEAP,
    FLAG_OBSERVED,
    FLAG_REACTIVE,
    FLAG_WAIT_FORK,
    FRAME_CALLER,
    FRAME_CLASS,
    FRAME_CODE,
    FRAME_OUTER,
    FRAME_REFS,
    FRAMES_FREE,
    HEAP_BUFFER,
    HEAP_BYTES,
    HEAP_CAPACITY,
    HEAP_COLLECTOR,
    HEAP_LENGTH,
    HEAP_LIMIT,
    JOIN_ANY,
    JOIN_LEFT,
    JOIN_SIZE,
    JOIN_WAITER,
    JOINS_FREE,
    LIST_TAIL,
    NODE_BASE,
    NODE_CHILDREN,
    NODE_CODE,
    NODE_FLAGS,
    NODE_FRAME,
    NODE_INSTANCE,
    NODE_JOIN,
    NODE_LIST,
    NODE_LIVE,
    NODE_NEXT,
    NODE_OBJECT,
    NODE_PARENT,
    NODE_PC,
    NODE_PROCESS,
    NODE_SCOPES,
    NODE_SEED,
    NODE_SIBLING,
    NODE_SIZE,
    OBJECT_SIZE,
    POSTPONED,
    PROCESS_CODE,
    PROCESS_HELD,
    PROCESS_SIZE,
    PROCESS_SLEEPER,
    PROCESS_STATE,
    PROCESS_THREAD,
    PROCESS_WAITERS,
    SCOPE_CODE,
    SCOPE_FRAME,
    SCOPE_LIST,
    SCOPE_OUTER,
    SCOPE_PC,
    SCOPE_PREV,
    SCOPE_SIZE,
    SCOPE_THREAD,
    THREADS_FREE,
)


@kernel
def frame_new(size: int, state: int) -> int:
    """Return a zeroed frame of at least `size` bytes with one reference."""
    kind = 64 - clz((size - 1) >> 6 | 0)
    if size < 65:
        kind = 0
    list = state + FRAMES_FREE + kind * 8
    frame = u64[list]
    if frame:
        u64[list] = u64[frame + FRAME_CALLER]
    else:
        frame = malloc(64 << kind)
    memset(frame, 0, size)
    u32[frame + FRAME_REFS] = 1
    u32[frame + FRAME_CLASS] = kind
    return frame


@kernel
def frame_release(frame: int, state: int) -> int:
    """Give up one reference; the last one frees the frame, and gives up its reference to the one around it."""
    while frame:
        refs = u32[frame + FRAME_REFS] - 1
        u32[frame + FRAME_REFS] = refs
        if refs:
            return 0
        outer = u64[frame + FRAME_OUTER]
        list = state + FRAMES_FREE + u32[frame + FRAME_CLASS] * 8
        u64[frame + FRAME_CALLER] = u64[list]
        u64[list] = frame
        frame = outer
    return 0


@kernel
def frame_retain(frame: int) -> int:
    if frame:
        u32[frame + FRAME_REFS] = u32[frame + FRAME_REFS] + 1
    return 0


@kernel
def seed_next(node: int) -> int:
    """Draw from a thread's random numbers the seed of a new thread or object (SplitMix64, `sim.randomize`)."""
    state = u64[node + NODE_SEED] + 0x9E3779B97F4A7C15
    u64[node + NODE_SEED] = state
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB
    return state ^ (state >> 31)


@kernel
def random_below(node: int, count: int) -> int:
    """Draw a number from 0 to `count` - 1 from a thread's random numbers, all equally likely."""
    if count < 2:
        return 0
    unused = clz(count - 1)
    found = seed_next(node) >> unused
    while count <= found:
        found = seed_next(node) >> unused
    return found


@kernel
def heap_register(made: int, size: int, state: int) -> int:
    """Note a new object; ask for the collector if there are too many bytes."""
    count = u64[state + HEAP_LENGTH]
    if count == u64[state + HEAP_CAPACITY]:
        capacity = count * 2 + 1024
        u64[state + HEAP_BUFFER] = realloc(u64[state + HEAP_BUFFER], capacity * 8)
        u64[state + HEAP_CAPACITY] = capacity
    u64[u64[state + HEAP_BUFFER] + count * 8] = made
    u64[state + HEAP_LENGTH] = count + 1
    total = u64[state + HEAP_BYTES] + size
    u64[state + HEAP_BYTES] = total
    if u64[state + HEAP_LIMIT] < total:
        collect_later(state)
    return 0


@kernel
def heap_grow(owner: int, size: int, state: int) -> int:
    """Note that an object owns more bytes, or less if the number is negative."""
    u64[owner + OBJECT_SIZE] = u64[owner + OBJECT_SIZE] + size
    total = u64[state + HEAP_BYTES] + size
    u64[state + HEAP_BYTES] = total
    if u64[state + HEAP_LIMIT] < total:
        collect_later(state)
    return 0


@kernel
def collect_later(state: int) -> int:
    """Have the collector run in the postponed region."""
    collector = u64[state + HEAP_COLLECTOR]
    if collector:
        if u64[collector + NODE_LIST] == 0:
            append(state + POSTPONED, collector)
    return 0


@kernel
def fork_thread(parent: int, pc: int, join: int, state: int) -> int:
    """Start a thread at another place of the parent's code, sharing its frame."""
    node = u64[state + THREADS_FREE]
    if node:
        u64[state + THREADS_FREE] = u64[node + NODE_NEXT]
    else:
        node = malloc(NODE_SIZE)
    memset(node, 0, NODE_SIZE)
    u64[node + NODE_CODE] = u64[parent + NODE_CODE]
    u32[node + NODE_PC] = pc
    u32[node + NODE_FLAGS] = FLAG_HEAP | (u32[parent + NODE_FLAGS] & FLAG_REACTIVE)
    if u32[parent + NODE_FLAGS] & FLAG_OBSERVED:
        u32[node + NODE_FLAGS] = FLAG_HEAP | FLAG_REACTIVE
    frame = u64[parent + NODE_FRAME]
    frame_retain(frame)
    u64[node + NODE_FRAME] = frame
    u64[node + NODE_BASE] = frame
    u64[node + NODE_INSTANCE] = u64[parent + NODE_INSTANCE]
    u64[node + NODE_PARENT] = parent
    u64[node + NODE_JOIN] = join
    u64[node + NODE_PROCESS] = u64[parent + NODE_PROCESS]
    u64[node + NODE_SEED] = seed_next(parent)
    u64[node + NODE_SIBLING] = u64[parent + NODE_CHILDREN]
    u64[parent + NODE_CHILDREN] = node
    u64[parent + NODE_LIVE] = u64[parent + NODE_LIVE] + 1
    if u64[parent + NODE_SCOPES]:
        scope_inherit(node, u64[parent + NODE_SCOPES])
    make_ready(node, state)
    return node


@kernel
def scope_inherit(thread: int, scope: int) -> int:
    """Note that a new thread belongs to all that its parent is in: it ends with them, whoever has left by then."""
    while scope:
        record = malloc(SCOPE_SIZE)
        append(u64[scope + SCOPE_LIST], record)
        u64[record + SCOPE_THREAD] = thread
        u64[record + SCOPE_OUTER] = u64[thread + NODE_SCOPES]
        u64[record + SCOPE_CODE] = 0
        u64[thread + NODE_SCOPES] = record
        scope = u64[scope + SCOPE_OUTER]
    return 0


@kernel
def join_new(count: int, any: int, state: int) -> int:
    join = u64[state + JOINS_FREE]
    if join:
        u64[state + JOINS_FREE] = u64[join]
    else:
        join = malloc(JOIN_SIZE)
    u64[join + JOIN_LEFT] = count
    u64[join + JOIN_WAITER] = 0
    u64[join + JOIN_ANY] = any
    return join


@kernel
def join_done(join: int, state: int) -> int:
    """Count down a join; wake who waits for it; free it when its last thread has ended."""
    left = u64[join + JOIN_LEFT] - 1
    u64[join + JOIN_LEFT] = left
    waiter = u64[join + JOIN_WAITER]
    if waiter:
        if left == 0 or u64[join + JOIN_ANY]:
            u64[join + JOIN_WAITER] = 0
            make_ready(waiter, state)
    if left == 0:
        u64[join] = u64[state + JOINS_FREE]
        u64[state + JOINS_FREE] = join
    return 0


@kernel
def reap(node: int, state: int) -> int:
    """Free ended forked threads, from one upwards, that have no living children."""
    while node:
        flags = u32[node + NODE_FLAGS]
        if flags & FLAG_ENDED == 0 or u64[node + NODE_CHILDREN] or flags & FLAG_HEAP == 0:
            return 0
        parent = u64[node + NODE_PARENT]
        place = parent + NODE_CHILDREN
        while u64[place] != node:
            place = u64[place] + NODE_SIBLING
        u64[place] = u64[node + NODE_SIBLING]
        u64[node + NODE_NEXT] = u64[state + THREADS_FREE]
        u64[state + THREADS_FREE] = node
        node = parent
    return 0


@kernel
def end_thread(node: int, state: int) -> int:
    """End a thread: leave its scopes, count down its join, tell its parent."""
    scope = u64[node + NODE_SCOPES]
    while scope:
        unlink(scope)
        outer = u64[scope + SCOPE_OUTER]
        if u64[scope + SCOPE_CODE] == 0:
            free(scope)
        scope = outer
    frame = u64[node + NODE_FRAME]
    while frame:
        caller = u64[frame + FRAME_CALLER]
        if frame == u64[node + NODE_BASE]:
            caller = 0
        frame_release(frame, state)
        frame = caller
    u64[node + NODE_FRAME] = 0
    u64[node + NODE_SCOPES] = 0
    flags = u32[node + NODE_FLAGS] | FLAG_ENDED
    u32[node + NODE_FLAGS] = flags
    parent = u64[node + NODE_PARENT]
    if parent:
        live = u64[parent + NODE_LIVE] - 1
        u64[parent + NODE_LIVE] = live
        if live == 0:
            if u32[parent + NODE_FLAGS] & FLAG_WAIT_FORK:
                u32[parent + NODE_FLAGS] = u32[parent + NODE_FLAGS] & ~FLAG_WAIT_FORK
                make_ready(parent, state)
    object = u64[node + NODE_OBJECT]
    if object:
        if u64[object + PROCESS_STATE] != 4:
            u64[object + PROCESS_STATE] = 0
        u64[object + PROCESS_THREAD] = 0
        wake(object + PROCESS_WAITERS, state)
    join = u64[node + NODE_JOIN]
    if join:
        u64[node + NODE_JOIN] = 0
        join_done(join, state)
    reap(node, state)
    return 0


@kernel
def kill_children(parent: int, state: int) -> int:
    """End every thread that a thread has forked, and theirs."""
    while u64[parent + NODE_CHILDREN]:
        child = u64[parent + NODE_CHILDREN]
        if u64[child + NODE_CHILDREN]:
            kill_children(child, state)
        else:
            if u32[child + NODE_FLAGS] & FLAG_ENDED:
                reap(child, state)
            else:
                unlink(child)
                end_thread(child, state)
    return 0


@kernel
def process_object(node: int, state: int) -> int:
    """Return the process object of a thread, made when first asked for."""
    object = u64[node + NODE_OBJECT]
    if object == 0:
        object = malloc(PROCESS_SIZE)
        memset(object, 0, PROCESS_SIZE)
        u64[object + PROCESS_STATE] = 1
        u64[object + PROCESS_THREAD] = node
        u64[node + NODE_OBJECT] = object
        heap_register(object | 1, PROCESS_SIZE, state)
    return object


@kernel
def process_kill(object: int, state: int) -> int:
    """End a process and all that it has forked; return 1 if it is, or has forked, the present one."""
    node = u64[object + PROCESS_THREAD]
    inside = 0
    if node:
        ancestor = u64[state + CURRENT]
        while ancestor:
            if ancestor == node:
                inside = 1
            ancestor = u64[ancestor + NODE_PARENT]
        u64[object + PROCESS_STATE] = 4
        kill_children(node, state)
        unlink(node)
        end_thread(node, state)
    return inside


@kernel
def process_suspend(object: int, hold: int) -> int:
    """Suspend a process other than the present one: `hold`, the address of `process_hold`, is run in its place."""
    node = u64[object + PROCESS_THREAD]
    if node:
        if u64[object + PROCESS_STATE] != 3:
            u64[object + PROCESS_STATE] = 3
            u64[object + PROCESS_HELD] = 0
            u64[object + PROCESS_CODE] = u64[node + NODE_CODE]
            u64[node + NODE_CODE] = hold
    return 0


@kernel
def process_hold(node: int, state: int) -> int:
    """Note that a suspended process has become ready: its delay is over, or what it waited for has come."""
    u64[u64[node + NODE_OBJECT] + PROCESS_HELD] = 1
    return 0


@kernel
def process_resume(object: int, state: int) -> int:
    """Let a suspended process go on (IEEE 1800-2023 9.7)."""
    node = u64[object + PROCESS_THREAD]
    if node:
        if u64[object + PROCESS_STATE] == 3:
            u64[object + PROCESS_STATE] = 1
            if u64[object + PROCESS_CODE]:
                u64[node + NODE_CODE] = u64[object + PROCESS_CODE]
                if u64[object + PROCESS_HELD]:
                    u64[object + PROCESS_HELD] = 0
                    make_ready(node, state)
            else:
                wake(object + PROCESS_SLEEPER, state)
    return 0


# ------------------------------------------------------------------------------------------- disable


@kernel
def scope_enter(record: int, list: int, thread: int, pc: int) -> int:
    """Note that a thread has entered a block that can be disabled; `pc` is where it goes on then."""
    append(list, record)
    u64[record + SCOPE_THREAD] = thread
    u64[record + SCOPE_OUTER] = u64[thread + NODE_SCOPES]
    u64[record + SCOPE_CODE] = u64[thread + NODE_CODE]
    u64[record + SCOPE_PC] = pc
    u64[record + SCOPE_FRAME] = u64[thread + NODE_FRAME]
    u64[thread + NODE_SCOPES] = record
    return 0


@kernel
def scope_leave(thread: int) -> int:
    record = u64[thread + NODE_SCOPES]
    unlink(record)
    u64[thread + NODE_SCOPES] = u64[record + SCOPE_OUTER]
    return 0


@kernel
def disable_scope(list: int, current: int, state: int) -> int:
    """Disable every activation of a block (IEEE 1800-2023 9.6.2); return 1 if the present thread was in one.

    The threads that were forked in the block end, the youngest first, since others may wait for them; the ones that
    are in the block go on behind it.
    """
    inside = 0
    record = u64[list + LIST_TAIL]
    while record:
        if u64[record + SCOPE_CODE]:
            record = u64[record + SCOPE_PREV]
        else:
            thread = u64[record + SCOPE_THREAD]
            if thread == current:
                inside = 1
            unlink(thread)
            end_thread(thread, state)
            record = u64[list + LIST_TAIL]
    while u64[list]:
        record = u64[list]
        thread = u64[record + SCOPE_THREAD]
        if thread == current:
            inside = 1
        unlink(thread)
        unwind(thread, record, state)
        make_ready(thread, state)
    return inside


@kernel
def unwind(thread: int, record: int, state: int) -> int:
    """Bring a thread to the place behind a block that it is in."""
    while u64[thread + NODE_SCOPES] != record:
        scope_leave(thread)
    scope_leave(thread)
    frame = u64[thread + NODE_FRAME]
    while frame != u64[record + SCOPE_FRAME]:
        caller = u64[frame + FRAME_CALLER]
        if u64[frame + FRAME_CODE] == 0:
            caller = u64[frame + FRAME_OUTER]
            frame_retain(caller)
        frame_release(frame, state)
        frame = caller
    u64[thread + NODE_FRAME] = frame
    u64[thread + NODE_CODE] = u64[record + SCOPE_CODE]
    u32[thread + NODE_PC] = u64[record + SCOPE_PC]
    u32[thread + NODE_FLAGS] = u32[thread + NODE_FLAGS] & ~FLAG_WAIT_FORK
    return 0
