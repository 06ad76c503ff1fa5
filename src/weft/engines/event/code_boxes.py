"""Write the methods of mailboxes and semaphores (`box_kernels`): IEEE 1800-2023 15.3, 15.4.

A message is a vector, a real, a text, or another handle; taken into a variable of another kind it is an error, of which
`try_get` and `try_peek` return -1. Methods that wait are a try and a wait list (`code_objects`).
"""

from __future__ import annotations

from collections.abc import Callable

from weft.engines.event import operators as ops
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_host import argument_shape, host_task
from weft.engines.event.container_places import changed_variable, choose_word, handle_of
from weft.engines.event.records import BOX_GIVERS, BOX_TAKERS, CONTAINER_COUNT
from weft.engines.event.writer import Operand, Value, mask
from weft.ir.design import Expr, Type
from weft.ir.expressions import SystemCall

_KINDS = {"bits": 0, "string": 1, "text": 1, "real": 2, "handle": 3}


def box_call(f: FunctionCode, call: SystemCall) -> Value:
    """Write a method of a mailbox or semaphore, or what makes one."""
    return _METHODS[call.name](f, call)


def waiters_of(f: FunctionCode, call: SystemCall) -> Operand:
    """Return the wait list of a method that could not be done at once."""
    offset = BOX_GIVERS if call.name == "mailbox.put" else BOX_TAKERS
    return f.w.op("add", 64, handle_of(f, call.args[0]), offset)


def _box(f: FunctionCode, call: SystemCall) -> Operand:
    """Return a mailbox or semaphore, behind the check that there is one."""
    w = f.w
    handle = handle_of(f, call.args[0])
    null, fine = w.fresh("null"), w.fresh("box")
    w.branch(w.compare("eq", 64, handle, 0), null, fine)
    w.label(null)
    _fail(f, call, f"$weft$null_{call.name.partition('.')[0]}")
    w.label(fine)
    return handle


def _fail(f: FunctionCode, call: SystemCall, name: str) -> None:
    outer, f.span = f.span, call.span
    host_task(f, name, (), ())
    f.span = outer
    f.w.jump(f.stop_block())


def _number(f: FunctionCode, call: SystemCall, argument: int, default: int) -> Operand:
    """Return an argument as a signed word; 0 if it is unknown."""
    from weft.engines.event.code_expressions import value

    if len(call.args) <= argument:
        return default
    w = f.w
    found = value(f, call.args[argument])
    signed = argument < len(call.signs) and call.signs[argument]
    return w.select(64, ops.any_unknown(w, found), 0, w.resize(found.bits, found.width, 64, signed))


def _message(call: SystemCall) -> tuple[Expr, int, int]:
    """Return a message or its target, the number of its kind, and the words of one of its planes."""
    argument = changed_variable(call.args[1]) if "get" in call.name or "peek" in call.name else call.args[1]
    described: Type | None = call.types[1] if len(call.types) > 1 else None
    shape = argument_shape(call.name, 1, argument, False, False, described)
    return argument, _KINDS[shape.kind], max((shape.width + 63) // 64, 1)


def _buffer(f: FunctionCode, words: int) -> tuple[str, str]:
    """Return room for two planes, as a pointer and as a word."""
    name = f"%{f.w.fresh('message')}"
    f.w.entry.append(f"  {name} = alloca [{2 * words} x i64], align 8")
    return name, f.w.emit(f"ptrtoint ptr {name} to i64")


def _put(f: FunctionCode, call: SystemCall) -> Value:
    from weft.engines.event.code_expressions import value

    w = f.w
    message, kind, words = _message(call)
    new = value(f, message)
    box = _box(f, call)
    pointer, address = _buffer(f, words)
    w.store_planes(pointer, new)
    return Value(32, w.resize(w.call("box_put", box, kind, words, address, "%S"), 64, 32))


def _take(remove: bool) -> Callable[[FunctionCode, SystemCall], Value]:
    def take(f: FunctionCode, call: SystemCall) -> Value:
        from weft.engines.event.code_places import store_lvalue

        w = f.w
        target, kind, words = _message(call)
        box = _box(f, call)
        pointer, address = _buffer(f, words)
        result = w.call("box_take", box, kind, words, address, int(remove), "%S")
        taken, other, done = w.fresh("taken"), w.fresh("other"), w.fresh("tried")
        w.branch(w.compare("eq", 64, result, 1), taken, other)
        w.label(taken)
        store_lvalue(f, target, w.load_planes(pointer, target.width))
        if kind in (_KINDS["string"], _KINDS["handle"]):
            f.unit.notify_container(f, target)
        w.jump(done)
        w.label(other)
        if not call.name.startswith("mailbox.try"):
            wrong = w.fresh("wrong")
            w.branch(w.compare("eq", 64, result, 2), wrong, done)
            w.label(wrong)
            _fail(f, call, "$weft$mailbox_type")
        w.label(done)
        number = choose_word(f, w.compare("eq", 64, result, 2), lambda: mask(64), lambda: result)
        return Value(32, w.resize(number, 64, 32))

    return take


def _new_mailbox(f: FunctionCode, call: SystemCall) -> Value:
    return Value(64, f.w.call("box_make", _number(f, call, 0, 0), "%S"))


def _new_semaphore(f: FunctionCode, call: SystemCall) -> Value:
    keys = _number(f, call, 0, 0)
    made = f.w.call("box_make", 0, "%S")
    f.w.store_word(f.w.pointer(made), CONTAINER_COUNT, keys)
    return Value(64, made)


def _count(f: FunctionCode, call: SystemCall) -> Value:
    w = f.w
    return Value(call.width, w.resize(w.load_word(w.pointer(_box(f, call)), CONTAINER_COUNT), 64, call.width))


def _put_keys(f: FunctionCode, call: SystemCall) -> Value:
    keys = _number(f, call, 1, 1)
    f.w.call("keys_put", _box(f, call), keys, "%S")
    return Value(0, 0)


def _take_keys(f: FunctionCode, call: SystemCall) -> Value:
    keys = _number(f, call, 1, 1)
    return Value(32, f.w.resize(f.w.call("keys_take", _box(f, call), keys), 64, 32))


_METHODS: dict[str, Callable[[FunctionCode, SystemCall], Value]] = {
    "mailbox.new": _new_mailbox,
    "mailbox.try_put": _put,
    "mailbox.attempt_put": _put,
    "mailbox.try_get": _take(True),
    "mailbox.attempt_get": _take(True),
    "mailbox.try_peek": _take(False),
    "mailbox.attempt_peek": _take(False),
    "mailbox.num": _count,
    "semaphore.new": _new_semaphore,
    "semaphore.put": _put_keys,
    "semaphore.try_get": _take_keys,
    "semaphore.attempt_get": _take_keys,
}
