"""Write continuous assignments of one shape once.

A netlist of ten thousand gates is a dozen shapes: assignments that differ only in what signals they read and write.
Each shape is one function; each assignment has a *record*, a thread's node with its operands' addresses behind it:

    node | operand addresses, and shifts of bits | target, its header | last, next | node of the delayed change

Code and its compilation so grow with the number of shapes, not of assignments, and what an event touches lies together.
The thread of such an assignment has no wait site. It always looks at its operands, and the watches put it into the
active list if it is in none (`WATCH_NODE`): it may be woken again as soon as it runs, which is before it writes, as for
every continuous assignment.

What is no plain expression of signals, constant parts and operators is left to `code_processes`.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass, field
from weft.engines.event.code_expressions import value
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_places import Place, store_bits, store_whole
from weft.engines.event.code_processes import inertial_change, unique_watches
from weft.engines.event.code_unit import UnitCode
from weft.engines.event.driver_parts import Part, parts_of
from weft.engines.event.layout import element_bytes
from weft.engines.event.records import NODE_SHORT, WATCH_ANY, WATCH_NODE
from weft.engines.event.sites import Site, ThreadPlan, Watch
from weft.engines.event.writer import Value, mask, plane_bytes
from weft.ir.design import ContinuousAssign, Delay, Expr, Signal, Type
from weft.ir.expressions import (
    WORD_KINDS,
    Binary,
    Concat,
    Cond,
    Const,
    Element,
    Real,
    Ref,
    Repeat,
    Resize,
    Slice,
    Unary,
)
from weft.ir.reads import reads_of
from weft.ir.specify import PathDelay

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Be the code of a shape: its function, and that of the delayed change with the distance of its node."""

    symbol: str
    size: int
    later: str = ""
    later_at: int = 0


class _Unshaped(Exception):
    """Say that an expression is more than operands and operators."""


@dataclass(slots=True, eq=False)
class _Operand:
    """Be what an assignment reads, a signal, an element or a bit, with the placeholder that stands for it."""

    ref: Ref
    byte: int
    shift: int | None
    signal: Signal
    plane: int


