"""Rearranging flat values: the elements of an array, arrays of opposite direction, and the order of bit streams."""

from __future__ import annotations

from weft.ir.design import Const, Expr
from weft.lang.sv.build import bits_of, concat, known
from weft.lang.sv.types import ARRAY, STRUCT, WORDS, Layout


def elements_of(value: Expr, layout: Layout) -> list[tuple[Expr, Layout]]:
    """Return the elements of a flat unpacked array, innermost ones of several dimensions, lowest index first."""
    element = layout.element
    assert element is not None
    result: list[tuple[Expr, Layout]] = []
    for i in range(layout.count):
        part = bits_of(value, i * element.width, element.width)
        result += elements_of(part, element) if element.kind == ARRAY else [(part, element)]
    return result


def leaves_of(value: Expr, layout: Layout) -> list[tuple[Expr, Layout]]:
    """Return the packed parts of a flat value of any type, lowest bits first."""
    if layout.kind == ARRAY and layout.element is not None:
        element = layout.element
        parts = [(bits_of(value, i * element.width, element.width), element) for i in range(layout.count)]
    elif layout.kind == STRUCT:
        parts = [(bits_of(value, offset, part.width), part) for offset, part in reversed(layout.fields.values())]
    else:
        return [(value, layout)]
    return [leaf for part, inner in parts for leaf in leaves_of(part, inner)]


def align(value: Expr, source: Layout, target: Layout) -> Expr:
    """Return a flat value of an equivalent type as one of the target's type.

    Arrays correspond from the left element to the right one whatever their ranges (IEEE 1800-2023 7.6), so between
    ranges of opposite direction the elements change places.
    """
    if source is target or not _differ(source, target):
        return value
    if target.kind == STRUCT:
        pairs = zip(source.fields.values(), target.fields.values(), strict=True)
        return concat([align(bits_of(value, offset, a.width), a, b) for (offset, a), (_, b) in pairs])
    inner, outer = source.element, target.element
    assert inner is not None and outer is not None
    parts = [align(bits_of(value, i * inner.width, inner.width), inner, outer) for i in range(source.count)]
    return concat(parts if source.descending != target.descending else parts[::-1])


def _differ(source: Layout, target: Layout) -> bool:
    if target.kind == ARRAY and source.element is not None and target.element is not None:
        turned = source.descending != target.descending and target.count > 1
        return turned or _differ(source.element, target.element)
    if target.kind == STRUCT:
        pairs = zip(source.fields.values(), target.fields.values(), strict=False)
        return any(_differ(a, b) for (_, a), (_, b) in pairs)
    return False


def known_parts(value: Expr, layout: Layout) -> Expr:
    """Turn the x and z bits of a flat value into 0 in those parts of its type that are 2-state."""
    if layout.kind in WORDS:
        return value
    if not layout.four_state:
        return known(value)
    if layout.kind == STRUCT:
        parts = layout.fields.values()
        return concat([known_parts(bits_of(value, offset, part.width), part) for offset, part in parts])
    if layout.kind == ARRAY and layout.has_struct and layout.element is not None:
        element = layout.element
        offsets = reversed(range(0, layout.width, element.width))
        return concat([known_parts(bits_of(value, offset, element.width), element) for offset in offsets])
    return value


def to_stream(value: Expr, layout: Layout) -> Expr:
    """Return a flat value as a stream of bits, the left-most element of each array first (IEEE 1800-2023 11.4.14.1).

    The same rearrangement turns a stream back into a flat value: it only reverses arrays, level by level.
    """
    if not _turns(layout):
        return value
    if layout.kind == STRUCT:
        parts = [to_stream(bits_of(value, offset, member.width), member) for offset, member in layout.fields.values()]
        return concat(parts)
    element = layout.element
    assert element is not None
    parts = [to_stream(bits_of(value, i * element.width, element.width), element) for i in range(layout.count)]
    return concat(parts if not layout.descending else parts[::-1])


def _turns(layout: Layout) -> bool:
    if layout.kind == ARRAY and layout.element is not None:
        return not layout.descending or _turns(layout.element)
    return layout.kind == STRUCT and any(_turns(member) for _, member in layout.fields.values())


def reverse_blocks(value: Expr, size: int) -> Expr:
    """Return the blocks of `size` bits, counted from the right, in opposite order (IEEE 1800-2023 11.4.14.2)."""
    width = value.width
    if size >= width or (isinstance(value, Const) and not value.value | value.unknown):
        return value
    return concat([bits_of(value, i, min(size, width - i)) for i in range(0, width, size)])
