"""Helper functions in LLVM IR for values too wide for registers: loops over 64-bit words in memory.

LLVM legalises an `and` of 4,096 bits into 64 instructions and a variable shift or product into thousands, so wide
values live in memory as little-endian words and operations on them are calls of these loops: code size and compile time
do not depend on the width. A module includes only the helpers that its text calls.

Conventions: `%n` counts words; destinations never overlap sources unless said; unused bits of the top word are 0 in
every source, and the caller trims the destination with `@w_trim`. Division is restoring shift-and-subtract, one bit a
turn (Knuth, The Art of Computer Programming volume 2, 4.3.1, names faster ways; wide division is rare in hardware).
"""

from __future__ import annotations

import re


def _loop(
    name: str, parameters: str, body: str, setup: str = "", result: str = "void", finish: str = "ret void"
) -> str:
    """Return a function that runs `body` for `%i` from 0 to `%n` - 1; `%n` must be at least 1."""
    return f"""define internal {result} @{name}({parameters}) nounwind {{
entry:
  {setup}
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%next, %loop]
  {body}
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  {finish}
}}
"""


def _at(target: str, base: str, index: str) -> str:
    return f"%{target}p = getelementptr i64, ptr %{base}, i64 {index}\n  %{target} = load i64, ptr %{target}p\n"


_STORE = "%dp = getelementptr i64, ptr %d, i64 %i\n  store i64 %r, ptr %dp"

HELPERS: dict[str, str] = {}
"""The text of each helper by name."""

for _name in ("and", "or", "xor"):
    HELPERS[f"w_{_name}"] = _loop(
        f"w_{_name}",
        "ptr %d, ptr %a, ptr %b, i64 %n",
        f"{_at('x', 'a', '%i')}  {_at('y', 'b', '%i')}  %r = {_name} i64 %x, %y\n  {_STORE}",
    )

HELPERS["w_not"] = _loop("w_not", "ptr %d, ptr %a, i64 %n", f"{_at('x', 'a', '%i')}  %r = xor i64 %x, -1\n  {_STORE}")

# d = a + (b ^ inv) + cin: a sum with (0, 0), a difference with (-1, 1). d may be a or b.
HELPERS["w_add"] = _loop(
    "w_add",
    "ptr %d, ptr %a, ptr %b, i64 %n, i64 %inv, i64 %cin",
    f"%carry = phi i64 [%cin, %entry], [%cout, %loop]\n  {_at('x', 'a', '%i')}  {_at('z', 'b', '%i')}"
    f"""  %y = xor i64 %z, %inv
  %s = add i64 %x, %y
  %c1 = icmp ult i64 %s, %x
  %r = add i64 %s, %carry
  %c2 = icmp ult i64 %r, %s
  %c3 = or i1 %c1, %c2
  %cout = zext i1 %c3 to i64
  {_STORE}""",
)

HELPERS["w_neg"] = _loop(
    "w_neg",
    "ptr %d, ptr %a, i64 %n",
    f"%carry = phi i64 [1, %entry], [%cout, %loop]\n  {_at('x', 'a', '%i')}"
    f"""  %y = xor i64 %x, -1
  %r = add i64 %y, %carry
  %c = icmp ult i64 %r, %y
  %cout = zext i1 %c to i64
  {_STORE}""",
)

HELPERS["w_eq"] = _loop(
    "w_eq",
    "ptr %a, ptr %b, i64 %n",
    f"%acc = phi i64 [0, %entry], [%or, %loop]\n  {_at('x', 'a', '%i')}  {_at('y', 'b', '%i')}"
    "  %diff = xor i64 %x, %y\n  %or = or i64 %acc, %diff",
    result="i1",
    finish="%same = icmp eq i64 %or, 0\n  ret i1 %same",
)

HELPERS["w_any"] = _loop(
    "w_any",
    "ptr %a, i64 %n",
    f"%acc = phi i64 [0, %entry], [%or, %loop]\n  {_at('x', 'a', '%i')}  %or = or i64 %acc, %x",
    result="i1",
    finish="%some = icmp ne i64 %or, 0\n  ret i1 %some",
)

