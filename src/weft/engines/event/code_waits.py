"""Write delays and event controls (IEEE 1800-2023 9.4).

A *wait site* is a list in the instance's block: a thread that waits there puts itself into it, and the watches of the
signals say what wakes it. An event expression that is more than a signal is evaluated when something that it reads has
changed, in the frame of the waiting thread, and compared with its value of before.
"""

from __future__ import annotations

from weft.engines.event import operators as ops
from weft.engines.event.code_expressions import condition, value
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.records import WATCH_ANY, WATCH_EVALUATE, WATCH_NEGEDGE, WATCH_POSEDGE
from weft.engines.event.sites import Watch
from weft.engines.event.writer import Operand, Value
from weft.ir.design import Delay, Event, Expr, Implicit, Repeated, Statement, Timing
from weft.ir.expressions import Ref, Slice
from weft.ir.reads import implicit_reads, reads_of

EDGES = {"posedge": WATCH_POSEDGE, "negedge": WATCH_NEGEDGE, "edge": WATCH_POSEDGE | WATCH_NEGEDGE, "any": WATCH_ANY}


def delay_ticks(f: FunctionCode, delay: Delay, expression: Expr | None = None) -> Operand:
    """Write a delay's value in ticks of the simulation; an unknown one is 0."""
    w = f.w
    found = value(f, delay.value if expression is None else expression)
    per_unit = f.unit.ticks_per_unit
    if not delay.real:
        bits = w.resize(ops.if_known(w, found.width, 0, found.bits).bits, found.width, 64)
        bits = w.select(64, ops.any_unknown(w, found), 0, bits)
        return w.op("mul", 64, bits, per_unit)
    # A real is rounded to the module's precision (IEEE 1800-2023 3.14).
    per_precision = f.unit.ticks_per_precision
    double = f"0x{found.bits:016X}" if isinstance(found.bits, int) else w.emit(f"bitcast i64 {found.bits} to double")
    scaled = w.emit(f"fmul double {double}, {float(per_unit // per_precision):e}")
    w.declare("llvm.round.f64", "declare double @llvm.round.f64(double)")
    w.declare("llvm.fptoui.sat.i64.f64", "declare i64 @llvm.fptoui.sat.i64.f64(double)")
    whole = w.emit(f"call double @llvm.round.f64(double {scaled})")
    return w.op("mul", 64, w.emit(f"call i64 @llvm.fptoui.sat.i64.f64(double {whole})"), per_precision)


def wait_for(f: FunctionCode, timing: Timing, body: Statement | None = None) -> None:
    """Write a suspension until a delay is over or an event happens."""
    match timing:
        case Delay():
            ticks = delay_ticks(f, timing)
            f.w.call("delay", "%node", ticks, "%S")
            f.suspend()
        case Implicit():
            wait_at(f, f.unit.site([Watch(ref, WATCH_ANY, low, high) for ref, low, high in implicit_reads(body)]))
        case Repeated(count, events):
            _wait_repeatedly(f, count, events)
        case _:
            wait_events(f, timing)


def _wait_repeatedly(f: FunctionCode, count: Expr, events: tuple[Event, ...]) -> None:
    w = f.w
    number = value(f, count)
    wide = w.resize(number.bits, number.width, 64, number.width <= 32)
    wide = w.select(64, ops.any_unknown(w, number), 0, wide)
    depth, offset = f.frame_slot(8)
    w.store_word(f.frame_pointer(depth), offset, wide)
    head, body, after = w.fresh("repeat"), w.fresh("body"), w.fresh("repeated")
    w.label(head)
    left = w.load_word(f.frame_pointer(depth), offset)
    w.branch(w.compare("sgt", 64, left, 0), body, after)
    w.label(body)
    w.store_word(f.frame_pointer(depth), offset, w.op("sub", 64, left, 1))
    wait_events(f, events)
    w.jump(head)
    w.label(after)


def wait_at(f: FunctionCode, site: int) -> None:
    """Write a suspension at a site."""
    f.w.call("append", f.unit.block_word(f.w, site), "%node")
    f.suspend()


