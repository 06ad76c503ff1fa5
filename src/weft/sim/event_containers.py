"""Dynamic arrays, queues and associative arrays as Python sees them (IEEE 1800-2023 7.5 to 7.12).

Containers lie in compiled memory (`engines.event.container_layout`), where Python reads and replaces their elements;
associative arrays whose keys do not fit into words are kept by Python (`KeptMap`).

Python sees elements as `Value` for vectors, `str`, `float`, and ints for handles. Handle 0 is an empty container.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from weft.base.dataclass import dataclass, field
from weft.base.errors import InternalError
from weft.engines.event.assoc_kernels import BLOCK_COUNT, BLOCK_ENTRIES
from weft.engines.event.container_layout import (
    LEAST_ADDRESS,
    SIGN,
    ContainerLayout,
    ContainerTypes,
    element_layout,
    in_memory,
)
from weft.engines.event.records import (
    CONTAINER_COUNT,
    CONTAINER_FIRST,
    MAP_BLOCKS,
    MAP_TOP,
    OBJECT_CLASS,
)
from weft.engines.event.value_types import CONTAINERS, REALS
from weft.engines.event.writer import mask, plane_bytes
from weft.ir.design import Type
from weft.sim.format_arguments import Value

if TYPE_CHECKING:
    from weft.sim.event_simulation import EventSimulation


@dataclass(slots=True, eq=False)
class KeptMap:
    """Be an associative array that Python keeps: `entries` by key, and what all other keys read, if that is given."""

    type: Type
    entries: dict[Any, Any] = field(default_factory=dict[Any, Any])
    default: Any = None
    _ordered: list[Any] | None = None
    """The keys in order, once somebody has asked for them."""

    @property
    def items(self) -> list[Any]:
        """Return the elements in the order of their keys."""
        return self.values()

    def keys(self) -> list[Any]:
        """Return the keys in order."""
        if self._ordered is None:
            self._ordered = sorted(self.entries)
        return self._ordered

    def values(self) -> list[Any]:
        """Return the elements in the order of their keys."""
        return [self.entries[key] for key in self.keys()]

    def get(self, key: Any, missing: Any) -> Any:
        """Return the element of a key, or what is read instead."""
        return self.entries.get(key, self.default if self.default is not None else missing)

    def put(self, key: Any, item: Any) -> None:
        """Store the element of a key."""
        if key not in self.entries:
            self._ordered = None
        self.entries[key] = item

    def remove(self, key: Any) -> None:
        """Take the element of a key out, if there is one."""
        self.entries.pop(key, None)
        self._ordered = None

    def clear(self) -> None:
        """Take all elements out."""
        self.entries.clear()
        self._ordered = None

    def __len__(self) -> int:
        return len(self.entries)


@dataclass(slots=True, eq=False)
class Stored:
    """Be a container in compiled memory; `address` 0 is an empty one."""

    simulation: EventSimulation
    layout: ContainerLayout
    address: int

    @property
    def type(self) -> Type:
        """Return the container's type."""
        return self.layout.type

    def __len__(self) -> int:
        return _word(self.address + CONTAINER_COUNT) if self.address else 0

    @property
    def items(self) -> list[Any]:
        """Return the elements in order."""
        return self.values()

    def values(self) -> list[Any]:
        """Return the elements in order."""
        if not self.address:
            return []
        element, step = self.layout.element, self.layout.step
        if self.layout.is_map:
            return [self._value(data[8:]) for data in self._entries()]
        data = ctypes.string_at(_word(self.address + CONTAINER_FIRST), len(self) * step)
        size = plane_bytes(element.width)
        if element.word or element.four_state:
            return [self._value(data[at : at + step]) for at in range(0, len(data), step)]
        signed, width = element.type.signed, element.width
        return [
            Value(width, int.from_bytes(data[i : i + size], "little"), 0, signed) for i in range(0, len(data), step)
        ]

    def keys(self) -> list[Any]:
        """Return the keys of an associative array in order, or the indices."""
        if not self.layout.is_map:
            return list(range(len(self)))
        words = [int.from_bytes(data[:8], "little") for data in self._entries()]
        if self._text_keys:
            return [self.simulation.handles.text(word) for word in words]
        return [word - SIGN for word in words] if self._signed_keys else words

    @property
    def _signed_keys(self) -> bool:
        return self.layout.type.key is not None and self.layout.type.key.signed

    @property
    def _text_keys(self) -> bool:
        return self.layout.type.key is not None and self.layout.type.key.kind == "string"

    def set_items(self, items: list[Any]) -> None:
        """Replace all elements of what is no associative array."""
        engine = self.simulation.engine
        limit = self.layout.limit
        kept = items[:limit] if limit else items
        if not self.address:
            raise InternalError("elements are stored in a container that is not there")
        first = engine.call("sequence_resize", self.address, len(kept), engine.state)
        data = b"".join(map(self._bytes, kept))
        ctypes.memmove(first, data, len(data))

    def get(self, key: Any, missing: Any) -> Any:
        """Return the element of a key of an associative array, or what is read instead."""
        if not self.address:
            return missing
        if self._text_keys:
            word = self.simulation.handles.intern(key)
        elif int(key) >> 64 > 0:
            return missing  # An index that is wider than keys are.
        else:
            word = int(key) + (SIGN if self._signed_keys else 0)
        found = self.simulation.engine.call("map_read", self.address, word - (1 << 64) if word >> 63 else word)
        found &= mask(64)
        return self._value(ctypes.string_at(found, self.layout.element.step)) if found else missing

    def _entries(self) -> Iterable[bytes]:
        """Yield the bytes of each entry of an associative array: its key, then its element."""
        if not self.address:
            return
        step, top = self.layout.step, _word(self.address + MAP_TOP)
        for at in range(_word(self.address + MAP_BLOCKS)):
            block = _word(top + 16 * at + 8)
            data = ctypes.string_at(block + BLOCK_ENTRIES, _word(block + BLOCK_COUNT) * step)
            for i in range(0, len(data), step):
                yield data[i : i + step]

    def _value(self, data: bytes) -> Any:
        element = self.layout.element
        kind = element.type
        if not element.word:
            size = plane_bytes(element.width)
            unknown = int.from_bytes(data[size : 2 * size], "little") if element.four_state else 0
            return Value(element.width, int.from_bytes(data[:size], "little"), unknown, kind.signed)
        if kind.kind in REALS:
            return struct.unpack_from("<d", data)[0]
        word = int.from_bytes(data[:8], "little")
        return self.simulation.handles.text(word) if kind.kind == "string" else word

    def _bytes(self, item: Any) -> bytes:
        element = self.layout.element
        if not element.word:
            size = plane_bytes(element.width)
            if element.four_state:
                return item.value.to_bytes(size, "little") + item.unknown.to_bytes(size, "little")
            return (item.value & ~item.unknown).to_bytes(size, "little")
        if isinstance(item, float):
            return struct.pack("<d", item)
        return (self.simulation.handles.intern(item) if isinstance(item, str) else int(item)).to_bytes(8, "little")


