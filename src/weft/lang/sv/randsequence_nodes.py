"""What is asked of the syntax nodes of a `randsequence` (IEEE 1800-2023 18.17)."""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pyslang import parsing, syntax


def items_of(nodes: Iterable[Any]) -> list[Any]:
    """Return the nodes of a list without its separators."""
    return [node for node in nodes if not isinstance(node, parsing.Token)]


def written_type(node: syntax.SyntaxNode | None) -> str:
    """Return the text of a type, nothing where none is written."""
    return str(node).strip() if node is not None else ""


def expression_of(node: syntax.SyntaxNode) -> syntax.SyntaxNode:
    """Return the expression of an argument, which the parser takes for a property."""
    while isinstance(node, syntax.SimplePropertyExprSyntax | syntax.SimpleSequenceExprSyntax):
        node = node.expr
    return node


def named_productions(rule: syntax.SyntaxNode) -> list[syntax.RsProdItemSyntax]:
    """Return the productions that a rule names, in the order of the source."""
    found: list[syntax.RsProdItemSyntax] = []

    def look(node: object) -> None:
        if isinstance(node, syntax.RsProdItemSyntax):
            found.append(node)

    rule.visit(look)
    return found


def place_of(node: syntax.SyntaxNode) -> tuple[int, int]:
    """Return where a node begins, which copies of it have in common."""
    start = node.sourceRange.start
    return start.buffer.id, start.offset


def reached_from(productions: Mapping[str, syntax.SyntaxNode], name: str) -> set[str]:
    """Return the productions that one calls, directly or through others."""
    found: set[str] = set()
    left = [name]
    while left:
        for item in named_productions(productions[left.pop()]):
            called = item.name.valueText
            if called not in found:
                found.add(called)
                left.append(called)
    return found


def mentions(nodes: Iterable[syntax.SyntaxNode], name: str) -> bool:
    """Say whether a name occurs in some of the nodes."""
    pattern = re.compile(rf"(?<![\w$]){re.escape(name)}(?![\w$])")
    return any(pattern.search(str(node)) for node in nodes)
