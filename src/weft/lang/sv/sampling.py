"""Sampled values, and functions of sampled values (IEEE 1800-2023 16.5.1, 16.9.3).

The sampled value of a signal is that of the preponed region: what it was before the time step. For each signal that is
sampled somewhere in a module there is a variable `x$sampled`, which a process of the postponed region gives the
signal's value whenever it has changed, as at the start; in the next step it still has it. Signals that nobody samples
cost nothing.

`$past` and its like compare with the value at an earlier tick of a clock. A *history* is a row of variables: in the
observed region of a tick a process notes the sampled value, and in the postponed region another moves the row on, so
that everything in the step, action blocks too, sees the same past.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pyslang import ast

from weft.base.dataclass import fields, replace
from weft.ir.design import (
    Assign,
    Binary,
    Block,
    Call,
    Concat,
    Cond,
    Const,
    Element,
    Event,
    Expr,
    If,
    Kind,
    Process,
    Real,
    Ref,
    Repeat,
    Resize,
    Signal,
    Slice,
    Statement,
    SystemCall,
    Text,
    Trigger,
    Type,
    Unary,
)
from weft.ir.expressions import WORD_KINDS
from weft.lang.sv.build import bits_of
from weft.lang.sv.dispatch import layout_of, truth_of, value_of
from weft.lang.sv.timing import events_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State

EVENT_TYPE = Type("event", 64, four_state=False)
Events = tuple[Event, ...]


def key_of(node: object) -> object:
    """Return what is equal for expressions and events that are written alike; signals are told by identity."""
    if isinstance(node, tuple):
        return tuple(key_of(part) for part in cast("tuple[object, ...]", node))
    if isinstance(node, Signal) or not hasattr(type(node), "__match_args__"):
        return node
    parts = tuple(key_of(getattr(node, name)) for name in fields(node) if name != "span")
    return (type(node).__name__, *parts)


def sample(state: State, expression: Expr, node: Any) -> Expr:
    """Return the sampled value of an expression; `node` is where it stands.

    Automatic variables and those of clocking blocks have their present value (16.5.1).
    """

    def visit(part: Expr) -> Expr:
        match part:
            case Const() | Text() | Real():
                return part
            case Ref(signal, path):
                return Ref(shadow) if (shadow := _shadow(state, signal, path, node)) else part
            case Element(signal, index, path):
                shadow = _shadow(state, signal, path, node)
                return Element(shadow, visit(index)) if shadow else replace(part, index=visit(index))
            case Slice(value, offset):
                return replace(part, value=visit(value), offset=offset if isinstance(offset, int) else visit(offset))
            case Resize(value) | Unary(_, value) | Repeat(_, value):
                return replace(part, value=visit(value))
            case Binary(_, lhs, rhs):
                return replace(part, lhs=visit(lhs), rhs=visit(rhs))
            case Cond(cond, then, other):
                return replace(part, cond=visit(cond), then=visit(then), other=visit(other))
            case Concat(parts):
                return replace(part, parts=tuple(visit(inner) for inner in parts))
            case SystemCall(name, args):
                return part if name == "event.triggered" else replace(part, args=tuple(visit(arg) for arg in args))
            case Call(function, args, receiver=None) if all(way == "input" for way, _ in function.args):
                return replace(part, args=tuple(visit(arg) for arg in args))
            case _:
                return state.context.unsupported("the sampled value of this expression", node)

    return visit(expression)


def _shadow(state: State, signal: Signal, path: tuple[str, ...], node: Any) -> Signal | None:
    """Return the variable with a signal's sampled value; None if that is the present one."""
    if signal.automatic or signal in state.unsampled or signal.type.kind == "event":
        return None
    found = state.samples.get((signal, path))
    if found is None:
        if signal.type.kind in WORD_KINDS - {"real", "shortreal"}:
            state.context.unsupported(f"the sampled value of a variable of type '{signal.type.kind}'", node)
        source = Ref(signal, path)
        stem = ".".join((*path, signal.name))
        found = Signal(f"{stem}$sampled", signal.width, signal.type, signal.depth, signal.signed, span=signal.span)
        state.samples[signal, path] = found
        state.unsampled.add(found)
        update = Assign(Ref(found), source, True, signal.span)
        state.context.add_signals(found)
        state.context.add_process(Process(Kind.COMB, update, (), "sample", signal.span, region="postponed"))
    return found


# ------------------------------------------------------------------------------------------- the past


def past(state: State, expression: Expr, ticks: int, clock: Events, gate: Expr | None, node: Any) -> Expr:
    """Return the sampled value that an expression had `ticks` ticks of a clock ago, of those where `gate` held.

    Before the first ticks it has the value that it begins with (16.9.3).
    """
    key = key_of((expression, ticks, clock, gate))
    found = state.histories.get(key)
    if found is None:
        found = state.histories[key] = _new_history(state, expression, ticks, clock, gate, node)
    return Ref(found)


