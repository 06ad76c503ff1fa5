"""Tell whether evaluating an expression may do more than yield a value."""

from __future__ import annotations

from weft.ir.expressions import AssignExpr, Call, Expr, SystemCall, operands


def may_act(expression: Expr) -> bool:
    """Return whether an expression assigns or calls something."""
    work: list[Expr] = [expression]
    while work:
        inner = work.pop()
        if isinstance(inner, AssignExpr | Call | SystemCall):
            return True
        work += operands(inner)
    return False
