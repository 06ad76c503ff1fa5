"""`randcase` as a choice by a random number (IEEE 1800-2023 18.16).

The weights are added up from the first on, into 64-bit sums; `$urandom_range` picks a number below the
last sum, and the first sum above it names the branch. If all weights are 0 no branch is taken.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyslang import ast

from weft.ir.design import Assign, Binary, Block, Expr, If, Ref, Statement, SystemCall, SystemTask, Text
from weft.lang.sv.build import constant, known, resize
from weft.lang.sv.dispatch import layout_of, value_of
from weft.lang.sv.flow import statement_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State


def convert_randcase(state: State, node: ast.Statement) -> Statement:
    """Convert `randcase`."""
    items = list(cast("ast.RandCaseStatement", node).items)
    span = state.context.span(node)
    sums: list[Expr] = []
    before: list[Statement] = []
    for item in items:
        weight = resize(known(value_of(state, item.expr)), 64, layout_of(state, item.expr).signed)
        total = Ref(state.context.temporary("weight", 64))
        before.append(Assign(total, Binary("add", sums[-1], weight, 64) if sums else weight, True, span))
        sums.append(total)
    pick = Ref(state.context.temporary("pick", 32))
    last = Binary("sub", resize(sums[-1], 32, False), constant(32, 1), 32)
    drawn = SystemCall("$urandom_range", (last, constant(32, 0)), 32, span=span)
    chain: Statement | None = None
    for item, total in reversed(list(zip(items, sums, strict=True))):
        below = Binary("ult", resize(pick, 64, False), total, 1)
        chain = If(below, statement_of(state, item.stmt), chain, span=span)
    assert chain is not None
    warning = SystemTask("$warning", (Text("randcase: all weights are 0"),), (False,), span, state.scope)
    some = Binary("ne", sums[-1], constant(64, 0), 1)
    return Block((*before, If(some, Block((Assign(pick, drawn, True, span), chain)), warning, span=span)))
