"""What the conversion of expressions and statements remembers within one module body, and what it asks of its context.

slang interns types and symbols, and hands out the same Python object for the same one while it is referenced; the
tables here are keyed by those objects, so that a name or type is worked out once and then costs one dictionary look-up.
They belong to one module context and go with it: no table outlives its compilation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from weft.base.dataclass import dataclass, field
from weft.lang.sv.types import LayoutTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyslang import ast

    from weft.base.source import Span
    from weft.ir.design import Class, Event, Expr, Function, Process, Signal, Statement, Type
    from weft.lang.sv.classes import ObjectTable
    from weft.lang.sv.selects import Reference

Path = tuple[str, ...]


class Context(Protocol):
    """Say what signals and functions the names of a module body stand for (`context.ModuleContext`)."""

    @property
    def state(self) -> State:
        """Return what the conversion of this body remembers."""
        ...

    @property
    def prefix(self) -> str:
        """Return slang's hierarchical path of the body's scope, with its separator."""
        ...

    @property
    def ignore_assertions(self) -> bool:
        """Say whether concurrent assertions are left out, because the user asked for it."""
        ...

    def signal(self, symbol: ast.Symbol) -> Signal:
        """Return the signal of a value symbol of the body itself."""
        ...

    def reference(self, target: ast.Expression | ast.Symbol) -> tuple[Signal, Path]:
        """Return the signal that a name stands for, and the path to it."""
        ...

    def leaves(self, target: ast.Expression | ast.Symbol) -> tuple[dict[Path, Signal], Path]:
        """Return the signals of the leaf members of a variable of unpacked struct type, and the path to them."""
        ...

    def bound_function(self, subroutine: ast.SubroutineSymbol, bound: dict[ast.Symbol, Reference]) -> Function:
        """Return a task converted for certain variables as its arguments by reference."""
        ...

    def locate(self, symbol: ast.Symbol) -> tuple[str, Path]:
        """Return the path of a block, function or task below its instance, and the path to that instance."""
        ...

    def absolute_path(self, symbol: ast.Symbol) -> str:
        """Return the full hierarchical path of a symbol."""
        ...

    def disabled_scope(self, symbol: ast.Symbol) -> str:
        """Return the path of a block, function or task below its instance if some `disable` means it, else nothing."""
        ...

    def function(self, subroutine: ast.SubroutineSymbol) -> Function:
        """Return the function or task, converted when first asked for."""
        ...

    def describe(self, slang_type: ast.Type) -> Type:
        """Return the description of a type."""
        ...

    def interfaces_like(self, instance: ast.InstanceSymbol) -> list[ast.InstanceBodySymbol]:
        """Return the bodies of all instances of the same parameterisation of an interface."""
        ...

    def reach_instance(self, body: ast.InstanceBodySymbol, name: str) -> tuple[Signal | dict[Path, Signal], Path]:
        """Return what is called `name` in an instance body, and the path to it that goes through no port."""
        ...

    def function_in(
        self, body: ast.InstanceBodySymbol, subroutine: ast.SubroutineSymbol, name: str
    ) -> tuple[Function, Path]:
        """Return the function or task called `name` of an instance body, and the path to it."""
        ...

    def callee(self, subroutine: ast.SubroutineSymbol) -> tuple[Function, Path]:
        """Return the function or task that a call means, and the path to the instance that it belongs to."""
        ...

    @property
    def objects(self) -> ObjectTable:
        """Return what all contexts know of classes."""
        ...

    @property
    def home(self) -> Path:
        """Return the path by which the signals of a package are reached; empty for a module."""
        ...

    def home_of(self, found: ast.Type) -> Context:
        """Return the context of the package or module that declares a class or covergroup."""
        ...

    def class_key(self, found: ast.Type) -> str:
        """Return the unique name of a class."""
        ...

    def add_class(self, made: Class) -> None:
        """Add a class to the design."""
        ...

    def declare(self, symbol: ast.ValueSymbol, name: str) -> Signal | dict[Path, Signal]:
        """Create the module-level signal or signals of a symbol."""
        ...

    def declare_function(self, subroutine: ast.SubroutineSymbol) -> Function:
        """Return a function of this body that `complete_function` will give its contents."""
        ...

    def complete_function(self, subroutine: ast.SubroutineSymbol) -> None:
        """Convert a declared function."""
        ...

    def convert_inside(self, shell: Function, convert: Callable[[], Function]) -> None:
        """Give a function the contents that `convert` makes, and the variables that are created meanwhile."""
        ...

    def default_clock(self, word: str = "default") -> tuple[Event, ...]:
        """Return the event of the default clocking block, if the body has one."""
        ...

    def default_disable(self, node: Any) -> Expr | None:
        """Return the condition of the body's `default disable iff`."""
        ...

    def add_signals(self, *signals: Signal) -> None:
        """Add variables to the module."""
        ...

    def add_process(self, process: Process) -> None:
        """Add a process to the module."""
        ...

    def cycle_event(self, node: Any) -> tuple[Signal, Signal]:
        """Return the event of the default clocking block, and the variable with the time of the last one."""
        ...

    def add_local(self, signal: Signal) -> None:
        """Add an automatic variable to the function or procedure that is being converted."""
        ...

    def temporary(self, name: str, width: int) -> Signal:
        """Create an automatic variable of the function or procedure that is being converted."""
        ...

    def span(self, node: Any) -> Span:
        """Return where a node stands."""
        ...

    def unsupported(self, what: str, node: Any) -> NoReturn:
        """Raise `Unsupported` at a node."""
        ...


