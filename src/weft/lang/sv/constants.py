"""slang's constant values as bits: integers of any width with their x and z bits, and arrays and structs of them."""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pyslang

from weft.base.text_bytes import bytes_text
from weft.ir.design import Const, Real
from weft.lang.sv.build import constant, ones
from weft.lang.sv.types import ARRAY, PACKED, REAL, STRUCT, Layout

if TYPE_CHECKING:
    from pyslang import ast

_VALUES = str.maketrans("xzXZ", "0101")
_UNKNOWNS = str.maketrans("01xzXZ", "001111")


def integer(value: pyslang.SVInt, width: int) -> Const:
    """Return an integer of slang's, which is `width` bits wide, as a constant."""
    if value.hasUnknown:
        text = value.toString(pyslang.LiteralBase.Binary, False)
        return constant(width, int(text.translate(_VALUES), 2), int(text.translate(_UNKNOWNS), 2))
    return constant(width, int(value) & ones(width))


def flatten(value: Any, layout: Layout) -> Const | Real | None:
    """Return what a `ConstantValue` holds in the flat form of a type, or None where it has none (a string)."""
    if layout.kind == REAL:
        return real_constant(value, layout) if isinstance(value, float) else None
    return flatten_bits(value, layout)


def real_constant(value: float, layout: Layout) -> Real:
    """Return a constant of a real type."""
    return Real(struct.unpack("f", struct.pack("f", value))[0] if layout.single else value)


def flatten_bits(value: Any, layout: Layout) -> Const | None:
    """Return what a `ConstantValue` holds as bits, or None where it has no flat form."""
    kind = layout.kind
    if kind == REAL and isinstance(value, float):
        return constant(64, int.from_bytes(struct.pack("<d", real_constant(value, layout).value), "little"))
    if kind == PACKED:
        return integer(value, layout.width) if type(value) is pyslang.SVInt else None
    if kind == ARRAY and isinstance(value, list) and layout.element is not None:
        elements = [layout.element] * layout.count
        # Elements come from the left-most index to the right-most one.
        return _join(value, elements if layout.descending else elements[::-1], layout, not layout.descending)
    if kind == STRUCT and isinstance(value, list):
        return _join(value, [member for _, member in layout.fields.values()], layout, False)
    return None


def _join(values: list[Any], layouts: list[Layout], layout: Layout, reverse: bool) -> Const | None:
    bits = unknowns = 0
    if len(values) != len(layouts):
        return None
    for value, part in zip(reversed(values) if reverse else values, layouts, strict=True):
        flat = flatten_bits(getattr(value, "value", value), part)
        if flat is None:
            return None
        bits, unknowns = bits << part.width | flat.value, unknowns << part.width | flat.unknown
    return constant(layout.width, bits, unknowns)


def decode_text(value: Const) -> str:
    """Return the string that a vector holds, 8 bits a character, without leading zero bytes (IEEE 1800-2023 5.9)."""
    data = value.value.to_bytes((value.width + 7) // 8, "big").lstrip(b"\0")
    return bytes_text(data)


def literal_text(node: ast.StringLiteral) -> str:
    """Return a literal's text; pyslang itself reads only those that are UTF-8."""
    try:
        return node.value
    except UnicodeDecodeError:
        bits = integer(node.intValue.value, node.intValue.value.bitWidth)  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
        return bytes_text(bits.value.to_bytes(bits.width // 8, "big"))


def index_value(node: ast.Expression) -> int | None:
    """Return the integer that slang has computed for a bound of a select or pattern, if it has."""
    folded = node.constant
    value = folded.value if folded is not None else getattr(node, "value", None)
    return int(value) if type(value) is pyslang.SVInt and not value.hasUnknown else None
