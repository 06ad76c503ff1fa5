"""Read the functions of kernel files (`kernel_language`) into Python's syntax tree, without Python's parser.

Kernels are compiled in threads, and up to version 3.11.7 CPython's `ast.parse` is not safe there: what counts the depth
of a tree is one variable of the interpreter, and a garbage collection in the middle of a tree lets another thread begin
its own. One of the two, perhaps the user's, then fails with "AST constructor recursion depth mismatch" (CPython issue
106905). So this is a parser of its own, by recursive descent and precedence climbing, for the few statements that
kernels have; its nodes are `ast`'s.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

_TOKEN = re.compile(
    r"""(?P<text>\"{3}(?:[^"\\]|\\.|"(?!""))*\"{3})|(?P<skip>[ \t]+|\#[^\n]*|\\\n)|(?P<line>\n)"""
    r"""|(?P<number>0[xX][0-9a-fA-F_]+|0[bB][01_]+|[0-9][0-9_]*)|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"""
    r"""|(?P<sign>//=|<<=|>>=|->|//|<<|>>|==|!=|<=|>=|[-+*%&|^]=|[-+*%&|^~<>=()\[\]:,@])""",
    re.DOTALL,
)
_FUNCTION = re.compile(r"^(?P<marks>(?:@.*\n)+)def .*\n(?:[ )].*\n|\n)*", re.MULTILINE)
"""A function with decorators: all lines until one that begins at the margin."""
_BINARY: dict[str, tuple[int, type[ast.operator]]] = {
    "|": (1, ast.BitOr),
    "^": (2, ast.BitXor),
    "&": (3, ast.BitAnd),
    "<<": (4, ast.LShift),
    ">>": (4, ast.RShift),
    "+": (5, ast.Add),
    "-": (5, ast.Sub),
    "*": (6, ast.Mult),
    "//": (6, ast.FloorDiv),
    "%": (6, ast.Mod),
}
"""How strongly operators bind, and what they are."""
_COMPARE: dict[str, type[ast.cmpop]] = {
    "==": ast.Eq,
    "!=": ast.NotEq,
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
}
_UNARY: dict[str, type[ast.unaryop]] = {"-": ast.USub, "~": ast.Invert}
_KINDS = ("text", "number", "name", "sign")

Token = tuple[str, str]
"""A kind and the characters; marks are `{` and `}` around a block, `;` behind a statement and `$` at the end."""


def read_functions(source: str, marks: frozenset[str]) -> Iterator[ast.FunctionDef]:
    """Yield the functions at the top of a file that have one of some decorators; raises SyntaxError."""
    for found in _FUNCTION.finditer(source):
        if not marks.isdisjoint(re.findall(r"^@(\w+)$", found["marks"], re.MULTILINE)):
            yield _Parser(list(_tokens(found.group()))).function()


