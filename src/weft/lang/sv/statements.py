"""Statements: slang's tree to the design's (IEEE 1800-2023 clause 12).

One function for each class of statement, found in a table as for expressions. Declarations with an initialiser become
assignments where control passes them, if the variable is automatic; a static variable's initialiser belongs to its
signal. A `foreach` becomes nested loops. `break` out of several of them, and `disable`, leave a labelled block.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyslang import ast

from weft.ir.design import (
    Assertion,
    Assign,
    Block,
    Case,
    CaseItem,
    Const,
    Event,
    Expr,
    If,
    Jump,
    Ref,
    Statement,
)
from weft.lang.sv import events, forks, loops, procedural_assigns, timing
from weft.lang.sv.actions import convert_expression_statement
from weft.lang.sv.assertion_controls import immediate_kind, make_control
from weft.lang.sv.build import constant, resize
from weft.lang.sv.concurrent_assertions import convert_procedural_assertion
from weft.lang.sv.dispatch import layout_of, truth_of, value_of
from weft.lang.sv.expressions import value_as
from weft.lang.sv.flow import STATEMENTS, statement_of
from weft.lang.sv.leaf_values import convert_initializer
from weft.lang.sv.operators import convert_condition, range_bounds
from weft.lang.sv.ownership import assigned, default_value
from weft.lang.sv.random_choice import convert_randcase
from weft.lang.sv.reals import as_real, choose_branch
from weft.lang.sv.selects import Place
from weft.lang.sv.tagged_unions import convert_pattern_case
from weft.lang.sv.types import REAL, Layout
from weft.lang.sv.wait_orders import convert_wait_order

if TYPE_CHECKING:
    from weft.lang.sv.state import Context, State


def convert_statement(context: Context, node: ast.Statement, scope: str = "") -> Statement:
    """Convert the body of a procedure; `scope` is the path of the generate blocks around it, below the instance."""
    state = context.state
    outer, state.scope = state.scope, scope
    result = statement_of(state, node)
    state.scope = outer
    return result


def convert_timing(context: Context, control: ast.TimingControl) -> tuple[Event, ...]:
    """Convert the event control of an `always` procedure; an implicit one (`@*`) gives no events."""
    return timing.events_of(context.state, control)


# ------------------------------------------------------------------------------------------------- blocks


def _convert_list(state: State, node: ast.Statement) -> Statement:
    return Block(tuple(_statements(state, cast("ast.StatementList", node).list)))


def _statements(state: State, nodes: list[ast.Statement]) -> list[Statement]:
    result: list[Statement] = []
    for node in nodes:
        if type(node) is ast.EmptyStatement:
            continue
        statement = statement_of(state, node)
        if type(statement) is Block and not (statement.label or statement.fork or statement.locals):
            result += statement.body
        else:
            result.append(statement)
    return result


def _convert_block(state: State, node: ast.Statement) -> Statement:
    return forks.convert_block(state, node, _statements)


def _convert_declaration(state: State, node: ast.Statement) -> Statement:
    symbol = cast("ast.VariableDeclStatement", node).symbol
    layout = state.layout(symbol.type)
    if not layout.is_flat:
        state.context.unsupported(f"a variable of type '{symbol.type}'", symbol)
    if symbol.lifetime == ast.VariableLifetime.Automatic:
        return _declare_automatic(state, symbol, layout, node)
    if symbol.initializer is not None:
        convert_initializer(state.context, symbol, symbol.initializer)
    return Block(())


def _declare_automatic(state: State, symbol: ast.VariableSymbol, layout: Layout, node: ast.Statement) -> Statement:
    """Give an automatic variable its initial value, or the default of its type, each time it comes into being."""
    if layout.has_struct:
        signals, path = state.context.leaves(symbol)
        state.declared += signals.values()
        target = Place(signals, path, (), (), layout).target()
    else:
        signal = state.context.signal(symbol)
        state.declared.append(signal)
        target = Ref(signal)
    initial = symbol.initializer
    value = value_as(state, initial, symbol) if initial is not None else default_value(layout)
    return Assign(target, value, True, state.context.span(node))


def _convert_empty(state: State, node: ast.Statement) -> Statement:
    return Block(())


# ------------------------------------------------------------------------------------------------- choice


_CHECKS = {
    ast.UniquePriorityCheck.Unique: "unique",
    ast.UniquePriorityCheck.Unique0: "unique0",
    ast.UniquePriorityCheck.Priority: "priority",
}


def _check(state: State, check: ast.UniquePriorityCheck) -> str:
    """Return what `unique`, `unique0` or `priority` asks for, unless such checks are left out."""
    return "" if state.context.ignore_assertions else _CHECKS.get(check, "")


def _convert_if(state: State, node: ast.Statement) -> Statement:
    conditional = cast("ast.ConditionalStatement", node)
    cond = convert_condition(state, conditional.conditions, node)
    otherwise = conditional.ifFalse
    check = _check(state, conditional.check)
    if isinstance(cond, Const) and not check:
        if cond.value & ~cond.unknown:
            return statement_of(state, conditional.ifTrue)
        return statement_of(state, otherwise) if otherwise is not None else Block(())
    then = statement_of(state, conditional.ifTrue)
    other = statement_of(state, otherwise) if otherwise is not None else None
    return If(cond, then, other, check, state.context.span(node))


_CASES = {
    ast.CaseStatementCondition.Normal: "case",
    ast.CaseStatementCondition.WildcardJustZ: "casez",
    ast.CaseStatementCondition.WildcardXOrZ: "casex",
    ast.CaseStatementCondition.Inside: "inside",
}


def _convert_case(state: State, node: ast.Statement) -> Statement:
    case = cast("ast.CaseStatement", node)
    kind = _CASES[case.condition]
    layout = layout_of(state, case.expr)
    subject = value_of(state, case.expr)
    items = tuple(
        CaseItem(
            tuple(_label(state, label, layout) for label in item.expressions),
            statement_of(state, item.stmt),
        )
        for item in case.items
    )
    default = case.defaultCase
    converted = Case(
        kind,
        subject,
        items,
        statement_of(state, default) if default is not None else None,
        _check(state, case.check),
        state.context.span(node),
        layout.signed,
    )
    return choose_branch(state, converted, converted.span) if layout.kind == REAL else converted


def _label(state: State, node: ast.Expression, layout: Layout) -> Expr | tuple[Expr, Expr]:
    if isinstance(node, ast.ValueRangeExpression):
        low, high = range_bounds(state, node, layout)
        smallest, largest = _extremes(layout)
        return low if low is not None else smallest, high if high is not None else largest
    own = layout_of(state, node)
    if REAL in (own.kind, layout.kind):
        return as_real(value_of(state, node), own)
    if own.width > layout.width:
        state.context.unsupported("a case label wider than the expression", node)
    return resize(value_of(state, node), layout.width, own.signed and layout.signed)


def _extremes(layout: Layout) -> tuple[Expr, Expr]:
    width = layout.width
    sign = 1 << (width - 1)
    return (
        (constant(width, sign), constant(width, sign - 1))
        if layout.signed
        else (
            constant(width, 0),
            constant(width, 2 * sign - 1),
        )
    )


# ------------------------------------------------------------------------------------------------- jumps


def _convert_return(state: State, node: ast.Statement) -> Statement:
    value = cast("ast.ReturnStatement", node).expr
    converted = assigned(state, value, value.type) if value is not None else None
    return Jump("return", value=converted, span=state.context.span(node))


def _convert_break(state: State, node: ast.Statement) -> Statement:
    label = state.breaks[-1] if state.breaks else ""
    return Jump("disable" if label else "break", label, span=state.context.span(node))


def _convert_continue(state: State, node: ast.Statement) -> Statement:
    return Jump("continue", span=state.context.span(node))


# ------------------------------------------------------------------------------------------------- assertions

_ASSERTIONS = {ast.AssertionKind.Assert: "assert", ast.AssertionKind.Assume: "assume"}


def _convert_assertion(state: State, node: ast.Statement) -> Statement:
    assertion = cast("ast.ImmediateAssertionStatement", node)
    kind, span = _ASSERTIONS.get(assertion.assertionKind, "cover"), state.context.span(node)
    return Assertion(
        kind,
        truth_of(state, assertion.cond),
        _action(state, assertion.ifTrue),
        _action(state, assertion.ifFalse),
        ("final" if assertion.isFinal else "observed") if assertion.isDeferred else "",
        state.scope,
        span,
        make_control(state, immediate_kind(assertion), kind, span),
    )


def _action(state: State, node: ast.Statement | None) -> Statement | None:
    return statement_of(state, node) if node is not None and type(node) is not ast.EmptyStatement else None


STATEMENTS.update(
    {
        ast.EmptyStatement: _convert_empty,
        ast.StatementList: _convert_list,
        ast.BlockStatement: _convert_block,
        ast.VariableDeclStatement: _convert_declaration,
        ast.ExpressionStatement: convert_expression_statement,
        ast.ConditionalStatement: _convert_if,
        ast.CaseStatement: _convert_case,
        ast.ForLoopStatement: loops.convert_for,
        ast.WhileLoopStatement: loops.convert_while,
        ast.DoWhileLoopStatement: loops.convert_do_while,
        ast.ForeverLoopStatement: loops.convert_forever,
        ast.RepeatLoopStatement: loops.convert_repeat,
        ast.ForeachLoopStatement: loops.convert_foreach,
        ast.ReturnStatement: _convert_return,
        ast.BreakStatement: _convert_break,
        ast.ContinueStatement: _convert_continue,
        ast.DisableStatement: forks.convert_disable,
        ast.ImmediateAssertionStatement: _convert_assertion,
        ast.ConcurrentAssertionStatement: convert_procedural_assertion,
        ast.TimedStatement: timing.convert_timed,
        ast.WaitStatement: timing.convert_wait,
        ast.WaitForkStatement: forks.convert_wait_fork,
        ast.DisableForkStatement: forks.convert_disable_fork,
        ast.EventTriggerStatement: events.convert_trigger,
        ast.ProceduralAssignStatement: procedural_assigns.convert_force,
        ast.ProceduralDeassignStatement: procedural_assigns.convert_release,
        ast.RandCaseStatement: convert_randcase,
        ast.WaitOrderStatement: convert_wait_order,
        ast.PatternCaseStatement: convert_pattern_case,
    }
)
