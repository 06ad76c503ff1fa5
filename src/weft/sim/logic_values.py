"""Four-valued values for users: `Logic` is one bit, `LogicArray` a vector (IEEE 1800-2023 6.3).

A two-state simulation hands out Python ints; a four-state one these, since an int cannot say x. Both are immutable and
hashable. A value that is fully known equals the int of the same value; `int()` of one with x or z raises ValueError,
so unknown bits never turn into numbers silently. A `LogicArray` is indexed with its signal's own range: of a
`logic [0:7]`, bit `[0]` is the most significant one.

Bits are stored as two ints, `value` and `unknown`, as `base.logic` defines them.
"""

from __future__ import annotations

from collections.abc import Iterator

from weft.base.logic import digits

_PLANES = {"0": (0, 0), "1": (1, 0), "x": (0, 1), "z": (1, 1), "X": (0, 1), "Z": (1, 1)}


def parse_digits(text: str) -> tuple[int, int, int]:
    """Return (width, value, unknown) of binary digits `01xzXZ`; underscores are ignored."""
    value = unknown = width = 0
    for character in text.replace("_", ""):
        if character not in _PLANES:
            raise ValueError(f"{character!r} is not one of 0 1 x z")
        v, u = _PLANES[character]
        value, unknown, width = value << 1 | v, unknown << 1 | u, width + 1
    return width, value, unknown


def _and(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    """Return the bitwise and: a known 0 wins over x (IEEE 1800-2023 table 11-11)."""
    zeros = (~a[0] & ~a[1]) | (~b[0] & ~b[1])
    unknown = (a[1] | b[1]) & ~zeros
    return a[0] & b[0] & ~a[1] & ~b[1], unknown


def _or(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    """Return the bitwise or: a known 1 wins over x (IEEE 1800-2023 table 11-12)."""
    ones = (a[0] & ~a[1]) | (b[0] & ~b[1])
    unknown = (a[1] | b[1]) & ~ones
    return ones, unknown


def _xor(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    unknown = a[1] | b[1]
    return (a[0] ^ b[0]) & ~unknown, unknown


class LogicArray:
    """Be a vector of 0, 1, x and z.

    Make one from an int and a width or range (`LogicArray(5, 8)`, `LogicArray(5, (0, 7))`) or from digits, most
    significant first (`LogicArray("01xz")`). A range is (left, right), as in `logic [left:right]`.
    """

    __slots__ = ("_range", "_unknown", "_value")

    def __init__(self, value: int | str | Logic | LogicArray, range: int | tuple[int, int] | None = None) -> None:  # noqa: A002
        if isinstance(value, str):
            width, bits, unknown = parse_digits(value)
        elif isinstance(value, LogicArray):
            width, bits, unknown = len(value), value._value, value._unknown
        elif isinstance(value, Logic):
            width, (bits, unknown) = 1, value.planes
        else:
            if range is None:
                raise TypeError("an int needs a width or a range")
            width = range if isinstance(range, int) else abs(range[0] - range[1]) + 1
            if not -(1 << width >> 1) <= value < 1 << width:
                raise ValueError(f"{value} does not fit {width} bits")
            bits, unknown = value & ((1 << width) - 1), 0
        if range is None:
            range = (width - 1, 0)  # noqa: A001
        elif isinstance(range, int):
            range = (range - 1, 0)  # noqa: A001
        if abs(range[0] - range[1]) + 1 != width:
            raise ValueError(f"{width} bits do not fit the range [{range[0]}:{range[1]}]")
        self._value, self._unknown, self._range = bits, unknown, range

    @classmethod
    def from_planes(cls, value: int, unknown: int, range: int | tuple[int, int]) -> LogicArray:  # noqa: A002
        """Return the array with these planes: (0, 0) is 0, (1, 0) is 1, (0, 1) is x, (1, 1) is z."""
        array = cls.__new__(cls)
        array._value, array._unknown = value, unknown
        array._range = (range - 1, 0) if isinstance(range, int) else range
        return array

    @property
    def range(self) -> tuple[int, int]:
        """Return (left, right), as declared."""
        return self._range

    @property
    def planes(self) -> tuple[int, int]:
        """Return the value plane and the unknown plane as ints."""
        return self._value, self._unknown

    @property
    def resolvable(self) -> bool:
        """Say whether every bit is 0 or 1."""
        return not self._unknown

    @property
    def signed(self) -> int:
        """Return the two's complement meaning; raises ValueError when a bit is x or z."""
        value, width = int(self), len(self)
        return value - (1 << width) if value >> (width - 1) else value

    def __len__(self) -> int:
        return abs(self._range[0] - self._range[1]) + 1

    def __int__(self) -> int:
        if self._unknown:
            raise ValueError(f"{self} has bits that are x or z")
        return self._value

    __index__ = __int__

    def __bool__(self) -> bool:
        """Say whether some bit is a known 1, as Verilog's `if` does."""
        return bool(self._value & ~self._unknown)

    def __str__(self) -> str:
        return digits(self._value, self._unknown, len(self))

    def __repr__(self) -> str:
        left, right = self._range
        return f"LogicArray('{self}', ({left}, {right}))"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Logic | LogicArray):
            if not self._unknown and other.resolvable:
                return self._value == int(other)
            return self.planes == other.planes and len(self) == len(other)
        if isinstance(other, int):
            return not self._unknown and self._value == other
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self._value, self._unknown, len(self))) if self._unknown else hash(self._value)

    def _position(self, index: int) -> int:
        """Return the bit number, counted from the least significant one, of a declared index."""
        left, right = self._range
        if not min(left, right) <= index <= max(left, right):
            raise IndexError(f"index {index} is outside [{left}:{right}]")
        return index - right if left >= right else right - index

    def __getitem__(self, index: int | slice) -> Logic | LogicArray:
        """Return a bit, or for `array[left:right]` the bits of that range, both ends included as in Verilog."""
        if isinstance(index, int):
            at = self._position(index)
            return Logic.from_planes(self._value >> at & 1, self._unknown >> at & 1)
        if index.step is not None:
            raise ValueError("a part select has no step")
        left = self._range[0] if index.start is None else int(index.start)
        right = self._range[1] if index.stop is None else int(index.stop)
        high, low = self._position(left), self._position(right)
        if high < low:
            raise IndexError(f"[{left}:{right}] runs against the range [{self._range[0]}:{self._range[1]}]")
        ones = (1 << (high - low + 1)) - 1
        return LogicArray.from_planes(self._value >> low & ones, self._unknown >> low & ones, (left, right))

    def __iter__(self) -> Iterator[Logic]:
        """Yield the bits from the left (most significant) to the right."""
        for at in reversed(range(len(self))):
            yield Logic.from_planes(self._value >> at & 1, self._unknown >> at & 1)

    def _other(self, other: LogicArray | int) -> tuple[int, int]:
        if isinstance(other, LogicArray):
            if len(other) != len(self):
                raise ValueError(f"widths differ: {len(self)} and {len(other)}")
            return other.planes
        return LogicArray(other, len(self)).planes

    def __and__(self, other: LogicArray | int) -> LogicArray:
        return LogicArray.from_planes(*_and(self.planes, self._other(other)), self._range)

    def __or__(self, other: LogicArray | int) -> LogicArray:
        return LogicArray.from_planes(*_or(self.planes, self._other(other)), self._range)

    def __xor__(self, other: LogicArray | int) -> LogicArray:
        return LogicArray.from_planes(*_xor(self.planes, self._other(other)), self._range)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> LogicArray:
        return self ^ ((1 << len(self)) - 1)


