"""Kernels that find the changes of a column and record them, and what runs the programs over a buffer of rows.

A *row* is the part of the state that traced values depend on, at a time at which it had changed; a *tick* is a time at
which something traced may have changed, with the number of the latest row and the clocks. `unroll` goes over a buffer of
them in blocks of at most `LANES` rows and `WINDOW` ticks: the row program computes what follows from rows, then the tick
program, `LANES` ticks at a time, what depends on a clock too.

A change is found by comparing a column with itself one lane later, many lanes at once, and recorded in one of two ways.
*Chains* are FST's own form: each signal has a part of an arena, to which a change appends the number of ticks since the
signal's last change joined with the new value. A limit leaves room for all the changes of a block; the chains past theirs
then move to parts twice as large at the arena's free end, and when that is used up, the section ends. *Entries* are for a file in the order of time: tick, signal and value, in the order of the
signals; `order_log` sorts a block's by tick (counting sort: Knuth, The Art of Computer Programming volume 3, 5.2) and
writes the log of `tools.waves.change_log`.

Instructions: `chain_*`: column, unknown plane's column or 0, chain, remembered planes, width, bytes of a plane. `note_*`:
the same with the signal's number in the place of the chain.
"""

from __future__ import annotations

from weft.engines.cpu.column_kernels import LANES, ROW_STRIDE, ROWS, SIZES, TICK_STRIDE, TICKS

WINDOW = 2 * LANES
"""Ticks of a block at most."""

(
    COUNT, FULL, FIRST, BASE, CHUNK_ROWS, ROW_COUNT, CHUNK_TICKS, TICK_COUNT, ROW, TICK, ROW_PROGRAM, TICK_PROGRAM,
    ENTRY, HEAP, LOG, LOG_LIMIT, ENTRIES, HEAPS, SIGNALS,
) = range(4, 23)  # fmt: skip
ARENA, ARENA_END, CHAINS = ENTRY, LOG_LIMIT, HEAP
"""Words of the context: lanes in use, full flag, whether to record everything, number of the section's first tick; rows
and ticks of the buffer and the next of each; the programs; cursors of entries, heap and log, its limit, and where entries
and heap begin; a table of the bytes of each signal's record, plus 1 if they lie in the heap. Chains have
instead the beginning and the end of what is free of their arena, and their number."""

VALID = 192
"""Byte offset of a word for each 64 lanes, with ones for the lanes in use."""

NUMBERS = 256
"""Byte offset of the lanes' ticks, counted from the section's first (a block's first for entries), 4 bytes each."""

INDEX = NUMBERS + 4 * LANES
"""Byte offset of the lanes' rows, counted from the block's first, 4 bytes each."""

HEADER_BYTES = INDEX + 4 * LANES
CHAIN_BYTES = 40
"""A chain's row: cursor, limit, tick of the last change, beginning, and the room between the limit and the end."""

TICK_BYTES = 16
"""A tick: time, number of the row, and then the clocks."""

_PUT = """
define internal ptr @put_long(ptr %at, i64 %value) noinline nounwind {
entry:
  br label %loop
loop:
  %v = phi i64 [%value, %entry], [%rest, %loop]
  %p = phi ptr [%at, %entry], [%next, %loop]
  %low = trunc i64 %v to i8
  %more = or i8 %low, -128
  %rest = lshr i64 %v, 7
  %last = icmp eq i64 %rest, 0
  %byte = select i1 %last, i8 %low, i8 %more
  store i8 %byte, ptr %p
  %next = getelementptr i8, ptr %p, i64 1
  br i1 %last, label %done, label %loop
done:
  ret ptr %next
}
"""

