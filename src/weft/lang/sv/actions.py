"""Statements that are one expression: assignments, increments, calls of tasks and functions, system tasks."""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from pyslang import ast

from weft.ir.design import Assign, Block, Evaluate, Expr, Statement, SystemTask
from weft.lang.sv import timing
from weft.lang.sv.assertion_controls import check_control
from weft.lang.sv.calls import convert_user_call
from weft.lang.sv.casts import cast_statement
from weft.lang.sv.clocking import clock_variable, convert_drive
from weft.lang.sv.dispatch import value_of
from weft.lang.sv.expressions import assignment_of
from weft.lang.sv.operators import convert_increment
from weft.lang.sv.side_effects import hold_effects
from weft.lang.sv.system_calls import argument_types, convert_argument
from weft.lang.sv.types import VOID
from weft.lang.sv.virtual_interfaces import statement_through, targets_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State


def convert_expression_statement(state: State, node: ast.Statement) -> Statement:
    """Convert an expression statement."""
    return expression_statement(state, cast("ast.ExpressionStatement", node).expr)


def expression_statement(state: State, expression: ast.Expression) -> Statement:
    """Convert an assignment, an increment, or a call of a task or function as a statement."""
    return statement_through(state, expression, targets_of(expression), lambda: _statement(state, expression))


def _statement(state: State, expression: ast.Expression) -> Statement:
    outer = state.before, state.after
    state.before, state.after = [], []
    statement = _EXPRESSIONS.get(type(expression), _evaluate)(state, expression)
    before, after = state.before, state.after
    state.before, state.after = outer
    if before or after:
        return Block((*before, statement, *after))
    return statement


def _convert_assignment(state: State, node: ast.Expression) -> Statement:
    assignment = cast("ast.AssignmentExpression", node)
    clocked = clock_variable(assignment.left)
    if clocked is not None:
        return convert_drive(state, assignment, clocked, state.context.span(node))
    control = assignment.timingControl
    pause = None if control is None else timing.timing_of(state, control)
    if assignment.isCompound:
        hold_effects(state, assignment.left)
    target, value = assignment_of(state, assignment)
    return Assign(target, value, not assignment.isNonBlocking, state.context.span(node), pause)


def _convert_unary(state: State, node: ast.Expression) -> Statement:
    unary = cast("ast.UnaryExpression", node)
    if unary.op.value < ast.UnaryOperator.Preincrement.value:
        return _evaluate(state, node)
    hold_effects(state, unary.operand)
    target, value, _ = convert_increment(state, unary)
    return Assign(target, value, True, state.context.span(node))


def _convert_call(state: State, node: ast.Expression) -> Statement:
    call = cast("ast.CallExpression", node)
    subroutine = call.subroutine
    if isinstance(subroutine, ast.SubroutineSymbol):
        return Evaluate(convert_user_call(state, call, subroutine), state.context.span(node))
    if call.subroutineName == "$cast":
        return cast_statement(state, call)
    if state.layout(node.type).kind == VOID and call.subroutineName.startswith("$"):
        return _convert_system_task(state, call)
    return _evaluate(state, node)


def _convert_new(state: State, node: ast.Expression) -> Statement:
    """Convert `new` as a statement; `super.new` is part of the constructor already (`classes`)."""
    if cast("ast.NewClassExpression", node).isSuperClass:
        return Block(())
    return _evaluate(state, node)


def _evaluate(state: State, node: ast.Expression) -> Statement:
    return Evaluate(value_of(state, node), state.context.span(node))


_EXPRESSIONS: dict[type[ast.Expression], Callable[[State, ast.Expression], Statement]] = {
    ast.AssignmentExpression: _convert_assignment,
    ast.UnaryExpression: _convert_unary,
    ast.CallExpression: _convert_call,
    ast.NewClassExpression: _convert_new,
}

_MEMORY_TASKS = frozenset({"$readmemh", "$readmemb", "$writememh", "$writememb"})
_TEXT_ARGUMENTS = {**dict.fromkeys(_MEMORY_TASKS, 0), "$dumpfile": 0}


def _convert_system_task(state: State, node: ast.CallExpression) -> Statement:
    name = node.subroutineName
    check_control(state, node)
    args: list[Expr | None] = []
    signed: list[bool] = []
    for i, argument in enumerate(node.arguments):
        layout = state.layout(argument.type)
        args.append(convert_argument(state, argument, _TEXT_ARGUMENTS.get(name) == i))
        signed.append(layout.signed)
    text = _TEXT_ARGUMENTS.get(name)
    types = argument_types(state, list(node.arguments), () if text is None else (text,))
    return SystemTask(name, tuple(args), tuple(signed), state.context.span(node), state.scope, types)
