"""The op table: every operation of the cone graph, once.

The verifier, the folder, the reference engine, the code generators, SMT export and the documentation all read this
table, so an operation means the same thing everywhere. Values are unsigned Python ints of `width` bits; signedness
lives in the operation (`slt`, `ashr`, `sdiv`). `evaluate` is the 2-state meaning: (source values, source widths,
result width, param) -> value. Division by zero yields 0 in 2-state (IEEE 1800-2023 11.4.3 says x).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weft.base.dataclass import dataclass

Evaluate = Callable[[Sequence[int], Sequence[int], int, int], int]


@dataclass(frozen=True, slots=True)
class Op:
    """Describe one operation: `arity` is -1 for any number of sources; `rule` names the check of its widths."""

    code: int
    name: str
    arity: int
    rule: str
    doc: str
    evaluate: Evaluate | None = None
    four_state_only: bool = False


def signed(value: int, width: int) -> int:
    """Return the two's complement meaning of `width` bits."""
    return value - (1 << width) if width and value >> (width - 1) else value


def mask(width: int) -> int:
    """Return `width` ones."""
    return (1 << width) - 1


def _quotient(a: int, b: int) -> int:
    """Divide with truncation towards zero, as Verilog does."""
    return 0 if b == 0 else (abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1)


def _remainder(a: int, b: int) -> int:
    """Return the remainder with the sign of the dividend."""
    return 0 if b == 0 else (abs(a) % abs(b)) * (-1 if a < 0 else 1)


def _power(a: int, b: int, width: int) -> int:
    """Raise to a power; `a` and `b` are the operands' meanings (IEEE 1800-2023 table 11-4)."""
    if b >= 0:
        return pow(a, b, 1 << width)
    return {1: 1, -1: 1 if b % 2 == 0 else mask(width)}.get(a, 0)


def _concat(v: Sequence[int], w: Sequence[int], n: int, p: int) -> int:
    result = shift = 0
    for value, width in zip(v, w, strict=True):
        result |= value << shift
        shift += width
    return result


def _insert(v: Sequence[int], w: Sequence[int], n: int, p: int) -> int:
    offset = signed(v[1], w[1])
    field = mask(w[2])
    if offset >= n or offset <= -w[2]:
        return v[0]
    if offset < 0:
        return (v[0] & ~(field >> -offset)) | (v[2] >> -offset & mask(n))
    return ((v[0] & ~(field << offset)) | (v[2] << offset)) & mask(n)


def _extract(v: Sequence[int], w: Sequence[int], n: int, p: int) -> int:
    offset = signed(v[1], w[1])
    if offset >= w[0] or offset <= -n:
        return 0
    return (v[0] >> offset if offset >= 0 else v[0] << -offset) & mask(n)


