"""Print constraints as text, for `print_design`."""

from __future__ import annotations

from collections.abc import Callable

from weft.ir.constraints import (
    Constraint,
    ConstraintBlock,
    DisableSoft,
    Distribute,
    ForEach,
    Implies,
    Require,
    Share,
    SolveBefore,
    Unique,
)
from weft.ir.expressions import Expr

Show = Callable[[Expr | None], str]
"""Prints an expression."""


def print_constraint_block(block: ConstraintBlock, show: Show) -> list[str]:
    """Return a constraint of a class as lines of text."""
    static = "static " if block.static else ""
    return [f"{static}constraint {block.name}", *(f"  {line}" for line in print_constraints(block.items, show))]


def print_constraints(items: tuple[Constraint, ...], show: Show) -> list[str]:
    """Return constraints as lines of text."""
    return [line for item in items for line in _lines(item, show)]


def _lines(item: Constraint, show: Show) -> list[str]:
    match item:
        case Require(value, soft):
            return [f"{'soft ' if soft else ''}{show(value)}"]
        case Distribute(value, items, _, soft):
            shares = ", ".join(_share(share, show) for share in items)
            return [f"{'soft ' if soft else ''}{show(value)} dist {shares}"]
        case Implies(cond, body, other):
            lines = [f"if {show(cond)}", *_indent(print_constraints(body, show))]
            return [*lines, "else", *_indent(print_constraints(other, show))] if other else lines
        case Unique(values):
            return [f"unique {', '.join(map(show, values))}"]
        case ForEach(index, array, bounds, body):
            text = "" if bounds is None else f" from {bounds[0]} to {bounds[1]}"
            return [f"foreach {index.name} of {show(array)}{text}", *_indent(print_constraints(body, show))]
        case SolveBefore(first, then):
            return [f"solve {', '.join(map(show, first))} before {', '.join(map(show, then))}"]
        case DisableSoft(target):
            return [f"disable soft {show(target)}"]


def _share(share: Share, show: Show) -> str:
    values = show(share.low) if share.high is None else f"[{show(share.low)} : {show(share.high)}]"
    return f"{values} {':/' if share.whole else ':='} {show(share.weight)}"


def _indent(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]
