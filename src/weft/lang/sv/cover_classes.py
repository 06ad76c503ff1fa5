"""The classes that covergroups are: constructors, and methods that compute coverage (IEEE 1800-2023 19.11)."""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.base.dataclass import dataclass, field
from weft.ir.design import (
    Assign,
    Binary,
    Block,
    Call,
    Class,
    Cond,
    Evaluate,
    Expr,
    Field,
    Function,
    Jump,
    Real,
    Ref,
    Resize,
    Signal,
    Statement,
    SystemCall,
    Unary,
)
from weft.lang.sv.build import constant
from weft.lang.sv.cover_bins import Bins
from weft.lang.sv.cover_options import Options
from weft.lang.sv.cover_references import CoverReference
from weft.lang.sv.reals import REAL_TYPE

if TYPE_CHECKING:
    pass


@dataclass(slots=True, eq=False)
class Part:
    """Be a coverpoint or cross: the counters of its bins, and its options."""

    symbol: ast.Symbol
    counters: list[Signal]
    options: Options
    bins: Bins | None = None
    names: list[str] = field(default_factory=list[str])
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
    options: Options
    references: dict[ast.Symbol, CoverReference] = field(default_factory=dict[ast.Symbol, CoverReference])
    parts: dict[ast.Symbol, Part] = field(default_factory=dict[ast.Symbol, Part])
    sample: Function = field(default_factory=lambda: Function("sample"))
    coverage: Function = field(default_factory=lambda: Function("get_inst_coverage"))


def make_constructor(group: Covergroup, this: Signal) -> Function:
    """Make the constructor, which keeps the arguments, sets the options and lists the instance."""
    fields = [*([group.outer] if group.outer is not None else []), *group.arguments]
    formals = [
        Signal(f"new.{one.name}", one.width, one.type, 0, one.signed, automatic=True, local=True) for one in fields
    ]
    body: list[Statement] = [
        Assign(Field(Ref(this), one), Ref(formal), True) for one, formal in zip(fields, formals, strict=True)
    ]
    body.append(Assign(Field(Ref(this), group.running), constant(1, 1), True))
    body += group.options.start(Ref(this))
    for part in group.parts.values():
        body += part.options.start(Ref(this))
    queue = group.instances.signal.type
    push = SystemCall("array.push_back", (group.instances, Ref(this)), 0, types=(queue, this.type))
    body.append(Evaluate(push))
    args = [("input", formal) for formal in formals]
    return Function("new", args, body=Block(tuple(body)), automatic=True, scope=f"{group.made.name}::new", this=this)


def make_method(group: Covergroup, name: str, this: Signal, body: list[Statement], result: Signal | None) -> Function:
    """Make a method of a covergroup."""
    scope = f"{group.made.name}::{name}"
    return Function(name, [], result, body=Block(tuple(body)), automatic=True, scope=scope, this=this)


def make_coverage(group: Covergroup, this: Signal, value: Expr) -> Function:
    """Make the method that returns the coverage of an instance."""
    result = Signal("coverage", 64, REAL_TYPE, signed=True, automatic=True, local=True)
    return make_method(group, "get_inst_coverage", this, [Jump("return", value=value)], result)


def covered(part: Part, this: Signal) -> Expr:
    """Return how many of a hundred bins have been hit often enough (19.11)."""
    if not part.counters:
        return Real(0.0)
    reached: Expr = constant(32, 0)
    least = Resize(Field(Ref(this), part.options.fields["at_least"]), 64, True)
    for counter in part.counters:
        hit = Binary("uge", Field(Ref(this), counter), least, 1)
        reached = Binary("add", reached, Cond(hit, constant(32, 1), constant(32, 0), 32), 32)
    return Binary(
        "fdiv", Binary("fmul", Unary("itof", reached, 64), Real(100.0), 64), Real(float(len(part.counters))), 64
    )


def weighted(group: Covergroup, this: Signal) -> Expr:
    """Return the mean of the coverpoints and crosses by their weights."""
    total: Expr = Real(0.0)
    weights: Expr = Real(0.0)
    for part in group.parts.values():
        if part.counters:
            assert part.coverage is not None
            weight = Unary("itof", Field(Ref(this), part.options.fields["weight"]), 64)
            share = Binary("fmul", Call(part.coverage, (), 64, receiver=Ref(this)), weight, 64)
            total, weights = Binary("fadd", total, share, 64), Binary("fadd", weights, weight, 64)
    return Cond(Binary("fgt", weights, Real(0.0), 1), Binary("fdiv", total, weights, 64), Real(0.0), 64)
