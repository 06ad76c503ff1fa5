"""The standard's pseudo-random sequence for `$random` and its kin (IEEE 1800-2023 annex N).

The C code of the annex computes in 32-bit integers and doubles; this is the same in Python's numbers. A generator
without a seed argument starts from 0, for which the annex substitutes 259341593.
"""

from __future__ import annotations

import math
import struct

_FIRST_SEED = 259341593
_ONES = 0xFFFFFFFF


def signed32(value: int) -> int:
    """Return 32 bits as a signed number."""
    value &= _ONES
    return value - (1 << 32) if value >> 31 else value


def next_seed(seed: int) -> int:
    """Return the seed after one draw, as unsigned 32 bits."""
    return (69069 * (seed & _ONES or _FIRST_SEED) + 1) & _ONES


def uniform(seed: int, start: int, end: int) -> tuple[float, int]:
    """Return annex N's `uniform`: a double in [start, end), and the next seed."""
    seed = next_seed(seed)
    first: float
    last: float
    if start >= end:
        first, last = 0.0, 2147483647.0
    else:
        first, last = float(start), float(end)
    # The 23 top bits become the mantissa of a single in [1, 2), as in the annex.
    (fraction,) = struct.unpack("<f", struct.pack("<I", (seed >> 9) | 0x3F800000))
    scaled = fraction + fraction * 0.00000011920928955078125 - 1.0
    return scaled * (last - first) + first, seed


def rtl_dist_uniform(seed: int, start: int, end: int) -> tuple[int, int]:
    """Return annex N's `rtl_dist_uniform`: an integer from `start` to `end`, and the next seed."""
    if start >= end:
        return start, seed
    if end != 2147483647:
        value, seed = uniform(seed, start, end + 1)
    elif start != -2147483648:
        value, seed = uniform(seed, start - 1, end)
        value += 1.0
    else:
        value, seed = uniform(seed, start, end)
        value = value + 2147483648.0
        value = value / 4294967295.0 * 4294967296.0 - 2147483648.0
        return int(value) if value >= 0 else -int(-(value - 1)), seed
    whole = int(value) if value >= 0 else int(value - 1)
    return min(max(whole, start), end), seed


def random32(seed: int) -> tuple[int, int]:
    """Return the next `$random` number, signed, and the next seed."""
    return rtl_dist_uniform(seed, -2147483648, 2147483647)


# --------------------------------------------------------------------------------------- the other distributions


def normal(seed: int, mean: int, deviation: int) -> tuple[float, int]:
    """Return annex N's `normal`."""
    total = 1.0
    first = 0.0
    while total >= 1.0 or total == 0.0:
        first, seed = uniform(seed, -1, 1)
        second, seed = uniform(seed, -1, 1)
        total = first * first + second * second
    return first * math.sqrt(-2.0 * math.log(total) / total) * float(deviation) + float(mean), seed


def exponential(seed: int, mean: int) -> tuple[float, int]:
    """Return annex N's `exponential`."""
    number, seed = uniform(seed, 0, 1)
    return (-math.log(number) * mean if number != 0.0 else number), seed


def poisson(seed: int, mean: int) -> tuple[int, int]:
    """Return annex N's `poisson`."""
    count = 0
    limit = math.exp(-float(mean))
    product, seed = uniform(seed, 0, 1)
    while limit < product:
        count += 1
        factor, seed = uniform(seed, 0, 1)
        product = factor * product
    return count, seed


def chi_square(seed: int, freedom: int) -> tuple[float, int]:
    """Return annex N's `chi_square`."""
    total = 0.0
    if freedom % 2:
        total, seed = normal(seed, 0, 1)
        total *= total
    for _ in range(2, freedom + 1, 2):
        part, seed = exponential(seed, 1)
        total += 2 * part
    return total, seed


def student_t(seed: int, freedom: int) -> tuple[float, int]:
    """Return annex N's `t`."""
    square, seed = chi_square(seed, freedom)
    root = math.sqrt(square / float(freedom))
    number, seed = normal(seed, 0, 1)
    return number / root, seed


def erlangian(seed: int, stages: int, mean: int) -> tuple[float, int]:
    """Return annex N's `erlangian`."""
    product = 1.0
    for _ in range(stages):
        factor, seed = uniform(seed, 0, 1)
        product *= factor
    return -float(mean) * math.log(product) / float(stages), seed


def nearest(number: float) -> int:
    """Return a real as the annex rounds it: halves away from zero."""
    return int(number + 0.5) if number >= 0 else -int(0.5 - number)
