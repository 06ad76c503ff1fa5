"""Emit LLVM IR for single nodes: registers for values of up to `wide` bits, words in memory for wider ones.

Every function here takes (emitter, node, width) and returns the operand text of the node's value.
"""

from __future__ import annotations

from collections.abc import Callable

from weft.base.errors import InternalError
from weft.engines.cpu.emit_shifts import emit_extract, emit_insert, emit_shift
from weft.engines.cpu.emitter import Emitter, words
from weft.ir.layout import container_bytes
from weft.ir.ops import OPS

# ------------------------------------------------------------------------------------------------ sources, copies


def _const(e: Emitter, node: int, width: int) -> str:
    value = e.constants[e.param[node]][0]
    if width <= e.wide:
        return str(value)
    name = f"@k{e.param[node]}"
    parts = ", ".join(f"i64 {value >> (64 * i) & 0xFFFFFFFFFFFFFFFF}" for i in range(words(width)))
    e.globals[name] = f"{name} = private unnamed_addr constant [{words(width)} x i64] [{parts}], align 8"
    return name


def _read(e: Emitter, node: int, width: int) -> str:
    return e.container(e.state_address(e.param[node]), width, e.layout.slots[e.param[node]].stride)


def _memread(e: Emitter, node: int, width: int) -> str:
    slot = e.layout.slots[e.param[node]]
    index, inside = e.index(e.sources(node)[0], slot.depth)
    if inside == "false":
        return e.zero(width)
    value = e.container(e.element_address(e.param[node], index), width, slot.stride)
    if inside == "true":
        return value
    return e.select(inside, value, e.zero(width), width)


def _lookup(e: Emitter, node: int, width: int) -> str:
    """Gather the index from the source's runs of bits and load the table's entry."""
    (source,), table = e.sources(node), e.step.tables[e.param[node]]
    index, low = "", 0
    for first, count in _runs(table.bits):
        part = e.resize(e.piece(source, first, count), count, 64)
        if low:
            part = e.put(f"shl i64 {part}, {low}")
        index = e.put(f"or disjoint i64 {index}, {part}") if index else part
        low += count
    kind = f"i{8 * container_bytes(width)}"
    name, entries = f"@t{e.param[node]}", ", ".join(f"{kind} {entry}" for entry in table.entries)
    e.globals[name] = f"{name} = private unnamed_addr constant [{len(table.entries)} x {kind}] [{entries}], align 64"
    at = e.put(f"getelementptr [{len(table.entries)} x {kind}], ptr {name}, i64 0, i64 {index}")
    raw = e.put(f"load {kind}, ptr {at}")
    return raw if width == 8 * container_bytes(width) else e.put(f"trunc nuw {kind} {raw} to i{width}")


def _runs(bits: int) -> list[tuple[int, int]]:
    """Return (first, count) of each run of ones, from the lowest bit up."""
    found: list[tuple[int, int]] = []
    first = 0
    while bits >> first:
        if bits >> first & 1:
            count = (~(bits >> first) & (bits >> first) + 1).bit_length() - 1
            found.append((first, count))
            first += count
        else:
            first += 1
    return found


def _mux(e: Emitter, node: int, width: int) -> str:
    cond, then, other = e.sources(node)
    return e.select(e.use(cond), e.use(then), e.use(other), width)


def _zext(e: Emitter, node: int, width: int) -> str:
    (source,) = e.sources(node)
    narrow = e.width[source]
    if width <= e.wide:
        return e.resize(e.use(source), narrow, width)
    if words(narrow) == words(width) and narrow > e.wide:
        return e.use(source)
    at = e.allocate(width)
    e.add(f"call void @llvm.memset.p0.i64(ptr {at}, i8 0, i64 {8 * words(width)}, i1 0)")
    if narrow <= e.wide:
        e.store_words(at, e.use(source), narrow)
    else:
        e.add(f"call void @llvm.memcpy.p0.p0.i64(ptr {at}, ptr {e.use(source)}, i64 {8 * words(narrow)}, i1 0)")
    return at


