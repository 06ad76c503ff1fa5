"""What a batch has been told since `Batch.record`: enough to run any of its lanes again, alone.

A record is a copy of the lanes at its beginning and a list of *entries*, in order: pokes, *spans* of cycles at whose
beginnings inputs were driven, and forks. Each has the time of every lane at that moment. A row that
is the same in all lanes is one number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, field
from weft.sim.signal_map import Found
from weft.sim.stimulus.plan import Generator, Port

Row = int | NDArray[Any]


@dataclass(frozen=True, slots=True)
class Poke:
    """Be a poke of a signal, or of elements of a memory, in some lanes; `values` has a row for each of these lanes."""

    times: Row
    found: Found
    lanes: NDArray[np.int64]
    values: NDArray[Any]
    elements: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Be cycles that were driven: in each lane so many, from a time on, by generators and by rows of blocks."""

    times: Row
    counts: Row
    generators: tuple[Generator, ...]
    blocks: Mapping[Port, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Fork:
    """Be a lane's state copied into others."""

    times: Row
    lane: int
    into: NDArray[np.int64]


Entry = Poke | Span | Fork


@dataclass(slots=True)
class Record:
    """Hold the lanes as they were (the batch's bytes and which lanes had ended), and what they were told since."""

    data: Any
    end: NDArray[np.uint8]
    entries: list[Entry] = field(default_factory=list[Entry])


def packed(row: NDArray[Any]) -> Row:
    """Return a row as one number if it is the same in all lanes."""
    return int(row[0]) if (row == row[0]).all() else row.copy()


def at_lane(row: Row, lane: int) -> int:
    """Return a row's number in a lane."""
    return row if isinstance(row, int) else int(row[lane])


@dataclass(frozen=True, slots=True)
class LanePoke:
    """Be a poke as one lane sees it."""

    time_fs: int
    found: Found
    value: int
    elements: NDArray[np.int64] | None = None
    values: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class LaneSpan:
    """Be a span as one lane sees it: `column` is the lane whose values it has."""

    time_fs: int
    count: int
    generators: tuple[Generator, ...]
    blocks: Mapping[Port, NDArray[Any]]
    column: int

    def values(self, row: int) -> list[tuple[Port, int]]:
        """Return what the blocks give in a cycle."""
        found: list[tuple[Port, int]] = []
        for port, array in self.blocks.items():
            found.append((port, _number(array[row, 0 if array.shape[1] == 1 else self.column])))
        return found


@dataclass(frozen=True, slots=True)
class LaneNumber:
    """Say that from here on the state is that of another lane, so that its random inputs are its own."""

    time_fs: int
    lane: int


LaneEntry = LanePoke | LaneSpan | LaneNumber


def entries_of(record: Record, lane: int) -> tuple[int, list[LaneEntry]]:
    """Return the lane whose first state a lane has, and what it was told since; forks lead to other lanes."""
    found: list[LaneEntry] = []
    for entry in reversed(record.entries):
        match entry:
            case Fork():
                if (entry.into == lane).any():
                    found.append(LaneNumber(at_lane(entry.times, entry.lane), lane))
                    lane = entry.lane
            case Span():
                time, count = at_lane(entry.times, lane), at_lane(entry.counts, lane)
                if count:
                    found.append(LaneSpan(time, count, entry.generators, entry.blocks, lane))
            case Poke():
                places = np.nonzero(entry.lanes == lane)[0]
                if len(places):
                    value, time = entry.values[places[-1]], at_lane(entry.times, lane)
                    if entry.elements is None:
                        found.append(LanePoke(time, entry.found, _number(value)))
                    else:
                        found.append(LanePoke(time, entry.found, 0, entry.elements, value))
    return lane, found[::-1]


def _number(value: Any) -> int:
    """Return a value, of one word or several, as an int."""
    words = np.atleast_1d(value).tolist()
    return sum(int(word) << 64 * place for place, word in enumerate(words))
