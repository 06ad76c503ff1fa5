"""Write calls of `$random`, `$urandom`, `$urandom_range` and `$dist_uniform`, which draw in compiled code.

`$random` and `$dist_uniform` follow the C code of IEEE 1800-2023 annex N, in the same doubles, bit by bit
(`sim.random_sequence` has it in Python, for the cycle engine and the other distributions). `$urandom` without a seed
draws from the thread's own stream (18.14), `sim.randomize.random_stream`.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.engines.event import operators as ops
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.records import RANDOM_SEED
from weft.engines.event.value_types import type_of
from weft.engines.event.writer import Operand, Value
from weft.ir.expressions import Element, Expr, Ref, Resize, SystemCall, Unary

TEXT = """
define i64 @random_uniform(i64 %seed_at, i64 %from, i64 %to) nounwind {
  %empty = icmp sge i64 %from, %to
  br i1 %empty, label %nothing, label %draw
nothing:
  ret i64 %from
draw:
  %p = inttoptr i64 %seed_at to ptr
  %old = load i32, ptr %p
  %none = icmp eq i32 %old, 0
  %seed = select i1 %none, i32 259341593, i32 %old
  %product = mul i32 %seed, 69069
  %new = add i32 %product, 1
  store i32 %new, ptr %p
  %high = lshr i32 %new, 9
  %pattern = or i32 %high, 1065353216
  %single = bitcast i32 %pattern to float
  %fraction = fpext float %single to double
  %little = fmul double %fraction, 0x3E80000000000000
  %sum = fadd double %fraction, %little
  %scaled = fsub double %sum, 1.0
  %top = icmp eq i64 %to, 2147483647
  %bottom = icmp eq i64 %from, -2147483648
  %all = and i1 %top, %bottom
  %below = xor i1 %all, %top
  %less = sext i1 %below to i64
  %first = add i64 %from, %less
  %inside = xor i1 %top, true
  %more = zext i1 %inside to i64
  %last = add i64 %to, %more
  %first.d = sitofp i64 %first to double
  %last.d = sitofp i64 %last to double
  %range = fsub double %last.d, %first.d
  %stretched = fmul double %scaled, %range
  %value = fadd double %stretched, %first.d
  br i1 %all, label %whole, label %part
whole:
  %up = fadd double %value, 2147483648.0
  %unit = fdiv double %up, 4294967295.0
  %wide = fmul double %unit, 4294967296.0
  %number = fsub double %wide, 2147483648.0
  br label %round
part:
  %next = fadd double %value, 1.0
  %shifted = select i1 %top, double %next, double %value
  br label %round
round:
  %real = phi double [ %number, %whole ], [ %shifted, %part ]
  %positive = fcmp oge double %real, 0.0
  %lower = fsub double %real, 1.0
  %chosen = select i1 %positive, double %real, double %lower
  %integer = fptosi double %chosen to i64
  %small = icmp slt i64 %integer, %from
  %at_least = select i1 %small, i64 %from, i64 %integer
  %big = icmp sgt i64 %at_least, %to
  %inner = select i1 %big, i64 %to, i64 %at_least
  %found = select i1 %all, i64 %integer, i64 %inner
  ret i64 %found
}
"""
"""Annex N's `rtl_dist_uniform`, of the 32-bit seed at an address; over all integers the result may have 33 bits."""

RANDOM = frozenset({"$random", "$urandom", "$urandom_range", "$dist_uniform"})

_LEAST, _GREATEST, _HALF = -(1 << 31), (1 << 31) - 1, 1 << 31


def random_value(f: FunctionCode, call: SystemCall) -> Value | None:
    """Write a call of one of `RANDOM` and return what it draws; None if Python has to do it."""
    arguments = list(call.args)
    if call.name == "$random" and not arguments:
        return _number(f, call, f.w.call("random_uniform", f.w.op("add", 64, "%S", RANDOM_SEED), _LEAST, _GREATEST))
    if call.name == "$urandom" and not arguments:
        return _number(f, call, f.w.op("lshr", 64, f.w.call("seed_next", "%node"), 32))
    if call.name == "$urandom_range" and arguments:
        return _number(f, call, _range(f, arguments))
    if call.name in ("$random", "$urandom") and len(arguments) == 1:
        drawn = _with_seed(f, call, _LEAST, _GREATEST)
        return None if drawn is None else _number(f, call, drawn, 0 if call.name == "$random" else _HALF)
    if call.name == "$dist_uniform" and len(arguments) == 3 and _seed_of(arguments[0]) is not None:
        bounds = [_bound(f, call, index) for index in (1, 2)]
        drawn = _with_seed(f, call, *bounds)
        return None if drawn is None else _number(f, call, drawn)
    return None


