"""Four-valued arithmetic for the interpreter of initial procedures (IEEE 1800-2023 11.4).

A known value is a plain Python int, so that known arithmetic runs at Python's own speed in both modes; a value with
an x or z bit is an `Unknown`. Its operators do what the generated source uses them for: `&` with a mask truncates,
`|` joins disjoint parts, shifts by ints move bits, and `+ - *` give all x (their mask then cuts that to the width).
Everything whose result is not of that simple kind is a function here.
"""

from __future__ import annotations

from typing import TypeAlias

from weft.ir.ops import signed as to_signed


class Unknown:
    """Be a value with at least one x (0, 1) or z (1, 1) bit; never one without."""

    __slots__ = ("unknown", "value")

    def __init__(self, value: int, unknown: int) -> None:
        self.value, self.unknown = value, unknown

    def __and__(self, mask: int) -> Bits:
        return bits(self.value & mask, self.unknown & mask)

    def __or__(self, other: Bits) -> Bits:
        value, unknown = planes(other)
        return Unknown(self.value | value, self.unknown | unknown)

    __ror__ = __or__

    def __lshift__(self, count: int) -> Bits:
        return Unknown(self.value << count, self.unknown << count)

    def __rshift__(self, count: int) -> Bits:
        return bits(self.value >> count, self.unknown >> count)

    def __bool__(self) -> bool:
        """Say whether some bit is a known 1: the truth of an `if` (12.4)."""
        return bool(self.value & ~self.unknown)

    def _all_unknown(self, other: Bits) -> Unknown:
        return ALL_X

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _all_unknown

    def __neg__(self) -> Unknown:
        return ALL_X


Bits: TypeAlias = int | Unknown
ALL_X = Unknown(0, -1)
X1 = Unknown(0, 1)


def bits(value: int, unknown: int) -> Bits:
    """Return planes as an int if known, else as an Unknown."""
    return Unknown(value, unknown) if unknown else value


def planes(value: Bits) -> tuple[int, int]:
    """Return the value and unknown planes."""
    return (value, 0) if type(value) is int else (value.value, value.unknown)  # type: ignore[union-attr]


def and4(a: Bits, b: Bits) -> Bits:
    """Return the bitwise and; a known 0 wins (table 11-11)."""
    (av, au), (bv, bu) = planes(a), planes(b)
    unknown = (au | bu) & ~((~av & ~au) | (~bv & ~bu))
    return bits(av & bv & ~au & ~bu, unknown)


def or4(a: Bits, b: Bits) -> Bits:
    """Return the bitwise or; a known 1 wins (table 11-12)."""
    (av, au), (bv, bu) = planes(a), planes(b)
    ones = (av & ~au) | (bv & ~bu)
    return bits(ones, (au | bu) & ~ones)


def xor4(a: Bits, b: Bits) -> Bits:
    """Return the bitwise exclusive or (table 11-13)."""
    (av, au), (bv, bu) = planes(a), planes(b)
    unknown = au | bu
    return bits((av ^ bv) & ~unknown, unknown)


def equal4(a: Bits, b: Bits) -> Bits:
    """Return `==`: 0 as soon as known bits differ, else x if any bit is unknown (11.4.5)."""
    (av, au), (bv, bu) = planes(a), planes(b)
    unknown = au | bu
    if (av ^ bv) & ~unknown:
        return 0
    return X1 if unknown else 1


def same(a: Bits, b: Bits) -> int:
    """Return `===`."""
    return int(planes(a) == planes(b))


def wild_equal(a: Bits, b: Bits) -> Bits:
    """Return `==?`: x and z bits of the right operand match anything (11.4.6)."""
    (av, au), (bv, bu) = planes(a), planes(b)
    if (av ^ bv) & ~bu & ~au:
        return 0
    return X1 if au & ~bu else 1


def matches_z(a: Bits, b: Bits) -> bool:
    """Say whether a casez label matches: z bits of either match anything (12.5.1)."""
    (av, au), (bv, bu) = planes(a), planes(b)
    care = ~((av & au) | (bv & bu))
    return not ((av ^ bv) | (au ^ bu)) & care


def matches_x(a: Bits, b: Bits) -> bool:
    """Say whether a casex label matches: unknown bits of either match anything (12.5.1)."""
    (av, au), (bv, bu) = planes(a), planes(b)
    return not (av ^ bv) & ~(au | bu)


def less4(a: Bits, b: Bits) -> Bits:
    """Return unsigned `<`, or x."""
    return int(a < b) if type(a) is int and type(b) is int else X1  # type: ignore[operator]


def signed_less4(a: Bits, b: Bits, sign: int) -> Bits:
    """Return signed `<`; `sign` is the sign bit's weight."""
    return int((a ^ sign) < (b ^ sign)) if type(a) is int and type(b) is int else X1  # type: ignore[operator]


def logical_not4(a: Bits) -> Bits:
    """Return `!`: x if no bit is a known 1 and some are unknown."""
    return 0 if a else (1 if type(a) is int else X1)


def logical_and4(a: Bits, b: Bits) -> Bits:
    """Return `&&` of two truth values (table 11-8)."""
    return and4(truth4(a), truth4(b))


