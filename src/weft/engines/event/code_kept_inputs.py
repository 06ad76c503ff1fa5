"""Keep what logic of a region has followed of its inputs while a step waits for the NBA region (`code_regions`).

The step uses what logic had followed when the edge came. So the first thread that follows an input after that copies
all that logic has, latches with it, to a room in the instance's block (`keep`). The step exchanges the two before it
runs, and puts back afterwards what is newer.
"""

from __future__ import annotations

from collections.abc import Iterator

from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_unit import UnitCode
from weft.ir.region import REGION_MOVED, REGION_PENDING, REGION_STATE, Region

_WORDS = (1, 2, 4, 8)


class KeptInputs:
    """Write the parts of a region's functions that keep what logic has followed; `record` is the instance's record."""

    def __init__(self, unit: UnitCode, region: Region, record: int) -> None:
        self.unit, self.region, self.record = unit, region, record
        self._room = unit.layout.take((sum(size for _, size in self._parts()) + 15) // 8 * 8)
        self._function = self._write()

    def keep(self, f: FunctionCode) -> None:
        """Keep what logic has followed, if an edge waits and nothing has been kept for it."""
        w = f.w
        pending = w.load_word("%Ip", self.record + REGION_PENDING)
        moved = w.load_word("%Ip", self.record + REGION_MOVED)
        waits = w.and_(1, w.compare("ne", 64, pending, 0), w.compare("eq", 64, moved, 0))
        keep, go_on = w.fresh("keep"), w.fresh("follow")
        w.branch(waits, keep, go_on)
        w.label(keep)
        w.emit(f"call i64 @{self._function}(i64 %node, i64 %S)")
        w.jump(go_on)
        w.label(go_on)

    def _write(self) -> str:
        """Write what copies what logic has followed to where it is kept; return the function's name."""
        f = FunctionCode(self.unit, self.unit.symbol("keep"), "look")
        w = f.w
        w.store_word("%Ip", self.record + REGION_MOVED, 1)
        state = w.pointer(w.load_word("%Ip", self.record + REGION_STATE))
        for place, size, at in self._places():
            copy_bytes(f, w.address("%Ip", at), w.address(state, place), size)
        w.ret()
        return self.unit.add_function(f)

    def exchange(self, f: FunctionCode) -> None:
        """Exchange what logic has followed for what it had when the first edge came, where that has been kept."""
        w = f.w
        done = self._unless_moved(f)
        state = w.pointer(w.load_word("%Ip", self.record + REGION_STATE))
        for place, size, at in self._places():
            inside, kept = w.address(state, place), w.address("%Ip", at)
            if size in _WORDS:
                new = w.emit(f"load i{8 * size}, ptr {inside}, align 1")
                old = w.emit(f"load i{8 * size}, ptr {kept}, align 1")
                w.do(f"store i{8 * size} {old}, ptr {inside}, align 1")
                w.do(f"store i{8 * size} {new}, ptr {kept}, align 1")
            else:
                room = w.fresh("%room")
                w.entry.append(f"  {room} = alloca [{size} x i8]")
                copy_bytes(f, room, inside, size)
                copy_bytes(f, inside, kept, size)
                copy_bytes(f, kept, room, size)
        w.jump(done)
        w.label(done)

    def put_back(self, f: FunctionCode) -> None:
        """Put back what logic has followed, after the step."""
        w = f.w
        done = self._unless_moved(f)
        w.store_word("%Ip", self.record + REGION_MOVED, 0)
        state = w.pointer(w.load_word("%Ip", self.record + REGION_STATE))
        for place, size, at in self._places():
            copy_bytes(f, w.address(state, place), w.address("%Ip", at), size)
        w.jump(done)
        w.label(done)

    def _unless_moved(self, f: FunctionCode) -> str:
        """Write a jump for where nothing has been kept; return the label that it goes to."""
        w = f.w
        moved = w.load_word("%Ip", self.record + REGION_MOVED)
        kept, done = w.fresh("kept"), w.fresh("done")
        w.branch(w.compare("ne", 64, moved, 0), kept, done)
        w.label(kept)
        return done

    def _places(self) -> Iterator[tuple[int, int, int]]:
        """Yield what has to be kept: its place in the state, its size, and where the block has room for it."""
        at = self._room
        for place, size in self._parts():
            yield place, size, at
            at += size

    def _parts(self) -> Iterator[tuple[int, int]]:
        for port in self.region.followed:
            yield port.value, port.stride
            if port.unknown >= 0:
                yield port.unknown, port.stride
        yield from self.region.latches


def copy_bytes(f: FunctionCode, target: str, source: str, size: int) -> None:
    """Write a copy of some bytes."""
    w = f.w
    if size in _WORDS:
        word = w.emit(f"load i{8 * size}, ptr {source}, align 1")
        w.do(f"store i{8 * size} {word}, ptr {target}, align 1")
        return
    w.declare("llvm.memcpy.p0.p0.i64", "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
    w.do(f"call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {source}, i64 {size}, i1 false)")
