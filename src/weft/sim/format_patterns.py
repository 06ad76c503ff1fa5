"""Show values as assignment patterns, `%p` (IEEE 1800-2023 21.2.1.7): `'{a:1, b:'{2, 3}, c:"text"}`.

Integers print in decimal, an enum as the name of its member, a string in quotes, a struct with its members' names, a
tagged union as a struct of the member that it holds, an associative array with its keys, a handle of nothing as null.
`%0p` is the same without blanks.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import unpack

from weft.base.dataclass import dataclass
from weft.base.text_bytes import text_bytes
from weft.ir.expressions import Type
from weft.sim.format_arguments import Argument, Shaped, Value
from weft.sim.format_bases import decimal

_WORDS = frozenset({"string", "queue", "dynamic", "assoc"})
HANDLES = frozenset({"class", "event", "chandle", "mailbox", "semaphore", "process"})
"""The kinds of type whose values are handles of objects."""


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
        case Shaped(kind, Value() as value, look_up):
            return _Flat(short, look_up).show(kind, kind.unpacked, value)
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


@dataclass(frozen=True, slots=True)
class _Flat:
    """Show flattened values: unpacked dimensions, then members, then numbers and words."""

    short: bool
    look_up: Callable[[Type, int], Argument] | None

    def show(self, kind: Type, ranges: tuple[tuple[int, int], ...], value: Value) -> bytes:
        """Return a value with these dimensions left."""
        if ranges:
            left, right = ranges[0]
            count = abs(left - right) + 1
            width = value.width // count
            # Element 0 is the one with the lowest index, and a pattern begins with the left bound's.
            order = range(count) if left <= right else range(count - 1, -1, -1)
            return self._list([self.show(kind, ranges[1:], _part(value, at * width, width, kind)) for at in order])
        if kind.kind in ("struct", "union") and kind.members:
            members = kind.members if kind.kind == "struct" else kind.members[:1]
            parts = [(name, member, _part(value, offset, _bits(member), member)) for name, offset, member in members]
            return self._list(
                [text_bytes(f"{name}:") + self.show(member, member.unpacked, part) for name, member, part in parts]
            )
        if kind.kind == "tagged" and kind.members:
            return self._tagged(kind, value)
        return _name(kind, value) or pattern_text(self._leaf(kind, value), self.short)

    def _tagged(self, kind: Type, value: Value) -> bytes:
        """Return a tagged union: the member that it holds by its name; one without a value is the name alone."""
        low = max(offset + _bits(member) for _, offset, member in kind.members)
        tag = value.value >> low
        if value.unknown >> low or tag >= len(kind.members):
            return decimal(value, 0).encode()
        name, offset, member = kind.members[tag]
        if not _bits(member):
            return self._list([text_bytes(name)])
        part = _part(value, offset, _bits(member), member)
        return self._list([text_bytes(f"{name}:") + self.show(member, member.unpacked, part)])

    def _list(self, shown: list[bytes]) -> bytes:
        return b"'{" + (b"," if self.short else b", ").join(shown) + b"}"

    def _leaf(self, kind: Type, value: Value) -> Argument:
        if kind.kind in ("real", "shortreal"):
            return unpack("<d", value.value.to_bytes(8, "little"))[0]
        if kind.kind in _WORDS and self.look_up is not None:
            return self.look_up(kind, value.value)
        return Value(value.width, value.value, value.unknown, kind.signed)


def _name(kind: Type, value: Value) -> bytes:
    """Return the name that a value has: that of an enum's member, or null; nothing if it has none."""
    if kind.kind in HANDLES and not value.value:
        return b"null"
    if kind.kind == "enum" and not value.unknown:
        for name, number in kind.enum_values:
            if number & (1 << value.width) - 1 == value.value:
                return text_bytes(name)
    return b""


def _bits(kind: Type) -> int:
    bits = kind.width
    for left, right in kind.unpacked:
        bits *= abs(left - right) + 1
    return bits


def _part(value: Value, offset: int, width: int, kind: Type) -> Value:
    ones = (1 << width) - 1
    return Value(width, value.value >> offset & ones, value.unknown >> offset & ones, kind.signed)
