"""Write calls of `randomize`, and the pieces of code that solving constraints calls back (IEEE 1800-2023 clause 18).

What needs no solver is chosen in the code itself (`code_draws`). Else Python chooses the values: it reads and writes
objects, containers and static variables in memory. The code hands over the values of local variables that the
constraints name, and takes back those that are chosen. Functions of the design in constraints, `pre_randomize` and
`post_randomize` get an *entry*: code that takes its arguments from a buffer and puts the result behind them, so that
Python can call it at any time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from weft.base.dataclass import dataclass, field, replace
from weft.engines.event.code_draws import HOOKS, write_draw
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.elaborate import Elaborated, Node, Unit
from weft.engines.event.value_types import type_of
from weft.engines.event.writer import Operand, Value
from weft.ir.constraints import Constraint, ForEach, Implies, constraint_expressions
from weft.ir.design import Class, Expr, Function, Signal, Type
from weft.ir.expressions import Call, Element, Iterate, Randomize, Ref, SystemCall, Text
from weft.ir.walk import subexpressions

if TYPE_CHECKING:
    from weft.engines.event.code_program import ProgramCode
    from weft.engines.event.code_unit import UnitCode

_SIZES = frozenset({"array.size", "array.num"})
_OBJECT = Type("class", 64, four_state=False)


@dataclass(frozen=True, slots=True, eq=False)
class RandomizeSite:
    """Be a call of `randomize`: `captured` are the local variables whose values are its last arguments."""

    node: Randomize
    captured: tuple[Signal, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """Be code that Python can call: `widths` are those of the arguments, the receiver first; `result` the result's."""

    symbol: str
    unit: Unit
    widths: tuple[int, ...]
    result: int


@dataclass(slots=True, eq=False)
class Entries:
    """Hold the entries of a program, by the call or method that they stand for."""

    found: dict[object, Entry] = field(default_factory=dict[object, Entry])
    _classes: bool = False

    def symbols(self) -> list[str]:
        """Return the names of all entries."""
        return [entry.symbol for entry in self.found.values()]

    def need_classes(self, program: ProgramCode) -> None:
        """Write the entries of all classes: an object of any may be randomised."""
        if self._classes:
            return
        self._classes = True
        for found in program.classes.classes:
            for name in HOOKS:
                if name in found.methods and found.methods[name].body is not None:
                    self._hook(program, found, found.methods[name])
            for block in found.constraints:
                for expression in constraint_expressions(block.items):
                    for part in subexpressions(expression):
                        self.need_part(program, part, None)

    def need_part(self, program: ProgramCode, part: Expr, f: FunctionCode | None) -> None:
        """Have ready what a part of a constraint's expression needs: the place of a signal, the entry of a call."""
        match part:
            case Ref(signal, path) | Element(signal, _, path):
                if f is not None and not f.is_local(signal):
                    f.signal_pointer(signal, path)
                elif f is None and not signal.automatic:
                    node = program.design.reach(home_of(program.design, signal, path), path)
                    holder, held = program.design.find(node, signal)
                    program.codes[holder.unit].place_signal(held)
            case SystemCall(name) if name in _SIZES:
                pass
            case Call() | SystemCall():
                if part not in self.found:
                    self._call(program, part, f)
            case _:
                pass

    def _hook(self, program: ProgramCode, owner: Class, method: Function) -> None:
        this = Signal("object$", 64, _OBJECT, automatic=True, local=True)
        call = Call(method, (), 0, owner.span, Ref(this))
        if program.suspensions.function(method):
            raise FunctionCode(next(iter(program.codes.values())), "", "bare").unsupported(
                f"'{method.name}' that waits", method.span
            )
        self._write(program, method, call, program.codes[program.design.functions[method]])

    def _call(self, program: ProgramCode, call: Call | SystemCall, f: FunctionCode | None) -> None:
        if isinstance(call, Call):
            unit = program.codes[program.design.functions[call.function]]
        else:
            unit = f.unit if f is not None else next(iter(program.codes.values()))
        self._write(program, call, call, unit)

    def _write(self, program: ProgramCode, key: object, call: Call | SystemCall, code: UnitCode) -> None:
        """Write an entry: load the arguments, call, store the result's planes."""
        from weft.engines.event.code_expressions import value
        from weft.engines.event.code_places import store_lvalue

        f = FunctionCode(code, code.symbol("entry"), "routine")
        f.span = call.span
        w = f.w
        buffer = w.pointer("%buffer")
        at = 0

        def load(width: int, kind: Type) -> Ref:
            nonlocal at
            words = (width + 63) // 64
            bits = w.emit(f"load i{words * 64}, ptr {w.address(buffer, 8 * at)}, align 8")
            at += words
            formal = Signal("actual$", width, kind, automatic=True, local=True)
            store_lvalue(f, Ref(formal), Value(width, w.resize(bits, words * 64, width)))
            return Ref(formal)

        widths: list[int] = []
        actuals: list[Expr] = []
        receiver: Ref | None = None
        if isinstance(call, Call) and call.receiver is not None:
            widths.append(64)
            receiver = load(64, _OBJECT)
        for argument in call.args:
            if isinstance(argument, Text):
                actuals.append(argument)
                continue
            kind = type_of(argument)
            widths.append(argument.width)
            actuals.append(load(argument.width, kind if kind.width else Type("bit", argument.width, four_state=False)))
        if isinstance(call, Call):
            result = value(f, replace(call, args=tuple(actuals), receiver=receiver))
        else:
            result = value(f, replace(call, args=tuple(actuals)))
        words = (result.width + 63) // 64
        planes: tuple[Operand, ...] = (result.bits, result.unknown) if words else ()
        for plane in planes:
            wide = w.resize(plane, result.width, words * 64)
            w.do(f"store i{words * 64} {wide}, ptr {w.address(buffer, 8 * at)}, align 8")
            at += words
        w.ret()
        code.add_function(f, f.finish("i64", "i64 %node, i64 %S, i64 %inst, i64 %buffer"))
        self.found[key] = Entry(f.name, code.unit, tuple(widths), result.width)


