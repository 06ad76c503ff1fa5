"""Take segments of rows from a ring (`row_ring`), one after the other, and unroll each: without Python.

`unroll_ring` returns when a section or log is full, when the times of another segment would not fit into the section,
or when no segment has come for a while. Waiting is a sleep of some microseconds between looks at the ring: the thread
that runs the design never has to wake another.
"""

from __future__ import annotations

from weft.engines.cpu import row_ring
from weft.engines.cpu.unroll_context import (
    BASE,
    CHUNK_CLOCKS,
    CHUNK_NUMBERS,
    CHUNK_ROWS,
    CHUNK_TIMES,
    PATIENCE,
    RING,
    SECTION_TICKS,
    SEGMENT,
    STAMP_ROOM,
    STAMPS,
    TAKEN,
    TICK,
    TICK_COUNT,
    word,
)  # fmt: skip

NAP_US = 200

IDLE, FULL, NO_ROOM = 0, 1, 2
"""What `unroll_ring` returns."""

_FIELDS = (
    (row_ring.ROWS, CHUNK_ROWS),
    (row_ring.TIMES, CHUNK_TIMES),
    (row_ring.NUMBERS, CHUNK_NUMBERS),
    (row_ring.CLOCKS, CHUNK_CLOCKS),
    (row_ring.TICK_COUNT, TICK_COUNT),
)


def _open() -> str:
    """Return code that makes the segment `%segment` the present one."""
    text = ""
    for source, target in _FIELDS:
        text += row_ring.load_word("segment", f"v{target}", source)
        text += f"  %t{target} = getelementptr i64, ptr %c, i64 {target}\n  store i64 %v{target}, ptr %t{target}\n"
    return text


TAKE_SEGMENTS = f"""
declare i32 @usleep(i32)

define i64 @unroll_ring(ptr %c) nounwind {{
entry:
{word("ring", RING, "ptr")}{row_ring.load_word("ring", "count", row_ring.COUNT)}\
  %published.p = getelementptr i64, ptr %ring, i64 {row_ring.PUBLISHED}
  %taken.p = getelementptr i64, ptr %c, i64 {TAKEN}
  %segment.p = getelementptr i64, ptr %c, i64 {SEGMENT}
  %tick.p = getelementptr i64, ptr %c, i64 {TICK}
  %patience.p = getelementptr i64, ptr %c, i64 {PATIENCE}
  %present = load i64, ptr %segment.p
  %begun = icmp ne i64 %present, 0
  br i1 %begun, label %go, label %look
look:
  %naps = phi i64 [0, %entry], [0, %released], [%naps1, %nap]
  %published = load atomic i64, ptr %published.p acquire, align 8
  %taken = load i64, ptr %taken.p
  %some = icmp ne i64 %published, %taken
  br i1 %some, label %open, label %wait
wait:
  %patience = load volatile i64, ptr %patience.p
  %tired = icmp uge i64 %naps, %patience
  br i1 %tired, label %idle, label %nap
nap:
  %slept = call i32 @usleep(i32 {NAP_US})
  %naps1 = add i64 %naps, 1
  br label %look
idle:
  ret i64 {IDLE}
open:
  %turn = urem i64 %taken, %count
  %place = add i64 %turn, {row_ring.ORDER}
  %place.p = getelementptr i64, ptr %ring, i64 %place
  %number = load i64, ptr %place.p
{row_ring.segment_text("%number")}{_open()}  store i64 0, ptr %tick.p
  %number1 = add i64 %number, 1
  store i64 %number1, ptr %segment.p
  br label %go
go:
{word("stamps", STAMPS, "ptr")}{word("stamp.room", STAMP_ROOM)}{word("section", SECTION_TICKS)}\
{word("ticks", TICK_COUNT)}  %begin = load i64, ptr %tick.p
  %chains = icmp ne ptr %stamps, null
  %rest = sub i64 %ticks, %begin
  %needed = add i64 %section, %rest
  %much = icmp ugt i64 %needed, %stamp.room
  %no.room = and i1 %chains, %much
  br i1 %no.room, label %grow, label %unroll
grow:
  ret i64 {NO_ROOM}
unroll:
  %base = sub i64 %begin, %section
  %base.p = getelementptr i64, ptr %c, i64 {BASE}
  store i64 %base, ptr %base.p
  %full = call i64 @unroll(ptr %c)
  %end = load i64, ptr %tick.p
  br i1 %chains, label %keep, label %kept
keep:
{word("times", CHUNK_TIMES, "ptr")}  %from = getelementptr i64, ptr %times, i64 %begin
  %to = getelementptr i64, ptr %stamps, i64 %section
  %some.ticks = sub i64 %end, %begin
  %bytes = shl i64 %some.ticks, 3
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %bytes, i1 0)
  %section1 = add i64 %section, %some.ticks
  store i64 %section1, ptr %section.p
  br label %kept
kept:
  %over = icmp uge i64 %end, %ticks
  br i1 %over, label %release, label %released
release:
  %done1 = load i64, ptr %segment.p
  %done = sub i64 %done1, 1
{row_ring.segment_text("%done").replace("%segment", "%old")}\
  %state.p = getelementptr i64, ptr %old, i64 {row_ring.STATE}
  store i64 0, ptr %segment.p
  %taken.0 = load i64, ptr %taken.p
  %taken.1 = add i64 %taken.0, 1
  store i64 %taken.1, ptr %taken.p
  store atomic i64 0, ptr %state.p release, align 8
  br label %released
released:
  %is.full = icmp ne i64 %full, 0
  br i1 %is.full, label %leave, label %look
leave:
  ret i64 {FULL}
}}
"""