def logical_or4(a: Bits, b: Bits) -> Bits:
    """Return `||` of two truth values."""
    return or4(truth4(a), truth4(b))


def truth4(a: Bits) -> Bits:
    """Return a value as one bit: 1, 0 or x."""
    return 1 if a else (0 if type(a) is int else X1)


def reduce_and4(a: Bits, width: int) -> Bits:
    """Return the and of all bits."""
    value, unknown = planes(a)
    if (value | unknown) & ((1 << width) - 1) != (1 << width) - 1:
        return 0
    return X1 if unknown else 1


def reduce_xor4(a: Bits, width: int) -> Bits:
    """Return the parity, or x."""
    return a.bit_count() & 1 if isinstance(a, int) else X1


def merge(a: Bits, b: Bits) -> Bits:
    """Return both arms of `?:` combined under an unknown condition: bits that differ are x (11.4.11)."""
    (av, au), (bv, bu) = planes(a), planes(b)
    unknown = (av ^ bv) | au | bu
    return bits(av & ~unknown, unknown)


def choose(cond: Bits, a: Bits, b: Bits) -> Bits:
    """Return `cond ? a : b`."""
    return a if cond else b if type(cond) is int else merge(a, b)


def known(a: Bits) -> int:
    """Return a value with its x and z bits as 0."""
    return a if isinstance(a, int) else a.value & ~a.unknown


def extend_sign(a: Bits, width: int, to: int) -> Bits:
    """Return a value extended with copies of its top bit, x and z included."""
    value, unknown = planes(a)
    return bits(to_signed(value, width) & (1 << to) - 1, to_signed(unknown, width) & (1 << to) - 1)


def shift_left4(a: Bits, count: Bits, width: int) -> Bits:
    """Return `<<`; an unknown count makes all bits x (11.4.10)."""
    if not isinstance(count, int):
        return Unknown(0, (1 << width) - 1)
    return (a << count) & (1 << width) - 1 if count < width else 0


def shift_right4(a: Bits, count: Bits, width: int) -> Bits:
    """Return `>>`."""
    if not isinstance(count, int):
        return Unknown(0, (1 << width) - 1)
    return a >> count if count < width else 0


def shift_signed4(a: Bits, count: Bits, width: int) -> Bits:
    """Return `>>>` of a signed value."""
    if not isinstance(count, int):
        return Unknown(0, (1 << width) - 1)
    wide = extend_sign(a, width, 2 * width)
    return wide >> min(count, width) & (1 << width) - 1


def divide(a: Bits, b: Bits, width: int, signed: bool, remainder: bool, x: Bits) -> Bits:
    """Return a quotient or remainder, truncated towards zero; `x` is the result of dividing by zero."""
    if not isinstance(a, int) or not isinstance(b, int):
        return Unknown(0, (1 << width) - 1)
    if b == 0:
        return x
    if signed:
        a, b = to_signed(a, width), to_signed(b, width)
    quotient = abs(a) // abs(b) if (a < 0) == (b < 0) else -(abs(a) // abs(b))
    return (a - quotient * b if remainder else quotient) & (1 << width) - 1


def power(a: Bits, b: Bits, width: int, exponent_width: int, signed: bool, x: Bits) -> Bits:
    """Return `**` (table 11-4)."""
    if not isinstance(a, int) or not isinstance(b, int):
        return Unknown(0, (1 << width) - 1)
    if signed:
        a, b = to_signed(a, width), to_signed(b, exponent_width)
    if b >= 0:
        return pow(a, b, 1 << width)
    if a == 0:
        return x
    ones = (1 << width) - 1
    return {1: 1, -1: 1 if b % 2 == 0 else ones}.get(a, 0)


def select(a: Bits, a_width: int, offset: Bits, width: int, x: Bits) -> Bits:
    """Return `width` bits from `offset` up; bits outside are those of `x`, a value of `width` bits."""
    if not isinstance(offset, int) or offset >= a_width or offset <= -width:
        return x
    low, high = max(offset, 0), min(offset + width, a_width)
    inside = (1 << (high - low)) - 1
    at = low - offset
    outside = ((1 << width) - 1) ^ (inside << at)
    return ((a >> low & inside) << at) | (x & outside)


def insert(a: Bits, a_width: int, offset: Bits, part: Bits, width: int) -> Bits:
    """Return `a` with `part` written from bit `offset` up; bits outside are dropped, an unknown offset writes none."""
    if not isinstance(offset, int) or offset >= a_width or offset <= -width:
        return a
    low, high = max(offset, 0), min(offset + width, a_width)
    inside = (1 << (high - low)) - 1
    kept = a & (((1 << a_width) - 1) ^ (inside << low))
    return kept | ((part >> (low - offset) & inside) << low)


def signed_index(value: Bits, width: int) -> Bits:
    """Return a bit offset as the signed number that it is."""
    return to_signed(value, width) if isinstance(value, int) else value


def as_text(value: Bits, width: int) -> str:
    """Return bits that hold characters as text, without leading zero bytes (5.9)."""
    return known(value).to_bytes((width + 7) // 8, "big").replace(b"\0", b"").decode("utf-8", "surrogateescape")
