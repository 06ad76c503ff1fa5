"""Write nonblocking assignments and event triggers (IEEE 1800-2023 10.4.2, 15.5).

What a nonblocking assignment has computed goes into the NBA buffer with the address of a function that applies it; with
a delay, into a record in the timing wheel that moves to that buffer when its time has come.
"""

from __future__ import annotations

from collections.abc import Callable

from weft.engines.event import operators as ops
from weft.engines.event.code_expressions import value
from weft.engines.event.code_forks import Write
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_places import Place, field_place, find_place, store_bits, store_whole
from weft.engines.event.code_waits import delay_ticks, wait_for
from weft.engines.event.layout import FrameLayout
from weft.engines.event.records import FRAME_OUTER, NODE_BASE, NODE_FRAME, NODE_INSTANCE, RECORD_CONTENTS, SIGNAL_FLAGS
from weft.engines.event.writer import Operand, Value
from weft.ir.design import Assign, Delay, Expr, Signal, Timing, Trigger
from weft.ir.expressions import WORD_KINDS, Concat, Element, Field, Ref, Slice

_HEAD = 24
"""Bytes before the value in a pending assignment: the element, the signal's header, the element's first bit."""


def assign_later(f: FunctionCode, lhs: Expr, new: Value, ticks: Operand | None) -> None:
    """Write a nonblocking assignment of a value that is already computed."""
    w = f.w
    match lhs:
        case Concat(parts):
            at = lhs.width
            for part in parts:
                at -= part.width
                if part.width:
                    assign_later(f, part, ops.take(w, new, at, part.width), ticks)
        case Ref(signal) if signal.depth:
            for i in range(signal.depth):
                place = find_place(f, lhs)
                place.pointer = f.element_pointer(signal, place.pointer, i)
                place.base_bit = i * signal.width
                _push(f, place, None, ops.take(w, new, i * signal.width, signal.width), ticks)
        case Ref(signal, path) if ticks is None and _can_skip(f, signal, path):
            _push_change(f, find_place(f, lhs), new)
        case Ref() | Element() | Field():
            place = field_place(f, lhs) if isinstance(lhs, Field) else find_place(f, lhs)
            _push(f, place, None, new, ticks)
        case Slice(inner, offset):
            _assign_slice(f, inner, offset, lhs.width, new, ticks)
        case _:
            raise f.unsupported("a nonblocking assignment to this")


def _can_skip(f: FunctionCode, signal: Signal, path: tuple[str, ...]) -> bool:
    return (
        signal.width <= 64
        and signal.type.kind not in WORD_KINDS
        and not f.is_local(signal)
        and not f.unit.is_forced(signal, path)
        and f.unit.program.only_nonblocking(f.unit.unit, signal, path)
    )


def _push_change(f: FunctionCode, place: Place, new: Value) -> None:
    """Write a pending assignment of a whole variable, unless it would change nothing (`find_mixed`)."""
    w = f.w
    signal = place.signal
    if not signal.type.four_state:
        new = ops.known_only(w, new)
    old = f.load_signal(signal, place.pointer)
    pending = w.compare("ne", 64, w.load_word(place.header, -SIGNAL_FLAGS), 0)
    push, done = w.fresh("later"), w.fresh("pushed")
    w.branch(w.or_(1, pending, w.not_(1, ops.identical(w, old, new))), push, done)
    w.label(push)
    code = w.emit(f"ptrtoint ptr @{f.unit.apply_change(place)} to i64")
    planes = [w.resize(plane, signal.width, 64) for plane in (new.bits, new.unknown)]
    w.call("nba_change", code, w.emit(f"ptrtoint ptr {place.pointer} to i64"), *planes, "%S")
    w.label(done)


def write_change(f: FunctionCode, place: Place) -> None:
    """Write the body of the function that applies such an assignment; `%N` points to address, bits and unknowns."""
    w = f.w
    width = place.signal.width
    pointer = w.emit("load ptr, ptr %N")
    planes = [w.resize(w.load_word("%N", at), 64, width) for at in (8, 16)]
    w.store_word(pointer, -SIGNAL_FLAGS, 0)
    new = Value(width, planes[0], planes[1] if place.signal.type.four_state else 0)
    store_whole(f, Place(place.signal, pointer, pointer, 1, place.watched), new)
    w.ret("i64 0")


