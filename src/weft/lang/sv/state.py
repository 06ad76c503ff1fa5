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
    from pyslang import ast

    from weft.base.source import Span
    from weft.ir.design import Expr, Function, Signal, Statement

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

    def function(self, subroutine: ast.SubroutineSymbol) -> Function:
        """Return the function or task, converted when first asked for."""
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
    has, for each loop around it, the label that `break` must leave by name, or nothing. `vectors` are the formal
    arguments and results of unpacked struct type, which are single vectors.
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
    serial: int = 0

    def fresh_label(self, stem: str) -> str:
        """Return a label that no source text can contain."""
        self.serial += 1
        return f"{stem}${self.serial}"

    def enter_subroutine(self, subroutine: ast.SubroutineSymbol) -> tuple[Any, ...]:
        """Put aside what belongs to the statement that is being converted; return it for `leave_subroutine`."""
        outer = (self.target, self.argument, self.before, self.after, self.scope, self.subroutine)
        kept = (*outer, self.labels, self.breaks, self.iterators)
        self.target = self.argument = self.before = self.after = None
        self.scope = subroutine.hierarchicalPath.removeprefix(self.context.prefix)
        self.subroutine = subroutine
        self.labels, self.breaks, self.iterators = {}, [], {}
        return kept

    def leave_subroutine(self, kept: tuple[Any, ...]) -> None:
        """Take up again what `enter_subroutine` put aside."""
        (
            self.target,
            self.argument,
            self.before,
            self.after,
            self.scope,
            self.subroutine,
            self.labels,
            self.breaks,
            self.iterators,
        ) = kept
