"""Targets that are read and written, and whose evaluation does something: `a[i++] += 2`, `next().count++`.

Such a target is evaluated once (IEEE 1800-2023 11.4.1): in front of the statement each index and object in it that
does something is put into a variable, which stands for it both times. Inside an expression that cannot be done.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.ir.design import Assign, Expr, Ref
from weft.lang.sv.dispatch import layout_of, value_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State

_STEPS = frozenset(
    {
        ast.UnaryOperator.Preincrement,
        ast.UnaryOperator.Postincrement,
        ast.UnaryOperator.Predecrement,
        ast.UnaryOperator.Postdecrement,
    }
)


def is_pure(node: ast.Expression) -> bool:
    """Say whether evaluating an expression twice does no more than evaluating it once."""
    effects: list[object] = []

    def look(inner: object) -> None:
        steps = isinstance(inner, ast.UnaryExpression) and inner.op in _STEPS
        if steps or isinstance(inner, ast.CallExpression | ast.AssignmentExpression):
            effects.append(inner)

    node.visit(look)
    return not effects


def hold_effects(state: State, target: ast.Expression) -> None:
    """Put what the target of a statement does into variables in front of it."""
    if state.before is None or is_pure(target):
        return
    match target:
        case ast.ElementSelectExpression():
            hold_effects(state, target.value)
            _hold(state, target.selector)
        case ast.RangeSelectExpression():
            hold_effects(state, target.value)
            _hold(state, target.left)
        case ast.MemberAccessExpression():
            if isinstance(target.member, ast.ClassPropertySymbol):
                _hold(state, target.value)
            else:
                hold_effects(state, target.value)
        case _:
            pass


def _hold(state: State, node: ast.Expression) -> None:
    if is_pure(node):
        return
    assert state.before is not None
    holder = Ref(state.context.temporary("held", layout_of(state, node).width))
    state.before.append(Assign(holder, value_of(state, node), True, state.context.span(node)))
    state.held[node] = holder


def held_value(state: State, node: ast.Expression) -> Expr:
    """Return the value of an index or object in a target: the variable's that holds it, if one does."""
    return state.held.get(node) or value_of(state, node) if state.held else value_of(state, node)


def check_held(state: State, target: ast.Expression) -> None:
    """Raise `Unsupported` for a target that would be evaluated twice."""
    effects = not is_pure(target)
    if not effects:
        return
    parts: list[ast.Expression] = [target]
    while parts:
        part = parts.pop()
        if part in state.held or is_pure(part):
            continue
        match part:
            case ast.ElementSelectExpression():
                parts += [part.value, part.selector]
            case ast.RangeSelectExpression():
                parts += [part.value, part.left]
            case ast.MemberAccessExpression():
                parts.append(part.value)
            case _:
                state.context.unsupported("a compound assignment whose target has side effects", target)
