"""What `sim["path"]` gives: a signal that can be looked at and set, or a memory."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import UserError
from weft.ir.expressions import Type
from weft.sim.initial_storage import StoredMemory
from weft.sim.logic_values import Logic, LogicArray
from weft.sim.signal_map import Found
from weft.sim.unknown_values import bits, planes

if TYPE_CHECKING:
    from weft.sim.cycle_simulation import CycleSimulation
    from weft.sim.simulation import Simulation

Value = int | Logic | LogicArray | float | str
"""What a signal's value is: an int in 2-state, a Logic or LogicArray in 4-state; a testbench has reals and strings."""

_REALS = ("real", "shortreal", "realtime")


class SignalHandle:
    """Be one signal of a simulation; `value` reads and sets it."""

    __slots__ = ("_design", "_known", "_simulation", "path")

    def __init__(self, simulation: Simulation, path: str, found: Found) -> None:
        self._simulation, self.path, self._known = simulation, path, found
        self._design = simulation.design

    @property
    def _found(self) -> Found:
        """Return the signal; look it up again when a force has compiled the design anew."""
        if self._design is not self._simulation.design:
            self._design, self._known = self._simulation.design, self._simulation.signals.find(self.path)
        return self._known

    def __repr__(self) -> str:
        return f"<signal {self.path} [{self.width}]>"

    @property
    def name(self) -> str:
        """Return the signal's own name."""
        return self._found.signal.name

    @property
    def width(self) -> int:
        """Return the number of bits."""
        return self._found.signal.bits

    @property
    def type(self) -> Type:
        """Return the declared type."""
        return self._found.signal.type

    @property
    def signed(self) -> bool:
        """Say whether the signal is signed."""
        return self._found.signal.signed

    @property
    def range(self) -> tuple[int, int]:
        """Return (left, right) of a packed vector."""
        return signal_range(self._found)

    @property
    def direction(self) -> str:
        """Return `input`, `output`, `inout`, `ref`, or empty for what is no port."""
        module = self._simulation.design.graph.scopes[self._found.scope].module
        return next((port.direction for port in module.ports if port.signal is self._found.signal), "")

    @property
    def value(self) -> Value:
        """Return the settled value: an int, or in 4-state a Logic or LogicArray."""
        return to_value(self._found, self._simulation.engine.get(self._found), self._simulation.design.four_state)

    @value.setter
    def value(self, value: Value | str | bool) -> None:
        self._simulation.engine.set(self._found, to_planes(self.path, self._found, value))

    def force(self, value: Value | str | bool) -> None:
        """Hold the signal at a value, whatever drives it."""
        self._simulation.force(self.path, value)

    def release(self) -> None:
        """End a force."""
        self._simulation.release(self.path)


class MemoryHandle(ABC):
    """Be an unpacked array. Indices are the declared ones of its first dimension.

    `memory[5]` and `memory[0:64]` read (a slice is a NumPy view without a copy where elements have up to 64 bits, else
    rows of 64-bit words, least significant first); assignment writes. In 4-state, `value` and `unknown` are the planes.
    """

    def __init__(self, simulation: Simulation, path: str, found: Found) -> None:
        self._simulation, self.path, self._known = simulation, path, found
        self._design = simulation.design
        self._lowest = lowest_index(found)

    @property
    def _found(self) -> Found:
        if self._design is not self._simulation.design:
            self._design, self._known = self._simulation.design, self._simulation.signals.find(self.path)
        return self._known

    def __repr__(self) -> str:
        return f"<memory {self.path} [{self.width}] x {self.depth}>"

    def __len__(self) -> int:
        return self.depth

    @property
    def width(self) -> int:
        """Return the number of bits of an element."""
        return self._found.signal.width

    @property
    def depth(self) -> int:
        """Return the number of elements."""
        return self._found.signal.depth

    @property
    @abstractmethod
    def value(self) -> NDArray[np.unsignedinteger]:
        """Return all elements, as a view of the state; what is written to it is written to the memory."""

    @property
    @abstractmethod
    def unknown(self) -> NDArray[np.unsignedinteger] | None:
        """Return the plane of unknown bits as a view, or None in 2-state."""

    @abstractmethod
    def _settle(self) -> None:
        """Do what follows from what was poked."""

    @abstractmethod
    def _get(self, position: int) -> tuple[int, int]:
        """Return the planes of an element."""

    @abstractmethod
    def _put(self, position: int, planes: tuple[int, int]) -> None:
        """Write an element."""

    def _put_all(self, positions: slice, values: object) -> None:
        """Write several elements with known values."""
        self.value[positions] = values  # type: ignore[call-overload]
        unknown = self.unknown
        if unknown is not None:
            unknown[positions] = 0

    def __getitem__(self, index: int | slice) -> Value | NDArray[np.unsignedinteger]:
        """Return an element, or a view of several."""
        self._settle()
        if isinstance(index, slice):
            return self.value[self._slice(index)]
        element = self._get(self._position(index))
        return to_value(self._found, element, self._simulation.design.four_state, self.width)

    def __setitem__(self, index: int | slice, value: object) -> None:
        if isinstance(index, slice):
            self._put_all(self._slice(index), value)
        else:
            self._put(self._position(index), to_planes(f"{self.path}[{index}]", self._found, value, self.width))

    def _position(self, index: int) -> int:
        at = index - self._lowest
        if not 0 <= at < self.depth:
            last = self._lowest + self.depth - 1
            raise UserError(
                "index-range", f"index {index} is outside '{self.path}', which has {self._lowest} to {last}"
            )
        return at

    def _slice(self, index: slice) -> slice:
        """Return a slice of positions; both ends must lie in the memory."""
        start = self._lowest if index.start is None else index.start
        stop = self._lowest + self.depth if index.stop is None else index.stop
        if start < stop:
            self._position(start)
            self._position(stop - 1)
        return slice(start - self._lowest, max(stop, start) - self._lowest, index.step)


