"""Where the interpreter of initial procedures keeps variables: cells over the state array.

A cell has one attribute `v`. Cells of stored variables are loaded from the state array and brought back by `flush`;
cells of nets and other computed signals ask the engine each time. Arrays are sequences: a memory is a view of its
containers in the state array, so that writing an element writes the state.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, MutableSequence
from typing import overload

import numpy as np

from weft.ir.layout import StateLayout
from weft.ir.program import StateArray
from weft.sim.signal_map import Part
from weft.sim.unknown_values import Bits, bits, planes


class Cell:
    """Hold a local variable."""

    __slots__ = ("v",)

    def __init__(self, value: Bits) -> None:
        self.v = value


class StoredCell(Cell):
    """Hold a variable that lives in the state array."""

    __slots__ = ("parts", "twins")

    def __init__(self, parts: tuple[Part, ...], twins: tuple[int, ...]) -> None:
        super().__init__(0)
        self.parts, self.twins = parts, twins

    def load(self, layout: StateLayout, state: StateArray) -> None:
        """Read the variable from the state array."""
        self.v = read_parts(layout, state, self.parts, self.twins)

    def flush(self, layout: StateLayout, state: StateArray) -> None:
        """Write the variable to the state array."""
        write_parts(layout, state, self.parts, self.twins, self.v)


class ComputedCell:
    """Be a net or other signal that follows from the state; what is written stays visible to the procedures only."""

    __slots__ = ("_compute", "_written")

    def __init__(self, compute: Callable[[], Bits]) -> None:
        self._compute = compute
        self._written: Bits | None = None

    @property
    def v(self) -> Bits:
        """Return the present value."""
        return self._compute() if self._written is None else self._written

    @v.setter
    def v(self, value: Bits) -> None:
        self._written = value


class Elements(MutableSequence[Bits]):
    """Be an array of fixed length; subclasses say how an element is read and written."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length

    @abstractmethod
    def get(self, index: int) -> Bits:
        """Return an element."""

    @abstractmethod
    def put(self, index: int, value: Bits) -> None:
        """Set an element."""

    @overload
    def __getitem__(self, index: int) -> Bits: ...
    @overload
    def __getitem__(self, index: slice) -> MutableSequence[Bits]: ...
    def __getitem__(self, index: int | slice) -> Bits | MutableSequence[Bits]:
        if isinstance(index, slice):
            return [self.get(i) for i in range(*index.indices(self._length))]
        return self.get(index)

    def __setitem__(self, index: int | slice, value: object) -> None:
        assert isinstance(index, int)
        self.put(index, value)  # type: ignore[arg-type]

    def __delitem__(self, index: int | slice) -> None:
        raise TypeError("an array keeps its length")

    def insert(self, index: int, value: Bits) -> None:
        """Refuse: an array keeps its length."""
        raise TypeError("an array keeps its length")

    def __iter__(self) -> Iterator[Bits]:
        return (self.get(index) for index in range(self._length))


class StoredMemory(Elements):
    """View a memory of any width, with its unknown plane if it has one."""

    def __init__(self, layout: StateLayout, state: StateArray, number: int, twin: int) -> None:
        super().__init__(layout.slots[number].depth)
        self._value = memory_view(layout, state, number)
        self._unknown = memory_view(layout, state, twin) if twin >= 0 else None

    def get(self, index: int) -> Bits:
        """Return an element."""
        if self._unknown is None:
            return self._value[index]
        return bits(self._value[index], self._unknown[index])

    def put(self, index: int, value: Bits) -> None:
        """Set an element."""
        known, unknown = planes(value)
        if self._unknown is None:
            self._value[index] = known & ~unknown
            return
        self._value[index], self._unknown[index] = known, unknown


class WideElements(MutableSequence[int]):
    """View elements wider than 64 bits."""

    def __init__(self, layout: StateLayout, state: StateArray, number: int) -> None:
        self._layout, self._state, self._number = layout, state, number

    def __len__(self) -> int:
        return self._layout.slots[self._number].depth

    def __getitem__(self, index: int) -> int:  # type: ignore[override]
        return self._layout.read(self._state, self._number, index)

    def __setitem__(self, index: int, value: int) -> None:  # type: ignore[override]
        self._layout.write(self._state, self._number, value, index)

    def __delitem__(self, index: int | slice) -> None:
        raise TypeError("an array keeps its length")

    def insert(self, index: int, value: int) -> None:
        """Refuse: an array keeps its length."""
        raise TypeError("an array keeps its length")


class CellArray(Elements):
    """Be an array whose whole value is one cell's vector."""

    def __init__(self, cell: Cell | ComputedCell, width: int, depth: int) -> None:
        super().__init__(depth)
        self._cell, self._width = cell, width

    def get(self, index: int) -> Bits:
        """Return an element."""
        return self._cell.v >> index * self._width & (1 << self._width) - 1

    def put(self, index: int, value: Bits) -> None:
        """Set an element."""
        low, width = index * self._width, self._width
        whole = (1 << width * self._length) - 1
        self._cell.v = (self._cell.v & (whole ^ ((1 << width) - 1 << low))) | (value << low)


def memory_view(layout: StateLayout, state: StateArray, number: int) -> MutableSequence[int]:
    """Return a memory's elements as Python ints, without a copy; a memoryview is the fastest there is."""
    slot = layout.slots[number]
    if slot.stride > 8:
        return WideElements(layout, state, number)
    data = state[slot.offset : slot.offset + slot.stride * slot.depth]
    return memoryview(data).cast({1: "B", 2: "H", 4: "I", 8: "Q"}[slot.stride])  # type: ignore[return-value]


def read_parts(layout: StateLayout, state: StateArray, parts: tuple[Part, ...], twins: tuple[int, ...]) -> Bits:
    """Return the bits that parts place in the state array."""
    value = unknown = 0
    for part, twin in zip(parts, twins, strict=True):
        ones = (1 << part.width) - 1
        value |= (layout.read(state, part.state) >> part.state_low & ones) << part.low
        if twin >= 0:
            unknown |= (layout.read(state, twin) >> part.state_low & ones) << part.low
    return bits(value, unknown)


def write_parts(
    layout: StateLayout, state: StateArray, parts: tuple[Part, ...], twins: tuple[int, ...], value: Bits
) -> None:
    """Write bits to where parts place them; unknown bits become 0 where there is no unknown plane."""
    known, unknown = planes(value)
    for part, twin in zip(parts, twins, strict=True):
        ones = (1 << part.width) - 1
        v, u = known >> part.low & ones, unknown >> part.low & ones
        if twin < 0:
            v, u = v & ~u, 0
        for number, plane in ((part.state, v), (twin, u)):
            if number >= 0:
                old = layout.read(state, number) & ~(ones << part.state_low)
                layout.write(state, number, old | plane << part.state_low)


def join(elements: MutableSequence[Bits], width: int) -> Bits:
    """Return an array as one vector, element 0 lowest."""
    if all(isinstance(element, int) for element in elements) and width in (8, 16, 32, 64):
        return int.from_bytes(np.array(list(elements), f"<u{width // 8}").tobytes(), "little")
    value: Bits = 0
    for index, element in enumerate(elements):
        value = value | (element << index * width)
    return value


def spread(elements: MutableSequence[Bits], width: int, value: Bits) -> None:
    """Set every element of an array from one vector."""
    ones = (1 << width) - 1
    for index in range(len(elements)):
        elements[index] = value >> index * width & ones
