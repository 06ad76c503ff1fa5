"""Parse a condition such as `cpu.state == 4'd3 && !uart.busy` (run_until, --until).

The language is Verilog's expressions (IEEE 1800-2023 clause 11) over signal paths: literals, all operators but
assignments and `inside`, `?:`, concatenation and replication, bit, part and memory-element selects. This file turns
text to a small tree by precedence climbing (Pratt, "Top down operator precedence", 1973); `build_condition` gives it
widths and makes nodes.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from weft.base.dataclass import dataclass
from weft.base.errors import UserError

_TOKEN = re.compile(
    r"\s*(?:(?P<based>(?:\d[\d_]*)?\s*'[sS]?[bodhBODH]\s*[0-9a-fA-FxXzZ?_]+)"
    r"|(?P<fill>'[01xXzZ])"
    r"|(?P<number>\d[\d_]*)"
    r"|(?P<text>\"[^\"]*\")"
    r"|(?P<escaped>\\\S+)"
    r"|(?P<name>[A-Za-z_$][\w$]*)"
    r"|(?P<op>===|!==|==\?|!=\?|<<<|>>>|\*\*|==|!=|<=|>=|&&|\|\||<<|>>|~&|~\||~\^|\^~|\+:|-:|[-+*/%<>!~&|^?:(){}\[\],.]))"
)

_PRECEDENCE = {
    # IEEE 1800-2023 table 11-2, the strongest highest; `?:` is handled apart.
    "**": 12,
    "*": 11,
    "/": 11,
    "%": 11,
    "+": 10,
    "-": 10,
    "<<": 9,
    ">>": 9,
    "<<<": 9,
    ">>>": 9,
    "<": 8,
    "<=": 8,
    ">": 8,
    ">=": 8,
    "==": 7,
    "!=": 7,
    "===": 7,
    "!==": 7,
    "==?": 7,
    "!=?": 7,
    "&": 6,
    "^": 5,
    "~^": 5,
    "^~": 5,
    "|": 4,
    "&&": 3,
    "||": 2,
}
_UNARY = ("!", "~", "&", "|", "^", "~&", "~|", "~^", "^~", "-", "+")


@dataclass(frozen=True, slots=True)
class Literal:
    """Be a number; `sized` says that it was given a width."""

    width: int
    value: int
    unknown: int
    signed: bool
    sized: bool


@dataclass(frozen=True, slots=True)
class Path:
    """Be a signal with the indices that follow it: (first, second or None, kind `[` `:` `+:` `-:`)."""

    names: tuple[str, ...]
    selects: tuple[tuple[Tree, Tree | None, str], ...]
    at: int


@dataclass(frozen=True, slots=True)
class Operation:
    """Be an operator with its operands; `kind` is `unary`, `binary`, `choose`, `join` or `repeat`."""

    kind: str
    op: str
    operands: tuple[Tree, ...]
    at: int


Tree: TypeAlias = Literal | Path | Operation


class Parser:
    """Parse one expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        at = 0
        end = len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None:
                at += len(text[at:]) - len(text[at:].lstrip())
                raise self.error(f"'{text[at]}' is not understood", at)
            kind = match.lastgroup or ""
            self.tokens.append((kind, match[kind], match.start(kind)))
            at = match.end()
        self.tokens.append(("end", "", end))
        self.next = 0

    def error(self, message: str, at: int) -> UserError:
        """Return an error that shows the expression and where in it."""
        return UserError("bad-expression", f"{message}\n    {self.text}\n    {' ' * at}^")

    def parse(self) -> Tree:
        """Return the whole text's tree."""
        tree = self._conditional()
        kind, text, at = self.tokens[self.next]
        if kind != "end":
            raise self.error(f"'{text}' is not expected here", at)
        return tree

    def _peek(self) -> str:
        kind, text, _ = self.tokens[self.next]
        return text if kind == "op" else ""

    def _take(self) -> tuple[str, str, int]:
        token = self.tokens[self.next]
        self.next += 1
        return token

    def _expect(self, text: str) -> None:
        kind, found, at = self._take()
        if kind != "op" or found != text:
            raise self.error(f"'{text}' is expected" + (f" before '{found}'" if found else " at the end"), at)

    def _conditional(self) -> Tree:
        cond = self._binary(1)
        if self._peek() != "?":
            return cond
        at = self._take()[2]
        then = self._conditional()
        self._expect(":")
        return Operation("choose", "?:", (cond, then, self._conditional()), at)

    def _binary(self, least: int) -> Tree:
        left = self._unary()
        while (precedence := _PRECEDENCE.get(self._peek(), 0)) >= least:
            _, op, at = self._take()
            left = Operation("binary", op, (left, self._binary(precedence + 1)), at)
        return left

    def _unary(self) -> Tree:
        if self._peek() in _UNARY:
            _, op, at = self._take()
            return Operation("unary", op, (self._unary(),), at)
        return self._primary()

    def _primary(self) -> Tree:
        kind, text, at = self._take()
        match kind:
            case "number":
                return Literal(32, int(text.replace("_", "")), 0, True, False)
            case "based":
                return self._based(text, at)
            case "fill":
                value, unknown = {"0": (0, 0), "1": (1, 0), "x": (0, 1), "z": (1, 1)}[text[1].lower()]
                return Literal(1, value, unknown, False, False)
            case "text":
                data = text[1:-1].encode()
                return Literal(8 * len(data) or 8, int.from_bytes(data, "big"), 0, False, True)
            case "name" | "escaped":
                return self._path(text.removeprefix("\\"), at)
            case "op" if text == "(":
                inner = self._conditional()
                self._expect(")")
                return inner
            case "op" if text == "{":
                return self._concatenation(at)
            case _:
                raise self.error(f"'{text}' is not expected here" if text else "an operand is missing", at)

    def _concatenation(self, at: int) -> Tree:
        first = self._conditional()
        if self._peek() == "{":
            self._take()
            inner = self._concatenation(at)
            self._expect("}")
            return Operation("repeat", "{}", (first, inner), at)
        parts = [first]
        while self._peek() == ",":
            self._take()
            parts.append(self._conditional())
        self._expect("}")
        return Operation("join", "{}", tuple(parts), at)

    def _path(self, name: str, at: int) -> Tree:
        """Parse `a.b[2].c[7:0]`; selects before a dot belong to the name (generate blocks, instance arrays)."""
        names, selects = [name], list[tuple[Tree, Tree | None, str]]()
        while self._peek() in ("[", "."):
            if self._take()[1] == ".":
                names[-1] += "".join(f"[{self._index_text(select, at)}]" for select in selects)
                selects = []
                kind, text, where = self._take()
                if kind not in ("name", "escaped"):
                    raise self.error("a name is expected after '.'", where)
                names.append(text.removeprefix("\\"))
                continue
            first, second, form = self._conditional(), None, "["
            if self._peek() in (":", "+:", "-:"):
                form = self._take()[1]
                second = self._conditional()
            self._expect("]")
            selects.append((first, second, form))
        return Path(tuple(names), tuple(selects), at)

    def _index_text(self, select: tuple[Tree, Tree | None, str], at: int) -> int:
        if not isinstance(select[0], Literal) or select[1] is not None:
            raise self.error("an index before '.' must be a number", at)
        return select[0].value

    def _based(self, text: str, at: int) -> Literal:
        size, _, rest = text.replace("_", "").replace(" ", "").partition("'")
        signed = rest[0] in "sS"
        rest = rest[1:] if signed else rest
        base, digits = rest[0].lower(), rest[1:].lower().replace("?", "z")
        per = {"b": 1, "o": 3, "h": 4, "d": 0}[base]
        value = unknown = 0
        if base == "d":
            if digits in ("x", "z"):
                value, unknown = (0, -1) if digits == "x" else (-1, -1)
            elif not digits.isdigit():
                raise self.error(f"'{digits}' is no decimal number", at)
            else:
                value = int(digits)
        for digit in digits if per else "":
            ones = (1 << per) - 1
            value, unknown = value << per, unknown << per
            if digit in "xz":
                unknown |= ones
                value |= ones if digit == "z" else 0
            elif int(digit, 16) > ones:
                raise self.error(f"'{digit}' is no digit of this base", at)
            else:
                value |= int(digit, 16)
        width = int(size) if size else max(32, value.bit_length(), unknown.bit_length())
        if width == 0:
            raise self.error("a literal needs at least one bit", at)
        if digits[0] in "xz" and per and len(digits) * per < width:
            fill = ((1 << width) - 1) ^ ((1 << len(digits) * per) - 1)
            unknown |= fill
            value |= fill if digits[0] == "z" else 0
        ones = (1 << width) - 1
        return Literal(width, value & ones, unknown & ones, signed, bool(size))
