"""What the conversions of all modules of one design share: the contexts, and where each instance is.

slang shares an instance's body with an earlier one of equal parameters and interface connections (`canonicalBody`), and
Weft converts one module for both, unless something in or below it is reached by a `$root` path: such a path names one
place, so every instance gets a module of its own.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

import re
from collections.abc import Callable

from pyslang import ast

from weft.base.dataclass import dataclass, field
from weft.ir.design import Design, Function, Module, Type, UdpTable
from weft.lang.sv.assertion_controls import CHECK, CONTROL
from weft.lang.sv.classes import ObjectTable
from weft.lang.sv.context import DesignScope, ModuleContext, Path
from weft.lang.sv.event_objects import EVENT, EVENT_CLASS, passes_events
from weft.lang.sv.forks import forking_names, only_jumps
from weft.lang.sv.source_index import SourceIndex
from weft.lang.sv.types import describe_type
from weft.lang.sv.virtual_interfaces import list_interfaces, parameterisation

_DISABLE = re.compile(r"\bdisable\s+(?!(?:iff|fork)\b)[\w$.`\\\[\]]+\s*;|`define[^\n]*\bdisable\b")
"""Matches what may be a `disable` statement, or a macro that makes one."""

_DETACHED = re.compile(r"\bjoin_(?:any|none)\b")

ConvertFunction = Callable[[ModuleContext, ast.SubroutineSymbol], Function]


@dataclass(slots=True, eq=False)
class Elaboration:
    """Hold the design being built, and find the context of any instance body or package."""

    compilation: ast.Compilation
    index: SourceIndex
    design: Design
    convert_function: ConvertFunction
    build: Callable[[ModuleContext], None]
    declare: Callable[[ModuleContext, DesignScope], None]
    ignore_assertions: bool = False
    specify: bool = False
    tables: dict[str, UdpTable] = field(default_factory=dict[str, UdpTable])
    _contexts: dict[ast.Symbol, ModuleContext] = field(default_factory=dict[ast.Symbol, ModuleContext])
    _packages: dict[str, ModuleContext] = field(default_factory=dict[str, ModuleContext])
    _finished: set[ast.Symbol] = field(default_factory=set[ast.Symbol])
    _places: dict[ast.Symbol, Path] = field(default_factory=dict[ast.Symbol, Path])
    _types: dict[ast.Type, Type] = field(default_factory=dict[ast.Type, Type])
    objects: ObjectTable = field(default_factory=ObjectTable)
    _class_keys: dict[ast.Type, str] = field(default_factory=dict[ast.Type, str])
    _keys: dict[str, int] = field(default_factory=dict[str, int])
    _interfaces: dict[object, list[ast.InstanceBodySymbol]] | None = None
    _disabled: set[tuple[int, int]] | None = None
    _events: bool | None = None
    _controls: bool | None = None
    _forking: frozenset[str] | None = None

    def release(self) -> None:
        """Let go of everything of slang's, so that its memory is freed before anything else is done.

        The contexts and what they remember refer to each other; left to the garbage collector, their views of slang's
        objects would outlive those objects.
        """
        for context in {*self._contexts.values(), *self._packages.values()}:
            context.release()
        self.objects.clear()
        self._interfaces = None
        for table in (self._contexts, self._packages, self._finished, self._places, self._types, self._class_keys):
            table.clear()

    def context_of(self, body: ast.InstanceBodySymbol) -> ModuleContext:
        """Return the context for an instance body: that of the canonical body where it can be shared."""
        known = self._contexts.get(body)
        if known is not None:
            return known
        twin = self._twin(body)
        if twin is not body:
            shared = self._contexts[body] = self.context_of(twin)
            return shared
        canonical = body.parentInstance.canonicalBody
        if canonical is not None and canonical is not body:
            shared = self.module_of(canonical) if canonical not in self._contexts else self._contexts[canonical]
            if canonical in self._finished and not shared.rooted:
                self._contexts[body] = shared
                return shared
        context = self._contexts[body] = ModuleContext(
            Module(body.definition.name, self._key(body.definition.name), span=self.index.span(body)),
            self,
            body.hierarchicalPath + ".",
            body,
        )
        self.declare(context, body)
        context.rooted = self._reads_outer_constants(context, body)
        return context

    def _twin(self, body: ast.InstanceBodySymbol) -> ast.InstanceBodySymbol:
        """Return the body in the same place below the canonical body of the module around it.

        slang does not look into bodies that are not canonical, so it shares nothing there.
        """
        scope = body.parentInstance.parentScope
        outer = scope.containingInstance if scope is not None else None
        if outer is None:
            return body
        context = self.context_of(outer)
        return body if context.body is outer else context.child(self.path_of(body)[-1])

    def _reads_outer_constants(self, context: ModuleContext, body: ast.InstanceBodySymbol) -> bool:
        """Say whether a module's text uses, by a hierarchical name, a parameter of a module it is not itself.

        Such a constant may differ where slang shares the module around this one, so this one cannot be shared.
        """
        found: list[ast.Symbol] = []

        def look(expression: ast.HierarchicalValueExpression) -> None:
            symbol = expression.symbol
            if isinstance(symbol, ast.ParameterSymbol | ast.SpecparamSymbol | ast.EnumValueSymbol):
                outer = symbol.parentScope.containingInstance
                if outer is not body and outer not in context.interfaces:
                    found.append(symbol)

        def look_at_connections(instance: ast.InstanceSymbol) -> ast.VisitAction:
            for connection in instance.portConnections:
                if connection.expression is not None:
                    connection.expression.visit(lookup_table={ast.ExpressionKind.HierarchicalValue: look})
            return ast.VisitAction.Skip

        body.visit(
            lookup_table={
                ast.ExpressionKind.HierarchicalValue: look,
                ast.SymbolKind.Instance: look_at_connections,
            }
        )
        return bool(found)

    def module_of(self, body: ast.InstanceBodySymbol) -> ModuleContext:
        """Return the context for an instance body with its module completely built, unless that is in progress."""
        context = self.context_of(body)
        if context.body is body and body not in self._finished:
            self.build(context)
            self._finished.add(body)
            self.design.modules.append(context.module)
        return context

    def package_context(self, symbol: ast.Symbol) -> ModuleContext:
        """Return the context of the package or compilation unit that a symbol belongs to."""
        name, separator, _ = symbol.hierarchicalPath.partition("::")
        # A class of the compilation unit has a path with `::` as well.
        scope = self.compilation.getPackage(name) if separator else None
        separator = scope is not None
        if scope is None:
            scope = symbol.parentScope.compilationUnit
            units = list(self.compilation.getCompilationUnits())
            number = units.index(scope)
            name = f"$unit_{number}" if number else "$unit"
        context = self._packages.get(name)
        if context is None:
            context = self._packages[name] = ModuleContext(
                Module(name, self._key(name), span=self.index.span(scope)),
                self,
                f"{name}::" if separator else "",
                home=("$root", name),
            )
            self.design.packages.append((name, context.module))
            self.declare(context, scope)
        return context

    def describe(self, slang_type: ast.Type) -> Type:
        """Return the description of a type, made once for each."""
        known = self._types.get(slang_type)
        if known is None:
            known = self._types[slang_type] = describe_type(slang_type, self.class_key)
        return known

    @property
    def forking(self) -> frozenset[str]:
        """Return the names of the routines that may leave threads when they return."""
        if self._forking is None:
            some = self.index.mentions("join_", _DETACHED)
            self._forking = forking_names(self.compilation.getSyntaxTrees()) if some else frozenset()
        return self._forking

    @property
    def controls_assertions(self) -> bool:
        """Say whether the design calls `$assertoff` or its like."""
        if self._controls is None:
            self._controls = self.index.mentions("$assert", CONTROL)
        return self._controls

    @property
    def checks_choices(self) -> bool:
        """Say whether the design has a `unique` or `priority` whose reports could be turned off."""
        return self.index.mentions("unique", CHECK) or self.index.mentions("priority", CHECK)

    @property
    def events_are_objects(self) -> bool:
        """Say whether the design treats named events as values, so that they are handles (`event_objects`)."""
        if self._events is None:
            self._events = self.index.mentions("event", EVENT) and passes_events(self.compilation, self.index)
        return self._events

    def class_key(self, found: ast.Type) -> str:
        """Return a name that no other class of the design has; each specialisation is a class of its own.

        The class of named events has a name if they are objects.
        """
        if isinstance(found, ast.EventType):
            return EVENT_CLASS if self.events_are_objects else ""
        known = self._class_keys.get(found)
        if known is None:
            known = self._class_keys[found] = self._key(f"class {found.name or 'covergroup'}").removeprefix("class ")
        return known

    def interfaces_like(self, instance: ast.InstanceSymbol) -> list[ast.InstanceBodySymbol]:
        """Return the bodies of all instances of the same parameterisation of an interface (`virtual_interfaces`)."""
        if self._interfaces is None:
            self._interfaces = list_interfaces(self.compilation.getRoot())
        return self._interfaces.get(parameterisation(instance), [])

    def is_disabled(self, symbol: ast.Symbol) -> bool:
        """Say whether some `disable` of the design means a block or task, in any instance of its module."""
        if self._disabled is None:
            self._disabled = found = set[tuple[int, int]]()

            def look(statement: ast.DisableStatement) -> None:
                target = statement.target
                if isinstance(target, ast.ArbitrarySymbolExpression) and not only_jumps(
                    statement, target, self.forking
                ):
                    found.add(_place(target.symbol))

            # Looking at every statement of every instance takes long, and few designs disable anything.
            if self.index.mentions("disable", _DISABLE):
                self.compilation.getRoot().visit(lookup_table={ast.StatementKind.Disable: look})
        return _place(symbol) in self._disabled

    def path_of(self, body: ast.InstanceBodySymbol) -> Path:
        """Return the names of the instances that lead from the top to a body."""
        known = self._places.get(body)
        if known is None:
            scope = body.parentInstance.parentScope
            outer = scope.containingInstance if scope is not None else None
            name = body.hierarchicalPath
            known = (name,) if outer is None else (*self.path_of(outer), name[len(outer.hierarchicalPath) + 1 :])
            self._places[body] = known
        return known

    def _key(self, name: str) -> str:
        """Return a name that no other module of the design has: the second parameterisation of `fifo` is `fifo$2`."""
        number = self._keys[name] = self._keys.get(name, 0) + 1
        return name if number == 1 else f"{name}${number}"


def _place(symbol: ast.Symbol) -> tuple[int, int]:
    """Return where a symbol is declared: symbols of shared and unshared bodies have that in common."""
    return symbol.location.buffer.id, symbol.location.offset