HELPERS["w_pop"] = _loop(
    "w_pop",
    "ptr %a, i64 %n",
    f"%acc = phi i64 [0, %entry], [%sum, %loop]\n  {_at('x', 'a', '%i')}"
    "  %ones = call i64 @llvm.ctpop.i64(i64 %x)\n  %sum = add i64 %acc, %ones",
    result="i64",
    finish="ret i64 %sum",
)

# Compare words upwards; a higher difference overrides a lower one.
HELPERS["w_ult"] = _loop(
    "w_ult",
    "ptr %a, ptr %b, i64 %n",
    f"%acc = phi i1 [false, %entry], [%less, %loop]\n  {_at('x', 'a', '%i')}  {_at('y', 'b', '%i')}"
    "  %lt = icmp ult i64 %x, %y\n  %ne = icmp ne i64 %x, %y\n  %less = select i1 %ne, i1 %lt, i1 %acc",
    result="i1",
    finish="ret i1 %less",
)

HELPERS["w_bit"] = """define internal i1 @w_bit(ptr %a, i64 %at) nounwind {
  %k = lshr i64 %at, 6
  %s = and i64 %at, 63
  %p = getelementptr i64, ptr %a, i64 %k
  %x = load i64, ptr %p
  %y = lshr i64 %x, %s
  %r = trunc i64 %y to i1
  ret i1 %r
}
"""

HELPERS["w_trim"] = """define internal void @w_trim(ptr %d, i64 %n, i64 %top) nounwind {
  %k = sub i64 %n, 1
  %p = getelementptr i64, ptr %d, i64 %k
  %x = load i64, ptr %p
  %y = and i64 %x, %top
  store i64 %y, ptr %p
  ret void
}
"""

# Return word k of a, 0 below the first word and %fill above the last.
HELPERS["w_word"] = """define internal i64 @w_word(ptr %a, i64 %n, i64 %k, i64 %fill) alwaysinline nounwind {
  %in = icmp ult i64 %k, %n
  br i1 %in, label %inside, label %outside
inside:
  %p = getelementptr i64, ptr %a, i64 %k
  %x = load i64, ptr %p
  ret i64 %x
outside:
  %neg = icmp slt i64 %k, 0
  %f = select i1 %neg, i64 0, i64 %fill
  ret i64 %f
}
"""

# Return the 64 bits of a from (signed) bit position %at up. LLVM 22's x86 code generator aborts on some funnel shifts
# whose result is truncated to one bit, so this is written with plain ones.
HELPERS["w_bits"] = """define internal i64 @w_bits(ptr %a, i64 %n, i64 %at, i64 %fill) nounwind {
  %k = ashr i64 %at, 6
  %k1 = add i64 %k, 1
  %s = and i64 %at, 63
  %lo = call i64 @w_word(ptr %a, i64 %n, i64 %k, i64 %fill)
  %hi = call i64 @w_word(ptr %a, i64 %n, i64 %k1, i64 %fill)
  %low = lshr i64 %lo, %s
  %up = shl i64 %hi, 1
  %back = xor i64 %s, 63
  %high = shl i64 %up, %back
  %r = or i64 %low, %high
  ret i64 %r
}
"""

# d[0:n] = the bits of a (an words) from position at up: every shift, slice and dynamic select.
HELPERS["w_extract"] = _loop(
    "w_extract",
    "ptr %d, i64 %n, ptr %a, i64 %an, i64 %at, i64 %fill",
    f"%o = shl i64 %i, 6\n  %pos = add i64 %o, %at\n"
    f"  %r = call i64 @w_bits(ptr %a, i64 %an, i64 %pos, i64 %fill)\n  {_STORE}",
)