_PUT_INLINE = """  %short = icmp ult i64 %code, 128
  br i1 %short, label %one, label %many, !prof !{!"branch_weights", i32 100, i32 1}
one:
  %byte = trunc i64 %code to i8
  store i8 %byte, ptr %at
  %at.1 = getelementptr i8, ptr %at, i64 1
  br label %put
many:
  %at.n = call ptr @put_long(ptr %at, i64 %code)
  br label %put
put:
  %body = phi ptr [%at.1, %one], [%at.n, %many]
"""
"""Write `%code` at `%at`, leave what follows it in `%body`; enters block `put`."""


def _operands(*names: str) -> str:
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


def _word(name: str, index: int, kind: str = "i64") -> str:
    return f"  %{name}.p = getelementptr i64, ptr %c, i64 {index}\n  %{name} = load {kind}, ptr %{name}.p\n"


_CHAIN_BEGIN = f"""{_word("count", COUNT)}{_word("first", FIRST)}  %tail = sub i64 %count, 1
  %cursor = load ptr, ptr %chain
  %last.p = getelementptr i64, ptr %chain, i64 2
  %last0 = load i64, ptr %last.p
  %valid = getelementptr i8, ptr %c, i64 {VALID}
  %numbers = getelementptr i8, ptr %c, i64 {NUMBERS}
"""

_CHAIN_END = f"""  store ptr %at.end, ptr %chain
  store i64 %last.end, ptr %last.p
  %limit.p = getelementptr i64, ptr %chain, i64 1
  %limit = load ptr, ptr %limit.p
  %over = icmp ugt ptr %at.end, %limit
  br i1 %over, label %full, label %fine
full:
  %full.p = getelementptr i64, ptr %c, i64 {FULL}
  store i64 1, ptr %full.p
  br label %fine
fine:
  ret void
"""

_ENTRY_BEGIN = f"""{_word("count", COUNT)}{_word("first", FIRST)}  %tail = sub i64 %count, 1
{_word("cursor", ENTRY, "ptr")}  %valid = getelementptr i8, ptr %c, i64 {VALID}
  %numbers = getelementptr i8, ptr %c, i64 {NUMBERS}
"""

_ENTRY_END = """  store ptr %at.end, ptr %cursor.p
  ret void
"""


def _changes(name: str, entry: str, mask: str, lane: str, body: str, finish: str, carry: str = "", chain: bool = True) -> str:
    """Return a kernel that goes over the lanes whose bits are set in a mask, 64 at a time.

    `mask` computes `%changed` for the 64 lanes from `%lane0`, `lane` loads lane `%n`'s value `%v`, `body` writes it at
    `%at`, and leaves `%at.next`; it ends in block `put`. `carry` names a value of `mask` that its next turn gets.
    """
    last = (
        ("%last = phi i64 [%last0, %entry], [%last.now, %next]", "%l = phi i64 [%last, %look], [%number64, %put]")
        if chain
        else ("", "")
    )
    now = "%last.now = phi i64 [%last, %look], [%number64, %put]" if chain else ""
    end = "%last.end = phi i64 [%last.now, %next]" if chain else ""
    carried = f"%{carry} = phi i64 [%{carry}0, %entry], [%{carry}.next, %next]" if carry else ""
    return f"""define void @{name}(ptr noalias %i, ptr %c) nounwind {{
entry:
{entry}  br label %look
look:
  %w = phi i64 [0, %entry], [%w1, %next]
  %at.w = phi ptr [%cursor, %entry], [%at.now, %next]
  %force = phi i64 [%first, %entry], [0, %next]
  {last[0]}
  {carried}
  %lane0 = shl nuw i64 %w, 6
{mask}  %forced = or i64 %changed, %force
  %valid.p = getelementptr i64, ptr %valid, i64 %w
  %valid.w = load i64, ptr %valid.p
  %bits = and i64 %forced, %valid.w
  %some = icmp ne i64 %bits, 0
  br i1 %some, label %change, label %next
change:
  %b = phi i64 [%bits, %look], [%b1, %put]
  %at = phi ptr [%at.w, %look], [%at.next, %put]
  {last[1]}
  %bit = call i64 @llvm.cttz.i64(i64 %b, i1 true)
  %b.1 = sub i64 %b, 1
  %b1 = and i64 %b, %b.1
  %n = or disjoint i64 %lane0, %bit
  %number.p = getelementptr i32, ptr %numbers, i64 %n
  %number = load i32, ptr %number.p
  %number64 = zext i32 %number to i64
{lane}{body}  %again = icmp ne i64 %b1, 0
  br i1 %again, label %change, label %next
next:
  %at.now = phi ptr [%at.w, %look], [%at.next, %put]
  {now}
  %w1 = add nuw i64 %w, 1
  %more = icmp ult i64 %w1, {LANES // 64}
  br i1 %more, label %look, label %done
done:
  %at.end = phi ptr [%at.now, %next]
  {end}
{finish}}}
"""


