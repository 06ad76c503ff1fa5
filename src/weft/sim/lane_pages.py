"""The host's side of paged memories (`ir.lane_pages`): elements of lanes, room for more pages, copies of all of them.

Everything is read from the tables when it is wanted, so a copy of a batch's bytes is looked at like the batch itself.
Where several devices share the lanes, each has a pool of its own. Pages that no table names any more, because a lane
was overwritten by another, are found when pages run short (`collect`): a mark, by the tables, and a new list of what is
free.

A pool's page has one place among the pages of a memory, whatever lanes have it: `fork` and checkpoints keep that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.base.errors import InternalError, UserError
from weft.ir.lane_engine import LaneDevice
from weft.ir.lane_layout import LaneLayout, place_lanes
from weft.ir.lane_pages import (
    FREE,
    FREE_LIST,
    HIGH,
    IMAGE,
    LEAST_BYTES,
    LIMIT,
    LOST,
    OWN,
    PAGE_BYTES,
    TAKEN,
    PoolLayout,
    all_pages,
    most_pages,
    page_count,
    page_elements,
)
from weft.ir.lane_program import LaneMemory, LaneProgram
from weft.ir.layout import container_bytes
from weft.sim.lane_handles import LaneValues
from weft.sim.lane_tiles import Tiles

_NUMBERS = 16
_TABLE_FRACTION = 4
"""Tables of more than this part of all lanes are read at once."""

_PAGE = np.uint32(OWN - 1)


@dataclass(frozen=True, slots=True)
class PageTables:
    """Hold what paged memories have in all lanes, for any device: `pages` are the contents, a row for each, and
    `tables` has for each lane and page of its memories the number of a row."""

    tables: NDArray[np.uint32]
    pages: NDArray[np.uint8]


class LanePages:
    """Be the paged memories of all lanes; `data` are a batch's bytes, or those of a copy."""

    def __init__(self, program: LaneProgram, layout: LaneLayout, data: Any) -> None:
        self.parts: list[_Part] = []
        first = 0
        for each, place in data.parts_of(layout):
            self.parts.append(_Part(program, place, each, first))
            first += place.lanes

    def _cut(self, lanes: NDArray[np.int64]) -> Iterator[tuple[_Part, NDArray[np.bool_], NDArray[np.int64]]]:
        """Yield for each part which of the lanes are there, and their numbers there."""
        for part in self.parts:
            mine = (lanes >= part.first) & (lanes < part.first + part.layout.lanes)
            if mine.any():
                yield part, mine, lanes[mine] - part.first

    def start(self, plane: int, elements: NDArray[Any]) -> None:
        """Give all lanes the same elements."""
        for part in self.parts:
            part.start(plane, elements)

    def reset(self) -> None:
        """Forget all pages but the image's."""
        for part in self.parts:
            part.set_free(None, 0)

    def read(self, plane: int, lanes: NDArray[np.int64], elements: NDArray[np.int64]) -> LaneValues:
        """Return `[lane, element]` of a plane."""
        result: LaneValues | None = None
        for part, mine, there in self._cut(lanes):
            found = part.read(plane, there, elements)
            if result is None:
                result = np.empty((len(lanes), len(elements)), found.dtype)
            result[mine] = found
        return np.empty((0, len(elements)), np.uint8) if result is None else result

    def write(self, plane: int, lanes: NDArray[np.int64], elements: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Set `[lane, element]` of a plane; what all lanes are given alike takes no pages. Raises `no-memory`."""
        alike = len(values) > 0 and not (values != values[:1]).any()
        for part, mine, there in self._cut(lanes):
            if alike and len(np.unique(there)) == part.layout.lanes:
                part.write_alike(plane, elements, values[0])
            else:
                part.write(plane, there, elements, values[mine])

    def share(self, lane: int, into: NDArray[np.int64]) -> None:
        """Give lanes the memories of another; none of them owns a page of it then. Raises `no-memory`."""
        ((source, _, (number,)),) = self._cut(np.array([lane]))
        entries = source.disown(int(number))
        for part, _, there in self._cut(into):
            mine = entries if part is source else part.adopt(source.pages(entries))
            part.set_tables(there, np.broadcast_to(mine, (len(there), len(mine))))

    def sizes(self) -> list[int]:
        """Return how many bytes of each part are in use."""
        return [part.size() for part in self.parts]

    def used(self) -> int:
        """Return how many pages lanes were given."""
        return sum(int(part.numbers()[TAKEN]) for part in self.parts)

    def lack(self, program: LaneProgram) -> UserError | None:
        """Let every lane be able to end a slot of a program; return what is wrong where pages are too few for that."""
        try:
            for part in self.parts:
                part.make_room(most_pages(program))
        except UserError as error:
            return error
        return None

    def check(self) -> None:
        """Raise `no-memory` where pages have run out in the middle of a slot, so that the lanes' state is lost."""
        for part in self.parts:
            part.check()

    def save(self) -> PageTables:
        """Return a copy that any device can take."""
        tables: list[NDArray[np.uint32]] = []
        pages: list[NDArray[np.uint8]] = []
        for part in self.parts:
            found = part.save()
            tables.append(found.tables + np.uint32(sum(len(each) for each in pages)))
            pages.append(found.pages)
        return PageTables(np.concatenate(tables), np.concatenate(pages))

    def restore(self, saved: PageTables) -> None:
        """Set all paged memories to those of a copy; raises `no-memory`."""
        for part in self.parts:
            part.restore(saved.tables[part.first : part.first + part.layout.lanes], saved.pages)


class _Part:
    """Be the lanes of one device, of which `first` is the first."""

    def __init__(self, program: LaneProgram, layout: LaneLayout, data: Any, first: int) -> None:
        if layout.pool is None:
            raise InternalError("a batch without paged memories has no pool")
        self.program, self.layout, self.data, self.first = program, layout, data, first
        self.pool: PoolLayout = layout.pool
        self._planes = [number for number, memory in enumerate(program.memories) if memory.paged]

    # ---------------------------------------------------------------------------------------------------- tables

    def _table(self, plane: int) -> Tiles:
        count = page_count(self.program.memories[plane])
        return Tiles(self.data, self.layout.memories[plane], 4, count, self.layout.tile)

    def _entries(self, plane: int, lanes: NDArray[np.int64], pages: NDArray[np.int64]) -> NDArray[np.uint32]:
        table = self._table(plane)
        if _TABLE_FRACTION * len(lanes) > self.layout.lanes and _TABLE_FRACTION * len(pages) > table.depth:
            return table.every(self.layout.stride)[np.ix_(lanes, pages)]
        return table.read(lanes, pages).astype(np.uint32, copy=False)

    def set_tables(self, lanes: NDArray[np.int64], entries: NDArray[Any]) -> None:
        """Set the whole tables of some lanes, those of all planes side by side."""
        at = 0
        for plane in self._planes:
            table = self._table(plane)
            mine = entries[:, at : at + table.depth]
            at += table.depth
            if _TABLE_FRACTION * len(lanes) > self.layout.lanes:
                every = table.every(self.layout.stride).copy()
                every[lanes] = mine
                table.set_every(every, self.layout.stride)
            else:
                table.write(lanes, np.arange(table.depth), mine)

    def _every_entry(self) -> NDArray[np.uint32]:
        """Return the tables of all lanes that there is room for, those of all planes side by side."""
        stride = self.layout.stride
        return np.concatenate([self._table(plane).every(stride) for plane in self._planes], axis=1)

    # ----------------------------------------------------------------------------------------------------- pages

    def numbers(self) -> NDArray[np.uint32]:
        """Return the numbers of the header."""
        return np.array(self.data.read(self.pool.header, 4 * _NUMBERS).view(np.uint32))

    def pages(self, numbers: NDArray[Any]) -> NDArray[np.uint8]:
        """Return pages of the pool."""
        return self.data.read_pages(self.pool.pages, numbers)

    def _set_pages(self, numbers: NDArray[Any], data: NDArray[np.uint8]) -> None:
        self.data.write_pages(self.pool.pages, numbers, data)

    def set_free(self, listed: NDArray[np.uint32] | None, high: int) -> None:
        """Say which pages are free: those listed, or all behind the image; `high` is behind the last that is not."""
        pool = self.pool
        numbers = np.zeros(_NUMBERS, np.uint32)
        free = pool.free if listed is None else len(listed)
        numbers[FREE], numbers[IMAGE], numbers[HIGH] = free, pool.image, max(high, pool.image)
        numbers[LIMIT] = free
        self.data.write(pool.header, numbers.view(np.uint8))
        nowhere = np.array([pool.image + pool.free], np.uint32)
        row = nowhere if listed is None else np.concatenate([listed, nowhere])
        at = pool.header + FREE_LIST + (4 * free if listed is None else 0)
        self.data.write(at, row.view(np.uint8))

    def _taken(self, first: int, count: int) -> NDArray[np.int64]:
        """Return the pages at some places of the list."""
        row = self.data.read(self.pool.header + FREE_LIST + 4 * first, 4 * count).view(np.uint32)
        return np.where(row > 0, row, self.pool.image + first + np.arange(count)).astype(np.int64)

    def take(self, count: int) -> NDArray[np.int64]:
        """Return pages that are free until now; raises `no-memory`."""
        numbers = self.numbers()
        if int(numbers[TAKEN]) + count > int(numbers[FREE]):
            self.collect()
            numbers = self.numbers()
            if int(numbers[TAKEN]) + count > int(numbers[FREE]):
                raise self._too_few(-(-count // self.layout.lanes))
        first = int(numbers[TAKEN])
        numbers[TAKEN] += count
        self.data.write(self.pool.header, numbers.view(np.uint8))
        return self._taken(first, count)

    def collect(self) -> None:
        """Make a list of the pages that no table names."""
        marks = np.zeros(self.pool.image + self.pool.free, np.bool_)
        for plane in self._planes:
            marks[(self._table(plane).every(self.layout.stride) & _PAGE).reshape(-1)] = True
        self._set_marks(marks)

    def _set_marks(self, marks: NDArray[np.bool_]) -> None:
        """Say which pages are used; page 0 cannot be listed, so it stays unused if it is."""
        used = np.nonzero(marks)[0]
        marks[0] = True
        self.set_free(np.nonzero(~marks)[0].astype(np.uint32), int(used[-1]) + 1 if len(used) else 0)

    def check(self) -> None:
        """Raise `no-memory` where the lanes' state is lost."""
        if self.numbers()[LOST]:
            raise UserError(
                "no-memory",
                "lanes took more pages of shared memories in one cycle than there were, and what they hold is lost;"
                " go back to a checkpoint, in a batch with more bytes for pages",
            )

    def make_room(self, most: int) -> None:
        """Collect pages if there are fewer than lanes may need that take so many in a slot, and set the limit."""
        self.check()
        if not self._set_limit(most):
            self.collect()
            if not self._set_limit(most):
                raise self._too_few(most)

    def _set_limit(self, most: int) -> bool:
        """Set where lanes stop; say whether they can go on at all."""
        numbers = self.numbers()
        limit = max(0, int(numbers[FREE]) - self.layout.stride * most)
        if limit != numbers[LIMIT]:
            numbers[LIMIT] = limit
            self.data.write(self.pool.header, numbers.view(np.uint8))
        return int(numbers[TAKEN]) < limit or not most

    def _too_few(self, most: int) -> UserError:
        """Return the error of a pool that is used up, where each lane needs so many pages more."""
        lanes, pool = self.layout.lanes, self.pool
        marks = np.zeros(pool.image + pool.free + 1, np.bool_)
        for plane in self._planes:
            entries = self._table(plane).every(self.layout.stride)
            marks[entries[entries >= OWN] & _PAGE] = True
        own = int(marks.sum())
        fits = min(lanes - 1, int(pool.free / (own / lanes + most)))
        return UserError(
            "no-memory",
            f"the pages of shared memories are used up: {lanes:,} lanes have written {own:,} of them, of {PAGE_BYTES}"
            f" bytes, and there are {pool.free:,}; about {fits:,} lanes would fit that go as far. Every lane's state is"
            " that of the time at which it stopped",
        )

    def size(self) -> int:
        """Return up to where bytes are in use."""
        numbers = self.numbers()
        taken = min(int(numbers[TAKEN]), int(numbers[FREE]))
        high = max(int(numbers[HIGH]), int(self._taken(0, taken).max()) + 1 if taken else 0)
        return self.pool.pages + PAGE_BYTES * high

    # -------------------------------------------------------------------------------------------------- elements

    def start(self, plane: int, elements: NDArray[Any]) -> None:
        """Give all lanes the same elements, in the image."""
        memory, first = self.program.memories[plane], self.pool.images[plane]
        count = page_count(memory)
        padded = np.zeros(count * page_elements(memory), f"u{container_bytes(memory.width)}")
        padded[: len(elements)] = elements
        numbers = first + np.arange(count)
        self._set_pages(numbers, padded.view(np.uint8).reshape(count, PAGE_BYTES))
        entries = np.broadcast_to(numbers.astype(np.uint32), (self.layout.stride, count))
        self._table(plane).set_every(entries, self.layout.stride)

    def read(self, plane: int, lanes: NDArray[np.int64], elements: NDArray[np.int64]) -> LaneValues:
        """Return `[lane, element]` of a plane."""
        memory = self.program.memories[plane]
        pages, which, inner = _places(memory, elements)
        entries = self._entries(plane, lanes, pages) & _PAGE
        numbers, row = _distinct(entries)
        values = self.pages(numbers).view(f"u{container_bytes(memory.width)}")
        return values[row[:, which], inner]

    def write_alike(self, plane: int, elements: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Set elements in all lanes, in whatever pages they have."""
        memory = self.program.memories[plane]
        pages, which, inner = _places(memory, elements)
        entries = self._entries(plane, np.arange(self.layout.stride), pages) & _PAGE
        numbers, row = _distinct(entries)
        data = np.array(self.pages(numbers))
        view = data.view(f"u{container_bytes(memory.width)}")
        of = np.empty(len(numbers), np.int64)  # which of the pages each of the pool's is
        of[row] = np.arange(len(pages))
        for page in range(len(pages)):
            rows, columns = np.nonzero(of == page)[0], np.nonzero(which == page)[0]
            view[np.ix_(rows, inner[columns])] = values[columns]
        self._set_pages(numbers, data)

    def write(self, plane: int, lanes: NDArray[np.int64], elements: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Set `[lane, element]` of a plane, in pages of the lanes' own."""
        memory = self.program.memories[plane]
        pages, which, inner = _places(memory, elements)
        need = int((self._entries(plane, lanes, pages) < OWN).sum())
        fresh = self.take(need)  # before the tables are read: it may collect pages
        entries = self._entries(plane, lanes, pages).copy()
        shared = entries < OWN
        numbers, row = _distinct(entries & _PAGE)
        data = self.pages(numbers)[row.reshape(-1)]
        view = data.view(f"u{container_bytes(memory.width)}").reshape(*entries.shape, page_elements(memory))
        view[:, which, inner] = values
        entries[shared] = fresh.astype(np.uint32) | np.uint32(OWN)
        self._set_pages((entries & _PAGE).reshape(-1), data)
        if need:
            self._table(plane).write(lanes, pages, entries)

    # ---------------------------------------------------------------------------------------------- whole lanes

    def disown(self, lane: int) -> NDArray[np.uint32]:
        """Let a lane own none of its pages; return its entries."""
        one = np.array([lane])
        rows = [self._entries(plane, one, np.arange(self._table(plane).depth)) for plane in self._planes]
        entries = np.concatenate(rows, axis=1) & _PAGE
        self.set_tables(one, entries)
        return entries[0]

    def adopt(self, data: NDArray[np.uint8]) -> NDArray[np.uint32]:
        """Return entries of pages that have some contents and nobody owns."""
        numbers = self.take(len(data))
        self._set_pages(numbers, data)
        return numbers.astype(np.uint32)

    def save(self) -> PageTables:
        """Return a copy."""
        entries = self._every_entry()[: self.layout.lanes] & _PAGE
        numbers, row = _distinct(entries)
        return PageTables(row, np.array(self.pages(numbers)))

    def restore(self, tables: NDArray[np.uint32], pages: NDArray[np.uint8]) -> None:
        """Set tables and pages to those of a copy."""
        if tables.shape[1] != all_pages(self.program):
            raise UserError("bad-state-file", "the checkpoint is of a batch with other shared memories")
        rows, entries = _distinct(tables)
        count = np.bincount(entries.reshape(-1), minlength=len(rows))
        total = self.pool.image + self.pool.free
        if len(rows) > total:
            raise self._too_few(-(-len(rows) // self.layout.lanes))
        self._set_pages(np.arange(len(rows)), pages[rows])
        entries[(count == 1)[entries]] |= np.uint32(OWN)
        full = np.empty((self.layout.stride, tables.shape[1]), np.uint32)
        full[: len(entries)] = entries
        full[len(entries) :] = entries[:1] & _PAGE  # lanes that nobody has look like the first, and own nothing
        self._set_all_tables(full)
        marks = np.zeros(total, np.bool_)
        marks[: len(rows)] = True
        self._set_marks(marks)

    def _set_all_tables(self, entries: NDArray[np.uint32]) -> None:
        at = 0
        for plane in self._planes:
            table = self._table(plane)
            table.set_every(entries[:, at : at + table.depth], self.layout.stride)
            at += table.depth


def _distinct(numbers: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Return the distinct numbers of an array, and for each place which of them is there; without sorting."""
    marks = np.zeros(int(numbers.max(initial=0)) + 1, np.bool_)
    marks[numbers.reshape(-1)] = True
    found = np.nonzero(marks)[0]
    ranks = np.zeros(len(marks), np.uint32)
    ranks[found] = np.arange(len(found), dtype=np.uint32)
    return found, ranks[numbers]


def _places(
    memory: LaneMemory, elements: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the pages of some elements, which of these each element is in, and its place there."""
    count = page_elements(memory)
    pages, which = np.unique(elements // count, return_inverse=True)
    return pages, which.reshape(-1), elements % count


def choose_pool(program: LaneProgram, layout: LaneLayout, room: int, wanted: int) -> int:
    """Return how many pages a pool should have: for all that lanes can write, or what there is room for.

    `layout` is one without free pages, `wanted` a number of bytes that were asked for, or 0. Raises `no-memory`.
    """
    every = layout.stride * (all_pages(program) + most_pages(program))
    bytes_ = wanted or room * 4 // 5 - layout.size
    pages = min(every, max(0, bytes_) // (PAGE_BYTES + 4))
    if pages < layout.stride:
        fits = room * 4 // 5 // (layout.size // layout.stride + PAGE_BYTES + 4)
        fits = min(fits, wanted // (PAGE_BYTES + 4)) if wanted else fits
        raise UserError(
            "no-memory",
            f"{layout.lanes:,} lanes need {layout.size:,} bytes and at least a page each for what they write to shared"
            f" memories, and there are {wanted or room:,} bytes: about {fits:,} lanes would fit",
        )
    return pages


def paged_states(
    program: LaneProgram, wanted: str | bool, private: Collection[int], lanes: int, device: LaneDevice
) -> frozenset[int]:
    """Return the states of the memories that lanes share until they write to them, given a program without any.

    That is all but small and private ones if it is wanted, or (`auto`) if the lanes have no room otherwise: a look-up
    for each access costs time.
    """
    if wanted == "auto":
        wanted = place_lanes(program, lanes, device.tile).size > device.room()
    return frozenset(
        memory.state
        for memory in program.memories
        if wanted and memory.private and memory.state not in private
        if container_bytes(memory.width) * memory.depth >= LEAST_BYTES
    )
