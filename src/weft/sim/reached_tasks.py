"""Find which system tasks a design may call in one run, whose plusargs are known.

Many testbenches dump waveforms if a plusarg says so: `if ($test$plusargs("vcd")) $dumpvars;`. Without that plusarg the
call can never happen, and nothing need be prepared for it. A branch is left out if its condition is constant, or made
of `$test$plusargs` with constant text; every other branch may be taken.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.base.dataclass import dataclass
from weft.ir.design import Design, If, Statement, SystemTask
from weft.ir.expressions import Binary, Const, Expr, Resize, SystemCall, Text, Unary
from weft.ir.walk import children


@dataclass(frozen=True, slots=True)
class Reached:
    """Hold the names of the tasks, and the plusargs that were asked for, with the answers."""

    tasks: set[str]
    tests: dict[str, bool]


def reached_tasks(design: Design, plusargs: Sequence[str]) -> Reached:
    """Return the system tasks that statements which may run call; plusargs come without their plus."""
    found = Reached(set(), {})
    for module in dict.fromkeys([*design.modules, *(module for _, module in (*design.packages, *design.tops))]):
        stack: list[Statement] = [process.body for process in module.processes]
        stack += [function.body for function in module.functions if function.body is not None]
        while stack:
            statement = stack.pop()
            if isinstance(statement, SystemTask):
                found.tasks.add(statement.name)
            elif isinstance(statement, If) and (taken := _truth(statement.cond, plusargs, found.tests)) is not None:
                branch = statement.then if taken else statement.other
                stack += () if branch is None else (branch,)
                continue
            stack += children(statement)
    return found


def _truth(condition: Expr, plusargs: Sequence[str], tests: dict[str, bool]) -> bool | None:
    """Return whether a condition holds, or None if that is not known before the run; note the plusargs it asks for."""
    match condition:
        case Const(_, value, unknown):
            return bool(value & ~unknown)
        case SystemCall("$test$plusargs", (Text(prefix),)):
            return tests.setdefault(prefix, any(argument.startswith(prefix) for argument in plusargs))
        case Unary("redor", value) | Resize(value):
            return _truth(value, plusargs, tests)
        case Unary("lnot", value):
            inner = _truth(value, plusargs, tests)
            return None if inner is None else not inner
        case Binary("land" | "lor" as op, lhs, rhs):
            sides = {_truth(lhs, plusargs, tests), _truth(rhs, plusargs, tests)}
            deciding = op == "lor"
            if deciding in sides:
                return deciding
            return None if None in sides else not deciding
        case _:
            return None