def _new_history(state: State, expression: Expr, ticks: int, clock: Events, gate: Expr | None, node: Any) -> Signal:
    context, width, span = state.context, expression.width, state.context.span(node)
    if not clock:
        context.unsupported("a function of sampled values without a clock", node)
    stem = f"past${len(state.histories)}"
    kind = Type("logic", width)
    note = Signal(f"{stem}$now", width, kind, span=span)
    moved = Signal(f"{stem}$moved", 64, EVENT_TYPE, span=span)
    row = [Signal(f"{stem}${tick + 1}", width, kind, initial=expression, span=span) for tick in range(ticks)]
    context.add_signals(note, moved, *row)
    state.unsampled.update(row)
    steps: list[Statement] = [
        Assign(Ref(note), sample(state, expression, node), True, span),
        Trigger(Ref(moved), span=span),
    ]
    body: Statement = Block(tuple(steps))
    if gate is not None:
        body = If(sample(state, gate, node), body, span=span)
    context.add_process(Process(Kind.EVENTS, body, clock, "past", span, region="observed"))
    values = [note, *row]
    shifts = tuple(Assign(Ref(values[i]), Ref(values[i - 1]), True, span) for i in range(ticks, 0, -1))
    change = (Event("any", Ref(moved), span=span),)
    context.add_process(Process(Kind.EVENTS, Block(shifts), change, "past", span, region="postponed"))
    return row[-1]


def convert_sampled(state: State, node: ast.CallExpression, arguments: list[ast.Expression]) -> Expr:
    """Convert `$sampled`, `$past`, `$rose`, `$fell`, `$stable` or `$changed`, or those of the global clock (16.9.4)."""
    name = node.subroutineName.removesuffix("_gclk")
    if name != node.subroutineName:
        outer, state.clock = state.clock, state.context.default_clock("global")
        if not state.clock:
            state.context.unsupported("a function of the global clock without a global clocking block around", node)
        result = _convert_sampled(state, node, name, arguments)
        state.clock = outer
        return result
    return _convert_sampled(state, node, name, arguments)


def _convert_sampled(state: State, node: ast.CallExpression, name: str, arguments: list[ast.Expression]) -> Expr:
    subject = arguments[0]
    layout_of(state, subject)
    value = value_of(state, subject)
    if name == "$sampled":
        return sample(state, value, subject)
    if name == "$past":
        return _convert_past(state, node, arguments, value)
    clock = clock_of(state, arguments[1] if len(arguments) > 1 else None)
    if name in ("$rose", "$fell"):
        value = bits_of(value, 0, 1)
    now, before = sample(state, value, subject), past(state, value, 1, clock, None, node)
    same = Binary("ceq", now, before, 1)
    if name in ("$stable", "$changed"):
        return same if name == "$stable" else Unary("not", same, 1)
    reached = Binary("ceq", now, Const(1, int(name == "$rose")), 1)
    return Binary("and", reached, Unary("not", same, 1), 1)


def _convert_past(state: State, node: ast.CallExpression, arguments: list[ast.Expression], value: Expr) -> Expr:
    given = [None if isinstance(part, ast.EmptyArgumentExpression) else part for part in arguments]
    given += [None] * (4 - len(given))
    ticks = 1
    if given[1] is not None:
        number = value_of(state, given[1])
        if not isinstance(number, Const) or number.unknown:
            state.context.unsupported("a number of ticks that is not constant", given[1])
        ticks = number.value
    gate = truth_of(state, given[2]) if given[2] is not None else None
    return past(state, value, ticks, clock_of(state, given[3]), gate, node)


def convert_matched(state: State, node: ast.CallExpression, arguments: list[ast.Expression]) -> Expr:
    """Convert `sequence.matched`: whether it has ended since the last tick of the clock around (16.13.5).

    A process of the postponed region keeps the answer, so that an end in the time step of a tick counts for the next.
    """
    from weft.lang.sv.sequence_ends import sequence_event

    context, span = state.context, state.context.span(node)
    if not isinstance(arguments[0], ast.AssertionInstanceExpression) or not state.clock:
        context.unsupported("the method 'matched' here", node)
    ended = sequence_event(state, arguments[0])
    key = key_of(("matched", ended, state.clock))
    found = state.histories.get(key)
    if found is None:
        stem = f"matched${len(state.histories)}"
        found = state.histories[key] = Signal(stem, 1, Type("bit", 1, four_state=False), span=span)
        ticked = Signal(f"{stem}$tick", 64, EVENT_TYPE, span=span)
        context.add_signals(found, ticked)
        state.unsampled.add(found)
        tell = Trigger(Ref(ticked), span=span)
        context.add_process(Process(Kind.EVENTS, tell, state.clock, "matched", span, region="observed"))
        now = SystemCall("event.triggered", (Ref(ended),), 1, span=span)
        changes = (Event("any", Ref(ended), span=span), Event("any", Ref(ticked), span=span))
        keep = Assign(Ref(found), now, True, span)
        context.add_process(Process(Kind.EVENTS, keep, changes, "matched", span, region="postponed"))
    return Ref(found)


def clock_of(state: State, node: ast.Expression | None) -> Events:
    """Return the clock of a function of sampled values: the given one, or that of the assertion or procedure."""
    if isinstance(node, ast.ClockingEventExpression):
        return events_of(state, node.timingControl)
    if state.clock:
        return state.clock
    return state.context.default_clock()
