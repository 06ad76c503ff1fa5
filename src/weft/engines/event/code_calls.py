"""Write calls of functions, tasks and constructors (IEEE 1800-2023 clause 13).

A routine that cannot suspend is an LLVM function: input arguments are parameters, the result and output arguments come
back in a structure. A task that can suspend is a state machine of its own, which the calling thread enters: the caller
makes a frame, notes in it where to go on, points the thread at the task's code and returns 1, so that the scheduler
calls the thread again at once; the task does the same when it returns.
"""

from __future__ import annotations

from weft.engines.event import operators as ops
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.records import (
    FRAME_CALLER,
    FRAME_CODE,
    FRAME_INSTANCE,
    FRAME_PC,
    FRAME_THIS,
    NODE_CODE,
    NODE_FRAME,
    NODE_INSTANCE,
    NODE_PC,
    NODE_RETURNED,
)
from weft.engines.event.writer import Operand, Value, ir_type, plane_bytes
from weft.ir.design import Function, Signal
from weft.ir.expressions import Call, New


def parameters_of(function: Function) -> list[Signal]:
    """Return the formal arguments whose values go in."""
    return [formal for direction, formal in function.args if direction != "output"]


def results_of(function: Function) -> list[Signal]:
    """Return what comes back: the result, then the arguments whose values go out."""
    found = [function.result] if function.result is not None else []
    return found + [formal for direction, formal in function.args if direction in ("output", "inout", "ref")]


def planes_of(signal: Signal) -> list[int]:
    """Return the widths of the planes in which a value of a signal's type travels."""
    return [signal.bits, signal.bits] if signal.type.four_state else [signal.bits]


def result_type(function: Function) -> str:
    """Return the LLVM type of what a routine returns."""
    planes = [ir_type(width) for signal in results_of(function) for width in planes_of(signal)]
    return "{ " + ", ".join(planes) + " }" if planes else "void"


def call_function(f: FunctionCode, call: Call) -> Value:
    """Write a call whose value is wanted, or a call of a routine that does not suspend."""
    from weft.engines.event.code_expressions import value
    from weft.engines.event.code_places import store_lvalue

    w = f.w
    function = call.function
    program = f.unit.program
    if call.virtual:
        return program.classes.call_virtual(f, call)
    if program.suspensions.function(function):
        raise f.unsupported(f"a call of '{function.name}', which can wait, inside an expression", call.span)
    words = ["i64 %node", "i64 %S", f"i64 {f.unit.callee_instance(w, function, call.path)}"]
    if function.this is not None:
        receiver = value(f, call.receiver) if call.receiver is not None else f.this_value()
        words.append(f"i64 {receiver.bits}")
    for (direction, formal), actual in zip(function.args, call.args, strict=True):
        if direction != "output":
            passed = value(f, actual)
            widths = planes_of(formal)
            passed = passed if len(widths) == 2 else Value(passed.width, ops.one(w, passed))
            for width, plane in zip(widths, (passed.bits, passed.unknown), strict=False):
                words.append(f"{ir_type(width)} {plane}")
    kind = result_type(function)
    # A call that becomes a jump would let endless recursion run for ever, without a stack that it uses up.
    text = f"notail call {kind} @{program.function_symbol(function)}({', '.join(words)})"
    program.need(function)
    if kind == "void":
        w.do(text)
        if program.may_stop(function):
            f.poll()
        return Value(0, 0)
    packed = w.emit(text)
    if program.may_stop(function):
        f.poll()
    values = unpack(f, function, kind, packed)
    first = values.pop(0) if function.result is not None else Value(0, 0)
    outputs = [actual for (direction, _), actual in zip(function.args, call.args, strict=True) if direction != "input"]
    for actual, new in zip(outputs, values, strict=True):
        store_lvalue(f, actual, new)
    return first


def unpack(f: FunctionCode, function: Function, kind: str, packed: str) -> list[Value]:
    """Return the values in the structure that a routine has returned."""
    w = f.w
    values: list[Value] = []
    at = 0
    for signal in results_of(function):
        planes: list[Operand] = []
        for _ in planes_of(signal):
            planes.append(w.emit(f"extractvalue {kind} {packed}, {at}"))
            at += 1
        values.append(Value(signal.bits, planes[0], planes[1] if len(planes) > 1 else 0))
    return values


