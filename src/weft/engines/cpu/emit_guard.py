"""Emit the guard of speculative code: compare all that it takes for granted with the state, 32 bytes at a time.

Four instructions for each 32 bytes of scalar state that has something to compare; LLVM turns them into vector
instructions where the machine has some.
"""

from __future__ import annotations

from collections.abc import Mapping

from weft.ir.layout import StateLayout

BLOCK = 32
"""Bytes that are compared at once; the scalar part of the state is a multiple of it."""


def guard_text(layout: StateLayout, known: Mapping[int, int]) -> str:
    """Return LLVM IR that sets `%odd` unless these states have these values; `%s` points to the state."""
    masks: dict[int, bytearray] = {}
    values: dict[int, bytearray] = {}
    for state, value in known.items():
        slot = layout.slots[state]
        for number, byte in enumerate(value.to_bytes(slot.stride, "little")):
            block, at = divmod(slot.offset + number, BLOCK)
            masks.setdefault(block, bytearray(BLOCK))[at] = 0xFF
            values.setdefault(block, bytearray(BLOCK))[at] = byte
    lines: list[str] = []
    differs = "zeroinitializer"
    for block, mask in sorted(masks.items()):
        lines += [
            f"%at{block} = getelementptr i8, ptr %s, i64 {block * BLOCK}",
            f"%is{block} = load <4 x i64>, ptr %at{block}, align 8",
            f"%xor{block} = xor <4 x i64> %is{block}, {_vector(values[block])}",
            f"%and{block} = and <4 x i64> %xor{block}, {_vector(mask)}",
            f"%or{block} = or <4 x i64> {differs}, %and{block}",
        ]
        differs = f"%or{block}"
    lines += [f"%all = bitcast <4 x i64> {differs} to i256", "%odd = icmp ne i256 %all, 0"]
    return "".join(f"  {line}\n" for line in lines)


def _vector(data: bytearray) -> str:
    words = (int.from_bytes(data[low : low + 8], "little") for low in range(0, BLOCK, 8))
    return f"<{', '.join(f'i64 {word}' for word in words)}>"
