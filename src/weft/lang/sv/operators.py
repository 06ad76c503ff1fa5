"""Operators: unary, binary, conditional, `inside`, concatenation and replication (IEEE 1800-2023 11.4).

slang has already brought the operands of each operator to their common width (11.6) and type (11.8); what is left is
to choose between the signed and the unsigned operation, by the type of the result for arithmetic and of the operands
for comparisons, and to reduce the operands of logical operators to one bit.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyslang import ast
from pyslang.ast import BinaryOperator as B
from pyslang.ast import UnaryOperator as U

from weft.ir.design import AssignExpr, Binary, Cond, Const, Expr, Iterate, Real, Ref, Signal, Text, Type, Unary
from weft.lang.sv.build import choose, concat, constant, invert, known, repeat, resize, truth, unknown
from weft.lang.sv.constants import flatten
from weft.lang.sv.containers import join_containers
from weft.lang.sv.dispatch import layout_of, lvalue_of, truth_of, value_of
from weft.lang.sv.event_objects import NULL, is_event_object
from weft.lang.sv.ownership import default_value, equality
from weft.lang.sv.reals import convert_real_binary, convert_real_membership, rounded
from weft.lang.sv.shapes import align, elements_of, leaves_of
from weft.lang.sv.side_effects import check_held
from weft.lang.sv.strings import compare_strings, join_strings, repeat_string, word
from weft.lang.sv.tagged_unions import matched
from weft.lang.sv.types import ARRAY, CONTAINER, HANDLE, PACKED, REAL, STRING, STRUCT, Layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.lang.sv.state import State

# ------------------------------------------------------------------------------------------------- unary

_REDUCTIONS = {
    U.BitwiseAnd: ("redand", False),
    U.BitwiseOr: ("redor", False),
    U.BitwiseXor: ("redxor", False),
    U.BitwiseNand: ("redand", True),
    U.BitwiseNor: ("redor", True),
    U.BitwiseXnor: ("redxor", True),
}
INCREMENTS = {
    U.Preincrement: ("add", False),
    U.Postincrement: ("add", True),
    U.Predecrement: ("sub", False),
    U.Postdecrement: ("sub", True),
}


def folded(state: State, node: ast.Expression) -> Const | Real | Text | None:
    """Return an expression's value if slang has computed it."""
    value = node.constant
    if value is None:
        return None
    layout = state.layout(node.type)
    if layout.kind == STRING and isinstance(value.value, str):
        return Text(value.value)
    return flatten(value.value, layout)


def convert_unary(state: State, node: ast.Expression) -> Expr:
    """Convert a unary operator."""
    constant_value = folded(state, node)
    if constant_value is not None:
        return constant_value
    unary = cast("ast.UnaryExpression", node)
    op = unary.op
    if op in INCREMENTS:
        target, stepped, post = convert_increment(state, unary)
        return AssignExpr(target, stepped, target.width, post)
    if op is U.LogicalNot:
        return invert(truth_of(state, unary.operand))
    operand = value_of(state, unary.operand)
    if op is U.Plus:
        return operand
    if op is U.Minus:
        if layout_of(state, node).kind == REAL:
            return Unary("fneg", operand, 64)
        return Unary("neg", operand, layout_of(state, node).width)
    if op is U.BitwiseNot:
        return Unary("not", operand, operand.width)
    name, inverted = _REDUCTIONS[op]
    reduced = Unary(name, operand, 1)
    return invert(reduced) if inverted else reduced


def convert_increment(state: State, node: ast.UnaryExpression) -> tuple[Expr, Expr, bool]:
    """Return the target of `i++` or its like, its new value, and whether the old value is the result."""
    check_held(state, node.operand)
    layout = layout_of(state, node)
    name, post = INCREMENTS[node.op]
    old = value_of(state, node.operand)
    if layout.kind == REAL:
        stepped = rounded(Binary(f"f{name}", old, Real(1.0), 64), layout)
        return lvalue_of(state, node.operand), stepped, post
    new = Binary(name, old, constant(layout.width, 1), layout.width)
    return lvalue_of(state, node.operand), new, post


# ------------------------------------------------------------------------------------------------- binary

