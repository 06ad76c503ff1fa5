"""Random variables and constraints (IEEE 1800-2023 clause 18), kept as they are for a solver (`ir.constraints`).

A constraint of a class names properties of the object that it is checked for. In a `randomize() with` call a name means
the object's property before anything around the call, unless `local::` stands before it (18.7).
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.ir.constraints import (
    Constraint,
    ConstraintBlock,
    DisableSoft,
    Distribute,
    ForEach,
    Implies,
    Require,
    Share,
    SolveBefore,
    Unique,
)
from weft.ir.design import Expr, Randomize, Ref, Signal, SystemCall, Text, Type
from weft.lang.sv.build import constant, resize
from weft.lang.sv.dispatch import layout_of, lvalue_of, truth_of, value_of
from weft.lang.sv.types import ARRAY, CONTAINER, HANDLE, PACKED

if TYPE_CHECKING:
    from weft.lang.sv.state import State

# ------------------------------------------------------------------------------------------------- constraints


def convert_block(state: State, block: ast.ConstraintBlockSymbol, this: Signal) -> ConstraintBlock:
    """Convert a constraint of a class."""
    outer = state.enter_method(Ref(this))
    if block.thisVar is not None:
        state.names[block.thisVar] = Ref(this)
    items = convert_constraints(state, block.constraints)
    state.leave_subroutine(outer)
    static = bool(block.flags & ast.ConstraintBlockFlags.Static)
    return ConstraintBlock(block.name, this, items, static, state.context.span(block))


def convert_constraints(state: State, node: ast.Constraint) -> tuple[Constraint, ...]:
    """Convert a constraint or a list of them."""
    match node:
        case ast.ConstraintList():
            return tuple(found for inner in node.list for found in convert_constraints(state, inner))
        case ast.ExpressionConstraint():
            return (_convert_expression(state, node),)
        case ast.ImplicationConstraint():
            cond, span = truth_of(state, node.predicate), state.context.span(node.predicate)
            return (Implies(cond, convert_constraints(state, node.body), span=span),)
        case ast.ConditionalConstraint():
            cond, span = truth_of(state, node.predicate), state.context.span(node.predicate)
            other = () if node.elseBody is None else convert_constraints(state, node.elseBody)
            return (Implies(cond, convert_constraints(state, node.ifBody), other, span),)
        case ast.UniquenessConstraint():
            values = tuple(value_of(state, item) for item in node.items)
            return (Unique(values, tuple(_element_width(state, item) for item in node.items)),)
        case ast.SolveBeforeConstraint():
            first, then = ([value_of(state, one) for one in part] for part in (node.solve, node.after))
            return (SolveBefore(tuple(first), tuple(then)),)
        case ast.DisableSoftConstraint():
            return (DisableSoft(value_of(state, node.target), state.context.span(node.target)),)
        case ast.ForeachConstraint():
            return (_convert_foreach(state, node),)
        case _:
            raise AssertionError(type(node))


def _element_width(state: State, node: ast.Expression) -> int:
    layout = layout_of(state, node)
    if layout.kind == CONTAINER:
        return 0
    while layout.kind == ARRAY and layout.element is not None:
        layout = layout.element
    return layout.width


def _convert_expression(state: State, node: ast.ExpressionConstraint) -> Constraint:
    expression = node.expr
    span = state.context.span(expression)
    if not isinstance(expression, ast.DistExpression):
        return Require(truth_of(state, expression), node.isSoft, span)
    layout = layout_of(state, expression.left)
    if layout.kind != PACKED:
        state.context.unsupported("a distribution of values that are not integral", expression)
    if expression.defaultWeight is not None:
        state.context.unsupported("a default weight in a distribution", expression)
    shares: list[Share] = []
    for item in expression.items:
        weight, whole = constant(32, 1), False
        if item.weight is not None:
            weight = value_of(state, item.weight.expr)
            whole = item.weight.kind == ast.DistExpression.DistWeight.Kind.PerRange
        bounds = (item.value.left, item.value.right) if isinstance(item.value, ast.ValueRangeExpression) else None
        ends = [_bound(state, end, layout.width) for end in bounds or (item.value,)]
        shares.append(Share(ends[0], ends[1] if bounds is not None else None, weight, whole))
    value = value_of(state, expression.left)
    return Distribute(value, tuple(shares), layout.signed, node.isSoft, span)


def _bound(state: State, node: ast.Expression, width: int) -> Expr:
    layout = layout_of(state, node)
    if isinstance(node, ast.UnboundedLiteral) or layout.width > width:
        state.context.unsupported("this bound of a distribution", node)
    return resize(value_of(state, node), width, layout.signed)


def _convert_foreach(state: State, node: ast.ForeachConstraint) -> Constraint:
    dimensions = list(node.loopDims)
    if len(dimensions) != 1 or dimensions[0].loopVar is None:
        state.context.unsupported("a 'foreach' constraint of several dimensions", node.arrayRef)
    dimension = dimensions[0]
    bounds = dimension.range
    array = value_of(state, node.arrayRef)
    if bounds is None and layout_of(state, node.arrayRef).kind != CONTAINER:
        state.context.unsupported("a 'foreach' constraint of such a value", node.arrayRef)
    index = state.context.signal(dimension.loopVar)
    body = convert_constraints(state, node.body)
    span = state.context.span(node.arrayRef)
    return ForEach(index, array, None if bounds is None else (bounds.left, bounds.right), body, span)


# ------------------------------------------------------------------------------------------------- calls


def convert_randomize(state: State, node: ast.CallExpression, arguments: list[ast.Expression]) -> Expr:
    """Convert a call of `randomize`, an object's or the scope's."""
    span = state.context.span(node)
    info = node.subroutine
    extra = info.extraInfo if not isinstance(info, ast.SubroutineSymbol) else None
    inline = extra.inlineConstraints if isinstance(extra, ast.CallExpression.RandomizeCallInfo) else None
    first = arguments[0] if arguments else None
    if _is_scope_randomize(node):
        targets = tuple(_target(state, argument) for argument in arguments)
        items = () if inline is None else convert_constraints(state, inline)
        return Randomize(None, targets, items, None, span)
    if first is not None and state.layout(first.type).kind == HANDLE and not isinstance(first, ast.NullLiteral):
        handle, arguments, found = value_of(state, first), arguments[1:], first.type.canonicalType
    else:
        handle, found = state.this, None
    if handle is None:
        state.context.unsupported("'randomize' without an object here", node)
    this = Signal(state.fresh_label("object"), 64, _handle_type(state, first), automatic=True, local=True)
    outer = state.randomized
    state.randomized = (Ref(this), found)
    targets = None
    if any(isinstance(argument, ast.NullLiteral) for argument in arguments):
        targets = ()
    elif arguments:
        targets = tuple(_target(state, argument) for argument in arguments)
    items = () if inline is None else convert_constraints(state, inline)
    state.randomized = outer
    return Randomize(handle, targets, items, this, span)


def _is_scope_randomize(node: ast.CallExpression) -> bool:
    """Say whether the variables of a scope are meant: then slang passes them as output arguments."""
    return all(isinstance(argument, ast.AssignmentExpression) for argument in node.arguments)


def _handle_type(state: State, node: ast.Expression | None) -> Type:
    if node is not None and state.layout(node.type).kind == HANDLE:
        return state.context.describe(node.type)
    return Type("class", 64, four_state=False)


def _target(state: State, node: ast.Expression) -> Expr:
    return lvalue_of(state, node.left if isinstance(node, ast.AssignmentExpression) else node)


def convert_mode(state: State, node: ast.CallExpression, arguments: list[ast.Expression]) -> Expr:
    """Convert `rand_mode` or `constraint_mode` of one variable or constraint (IEEE 1800-2023 18.8, 18.9)."""
    subject, rest = arguments[0], arguments[1:]
    name = node.subroutineName
    owner: Expr | None = state.this
    symbol: ast.Symbol | None = None
    if isinstance(subject, ast.MemberAccessExpression):
        symbol, owner = subject.member, value_of(state, subject.value)
    elif isinstance(subject, ast.NamedValueExpression | ast.ArbitrarySymbolExpression):
        symbol = subject.symbol
    if owner is None or not isinstance(symbol, ast.ClassPropertySymbol | ast.ConstraintBlockSymbol):
        state.context.unsupported(f"'{name}' of this", node)
    args = (owner, Text(symbol.name), *(value_of(state, argument) for argument in rest))
    result = state.layout(node.type)
    width = result.width if result.is_flat else 0
    return SystemCall(f"class.{name}", args, width, result.signed, state.context.span(node))
