"""Clocking blocks as variables, an event and processes of the module (IEEE 1800-2023 clause 14).

For a block `cb` of the clocking event `e`:

* `cb` is a named event, and `cb$time` the time of the last clocking event;
* an input `x` is a variable `cb.x`. A process waits for `e`, gives each input the sampled value of its signal (that of
  the preponed region, as `1step` wants; the present one for a skew of `#0`) by a nonblocking assignment, then triggers
  `cb` in the same region, so that whoever waits for `cb` sees the new values and the design's own of this step;
* an output `x` is a variable `cb.x$out` and an event `cb.x$drive`. A drive sets the one and triggers the other; a
  process of the output then waits for the clocking event, unless this is its time, and drives after the skew.

An input with a skew of `#n` samples a copy of its signal that follows n later, `x$earlier`. With an edge as skew (14.3)
the copy is made at each such edge of the block's clock, of the sampled value there; an output is driven at the first
such edge from the clocking event on. A drive of a part changes that part of what was driven last.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.base.dataclass import replace
from weft.ir.design import (
    Assign,
    Binary,
    Block,
    Cond,
    Const,
    Delay,
    Element,
    Event,
    Expr,
    If,
    Kind,
    Process,
    Real,
    Ref,
    Repeated,
    Signal,
    Slice,
    Statement,
    SystemCall,
    Trigger,
    Type,
    Wait,
)
from weft.lang.sv.build import constant, resize
from weft.lang.sv.dispatch import lvalue_of, value_of
from weft.lang.sv.ownership import assigned
from weft.lang.sv.reals import REAL_TYPE
from weft.lang.sv.sampling import sample
from weft.lang.sv.timing import events_of, timing_of
from weft.lang.sv.virtual_interfaces import bound_body, member_name

if TYPE_CHECKING:
    from weft.base.source import Span
    from weft.lang.sv.context import ModuleContext
    from weft.lang.sv.state import State

_EVENT_TYPE = Type("event", 64, four_state=False)


_CLOCKED = {ast.EdgeKind.PosEdge: "posedge", ast.EdgeKind.NegEdge: "negedge", ast.EdgeKind.BothEdges: "edge"}
"""Edges as skews, and what events call them."""


def declare_clocking(context: ModuleContext, block: ast.ClockingBlockSymbol, name: str) -> None:
    """Create the variables and events of a clocking block."""
    context.declare_signal(block, Signal(name, 64, _EVENT_TYPE, span=context.span(block)))
    context.declare_named(Signal(f"{name}$time", 64, REAL_TYPE, signed=True, initial=Real(-1.0)))
    for variable in block:
        if isinstance(variable, ast.ClockVarSymbol):
            made = context.declare(variable, f"{name}.{variable.name}")
            if isinstance(made, dict):
                context.unsupported("a clocking variable of an unpacked struct type", variable)
            made.net = ""
            context.state.unsampled.add(made)
            if variable.direction != ast.ArgumentDirection.In:
                out = Signal(f"{made.name}$out", made.width, made.type, made.depth, made.signed, span=made.span)
                context.declare_named(out)
                context.declare_named(Signal(f"{made.name}$drive", 64, _EVENT_TYPE, span=made.span))


def convert_clocking(context: ModuleContext, block: ast.ClockingBlockSymbol) -> None:
    """Create the processes of a clocking block."""
    state, span = context.state, context.span(block)
    events = events_of(state, block.event)
    tick = Ref(context.signal(block))
    inputs: list[Statement] = []
    late = False
    for variable in block:
        if not isinstance(variable, ast.ClockVarSymbol):
            continue
        source = variable.initializer
        if source is None:
            context.unsupported("a clocking variable without a signal", variable)
        if variable.direction != ast.ArgumentDirection.Out:
            sampled, skewed = _sampled(context, block, variable, value_of(state, source), source, events)
            late |= skewed
            inputs.append(Assign(Ref(context.signal(variable)), sampled, skewed, span))
        if variable.direction != ast.ArgumentDirection.In:
            _convert_output(context, block, variable, source, events)
    note = Assign(_last(context, tick.signal), _now(), True, span)
    if late:
        # What an input was at the end of an earlier step is there once this step's assignments to come have been made.
        ready = Signal(f"{tick.signal.name}$ready", 64, _EVENT_TYPE, span=span)
        context.declare_named(ready)
        context.add_process(
            Process(Kind.EVENTS, Block((note, Trigger(Ref(ready), False, span=span))), events, "clocking", span)
        )
        events, body = (Event("any", Ref(ready), span=span),), (*inputs, Trigger(tick, span=span))
    else:
        body = (note, *inputs, Trigger(tick, False, span=span))
    context.add_process(Process(Kind.EVENTS, Block(body), events, "clocking", span))


def _now() -> Expr:
    return SystemCall("$realtime", (), 64, type=REAL_TYPE)


def _last(context: ModuleContext, tick: Signal) -> Ref:
    """Return the time of the last event of an own clocking block."""
    found = context.named(f"{tick.name}$time")
    return Ref(found)


def _sampled(
    context: ModuleContext,
    block: ast.ClockingBlockSymbol,
    variable: ast.ClockVarSymbol,
    value: Expr,
    source: ast.Expression,
    events: tuple[Event, ...],
) -> tuple[Expr, bool]:
    """Return what an input samples, and whether that is something of an earlier time step than the last."""
    skew = variable.inputSkew if variable.inputSkew.hasValue else block.defaultInputSkew
    edged = skew.hasValue and skew.edge in _CLOCKED
    if not edged and (not skew.hasValue or isinstance(skew.delay, ast.OneStepDelayControl)):
        return sample(context.state, value, source), False
    if edged and skew.delay is not None:
        context.unsupported("an edge with a delay as an input skew", variable)
    pause = None if edged else timing_of(context.state, skew.delay)
    if isinstance(pause, Delay) and getattr(pause.value, "value", None) == 0:
        return value, False
    made, span = context.signal(variable), context.span(variable)
    earlier = Signal(f"{made.name}$earlier", made.width, made.type, made.depth, made.signed, span=span)
    context.declare_named(earlier)
    if edged:
        at = Event(_CLOCKED[skew.edge], _clock_of(context, events, variable), span=span)
        copy = Assign(Ref(earlier), sample(context.state, value, source), True, span)
        context.add_process(Process(Kind.EVENTS, copy, (at,), "clocking", span))
        return Ref(earlier), True
    follow = Assign(Ref(earlier), value, False, span, pause)
    context.add_process(Process(Kind.COMB, follow, (), "always_comb", span))
    return Ref(earlier), True


def _convert_output(
    context: ModuleContext,
    block: ast.ClockingBlockSymbol,
    variable: ast.ClockVarSymbol,
    source: ast.Expression,
    events: tuple[Event, ...],
) -> None:
    """Create the process that drives an output; what it drives in parts begins with the value of the signal."""
    skew = variable.outputSkew if variable.outputSkew.hasValue else block.defaultOutputSkew
    span, state = context.span(variable), context.state
    pause = timing_of(state, skew.delay) if skew.hasValue and skew.delay is not None else None
    name = context.signal(variable).name
    out, drive = Ref(context.named(f"{name}$out")), Ref(context.named(f"{name}$drive"))
    early = Binary("fne", _now(), _last(context, context.signal(block)), 1)
    wait = If(early, Wait(events, Block(()), span), span=span)
    drives = Assign(lvalue_of(state, source), out, False, span, pause)
    edge = _edge_wait(context, variable, events, _CLOCKED[skew.edge], span) if skew.edge in _CLOCKED else Block(())
    body = Wait((Event("any", drive, span=span),), Block((wait, edge, drives)), span)
    context.add_process(Process(Kind.FREE, body, (), "clocking", span))
    context.add_process(Process(Kind.INITIAL, Assign(out, value_of(state, source), True, span), (), "clocking", span))


def _clock_of(context: ModuleContext, events: tuple[Event, ...], variable: ast.ClockVarSymbol) -> Expr:
    """Return the signal whose edges are the clocking event, for a skew that is an edge of it."""
    if len(events) != 1 or events[0].condition is not None or events[0].value.width != 1:
        context.unsupported("an edge as a skew where the clocking event is no edge of one signal", variable)
    return events[0].value


def _edge_wait(
    context: ModuleContext, variable: ast.ClockVarSymbol, events: tuple[Event, ...], edge: str, span: Span
) -> Statement:
    """Return the wait for an edge of the clock, from a clocking event on, which may be such an edge itself."""
    clock, own = _clock_of(context, events, variable), events[0].edge
    if edge in ("edge", own):
        return Block(())
    wait = Wait((Event(edge, clock, span=span),), Block(()), span)
    if own in ("posedge", "negedge"):
        return wait
    # The event is any change: where the clock has the value that the edge leads to, that was the edge.
    return If(Binary("cne", clock, Const(1, int(edge == "posedge")), 1), wait, span=span)


# ------------------------------------------------------------------------------------------------- drives


def clock_variable(node: ast.Expression) -> ast.Expression | None:
    """Return the name of the clocking variable that an assignment drives, wholly or in part; None if it is none."""
    while True:
        if isinstance(node, ast.MemberAccessExpression) and isinstance(node.member, ast.ClockVarSymbol):
            return node
        if not isinstance(node, ast.ElementSelectExpression | ast.RangeSelectExpression | ast.MemberAccessExpression):
            break
        node = node.value
    symbol = node.symbol if isinstance(node, ast.ValueExpressionBase) else None
    return node if isinstance(symbol, ast.ClockVarSymbol) else None


def convert_drive(state: State, node: ast.AssignmentExpression, name: ast.Expression, span: Span) -> Statement:
    """Convert `cb.x <= value`, of the whole or a part, at once or after `##n` (IEEE 1800-2023 14.16)."""
    if node.isCompound:
        state.context.unsupported("a compound assignment to a clocking variable", node)
    if not isinstance(name, ast.MemberAccessExpression | ast.ValueExpressionBase):
        state.context.unsupported("a clocking drive of this", node)
    variable, body = _instance_of(state, name)
    whole = member_name(state, variable)
    out, drive = (_reach(state, body, f"{whole}${what}") for what in ("out", "drive"))
    target = _redirected(lvalue_of(state, node.left), out)
    value = assigned(state, node.right, node.left.type)
    control = node.timingControl
    if control is None:
        return Block((Assign(target, value, True, span), Trigger(drive, span=span)))
    if not isinstance(control, ast.CycleDelayControl):
        state.context.unsupported("a delay other than of cycles in a clocking drive", node)
    block = whole.rpartition(".")[0]
    last, tick = _reach(state, body, f"{block}$time"), _reach(state, body, block)
    count = resize(value_of(state, control.expr), 32, False)
    # Between two events of the block the cycles count from the next one on.
    more = Cond(Binary("fne", _now(), last, 1), constant(32, 1), constant(32, 0), 32)
    pause = Repeated(Binary("add", count, more, 32), (Event("any", tick, span=span),))
    delayed = Block((Assign(target, value, False, span, pause), Trigger(drive, False, pause, span)))
    now = Block((Assign(target, value, True, span), Trigger(drive, span=span)))
    return If(Binary("eq", count, constant(32, 0), 1), now, delayed, span=span)


def _instance_of(
    state: State, name: ast.MemberAccessExpression | ast.ValueExpressionBase
) -> tuple[ast.Symbol, ast.InstanceBodySymbol]:
    """Return a clocking variable and the body of the instance that has it."""
    if isinstance(name, ast.MemberAccessExpression):
        body = bound_body(state, name.value)
        if body is None:
            state.context.unsupported("a clocking drive through this", name)
        return name.member, body
    return name.symbol, name.symbol.parentScope.containingInstance


def _reach(state: State, body: ast.InstanceBodySymbol, name: str) -> Ref:
    signal, path = state.context.reach_instance(body, name)
    assert isinstance(signal, Signal)
    return Ref(signal, path)


def _redirected(target: Expr, out: Ref) -> Expr:
    """Return a target that names a clocking variable, or a part of it, with what is to be driven in its place."""
    match target:
        case Element(_, index):
            return Element(out.signal, index, out.path)
        case Slice(value):
            return replace(target, value=_redirected(value, out))
        case _:
            return out
