"""Calls of Python whose arguments all are words, prepared once for each place in the code.

Methods of containers and objects are called millions of times, with a handle and a value or two. For such a site the
buffer is looked at as one array of words, and how each argument is read and each result written is settled when the
site is first reached; `event_arguments` does the same for every kind of argument, a kind at a time.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from weft.base.dataclass import dataclass
from weft.engines.event.host_sites import HostSite, Shape
from weft.sim.event_arguments import Handles
from weft.sim.format_arguments import Value

if TYPE_CHECKING:
    from weft.sim.event_container_calls import Call
    from weft.sim.event_simulation import EventSimulation

Words = Any
"""An array of C words: reading and setting an item is all that is done with it."""

_Read = Callable[[Words], Any]
_Write = Callable[[Words, Any], None]

_WORD = (1 << 64) - 1


@dataclass(frozen=True, slots=True, eq=False)
class PlainCall:
    """Be a site that is prepared; `words` makes an array of the buffer's words."""

    site: HostSite
    perform: Call
    words: Callable[[int], Words]
    readers: tuple[_Read, ...]
    outputs: dict[int, _Write]
    result: _Write | None

    def __call__(self, simulation: EventSimulation, buffer: int) -> None:
        """Carry out the call whose arguments are in a buffer."""
        words = self.words(buffer)
        result, outputs = self.perform(simulation, self.site, [read(words) for read in self.readers])
        if self.result is not None:
            self.result(words, result)
        for index, new in outputs.items():
            write = self.outputs.get(index)
            if write is not None:
                write(words, new)


def prepare_call(site: HostSite, perform: Call, handles: Handles) -> PlainCall | None:
    """Return a site as a prepared call, or None if an argument is no word."""
    shapes = [*site.arguments, *([site.result] if site.result is not None else [])]
    readers = [_reader(shape, handles) for shape in site.arguments]
    writers = [_writer(shape, handles) for shape in shapes]
    if None in readers or None in writers:
        return None
    size = max([1, *(shape.offset + 2 * max(shape.words, 1) for shape in shapes)])
    return PlainCall(
        site,
        perform,
        (ctypes.c_uint64 * size).from_address,
        tuple(read for read in readers if read is not None),
        {
            i: write
            for i, write in enumerate(writers)
            if write is not None and i < len(site.arguments) and shapes[i].output
        },
        writers[-1] if site.result is not None else None,
    )


def _reader(shape: Shape, handles: Handles) -> _Read | None:
    at, width, signed, text = shape.offset, shape.width, shape.signed, shape.text
    match shape.kind:
        case "text":
            return lambda words: text
        case "none":
            return lambda words: None
        case "bits" if shape.words == 1 and shape.low < 0:
            return lambda words: Value(width, words[at], words[at + 1], signed)
        case "string":
            return lambda words: handles.text(words[at])
        case "handle":
            return lambda words: words[at]
        case _:
            return None


def _writer(shape: Shape, handles: Handles) -> _Write | None:
    at, ones = shape.offset, (1 << shape.width) - 1

    def bits(words: Words, result: Any) -> None:
        if isinstance(result, Value):
            words[at] = result.value & ones
            words[at + 1] = result.unknown & ones
        else:
            words[at] = int(result or 0) & ones
            words[at + 1] = 0

    def text(words: Words, result: Any) -> None:
        words[at] = handles.intern(result if isinstance(result, str) else "")

    def handle(words: Words, result: Any) -> None:
        words[at] = int((result.value if isinstance(result, Value) else result) or 0) & _WORD

    def real(words: Words, result: Any) -> None:
        number = float(result.value) if isinstance(result, Value) else float(result or 0)
        words[at] = struct.unpack("<Q", struct.pack("<d", number))[0]

    match shape.kind:
        case "text" | "none":
            return lambda words, result: None
        case "bits" if shape.words == 1:
            return bits
        case "string":
            return text
        case "handle":
            return handle
        case "real":
            return real
        case _:
            return None
