"""What the conversions of all modules of one design share: the contexts, and where each instance is.

slang shares an instance's body with an earlier one of equal parameters and interface connections (`canonicalBody`), and
Weft converts one module for both, unless something in or below it is reached by a `$root` path: such a path names one
place, so every instance gets a module of its own.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Callable

from pyslang import ast

from weft.base.dataclass import dataclass, field
from weft.base.errors import Unsupported
from weft.ir.design import Design, Function, Module, Type
from weft.lang.sv.context import DesignScope, ModuleContext, Path
from weft.lang.sv.source_index import SourceIndex
from weft.lang.sv.types import describe_type

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
    _contexts: dict[ast.Symbol, ModuleContext] = field(default_factory=dict[ast.Symbol, ModuleContext])
    _packages: dict[str, ModuleContext] = field(default_factory=dict[str, ModuleContext])
    _finished: set[ast.Symbol] = field(default_factory=set[ast.Symbol])
    _places: dict[ast.Symbol, Path] = field(default_factory=dict[ast.Symbol, Path])
    _types: dict[ast.Type, Type] = field(default_factory=dict[ast.Type, Type])
    _keys: dict[str, int] = field(default_factory=dict[str, int])

    def release(self) -> None:
        """Let go of everything of slang's, so that its memory is freed before anything else is done.

        The contexts and what they remember refer to each other; left to the garbage collector, their views of slang's
        objects would outlive those objects.
        """
        for context in {*self._contexts.values(), *self._packages.values()}:
            context.release()
        for table in (self._contexts, self._packages, self._finished, self._places, self._types):
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
        if separator:
            scope = self.compilation.getPackage(name)
            if scope is None:
                raise Unsupported("a class", self.index.span(symbol), sources=self.index.sources)
        else:
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
            known = self._types[slang_type] = describe_type(slang_type)
        return known

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
