"""State characters and strengths of ports in an extended VCD file (IEEE 1800-2023 21.7.4.3).

What drives a bit from outside and what drives it from inside of the instance are told apart:

- one side alone: `D U N` from outside, `L H X` from inside, in small letters if two drivers or more are active;
- no side: `Z` if only the outside has drivers, which are off, `T` if only the inside has, `f` both, `F` none;
- both: `0 1 ?` for equal values, and `A a B b C c` for different ones. Strengths of 5 and more are strong, the others
  weak: a known value that is strong against a weak one is as if it alone drove, with two drivers.
"""

from __future__ import annotations

from typing import Protocol

_WEAKEST_STRONG = 5


class Drive(Protocol):
    """Be what drives a bit from one side: `active` drivers are not off, `present` says that there is one at all."""

    active: int
    present: bool

    @property
    def levels(self) -> tuple[int, int]:
        """Return the ends of the range of levels, from -7 (supply0) over 0 (off) to 7 (supply1)."""
        ...


_ONE_SIDE = {"outside": ("DUN", "du"), "inside": ("LHX", "lh")}
_OFF = {(False, False): "F", (True, False): "Z", (False, True): "T", (True, True): "f"}
_BOTH = {"00": "0", "11": "1", "xx": "?", "01": "A", "0x": "a", "10": "B", "1x": "b", "x0": "C", "x1": "c"}


def port_state(outside: Drive, inside: Drive) -> tuple[str, int, int]:
    """Return the state character of a bit, its strength of 0 and its strength of 1."""
    out, into = _value(outside), _value(inside)
    if out == into == "z":
        return _OFF[outside.present, inside.present], 0, 0
    if into == "z":
        return _one_side("outside", out, outside.active, outside)
    if out == "z":
        return _one_side("inside", into, inside.active, inside)
    strong_out, strong_in = (max(_strengths(side)) >= _WEAKEST_STRONG for side in (outside, inside))
    if strong_out and not strong_in and out != "x":
        return _one_side("outside", out, 2, outside)
    if strong_in and not strong_out and into != "x":
        return _one_side("inside", into, 2, inside)
    zeros, ones = zip(_strengths(outside), _strengths(inside), strict=True)
    return _BOTH[out + into], max(zeros), max(ones)


def _one_side(name: str, value: str, active: int, side: Drive) -> tuple[str, int, int]:
    single, several = _ONE_SIDE[name]
    number = "01x".index(value)
    letter = several[number] if active > 1 and value != "x" else single[number]
    return (letter, *_strengths(side))


def _value(side: Drive) -> str:
    low, high = side.levels
    return "z" if low == high == 0 else "0" if high < 0 else "1" if low > 0 else "x"


def _strengths(side: Drive) -> tuple[int, int]:
    low, high = side.levels
    return max(0, -low), max(0, high)
