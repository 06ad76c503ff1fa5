"""Write the delays of module paths (IEEE 1800-2023 30.5).

A *stamp* keeps when a source has last changed. It is brought up to date by a watch that is evaluated at once, inside
the store that changes the source, so that every output change that follows from it finds it. A thread that never goes
on waits at the stamp's site, for the watch to be evaluated in its instance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.engines.event import operators as ops
from weft.engines.event.code_expressions import value
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_places import Place, store_whole
from weft.engines.event.code_waits import edge_of
from weft.engines.event.records import TIME, WATCH_EVALUATE
from weft.engines.event.sites import Watch
from weft.engines.event.writer import Operand, Value
from weft.ir.design import Signal, Type
from weft.ir.reads import reads_of
from weft.ir.specify import TRANSITIONS, PathDelay, PathStamp

if TYPE_CHECKING:
    from weft.engines.event.code_unit import UnitCode

_STATES = "01xz"
_INDICES = sum(
    TRANSITIONS.index(old + new) << 4 * (4 * i + j)
    for i, old in enumerate(_STATES)
    for j, new in enumerate(_STATES)
    if old != new
)
"""Where a transition's delay is in a table: four bits at four times (four times the old state plus the new one)."""


def write_stamp(unit: UnitCode, stamp: PathStamp) -> None:
    """Write what keeps the time of a source's last change."""
    look = FunctionCode(unit, unit.symbol("stamp"), "look")
    w = look.w
    new = value(look, stamp.source)
    kept = Signal("old$", new.width, Type("logic", new.width))
    offset = unit.layout.signal(kept)
    where = w.address("%Ip", offset)
    place = Place(kept, where, where)
    old = look.load_signal(kept, place.pointer)
    store_whole(look, place, new)
    changed = edge_of(look, stamp.edge, old, new) if stamp.edge else w.not_(1, ops.identical(w, old, new))
    note, done = w.fresh("note"), w.fresh("same")
    w.branch(changed, note, done)
    w.label(note)
    w.store_word(look.signal_pointer(stamp.time), 0, w.load_word("%Sp", TIME))
    w.label(done)
    w.ret("i64 0")
    symbol = unit.add_function(look)
    site = unit.site([Watch(ref, WATCH_EVALUATE, low, high, symbol) for ref, low, high in reads_of(stamp.source)])
    f = FunctionCode(unit, unit.symbol("stamps"), "look")
    pointer = f.w.address("%Ip", offset)
    store_whole(f, Place(kept, pointer, pointer), value(f, stamp.source))
    f.w.call("append", unit.block_word(f.w, site), "%node")
    f.w.ret()
    unit.add_function(f)
    unit.thread(f.name, 0).what = "path"


def path_ticks(f: FunctionCode, delay: PathDelay, old: Value, new: Value) -> Operand:
    """Write the choice of a path for a change of one bit; return after how many ticks it shows."""
    w = f.w
    old_state, new_state = (_state(f, state) for state in (old, new))
    shift = w.op("shl", 64, w.op("add", 64, w.op("shl", 64, old_state, 2), new_state), 2)
    index = w.op("and", 64, w.op("lshr", 64, _INDICES, shift), 15)
    latest: Operand = 0
    due: Operand = 0
    found: Operand = 0
    for choice in delay.choices:
        applies: Operand = 1
        if choice.condition is not None:
            condition = value(f, choice.condition)
            # An unknown condition counts as true (30.4.4.1).
            applies = w.or_(1, condition.bits, condition.unknown)
        stamp = w.load_word(f.signal_pointer(choice.stamp.time))
        table = f.signal_pointer(choice.table)
        at = w.op("add", 64, stamp, w.load_word(f.element_pointer(choice.table, table, index)))
        newer = w.or_(1, w.not_(1, found), w.compare("ugt", 64, stamp, latest))
        sooner = w.and_(1, w.compare("eq", 64, stamp, latest), w.compare("ult", 64, at, due))
        due = w.select(64, w.and_(1, applies, w.or_(1, newer, sooner)), at, due)
        latest = w.select(64, w.and_(1, applies, newer), stamp, latest)
        found = w.or_(1, found, applies)
    now = w.load_word("%Sp", TIME)
    ahead = w.and_(1, found, w.compare("ugt", 64, due, now))
    return w.select(64, ahead, w.op("sub", 64, due, now), 0)


def _state(f: FunctionCode, state: Value) -> Operand:
    """Return 0, 1, 2 or 3 for a bit that is 0, 1, x or z."""
    w = f.w
    return w.or_(64, w.resize(state.bits, 1, 64), w.op("shl", 64, w.resize(state.unknown, 1, 64), 1))
