"""Operations of odd widths, which types of 8, 16, 32 and 64 bits carry, against Python's numbers; values without z."""

from __future__ import annotations

import ctypes
import itertools
import random
from collections.abc import Callable

from weft.engines.cpu.jit import START, Library, compile_object
from weft.engines.event import operators as ops
from weft.engines.event.writer import Operand, Value, Writer, carrier, ir_type, mask

WIDTHS = (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 63, 64)

Compiled = Callable[[Writer, Operand, Operand], Operand]
Meaning = Callable[[int, int], int]


def signed(value: int, width: int) -> int:
    """Return the signed number that so many bits stand for."""
    return value - (1 << width) if value >> (width - 1) & 1 else value


def divided(a: int, b: int) -> int:
    """Return a quotient rounded to zero."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def operations(width: int) -> dict[str, tuple[Compiled, Meaning]]:
    """Return what is compiled of two operands, and what it means; results are cut to the width of the operands."""

    def op(name: str) -> Compiled:
        return lambda w, a, b: w.op(name, width, a, b)

    def shifted(name: str) -> Compiled:
        return lambda w, a, b: w.op(name, width, a, w.op("urem", width, b, width & mask(width) or mask(width)))

    def less(name: str) -> Compiled:
        return lambda w, a, b: w.resize(w.compare(name, width, a, b), 1, width)

    def amount(b: int) -> int:
        return b % (width & mask(width) or mask(width))

    def number(a: int) -> int:
        return signed(a, width)

    wider, narrower = width + 3, (width + 1) // 2

    def through(size: int, is_signed: bool) -> Compiled:
        return lambda w, a, b: w.resize(
            w.op("lshr", size, w.resize(a, width, size, is_signed), max(0, size - width)), size, width, is_signed
        )

    def through_meaning(size: int, is_signed: bool) -> Meaning:
        def meaning(a: int, b: int) -> int:
            wide = (number(a) if is_signed else a) & mask(size)
            moved = wide >> max(0, size - width)
            return (signed(moved, size) if is_signed else moved) & mask(width)

        return meaning

    return {
        "add": (op("add"), lambda a, b: a + b),
        "sub": (op("sub"), lambda a, b: a - b),
        "mul": (op("mul"), lambda a, b: a * b),
        "and": (op("and"), lambda a, b: a & b),
        "or": (op("or"), lambda a, b: a | b),
        "xor": (op("xor"), lambda a, b: a ^ b),
        "shl": (shifted("shl"), lambda a, b: a << amount(b)),
        "lshr": (shifted("lshr"), lambda a, b: a >> amount(b)),
        "ashr": (shifted("ashr"), lambda a, b: number(a) >> amount(b)),
        "udiv": (op("udiv"), lambda a, b: a // b),
        "urem": (op("urem"), lambda a, b: a % b),
        "sdiv": (op("sdiv"), lambda a, b: divided(number(a), number(b))),
        "srem": (op("srem"), lambda a, b: number(a) - divided(number(a), number(b)) * number(b)),
        "not": (lambda w, a, b: w.not_(width, a), lambda a, b: ~a),
        "not not": (lambda w, a, b: w.not_(width, w.not_(width, a)), lambda a, b: a),
        "eq": (less("eq"), lambda a, b: a == b),
        "ne": (less("ne"), lambda a, b: a != b),
        "ult": (less("ult"), lambda a, b: a < b),
        "uge": (less("uge"), lambda a, b: a >= b),
        "slt": (less("slt"), lambda a, b: number(a) < number(b)),
        "sge": (less("sge"), lambda a, b: number(a) >= number(b)),
        "select": (lambda w, a, b: w.select(width, w.resize(a, width, 1), b, a), lambda a, b: b if a & 1 else a),
        "extend": (through(wider, False), through_meaning(wider, False)),
        "extend signed": (through(wider, True), through_meaning(wider, True)),
        "cut": (through(narrower, False), through_meaning(narrower, False)),
        "cut, extend signed": (through(narrower, True), through_meaning(narrower, True)),
    }


def compiled(functions: dict[str, tuple[int, Compiled]], constant: int | None) -> Library:
    """Compile functions of two words; the second operand is a constant if one is given."""
    texts: list[str] = []
    for symbol, (width, function) in functions.items():
        w = Writer()
        a = w.resize("%a", 64, width)
        b: Operand = w.resize("%b", 64, width) if constant is None else constant & mask(width) or 1
        result = w.resize(function(w, a, b), width, 64)
        lines = "\n".join(w.lines)
        texts.append(f"define i64 @{symbol}(i64 %a, i64 %b) {{\nentry:\n{lines}\n  ret i64 {result}\n}}")
    return Library([compile_object("\n".join(texts), START)], list(functions))


def test_types_that_carry_planes() -> None:
    assert [carrier(width) for width in (1, 2, 8, 9, 17, 33, 64, 65, 129)] == [1, 8, 8, 16, 32, 64, 64, 65, 129]
    assert ir_type(5) == "i8"


def test_operations_of_all_widths() -> None:
    source = random.Random(1)
    tables = {width: operations(width) for width in WIDTHS}
    functions = {
        f"f{width}_{number}": (width, function)
        for width, table in tables.items()
        for number, (function, _) in enumerate(table.values())
    }
    kind = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64)
    for constant in (None, 3, 0x8421_0842_1084_2108, (1 << 64) - 1):
        library = compiled(functions, constant)
        for width, table in tables.items():
            edges = [0, 1, mask(width), 1 << (width - 1), mask(width) >> 1]
            for number, (name, (_, meaning)) in enumerate(table.items()):
                call = kind(library.addresses[f"f{width}_{number}"])
                for _ in range(40):
                    a, b = (source.choice([*edges, source.getrandbits(width)]) for _ in range(2))
                    b = b or 1 if constant is None else constant & mask(width) or 1
                    if name in ("sdiv", "srem") and signed(b, width) == -1:
                        continue  # the overflow is undefined; operators see to it
                    # Bits of the words above the operands' must not matter.
                    noise = source.getrandbits(64) & ~mask(width)
                    assert call(a | noise, b | noise) == meaning(a, b) & mask(width), (name, width, a, b)


def test_what_operators_return_has_no_z() -> None:
    """Bits are 0 where they are unknown, which is taken for granted of them."""
    w = Writer()
    a, b, c = (Value(3, w.resize(f"%{name}", 64, 3), w.resize(f"%{name}u", 64, 3)) for name in "abc")
    unary = (ops.bit_not, ops.negate, ops.truth, ops.reduce_and, ops.reduce_xor, ops.as_x)
    binary = (ops.bit_and, ops.bit_or, ops.bit_xor, ops.equal, ops.not_equal, ops.wildcard_equal)
    results = [operator(w, a) for operator in unary] + [operator(w, a, b) for operator in binary]
    results += [ops.relation("slt")(w, a, b), ops.arithmetic("add")(w, a, b), ops.division("udiv")(w, a, b)]
    before = len(w.lines)
    assert [ops.one(w, each) for each in results] == [each.bits for each in results]
    assert len(w.lines) == before
    assert ops.one(w, c) != c.bits
    clash: Operand = 0
    for each in results:
        both = w.and_(each.width, each.bits, each.unknown)
        clash = w.or_(64, clash, w.resize(both, each.width, 64))
    names = ("a", "au", "b", "bu", "c", "cu")
    arguments = ", ".join(f"i64 %{name}" for name in names)
    declared = "\n".join(w.declarations.values())
    lines = "\n".join(w.lines)
    text = f"{declared}\ndefine i64 @f({arguments}) {{\nentry:\n{lines}\n  ret i64 {clash}\n}}"
    library = Library([compile_object(text, START)], ["f"])
    call = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 6)(library.addresses["f"])
    assert not any(call(x, xu, y, yu, 0, 0) for x, xu, y, yu in itertools.product(range(8), repeat=4))
