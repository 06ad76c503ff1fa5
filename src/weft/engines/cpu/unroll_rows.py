"""Go over a segment of rows and ticks in blocks, and run the column programs over each.

A block has at most `LANES` rows and `WINDOW` ticks: the row program computes what follows from rows, then the tick
program, `LANES` ticks at a time, what depends on a clock too. A row whose ticks do not fit is the first of the next
block again. A row's first tick is noted when the row's number is first seen; a further tick of it is noted where
that of the next row will be. The rows of the next block are in another core's cache and are asked for meanwhile, some
lines with each instruction. After a block, the chains that have not enough room for another move to parts twice as
large at the arena's free end; when that is used up, the section ends.
"""

from __future__ import annotations

from weft.engines.cpu.column_kernels import LANES, ROW_STRIDE, ROWS, TICK_STRIDE, TICKS
from weft.engines.cpu.order_log import ORDER_LOG
from weft.engines.cpu.record_narrow import PUT_LONG, narrow_kernels
from weft.engines.cpu.record_wide import wide_kernels
from weft.engines.cpu.take_segments import TAKE_SEGMENTS
from weft.engines.cpu.unroll_context import (
    ARENA,
    ARENA_END,
    BASE,
    CHAIN_BYTES,
    CHAINS,
    CHUNK_CLOCKS,
    CHUNK_NUMBERS,
    CHUNK_ROWS,
    CHUNK_TIMES,
    COUNT,
    FIRST,
    FULL,
    HEADER_BYTES,
    INDEX,
    LINES,
    LOG,
    NUMBERS,
    ROW_PROGRAM,
    TICK,
    TICK_COUNT,
    TICK_PROGRAM,
    VALID,
    WINDOW,
    word,
)  # fmt: skip

_VECTOR = 8  # ticks that are numbered at once

_PROGRAM = f"""define internal void @run_program(ptr %p, ptr %c, i64 %count, ptr %soon, i64 %lines) nounwind {{
entry:
  %count.p = getelementptr i64, ptr %c, i64 {COUNT}
  store i64 %count, ptr %count.p
  br label %valid
valid:
  %w = phi i64 [0, %entry], [%w1, %valid]
  %lane = shl i64 %w, 6
  %rest = sub i64 %count, %lane
  %least = call i64 @llvm.smax.i64(i64 %rest, i64 0)
  %some = icmp ult i64 %least, 64
  %short = call i64 @llvm.umin.i64(i64 %least, i64 63)
  %bit = shl i64 1, %short
  %ones = sub i64 %bit, 1
  %mask = select i1 %some, i64 %ones, i64 -1
  %valid.b = getelementptr i8, ptr %c, i64 {VALID}
  %valid.p = getelementptr i64, ptr %valid.b, i64 %w
  store i64 %mask, ptr %valid.p
  %w1 = add i64 %w, 1
  %words = icmp ult i64 %w1, {LANES // 64}
  br i1 %words, label %valid, label %call
call:
  %i = phi ptr [%p, %valid], [%i1, %do]
  %line.0 = phi ptr [%soon, %valid], [%line.1, %do]
  %f = load ptr, ptr %i
  %none = icmp eq ptr %f, null
  br i1 %none, label %done, label %ask
ask:
  %k = phi i64 [0, %call], [%k1, %line]
  %line.1 = phi ptr [%line.0, %call], [%line.2, %line]
  %asks = icmp ult i64 %k, %lines
  br i1 %asks, label %line, label %do
line:
  call void @llvm.prefetch.p0(ptr %line.1, i32 0, i32 2, i32 1)
  %line.2 = getelementptr i8, ptr %line.1, i64 64
  %k1 = add i64 %k, 1
  br label %ask
do:
  call void %f(ptr %i, ptr %c)
  %i1 = getelementptr i64, ptr %i, i64 8
  br label %call
done:
  ret void
}}
"""

_KIND = f"<{_VECTOR} x i32>"
_IOTA = ", ".join(f"i32 {n}" for n in range(_VECTOR))


def _splat(name: str, value: str) -> str:
    return (
        f"  %{name}.1 = insertelement {_KIND} poison, i32 {value}, i64 0\n"
        f"  %{name} = shufflevector {_KIND} %{name}.1, {_KIND} poison, <{_VECTOR} x i32> zeroinitializer\n"
    )


