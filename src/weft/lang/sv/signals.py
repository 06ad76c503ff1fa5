"""Signals for slang's value symbols.

A signal is `depth` elements of `width` bits (`ir.design`): the packed part of the type gives the width, all unpacked
dimensions together the depth. A variable of an unpacked struct type becomes one signal per leaf member; an array of
such structs one array per leaf member, whose dimensions are the array's followed by the member's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyslang import ast, syntax

from weft.ir.design import Signal
from weft.lang.sv.types import REAL

if TYPE_CHECKING:
    from weft.lang.sv.context import ModuleContext

LeafPath = tuple[str, ...]
"""The member names that lead from a variable of unpacked struct type to one leaf."""

_BUILT_IN_NETS = frozenset(
    {"wire", "wand", "wor", "tri", "triand", "trior", "tri0", "tri1", "trireg", "supply0", "supply1", "uwire"}
)


def is_struct(slang_type: ast.Type) -> bool:
    """Say whether a type is an unpacked struct, or an unpacked array of them."""
    found = slang_type.canonicalType
    while found.kind == ast.SymbolKind.FixedSizeUnpackedArrayType:
        found = found.arrayElementType.canonicalType
    return found.kind == ast.SymbolKind.UnpackedStructType


def create_signal(context: ModuleContext, symbol: ast.ValueSymbol, name: str) -> Signal:
    """Create the signal of a variable, net, formal argument or function result."""
    return _create(context, symbol, symbol.type, name, 0)


def create_leaves(context: ModuleContext, symbol: ast.ValueSymbol, name: str) -> dict[LeafPath, Signal]:
    """Create one signal for each leaf member of a variable of unpacked struct type."""
    return {
        path: _create(context, symbol, member, ".".join((name, *path)), depth)
        for path, member, depth in _leaf_types(symbol.type, 0)
    }


def _leaf_types(slang_type: ast.Type, depth: int) -> Iterator[tuple[LeafPath, ast.Type, int]]:
    found = slang_type.canonicalType
    if not is_struct(found):
        yield (), slang_type, depth
        return
    while found.kind == ast.SymbolKind.FixedSizeUnpackedArrayType:
        depth = max(depth, 1) * found.fixedRange.width
        found = found.arrayElementType.canonicalType
    assert isinstance(found, ast.UnpackedStructType)
    for member in found:
        if isinstance(member, ast.FieldSymbol):
            for path, leaf, leaf_depth in _leaf_types(member.type, depth):
                yield (member.name, *path), leaf, leaf_depth


def _create(context: ModuleContext, symbol: ast.ValueSymbol, slang_type: ast.Type, name: str, depth: int) -> Signal:
    element = slang_type.canonicalType
    while element.kind == ast.SymbolKind.FixedSizeUnpackedArrayType:
        depth = max(depth, 1) * element.fixedRange.width
        element = element.arrayElementType.canonicalType
    layout = context.state.layout(element)
    if not layout.is_flat:
        context.unsupported(f"a variable of type '{slang_type}'", symbol)
    return Signal(
        name,
        layout.width,
        context.owner.describe(slang_type),
        depth,
        layout.signed,
        _net_type(context, symbol) if isinstance(symbol, ast.NetSymbol) and layout.kind != REAL else "",
        automatic=isinstance(symbol, ast.IteratorSymbol)
        or (isinstance(symbol, ast.VariableSymbol) and symbol.lifetime == ast.VariableLifetime.Automatic),
        span=context.span(symbol),
        charge=_charge(symbol) if isinstance(symbol, ast.NetSymbol) else "",
    )


def _charge(symbol: ast.NetSymbol) -> str:
    """Return the size of a `trireg`, read from the syntax, because pyslang 12 cannot return it."""
    if symbol.netType.name != "trireg":
        return ""
    strength = getattr(symbol.syntax.parent, "strength", None)
    return strength.strength.valueText if isinstance(strength, syntax.ChargeStrengthSyntax) else "medium"


def _net_type(context: ModuleContext, symbol: ast.NetSymbol) -> str:
    name = symbol.netType.name
    if name not in _BUILT_IN_NETS:
        context.unsupported(f"a net of the user-defined type '{name}'", symbol)
    return name
