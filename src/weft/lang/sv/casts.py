"""`$cast`: an assignment that is checked when it runs (IEEE 1800-2023 6.24.2, 8.16).

An enum takes the value of a member only, an object variable an object of its class or of one derived from it; other
types take what an assignment gives them. The function says whether it was done, the task reports an error if not.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.ir.design import Assign, AssignExpr, Binary, Block, Cond, Const, Expr, If, Statement, SystemTask, Text, Unary
from weft.lang.sv.build import constant, invert, resize, truth
from weft.lang.sv.classes import cast_object
from weft.lang.sv.constants import flatten
from weft.lang.sv.dispatch import layout_of, lvalue_of, value_of
from weft.lang.sv.ownership import own
from weft.lang.sv.reals import convert_number
from weft.lang.sv.types import HANDLE, PACKED, REAL, Layout

if TYPE_CHECKING:
    from weft.lang.sv.state import State

_FAILED = "$cast: the value does not fit the type of the target"


def convert_cast(state: State, node: ast.CallExpression, arguments: list[ast.Expression]) -> Expr:
    """Convert `$cast` as a function: 1 if the assignment was done, else 0."""
    target, source = _operands(state, node, arguments)
    layout = layout_of(state, target)
    if layout.kind == HANDLE:
        return cast_object(state, lvalue_of(state, target), value_of(state, source), target.type, node)
    value, valid = _value(state, target, source, layout)
    done = AssignExpr(lvalue_of(state, target), value, layout.width)
    # The assignment's own value does not matter: that it was done does.
    stored = Binary("lor", Unary("isunknown", done, 1), constant(1, 1), 1)
    return resize(Cond(valid, stored, constant(1, 0), 1), 32, False)


def cast_statement(state: State, node: ast.CallExpression) -> Statement:
    """Convert `$cast` as a task, which reports what cannot be assigned."""
    target, source = _operands(state, node, list(node.arguments))
    layout = layout_of(state, target)
    span = state.context.span(node)
    failure = SystemTask("$error", (Text(_FAILED),), (False,), span, state.scope)
    if layout.kind == HANDLE:
        done = cast_object(state, lvalue_of(state, target), value_of(state, source), target.type, node)
        return If(invert(truth(done)), failure, span=span)
    value, valid = _value(state, target, source, layout)
    assign = Assign(lvalue_of(state, target), value, True, span)
    if isinstance(valid, Const):
        return assign if valid.value else Block((failure,))
    return If(valid, assign, failure, span=span)


def _operands(
    state: State, node: ast.CallExpression, arguments: list[ast.Expression]
) -> tuple[ast.Expression, ast.Expression]:
    target, source = arguments
    if isinstance(target, ast.AssignmentExpression):
        target = target.left
    return target, source


def _value(state: State, target: ast.Expression, source: ast.Expression, layout: Layout) -> tuple[Expr, Expr]:
    """Return what the target gets, and whether it may."""
    have = layout_of(state, source)
    value = value_of(state, source)
    if layout.kind not in (PACKED, REAL) or have.kind not in (PACKED, REAL):
        if not target.type.isAssignmentCompatible(source.type):
            state.context.unsupported(f"'$cast' from '{source.type}' to '{target.type}'", source)
        return own(value, layout), constant(1, 1)
    result = convert_number(value, have, layout)
    enum = target.type.canonicalType
    if not isinstance(enum, ast.EnumType):
        return result, constant(1, 1)
    if have.kind == REAL:
        value, have = result, layout
    width = max(have.width, layout.width)
    wide = resize(value, width, have.signed)
    valid: Expr = constant(1, 0)
    for member in enum:
        if isinstance(member, ast.EnumValueSymbol):
            bits = flatten(member.value.value, layout)
            assert isinstance(bits, Const)
            test = Binary("ceq", wide, resize(bits, width, layout.signed), 1)
            valid = test if isinstance(valid, Const) else Binary("lor", valid, test, 1)
    return result, valid
