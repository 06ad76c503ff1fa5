"""Write array methods that evaluate an expression for each element (IEEE 1800-2023 7.12).

`array.find with (...)` and its like become a loop that evaluates the expression with each element and its index in
variables; `find`, `map` and reductions need no more. Those that compare elements collect what is compared for kernels
(`code_orders`).
"""

from __future__ import annotations

from weft.engines.event import operators as ops
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_orders import order
from weft.engines.event.element_loops import append_value, each_element, empty_container
from weft.engines.event.value_types import CONTAINERS, type_of
from weft.engines.event.writer import Value, ir_type
from weft.ir.design import Expr, Signal, Type
from weft.ir.expressions import Const, Element, Item, Iterate, Ref, Slice, SystemCall

_REDUCTIONS = {
    "sum": ops.arithmetic("add"),
    "product": ops.arithmetic("mul"),
    "and": ops.bit_and,
    "or": ops.bit_or,
    "xor": ops.bit_xor,
}
_REARRANGING = frozenset({"reverse", "shuffle"})
_ORDERS = frozenset({"sort", "rsort"}) | _REARRANGING


def iterate(f: FunctionCode, node: Iterate) -> Value:
    """Write an array method with an expression for each element, and return its value."""
    if type_of(node.array).kind in CONTAINERS:
        return _iterate(f, node, node.array)
    # An array of fixed size becomes a queue, and one whose elements change their order is written back.
    element = Signal("element$", node.item.bits, node.item.type)
    kind = Type("queue", 64, four_state=False, element=element.type)
    holder = Ref(Signal("array$", 64, kind, automatic=True, local=True))
    parts = _elements(node)
    from weft.engines.event.code_expressions import value
    from weft.engines.event.code_places import store_lvalue

    made = value(f, SystemCall("array.literal", tuple(parts), 64, type=kind))
    store_lvalue(f, holder, made)
    result = _iterate(f, node, holder)
    if node.name in _ORDERS:
        for i, part in enumerate(parts):
            item = Item(holder, Const(32, i), part.width, True)
            store_lvalue(f, part, value(f, item))
    return result


def _elements(node: Iterate) -> list[Expr]:
    width = node.item.bits
    count = node.array.width // width if width else 0
    array = node.array
    if isinstance(array, Ref) and array.signal.depth and array.signal.width == width:
        return [Element(array.signal, Const(32, i), array.path) for i in range(count)]
    return [Slice(array, i * width, width) for i in range(count)]


def _iterate(f: FunctionCode, node: Iterate, array: Expr) -> Value:
    from weft.engines.event.code_expressions import value

    if node.name in _REARRANGING:
        return value(f, SystemCall(f"array.{node.name}", (array,), 0, types=(type_of(array),)))
    if node.name in _REDUCTIONS:
        return _total(f, node, array)
    if node.body is not None and node.name.startswith("find"):
        return _find(f, node, array, node.body)
    if node.body is not None and node.name == "map":
        return _map(f, node, array, node.body)
    return order(f, node, array)


def _total(f: FunctionCode, node: Iterate, array: Expr) -> Value:
    """Write a reduction, which adds up as it goes (7.12.3)."""
    from weft.engines.event.code_expressions import value

    w = f.w
    kind = ir_type(node.width)
    planes = [w.slot(node.width), w.slot(node.width)]
    first = (1 << node.width) - 1 if node.name == "and" else int(node.name == "product")
    w.do(f"store {kind} {first}, ptr {planes[0]}")
    w.do(f"store {kind} 0, ptr {planes[1]}")

    def add(done: str) -> None:
        found = value(f, node.body if node.body is not None else Ref(node.item))
        found = ops.resize(w, found, node.width, node.signed)
        old = Value(node.width, *(w.emit(f"load {kind}, ptr {plane}") for plane in planes))
        new = _reduce(f, node, old, found)
        w.do(f"store {kind} {new.bits}, ptr {planes[0]}")
        w.do(f"store {kind} {new.unknown}, ptr {planes[1]}")

    each_element(f, node, array, add)
    return Value(node.width, *(w.emit(f"load {kind}, ptr {plane}") for plane in planes))


def _find(f: FunctionCode, node: Iterate, array: Expr, test: Expr) -> Value:
    """Write `find` and its like: a queue of the elements, or their indices, for which a condition holds (7.12.1)."""
    from weft.engines.event.code_expressions import condition, value

    w = f.w
    found = empty_container(f, "found$", node.type)
    wanted = Ref(node.index if node.name.endswith("index") else node.item)

    def look(done: str) -> None:
        taken, other = w.fresh("taken"), w.fresh("other")
        w.branch(condition(f, test), taken, other)
        w.label(taken)
        if "last" in node.name:
            value(f, SystemCall("array.delete", (found,), 0, types=(node.type,)))
        append_value(f, found, wanted)
        if "first" in node.name:
            w.jump(done)
        w.label(other)

    each_element(f, node, array, look)
    return value(f, found)


def _map(f: FunctionCode, node: Iterate, array: Expr, body: Expr) -> Value:
    """Write `map`: a queue of what an expression is for each element (7.12.5)."""
    from weft.engines.event.code_expressions import value

    found = empty_container(f, "found$", node.type)
    each_element(f, node, array, lambda done: append_value(f, found, body))
    return value(f, found)


def _reduce(f: FunctionCode, node: Iterate, old: Value, new: Value) -> Value:
    w = f.w
    if node.type.kind in ("real", "shortreal"):
        doubles = [w.emit(f"bitcast i64 {v.bits} to double") for v in (old, new)]
        name = "fadd" if node.name == "sum" else "fmul"
        return Value(64, w.emit(f"bitcast double {w.emit(f'{name} double {doubles[0]}, {doubles[1]}')} to i64"))
    return _REDUCTIONS[node.name](w, old, new)