_ARITHMETIC = {
    B.Add: ("add", "add"),
    B.Subtract: ("sub", "sub"),
    B.Multiply: ("mul", "mul"),
    B.BinaryAnd: ("and", "and"),
    B.BinaryOr: ("or", "or"),
    B.BinaryXor: ("xor", "xor"),
    B.BinaryXnor: ("xnor", "xnor"),
    B.Divide: ("udiv", "sdiv"),
    B.Mod: ("umod", "smod"),
    B.LogicalShiftLeft: ("shl", "shl"),
    B.ArithmeticShiftLeft: ("shl", "shl"),
    B.LogicalShiftRight: ("lshr", "lshr"),
    B.ArithmeticShiftRight: ("lshr", "ashr"),
}
_MAY_BE_UNKNOWN = {B.Divide, B.Mod, B.Power}
_LOGICAL = {B.LogicalAnd, B.LogicalOr, B.LogicalImplication, B.LogicalEquivalence}
_COMPARISONS = {
    B.LessThan: ("ult", "slt"),
    B.LessThanEqual: ("ule", "sle"),
    B.GreaterThan: ("ugt", "sgt"),
    B.GreaterThanEqual: ("uge", "sge"),
    B.Equality: ("eq", "eq"),
    B.Inequality: ("ne", "ne"),
    B.CaseEquality: ("ceq", "ceq"),
    B.CaseInequality: ("cne", "cne"),
    B.WildcardEquality: ("weq", "weq"),
    B.WildcardInequality: ("wne", "wne"),
}


def convert_binary(state: State, node: ast.Expression) -> Expr:
    """Convert a binary operator."""
    constant_value = folded(state, node)
    if constant_value is not None:
        return constant_value
    binary = cast("ast.BinaryExpression", node)
    op = binary.op
    if op not in _LOGICAL:
        of_reals = convert_real_binary(state, binary)
        if of_reals is not None:
            return of_reals
    names = _ARITHMETIC.get(op)
    if names is not None:
        layout = layout_of(state, node)
        lhs, rhs = value_of(state, binary.left), value_of(state, binary.right)
        result = Binary(names[layout.signed], lhs, rhs, layout.width)
        return result if layout.four_state or op not in _MAY_BE_UNKNOWN else known(result)
    names = _COMPARISONS.get(op)
    if names is not None:
        return _convert_comparison(state, binary, names)
    if op is B.Power:
        return _convert_power(state, binary)
    lhs, rhs = truth_of(state, binary.left), truth_of(state, binary.right)
    if op is B.LogicalAnd:
        return Binary("land", lhs, rhs, 1)
    if op is B.LogicalOr:
        return Binary("lor", lhs, rhs, 1)
    if op is B.LogicalImplication:
        return Binary("lor", invert(lhs), rhs, 1)
    return Binary("xnor", lhs, rhs, 1)


def _compared(state: State, node: ast.Expression, of_events: bool) -> Expr:
    """Return what is compared or chosen; null is another handle among events."""
    return constant(64, NULL) if of_events and isinstance(node, ast.NullLiteral) else value_of(state, node)


def _convert_comparison(state: State, node: ast.BinaryExpression, names: tuple[str, str]) -> Expr:
    left = layout_of(state, node.left)
    right = layout_of(state, node.right)
    of_events = is_event_object(state, node.left.type) or is_event_object(state, node.right.type)
    lhs, rhs = (_compared(state, one, of_events) for one in (node.left, node.right))
    if left.kind == STRING:
        return compare_strings(names[1], lhs, rhs)
    if left.has_word and left.kind != HANDLE and right.kind != HANDLE:
        same = equality("ceq" if "c" in names[0] else "eq", lhs, rhs, left, right)
        return invert(same) if "n" in names[0] else same
    if left.kind == ARRAY:
        rhs = align(rhs, right, left)
    return Binary(names[left.signed and right.signed], lhs, rhs, 1)


def _convert_power(state: State, node: ast.BinaryExpression) -> Expr:
    """Convert `**`: its sign is the left operand's, the right one is self-determined (IEEE 1800-2023 11.4.3)."""
    layout = layout_of(state, node)
    exponent = layout_of(state, node.right)
    base, power = value_of(state, node.left), value_of(state, node.right)
    width = layout.width
    if not exponent.signed and isinstance(base, Const) and base == constant(width, 2):
        return Binary("shl", constant(width, 1), power, width)
    if not layout.signed and not exponent.signed:
        result: Expr = Binary("upow", base, power, width)
    elif layout.signed:
        result = Binary("spow", base, power if exponent.signed else resize(power, power.width + 1, False), width)
    else:
        # The base is not negative, and one more bit makes it so for the signed operation.
        result = resize(Binary("spow", resize(base, width + 1, False), power, width + 1), width, False)
    return result if layout.four_state else known(result)


# ------------------------------------------------------------------------------------------------- choice


