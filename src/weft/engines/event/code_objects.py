"""Write array methods that evaluate an expression for each element, and the methods that wait: mailboxes, semaphores.

`array.find with (...)` and its like become a loop that evaluates the expression with each element and its index in
variables; `find` and reductions need no more, all others collect the values and leave the choice to Python. A method
that can wait tries first; if that fails the thread waits in the object's list, and tries again when something changes.
"""

from __future__ import annotations

from collections.abc import Callable

from weft.engines.event import operators as ops
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_host import host_value
from weft.engines.event.value_types import CONTAINERS, REALS, type_of
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
    if node.name in _REDUCTIONS:
        return _total(f, node, array)
    if node.body is None:
        return _choose(f, node, array, None)
    if node.name.startswith("find") and type_of(node.body).kind not in REALS:
        return _find(f, node, array, node.body)
    return _choose(f, node, array, _keys(f, node, array, node.body))


def _each(f: FunctionCode, node: Iterate, array: Expr, body: Callable[[str], None]) -> None:
    """Write the loop that sets the iterator and its index; `body` is given the label behind the loop."""
    from weft.engines.event.code_expressions import value
    from weft.engines.event.code_places import store_lvalue

    w = f.w
    size = value(f, SystemCall("array.size", (array,), 32, True))
    counter = w.slot(64)
    w.do(f"store i64 0, ptr {counter}")
    head, inside, done = w.fresh("each"), w.fresh("element"), w.fresh("all")
    w.label(head)
    number = w.emit(f"load i64, ptr {counter}")
    w.branch(w.compare("ult", 64, number, w.resize(size.bits, 32, 64)), inside, done)
    w.label(inside)
    position = Ref(Signal("position$", 64, Type("bit", 64, four_state=False), automatic=True, local=True))
    store_lvalue(f, position, Value(64, number))
    element = SystemCall("array.at", (array, position), node.item.bits, type=type_of(array).element)
    store_lvalue(f, Ref(node.item), value(f, element))
    key = type_of(array).key if type_of(array).kind == "assoc" else None
    where = SystemCall("array.key_at", (array, position), node.index.bits, type=key or _INT)
    store_lvalue(f, Ref(node.index), value(f, where))
    body(done)
    w.do(f"store i64 {w.op('add', 64, w.emit(f'load i64, ptr {counter}'), 1)}, ptr {counter}")
    w.jump(head)
    w.label(done)


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

    _each(f, node, array, add)
    return Value(node.width, *(w.emit(f"load {kind}, ptr {plane}") for plane in planes))


def _find(f: FunctionCode, node: Iterate, array: Expr, test: Expr) -> Value:
    """Write `find` and its like: a queue of the elements, or their indices, for which a condition holds (7.12.1)."""
    from weft.engines.event.code_expressions import condition, value

    w = f.w
    found = _variable(f, "found$", node.type)
    wanted = Ref(node.index if node.name.endswith("index") else node.item)

    def look(done: str) -> None:
        taken, other = w.fresh("taken"), w.fresh("other")
        w.branch(condition(f, test), taken, other)
        w.label(taken)
        if "last" in node.name:
            value(f, SystemCall("array.delete", (found,), 0, types=(node.type,)))
        value(f, SystemCall("array.push_back", (found, wanted), 0, types=(node.type, None)))
        if "first" in node.name:
            w.jump(done)
        w.label(other)

    _each(f, node, array, look)
    return value(f, found)


def _keys(f: FunctionCode, node: Iterate, array: Expr, body: Expr) -> Ref:
    """Write the queue of what an expression is for each element, by which Python chooses."""
    from weft.engines.event.code_expressions import value

    kind = type_of(body)
    element = kind if kind.width else Type("logic", body.width, node.signed)
    keys = _variable(f, "keys$", Type("queue", 64, four_state=False, element=element))
    push = SystemCall("array.push_back", (keys, body), 0, types=(keys.signal.type, None))

    def collect(done: str) -> None:
        value(f, push)

    _each(f, node, array, collect)
    return keys


def _variable(f: FunctionCode, name: str, kind: Type) -> Ref:
    """Return a new variable that holds an empty container."""
    from weft.engines.event.code_places import store_lvalue

    made = Ref(Signal(name, 64, kind, automatic=True))
    store_lvalue(f, made, Value(64, 0))
    return made


def _reduce(f: FunctionCode, node: Iterate, old: Value, new: Value) -> Value:
    w = f.w
    if node.type.kind in ("real", "shortreal"):
        doubles = [w.emit(f"bitcast i64 {v.bits} to double") for v in (old, new)]
        name = "fadd" if node.name == "sum" else "fmul"
        return Value(64, w.emit(f"bitcast double {w.emit(f'{name} double {doubles[0]}, {doubles[1]}')} to i64"))
    return _REDUCTIONS[node.name](w, old, new)


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