def create_object(f: FunctionCode, new: New) -> Value:
    """Write the creation of an object and the call of its constructor."""
    w = f.w
    program = f.unit.program
    handle = Value(64, program.classes.allocate(f, new.type))
    constructor = new.type.constructor
    if constructor is not None:
        kept = w.slot(64)
        w.do(f"store i64 {handle.bits}, ptr {kept}")
        f.call_method(constructor, handle, new.args, new.span)
        handle = Value(64, w.emit(f"load i64, ptr {kept}"))
    return handle


def enter_task(f: FunctionCode, call: Call) -> None:
    """Write a call of a task that can suspend, as a statement of a thread."""
    from weft.engines.event.code_expressions import value
    from weft.engines.event.code_places import Place, store_lvalue, store_whole

    w = f.w
    function = call.function
    program = f.unit.program
    if not f.thread:
        raise f.unsupported(f"a call of '{function.name}', which can wait, in a function", call.span)
    frame = program.task_frame(function)
    program.need(function)
    receiver: Value | None = None
    if function.this is not None:
        receiver = value(f, call.receiver) if call.receiver is not None else f.this_value()
    passed = [
        (formal, value(f, actual))
        for (direction, formal), actual in zip(function.args, call.args, strict=True)
        if direction != "output"
    ]
    new = w.call("frame_new", f"$Z{frame.name}$", "%S")
    pointer = w.pointer(new)
    number = f.new_place()
    instance = f.unit.callee_instance(w, function, call.path)
    w.store_word(pointer, FRAME_CODE, w.load_word("%N", NODE_CODE))
    w.store_word(pointer, FRAME_PC, number)
    w.store_word(pointer, FRAME_CALLER, w.load_word("%N", NODE_FRAME))
    w.store_word(pointer, FRAME_INSTANCE, w.load_word("%N", NODE_INSTANCE))
    if receiver is not None:
        assert function.this is not None
        w.store_word(pointer, FRAME_THIS, receiver.bits)
        w.store_word(pointer, frame.signal(function.this), receiver.bits)
    for formal, content in passed:
        if function.automatic or formal.automatic:
            at = w.address(pointer, frame.signal(formal))
            _store_value(f, formal, at, content)
        else:
            unit = program.design.functions[function]
            where = f.unit.remote_pointer(w, unit, formal, call.path)
            place = Place(formal, where, where, 1, program.watched_in(unit, formal), False)
            if formal.depth:
                _store_value(f, formal, where, content)
            else:
                store_whole(f, place, content)
    w.store_word("%N", NODE_FRAME, new)
    code = program.task_address(f, call)
    w.store_word("%N", NODE_CODE, code)
    w.do(f"store i32 0, ptr {w.address('%N', NODE_PC)}")
    w.store_word("%N", NODE_INSTANCE, instance)
    w.ret("i64 1")
    w.label(f"place{number}")
    returned = w.pointer(w.load_word("%N", NODE_RETURNED))
    for (direction, formal), actual in zip(function.args, call.args, strict=True):
        if direction == "input":
            continue
        if function.automatic or formal.automatic:
            result = f.load_flat(formal, w.address(returned, frame.signal(formal)))
        else:
            unit = program.design.functions[function]
            result = f.load_flat(formal, f.unit.remote_pointer(w, unit, formal, call.path))
        store_lvalue(f, actual, result)
    w.call("frame_release", w.load_word("%N", NODE_RETURNED), "%S")


def _store_value(f: FunctionCode, signal: Signal, pointer: str, content: Value) -> None:
    """Store a flat value of any shape."""
    w = f.w
    for i in range(max(signal.depth, 1)):
        part = ops.take(w, content, i * signal.width, signal.width) if signal.depth else content
        at = f.element_pointer(signal, pointer, i) if signal.depth else pointer
        w.store(at, part.bits if signal.type.four_state else ops.one(w, part), signal.width)
        if signal.type.four_state:
            w.store(w.address(at, plane_bytes(signal.width)), part.unknown, signal.width)
