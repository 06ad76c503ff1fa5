"""Find the variables that something else than plain nonblocking assignments writes.

Most registers are written by `r <= value` and by nothing else. To such a variable an assignment of the value that it
already has, while no other is pending, can be left out: nothing can change the variable before the NBA region comes,
and there the assignment would change nothing. Clocked code makes such assignments by the hundred in each cycle.

*Plain* is an assignment without a delay or event control to a whole variable, outside of programs. What is written in
any other way as well (a blocking assignment, a part of it, an output argument, a force) is mixed.

Many of those are only mixed at the start, by initial procedures that cannot wait: these have ended when the NBA region
first comes. An assignment to such a variable is not left out before one has been applied there; so it counts as pending
from the start.
"""

from __future__ import annotations

from collections.abc import Iterator

from weft.engines.event.code_host import outputs_of
from weft.engines.event.elaborate import Elaborated, Key, roots_of
from weft.engines.event.walk import Suspensions
from weft.ir.design import Assign, Expr, Force, Kind, Process, Release, Statement, SystemTask
from weft.ir.expressions import AssignExpr, Call, Concat, New, Randomize, Ref, SystemCall
from weft.ir.walk import expressions_of, statements_in, subexpressions


def find_mixed(design: Elaborated, suspensions: Suspensions) -> tuple[set[Key], set[Key]]:
    """Return, by what holds them, signals to which no assignment may be left out, and those only mixed at the start."""
    mixed, begun = set[Key](), set[Key]()
    processes = [process for unit in design.units.values() for process in unit.module.processes]
    # What is called by a program, or by an assertion's action, runs in the reactive region.
    reactive = any(process.reactive or process.region for process in processes)
    for unit in design.units.values():
        module = unit.module
        refs: dict[tuple[object, tuple[str, ...]], Ref] = {}
        first: dict[tuple[object, tuple[str, ...]], Ref] = {}
        for process in module.processes:
            found = first if _only_begins(process, suspensions) else refs
            for ref in _mixed_in(process.body, process.reactive or bool(process.region)):
                found[ref.signal, ref.path] = ref
        for function in module.functions:
            for ref in _mixed_in(function.body, reactive):
                refs[ref.signal, ref.path] = ref
            for _, formal in function.args:
                refs[formal, ()] = Ref(formal)
        for assign in unit.assigns:
            for ref in roots_of(assign.lhs):
                refs[ref.signal, ref.path] = ref
        for found, keys in ((refs, mixed), (first, begun)):
            for ref in found.values():
                keys.update(design.find(design.reach(node, ref.path), ref.signal) for node in unit.nodes)
    return mixed, begun - mixed


def _only_begins(process: Process, suspensions: Suspensions) -> bool:
    """Say whether a procedure has ended before the NBA region first comes, and nothing that it does goes on."""
    return (
        process.kind == Kind.INITIAL
        and not process.reactive
        and not suspensions.statement(process.body)
        and not any(
            isinstance(statement, Force | Release) or (isinstance(statement, Assign) and not statement.blocking)
            for statement in statements_in(process.body)
        )
    )


def _mixed_in(body: Statement | None, reactive: bool) -> Iterator[Ref]:
    for statement in statements_in(body):
        match statement:
            case Assign(lhs):
                if statement.blocking or statement.timing is not None or reactive:
                    yield from roots_of(lhs)
                else:
                    yield from _parts(lhs)
            case Force(lhs) | Release(lhs):
                yield from roots_of(lhs)
            case SystemTask(name, args):
                yield from _outputs(name, args)
            case _:
                pass
        reads, writes = expressions_of(statement)
        for expression in (*reads, *writes):
            for part in subexpressions(expression):
                if isinstance(part, AssignExpr):
                    yield from roots_of(part.lhs)
                elif isinstance(part, Randomize):
                    for target in part.targets or ():
                        yield from roots_of(target)
                elif isinstance(part, SystemCall):
                    yield from _outputs(part.name, part.args)
                elif isinstance(part, Call | New):
                    for argument in part.args:
                        yield from roots_of(argument)


def _outputs(name: str, args: tuple[Expr | None, ...]) -> Iterator[Ref]:
    for i in outputs_of(name, len(args)):
        argument = args[i] if i < len(args) else None
        if argument is not None:
            yield from roots_of(argument)


def _parts(lhs: Expr) -> Iterator[Ref]:
    """Yield what a nonblocking assignment writes a part of."""
    match lhs:
        case Ref():
            return
        case Concat(parts):
            for part in parts:
                yield from _parts(part)
        case _:
            yield from roots_of(lhs)
