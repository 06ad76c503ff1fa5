"""Arguments of a covergroup by reference (IEEE 1800-2023 19.3).

An instance samples the variable that it was made with. All variables that the module gives to the argument are known
when the design is built, so a reference is a number among them, and its value a choice by that number.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.ir.design import Binary, Cond, Expr
from weft.lang.sv.build import constant
from weft.lang.sv.constants import index_value
from weft.lang.sv.dispatch import layout_of, value_of
from weft.lang.sv.sampling import key_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State


class CoverReference:
    """Be one argument by reference: the variables that it may stand for."""

    def __init__(self, state: State, found: ast.CovergroupType, position: int) -> None:
        self.home = state.context.home_of(found)
        formal = found.arguments[position]
        body = found.parentScope.containingInstance
        if body is None or self.home.state is not state:
            state.context.unsupported("an argument by reference of a covergroup outside modules", formal)
        actuals: list[ast.Expression] = []

        def look(node: ast.NewCovergroupExpression) -> None:
            if node.type.canonicalType == found:
                actuals.append(node.arguments[position])

        body.visit(lookup_table={ast.ExpressionKind.NewCovergroup: look})
        self.values: dict[object, Expr] = {}
        for actual in actuals:
            value = self._value(state, actual)
            self.values.setdefault(key_of(value), value)

    def _value(self, state: State, actual: ast.Expression) -> Expr:
        if not _is_static(actual):
            state.context.unsupported("an argument by reference of a covergroup that is no static variable", actual)
        layout_of(state, actual)
        return value_of(state, actual)

    def number(self, state: State, actual: ast.Expression) -> int:
        """Return which variable an actual argument is."""
        keys = list(self.values)
        key = key_of(self._value(state, actual)) if state is self.home.state else None
        if key not in keys:
            return state.context.unsupported("an argument by reference of a covergroup of another module", actual)
        return keys.index(key)

    def choose(self, number: Expr) -> Expr:
        """Return the value of the variable of a number."""
        values = list(self.values.values())
        result = values[-1] if values else constant(1, 0)
        for i in range(len(values) - 2, -1, -1):
            result = Cond(Binary("eq", number, constant(32, i), 1), values[i], result, result.width)
        return result


def _is_static(node: ast.Expression) -> bool:
    """Say whether an expression always means the same variable, or the same part of one."""
    match node:
        case ast.NamedValueExpression() | ast.HierarchicalValueExpression():
            symbol = node.symbol
            if isinstance(symbol, ast.ClassPropertySymbol):
                return False
            return not isinstance(symbol, ast.VariableSymbol) or symbol.lifetime == ast.VariableLifetime.Static
        case ast.MemberAccessExpression():
            return not node.value.type.isClass and _is_static(node.value)
        case ast.ElementSelectExpression():
            fixed = not node.value.type.canonicalType.isArray or isinstance(
                node.value.type.canonicalType, ast.FixedSizeUnpackedArrayType | ast.PackedArrayType
            )
            return fixed and index_value(node.selector) is not None and _is_static(node.value)
        case _:
            return False
