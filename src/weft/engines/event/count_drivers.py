"""Count the drivers of a net's bit, for `$countdrivers` (IEEE 1364-2005 annex C.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.engines.event.elaborate import Node
from weft.engines.event.layout import value_bytes
from weft.engines.event.strengths import decode
from weft.engines.event.writer import plane_bytes
from weft.ir.design import Signal

if TYPE_CHECKING:
    from weft.engines.event.engine import EventEngine


def driver_counts(engine: EventEngine, node: Node, signal: Signal, bit: int) -> tuple[int, int, int, bool]:
    """Return how many drivers drive a bit of a net to 0, 1 and x, and whether it is forced."""
    net = engine.code.design.nets[engine.code.design.find(node, signal)]
    counts = [0, 0, 0]
    for driver in net.drivers:
        if not driver.low <= bit < driver.low + driver.width:
            continue
        ranges = engine.area.driver_bytes(engine.memory, driver)
        if ranges is not None:
            low, high = decode(ranges[bit - driver.low])
            if low or high:
                counts[0 if high < 0 else 1 if low > 0 else 2] += 1
            continue
        cell = engine.code.codes[driver.node.unit].cells.get((driver.index, driver.number))
        if cell is None:
            bits, unknown = engine.read(node, signal)
            at = bit
        else:
            bits, unknown = _planes(engine, driver.node.base + cell[1], cell[0])
            at = bit - driver.low
        value = (bits >> at & 1, unknown >> at & 1)
        if value != (1, 1):
            counts[2 if value[1] else value[0]] += 1
    return counts[0], counts[1], counts[2], _is_held(engine, *net.key, bit)


def _is_held(engine: EventEngine, node: Node, signal: Signal, bit: int) -> bool:
    """Say whether a bit of a signal is forced."""
    if not engine.code.is_forced_signal(signal):
        return False
    place = engine.pointer_of(node, signal) + value_bytes(signal) + bit // 8
    return bool(engine.memory[place] >> bit % 8 & 1)


def _planes(engine: EventEngine, at: int, signal: Signal) -> tuple[int, int]:
    size = plane_bytes(signal.width)
    data = engine.memory[at : at + 2 * size].tobytes()
    return int.from_bytes(data[:size], "little"), int.from_bytes(data[size:], "little")