# Overwrite bits [at, at + vbits) of d with v where they lie inside [0, dbits).
HELPERS[
    "w_insert"
] = """define internal void @w_insert(ptr %d, i64 %dbits, ptr %v, i64 %vn, i64 %vbits, i64 %at) nounwind {
entry:
  %lo = call i64 @llvm.smax.i64(i64 %at, i64 0)
  %end = add i64 %at, %vbits
  %hi = call i64 @llvm.smin.i64(i64 %end, i64 %dbits)
  %some = icmp slt i64 %lo, %hi
  br i1 %some, label %start, label %done
start:
  %first = lshr i64 %lo, 6
  %hi1 = sub i64 %hi, 1
  %last = lshr i64 %hi1, 6
  br label %loop
loop:
  %i = phi i64 [%first, %start], [%next, %loop]
  %o = shl i64 %i, 6
  %from = sub i64 %o, %at
  %new = call i64 @w_bits(ptr %v, i64 %vn, i64 %from, i64 0)
  %l0 = sub i64 %lo, %o
  %l1 = call i64 @llvm.smax.i64(i64 %l0, i64 0)
  %h0 = sub i64 %hi, %o
  %h1 = sub i64 64, %h0
  %h2 = call i64 @llvm.smax.i64(i64 %h1, i64 0)
  %ml = shl i64 -1, %l1
  %mh = lshr i64 -1, %h2
  %m = and i64 %ml, %mh
  %p = getelementptr i64, ptr %d, i64 %i
  %old = load i64, ptr %p
  %x = xor i64 %old, %new
  %y = and i64 %x, %m
  %z = xor i64 %old, %y
  store i64 %z, ptr %p
  %next = add i64 %i, 1
  %more = icmp ule i64 %next, %last
  br i1 %more, label %loop, label %done
done:
  ret void
}
"""

# Extend a value of bits bits (an words) to n whole words, with its sign.
HELPERS["w_sext"] = _loop(
    "w_sext",
    "ptr %d, i64 %n, ptr %a, i64 %an, i64 %bits",
    f"""%w = call i64 @w_word(ptr %a, i64 %an, i64 %i, i64 %fill)
  %o = shl i64 %i, 6
  %left = sub i64 %bits, %o
  %l0 = call i64 @llvm.smax.i64(i64 %left, i64 0)
  %whole = icmp ugt i64 %l0, 63
  %l1 = and i64 %l0, 63
  %f0 = shl i64 %fill, %l1
  %f = select i1 %whole, i64 0, i64 %f0
  %r = or i64 %w, %f
  {_STORE}""",
    setup="""%top = sub i64 %bits, 1
  %sign = call i1 @w_bit(ptr %a, i64 %top)
  %fill = sext i1 %sign to i64""",
)

# d = a * b modulo 64n bits; d is neither a nor b.
HELPERS["w_mul"] = """define internal void @w_mul(ptr %d, ptr %a, ptr %b, i64 %n) nounwind {
entry:
  %bytes = shl i64 %n, 3
  call void @llvm.memset.p0.i64(ptr %d, i8 0, i64 %bytes, i1 false)
  br label %outer
outer:
  %i = phi i64 [0, %entry], [%i1, %outer_next]
  %ap = getelementptr i64, ptr %a, i64 %i
  %x = load i64, ptr %ap
  %zero = icmp eq i64 %x, 0
  br i1 %zero, label %outer_next, label %start
start:
  %xw = zext i64 %x to i128
  br label %inner
inner:
  %j = phi i64 [0, %start], [%j1, %inner]
  %k = phi i64 [%i, %start], [%k1, %inner]
  %carry = phi i64 [0, %start], [%cout, %inner]
  %bp = getelementptr i64, ptr %b, i64 %j
  %y = load i64, ptr %bp
  %yw = zext i64 %y to i128
  %dp = getelementptr i64, ptr %d, i64 %k
  %z = load i64, ptr %dp
  %zw = zext i64 %z to i128
  %cw = zext i64 %carry to i128
  %p0 = mul i128 %xw, %yw
  %p1 = add i128 %p0, %zw
  %p2 = add i128 %p1, %cw
  %r = trunc i128 %p2 to i64
  %h = lshr i128 %p2, 64
  %cout = trunc i128 %h to i64
  store i64 %r, ptr %dp
  %j1 = add i64 %j, 1
  %k1 = add i64 %k, 1
  %more = icmp ult i64 %k1, %n
  br i1 %more, label %inner, label %outer_next
outer_next:
  %i1 = add i64 %i, 1
  %again = icmp ult i64 %i1, %n
  br i1 %again, label %outer, label %done
done:
  ret void
}
"""

