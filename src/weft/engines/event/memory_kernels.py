"""The runtime's memory: blocks of an arena that is reserved at once, so that a checkpoint is a copy of what is used.

All that a simulation changes while it runs lies here: the state, frames, threads, delayed records, buffers, objects.
Nothing ever moves, and a restored arena has every block at its old address, so pointers in it stay good. Blocks come
from free lists by size: multiples of 16 bytes up to `SMALL`, powers of two above; the word before a block is its class.
"""

from __future__ import annotations

from weft.engines.event.kernel_language import arena, clz, kernel, memcpy, u64

ARENA_NEXT = 0
"""Where the unused rest begins, as an address; then the end."""
ARENA_END = 8
ARENA_LISTS = 16
ARENA_HEADER = 2048

SMALL = 1024

ARENA_TEXT = """
@weft_arena_place = global i64 0
define i64 @arena() nounwind alwaysinline {
  %place = load i64, ptr @weft_arena_place
  ret i64 %place
}
define i64 @weft_arena_begin(i64 %place) nounwind {
  store i64 %place, ptr @weft_arena_place
  ret i64 0
}
"""

# pyright: reportUnusedFunction=false


@kernel
def size_class(size: int) -> int:
    """Return the class of blocks that have room for so many bytes besides their header."""
    if size + 8 <= SMALL:
        return (size + 23) // 16
    return 128 + 64 - clz(size + 7)


@kernel
def class_bytes(kind: int) -> int:
    """Return the size of the blocks of a class, with their header."""
    if kind < 128:
        return kind * 16
    return 1 << (kind - 128)


@kernel
def weft_malloc(size: int) -> int:
    kind = size_class(size)
    list = arena() + ARENA_LISTS + kind * 8
    block = u64[list]
    if block:
        u64[list] = u64[block]
        return block
    block = u64[arena() + ARENA_NEXT] + 8
    following = block + class_bytes(kind)
    if u64[arena() + ARENA_END] < following:
        return 0
    u64[arena() + ARENA_NEXT] = following - 8
    u64[block - 8] = kind
    return block


@kernel
def weft_free(block: int) -> int:
    if block:
        list = arena() + ARENA_LISTS + u64[block - 8] * 8
        u64[block] = u64[list]
        u64[list] = block
    return 0


@kernel
def weft_realloc(block: int, size: int) -> int:
    if block == 0:
        return weft_malloc(size)
    room = class_bytes(u64[block - 8]) - 8
    if size <= room:
        return block
    made = weft_malloc(size)
    if made:
        memcpy(made, block, room)
        weft_free(block)
    return made
