"""Write what is done with strings without making new ones: comparisons, length, characters (IEEE 1800-2023 6.16).

Equal strings have one handle, so that equality is a comparison of words; all else looks at the characters
(`text_kernels`).
"""

from __future__ import annotations

from weft.engines.event import operators as ops
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.value_types import type_of
from weft.engines.event.writer import Operand, Value
from weft.ir.design import Expr
from weft.ir.expressions import Const, Item, SystemCall, Text


def string_handle(f: FunctionCode, string: Expr) -> Operand | None:
    """Return the handle of an expression that is a string, None if it is something else."""
    from weft.engines.event.code_expressions import value

    if not isinstance(string, Text) and type_of(string).kind != "string":
        return None
    return value(f, string).bits


def compare_equal(f: FunctionCode, op: str, order: SystemCall, zero: Expr) -> Value | None:
    """Write `==` or `!=` of strings, which is a comparison of their order with 0; None if it is something else."""
    match op, order, zero:
        case "eq" | "ne", SystemCall("string.compare", (left, right)), Const(_, 0, 0):
            a, b = string_handle(f, left), string_handle(f, right)
            return None if a is None or b is None else Value(1, f.w.compare(op, 64, a, b))
        case _:
            return None


def string_call(f: FunctionCode, call: SystemCall) -> Value | None:
    """Write a call of a method; None if Python has to do it."""
    w = f.w
    match call.name, call.args:
        case "string.compare", (left, right):
            a, b = string_handle(f, left), string_handle(f, right)
            if a is None or b is None:
                return None
            return Value(call.width, w.resize(w.call("text_order", a, b, "%S"), 64, call.width))
        case "string.len", (string,):
            handle = string_handle(f, string)
            if handle is None:
                return None
            return Value(call.width, w.resize(w.call("text_length", handle, "%S"), 64, call.width))
        case "string.getc", (string, index):
            return read_character(f, string, index, call.signs[1:2] == (True,), call.width)
        case _:
            return None


def read_item(f: FunctionCode, item: Item) -> Value | None:
    """Write the read of a character by its index; None if Python has to do it."""
    return read_character(f, item.container, item.index, item.signed, item.width)


def read_character(f: FunctionCode, string: Expr, index: Expr, signed: bool, width: int) -> Value | None:
    """Write the read of a character, 0 where there is none."""
    from weft.engines.event.code_expressions import value

    w = f.w
    handle = string_handle(f, string)
    if handle is None:
        return None
    # The index is an `int`: its unknown bits are 0.
    at = ops.known_only(w, value(f, index))
    place = w.resize(at.bits, at.width, 64, signed)
    return Value(width, w.resize(w.call("text_character", handle, place, "%S"), 64, width))
