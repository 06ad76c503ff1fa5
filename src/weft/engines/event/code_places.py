"""Write reads and writes of what an lvalue names: a signal, an element, a part of one, a property, a joined list.

A *place* is a pointer to the planes of one element, and perhaps which of its bits are meant. What is written to a
signal that somebody watches is compared with what was there, and a difference is told to the watchers at once.
"""

from __future__ import annotations

from collections.abc import Callable

from weft.base.dataclass import dataclass
from weft.engines.event import operators as ops
from weft.engines.event.code_changes import difference, notify_change
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_host import host_effect
from weft.engines.event.layout import value_bytes
from weft.engines.event.value_types import type_of
from weft.engines.event.writer import Operand, Value, Writer, all_x, ir_type, mask, plane_bytes, storage_bits
from weft.ir.design import Expr, Signal
from weft.ir.expressions import Concat, Const, Element, Field, Item, Ref, Slice

WINDOW_FROM = 65
"""From this width on, a part of a value in memory is read and written through a window of bytes."""


Later = list[Callable[[], None]]
"""What is written behind an assignment: it tells the watchers of each part."""


@dataclass(slots=True, eq=False)
class Place:
    """Be one element of a signal, and where its header is; `valid` is whether the index lies inside (one bit)."""

    signal: Signal
    pointer: str
    header: str
    valid: Operand = 1
    watched: bool = False
    forced: bool = False
    base_bit: Operand = 0
    """The element's first bit in the flattened signal, for watches of parts."""


@dataclass(slots=True, eq=False)
class Bits:
    """Be some bits of a place: `offset` is signed, constant or a value; `valid` as in `Place`."""

    place: Place
    offset: Value | int
    width: int
    limit: int


def find_place(f: FunctionCode, target: Ref | Element) -> Place:
    """Return the place of a signal or element."""
    w = f.w
    signal, path = target.signal, target.path
    pointer = f.signal_pointer(signal, path)
    local = f.is_local(signal)
    watched = not local and f.unit.is_watched(signal, path)
    forced = not local and f.unit.is_forced(signal, path)
    place = Place(signal, pointer, pointer, 1, watched, forced)
    if local:
        place = shadowed(f, place)
    if isinstance(target, Ref):
        return place
    from weft.engines.event.code_expressions import value

    index = value(f, target.index)
    bits, unknown = index.bits, ops.any_unknown(w, index)
    if isinstance(bits, int) and unknown == 0:
        place.valid = int(bits < signal.depth)
        place.pointer = f.element_pointer(signal, pointer, bits if bits < signal.depth else 0)
        place.base_bit = bits * signal.width
        return place
    width = index.width
    inside: Operand = 1
    if mask(width) >= signal.depth:
        inside = w.compare("ult", width, bits, signal.depth)
    valid = w.and_(1, inside, w.not_(1, unknown))
    place.valid = valid
    number = w.select(64, valid, w.resize(bits, width, 64), 0)
    place.pointer = f.element_pointer(signal, pointer, number)
    place.base_bit = w.op("mul", 64, number, signal.width)
    return place


def load_place(f: FunctionCode, place: Place) -> Value:
    """Read a whole element; outside the array it is x, or 0 in a 2-state one."""
    w = f.w
    found = f.load_signal(place.signal, place.pointer)
    if place.valid == 1:
        return found
    width = found.width
    outside = all_x(width) if place.signal.type.four_state else Value(width, 0)
    return ops.choose(w, place.valid, found, outside)


def load_slice(f: FunctionCode, expression: Slice) -> Value:
    """Read bits of a value; of a wide one in memory only the bytes that hold them."""
    from weft.engines.event.code_expressions import value

    inner = expression.value
    if isinstance(inner, Ref) and inner.signal.depth:
        return _slice_of_array(f, inner, expression)
    if isinstance(inner, Ref | Element) and inner.width >= WINDOW_FROM and inner.width > expression.width:
        place = find_place(f, inner)
        offset = expression.offset if isinstance(expression.offset, int) else value(f, expression.offset)
        return _load_window(f, place, offset, expression.width)
    whole = value(f, inner)
    if isinstance(expression.offset, int):
        return ops.take(f.w, whole, expression.offset, expression.width)
    return ops.take_at(f.w, whole, value(f, expression.offset), expression.width)


