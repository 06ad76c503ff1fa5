"""Write operations on containers that lie in memory (`container_layout`): IEEE 1800-2023 7.4 to 7.10.

A read of an element is written in place, behind a comparison with the number of elements; what makes, moves or finds
one is a call of a kernel (`container_kernels`, `assoc_kernels`), which returns the element's address. What is left to
Python looks at all elements (`sim.event_container_calls`), or is done on associative arrays that Python keeps.

Arguments are evaluated before the container's variable is read, since a function in them may change it.
"""

from __future__ import annotations

from collections.abc import Callable

from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_new_containers import MAKES, new_container
from weft.engines.event.code_streams import pack, unpack
from weft.engines.event.container_layout import LEAST_ADDRESS, ContainerLayout, in_memory
from weft.engines.event.container_places import (
    changed_variable,
    choose_word,
    element_address,
    handle_of,
    index_word,
    is_inside,
    key_value,
    key_word,
    layout_in_memory,
    load_at,
    store_at,
    unless,
    writable,
)
from weft.engines.event.records import CONTAINER_COUNT
from weft.engines.event.value_types import CONTAINERS, REALS, type_of
from weft.engines.event.writer import Operand, Value, plane_bytes
from weft.ir.design import Expr
from weft.ir.expressions import Item, SystemCall


def read_item(f: FunctionCode, item: Item) -> Value | None:
    """Write the read of an element; return None if Python keeps the container."""
    layout = layout_in_memory(f, item.container, item.type)
    if layout is None:
        return None
    return _read(f, layout, item.container, item.index, item.signed)


def write_item(f: FunctionCode, item: Item, new: Value) -> bool:
    """Write the assignment of an element; return whether the container is one in memory."""
    layout = layout_in_memory(f, item.container, item.type)
    if layout is None:
        return False
    w = f.w
    place: Operand
    if layout.is_map:
        key, unknown = key_word(f, layout, item.index, new=True)
        handle = writable(f, layout, item.container)
        place = unless(f, unknown, lambda: w.call("map_put", handle, key, "%S"))
    else:
        index = index_word(f, item.index, item.signed)
        handle = writable(f, layout, item.container)
        inside = is_inside(f, handle, index)
        place = choose_word(
            f,
            inside,
            lambda: element_address(f, layout, handle, index),
            lambda: w.call("sequence_extend", handle, index, "%S") if layout.type.kind == "queue" else 0,
        )
    store_at(f, layout.element, place, new)
    return True


def container_call(f: FunctionCode, call: SystemCall) -> Value | None:
    """Write an operation on containers; return None if it is left to Python."""
    name = call.name.removeprefix("array.")
    if name == "size":
        return _size(f, call)
    if call.name in MAKES:
        return new_container(f, call)
    if name == "equal":
        return _equal(f, call)
    if name == "unpack":
        made = layout_in_memory(f, call, call.type)
        return None if made is None else unpack(f, made, call)
    changes = _METHODS.get(name)
    if changes is None:
        return None
    layout = layout_in_memory(f, call.args[0], call.types[0] if call.types else None)
    return changes(f, layout, call) if layout is not None else None


def _read(f: FunctionCode, layout: ContainerLayout, container: Expr, index: Expr, signed: bool) -> Value:
    w = f.w
    place: Operand
    if layout.is_map:
        key, unknown = key_word(f, layout, index)
        handle = handle_of(f, container)
        # An unknown key reads what is not there, which may be a value of the array's own (7.9.11).
        place = choose_word(f, unknown, lambda: w.call("map_other", handle), lambda: w.call("map_read", handle, key))
    else:
        at = index_word(f, index, signed)
        handle = handle_of(f, container)
        inside = choose_word(
            f,
            w.compare("ne", 64, handle, 0),
            lambda: w.resize(is_inside(f, handle, at), 1, 64),
            lambda: 0,
        )
        place = choose_word(
            f, w.compare("ne", 64, inside, 0), lambda: element_address(f, layout, handle, at), lambda: 0
        )
    return load_at(f, layout.element, place)


