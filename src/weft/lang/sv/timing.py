"""Delays and event controls (IEEE 1800-2023 9.4)."""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyslang import ast

from weft.ir.design import (
    Binary,
    Block,
    Cond,
    Const,
    Delay,
    Event,
    Expr,
    If,
    Implicit,
    Real,
    Ref,
    Repeated,
    RepeatTimes,
    Signal,
    Statement,
    SystemCall,
    Timing,
    Type,
    Unary,
    Wait,
    WaitUntil,
)
from weft.lang.sv.build import bits_of, constant
from weft.lang.sv.dispatch import layout_of, truth_of, value_of
from weft.lang.sv.event_objects import counter_of
from weft.lang.sv.flow import statement_of
from weft.lang.sv.reals import REAL_TYPE, as_real
from weft.lang.sv.types import REAL
from weft.lang.sv.virtual_interfaces import bound_body, chosen, member_name

if TYPE_CHECKING:
    from weft.lang.sv.state import State

EVENT_TYPE = Type("event", 64, four_state=False)
_EDGES = {ast.EdgeKind.PosEdge: "posedge", ast.EdgeKind.NegEdge: "negedge", ast.EdgeKind.BothEdges: "edge"}


def events_of(state: State, control: ast.TimingControl) -> tuple[Event, ...]:
    """Return the events of an event control; none for an implicit one."""
    if isinstance(control, ast.SignalEventControl):
        expression = control.expr
        if isinstance(expression, ast.CallExpression) and expression.subroutineName == "$global_clock":
            return _global_clock(state, control)
        if isinstance(expression, ast.CallExpression) and expression.subroutineName == "$inferred_clock":
            return _inferred_clock(state, control)
        return (_event(state, control),)
    if isinstance(control, ast.EventListControl):
        return tuple(event for inner in control.events for event in events_of(state, inner))
    if not isinstance(control, ast.ImplicitEventControl):
        state.context.unsupported(_NAMES.get(type(control), "this timing control"), control)
    return ()


_NAMES: dict[type[ast.TimingControl], str] = {
    ast.DelayControl: "a delay here",
    ast.Delay3Control: "a delay here",
    ast.CycleDelayControl: "a cycle delay",
    ast.OneStepDelayControl: "a '1step' delay",
    ast.BlockEventListControl: "a block event",
}


def _global_clock(state: State, control: ast.SignalEventControl) -> tuple[Event, ...]:
    """Return the event that the global clocking block of the module, or of one around it, declares (14.14)."""
    if control.edge in _EDGES or control.iffCondition is not None:
        state.context.unsupported("'$global_clock' with an edge or condition", control)
    found = state.context.default_clock("global")
    if not found:
        state.context.unsupported("'$global_clock' without a global clocking block around", control)
    return found


def _inferred_clock(state: State, control: ast.SignalEventControl) -> tuple[Event, ...]:
    """Return the event of the default clocking block where a checker is instantiated (16.14.7)."""
    checker, state.checker = state.checker, None
    found = state.context.default_clock()
    state.checker = checker
    if not found:
        state.context.unsupported("'$inferred_clock' without a default clocking block of the module", control)
    return found


def _event(state: State, control: ast.SignalEventControl) -> Event:
    expression = control.expr
    if isinstance(expression, ast.MemberAccessExpression) and isinstance(expression.member, ast.ClockingBlockSymbol):
        return _clocking_through(state, control, expression)
    if isinstance(expression, ast.ArbitrarySymbolExpression) and isinstance(expression.symbol, ast.ClockingBlockSymbol):
        if state.context.ignore_assertions:
            state.context.unsupported("a clocking event without the assertions", control)
        block, path = state.context.reference(expression.symbol)
        iff = control.iffCondition
        guard = truth_of(state, iff) if iff is not None else None
        return Event("any", Ref(block, path), guard, state.context.span(control))
    if isinstance(expression, ast.AssertionInstanceExpression):
        iff = control.iffCondition
        guard = truth_of(state, iff) if iff is not None else None
        return Event("any", Ref(_sequence_event(state, expression)), guard, state.context.span(control))
    layout_of(state, expression)
    value = counter_of(state, expression, value_of(state, expression))
    edge = _EDGES.get(control.edge, "any")
    if edge != "any" and value.width > 1:
        # An edge is detected on the least significant bit alone (IEEE 1800-2023 9.4.2).
        value = bits_of(value, 0, 1)
    condition = control.iffCondition
    guard = truth_of(state, condition) if condition is not None else None
    return Event(edge, value, guard, state.context.span(control))