def _number(f: FunctionCode, call: SystemCall, drawn: Operand, offset: int = 0) -> Value:
    """Return the low 32 bits of what was drawn, as the call's value."""
    w = f.w
    bits = w.resize(w.op("add", 64, drawn, offset), 64, 32)
    return ops.resize(w, Value(32, bits), call.width, call.signed)


def _range(f: FunctionCode, arguments: Sequence[Expr | None]) -> Operand:
    """Write `$urandom_range(a [, b = 0])`, whose bounds may come in either order; an unknown one is 0 (18.13.2)."""
    from weft.engines.event.code_expressions import value

    w = f.w
    bounds: list[Operand] = []
    for argument in arguments[:2]:
        found = value(f, argument) if argument is not None else Value(32, 0)
        known = w.not_(1, w.nonzero(found.width, found.unknown))
        bounds.append(w.resize(w.select(32, known, w.resize(found.bits, found.width, 32), 0), 32, 64))
    a, b = bounds[0], bounds[1] if len(bounds) > 1 else 0
    ordered = w.compare("ult", 64, a, b)
    low, high = w.select(64, ordered, a, b), w.select(64, ordered, b, a)
    count = w.op("add", 64, w.op("sub", 64, high, low), 1)
    # The 64 upper bits of a product of 96, for a word from 0 to 2**64 - 1 and a count of at most 2**32.
    word = w.call("seed_next", "%node")
    lower = w.op("mul", 64, w.and_(64, word, 0xFFFFFFFF), count)
    upper = w.op("mul", 64, w.op("lshr", 64, word, 32), count)
    scaled = w.op("lshr", 64, w.op("add", 64, upper, w.op("lshr", 64, lower, 32)), 32)
    return w.op("add", 64, scaled, low)


def _bound(f: FunctionCode, call: SystemCall, index: int) -> Operand:
    """Return a parameter of a distribution as a signed number of 32 bits; unknown bits are 0, as for a VPI task."""
    from weft.engines.event.code_expressions import value

    w = f.w
    argument = call.args[index]
    assert argument is not None
    found = _plain(f, value(f, argument))
    signed = index < len(call.signs) and call.signs[index]
    return w.resize(w.resize(found, argument.width, 32, signed), 32, 64, True)


def _plain(f: FunctionCode, found: Value) -> Operand:
    w = f.w
    return w.and_(found.width, found.bits, w.not_(found.width, found.unknown))


def _seed_of(argument: Expr | None) -> Ref | Element | None:
    """Return the variable that is a seed, if it is 32 bits of an integral type."""
    while isinstance(argument, Resize) or (isinstance(argument, Unary) and argument.op == "known"):
        argument = argument.value
    if isinstance(argument, Element) or (isinstance(argument, Ref) and not argument.signal.depth):
        return argument if argument.width == 32 and type_of(argument).kind not in ("real", "shortreal") else None
    return None


def _with_seed(f: FunctionCode, call: SystemCall, low: Operand, high: Operand) -> Operand | None:
    """Draw with the seed that is the first argument, and store what it becomes."""
    from weft.engines.event.code_expressions import value
    from weft.engines.event.code_places import store_lvalue

    w = f.w
    seed = _seed_of(call.args[0])
    if seed is None:
        return None
    slot = w.slot(32)
    old = value(f, seed)
    plain = _plain(f, old)
    if call.name == "$urandom":
        plain = w.select(32, w.nonzero(32, old.unknown), 0, plain)
    w.do(f"store i32 {plain}, ptr {slot}")
    drawn = w.call("random_uniform", w.emit(f"ptrtoint ptr {slot} to i64"), low, high)
    store_lvalue(f, seed, Value(32, w.emit(f"load i32, ptr {slot}")))
    return drawn
