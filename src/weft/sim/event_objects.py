"""What strings, containers and run-time errors ask of Python in an event simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from weft.base.errors import UserError
from weft.engines.event.host_sites import HostSite
from weft.sim.event_arguments import write_result

if TYPE_CHECKING:
    from weft.sim.event_simulation import EventSimulation

Outputs = dict[int, Any]
ObjectCall = Callable[["EventSimulation", HostSite, list[Any], int], Outputs]


def _null(simulation: EventSimulation, site: HostSite, arguments: list[Any], buffer: int) -> Outputs:
    raise UserError("null-handle", "a null handle is used here", site.span)


def _recursion(simulation: EventSimulation, site: HostSite, arguments: list[Any], buffer: int) -> Outputs:
    raise UserError("recursion", "this function calls itself without end", site.span)


OBJECT_CALLS: dict[str, ObjectCall] = {
    "$weft$null": _null,
    "$weft$recursion": _recursion,
}

__all__ = ["write_result"]
