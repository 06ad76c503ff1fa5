"""Covergroups as classes (IEEE 1800-2023 clause 19).

A covergroup is a class whose properties count the hits of its bins, so that a sample is a method in compiled code that
compares and counts. `get_inst_coverage` looks which counters have reached `at_least`; `get_coverage` of the type is the
mean over the instances, which a static queue lists (19.11.3 without `merge_instances`). A covergroup inside a class has
the object around it as a property.

Bins made by expressions that are no constants and options that are set when it runs are `Unsupported`.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.base.dataclass import dataclass, field
from weft.ir.design import (
    Assign,
    AssignExpr,
    Binary,
    Block,
    Call,
    Class,
    Cond,
    Const,
    Evaluate,
    Expr,
    Field,
    Function,
    If,
    Item,
    Iterate,
    Jump,
    Kind,
    Loop,
    New,
    Process,
    Real,
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
from weft.lang.sv.classes import class_around
from weft.lang.sv.constants import index_value
from weft.lang.sv.cover_bins import Bin, Bins, find_bins, in_ranges, matches
from weft.lang.sv.cover_crosses import CrossBins, find_cross_bins
from weft.lang.sv.cover_references import CoverReference
from weft.lang.sv.dispatch import truth_of, value_of
from weft.lang.sv.ownership import assigned
from weft.lang.sv.reals import REAL_TYPE
from weft.lang.sv.timing import events_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State

_Optional = ast.CovergroupBodySymbol | ast.CoverpointSymbol | ast.CoverCrossSymbol
_PARTS = (ast.CoverpointSymbol, ast.CoverCrossSymbol)
_COUNT = Type("bit", 64, four_state=False)
_MOST = 4096
_KNOWN_OPTIONS = frozenset({"name", "comment", "goal", "per_instance", "get_inst_coverage", "detect_overlap"})
"""Options that change nothing in what is counted."""


@dataclass(slots=True, eq=False)
class _Part:
    """Be a coverpoint or cross: the counters of its bins, and its options."""

    symbol: ast.Symbol
    counters: list[Signal]
    weight: int
    at_least: int
    bins: Bins | None = None
    hits: list[Expr] = field(default_factory=list[Expr])
    coverage: Function | None = None


@dataclass(slots=True, eq=False)
class Covergroup:
    """Be a covergroup's class, its instances and its methods."""

    made: Class
    instances: Ref
    arguments: list[Signal]
    outer: Signal | None
    running: Signal
    references: dict[ast.Symbol, CoverReference] = field(default_factory=dict[ast.Symbol, CoverReference])
    parts: dict[ast.Symbol, _Part] = field(default_factory=dict[ast.Symbol, _Part])
    sample: Function = field(default_factory=lambda: Function("sample"))
    coverage: Function = field(default_factory=lambda: Function("get_inst_coverage"))


def is_covergroup(slang_type: ast.Type) -> bool:
    """Say whether a type is that of a covergroup's instances."""
    return isinstance(slang_type.canonicalType, ast.CovergroupType)


def convert_new_group(state: State, node: ast.Expression) -> Expr:
    """Convert `new` of a covergroup."""
    assert isinstance(node, ast.NewCovergroupExpression)
    found = node.type.canonicalType
    assert isinstance(found, ast.CovergroupType)
    group = _group(state, found, node)
    args: list[Expr] = []
    if group.outer is not None:
        if state.this is None:
            state.context.unsupported("a covergroup of a class without an object here", node)
        args.append(state.this)
    for formal, actual in zip(found.arguments, node.arguments, strict=True):
        if formal in group.references:
            args.append(constant(32, group.references[formal].number(state, actual)))
        else:
            args.append(assigned(state, actual, formal.type))
    return New(group.made, tuple(args), state.context.span(node))


