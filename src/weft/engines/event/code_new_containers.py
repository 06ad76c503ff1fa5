"""Write what makes containers in memory: `new`, literals, copies, joins, slices (IEEE 1800-2023 7.5, 7.9, 7.10, 10.10).

Elements are copied whole, so both containers must have them alike; Python does it where they are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weft.engines.event import operators as ops
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.container_layout import ContainerLayout, element_layout, in_memory
from weft.engines.event.container_places import (
    default_address,
    handle_of,
    key_word,
    make_container,
    store_at,
    store_element,
    unless,
)
from weft.engines.event.value_types import CONTAINERS, type_of
from weft.engines.event.writer import Operand, Value
from weft.ir.design import Expr, Type
from weft.ir.expressions import SystemCall


def new_container(f: FunctionCode, call: SystemCall) -> Value | None:
    """Write a call that makes a container; return None if it is left to Python."""
    if call.name == "array.copy" and call.type is None:
        # Of a member of a struct; it stays what it is.
        return Value(64, f.w.call("copy_one", handle_of(f, call.args[0]), "%S"))
    if not _makes(call):
        return None
    assert call.type is not None
    return MAKES[call.name](f, f.unit.program.containers.layout(call.type), call)


def _makes(call: SystemCall) -> bool:
    """Say whether a call makes a container in memory, of containers whose elements lie alike."""
    if not in_memory(call.type):
        return False
    made = call.type
    assert made is not None and made.element is not None
    if call.name not in ("array.copy", "array.join", "array.slice") and not (
        call.name == "array.new" and len(call.args) > 1
    ):
        return True
    sources = {"array.slice": call.args[:1], "array.new": call.args[1:]}.get(call.name, call.args)
    return all(_alike(made, type_of(source)) for source in sources)


def _alike(made: Type, source: Type) -> bool:
    """Say whether the elements of a container of one type lie as those of another one do."""
    if source.kind not in CONTAINERS or source.element is None or source == made:
        return True
    a, b = element_layout(made.element), element_layout(source.element)  # pyright: ignore[reportArgumentType]
    return (a.word, a.width, a.four_state) == (b.word, b.width, b.four_state) and (
        (made.kind == "assoc") == (source.kind == "assoc")
    )


def _copy(f: FunctionCode, layout: ContainerLayout, call: SystemCall) -> Value:
    (source,) = call.args
    return Value(64, f.w.call("container_copy", handle_of(f, source), layout.mark, layout.limit, "%S"))


def _new(f: FunctionCode, layout: ContainerLayout, call: SystemCall) -> Value:
    """Write `new[size]` or `new[size](source)`."""
    from weft.engines.event.code_expressions import value
    from weft.engines.event.code_host import stop_if

    w = f.w
    found = value(f, call.args[0])
    size = w.resize(found.bits, found.width, 64, bool(call.signs and call.signs[0]))
    size = w.select(64, ops.any_unknown(w, found), 0, size)
    source: Operand = handle_of(f, _copied(call.args[1])) if len(call.args) > 1 else 0
    made = make_container(f, layout)
    done = w.call("sequence_new", made, size, source, default_address(f, layout.element), "%S")
    stop_if(f, w.compare("eq", 64, done, 0), "$weft$memory")
    return Value(64, made)


def _copied(source: Expr) -> Expr:
    """Return what is copied by an expression that only makes a copy."""
    while isinstance(source, SystemCall) and source.name == "array.copy":
        (source,) = source.args
    return source


def _literal(f: FunctionCode, layout: ContainerLayout, call: SystemCall) -> Value:
    from weft.engines.event.code_expressions import value

    w = f.w
    if layout.is_map:
        return _map_literal(f, layout, call.args)
    values = [value(f, argument) for argument in call.args]
    kept = values[: layout.limit] if layout.limit else values
    made = make_container(f, layout)
    place = w.pointer(w.call("sequence_resize", made, len(kept), "%S"))
    for i, new in enumerate(kept):
        store_element(f, layout.element, w.address(place, i * layout.step), new)
    return Value(64, made)


def _map_literal(f: FunctionCode, layout: ContainerLayout, args: Sequence[Expr], default: Operand = 0) -> Value:
    from weft.engines.event.code_expressions import value

    w = f.w
    made = make_container(f, layout, default)
    for name, item in zip(args[::2], args[1::2], strict=True):
        key, unknown = key_word(f, layout, name, new=True)
        new = value(f, item)
        store_at(f, layout.element, unless(f, unknown, lambda key=key: w.call("map_put", made, key, "%S")), new)
    return Value(64, made)


def _literal_default(f: FunctionCode, layout: ContainerLayout, call: SystemCall) -> Value:
    from weft.engines.event.code_expressions import value

    w = f.w
    name = f"%{w.fresh('default')}"
    w.entry.append(f"  {name} = alloca [{layout.step} x i8], align 8")
    store_element(f, layout.element, name, value(f, call.args[0]))
    return _map_literal(f, layout, call.args[1:], w.emit(f"ptrtoint ptr {name} to i64"))


def _join(f: FunctionCode, layout: ContainerLayout, call: SystemCall) -> Value:
    handles = [handle_of(f, source) for source in call.args]
    made = make_container(f, layout)
    for handle in handles:
        f.w.call("sequence_join", made, handle, "%S")
    return Value(64, made)


def _slice(f: FunctionCode, layout: ContainerLayout, call: SystemCall) -> Value:
    from weft.engines.event.code_expressions import value

    w = f.w
    bounds = [value(f, bound) for bound in call.args[1:]]
    unknown = ops.any_unknown(w, *bounds)
    low, high = (w.resize(bound.bits, bound.width, 64, True) for bound in bounds)
    source = w.select(64, unknown, 0, handle_of(f, call.args[0]))
    made = make_container(f, layout)
    w.call("sequence_slice", made, source, low, high, "%S")
    return Value(64, made)


MAKES: dict[str, Callable[[FunctionCode, ContainerLayout, SystemCall], Value]] = {
    "array.copy": _copy,
    "array.new": _new,
    "array.literal": _literal,
    "array.literal_default": _literal_default,
    "array.join": _join,
    "array.slice": _slice,
}
"""What makes containers; the call's type is that of the container."""
