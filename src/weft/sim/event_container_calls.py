"""Operations on containers that are left to Python (IEEE 1800-2023 7.5 to 7.12, 11.4.14).

Compiled code does most of what is done with containers in memory by itself (`engines.event.code_containers`). Here are
streams and comparisons of containers of containers, copies between elements that lie in different ways, and all that is
done with associative arrays that Python keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from weft.engines.event.container_layout import flat_width
from weft.engines.event.host_sites import HostSite
from weft.engines.event.writer import mask
from weft.ir.design import Type
from weft.sim.event_containers import KeptMap, default_of, key_of, number
from weft.sim.format_arguments import Value

if TYPE_CHECKING:
    from weft.sim.event_simulation import EventSimulation

Outputs = dict[int, Any]
Call = Callable[["EventSimulation", HostSite, list[Any]], tuple[Any, Outputs]]
"""What performs an operation: its result, and the new values of arguments."""


def made_type(site: HostSite) -> Type:
    """Return the type of the container that a call makes."""
    found = site.extra[0] if isinstance(site.extra, tuple) else site.extra
    assert isinstance(found, Type)
    return found


def _copy(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    return simulation.containers.copy(args[0], made_type(site)), {}


def _new(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    """Do `new[size](source)` of arrays whose elements lie in different ways."""
    kind = made_type(site)
    size = max(number(args[0]) or 0, 0)
    items = simulation.containers.find(args[1]).values()[:size]
    assert kind.element is not None
    return simulation.containers.make(kind, items + [default_of(kind.element)] * (size - len(items))), {}


def _literal(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    """Make an associative array that Python keeps."""
    made = KeptMap(made_type(site))
    if site.name == "array.literal_default":
        made.default, args = args[0], args[1:]
    for key, item in zip(args[::2], args[1::2], strict=True):
        made.put(key_of(made.type, key), item)
    return simulation.containers.keep(made), {}


def _join(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    containers = simulation.containers
    return containers.make(
        made_type(site), [i for handle in args for i in containers.copied(containers.find(handle))]
    ), {}


def _slice(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    items = simulation.containers.copied(simulation.containers.find(args[0]))
    low, high = number(args[1]), number(args[2])
    items = items[max(low, 0) : max(high + 1, 0)] if low is not None and high is not None else []
    return simulation.containers.make(made_type(site), items), {}


def _get(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    container = simulation.containers.find(args[0], site.arguments[0].type)
    assert site.result is not None
    kind = container.type.element if container.type.kind == "assoc" else site.result.type
    missing = default_of(kind) if kind is not None else Value(site.result.width, 0, mask(site.result.width))
    return container.get(key_of(container.type, args[1]), missing), {}


def _set(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    container, handle = simulation.containers.writable(args[0], made_type(site))
    key = key_of(container.type, args[1])
    if key is not None:
        container.put(key, args[2])
    return None, {0: handle}


def _size(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    return len(simulation.containers.find(args[0])), {}


def _delete(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    container = simulation.containers.find(args[0], site.arguments[0].type)
    assert isinstance(container, KeptMap)
    if len(args) < 2 or args[1] is None:
        container.clear()
    else:
        container.remove(key_of(container.type, args[1]))
    return None, {0: args[0]}


def _exists(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    container = simulation.containers.find(args[0], site.arguments[0].type)
    assert isinstance(container, KeptMap)
    return int(key_of(container.type, args[1]) in container.entries), {}


def _walk(method: str) -> Call:
    def walk(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
        container = simulation.containers.find(args[0], site.arguments[0].type)
        keys = container.keys()
        if method in ("first", "last"):
            found = keys[:1] if method == "first" else keys[-1:]
        else:
            present = key_of(container.type, args[1])
            if present is None:
                return 0, {}
            found = [k for k in keys if k > present][:1] if method == "next" else [k for k in keys if k < present][-1:]
        if not found:
            return 0, {}
        return 1, {1: _key_value(args[1], found[0])}

    return walk


def _key_value(like: Any, key: Any) -> Any:
    if isinstance(like, Value) and isinstance(key, int):
        return Value(like.width, key & (1 << like.width) - 1, 0, like.signed)
    return key


def _at(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    container = simulation.containers.find(args[0])
    assert isinstance(container, KeptMap)
    return container.entries[container.keys()[number(args[1]) or 0]], {}


def _key_at(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    return simulation.containers.find(args[0]).keys()[number(args[1]) or 0], {}


def _equal(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    return simulation.containers.equal(args[0], args[1]), {}


def _blocks(plane: int, width: int, size: int) -> int:
    """Return a stream with its blocks, counted from the right, in opposite order."""
    result = 0
    for at in range(0, width, size):
        here = min(size, width - at)
        result = result << here | (plane >> at) & ((1 << here) - 1)
    return result


def _unpack(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    """Return a container filled with a stream, the last element with zeros if it ends early."""
    kind = made_type(site)
    bits, unknown, width = streamed(simulation, args)
    element = kind.element
    assert element is not None
    step = flat_width(element)
    missing = -width % step
    bits, unknown, width = bits << missing, unknown << missing, width + missing
    ones = (1 << step) - 1
    items: list[Any] = []
    for at in range(width - step, -1, -step):
        hidden = unknown >> at & ones if element.four_state else 0
        part = bits >> at & ones
        items.append(Value(step, part if element.four_state else part & ~(unknown >> at), hidden))
    return simulation.containers.make(kind, items), {}


def streamed(simulation: EventSimulation, args: list[Any]) -> tuple[int, int, int]:
    """Return the bits of a stream, which of them are unknown, and how many they are.

    The arguments are bits, a string or a container, and perhaps the size of the blocks that are reversed.
    """
    bits = unknown = width = 0
    if isinstance(args[0], Value):
        bits, unknown, width = args[0].value, args[0].unknown, args[0].width
    elif isinstance(args[0], str):
        width = 8 * len(args[0])
        bits = int.from_bytes(args[0].encode("latin-1"), "big")
    else:
        for item in simulation.containers.bits(args[0]):
            bits = bits << item.width | item.value
            unknown = unknown << item.width | item.unknown
            width += item.width
    size = number(args[1]) if len(args) > 1 else 0
    if size:
        bits, unknown = (_blocks(plane, width, size) for plane in (bits, unknown))
    return bits, unknown, width


CONTAINER_CALLS: dict[str, Call] = {
    "array.new": _new,
    "array.copy": _copy,
    "array.literal": _literal,
    "array.literal_default": _literal,
    "array.join": _join,
    "array.slice": _slice,
    "array.get": _get,
    "array.set": _set,
    "array.size": _size,
    "array.delete": _delete,
    "array.exists": _exists,
    **{f"array.{method}": _walk(method) for method in ("first", "last", "next", "prev")},
    "array.at": _at,
    "array.key_at": _key_at,
    "array.equal": _equal,
    "array.unpack": _unpack,
}
