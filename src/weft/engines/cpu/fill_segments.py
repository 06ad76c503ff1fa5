"""The context of a trace's hook, and the code with which it goes from segment to segment of a ring (`row_ring`).

`turn_segment` publishes the segment that is full and takes another; it returns 1, which stops the run, when none is
free or when the unroller sleeps. Then `take_segment` has to find one before the hook is called again; should the hook
be called all the same, what it writes lies behind the segment's end, is not published, and stops the run once more.
"""

from __future__ import annotations

from weft.engines.cpu import row_ring

FORCE, ROW_AT, ROW_LAST, ROW_LIMIT, ROW_COUNT, TICK_COUNT, TICK_LIMIT, TIMES, NUMBERS, CLOCKS, TRUST = range(11)
"""Words of the hook's context: what to do though nothing has changed (`ADD_ROW`, `READ_MEMORIES`), the place of the
next row, the row before, where the segment is full, how many rows there are, how many ticks, and so many are enough;
the ticks' times (8 bytes each), the numbers of their rows (4 bytes) and their clocks; and how many rows are still taken
without a look."""

RING, SEGMENT, ROW_ROOM = range(11, 14)
"""Further words: the ring, 1 plus the number of the segment that is being filled, or 0, and the bytes of its rows."""

ADD_ROW, READ_MEMORIES = 1, 2
CONTEXT_BYTES = 128


def _copy(words: tuple[tuple[int, int], ...]) -> str:
    """Return code that copies words of the segment to the context."""
    text = ""
    for source, target in words:
        text += row_ring.load_word("segment", f"v{target}", source)
        text += f"  %t{target} = getelementptr i64, ptr %c, i64 {target}\n  store i64 %v{target}, ptr %t{target}\n"
    return text


def _store(target: int, value: str) -> str:
    return f"  %w{target} = getelementptr i64, ptr %c, i64 {target}\n  store i64 {value}, ptr %w{target}\n"


_COLUMNS = ((row_ring.ROWS, ROW_AT), (row_ring.TIMES, TIMES), (row_ring.NUMBERS, NUMBERS), (row_ring.CLOCKS, CLOCKS))
_RING = f"""  %ring.p = getelementptr i64, ptr %c, i64 {RING}
  %ring = load ptr, ptr %ring.p
"""

SEGMENT_CODE = f"""
define i32 @take_segment(ptr %c) noinline nounwind {{
entry:
{_RING}{row_ring.load_word("ring", "count", row_ring.COUNT)}  br label %look
look:
  %i = phi i64 [0, %entry], [%i1, %next]
{row_ring.segment_text("%i")}  %state.p = getelementptr i64, ptr %segment, i64 {row_ring.STATE}
  %state = load atomic i64, ptr %state.p acquire, align 8
  %free = icmp eq i64 %state, 0
  %i1 = add i64 %i, 1
  br i1 %free, label %take, label %next
next:
  %more = icmp ult i64 %i1, %count
  br i1 %more, label %look, label %none
none:
  ret i32 1
take:
  store i64 1, ptr %state.p
{_copy(_COLUMNS)}{row_ring.load_word("c", "room", ROW_ROOM)}  %limit = add i64 %v{ROW_AT}, %room
{_store(ROW_LIMIT, "%limit")}{_store(ROW_COUNT, "0")}{_store(TICK_COUNT, "0")}{_store(FORCE, str(ADD_ROW))}\
{_store(SEGMENT, "%i1")}  ret i32 0
}}

define i32 @turn_segment(ptr %c) noinline nounwind {{
entry:
{_RING}{row_ring.load_word("c", "filled", SEGMENT)}  %none = icmp eq i64 %filled, 0
  br i1 %none, label %stop, label %publish
publish:
  %number = sub i64 %filled, 1
{row_ring.segment_text("%number")}{row_ring.load_word("c", "ticks", TICK_COUNT)}\
  %ticks.q = getelementptr i64, ptr %segment, i64 {row_ring.TICK_COUNT}
  store i64 %ticks, ptr %ticks.q
{_store(SEGMENT, "0")}{row_ring.load_word("ring", "count", row_ring.COUNT)}\
{row_ring.load_word("ring", "published", row_ring.PUBLISHED)}  %turn = urem i64 %published, %count
  %place = add i64 %turn, {row_ring.ORDER}
  %place.p = getelementptr i64, ptr %ring, i64 %place
  store i64 %number, ptr %place.p
  %published1 = add i64 %published, 1
  store atomic i64 %published1, ptr %published.p release, align 8
{row_ring.load_word("ring", "parked", row_ring.PARKED)}  %sleeps = icmp ne i64 %parked, 0
  br i1 %sleeps, label %stop, label %go
go:
  %found = call i32 @take_segment(ptr %c)
  ret i32 %found
stop:
  ret i32 1
}}
"""
