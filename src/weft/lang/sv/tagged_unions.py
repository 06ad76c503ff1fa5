"""Tagged unions and pattern matching (IEEE 1800-2023 7.3.2, 11.9, 12.6).

The flat form of a tagged union is a tag in the high bits, the number of the member in the order of the declaration,
then the member's value in the low bits (packed, as slang lays it out) or the high ones of the rest (unpacked). A
pattern becomes a condition over the value, and assignments to the variables that it binds, which are made before
whatever the pattern guards.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyslang import ast

from weft.base.dataclass import dataclass, field
from weft.ir.design import Assign, AssignExpr, Binary, Block, Const, Expr, If, Ref, Statement, SystemCall
from weft.lang.sv.build import bits_of, concat, constant, resize, truth
from weft.lang.sv.dispatch import layout_of, truth_of, value_of
from weft.lang.sv.flow import statement_of
from weft.lang.sv.ownership import assigned, equality, vector_signal
from weft.lang.sv.strings import word
from weft.lang.sv.types import PACKED, Layout

if TYPE_CHECKING:
    from weft.lang.sv.state import State


@dataclass(slots=True)
class Match:
    """Be what a pattern comes to: tests of one bit that must all hold, and variables with what they are bound to.

    `wild` says which unknown bits of a constant match any bit: none, `z`, or `xz`.
    """

    tests: list[Expr] = field(default_factory=list[Expr])
    bound: list[tuple[Ref, Expr]] = field(default_factory=list[tuple[Ref, Expr]])
    wild: str = ""

    def condition(self) -> Expr:
        """Return the conjunction of the tests, in which the variables are assigned once the tests hold."""
        result: Expr = constant(1, 1)
        parts = list(self.tests)
        for variable, value in self.bound:
            if variable.width:
                # Only that it is assigned matters: whatever the value, the disjunction is true.
                made = truth(AssignExpr(variable, value, variable.width))
                parts.append(Binary("lor", made, constant(1, 1), 1))
        for i, part in enumerate(parts):
            result = part if i == 0 else Binary("land", result, part, 1)
        return result


def convert_tagged(state: State, node: ast.Expression) -> Expr:
    """Convert `tagged member value`."""
    tagged = cast("ast.TaggedUnionExpression", node)
    layout = layout_of(state, node)
    number, offset, member = _member(layout, tagged.member.name)
    parts: list[Expr] = [constant(layout.tag_bits, number)]
    room = layout.width - layout.tag_bits
    chosen = tagged.member
    if tagged.valueExpr is None or not isinstance(chosen, ast.FieldSymbol):
        return concat([*parts, constant(room, 0)])
    value = word(assigned(state, tagged.valueExpr, chosen.type))
    return concat([*parts, constant(room - offset - member.width, 0), value, constant(offset, 0)])


def _member(layout: Layout, name: str) -> tuple[int, int, Layout]:
    offset, member = layout.fields[name]
    return list(layout.fields).index(name), offset, member


def match_pattern(state: State, pattern: ast.Pattern, value: Expr, layout: Layout, found: Match) -> None:
    """Add to `found` what it takes for a value to match a pattern."""
    match pattern:
        case ast.WildcardPattern():
            pass
        case ast.VariablePattern():
            symbol = pattern.variable
            signal = vector_signal(state, symbol, state.fresh_label(symbol.name))
            state.names[symbol] = Ref(signal)
            state.vectors.add(symbol)
            state.context.add_local(signal)
            found.bound.append((Ref(signal), value))
        case ast.ConstantPattern():
            found.tests.append(_constant_test(state, pattern, value, layout, found.wild))
        case ast.TaggedPattern():
            number, offset, member = _member(layout, pattern.member.name)
            tag = bits_of(value, layout.width - layout.tag_bits, layout.tag_bits)
            found.tests.append(Binary("ceq", tag, constant(layout.tag_bits, number), 1))
            if pattern.valuePattern is not None:
                match_pattern(state, pattern.valuePattern, bits_of(value, offset, member.width), member, found)
        case ast.StructurePattern():
            for part in pattern.patterns:
                offset, member = layout.fields[part.field.name]
                match_pattern(state, part.pattern, bits_of(value, offset, member.width), member, found)
        case _:
            state.context.unsupported("this pattern", pattern)


def matched(state: State, condition: ast.ConditionalExpression.Condition) -> Expr:
    """Convert a condition of `if` or `?:` that has a pattern."""
    found = Match()
    match_pattern(state, condition.pattern, value_of(state, condition.expr), layout_of(state, condition.expr), found)
    return found.condition()


def convert_pattern_case(state: State, node: ast.Statement) -> Statement:
    """Convert `case ... matches` to a chain of `if` statements."""
    case = cast("ast.PatternCaseStatement", node)
    span = state.context.span(node)
    if case.check in _CHECKED:
        state.context.unsupported("'unique' or 'priority' before 'case ... matches'", node)
    layout = layout_of(state, case.expr)
    subject = Ref(state.context.temporary("subject", layout.width))
    default = case.defaultCase
    branches: list[tuple[Expr, Statement]] = []
    for item in case.items:
        found = Match(wild=_WILD.get(case.condition, ""))
        match_pattern(state, item.pattern, subject, layout, found)
        cond = found.condition()
        if item.filter is not None:
            cond = Binary("land", cond, truth_of(state, item.filter), 1)
        branches.append((cond, statement_of(state, item.stmt)))
    result = statement_of(state, default) if default is not None else None
    for cond, body in reversed(branches):
        result = If(cond, body, result, span=span)
    first = Assign(subject, value_of(state, case.expr), True, span)
    return Block((first, result)) if result is not None else Block((first,))


_CHECKED = (ast.UniquePriorityCheck.Unique, ast.UniquePriorityCheck.Unique0, ast.UniquePriorityCheck.Priority)
_WILD = {ast.CaseStatementCondition.WildcardJustZ: "z", ast.CaseStatementCondition.WildcardXOrZ: "xz"}


def _constant_test(state: State, pattern: ast.ConstantPattern, value: Expr, layout: Layout, wild: str) -> Expr:
    other, wanted = layout_of(state, pattern.expr), value_of(state, pattern.expr)
    if layout.kind != PACKED or other.kind != PACKED:
        return equality("ceq", value, wanted, layout, other)
    width = max(layout.width, other.width)
    signed = layout.signed and other.signed
    value, wanted = resize(value, width, signed), resize(wanted, width, signed)
    if wild:
        if layout.four_state or not isinstance(wanted, Const):
            state.context.unsupported("'casez' or 'casex' of a 4-state value with patterns", pattern)
        # A bit of the pattern that is z, or with `casex` x, matches any (IEEE 1800-2023 12.5.1).
        ignored = wanted.unknown if wild == "xz" else wanted.unknown & wanted.value
        mask = constant(width, ((1 << width) - 1) & ~ignored)
        kept = constant(width, wanted.value & ~ignored, wanted.unknown & ~ignored)
        return Binary("ceq", Binary("and", value, mask, width), kept, 1)
    return Binary("ceq", value, wanted, 1)


def member_value(state: State, value: Expr, node: ast.MemberAccessExpression, layout: Layout) -> Expr:
    """Return the value of a member of a tagged union, which must be the one that was assigned (11.9)."""
    number, offset, member = _member(layout, node.member.name)
    tag = bits_of(value, layout.width - layout.tag_bits, layout.tag_bits)
    described = state.context.describe(node.type) if member.has_word else None
    args = (bits_of(value, offset, member.width), tag, constant(layout.tag_bits, number))
    return SystemCall("union.check", args, member.width, member.signed, state.context.span(node), described)