@dataclass(slots=True, eq=False)
class State:
    """Remember what the conversion of one module body has worked out.

    `names` holds the value of each symbol that has been read; `iterators` what stands for the iterator of an array
    method's `with` clause, and the index that it has reached. `target` is the left side of the compound assignment that
    is being converted, `argument` the formal argument whose copy-out is. `before` and `after` collect statements that
    must surround the present one; they are None where there is no statement. `scope` is the path of the named blocks
    around it, below the instance. `labels` names the blocks and functions around it that `disable` may leave; `breaks`
    has, for each loop around it, the label that `break` must leave by name, or nothing. `declared` lists the automatic
    variables of the block that is being converted; `forked` says that a `fork` is around it, `forks` counts them.
    `vectors` are the formal arguments, results and iterators that are single vectors, of unpacked struct types too.
    `indices` holds the index variable of each iterator; `this` is the object that the method is called on;
    `held` has the variable that stands for an index or object in a target; `randomized` is the object whose `randomize`
    call is being converted, and its type if it is not the same object; `ends` the last index of the containers whose
    select is being converted, for `$`. `samples` has the variable with the sampled value of each signal, `unsampled`
    those that are their own, `histories` the past values; `clock` is that of the assertion or procedure; a
    `combinational` one runs again whenever what it reads changes. `endpoints` has the event of each sequence whose end
    somebody asks for, `levels` how late in the observed region it comes, `late` the events that others wait for to come
    after it; those of `reactive_ends` come only in the reactive region. `bound` says which instance a virtual interface
    stands for, while something is
    converted for each of them. `references` has the variables that arguments by reference stand for.
    """

    context: Context
    layout: LayoutTable = field(default_factory=LayoutTable)
    names: dict[ast.Symbol, Expr] = field(default_factory=dict["ast.Symbol", "Expr"])
    iterators: dict[ast.Symbol, tuple[Expr, int]] = field(default_factory=dict["ast.Symbol", "tuple[Expr, int]"])
    target: Expr | None = None
    argument: Expr | None = None
    before: list[Statement] | None = None
    after: list[Statement] | None = None
    scope: str = ""
    subroutine: ast.SubroutineSymbol | None = None
    vectors: set[ast.Symbol] = field(default_factory=set["ast.Symbol"])
    labels: dict[ast.Symbol, str] = field(default_factory=dict["ast.Symbol", str])
    breaks: list[str] = field(default_factory=list[str])
    declared: list[Signal] = field(default_factory=list["Signal"])
    forked: bool = False
    forks: int = 0
    indices: dict[ast.Symbol, Expr] = field(default_factory=dict["ast.Symbol", "Expr"])
    ends: list[Expr] = field(default_factory=list["Expr"])
    held: dict[ast.Expression, Expr] = field(default_factory=dict["ast.Expression", "Expr"])
    this: Expr | None = None
    randomized: tuple[Expr, ast.Type | None] | None = None
    serial: int = 0
    samples: dict[tuple[Signal, Path], Signal] = field(default_factory=dict[tuple["Signal", Path], "Signal"])
    unsampled: set[Signal] = field(default_factory=set["Signal"])
    histories: dict[object, Signal] = field(default_factory=dict[object, "Signal"])
    clock: tuple[Event, ...] = ()
    checker: ast.CheckerInstanceBodySymbol | None = None
    """The checker whose member is being converted; `checkers` has those of the members that are in one."""
    checkers: dict[ast.Symbol, ast.CheckerInstanceBodySymbol] = field(
        default_factory=dict["ast.Symbol", "ast.CheckerInstanceBodySymbol"]
    )
    combinational: bool = False
    endpoints: dict[object, Signal] = field(default_factory=dict[object, "Signal"])
    levels: dict[Signal, int] = field(default_factory=dict["Signal", int])
    late: dict[object, Signal] = field(default_factory=dict[object, "Signal"])
    reactive_ends: set[Signal] = field(default_factory=set["Signal"])
    references: dict[ast.Symbol, Reference] = field(default_factory=dict["ast.Symbol", "Reference"])
    bound: dict[ast.Expression | ast.Symbol, ast.InstanceBodySymbol] = field(
        default_factory=dict["ast.Expression | ast.Symbol", "ast.InstanceBodySymbol"]
    )

    def fresh_label(self, stem: str) -> str:
        """Return a label that no source text can contain."""
        self.serial += 1
        return f"{stem}${self.serial}"

    def enter_fork(self) -> tuple[bool, dict[ast.Symbol, str]]:
        """Begin the threads of a `fork`, out of which no jump leads; return what `leave_fork` needs."""
        kept = self.forked, self.labels
        self.forks += 1
        self.forked, self.labels = True, {}
        return kept

    def leave_fork(self, kept: tuple[bool, dict[ast.Symbol, str]]) -> None:
        """Take up again what `enter_fork` put aside."""
        self.forked, self.labels = kept

    def enter_subroutine(self, subroutine: ast.SubroutineSymbol) -> tuple[Any, ...]:
        """Put aside what belongs to the statement that is being converted; return it for `leave_subroutine`."""
        kept = self.enter_method(None)
        self.scope = subroutine.hierarchicalPath.removeprefix(self.context.prefix)
        self.subroutine = subroutine
        return kept

    def enter_method(self, this: Expr | None) -> tuple[Any, ...]:
        """Put aside the same for what runs on an object and is no subroutine of the source."""
        kept = tuple(getattr(self, name) for name in _SUSPENDED)
        self.target = self.argument = self.before = self.after = self.subroutine = self.randomized = None
        self.labels, self.breaks, self.iterators, self.ends, self.declared, self.forked = {}, [], {}, [], [], False
        self.this = this
        return kept

    def leave_subroutine(self, kept: tuple[Any, ...]) -> None:
        """Take up again what was put aside."""
        for name, value in zip(_SUSPENDED, kept, strict=True):
            setattr(self, name, value)


_SUSPENDED = (
    "target",
    "argument",
    "before",
    "after",
    "scope",
    "subroutine",
    "labels",
    "breaks",
    "iterators",
    "declared",
    "forked",
    "this",
    "ends",
    "randomized",
)
"""What belongs to the statement that is being converted, and not to the module."""
