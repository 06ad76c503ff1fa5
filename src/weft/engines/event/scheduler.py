"""The scheduler of the event engine, as kernels (`kernel_language`): IEEE 1800-2023 clause 4.

Within a time step the regions are emptied in the standard's order: active, inactive (`#0`), NBA, and after those are
all empty observed, reactive, re-inactive, re-NBA, each of which leads back to active; last comes postponed. Where the
standard leaves the order of events open, they run first come, first served; with a shuffle seed, in an order drawn
from it.

The future is a timing wheel (`wheel_kernels`). A time step with one node, as each edge of a clock is, goes by without
a list: the node is run at once, then what it has made ready.

A *wait* puts a thread into the list of its wait site; a signal's watches say which sites look at it and for what. A
change walks the watches of the signal and moves the threads it wakes to the active list.
"""

from __future__ import annotations

from weft.engines.event.kernel_language import (
    apart,
    free,
    inlined,
    invoke,
    kernel,
    malloc,
    memset,
    realloc,
    u32,
    u64,
)
from weft.engines.event.list_kernels import RACES, append, make_ready, move_all, part_changed, pick, unlink, wake_all
from weft.engines.event.race_kernels import race_begin, race_epoch
from weft.engines.event.records import (
    ACTIVE,
    CHANGED_BUFFER,
    CHANGED_CAPACITY,
    CHANGED_LENGTH,
    CURRENT,
    DELTAS,
    DONE,
    EARLIEST,
    EVENTS_LEFT,
    FLAG_REGION,
    IN_REACTIVE,
    INACTIVE,
    LIST_TAIL,
    MAX_DELTAS,
    NBA_BUFFER,
    NBA_CAPACITY,
    NBA_LENGTH,
    NODE_CODE,
    NODE_FLAGS,
    NODE_LIST,
    NODE_NEXT,
    NODE_PREV,
    NODE_TIME,
    OBSERVED,
    OSCILLATES,
    PAUSED,
    POSTPONED,
    RACE_CAUSE,
    RE_INACTIVE,
    RE_NBA_BUFFER,
    RE_NBA_LENGTH,
    REACHED,
    REACTIVE,
    RECORD_CONTENTS,
    RECORD_FUNCTION,
    RECORD_SIZE,
    SHUFFLE,
    SIGNAL_FLAGS,
    SIGNAL_WATCHES,
    STEP_CALL,
    STOP,
    STOPPED,
    SWITCH_CALL,
    SWITCHED,
    TIME,
    UNTIL,
    WATCH_CALL,
    WATCH_CODE,
    WATCH_COUNT,
    WATCH_ENTRIES,
    WATCH_EVALUATE,
    WATCH_HIGH,
    WATCH_INDEX,
    WATCH_KIND,
    WATCH_LIST,
    WATCH_LOW,
    WATCH_NEGEDGE,
    WATCH_NODE,
    WATCH_PART,
    WATCH_PLAIN,
    WATCH_POSEDGE,
    WATCH_RECORD,
    WATCH_RISES,
    WATCH_SIZE,
    WATCH_WANTED,
)
from weft.engines.event.wheel_kernels import advance, next_time

# pyright: reportUnusedFunction=false


# ------------------------------------------------------------------------------------------- changes


@kernel
def notify(signal: int, edges: int, low: int, high: int, changes: int, state: int) -> int:
    """Wake who watches bits `low` to `high` of a signal; `edges` has the edges of its bit 0, and `WATCH_ANY`.

    `changes` has a 1 for each of these bits that has changed, or is the address of such bits if there are more than 64;
    0 says that all may have.
    """
    watches = u64[signal - SIGNAL_WATCHES]
    if (u32[watches + WATCH_WANTED] & edges) == 0:
        return 0
    plain = u64[watches + WATCH_PLAIN + (edges & (WATCH_POSEDGE | WATCH_NEGEDGE)) * 8]
    if RACES:
        plain = 0
    if plain == 0:
        return notify_some(signal, edges, low, high, changes, state)
    # Every one of these is to be made ready, in this order: the list grows at its end, which is written once.
    list = state + ACTIVE
    last = list
    if u64[list]:
        last = u64[list + LIST_TAIL]
    node = u64[plain]
    while node:
        following = 0
        if node & 1:
            site = node - 1
            node = u64[site]
            following = node
            u64[site] = 0
        else:
            if u64[node + NODE_LIST]:
                node = 0
        while node:
            if following:
                if u32[node + NODE_FLAGS] & FLAG_REGION:
                    u64[last + NODE_NEXT] = 0
                    u64[list + LIST_TAIL] = last
                    return notify_rest(plain, node, state)
                following = u64[node + NODE_NEXT]
            u64[last + NODE_NEXT] = node
            u64[node + NODE_PREV] = last
            u64[node + NODE_LIST] = list
            last = node
            node = following
        plain = plain + 8
        node = u64[plain]
    u64[last + NODE_NEXT] = 0
    u64[list + LIST_TAIL] = last
    return 0


