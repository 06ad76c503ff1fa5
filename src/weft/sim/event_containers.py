"""Dynamic arrays, queues and associative arrays of an event simulation (IEEE 1800-2023 7.5 to 7.12).

A container keeps its elements as Python values: `Value` for vectors, `str`, `float`, and ints for handles. Handle 0 is
an empty container; the first write makes one and gives its handle to the variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from weft.base.dataclass import dataclass, field
from weft.engines.event.host_sites import HostSite
from weft.ir.design import Type
from weft.sim.format_arguments import Value

if TYPE_CHECKING:
    from weft.sim.event_simulation import EventSimulation

Outputs = dict[int, Any]
Call = Callable[["EventSimulation", HostSite, list[Any]], tuple[Any, Outputs]]
"""What performs an operation: its result, and the new values of arguments."""

_CONTAINERS = ("queue", "dynamic", "assoc")


@dataclass(slots=True, eq=False)
class Container:
    """Hold elements: `items` of a dynamic array or queue, `entries` of an associative array by key."""

    type: Type
    items: list[Any] = field(default_factory=list[Any])
    entries: dict[Any, Any] = field(default_factory=dict[Any, Any])
    default: Any = None

    @property
    def associative(self) -> bool:
        """Say whether elements are found by key."""
        return self.type.kind == "assoc"

    def keys(self) -> list[Any]:
        """Return the keys of an associative array in order."""
        return sorted(self.entries)

    def values(self) -> list[Any]:
        """Return the elements in order."""
        return [self.entries[key] for key in self.keys()] if self.associative else self.items


def default_of(element: Type | None) -> Any:
    """Return what an element reads as that is not there (IEEE 1800-2023 table 7-1)."""
    if element is None:
        return Value(1, 0, 1)
    if element.kind in ("real", "shortreal"):
        return 0.0
    if element.kind == "string":
        return ""
    if element.kind in (*_CONTAINERS, "class", "chandle", "event", "mailbox", "semaphore", "process"):
        return 0
    width = width_of(element)
    return Value(width, 0, (1 << width) - 1 if element.four_state else 0, element.signed)


def width_of(kind: Type) -> int:
    """Return the flattened width of a type."""
    count = 1
    for left, right in kind.unpacked:
        count *= abs(left - right) + 1
    return kind.width * count


def number(value: Any) -> int | None:
    """Return an index as a signed number, or None if it is unknown."""
    if isinstance(value, Value):
        if value.unknown:
            return None
        top = value.signed and value.value >> (value.width - 1) & 1
        return value.value - (1 << value.width) if top else value.value
    return int(value)


def key_of(container: Container, value: Any) -> Any:
    """Return a key as it is kept: text, or a number, signed if the key's type is."""
    if isinstance(value, str):
        return value
    if isinstance(value, Value):
        if value.unknown:
            return None
        kind = container.type.key
        signed = value.signed if kind is None else kind.signed
        if signed and value.value >> (value.width - 1) & 1:
            return value.value - (1 << value.width)
        return value.value
    return value


class Containers:
    """Perform the operations on containers for one simulation."""

    def __init__(self, simulation: EventSimulation) -> None:
        self._handles = simulation.handles
        self._simulation = simulation

    def find(self, handle: Any, kind: Type | None = None) -> Container:
        """Return the container of a handle; a new empty one for 0."""
        found = self._handles.values[int(handle)] if handle else None
        if isinstance(found, Container):
            return found
        return Container(kind or Type("queue", 64))

    def add(self, container: Container) -> int:
        """Return a new handle of a container."""
        return self._handles.add(container)

    def writable(self, handle: Any, kind: Type | None) -> tuple[Container, int]:
        """Return the container of a variable, made if there is none yet, and its handle."""
        found = self._handles.values[int(handle)] if handle else None
        if isinstance(found, Container):
            return found, int(handle)
        made = Container(kind or Type("queue", 64))
        return made, self.add(made)

    def copy(self, handle: Any) -> int:
        """Return the handle of a copy, of containers inside elements too."""
        if not handle:
            return 0
        source = self.find(handle)
        element = source.type.element
        deep = element is not None and element.kind in _CONTAINERS
        keep: Callable[[Any], Any] = self.copy if deep else _same
        made = Container(source.type, [keep(item) for item in source.items], default=source.default)
        made.entries = {key: keep(item) for key, item in source.entries.items()}
        return self.add(made)

    def equal(self, a: Any, b: Any) -> Value:
        """Return whether two containers are equal, x if unknown bits leave it open."""
        first, second = self.find(a), self.find(b)
        if first.associative or second.associative:
            if first.keys() != second.keys():
                return Value(1, 0)
        left, right = first.values(), second.values()
        if len(left) != len(right):
            return Value(1, 0)
        unknown = False
        nested = first.type.element is not None and first.type.element.kind in _CONTAINERS
        for x, y in zip(left, right, strict=True):
            if nested:
                inner = self.equal(x, y)
                unknown = unknown or bool(inner.unknown)
                if not inner.unknown and not inner.value:
                    return Value(1, 0)
            elif isinstance(x, Value) and isinstance(y, Value):
                either = x.unknown | y.unknown
                if (x.value ^ y.value) & ~either:
                    return Value(1, 0)
                unknown = unknown or bool(either)
            elif x != y:
                return Value(1, 0)
        return Value(1, 0, 1) if unknown else Value(1, 1)

    def bits(self, handle: Any) -> Iterable[Value]:
        """Yield the elements as vectors, in order, those of containers inside too."""
        container = self.find(handle)
        element = container.type.element
        for item in container.values():
            if element is not None and element.kind in _CONTAINERS:
                yield from self.bits(item)
            elif isinstance(item, Value):
                yield item
            elif isinstance(item, str):
                yield Value(8 * len(item), int.from_bytes(item.encode("latin-1"), "big"))

    def shuffle(self, items: list[Any]) -> None:
        """Put elements into a random order."""
        with self._simulation.randomizer.thread_stream() as stream:
            stream.shuffle(items)


