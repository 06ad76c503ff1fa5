"""Arguments with a shape of their own for `%p`: containers, structs, enums, arrays (IEEE 1800-2023 21.2.1.7)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from weft.engines.event.container_layout import flat_width
from weft.engines.event.host_sites import HostSite
from weft.ir.design import Type
from weft.sim.format_arguments import Argument, Shaped, Value
from weft.sim.format_patterns import HANDLES
from weft.sim.tasks.task_call import TaskArgument

if TYPE_CHECKING:
    from weft.sim.event_simulation import EventSimulation

_CONTAINERS = frozenset({"queue", "dynamic", "assoc"})
_SHAPED = frozenset({"struct", "union", "tagged", "enum"})


def shaped_arguments(simulation: EventSimulation, site: HostSite, arguments: list[Any]) -> list[TaskArgument]:
    """Return a call's arguments, with the type of those that have a shape."""
    found: list[TaskArgument] = []
    for shape, argument in zip(site.arguments, arguments, strict=True):
        kind = shape.type
        if kind is None or shape.output:
            found.append(argument)
        elif kind.kind in _CONTAINERS and not isinstance(argument, Value):
            found.append(_container(simulation, kind, argument))
        elif kind.kind in HANDLES and isinstance(argument, int):
            found.append(Shaped(kind, Value(64, argument)))
        elif isinstance(argument, Value) and (kind.kind in _SHAPED or kind.unpacked) and _whole(kind, argument):
            found.append(Shaped(kind, argument, partial(_word, simulation)))
        else:
            found.append(argument)
    return found


def _whole(kind: Type, argument: Value) -> bool:
    """Say whether a value is a whole one of a type: an element of an array is described by the array's type."""
    return flat_width(kind) == argument.width


def _word(simulation: EventSimulation, kind: Type, word: int) -> Argument:
    """Return what a word in a flat value stands for."""
    if kind.kind == "string":
        return simulation.handles.text(word)
    if kind.kind in _CONTAINERS:
        return _container(simulation, kind, word)
    return Value(64, word)


def _index(kind: Type, name: int) -> Value:
    """Return an index as a value: a key of an associative array has the type of its keys."""
    if kind.key is None or kind.key.kind in HANDLES:
        return Value(64, name & (1 << 64) - 1, 0, kind.kind != "assoc")
    return Value(kind.key.width, name & (1 << kind.key.width) - 1, 0, kind.key.signed)


def _container(simulation: EventSimulation, kind: Type, handle: Any) -> Shaped:
    container = simulation.containers.find(handle, kind)
    element = kind.element
    pairs: list[tuple[Any, Any]] = []
    for name, item in zip(container.keys(), container.values(), strict=True):
        shown = item
        if element is not None and element.kind in _CONTAINERS:
            shown = _container(simulation, element, item)
        elif element is not None and isinstance(item, Value) and (element.kind in _SHAPED or element.unpacked):
            shown = Shaped(element, item, partial(_word, simulation))
        pairs.append((name if isinstance(name, str) else _index(kind, name), shown))
    return Shaped(kind, tuple(pairs))
