"""Covergroups as classes (IEEE 1800-2023 clause 19).

A covergroup is a class whose properties count the hits of its bins, so that a sample is a method in compiled code that
compares and counts. `get_inst_coverage` looks which counters have reached `at_least`; `get_coverage` of the type is the
mean over the instances, which a static queue lists (19.11.3 without `merge_instances`). A covergroup inside a class has
the object around it as a property.

Bins made by expressions that are no constants are `Unsupported`.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyslang import ast

from weft.ir.coverage import CoverGroup, CoverPart
from weft.ir.design import (
    AssignExpr,
    Binary,
    Call,
    Class,
    Cond,
    Expr,
    Field,
    Function,
    Iterate,
    New,
    Real,
    Ref,
    Signal,
    Type,
    Unary,
)
from weft.lang.sv.build import constant
from weft.lang.sv.classes import class_around
from weft.lang.sv.cover_classes import Covergroup, covered, make_constructor, make_coverage, weighted
from weft.lang.sv.cover_options import SETTABLE, Options, read_options
from weft.lang.sv.cover_references import CoverReference
from weft.lang.sv.cover_samples import make_sample, sample_on_event
from weft.lang.sv.dispatch import value_of
from weft.lang.sv.ownership import assigned
from weft.lang.sv.reals import REAL_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.lang.sv.context import ModuleContext
    from weft.lang.sv.state import State

_PARTS = (ast.CoverpointSymbol, ast.CoverCrossSymbol)


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
        return _coverage_of_type(state, group, part)
    if name in ("start", "stop") and part is None:
        return AssignExpr(Field(receiver, group.running, span), constant(1, int(name == "start")), 1)
    if name == "set_inst_name" and part is None:
        text = value_of(state, node.arguments[0])
        return AssignExpr(Field(receiver, group.options.fields["name"], span), text, 64)
    return state.context.unsupported(f"the method '{name}' of a covergroup", node)


def convert_option(state: State, node: ast.MemberAccessExpression, lvalue: bool) -> Expr | None:
    """Convert an option of a covergroup, coverpoint or cross; None if a member is none of these (19.7, 19.8)."""
    base = node.value
    whole = base.member if isinstance(base, ast.MemberAccessExpression) else getattr(base, "symbol", None)
    if not isinstance(whole, ast.ClassPropertySymbol) or whole.name not in ("option", "type_option"):
        return None
    receiver: ast.Expression | None = None
    part: ast.Symbol | None = None
    if isinstance(base, ast.MemberAccessExpression):
        receiver = base.value
        if isinstance(receiver, ast.MemberAccessExpression) and isinstance(receiver.member, _PARTS):
            part, receiver = receiver.member, receiver.value
        if not is_covergroup(receiver.type):
            return None
        found = receiver.type.canonicalType
        assert isinstance(found, ast.CovergroupType)
        owner = found, part
    else:
        owner = _owner(whole)
    if owner is None:
        return None
    group, name = _group(state, owner[0], node), node.member.name
    options = group.options if owner[1] is None else group.parts[owner[1]].options
    if lvalue and (name not in SETTABLE or (name == "at_least" and owner[1] is None)):
        state.context.unsupported(f"an assignment of the option '{name}' of a covergroup", node)
    if whole.name == "type_option":
        return options.shared[name]
    if receiver is None:
        state.context.unsupported("an option of no instance", node)
    return Field(value_of(state, receiver), options.fields[name], state.context.span(node))


def _owner(symbol: ast.Symbol) -> tuple[ast.CovergroupType, ast.Symbol | None] | None:
    """Return the covergroup, and the coverpoint or cross, that a built-in member belongs to; None without any."""
    scope = symbol.parentScope
    part: ast.Symbol | None = None
    for name in reversed(symbol.hierarchicalPath.replace("::", ".").split(".")[:-1]):
        found = scope.lookupName(name)
        if isinstance(found, ast.CovergroupType):
            return found, part
        if part is not None or not isinstance(found, _PARTS):
            break
        part = found
    return None


def _type_coverage(state: State, node: ast.CallExpression) -> Expr | None:
    """Convert `group::get_coverage()`, of a covergroup, a coverpoint or a cross; None if the call is none of these."""
    method = node.subroutine
    if node.subroutineName != "get_coverage" or not isinstance(method, ast.SubroutineSymbol):
        return None
    owner = _owner(method)
    if owner is None:
        return None
    return _coverage_of_type(state, _group(state, owner[0], node), owner[1])


def _coverage_of_type(state: State, group: Covergroup, part: ast.Symbol | None) -> Expr:
    if part is None:
        return _mean(state, group, group.coverage, group.options.fields["weight"])
    function = group.parts[part].coverage
    assert function is not None
    return _mean(state, group, function, None)


def _mean(state: State, group: Covergroup, function: Function, weight: Signal | None) -> Expr:
    """Return the mean of what a method returns for all instances by a weight, 0 without any."""
    kind = Type("class", 64, four_state=False, name=group.made.key)

    def total(value: Callable[[Expr], Expr]) -> Expr:
        item = Signal(state.fresh_label("group"), 64, kind, automatic=True, local=True)
        index = Signal(
            state.fresh_label("index"), 32, Type("int", 32, True, False), 0, True, automatic=True, local=True
        )
        return Iterate("sum", group.instances, item, index, value(Ref(item)), 64, REAL_TYPE, True)

    def share(item: Expr) -> Expr:
        return Real(1.0) if weight is None else Unary("itof", Field(item, weight), 64)

    weights = total(share)
    shares = total(lambda item: Binary("fmul", share(item), Call(function, (), 64, receiver=item), 64))
    return Cond(Binary("fgt", weights, Real(0.0), 1), Binary("fdiv", shares, weights, 64), Real(0.0), 64)


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
    this = Signal("this", 64, kind, automatic=True, local=True)
    kept = state.enter_method(Field(Ref(this), outer) if outer is not None else None)
    group = Covergroup(made, Ref(instances, context.home), arguments, outer, running, Options(), references)
    for formal, signal in zip(found.arguments, arguments, strict=True):
        value = Field(Ref(this), signal)
        state.names[formal] = references[formal].choose(value) if formal in references else value
    made.constructor = Function("new")
    group.options = read_options(state, found.body, "", key, None, Ref(this))
    made.fields += group.options.fields.values()
    context.convert_inside(group.sample, lambda: make_sample(state, found, group, this))
    context.convert_inside(made.constructor, lambda: make_constructor(group, this))
    for part in group.parts.values():
        part.coverage = Function("get_inst_coverage")
        context.convert_inside(part.coverage, lambda part=part: make_coverage(group, this, covered(part, this)))
    context.convert_inside(group.coverage, lambda: make_coverage(group, this, weighted(group, this)))
    state.leave_subroutine(kept)
    sample_on_event(state, found, group)
    cast("ModuleContext", context).module.covergroups.append(
        _described(group, instances, _shown_name(found, outer_class))
    )
    return group


def _shown_name(found: ast.CovergroupType, outer_class: ast.ClassType | None) -> str:
    """Return the name of a covergroup; one inside a class is called by the property that slang makes for it."""
    if outer_class is None:
        return found.name
    properties = (one for one in outer_class if isinstance(one, ast.ClassPropertySymbol))
    name = next((one.name for one in properties if one.type.canonicalType is found), "covergroup")
    return f"{outer_class.name}::{name}"


def _described(group: Covergroup, instances: Signal, name: str) -> CoverGroup:
    """Return what the report of coverage shows of a covergroup."""
    parts: list[CoverPart] = []
    for symbol, part in group.parts.items():
        is_cross = isinstance(symbol, ast.CoverCrossSymbol)
        shown = symbol.name or " x ".join(target.name for target in symbol.targets) if is_cross else symbol.name
        bins = tuple(zip(part.names, part.counters, strict=True))
        parts.append(CoverPart(shown, "cross" if is_cross else "coverpoint", bins, part.options.fields))
    types = {name: found.signal for name, found in group.options.shared.items()}
    return CoverGroup(name, instances, tuple(parts), group.options.fields, types)
