"""The loops that `foreach` becomes, one for each dimension that has a variable (IEEE 1800-2023 12.7.3).

The bounds of a fixed dimension are known. A queue, dynamic array or string is gone through while the index is below its
size; an associative array from its first key to its last by `array.first` and `array.next`, whatever the body removes.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.ir.design import Assign, Binary, Block, Expr, Item, Loop, Ref, Statement, SystemCall
from weft.lang.sv.build import bits_of, constant, truth
from weft.lang.sv.containers import size_of
from weft.lang.sv.dispatch import value_of
from weft.lang.sv.selects import bit_offset
from weft.lang.sv.strings import STRING_TYPE
from weft.lang.sv.types import CONTAINER, STRING, Layout

if TYPE_CHECKING:
    from weft.lang.sv.state import State


def through_containers(state: State, loop: ast.ForeachLoopStatement, body: Statement) -> Statement:
    """Return the loops over an array some of whose dimensions have no fixed size, the first one outermost."""
    dimensions = list(loop.loopDims)
    values: list[tuple[Expr, ast.Type]] = [(value_of(state, loop.arrayRef), loop.arrayRef.type)]
    last = max(i for i, dimension in enumerate(dimensions) if dimension.loopVar is not None)
    for dimension in dimensions[:last]:
        if dimension.loopVar is None:
            state.context.unsupported("'foreach' that leaves out a dimension before one of dynamic size", loop)
        values.append(_selected(state, *values[-1], dimension.loopVar))
    result = body
    for dimension, (value, slang_type) in reversed(list(zip(dimensions[: last + 1], values, strict=True))):
        variable, bounds = dimension.loopVar, dimension.range
        if bounds is not None:
            result = count_through(state, variable, bounds.left, bounds.right, result, loop)
        elif state.layout(slang_type).container == "assoc":
            result = _through_keys(state, variable, value, slang_type, result, loop)
        else:
            result = _through_indices(state, variable, value, state.layout(slang_type), result, loop)
    return result


def _selected(state: State, value: Expr, slang_type: ast.Type, variable: ast.IteratorSymbol) -> tuple[Expr, ast.Type]:
    """Return the element of an array that a loop's variable names, and its type."""
    layout = state.layout(slang_type)
    inner = slang_type.canonicalType.arrayElementType
    index = Ref(state.context.signal(variable))
    if layout.kind == CONTAINER:
        width = layout.step
        return Item(value, index, width, index.signal.signed, type=state.context.describe(slang_type)), inner
    return bits_of(value, bit_offset(index, True, layout), layout.step), inner


def count_through(
    state: State, symbol: ast.IteratorSymbol, left: int, right: int, body: Statement, node: ast.Statement
) -> Statement:
    """Return a loop that runs `body` with a variable from one bound of an array to the other."""
    context = state.context
    span = context.span(node)
    variable: Expr = Ref(context.signal(symbol))
    width = variable.width
    mask = (1 << width) - 1
    order, step = ("sle", "add") if left <= right else ("sge", "sub")
    cond = Binary(order, variable, constant(width, right & mask), 1)
    next_value = Binary(step, variable, constant(width, 1), width)
    start = Assign(variable, constant(width, left & mask), True, span)
    return Block((start, Loop(cond, body, (Assign(variable, next_value, True, span),), span=span)))


def _through_indices(
    state: State, symbol: ast.IteratorSymbol, value: Expr, layout: Layout, body: Statement, node: ast.Statement
) -> Statement:
    context = state.context
    span = context.span(node)
    variable: Expr = Ref(context.signal(symbol))
    size = size_of(value)
    if layout.kind == STRING:
        size = SystemCall("string.len", (value,), 32, signed=True, types=(STRING_TYPE,))
    step = Assign(variable, Binary("add", variable, constant(32, 1), 32), True, span)
    start = Assign(variable, constant(32, 0), True, span)
    return Block((start, Loop(Binary("slt", variable, size, 1), body, (step,), span=span)))


def _through_keys(
    state: State, symbol: ast.IteratorSymbol, value: Expr, slang_type: ast.Type, body: Statement, node: ast.Statement
) -> Statement:
    context = state.context
    signal = context.signal(symbol)
    span = context.span(node)
    found = Ref(context.temporary("found", 1))
    described = context.describe(slang_type)

    def move(name: str) -> Statement:
        types = (described, described.key)
        args, signs = (value, Ref(signal)), (False, signal.signed)
        call = SystemCall(f"array.{name}", args, 32, True, span, signs=signs, types=types)
        return Assign(found, truth(call), True, span)

    return Block((move("first"), Loop(found, body, (move("next"),), span=span)))