# r = r * 2 + bit; return the bit shifted out.
HELPERS["w_double"] = _loop(
    "w_double",
    "ptr %d, i64 %n, i64 %bit",
    f"%carry = phi i64 [%bit, %entry], [%cout, %loop]\n  {_at('x', 'd', '%i')}"
    """  %y = shl i64 %x, 1
  %cout = lshr i64 %x, 63
  %r = or i64 %y, %carry
  store i64 %r, ptr %xp""",
    result="i64",
    finish="ret i64 %cout",
)

# q = a / b, r = a % b; both 0 when b is 0. q and r are distinct from a and b.
HELPERS["w_divmod"] = """define internal void @w_divmod(ptr %q, ptr %r, ptr %a, ptr %b, i64 %n) nounwind {
entry:
  %bytes = shl i64 %n, 3
  call void @llvm.memset.p0.i64(ptr %q, i8 0, i64 %bytes, i1 false)
  call void @llvm.memset.p0.i64(ptr %r, i8 0, i64 %bytes, i1 false)
  %ok = call i1 @w_any(ptr %b, i64 %n)
  br i1 %ok, label %start, label %done
start:
  %bits = shl i64 %n, 6
  br label %loop
loop:
  %i = phi i64 [%bits, %start], [%at, %next]
  %at = sub i64 %i, 1
  %bit = call i1 @w_bit(ptr %a, i64 %at)
  %bitw = zext i1 %bit to i64
  %out = call i64 @w_double(ptr %r, i64 %n, i64 %bitw)
  %over = icmp ne i64 %out, 0
  %less = call i1 @w_ult(ptr %r, ptr %b, i64 %n)
  %fits0 = xor i1 %less, true
  %fits = or i1 %over, %fits0
  br i1 %fits, label %take, label %next
take:
  call void @w_add(ptr %r, ptr %r, ptr %b, i64 %n, i64 -1, i64 1)
  %k = lshr i64 %at, 6
  %s = and i64 %at, 63
  %one = shl i64 1, %s
  %qp = getelementptr i64, ptr %q, i64 %k
  %old = load i64, ptr %qp
  %new = or i64 %old, %one
  store i64 %new, ptr %qp
  br label %next
next:
  %more = icmp ne i64 %at, 0
  br i1 %more, label %loop, label %done
done:
  ret void
}
"""

# Signed division of values sign-extended to whole words; x and y are scratch for the magnitudes.
HELPERS[
    "w_sdivmod"
] = """define internal void @w_sdivmod(ptr %q, ptr %r, ptr %a, ptr %b, i64 %n, ptr %x, ptr %y) nounwind {
entry:
  %bits = shl i64 %n, 6
  %top = sub i64 %bits, 1
  %sa = call i1 @w_bit(ptr %a, i64 %top)
  %sb = call i1 @w_bit(ptr %b, i64 %top)
  br i1 %sa, label %nega, label %posta
nega:
  call void @w_neg(ptr %x, ptr %a, i64 %n)
  br label %posta
posta:
  %pa = phi ptr [%a, %entry], [%x, %nega]
  br i1 %sb, label %negb, label %postb
negb:
  call void @w_neg(ptr %y, ptr %b, i64 %n)
  br label %postb
postb:
  %pb = phi ptr [%b, %posta], [%y, %negb]
  call void @w_divmod(ptr %q, ptr %r, ptr %pa, ptr %pb, i64 %n)
  %differ = xor i1 %sa, %sb
  br i1 %differ, label %negq, label %postq
negq:
  call void @w_neg(ptr %q, ptr %q, i64 %n)
  br label %postq
postq:
  br i1 %sa, label %negr, label %done
negr:
  call void @w_neg(ptr %r, ptr %r, i64 %n)
  br label %done
done:
  ret void
}
"""