def _slice_of_array(f: FunctionCode, array: Ref, expression: Slice) -> Value:
    """Read elements of an array as one vector; only those that are needed where the offset is constant."""
    from weft.engines.event.code_expressions import value

    signal, offset = array.signal, expression.offset
    if not isinstance(offset, int):
        return ops.take_at(f.w, value(f, array), value(f, offset), expression.width)
    first = max(offset, 0) // signal.width
    last = min(offset + expression.width - 1, signal.bits - 1) // signal.width
    if last < first or offset >= signal.bits:
        return all_x(expression.width)
    pointer = f.signal_pointer(signal, array.path)
    parts = [f.load_signal(signal, f.element_pointer(signal, pointer, i)) for i in range(last, first - 1, -1)]
    return ops.take(f.w, ops.concat(f.w, parts), offset - first * signal.width, expression.width)


def _window_bits(width: int) -> int:
    return storage_bits(width + 7)


def _load_window(f: FunctionCode, place: Place, offset: Value | int, width: int) -> Value:
    w = f.w
    total = place.signal.width
    size = _window_bits(width)
    if isinstance(offset, int):
        if offset < 0 or offset + width > total:
            return ops.take(w, load_place(f, place), offset, width)
        byte, shift = offset // 8, offset % 8
        planes = [_window_plane(w, place, plane, byte, size) for plane in _planes(place)]
        planes = [w.resize(w.op("lshr", size, plane, shift), size, width) for plane in planes]
        found = Value(width, planes[0], planes[1] if len(planes) > 1 else 0)
        return found if place.valid == 1 else ops.choose(w, place.valid, found, all_x(width))
    position, inside = _whole_inside(f, offset, width, total)
    clipped = w.select(64, inside, position, 0)
    byte_operand = w.op("lshr", 64, clipped, 3)
    shift_operand = w.resize(w.op("and", 64, clipped, 7), 64, size)
    planes = [_window_plane(w, place, plane, byte_operand, size) for plane in _planes(place)]
    planes = [w.resize(w.op("lshr", size, plane, shift_operand), size, width) for plane in planes]
    found = Value(width, planes[0], planes[1] if len(planes) > 1 else 0)
    usual = w.and_(1, inside, place.valid)
    labels = w.fresh("partly"), w.fresh("sliced")
    slots, kind = (w.slot(width), w.slot(width)), ir_type(width)
    w.do(f"store {kind} {found.bits}, ptr {slots[0]}")
    w.do(f"store {kind} {found.unknown}, ptr {slots[1]}")
    w.branch(usual, labels[1], labels[0])
    w.label(labels[0])
    rest = ops.take_at(w, load_place(f, place), offset, width)
    w.do(f"store {kind} {rest.bits}, ptr {slots[0]}")
    w.do(f"store {kind} {rest.unknown}, ptr {slots[1]}")
    w.label(labels[1])
    return Value(width, w.emit(f"load {kind}, ptr {slots[0]}"), w.emit(f"load {kind}, ptr {slots[1]}"))


def _planes(place: Place) -> list[int]:
    return [0, plane_bytes(place.signal.width)] if place.signal.type.four_state else [0]


def _window_plane(w: Writer, place: Place, plane: int, byte: Operand, size: int) -> Operand:
    pointer = w.address(w.address(place.pointer, plane), byte)
    return w.emit(f"load i{size}, ptr {pointer}, align 1")


def _whole_inside(f: FunctionCode, offset: Value, width: int, total: int) -> tuple[Operand, Operand]:
    """Return an offset as a 64-bit word and whether all bits from it up lie inside `total` bits."""
    w = f.w
    position = w.resize(offset.bits, offset.width, 64, True)
    if width > total:
        return position, 0
    inside = w.compare("ule", 64, position, total - width)
    return position, w.and_(1, inside, w.not_(1, ops.any_unknown(w, offset)))


def load_field(f: FunctionCode, field: Field) -> Value:
    """Read a property of an object."""
    place = field_place(f, field)
    return f.load_flat(place.signal, place.pointer)


def field_place(f: FunctionCode, field: Field) -> Place:
    """Return the place of a property; using a null handle is an error at run time."""
    from weft.engines.event.code_expressions import value

    w = f.w
    handle = value(f, field.object)
    f.unit.program.check_null(f, handle.bits)
    pointer = w.address(w.pointer(handle.bits), f.unit.program.field_offset(field.member))
    return shadowed(f, Place(field.member, pointer, pointer))


