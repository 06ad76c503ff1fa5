"""What a module says for all in it: the default and global clocking blocks, the default `disable iff`."""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pyslang import ast, syntax

from weft.ir.design import Expr, Ref, Unary
from weft.lang.sv.build import truth
from weft.lang.sv.dispatch import value_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State


Found = TypeVar("Found")
Body = ast.InstanceBodySymbol | ast.CheckerInstanceBodySymbol


def default_clocking(body: Body, word: str = "default") -> ast.ClockingBlockSymbol | None:
    """Return the default clocking block that the body of a module or checker declares or names (IEEE 1800-2023 14.12).

    A checker without one has that of the module which it is declared in. With the word `global` it is the global one,
    of the nearest instance around that has one (14.14).
    """
    # A block is a collection, which may be empty.
    own = _own_clocking(body, word)
    if own is None and word == "global":
        around = body.parentInstance.parentScope
        outer = around.containingInstance if around is not None else None
        return default_clocking(outer, word) if outer is not None else None
    if own is None and isinstance(body, ast.CheckerInstanceBodySymbol):
        return _of_outer(body, lambda outer: default_clocking(outer, word))
    return own


def _of_outer(body: ast.CheckerInstanceBodySymbol, ask: Callable[[Body], Found | None]) -> Found | None:
    outer = body.checker.parentScope.containingInstance
    return ask(outer) if outer is not None else None


def _items(body: Body) -> Sequence[Any]:
    """Return what a module or checker is written as."""
    found = body.checker if isinstance(body, ast.CheckerInstanceBodySymbol) else body.definition
    return getattr(found.syntax, "members", ())


def _own_clocking(body: Body, word: str) -> ast.ClockingBlockSymbol | None:
    blocks = [member for member in body if isinstance(member, ast.ClockingBlockSymbol)]
    for block in blocks:
        written = getattr(block.syntax, "globalOrDefault", None)
        if written is not None and written.valueText == word:
            return block
    if word == "global":
        return None
    for member in _items(body):
        name = getattr(member, "name", None)
        if type(member).__name__ == "DefaultClockingReferenceSyntax" and name is not None:
            return next((block for block in blocks if block.name == name.valueText), None)
    return None


def default_disable(state: State, body: Body, node: Any) -> Expr | None:
    """Return the condition of the `default disable iff` of a module or checker (16.15), which slang has not bound.

    It is a name or the negation of one; anything else is `Unsupported` at `node`, the assertion that needs it.
    """
    for member in _items(body):
        if isinstance(member, syntax.DefaultDisableDeclarationSyntax):
            return _bind(state, body, member.expr, node)
    if isinstance(body, ast.CheckerInstanceBodySymbol):
        return _of_outer(body, lambda outer: default_disable(state, outer, node))
    return None


def _bind(state: State, body: Body, found: Any, node: Any) -> Expr:
    inner = getattr(found, "operand", None)
    if isinstance(found, syntax.PrefixUnaryExpressionSyntax) and found.operatorToken.valueText in ("!", "~"):
        return Unary("not", _bind(state, body, inner, node), 1)
    inner = getattr(found, "expression", None) or getattr(found, "expr", None)
    if isinstance(found, syntax.ParenthesizedExpressionSyntax) and inner is not None:
        return _bind(state, body, inner, node)
    wrapped = inner if inner is not None and not isinstance(found, syntax.IdentifierNameSyntax) else found
    if isinstance(wrapped, syntax.IdentifierNameSyntax):
        symbol = body.lookupName(wrapped.identifier.valueText)
        if isinstance(symbol, ast.AssertionPortSymbol) and isinstance(body, ast.CheckerInstanceBodySymbol):
            actual = next(found.actual for found in body.parentInstance.portConnections if found.formal is symbol)
            if isinstance(actual, ast.Expression):
                return truth(value_of(state, actual))
        if isinstance(symbol, ast.ValueSymbol):
            signal, path = state.context.reference(symbol)
            return truth(Ref(signal, path))
    return state.context.unsupported("a 'default disable iff' of more than a name", node)
