"""Paged memories in a tile of lanes (`ir.lane_pages`): look-ups, and the function that gives a lane a page of its own.

A read gathers the lanes' entries of their tables and then the elements. A write gathers entries likewise; lanes that
do not own their page yet, which is seldom, are given one after the other by `@own_page`. Threads share nothing but the
counter of pages, which they add to atomically.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.engines.cpu import lane_context as ctx
from weft.engines.lanes.shape import Shape
from weft.ir.lane_pages import FREE, FREE_LIST, IMAGE, LIMIT, LOST, OWN, PAGE_BYTES, TAKEN, page_count, page_elements
from weft.ir.layout import container_bytes

if TYPE_CHECKING:
    from weft.engines.cpu.lane_emitter import TileEmitter

PAGE_OF = OWN - 1


def own_page_text(shape: Shape, masks_at: int) -> str:
    """Return the function that gives a lane a copy of the page in an entry, and stops it when pages run short."""
    bit = shape.set
    names = (("taken", TAKEN), ("limit", LIMIT), ("free", FREE), ("lost", LOST), ("image", IMAGE))
    places = "".join(f"  %{name}.p = getelementptr i32, ptr %header, i64 {number}\n" for name, number in names)
    parameters = f"ptr noalias %x, ptr %slot, {bit} %lane, ptr noalias %b"
    return f"""define internal i32 @own_page({parameters}) nounwind noinline cold {{
entry:
  %pool.p = getelementptr i64, ptr %x, i64 {ctx.POOL}
  %pool = load ptr, ptr %pool.p
  %header.p = getelementptr i64, ptr %x, i64 {ctx.PAGES}
  %header = load ptr, ptr %header.p
{places}  %n = atomicrmw add ptr %taken.p, i32 1 monotonic
  %limit = load i32, ptr %limit.p
  %short = icmp uge i32 %n, %limit
  br i1 %short, label %stop, label %look
stop:
  %full.p = getelementptr i8, ptr %b, i64 {masks_at + 8 * (ctx.STOPS + 6 - ctx.MASKS)}
  %before = load {bit}, ptr %full.p
  %mine = shl {bit} 1, %lane
  %after = or {bit} %before, %mine
  store {bit} %after, ptr %full.p
  br label %look
look:
  %image = load i32, ptr %image.p
  %free = load i32, ptr %free.p
  %none = icmp uge i32 %n, %free
  br i1 %none, label %lose, label %copy
lose:
  store atomic i32 1, ptr %lost.p monotonic, align 4
  br label %copy
copy:
  ; Without a page, the one behind all others takes what is written.
  %place = call i32 @llvm.umin.i32(i32 %n, i32 %free)
  %place.w = zext i32 %place to i64
  %list = getelementptr i8, ptr %header, i64 {FREE_LIST}
  %listed.p = getelementptr i32, ptr %list, i64 %place.w
  %listed = load i32, ptr %listed.p
  %behind = add i32 %image, %place
  %plain = icmp eq i32 %listed, 0
  %page = select i1 %plain, i32 %behind, i32 %listed
  %old = load i32, ptr %slot
  %old.w = zext i32 %old to i64
  %from.o = mul i64 %old.w, {PAGE_BYTES}
  %from = getelementptr i8, ptr %pool, i64 %from.o
  %page.w = zext i32 %page to i64
  %to.o = mul i64 %page.w, {PAGE_BYTES}
  %to = getelementptr i8, ptr %pool, i64 %to.o
  call void @llvm.memcpy.p0.p0.i64(ptr align 64 %to, ptr align 64 %from, i64 {PAGE_BYTES}, i1 false)
  %own = or i32 %page, {OWN}
  store i32 %own, ptr %slot
  ret i32 %own
}}
"""


class PagedPlane:
    """Reach the elements of one paged plane in the function that an emitter writes."""

    def __init__(self, emitter: TileEmitter, plane: int) -> None:
        self.e, self.memory = emitter, emitter.program.memories[plane]
        self.table = emitter.bases[plane]
        self.item = container_bytes(self.memory.width)
        self.elements = page_elements(self.memory)
        self._shift = self.elements.bit_length() - 1

    def entries(self, index: tuple[str, ...], full: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the places of lanes' entries, and the entries in the lanes of some masks; indices have 32 bits."""
        e, shape = self.e, self.e.shape
        page = e.binary("lshr", 32, index, e.constants(32, self._shift))
        page = e.binary("mul", 32, page, e.constants(32, shape.lanes))
        page = e.binary("add", 32, page, [e.lane_numbers(chunk, 1) for chunk in range(shape.chunks)])
        places = e.each(f"getelementptr i32, ptr {self.table}, {shape.vector(32)} {{0}}", page)
        kind, pointers = shape.vector(32), f"<{shape.chunk} x ptr>"
        name = f"@llvm.masked.gather.v{shape.chunk}i32.v{shape.chunk}p0"
        call = f"call {kind} {name}({pointers} align 4 {{0}}, {shape.mask} {{1}}, {kind} zeroinitializer)"
        return places, e.each(call, places, full)

    def places(self, index: tuple[str, ...], entries: tuple[str, ...]) -> tuple[str, ...]:
        """Return the places of elements in pages."""
        e, shape = self.e, self.e.shape
        inner = e.binary("and", 32, index, e.constants(32, self.elements - 1))
        inner = e.binary("mul", 32, inner, e.constants(32, self.item))
        page = e.convert(e.binary("and", 32, entries, e.constants(32, PAGE_OF)), 32, 64)
        at = e.binary("mul", 64, page, e.constants(64, PAGE_BYTES))
        at = e.binary("add", 64, at, e.convert(inner, 32, 64))
        return e.each(f"getelementptr i8, ptr {e.pool}, {shape.vector(64)} {{0}}", at)

    def own(
        self, places: tuple[str, ...], entries: tuple[str, ...], bit: str, masks: tuple[str, ...]
    ) -> tuple[str, ...]:
        """Give the lanes of a bit, and its masks, pages of their own; return their entries."""
        e, shape = self.e, self.e.shape
        shared = e.compare("sgt", 32, entries, e.constants(32, -1))
        missing = e.lanes_of(e.bits("and", bit, e.pack(shared)))
        kind, pointers = shape.vector(32), f"<{shape.chunk} x ptr>"
        before, go, loop, done = e.here, e.label(), e.label(), e.label()
        some = e.put(f"icmp ne {shape.set} {missing}, 0")
        e.add(f"br i1 {some}, label %{go}, label %{done}")
        e.begin(go)
        for chunk, text in enumerate(places):
            e.add(f"store {pointers} {text}, ptr {e.scratch_at(64 + chunk * shape.chunk * 8)}, align 64")
        e.add(f"br label %{loop}")
        e.begin(loop)
        rest, left = e.put_name(), e.put_name()
        e.add(f"{rest} = phi {shape.set} [{missing}, %{go}], [{left}, %{loop}]")
        lane = e.put(f"call {shape.set} @llvm.cttz.{shape.set}({shape.set} {rest}, i1 true)")
        e.add(f"{left} = and {shape.set} {rest}, {e.put(f'sub {shape.set} {rest}, 1')}")
        wide = lane if shape.lanes == 64 else e.put(f"zext {shape.set} {lane} to i64")
        at = e.put(f"getelementptr ptr, ptr {e.scratch_at(64)}, i64 {wide}")
        e.put(f"call i32 @own_page(ptr %x, ptr {e.put(f'load ptr, ptr {at}')}, {shape.set} {lane}, ptr %b)")
        again, fresh = e.put(f"icmp ne {shape.set} {left}, 0"), e.label()
        e.add(f"br i1 {again}, label %{loop}, label %{fresh}")
        e.begin(fresh)
        name = f"@llvm.masked.gather.v{shape.chunk}i32.v{shape.chunk}p0"
        call = f"call {kind} {name}({pointers} align 4 {{0}}, {shape.mask} {{1}}, {kind} zeroinitializer)"
        now = e.each(call, places, masks)
        e.add(f"br label %{done}")
        e.begin(done)
        return tuple(
            e.put(f"phi {kind} [{new}, %{fresh}], [{old}, %{before}]") for new, old in zip(now, entries, strict=True)
        )

    def one_place(self, index: str, lane: str, wide: str) -> str:
        """Return the place of one element, an i64 index, of one lane, which owns its page from then on."""
        e, shape = self.e, self.e.shape
        page = e.put(f"lshr i64 {index}, {self._shift}")
        at = e.put(f"add i64 {e.put(f'mul i64 {page}, {shape.lanes}')}, {wide}")
        entry_at = e.put(f"getelementptr i32, ptr {self.table}, i64 {at}")
        old, before = e.put(f"load i32, ptr {entry_at}"), e.here
        go, done = e.label(), e.label()
        e.add(f"br i1 {e.put(f'icmp sgt i32 {old}, -1')}, label %{go}, label %{done}")
        e.begin(go)
        new = e.put(f"call i32 @own_page(ptr %x, ptr {entry_at}, {shape.set} {lane}, ptr %b)")
        e.add(f"br label %{done}")
        e.begin(done)
        entry = e.put(f"phi i32 [{new}, %{go}], [{old}, %{before}]")
        number = e.put(f"and i32 {entry}, {PAGE_OF}")
        start = e.put(f"mul i64 {e.put(f'zext i32 {number} to i64')}, {PAGE_BYTES}")
        inner = e.put(f"mul i64 {e.put(f'and i64 {index}, {self.elements - 1}')}, {self.item}")
        return e.put(f"getelementptr i8, ptr {e.pool}, i64 {e.put(f'add i64 {start}, {inner}')}")


def table_size(emitter: TileEmitter, plane: int) -> int:
    """Return the bytes of a tile's table of a plane."""
    return 4 * page_count(emitter.program.memories[plane]) * emitter.shape.lanes