_UNROLL = f"""define internal i64 @unroll(ptr %c) nounwind {{
entry:
{word("rows", CHUNK_ROWS, "ptr")}{word("times", CHUNK_TIMES, "ptr")}\
{word("tick.rows", CHUNK_NUMBERS, "ptr")}{word("clocks", CHUNK_CLOCKS, "ptr")}{word("tick.count", TICK_COUNT)}\
{word("row.bytes", ROW_STRIDE)}{word("clock.bytes", TICK_STRIDE)}{word("lines", LINES)}\
{word("row.program", ROW_PROGRAM, "ptr")}{word("tick.program", TICK_PROGRAM, "ptr")}{word("log", LOG)}\
  %numbers = getelementptr i8, ptr %c, i64 {NUMBERS}
  %index = getelementptr i8, ptr %c, i64 {INDEX}
  %tick.p = getelementptr i64, ptr %c, i64 {TICK}
  %base.p = getelementptr i64, ptr %c, i64 {BASE}
  %first.p = getelementptr i64, ptr %c, i64 {FIRST}
  %full.p = getelementptr i64, ptr %c, i64 {FULL}
  %block.rows = getelementptr i64, ptr %c, i64 {ROWS}
  %block.ticks = getelementptr i64, ptr %c, i64 {TICKS}
  %logs = icmp ne i64 %log, 0
  %clocked = icmp ne ptr %tick.program, null
  br label %block
block:
  %tick = load i64, ptr %tick.p
  %ended = icmp uge i64 %tick, %tick.count
  br i1 %ended, label %finished, label %rows.begin
finished:
  ret i64 0
rows.begin:
  %base.section = load i64, ptr %base.p
  %base = select i1 %logs, i64 %tick, i64 %base.section
  %window = add i64 %tick, {WINDOW}
  %stop = call i64 @llvm.umin.i64(i64 %window, i64 %tick.count)
  %row.p = getelementptr i32, ptr %tick.rows, i64 %tick
  %row32 = load i32, ptr %row.p
  %row = zext i32 %row32 to i64
  %row0.o = mul i64 %row, %row.bytes
  %row0 = getelementptr i8, ptr %rows, i64 %row0.o
  store ptr %row0, ptr %block.rows
  br label %number
number:
  %at = phi i64 [%tick, %rows.begin], [%at1, %numbered]
  %before = phi i64 [-1, %rows.begin], [%n, %numbered]
  %its.p = getelementptr i32, ptr %tick.rows, i64 %at
  %its = load i32, ptr %its.p
  %n32 = sub i32 %its, %row32
  %n = zext i32 %n32 to i64
  %inside = icmp ult i64 %n, {LANES}
  br i1 %inside, label %numbered, label %rows.end
numbered:
  %again = icmp eq i64 %n, %before
  %again64 = zext i1 %again to i64
  %slot = add i64 %n, %again64
  %relative = sub i64 %at, %base
  %relative32 = trunc i64 %relative to i32
  %number.p = getelementptr i32, ptr %numbers, i64 %slot
  store i32 %relative32, ptr %number.p
  %at1 = add i64 %at, 1
  %more = icmp ult i64 %at1, %stop
  br i1 %more, label %number, label %rows.end
rows.end:
  %greatest = phi i64 [%before, %number], [%n, %numbered]
  %end = phi i64 [%at, %number], [%stop, %numbered]
  %count = add i64 %greatest, 1
  %after.o = mul i64 %count, %row.bytes
  %after.rows = getelementptr i8, ptr %row0, i64 %after.o
  call void @run_program(ptr %row.program, ptr %c, i64 %count, ptr %after.rows, i64 %lines)
  br i1 %clocked, label %piece, label %tail
piece:
  %from = phi i64 [%tick, %rows.end], [%to, %ran]
  %piece.left = sub i64 %end, %from
  %size = call i64 @llvm.umin.i64(i64 %piece.left, i64 {LANES})
  %to = add i64 %from, %size
  %from.o = mul i64 %from, %clock.bytes
  %clock0 = getelementptr i8, ptr %clocks, i64 %from.o
  store ptr %clock0, ptr %block.ticks
{_splat("row.v", "%row32")}  %number0 = sub i64 %from, %base
  %number32 = trunc i64 %number0 to i32
{_splat("number.v", "%number32")}  %number.v0 = add {_KIND} %number.v, <{_IOTA}>
  br label %lane
lane:
  %k = phi i64 [0, %piece], [%k1, %lane]
  %k.numbers = phi {_KIND} [%number.v0, %piece], [%k.numbers1, %lane]
  %k.at = add i64 %from, %k
  %k.rows.p = getelementptr i32, ptr %tick.rows, i64 %k.at
  %k.rows = load {_KIND}, ptr %k.rows.p, align 4
  %k.index = sub {_KIND} %k.rows, %row.v
  %k.inside = call {_KIND} @llvm.umin.v{_VECTOR}i32({_KIND} %k.index, {_KIND} splat (i32 {LANES - 1}))
  %k.index.p = getelementptr i32, ptr %index, i64 %k
  store {_KIND} %k.inside, ptr %k.index.p, align 4
  %k.number.p = getelementptr i32, ptr %numbers, i64 %k
  store {_KIND} %k.numbers, ptr %k.number.p, align 4
  %k.numbers1 = add {_KIND} %k.numbers, splat (i32 {_VECTOR})
  %k1 = add i64 %k, {_VECTOR}
  %k.more = icmp ult i64 %k1, {LANES}
  br i1 %k.more, label %lane, label %run
run:
  call void @run_program(ptr %tick.program, ptr %c, i64 %size, ptr null, i64 0)
  br label %ran
ran:
  store i64 0, ptr %first.p
  %unfinished = icmp ult i64 %to, %end
  br i1 %unfinished, label %piece, label %tail
tail:
  store i64 0, ptr %first.p
  store i64 %end, ptr %tick.p
  br i1 %logs, label %order, label %check
order:
  %window.p = getelementptr i64, ptr %times, i64 %tick
  %window.count = sub i64 %end, %tick
  call void @order_log(ptr %c, i64 %window.count, ptr %window.p)
  br label %check
check:
  %full = load i64, ptr %full.p
  %is.full = icmp ne i64 %full, 0
  br i1 %is.full, label %act, label %block
act:
  br i1 %logs, label %leave, label %grow
grow:
  call void @grow_chains(ptr %c)
  %full.still = load i64, ptr %full.p
  %is.still = icmp ne i64 %full.still, 0
  br i1 %is.still, label %leave, label %block
leave:
  ret i64 1
}}
"""


