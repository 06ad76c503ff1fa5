"""One-bit expressions of few inputs as tables, so that a netlist of many gates needs no code of its own.

A function is a nested tuple of operators, numbers of inputs and constants, in which inputs are numbered as they appear:
gates that do the same to other nets have equal functions, and share a table of 4 ** inputs ranges.
"""

from __future__ import annotations

from typing import TypeAlias

from weft.engines.event.gates import Bit, bit_of
from weft.engines.event.strengths import HIGH_Z, ONE, ZERO, X, drive_bytes
from weft.ir.expressions import Binary, Const, Expr, Unary

MOST_INPUTS = 4
FEWEST_GATES = 256
"""From this many gates on in one module they become tables; fewer are worth the time to compile them."""

Function: TypeAlias = "tuple[str, Function, Function] | tuple[str, Function] | int"
"""An operator with its operands, the number of an input, or -1 - the code of a constant."""


def function_of(expression: Expr) -> tuple[Function, tuple[Bit, ...]] | None:
    """Return the function that an expression of one bit is, and its inputs; None if it is no such function."""
    inputs: list[Bit] = []
    found = _convert(expression, inputs)
    return None if found is None or len(inputs) > MOST_INPUTS else (found, tuple(inputs))


def _convert(expression: Expr, inputs: list[Bit]) -> Function | None:
    if expression.width != 1 or len(inputs) > MOST_INPUTS:
        return None
    match expression:
        case Binary("and" | "or" | "xor" | "xnor" as op, lhs, rhs):
            a = _convert(lhs, inputs)
            b = None if a is None else _convert(rhs, inputs)
            return None if a is None or b is None else (op, a, b)
        case Unary("not", operand):
            a = _convert(operand, inputs)
            return None if a is None else ("not", a)
        case Const(value=value, unknown=unknown):
            return -1 - (value | unknown << 1 if not unknown else HIGH_Z if value else X)
        case _:
            bit = bit_of(expression)
            if bit is None:
                return None
            for number, known in enumerate(inputs):
                if known.at == bit.at and known.ref.signal is bit.ref.signal and known.ref.path == bit.ref.path:
                    return number
            inputs.append(bit)
            return len(inputs) - 1


def evaluate(function: Function, codes: tuple[int, ...]) -> int:
    """Return the code that a function gives (IEEE 1800-2023 tables 11-11 to 11-15)."""
    match function:
        case int():
            return codes[function] if function >= 0 else -1 - function
        case ("not", operand):
            a = evaluate(operand, codes)
            return a ^ 1 if a < X else X
        case (op, left, right):
            a, b = evaluate(left, codes), evaluate(right, codes)
            if op == "and":
                return ZERO if ZERO in (a, b) else ONE if a == b == ONE else X
            if op == "or":
                return ONE if ONE in (a, b) else ZERO if a == b == ZERO else X
            if a >= X or b >= X:
                return X
            return a ^ b ^ (op == "xnor")
        case _:
            raise AssertionError(function)


def truth_table(function: Function, count: int, strength: tuple[str, str]) -> bytes:
    """Return the range that a function drives for each combination of codes, the first input the lowest two bits."""
    ranges = drive_bytes(strength)
    found = bytearray()
    for index in range(4**count):
        code = evaluate(function, tuple(index >> 2 * i & 3 for i in range(count)))
        found.append(ranges >> 8 * code & 255)
    return bytes(found)
