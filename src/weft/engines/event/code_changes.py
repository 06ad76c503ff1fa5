"""Write what tells the watchers of a signal about a change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from weft.engines.event import operators as ops
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.records import SIGNAL_WATCHES, WATCH_ANY, WATCH_NEGEDGE, WATCH_POSEDGE, WATCH_WANTED
from weft.engines.event.writer import Operand, Value, Writer

if TYPE_CHECKING:
    from weft.engines.event.code_places import Place


def notify_change(
    f: FunctionCode,
    place: Place,
    changed: Operand,
    bit0: list[tuple[Operand, Operand]],
    low: Operand,
    high: Operand,
    differing: Callable[[], Value] | None = None,
) -> None:
    """Tell the watchers of a signal about a change; `bit0` has old and new bits and unknowns of its lowest bit.

    `differing` writes which of the bits `low` to `high` differ; without it all may.
    """
    w = f.w
    if changed == 0:
        return
    look, tell, done = w.fresh("changed"), w.fresh("tell"), w.fresh("unwatched")
    w.branch(changed, look, done)
    w.label(look)
    watches = w.emit(f"load i64, ptr {w.address(place.header, -SIGNAL_WATCHES)}")
    w.branch(w.compare("ne", 64, watches, 0), tell, done)
    w.label(tell)
    edges = _wanted_edges(w, bit0, watches) if bit0 else WATCH_ANY
    header = w.emit(f"ptrtoint ptr {place.header} to i64")
    changes = _changes(w, differing()) if differing is not None else 0
    w.call("notify", header, edges, low, high, changes, "%S")
    w.label(done)


def _wanted_edges(w: Writer, bit0: list[tuple[Operand, Operand]], watches: Operand) -> Operand:
    """Return what has happened to a signal, with the edges of its lowest bit if somebody looks for them."""
    wanted = w.emit(f"load i32, ptr {w.address(w.pointer(watches), WATCH_WANTED)}")
    slot, find, found = w.slot(64), w.fresh("edges"), w.fresh("found")
    w.do(f"store i64 {WATCH_ANY}, ptr {slot}")
    none = w.compare("eq", 32, w.op("and", 32, wanted, WATCH_POSEDGE | WATCH_NEGEDGE), 0)
    w.branch(none, found, find)
    w.label(find)
    w.do(f"store i64 {w.op('or', 64, _edges(w, bit0), WATCH_ANY)}, ptr {slot}")
    w.label(found)
    return w.emit(f"load i64, ptr {slot}")


def _changes(w: Writer, differing: Value) -> Operand:
    """Return the bits that differ as `notify` wants them: a word, or the address of several."""
    width = differing.width
    if width <= 64:
        return w.resize(differing.bits, width, 64) if width > 1 else 0
    words = (width + 63) // 64 * 64
    slot = w.slot(words)
    w.do(f"store i{words} {w.resize(differing.bits, width, words)}, ptr {slot}, align 8")
    return w.emit(f"ptrtoint ptr {slot} to i64")


def difference(w: Writer, old: Value, new: Value) -> Value:
    """Return a vector with a 1 for each bit that differs."""
    width = old.width
    differs = w.op("xor", width, old.bits, new.bits), w.op("xor", width, old.unknown, new.unknown)
    return Value(width, w.or_(width, *differs))


def _edges(w: Writer, bit0: list[tuple[Operand, Operand]]) -> Operand:
    """Return 1 for a rising and 2 for a falling edge of a bit (IEEE 1800-2023 table 9-2)."""
    (old_bit, new_bit), (old_unknown, new_unknown) = [*bit0, (0, 0)][:2]
    old, new = Value(1, old_bit, old_unknown), Value(1, new_bit, new_unknown)
    old_one, new_one = ops.one(w, old), ops.one(w, new)
    old_zero = w.not_(1, w.or_(1, old.bits, old.unknown))
    new_zero = w.not_(1, w.or_(1, new.bits, new.unknown))
    rising = w.or_(1, w.and_(1, old_zero, w.not_(1, new_zero)), w.and_(1, new_one, w.not_(1, old_one)))
    falling = w.or_(1, w.and_(1, old_one, w.not_(1, new_one)), w.and_(1, new_zero, w.not_(1, old_zero)))
    return w.op("or", 64, w.resize(rising, 1, 64), w.op("shl", 64, w.resize(falling, 1, 64), 1))