_GROW = f"""define internal void @grow_chains(ptr %c) nounwind {{
entry:
{word("free", ARENA)}{word("end", ARENA_END)}{word("count", CHAINS)}\
  %rows = getelementptr i8, ptr %c, i64 {HEADER_BYTES}
  br label %chain
chain:
  %i = phi i64 [0, %entry], [%i1, %next]
  %at = phi i64 [%free, %entry], [%at.next, %next]
  %full = phi i64 [0, %entry], [%full.next, %next]
  %row.o = mul i64 %i, {CHAIN_BYTES}
  %row = getelementptr i8, ptr %rows, i64 %row.o
  %cursor = load i64, ptr %row
  %limit.p = getelementptr i64, ptr %row, i64 1
  %limit = load i64, ptr %limit.p
  %over = icmp ugt i64 %cursor, %limit
  br i1 %over, label %move, label %next
move:
  %begin.p = getelementptr i64, ptr %row, i64 3
  %begin = load i64, ptr %begin.p
  %room.p = getelementptr i64, ptr %row, i64 4
  %room = load i64, ptr %room.p
  %used = sub i64 %cursor, %begin
  %twice = shl i64 %used, 1
  %limit.new = add i64 %at, %twice
  %end.new = add i64 %limit.new, %room
  %fits = icmp ule i64 %end.new, %end
  br i1 %fits, label %copy, label %next
copy:
  %to = inttoptr i64 %at to ptr
  %from = inttoptr i64 %begin to ptr
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %used, i1 0)
  %cursor.new = add i64 %at, %used
  store i64 %cursor.new, ptr %row
  store i64 %limit.new, ptr %limit.p
  store i64 %at, ptr %begin.p
  br label %next
next:
  %at.next = phi i64 [%at, %chain], [%at, %move], [%end.new, %copy]
  %full.next = phi i64 [%full, %chain], [1, %move], [%full, %copy]
  %i1 = add i64 %i, 1
  %more = icmp ult i64 %i1, %count
  br i1 %more, label %chain, label %done
done:
  store i64 %at.next, ptr %free.p
  %full.p = getelementptr i64, ptr %c, i64 {FULL}
  store i64 %full.next, ptr %full.p
  ret void
}}
"""


def record_module() -> str:
    """Return the module of `unroll` and of all kernels that record."""
    return "\n".join([PUT_LONG, *narrow_kernels(), *wide_kernels(), ORDER_LOG, _PROGRAM, _GROW, _UNROLL, TAKE_SEGMENTS])
