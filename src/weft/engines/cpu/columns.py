"""Columns: where the values of a node at successive times lie in a context, and who may use the place next.

`column_kernels` says what is in a column. A column is given back when its last user has run, so that what a program
works on stays small (linear scan: Poletto, Sarkar, "Linear Scan Register Allocation", TOPLAS 21(5), 1999).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, field
from weft.engines.cpu.column_kernels import LANES, PAD, SIZES
from weft.engines.cpu.emitter import words

PACKED, WORDS = 0, 16
"""Kinds of columns besides the container sizes: one bit a lane, and 64-bit words lane by lane."""

Instruction = tuple[str, *tuple[int, ...]]
"""A kernel's name and the words that follow its address."""


def kind_of(width: int) -> int:
    """Return the kind of a column: its container size in bytes, `PACKED` or `WORDS`."""
    if width == 1:
        return PACKED
    return next((size for size in SIZES if width <= 8 * size), WORDS)


@dataclass(frozen=True, slots=True)
class Column:
    """Place a column at a byte offset of the context."""

    at: int
    kind: int
    width: int

    @property
    def lane_bytes(self) -> int:
        """Return the size of a lane, of a column that is not packed."""
        return 8 * words(self.width) if self.kind == WORDS else self.kind


@dataclass(frozen=True, slots=True)
class Source:
    """Say where a node's values come from: word `base` of the context points to rows, `offset` is inside a row."""

    base: int
    offset: int
    stride: int


@dataclass(slots=True)
class Arena:
    """Hand out columns of a context that begins with `end` bytes of other things."""

    end: int
    constants: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    _free: dict[tuple[int, int], list[int]] = field(default_factory=dict[tuple[int, int], list[int]])

    def take(self, width: int) -> Column:
        """Return a free column for values of a width."""
        key = self._shape(width)
        free = self._free.get(key)
        if free:
            return Column(free.pop(), kind_of(width), width)
        return Column(self._fresh(key), kind_of(width), width)

    def _fresh(self, shape: tuple[int, int]) -> int:
        pad, size = shape
        return self.reserve(pad + size) + pad

    def reserve(self, size: int) -> int:
        """Return the offset of some bytes that are never given back."""
        at = (self.end + 31) & ~31
        self.end = at + size
        return at

    def constant(self, width: int, value: int) -> Column:
        """Return the column that has a value in every lane."""
        kind = kind_of(width)
        size = {PACKED: 0, WORDS: 8 * words(width)}.get(kind, kind)
        at = self.constants.get((size, value))
        if at is None:
            # It is written once for all runs, so nothing may have had the place before.
            at = self.constants[size, value] = self._fresh(self._shape(width))
        return Column(at, kind, width)

    def fill(self, context: NDArray[np.uint8]) -> None:
        """Write the constants."""
        for (size, value), at in self.constants.items():
            if not size:
                context[at : at + LANES // 8] = 255 if value else 0
                continue
            lanes = context[at : at + LANES * size].reshape(LANES, size)
            lanes[:] = np.frombuffer(value.to_bytes(size, "little"), np.uint8)

    def give_back(self, column: Column) -> None:
        """Let a column be used again."""
        self._free.setdefault(self._shape(column.width), []).append(column.at)

    @staticmethod
    def _shape(width: int) -> tuple[int, int]:
        kind = kind_of(width)
        if kind == PACKED:
            return 0, LANES // 8
        lane = 8 * words(width) if kind == WORDS else kind
        # Kernels that collect bits store whole words beyond the last lane of a narrow column.
        return (max(PAD, lane) + 31) & ~31, (LANES * lane + 31) & ~31