@apart
def notify_rest(plain: int, node: int, state: int) -> int:
    """Wake, from a thread in a wait site on, who waits there and behind: threads of several regions."""
    while node:
        following = u64[node + NODE_NEXT]
        make_ready(node, state)
        node = following
    plain = plain + 8
    while u64[plain]:
        node = u64[plain]
        if node & 1:
            wake_all(node - 1, state)
        else:
            if u64[node + NODE_LIST] == 0:
                append(state + ACTIVE, node)
        plain = plain + 8
    return 0


@kernel
def notify_some(signal: int, edges: int, low: int, high: int, changes: int, state: int) -> int:
    """Do what `notify` does where it has to look at each watch."""
    watches = u64[signal - SIGNAL_WATCHES]
    edge = edges & (WATCH_POSEDGE | WATCH_NEGEDGE)
    if edge != 0 and edge != WATCH_POSEDGE | WATCH_NEGEDGE:
        found = u64[watches + WATCH_RISES - 8 + edge * 8]
        if found:
            watches = found
    index = u64[watches + WATCH_INDEX]
    if index:
        if high - low == 1:
            if u64[index] <= low:
                return 0
            watches = u64[index + 8 + low * 8]
            if watches == 0:
                return 0
    entry = watches + WATCH_ENTRIES
    end = entry + u32[watches + WATCH_COUNT] * WATCH_SIZE
    while entry != end:
        if u32[entry + WATCH_LOW] < high and low < u32[entry + WATCH_HIGH]:
            list = u64[entry + WATCH_LIST]
            kind = u32[entry + WATCH_KIND]
            if kind & WATCH_PART:
                if changes:
                    if part_changed(entry, low, high, changes) == 0:
                        kind = 0
            if kind & edges:
                if kind & WATCH_NODE:
                    if u64[list + NODE_LIST] == 0:
                        if RACES:
                            u64[list + NODE_TIME] = u64[state + RACE_CAUSE]
                        append(state + ACTIVE, list)
                else:
                    if u64[list]:
                        wake_all(list, state)
            else:
                if kind & WATCH_EVALUATE:
                    evaluate(list, u64[entry + WATCH_CODE], state)
                else:
                    if kind & WATCH_RECORD:
                        record_change(list, state)
                    else:
                        if kind & WATCH_CALL:
                            invoke(u64[entry + WATCH_CODE], list, state)
        entry = entry + WATCH_SIZE
    return 0


@kernel
def evaluate(list: int, code: int, state: int) -> int:
    """Wake those threads of a wait list whose event expression has changed as they wait for it."""
    node = u64[list]
    while node:
        next = u64[node + NODE_NEXT]
        if invoke(code, node, state):
            unlink(node)
            make_ready(node, state)
        node = next
    return 0


@kernel
def record_change(flag: int, state: int) -> int:
    """Note that a recorded signal has changed in this step; `flag` is 1 + twice its number, even when noted."""
    word = u64[flag]
    if word & 1:
        u64[flag] = word + 1
        length = u64[state + CHANGED_LENGTH]
        if length == u64[state + CHANGED_CAPACITY]:
            capacity = length * 2 + 1024
            u64[state + CHANGED_BUFFER] = realloc(u64[state + CHANGED_BUFFER], capacity * 8)
            u64[state + CHANGED_CAPACITY] = capacity
        u64[u64[state + CHANGED_BUFFER] + length * 8] = flag
        u64[state + CHANGED_LENGTH] = length + 1
    return 0


# ------------------------------------------------------------------------------------------- nonblocking assignments


