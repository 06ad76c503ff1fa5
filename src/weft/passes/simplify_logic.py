"""Rewrite rules for bitwise logic, reductions and choices.

Normal form: the constant operand of a commutative operation is the second, other operands ascend; complements are not
doubled; operators work on the bits that can differ, and their results are extended.
"""

from __future__ import annotations

from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE, mask
from weft.passes.rewrite_rules import DESCENDING, TWINS, RuleSet, effective_width

LOGIC = RuleSet()

_CONST, _NOT, _AND, _XOR = (CODE[name] for name in ("const", "not", "and", "xor"))
_MUX, _ZEXT, _SEXT = (CODE[name] for name in ("mux", "zext", "sext"))
_JOINS = {CODE["redand"]: CODE["and"], CODE["redor"]: CODE["or"], CODE["redxor"]: CODE["xor"]}


# ---------------------------------------------------------------------------------------------- bitwise


@LOGIC.add("constant second", "and or xor add mul eq", True, 0, "const")
def constant_second(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Put a constant second."""
    first, second = sources
    return None if b.op[second] == _CONST else b.node(op, width, (second, first))


@LOGIC.add("ordered operands", "and or xor add mul eq", True, DESCENDING)
def order_operands(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Put operands that are no constants in the order of their ids."""
    first, second = sources
    return None if b.op[second] == _CONST else b.node(op, width, (second, first))


@LOGIC.add("and, or with itself", "and or", False, TWINS)
def idempotent(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x & x` is `x` (but z & z is x)."""
    return sources[0]


@LOGIC.add("difference with itself", "xor sub", False, TWINS)
def self_inverse(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x ^ x` is 0."""
    return b.const(width, 0)


@LOGIC.add("and with zero", "and", True, 1, "const")
def and_zero(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x & 0` is 0."""
    return sources[1] if b.value(sources[1]) == 0 else None


@LOGIC.add("and with ones", "and", False, 1, "const")
def and_ones(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x & ~0` is `x` (but z & 1 is x)."""
    return sources[0] if b.value(sources[1]) == mask(width) else None


@LOGIC.add("and with a short constant", "and", True, 1, "const")
def and_short(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x & K` needs only the bits that K has."""
    return narrow_operands(b, op, width, sources, effective_width(b, sources[1]))


@LOGIC.add("or with ones", "or", True, 1, "const")
def or_ones(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x | ~0` is `~0`."""
    return sources[1] if b.value(sources[1]) == mask(width) else None


@LOGIC.add("neutral zero", "or xor add sub", False, 1, "const")
def neutral_zero(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x | 0` is `x`, and so on (but z | 0 is x)."""
    return sources[0] if b.value(sources[1]) == 0 else None


@LOGIC.add("xor with ones", "xor", True, 1, "const")
def xor_ones(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x ^ ~0` is `~x`."""
    return b.node(_NOT, width, (sources[0],)) if b.value(sources[1]) == mask(width) else None


@LOGIC.add("constants of a chain", "and or xor add mul", True, 1, "const")
def chained_constants(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`(x + K) + L` is `x + (K + L)`."""
    if b.op[sources[0]] != op:
        return None
    value, constant = b.srcs[sources[0]]
    return b.node(op, width, (value, b.node(op, width, (constant, sources[1])))) if b.op[constant] == _CONST else None


@LOGIC.add("repeated operand on the left", "and or", True, 0, "and or")
def absorb_left(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`(x & y) & x` is `x & y`."""
    return sources[0] if b.op[sources[0]] == op and sources[1] in b.srcs[sources[0]] else None


@LOGIC.add("repeated operand on the right", "and or", True, 1, "and or")
def absorb_right(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x & (x & y)` is `x & y`."""
    return sources[1] if b.op[sources[1]] == op and sources[0] in b.srcs[sources[1]] else None


@LOGIC.add("complement of a complement", "not", False, 0, "not")
def double_not(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`~~x` is `x` (but ~~z is x)."""
    return b.srcs[sources[0]][0]


def _complementary(b: GraphBuilder, op: int, width: int) -> int:
    return b.const(width, 0 if op == _AND else mask(width))


@LOGIC.add("complement on the left", "and or xor", False, 0, "not")
def complement_left(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`~x & x` is 0, `~x | x` and `~x ^ x` are all ones."""
    return _complementary(b, op, width) if b.srcs[sources[0]][0] == sources[1] else None


@LOGIC.add("complement on the right", "and or xor", False, 1, "not")
def complement_right(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`x & ~x` is 0, `x | ~x` and `x ^ ~x` are all ones."""
    return _complementary(b, op, width) if b.srcs[sources[1]][0] == sources[0] else None


@LOGIC.add("xor of complements", "xor", True, 0, "not")
def xor_of_not(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`~x ^ ~y` is `x ^ y`, `~x ^ K` is `x ^ ~K`."""
    first, second = sources
    if b.op[second] == _NOT:
        return b.node(_XOR, width, (b.srcs[first][0], b.srcs[second][0]))
    if b.op[second] == _CONST:
        return b.node(_XOR, width, (b.srcs[first][0], b.node(_NOT, width, (second,))))
    return None


def narrow_operands(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], needed: int) -> int | None:
    """Return the operation on the low `needed` bits of its operands, extended; None if that is no narrower."""
    if needed >= width:
        return None
    low = tuple(b.slice(source, 0, needed) for source in sources)
    return b.node(_ZEXT, width, (b.node(op, needed, low),))


def _narrow_bitwise(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...]) -> int | None:
    first, second = effective_width(b, sources[0]), effective_width(b, sources[1])
    return narrow_operands(b, op, width, sources, min(first, second) if op == _AND else max(first, second))


@LOGIC.add("extended operand on the left", "and or xor", True, 0, "zext")
def narrow_left(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Work on the bits that can be other than 0, and extend the result."""
    return _narrow_bitwise(b, op, width, sources)


@LOGIC.add("extended operand on the right", "and or xor", True, 1, "zext")
def narrow_right(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Work on the bits that can be other than 0, and extend the result."""
    return _narrow_bitwise(b, op, width, sources)


# ------------------------------------------------------------------------------------------- reductions


@LOGIC.add("reduction of one bit", "redand redor redxor", False)
def reduce_bit(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """A bit is its own reduction (but that of z is x)."""
    return sources[0] if b.width[sources[0]] == 1 else None


@LOGIC.add("redand of zeros", "redand", True, 0, "zext")
def redand_extended(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """A zero extension is not all ones."""
    return b.const(1, 0) if b.width[b.srcs[sources[0]][0]] < b.width[sources[0]] else None


@LOGIC.add("reduction of a zero extension", "redor redxor true isx", True, 0, "zext")
def reduce_zext(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Leading zeros add nothing."""
    return b.node(op, 1, b.srcs[sources[0]])


@LOGIC.add("reduction of a sign extension", "redand redor true isx", True, 0, "sext")
def reduce_sext(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Copies of the sign add nothing."""
    return b.node(op, 1, b.srcs[sources[0]])


@LOGIC.add("reduction of a concatenation", "redand redor redxor", True, 0, "concat")
def reduce_parts(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Reduce each part, then join the bits in pairs: `|{p, q}` is `|p | |q`."""
    bits = [b.node(op, 1, (part,)) for part in b.srcs[sources[0]]]
    join = _JOINS[op]
    while len(bits) > 1:
        pairs = [b.node(join, 1, (bits[i], bits[i + 1])) for i in range(0, len(bits) - 1, 2)]
        bits = pairs + bits[len(pairs) * 2 :]
    return bits[0]


# ----------------------------------------------------------------------------------------------- choices


@LOGIC.add("constant condition", "mux", True, 0, "const")
def constant_condition(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Choose now."""
    cond = b.value(sources[0])
    return None if cond is None else sources[1] if cond else sources[2]


@LOGIC.add("equal arms", "mux", False, TWINS)
def equal_arms(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """There is no choice (but merging z with z yields x)."""
    return sources[1]


@LOGIC.add("inverted condition", "mux", True, 0, "not")
def inverted_condition(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Swap the arms."""
    return b.node(_MUX, width, (b.srcs[sources[0]][0], sources[2], sources[1]))


@LOGIC.add("choice of constant bits", "mux", False, 1, "const")
def constant_bits(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`c ? ~0 : 0` is copies of `c`, and the other way round of `~c` (but copies of z are z)."""
    cond, then, other = sources
    values = b.value(then), b.value(other)
    if values == (mask(width), 0):
        return b.node(_SEXT, width, (cond,))
    if values == (0, mask(width)):
        return b.node(_SEXT, width, (b.node(_NOT, 1, (cond,)),))
    return None


@LOGIC.add("known choice in the first arm", "mux", False, 1, "mux")
def nested_then(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`c ? (c ? a : b) : d` is `c ? a : d`."""
    cond, then, other = sources
    inner = b.srcs[then]
    return b.node(_MUX, width, (cond, inner[1], other)) if inner[0] == cond else None


@LOGIC.add("known choice in the second arm", "mux", False, 2, "mux")
def nested_else(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """`c ? a : (c ? b : d)` is `c ? a : d`."""
    cond, then, other = sources
    inner = b.srcs[other]
    return b.node(_MUX, width, (cond, then, inner[2])) if inner[0] == cond else None


def _narrow_arms(b: GraphBuilder, width: int, sources: tuple[int, ...]) -> int | None:
    cond, then, other = sources
    needed = max(effective_width(b, then), effective_width(b, other))
    if needed >= width:
        return None
    return b.node(_ZEXT, width, (b.node(_MUX, needed, (cond, b.slice(then, 0, needed), b.slice(other, 0, needed))),))


@LOGIC.add("extended first arm", "mux", True, 1, "zext const")
def narrow_then(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Choose among the bits that can be other than 0, and extend the result."""
    return _narrow_arms(b, width, sources)


@LOGIC.add("sign-extended arms", "mux", True, 1, "sext")
def sext_arms(b: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Choose before extending, when both arms extend the same width."""
    cond, then, other = sources
    if b.op[other] != _SEXT:
        return None
    first, second = b.srcs[then][0], b.srcs[other][0]
    narrow = b.width[first]
    if narrow != b.width[second]:
        return None
    return b.node(_SEXT, width, (b.node(_MUX, narrow, (cond, first, second)),))
