"""What the conversion of one module body knows: its signals, functions and references.

slang resolves every name to a symbol; a `ModuleContext` says which `Signal` stands for that symbol and how the module
that is being converted reaches it:

* a symbol of the module itself: its own signal, empty path;
* a symbol of an interface that is connected to an interface port: the signal of the expanded port (`bus.valid`);
* a symbol of an instance further down, or of a local interface: the path of instance names that leads to it;
* anything else (upwards, another branch, a package, the compilation unit): a `$root` path.

slang shares one body among the instances that have equal parameters and interface connections, so a symbol met in a
body that is not the canonical one is looked up in the canonical one by its name below the instance.

`types`, `expressions` and `statements` use exactly: `module`, `signal`, `reference`, `leaves`, `function`, `span` and
`unsupported`.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from pyslang import ast

from weft.base.dataclass import dataclass, field, replace
from weft.base.errors import Unsupported
from weft.base.source import Span
from weft.ir.design import Class, Event, Expr, Function, Module, Port, Process, Signal, Type
from weft.lang.sv.classes import class_around, class_of, is_method, is_static
from weft.lang.sv.default_clocking import default_clocking, default_disable
from weft.lang.sv.signals import LeafPath, create_leaves, create_signal, is_struct
from weft.lang.sv.source_index import Located
from weft.lang.sv.state import State
from weft.lang.sv.symbol_facts import forget, instances_of, is_argument_or_result, modport_direction, needs_its_instance
from weft.lang.sv.timing import events_of
from weft.lang.sv.types import LayoutTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.lang.sv.classes import ObjectTable
    from weft.lang.sv.elaboration import Elaboration
    from weft.lang.sv.selects import Reference

Path = tuple[str, ...]
Leaves = dict[LeafPath, Signal]
DesignScope = ast.InstanceBodySymbol | ast.PackageSymbol | ast.CompilationUnitSymbol


@dataclass(frozen=True, slots=True, eq=False)
class InterfaceSignal:
    """Be one expanded port: signal `name` (and `leaf` of it) of the interface connected as `interface`."""

    interface: str
    name: str
    leaf: LeafPath
    port: Port


@dataclass(frozen=True, slots=True)
class PortSlot:
    """Be a port of the source: the ports it became, with the leaf member of each if it is of unpacked struct type."""

    ports: tuple[Port, ...]
    leaves: tuple[LeafPath, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """Be something of a module that is converted after all its signals are declared; `scope` is `gen[3].` or empty."""

    symbol: ast.Symbol
    scope: str


@dataclass(slots=True, eq=False)
class ModuleContext:
    """Convert the names of one module body, package or compilation unit.

    `body` is None for a package or compilation unit, whose own signals are always reached by `home`, a `$root` path,
    because its functions are called from everywhere. `prefix` is slang's hierarchical path of the scope, with its
    separator. `interfaces` maps the body of each interface connected to an interface port to its name here (`bus`,
    `bus[2]`) and modport; `expanded` lists the ports made for the signals used of them. `rooted` says that something
    in or below the module is reached by a `$root` path through instances, so that it cannot be shared.
    """

    module: Module
    owner: Elaboration
    prefix: str
    body: ast.InstanceBodySymbol | None = None
    home: Path = ()
    interfaces: dict[ast.Symbol, tuple[str, ast.ModportSymbol | None]] = field(
        default_factory=dict[ast.Symbol, "tuple[str, ast.ModportSymbol | None]"]
    )
    expanded: list[InterfaceSignal] = field(default_factory=list[InterfaceSignal])
    rooted: bool = False
    members: list[Member] = field(default_factory=list[Member])
    slots: list[PortSlot] = field(default_factory=list[PortSlot])
    state: State = field(init=False)
    _signals: dict[ast.Symbol, Signal] = field(default_factory=dict[ast.Symbol, Signal])
    _leaves: dict[ast.Symbol, Leaves] = field(default_factory=dict[ast.Symbol, Leaves])
    _named: dict[str, Signal | Leaves] = field(default_factory=dict[str, "Signal | Leaves"])
    _found: dict[ast.Symbol, tuple[Signal | Leaves, Path]] = field(
        default_factory=dict[ast.Symbol, "tuple[Signal | Leaves, Path]"]
    )
    _functions: dict[ast.Symbol, Function] = field(default_factory=dict[ast.Symbol, Function])
    _bound: dict[object, Function] = field(default_factory=dict[object, Function])
    _converting: list[Function] = field(default_factory=list[Function])
    _declared: set[ast.Symbol] = field(default_factory=set[ast.Symbol])
    _children: dict[str, ast.InstanceBodySymbol] = field(default_factory=dict[str, ast.InstanceBodySymbol])
    _local_names: dict[str, int] = field(default_factory=dict[str, int])

    def __post_init__(self) -> None:
        self.state = State(self, LayoutTable(self.owner.events_are_objects))

    def release(self) -> None:
        """Let go of everything of slang's, and of what refers back to this context."""
        del self.state
        self.body = None
        for table in (
            self.interfaces,
            self.members,
            self._signals,
            self._leaves,
            self._found,
            self._functions,
            self._bound,
        ):
            table.clear()
        self._children.clear()

    @property
    def ignore_assertions(self) -> bool:
        """Say whether concurrent assertions are left out, because the user asked for it."""
        return self.owner.ignore_assertions

    def signal(self, symbol: ast.Symbol) -> Signal:
        """Return the signal of a value symbol of this module; a procedure's or function's own is created here."""
        found = self._signals.get(symbol)
        if found is None:
            self._create_local(symbol)
            found = self._signals[symbol]
        return found

    def reference(self, target: ast.Expression | ast.Symbol) -> tuple[Signal, Path]:
        """Return the signal that a name stands for, and the path from this module to it.

        `target` is a NamedValue or HierarchicalValue expression, or its symbol. It is neither a parameter nor of
        unpacked struct type.
        """
        symbol = target.symbol if isinstance(target, ast.ValueExpressionBase) else target
        assert isinstance(symbol, ast.Symbol)
        found = self._signals.get(symbol)
        if found is not None:
            return found, (() if found.local else self.home)
        signal, path = self._reach(symbol)
        assert isinstance(signal, Signal), symbol.name
        return signal, path

    def leaves(self, target: ast.Expression | ast.Symbol) -> tuple[Leaves, Path]:
        """Return the signals of the leaf members of a variable of unpacked struct type, and the path to them."""
        symbol = target.symbol if isinstance(target, ast.ValueExpressionBase) else target
        assert isinstance(symbol, ast.Symbol)
        leaves, path = self._reach(symbol)
        assert isinstance(leaves, dict), symbol.name
        return leaves, path

    def locate(self, symbol: ast.Symbol) -> tuple[str, Path]:
        """Return the path of a block, function or task below its instance, and the path to that instance."""
        body = symbol.parentScope.containingInstance
        if body is None:
            home = self.owner.package_context(symbol)
            return symbol.hierarchicalPath.removeprefix(home.prefix), home.home
        scope = symbol.hierarchicalPath[len(body.hierarchicalPath) + 1 :]
        return scope, () if body is self.body else self._path_to(body)

    def absolute_path(self, symbol: ast.Symbol) -> str:
        """Return the full hierarchical path of a symbol, which makes this module one of a kind."""
        self.rooted = True
        return symbol.hierarchicalPath

    def disabled_scope(self, symbol: ast.Symbol) -> str:
        """Return the path of a block, function or task below its instance if some `disable` means it, else nothing."""
        return self.locate(symbol)[0] if self.owner.is_disabled(symbol) else ""

    def function(self, subroutine: ast.SubroutineSymbol) -> Function:
        """Return the function or task, converted when first asked for.

        One of a package or compilation unit is converted there, once; one of an interface or of another module is
        converted here, as it is seen from here. While it is being converted, a recursive call gets the unfinished one.
        """
        found = self._functions.get(subroutine)
        if found is not None:
            return found
        if is_method(subroutine):
            found = class_around(subroutine)
            class_of(self.state, found)
            return self.home_of(found).declare_function(subroutine)
        if subroutine.parentScope.containingInstance is None:
            home = self.owner.package_context(subroutine)
            if home is not self:
                return home.function(subroutine)
        return self._convert_function(subroutine)

    def describe(self, slang_type: ast.Type) -> Type:
        """Return the description of a type."""
        return self.owner.describe(slang_type)

    def add_local(self, signal: Signal) -> None:
        """Add an automatic variable to the procedure or function that is being converted."""
        (self._converting[-1].locals if self._converting else self.module.signals).append(signal)

    def temporary(self, name: str, width: int) -> Signal:
        """Create an automatic variable of the procedure or function that is being converted."""
        seen = self._local_names[name] = self._local_names.get(name, 0) + 1
        signal = Signal(f"{name}${seen}", width, Type("logic", width), automatic=True, local=True)
        (self._converting[-1].locals if self._converting else self.module.signals).append(signal)
        return signal

    def span(self, node: Located | ast.Symbol) -> Span:
        """Return where a statement, expression or timing control stands, or where a symbol is declared."""
        return self.owner.index.span(node)

    def unsupported(self, what: str, node: Located | ast.Symbol) -> NoReturn:
        """Raise `Unsupported` with the node's place; `what` reads like 'a property expression'."""
        raise Unsupported(what, self.span(node), sources=self.owner.index.sources)

    def declare(self, symbol: ast.ValueSymbol, name: str) -> Signal | Leaves:
        """Create the module-level signal or signals of a symbol."""
        made = self._create(symbol, name)
        self._named[name] = made
        self.module.signals += made.values() if isinstance(made, dict) else (made,)
        return made

    def declare_signal(self, symbol: ast.Symbol, signal: Signal) -> None:
        """Let a signal of the module stand for a symbol that is no variable."""
        self._signals[symbol] = signal
        self.declare_named(signal)

    def declare_named(self, signal: Signal) -> None:
        """Add a signal of the module that is found by its name."""
        self._named[signal.name] = signal
        self.module.signals.append(signal)

    def named(self, name: str) -> Signal:
        """Return a signal of the module by its name."""
        found = self._named[name]
        assert isinstance(found, Signal)
        return found

    def cycle_event(self, node: Located) -> tuple[Signal, Signal]:
        """Return the event of the default clocking block, and the variable with the time of the last one."""
        block = default_clocking(self.state.checker or self.body) if self.body is not None else None
        if block is None or block not in self._signals:
            self.unsupported("a cycle delay without a default clocking block of the module", node)
        return self._signals[block], self.named(f"{self._signals[block].name}$time")

    def default_clock(self, word: str = "default") -> tuple[Event, ...]:
        """Return the event of the default (or `global`) clocking block, if the module has one."""
        block = default_clocking(self.state.checker or self.body, word) if self.body is not None else None
        return events_of(self.state, block.event) if block is not None else ()

    def default_disable(self, node: Located) -> Expr | None:
        """Return the condition of the module's `default disable iff`, if it has one."""
        return default_disable(self.state, self.state.checker or self.body, node) if self.body is not None else None

    def add_signals(self, *signals: Signal) -> None:
        """Add variables to the module."""
        self.module.signals += signals

    def add_process(self, process: Process) -> None:
        """Add a process to the module."""
        self.module.processes.append(process)

    def own(self, symbol: ast.Symbol) -> Signal | Leaves:
        """Return the declared signal or signals of a symbol of this module."""
        return self._signals.get(symbol) or self._leaves[symbol]

    def has(self, name: str) -> bool:
        """Say whether the module declares a signal of that name."""
        return name in self._named

    def reach_named(self, body: ast.InstanceBodySymbol, name: str) -> tuple[Signal | Leaves, Path]:
        """Return what is called `name` in an instance body, and the path from here to it."""
        connected = self._interface_name(body) if body is not self.body else None
        if connected is not None:
            return self._port_signal(*connected, body, name), ()
        return self.reach_instance(body, name)

    def reach_instance(self, body: ast.InstanceBodySymbol, name: str) -> tuple[Signal | Leaves, Path]:
        """Return what is called `name` in an instance body, and the path from here to it that goes through no port."""
        if body is self.body:
            return self._named[name], ()
        return self.owner.context_of(body)._named[name], self._path_to(body)

    def function_in(
        self, body: ast.InstanceBodySymbol, subroutine: ast.SubroutineSymbol, name: str
    ) -> tuple[Function, Path]:
        """Return the function or task called `name` of an instance body, and the path to the instance."""
        home = self if body is self.body else self.owner.context_of(body)
        found = home.body.lookupName(name) if home.body is not None else None
        if not isinstance(found, ast.SubroutineSymbol):
            self.unsupported("a call through a virtual interface here", subroutine)
        return home.function(found), () if home is self else self._path_to(body)

    def interfaces_like(self, instance: ast.InstanceSymbol) -> list[ast.InstanceBodySymbol]:
        """Return the bodies of all instances of the same parameterisation of an interface."""
        return self.owner.interfaces_like(instance)

    def child(self, name: str) -> ast.InstanceBodySymbol:
        """Return the body of the instance `name` of this module."""
        if not self._children:
            for member in self.members:
                for instance in instances_of(member.symbol):
                    self._children[self.owner.path_of(instance.body)[-1]] = instance.body
        return self._children[name]

    def _create(self, symbol: ast.ValueSymbol, name: str) -> Signal | Leaves:
        if is_struct(symbol.type):
            leaves = self._leaves[symbol] = create_leaves(self, symbol, name)
            return leaves
        signal = self._signals[symbol] = create_signal(self, symbol, name)
        return signal

    def _create_local(self, symbol: ast.Symbol) -> Signal | Leaves:
        """Create a variable that a procedure or function declares; equal names of unnamed blocks get a number."""
        assert isinstance(symbol, ast.ValueSymbol), symbol.kind
        name = self._local_name(symbol)
        seen = self._local_names[name] = self._local_names.get(name, 0) + 1
        made = self._create(symbol, name if seen == 1 else f"{name}${seen}")
        signals = list(made.values()) if isinstance(made, dict) else [made]
        for signal in signals:
            signal.local = True
        if not self._converting:
            self.module.signals += signals
        elif not is_argument_or_result(symbol):
            self._converting[-1].locals += signals
        return made

    def _local_name(self, symbol: ast.Symbol) -> str:
        """Return a name below this module; what a function of another body declares is named as seen from here."""
        name = symbol.hierarchicalPath
        if name.startswith(self.prefix):
            return name[len(self.prefix) :]
        body = symbol.parentScope.containingInstance
        connected = self._interface_name(body) if body is not None else None
        return name if connected is None else f"{connected[0]}.{name[len(body.hierarchicalPath) + 1 :]}"

    def _reach(self, symbol: ast.Symbol) -> tuple[Signal | Leaves, Path]:
        found = self._found.get(symbol)
        if found is None:
            found = self._found[symbol] = self._search(symbol)
        return found

    def _search(self, symbol: ast.Symbol) -> tuple[Signal | Leaves, Path]:
        if isinstance(symbol, ast.ModportPortSymbol):
            if symbol.internalSymbol is None:
                self.unsupported("a modport expression", symbol)
            return self._reach(symbol.internalSymbol)
        if is_static(symbol):
            home = self.home_of(class_around(symbol))
            known = home._signals.get(symbol) or home._leaves[symbol]
            if home is self:
                return known, self.home
            return known, home.home or (self._path_to(home.body) if home.body is not None else ())
        known = self._signals.get(symbol) or self._leaves.get(symbol)
        if known is not None:
            local = next(iter(known.values())).local if isinstance(known, dict) else known.local
            return known, (() if local else self.home)
        scope = symbol.parentScope
        body = scope.containingInstance
        procedural = scope.isProceduralContext
        if body is self.body or (procedural and self._converting):
            if procedural:
                return self._create_local(symbol), ()
            return self.owner.package_context(symbol)._search(symbol)
        if body is None:
            return self.owner.package_context(symbol)._search(symbol)
        if procedural:
            home = self.owner.context_of(body)
            return home._search(home.twin(symbol, body))[0], self._path_to(body)
        return self.reach_named(body, symbol.hierarchicalPath[len(body.hierarchicalPath) + 1 :])

    def _path_to(self, body: ast.InstanceBodySymbol) -> Path:
        target = self.owner.path_of(body)
        if self.body is not None:
            own = self.owner.path_of(self.body)
            if target[: len(own)] == own:
                return target[len(own) :]
        self.rooted = True
        return ("$root", *target)

    def _interface_name(self, body: ast.InstanceBodySymbol) -> tuple[str, ast.ModportSymbol | None] | None:
        """Return the name here of an interface that is connected to a port, or nested in one that is."""
        known = self.interfaces.get(body)
        if known is not None or not self.interfaces:
            return known
        instance = body.parentInstance
        outer = instance.parentScope.containingInstance if instance.parentScope is not None else None
        if outer is None:
            return None
        name = self._interface_name(outer)
        if name is None:
            return None
        return f"{name[0]}.{self.owner.path_of(body)[-1]}", None

    def _port_signal(
        self, interface: str, modport: ast.ModportSymbol | None, body: ast.InstanceBodySymbol, name: str
    ) -> Signal | Leaves:
        """Return the signal of the port for interface signal `name`, made when the module first uses it."""
        full = f"{interface}.{name}"
        made = self._named.get(full)
        if made is not None:
            return made
        inside = self.owner.context_of(body)._named[name]
        direction = modport_direction(modport, name)
        if isinstance(inside, dict):
            made = {leaf: self._expand(interface, name, leaf, one, direction) for leaf, one in inside.items()}
        else:
            made = self._expand(interface, name, (), inside, direction)
        self._named[full] = made
        return made

    def _expand(self, interface: str, name: str, leaf: LeafPath, inside: Signal, direction: str) -> Signal:
        full = ".".join((interface, name, *leaf))
        signal = replace(inside, name=full, initial=None)
        port = Port(full, direction, signal)
        self.module.signals.append(signal)
        self.module.ports.append(port)
        self.expanded.append(InterfaceSignal(interface, name, leaf, port))
        return signal

    def callee(self, subroutine: ast.SubroutineSymbol) -> tuple[Function, Path]:
        """Return the function or task that a call means, and the path to the instance that it belongs to.

        A task of another instance that waits, prints or keeps values belongs there, where it has its variables and its
        `%m` path; any other is converted as it is seen from here, so that every engine can run it.
        """
        body = subroutine.parentScope.containingInstance
        if is_method(subroutine):
            return self.function(subroutine), ()
        if body is None or body is self.body or subroutine.subroutineKind != ast.SubroutineKind.Task:
            return self.function(subroutine), ()
        if self._interface_name(body) is not None or not needs_its_instance(subroutine):
            return self.function(subroutine), ()
        home = self.owner.context_of(body)
        task = home.twin(subroutine, body)
        assert isinstance(task, ast.SubroutineSymbol)
        return home.function(task), self._path_to(body)

    def twin(self, symbol: ast.Symbol, body: ast.InstanceBodySymbol) -> ast.Symbol:
        """Return the symbol in this context's body that stands where `symbol` does in `body`, which shares it."""
        if self.body is body or self.body is None:
            return symbol
        found = self.body.lookupName(symbol.hierarchicalPath[len(body.hierarchicalPath) + 1 :])
        if found is None:
            self.unsupported("a hierarchical reference into a shared module here", symbol)
        return found

    @property
    def objects(self) -> ObjectTable:
        """Return what all contexts know of classes."""
        return self.owner.objects

    def home_of(self, found: ast.Type) -> ModuleContext:
        """Return the context of the package or module that declares a class or covergroup."""
        body = found.parentScope.containingInstance
        return self.owner.package_context(found) if body is None else self.owner.context_of(body)

    def class_key(self, found: ast.Type) -> str:
        """Return the unique name of a class."""
        return self.owner.class_key(found)

    def add_class(self, made: Class) -> None:
        """Add a class to the design."""
        self.owner.design.classes.append(made)

    def declare_function(self, subroutine: ast.SubroutineSymbol) -> Function:
        """Return a function of this body that `complete_function` will give its contents."""
        if subroutine not in self._functions:
            self._functions[subroutine] = Function(subroutine.name)
            self._declared.add(subroutine)
        return self._functions[subroutine]

    def complete_function(self, subroutine: ast.SubroutineSymbol) -> None:
        """Convert a declared function, unless that has been done."""
        if subroutine in self._declared:
            self._declared.discard(subroutine)
            self.convert_inside(self._functions[subroutine], lambda: self.owner.convert_function(self, subroutine))

    def bound_function(self, subroutine: ast.SubroutineSymbol, bound: dict[ast.Symbol, Reference]) -> Function:
        """Return a task converted for certain variables as its arguments by reference, as it is seen from here."""
        key = (subroutine, *((formal, found.key) for formal, found in bound.items()))
        if key not in self._bound:
            shell = self._bound[key] = Function(subroutine.name)
            for table in (self._signals, self._leaves, self._found, self.state.names):
                forget(table, subroutine)
            outer, self.state.references = self.state.references, {**self.state.references, **bound}
            self.convert_inside(shell, lambda: self.owner.convert_function(self, subroutine))
            self.state.references = outer
        return self._bound[key]

    def _convert_function(self, subroutine: ast.SubroutineSymbol) -> Function:
        if subroutine.flags & ast.MethodFlags.DPIImport:
            self.unsupported("a call of an imported DPI function", subroutine)
        shell = self._functions[subroutine] = Function(subroutine.name)
        self.convert_inside(shell, lambda: self.owner.convert_function(self, subroutine))
        return shell

    def convert_inside(self, shell: Function, convert: Callable[[], Function]) -> None:
        """Give a function the contents that `convert` makes, and the variables that are created meanwhile."""
        self._converting.append(shell)
        made = convert()
        self._converting.pop()
        shell.name, shell.args, shell.result, shell.body = made.name, made.args, made.result, made.body
        shell.automatic, shell.task, shell.span = made.automatic, made.task, made.span
        shell.scope, shell.this, shell.virtual = made.scope, made.this, made.virtual
        self.module.functions.append(shell)
