"""Rewrite rules for comparisons, arithmetic, edges and the 4-state operators.

Arithmetic is narrowed when its operands are extensions, as Verilog's 32-bit `i + 1` on a 4-bit `i` is; powers of two
become selections; differences with constants become sums.
"""

from __future__ import annotations

from weft.ir.four_state import ALWAYS_KNOWN
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE, mask
from weft.passes.rewrite_rules import TWINS, RuleSet, effective_width
from weft.passes.simplify_logic import narrow_operands

ARITHMETIC = RuleSet()

_CONST, _NOT, _EQ, _ULT, _ADD, _MUL = (CODE[name] for name in ("const", "not", "eq", "ult", "add", "mul"))
_ZEXT, _SEXT, _SHL, _REDOR = (CODE[name] for name in ("zext", "sext", "shl", "redor"))
_KNOWN = " ".join(sorted(ALWAYS_KNOWN))
_NEVER_Z = "and or xor not add sub mul eq ult slt redand redor redxor " + _KNOWN


# ------------------------------------------------------------------------------------------- comparisons


@ARITHMETIC.add("comparison with itself", "eq ult slt", False, TWINS)
def compare_self(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x == x` is 1, `x < x` is 0."""
    return b.const(1, int(op == _EQ))


@ARITHMETIC.add("equality with 0", "eq", True, 1, "const")
def eq_zero(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x == 0` is `~|x`, and for one bit `~x`."""
    if b.value(sources[1]) != 0:
        return None
    bit = sources[0] if b.width[sources[0]] == 1 else b.node(_REDOR, 1, (sources[0],))
    return b.node(_NOT, 1, (bit,))


@ARITHMETIC.add("bit equal to 1", "eq", False, 1, "const")
def eq_one_bit(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`bit == 1` is `bit` (but z == 1 is x)."""
    return sources[0] if b.width[sources[0]] == 1 and b.value(sources[1]) == 1 else None


@ARITHMETIC.add("equality with a choice of constants", "eq", False, 0, "mux")
def eq_of_constants(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`(c ? K : L) == M` is `c`, `~c` or a constant."""
    cond, then, other = b.srcs[sources[0]]
    if b.op[sources[1]] != _CONST or b.op[then] != _CONST or b.op[other] != _CONST:
        return None
    wanted = b.value(sources[1])
    matches = b.value(then) == wanted, b.value(other) == wanted
    if matches[0] == matches[1]:
        return b.const(1, int(matches[0]))
    return cond if matches[0] else b.node(_NOT, 1, (cond,))


@ARITHMETIC.add("difference equal to 0", "eq", True, 0, "xor")
def eq_of_xor(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x ^ y == 0` is `x == y`, `x ^ K == L` is `x == K ^ L`."""
    if b.op[sources[1]] != _CONST:
        return None
    x, y = b.srcs[sources[0]]
    if b.value(sources[1]) == 0:
        return b.node(_EQ, 1, (x, y))
    if b.op[y] == _CONST:
        return b.node(_EQ, 1, (x, b.node(CODE["xor"], b.width[x], (y, sources[1]))))
    return None


@ARITHMETIC.add("equality with too great a constant", "eq", True, 0, "zext")
def eq_too_great(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """A zero extension differs from what has a 1 among its zeros."""
    if b.op[sources[1]] != _CONST:
        return None
    value, unknown = b.constants[b.param[sources[1]]]
    return b.const(1, 0) if (value & ~unknown) >> effective_width(b, sources[0]) else None


def _narrow_comparison(b: GraphBuilder, op: int, sources: tuple[int, ...]) -> int | None:
    first, second = effective_width(b, sources[0]), effective_width(b, sources[1])
    needed = max(first, second)
    if needed >= b.width[sources[0]]:
        return None
    return b.node(op, 1, (b.slice(sources[0], 0, needed), b.slice(sources[1], 0, needed)))


@ARITHMETIC.add("comparison of an extension, left", "eq ult changed ceq", True, 0, "zext")
def narrow_comparison_left(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Compare the bits that can be other than 0."""
    return _narrow_comparison(b, op, sources)


@ARITHMETIC.add("comparison of an extension, right", "ult", True, 1, "zext")
def narrow_comparison_right(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Compare the bits that can be other than 0."""
    return _narrow_comparison(b, op, sources)


@ARITHMETIC.add("signed comparison of extensions", "slt", True, 0, "zext")
def slt_of_zext(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """What is not negative compares as unsigned."""
    needed = max(effective_width(b, sources[0]), effective_width(b, sources[1]))
    return b.node(_ULT, 1, sources) if needed < b.width[sources[0]] else None


@ARITHMETIC.add("less than a constant", "ult", False, 1, "const")
def ult_constant(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x < 0` is 0, `x < 1` is `~|x`, and `x < K` is 1 if K is beyond what x can be."""
    bound = b.value(sources[1])
    if bound == 0:
        return b.const(1, 0)
    if bound == 1:
        return b.node(_EQ, 1, (sources[0], b.const(b.width[sources[0]], 0)))
    if bound is not None and bound > mask(effective_width(b, sources[0])):
        return b.const(1, 1)
    return None


@ARITHMETIC.add("greater than a constant", "ult", False, 0, "const")
def constant_ult(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Nothing is greater than what x can be at most."""
    bound = b.value(sources[0])
    return b.const(1, 0) if bound is not None and bound >= mask(effective_width(b, sources[1])) else None


@ARITHMETIC.add("no change", "posedge negedge changed", True, TWINS)
def no_change(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """What is before as it is now has no edge."""
    return b.const(1, 0)


# -------------------------------------------------------------------------------------------- arithmetic


@ARITHMETIC.add("difference with a constant", "sub", True, 1, "const")
def sub_constant(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x - K` is `x + -K`."""
    constant = b.value(sources[1])
    return None if constant is None else b.node(_ADD, width, (sources[0], b.const(width, -constant & mask(width))))


@ARITHMETIC.add("product with a power of two", "mul", False, 1, "const")
def mul_constant(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x * 2**k` is `x << k`."""
    factor = b.value(sources[1])
    if factor == 0:
        return sources[1]
    if factor is None or factor & (factor - 1):
        return None
    return b.node(_SHL, width, (sources[0], b.const(width, factor.bit_length() - 1)))


@ARITHMETIC.add("division by a power of two", "udiv umod", False, 1, "const")
def divide_constant(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x / 2**k` drops the low bits, `x % 2**k` keeps them."""
    divisor = b.value(sources[1])
    if not divisor or divisor & (divisor - 1):
        return None
    amount = divisor.bit_length() - 1
    if op == CODE["udiv"]:
        return b.node(CODE["lshr"], width, (sources[0], b.const(width, amount)))
    return b.node(CODE["and"], width, (sources[0], b.const(width, divisor - 1)))


@ARITHMETIC.add("power of two", "upow", True, 0, "const")
def power_of_two(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`2 ** x` is `1 << x`."""
    return b.node(_SHL, width, (b.const(width, 1), sources[1])) if b.value(sources[0]) == 2 else None


@ARITHMETIC.add("small power", "upow", False, 1, "const")
def small_power(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x ** 0` is 1, `x ** 1` is `x`, `x ** 2` is `x * x`."""
    base = sources[0]
    match b.value(sources[1]):
        case 0:
            return b.const(width, 1)
        case 1:
            return base
        case 2:
            return b.node(_MUL, width, (base, base))
        case _:
            return None


@ARITHMETIC.add("arithmetic on extensions", "add mul udiv umod", False, 0, "zext")
def narrow_arithmetic(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Compute with the bits that the result can have: one more for a sum, both together for a product."""
    first, second = effective_width(b, sources[0]), effective_width(b, sources[1])
    needed = max(first, second)
    if op == _ADD:
        needed += 1
    elif op == _MUL:
        needed = first + second
    return narrow_operands(b, op, width, sources, needed)


@ARITHMETIC.add("low bits of arithmetic", "slice", False, 0, "add sub mul")
def low_bits(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """The low bits of a sum need only the low bits of its operands.

    Only where that frees the operands of extensions, and not for a carry beside its sum, which would be two additions.
    """
    node = sources[0]
    if param or b.width[node] - width < 2:
        return None
    first, second = b.srcs[node]
    if not (_frees(b, first, width) and _frees(b, second, width)):
        return None
    return b.node(b.op[node], width, (b.slice(first, 0, width), b.slice(second, 0, width)))


def _frees(b: GraphBuilder, node: int, width: int) -> bool:
    if b.op[node] == _CONST:
        return True
    return b.op[node] in (_ZEXT, _SEXT) and b.width[b.srcs[node][0]] <= width


# ------------------------------------------------------------------------------------- 4-state operators


@ARITHMETIC.add("truth of a known bit", "true", True, 0, _KNOWN)
def true_of_known(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """A known bit is its own truth."""
    return sources[0] if b.width[sources[0]] == 1 else None


@ARITHMETIC.add("known of the known", "known", True, 0, _KNOWN)
def known_of_known(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """What is known stays."""
    return sources[0]


@ARITHMETIC.add("no unknown bits", "isx isz", True, 0, _KNOWN)
def known_is_not_x(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """What is known is neither x nor z."""
    return b.const(width, 0)


@ARITHMETIC.add("logic is not z", "isz", True, 0, _NEVER_Z)
def logic_is_not_z(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Operators yield 0, 1 or x."""
    return b.const(width, 0)


@ARITHMETIC.add("identity with itself", "ceq", True, TWINS)
def identical(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x === x` is 1."""
    return b.const(1, 1)
