"""Every kind of expression and statement has one text form."""

import pytest

from weft.ir.design import (
    Assertion,
    Assign,
    AssignExpr,
    Binary,
    Block,
    Call,
    Case,
    CaseItem,
    Concat,
    Cond,
    Const,
    Delay,
    Element,
    Evaluate,
    Event,
    Function,
    If,
    Jump,
    Loop,
    Ref,
    Repeat,
    RepeatTimes,
    Resize,
    Signal,
    Slice,
    SystemCall,
    SystemTask,
    Text,
    Type,
    Unary,
    Wait,
    WaitUntil,
)
from weft.ir.print_design import print_expression, print_statement

A = Ref(Signal("a", 8, Type("logic", 8)))
B = Ref(Signal("b", 8, Type("logic", 8)), ("u", "v"))
MEMORY = Signal("m", 8, Type("logic", 8), depth=4)
ONE = Const(8, 1)
SET = Assign(A, ONE, True)


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
    ],
)
def test_statements(statement, lines: list[str]):
    assert print_statement(statement) == lines
