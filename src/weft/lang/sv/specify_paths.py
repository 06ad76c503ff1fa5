"""Module path declarations of specify blocks (IEEE 1800-2023 30.4, 30.5).

Terminals are signals of the module or bits of them. Delays are constants, so they become femtoseconds here, rounded to
the module's precision, one for each transition; 1, 2, 3, 6 or 12 of them are given (tables 30-3 and 30-4).
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from fractions import Fraction

from pyslang import ast

from weft.ir.specify import ModulePath, expand_delays
from weft.lang.sv.context import ModuleContext
from weft.lang.sv.dispatch import truth_of
from weft.lang.sv.expressions import convert, convert_lvalue

EDGES = {ast.EdgeKind.PosEdge: "posedge", ast.EdgeKind.NegEdge: "negedge", ast.EdgeKind.BothEdges: "edge"}


def convert_path(context: ModuleContext, symbol: ast.TimingPathSymbol) -> None:
    """Add a path to the module."""
    condition = symbol.conditionExpr
    delays = tuple(time_fs(context, delay) for delay in symbol.delays)
    if not delays:
        context.unsupported("a path without delays", symbol)
    context.module.paths.append(
        ModulePath(
            tuple(convert(context, terminal) for terminal in symbol.inputs),
            tuple(convert_lvalue(context, terminal) for terminal in symbol.outputs),
            expand_delays(delays),
            symbol.connectionKind == ast.TimingPathSymbol.ConnectionKind.Parallel,
            EDGES.get(symbol.edgeIdentifier, ""),
            truth_of(context.state, condition) if condition is not None else None,
            symbol.isStateDependent and condition is None,
            str(condition.syntax).strip() if condition is not None else "",
            context.span(symbol),
        )
    )


def time_fs(context: ModuleContext, node: ast.Expression) -> int:
    """Return a constant time, given in the module's unit, in femtoseconds rounded to its precision."""
    folded = (
        node.constant if node.constant is not None else node.eval(ast.EvalContext(context.owner.compilation.getRoot()))
    )
    value = folded.value
    if value is None:
        context.unsupported("this time in a specify block, which is no constant,", node)
    number = Fraction(value) if isinstance(value, float) else Fraction(int(value))
    precision = context.module.time_precision_fs
    steps = number * context.module.time_unit_fs / precision
    rounded = int(abs(steps) + Fraction(1, 2))
    return precision * (rounded if steps >= 0 else -rounded)
