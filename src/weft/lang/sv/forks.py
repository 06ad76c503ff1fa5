"""Blocks, those that run at once too, and what ends them: `fork`, `disable`, `wait fork` (IEEE 1800-2023 9.3, 9.6).

A `disable` of a block or task that is around it in the same thread only jumps to its end, so that every engine can
run it, unless threads that the block has forked may have to end with it. Any other ends activities elsewhere, which
are found by the path of the block or task: `Block.scope` and `Function.scope` name those that some `disable` of the
design means.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

from pyslang import ast, parsing, syntax

from weft.base.dataclass import replace
from weft.ir.design import Block, Disable, DisableFork, Jump, Statement, WaitFork
from weft.lang.sv.flow import statement_of
from weft.lang.sv.randsequence_text import PREFIX

if TYPE_CHECKING:
    from weft.lang.sv.context import ModuleContext
    from weft.lang.sv.state import State

_FORKS = {
    ast.StatementBlockKind.Sequential: "",
    ast.StatementBlockKind.JoinAll: "join",
    ast.StatementBlockKind.JoinAny: "join_any",
    ast.StatementBlockKind.JoinNone: "join_none",
}


ConvertList = Callable[["State", list[ast.Statement]], list[Statement]]


def convert_block(state: State, node: ast.Statement, convert_list: ConvertList) -> Statement:
    """Convert a block, sequential or parallel; `convert_list` converts statements that run in order."""
    block = cast("ast.BlockStatement", node)
    symbol = block.blockSymbol
    name = symbol.name if symbol is not None else ""
    fork = _FORKS[block.blockKind]
    outer_scope, label, scope = state.scope, "", ""
    if symbol is not None and name:
        if not name.startswith(PREFIX):
            state.scope = f"{outer_scope}.{name}" if outer_scope else name
        label = state.labels[symbol] = name if name not in state.labels.values() else state.fresh_label(name)
        scope = state.context.disabled_scope(symbol)
    outer, state.declared = state.declared, []
    seen = state.forks
    statements = block.body.list if isinstance(block.body, ast.StatementList) else [block.body]
    if fork:
        result = _convert_fork(state, statements, Block((), label, fork, scope), convert_list)
    else:
        result = Block(tuple(convert_list(state, statements)), label, "", scope)
    # Threads may still need the variables when this block is entered once more, so each entry has its own.
    variables = tuple(state.declared) if state.forked or state.forks != seen else ()
    state.declared = outer
    if symbol is not None and name:
        state.scope = outer_scope
        del state.labels[symbol]
    if variables:
        return replace(result, locals=variables)
    if not label and not result.fork and len(result.body) == 1:
        return result.body[0]
    return result


def _convert_fork(state: State, nodes: list[ast.Statement], head: Block, convert_list: ConvertList) -> Block:
    """Convert the statements of a fork, a thread each; its declarations come before any of them (9.3.2)."""
    first: list[ast.Statement] = [node for node in nodes if isinstance(node, ast.VariableDeclStatement)]
    before = convert_list(state, first)
    kept = state.enter_fork()
    rest = [node for node in nodes if type(node) is not ast.EmptyStatement and node not in first]
    threads = tuple(statement_of(state, node) for node in rest)
    state.leave_fork(kept)
    fork = replace(head, body=threads)
    return Block((*before, fork)) if before else fork


def convert_disable(state: State, node: ast.Statement) -> Statement:
    """Convert `disable`: a jump where the block or task is around the statement, else the end of what runs there."""
    target = cast("ast.DisableStatement", node).target
    symbol = target.symbol if isinstance(target, ast.ArbitrarySymbolExpression) else None
    span = state.context.span(node)
    if symbol is None:
        state.context.unsupported("'disable' of this", node)
    if symbol.name.startswith(PREFIX) or not _leaves_threads(symbol, _forking(state)):
        if symbol is state.subroutine and not state.forked:
            return Jump("return", span=span)
        label = state.labels.get(symbol)
        if label is not None:
            return Jump("disable", label, span=span)
    scope, path = state.context.locate(symbol)
    return Disable(scope, path, span)


def _forking(state: State) -> frozenset[str]:
    return cast("ModuleContext", state.context).owner.forking


def only_jumps(statement: ast.DisableStatement, target: ast.ArbitrarySymbolExpression, forking: frozenset[str]) -> bool:
    """Say whether the block or task that a `disable` means is around it in the same thread and leaves no others."""
    if target.hasHierarchicalReference:
        return False
    if target.symbol.name.startswith(PREFIX):
        return True
    wanted = target.symbol.syntax
    node = statement.syntax.parent
    while node is not None and node.kind != syntax.SyntaxKind.ParallelBlockStatement:
        if node.kind == wanted.kind and node.sourceRange == wanted.sourceRange:
            return not _leaves_threads(target.symbol, forking)
        node = node.parent
    return False


def forking_names(trees: Iterable[syntax.SyntaxTree]) -> frozenset[str]:
    """Return the names of tasks and functions that may leave threads when they return, by themselves or by calls.

    Whatever has the name of such a routine counts as a call of it: a `disable` that ends threads where there are none
    is only slower than a jump.
    """
    words: dict[str, set[str]] = {}
    found: set[str] = set()

    def look(node: object) -> None:
        if isinstance(node, syntax.FunctionDeclarationSyntax):
            name = node.prototype.name.getLastToken().valueText
            detached, inside = _contents(node)
            words.setdefault(name, set()).update(inside - {name})
            if detached:
                found.add(name)

    for tree in trees:
        tree.root.visit(look)
    before = -1
    while before != len(found):
        before = len(found)
        found |= {name for name, inside in words.items() if not found.isdisjoint(inside)}
    return frozenset(found)


def _contents(node: syntax.SyntaxNode) -> tuple[bool, set[str]]:
    """Return whether a part of the source has a `fork` whose threads can outlive it, and all names in it."""
    forks: list[object] = []
    names: set[str] = set()

    def look(part: object) -> None:
        if isinstance(part, syntax.BlockStatementSyntax) and part.end.kind in _DETACHED:
            forks.append(part)
        elif isinstance(part, parsing.Token) and part.kind == parsing.TokenKind.Identifier:
            names.add(part.valueText)

    node.visit(look)
    return bool(forks), names


def _leaves_threads(symbol: ast.Symbol, forking: frozenset[str]) -> bool:
    """Say whether a block or task may have forked threads that can go on when the parent does."""
    detached, names = _contents(symbol.syntax)
    return detached or not forking.isdisjoint(names)


_DETACHED = (parsing.TokenKind.JoinAnyKeyword, parsing.TokenKind.JoinNoneKeyword)


def convert_wait_fork(state: State, node: ast.Statement) -> Statement:
    """Convert `wait fork`."""
    return WaitFork(state.context.span(node))


def convert_disable_fork(state: State, node: ast.Statement) -> Statement:
    """Convert `disable fork`."""
    return DisableFork(state.context.span(node))
