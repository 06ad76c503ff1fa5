"""Array methods that choose or order elements by a key computed for each (IEEE 1800-2023 7.12)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from weft.engines.event.host_sites import HostSite
from weft.sim.event_container_calls import Call, Outputs, made_type
from weft.sim.event_containers import Container, Containers, Stored
from weft.sim.format_arguments import Value

if TYPE_CHECKING:
    from weft.sim.event_simulation import EventSimulation


def _order(signed: bool) -> Callable[[Any], Any]:
    def compare(a: Any, b: Any) -> int:
        x, y = _sortable(a, signed), _sortable(b, signed)
        return (x > y) - (x < y)

    return cmp_to_key(compare)


def _sortable(item: Any, signed: bool) -> Any:
    if isinstance(item, Value):
        known = item.value & ~item.unknown
        if (signed or item.signed) and known >> (item.width - 1) & 1:
            return known - (1 << item.width)
        return known
    return item


def _by(method: str) -> Call:
    def choose(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
        containers = simulation.containers
        container = containers.find(args[0])
        signed = args[-1] == "signed"
        items = container.values()
        names = container.keys()
        keys = containers.find(args[1]).values() if len(args) > 2 else items
        order = _order(signed)
        if method in ("sort", "rsort", "reverse", "shuffle"):
            return _reorder(containers, container, method, keys, order, args[0])
        kind = made_type(site)
        if method == "map":
            return containers.make(kind, keys), {}
        positions = _positions(method, keys, order)
        if method.endswith("index"):
            width = kind.element.width if kind.element is not None else 32
            found = [names[i] for i in positions]
            index = [Value(width, k & (1 << width) - 1, 0, True) if isinstance(k, int) else k for k in found]
            return containers.make(kind, index), {}
        return containers.make(kind, [items[i] for i in positions]), {}

    return choose


def _reorder(
    containers: Containers, container: Container, method: str, keys: list[Any], order: Callable[[Any], Any], handle: Any
) -> tuple[Any, Outputs]:
    items = container.values()
    places = list(range(len(items)))
    if method in ("sort", "rsort"):
        places.sort(key=lambda i: order(keys[i]), reverse=method == "rsort")
    elif method == "reverse":
        places.reverse()
    else:
        containers.shuffle(places)
    if items:
        assert isinstance(container, Stored)
        container.set_items([items[i] for i in places])
    return None, {0: handle}


def _positions(method: str, keys: list[Any], order: Callable[[Any], Any]) -> list[int]:
    """Return the positions of the elements that a locator method returns."""
    if method.startswith("find"):
        found = [i for i, key in enumerate(keys) if _true(key)]
        if "first" in method:
            return found[:1]
        return found[-1:] if "last" in method else found
    if method.startswith("unique"):
        seen: dict[Any, int] = {}
        for i, key in enumerate(keys):
            seen.setdefault((key.value, key.unknown) if isinstance(key, Value) else key, i)
        return list(seen.values())
    if not keys:
        return []
    choose = min if method.startswith("min") else max
    return [choose(range(len(keys)), key=lambda i: order(keys[i]))]


def _true(key: Any) -> bool:
    return bool(key.value & ~key.unknown) if isinstance(key, Value) else bool(key)


_LOCATORS = [
    "find",
    "find_index",
    "find_first",
    "find_first_index",
    "find_last",
    "find_last_index",
    "min",
    "max",
    "unique",
    "unique_index",
    "sort",
    "rsort",
    "reverse",
    "shuffle",
    "map",
]

LOCATOR_CALLS: dict[str, Call] = {f"array.{method}_by": _by(method) for method in _LOCATORS}
"""What performs each method; its arguments are the array, the keys if there are any, and whether they are signed."""
