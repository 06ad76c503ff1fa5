"""Real numbers: conversions, operators and system functions (IEEE 1800-2023 6.12, 11.3.1, 20.5, 20.8.2).

A real value is the 64-bit word of a double (`ir.expressions`); a `shortreal` is a double that has been rounded to
single precision. slang makes both operands of a mixed operator real; what is left is to choose the operation.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast
from pyslang.ast import BinaryOperator as B

from weft.ir.design import Assign, Binary, Block, Case, Expr, If, Real, Ref, Statement, Type, Unary
from weft.lang.sv.build import known, resize
from weft.lang.sv.constants import real_constant
from weft.lang.sv.dispatch import layout_of, value_of
from weft.lang.sv.types import REAL, Layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.base.source import Span
    from weft.lang.sv.state import State

REAL_TYPE = Type("real", 64, signed=True, four_state=False)

ZERO = Real(0.0)

_ARITHMETIC = {B.Add: "fadd", B.Subtract: "fsub", B.Multiply: "fmul", B.Divide: "fdiv", B.Power: "fpow"}
_COMPARISONS = {
    B.LessThan: "flt",
    B.LessThanEqual: "fle",
    B.GreaterThan: "fgt",
    B.GreaterThanEqual: "fge",
    B.Equality: "feq",
    B.Inequality: "fne",
    B.CaseEquality: "feq",
    B.CaseInequality: "fne",
}


def rounded(value: Expr, layout: Layout) -> Expr:
    """Round a real value as its type wants it."""
    if not layout.single:
        return value
    return real_constant(value.value, layout) if isinstance(value, Real) else Unary("fround", value, 64)


def as_real(value: Expr, layout: Layout) -> Expr:
    """Return a number as a real; x and z bits of an integer count as 0 (IEEE 1800-2023 6.12.1)."""
    if layout.kind == REAL:
        return value
    return Unary("itof" if layout.signed else "utof", value, 64)


def convert_number(value: Expr, source: Layout, target: Layout) -> Expr:
    """Convert a value as an assignment between integers and reals does (IEEE 1800-2023 6.12.1, 10.7)."""
    if target.kind == REAL:
        converted = as_real(value, source)
        return converted if source.kind == REAL and (source.single or not target.single) else rounded(converted, target)
    if source.kind == REAL:
        return Unary("ftoi", value, target.width)
    value = resize(value, target.width, source.signed)
    return value if target.four_state or not source.four_state else known(value)


def convert_real_binary(state: State, node: ast.BinaryExpression) -> Expr | None:
    """Convert a binary operator that computes with reals; None for one whose operands are integers."""
    left, right = layout_of(state, node.left), layout_of(state, node.right)
    if REAL not in (left.kind, right.kind):
        return None
    lhs, rhs = as_real(value_of(state, node.left), left), as_real(value_of(state, node.right), right)
    name = _COMPARISONS.get(node.op)
    if name is not None:
        return Binary(name, lhs, rhs, 1)
    name = _ARITHMETIC.get(node.op)
    if name is None:
        state.context.unsupported(f"the operator {node.op.name} of real numbers", node)
    return rounded(Binary(name, lhs, rhs, 64), layout_of(state, node))


def convert_real_membership(
    state: State, subject: Expr, layout: Layout, bounds: Sequence[ast.Expression | None]
) -> list[Expr]:
    """Return the tests that a real is one value, or lies between two (IEEE 1800-2023 11.4.13)."""
    number = as_real(subject, layout)
    others = [None if bound is None else as_real(value_of(state, bound), layout_of(state, bound)) for bound in bounds]
    operators = ("feq",) if len(others) == 1 else ("fge", "fle")
    pairs = zip(operators, others, strict=True)
    return [Binary(op, number, other, 1) for op, other in pairs if other is not None]


def choose_branch(state: State, case: Case, span: Span) -> Statement:
    """Return a `case` whose subject is real as a chain of `if` statements, as it compares by value."""
    subject, before = case.subject, list[Statement]()
    if not isinstance(subject, Ref | Real):
        holder = Ref(state.context.temporary("subject", 64))
        before, subject = [Assign(holder, subject, True, span)], holder
    result = case.default
    for item in reversed(case.items):
        tests = [_matches(subject, label) for label in item.labels]
        cond = tests[0]
        for test in tests[1:]:
            cond = Binary("lor", cond, test, 1)
        result = If(cond, item.body, result, "", span)
    last = result if result is not None else Block(())
    return Block((*before, last)) if before else last


def _matches(subject: Expr, label: Expr | tuple[Expr, Expr]) -> Expr:
    if isinstance(label, tuple):
        return Binary("land", Binary("fge", subject, label[0], 1), Binary("fle", subject, label[1], 1), 1)
    return Binary("feq", subject, label, 1)


def convert_real_literal(state: State, node: ast.Expression) -> Expr:
    """Convert a real or time literal; slang has scaled a time literal to the module's time unit (5.8)."""
    assert isinstance(node, ast.RealLiteral | ast.TimeLiteral)
    return Real(node.value)
