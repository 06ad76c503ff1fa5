"""Find the variables that something else than plain nonblocking assignments writes.

Most registers are written by `r <= value` and by nothing else. To such a variable an assignment of the value that it
already has, while no other is pending, can be left out: nothing can change the variable before the NBA region comes,
and there the assignment would change nothing. Clocked code makes such assignments by the hundred in each cycle.

*Plain* is an assignment without a delay or event control to a whole variable, outside of programs. What is written in
any other way as well (a blocking assignment, a part of it, an output argument, a force) is mixed.
"""

from __future__ import annotations

from collections.abc import Iterator

from weft.engines.event.code_host import outputs_of
from weft.engines.event.elaborate import Elaborated, Key, roots_of
from weft.engines.event.walk import expressions_of, statements_in, subexpressions
from weft.ir.design import Assign, Expr, Force, Release, Statement, SystemTask
from weft.ir.expressions import AssignExpr, Call, Concat, New, Randomize, Ref, SystemCall


def find_mixed(design: Elaborated) -> set[Key]:
    """Return the signals, by what holds them, to which no assignment may be left out."""
    mixed: set[Key] = set()
    for unit in design.units.values():
        module = unit.module
        refs: dict[tuple[object, tuple[str, ...]], Ref] = {}
        for process in module.processes:
            for ref in _mixed_in(process.body, process.reactive):
                refs[ref.signal, ref.path] = ref
        for function in module.functions:
            # A function may be called by a program.
            for ref in _mixed_in(function.body, True):
                refs[ref.signal, ref.path] = ref
            for _, formal in function.args:
                refs[formal, ()] = Ref(formal)
        for assign in unit.assigns:
            for ref in roots_of(assign.lhs):
                refs[ref.signal, ref.path] = ref
        for ref in refs.values():
            for node in unit.nodes:
                mixed.add(design.find(design.reach(node, ref.path), ref.signal))
    return mixed


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
