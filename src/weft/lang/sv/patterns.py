"""Assignment patterns, streaming concatenations and bit-stream casts (IEEE 1800-2023 10.9, 11.4.14, 6.24.3).

slang has worked out which expression each element of a pattern gets, whatever its form (positional, keyed by member,
index or type, default, replicated), so that a pattern is a concatenation in the order of the flat form.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyslang import ast

from weft.ir.design import Expr
from weft.lang.sv.build import bits_of, concat, constant, resize
from weft.lang.sv.constants import index_value
from weft.lang.sv.containers import container_pattern, pack_container
from weft.lang.sv.dispatch import layout_of, lvalue_of, value_of
from weft.lang.sv.operators import folded
from weft.lang.sv.ownership import own, typed
from weft.lang.sv.shapes import align, known_parts, reverse_blocks, to_stream
from weft.lang.sv.strings import to_bits, word
from weft.lang.sv.types import ARRAY, CONTAINER, PACKED, STRING, Layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.lang.sv.state import State

    Convert = Callable[[State, ast.Expression], Expr]


def convert_pattern(state: State, node: ast.Expression) -> Expr:
    """Convert an assignment pattern to its value."""
    constant_value = folded(state, node)
    return constant_value if constant_value is not None else _pattern(state, node, value_of)


def convert_pattern_lvalue(state: State, node: ast.Expression) -> Expr:
    """Convert an assignment pattern that is assigned."""
    return _pattern(state, node, lvalue_of)


def _pattern(state: State, node: ast.Expression, convert: Convert) -> Expr:
    pattern = cast("ast.AssignmentPatternExpressionBase", node)
    layout = layout_of(state, node)
    if layout.kind == CONTAINER:
        return container_pattern(state, pattern)
    elements = pattern.elements
    if isinstance(pattern, ast.ReplicatedAssignmentPatternExpression):
        count = index_value(pattern.count)
        if count is None:
            state.context.unsupported("a replicated pattern whose count is not constant", node)
        elements = list(elements) * count
    # A default such as `'{default: f(x)}` is one node that slang repeats.
    converted: dict[int, Expr] = {}
    parts: list[Expr] = []
    for element in elements:
        part = converted.get(id(element))
        if part is None:
            part = word(_element(state, element, layout, convert))
            converted[id(element)] = part
        parts.append(part)
    return concat(parts[::-1] if layout.kind == ARRAY and not layout.descending else parts)


def _element(state: State, element: ast.Expression, layout: Layout, convert: Convert) -> Expr:
    part = convert(state, element)
    own_layout = layout_of(state, element)
    wanted = layout.element if layout.kind == ARRAY else None
    if wanted is not None and wanted.kind == ARRAY:
        part = align(part, own_layout, wanted)
    return own(part, own_layout, typed(state, element, own_layout)) if convert is value_of else part


# ------------------------------------------------------------------------------------------------- streams


def stream_bits(state: State, node: ast.StreamingConcatenationExpression) -> Expr:
    """Return the stream that a streaming concatenation produces, in its own width."""
    joined = concat([_stream_operand(state, item) for item in node.streams])
    return reverse_blocks(joined, node.sliceSize) if node.sliceSize else joined


def _stream_operand(state: State, item: ast.StreamingConcatenationExpression.StreamExpression) -> Expr:
    operand = item.operand
    if item.withExpr is not None:
        state.context.unsupported("a streaming concatenation with a 'with' range", operand)
    if isinstance(operand, ast.StreamingConcatenationExpression):
        return stream_bits(state, operand)
    return operand_stream(state, operand)


def operand_stream(state: State, operand: ast.Expression) -> Expr:
    """Return a value as a stream of bits."""
    layout = layout_of(state, operand)
    if layout.has_word:
        state.context.unsupported(f"a stream of a value of type '{operand.type}'", operand)
    return to_stream(value_of(state, operand), layout)


def stream_of(state: State, operand: ast.Expression) -> Expr:
    """Return a streaming concatenation, or any other value, as a stream of bits."""
    if isinstance(operand, ast.StreamingConcatenationExpression):
        return stream_bits(state, operand)
    return operand_stream(state, operand)


def streamed_container(state: State, node: ast.Expression) -> tuple[ast.Expression, int] | None:
    """Return the container that makes up a whole stream, and the size of the blocks that are reversed."""
    size = 0
    if isinstance(node, ast.StreamingConcatenationExpression):
        if len(node.streams) != 1 or node.streams[0].withExpr is not None:
            return None
        node, size = node.streams[0].operand, node.sliceSize
    return (node, size) if state.layout(node.type).kind == CONTAINER else None


def stream_target(state: State, node: ast.StreamingConcatenationExpression, source: Expr) -> tuple[Expr, Expr]:
    """Return target and value of an assignment to a streaming concatenation, which unpacks `source`.

    The bits are consumed from the left; more of them than the target needs are left over (IEEE 1800-2023 11.4.14.3).
    """
    width = node.bitstreamWidth
    needed = bits_of(source, source.width - width, width)
    if node.sliceSize:
        needed = _undo_reverse(needed, node.sliceSize)
    targets: list[Expr] = []
    parts: list[Expr] = []
    end = width
    for item in node.streams:
        operand = item.operand
        if item.withExpr is not None:
            state.context.unsupported("a streaming concatenation with a 'with' range", operand)
        if isinstance(operand, ast.StreamingConcatenationExpression):
            end -= operand.bitstreamWidth
            target, part = stream_target(state, operand, bits_of(needed, end, operand.bitstreamWidth))
        else:
            layout = layout_of(state, operand)
            if layout.has_word:
                state.context.unsupported(f"a stream into a variable of type '{operand.type}'", operand)
            end -= layout.width
            target = lvalue_of(state, operand)
            part = known_parts(to_stream(bits_of(needed, end, layout.width), layout), layout)
        targets.append(target)
        parts.append(part)
    return concat(targets), concat(parts)


def _undo_reverse(value: Expr, size: int) -> Expr:
    """Undo `reverse_blocks`: its short block, if any, now stands on the right."""
    width = value.width
    short = width % size
    parts: list[Expr] = [bits_of(value, 0, short)] if short else []
    return concat(parts + [bits_of(value, i, size) for i in range(short, width, size)])


def convert_stream_cast(state: State, source: ast.Expression, target: Layout) -> Expr:
    """Convert a streaming concatenation as a value of type `target`: it fills from the left, then with zeros."""
    if target.has_word:
        state.context.unsupported("a stream into a value that holds strings, containers or reals", source)
    held = streamed_container(state, source)
    if held is not None:
        return _finish(pack_container(state, *held, target.width), target)
    stream = stream_of(state, source)
    if stream.width < target.width:
        stream = concat([stream, constant(target.width - stream.width, 0)])
    elif stream.width > target.width:
        stream = bits_of(stream, stream.width - target.width, target.width)
    return _finish(stream, target)


def convert_bitstream_cast(state: State, source: ast.Expression, target: Layout) -> Expr:
    """Convert a cast between types of equal bit-stream width that are not both packed (IEEE 1800-2023 6.24.3)."""
    layout = layout_of(state, source)
    if layout.kind == STRING:
        return _finish(to_bits(state, source, target.width), target)
    stream = operand_stream(state, source)
    return _finish(resize(stream, target.width, layout.kind == PACKED and layout.signed), target)


def _finish(stream: Expr, target: Layout) -> Expr:
    return known_parts(to_stream(stream, target), target)
