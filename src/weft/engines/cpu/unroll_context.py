"""The context of the unroller: what its kernels share, in the order of its bytes.

A *row* is the part of the state that traced values depend on, at a time at which it had changed. A *tick* is a time at
which something traced may have changed, with the number of the latest row and the clocks, each in an array of its own.
The context begins with 64-bit words, then come some tables, a row for each chain, the signals' remembered values, and
the columns.
"""

from __future__ import annotations

from weft.engines.cpu.column_kernels import LANES

WINDOW = 2 * LANES
"""Ticks of a block at most."""

# The first four are in `column_kernels`.
COUNT = 4  # lanes in use
FULL = 5  # the section or log is full
FIRST = 6  # record everything
BASE = 7  # number of the section's first tick in the present segment; negative if it began in an earlier one
CHUNK_ROWS, CHUNK_TIMES, CHUNK_NUMBERS, CHUNK_CLOCKS, TICK_COUNT, TICK = range(8, 14)  # the segment; its next tick
ROW_PROGRAM, TICK_PROGRAM = 14, 15  # instructions; the second may be 0
LINES = 16  # of the rows after a block's, each instruction of the row program asks for so many lines of 64 bytes
ARENA, ARENA_END, CHAINS = 17, 18, 19  # where the arena of the chains is free, its end, how many chains there are
ENTRY, HEAP, LOG = 20, 21, 22  # where the next entry, the next value of one, and the next record of the log go; or 0
ENTRIES, HEAPS, LOG_LIMIT = 23, 24, 25  # where the first two begin, and where the log is full
SIGNALS = 26  # for each signal 32 bits: the bytes of its planes, plus 1 if entries have them in the heap
RING, TAKEN, SEGMENT = 27, 28, 29  # the ring of segments; how many were taken from it; 1 plus the present one's number
STAMPS, STAMP_ROOM, SECTION_TICKS = 30, 31, 32  # the times of the section, or 0; how many fit; how many there are
PATIENCE = 33  # how often to look for a segment, `take_segments.NAP_US` apart, before going to sleep

VALID = 320
"""Byte offset of a word for each 64 lanes, with ones for the lanes in use."""

NUMBERS = 384
"""Byte offset of the lanes' ticks, 4 bytes each: counted from the section's first, or a block's first for entries."""

INDEX = NUMBERS + 4 * (LANES + 8)
"""Byte offset of the lanes' rows, counted from the block's first, 4 bytes each."""

HEADER_BYTES = INDEX + 4 * LANES
CHAIN_BYTES = 40
"""A chain's row: cursor, limit, tick of the last change, beginning, and the room between the limit and the end."""


def operands(*names: str) -> str:
    """Return code that loads the words of an instruction; `*name` makes a pointer of an offset."""
    lines: list[str] = []
    for word, name in enumerate(names, 1):
        pointer = name[0] == "*"
        name = name.lstrip("*")
        lines += [
            f"  %{name}.w = getelementptr i64, ptr %i, i64 {word}",
            f"  %{name}{'.o' if pointer else ''} = load i64, ptr %{name}.w",
        ]
        if pointer:
            lines.append(f"  %{name} = getelementptr i8, ptr %c, i64 %{name}.o")
    return "\n".join(lines) + "\n"


def word(name: str, index: int, kind: str = "i64") -> str:
    """Return code that loads a word of the context."""
    return f"  %{name}.p = getelementptr i64, ptr %c, i64 {index}\n  %{name} = load {kind}, ptr %{name}.p\n"