def _clocking_through(state: State, control: ast.SignalEventControl, node: ast.MemberAccessExpression) -> Event:
    """Convert the event of a clocking block that a virtual interface chooses."""
    root = node.value

    def event() -> Expr:
        body = bound_body(state, root)
        assert body is not None
        signal, path = state.context.reach_instance(body, member_name(state, node.member))
        assert isinstance(signal, Signal)
        return Ref(signal, path)

    bound = bound_body(state, root) is not None
    value = event() if bound else chosen(state, root, value_of(state, root), event, 64, EVENT_TYPE)
    iff = control.iffCondition
    guard = truth_of(state, iff) if iff is not None else None
    return Event("any", value, guard, state.context.span(control))


def _sequence_event(state: State, node: ast.AssertionInstanceExpression) -> Signal:
    # The conversion of sequences needs that of their clocks, which is here.
    from weft.lang.sv.sequence_ends import sequence_event

    return sequence_event(state, node)


def timing_of(state: State, control: ast.TimingControl) -> Timing:
    """Return what a timing control inside a procedure waits for."""
    if isinstance(control, ast.DelayControl):
        return delay_of(state, control.expr)
    if isinstance(control, ast.ImplicitEventControl):
        return Implicit()
    if isinstance(control, ast.RepeatedEventControl):
        return Repeated(count_of(state, control.expr), events_of(state, control.event))
    return events_of(state, control)


def count_of(state: State, node: ast.Expression) -> Expr:
    """Convert the count of a repetition: a real is rounded, a negative one is none at all (IEEE 1800-2023 12.7.2)."""
    layout = layout_of(state, node)
    count = value_of(state, node)
    if layout.kind == REAL:
        count = Unary("ftoi", count, 64)
    if not layout.signed:
        return count
    none = constant(count.width, 0)
    if isinstance(count, Const):
        return none if count.value >> count.width - 1 else count
    return Cond(Binary("slt", count, none, 1), none, count, count.width)


def delay_of(state: State, *nodes: ast.Expression | None) -> Delay:
    """Convert one delay, or those of a rise, a fall and a change to z; they are reals if one of them is."""
    values: list[Expr | None] = []
    layouts = [layout_of(state, node) for node in nodes if node is not None]
    given = [value_of(state, node) for node in nodes if node is not None]
    pairs = list(zip(given, layouts, strict=True))
    whole = all(layout.kind != REAL or (isinstance(value, Real) and _is_whole(value)) for value, layout in pairs)
    for value, layout in pairs:
        if not whole:
            values.append(as_real(value, layout))
        else:
            values.append(constant(64, int(value.value)) if isinstance(value, Real) else value)
    values += [None] * (3 - len(values))
    first = values[0]
    assert first is not None
    return Delay(first, values[1], values[2], real=not whole)


def _is_whole(delay: Real) -> bool:
    return delay.value.is_integer() and 0 <= delay.value < 1 << 63


def _cycles(state: State, control: ast.CycleDelayControl, body: Statement) -> Statement:
    """Convert `##n statement`: wait for the default clocking event n times, for 0 if it is not now (14.11)."""
    count, span = value_of(state, control.expr), state.context.span(control)
    tick, last = state.context.cycle_event(control)
    wait = Wait((Event("any", Ref(tick), span=span),), Block(()), span)
    steps: list[Statement] = []
    if not isinstance(count, Const) or count.value:
        steps.append(RepeatTimes(count, wait, span))
    if not isinstance(count, Const) or not count.value:
        early = Binary("fne", SystemCall("$realtime", (), 64, type=REAL_TYPE), Ref(last), 1)
        none = Binary("eq", count, constant(count.width, 0), 1)
        steps.append(If(Binary("land", none, early, 1), wait, span=span))
    return Block((*steps, body))


def convert_timed(state: State, node: ast.Statement) -> Statement:
    """Convert a statement behind a timing control."""
    timed = cast("ast.TimedStatement", node)
    if isinstance(timed.timing, ast.CycleDelayControl):
        return _cycles(state, timed.timing, statement_of(state, timed.stmt))
    pause = timing_of(state, timed.timing)
    return Wait(pause, statement_of(state, timed.stmt), state.context.span(timed.timing))


def convert_wait(state: State, node: ast.Statement) -> Statement:
    """Convert `wait (condition) statement`."""
    wait = cast("ast.WaitStatement", node)
    cond = truth_of(state, wait.cond)
    return WaitUntil(cond, statement_of(state, wait.stmt), state.context.span(node))
