"""Kernels that compute one operation for many times at once: the instructions of a column program, as LLVM IR text.

A *column* holds one node's values at `LANES` successive times. Values of one bit are packed, 64 times to a word, so an
`and` of two of them for 256 times is one vector instruction; others lie in containers of 1, 2, 4 or 8 bytes, 4 to 32 to
a vector. This is vectorised interpretation as databases do it (Boncz, Zukowski, Nes, "MonetDB/X100: Hyper-Pipelining
Query Execution", CIDR 2005): what the dispatch of an instruction costs is shared by all the times, so that nothing has
to be compiled for a design, and the kernels, the same for every design, come from the code cache.

A kernel is `void (ptr %i, ptr %c)`: its instruction, eight 64-bit words of which the first is the kernel's address, and
the context, to which the offsets in the others are relative. Bits above a value's width are 0 in every container, as in
the state layout. Columns begin at multiples of 32 bytes.
"""

from __future__ import annotations

from collections.abc import Callable

LANES = 256
"""Times that one run of a program computes."""

INSTRUCTION_WORDS = 8
SIZES = (1, 2, 4, 8)
"""Containers, in bytes."""

_VECTOR = 32
_GROUP = 32  # lanes for which a kernel with packed bits does one turn

PAD = 32
"""Bytes before a column of containers, for the value before its first lane."""

ROWS, ROW_STRIDE, TICKS, TICK_STRIDE = range(4)
"""Words of the context that say where the sources of the present lanes lie: lane n at the base plus n strides."""


def _words(text: str) -> str:
    """Return code that loads an instruction's words: `%name=3` loads word 3, `*name=3` makes a pointer of an offset."""
    lines: list[str] = []
    for item in text.split():
        name, _, word = item[1:].partition("=")
        lines += [f"%{name}.w = getelementptr i64, ptr %i, i64 {word}"]
        lines += [f"%{name}{'.o' if item[0] == '*' else ''} = load i64, ptr %{name}.w"]
        if item[0] == "*":
            lines += [f"%{name} = getelementptr i8, ptr %c, i64 %{name}.o"]
    return "\n  ".join(lines)


def _function(name: str, words: str, step: int, body: str, setup: str = "") -> str:
    """Return a kernel that runs `body` for `%t` from 0 to LANES in steps."""
    return f"""define void @{name}(ptr noalias %i, ptr %c) nounwind {{
entry:
  {_words(words)}
  {setup}
  br label %loop
loop:
  %t = phi i64 [0, %entry], [%t1, %loop]
  {body}
  %t1 = add nuw i64 %t, {step}
  %more = icmp ult i64 %t1, {LANES}
  br i1 %more, label %loop, label %done
done:
  ret void
}}
"""


def _vector(size: int) -> str:
    return f"<{_VECTOR // size} x i{8 * size}>"


def _splat(name: str, size: int) -> str:
    """Return code that makes a vector `%name.v` of the low bits of `%name`."""
    kind, lanes = _vector(size), _VECTOR // size
    narrow = f"%{name}.n = trunc i64 %{name} to i{8 * size}\n  " if size < 8 else ""
    source = f"%{name}.n" if size < 8 else f"%{name}"
    return (
        f"{narrow}%{name}.1 = insertelement {kind} poison, i{8 * size} {source}, i64 0\n  "
        f"%{name}.v = shufflevector {kind} %{name}.1, {kind} poison, <{lanes} x i32> zeroinitializer"
    )


def _load(value: str, base: str, size: int, lane: str = "%t") -> str:
    return (
        f"%{value}.p = getelementptr i{8 * size}, ptr %{base}, i64 {lane}\n  "
        f"%{value} = load {_vector(size)}, ptr %{value}.p, align {_VECTOR}\n  "
    )


def _store(value: str, size: int, lane: str = "%t", mark: str = "d.s") -> str:
    return (
        f"%{mark} = getelementptr i{8 * size}, ptr %d, i64 {lane}\n  "
        f"store {_vector(size)} %{value}, ptr %{mark}, align {_VECTOR}"
    )