def convert_condition(state: State, conditions: list[ast.ConditionalExpression.Condition], node: object) -> Expr:
    """Return the conjunction of the conditions of `?:` or `if`, as one bit."""
    result: Expr | None = None
    for condition in conditions:
        value = truth_of(state, condition.expr) if condition.pattern is None else matched(state, condition)
        result = value if result is None else Binary("land", result, value, 1)
    assert result is not None, node
    return result


def convert_conditional(state: State, node: ast.Expression) -> Expr:
    """Convert `?:`."""
    constant_value = folded(state, node)
    if constant_value is not None:
        return constant_value
    conditional = cast("ast.ConditionalExpression", node)
    cond = convert_condition(state, conditional.conditions, node)
    layout = layout_of(state, node)
    of_events = is_event_object(state, node.type)
    then = _arm(state, conditional.left, layout, of_events)
    other = _arm(state, conditional.right, layout, of_events)
    if layout.kind == PACKED or isinstance(cond, Const):
        return choose(cond, word(then) if layout.kind != STRING else then, other)
    if layout.has_word:
        # Of an unknown condition IEEE 1800-2023 11.4.11 makes the default value, unless both arms are equal.
        same = equality("eq", then, other, layout, layout)
        default = default_value(layout)
        then, other = word(then), word(other)
        chosen = Cond(known(cond), then, other, layout.width)
        if not any(state.layout(one.expr.type).four_state for one in conditional.conditions):
            return chosen
        return choose(Unary("isunknown", cond, 1), choose(truth(known(same)), then, default), chosen)
    return _choose_elements(cond, then, other, layout)


def _choose_elements(cond: Expr, then: Expr, other: Expr, layout: Layout) -> Expr:
    """Choose between aggregates: an unknown condition keeps equal elements whole and makes the others default ones."""
    merged: list[Expr] = []
    for (a, element), (b, _) in reversed(list(zip(leaves_of(then, layout), leaves_of(other, layout), strict=True))):
        default = unknown(a.width) if element.four_state else constant(a.width, 0)
        merged.append(choose(Binary("ceq", a, b, 1), a, default))
    return choose(Unary("isunknown", cond, 1), concat(merged), choose(cond, then, other))


def _arm(state: State, node: ast.Expression, layout: Layout, of_events: bool) -> Expr:
    value = _compared(state, node, of_events)
    return align(value, layout_of(state, node), layout) if layout.kind in (ARRAY, STRUCT) else value


def convert_inside(state: State, node: ast.Expression) -> Expr:
    """Convert `inside`: the `or` of wildcard equalities and range checks (IEEE 1800-2023 11.4.13)."""
    constant_value = folded(state, node)
    if constant_value is not None:
        return constant_value
    inside = cast("ast.InsideExpression", node)
    layout = layout_of(state, inside.left)
    subject = value_of(state, inside.left)
    result: Expr | None = None
    for item in inside.rangeList:
        for test in _membership(state, subject, layout, item):
            result = test if result is None else Binary("or", result, test, 1)
    return result if result is not None else constant(1, 0)


def _membership(state: State, subject: Expr, layout: Layout, item: ast.Expression) -> list[Expr]:
    if REAL in (layout.kind, state.layout(item.type).kind):
        return _real_membership(state, subject, layout, item)
    if isinstance(item, ast.ValueRangeExpression):
        if layout.kind == STRING:
            low, high = value_of(state, item.left), value_of(state, item.right)
            return [Binary("land", compare_strings("sge", subject, low), compare_strings("sle", subject, high), 1)]
        low, high = range_bounds(state, item, layout)
        tests = [_compare("ge", subject, low, layout), _compare("le", subject, high, layout)]
        present = [test for test in tests if test is not None]
        if not present:
            return [constant(1, 1)]
        return present if len(present) == 1 else [Binary("land", present[0], present[1], 1)]
    item_layout = layout_of(state, item)
    if item_layout.kind == CONTAINER:
        return [_found(state, subject, layout, item, item_layout)]
    if item_layout.kind == ARRAY:
        flat = value_of(state, item)
        return [_wildcard(subject, layout, value, element) for value, element in elements_of(flat, item_layout)]
    return [_wildcard(subject, layout, value_of(state, item), item_layout)]


def _real_membership(state: State, subject: Expr, layout: Layout, item: ast.Expression) -> list[Expr]:
    if not isinstance(item, ast.ValueRangeExpression):
        return convert_real_membership(state, subject, layout, [item])
    ends = [None if isinstance(end, ast.UnboundedLiteral) else end for end in (item.left, item.right)]
    tests = convert_real_membership(state, subject, layout, ends)
    if not tests:
        return [constant(1, 1)]
    return tests if len(tests) == 1 else [Binary("land", tests[0], tests[1], 1)]