def _sext(e: Emitter, node: int, width: int) -> str:
    (source,) = e.sources(node)
    narrow = e.width[source]
    if width == narrow:
        return e.use(source)
    if width <= e.wide:
        return e.put(f"sext i{narrow} {e.use(source)} to i{width}")
    at = e.allocate(width)
    e.call("w_sext", f"ptr {at}, i64 {words(width)}, ptr {e.pointer(source)}, i64 {words(narrow)}, i64 {narrow}")
    e.trim(at, width)
    return at


def _slice(e: Emitter, node: int, width: int) -> str:
    (source,), low = e.sources(node), e.param[node]
    if width <= e.wide:
        return e.piece(source, low, width)
    if low & 63 == 0 and (low + width == e.width[source]):
        return e.put(f"getelementptr i8, ptr {e.use(source)}, i64 {low >> 3}")
    at = e.allocate(width)
    e.extract_words(at, width, source, str(low))
    return at


def _concat(e: Emitter, node: int, width: int) -> str:
    parts = e.sources(node)
    if width > e.wide:
        return _concat_words(e, parts, width)
    result, low = "", 0
    for part in parts:
        size = e.width[part]
        value = e.use(part)
        if value != "0":
            value = e.resize(value, size, width)
            if low:
                value = str(int(value) << low) if value[0] != "%" else e.put(f"shl nuw i{width} {value}, {low}")
            result = e.put(f"or disjoint i{width} {result}, {value}") if result else value
        low += size
    return result or "0"


def _concat_words(e: Emitter, parts: tuple[int, ...], width: int) -> str:
    """Build each destination word from the pieces that overlap it; copy very wide parts by a loop."""
    at = e.allocate(width)
    e.add(f"call void @llvm.memset.p0.i64(ptr {at}, i8 0, i64 {8 * words(width)}, i1 0)")
    pending, low = "", 0

    def flush(word: int) -> None:
        nonlocal pending
        if pending:
            e.add(f"store i64 {pending}, ptr {e.put(f'getelementptr i64, ptr {at}, i64 {word}')}")
        pending = ""

    for part in parts:
        size = e.width[part]
        if size > 4 * e.wide:
            flush(low >> 6)
            arguments = f"ptr {e.use(part)}, i64 {words(size)}, i64 {size}, i64 {low}"
            e.call("w_insert", f"ptr {at}, i64 {width}, {arguments}")
            low += size
            if low & 63:
                pending = e.put(f"load i64, ptr {e.put(f'getelementptr i64, ptr {at}, i64 {low >> 6}')}")
            continue
        done = 0
        while done < size:
            take = min(size - done, 64 - (low & 63))
            value = e.resize(e.piece(part, done, take), take, 64)
            if value != "0":
                if low & 63:
                    shift = low & 63
                    value = str(int(value) << shift) if value[0] != "%" else e.put(f"shl i64 {value}, {shift}")
                pending = e.put(f"or i64 {pending}, {value}") if pending else value
            done, low = done + take, low + take
            if low & 63 == 0:
                flush((low >> 6) - 1)
    flush(low >> 6)
    return at


# ---------------------------------------------------------------------------------------- bitwise and arithmetic


def _not(e: Emitter, node: int, width: int) -> str:
    (a,) = e.sources(node)
    if width <= e.wide:
        return e.put(f"xor i{width} {e.use(a)}, -1")
    at = e.allocate(width)
    e.call("w_not", f"ptr {at}, ptr {e.use(a)}, i64 {words(width)}")
    e.trim(at, width)
    return at


def _bitwise(name: str) -> Callable[[Emitter, int, int], str]:
    def emit(e: Emitter, node: int, width: int) -> str:
        a, b = e.sources(node)
        if width <= e.wide:
            return e.put(f"{name} i{width} {e.use(a)}, {e.use(b)}")
        at = e.allocate(width)
        e.call(f"w_{name}", f"ptr {at}, ptr {e.use(a)}, ptr {e.use(b)}, i64 {words(width)}")
        return at

    return emit


def _sum(name: str, invert: int, carry: int) -> Callable[[Emitter, int, int], str]:
    def emit(e: Emitter, node: int, width: int) -> str:
        a, b = e.sources(node)
        if width <= e.wide:
            return e.put(f"{name} i{width} {e.use(a)}, {e.use(b)}")
        at = e.allocate(width)
        arguments = f"ptr {at}, ptr {e.use(a)}, ptr {e.use(b)}, i64 {words(width)}, i64 {invert}, i64 {carry}"
        e.call("w_add", arguments)
        e.trim(at, width)
        return at

    return emit


