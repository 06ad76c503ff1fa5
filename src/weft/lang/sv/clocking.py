"""Clocking blocks as variables, an event and processes of the module (IEEE 1800-2023 clause 14).

For a block `cb` of the clocking event `e`:

* `cb` is a named event, and `cb$time` the time of the last clocking event;
* an input `x` is a variable `cb.x`. A process waits for `e`, gives each input the sampled value of its signal (that of
  the preponed region, as `1step` wants; the present one for a skew of `#0`) by a nonblocking assignment, then triggers
  `cb` in the same region, so that whoever waits for `cb` sees the new values and the design's own of this step;
* an output `x` is a variable `cb.x$out` and an event `cb.x$drive`. A drive sets the one and triggers the other; a
  process of the output then waits for the clocking event, unless this is its time, and drives after the skew.

Other input skews, edges as skews, drives of a part and cycle delays inside a drive are `Unsupported`.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.ir.design import (
    Assign,
    Binary,
    Block,
    Delay,
    Event,
    Expr,
    If,
    Kind,
    Process,
    Real,
    Ref,
    Signal,
    Statement,
    SystemCall,
    Trigger,
    Type,
    Wait,
)
from weft.lang.sv.dispatch import lvalue_of, value_of
from weft.lang.sv.ownership import assigned
from weft.lang.sv.reals import REAL_TYPE
from weft.lang.sv.timing import events_of, timing_of

if TYPE_CHECKING:
    from weft.base.source import Span
    from weft.lang.sv.context import ModuleContext
    from weft.lang.sv.state import State

_EVENT_TYPE = Type("event", 64, four_state=False)


def declare_clocking(context: ModuleContext, block: ast.ClockingBlockSymbol, name: str) -> None:
    """Create the variables and events of a clocking block."""
    context.declare_signal(block, Signal(name, 64, _EVENT_TYPE, span=context.span(block)))
    never = Signal(f"{name}$time", 64, REAL_TYPE, signed=True, initial=Real(-1.0))
    context.module.signals.append(never)
    context.clockings[block] = never
    for variable in block:
        if isinstance(variable, ast.ClockVarSymbol):
            made = context.declare(variable, f"{name}.{variable.name}")
            if isinstance(made, dict):
                context.unsupported("a clocking variable of an unpacked struct type", variable)
            made.net = ""
            if variable.direction != ast.ArgumentDirection.In:
                out = Signal(f"{made.name}$out", made.width, made.type, made.depth, made.signed, span=made.span)
                drive = Signal(f"{made.name}$drive", 64, _EVENT_TYPE, span=made.span)
                context.module.signals += (out, drive)
                context.drives[variable] = (out, drive)


def convert_clocking(context: ModuleContext, block: ast.ClockingBlockSymbol) -> None:
    """Create the processes of a clocking block."""
    state, span = context.state, context.span(block)
    events = events_of(state, block.event)
    now, last = SystemCall("$realtime", (), 64, type=REAL_TYPE), Ref(context.clockings[block])
    inputs: list[Statement] = []
    for variable in block:
        if not isinstance(variable, ast.ClockVarSymbol):
            continue
        source = variable.initializer
        if source is None:
            context.unsupported("a clocking variable without a signal", variable)
        if variable.direction != ast.ArgumentDirection.Out:
            sampled = _sampled(context, block, variable, value_of(state, source))
            inputs.append(Assign(Ref(context.signal(variable)), sampled, False, span))
        if variable.direction != ast.ArgumentDirection.In:
            _convert_output(context, block, variable, lvalue_of(state, source), events)
    body = (Assign(last, now, True, span), *inputs, Trigger(Ref(context.signal(block)), False, span=span))
    context.module.processes.append(Process(Kind.EVENTS, Block(body), events, "clocking", span))


def _sampled(context: ModuleContext, block: ast.ClockingBlockSymbol, variable: ast.ClockVarSymbol, value: Expr) -> Expr:
    """Return what an input samples."""
    skew = variable.inputSkew if variable.inputSkew.hasValue else block.defaultInputSkew
    if skew.hasValue and not isinstance(skew.delay, ast.OneStepDelayControl):
        if skew.delay is None or skew.edge in _EDGES or not _is_zero(context, skew.delay):
            context.unsupported("an input skew other than '#1step' and '#0'", variable)
        return value
    kind = context.describe(variable.type)
    return SystemCall("$sampled", (value,), value.width, span=context.span(variable), types=(kind,))


_EDGES = (ast.EdgeKind.PosEdge, ast.EdgeKind.NegEdge, ast.EdgeKind.BothEdges)


def _is_zero(context: ModuleContext, control: ast.TimingControl) -> bool:
    pause = timing_of(context.state, control)
    return isinstance(pause, Delay) and getattr(pause.value, "value", None) == 0


def _convert_output(
    context: ModuleContext,
    block: ast.ClockingBlockSymbol,
    variable: ast.ClockVarSymbol,
    target: Expr,
    events: tuple[Event, ...],
) -> None:
    """Create the process that drives an output."""
    skew = variable.outputSkew if variable.outputSkew.hasValue else block.defaultOutputSkew
    if skew.hasValue and (skew.edge in _EDGES or skew.delay is None):
        context.unsupported("an edge as an output skew", variable)
    span = context.span(variable)
    pause = timing_of(context.state, skew.delay) if skew.hasValue and skew.delay is not None else None
    out, drive = context.drives[variable]
    now = SystemCall("$realtime", (), 64, type=REAL_TYPE)
    early = Binary("fne", now, Ref(context.clockings[block]), 1)
    wait = If(early, Wait(events, Block(()), span), span=span)
    body = Wait(
        (Event("any", Ref(drive), span=span),), Block((wait, Assign(target, Ref(out), False, span, pause))), span
    )
    context.module.processes.append(Process(Kind.FREE, body, (), "clocking", span))


def clock_variable(node: ast.Expression) -> ast.ClockVarSymbol | None:
    """Return the clocking variable that an assignment drives, wholly or in part; None if it is something else."""
    while isinstance(node, ast.ElementSelectExpression | ast.RangeSelectExpression | ast.MemberAccessExpression):
        node = node.value
    symbol = node.symbol if isinstance(node, ast.ValueExpressionBase) else None
    return symbol if isinstance(symbol, ast.ClockVarSymbol) else None


def convert_drive(state: State, node: ast.AssignmentExpression, variable: ast.ClockVarSymbol, span: Span) -> Statement:
    """Convert `cb.x <= value` (IEEE 1800-2023 14.16)."""
    if not isinstance(node.left, ast.NamedValueExpression) or node.isCompound:
        state.context.unsupported("a clocking drive of a part, or of another instance", node)
    if node.timingControl is not None:
        state.context.unsupported("a cycle delay in a clocking drive", node)
    out, drive = state.context.drive_of(variable, node)
    value = assigned(state, node.right, node.left.type)
    return Block((Assign(Ref(out), value, True, span), Trigger(Ref(drive), span=span)))
