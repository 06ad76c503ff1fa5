"""Values on the boundary between compiled code and system tasks: read from a call's buffer, written back to it.

Strings are interned: equal texts have one handle, 0 is the empty one. Containers and other objects are kept in the same
table of handles, each under one of its own.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence

import numpy as np

from weft.base.dataclass import dataclass, field
from weft.engines.event.elaborate import Node
from weft.engines.event.engine import EventEngine
from weft.engines.event.host_sites import HostSite, Shape
from weft.engines.event.layout import element_bytes
from weft.engines.event.records import SIGNAL_WATCHES
from weft.engines.event.writer import plane_bytes
from weft.ir.design import Signal
from weft.sim.format_arguments import NetValue, RealTime, Value
from weft.sim.memory_files import memory_bounds
from weft.sim.tasks.task_call import Result, TaskArgument


@dataclass(slots=True)
class Handles:
    """Give strings and objects their handles, and find them again.

    When there are more than `limit`, `full` is called, which is to have the collector release those not in use.
    """

    values: list[object] = field(default_factory=lambda: [""])
    limit: int = 1 << 62
    full: Callable[[], object] = lambda: None
    _texts: dict[str, int] = field(default_factory=lambda: {"": 0})
    _free: list[int] = field(default_factory=list[int])

    def text(self, handle: int) -> str:
        """Return the string of a handle."""
        found = self.values[handle]
        return found if isinstance(found, str) else ""

    def intern(self, text: str) -> int:
        """Return the handle of a string."""
        handle = self._texts.get(text)
        if handle is None:
            handle = self._texts[text] = self.add(text)
        return handle

    def add(self, value: object) -> int:
        """Return a new handle for an object."""
        if self._free:
            handle = self._free.pop()
            self.values[handle] = value
            if self.used > self.limit:
                self.full()
            return handle
        self.values.append(value)
        if self.used > self.limit:
            self.full()
        return len(self.values) - 1

    @property
    def used(self) -> int:
        """Return how many handles are in use."""
        return len(self.values) - len(self._free)

    def release(self, unused: list[int]) -> None:
        """Take back handles that nothing names any more."""
        for handle in unused:
            value = self.values[handle]
            if isinstance(value, str):
                self._texts.pop(value, None)
            self.values[handle] = None
        # The lowest are given out first, so that the table and the range of words that look like handles stay small.
        self._free = sorted(unused, reverse=True)


@dataclass(slots=True)
class SignalMemory:
    """Be an unpacked array of the running design, as system tasks see memories."""

    engine: EventEngine
    node: Node
    signal: Signal
    name: str
    _write: Callable[[int, int, int], None] | None = None

    @property
    def width(self) -> int:
        """Return the width of an element."""
        return self.signal.width

    @property
    def signed(self) -> bool:
        """Say whether elements are signed."""
        return self.signal.signed

    @property
    def left(self) -> int:
        """Return the left declared bound."""
        return self._bounds()[0]

    @property
    def right(self) -> int:
        """Return the right declared bound."""
        return self._bounds()[1]

    def _bounds(self) -> tuple[int, int]:
        return memory_bounds(self.signal)

    def _number(self, index: int) -> int:
        return index - min(self._bounds())

    def get(self, index: int) -> Value:
        """Return the element at a declared index."""
        bits, unknown = self.engine.read(self.node, self.signal, self._number(index))
        return Value(self.width, bits, unknown, self.signed)

    def set(self, index: int, value: Value) -> None:
        """Write the element at a declared index."""
        if self._write is None:
            self._write = self.engine.writer(self.node, self.signal)
        self._write(self._number(index), value.value, value.unknown)

    def fill(self, index: int, values: Sequence[int]) -> None:
        """Write elements without unknown bits from a declared index up; fast where nobody watches them."""
        engine, signal = self.engine, self.signal
        start, step, size = engine.pointer_of(self.node, signal), element_bytes(signal), plane_bytes(signal.width)
        if engine.word(start - SIGNAL_WATCHES) or size > 8:
            write = engine.writer(self.node, signal)
            for number, value in enumerate(values, self._number(index)):
                write(number, value, 0)
            return
        at = start + self._number(index) * step
        rows = engine.memory[at : at + len(values) * step].reshape(len(values), step)
        rows[:, size:] = 0
        rows[:, :size] = np.array(values, "<u8").view(np.uint8).reshape(len(values), 8)[:, :size]


def read_argument(
    engine: EventEngine, handles: Handles, node: Node, shape: Shape, buffer: int
) -> TaskArgument | int | object:
    """Return an argument of a call from its buffer."""
    match shape.kind:
        case "text":
            return shape.text
        case "none":
            return None
        case "bits":
            value = _read_bits(shape, buffer)
            if shape.low >= 0:
                return _with_strengths(engine, node, shape, value)
            if shape.type is not None and shape.type.kind in ("enum", "struct", "union", "tagged"):
                return value
            return value
        case "net":
            return _net_path(engine, node, shape)
        case "real":
            number = struct.unpack("<d", ctypes.string_at(buffer + 8 * shape.offset, 8))[0]
            return RealTime(number) if shape.text else number
        case "string":
            return handles.text(_word(shape, buffer))
        case "memory":
            assert shape.signal is not None
            where = engine.code.design.reach(node, shape.path)
            return SignalMemory(engine, where, shape.signal, f"{where.path}.{shape.signal.name}")
        case _:
            return _word(shape, buffer)


def _net_path(engine: EventEngine, node: Node, shape: Shape) -> str:
    """Return the path of a bit of a net, with the index that was declared."""
    signal = shape.signal
    assert signal is not None
    path = f"{engine.code.design.reach(node, shape.path).path}.{signal.name}"
    if not signal.type.ranges:
        return path
    left, right = signal.type.ranges[0]
    return f"{path}[{right + shape.low if left >= right else right - shape.low}]"


def _with_strengths(engine: EventEngine, node: Node, shape: Shape, value: Value) -> Value:
    assert shape.signal is not None
    found = engine.strengths(engine.code.design.reach(node, shape.path), shape.signal)
    if found is None:
        return value
    shown = found[shape.low : shape.low + shape.width]
    return NetValue(value.width, value.value, value.unknown, value.signed, shown[::-1])


def _word(shape: Shape, buffer: int) -> int:
    return ctypes.c_uint64.from_address(buffer + 8 * shape.offset).value


def _read_bits(shape: Shape, buffer: int) -> Value:
    size = 8 * shape.words
    data = ctypes.string_at(buffer + 8 * shape.offset, 2 * size)
    bits = int.from_bytes(data[:size], "little")
    return Value(shape.width, bits, int.from_bytes(data[size:], "little"), shape.signed)


def write_result(handles: Handles, shape: Shape, buffer: int, result: Result | object) -> None:
    """Write a function's result, or an output argument's new value, into a call's buffer."""
    at = buffer + 8 * shape.offset
    match shape.kind:
        case "bits":
            size = 8 * shape.words
            ones = (1 << shape.width) - 1
            bits = unknown = 0
            match result:
                case Value(value=bits, unknown=unknown):
                    pass
                case bool() | int():
                    bits = int(result)
                case float():
                    bits = int(result)
                case str():
                    bits = int.from_bytes(result.encode("latin-1"), "big")
                case _:
                    bits = 0
            ctypes.memmove(
                at, (bits & ones).to_bytes(size, "little") + (unknown & ones).to_bytes(size, "little"), 2 * size
            )
        case "real":
            number = float(result.value) if isinstance(result, Value) else float(result or 0)  # pyright: ignore
            ctypes.memmove(at, struct.pack("<d", number), 8)
        case "string":
            text = result if isinstance(result, str) else ""
            ctypes.memmove(at, struct.pack("<Q", handles.intern(text)), 8)
        case _:
            word = result.value if isinstance(result, Value) else result
            ctypes.memmove(at, struct.pack("<Q", int(word or 0) & 0xFFFFFFFFFFFFFFFF), 8)  # pyright: ignore


Perform = Callable[[HostSite, int, int, Node], None]
