"""Kernels that find and record the changes of known values of up to 64 bits.

A change is found by comparing a column with itself one lane later, many lanes at once, and recorded in one of two ways.
*Chains* are FST's own form: each signal has a part of an arena, to which a change appends the number of ticks since the
signal's last change joined with the new value. A limit leaves room for all the changes of a block; `unroll_rows` moves
the chains past theirs. *Entries* are for a file in the order of time (`order_log`): tick, signal and value.

Instructions: `chain_*`: column, unknown plane's column or 0, chain, remembered planes, width, bytes of a plane.
`note_*`: the same with the signal's number in the place of the chain.
"""

from __future__ import annotations

from weft.engines.cpu.column_kernels import LANES, SIZES
from weft.engines.cpu.unroll_context import COUNT, ENTRY, FIRST, FULL, NUMBERS, VALID, operands, word

PUT_LONG = """
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

CHAIN_BEGIN = f"""{word("count", COUNT)}{word("first", FIRST)}  %tail = sub i64 %count, 1
  %cursor = load ptr, ptr %chain
  %last.p = getelementptr i64, ptr %chain, i64 2
  %last0 = load i64, ptr %last.p
  %valid = getelementptr i8, ptr %c, i64 {VALID}
  %numbers = getelementptr i8, ptr %c, i64 {NUMBERS}
"""

CHAIN_END = f"""  store ptr %at.end, ptr %chain
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

ENTRY_BEGIN = f"""{word("count", COUNT)}{word("first", FIRST)}  %tail = sub i64 %count, 1
{word("cursor", ENTRY, "ptr")}  %valid = getelementptr i8, ptr %c, i64 {VALID}
  %numbers = getelementptr i8, ptr %c, i64 {NUMBERS}
"""

ENTRY_END = """  store ptr %at.end, ptr %cursor.p
  ret void
"""


def _changes(
    name: str,
    entry: str,
    mask: str,
    lane: str,
    body: str,
    finish: str,
    carry: str = "",
    chain: bool = True,
    burst: str = "",
) -> str:
    """Return a kernel that goes over the lanes whose bits are set in a mask, 64 at a time.

    `mask` computes `%changed` for the 64 lanes from `%lane0`, `lane` loads lane `%n`'s value `%v`, `body` writes it at
    `%at`, and leaves `%at.next`; it ends in block `put`. `carry` names a value of `mask` that its next turn gets.
    `burst` writes all 64 lanes at `%at.w` and leaves `%at.burst`, where each is a change one tick after the one before.
    """
    last = (
        ("%last = phi i64 [%last0, %entry], [%last.now, %next]", "%l = phi i64 [%last, %sparse], [%number64, %put]")
        if chain
        else ("", "")
    )
    steady, ways = "  br label %sparse\n", ("", "")
    if burst:
        steady = f"""  %every = icmp eq i64 %bits, -1
  %lane63 = or disjoint i64 %lane0, 63
  %number63.p = getelementptr i32, ptr %numbers, i64 %lane63
  %number63 = load i32, ptr %number63.p
  %number63.64 = zext i32 %number63 to i64
  %span = sub i64 %number63.64, %last
  %close = icmp eq i64 %span, 64
  %steady = and i1 %every, %close
  br i1 %steady, label %burst, label %sparse
burst:
{burst}  br label %next
"""
        ways = (", [%at.burst, %burst]", ", [%number63.64, %burst]")
    now = f"%last.now = phi i64 [%last, %sparse], [%number64, %put]{ways[1]}" if chain else ""
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
{steady}sparse:
  %some = icmp ne i64 %bits, 0
  br i1 %some, label %change, label %next
change:
  %b = phi i64 [%bits, %sparse], [%b1, %put]
  %at = phi ptr [%at.w, %sparse], [%at.next, %put]
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
  %at.now = phi ptr [%at.w, %sparse], [%at.next, %put]{ways[0]}
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
    begin = """  %previous = load i32, ptr %planes
  %previous64 = zext i32 %previous to i64
  %before0 = and i64 %previous64, 1
"""
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

_PUT_BITS = """  %x.lanes = bitcast i64 %x to <64 x i1>
  %x.codes = select <64 x i1> %x.lanes, <64 x i8> splat (i8 6), <64 x i8> splat (i8 4)
  store <64 x i8> %x.codes, ptr %at.w, align 1
  %at.burst = getelementptr i8, ptr %at.w, i64 64
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


def narrow_kernels() -> list[str]:
    """Return the kernels for known values of up to 64 bits."""
    found: list[str] = []
    for kind in (0, *SIZES):
        begin, mask, lane, end = _find_containers(kind) if kind else _find_packed()
        name, carry = (str(kind), "") if kind else ("b", "before")
        words = operands("*column", "none", "*chain", "*planes", "width", "size")
        if kind:
            words += "  %up = sub i64 64, %width\n  %bytes.7 = add i64 %width, 7\n  %bytes = lshr i64 %bytes.7, 3\n"
        put = _PUT_WORD if kind else _PUT_BIT
        begins, ends = words + CHAIN_BEGIN + begin, end + CHAIN_END
        burst = "" if kind else _PUT_BITS
        found.append(_changes(f"chain_{name}", begins, mask, lane, put, ends, carry, burst=burst))
        words = operands("*column", "none", "signal", "*planes", "width", "size")
        finish = end + ENTRY_END
        found.append(
            _changes(f"note_{name}", words + ENTRY_BEGIN + begin, mask, lane, _PUT_ENTRY, finish, carry, chain=False)
        )
    return found
