"""Strings (IEEE 1800-2023 6.16): conversions, concatenation, comparison and methods.

A string is a word (`ir.expressions`), a literal a `Text`. What is done with strings becomes `string.*` calls, which the
event engine has; slang has already turned the literals among a string's operands into strings.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.ir.design import Binary, Const, Expr, Item, SystemCall, Text, Type
from weft.lang.sv.build import constant, resize
from weft.lang.sv.constants import decode_text, literal_text
from weft.lang.sv.dispatch import lvalue_of, value_of
from weft.lang.sv.shapes import to_stream
from weft.lang.sv.side_effects import held_value
from weft.lang.sv.types import STRING, Layout

if TYPE_CHECKING:
    from weft.lang.sv.state import State

STRING_TYPE = Type("string", 64, four_state=False)
"""The type of every string."""

_CHANGING = frozenset({"putc", "itoa", "hextoa", "octtoa", "bintoa", "realtoa"})
"""The methods that give their string a new value."""


def word(value: Expr) -> Expr:
    """Return a string's value as an expression of 64 bits, for use among other bits."""
    if isinstance(value, Text):
        return SystemCall("string.of", (value,), 64, type=STRING_TYPE) if value.value else constant(64, 0)
    return value


def to_string(state: State, operand: ast.Expression, source: Layout) -> Expr:
    """Convert bits to a string: 8 to a character, zero bytes left out (IEEE 1800-2023 6.16)."""
    if source.kind == STRING:
        return value_of(state, operand)
    if isinstance(operand, ast.StringLiteral):
        return Text(literal_text(operand))
    bits = to_stream(value_of(state, operand), source)
    if isinstance(bits, Const) and not bits.unknown:
        return Text(decode_text(bits))
    return SystemCall("string.of", (bits,), 64, span=state.context.span(operand), type=STRING_TYPE)


def to_bits(state: State, operand: ast.Expression, width: int) -> Expr:
    """Convert a string to bits, the last character in the lowest ones."""
    value = value_of(state, operand)
    if isinstance(value, Text):
        data = value.value.encode("latin-1", "replace")
        return resize(constant(8 * len(data) or 8, int.from_bytes(data, "big")), width, False)
    return SystemCall("string.bits", (value,), width, span=state.context.span(operand), types=(STRING_TYPE,))


def join_strings(state: State, node: ast.ConcatenationExpression) -> Expr:
    """Convert a concatenation of strings."""
    parts = [value_of(state, operand) for operand in node.operands if not operand.type.isVoid]
    types = (STRING_TYPE,) * len(parts)
    return SystemCall("string.concat", tuple(parts), 64, span=state.context.span(node), type=STRING_TYPE, types=types)


def repeat_string(state: State, node: ast.ReplicationExpression) -> Expr:
    """Convert a replication of a string, whose count may vary (IEEE 1800-2023 11.4.12.2)."""
    count, text = value_of(state, node.count), value_of(state, node.concat)
    return SystemCall(
        "string.repeat",
        (count, text),
        64,
        span=state.context.span(node),
        type=STRING_TYPE,
        signs=(state.layout(node.count.type).signed, False),
        types=(None, STRING_TYPE),
    )


def compare_strings(op: str, lhs: Expr, rhs: Expr) -> Expr:
    """Return a comparison of two strings; `op` is `eq`, `ne`, `slt`, ..."""
    order = SystemCall("string.compare", (lhs, rhs), 32, signed=True, types=(STRING_TYPE, STRING_TYPE))
    return Binary(op, order, constant(32, 0), 1)


def convert_string_method(state: State, node: ast.CallExpression, arguments: list[ast.Expression]) -> Expr:
    """Convert a method of a string (IEEE 1800-2023 6.16.1 to 6.16.15)."""
    name = node.subroutineName
    receiver, rest = arguments[0], arguments[1:]
    string = lvalue_of(state, receiver) if name in _CHANGING else value_of(state, receiver)
    layouts = [state.layout(argument.type) for argument in rest]
    result = state.layout(node.type)
    return SystemCall(
        f"string.{name}",
        (string, *(value_of(state, argument) for argument in rest)),
        result.width,
        result.signed,
        state.context.span(node),
        state.context.describe(node.type) if result.has_word else None,
        (False, *(layout.signed for layout in layouts)),
        (STRING_TYPE, *(STRING_TYPE if layout.kind == STRING else None for layout in layouts)),
    )


def character(state: State, node: ast.ElementSelectExpression, string: Expr) -> Expr:
    """Return a character of a string; out of range it reads as 0 and ignores writes (IEEE 1800-2023 6.16)."""
    selector = node.selector
    index, signed = held_value(state, selector), state.layout(selector.type).signed
    return Item(word(string), index, 8, signed, state.context.span(node), STRING_TYPE)
