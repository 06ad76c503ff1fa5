"""Make modules of the design by hand, lower and flatten them, and run the result on the reference engine."""

from __future__ import annotations

from tests.passes.fragments import Bench

from weft.base.source import NOWHERE, SourceMap
from weft.ir.design import (
    Assign,
    Block,
    ContinuousAssign,
    Design,
    Event,
    If,
    Instance,
    Kind,
    Module,
    Port,
    Process,
    Signal,
    Statement,
    Type,
)
from weft.ir.expressions import Binary, Const, Element, Expr, Ref, Resize, Slice
from weft.passes.flatten_design import flatten_design
from weft.passes.lower_module import lower_module
from weft.passes.split_planes import split_planes


def const(width: int, value: int, unknown: int = 0) -> Const:
    return Const(width, value, unknown)


def op(name: str, lhs: Expr, rhs: Expr, width: int = 0) -> Binary:
    return Binary(name, lhs, rhs, width or lhs.width)


def eq(lhs: Expr, value: int) -> Binary:
    return Binary("eq", lhs, Const(lhs.width, value), 1)


def seq(*body: Statement) -> Block:
    return Block(body)


def blocking(lhs: Expr, rhs: Expr) -> Assign:
    return Assign(lhs, rhs, True)


def later(lhs: Expr, rhs: Expr) -> Assign:
    return Assign(lhs, rhs, False)


def when(cond: Expr, then: Statement, other: Statement | None = None) -> If:
    return If(cond, then, other)


class Design1:
    """Build one top module."""

    def __init__(self, name: str = "top", four_state: bool = False) -> None:
        self.module = Module(name, name)
        self.four_state = four_state
        self.others: list[Module] = []

    def signal(self, name: str, width: int = 1, depth: int = 0, port: str = "", **options) -> Ref:
        kind = Type("logic", width)
        signal = Signal(name, width, kind, depth, net="wire" if port == "input" else "", **options)
        if not options.get("automatic"):
            self.module.signals.append(signal)
        if port:
            self.module.ports.append(Port(name, port, signal))
        return Ref(signal)

    def input(self, name: str, width: int = 1) -> Ref:
        return self.signal(name, width, port="input")

    def assign(self, lhs: Expr, rhs: Expr, **options) -> None:
        self.module.assigns.append(ContinuousAssign(lhs, rhs, **options))

    def comb(self, *body: Statement) -> None:
        self.module.processes.append(Process(Kind.COMB, Block(body)))

    def always(self, events: tuple[Event, ...], *body: Statement) -> None:
        self.module.processes.append(Process(Kind.EVENTS, Block(body), events))

    def at(self, clock: Expr, *body: Statement) -> None:
        self.always((Event("posedge", clock),), *body)

    def instance(self, name: str, module: Module, *connections: Expr | None) -> None:
        self.module.instances.append(Instance(name, module, connections))
        self.others.append(module)

    def lower(self):
        return lower_module(self.module, four_state=self.four_state)

    def bench(self) -> Bench:
        modules = [*dict.fromkeys(self.others), self.module]
        design = Design(SourceMap(), [(self.module.name, self.module)], modules)
        fragments = {module: lower_module(module, four_state=self.four_state) for module in modules}
        graph = flatten_design(design, fragments, four_state=self.four_state)
        return Bench(split_planes(graph) if self.four_state else graph)


def element(array: Ref, index: Expr | int) -> Element:
    return Element(array.signal, Const(32, index) if isinstance(index, int) else index)


def bit(value: Expr, offset: Expr | int) -> Slice:
    return Slice(value, offset, 1)


def part(value: Expr, offset: Expr | int, width: int) -> Slice:
    return Slice(value, offset, width)


def wide(value: Expr, width: int) -> Resize:
    return Resize(value, width, False)


__all__ = ["NOWHERE", "Bench", "Design1"]
