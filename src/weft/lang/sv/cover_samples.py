"""Samples of covergroups: methods that evaluate the coverpoints and count (IEEE 1800-2023 19.5, 19.6, 19.8)."""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.ir.design import (
    Assign,
    Binary,
    Block,
    Call,
    Const,
    Evaluate,
    Expr,
    Field,
    Function,
    If,
    Item,
    Kind,
    Loop,
    Process,
    Ref,
    Signal,
    Statement,
    SystemCall,
    SystemTask,
    Text,
    Type,
    Unary,
)
from weft.lang.sv.build import constant
from weft.lang.sv.cover_bins import Bin, find_bins, in_ranges, matches
from weft.lang.sv.cover_crosses import CrossBins, find_cross_bins
from weft.lang.sv.cover_options import Options, read_options
from weft.lang.sv.dispatch import truth_of, value_of
from weft.lang.sv.timing import events_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State

from weft.lang.sv.cover_classes import Covergroup, Part, make_method

_COUNT = Type("bit", 64, four_state=False)
_MOST = 4096


def make_sample(state: State, found: ast.CovergroupType, group: Covergroup, this: Signal) -> Function:
    """Make the method that evaluates the coverpoints and counts (19.8)."""
    context = state.context
    args: list[tuple[str, Signal]] = []
    for formal in found.body:
        if isinstance(formal, ast.SubroutineSymbol) and formal.name == "sample":
            args = [("input", _formal(state, one)) for one in formal.arguments]
    for member in found:
        if isinstance(member, ast.FormalArgumentSymbol) and member not in state.names:
            state.names[member] = Ref(next(signal for _, signal in args if signal.name == f"sample.{member.name}"))
    body: list[Statement] = []
    for member in found.body:
        if isinstance(member, ast.CoverpointSymbol):
            body += _sample_point(state, group, this, member)
        elif isinstance(member, ast.CoverCrossSymbol):
            body += _sample_cross(state, group, this, member)
    guarded = If(Field(Ref(this), group.running), Block(tuple(body)), span=context.span(found))
    made = make_method(group, "sample", this, [guarded], None)
    made.args = args
    return made


def _formal(state: State, symbol: ast.FormalArgumentSymbol) -> Signal:
    layout, described = state.layout(symbol.type), state.context.describe(symbol.type)
    if symbol.direction != ast.ArgumentDirection.In:
        state.context.unsupported("an argument of 'sample' that is no input", symbol)
    return Signal(f"sample.{symbol.name}", layout.width, described, 0, layout.signed, automatic=True, local=True)


def _count(group: Covergroup, this: Signal, counter: Signal) -> Statement:
    group.made.fields.append(counter)
    place = Field(Ref(this), counter)
    return Assign(place, Binary("add", place, constant(64, 1), 64), True)


def _sample_point(state: State, group: Covergroup, this: Signal, point: ast.CoverpointSymbol) -> list[Statement]:
    options = _part_options(state, group, this, point, point.name)
    layout, span = state.layout(point.coverageExpr.type), state.context.span(point)
    bins = find_bins(state, point, layout, options.auto_bin_max)
    value = Ref(state.context.temporary("value", layout.width))
    part = Part(point, [], options, bins)
    group.parts[point] = part
    body: list[Statement] = []
    enabled = truth_of(state, point.iffExpr) if point.iffExpr is not None else None
    for made in bins.counted:
        hit = Ref(state.context.temporary("hit", 1))
        if made.sequences:
            inside, steps = _follow(group, this, f"{point.name}.{made.name}", made, value, layout.signed)
        else:
            inside, steps = matches(value, made, layout.signed), []
        body.append(Assign(hit, inside if enabled is None else Binary("land", enabled, inside, 1), True, span))
        counter = Signal(f"{point.name}.{made.name}", 64, _COUNT)
        part.counters.append(counter)
        part.names.append(made.name)
        part.hits.append(hit)
        body.append(If(hit, _count(group, this, counter), span=span))
        if steps:
            body.append(Block(tuple(steps)) if enabled is None else If(enabled, Block(tuple(steps)), span=span))
    body += [
        If(_reported(made, value, layout.signed, enabled), _illegal(state, made.name, point), span=span)
        for made in bins.illegal
    ]
    return [Assign(value, value_of(state, point.coverageExpr), True, span), *body]


def _follow(
    group: Covergroup, this: Signal, name: str, made: Bin, value: Expr, signed: bool
) -> tuple[Expr, list[Statement]]:
    """Return whether a value ends a transition, and what notes how far each sequence has come (19.5.2)."""
    ended: Expr = constant(1, 0)
    notes: list[Statement] = []
    for number, steps in enumerate(made.sequences):
        flags = [Signal(f"{name}${number}.{i}", 1, Type("bit", 1, four_state=False)) for i in range(1, len(steps))]
        group.made.fields += flags
        come = [Field(Ref(this), flag) for flag in flags]
        inside = [in_ranges(value, ranges, signed) for ranges in steps]
        ended = Binary("lor", ended, Binary("land", come[-1], inside[-1], 1), 1)
        notes += [
            Assign(come[i], Unary("known", Binary("land", come[i - 1], inside[i], 1), 1), True)
            for i in range(len(come) - 1, 0, -1)
        ]
        notes.append(Assign(come[0], Unary("known", inside[0], 1), True))
    return (ended if made.guard is None else Binary("land", ended, made.guard, 1)), notes


