"""Arguments by reference of tasks that wait: what they stand for in a call (IEEE 1800-2023 13.5.2)."""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.base.dataclass import replace
from weft.ir.design import Const, Expr, Ref, Signal, Type
from weft.lang.sv.selects import Index, Reference, find_place
from weft.lang.sv.types import ARRAY, STRUCT

if TYPE_CHECKING:
    from weft.lang.sv.state import State


def bound_references(
    state: State, subroutine: ast.SubroutineSymbol, node: ast.CallExpression
) -> tuple[dict[ast.Symbol, Reference], tuple[Expr, ...]]:
    """Return the static variables, or elements and members of such, that the `ref` arguments of a task are in a call.

    A task that waits must see what others do to such a variable meanwhile, and they what it does (IEEE 1800-2023
    13.5.2). So it is converted once more for each variable; indices that are no constants are arguments of the call,
    which come second. Other arguments by reference are copied in and out.
    """
    found: dict[ast.Symbol, Reference] = {}
    indices: list[Expr] = []
    if subroutine.subroutineKind != ast.SubroutineKind.Task or subroutine.thisVar is not None:
        return found, ()
    for formal, actual in zip(subroutine.arguments, node.arguments, strict=True):
        if formal.direction != ast.ArgumentDirection.Ref or not _is_static(state, actual):
            continue
        place = find_place(state, actual)
        if place is None:
            continue
        captured: list[Signal] = []
        inside: list[Index] = []
        for index in place.indices:
            if isinstance(index.value, Const):
                inside.append(index)
                continue
            name = f"{subroutine.name}.{formal.name}$index{len(captured)}"
            kind = Type("logic", index.value.width)
            captured.append(Signal(name, kind.width, kind, automatic=True, local=True))
            inside.append(replace(index, value=Ref(captured[-1])))
            indices.append(index.value)
        found[formal] = Reference(replace(place, indices=tuple(inside)), tuple(captured))
    return found, tuple(indices)


def _is_static(state: State, actual: ast.Expression) -> bool:
    """Say whether an argument is a static variable, or an element or member of one."""
    while isinstance(actual, ast.ElementSelectExpression | ast.MemberAccessExpression):
        if state.layout(actual.value.type).kind not in (ARRAY, STRUCT):
            return False
        actual = actual.value
    if not isinstance(actual, ast.NamedValueExpression | ast.HierarchicalValueExpression):
        return False
    symbol = actual.symbol
    if symbol in state.references:
        return True
    if not isinstance(symbol, ast.VariableSymbol) or symbol.lifetime != ast.VariableLifetime.Static:
        return False
    return not isinstance(symbol, ast.ClassPropertySymbol | ast.ClockVarSymbol | ast.FormalArgumentSymbol)
