"""Have `$async$...` logic arrays follow their inputs and memories (IEEE 1800-2023 20.17.1).

A call makes its outputs follow for the rest of the run. Each call in the source gets a process that calls the task once
more, under the name `$again$...`, whenever an input or the memory changes; that does nothing before the first call.
"""

from __future__ import annotations

from collections.abc import Iterator

from weft.base.errors import Unsupported
from weft.ir.design import (
    Assertion,
    Block,
    Case,
    Event,
    Expr,
    If,
    Kind,
    Loop,
    Module,
    Process,
    Ref,
    RepeatTimes,
    Statement,
    SystemTask,
    Wait,
    WaitUntil,
    operands,
)

_PREFIX = "$async$"


def follow_logic_arrays(module: Module) -> None:
    """Add the processes of a module's asynchronous logic arrays. The module is changed."""
    for body in (*module.processes, *module.functions):
        for statement in _statements(body.body):
            if isinstance(statement, SystemTask) and statement.name.startswith(_PREFIX):
                module.processes.append(_follower(statement))


def _follower(task: SystemTask) -> Process:
    watched = [argument for argument in task.args[:2] if argument is not None]
    if any(isinstance(part, Ref) and part.signal.automatic for value in task.args for part in _parts(value)):
        raise Unsupported(f"{task.name} of an automatic variable", task.span)
    again = SystemTask(task.name.replace(_PREFIX, "$again$"), task.args, task.signed, task.span, types=task.types)
    events = tuple(Event("any", value, span=task.span) for value in watched)
    return Process(Kind.EVENTS, again, events, "always", task.span)


def _parts(value: Expr | None) -> Iterator[Expr]:
    if value is not None:
        yield value
        for operand in operands(value):
            yield from _parts(operand)


def _statements(statement: Statement | None) -> Iterator[Statement]:
    """Yield a statement and all inside it."""
    if statement is None:
        return
    yield statement
    match statement:
        case Block(body):
            inner = body
        case If(_, then, other):
            inner = (then, other)
        case Case(_, _, items, default):
            inner = (*(item.body for item in items), default)
        case Loop(_, body, step):
            inner = (body, *step)
        case RepeatTimes(_, body) | Wait(_, body) | WaitUntil(_, body):
            inner = (body,)
        case Assertion(_, _, passed, failed):
            inner = (passed, failed)
        case _:
            inner = ()
    for part in inner:
        yield from _statements(part)
