"""Give a design's memory its first contents: values of signals, and the words that lead to joined signals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from weft.engines.event.elaborate import Node
from weft.engines.event.records import SIGNAL_FLAGS
from weft.engines.event.value_types import WORDS
from weft.engines.event.writer import mask, plane_bytes
from weft.ir.design import Signal

if TYPE_CHECKING:
    from weft.engines.event.engine import EventEngine


def fill_signals(engine: EventEngine) -> None:
    """Give variables x, nets z and everything of two states 0."""
    patterns: dict[tuple[int, int, int], npt.NDArray[np.uint8]] = {}
    for code in engine.code.codes.values():
        for signal, offset in code.layout.signals.items():
            if not signal.type.four_state or signal.type.kind in WORDS:
                continue
            for node in code.unit.nodes:
                key = (signal.width, _undriven(engine, node, signal), max(signal.depth, 1))
                pattern = patterns.get(key)
                if pattern is None:
                    pattern = patterns[key] = _pattern(*key)
                start = node.base + offset
                engine.memory[start : start + len(pattern)] = pattern


def _pattern(width: int, free: int, depth: int) -> npt.NDArray[np.uint8]:
    """Return the planes of so many elements of unknown bits, of which some, counted through all elements, are z."""
    size, unknown = plane_bytes(width), mask(width)
    if free in (0, mask(width * depth)):
        planes = [bits.to_bytes(size, "little") for bits in (free & unknown, unknown)] * depth
    else:
        elements = [free >> i * width & unknown for i in range(depth)]
        planes = [plane.to_bytes(size, "little") for bits in elements for plane in (bits, unknown)]
    return np.frombuffer(b"".join(planes), dtype=np.uint8)


def _undriven(engine: EventEngine, node: Node, signal: Signal) -> int:
    """Return the bits of a signal that are z at the start: those of a net that nothing drives."""
    if not signal.net or signal.net == "trireg":
        return 0
    net = engine.code.design.nets.get(engine.code.design.find(node, signal))
    free = mask(signal.bits)
    for driver in net.drivers if net is not None else ():
        free &= ~(mask(driver.width) << driver.low)
    return free


def fill_flags(engine: EventEngine) -> None:
    """Note an assignment as pending to what initial procedures write at the start (`find_mixed`)."""
    for node, signal in engine.code.begun:
        at = engine.code.codes[node.unit].layout.signals.get(signal)
        if at is not None:
            engine.set_word(node.base + at - SIGNAL_FLAGS, 1)


def fill_slots(engine: EventEngine) -> None:
    """Say where joined signals are, and what resolves the nets of drivers with cells."""
    design = engine.code.design
    for code in engine.code.codes.values():
        for signal, slot in code.layout.slots.items():
            for node in code.unit.nodes:
                holder, held = design.find(node, signal)
                offset = engine.code.codes[holder.unit].place_signal(held)
                engine.set_word(node.base + slot, holder.base + offset)
    for net in design.nets.values():
        symbol = engine.code.resolvers.get(net.key)
        if symbol is not None:
            for driver in net.drivers:
                slot = engine.code.codes[driver.node.unit].cells[(driver.index, driver.number)][2]
                engine.set_word(driver.node.base + slot, engine.address(symbol))
