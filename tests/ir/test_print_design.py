"""Every kind of expression and statement has one text form."""

import pytest

from weft.base.source import SourceMap
from weft.ir.design import (
    Assertion,
    Assign,
    AssignExpr,
    Binary,
    Block,
    Call,
    Case,
    CaseItem,
    Class,
    Concat,
    Cond,
    Const,
    ContinuousAssign,
    Delay,
    Design,
    Disable,
    DisableFork,
    Element,
    Evaluate,
    Event,
    Field,
    Force,
    Function,
    Gate,
    If,
    Implicit,
    Item,
    Iterate,
    Jump,
    Kind,
    Loop,
    Module,
    New,
    Process,
    Real,
    Ref,
    Release,
    Repeat,
    Repeated,
    RepeatTimes,
    Resize,
    Signal,
    Slice,
    SystemCall,
    SystemTask,
    Text,
    Trigger,
    Type,
    UdpTable,
    Unary,
    Wait,
    WaitFork,
    WaitUntil,
)
from weft.ir.print_design import print_design, print_expression, print_module, print_statement

A = Ref(Signal("a", 8, Type("logic", 8)))
B = Ref(Signal("b", 8, Type("logic", 8)), ("u", "v"))
MEMORY = Signal("m", 8, Type("logic", 8), depth=4)
ONE = Const(8, 1)
SET = Assign(A, ONE, True)
ITEM = Signal("item", 8, Type("logic", 8), automatic=True, local=True)
INDEX = Signal("index", 32, Type("integer", 32), automatic=True, local=True)
QUEUE = Type("queue", 64, element=Type("logic", 8), bound=3)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (None, "-"),
        (Const(8, 255), "8'hff"),
        (Const(4, 0b0110, 0b0011), "4'b01zx"),
        (Text('say "x"'), "'say \"x\"'"),
        (B, "u.v::b"),
        (Element(MEMORY, ONE, ("u",)), "u::m[8'h1]"),
        (Slice(A, -1, 2), "a[-1+:2]"),
        (Slice(A, B, 2), "a[u.v::b+:2]"),
        (Resize(A, 4, True), "trunc(a, 4)"),
        (Resize(A, 9, True), "sext(a, 9)"),
        (Resize(A, 9, False), "zext(a, 9)"),
        (Unary("redor", A, 1), "redor(a)"),
        (Binary("add", A, ONE, 8), "(a add 8'h1)"),
        (Cond(A, ONE, B, 8), "(a ? 8'h1 : u.v::b)"),
        (Concat((A, ONE), 16), "{a, 8'h1}"),
        (Repeat(3, A, 24), "{3{a}}"),
        (Call(Function("f"), (A, ONE), 8), "f(a, 8'h1)"),
        (SystemCall("$random", (), 32), "$random():32"),
        (AssignExpr(A, ONE, 8), "(a = 8'h1)"),
        (AssignExpr(A, ONE, 8, post=True), "(a post= 8'h1)"),
        (Real(1.5), "1.5"),
        (Item(A, ONE, 8, True), "a[signed 8'h1]:8"),
        (Field(A, ITEM), "a.item"),
        (New(Class("c", "c$2"), (ONE,)), "new c$2(8'h1)"),
        (Iterate("find", A, ITEM, INDEX, ONE, 64, QUEUE), "find(a with (item, index : 8'h1)):64"),
        (Call(Function("f"), (ONE,), 8, receiver=A, virtual=True), "a.virtual f(8'h1)"),
        (SystemCall("$ln", (A,), 64, type=Type("real", 64), signs=(True,)), "$ln(a; s):64 real"),
        (SystemCall("array.new", (A,), 64, type=QUEUE), "array.new(a):64 queue[3] of logic 8"),
    ],
)
def test_expressions(expression, text: str):
    assert print_expression(expression) == text


