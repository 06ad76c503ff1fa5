"""Calls: user functions and tasks are inlined; system functions become nodes.

Automatic variables are new for each call; those of a static function are shared by all its calls in a process and keep
their values (IEEE 1800-2023 13.4.2), which `lower_module` turns into state if a call reads one before it assigns it.
Recursion ends where conditions fold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.ir.design import Function
from weft.ir.expressions import Call, SystemCall, Text
from weft.passes.lower_draws import DRAWS, draw
from weft.passes.symbolic_state import Variable

if TYPE_CHECKING:
    from weft.passes.execute_statements import Executor

CALL_DEPTH = 256
"""How deep calls may nest."""


def inline(executor: Executor, call: Call) -> int:
    """Run a function's body on the present path; return its result, or a 0 bit if it has none."""
    function = call.function
    if function.body is None:
        raise executor.unsupported(f"calling '{function.name}', which has no body,", call.span)
    if executor.depth >= CALL_DEPTH:
        raise executor.unsupported(f"recursion of '{function.name}' deeper than {CALL_DEPTH} calls", call.span)
    inputs = [
        executor.evaluate(actual) if direction != "output" else -1
        for (direction, _), actual in zip(function.args, call.args, strict=True)
    ]
    scope, result, targets, span = executor.scope, executor.result, executor.targets, executor.span
    fresh = _enter(executor, function)
    for (_, formal), node in zip(function.args, inputs, strict=True):
        if node >= 0:
            executor.environment.write(executor.variable(formal, ()), 0, node)
    executor.depth += 1
    target = executor.open("return")
    label = executor.open("disable", function.name)
    executor.execute(function.body)
    executor.close(label)
    executor.close(target)
    executor.depth -= 1
    read = executor.environment.read
    value = executor.environment.one if executor.result is None else read(executor.result, 0, executor.result.width)
    outputs = [
        (actual, read(executor.variable(formal, ()), 0, formal.bits))
        for (direction, formal), actual in zip(function.args, call.args, strict=True)
        if direction != "input"
    ]
    executor.scope, executor.result, executor.targets, executor.span = scope, result, targets, span
    for variable in fresh:
        executor.environment.forget(variable)
    for actual, node in outputs:
        executor.assign(actual, node)
    return value


def _enter(executor: Executor, function: Function) -> list[Variable]:
    """Begin a call: give its automatic variables a place; return them."""
    signals = [signal for _, signal in function.args] + function.locals
    if function.result is not None and function.result not in signals:
        signals.append(function.result)
    scope = dict(executor.scope)
    fresh: list[Variable] = []
    for signal in signals:
        if signal.automatic:
            scope[signal] = executor.fresh(signal)
            fresh.append(scope[signal])
        else:
            executor.context.static.add(signal)
    executor.scope = scope
    executor.result = None if function.result is None else executor.variable(function.result, ())
    return fresh


def evaluate_system_call(executor: Executor, call: SystemCall) -> int:
    """Return the value of a system function at run time."""
    match call.name, call.args:
        case (("$time" | "$stime"), _):
            return executor.resize(_time(executor), call.width, False)
        case "$realtime", _:
            module = executor.context.module
            if module.time_unit_fs != module.time_precision_fs:
                raise executor.unsupported("$realtime with a time precision finer than its unit", call.span)
            return executor.resize(_time(executor), call.width, False)
        case "$test$plusargs", (Text(name),):
            found = executor.builder.read(executor.context.special(f"$test$plusargs({name})", 1))
            return executor.resize(found, call.width, False)
        case name, _ if name in DRAWS:
            return draw(executor, call)
        case _:
            raise executor.unsupported(f"{call.name} outside an initial procedure", call.span)


def _time(executor: Executor) -> int:
    """Return the present time in the module's unit, rounded (IEEE 1800-2023 20.3.1)."""
    builder, unit = executor.builder, executor.context.module.time_unit_fs
    now = builder.read(executor.context.special("$time", 64))
    rounded = builder.add("add", 64, now, builder.const(64, unit // 2))
    return builder.add("udiv", 64, rounded, builder.const(64, unit))
