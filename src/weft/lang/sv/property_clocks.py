"""What an assertion expression says of clocks, without its being converted (IEEE 1800-2023 16.13, 16.16)."""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.ir.design import Event
from weft.lang.sv.timing import events_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State


def instance_of(node: ast.AssertionExpr) -> ast.AssertionInstanceExpression | None:
    """Return the instance of a named sequence or property that an expression is, with a repetition or without."""
    found = node.expr if isinstance(node, ast.SimpleAssertionExpr) else None
    return found if isinstance(found, ast.AssertionInstanceExpression) else None


def parts_of(node: ast.AssertionExpr) -> list[ast.AssertionExpr]:
    """Return the expressions directly inside one, in the order of the source."""
    if (inner := instance_of(node)) is not None:
        return [] if inner.isRecursiveProperty else [inner.body]
    if isinstance(node, ast.SequenceConcatExpr):
        return [element.sequence for element in node.elements]
    named = (getattr(node, name, None) for name in ("left", "right", "expr", "seq", "ifExpr", "elseExpr"))
    return [part for part in named if isinstance(part, ast.AssertionExpr)]


def names_clock(node: ast.AssertionExpr) -> bool:
    """Say whether an expression names a clock somewhere."""
    return isinstance(node, ast.ClockingAssertionExpr) or any(map(names_clock, parts_of(node)))


def leftmost(node: ast.AssertionExpr) -> ast.AssertionExpr:
    """Return the clock that an expression begins with, or its first part."""
    while not isinstance(node, ast.ClockingAssertionExpr):
        parts = parts_of(node)
        if not parts:
            break
        node = parts[0]
    return node


def inner_clock(state: State, found: ast.AssertionExpr) -> tuple[Event, ...]:
    """Return the clock of the left-most part that names one, which is that of the assertion (16.16)."""
    while True:
        if isinstance(found, ast.ClockingAssertionExpr):
            return events_of(state, found.clocking)
        if (inner := instance_of(found)) is not None:
            found = inner.body
            continue
        parts = getattr(found, "elements", None)
        following = parts[0].sequence if parts else getattr(found, "left", None) or getattr(found, "expr", None)
        following = following or getattr(found, "seq", None)
        if not isinstance(following, ast.AssertionExpr):
            return ()
        found = following
