"""Give static variables of functions that constants call their first value by a statement (IEEE 1800-2023 13.4.3).

In a constant call such a variable has its initial value each time; slang leaves the initial value out there, and says
so. So sources with such a function are elaborated again: beside `static int n = 1;` stands `static bit n$set = 1;`, and
after the declarations `if (!n$set) begin n$set = 1; n = 1; end`. In a constant call the flag is 0, because its own
initial value is left out as well; in the simulation it is 1 and the variable has its value from the beginning.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Iterable

import pyslang
from pyslang import syntax

from weft.base.dataclass import dataclass, field
from weft.lang.sv.source_index import SourceIndex


@dataclass(slots=True, eq=False)
class StaticRewriter:
    """Rewrite trees; `done` are the places of initial values that are made up for, `kept` must live as long as trees.

    A place is a buffer's number and the offset in it.
    """

    index: SourceIndex
    done: set[tuple[int, int]] = field(default_factory=set["tuple[int, int]"])
    kept: list[object] = field(default_factory=list[object])

    def rewrite(
        self, trees: Iterable[syntax.SyntaxTree], skipped: Iterable[pyslang.SourceLocation]
    ) -> list[syntax.SyntaxTree]:
        """Return the trees in which statements set the variables whose initial values have been skipped."""
        wanted = {_place(location) for location in skipped}

        def change(node: syntax.SyntaxNode, rewriter: syntax.SyntaxRewriter) -> None:
            if not isinstance(node, syntax.DeclaratorSyntax) or node.initializer is None:
                return
            place, name = _place(node.initializer.expr.sourceRange.start), node.name.valueText
            declaration = node.parent
            if place not in wanted or not isinstance(declaration, syntax.DataDeclarationSyntax):
                return
            if not name.replace("$", "_").isidentifier():
                return  # an escaped name, which the flag's cannot be made of
            value = str(node.initializer.expr).strip()
            flag = self._parse(f"static bit {name}$set = 1;", node)
            first = self._parse(f"if (!{name}$set) begin {name}$set = 1; {name} = {value}; end", node)
            rewriter.insertBefore(declaration, rewriter.deepClone(flag))
            rewriter.insertAfter(_last_declaration(declaration), rewriter.deepClone(first))
            assert isinstance(flag, syntax.DataDeclarationSyntax)
            (made,) = (one for one in flag.declarators if isinstance(one, syntax.DeclaratorSyntax))
            assert made.initializer is not None
            self.done |= {place, _place(made.initializer.expr.sourceRange.start)}

        made: list[syntax.SyntaxTree] = []
        for tree in trees:
            self.kept.append(tree)
            made.append(syntax.rewrite(tree, change))
        return made

    def _parse(self, text: str, node: syntax.SyntaxNode) -> syntax.SyntaxNode:
        tree = self.index.stand_for(text, "static variable", node)
        self.kept.append(tree)
        return tree.root

    def is_done(self, location: pyslang.SourceLocation) -> bool:
        """Say whether a skipped initial value is one that a statement makes up for."""
        return _place(location) in self.done


def _place(location: pyslang.SourceLocation) -> tuple[int, int]:
    return location.buffer.id, location.offset


def _last_declaration(node: syntax.DataDeclarationSyntax) -> syntax.SyntaxNode:
    """Return the last of the declarations that a declaration stands among."""
    around = node.parent
    assert isinstance(around, syntax.FunctionDeclarationSyntax | syntax.BlockStatementSyntax)
    found: syntax.SyntaxNode = node
    for item in around.items:
        if isinstance(item, syntax.DataDeclarationSyntax | syntax.ParameterDeclarationStatementSyntax):
            found = item
    return found