class CycleMemory(MemoryHandle):
    """Be a memory of a cone graph, which is one state."""

    def __init__(self, simulation: CycleSimulation, path: str, found: Found) -> None:
        super().__init__(simulation, path, found)
        self._cycles = simulation

    @property
    def value(self) -> NDArray[np.unsignedinteger]:
        """Return all elements, as a view of the state; what is written to it is written to the memory."""
        return self._view(self._found.memory)

    @property
    def unknown(self) -> NDArray[np.unsignedinteger] | None:
        """Return the plane of unknown bits as a view, or None in 2-state."""
        twin = self._twin()
        return self._view(twin) if twin >= 0 else None

    def _settle(self) -> None:
        self._cycles.engine.settle()

    def _get(self, position: int) -> tuple[int, int]:
        return planes(self._elements().get(position))

    def _put(self, position: int, planes: tuple[int, int]) -> None:
        self._cycles.engine.dirty = True
        self._elements().put(position, bits(*planes))

    def _put_all(self, positions: slice, values: object) -> None:
        self._cycles.engine.dirty = True
        super()._put_all(positions, values)

    def _elements(self) -> StoredMemory:
        engine = self._cycles.engine
        return StoredMemory(engine.program.layout, engine.state, self._found.memory, self._twin())

    def _twin(self) -> int:
        return self._simulation.design.graph.states[self._found.memory].twin

    def _view(self, state: int) -> NDArray[np.unsignedinteger]:
        engine = self._cycles.engine
        return engine.program.layout.view(engine.state, state)


def lowest_index(found: Found) -> int:
    """Return the index of a memory's first element: the lower bound of its only dimension, 0 if it has several."""
    dimensions = found.signal.type.unpacked
    return min(dimensions[0]) if len(dimensions) == 1 else 0


def signal_range(found: Found) -> tuple[int, int]:
    """Return the declared range of a vector of one packed dimension, else `(width - 1, 0)`."""
    ranges = found.signal.type.ranges
    if len(ranges) == 1 and abs(ranges[0][0] - ranges[0][1]) + 1 == found.signal.bits:
        return ranges[0]
    return found.signal.bits - 1, 0


def to_value(found: Found, value: tuple[int, int], four_state: bool, width: int = 0) -> Value:
    """Return planes as users see them; those of a string are its bytes."""
    known, unknown = value
    if found.signal.type.kind in _REALS:
        return float(struct.unpack("<d", known.to_bytes(8, "little"))[0])
    if found.signal.type.kind == "string":
        return known.to_bytes((known.bit_length() + 7) // 8, "big").decode("latin-1")
    bits_count = width or found.signal.bits
    if not four_state:
        negative = found.signal.signed and known >> (bits_count - 1)
        return known - (1 << bits_count) if negative else known
    if bits_count == 1 and not found.signal.type.ranges:
        return Logic.from_planes(known, unknown)
    return LogicArray.from_planes(known, unknown, signal_range(found) if not width else bits_count)


def to_planes(path: str, found: Found, value: object, width: int = 0) -> tuple[int, int]:
    """Return what a user gives as planes; raises `value-range` when it does not fit."""
    bits_count = width or found.signal.bits
    if found.signal.type.kind in _REALS and isinstance(value, int | float):
        return int.from_bytes(struct.pack("<d", value), "little"), 0
    if found.signal.type.kind == "string" and isinstance(value, str):
        return int.from_bytes(value.encode("latin-1"), "big"), 0
    if isinstance(value, str):
        try:
            value = LogicArray(value)
        except ValueError as error:
            raise UserError("value-range", f"'{path}': {error}") from None
    if isinstance(value, Logic | LogicArray):
        if len(value) > bits_count:
            raise UserError("value-range", f"{len(value)} bits do not fit '{path}', which has {bits_count}")
        return value.planes
    if isinstance(value, np.integer):
        value = int(value)
    if not isinstance(value, int):
        raise UserError("value-range", f"'{path}' takes an int or logic values, not {type(value).__name__}")
    if not -(1 << bits_count >> 1) <= value < 1 << bits_count:
        raise UserError("value-range", f"{value} does not fit '{path}', which has {bits_count} bits")
    return value & (1 << bits_count) - 1, 0
