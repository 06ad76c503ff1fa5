"""Arguments of the user's functions, tasks and constructors (IEEE 1800-2023 13.5).

slang lists one argument for each formal, defaults filled in. An output argument is an assignment from the formal to the
actual; where their types differ, the call writes a temporary variable and an assignment after it converts the value.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from pyslang import ast

from weft.ir.design import Assign, Expr, Ref
from weft.lang.sv.dispatch import layout_of, lvalue_of, value_of
from weft.lang.sv.ownership import assigned
from weft.lang.sv.reals import convert_number
from weft.lang.sv.shapes import align
from weft.lang.sv.types import PACKED

if TYPE_CHECKING:
    from weft.lang.sv.state import State


def convert_arguments(
    state: State, subroutine: ast.SubroutineSymbol, node: ast.CallExpression, bound: Container[ast.Symbol] = ()
) -> tuple[Expr, ...]:
    """Convert the arguments of a call, one for each formal that is not bound to a variable."""
    pairs = zip(subroutine.arguments, node.arguments, strict=True)
    return tuple(_argument(state, formal, actual) for formal, actual in pairs if formal not in bound)


def _argument(state: State, formal: ast.FormalArgumentSymbol, actual: ast.Expression) -> Expr:
    if isinstance(actual, ast.AssignmentExpression):
        return _output(state, formal, actual)
    if formal.direction == ast.ArgumentDirection.Ref:
        return lvalue_of(state, actual)
    return assigned(state, actual, formal.type)


def _output(state: State, formal: ast.FormalArgumentSymbol, actual: ast.AssignmentExpression) -> Expr:
    left, right = actual.left, actual.right
    target = lvalue_of(state, left)
    wanted, have = state.layout(formal.type), layout_of(state, left)
    if isinstance(right, ast.EmptyArgumentExpression) and align(target, wanted, have) is target:
        return target
    if state.before is None or state.after is None:
        state.context.unsupported("an output argument of another type than the formal's inside an expression", actual)
    temporary = Ref(state.context.temporary(formal.name, wanted.width))
    outer, state.argument = state.argument, align(temporary, wanted, have) if wanted.kind != PACKED else temporary
    value = value_of(state, right)
    state.argument = outer
    span = state.context.span(left)
    if formal.direction == ast.ArgumentDirection.InOut:
        incoming = convert_number(value_of(state, left), have, wanted)
        state.before.append(Assign(temporary, align(incoming, have, wanted), True, span))
    state.after.append(Assign(target, value, True, span))
    return temporary
