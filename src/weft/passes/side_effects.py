"""Tell whether evaluating an expression may do more than yield a value."""

from __future__ import annotations

from weft.ir.expressions import (
    AssignExpr,
    Binary,
    Call,
    Concat,
    Cond,
    Const,
    Element,
    Expr,
    Ref,
    Repeat,
    Resize,
    Slice,
    SystemCall,
    Text,
    Unary,
)


def may_act(expression: Expr) -> bool:
    """Return whether an expression assigns or calls something."""
    work: list[Expr] = [expression]
    while work:
        match work.pop():
            case AssignExpr() | Call() | SystemCall():
                return True
            case Const() | Text() | Ref():
                pass
            case Element(_, index):
                work.append(index)
            case Slice(value, offset):
                work.append(value)
                if not isinstance(offset, int):
                    work.append(offset)
            case Resize(value) | Unary(_, value) | Repeat(_, value):
                work.append(value)
            case Binary(_, lhs, rhs):
                work += (lhs, rhs)
            case Cond(cond, then, other):
                work += (cond, then, other)
            case Concat(parts):
                work += parts
    return False
