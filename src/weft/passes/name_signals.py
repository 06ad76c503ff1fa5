"""Name items for people: which signal's bits an item is, and where they are driven.

Only messages about loops need this, so the reverse table is made when the first one is asked for.
"""

from __future__ import annotations

from weft.base.source import Span
from weft.ir.ops import CODE
from weft.passes.collect_drivers import Drivers
from weft.passes.elaborate_instances import Hierarchy
from weft.passes.link_items import ALIAS, LinkedItems

_CONCAT = CODE["concat"]


class SignalNames:
    """Find the signal that an item stands for."""

    def __init__(self, hierarchy: Hierarchy, items: LinkedItems, drivers: Drivers) -> None:
        self.hierarchy, self.items, self.drivers = hierarchy, items, drivers
        self._wires: dict[int, tuple[int, int]] = {}

    def describe(self, item: int, low: int, width: int) -> tuple[str, Span] | None:
        """Return the name of some bits of an item, and where they are driven; None if they have no name."""
        if not self._wires:
            self._find_wires()
        place = self._wires.get(item)
        if place is None:
            return None
        wire, offset = place
        return self.hierarchy.name(wire, offset + low, width), self._span(wire, offset + low)

    def _span(self, wire: int, bit: int) -> Span:
        for driver in self.drivers.driven.get(wire, ()):
            if driver.low <= bit < driver.low + driver.width and driver.span.file >= 0:
                return driver.span
        return self.hierarchy.signal[wire].span

    def _find_wires(self) -> None:
        """Map each wire, what it is an alias of, and the parts that it is joined from, to it; wires go first."""
        items = self.items
        for wire, canonical in enumerate(self.hierarchy.canonical):
            if canonical == wire:
                self._wires[wire] = (wire, 0)
        for wire in list(self._wires):
            if items.op[wire] != ALIAS or not items.srcs[wire]:
                continue
            value = items.srcs[wire][0]
            self._wires.setdefault(value, (wire, 0))
            if items.op[value] == _CONCAT and items.base[value] == 0:
                at = 0
                for part in items.srcs[value]:
                    self._wires.setdefault(part, (wire, at))
                    at += items.width[part]
