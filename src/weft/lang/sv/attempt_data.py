"""Local variables and match items of sequences and properties, as design expressions (IEEE 1800-2023 16.10, 16.11).

`property_threads` knows variables and match items by number. Here is what the numbers mean: a variable is a signal that
only expressions refer to, and never exists; an assignment is the value that the variable gets, in which everything but
local variables is sampled; a call is a statement. `substitute` puts what an attempt remembers into such expressions.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyslang import ast

from weft.base.dataclass import fields, replace
from weft.ir.design import Assign, Evaluate, Expr, Ref, Signal, Statement, SystemTask
from weft.ir.expressions import Call, operands
from weft.lang.sv.actions import expression_statement
from weft.lang.sv.expressions import value_as
from weft.lang.sv.ownership import default_value
from weft.lang.sv.property_threads import Data, Item
from weft.lang.sv.sampling import sample
from weft.lang.sv.types import ARRAY

if TYPE_CHECKING:
    from weft.lang.sv.convert_properties import PropertyConverter
    from weft.lang.sv.state import State


class AttemptData:
    """Hold the local variables and match items of one assertion; `used` says that there are any."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.data = Data()
        self.used = False
        self.signals: dict[Signal, int] = {}
        self.defaults: list[Expr] = []
        self.values: list[Expr | Statement | None] = []
        """For each match item, the value that its variable gets, or the statement that it is."""

    def enter(self, converter: PropertyConverter, instance: ast.AssertionInstanceExpression) -> tuple[int, ...]:
        """Declare the local variables of an instance; return the items that give them their first values."""
        items: list[int] = []
        for symbol in instance.localVars:
            if type(symbol.syntax).__name__ == "AssertionItemPortSyntax" or _is_argument(instance, symbol):
                self.state.context.unsupported("a local argument of a sequence or property", instance)
            layout = self.state.layout(symbol.type)
            if not layout.is_flat or layout.has_struct or layout.has_word or layout.kind == ARRAY:
                self.state.context.unsupported(f"a local variable of type '{symbol.type}'", symbol)
            kind = self.state.context.describe(symbol.type)
            span = self.state.context.span(symbol)
            signal = Signal(
                symbol.name, layout.width, kind, signed=layout.signed, span=span, automatic=True, local=True
            )
            self.state.names[symbol] = Ref(signal)
            number = self.signals[signal] = len(self.defaults)
            self.defaults.append(default_value(layout))
            self.data.variables, self.used = len(self.defaults), True
            if symbol.initializer is None:
                items.append(self._add(Item(number, frozenset(), False), None))
                continue
            value = sample(self.state, value_as(self.state, symbol.initializer, symbol), symbol)
            items.append(self._add(Item(number, self.reads(value)), value))
        return tuple(items)

    def items(self, converter: PropertyConverter, nodes: Sequence[ast.Expression]) -> tuple[int, ...]:
        """Convert match items: assignments of local variables, and calls."""
        self.used = True
        return tuple(self._item(node) for node in nodes)

    def _item(self, node: ast.Expression) -> int:
        statement = expression_statement(self.state, node)
        match statement:
            case Assign(Ref(signal), value, True, timing=None) if signal in self.signals:
                sampled = sample(self.state, value, node)
                return self._add(Item(self.signals[signal], self.reads(sampled)), sampled)
            case SystemTask(_, args):
                given = tuple(None if arg is None else sample(self.state, arg, node) for arg in args)
                statement = replace(statement, args=given)
                return self._add(Item(-1, self.reads(*(arg for arg in given if arg is not None))), statement)
            case Evaluate(Call(function, args, receiver=None) as call) if not function.task and all(
                way == "input" for way, _ in function.args
            ):
                given = tuple(sample(self.state, arg, node) for arg in args)
                statement = replace(statement, value=replace(call, args=given))
                return self._add(Item(-1, self.reads(*given)), statement)
            case _:
                return self.state.context.unsupported("this match item of a sequence", node)

    def _add(self, item: Item, value: Expr | Statement | None) -> int:
        self.data.items.append(item)
        self.values.append(value)
        return len(self.values) - 1

    def reads(self, *values: Expr) -> frozenset[int]:
        """Return the local variables that expressions read."""
        found: set[int] = set()
        work = list(values)
        while work:
            part = work.pop()
            if isinstance(part, Ref) and part.signal in self.signals:
                found.add(self.signals[part.signal])
            work += operands(part)
        return frozenset(found)

    def note_reads(self, atom: int, value: Expr) -> None:
        """Note which local variables a Boolean reads."""
        if reads := self.reads(value):
            self.data.reads[atom] = reads

    def conflict(self, left: Any, right: Any) -> bool:
        """Say whether one of two sequences that run at once assigns what the other one assigns or reads."""
        data = self.data
        ours, theirs = data.assigned(left), data.assigned(right)
        return bool(ours & (theirs | data.free(right)) or theirs & data.free(left))


def substitute(expression: Expr, values: Mapping[Signal, Expr]) -> Expr:
    """Return an expression with other expressions in the place of signals."""
    if isinstance(expression, Ref):
        return values.get(expression.signal, expression)
    changed: dict[str, Any] = {}
    for name in fields(expression):
        part = getattr(expression, name)
        new = _substitute_part(part, values)
        if new is not part:
            changed[name] = new
    return replace(expression, **changed) if changed else expression


def _substitute_part(part: Any, values: Mapping[Signal, Expr]) -> Any:
    if isinstance(part, tuple):
        made = tuple(_substitute_part(inner, values) for inner in part)
        return made if any(new is not old for new, old in zip(made, part, strict=True)) else part
    return substitute(part, values) if _is_expression(part) else part


def _is_expression(part: object) -> bool:
    return isinstance(part, Expr)


def substitute_call(statement: Statement, values: Mapping[Signal, Expr]) -> Statement:
    """Return the statement of a match item with other expressions in the place of signals."""
    match statement:
        case SystemTask(_, args):
            return replace(statement, args=tuple(None if arg is None else substitute(arg, values) for arg in args))
        case Evaluate(value):
            return replace(statement, value=substitute(value, values))
        case _:
            return statement


def passes_its_arguments(instance: ast.AssertionInstanceExpression) -> bool:
    """Say whether an instance of a property inside itself has the property's own arguments as arguments."""
    formals = [port.name for port in _ports(instance)]
    written = getattr(getattr(instance, "syntax", None), "arguments", None)
    if written is None:
        return not formals
    actuals = [str(part).strip() for part in written.parameters if str(part).strip() != ","]
    return actuals == formals


def _is_argument(instance: ast.AssertionInstanceExpression, symbol: ast.Symbol) -> bool:
    return any(port.name == symbol.name for port in _ports(instance))


def _ports(instance: ast.AssertionInstanceExpression) -> Sequence[ast.Symbol]:
    symbol = instance.symbol
    return symbol.ports if isinstance(symbol, ast.SequenceSymbol | ast.PropertySymbol) else ()
