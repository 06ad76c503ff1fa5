"""Paged memories in a thread of a GPU (`ir.lane_pages`): look-ups, and a page of its own for a lane that writes.

A read is two loads, of the entry and of the element. Lanes of a warp that run alike and have not written look up the
same page, and their loads are one. A write to a page that the lane does not own takes the next free one and copies 16
bytes at a time; the counter is the only thing that threads share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.ir.lane_pages import FREE, FREE_LIST, IMAGE, LIMIT, LOST, OWN, PAGE_BYTES, TAKEN, page_elements
from weft.ir.lane_program import LaneMemory
from weft.ir.layout import container_bytes

if TYPE_CHECKING:
    from weft.engines.cuda.kernel_emitter import KernelEmitter

_GLOBAL = "ptr addrspace(1)"

_COPY = 16
"""Bytes that one instruction moves."""


class PagedPlane:
    """Reach the elements of one paged plane; `base` is the lane's first entry, entries are `step` places apart."""

    def __init__(self, emitter: KernelEmitter, memory: LaneMemory, base: str, step: int) -> None:
        self.e, self.base, self.step = emitter, base, step
        self.item, self.elements = container_bytes(memory.width), page_elements(memory)

    def place(self, index: str, own: bool) -> str:
        """Return the typed address of an element at an i64 index that is in range; with `own` it may be written."""
        e = self.e
        page = e.put(f"lshr i64 {index}, {self.elements.bit_length() - 1}")
        at = e.put(f"mul i64 {page}, {self.step}")
        entry_at = e.put(f"getelementptr i32, {_GLOBAL} {self.base}, i64 {at}")
        entry = e.put(f"load i32, {_GLOBAL} {entry_at}, align 4")
        if own:
            entry = self._own(entry_at, entry)
        number = e.put(f"and i32 {entry}, {OWN - 1}")
        start = e.put(f"mul i64 {e.put(f'zext i32 {number} to i64')}, {PAGE_BYTES}")
        inner = e.put(f"mul i64 {e.put(f'and i64 {index}, {self.elements - 1}')}, {self.item}")
        place = e.put(f"getelementptr i8, {_GLOBAL} %pool, i64 {e.put(f'add i64 {start}, {inner}')}")
        return f"{_GLOBAL} {place}"

    def _own(self, entry_at: str, entry: str) -> str:
        """Return the entry of a page that the lane owns: it is given a copy of the page if it does not yet."""
        e, before = self.e, self.e.here
        go, done = e.label(), e.label()
        e.add(f"br i1 {e.put(f'icmp sgt i32 {entry}, -1')}, label %{go}, label %{done}")
        e.begin(go)
        page = self._take()
        self._copy(entry, page)
        new = e.put(f"or i32 {page}, {OWN}")
        e.add(f"store i32 {new}, {_GLOBAL} {entry_at}, align 4")
        last = e.here
        e.add(f"br label %{done}")
        e.begin(done)
        return e.put(f"phi i32 [{new}, %{last}], [{entry}, %{before}]")

    def _number(self, number: int) -> str:
        """Return the typed address of a number of the header."""
        return f"{_GLOBAL} {self.e.put(f'getelementptr i32, {_GLOBAL} %header, i64 {number}')}"

    def _take(self) -> str:
        """Take the next free page, and note where pages run short; return its number."""
        e = self.e
        taken = e.put(f'atomicrmw add {self._number(TAKEN)}, i32 1 syncscope("device") monotonic')
        limit, free = (e.put(f"load i32, {self._number(number)}, align 4") for number in (LIMIT, FREE))
        short = e.put(f"icmp uge i32 {taken}, {limit}")
        before = e.put("load i1, ptr %full")
        e.add(f"store i1 {e.put(f'or i1 {short}, {before}')}, ptr %full")
        some, none, go, here = e.put(f"icmp ult i32 {taken}, {free}"), e.label(), e.label(), e.here
        e.add(f"br i1 {some}, label %{go}, label %{none}")
        e.begin(none)
        e.add(f"store volatile i32 1, {self._number(LOST)}, align 4")
        e.add(f"br label %{go}")
        e.begin(go)
        # Without a page, the one behind all others takes what is written.
        place = e.put(f"phi i32 [{taken}, %{here}], [{free}, %{none}]")
        begin = e.put(f"getelementptr i8, {_GLOBAL} %header, i64 {FREE_LIST}")
        at = e.put(f"getelementptr i32, {_GLOBAL} {begin}, i64 {e.put(f'zext i32 {place} to i64')}")
        listed = e.put(f"load i32, {_GLOBAL} {at}, align 4")
        behind = e.put(f"add i32 {place}, {e.put(f'load i32, {self._number(IMAGE)}, align 4')}")
        return e.put(f"select i1 {e.put(f'icmp eq i32 {listed}, 0')}, i32 {behind}, i32 {listed}")

    def _copy(self, old: str, new: str) -> None:
        """Copy a page, 16 bytes at a time."""
        e, before, loop, done = self.e, self.e.here, self.e.label(), self.e.label()
        source, target = (e.put(f"mul i64 {e.put(f'zext i32 {page} to i64')}, {PAGE_BYTES}") for page in (old, new))
        e.add(f"br label %{loop}")
        e.begin(loop)
        at, following = e.put_name(), e.put_name()
        e.add(f"{at} = phi i64 [0, %{before}], [{following}, %{loop}]")
        places = [
            e.put(f"getelementptr i8, {_GLOBAL} %pool, i64 {e.put(f'add i64 {base}, {at}')}")
            for base in (source, target)
        ]
        data = e.put(f"load <4 x i32>, {_GLOBAL} {places[0]}, align {_COPY}")
        e.add(f"store <4 x i32> {data}, {_GLOBAL} {places[1]}, align {_COPY}")
        e.add(f"{following} = add i64 {at}, {_COPY}")
        e.add(f"br i1 {e.put(f'icmp ult i64 {following}, {PAGE_BYTES}')}, label %{loop}, label %{done}")
        e.begin(done)