_rows: list[tuple[str, int, str, str, Evaluate | None]] = [
    # name, arity, width rule, documentation, 2-state meaning
    ("const", 0, "any", "A constant; param indexes the constant pool.", None),
    ("read", 0, "any", "The present value of scalar state number param.", None),
    ("memread", 1, "any", "Element src0 of memory state number param; 0 (x) when out of range.", None),
    ("not", 1, "same", "Bitwise complement.", lambda v, w, n, p: v[0] ^ mask(n)),
    ("and", 2, "same", "Bitwise and.", lambda v, w, n, p: v[0] & v[1]),
    ("or", 2, "same", "Bitwise or.", lambda v, w, n, p: v[0] | v[1]),
    ("xor", 2, "same", "Bitwise exclusive or.", lambda v, w, n, p: v[0] ^ v[1]),
    ("add", 2, "same", "Sum, modulo 2**width.", lambda v, w, n, p: (v[0] + v[1]) & mask(n)),
    ("sub", 2, "same", "Difference, modulo 2**width.", lambda v, w, n, p: (v[0] - v[1]) & mask(n)),
    ("mul", 2, "same", "Product, modulo 2**width.", lambda v, w, n, p: (v[0] * v[1]) & mask(n)),
    ("udiv", 2, "same", "Unsigned quotient.", lambda v, w, n, p: v[0] // v[1] if v[1] else 0),
    ("umod", 2, "same", "Unsigned remainder.", lambda v, w, n, p: v[0] % v[1] if v[1] else 0),
    (
        "sdiv",
        2,
        "same",
        "Signed quotient, towards zero.",
        lambda v, w, n, p: _quotient(signed(v[0], n), signed(v[1], n)) & mask(n),
    ),
    (
        "smod",
        2,
        "same",
        "Signed remainder, sign of the dividend.",
        lambda v, w, n, p: _remainder(signed(v[0], n), signed(v[1], n)) & mask(n),
    ),
    ("upow", 2, "shift", "Unsigned power; src1 has any width.", lambda v, w, n, p: _power(v[0], v[1], n)),
    (
        "spow",
        2,
        "shift",
        "Signed power; src1 is signed and has any width.",
        lambda v, w, n, p: _power(signed(v[0], n), signed(v[1], w[1]), n) & mask(n),
    ),
    ("eq", 2, "compare", "1 if equal.", lambda v, w, n, p: int(v[0] == v[1])),
    ("ult", 2, "compare", "1 if src0 < src1, unsigned.", lambda v, w, n, p: int(v[0] < v[1])),
    ("slt", 2, "compare", "1 if src0 < src1, signed.", lambda v, w, n, p: int(signed(v[0], w[0]) < signed(v[1], w[1]))),
    (
        "shl",
        2,
        "shift",
        "Left shift; src1 is unsigned, of any width.",
        lambda v, w, n, p: (v[0] << v[1]) & mask(n) if v[1] < n else 0,
    ),
    ("lshr", 2, "shift", "Right shift filling with 0.", lambda v, w, n, p: v[0] >> v[1] if v[1] < n else 0),
    (
        "ashr",
        2,
        "shift",
        "Right shift filling with the sign bit.",
        lambda v, w, n, p: (signed(v[0], n) >> min(v[1], n)) & mask(n),
    ),
    ("concat", -1, "concat", "All sources side by side; src0 is the least significant.", _concat),
    ("slice", 1, "slice", "Bits param to param+width-1 of src0.", lambda v, w, n, p: (v[0] >> p) & mask(n)),
    ("zext", 1, "extend", "Extension with zeros.", lambda v, w, n, p: v[0]),
    ("sext", 1, "extend", "Extension with the sign bit.", lambda v, w, n, p: signed(v[0], w[0]) & mask(n)),
    ("mux", 3, "mux", "src1 if src0 (1 bit) else src2.", lambda v, w, n, p: v[1] if v[0] else v[2]),
    ("extract", 2, "any", "width bits of src0 from bit src1 (signed) up; bits outside are 0 (x).", _extract),
    ("insert", 3, "insert", "src0 with src2 written from bit src1 (signed) up; bits outside are dropped.", _insert),
    ("redand", 1, "bit", "1 if every bit is 1.", lambda v, w, n, p: int(v[0] == mask(w[0]))),
    ("redor", 1, "bit", "1 if any bit is 1.", lambda v, w, n, p: int(v[0] != 0)),
    ("redxor", 1, "bit", "Parity.", lambda v, w, n, p: v[0].bit_count() & 1),
    ("popcount", 1, "any", "The number of ones, modulo 2**width.", lambda v, w, n, p: v[0].bit_count() & mask(n)),
    (
        "posedge",
        2,
        "bit1",
        "1 if (before src0, now src1) is a positive edge (IEEE 1800-2023 table 9-2).",
        lambda v, w, n, p: int(v[1] == 1 and v[0] == 0),
    ),
    (
        "negedge",
        2,
        "bit1",
        "1 if (before src0, now src1) is a negative edge.",
        lambda v, w, n, p: int(v[1] == 0 and v[0] == 1),
    ),
    (
        "changed",
        2,
        "compare",
        "1 if before (src0) and now (src1) differ, x and z included.",
        lambda v, w, n, p: int(v[0] != v[1]),
    ),
]

_four_state_rows: list[tuple[str, int, str, str, Evaluate | None]] = [
    (
        "true",
        1,
        "bit",
        "1 if some bit is a known 1, else 0: an if condition.",
        lambda v, w, n, p: int(v[0] != 0),
    ),
    ("ceq", 2, "compare", "1 if equal, x and z included: ===.", lambda v, w, n, p: int(v[0] == v[1])),
    ("weq", 2, "compare", "==?: x and z bits of src1 match anything.", lambda v, w, n, p: int(v[0] == v[1])),
    ("isx", 1, "bit", "1 if any bit is x or z.", lambda v, w, n, p: 0),
    ("known", 1, "same", "x and z bits become 0.", lambda v, w, n, p: v[0]),
    ("isz", 1, "same", "For each bit, 1 if it is z.", lambda v, w, n, p: 0),
    (
        "resolve",
        2,
        "same",
        "Two drivers of one wire, bit by bit (IEEE 1800-2023 table 6-2).",
        lambda v, w, n, p: v[0] | v[1],
    ),
]

OPS: tuple[Op, ...] = tuple(
    Op(code, *row, four_state_only=code >= len(_rows)) for code, row in enumerate(_rows + _four_state_rows)
)
"""The table, indexed by code. Ops marked `four_state_only` never occur in a 2-state graph."""

BY_NAME: dict[str, Op] = {op.name: op for op in OPS}
CODE: dict[str, int] = {op.name: op.code for op in OPS}
"""Codes by name; `CODE["add"]`."""