def _assign_slice(
    f: FunctionCode, inner: Expr, offset: Expr | int, width: int, new: Value, ticks: Operand | None
) -> None:
    from weft.engines.event.code_places import _plus  # pyright: ignore[reportPrivateUsage]

    if isinstance(inner, Slice):
        if isinstance(offset, int) and offset >= 0 and offset + width <= inner.width:
            base = inner.offset
            joined = base + offset if isinstance(base, int) else _plus(base, offset)
            _assign_slice(f, inner.value, joined, width, new, ticks)
            return
        raise f.unsupported("a nonblocking assignment to a variable part of a part")
    if isinstance(inner, Ref) and inner.signal.depth:
        signal = inner.signal
        if isinstance(offset, int) and offset % signal.width == 0 and width % signal.width == 0:
            for i in range(width // signal.width):
                number = offset // signal.width + i
                if 0 <= number < signal.depth:
                    place = find_place(f, inner)
                    place.pointer = f.element_pointer(signal, place.pointer, number)
                    place.base_bit = number * signal.width
                    _push(f, place, None, ops.take(f.w, new, i * signal.width, signal.width), ticks)
            return
        raise f.unsupported("a nonblocking assignment to a variable part of an array")
    if not isinstance(inner, Ref | Element | Field):
        raise f.unsupported("a nonblocking assignment to this")
    place = field_place(f, inner) if isinstance(inner, Field) else find_place(f, inner)
    _push(f, place, offset if isinstance(offset, int) else value(f, offset), new, ticks)


def _push(f: FunctionCode, place: Place, offset: Value | int | None, new: Value, ticks: Operand | None) -> None:
    """Write one pending assignment: to a whole element, or to bits of it from `offset` up."""
    w = f.w
    if f.is_local(place.signal) and not isinstance(place.signal, Field) and place.signal.automatic:
        raise f.unsupported("a nonblocking assignment to an automatic variable")
    if place.valid == 0:
        return
    bits = (new.width + 63) // 64 * 64
    dynamic = isinstance(offset, Value) and not (isinstance(offset.bits, int) and offset.unknown == 0)
    if isinstance(offset, Value) and not dynamic:
        assert isinstance(offset.bits, int)
        number = offset.bits
        offset = number - (1 << offset.width) if number >> (offset.width - 1) & 1 else number
    size = _HEAD + 2 * bits // 8 + (16 if dynamic else 0)
    symbol = f.unit.apply_function(place, offset if not isinstance(offset, Value) else None, dynamic, new.width)
    end = ""
    if place.valid != 1:
        begin, end = w.fresh("later"), w.fresh("pushed")
        w.branch(place.valid, begin, end)
        w.label(begin)
    code = w.emit(f"ptrtoint ptr @{symbol} to i64")
    if ticks is None:
        contents = w.pointer(w.call("nba_push", code, size, "%S"))
    else:
        node = w.call("record_new", code, size, w.emit("ptrtoint ptr @run_record_nba to i64"))
        w.declare("run_record_nba", "declare i64 @run_record_nba(i64, i64)")
        contents = w.address(w.pointer(node), RECORD_CONTENTS)
        w.call("delay", node, ticks, "%S")
    w.do(f"store ptr {place.pointer}, ptr {contents}")
    w.do(f"store ptr {place.header}, ptr {w.address(contents, 8)}")
    w.store_word(contents, 16, place.base_bit)
    w.store_planes(w.address(contents, _HEAD), new)
    if isinstance(offset, Value):
        at = _HEAD + 2 * bits // 8
        w.store_word(contents, at, w.resize(offset.bits, offset.width, 64, True))
        w.store_word(contents, at + 8, w.resize(ops.any_unknown(w, offset), 1, 64))
    if end:
        w.label(end)


def write_apply(f: FunctionCode, place: Place, offset: int | None, dynamic: bool, width: int) -> None:
    """Write the body of the function that applies a pending assignment; `%N` points to it."""
    w = f.w
    bits = (width + 63) // 64 * 64
    target = Place(
        place.signal,
        w.emit("load ptr, ptr %N"),
        w.emit(f"load ptr, ptr {w.address('%N', 8)}"),
        1,
        place.watched,
        place.forced,
        w.load_word("%N", 16),
    )
    new = w.load_planes(w.address("%N", _HEAD), width)
    if not place.signal.type.four_state:
        new = Value(width, new.bits)
    if dynamic:
        at = _HEAD + 2 * bits // 8
        number = w.load_word("%N", at)
        unknown = w.emit(f"sub i64 0, {w.load_word('%N', at + 8)}")
        store_bits(f, target, Value(64, number, unknown), new)
    elif offset is not None:
        store_bits(f, target, offset, new)
    else:
        store_whole(f, target, new)
    w.ret("i64 0")


# ------------------------------------------------------------------------------------------- with events


def in_background(
    f: FunctionCode, body: Callable[[FrameLayout], None], fill: Callable[[str, FrameLayout], None]
) -> None:
    """Write something that a thread of its own does later; `fill` stores what it keeps into the thread's frame."""
    w = f.w
    if not f.thread:
        raise f.unsupported("a nonblocking assignment with an event control in a function")
    layout = FrameLayout(f.unit.program.frame_name())
    f.unit.program.frames.append(layout)
    number = f.new_place()
    child = w.call("fork_thread", "%node", number, 0, "%S")
    frame = w.call("frame_new", f"$Z{layout.name}$", "%S")
    # The reference to the parent's frame that the fork has taken now belongs to the new frame.
    w.store_word(w.pointer(frame), FRAME_OUTER, w.load_word("%N", NODE_FRAME))
    pointer = w.pointer(child)
    w.store_word(pointer, NODE_FRAME, frame)
    w.store_word(pointer, NODE_BASE, frame)
    w.store_word(pointer, NODE_INSTANCE, w.load_word("%N", NODE_INSTANCE))
    fill(w.pointer(frame), layout)
    after = w.fresh("begun")
    w.jump(after)
    w.label(f"place{number}")
    f.frames.append(layout)
    body(layout)
    w.call("end_thread", "%node", "%S")
    w.ret("i64 0")
    f.frames.pop()
    w.label(after)


def assign_on_event(f: FunctionCode, assign: Assign, timing: Timing, write: Write) -> None:
    """Write `lhs <= @(event) rhs` or `lhs <= repeat (n) @(event) rhs`."""
    w = f.w
    new = value(f, assign.rhs)
    places: list[int] = []

    def fill(frame: str, layout: FrameLayout) -> None:
        places.append(layout.take(2 * ((new.width + 63) // 64 * 8)))
        w.store_planes(w.address(frame, places[0]), new)

    def body(layout: FrameLayout) -> None:
        wait_for(f, timing)
        kept = w.load_planes(w.address(f.frame_pointer(), places[0]), new.width)
        assign_later(f, assign.lhs, kept, None)

    in_background(f, body, fill)


def trigger_event(f: FunctionCode, trigger: Trigger, write: Write) -> None:
    """Write `->` or `->>`."""
    event = trigger.event
    if not isinstance(event, Ref | Element | Field):
        raise f.unsupported("a trigger of this event", trigger.span)
    if trigger.blocking:
        place = field_place(f, event) if isinstance(event, Field) else find_place(f, event)
        _fire(f, place)
        return
    if trigger.timing is None or isinstance(trigger.timing, Delay):
        ticks = delay_ticks(f, trigger.timing) if trigger.timing is not None else None
        place = field_place(f, event) if isinstance(event, Field) else find_place(f, event)
        _push(f, place, None, Value(64, 0), ticks)
        return
    timing = trigger.timing

    def body(layout: FrameLayout) -> None:
        wait_for(f, timing)
        place = field_place(f, event) if isinstance(event, Field) else find_place(f, event)
        _push(f, place, None, Value(64, 0), None)

    in_background(f, body, lambda frame, layout: None)


def _fire(f: FunctionCode, place: Place) -> None:
    """Advance an event's stamp: the time and a count within it, so that every trigger is a change."""
    w = f.w
    old = w.emit(f"load i64, ptr {place.pointer}")
    count = w.op("and", 64, w.op("add", 64, old, 1), 0xFFFF)
    now = w.op("shl", 64, w.op("add", 64, w.load_word("%Sp", 0), 1), 16)
    store_whole(f, place, Value(64, w.or_(64, now, count)))


def write_fire(f: FunctionCode, place: Place) -> None:
    """Write the body of the function that applies a nonblocking trigger."""
    w = f.w
    target = Place(
        place.signal,
        w.emit("load ptr, ptr %N"),
        w.emit(f"load ptr, ptr {w.address('%N', 8)}"),
        1,
        place.watched,
        False,
        w.load_word("%N", 16),
    )
    _fire(f, target)
    w.ret("i64 0")