Container = Stored | KeptMap


def _word(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value


def default_of(kind: Type) -> Any:
    """Return what an element reads as that is not there (IEEE 1800-2023 table 7-1)."""
    element = element_layout(kind)
    if not element.word:
        return Value(element.width, 0, element.unknown, kind.signed)
    return 0.0 if kind.kind in REALS else "" if kind.kind == "string" else 0


def number(value: Any) -> int | None:
    """Return an index as a signed number, or None if it is unknown."""
    if isinstance(value, Value):
        if value.unknown:
            return None
        top = value.signed and value.value >> (value.width - 1) & 1
        return value.value - (1 << value.width) if top else value.value
    return int(value)


def key_of(kind: Type, value: Any) -> Any:
    """Return a key of an associative array: text, or a number, signed if the key's type is."""
    if not isinstance(value, Value):
        return value
    if value.unknown:
        return None
    signed = value.signed if kind.key is None else kind.key.signed
    if signed and value.value >> (value.width - 1) & 1:
        return value.value - (1 << value.width)
    return value.value


class Containers:
    """Perform the operations on containers for one simulation. `types` numbers the types of those in memory."""

    def __init__(self, simulation: EventSimulation, types: ContainerTypes) -> None:
        self._handles = simulation.handles
        self._simulation = simulation
        self.types = types.copy()

    def find(self, handle: Any, kind: Type | None = None) -> Container:
        """Return the container of a handle; an empty one, of a type if that is known, for 0."""
        address = int(handle or 0)
        if address >= LEAST_ADDRESS:
            mark = _word(address + OBJECT_CLASS)
            return Stored(self._simulation, self.types.layout(self.types.types[mark & mask(32)]), address)
        found = self._handles.values[address] if address else None
        if isinstance(found, KeptMap):
            return found
        if kind is not None and kind.kind == "assoc" and not in_memory(kind):
            return KeptMap(kind)
        return Stored(self._simulation, self.types.layout(kind if in_memory(kind) else _ANY), 0)  # pyright: ignore[reportArgumentType]

    def make(self, kind: Type, items: list[Any]) -> int:
        """Return the handle of a new dynamic array or queue."""
        layout, engine = self.types.layout(kind), self._simulation.engine
        address = engine.call("sequence_make", layout.mark, layout.step, layout.limit, engine.state)
        Stored(self._simulation, layout, address).set_items(items)
        return address

    def keep(self, made: KeptMap) -> int:
        """Return a new handle of an associative array that Python keeps."""
        return self._handles.add(made)

    def writable(self, handle: Any, kind: Type) -> tuple[KeptMap, int]:
        """Return the associative array of a variable, made if there is none yet, and its handle."""
        found = self._handles.values[int(handle)] if handle else None
        if isinstance(found, KeptMap):
            return found, int(handle)
        made = KeptMap(kind)
        return made, self.keep(made)

    def copy(self, handle: Any, kind: Type | None = None) -> int:
        """Return the handle of a copy, of containers inside elements too, for a variable of a type if it is given."""
        if not handle:
            return 0
        source, engine = self.find(handle), self._simulation.engine
        kind = kind if kind is not None else source.type
        if isinstance(source, KeptMap):
            entries = dict(zip(source.entries, self.copied(source), strict=True))
            return self.keep(KeptMap(kind, entries, source.default))
        layout = self.types.layout(kind)
        if layout.is_map or layout.element.step == source.layout.element.step:
            return engine.call("container_copy", source.address, layout.mark, layout.limit, engine.state)
        return self.make(kind, source.values())

    def copied(self, source: Container) -> list[Any]:
        """Return the elements of a container, copied if they are containers themselves, in the order it has them."""
        items = list(source.entries.values()) if isinstance(source, KeptMap) else source.values()
        element = source.type.element
        deep = element is not None and element.kind in CONTAINERS and not element.unpacked
        return [self.copy(item) for item in items] if deep else items

    def equal(self, a: Any, b: Any) -> Value:
        """Return whether two containers are equal, x if unknown bits leave it open."""
        first, second = self.find(a), self.find(b)
        if len(first) != len(second):
            return Value(1, 0)
        if not len(first):
            return Value(1, 1)
        if first.type.kind == "assoc" and first.keys() != second.keys():
            return Value(1, 0)
        unknown = False
        nested = first.type.element is not None and first.type.element.kind in CONTAINERS
        for x, y in zip(first.values(), second.values(), strict=True):
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
            if element is not None and element.kind in CONTAINERS:
                yield from self.bits(item)
            elif isinstance(item, Value):
                yield item
            elif isinstance(item, str):
                yield Value(8 * len(item), int.from_bytes(item.encode("latin-1"), "big"))


_ANY = Type("queue", 64, element=Type("logic", 1))
"""What an empty container is where nothing tells its type."""
