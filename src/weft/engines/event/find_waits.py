"""Find everything that the code of a unit may wait for."""

from __future__ import annotations

from weft.engines.event.elaborate import Unit
from weft.ir.design import (
    Assign,
    Delay,
    Expr,
    Force,
    Implicit,
    Kind,
    Statement,
    SystemTask,
    Wait,
    WaitUntil,
)
from weft.ir.reads import Read, implicit_reads, process_reads, reads_of
from weft.ir.system_tasks import MONITOR_TASKS
from weft.ir.walk import statements_in, timing_expressions


def waited(unit: Unit) -> list[Read]:
    """Return everything that the code of a unit may wait for."""
    module = unit.module
    found: list[Read] = []
    for assign in unit.assigns:
        found += reads_of(assign.rhs)
    for stamp in module.stamps:
        found += reads_of(stamp.source)
    for process in module.processes:
        if process.kind == Kind.COMB:
            found += process_reads(process)
        for event in process.events:
            found += reads_of(event.value)
        found += _statement_waits(process.body)
    for function in module.functions:
        found += _statement_waits(function.body)
    return found


def waited_expressions(statement: Statement) -> tuple[Expr, ...]:
    """Return the expressions whose changes a statement waits for."""
    match statement:
        case WaitUntil(cond):
            return (cond,)
        case Wait(timing) | Assign(timing=timing):
            return () if isinstance(timing, Delay) else timing_expressions(timing)
        case _:
            return ()


def _statement_waits(body: Statement | None) -> list[Read]:
    found: list[Read] = []
    for statement in statements_in(body):
        match statement:
            case Wait(Implicit(), inner):
                found += implicit_reads(inner)
            case Wait(timing) | Assign(timing=timing):
                for expression in timing_expressions(timing):
                    found += reads_of(expression)
            case WaitUntil(cond):
                found += reads_of(cond)
            case Force(_, rhs):
                found += reads_of(rhs)
            case SystemTask(name, args) if name in MONITOR_TASKS:
                for argument in args:
                    if argument is not None:
                        found += reads_of(argument)
            case _:
                timing = getattr(statement, "timing", None)
                if timing is not None:
                    for expression in timing_expressions(timing):
                        found += reads_of(expression)
    return found
