"""Kernels that find and record the changes of values of more than 64 bits, and of values with an unknown plane.

They go from lane to lane. `record_narrow` says what they record, and how.
"""

from __future__ import annotations

from weft.engines.cpu.record_narrow import CHAIN_BEGIN, CHAIN_END, ENTRY_BEGIN, ENTRY_END
from weft.engines.cpu.unroll_context import HEAP, operands

_WORD_HELPERS = """
define internal i1 @differ(ptr %a, ptr %b, i64 %words) nounwind {
entry:
  br label %loop
loop:
  %k = phi i64 [0, %entry], [%k1, %loop]
  %some = phi i64 [0, %entry], [%some1, %loop]
  %ap = getelementptr i64, ptr %a, i64 %k
  %bp = getelementptr i64, ptr %b, i64 %k
  %av = load i64, ptr %ap
  %bv = load i64, ptr %bp
  %x = xor i64 %av, %bv
  %some1 = or i64 %some, %x
  %k1 = add nuw i64 %k, 1
  %more = icmp ult i64 %k1, %words
  br i1 %more, label %loop, label %done
done:
  %r = icmp ne i64 %some1, 0
  ret i1 %r
}

define internal i1 @any(ptr %a, i64 %words) nounwind {
entry:
  br label %loop
loop:
  %k = phi i64 [0, %entry], [%k1, %loop]
  %some = phi i64 [0, %entry], [%some1, %loop]
  %ap = getelementptr i64, ptr %a, i64 %k
  %av = load i64, ptr %ap
  %some1 = or i64 %some, %av
  %k1 = add nuw i64 %k, 1
  %more = icmp ult i64 %k1, %words
  br i1 %more, label %loop, label %done
done:
  %r = icmp ne i64 %some1, 0
  ret i1 %r
}

define internal ptr @put_words(ptr %body, ptr %words, i64 %width) nounwind {
entry:
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
  ret ptr %end
}

define internal ptr @put_digits(ptr %body, ptr %v, ptr %u, i64 %width) nounwind {
entry:
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
  ret ptr %p1
}

define internal ptr @put_value(ptr %at, i64 %delta, ptr %v, ptr %u, i64 %width, i1 %strange) nounwind {
entry:
  %bit = icmp eq i64 %width, 1
  br i1 %bit, label %one, label %vector
one:
  %value = load i64, ptr %v
  %v2 = shl i64 %value, 1
  %d4 = shl i64 %delta, 4
  %x = or i64 %d4, %v2
  %x1 = or i64 %x, 1
  %d2 = shl i64 %delta, 2
  %y = or i64 %d2, %v2
  %code = select i1 %strange, i64 %x1, i64 %y
  %short = call ptr @put_long(ptr %at, i64 %code)
  ret ptr %short
vector:
  %flag = zext i1 %strange to i64
  %d1 = shl i64 %delta, 1
  %head = or i64 %d1, %flag
  %body = call ptr @put_long(ptr %at, i64 %head)
  br i1 %strange, label %digits, label %words
digits:
  %d.end = call ptr @put_digits(ptr %body, ptr %v, ptr %u, i64 %width)
  ret ptr %d.end
words:
  %w.end = call ptr @put_words(ptr %body, ptr %v, i64 %width)
  ret ptr %w.end
}
"""


