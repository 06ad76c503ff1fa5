"""The 4-state meaning of every operation, on pairs of a value and an unknown plane (IEEE 1800-2023 clause 11).

A pair is (value, unknown): bit by bit 0 is (0, 0), 1 is (1, 0), x is (0, 1), z is (1, 1). An operation that computes
treats z as x and yields x; one that only moves bits (concat, slice, extensions, shifts, mux, extract, insert) keeps z,
as nets and variables do. Where the standard leaves room, this is what Icarus Verilog does: `==` is 0 as soon as two
known bits differ (the relation is not ambiguous then, 11.4.5), shifts move z.

This table is the definition that `passes.split_planes` and every rewrite rule tagged `exact` are tested against.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weft.ir.ops import BY_NAME, OPS, mask

Pair = tuple[int, int]
Evaluate4 = Callable[[Sequence[Pair], Sequence[int], int, int], Pair]
"""Given (source pairs, source widths, result width, param), return the result."""

X1: Pair = (0, 1)


def _all_x(width: int) -> Pair:
    return 0, mask(width)


def _bit(one: bool, known: bool = True) -> Pair:
    return (int(one), 0) if known else X1


def _arithmetic(name: str) -> Evaluate4:
    """Make an operation of which any unknown bit makes all bits x (11.4.3, 11.4.4)."""
    function = BY_NAME[name].evaluate
    assert function is not None

    def evaluate(p: Sequence[Pair], w: Sequence[int], n: int, param: int) -> Pair:
        if any(unknown for _, unknown in p):
            return _all_x(n)
        return function([value for value, _ in p], w, n, param), 0

    return evaluate


def _division(name: str) -> Evaluate4:
    """Make a division: x also when the divisor is 0 (11.4.3)."""
    divide = _arithmetic(name)
    return lambda p, w, n, param: _all_x(n) if p[1][0] == 0 else divide(p, w, n, param)


def _signed_power(p: Sequence[Pair], w: Sequence[int], n: int, param: int) -> Pair:
    """Raise to a power; 0 to a negative power is x (table 11-4)."""
    if p[0][0] == 0 and p[1][0] >> (w[1] - 1):
        return _all_x(n)
    return _arithmetic("spow")(p, w, n, param)


def _not(p: Sequence[Pair], w: Sequence[int], n: int, param: int) -> Pair:
    value, unknown = p[0]
    return ~value & ~unknown & mask(n), unknown


def _and(p: Sequence[Pair], w: Sequence[int], n: int, param: int) -> Pair:
    (a, ax), (b, bx) = p
    return a & ~ax & b & ~bx, (ax | bx) & (a | ax) & (b | bx)


def _or(p: Sequence[Pair], w: Sequence[int], n: int, param: int) -> Pair:
    (a, ax), (b, bx) = p
    ones = (a & ~ax) | (b & ~bx)
    return ones, (ax | bx) & ~ones


def _xor(p: Sequence[Pair], w: Sequence[int], n: int, param: int) -> Pair:
    (a, ax), (b, bx) = p
    return (a ^ b) & ~(ax | bx), ax | bx


def _eq(p: Sequence[Pair], w: Sequence[int], n: int, param: int) -> Pair:
    (a, ax), (b, bx) = p
    if (a ^ b) & ~(ax | bx):
        return 0, 0
    return _bit(True, not ax | bx)


def _weq(p: Sequence[Pair], w: Sequence[int], n: int, param: int) -> Pair:
    (a, ax), (b, bx) = p
    if (a ^ b) & ~(ax | bx):
        return 0, 0
    return _bit(True, not ax & ~bx)


def _moving(name: str) -> Evaluate4:
    """Make an operation that only moves bits, both planes alike."""
    function = BY_NAME[name].evaluate
    assert function is not None

    def evaluate(p: Sequence[Pair], w: Sequence[int], n: int, param: int) -> Pair:
        value = function([value for value, _ in p], w, n, param)
        return value, function([unknown for _, unknown in p], w, n, param)

    return evaluate


def _shift(name: str) -> Evaluate4:
    """Make a shift: it moves bits, and an unknown amount makes all bits x (11.4.10)."""
    function = BY_NAME[name].evaluate
    assert function is not None

    def evaluate(p: Sequence[Pair], w: Sequence[int], n: int, param: int) -> Pair:
        (value, unknown), (amount, amount_unknown) = p
        if amount_unknown:
            return _all_x(n)
        return function((value, amount), w, n, param), function((unknown, amount), w, n, param)

    return evaluate


def _mux(p: Sequence[Pair], w: Sequence[int], n: int, param: int) -> Pair:
    """Choose; an unknown condition keeps the bits that are known and equal in both arms (table 11-21)."""
    (cond, unknown), (a, ax), (b, bx) = p
    if not unknown:
        return (a, ax) if cond else (b, bx)
    x = ax | bx | (a ^ b)
    return a & ~x, x


def _extract(p: Sequence[Pair], w: Sequence[int], n: int, param: int) -> Pair:
    """Select; bits outside, or all with an unknown offset, are x (11.5.1)."""
    (value, unknown), (offset, offset_unknown) = p
    if offset_unknown:
        return _all_x(n)
    function = BY_NAME["extract"].evaluate
    assert function is not None
    inside = function((mask(w[0]), offset), w, n, param)
    outside = mask(n) & ~inside
    return function((value, offset), w, n, param), function((unknown, offset), w, n, param) | outside


def _insert(p: Sequence[Pair], w: Sequence[int], n: int, param: int) -> Pair:
    """Write a part; an unknown offset writes nothing (11.5.1)."""
    if p[1][1]:
        return p[0]
    function = BY_NAME["insert"].evaluate
    assert function is not None
    offset = p[1][0]
    return function((p[0][0], offset, p[2][0]), w, n, param), function((p[0][1], offset, p[2][1]), w, n, param)


def _redand(p: Sequence[Pair], w: Sequence[int], n: int, param: int) -> Pair:
    value, unknown = p[0]
    return _bit(True, not unknown) if value | unknown == mask(w[0]) else (0, 0)


def _redor(p: Sequence[Pair], w: Sequence[int], n: int, param: int) -> Pair:
    value, unknown = p[0]
    return (1, 0) if value & ~unknown else _bit(False, not unknown)


def _popcount(p: Sequence[Pair], w: Sequence[int], n: int, param: int) -> Pair:
    """Count the known ones (20.9)."""
    return (p[0][0] & ~p[0][1]).bit_count() & mask(n), 0


def _edge(before: Pair, now: Pair, target: int) -> Pair:
    """Report a change towards `target`: onto it, or away from its opposite (table 9-2)."""
    level = {(0, 0): 0, (1, 0): 2}
    start, end = level.get(before, 1), level.get(now, 1)
    return _bit(end > start if target else end < start)


def _resolve(p: Sequence[Pair], w: Sequence[int], n: int, param: int) -> Pair:
    """Join two drivers: z gives way, equal bits stay, others conflict (table 6-2)."""
    (a, ax), (b, bx) = p
    a_z, b_z = a & ax, b & bx
    value = unknown = 0
    both = ~a_z & ~b_z
    conflict = both & (ax | bx | (a ^ b))
    value |= (a_z & b) | (b_z & a) | (both & ~conflict & a)
    unknown |= (a_z & bx) | (b_z & ax) | conflict
    return value, unknown


_MEANINGS: dict[str, Evaluate4] = {
    "not": _not,
    "and": _and,
    "or": _or,
    "xor": _xor,
    "add": _arithmetic("add"),
    "sub": _arithmetic("sub"),
    "mul": _arithmetic("mul"),
    "udiv": _division("udiv"),
    "umod": _division("umod"),
    "sdiv": _division("sdiv"),
    "smod": _division("smod"),
    "upow": _arithmetic("upow"),
    "spow": _signed_power,
    "eq": _eq,
    "ult": _arithmetic("ult"),
    "slt": _arithmetic("slt"),
    "shl": _shift("shl"),
    "lshr": _shift("lshr"),
    "ashr": _shift("ashr"),
    "concat": _moving("concat"),
    "slice": _moving("slice"),
    "zext": _moving("zext"),
    "sext": _moving("sext"),
    "mux": _mux,
    "extract": _extract,
    "insert": _insert,
    "redand": _redand,
    "redor": _redor,
    "redxor": _arithmetic("redxor"),
    "popcount": _popcount,
    "posedge": lambda p, w, n, param: _edge(p[0], p[1], 1),
    "negedge": lambda p, w, n, param: _edge(p[0], p[1], 0),
    "changed": lambda p, w, n, param: _bit(p[0] != p[1]),
    "true": lambda p, w, n, param: _bit(bool(p[0][0] & ~p[0][1])),
    "ceq": lambda p, w, n, param: _bit(p[0] == p[1]),
    "weq": _weq,
    "isx": lambda p, w, n, param: _bit(p[0][1] != 0),
    "known": lambda p, w, n, param: (p[0][0] & ~p[0][1], 0),
    "isz": lambda p, w, n, param: (p[0][0] & p[0][1], 0),
    "resolve": _resolve,
}

EVALUATE4: tuple[Evaluate4 | None, ...] = tuple(_MEANINGS.get(op.name) for op in OPS)
"""The meanings by op code; None for `const`, `read` and `memread`, which need the graph or the state."""

ALWAYS_KNOWN = frozenset({"popcount", "posedge", "negedge", "changed", "true", "ceq", "isx", "known", "isz"})
"""Operations whose result never has unknown bits."""
