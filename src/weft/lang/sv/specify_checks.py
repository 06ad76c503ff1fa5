"""Timing checks of specify blocks (IEEE 1800-2023 clause 31).

slang types the arguments by position; edge lists (`edge [01, x1]`) are read from the syntax, because pyslang 12 cannot
return them.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Sequence

from pyslang import ast, syntax

from weft.ir.design import Expr
from weft.ir.specify import CheckEvent, TimingCheck
from weft.lang.sv.context import ModuleContext
from weft.lang.sv.dispatch import truth_of
from weft.lang.sv.expressions import convert, convert_lvalue
from weft.lang.sv.specify_paths import EDGES, time_fs

_Kind = ast.SystemTimingCheckKind

_TWO_LIMITS = frozenset({"$setuphold", "$recrem", "$fullskew", "$nochange"})
_NAMES = {
    _Kind.Setup: "$setup",
    _Kind.Hold: "$hold",
    _Kind.SetupHold: "$setuphold",
    _Kind.Recovery: "$recovery",
    _Kind.Removal: "$removal",
    _Kind.RecRem: "$recrem",
    _Kind.Skew: "$skew",
    _Kind.TimeSkew: "$timeskew",
    _Kind.FullSkew: "$fullskew",
    _Kind.Period: "$period",
    _Kind.Width: "$width",
    _Kind.NoChange: "$nochange",
}


def convert_check(context: ModuleContext, symbol: ast.SystemTimingCheckSymbol) -> None:
    """Add a timing check to the module."""
    kind = _NAMES.get(symbol.timingCheckKind)
    if kind is None:
        context.unsupported("this timing check", symbol)
    given = list(symbol.arguments)
    written = [node for node in symbol.syntax.args if isinstance(node, syntax.SyntaxNode)]
    count = 1 if kind in ("$period", "$width") else 2
    events = tuple(_event(context, arg, node) for arg, node in zip(given[:count], written, strict=False))
    rest = [arg.expr for arg in given[count:]]
    limits = 2 if kind in _TWO_LIMITS or (kind == "$width" and len(rest) > 1) else 1
    times = tuple(0 if node is None else time_fs(context, node) for node in rest[:limits])
    if kind == "$width":
        if not events[0].edge and not events[0].transitions:
            context.unsupported("a $width check without an edge", symbol)
        times = (*times, 0)[:2]
    flags = rest[limits:]
    follows = kind in ("$setuphold", "$recrem")
    skew = kind in ("$timeskew", "$fullskew")
    context.module.checks.append(
        TimingCheck(
            kind,
            events,
            times,
            _target(context, _at(flags, 0)),
            (_condition(context, _at(flags, 1)), _condition(context, _at(flags, 2))) if follows else (None, None),
            (_target(context, _at(flags, 3)), _target(context, _at(flags, 4))) if follows else (None, None),
            skew and _flag(context, _at(flags, 1)),
            skew and _flag(context, _at(flags, 2)),
            context.span(symbol),
        )
    )


def _at(nodes: Sequence[ast.Expression | None], index: int) -> ast.Expression | None:
    return nodes[index] if index < len(nodes) else None


def _target(context: ModuleContext, node: ast.Expression | None) -> Expr | None:
    if node is None or node.kind == ast.ExpressionKind.EmptyArgument:
        return None
    return convert_lvalue(context, node.left if isinstance(node, ast.AssignmentExpression) else node)


def _condition(context: ModuleContext, node: ast.Expression | None) -> Expr | None:
    if node is None or node.kind == ast.ExpressionKind.EmptyArgument:
        return None
    return truth_of(context.state, node)


def _flag(context: ModuleContext, node: ast.Expression | None) -> bool:
    return node is not None and time_fs(context, node) != 0


def _event(context: ModuleContext, arg: ast.SystemTimingCheckSymbol.Arg, node: syntax.SyntaxNode) -> CheckEvent:
    assert arg.expr is not None
    edges: tuple[str, ...] = ()
    control = getattr(node, "controlSpecifier", None)
    if control is not None:
        found = [inner for inner in control.descriptors if isinstance(inner, syntax.EdgeDescriptorSyntax)]
        edges = tuple(str(inner).strip().lower() for inner in found)
    return CheckEvent(
        convert(context, arg.expr),
        "" if edges else EDGES.get(arg.edge, ""),
        edges,
        truth_of(context.state, arg.condition) if arg.condition is not None else None,
        " ".join(str(node).split()),
    )