def _found(state: State, subject: Expr, layout: Layout, node: ast.Expression, item_layout: Layout) -> Expr:
    """Return whether a container has an element that matches, as the reduction of a comparison with each."""
    element = item_layout.element
    if element is None or element.kind not in (PACKED, STRING):
        state.context.unsupported("'inside' of an array of such elements", node)
    described = state.context.describe(node.type.canonicalType.arrayElementType)
    item = Signal(state.fresh_label("item"), element.width, described, 0, element.signed, automatic=True, local=True)
    number = Type("int", 32, True, False)
    index = Signal(state.fresh_label("index"), 32, number, 0, True, automatic=True, local=True)
    test = _wildcard(subject, layout, Ref(item), element)
    return Iterate("or", value_of(state, node), item, index, test, 1, Type("logic", 1), span=state.context.span(node))


def _wildcard(subject: Expr, layout: Layout, item: Expr, item_layout: Layout) -> Expr:
    if layout.kind == STRING:
        return compare_strings("eq", subject, item)
    if layout.has_word:
        return equality("eq", subject, item, layout, item_layout)
    width = max(subject.width, item.width)
    signed = layout.signed and item_layout.signed
    return Binary("weq", resize(subject, width, signed), resize(item, width, signed), 1)


def _compare(order: str, subject: Expr, bound: Expr | None, layout: Layout) -> Expr | None:
    return bound and Binary(("s" if layout.signed else "u") + order, subject, bound, 1)


def range_bounds(state: State, item: ast.ValueRangeExpression, layout: Layout) -> tuple[Expr | None, Expr | None]:
    """Return the bounds of `[low:high]` in the width of what is compared with them; None stands for `$`."""
    if item.syntax is not None and "+" in str(getattr(item.syntax, "op", "")):
        state.context.unsupported("a tolerance range", item)
    bounds: list[Expr | None] = []
    for bound in (item.left, item.right):
        while isinstance(bound, ast.ConversionExpression) and bound.operand.type.isUnbounded:
            bound = bound.operand
        if isinstance(bound, ast.UnboundedLiteral):
            bounds.append(None)
            continue
        bound_layout = layout_of(state, bound)
        value = value_of(state, bound)
        if bound_layout.width > layout.width:
            state.context.unsupported("a range bound wider than what is compared with it", bound)
        bounds.append(resize(value, layout.width, layout.signed and bound_layout.signed))
    return bounds[0], bounds[1]


# ------------------------------------------------------------------------------------------------- concatenation


def convert_concatenation(state: State, node: ast.Expression) -> Expr:
    """Convert `{a, b}` to bits, or to an unpacked array (IEEE 1800-2023 10.10)."""
    constant_value = folded(state, node)
    if constant_value is not None:
        return constant_value
    return join(state, cast("ast.ConcatenationExpression", node), value_of)


def convert_concatenation_lvalue(state: State, node: ast.Expression) -> Expr:
    """Convert `{a, b}` that is assigned."""
    return join(state, cast("ast.ConcatenationExpression", node), lvalue_of)


def join(state: State, node: ast.ConcatenationExpression, convert: Callable[[State, ast.Expression], Expr]) -> Expr:
    """Concatenate the operands of a concatenation or of an unpacked array concatenation."""
    layout = layout_of(state, node)
    if layout.kind == STRING:
        return join_strings(state, node)
    if layout.kind == CONTAINER:
        return join_containers(state, node)
    if layout.kind != ARRAY:
        return concat([convert(state, operand) for operand in node.operands if not operand.type.isVoid])
    parts: list[Expr] = []
    for operand in node.operands:
        part, part_layout = word(convert(state, operand)), layout_of(state, operand)
        if part_layout.kind == CONTAINER and (layout.element is None or layout.element.kind != CONTAINER):
            state.context.unsupported("a container in a concatenation of fixed size", operand)
        if part_layout.kind == ARRAY and part_layout.descending != layout.descending:
            part = concat([value for value, _ in elements_of(part, part_layout)])
        parts.append(part)
    return concat(parts if layout.descending else parts[::-1])


def convert_replication(state: State, node: ast.Expression) -> Expr:
    """Convert `{n{a}}`."""
    constant_value = folded(state, node)
    if constant_value is not None:
        return constant_value
    replication = cast("ast.ReplicationExpression", node)
    if state.layout(node.type).kind == STRING:
        return repeat_string(state, replication)
    value = value_of(state, replication.concat)
    return repeat(layout_of(state, node).width // value.width, value)