def convert_group_method(state: State, node: ast.CallExpression) -> Expr | None:
    """Convert a method of a covergroup, coverpoint or cross; None if the call is none."""
    owner = node.thisClass
    if owner is None:
        return _type_coverage(state, node)
    part: ast.Symbol | None = None
    if isinstance(owner, ast.MemberAccessExpression) and isinstance(owner.member, _PARTS):
        part, owner = owner.member, owner.value
    elif not is_covergroup(owner.type):
        return None
    found = owner.type.canonicalType
    assert isinstance(found, ast.CovergroupType)
    group = _group(state, found, node)
    name, receiver, span = node.subroutineName, value_of(state, owner), state.context.span(node)
    if name == "sample" and part is None:
        formals = group.sample.args
        args = [value_of(state, actual) for actual in node.arguments]
        assert len(args) == len(formals)
        return Call(group.sample, tuple(args), 0, span, receiver)
    if name in ("get_coverage", "get_inst_coverage"):
        function = group.coverage if part is None else group.parts[part].coverage
        assert function is not None
        if name == "get_inst_coverage":
            return Call(function, (), 64, span, receiver)
        return _mean(state, group, function)
    if name in ("start", "stop") and part is None:
        return AssignExpr(Field(receiver, group.running, span), constant(1, int(name == "start")), 1)
    return state.context.unsupported(f"the method '{name}' of a covergroup", node)


def _type_coverage(state: State, node: ast.CallExpression) -> Expr | None:
    """Convert `group::get_coverage()`, of a covergroup, a coverpoint or a cross; None if the call is none of these."""
    method = node.subroutine
    if node.subroutineName != "get_coverage" or not isinstance(method, ast.SubroutineSymbol):
        return None
    scope = method.parentScope
    part: ast.Symbol | None = None
    for name in reversed(method.hierarchicalPath.replace("::", ".").split(".")[:-1]):
        found = scope.lookupName(name)
        if isinstance(found, ast.CovergroupType):
            group = _group(state, found, node)
            function = group.coverage if part is None else group.parts[part].coverage
            assert function is not None
            return _mean(state, group, function)
        if part is not None or not isinstance(found, _PARTS):
            break
        part = found
    return None


def _mean(state: State, group: Covergroup, function: Function) -> Expr:
    """Return the mean of what a method returns for all instances, 0 without any."""
    kind = Type("class", 64, four_state=False, name=group.made.key)
    item = Signal(state.fresh_label("group"), 64, kind, automatic=True, local=True)
    index = Signal(state.fresh_label("index"), 32, Type("int", 32, True, False), 0, True, automatic=True, local=True)
    body = Call(function, (), 64, receiver=Ref(item))
    total = Iterate("sum", group.instances, item, index, body, 64, REAL_TYPE, True)
    count = SystemCall("array.size", (group.instances,), 32, True)
    mean = Binary("fdiv", total, Unary("itof", count, 64), 64)
    return Cond(Binary("eq", count, constant(32, 0), 1), Real(0.0), mean, 64)


# ------------------------------------------------------------------------------------------------- the class


def _group(state: State, found: ast.CovergroupType, node: ast.Expression) -> Covergroup:
    """Return a covergroup, made when first asked for."""
    table = state.context.objects.groups
    if found not in table:
        inside = found.parentScope.lookupName("this")
        outer_class = class_around(found) if isinstance(inside, ast.VariableSymbol) else None
        home = state.context.home_of(outer_class) if outer_class is not None else state.context.home_of(found)
        table[found] = _make(home.state, found, outer_class)
    return table[found]


