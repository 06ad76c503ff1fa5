"""Show values as assignment patterns, `%p` (IEEE 1800-2023 21.2.1.7): `'{a:1, b:'{2, 3}, c:"text"}`.

Integers print in decimal, an enum as the name of its member, a string in quotes, a struct with its members' names, an
associative array with its keys. `%0p` is the same without blanks.
"""

from __future__ import annotations

from weft.base.text_bytes import text_bytes
from weft.ir.expressions import Type
from weft.sim.format_arguments import Argument, Shaped, Value
from weft.sim.format_bases import decimal


def pattern_text(argument: Argument, short: bool) -> bytes:
    """Return an argument as `%p` shows it."""
    gap = b"," if short else b", "
    match argument:
        case Shaped(kind, tuple() as items):
            keys = kind.kind == "assoc"
            shown = [
                (pattern_text(key, short) + b":" if keys else b"") + pattern_text(item, short) for key, item in items
            ]
            return b"'{" + gap.join(shown) + b"}"
        case Shaped(kind, Value() as value):
            return _flat(kind, kind.unpacked, value, gap, short)
        case Shaped(_, str() | float() as value):
            return pattern_text(value, short)
        case str():
            return b'"' + text_bytes(argument) + b'"'
        case float() | int():
            return b"%g" % argument
        case Value():
            return decimal(argument, 0).encode()
        case _:
            return b""


def _flat(kind: Type, ranges: tuple[tuple[int, int], ...], value: Value, gap: bytes, short: bool) -> bytes:
    """Show a flattened value: unpacked dimensions, then members, then a number."""
    if ranges:
        left, right = ranges[0]
        count = abs(left - right) + 1
        width = value.width // count
        # Element 0 is the one with the lowest index, and a pattern begins with the left bound's.
        order = range(count) if left <= right else range(count - 1, -1, -1)
        shown = [_flat(kind, ranges[1:], _part(value, at * width, width, kind.signed), gap, short) for at in order]
        return b"'{" + gap.join(shown) + b"}"
    if kind.kind in ("struct", "union") and kind.members:
        members = kind.members if kind.kind == "struct" else kind.members[:1]
        shown = []
        for name, offset, member in members:
            part = _part(value, offset, _bits(member), member.signed)
            shown.append(text_bytes(f"{name}:") + _flat(member, member.unpacked, part, gap, short))
        return b"'{" + gap.join(shown) + b"}"
    if kind.kind == "enum" and not value.unknown:
        for name, number in kind.enum_values:
            if number & (1 << value.width) - 1 == value.value:
                return text_bytes(name)
    return pattern_text(Value(value.width, value.value, value.unknown, kind.signed), short)


def _bits(kind: Type) -> int:
    bits = kind.width
    for left, right in kind.unpacked:
        bits *= abs(left - right) + 1
    return bits


def _part(value: Value, offset: int, width: int, signed: bool) -> Value:
    ones = (1 << width) - 1
    return Value(width, value.value >> offset & ones, value.unknown >> offset & ones, signed)
