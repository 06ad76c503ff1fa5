"""What only the event engine can run is refused for the cycle engines, with its place."""

from __future__ import annotations

import pytest

from weft.base.errors import Unsupported
from weft.base.source import SourceMap, Span
from weft.ir.design import (
    Assign,
    Block,
    Class,
    Const,
    Delay,
    Design,
    Disable,
    DisableFork,
    Evaluate,
    Field,
    Force,
    Gate,
    Implicit,
    Item,
    Kind,
    Module,
    New,
    Process,
    Real,
    Ref,
    Release,
    Repeated,
    Signal,
    Statement,
    SystemCall,
    SystemTask,
    Text,
    Trigger,
    Type,
    Unary,
    Wait,
    WaitFork,
)
from weft.passes.check_cycle_support import check_cycle_support

HERE = Span(0, 3, 7)
BIT = Signal("a", 1, Type("logic", 1))
EVENT = Signal("e", 64, Type("event", 64), span=HERE)
CLASS = Class("c", "c", span=HERE)

STATEMENTS: dict[str, tuple[Statement, str]] = {
    "force": (Force(Ref(BIT), Const(1, 1), "force", HERE), "'force'"),
    "assign": (Force(Ref(BIT), Const(1, 1), "assign", HERE), "a procedural continuous assignment"),
    "release": (Release(Ref(BIT), "release", HERE), "'release'"),
    "deassign": (Release(Ref(BIT), "deassign", HERE), "'deassign'"),
    "trigger": (Trigger(Ref(EVENT), span=HERE), "an event trigger"),
    "disable": (Disable("x", span=HERE), "'disable' of a block or task that is not around the statement"),
    "wait fork": (WaitFork(HERE), "'wait fork'"),
    "disable fork": (DisableFork(HERE), "'disable fork'"),
    "repeated": (Assign(Ref(BIT), Const(1, 1), True, HERE, Repeated(Const(2, 2), ())), "a repeated event control"),
    "implicit": (Wait(Implicit(), Block(()), HERE), "'@*' inside a procedure"),
    "delay": (Wait(Delay(Real(1.5), real=True), Block(()), HERE), "a delay that is not a whole number of time units"),
    "real": (SystemTask("$display", (Text("%f"), Real(1.5)), span=HERE), "a real number"),
    "conversion": (Assign(Ref(BIT), Unary("ftoi", Ref(BIT), 1), True, HERE), "a real number"),
    "item": (Assign(Item(Ref(BIT), Const(1, 0), 1, span=HERE), Const(1, 0), True), "a dynamic array, queue or "),
    "field": (Evaluate(Field(Ref(BIT), BIT), HERE), "a class object"),
    "new": (Evaluate(New(CLASS), HERE), "a class object"),
    "string": (Evaluate(SystemCall("string.len", (Text("a"),), 32, span=HERE)), "a string"),
    "real function": (Evaluate(SystemCall("$ln", (Ref(BIT),), 64, span=HERE, type=Type("real", 64))), "a real number"),
    "nested": (Block((Block((), locals=(EVENT,)),)), "a named event"),
}


def refusal(module: Module, *classes: Class) -> tuple[str, Span]:
    design = Design(SourceMap(), [("t", module)], [module], classes=list(classes))
    with pytest.raises(Unsupported) as caught:
        check_cycle_support(design)
    return caught.value.message, caught.value.span


@pytest.mark.parametrize("name", STATEMENTS)
def test_statements(name: str) -> None:
    statement, what = STATEMENTS[name]
    message, span = refusal(Module("t", "t", processes=[Process(Kind.INITIAL, statement)]))
    assert message.startswith(what) and "(it needs the event engine)" in message
    assert span == HERE


def test_declarations() -> None:
    assert refusal(Module("t", "t", signals=[EVENT])) == (
        "a named event (it needs the event engine) is not supported yet",
        HERE,
    )
    delayed = Signal("w", 1, Type("logic", 1), net="wire", delay=Delay(Const(8, 5)), span=HERE)
    assert refusal(Module("t", "t", signals=[delayed]))[0].startswith("a delay of a net")
    switch = Gate("nmos", (Ref(BIT),), (Ref(BIT), Ref(BIT)), HERE)
    assert refusal(Module("t", "t", gates=[switch]))[0].startswith("the switch primitive 'nmos'")
    reactive = Process(Kind.INITIAL, Block(()), reactive=True, span=HERE)
    assert refusal(Module("t", "t", processes=[reactive]))[0].startswith("a program")
    assert refusal(Module("t", "t"), CLASS)[0].startswith("a class object")


def test_what_cycle_simulations_print_passes() -> None:
    task = SystemTask("$display", (Text("%t"), SystemCall("$realtime", (), 64, type=Type("real", 64))))
    module = Module("t", "t", signals=[BIT], processes=[Process(Kind.INITIAL, task)])
    check_cycle_support(Design(SourceMap(), [("t", module)], [module]))