def _make(state: State, found: ast.CovergroupType, outer_class: ast.ClassType | None) -> Covergroup:
    context, span = state.context, state.context.span(found)
    if found.baseGroup is not None:
        context.unsupported("a covergroup that extends another", found)
    name = found.name or "covergroup"
    key = context.class_key(found)
    made = Class(name, key, span=span)
    context.add_class(made)
    kind = Type("class", 64, four_state=False, name=key)
    instances = Signal(f"{key}::instances", 64, Type("queue", 64, four_state=False, element=kind), span=span)
    context.add_signals(instances)
    outer = None
    if outer_class is not None:
        outer = Signal("$outer", 64, context.describe(outer_class))
        made.fields.append(outer)
    arguments: list[Signal] = []
    references: dict[ast.Symbol, CoverReference] = {}
    for number, formal in enumerate(found.arguments):
        layout = state.layout(formal.type)
        if formal.direction == ast.ArgumentDirection.In:
            arguments.append(Signal(formal.name, layout.width, context.describe(formal.type), 0, layout.signed))
        else:
            references[formal] = CoverReference(state, found, number)
            arguments.append(Signal(f"{formal.name}$variable", 32, Type("int", 32, True, False), 0, True))
    running = Signal("$running", 1, Type("bit", 1, four_state=False))
    made.fields += [*arguments, running]
    group = Covergroup(made, Ref(instances, context.home), arguments, outer, running, references)
    this = Signal("this", 64, kind, automatic=True, local=True)
    kept = state.enter_method(Field(Ref(this), outer) if outer is not None else None)
    for formal, signal in zip(found.arguments, arguments, strict=True):
        value = Field(Ref(this), signal)
        state.names[formal] = references[formal].choose(value) if formal in references else value
    made.constructor = Function("new")
    context.convert_inside(made.constructor, lambda: _constructor(group, this))
    context.convert_inside(group.sample, lambda: _sample(state, found, group, this))
    for part in group.parts.values():
        part.coverage = Function("get_inst_coverage")
        context.convert_inside(part.coverage, lambda part=part: _coverage(group, this, _covered(part, this)))
    context.convert_inside(group.coverage, lambda: _coverage(group, this, _weighted(group, this)))
    state.leave_subroutine(kept)
    _sample_on_event(state, found, group)
    return group


def _constructor(group: Covergroup, this: Signal) -> Function:
    fields = [*([group.outer] if group.outer is not None else []), *group.arguments]
    formals = [
        Signal(f"new.{one.name}", one.width, one.type, 0, one.signed, automatic=True, local=True) for one in fields
    ]
    body: list[Statement] = [
        Assign(Field(Ref(this), one), Ref(formal), True) for one, formal in zip(fields, formals, strict=True)
    ]
    body.append(Assign(Field(Ref(this), group.running), constant(1, 1), True))
    queue = group.instances.signal.type
    push = SystemCall("array.push_back", (group.instances, Ref(this)), 0, types=(queue, this.type))
    body.append(Evaluate(push))
    args = [("input", formal) for formal in formals]
    return Function("new", args, body=Block(tuple(body)), automatic=True, scope=f"{group.made.name}::new", this=this)


def _method(group: Covergroup, name: str, this: Signal, body: list[Statement], result: Signal | None) -> Function:
    scope = f"{group.made.name}::{name}"
    return Function(name, [], result, body=Block(tuple(body)), automatic=True, scope=scope, this=this)


def _coverage(group: Covergroup, this: Signal, value: Expr) -> Function:
    result = Signal("coverage", 64, REAL_TYPE, signed=True, automatic=True, local=True)
    return _method(group, "get_inst_coverage", this, [Jump("return", value=value)], result)


def _covered(part: _Part, this: Signal) -> Expr:
    """Return how many of a hundred bins have been hit often enough (19.11)."""
    if not part.counters:
        return Real(0.0)
    reached: Expr = constant(32, 0)
    for counter in part.counters:
        hit = Binary("uge", Field(Ref(this), counter), constant(64, part.at_least), 1)
        reached = Binary("add", reached, Cond(hit, constant(32, 1), constant(32, 0), 32), 32)
    return Binary(
        "fdiv", Binary("fmul", Unary("itof", reached, 64), Real(100.0), 64), Real(float(len(part.counters))), 64
    )


