"""Stochastic analysis tasks: `$q_initialize`, `$q_add`, `$q_remove`, `$q_full`, `$q_exam` (IEEE 1800-2023 20.16).

Statuses 0 to 7 are the standard's; 8 (no such statistic), 9 (the value does not fit) and 10 (no statistics yet) are
Icarus Verilog's. Times are measured in ticks and shown in the unit of the calling module, halves rounded up.
"""

from __future__ import annotations

from collections import deque

from weft.base.dataclass import dataclass, field
from weft.sim.format_arguments import Value
from weft.sim.tasks.task_call import Handler, TaskCall

_OK, _FULL, _UNDEFINED, _EMPTY, _BAD_TYPE, _BAD_LENGTH, _DUPLICATE = range(7)
_BAD_CODE, _OVERFLOW, _NO_STATISTICS = 8, 9, 10
_FIFO, _LIFO = 1, 2


@dataclass(slots=True)
class Entry:
    """Be a job in a queue, with the time when it was added."""

    job: Value
    inform: Value
    time: int


@dataclass(slots=True)
class StochasticQueue:
    """Be one queue with its statistics; times are ticks."""

    kind: int
    length: int
    entries: deque[Entry] = field(default_factory=deque[Entry])
    adds: int = 0
    first_add: int = 0
    last_add: int = 0
    longest: int = 0
    waited: int = 0
    shortest_wait: int | None = None

    def add(self, entry: Entry) -> bool:
        """Add a job; say whether there was room."""
        if len(self.entries) >= self.length:
            return False
        self.entries.append(entry)
        self.longest = max(self.longest, len(self.entries))
        self.first_add = entry.time if not self.adds else self.first_add
        self.adds, self.last_add = self.adds + 1, entry.time
        return True

    def remove(self, time: int) -> Entry | None:
        """Remove the next job, if there is one."""
        if not self.entries:
            return None
        entry = self.entries.popleft() if self.kind == _FIFO else self.entries.pop()
        wait = time - entry.time
        self.shortest_wait = wait if self.shortest_wait is None else min(wait, self.shortest_wait)
        self.waited += wait
        return entry

    def statistic(self, code: int, time: int) -> int | None:
        """Return a time of `$q_exam`, or None when there is none yet: 2 mean inter-arrival, 4 shortest wait ever,
        5 longest wait of those still queued, 6 average wait."""
        match code:
            case 2:
                return (self.last_add - self.first_add) // (self.adds - 1) if self.adds > 1 else None
            case 4:
                return self.shortest_wait
            case 5:
                return time - self.entries[0].time if self.entries else None
            case _:
                waiting = sum(time - entry.time for entry in self.entries)
                return (self.waited + waiting) // self.adds if self.adds else None


def _known(call: TaskCall, index: int) -> int | None:
    """Return an argument as a number, or None if it has unknown bits."""
    return None if call.value(index).unknown else call.int32(index)


def _queue(call: TaskCall) -> StochasticQueue | None:
    number = _known(call, 0)
    return None if number is None else call.host.state.queues.get(number)


def _initialize(call: TaskCall) -> None:
    number, kind, length = (_known(call, index) for index in range(3))
    queues = call.host.state.queues
    if number is None:
        status = _UNDEFINED
    elif kind not in (_FIFO, _LIFO):
        status = _BAD_TYPE
    elif length is None or length <= 0:
        status = _BAD_LENGTH
    elif number in queues:
        status = _DUPLICATE
    else:
        queues[number] = StochasticQueue(kind, length)
        status = _OK
    call.put(3, status)


def _add(call: TaskCall) -> None:
    queue = _queue(call)
    if queue is None:
        call.put(3, _UNDEFINED)
        return
    entry = Entry(call.value(1), call.value(2), call.host.time)
    call.put(3, _OK if queue.add(entry) else _FULL)


def _remove(call: TaskCall) -> None:
    queue = _queue(call)
    entry = queue.remove(call.host.time) if queue is not None else None
    if entry is None:
        call.put_unknown(1)
        call.put_unknown(2)
        call.put(3, _UNDEFINED if queue is None else _EMPTY)
        return
    for index, value in ((1, entry.job), (2, entry.inform)):
        call.put(index, value.value, value.unknown, value.width)
    call.put(3, _OK)


def _full(call: TaskCall) -> Value:
    queue = _queue(call)
    if queue is None:
        call.put(1, _UNDEFINED)
        return Value(32, 0, 0xFFFFFFFF, True)
    call.put(1, _OK)
    return Value(32, int(len(queue.entries) >= queue.length), 0, True)


def _examine(call: TaskCall) -> None:
    queue, code = _queue(call), _known(call, 1)
    if queue is None or code is None or not 1 <= code <= 6:
        call.put_unknown(2)
        call.put(3, _UNDEFINED if queue is None else _BAD_CODE)
        return
    if code in (1, 3):
        call.put(2, len(queue.entries) if code == 1 else queue.longest)
        call.put(3, _OK)
        return
    ticks = queue.statistic(code, call.host.time)
    if ticks is None:
        call.put_unknown(2)
        call.put(3, _NO_STATISTICS)
        return
    per_unit = call.unit_fs // call.host.tick_fs or 1
    time = (ticks + per_unit // 2) // per_unit
    target = call.value(2)
    most = (1 << (target.width - target.signed)) - 1
    call.put(2, min(time, most))
    call.put(3, _OK if time <= most else _OVERFLOW)


TASKS: dict[str, Handler] = {
    "$q_initialize": _initialize,
    "$q_add": _add,
    "$q_remove": _remove,
    "$q_full": _full,
    "$q_exam": _examine,
}
