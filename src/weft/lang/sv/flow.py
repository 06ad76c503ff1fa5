"""The table of statement converters, and the function that all of them call for the statements inside theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyslang import ast

if TYPE_CHECKING:
    from weft.ir.design import Statement
    from weft.lang.sv.state import State

StatementConverter = Callable[["State", ast.Statement], "Statement"]

STATEMENTS: dict[type[ast.Statement], StatementConverter] = {}
"""What converts each class of statement; `statements` fills it."""

_NAMES: dict[type[ast.Statement], str] = {
    ast.PatternCaseStatement: "a pattern match",
    ast.ProceduralCheckerStatement: "a checker",
}


def statement_of(state: State, node: ast.Statement) -> Statement:
    """Convert a statement."""
    converter = STATEMENTS.get(type(node))
    if converter is None:
        state.context.unsupported(_NAMES.get(type(node)) or f"this statement ({node.kind.name})", node)
    return converter(state, node)