@kernel
def nba_push(function: int, size: int, state: int) -> int:
    """Return the address of `size` bytes for what `function` needs when the NBA region applies it."""
    base = state + NBA_BUFFER
    if u64[state + IN_REACTIVE]:
        base = state + RE_NBA_BUFFER
    length = u64[base + NBA_LENGTH - NBA_BUFFER]
    total = size + 16
    if u64[base + NBA_CAPACITY - NBA_BUFFER] < length + total:
        return nba_push_more(function, size, base, state)
    record = u64[base] + length
    u64[base + NBA_LENGTH - NBA_BUFFER] = length + total
    u64[record] = function
    u64[record + 8] = total
    return record + 16


@apart
def nba_push_more(function: int, size: int, base: int, state: int) -> int:
    """Do the same where the buffer has to grow first, so that the usual case calls nothing."""
    nba_grow(base, size + 16)
    return nba_push(function, size, state)


@apart
def nba_grow(base: int, total: int) -> int:
    """Make room for so many bytes more in a buffer of pending assignments."""
    capacity = (u64[base + NBA_LENGTH - NBA_BUFFER] + total) * 2 + 65536
    u64[base] = realloc(u64[base], capacity)
    u64[base + NBA_CAPACITY - NBA_BUFFER] = capacity
    return 0


@kernel
def nba_change(function: int, pointer: int, bits: int, unknown: int, state: int) -> int:
    """Note the assignment of a whole variable of at most 64 bits, and that it is pending."""
    base = state + NBA_BUFFER
    if u64[state + IN_REACTIVE]:
        base = state + RE_NBA_BUFFER
    length = u64[base + NBA_LENGTH - NBA_BUFFER]
    end = length + 40
    if u64[base + NBA_CAPACITY - NBA_BUFFER] < end:
        return nba_change_more(function, pointer, bits, unknown, base, state)
    record = u64[base] + length
    u64[base + NBA_LENGTH - NBA_BUFFER] = end
    u64[record] = function
    u64[record + 8] = 40
    u64[record + 16] = pointer
    u64[record + 24] = bits
    u64[record + 32] = unknown
    u64[pointer - SIGNAL_FLAGS] = 1
    return 0


@apart
def nba_change_more(function: int, pointer: int, bits: int, unknown: int, base: int, state: int) -> int:
    """Do the same where the buffer has to grow first."""
    nba_grow(base, 40)
    return nba_change(function, pointer, bits, unknown, state)


@kernel
def apply_nba(base: int, state: int) -> int:
    at = 0
    while at < u64[base + NBA_LENGTH - NBA_BUFFER]:
        record = u64[base] + at
        at = at + u64[record + 8]
        invoke(u64[record], record + 16, state)
    u64[base + NBA_LENGTH - NBA_BUFFER] = 0
    return 0


@kernel
def record_new(function: int, size: int, code: int) -> int:
    """Return a node that will run `code`, with `size` bytes from `RECORD_CONTENTS` for `function`."""
    node = malloc(size + RECORD_CONTENTS)
    memset(node, 0, RECORD_CONTENTS)
    u64[node + NODE_CODE] = code
    u64[node + RECORD_SIZE] = size
    u64[node + RECORD_FUNCTION] = function
    return node


@kernel
def run_record(node: int, state: int) -> int:
    """Do a delayed update now."""
    invoke(u64[node + RECORD_FUNCTION], node + RECORD_CONTENTS, state)
    free(node)
    return 0


@kernel
def run_record_nba(node: int, state: int) -> int:
    """Move a delayed nonblocking assignment, whose time has come, to the NBA region."""
    size = u64[node + RECORD_SIZE]
    target = nba_push(u64[node + RECORD_FUNCTION], size, state)
    at = 0
    while at < size:
        u64[target + at] = u64[node + RECORD_CONTENTS + at]
        at = at + 8
    free(node)
    return 0


# ------------------------------------------------------------------------------------------- the loop


@inlined
def take_first(list: int, shuffle: int, state: int) -> int:
    """Take the node that runs next out of a list; return it, or 0."""
    node = u64[list]
    if node:
        if shuffle:
            node = pick(list, state)
            unlink(node)
        else:
            # The rest of the list need not know (`list_kernels`).
            u64[list] = u64[node + NODE_NEXT]
            u64[node + NODE_LIST] = 0
    return node