def _find_packed() -> tuple[str, str, str, str]:
    """Return for a packed column: what comes first, the mask, a lane's value, and what is remembered at the end."""
    begin = "  %previous = load i32, ptr %planes\n  %previous64 = zext i32 %previous to i64\n  %before0 = and i64 %previous64, 1\n"
    mask = """  %x.p = getelementptr i64, ptr %column, i64 %w
  %x = load i64, ptr %x.p
  %x.up = shl i64 %x, 1
  %x.then = or i64 %x.up, %before
  %changed = xor i64 %x, %x.then
  %before.next = lshr i64 %x, 63
"""
    lane = "  %v.s = lshr i64 %x, %bit\n  %v = and i64 %v.s, 1\n"
    end = """  %t.byte = lshr i64 %tail, 3
  %t.bit = and i64 %tail, 7
  %t.p = getelementptr i8, ptr %column, i64 %t.byte
  %t.v = load i8, ptr %t.p
  %t.low = trunc i64 %t.bit to i8
  %t.s = lshr i8 %t.v, %t.low
  %t.1 = and i8 %t.s, 1
  %t.32 = zext i8 %t.1 to i32
  store i32 %t.32, ptr %planes
"""
    return begin, mask, lane, end


def _find_containers(size: int) -> tuple[str, str, str, str]:
    """Return the same for a column of containers."""
    bits, lanes, plane = 8 * size, 32 // size, 32 if size < 8 else 64
    kind = f"<{lanes} x i{bits}>"
    narrow = bits < plane
    begin = f"""  %previous.p = getelementptr i8, ptr %column, i64 {-size}
  %previous = load i{plane}, ptr %planes
"""
    begin += f"  %previous.n = trunc i{plane} %previous to i{bits}\n" if narrow else ""
    begin += f"  store i{bits} {'%previous.n' if narrow else '%previous'}, ptr %previous.p\n"
    mask: list[str] = []
    so_far = ""
    for n in range(64 // lanes):
        mask += [
            f"%g{n} = or disjoint i64 %lane0, {n * lanes}",
            f"%p{n} = getelementptr i{bits}, ptr %column, i64 %g{n}",
            f"%q{n} = getelementptr i8, ptr %p{n}, i64 {-size}",
            f"%a{n} = load {kind}, ptr %p{n}, align 32",
            f"%o{n} = load {kind}, ptr %q{n}, align {size}",
            f"%r{n} = icmp ne {kind} %a{n}, %o{n}",
            f"%m{n} = bitcast <{lanes} x i1> %r{n} to i{lanes}",
            f"%z{n} = zext i{lanes} %m{n} to i64",
        ]
        wide = f"%z{n}"
        if n:
            mask += [f"%h{n} = shl i64 {wide}, {n * lanes}", f"%j{n} = or disjoint i64 {so_far}, %h{n}"]
            wide = f"%j{n}"
        so_far = wide
    mask.append(f"%changed = or i64 {so_far}, 0")
    lane = f"  %v.p = getelementptr i{bits}, ptr %column, i64 %n\n  %v.n = load i{bits}, ptr %v.p\n"
    lane += f"  %v = zext i{bits} %v.n to i64\n" if size < 8 else "  %v = or i64 %v.n, 0\n"
    end = f"  %t.p = getelementptr i{bits}, ptr %column, i64 %tail\n  %t.v = load i{bits}, ptr %t.p\n"
    end += f"  %t.w = zext i{bits} %t.v to i{plane}\n" if narrow else ""
    end += f"  store i{plane} {'%t.w' if narrow else '%t.v'}, ptr %planes\n"
    return begin, "".join(f"  {line}\n" for line in mask), lane, end


_PUT_BIT = f"""  %delta = sub i64 %number64, %l
  %delta.s = shl i64 %delta, 2
  %v.2 = shl i64 %v, 1
  %code = or disjoint i64 %delta.s, %v.2
{_PUT_INLINE}  %at.next = getelementptr i8, ptr %body, i64 0
"""

_PUT_WORD = f"""  %delta = sub i64 %number64, %l
  %code = shl i64 %delta, 1
  %v.up = shl i64 %v, %up
  %v.big = call i64 @llvm.bswap.i64(i64 %v.up)
{_PUT_INLINE}  store i64 %v.big, ptr %body, align 1
  %at.next = getelementptr i8, ptr %body, i64 %bytes
"""

_PUT_ENTRY = """  %head = shl i64 %signal, 32
  %entry.word = or disjoint i64 %head, %number64
  store i64 %entry.word, ptr %at
  %value.p = getelementptr i64, ptr %at, i64 1
  store i64 %v, ptr %value.p
  %at.next = getelementptr i64, ptr %at, i64 2
  br label %put
put:
"""


def _narrow_kernels() -> list[str]:
    """Return the kernels for known values of up to 64 bits."""
    found: list[str] = []
    for kind in (0, *SIZES):
        begin, mask, lane, end = _find_containers(kind) if kind else _find_packed()
        name, carry = (str(kind), "") if kind else ("b", "before")
        words = _operands("*column", "none", "*chain", "*planes", "width", "size")
        if kind:
            words += "  %up = sub i64 64, %width\n  %bytes.7 = add i64 %width, 7\n  %bytes = lshr i64 %bytes.7, 3\n"
        put = _PUT_WORD if kind else _PUT_BIT
        found.append(_changes(f"chain_{name}", words + _CHAIN_BEGIN + begin, mask, lane, put, end + _CHAIN_END, carry))
        words = _operands("*column", "none", "signal", "*planes", "width", "size")
        finish = end + _ENTRY_END
        found.append(
            _changes(f"note_{name}", words + _ENTRY_BEGIN + begin, mask, lane, _PUT_ENTRY, finish, carry, chain=False)
        )
    return found


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
{_operands("*column", "*unknown", third, "*planes", "width", "size")}{begin}  %width.63 = add i64 %width, 63
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

_ORDER = f"""define void @order_log(ptr %c, i64 %ticks, ptr %tick0, i64 %tick.bytes) nounwind {{
entry:
  %counts = alloca [{WINDOW + 1} x i64], align 16
  call void @llvm.memset.p0.i64(ptr %counts, i8 0, i64 {8 * (WINDOW + 1)}, i1 0)
{_word("begin", ENTRIES, "ptr")}{_word("end", ENTRY, "ptr")}{_word("log", LOG, "ptr")}{_word("table", SIGNALS, "ptr")}\
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
  %tick.o = mul i64 %now64, %tick.bytes
  %tick.p = getelementptr i8, ptr %tick0, i64 %tick.o
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
{_word("heaps", HEAPS, "ptr")}  %heap.p = getelementptr i64, ptr %c, i64 {HEAP}
  store ptr %heaps, ptr %heap.p
{_word("limit", LOG_LIMIT, "ptr")}  %over = icmp ugt ptr %out.end, %limit
  %over64 = zext i1 %over to i64
  %full.p = getelementptr i64, ptr %c, i64 {FULL}
  store i64 %over64, ptr %full.p
  ret void
leave:
  ret void
}}
"""

_PROGRAM = f"""define internal void @run_program(ptr %p, ptr %c, i64 %count) nounwind {{
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
  %f = load ptr, ptr %i
  %none = icmp eq ptr %f, null
  br i1 %none, label %done, label %do
do:
  call void %f(ptr %i, ptr %c)
  %i1 = getelementptr i64, ptr %i, i64 8
  br label %call
done:
  ret void
}}
"""

_UNROLL = f"""define i64 @unroll(ptr %c) nounwind {{
entry:
{_word("rows", CHUNK_ROWS, "ptr")}{_word("row.count", ROW_COUNT)}{_word("ticks", CHUNK_TICKS, "ptr")}\
{_word("tick.count", TICK_COUNT)}{_word("row.bytes", ROW_STRIDE)}{_word("tick.bytes", TICK_STRIDE)}\
{_word("row.program", ROW_PROGRAM, "ptr")}{_word("tick.program", TICK_PROGRAM, "ptr")}{_word("log", LOG)}\
  %numbers = getelementptr i8, ptr %c, i64 {NUMBERS}
  %index = getelementptr i8, ptr %c, i64 {INDEX}
  %row.p = getelementptr i64, ptr %c, i64 {ROW}
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
  %row = load i64, ptr %row.p
  %base.section = load i64, ptr %base.p
  %base = select i1 %logs, i64 %tick, i64 %base.section
  %window = add i64 %tick, {WINDOW}
  %stop = call i64 @llvm.umin.i64(i64 %window, i64 %tick.count)
  %row0.o = mul i64 %row, %row.bytes
  %row0 = getelementptr i8, ptr %rows, i64 %row0.o
  store ptr %row0, ptr %block.rows
  br label %number
number:
  %n = phi i64 [0, %rows.begin], [%n1, %numbered]
  %this.o = mul i64 %n, %row.bytes
  %this = getelementptr i8, ptr %row0, i64 %this.o
  %at = load i64, ptr %this
  %first.row = icmp eq i64 %n, 0
  %early = icmp ult i64 %at, %stop
  %inside = or i1 %first.row, %early
  br i1 %inside, label %numbered, label %rows.end
numbered:
  %relative = sub i64 %at, %base
  %relative32 = trunc i64 %relative to i32
  %number.p = getelementptr i32, ptr %numbers, i64 %n
  store i32 %relative32, ptr %number.p
  %n1 = add i64 %n, 1
  %left = add i64 %row, %n1
  %some = icmp ult i64 %left, %row.count
  %few = icmp ult i64 %n1, {LANES}
  %more = and i1 %some, %few
  br i1 %more, label %number, label %counted
counted:
  br i1 %some, label %cut, label %rows.end
cut:
  %next.o = mul i64 %left, %row.bytes
  %next.row = getelementptr i8, ptr %rows, i64 %next.o
  %next.tick = load i64, ptr %next.row
  %next.stop = call i64 @llvm.umin.i64(i64 %next.tick, i64 %stop)
  br label %rows.end
rows.end:
  %count = phi i64 [%n, %number], [%n1, %counted], [%n1, %cut]
  %end = phi i64 [%stop, %number], [%stop, %counted], [%next.stop, %cut]
  call void @run_program(ptr %row.program, ptr %c, i64 %count)
  br i1 %clocked, label %piece, label %tail
piece:
  %from = phi i64 [%tick, %rows.end], [%to, %ran]
  %piece.left = sub i64 %end, %from
  %size = call i64 @llvm.umin.i64(i64 %piece.left, i64 {LANES})
  %to = add i64 %from, %size
  %from.o = mul i64 %from, %tick.bytes
  %tick0 = getelementptr i8, ptr %ticks, i64 %from.o
  store ptr %tick0, ptr %block.ticks
  br label %lane
lane:
  %k = phi i64 [0, %piece], [%k1, %lane]
  %k.o = mul i64 %k, %tick.bytes
  %k.tick = getelementptr i8, ptr %tick0, i64 %k.o
  %k.row.p = getelementptr i64, ptr %k.tick, i64 1
  %k.row = load i64, ptr %k.row.p
  %k.index = sub i64 %k.row, %row
  %k.index32 = trunc i64 %k.index to i32
  %k.index.p = getelementptr i32, ptr %index, i64 %k
  store i32 %k.index32, ptr %k.index.p
  %k.at = add i64 %from, %k
  %k.number = sub i64 %k.at, %base
  %k.number32 = trunc i64 %k.number to i32
  %k.number.p = getelementptr i32, ptr %numbers, i64 %k
  store i32 %k.number32, ptr %k.number.p
  %k1 = add i64 %k, 1
  %k.more = icmp ult i64 %k1, %size
  br i1 %k.more, label %lane, label %ready
ready:
  %idle = icmp ult i64 %k1, {LANES}
  br i1 %idle, label %fill, label %run
fill:
  %j = phi i64 [%k1, %ready], [%j1, %fill]
  %j.p = getelementptr i32, ptr %index, i64 %j
  store i32 0, ptr %j.p
  %j1 = add i64 %j, 1
  %j.more = icmp ult i64 %j1, {LANES}
  br i1 %j.more, label %fill, label %run
run:
  call void @run_program(ptr %tick.program, ptr %c, i64 %size)
  br label %ran
ran:
  store i64 0, ptr %first.p
  %unfinished = icmp ult i64 %to, %end
  br i1 %unfinished, label %piece, label %tail
tail:
  store i64 0, ptr %first.p
  store i64 %end, ptr %tick.p
  %after = add i64 %row, %count
  %there = icmp ult i64 %after, %row.count
  %after.safe = select i1 %there, i64 %after, i64 0
  %after.o = mul i64 %after.safe, %row.bytes
  %after.p = getelementptr i8, ptr %rows, i64 %after.o
  %after.tick = load i64, ptr %after.p
  %due = icmp eq i64 %after.tick, %end
  %go = and i1 %there, %due
  %same = sub i64 %after, 1
  %row.next = select i1 %go, i64 %after, i64 %same
  store i64 %row.next, ptr %row.p
  br i1 %logs, label %order, label %check
order:
  %window.o = mul i64 %tick, %tick.bytes
  %window.p = getelementptr i8, ptr %ticks, i64 %window.o
  %window.count = sub i64 %end, %tick
  call void @order_log(ptr %c, i64 %window.count, ptr %window.p, i64 %tick.bytes)
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
{_word("free", ARENA)}{_word("end", ARENA_END)}{_word("count", CHAINS)}  %rows = getelementptr i8, ptr %c, i64 {HEADER_BYTES}
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
    wide = [
        _wide_kernel(
            "chain_words",
            _CHAIN_BEGIN,
            "*chain",
            "  %delta = sub i64 %number64, %l\n  %at.next = call ptr @put_value("
            "ptr %at, i64 %delta, ptr %value, ptr %other, i64 %width, i1 %strange)\n",
            _CHAIN_END,
        ),
        _wide_kernel("note_words", _ENTRY_BEGIN + "  %last0 = add i64 0, 0\n", "signal", _HEAP_RECORD, _ENTRY_END),
    ]
    return "\n".join([_PUT, _WORD_HELPERS, *_narrow_kernels(), *wide, _ORDER, _PROGRAM, _GROW, _UNROLL])


RECORD_EXPORTS = (
    *(f"{name}_{kind}" for name in ("chain", "note") for kind in ("b", *SIZES, "words")),
    "unroll",
)