def _mul(e: Emitter, node: int, width: int) -> str:
    a, b = e.sources(node)
    if width <= min(128, e.wide):
        return e.put(f"mul i{width} {e.use(a)}, {e.use(b)}")
    at = e.allocate(width)
    e.call("w_mul", f"ptr {at}, ptr {e.pointer(a)}, ptr {e.pointer(b)}, i64 {words(width)}")
    e.trim(at, width)
    return e.unbox(at, width)


def _unsigned_division(name: str) -> Callable[[Emitter, int, int], str]:
    def emit(e: Emitter, node: int, width: int) -> str:
        a, b = e.sources(node)
        if width <= 64:
            x, y = e.use(a), e.use(b)
            none = e.put(f"icmp eq i{width} {y}, 0")
            safe = e.put(f"select i1 {none}, i{width} 1, i{width} {y}")
            result = e.put(f"{name} i{width} {x}, {safe}")
            return e.put(f"select i1 {none}, i{width} 0, i{width} {result}")
        quotient, rest = e.allocate(width), e.allocate(width)
        e.call("w_divmod", f"ptr {quotient}, ptr {rest}, ptr {e.pointer(a)}, ptr {e.pointer(b)}, i64 {words(width)}")
        return e.unbox(quotient if name == "udiv" else rest, width)

    return emit


def _signed_division(name: str) -> Callable[[Emitter, int, int], str]:
    def emit(e: Emitter, node: int, width: int) -> str:
        a, b = e.sources(node)
        if width <= 64:
            x, y = e.use(a), e.use(b)
            none = e.put(f"icmp eq i{width} {y}, 0")
            minus = e.put(f"icmp eq i{width} {y}, -1")
            special = e.put(f"or i1 {none}, {minus}")
            safe = e.put(f"select i1 {special}, i{width} 1, i{width} {y}")
            result = e.put(f"{name} i{width} {x}, {safe}")
            if name == "sdiv":
                negative = e.put(f"sub i{width} 0, {x}")
                result = e.put(f"select i1 {minus}, i{width} {negative}, i{width} {result}")
            return e.put(f"select i1 {none}, i{width} 0, i{width} {result}")
        count = words(width)
        quotient, rest, x, y = (e.allocate(width) for _ in range(4))
        arguments = f"ptr {quotient}, ptr {rest}, ptr {e.extended(a)}, ptr {e.extended(b)}, i64 {count}"
        e.call("w_sdivmod", f"{arguments}, ptr {x}, ptr {y}")
        result = quotient if name == "sdiv" else rest
        e.trim(result, width)
        return e.unbox(result, width)

    return emit


def _power(signed: bool) -> Callable[[Emitter, int, int], str]:
    def emit(e: Emitter, node: int, width: int) -> str:
        a, b = e.sources(node)
        at, x, y = e.allocate(width), e.allocate(width), e.allocate(width)
        base, exponent = (e.extended(a), e.extended(b)) if signed else (e.pointer(a), e.pointer(b))
        arguments = f"ptr {at}, ptr {base}, i64 {words(width)}, ptr {exponent}, i64 {words(e.width[b])}"
        e.call("w_spow" if signed else "w_pow", f"{arguments}, ptr {x}, ptr {y}")
        e.trim(at, width)
        return e.unbox(at, width)

    return emit


# ----------------------------------------------------------------------------------------- comparison, reduction


def _compare(predicate: str) -> Callable[[Emitter, int, int], str]:
    def emit(e: Emitter, node: int, width: int) -> str:
        a, b = e.sources(node)
        size = e.width[a]
        if size <= e.wide:
            return e.put(f"icmp {predicate} i{size} {e.use(a)}, {e.use(b)}")
        arguments = f"ptr {e.use(a)}, ptr {e.use(b)}, i64 {words(size)}"
        if predicate in ("eq", "ne"):
            same = e.call("w_eq", arguments, "i1")
            return same if predicate == "eq" else e.put(f"xor i1 {same}, true")
        less = e.call("w_ult", arguments, "i1")
        if predicate == "ult":
            return less
        left = e.call("w_bit", f"ptr {e.use(a)}, i64 {size - 1}", "i1")
        right = e.call("w_bit", f"ptr {e.use(b)}, i64 {size - 1}", "i1")
        differ = e.put(f"xor i1 {left}, {right}")
        return e.select(differ, left, less, 1)

    return emit


