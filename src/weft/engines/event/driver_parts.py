"""The pieces of nets that a continuous assignment drives."""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.base.errors import Unsupported
from weft.base.source import Span
from weft.ir.design import Concat, Const, Element, Expr, Ref, Slice


@dataclass(frozen=True, slots=True)
class Part:
    """Be a piece of what an assignment drives: bits `low` up of a signal, from bits `source` up of the value."""

    ref: Ref
    low: int
    width: int
    source: int


def parts_of(lhs: Expr, span: Span) -> list[Part]:
    """Return the pieces of what a continuous assignment drives; its selects are constant (IEEE 1800-2023 10.3.2)."""
    found: list[Part] = []

    def walk(target: Expr, low: int, width: int, source: int) -> None:
        match target:
            case Ref():
                found.append(Part(target, low, width, source))
            case Element(signal, Const(value=index, unknown=0), path):
                if index < signal.depth:
                    found.append(Part(Ref(signal, path), index * signal.width + low, width, source))
            case Slice(value, int() as offset):
                outside = max(0, -(offset + low))
                usable = min(width, value.width - offset - low) - outside
                if usable > 0:
                    walk(value, offset + low + outside, usable, source + outside)
            case Concat(parts):
                at = 0
                for part in reversed(parts):
                    first, last = max(low, at), min(low + width, at + part.width)
                    if first < last:
                        walk(part, first - at, last - first, source + first - low)
                    at += part.width
            case Slice(value, Const(value=bits, unknown=unknown) as offset):
                if not unknown:
                    signed = bits - (1 << offset.width) if bits >> (offset.width - 1) & 1 else bits
                    walk(Slice(value, signed, target.width), low, width, source)
            case _:
                raise Unsupported("this target of a continuous assignment", span)

    walk(lhs, 0, lhs.width, 0)
    return found
