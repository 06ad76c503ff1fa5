"""Emit the guard of speculative code: compare all that it takes for granted with the state, 32 bytes at a time.

Four instructions for each 32 bytes of scalar state that has something to compare; LLVM turns them into vector
instructions where the machine has some.
"""

from __future__ import annotations

from collections.abc import Mapping

from weft.engines.cpu.part_habits import CommonHabits
from weft.ir.layout import StateLayout

BLOCK = 32
"""Bytes that are compared at once; the scalar part of the state is a multiple of it."""


def part_guard_text(layout: StateLayout, habits: CommonHabits, name: str) -> str:
    """Return a function that says whether some part has not the values that are taken for granted of all."""
    first = habits.parts[0]
    place = next(iter(habits.values))
    moves = [layout.slots[part[place]].offset - layout.slots[first[place]].offset for part in habits.parts]
    known = {first[place]: value for place, value in habits.values.items()}
    table = ", ".join(f"i64 {move}" for move in moves)
    return f"""@{name}_moves = private unnamed_addr constant [{len(moves)} x i64] [{table}]
define internal i1 @{name}(ptr noalias %all.parts) nounwind {{
entry:
  br label %part
part:
  %i = phi i64 [0, %entry], [%next, %part]
  %move.p = getelementptr i64, ptr @{name}_moves, i64 %i
  %move = load i64, ptr %move.p
  %s = getelementptr i8, ptr %all.parts, i64 %move
{guard_text(layout, known)}  %next = add i64 %i, 1
  %last = icmp eq i64 %next, {len(moves)}
  %stop = or i1 %odd, %last
  br i1 %stop, label %done, label %part
done:
  ret i1 %odd
}}"""


def guard_text(layout: StateLayout, known: Mapping[int, int], result: str = "odd") -> str:
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
    lines += [f"%all = bitcast <4 x i64> {differs} to i256", f"%{result} = icmp ne i256 %all, 0"]
    return "".join(f"  {line}\n" for line in lines)


def _vector(data: bytearray) -> str:
    words = (int.from_bytes(data[low : low + 8], "little") for low in range(0, BLOCK, 8))
    return f"<{', '.join(f'i64 {word}' for word in words)}>"
