"""Expressions: slang's tree to the design's, one node of slang's touched once.

slang has resolved names, computed constants, and inserted a conversion wherever widths, signs or states change, so the
translation is local. It is one function for each class of node, found in a table (`dispatch`). Values are flat vectors
(`types`); an expression whose type has no such form (strings, reals, class objects) is `Unsupported` with its place.

Literals, conversions and the tables are here; names and selects are in `selects`, operators in `operators`, assignment
patterns and streams in `patterns`, calls in `calls` and `system_calls`.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyslang import ast

from weft.ir.design import AssignExpr, Expr, SystemCall, Text
from weft.lang.sv import operators, patterns, selects
from weft.lang.sv.build import constant, known, resize
from weft.lang.sv.calls import convert_call
from weft.lang.sv.classes import convert_copy, convert_new
from weft.lang.sv.constants import integer, literal_text
from weft.lang.sv.containers import convert_end, convert_new_array, unpack_container
from weft.lang.sv.covergroups import convert_new_group
from weft.lang.sv.dispatch import LVALUES, VALUES, lvalue_of, refuse_type, value_of
from weft.lang.sv.event_objects import null_event
from weft.lang.sv.operators import folded
from weft.lang.sv.ownership import assigned
from weft.lang.sv.reals import convert_number, convert_real_literal
from weft.lang.sv.shapes import align
from weft.lang.sv.side_effects import check_held
from weft.lang.sv.strings import STRING_TYPE, to_bits, to_string
from weft.lang.sv.tagged_unions import convert_tagged
from weft.lang.sv.types import ARRAY, CONTAINER, EVENT, HANDLE, PACKED, REAL, STRING, STRUCT, Layout
from weft.lang.sv.virtual_interfaces import convert_interface, target_root, value_through

if TYPE_CHECKING:
    from weft.lang.sv.state import Context, State


def convert(context: Context, node: ast.Expression) -> Expr:
    """Convert an expression to its value."""
    return value_of(context.state, node)


def convert_lvalue(context: Context, node: ast.Expression) -> Expr:
    """Convert the target of an assignment."""
    return lvalue_of(context.state, node)


def convert_assignment(context: Context, node: ast.AssignmentExpression) -> tuple[Expr, Expr]:
    """Convert an assignment, continuous or procedural, to its target and the value that it gets."""
    return assignment_of(context.state, node)


def assignment_of(state: State, node: ast.AssignmentExpression) -> tuple[Expr, Expr]:
    """Return target and value of an assignment; a compound one (`+=`) reads its target first."""
    left = node.left
    if isinstance(left, ast.StreamingConcatenationExpression):
        return _assign_stream(state, left, node.right)
    right = node.right
    if state.layout(left.type).kind == EVENT:
        state.context.unsupported("an assignment that makes two names of one event", node)
    if not node.isCompound:
        return lvalue_of(state, left), value_as(state, right, left)
    check_held(state, left)
    target = lvalue_of(state, left)
    outer, state.target = state.target, value_of(state, left)
    value = value_of(state, right)
    state.target = outer
    return target, value


def value_as(state: State, node: ast.Expression, target: ast.Expression | ast.ValueSymbol) -> Expr:
    """Convert what is assigned to `target`, whose type is equivalent but may have arrays of opposite direction."""
    return assigned(state, node, target.type)


def _assign_stream(
    state: State, left: ast.StreamingConcatenationExpression, right: ast.Expression
) -> tuple[Expr, Expr]:
    while isinstance(right, ast.ConversionExpression) and right.conversionKind == ast.ConversionKind.StreamingConcat:
        right = right.operand
    filled = patterns.streamed_container(state, left)
    if filled is not None:
        target, size = filled
        bits = patterns.stream_of(state, right)
        return lvalue_of(state, target), unpack_container(state, bits, size, target.type, left)
    if isinstance(right, ast.StreamingConcatenationExpression):
        source = patterns.stream_bits(state, right)
    else:
        source = patterns.operand_stream(state, right)
    if source.width < left.bitstreamWidth:
        state.context.unsupported("a streaming target wider than its source", left)
    return patterns.stream_target(state, left, source)


# ------------------------------------------------------------------------------------------------- literals


def _convert_integer(state: State, node: ast.Expression) -> Expr:
    value = cast("ast.IntegerLiteral", node).value
    return integer(value, value.bitWidth)


def _convert_string(state: State, node: ast.Expression) -> Expr:
    literal = cast("ast.StringLiteral", node)
    layout = state.layout(node.type)
    if layout.kind == PACKED:
        return integer(literal.intValue.value, layout.width)  # pyright: ignore[reportArgumentType]
    return Text(literal_text(literal))


# ------------------------------------------------------------------------------------------------- conversions


def _convert_conversion(state: State, node: ast.Expression) -> Expr:
    constant_value = null_event(state, node) or folded(state, node)
    if constant_value is not None:
        return constant_value
    conversion = cast("ast.ConversionExpression", node)
    operand = conversion.operand
    layout = state.layout(node.type)
    source = state.layout(operand.type)
    if layout.kind != PACKED or source.kind != PACKED:
        if layout.kind in (PACKED, REAL) and source.kind in (PACKED, REAL):
            return _convert_number(state, operand, source, layout)
        return _convert_other(state, conversion)
    value = value_of(state, operand)
    if value.width != layout.width:
        # A propagated type extends by its own sign (IEEE 1800-2023 11.8.2), an assignment or cast by its operand's.
        propagated = conversion.conversionKind is ast.ConversionKind.Propagated
        value = resize(value, layout.width, layout.signed if propagated else source.signed)
    return value if layout.four_state or not source.four_state else known(value)


def _convert_number(state: State, operand: ast.Expression, source: Layout, layout: Layout) -> Expr:
    """Convert to or from a real number."""
    time = _time_call(operand) if layout.kind == PACKED else None
    if time is not None:
        # An integer made from `$realtime` is the time rounded as `$time` rounds it (IEEE 1800-2023 20.3).
        return resize(SystemCall("$time", (), 64, span=state.context.span(time)), layout.width, False)
    return convert_number(value_of(state, operand), source, layout)


def _convert_other(state: State, node: ast.ConversionExpression) -> Expr:
    """Convert to or from a type that is not packed."""
    operand = node.operand
    layout = state.layout(node.type)
    source = state.layout(operand.type)
    text_to_bytes = source.kind == PACKED and layout.kind == ARRAY and operand.isImplicitString
    streamed = node.conversionKind == ast.ConversionKind.StreamingConcat or text_to_bytes
    if layout.kind in (ARRAY, STRUCT, PACKED) and streamed:
        # A string literal, too, fills an array of bytes from the left (IEEE 1800-2023 5.9).
        return patterns.convert_stream_cast(state, operand, layout)
    if layout.kind == STRING and isinstance(operand, ast.StreamingConcatenationExpression):
        held = patterns.streamed_container(state, operand)
        source_type = state.context.describe(held[0].type) if held is not None else None
        stream = value_of(state, held[0]) if held is not None else patterns.stream_of(state, operand)
        args = (stream, constant(32, held[1] if held is not None else 0))
        return SystemCall("string.unpack", args, 64, type=STRING_TYPE, types=(source_type, None))
    if layout.kind == STRING:
        value = node.constant.value if node.constant is not None else None
        return Text(value) if isinstance(value, str) else to_string(state, operand, source)
    if not layout.is_flat:
        refuse_type(state, node, layout)
    if not source.is_flat and not isinstance(operand, ast.StreamingConcatenationExpression):
        refuse_type(state, operand, source)
    if layout.kind == HANDLE and source.kind == HANDLE:
        return value_of(state, operand)
    if source.kind == STRING and layout.kind == PACKED:
        bits = to_bits(state, operand, layout.width)
        return bits if bits.width == layout.width else resize(bits, layout.width, False)
    if CONTAINER in (layout.kind, source.kind) and source.kind in (ARRAY, CONTAINER):
        if node.type.isAssignmentCompatible(operand.type) and layout.kind in (ARRAY, CONTAINER):
            return assigned(state, operand, node.type)
    if layout.kind == CONTAINER:
        held = patterns.streamed_container(state, operand)
        if held is not None:
            return unpack_container(state, value_of(state, held[0]), held[1], node.type, node, held[0].type)
        return unpack_container(state, patterns.stream_of(state, operand), 0, node.type, node)
    if source.kind == CONTAINER:
        return patterns.convert_stream_cast(state, operand, layout)
    if source.kind == layout.kind and layout.width == source.width:
        return align(value_of(state, operand), source, layout)
    return patterns.convert_bitstream_cast(state, operand, layout)


def _time_call(node: ast.Expression) -> ast.CallExpression | None:
    while isinstance(node, ast.ConversionExpression):
        node = node.operand
    if isinstance(node, ast.CallExpression) and node.isSystemCall and node.subroutineName == "$realtime":
        return node
    return None


# ------------------------------------------------------------------------------------------------- the rest


def _convert_assignment(state: State, node: ast.Expression) -> Expr:
    assignment = cast("ast.AssignmentExpression", node)
    if assignment.isLValueArg:
        return lvalue_of(state, assignment.left)
    if assignment.timingControl is not None:
        state.context.unsupported("an intra-assignment delay inside an expression", node)
    root = target_root(state, assignment)
    if root is not None:
        return value_through(state, root, node, lambda: _convert_assignment(state, node))
    target, value = assignment_of(state, assignment)
    return AssignExpr(target, value, target.width)


def _convert_element_target(state: State, node: ast.Expression) -> Expr:
    """Convert an element of a pattern that is assigned; slang writes it as an assignment to the element."""
    assignment = cast("ast.AssignmentExpression", node)
    if not isinstance(assignment.right, ast.EmptyArgumentExpression):
        state.context.unsupported("a pattern as a target with elements of other types", node)
    return lvalue_of(state, assignment.left)


def _convert_target(state: State, node: ast.Expression) -> Expr:
    assert state.target is not None, "a reference to the target outside a compound assignment"
    return state.target


def _convert_argument(state: State, node: ast.Expression) -> Expr:
    if state.argument is None:
        state.context.unsupported("an empty argument", node)
    return state.argument


def _convert_null(state: State, node: ast.Expression) -> Expr:
    return constant(64, 0)


def _convert_min_typ_max(state: State, node: ast.Expression) -> Expr:
    return value_of(state, cast("ast.MinTypMaxExpression", node).selected)


VALUES.update(
    {
        ast.IntegerLiteral: _convert_integer,
        ast.UnbasedUnsizedIntegerLiteral: _convert_integer,
        ast.StringLiteral: _convert_string,
        ast.RealLiteral: convert_real_literal,
        ast.TimeLiteral: convert_real_literal,
        ast.NamedValueExpression: selects.convert_name_value,
        ast.HierarchicalValueExpression: selects.convert_name_value,
        ast.UnaryExpression: operators.convert_unary,
        ast.BinaryExpression: operators.convert_binary,
        ast.ConditionalExpression: operators.convert_conditional,
        ast.InsideExpression: operators.convert_inside,
        ast.ConcatenationExpression: operators.convert_concatenation,
        ast.ReplicationExpression: operators.convert_replication,
        ast.ElementSelectExpression: selects.convert_element,
        ast.RangeSelectExpression: selects.convert_range,
        ast.MemberAccessExpression: selects.convert_member,
        ast.ConversionExpression: _convert_conversion,
        ast.AssignmentExpression: _convert_assignment,
        ast.LValueReferenceExpression: _convert_target,
        ast.EmptyArgumentExpression: _convert_argument,
        ast.SimpleAssignmentPatternExpression: patterns.convert_pattern,
        ast.StructuredAssignmentPatternExpression: patterns.convert_pattern,
        ast.ReplicatedAssignmentPatternExpression: patterns.convert_pattern,
        ast.MinTypMaxExpression: _convert_min_typ_max,
        ast.CallExpression: convert_call,
        ast.NewArrayExpression: convert_new_array,
        ast.UnboundedLiteral: convert_end,
        ast.NullLiteral: _convert_null,
        ast.NewClassExpression: convert_new,
        ast.TaggedUnionExpression: convert_tagged,
        ast.CopyClassExpression: convert_copy,
        ast.NewCovergroupExpression: convert_new_group,
        ast.ArbitrarySymbolExpression: convert_interface,
    }
)

LVALUES.update(
    {
        ast.NamedValueExpression: selects.convert_name,
        ast.HierarchicalValueExpression: selects.convert_name,
        ast.ElementSelectExpression: selects.convert_element_lvalue,
        ast.RangeSelectExpression: selects.convert_range_lvalue,
        ast.MemberAccessExpression: selects.convert_member_lvalue,
        ast.ConcatenationExpression: operators.convert_concatenation_lvalue,
        ast.AssignmentExpression: _convert_element_target,
        ast.SimpleAssignmentPatternExpression: patterns.convert_pattern_lvalue,
        ast.StructuredAssignmentPatternExpression: patterns.convert_pattern_lvalue,
        ast.ReplicatedAssignmentPatternExpression: patterns.convert_pattern_lvalue,
    }
)
