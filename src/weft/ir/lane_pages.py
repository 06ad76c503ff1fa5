"""Memories that lanes share until one of them writes: copy on write, by pages of `PAGE_BYTES` bytes.

A *paged* plane has no bytes of its own but a *table*: for each lane and page an entry, the number of a page of the
*pool* that all paged planes share. The pool begins with the *image*, the pages that all lanes begin with; behind it
are those that lanes were given. An entry with the bit `OWN` is of a page that this lane alone has, and may write. A
lane that writes to another page takes the next free one, copies the page there and puts it into its table. So a memory
is read through one look-up more, and costs a lane its table and the pages that it has written. That is what a
system's pages and `fork` do, with no hardware to look them up.

What runs on a device touches no table but its lane's, so lanes wait for nobody; only the counter of pages that were
given out is everybody's. Its *limit* is so far below the number of free pages that every lane can end the slot in which
it is passed: lanes that pass it stop there (`LaneStatus.PAGES`), at a settled time like any other, and the batch makes
room or says that there is none. Only if lanes take more than `most_pages` in one slot, which a design can do that
settles for long and writes all the while, pages may run out before; then `LOST` says that the state is not to be used.

At the begin of a pool's *header* are numbers of 32 bits (`TAKEN` and up), and from `FREE_LIST` on the list of pages
that can be given out, in which 0 means the page behind the image that has the place's number. The list's last place is
of a page that nobody reads: it takes what is written when there are no others.

Elements are not interleaved in pages: neighbours in memory are what a lane that runs by itself needs next.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.ir.lane_program import LaneMemory, LaneProgram, LaneStep
from weft.ir.layout import container_bytes

PAGE_BYTES = 256

OWN = 1 << 31
"""The bit of an entry whose page belongs to the lane."""

TAKEN, LIMIT, FREE, LOST = 0, 1, 2, 3
"""Numbers of the header: pages that were given out, where lanes stop, the length of the list, whether state is lost."""

IMAGE, HIGH = 4, 5
"""More numbers: the pages of the image, and one more than the last page that was in use when the list was made."""

FREE_LIST = 64
"""Where the list begins, in bytes."""

_ROUNDS = 2
"""How often the general step runs within a slot, for the limit."""

LEAST_BYTES = 1024
"""Memories of fewer bytes are not worth a table: each lane has its own."""


@dataclass(frozen=True, slots=True)
class PoolLayout:
    """Say where a pool is: its header, its pages, and how many there are besides the image and the one nobody reads.

    `images[m]` is the first page of the image of memory plane m, -1 for one that is not paged; `flat` is where the
    tables begin: bytes before it are those of words and of memories that are not paged.
    """

    flat: int
    header: int
    pages: int
    image: int
    free: int
    images: tuple[int, ...]


def page_elements(memory: LaneMemory) -> int:
    """Return how many elements a page has; a power of two."""
    return PAGE_BYTES // container_bytes(memory.width)


def page_count(memory: LaneMemory) -> int:
    """Return how many pages a plane has in each lane."""
    return -(-memory.depth // page_elements(memory))


def table_bytes(program: LaneProgram) -> int:
    """Return the bytes of a lane's tables."""
    return 4 * all_pages(program)


def all_pages(program: LaneProgram) -> int:
    """Return how many pages a lane has that owns all of them, which is also the size of the image."""
    return sum(page_count(memory) for memory in program.memories if memory.paged)


def is_paged(program: LaneProgram) -> bool:
    """Say whether a program has such memories."""
    return any(memory.paged for memory in program.memories)


def most_pages(program: LaneProgram) -> int:
    """Return how many pages a lane takes at most in one slot, if it settles in a few rounds that fill no memory."""

    def of(step: LaneStep | None, fills: bool) -> int:
        count = 0
        for action in step.actions if step is not None else ():
            memory = program.memories[action.target] if action.kind == "write" else None
            if memory is not None and memory.paged and (fills or action.count == 1):
                more = (action.count + page_elements(memory) - 2) // page_elements(memory)
                count += min(page_count(memory), 1 + more)
        return count

    events = [max(of(event.step, True), of(event.usual, True)) + of(event.after, True) for event in program.events]
    rounds = _ROUNDS * of(program.general, False) if program.fires else 0
    return min(all_pages(program), max(events, default=0) + rounds)