# ------------------------------------------------------------------------------------------- methods


def _signed(call: SystemCall, argument: int) -> bool:
    return argument < len(call.signs) and call.signs[argument]


def _size(f: FunctionCode, call: SystemCall) -> Value | None:
    from weft.engines.event.code_host import host_value

    w = f.w
    (container,) = call.args
    kind = type_of(container)
    if kind.kind in CONTAINERS and kind.element is not None and not in_memory(kind):
        return None
    handle = handle_of(f, container)

    def count() -> Operand:
        return w.load_word(w.pointer(handle), CONTAINER_COUNT)

    def other() -> Operand:
        if in_memory(kind):
            return 0
        # Who keeps the container is known by its handle only.
        asked = host_value(f, call.name, (container,), 32, call)
        return w.resize(asked.bits, 32, 64)

    found = choose_word(f, w.compare("uge", 64, handle, LEAST_ADDRESS), count, other)
    return Value(call.width, w.resize(found, 64, call.width))


def _equal(f: FunctionCode, call: SystemCall) -> Value | None:
    """Write the comparison of dynamic arrays and queues of vectors, or of handles and texts, which have one handle."""
    w = f.w
    left, right = (layout_in_memory(f, argument, None) for argument in call.args)
    if left is None or right is None or left.is_map or right.is_map:
        return None
    element, other = left.element, right.element
    if element.word and (element.type.kind in REALS or element.type.kind in CONTAINERS):
        return None
    if (element.word, element.width, element.four_state) != (other.word, other.width, other.four_state):
        return None
    plane = plane_bytes(element.width) if element.four_state else 0
    handles = [handle_of(f, argument) for argument in call.args]
    result = w.call("sequence_equal", *handles, plane)
    is_open = w.compare("eq", 64, result, 2) if element.four_state else 0
    return Value(1, w.compare("eq", 64, result, 1), is_open)


def _changed(f: FunctionCode, call: SystemCall) -> None:
    f.unit.notify_container(f, changed_variable(call.args[0]))


def _push(kernel: str) -> Callable[[FunctionCode, ContainerLayout, SystemCall], Value]:
    def push(f: FunctionCode, layout: ContainerLayout, call: SystemCall) -> Value:
        from weft.engines.event.code_expressions import value

        new = value(f, call.args[1])
        handle = writable(f, layout, call.args[0])
        store_at(f, layout.element, f.w.call(kernel, handle, "%S"), new)
        _changed(f, call)
        return Value(0, 0)

    return push


def _pop(kernel: str) -> Callable[[FunctionCode, ContainerLayout, SystemCall], Value]:
    def pop(f: FunctionCode, layout: ContainerLayout, call: SystemCall) -> Value:
        place = f.w.call(kernel, handle_of(f, changed_variable(call.args[0])))
        found = load_at(f, layout.element, place)
        _changed(f, call)
        return found

    return pop


def _insert(f: FunctionCode, layout: ContainerLayout, call: SystemCall) -> Value:
    from weft.engines.event.code_expressions import value

    index = index_word(f, call.args[1], _signed(call, 1))
    new = value(f, call.args[2])
    handle = writable(f, layout, call.args[0])
    store_at(f, layout.element, f.w.call("sequence_insert", handle, index, "%S"), new)
    _changed(f, call)
    return Value(0, 0)


def _delete(f: FunctionCode, layout: ContainerLayout, call: SystemCall) -> Value:
    w = f.w
    if not call.args[1:]:
        w.call("container_clear", handle_of(f, changed_variable(call.args[0])), "%S")
    elif layout.is_map:
        key, unknown = key_word(f, layout, call.args[1])
        handle = handle_of(f, changed_variable(call.args[0]))
        unless(f, unknown, lambda: w.call("map_delete", handle, key, "%S"))
    else:
        index = index_word(f, call.args[1], _signed(call, 1))
        w.call("sequence_delete", handle_of(f, changed_variable(call.args[0])), index)
    _changed(f, call)
    return Value(0, 0)