@pytest.mark.parametrize(
    ("statement", "lines"),
    [
        (Block((SET, SET)), ["a = 8'h1", "a = 8'h1"]),
        (Block((SET,), "name", "join_any"), ["begin fork join_any : name", "  a = 8'h1", "end"]),
        (Assign(A, ONE, False, timing=Delay(ONE)), ["a <= #8'h1 8'h1"]),
        (If(A, SET, SET, "unique"), ["unique if a", "  a = 8'h1", "else", "  a = 8'h1"]),
        (
            Case("inside", A, (CaseItem((ONE, (ONE, B)), SET),), SET, "priority"),
            ["priority inside a", "  8'h1, [8'h1 : u.v::b]:", "    a = 8'h1", "  default:", "    a = 8'h1"],
        ),
        (Loop(A, SET, (SET,)), ["while a", "  a = 8'h1", "step", "  a = 8'h1"]),
        (Loop(None, SET, test_last=True), ["do while -", "  a = 8'h1"]),
        (RepeatTimes(A, SET), ["repeat a", "  a = 8'h1"]),
        (Jump("disable", "name"), ["disable name"]),
        (Jump("return", value=A), ["return a"]),
        (Evaluate(A), ["a"]),
        (SystemTask("$display", (Text("x"), None, A)), ["$display('x', -, a)"]),
        (
            Assertion("assert", A, SET, SET, "final", "name"),
            ["assert final name a", "  a = 8'h1", "else", "  a = 8'h1"],
        ),
        (
            Wait((Event("posedge", A, ONE), Event("any", B)), SET),
            ["@(posedge a iff 8'h1, any u.v::b)", "  a = 8'h1"],
        ),
        (Wait(Delay(ONE), SET), ["#8'h1", "  a = 8'h1"]),
        (WaitUntil(A, SET), ["wait a", "  a = 8'h1"]),
        (
            Block((SET,), fork="join", scope="u.v", locals=(ITEM,)),
            ["begin fork join in u.v", "  automatic [8] item", "  a = 8'h1", "end"],
        ),
        (Assign(A, ONE, True, timing=Repeated(ONE, (Event("any", B),))), ["a = repeat (8'h1) @(any u.v::b) 8'h1"]),
        (Wait(Implicit(), SET), ["@*", "  a = 8'h1"]),
        (Wait(Delay(Real(0.5), real=True), SET), ["#real 0.5", "  a = 8'h1"]),
        (Force(A, ONE, "assign"), ["assign a = 8'h1"]),
        (Release(A, "release"), ["release a"]),
        (Trigger(A), ["-> a"]),
        (Trigger(A, False, Delay(ONE)), ["->> #8'h1 a"]),
        (Disable("b.c", ("u", "v")), ["disable u.v::b.c"]),
        (WaitFork(), ["wait fork"]),
        (DisableFork(), ["disable fork"]),
    ],
)
def test_statements(statement, lines: list[str]):
    assert print_statement(statement) == lines


def test_what_only_events_use():
    net = Signal("w", 1, Type("logic", 1), net="trireg", charge="small", delay=Delay(ONE, ONE))
    table = UdpTable("latch", (("01", "?", "1"), ("(01)0", "0", "-")), True, "0")
    delay = Delay(Const(2, 1), Const(2, 2), Const(2, 3))
    module = Module(
        "m",
        "m",
        signals=[net],
        assigns=[ContinuousAssign(A, ONE, delay=delay)],
        processes=[Process(Kind.INITIAL, SET, reactive=True)],
        gates=[
            Gate("nmos", (A,), (B, ONE), strength=("pull", "weak"), delay=Delay(ONE), name="n"),
            Gate("udp", (A,), (B,), table=table, name="u"),
        ],
    )
    assert print_module(module).splitlines() == [
        "module m",
        "  trireg (small) #(8'h1, 8'h1) [1] w",
        "  assign #(2'h1, 2'h2, 2'h3) a = 8'h1",
        "  nmos (pull, weak) #8'h1 n(a : u.v::b, 8'h1)",
        "  latch u(a : u.v::b)",
        "  table latch (sequential, at first 0)",
        "    01 : ? : 1",
        "    (01)0 : 0 : -",
        "  reactive initial (always)",
        "    a = 8'h1",
    ]


def test_classes():
    base = Class("b", "b", fields=[ITEM])
    method = Function("f", virtual=True)
    design = Design(SourceMap(), [], [], classes=[Class("c", "c$2", base, methods={"f": method})])
    assert print_design(design).splitlines() == ["class c$2 extends b", "  virtual function f()"]
