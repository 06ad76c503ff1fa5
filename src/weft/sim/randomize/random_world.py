"""The running design as constraints see it: what is random, and the values of the rest (`lower_constraints.Design`)."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from weft.base.dataclass import dataclass, field
from weft.base.errors import Unsupported, UserError
from weft.base.source import Span
from weft.engines.event.code_randomize import Entry, home_of
from weft.engines.event.container_layout import flat_width
from weft.engines.event.elaborate import Node
from weft.engines.event.layout import element_bytes
from weft.engines.event.value_types import CONTAINERS, WORDS
from weft.engines.event.writer import plane_bytes
from weft.ir.design import Expr, Signal, Type
from weft.ir.expressions import Call, Element, Ref, SystemCall
from weft.sim.event_containers import Stored
from weft.sim.format_arguments import Value
from weft.sim.randomize.problem import Variable
from weft.sim.randomize.terms import Term, constant, extract, join, ones

if TYPE_CHECKING:
    from weft.sim.event_simulation import EventSimulation

Key = tuple[object, Signal]


class NotYetError(Exception):
    """Say that a constraint needs the elements of an array whose size is still to be chosen."""


@dataclass(slots=True, eq=False)
class RandomPlace:
    """Be a property or variable that is random, or parts of it; `unknowns` are those of what stays as it is."""

    owner: object
    member: Signal
    elements: list[Term]
    unknowns: list[int]
    container: bool = False
    size: Term = ("c", 32, 0)
    handle: int = 0
    settled: bool = True

    @property
    def element_type(self) -> Type:
        """Return the type of an element."""
        element = self.member.type.element if self.container else None
        return element if element is not None else self.member.type


@dataclass(slots=True, eq=False)
class RandomWorld:
    """Hold what one call of `randomize` is about."""

    simulation: EventSimulation
    thread: int
    node: Node
    captured: dict[Signal, Any]
    span: Span
    variables: list[Variable] = field(default_factory=list[Variable])
    keys: dict[int, tuple[object, Signal, int]] = field(default_factory=dict[int, tuple[object, Signal, int]])
    """Which value each `randc` variable is."""
    places: dict[Key, RandomPlace] = field(default_factory=dict[Key, RandomPlace])
    looked: bool = False
    """Whether anything that is not random has been looked at."""
    sizing: bool = False
    """Whether only the sizes of containers are being chosen."""

    # ------------------------------------------------------------------------------------------- what is random

    def variable(self, width: int, kind: Type, cyclic: tuple[object, Signal, int] | None = None) -> Term:
        """Return a new random variable."""
        values: tuple[int, ...] | None = None
        if kind.kind == "enum" and kind.enum_values:
            values = tuple(sorted({value & ones(width) for _, value in kind.enum_values}))
        number = len(self.variables)
        self.variables.append(Variable(width, values, cyclic is not None))
        if cyclic is not None:
            self.keys[number] = cyclic
        return ("v", width, number)

    def make_random(self, owner: object, member: Signal, cyclic: bool = False) -> RandomPlace:
        """Make a whole property or variable random."""
        place = self.root(owner, member)
        kind = place.element_type
        if kind.kind in WORDS:
            if kind.kind != "class":
                raise Unsupported(f"randomising '{member.name}', which is no vector,", self.span)
            return place
        for i, element in enumerate(place.elements):
            width = element[1]
            place.elements[i] = self.variable(width, kind, (place.owner, member, i) if cyclic else None)
            place.unknowns[i] = 0
        return place

    def make_sized(self, place: RandomPlace) -> int:
        """Give a container a random size; return the number of the variable."""
        place.size = self.variable(32, Type("int", 32, True, False))
        place.settled = False
        return place.size[2]

    def root(self, owner: object, member: Signal) -> RandomPlace:
        """Return a property or variable as a place of constants, to make parts of it random."""
        owner, member = self._canonical(owner, member)
        found = self.places.get((owner, member))
        if found is not None:
            return found
        if member.type.kind in CONTAINERS:
            handle = self.read(owner, member, None)[0]
            element = member.type.element
            assert element is not None
            if member.type.kind == "assoc":
                raise Unsupported(f"randomising the associative array '{member.name}'", self.span)
            width = flat_width(element)
            items = self.items(handle, width)
            found = RandomPlace(
                owner, member, [constant(width, bits) for bits, _ in items], [u for _, u in items], True, handle=handle
            )
            found.size = constant(32, len(items))
        else:
            planes = [self.read(owner, member, i if member.depth else None) for i in range(max(member.depth, 1))]
            width = element_width(member)
            parts = [
                (bits >> at & ones(width), unknown >> at & ones(width))
                for bits, unknown in planes
                for at in range(0, member.width, width)
            ]
            found = RandomPlace(owner, member, [constant(width, bits) for bits, _ in parts], [u for _, u in parts])
        self.places[(owner, member)] = found
        return found

    def make_part_random(self, place: RandomPlace, index: int, low: int, width: int) -> None:
        """Make some bits of an element random."""
        if not 0 <= index < len(place.elements):
            return
        old = place.elements[index]
        whole = low == 0 and width == old[1]
        parts = [self.variable(width, place.element_type if whole else Type("bit", width))]
        if low + width < old[1]:
            parts.insert(0, extract(old, low + width, old[1] - low - width))
        if low:
            parts.append(extract(old, 0, low))
        place.elements[index] = join(parts)
        place.unknowns[index] &= ~(ones(width) << low)

    def resize(self, place: RandomPlace, size: int) -> None:
        """Give a container its size before its elements are chosen."""
        element = place.element_type
        width = flat_width(element)
        del place.elements[size:], place.unknowns[size:]
        missing = size - len(place.elements)
        place.elements += [constant(width, 0)] * missing
        place.unknowns += [0] * missing
        place.size = constant(32, size)
        place.settled = True

    # ------------------------------------------------------------------------------------------- lookups

    def _canonical(self, owner: object, member: Signal) -> Key:
        if isinstance(owner, Node):
            return self.simulation.engine.code.design.find(owner, member)
        return owner, member

    def place(self, owner: object, member: Signal) -> RandomPlace | _Sized | None:
        """Return what is random at a property or variable, or None."""
        found = self.places.get(self._canonical(owner, member))
        if found is not None and not found.settled and not self.sizing:
            return None
        return _Sized(found) if found is not None and self.sizing and found.container else found

    def signal(self, ref: Ref | Element) -> object:
        """Return the instance that a signal is in; None for a local variable."""
        if ref.signal in self.captured:
            return None
        design = self.simulation.engine.code.design
        start = self.node
        if ref.path[:1] != ("$root",) and ref.signal not in self.node.unit.module.signals and not ref.path:
            start = home_of(design, ref.signal, ref.path)
        return design.reach(start, ref.path)

    def read(self, owner: object, member: Signal, index: int | None) -> tuple[int, int]:
        """Return bits and unknowns of a property, a signal, or one of their elements."""
        self.looked = True
        if owner is None:
            found = self.captured[member]
            if not isinstance(found, Value):
                return self._word(found), 0
            if index is None:
                return found.value, found.unknown
            low = index * member.width
            return found.value >> low & ones(member.width), found.unknown >> low & ones(member.width)
        if index is None and member.depth:
            bits = unknown = 0
            for i in reversed(range(member.depth)):
                one = self.read(owner, member, i)
                bits, unknown = bits << member.width | one[0], unknown << member.width | one[1]
            return bits, unknown
        if isinstance(owner, Node):
            return self.simulation.engine.read(owner, member, index or 0)
        return read_property(self.simulation, self._handle(owner), member, index or 0)

    def _word(self, found: Any) -> int:
        if isinstance(found, str):
            return self.simulation.handles.intern(found)
        return int(found)

    def _handle(self, owner: object) -> int:
        assert isinstance(owner, int)
        return owner

    def items(self, handle: int, width: int) -> list[tuple[int, int]]:
        """Return the elements of a container."""
        self.looked = True
        return [self._bits(item) for item in self.simulation.containers.find(handle).values()]

    def _bits(self, item: Any) -> tuple[int, int]:
        return (item.value, item.unknown) if isinstance(item, Value) else (self._word(item), 0)

    def item(self, handle: int, index: Expr, key: Any, width: int) -> tuple[int, int]:
        """Return an element of an associative array."""
        self.looked = True
        container = self.simulation.containers.find(handle)
        kind = container.type.key
        if kind is not None and kind.kind == "string" and isinstance(key, int):
            key = self.simulation.handles.text(key)
        elif isinstance(key, int) and kind is not None and kind.signed and index.width and key >> (index.width - 1):
            key -= 1 << index.width
        missing = Value(width, 0, ones(width))
        return self._bits(container.get(key, missing))

    # ------------------------------------------------------------------------------------------- calls

    def call(self, expression: Call | SystemCall) -> int:
        """Return the number under which a call is evaluated."""
        self.looked = True
        return self.simulation.randomizer.call_number(expression)

    def evaluate(self, number: int, arguments: tuple[int, ...]) -> int:
        """Return the value of a call."""
        entry = self.simulation.randomizer.entry(number)
        bits, unknown = self.run(entry, arguments)
        if unknown:
            raise UserError("bad-constraint", "a function in a constraint returns x or z bits", self.span)
        return bits

    def run(self, entry: Entry, arguments: tuple[int, ...]) -> tuple[int, int]:
        """Run an entry of the code and return bits and unknowns of its result."""
        engine = self.simulation.engine
        words: list[int] = []
        for width, argument in zip(entry.widths, arguments, strict=True):
            words += [argument >> at & ones(64) for at in range(0, (width + 63) // 64 * 64, 64)]
        count = (entry.result + 63) // 64
        buffer = (ctypes.c_uint64 * (len(words) + 2 * count + 1))(*words)
        home = self.node if self.node.unit is entry.unit else entry.unit.nodes[0]
        current = self.simulation.host.current
        code = self.simulation.randomizer.compiled(entry)
        code(self.thread, engine.state, engine.state + home.base, ctypes.addressof(buffer))
        self.simulation.host.current = current
        if engine.error is not None:
            raise engine.error
        found = list(buffer)[len(words) :]
        planes = [sum(word << 64 * i for i, word in enumerate(found[at : at + count])) for at in (0, count)]
        return planes[0] & ones(entry.result), planes[1] & ones(entry.result)

    # ------------------------------------------------------------------------------------------- writing back

    def store(self, place: RandomPlace, values: list[int]) -> None:
        """Write the elements of a place."""
        member = place.member
        if place.container:
            kind = place.element_type
            if kind.kind in WORDS:
                items: list[Any] = list(values)
            else:
                width = flat_width(kind)
                pairs = zip(values, place.unknowns, strict=True)
                items = [Value(width, bits, unknown, kind.signed) for bits, unknown in pairs]
            if place.handle:
                container = self.simulation.containers.find(place.handle)
                assert isinstance(container, Stored)
                container.set_items(items)
            elif items:
                place.handle = self.simulation.containers.make(member.type, items)
                self._store_bits(place.owner, member, 0, place.handle, 0)
            return
        width = element_width(member)
        bits = sum(value << i * width for i, value in enumerate(values))
        unknown = sum(value << i * width for i, value in enumerate(place.unknowns))
        if place.owner is None:
            self.captured[member] = Value(member.bits, bits, unknown, member.signed)
            return
        for i in range(max(member.depth, 1)):
            low, full = i * member.width, ones(member.width)
            self._store_bits(place.owner, member, i, bits >> low & full, unknown >> low & full)

    def _store_bits(self, owner: object, member: Signal, index: int, bits: int, unknown: int) -> None:
        if owner is None:
            self.captured[member] = bits
        elif isinstance(owner, Node):
            self.simulation.engine.write(owner, member, index, bits, unknown)
        else:
            size = plane_bytes(member.width)
            at = self._handle(owner) + self.simulation.engine.code.field_offset(member) + index * element_bytes(member)
            ctypes.memmove(at, bits.to_bytes(size, "little"), size)
            if member.type.four_state:
                ctypes.memmove(at + size, unknown.to_bytes(size, "little"), size)


def element_width(member: Signal) -> int:
    """Return the width of an element; an array that is a property is one flat vector."""
    count = 1
    for left, right in member.type.unpacked:
        count *= abs(left - right) + 1
    if not member.depth and count > 1 and member.type.width * count == member.width:
        return member.type.width
    return member.width


class _Sized:
    """Be a container whose size is being chosen, and whose elements nobody may ask for."""

    container = True

    def __init__(self, place: RandomPlace) -> None:
        self.size = place.size

    @property
    def elements(self) -> list[Term]:
        """Say that it is too early."""
        raise NotYetError


def read_property(simulation: EventSimulation, handle: int, member: Signal, index: int = 0) -> tuple[int, int]:
    """Return bits and unknowns of a property of an object, or of one of its elements."""
    size = plane_bytes(member.width)
    at = handle + simulation.engine.code.field_offset(member) + index * element_bytes(member)
    data = ctypes.string_at(at, 2 * size if member.type.four_state else size)
    return int.from_bytes(data[:size], "little"), int.from_bytes(data[size:], "little")
