"""Write array methods that evaluate an expression for each element, and the methods that wait: mailboxes, semaphores.

`array.find with (...)` and its like become a loop that evaluates the expression with each element and its index in
variables; reductions add up as they go, all other methods collect the values and leave the choice to Python. A method
that can wait tries first; if that fails the thread waits in the object's list, and tries again when something changes.
"""

from __future__ import annotations

from weft.engines.event import operators as ops
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_host import host_value
from weft.engines.event.value_types import CONTAINERS, type_of
from weft.engines.event.writer import Value, ir_type
from weft.ir.design import Expr, Signal, Type
from weft.ir.expressions import Const, Element, Item, Iterate, Ref, Slice, SystemCall, Text

_INT = Type("int", 32, signed=True, four_state=False)
_REDUCTIONS = {
    "sum": ops.arithmetic("add"),
    "product": ops.arithmetic("mul"),
    "and": ops.bit_and,
    "or": ops.bit_or,
    "xor": ops.bit_xor,
}
_ORDERS = frozenset({"sort", "rsort", "reverse", "shuffle"})


def iterate(f: FunctionCode, node: Iterate) -> Value:
    """Write an array method with an expression for each element, and return its value."""
    if type_of(node.array).kind in CONTAINERS:
        return _iterate(f, node, node.array)
    # An array of fixed size becomes a queue, and an ordered one is written back.
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
    from weft.engines.event.code_places import store_lvalue

    w = f.w
    reduces = node.name in _REDUCTIONS
    keys = Ref(Signal("keys$", 64, Type("queue", 64, four_state=False, element=_key_type(node)), automatic=True))
    if not reduces and node.body is None:
        return _choose(f, node, array, None)
    if not reduces:
        store_lvalue(f, keys, Value(64, 0))
    size = value(f, SystemCall("array.size", (array,), 32, True))
    counter, kind = w.slot(64), ir_type(node.width)
    planes = [w.slot(node.width), w.slot(node.width)] if reduces else []
    w.do(f"store i64 0, ptr {counter}")
    if reduces:
        first = (1 << node.width) - 1 if node.name == "and" else int(node.name == "product")
        w.do(f"store {kind} {first}, ptr {planes[0]}")
        w.do(f"store {kind} 0, ptr {planes[1]}")
    head, body, done = w.fresh("each"), w.fresh("element"), w.fresh("all")
    w.label(head)
    number = w.emit(f"load i64, ptr {counter}")
    w.branch(w.compare("ult", 64, number, w.resize(size.bits, 32, 64)), body, done)
    w.label(body)
    position = Ref(Signal("position$", 64, Type("bit", 64, four_state=False), automatic=True, local=True))
    store_lvalue(f, position, Value(64, number))
    element = SystemCall("array.at", (array, position), node.item.bits, type=type_of(array).element)
    store_lvalue(f, Ref(node.item), value(f, element))
    key = type_of(array).key if type_of(array).kind == "assoc" else None
    where = SystemCall("array.key_at", (array, position), node.index.bits, type=key or _INT)
    store_lvalue(f, Ref(node.index), value(f, where))
    if reduces:
        found = value(f, node.body if node.body is not None else Ref(node.item))
        found = ops.resize(w, found, node.width, node.signed)
        old = Value(node.width, *(w.emit(f"load {kind}, ptr {plane}") for plane in planes))
        new = _reduce(f, node, old, found)
        w.do(f"store {kind} {new.bits}, ptr {planes[0]}")
        w.do(f"store {kind} {new.unknown}, ptr {planes[1]}")
    else:
        assert node.body is not None
        value(f, SystemCall("array.push_back", (keys, node.body), 0, types=(keys.signal.type,)))
    w.do(f"store i64 {w.op('add', 64, w.emit(f'load i64, ptr {counter}'), 1)}, ptr {counter}")
    w.jump(head)
    w.label(done)
    if reduces:
        return Value(node.width, *(w.emit(f"load {kind}, ptr {plane}") for plane in planes))
    return _choose(f, node, array, keys)


def _reduce(f: FunctionCode, node: Iterate, old: Value, new: Value) -> Value:
    w = f.w
    if node.type.kind in ("real", "shortreal"):
        doubles = [w.emit(f"bitcast i64 {v.bits} to double") for v in (old, new)]
        name = "fadd" if node.name == "sum" else "fmul"
        return Value(64, w.emit(f"bitcast double {w.emit(f'{name} double {doubles[0]}, {doubles[1]}')} to i64"))
    return _REDUCTIONS[node.name](w, old, new)


def _key_type(node: Iterate) -> Type:
    if node.body is None:
        return _INT
    found = type_of(node.body)
    return found if found.width else Type("logic", node.body.width, node.signed)


def _choose(f: FunctionCode, node: Iterate, array: Expr, keys: Ref | None) -> Value:
    """Leave to Python which elements a method returns, or in what order they are."""
    name = f"array.{node.name}_by"
    args: tuple[Expr, ...] = (array,) if keys is None else (array, keys)
    signed = node.signed or (node.body is None and node.item.signed)
    if node.name in _ORDERS:
        call = SystemCall(name, (*args, Text("signed" if signed else "")), 0)
        host_value(f, name, call.args, 0, call)
        return Value(0, 0)
    call = SystemCall(name, (*args, Text("signed" if signed else "")), node.width, type=node.type)
    return host_value(f, name, call.args, node.width, call)


# ------------------------------------------------------------------------------------------- waiting


def wait_on_object(f: FunctionCode, call: SystemCall) -> None:
    """Write a method that waits until it can be done."""
    from weft.engines.event.code_boxes import waiters_of
    from weft.engines.event.code_expressions import value

    w = f.w
    if not f.thread:
        raise f.unsupported(f"'{call.name}' in a function", call.span)
    kind, _, method = call.name.partition(".")
    attempt = SystemCall(f"{kind}.attempt_{method}", call.args, 32, True, call.span, types=call.types)
    head, wait, done = w.fresh("attempt"), w.fresh("wait"), w.fresh("done")
    w.label(head)
    result = value(f, attempt)
    w.branch(w.compare("ne", 32, result.bits, 0), done, wait)
    w.label(wait)
    if kind == "process":
        lists = SystemCall(f"process.waiters_{method}", call.args[:1], 64, span=call.span, type=Type("chandle", 64))
        waiters = value(f, lists).bits
    else:
        waiters = waiters_of(f, call)
    w.call("append", waiters, "%node")
    f.suspend()
    w.jump(head)
    w.label(done)


WAITING = ("mailbox.put", "mailbox.get", "mailbox.peek", "semaphore.get", "process.await", "process.suspend")