@inlined
def run_list(list: int, node: int, state: int) -> int:
    """Run a node, if it is not 0, then those of a list until it is empty; return 1 if something wants to stop.

    Those that are in the list at first, and then those that they have put there, are a delta cycle each.
    """
    shuffle = u64[state + SHUFFLE]
    mark = node
    if node == 0:
        mark = u64[list + LIST_TAIL]
        node = take_first(list, shuffle, state)
    while node:
        u64[state + CURRENT] = node
        if RACES:
            race_begin(node, state)
        while invoke(u64[node + NODE_CODE], node, state):
            pass
        if RACES:
            u64[state + RACE_CAUSE] = 0
        left = u64[state + EVENTS_LEFT] - 1
        u64[state + EVENTS_LEFT] = left
        if left == 0 or u64[state + STOP]:
            return 1
        if node == mark:
            mark = u64[list + LIST_TAIL]
            deltas = u64[state + DELTAS] + 1
            u64[state + DELTAS] = deltas
            if u64[state + MAX_DELTAS] < deltas:
                return 1
        node = take_first(list, shuffle, state)
    return 0


@kernel
def postpone(state: int) -> int:
    """Do the postponed region: `$strobe` and `$monitor` look, and recorded changes are written down."""
    while u64[state + POSTPONED]:
        node = u64[state + POSTPONED]
        unlink(node)
        invoke(u64[node + NODE_CODE], node, state)
    if u64[state + CHANGED_LENGTH]:
        if u64[state + STEP_CALL]:
            invoke(u64[state + STEP_CALL])
        u64[state + CHANGED_LENGTH] = 0
    return 0


@inlined
def settle(node: int, state: int) -> int:
    """Run a node, then empty all regions of the time step but the postponed one; return a reason to stop, or DONE."""
    while 1:
        if RACES:
            race_epoch(state)
        if run_list(state + ACTIVE, node, state):
            return STOPPED
        node = 0
        if u64[state + INACTIVE]:
            move_all(state + INACTIVE, state + ACTIVE)
            continue
        if u64[state + NBA_LENGTH]:
            apply_nba(state + NBA_BUFFER, state)
            continue
        later = u64[state + OBSERVED] | u64[state + REACTIVE] | u64[state + RE_INACTIVE] | u64[state + RE_NBA_LENGTH]
        if later == 0:
            return DONE
        if u64[state + OBSERVED]:
            move_all(state + OBSERVED, state + ACTIVE)
            continue
        if u64[state + REACTIVE]:
            u64[state + IN_REACTIVE] = 1
            if RACES:
                race_epoch(state)
            stopped = run_list(state + REACTIVE, 0, state)
            u64[state + IN_REACTIVE] = 0
            if stopped:
                return STOPPED
            continue
        if u64[state + RE_INACTIVE]:
            move_all(state + RE_INACTIVE, state + REACTIVE)
            continue
        apply_nba(state + RE_NBA_BUFFER, state)
    return DONE


@kernel
def run(state: int) -> int:
    """Run until nothing is left, `UNTIL` is over, the budget is used up, or something stops or replaces the run."""
    node = 0
    while 1:
        reason = settle(node, state)
        if reason == STOPPED:
            if u64[state + STOP]:
                return STOPPED
            if u64[state + MAX_DELTAS] < u64[state + DELTAS]:
                return OSCILLATES
            return PAUSED
        u64[state + DELTAS] = 0
        if u64[state + POSTPONED] | u64[state + CHANGED_LENGTH] | u64[state + STOP] | u64[state + SWITCH_CALL]:
            postpone(state)
            if u64[state + STOP]:
                return STOPPED
            if u64[state + SWITCH_CALL]:
                if invoke(u64[state + SWITCH_CALL]):
                    return SWITCHED
        node = u64[state + EARLIEST]
        if node:
            time = u64[node + NODE_TIME]
            if u64[state + UNTIL] < time:
                return REACHED
            u64[state + TIME] = time
            u64[state + EARLIEST] = 0
            u64[node + NODE_LIST] = 0
            if RACES or u64[state + SHUFFLE] or u32[node + NODE_FLAGS] & FLAG_REGION:
                make_ready(node, state)
                node = 0
        else:
            time = next_time(state)
            if time == ~0:
                return DONE
            if u64[state + UNTIL] < time:
                return REACHED
            advance(time, state)
    return DONE