class Logic:
    """Be one bit: 0, 1, x or z. Make one from an int, a bool or a digit: `Logic("x")`."""

    __slots__ = ("_unknown", "_value")

    def __init__(self, value: int | str | Logic) -> None:
        if isinstance(value, Logic):
            self._value, self._unknown = value.planes
        elif isinstance(value, str):
            width, self._value, self._unknown = parse_digits(value)
            if width != 1:
                raise ValueError(f"{value!r} is not one digit")
        elif value in (0, 1):
            self._value, self._unknown = int(value), 0
        else:
            raise ValueError(f"{value} is not one of 0 1 x z")

    @classmethod
    def from_planes(cls, value: int, unknown: int) -> Logic:
        """Return the bit with these planes."""
        bit = cls.__new__(cls)
        bit._value, bit._unknown = value, unknown
        return bit

    @property
    def planes(self) -> tuple[int, int]:
        """Return the value bit and the unknown bit."""
        return self._value, self._unknown

    @property
    def resolvable(self) -> bool:
        """Say whether the bit is 0 or 1."""
        return not self._unknown

    def __len__(self) -> int:
        return 1

    def __int__(self) -> int:
        if self._unknown:
            raise ValueError(f"{self} is not 0 or 1")
        return self._value

    __index__ = __int__

    def __bool__(self) -> bool:
        """Say whether the bit is a known 1, as Verilog's `if` does."""
        return self._value == 1 and not self._unknown

    def __str__(self) -> str:
        return "01xz"[self._value + 2 * self._unknown]

    def __repr__(self) -> str:
        return f"Logic('{self}')"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Logic):
            return self.planes == other.planes
        if isinstance(other, LogicArray):
            return other == self
        if isinstance(other, int):
            return not self._unknown and self._value == other
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self._value, self._unknown, 1)) if self._unknown else hash(self._value)

    def __and__(self, other: Logic | int) -> Logic:
        return Logic.from_planes(*_bit(_and(self.planes, Logic(other).planes)))

    def __or__(self, other: Logic | int) -> Logic:
        return Logic.from_planes(*_bit(_or(self.planes, Logic(other).planes)))

    def __xor__(self, other: Logic | int) -> Logic:
        return Logic.from_planes(*_bit(_xor(self.planes, Logic(other).planes)))

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Logic:
        return self ^ 1


def _bit(planes: tuple[int, int]) -> tuple[int, int]:
    return planes[0] & 1, planes[1] & 1
