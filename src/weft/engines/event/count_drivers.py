"""What drives a bit of a net, and how often, for `$countdrivers` (IEEE 1364-2005 annex C.1) and `$dumpports`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.engines.event.elaborate import Driver, Net, Node
from weft.engines.event.layout import value_bytes
from weft.engines.event.net_kinds import joined_bits
from weft.engines.event.port_links import STRONG
from weft.engines.event.strengths import decode, drive_bytes
from weft.engines.event.writer import plane_bytes
from weft.ir.design import Signal

if TYPE_CHECKING:
    from weft.engines.event.engine import EventEngine


def driver_counts(engine: EventEngine, node: Node, signal: Signal, bit: int) -> tuple[int, int, int, bool]:
    """Return how many drivers drive a bit of a net to 0, 1 and x, and whether it is forced."""
    design = engine.code.design
    net = design.nets[design.find(node, signal)]
    joined = joined_bits(design) if net.linked >> bit & 1 else ()
    bits = next((bits for bits in joined if (net, bit) in bits), [(net, bit)])
    counts = [0, 0, 0]
    for one, place in bits:
        for driver in one.drivers:
            if driver.low <= place < driver.low + driver.width:
                low, high = decode(driver_byte(engine, one, driver, place))
                if low or high:
                    counts[0 if high < 0 else 1 if low > 0 else 2] += 1
    return counts[0], counts[1], counts[2], any(is_held(engine, *one.key, place) for one, place in bits)


def driver_byte(engine: EventEngine, net: Net, driver: Driver, bit: int) -> int:
    """Return the range that a driver gives a bit of its net."""
    ranges = engine.area.driver_bytes(engine.memory, driver)
    if ranges is not None:
        return ranges[bit - driver.low]
    cell = engine.code.codes[driver.node.unit].cells.get((driver.index, driver.number))
    if cell is None:
        return value_byte(engine, net, bit)
    return _strong_byte(_planes(engine, driver.node.base + cell[1], cell[0]), bit - driver.low)


def value_byte(engine: EventEngine, net: Net, bit: int) -> int:
    """Return the range that a bit of a net has."""
    ranges = engine.area.strengths(engine.memory, engine.state, net)
    if ranges is not None:
        return ranges[bit]
    index, place = divmod(bit, net.key[1].width)
    return _strong_byte(engine.read(*net.key, index), place)


def _strong_byte(planes: tuple[int, int], bit: int) -> int:
    code = (planes[0] >> bit & 1) | (planes[1] >> bit & 1) << 1
    return drive_bytes(STRONG) >> 8 * code & 255


def is_held(engine: EventEngine, node: Node, signal: Signal, bit: int) -> bool:
    """Say whether a bit of a signal is forced."""
    if not engine.code.is_forced_signal(signal):
        return False
    place = engine.pointer_of(node, signal) + value_bytes(signal) + bit // 8
    return bool(engine.memory[place] >> bit % 8 & 1)


def _planes(engine: EventEngine, at: int, signal: Signal) -> tuple[int, int]:
    size = plane_bytes(signal.width)
    data = engine.memory[at : at + 2 * size].tobytes()
    return int.from_bytes(data[:size], "little"), int.from_bytes(data[size:], "little")