def _wide_kernel(name: str, begin: str, third: str, record: str, end: str) -> str:
    """Return a kernel for columns of words, with an unknown plane or without: lane by lane.

    Each plane's last value lies before its first lane, so that every lane has one before it.
    """
    return f"""define void @{name}(ptr noalias %i, ptr %c) nounwind {{
entry:
{operands("*column", "*unknown", third, "*planes", "width", "size")}{begin}  %width.63 = add i64 %width, 63
  %words = lshr i64 %width.63, 6
  %lane = shl i64 %words, 3
  %back = sub i64 0, %lane
  %planes2 = getelementptr i8, ptr %planes, i64 %size
  %before = getelementptr i8, ptr %column, i64 %back
  %before2 = getelementptr i8, ptr %unknown, i64 %back
  %four = icmp ne i64 %unknown.o, 0
  store i64 0, ptr %before
  call void @llvm.memcpy.p0.p0.i64(ptr %before, ptr %planes, i64 %size, i1 0)
  br i1 %four, label %recall, label %begin
recall:
  store i64 0, ptr %before2
  call void @llvm.memcpy.p0.p0.i64(ptr %before2, ptr %planes2, i64 %size, i1 0)
  br label %begin
begin:
  %forced = icmp ne i64 %first, 0
  br label %loop
loop:
  %n = phi i64 [0, %begin], [%n1, %next]
  %force = phi i1 [%forced, %begin], [0, %next]
  %at = phi ptr [%cursor, %begin], [%at.now, %next]
  %l = phi i64 [%last0, %begin], [%l.now, %next]
  %offset = mul i64 %n, %lane
  %value = getelementptr i8, ptr %column, i64 %offset
  %old = getelementptr i8, ptr %value, i64 %back
  %other = getelementptr i8, ptr %unknown, i64 %offset
  %differs = call i1 @differ(ptr %value, ptr %old, i64 %words)
  br i1 %four, label %look, label %compared
look:
  %old2 = getelementptr i8, ptr %other, i64 %back
  %differs2 = call i1 @differ(ptr %other, ptr %old2, i64 %words)
  %strange0 = call i1 @any(ptr %other, i64 %words)
  br label %compared
compared:
  %also = phi i1 [0, %loop], [%differs2, %look]
  %strange = phi i1 [0, %loop], [%strange0, %look]
  %d = or i1 %differs, %also
  %changed = or i1 %d, %force
  br i1 %changed, label %record, label %next
record:
  %number.p = getelementptr i32, ptr %numbers, i64 %n
  %number = load i32, ptr %number.p
  %number64 = zext i32 %number to i64
{record}  br label %next
next:
  %at.now = phi ptr [%at, %compared], [%at.next, %record]
  %l.now = phi i64 [%l, %compared], [%number64, %record]
  %n1 = add nuw i64 %n, 1
  %more = icmp ult i64 %n1, %count
  br i1 %more, label %loop, label %done
done:
  %at.end = phi ptr [%at.now, %next]
  %last.end = phi i64 [%l.now, %next]
  %t.offset = mul i64 %tail, %lane
  %t.p = getelementptr i8, ptr %column, i64 %t.offset
  call void @llvm.memcpy.p0.p0.i64(ptr %planes, ptr %t.p, i64 %size, i1 0)
  br i1 %four, label %remember, label %end
remember:
  %t.q = getelementptr i8, ptr %unknown, i64 %t.offset
  call void @llvm.memcpy.p0.p0.i64(ptr %planes2, ptr %t.q, i64 %size, i1 0)
  br label %end
end:
{end}}}
"""


_HEAP_RECORD = f"""  %heap.p = getelementptr i64, ptr %c, i64 {HEAP}
  %heap = load ptr, ptr %heap.p
  call void @llvm.memcpy.p0.p0.i64(ptr %heap, ptr %value, i64 %size, i1 0)
  %heap2 = getelementptr i8, ptr %heap, i64 %size
  %size2 = select i1 %four, i64 %size, i64 0
  call void @llvm.memcpy.p0.p0.i64(ptr %heap2, ptr %other, i64 %size2, i1 0)
  %heap3 = getelementptr i8, ptr %heap2, i64 %size2
  store ptr %heap3, ptr %heap.p
  %head = shl i64 %signal, 32
  %word = or disjoint i64 %head, %number64
  store i64 %word, ptr %at
  %value.p = getelementptr i64, ptr %at, i64 1
  store ptr %heap, ptr %value.p
  %at.next = getelementptr i64, ptr %at, i64 2
"""


def wide_kernels() -> list[str]:
    """Return the kernels, with what they call; `PUT_LONG` must be there."""
    chain = (
        "  %delta = sub i64 %number64, %l\n  %at.next = call ptr @put_value("
        "ptr %at, i64 %delta, ptr %value, ptr %other, i64 %width, i1 %strange)\n"
    )
    return [
        _WORD_HELPERS,
        _wide_kernel("chain_words", CHAIN_BEGIN, "*chain", chain, CHAIN_END),
        _wide_kernel("note_words", ENTRY_BEGIN + "  %last0 = add i64 0, 0\n", "signal", _HEAP_RECORD, ENTRY_END),
    ]