def shadowed(f: FunctionCode, place: Place) -> Place:
    """Let changes of a property or automatic variable be told to those who wait for one of its copies."""
    shadow = f.unit.program.shadow(place.signal)
    if shadow is not None:
        place.watched, place.header = True, f.unit.signal_pointer(f.w, shadow.signal, shadow.path)
    return place


# ------------------------------------------------------------------------------------------- writing


def store_lvalue(f: FunctionCode, lhs: Expr, new: Value, keep: str = "normal", later: Later | None = None) -> None:
    """Write the assignment of a value to an lvalue; `keep` says which forces hold it back.

    Parts of a concatenation are all written before anybody is told, so that an `iff` sees them; `later` gets what
    tells.
    """
    match lhs:
        case Concat(parts):
            at = lhs.width
            tell: Later = [] if later is None else later
            for part in parts:
                at -= part.width
                if part.width:
                    store_lvalue(f, part, ops.take(f.w, new, at, part.width), keep, tell)
            for action in tell if later is None else ():
                action()
        case Item(container, index):
            from weft.engines.event.code_containers import write_item

            name = "string.putc" if type_of(container).kind == "string" else "array.set"
            if name == "string.putc" or not write_item(f, lhs, new):
                host_effect(f, name, (container, index), new, lhs)
            f.unit.notify_container(f, container)
        case Ref(signal) if signal.depth:
            _store_array(f, lhs, new, keep)
        case Ref() | Element() | Field():
            place = field_place(f, lhs) if isinstance(lhs, Field) else find_place(f, lhs)
            if place.signal.depth and isinstance(lhs, Field):
                _store_elements(f, place, new, keep)
            else:
                store_whole(f, place, new, keep, later=later)
        case Slice():
            _store_slice(f, lhs, new, keep, later)
        case _:
            raise f.internal("no lvalue", lhs)


def _store_array(f: FunctionCode, lhs: Ref, new: Value, keep: str) -> None:
    _store_elements(f, find_place(f, lhs), new, keep)


def _store_elements(f: FunctionCode, place: Place, new: Value, keep: str) -> None:
    signal = place.signal
    for i in range(signal.depth):
        element = Place(
            signal, f.element_pointer(signal, place.pointer, i), place.header, 1, place.watched, place.forced
        )
        element.base_bit = i * signal.width
        store_whole(f, element, ops.take(f.w, new, i * signal.width, signal.width), keep)


def _store_slice(f: FunctionCode, lhs: Slice, new: Value, keep: str, later: Later | None = None) -> None:
    from weft.engines.event.code_expressions import value

    offset, width, inner = lhs.offset, lhs.width, lhs.value
    if isinstance(inner, Slice):
        # A part of a part: the outer limits of the inner part hold too.
        if isinstance(offset, int) and offset >= 0 and offset + width <= inner.width:
            if isinstance(inner.offset, int):
                _store_slice(f, Slice(inner.value, inner.offset + offset, width), new, keep, later)
                return
            _store_slice(f, Slice(inner.value, _plus(inner.offset, offset), width), new, keep, later)
            return
        old = value(f, inner)
        store_lvalue(f, inner, ops.insert(f.w, old, offset if isinstance(offset, int) else value(f, offset), new), keep)
        return
    if isinstance(inner, Concat | Item) or (isinstance(inner, Field) and inner.member.depth):
        old = value(f, inner)
        at = offset if isinstance(offset, int) else value(f, offset)
        store_lvalue(f, inner, ops.insert(f.w, old, at, new), keep)
        return
    if isinstance(inner, Ref) and inner.signal.depth:
        _store_array_slice(f, inner, offset, new, keep)
        return
    if not isinstance(inner, Ref | Element | Field):
        raise f.internal("no lvalue", inner)
    place = field_place(f, inner) if isinstance(inner, Field) else find_place(f, inner)
    at = offset if isinstance(offset, int) else value(f, offset)
    store_bits(f, place, at, new, keep, later)


def _plus(offset: Expr, constant: int) -> Expr:
    from weft.ir.expressions import Binary, Resize

    width = max(offset.width, constant.bit_length() + 1) + 1
    return Binary("add", Resize(offset, width, True), Const(width, constant), width)


