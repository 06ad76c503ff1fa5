"""Calls of the user's functions and tasks (IEEE 1800-2023 13.5).

slang lists one argument for each formal, defaults filled in. An output argument is an assignment from the formal to the
actual; where their types differ, the call writes a temporary variable and an assignment after it converts the value.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyslang import ast

from weft.ir.design import Assign, Call, Expr, Ref, Text
from weft.lang.sv.dispatch import layout_of, lvalue_of, value_of
from weft.lang.sv.operators import folded
from weft.lang.sv.reals import convert_number
from weft.lang.sv.shapes import align
from weft.lang.sv.system_calls import convert_system_call
from weft.lang.sv.types import PACKED, VOID

if TYPE_CHECKING:
    from weft.lang.sv.state import State


def convert_call(state: State, node: ast.Expression) -> Expr:
    """Convert a call of a function, the user's or the system's, to its result."""
    constant_value = folded(state, node)
    if constant_value is not None:
        return constant_value
    call = cast("ast.CallExpression", node)
    if node.constant is not None and isinstance(node.constant.value, str):
        return Text(node.constant.value)
    if isinstance(call.subroutine, ast.SubroutineSymbol):
        return convert_user_call(state, call, call.subroutine)
    return convert_system_call(state, call, call.subroutine)


def convert_user_call(state: State, node: ast.CallExpression, subroutine: ast.SubroutineSymbol) -> Call:
    """Convert a call of a user's function or task; a task's has width 0."""
    if node.thisClass is not None or subroutine.thisVar is not None:
        state.context.unsupported("a class method", node)
    layout = state.layout(node.type)
    width = 0 if layout.kind == VOID else layout_of(state, node).width
    function, path = state.context.callee(subroutine)
    pairs = zip(subroutine.arguments, node.arguments, strict=True)
    args = tuple(_argument(state, formal, actual) for formal, actual in pairs)
    return Call(function, args, width, state.context.span(node), path=path)


def _argument(state: State, formal: ast.FormalArgumentSymbol, actual: ast.Expression) -> Expr:
    wanted = state.layout(formal.type)
    if isinstance(actual, ast.AssignmentExpression):
        return _output(state, formal, actual)
    if formal.direction == ast.ArgumentDirection.Ref:
        return lvalue_of(state, actual)
    return align(value_of(state, actual), layout_of(state, actual), wanted)


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