def _tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of whole functions, with marks where lines and blocks begin and end."""
    at = depth = 0
    indents = [0]
    fresh = True
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise SyntaxError(f"no token of a kernel: {text[at : at + 40]!r}")
        kind = found.lastgroup or ""
        if kind in _KINDS and fresh:
            indent = at - (text.rfind("\n", 0, at) + 1)
            if indent > indents[-1]:
                indents.append(indent)
                yield "mark", "{"
            while indent < indents[-1]:
                indents.pop()
                yield "mark", "}"
            fresh = False
        if kind in _KINDS:
            depth += (found.group() in ("(", "[")) - (found.group() in (")", "]"))
            yield kind, found.group()
        elif kind == "line" and not depth and not fresh:
            yield "mark", ";"
            fresh = True
        at = found.end()
    for _ in indents[1:]:
        yield "mark", "}"
    yield "mark", "$"


class _Parser:
    """Read one function."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def _take(self, expected: str = "") -> str:
        kind, text = self._tokens[self._at]
        if expected and expected not in (text, kind):
            raise SyntaxError(f"a kernel has {text!r} where {expected!r} is expected")
        self._at += 1
        return text

    def _next_is(self, expected: str) -> bool:
        kind, text = self._tokens[self._at]
        return text == expected and kind != "text"

    def _accept(self, text: str) -> bool:
        found = self._next_is(text)
        self._at += found
        return found

    # ------------------------------------------------------------------------------------------- statements

    def function(self) -> ast.FunctionDef:
        """Return the function with its decorators."""
        marks: list[ast.expr] = []
        while self._accept("@"):
            marks.append(self._load(self._take("name")))
            self._take(";")
        self._take("def")
        name = self._take("name")
        self._take("(")
        arguments: list[ast.arg] = []
        while not self._accept(")"):
            argument = self._take("name")
            self._take(":")
            arguments.append(ast.arg(arg=argument, annotation=self._load(self._take("name"))))
            self._accept(",")
        self._take("->")
        result = self._load(self._take("name"))
        listed = ast.arguments(posonlyargs=[], args=arguments, kwonlyargs=[], kw_defaults=[], defaults=[])
        return ast.FunctionDef(name=name, args=listed, body=self._block(), decorator_list=marks, returns=result)

    def _block(self) -> list[ast.stmt]:
        self._take(":")
        self._take(";")
        self._take("{")
        body: list[ast.stmt] = []
        while not self._accept("}"):
            body.append(self._statement())
        return body

    def _statement(self) -> ast.stmt:
        if self._accept("if"):
            return self._choice()
        if self._accept("while"):
            return ast.While(test=self._expression(), body=self._block(), orelse=[])
        found = self._simple()
        self._take(";")
        return found

    def _choice(self) -> ast.If:
        test, body = self._expression(), self._block()
        other: list[ast.stmt] = []
        if self._accept("elif"):
            other = [self._choice()]
        elif self._accept("else"):
            other = self._block()
        return ast.If(test=test, body=body, orelse=other)

    def _simple(self) -> ast.stmt:
        for word, kind in (("break", ast.Break), ("continue", ast.Continue), ("pass", ast.Pass)):
            if self._accept(word):
                return kind()
        if self._accept("return"):
            return ast.Return(value=None if self._next_is(";") else self._expression())
        left = self._expression()
        if self._accept("="):
            return ast.Assign(targets=[_stored(left)], value=self._expression())
        kind, text = self._tokens[self._at]
        if kind == "sign" and text[-1] == "=" and text[:-1] in _BINARY:
            self._at += 1
            target = _stored(left)
            assert isinstance(target, ast.Name | ast.Subscript)
            return ast.AugAssign(target=target, op=_BINARY[text[:-1]][1](), value=self._expression())
        return ast.Expr(value=left)

    # ------------------------------------------------------------------------------------------- expressions

    def _expression(self) -> ast.expr:
        return self._joined("or", ast.Or, lambda: self._joined("and", ast.And, self._negation))

    def _joined(self, word: str, kind: type[ast.boolop], part: Callable[[], ast.expr]) -> ast.expr:
        values: list[ast.expr] = [part()]
        while self._accept(word):
            values.append(part())
        return ast.BoolOp(op=kind(), values=values) if len(values) > 1 else values[0]

    def _negation(self) -> ast.expr:
        if self._accept("not"):
            return ast.UnaryOp(op=ast.Not(), operand=self._negation())
        left = self._sum(1)
        kind, text = self._tokens[self._at]
        if kind != "sign" or text not in _COMPARE:
            return left
        self._at += 1
        return ast.Compare(left=left, ops=[_COMPARE[text]()], comparators=[self._sum(1)])

    def _sum(self, least: int) -> ast.expr:
        left = self._factor()
        while True:
            kind, text = self._tokens[self._at]
            strength, operator = _BINARY.get(text, (0, ast.Add)) if kind == "sign" else (0, ast.Add)
            if strength < least:
                return left
            self._at += 1
            left = ast.BinOp(left=left, op=operator(), right=self._sum(strength + 1))

    def _factor(self) -> ast.expr:
        for sign, kind in _UNARY.items():
            if self._accept(sign):
                return ast.UnaryOp(op=kind(), operand=self._factor())
        found = self._atom()
        while True:
            if self._accept("("):
                found = ast.Call(func=found, args=self._arguments(), keywords=[])
            elif self._accept("["):
                found = ast.Subscript(value=found, slice=self._expression(), ctx=ast.Load())
                self._take("]")
            else:
                return found

    def _arguments(self) -> list[ast.expr]:
        found: list[ast.expr] = []
        while not self._accept(")"):
            found.append(self._expression())
            self._accept(",")
        return found

    def _atom(self) -> ast.expr:
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return ast.Constant(value=int(text, 0))
        if kind == "name":
            return self._load(text)
        if kind == "text":
            return ast.Constant(value=text[3:-3])
        if text != "(":
            raise SyntaxError(f"a kernel has {text!r} where a value is expected")
        found = self._expression()
        self._take(")")
        return found

    @staticmethod
    def _load(name: str) -> ast.Name:
        return ast.Name(id=name, ctx=ast.Load())


def _stored(target: ast.expr) -> ast.expr:
    """Return an expression as what an assignment writes."""
    assert isinstance(target, ast.Name | ast.Subscript)
    target.ctx = ast.Store()
    return target
