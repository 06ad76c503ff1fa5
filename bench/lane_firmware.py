"""A program for many lanes: RV32I code whose path depends on a seed in memory, so that lanes diverge.

It runs from address 0 in the RAM of any of the processors here. Each round draws a number (xorshift), changes a random
word of the RAM by it in one of two ways, now and then counts in an inner loop of random length, and stores how far it
is.
"""

from __future__ import annotations

SEED_ADDRESS, COUNT_ADDRESS, DATA_ADDRESS = 0x200, 0x204, 0x400
"""Where the seed is read and the number of rounds is written; the words that the program changes begin at the last."""

_ZERO, _SEED, _COUNT, _BASE, _MASK, _T0, _T1, _T2, _T3 = 0, 8, 9, 18, 19, 5, 6, 7, 28


def program(ram_bytes: int) -> list[int]:
    """Return the words of the program for a RAM of this size (a power of two, at least 4 KiB)."""
    code: list[int] = []

    def op(funct3: int, rd: int, rs1: int, rs2: int, funct7: int = 0) -> None:
        code.append(funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x33)

    def immediate(funct3: int, rd: int, rs1: int, value: int) -> None:
        code.append((value & 0xFFF) << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x13)

    def load(rd: int, base: int, offset: int) -> None:
        code.append(offset << 20 | base << 15 | 2 << 12 | rd << 7 | 0x03)

    def store(source: int, base: int, offset: int) -> None:
        code.append(offset >> 5 << 25 | source << 20 | base << 15 | 2 << 12 | (offset & 31) << 7 | 0x23)

    def upper(rd: int, value: int) -> None:
        code.append(value << 12 | rd << 7 | 0x37)

    def branch(funct3: int, rs1: int, rs2: int, target: int, at: int | None = None) -> None:
        here = len(code) if at is None else at
        distance = 4 * (target - here)
        bits = (distance >> 12 & 1) << 31 | (distance >> 5 & 63) << 25 | (distance >> 1 & 15) << 8
        word = bits | (distance >> 11 & 1) << 7 | rs2 << 20 | rs1 << 15 | funct3 << 12 | 0x63
        if at is None:
            code.append(word)
        else:
            code[at] = word

    equal, unequal = 0, 1
    load(_SEED, _ZERO, SEED_ADDRESS)
    immediate(0, _COUNT, _ZERO, 0)
    immediate(0, _BASE, _ZERO, DATA_ADDRESS)
    # The data area ends with the RAM: half of it is used, as a mask of word addresses.
    upper(_MASK, ram_bytes // 2 >> 12)
    immediate(0, _MASK, _MASK, -4)
    again = len(code)
    for funct3, amount in ((1, 13), (5, 17), (1, 5)):
        immediate(funct3, _T0, _SEED, amount)
        op(4, _SEED, _SEED, _T0)
    op(7, _T1, _SEED, _MASK)
    op(0, _T1, _T1, _BASE)
    load(_T2, _T1, 0)
    immediate(7, _T0, _SEED, 1)
    odd = len(code)
    code.append(0)
    op(0, _T2, _T2, _SEED)
    join = len(code)
    code.append(0)
    branch(equal, _T0, _ZERO, len(code), odd)
    immediate(5, _T3, _SEED, 3)
    op(4, _T2, _T2, _T3)
    branch(equal, _ZERO, _ZERO, len(code), join)
    store(_T2, _T1, 0)
    immediate(7, _T0, _SEED, 6)
    skip = len(code)
    code.append(0)
    immediate(5, _T3, _SEED, 8)
    immediate(7, _T3, _T3, 7)
    inner = len(code)
    immediate(0, _T3, _T3, -1)
    op(0, _T2, _T2, _T3)
    branch(5, _T3, _ZERO, inner)  # while not negative
    branch(unequal, _T0, _ZERO, len(code), skip)
    immediate(0, _COUNT, _COUNT, 1)
    store(_COUNT, _ZERO, COUNT_ADDRESS)
    branch(equal, _ZERO, _ZERO, again)
    return code


def seeds(lanes: int) -> list[int]:
    """Return a seed for each lane, none of which is 0."""
    return [(lane * 0x9E3779B1 + 0x2545F491) & 0xFFFFFFFF or 1 for lane in range(lanes)]