def home_of(design: Elaborated, signal: Signal, path: tuple[str, ...]) -> Node:
    """Return the instance from which a class's code sees a signal."""
    if path and path[0] == "$root":
        return design.nodes[0]
    for node in design.nodes:
        if signal in node.unit.module.signals:
            return node
    for function, unit in design.functions.items():
        if signal in function.locals or any(signal is formal for _, formal in function.args):
            return unit.nodes[0]
    return design.nodes[0]


def bound_signals(items: Iterable[Constraint], expressions: Iterable[Expr]) -> set[Signal]:
    """Return the variables that constraints bind themselves: indices, and items of reductions."""
    found: set[Signal] = set()
    pending = list(items)
    while pending:
        item = pending.pop()
        if isinstance(item, ForEach):
            found.add(item.index)
            pending += item.body
        elif isinstance(item, Implies):
            pending += item.body + item.other
    for expression in expressions:
        for part in subexpressions(expression):
            if isinstance(part, Iterate):
                found |= {part.item, part.index}
    return found


def root_of(target: Expr) -> Expr:
    """Return what a target is in: a variable, a property, or a container's element."""
    from weft.ir.expressions import Item, Slice

    while isinstance(target, Slice | Item):
        target = target.value if isinstance(target, Slice) else target.container
    return target


def randomize(f: FunctionCode, node: Randomize) -> Value:
    """Write a call of `randomize`, and return its result."""
    from weft.engines.event.code_expressions import value
    from weft.engines.event.code_host import host_choice
    from weft.engines.event.code_places import store_lvalue

    program, w = f.unit.program, f.w
    arguments: list[Expr] = []
    bound: set[Signal] = set()
    handle: Operand = 0
    if node.object is not None:
        program.entries.need_classes(program)
        this = node.this or Signal("object$", 64, _OBJECT, automatic=True, local=True)
        store_lvalue(f, Ref(this), value(f, node.object))
        handle = value(f, Ref(this)).bits
        program.check_null(f, handle)
        arguments.append(Ref(this))
        bound.add(this)
    expressions = [*(node.targets or ()), *constraint_expressions(node.constraints)]
    bound |= bound_signals(node.constraints, expressions)
    captured: dict[Signal, None] = {}
    for expression in expressions:
        for part in subexpressions(expression):
            program.entries.need_part(program, part, f)
            if isinstance(part, Ref | Element) and part.signal not in bound and f.is_local(part.signal):
                captured.setdefault(part.signal)
    roots = [root_of(target) for target in node.targets or ()]
    chosen = {root.signal for root in roots if isinstance(root, Ref | Element) and root.signal in captured}
    first = len(arguments)
    arguments += [Ref(signal) for signal in captured]
    written = {first + i for i, signal in enumerate(captured) if signal in chosen}
    succeeded, done = w.slot(32), w.fresh("randomized")
    w.do(f"store i32 1, ptr {succeeded}")
    write_draw(f, node, handle, done)
    result = host_choice(f, "$weft$randomize", arguments, written, RandomizeSite(node, tuple(captured)), node.span)
    f.poll()
    w.do(f"store i32 {result.bits}, ptr {succeeded}")
    w.label(done)
    return Value(32, w.emit(f"load i32, ptr {succeeded}"))
