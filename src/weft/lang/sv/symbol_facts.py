"""What slang's symbols say of themselves, as the contexts of modules ask it."""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyslang import ast


def instances_of(symbol: ast.Symbol) -> list[ast.InstanceSymbol]:
    """Return the instances of an instance, or of an array of any number of dimensions."""
    if isinstance(symbol, ast.InstanceSymbol):
        return [symbol]
    if isinstance(symbol, ast.InstanceArraySymbol):
        return [found for element in symbol.elements for found in instances_of(element)]
    return []


def is_argument_or_result(symbol: ast.ValueSymbol) -> bool:
    """Say whether a variable is an argument or the result of a function."""
    if isinstance(symbol, ast.FormalArgumentSymbol):
        return True
    return isinstance(symbol, ast.VariableSymbol) and bool(symbol.flags & ast.VariableFlags.CompilerGenerated)


def forget(table: dict[ast.Symbol, Any], subroutine: ast.SubroutineSymbol) -> None:
    """Drop what a table has about the variables of a subroutine, so that it can be converted once more."""
    inside = f"{subroutine.hierarchicalPath}."
    for symbol in [symbol for symbol in table if symbol.hierarchicalPath.startswith(inside)]:
        del table[symbol]


def needs_its_instance(subroutine: ast.SubroutineSymbol) -> bool:
    """Say whether it matters to which instance a task belongs: it waits, prints, or has values that stay."""
    found: list[object] = []
    table: dict[object, Callable[[object], None]] = dict.fromkeys(_OWN_KINDS, found.append)

    def look(call: ast.CallExpression) -> None:
        if call.isSystemCall:
            found.append(call)

    def look_at(declaration: ast.VariableDeclStatement) -> None:
        if declaration.symbol.initializer is not None:
            found.append(declaration)

    table[ast.ExpressionKind.Call] = look  # pyright: ignore[reportArgumentType]
    table[ast.StatementKind.VariableDeclaration] = look_at  # pyright: ignore[reportArgumentType]
    subroutine.body.visit(lookup_table=table)
    return bool(found)


_OWN_KINDS = (
    ast.StatementKind.Timed,
    ast.StatementKind.Wait,
    ast.StatementKind.WaitFork,
    ast.StatementKind.EventTrigger,
    ast.StatementKind.Disable,
    ast.StatementKind.ProceduralAssign,
)

DIRECTIONS = {
    ast.ArgumentDirection.In: "input",
    ast.ArgumentDirection.Out: "output",
    ast.ArgumentDirection.InOut: "inout",
    ast.ArgumentDirection.Ref: "ref",
}


def modport_direction(modport: ast.ModportSymbol | None, name: str) -> str:
    """Return `input` for what a modport only lets read, else `ref`: the port is the interface's variable or net.

    An output would not do, because several modules may each drive some bits of it, and read all of them.
    """
    found = modport.find(name) if modport is not None else None
    reads = isinstance(found, ast.ModportPortSymbol) and found.direction == ast.ArgumentDirection.In
    return "input" if reads else "ref"
