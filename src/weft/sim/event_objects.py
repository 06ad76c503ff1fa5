"""Class objects and processes of an event simulation, and the errors that running code finds."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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
from weft.sim.event_strings import STRING_CALLS

if TYPE_CHECKING:
    from weft.sim.event_simulation import EventSimulation

Outputs = dict[int, Any]
ObjectCall = Callable[["EventSimulation", HostSite, list[Any]], tuple[Any, Outputs]]


def _null(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    raise UserError("null-handle", "a null handle is used here", site.span)


def _null_box(what: str) -> ObjectCall:
    def refuse(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
        raise UserError("null-handle", f"a null {what} is used here", site.span)

    return refuse


def _mailbox_type(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    raise UserError("mailbox-type", "the message in the mailbox is of another type than the variable", site.span)


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
    **STRING_CALLS,
    "name": _name,
    "$weft$null": _null,
    "$weft$null_mailbox": _null_box("mailbox"),
    "$weft$null_semaphore": _null_box("semaphore"),
    "$weft$mailbox_type": _mailbox_type,
    "$weft$recursion": _recursion,
    "$weft$memory": _memory,
    "$weft$wide": _wide,
    "class.copy": _copy,
    "class.cast": _cast,
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
