"""How compiled change detection records a change: as a chain for each signal, or as one log. LLVM IR helpers.

*Chains* are FST's own form: each signal has a buffer, and a change appends the number of time steps since the signal's
last change joined with the new value. *Logs* are one buffer in the order of the changes (see `tools.waves.change_log`).

A chain's row in the context is four words: cursor, limit, last time index, and none. A record is written before the
limit is checked, so limits leave room for one; a cursor past its limit raises the hook's full flag and so ends the
section.
"""

from __future__ import annotations

FULL, ANY, NOW, TIMES, TIMES_LIMIT, FIRST, LOG, LOG_LIMIT = range(8)
"""Words of a trace hook's context: full flag, change flag, time index, time table and its limit, first call, log."""

HEADER_BYTES = 64
ROW_BYTES = 32

_APPEND = """
define internal void @end_record(ptr %c, ptr %row, ptr %at) alwaysinline nounwind {
  store ptr %at, ptr %row
  %any = getelementptr i64, ptr %c, i64 1
  store i64 1, ptr %any
  %limit.p = getelementptr i64, ptr %row, i64 1
  %limit = load ptr, ptr %limit.p
  %over = icmp ugt ptr %at, %limit
  br i1 %over, label %full, label %fine
full:
  store i64 1, ptr %c
  br label %fine
fine:
  ret void
}

define internal ptr @put_varint(ptr %at, i64 %value) alwaysinline nounwind {
entry:
  %short = icmp ult i64 %value, 128
  br i1 %short, label %last, label %loop
loop:
  %v = phi i64 [%value, %entry], [%rest, %loop]
  %p = phi ptr [%at, %entry], [%next, %loop]
  %low = trunc i64 %v to i8
  %more = or i8 %low, -128
  store i8 %more, ptr %p
  %rest = lshr i64 %v, 7
  %next = getelementptr i8, ptr %p, i64 1
  %again = icmp uge i64 %rest, 128
  br i1 %again, label %loop, label %last
last:
  %lv = phi i64 [%value, %entry], [%rest, %loop]
  %lp = phi ptr [%at, %entry], [%next, %loop]
  %final = trunc i64 %lv to i8
  store i8 %final, ptr %lp
  %end = getelementptr i8, ptr %lp, i64 1
  ret ptr %end
}

define internal i64 @step_time(ptr %row, i64 %now) alwaysinline nounwind {
  %last.p = getelementptr i64, ptr %row, i64 2
  %last = load i64, ptr %last.p
  store i64 %now, ptr %last.p
  %delta = sub i64 %now, %last
  ret i64 %delta
}
"""