def _redand(e: Emitter, node: int, width: int) -> str:
    (a,) = e.sources(node)
    size = e.width[a]
    if size <= e.wide:
        return e.put(f"icmp eq i{size} {e.use(a)}, -1")
    ones = e.call("w_pop", f"ptr {e.use(a)}, i64 {words(size)}", "i64")
    return e.put(f"icmp eq i64 {ones}, {size}")


def _redor(e: Emitter, node: int, width: int) -> str:
    (a,) = e.sources(node)
    size = e.width[a]
    if size <= e.wide:
        return e.put(f"icmp ne i{size} {e.use(a)}, 0")
    return e.call("w_any", f"ptr {e.use(a)}, i64 {words(size)}", "i1")


def _ones(e: Emitter, node: int) -> tuple[str, int]:
    size = e.width[node]
    if size <= e.wide:
        kind = e.ir_type(size)
        return e.put(f"call {kind} @llvm.ctpop.{kind}({kind} {e.use(node)})"), size
    return e.call("w_pop", f"ptr {e.use(node)}, i64 {words(size)}", "i64"), 64


def _redxor(e: Emitter, node: int, width: int) -> str:
    ones, size = _ones(e, e.sources(node)[0])
    return e.resize(ones, size, 1)


def _popcount(e: Emitter, node: int, width: int) -> str:
    ones, size = _ones(e, e.sources(node)[0])
    if width <= e.wide:
        return e.resize(ones, size, width)
    at = e.allocate(width)
    e.add(f"call void @llvm.memset.p0.i64(ptr {at}, i8 0, i64 {8 * words(width)}, i1 0)")
    e.store_words(at, ones, size)
    return at


def _posedge(e: Emitter, node: int, width: int) -> str:
    before, now = e.sources(node)
    return e.put(f"and i1 {e.use(now)}, {e.put(f'xor i1 {e.use(before)}, true')}")


def _negedge(e: Emitter, node: int, width: int) -> str:
    before, now = e.sources(node)
    return e.put(f"and i1 {e.use(before)}, {e.put(f'xor i1 {e.use(now)}, true')}")


def _four_state(e: Emitter, node: int, width: int) -> str:
    raise InternalError(f"a 4-state operation reached the CPU engine: {OPS[e.op[node]].name}")


_TABLE: dict[str, Callable[[Emitter, int, int], str]] = {
    "const": _const,
    "read": _read,
    "memread": _memread,
    "not": _not,
    "and": _bitwise("and"),
    "or": _bitwise("or"),
    "xor": _bitwise("xor"),
    "add": _sum("add", 0, 0),
    "sub": _sum("sub", -1, 1),
    "mul": _mul,
    "udiv": _unsigned_division("udiv"),
    "umod": _unsigned_division("urem"),
    "sdiv": _signed_division("sdiv"),
    "smod": _signed_division("srem"),
    "upow": _power(signed=False),
    "spow": _power(signed=True),
    "eq": _compare("eq"),
    "ult": _compare("ult"),
    "slt": _compare("slt"),
    "shl": emit_shift("shl"),
    "lshr": emit_shift("lshr"),
    "ashr": emit_shift("ashr"),
    "concat": _concat,
    "slice": _slice,
    "zext": _zext,
    "sext": _sext,
    "mux": _mux,
    "extract": emit_extract,
    "insert": emit_insert,
    "redand": _redand,
    "redor": _redor,
    "redxor": _redxor,
    "popcount": _popcount,
    "posedge": _posedge,
    "negedge": _negedge,
    "changed": _compare("ne"),
}


class NodeEmitter(Emitter):
    """Be an emitter that knows every operation."""

    table = [*(_TABLE.get(op.name, _four_state) for op in OPS), _lookup]