def _weighted(group: Covergroup, this: Signal) -> Expr:
    """Return the mean of the coverpoints and crosses by their weights."""
    total: Expr = Real(0.0)
    weights = 0
    for part in group.parts.values():
        if part.weight and part.counters:
            assert part.coverage is not None
            share = Binary("fmul", Call(part.coverage, (), 64, receiver=Ref(this)), Real(float(part.weight)), 64)
            total = Binary("fadd", total, share, 64)
            weights += part.weight
    return Binary("fdiv", total, Real(float(weights)), 64) if weights else Real(0.0)


# ------------------------------------------------------------------------------------------------- samples


def _sample(state: State, found: ast.CovergroupType, group: Covergroup, this: Signal) -> Function:
    """Make the method that evaluates the coverpoints and counts (19.8)."""
    context = state.context
    args: list[tuple[str, Signal]] = []
    for formal in found.body:
        if isinstance(formal, ast.SubroutineSymbol) and formal.name == "sample":
            args = [("input", _formal(state, one)) for one in formal.arguments]
    for member in found:
        if isinstance(member, ast.FormalArgumentSymbol) and member not in state.names:
            state.names[member] = Ref(next(signal for _, signal in args if signal.name == f"sample.{member.name}"))
    options = _options(state, found.body, {"weight": 1, "at_least": 1, "auto_bin_max": 64})
    body: list[Statement] = []
    for member in found.body:
        if isinstance(member, ast.CoverpointSymbol):
            body += _sample_point(state, group, this, member, options)
        elif isinstance(member, ast.CoverCrossSymbol):
            body += _sample_cross(state, group, this, member, options)
    guarded = If(Field(Ref(this), group.running), Block(tuple(body)), span=context.span(found))
    made = _method(group, "sample", this, [guarded], None)
    made.args = args
    return made


def _formal(state: State, symbol: ast.FormalArgumentSymbol) -> Signal:
    layout, described = state.layout(symbol.type), state.context.describe(symbol.type)
    if symbol.direction != ast.ArgumentDirection.In:
        state.context.unsupported("an argument of 'sample' that is no input", symbol)
    return Signal(f"sample.{symbol.name}", layout.width, described, 0, layout.signed, automatic=True, local=True)


def _options(state: State, scope: _Optional, default: dict[str, int]) -> dict[str, int]:
    """Return the options that a covergroup, coverpoint or cross sets, or has from around it (19.7)."""
    found = dict(default)
    for option in scope.options:
        value = option.expression
        if isinstance(value, ast.AssignmentExpression):
            value = value.right
        number = index_value(value)
        if option.name in found and number is not None:
            found[option.name] = number
        elif option.name not in _KNOWN_OPTIONS:
            state.context.unsupported(f"the option '{option.name}' here", option.expression)
    return found


def _count(group: Covergroup, this: Signal, counter: Signal) -> Statement:
    group.made.fields.append(counter)
    place = Field(Ref(this), counter)
    return Assign(place, Binary("add", place, constant(64, 1), 64), True)


def _sample_point(
    state: State, group: Covergroup, this: Signal, point: ast.CoverpointSymbol, outer: dict[str, int]
) -> list[Statement]:
    options = _options(state, point, {**outer, "weight": 1})
    layout, span = state.layout(point.coverageExpr.type), state.context.span(point)
    bins = find_bins(state, point, layout, options["auto_bin_max"])
    value = Ref(state.context.temporary("value", layout.width))
    part = _Part(point, [], options["weight"], options["at_least"], bins)
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


def _sample_cross(
    state: State, group: Covergroup, this: Signal, cross: ast.CoverCrossSymbol, outer: dict[str, int]
) -> list[Statement]:
    """Count each combination of bins (19.6)."""
    context, span = state.context, state.context.span(cross)
    options = _options(state, cross, {**outer, "weight": 1})
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
    part = group.parts[cross] = _Part(cross, [], options["weight"], options["at_least"])
    name = f"{cross.name or 'cross'}{len(group.parts)}"
    own = {number: Signal(f"{name}.{found.own[number].name}", 64, _COUNT) for number in _counting(found)}
    part.counters += own.values()
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


def _sample_on_event(state: State, found: ast.CovergroupType, group: Covergroup) -> None:
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
