"""Write immediate assertions, and what `$assertoff` and its like have said of any (IEEE 1800-2023 20.11).

A word for each assertion says whether it is on, whether its actions are, and how often it has been killed
(`ir.assertion_control`). The tasks are system tasks that change these words. Turning off actions of vacuous successes
only is `Unsupported`.
"""

from __future__ import annotations

from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_host import host_task
from weft.engines.event.writer import Value
from weft.ir.assertion_control import FAILS_OFF, OFF, PASSES_OFF
from weft.ir.design import Assertion, If, Slice, SystemCall, SystemTask, Text, Unary
from weft.ir.expressions import Const, Expr

UNSUPPORTED_CONTROLS = frozenset({"$assertnonvacuouson", "$assertvacuousoff"})


def refuse_control(f: FunctionCode, task: SystemTask) -> None:
    """Refuse what would need to know which successes are vacuous."""
    raise f.unsupported(f"'{task.name}'", task.span)


def assertion_state(f: FunctionCode, call: SystemCall) -> Value:
    """Write what an assertion looks up in its word."""
    from weft.engines.event.code_expressions import value

    return value(f, call.args[0])


def write_assertion(f: FunctionCode, assertion: Assertion) -> None:
    """Write an immediate assertion."""
    from weft.engines.event.code_expressions import condition
    from weft.engines.event.code_statements import write_statement

    w, control = f.w, assertion.control
    passed, failed, after = w.fresh("passed"), w.fresh("failed"), w.fresh("asserted")
    if control is not None:
        enabled = w.fresh("enabled")
        w.branch(condition(f, _is_on(control, OFF)), enabled, after)
        w.label(enabled)
    w.branch(condition(f, assertion.cond), passed, failed)
    w.label(passed)
    if assertion.passed is not None:
        action = assertion.passed
        write_statement(f, action if control is None else If(_is_on(control, PASSES_OFF), action))
    w.jump(after)
    w.label(failed)
    told = w.fresh("told")
    if control is not None and (assertion.failed is not None or assertion.kind != "cover"):
        w.branch(condition(f, _is_on(control, FAILS_OFF)), told, after)
        w.label(told)
    if assertion.failed is not None:
        write_statement(f, assertion.failed)
    elif assertion.kind != "cover":
        host_task(f, "$error", (Text("Assertion failed."),), (False,))
    w.jump(after)
    w.label(after)


def _is_on(control: Expr, bit: int) -> Expr:
    return Unary("lnot", Slice(control, Const(32, bit), 1), 1)
