"""Instances of checkers as scopes of the module that they are in (IEEE 1800-2023 clause 17).

slang puts the actual arguments in the place of a checker's inputs, so that its body is like a generate block's. An
output is a variable of the checker, with its initial value, which a continuous assignment hands to the actual variable.
In an `always_ff` procedure of a checker all expressions are sampled but those of event controls (17.5). Free variables
(`rand`), and checkers as statements of procedures, are `Unsupported`.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pyslang import ast

from weft.base.dataclass import fields, replace
from weft.ir.design import Assign, ContinuousAssign, Expr, Ref, Signal, Statement, Type
from weft.lang.sv.dispatch import lvalue_of
from weft.lang.sv.leaf_values import convert_initializer
from weft.lang.sv.reals import convert_number
from weft.lang.sv.sampling import sample

if TYPE_CHECKING:
    from weft.lang.sv.context import ModuleContext
    from weft.lang.sv.state import State


def declare_outputs(context: ModuleContext, checker: ast.CheckerInstanceSymbol, prefix: str) -> None:
    """Create the variables of a checker's outputs; refuse one with free variables."""
    for symbol in checker.body:
        if isinstance(symbol, ast.VariableSymbol) and ast.VariableFlags.CheckerFreeVariable in symbol.flags:
            context.unsupported("a free variable of a checker", symbol)
        if isinstance(symbol, ast.FormalArgumentSymbol):
            made = context.declare(symbol, prefix + symbol.name)
            if isinstance(made, dict):
                context.unsupported("an output of a checker of an unpacked struct type", symbol)
            made.automatic = False


def connect_outputs(context: ModuleContext, checker: ast.CheckerInstanceSymbol) -> None:
    """Give the outputs their initial values, and hand them to the actual variables."""
    for connection in checker.portConnections:
        formal, actual = connection.formal, connection.actual
        if not isinstance(formal, ast.FormalArgumentSymbol):
            continue
        if connection.outputInitialExpr is not None:
            convert_initializer(context, formal, connection.outputInitialExpr)
        if not isinstance(actual, ast.AssignmentExpression):
            continue
        state, wanted = context.state, actual.left.type
        if not (formal.type.isIntegral and wanted.isIntegral):
            context.unsupported("an output of a checker that is no vector", formal)
        value = convert_number(Ref(context.signal(formal)), state.layout(formal.type), state.layout(wanted))
        target = ContinuousAssign(lvalue_of(state, actual.left), value, context.span(actual))
        context.module.assigns.append(target)


def sampled_body(state: State, body: Statement, node: Any) -> Statement:
    """Return a statement of an `always_ff` procedure of a checker, whose expressions are sampled."""
    return cast("Statement", _sampled(state, body, node))


def _sampled(state: State, part: Any, node: Any) -> Any:
    if isinstance(part, tuple):
        return tuple(_sampled(state, inner, node) for inner in cast("tuple[Any, ...]", part))
    if isinstance(part, Expr):
        return sample(state, part, node)
    if isinstance(part, Signal | Type) or not hasattr(type(part), "__match_args__"):
        return part
    kept = {"lhs", "timing", "events", "span"} if isinstance(part, Assign) else {"events", "span"}
    changes = {name: _sampled(state, getattr(part, name), node) for name in fields(part) if name not in kept}
    return replace(part, **changes)


__all__ = ["connect_outputs", "declare_outputs", "sampled_body"]
