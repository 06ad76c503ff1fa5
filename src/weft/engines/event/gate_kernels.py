"""What gates, switches and user-defined primitives do when an input changes, as kernels (`kernel_language`)."""

from __future__ import annotations

from weft.engines.event.kernel_language import kernel, u8, u64
from weft.engines.event.list_kernels import append
from weft.engines.event.net_kernels import emit
from weft.engines.event.net_records import (
    GATE_BYTES,
    GATE_CONTROL,
    GATE_COUNT,
    GATE_DATA,
    GATE_HELD,
    GATE_INPUTS,
    GATE_MEMO,
    GATE_ROWS,
    GATE_SITE,
    GATE_STATE,
    GATE_TABLE,
    INPUT_BYTE,
    INPUT_PLANE,
    INPUT_SHIFT,
    INPUT_SIZE,
    MEMO_EMPTY,
    ROW_BEFORE,
    ROW_EDGE,
    ROW_ONE,
    ROW_RESULT,
    ROW_SIZE,
    ROW_X,
    ROW_ZERO,
)

# pyright: reportUnusedFunction=false


Z_BYTE = 0x77
STRONG_BYTES = 0x77D1DD11
"""The ranges of a strong 0, 1, x and z, the first the lowest."""


# ------------------------------------------------------------------------------------------- drivers


@kernel
def input_code(entry: int) -> int:
    """Return the code of a gate's input."""
    place = u64[entry + INPUT_BYTE]
    shift = u64[entry + INPUT_SHIFT]
    return (u8[place] >> shift) & 1 | ((u8[place + u64[entry + INPUT_PLANE]] >> shift) & 1) << 1


@kernel
def input_codes(gate: int) -> int:
    """Return the codes of all inputs of a gate, two bits each, the first the lowest."""
    entry = u64[gate + GATE_INPUTS]
    count = u64[gate + GATE_COUNT]
    codes = 0
    at = 0
    while at < count:
        codes = codes | input_code(entry) << (at << 1)
        entry = entry + INPUT_SIZE
        at = at + 1
    return codes


@kernel
def run_table_gate(gate: int, state: int) -> int:
    """Do a gate whose table has a range for each combination of its inputs' codes."""
    append(gate + GATE_SITE, gate)
    emit(gate, u8[u64[gate + GATE_TABLE] + input_codes(gate)], state)
    return 0


@kernel
def run_switch(gate: int, state: int) -> int:
    """Do a switch that conducts one way; its data is its first input, its controls the others."""
    append(gate + GATE_SITE, gate)
    codes = input_codes(gate)
    conducts = u8[u64[gate + GATE_CONTROL] + (codes >> 2)]
    byte = Z_BYTE
    if conducts:
        byte = (STRONG_BYTES >> ((codes & 3) << 3)) & 255
        if u64[gate + GATE_DATA]:
            byte = u8[u64[gate + GATE_DATA]]
        byte = u8[u64[gate + GATE_TABLE] + ((conducts - 1) << 8) + byte]
    emit(gate, byte, state)
    return 0


@kernel
def run_control(gate: int, state: int) -> int:
    """Do the control of a switch that conducts both ways."""
    append(gate + GATE_SITE, gate)
    conducts = u8[u64[gate + GATE_CONTROL] + input_codes(gate)]
    emit(gate, (STRONG_BYTES >> (conducts << 3)) & 255, state)
    return 0


@kernel
def run_primitive(gate: int, state: int) -> int:
    """Do a user-defined primitive: its inputs' changes one after the other, the first first."""
    append(gate + GATE_SITE, gate)
    held = u64[gate + GATE_HELD]
    entry = u64[gate + GATE_INPUTS]
    count = u64[gate + GATE_COUNT]
    at = 0
    while at < count:
        code = input_code(entry)
        if code > 2:
            code = 2
        before = (held >> (at << 1)) & 3
        if before != code:
            held = held & ~(3 << (at << 1)) | code << (at << 1)
            u64[gate + GATE_STATE] = next_state(gate, held, at + 1, before)
        entry = entry + INPUT_SIZE
        at = at + 1
    u64[gate + GATE_HELD] = held
    emit(gate, (u64[gate + GATE_BYTES] >> (u64[gate + GATE_STATE] << 3)) & 255, state)
    return 0


@kernel
def next_state(gate: int, held: int, changed: int, before: int) -> int:
    """Return the next state of a primitive, from the table of those that have been looked up if it has one."""
    memo = u64[gate + GATE_MEMO]
    if memo == 0:
        return look_up(gate, held, changed, before)
    count = u64[gate + GATE_COUNT]
    case = ((u64[gate + GATE_STATE] * count + changed - 1) << 2) + before
    place = memo + (case << (count << 1)) + held
    code = u8[place]
    if code == MEMO_EMPTY:
        code = look_up(gate, held, changed, before)
        u8[place] = code
    return code


@kernel
def look_up(gate: int, held: int, changed: int, before: int) -> int:
    """Return the next state of a primitive: rows of levels come before rows of edges (IEEE 1800-2023 29.9)."""
    count = u64[gate + GATE_COUNT]
    zeros = 0
    ones = 0
    unknowns = 0
    at = 0
    while at < count:
        code = (held >> (at << 1)) & 3
        if code == 0:
            zeros = zeros | 1 << at
        if code == 1:
            ones = ones | 1 << at
        if code == 2:
            unknowns = unknowns | 1 << at
        at = at + 1
    code = u64[gate + GATE_STATE]
    if code == 0:
        zeros = zeros | 1 << 31
    if code == 1:
        ones = ones | 1 << 31
    if code == 2:
        unknowns = unknowns | 1 << 31
    row = u64[gate + GATE_TABLE]
    end = row + u64[gate + GATE_ROWS] * ROW_SIZE
    while row != end:
        if (zeros & ~u64[row + ROW_ZERO] | ones & ~u64[row + ROW_ONE] | unknowns & ~u64[row + ROW_X]) == 0:
            edge = u64[row + ROW_EDGE]
            if edge == 0 or (edge == changed and (u64[row + ROW_BEFORE] >> before) & 1):
                result = u64[row + ROW_RESULT]
                if result == 4:
                    return code
                return result
        row = row + ROW_SIZE
    return 2
