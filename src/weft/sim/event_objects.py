"""Class objects, mailboxes, semaphores and processes of an event simulation, and the errors that running code finds."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from weft.base.dataclass import dataclass, field
from weft.base.errors import Unsupported, UserError
from weft.engines.event.host_sites import HostSite
from weft.engines.event.records import (
    PROCESS_CODE,
    PROCESS_HELD,
    PROCESS_SLEEPER,
    PROCESS_STATE,
    PROCESS_WAITERS,
)
from weft.ir.design import Class
from weft.sim.event_container_calls import CONTAINER_CALLS
from weft.sim.event_containers import number
from weft.sim.event_locators import LOCATOR_CALLS
from weft.sim.event_strings import STRING_CALLS

if TYPE_CHECKING:
    from weft.sim.event_simulation import EventSimulation

Outputs = dict[int, Any]
ObjectCall = Callable[["EventSimulation", HostSite, list[Any]], tuple[Any, Outputs]]


_WAITERS_BYTES = 32
"""The size of two wait lists: for those who take, and for those who give."""
_GIVING = 16


@dataclass(slots=True, eq=False)
class Mailbox:
    """Hold messages; `bound` is how many there may be, 0 any number, `waiters` the address of two wait lists."""

    bound: int
    waiters: int
    messages: deque[Any] = field(default_factory=deque[Any])


@dataclass(slots=True, eq=False)
class Semaphore:
    """Hold keys; `waiters` is the address of two wait lists, of which one is used."""

    keys: int
    waiters: int


def _new_waiters(simulation: EventSimulation) -> int:
    """Return the address of two empty wait lists, which compiled code sees."""
    made = simulation.engine.call("weft_malloc", _WAITERS_BYTES)
    ctypes.memset(made, 0, _WAITERS_BYTES)
    return made


def has_waiters(found: Mailbox | Semaphore) -> bool:
    """Say whether anybody waits for a mailbox or semaphore."""
    return any((ctypes.c_uint64 * (_WAITERS_BYTES // 8)).from_address(found.waiters))


def free_waiters(simulation: EventSimulation, found: object) -> None:
    """Free the wait lists of what is about to be forgotten, if it is a mailbox or semaphore."""
    if isinstance(found, Mailbox | Semaphore):
        simulation.engine.call("weft_free", found.waiters)


def _null(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    raise UserError("null-handle", "a null handle is used here", site.span)


def _recursion(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    raise UserError("recursion", "this function calls itself without end", site.span)


def _memory(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    raise UserError("no-memory", "there is no memory for an array of this size", site.span)


def _wide(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    raise Unsupported("an index of more than 64 bits in an associative array of any index", site.span)


# ------------------------------------------------------------------------------------------- classes


def class_of(simulation: EventSimulation, handle: int) -> Class | None:
    """Return the class of an object; None for null."""
    if not handle:
        return None
    return simulation.design.classes[ctypes.c_uint64.from_address(handle).value - 1]


def _copy(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    """Return a shallow copy of an object: containers are copied, other objects shared (8.12)."""
    source = int(args[0])
    found = class_of(simulation, source)
    if found is None:
        return _null(simulation, site, args)
    size = ctypes.c_uint64.from_address(source + 8).value
    made = simulation.engine.allocate(size)
    ctypes.memmove(made, source, size)
    for step in found.lineage():
        for member in step.fields:
            if member.type.kind in ("queue", "dynamic", "assoc"):
                place = ctypes.c_uint64.from_address(made + simulation.engine.code.field_offset(member))
                place.value = simulation.containers.copy(place.value)
    simulation.randomizer.copy_modes(source, made)
    return made, {}


def _cast(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    """Do `$cast` of handles: 1 and assigned if the object is of the target's class, or null."""
    wanted = site.extra[1][0]
    handle = int(args[1])
    found = class_of(simulation, handle)
    if found is None or _is_a(found, wanted.name):
        return 1, {0: handle}
    return 0, {}


def _is_a(found: Class, key: str) -> bool:
    pending = [found]
    while pending:
        step = pending.pop()
        if step.key == key:
            return True
        pending += [*step.interfaces, *([step.base] if step.base is not None else [])]
    return False


# ------------------------------------------------------------------------------------------- mailboxes, semaphores


def _mailbox(simulation: EventSimulation, site: HostSite, handle: Any) -> Mailbox:
    found = simulation.handles.values[int(handle)] if handle else None
    if not isinstance(found, Mailbox):
        raise UserError("null-handle", "a null mailbox is used here", site.span)
    return found


def _semaphore(simulation: EventSimulation, site: HostSite, handle: Any) -> Semaphore:
    found = simulation.handles.values[int(handle)] if handle else None
    if not isinstance(found, Semaphore):
        raise UserError("null-handle", "a null semaphore is used here", site.span)
    return found


