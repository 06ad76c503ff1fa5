"""Write signals from Python as a procedure would: whoever waits for a change is told of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from weft.engines.event.elaborate import Node
from weft.engines.event.layout import element_bytes
from weft.engines.event.records import SIGNAL_WATCHES, WATCH_ANY, WATCH_NEGEDGE, WATCH_POSEDGE
from weft.engines.event.writer import plane_bytes
from weft.ir.design import Signal

if TYPE_CHECKING:
    from weft.engines.event.engine import EventEngine

_WORD = (1 << 64) - 1


def signal_writer(engine: EventEngine, memory: Any, node: Node, signal: Signal) -> Callable[[int, int, int], None]:
    """Return what writes bits and unknowns to an element of a signal in a memory, by its index."""
    start, step, width = engine.pointer_of(node, signal), element_bytes(signal), signal.width
    size, four_state = plane_bytes(width), signal.type.four_state
    watched = engine.word(start - SIGNAL_WATCHES)

    def write(index: int, bits: int, unknown: int) -> None:
        if not four_state:
            bits, unknown = bits & ~unknown, 0
        data = bits.to_bytes(size, "little") + unknown.to_bytes(size, "little")
        at = start + index * step
        if not watched:
            memory[at : at + 2 * size] = data
            return
        old = bytes(memory[at : at + 2 * size])
        if old != data:
            memory[at : at + 2 * size] = data
            edges = WATCH_ANY | _edges(old[0] & 1, old[size] & 1, bits & 1, unknown & 1)
            changes = int.from_bytes(old[:size], "little") ^ bits | int.from_bytes(old[size:], "little") ^ unknown
            for at in range(0, width, 64):
                part, low = changes >> at & _WORD, index * width + at
                if part:
                    high = low + min(width - at, 64)
                    engine.call("notify", engine.state + start, edges, low, high, part, engine.state)
                edges = WATCH_ANY

    return write


def _edges(old: int, old_unknown: int, new: int, new_unknown: int) -> int:
    """Return the edges of a bit's change (IEEE 1800-2023 table 9-2)."""
    before = 2 if old_unknown else old
    after = 2 if new_unknown else new
    rising = (before == 0 and after != 0) or (before == 2 and after == 1)
    falling = (before == 1 and after != 1) or (before == 2 and after == 0)
    return WATCH_POSEDGE * rising + WATCH_NEGEDGE * falling
