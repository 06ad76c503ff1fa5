"""Find the continuous assignments that are gates of a netlist: a bit out, bits in, and a constant delay or none.

Whatever is made of single bits by and, or, xor, not and `?:` is a table of its output's code for all codes of up to
four inputs; a plain and, or or xor of more, perhaps inverted, has a family instead. Such a gate has no code, only a
record (`netlist_area`), and the kernels of `netlist_kernels` do it. Tables are computed for all combinations of inputs
at once: a signal is two planes, Python integers that have a bit for each combination.

What is forced, has strengths, several drivers, a path delay or a delay of 0 is left to the general ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.base.dataclass import dataclass
from weft.base.errors import InternalError
from weft.base.source import Span
from weft.engines.event.driver_parts import parts_of
from weft.engines.event.gates import Bit
from weft.engines.event.netlist_records import (
    FAMILY_AND,
    FAMILY_INVERTED,
    FAMILY_OR,
    FAMILY_XOR,
    MAX_INPUTS,
    TABLE_INPUTS,
)
from weft.ir.design import ContinuousAssign, Delay, Expr, Signal
from weft.ir.expressions import WORD_KINDS, Binary, Cond, Const, Element, Real, Ref, Resize, Slice, Unary
from weft.ir.specify import PathDelay

if TYPE_CHECKING:
    from weft.engines.event.code_unit import UnitCode

Planes = tuple[int, int]

_FAMILIES = {"and": FAMILY_AND, "or": FAMILY_OR, "xor": FAMILY_XOR}


@dataclass(frozen=True, slots=True, eq=False)
class NetlistGate:
    """Be a gate of a module: `table` has its output's code for each word of inputs, or `family` says what it is.

    `ticks` are those of a change to 0, 1, x and z; without a delay they are empty.
    """

    output: Bit
    inputs: tuple[Bit, ...]
    table: bytes
    family: int
    ticks: tuple[int, ...]
    span: Span


class _NoGate(Exception):
    """Say that an expression is no gate."""


def plan_netlist_gate(unit: UnitCode, index: int, assign: ContinuousAssign) -> NetlistGate | None:
    """Make a gate of a continuous assignment; return None if it is none."""
    if assign.rhs.width != 1 or isinstance(assign.delay, PathDelay):
        return None
    parts = parts_of(assign.lhs, assign.span)
    if len(parts) != 1 or parts[0].width != 1 or not _can_drive(unit, parts[0].ref):
        return None
    if (index, 0) in unit.unit.celled or (index, 0) in unit.unit.graded:
        return None
    try:
        ticks = transition_ticks(assign.delay, unit.ticks_per_unit, unit.ticks_per_precision)
        logic = _Logic()
        family, terms = _chain(assign.rhs)
        if TABLE_INPUTS < len(terms) <= MAX_INPUTS:
            inputs, table = tuple(logic.bit(term) for term in terms), b""
        else:
            logic.collect(assign.rhs)
            inputs, table = tuple(logic.bits), _tabulate(assign.rhs, logic)
    except _NoGate:
        return None
    return NetlistGate(Bit(parts[0].ref, parts[0].low), inputs, table, family, ticks, assign.span)


def _can_drive(unit: UnitCode, ref: Ref) -> bool:
    """Say whether a gate may be all that writes bits of a signal, which begin as x."""
    signal = ref.signal
    if signal.type.kind in WORD_KINDS or signal.automatic or not signal.type.four_state:
        return False
    if unit.is_forced(signal, ref.path):
        return False
    nets = (unit.program.design.net(node, ref) for node in unit.unit.nodes)
    return all(member.initial is None for net in nets for _, member in net.members)


# ------------------------------------------------------------------------------------------- delays


def constant_ticks(value: Expr, per_unit: int, per_precision: int) -> int:
    """Return a constant delay in ticks; a real one is rounded to the module's precision (IEEE 1800-2023 3.14)."""
    match value:
        case Const(value=number, unknown=unknown):
            return 0 if unknown else number * per_unit
        case Real(number):
            return int(number * (per_unit // per_precision) + 0.5) * per_precision
        case _:
            raise InternalError(f"no constant delay: {value}")


def transition_ticks(delay: Delay | None, per_unit: int, per_precision: int) -> tuple[int, ...]:
    """Return the ticks of a change to 0, 1, x and z: fall, rise, the least of all, turn-off (IEEE 1800-2023 28.16)."""
    if delay is None:
        return ()
    parts = [part for part in (delay.value, delay.fall, delay.off) if part is not None]
    if not all(isinstance(part, Const | Real) for part in parts):
        raise _NoGate
    found = [constant_ticks(part, per_unit, per_precision) for part in parts]
    if min(found) <= 0 or max(found) >> 63:
        raise _NoGate
    fall = found[1] if delay.fall is not None else found[0]
    off = found[-1] if delay.off is not None else min(found)
    return (fall, found[0], min(found), off)


# ------------------------------------------------------------------------------------------- logic


def _chain(expression: Expr) -> tuple[int, list[Expr]]:
    """Return the family of an and, or or xor of terms, perhaps inverted, and the terms; none if it is no such thing."""
    inverted = 0
    if isinstance(expression, Unary) and expression.op == "not":
        inverted, expression = FAMILY_INVERTED, expression.value
    if not isinstance(expression, Binary) or expression.op not in _FAMILIES:
        return 0, []
    op = expression.op
    terms: list[Expr] = []
    left: Expr = expression
    while isinstance(left, Binary) and left.op == op and left.width == 1:
        terms.append(left.rhs)
        left = left.lhs
    return _FAMILIES[op] | inverted, [left, *reversed(terms)]


class _Logic:
    """Know the inputs of an expression, and its value for all combinations of their codes."""

    def __init__(self) -> None:
        self.bits: list[Bit] = []
        self._numbers: dict[tuple[Signal, tuple[str, ...], int], int] = {}
        self.planes: list[Planes] = []
        self.ones = 0

    def bit(self, expression: Expr) -> Bit:
        """Return the bit of a signal that an expression is."""
        match expression:
            case Ref(signal, path) if not signal.depth:
                found = Bit(Ref(signal, path), 0)
            case Element(signal, Const(value=index, unknown=0), path) if index < signal.depth:
                found = Bit(Ref(signal, path), index * signal.width)
            case Slice(Ref(signal, path), int() as offset) if not signal.depth and 0 <= offset < signal.width:
                found = Bit(Ref(signal, path), offset)
            case _:
                raise _NoGate
        if expression.width != 1 or signal.automatic or signal.type.kind in WORD_KINDS:
            raise _NoGate
        return found

    def collect(self, expression: Expr) -> None:
        """Note the inputs of an expression, in their order."""
        match expression:
            case Const(width=1):
                pass
            case Unary("not" | "lnot", inner):
                self.collect(inner)
            case Binary(lhs=lhs, rhs=rhs):
                self.collect(lhs)
                self.collect(rhs)
            case Cond(cond, then, other):
                self.collect(cond)
                self.collect(then)
                self.collect(other)
            case Resize(inner) if inner.width == 1:
                self.collect(inner)
            case _:
                bit = self.bit(expression)
                if self._numbers.setdefault(_key(bit), len(self.bits)) == len(self.bits):
                    self.bits.append(bit)
                if len(self.bits) > TABLE_INPUTS:
                    raise _NoGate

    def begin(self) -> None:
        """Give each input its codes in all combinations, which count up as the word of inputs does."""
        count = 4 ** len(self.bits)
        self.ones = (1 << count) - 1
        for number in range(len(self.bits)):
            codes = [word >> 2 * number & 3 for word in range(count)]
            bits = sum((code & 1) << word for word, code in enumerate(codes))
            unknown = sum((code >> 1) << word for word, code in enumerate(codes))
            self.planes.append((bits, unknown))

    def value(self, expression: Expr) -> Planes:
        """Return the bits and unknowns of a one-bit expression (IEEE 1800-2023 11.4.8, 11.4.11)."""
        match expression:
            case Const(_, bits, unknown):
                return self.ones * bits, self.ones * unknown
            case Resize(inner):
                return self.value(inner)
            case Unary(_, inner):
                bits, unknown = self.value(inner)
                return self.ones & ~(bits | unknown), unknown
            case Binary(op, lhs, rhs):
                return self._binary(op, self.value(lhs), self.value(rhs))
            case Cond(cond, then, other):
                return self._choose(self.value(cond), self.value(then), self.value(other))
            case _:
                return self.planes[self._numbers[_key(self.bit(expression))]]

    def _binary(self, op: str, a: Planes, b: Planes) -> Planes:
        ones = a[0] & ~a[1], b[0] & ~b[1]
        zeros = self.ones & ~(a[0] | a[1]), self.ones & ~(b[0] | b[1])
        unknown = a[1] | b[1]
        match op:
            case "and" | "land":
                both = ones[0] & ones[1]
                return both, self.ones & ~(both | zeros[0] | zeros[1])
            case "or" | "lor":
                either = ones[0] | ones[1]
                return either, self.ones & ~(either | zeros[0] & zeros[1])
            case "xor":
                return (a[0] ^ b[0]) & ~unknown, unknown
            case "xnor":
                return self.ones & ~(a[0] ^ b[0] | unknown), unknown
            case _:
                raise _NoGate

    def _choose(self, condition: Planes, a: Planes, b: Planes) -> Planes:
        one, zero = condition[0] & ~condition[1], self.ones & ~(condition[0] | condition[1])
        same = self.ones & ~(a[0] ^ b[0] | a[1] ^ b[1])
        bits = one & a[0] | zero & b[0] | condition[1] & same & a[0]
        return bits, one & a[1] | zero & b[1] | condition[1] & (a[1] | ~same & self.ones)


def _key(bit: Bit) -> tuple[Signal, tuple[str, ...], int]:
    return (bit.ref.signal, bit.ref.path, bit.at)


def _tabulate(expression: Expr, logic: _Logic) -> bytes:
    logic.begin()
    bits, unknown = logic.value(expression)
    return bytes(bits >> word & 1 | (unknown >> word & 1) << 1 for word in range(4 ** len(logic.bits)))
