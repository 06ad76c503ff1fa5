"""The block of cycles that a test bench is writing: rows of inputs, one for each cycle, until the block is full.

An input that changes within blocks has a row in each cycle; any other is poked where a block begins. When one that was
poked changes within a block for the first time, the block ends there and the input has rows from then on, so a value
that the test bench has not given is never needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.ir.layout import container_bytes
from weft.sim.stimulus.plan import Port

LaneRow = NDArray[Any]


@dataclass(frozen=True, slots=True)
class FullBlock:
    """Be a block that is ready to run: pokes, then so many cycles; `rows` is empty if no input changes in them.

    The rows are the writer's own, unless they are recorded: they hold until the test bench goes on.
    """

    pokes: dict[Port, LaneRow]
    cycles: int
    ports: tuple[Port, ...]
    rows: dict[Port, LaneRow]


class BlockWriter:
    """Collect rows; `layout` is the batch's, `keep` says that rows are recorded and so must not be written again."""

    def __init__(self, layout: Any, size: int, keep: bool) -> None:
        self.layout, self.size, self.keep = layout, size, keep
        self.filled = 0
        self._now: dict[Port, LaneRow] = {}
        self._set: dict[Port, LaneRow] = {}
        self._changing: list[Port] = []
        self._rows: dict[Port, LaneRow] = {}
        self._varies = False

    def declare(self, ports: Sequence[Port], values: Sequence[LaneRow]) -> None:
        """Say that inputs change within blocks, and what they are."""
        for port, value in zip(ports, values, strict=True):
            self._changing.append(port)
            self._now[port] = value

    def must_end(self, port: Port) -> bool:
        """Say whether the block has to end before an input can be set."""
        return self.filled > 0 and port not in self._changing

    def set(self, port: Port, row: LaneRow) -> None:
        """Set an input from the next cycle on."""
        if self.filled:
            if not self._varies:
                self._varies = True
                self._fill(0, self.filled)
        else:
            if port in self._now and port not in self._set and port not in self._changing:
                self._changing.append(port)  # it has changed before, so it will again
            self._set[port] = row
        self._now[port] = row

    def add(self, count: int) -> int:
        """Add cycles, no more than there is room for; return how many."""
        count = min(count, self.size - self.filled)
        if self._varies:
            self._fill(self.filled, self.filled + count)
        self.filled += count
        return count

    def _fill(self, first: int, last: int) -> None:
        """Write rows of what the inputs are now."""
        for port in self._changing:
            rows = self._rows.get(port)
            if rows is None:
                words = (-(-port.width // 64),) if port.width > 64 else ()
                item = f"u{min(8, container_bytes(port.width))}"
                rows = self._rows[port] = np.empty((self.size, self.layout.lanes, *words), item)
            rows[first:last] = self._now[port]

    def take(self) -> FullBlock | None:
        """Return what was collected, if anything, and begin anew."""
        if not self.filled and not self._set:
            return None
        cycles, pokes = self.filled, self._set
        ports = tuple(sorted(self._changing, key=lambda port: port.path))
        rows: dict[Port, LaneRow] = {}
        if self._varies:
            pokes = {port: row for port, row in pokes.items() if port not in ports}
            rows = {port: self._rows[port][:cycles] for port in ports}
            if self.keep:
                self._rows = {}
        self.filled, self._set, self._varies = 0, {}, False
        return FullBlock(pokes, cycles, ports, rows)
