"""Replace each `randsequence` by the statements that it stands for, before elaboration (IEEE 1800-2023 18.17).

slang checks a `randsequence` but gives nobody the statements in its code blocks. So sources that have one and no errors
are elaborated again from syntax trees in which `randsequence_text` takes its place. What the user wrote goes into the
new tree as it is, with its places in the source. A `randsequence` inside another one is replaced first.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Sequence

from pyslang import parsing, syntax

from weft.base.errors import Unsupported
from weft.lang.sv.randsequence_nodes import place_of
from weft.lang.sv.randsequence_text import HOLE, HOW, LEAVE, VALUE, Refused, SequenceText
from weft.lang.sv.source_index import SourceIndex

_LOOPS = (
    syntax.ForLoopStatementSyntax,
    syntax.LoopStatementSyntax,
    syntax.DoWhileStatementSyntax,
    syntax.ForeachLoopStatementSyntax,
    syntax.ForeverStatementSyntax,
)

Kept = list[object]


def rewrite_randsequence(trees: list[syntax.SyntaxTree], index: SourceIndex) -> tuple[list[syntax.SyntaxTree], Kept]:
    """Return the trees without `randsequence`, and what must live as long as they do.

    Statements that are made here have the place of their `randsequence` in `index`.

    Raises Unsupported for arguments of productions that are no inputs.
    """
    rewriter = _Rewriter(index)
    return [rewriter.rewrite(tree) for tree in trees], rewriter.kept


class _Rewriter:
    """Rewrite trees; `kept` are the trees that own nodes of others."""

    def __init__(self, index: SourceIndex) -> None:
        self.index = index
        self.kept: Kept = []
        self._places: set[tuple[int, int]] = set()

    def rewrite(self, tree: syntax.SyntaxTree) -> syntax.SyntaxTree:
        """Return a tree without `randsequence`."""
        while found := _innermost(tree.root):
            self._places = {place_of(node) for node in found}
            for handler in (self._prepare_code, self._replace):
                self.kept.append(tree)
                tree = syntax.rewrite(tree, handler)
        return tree

    def _prepare_code(self, node: syntax.SyntaxNode, rewriter: syntax.SyntaxRewriter) -> None:
        """Turn what ends a code block early into jumps, and make its variables automatic (18.17, 18.17.6)."""
        if not isinstance(node, _IN_CODE):
            return
        code = _around(node, _CODE)
        sequence = _around(code, _SEQUENCE) if code is not None else None
        if code is None or sequence is None or place_of(sequence) not in self._places:
            return
        if isinstance(node, syntax.DataDeclarationSyntax):
            if not any(word.kind in _LIFETIMES for word in node.modifiers):
                rewriter.replace(node, _automatic(node, rewriter), True)
        elif isinstance(node, syntax.ReturnStatementSyntax):
            values = [node.returnValue] if node.returnValue is not None else []
            keep = f"{VALUE} = {HOLE}0; " if values else ""
            self._put(node, rewriter, f"begin {keep}{HOW} = 1; disable {LEAVE}; end", values)
        elif node.breakOrContinue.kind == parsing.TokenKind.BreakKeyword:
            around = _around(node, (*_LOOPS, *_CODE))
            if isinstance(around, _CODE):
                self._put(node, rewriter, f"begin {HOW} = 2; disable {LEAVE}; end", [])

    def _replace(self, node: syntax.SyntaxNode, rewriter: syntax.SyntaxRewriter) -> None:
        """Put a block of statements in the place of a `randsequence`."""
        if not isinstance(node, syntax.RandSequenceStatementSyntax) or place_of(node) not in self._places:
            return
        try:
            made = SequenceText(node)
        except Refused as refused:
            what, where = refused.args
            span = self.index.range_span(where.sourceRange.start, where.sourceRange.end)
            raise Unsupported(what, span, sources=self.index.sources) from None
        self._put(node, rewriter, made.text(), made.holes)

    def _put(
        self, node: syntax.SyntaxNode, rewriter: syntax.SyntaxRewriter, text: str, holes: Sequence[syntax.SyntaxNode]
    ) -> None:
        """Put statements in the place of a node, with nodes of the source in their holes."""

        def fill(found: syntax.SyntaxNode, inner: syntax.SyntaxRewriter) -> None:
            number = _hole(found)
            if number is None:
                return
            new = holes[number]
            if isinstance(found, syntax.ExpressionStatementSyntax):
                if isinstance(new, syntax.RsCodeBlockSyntax):
                    for item in new.items:
                        inner.insertBefore(found, inner.deepClone(item))
                    inner.remove(found)
            elif not isinstance(new, syntax.RsCodeBlockSyntax):
                inner.replace(found, inner.deepClone(new), True)

        tree = self.index.stand_for(text, "randsequence", node)
        filled = syntax.rewrite(tree, fill)
        self.kept += (tree, filled)
        rewriter.replace(node, rewriter.deepClone(filled.root), True)


def _innermost(root: syntax.SyntaxNode) -> list[syntax.RandSequenceStatementSyntax]:
    """Return each `randsequence` that has none inside it."""
    found: list[syntax.RandSequenceStatementSyntax] = []

    def look(node: object) -> None:
        if isinstance(node, syntax.RandSequenceStatementSyntax):
            found.append(node)

    root.visit(look)
    outer = {place_of(around) for node in found if (around := _around(node, _SEQUENCE)) is not None}
    return [node for node in found if place_of(node) not in outer]


_SEQUENCE = (syntax.RandSequenceStatementSyntax,)
_CODE = (syntax.RsCodeBlockSyntax,)


def _around(node: syntax.SyntaxNode, kinds: tuple[type, ...]) -> syntax.SyntaxNode | None:
    """Return the nearest node of some kinds around another."""
    found = node.parent
    while found is not None and not isinstance(found, kinds):
        found = found.parent
    return found


def _hole(node: syntax.SyntaxNode) -> int | None:
    """Return the number of the hole that a node is, if it is one."""
    if isinstance(node, syntax.ExpressionStatementSyntax):
        return _hole(node.expr)
    name = node.name if isinstance(node, syntax.NamedTypeSyntax) else node
    if isinstance(name, syntax.IdentifierNameSyntax):
        # The name of a type is a node of its own inside it, and only the outer one is replaced.
        word = name.identifier.valueText
        if word.startswith(HOLE) and not (name is node and isinstance(node.parent, syntax.NamedTypeSyntax)):
            return int(word.removeprefix(HOLE))
    return None


def _automatic(node: syntax.DataDeclarationSyntax, rewriter: syntax.SyntaxRewriter) -> syntax.SyntaxNode:
    """Return a declaration with the word `automatic`."""
    changed = rewriter.clone(node)
    assert isinstance(changed, syntax.DataDeclarationSyntax)
    space = rewriter.makeTrivia(parsing.TriviaKind.Whitespace, " ")
    word = rewriter.makeToken(parsing.TokenKind.AutomaticKeyword, "automatic", [space])
    changed.modifiers = rewriter.makeTokenList([*node.modifiers, word])
    return changed


_LIFETIMES = (parsing.TokenKind.AutomaticKeyword, parsing.TokenKind.StaticKeyword)
_IN_CODE = (syntax.ReturnStatementSyntax, syntax.JumpStatementSyntax, syntax.DataDeclarationSyntax)
