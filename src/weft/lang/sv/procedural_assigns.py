"""Procedural continuous assignments: `force` and `release`, `assign` and `deassign` (IEEE 1800-2023 10.6)."""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyslang import ast

from weft.ir.design import Force, Release, Statement
from weft.lang.sv.dispatch import lvalue_of
from weft.lang.sv.expressions import assignment_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State


def convert_force(state: State, node: ast.Statement) -> Statement:
    """Convert `force` or a procedural `assign`."""
    forced = cast("ast.ProceduralAssignStatement", node)
    assignment = cast("ast.AssignmentExpression", forced.assignment)
    target, value = assignment_of(state, assignment)
    return Force(target, value, "force" if forced.isForce else "assign", state.context.span(node))


def convert_release(state: State, node: ast.Statement) -> Statement:
    """Convert `release` or `deassign`."""
    released = cast("ast.ProceduralDeassignStatement", node)
    kind = "release" if released.isRelease else "deassign"
    return Release(lvalue_of(state, released.lvalue), kind, state.context.span(node))