def _rearrange(kernel: str, *more: str) -> Callable[[FunctionCode, ContainerLayout, SystemCall], Value | None]:
    def rearrange(f: FunctionCode, layout: ContainerLayout, call: SystemCall) -> Value | None:
        if layout.is_map:
            return None
        f.w.call(kernel, handle_of(f, changed_variable(call.args[0])), *more)
        _changed(f, call)
        return Value(0, 0)

    return rearrange


def _exists(f: FunctionCode, layout: ContainerLayout, call: SystemCall) -> Value | None:
    w = f.w
    if not layout.is_map:
        return None
    key, unknown = key_word(f, layout, call.args[1])
    handle = handle_of(f, call.args[0])
    found = unless(f, unknown, lambda: w.call("map_find", handle, key))
    return Value(call.width, w.resize(w.compare("ne", 64, found, 0), 1, call.width))


def _walk(kernel: str, relative: bool) -> Callable[[FunctionCode, ContainerLayout, SystemCall], Value | None]:
    def walk(f: FunctionCode, layout: ContainerLayout, call: SystemCall) -> Value | None:
        """Write `first`, `next` and their like: 1 and the key written, or 0 if there is none."""
        from weft.engines.event.code_places import store_lvalue

        w = f.w
        if not layout.is_map:
            return None
        variable = changed_variable(call.args[1])
        entry: Operand
        if relative:
            key, unknown = key_word(f, layout, call.args[1])
            handle = handle_of(f, call.args[0])
            entry = unless(f, unknown, lambda: w.call(kernel, handle, key))
        else:
            entry = w.call(kernel, handle_of(f, call.args[0]))
        there, done = w.fresh("there"), w.fresh("walked")
        found = w.compare("ne", 64, entry, 0)
        w.branch(found, there, done)
        w.label(there)
        store_lvalue(f, variable, key_value(f, layout, entry, variable.width))
        w.label(done)
        return Value(call.width, w.resize(found, 1, call.width))

    return walk


def _at(f: FunctionCode, layout: ContainerLayout, call: SystemCall) -> Value:
    """Write the element of a number."""
    w = f.w
    if not layout.is_map:
        return _read(f, layout, call.args[0], call.args[1], False)
    rank = index_word(f, call.args[1], False)
    entry = w.call("map_entry", handle_of(f, call.args[0]), rank)
    place = choose_word(f, w.compare("ne", 64, entry, 0), lambda: w.op("add", 64, entry, 8), lambda: 0)
    return load_at(f, layout.element, place)


def _key_at(f: FunctionCode, layout: ContainerLayout, call: SystemCall) -> Value:
    """Write the index of the element of a number."""
    w = f.w
    rank = index_word(f, call.args[1], False)
    if not layout.is_map:
        return Value(call.width, w.resize(rank, 64, call.width))
    entry = w.call("map_entry", handle_of(f, call.args[0]), rank)
    there = w.compare("ne", 64, entry, 0)
    key = choose_word(f, there, lambda: key_value(f, layout, entry, 64).bits, lambda: 0)
    return Value(call.width, w.resize(key, 64, call.width))


_METHODS: dict[str, Callable[[FunctionCode, ContainerLayout, SystemCall], Value | None]] = {
    "push_back": _push("sequence_back"),
    "push_front": _push("sequence_front"),
    "pop_back": _pop("sequence_pop_back"),
    "pop_front": _pop("sequence_pop_front"),
    "insert": _insert,
    "delete": _delete,
    "reverse": _rearrange("sequence_reverse"),
    "shuffle": _rearrange("sequence_shuffle", "%node"),
    "exists": _exists,
    "first": _walk("map_first", False),
    "last": _walk("map_last", False),
    "next": _walk("map_next", True),
    "prev": _walk("map_prev", True),
    "at": _at,
    "key_at": _key_at,
    "pack": pack,
}