CHAIN_HELPERS = (
    _APPEND
    + """
define internal void @chain_bit(ptr %c, ptr %row, i64 %now, i64 %v) noinline nounwind {
  %delta = call i64 @step_time(ptr %row, i64 %now)
  %at = load ptr, ptr %row
  %a = shl i64 %delta, 2
  %b = shl i64 %v, 1
  %code = or i64 %a, %b
  %end = call ptr @put_varint(ptr %at, i64 %code)
  call void @end_record(ptr %c, ptr %row, ptr %end)
  ret void
}

define internal void @chain_strange_bit(ptr %c, ptr %row, i64 %now, i64 %v) noinline nounwind {
  %delta = call i64 @step_time(ptr %row, i64 %now)
  %at = load ptr, ptr %row
  %a = shl i64 %delta, 4
  %b = shl i64 %v, 1
  %d = or i64 %a, %b
  %code = or i64 %d, 1
  %end = call ptr @put_varint(ptr %at, i64 %code)
  call void @end_record(ptr %c, ptr %row, ptr %end)
  ret void
}

define internal void @chain_word(ptr %c, ptr %row, i64 %now, i64 %bytes, i64 %size) noinline nounwind {
  %delta = call i64 @step_time(ptr %row, i64 %now)
  %at = load ptr, ptr %row
  %code = shl i64 %delta, 1
  %body = call ptr @put_varint(ptr %at, i64 %code)
  store i64 %bytes, ptr %body, align 1
  %end = getelementptr i8, ptr %body, i64 %size
  call void @end_record(ptr %c, ptr %row, ptr %end)
  ret void
}

define internal void @chain_words(ptr %c, ptr %row, i64 %now, ptr %words, i64 %width) noinline nounwind {
entry:
  %delta = call i64 @step_time(ptr %row, i64 %now)
  %at = load ptr, ptr %row
  %code = shl i64 %delta, 1
  %body = call ptr @put_varint(ptr %at, i64 %code)
  %top = sub i64 %width, 64
  br label %loop
loop:
  %bit = phi i64 [%top, %entry], [%lower, %join]
  %p = phi ptr [%body, %entry], [%p1, %join]
  %below = icmp slt i64 %bit, 0
  br i1 %below, label %tail, label %inside
tail:
  %first = load i64, ptr %words
  %up = sub i64 0, %bit
  %t = shl i64 %first, %up
  br label %join
inside:
  %index = lshr i64 %bit, 6
  %shift = and i64 %bit, 63
  %lo.p = getelementptr i64, ptr %words, i64 %index
  %lo = load i64, ptr %lo.p
  %hi.p = getelementptr i64, ptr %lo.p, i64 1
  %hi = load i64, ptr %hi.p
  %f = call i64 @llvm.fshr.i64(i64 %hi, i64 %lo, i64 %shift)
  br label %join
join:
  %piece = phi i64 [%t, %tail], [%f, %inside]
  %swapped = call i64 @llvm.bswap.i64(i64 %piece)
  store i64 %swapped, ptr %p, align 1
  %p1 = getelementptr i64, ptr %p, i64 1
  %lower = sub i64 %bit, 64
  %more = icmp sgt i64 %lower, -64
  br i1 %more, label %loop, label %done
done:
  %rounded = add i64 %width, 7
  %size = lshr i64 %rounded, 3
  %end = getelementptr i8, ptr %body, i64 %size
  call void @end_record(ptr %c, ptr %row, ptr %end)
  ret void
}

define internal void @chain_digits(ptr %c, ptr %row, i64 %now, ptr %v, ptr %u, i64 %width) noinline nounwind {
entry:
  %delta = call i64 @step_time(ptr %row, i64 %now)
  %at = load ptr, ptr %row
  %twice = shl i64 %delta, 1
  %code = or i64 %twice, 1
  %body = call ptr @put_varint(ptr %at, i64 %code)
  br label %loop
loop:
  %left = phi i64 [%width, %entry], [%bit, %loop]
  %p = phi ptr [%body, %entry], [%p1, %loop]
  %bit = sub i64 %left, 1
  %byte = lshr i64 %bit, 3
  %shift64 = and i64 %bit, 7
  %shift = trunc i64 %shift64 to i8
  %vp = getelementptr i8, ptr %v, i64 %byte
  %up = getelementptr i8, ptr %u, i64 %byte
  %vb = load i8, ptr %vp
  %ub = load i8, ptr %up
  %vs = lshr i8 %vb, %shift
  %us = lshr i8 %ub, %shift
  %v1 = and i8 %vs, 1
  %u1 = trunc i8 %us to i1
  %known = add i8 %v1, 48
  %v2 = shl i8 %v1, 1
  %strange = add i8 %v2, 120
  %char = select i1 %u1, i8 %strange, i8 %known
  store i8 %char, ptr %p
  %p1 = getelementptr i8, ptr %p, i64 1
  %more = icmp ne i64 %bit, 0
  br i1 %more, label %loop, label %done
done:
  call void @end_record(ptr %c, ptr %row, ptr %p1)
  ret void
}
"""
)

LOG_HELPERS = """
define internal void @log_words(ptr %c, i64 %index, ptr %planes, i64 %size) noinline nounwind {
  %any = getelementptr i64, ptr %c, i64 1
  store i64 1, ptr %any
  %cursor = getelementptr i64, ptr %c, i64 6
  %at = load ptr, ptr %cursor
  %index32 = trunc i64 %index to i32
  store i32 %index32, ptr %at, align 1
  %body = getelementptr i8, ptr %at, i64 4
  call void @llvm.memcpy.p0.p0.i64(ptr align 4 %body, ptr align 4 %planes, i64 %size, i1 0)
  %end = getelementptr i8, ptr %body, i64 %size
  store ptr %end, ptr %cursor
  ret void
}

define internal void @log_word(ptr %c, i64 %record) noinline nounwind {
  %any = getelementptr i64, ptr %c, i64 1
  store i64 1, ptr %any
  %cursor = getelementptr i64, ptr %c, i64 6
  %at = load ptr, ptr %cursor
  store i64 %record, ptr %at, align 4
  %end = getelementptr i8, ptr %at, i64 8
  store ptr %end, ptr %cursor
  ret void
}
"""