def _new_mailbox(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    bound = number(args[0]) if args else 0
    return simulation.handles.add(Mailbox(max(bound or 0, 0), _new_waiters(simulation))), {}


def _put(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    mailbox = _mailbox(simulation, site, args[0])
    if mailbox.bound and len(mailbox.messages) >= mailbox.bound:
        return 0, {}
    mailbox.messages.append(args[1])
    simulation.engine.wake(mailbox.waiters)
    return 1, {}


def _take(remove: bool) -> ObjectCall:
    def take(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
        mailbox = _mailbox(simulation, site, args[0])
        if not mailbox.messages:
            return 0, {}
        message = mailbox.messages[0]
        if type(message) is not type(args[1]):
            if site.name.startswith("mailbox.try"):
                return 0xFFFFFFFF, {}
            raise UserError(
                "mailbox-type", "the message in the mailbox is of another type than the variable", site.span
            )
        if remove:
            mailbox.messages.popleft()
            simulation.engine.wake(mailbox.waiters + _GIVING)
        return 1, {1: message}

    return take


def _num(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    return len(_mailbox(simulation, site, args[0]).messages), {}


def _mailbox_waiters(giving: bool) -> ObjectCall:
    def address(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
        return _mailbox(simulation, site, args[0]).waiters + _GIVING * giving, {}

    return address


def _new_semaphore(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    return simulation.handles.add(Semaphore((number(args[0]) or 0) if args else 0, _new_waiters(simulation))), {}


def _keys(args: list[Any]) -> int:
    return (number(args[1]) or 0) if len(args) > 1 and args[1] is not None else 1


def _put_keys(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    semaphore = _semaphore(simulation, site, args[0])
    semaphore.keys += _keys(args)
    simulation.engine.wake(semaphore.waiters)
    return None, {}


def _get_keys(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    semaphore = _semaphore(simulation, site, args[0])
    wanted = _keys(args)
    if semaphore.keys < wanted:
        return 0, {}
    semaphore.keys -= wanted
    return 1, {}


def _semaphore_waiters(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    return _semaphore(simulation, site, args[0]).waiters, {}


# ------------------------------------------------------------------------------------------- processes


def _self(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    assert simulation.host.current is not None
    return simulation.engine.process_object(simulation.host.current[0]), {}


def _status(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    process = int(args[0])
    assert simulation.host.current is not None
    state = ctypes.c_uint64.from_address(process + PROCESS_STATE).value
    if state == 1 and process != simulation.engine.process_object(simulation.host.current[0]):
        state = 2
    return state, {}


def _kill(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    if simulation.engine.kill(int(args[0])):
        raise UserError(
            "kill-self", "a process that kills itself, or one that has forked it, is not supported", site.span
        )
    return None, {}


def _suspend(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    """Suspend a process: return 1, or 0 if it is the present one, which then waits until it is resumed."""
    process = int(args[0])
    assert simulation.host.current is not None
    if process != simulation.engine.process_object(simulation.host.current[0]):
        simulation.engine.suspend(process)
        return 1, {}
    held = ctypes.c_uint64.from_address(process + PROCESS_HELD)
    if held.value:
        held.value = 0
        return 1, {}
    held.value = 1
    ctypes.c_uint64.from_address(process + PROCESS_STATE).value = 3
    ctypes.c_uint64.from_address(process + PROCESS_CODE).value = 0
    return 0, {}


def _suspended_list(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    return int(args[0]) + PROCESS_SLEEPER, {}


def _resume(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    simulation.engine.resume(int(args[0]))
    return None, {}


def _await(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    state = ctypes.c_uint64.from_address(int(args[0]) + PROCESS_STATE).value
    return int(state in (0, 4)), {}


def _await_list(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    return int(args[0]) + PROCESS_WAITERS, {}


def _name(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    """Return the name of an enum's value: the arguments are the value, then each member's name and value."""
    for name, value in zip(args[1::2], args[2::2], strict=True):
        if (value.value, value.unknown) == (args[0].value, args[0].unknown):
            return name, {}
    return "", {}


OBJECT_CALLS: dict[str, ObjectCall] = {
    **CONTAINER_CALLS,
    **LOCATOR_CALLS,
    **STRING_CALLS,
    "name": _name,
    "$weft$null": _null,
    "$weft$recursion": _recursion,
    "$weft$memory": _memory,
    "$weft$wide": _wide,
    "class.copy": _copy,
    "class.cast": _cast,
    "mailbox.new": _new_mailbox,
    "mailbox.try_put": _put,
    "mailbox.attempt_put": _put,
    "mailbox.waiters_put": _mailbox_waiters(True),
    "mailbox.try_get": _take(True),
    "mailbox.attempt_get": _take(True),
    "mailbox.waiters_get": _mailbox_waiters(False),
    "mailbox.try_peek": _take(False),
    "mailbox.attempt_peek": _take(False),
    "mailbox.waiters_peek": _mailbox_waiters(False),
    "mailbox.num": _num,
    "semaphore.new": _new_semaphore,
    "semaphore.put": _put_keys,
    "semaphore.try_get": _get_keys,
    "semaphore.attempt_get": _get_keys,
    "semaphore.waiters_get": _semaphore_waiters,
    "process.self": _self,
    "process.status": _status,
    "process.kill": _kill,
    "process.attempt_suspend": _suspend,
    "process.waiters_suspend": _suspended_list,
    "process.resume": _resume,
    "process.attempt_await": _await,
    "process.waiters_await": _await_list,
}
"""What performs the operations on objects."""