def wait_events(f: FunctionCode, events: tuple[Event, ...]) -> None:
    """Write a suspension until one of several events happens."""
    if not f.thread:
        raise f.unsupported("an event control in a function")
    watches: list[Watch] = []
    for event in events:
        simple = simple_watch(f, event)
        if simple is not None:
            watches.append(simple)
        else:
            watches += _evaluated(f, event)
    wait_at(f, f.unit.site(watches))


def simple_watch(f: FunctionCode, event: Event) -> Watch | None:
    """Return the watch for an event that is a change, or an edge of bit 0, of a whole signal."""
    target = event.value
    kind = EDGES[event.edge]
    if event.condition is not None:
        return None
    if kind != WATCH_ANY and isinstance(target, Slice) and target.offset == 0 and target.width == 1:
        target = target.value
    if isinstance(target, Ref) and not target.signal.depth and not f.is_local(target.signal):
        if target.signal.type.kind in ("real", "shortreal") and kind != WATCH_ANY:
            return None
        return Watch(target, kind, 0, 1 if kind != WATCH_ANY else target.width)
    return None


def _evaluated(f: FunctionCode, event: Event) -> list[Watch]:
    """Note an event expression's value, and write the function that looks whether it has changed."""
    present = value(f, event.value)
    size = (present.width + 63) // 64 * 8
    depth, offset = f.frame_slot(2 * size)
    f.w.store_planes(f.w.address(f.frame_pointer(depth), offset), present)
    look = f.unit.look_function(f)
    w = look.w
    place = w.address(look.frame_pointer(depth), offset)
    old = w.load_planes(place, present.width)
    new = value(look, event.value)
    w.store_planes(place, new)
    fired = w.not_(1, ops.identical(w, old, new)) if event.edge == "any" else edge_of(look, event.edge, old, new)
    if event.condition is not None:
        test, guard, no = w.fresh("fired"), w.fresh("guard"), w.fresh("quiet")
        w.branch(fired, test, no)
        w.label(test)
        w.branch(condition(look, event.condition), guard, no)
        w.label(guard)
        w.ret("i64 1")
        w.label(no)
        w.ret("i64 0")
    else:
        w.ret(f"i64 {w.resize(fired, 1, 64)}")
    symbol = f.unit.add_function(look)
    reads = [read for read in reads_of(event.value) if not f.is_local(read[0].signal)]
    watches = [Watch(ref, WATCH_EVALUATE, low, high, symbol) for ref, low, high in reads]
    return watches + f.unit.program.member_watches(event.value, WATCH_EVALUATE, symbol)


def edge_of(f: FunctionCode, edge: str, old: Value, new: Value) -> Operand:
    """Return whether the lowest bit of a value has had an edge (IEEE 1800-2023 table 9-2)."""
    w = f.w
    old_one, new_one = ops.one(w, old), ops.one(w, new)
    old_zero = w.not_(1, w.or_(1, old.bits, old.unknown))
    new_zero = w.not_(1, w.or_(1, new.bits, new.unknown))
    rising = w.or_(1, w.and_(1, old_zero, w.not_(1, new_zero)), w.and_(1, new_one, w.not_(1, old_one)))
    falling = w.or_(1, w.and_(1, old_one, w.not_(1, new_one)), w.and_(1, new_zero, w.not_(1, old_zero)))
    return rising if edge == "posedge" else falling if edge == "negedge" else w.or_(1, rising, falling)


def wait_until(f: FunctionCode, cond: Expr) -> None:
    """Write `wait (cond)`: go on at once if it holds, else look again whenever something in it changes."""
    if not f.thread:
        raise f.unsupported("a 'wait' in a function")
    w = f.w
    look, wait, done = w.fresh("look"), w.fresh("wait"), w.fresh("holds")
    w.label(look)
    w.branch(condition(f, cond), done, wait)
    w.label(wait)
    watches = [Watch(ref, WATCH_ANY, low, high) for ref, low, high in reads_of(cond) if not f.is_local(ref.signal)]
    watches += f.unit.program.member_watches(cond, WATCH_ANY, "")
    wait_at(f, f.unit.site(watches))
    w.jump(look)
    w.label(done)