@dataclass(slots=True, eq=False)
class _Shaper:
    """Take the signals out of an expression."""

    operands: dict[tuple[Signal, tuple[str, ...], int, int], _Operand] = field(
        default_factory=dict[tuple[Signal, tuple[str, ...], int, int], _Operand]
    )

    def visit(self, expression: Expr) -> tuple[Key, Expr]:
        """Return the shape of an expression, and the expression with placeholders."""
        match expression:
            case Const(width, bits, unknown):
                return ("const", width, bits, unknown), expression
            case Ref(signal, path) if not signal.depth:
                return self._operand(Ref(signal, path), 0, -1, signal.width)
            case Element(signal, Const(value=index, unknown=0), path) if index < signal.depth:
                return self._operand(Ref(signal, path), index * element_bytes(signal), -1, signal.width)
            case Slice(Ref(signal, path), int() as offset, 1) if not signal.depth and 0 <= offset < signal.width:
                return self._operand(Ref(signal, path), offset // 8, offset % 8, 1)
            case Slice(inner, int() as offset, width):
                key, inside = self._narrow(inner)
                return ("slice", offset, width, key), Slice(inside, offset, width)
            case Resize(inner, width, signed):
                key, inside = self.visit(inner)
                return ("resize", width, signed, key), Resize(inside, width, signed)
            case Unary(op, inner, width):
                key, inside = self.visit(inner)
                return ("unary", op, width, key), Unary(op, inside, width)
            case Binary(op, lhs, rhs, width):
                left, a = self.visit(lhs)
                right, b = self.visit(rhs)
                return ("binary", op, width, left, right), Binary(op, a, b, width)
            case Cond(cond, then, other):
                keys, parts = self._all((cond, then, other))
                return ("cond", *keys), Cond(parts[0], parts[1], parts[2], expression.width)
            case Concat(parts):
                keys, parts = self._all(parts)
                return ("concat", *keys), Concat(tuple(parts), expression.width)
            case Repeat(count, inner):
                key, inside = self.visit(inner)
                return ("repeat", count, key), Repeat(count, inside, expression.width)
            case _:
                raise _Unshaped

    def _narrow(self, inner: Expr) -> tuple[Key, Expr]:
        """Shape what a part is taken of; a wide signal is better read through a window of bytes."""
        if isinstance(inner, Ref | Element) and inner.width > 64:
            raise _Unshaped
        return self.visit(inner)

    def _all(self, parts: tuple[Expr, ...]) -> tuple[list[Key], list[Expr]]:
        pairs = [self.visit(part) for part in parts]
        return [key for key, _ in pairs], [part for _, part in pairs]

    def _operand(self, ref: Ref, byte: int, shift: int, width: int) -> tuple[Key, Expr]:
        signal = ref.signal
        if signal.automatic or signal.type.kind in WORD_KINDS:
            raise _Unshaped
        key = (signal, ref.path, byte, shift)
        found = self.operands.get(key)
        if found is None:
            kind = Type("logic", width, four_state=signal.type.four_state)
            name = f"operand{len(self.operands)}"
            plane = plane_bytes(signal.width)
            found = _Operand(ref, byte, None if shift < 0 else shift, Signal(name, width, kind), plane)
            self.operands[key] = found
        number = int(found.signal.name[7:])
        what = (number, width, found.plane, signal.type.four_state, shift >= 0)
        return ("operand", *what), Ref(found.signal)


def write_shaped(unit: UnitCode, index: int, assign: ContinuousAssign) -> bool:
    """Give a continuous assignment a record of its shape; return False if it has none."""
    program = unit.program
    parts = parts_of(assign.lhs, assign.span)
    if len(parts) != 1 or (index, 0) in unit.unit.celled | unit.unit.graded or parts[0].width != assign.rhs.width:
        return False
    part = parts[0]
    target = part.ref.signal
    if target.type.kind in WORD_KINDS or target.automatic or unit.is_forced(target, part.ref.path):
        return False
    shaper = _Shaper()
    try:
        key, expression = shaper.visit(assign.rhs)
    except _Unshaped:
        return False
    delay = _delay_key(unit, assign.delay)
    if delay is None:
        return False
    watched = unit.is_watched(target, part.ref.path)
    key = (key, delay, target.width, target.depth > 0, target.type.four_state, part.low, part.width, watched)
    shape = program.shapes.get(key)
    operands = list(shaper.operands.values())
    if shape is None:
        shape = program.shapes[key] = _write_shape(unit, assign, part, operands, expression, watched)
    _add_record(unit, shape, assign, part, operands)
    return True


def _delay_key(unit: UnitCode, delay: Delay | PathDelay | None) -> Key | None:
    """Return what a delay adds to the shape; None if it is no constant."""
    if delay is None:
        return ()
    if isinstance(delay, PathDelay):
        return None
    values = [part for part in (delay.value, delay.fall, delay.off) if part is not None]
    if not all(isinstance(part, Const | Real) for part in values):
        return None
    constants = [(part.value,) if isinstance(part, Real) else _constant(part) for part in values]
    return (unit.ticks_per_unit, unit.ticks_per_precision, delay.real, delay.fall is None, *constants)


def _constant(expression: Expr) -> Key:
    return (expression.width, expression.value, expression.unknown) if isinstance(expression, Const) else ()


def _add_record(unit: UnitCode, shape: Shape, assign: ContinuousAssign, part: Part, operands: list[_Operand]) -> None:
    """Lay out the record of an assignment in the unit's blocks."""
    offset = unit.layout.take(shape.size)
    words: list[tuple[Ref | None, int]] = []
    for operand in operands:
        words.append((operand.ref, operand.byte))
        if operand.shift is not None:
            words.append((None, operand.shift))
    signal = part.ref.signal
    element = part.low // signal.width if signal.depth else 0
    words.append((part.ref, element * element_bytes(signal)))
    if signal.depth:
        words += [(part.ref, 0), (None, element * signal.width)]
    if shape.later:
        # The value that was applied last and the one on its way begin as x.
        plane = plane_bytes(assign.lhs.width)
        unknown = mask(assign.lhs.width) << 8 * plane
        words += 2 * [(None, unknown >> 64 * i & mask(64)) for i in range((2 * plane + 7) // 8)]
    plan = ThreadPlan(offset, shape.symbol, 0, what="assign", span=assign.span, words=tuple(words))
    unit.threads.append(plan)
    watches = [Watch(ref, WATCH_ANY | WATCH_NODE, low, high) for ref, low, high in reads_of(assign.rhs)]
    unit.sites.append(Site(offset, tuple(unique_watches(watches))))
    if shape.later:
        later = ThreadPlan(offset + shape.later_at, shape.later, 0, what="assign", span=assign.span, started=False)
        unit.threads.append(later)


def _write_shape(
    unit: UnitCode,
    assign: ContinuousAssign,
    part: Part,
    operands: list[_Operand],
    expression: Expr,
    watched: bool,
) -> Shape:
    """Write the functions of a shape, for the first assignment that has it."""
    program = unit.program
    number = len(program.shapes)
    f = FunctionCode(unit, f"shape{number}", "bare")
    f.span = assign.span
    at = NODE_SHORT
    for operand in operands:
        at = _load_operand(f, operand, at)
    target_at = at
    at += 24 if part.ref.signal.depth else 8
    new = value(f, expression)
    if assign.delay is None:
        _write_target(f, part, target_at, 0, new, watched)
        f.w.ret()
        unit.add_function(f)
        return Shape(f.name, at)
    width = assign.lhs.width
    size = (2 * plane_bytes(width) + 7) // 8 * 8
    last_at, coming_at = at, at + size
    later_at = at + 2 * size
    stored = Signal("change$", width, Type("logic", width))
    later = FunctionCode(unit, f"shape{number}.later", "bare")
    later.span = assign.span
    kept = later.load_signal(stored, later.w.address("%N", coming_at - later_at))
    pointer = later.w.address("%N", last_at - later_at)
    store_whole(later, Place(stored, pointer, pointer), kept)
    _write_target(later, part, target_at, -later_at, kept, watched)
    later.w.ret()
    unit.add_function(later)
    node = f.w.op("add", 64, "%node", later_at)
    inertial_change(f, assign.delay, new, stored, f.w.address("%N", last_at), f.w.address("%N", coming_at), node)
    f.w.ret()
    unit.add_function(f)
    return Shape(f.name, later_at + NODE_SHORT, later.name, later_at)


def _load_operand(f: FunctionCode, operand: _Operand, at: int) -> int:
    """Load an operand through its address in the record; return where the next one is."""
    w = f.w
    pointer = w.pointer(w.load_word("%N", at))
    signal = operand.signal
    if operand.shift is None:
        f.operands[signal] = f.load_signal(signal, pointer)
        return at + 8
    shift = w.emit(f"trunc i64 {w.load_word('%N', at + 8)} to i8")
    planes: list[str] = []
    for plane in (0, operand.plane) if signal.type.four_state else (0,):
        byte = w.emit(f"load i8, ptr {w.address(pointer, plane)}, align 1")
        planes.append(w.emit(f"trunc i8 {w.emit(f'lshr i8 {byte}, {shift}')} to i1"))
    f.operands[signal] = Value(1, planes[0], planes[1] if len(planes) > 1 else 0)
    return at + 16


def _write_target(f: FunctionCode, part: Part, at: int, back: int, new: Value, watched: bool) -> None:
    """Write the value to the target whose address is in the record, `back` bytes behind the node."""
    w = f.w
    signal = part.ref.signal
    pointer = w.pointer(w.load_word("%N", at + back))
    place = Place(signal, pointer, pointer, 1, watched)
    low = part.low
    if signal.depth:
        place.header = w.pointer(w.load_word("%N", at + back + 8))
        place.base_bit = w.load_word("%N", at + back + 16)
        low %= signal.width
    store_bits(f, place, low, new)
