"""Loops (IEEE 1800-2023 12.7). All but `repeat` become a `Loop`, `foreach` one for each dimension."""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyslang import ast

from weft.ir.design import Block, Loop, RepeatTimes, Statement
from weft.lang.sv.actions import expression_statement
from weft.lang.sv.dispatch import truth_of
from weft.lang.sv.flow import statement_of
from weft.lang.sv.foreach import count_through, through_containers
from weft.lang.sv.timing import count_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State


def loop_body(state: State, node: ast.Statement, leave: str = "") -> Statement:
    """Convert the body of a loop, out of which `break` goes to the end of block `leave`, or of the loop itself."""
    state.breaks.append(leave)
    body = statement_of(state, node)
    state.breaks.pop()
    return body


def convert_for(state: State, node: ast.Statement) -> Statement:
    """Convert `for`; the variables that it declares are declarations before it."""
    loop = cast("ast.ForLoopStatement", node)
    before = tuple(expression_statement(state, initializer) for initializer in loop.initializers)
    stop = loop.stopExpr
    cond = truth_of(state, stop) if stop is not None else None
    steps = tuple(expression_statement(state, step) for step in loop.steps)
    result = Loop(cond, loop_body(state, loop.body), steps, span=state.context.span(node))
    return Block((*before, result)) if before else result


def convert_while(state: State, node: ast.Statement) -> Statement:
    """Convert `while`."""
    loop = cast("ast.WhileLoopStatement", node)
    cond = truth_of(state, loop.cond)
    return Loop(cond, loop_body(state, loop.body), span=state.context.span(node))


def convert_do_while(state: State, node: ast.Statement) -> Statement:
    """Convert `do ... while`."""
    loop = cast("ast.DoWhileLoopStatement", node)
    cond = truth_of(state, loop.cond)
    return Loop(cond, loop_body(state, loop.body), test_last=True, span=state.context.span(node))


def convert_forever(state: State, node: ast.Statement) -> Statement:
    """Convert `forever`."""
    return Loop(None, loop_body(state, cast("ast.ForeverLoopStatement", node).body), span=state.context.span(node))


def convert_repeat(state: State, node: ast.Statement) -> Statement:
    """Convert `repeat`."""
    loop = cast("ast.RepeatLoopStatement", node)
    count = count_of(state, loop.count)
    return RepeatTimes(count, loop_body(state, loop.body), state.context.span(node))


def convert_foreach(state: State, node: ast.Statement) -> Statement:
    """Convert `foreach`: a loop for each dimension that has a variable, from its left bound to its right one.

    Without any variable nothing is iterated over, so nothing runs: so Icarus Verilog and Verilator read 12.7.3, too.
    """
    loop = cast("ast.ForeachLoopStatement", node)
    dimensions = [dimension for dimension in loop.loopDims if dimension.loopVar is not None]
    if not dimensions:
        return Block(())
    label = state.fresh_label("foreach") if len(dimensions) > 1 else ""
    result = loop_body(state, loop.body, label)
    if any(dimension.range is None for dimension in loop.loopDims):
        result = through_containers(state, loop, result)
    else:
        for dimension in reversed(dimensions):
            bounds = dimension.range
            result = count_through(state, dimension.loopVar, bounds.left, bounds.right, result, node)
    return Block((result,), label) if label else result
