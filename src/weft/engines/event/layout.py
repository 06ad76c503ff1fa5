"""Where the parts of an instance lie in its block of the state, and those of an activation in its frame.

An offset is known when it is handed out; the address of a block is not, since blocks grow while code is written. Code
therefore holds *marks*, words such as `$N3+128$` (byte 128 of instance 3) or `$C2/u1$` (where instance `u1` begins in a
block of unit 2), which are replaced when everything is written.

A signal is a header (`records`) and then, for each element, the plane of its bits and the plane of its unknowns. Behind
a signal that can be forced come two more planes, of the bits that are forced and of those that are assigned by a
procedural continuous assignment.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass, field
from weft.engines.event.records import FRAME_HEADER, SIGNAL_HEADER
from weft.engines.event.writer import plane_bytes
from weft.ir.design import Signal

_GUARD = 16
"""Bytes behind a signal that a read of a window at its end may touch."""


def element_bytes(signal: Signal) -> int:
    """Return the distance of an array's elements in bytes."""
    return 2 * plane_bytes(signal.width)


def value_bytes(signal: Signal) -> int:
    """Return the bytes of all elements of a signal."""
    return element_bytes(signal) * max(signal.depth, 1)


@dataclass(slots=True)
class BlockLayout:
    """Hand out offsets in the block of a unit's instances."""

    size: int = 8
    """A block is never empty, so that its address tells which instance it is of."""
    signals: dict[Signal, int] = field(default_factory=dict[Signal, int])
    slots: dict[Signal, int] = field(default_factory=dict[Signal, int])

    def take(self, size: int) -> int:
        """Return the offset of so many new bytes, aligned to a word."""
        offset = self.size
        self.size += (size + 7) // 8 * 8
        return offset

    def signal(self, signal: Signal, forced: bool = False) -> int:
        """Return the offset of a signal's value, placing it when first asked."""
        offset = self.signals.get(signal)
        if offset is None:
            extra = 2 * plane_bytes(signal.bits) if forced else 0
            offset = self.take(SIGNAL_HEADER + value_bytes(signal) + extra + _GUARD) + SIGNAL_HEADER
            self.signals[signal] = offset
        return offset

    def slot(self, signal: Signal) -> int:
        """Return the offset of the word that says where a joined signal's value is."""
        offset = self.slots.get(signal)
        if offset is None:
            offset = self.slots[signal] = self.take(8)
        return offset


@dataclass(slots=True, eq=False)
class FrameLayout:
    """Hand out offsets in the frame of a process, task or block."""

    name: str
    size: int = FRAME_HEADER
    signals: dict[Signal, int] = field(default_factory=dict[Signal, int])

    def take(self, size: int) -> int:
        """Return the offset of so many new bytes, aligned to a word."""
        offset = self.size
        self.size += (size + 7) // 8 * 8
        return offset

    def signal(self, signal: Signal) -> int:
        """Return the offset of an automatic variable, placing it when first asked."""
        offset = self.signals.get(signal)
        if offset is None:
            self.take(SIGNAL_HEADER)
            offset = self.signals[signal] = self.take(value_bytes(signal) + _GUARD)
        return offset