def _reported(made: Bin, value: Expr, signed: bool, enabled: Expr | None) -> Expr:
    inside = matches(value, made, signed)
    return inside if enabled is None else Binary("land", enabled, inside, 1)


def _illegal(state: State, name: str, part: ast.CoverpointSymbol | ast.CoverCrossSymbol) -> Statement:
    text = Text(f"the illegal bin '{name}' of '{part.name}' has been hit")
    return SystemTask("$error", (text,), (False,), state.context.span(part), state.scope)


def _sample_cross(state: State, group: Covergroup, this: Signal, cross: ast.CoverCrossSymbol) -> list[Statement]:
    """Count each combination of bins (19.6)."""
    context, span = state.context, state.context.span(cross)
    points = [group.parts[target] for target in cross.targets]
    total = 1
    for point in points:
        total *= len(point.hits)
    if total > _MOST:
        context.unsupported(f"a cross with more than {_MOST} bins", cross)
    listed = [
        (point.symbol, point.bins.counted)
        for point in points
        if isinstance(point.symbol, ast.CoverpointSymbol) and point.bins is not None
    ]
    found = find_cross_bins(state, cross, listed)
    name = f"{cross.name or 'cross'}{len(group.parts) + 1}"
    part = group.parts[cross] = Part(cross, [], _part_options(state, group, this, cross, name))
    own = {number: Signal(f"{name}.{found.own[number].name}", 64, _COUNT) for number in _counting(found)}
    part.counters += own.values()
    part.names += [found.own[number].name for number in own]
    group.made.fields += own.values()

    def count(place: tuple[int, ...]) -> Statement:
        if place in found.illegal:
            return _illegal(state, found.illegal[place], cross)
        if place in found.ignored:
            return Block(())
        if place in found.counted:
            return Block(tuple(_count_own(state, found, number, own[number], this) for number in found.counted[place]))
        counter = Signal(".".join((name, *map(str, place))), 64, _COUNT)
        part.counters.append(counter)
        part.names.append(f"<{', '.join(bins[i].name for i, (_, bins) in zip(place, listed, strict=True))}>")
        return _count(group, this, counter)

    def combinations(place: tuple[int, ...]) -> Statement:
        if len(place) == len(points):
            return count(place)
        hits = enumerate(points[len(place)].hits)
        return Block(tuple(If(hit, combinations((*place, i)), span=span) for i, hit in hits))

    body = combinations(())
    return [If(truth_of(state, cross.iffExpr), body, span=span) if cross.iffExpr is not None else body]


def _counting(found: CrossBins) -> list[int]:
    """Return the declared bins of a cross that some combination is left for."""
    places = found.counted.items()
    counting = {
        number for place, own in places for number in own if place not in found.illegal and place not in found.ignored
    }
    return sorted(counting)


def _count_own(state: State, found: CrossBins, number: int, counter: Signal, this: Signal) -> Statement:
    place = Field(Ref(this), counter)
    step = Assign(place, Binary("add", place, constant(64, 1), 64), True)
    guard = found.own[number].iffExpr
    return step if guard is None else If(truth_of(state, guard), step)


def sample_on_event(state: State, found: ast.CovergroupType, group: Covergroup) -> None:
    """Sample all instances whenever the covergroup's event happens (19.3)."""
    control, context = found.coverageEvent, state.context
    if control is None:
        return
    if group.outer is not None or not isinstance(control, ast.SignalEventControl | ast.EventListControl):
        context.unsupported("this sampling event of a covergroup", control)
    span = context.span(found)
    number = Signal(f"{group.made.key}::number", 32, Type("int", 32, True, False), 0, True)
    context.add_signals(number)
    at = Ref(number, context.home)
    size = SystemCall("array.size", (group.instances,), 32, True)
    item = Item(group.instances, at, 64, True, span, group.instances.signal.type)
    call = Evaluate(Call(group.sample, (), 0, span, item), span)
    step = Assign(at, Binary("add", at, constant(32, 1), 32), True, span)
    start = Assign(at, Const(32, 0), True, span)
    loop = Loop(Binary("slt", at, size, 1), call, (step,), span=span)
    context.add_process(Process(Kind.EVENTS, Block((start, loop)), events_of(state, control), "covergroup", span))


def _part_options(
    state: State, group: Covergroup, this: Signal, part: ast.CoverpointSymbol | ast.CoverCrossSymbol, name: str
) -> Options:
    options = read_options(state, part, f"{name}.", group.made.key, group.options, Ref(this))
    group.made.fields += options.fields.values()
    return options
