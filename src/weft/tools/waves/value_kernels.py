"""What turns recorded values into characters, as kernels (`engines.event.kernel_language`).

FST's frames and VCD's value changes (IEEE 1364-2005 18.2.1) want digits most significant first; VCD's come eight at a
time from a table of each byte's characters. A row of the signal table is width, words of a plane, words of a record,
and whether an unknown plane follows (`change_log`); a plane of at most 32 bits is one word, a wider one 64-bit words.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from weft.engines.event.kernel_language import clz, kernel, signed_less, u8, u32, u64
from weft.tools.waves.change_log import TIME

# pyright: reportUnusedFunction=false

ROW = 16  # bytes of a row of the signal table
PLANE_WORDS, RECORD_WORDS, FOUR_STATE = 4, 8, 12
DIGIT_0, LETTER_X, LETTER_B, HASH_SIGN, BLANK, NEWLINE = ord("0"), ord("x"), ord("b"), ord("#"), ord(" "), ord("\n")
NEW_TIME = TIME


@functools.cache
def digit_table() -> NDArray[np.uint8]:
    """Return, for each byte, its eight binary digits as text, most significant first."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    return np.ascontiguousarray(bits + ord("0"), np.uint8)


@kernel
def put_characters(out: int, value: int, unknown: int, width: int) -> int:
    """Write `01xz` characters, most significant first; `unknown` is 0 where all is known. Return the place after."""
    bit = width
    while bit != 0:
        bit = bit - 1
        byte = bit >> 3
        shift = bit & 7
        shown = DIGIT_0 + (u8[value + byte] >> shift & 1)
        if unknown != 0 and (u8[unknown + byte] >> shift & 1) != 0:
            # `z` is two letters after `x`.
            shown = LETTER_X + ((u8[value + byte] >> shift & 1) << 1)
        u8[out] = shown
        out = out + 1
    return out


@kernel
def update_frame(planes: int, count: int, table: int, offsets: int, positions: int, frame: int) -> int:
    """Write the values at some offsets (0: none) as characters into an FST frame."""
    number = 0
    while number < count:
        offset = u64[offsets + (number << 3)]
        if offset != 0:
            row = table + number * ROW
            unknown = 0
            if u32[row + FOUR_STATE] != 0:
                unknown = planes + offset + (u32[row + PLANE_WORDS] << 2)
            put_characters(frame + u64[positions + (number << 3)], planes + offset, unknown, u32[row])
        number = number + 1
    return 0


@kernel
def plane_window(plane: int, narrow: int, position: int) -> int:
    """Return the 64 bits of a plane whose lowest is bit `position`; a negative one shifts zeros in from below."""
    if signed_less(position, 0):
        if narrow != 0:
            return u32[plane] << -position
        return u64[plane] << -position
    word = plane + (position >> 6 << 3)
    shift = position & 63
    if shift == 0:
        return u64[word]
    return u64[word] >> shift | u64[word + 8] << 64 - shift


@kernel
def any_unknown(plane: int, words: int) -> int:
    """Say whether a plane has a bit that is set."""
    end = plane + (words << 2)
    found = 0
    while plane < end:
        found = found | u32[plane]
        plane = plane + 4
    return found != 0


@kernel
def put_decimal(out: int, value: int) -> int:
    """Write a number in decimal; return the place after it."""
    digits = 1
    rest = value // 10
    while rest != 0:
        digits = digits + 1
        rest = rest // 10
    at = out + digits
    while at != out:
        at = at - 1
        u8[at] = DIGIT_0 + value % 10
        value = value // 10
    return out + digits


@kernel
def put_binary(out: int, plane: int, narrow: int, width: int, digits: int) -> int:
    """Write a known value's digits without leading zeros (readers extend with 0, 18.2.1); may write 7 bytes past it."""
    top = width
    zeros = 64
    while zeros == 64:
        zeros = clz(plane_window(plane, narrow, top - 64))
        if zeros >= top:
            top = 1
            zeros = 0
        else:
            top = top - zeros
    end = out + top
    while out < end:
        window = plane_window(plane, narrow, top - 64)
        u64[out] = u64[digits + (window >> 56 << 3)]
        out = out + 8
        top = top - 8
    return end


@kernel
def put_change(out: int, at: int, row: int, code: int, digits: int) -> int:
    """Write one change, whose value is at an address, and the signal's code; return the place after it."""
    width = u32[row]
    words = u32[row + PLANE_WORDS]
    unknown = at + (words << 2)
    if width > 1:
        u8[out] = LETTER_B
        out = out + 1
    if u32[row + FOUR_STATE] != 0 and any_unknown(unknown, words):
        out = put_characters(out, at, unknown, width)
    else:
        out = put_binary(out, at, words == 1, width, digits)
    if width > 1:
        u8[out] = BLANK
        out = out + 1
    # A code is up to seven characters with its newline, and in the top byte how many they are.
    u64[out] = code
    return out + (code >> 56)


@kernel
def encode_text(log: int, words: int, table: int, codes: int, digits: int, out: int, divisor: int) -> int:
    """Write a change log as VCD value changes, times in units of `divisor` femtoseconds; return the bytes written."""
    begin = out
    end = log + (words << 2)
    while log < end:
        index = u32[log]
        if index == NEW_TIME:
            u8[out] = HASH_SIGN
            out = put_decimal(out + 1, u64[log + 4] // divisor)
            u8[out] = NEWLINE
            out = out + 1
            log = log + 12
        else:
            row = table + index * ROW
            out = put_change(out, log + 4, row, u64[codes + (index << 3)], digits)
            log = log + (u32[row + RECORD_WORDS] << 2)
    return out - begin
