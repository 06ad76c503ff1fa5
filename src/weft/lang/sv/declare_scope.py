"""Declare what a module, package or compilation unit contains, generate blocks included, before converting any of it.

All nets and variables get their signals first, so that a name may be used by anything, whatever the order of the source
or of the hierarchy. The rest is listed as the context's `members`, each with the generate scopes around it, or needs
nothing (types, parameters, functions that are converted when called), or is `Unsupported`.

Specify blocks are skipped unless they are asked for: they only describe delays and timing checks of paths (IEEE
1800-2023 30.1), and in a cycle simulation every delay is zero.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

import re
from collections.abc import Iterable

from pyslang import ast
from pyslang.ast import SymbolKind

from weft.lang.sv.checkers import declare_outputs
from weft.lang.sv.clocking import declare_clocking
from weft.lang.sv.context import Member, ModuleContext

_SIMPLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")

_MEMBERS = frozenset(
    {
        SymbolKind.Instance,
        SymbolKind.InstanceArray,
        SymbolKind.ContinuousAssign,
        SymbolKind.NetAlias,
        SymbolKind.ProceduralBlock,
        SymbolKind.PrimitiveInstance,
    }
)

_NOTHING_TO_DO = frozenset(
    {
        SymbolKind.Unknown,
        SymbolKind.Definition,
        SymbolKind.Package,
        SymbolKind.TransparentMember,
        SymbolKind.EmptyMember,
        SymbolKind.TypeAlias,
        SymbolKind.ForwardingTypedef,
        SymbolKind.NetType,
        SymbolKind.Parameter,
        SymbolKind.TypeParameter,
        SymbolKind.Port,
        SymbolKind.MultiPort,
        SymbolKind.InterfacePort,
        SymbolKind.Modport,
        SymbolKind.ExplicitImport,
        SymbolKind.WildcardImport,
        SymbolKind.Attribute,
        SymbolKind.Genvar,
        SymbolKind.StatementBlock,
        SymbolKind.Subroutine,
        SymbolKind.MethodPrototype,
        SymbolKind.ElabSystemTask,
        SymbolKind.ClassType,
        SymbolKind.CovergroupType,
        SymbolKind.GenericClassDef,
        SymbolKind.EnumValue,
        SymbolKind.DefParam,
        SymbolKind.Specparam,
        SymbolKind.Primitive,
        SymbolKind.Sequence,
        SymbolKind.Property,
        SymbolKind.LetDecl,
        SymbolKind.Checker,
        SymbolKind.AssertionPort,
        SymbolKind.FormalArgument,
        SymbolKind.ConfigBlock,
    }
)

_UNSUPPORTED = {
    SymbolKind.UninstantiatedDef: "an instance of an unknown module",
    SymbolKind.AnonymousProgram: "an anonymous program",
}


def escape(name: str) -> str:
    """Return a name as it stands in a hierarchical path: escaped where it has other characters (IEEE 1800 5.6.1)."""
    return name if _SIMPLE_NAME.fullmatch(name) else f"\\{name} "


def declare_scope(context: ModuleContext, scope: Iterable[ast.Symbol], prefix: str = "") -> None:
    """Create the signals of a scope and list its other members; `prefix` names the generate blocks around it."""
    for symbol in scope:
        kind = symbol.kind
        if kind in _NOTHING_TO_DO:
            continue
        if kind == SymbolKind.Net or kind == SymbolKind.Variable:
            assert isinstance(symbol, ast.ValueSymbol)
            context.declare(symbol, prefix + escape(symbol.name))
            if symbol.initializer is not None or (isinstance(symbol, ast.NetSymbol) and symbol.delay is not None):
                context.members.append(Member(symbol, prefix))
        elif kind in _MEMBERS or (kind == SymbolKind.SpecifyBlock and context.owner.specify):
            context.members.append(Member(symbol, prefix))
        elif isinstance(symbol, ast.ClockingBlockSymbol):
            # Without its assertions a design for the cycle engines has no use for its clocking blocks.
            if not context.ignore_assertions:
                declare_clocking(context, symbol, prefix + escape(symbol.name))
                context.members.append(Member(symbol, prefix))
        elif isinstance(symbol, ast.GenerateBlockSymbol):
            if not symbol.isUninstantiated:
                declare_scope(context, symbol, f"{prefix}{escape(symbol.name or symbol.externalName)}.")
        elif isinstance(symbol, ast.GenerateBlockArraySymbol):
            name = escape(symbol.name or symbol.externalName)
            for entry in symbol.entries:
                if not entry.isUninstantiated:
                    declare_scope(context, entry, f"{prefix}{name}[{int(entry.arrayIndex)}].")
        elif isinstance(symbol, ast.CheckerInstanceSymbol):
            if not context.ignore_assertions:
                inner = f"{prefix}{escape(symbol.name)}."
                declare_outputs(context, symbol, inner)
                first = len(context.members)
                declare_scope(context, symbol.body, inner)
                for member in context.members[first:]:
                    context.state.checkers.setdefault(member.symbol, symbol.body)
                context.members.append(Member(symbol, prefix))
        elif kind == SymbolKind.SpecifyBlock:
            pass
        else:
            context.unsupported(_UNSUPPORTED.get(kind, f"a declaration of kind {kind.name}"), symbol)
