"""What a module says for all in it: the default and global clocking blocks, the default `disable iff`."""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyslang import ast, syntax

from weft.ir.design import Expr, Ref, Unary
from weft.lang.sv.build import truth

if TYPE_CHECKING:
    from weft.lang.sv.state import State


def default_clocking(body: ast.InstanceBodySymbol, word: str = "default") -> ast.ClockingBlockSymbol | None:
    """Return the default clocking block that a module body declares or names (IEEE 1800-2023 14.12).

    With the word `global` it is the module's own global one (14.14).
    """
    blocks = [member for member in body if isinstance(member, ast.ClockingBlockSymbol)]
    for block in blocks:
        written = getattr(block.syntax, "globalOrDefault", None)
        if written is not None and written.valueText == word:
            return block
    if word == "global":
        return None
    for member in getattr(body.definition.syntax, "members", ()):
        name = getattr(member, "name", None)
        if type(member).__name__ == "DefaultClockingReferenceSyntax" and name is not None:
            return next((block for block in blocks if block.name == name.valueText), None)
    return None


def default_disable(state: State, body: ast.InstanceBodySymbol, node: Any) -> Expr | None:
    """Return the condition of the `default disable iff` of a module body (16.15), which slang has not bound.

    It is a name or the negation of one; anything else is `Unsupported` at `node`, the assertion that needs it.
    """
    for member in getattr(body.definition.syntax, "members", ()):
        if isinstance(member, syntax.DefaultDisableDeclarationSyntax):
            return _bind(state, body, member.expr, node)
    return None


def _bind(state: State, body: ast.InstanceBodySymbol, found: Any, node: Any) -> Expr:
    inner = getattr(found, "operand", None)
    if isinstance(found, syntax.PrefixUnaryExpressionSyntax) and found.operatorToken.valueText in ("!", "~"):
        return Unary("not", _bind(state, body, inner, node), 1)
    inner = getattr(found, "expression", None) or getattr(found, "expr", None)
    if isinstance(found, syntax.ParenthesizedExpressionSyntax) and inner is not None:
        return _bind(state, body, inner, node)
    wrapped = inner if inner is not None and not isinstance(found, syntax.IdentifierNameSyntax) else found
    if isinstance(wrapped, syntax.IdentifierNameSyntax):
        symbol = body.lookupName(wrapped.identifier.valueText)
        if isinstance(symbol, ast.ValueSymbol):
            signal, path = state.context.reference(symbol)
            return truth(Ref(signal, path))
    return state.context.unsupported("a 'default disable iff' of more than a name", node)