def _store_array_slice(f: FunctionCode, array: Ref, offset: Expr | int, new: Value, keep: str) -> None:
    from weft.engines.event.code_expressions import value

    signal = array.signal
    if isinstance(offset, int):
        if offset % signal.width == 0 and new.width % signal.width == 0:
            pointer = f.signal_pointer(signal, array.path)
            base = find_place(f, array)
            for i in range(new.width // signal.width):
                number = offset // signal.width + i
                if 0 <= number < signal.depth:
                    element = Place(
                        signal, f.element_pointer(signal, pointer, number), pointer, 1, base.watched, base.forced
                    )
                    element.base_bit = number * signal.width
                    store_whole(f, element, ops.take(f.w, new, i * signal.width, signal.width), keep)
            return
        first, last = offset // signal.width, (offset + new.width - 1) // signal.width
        if first == last and 0 <= first < signal.depth:
            target = Element(signal, Const(64, first), array.path)
            store_bits(f, find_place(f, target), offset - first * signal.width, new, keep)
            return
    old = value(f, array)
    at = offset if isinstance(offset, int) else value(f, offset)
    _store_array(f, array, ops.insert(f.w, old, at, new), keep)


def store_bits(
    f: FunctionCode, place: Place, offset: Value | int, new: Value, keep: str = "normal", later: Later | None = None
) -> None:
    """Replace some bits of an element."""
    total = place.signal.width
    if isinstance(offset, int) and offset == 0 and new.width == total:
        store_whole(f, place, new, keep, later=later)
        return
    if total >= WINDOW_FROM and not place.forced:
        _store_window(f, place, offset, new, later)
        return
    old = f.load_signal(place.signal, place.pointer)
    low, high = 0, total
    if isinstance(offset, int):
        low, high = max(offset, 0), min(offset + new.width, total)
        if low >= high:
            return
    store_whole(f, place, ops.insert(f.w, old, offset, new), keep, old, low, high, later)


def _store_window(f: FunctionCode, place: Place, offset: Value | int, new: Value, later: Later | None) -> None:
    """Replace bits of a wide element by reading and writing only the bytes around them."""
    w = f.w
    total, width = place.signal.width, new.width
    size = _window_bits(width)
    ones: Operand = mask(width)
    if isinstance(offset, int):
        low, high = max(offset, 0), min(offset + width, total)
        if low >= high:
            return
        new = ops.take(w, new, low - offset, high - low)
        byte: Operand = low // 8
        shift: Operand = low % 8
        ones = mask(high - low) << (low % 8)
        guard: Operand = place.valid
        wide = [w.op("shl", size, w.resize(plane, new.width, size), shift) for plane in (new.bits, new.unknown)]
        first: Operand = low
    else:
        position = w.resize(offset.bits, offset.width, 64, True)
        negative = w.compare("slt", 64, position, 0)
        start = w.select(64, negative, 0, position)
        back = w.select(64, negative, w.op("sub", 64, 0, position), 0)
        unknown = ops.any_unknown(w, offset)
        outside = w.or_(1, w.compare("uge", 64, start, total), w.compare("uge", 64, back, width))
        guard = w.and_(1, place.valid, w.not_(1, w.or_(1, outside, unknown)))
        start = w.select(64, guard, start, 0)
        back = w.resize(w.select(64, guard, back, 0), 64, size)
        byte = w.op("lshr", 64, start, 3)
        shift = w.resize(w.op("and", 64, start, 7), 64, size)
        # Bits above the element's end are cut off by shifting them out of the mask.
        room = w.op("sub", 64, total, start)
        keeps = w.select(64, w.compare("ult", 64, room, width), room, width)
        cut = w.resize(w.op("sub", 64, width, keeps), 64, width)
        narrow = w.op("lshr", width, mask(width), cut)
        ones = w.op("shl", size, w.op("lshr", size, w.resize(narrow, width, size), back), shift)
        wide = [
            w.and_(size, ones, w.op("shl", size, w.op("lshr", size, w.resize(plane, width, size), back), shift))
            for plane in (new.bits, new.unknown)
        ]
        first = start
    labels = w.fresh("write"), w.fresh("written")
    if guard != 1:
        w.branch(guard, labels[0], labels[1])
        w.label(labels[0])
    changed: Operand = 0
    edges: list[tuple[Operand, Operand]] = []
    for plane, moved in zip(_planes(place), wide, strict=False):
        pointer = w.address(w.address(place.pointer, plane), byte)
        old = w.emit(f"load i{size}, ptr {pointer}, align 1")
        mixed = w.or_(size, w.and_(size, old, w.not_(size, ones)), w.and_(size, moved, ones))
        w.do(f"store i{size} {mixed}, ptr {pointer}, align 1")
        changed = w.or_(1, changed, w.compare("ne", size, old, mixed))
        edges.append((old, mixed))
    if place.watched:
        low_bit = w.op("add", 64, first, place.base_bit)
        bit0 = [(w.resize(a, size, 1), w.resize(b, size, 1)) for a, b in edges] if first == 0 else []
        if not bit0 and not isinstance(first, int):
            # The edge of bit 0 is exact only if the window begins there; elsewhere bit 0 stays as it is.
            at_zero = w.compare("eq", 64, first, 0)
            bit0 = [
                (w.and_(1, at_zero, w.resize(a, size, 1)), w.and_(1, at_zero, w.resize(b, size, 1))) for a, b in edges
            ]

        def differing() -> Value:
            (bits, unknown) = [*edges, (0, 0)][:2]
            differs = difference(w, Value(size, bits[0], unknown[0]), Value(size, bits[1], unknown[1]))
            return Value(width, w.resize(w.op("lshr", size, differs.bits, shift), size, width))

        _tell(
            lambda: notify_change(f, place, changed, bit0, low_bit, w.op("add", 64, low_bit, width), differing),
            later if guard == 1 else None,
        )
    if guard != 1:
        w.label(labels[1])


def _tell(action: Callable[[], None], later: Later | None) -> None:
    """Write now what tells of a change, or note it; what lies behind a condition of its own cannot be put off."""
    if later is None:
        action()
    else:
        later.append(action)


def store_whole(
    f: FunctionCode,
    place: Place,
    new: Value,
    keep: str = "normal",
    old: Value | None = None,
    low: int = 0,
    high: int | None = None,
    later: Later | None = None,
) -> None:
    """Write a whole element, and tell watchers if it changes; bits `low` to `high` are those that can change."""
    w = f.w
    signal = place.signal
    width = signal.width
    if not signal.type.four_state:
        new = Value(width, ops.one(w, new))
    if place.valid == 0:
        return
    end = ""
    if place.valid != 1:
        begin, end = w.fresh("store"), w.fresh("stored")
        w.branch(place.valid, begin, end)
        w.label(begin)
    if place.watched or place.forced:
        old = old if old is not None else f.load_signal(signal, place.pointer)
        if place.forced:
            new = _hold_forced(f, place, old, new, keep)
        changed = w.compare("ne", width, old.bits, new.bits)
        if signal.type.four_state:
            changed = w.or_(1, changed, w.compare("ne", width, old.unknown, new.unknown))
        _store_planes(w, place, new)
        if place.watched:
            bits: list[tuple[Operand, Operand]] = []
            if low == 0:
                bits = [(w.resize(old.bits, width, 1), w.resize(new.bits, width, 1))]
                bits.append((w.resize(old.unknown, width, 1), w.resize(new.unknown, width, 1)))
            first = w.op("add", 64, low, place.base_bit)
            last = w.op("add", 64, width if high is None else high, place.base_bit)
            count, before, after = (width if high is None else high) - low, old, new

            def differing() -> Value:
                return ops.take(w, difference(w, before, after), low, count)

            _tell(
                lambda: notify_change(f, place, changed, bits, first, last, differing),
                later if not end else None,
            )
    else:
        _store_planes(w, place, new)
    if end:
        w.label(end)


def _store_planes(w: Writer, place: Place, new: Value) -> None:
    width = place.signal.width
    w.store(place.pointer, new.bits, width)
    if place.signal.type.four_state:
        w.store(w.address(place.pointer, plane_bytes(width)), new.unknown, width)


def force_masks(f: FunctionCode, place: Place) -> tuple[str, str]:
    """Return pointers to the planes of forced and of procedurally assigned bits of a signal."""
    w = f.w
    first = w.address(place.header, value_bytes(place.signal))
    return first, w.address(first, plane_bytes(place.signal.bits))


def _hold_forced(f: FunctionCode, place: Place, old: Value, new: Value, keep: str) -> Value:
    """Return a new value in which forced bits stay as they are."""
    if keep == "force":
        return new
    w = f.w
    width = place.signal.width
    if place.signal.depth:
        raise f.unsupported("a force of an unpacked array")
    masks = force_masks(f, place)
    held = w.load(masks[0], width)
    if keep == "normal" and not place.signal.net:
        held = w.or_(width, held, w.load(masks[1], width))
    free = w.not_(width, held)
    return Value(
        width,
        w.or_(width, w.and_(width, old.bits, held), w.and_(width, new.bits, free)),
        w.or_(width, w.and_(width, old.unknown, held), w.and_(width, new.unknown, free)),
    )
