"""Order a block's entries by tick, and write them as a log (`tools.waves.change_log`).

Entries come in the order of the signals. A counting sort (Knuth, The Art of Computer Programming volume 3, 5.2) makes
that the order of ticks, and within one of the signals.
"""

from __future__ import annotations

from weft.engines.cpu.unroll_context import ENTRIES, ENTRY, FULL, HEAP, HEAPS, LOG, LOG_LIMIT, SIGNALS, WINDOW, word

ORDER_LOG = f"""define void @order_log(ptr %c, i64 %ticks, ptr %times) nounwind {{
entry:
  %counts = alloca [{WINDOW + 1} x i64], align 16
  call void @llvm.memset.p0.i64(ptr %counts, i8 0, i64 {8 * (WINDOW + 1)}, i1 0)
{word("begin", ENTRIES, "ptr")}{word("end", ENTRY, "ptr")}{word("log", LOG, "ptr")}{word("table", SIGNALS, "ptr")}\
  %none = icmp eq ptr %begin, %end
  br i1 %none, label %leave, label %count
count:
  %e = phi ptr [%begin, %entry], [%e1, %count]
  %tick = load i32, ptr %e
  %tick64 = zext i32 %tick to i64
  %n.p = getelementptr i64, ptr %counts, i64 %tick64
  %n = load i64, ptr %n.p
  %n1 = add i64 %n, 1
  store i64 %n1, ptr %n.p
  %e1 = getelementptr i64, ptr %e, i64 2
  %more = icmp ult ptr %e1, %end
  br i1 %more, label %count, label %sum
sum:
  %k = phi i64 [0, %count], [%k1, %sum]
  %total = phi i64 [0, %count], [%total1, %sum]
  %s.p = getelementptr i64, ptr %counts, i64 %k
  %s = load i64, ptr %s.p
  store i64 %total, ptr %s.p
  %total1 = add i64 %total, %s
  %k1 = add i64 %k, 1
  %sums = icmp ule i64 %k1, %ticks
  br i1 %sums, label %sum, label %place
place:
  %f = phi ptr [%begin, %sum], [%f1, %place]
  %at = load i32, ptr %f
  %at64 = zext i32 %at to i64
  %r.p = getelementptr i64, ptr %counts, i64 %at64
  %rank = load i64, ptr %r.p
  %rank1 = add i64 %rank, 1
  store i64 %rank1, ptr %r.p
  %slot = getelementptr ptr, ptr %end, i64 %rank
  store ptr %f, ptr %slot
  %f1 = getelementptr i64, ptr %f, i64 2
  %places = icmp ult ptr %f1, %end
  br i1 %places, label %place, label %write
write:
  %w = phi i64 [0, %place], [%w1, %written]
  %out = phi ptr [%log, %place], [%out.end, %written]
  %before = phi i32 [-1, %place], [%now, %written]
  %w.p = getelementptr ptr, ptr %end, i64 %w
  %found = load ptr, ptr %w.p
  %now = load i32, ptr %found
  %same = icmp eq i32 %now, %before
  br i1 %same, label %value, label %time
time:
  %now64 = zext i32 %now to i64
  %tick.p = getelementptr i64, ptr %times, i64 %now64
  %time_fs = load i64, ptr %tick.p
  store i32 -1, ptr %out, align 4
  %out.t = getelementptr i32, ptr %out, i64 1
  store i64 %time_fs, ptr %out.t, align 4
  %out.v = getelementptr i32, ptr %out, i64 3
  br label %value
value:
  %o = phi ptr [%out, %write], [%out.v, %time]
  %signal.p = getelementptr i32, ptr %found, i64 1
  %signal = load i32, ptr %signal.p
  store i32 %signal, ptr %o, align 4
  %signal64 = zext i32 %signal to i64
  %row = getelementptr i32, ptr %table, i64 %signal64
  %kind = load i32, ptr %row
  %far32 = and i32 %kind, 1
  %far = trunc i32 %far32 to i1
  %size32 = and i32 %kind, -2
  %size = zext i32 %size32 to i64
  %near.p = getelementptr i64, ptr %found, i64 1
  %far.p = load ptr, ptr %near.p
  %from = select i1 %far, ptr %far.p, ptr %near.p
  %body = getelementptr i32, ptr %o, i64 1
  call void @llvm.memcpy.p0.p0.i64(ptr align 4 %body, ptr align 4 %from, i64 %size, i1 0)
  %out.end = getelementptr i8, ptr %body, i64 %size
  br label %written
written:
  %w1 = add i64 %w, 1
  %writes = icmp ult i64 %w1, %total1
  br i1 %writes, label %write, label %finish
finish:
  store ptr %out.end, ptr %log.p
  store ptr %begin, ptr %end.p
{word("heaps", HEAPS, "ptr")}  %heap.p = getelementptr i64, ptr %c, i64 {HEAP}
  store ptr %heaps, ptr %heap.p
{word("limit", LOG_LIMIT, "ptr")}  %over = icmp ugt ptr %out.end, %limit
  %over64 = zext i1 %over to i64
  %full.p = getelementptr i64, ptr %c, i64 {FULL}
  store i64 %over64, ptr %full.p
  ret void
leave:
  ret void
}}
"""