def _same(item: Any) -> Any:
    return item


# ------------------------------------------------------------------------------------------- operations


def made_type(site: HostSite) -> Type | None:
    """Return the type of the container that a call makes."""
    return site.extra[0] if isinstance(site.extra, tuple) else site.extra


def _new(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    kind = made_type(site)
    size = number(args[0]) or 0
    source = simulation.containers.find(args[1]).items if len(args) > 1 else []
    made = Container(kind or Type("dynamic", 64))
    made.items = source[: max(size, 0)]
    made.items += [default_of(made.type.element)] * (max(size, 0) - len(made.items))
    return simulation.containers.add(made), {}


def _copy(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    copied = simulation.containers.copy(args[0])
    kind = made_type(site)
    if copied and kind is not None:
        made = simulation.containers.find(copied)
        made.type = kind
        _cut(made)
    return copied, {}


def _literal(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    made = Container(made_type(site) or Type("queue", 64))
    if site.name == "array.literal_default":
        made.default, args = args[0], args[1:]
    if made.associative:
        for key, item in zip(args[::2], args[1::2], strict=True):
            made.entries[key_of(made, key)] = item
    else:
        made.items = list(args)
        _cut(made)
    return simulation.containers.add(made), {}


def _cut(container: Container) -> None:
    """Drop what a bounded queue cannot hold."""
    bound = container.type.bound
    if container.type.kind == "queue" and bound and len(container.items) > bound:
        del container.items[bound:]


def _join(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    made = Container(made_type(site) or Type("queue", 64))
    for handle in args:
        made.items += simulation.containers.find(handle).values()
    _cut(made)
    return simulation.containers.add(made), {}


def _slice(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    source = simulation.containers.find(args[0])
    low, high = number(args[1]), number(args[2])
    made = Container(made_type(site) or source.type)
    if low is not None and high is not None:
        low, high = max(low, 0), min(high, len(source.items) - 1)
        made.items = source.items[low : high + 1] if low <= high else []
    return simulation.containers.add(made), {}


def _get(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    container = simulation.containers.find(args[0])
    kind = site.result.type if site.result is not None else None
    missing = container.default if container.default is not None else _missing(site, kind)
    if container.associative:
        key = key_of(container, args[1])
        return container.entries.get(key, missing), {}
    # A variable that holds nothing yet does not say what it is indexed by.
    index = number(args[1]) if args[0] else None
    if index is None or not 0 <= index < len(container.items):
        return missing, {}
    return container.items[index], {}


def _missing(site: HostSite, kind: Type | None) -> Any:
    if kind is not None:
        return default_of(kind)
    width = site.result.width if site.result is not None else 1
    return Value(width, 0, (1 << width) - 1)


def _set(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    container, handle = simulation.containers.writable(args[0], made_type(site))
    if container.associative:
        key = key_of(container, args[1])
        if key is not None:
            container.entries[key] = args[2]
        return None, {0: handle}
    index = number(args[1])
    items = container.items
    if index is not None and 0 <= index < len(items):
        items[index] = args[2]
    elif index == len(items) and container.type.kind == "queue":
        items.append(args[2])
        _cut(container)
    return None, {0: handle}


def _size(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    return len(simulation.containers.find(args[0]).values()), {}


def _push_back(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    container, handle = simulation.containers.writable(args[0], site.arguments[0].type)
    container.items.append(args[1])
    _cut(container)
    return None, {0: handle}


def _push_front(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    container, handle = simulation.containers.writable(args[0], site.arguments[0].type)
    container.items.insert(0, args[1])
    _cut(container)
    return None, {0: handle}


def _pop(at: int) -> Call:
    def pop(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
        container = simulation.containers.find(args[0], site.arguments[0].type)
        if not container.items:
            return default_of(container.type.element), {0: args[0]}
        return container.items.pop(at), {0: args[0]}

    return pop


def _insert(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    container, handle = simulation.containers.writable(args[0], site.arguments[0].type)
    index = number(args[1])
    if index is not None and 0 <= index <= len(container.items):
        container.items.insert(index, args[2])
        _cut(container)
    return None, {0: handle}


def _delete(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    container = simulation.containers.find(args[0])
    if len(args) < 2 or args[1] is None:
        container.items.clear()
        container.entries.clear()
    elif container.associative:
        container.entries.pop(key_of(container, args[1]), None)
    else:
        index = number(args[1])
        if index is not None and 0 <= index < len(container.items):
            del container.items[index]
    return None, {0: args[0]}


def _exists(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    container = simulation.containers.find(args[0])
    return int(key_of(container, args[1]) in container.entries), {}


def _walk(method: str) -> Call:
    def walk(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
        container = simulation.containers.find(args[0])
        keys = container.keys()
        if method in ("first", "last"):
            found = keys[:1] if method == "first" else keys[-1:]
        else:
            present = key_of(container, args[1])
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
    return simulation.containers.find(args[0]).values()[number(args[1]) or 0], {}


def _key_at(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    container = simulation.containers.find(args[0])
    index = number(args[1]) or 0
    return (container.keys()[index] if container.associative else index), {}


def _equal(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    return simulation.containers.equal(args[0], args[1]), {}


def _reverse(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    simulation.containers.find(args[0]).items.reverse()
    return None, {0: args[0]}


def _shuffle(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    simulation.containers.shuffle(simulation.containers.find(args[0]).items)
    return None, {0: args[0]}


def _pack(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    """Return the elements as one vector, the first at the top; a wider target is filled from the left (11.4.14)."""
    bits = unknown = width = 0
    for item in simulation.containers.bits(args[0]):
        bits = bits << item.width | item.value
        unknown = unknown << item.width | item.unknown
        width += item.width
    size = number(args[1]) if len(args) > 1 else 0
    if size:
        bits, unknown = (_blocks(plane, width, size) for plane in (bits, unknown))
    target = site.result.width if site.result is not None else width
    shift = target - width
    if shift >= 0:
        return Value(target, bits << shift, unknown << shift), {}
    return Value(target, bits >> -shift, unknown >> -shift), {}


def _blocks(plane: int, width: int, size: int) -> int:
    """Return a stream with its blocks, counted from the right, in opposite order."""
    result = 0
    for at in range(0, width, size):
        here = min(size, width - at)
        result = result << here | (plane >> at) & ((1 << here) - 1)
    return result


def _unpack(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    """Return a container filled with a stream, the last element with zeros if it ends early."""
    kind = made_type(site) or Type("queue", 64)
    bits, unknown, width = streamed(simulation, args)
    made = Container(kind)
    element = kind.element or Type("logic", 1)
    step = width_of(element)
    missing = -width % step
    bits, unknown, width = bits << missing, unknown << missing, width + missing
    ones = (1 << step) - 1
    for at in range(width - step, -1, -step):
        hidden = unknown >> at & ones if element.four_state else 0
        part = bits >> at & ones
        made.items.append(Value(step, part if element.four_state else part & ~(unknown >> at), hidden))
    return simulation.containers.add(made), {}


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
    "array.num": _size,
    "array.push_back": _push_back,
    "array.push_front": _push_front,
    "array.pop_back": _pop(-1),
    "array.pop_front": _pop(0),
    "array.insert": _insert,
    "array.delete": _delete,
    "array.exists": _exists,
    **{f"array.{method}": _walk(method) for method in ("first", "last", "next", "prev")},
    "array.at": _at,
    "array.key_at": _key_at,
    "array.equal": _equal,
    "array.reverse": _reverse,
    "array.shuffle": _shuffle,
    "array.pack": _pack,
    "array.unpack": _unpack,
}
