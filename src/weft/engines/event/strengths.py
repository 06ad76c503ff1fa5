"""Strengths of nets: ranges of levels, and the tables that combine and pass them on (IEEE 1800-2023 28.11-28.14).

A signal's strength is a *range* of levels from -7 (supply0) over 0 (high impedance) to 7 (supply1): it has one of
them, and which is not known if there are several. A range is a byte: its low end + 7, and its high end + 7 in the upper
half. `Z`, the byte of high impedance, has both at 7.

Two drivers of known level combine to the stronger; equal ones stay; opposite ones of one strength give everything
between them, or 0 on a wired-and net, 1 on a wired-or net. Ranges give everything between the extremes of what their
levels give by pairs (28.12.2, 28.12.4). The tables are made once from this rule with NumPy and read by kernels.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

LEVELS = {"highz": 0, "small": 1, "medium": 2, "weak": 3, "large": 4, "pull": 5, "strong": 6, "supply": 7}
_NAMES = ("Hi", "Sm", "Me", "We", "La", "Pu", "St", "Su")

Table = npt.NDArray[np.uint8]

ZERO, ONE, X, HIGH_Z = 0, 1, 2, 3
"""Codes of a bit's value: its bit in the value plane, and twice its bit in the unknown plane."""


def encode(low: int, high: int) -> int:
    """Return the byte of a range of levels."""
    return low + 7 | high + 7 << 4


def decode(byte: int) -> tuple[int, int]:
    """Return the ends of a range."""
    return (byte & 15) - 7, (byte >> 4) - 7


Z = encode(0, 0)


def is_range(byte: int) -> bool:
    """Say whether a byte stands for a range."""
    return byte & 15 <= byte >> 4 < 15


def combine_levels(a: int, b: int, kind: str) -> tuple[int, int]:
    """Return the range that two known levels give on a net of some kind."""
    if abs(a) != abs(b):
        level = a if abs(a) > abs(b) else b
        return level, level
    if a == b:
        return a, a
    size = abs(a)
    if kind in ("wand", "triand"):
        return -size, -size
    if kind in ("wor", "trior"):
        return size, size
    return -size, size


@cache
def combine_table(kind: str) -> Table:
    """Return the byte for every pair of bytes, row by row; what is no range combines to `Z`."""
    low, high = np.empty((15, 15), np.int64), np.empty((15, 15), np.int64)
    for a in range(15):
        for b in range(15):
            low[a, b], high[a, b] = combine_levels(a - 7, b - 7, kind)
    table = np.full((256, 256), Z, np.uint8)
    ends = np.arange(15)
    for a in range(15):
        # The extremes over all ranges that begin at `a`, and then over all that begin at `b`, for each of their ends.
        lows, highs = np.minimum.accumulate(low[a:]), np.maximum.accumulate(high[a:])
        rows = (a | ends[a:] << 4)[:, None]
        for b in range(15):
            least = np.minimum.accumulate(lows[:, b:], axis=1)
            most = np.maximum.accumulate(highs[:, b:], axis=1)
            table[rows, (b | ends[b:] << 4)[None, :]] = least + 7 | most + 7 << 4
    return table.reshape(-1)


@cache
def value_codes() -> Table:
    """Return the code of the value that each byte has."""
    codes = np.full(256, X, np.uint8)
    for byte in range(256):
        low, high = decode(byte)
        if is_range(byte) and (high < 0 or low > 0 or low == high):
            codes[byte] = HIGH_Z if low == high == 0 else ZERO if high < 0 else ONE
    return codes


REDUCED = {
    "join": (0, 1, 2, 3, 4, 5, 6, 7),
    "switch": (0, 1, 2, 3, 4, 5, 6, 6),
    "resistive": (0, 1, 1, 2, 2, 3, 5, 5),
}
"""Which strength each strength becomes: through a port or an alias, a switch (28.13), a resistive one (28.14)."""


@cache
def pass_table(kind: str, certain: bool) -> Table:
    """Return what a switch that conducts, or may conduct, makes of each byte."""
    reduced = REDUCED[kind]
    table = np.full(256, Z, np.uint8)
    for byte in range(256):
        if not is_range(byte):
            continue
        ends = [(1 if level > 0 else -1) * reduced[abs(level)] for level in decode(byte)]
        if not certain:
            ends.append(0)
        table[byte] = encode(min(ends), max(ends))
    return table


COMBINE_KINDS = ("wire", "wand", "wor")
PASS_KINDS = tuple(REDUCED)


def tables() -> tuple[Table, dict[str, int]]:
    """Return all tables in one array, and where each begins.

    `codes` gives the code of the value of a range, `combine.<kind>` the byte of two bytes, `pass.<kind>` that behind a
    conducting switch followed by that behind one whose control is unknown.
    """
    parts: list[tuple[str, Table]] = [("codes", value_codes())]
    parts += [(f"combine.{kind}", combine_table(kind)) for kind in COMBINE_KINDS]
    for kind in PASS_KINDS:
        parts.append((f"pass.{kind}", np.concatenate([pass_table(kind, True), pass_table(kind, False)])))
    places: dict[str, int] = {}
    at = 0
    for name, part in parts:
        places[name] = at
        at += len(part)
    return np.concatenate([part for _, part in parts]), places


def combine_kind(net: str) -> str:
    """Return which combination table a kind of net uses."""
    return {"wand": "wand", "triand": "wand", "wor": "wor", "trior": "wor"}.get(net, "wire")


def drive_bytes(strength: tuple[str, str]) -> int:
    """Return the bytes that a driver of some strengths has for the codes 0, 1, x and z, the first the lowest."""
    zero, one = LEVELS[strength[0]], LEVELS[strength[1]]
    parts = (encode(-zero, -zero), encode(one, one), encode(-zero, one), Z)
    return sum(byte << 8 * code for code, byte in enumerate(parts))


def base_byte(net: str) -> int:
    """Return what a kind of net is driven with by itself (IEEE 1800-2023 6.6.5, 6.6.6)."""
    level = {"tri0": -5, "tri1": 5, "supply0": -7, "supply1": 7}.get(net, 0)
    return encode(level, level)


def strength_text(byte: int) -> str:
    """Return what `%v` shows for a range (IEEE 1800-2023 21.2.1.5)."""
    low, high = decode(byte)
    if low == high == 0:
        return "HiZ"
    if low >= 0 and high > 0 and low == high:
        return f"{_NAMES[high]}1"
    if low == high:
        return f"{_NAMES[-low]}0"
    if low == 0:
        return f"{_NAMES[high]}H"
    if high == 0:
        return f"{_NAMES[-low]}L"
    if low > 0:
        return f"{high}{low}1"
    if high < 0:
        return f"{-low}{-high}0"
    return f"{_NAMES[high]}X" if high == -low else f"{-low}{high}X"