def _lanewise(name: str, size: int, words: str, operands: str, code: str, setup: str = "") -> str:
    """Return a kernel in which container lane t of the result depends on lanes t of operands of the same size."""
    body = "".join(_load(operand, f"{operand}.c", size) for operand in operands) + code + "\n  " + _store("r", size)
    columns = " ".join(f"*{operand}.c={2 + n}" for n, operand in enumerate(operands))
    return _function(f"{name}_{size}", f"*d=1 {columns} {words}", _VECTOR // size, body, setup)


def _arithmetic(size: int) -> list[str]:
    kind = _vector(size)
    found = [_lanewise(name, size, "", "ab", f"%r = {name} {kind} %a, %b") for name in ("and", "or", "xor")]
    for name in ("add", "sub", "mul"):
        code = f"%x = {name} {kind} %a, %b\n  %r = and {kind} %x, %mask.v"
        found.append(_lanewise(name, size, "%mask=4", "ab", code, _splat("mask", size)))
    found.append(_lanewise("not", size, "%mask=3", "a", f"%r = xor {kind} %a, %mask.v", _splat("mask", size)))
    # A sign extension within a container: (x ^ s) - s, s being the sign bit.
    code = f"%x = xor {kind} %a, %sign.v\n  %y = sub {kind} %x, %sign.v\n  %r = and {kind} %y, %mask.v"
    found.append(
        _lanewise("sign", size, "%sign=3 %mask=4", "a", code, f"{_splat('sign', size)}\n  {_splat('mask', size)}")
    )
    return found


def _to_bits(name: str, size: int, words: str, operands: str, test: Callable[[str], str], setup: str = "") -> str:
    """Return a kernel whose result is packed: `test` gives code that computes `%r<n>`, a vector of i1."""
    lanes = _VECTOR // size
    lines: list[str] = []
    so_far = ""
    for n in range(_GROUP // lanes):
        lines.append(f"%l{n} = add nuw i64 %t, {n * lanes}")
        lines += [_load(f"{operand}{n}", f"{operand}.c", size, f"%l{n}") for operand in operands]
        lines.append(test(str(n)))
        lines.append(f"%m{n} = bitcast <{lanes} x i1> %r{n} to i{lanes}")
        wide = f"%m{n}"
        if lanes < _GROUP:
            lines.append(f"%z{n} = zext i{lanes} %m{n} to i{_GROUP}")
            wide = f"%z{n}"
        if n:
            lines.append(f"%h{n} = shl nuw i{_GROUP} {wide}, {n * lanes}")
            lines.append(f"%o{n} = or disjoint i{_GROUP} {so_far}, %h{n}")
            wide = f"%o{n}"
        so_far = wide
    lines += ["%at = lshr exact i64 %t, 3", "%p = getelementptr i8, ptr %d, i64 %at"]
    lines.append(f"store i{_GROUP} {so_far}, ptr %p, align 4")
    columns = " ".join(f"*{operand}.c={2 + n}" for n, operand in enumerate(operands))
    return _function(f"{name}_{size}", f"*d=1 {columns} {words}", _GROUP, "\n  ".join(lines), setup)


def _comparisons(size: int) -> list[str]:
    kind = _vector(size)

    def compare(relation: str) -> Callable[[str], str]:
        return lambda n: f"%r{n} = icmp {relation} {kind} %a{n}, %b{n}"

    def signed(n: str) -> str:
        # Narrower values than the container have their sign moved to its top.
        code = f"%x{n} = shl {kind} %a{n}, %up.v\n  %y{n} = shl {kind} %b{n}, %up.v\n  "
        return code + f"%r{n} = icmp slt {kind} %x{n}, %y{n}"

    def tested(n: str) -> str:
        return f"%x{n} = and {kind} %a{n}, %mask.v\n  %r{n} = icmp ne {kind} %x{n}, zeroinitializer"

    def full(n: str) -> str:
        return f"%r{n} = icmp eq {kind} %a{n}, %mask.v"

    return [
        _to_bits("eq", size, "", "ab", compare("eq")),
        _to_bits("ne", size, "", "ab", compare("ne")),
        _to_bits("ult", size, "", "ab", compare("ult")),
        _to_bits("slt", size, "%up=4", "ab", signed, _splat("up", size)),
        _to_bits("test", size, "%mask=3", "a", tested, _splat("mask", size)),
        _to_bits("full", size, "%mask=3", "a", full, _splat("mask", size)),
    ]


def _from_bits(name: str, size: int, words: str, operands: str, code: Callable[[str], str], setup: str = "") -> str:
    """Return a kernel with a packed operand `b` in word 2; `code` computes `%r<n>` with its lanes, the i1s `%b<n>`."""
    lanes = _VECTOR // size
    lines = ["%at = lshr exact i64 %t, 3", "%p = getelementptr i8, ptr %b.c, i64 %at"]
    lines.append(f"%bits = load i{_GROUP}, ptr %p, align 4")
    for n in range(_GROUP // lanes):
        lines.append(f"%l{n} = add nuw i64 %t, {n * lanes}")
        lines += [_load(f"{operand}{n}", f"{operand}.c", size, f"%l{n}") for operand in operands]
        part = "%bits"
        if lanes < _GROUP:
            lines.append(f"%h{n} = lshr i{_GROUP} %bits, {n * lanes}")
            lines.append(f"%m{n} = trunc i{_GROUP} %h{n} to i{lanes}")
            part = f"%m{n}"
        lines.append(f"%b{n} = bitcast i{lanes} {part} to <{lanes} x i1>")
        lines.append(code(str(n)))
        lines.append(_store(f"r{n}", size, f"%l{n}", f"s{n}"))
    columns = " ".join(f"*{operand}.c={3 + n}" for n, operand in enumerate(operands))
    return _function(f"{name}_{size}", f"*d=1 *b.c=2 {columns} {words}", _GROUP, "\n  ".join(lines), setup)


def _choices(size: int) -> list[str]:
    kind, lanes = _vector(size), _VECTOR // size

    def mux(n: str) -> str:
        return f"%r{n} = select <{lanes} x i1> %b{n}, {kind} %x{n}, {kind} %y{n}"

    def spread(n: str) -> str:
        return f"%r{n} = select <{lanes} x i1> %b{n}, {kind} %value.v, {kind} zeroinitializer"

    def merge(n: str) -> str:
        chosen = f"select <{lanes} x i1> %b{n}, {kind} %value.v, {kind} zeroinitializer"
        return f"%v{n} = {chosen}\n  %r{n} = or {kind} %x{n}, %v{n}"

    return [
        _from_bits("mux", size, "", "xy", mux),
        _from_bits("spread", size, "%value=3", "", spread, _splat("value", size)),
        _from_bits("merge_b", size, "%value=4", "x", merge, _splat("value", size)),
    ]


def _conversions(size: int) -> list[str]:
    """Return what takes containers of `size` to others: `slice`, and `place` and `merge` for concatenations."""
    found: list[str] = []
    for target in SIZES:
        big = max(size, target)
        lanes = _VECTOR // big
        source, wide, result = (f"<{lanes} x i{8 * n}>" for n in (size, big, target))

        def splat(name: str, n: int, lanes: int = lanes) -> str:
            return (
                _splat(name, n)
                .replace(_vector(n), f"<{lanes} x i{8 * n}>")
                .replace(f"<{_VECTOR // n} x i32>", f"<{lanes} x i32>")
            )

        read = (
            f"%a.p = getelementptr i{8 * size}, ptr %a.c, i64 %t\n  "
            f"%a = load {source}, ptr %a.p, align {lanes * size}\n  "
        )
        write = (
            f"%d.p = getelementptr i{8 * target}, ptr %d, i64 %t\n  store {result} %r, ptr %d.p, align {lanes * target}"
        )
        if target <= size:
            code = f"%x = lshr {source} %a, %low.v\n  "
            code += f"%y = trunc {source} %x to {result}\n  " if target < size else ""
            code += f"%r = and {result} {'%y' if target < size else '%x'}, %mask.v\n  "
            setup = f"{splat('low', size)}\n  {splat('mask', target)}"
            found.append(
                _function(f"slice_{size}_{target}", "*d=1 *a.c=2 %low=3 %mask=4", lanes, read + code + write, setup)
            )
        if target >= size:
            code = f"%x = zext {source} %a to {wide}\n  " if target > size else ""
            up = f"shl {wide} {'%x' if target > size else '%a'}, %up.v\n  "
            setup = splat("up", target)
            found.append(
                _function(
                    f"place_{size}_{target}", "*d=1 *a.c=2 %up=3", lanes, read + code + "%r = " + up + write, setup
                )
            )
            more = (
                f"%o.p = getelementptr i{8 * target}, ptr %o.c, i64 %t\n  "
                f"%o = load {wide}, ptr %o.p, align {lanes * target}\n  %r = or {wide} %o, %z\n  "
            )
            body = read + code + "%z = " + up + more + write
            found.append(_function(f"merge_{size}_{target}", "*d=1 *a.c=2 *o.c=3 %up=4", lanes, body, setup))
    return found


def _shifts(size: int) -> list[str]:
    """Return shifts by a column of amounts in the same container; amounts beyond the width are as good as it."""
    kind, bits = _vector(size), 8 * size
    found: list[str] = []
    for name in ("shl", "lshr", "ashr"):
        code = (
            f"%n = call {kind} @llvm.umin.v{_VECTOR // size}i{bits}({kind} %b, {kind} splat (i{bits} {bits - 1}))\n  "
        )
        if name == "ashr":
            # The value's sign is moved to the container's top and back; the shift stops at the last bit.
            code += f"%x = shl {kind} %a, %up.v\n  %y = ashr {kind} %x, %n\n  %z = lshr {kind} %y, %up.v\n  "
            code += f"%r = and {kind} %z, %mask.v"
            found.append(
                _lanewise(name, size, "%mask=4 %up=5", "ab", code, f"{_splat('mask', size)}\n  {_splat('up', size)}")
            )
            continue
        code += f"%x = {name} {kind} %a, %n\n  %over = icmp ugt {kind} %b, splat (i{bits} {bits - 1})\n  "
        code += f"%y = select <{_VECTOR // size} x i1> %over, {kind} zeroinitializer, {kind} %x\n  "
        code += f"%r = and {kind} %y, %mask.v"
        found.append(_lanewise(name, size, "%mask=4", "ab", code, _splat("mask", size)))
    return found


_FROM = """%base.p = getelementptr i64, ptr %c, i64 %which
  %base = load ptr, ptr %base.p
  %stride.p = getelementptr i64, ptr %base.p, i64 1
  %stride = load i64, ptr %stride.p
  %from = getelementptr i8, ptr %base, i64 %offset"""
"""Find where lane 0's part of a row or tick is, and from lane to lane."""


def _gathers(size: int) -> list[str]:
    """Return the kernels that collect one container of each row or tick: `gather`, and `expand` from rows to ticks."""
    bits = 8 * size
    lines = ["%o0 = mul i64 %t, %stride"]
    for n in range(8):
        lines.append(f"%l{n} = or disjoint i64 %t, {n}")
        if n:
            lines.append(f"%o{n} = add i64 %o{n - 1}, %stride")
        lines.append(f"%p{n} = getelementptr i8, ptr %from, i64 %o{n}")
        lines.append(f"%v{n} = load i{bits}, ptr %p{n}, align 1")
        lines.append(f"%q{n} = getelementptr i{bits}, ptr %d, i64 %l{n}")
        lines.append(f"store i{bits} %v{n}, ptr %q{n}")
    gather = _function(f"gather_{size}", "*d=1 %which=2 %offset=3", 8, "\n  ".join(lines), _FROM)
    body = (
        "%x.p = getelementptr i32, ptr %index, i64 %t\n  %x = load i32, ptr %x.p\n  %x64 = zext i32 %x to i64\n  "
        f"%a.p = getelementptr i{bits}, ptr %a, i64 %x64\n  %v = load i{bits}, ptr %a.p\n  "
        f"%d.p = getelementptr i{bits}, ptr %d, i64 %t\n  store i{bits} %v, ptr %d.p"
    )
    return [gather, _function(f"expand_{size}", "*d=1 *a=2 *index=3", 1, body)]


def _transpose(size: int) -> str:
    """Return the kernel that makes 32 neighbouring bytes of rows into columns of containers, `PAD` bytes between them.

    Each of the log2 steps merges vectors at a distance of 1, 2 ... lanes, as in any fast transposition.
    """
    count = _VECTOR // size
    kind = _vector(size)
    lines = ["%o0 = mul i64 %t, %stride"]
    for n in range(count):
        if n:
            lines.append(f"%o{n} = add i64 %o{n - 1}, %stride")
        lines.append(f"%p{n} = getelementptr i8, ptr %from, i64 %o{n}")
        lines.append(f"%r0.{n} = load {kind}, ptr %p{n}, align 1")
    step, level = 1, 0
    while step < count:
        # Vectors a and a + step exchange the lanes with this bit of their number for those without it.
        for a in range(count):
            if a & step:
                continue
            b = a + step
            low = [lane if not lane & step else count + lane - step for lane in range(count)]
            high = [lane + step if not lane & step else count + lane for lane in range(count)]
            for name, picks in ((a, low), (b, high)):
                order = ", ".join(f"i32 {pick}" for pick in picks)
                lines.append(
                    f"%r{level + 1}.{name} = shufflevector {kind} %r{level}.{a}, {kind} %r{level}.{b}, "
                    f"<{count} x i32> <{order}>"
                )
        step, level = 2 * step, level + 1
    for n in range(count):
        lines.append(f"%d{n} = getelementptr i8, ptr %d, i64 {n * (LANES * size + PAD)}")
        lines.append(f"%q{n} = getelementptr i{8 * size}, ptr %d{n}, i64 %t")
        lines.append(f"store {kind} %r{level}.{n}, ptr %q{n}, align {_VECTOR}")
    return _function(f"transpose_{size}", "*d=1 %which=2 %offset=3", count, "\n  ".join(lines), _FROM)


def _bit_moves() -> list[str]:
    """Return what makes packed columns out of bytes: `pack`, and `gather_bits` for 32 neighbours in a row."""
    pack = (
        "%p = getelementptr i8, ptr %a, i64 %t\n  %v = load <32 x i8>, ptr %p, align 32\n  "
        "%r = icmp ne <32 x i8> %v, zeroinitializer\n  %m = bitcast <32 x i1> %r to i32\n  "
        "%at = lshr exact i64 %t, 3\n  %q = getelementptr i8, ptr %d, i64 %at\n  store i32 %m, ptr %q, align 4"
    )
    # Each byte has one bit, or is of no interest: 32 of them become 4 bytes, which `scatter_bits` takes apart.
    squeeze = ["%o = mul i64 %t, %stride\n  %p = getelementptr i8, ptr %from, i64 %o"]
    squeeze.append("%v = load <32 x i8>, ptr %p, align 1\n  %one = shl <32 x i8> %v, splat (i8 7)")
    squeeze.append("%sign = icmp slt <32 x i8> %one, zeroinitializer\n  %all = bitcast <32 x i1> %sign to i32")
    for n in range(4):
        squeeze.append(f"%s{n} = lshr i32 %all, {8 * n}\n  %b{n} = trunc i32 %s{n} to i8")
        squeeze.append(f"%e{n} = getelementptr i8, ptr %d, i64 {n * LANES}")
        squeeze.append(f"%q{n} = getelementptr i8, ptr %e{n}, i64 %t\n  store i8 %b{n}, ptr %q{n}")
    gather = _function("gather_bits", "*d=1 %which=2 %offset=3", 1, "\n  ".join(squeeze), _FROM)
    lines = [
        "%p = getelementptr i8, ptr %a, i64 %t\n  %v0 = load <32 x i8>, ptr %p, align 32",
        "%at = lshr exact i64 %t, 3",
    ]
    for bit in range(8):
        lines.append(f"%x{bit} = and <32 x i8> %v0, splat (i8 {1 << bit})")
        lines.append(f"%r{bit} = icmp ne <32 x i8> %x{bit}, zeroinitializer")
        lines.append(f"%m{bit} = bitcast <32 x i1> %r{bit} to i32")
        lines.append(f"%k{bit} = add i64 %at, {bit * LANES // 8}")
        lines.append(f"%q{bit} = getelementptr i8, ptr %d, i64 %k{bit}\n  store i32 %m{bit}, ptr %q{bit}, align 4")
    expand = """%x.p = getelementptr i32, ptr %index, i64 %t
  %x = load i32, ptr %x.p
  %byte = lshr i32 %x, 3
  %byte64 = zext i32 %byte to i64
  %a.p = getelementptr i8, ptr %a, i64 %byte64
  %v = load i8, ptr %a.p
  %low = and i32 %x, 7
  %low8 = trunc i32 %low to i8
  %s = lshr i8 %v, %low8
  %r = and i8 %s, 1
  %d.p = getelementptr i8, ptr %d, i64 %t
  store i8 %r, ptr %d.p"""
    copy = (
        "%o = mul i64 %t, %stride\n  %p = getelementptr i8, ptr %from, i64 %o\n  %n = mul i64 %t, %size\n  "
        "%q = getelementptr i8, ptr %d, i64 %n\n  call void @llvm.memcpy.p0.p0.i64(ptr %q, ptr %p, i64 %size, i1 0)"
    )
    spread = (
        "%x.p = getelementptr i32, ptr %index, i64 %t\n  %x = load i32, ptr %x.p\n  %x64 = zext i32 %x to i64\n  "
        "%o = mul i64 %x64, %size\n  %p = getelementptr i8, ptr %a, i64 %o\n  %n = mul i64 %t, %size\n  "
        "%q = getelementptr i8, ptr %d, i64 %n\n  call void @llvm.memcpy.p0.p0.i64(ptr %q, ptr %p, i64 %size, i1 0)"
    )
    return [
        _function("gather_words", "*d=1 %which=2 %offset=3 %size=4", 1, copy, _FROM),
        _function("expand_words", "*d=1 *a=2 *index=3 %size=4", 1, spread),
        _function("pack", "*d=1 *a=2", _GROUP, pack),
        gather,
        _function("scatter_bits", "*d=1 *a=2", _GROUP, "\n  ".join(lines)),
        _function("expand_b", "*d=1 *a=2 *index=3", 1, expand),
    ]


def _bit_logic() -> list[str]:
    """Return the logic of packed columns."""
    words = "<4 x i64>"
    bodies = {
        "and": ("ab", f"%r = and {words} %a, %b"),
        "or": ("ab", f"%r = or {words} %a, %b"),
        "xor": ("ab", f"%r = xor {words} %a, %b"),
        "not": ("a", f"%r = xor {words} %a, splat (i64 -1)"),
        "eq": ("ab", f"%x = xor {words} %a, %b\n  %r = xor {words} %x, splat (i64 -1)"),
        "ult": ("ab", f"%x = xor {words} %a, splat (i64 -1)\n  %r = and {words} %x, %b"),
        "mux": ("abe", f"%x = xor {words} %b, %e\n  %y = and {words} %x, %a\n  %r = xor {words} %y, %e"),
    }
    found: list[str] = []
    for name, (operands, code) in bodies.items():
        lines = [
            f"%{o}.p = getelementptr i8, ptr %{o}.c, i64 %at\n  %{o} = load {words}, ptr %{o}.p, align 32"
            for o in operands
        ]
        body = "%at = lshr exact i64 %t, 3\n  " + "\n  ".join(lines)
        body += f"\n  {code}\n  %p = getelementptr i8, ptr %d, i64 %at\n  store {words} %r, ptr %p, align 32"
        columns = " ".join(f"*{operand}.c={2 + n}" for n, operand in enumerate(operands))
        found.append(_function(f"{name}_b", f"*d=1 {columns}", 256, body))
    return found


def kernel_modules() -> list[str]:
    """Return the kernels as modules that compile in parallel."""
    modules = ["\n".join(_bit_moves() + _bit_logic())]
    for size in SIZES:
        groups = (_arithmetic, _comparisons, _choices, _conversions, _shifts, _gathers)
        modules.append("\n".join(text for group in groups for text in group(size)))
    modules.append("\n".join(map(_transpose, (4, 8))))
    return modules
