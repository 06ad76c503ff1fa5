"""Write how code finds elements of containers in memory (`container_layout`): indices, keys, addresses, loads, stores.

An address of 0 stands for an element that is not there: it is not stored to, and read as the default value.
"""

from __future__ import annotations

from collections.abc import Callable

from weft.engines.event import operators as ops
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.container_layout import SIGN, ContainerLayout, ElementLayout, in_memory
from weft.engines.event.records import CONTAINER_COUNT, CONTAINER_FIRST
from weft.engines.event.value_types import CONTAINERS, WORDS, type_of
from weft.engines.event.writer import Operand, Value, ir_type, mask, plane_bytes
from weft.ir.design import Expr, Type
from weft.ir.expressions import Resize, Unary


def layout_in_memory(f: FunctionCode, container: Expr, described: Type | None) -> ContainerLayout | None:
    """Return how the container of an expression lies, if it does so in memory."""
    kind = type_of(container)
    if kind.kind not in CONTAINERS or kind.element is None:
        kind = described
    if kind is None or not in_memory(kind):
        return None
    return f.unit.program.containers.layout(kind)


def changed_variable(argument: Expr) -> Expr:
    """Return the variable behind the conversions of an argument that is changed."""
    while isinstance(argument, Resize) or (isinstance(argument, Unary) and argument.op == "known"):
        argument = argument.value
    return argument


def index_word(f: FunctionCode, expression: Expr, signed: bool) -> Operand:
    """Return an index as a word; one that is unknown or does not fit is so great that no element has it."""
    from weft.engines.event.code_expressions import value

    w = f.w
    found = value(f, expression)
    bad = ops.any_unknown(w, found)
    word = w.resize(found.bits, found.width, 64, signed)
    if found.width > 64:
        back = w.resize(word, 64, found.width, signed)
        bad = w.or_(1, bad, w.compare("ne", found.width, back, found.bits))
    return w.select(64, bad, mask(64), word)


def key_word(f: FunctionCode, layout: ContainerLayout, expression: Expr, new: bool = False) -> tuple[Operand, Operand]:
    """Return a key as it is kept, and whether there can be no element with it: it is unknown, or does not fit.

    With `new`, for an element that is to be made, what does not fit is an error.
    """
    from weft.engines.event.code_expressions import value
    from weft.engines.event.code_host import stop_if

    w = f.w
    key = layout.type.key
    found = value(f, expression)
    unknown = ops.any_unknown(w, found)
    if key is None:
        word = w.resize(found.bits, found.width, 64)
        if found.width > 64:
            wide = w.nonzero(found.width, w.op("lshr", found.width, found.bits, 64))
            if new:
                stop_if(f, w.and_(1, wide, w.not_(1, unknown)), "$weft$wide")
            unknown = w.or_(1, unknown, wide)
        return word, unknown
    found = ops.resize(w, found, 64 if key.kind in WORDS else key.width, type_of(expression).signed)
    word = w.resize(found.bits, found.width, 64, key.signed)
    return (w.op("xor", 64, word, SIGN) if key.signed else word), unknown


def is_inside(f: FunctionCode, handle: Operand, index: Operand) -> Operand:
    """Return whether a container that is there has an element at an index."""
    count = f.w.load_word(f.w.pointer(handle), CONTAINER_COUNT)
    return f.w.compare("ult", 64, index, count)


def element_address(f: FunctionCode, layout: ContainerLayout, handle: Operand, index: Operand) -> Operand:
    """Return the address of an element that is there."""
    w = f.w
    first = w.load_word(w.pointer(handle), CONTAINER_FIRST)
    return w.op("add", 64, first, w.op("mul", 64, index, layout.step))


def choose_word(
    f: FunctionCode, condition: Operand, then: Callable[[], Operand], other: Callable[[], Operand]
) -> Operand:
    """Return one of two words, each computed only where it is wanted."""
    w = f.w
    slot = w.slot(64)
    yes, no, met = w.fresh("there"), w.fresh("missing"), w.fresh("met")
    w.branch(condition, yes, no)
    for label, way in ((yes, then), (no, other)):
        w.label(label)
        w.do(f"store i64 {way()}, ptr {slot}")
        w.jump(met)
    w.label(met)
    return w.emit(f"load i64, ptr {slot}")


