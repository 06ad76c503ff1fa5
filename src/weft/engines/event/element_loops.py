"""Write loops over the elements of a container or array, for methods that look at all of them (IEEE 1800-2023 7.12)."""

from __future__ import annotations

from collections.abc import Callable

from weft.engines.event.code_function import FunctionCode
from weft.engines.event.value_types import type_of
from weft.engines.event.writer import Operand, Value
from weft.ir.design import Expr, Signal, Type
from weft.ir.expressions import Iterate, Ref, SystemCall

_INT = Type("int", 32, signed=True, four_state=False)


def element_count(f: FunctionCode, array: Expr) -> Operand:
    """Return the number of elements as a word."""
    from weft.engines.event.code_expressions import value

    size = value(f, SystemCall("array.size", (array,), 32, True))
    return f.w.resize(size.bits, 32, 64)


def count_up(f: FunctionCode, size: Operand, body: Callable[[str, str], None]) -> None:
    """Write a loop of `size` rounds; `body` is given the number of the round and the label behind the loop."""
    w = f.w
    counter = w.slot(64)
    w.do(f"store i64 0, ptr {counter}")
    head, inside, done = w.fresh("each"), w.fresh("element"), w.fresh("all")
    w.label(head)
    number = w.emit(f"load i64, ptr {counter}")
    w.branch(w.compare("ult", 64, number, size), inside, done)
    w.label(inside)
    body(number, done)
    w.do(f"store i64 {w.op('add', 64, w.emit(f'load i64, ptr {counter}'), 1)}, ptr {counter}")
    w.jump(head)
    w.label(done)


def set_iterator(f: FunctionCode, node: Iterate, array: Expr, number: Operand) -> None:
    """Store an element, found by its number, and its index into the variables of the method."""
    from weft.engines.event.code_expressions import value
    from weft.engines.event.code_places import store_lvalue

    position = Ref(Signal("position$", 64, Type("bit", 64, four_state=False), automatic=True, local=True))
    store_lvalue(f, position, Value(64, number))
    element = SystemCall("array.at", (array, position), node.item.bits, type=type_of(array).element)
    store_lvalue(f, Ref(node.item), value(f, element))
    key = type_of(array).key if type_of(array).kind == "assoc" else None
    where = SystemCall("array.key_at", (array, position), node.index.bits, type=key or _INT)
    store_lvalue(f, Ref(node.index), value(f, where))


def each_element(f: FunctionCode, node: Iterate, array: Expr, body: Callable[[str], None]) -> None:
    """Write the loop that sets the iterator and its index; `body` is given the label behind the loop."""

    def look(number: str, done: str) -> None:
        set_iterator(f, node, array, number)
        body(done)

    count_up(f, element_count(f, array), look)


def empty_container(f: FunctionCode, name: str, kind: Type) -> Ref:
    """Return a new variable that holds an empty container."""
    from weft.engines.event.code_places import store_lvalue

    made = Ref(Signal(name, 64, kind, automatic=True))
    store_lvalue(f, made, Value(64, 0))
    return made


def append_value(f: FunctionCode, queue: Ref, new: Expr) -> None:
    """Put a value behind the others of a queue."""
    from weft.engines.event.code_expressions import value

    value(f, SystemCall("array.push_back", (queue, new), 0, types=(queue.signal.type, None)))
