"""Write local arguments of sequences and properties as local variables, before elaboration (IEEE 1800-2023 16.8.2).

slang tells nobody what the actual arguments of an instance are that are not simply put in the place of the formal ones.
But a local argument is a local variable that gets the value of the actual argument when an evaluation begins, and whose
value an `output` or `inout` argument hands to the actual variable at each match. So sources that have one and no errors
are elaborated again from syntax trees in which

    sequence s(local input int x, local inout int y); BODY; endsequence

is `sequence s(int x, untyped y); int x$local = x; int y$local = y; (BODY, y = y$local); endsequence`, with the names of
the variables in the body. The rest of the body goes into the new tree as it is, with its places in the source.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from pyslang import parsing, syntax

from weft.base.dataclass import dataclass
from weft.lang.sv.source_index import SourceIndex

LOCAL_ARGUMENT = re.compile(r"\b(?:sequence|property)\s+\w+\s*\([^;]*\blocal\b")
"""What a source with a local argument has somewhere."""

Found = TypeVar("Found", bound=syntax.SyntaxNode)

_Declaration = syntax.SequenceDeclarationSyntax | syntax.PropertyDeclarationSyntax
_LOCAL = "$local"
_NAMES = syntax.IdentifierNameSyntax | syntax.IdentifierSelectNameSyntax


@dataclass(frozen=True, slots=True, eq=False)
class _Port:
    """Be a formal argument as it is written; a type that is left out is that of the one before it."""

    node: syntax.AssertionItemPortSyntax
    local: bool
    direction: str
    type: str


def rewrite_local_arguments(
    trees: Sequence[syntax.SyntaxTree], index: SourceIndex
) -> tuple[list[syntax.SyntaxTree], list[object]]:
    """Return the trees without local arguments, and what must live as long as they do.

    What is made here has the place of its declaration in `index`.
    """
    rewriter = _Rewriter(index)
    return [rewriter.rewrite(tree) for tree in trees], rewriter.kept


class _Rewriter:
    """Rewrite trees; `kept` are those that own nodes of others."""

    def __init__(self, index: SourceIndex) -> None:
        self.index = index
        self.kept: list[object] = []
        self._renamed = False

    def rewrite(self, tree: syntax.SyntaxTree) -> syntax.SyntaxTree:
        """Return a tree without local arguments."""
        self._renamed = True
        while self._renamed:
            # A name in the index of another one is renamed in the next turn.
            self._renamed = False
            tree = self._turn(tree, self._rename)
        return self._turn(tree, self._declare)

    def _turn(
        self, tree: syntax.SyntaxTree, change: Callable[[syntax.SyntaxNode, syntax.SyntaxRewriter], None]
    ) -> syntax.SyntaxTree:
        self.kept.append(tree)
        return syntax.rewrite(tree, change)

    def _parse(self, text: str, node: syntax.SyntaxNode) -> syntax.SyntaxNode:
        """Return the tree of a text that stands for a node of the source."""
        tree = self.index.stand_for(text, "local arguments", node)
        self.kept.append(tree)
        return tree.root

    def _rename(self, node: syntax.SyntaxNode, rewriter: syntax.SyntaxRewriter) -> None:
        """Name the local variable where a body names its local argument."""
        if not isinstance(node, _NAMES) or not _is_argument(node):
            return
        if _outer_name(node) is not None:
            return
        statement = self._parse(f"{node.identifier.valueText}{_LOCAL} = 0;", node)
        new = rewriter.clone(node)
        assert isinstance(new, _NAMES)
        new.identifier = _find(statement, syntax.IdentifierNameSyntax).identifier
        rewriter.replace(node, new, True)
        self._renamed = True

    def _declare(self, node: syntax.SyntaxNode, rewriter: syntax.SyntaxRewriter) -> None:
        """Give a declaration its new arguments, and variables."""
        if not isinstance(node, _Declaration) or node.portList is None:
            return
        ports = _ports(node)
        if not any(port.local for port in ports):
            return
        made = _find(self._parse(_text(ports), node), syntax.SequenceDeclarationSyntax)
        new = rewriter.clone(node)
        assert isinstance(new, _Declaration)
        formals = rewriter.deepClone(made.portList)
        assert isinstance(formals, syntax.AssertionItemPortListSyntax)
        new.portList = formals
        variables = [rewriter.deepClone(found) for found in (*made.variables, *node.variables)]
        new.variables = rewriter.makeList(variables)
        if isinstance(new, syntax.SequenceDeclarationSyntax) and isinstance(node, syntax.SequenceDeclarationSyntax):
            handed = rewriter.deepClone(made.seqExpr)
            if isinstance(handed, syntax.ParenthesizedSequenceExprSyntax):
                body = rewriter.deepClone(node.seqExpr)
                assert isinstance(body, syntax.SequenceExprSyntax)
                handed.expr, new.seqExpr = body, handed
        rewriter.replace(node, new, True)


def _is_argument(node: syntax.IdentifierNameSyntax | syntax.IdentifierSelectNameSyntax) -> bool:
    """Say whether a name in a body is that of a local argument."""
    name, part = node.identifier.valueText, node
    around = node.parent
    while around is not None and not isinstance(around, _Declaration):
        if isinstance(around, syntax.AssertionItemPortListSyntax):
            return False
        if isinstance(around, syntax.ScopedNameSyntax) and _same(around.right, part):
            return False
        part, around = around, around.parent
    if around is None or around.portList is None:
        return False
    return any(port.local and port.node.name.valueText == name for port in _ports(around))


def _outer_name(node: syntax.SyntaxNode) -> syntax.SyntaxNode | None:
    """Return the indexed local argument that a name is in the index of, if any."""
    around = node.parent
    while around is not None and not isinstance(around, _Declaration):
        if isinstance(around, syntax.IdentifierSelectNameSyntax) and _is_argument(around):
            return around
        around = around.parent
    return None


def _same(a: syntax.SyntaxNode, b: syntax.SyntaxNode) -> bool:
    return a.sourceRange == b.sourceRange


def _ports(node: _Declaration) -> list[_Port]:
    found: list[_Port] = []
    for port in node.portList.ports:
        if not isinstance(port, syntax.AssertionItemPortSyntax):
            continue
        own = str(port.type).strip()
        local = port.local.kind == parsing.TokenKind.LocalKeyword
        if found and not own and not local:
            # Everything is left out, or the type alone.
            before = found[-1]
            found.append(_Port(port, before.local, before.direction, before.type))
            continue
        direction = port.direction.valueText if port.direction.valueText else "input"
        found.append(_Port(port, local, direction, own))
    return found


def _text(ports: Sequence[_Port]) -> str:
    """Return a declaration with the new arguments and variables; what hands values back stands for its body."""
    formals: list[str] = []
    variables: list[str] = []
    handed: list[str] = []
    for port in ports:
        name, shape = port.node.name.valueText, "".join(map(str, port.node.dimensions))
        default = str(port.node.defaultValue) if port.node.defaultValue is not None else ""
        if not port.local:
            formals.append(f"{port.type or 'untyped'} {name} {shape} {default}")
            continue
        # Only what has no type of its own can be assigned.
        kind = f"{port.type} {name} {shape}" if port.direction == "input" else f"untyped {name}"
        formals.append(f"{kind} {default}")
        first = "" if port.direction == "output" else f" = {name}"
        variables.append(f"{port.type} {name}{_LOCAL} {shape}{first};")
        if port.direction != "input":
            handed.append(f"{name} = {name}{_LOCAL}")
    body = f"(1, {', '.join(handed)})" if handed else "1"
    return f"sequence s({', '.join(formals)}); {' '.join(variables)} {body}; endsequence"


def _find(root: syntax.SyntaxNode, kind: type[Found]) -> Found:
    """Return the first node of a kind."""
    found: list[Found] = []

    def look(node: object) -> None:
        if isinstance(node, kind):
            found.append(node)

    root.visit(look)
    return found[0]