def unless(f: FunctionCode, condition: Operand, way: Callable[[], Operand]) -> Operand:
    """Return 0 if a condition holds, else a word that is computed only then."""
    return way() if condition == 0 else choose_word(f, condition, lambda: 0, way)


def load_element(f: FunctionCode, element: ElementLayout, place: Operand) -> Value:
    """Load the element at an address."""
    w = f.w
    pointer = w.pointer(place)
    unknown: Operand = 0
    if element.four_state:
        unknown = w.load(w.address(pointer, plane_bytes(element.width)), element.width)
    return Value(element.width, w.load(pointer, element.width), unknown)


def store_element(f: FunctionCode, element: ElementLayout, pointer: str, new: Value) -> None:
    """Store an element behind a pointer, without what its type has no room for."""
    w = f.w
    new = ops.resize(w, new, element.width, element.type.signed)
    if not element.four_state:
        w.store(pointer, ops.one(w, new), element.width)
        return
    w.store(pointer, new.bits, element.width)
    w.store(w.address(pointer, plane_bytes(element.width)), new.unknown, element.width)


def store_at(f: FunctionCode, element: ElementLayout, place: Operand, new: Value) -> None:
    """Store an element at an address, unless that is 0."""
    w = f.w
    there, done = w.fresh("there"), w.fresh("stored")
    w.branch(w.compare("ne", 64, place, 0), there, done)
    w.label(there)
    store_element(f, element, w.pointer(place), new)
    w.label(done)


def load_at(f: FunctionCode, element: ElementLayout, place: Operand) -> Value:
    """Load the element at an address, or the default value if that is 0."""
    w = f.w
    kind = ir_type(element.width)
    slots = [w.slot(element.width)] + ([w.slot(element.width)] if element.four_state else [])
    there, met = w.fresh("there"), w.fresh("met")
    for slot, plane in zip(slots, (0, element.unknown), strict=False):
        w.do(f"store {kind} {plane}, ptr {slot}")
    w.branch(w.compare("ne", 64, place, 0), there, met)
    w.label(there)
    found = load_element(f, element, place)
    for slot, plane in zip(slots, (found.bits, found.unknown), strict=False):
        w.do(f"store {kind} {plane}, ptr {slot}")
    w.label(met)
    return Value(element.width, *(w.emit(f"load {kind}, ptr {slot}") for slot in slots))


def default_address(f: FunctionCode, element: ElementLayout) -> Operand:
    """Return the address of the default value of an element; 0 if that is zeros."""
    if not element.unknown:
        return 0
    w = f.w
    name = f"%{w.fresh('default')}"
    w.entry.append(f"  {name} = alloca [{element.step} x i8], align 8")
    store_element(f, element, name, Value(element.width, 0, element.unknown))
    return w.emit(f"ptrtoint ptr {name} to i64")


def handle_of(f: FunctionCode, container: Expr) -> Operand:
    """Return the handle of the container that an expression is."""
    from weft.engines.event.code_expressions import value

    return value(f, container).bits


def make_container(f: FunctionCode, layout: ContainerLayout, default: Operand = 0) -> str:
    """Write the creation of an empty container; return its handle."""
    if layout.is_map:
        return f.w.call("map_make", layout.mark, layout.step, default, "%S")
    return f.w.call("sequence_make", layout.mark, layout.step, layout.limit, "%S")


def writable(f: FunctionCode, layout: ContainerLayout, variable: Expr) -> Operand:
    """Return the container of a variable, which gets one if it has none yet."""
    from weft.engines.event.code_places import store_lvalue

    variable = changed_variable(variable)
    handle = handle_of(f, variable)

    def make() -> Operand:
        made = make_container(f, layout)
        store_lvalue(f, variable, Value(64, made))
        return made

    return choose_word(f, f.w.compare("ne", 64, handle, 0), lambda: handle, make)


def key_value(f: FunctionCode, layout: ContainerLayout, entry: Operand, width: int) -> Value:
    """Return the key of an entry as a value."""
    w = f.w
    signed = layout.type.key is not None and layout.type.key.signed
    word: Operand = w.load_word(w.pointer(entry))
    if signed:
        word = w.op("xor", 64, word, SIGN)
    return Value(width, w.resize(word, 64, width, signed))