# d = a ** e modulo 64n bits, by squaring; x and y are scratch.
HELPERS["w_pow"] = """define internal void @w_pow(ptr %d, ptr %a, i64 %n, ptr %e, i64 %en, ptr %x, ptr %y) nounwind {
entry:
  %bytes = shl i64 %n, 3
  %bits = shl i64 %en, 6
  call void @llvm.memset.p0.i64(ptr %d, i8 0, i64 %bytes, i1 false)
  store i64 1, ptr %d
  call void @llvm.memcpy.p0.p0.i64(ptr %x, ptr %a, i64 %bytes, i1 false)
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%i1, %square]
  %bit = call i1 @w_bit(ptr %e, i64 %i)
  br i1 %bit, label %multiply, label %square
multiply:
  call void @w_mul(ptr %y, ptr %d, ptr %x, i64 %n)
  call void @llvm.memcpy.p0.p0.i64(ptr %d, ptr %y, i64 %bytes, i1 false)
  br label %square
square:
  call void @w_mul(ptr %y, ptr %x, ptr %x, i64 %n)
  call void @llvm.memcpy.p0.p0.i64(ptr %x, ptr %y, i64 %bytes, i1 false)
  %i1 = add i64 %i, 1
  %more = icmp ult i64 %i1, %bits
  br i1 %more, label %loop, label %done
done:
  ret void
}
"""

# A signed power (IEEE 1800-2023 table 11-4): a, sign-extended, to a negative exponent is 1, -1 or 0.
HELPERS["w_spow"] = """define internal void @w_spow(ptr %d, ptr %a, i64 %n, ptr %e, i64 %en, ptr %x, ptr %y) nounwind {
entry:
  %bytes = shl i64 %n, 3
  %ebits = shl i64 %en, 6
  %etop = sub i64 %ebits, 1
  %se = call i1 @w_bit(ptr %e, i64 %etop)
  br i1 %se, label %negative, label %plain
plain:
  call void @w_pow(ptr %d, ptr %a, i64 %n, ptr %e, i64 %en, ptr %x, ptr %y)
  ret void
negative:
  call void @llvm.memset.p0.i64(ptr %x, i8 0, i64 %bytes, i1 false)
  store i64 1, ptr %x
  %isone = call i1 @w_eq(ptr %a, ptr %x, i64 %n)
  call void @llvm.memset.p0.i64(ptr %y, i8 -1, i64 %bytes, i1 false)
  %isminus = call i1 @w_eq(ptr %a, ptr %y, i64 %n)
  %odd = call i1 @w_bit(ptr %e, i64 0)
  %even = xor i1 %odd, true
  %m1 = and i1 %isminus, %even
  %one = or i1 %isone, %m1
  %mo = and i1 %isminus, %odd
  %fill = select i1 %mo, i8 -1, i8 0
  call void @llvm.memset.p0.i64(ptr %d, i8 %fill, i64 %bytes, i1 false)
  br i1 %one, label %set, label %done
set:
  store i64 1, ptr %d
  br label %done
done:
  ret void
}
"""

_CALL = re.compile(r"@(w_[a-z]+)\(")
_NEEDS = {name: set(_CALL.findall(text)) - {name} for name, text in HELPERS.items()}


def helper_text(called: set[str]) -> str:
    """Return the text of the helpers named in `called`, with all that they call. Intrinsics need no declaration."""
    needed: set[str] = set()
    stack = list(called)
    while stack:
        name = stack.pop()
        if name not in needed:
            needed.add(name)
            stack.extend(_NEEDS[name])
    return "".join(HELPERS[name] for name in sorted(needed))
