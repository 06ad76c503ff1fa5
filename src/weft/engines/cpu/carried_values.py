"""Carry values in types that the processor has, for LLVM's fast instruction selection.

At its lowest level LLVM selects instructions in one quick pass, but leaves the rest of a block to its slow selector
where an instruction has another type than 8, 16, 32 or 64 bits; of single bits it knows `and`, `or` and `xor` alone.
Plain code (`emit_plain_step`) takes three to four times as long to compile then. So here

- a value of up to 64 bits is *carried* in 1, 8, 16, 32 or 64 bits, those above its width 0: results that may exceed
  their width are masked, and signed operations extend what they read;
- a wider one lies in memory as words, as only those of more than `WIDE` bits do elsewhere;
- choices between bits and comparisons of bits are logic.

Such code runs a little slower; what runs long is emitted otherwise (`emit_regions`). `emit_carried` has the operations.
"""

from __future__ import annotations

from typing import ClassVar

from weft.engines.cpu.emitter import CLAMP, Emitter
from weft.ir.layout import container_bytes
from weft.ir.ops import mask

_CARRIERS = (1, 1, *(8 * container_bytes(width) for width in range(2, 65)))

_ONES, _ZEROS = ("true", "1", "-1"), ("false", "0")


def carrier(width: int) -> int:
    """Return the bits of the type that carries a value of up to 64 bits."""
    return _CARRIERS[width]


class CarriedValues(Emitter):
    """Be an emitter whose operands are carried; a bit is an `i1`."""

    wide: ClassVar[int] = 64

    def ir_type(self, width: int) -> str:
        """Return the type of a node's operand."""
        return "ptr" if width > 64 else f"i{_CARRIERS[width]}"

    def trimmed(self, value: str, width: int) -> str:
        """Return a carried value without the bits above its width."""
        return value if width == _CARRIERS[width] else self.put(f"and {self.ir_type(width)} {value}, {mask(width)}")

    def recast(self, value: str, width: int, to: int) -> str:
        """Return a value whose bits fit into the carrier of another width as that carries it."""
        have, want = _CARRIERS[width], _CARRIERS[to]
        if have == want or value[0] != "%":
            return value
        return self.put(f"{'zext' if have < want else 'trunc'} i{have} {value} to i{want}")

    def resize(self, value: str, width: int, to: int) -> str:
        """Zero-extend or truncate an operand."""
        if value[0] != "%":
            return str(_number(value, width) & mask(to))
        cast = self.recast(value, width, to)
        return self.trimmed(cast, to) if to < width and _CARRIERS[to] > 1 else cast

    def signed(self, value: str, width: int, to: int) -> str:
        """Return an operand sign-extended to the whole carrier of `to`, which is no bit."""
        size = _CARRIERS[to]
        if value[0] != "%":
            number = _number(value, width)
            return str((number - (number >> (width - 1) << width)) & mask(size))
        value = self.recast(value, width, to)
        if width == size:
            return value
        if width == 1:
            return self.put(f"sub i{size} 0, {value}")
        return self.put(f"ashr i{size} {self.put(f'shl i{size} {value}, {size - width}')}, {size - width}")

    def select(self, condition: str, then: str, other: str, width: int) -> str:
        """Return one of two operands, of bits by logic."""
        if width > 1:
            return super().select(condition, then, other, width)
        if then == other:
            return then
        if then in _ONES:
            return self.put(f"or i1 {condition}, {other}")
        if other in _ZEROS:
            return self.put(f"and i1 {condition}, {then}")
        if then in _ZEROS:
            return self.put(f"and i1 {self.inverse(condition)}, {other}")
        if other in _ONES:
            return self.put(f"or i1 {self.inverse(condition)}, {then}")
        chosen = self.put(f"and i1 {condition}, {self.put(f'xor i1 {then}, {other}')}")
        return self.put(f"xor i1 {other}, {chosen}")

    def inverse(self, value: str) -> str:
        """Return the inverse of a bit."""
        return self.put(f"xor i1 {value}, true")

    def below(self, value: str, width: int, limit: int) -> str:
        """Return the bit that says whether an operand is less than a number, or nothing if it always is."""
        if limit > mask(width):
            return ""
        if width == 1:
            return self.inverse(value)
        return self.put(f"icmp ult {self.ir_type(width)} {value}, {limit}")

    # ------------------------------------------------------------------------------------- what an emitter does

    def fill(self, at: str, width: int) -> str:
        """Load a value from words."""
        return self.recast(self.put(f"load i64, ptr {at}, align 8"), 64, width)

    def container(self, base: str, width: int, stride: int) -> str:
        """Load a value from its container."""
        if width > 64:
            return base
        return self.recast(self.put(f"load i{8 * stride}, ptr {base}, align {stride}"), 8 * stride, width)

    def index(self, node: int, depth: int) -> tuple[str, str]:
        """Return a memory index as i64, 0 when out of range, and the i1 that says whether it is in range."""
        width = self.width[node]
        if width > 64 or self.constant(node) is not None:
            return super().index(node, depth)
        value = self.use(node)
        inside = self.below(value, width, depth)
        index = self.recast(value, width, 64)
        return (self.put(f"select i1 {inside}, i64 {index}, i64 0"), inside) if inside else (index, "true")

    def piece(self, node: int, low: int, width: int) -> str:
        """Return up to 64 bits of a node from bit `low` up; the bits must exist."""
        value, total = self.use(node), self.width[node]
        if total <= 64:
            if value[0] != "%":
                return str(_number(value, total) >> low & mask(width))
            if low:
                value = self.put(f"lshr {self.ir_type(total)} {value}, {low}")
            return self.recast(value, total, width) if low + width == total else self.resize(value, total, width)
        first, low = low >> 6, low & 63
        bits = self._word(value, first)
        if low:
            bits = self.put(f"lshr i64 {bits}, {low}")
        if low + width > 64:
            bits = self.put(f"or i64 {bits}, {self.put(f'shl i64 {self._word(value, first + 1)}, {64 - low}')}")
        return self.resize(bits, 64, width)

    def _word(self, base: str, number: int) -> str:
        return self.put(f"load i64, ptr {self._address(base, 8 * number)}, align 8")

    def _clamped(self, node: int, signed: bool) -> str:
        width = self.width[node]
        if width > 64 or self.constant(node) is not None:
            return super()._clamped(node, signed)
        value = self.use(node)
        value = self.signed(value, width, 64) if signed else self.recast(value, width, 64)
        if width < 40:
            return value
        if not signed:
            return self.put(f"call i64 @llvm.umin.i64(i64 {value}, i64 {CLAMP})")
        value = self.put(f"call i64 @llvm.smax.i64(i64 {value}, i64 {-CLAMP})")
        return self.put(f"call i64 @llvm.smin.i64(i64 {value}, i64 {CLAMP})")


def _number(value: str, width: int) -> int:
    """Return what the text of a constant stands for."""
    return 1 if value == "true" else 0 if value == "false" else int(value) & mask(width)
